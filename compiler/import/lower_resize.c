/* lower_resize.c: Resize and Upsample, one axis after the other: a gather where each result is one pixel, else the product with a
 * small constant matrix of weights, one column a result.
 *
 * All of it is worked out at compile time in double: where a result lies in the input, which pixels are near, what each weighs.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "element.h"
#include "lower_build.h"

enum transform { HALF_PIXEL, HALF_PIXEL_SYMMETRIC, PYTORCH_HALF_PIXEL, ALIGN_CORNERS, ASYMMETRIC, TF_HALF_PIXEL, TF_CROP_AND_RESIZE };
enum mode { NEAREST, LINEAR, CUBIC };
enum rounding { PREFER_FLOOR, PREFER_CEIL, DOWN, UP };
enum { POINTS_MAX = 1 << 16, MATRIX_MAX = 1 << 26, REGION_MAX = 1 << 20, REACH_MAX = 1 << 20 };

struct resize {
    enum transform transform;
    enum mode mode;
    enum rounding rounding;
    bool antialias, exclude_outside;
    double cubic, extrapolation;
    int64_t out[GRAPH_RANK_MAX];
    double scale[GRAPH_RANK_MAX], begin[GRAPH_RANK_MAX], end[GRAPH_RANK_MAX]; /* begin, end: the region of interest */
};

/* --- one axis: where and what ---------------------------------------------------------------------------------------------------- */

struct axis {
    const struct resize *how;
    int64_t in, out;
    double scale, begin, end;
};

/* The place in the input of result `i`. */
static double place_of(const struct axis *a, int64_t i)
{
    double x = (double)i, wide = a->scale * (double)a->in, span = (double)(a->in - 1);
    switch (a->how->transform) {
    case ALIGN_CORNERS:
        return wide == 1 ? 0 : x * span / (wide - 1);
    case ASYMMETRIC:
        return x / a->scale;
    case TF_HALF_PIXEL:
        return (x + 0.5) / a->scale;
    case TF_CROP_AND_RESIZE:
        return a->begin * span + (a->out > 1 ? x * (a->end - a->begin) * span / (double)(a->out - 1) : (a->end - a->begin) * span / 2);
    case PYTORCH_HALF_PIXEL:
        return a->out > 1 ? (x + 0.5) / a->scale - 0.5 : 0;
    case HALF_PIXEL_SYMMETRIC:
        return (double)a->in / 2 * (1 - (double)a->out / wide) + (x + 0.5) / a->scale - 0.5;
    default:
        return (x + 0.5) / a->scale - 0.5;
    }
}

static double cubic_weight(double cubic, double distance)
{
    double x = fabs(distance);
    if (x <= 1)
        return ((cubic + 2) * x - (cubic + 3)) * x * x + 1;
    return x < 2 ? ((cubic * x - 5 * cubic) * x + 8 * cubic) * x - 4 * cubic : 0;
}

static double linear_weight(double distance)
{
    double x = fabs(distance);
    return x < 1 ? 1 - x : 0;
}

static int64_t nearest(const struct axis *a, double place)
{
    double low = floor(place), rest = place - low;
    switch (a->how->rounding) {
    case DOWN:
        return (int64_t)low;
    case UP:
        return (int64_t)ceil(place);
    case PREFER_CEIL:
        return (int64_t)(rest < 0.5 ? low : low + 1);
    default:
        return (int64_t)(rest <= 0.5 ? low : low + 1);
    }
}

static int64_t inside(const struct axis *a, int64_t i)
{
    return i < 0 ? 0 : i >= a->in ? a->in - 1 : i;
}

static bool is_stretched(const struct axis *a)
{
    return a->how->antialias && a->scale < 1;
}

/* How far to either side of its place the points lie that a result weighs. */
static double reach_of(const struct axis *a)
{
    return (a->how->mode == CUBIC ? 2 : 1) / (is_stretched(a) ? a->scale : 1);
}

/* Points behind the edge are the edge's; or, with exclude_outside, they weigh nothing and the others share it. */
static void weigh(const struct axis *a, double place, double *weights)
{
    const struct resize *how = a->how;
    bool stretched = is_stretched(a);
    double shrink = stretched ? a->scale : 1, reach = reach_of(a), sum = 0;
    int64_t first = (int64_t)floor(place - reach), last = (int64_t)ceil(place + reach);
    if (how->mode == NEAREST) {
        weights[inside(a, nearest(a, place))] = 1;
        return;
    }
    for (int64_t i = first; i <= last; i++) {
        double distance = ((double)i - place) * shrink, weight = how->mode == CUBIC ? cubic_weight(how->cubic, distance) : linear_weight(distance);
        if (how->exclude_outside && i != inside(a, i))
            continue;
        weights[inside(a, i)] += weight;
        sum += weight;
    }
    for (int64_t i = 0; (stretched || how->exclude_outside) && sum != 0 && i < a->in; i++)
        weights[i] /= sum;
}

static bool is_outside(const struct axis *a, double place)
{
    return a->how->transform == TF_CROP_AND_RESIZE && (place < 0 || place > (double)(a->in - 1));
}

/* --- one axis: the nodes --------------------------------------------------------------------------------------------------------- */

/* [in, out], column by column the weights of a result; bit by bit in `away` which results lie outside. */
static int weight_matrix(struct lower *l, const struct axis *a, enum element element, uint8_t *away)
{
    double *column = malloc((size_t)a->in * sizeof *column);
    char *bytes = calloc((size_t)(a->in * a->out), element_bytes(element));
    for (int64_t j = 0; column && bytes && j < a->out; j++) {
        double place = place_of(a, j);
        memset(column, 0, (size_t)a->in * sizeof *column);
        away[j] = is_outside(a, place);
        if (!away[j])
            weigh(a, place, column);
        for (int64_t i = 0; i < a->in; i++)
            element_store(bytes, element, i * a->out + j, column[i]);
    }
    int matrix = column && bytes ? lower_constant(l, element, &(struct shape){2, {a->in, a->out}}, bytes) : LOWER_POISON;
    if (!column || !bytes)
        lower_no_memory(l);
    free(column);
    free(bytes);
    return matrix;
}

static int extrapolate(struct lower *l, int x, const struct axis *a, const uint8_t *away)
{
    int mask = lower_constant(l, ELEMENT_BOOL, &(struct shape){1, {a->out}}, away);
    return build_where(l, mask, lower_scalar(l, build_element(l, x), a->how->extrapolation), x);
}

static int by_product(struct lower *l, int x, const struct axis *a, unsigned axis)
{
    unsigned last = build_shape(l, x).rank - 1;
    uint8_t *away = calloc((size_t)a->out, 1);
    if (!away) {
        lower_no_memory(l);
        return LOWER_POISON;
    }
    int matrix = weight_matrix(l, a, build_element(l, x), away);
    x = build_swap(l, x, axis, last);
    if (last == 0)
        x = build_reshape(l, x, 2, (int64_t[]){1, a->in});
    x = build_matmul(l, x, matrix);
    if (memchr(away, 1, (size_t)a->out))
        x = extrapolate(l, x, a, away);
    if (last == 0)
        x = build_reshape(l, x, 1, &a->out);
    free(away);
    return build_swap(l, x, axis, last);
}

/* False: a result lies outside. */
static bool find_places(const struct axis *a, int64_t *places)
{
    for (int64_t j = 0; j < a->out; j++) {
        double place = place_of(a, j);
        if (is_outside(a, place))
            return false;
        places[j] = inside(a, nearest(a, place));
    }
    return true;
}

/* Every pixel `times` times, and no more: an expansion, which moves less than a gather. */
static bool repeats(const struct axis *a, const int64_t *places)
{
    int64_t times = a->out / a->in;
    if (a->out != times * a->in)
        return false;
    for (int64_t j = 0; j < a->out; j++)
        if (places[j] != j / times)
            return false;
    return true;
}

static int by_places(struct lower *l, int x, const struct axis *a, unsigned axis)
{
    int64_t *places = malloc((size_t)a->out * sizeof *places);
    int y = LOWER_POISON;
    if (!places)
        lower_no_memory(l);
    else if (!find_places(a, places))
        y = by_product(l, x, a, axis);
    else if (build_shape(l, x).rank < GRAPH_RANK_MAX && repeats(a, places))
        y = build_repeat(l, x, axis, a->out / a->in);
    else
        y = build_places(l, x, axis, places, a->out);
    free(places);
    return y;
}

/* Does the axis come out as it went in? Only the crop of another region does not. */
static bool stays(const struct axis *a)
{
    return a->in == a->out && a->scale == 1 && a->how->transform != TF_HALF_PIXEL &&
           !(a->how->transform == TF_CROP_AND_RESIZE && (a->begin != 0 || a->end != 1));
}

static int resize_axis(struct lower *l, int x, const struct resize *how, unsigned axis)
{
    struct axis a = {how, build_shape(l, x).dims[axis], how->out[axis], how->scale[axis], how->begin[axis], how->end[axis]};
    if (x < 0 || stays(&a))
        return x;
    if (a.out > POINTS_MAX || a.in > POINTS_MAX || (how->mode != NEAREST && a.in * a.out > MATRIX_MAX)) {
        lower_refuse(l, "axis %u goes from %lld to %lld; at most %d are supported, and %d weights", axis, (long long)a.in, (long long)a.out,
                     POINTS_MAX, MATRIX_MAX);
        return LOWER_POISON;
    }
    if (reach_of(&a) > REACH_MAX) { /* a region far beyond the input lets a scale be as small as one likes */
        lower_refuse(l, "antialias with scale %g weighs %g elements to either side; at most %d are supported", a.scale, reach_of(&a), REACH_MAX);
        return LOWER_POISON;
    }
    return how->mode == NEAREST ? by_places(l, x, &a, axis) : by_product(l, x, &a, axis);
}

static bool resize_all(struct lower *l, const struct resize *how)
{
    struct shape x = lower_shape(l, 0);
    int value = l->in[0];
    char text[160];
    bool weighs = false;
    if (!shape_count(&x))
        return lower_refuse(l, "the input is %s; it must have elements", shape_text(&x, text));
    for (unsigned i = 0; i < x.rank; i++)
        weighs |= how->mode != NEAREST && (how->out[i] != x.dims[i] || how->scale[i] != 1);
    enum element element = build_element(l, value);
    if (weighs && !element_is_float(element))
        return lower_refuse(l, "the input is %s; modes linear and cubic are supported on floating point", element_name(element));
    for (unsigned i = x.rank; i-- > 0;) /* the last axis first: a product needs no exchange there */
        value = resize_axis(l, value, how, i);
    return lower_done(l, value);
}

/* --- reading --------------------------------------------------------------------------------------------------------------------- */

static bool read_word(struct lower *l, const char *name, const char *const *words, unsigned count, unsigned *out)
{
    char word[32];
    lower_string(l, name, words[0], word);
    for (*out = 0; *out < count && !l->failed; ++*out)
        if (!strcmp(words[*out], word))
            return true;
    return l->failed ? false : lower_refuse(l, "%s %s is not supported", name, word);
}

static bool read_modes(struct lower *l, struct resize *how)
{
    static const char *const transforms[] = {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
                                             "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"};
    static const char *const modes[] = {"nearest", "linear", "cubic"}, *const roundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
    unsigned transform, mode, rounding;
    if (!read_word(l, "coordinate_transformation_mode", transforms, 7, &transform) || !read_word(l, "mode", modes, 3, &mode) ||
        !read_word(l, "nearest_mode", roundings, 4, &rounding))
        return false;
    how->transform = l->opset < 11 ? ASYMMETRIC : (enum transform)transform;
    how->rounding = l->opset < 11 ? DOWN : (enum rounding)rounding;
    how->mode = (enum mode)mode;
    how->antialias = lower_int(l, "antialias", 0) != 0 && mode != NEAREST;
    how->exclude_outside = lower_int(l, "exclude_outside", 0) != 0;
    how->cubic = (double)lower_float(l, "cubic_coeff_a", -0.75f);
    how->extrapolation = (double)lower_float(l, "extrapolation_value", 0);
    return !l->failed;
}

/* A list of numbers, one an axis that is named. */
static bool read_numbers(struct lower *l, unsigned input, const char *what, unsigned count, double *out)
{
    if (!lower_parameter(l, input))
        return false;
    struct shape shape = lower_shape(l, input);
    if (!build_is_constant(l, l->in[input]))
        return lower_refuse(l, "%s (%s) are computed at run time; they must be constant", what, lower_value(l, input)->name);
    if (shape.rank != 1 || shape.dims[0] != count)
        return lower_refuse(l, "%lld numbers of %s; %u are right", (long long)shape_count(&shape), what, count);
    for (unsigned i = 0; i < count; i++)
        if (!value_at(l->graph, l->in[input], i, &out[i]))
            return lower_no_memory(l);
    return true;
}

static bool read_axes(struct lower *l, unsigned rank, int64_t *axes, unsigned *count)
{
    bool seen[GRAPH_RANK_MAX] = {0};
    *count = rank;
    for (unsigned i = 0; i < rank; i++)
        axes[i] = i;
    lower_ints(l, "axes", axes, count, GRAPH_RANK_MAX);
    for (unsigned i = 0; !l->failed && i < *count; i++) {
        if (!lower_axis(l, &axes[i], rank))
            return false;
        if (seen[axes[i]])
            return lower_refuse(l, "axis %lld is named twice", (long long)axes[i]);
        seen[axes[i]] = true;
    }
    return !l->failed;
}

static bool check_size(struct lower *l, double size, double scale)
{
    if (!(scale > 0 && scale < 0x1p31))
        return lower_refuse(l, "scale %g; it must be above 0", scale);
    return (size >= 1 && size < 0x1p31) || lower_refuse(l, "a size of %g; it must be at least 1", size);
}

static bool take_scales(struct lower *l, struct resize *how, const struct shape *x, const int64_t *axes, unsigned count, unsigned input)
{
    double scales[GRAPH_RANK_MAX];
    if (!read_numbers(l, input, "scales", count, scales))
        return false;
    for (unsigned i = 0; i < count; i++) {
        int64_t axis = axes[i];
        double region = how->transform == TF_CROP_AND_RESIZE ? how->end[axis] - how->begin[axis] : 1;
        double size = floor((double)((float)x->dims[axis] * (float)region * (float)scales[i])); /* in float, as scales are: 10 x 0.7 is 7 */
        if (!check_size(l, size, scales[i]))
            return false;
        how->scale[axis] = scales[i];
        how->out[axis] = (int64_t)size;
    }
    return true;
}

/* The sizes, or the one scale of all axes by which none (or the least) exceeds its size. */
static bool take_sizes(struct lower *l, struct resize *how, const struct shape *x, const int64_t *axes, unsigned count, unsigned input)
{
    static const char *const policies[] = {"stretch", "not_larger", "not_smaller"};
    double sizes[GRAPH_RANK_MAX], common = 0;
    unsigned policy;
    if (!read_numbers(l, input, "sizes", count, sizes) || !read_word(l, "keep_aspect_ratio_policy", policies, 3, &policy))
        return false;
    for (unsigned i = 0; i < count; i++) {
        double scale = sizes[i] / (double)x->dims[axes[i]];
        common = !i || (policy == 1 ? scale < common : scale > common) ? scale : common;
    }
    for (unsigned i = 0; i < count; i++) {
        double size = policy ? floor((double)x->dims[axes[i]] * common + 0.5) : sizes[i];
        if (!check_size(l, size, sizes[i] > 0 ? 1 : 0))
            return false;
        how->out[axes[i]] = (int64_t)size;
        how->scale[axes[i]] = policy ? common : sizes[i] / (double)x->dims[axes[i]];
    }
    return true;
}

static bool read_region(struct lower *l, struct resize *how, const int64_t *axes, unsigned count)
{
    double region[2 * GRAPH_RANK_MAX];
    if (how->transform != TF_CROP_AND_RESIZE)
        return true;
    if (!lower_given(l, 1))
        return lower_refuse(l, "tf_crop_and_resize needs roi");
    if (!read_numbers(l, 1, "roi", 2 * count, region))
        return false;
    for (unsigned i = 0; i < 2 * count; i++)
        if (!(fabs(region[i]) <= REGION_MAX))
            return lower_refuse(l, "roi has %g; it must be between -%d and %d", region[i], REGION_MAX, REGION_MAX);
    for (unsigned i = 0; i < count; i++) {
        how->begin[axes[i]] = region[i];
        how->end[axes[i]] = region[count + i];
    }
    return true;
}

static bool has_numbers(struct lower *l, unsigned input)
{
    struct shape shape = lower_given(l, input) ? lower_shape(l, input) : (struct shape){1, {0}};
    return shape_count(&shape) > 0;
}

bool lower_resize(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0);
    struct resize how = {.mode = NEAREST};
    int64_t axes[GRAPH_RANK_MAX];
    unsigned count, scales = l->opset < 11 ? 1 : 2;
    if (!lower_parameters(l, scales, 3) || !read_modes(l, &how) || !read_axes(l, x.rank, axes, &count))
        return false;
    for (unsigned i = 0; i < x.rank; i++) {
        how.out[i] = x.dims[i];
        how.scale[i] = how.end[i] = 1;
    }
    bool by_scale = has_numbers(l, scales), by_size = l->opset >= 11 && has_numbers(l, 3);
    if (by_scale == by_size)
        return lower_refuse(l, "%s; one of them is right", by_scale ? "has both scales and sizes" : "has neither scales nor sizes");
    return read_region(l, &how, axes, count) &&
           (by_scale ? take_scales(l, &how, &x, axes, count, scales) : take_sizes(l, &how, &x, axes, count, 3)) && resize_all(l, &how);
}

/* Scales are an attribute before opset 9. */
bool lower_upsample(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0);
    struct resize how = {.transform = ASYMMETRIC, .rounding = DOWN};
    int64_t axes[GRAPH_RANK_MAX] = {0, 1, 2, 3, 4, 5, 6, 7};
    static const char *const modes[] = {"nearest", "linear"};
    unsigned mode;
    if (!read_word(l, "mode", modes, 2, &mode))
        return false;
    how.mode = (enum mode)mode;
    if (l->opset >= 9) {
        if (!lower_given(l, 1))
            return lower_refuse(l, "scales are missing");
        return take_scales(l, &how, &x, axes, x.rank, 1) && resize_all(l, &how);
    }
    const Onnx__AttributeProto *scales = lower_attribute(l, "scales");
    if (l->failed || !scales || scales->n_floats != x.rank)
        return l->failed ? false : lower_refuse(l, "attribute scales must have %u numbers", x.rank);
    for (unsigned i = 0; i < x.rank; i++) {
        how.scale[i] = (double)scales->floats[i];
        double size = floor((double)x.dims[i] * how.scale[i]);
        if (!check_size(l, size, how.scale[i]))
            return false;
        how.out[i] = (int64_t)size;
    }
    return resize_all(l, &how);
}
