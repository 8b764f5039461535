/* pass_identity.c: nodes that change nothing go, and chains of reshapes or transposes become one. */
#include "pass_edit.h"
#include "passes.h"

static bool perm_is_identity(const struct node *node, unsigned rank)
{
    for (unsigned d = 0; d < rank; d++)
        if (node->at.perm[d] != d)
            return false;
    return true;
}

static bool steps_are_one(const struct node *node, unsigned rank)
{
    for (unsigned d = 0; d < rank; d++)
        if (node->at.steps[d] != 1)
            return false;
    return true;
}

static bool window_is_one(const struct node *node)
{
    for (unsigned d = 0; d < node->at.spatial; d++)
        if (node->at.kernel[d] != 1 || node->at.stride[d] > 1 || node->at.pad_begin[d] || node->at.pad_end[d])
            return false;
    return true;
}

static bool constant_is(struct graph *graph, const struct node *node, unsigned input, double number)
{
    return value_is_constant(&graph->values[node->inputs[input]]) && edit_is_all(graph, node->inputs[input], number);
}

/* The input that the node passes on, given that shape and type of input 0 are the output's; or GRAPH_NONE. */
static int passed_on(struct graph *graph, const struct node *node, unsigned rank)
{
    const struct node *before = edit_producer(graph, node->inputs[0]);
    bool same = false;
    switch (node->op) {
    case CORE_RESHAPE:
    case CORE_EXPAND:
    case CORE_CAST:
    case CORE_PAD:
        same = true;
        break; /* the shape says it */
    case CORE_CONCAT:
        same = node->input_count == 1;
        break;
    case CORE_SLICE:
        same = steps_are_one(node, rank);
        break;
    case CORE_TRANSPOSE:
        same = perm_is_identity(node, rank);
        break;
    case CORE_MAXPOOL:
    case CORE_AVERAGEPOOL:
        same = window_is_one(node);
        break;
    case CORE_ADD:
    case CORE_SUB:
        same = constant_is(graph, node, 1, 0);
        break;
    case CORE_MUL:
    case CORE_DIV:
    case CORE_POW:
        same = constant_is(graph, node, 1, 1);
        break;
    case CORE_RELU:
    case CORE_ABS:
    case CORE_FLOOR:
    case CORE_CEIL:
        same = before && before->op == node->op;
        break;
    default:
        break;
    }
    return same ? node->inputs[0] : GRAPH_NONE;
}

static bool pad_is_nothing(const struct node *node, unsigned rank)
{
    for (unsigned d = 0; d < rank; d++)
        if (node->at.begins[d] || node->at.ends[d])
            return false; /* a shift by one keeps the shape and is no identity */
    return true;
}

static int unchanged_input(struct graph *graph, const struct node *node)
{
    const struct value *y = &graph->values[node->outputs[0]];
    const struct value *x = node->inputs[0] == GRAPH_NONE ? NULL : &graph->values[node->inputs[0]];
    if (x && x->element == y->element && shape_equal(&x->shape, &y->shape) &&
        (node->op != CORE_PAD || pad_is_nothing(node, y->shape.rank))) {
        int value = passed_on(graph, node, y->shape.rank);
        if (value != GRAPH_NONE)
            return value;
    }
    if (node->op != CORE_ADD && node->op != CORE_MUL)
        return GRAPH_NONE;
    const struct value *b = &graph->values[node->inputs[1]]; /* 0 + b, 1 x b */
    bool same = b->element == y->element && shape_equal(&b->shape, &y->shape) && constant_is(graph, node, 0, node->op == CORE_MUL);
    return same ? node->inputs[1] : GRAPH_NONE;
}

/* Reads past a node of its own kind that stands before it. */
static void join_chain(struct graph *graph, struct node *node)
{
    const struct node *before = edit_producer(graph, node->inputs[0]);
    if (!before || before->op != node->op)
        return;
    if (node->op == CORE_TRANSPOSE)
        for (unsigned d = 0; d < graph->values[node->outputs[0]].shape.rank; d++)
            node->at.perm[d] = before->at.perm[node->at.perm[d]];
    node->inputs[0] = before->inputs[0];
}

enum weft_status pass_identity(struct graph *graph, struct weft_diag *diag)
{
    for (int i = 0; i < graph->node_count; i++) {
        struct node *node = &graph->nodes[i];
        if (node->dead || node->output_count != 1)
            continue;
        if (node->op == CORE_RESHAPE || node->op == CORE_TRANSPOSE)
            join_chain(graph, node);
        int value = unchanged_input(graph, node);
        if (value != GRAPH_NONE)
            edit_bypass(graph, node, value);
    }
    return WEFT_OK;
}
