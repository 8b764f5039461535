/* test_passes.c: what each pass does to small graphs whose results are worked out by hand, and that values stay. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test_passes.h"
#include "weft_compiler.h"

/* --- batch normalisation --------------------------------------------------------------------------------------------------- */

static int add_batchnorm(struct graph *graph, int x, const struct shape *shape, int64_t channels)
{
    struct shape *c = SHAPE(channels);
    int id = node(graph, CORE_BATCHNORM, "bn", shape, 5,
                  (int[]){x, drawn(graph, "scale", c, 1, 1, 0.5), drawn(graph, "shift", c, 2, 0, 1), drawn(graph, "mean", c, 3, 0, 1),
                          drawn(graph, "variance", c, 4, 5, 0.5)});
    graph->nodes[id].at.epsilon = 1e-3f;
    return id;
}

static int add_conv(struct graph *graph, int x, bool biased)
{
    int w = drawn(graph, "w", SHAPE(6, 2, 3, 3), 5, 0, 1), b = drawn(graph, "b", SHAPE(6), 6, 0, 1);
    int id = node(graph, CORE_CONV, "conv", SHAPE(2, 6, 5, 5), biased ? 3 : 2, (int[]){x, w, b});
    graph->nodes[id].at = (struct attributes){
        .kernel = {3, 3}, .stride = {1, 1}, .dilation = {1, 1}, .pad_begin = {1, 1}, .pad_end = {1, 1}, .spatial = 2, .groups = 2};
    return id;
}

static void batchnorm_into_conv(void **state)
{
    for (int biased = 0; biased < 2; biased++) {
        struct graph *graph = new_graph();
        int x = input(graph, "x", ELEMENT_F32, SHAPE(2, 4, 5, 5));
        int conv = add_conv(graph, x, biased);
        output(graph, result(graph, add_batchnorm(graph, result(graph, conv), SHAPE(2, 6, 5, 5), 6)));
        check_pass(graph, pass_batchnorm, 1);
    }
}

/* By hand: weights 2 and 3, scale 4, bias 1, mean 5, variance 3 + epsilon 1: factor 4 / 2 = 2, so weights 4 and 6, bias 1 - 5 x 2 = -9. */
static void batchnorm_numbers(void **state)
{
    struct graph *graph = new_graph();
    int x = input(graph, "x", ELEMENT_F32, SHAPE(1, 2));
    int gemm = node(graph, CORE_GEMM, "gemm", SHAPE(1, 1), 2, (int[]){x, constant(graph, "w", SHAPE(2, 1), (float[]){2, 3})});
    graph->nodes[gemm].at = (struct attributes){.alpha = 1, .beta = 1};
    int bn = node(graph, CORE_BATCHNORM, "bn", SHAPE(1, 1), 5,
                  (int[]){result(graph, gemm), constant(graph, "s", SHAPE(1), (float[]){4}), constant(graph, "b", SHAPE(1), (float[]){1}),
                          constant(graph, "m", SHAPE(1), (float[]){5}), constant(graph, "v", SHAPE(1), (float[]){3})});
    graph->nodes[bn].at.epsilon = 1;
    output(graph, result(graph, bn));
    one_pass(graph, pass_batchnorm);
    assert_int_equal(graph->node_count, 1);
    const struct node *left = &graph->nodes[0];
    const float *w = value_bytes(graph, left->inputs[1]), *b = value_bytes(graph, left->inputs[2]);
    assert_true(left->op == CORE_GEMM && w[0] == 4 && w[1] == 6 && b[0] == -9);
    assert_string_equal(graph->values[left->outputs[0]].name, "bn");
    graph_free(graph);
}

/* A bias without dimensions is one number a column where there is one column. */
static void batchnorm_over_a_scalar_bias(void **state)
{
    struct graph *graph = new_graph();
    int x = input(graph, "x", ELEMENT_F32, SHAPE(3, 2)), w = constant(graph, "w", SHAPE(2, 1), (float[]){2, 3});
    int bias = constant(graph, "c", &(struct shape){0}, (float[]){7});
    int gemm = node(graph, CORE_GEMM, "gemm", SHAPE(3, 1), 3, (int[]){x, w, bias});
    graph->nodes[gemm].at = (struct attributes){.alpha = 1, .beta = 1};
    output(graph, result(graph, add_batchnorm(graph, result(graph, gemm), SHAPE(3, 1), 1)));
    check_pass(graph, pass_batchnorm, 1);
}

static void batchnorm_alone_becomes_mul_add(void **state)
{
    struct graph *graph = new_graph();
    int x = input(graph, "x", ELEMENT_F32, SHAPE(2, 6, 5, 5));
    output(graph, result(graph, add_batchnorm(graph, x, SHAPE(2, 6, 5, 5), 6)));
    check_pass(graph, pass_batchnorm, 2);
}

/* What else reads the convolution must see it as it was. */
static void batchnorm_leaves_a_shared_conv(void **state)
{
    struct graph *graph = new_graph();
    int x = input(graph, "x", ELEMENT_F32, SHAPE(2, 4, 5, 5)), conv = add_conv(graph, x, true);
    int bn = add_batchnorm(graph, result(graph, conv), SHAPE(2, 6, 5, 5), 6);
    output(graph, result(graph, node(graph, CORE_ADD, "sum", SHAPE(2, 6, 5, 5), 2, (int[]){result(graph, conv), result(graph, bn)})));
    check_pass(graph, pass_batchnorm, 4);
}

static void batchnorm_for_timing_makes_no_weights(void **state)
{
    struct graph *graph = new_graph();
    graph->timing_only = true;
    int x = input(graph, "x", ELEMENT_F32, SHAPE(1, 512, 1, 1)), w = drawn(graph, "w", SHAPE(512, 512, 1, 1), 5, 0, 1);
    int conv = node(graph, CORE_CONV, "conv", SHAPE(1, 512, 1, 1), 2, (int[]){x, w});
    graph->nodes[conv].at = (struct attributes){.kernel = {1, 1}, .stride = {1, 1}, .spatial = 2, .groups = 1};
    output(graph, result(graph, add_batchnorm(graph, result(graph, conv), SHAPE(1, 512, 1, 1), 512)));
    one_pass(graph, pass_batchnorm);
    assert_int_equal(graph->node_count, 1);
    const struct value *made = &graph->values[graph->nodes[0].inputs[1]];
    assert_int_equal(made->contents, CONTENTS_ABSENT);
    assert_int_equal(shape_count(&made->shape), 512 * 512);
    assert_null(graph->values[w].bytes);
    graph_free(graph);
}

/* --- folding ---------------------------------------------------------------------------------------------------------------- */

static void fold_numbers(void **state)
{
    struct graph *graph = new_graph();
    int x = input(graph, "x", ELEMENT_F32, SHAPE(2));
    int sum = node(graph, CORE_ADD, "sum", SHAPE(2), 2,
                   (int[]){constant(graph, "a", SHAPE(2), (float[]){1, 2}), constant(graph, "b", SHAPE(1), (float[]){10})});
    int twice = node(graph, CORE_MUL, "twice", SHAPE(2), 2, (int[]){result(graph, sum), constant(graph, "two", SHAPE(1), (float[]){2})});
    int y = node(graph, CORE_ADD, "y", SHAPE(2), 2, (int[]){x, result(graph, twice)});
    output(graph, result(graph, y));
    one_pass(graph, pass_fold);
    assert_int_equal(graph->node_count, 1);
    const float *made = value_bytes(graph, graph->nodes[0].inputs[1]);
    assert_true(made[0] == 22 && made[1] == 24);
    graph_free(graph);
}

static void fold_keeps_rules(void **state)
{
    struct graph *graph = new_graph();
    int x = input(graph, "x", ELEMENT_F32, SHAPE(6));
    int flat = node(graph, CORE_RESHAPE, "flat", SHAPE(6), 1, (int[]){drawn(graph, "w", SHAPE(2, 3), 7, 0, 1)});
    int wide = node(graph, CORE_EXPAND, "wide", SHAPE(6), 1, (int[]){filled(graph, "c", SHAPE(1), 3)});
    int sum = node(graph, CORE_ADD, "sum", SHAPE(6), 2, (int[]){x, result(graph, flat)});
    int y = node(graph, CORE_ADD, "y", SHAPE(6), 2, (int[]){result(graph, sum), result(graph, wide)});
    output(graph, result(graph, y));
    int flat_value = result(graph, flat), wide_value = result(graph, wide);
    float *before = run_graph(graph, 0);
    one_pass(graph, pass_fold);
    assert_int_equal(graph->values[flat_value].contents, CONTENTS_NORMAL);
    assert_int_equal(graph->values[wide_value].contents, CONTENTS_FILL);
    float *after = run_graph(graph, 0);
    assert_memory_equal(before, after, 6 * sizeof *before);
    free(before);
    free(after);
    graph_free(graph);
}

static void fold_leaves_dequantization(void **state)
{
    struct graph *graph = new_graph();
    int q = graph_add_constant(graph, "q", ELEMENT_S8, SHAPE(2), (int8_t[]){1, 2}),
        zero = graph_add_constant(graph, "zero", ELEMENT_S8, SHAPE(1), (int8_t[]){0});
    int w = node(graph, CORE_DEQUANTIZE, "w", SHAPE(2), 3, (int[]){q, constant(graph, "scale", SHAPE(1), (float[]){0.5}), zero});
    int y = node(graph, CORE_ADD, "y", SHAPE(2), 2, (int[]){input(graph, "x", ELEMENT_F32, SHAPE(2)), result(graph, w)});
    output(graph, result(graph, y));
    one_pass(graph, pass_fold);
    assert_int_equal(graph->node_count, 2);
    graph_free(graph);
}

static void fold_for_timing_leaves_large_contents(void **state)
{
    struct graph *graph = new_graph();
    graph->timing_only = true;
    int w = drawn(graph, "w", SHAPE(1024, 1024), 7, 0, 1), two = constant(graph, "two", SHAPE(1), (float[]){2});
    int scaled = node(graph, CORE_MUL, "scaled", SHAPE(1024, 1024), 2, (int[]){w, two});
    int y =
        node(graph, CORE_MATMUL, "y", SHAPE(1, 1024), 2, (int[]){input(graph, "x", ELEMENT_F32, SHAPE(1, 1024)), result(graph, scaled)});
    output(graph, result(graph, y));
    int made = result(graph, scaled);
    one_pass(graph, pass_fold);
    assert_int_equal(graph->node_count, 1);
    assert_int_equal(graph->values[made].contents, CONTENTS_ABSENT);
    assert_null(graph->values[w].bytes);
    graph_free(graph);
}

/* --- identity ----------------------------------------------------------------------------------------------------------------- */

static struct attributes perm(int64_t a, int64_t b, int64_t c)
{
    return (struct attributes){.perm = {a, b, c}};
}

/* reshape there and back, add 0, mul 1, an empty pad, two transposes that cancel: only the relu in the middle stays. */
static void identity_removes_a_chain(void **state)
{
    struct graph *graph = new_graph();
    struct shape *s = SHAPE(2, 3, 4);
    int x = input(graph, "x", ELEMENT_F32, s);
    int flat = node(graph, CORE_RESHAPE, "flat", SHAPE(24), 1, (int[]){x}),
        back = node(graph, CORE_RESHAPE, "back", s, 1, (int[]){result(graph, flat)});
    int t1 = node(graph, CORE_TRANSPOSE, "t1", SHAPE(4, 2, 3), 1, (int[]){result(graph, back)}),
        t2 = node(graph, CORE_TRANSPOSE, "t2", s, 1, (int[]){result(graph, t1)});
    graph->nodes[t1].at = perm(2, 0, 1);
    graph->nodes[t2].at = perm(1, 2, 0);
    int zero = node(graph, CORE_ADD, "zero", s, 2, (int[]){constant(graph, "0", SHAPE(1), (float[]){0}), result(graph, t2)});
    int relu = node(graph, CORE_RELU, "relu", s, 1, (int[]){result(graph, zero)});
    int one = node(graph, CORE_MUL, "one", s, 2, (int[]){result(graph, relu), filled(graph, "1", SHAPE(3, 1), 1)});
    int pad = node(graph, CORE_PAD, "pad", s, 1, (int[]){result(graph, one)});
    output(graph, result(graph, pad));
    check_pass(graph, pass_identity, 1);
}

static void identity_joins_transposes(void **state)
{
    struct graph *graph = new_graph();
    int x = input(graph, "x", ELEMENT_F32, SHAPE(2, 3, 4));
    int t1 = node(graph, CORE_TRANSPOSE, "t1", SHAPE(3, 4, 2), 1, (int[]){x}),
        t2 = node(graph, CORE_TRANSPOSE, "t2", SHAPE(2, 4, 3), 1, (int[]){result(graph, t1)});
    graph->nodes[t1].at = perm(1, 2, 0);
    graph->nodes[t2].at = perm(2, 1, 0);
    output(graph, result(graph, t2));
    check_pass(graph, pass_identity, 1);
}

/* A pad that shifts, an add that broadcasts, a slice that turns round keep the shape and are no identities. */
static void identity_keeps_what_changes(void **state)
{
    struct graph *graph = new_graph();
    struct shape *s = SHAPE(2, 3, 4);
    int x = input(graph, "x", ELEMENT_F32, s);
    int pad = node(graph, CORE_PAD, "pad", s, 1, (int[]){x});
    graph->nodes[pad].at = (struct attributes){.begins = {0, 0, 1}, .ends = {0, 0, -1}};
    int turn = node(graph, CORE_SLICE, "turn", s, 1, (int[]){result(graph, pad)});
    graph->nodes[turn].at = (struct attributes){.begins = {1, 0, 0}, .ends = {-1, 3, 4}, .steps = {-1, 1, 1}};
    int wide = node(graph, CORE_ADD, "wide", SHAPE(2, 2, 3, 4), 2, (int[]){result(graph, turn), filled(graph, "0", SHAPE(2, 1, 1, 1), 0)});
    output(graph, result(graph, wide));
    check_pass(graph, pass_identity, 3);
}

/* Names of inputs and outputs belong to the world outside. */
static void identity_keeps_outputs(void **state)
{
    struct graph *graph = new_graph();
    int x = input(graph, "x", ELEMENT_F32, SHAPE(4));
    int same = node(graph, CORE_RESHAPE, "same", SHAPE(4), 1, (int[]){x}), relu = node(graph, CORE_RELU, "relu", SHAPE(4), 1, (int[]){x});
    int alias = node(graph, CORE_RESHAPE, "alias", SHAPE(4), 1, (int[]){result(graph, relu)});
    output(graph, result(graph, same));
    output(graph, result(graph, alias));
    one_pass(graph, pass_identity);
    assert_int_equal(graph->node_count, 2); /* input to output stays; the relu makes `alias` itself */
    assert_string_equal(graph->values[graph->outputs[0]].name, "same");
    assert_string_equal(graph->values[graph->outputs[1]].name, "alias");
    assert_int_equal(graph->nodes[graph->values[graph->outputs[1]].producer].op, CORE_RELU);
    graph_free(graph);
}

/* --- padding ------------------------------------------------------------------------------------------------------------------ */

static int add_pad(struct graph *graph, int x, float value, const struct shape *shape)
{
    int id = node(graph, CORE_PAD, "pad", shape, 1, (int[]){x});
    graph->nodes[id].at = (struct attributes){.begins = {0, 0, 1, 0}, .ends = {0, 0, 0, 2}, .alpha = value};
    return id;
}

static void pad_into_conv(void **state)
{
    for (int value = 0; value < 2; value++) { /* only zeros go in */
        struct graph *graph = new_graph();
        int x = input(graph, "x", ELEMENT_F32, SHAPE(2, 4, 4, 3)), pad = add_pad(graph, x, (float)value, SHAPE(2, 4, 5, 5));
        output(graph, result(graph, add_conv(graph, result(graph, pad), true)));
        check_pass(graph, pass_pad, 1 + value);
    }
}

static struct graph *pooled(enum core_op op, bool relu, float value, int64_t own)
{
    struct graph *graph = new_graph();
    int x = input(graph, "x", ELEMENT_F32, SHAPE(2, 4, 4, 3));
    if (relu)
        x = result(graph, node(graph, CORE_RELU, "relu", SHAPE(2, 4, 4, 3), 1, (int[]){x}));
    int pad = add_pad(graph, x, value, SHAPE(2, 4, 5, 5)),
        pool = node(graph, op, "pool", SHAPE(2, 4, 3 + 2 * own, 3 + 2 * own), 1, (int[]){result(graph, pad)});
    graph->nodes[pool].at =
        (struct attributes){.kernel = {3, 3}, .stride = {1, 1}, .spatial = 2, .pad_begin = {own, own}, .pad_end = {own, own}};
    output(graph, result(graph, pool));
    return graph;
}

static void pad_into_pools(void **state)
{
    check_pass(pooled(CORE_MAXPOOL, false, -INFINITY, 0), pass_pad, 1);
    check_pass(pooled(CORE_MAXPOOL, true, 0, 0), pass_pad, 2);  /* zeros below no relu's result */
    check_pass(pooled(CORE_MAXPOOL, false, 0, 0), pass_pad, 2); /* zeros above negative numbers stay: pad and pool */
    check_pass(pooled(CORE_AVERAGEPOOL, false, 0, 0), pass_pad, 1);
    check_pass(pooled(CORE_AVERAGEPOOL, false, 0, 1), pass_pad, 2); /* the pool's own padding does not count: the pad stays */
    check_pass(pooled(CORE_AVERAGEPOOL, false, 1, 0), pass_pad, 2);
}

/* --- the runner ---------------------------------------------------------------------------------------------------------------- */

/* a, b, c, d of x, then s = a + b, t = s + c, u = t + d and v = d + 1: s goes up to b, t to c and u to d; what adds a constant stays. */
static void hoist_brings_sums_to_their_operands(void **state)
{
    static const char *const right[] = {"a", "b", "s", "c", "t", "d", "u", "v"};
    struct graph *graph = new_graph();
    struct shape *shape = SHAPE(3);
    int x = input(graph, "x", ELEMENT_F32, shape), made[4], one = filled(graph, "one", shape, 1);
    for (int i = 0; i < 4; i++)
        made[i] = result(graph, node(graph, CORE_TANH, (const char *[]){"a", "b", "c", "d"}[i], shape, 1, &x));
    int s = result(graph, node(graph, CORE_ADD, "s", shape, 2, (int[]){made[0], made[1]}));
    int t = result(graph, node(graph, CORE_ADD, "t", shape, 2, (int[]){s, made[2]}));
    output(graph, result(graph, node(graph, CORE_ADD, "u", shape, 2, (int[]){made[3], t})));
    output(graph, result(graph, node(graph, CORE_ADD, "v", shape, 2, (int[]){made[3], one})));
    one_pass(graph, pass_hoist);
    assert_int_equal(graph->node_count, 8);
    for (int i = 0; i < 8; i++)
        assert_string_equal(graph->values[graph->nodes[i].outputs[0]].name, right[i]);
    graph_free(graph);
}

static void names_are_the_table(void **state)
{
    size_t count;
    const char *const *names = weft_pass_names(&count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(names[i], pass_table[i].name);
    assert_null(pass_table[count].name);
}

static void note(void *user, const char *message)
{
    snprintf(user, 256, "%s", message);
}

static void unknown_pass_is_refused(void **state)
{
    char message[256] = "";
    struct weft_diag diag = {note, message, 0};
    struct graph *graph = new_graph();
    assert_int_equal(passes_run(graph, "batchnorn", stdout, &diag), WEFT_ERROR);
    assert_non_null(strstr(message, "did you mean batchnorm"));
    graph_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batchnorm_into_conv),
        cmocka_unit_test(batchnorm_numbers), cmocka_unit_test(batchnorm_over_a_scalar_bias),
        cmocka_unit_test(batchnorm_alone_becomes_mul_add),
        cmocka_unit_test(batchnorm_leaves_a_shared_conv),
        cmocka_unit_test(batchnorm_for_timing_makes_no_weights),
        cmocka_unit_test(fold_numbers),
        cmocka_unit_test(fold_keeps_rules),
        cmocka_unit_test(fold_leaves_dequantization),
        cmocka_unit_test(fold_for_timing_leaves_large_contents),
        cmocka_unit_test(identity_removes_a_chain),
        cmocka_unit_test(identity_joins_transposes),
        cmocka_unit_test(identity_keeps_what_changes),
        cmocka_unit_test(identity_keeps_outputs),
        cmocka_unit_test(pad_into_conv),
        cmocka_unit_test(pad_into_pools),
        cmocka_unit_test(hoist_brings_sums_to_their_operands),
        cmocka_unit_test(names_are_the_table),
        cmocka_unit_test(unknown_pass_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
