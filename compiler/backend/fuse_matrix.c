/* fuse_matrix.c: convolutions, products with constant weights and products of two computed values, each with what is fused behind it. */
#include "fuse.h"
#include "product.h"

#include <assert.h>
#include <stdlib.h>

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
    if (value == GRAPH_NONE || backend_is_constant(b, value))
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

enum weft_status fuse_conv(struct backend *b, int node, bool *taken)
{
    struct layer *layer = fuse_add(b, LAYER_MATRIX, node);
    const struct node *n = &b->graph->nodes[node];
    if (!layer || !new_matrix(b, layer))
        return WEFT_NO_MEMORY;
    assert(n->at.spatial <= 2); /* compiler/import/lower_volume.c */
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
    if (!status && integer)
        status = need_constant(b, node, n->input_count > 2 ? n->inputs[2] : GRAPH_NONE, "zero point"); /* the same place in all four operators */
    if (status)
        return status;
    describe_conv(b, layer, weights);
    if (integer)
        fuse_clamp(b, layer, taken);
    else
        fuse_behind(b, layer, taken);
    return WEFT_OK;
}

enum weft_status fuse_gemm(struct backend *b, int node, bool *taken)
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
    if (!status && integer)
        status = need_constant(b, node, n->input_count > 2 ? n->inputs[2] : GRAPH_NONE, "zero point");
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
        if (c != GRAPH_NONE && !fuse_per_channel(&b->graph->values[c].shape, &b->graph->values[layer->y].shape, 1))
            return fuse_refuse(b, node, "C must have one number a column (or one in all)");
        m->bias[0] = c;
    }
    if (integer)
        fuse_clamp(b, layer, taken);
    else
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
    if ((next->op != CORE_MUL && !divides) || layer->residual != GRAPH_NONE || !backend_is_constant(b, other) || shape_count(&b->graph->values[other].shape) != 1 ||
        !shape_equal(&b->graph->values[next->outputs[0]].shape, &layer->product->shape) || !value_at(b->graph, other, 0, &factor) || factor == 0)
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
    if (layer->residual != GRAPH_NONE || next->inputs[0] == next->inputs[1] || !fuse_made_before(b->graph, other, layer->node) ||
        !backend_value_is_real(b, other) || !shape_equal(&b->graph->values[next->outputs[0]].shape, &layer->product->shape))
        return false;
    layer->residual = other;
    return true;
}

enum weft_status fuse_product(struct backend *b, int node, bool *taken)
{
    struct layer *layer = fuse_add(b, LAYER_PRODUCT, node);
    if (!layer || product_describe(b, layer))
        return WEFT_NO_MEMORY;
    int next;
    while ((next = fuse_only_reader(b, layer->y)) != GRAPH_NONE) {
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
