/* test_search.c: searches against the whole of a grid of 5,120 points: with a tenth of them, 95% of the hypervolume of the exhaustive front. */
#include "test_explore.h"
#include "sweep.h"

#define AXES                                                                                                                       \
    "axes:\n"                                                                                                                      \
    "  - {field: array.rows, values: [16, 32, 64, 96, 128, 192, 256, 384]}\n"                                                      \
    "  - {field: array.columns, values: [16, 32, 64, 96, 128, 192, 256, 384]}\n"                                                   \
    "  - {field: vector.lanes, values: [16, 64, 128, 256]}\n"                                                                      \
    "  - {field: dram.bytes_per_second, values: [8G, 17G, 34G, 68G, 136G]}\n"                                                      \
    "  - {field: accumulators.rows, values: [512, 1024, 2048, 4096]}\n"
#define HEAD "name: search\nbase: tpu-v1\nnetworks: [cifar10-lenet]\n"
enum { POINTS = 5120 };

struct spot {
    double latency, area;
};
struct spots {
    struct spot *items;
    size_t count;
};

static int by_latency(const void *left, const void *right)
{
    const struct spot *a = left, *b = right;
    return a->latency != b->latency ? (a->latency < b->latency ? -1 : 1) : (a->area > b->area) - (a->area < b->area);
}

/* The front of a store, by latency. */
static struct spots front_of(const char *store, int batch)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    struct spots s = {.items = malloc(2 * POINTS * sizeof *s.items)};
    assert_int_equal(sqlite3_open(store, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT latency, area_mm2 FROM points WHERE reason IS NULL AND batch = ?1", -1, &statement, NULL), SQLITE_OK);
    sqlite3_bind_int(statement, 1, batch);
    while (sqlite3_step(statement) == SQLITE_ROW)
        s.items[s.count++] = (struct spot){sqlite3_column_double(statement, 0), sqlite3_column_double(statement, 1)};
    sqlite3_finalize(statement);
    sqlite3_close(db);
    qsort(s.items, s.count, sizeof *s.items, by_latency);
    size_t kept = 0;
    for (size_t i = 0; i < s.count; i++)
        if (!kept || s.items[i].area < s.items[kept - 1].area)
            s.items[kept++] = s.items[i];
    s.count = kept;
    return s;
}

/* Area between the front and a corner: both in shares of the exhaustive front's worst values, a tenth further out. */
static double hypervolume(struct spots s, struct spot corner)
{
    double volume = 0, area = corner.area;
    for (size_t i = 0; i < s.count; i++)
        if (s.items[i].latency < corner.latency && s.items[i].area < area) {
            volume += (corner.latency - s.items[i].latency) * (area - s.items[i].area);
            area = s.items[i].area;
        }
    return volume;
}

static double share(const char *store, const char *whole, int batch)
{
    struct spots all = front_of(whole, batch), found = front_of(store, batch);
    assert_true(all.count > 10);
    struct spot corner = {1.1 * all.items[all.count - 1].latency, 1.1 * all.items[0].area};
    double result = hypervolume(found, corner) / hypervolume(all, corner);
    free(all.items);
    free(found.items);
    return result;
}

static void exhaust(void **state)
{
    struct weft_plan *plan = load_plan(HEAD "batches: [1]\n" AXES);
    assert_int_equal(run_shard(plan, "whole.db", 0, 0).run, POINTS);
    weft_plan_free(plan);
}

static void by_strategy(const char *search, const char *store, double least)
{
    char yaml[2048];
    snprintf(yaml, sizeof yaml, "%s%s%s", HEAD "batches: [1]\n" AXES "search: ", search, "\n");
    struct weft_plan *plan = load_plan(yaml);
    struct weft_sweep_summary first = run_shard(plan, store, 0, 0), second = run_shard(plan, store, 0, 0);
    assert_true(first.run <= POINTS / 10);
    assert_int_equal(ask(store, "SELECT count(*) FROM points"), first.run);
    assert_int_equal(second.run, 0); /* the same choices again, all of them in the store */
    double got = share(store, "whole.db", 1);
    if (got < least)
        fail_msg("%s: %.4f of the hypervolume", search, got);
    weft_plan_free(plan);
}

static void nsga2(void **state)
{
    by_strategy("{strategy: nsga2, seed: 1, points: 512, objectives: [latency, area_mm2]}", "n1.db", 0.95);
    by_strategy("{strategy: nsga2, seed: 2, points: 512, objectives: [latency, area_mm2]}", "n2.db", 0.95);
    by_strategy("{strategy: nsga2, seed: 3, points: 512, objectives: [latency, area_mm2]}", "n3.db", 0.95);
}

static void at_random(void **state)
{
    by_strategy("{strategy: random, seed: 1, points: 512}", "r1.db", 0.90);
}

/* Batch 1 for all, batch 2 for the better half: 256 + 128 points. */
static void halving(void **state)
{
    struct weft_plan *plan = load_plan(HEAD "batches: [1, 2]\n" AXES "search: {strategy: halving, seed: 1, points: 384, objectives: [latency, area_mm2]}\n");
    struct weft_sweep_summary summary = run_shard(plan, "h.db", 0, 0);
    assert_int_equal(summary.run, 384);
    assert_int_equal(ask("h.db", "SELECT count(*) FROM points WHERE batch = 2"), 128);
    assert_int_equal(ask("h.db", "SELECT count(*) FROM points AS b WHERE batch = 2 AND NOT EXISTS (SELECT 1 FROM points AS a WHERE a.batch = 1"
                                 " AND a.point = b.point - 1)"),
                     0);
    assert_true(share("h.db", "whole.db", 1) >= 0.90);
    weft_plan_free(plan);
}

static void shuffles(void **state)
{
    for (uint64_t n = 1; n < 300; n += 37) {
        bool seen[300] = {false};
        for (uint64_t i = 0; i < n; i++) {
            uint64_t at = search_shuffle(i, n, 7);
            assert_true(at < n && !seen[at]);
            seen[at] = true;
        }
    }
}

static void no_shards(void **state)
{
    struct weft_plan *plan = load_plan(HEAD "batches: [1]\n" AXES "search: {strategy: nsga2, seed: 1, points: 50, objectives: [latency]}\n");
    struct weft_sweep_summary summary;
    struct caught caught = {0};
    assert_int_equal(weft_sweep_run(&summary, plan, &(struct weft_sweep_options){.store = "s.db", .version = "test", .shard = {0, 2, "test"}},
                                    &(struct weft_diag){.report = catch_message, .user = &caught}),
                     WEFT_ERROR);
    assert_non_null(strstr(caught.text, "cannot be split into shards"));
    weft_plan_free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(exhaust), cmocka_unit_test(nsga2),    cmocka_unit_test(at_random),
                                       cmocka_unit_test(halving), cmocka_unit_test(shuffles), cmocka_unit_test(no_shards)};
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
