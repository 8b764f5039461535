/* params.c: the numbers that a layer's vector work reads from the unified buffer: biases and scales a channel, tables of
 * 256 entries, constant operands. */
#include "emit.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double constant_at(struct backend *b, int value, int64_t index, double otherwise)
{
    double out = otherwise;
    if (value == GRAPH_NONE)
        return otherwise;
    int64_t count = shape_count(&b->graph->values[value].shape);
    value_at(b->graph, value, count > 1 ? index : 0, &out);
    return out;
}

/* Sums over k for every output channel at once: rows of w are consecutive channels. */
static int64_t *weight_sums(const struct matrix *m)
{
    int64_t *sums = calloc((size_t)m->co, sizeof *sums), depth = m->kh * m->kw * m->cg;
    for (int t = 0; sums && t < WEIGHT_TERMS && m->w[t]; t++)
        for (int64_t k = 0; k < depth; k++)
            for (int64_t o = 0; o < m->co; o++)
                sums[o] += (int8_t)m->w[t][k * m->co + o];
    return sums;
}

static int32_t to_s32(double x)
{
    return x >= 2147483647.0 ? INT32_MAX : x <= -2147483648.0 ? INT32_MIN : (int32_t)nearbyint(x);
}

/* Zero point of the products' operand; for the network's own integers, the node says it. */
static int32_t operand_zero(struct backend *b, const struct layer *l)
{
    const struct node *n = &b->graph->nodes[l->node];
    if (!l->m->integer)
        return backend_zero(b, l->x);
    return (int32_t)constant_at(b, n->input_count > 2 ? n->inputs[2] : GRAPH_NONE, 0, 0); /* the same place in all four operators */
}

static float integer_scale(struct backend *b, const struct layer *l, int64_t o)
{
    const struct node *n = &b->graph->nodes[l->node];
    if (l->m->raw)
        return 1;
    float x = (float)constant_at(b, n->inputs[1], 0, 1), w = (float)constant_at(b, n->inputs[4], o, 1), y = (float)constant_at(b, n->inputs[6], 0, 1);
    return x * w / y;
}

double params_bias(struct backend *b, const struct layer *l, int64_t o)
{
    return l->m->beta * constant_at(b, l->m->bias[0], o, 0) + constant_at(b, l->m->bias[1], o, 0);
}

static void channel(struct backend *b, struct layer *l, int64_t o, int64_t sum, int32_t *bias, float *scale)
{
    struct matrix *m = l->m;
    int64_t correction = sum * operand_zero(b, l);
    if (m->integer) {
        *bias = (int32_t)(uint32_t)((int64_t)constant_at(b, m->bias[0], o, 0) - correction);
        *scale = integer_scale(b, l, o);
        return;
    }
    double product = (double)backend_scale(b, l->x) * m->w_scales[o] * m->alpha;
    double real = params_bias(b, l, o);
    *bias = to_s32(real / product - (double)correction);
    *scale = (float)(product / layer_domain(b, l));
}

/* fp32 sums: the bias as it is (before alpha), and no scale a channel. */
static enum weft_status float_params(struct backend *b, struct layer *l)
{
    struct matrix *m = l->m;
    float *bias = calloc((size_t)m->co, sizeof *bias);
    for (int64_t o = 0; bias && o < m->co && !b->options->timing_only; o++)
        bias[o] = (float)(params_bias(b, l, o) / m->alpha);
    if (bias)
        m->bias_host_offset = backend_constant(b, bias, (uint64_t)m->co * 4, 64);
    free(bias);
    return bias ? WEFT_OK : WEFT_NO_MEMORY;
}

static enum weft_status matrix_params(struct backend *b, struct layer *l)
{
    struct matrix *m = l->m;
    if (m->w_format == WEFT_FORMAT_bf16)
        return float_params(b, l);
    int32_t *bias = calloc((size_t)m->co, sizeof *bias);
    float *scale = calloc((size_t)m->co, sizeof *scale);
    int64_t *sums = weight_sums(m);
    enum weft_status status = bias && scale && sums ? WEFT_OK : WEFT_NO_MEMORY;
    for (int64_t o = 0; !status && o < m->co && !b->options->timing_only; o++) /* for timing only their room counts */
        channel(b, l, o, sums[o], &bias[o], &scale[o]);
    if (!status) {
        m->bias_host_offset = backend_constant(b, bias, (uint64_t)m->co * 4, 64);
        m->scale_host_offset = backend_constant(b, scale, (uint64_t)m->co * 4, 4);
    }
    free(bias);
    free(scale);
    free(sums);
    return status;
}

/* Entry q mod 256 is what the function makes of code q (in the result's format), whose real value is (q - zero) x scale. */
static void make_table(const struct backend *b, const struct layer *l, int from, uint8_t table[256])
{
    enum weft_format format = backend_format(b, l->y);
    assert(weft_format_bytes(format) == 1 && weft_format_bytes(backend_format(b, from)) == 1);
    int32_t low = weft_format_low(format), high = weft_format_high(format), shift = low - weft_format_low(backend_format(b, from));
    for (int32_t q = low; q <= high; q++) {
        double real = (double)(q - shift - backend_zero(b, from)) * backend_scale(b, from);
        double y = chain_value(b, from, l->chain, l->chain_count, real) / backend_scale(b, l->y);
        y = y != y ? 0 : y > 1e9 ? 1e9 : y < -1e9 ? -1e9 : y;
        table[(uint8_t)q] = (uint8_t)weft_requantise((float)y, backend_zero(b, l->y), low, high);
    }
}

/* Functions of 8-bit numbers are tables, but for those that are clamps or work on any scale. */
static bool needs_table(const struct backend *b, const struct layer *l)
{
    bool unary = l->kind == LAYER_UNARY && !l->step.used && l->op != CORE_QUANTIZE && l->op != CORE_DEQUANTIZE;
    int node = unary ? l->node : l->function, from = unary ? l->x : l->preact;
    if (node == GRAPH_NONE || from == GRAPH_NONE /* a clamp of the network's integers */ || weft_format_bytes(backend_format(b, l->y)) != 1 || weft_format_bytes(backend_format(b, from)) != 1)
        return false;
    enum core_op op = b->graph->nodes[node].op;
    return unary || l->chain_count > 1 || (op != CORE_RELU && op != CORE_LEAKY && op != CORE_CLIP);
}

/* Dimensions of the result from the outermost in memory to the innermost. */
static void memory_order(unsigned order[GRAPH_RANK_MAX], const struct place *y, const struct shape *shape)
{
    int64_t strides[GRAPH_RANK_MAX];
    place_strides(y, shape, strides);
    for (unsigned i = 0; i < shape->rank; i++) {
        unsigned at = i;
        for (; at > 0 && strides[order[at - 1]] < strides[i]; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}

enum { BLOCK_LEAST = 1024 /* bytes, from which on an operand is stored once */ };

static bool find_block(const struct backend *b, struct layer *l, const struct constant_block *like)
{
    for (int i = 0; i < b->operand_count && !l->block; i++) {
        const struct constant_block *k = &b->operands[i];
        if (k->value == like->value && k->format == like->format && k->bytes == like->bytes && !memcmp(k->strides, like->strides, sizeof k->strides))
            l->block = i + 1;
    }
    l->const_offset = l->block ? b->operands[l->block - 1].offset : 0;
    return l->block;
}

/* Behind the layer's own constants. */
static void add_block(struct backend *b, struct layer *l, struct constant_block *block, const void *bytes)
{
    block->offset = l->const_offset = backend_constant(b, bytes, block->bytes, 64);
    if (!backend_grow(b, &b->operands, (size_t)b->operand_count, &b->operand_room, sizeof *b->operands))
        return;
    b->operands[b->operand_count++] = *block;
    l->block = b->operand_count;
}

/* A constant operand of a binary layer, in the order of the result's bytes, broadcast dimensions kept at 1. */
static enum weft_status binary_constant(struct backend *b, struct layer *l, int value)
{
    const struct value *v = &b->graph->values[value];
    const struct shape *y = &b->graph->values[l->y].shape;
    unsigned order[GRAPH_RANK_MAX], behind = y->rank - v->shape.rank;
    int64_t own[GRAPH_RANK_MAX] = {0}, count = 1, stride = 1;
    enum weft_format format = l->const_format = normal_constant(b, l);
    int64_t bytes = weft_format_bytes(format);
    memory_order(order, &b->places[l->y], y);
    for (unsigned d = v->shape.rank; d-- > 0; stride *= v->shape.dims[d])
        own[behind + d] = v->shape.dims[d] > 1 ? stride : 0;
    for (unsigned i = y->rank; i-- > 0; count *= own[order[i]] ? y->dims[order[i]] : 1)
        l->const_strides[order[i]] = own[order[i]] ? count * bytes : 0;
    struct constant_block block = {.value = value, .first = (int)(l - b->layers), .bytes = (uint64_t)(count * bytes), .format = format};
    memcpy(block.strides, l->const_strides, sizeof block.strides);
    if (block.bytes >= BLOCK_LEAST && find_block(b, l, &block))
        return WEFT_OK;
    char *out = calloc((size_t)count + 1, (size_t)bytes);
    if (!out)
        return WEFT_NO_MEMORY;
    for (int64_t i = 0; i < count && !b->options->timing_only; i++) {
        int64_t index = 0, rest = i;
        double real = 0;
        for (unsigned d = y->rank; d-- > 0;)
            if (own[order[d]]) {
                index += rest % y->dims[order[d]] * own[order[d]];
                rest /= y->dims[order[d]];
            }
        value_at(b->graph, value, index, &real);
        weft_store_float(out + i * bytes, format, (float)real);
    }
    if (block.bytes >= BLOCK_LEAST)
        add_block(b, l, &block, out);
    else
        l->const_offset = backend_constant(b, out, block.bytes, 64);
    free(out);
    return WEFT_OK;
}

static enum weft_status constant_beyond(struct backend *b, const struct layer *l, int value, double x, uint8_t *codes)
{
    free(codes);
    return weft_error(b->diag, "%s: layer %s: constant '%s' holds %.0f; the machine's widest integer is int32", b->graph->name, l->name,
                      b->graph->values[value].name, x);
}

/* The codes of a concatenation's constant operand, in the format of the result. */
static enum weft_status concat_constant(struct backend *b, struct layer *l, unsigned input)
{
    int value = l->inputs[input];
    enum weft_format f = backend_format(b, l->y);
    int64_t count = shape_count(&b->graph->values[value].shape);
    unsigned bytes = weft_format_bytes(f);
    uint8_t *codes = calloc((size_t)count + 1, bytes);
    if (!codes)
        return WEFT_NO_MEMORY;
    for (int64_t i = 0; i < count && !b->options->timing_only; i++) {
        double x = 0;
        value_at(b->graph, value, i, &x);
        if (!weft_format_is_integer(f))
            weft_store_float(codes + i * bytes, f, (float)x);
        else if (backend_value_is_real(b, l->y))
            weft_store_integer(codes + i * bytes, f, weft_requantise((float)x / backend_scale(b, l->y), backend_zero(b, l->y), weft_format_low(f), weft_format_high(f)));
        else if (x >= weft_format_low(f) && x <= weft_format_high(f))
            weft_store_integer(codes + i * bytes, f, (int32_t)x);
        else
            return constant_beyond(b, l, value, x, codes);
    }
    l->input_offsets[input] = backend_constant(b, codes, (uint64_t)count * bytes, 64);
    free(codes);
    return WEFT_OK;
}

static enum weft_status concat_params(struct backend *b, struct layer *l)
{
    enum weft_status status = WEFT_OK;
    l->input_offsets = calloc(l->input_count + 1u, sizeof *l->input_offsets);
    for (unsigned k = 0; l->input_offsets && k < l->input_count && !status; k++)
        if (value_is_constant(&b->graph->values[l->inputs[k]]))
            status = concat_constant(b, l, k);
    return l->input_offsets ? status : WEFT_NO_MEMORY;
}

/* The bounds of a clip of floats. */
static enum weft_status clip_params(struct backend *b, struct layer *l)
{
    const struct attributes *at = &b->graph->nodes[l->node].at;
    l->const_offset = backend_constant(b, (float[]){at->alpha, at->beta}, 8, 4);
    return WEFT_OK;
}

static enum weft_status lrn_params(struct backend *b, struct layer *l)
{
    float k = b->graph->nodes[l->node].at.bias;
    l->const_offset = backend_constant(b, &k, 4, 4);
    return WEFT_OK;
}

enum weft_status backend_params(struct backend *b, struct layer *l)
{
    enum weft_status status = WEFT_OK;
    uint8_t table[256] = {0};
    uint64_t pad = 0;
    l->constants_first = backend_constant(b, &pad, 0, 64);
    l->table = needs_table(b, l);
    if (l->table) {
        make_table(b, l, l->kind == LAYER_UNARY ? l->x : l->preact, table);
        l->table_offset = backend_constant(b, table, sizeof table, 64);
    }
    if (l->kind == LAYER_PRODUCT && l->residual != GRAPH_NONE && value_is_constant(&b->graph->values[l->residual]))
        status = binary_constant(b, l, l->residual);
    else if (l->kind == LAYER_DEPTHWISE)
        status = depthwise_params(b, l);
    else if (l->kind == LAYER_MATRIX)
        status = matrix_params(b, l);
    else if (l->kind == LAYER_BINARY && value_is_constant(&b->graph->values[l->other]))
        status = binary_constant(b, l, l->other);
    else if (l->kind == LAYER_BINARY && value_is_constant(&b->graph->values[l->x]))
        status = binary_constant(b, l, l->x);
    else if (l->kind == LAYER_LRN)
        status = lrn_params(b, l);
    else if (l->kind == LAYER_UNARY && l->op == CORE_CLIP && !weft_format_is_integer(backend_format(b, l->y)))
        status = clip_params(b, l);
    else if (l->op == CORE_CONCAT)
        status = concat_params(b, l);
    bool added = l->block && b->operands[l->block - 1].first == l - b->layers;
    l->constants_end = added ? b->operands[l->block - 1].offset : b->constants_bytes;
    return b->out_of_memory ? WEFT_NO_MEMORY : status;
}
