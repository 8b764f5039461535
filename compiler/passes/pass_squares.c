/* pass_squares.c: a sum or mean of squares that nobody else reads is one reduction, which squares what it takes (a variance, a norm): the squares need not
 * be stored and read again. */
#include "element.h"
#include "pass_edit.h"
#include "passes.h"

static bool is_two(struct graph *graph, int value)
{
    const struct value *v = &graph->values[value];
    return value_is_constant(v) && shape_count(&v->shape) == 1 && v->shape.rank <= 1 && edit_is_all(graph, value, 2);
}

/* What `value` is the square of, or GRAPH_NONE. */
static int root_of(struct graph *graph, int value)
{
    const struct node *node = edit_producer(graph, value);
    if (!node || !edit_only_reader(graph, value) || !element_is_float(graph->values[value].element))
        return GRAPH_NONE;
    bool product = node->op == CORE_MUL && node->inputs[0] == node->inputs[1];
    bool power = node->op == CORE_POW && is_two(graph, node->inputs[1]) && graph->values[node->inputs[0]].shape.rank > 0;
    return product || power ? node->inputs[0] : GRAPH_NONE;
}

enum weft_status pass_squares(struct graph *graph, struct weft_diag *diag)
{
    for (int i = 0; i < graph->node_count; i++) {
        struct node *node = &graph->nodes[i];
        if (node->dead || (node->op != CORE_REDUCE_SUM && node->op != CORE_REDUCE_MEAN))
            continue;
        int root = root_of(graph, node->inputs[0]);
        if (root == GRAPH_NONE)
            continue;
        node->op = node->op == CORE_REDUCE_SUM ? CORE_REDUCE_SQUARES : CORE_REDUCE_MEAN_SQUARES;
        node->inputs[0] = root;
    }
    return WEFT_OK;
}
