/* test_qdq.c: chains of dequantize, multiply and quantize become integer operators that give the same bytes. */
#include <string.h>

#include "test_passes.h"

/* --- building ----------------------------------------------------------------------------------------------------- */

static int scalar(struct graph *graph, const char *name, float number)
{
    return graph_add_constant(graph, name, ELEMENT_F32, &(struct shape){0}, &number);
}

static int zero_point(struct graph *graph, const char *name, enum element element, int number)
{
    return graph_add_constant(graph, name, element, &(struct shape){0}, &(uint8_t){(uint8_t)number});
}

static int dequantized(struct graph *graph, const char *name, int q, int scale, int zero, int64_t axis)
{
    int id = node(graph, CORE_DEQUANTIZE, name, &graph->values[q].shape, 3, (int[]){q, scale, zero});
    graph->nodes[id].at.axis = axis;
    return result(graph, id);
}

static void quantized_output(struct graph *graph, int real, float scale, int zero)
{
    int id = node(graph, CORE_QUANTIZE, "y", &graph->values[real].shape, 3,
                  (int[]){real, scalar(graph, "y_scale", scale), zero_point(graph, "y_zero", ELEMENT_U8, zero)});
    graph->values[result(graph, id)].element = ELEMENT_U8;
    output(graph, result(graph, id));
}

static int quantized_input(struct graph *graph, const struct shape *shape)
{
    return dequantized(graph, "x", input(graph, "x_q", ELEMENT_U8, shape), scalar(graph, "x_scale", 0.5f),
                       zero_point(graph, "x_zero", ELEMENT_U8, 128), 1);
}

static uint8_t *run_bytes(struct graph *graph)
{
    uint8_t x[64];
    for (int i = 0; i < 64; i++)
        x[i] = (uint8_t)random_hash((uint64_t)i);
    struct tensor in = {ELEMENT_U8, graph->values[graph->inputs[0]].shape, x};
    struct interp_run run;
    assert_int_equal(interp_graph(&run, graph, &in, false, NULL, NULL, NULL), WEFT_OK);
    struct tensor *y = &run.values[graph->outputs[0]];
    uint8_t *out = y->bytes;
    y->bytes = NULL;
    interp_free(&run);
    return out;
}

/* Scales are powers of two: sums in floats and in integers are the same numbers, so the bytes must be the same. */
static void check_qdq(struct graph *graph, enum core_op product, int nodes)
{
    uint8_t *before = run_bytes(graph);
    one_pass(graph, pass_qdq);
    uint8_t *after = run_bytes(graph);
    int found = 0;
    for (int i = 0; i < graph->node_count; i++)
        found += graph->nodes[i].op == product;
    assert_int_equal(graph->node_count, nodes);
    assert_int_equal(found, 1);
    assert_memory_equal(before, after, (size_t)shape_count(&graph->values[graph->outputs[0]].shape));
    free(before);
    free(after);
    graph_free(graph);
}

static const int8_t bytes[] = {1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12, 127, -127, 64, -64};

/* zero 0: the relu is what saturation does; zero 3: it is not, and the codes are clipped. */
static void qdq_conv(void **state)
{
    for (int zero = 0; zero <= 3; zero += 3)
        for (int float_bias = 0; float_bias < 2; float_bias++) {
            struct graph *graph = new_graph();
            int x = quantized_input(graph, SHAPE(1, 4, 3, 3)), w_scale = constant(graph, "w_scale", SHAPE(4), (float[]){0.25f, 0.5f, 1, 2});
            int w_zero = graph_add_constant(graph, "w_zero", ELEMENT_S8, SHAPE(4), (int8_t[4]){0});
            int w = dequantized(graph, "w", graph_add_constant(graph, "w_q", ELEMENT_S8, SHAPE(4, 4, 1, 1), bytes), w_scale, w_zero, 0);
            int b_scale = constant(graph, "b_scale", SHAPE(4), (float[]){0.125f, 0.25f, 0.5f, 1}),
                b_zero = graph_add_constant(graph, "b_zero", ELEMENT_S32, SHAPE(4), (int32_t[4]){0});
            int b = float_bias
                        ? constant(graph, "b", SHAPE(4), (float[]){10, -20, 30.5f, -4})
                        : dequantized(graph, "b", graph_add_constant(graph, "b_q", ELEMENT_S32, SHAPE(4), (int32_t[]){80, -80, 61, -4}),
                                      b_scale, b_zero, 0);
            int conv = node(graph, CORE_CONV, "conv", SHAPE(1, 4, 3, 3), 3, (int[]){x, w, b});
            graph->nodes[conv].at = (struct attributes){.kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}, .spatial = 2, .groups = 1};
            int relu = node(graph, CORE_RELU, "relu", SHAPE(1, 4, 3, 3), 1, (int[]){result(graph, conv)});
            quantized_output(graph, result(graph, relu), 32, zero);
            check_qdq(graph, CORE_QCONV, zero ? 2 : 1);
        }
}

static struct graph *quantised_gemm(bool trans_b, bool biased)
{
    struct graph *graph = new_graph();
    int x = quantized_input(graph, SHAPE(3, 8)),
        w_q = graph_add_constant(graph, "w_q", ELEMENT_S8, trans_b ? SHAPE(2, 8) : SHAPE(8, 2), bytes);
    int w = dequantized(graph, "w", w_q, constant(graph, "w_scale", SHAPE(2), (float[]){0.25f, 0.5f}),
                        graph_add_constant(graph, "w_zero", ELEMENT_S8, SHAPE(2), (int8_t[2]){0}), trans_b ? 0 : 1);
    int b = constant(graph, "b", SHAPE(2), (float[]){100, -200});
    int gemm = node(graph, CORE_GEMM, "gemm", SHAPE(3, 2), biased ? 3 : 2, (int[]){x, w, b});
    graph->nodes[gemm].at = (struct attributes){.alpha = 1, .beta = 1, .trans_b = trans_b};
    quantized_output(graph, result(graph, gemm), 16, 100);
    return graph;
}

static void qdq_gemm(void **state)
{
    check_qdq(quantised_gemm(true, true), CORE_QCONV, 3);
    check_qdq(quantised_gemm(false, true), CORE_QCONV, 3);
    check_qdq(quantised_gemm(true, false), CORE_QCONV, 3);
    check_qdq(quantised_gemm(false, false), CORE_QMATMUL, 1);
}

/* A bias without dimensions, in floats or dequantized, is one number a column where there is one column. */
static void qdq_scalar_bias(void **state)
{
    for (int float_bias = 0; float_bias < 2; float_bias++) {
        struct graph *graph = new_graph();
        int x = quantized_input(graph, SHAPE(3, 8)), w_q = graph_add_constant(graph, "w_q", ELEMENT_S8, SHAPE(8, 1), bytes);
        int w = dequantized(graph, "w", w_q, scalar(graph, "w_scale", 0.25f), zero_point(graph, "w_zero", ELEMENT_S8, 0), 1);
        int b_q = graph_add_constant(graph, "b_q", ELEMENT_S32, &(struct shape){0}, &(int32_t){80}),
            b_zero = graph_add_constant(graph, "b_zero", ELEMENT_S32, &(struct shape){0}, &(int32_t){0});
        int b = float_bias ? scalar(graph, "b", 10) : dequantized(graph, "b", b_q, scalar(graph, "b_scale", 0.125f), b_zero, 0);
        int gemm = node(graph, CORE_GEMM, "gemm", SHAPE(3, 1), 3, (int[]){x, w, b});
        graph->nodes[gemm].at = (struct attributes){.alpha = 1, .beta = 1};
        quantized_output(graph, result(graph, gemm), 16, 100);
        check_qdq(graph, CORE_QCONV, 3);
    }
}

/* A clip, a pool of the maximum and a transpose between product and quantize: the same of the integers. */
static void qdq_in_order(void **state)
{
    struct graph *graph = new_graph();
    int x = quantized_input(graph, SHAPE(1, 4, 4, 4));
    int w = dequantized(graph, "w", graph_add_constant(graph, "w_q", ELEMENT_S8, SHAPE(4, 1, 2, 2), bytes), scalar(graph, "w_scale", 0.25f),
                        zero_point(graph, "w_zero", ELEMENT_S8, 0), 0);
    int conv = node(graph, CORE_CONV, "conv", SHAPE(1, 4, 3, 3), 2, (int[]){x, w});
    graph->nodes[conv].at = (struct attributes){.kernel = {2, 2}, .stride = {1, 1}, .dilation = {1, 1}, .spatial = 2, .groups = 4};
    int clip = node(graph, CORE_CLIP, "clip", SHAPE(1, 4, 3, 3), 1, (int[]){result(graph, conv)});
    graph->nodes[clip].at = (struct attributes){.alpha = -300, .beta = 410};
    int pool = node(graph, CORE_MAXPOOL, "pool", SHAPE(1, 4, 2, 2), 1, (int[]){result(graph, clip)});
    graph->nodes[pool].at = (struct attributes){.kernel = {2, 2}, .stride = {1, 1}, .dilation = {1, 1}, .spatial = 2};
    int turned = node(graph, CORE_TRANSPOSE, "turned", SHAPE(1, 2, 2, 4), 1, (int[]){result(graph, pool)});
    memcpy(graph->nodes[turned].at.perm, (int64_t[]){0, 2, 3, 1}, 4 * sizeof(int64_t));
    quantized_output(graph, result(graph, turned), 4, 100);
    check_qdq(graph, CORE_QCONV, 4);
}

/* Weights dequantized with a scale a channel, then turned: the axis of the scales turns with them. */
static void qdq_turned_weights(void **state)
{
    struct graph *graph = new_graph();
    int x = quantized_input(graph, SHAPE(3, 8));
    int w = dequantized(graph, "w", graph_add_constant(graph, "w_q", ELEMENT_S8, SHAPE(2, 8), bytes), constant(graph, "w_scale", SHAPE(2), (float[]){0.25f, 0.5f}),
                        graph_add_constant(graph, "w_zero", ELEMENT_S8, SHAPE(2), (int8_t[2]){0}), 0);
    int turned = node(graph, CORE_TRANSPOSE, "turned", SHAPE(8, 2), 1, &w);
    memcpy(graph->nodes[turned].at.perm, (int64_t[]){1, 0}, 2 * sizeof(int64_t));
    quantized_output(graph, result(graph, node(graph, CORE_MATMUL, "product", SHAPE(3, 2), 2, (int[]){x, result(graph, turned)})), 16, 100);
    check_qdq(graph, CORE_QMATMUL, 1);
}

/* A pool and a crop in front of the product take the integers; of two quantizes that make the same one is left. */
static void qdq_arranged(void **state)
{
    struct graph *graph = new_graph();
    int x = quantized_input(graph, SHAPE(1, 4, 4, 4)), pool = node(graph, CORE_MAXPOOL, "pool", SHAPE(1, 4, 3, 3), 1, &x);
    graph->nodes[pool].at = (struct attributes){.kernel = {2, 2}, .stride = {1, 1}, .dilation = {1, 1}, .spatial = 2};
    int crop = node(graph, CORE_SLICE, "crop", SHAPE(1, 4, 2, 2), 1, (int[]){result(graph, pool)});
    graph->nodes[crop].at = (struct attributes){.begins = {0, 0, 1, 0}, .ends = {1, 4, 3, 2}, .steps = {1, 1, 1, 1}};
    int w = dequantized(graph, "w", graph_add_constant(graph, "w_q", ELEMENT_S8, SHAPE(4, 4, 1, 1), bytes), scalar(graph, "w_scale", 0.25f),
                        zero_point(graph, "w_zero", ELEMENT_S8, 0), 0);
    int conv = node(graph, CORE_CONV, "conv", SHAPE(1, 4, 2, 2), 2, (int[]){result(graph, crop), w}), twins[2];
    graph->nodes[conv].at = (struct attributes){.kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}, .spatial = 2, .groups = 1};
    for (int i = 0; i < 2; i++) {
        int scale = scalar(graph, i ? "s2" : "s1", 32), zero = zero_point(graph, i ? "z2" : "z1", ELEMENT_U8, 100);
        int q = node(graph, CORE_QUANTIZE, i ? "q2" : "q1", SHAPE(1, 4, 2, 2), 3, (int[]){result(graph, conv), scale, zero});
        graph->values[result(graph, q)].element = ELEMENT_U8;
        twins[i] = dequantized(graph, i ? "d2" : "d1", result(graph, q), scale, zero, 1);
    }
    quantized_output(graph, result(graph, node(graph, CORE_ADD, "sum", SHAPE(1, 4, 2, 2), 2, twins)), 64, 7);
    check_qdq(graph, CORE_QCONV, 7); /* pool, crop, qconv, two dequantize, add, quantize */
}

/* A flatten between dequantize and gemm moves before it; the one pixel's reshape then joins it. */
static void qdq_behind_a_flatten(void **state)
{
    struct graph *graph = new_graph();
    int x = quantized_input(graph, SHAPE(2, 2, 2, 2)), flat = result(graph, node(graph, CORE_RESHAPE, "flat", SHAPE(2, 8), 1, &x));
    int w_q = graph_add_constant(graph, "w_q", ELEMENT_S8, SHAPE(2, 8), bytes);
    int w = dequantized(graph, "w", w_q, scalar(graph, "w_scale", 0.25f), zero_point(graph, "w_zero", ELEMENT_S8, 0), 0);
    int gemm = node(graph, CORE_GEMM, "gemm", SHAPE(2, 2), 3, (int[]){flat, w, constant(graph, "b", SHAPE(2), (float[]){100, -200})});
    graph->nodes[gemm].at = (struct attributes){.alpha = 1, .beta = 1, .trans_b = true};
    quantized_output(graph, result(graph, gemm), 16, 100);
    check_qdq(graph, CORE_QCONV, 4);
}

/* A chain reads what another made: the integer operators must come in order. */
static void qdq_in_a_row(void **state)
{
    struct graph *graph = new_graph();
    int x = quantized_input(graph, SHAPE(1, 4, 2, 2)), scale = scalar(graph, "w_scale", 0.25f),
        zero = zero_point(graph, "w_zero", ELEMENT_S8, 0);
    int w_q = graph_add_constant(graph, "w_q", ELEMENT_S8, SHAPE(4, 4, 1, 1), bytes);
    for (int i = 0; i < 2; i++) {
        int conv = node(graph, CORE_CONV, i ? "second" : "first", SHAPE(1, 4, 2, 2), 2,
                        (int[]){x, dequantized(graph, i ? "w2" : "w1", w_q, scale, zero, 0)});
        graph->nodes[conv].at = (struct attributes){.kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}, .spatial = 2, .groups = 1};
        if (i) {
            quantized_output(graph, result(graph, conv), 64, 7);
            break;
        }
        int middle_scale = scalar(graph, "m_scale", 32), middle_zero = zero_point(graph, "m_zero", ELEMENT_U8, 100);
        int q = node(graph, CORE_QUANTIZE, "m", SHAPE(1, 4, 2, 2), 3, (int[]){result(graph, conv), middle_scale, middle_zero});
        graph->values[result(graph, q)].element = ELEMENT_U8;
        x = dequantized(graph, "m_real", result(graph, q), middle_scale, middle_zero, 1);
    }
    uint8_t *before = run_bytes(graph);
    one_pass(graph, pass_qdq);
    uint8_t *after = run_bytes(graph);
    assert_int_equal(graph->node_count, 2);
    assert_true(graph->nodes[0].op == CORE_QCONV && graph->nodes[1].op == CORE_QCONV);
    assert_memory_equal(before, after, 16);
    free(before);
    free(after);
    graph_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(qdq_conv), cmocka_unit_test(qdq_gemm), cmocka_unit_test(qdq_scalar_bias), cmocka_unit_test(qdq_in_order), cmocka_unit_test(qdq_turned_weights), cmocka_unit_test(qdq_arranged), cmocka_unit_test(qdq_behind_a_flatten),
                                       cmocka_unit_test(qdq_in_a_row)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
