/* pass_pad.c: padding moves into the convolution or pool behind it, where that pads with the same value. */
#include "pass_edit.h"
#include "passes.h"

#include <float.h>
#include <math.h>

static bool spatial_only(const struct node *pad, const struct node *node, unsigned rank)
{
    if (rank != node->at.spatial + 2)
        return false;
    for (unsigned d = 0; d < rank; d++)
        if (pad->at.begins[d] < 0 || pad->at.ends[d] < 0 || (d < 2 && (pad->at.begins[d] || pad->at.ends[d])))
            return false;
    return true;
}

/* Integer convolutions pad with their zero point. */
static bool is_zero_point(struct graph *graph, const struct node *node, unsigned input, float value)
{
    int id = input < node->input_count ? node->inputs[input] : GRAPH_NONE;
    double zero = 0;
    if (id == GRAPH_NONE)
        return value == 0;
    return edit_is_known(graph, id) && shape_count(&graph->values[id].shape) == 1 && value_at(graph, id, 0, &zero) && zero == (double)value;
}

static bool is_never_negative(const struct graph *graph, int value)
{
    const struct node *maker = edit_producer(graph, value);
    if (!maker)
        return false;
    return maker->op == CORE_RELU || maker->op == CORE_SIGMOID || maker->op == CORE_SOFTMAX || maker->op == CORE_ABS ||
           (maker->op == CORE_CLIP && maker->at.alpha >= 0);
}

/* Does every window reach into the input itself? */
static bool pads_below_kernel(const struct node *pad, const struct node *pool)
{
    for (unsigned d = 0; d < pool->at.spatial; d++) {
        int64_t dilation = pool->at.dilation[d] ? pool->at.dilation[d] : 1, reach = (pool->at.kernel[d] - 1) * dilation;
        if (pool->at.pad_begin[d] + pad->at.begins[2 + d] > reach || pool->at.pad_end[d] + pad->at.ends[2 + d] > reach)
            return false;
        if (dilation > 1)
            return false; /* a window may then step over a narrow input */
    }
    return true;
}

/* A pool pads with minus infinity; zeros do the same where nothing in the input is smaller. */
static bool fits_maxpool(const struct graph *graph, const struct node *pad, const struct node *pool)
{
    if (!pads_below_kernel(pad, pool) || graph->values[pad->inputs[0]].element != ELEMENT_F32)
        return false;
    return pad->at.alpha == -INFINITY || pad->at.alpha <= -FLT_MAX || (pad->at.alpha == 0 && is_never_negative(graph, pad->inputs[0]));
}

/* Zeros that an average counts: its own padding, if any, must count too. */
static bool fits_averagepool(const struct node *pad, const struct node *pool)
{
    bool padded = false;
    for (unsigned d = 0; d < pool->at.spatial; d++)
        padded |= pool->at.pad_begin[d] || pool->at.pad_end[d];
    return pad->at.alpha == 0 && (!padded || pool->at.count_include_pad);
}

static bool fits(struct graph *graph, const struct node *pad, const struct node *node)
{
    switch (node->op) {
    case CORE_CONV:
        return pad->at.alpha == 0;
    case CORE_QCONV:
        return is_zero_point(graph, node, 2, pad->at.alpha);
    case CORE_CONV_INTEGER:
        return is_zero_point(graph, node, 2, pad->at.alpha);
    case CORE_MAXPOOL:
        return fits_maxpool(graph, pad, node);
    case CORE_AVERAGEPOOL:
        return fits_averagepool(pad, node);
    default:
        return false;
    }
}

static void absorb(const struct node *pad, struct node *node)
{
    for (unsigned d = 0; d < node->at.spatial; d++) {
        node->at.pad_begin[d] += pad->at.begins[2 + d];
        node->at.pad_end[d] += pad->at.ends[2 + d];
    }
    if (node->op == CORE_AVERAGEPOOL)
        node->at.count_include_pad = true;
    node->inputs[0] = pad->inputs[0];
}

enum weft_status pass_pad(struct graph *graph, struct weft_diag *diag)
{
    for (int i = 0; i < graph->node_count; i++) {
        struct node *node = &graph->nodes[i];
        if (node->dead || !node->input_count)
            continue;
        const struct node *pad = edit_producer(graph, node->inputs[0]);
        if (!pad || pad->op != CORE_PAD)
            continue;
        if (fits(graph, pad, node) && spatial_only(pad, node, graph->values[pad->inputs[0]].shape.rank))
            absorb(pad, node);
    }
    return WEFT_OK;
}
