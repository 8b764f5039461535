/* test_results.c: what a store of known rows answers; fronts; shards by the environment. */
#include "test_explore.h"
#include "pareto.h"
#include "store.h"

#include <math.h>

/* Points of two batches of one network: latency, area, reason. */
static const struct {
    uint64_t point;
    size_t batch;
    uint64_t rows;
    double latency, area;
    const char *reason;
} rows[] = {{0, 0, 16, 4.0, 10, NULL}, {1, 0, 32, 2.0, 20, NULL},  {2, 0, 64, 1.0, 50, NULL},      {3, 0, 48, 3.0, 25, NULL},
            {4, 0, 96, 1.0, 60, NULL}, {5, 0, 128, 0.5, 1, "too \"small\", it is"}, {6, 1, 16, 8.0, 10, NULL}, {7, 1, 32, 9.0, 20, NULL}};
enum { ROWS = sizeof rows / sizeof *rows };

static void make_store(const char *path)
{
    struct weft_plan *plan = load_plan("name: t\nbase: tiny\nnetworks: [mlp-784-512-10]\nbatches: [1, 8]\naxes: [{field: array.rows, values: [16, 32]}]\n");
    struct store store;
    assert_int_equal(store_open(&store, path, STORE_SHARED, NULL), WEFT_OK);
    assert_int_equal(store_note_plan(&store, plan, "test"), WEFT_OK);
    for (size_t i = 0; i < ROWS; i++) {
        struct result r = {.point = rows[i].point, .batch = rows[i].batch, .machine = plan->base, .reason = (char *)rows[i].reason, .wall_seconds = 1};
        r.machine.rows = rows[i].rows;
        for (size_t k = 0; k < METRICS; k++)
            r.metric[k] = NAN;
        r.metric[METRIC_latency] = rows[i].latency;
        r.metric[METRIC_area_mm2] = rows[i].area;
        r.metric[METRIC_tops] = 1 / rows[i].latency;
        snprintf(r.key, sizeof r.key, "%032zu", i);
        assert_int_equal(store_add(&store, plan, &r, "test"), WEFT_OK);
        assert_int_equal(store_add(&store, plan, &r, "test"), WEFT_OK); /* a second time is nothing */
    }
    store_close(&store);
    weft_plan_free(plan);
}

enum question { CSV, BEST, PARETO };
/* The answer as text; NULL with the message in *caught. Caller frees. */
static char *answer(enum question question, const char *metrics, const char *where, struct caught *caught)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    struct weft_diag diag = {.report = catch_message, .user = caught};
    enum weft_status status = question == CSV    ? weft_results_csv(out, "rows.db", where, &diag)
                              : question == BEST ? weft_results_best(out, "rows.db", metrics, where, &diag)
                                                 : weft_results_pareto(out, "rows.db", metrics, where, &diag);
    fclose(out);
    if (!status)
        return text;
    free(text);
    return NULL;
}

/* The points of an answer, in its order: the first word of each line but the head. */
static void gives(enum question question, const char *metrics, const char *where, const char *points)
{
    struct caught caught = {0};
    char *text = answer(question, metrics, where, &caught), got[256] = "", *rest = NULL;
    if (!text)
        fail_msg("%s", caught.text);
    strtok_r(text, "\n", &rest);
    for (char *line = strtok_r(NULL, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%d", *got ? " " : "", atoi(line));
    assert_string_equal(got, points);
    free(text);
}

static void questions(void **state)
{
    gives(BEST, "latency", NULL, "2 6");
    gives(BEST, "latency", "area_mm2 < 30", "1 6");
    gives(BEST, "tops", "batch == 1", "2");
    gives(BEST, "min:tops", "batch == 1", "0");
    gives(BEST, "max:latency", NULL, "0 7");
    gives(PARETO, "latency,area_mm2", NULL, "2 1 0 6");
    gives(PARETO, "latency,area_mm2", "array.rows != 32 and network == 'mlp-784-512-10'", "2 3 0 6");
    gives(PARETO, "area_mm2,latency", "batch == 8", "6");
}

static void refused(enum question question, const char *metrics, const char *where, const char *words)
{
    struct caught caught = {0};
    assert_null(answer(question, metrics, where, &caught));
    if (!strstr(caught.text, words))
        fail_msg("not '%s' in %s", words, caught.text);
}

static void no_answers(void **state)
{
    refused(BEST, "latencie", NULL, "metric latencie: there is no column 'latencie'; did you mean latency?");
    refused(BEST, "latency,energy", NULL, "--best takes one metric");
    refused(BEST, "energy", NULL, "rows.db: no point has a value of energy");
    refused(BEST, "latency", "batch == 3", "no point that --where lets through");
    refused(BEST, "latency", "batch = 3", "--where batch = 3: expected an operator at '= 3'");
    refused(CSV, NULL, "size < 3", "--where size < 3: there is no column 'size'");
}

static void csv(void **state)
{
    struct caught caught = {0};
    char *text = answer(CSV, NULL, "point == 5 or point == 6", &caught), *second, *third;
    assert_non_null(text);
    assert_memory_equal(text, "key,point,network,", 18);
    second = strchr(text, '\n') + 1;
    third = strchr(second, '\n') + 1;
    assert_memory_equal(second, "00000000000000000000000000000005,5,mlp-784-512-10,", 50);
    assert_non_null(strstr(second, ",\"too \"\"small\"\", it is\","));
    assert_memory_equal(third, "00000000000000000000000000000006,6,", 35);
    assert_string_equal(strchr(third, '\n'), "\n");
    free(text);
}

static void make_database(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* A database of somebody else's, though it says that it is one of ours. */
static void no_store(void **state)
{
    struct caught caught = {0};
    struct weft_diag diag = {.report = catch_message, .user = &caught};
    char *page;
    make_database("other.db", "CREATE TABLE points (point, latency); INSERT INTO points VALUES (1, 2), (2, 3); PRAGMA user_version = 2");
    assert_int_equal(weft_results_best(stdout, "other.db", "latency", NULL, &diag), WEFT_ERROR);
    assert_non_null(strstr(caught.text, "other.db: not a store of results: no such column"));
    assert_int_equal(weft_results_html(&page, "other.db", &diag), WEFT_ERROR);
    make_database("nulls.db", "CREATE TABLE points (key, point, network, network_hash, batch, dims, machine, formats, technology, technology_hash, version,"
                              " reason, wall_seconds, latency); CREATE TABLE plans (hash, begun); CREATE TABLE members (plan, key, point);"
                              "INSERT INTO points (key, latency) VALUES (1, 1), (2, 2); INSERT INTO plans VALUES (1, 1);"
                              "INSERT INTO members (plan, key) VALUES (1, 1), (1, 2); PRAGMA user_version = 2");
    FILE *none = fopen("/dev/null", "w");
    assert_int_equal(weft_results_best(none, "nulls.db", "latency", NULL, &diag), WEFT_OK);
    assert_int_equal(weft_results_pareto(none, "nulls.db", "latency", NULL, &diag), WEFT_OK);
    fclose(none);
}

static void fronts(void **state)
{
    const double values[] = {1, 5, 2, 3, 2, 3, 3, 3, 4, 1, INFINITY, 0};
    const bool want[] = {true, true, true, false, true, false}; /* equals do not beat each other; what is infinite is none */
    bool front[6];
    size_t order[6];
    assert_true(pareto_front(front, values, 6, 2));
    assert_memory_equal(front, want, sizeof front);
    assert_true(pareto_order(order, values, 6, 2));
    assert_int_equal(order[5], 3); /* the only one that is beaten: by rows 1 and 2 */
}

static void environment(void **state)
{
    struct weft_shard shard;
    char *store;
    assert_int_equal(weft_shard_environment(&shard, NULL), WEFT_OK);
    assert_int_equal(shard.count, 0);
    setenv("PMI_RANK", "3", 1);
    setenv("PMI_SIZE", "5", 1);
    assert_int_equal(weft_shard_environment(&shard, NULL), WEFT_OK);
    assert_true(shard.index == 3 && shard.count == 5 && !strcmp(shard.source, "PMI_RANK"));
    setenv("SLURM_PROCID", "0", 1);
    setenv("SLURM_NTASKS", "2", 1);
    assert_int_equal(weft_shard_environment(&shard, NULL), WEFT_OK);
    assert_true(shard.index == 0 && shard.count == 2);
    setenv("SLURM_ARRAY_TASK_ID", "14", 1); /* --array=10-18:4: tasks 10, 14, 18 */
    setenv("SLURM_ARRAY_TASK_COUNT", "3", 1);
    setenv("SLURM_ARRAY_TASK_MIN", "10", 1);
    setenv("SLURM_ARRAY_TASK_STEP", "4", 1);
    assert_int_equal(weft_shard_environment(&shard, NULL), WEFT_OK);
    assert_true(shard.index == 1 && shard.count == 3);
    setenv("SLURM_ARRAY_TASK_ID", "40", 1);
    assert_int_equal(weft_shard_environment(&shard, NULL), WEFT_ERROR);
    assert_int_equal(weft_shard_parse(&shard, "2/8", NULL), WEFT_OK);
    assert_int_equal(weft_shard_store(&store, "a.b/results.db", &shard), WEFT_OK);
    assert_string_equal(store, "a.b/results.2-of-8.db");
    free(store);
    static const char *const bad[] = {"8/8", "1/0", "1", "/2", "1/2x", "-1/2", "", "1/2000000"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(weft_shard_parse(&shard, bad[i], NULL), WEFT_ERROR);
}

static int set_up(void **state)
{
    static const char *const names[] = {"SLURM_PROCID", "SLURM_ARRAY_TASK_ID", "OMPI_COMM_WORLD_RANK", "PMI_RANK"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    enter_folder(state);
    make_store("rows.db");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(questions), cmocka_unit_test(no_answers), cmocka_unit_test(csv), cmocka_unit_test(no_store), cmocka_unit_test(fronts),
                                       cmocka_unit_test(environment)};
    return cmocka_run_group_tests(tests, set_up, leave_folder);
}
