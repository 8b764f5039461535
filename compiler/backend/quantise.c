/* quantise.c: a format, a scale and a zero point for every value that is real in the network.
 *
 * int8: non-negative values become u8 with zero point 0, others s8 with the zero point that spends all 256 codes on the range
 * seen. int16: s16, symmetric. Values that only leave the machine, and what passes between layers of the vector unit alone, are kept in
 * f32: the accumulators have the digits. bf16: what the array reads is bf16, the rest f32. fp32 and bf16x3: f32; planes.c splits what
 * the array reads. */
#include "backend.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LARGE_OUTPUT = 65536 /* elements, from which on narrower results save the link */, MANY_SHARES = 256 /* of one softmax */ };

bool backend_is_constant(const struct backend *b, int value)
{
    return value >= 0 && value_is_constant(&b->graph->values[value]);
}

bool backend_value_is_real(const struct backend *b, int value)
{
    enum element e = b->graph->values[value].element;
    return e == ELEMENT_F32 || e == ELEMENT_F16 || e == ELEMENT_BF16 || e == ELEMENT_F64;
}

float backend_scale(const struct backend *b, int value)
{
    const struct quantisation *q = &b->graph->values[value].q;
    return q->known && weft_format_is_integer(q->format) ? q->scale : 1;
}

int32_t backend_zero(const struct backend *b, int value)
{
    const struct quantisation *q = &b->graph->values[value].q;
    return q->known && weft_format_is_integer(q->format) ? q->zero : 0;
}

enum weft_format backend_format(const struct backend *b, int value)
{
    const struct value *v = &b->graph->values[value];
    if (v->q.known)
        return v->q.format;
    switch (v->element) {
    case ELEMENT_U8:
    case ELEMENT_BOOL:
        return WEFT_FORMAT_u8;
    case ELEMENT_S8:
        return WEFT_FORMAT_s8;
    case ELEMENT_S16:
        return WEFT_FORMAT_s16;
    case ELEMENT_F32:
    case ELEMENT_F64:
    case ELEMENT_F16:
    case ELEMENT_BF16:
        return WEFT_FORMAT_f32;
    default: /* the widest there is; the host checks that what it brings fits */
        return WEFT_FORMAT_s32;
    }
}

static struct quantisation from_range_16(float low, float high)
{
    struct quantisation q = {.known = true, .format = WEFT_FORMAT_s16, .scale = 1};
    float most = fmaxf(fabsf(low), fabsf(high)) / 32767;
    if (low <= high && isfinite(most) && most > 1e-30f)
        q.scale = most;
    return q;
}

static struct quantisation from_range(const struct backend *b, float low, float high)
{
    if (b->format == COMPILE_INT16)
        return from_range_16(low, high);
    struct quantisation q = {.known = true, .format = WEFT_FORMAT_u8, .scale = 1};
    bool has_u8 = b->machine->formats & WEFT_USES_U8, has_s8 = b->machine->formats & WEFT_USES_S8;
    if (!has_u8)
        q.format = WEFT_FORMAT_s8;
    if (!(low <= high) || !isfinite(low) || !isfinite(high))
        return q;
    low = fminf(low, 0);
    high = fmaxf(high, 0);
    if (low < 0 && has_s8)
        q.format = WEFT_FORMAT_s8;
    float codes = 255, least = (float)weft_format_low(q.format);
    q.scale = (high - low) / codes;
    if (!(q.scale > 1e-30f))
        q.scale = 1;
    q.zero = (int32_t)rintf(least - low / q.scale);
    return q;
}

/* Layers that hand their input's integers on unchanged, or in the scale of a concatenation. */
bool quantise_keeps_scale(const struct layer *layer)
{
    return layer->kind == LAYER_MOVE || layer->kind == LAYER_ALIAS || (layer->kind == LAYER_POOL && layer->op == CORE_MAXPOOL);
}

/* Does the array read this value, or a copy of it in the same numbers? */
static bool array_reads(const struct backend *b, int value)
{
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *l = &b->layers[i];
        if (!layer_reads(l, value))
            continue;
        if ((l->kind == LAYER_MATRIX && l->x == value) || (l->kind == LAYER_PRODUCT && (l->x == value || l->other == value)) || (quantise_keeps_scale(l) && array_reads(b, l->y)))
            return true;
    }
    return false;
}

static bool looked_up(const struct backend *b, int value)
{
    int node = b->graph->values[value].producer;
    return node != GRAPH_NONE && lookup_is(b, node);
}

/* In all parts of the batch together: in how many it is cut changes no format. */
static bool is_large(const struct backend *b, int value)
{
    return b->repeats * shape_count(&b->graph->values[value].shape) >= LARGE_OUTPUT;
}

static bool is_large_output(const struct backend *b, int value)
{
    return graph_is_output(b->graph, value) && !resident_output(b, value) && is_large(b, value);
}

/* An output that nothing else reads and that the link would carry for long, or what is moved into one. */
static bool only_leaves(const struct backend *b, int value)
{
    bool read = false;
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *l = &b->layers[i];
        if (!layer_reads(l, value))
            continue;
        if (!quantise_keeps_scale(l) || !only_leaves(b, l->y))
            return false;
        read = true;
    }
    return read || is_large_output(b, value);
}

static struct quantisation float_for(const struct backend *b, int value)
{
    bool narrow = b->planes == 1 && (array_reads(b, value) || looked_up(b, value) /* rows of a table come over the link */ || only_leaves(b, value));
    return (struct quantisation){.known = true, .format = narrow ? WEFT_FORMAT_bf16 : WEFT_FORMAT_f32, .scale = 1};
}

/* Does a product of two computed values read it? Its zero point must be 0 then: neither side has sums that could correct for it. */
static bool product_reads(const struct backend *b, int value)
{
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *l = &b->layers[i];
        if (layer_reads(l, value) && ((l->kind == LAYER_PRODUCT && l->residual != value) || (joined_hands_on(b, l, value) && product_reads(b, l->y))))
            return true;
    }
    return false;
}

/* A sum of products of 16-bit codes can leave s32: how much larger the scale of each operand must be, so that the greatest sum that calibration saw
 * stays within half of it. Sums in between may wrap. */
static float product_room(const struct backend *b, const struct layer *l)
{
    int sum = b->graph->nodes[l->node].outputs[0];
    float greatest = fmaxf(fabsf(b->low[sum]), fabsf(b->high[sum])) / (float)(1 << 30);
    int x = joined_source(b, l->x), other = joined_source(b, l->other);
    float product = from_range_16(b->low[x], b->high[x]).scale * from_range_16(b->low[other], b->high[other]).scale;
    return isfinite(greatest) && greatest > product ? sqrtf(greatest / product) : 1;
}

static float products_room(const struct backend *b, int value)
{
    float room = 1;
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *l = &b->layers[i];
        if (!layer_reads(l, value))
            continue;
        if (l->kind == LAYER_PRODUCT && l->residual != value)
            room = fmaxf(room, product_room(b, l));
        else if (joined_hands_on(b, l, value))
            room = fmaxf(room, products_room(b, l->y));
    }
    return room;
}

/* Of a softmax over many numbers most shares are below half a step of eight bits. Sixteen cost a second pass of the product that reads them. */
static bool many_shares(const struct backend *b, int value)
{
    int node = b->graph->values[value].producer;
    const struct node *n = node == GRAPH_NONE ? NULL : &b->graph->nodes[node];
    return n && n->op == CORE_SOFTMAX && b->format == COMPILE_INT8 && b->graph->values[value].shape.dims[n->at.axis] >= MANY_SHARES &&
           weft_machine_has(b->machine, WEFT_FORMAT_s16) && product_reads(b, value);
}

static struct quantisation format_for(const struct backend *b, int value)
{
    if (b->planes)
        return float_for(b, value);
    int source = joined_source(b, value);
    float low = b->low[source], high = b->high[source];
    if (many_shares(b, value))
        return from_range_16(low, high);
    struct quantisation q = from_range(b, low, high);
    if (b->format == COMPILE_INT16) {
        q.scale *= products_room(b, value);
    } else if (q.zero && product_reads(b, value)) {
        high = fmaxf(high, -low);
        q = from_range(b, -high * 128 / 127, high); /* s8: codes -127 to 127 about zero */
        q.zero = q.format == WEFT_FORMAT_s8 ? 0 : q.zero; /* compile.c refuses u8 */
    }
    return q;
}

static bool read_only_as_float(const struct backend *b, int value)
{
    if (is_large(b, value))
        return false;
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *l = &b->layers[i];
        if (layer_reads(l, value) && l->kind != LAYER_SOFTMAX)
            return false;
    }
    return true;
}

static bool can_make_float(const struct backend *b, const struct layer *layer)
{
    if (layer->chain_count > 1)
        return false; /* a table of bytes */
    if (layer->kind == LAYER_SOFTMAX)
        return true;
    if (layer->kind != LAYER_MATRIX && layer->kind != LAYER_PRODUCT && layer->kind != LAYER_BINARY)
        return false; /* a pool is charged for a wide result at every cell of its window */
    if (layer->kind == LAYER_MATRIX && layer->m->integer)
        return false;
    return layer->function == GRAPH_NONE || b->graph->nodes[layer->function].op != CORE_CLIP; /* floats have no clamp */
}

/* Work of the vector unit that loses by the rounding of 8 bits in between, and gains nothing. */
static bool is_fine(const struct layer *layer)
{
    switch (layer->kind) {
    case LAYER_BINARY:
    case LAYER_UNARY:
        return layer->chain_count <= 1 && layer->op != CORE_QUANTIZE && layer->op != CORE_DEQUANTIZE;
    case LAYER_SOFTMAX:
    case LAYER_STEPS:
    case LAYER_REDUCE:
        return true;
    default:
        return false;
    }
}

/* Does the value pass between such layers alone? Behind a normalisation may be a table: its codes are the result's, of rows that are alike. */
static bool stays_fine(const struct backend *b, const struct layer *maker)
{
    bool read = false;
    for (int i = 0; i < b->layer_count; i++) {
        if (!layer_reads(&b->layers[i], maker->y))
            continue;
        if (!is_fine(&b->layers[i]) && !(normal_step(b, maker) && normal_step(b, &b->layers[i])))
            return false;
        read = true;
    }
    return read && is_fine(maker) && (maker->function == GRAPH_NONE || b->graph->nodes[maker->function].op != CORE_CLIP);
}

/* Does the layer give a sum of the value and others, or the same numbers in another order? */
static bool hands_on_scores(const struct layer *l, int value)
{
    switch (l->kind) {
    case LAYER_PRODUCT:
    case LAYER_MATRIX:
        return l->residual == value && l->x != value && l->other != value && l->chain_count == 0;
    case LAYER_BINARY:
        return (l->op == CORE_ADD || l->op == CORE_SUB) && l->chain_count == 0 && l->function == GRAPH_NONE;
    case LAYER_MOVE:
    case LAYER_ALIAS:
        return !l->input_count;
    default:
        return false;
    }
}

/* Is it a softmax alone that looks at the value, at a sum of others and it, or at a copy? Such a value may hold what masks, far below everything
 * else or infinitely far; eight bits over that range would leave nothing of the rest. */
static bool feeds_softmax(const struct backend *b, int value)
{
    bool read = false;
    if (graph_is_output(b->graph, value))
        return false;
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *l = &b->layers[i];
        if (!layer_reads(l, value))
            continue;
        if (l->kind != LAYER_SOFTMAX && !(hands_on_scores(l, value) && feeds_softmax(b, l->y)))
            return false;
        read = true;
    }
    return read;
}

/* As many digits as eight or sixteen bits have, whatever the range. */
static struct quantisation float_beside(const struct backend *b)
{
    return (struct quantisation){.known = true, .format = b->format == COMPILE_INT16 ? WEFT_FORMAT_f32 : WEFT_FORMAT_bf16, .scale = 1};
}

/* u8, s8 and s32 are all that quantised operators have: the importer says the others by parts, or refuses them. */
static enum weft_format integer_format(enum element e)
{
    assert(e == ELEMENT_U8 || e == ELEMENT_S8 || e == ELEMENT_S32);
    return e == ELEMENT_S8 ? WEFT_FORMAT_s8 : e == ELEMENT_S32 ? WEFT_FORMAT_s32 : WEFT_FORMAT_u8;
}

/* Integer constants of a quantise or dequantise node: scale and zero of the whole tensor. */
bool quantise_parameters(const struct backend *b, const struct layer *l, struct quantisation *out)
{
    const struct node *n = &b->graph->nodes[l->node];
    int integer = l->op == CORE_QUANTIZE ? l->y : l->x;
    double scale = 1, zero = 0;
    bool one = shape_count(&b->graph->values[n->inputs[1]].shape) == 1;
    if (!one || !value_at(b->graph, n->inputs[1], 0, &scale) ||
        (n->input_count > 2 && n->inputs[2] != GRAPH_NONE && !value_at(b->graph, n->inputs[2], 0, &zero)))
        return false;
    *out = (struct quantisation){.known = true,
                                 .format = integer_format(b->graph->values[integer].element),
                                 .scale = (float)scale,
                                 .zero = (int32_t)zero};
    return true;
}

/* QuantizeLinear and DequantizeLinear: bytes that stay what they are, except that s32 becomes a value like any other. */
static enum weft_status quantise_conversion(struct backend *b, const struct layer *l)
{
    struct quantisation q;
    const struct node *n = &b->graph->nodes[l->node];
    if (!quantise_parameters(b, l, &q))
        return weft_error(b->diag, "%s: node %s (%s): scale and zero point must be constants, one for the whole tensor", b->graph->name, n->name,
                          n->onnx_type);
    bool wide = l->op == CORE_DEQUANTIZE && (q.format == WEFT_FORMAT_s32 || b->planes || (q.zero && product_reads(b, l->y)));
    b->graph->values[l->y].q = wide ? format_for(b, l->y) : q;
    return WEFT_OK;
}

static double scalar_or(struct backend *b, const struct node *n, unsigned input, double otherwise)
{
    double out = otherwise;
    if (n->input_count > input && n->inputs[input] != GRAPH_NONE)
        value_at(b->graph, n->inputs[input], 0, &out);
    return out;
}

/* Integers of the network: the node that reads or makes them says what they stand for. */
static enum weft_status quantise_integers(struct backend *b, const struct layer *l)
{
    const struct node *n = &b->graph->nodes[l->node];
    bool qlinear = n->op == CORE_QCONV || n->op == CORE_QMATMUL;
    struct value *x = &b->graph->values[l->x], *y = &b->graph->values[l->y];
    struct quantisation q = {.known = true, .format = integer_format(x->element), .scale = qlinear ? (float)scalar_or(b, n, 1, 1) : 1,
                             .zero = (int32_t)scalar_or(b, n, 2, 0)};
    unsigned pads = 0;
    for (unsigned i = 0; i < n->at.spatial && i < 3; i++)
        pads += n->at.pad_begin[i] || n->at.pad_end[i];
    if (x->q.known && x->q.zero != q.zero && pads)
        return weft_error(b->diag, "%s: node %s (%s): its input has zero point %d for another node and %d for this one, which pads it", b->graph->name,
                          n->name, n->onnx_type, x->q.zero, q.zero);
    if (!x->q.known)
        x->q = q;
    if (qlinear)
        y->q = (struct quantisation){.known = true, .format = integer_format(y->element), .scale = (float)scalar_or(b, n, 6, 1),
                                     .zero = (int32_t)scalar_or(b, n, 7, 0)};
    return WEFT_OK;
}

/* What is only quantised by the network itself takes the network's scale, and so its very integers: it is rounded once. Layers that hand integers on
 * may stand between. */
static bool own_scale(struct backend *b, int value, struct quantisation *out)
{
    bool found = false;
    if (graph_is_output(b->graph, value))
        return false; /* is wanted as it is, too */
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *l = &b->layers[i];
        struct quantisation q = {0};
        if (!layer_reads(l, value))
            continue;
        bool quantises = l->kind == LAYER_UNARY && l->op == CORE_QUANTIZE && quantise_parameters(b, l, &q);
        bool hands_on = quantise_keeps_scale(l) && !l->input_count && own_scale(b, l->y, &q);
        if ((!quantises && !hands_on) ||
            (found && (q.scale != out->scale || q.zero != out->zero || q.format != out->format)))
            return false;
        *out = q;
        found = true;
    }
    return found;
}

/* Do all that read it add or multiply it to something that the network then quantises? In the network it is not rounded before that. */
static bool feeds_own_scale(struct backend *b, int value)
{
    struct quantisation own;
    bool read = false;
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *l = &b->layers[i];
        if (!layer_reads(l, value))
            continue;
        bool joins = l->kind == LAYER_BINARY || (l->kind == LAYER_MATRIX && l->residual == value && l->x != value);
        if (!joins || l->chain_count > 1 || !own_scale(b, l->y, &own))
            return false;
        read = true;
    }
    return read && !graph_is_output(b->graph, value);
}

/* The network quantises it, or a copy of it, with several scales or computed ones: it must see the reals. */
static bool quantised_in_steps(const struct backend *b, int value)
{
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *l = &b->layers[i];
        if ((l->kind == LAYER_STEPS && l->op == CORE_QUANTIZE && l->x == value) ||
            (quantise_keeps_scale(l) && !l->input_count && layer_reads(l, value) && quantised_in_steps(b, l->y)))
            return true;
    }
    return false;
}

static enum weft_status quantise_layer(struct backend *b, struct layer *layer)
{
    struct quantisation own;
    bool makes_float = can_make_float(b, layer) || is_fine(layer);
    struct value *y = &b->graph->values[layer->y];
    if (layer->kind == LAYER_UNARY && (layer->op == CORE_DEQUANTIZE || layer->op == CORE_QUANTIZE))
        return quantise_conversion(b, layer);
    if (layer->kind == LAYER_MATRIX && layer->m->integer)
        return quantise_integers(b, layer);
    if (!backend_value_is_real(b, layer->y)) {
        if (quantise_keeps_scale(layer) && !layer->input_count)
            y->q = b->graph->values[layer->x].q;
        return WEFT_OK;
    }
    if (layer->input_count == 1 && value_is_constant(&b->graph->values[layer->inputs[0]]))
        y->q = (struct quantisation){.known = true, .format = WEFT_FORMAT_f32, .scale = 1}; /* outputs.c */
    else if (quantise_keeps_scale(layer) && !layer->input_count && backend_value_is_real(b, layer->x))
        y->q = b->graph->values[layer->x].q;
    else if (!b->planes && makes_float && quantised_in_steps(b, layer->y))
        y->q = (struct quantisation){.known = true, .format = WEFT_FORMAT_f32, .scale = 1};
    else if (normal_step(b, layer) && stays_fine(b, layer))
        y->q = normal_format(b, layer);
    else if (normal_row(b, layer, &own))
        y->q = own;
    else if (!b->planes && ((can_make_float(b, layer) && (read_only_as_float(b, layer->y) || feeds_own_scale(b, layer->y))) || stays_fine(b, layer)))
        y->q = (struct quantisation){.known = true, .format = WEFT_FORMAT_f32, .scale = 1};
    else if (!b->planes && makes_float && feeds_softmax(b, layer->y))
        y->q = float_beside(b);
    else if (!b->planes && own_scale(b, layer->y, &own))
        y->q = own;
    else
        y->q = format_for(b, layer->y);
    return WEFT_OK;
}

enum weft_status backend_quantise(struct backend *b)
{
    enum weft_status status = b->planes ? WEFT_OK : backend_joined(b);
    for (unsigned i = 0; i < b->graph->input_count; i++) {
        int v = b->graph->inputs[i];
        if (backend_value_is_real(b, v) && (b->planes || !own_scale(b, v, &b->graph->values[v].q)))
            b->graph->values[v].q = quantised_in_steps(b, v)                  ? (struct quantisation){.known = true, .format = WEFT_FORMAT_f32, .scale = 1}
                                    : !b->planes && feeds_softmax(b, v) ? float_beside(b)
                                                                        : format_for(b, v);
    }
    for (int i = 0; i < b->layer_count && !status; i++) {
        struct layer *l = &b->layers[i];
        status = quantise_layer(b, l);
        if (!status && l->preact != GRAPH_NONE && !b->planes)
            b->graph->values[l->preact].q = from_range(b, b->low[l->preact], b->high[l->preact]);
    }
    return status;
}
