/* test_passes.h: graphs built by hand, for the tests of passes. Private to those tests. */
#ifndef WEFT_COMPILER_TEST_PASSES_H
#define WEFT_COMPILER_TEST_PASSES_H

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

#endif
