/* test_explore.h: what the tests of explore/ share. */
#ifndef WEFT_EXPLORE_TEST_H
#define WEFT_EXPLORE_TEST_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weft_explore.h"

/* The last messages, one behind the other. */
struct caught {
    char text[4096];
};
static inline void catch_message(void *user, const char *message)
{
    struct caught *caught = user;
    size_t used = strlen(caught->text);
    snprintf(caught->text + used, sizeof caught->text - used, "%s\n", message);
}

/* A folder of its own for each test program, set up and torn down with its tests. */
static char test_folder[] = "/tmp/weft-explore-XXXXXX";
static inline int enter_folder(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(test_folder));
    assert_int_equal(chdir(test_folder), 0);
    return 0;
}
static inline int leave_folder(void **state)
{
    (void)state;
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", test_folder);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(system(command), 0);
    return 0;
}

static inline void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static inline struct weft_plan *load_plan(const char *yaml)
{
    struct weft_plan *plan;
    struct caught caught = {0};
    write_text("plan.yaml", yaml);
    if (weft_plan_load(&plan, "plan.yaml", &(struct weft_diag){.report = catch_message, .user = &caught}))
        fail_msg("%s", caught.text);
    return plan;
}

static inline struct weft_sweep_summary run_shard_as(const char *version, const struct weft_plan *plan, const char *store, uint64_t index, uint64_t count)
{
    struct weft_sweep_summary summary;
    struct caught caught = {0};
    if (weft_sweep_run(&summary, plan,
                       &(struct weft_sweep_options){.store = store, .jobs = 2, .version = version, .shard = {.index = index, .count = count, .source = "test"}},
                       &(struct weft_diag){.report = catch_message, .user = &caught}))
        fail_msg("%s", caught.text);
    return summary;
}
static inline struct weft_sweep_summary run_shard(const struct weft_plan *plan, const char *store, uint64_t index, uint64_t count)
{
    return run_shard_as("test", plan, store, index, count);
}

/* One number that a query gives. */
static inline double ask(const char *store, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(store, &db), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    double number = sqlite3_column_double(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return number;
}

static inline void run_sql(const char *store, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(store, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* Every column of every point but the time that it took, as text; caller frees. */
static inline char *rows_of(const char *store)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    char *text;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    assert_int_equal(sqlite3_open(store, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT * FROM points ORDER BY key", -1, &statement, NULL), SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW)
        for (int i = 0; i < sqlite3_column_count(statement); i++)
            if (strcmp(sqlite3_column_name(statement, i), "wall_seconds"))
                fprintf(out, "%s=%s\n", sqlite3_column_name(statement, i), (const char *)sqlite3_column_text(statement, i));
    sqlite3_finalize(statement);
    sqlite3_close(db);
    fclose(out);
    return text;
}

static inline void assert_same_rows(const char *a, const char *b)
{
    char *x = rows_of(a), *y = rows_of(b);
    if (strcmp(x, y))
        fail_msg("%s and %s differ", a, b);
    free(x);
    free(y);
}

#endif
