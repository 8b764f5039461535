/* test_sweep.c: a run that is killed, shards, points that cannot be: what stands in the store afterwards. */
#include "test_explore.h"

#include <glob.h>
#include <math.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* 640 machines of one small network, some of which cannot be. */
static const char plan_text[] = "name: many\n"
                                "base: tpu-v1\n"
                                "networks: [cifar10-lenet]\n"
                                "batches: [1, 2]\n"
                                "axes:\n"
                                "  - {field: array.rows, range: {from: 32, to: 128, step: 32}}\n"
                                "  - {field: array.columns, range: {from: 32, to: 128, step: 32}}\n"
                                "  - {field: vector.lanes, values: [32, 64]}\n"
                                "  - {field: unified_buffer.bytes, values: [512, 24Mi]}\n"
                                "  - {field: dram.bytes_per_second, values: [1G, 10G, 20G, 30G, 40G]}\n";
enum { POINTS = 640, KILLS = 20 };

static volatile uint64_t *finished; /* points that a child's run has said are over; shared with it */

static void count_finished(void *user, const struct weft_sweep_progress *progress)
{
    *finished = progress->run;
}

static pid_t start_run(const struct weft_plan *plan, const char *store)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child)
        return child;
    struct weft_sweep_summary summary;
    struct weft_sweep_options options = {.store = store, .jobs = 2, .version = "test", .progress = count_finished};
    _exit(weft_sweep_run(&summary, plan, &options, NULL) ? 1 : 0);
}

/* Killed in the middle twenty times: nothing that was over is lost, nothing is there twice, and the end is as if nobody had. */
static void kills(void **state)
{
    struct weft_plan *plan = load_plan(plan_text);
    uint64_t before = 0;
    unsigned chance = 1;
    for (int i = 0; i < KILLS; i++) {
        *finished = 0;
        if (before > POINTS / 2) { /* too little is left to be killed in */
            remove("killed.db");
            remove("killed.db-wal");
            remove("killed.db-shm");
            before = 0;
        }
        chance = chance * 1664525 + 1013904223;
        uint64_t wanted = 2 + (chance >> 24) % 16;
        pid_t child = start_run(plan, "killed.db");
        int status = 0;
        while (*finished < wanted && waitpid(child, &status, WNOHANG) == 0)
            usleep(200);
        usleep((chance >> 16) % 3000);
        assert_int_equal(kill(child, SIGKILL), 0);
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status)); /* it was in the middle */
        uint64_t said = *finished, there = (uint64_t)ask("killed.db", "SELECT count(*) FROM points");
        assert_true(there >= before + said);
        assert_int_equal(there, (uint64_t)ask("killed.db", "SELECT count(DISTINCT point) FROM points"));
        before = there;
    }
    assert_true(before < POINTS);
    struct weft_sweep_summary summary = run_shard(plan, "killed.db", 0, 0);
    assert_int_equal(summary.points, POINTS);
    assert_int_equal(summary.earlier, before);
    assert_int_equal(summary.run, POINTS - before);
    run_shard(plan, "whole.db", 0, 0);
    assert_same_rows("killed.db", "whole.db");
    assert_int_equal(ask("whole.db", "SELECT count(*) FROM points"), POINTS);
    weft_plan_free(plan);
}

/* What cannot be compiled is a row that says why. */
static void reasons(void **state)
{
    struct weft_plan *plan = load_plan(plan_text);
    struct weft_sweep_summary summary = run_shard(plan, "whole.db", 0, 0);
    assert_int_equal(summary.run, 0);
    assert_int_equal(ask("whole.db", "SELECT count(*) FROM points WHERE reason IS NOT NULL"), POINTS / 2);
    assert_int_equal(ask("whole.db", "SELECT count(*) FROM points WHERE reason LIKE '%bytes of unified buffer%' AND cycles IS NULL AND latency IS NULL"),
                     POINTS / 2);
    assert_int_equal(ask("whole.db", "SELECT count(*) FROM points WHERE reason IS NULL AND cycles > 0 AND latency > 0 AND area_mm2 > 0"), POINTS / 2);
    /* the classes are the run: docs/metrics.md */
    assert_int_equal(ask("whole.db", "SELECT count(*) FROM points WHERE class_active + class_weight_stall + class_weight_shift + class_input + class_raw"
                                     " + class_other != cycles"),
                     0);
    weft_plan_free(plan);
}

static void shards(void **state)
{
    struct weft_plan *plan = load_plan(plan_text);
    struct caught caught = {0};
    struct weft_diag diag = {.report = catch_message, .user = &caught};
    struct weft_sweep_summary a = run_shard(plan, "a.db", 0, 2), b = run_shard(plan, "b.db", 1, 2);
    assert_int_equal(a.run + b.run, POINTS);
    assert_true(a.run > POINTS / 3 && b.run > POINTS / 3);
    write_text("merged.db-wal", "of a store that was there before, and whose run was killed");
    assert_int_equal(weft_sweep_merge("merged.db", (const char *const[]){"a.db", "b.db"}, 2, &diag), WEFT_OK);
    assert_int_equal(access("merged.db-wal", F_OK), -1);
    assert_same_rows("merged.db", "whole.db");
    assert_int_equal(weft_sweep_merge("half.db", (const char *const[]){"b.db"}, 1, &diag), WEFT_ERROR);
    assert_non_null(strstr(caught.text, "shard 0 of 2 of plan many is in none of the stores; run it with --shard 0/2"));
    assert_int_equal((uint64_t)ask("half.db", "SELECT count(*) FROM points"), b.run);
    weft_plan_free(plan);
}

static void a_shard_that_died(void **state)
{
    struct weft_plan *plan = load_plan(plan_text);
    struct caught caught = {0};
    *finished = 0;
    pid_t child = start_run(plan, "died.db");
    while (*finished < 3 && waitpid(child, NULL, WNOHANG) == 0)
        usleep(200);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(weft_sweep_merge("joined.db", (const char *const[]){"died.db"}, 1, &(struct weft_diag){.report = catch_message, .user = &caught}),
                     WEFT_ERROR);
    assert_non_null(strstr(caught.text, "shard 0 of 1 of plan many, of 640 points, stopped early on "));
    assert_int_equal(weft_sweep_merge("joined.db", (const char *const[]){"none.db"}, 1, &(struct weft_diag){.report = catch_message, .user = &caught}),
                     WEFT_ERROR);
    assert_non_null(strstr(caught.text, "none.db: there is no such store"));
    weft_plan_free(plan);
}

static void clean_and_end(int number)
{
    weft_temporaries_remove();
    _exit(number);
}

static size_t count_files(const char *pattern)
{
    glob_t found;
    size_t count = glob(pattern, 0, NULL, &found) ? 0 : found.gl_pathc;
    globfree(&found);
    return count;
}

/* Keeps everybody else out, so that a merge waits in the middle of its work. Caller closes. */
static sqlite3 *lock_store(const char *path)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static void a_signal_ends_a_merge_and_leaves_nothing(void **state)
{
    int how;
    struct weft_plan *plan = load_plan(plan_text);
    run_shard(plan, "locked.db", 0, 64);
    weft_plan_free(plan);
    sqlite3 *lock = lock_store("locked.db");
    pid_t child = fork();
    if (child == 0) {
        signal(SIGTERM, clean_and_end);
        _exit((int)weft_sweep_merge("ended.db", (const char *const[]){"locked.db"}, 1, NULL));
    }
    for (int waits = 0; waits < 30000 && count_files("ended.db.*.tmp") == 0; waits++)
        usleep(1000);
    assert_int_equal(count_files("ended.db*"), 1);
    kill(child, SIGTERM);
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(WEXITSTATUS(how), SIGTERM);
    assert_int_equal(count_files("ended.db*"), 0);
    sqlite3_close(lock);
}

/* A device would be renamed away. */
static void a_store_is_a_file(void **state)
{
    struct caught caught = {0};
    assert_int_equal(weft_sweep_merge("/dev/null", (const char *const[]){"a.db"}, 1, &(struct weft_diag){.report = catch_message, .user = &caught}), WEFT_ERROR);
    assert_string_equal(caught.text, "/dev/null: a store of results is a file, and this is none\n");
}

/* Of a plan that has become larger, only what is new is run. */
static void growing(void **state)
{
    struct weft_plan *small = load_plan("name: a\nbase: tiny\nnetworks: [cifar10-lenet]\nbatches: [1]\naxes:\n  - {field: vector.lanes, values: [8, 16]}\n"),
                     *large = load_plan("name: a\nbase: tiny\nnetworks: [cifar10-lenet]\nbatches: [1]\naxes:\n  - {field: vector.lanes, values: [4, 8, 16]}\n"
                                        "metrics: [cycles]\n");
    assert_int_equal(run_shard(small, "grown.db", 0, 0).run, 2);
    struct weft_sweep_summary summary = run_shard(large, "grown.db", 0, 0);
    assert_int_equal(summary.run, 1);
    assert_int_equal(summary.earlier, 2);
    assert_int_equal(ask("grown.db", "SELECT count(*) FROM points WHERE cycles IS NOT NULL"), 3);
    assert_int_equal(ask("grown.db", "SELECT count(*) FROM points WHERE latency IS NOT NULL"), 2); /* the new row keeps only cycles */
    weft_plan_free(small);
    weft_plan_free(large);
}

/* 16-bit activations go through the array twice: docs/compiler.md. */
static void formats(void **state)
{
#define ONE "name: a\nbase: tpu-v1\nnetworks: [mlp-784-512-10]\nbatches: [256]\naxes:\n  - {field: vector.lanes, values: [256]}\n"
    struct weft_plan *narrow = load_plan(ONE), *wide = load_plan(ONE "format: int16\n");
    run_shard(narrow, "formats.db", 0, 0);
    assert_int_equal(run_shard(wide, "formats.db", 0, 0).run, 1);
    assert_int_equal(ask("formats.db", "SELECT wide.class_active = 2 * narrow.class_active FROM points wide, points narrow"
                                       " WHERE wide.dims = 'format=int16' AND narrow.dims = ''"),
                     1);
    weft_plan_free(narrow);
    weft_plan_free(wide);
}

/* What --best prints of a plan's one point. */
static double best(const char *store, const char *metric, struct caught *caught)
{
    char *text = NULL, *line;
    size_t bytes;
    double value = NAN;
    FILE *out = open_memstream(&text, &bytes);
    if (weft_results_best(out, store, metric, NULL, &(struct weft_diag){.report = catch_message, .user = caught}))
        fail_msg("%s", caught->text);
    fclose(out);
    line = strchr(text, '\n');
    assert_int_equal(sscanf(line, "%*d %*s %*d %lf", &value), 1);
    assert_string_equal(strchr(line + 1, '\n'), "\n"); /* no second row */
    free(text);
    return value;
}

static void sweep_with_dram(const char *store, const char *pj)
{
    char command[512];
    snprintf(command, sizeof command, "sed 's/access_pj: {value: 350,/access_pj: {value: %s,/' '%s/technologies/7nm.yaml' >my7.yaml", pj, SOURCE_DIR);
    assert_int_equal(system(command), 0);
    struct weft_plan *plan = load_plan("name: a\nbase: tpu-v1\nnetworks: [mlp-784-512-10]\nbatches: [1]\ntechnology: my7.yaml\naxes:\n"
                                       "  - {field: vector.lanes, values: [256]}\n");
    run_shard(plan, store, 0, 0);
    weft_plan_free(plan);
}

/* A technology that is edited between two runs makes other points; each question is answered by those of the last run. */
static void edited_technology(void **state)
{
    struct caught first = {0}, second = {0}, third = {0};
    sweep_with_dram("energy.db", "350");
    double cheap = best("energy.db", "energy", &first);
    assert_string_equal(first.text, "");
    sweep_with_dram("energy.db", "3500");
    double dear = best("energy.db", "energy", &second);
    assert_true(dear > 2 * cheap); /* at batch 1 the weights' way from DRAM is nearly all of it */
    assert_non_null(strstr(second.text, "energy.db: 1 of its 2 points are those of the plan that was run last; the others are left out"));
    assert_int_equal(ask("energy.db", "SELECT count(DISTINCT technology_hash) FROM points WHERE technology = '7nm'"), 2);
    sweep_with_dram("energy.db", "350"); /* back again: nothing is run, and the old row answers */
    assert_true(best("energy.db", "energy", &third) == cheap);
    assert_int_equal(ask("energy.db", "SELECT count(*) FROM points"), 2);
}

/* A build from other sources may compile another program: it takes no row of this one, and a plan that this one left unfinished is missed by nobody. */
static void another_build(void **state)
{
    struct weft_plan *plan = load_plan("name: a\nbase: tiny\nnetworks: [cifar10-lenet]\nbatches: [1]\naxes:\n  - {field: vector.lanes, values: [8, 16]}\n");
    struct caught caught = {0};
    assert_int_equal(run_shard_as("0.1.0+1", plan, "builds.db", 0, 0).run, 2);
    assert_int_equal(run_shard_as("0.1.0+1", plan, "builds.db", 0, 0).run, 0);
    run_sql("builds.db", "UPDATE shards SET finished = 0");
    assert_int_equal(run_shard_as("0.1.0+2", plan, "builds.db", 0, 0).run, 2);
    assert_int_equal(weft_sweep_merge("all.db", (const char *const[]){"builds.db"}, 1, &(struct weft_diag){.report = catch_message, .user = &caught}),
                     WEFT_OK);
    weft_plan_free(plan);
}

/* A store is a file from anywhere: numbers of shards that cannot be are damage, and no count of lines to print. */
static void numbers_of_a_foreign_store(void **state)
{
    static const char *const wrong[] = {"shards = 4611686018427387904", "shards = 0", "shard = 4611686018427387904", "shard = -1", "shard = shards", "shards = 'many'"};
    static const char *const stores[] = {"foreign.db"};
    struct weft_plan *plan = load_plan("name: a\nbase: tiny\nnetworks: [cifar10-lenet]\nbatches: [1]\naxes:\n  - {field: vector.lanes, values: [8, 16]}\n");
    assert_int_equal(run_shard(plan, "foreign.db", 0, 0).run, 2);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct caught caught = {0};
        char line[128];
        snprintf(line, sizeof line, "UPDATE shards SET shard = 0, shards = 1; UPDATE shards SET %s", wrong[i]);
        run_sql("foreign.db", line);
        assert_int_equal(weft_sweep_merge("whole-foreign.db", stores, 1, &(struct weft_diag){.report = catch_message, .user = &caught}), WEFT_ERROR);
        if (!strstr(caught.text, "foreign.db: the store is damaged: it has shard "))
            fail_msg("%s: %s", wrong[i], caught.text);
    }
    weft_plan_free(plan);
}

/* Shards that are missing in a row are said in one line. */
static void a_gap_is_one_line(void **state)
{
    struct weft_plan *plan = load_plan("name: gap\nbase: tiny\nnetworks: [cifar10-lenet]\nbatches: [1]\naxes:\n  - {field: vector.lanes, values: [8, 16]}\n");
    struct caught caught = {0};
    run_shard(plan, "gap.db", 3, 1000000);
    assert_int_equal(weft_sweep_merge("whole-gap.db", (const char *const[]){"gap.db"}, 1, &(struct weft_diag){.report = catch_message, .user = &caught}), WEFT_ERROR);
    assert_non_null(strstr(caught.text, "shards 0 to 2 of 1000000 of plan gap are in none of the stores; run each with --shard I/1000000\n"));
    assert_non_null(strstr(caught.text, "shards 4 to 999999 of 1000000 of plan gap are in none of the stores; run each with --shard I/1000000\n"));
    weft_plan_free(plan);
}

static void refuses_plan(const char *yaml, const char *store, const char *words)
{
    struct weft_plan *plan = load_plan(yaml);
    struct weft_sweep_summary summary;
    struct caught caught = {0};
    assert_int_equal(weft_sweep_run(&summary, plan, &(struct weft_sweep_options){.store = store, .version = "test"},
                                    &(struct weft_diag){.report = catch_message, .user = &caught}),
                     WEFT_ERROR);
    if (!strstr(caught.text, words) || strchr(caught.text, '\n') != strrchr(caught.text, '\n'))
        fail_msg("not one line with '%s': %s", words, caught.text);
    weft_plan_free(plan);
}

/* A plan of which nothing comes is an error, in a line that says why. */
static void nothing_to_run(void **state)
{
#define LENET "name: a\nbase: tiny\nnetworks: [cifar10-lenet]\nbatches: [1]\naxes:\n  - {field: vector.lanes, values: [8, 16]}\n"
    refuses_plan(LENET "constraints: [vector.lanes <= 16, vector.lanes > 16]\n", "nothing.db", "none of the 2 machines meets the constraint vector.lanes > 16");
    refuses_plan(LENET "constraints: [vector.lanes < 16, vector.lanes > 8]\n", "nothing.db", "none of the 2 machines meets all constraints");
    assert_int_equal(access("nothing.db", F_OK), -1);
    refuses_plan("name: a\nbase: tiny\nnetworks: [cifar10-lenet]\nbatches: [1]\naxes:\n  - {field: unified_buffer.bytes, values: [256, 512]}\n", "none.db",
                 "plan.yaml: none of its 2 points can be compiled or run; 1 of them say: ");
    assert_int_equal(ask("none.db", "SELECT count(*) FROM points"), 2);
}

/* Where some fail, the most common reason is told. */
static void common_reason(void **state)
{
    struct weft_plan *plan = load_plan("name: a\nbase: tpu-v1\nnetworks: [cifar10-lenet]\nbatches: [1]\naxes:\n"
                                       "  - {field: unified_buffer.bytes, values: [256, 512, 24Mi]}\n  - {field: dram.latency, values: [99, 100, 101]}\n"
                                       "constraints: [unified_buffer.bytes != 256 or dram.latency == 99]\n");
    struct weft_sweep_summary summary = run_shard(plan, "some.db", 0, 0);
    assert_int_equal(summary.good, 3);
    assert_int_equal(summary.bad, 4);
    assert_int_equal(summary.reason_count, 3);
    assert_non_null(strstr(summary.reason, "bytes of unified buffer"));
    weft_plan_free(plan);
}

static void no_store(void **state)
{
    struct weft_plan *plan = load_plan(plan_text);
    struct weft_sweep_summary summary;
    struct caught caught = {0};
    struct weft_diag diag = {.report = catch_message, .user = &caught};
    write_text("text.db", "This is no database, but a text that is long enough to be looked at.");
    assert_int_equal(weft_sweep_run(&summary, plan, &(struct weft_sweep_options){.store = "text.db", .version = "test"}, &diag), WEFT_ERROR);
    assert_non_null(strstr(caught.text, "text.db: not a store of results"));
    assert_int_equal(weft_results_csv(stdout, "nothing.db", NULL, &diag), WEFT_ERROR);
    assert_non_null(strstr(caught.text, "nothing.db: there is no such store"));
    weft_plan_free(plan);
}

static int set_up(void **state)
{
    enter_folder(state);
    finished = mmap(NULL, sizeof *finished, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return finished == MAP_FAILED;
}
static int tear_down(void **state)
{
    munmap((void *)finished, sizeof *finished);
    return leave_folder(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(kills),   cmocka_unit_test(reasons), cmocka_unit_test(shards), cmocka_unit_test(a_shard_that_died),
                                       cmocka_unit_test(numbers_of_a_foreign_store), cmocka_unit_test(a_gap_is_one_line),
                                       cmocka_unit_test(a_signal_ends_a_merge_and_leaves_nothing), cmocka_unit_test(a_store_is_a_file),
                                       cmocka_unit_test(growing), cmocka_unit_test(formats), cmocka_unit_test(edited_technology),
                                       cmocka_unit_test(another_build), cmocka_unit_test(nothing_to_run), cmocka_unit_test(common_reason), cmocka_unit_test(no_store)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
