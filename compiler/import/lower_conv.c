/* lower_conv.c: convolutions. */
#include "element.h"
#include "lower_build.h"

static struct shape spatial_of(const struct shape *shape)
{
    struct shape out = {.rank = shape->rank - 2};
    for (unsigned i = 0; i < out.rank; i++)
        out.dims[i] = shape->dims[2 + i];
    return out;
}

static bool check_kernel(struct lower *l, const struct shape *kernel)
{
    struct shape given = {0};
    char has[160], says[160];
    if (!lower_ints(l, "kernel_shape", given.dims, &given.rank, 3))
        return !l->failed;
    return shape_equal(&given, kernel) ||
           lower_refuse(l, "kernel_shape is %s and the weights have %s", shape_text(&given, says), shape_text(kernel, has));
}

/* Input x and weights w, by position; makes attributes and the result's shape. */
static bool conv_shape(struct lower *l, unsigned x_at, unsigned w_at, struct attributes *at, struct shape *out)
{
    struct shape x = lower_shape(l, x_at), w = lower_shape(l, w_at), kernel;
    struct window window;
    char xs[160], ws[160];
    at->groups = lower_int(l, "group", 1);
    if (l->failed)
        return false;
    if (x.rank != w.rank || x.rank < 3)
        return lower_refuse(l, "input %s and weights %s; both need the same count of dimensions, 3 to 5", shape_text(&x, xs),
                            shape_text(&w, ws));
    if (at->groups < 1 || at->groups > x.dims[1] || w.dims[1] * at->groups != x.dims[1] || w.dims[0] < 1 || w.dims[0] % at->groups)
        return lower_refuse(l, "input %s, weights %s and group %lld do not fit: weights are [M, C / group, ...], M a multiple of group",
                            shape_text(&x, xs), shape_text(&w, ws), (long long)at->groups);
    kernel = spatial_of(&w);
    if (!check_kernel(l, &kernel) || !lower_window(l, &x, &kernel, at, &window))
        return false;
    *out = window_result(x.dims[0], w.dims[0], at, &window);
    return true;
}

static bool check_vector(struct lower *l, unsigned input, const char *what, int64_t length)
{
    struct shape shape = lower_shape(l, input);
    char text[160];
    return (shape.rank == 1 && shape.dims[0] == length) ||
           lower_refuse(l, "%s is %s; it must be [%lld]", what, shape_text(&shape, text), (long long)length);
}

bool lower_conv(struct lower *l, const struct onnx_op *op)
{
    struct attributes at = {0};
    struct shape out;
    if (!lower_weights(l, 1, 2) || !lower_want_float(l, 0) || !conv_shape(l, 0, 1, &at, &out))
        return false;
    enum element element = lower_value(l, 0)->element;
    if (lower_value(l, 1)->element != element)
        return lower_refuse(l, "input is %s and weights are %s; they must be one type", element_name(element),
                            element_name(lower_value(l, 1)->element));
    if (lower_given(l, 2) && !check_vector(l, 2, "bias", out.dims[1]))
        return false;
    return lower_done(l, build_convolution(l, CORE_CONV, l->in, lower_given(l, 2) ? 3 : 2, 1, &at, element, &out));
}

static bool want_bytes(struct lower *l, unsigned input, const char *what)
{
    enum element element = lower_value(l, input)->element;
    return element == ELEMENT_U8 || element == ELEMENT_S8 ||
           lower_refuse(l, "%s is %s; it must be uint8 or int8", what, element_name(element));
}

bool lower_conv_integer(struct lower *l, const struct onnx_op *op)
{
    struct attributes at = {0};
    struct shape out;
    if (!lower_parameter(l, 1) || !lower_parameter(l, 3) || !want_bytes(l, 0, "input") || !lower_want_weights(l, 1) || !conv_shape(l, 0, 1, &at, &out) ||
        !lower_check_zeros(l, 1, out.dims[1], "output channels"))
        return false;
    return lower_done(l, build_convolution(l, CORE_CONV_INTEGER, l->in, l->in_count, 1, &at, ELEMENT_S32, &out));
}

bool lower_qlinear_conv(struct lower *l, const struct onnx_op *op)
{
    struct attributes at = {0};
    struct shape out;
    if (!lower_parameters(l, 1, 8) || !want_bytes(l, 0, "input") || !want_bytes(l, 3, "weight") || !want_bytes(l, 7, "output zero point") ||
        !conv_shape(l, 0, 3, &at, &out))
        return false;
    if (lower_given(l, 8) && !check_vector(l, 8, "bias", out.dims[1]))
        return false;
    if (lower_given(l, 8) && lower_value(l, 8)->element != ELEMENT_S32)
        return lower_refuse(l, "bias is %s; it must be int32", element_name(lower_value(l, 8)->element));
    for (unsigned i = 1; i < 8; i++)
        if (i != 3 && !value_is_constant(lower_value(l, i)))
            return lower_refuse(l, "scales and zero points must be constant; input %u is computed at run time", i + 1);
    return lower_done(l, build_convolution(l, CORE_QCONV, l->in, lower_given(l, 8) ? 9 : 8, 3, &at, lower_value(l, 7)->element, &out));
}
