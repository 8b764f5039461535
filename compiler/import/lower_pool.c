/* lower_pool.c: greatest, mean and norm of windows. */
#include <stdlib.h>
#include <string.h>

#include "element.h"
#include "lower_build.h"

enum { WINDOWS_MAX = 1 << 24 };

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

/* How many taps of output `i` lie in front of `place`. */
static int64_t taps_before(const struct attributes *at, unsigned d, int64_t i, int64_t place)
{
    int64_t room = place - (i * at->stride[d] - at->pad_begin[d]), taps = room > 0 ? (room + at->dilation[d] - 1) / at->dilation[d] : 0;
    return taps < at->kernel[d] ? taps : at->kernel[d];
}

/* How many of them lie in the input, or with its padding. A file may ask for millions of windows of a million taps. */
static int64_t taps_inside(const struct attributes *at, const struct window *w, unsigned d, int64_t i)
{
    int64_t low = at->count_include_pad ? -at->pad_begin[d] : 0, high = w->in[d] + (at->count_include_pad ? at->pad_end[d] : 0);
    return taps_before(at, d, i, high) - taps_before(at, d, i, low);
}

/* One over the count of taps, for each output: [1, 1, ...]. */
static int shares(struct lower *l, const struct attributes *at, const struct window *w)
{
    struct shape shape = {.rank = at->spatial + 2, .dims = {1, 1}};
    for (unsigned d = 0; d < at->spatial; d++)
        shape.dims[2 + d] = w->out[d];
    int64_t count = shape_count(&shape);
    if (count > WINDOWS_MAX) {
        lower_refuse(l, "%lld windows with gaps; at most %d are supported", (long long)count, WINDOWS_MAX);
        return LOWER_POISON;
    }
    float *bytes = malloc((size_t)count * sizeof *bytes);
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

/* What a window holds in all: a convolution with ones, channel by channel. */
static int window_sums(struct lower *l, int x, const struct attributes *at, const struct window *w, const struct shape *out)
{
    enum element element = build_element(l, x);
    struct shape ones = {.rank = at->spatial + 2, .dims = {out->dims[1], 1}};
    struct attributes conv = *at;
    memcpy(ones.dims + 2, at->kernel, at->spatial * sizeof *at->kernel);
    conv.groups = out->dims[1];
    int kernel = lower_rule(l, CONTENTS_FILL, element, &ones);
    if (kernel < 0 || x < 0)
        return LOWER_POISON;
    l->graph->values[kernel].fill = 1;
    for (unsigned d = 0; d < at->spatial; d++)
        conv.pad_end[d] += w->extra[d];
    return build_convolution(l, CORE_CONV, (int[]){x, kernel}, 2, 1, &conv, element, out);
}

/* An average with gaps: the sum times one over the count. */
static int dilated_average(struct lower *l, const struct attributes *at, const struct window *w, const struct shape *out)
{
    int factor = build_cast(l, shares(l, at, w), lower_value(l, 0)->element);
    return build_binary(l, CORE_MUL, window_sums(l, l->in[0], at, w, out), factor);
}

static bool has_gaps(const struct attributes *at)
{
    bool gaps = false;
    for (unsigned d = 0; d < at->spatial; d++)
        gaps |= at->dilation[d] > 1;
    return gaps;
}

static bool read_pool(struct lower *l, struct attributes *at, struct window *w, struct shape *out)
{
    struct shape x = lower_shape(l, 0), kernel = {0};
    if (!lower_ints(l, "kernel_shape", kernel.dims, &kernel.rank, 3))
        return l->failed ? false : lower_refuse(l, "kernel_shape is missing");
    if (kernel.rank + 2 != x.rank)
        return lower_refuse(l, "kernel_shape has %u numbers and the input %u dimensions; one a spatial dimension is right", kernel.rank,
                            x.rank);
    if (!lower_window(l, &x, &kernel, at, w))
        return false;
    at->groups = 1;
    *out = window_result(x.dims[0], x.dims[1], at, w);
    return true;
}

/* --- where the greatest stands --------------------------------------------------------------------------------------------------- */

enum { TAPS_MAX = 64 };

struct taps {
    const struct attributes *at;
    const struct window *w;
    struct shape x, out;
    int padded; /* x with its border; what stands there takes no part */
    bool columns; /* places are counted down the columns */
};

/* Place of a tap in its image, or -1 outside, for output `i`; tap and output in C order. */
static int64_t place_of_tap(const struct taps *t, int64_t tap, int64_t i)
{
    int64_t place = 0, weight = 1, at[3];
    for (unsigned d = t->at->spatial; d-- > 0; tap /= t->at->kernel[d], i /= t->w->out[d]) {
        at[d] = i % t->w->out[d] * t->at->stride[d] - t->at->pad_begin[d] + tap % t->at->kernel[d] * t->at->dilation[d];
        if (at[d] < 0 || at[d] >= t->w->in[d])
            return -1;
    }
    for (unsigned k = 0; k < t->at->spatial; k++) {
        unsigned d = t->columns ? k : t->at->spatial - 1 - k;
        place += at[d] * weight;
        weight *= t->w->in[d];
    }
    return place;
}

static int places_of_tap(struct lower *l, const struct taps *t, int64_t tap)
{
    struct shape shape = t->out;
    shape.dims[0] = shape.dims[1] = 1;
    int64_t count = shape_count(&shape);
    int32_t *places = malloc((size_t)count * sizeof *places);
    if (!places) {
        lower_no_memory(l);
        return LOWER_POISON;
    }
    for (int64_t i = 0; i < count; i++)
        places[i] = (int32_t)place_of_tap(t, tap, i);
    int value = lower_constant(l, ELEMENT_S32, &shape, places);
    free(places);
    return value;
}

/* What the tap reads, for every output. */
static int read_tap(struct lower *l, const struct taps *t, int64_t tap)
{
    int value = t->padded;
    for (unsigned d = t->at->spatial; d-- > 0; tap /= t->at->kernel[d]) {
        int64_t begin = tap % t->at->kernel[d] * t->at->dilation[d];
        value = build_slice(l, value, 2 + d, begin, begin + (t->w->out[d] - 1) * t->at->stride[d] + 1, t->at->stride[d]);
    }
    return value;
}

/* The first tap that holds the greatest, in the order of the window; counted through all images of the batch. */
static int places_of_greatest(struct lower *l, const struct taps *t, int greatest)
{
    int64_t count = 1, plane = shape_count(&t->x) / (t->x.dims[0] * t->x.dims[1]), planes[GRAPH_RANK_MAX] = {t->x.dims[0], t->x.dims[1], 1, 1, 1};
    int places = lower_scalar(l, ELEMENT_S32, 0);
    for (unsigned d = 0; d < t->at->spatial; d++)
        count *= t->at->kernel[d];
    for (int64_t tap = count; tap-- > 0;) {
        int here = places_of_tap(l, t, tap), inside = build_not(l, build_with(l, CORE_LESS, here, 0));
        int found = build_binary(l, CORE_AND, build_binary(l, CORE_COMPARE_EQUAL, read_tap(l, t, tap), greatest), inside);
        places = build_where(l, found, here, places);
    }
    int first = build_reshape(l, build_count_up(l, ELEMENT_S32, t->x.dims[0] * t->x.dims[1]), t->x.rank, planes);
    return build_cast(l, build_binary(l, CORE_ADD, places, build_with(l, CORE_MUL, first, (double)plane)), ELEMENT_S64);
}

static bool pool_places(struct lower *l, const struct attributes *at, const struct window *w, const struct shape *out)
{
    int64_t begins[GRAPH_RANK_MAX] = {0}, ends[GRAPH_RANK_MAX] = {0}, taps = 1;
    struct taps t = {.at = at, .w = w, .x = lower_shape(l, 0), .out = *out, .columns = lower_int(l, "storage_order", 0) != 0};
    for (unsigned d = 0; d < at->spatial; d++) {
        begins[2 + d] = at->pad_begin[d];
        ends[2 + d] = at->pad_end[d] + w->extra[d];
        taps = taps <= TAPS_MAX ? taps * at->kernel[d] : taps;
    }
    if (l->failed)
        return false;
    if (taps > TAPS_MAX || shape_count(&t.x) > 1 << 24)
        return lower_refuse(l, "indices of windows of more than %d places, or of more than %d elements, are not supported", TAPS_MAX, 1 << 24);
    t.padded = build_pad(l, l->in[0], begins, ends, 0);
    l->out[1] = places_of_greatest(l, &t, l->out[0]);
    l->out_count = 2;
    return l->out[1] != LOWER_POISON;
}

static bool asks_for_places(const struct lower *l)
{
    return l->proto->n_output > 1 && *l->proto->output[1];
}

static bool pool_values(struct lower *l, const struct onnx_op *op, struct attributes at, const struct window *w, const struct shape *out)
{
    struct shape x = lower_shape(l, 0);
    int64_t extra = 0;
    for (unsigned i = 0; i < at.spatial; i++)
        extra += w->extra[i];
    if (op->core == CORE_AVERAGEPOOL && has_gaps(&at))
        return lower_done(l, dilated_average(l, &at, w, out));
    int input = extra && at.count_include_pad ? pad_for_average(l, &at, &x) : l->in[0];
    for (unsigned i = 0; i < at.spatial; i++)
        at.pad_end[i] += w->extra[i];
    if (at.spatial == 3 && input >= 0 && shape_count(out))
        return lower_done(l, pool_volumes(l, (enum core_op)op->core, input, &at, out));
    return lower_done(l, lower_emit(l, (enum core_op)op->core, &input, 1, &at, lower_value(l, 0)->element, out));
}

bool lower_pool(struct lower *l, const struct onnx_op *op)
{
    struct attributes at = {0};
    struct shape out;
    struct window w;
    if (!pool_type(l, op) || !read_pool(l, &at, &w, &out))
        return false;
    at.count_include_pad = lower_int(l, "count_include_pad", 0) != 0;
    return !l->failed && pool_values(l, op, at, &w, &out) && (!asks_for_places(l) || op->outputs < 2 || pool_places(l, &at, &w, &out));
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

/* --- norms of windows ---------------------------------------------------------------------------------------------------------- */

static bool read_norm(struct lower *l, int64_t *p)
{
    *p = lower_int(l, "p", 2);
    return !l->failed && lower_want_float(l, 0) && (*p >= 1 || lower_refuse(l, "p %lld; it must be at least 1", (long long)*p));
}

/* |x|^p */
static int to_power(struct lower *l, int x, int64_t p)
{
    if (p == 2)
        return build_binary(l, CORE_MUL, x, x);
    x = build_unary(l, CORE_ABS, x);
    return p == 1 ? x : build_with(l, CORE_POW, x, (double)p);
}

static int to_root(struct lower *l, int x, int64_t p)
{
    return p == 1 ? x : p == 2 ? build_unary(l, CORE_SQRT, x) : build_with(l, CORE_POW, x, 1 / (double)p);
}

bool lower_lp_pool(struct lower *l, const struct onnx_op *op)
{
    struct attributes at = {0};
    struct window w;
    struct shape out;
    int64_t p;
    if (!read_norm(l, &p) || !read_pool(l, &at, &w, &out))
        return false;
    return lower_done(l, to_root(l, window_sums(l, to_power(l, l->in[0], p), &at, &w, &out), p));
}

bool lower_global_lp_pool(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0);
    bool axes[GRAPH_RANK_MAX];
    int64_t p;
    if (!read_norm(l, &p))
        return false;
    for (unsigned i = 0; i < x.rank; i++)
        axes[i] = i >= 2;
    return lower_done(l, to_root(l, build_reduce(l, CORE_REDUCE_SUM, to_power(l, l->in[0], p), axes, true), p));
}
