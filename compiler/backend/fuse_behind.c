/* fuse_behind.c: what stands behind a product or a vector operation and is done on the way out of it: bias, residual, function; and nodes that become a
 * table. */
#include "emit.h"
#include "fuse.h"

#include <string.h>

/* The one node that reads `value`, or GRAPH_NONE when there are more, or it is an output of the network. */
int fuse_only_reader(const struct backend *b, int value)
{
    return b->uses[value] == 1 ? b->reader[value] : GRAPH_NONE;
}

/* Does a constant of this shape add one number to each channel (dimension `axis`) of a value of shape y? */
bool fuse_per_channel(const struct shape *c, const struct shape *y, unsigned axis)
{
    if (c->rank > y->rank)
        return false;
    for (unsigned d = 0; d < c->rank; d++) {
        unsigned at = y->rank - c->rank + d;
        if (c->dims[d] != 1 && !(at == axis && c->dims[d] == y->dims[at]))
            return false;
    }
    return true;
}

/* Does the vector unit apply it on the way? Clips need integers, whose result is clamped anyway. */
static bool is_function(const struct backend *b, enum core_op op)
{
    return op == CORE_CLIP ? !b->planes : op != CORE_FLOOR && machine_function(op) != WEFT_FUNCTION_none;
}

static bool fuse_bias(struct backend *b, struct layer *layer, const struct node *next, unsigned axis)
{
    struct graph *g = b->graph;
    if (next->op != CORE_ADD)
        return false;
    int other = next->inputs[0] == layer->y ? next->inputs[1] : next->inputs[0];
    if (layer->m->bias[1] != GRAPH_NONE || !backend_is_constant(b, other) ||
        g->values[other].element != ELEMENT_F32 || !shape_equal(&g->values[next->outputs[0]].shape, &g->values[layer->y].shape) ||
        !fuse_per_channel(&g->values[other].shape, &g->values[layer->y].shape, axis))
        return false;
    layer->m->bias[1] = other;
    return true;
}

bool fuse_made_before(const struct graph *graph, int value, int node)
{
    return graph->values[value].producer == GRAPH_NONE || graph->values[value].producer < node;
}

static bool fuse_residual(struct backend *b, struct layer *layer, const struct node *next)
{
    struct graph *g = b->graph;
    if (next->op != CORE_ADD || layer->residual != GRAPH_NONE || next->inputs[0] == next->inputs[1])
        return false;
    int other = next->inputs[0] == layer->y ? next->inputs[1] : next->inputs[0];
    if (backend_is_constant(b, other) || !shape_equal(&g->values[other].shape, &g->values[layer->y].shape) ||
        !fuse_made_before(g, other, layer->node))
        return false;
    layer->residual = other;
    return true;
}

static void take_chain(struct backend *b, struct layer *layer, const int *nodes, int count, bool *taken)
{
    memcpy(layer->chain, nodes, (size_t)count * sizeof *nodes);
    layer->chain_count = count;
    layer->function = nodes[count - 1];
    layer->y = b->graph->nodes[nodes[count - 1]].outputs[0];
    for (int i = 0; i < count; i++)
        taken[nodes[i]] = true;
}

/* Nodes that one table can do. A single number (the scale that a network computes for itself) stays real: a table would round it, and save nothing. */
static int find_table(const struct backend *b, int value, bool keep_first, int nodes[CHAIN_MAX])
{
    return shape_count(&b->graph->values[value].shape) == 1 ? 0 : chain_find(b, value, keep_first, nodes);
}

/* Several elementwise nodes behind the layer as one table. */
static bool fuse_chain(struct backend *b, struct layer *layer, bool *taken)
{
    int nodes[CHAIN_MAX], count = find_table(b, layer->y, false, nodes);
    if (count < 2)
        return false;
    layer->preact = layer->y;
    take_chain(b, layer, nodes, count, taken);
    return true;
}

/* One function behind the layer: several nodes as a table, or one that the vector unit has. */
void fuse_function(struct backend *b, struct layer *layer, bool *taken)
{
    int next = fuse_only_reader(b, layer->y);
    if (fuse_chain(b, layer, taken) || next == GRAPH_NONE || !is_function(b, b->graph->nodes[next].op))
        return;
    layer->preact = layer->y;
    take_chain(b, layer, &next, 1, taken);
}

/* Takes the nodes behind the product into the layer: biases and a residual, while each is the only reader of the one before, and one function. */
void fuse_behind(struct backend *b, struct layer *layer, bool *taken)
{
    unsigned axis = b->graph->nodes[layer->node].op == CORE_CONV ? 1 : b->graph->values[layer->y].shape.rank - 1;
    for (int next; layer->kind == LAYER_MATRIX && (next = fuse_only_reader(b, layer->y)) != GRAPH_NONE;) {
        const struct node *n = &b->graph->nodes[next];
        if (!((layer->residual == GRAPH_NONE && fuse_bias(b, layer, n, axis)) || fuse_residual(b, layer, n)))
            break;
        taken[next] = true;
        layer->y = n->outputs[0];
    }
    fuse_function(b, layer, taken);
}

/* A relu or clip of the network's own integers, which have their bytes already: the bounds to which they are clamped anyway. */
void fuse_clamp(struct backend *b, struct layer *layer, bool *taken)
{
    int next = fuse_only_reader(b, layer->y);
    enum core_op op = next == GRAPH_NONE ? CORE_ADD : b->graph->nodes[next].op;
    if (layer->m->raw || (op != CORE_RELU && op != CORE_CLIP))
        return;
    layer->function = next;
    layer->y = b->graph->nodes[next].outputs[0];
    taken[next] = true;
}

/* The one operand that is no constant, or GRAPH_NONE. */
static int only_operand(const struct backend *b, const struct node *n)
{
    int only = GRAPH_NONE;
    for (unsigned k = 0; k < n->input_count; k++) {
        if (backend_is_constant(b, n->inputs[k]) || n->inputs[k] == only)
            continue;
        if (only != GRAPH_NONE)
            return GRAPH_NONE;
        only = n->inputs[k];
    }
    return only;
}

/* Several elementwise nodes over one value that is there already, from `node` on, as one table; false: there are none. */
bool fuse_table(struct backend *b, int node, bool *taken)
{
    int nodes[CHAIN_MAX], x = only_operand(b, &b->graph->nodes[node]), count = x == GRAPH_NONE ? 0 : find_table(b, x, true, nodes);
    if (count < 2 || nodes[0] != node)
        return false;
    struct layer *layer = fuse_add(b, LAYER_UNARY, nodes[count - 1]);
    if (!layer)
        return true; /* out of memory: said by whoever looks */
    layer->x = x;
    layer->other = GRAPH_NONE;
    take_chain(b, layer, nodes, count, taken);
    layer->function = GRAPH_NONE;
    return true;
}
