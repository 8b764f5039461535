/* pass_hoist.c: sums of two computed values stand right behind the later of them. Exporters may write a whole sum of branches behind the last branch (skip
 * connections of a WaveNet): each branch would wait in the buffer until then. Behind its branch a sum is the residual of the product in front of it, and
 * one value waits instead of all. */
#include "passes.h"

static bool is_computed(const struct graph *graph, int value)
{
    return graph->values[value].producer != GRAPH_NONE && !value_is_constant(&graph->values[value]);
}

static bool is_sum(const struct graph *graph, int node, const void *user)
{
    const struct node *n = &graph->nodes[node];
    return n->op == CORE_ADD && !n->dead && is_computed(graph, n->inputs[0]) && is_computed(graph, n->inputs[1]);
}

enum weft_status pass_hoist(struct graph *graph, struct weft_diag *diag)
{
    return graph_hoist(graph, is_sum, NULL, diag);
}
