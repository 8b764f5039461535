/* test_fast_products.c: when weights are fetched and shifted and products made in the fast engine, and to which class the matrix unit's cycles
 * belong. Every expected cycle is worked out by hand from docs/machine.md, for the machine of test_trial.h. */
#include "test_trial.h"

/* fetch: dispatched 0, starts 1, channel free 4, whole 14; shift 14 to 18.
 * fill of 20 rows: dispatched 1, starts 2, complete 2 + 20 + 5 = 27. The product, dispatched 2, waits for it: 27 to 32, ACC complete
 * at 32 + 7 - 1 = 38 = halt. Cycles 0-2 other, 3-13 stall, 14-17 shift, 18-26 raw, 27-31 active, 32-38 other. */
static void test_classes_of_one_product(void **state)
{
    struct trial t;
    start(&t);
    fetch(&t);
    put(&t, (struct weft_instr){.op = WEFT_OP_FILL, .rows = 20, .lanes = 3});
    matmul(&t, 0, 5, 0, true);
    run(&t);
    const struct weft_event *p = &t.seen[2];
    assert_int_equal(p->tile_whole, 14);
    assert_int_equal(p->shift_start, 14);
    assert_int_equal(p->shift_end, 18);
    assert_int_equal(p->start, 27);
    assert_int_equal(p->end, 32);
    assert_int_equal(p->writes_done, 38);
    uint64_t stall[6] = {11, 4, 0, 9, 3, 0};
    assert_memory_equal(p->stall, stall, sizeof stall);
    assert_classes(&t.total, 5, 11, 4, 0, 9, 10);
    assert_int_equal(t.total.peak_fifo, 1);
}

/* read_host of 40 bytes: dispatched 1, 2 to 22, complete 29. Cycles 18 to 28 wait for input. */
static void test_input_class(void **state)
{
    struct trial t;
    start(&t);
    fetch(&t);
    read_host(&t, 0, 40);
    matmul(&t, 0, 5, 0, true);
    run(&t);
    assert_int_equal(t.seen[2].start, 29);
    assert_classes(&t.total, 5, 11, 4, 11, 0, 10);
}

/* Input comes before raw where both hold: read_host is complete at 29, the fill, dispatched at 3, at 4 + 30 + 5 = 39. */
static void test_input_before_raw(void **state)
{
    struct trial t;
    start(&t);
    fetch(&t);
    read_host(&t, 0, 40);
    set(&t, 0, 40, 0);
    put(&t, (struct weft_instr){.op = WEFT_OP_FILL, .rows = 30, .lanes = 3}); /* bytes 40 to 42 */
    put(&t, (struct weft_instr){.op = WEFT_OP_MATMUL, .stride = 4, .rows = 11, .next = true}); /* bytes 0 to 43; dispatched 4 */
    run(&t);
    assert_int_equal(t.seen[4].start, 39);
    uint64_t stall[6] = {9, 4, 11, 10, 5, 0};
    assert_memory_equal(t.seen[4].stall, stall, sizeof stall);
}

/* Tiles 0 and 1: starts 1 and 4, whole 14 and 17. Shift 0: 14-18. Product 0 (dispatched 2) 18-23. The slot of tile 0 is free at 18: fetch
 * 2 starts then, whole at 21 + 10. Shift 1 waits for the shadow plane, which product 0 frees at 18: 18-22. Product 1 at 23 (unit). Shift 2:
 * 31-35, product 2 at 35. */
static void test_fifo_full_and_shadow(void **state)
{
    struct trial t;
    start(&t);
    size_t f0 = fetch(&t), f1 = fetch(&t), p0 = matmul(&t, 0, 5, 0, true), f2 = fetch(&t), p1 = matmul(&t, 0, 5, 0, true),
           p2 = matmul(&t, 0, 5, 0, true);
    run(&t);
    assert_int_equal(t.seen[f0].start, 1);
    assert_int_equal(t.seen[f1].start, 4);
    assert_int_equal(t.seen[p0].start, 18);
    assert_int_equal(t.seen[f2].start, 18);
    assert_int_equal(t.seen[f2].fifo_slots, 2);
    assert_int_equal(t.seen[p1].shift_start, 18);
    assert_int_equal(t.seen[p1].shift_end, 22);
    assert_int_equal(t.seen[p1].start, 23);
    assert_int_equal(t.seen[p2].tile_whole, 31);
    assert_int_equal(t.seen[p2].start, 35);
    assert_int_equal(t.total.peak_fifo, 2);
}

/* One slot more and the third fetch does not wait: 7. Two products without `next` between keep the plane. */
static void test_fifo_with_room(void **state)
{
    struct trial t;
    start(&t);
    t.machine.fifo_tiles = 3;
    fetch(&t), fetch(&t);
    size_t f2 = fetch(&t);
    size_t p0 = matmul(&t, 0, 5, 0, true), again = matmul(&t, 0, 5, 0, false);
    run(&t);
    assert_int_equal(t.seen[f2].start, 7);
    assert_int_equal(t.seen[f2].fifo_slots, 3);
    assert_int_equal(t.seen[p0].start, 18);
    assert_int_equal(t.seen[again].start, 23); /* same ACC rows: products are pipelined */
    assert_int_equal(t.seen[again].shift_end, 0);
}

/* Product 0 waits for a fill, complete at 2 + 40 + 5 = 47. Tile 1 is whole at 17, but its shift waits for the plane too: 47 to 51. The unit is
 * free at 49; product 1 starts at 51. */
static void test_shift_waits_for_the_plane(void **state)
{
    struct trial t;
    start(&t);
    fetch(&t);
    put(&t, (struct weft_instr){.op = WEFT_OP_FILL, .rows = 40, .lanes = 3});
    fetch(&t);
    size_t p0 = matmul(&t, 0, 2, 0, true), p1 = matmul(&t, 64, 2, 0, true);
    run(&t);
    assert_int_equal(t.seen[p0].start, 47);
    assert_int_equal(t.seen[p1].shift_start, 47);
    assert_int_equal(t.seen[p1].start, 51);
    assert_int_equal(t.seen[p1].stall[1], 2);
}

/* 2 x 2 weights: 4 bytes, 1 cycle; as a whole tile 12 bytes, 3 cycles; in bursts of 64 bytes, 16 cycles. */
static void test_tile_bytes(void **state)
{
    static const struct { uint64_t whole, burst, end; } cases[] = {{0, 1, 2}, {1, 1, 4}, {0, 64, 17}};
    for (size_t i = 0; i < 3; i++) {
        struct trial t;
        start(&t);
        t.machine.whole_tiles = cases[i].whole;
        t.machine.dram_burst_bytes = cases[i].burst;
        put(&t, (struct weft_instr){.op = WEFT_OP_READ_WEIGHTS, .k = 2, .n = 2, .fmt = WEFT_FORMAT_s8});
        run(&t);
        assert_int_equal(t.seen[0].end, cases[i].end);
    }
}

/* push: 4 rows of 3 bytes in a cycle each. Behind a fetch from 3 to 6, whole at 16: 6 to 10, and whole no earlier than 16. Shift 0: 16-20; shift 1
 * waits for the plane, which product 0 frees at 20. */
static void test_push_weights(void **state)
{
    struct trial t;
    start(&t);
    set_rows(&t, 0, 512);
    size_t f = fetch(&t);
    size_t push = put(&t, (struct weft_instr){.op = WEFT_OP_PUSH_WEIGHTS, .a = 0, .k = 4, .n = 3, .fmt = WEFT_FORMAT_s8});
    size_t p0 = matmul(&t, 0, 1, 0, true), p1 = matmul(&t, 0, 1, 0, true);
    run(&t);
    assert_int_equal(t.seen[f].start, 3);
    assert_int_equal(t.seen[push].start, 6);
    assert_int_equal(t.seen[push].end, 10);
    assert_int_equal(t.seen[p0].tile_whole, 16);
    assert_int_equal(t.seen[p1].tile_whole, 16);
    assert_int_equal(t.seen[p1].shift_start, 20);
}

/* T3. 5 rows of 4 bytes, 16 bytes apart, from byte 6: two lines each. One port: 10 cycles; two: 5. From byte 4: one line each. */
static void test_lines_and_ports(void **state)
{
    static const struct { uint64_t ports; uint32_t ub; uint64_t cycles; } cases[] = {{1, 6, 10}, {2, 6, 5}, {1, 4, 5}};
    for (size_t i = 0; i < 3; i++) {
        struct trial t;
        start(&t);
        t.machine.ub_read_ports = cases[i].ports;
        fetch(&t);
        put(&t, (struct weft_instr){.op = WEFT_OP_MATMUL, .ub = cases[i].ub, .stride = 16, .rows = 5, .next = true});
        run(&t);
        assert_int_equal(t.seen[1].end - t.seen[1].start, cases[i].cycles);
        assert_int_equal(t.total.busy_matrix, cases[i].cycles);
    }
}

/* T2. s16 activations by 8-bit weights: 2 passes a row. */
static void test_passes(void **state)
{
    struct trial t;
    start(&t);
    fetch(&t);
    put(&t, (struct weft_instr){.op = WEFT_OP_MATMUL, .stride = 8, .rows = 5, .fmt = WEFT_FORMAT_s16, .next = true});
    run(&t);
    assert_int_equal(t.seen[1].end - t.seen[1].start, 10);
}

/* fetch at 4, whole at 17, shifted at 21: product 21-26, its rows complete at 32. The activate of its rows starts there, 32-37, complete at 42. A
 * product that overwrites one of them waits for its reads (37), not its writes; one into other rows goes on at 26, to 31. */
static void test_accumulators(void **state)
{
    struct trial t;
    start(&t);
    set_rows(&t, 0, 512);
    nop(&t);
    fetch(&t);
    size_t p0 = matmul(&t, 0, 5, 0, true), act = activate(&t, 0, 0, 5), apart = matmul(&t, 0, 5, 5, false), over = matmul(&t, 0, 5, 4, false);
    run(&t);
    assert_int_equal(t.seen[p0].start, 21);
    assert_int_equal(t.seen[act].start, 32);
    assert_int_equal(t.seen[act].reads_done, 37);
    assert_int_equal(t.seen[act].writes_done, 42);
    assert_int_equal(t.seen[apart].start, 26);
    assert_int_equal(t.seen[over].start, 37);
    assert_int_equal(t.seen[over].stall[3], 37 - 31);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes_of_one_product), cmocka_unit_test(test_input_class), cmocka_unit_test(test_input_before_raw),
        cmocka_unit_test(test_fifo_full_and_shadow), cmocka_unit_test(test_fifo_with_room),
        cmocka_unit_test(test_shift_waits_for_the_plane), cmocka_unit_test(test_tile_bytes), cmocka_unit_test(test_push_weights),
        cmocka_unit_test(test_lines_and_ports), cmocka_unit_test(test_passes), cmocka_unit_test(test_accumulators),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
