/* interp_pool.c: windows over 1 to 3 spatial dimensions, reduced to their largest element or their mean. */
#include "interp_kernels.h"
#include "element.h"

#include <math.h>

/* Spatial dimensions filled up to three with ones at the front. */
struct window {
    int64_t in[3], out[3], kernel[3], stride[3], dilation[3], begin[3], end[3];
};

static void window_set(struct window *w, const struct call *call)
{
    const struct attributes *at = &call->node->at;
    *w = (struct window){{1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0}, {0}};
    for (unsigned d = 0; d < at->spatial; d++) {
        unsigned to = 3 - at->spatial + d;
        w->in[to] = call->in[0]->shape.dims[2 + d];
        w->out[to] = call->out[0]->shape.dims[2 + d];
        w->kernel[to] = at->kernel[d];
        w->stride[to] = at->stride[d] ? at->stride[d] : 1;
        w->dilation[to] = at->dilation[d] ? at->dilation[d] : 1;
        w->begin[to] = at->pad_begin[d];
        w->end[to] = at->pad_end[d];
    }
}

/* Kernel positions [low, high) of output `o` along dimension d whose input lies inside. */
static void inside(const struct window *w, unsigned d, int64_t o, int64_t *low, int64_t *high)
{
    int64_t first = o * w->stride[d] - w->begin[d], step = w->dilation[d];
    *low = first < 0 ? (-first + step - 1) / step : 0;
    *high = first >= w->in[d] ? 0 : (w->in[d] - first + step - 1) / step;
    if (*high > w->kernel[d])
        *high = w->kernel[d];
    if (*low > *high)
        *low = *high;
}

/* One output element: the box of the input under the window, and what an average divides by when padding counts. */
struct box {
    int64_t low[3], high[3], padded;
};

static struct box box_at(const struct window *w, const int64_t at[3])
{
    struct box box = {.padded = 1};
    for (unsigned d = 0; d < 3; d++) {
        inside(w, d, at[d], &box.low[d], &box.high[d]);
        int64_t first = at[d] * w->stride[d] - w->begin[d], room = w->in[d] + w->end[d] - first; /* ceil mode may reach past the padding */
        int64_t fits = (room + w->dilation[d] - 1) / w->dilation[d];
        box.padded *= fits < w->kernel[d] ? fits : w->kernel[d];
    }
    return box;
}

static int64_t offset_at(const struct window *w, const int64_t at[3], int64_t z, int64_t y, int64_t x)
{
    const int64_t k[3] = {z, y, x};
    int64_t offset = 0;
    for (unsigned d = 0; d < 3; d++)
        offset = offset * w->in[d] + at[d] * w->stride[d] - w->begin[d] + k[d] * w->dilation[d];
    return offset;
}

#define OVER_BOX(box)                                                                                                                      \
    for (int64_t z = (box).low[0]; z < (box).high[0]; z++)                                                                                 \
        for (int64_t y = (box).low[1]; y < (box).high[1]; y++)

static float max_f32(const struct window *w, const struct box *box, const int64_t at[3], const float *in)
{
    float high = -INFINITY;
    OVER_BOX(*box)
    {
        const float *row = in + offset_at(w, at, z, y, 0);
        for (int64_t x = box->low[2]; x < box->high[2]; x++) {
            float v = row[x * w->dilation[2]];
            high = v > high || v != v ? v : high;
        }
    }
    return high;
}

static double sum_f32(const struct window *w, const struct box *box, const int64_t at[3], const float *in)
{
    double sum = 0;
    OVER_BOX(*box)
    {
        const float *row = in + offset_at(w, at, z, y, 0);
        for (int64_t x = box->low[2]; x < box->high[2]; x++)
            sum += row[x * w->dilation[2]];
    }
    return sum;
}

static __int128 max_integer(const struct window *w, const struct box *box, const int64_t at[3], const struct tensor *in, int64_t plane)
{
    bool any = false;
    __int128 high = 0;
    OVER_BOX(*box)
    for (int64_t x = box->low[2]; x < box->high[2]; x++) {
        __int128 v = interp_load_integer(in->bytes, in->element, plane + offset_at(w, at, z, y, x));
        if (!any || v > high)
            high = v;
        any = true;
    }
    return high;
}

static float mean_f32(const struct window *w, const struct box *box, const int64_t at[3], const float *in, bool count_include_pad)
{
    int64_t divisor = box->padded;
    if (!count_include_pad)
        divisor = (box->high[0] - box->low[0]) * (box->high[1] - box->low[1]) * (box->high[2] - box->low[2]);
    return divisor ? (float)(sum_f32(w, box, at, in) / (double)divisor) : 0;
}

static void pool_element(const struct call *call, const struct window *w, const int64_t at[3], int64_t plane, int64_t out)
{
    const struct tensor *x = call->in[0];
    struct tensor *y = call->out[0];
    struct box box = box_at(w, at);
    if (x->element != ELEMENT_F32)
        interp_store_integer(y->bytes, y->element, out, max_integer(w, &box, at, x, plane));
    else if (call->node->op == CORE_MAXPOOL)
        ((float *)y->bytes)[out] = max_f32(w, &box, at, (const float *)x->bytes + plane);
    else
        ((float *)y->bytes)[out] = mean_f32(w, &box, at, (const float *)x->bytes + plane, call->node->at.count_include_pad);
}

static enum weft_status pool(const struct call *call)
{
    struct window w;
    window_set(&w, call);
    const struct shape *x = &call->in[0]->shape;
    int64_t planes = x->dims[0] * x->dims[1], plane = w.in[0] * w.in[1] * w.in[2], out = 0, at[3];
    for (int64_t p = 0; p < planes; p++)
        for (at[0] = 0; at[0] < w.out[0]; at[0]++)
            for (at[1] = 0; at[1] < w.out[1]; at[1]++)
                for (at[2] = 0; at[2] < w.out[2]; at[2]++)
                    pool_element(call, &w, at, p * plane, out++);
    return WEFT_OK;
}

enum weft_status interp_maxpool(const struct call *call)
{
    return pool(call);
}

enum weft_status interp_averagepool(const struct call *call)
{
    if (call->in[0]->element != ELEMENT_F32)
        return interp_refuse(call, "is defined on floats only");
    return pool(call);
}
