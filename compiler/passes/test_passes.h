/* test_passes.h: graphs built by hand, for the tests of passes. Private to those tests. */
#ifndef WEFT_COMPILER_TEST_PASSES_H
#define WEFT_COMPILER_TEST_PASSES_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "interp.h"
#include "passes.h"
#include "random.h"

#define SHAPE(...) (&(struct shape){.rank = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), .dims = {__VA_ARGS__}})

/* --- building -------------------------------------------------------------------------------------------------- */

static inline struct graph *new_graph(void)
{
    struct graph *graph;
    assert_int_equal(graph_create(&graph), WEFT_OK);
    return graph;
}

static inline int input(struct graph *graph, const char *name, enum element element, const struct shape *shape)
{
    int id = graph_add_value(graph, name, element, shape);
    graph->inputs = realloc(graph->inputs, (graph->input_count + 1) * sizeof(int));
    graph->inputs[graph->input_count++] = id;
    return id;
}

static inline int constant(struct graph *graph, const char *name, const struct shape *shape, const float *numbers)
{
    return graph_add_constant(graph, name, ELEMENT_F32, shape, numbers);
}

static inline int filled(struct graph *graph, const char *name, const struct shape *shape, double fill)
{
    int id = graph_add_value(graph, name, ELEMENT_F32, shape);
    graph->values[id].contents = CONTENTS_FILL;
    graph->values[id].fill = fill;
    return id;
}

static inline int drawn(struct graph *graph, const char *name, const struct shape *shape, uint64_t seed, double mean, double deviation)
{
    int id = graph_add_value(graph, name, ELEMENT_F32, shape);
    struct value *value = &graph->values[id];
    value->contents = CONTENTS_NORMAL;
    value->seed = seed;
    value->mean = mean;
    value->deviation = deviation;
    return id;
}

/* The node's id; its output's is graph->nodes[id].outputs[0]. */
static inline int node(struct graph *graph, enum core_op op, const char *out, const struct shape *shape, int count, const int *inputs)
{
    int id = graph_add_node(graph, op, out, NULL, inputs, (unsigned)count);
    graph_add_output(graph, id, graph_add_value(graph, out, ELEMENT_F32, shape));
    return id;
}

static inline int result(const struct graph *graph, int id)
{
    return graph->nodes[id].outputs[0];
}

static inline void output(struct graph *graph, int value)
{
    graph->outputs = realloc(graph->outputs, (graph->output_count + 1) * sizeof(int));
    graph->outputs[graph->output_count++] = value;
}

static inline void one_pass(struct graph *graph, enum weft_status (*pass)(struct graph *, struct weft_diag *))
{
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    assert_int_equal(pass(graph, &diag), WEFT_OK);
    graph_sweep(graph);
    assert_int_equal(graph_verify(graph, &diag), WEFT_OK);
}

/* --- values ------------------------------------------------------------------------------------------------------ */

/* Output `index` for an input of normal numbers; the caller frees it. */
static inline float *run_graph(struct graph *graph, unsigned index)
{
    const struct value *x = &graph->values[graph->inputs[0]];
    int64_t count = shape_count(&x->shape);
    double *numbers = malloc((size_t)count * sizeof *numbers);
    float *floats = malloc((size_t)count * sizeof *floats);
    random_normal(numbers, 0, count, 99, 0, 1);
    for (int64_t i = 0; i < count; i++)
        floats[i] = (float)numbers[i];
    struct tensor in = {ELEMENT_F32, x->shape, floats};
    struct interp_run run;
    assert_int_equal(interp_graph(&run, graph, &in, false, NULL, NULL, NULL), WEFT_OK);
    struct tensor *y = &run.values[graph->outputs[index]];
    float *out = y->bytes;
    y->bytes = NULL;
    interp_free(&run);
    free(numbers);
    free(floats);
    return out;
}

/* Runs, passes, runs again: the same within rounding, with `nodes` nodes left. */
static inline void check_pass(struct graph *graph, enum weft_status (*pass)(struct graph *, struct weft_diag *), int nodes)
{
    float *before = run_graph(graph, 0);
    one_pass(graph, pass);
    float *after = run_graph(graph, 0);
    assert_int_equal(graph->node_count, nodes);
    for (int64_t i = 0, count = shape_count(&graph->values[graph->outputs[0]].shape); i < count; i++)
        assert_true(fabsf(before[i] - after[i]) <= 1e-5f + 1e-4f * fabsf(before[i]));
    free(before);
    free(after);
    graph_free(graph);
}

#endif
