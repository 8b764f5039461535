/* results.c: what a store tells: all of it as CSV, the best rows, the Pareto front. */
#include "pareto.h"
#include "store.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows that --where lets through. Texts are copies; a number's text is how SQLite prints it. */
struct cell {
    char *text; /* NULL: no value */
    double number;
    bool is_text;
};
struct table {
    char **columns;
    size_t column_count;
    struct cell *cells; /* rows x columns */
    size_t count, room;
};

static void free_row(struct cell *cells, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(cells[i].text);
}

static void free_table(struct table *t)
{
    free_row(t->cells, t->count * t->column_count);
    for (size_t i = 0; i < t->column_count; i++)
        free(t->columns[i]);
    free(t->cells);
    free(t->columns);
}

/* --- columns in expressions --------------------------------------------------------------------------------------------------------- */

static int find_column(const void *user, const char *name, char problem[256])
{
    const struct table *t = user;
    for (size_t i = 0; i < t->column_count; i++)
        if (!strcmp(t->columns[i], name))
            return (int)i;
    const char *near = weft_nearest(name, (const char *const *)t->columns, t->column_count);
    snprintf(problem, 256, "there is no column '%.60s'%s%s%s", name, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return -1;
}

static struct expr_value look_up(const void *user, int name)
{
    const struct cell *cell = (const struct cell *)user + name;
    if (!cell->text)
        return (struct expr_value){0};
    return (struct expr_value){.kind = cell->is_text ? EXPR_TEXT : EXPR_NUMBER, .number = cell->number, .text = cell->text};
}

/* --- reading ------------------------------------------------------------------------------------------------------------------------- */

static enum weft_status take_columns(struct table *t, sqlite3_stmt *statement)
{
    size_t count = (size_t)sqlite3_column_count(statement);
    t->columns = calloc(count, sizeof *t->columns);
    for (; t->columns && t->column_count < count; t->column_count++)
        if (!(t->columns[t->column_count] = strdup(sqlite3_column_name(statement, (int)t->column_count))))
            return WEFT_NO_MEMORY;
    return t->columns ? WEFT_OK : WEFT_NO_MEMORY;
}

static enum weft_status take_row(struct table *t, sqlite3_stmt *statement, const struct expr *where)
{
    if (t->count == t->room) {
        size_t room = t->room ? 2 * t->room : 64;
        struct cell *grown = realloc(t->cells, room * t->column_count * sizeof *grown);
        if (!grown)
            return WEFT_NO_MEMORY;
        t->cells = grown;
        t->room = room;
    }
    struct cell *row = t->cells + t->count * t->column_count;
    bool whole = true;
    for (size_t i = 0; i < t->column_count; i++) {
        int type = sqlite3_column_type(statement, (int)i);
        row[i] = (struct cell){.is_text = type == SQLITE_TEXT, .number = sqlite3_column_double(statement, (int)i)};
        const char *text = type == SQLITE_NULL ? NULL : (const char *)sqlite3_column_text(statement, (int)i);
        row[i].text = text ? strdup(text) : NULL;
        whole &= type == SQLITE_NULL || row[i].text != NULL;
    }
    if (whole && (!where || expr_holds(where, look_up, row)))
        t->count++;
    else
        free_row(row, t->column_count);
    return whole ? WEFT_OK : WEFT_NO_MEMORY;
}

static enum weft_status parse_where(struct expr *out, const struct table *t, const char *where, struct weft_diag *diag)
{
    char problem[256];
    if (expr_parse(out, where, &(struct expr_names){find_column, t}, problem))
        return WEFT_OK;
    return *problem ? weft_error(diag, "--where %s: %s", where, problem) : WEFT_NO_MEMORY;
}

static enum weft_status read_rows(struct table *t, const struct store *store, sqlite3_stmt *statement, const char *where)
{
    struct expr expr = {0};
    enum weft_status status = take_columns(t, statement);
    if (!status && where)
        status = parse_where(&expr, t, where, store->diag);
    int step = SQLITE_DONE;
    while (!status && (step = sqlite3_step(statement)) == SQLITE_ROW)
        status = take_row(t, statement, where ? &expr : NULL);
    if (!status && step != SQLITE_DONE)
        status = store_say(store, "cannot be read");
    expr_free(&expr);
    return status;
}

static enum weft_status read_table(struct table *out, const char *path, const char *where, struct weft_diag *diag)
{
    struct store store;
    sqlite3_stmt *statement = NULL;
    *out = (struct table){0};
    enum weft_status status = store_open_results(&store, path, diag);
    if (status)
        return status;
    if (sqlite3_prepare_v2(store.db, "SELECT * FROM asked ORDER BY point, key", -1, &statement, NULL) != SQLITE_OK)
        status = store_say(&store, "cannot be read");
    if (!status)
        status = read_rows(out, &store, statement, where);
    sqlite3_finalize(statement);
    store_close(&store);
    if (status)
        free_table(out);
    return status;
}

/* --- CSV -------------------------------------------------------------------------------------------------------------------------------- */

static void write_csv_text(FILE *out, const char *text)
{
    if (!text[strcspn(text, ",\"\r\n")]) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++)
        fprintf(out, *text == '"' ? "\"%c" : "%c", *text);
    fputc('"', out);
}

enum weft_status weft_results_csv(FILE *out, const char *store, const char *where, struct weft_diag *diag)
{
    struct table t;
    enum weft_status status = read_table(&t, store, where, diag);
    if (status)
        return status;
    for (size_t i = 0; i < t.column_count; i++)
        fprintf(out, "%s%s", t.columns[i], i + 1 < t.column_count ? "," : "\n");
    for (size_t i = 0; i < t.count * t.column_count; i++) {
        if (t.cells[i].text)
            write_csv_text(out, t.cells[i].text);
        fputc((i + 1) % t.column_count ? ',' : '\n', out);
    }
    free_table(&t);
    return WEFT_OK;
}

/* --- best and front --------------------------------------------------------------------------------------------------------------------- */

/* What is asked for, and the columns that tell rows apart. */
struct question {
    struct table table;
    size_t metric[OBJECTIVES_MAX];
    bool more[OBJECTIVES_MAX];
    size_t count;
    size_t network, batch, point, reason;
    bool *varies; /* columns of the machine that are not the same in all rows */
};

static enum weft_status ask_metric(struct question *q, char *word, struct weft_diag *diag)
{
    bool max = !strncmp(word, "max:", 4), min = !strncmp(word, "min:", 4);
    const char *name = max || min ? word + 4 : word;
    char problem[256];
    int column = find_column(&q->table, name, problem), metric = metrics_find(name);
    if (column < 0)
        return weft_error(diag, "metric %s: %s", name, problem);
    if (q->count == OBJECTIVES_MAX)
        return weft_error(diag, "at most %d metrics at once", OBJECTIVES_MAX);
    q->more[q->count] = max || (!min && metric >= 0 && metrics_at((size_t)metric).more);
    q->metric[q->count++] = (size_t)column;
    return WEFT_OK;
}

static enum weft_status ask_metrics(struct question *q, const char *metrics, struct weft_diag *diag)
{
    char *words = strdup(metrics), *rest = NULL;
    enum weft_status status = words ? WEFT_OK : WEFT_NO_MEMORY;
    for (char *word = status ? NULL : strtok_r(words, ",", &rest); word && !status; word = strtok_r(NULL, ",", &rest))
        status = ask_metric(q, word, diag);
    if (!status && !q->count)
        status = weft_error(diag, "no metric is named; they are names of columns, such as latency");
    free(words);
    return status;
}

static const struct cell *cell_at(const struct question *q, size_t row, size_t column)
{
    return &q->table.cells[row * q->table.column_count + column];
}

/* No row of ours is without a network, but a file may be anybody's. */
static const char *text_at(const struct question *q, size_t row, size_t column)
{
    const char *text = cell_at(q, row, column)->text;
    return text ? text : "-";
}

static enum weft_status find_varying(struct question *q)
{
    size_t count;
    const struct weft_machine_field *fields = weft_machine_fields(&count);
    q->varies = calloc(q->table.column_count + 1, sizeof *q->varies);
    if (!q->varies)
        return WEFT_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        char problem[256];
        int column = find_column(&q->table, fields[i].name, problem);
        for (size_t row = 1; column >= 0 && row < q->table.count; row++)
            q->varies[column] |= cell_at(q, row, (size_t)column)->number != cell_at(q, 0, (size_t)column)->number;
    }
    return WEFT_OK;
}

static void free_question(struct question *q)
{
    free_table(&q->table);
    free(q->varies);
}

static enum weft_status ask(struct question *q, const char *store, const char *metrics, const char *where, struct weft_diag *diag)
{
    char problem[256];
    *q = (struct question){0};
    enum weft_status status = read_table(&q->table, store, where, diag);
    if (status)
        return status;
    q->network = (size_t)find_column(&q->table, "network", problem);
    q->batch = (size_t)find_column(&q->table, "batch", problem);
    q->point = (size_t)find_column(&q->table, "point", problem);
    q->reason = (size_t)find_column(&q->table, "reason", problem);
    status = ask_metrics(q, metrics, diag);
    if (!status)
        status = find_varying(q);
    if (status)
        free_question(q);
    return status;
}

/* Less is better; INFINITY: no value. */
static double merit(const struct question *q, size_t row, size_t i)
{
    const struct cell *cell = cell_at(q, row, q->metric[i]);
    if (!cell->text || cell->is_text || cell_at(q, row, q->reason)->text)
        return INFINITY;
    return q->more[i] ? -cell->number : cell->number;
}

static bool same_case(const struct question *q, size_t a, size_t b)
{
    return !strcmp(text_at(q, a, q->network), text_at(q, b, q->network)) && cell_at(q, a, q->batch)->number == cell_at(q, b, q->batch)->number;
}

static void print_head(FILE *out, const struct question *q)
{
    fprintf(out, "%8s  %-20s %6s", "point", "network", "batch");
    for (size_t i = 0; i < q->count; i++)
        fprintf(out, "  %14s", q->table.columns[q->metric[i]]);
    fputs("  machine\n", out);
}

static void print_row(FILE *out, const struct question *q, size_t row)
{
    fprintf(out, "%8s  %-20s %6s", text_at(q, row, q->point), text_at(q, row, q->network), text_at(q, row, q->batch));
    for (size_t i = 0; i < q->count; i++)
        fprintf(out, "  %14.6g", cell_at(q, row, q->metric[i])->number);
    for (size_t i = 0; i < q->table.column_count; i++)
        if (q->varies[i])
            fprintf(out, "  %s=%s", q->table.columns[i], text_at(q, row, i));
    fputc('\n', out);
}

/* The rows of one network and batch, from `first` on, that have not been dealt with. */
static size_t take_case(const struct question *q, size_t first, bool *dealt, size_t *rows)
{
    size_t count = 0;
    for (size_t row = first; row < q->table.count; row++)
        if (!dealt[row] && same_case(q, first, row)) {
            dealt[row] = true;
            rows[count++] = row;
        }
    return count;
}

static int by_first_merit(const void *left, const void *right, void *user)
{
    const struct question *q = user;
    size_t a = *(const size_t *)left, b = *(const size_t *)right;
    double x = merit(q, a, 0), y = merit(q, b, 0);
    return x != y ? (x < y ? -1 : 1) : a < b ? -1 : a > b;
}

/* Prints a case's front; with one metric, its first row. */
static enum weft_status print_case(FILE *out, struct question *q, size_t *rows, size_t count, bool only_first, size_t *printed)
{
    bool *front = calloc(count + 1, sizeof *front);
    double *values = malloc((count * q->count + 1) * sizeof *values);
    enum weft_status status = front && values ? WEFT_OK : WEFT_NO_MEMORY;
    if (!status)
        qsort_r(rows, count, sizeof *rows, by_first_merit, q);
    for (size_t i = 0; i < count * q->count && !status; i++)
        values[i] = merit(q, rows[i / q->count], i % q->count);
    if (!status && !pareto_front(front, values, count, q->count))
        status = WEFT_NO_MEMORY;
    for (size_t i = 0; i < count && !status; i++)
        if (front[i]) {
            if (!*printed)
                print_head(out, q);
            print_row(out, q, rows[i]);
            ++*printed;
            if (only_first)
                break;
        }
    free(front);
    free(values);
    return status;
}

static enum weft_status answer(FILE *out, const char *store, const char *metrics, const char *where, bool only_first, struct weft_diag *diag)
{
    struct question q;
    size_t printed = 0;
    enum weft_status status = ask(&q, store, metrics, where, diag);
    if (status)
        return status;
    bool *dealt = calloc(q.table.count + 1, sizeof *dealt);
    size_t *rows = malloc((q.table.count + 1) * sizeof *rows);
    if (!dealt || !rows)
        status = WEFT_NO_MEMORY;
    for (size_t row = 0; row < q.table.count && !status; row++)
        if (!dealt[row])
            status = print_case(out, &q, rows, take_case(&q, row, dealt, rows), only_first, &printed);
    if (!status && !printed)
        status = weft_error(diag, "%s: no point%s has %s%s", store, where ? " that --where lets through" : "", q.count > 1 ? "values of " : "a value of ",
                            metrics);
    free(dealt);
    free(rows);
    free_question(&q);
    return status;
}

enum weft_status weft_results_best(FILE *out, const char *store, const char *metric, const char *where, struct weft_diag *diag)
{
    if (strchr(metric, ','))
        return weft_error(diag, "--best takes one metric, not '%s'; --pareto takes several", metric);
    return answer(out, store, metric, where, true, diag);
}

enum weft_status weft_results_pareto(FILE *out, const char *store, const char *metrics, const char *where, struct weft_diag *diag)
{
    return answer(out, store, metrics, where, false, diag);
}
