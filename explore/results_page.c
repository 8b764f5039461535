/* results_page.c: a store as a page for a browser: the data are gathered here, report/ draws them. */
#include "store.h"
#include "weft_explore.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "weft_report.h"

static json_t *words(const char *text)
{
    json_t *string = text ? json_string(text) : json_null();
    return string ? string : json_string("?"); /* not UTF-8 */
}

/* Does the column differ between rows? Then it is one of the plan's axes, or tied to one. */
static bool varies(const struct store *store, const char *column)
{
    char sql[256];
    sqlite3_stmt *statement;
    bool differs = false;
    snprintf(sql, sizeof sql, "SELECT min(\"%s\") IS NOT max(\"%s\") FROM asked", column, column);
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
        differs = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return differs;
}

static void add_column(json_t *list, FILE *sql, const char *name, const char *kind, const char *unit, bool more)
{
    json_array_append_new(list, json_pack("{ss ss ss sb}", "name", name, "kind", kind, "unit", unit, "more", more));
    fprintf(sql, "%s\"%s\"", json_array_size(list) > 1 ? ", " : "SELECT ", name);
}

/* Names the row; the machine's fields that vary; the figures of metrics.def and cycles. */
static enum weft_status choose_columns(json_t *list, char **sql, const struct store *store)
{
    static const char *const names[] = {"point", "network", "batch", "machine", "reason"};
    size_t count, bytes;
    const struct weft_machine_field *fields = weft_machine_fields(&count);
    FILE *out = open_memstream(sql, &bytes);
    if (!out)
        return WEFT_NO_MEMORY;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        add_column(list, out, names[i], "name", "", false);
    for (size_t i = 0; i < count; i++)
        if (varies(store, fields[i].name))
            add_column(list, out, fields[i].name, "field", fields[i].unit, false);
#define METRIC(name, BETTER, unit, meaning) add_column(list, out, #name, "metric", unit, #BETTER[0] == 'M');
#include "metrics.def"
    add_column(list, out, "cycles", "metric", "cycles", false);
    fputs(" FROM asked ORDER BY point, key", out);
    return fclose(out) ? WEFT_NO_MEMORY : WEFT_OK;
}

static json_t *value(sqlite3_stmt *statement, int column)
{
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL:
        return json_null();
    case SQLITE_INTEGER:
        return json_integer(sqlite3_column_int64(statement, column));
    case SQLITE_FLOAT:
        return json_real(sqlite3_column_double(statement, column));
    default:
        return words((const char *)sqlite3_column_text(statement, column));
    }
}

static enum weft_status read_rows(json_t *rows, const struct store *store, const char *sql)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK)
        return store_say(store, "cannot be read");
    int step;
    while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
        json_t *row = json_array();
        for (int i = 0; i < sqlite3_column_count(statement); i++)
            json_array_append_new(row, value(statement, i));
        json_array_append_new(rows, row);
    }
    sqlite3_finalize(statement);
    return step == SQLITE_DONE ? WEFT_OK : store_say(store, "cannot be read");
}

static enum weft_status gather(json_t *data, const struct store *store, struct weft_diag *diag)
{
    char *sql = NULL;
    enum weft_status status = choose_columns(json_object_get(data, "columns"), &sql, store);
    if (!status)
        status = read_rows(json_object_get(data, "rows"), store, sql);
    if (!status && !json_array_size(json_object_get(data, "rows")))
        status = weft_error(diag, "%s: the store has no points yet; `weft sweep PLAN -o %s` fills it", store->path, store->path);
    free(sql);
    return status;
}

enum weft_status weft_results_html(char **out, const char *path, struct weft_diag *diag)
{
    struct store store;
    *out = NULL;
    enum weft_status status = store_open_results(&store, path, diag);
    if (status)
        return status;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    json_t *data = json_pack("{so s[] s[]}", "name", words(name), "columns", "rows");
    status = data ? gather(data, &store, diag) : WEFT_NO_MEMORY;
    char *json = status ? NULL : json_dumps(data, JSON_COMPACT | JSON_REAL_PRECISION(9));
    if (!status)
        status = json ? weft_report_results_page(out, name, json) : WEFT_NO_MEMORY;
    free(json);
    json_decref(data);
    store_close(&store);
    return status;
}
