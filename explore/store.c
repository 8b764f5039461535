/* store.c: tables, and rows as they come. See store.h. */
#include "store.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BUSY_MS = 60000 };

enum weft_status store_say(const struct store *store, const char *doing)
{
    if (sqlite3_errcode(store->db) == SQLITE_NOMEM)
        return WEFT_NO_MEMORY;
    return weft_error(store->diag, "%s: %s: %s", store->path, doing, sqlite3_errmsg(store->db));
}

enum weft_status store_do(const struct store *store, const char *sql)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? WEFT_OK : store_say(store, sql);
}

/* --- tables -------------------------------------------------------------------------------------------------------------------- */

/* Columns of `points` behind the fixed ones: machine fields, then metrics. */
static void write_columns(FILE *out, const char *field_type, const char *metric_type)
{
    size_t count;
    const struct weft_machine_field *fields = weft_machine_fields(&count);
    for (size_t i = 0; i < count; i++)
        fprintf(out, ", \"%s\"%s", fields[i].name, field_type);
    for (size_t i = 0; i < metrics_count(); i++)
        fprintf(out, ", \"%s\"%s", metrics_at(i).name, metric_type);
}

/* Runs a statement that `write` writes; caller frees *out. */
static enum weft_status write_sql(char **out, const char *before, const char *field_type, const char *metric_type, const char *after)
{
    size_t bytes;
    *out = NULL;
    FILE *sql = open_memstream(out, &bytes);
    if (!sql)
        return WEFT_NO_MEMORY;
    fputs(before, sql);
    write_columns(sql, field_type, metric_type);
    fputs(after, sql);
    return fclose(sql) == 0 && *out ? WEFT_OK : WEFT_NO_MEMORY;
}

#define FIXED "key, point, network, network_hash, batch, dims, machine, formats, technology, technology_hash, version, reason, wall_seconds"
enum { FIXED_COUNT = 13 };

static enum weft_status make_tables(const struct store *store)
{
    char *sql, version[64];
    enum weft_status status =
        write_sql(&sql,
                  "CREATE TABLE IF NOT EXISTS plans (hash TEXT PRIMARY KEY, name TEXT NOT NULL, yaml TEXT NOT NULL, version TEXT NOT NULL,"
                  " begun INTEGER NOT NULL);"
                  "CREATE TABLE IF NOT EXISTS members (plan TEXT NOT NULL, key TEXT NOT NULL, point INTEGER NOT NULL, PRIMARY KEY (plan, key)) WITHOUT ROWID;"
                  "CREATE TABLE IF NOT EXISTS shards (plan TEXT NOT NULL, shard INTEGER NOT NULL, shards INTEGER NOT NULL, points INTEGER NOT NULL,"
                  " host TEXT NOT NULL, finished INTEGER NOT NULL, PRIMARY KEY (plan, shard, shards));"
                  "CREATE TABLE IF NOT EXISTS points (key TEXT PRIMARY KEY, point INTEGER NOT NULL, network TEXT NOT NULL,"
                  " network_hash TEXT NOT NULL, batch INTEGER NOT NULL, dims TEXT NOT NULL, machine TEXT NOT NULL, formats INTEGER NOT NULL,"
                  " technology TEXT, technology_hash TEXT, version TEXT NOT NULL, reason TEXT, wall_seconds REAL NOT NULL",
                  " INTEGER NOT NULL", " NUMERIC", ") WITHOUT ROWID;");
    if (!status)
        status = store_do(store, "BEGIN IMMEDIATE");
    if (!status)
        status = sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? WEFT_OK : store_say(store, "tables cannot be made");
    snprintf(version, sizeof version, "PRAGMA user_version = %d", STORE_VERSION);
    if (!status)
        status = store_do(store, version);
    if (!status)
        status = store_do(store, "COMMIT");
    free(sql);
    return status;
}

static enum weft_status read_number(const struct store *store, const char *sql, int64_t *out)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK)
        return store_say(store, "not a store of results");
    enum weft_status status = WEFT_OK;
    if (sqlite3_step(statement) == SQLITE_ROW)
        *out = sqlite3_column_int64(statement, 0);
    else
        status = store_say(store, "not a store of results");
    sqlite3_finalize(statement);
    return status;
}

/* *made: it has tables already. */
static enum weft_status check_version(const struct store *store, bool *made)
{
    int64_t version = 0, tables = 0;
    enum weft_status status = read_number(store, "PRAGMA user_version", &version);
    if (!status)
        status = read_number(store, "SELECT count(*) FROM sqlite_master", &tables);
    *made = tables > 0;
    if (!status && tables && version != STORE_VERSION)
        return weft_error(store->diag, "%s: a store of version %lld, or another program's database; this weft has stores of version %d", store->path,
                          (long long)version, STORE_VERSION);
    return status;
}

static enum weft_status open_database(struct store *out, const char *path, int flags, struct weft_diag *diag)
{
    *out = (struct store){.path = path, .diag = diag};
    if (sqlite3_open_v2(path, &out->db, flags, NULL) == SQLITE_OK) {
        sqlite3_busy_timeout(out->db, BUSY_MS);
        return WEFT_OK;
    }
    enum weft_status status = out->db ? store_say(out, "cannot be opened") : WEFT_NO_MEMORY;
    store_close(out);
    return status;
}

static enum weft_status prepare(struct store *store)
{
    char *sql;
    enum weft_status status = write_sql(&sql, "INSERT OR IGNORE INTO points (" FIXED, "", "", ") VALUES (?1");
    size_t fields, bytes;
    weft_machine_fields(&fields);
    char *whole = NULL;
    FILE *out = status ? NULL : open_memstream(&whole, &bytes);
    if (out) {
        fputs(sql, out);
        for (size_t i = 2; i <= FIXED_COUNT + fields + metrics_count(); i++)
            fprintf(out, ", ?%zu", i);
        fputs(")", out);
        if (fclose(out) || !whole)
            status = WEFT_NO_MEMORY;
    } else if (!status)
        status = WEFT_NO_MEMORY;
    if (!status && sqlite3_prepare_v2(store->db, whole, -1, &store->insert, NULL) != SQLITE_OK)
        status = store_say(store, "another weft's columns");
    if (!status && sqlite3_prepare_v2(store->db, "SELECT 1 FROM points WHERE key = ?1", -1, &store->has, NULL) != SQLITE_OK)
        status = store_say(store, "another weft's columns");
    if (!status && sqlite3_prepare_v2(store->db, "INSERT OR IGNORE INTO members VALUES (?1, ?2, ?3)", -1, &store->member, NULL) != SQLITE_OK)
        status = store_say(store, "another weft's columns");
    free(sql);
    free(whole);
    return status;
}

/* A shared one is written ahead: a commit costs microseconds and outlives the process, whatever becomes of it. Where the file system cannot (some that are
 * shared), SQLite keeps to its own journal. */
enum weft_status store_open(struct store *out, const char *path, enum store_use use, struct weft_diag *diag)
{
    bool made = false;
    enum weft_status status = open_database(out, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, diag);
    if (status)
        return status;
    status = check_version(out, &made);
    if (!status)
        status = store_do(out, use == STORE_SHARED ? "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL" : "PRAGMA journal_mode = MEMORY");
    if (!status)
        status = make_tables(out);
    if (!status)
        status = prepare(out);
    if (status)
        store_close(out);
    return status;
}

/* Fields and metrics come and go with versions; without these columns no row can be told from another. */
static enum weft_status check_columns(const struct store *store)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(store->db, "SELECT " FIXED " FROM points", -1, &statement, NULL) != SQLITE_OK)
        return store_say(store, "not a store of results");
    sqlite3_finalize(statement);
    return WEFT_OK;
}

/* Whatever columns the store has; caller frees *out with sqlite3_free. */
static enum weft_status write_asked(char **out, const struct store *store)
{
    sqlite3_stmt *names;
    *out = NULL;
    if (sqlite3_prepare_v2(store->db, "SELECT group_concat('\"' || replace(name, '\"', '\"\"') || '\"', ', ') FROM pragma_table_info('points')"
                                      " WHERE name NOT IN ('key', 'point')", -1, &names, NULL) != SQLITE_OK)
        return store_say(store, "not a store of results");
    if (sqlite3_step(names) == SQLITE_ROW)
        *out = sqlite3_mprintf("CREATE TEMP VIEW asked AS SELECT points.key AS key, members.point AS point, %s FROM members"
                               " JOIN points ON points.key = members.key WHERE members.plan = (SELECT hash FROM plans ORDER BY begun DESC LIMIT 1)",
                               (const char *)sqlite3_column_text(names, 0));
    sqlite3_finalize(names);
    return *out ? WEFT_OK : WEFT_NO_MEMORY;
}

/* Rows of other plans, of a technology or a network since edited, of another build, stay where they are and answer nothing: beside each other they would
 * look alike. */
static enum weft_status make_asked(const struct store *store)
{
    char *sql;
    int64_t all = 0, asked = 0;
    enum weft_status status = write_asked(&sql, store);
    if (!status)
        status = store_do(store, sql);
    sqlite3_free(sql);
    if (!status)
        status = read_number(store, "SELECT count(*) FROM points", &all);
    if (!status)
        status = read_number(store, "SELECT count(*) FROM asked", &asked);
    if (!status && asked < all)
        weft_note(store->diag, "%s: %lld of its %lld points are those of the plan that was run last; the others are left out", store->path,
                  (long long)asked, (long long)all);
    return status;
}

enum weft_status store_open_results(struct store *out, const char *path, struct weft_diag *diag)
{
    bool made = false;
    if (access(path, R_OK))
        return weft_error(diag, "%s: there is no such store; `weft sweep PLAN.yaml -o %s` makes one", path, path);
    enum weft_status status = open_database(out, path, SQLITE_OPEN_READWRITE, diag);
    if (status)
        return status;
    status = check_version(out, &made);
    if (!status && !made)
        status = weft_error(diag, "%s: an empty file, not a store of results", path);
    if (!status)
        status = check_columns(out);
    if (!status)
        status = make_asked(out);
    if (status)
        store_close(out);
    return status;
}

void store_close(struct store *store)
{
    sqlite3_finalize(store->insert);
    sqlite3_finalize(store->has);
    sqlite3_finalize(store->member);
    sqlite3_close(store->db);
    *store = (struct store){0};
}

/* --- rows ------------------------------------------------------------------------------------------------------------------------ */

static void bind_dims(sqlite3_stmt *insert, int at, const struct weft_plan *plan)
{
    char text[512];
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < plan->dim_count && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s=%lld", i ? " " : "", plan->dims[i].name, (long long)plan->dims[i].value);
    if (plan->format && used < sizeof text)
        snprintf(text + used, sizeof text - used, "%sformat=%s", used ? " " : "", plan->format);
    sqlite3_bind_text(insert, at, text, -1, SQLITE_TRANSIENT);
}

static void bind_fixed(sqlite3_stmt *insert, const struct weft_plan *plan, const struct result *r, const char *version)
{
    const struct plan_network *network = &plan->networks[r->network];
    sqlite3_bind_text(insert, 1, r->key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 2, (int64_t)r->point);
    sqlite3_bind_text(insert, 3, network->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 4, network->hash, -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 5, plan->batches[r->batch]);
    bind_dims(insert, 6, plan);
    sqlite3_bind_text(insert, 7, plan->base_name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 8, (int64_t)r->machine.formats);
    if (plan->has_technology) {
        char hash[33];
        plan_technology_hash(hash, plan);
        sqlite3_bind_text(insert, 9, plan->technology.name, -1, SQLITE_STATIC);
        sqlite3_bind_text(insert, 10, hash, -1, SQLITE_TRANSIENT);
    }
    sqlite3_bind_text(insert, 11, version, -1, SQLITE_STATIC);
    if (r->reason)
        sqlite3_bind_text(insert, 12, r->reason, -1, SQLITE_STATIC);
    sqlite3_bind_double(insert, 13, r->wall_seconds);
}

static void bind_metric(sqlite3_stmt *insert, int at, double value)
{
    if (isnan(value) || isinf(value))
        return; /* NULL */
    if (value == floor(value) && fabs(value) < 9e15)
        sqlite3_bind_int64(insert, at, (int64_t)value);
    else
        sqlite3_bind_double(insert, at, value);
}

/* Nothing is done where the point is there already. */
enum weft_status store_add(struct store *store, const struct weft_plan *plan, const struct result *result, const char *version)
{
    size_t fields;
    weft_machine_fields(&fields);
    sqlite3_clear_bindings(store->insert);
    bind_fixed(store->insert, plan, result, version);
    for (size_t i = 0; i < fields; i++)
        sqlite3_bind_int64(store->insert, FIXED_COUNT + 1 + (int)i, (int64_t)machine_value(&result->machine, i));
    for (size_t i = 0; i < metrics_count(); i++)
        if (plan->keep_all || plan->keep[i])
            bind_metric(store->insert, FIXED_COUNT + 1 + (int)(fields + i), result_metric(result, i));
    bool done = sqlite3_step(store->insert) == SQLITE_DONE;
    enum weft_status status = done ? WEFT_OK : store_say(store, "a row cannot be written");
    sqlite3_reset(store->insert);
    return status ? status : store_take(store, result->key, result->point);
}

enum weft_status store_take(struct store *store, const char *key, uint64_t point)
{
    sqlite3_bind_text(store->member, 1, store->plan, -1, SQLITE_STATIC);
    sqlite3_bind_text(store->member, 2, key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(store->member, 3, (int64_t)point);
    enum weft_status status = sqlite3_step(store->member) == SQLITE_DONE ? WEFT_OK : store_say(store, "a row cannot be written");
    sqlite3_reset(store->member);
    return status;
}

enum weft_status store_has(struct store *store, const char *key, bool *out)
{
    sqlite3_bind_text(store->has, 1, key, -1, SQLITE_STATIC);
    int step = sqlite3_step(store->has);
    *out = step == SQLITE_ROW;
    enum weft_status status = step == SQLITE_ROW || step == SQLITE_DONE ? WEFT_OK : store_say(store, "cannot be read");
    sqlite3_reset(store->has);
    return status;
}

enum weft_status store_metrics(struct store *store, const char *key, const struct objective *objectives, size_t count, double *out)
{
    char sql[1024];
    int used = snprintf(sql, sizeof sql, "SELECT reason");
    for (size_t i = 0; i < count; i++)
        used += snprintf(sql + used, sizeof sql - (size_t)used, ", \"%s\"", metrics_at(objectives[i].metric).name);
    snprintf(sql + used, sizeof sql - (size_t)used, " FROM points WHERE key = ?1");
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK)
        return store_say(store, "cannot be read");
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    bool row = sqlite3_step(statement) == SQLITE_ROW, ran = row && sqlite3_column_type(statement, 0) == SQLITE_NULL;
    for (size_t i = 0; i < count; i++)
        out[i] = ran && sqlite3_column_type(statement, (int)i + 1) != SQLITE_NULL ? sqlite3_column_double(statement, (int)i + 1) : NAN;
    sqlite3_finalize(statement);
    return WEFT_OK;
}

/* Rows: the points that ran, if any; then reasons, the most common first. */
enum weft_status store_count(const struct store *store, struct weft_sweep_summary *out)
{
    sqlite3_stmt *rows;
    if (sqlite3_prepare_v2(store->db,
                           "SELECT count(*), reason FROM members JOIN points USING (key) WHERE plan = ?1 GROUP BY reason"
                           " ORDER BY reason IS NOT NULL, count(*) DESC, reason",
                           -1, &rows, NULL) != SQLITE_OK)
        return store_say(store, "cannot be read");
    sqlite3_bind_text(rows, 1, store->plan, -1, SQLITE_STATIC);
    int step;
    while ((step = sqlite3_step(rows)) == SQLITE_ROW) {
        uint64_t count = (uint64_t)sqlite3_column_int64(rows, 0);
        const char *reason = (const char *)sqlite3_column_text(rows, 1);
        if (!reason) {
            out->good = count;
            continue;
        }
        if (!out->bad) {
            out->reason_count = count;
            snprintf(out->reason, sizeof out->reason, "%.300s%s", reason, strlen(reason) > 300 ? " ..." : "");
        }
        out->bad += count;
    }
    sqlite3_finalize(rows);
    return step == SQLITE_DONE ? WEFT_OK : store_say(store, "cannot be read");
}

/* --- plans and shards -------------------------------------------------------------------------------------------------------------- */

/* The plan's text, its networks, its technology and its base machine; and by which weft. */
static void plan_hash(char out[33], const struct weft_plan *plan, const char *version)
{
    struct hash hash;
    char technology[33];
    size_t fields;
    weft_machine_fields(&fields);
    plan_technology_hash(technology, plan);
    hash_begin(&hash);
    hash_add(&hash, version, strlen(version) + 1);
    hash_add(&hash, technology, strlen(technology) + 1);
    hash_add(&hash, plan->text, strlen(plan->text));
    for (size_t i = 0; i < plan->network_count; i++)
        hash_add(&hash, plan->networks[i].hash, 32);
    for (size_t i = 0; i < fields; i++) {
        char text[24];
        hash_add(&hash, text, (size_t)snprintf(text, sizeof text, "%llu ", (unsigned long long)machine_value(&plan->base, i)));
    }
    hash_text(&hash, out);
}

static enum weft_status run_once(const struct store *store, sqlite3_stmt *statement)
{
    enum weft_status status = sqlite3_step(statement) == SQLITE_DONE ? WEFT_OK : store_say(store, "cannot be written");
    sqlite3_finalize(statement);
    return status;
}

enum weft_status store_note_plan(struct store *store, const struct weft_plan *plan, const char *version)
{
    sqlite3_stmt *statement;
    plan_hash(store->plan, plan, version);
    if (sqlite3_prepare_v2(store->db,
                           "INSERT INTO plans VALUES (?1, ?2, ?3, ?4, max(?5, 1 + (SELECT coalesce(max(begun), 0) FROM plans)))"
                           " ON CONFLICT DO UPDATE SET begun = excluded.begun",
                           -1, &statement, NULL) != SQLITE_OK)
        return store_say(store, "plans");
    sqlite3_bind_text(statement, 1, store->plan, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, plan->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, plan->text, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 4, version, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 5, (int64_t)time(NULL)); /* a clock that runs backwards does not make an older plan the last */
    return run_once(store, statement);
}

/* The same shard of an earlier text of the plan, or by an earlier weft, that stopped early is missed by nobody. */
static enum weft_status drop_superseded(const struct store *store, const struct weft_plan *plan, const struct weft_shard *shard)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(store->db,
                           "DELETE FROM shards WHERE NOT finished AND shard = ?2 AND shards = ?3 AND plan <> ?1"
                           " AND plan IN (SELECT hash FROM plans WHERE name = ?4)",
                           -1, &statement, NULL) != SQLITE_OK)
        return store_say(store, "shards");
    sqlite3_bind_text(statement, 1, store->plan, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, (int64_t)(shard->count ? shard->index : 0));
    sqlite3_bind_int64(statement, 3, (int64_t)(shard->count ? shard->count : 1));
    sqlite3_bind_text(statement, 4, plan->name, -1, SQLITE_STATIC);
    return run_once(store, statement);
}

enum weft_status store_note_shard(struct store *store, const struct weft_plan *plan, const struct weft_shard *shard, uint64_t points, bool finished)
{
    char host[256] = "";
    sqlite3_stmt *statement;
    enum weft_status status = drop_superseded(store, plan, shard);
    if (status)
        return status;
    gethostname(host, sizeof host - 1);
    if (sqlite3_prepare_v2(store->db, "INSERT OR REPLACE INTO shards VALUES (?1, ?2, ?3, ?4, ?5, ?6)", -1, &statement, NULL) != SQLITE_OK)
        return store_say(store, "shards");
    sqlite3_bind_text(statement, 1, store->plan, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, (int64_t)(shard->count ? shard->index : 0));
    sqlite3_bind_int64(statement, 3, (int64_t)(shard->count ? shard->count : 1));
    sqlite3_bind_int64(statement, 4, (int64_t)points);
    sqlite3_bind_text(statement, 5, host, -1, SQLITE_STATIC);
    sqlite3_bind_int(statement, 6, finished);
    return run_once(store, statement);
}
