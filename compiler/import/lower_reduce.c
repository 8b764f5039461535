/* lower_reduce.c: mean, sum and maximum over axes. What is computed at run time becomes a pool, which the machine has. */
#include "element.h"
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

/* --- as a pool whose window is all that is reduced ---------------------------------------------------------------------------- */

static bool is_reduced(const struct attributes *at, unsigned axis)
{
    for (unsigned i = 0; i < at->axis_count; i++)
        if (at->axes[i] == axis)
            return true;
    return false;
}

/* The axes that are reduced go behind the others. */
static int reduced_last(struct lower *l, const struct attributes *at, const struct shape *x, struct shape *turned, unsigned *kept)
{
    struct attributes turn = {0};
    unsigned at_now = 0;
    bool moves = false;
    *turned = *x;
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned d = 0; d < x->rank; d++)
            if (is_reduced(at, d) == (pass == 1)) {
                moves |= at_now != d;
                turned->dims[at_now] = x->dims[d];
                turn.perm[at_now++] = d;
            }
        if (!pass)
            *kept = at_now;
    }
    return moves ? lower_emit(l, CORE_TRANSPOSE, l->in, 1, &turn, lower_value(l, 0)->element, turned) : l->in[0];
}

/* Lines and pixels of a window of `count`, as square as can be: a maximum takes one step for each line and each pixel. */
static void window_of(int64_t count, int64_t *lines, int64_t *pixels)
{
    *lines = 1;
    for (int64_t k = 2; k <= count / k && k <= 1 << 12; k++)
        if (count % k == 0)
            *lines = k;
    *pixels = count / *lines;
}

/* As a map of two spatial dimensions, which the window covers. A map that is one already stays as it is. */
static struct shape map_of(const struct shape *turned, unsigned kept)
{
    struct shape map = {.rank = 4, .dims = {1, 1, 1, 1}};
    int64_t count = 1;
    for (unsigned d = 0; d < turned->rank; d++)
        if (d >= kept)
            count *= turned->dims[d];
        else
            map.dims[d > 0] *= turned->dims[d];
    if (turned->rank == 4 && kept == 2)
        return *turned;
    window_of(count, &map.dims[2], &map.dims[3]);
    return map;
}

static int reduce_by_pool(struct lower *l, enum core_op op, const struct attributes *at, const struct shape *x, const struct shape *out)
{
    enum element element = lower_value(l, 0)->element;
    struct shape turned;
    unsigned kept;
    int value = reduced_last(l, at, x, &turned, &kept);
    struct shape map = map_of(&turned, kept), one = {4, {map.dims[0], map.dims[1], 1, 1}};
    struct attributes pool = {.spatial = 2, .groups = 1, .kernel = {map.dims[2], map.dims[3]}, .stride = {1, 1}, .dilation = {1, 1}};
    value = lower_reshape(l, value, &map);
    value = lower_emit(l, op == CORE_REDUCE_MAX ? CORE_MAXPOOL : CORE_AVERAGEPOOL, &value, 1, &pool, element, &one);
    if (op == CORE_REDUCE_SUM && map.dims[2] * map.dims[3] > 1)
        value = lower_broadcast(l, CORE_MUL, value, lower_scalar(l, element, (double)(map.dims[2] * map.dims[3])));
    return lower_reshape(l, value, out);
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
    if (element_is_float(lower_value(l, 0)->element) && !value_is_constant(lower_value(l, 0)) && shape_count(&x))
        return lower_done(l, reduce_by_pool(l, (enum core_op)op->core, &at, &x, &out));
    return lower_done(l, lower_emit(l, (enum core_op)op->core, l->in, 1, &at, lower_value(l, 0)->element, &out));
}
