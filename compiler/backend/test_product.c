/* test_product.c: which operand of a product of two computed values becomes the weights, how it is cut, and the price, counted by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "product.h"

static struct weft_machine tpu(uint64_t side, uint64_t arrays)
{
    return (struct weft_machine){.name = "test", .formats = WEFT_USES_U8 | WEFT_USES_S8 | WEFT_USES_BF16, .clock_hz = 700000000, .rows = side, .columns = side,
                                 .arrays = arrays, .ub_bytes = 24 << 20, .ub_line_bytes = 256, .ub_read_ports = 4, .acc_rows = 1024, .fifo_tiles = 4,
                                 .whole_tiles = 1, .vector_lanes = 256, .vector_rows = 1, .vector_depth = 8, .dram_bytes = UINT64_C(8) << 30,
                                 .dram_bytes_per_second = UINT64_C(34000000000), .dram_burst_bytes = 64, .link_in_bytes_per_second = UINT64_C(12500000000),
                                 .link_out_bytes_per_second = UINT64_C(12500000000), .queue_depth = 16};
}

struct sizes { int64_t batch, m, k, n; bool turned /* b stands as [n, k] in front of a Transpose */; };
struct result { bool swapped; struct tiling tiling; uint64_t macs, roofline, mapping; int layers; };

static void add_node(struct graph *g, enum core_op op, const char *type, int a, int b, int y, const int64_t *perm)
{
    int inputs[] = {a, b}, n = graph_add_node(g, op, type, type, inputs, perm ? 1 : 2);
    graph_add_output(g, n, y);
    for (int d = 0; perm && d < 3; d++)
        g->nodes[n].at.perm[d] = perm[d];
}

static struct graph *network(const struct sizes *s)
{
    struct graph *g;
    assert_int_equal(graph_create(&g), WEFT_OK);
    struct shape as = {3, {s->batch, s->m, s->k}}, bs = {3, {s->batch, s->k, s->n}}, ts = {3, {s->batch, s->n, s->k}}, ys = {3, {s->batch, s->m, s->n}};
    int a = graph_add_value(g, "a", ELEMENT_F32, &as), b = graph_add_value(g, "b", ELEMENT_F32, s->turned ? &ts : &bs), second = b;
    if (s->turned) {
        second = graph_add_value(g, "bt", ELEMENT_F32, &bs);
        add_node(g, CORE_TRANSPOSE, "Transpose", b, GRAPH_NONE, second, (int64_t[]){0, 2, 1});
    }
    int y = graph_add_value(g, "y", ELEMENT_F32, &ys);
    add_node(g, CORE_MATMUL, "MatMul", a, second, y, NULL);
    g->inputs = malloc(2 * sizeof *g->inputs);
    g->outputs = malloc(sizeof *g->outputs);
    g->inputs[g->input_count++] = a;
    g->inputs[g->input_count++] = b;
    g->outputs[g->output_count++] = y;
    return g;
}

static struct result map_product(const struct weft_machine *machine, struct sizes sizes, int planes)
{
    struct graph *g = network(&sizes);
    struct weft_compile_options options = {.timing_only = true};
    struct backend b = {.graph = g, .machine = machine, .options = &options, .repeats = 1, .planes = planes, .format = planes ? COMPILE_BF16 : COMPILE_INT8, .waves = 1,
                        .batch = sizes.batch};
    assert_int_equal(backend_fuse(&b), WEFT_OK);
    assert_int_equal(backend_calibrate(&b), WEFT_OK);
    assert_int_equal(backend_quantise(&b), WEFT_OK);
    assert_int_equal(backend_layout(&b), WEFT_OK);
    product_map(&b, &b.layers[0]);
    const struct layer *l = &b.layers[0];
    struct result result = {l->product->swapped, l->product->tiling, l->macs, l->roofline, l->mapping, b.layer_count};
    backend_free(&b);
    graph_free(g);
    return result;
}

/* 12 heads, 128 queries and keys of 64 numbers, 256 x 256: one tile of 64 lanes and 128 columns a head. 128 rows pass in fewer cycles than the 256 that a
 * tile takes to shift; a key is 64 bytes, one line, and 64 rows of 128 lanes are pushed rather than 128 of 64. The Transpose costs nothing. */
static void scores_of_attention_wait_for_the_shift(void **state)
{
    (void)state;
    struct weft_machine m = tpu(256, 1);
    struct result r = map_product(&m, (struct sizes){12, 128, 64, 128, true}, 0);
    assert_int_equal(r.layers, 1);
    assert_false(r.swapped);
    assert_int_equal(r.tiling.tiles, 12);
    assert_false(r.tiling.by_columns);
    assert_int_equal(r.tiling.product_cycles, 12 * 256);
    assert_int_equal(r.tiling.push_cycles, 12 * 64);
    assert_int_equal(r.mapping, 12 * 256);
    assert_int_equal(r.macs, 12 * 128 * 64 * 128);
    assert_int_equal(r.roofline, 768); /* 196,608 scores over 256 lanes; the products are 192 cycles of all cells */
}

/* 8 rows, 600 columns. As they stand: 3 tiles of at least 256 cycles, 768. Turned round, b's columns stream by one tile of 8 columns: 600 rows, if b
 * stands as [n, k], so that a row is one line; the tile is pushed by its 8 columns. */
static void a_short_operand_becomes_the_weights(void **state)
{
    (void)state;
    struct weft_machine m = tpu(256, 1);
    struct result r = map_product(&m, (struct sizes){1, 8, 64, 600, true}, 0);
    assert_true(r.swapped);
    assert_int_equal(r.tiling.tiles, 1);
    assert_true(r.tiling.by_columns);
    assert_int_equal(r.tiling.product_cycles, 600);
    assert_int_equal(r.tiling.push_cycles, 8);
    assert_int_equal(r.tiling.drain_cycles, 600);
}

/* The same with b as [k, n]: the 64 lanes of a row would lie in 64 lines, 16 cycles at four ports, 9600 in all. So it stays 768. */
static void scattered_rows_do_not_stream(void **state)
{
    (void)state;
    struct weft_machine m = tpu(256, 1);
    struct result r = map_product(&m, (struct sizes){1, 8, 64, 600, false}, 0);
    assert_false(r.swapped);
    assert_int_equal(r.tiling.tiles, 3);
    assert_int_equal(r.tiling.product_cycles, 3 * 256);
}

/* bf16 on 128 x 128: 3 x 2 tiles, each in the 256 cycles of its shift, since 200 rows of one or two lines are fewer. */
static void tiles_of_bf16_shift_in_two_bytes(void **state)
{
    (void)state;
    struct weft_machine m = tpu(128, 1);
    struct result r = map_product(&m, (struct sizes){1, 200, 300, 200, false}, 1);
    assert_int_equal(r.tiling.k_tiles, 3);
    assert_int_equal(r.tiling.n_tiles, 2);
    assert_int_equal(r.mapping, 6 * 256);
}

/* Four arrays and one column of tiles, two deep: one sum would keep three arrays idle, 2 x 1000 rows. The vector unit drains 1000 rows in any case, so
 * what counts is products and pushes (64 columns a tile): 2000 + 128, 1000 + 256, 668 + 384 or, in four chunks of 250 rows, of which each array takes
 * the two tiles of one, 256 cycles each for the shift, 512 + 512. */
static void rows_are_shared_among_arrays(void **state)
{
    (void)state;
    struct weft_machine m = tpu(128, 4);
    struct result r = map_product(&m, (struct sizes){1, 1000, 256, 64, false}, 1);
    assert_false(r.swapped);
    assert_int_equal(r.tiling.chunks, 4);
    assert_int_equal(r.tiling.abreast, 4);
    assert_int_equal(r.tiling.product_cycles, 2 * 256);
    assert_int_equal(r.tiling.push_cycles, 8 * 64);
}

/* 3000 rows and 1024 rows of accumulators: three chunks, each with the tile pushed again. */
static void rows_beyond_the_accumulators_are_chunked(void **state)
{
    (void)state;
    struct weft_machine m = tpu(256, 1);
    struct result r = map_product(&m, (struct sizes){2, 3000, 256, 256, false}, 0);
    assert_int_equal(r.tiling.chunks, 3);
    assert_int_equal(r.tiling.chunk_rows, 1000);
    assert_int_equal(r.tiling.tiles, 6);
    assert_int_equal(r.mapping, 2 * 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_of_attention_wait_for_the_shift), cmocka_unit_test(a_short_operand_becomes_the_weights),
        cmocka_unit_test(scattered_rows_do_not_stream),           cmocka_unit_test(tiles_of_bf16_shift_in_two_bytes),
        cmocka_unit_test(rows_are_shared_among_arrays),           cmocka_unit_test(rows_beyond_the_accumulators_are_chunked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
