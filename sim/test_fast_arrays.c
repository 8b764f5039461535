/* test_fast_arrays.c: when things happen where there are several arrays. Every expected cycle is worked out by hand from docs/machine.md.
 *
 * The machine: two arrays of 4 x 3 cells, so T4 = 7 and T5 = 4 (8-bit weights; 8 for 16-bit ones); 8-byte lines, 1 port; FIFO of 2 tiles;
 * DRAM 4 bytes a cycle, latency 10. A tile of 12 bytes takes the channel for 3 cycles. The first fetch starts in cycle 1 and its tile is
 * whole in 14; the second starts in 4, and is whole in 17. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "weft_sim.h"

enum { LENGTH_MAX = 16 };

struct trial {
    uint64_t arrays;
    uint8_t text[LENGTH_MAX * WEFT_WORD_BYTES];
    size_t length;
    struct weft_event seen[LENGTH_MAX]; /* by index */
    struct weft_counters total, layer[2];
};

static size_t put(struct trial *t, struct weft_instr instr)
{
    assert_true(t->length < LENGTH_MAX);
    assert_true(weft_encode(t->text + t->length * WEFT_WORD_BYTES, &instr));
    return t->length++;
}

static size_t fetch(struct trial *t, enum weft_format format)
{
    return put(t, (struct weft_instr){.op = WEFT_OP_READ_WEIGHTS, .k = 4, .n = 3, .fmt = format});
}

/* Rows of 4 bytes side by side: 1 cycle a row. */
static size_t matmul(struct trial *t, uint32_t rows, uint32_t acc, bool next)
{
    return put(t, (struct weft_instr){.op = WEFT_OP_MATMUL, .stride = 4, .rows = rows, .acc = acc, .next = next});
}

static void see(void *user, const struct weft_event *event)
{
    struct trial *t = user;
    t->seen[event->index] = *event;
}

static void run(struct trial *t)
{
    struct weft_layer layers[2] = {{0}};
    struct weft_program program = {
        .machine = {.name = "two", .formats = WEFT_USES_U8 | WEFT_USES_S8 | WEFT_USES_S16, .clock_hz = 100, .rows = 4, .columns = 3,
                    .arrays = t->arrays, .ub_bytes = 4096, .ub_line_bytes = 8, .ub_read_ports = 1, .acc_rows = 64, .fifo_tiles = 2,
                    .vector_lanes = 3, .vector_rows = 1, .vector_depth = 5, .dram_bytes = 4096, .dram_bytes_per_second = 400, .dram_latency = 10,
                    .dram_burst_bytes = 1, .dram_channels = 1, .dram_banks = 1, .dram_row_bytes = 1, .link_in_bytes_per_second = 200,
                    .link_out_bytes_per_second = 200, .link_latency = 7, .queue_depth = 4},
        .text = t->text, .host_bytes = 4096, .dram_bytes = 4096, .layers = layers, .layer_count = 2};
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

/* Shifts: tile 0 from 14 to 18, tile 1 beside it from 17 to 21. Products: 18 to 38 and 21 to 31. The last sums are there in 38 + 6 = 44. */
static void test_products_side_by_side(void **state)
{
    (void)state;
    struct trial t = {.arrays = 2};
    fetch(&t, WEFT_FORMAT_s8);
    fetch(&t, WEFT_FORMAT_s8);
    size_t first = matmul(&t, 20, 0, true), second = matmul(&t, 10, 32, true);
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
    struct trial t = {.arrays = 1};
    fetch(&t, WEFT_FORMAT_s8);
    fetch(&t, WEFT_FORMAT_s8);
    matmul(&t, 20, 0, true);
    size_t second = matmul(&t, 10, 32, true);
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
    struct trial t = {.arrays = 2};
    fetch(&t, WEFT_FORMAT_s8);
    fetch(&t, WEFT_FORMAT_s8);
    matmul(&t, 20, 0, true);
    matmul(&t, 10, 32, true);
    size_t third = matmul(&t, 5, 48, false);
    run(&t);
    assert_int_equal(t.seen[third].array, 1);
    assert_int_equal(t.seen[third].start, 31);
}

/* Into the same rows of ACC: the second waits for the sums of the first, in 44; cycles 38 to 43 are raw. On one array it would not. */
static void test_sums_of_another_array(void **state)
{
    (void)state;
    struct trial t = {.arrays = 2};
    fetch(&t, WEFT_FORMAT_s8);
    fetch(&t, WEFT_FORMAT_s8);
    matmul(&t, 20, 0, true);
    size_t second = matmul(&t, 10, 0, true);
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
    struct trial t = {.arrays = 2};
    fetch(&t, WEFT_FORMAT_s16);
    fetch(&t, WEFT_FORMAT_s8);
    matmul(&t, 2, 0, true);
    size_t third = fetch(&t, WEFT_FORMAT_s8);
    size_t second = matmul(&t, 2, 32, true);
    matmul(&t, 2, 40, true);
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
    struct trial t = {.arrays = 2};
    fetch(&t, WEFT_FORMAT_s8);
    fetch(&t, WEFT_FORMAT_s8);
    matmul(&t, 20, 0, true);
    put(&t, (struct weft_instr){.op = WEFT_OP_TAG, .layer = 1});
    matmul(&t, 30, 32, true);
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
