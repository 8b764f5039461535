/* test_graph.c: ids, uses, sorting, sweeping and the verifier. */
#include "test_front.h"

static const struct shape two = {.rank = 1, .dims = {2}};

static int add_made(struct graph *g, const char *name, enum core_op op, int a, int b)
{
    int inputs[] = {a, b}, value = graph_add_value(g, name, ELEMENT_F32, &two);
    return graph_add_output(g, graph_add_node(g, op, name, NULL, inputs, b == GRAPH_NONE ? 1 : 2), value);
}

static struct graph *make_graph(int *x)
{
    struct graph *g;
    assert_int_equal(graph_create(&g), WEFT_OK);
    g->inputs = malloc(sizeof *g->inputs);
    g->outputs = malloc(sizeof *g->outputs);
    *x = graph_add_value(g, "x", ELEMENT_F32, &two);
    g->inputs[g->input_count++] = *x;
    return g;
}

static void sorting(void **state)
{
    int x;
    struct graph *g = make_graph(&x);
    int late = graph_add_value(g, "late", ELEMENT_F32, &two), sum = add_made(g, "sum", CORE_ADD, x, late);
    graph_add_output(g, graph_add_node(g, CORE_RELU, "late", NULL, &x, 1), late);
    g->outputs[g->output_count++] = sum;
    assert_int_equal(graph_verify(g, NULL), WEFT_ERROR);
    assert_int_equal(graph_sort(g, NULL), WEFT_OK);
    assert_int_equal(graph_verify(g, NULL), WEFT_OK);
    assert_int_equal(g->nodes[0].op, CORE_RELU);
    assert_int_equal(g->values[sum].producer, 1);
    graph_free(g);
}

static void a_cycle(void **state)
{
    struct caught caught = {0};
    struct weft_diag diag = {catch_message, &caught, 0};
    int x;
    struct graph *g = make_graph(&x);
    int b = graph_add_value(g, "b", ELEMENT_F32, &two), a = add_made(g, "a", CORE_ADD, x, b);
    graph_add_output(g, graph_add_node(g, CORE_RELU, "b", NULL, &a, 1), b);
    assert_int_equal(graph_sort(g, &diag), WEFT_ERROR);
    assert_non_null(strstr(caught.text, "waits for its own result"));
    graph_free(g);
}

static void sweeping(void **state)
{
    int x;
    struct graph *g = make_graph(&x);
    int unread = add_made(g, "unread", CORE_NEG, x, GRAPH_NONE), kept = add_made(g, "kept", CORE_RELU, x, GRAPH_NONE),
        dead = add_made(g, "dead", CORE_EXP, kept, GRAPH_NONE);
    add_made(g, "follows", CORE_ABS, unread, GRAPH_NONE);
    float numbers[] = {1, 2};
    int constant = graph_add_constant(g, "constant", ELEMENT_F32, &two, numbers);
    g->outputs[g->output_count++] = dead;
    assert_int_equal(graph_uses(g, kept), 1);
    graph_replace_uses(g, dead, kept);
    g->nodes[g->values[dead].producer].dead = true;
    assert_int_equal(graph_uses(g, kept), 1); /* the network's output; the dead node no longer counts */
    graph_sweep(g);
    assert_int_equal(g->node_count, 1);
    assert_int_equal(g->nodes[0].op, CORE_RELU);
    assert_int_equal(g->values[kept].producer, 0);
    assert_int_equal(g->values[unread].producer, GRAPH_NONE);
    assert_null(g->values[constant].bytes); /* nobody reads it: its memory is gone */
    assert_int_equal(graph_verify(g, NULL), WEFT_OK);
    graph_free(g);
}

static void what_the_verifier_finds(void **state)
{
    int x;
    struct graph *g = make_graph(&x);
    int y = add_made(g, "y", CORE_RELU, x, GRAPH_NONE);
    g->outputs[g->output_count++] = y;
    assert_int_equal(graph_verify(g, NULL), WEFT_OK);
    g->nodes[0].inputs[0] = GRAPH_NONE;
    assert_int_equal(graph_verify(g, NULL), WEFT_ERROR);
    g->nodes[0].inputs[0] = 99;
    assert_int_equal(graph_verify(g, NULL), WEFT_ERROR);
    g->nodes[0].inputs[0] = x;
    g->values[y].shape.dims[0] = -1;
    assert_int_equal(graph_verify(g, NULL), WEFT_ERROR);
    g->values[y].shape.dims[0] = 2;
    g->values[y].producer = 5;
    assert_int_equal(graph_verify(g, NULL), WEFT_ERROR);
    g->values[y].producer = 0;
    g->nodes[0].op = CORE_ADD;
    assert_int_equal(graph_verify(g, NULL), WEFT_ERROR);
    graph_free(g);
}

static void a_copy(void **state)
{
    int x;
    struct graph *g = make_graph(&x), *copy;
    float numbers[] = {1, 2};
    int constant = graph_add_constant(g, "constant", ELEMENT_F32, &two, numbers), ruled = graph_add_value(g, "ruled", ELEMENT_F32, &two);
    g->values[ruled].contents = CONTENTS_FILL;
    g->values[ruled].fill = 3;
    int sum = add_made(g, "sum", CORE_ADD, x, constant);
    g->outputs[g->output_count++] = sum;
    assert_int_equal(graph_clone(&copy, g), WEFT_OK);
    assert_int_equal(graph_verify(copy, NULL), WEFT_OK);
    assert_ptr_equal(copy->values[constant].bytes, g->values[constant].bytes); /* borrowed */
    copy->values[sum].q.known = true;
    copy->nodes[0].inputs[1] = ruled;
    assert_int_equal(graph_add_value(copy, "more", ELEMENT_F32, &two), g->value_count);
    assert_float_equal(((const float *)value_bytes(copy, ruled))[1], 3, 0); /* made by the copy, for the copy */
    assert_null(g->values[ruled].bytes);
    assert_false(g->values[sum].q.known);
    assert_int_equal(g->nodes[0].inputs[1], constant);
    graph_free(copy);
    assert_float_equal(((const float *)g->values[constant].bytes)[1], 2, 0);
    graph_free(g);
}

/* Elements stay where they are among the others, whatever the room; what is refused leaves all as it was. */
static void arrays_grow(void **state)
{
    int *numbers = NULL, room = 0, full = INT32_MAX / 2 + 1;
    for (int i = 0; i < 1000; i++) {
        assert_true(graph_grow(&numbers, (size_t)i, &room, sizeof *numbers));
        assert_true(room > i);
        numbers[i] = i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(numbers[i], i);
    int *before = numbers;
    assert_false(graph_grow(&numbers, (size_t)full, &full, sizeof *numbers));
    assert_ptr_equal(numbers, before);
    free(numbers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sorting), cmocka_unit_test(a_cycle), cmocka_unit_test(sweeping),
                                       cmocka_unit_test(what_the_verifier_finds), cmocka_unit_test(a_copy), cmocka_unit_test(arrays_grow)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
