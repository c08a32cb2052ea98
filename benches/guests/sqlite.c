/* A program that works on a database as an application does: `sqlite FILE`. Built with SQLite's amalgamation. */
#include <stdio.h>
#include <stdlib.h>
#include "sqlite3.h"

static void run(sqlite3 *db, const char *sql) {
  char *message = NULL;
  if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
    fprintf(stderr, "sqlite: %s: %s\n", sql, message);
    exit(1);
  }
}

/* The one number that a query gives. */
static long long number(sqlite3 *db, const char *sql) {
  sqlite3_stmt *query;
  if (sqlite3_prepare_v2(db, sql, -1, &query, NULL) != SQLITE_OK || sqlite3_step(query) != SQLITE_ROW) {
    fprintf(stderr, "sqlite: %s: %s\n", sql, sqlite3_errmsg(db));
    exit(1);
  }
  long long found = sqlite3_column_int64(query, 0);
  sqlite3_finalize(query);
  return found;
}

int main(int count, char **arguments) {
  /* WASI has no locks on files. */
  sqlite3 *db;
  if (count != 2 ||
      sqlite3_open_v2(arguments[1], &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "unix-none") != SQLITE_OK) {
    fprintf(stderr, "usage: sqlite FILE\n");
    return 1;
  }
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
