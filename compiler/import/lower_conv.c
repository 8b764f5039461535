/* lower_conv.c: convolutions and pools. */
#include <stdlib.h>
#include <string.h>

#include "element.h"
#include "lower_build.h"

static struct shape spatial_of(const struct shape *shape)
{
    struct shape out = {.rank = shape->rank - 2};
    for (unsigned i = 0; i < out.rank; i++)
        out.dims[i] = shape->dims[2 + i];
    return out;
}

static struct shape result_of(int64_t batch, int64_t channels, const struct attributes *at, const struct window *w)
{
    struct shape out = {.rank = at->spatial + 2, .dims = {batch, channels}};
    for (unsigned i = 0; i < at->spatial; i++)
        out.dims[2 + i] = w->out[i];
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
    *out = result_of(x.dims[0], w.dims[0], at, &window);
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
    if (!lower_parameters(l, 1, 2) || !lower_want_float(l, 0) || !conv_shape(l, 0, 1, &at, &out))
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
    if (!lower_parameters(l, 1, 3) || !want_bytes(l, 0, "input") || !want_bytes(l, 1, "weight") || !lower_want_constant_zeros(l) ||
        !conv_shape(l, 0, 1, &at, &out))
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

/* --- pools --------------------------------------------------------------------------------------------------------------- */

/* What ceil_mode adds lies behind the padding and counts in no average; where padding counts, it becomes real zeros first. */
static int pad_for_average(struct lower *l, struct attributes *at, const struct shape *x)
{
    struct attributes pad = {0};
    struct shape padded = *x;
    for (unsigned i = 0; i < at->spatial; i++) {
        pad.begins[2 + i] = at->pad_begin[i];
        pad.ends[2 + i] = at->pad_end[i];
        padded.dims[2 + i] += at->pad_begin[i] + at->pad_end[i];
        at->pad_begin[i] = at->pad_end[i] = 0;
    }
    at->count_include_pad = false;
    return lower_emit(l, CORE_PAD, l->in, 1, &pad, lower_value(l, 0)->element, &padded);
}

static bool pool_type(struct lower *l, const struct onnx_op *op)
{
    enum element element = lower_value(l, 0)->element;
    if (element_is_float(element))
        return true;
    if (op->core == CORE_MAXPOOL && (element == ELEMENT_U8 || element == ELEMENT_S8))
        return true;
    return lower_refuse(l, "the input is %s; %s is supported", element_name(element),
                        op->core == CORE_MAXPOOL ? "floating point, uint8 or int8" : "floating point");
}

/* Windows of three dimensions are windows of two and then of one: of maxima, and of means that all count alike. */
static int pool_volumes(struct lower *l, enum core_op op, int value, const struct attributes *at, const struct shape *out)
{
    enum element element = l->graph->values[value].element;
    struct shape x = l->graph->values[value].shape; /* a copy: new values move the others */
    struct attributes across = {.spatial = 2, .groups = 1, .count_include_pad = at->count_include_pad}, through = across;
    for (unsigned i = 0; i < 2; i++) {
        across.kernel[i] = at->kernel[i + 1];
        across.stride[i] = at->stride[i + 1];
        across.dilation[i] = at->dilation[i + 1];
        across.pad_begin[i] = at->pad_begin[i + 1];
        across.pad_end[i] = at->pad_end[i + 1];
        through.kernel[i] = i ? 1 : at->kernel[0];
        through.stride[i] = i ? 1 : at->stride[0];
        through.dilation[i] = i ? 1 : at->dilation[0];
        through.pad_begin[i] = i ? 0 : at->pad_begin[0];
        through.pad_end[i] = i ? 0 : at->pad_end[0];
    }
    struct shape planes = {4, {x.dims[0], x.dims[1] * x.dims[2], x.dims[3], x.dims[4]}}, pooled = {4, {planes.dims[0], planes.dims[1], out->dims[3], out->dims[4]}};
    struct shape lines = {4, {x.dims[0], x.dims[1], x.dims[2], out->dims[3] * out->dims[4]}}, whole = {4, {x.dims[0], x.dims[1], out->dims[2], lines.dims[3]}};
    value = lower_reshape(l, value, &planes);
    value = lower_emit(l, op, &value, 1, &across, element, &pooled);
    value = lower_reshape(l, value, &lines);
    value = lower_emit(l, op, &value, 1, &through, element, &whole);
    return lower_reshape(l, value, out);
}

/* How many taps of output `i` lie in the input, or with its padding. */
static int64_t taps_inside(const struct attributes *at, const struct window *w, unsigned d, int64_t i)
{
    int64_t low = at->count_include_pad ? -at->pad_begin[d] : 0, high = w->in[d] + (at->count_include_pad ? at->pad_end[d] : 0), count = 0;
    for (int64_t k = 0; k < at->kernel[d]; k++) {
        int64_t place = i * at->stride[d] - at->pad_begin[d] + k * at->dilation[d];
        count += place >= low && place < high;
    }
    return count;
}

/* One over the count of taps, for each output: [1, 1, ...]. */
static int shares(struct lower *l, const struct attributes *at, const struct window *w)
{
    struct shape shape = {.rank = at->spatial + 2, .dims = {1, 1}};
    for (unsigned d = 0; d < at->spatial; d++)
        shape.dims[2 + d] = w->out[d];
    int64_t count = shape_count(&shape);
    float *bytes = count <= 1 << 24 ? malloc((size_t)count * sizeof *bytes) : NULL;
    if (!bytes) {
        lower_no_memory(l);
        return LOWER_POISON;
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t taps = 1, rest = i;
        for (unsigned d = at->spatial; d-- > 0; rest /= w->out[d])
            taps *= taps_inside(at, w, d, rest % w->out[d]);
        bytes[i] = taps ? 1 / (float)taps : 0;
    }
    int value = lower_constant(l, ELEMENT_F32, &shape, bytes);
    free(bytes);
    return value;
}

/* An average with gaps: the sum as a convolution with ones, channel by channel, times one over the count. */
static int dilated_average(struct lower *l, const struct attributes *at, const struct window *w, const struct shape *out)
{
    enum element element = lower_value(l, 0)->element;
    struct shape ones = {.rank = at->spatial + 2, .dims = {out->dims[1], 1}};
    struct attributes conv = *at;
    memcpy(ones.dims + 2, at->kernel, at->spatial * sizeof *at->kernel);
    conv.groups = out->dims[1];
    int kernel = lower_rule(l, CONTENTS_FILL, element, &ones), factor = build_cast(l, shares(l, at, w), element);
    if (kernel < 0)
        return LOWER_POISON;
    l->graph->values[kernel].fill = 1;
    for (unsigned d = 0; d < at->spatial; d++)
        conv.pad_end[d] += w->extra[d];
    int sum = build_convolution(l, CORE_CONV, (int[]){l->in[0], kernel}, 2, 1, &conv, element, out);
    return build_binary(l, CORE_MUL, sum, factor);
}

static bool has_gaps(const struct attributes *at)
{
    bool gaps = false;
    for (unsigned d = 0; d < at->spatial; d++)
        gaps |= at->dilation[d] > 1;
    return gaps;
}

bool lower_pool(struct lower *l, const struct onnx_op *op)
{
    struct attributes at = {0};
    struct shape x = lower_shape(l, 0), kernel = {0};
    struct window w;
    int64_t extra = 0;
    if (!pool_type(l, op))
        return false;
    if (!lower_ints(l, "kernel_shape", kernel.dims, &kernel.rank, 3))
        return l->failed ? false : lower_refuse(l, "kernel_shape is missing");
    if (kernel.rank + 2 != x.rank)
        return lower_refuse(l, "kernel_shape has %u numbers and the input %u dimensions; one a spatial dimension is right", kernel.rank,
                            x.rank);
    if (!lower_window(l, &x, &kernel, &at, &w))
        return false;
    at.groups = 1;
    at.count_include_pad = lower_int(l, "count_include_pad", 0) != 0;
    for (unsigned i = 0; i < at.spatial; i++)
        extra += w.extra[i];
    struct shape out = result_of(x.dims[0], x.dims[1], &at, &w);
    if (op->core == CORE_AVERAGEPOOL && has_gaps(&at))
        return lower_done(l, dilated_average(l, &at, &w, &out));
    int input = extra && at.count_include_pad ? pad_for_average(l, &at, &x) : l->in[0];
    for (unsigned i = 0; i < at.spatial; i++)
        at.pad_end[i] += w.extra[i];
    if (at.spatial == 3 && input >= 0 && shape_count(&out))
        return lower_done(l, pool_volumes(l, (enum core_op)op->core, input, &at, &out));
    return lower_done(l, lower_emit(l, (enum core_op)op->core, &input, 1, &at, lower_value(l, 0)->element, &out));
}

bool lower_global_pool(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0), out = x;
    struct attributes at = {.groups = 1, .spatial = x.rank - 2};
    if (!pool_type(l, op))
        return false;
    if (x.rank < 3 || x.rank > 5)
        return lower_refuse(l, "the input has %u dimensions; 3 to 5 are supported", x.rank);
    for (unsigned i = 0; i < at.spatial; i++) {
        at.kernel[i] = x.dims[2 + i];
        at.stride[i] = at.dilation[i] = out.dims[2 + i] = 1;
    }
    if (at.spatial == 3) {
        struct attributes all = {.axes = {2, 3, 4}, .axis_count = 3, .keep_dims = true};
        return lower_done(l, lower_emit(l, op->core == CORE_MAXPOOL ? CORE_REDUCE_MAX : CORE_REDUCE_MEAN, l->in, 1, &all, lower_value(l, 0)->element, &out));
    }
    return lower_done(l, lower_emit(l, (enum core_op)op->core, l->in, 1, &at, lower_value(l, 0)->element, &out));
}
