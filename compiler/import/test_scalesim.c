/* test_scalesim.c: topology files, as SCALE-Sim writes them and as people edit them. */
#include "test_front.h"

static struct graph *import_csv(const char *text, int64_t batch)
{
    struct weft_compile_options options = {.batch = batch};
    struct caught caught;
    struct graph *graph;
    if (import_bytes(&graph, text, strlen(text), ".csv", &options, &caught))
        fail_msg("%s", caught.text);
    assert_true(graph->weights_absent);
    return graph;
}

/* A sweep gives its sizes to networks of which not all have them. */
static void no_dimension_has_a_name(void **state)
{
    static const char rows[] = "Layer, M, N, K,\na, 4, 5, 6,\n";
    struct weft_dim dim = {"seq", 5, false};
    struct weft_compile_options options = {.dims = &dim, .dim_count = 1};
    struct caught caught;
    struct graph *graph;
    assert_int_equal(import_bytes(&graph, rows, strlen(rows), ".csv", &options, &caught), WEFT_ERROR);
    assert_non_null(strstr(caught.text, "--dim seq=5: a SCALE-Sim topology has no named dimensions"));
    dim.optional = true;
    assert_int_equal(import_bytes(&graph, rows, strlen(rows), ".csv", &options, &caught), WEFT_OK);
    graph_free(graph);
}

/* 13 x 13 with a 3 x 3 filter by 2: (13 - 3) / 2 + 1 = 6. */
static void convolution_form(void **state)
{
    struct graph *g = import_csv("Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\r\n"
                                 "a , 13, 13 ,3,3, 8, 16, 2,\r\n\r\n  b,5,7,1,3,2,4,1\r\n",
                                 2);
    assert_int_equal(g->node_count, 2);
    assert_int_equal(g->input_count, 2);
    assert_int_equal(g->output_count, 2);
    const struct value *y = &g->values[g->outputs[0]], *w = &g->values[g->nodes[1].inputs[1]];
    assert_string_equal(y->name, "a");
    assert_int_equal(y->shape.dims[0], 2);
    assert_int_equal(y->shape.dims[1], 16);
    assert_int_equal(y->shape.dims[2], 6);
    assert_int_equal(w->contents, CONTENTS_ABSENT);
    assert_int_equal(w->shape.dims[0], 4);
    assert_int_equal(w->shape.dims[3], 3);
    graph_free(g);
}

static void rectangular_strides_and_sparsity(void **state)
{
    struct graph *g = import_csv("layer name,ifmap_height,ifmap_width,filter height,filter width,channels,num filter,stride height,stride "
                                 "width,Sparsity\nx,9,9,3,3,1,1,2,3,1:1\n",
                                 0);
    assert_int_equal(g->values[g->outputs[0]].shape.dims[2], 4); /* 6 / 2 + 1 */
    assert_int_equal(g->values[g->outputs[0]].shape.dims[3], 3); /* 6 / 3 + 1 */
    graph_free(g);
}

static void gemm_form(void **state)
{
    struct graph *g = import_csv("Layer,M,N,K,\nL0,196,192,384,\n", 0);
    assert_int_equal(g->nodes[0].op, CORE_GEMM);
    const struct shape *x = &g->values[g->inputs[0]].shape, *w = &g->values[g->nodes[0].inputs[1]].shape,
                       *y = &g->values[g->outputs[0]].shape;
    assert_true(x->dims[0] == 196 && x->dims[1] == 384 && w->dims[0] == 384 && w->dims[1] == 192 && y->dims[0] == 196 && y->dims[1] == 192);
    graph_free(g);
}

static void bad_files(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "has no layers"},
        {"Layer,M,N,K\n", "has no layers"},
        {"a,b,c\n1,2,3\n", ":1: is no header"},
        {"Layer,M,N,K\nL,1, x2,3\n", ":2:6: N is 'x2'"},
        {"Layer,M,N,K\nL,1,0,3\n", ":2:5: N is '0'"},
        {"Layer,M,N,K\nL,1,-4,3\n", "N is '-4'"},
        {"Layer,M,N,K\nL,1,99999999999999999999,3\n", "N is '9999"},
        {"Layer,M,N,K\nL,1,2\n", "K is missing"},
        {"Layer,M,N,K\nL,1,2,3,4\n", ":2:9: 5 columns; the header has 4"},
        {"Layer,M,N,K\n,1,2,3\n", "the layer has no name"},
        {"Layer name,IFMAP Height,IFMAP Width,Filter Height,Filter Width,Channels,Num Filter,Strides\nL,2,2,3,3,1,1,1\n",
         "is larger than the input"},
        {"Layer name,IFMAP Height,IFMAP Width,Filter Height,Filter Width,Channels,Num Filter,Strides,Sparsity\nL,3,3,3,3,1,1,1,2:4\n",
         "sparsity '2:4' is not supported"},
    };
    struct caught caught;
    struct graph *graph;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (!import_bytes(&graph, cases[i].text, strlen(cases[i].text), ".csv", NULL, &caught))
            fail_msg("accepted: %s", cases[i].text);
        if (!strstr(caught.text, cases[i].message))
            fail_msg("%s says: %s", cases[i].text, caught.text);
    }
}

/* Every bad number of a file is named in one run. */
static void all_lines(void **state)
{
    static const char text[] = "Layer,M,N,K\nA,1,x,y\nB,1,1,1\nC,z,1,1\n";
    struct caught caught;
    struct graph *graph;
    assert_int_equal(import_bytes(&graph, text, strlen(text), ".csv", NULL, &caught), WEFT_ERROR);
    assert_int_equal(caught.count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_dimension_has_a_name), cmocka_unit_test(convolution_form), cmocka_unit_test(rectangular_strides_and_sparsity),
                                       cmocka_unit_test(gemm_form), cmocka_unit_test(bad_files), cmocka_unit_test(all_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
