/* lower_pad.c: CenterCropPad, and Pad: with a value as it is, in the other modes as a gather at places that repeat, one axis after the other. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "element.h"
#include "lower_build.h"

enum { PLACES_MAX = 1 << 20 };

static bool pad_axes(struct lower *l, unsigned rank, int64_t *axes, unsigned *count)
{
    bool seen[GRAPH_RANK_MAX] = {0};
    *count = rank;
    for (unsigned i = 0; i < rank; i++)
        axes[i] = i;
    if (!lower_given(l, 3))
        return true;
    if (l->opset < 18)
        return lower_refuse(l, "axes need opset 18; this is opset %d", l->opset);
    return lower_constant_ints(l, 3, "axes", axes, count, GRAPH_RANK_MAX) && lower_mark_axes(l, axes, *count, rank, seen);
}

/* The core operator has its value in fp32, and what is read here is a double, so integers beyond 2^53 are not known to be what they seem. */
static bool want_exact(struct lower *l, double number)
{
    return element_is_float(build_element(l, l->in[0])) || (fabs(number) < 0x1p53 && (double)(float)number == number) ||
           lower_refuse(l, "the padding value %.0f is an integer that fp32 does not hold; those up to 2^24 are right", number);
}

static bool pad_amounts(struct lower *l, int64_t *pads, unsigned *count, float *value)
{
    double number = 0;
    if (l->opset < 11) {
        if (l->in_count > 1)
            return lower_refuse(l, "amounts as an input need opset 11; this is opset %d", l->opset);
        *value = lower_float(l, "value", 0);
        return lower_ints(l, "pads", pads, count, 2 * GRAPH_RANK_MAX) || (!l->failed && lower_refuse(l, "pads are missing"));
    }
    if (lower_has(l, "pads") || lower_has(l, "value"))
        return lower_refuse(l, "amounts as attributes end with opset 10; this is opset %d", l->opset);
    if (!lower_given(l, 1))
        return lower_refuse(l, "pads are missing");
    if (lower_given(l, 2) && (!lower_constant_number(l, 2, "the padding value", &number) || !want_exact(l, number)))
        return false;
    *value = (float)number;
    return lower_constant_ints(l, 1, "pads", pads, count, 2 * GRAPH_RANK_MAX);
}

/* Where in a dimension of n the element at place i, from the border outwards, comes from. */
static int64_t reflected(int64_t i, int64_t n)
{
    int64_t period = n > 1 ? 2 * (n - 1) : 1, at = (i % period + period) % period;
    return at < n ? at : period - at;
}

static int64_t wrapped(int64_t i, int64_t n)
{
    return (i % n + n) % n;
}

static int64_t at_edge(int64_t i, int64_t n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

static const struct {
    const char *name;
    int64_t (*place)(int64_t i, int64_t n);
    int opset;
} modes[] = {{"constant", NULL, 1}, {"reflect", reflected, 1}, {"edge", at_edge, 1}, {"wrap", wrapped, 19}};

static int pad_axis(struct lower *l, int x, unsigned axis, int64_t begin, int64_t end, int64_t (*place)(int64_t, int64_t))
{
    int64_t n = build_shape(l, x).dims[axis], count = n + begin + end;
    if (!begin && !end)
        return x;
    if (n < 1 || count > PLACES_MAX) {
        lower_refuse(l, "axis %u goes from %lld to %lld elements; 1 to %d are supported in this mode", axis, (long long)n, (long long)count, PLACES_MAX);
        return LOWER_POISON;
    }
    int64_t *places = malloc((size_t)(count + 1) * sizeof *places);
    if (!places) {
        lower_no_memory(l);
        return LOWER_POISON;
    }
    for (int64_t i = 0; i < count; i++)
        places[i] = place(i - begin, n);
    x = build_places(l, x, axis, places, count);
    free(places);
    return x;
}

static int pad_by_places(struct lower *l, const struct attributes *at, int64_t (*place)(int64_t, int64_t))
{
    int value = l->in[0];
    for (unsigned i = 0; i < lower_shape(l, 0).rank && value >= 0; i++)
        value = pad_axis(l, value, i, at->begins[i], at->ends[i], place);
    return value;
}

static bool pad_mode(struct lower *l, unsigned *mode)
{
    char word[32];
    lower_string(l, "mode", "constant", word);
    for (*mode = 0; *mode < sizeof modes / sizeof modes[0] && !l->failed; ++*mode)
        if (!strcmp(word, modes[*mode].name) && l->opset >= modes[*mode].opset)
            return true;
    return l->failed ? false : lower_refuse(l, "mode %s; constant, reflect and edge are right, and wrap from opset 19 on", word);
}

static bool pad_all(struct lower *l, struct attributes *at, const int64_t *pads, const int64_t *axes, unsigned count, struct shape *out)
{
    for (unsigned i = 0; i < count; i++) {
        int64_t begin = pads[i], end = pads[count + i], *dim = &out->dims[axes[i]];
        if (begin < -*dim || end < -*dim || begin > 1 << 30 || end > 1 << 30 || *dim + begin + end < 0)
            return lower_refuse(l, "pads %lld and %lld of dimension %lld, which has %lld, are out of range", (long long)begin,
                                (long long)end, (long long)axes[i], (long long)*dim);
        at->begins[axes[i]] = begin;
        at->ends[axes[i]] = end;
        *dim += begin + end;
    }
    return true;
}

bool lower_pad(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0), out = x;
    struct attributes at = {0};
    int64_t pads[2 * GRAPH_RANK_MAX], axes[GRAPH_RANK_MAX];
    unsigned pad_count = 0, count, mode;
    if (!pad_mode(l, &mode) || !pad_amounts(l, pads, &pad_count, &at.alpha) || !pad_axes(l, x.rank, axes, &count))
        return false;
    if (pad_count != 2 * count)
        return lower_refuse(l, "pads has %u numbers; %u are right", pad_count, 2 * count);
    if (!pad_all(l, &at, pads, axes, count, &out))
        return false;
    if (modes[mode].place)
        return lower_done(l, pad_by_places(l, &at, modes[mode].place));
    return lower_done(l, lower_emit(l, CORE_PAD, l->in, 1, &at, build_element(l, l->in[0]), &out));
}

/* --- CenterCropPad ------------------------------------------------------------------------------------------------------------- */

/* Of an odd number of elements, one more is cut off or added at the end. */
static void centre(int64_t has, int64_t wanted, int64_t *begin, int64_t *end)
{
    *begin = wanted < has ? -((has - wanted) / 2) : (wanted - has) / 2;
    *end = wanted - has - *begin;
}

bool lower_center_crop_pad(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0);
    int64_t wanted[GRAPH_RANK_MAX], axes[GRAPH_RANK_MAX], begins[GRAPH_RANK_MAX] = {0}, ends[GRAPH_RANK_MAX] = {0};
    bool seen[GRAPH_RANK_MAX] = {0};
    unsigned count = x.rank, given;
    for (unsigned i = 0; i < x.rank; i++)
        axes[i] = i;
    lower_ints(l, "axes", axes, &count, GRAPH_RANK_MAX);
    if (l->failed || !lower_mark_axes(l, axes, count, x.rank, seen) ||
        !lower_constant_ints(l, 1, "the target shape", wanted, &given, GRAPH_RANK_MAX))
        return false;
    if (given != count)
        return lower_refuse(l, "the target shape has %u numbers; %u are right, one an axis", given, count);
    for (unsigned i = 0; i < count; i++) {
        if (wanted[i] < 0 || wanted[i] > 1 << 30)
            return lower_refuse(l, "the target dimension %lld is out of range", (long long)wanted[i]);
        centre(x.dims[axes[i]], wanted[i], &begins[axes[i]], &ends[axes[i]]);
    }
    return lower_done(l, build_pad(l, l->in[0], begins, ends, 0));
}
