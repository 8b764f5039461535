/* qdq_arrange.c: quantised networks before their chains are looked for (pass_qdq.c): what moves dequantized numbers moves the integers, and of
 * two QuantizeLinear that make the same of a value one is left. And what both files build with. */
#include "pass_edit.h"
#include "qdq.h"

#include <stdlib.h>

/* --- parts ----------------------------------------------------------------------------------------------------------------- */

double qdq_entry(struct graph *graph, int value, int64_t channel)
{
    double out = 0;
    value_at(graph, value, shape_count(&graph->values[value].shape) == 1 ? 0 : channel, &out);
    return out;
}

bool qdq_is_constant(const struct graph *graph, int value)
{
    return value != GRAPH_NONE && value_is_constant(&graph->values[value]) && graph->values[value].contents != CONTENTS_ABSENT;
}

/* One scale and zero point, known now. */
bool qdq_is_scalar(const struct graph *graph, const struct node *node)
{
    return qdq_is_constant(graph, node->inputs[1]) && qdq_is_constant(graph, node->inputs[2]) &&
           shape_count(&graph->values[node->inputs[1]].shape) == 1;
}

struct node *qdq_dequantize_of(const struct graph *graph, int value)
{
    struct node *node = edit_producer(graph, value);
    return node && node->op == CORE_DEQUANTIZE ? node : NULL;
}

/* A node whose only output is new, or `out` where that is given. Its output's id, or GRAPH_NONE. */
int qdq_add_node(struct graph *graph, enum core_op op, const struct node *like, const char *suffix, const int *inputs, unsigned count,
                    enum element element, const struct shape *shape, int out)
{
    if (out == GRAPH_NONE) {
        out = edit_constant(graph, like->name, suffix, element, shape, NULL);
        if (out == GRAPH_NONE)
            return GRAPH_NONE;
        graph->values[out].contents = CONTENTS_NONE;
    }
    struct attributes at = like->at; /* `like` moves when nodes are added */
    int node = graph_add_node(graph, op, like->name, like->onnx_type, inputs, count);
    if (node == GRAPH_NONE)
        return GRAPH_NONE;
    graph->nodes[node].at = at;
    return graph_add_output(graph, node, out);
}

/* --- moves ----------------------------------------------------------------------------------------------------------------- */

/* The axis of the scales once `node` has moved the numbers; -1: they have none any more. */
static int64_t axis_behind(const struct graph *graph, const struct node *node, const struct node *dequantize)
{
    if (qdq_is_scalar(graph, dequantize))
        return dequantize->at.axis;
    int64_t axis = -1;
    for (unsigned d = 0; node->op == CORE_TRANSPOSE && d < graph->values[node->outputs[0]].shape.rank; d++)
        axis = node->at.perm[d] == dequantize->at.axis ? d : axis;
    return axis;
}

/* Does the node do the same to the integers? */
static bool only_moves(struct graph *graph, const struct node *node, const struct node *dequantize)
{
    enum element element = graph->values[dequantize->inputs[0]].element;
    if (node->op == CORE_MAXPOOL || node->op == CORE_SLICE)
        return (element == ELEMENT_U8 || element == ELEMENT_S8) && qdq_is_scalar(graph, dequantize) && qdq_entry(graph, dequantize->inputs[1], 0) > 0;
    return node->op == CORE_RESHAPE || node->op == CORE_TRANSPOSE;
}

/* What only moves or picks numbers behind a dequantize moves before it: the bytes move, and what follows finds the dequantize. Weights move at once. */
static enum weft_status move_before(struct graph *graph, int id, struct weft_diag *diag)
{
    const struct node *node = &graph->nodes[id], *before = node->input_count ? qdq_dequantize_of(graph, node->inputs[0]) : NULL;
    if (node->dead || !before || !only_moves(graph, node, before))
        return WEFT_OK;
    int64_t axis = axis_behind(graph, node, before);
    if (axis < 0)
        return WEFT_OK;
    int out = node->outputs[0], by_number = (int)(before - graph->nodes),
        inputs[3] = {before->inputs[0], before->inputs[1], before->inputs[2]};
    bool weights = value_is_constant(&graph->values[inputs[0]]);
    struct shape shape = graph->values[out].shape;
    inputs[0] = qdq_add_node(graph, node->op, node, "bytes", inputs, 1, graph->values[inputs[0]].element, &shape, GRAPH_NONE);
    if (inputs[0] == GRAPH_NONE)
        return WEFT_NO_MEMORY;
    enum weft_status status = weights ? edit_fold(graph, edit_producer(graph, inputs[0]), diag) : WEFT_OK;
    if (status)
        return status;
    edit_kill(graph, &graph->nodes[id]);
    int made = qdq_add_node(graph, CORE_DEQUANTIZE, &graph->nodes[by_number], "", inputs, 3, ELEMENT_F32, NULL, out);
    if (made == GRAPH_NONE)
        return WEFT_NO_MEMORY;
    edit_producer(graph, made)->at.axis = axis;
    return WEFT_OK;
}

/* --- twins ----------------------------------------------------------------------------------------------------------------- */

static bool same_number(struct graph *graph, int a, int b)
{
    return a == b || (graph->values[a].element == graph->values[b].element && qdq_entry(graph, a, 0) == qdq_entry(graph, b, 0));
}

static bool are_twins(struct graph *graph, const struct node *a, const struct node *b)
{
    return graph->values[a->outputs[0]].element == graph->values[b->outputs[0]].element && same_number(graph, a->inputs[1], b->inputs[1]) &&
           same_number(graph, a->inputs[2], b->inputs[2]);
}

/* Some exporters write a QuantizeLinear for each reader of a value. */
static enum weft_status join_twins(struct graph *graph)
{
    int *first = malloc(((size_t)graph->value_count + 1) * sizeof *first); /* by value: the first that quantizes it */
    if (!first)
        return WEFT_NO_MEMORY;
    for (int i = 0; i < graph->value_count; i++)
        first[i] = GRAPH_NONE;
    for (int i = 0; i < graph->node_count; i++) {
        struct node *node = &graph->nodes[i];
        if (node->dead || node->op != CORE_QUANTIZE || !qdq_is_scalar(graph, node))
            continue;
        int *before = &first[node->inputs[0]];
        if (*before == GRAPH_NONE)
            *before = i;
        else if (!graph_is_output(graph, node->outputs[0]) && are_twins(graph, &graph->nodes[*before], node))
            edit_bypass(graph, node, graph->nodes[*before].outputs[0]);
    }
    free(first);
    return WEFT_OK;
}

enum weft_status qdq_arrange(struct graph *graph, struct weft_diag *diag)
{
    enum weft_status status = join_twins(graph);
    for (int i = 0, count = graph->node_count; i < count && !status; i++)
        status = move_before(graph, i, diag);
    return status;
}
