/* window.c: the window of a convolution or pool, with its padding resolved to numbers. */
#include "lower.h"

#include <string.h>

enum { WINDOW_LIMIT = 1 << 20 }; /* on kernel, stride, dilation and padding */

static bool read_list(struct lower *l, const char *name, int64_t *out, unsigned spatial, int64_t low)
{
    int64_t list[3];
    unsigned count;
    if (!lower_ints(l, name, list, &count, 3))
        return !l->failed;
    if (count != spatial)
        return lower_refuse(l, "attribute %s has %u numbers; %u are right", name, count, spatial);
    for (unsigned i = 0; i < spatial; i++) {
        if (list[i] < low || list[i] > WINDOW_LIMIT)
            return lower_refuse(l, "attribute %s has %lld; it must be at least %lld and at most %d", name, (long long)list[i],
                                (long long)low, WINDOW_LIMIT);
        out[i] = list[i];
    }
    return true;
}

static bool read_pads(struct lower *l, struct attributes *at)
{
    int64_t list[6];
    unsigned count;
    if (!lower_ints(l, "pads", list, &count, 6))
        return !l->failed;
    if (count != 2 * at->spatial)
        return lower_refuse(l, "attribute pads has %u numbers; %u are right", count, 2 * at->spatial);
    for (unsigned i = 0; i < count; i++) {
        if (list[i] < 0 || list[i] > WINDOW_LIMIT)
            return lower_refuse(l, "attribute pads has %lld; it must be from 0 to %d", (long long)list[i], WINDOW_LIMIT);
        *(i < at->spatial ? &at->pad_begin[i] : &at->pad_end[i - at->spatial]) = list[i];
    }
    return true;
}

/* SAME: as many outputs as strides begin in the input; the odd zero goes to the end (UPPER) or the beginning (LOWER). */
static void pad_same(struct attributes *at, struct window *w, bool upper)
{
    for (unsigned i = 0; i < at->spatial; i++) {
        int64_t reach = (at->kernel[i] - 1) * at->dilation[i] + 1, out = (w->in[i] + at->stride[i] - 1) / at->stride[i];
        int64_t total = (out - 1) * at->stride[i] + reach - w->in[i];
        if (total < 0)
            total = 0;
        at->pad_begin[i] = upper ? total / 2 : total - total / 2;
        at->pad_end[i] = total - at->pad_begin[i];
    }
}

static bool read_padding(struct lower *l, struct attributes *at, struct window *w)
{
    char mode[32];
    lower_string(l, "auto_pad", "NOTSET", mode);
    if (l->failed)
        return false;
    if (!strcmp(mode, "NOTSET"))
        return read_pads(l, at);
    if (!strcmp(mode, "VALID"))
        return true;
    if (!strcmp(mode, "SAME_UPPER"))
        return pad_same(at, w, true), true;
    if (!strcmp(mode, "SAME_LOWER"))
        return pad_same(at, w, false), true;
    return lower_refuse(l, "auto_pad %s; NOTSET, VALID, SAME_UPPER and SAME_LOWER are right", mode);
}

static bool count_outputs(struct lower *l, const struct attributes *at, struct window *w, bool ceiling)
{
    for (unsigned i = 0; i < at->spatial; i++) {
        int64_t reach = (at->kernel[i] - 1) * at->dilation[i] + 1, room = w->in[i] + at->pad_begin[i] + at->pad_end[i];
        if (reach > room)
            return lower_refuse(l, "the window spans %lld and the padded input only %lld in spatial dimension %u", (long long)reach,
                                (long long)room, i);
        w->out[i] = (room - reach + (ceiling ? at->stride[i] - 1 : 0)) / at->stride[i] + 1;
        if (ceiling && w->out[i] > 1 && (w->out[i] - 1) * at->stride[i] >= w->in[i] + at->pad_begin[i])
            w->out[i]--; /* what would begin behind the input is no window */
        int64_t wanted = (w->out[i] - 1) * at->stride[i] + reach;
        w->extra[i] = wanted > room ? wanted - room : 0;
    }
    return true;
}

bool lower_window(struct lower *l, const struct shape *x, const struct shape *kernel, struct attributes *at, struct window *w)
{
    if (x->rank < 3 || x->rank > 5)
        return lower_refuse(l, "the input has %u dimensions; 3 to 5 (1 to 3 spatial ones) are supported", x->rank);
    *w = (struct window){0};
    at->spatial = x->rank - 2;
    for (unsigned i = 0; i < at->spatial; i++) {
        w->in[i] = x->dims[2 + i];
        at->kernel[i] = kernel->dims[i];
        at->stride[i] = at->dilation[i] = 1;
        if (w->in[i] < 1 || kernel->dims[i] < 1 || kernel->dims[i] > WINDOW_LIMIT)
            return lower_refuse(l, "spatial dimension %u: input %lld, kernel %lld; both must be at least 1, and a kernel at most %d", i,
                                (long long)w->in[i], (long long)kernel->dims[i], WINDOW_LIMIT);
    }
    return read_list(l, "strides", at->stride, at->spatial, 1) && read_list(l, "dilations", at->dilation, at->spatial, 1) &&
           read_padding(l, at, w) && count_outputs(l, at, w, lower_int(l, "ceil_mode", 0) != 0);
}

struct shape window_result(int64_t batch, int64_t channels, const struct attributes *at, const struct window *w)
{
    struct shape out = {.rank = at->spatial + 2, .dims = {batch, channels}};
    for (unsigned i = 0; i < at->spatial; i++)
        out.dims[2 + i] = w->out[i];
    return out;
}
