/* pass_qdq.c: dequantize, multiply, quantize becomes the integer operator that ONNX has for it.
 *
 *     x int8 -> dequantize \                                     x -----------\
 *     w int8 -> dequantize -- conv -- (relu) -- quantize -- y    w, bias int32 - qconv -- y
 *       bias (float, or int32 -> dequantize) /
 *
 * A matmul of constant weights becomes qmatmul, a gemm with bias qconv over one pixel. Rounding and saturation keep the order of numbers, so what
 * only orders, picks or moves the product's numbers in front of the quantize does the same to the integers behind it: pools of the
 * maximum, moves, and relus and clips between the codes of their bounds, which go where saturation does their work. What is left of
 * dequantized constants becomes floats.
 */
#include "pass_edit.h"
#include "passes.h"
#include "qdq.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BETWEEN_MAX = 8 };

struct chain {
    struct node *quantize, *product, *x, *w, *bias /* dequantized, or NULL */;
    const struct node *between[BETWEEN_MAX]; /* the quantize and the product, the last one first */
    unsigned count;
};

static bool is_byte(const struct graph *graph, int value)
{
    return graph->values[value].element == ELEMENT_U8 || graph->values[value].element == ELEMENT_S8;
}

static bool keeps_order(const struct node *node)
{
    return node->op == CORE_RELU || node->op == CORE_CLIP || node->op == CORE_MAXPOOL || node->op == CORE_RESHAPE ||
           node->op == CORE_TRANSPOSE || node->op == CORE_SLICE;
}

static bool is_product(const struct node *node)
{
    bool plain_gemm = node->op == CORE_GEMM && !node->at.trans_a && node->at.alpha == 1 && node->at.beta == 1;
    return node->op == CORE_CONV || node->op == CORE_MATMUL || plain_gemm;
}

/* Finds the product, and what stands between. */
static bool walk_back(struct chain *c, const struct graph *graph)
{
    for (int value = c->quantize->inputs[0];;) {
        struct node *node = edit_producer(graph, value);
        if (!node || !edit_only_reader(graph, value))
            return false;
        if (is_product(node)) {
            c->product = node;
            return true;
        }
        if (!keeps_order(node) || c->count == BETWEEN_MAX)
            return false;
        c->between[c->count++] = node;
        value = node->inputs[0];
    }
}

/* Along which axis of the weights the output's channels lie. */
static int64_t channel_axis(const struct node *product)
{
    return product->op == CORE_CONV || (product->op == CORE_GEMM && product->at.trans_b) ? 0 : 1;
}

static bool weights_fit(const struct graph *graph, const struct node *product, const struct node *w)
{
    if (!value_is_constant(&graph->values[w->inputs[0]]) || !is_byte(graph, w->inputs[0]) || !qdq_is_constant(graph, w->inputs[1]) ||
        !qdq_is_constant(graph, w->inputs[2]))
        return false;
    if (product->op != CORE_CONV && graph->values[w->inputs[0]].shape.rank != 2)
        return false;
    return shape_count(&graph->values[w->inputs[1]].shape) == 1 || w->at.axis == channel_axis(product);
}

/* One number a channel, in floats or dequantized from int32. */
static bool bias_fits(const struct graph *graph, const struct node *product, const struct node *w, struct node **dequantized)
{
    int bias = product->input_count > 2 ? product->inputs[2] : GRAPH_NONE;
    *dequantized = bias == GRAPH_NONE ? NULL : qdq_dequantize_of(graph, bias);
    if (bias == GRAPH_NONE)
        return true;
    if (!edit_is_per_channel(&graph->values[bias].shape, graph->values[w->inputs[0]].shape.dims[channel_axis(product)]))
        return false;
    if (!*dequantized)
        return value_is_constant(&graph->values[bias]) && graph->values[bias].element == ELEMENT_F32;
    const struct node *d = *dequantized;
    bool plain_zero = qdq_is_constant(graph, d->inputs[2]) && edit_is_all((struct graph *)graph, d->inputs[2], 0);
    return value_is_constant(&graph->values[d->inputs[0]]) && graph->values[d->inputs[0]].element == ELEMENT_S32 &&
           qdq_is_constant(graph, d->inputs[1]) && plain_zero;
}

static bool match(struct chain *c, struct graph *graph, struct node *quantize)
{
    if (quantize->dead || quantize->op != CORE_QUANTIZE || !is_byte(graph, quantize->outputs[0]) || !qdq_is_scalar(graph, quantize))
        return false;
    *c = (struct chain){.quantize = quantize};
    if (!walk_back(c, graph) || (c->count && !(qdq_entry(graph, quantize->inputs[1], 0) > 0))) /* a scale below zero turns the order round */
        return false;
    c->x = qdq_dequantize_of(graph, c->product->inputs[0]);
    c->w = qdq_dequantize_of(graph, c->product->inputs[1]);
    if (!c->x || !c->w || !is_byte(graph, c->x->inputs[0]) || !qdq_is_scalar(graph, c->x))
        return false;
    return weights_fit(graph, c->product, c->w) && bias_fits(graph, c->product, c->w, &c->bias);
}

/* --- bias ---------------------------------------------------------------------------------------------------------------- */

/* The bias counts units of x_scale w_scale. Integers that do so already stay as they are. */
static int32_t bias_of(struct graph *graph, const struct chain *c, int64_t channel)
{
    double unit = qdq_entry(graph, c->x->inputs[1], 0) * qdq_entry(graph, c->w->inputs[1], channel), number, ratio = 1 / unit;
    number = qdq_entry(graph, c->bias ? c->bias->inputs[0] : c->product->inputs[2], channel);
    if (c->bias)
        ratio = qdq_entry(graph, c->bias->inputs[1], channel) / unit;
    double scaled = c->bias && fabs(ratio - 1) < 1e-5 ? number : nearbyint(number * ratio);
    return scaled >= INT32_MAX ? INT32_MAX : scaled <= INT32_MIN ? INT32_MIN : (int32_t)scaled;
}

/* The value that the integer operator takes as its bias; GRAPH_NONE in `out` where there is none. */
static enum weft_status make_bias(int *out, struct graph *graph, const struct chain *c)
{
    int bias = c->product->input_count > 2 ? c->product->inputs[2] : GRAPH_NONE, source = c->bias ? c->bias->inputs[0] : bias;
    *out = GRAPH_NONE;
    if (bias == GRAPH_NONE)
        return WEFT_OK;
    struct shape shape = {.rank = 1, .dims = {shape_count(&graph->values[bias].shape)}};
    int32_t *numbers = edit_is_known(graph, source) ? malloc((size_t)(shape.dims[0] + 1) * sizeof *numbers) : NULL;
    if (edit_is_known(graph, source) && !numbers)
        return WEFT_NO_MEMORY;
    for (int64_t i = 0; numbers && i < shape.dims[0]; i++)
        numbers[i] = bias_of(graph, c, i);
    *out = edit_constant(graph, c->product->name, "bias", ELEMENT_S32, &shape, numbers);
    free(numbers);
    return *out == GRAPH_NONE ? WEFT_NO_MEMORY : WEFT_OK;
}

/* --- the integer operator ------------------------------------------------------------------------------------------------ */

struct ids {
    int product, quantize, inputs[9];
    int out /* what the integer operator makes */, between[BETWEEN_MAX];
    unsigned count;
}; /* nodes by number, since adding nodes moves them */

static struct ids take_ids(const struct graph *graph, const struct chain *c, int bias)
{
    struct ids ids = {(int)(c->product - graph->nodes),
                      (int)(c->quantize - graph->nodes),
                      {c->x->inputs[0], c->x->inputs[1], c->x->inputs[2], c->w->inputs[0], c->w->inputs[1], c->w->inputs[2],
                       c->quantize->inputs[1], c->quantize->inputs[2], bias},
                      .count = c->count};
    for (unsigned i = 0; i < c->count; i++)
        ids.between[i] = (int)(c->between[i] - graph->nodes);
    return ids;
}

/* The new node makes ids->out. */
static enum weft_status replace(struct graph *graph, const struct ids *ids, enum core_op op, unsigned count)
{
    int made = qdq_add_node(graph, op, &graph->nodes[ids->product], "", ids->inputs, count, ELEMENT_U8, NULL, ids->out);
    return made == GRAPH_NONE ? WEFT_NO_MEMORY : WEFT_OK;
}

/* Weights [N, K] or, transposed, [K, N] as filters [N, K, 1, 1]. */
static int make_filters(struct graph *graph, const struct node *product, int w, bool transposed)
{
    struct value value = graph->values[w];
    int64_t n = value.shape.dims[transposed ? 1 : 0], k = value.shape.dims[transposed ? 0 : 1];
    struct shape shape = {.rank = 4, .dims = {n, k, 1, 1}};
    if (!edit_is_known(graph, w))
        return edit_constant(graph, product->name, "filters", value.element, &shape, NULL);
    const uint8_t *from = value_bytes(graph, w);
    uint8_t *to = from ? malloc((size_t)(n * k + 1)) : NULL;
    if (!to)
        return GRAPH_NONE;
    for (int64_t i = 0; i < n * k; i++)
        to[i] = transposed ? from[i % k * n + i / k] : from[i];
    int made = edit_constant(graph, product->name, "filters", value.element, &shape, to);
    free(to);
    return made;
}

/* [M, K] is M images of one pixel and K channels. */
static enum weft_status replace_gemm(struct graph *graph, struct ids *ids)
{
    struct node *product = &graph->nodes[ids->product];
    int out = ids->out;
    struct shape x = graph->values[ids->inputs[0]].shape, y = graph->values[out].shape;
    enum element element = graph->values[out].element;
    x.rank = y.rank = 4;
    for (unsigned d = 2; d < 4; d++)
        x.dims[d] = y.dims[d] = 1;
    ids->inputs[3] = make_filters(graph, product, ids->inputs[3], !product->at.trans_b);
    product->at = (struct attributes){.kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}, .spatial = 2, .groups = 1};
    ids->inputs[0] =
        qdq_add_node(graph, CORE_RESHAPE, product, "pixels", &ids->inputs[0], 1, graph->values[ids->inputs[0]].element, &x, GRAPH_NONE);
    if (ids->inputs[3] == GRAPH_NONE || ids->inputs[0] == GRAPH_NONE)
        return WEFT_NO_MEMORY;
    int pixels = qdq_add_node(graph, CORE_QCONV, &graph->nodes[ids->product], "sums", ids->inputs, ids->inputs[8] == GRAPH_NONE ? 8 : 9,
                          element, &y, GRAPH_NONE);
    if (pixels == GRAPH_NONE)
        return WEFT_NO_MEMORY;
    int made = qdq_add_node(graph, CORE_RESHAPE, &graph->nodes[ids->product], "", &pixels, 1, element, NULL, out);
    return made == GRAPH_NONE ? WEFT_NO_MEMORY : WEFT_OK;
}

/* --- what stood between ---------------------------------------------------------------------------------------------------- */

/* The codes that a relu or clip leaves. False: it is no such node. */
static bool clip_codes(struct graph *graph, const struct ids *ids, const struct node *node, float *low, float *high)
{
    bool is_signed = graph->values[ids->out].element == ELEMENT_S8;
    int32_t least = is_signed ? INT8_MIN : 0, greatest = is_signed ? INT8_MAX : UINT8_MAX;
    float scale = (float)qdq_entry(graph, ids->inputs[6], 0);
    int32_t zero = (int32_t)qdq_entry(graph, ids->inputs[7], 0);
    if (node->op != CORE_RELU && node->op != CORE_CLIP)
        return false;
    *low = (float)weft_requantise((node->op == CORE_RELU ? 0 : node->at.alpha) / scale, zero, least, greatest);
    *high = node->op == CORE_RELU ? (float)greatest : (float)weft_requantise(node->at.beta / scale, zero, least, greatest);
    return true;
}

static bool is_saturation(struct graph *graph, const struct ids *ids, const struct node *node)
{
    float low, high;
    bool is_signed = graph->values[ids->out].element == ELEMENT_S8;
    return clip_codes(graph, ids, node, &low, &high) && low == (is_signed ? INT8_MIN : 0) && high == (is_signed ? INT8_MAX : UINT8_MAX);
}

static void drop_saturations(struct graph *graph, struct ids *ids)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < ids->count; i++)
        if (!is_saturation(graph, ids, &graph->nodes[ids->between[i]]))
            ids->between[kept++] = ids->between[i];
    ids->count = kept;
}

/* What the integer operator makes: the quantize's result, or where nodes follow a value of their own. */
static enum weft_status find_out(struct graph *graph, struct ids *ids)
{
    ids->out = graph->nodes[ids->quantize].outputs[0];
    drop_saturations(graph, ids);
    edit_kill(graph, &graph->nodes[ids->quantize]);
    if (!ids->count)
        return WEFT_OK;
    const struct node *product = &graph->nodes[ids->product];
    struct shape shape = graph->values[product->outputs[0]].shape;
    ids->out = edit_constant(graph, product->name, "integers", graph->values[ids->out].element, &shape, NULL);
    if (ids->out == GRAPH_NONE)
        return WEFT_NO_MEMORY;
    graph->values[ids->out].contents = CONTENTS_NONE;
    return WEFT_OK;
}

/* `node` again, of the integers `from`; its result's id, or GRAPH_NONE. `out` as for add_node. */
static int add_between(struct graph *graph, const struct ids *ids, int id, int from, int out)
{
    struct node *node = &graph->nodes[id];
    struct shape shape = graph->values[node->outputs[0]].shape;
    float low, high;
    bool clips = clip_codes(graph, ids, node, &low, &high);
    int made = qdq_add_node(graph, clips ? CORE_CLIP : node->op, node, "integers", &from, 1, graph->values[from].element, &shape, out);
    if (made == GRAPH_NONE || !clips)
        return made;
    struct attributes *at = &edit_producer(graph, made)->at;
    at->alpha = low;
    at->beta = high;
    return made;
}

static enum weft_status add_all_between(struct graph *graph, const struct ids *ids, int out)
{
    int value = ids->out;
    for (unsigned i = ids->count; i-- > 0 && value != GRAPH_NONE;)
        value = add_between(graph, ids, ids->between[i], value, i ? GRAPH_NONE : out);
    return value == GRAPH_NONE ? WEFT_NO_MEMORY : WEFT_OK;
}

static enum weft_status replace_product(struct graph *graph, struct ids *ids)
{
    const struct node *product = &graph->nodes[ids->product];
    bool biased = ids->inputs[8] != GRAPH_NONE;
    if (product->op == CORE_CONV)
        return replace(graph, ids, CORE_QCONV, biased ? 9 : 8);
    if (product->op == CORE_MATMUL || (!biased && !product->at.trans_b))
        return replace(graph, ids, CORE_QMATMUL, 8);
    return replace_gemm(graph, ids);
}

static enum weft_status replace_chain(struct graph *graph, const struct chain *c)
{
    int bias, out = c->quantize->outputs[0];
    enum weft_status status = make_bias(&bias, graph, c);
    if (status)
        return status;
    struct ids ids = take_ids(graph, c, bias);
    status = find_out(graph, &ids);
    if (!status)
        status = replace_product(graph, &ids);
    return status ? status : add_all_between(graph, &ids, out);
}

/* Does every integer less its zero point fit a signed byte? Then weights can stay what the network has them. */
static bool fits_signed_byte(struct graph *graph, const struct node *dequantize)
{
    int q = dequantize->inputs[0], zeros = dequantize->inputs[2];
    bool one = shape_count(&graph->values[zeros].shape) == 1;
    const uint8_t *bytes = is_byte(graph, q) && edit_is_known(graph, q) && (one || edit_is_all(graph, zeros, 0)) ? value_bytes(graph, q) : NULL;
    int zero = (int)qdq_entry(graph, zeros, 0), count = bytes ? 1 : 0;
    bool is_signed = graph->values[q].element == ELEMENT_S8;
    for (int64_t i = 0, all = shape_count(&graph->values[q].shape); count && i < all; i++) {
        int weight = (is_signed ? (int8_t)bytes[i] : bytes[i]) - zero;
        count = weight >= INT8_MIN && weight <= INT8_MAX;
    }
    return count;
}

static void note_multiples(struct graph *graph, const struct node *node)
{
    struct value *value = &graph->values[node->outputs[0]];
    value->multiples = (struct multiples){fits_signed_byte(graph, node), node->inputs[1], node->at.axis};
}

static enum weft_status fold_the_rest(struct graph *graph, struct weft_diag *diag)
{
    for (int i = 0; i < graph->node_count; i++) {
        struct node *node = &graph->nodes[i];
        if (node->dead || node->op != CORE_DEQUANTIZE || !value_is_constant(&graph->values[node->inputs[0]]) ||
            !graph_uses(graph, node->outputs[0]))
            continue;
        if (!qdq_is_constant(graph, node->inputs[1]) || !qdq_is_constant(graph, node->inputs[2]))
            continue;
        note_multiples(graph, node);
        enum weft_status status = edit_fold(graph, node, diag);
        if (status)
            return status;
    }
    return WEFT_OK;
}

enum weft_status pass_qdq(struct graph *graph, struct weft_diag *diag)
{
    struct chain c;
    enum weft_status status = qdq_arrange(graph, diag);
    if (status)
        return status;
    for (int i = 0, count = graph->node_count; i < count; i++) {
        status = match(&c, graph, &graph->nodes[i]) ? replace_chain(graph, &c) : WEFT_OK;
        if (status)
            return status;
    }
    status = graph_sort(graph, diag);
    if (status)
        return status;
    graph_sweep(graph); /* what only the chains read must not count as read any more */
    status = fold_the_rest(graph, diag);
    return status ? status : pass_fold(graph, diag); /* what was made of them */
}
