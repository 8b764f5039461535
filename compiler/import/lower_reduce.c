/* lower_reduce.c: mean, sum and maximum over axes. */
#include "lower.h"

static bool reduce_axes(struct lower *l, const struct onnx_op *op, struct attributes *at)
{
    bool input = l->opset >= (op->core == CORE_REDUCE_SUM ? 13 : 18);
    if (!input && l->in_count > 1)
        return lower_refuse(l, "axes as an input need a later opset than %d", l->opset);
    if (input && lower_has(l, "axes"))
        return lower_refuse(l, "axes as an attribute end before opset %d", l->opset);
    if (lower_given(l, 1))
        return lower_constant_ints(l, 1, "axes", at->axes, &at->axis_count, GRAPH_RANK_MAX);
    lower_ints(l, "axes", at->axes, &at->axis_count, GRAPH_RANK_MAX);
    return !l->failed;
}

static bool reduced_shape(struct lower *l, struct attributes *at, const struct shape *x, struct shape *out)
{
    bool reduced[GRAPH_RANK_MAX] = {0};
    for (unsigned i = 0; i < at->axis_count; i++) {
        if (!lower_axis(l, &at->axes[i], x->rank))
            return false;
        if (reduced[at->axes[i]])
            return lower_refuse(l, "axis %lld is named twice", (long long)at->axes[i]);
        reduced[at->axes[i]] = true;
    }
    *out = (struct shape){0};
    for (unsigned i = 0; i < x->rank; i++)
        if (!reduced[i] || at->keep_dims)
            out->dims[out->rank++] = reduced[i] ? 1 : x->dims[i];
    return true;
}

bool lower_reduce(struct lower *l, const struct onnx_op *op)
{
    struct attributes at = {.keep_dims = lower_int(l, "keepdims", 1) != 0};
    struct shape x = lower_shape(l, 0), out;
    if (l->failed || !reduce_axes(l, op, &at))
        return false;
    if (!at.axis_count && lower_int(l, "noop_with_empty_axes", 0))
        return lower_done(l, l->in[0]);
    for (unsigned i = 0; !at.axis_count && i < x.rank; i++)
        at.axes[i] = i;
    if (!at.axis_count)
        at.axis_count = x.rank;
    if (!reduced_shape(l, &at, &x, &out))
        return false;
    if (!at.axis_count)
        return lower_done(l, l->in[0]);
    return lower_done(l, lower_emit(l, (enum core_op)op->core, l->in, 1, &at, lower_value(l, 0)->element, &out));
}
