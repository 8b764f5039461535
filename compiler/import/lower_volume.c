/* lower_volume.c: convolutions of three spatial dimensions as ones of two. */
#include <stdlib.h>
#include <string.h>

#include "lower_build.h"

enum { DEPTH_MAX = 1024 };

/* Planes of a computed zero point, [N, count, C, H, W]; or x where there are none. */
static int with_planes(struct lower *l, int x, int around, int64_t begin, int64_t end)
{
    struct shape front = build_shape(l, x), back = front;
    int parts[3], count = 0;
    front.dims[1] = begin;
    back.dims[1] = end;
    if (begin)
        parts[count++] = build_expand(l, around, &front);
    parts[count++] = x;
    if (end)
        parts[count++] = build_expand(l, around, &back);
    return build_concat(l, parts, (unsigned)count, 1);
}

/* What stands around the input, whose planes are its second dimension: 0, or the zero point of one that is quantised (the third input of all such operators). */
static int with_border(struct lower *l, int x, int zero, int64_t begin, int64_t end)
{
    double number = 0;
    if (zero != GRAPH_NONE && !build_is_constant(l, zero))
        return with_planes(l, x, zero, begin, end);
    if (zero != GRAPH_NONE && !value_at(l->graph, zero, 0, &number)) {
        lower_no_memory(l);
        return LOWER_POISON;
    }
    return build_pad(l, x, (int64_t[GRAPH_RANK_MAX]){0, begin}, (int64_t[GRAPH_RANK_MAX]){0, end}, (float)number);
}

/* [N, C, D, H, W] as [N D', C kd, H, W]: beside each other, group by group, the planes that one plane of the result reads. */
static int planes_of(struct lower *l, int x, const struct attributes *at, int64_t depth, int zero)
{
    struct shape shape = build_shape(l, x);
    int64_t n = shape.dims[0], c = shape.dims[1], g = at->groups;
    int parts[DEPTH_MAX];
    x = with_border(l, build_swap(l, x, 1, 2), zero, at->pad_begin[0], at->pad_end[0]);
    for (int64_t k = 0; k < at->kernel[0]; k++) {
        int64_t begin = k * at->dilation[0], end = begin + (depth - 1) * at->stride[0] + 1;
        int part = build_slice(l, x, 1, begin, end, at->stride[0]);
        parts[k] = build_reshape(l, part, 5, (int64_t[]){n * depth, g, c / g, shape.dims[3], shape.dims[4]});
    }
    int joined = build_concat(l, parts, (unsigned)at->kernel[0], 2);
    return build_reshape(l, joined, 4, (int64_t[]){n * depth, c * at->kernel[0], shape.dims[3], shape.dims[4]});
}

/* [M, C / g, kd, kh, kw] as [M, kd C / g, kh, kw], in the order of the planes. */
static int flat_weights(struct lower *l, int w)
{
    struct shape shape = build_shape(l, w);
    w = build_swap(l, w, 1, 2);
    return build_reshape(l, w, 4, (int64_t[]){shape.dims[0], shape.dims[1] * shape.dims[2], shape.dims[3], shape.dims[4]});
}

static int convolve_volume(struct lower *l, enum core_op op, const int *inputs, unsigned count, unsigned w_at, const struct attributes *at,
                           enum element element, const struct shape *out)
{
    struct attributes flat = {.spatial = 2, .groups = at->groups};
    int planes[NODE_INPUTS_MAX];
    if (at->kernel[0] > DEPTH_MAX) {
        lower_refuse(l, "a kernel %lld deep; at most %d is supported", (long long)at->kernel[0], DEPTH_MAX);
        return LOWER_POISON;
    }
    for (unsigned i = 0; i < 2; i++) {
        flat.kernel[i] = at->kernel[i + 1];
        flat.stride[i] = at->stride[i + 1];
        flat.dilation[i] = at->dilation[i + 1];
        flat.pad_begin[i] = at->pad_begin[i + 1];
        flat.pad_end[i] = at->pad_end[i + 1];
    }
    memcpy(planes, inputs, count * sizeof *planes);
    planes[0] = planes_of(l, inputs[0], at, out->dims[2], op != CORE_CONV && count > 2 ? inputs[2] : GRAPH_NONE);
    planes[w_at] = flat_weights(l, inputs[w_at]);
    struct shape images = {4, {out->dims[0] * out->dims[2], out->dims[1], out->dims[3], out->dims[4]}};
    int y = lower_emit(l, op, planes, count, &flat, element, &images);
    y = build_reshape(l, y, 5, (int64_t[]){out->dims[0], out->dims[2], out->dims[1], out->dims[3], out->dims[4]});
    return build_swap(l, y, 1, 2);
}

int build_convolution(struct lower *l, enum core_op op, const int *inputs, unsigned count, unsigned w_at, const struct attributes *at,
                      enum element element, const struct shape *out)
{
    for (unsigned i = 0; i < count; i++)
        if (inputs[i] == LOWER_POISON)
            return LOWER_POISON;
    if (at->spatial < 3 || !shape_count(out))
        return lower_emit(l, op, inputs, count, at, element, out);
    return convolve_volume(l, op, inputs, count, w_at, at, element, out);
}
