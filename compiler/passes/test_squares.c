/* test_squares.c: which sums become sums of squares. */
#include "test_passes.h"

/* x [3, 5] with itself or with 2, reduced over its last dimension. */
static struct graph *build(enum core_op square, int with_two, enum core_op reduction)
{
    struct graph *graph = new_graph();
    struct shape *shape = SHAPE(3, 5);
    int x = input(graph, "x", ELEMENT_F32, shape), two = filled(graph, "two", SHAPE(1), 2);
    int squared = result(graph, node(graph, square, "squared", shape, 2, (int[]){x, with_two ? two : x}));
    int sum = node(graph, reduction, "sum", SHAPE(3, 1), 1, &squared);
    graph->nodes[sum].at = (struct attributes){.axes = {1}, .axis_count = 1, .keep_dims = true};
    output(graph, result(graph, sum));
    return graph;
}

static void expect(enum core_op square, int with_two, enum core_op reduction, enum core_op wanted)
{
    struct graph *seen = build(square, with_two, reduction);
    one_pass(seen, pass_squares);
    assert_int_equal(seen->nodes[seen->node_count - 1].op, wanted);
    graph_free(seen);
    check_pass(build(square, with_two, reduction), pass_squares, wanted == reduction ? 2 : 1);
}

static void sums_and_means_of_squares(void **state)
{
    expect(CORE_MUL, false, CORE_REDUCE_SUM, CORE_REDUCE_SQUARES);
    expect(CORE_MUL, false, CORE_REDUCE_MEAN, CORE_REDUCE_MEAN_SQUARES);
    expect(CORE_POW, true, CORE_REDUCE_MEAN, CORE_REDUCE_MEAN_SQUARES);
}

static void what_is_none_stays(void **state)
{
    expect(CORE_MUL, true, CORE_REDUCE_SUM, CORE_REDUCE_SUM);
    expect(CORE_ADD, false, CORE_REDUCE_MEAN, CORE_REDUCE_MEAN);
    expect(CORE_MUL, false, CORE_REDUCE_MAX, CORE_REDUCE_MAX);
}

static void squares_that_others_read_stay(void **state)
{
    struct graph *graph = build(CORE_MUL, false, CORE_REDUCE_SUM);
    output(graph, result(graph, 0));
    check_pass(graph, pass_squares, 2);
}

static void integers_stay(void **state)
{
    struct graph *graph = build(CORE_MUL, false, CORE_REDUCE_SUM);
    for (int i = 0; i < graph->value_count; i++)
        graph->values[i].element = ELEMENT_S32;
    one_pass(graph, pass_squares);
    assert_int_equal(graph->node_count, 2);
    graph_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_and_means_of_squares),
        cmocka_unit_test(what_is_none_stays),
        cmocka_unit_test(squares_that_others_read_stay),
        cmocka_unit_test(integers_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
