/* fuse.c: graph to layers. A layer is what one pass of the machine does at once: a product with its bias, residual and
 * function; a pool; an elementwise operation with its function. */
#include "fuse.h"
#include "product.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct layer *fuse_add(struct backend *b, enum layer_kind kind, int node)
{
    if (!backend_grow(b, &b->layers, (size_t)b->layer_count, &b->layer_room, sizeof *b->layers))
        return NULL;
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

enum weft_status fuse_simple(struct backend *b, int node, enum layer_kind kind, bool *taken, bool with_function)
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
        return fuse_pool(b, node, taken);
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
    case CORE_RSQRT:
    case CORE_NEG:
    case CORE_ABS:
    case CORE_FLOOR:
    case CORE_CEIL:
    case CORE_ERF:
    case CORE_SILU:
    case CORE_GELU:
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
    case CORE_REDUCE_SQUARES:
    case CORE_REDUCE_MEAN_SQUARES:
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
