/* test_plan.c: plans, their designs, and what is said, with its line, where a plan cannot be. */
#include "test_explore.h"
#include "plan.h"

#define HEAD "name: t\nbase: tpu-v1\nnetworks: [mlp-784-512-10]\nbatches: [1, 8]\n" /* lines 1 to 4 */

static void designs(void **state)
{
    struct weft_machine machine;
    char problem[256];
    struct weft_plan *plan = load_plan(HEAD "axes:\n"
                                            "  - field: array.rows\n"
                                            "    powers_of_two: {from: 64, to: 256}\n"
                                            "    tie:\n"
                                            "      - {field: array.columns, value: array.rows / 2}\n"
                                            "      - {field: vector.lanes, value: 'min(array.columns, 100)'}\n"
                                            "  - field: dram.bytes_per_second\n"
                                            "    values: [34G, 1k]\n"
                                            "  - field: clock.hz\n"
                                            "    range: {from: 100M, to: 350M, step: 100M}\n"
                                            "  - field: dram.detailed\n"
                                            "    values: [false, true]\n"
                                            "constraints: ['array.rows * 2 > 200']\n");
    assert_int_equal(weft_plan_points(plan), 3 * 2 * 3 * 2 * 2);
    /* design 3 * 12 - 1: the last; 12 designs for each array */
    assert_int_equal(plan_machine(plan, 35, &machine, problem), WEFT_OK);
    assert_int_equal(machine.rows, 256);
    assert_int_equal(machine.columns, 128);
    assert_int_equal(machine.vector_lanes, 100);
    assert_int_equal(machine.dram_bytes_per_second, 1000);
    assert_int_equal(machine.clock_hz, 300000000);
    assert_int_equal(machine.dram_detailed, 1);
    assert_true(plan_allows(plan, &machine));
    assert_int_equal(plan_machine(plan, 1, &machine, problem), WEFT_OK);
    assert_int_equal(machine.rows, 64);
    assert_int_equal(machine.dram_bytes_per_second, 34000000000);
    assert_int_equal(machine.clock_hz, 100000000);
    assert_int_equal(machine.dram_detailed, 1);
    assert_false(plan_allows(plan, &machine));
    uint64_t digits[4];
    for (uint64_t design = 0; design < plan->designs; design++) {
        plan_digits(plan, design, digits);
        assert_int_equal(plan_design(plan, digits), design);
    }
    weft_plan_free(plan);
}

static void ties_that_fail(void **state)
{
    struct weft_machine machine;
    char problem[256];
    struct weft_plan *plan = load_plan(HEAD "axes:\n"
                                            "  - {field: array.rows, values: [3, 4095], tie: [{field: accumulators.rows, value: array.rows * 17 / 2}]}\n");
    assert_int_equal(plan_machine(plan, 0, &machine, problem), WEFT_ERROR);
    assert_string_equal(problem, "accumulators.rows, tied to array.rows * 17 / 2, is 25.5; it is a whole number from 1 to 65536");
    weft_plan_free(plan);
}

/* Each plan and the line and words that refuse it. */
static const struct {
    const char *yaml, *message;
} bad[] = {
    {"", "plan.yaml:1: the file is empty; a plan begins with name: NAME"},
    {"name: t\nbase: tpu-v1\nnetworks: [resnet50]\nbatches: [1]\n", "a required key is missing: axes"},
    {HEAD "axis: []\n", "plan.yaml:5: unknown key axis; did you mean axes?"},
    {HEAD "batches: [1]\n", "plan.yaml:5: there is a second key batches"},
    {HEAD "axes:\n  - field: array.row\n    values: [1]\n", "plan.yaml:6: a machine has no field 'array.row'; did you mean array.rows?"},
    {HEAD "axes:\n  - field: array.rows\n    values:\n      - 1\n      - 0\n", "plan.yaml:9: array.rows is '0'; it is a whole number from 1 to 4095"},
    {HEAD "axes:\n  - field: array.rows\n    values: [1, 3x]\n", "plan.yaml:7: array.rows is '3x'"},
    {HEAD "axes:\n  - field: array.rows\n    values: [-1]\n", "plan.yaml:7: array.rows is '-1'"},
    {HEAD "axes:\n  - field: array.rows\n    values: []\n", "plan.yaml:7: the list is empty; it has at least one entry"},
    {HEAD "axes:\n  - field: array.rows\n    values: [64, 64]\n", "plan.yaml:7: array.rows takes the value 64 twice"},
    {HEAD "axes:\n  - field: array.rows\n", "plan.yaml:6: axis array.rows has no values"},
    {HEAD "axes:\n  - field: array.rows\n    values: [1]\n    range: {from: 1, to: 2, step: 1}\n", "plan.yaml:6: axis array.rows has more than one list"},
    {HEAD "axes:\n  - field: array.rows\n    range: {from: 9, to: 2, step: 1}\n", "plan.yaml:7: from is 9 and to is 2"},
    {HEAD "axes:\n  - field: array.rows\n    range: {from: 1, to: 2, step: 0}\n", "plan.yaml:7: step is '0'"},
    {HEAD "axes:\n  - field: array.rows\n    values: [1]\n    value: 3\n", "plan.yaml:8: unknown key value"},
    {HEAD "axes:\n  - field: array.rows\n    range: {from: 1, to: 2}\n", "a required key is missing: step"},
    {HEAD "axes:\n  - field: array.rows\n    powers_of_two: {from: 3, to: 8}\n", "plan.yaml:7: from is 3, which is no power of two"},
    {HEAD "axes:\n  - field: dram.detailed\n    values: [1]\n", "plan.yaml:7: dram.detailed is '1'; it is true or false"},
    {HEAD "axes:\n  - field: array.rows\n    values: [1]\n    tie:\n      - {field: array.columns, value: array.rows +}\n", "plan.yaml:9: array.rows +: "},
    {HEAD "axes:\n  - field: array.rows\n    values: [1]\n    tie:\n      - {field: array.rows, value: 3}\n", "plan.yaml:9: array.rows gets its value twice"},
    {HEAD "axes:\n  - {field: array.rows, values: [1]}\n  - {field: array.rows, values: [2]}\n", "plan.yaml:7: array.rows gets its value twice"},
    {HEAD "axes: [{field: array.rows, values: [1]}]\nconstraints:\n  - array.rows > 1\n  - array.size > 1\n",
     "plan.yaml:8: array.size > 1: a machine has no field 'array.size'"},
    {HEAD "axes: [{field: array.rows, values: [1]}]\nmetrics: [cycles, latencie]\n", "plan.yaml:6: there is no metric 'latencie'; did you mean latency?"},
    {HEAD "axes: [{field: array.rows, values: [1]}]\nsearch: {strategy: genetic}\n", "plan.yaml:6: there is no strategy 'genetic'"},
    {HEAD "axes: [{field: array.rows, values: [1]}]\nsearch: {strategy: nsga2, seed: 1, points: 9}\n", "plan.yaml:6: strategy nsga2 needs objectives"},
    {HEAD "axes: [{field: array.rows, values: [1]}]\nsearch: {strategy: random, points: 9}\n", "plan.yaml:6: strategy random needs a seed"},
    {HEAD "axes: [{field: array.rows, values: [1]}]\nsearch:\n  strategy: grid\n  seed: 1\n", "plan.yaml:7: strategy grid runs every point"},
    {HEAD "axes: [{field: array.rows, values: [1]}]\ntechnology: 3nm\n", "plan.yaml:6: technology 3nm: there is no such one in"},
    {HEAD "axes: [{field: array.rows, values: [1]}]\ndims: [{name: seq, value: 0}]\n", "plan.yaml:6: dimension seq is '0'"},
    {HEAD "axes: [{field: array.rows, values: [1]}]\ndims:\n  - {name: S, value: 7}\n  - {name: S, value: 8}\n", "plan.yaml:8: dimension S is there twice"},
    {"name: t\nbase: tpu-v9\nnetworks: [resnet50]\nbatches: [1]\naxes: [{field: array.rows, values: [1]}]\n", "plan.yaml:2: base: machine tpu-v9: there is no such one in"},
    {"name: t\nbase: tiny\nnetworks:\n  - resnet50\n  - resnet51\nbatches: [1]\naxes: [{field: array.rows, values: [1]}]\n", "plan.yaml:5: network resnet51: no such model"},
    {"name: t\nbase: tiny\nnetworks: [resnet50]\nbatches: [0]\naxes: [{field: array.rows, values: [1]}]\n", "plan.yaml:4: batch is '0'"},
};

static void what_is_refused(void **state)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct weft_plan *plan;
        struct caught caught = {0};
        write_text("plan.yaml", bad[i].yaml);
        assert_int_equal(weft_plan_load(&plan, "plan.yaml", &(struct weft_diag){.report = catch_message, .user = &caught}), WEFT_ERROR);
        if (!strstr(caught.text, bad[i].message))
            fail_msg("plan %zu: not '%s' in: %s", i, bad[i].message, caught.text);
        assert_string_equal(strchr(caught.text, '\n'), "\n"); /* one message, of one line */
    }
}

/* FNV-1a of 128 bits, by its published test vectors. */
static void hashes(void **state)
{
    struct hash hash;
    char text[33];
    hash_begin(&hash);
    hash_text(&hash, text);
    assert_string_equal(text, "6c62272e07bb014262b821756295c58d");
    hash_add(&hash, "a", 1);
    hash_text(&hash, text);
    assert_string_equal(text, "d228cb696f1a8caf78912b704e4a8964");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(designs), cmocka_unit_test(ties_that_fail), cmocka_unit_test(what_is_refused),
                                       cmocka_unit_test(hashes)};
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
