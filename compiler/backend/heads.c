/* heads.c: attention a few heads at a time. The scores of all heads grow with the square of the sequence; where a network does not fit the buffer and they fill much of it, what lies between the
 * product that makes them and the product that reads their shares is done for some heads, then for the next, and only the results of all heads are ever there.
 *
 * A trail is that run of nodes: scores, what is done to them element by element, softmax, the second product, and a transpose behind it. Each piece is a copy of
 * it that reads slices of the operands; the pieces' results are joined. Transposes in front of the products and behind stay next to them, where they fold. */
#include "backend.h"

#include <stdio.h>
#include <stdlib.h>

enum { LONGEST = 12, FILLS = 8 /* scores beyond one part in so many of the buffer; a piece has half of that */ };

struct trail { int nodes[LONGEST], count, data[LONGEST]; /* which input of each the node before makes; -1: the first */ unsigned axis, joined; int64_t pieces; };

static const struct shape *shape_of(const struct graph *g, int value)
{
    return &g->values[value].shape;
}

static bool is_computed_product(const struct graph *g, const struct node *n)
{
    return n->op == CORE_MATMUL && !value_is_constant(&g->values[n->inputs[0]]) && !value_is_constant(&g->values[n->inputs[1]]) &&
           g->values[n->outputs[0]].element == ELEMENT_F32 && shape_of(g, n->outputs[0])->rank > 2;
}

static bool is_elementwise(enum core_op op)
{
    return op == CORE_ADD || op == CORE_SUB || op == CORE_MUL || op == CORE_DIV || op == CORE_MAX || op == CORE_MIN || op == CORE_WHERE || op == CORE_CLIP;
}

/* The one living node that reads a value; GRAPH_NONE: several do, or it leaves. */
static int only_reader(const struct graph *g, int value, int after)
{
    if (graph_uses(g, value) != 1)
        return GRAPH_NONE;
    for (int i = after + 1; i < g->node_count; i++)
        for (unsigned k = 0; k < g->nodes[i].input_count; k++)
            if (g->nodes[i].inputs[k] == value)
                return g->nodes[i].dead ? GRAPH_NONE : i;
    return GRAPH_NONE;
}

static int input_index(const struct node *n, int value)
{
    int k = (int)n->input_count - 1;
    while (k >= 0 && n->inputs[k] != value)
        k--;
    return k;
}

/* Where the axis of a result of `rank` dimensions lies in an operand that is broadcast to it; -1: it has none, or one element for all. */
static int axis_in(const struct shape *operand, unsigned rank, unsigned axis)
{
    int own = (int)axis - (int)(rank - operand->rank);
    return own < 0 || operand->dims[own] == 1 ? -1 : own;
}

/* All other operands can be sliced, or are the same for all heads. */
static bool operands_fit(const struct graph *g, const struct node *n, int data, unsigned axis)
{
    unsigned rank = shape_of(g, n->outputs[0])->rank;
    for (unsigned k = 0; k < n->input_count; k++) {
        int value = n->inputs[k];
        if ((int)k != data && value != GRAPH_NONE && axis_in(shape_of(g, value), rank, axis) >= 0 && value_is_constant(&g->values[value]))
            return false;
    }
    return true;
}

static bool append(const struct graph *g, struct trail *t, int node, int from)
{
    const struct node *n = &g->nodes[node];
    if (t->count == LONGEST || n->output_count != 1)
        return false;
    t->nodes[t->count] = node;
    t->data[t->count++] = from == GRAPH_NONE ? -1 : input_index(n, from);
    return operands_fit(g, n, t->data[t->count - 1], t->axis);
}

/* From the scores on. */
static bool find_trail(const struct graph *g, int scores, struct trail *t)
{
    unsigned rank = shape_of(g, g->nodes[scores].outputs[0])->rank;
    *t = (struct trail){.axis = rank - 3};
    bool more = append(g, t, scores, GRAPH_NONE);
    for (int node = scores; more;) {
        int value = g->nodes[node].outputs[0];
        node = only_reader(g, value, node);
        const struct node *n = node == GRAPH_NONE ? NULL : &g->nodes[node];
        if (!n || shape_of(g, n->outputs[0])->rank != rank || shape_of(g, n->outputs[0])->dims[t->axis] != shape_of(g, value)->dims[t->axis] || !append(g, t, node, value))
            return false;
        if (is_computed_product(g, n))
            return n->inputs[0] == value && n->inputs[1] != value;
        more = is_elementwise(n->op) || (n->op == CORE_SOFTMAX && n->at.axis > (int64_t)t->axis);
    }
    return false;
}

static void add_transpose(const struct graph *g, struct trail *t)
{
    int last = t->nodes[t->count - 1], value = g->nodes[last].outputs[0], node = only_reader(g, value, last);
    t->joined = t->axis;
    if (node == GRAPH_NONE || g->nodes[node].op != CORE_TRANSPOSE || t->count == LONGEST)
        return;
    t->nodes[t->count] = node;
    t->data[t->count++] = 0;
    while (g->nodes[node].at.perm[t->joined] != (int64_t)t->axis)
        t->joined = (t->joined + 1) % shape_of(g, value)->rank;
}

/* As few pieces as make the scores of one inference small enough; 1: they are. */
static int64_t pieces_of(const struct backend *b, const struct graph *g, const struct trail *t)
{
    const struct shape *scores = shape_of(g, g->nodes[t->nodes[0]].outputs[0]);
    int64_t bytes = b->planes || b->format == COMPILE_INT16 ? 4 : 2, heads = scores->dims[t->axis], pieces = 1;
    uint64_t all = (uint64_t)(shape_count(scores) * bytes / (t->axis ? scores->dims[0] : 1)), room = b->machine->ub_bytes / FILLS;
    if (all <= room)
        return 1;
    while (pieces < heads && (heads % pieces || all / (uint64_t)pieces > room / 2))
        pieces++;
    return pieces <= NODE_INPUTS_MAX ? pieces : 1;
}

/* --- the pieces ----------------------------------------------------------------------------------------------------------------- */

/* A node that makes a piece, of this shape, of value `like`; the piece, or GRAPH_NONE: no memory. */
static int add_node(struct graph *g, enum core_op op, int like, const int *inputs, unsigned count, const struct shape *shape, int64_t piece)
{
    char name[256];
    snprintf(name, sizeof name, "%.230s/heads%lld", g->values[like].name, (long long)piece);
    int value = graph_add_value(g, name, g->values[like].element, shape);
    int node = value < 0 ? GRAPH_NONE : graph_add_node(g, op, name, core_op_name(op), inputs, count);
    return node < 0 || graph_add_output(g, node, value) < 0 ? GRAPH_NONE : value;
}

static struct attributes *attributes_of(struct graph *g, int value)
{
    return &g->nodes[g->values[value].producer].at;
}

static int slice(struct graph *g, int value, unsigned axis, int64_t pieces, int64_t piece)
{
    struct shape shape = *shape_of(g, value);
    shape.dims[axis] /= pieces;
    int out = add_node(g, CORE_SLICE, value, &value, 1, &shape, piece);
    for (unsigned d = 0; d < shape.rank && out != GRAPH_NONE; d++) {
        struct attributes *at = attributes_of(g, out);
        at->begins[d] = d == axis ? piece * shape.dims[d] : 0;
        at->ends[d] = at->begins[d] + shape.dims[d];
        at->steps[d] = 1;
    }
    return out;
}

/* In front of its transpose, where it has one. */
static int slice_operand(struct graph *g, int value, unsigned axis, int64_t pieces, int64_t piece)
{
    int node = g->values[value].producer;
    if (node == GRAPH_NONE || g->nodes[node].op != CORE_TRANSPOSE)
        return slice(g, value, axis, pieces, piece);
    struct attributes at = g->nodes[node].at;
    struct shape shape = *shape_of(g, value);
    shape.dims[axis] /= pieces;
    int part = slice(g, g->nodes[node].inputs[0], (unsigned)at.perm[axis], pieces, piece);
    int out = part == GRAPH_NONE ? GRAPH_NONE : add_node(g, CORE_TRANSPOSE, value, &part, 1, &shape, piece);
    if (out != GRAPH_NONE)
        *attributes_of(g, out) = at;
    return out;
}

static int add_step(struct graph *g, const struct trail *t, int step, int before, int64_t piece)
{
    int inputs[NODE_INPUTS_MAX], like = t->nodes[step];
    unsigned count = g->nodes[like].input_count, rank = shape_of(g, g->nodes[like].outputs[0])->rank;
    bool behind = g->nodes[like].op == CORE_TRANSPOSE;
    for (unsigned k = 0; k < count; k++) {
        int value = g->nodes[like].inputs[k], own = value == GRAPH_NONE || (int)k == t->data[step] ? -1 : axis_in(shape_of(g, value), rank, t->axis);
        inputs[k] = (int)k == t->data[step] ? before : own < 0 ? value : slice_operand(g, value, (unsigned)own, t->pieces, piece);
        if (inputs[k] == GRAPH_NONE && value != GRAPH_NONE)
            return GRAPH_NONE;
    }
    struct shape shape = *shape_of(g, g->nodes[like].outputs[0]);
    shape.dims[behind ? t->joined : t->axis] /= t->pieces;
    int out = add_node(g, g->nodes[like].op, g->nodes[like].outputs[0], inputs, count, &shape, piece);
    if (out != GRAPH_NONE)
        *attributes_of(g, out) = g->nodes[like].at;
    return out;
}

static enum weft_status join(struct graph *g, const struct trail *t, const int *parts)
{
    int last = t->nodes[t->count - 1], output = g->nodes[last].outputs[0];
    int joined = graph_add_node(g, CORE_CONCAT, g->nodes[last].name, g->nodes[last].onnx_type, parts, (unsigned)t->pieces);
    if (joined < 0)
        return WEFT_NO_MEMORY;
    g->nodes[joined].at.axis = t->joined;
    g->nodes[last].output_count = 0;
    g->nodes[last].dead = true;
    g->values[output].producer = GRAPH_NONE;
    return graph_add_output(g, joined, output) < 0 ? WEFT_NO_MEMORY : WEFT_OK;
}

static enum weft_status cut(struct graph *g, const struct trail *t)
{
    int parts[NODE_INPUTS_MAX];
    for (int64_t p = 0; p < t->pieces; p++) {
        parts[p] = GRAPH_NONE;
        for (int i = 0; i < t->count; i++)
            if ((parts[p] = add_step(g, t, i, parts[p], p)) == GRAPH_NONE)
                return WEFT_NO_MEMORY;
    }
    return join(g, t, parts);
}

/* The new nodes stand where the last of the trail stood, piece behind piece. */
static enum weft_status place(struct graph *g, int first, int anchor)
{
    int *before = malloc(((size_t)g->node_count + 1) * sizeof *before);
    if (!before)
        return WEFT_NO_MEMORY;
    for (int i = 0; i < g->node_count; i++)
        before[i] = i < first ? GRAPH_NONE : anchor;
    enum weft_status status = graph_move(g, before);
    free(before);
    graph_sweep(g);
    return status;
}

/* The next trail that is too large, from node `from` on; GRAPH_NONE: there is none. */
static int next_trail(const struct backend *b, const struct graph *g, int from, struct trail *t)
{
    for (int i = from; i < g->node_count; i++)
        if (!g->nodes[i].dead && is_computed_product(g, &g->nodes[i]) && find_trail(g, i, t) && (t->pieces = pieces_of(b, g, t)) > 1)
            return i;
    return GRAPH_NONE;
}

bool heads_fill(const struct backend *b, const struct graph *g)
{
    struct trail t;
    return next_trail(b, g, 0, &t) != GRAPH_NONE;
}

enum weft_status backend_heads(struct backend *b)
{
    struct graph *g = b->graph;
    struct trail t;
    enum weft_status status = WEFT_OK;
    for (int at = 0; b->by_heads && !status && (at = next_trail(b, g, at, &t)) != GRAPH_NONE;) {
        int first = g->node_count;
        add_transpose(g, &t);
        status = cut(g, &t);
        if (!status)
            status = place(g, first, t.nodes[t.count - 1]);
    }
    return status;
}
