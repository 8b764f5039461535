/* test_fast_arrays.c: when things happen where there are several arrays. Every expected cycle is worked out by hand from docs/machine.md, for the
 * machine of test_trial.h with two arrays. A tile of 12 bytes takes the DRAM channel for 3 cycles. The first fetch starts in cycle 1 and its tile
 * is whole in 14; the second starts in 4, and is whole in 17. */
#include "test_trial.h"

static void start_arrays(struct trial *t, uint64_t arrays)
{
    start(t);
    t->machine.arrays = arrays;
}

/* Shifts: tile 0 from 14 to 18, tile 1 beside it from 17 to 21. Products: 18 to 38 and 21 to 31. The last sums are there in 38 + 6 = 44. */
static void test_products_side_by_side(void **state)
{
    (void)state;
    struct trial t;
    start_arrays(&t, 2);
    fetch(&t);
    fetch(&t);
    size_t first = matmul(&t, 0, 20, 0, true), second = matmul(&t, 0, 10, 32, true);
    run(&t);
    assert_int_equal(t.seen[first].array, 0);
    assert_int_equal(t.seen[second].array, 1);
    assert_int_equal(t.seen[first].start, 18);
    assert_int_equal(t.seen[second].shift_start, 17);
    assert_int_equal(t.seen[second].shift_end, 21);
    assert_int_equal(t.seen[second].start, 21);
    assert_int_equal(t.seen[second].end, 31);
    assert_int_equal(t.total.cycles, 45);
    assert_int_equal(t.total.class_active, 20);
    assert_int_equal(t.total.busy_matrix, 20);
    assert_int_equal(t.total.array_cycles, 30);
    assert_int_equal(t.total.class_weight_stall, 11); /* 3 to 13 */
    assert_int_equal(t.total.class_weight_shift, 4);  /* 14 to 17 */
    assert_int_equal(t.total.class_other, 10);        /* 0 to 2, 38 to 44 */
}

/* The same on one array: the second tile begins to shift when the first is taken, and the products follow one another. */
static void test_one_array(void **state)
{
    (void)state;
    struct trial t;
    start_arrays(&t, 1);
    fetch(&t);
    fetch(&t);
    matmul(&t, 0, 20, 0, true);
    size_t second = matmul(&t, 0, 10, 32, true);
    run(&t);
    assert_int_equal(t.seen[second].shift_start, 18);
    assert_int_equal(t.seen[second].start, 38);
    assert_int_equal(t.total.class_active, 30);
    assert_int_equal(t.total.array_cycles, 30);
}

/* A product without `next` stays on the array of the one before it, and waits for that array only. */
static void test_no_next_stays(void **state)
{
    (void)state;
    struct trial t;
    start_arrays(&t, 2);
    fetch(&t);
    fetch(&t);
    matmul(&t, 0, 20, 0, true);
    matmul(&t, 0, 10, 32, true);
    size_t third = matmul(&t, 0, 5, 48, false);
    run(&t);
    assert_int_equal(t.seen[third].array, 1);
    assert_int_equal(t.seen[third].start, 31);
}

/* Into the same rows of ACC: the second waits for the sums of the first, in 44; cycles 38 to 43 are raw. On one array it would not. */
static void test_sums_of_another_array(void **state)
{
    (void)state;
    struct trial t;
    start_arrays(&t, 2);
    fetch(&t);
    fetch(&t);
    matmul(&t, 0, 20, 0, true);
    size_t second = matmul(&t, 0, 10, 0, true);
    run(&t);
    assert_int_equal(t.seen[second].start, 44);
    assert_int_equal(t.total.class_raw, 6);
    assert_int_equal(t.total.class_active, 30);
    assert_int_equal(t.total.cycles, 61); /* 54 + 6, and the halt */
}

/* Tile 0 has 16-bit weights: fetched in 1 to 7, whole in 17, shifted from 17 to 25; tile 1 is whole in 20 and in place in 24, but its slot
 * is given back behind that of tile 0. So the third fetch starts in 25, and then holds the only slot in use. */
static void test_slots_in_order(void **state)
{
    (void)state;
    struct trial t;
    start_arrays(&t, 2);
    put(&t, (struct weft_instr){.op = WEFT_OP_READ_WEIGHTS, .k = 4, .n = 3, .fmt = WEFT_FORMAT_s16});
    fetch(&t);
    matmul(&t, 0, 2, 0, true);
    size_t third = fetch(&t);
    size_t second = matmul(&t, 0, 2, 32, true);
    matmul(&t, 0, 2, 40, true);
    run(&t);
    assert_int_equal(t.seen[second].shift_start, 20);
    assert_int_equal(t.seen[second].shift_end, 24);
    assert_int_equal(t.seen[third].start, 25);
    assert_int_equal(t.seen[third].fifo_slots, 1);
    assert_int_equal(t.total.peak_fifo, 2);
}

/* Cycles 18 to 37 belong to the older product's layer, 38 to 50 to the younger's, which is at work from 21 to 51. */
static void test_layer_of_the_oldest(void **state)
{
    (void)state;
    struct trial t;
    start_arrays(&t, 2);
    fetch(&t);
    fetch(&t);
    matmul(&t, 0, 20, 0, true);
    put(&t, (struct weft_instr){.op = WEFT_OP_TAG, .layer = 1});
    matmul(&t, 0, 30, 32, true);
    run(&t);
    assert_int_equal(t.layer[0].class_active, 20);
    assert_int_equal(t.layer[1].class_active, 13);
    assert_int_equal(t.layer[1].array_cycles, 30);
    assert_int_equal(t.layer[0].cycles, 38);
    assert_int_equal(t.total.cycles, 58); /* 51 + 6, and the halt */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products_side_by_side), cmocka_unit_test(test_one_array),       cmocka_unit_test(test_no_next_stays),
        cmocka_unit_test(test_sums_of_another_array), cmocka_unit_test(test_slots_in_order), cmocka_unit_test(test_layer_of_the_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
