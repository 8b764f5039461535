/* verify.c: what must hold of a graph after each pass. A message of this file names a bug of Weft, not of the network. */
#include "graph.h"

#include <stdlib.h>

#define BROKEN(...) weft_error(diag, __VA_ARGS__)

static const struct {
    unsigned low, high;
} arity[] = {
#define CORE_OP(ID, name, min_inputs, max_inputs, meaning) {min_inputs, max_inputs},
#include "op.def"
};

static enum weft_status verify_shape(const struct value *value, struct weft_diag *diag)
{
    int64_t count = 1;
    if (value->shape.rank > GRAPH_RANK_MAX)
        return BROKEN("internal: value %s has %u dimensions", value->name, value->shape.rank);
    for (unsigned i = 0; i < value->shape.rank; i++) {
        if (value->shape.dims[i] < 0)
            return BROKEN("internal: value %s has dimension %lld", value->name, (long long)value->shape.dims[i]);
        if (__builtin_mul_overflow(count, value->shape.dims[i], &count))
            return BROKEN("internal: value %s is too large", value->name);
    }
    if (value->contents == CONTENTS_BYTES && !value->bytes)
        return BROKEN("internal: constant %s has no bytes", value->name);
    return WEFT_OK;
}

static enum weft_status verify_value(const struct graph *graph, int id, struct weft_diag *diag)
{
    const struct value *value = &graph->values[id];
    if (value->producer == GRAPH_NONE)
        return verify_shape(value, diag);
    if (value->producer < 0 || value->producer >= graph->node_count)
        return BROKEN("internal: value %s is made by node %d of %d", value->name, value->producer, graph->node_count);
    const struct node *node = &graph->nodes[value->producer];
    bool found = false;
    for (unsigned k = 0; k < node->output_count; k++)
        found |= node->outputs[k] == id;
    if (!found)
        return BROKEN("internal: value %s is no output of its producer %s", value->name, node->name);
    if (value_is_constant(value))
        return BROKEN("internal: constant %s is made by node %s", value->name, node->name);
    return verify_shape(value, diag);
}

static enum weft_status verify_input(const struct graph *graph, const struct node *node, unsigned slot, const bool *made,
                                     struct weft_diag *diag)
{
    int value = node->inputs[slot];
    if (value == GRAPH_NONE)
        return slot < arity[node->op].low ? BROKEN("internal: node %s (%s) lacks input %u", node->name, core_op_name(node->op), slot)
                                          : WEFT_OK;
    if (value < 0 || value >= graph->value_count)
        return BROKEN("internal: node %s reads value %d of %d", node->name, value, graph->value_count);
    if (!made[value])
        return BROKEN("internal: node %s reads value %s before it is made", node->name, graph->values[value].name);
    return WEFT_OK;
}

static enum weft_status verify_node(const struct graph *graph, int id, bool *made, struct weft_diag *diag)
{
    const struct node *node = &graph->nodes[id];
    if (node->input_count < arity[node->op].low || node->input_count > arity[node->op].high)
        return BROKEN("internal: node %s (%s) has %u inputs", node->name, core_op_name(node->op), node->input_count);
    for (unsigned k = 0; k < node->input_count; k++)
        if (verify_input(graph, node, k, made, diag))
            return WEFT_ERROR;
    if (!node->output_count)
        return BROKEN("internal: node %s (%s) has no output", node->name, core_op_name(node->op));
    for (unsigned k = 0; k < node->output_count; k++) {
        int value = node->outputs[k];
        if (value < 0 || value >= graph->value_count || graph->values[value].producer != id)
            return BROKEN("internal: output %u of node %s is not its own", k, node->name);
        made[value] = true;
    }
    return WEFT_OK;
}

static enum weft_status verify_made(const struct graph *graph, bool *made, struct weft_diag *diag)
{
    for (int i = 0; i < graph->value_count; i++) {
        if (verify_value(graph, i, diag))
            return WEFT_ERROR;
        made[i] = value_is_constant(&graph->values[i]);
    }
    for (unsigned k = 0; k < graph->input_count; k++) {
        const struct value *value = &graph->values[graph->inputs[k]];
        if (value->producer != GRAPH_NONE || made[graph->inputs[k]])
            return BROKEN("internal: network input %s is made inside or given twice", value->name);
        made[graph->inputs[k]] = true;
    }
    for (int i = 0; i < graph->node_count; i++)
        if (!graph->nodes[i].dead && verify_node(graph, i, made, diag))
            return WEFT_ERROR;
    for (unsigned k = 0; k < graph->output_count; k++)
        if (!made[graph->outputs[k]])
            return BROKEN("internal: network output %s is never made", graph->values[graph->outputs[k]].name);
    return WEFT_OK;
}

enum weft_status graph_verify(const struct graph *graph, struct weft_diag *diag)
{
    bool *made = calloc((size_t)graph->value_count + 1, sizeof *made);
    if (!made)
        return WEFT_NO_MEMORY;
    enum weft_status status = verify_made(graph, made, diag);
    free(made);
    return status;
}
