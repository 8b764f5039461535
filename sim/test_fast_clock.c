/* test_fast_clock.c: when things happen in the fast engine. Every expected cycle is worked out by hand from docs/machine.md.
 *
 * The machine of these tests: 4 x 3 cells, so T4 = 7 and T5 = 4 (8-bit weights); 8-byte lines, 1 port; FIFO of 2 tiles; 3 vector
 * lanes, depth 5; DRAM 4 bytes a cycle, latency 10; link 2 bytes a cycle each way, latency 7; queues of 4. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "weft_sim.h"

static struct weft_machine small_machine(void)
{
    return (struct weft_machine){
        .name = "small", .formats = WEFT_USES_U8 | WEFT_USES_S8 | WEFT_USES_S16, .clock_hz = 100, .rows = 4, .columns = 3, .arrays = 1,
        .ub_bytes = 4096, .ub_line_bytes = 8, .ub_read_ports = 1, .acc_rows = 64, .fifo_tiles = 2, .whole_tiles = 0, .vector_lanes = 3, .vector_rows = 1,
        .vector_depth = 5, .dram_bytes = 4096, .dram_bytes_per_second = 400, .dram_latency = 10, .dram_burst_bytes = 1,
        .dram_channels = 1, .dram_banks = 1, .dram_row_bytes = 1,
        .dram_writable = 1, .link_in_bytes_per_second = 200, .link_out_bytes_per_second = 200, .link_latency = 7, .queue_depth = 4};
}

/* --- a program, its run, and what was seen of it --------------------------------------------------------------------------- */

enum { LENGTH_MAX = 64 };

struct trial {
    struct weft_machine machine;
    uint8_t text[LENGTH_MAX * WEFT_WORD_BYTES];
    size_t length;
    struct weft_event seen[LENGTH_MAX]; /* by index */
    struct weft_counters total, layer[2];
};

static void start(struct trial *t)
{
    memset(t, 0, sizeof *t);
    t->machine = small_machine();
}

static size_t put(struct trial *t, struct weft_instr instr)
{
    assert_true(t->length < LENGTH_MAX);
    assert_true(weft_encode(t->text + t->length * WEFT_WORD_BYTES, &instr));
    return t->length++;
}

static void see(void *user, const struct weft_event *event)
{
    struct trial *t = user;
    t->seen[event->index] = *event;
}

static void run(struct trial *t)
{
    struct weft_layer layers[2] = {{0}};
    struct weft_program program = {.machine = t->machine, .text = t->text, .host_bytes = 4096, .dram_bytes = 4096, .layers = layers, .layer_count = 2};
    put(t, (struct weft_instr){.op = WEFT_OP_HALT});
    program.instructions = t->length;
    struct weft_sim_options options = {.engine = WEFT_ENGINE_FAST, .timing_only = true, .observer = {see, t}};
    struct weft_diag diag = {weft_diag_stderr};
    struct weft_sim *sim;
    assert_int_equal(weft_sim_create(&sim, &program, &options, &diag), WEFT_OK);
    assert_int_equal(weft_sim_run(sim, &diag), WEFT_OK);
    t->total = *weft_sim_counters(sim);
    for (size_t i = 0; i < 2; i++) t->layer[i] = *weft_sim_layer_counters(sim, i);
    weft_sim_free(sim);
}

/* --- instructions ---------------------------------------------------------------------------------------------------------- */

static size_t nop(struct trial *t) { return put(t, (struct weft_instr){.op = WEFT_OP_NOP}); }

static size_t read_host(struct trial *t, uint32_t ub, uint32_t bytes)
{
    return put(t, (struct weft_instr){.op = WEFT_OP_READ_HOST, .ub = ub, .bytes = bytes});
}

static size_t write_host(struct trial *t, uint32_t ub, uint32_t bytes)
{
    return put(t, (struct weft_instr){.op = WEFT_OP_WRITE_HOST, .ub = ub, .bytes = bytes});
}

static size_t read_dram(struct trial *t, uint32_t ub, uint32_t bytes)
{
    return put(t, (struct weft_instr){.op = WEFT_OP_READ_DRAM, .ub = ub, .dram = 1024, .bytes = bytes});
}

/* 12 bytes: 3 cycles of the DRAM channel. */
static size_t fetch(struct trial *t) { return put(t, (struct weft_instr){.op = WEFT_OP_READ_WEIGHTS, .k = 4, .n = 3, .fmt = WEFT_FORMAT_s8}); }

/* Rows of 4 bytes one after the other from `ub` on: in an 8-byte line each second row costs none: 1 cycle a row. */
static size_t matmul(struct trial *t, uint32_t ub, uint32_t rows, uint32_t acc, bool next)
{
    return put(t, (struct weft_instr){.op = WEFT_OP_MATMUL, .ub = ub, .stride = 4, .rows = rows, .acc = acc, .next = next});
}

/* Pattern 0: rows of 8 bytes from its base on. */
static size_t set(struct trial *t, uint32_t reg, uint32_t value0, uint32_t value1)
{
    return put(t, (struct weft_instr){.op = WEFT_OP_SET, .reg = reg, .value0 = value0, .value1 = value1});
}

static void set_rows(struct trial *t, unsigned pattern, uint32_t base)
{
    set(t, pattern * 8, base, 0);
    set(t, pattern * 8 + 1, 0xffffffff, 8);
}

/* One cycle a row: 3 lanes. Writes are complete 5 cycles after the last. */
static size_t fill(struct trial *t, uint32_t first_row, uint32_t rows)
{
    return put(t, (struct weft_instr){.op = WEFT_OP_FILL, .d = 0, .first_row = first_row, .rows = rows, .lanes = 3});
}

static size_t activate(struct trial *t, uint32_t acc, uint32_t first_row, uint32_t rows)
{
    return put(t, (struct weft_instr){.op = WEFT_OP_ACTIVATE, .acc = acc, .d = 0, .first_row = first_row, .rows = rows, .lanes = 3});
}

static void assert_classes(const struct weft_counters *c, uint64_t active, uint64_t stall, uint64_t shift, uint64_t input, uint64_t raw,
                           uint64_t other)
{
    assert_int_equal(c->class_active, active);
    assert_int_equal(c->class_weight_stall, stall);
    assert_int_equal(c->class_weight_shift, shift);
    assert_int_equal(c->class_input, input);
    assert_int_equal(c->class_raw, raw);
    assert_int_equal(c->class_other, other);
    assert_int_equal(c->cycles, active + stall + shift + input + raw + other);
}

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

/* --- weights and products -------------------------------------------------------------------------------------------------- */

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
    struct weft_sim_options options = {.engine = WEFT_ENGINE_FAST, .timing_only = true};
    struct weft_sim *sim;
    assert_int_equal(weft_sim_create(&sim, &program, &options, NULL), WEFT_OK);
    assert_int_equal(weft_sim_run(sim, NULL), WEFT_ERROR);
    weft_sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dispatch_one_a_cycle), cmocka_unit_test(test_queue_full), cmocka_unit_test(test_queue_full_without_hazards),
        cmocka_unit_test(test_sync_waits_for_all), cmocka_unit_test(test_read_after_write), cmocka_unit_test(test_write_after_read),
        cmocka_unit_test(test_write_after_write), cmocka_unit_test(test_intervals_hold_what_lies_between),
        cmocka_unit_test(test_waits_for_one_that_waits), cmocka_unit_test(test_classes_of_one_product), cmocka_unit_test(test_input_class),
        cmocka_unit_test(test_input_before_raw), cmocka_unit_test(test_fifo_full_and_shadow), cmocka_unit_test(test_fifo_with_room),
        cmocka_unit_test(test_shift_waits_for_the_plane), cmocka_unit_test(test_tile_bytes), cmocka_unit_test(test_push_weights),
        cmocka_unit_test(test_lines_and_ports), cmocka_unit_test(test_passes), cmocka_unit_test(test_accumulators),
        cmocka_unit_test(test_fractions_carry), cmocka_unit_test(test_transfer_within_a_cycle), cmocka_unit_test(test_dram_channel_is_shared),
        cmocka_unit_test(test_weights_wait_for_write_dram), cmocka_unit_test(test_pool_windows), cmocka_unit_test(test_layers),
        cmocka_unit_test(test_overlong_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
