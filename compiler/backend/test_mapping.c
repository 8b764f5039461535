/* test_mapping.c: which mapping is chosen, and at what price, for convolutions whose cycles are counted by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "mapping.h"

static struct weft_machine tpu(void)
{
    struct weft_machine m = {.name = "test", .formats = WEFT_USES_U8 | WEFT_USES_S8, .clock_hz = 700000000, .rows = 256, .columns = 256, .arrays = 1,
                             .ub_bytes = 24 << 20, .ub_line_bytes = 256, .ub_read_ports = 4, .acc_rows = 4096, .fifo_tiles = 4, .whole_tiles = 1,
                             .vector_lanes = 256, .vector_rows = 1, .vector_depth = 8, .dram_bytes = UINT64_C(8) << 30, .dram_bytes_per_second = UINT64_C(34000000000),
                             .dram_burst_bytes = 64, .link_in_bytes_per_second = UINT64_C(12500000000),
                             .link_out_bytes_per_second = UINT64_C(12500000000), .queue_depth = 16};
    return m;
}

/* One convolution of ci x side x side with same padding, as a network for timing only; its mapping on that machine. */
static struct mapping map_with(struct weft_machine machine, int64_t ci, int64_t co, int64_t kernel, int64_t side, int64_t groups)
{
    struct graph *g;
    assert_int_equal(graph_create(&g), WEFT_OK);
    struct shape xs = {4, {1, ci, side, side}}, ws = {4, {co, ci / groups, kernel, kernel}}, ys = {4, {1, co, side, side}};
    int x = graph_add_value(g, "x", ELEMENT_F32, &xs), w = graph_add_value(g, "w", ELEMENT_F32, &ws), y = graph_add_value(g, "y", ELEMENT_F32, &ys);
    g->values[w].contents = CONTENTS_ABSENT;
    int inputs[] = {x, w};
    int n = graph_add_node(g, CORE_CONV, "conv", "Conv", inputs, 2);
    graph_add_output(g, n, y);
    struct attributes *at = &g->nodes[n].at;
    *at = (struct attributes){.kernel = {kernel, kernel}, .stride = {1, 1}, .dilation = {1, 1}, .spatial = 2, .groups = groups};
    for (int d = 0; d < 2; d++)
        at->pad_begin[d] = at->pad_end[d] = kernel / 2;
    struct weft_compile_options options = {.timing_only = true};
    struct backend b = {.graph = g, .machine = &machine, .options = &options, .repeats = 1};
    g->inputs = malloc(sizeof *g->inputs);
    g->outputs = malloc(sizeof *g->outputs);
    g->inputs[g->input_count++] = x;
    g->outputs[g->output_count++] = y;
    assert_int_equal(backend_fuse(&b), WEFT_OK);
    assert_int_equal(backend_calibrate(&b), WEFT_OK);
    assert_int_equal(backend_quantise(&b), WEFT_OK);
    assert_int_equal(backend_layout(&b), WEFT_OK);
    assert_int_equal(backend_weights(&b, &b.layers[0]), WEFT_OK);
    assert_int_equal(backend_map(&b), WEFT_OK);
    struct mapping map = b.layers[0].m->map;
    backend_free(&b);
    graph_free(g);
    return map;
}

/* On so many arrays, with DRAM that feeds them. */
static struct mapping map_on(uint64_t arrays, int64_t ci, int64_t co, int64_t kernel, int64_t side, int64_t groups)
{
    struct weft_machine machine = tpu();
    machine.arrays = arrays;
    machine.dram_bytes_per_second *= arrays * arrays * arrays;
    return map_with(machine, ci, co, kernel, side, groups);
}

static struct mapping map_conv(int64_t ci, int64_t co, int64_t kernel, int64_t side, int64_t groups)
{
    return map_on(1, ci, co, kernel, side, groups);
}

/* 64 channels to 64, 1 x 1: four pixels fill 256 lanes and 256 columns with one tile, so 56 x 56 / 4 = 784 rows. The tile takes
 * 65536 x 7 / 340 = 1349 cycles to fetch. */
static void pointwise_packs_four_pixels(void **state)
{
    (void)state;
    struct mapping map = map_conv(64, 64, 1, 56, 1);
    assert_int_equal(map.pixels, 4);
    assert_int_equal(map.tiles, 1);
    assert_int_equal(map.product_cycles, 784);
    assert_int_equal(map.fetch_cycles, 1349);
}

/* 64 to 64, 3 x 3. Plain: 576 lanes, 3 tiles x 3136 rows = 9408. Two pixels: a window of 4 x 3 x 64 = 768 lanes, 3 tiles x 1568 =
 * 4704, fetched in 4047. Four pixels: 6 x 3 x 64 = 1152 lanes, 5 tiles x 784 = 3920, but 6746 to fetch. Two it is. */
static void square_kernel_packs_two_pixels(void **state)
{
    (void)state;
    struct mapping map = map_conv(64, 64, 3, 56, 1);
    assert_int_equal(map.pixels, 2);
    assert_int_equal(map.tiles, 3);
    assert_int_equal(map.product_cycles, 4704);
    assert_int_equal(map.fetch_cycles, 3 * 65536 * 7 / 340);
}

/* 512 to 512, 3 x 3 at 7 x 7: 4608 lanes and 512 columns are 18 x 2 whole tiles; nothing is empty, so one pixel. 49 rows are fewer than
 * the 256 cycles of a shift. */
static void deep_layer_stays_plain(void **state)
{
    (void)state;
    struct mapping map = map_conv(512, 512, 3, 7, 1);
    assert_int_equal(map.pixels, 1);
    assert_int_equal(map.tiles, 36);
    assert_int_equal(map.product_cycles, 36 * 256);
}

/* Depthwise, 32 channels, 3 x 3: one channel at a time leaves 9 lanes of 256; packed block-diagonally they share tiles. */
static void depthwise_packs_groups(void **state)
{
    (void)state;
    struct mapping map = map_conv(32, 32, 3, 28, 32);
    assert_true(map.group_pack > 1);
    assert_true(map.product_cycles < 32 * 784);
}

/* 4096 accumulator rows: 64 x 1 channels at 224 x 224 have more rows than that, so the tile is fetched for each chunk. */
static void rows_beyond_the_accumulators_are_chunked(void **state)
{
    (void)state;
    struct mapping map = map_conv(256, 256, 1, 100, 1);
    assert_int_equal(map.rows, 10000);
    assert_int_equal(map.chunks, 3);
    assert_int_equal(map.fetches, 3);
}

/* One row by four tiles one behind the other, each 256 cycles of shifting. The bound has them on four arrays at once; the run waits for sums between them. */
static void the_bound_waits_for_no_array(void **state)
{
    struct mapping map = map_on(4, 1024, 256, 1, 1, 1);
    assert_int_equal(map.tiles, 4);
    assert_int_equal(map.bound_cycles, 4 * 256 / 4);
    assert_int_equal(map_conv(1024, 256, 1, 1, 1).bound_cycles, 4 * 256);
    assert_true(map.product_cycles > map.bound_cycles);
}

/* Six columns of four tiles, 196 rows: four columns side by side take four shifts of 256 cycles. The two that are left go in halves of their rows, so that all four
 * arrays have one: four shifts again, where each column alone would wait for its sums at every tile. Their tiles are fetched twice. DRAM is fast enough. */
static void columns_left_over_are_split(void **state)
{
    struct mapping map = map_on(4, 1024, 1536, 1, 14, 1);
    assert_int_equal(map.tiles, 6 * 4);
    assert_int_equal(map.chunks, 1);
    assert_int_equal(map.last_split, 2);
    assert_int_equal(map.product_cycles, 4 * 256 + 4 * 256);
    assert_int_equal(map.fetches, 6 * 4 + 2 * 4);
}

/* 256 to 256, 1 x 1 at 64 x 64: 4096 rows of one tile, which the accumulators hold. Rows dealt out over eight arrays would ask for the tile eight times, at 1349 cycles
 * each, beside 4096 cycles of draining that no array shortens. */
static void rows_stay_on_one_array(void **state)
{
    (void)state;
    for (uint64_t arrays = 1; arrays <= 8; arrays *= 2) {
        struct weft_machine machine = tpu();
        machine.arrays = arrays;
        struct mapping map = map_with(machine, 256, 256, 1, 64, 1);
        assert_int_equal(map.chunks, 1);
        assert_int_equal(map.fetches, 1);
    }
}

/* The same, 3 x 3: nine tiles over each other. Two columns abreast take 2048 rows each: 9 x 2048 products, and 18 fetches of 65536 x 7 / 340 cycles = 24286. Three would
 * fetch 27 tiles in 36429; one by itself takes longer than 24286 (below). So it is two, however many arrays there are. */
static void columns_abreast_are_as_many_as_fetches_allow(void **state)
{
    (void)state;
    for (uint64_t arrays = 2; arrays <= 8; arrays *= 2) {
        struct weft_machine machine = tpu();
        machine.arrays = arrays;
        struct mapping map = map_with(machine, 256, 256, 3, 64, 1);
        assert_int_equal(map.chunk_rows, 2048);
        assert_int_equal(map.fetches, 18);
        assert_int_equal(map.product_cycles, 9 * 2048);
    }
}

/* With half of the DRAM that would be 48572 cycles of fetches. One column by itself fetches nine tiles in 24286. Its tiles lie on two arrays in turn, in
 * two pieces of 2048 rows: the second tile's first piece waits for the sums of the first one's, 2048 + 512. The first and the last tile come in blocks of 256
 * rows; the tile behind begins when the last block does, 4096 - 256 cycles behind the first. */
static void a_single_column_goes_in_pieces(void **state)
{
    (void)state;
    struct weft_machine machine = tpu();
    machine.arrays = 4;
    machine.dram_bytes_per_second /= 2;
    struct mapping map = map_with(machine, 256, 256, 3, 64, 1);
    assert_int_equal(map.abreast, 1);
    assert_int_equal(map.chunks, 1);
    assert_int_equal(map.fetches, 9);
    assert_int_equal(map.pieces, 2);
    assert_int_equal(map.product_cycles, 7 * (2048 + 512) + 2 * (4096 - 256));
}

/* One column of four tiles, 4096 rows, two arrays, DRAM that feeds anything. In two chunks side by side all accumulators are full and nothing can begin until they are drained;
 * in four, the second pair finds room beside the first. Both take 2 x 4 x 1024 cycles an array, and four wait for nothing in between and drain half as much at the end. */
static void rounds_wait_for_full_accumulators(void **state)
{
    (void)state;
    struct weft_machine machine = tpu();
    machine.arrays = 2;
    machine.dram_bytes_per_second *= 100;
    struct mapping map = map_with(machine, 1024, 256, 1, 64, 1);
    assert_int_equal(map.abreast, 2);
    assert_true(2 * map.abreast * map.chunk_rows <= 4096);
    assert_int_equal(map.wait_cycles, 0);
    assert_int_equal(map.product_cycles, 4 * 4096 / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pointwise_packs_four_pixels),   cmocka_unit_test(square_kernel_packs_two_pixels),
        cmocka_unit_test(deep_layer_stays_plain),        cmocka_unit_test(depthwise_packs_groups),
        cmocka_unit_test(rows_beyond_the_accumulators_are_chunked), cmocka_unit_test(the_bound_waits_for_no_array), cmocka_unit_test(columns_left_over_are_split),
        cmocka_unit_test(rows_stay_on_one_array), cmocka_unit_test(columns_abreast_are_as_many_as_fetches_allow), cmocka_unit_test(a_single_column_goes_in_pieces), cmocka_unit_test(rounds_wait_for_full_accumulators),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
