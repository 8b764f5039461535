/* lower_math.c: arithmetic, element by element. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "element.h"
#include "lower.h"

enum { LRN_SIZE_MAX = 1 << 20 };

static bool takes_integers(int core)
{
    return core == CORE_ABS || core == CORE_NEG || core == CORE_SIGN;
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

static bool compares(enum core_op op)
{
    return op == CORE_COMPARE_EQUAL || op == CORE_LESS || op == CORE_LESS_EQUAL;
}

static bool want_bool(struct lower *l, unsigned input)
{
    enum element element = lower_value(l, input)->element;
    return element == ELEMENT_BOOL || lower_refuse(l, "input %u is %s; it must be bool", input, element_name(element));
}

bool lower_not(struct lower *l, const struct onnx_op *op)
{
    struct shape shape = lower_shape(l, 0);
    return want_bool(l, 0) && lower_done(l, lower_emit(l, CORE_NOT, l->in, 1, NULL, ELEMENT_BOOL, &shape));
}

bool lower_logic(struct lower *l, const struct onnx_op *op)
{
    return want_bool(l, 0) && want_bool(l, 1) && lower_binary(l, op);
}

/* a > b is b < a. */
bool lower_greater(struct lower *l, const struct onnx_op *op)
{
    return lower_done(l, lower_broadcast(l, (enum core_op)op->core, l->in[1], l->in[0]));
}

bool lower_same_type(struct lower *l, int a, int b)
{
    enum element x = l->graph->values[a].element, y = l->graph->values[b].element;
    return x == y || lower_refuse(l, "inputs are %s and %s; they must be one type", element_name(x), element_name(y));
}

int lower_broadcast(struct lower *l, enum core_op op, int a, int b)
{
    if (a == LOWER_POISON || b == LOWER_POISON)
        return LOWER_POISON;
    const struct value *x = &l->graph->values[a], *y = &l->graph->values[b];
    enum element element = compares(op) ? ELEMENT_BOOL : x->element;
    struct shape out;
    char xs[160], ys[160];
    if (!lower_same_type(l, a, b))
        return LOWER_POISON;
    if (!shape_broadcast(&out, &x->shape, &y->shape)) {
        lower_refuse(l, "shapes %s and %s do not broadcast: dimensions, counted from the last, must be equal or 1",
                     shape_text(&x->shape, xs), shape_text(&y->shape, ys));
        return LOWER_POISON;
    }
    return lower_emit(l, op, (int[]){a, b}, 2, NULL, element, &out);
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
    return lower_done(l, lower_broadcast(l, (enum core_op)op->core, l->in[0], l->in[1]));
}

/* x to the power `exponent` by what the machine has; GRAPH_NONE where it has nothing. */
static int simple_power(struct lower *l, double exponent)
{
    struct shape shape = lower_shape(l, 0);
    enum element element = lower_value(l, 0)->element;
    int x = l->in[0], square;
    if (exponent == 1)
        return x;
    if (exponent == -1)
        return lower_emit(l, CORE_RECIPROCAL, &x, 1, NULL, element, &shape);
    if (exponent == 0.5)
        return lower_emit(l, CORE_SQRT, &x, 1, NULL, element, &shape);
    if (exponent == -0.5) {
        int root = lower_emit(l, CORE_SQRT, &x, 1, NULL, element, &shape);
        return lower_emit(l, CORE_RECIPROCAL, &root, 1, NULL, element, &shape);
    }
    if (exponent != 2 && exponent != 3)
        return GRAPH_NONE;
    square = lower_emit(l, CORE_MUL, (int[]){x, x}, 2, NULL, element, &shape);
    return exponent == 2 ? square : lower_emit(l, CORE_MUL, (int[]){square, x}, 2, NULL, element, &shape);
}

bool lower_pow(struct lower *l, const struct onnx_op *op)
{
    int b = cast_to(l, l->in[1], lower_value(l, 0)->element), simple = GRAPH_NONE;
    struct shape x = lower_shape(l, 0), e = lower_shape(l, 1);
    double exponent;
    if (b == LOWER_POISON)
        return false;
    if (element_is_float(lower_value(l, 0)->element) && !value_is_constant(lower_value(l, 0)) && value_is_constant(lower_value(l, 1)) &&
        shape_count(&e) == 1 && e.rank <= x.rank && value_at(l->graph, l->in[1], 0, &exponent))
        simple = simple_power(l, exponent);
    return lower_done(l, simple != GRAPH_NONE ? simple : lower_broadcast(l, CORE_POW, l->in[0], b));
}

bool lower_variadic(struct lower *l, const struct onnx_op *op)
{
    int result = l->in[0];
    for (unsigned i = 1; i < l->in_count && result != LOWER_POISON; i++)
        result = lower_broadcast(l, (enum core_op)op->core, result, l->in[i]);
    return lower_done(l, result);
}

bool lower_where(struct lower *l, const struct onnx_op *op)
{
    struct shape c = lower_shape(l, 0), a = lower_shape(l, 1), b = lower_shape(l, 2), out;
    if (lower_value(l, 0)->element != ELEMENT_BOOL)
        return lower_refuse(l, "the condition is %s; it must be bool", element_name(lower_value(l, 0)->element));
    if (!lower_same_type(l, l->in[1], l->in[2]))
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
    return lower_given(l, bound) && value != LOWER_POISON ? lower_broadcast(l, op, value, l->in[bound]) : value;
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
    if (low > high)
        low = high; /* ONNX: then all becomes the maximum */
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

/* --- normalisation --------------------------------------------------------------------------------------------------------- */

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
    if (at.size > LRN_SIZE_MAX)
        return lower_refuse(l, "size %lld; at most %d is supported", (long long)at.size, LRN_SIZE_MAX);
    if (x.rank < 2)
        return lower_refuse(l, "the input has %u dimensions; channels are the second", x.rank);
    int64_t all = 2 * x.dims[1] + 1; /* reaches every channel from every channel; alpha is shared out over the size as it is written */
    if (at.size > all) {
        at.alpha = (float)((double)at.alpha * (double)all / (double)at.size);
        at.size = all;
    }
    return lower_done(l, lower_emit(l, CORE_LRN, l->in, 1, &at, lower_value(l, 0)->element, &x));
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
