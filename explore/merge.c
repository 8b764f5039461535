/* merge.c: stores of shards into one; what is missing from it is said by name. */
#include "store.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum weft_status attach(const struct store *store, const char *path)
{
    sqlite3_stmt *statement;
    if (access(path, R_OK))
        return weft_error(store->diag, "%s: there is no such store", path);
    if (sqlite3_prepare_v2(store->db, "ATTACH ?1 AS part", -1, &statement, NULL) != SQLITE_OK)
        return store_say(store, path);
    sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC);
    enum weft_status status = sqlite3_step(statement) == SQLITE_DONE ? WEFT_OK : store_say(store, path);
    sqlite3_finalize(statement);
    return status;
}

/* Nothing in a file from elsewhere is trusted: what check_shards counts up to must be a number of shards. */
static enum weft_status check_part(const struct store *store, const char *path)
{
    sqlite3_stmt *rows;
    if (sqlite3_prepare_v2(store->db, "SELECT shard, shards FROM part.shards", -1, &rows, NULL) != SQLITE_OK)
        return weft_error(store->diag, "%s: cannot be joined to the others: %s", path, sqlite3_errmsg(store->db));
    enum weft_status status = WEFT_OK;
    int step = SQLITE_ROW;
    while (!status && (step = sqlite3_step(rows)) == SQLITE_ROW) {
        long long shard = sqlite3_column_int64(rows, 0), shards = sqlite3_column_int64(rows, 1);
        if (shards < 1 || shards > WEFT_SHARDS_MAX || shard < 0 || shard >= shards)
            status = weft_error(store->diag, "%s: the store is damaged: it has shard %lld of %lld; there are 1 to %d shards, counted from 0", path, shard, shards,
                                WEFT_SHARDS_MAX);
    }
    if (!status && step != SQLITE_DONE)
        status = store_say(store, path);
    sqlite3_finalize(rows);
    return status;
}

/* A shard that is in two stores counts as finished if it is in one. */
static enum weft_status take_part(const struct store *store, const char *path)
{
    enum weft_status status = attach(store, path);
    if (status)
        return status;
    status = check_part(store, path);
    bool taken = !status && sqlite3_exec(store->db,
                              "BEGIN; INSERT OR IGNORE INTO points SELECT * FROM part.points; INSERT OR IGNORE INTO members SELECT * FROM part.members;"
                              "INSERT INTO plans SELECT * FROM part.plans WHERE true ON CONFLICT DO UPDATE SET begun = max(begun, excluded.begun);"
                              "INSERT INTO shards SELECT * FROM part.shards WHERE true ON CONFLICT DO UPDATE SET finished = max(finished, excluded.finished); COMMIT",
                              NULL, NULL, NULL) == SQLITE_OK;
    if (!status && !taken) {
        status = weft_error(store->diag, "%s: cannot be joined to the others: %s", path, sqlite3_errmsg(store->db));
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    }
    sqlite3_exec(store->db, "DETACH part", NULL, NULL, NULL);
    return status;
}

/* --- shards that died ------------------------------------------------------------------------------------------------------------------- */

/* Where the rows stand. */
struct series {
    char plan[256], hash[40];
    long long next, shards; /* the shard that would be next, of so many */
};

/* Are there shards from the next one to in front of `end`? */
static bool say_missing(const struct store *store, const struct series *s, long long end)
{
    if (s->next + 1 < end)
        weft_error(store->diag, "shards %lld to %lld of %lld of plan %s are in none of the stores; run each with --shard I/%lld", s->next, end - 1, s->shards,
                   s->plan, s->shards);
    else if (s->next < end)
        weft_error(store->diag, "shard %lld of %lld of plan %s is in none of the stores; run it with --shard %lld/%lld", s->next, s->shards, s->plan, s->next,
                   s->shards);
    return s->next < end;
}

static bool say_died(const struct store *store, sqlite3_stmt *row, const struct series *s)
{
    long long shard = sqlite3_column_int64(row, 0);
    if (sqlite3_column_int(row, 4))
        return false;
    weft_error(store->diag, "shard %lld of %lld of plan %s, of %lld points, stopped early on %s; run it again with --shard %lld/%lld", shard, s->shards, s->plan,
               (long long)sqlite3_column_int64(row, 2), (const char *)sqlite3_column_text(row, 3), shard, s->shards);
    return true;
}

static enum weft_status begin_series(struct series *series, const struct store *store, sqlite3_stmt *row)
{
    const char *plan = (const char *)sqlite3_column_text(row, 5), *hash = (const char *)sqlite3_column_text(row, 6);
    if (!plan || !hash)
        return store_say(store, "cannot be read");
    *series = (struct series){.shards = sqlite3_column_int64(row, 1)};
    snprintf(series->plan, sizeof series->plan, "%s", plan);
    snprintf(series->hash, sizeof series->hash, "%s", hash);
    return WEFT_OK;
}

static bool is_in(const struct series *series, sqlite3_stmt *row)
{
    const char *hash = (const char *)sqlite3_column_text(row, 6);
    return hash && !strcmp(series->hash, hash) && series->shards == sqlite3_column_int64(row, 1);
}

/* Rows: shard, shards, points, host, finished, plan's name, plan; by plan, shards, shard. */
static enum weft_status check_shards(const struct store *store, sqlite3_stmt *rows)
{
    struct series series = {0};
    enum weft_status status;
    bool missed = false;
    int step;
    while ((step = sqlite3_step(rows)) == SQLITE_ROW) {
        if (!is_in(&series, rows)) {
            missed |= say_missing(store, &series, series.shards);
            if ((status = begin_series(&series, store, rows)))
                return status;
        }
        long long shard = sqlite3_column_int64(rows, 0);
        missed |= say_missing(store, &series, shard);
        series.next = shard + 1;
        missed |= say_died(store, rows, &series);
    }
    if (step != SQLITE_DONE)
        return store_say(store, "cannot be read");
    missed |= say_missing(store, &series, series.shards);
    return missed ? WEFT_ERROR : WEFT_OK;
}

static enum weft_status find_dead(const struct store *store)
{
    sqlite3_stmt *rows;
    if (sqlite3_prepare_v2(store->db,
                           "SELECT shard, shards, points, host, finished, name, plan FROM shards JOIN plans ON hash = plan ORDER BY plan, shards, shard", -1,
                           &rows, NULL) != SQLITE_OK)
        return store_say(store, "cannot be read");
    enum weft_status status = check_shards(store, rows);
    sqlite3_finalize(rows);
    return status;
}

/* --- all of it ---------------------------------------------------------------------------------------------------------------------------- */

static enum weft_status join(const char *aside, const char *const *stores, size_t count, bool *joined, struct weft_diag *diag)
{
    struct store store;
    enum weft_status status = store_open(&store, aside, STORE_ALONE, diag);
    if (status)
        return status;
    size_t absent = 0; /* a task that died before it opened its store: the others are joined all the same */
    for (size_t i = 0; i < count && !status; i++)
        if (access(stores[i], F_OK) == 0)
            status = take_part(&store, stores[i]);
        else
            absent++, weft_error(diag, "%s: there is no such store", stores[i]);
    if (!status && absent == count)
        status = WEFT_ERROR;
    *joined = !status;
    if (!status)
        status = find_dead(&store);
    if (!status && absent)
        status = WEFT_ERROR;
    store_close(&store);
    return status;
}

/* What a run that was killed left beside the store that is replaced: SQLite would take it for the new one's. */
static void drop_log(const char *out)
{
    static const char *const endings[] = {"-wal", "-shm", "-journal"};
    char path[4096];
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if ((size_t)snprintf(path, sizeof path, "%s%s", out, endings[i]) < sizeof path)
            unlink(path);
}

/* A store that misses shards is kept, and is an error all the same. */
enum weft_status weft_sweep_merge(const char *out, const char *const *stores, size_t count, struct weft_diag *diag)
{
    struct weft_aside aside;
    bool joined = false;
    enum weft_status status = weft_aside_open(&aside, out, diag);
    if (status)
        return status;
    if (aside.path)
        status = join(aside.path, stores, count, &joined, diag);
    else
        status = weft_error(diag, "%s: a store of results is a file, and this is none", out);
    if (joined)
        drop_log(aside.target);
    enum weft_status placed = weft_aside_close(&aside, joined ? WEFT_OK : status, diag);
    return status ? status : placed;
}
