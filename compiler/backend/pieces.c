/* pieces.c: a product of a whole sequence, such as the logits of all steps of a recurrent network, in pieces of the sequence.
 *
 * Where the result leaves the network and the host link takes longer for it than the array, it is worth a second fetch of the weights to have the first
 * piece early: it leaves while the steps behind it are computed. What stands between the concatenation of the steps and the output is done for each piece, and
 * the output becomes the concatenation of the pieces, which lies in place. */
#include "mapping.h"

#include <stdio.h>

enum { LONGEST = 8, PIECES_MOST = 8 };

/* The nodes from a concatenation of steps down to an output, and the axis of the steps in front of each and behind the last. */
struct trail { int concat, nodes[LONGEST], count; int64_t axes[LONGEST + 1]; int product; };

/* Which input is the data; the others are constants. -1: no such node. */
static int data_input(const struct graph *g, const struct node *n)
{
    switch (n->op) {
    case CORE_RESHAPE:
    case CORE_TRANSPOSE:
        return 0;
    case CORE_MATMUL:
    case CORE_GEMM:
        return !value_is_constant(&g->values[n->inputs[0]]) && value_is_constant(&g->values[n->inputs[1]]) && g->values[n->inputs[1]].shape.rank == 2 ? 0 : -1;
    case CORE_ADD:
        return value_is_constant(&g->values[n->inputs[1]]) ? 0 : value_is_constant(&g->values[n->inputs[0]]) ? 1 : -1;
    default:
        return -1;
    }
}

/* Upwards from the output: the trail is filled from its end. From the product on nobody else may look. */
static bool find_nodes(const struct graph *g, int output, struct trail *t)
{
    int found[LONGEST], count = 0, value = output, node;
    t->product = GRAPH_NONE;
    for (; (node = g->values[value].producer) != GRAPH_NONE && g->nodes[node].op != CORE_CONCAT; value = g->nodes[node].inputs[data_input(g, &g->nodes[node])]) {
        if (count == LONGEST || data_input(g, &g->nodes[node]) < 0 || (t->product == GRAPH_NONE && graph_uses(g, value) > 1))
            return false;
        if (g->nodes[node].op == CORE_MATMUL || g->nodes[node].op == CORE_GEMM)
            t->product = node;
        found[count++] = node;
    }
    t->concat = node;
    t->count = count;
    for (int i = 0; i < count; i++)
        t->nodes[i] = found[count - 1 - i];
    return node != GRAPH_NONE && t->product != GRAPH_NONE && g->nodes[node].input_count > 1;
}

/* The axis whose outermost part holds the same elements. */
static int64_t reshaped_axis(const struct shape *x, const struct shape *y, int64_t axis)
{
    int64_t before = 1, outer = 1;
    for (int64_t d = 0; d < axis; d++)
        before *= x->dims[d];
    for (unsigned d = 0; d < y->rank; outer *= y->dims[d++])
        if (outer == before && y->dims[d] > 1)
            return d;
    return -1;
}

static int64_t axis_behind(const struct graph *g, const struct node *n, int64_t axis)
{
    int data = data_input(g, n);
    const struct shape *x = &g->values[n->inputs[data]].shape, *y = &g->values[n->outputs[0]].shape;
    if (n->op == CORE_RESHAPE)
        return reshaped_axis(x, y, axis);
    if (n->op == CORE_TRANSPOSE) {
        for (unsigned d = 0; d < y->rank; d++)
            if (n->at.perm[d] == axis)
                return d;
        return -1;
    }
    if (n->op == CORE_ADD) {
        const struct shape *c = &g->values[n->inputs[1 - data]].shape;
        int64_t own = axis - ((int64_t)y->rank - (int64_t)c->rank);
        return x->rank == y->rank && (own < 0 || c->dims[own] == 1) ? axis : -1;
    }
    bool of_rows = n->op == CORE_GEMM ? axis == 0 && !n->at.trans_a && n->input_count == 2 : axis + 1 < (int64_t)x->rank;
    return of_rows ? axis : -1;
}

static bool find_axes(const struct graph *g, struct trail *t)
{
    t->axes[0] = g->nodes[t->concat].at.axis;
    for (int i = 0; i < t->count; i++)
        if ((t->axes[i + 1] = axis_behind(g, &g->nodes[t->nodes[i]], t->axes[i])) < 0)
            return false;
    return true;
}

static bool divides(const struct graph *g, const struct trail *t, unsigned pieces)
{
    const struct node *concat = &g->nodes[t->concat];
    if (concat->input_count % pieces)
        return false;
    for (unsigned k = 1; k < concat->input_count; k++)
        if (g->values[concat->inputs[k]].shape.dims[t->axes[0]] != g->values[concat->inputs[0]].shape.dims[t->axes[0]])
            return false;
    for (int i = 0; i < t->count; i++)
        if (g->values[g->nodes[t->nodes[i]].outputs[0]].shape.dims[t->axes[i + 1]] % (int64_t)pieces)
            return false;
    return true;
}

static double cycles_of(const struct backend *b, double bytes, uint64_t per_second)
{
    return bytes * (double)b->machine->clock_hz / (double)per_second;
}

/* Cycles in which nothing else can go on: of each piece's product and of what the last one leaves behind it. */
static double price(const struct backend *b, const struct trail *t, unsigned pieces)
{
    const struct node *n = &b->graph->nodes[t->product];
    const struct shape *y = &b->graph->values[n->outputs[0]].shape;
    double outputs = (double)shape_count(y), weights = (double)shape_count(&b->graph->values[n->inputs[1]].shape);
    double product = outputs * weights / (double)y->dims[y->rank - 1] / (double)backend_cells(b) / pieces;
    double fetch = cycles_of(b, weights * (b->planes ? 2 : 1), b->machine->dram_bytes_per_second), each = product > fetch ? product : fetch;
    double leaves = cycles_of(b, outputs * (b->planes > 1 ? 4 : b->planes ? 2 : 1), b->machine->link_out_bytes_per_second) / pieces;
    return each * (pieces - 1) + (each > leaves ? each : leaves);
}

static unsigned best_count(const struct backend *b, const struct trail *t)
{
    unsigned best = 1;
    for (unsigned pieces = 2; pieces <= PIECES_MOST; pieces *= 2)
        if (divides(b->graph, t, pieces) && price(b, t, pieces) < price(b, t, best))
            best = pieces;
    return best;
}

/* --- the pieces ----------------------------------------------------------------------------------------------------------------- */

static int add_value(struct graph *g, int like, const struct shape *shape, unsigned piece)
{
    char name[256];
    snprintf(name, sizeof name, "%.240s/piece%u", g->values[like].name, piece);
    return graph_add_value(g, name, g->values[like].element, shape);
}

/* A node like `like`, which reads `inputs` and makes a piece of what that makes. */
static int add_node(struct graph *g, int like, const int *inputs, unsigned count, const struct shape *shape, unsigned piece)
{
    int value = add_value(g, g->nodes[like].outputs[0], shape, piece);
    int node = value < 0 ? GRAPH_NONE : graph_add_node(g, g->nodes[like].op, g->values[value].name, g->nodes[like].onnx_type, inputs, count);
    if (node < 0 || graph_add_output(g, node, value) < 0)
        return GRAPH_NONE;
    g->nodes[node].at = g->nodes[like].at;
    return value;
}

static int piece_of_concat(struct graph *g, const struct trail *t, unsigned piece, unsigned pieces)
{
    int inputs[NODE_INPUTS_MAX];
    unsigned each = g->nodes[t->concat].input_count / pieces;
    struct shape shape = g->values[g->nodes[t->concat].outputs[0]].shape;
    for (unsigned k = 0; k < each; k++)
        inputs[k] = g->nodes[t->concat].inputs[piece * each + k];
    shape.dims[t->axes[0]] /= (int64_t)pieces;
    return each == 1 ? inputs[0] : add_node(g, t->concat, inputs, each, &shape, piece);
}

static int add_piece(struct graph *g, const struct trail *t, unsigned piece, unsigned pieces)
{
    int value = piece_of_concat(g, t, piece, pieces);
    for (int i = 0; i < t->count && value >= 0; i++) {
        int inputs[NODE_INPUTS_MAX], node = t->nodes[i];
        unsigned count = g->nodes[node].input_count;
        for (unsigned k = 0; k < count; k++)
            inputs[k] = g->nodes[node].inputs[k];
        inputs[data_input(g, &g->nodes[node])] = value;
        struct shape shape = g->values[g->nodes[node].outputs[0]].shape;
        shape.dims[t->axes[i + 1]] /= (int64_t)pieces;
        value = add_node(g, node, inputs, count, &shape, piece);
    }
    return value;
}

static bool is_new(const struct graph *g, int node, const void *first)
{
    return node >= *(const int *)first;
}

static enum weft_status cut(struct backend *b, int output, const struct trail *t, unsigned pieces)
{
    struct graph *g = b->graph;
    int parts[PIECES_MOST], first = g->node_count;
    for (unsigned p = 0; p < pieces; p++)
        if ((parts[p] = add_piece(g, t, p, pieces)) < 0)
            return WEFT_NO_MEMORY;
    int last = t->nodes[t->count - 1], joined = graph_add_node(g, CORE_CONCAT, g->nodes[last].name, g->nodes[last].onnx_type, parts, pieces);
    if (joined < 0)
        return WEFT_NO_MEMORY;
    g->nodes[joined].at.axis = t->axes[t->count];
    g->nodes[last].output_count = 0;
    g->nodes[last].dead = true;
    g->values[output].producer = GRAPH_NONE;
    if (graph_add_output(g, joined, output) < 0)
        return WEFT_NO_MEMORY;
    return graph_hoist(g, is_new, &first, b->diag);
}

enum weft_status backend_pieces(struct backend *b)
{
    struct graph *g = b->graph;
    bool any = false;
    enum weft_status status = WEFT_OK;
    for (unsigned i = 0; i < g->output_count && !status && !b->may_spill; i++) { /* bands are pieces enough */
        struct trail t;
        unsigned pieces = find_nodes(g, g->outputs[i], &t) && find_axes(g, &t) ? best_count(b, &t) : 1;
        if (pieces == 1)
            continue;
        status = cut(b, g->outputs[i], &t, pieces);
        any = true;
    }
    if (any && !status)
        graph_sweep(g);
    return status;
}
