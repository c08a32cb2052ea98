/* A program that works on a database as an application does: `sqlite FILE`. Built with SQLite's amalgamation. */
#include "sql.h"

int main(int count, char **arguments) {
  if (count != 2) {
    fprintf(stderr, "usage: sqlite FILE\n");
    return 1;
  }
  sqlite3 *db = open_database(arguments[1]);
  /* Smaller than the table, so that pages are read again. */
  run(db, "PRAGMA synchronous = OFF; PRAGMA cache_size = 200;"
          "CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, b TEXT)");
  /* Each its own transaction, and so a journal that is made, written and removed. */
  for (int i = 0; i < 500; i++)
    run(db, "INSERT INTO t(a, b) VALUES (1, hex(zeroblob(50)))");
  run(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)"
          "INSERT INTO t(a, b) SELECT (i * 7919) % 60013, hex(i * i) FROM n;"
          "CREATE INDEX by_a ON t(a);"
          "UPDATE t SET b = b || 'x' WHERE a % 3 = 0;"
          "DELETE FROM t WHERE a % 7 = 0");
  long long sum = 0;
  for (int i = 0; i < 2000; i++) {
    char sql[100];
    snprintf(sql, sizeof sql, "SELECT count(*) + ifnull(sum(length(b)), 0) FROM t WHERE a = %d", i * 29);
    sum += number(db, sql);
  }
  printf("%lld %lld\n", number(db, "SELECT count(*) FROM t"), sum);
  return sqlite3_close(db) != SQLITE_OK;
}
