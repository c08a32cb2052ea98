/* Works on a database with a rollback journal and synchronous=FULL, and says how often it synced.

     sqlite session FILE     transactions, rollbacks and a vacuum
     sqlite commit FILE [N]  commits numbered rows, N or without end, and says each one's number once it is committed
     sqlite check FILE       the integrity check's answer, how many rows there are, and the last one's number

   A session's and a check's lines are what was found; the last line of a session and of a commit with N is "syncs COUNT". */
#include <string.h>
#include "sql.h"
/* The flags have SQLite call these in place of the library's. */
#undef fsync
#undef fdatasync
int fsync(int file);
int fdatasync(int file);

static int syncs;

int counted_fsync(int file) {
  syncs++;
  return fsync(file);
}

int counted_fdatasync(int file) {
  syncs++;
  return fdatasync(file);
}

static void check(sqlite3 *db) {
  sqlite3_stmt *query = first_row(db, "PRAGMA integrity_check");
  printf("%s\n", sqlite3_column_text(query, 0));
  sqlite3_finalize(query);
}

static sqlite3 *open_durable(const char *file) {
  sqlite3 *db = open_database(file);
  run(db, "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA cache_size = 20");
  return db;
}

static void session(const char *file) {
  sqlite3 *db = open_durable(file);
  run(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, b TEXT); CREATE INDEX by_a ON t(a)");
  /* More pages than the cache holds, so that some are written before the commit. */
  run(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
          "INSERT INTO t(a, b) SELECT (i * 7919) % 5003, hex(i * i) FROM n");
  printf("inserted %lld, of a sum of %lld\n", number(db, "SELECT count(*) FROM t"), number(db, "SELECT sum(a) FROM t"));
  run(db, "BEGIN; UPDATE t SET b = b || 'x', a = a + 1; DELETE FROM t WHERE id % 3 = 0; ROLLBACK");
  printf("rolled back: %lld, of a sum of %lld\n", number(db, "SELECT count(*) FROM t"), number(db, "SELECT sum(a) FROM t"));
  run(db, "BEGIN; DELETE FROM t WHERE a % 7 = 0; SAVEPOINT s; DELETE FROM t; ROLLBACK TO s; COMMIT");
  printf("committed: %lld\n", number(db, "SELECT count(*) FROM t"));
  run(db, "PRAGMA journal_mode = TRUNCATE; UPDATE t SET b = 'y' WHERE id < 100");
  run(db, "PRAGMA journal_mode = PERSIST; UPDATE t SET b = 'z' WHERE id < 50");
  run(db, "PRAGMA journal_mode = DELETE; VACUUM");
  printf("updated: %lld\n", number(db, "SELECT count(*) FROM t WHERE b IN ('y', 'z')"));
  check(db);
  sqlite3_close(db);
}

static void commit(const char *file, long long count) {
  sqlite3 *db = open_durable(file);
  run(db, "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, b TEXT)");
  long long row = number(db, "SELECT ifnull(max(id), 0) FROM t");
  for (long long done = 0; count < 0 || done < count; done++) {
    char sql[100];
    row++;
    snprintf(sql, sizeof sql, "INSERT INTO t VALUES (%lld, hex(zeroblob(%lld)))", row, row % 1500);
    run(db, sql);
    printf("%lld\n", row);
    fflush(stdout);
  }
  sqlite3_close(db);
}

int main(int count, char **arguments) {
  const char *mode = count > 2 ? arguments[1] : "";
  if (strcmp(mode, "session") == 0) {
    session(arguments[2]);
    printf("syncs %d\n", syncs);
  } else if (strcmp(mode, "commit") == 0) {
    commit(arguments[2], count > 3 ? atoll(arguments[3]) : -1);
    printf("syncs %d\n", syncs);
  } else if (strcmp(mode, "check") == 0) {
    sqlite3 *db = open_database(arguments[2]);
    check(db);
    printf("%lld\n%lld\n", number(db, "SELECT count(*) FROM t"), number(db, "SELECT ifnull(max(id), 0) FROM t"));
    sqlite3_close(db);
  } else {
    fprintf(stderr, "usage: sqlite session|commit|check FILE\n");
    return 1;
  }
  return 0;
}
