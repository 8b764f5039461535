/* fuse.c: graph to layers. A layer is what one pass of the machine does at once: a product with its bias, residual and
 * function; a pool; an elementwise operation with its function. */
#include "fuse.h"
#include "product.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct layer *fuse_add(struct backend *b, enum layer_kind kind, int node)
{
    if (b->layer_count == b->layer_room) {
        int room = b->layer_room ? 2 * b->layer_room : 64;
        struct layer *grown = realloc(b->layers, (size_t)room * sizeof *grown);
        if (!grown) {
            b->out_of_memory = true;
            return NULL;
        }
        b->layers = grown;
        b->layer_room = room;
    }
    struct layer *layer = &b->layers[b->layer_count++];
    const struct node *n = &b->graph->nodes[node];
    *layer = (struct layer){.kind = kind,
                            .op = n->op,
                            .node = node,
                            .name = strdup(n->name ? n->name : ""),
                            .x = n->inputs[0],
                            .other = n->input_count > 1 ? n->inputs[1] : GRAPH_NONE,
                            .y = n->outputs[0],
                            .residual = GRAPH_NONE,
                            .function = GRAPH_NONE,
                            .preact = GRAPH_NONE,
                            .temp = {-1, -1, -1, -1}};
    return layer;
}

static enum weft_status count_uses(struct backend *b)
{
    const struct graph *g = b->graph;
    b->uses = calloc((size_t)g->value_count + 1, sizeof *b->uses);
    b->reader = malloc(((size_t)g->value_count + 1) * sizeof *b->reader);
    if (!b->uses || !b->reader)
        return WEFT_NO_MEMORY;
    memset(b->reader, 0xff, ((size_t)g->value_count + 1) * sizeof *b->reader); /* GRAPH_NONE */
    for (int i = 0; i < g->node_count; i++)
        for (unsigned k = 0; !g->nodes[i].dead && k < g->nodes[i].input_count; k++) {
            int value = g->nodes[i].inputs[k];
            if (value == GRAPH_NONE || b->reader[value] == i)
                continue;
            b->uses[value]++;
            b->reader[value] = i;
        }
    for (unsigned k = 0; k < g->output_count; k++)
        b->uses[g->outputs[k]]++;
    return WEFT_OK;
}

/* The one node that reads `value`, or GRAPH_NONE when there are more, or it is an output of the network. */
static int only_reader(const struct backend *b, int value)
{
    return b->uses[value] == 1 ? b->reader[value] : GRAPH_NONE;
}

static bool is_constant(const struct backend *b, int value)
{
    return value >= 0 && value_is_constant(&b->graph->values[value]);
}

/* Does a constant of this shape add one number to each channel (dimension `axis`) of a value of shape y? */
static bool per_channel(const struct shape *c, const struct shape *y, unsigned axis)
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

static bool same_shape(const struct shape *a, const struct shape *b)
{
    return a->rank == b->rank && !memcmp(a->dims, b->dims, a->rank * sizeof a->dims[0]);
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
    if (layer->m->bias[1] != GRAPH_NONE || !is_constant(b, other) ||
        g->values[other].element != ELEMENT_F32 || !same_shape(&g->values[next->outputs[0]].shape, &g->values[layer->y].shape) ||
        !per_channel(&g->values[other].shape, &g->values[layer->y].shape, axis))
        return false;
    layer->m->bias[1] = other;
    return true;
}

static bool made_before(const struct graph *graph, int value, int node)
{
    return graph->values[value].producer == GRAPH_NONE || graph->values[value].producer < node;
}

static bool fuse_residual(struct backend *b, struct layer *layer, const struct node *next)
{
    struct graph *g = b->graph;
    if (next->op != CORE_ADD || layer->residual != GRAPH_NONE || next->inputs[0] == next->inputs[1])
        return false;
    int other = next->inputs[0] == layer->y ? next->inputs[1] : next->inputs[0];
    if (is_constant(b, other) || !same_shape(&g->values[other].shape, &g->values[layer->y].shape) ||
        !made_before(g, other, layer->node))
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

/* Several elementwise nodes behind the layer as one table. */
static bool fuse_chain(struct backend *b, struct layer *layer, bool *taken)
{
    int nodes[CHAIN_MAX], count = chain_find(b, layer->y, false, nodes);
    if (count < 2)
        return false;
    layer->preact = layer->y;
    take_chain(b, layer, nodes, count, taken);
    return true;
}

/* One function behind the layer: several nodes as a table, or one that the vector unit has. */
static void fuse_function(struct backend *b, struct layer *layer, bool *taken)
{
    int next = only_reader(b, layer->y);
    if (fuse_chain(b, layer, taken) || next == GRAPH_NONE || !is_function(b, b->graph->nodes[next].op))
        return;
    layer->preact = layer->y;
    take_chain(b, layer, &next, 1, taken);
}

/* Takes the nodes behind the product into the layer: biases and a residual, while each is the only reader of the one before, and one function. */
static void fuse_behind(struct backend *b, struct layer *layer, bool *taken)
{
    unsigned axis = b->graph->nodes[layer->node].op == CORE_CONV ? 1 : b->graph->values[layer->y].shape.rank - 1;
    for (int next; layer->kind == LAYER_MATRIX && (next = only_reader(b, layer->y)) != GRAPH_NONE;) {
        const struct node *n = &b->graph->nodes[next];
        if (!((layer->residual == GRAPH_NONE && fuse_bias(b, layer, n, axis)) || fuse_residual(b, layer, n)))
            break;
        taken[next] = true;
        layer->y = n->outputs[0];
    }
    fuse_function(b, layer, taken);
}

/* The one operand that is no constant, or GRAPH_NONE. */
static int only_operand(const struct backend *b, const struct node *n)
{
    int only = GRAPH_NONE;
    for (unsigned k = 0; k < n->input_count; k++) {
        if (is_constant(b, n->inputs[k]) || n->inputs[k] == only)
            continue;
        if (only != GRAPH_NONE)
            return GRAPH_NONE;
        only = n->inputs[k];
    }
    return only;
}

/* Several elementwise nodes over one value that is there already, from `node` on, as one table; false: there are none. */
static bool fuse_table(struct backend *b, int node, bool *taken)
{
    int nodes[CHAIN_MAX], x = only_operand(b, &b->graph->nodes[node]), count = x == GRAPH_NONE ? 0 : chain_find(b, x, true, nodes);
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

static struct matrix *new_matrix(struct backend *b, struct layer *layer)
{
    struct matrix *m = calloc(1, sizeof *m);
    if (!m) {
        b->out_of_memory = true;
        return NULL;
    }
    m->bias[0] = m->bias[1] = m->weight_zero = GRAPH_NONE;
    m->alpha = m->beta = 1;
    layer->m = m;
    return m;
}

static void describe_conv(struct backend *b, struct layer *layer, int weights)
{
    struct matrix *m = layer->m;
    const struct node *n = &b->graph->nodes[layer->node];
    const struct shape *x = &b->graph->values[layer->x].shape, *w = &b->graph->values[weights].shape;
    bool line = n->at.spatial == 1;
    unsigned last = line ? 0 : 1;
    m->weights = weights;
    m->kh = line ? 1 : w->dims[2];
    m->kw = w->dims[line ? 2 : 3];
    m->sy = line ? 1 : n->at.stride[0];
    m->sx = n->at.stride[last];
    m->dy = line ? 1 : n->at.dilation[0];
    m->dx = n->at.dilation[last];
    m->top = line ? 0 : n->at.pad_begin[0];
    m->left = n->at.pad_begin[last];
    m->groups = n->at.groups;
    m->ci = x->dims[1];
    m->co = w->dims[0];
    m->cg = m->ci / m->groups;
    m->ng = m->co / m->groups;
}

static void describe_gemm(struct backend *b, struct layer *layer, int weights, bool transposed)
{
    struct matrix *m = layer->m;
    const struct shape *w = &b->graph->values[weights].shape;
    m->weights = weights;
    m->weights_kn = !transposed;
    m->kh = m->kw = m->sy = m->sx = m->dy = m->dx = m->groups = 1;
    m->ci = m->cg = w->dims[w->rank - (transposed ? 1 : 2)];
    m->co = m->ng = w->dims[w->rank - (transposed ? 2 : 1)];
}

enum weft_status fuse_refuse(struct backend *b, int node, const char *why)
{
    const struct node *n = &b->graph->nodes[node];
    return weft_error(b->diag, "%s: node %s (%s): %s", b->graph->name, n->name, n->onnx_type ? n->onnx_type : core_op_name(n->op), why);
}

static enum weft_status need_constant(struct backend *b, int node, int value, const char *what)
{
    if (value == GRAPH_NONE || is_constant(b, value))
        return WEFT_OK;
    char why[300];
    snprintf(why, sizeof why, "%s '%.100s' is computed by the network or is an input; it must be a constant (an initialiser, or an input whose "
             "value is given at compile time)", what, b->graph->values[value].name);
    return fuse_refuse(b, node, why);
}

static bool weights_are_2d(const struct shape *w)
{
    for (unsigned d = 0; d + 2 < w->rank; d++)
        if (w->dims[d] != 1)
            return false;
    return w->rank >= 2;
}

static enum weft_status fuse_conv(struct backend *b, int node, bool *taken)
{
    struct layer *layer = fuse_add(b, LAYER_MATRIX, node);
    const struct node *n = &b->graph->nodes[node];
    if (!layer || !new_matrix(b, layer))
        return WEFT_NO_MEMORY;
    if (n->at.spatial > 2)
        return fuse_refuse(b, node, "convolution in three dimensions is not supported; one and two are");
    bool qlinear = n->op == CORE_QCONV, integer = qlinear || n->op == CORE_CONV_INTEGER;
    int weights = n->inputs[qlinear ? 3 : 1];
    struct matrix *m = layer->m;
    m->integer = integer;
    m->raw = n->op == CORE_CONV_INTEGER;
    m->bias[0] = qlinear ? (n->input_count > 8 ? n->inputs[8] : GRAPH_NONE) : integer ? GRAPH_NONE : n->input_count > 2 ? n->inputs[2] : GRAPH_NONE;
    m->weight_zero = qlinear ? n->inputs[5] : n->op == CORE_CONV_INTEGER && n->input_count > 3 ? n->inputs[3] : GRAPH_NONE;
    layer->other = GRAPH_NONE;
    enum weft_status status = need_constant(b, node, weights, "weight");
    if (!status)
        status = need_constant(b, node, m->bias[0], "bias");
    if (status)
        return status;
    describe_conv(b, layer, weights);
    if (!integer)
        fuse_behind(b, layer, taken);
    return WEFT_OK;
}

static enum weft_status fuse_gemm(struct backend *b, int node, bool *taken)
{
    struct layer *layer = fuse_add(b, LAYER_MATRIX, node);
    const struct node *n = &b->graph->nodes[node];
    if (!layer || !new_matrix(b, layer))
        return WEFT_NO_MEMORY;
    bool qlinear = n->op == CORE_QMATMUL, integer = qlinear || n->op == CORE_MATMUL_INTEGER, gemm = n->op == CORE_GEMM;
    int weights = n->inputs[qlinear ? 3 : 1];
    struct matrix *m = layer->m;
    layer->other = GRAPH_NONE;
    m->integer = integer;
    m->raw = n->op == CORE_MATMUL_INTEGER;
    enum weft_status status = need_constant(b, node, weights, "second operand");
    if (status)
        return status;
    if (!weights_are_2d(&b->graph->values[weights].shape))
        return fuse_refuse(b, node, "the second operand has more than two dimensions; products of stacks of matrices are not supported");
    if (b->graph->values[layer->x].shape.rank < 2)
        return fuse_refuse(b, node, "the first operand is a vector; give it two dimensions");
    if (gemm && n->at.trans_a)
        return fuse_refuse(b, node, "transA=1 is not supported; transpose the operand");
    describe_gemm(b, layer, weights, gemm && n->at.trans_b);
    m->weight_zero = qlinear ? n->inputs[5] : n->op == CORE_MATMUL_INTEGER && n->input_count > 3 ? n->inputs[3] : GRAPH_NONE;
    if (gemm) {
        m->alpha = n->at.alpha;
        m->beta = n->at.beta;
        int c = n->input_count > 2 ? n->inputs[2] : GRAPH_NONE;
        if ((status = need_constant(b, node, c, "C")))
            return status;
        if (c != GRAPH_NONE && !per_channel(&b->graph->values[c].shape, &b->graph->values[layer->y].shape, 1))
            return fuse_refuse(b, node, "C must have one number a column (or one in all)");
        m->bias[0] = c;
    }
    if (!integer)
        fuse_behind(b, layer, taken);
    return WEFT_OK;
}

/* A scalar that multiplies (or divides) the product of two computed values. */
static bool fuse_factor(struct backend *b, struct layer *layer, const struct node *next)
{
    double factor;
    if (next->op != CORE_MUL && next->op != CORE_DIV)
        return false;
    int other = next->inputs[0] == layer->y ? next->inputs[1] : next->inputs[0];
    bool divides = next->op == CORE_DIV && next->inputs[0] == layer->y;
    if ((next->op != CORE_MUL && !divides) || layer->residual != GRAPH_NONE || !is_constant(b, other) || shape_count(&b->graph->values[other].shape) != 1 ||
        !same_shape(&b->graph->values[next->outputs[0]].shape, &layer->product->shape) || !value_at(b->graph, other, 0, &factor) || factor == 0)
        return false;
    layer->product->factor = (float)(divides ? layer->product->factor / factor : layer->product->factor * factor);
    return true;
}

/* A mask, or anything else that was there before, added with broadcasting. */
static bool fuse_mask(struct backend *b, struct layer *layer, const struct node *next)
{
    if (next->op != CORE_ADD)
        return false;
    int other = next->inputs[0] == layer->y ? next->inputs[1] : next->inputs[0];
    if (layer->residual != GRAPH_NONE || next->inputs[0] == next->inputs[1] || !made_before(b->graph, other, layer->node) ||
        !backend_value_is_real(b, other) || !same_shape(&b->graph->values[next->outputs[0]].shape, &layer->product->shape))
        return false;
    layer->residual = other;
    return true;
}

static enum weft_status fuse_product(struct backend *b, int node, bool *taken)
{
    struct layer *layer = fuse_add(b, LAYER_PRODUCT, node);
    if (!layer || product_describe(b, layer))
        return WEFT_NO_MEMORY;
    int next;
    while ((next = only_reader(b, layer->y)) != GRAPH_NONE) {
        const struct node *n = &b->graph->nodes[next];
        if (!fuse_factor(b, layer, n) && !fuse_mask(b, layer, n))
            break;
        taken[next] = true;
        layer->y = n->outputs[0];
    }
    if (next != GRAPH_NONE && layer->residual == GRAPH_NONE && b->graph->nodes[next].op == CORE_TRANSPOSE && !product_takes_transpose(b, next)) {
        taken[next] = true;
        product_take_result_transpose(b, layer, next);
    } else {
        fuse_function(b, layer, taken);
    }
    return WEFT_OK;
}

static enum weft_status fuse_simple(struct backend *b, int node, enum layer_kind kind, bool *taken, bool with_function)
{
    struct layer *layer = fuse_add(b, kind, node);
    if (!layer)
        return WEFT_NO_MEMORY;
    if (with_function)
        fuse_behind(b, layer, taken);
    return WEFT_OK;
}

static enum weft_status fuse_concat(struct backend *b, int node)
{
    struct layer *layer = fuse_add(b, LAYER_MOVE, node);
    if (!layer)
        return WEFT_NO_MEMORY;
    const struct node *n = &b->graph->nodes[node];
    layer->input_count = n->input_count;
    memcpy(layer->inputs, n->inputs, n->input_count * sizeof layer->inputs[0]);
    return WEFT_OK;
}

static enum weft_status fuse_unary(struct backend *b, int node, bool *taken)
{
    if (!backend_value_is_real(b, b->graph->nodes[node].inputs[0]))
        return fuse_steps(b, node);
    if (fuse_table(b, node, taken))
        return b->out_of_memory ? WEFT_NO_MEMORY : WEFT_OK;
    enum weft_status status = fuse_simple(b, node, LAYER_UNARY, taken, false);
    if (!status) {
        b->layers[b->layer_count - 1].chain[0] = node;
        b->layers[b->layer_count - 1].chain_count = 1;
    }
    return status;
}

static enum weft_status fuse_binary(struct backend *b, int node, bool *taken)
{
    if (b->format == COMPILE_INT8 && fuse_table(b, node, taken))
        return b->out_of_memory ? WEFT_NO_MEMORY : WEFT_OK;
    const struct node *n = &b->graph->nodes[node];
    if (!backend_value_is_real(b, n->outputs[0]))
        return fuse_steps(b, node);
    return fuse_simple(b, node, LAYER_BINARY, taken, true);
}

static enum weft_status fuse_node(struct backend *b, int node, bool *taken)
{
    const struct node *n = &b->graph->nodes[node];
    switch (n->op) {
    case CORE_CONV:
    case CORE_QCONV:
    case CORE_CONV_INTEGER:
        return fuse_conv(b, node, taken);
    case CORE_GEMM:
    case CORE_MATMUL:
    case CORE_QMATMUL:
    case CORE_MATMUL_INTEGER:
        if (product_is(b, node))
            return fuse_product(b, node, taken);
        return fuse_gemm(b, node, taken);
    case CORE_MAXPOOL:
    case CORE_AVERAGEPOOL:
        if (n->at.spatial > 2)
            return fuse_refuse(b, node, "pooling in three dimensions is not supported; one and two are");
        return fuse_simple(b, node, LAYER_POOL, taken, false);
    case CORE_ADD:
    case CORE_SUB:
    case CORE_MUL:
    case CORE_DIV:
    case CORE_MAX:
    case CORE_MIN:
        return fuse_binary(b, node, taken);
    case CORE_RELU:
    case CORE_LEAKY:
    case CORE_CLIP:
    case CORE_SIGMOID:
    case CORE_TANH:
    case CORE_EXP:
    case CORE_LOG:
    case CORE_SQRT:
    case CORE_RECIPROCAL:
    case CORE_NEG:
    case CORE_ABS:
    case CORE_FLOOR:
    case CORE_CEIL:
    case CORE_ERF:
        return fuse_unary(b, node, taken);
    case CORE_QUANTIZE:
    case CORE_DEQUANTIZE:
        return fuse_conversion(b, node);
    case CORE_CAST:
    case CORE_POW:
    case CORE_WHERE:
    case CORE_COMPARE_EQUAL:
    case CORE_LESS:
    case CORE_LESS_EQUAL:
    case CORE_AND:
    case CORE_OR:
    case CORE_XOR:
    case CORE_NOT:
    case CORE_SIGN:
    case CORE_IS_NAN:
    case CORE_SIN:
    case CORE_COS:
    case CORE_ROUND:
        return fuse_steps(b, node);
    case CORE_REDUCE_MEAN:
    case CORE_REDUCE_SUM:
    case CORE_REDUCE_MAX:
        return fuse_reduce(b, node);
    case CORE_SOFTMAX:
    case CORE_LRN:
        if (!backend_value_is_real(b, n->inputs[0]))
            return fuse_refuse(b, node, "its input holds integers; a float type is needed");
        return fuse_simple(b, node, n->op == CORE_LRN ? LAYER_LRN : LAYER_SOFTMAX, taken, false);
    case CORE_GATHER:
        return fuse_gather(b, node);
    case CORE_TRANSPOSE:
        if (product_takes_transpose(b, node))
            return WEFT_OK; /* the product walks through the operand as it lies */
        return fuse_simple(b, node, LAYER_MOVE, taken, false);
    case CORE_SLICE:
    case CORE_RESHAPE:
    case CORE_PAD:
    case CORE_EXPAND:
        return fuse_simple(b, node, LAYER_MOVE, taken, false);
    case CORE_CONCAT:
        return fuse_concat(b, node);
    default:
        return fuse_refuse(b, node, "this operator has no form on the machine; it is only computed at compile time, on constants");
    }
}

enum weft_status backend_fuse(struct backend *b)
{
    bool *taken = calloc((size_t)b->graph->node_count + 1, sizeof *taken);
    enum weft_status status = taken ? count_uses(b) : WEFT_NO_MEMORY;
    if (!status)
        status = backend_check(b);
    for (int i = 0; taken && b->uses && b->reader && i < b->graph->node_count; i++) {
        enum weft_status s = taken[i] || b->graph->nodes[i].dead ? WEFT_OK : fuse_node(b, i, taken);
        status = s ? s : status; /* go on: all that is not supported is named at once */
    }
    free(taken);
    return status;
}
