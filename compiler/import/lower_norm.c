/* lower_norm.c: normalisations by mean and variance, by a norm, and softmax's relatives, as reductions and arithmetic. */
#include <float.h>
#include <math.h>

#include "element.h"
#include "lower_build.h"

/* x less its mean over `axes`; the mean itself through `mean`. */
static int centre(struct lower *l, int x, const bool *axes, int *mean)
{
    *mean = build_reduce(l, CORE_REDUCE_MEAN, x, axes, true);
    return build_binary(l, CORE_SUB, x, *mean);
}

static int variance(struct lower *l, int centred, const bool *axes)
{
    return build_reduce(l, CORE_REDUCE_MEAN, build_binary(l, CORE_MUL, centred, centred), axes, true);
}

static int inverse_deviation(struct lower *l, int centred, const bool *axes, float epsilon)
{
    int spread = build_with(l, CORE_ADD, variance(l, centred, axes), epsilon);
    return build_unary(l, CORE_RECIPROCAL, build_unary(l, CORE_SQRT, spread));
}

static int normalise(struct lower *l, int x, const bool *axes, float epsilon)
{
    int mean, centred = centre(l, x, axes, &mean);
    return build_binary(l, CORE_MUL, centred, inverse_deviation(l, centred, axes, epsilon));
}

static int scale_and_shift(struct lower *l, int x, int scale, int shift)
{
    x = build_binary(l, CORE_MUL, x, scale);
    return shift == GRAPH_NONE ? x : build_binary(l, CORE_ADD, x, shift);
}

static bool fits_inside(struct lower *l, unsigned input, const char *what, const struct shape *x)
{
    struct shape part = lower_shape(l, input), both;
    char a[160], b[160];
    return (shape_broadcast(&both, &part, x) && shape_equal(&both, x)) ||
           lower_refuse(l, "%s is %s and does not broadcast to %s", what, shape_text(&part, a), shape_text(x, b));
}

/* Mean and variance are computed in `stash_type`, which is fp32; what half floats would lose there is not lost. */
bool lower_layer_norm(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0);
    int64_t axis = lower_int(l, "axis", -1), stash = lower_int(l, "stash_type", 1);
    float epsilon = lower_float(l, "epsilon", 1e-5f);
    bool axes[GRAPH_RANK_MAX] = {0};
    if (l->failed || !lower_want_float(l, 0) || !lower_axis(l, &axis, x.rank) ||
        !fits_inside(l, 1, "the scale", &x) || (lower_given(l, 2) && !fits_inside(l, 2, "the bias", &x)))
        return false;
    if (stash != 1)
        return lower_refuse(l, "stash_type %lld; float (1) is supported", (long long)stash);
    for (unsigned i = (unsigned)axis; i < x.rank; i++)
        axes[i] = true;
    enum element element = lower_value(l, 0)->element;
    int centred = centre(l, build_cast(l, l->in[0], ELEMENT_F32), axes, &l->out[1]);
    l->out[2] = inverse_deviation(l, centred, axes, epsilon);
    int y = build_cast(l, build_binary(l, CORE_MUL, centred, l->out[2]), element);
    bool fine = lower_done(l, scale_and_shift(l, y, l->in[1], lower_given(l, 2) ? l->in[2] : GRAPH_NONE));
    l->out_count = 3;
    return fine;
}

/* x over the root of the mean of its squares, in fp32 as above. */
bool lower_rms_norm(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0);
    int64_t axis = lower_int(l, "axis", -1), stash = lower_int(l, "stash_type", 1);
    float epsilon = lower_float(l, "epsilon", 1e-5f);
    bool axes[GRAPH_RANK_MAX] = {0};
    if (l->failed || !lower_want_float(l, 0) || !lower_want_float(l, 1) || !lower_axis(l, &axis, x.rank) ||
        !fits_inside(l, 1, "the scale", &x))
        return false;
    if (stash != 1)
        return lower_refuse(l, "stash_type %lld; float (1) is supported", (long long)stash);
    for (unsigned i = (unsigned)axis; i < x.rank; i++)
        axes[i] = true;
    int wide = build_cast(l, l->in[0], ELEMENT_F32), y = build_binary(l, CORE_MUL, wide, inverse_deviation(l, wide, axes, epsilon));
    return lower_done(l, build_binary(l, CORE_MUL, build_cast(l, y, lower_value(l, 1)->element), l->in[1])); /* of the scale's type */
}

/* [n] as [1, n, 1, ...] or as [n, 1, ...], so that it meets dimension `axis` of `rank`. */
static int along(struct lower *l, int vector, unsigned axis, unsigned rank)
{
    int64_t dims[GRAPH_RANK_MAX];
    for (unsigned i = 0; i < rank; i++)
        dims[i] = i == axis ? build_shape(l, vector).dims[0] : 1;
    return build_reshape(l, vector, rank, dims);
}

static bool want_vector(struct lower *l, unsigned input, const char *what, int64_t length)
{
    struct shape shape = lower_shape(l, input);
    char text[160];
    return (shape.rank == 1 && shape.dims[0] == length) ||
           lower_refuse(l, "%s is %s; it must be [%lld]", what, shape_text(&shape, text), (long long)length);
}

bool lower_instance_norm(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0);
    float epsilon = lower_float(l, "epsilon", 1e-5f);
    bool axes[GRAPH_RANK_MAX] = {0};
    if (l->failed || !lower_want_float(l, 0))
        return false;
    if (x.rank < 3)
        return lower_refuse(l, "the input has %u dimensions; batch, channels and at least one more are right", x.rank);
    if (!want_vector(l, 1, "the scale", x.dims[1]) || !want_vector(l, 2, "the bias", x.dims[1]))
        return false;
    for (unsigned i = 2; i < x.rank; i++)
        axes[i] = true;
    int y = normalise(l, l->in[0], axes, epsilon);
    return lower_done(l, scale_and_shift(l, y, along(l, l->in[1], 1, x.rank), along(l, l->in[2], 1, x.rank)));
}

/* Scale and bias: one number a group before opset 21, one a channel from there on. */
bool lower_group_norm(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0);
    float epsilon = lower_float(l, "epsilon", 1e-5f);
    int64_t groups = lower_int(l, "num_groups", 0), stash = lower_int(l, "stash_type", 1);
    bool axes[GRAPH_RANK_MAX] = {false, false, true}, by_group = l->opset < 21;
    if (l->failed || !lower_want_float(l, 0))
        return false;
    if (x.rank < 3 || groups < 1 || x.dims[1] % groups)
        return lower_refuse(l, "num_groups %lld; it must divide the channels of an input of three dimensions at least", (long long)groups);
    if (stash != 1)
        return lower_refuse(l, "stash_type %lld; float (1) is supported", (long long)stash);
    if (!want_vector(l, 1, "the scale", by_group ? groups : x.dims[1]) || !want_vector(l, 2, "the bias", by_group ? groups : x.dims[1]))
        return false;
    int64_t folded[] = {x.dims[0], groups, 1};
    for (unsigned i = 1; i < x.rank; i++)
        folded[2] *= i == 1 ? x.dims[1] / groups : x.dims[i];
    enum element element = lower_value(l, 0)->element;
    int y = normalise(l, build_cast(l, build_reshape(l, l->in[0], 3, folded), ELEMENT_F32), axes, epsilon);
    y = build_cast(l, y, element);
    if (by_group)
        y = scale_and_shift(l, y, along(l, l->in[1], 1, 3), along(l, l->in[2], 1, 3));
    y = lower_reshape(l, y, &x);
    if (!by_group)
        y = scale_and_shift(l, y, along(l, l->in[1], 1, x.rank), along(l, l->in[2], 1, x.rank));
    return lower_done(l, y);
}

bool lower_mean_variance(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0);
    int64_t list[GRAPH_RANK_MAX] = {0, 2, 3};
    unsigned count = 3;
    bool axes[GRAPH_RANK_MAX] = {0};
    lower_ints(l, "axes", list, &count, GRAPH_RANK_MAX);
    if (l->failed || !lower_want_float(l, 0))
        return false;
    for (unsigned i = 0; i < count; i++) {
        if (!lower_axis(l, &list[i], x.rank))
            return false;
        axes[list[i]] = true;
    }
    int mean, centred = centre(l, l->in[0], axes, &mean);
    int deviation = build_with(l, CORE_ADD, build_unary(l, CORE_SQRT, variance(l, centred, axes)), 1e-9);
    return lower_done(l, build_binary(l, CORE_DIV, centred, deviation));
}

/* x over its sum of magnitudes or the root of its sum of squares; where that is 0, so is the result. */
bool lower_lp_norm(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0);
    int64_t axis = lower_int(l, "axis", -1), p = lower_int(l, "p", 2);
    bool axes[GRAPH_RANK_MAX] = {0};
    int value = l->in[0], norm;
    if (l->failed || !lower_want_float(l, 0) || !lower_axis(l, &axis, x.rank))
        return false;
    if (p != 1 && p != 2)
        return lower_refuse(l, "p %lld; 1 and 2 are right", (long long)p);
    axes[axis] = true;
    norm = p == 1 ? build_unary(l, CORE_ABS, value) : build_binary(l, CORE_MUL, value, value);
    norm = build_reduce(l, CORE_REDUCE_SUM, norm, axes, true);
    if (p == 2)
        norm = build_unary(l, CORE_SQRT, norm);
    norm = build_where(l, build_not(l, norm), lower_scalar(l, build_element(l, norm), 1), norm);
    return lower_done(l, build_binary(l, CORE_DIV, value, norm));
}

/* --- softmax's relatives ------------------------------------------------------------------------------------------------------- */

/* The greatest of the numbers less which they are taken: never infinite, so that no difference of infinities arises. */
static int finite_peak(struct lower *l, int x, const bool *axes)
{
    return build_clip(l, build_reduce(l, CORE_REDUCE_MAX, x, axes, true), -FLT_MAX, FLT_MAX);
}

static int log_softmax(struct lower *l, int x, const bool *axes)
{
    int shifted = build_binary(l, CORE_SUB, x, finite_peak(l, x, axes));
    int sum = build_reduce(l, CORE_REDUCE_SUM, build_unary(l, CORE_EXP, shifted), axes, true);
    return build_binary(l, CORE_SUB, shifted, build_unary(l, CORE_LOG, sum));
}

/* log of the sum of e^x, over axes, all dimensions kept. */
int build_log_sum_exp(struct lower *l, int x, const bool *axes)
{
    int peak = finite_peak(l, x, axes), shifted = build_binary(l, CORE_SUB, x, peak);
    int sum = build_reduce(l, CORE_REDUCE_SUM, build_unary(l, CORE_EXP, shifted), axes, true);
    return build_binary(l, CORE_ADD, build_unary(l, CORE_LOG, sum), peak);
}

/* Before opset 13 these ran over all dimensions from `axis` on, as if they were one. */
static bool flatten(struct lower *l, int64_t *axis, struct shape *shape)
{
    *shape = lower_shape(l, 0);
    *axis = lower_int(l, "axis", l->opset < 13 ? 1 : -1);
    if (l->failed || !lower_want_float(l, 0) || !lower_axis(l, axis, shape->rank))
        return false;
    if (l->opset >= 13)
        return true;
    struct shape flat = {.rank = 2, .dims = {1, 1}};
    for (unsigned i = 0; i < shape->rank; i++)
        flat.dims[i >= *axis] *= shape->dims[i];
    *shape = flat;
    *axis = 1;
    return true;
}

bool lower_log_softmax(struct lower *l, const struct onnx_op *op)
{
    struct shape whole = lower_shape(l, 0), shape;
    int64_t axis;
    bool axes[GRAPH_RANK_MAX] = {0};
    if (!flatten(l, &axis, &shape))
        return false;
    axes[axis] = true;
    return lower_done(l, lower_reshape(l, log_softmax(l, lower_reshape(l, l->in[0], &shape), axes), &whole));
}

/* The place of the greatest number: the least (or last) of the places where it stands. fp32 counts to 2^24, and doubles are
 * computed with as fp32. */
static int place_of_peak(struct lower *l, int x, unsigned axis, bool last)
{
    struct shape shape = build_shape(l, x);
    bool axes[GRAPH_RANK_MAX] = {0};
    int64_t dims[GRAPH_RANK_MAX];
    axes[axis] = true;
    for (unsigned i = 0; i < shape.rank; i++)
        dims[i] = i == axis ? shape.dims[i] : 1;
    x = build_element(l, x) == ELEMENT_F64 ? build_cast(l, x, ELEMENT_F32) : x;
    int places = build_reshape(l, build_count_up(l, ELEMENT_F32, shape.dims[axis]), shape.rank, dims);
    int peak = build_binary(l, CORE_COMPARE_EQUAL, x, build_reduce(l, CORE_REDUCE_MAX, x, axes, true));
    int none = lower_scalar(l, ELEMENT_F32, last ? -1 : (double)shape.dims[axis]), found = build_where(l, peak, places, none);
    return last ? build_reduce(l, CORE_REDUCE_MAX, found, axes, true) : build_reduce_min(l, found, axes, true);
}

static bool check_length(struct lower *l, int64_t length)
{
    return (length >= 1 && length <= 1 << 24) ||
           lower_refuse(l, "the axis has %lld elements; 1 to %d are supported", (long long)length, 1 << 24);
}

bool lower_hardmax(struct lower *l, const struct onnx_op *op)
{
    struct shape whole = lower_shape(l, 0), shape;
    int64_t axis, dims[GRAPH_RANK_MAX];
    if (!flatten(l, &axis, &shape) || !check_length(l, shape.dims[axis]))
        return false;
    for (unsigned i = 0; i < shape.rank; i++)
        dims[i] = i == axis ? shape.dims[i] : 1;
    int place = place_of_peak(l, lower_reshape(l, l->in[0], &shape), (unsigned)axis, false);
    int places = build_reshape(l, build_count_up(l, ELEMENT_F32, shape.dims[axis]), shape.rank, dims);
    int hard = build_cast(l, build_binary(l, CORE_COMPARE_EQUAL, places, place), lower_value(l, 0)->element);
    return lower_done(l, lower_reshape(l, hard, &whole));
}

/* The core operator says which: REDUCE_MAX for ArgMax; ArgMin is that of what is turned round. */
bool lower_arg(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0), out = {0};
    int64_t axis = lower_int(l, "axis", 0);
    bool keep = lower_int(l, "keepdims", 1) != 0, last = lower_int(l, "select_last_index", 0) != 0;
    if (l->failed || !lower_axis(l, &axis, x.rank) || !check_length(l, x.dims[axis]))
        return false;
    for (unsigned i = 0; i < x.rank; i++)
        if (i != axis || keep)
            out.dims[out.rank++] = i == axis ? 1 : x.dims[i];
    int value = op->core == CORE_REDUCE_MAX ? l->in[0] : build_turn_round(l, l->in[0]);
    int place = build_cast(l, place_of_peak(l, value, (unsigned)axis, last), ELEMENT_S64);
    return lower_done(l, lower_reshape(l, place, &out));
}
