/* lower_math.c: arithmetic, element by element and by matrix. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "element.h"
#include "lower.h"

static bool takes_integers(int core)
{
    return core == CORE_ABS || core == CORE_NEG;
}

bool lower_unary(struct lower *l, const struct onnx_op *op)
{
    struct attributes at = {0};
    struct shape shape = lower_shape(l, 0);
    if (!takes_integers(op->core) && !lower_want_float(l, 0))
        return false;
    if (op->core == CORE_LEAKY)
        at.alpha = lower_float(l, "alpha", 0.01f);
    if (l->failed)
        return false;
    return lower_done(l, lower_emit(l, (enum core_op)op->core, l->in, 1, &at, lower_value(l, 0)->element, &shape));
}

static bool same_type(struct lower *l, int a, int b)
{
    enum element x = l->graph->values[a].element, y = l->graph->values[b].element;
    return x == y || lower_refuse(l, "inputs are %s and %s; they must be one type", element_name(x), element_name(y));
}

static int emit_broadcast(struct lower *l, enum core_op op, int a, int b)
{
    const struct value *x = &l->graph->values[a], *y = &l->graph->values[b];
    struct shape out;
    char xs[160], ys[160];
    if (!same_type(l, a, b))
        return LOWER_POISON;
    if (!shape_broadcast(&out, &x->shape, &y->shape)) {
        lower_refuse(l, "shapes %s and %s do not broadcast: dimensions, counted from the last, must be equal or 1",
                     shape_text(&x->shape, xs), shape_text(&y->shape, ys));
        return LOWER_POISON;
    }
    return lower_emit(l, op, (int[]){a, b}, 2, NULL, op == CORE_COMPARE_EQUAL ? ELEMENT_BOOL : x->element, &out);
}

static int cast_to(struct lower *l, int value, enum element to)
{
    struct shape shape = l->graph->values[value].shape;
    if (l->graph->values[value].element == to)
        return value;
    return lower_emit(l, CORE_CAST, &value, 1, &(struct attributes){.to = to}, to, &shape);
}

bool lower_binary(struct lower *l, const struct onnx_op *op)
{
    int b = op->core == CORE_POW ? cast_to(l, l->in[1], lower_value(l, 0)->element) : l->in[1];
    return b != LOWER_POISON && lower_done(l, emit_broadcast(l, (enum core_op)op->core, l->in[0], b));
}

bool lower_variadic(struct lower *l, const struct onnx_op *op)
{
    int result = l->in[0];
    for (unsigned i = 1; i < l->in_count && result != LOWER_POISON; i++)
        result = emit_broadcast(l, (enum core_op)op->core, result, l->in[i]);
    return lower_done(l, result);
}

bool lower_where(struct lower *l, const struct onnx_op *op)
{
    struct shape c = lower_shape(l, 0), a = lower_shape(l, 1), b = lower_shape(l, 2), out;
    if (lower_value(l, 0)->element != ELEMENT_BOOL)
        return lower_refuse(l, "the condition is %s; it must be bool", element_name(lower_value(l, 0)->element));
    if (!same_type(l, l->in[1], l->in[2]))
        return false;
    if (!shape_broadcast(&out, &a, &b) || !shape_broadcast(&out, &out, &c))
        return lower_refuse(l, "the shapes of condition and inputs do not broadcast");
    return lower_done(l, lower_emit(l, CORE_WHERE, l->in, 3, NULL, lower_value(l, 1)->element, &out));
}

static bool clip_bounds(struct lower *l, double *low, double *high)
{
    if (l->opset < 11) {
        if (l->in_count > 1)
            return lower_refuse(l, "bounds as inputs need opset 11; this is opset %d", l->opset);
        *low = lower_float(l, "min", -FLT_MAX);
        *high = lower_float(l, "max", FLT_MAX);
        return !l->failed;
    }
    if (lower_has(l, "min") || lower_has(l, "max"))
        return lower_refuse(l, "bounds as attributes end with opset 10; this is opset %d", l->opset);
    if (lower_given(l, 1) && !lower_constant_number(l, 1, "the lower bound", low))
        return false;
    return !lower_given(l, 2) || lower_constant_number(l, 2, "the upper bound", high);
}

static int clip_integer(struct lower *l, int value, enum core_op op, unsigned bound)
{
    return lower_given(l, bound) && value != LOWER_POISON ? emit_broadcast(l, op, value, l->in[bound]) : value;
}

bool lower_clip(struct lower *l, const struct onnx_op *op)
{
    struct shape shape = lower_shape(l, 0);
    enum element element = lower_value(l, 0)->element;
    double low = -INFINITY, high = INFINITY;
    if (!clip_bounds(l, &low, &high))
        return false;
    if (!element_is_float(element))
        return lower_done(l, clip_integer(l, clip_integer(l, l->in[0], CORE_MAX, 1), CORE_MIN, 2));
    struct attributes at = {.alpha = (float)low, .beta = (float)high};
    return lower_done(l, lower_emit(l, CORE_CLIP, l->in, 1, &at, element, &shape));
}

/* Before opset 13 softmax ran over all dimensions from `axis` on, as if they were one. */
static int softmax_flat(struct lower *l, int64_t axis, const struct shape *shape)
{
    struct shape flat = {.rank = 2, .dims = {1, 1}};
    for (unsigned i = 0; i < shape->rank; i++)
        flat.dims[i >= axis] *= shape->dims[i];
    enum element element = lower_value(l, 0)->element;
    int value = lower_reshape(l, l->in[0], &flat);
    value = lower_emit(l, CORE_SOFTMAX, &value, 1, &(struct attributes){.axis = 1}, element, &flat);
    return lower_reshape(l, value, shape);
}

bool lower_softmax(struct lower *l, const struct onnx_op *op)
{
    struct shape shape = lower_shape(l, 0);
    int64_t axis = lower_int(l, "axis", l->opset < 13 ? 1 : -1);
    bool last = true;
    if (l->failed || !lower_want_float(l, 0) || !lower_axis(l, &axis, shape.rank))
        return false;
    for (unsigned i = (unsigned)axis + 1; i < shape.rank; i++)
        last &= shape.dims[i] == 1;
    if (l->opset < 13 && !last)
        return lower_done(l, softmax_flat(l, axis, &shape));
    return lower_done(l, lower_emit(l, CORE_SOFTMAX, l->in, 1, &(struct attributes){.axis = axis}, lower_value(l, 0)->element, &shape));
}

/* --- matrices ------------------------------------------------------------------------------------------------------------ */

static bool matmul_shape(struct lower *l, unsigned a_at, unsigned b_at, struct shape *out)
{
    struct shape a = lower_shape(l, a_at), b = lower_shape(l, b_at), heads_a = a, heads_b = b;
    char as[160], bs[160];
    if (!a.rank || !b.rank)
        return lower_refuse(l, "an input has no dimensions; a matrix product needs one at least");
    int64_t inner_a = a.dims[a.rank - 1], inner_b = b.dims[b.rank > 1 ? b.rank - 2 : 0];
    heads_a.rank = a.rank > 2 ? a.rank - 2 : 0;
    heads_b.rank = b.rank > 2 ? b.rank - 2 : 0;
    if (inner_a != inner_b || !shape_broadcast(out, &heads_a, &heads_b))
        return lower_refuse(l, "shapes %s and %s do not multiply", shape_text(&a, as), shape_text(&b, bs));
    if (out->rank + 2 > GRAPH_RANK_MAX)
        return lower_refuse(l, "too many dimensions");
    if (a.rank > 1)
        out->dims[out->rank++] = a.dims[a.rank - 2];
    if (b.rank > 1)
        out->dims[out->rank++] = b.dims[b.rank - 1];
    return true;
}

bool lower_matmul(struct lower *l, const struct onnx_op *op)
{
    struct shape out;
    if (!lower_parameter(l, 1) || !lower_want_float(l, 0) || !same_type(l, l->in[0], l->in[1]) || !matmul_shape(l, 0, 1, &out))
        return false;
    return lower_done(l, lower_emit(l, CORE_MATMUL, l->in, 2, NULL, lower_value(l, 0)->element, &out));
}

static bool want_bytes(struct lower *l, unsigned input)
{
    enum element element = lower_value(l, input)->element;
    return element == ELEMENT_U8 || element == ELEMENT_S8 ||
           lower_refuse(l, "input %u is %s; it must be uint8 or int8", input + 1, element_name(element));
}

bool lower_matmul_integer(struct lower *l, const struct onnx_op *op)
{
    struct shape out;
    if (!lower_parameters(l, 1, 3) || !want_bytes(l, 0) || !want_bytes(l, 1) || !matmul_shape(l, 0, 1, &out))
        return false;
    return lower_done(l, lower_emit(l, CORE_MATMUL_INTEGER, l->in, l->in_count, NULL, ELEMENT_S32, &out));
}

bool lower_qlinear_matmul(struct lower *l, const struct onnx_op *op)
{
    struct shape out;
    if (!lower_parameters(l, 1, 7) || !want_bytes(l, 0) || !want_bytes(l, 3) || !want_bytes(l, 7) || !matmul_shape(l, 0, 3, &out))
        return false;
    for (unsigned i = 1; i < 8; i++)
        if (i != 3 && !value_is_constant(lower_value(l, i)))
            return lower_refuse(l, "scales and zero points must be constant; input %u is computed at run time", i + 1);
    return lower_done(l, lower_emit(l, CORE_QMATMUL, l->in, 8, NULL, lower_value(l, 7)->element, &out));
}

static bool gemm_addend(struct lower *l, const struct shape *out)
{
    struct shape c = lower_shape(l, 2), both;
    char cs[160], os[160];
    if (!same_type(l, l->in[0], l->in[2]))
        return false;
    return (shape_broadcast(&both, &c, out) && shape_equal(&both, out)) ||
           lower_refuse(l, "C is %s and does not broadcast to %s", shape_text(&c, cs), shape_text(out, os));
}

bool lower_gemm(struct lower *l, const struct onnx_op *op)
{
    struct attributes at = {.alpha = lower_float(l, "alpha", 1),
                            .beta = lower_float(l, "beta", 1),
                            .trans_a = lower_int(l, "transA", 0) != 0,
                            .trans_b = lower_int(l, "transB", 0) != 0};
    if (!lower_parameters(l, 1, 2))
        return false;
    struct shape a = lower_shape(l, 0), b = lower_shape(l, 1);
    char as[160], bs[160];
    if (l->failed || !lower_want_float(l, 0) || !same_type(l, l->in[0], l->in[1]))
        return false;
    if (a.rank != 2 || b.rank != 2)
        return lower_refuse(l, "inputs are %s and %s; both must have two dimensions", shape_text(&a, as), shape_text(&b, bs));
    if (a.dims[!at.trans_a] != b.dims[at.trans_b])
        return lower_refuse(l, "shapes %s%s and %s%s do not multiply", shape_text(&a, as), at.trans_a ? " transposed" : "",
                            shape_text(&b, bs), at.trans_b ? " transposed" : "");
    struct shape out = {.rank = 2, .dims = {a.dims[at.trans_a], b.dims[!at.trans_b]}};
    if (lower_given(l, 2) && !gemm_addend(l, &out))
        return false;
    return lower_done(l, lower_emit(l, CORE_GEMM, l->in, lower_given(l, 2) ? 3 : 2, &at, lower_value(l, 0)->element, &out));
}

/* --- normalisation and reduction ------------------------------------------------------------------------------------------- */

bool lower_batchnorm(struct lower *l, const struct onnx_op *op)
{
    struct attributes at = {.epsilon = lower_float(l, "epsilon", 1e-5f)};
    struct shape x = lower_shape(l, 0);
    if (!lower_parameters(l, 1, 4) || !lower_want_float(l, 0))
        return false;
    if (lower_int(l, "training_mode", 0))
        return lower_refuse(l, "training_mode 1; inference (0) is supported");
    if (l->opset < 9 && !lower_int(l, "spatial", 1))
        return lower_refuse(l, "spatial 0; one mean and variance a channel (1) is supported");
    if (l->failed)
        return false;
    for (unsigned i = 1; i < 5; i++) {
        struct shape p = lower_shape(l, i);
        if (x.rank < 2 || p.rank != 1 || p.dims[0] != x.dims[1])
            return lower_refuse(l, "input %u has %lld elements; one a channel is right", i + 1, (long long)shape_count(&p));
    }
    return lower_done(l, lower_emit(l, CORE_BATCHNORM, l->in, 5, &at, lower_value(l, 0)->element, &x));
}

bool lower_lrn(struct lower *l, const struct onnx_op *op)
{
    struct attributes at = {.alpha = lower_float(l, "alpha", 1e-4f),
                            .beta = lower_float(l, "beta", 0.75f),
                            .bias = lower_float(l, "bias", 1),
                            .size = lower_int(l, "size", 0)};
    struct shape x = lower_shape(l, 0);
    if (l->failed || !lower_want_float(l, 0))
        return false;
    if (at.size < 1)
        return lower_refuse(l, "size %lld; it must be given and at least 1", (long long)at.size);
    if (x.rank < 2)
        return lower_refuse(l, "the input has %u dimensions; channels are the second", x.rank);
    return lower_done(l, lower_emit(l, CORE_LRN, l->in, 1, &at, lower_value(l, 0)->element, &x));
}

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

bool lower_cast(struct lower *l, const struct onnx_op *op)
{
    int64_t type = lower_int(l, "to", 0);
    enum element to;
    if (l->failed)
        return false;
    if (type < 0 || type > INT32_MAX || !element_from_onnx(&to, (int32_t)type))
        return lower_refuse(l, "cast to type %lld (%s) is not supported", (long long)type, onnx_type_name((int32_t)type));
    return lower_done(l, cast_to(l, l->in[0], to));
}
