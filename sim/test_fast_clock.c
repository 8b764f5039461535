/* test_fast_clock.c: when things happen in the fast engine: dispatch, hazards, channels, the vector unit, layers. Every expected cycle is worked out by
 * hand from docs/machine.md, for the machine of test_trial.h. */
#include <stdio.h>

#include "test_trial.h"

/* --- dispatch -------------------------------------------------------------------------------------------------------------- */

/* 0, 1, 2, and halt at 3: 4 cycles. */
static void test_dispatch_one_a_cycle(void **state)
{
    struct trial t;
    start(&t);
    nop(&t), nop(&t), set(&t, 0, 0, 0);
    run(&t);
    assert_int_equal(t.seen[3].dispatched, 3);
    assert_classes(&t.total, 0, 0, 0, 0, 0, 4);
}

/* Depth 2, all over the same row. The first starts at 1, so its entry is free again at 2; it is complete at 1 + 10 + 5 = 16, where the second
 * starts. Until then second and third fill the queue: the fourth is dispatched at 17. */
static void test_queue_full(void **state)
{
    struct trial t;
    start(&t);
    t.machine.queue_depth = 2;
    for (uint32_t i = 0; i < 4; i++) fill(&t, 0, 10);
    run(&t);
    for (size_t i = 0; i < 3; i++) assert_int_equal(t.seen[i].dispatched, i);
    assert_int_equal(t.seen[1].start, 16);
    assert_int_equal(t.seen[3].dispatched, 17);
}

/* Rows apart, so only the unit holds them: dispatched from 1 on, starts 2, 12, 22, 32. With 2 entries the fourth is dispatched in the
 * cycle after the second's start, 13; with 3 at once. */
static void test_queue_full_without_hazards(void **state)
{
    for (unsigned depth = 2; depth <= 3; depth++) {
        struct trial t;
        start(&t);
        t.machine.queue_depth = depth;
        set(&t, 1, 0xffffffff, 8);
        for (uint32_t i = 0; i < 4; i++) fill(&t, 10 * i, 10);
        run(&t);
        assert_int_equal(t.seen[1].start, 2);
        assert_int_equal(t.seen[2].start, 12);
        assert_int_equal(t.seen[3].dispatched, 3);
        assert_int_equal(t.seen[4].dispatched, depth == 2 ? 13 : 4);
        assert_int_equal(t.seen[4].start, 32);
    }
}

/* The fill is complete at 1 + 10 + 5 = 16: sync is dispatched then, the nop at 17, halt at 18. */
static void test_sync_waits_for_all(void **state)
{
    struct trial t;
    start(&t);
    fill(&t, 0, 10);
    put(&t, (struct weft_instr){.op = WEFT_OP_SYNC});
    nop(&t);
    run(&t);
    assert_int_equal(t.seen[1].dispatched, 16);
    assert_int_equal(t.seen[2].dispatched, 17);
    assert_int_equal(t.total.cycles, 19);
    assert_int_equal(t.total.busy_vector, 10);
}

/* --- hazards --------------------------------------------------------------------------------------------------------------- */

/* Base 0, one row written: bytes 0 to 2. Fill starts at 1 and is complete at 7. */
static void test_read_after_write(void **state)
{
    struct trial t;
    start(&t);
    fill(&t, 0, 1);
    write_host(&t, 2, 1); /* the last byte written */
    run(&t);
    assert_int_equal(t.seen[1].start, 7);
    start(&t);
    fill(&t, 0, 1);
    write_host(&t, 3, 1); /* the first byte not written */
    run(&t);
    assert_int_equal(t.seen[1].start, 2);
}

/* write_host of 8 bytes: 1 to 5; its reads are over at 5, its writes at 12. */
static void test_write_after_read(void **state)
{
    struct trial t;
    start(&t);
    write_host(&t, 0, 8);
    fill(&t, 0, 1);
    run(&t);
    assert_int_equal(t.seen[0].reads_done, 5);
    assert_int_equal(t.seen[0].writes_done, 12);
    assert_int_equal(t.seen[1].start, 5);
}

/* read_host of 8 bytes: complete at 5 + 7 = 12. */
static void test_write_after_write(void **state)
{
    struct trial t;
    start(&t);
    read_host(&t, 0, 8);
    fill(&t, 0, 1);
    run(&t);
    assert_int_equal(t.seen[1].start, 12);
}

/* Two rows 16 bytes apart, bytes 0-2 and 16-18: byte 8 lies in the interval that counts. */
static void test_intervals_hold_what_lies_between(void **state)
{
    struct trial t;
    start(&t);
    set(&t, 1, 0xffffffff, 16);
    fill(&t, 0, 2); /* starts at 2, complete at 2 + 2 + 5 */
    write_host(&t, 8, 1);
    run(&t);
    assert_int_equal(t.seen[2].start, 9);
}

/* Over the same row: the first fill is complete at 1 + 10 + 5 = 16, where the second starts; that is complete at 22, where write_host starts,
 * which was at the head of its queue long before the second fill started. */
static void test_waits_for_one_that_waits(void **state)
{
    struct trial t;
    start(&t);
    fill(&t, 0, 10);
    fill(&t, 0, 1);
    write_host(&t, 0, 1);
    run(&t);
    assert_int_equal(t.seen[1].start, 16);
    assert_int_equal(t.seen[2].start, 22);
}

/* --- channels -------------------------------------------------------------------------------------------------------------- */

/* 3 bytes in 2 cycles: 4 bytes take 8/3. First: 1 to 3 2/3: free 3, complete 4 + 7. Second begins at 3 2/3, to 6 1/3: starts 3, complete
 * 7 + 7. Third to 9: starts 6, complete 9 + 7. */
static void test_fractions_carry(void **state)
{
    struct trial t;
    start(&t);
    t.machine.link_in_bytes_per_second = 150;
    for (uint32_t i = 0; i < 3; i++) read_host(&t, 16 * i, 4);
    run(&t);
    static const uint64_t starts[] = {1, 3, 6}, ends[] = {3, 6, 9}, reads[] = {4, 7, 9}, writes[] = {11, 14, 16};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(t.seen[i].start, starts[i]);
        assert_int_equal(t.seen[i].end, ends[i]);
        assert_int_equal(t.seen[i].reads_done, reads[i]);
        assert_int_equal(t.seen[i].writes_done, writes[i]);
    }
    assert_int_equal(t.total.busy_host_in, 2 + 3 + 3);
}

/* Less than a cycle: a transfer of 1 byte at 4 bytes a cycle leaves its unit free in the cycle in which it starts. */
static void test_transfer_within_a_cycle(void **state)
{
    struct trial t;
    start(&t);
    t.machine.link_in_bytes_per_second = 400;
    read_host(&t, 0, 1);
    run(&t);
    assert_int_equal(t.seen[0].end, 1);
    assert_int_equal(t.seen[0].writes_done, 9);
    assert_int_equal(t.total.busy_host_in, 0);
}

/* Fetch a holds the channel from 1 to 4. read_dram (dispatched 1) and fetch b both could start at 4: fetch goes first, 4 to 7, though it is
 * the younger one. A fetch that is dispatched at 3 may start at 4, one dispatched at 4 may not: then read_dram is first. */
static void test_dram_channel_is_shared(void **state)
{
    for (unsigned nops = 0; nops <= 2; nops++) {
        struct trial t;
        start(&t);
        fetch(&t);
        size_t move = read_dram(&t, 0, 8);
        for (unsigned i = 0; i < nops; i++) nop(&t);
        size_t b = fetch(&t);
        run(&t);
        assert_int_equal(t.seen[b].start, nops == 2 ? 6 : 4);
        assert_int_equal(t.seen[move].start, nops == 2 ? 4 : 7);
        assert_int_equal(t.seen[move].end, nops == 2 ? 6 : 9);
        assert_int_equal(t.seen[move].writes_done, nops == 2 ? 16 : 19);
    }
}

/* read_weights waits for a write_dram of the tile's bytes: 12 bytes, 1 to 4, complete at 14. */
static void test_weights_wait_for_write_dram(void **state)
{
    struct trial t;
    start(&t);
    put(&t, (struct weft_instr){.op = WEFT_OP_WRITE_DRAM, .ub = 0, .dram = 0, .bytes = 12});
    size_t f = fetch(&t);
    run(&t);
    assert_int_equal(t.seen[f].start, 14);
}

/* --- vector and layers ----------------------------------------------------------------------------------------------------- */

/* T7. 2 rows, 2 x 3 windows, 20 lanes of u8: 7 beats by 3 lanes a cycle, 3 by the 8-byte lines: 2 x 6 x 7 = 84 cycles. */
static void test_pool_windows(void **state)
{
    struct trial t;
    start(&t);
    set(&t, 0x88, 2, 4), set(&t, 0x89, 3, 40);
    set_rows(&t, 1, 1024);
    set_rows(&t, 2, 2048);
    put(&t, (struct weft_instr){.op = WEFT_OP_POOL, .d = 1, .a = 2, .rows = 2, .lanes = 20});
    run(&t);
    assert_int_equal(t.seen[6].start, 7);
    assert_int_equal(t.seen[6].end, 7 + 84);
    assert_int_equal(t.seen[6].writes_done, 7 + 84 + 5);
}

/* fetch in layer 0, the product in layer 1, dispatched at 2, 18-23, complete at 29 = halt. The cycles before it are its layer's, and the tail the
 * last layer's: none is left for layer 0. */
static void test_layers(void **state)
{
    struct trial t;
    start(&t);
    fetch(&t);
    put(&t, (struct weft_instr){.op = WEFT_OP_TAG, .layer = 1});
    matmul(&t, 0, 5, 0, true);
    run(&t);
    assert_int_equal(t.layer[0].cycles, 0);
    assert_int_equal(t.layer[0].busy_fetch, 3);
    assert_int_equal(t.layer[0].peak_fifo, 1);
    assert_classes(&t.layer[1], 5, 11, 4, 0, 0, 3 + 7);
    assert_int_equal(t.total.cycles, 30);
}

enum { SAID_MAX = 256 };
static void keep(void *user, const char *message)
{
    snprintf(user, SAID_MAX, "%s", message);
}

/* 2^32 bytes at one byte a second under a clock of 100 GHz: 4 x 10^20 cycles, beyond 2^62. */
static void test_overlong_is_refused(void **state)
{
    struct trial t;
    start(&t);
    t.machine.clock_hz = 100000000000;
    t.machine.link_in_bytes_per_second = 1;
    t.machine.ub_bytes = 0xffffffff;
    read_host(&t, 0, 0xfffffffe);
    put(&t, (struct weft_instr){.op = WEFT_OP_HALT});
    struct weft_program program = {.machine = t.machine, .text = t.text, .instructions = t.length, .host_bytes = 0xffffffff, .dram_bytes = 4096};
    struct weft_sim_options options = {.engine = WEFT_ENGINE_FAST, .name = "long.tpu", .timing_only = true};
    struct weft_sim *sim;
    char said[SAID_MAX] = "";
    assert_int_equal(weft_sim_create(&sim, &program, &options, NULL), WEFT_OK);
    assert_int_equal(weft_sim_run(sim, &(struct weft_diag){.report = keep, .user = said}), WEFT_ERROR);
    assert_string_equal(said, "long.tpu: the run takes more than 2^62 cycles before instruction 1");
    weft_sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dispatch_one_a_cycle), cmocka_unit_test(test_queue_full), cmocka_unit_test(test_queue_full_without_hazards),
        cmocka_unit_test(test_sync_waits_for_all), cmocka_unit_test(test_read_after_write), cmocka_unit_test(test_write_after_read),
        cmocka_unit_test(test_write_after_write), cmocka_unit_test(test_intervals_hold_what_lies_between),
        cmocka_unit_test(test_waits_for_one_that_waits), cmocka_unit_test(test_fractions_carry),
        cmocka_unit_test(test_transfer_within_a_cycle), cmocka_unit_test(test_dram_channel_is_shared),
        cmocka_unit_test(test_weights_wait_for_write_dram), cmocka_unit_test(test_pool_windows), cmocka_unit_test(test_layers),
        cmocka_unit_test(test_overlong_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
