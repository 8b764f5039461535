/* lower_reduce.c: reductions over axes: mean, sum and maximum, and those that are made of them. */
#include "element.h"
#include "lower_build.h"

static bool reduce_axes(struct lower *l, const struct onnx_op *op, int64_t *list, unsigned *count)
{
    bool input = l->opset >= (op->lower == lower_reduce && op->core == CORE_REDUCE_SUM ? 13 : 18);
    if (!input && l->in_count > 1)
        return lower_refuse(l, "axes as an input need a later opset than %d", l->opset);
    if (input && lower_has(l, "axes"))
        return lower_refuse(l, "axes as an attribute end before opset %d", l->opset);
    if (lower_given(l, 1))
        return lower_constant_ints(l, 1, "axes", list, count, GRAPH_RANK_MAX);
    lower_ints(l, "axes", list, count, GRAPH_RANK_MAX);
    return !l->failed;
}

/* Which dimensions are reduced. None is named: all, or with noop_with_empty_axes none. */
static bool read_reduction(struct lower *l, const struct onnx_op *op, bool axes[GRAPH_RANK_MAX], bool *keep)
{
    struct shape x = lower_shape(l, 0);
    int64_t list[GRAPH_RANK_MAX];
    unsigned count = 0;
    *keep = lower_int(l, "keepdims", 1) != 0;
    if (l->failed || !reduce_axes(l, op, list, &count))
        return false;
    bool all = !count && !lower_int(l, "noop_with_empty_axes", 0);
    for (unsigned i = 0; i < x.rank; i++)
        axes[i] = all;
    for (unsigned i = 0; i < count; i++) {
        if (!lower_axis(l, &list[i], x.rank))
            return false;
        if (axes[list[i]])
            return lower_refuse(l, "axis %lld is named twice", (long long)list[i]);
        axes[list[i]] = true;
    }
    return true;
}

bool lower_reduce(struct lower *l, const struct onnx_op *op)
{
    bool axes[GRAPH_RANK_MAX], keep;
    return read_reduction(l, op, axes, &keep) && lower_done(l, build_reduce(l, (enum core_op)op->core, l->in[0], axes, keep));
}

bool lower_reduce_min(struct lower *l, const struct onnx_op *op)
{
    bool axes[GRAPH_RANK_MAX], keep;
    return read_reduction(l, op, axes, &keep) && lower_done(l, build_reduce_min(l, l->in[0], axes, keep));
}

/* The sum of f(x), and g of that: the core operator is f for L1 (abs), g for L2 (sqrt) and LogSum (log). */
bool lower_reduce_sum_of(struct lower *l, const struct onnx_op *op)
{
    bool axes[GRAPH_RANK_MAX], keep, roots = op->core == CORE_SQRT, logs = op->core == CORE_LOG;
    int x = l->in[0];
    if (!read_reduction(l, op, axes, &keep) || ((roots || logs) && !lower_want_float(l, 0)))
        return false;
    if (op->core == CORE_ABS)
        x = build_unary(l, CORE_ABS, x);
    else if (!logs)
        x = build_binary(l, CORE_MUL, x, x);
    x = build_reduce(l, CORE_REDUCE_SUM, x, axes, keep);
    return lower_done(l, roots || logs ? build_unary(l, (enum core_op)op->core, x) : x);
}

static int keep_or_drop(struct lower *l, int x, const bool *axes, bool keep)
{
    struct shape shape = build_shape(l, x), out = {0};
    for (unsigned i = 0; i < shape.rank; i++)
        if (keep || !axes[i])
            out.dims[out.rank++] = shape.dims[i];
    return lower_reshape(l, x, &out);
}

bool lower_reduce_log_sum_exp(struct lower *l, const struct onnx_op *op)
{
    bool axes[GRAPH_RANK_MAX], keep;
    if (!read_reduction(l, op, axes, &keep) || !lower_want_float(l, 0))
        return false;
    return lower_done(l, keep_or_drop(l, build_log_sum_exp(l, l->in[0], axes), axes, keep));
}

/* One half of the axis times the other until one element is left; what is odd is kept aside. */
static int multiply_along(struct lower *l, int x, unsigned axis)
{
    int64_t n = build_shape(l, x).dims[axis];
    int rest = GRAPH_NONE;
    while (n > 1 && x >= 0) {
        if (n % 2) {
            int odd = build_slice(l, x, axis, n - 1, n, 1);
            rest = rest == GRAPH_NONE ? odd : build_binary(l, CORE_MUL, rest, odd);
        }
        n /= 2;
        x = build_binary(l, CORE_MUL, build_slice(l, x, axis, 0, n, 1), build_slice(l, x, axis, n, 2 * n, 1));
    }
    return rest == GRAPH_NONE ? x : build_binary(l, CORE_MUL, x, rest);
}

/* The product of nothing. */
static int ones(struct lower *l, const struct shape *x, const bool *axes, bool keep)
{
    struct shape out = {0};
    for (unsigned i = 0; i < x->rank; i++)
        if (!axes[i] || keep)
            out.dims[out.rank++] = axes[i] ? 1 : x->dims[i];
    int value = lower_rule(l, CONTENTS_FILL, build_element(l, l->in[0]), &out);
    if (value >= 0)
        l->graph->values[value].fill = 1;
    return value;
}

bool lower_reduce_prod(struct lower *l, const struct onnx_op *op)
{
    bool axes[GRAPH_RANK_MAX], keep;
    struct shape shape = lower_shape(l, 0);
    int x = l->in[0];
    if (!read_reduction(l, op, axes, &keep))
        return false;
    if (!shape_count(&shape))
        return lower_done(l, ones(l, &shape, axes, keep));
    for (unsigned i = 0; i < shape.rank; i++)
        if (axes[i])
            x = multiply_along(l, x, i);
    return lower_done(l, keep_or_drop(l, x, axes, keep));
}
