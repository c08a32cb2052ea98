/* What the programs on SQLite share. WASI has no locks on files, so the file system layer is the one without. */
#include <stdio.h>
#include <stdlib.h>
#include "sqlite3.h"

static sqlite3 *open_database(const char *file) {
  sqlite3 *db;
  if (sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "unix-none") != SQLITE_OK) {
    fprintf(stderr, "sqlite: %s: %s\n", file, sqlite3_errmsg(db));
    exit(1);
  }
  return db;
}

static void run(sqlite3 *db, const char *sql) {
  char *message = NULL;
  if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
    fprintf(stderr, "sqlite: %s: %s\n", sql, message);
    exit(1);
  }
}

/* A query that has given its first row; the caller finalizes it. */
static sqlite3_stmt *first_row(sqlite3 *db, const char *sql) {
  sqlite3_stmt *query;
  if (sqlite3_prepare_v2(db, sql, -1, &query, NULL) != SQLITE_OK || sqlite3_step(query) != SQLITE_ROW) {
    fprintf(stderr, "sqlite: %s: %s\n", sql, sqlite3_errmsg(db));
    exit(1);
  }
  return query;
}

/* The one number that a query gives. */
static long long number(sqlite3 *db, const char *sql) {
  sqlite3_stmt *query = first_row(db, sql);
  long long found = sqlite3_column_int64(query, 0);
  sqlite3_finalize(query);
  return found;
}
