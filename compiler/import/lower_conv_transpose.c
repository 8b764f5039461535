/* lower_conv_transpose.c: ConvTranspose as a convolution of stride 1.
 *
 * Where an axis has stride s and no dilation, output s q + r reads x[q - j] through the taps w[r + s j] alone. So each of the s
 * phases r is a convolution of ceil(k / s) taps; all phases together are one, with s times the channels, whose phases are then
 * put between each other. Nothing is multiplied by zeros that were put in. Strides with dilations have zeros put between the pixels instead.
 */
#include <string.h>

#include "lower_build.h"

enum { SIZE_LIMIT = 1 << 20 };

struct transposed {
    unsigned spatial;
    int64_t groups, channels, filters; /* all of the input; all of the output */
    int64_t in[3], out[3], kernel[3], stride[3], dilation[3], begin[3], behind[3]; /* begin: padding, cut off in front; behind: output_padding */
    bool phases;
};

/* --- reading --------------------------------------------------------------------------------------------------------------------- */

static bool read_list(struct lower *l, const char *name, const struct transposed *t, int64_t low, int64_t *out)
{
    int64_t list[8];
    unsigned count;
    if (!lower_ints(l, name, list, &count, 5))
        return !l->failed;
    if (!strcmp(name, "output_shape") && count == t->spatial + 2)
        memmove(list, list + 2, t->spatial * sizeof *list); /* some say it with batch and channels */
    else if (count != t->spatial)
        return lower_refuse(l, "attribute %s has %u numbers; %u are right", name, count, t->spatial);
    for (unsigned i = 0; i < t->spatial; i++) {
        if (list[i] < low || list[i] > SIZE_LIMIT)
            return lower_refuse(l, "attribute %s has %lld; it must be from %lld to %d", name, (long long)list[i], (long long)low, SIZE_LIMIT);
        out[i] = list[i];
    }
    return true;
}

/* The whole that all taps of all pixels reach, before anything is cut off. */
static int64_t reach(const struct transposed *t, unsigned i)
{
    return t->stride[i] * (t->in[i] - 1) + t->behind[i] + (t->kernel[i] - 1) * t->dilation[i] + 1;
}

/* The size is given: what is too much is cut off on both sides, what is missing stands behind. */
static void pad_for(struct transposed *t, unsigned i, int64_t size, bool upper)
{
    int64_t total = reach(t, i) - size;
    t->out[i] = size;
    if (total < 0)
        total = 0;
    t->begin[i] = upper ? total / 2 : total - total / 2;
}

static bool read_pads(struct lower *l, struct transposed *t)
{
    int64_t pads[6] = {0};
    unsigned count = 2 * t->spatial;
    lower_ints(l, "pads", pads, &count, 6);
    if (l->failed)
        return false;
    if (count != 2 * t->spatial)
        return lower_refuse(l, "attribute pads has %u numbers; %u are right", count, 2 * t->spatial);
    for (unsigned i = 0; i < t->spatial; i++) {
        if (pads[i] < 0 || pads[i] > SIZE_LIMIT || pads[i + t->spatial] < 0 || pads[i + t->spatial] > SIZE_LIMIT)
            return lower_refuse(l, "attribute pads has a number that is not from 0 to %d", SIZE_LIMIT);
        t->begin[i] = pads[i];
        t->out[i] = reach(t, i) - pads[i] - pads[i + t->spatial];
    }
    return true;
}

static bool read_padding(struct lower *l, struct transposed *t)
{
    int64_t size[3] = {0};
    char mode[32];
    lower_string(l, "auto_pad", "NOTSET", mode);
    if (l->failed || !read_list(l, "output_shape", t, 1, size))
        return false;
    bool upper = !strcmp(mode, "SAME_UPPER"), same = upper || !strcmp(mode, "SAME_LOWER"), valid = !strcmp(mode, "VALID");
    if (!same && !valid && strcmp(mode, "NOTSET"))
        return lower_refuse(l, "auto_pad %s; NOTSET, VALID, SAME_UPPER and SAME_LOWER are right", mode);
    if (!size[0] && !same && !valid)
        return read_pads(l, t);
    for (unsigned i = 0; i < t->spatial; i++)
        if (size[0] || same)
            pad_for(t, i, size[0] ? size[i] : t->in[i] * t->stride[i], upper);
        else
            t->out[i] = reach(t, i);
    return true;
}

static bool read_sizes(struct lower *l, struct transposed *t)
{
    struct shape x = lower_shape(l, 0), w = lower_shape(l, 1);
    char xs[160], ws[160];
    t->groups = lower_int(l, "group", 1);
    if (l->failed)
        return false;
    if (x.rank != w.rank || x.rank < 3 || x.rank > 5)
        return lower_refuse(l, "input %s and weights %s; both need the same count of dimensions, 3 to 5", shape_text(&x, xs), shape_text(&w, ws));
    if (t->groups < 1 || x.dims[1] < 1 || w.dims[0] != x.dims[1] || x.dims[1] % t->groups || w.dims[1] < 1)
        return lower_refuse(l, "input %s, weights %s and group %lld do not fit: weights are [C, M / group, ...], C a multiple of group",
                            shape_text(&x, xs), shape_text(&w, ws), (long long)t->groups);
    t->spatial = x.rank - 2;
    t->channels = x.dims[1];
    t->filters = w.dims[1] * t->groups;
    for (unsigned i = 0; i < t->spatial; i++) {
        t->in[i] = x.dims[2 + i];
        t->kernel[i] = w.dims[2 + i];
        t->stride[i] = t->dilation[i] = 1;
        if (t->in[i] < 1 || t->kernel[i] < 1 || t->kernel[i] > SIZE_LIMIT)
            return lower_refuse(l, "spatial dimension %u: input %lld, kernel %lld; both must be at least 1, and a kernel at most %d", i,
                                (long long)t->in[i], (long long)t->kernel[i], SIZE_LIMIT);
    }
    return true;
}

static bool read_window(struct lower *l, struct transposed *t)
{
    int64_t kernel[3];
    if (!read_sizes(l, t))
        return false;
    memcpy(kernel, t->kernel, sizeof kernel);
    if (!read_list(l, "kernel_shape", t, 1, kernel) || !read_list(l, "strides", t, 1, t->stride) ||
        !read_list(l, "dilations", t, 1, t->dilation) || !read_list(l, "output_padding", t, 0, t->behind) || !read_padding(l, t))
        return false;
    t->phases = true;
    for (unsigned i = 0; i < t->spatial; i++) {
        if (kernel[i] != t->kernel[i])
            return lower_refuse(l, "kernel_shape has %lld and the weights %lld", (long long)kernel[i], (long long)t->kernel[i]);
        if (t->out[i] < 1)
            return lower_refuse(l, "spatial dimension %u: the padding leaves %lld of the result", i, (long long)t->out[i]);
        t->phases &= t->stride[i] == 1 || t->dilation[i] == 1;
    }
    return true;
}

/* --- weights --------------------------------------------------------------------------------------------------------------------- */

/* [C, M / g, ...] as [M, C / g, ...], the weights of a convolution. */
static int exchange(struct lower *l, const struct transposed *t, int w)
{
    struct shape apart = {.rank = 3, .dims = {t->groups, t->channels / t->groups, t->filters / t->groups}};
    struct shape joined = {.rank = 2, .dims = {t->filters, t->channels / t->groups}};
    for (unsigned i = 0; i < t->spatial; i++)
        apart.dims[apart.rank++] = joined.dims[joined.rank++] = t->kernel[i];
    return lower_reshape(l, build_swap(l, lower_reshape(l, w, &apart), 1, 2), &joined);
}

/* The last dimensions backwards. */
static int turn(struct lower *l, int w, unsigned spatial)
{
    struct shape shape = build_shape(l, w);
    struct attributes at = {0};
    for (unsigned i = 0; i < shape.rank; i++) {
        bool turned = i >= shape.rank - spatial;
        at.begins[i] = turned ? shape.dims[i] - 1 : 0;
        at.ends[i] = turned ? -1 : shape.dims[i];
        at.steps[i] = turned ? -1 : 1;
    }
    return lower_emit(l, CORE_SLICE, &w, 1, &at, build_element(l, w), &shape);
}

static int64_t taps(const struct transposed *t, unsigned i)
{
    return (t->kernel[i] + t->stride[i] - 1) / t->stride[i];
}

/* [M, C / g, k...] as [M s..., C / g, taps...]: tap j of phase r is w[r + s j], or 0 behind the last. */
static int weights_of_phases(struct lower *l, const struct transposed *t, int w)
{
    unsigned n = t->spatial;
    int64_t none[GRAPH_RANK_MAX] = {0}, behind[GRAPH_RANK_MAX] = {0}, perm[GRAPH_RANK_MAX] = {0};
    struct shape apart = {.rank = 2 + 2 * n, .dims = {t->filters, t->channels / t->groups}}, joined = {.rank = 2 + n, .dims = {t->filters, t->channels / t->groups}};
    perm[1 + n] = 1;
    for (unsigned i = 0; i < n; i++) {
        behind[2 + i] = taps(t, i) * t->stride[i] - t->kernel[i];
        apart.dims[2 + 2 * i] = joined.dims[2 + i] = taps(t, i);
        apart.dims[3 + 2 * i] = t->stride[i];
        joined.dims[0] *= t->stride[i];
        perm[1 + i] = 3 + 2 * i;
        perm[2 + n + i] = 2 + 2 * i;
    }
    w = build_pad(l, w, none, behind, 0);
    return lower_reshape(l, build_transpose(l, lower_reshape(l, w, &apart), perm), &joined);
}

/* One number a channel for each of its phases. */
static int bias_of_phases(struct lower *l, const struct transposed *t, int bias)
{
    int64_t phases = 1;
    for (unsigned i = 0; i < t->spatial; i++)
        phases *= t->stride[i];
    if (bias == GRAPH_NONE || phases == 1)
        return bias;
    bias = build_expand(l, build_reshape(l, bias, 2, (int64_t[]){t->filters, 1}), &(struct shape){2, {t->filters, phases}});
    return build_reshape(l, bias, 1, (int64_t[]){t->filters * phases});
}

/* --- the convolution ------------------------------------------------------------------------------------------------------------- */

/* Padding of at->pad_begin and pad_end, where below 0 crops the input. `at` has kernel, dilation and groups. */
static int convolve(struct lower *l, int x, int w, int bias, struct attributes *at)
{
    struct shape in = build_shape(l, x), out = {.rank = in.rank, .dims = {in.dims[0], build_shape(l, w).dims[0]}};
    int64_t begins[GRAPH_RANK_MAX] = {0}, ends[GRAPH_RANK_MAX] = {0};
    for (unsigned i = 0; i < at->spatial; i++) {
        out.dims[2 + i] = in.dims[2 + i] + at->pad_begin[i] + at->pad_end[i] - (at->kernel[i] - 1) * at->dilation[i];
        begins[2 + i] = at->pad_begin[i] < 0 ? at->pad_begin[i] : 0;
        ends[2 + i] = at->pad_end[i] < 0 ? at->pad_end[i] : 0;
        at->pad_begin[i] -= begins[2 + i];
        at->pad_end[i] -= ends[2 + i];
        at->stride[i] = 1;
    }
    int inputs[] = {build_pad(l, x, begins, ends, 0), w, bias};
    return build_convolution(l, CORE_CONV, inputs, bias == GRAPH_NONE ? 2 : 3, 1, at, build_element(l, x), &out);
}

/* [N, M s..., q...] as [N, M, s q...], cut to what was asked for. */
static int weave(struct lower *l, const struct transposed *t, int y, const int64_t *first)
{
    unsigned n = t->spatial;
    struct shape shape = build_shape(l, y), apart = {.rank = 2 + 2 * n, .dims = {shape.dims[0], t->filters}}, joined = {.rank = 2 + n, .dims = {shape.dims[0], t->filters}};
    int64_t perm[GRAPH_RANK_MAX] = {0, 1};
    for (unsigned i = 0; i < n && y >= 0; i++) {
        apart.dims[2 + i] = t->stride[i];
        apart.dims[2 + n + i] = shape.dims[2 + i];
        joined.dims[2 + i] = t->stride[i] * shape.dims[2 + i];
        perm[2 + 2 * i] = 2 + n + i;
        perm[3 + 2 * i] = 2 + i;
    }
    y = lower_reshape(l, build_transpose(l, lower_reshape(l, y, &apart), perm), &joined);
    for (unsigned i = 0; i < n; i++)
        y = build_slice(l, y, 2 + i, first[i], first[i] + t->out[i], 1);
    return y;
}

static int by_phases(struct lower *l, const struct transposed *t, int w, int bias)
{
    struct attributes at = {.spatial = t->spatial, .groups = t->groups};
    int64_t first[3];
    bool woven = false;
    for (unsigned i = 0; i < t->spatial; i++) {
        int64_t from = t->begin[i] / t->stride[i], to = (t->begin[i] + t->out[i] + t->stride[i] - 1) / t->stride[i]; /* q of the result */
        bool plain = t->stride[i] == 1;
        at.kernel[i] = taps(t, i);
        at.dilation[i] = plain ? t->dilation[i] : 1;
        at.pad_begin[i] = (at.kernel[i] - 1) * at.dilation[i] - from;
        at.pad_end[i] = to - t->in[i];
        first[i] = t->begin[i] - from * t->stride[i];
        woven |= !plain;
    }
    w = turn(l, weights_of_phases(l, t, w), t->spatial);
    int y = convolve(l, l->in[0], w, bias_of_phases(l, t, bias), &at);
    return woven ? weave(l, t, y, first) : y;
}

/* s - 1 zeros behind each pixel. */
static int put_zeros(struct lower *l, const struct transposed *t)
{
    struct shape x = lower_shape(l, 0), apart = {.rank = 2, .dims = {x.dims[0], x.dims[1]}}, joined = apart;
    int64_t none[GRAPH_RANK_MAX] = {0}, behind[GRAPH_RANK_MAX] = {0};
    for (unsigned i = 0; i < t->spatial; i++) {
        apart.dims[apart.rank++] = t->in[i];
        apart.dims[apart.rank++] = 1;
        behind[3 + 2 * i] = t->stride[i] - 1;
        joined.dims[joined.rank++] = t->in[i] * t->stride[i];
    }
    return lower_reshape(l, build_pad(l, lower_reshape(l, l->in[0], &apart), none, behind, 0), &joined);
}

static int by_zeros(struct lower *l, const struct transposed *t, int w, int bias)
{
    struct attributes at = {.spatial = t->spatial, .groups = t->groups};
    for (unsigned i = 0; i < t->spatial; i++) {
        at.kernel[i] = t->kernel[i];
        at.dilation[i] = t->dilation[i];
        at.pad_begin[i] = (t->kernel[i] - 1) * t->dilation[i] - t->begin[i];
        at.pad_end[i] = t->out[i] + t->begin[i] - t->in[i] * t->stride[i];
    }
    return convolve(l, put_zeros(l, t), turn(l, w, t->spatial), bias, &at);
}

static bool fits(struct lower *l, const struct transposed *t)
{
    int64_t room = t->filters;
    for (unsigned i = 0; i < t->spatial; i++)
        if (__builtin_mul_overflow(room, t->stride[i] * (t->in[i] + t->kernel[i]), &room) || room > (int64_t)1 << 40)
            return lower_refuse(l, "the result has too many elements");
    return true;
}

bool lower_conv_transpose(struct lower *l, const struct onnx_op *op)
{
    struct transposed t = {0};
    if (!lower_parameters(l, 1, 2) || !lower_want_float(l, 0) || !lower_same_type(l, l->in[0], l->in[1]) || !read_window(l, &t) || !fits(l, &t))
        return false;
    if (lower_given(l, 2)) {
        struct shape bias = lower_shape(l, 2);
        char text[160];
        if (bias.rank != 1 || bias.dims[0] != t.filters)
            return lower_refuse(l, "bias is %s; it must be [%lld]", shape_text(&bias, text), (long long)t.filters);
    }
    int w = exchange(l, &t, l->in[1]), bias = lower_given(l, 2) ? l->in[2] : GRAPH_NONE;
    return lower_done(l, t.phases ? by_phases(l, &t, w, bias) : by_zeros(l, &t, w, bias));
}
