/* fuse_vector.c: nodes that the vector unit does in steps or by rules of their own. */
#include "emit.h"
#include "fuse.h"

enum { LONG = 65535, FEW = 64 /* results, below which a long reduction leaves most lanes idle */ };

/* What steps.c takes apart: up to three operands. */
enum weft_status fuse_steps(struct backend *b, int node)
{
    struct layer *layer = fuse_add(b, LAYER_STEPS, node);
    const struct node *n = &b->graph->nodes[node];
    if (!layer)
        return WEFT_NO_MEMORY;
    layer->residual = n->input_count > 2 ? n->inputs[2] : GRAPH_NONE;
    return WEFT_OK;
}

/* More numbers a result than a row has lanes, and few results. */
static bool better_in_two(const struct shape *x, const struct shape *y, uint32_t mask)
{
    int64_t results = shape_count(y);
    return results < FEW && shape_count(x) / (results ? results : 1) > LONG;
}

/* Not there as a whole, perhaps: it runs in bands of what is left behind the first of two layers. */
bool fuse_fills_buffer(const struct backend *b, const struct shape *x)
{
    int64_t bytes = b->planes > 1 ? 4 : b->planes || b->format == COMPILE_INT16 ? 2 : 1;
    return (uint64_t)shape_count(x) > b->machine->ub_bytes / 2 / (uint64_t)bytes;
}

static bool many_dimensions(const struct shape *x, uint32_t mask)
{
    unsigned dims = 0;
    for (unsigned d = 0; d < x->rank; d++)
        dims += (mask >> d & 1) && x->dims[d] > 1;
    return dims > 1;
}

enum weft_status fuse_reduce(struct backend *b, int node)
{
    const struct node *n = &b->graph->nodes[node];
    const struct shape *x = &b->graph->values[n->inputs[0]].shape, *y = &b->graph->values[n->outputs[0]].shape;
    uint32_t mask = 0;
    for (unsigned i = 0; i < n->at.axis_count; i++)
        mask |= 1u << n->at.axes[i];
    bool whole = reduce_runs(x, mask) <= REDUCE_RUNS && !(many_dimensions(x, mask) && (better_in_two(x, y, mask) || fuse_fills_buffer(b, x)));
    struct layer *layer = fuse_add(b, whole ? LAYER_REDUCE : LAYER_STEPS, node);
    if (!layer)
        return WEFT_NO_MEMORY;
    layer->reduced = mask;
    layer->other = GRAPH_NONE;
    return WEFT_OK;
}

/* The mean of an image that fills the buffer is a reduction, which runs in bands. */
enum weft_status fuse_pool(struct backend *b, int node, bool *taken)
{
    struct node *n = &b->graph->nodes[node];
    const struct shape *x = &b->graph->values[n->inputs[0]].shape, *y = &b->graph->values[n->outputs[0]].shape;
    if (n->at.spatial > 2)
        return fuse_refuse(b, node, "pooling in three dimensions is not supported; one and two are");
    int64_t pads = n->at.pad_begin[0] + n->at.pad_begin[1] + n->at.pad_end[0] + n->at.pad_end[1];
    bool global = n->op == CORE_AVERAGEPOOL && n->at.spatial == 2 && !pads && y->dims[2] * y->dims[3] == 1 && n->at.kernel[0] == x->dims[2] && n->at.kernel[1] == x->dims[3];
    if (!global || !fuse_fills_buffer(b, x))
        return fuse_simple(b, node, LAYER_POOL, taken, false);
    n->op = CORE_REDUCE_MEAN;
    n->at = (struct attributes){.axes = {2, 3}, .axis_count = 2, .keep_dims = true};
    return fuse_reduce(b, node);
}

static bool is_known(const struct backend *b, int value)
{
    return value == GRAPH_NONE || backend_is_constant(b, value);
}

/* One scale and zero point, both constant: the bytes' own meaning. */
enum weft_status fuse_conversion(struct backend *b, int node)
{
    const struct node *n = &b->graph->nodes[node];
    bool constant = is_known(b, n->inputs[1]) && (n->input_count < 3 || is_known(b, n->inputs[2]));
    if (!constant || shape_count(&b->graph->values[n->inputs[1]].shape) != 1)
        return fuse_steps(b, node);
    return fuse_add(b, LAYER_UNARY, node) ? WEFT_OK : WEFT_NO_MEMORY;
}

enum weft_status fuse_gather(struct backend *b, int node)
{
    const struct node *n = &b->graph->nodes[node];
    if (lookup_is(b, node))
        return fuse_add(b, LAYER_LOOKUP, node) ? WEFT_OK : WEFT_NO_MEMORY;
    if (!is_known(b, n->inputs[1]))
        return fuse_refuse(b, node, "on the machine, its indices must be constants; or its data a constant table, its axis 0, and its indices an input of the network");
    struct layer *layer = fuse_add(b, LAYER_MOVE, node);
    if (!layer)
        return WEFT_NO_MEMORY;
    layer->other = GRAPH_NONE; /* the indices are in the instructions */
    return WEFT_OK;
}
