/* interp_conv.c: convolution as products of matrices: windows of the input laid out as columns (a piece of the output's
 * rows at a time, so scratch stays small), or directly where each filter sees one channel.
 *
 * Integer convolutions take the same way: operands less their zero points are small integers that fp32 holds, and sums are
 * cut so that they stay exact (interp_igemm).
 */
#include "interp_kernels.h"

#include <stdlib.h>
#include <string.h>

enum { COLUMN_FLOATS = 1 << 20, DIRECT_TAPS = 256 /* as EXACT_K: sums of this many products are exact */ };

/* Spatial dimensions filled up to three with ones at the front; channels and filters are those of one group. */
struct conv {
    int64_t in[3], out[3], kernel[3], stride[3], dilation[3], begin[3];
    int64_t batch, groups, channels, filters;
    int64_t in_plane, out_plane, taps; /* elements of one channel; kernel positions */
    bool integers;                     /* y is int32_t */
    const float *x, *w;
    void *y;
};

static void conv_set(struct conv *c, const struct call *call, const struct tensor *x, const struct tensor *w)
{
    const struct attributes *at = &call->node->at;
    *c = (struct conv){{1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0}};
    for (unsigned d = 0; d < at->spatial; d++) {
        unsigned to = 3 - at->spatial + d;
        c->in[to] = x->shape.dims[2 + d];
        c->out[to] = call->out[0]->shape.dims[2 + d];
        c->kernel[to] = w->shape.dims[2 + d];
        c->stride[to] = at->stride[d] ? at->stride[d] : 1;
        c->dilation[to] = at->dilation[d] ? at->dilation[d] : 1;
        c->begin[to] = at->pad_begin[d];
    }
    c->batch = x->shape.dims[0];
    c->groups = at->groups ? at->groups : 1;
    c->channels = w->shape.dims[1];
    c->filters = w->shape.dims[0] / c->groups;
    c->in_plane = c->in[0] * c->in[1] * c->in[2];
    c->out_plane = c->out[0] * c->out[1] * c->out[2];
    c->taps = c->kernel[0] * c->kernel[1] * c->kernel[2];
}

/* Where kernel position `tap` finds its input for output row `row` (of out[0] x out[1]); NULL: in the padding. The pointer
 * is to where output element 0 would read, which may lie before the row: `low` and `high` bound what may be read. */
static const float *tap_row(const struct conv *c, const float *plane, int64_t tap, int64_t row, int64_t *low, int64_t *high)
{
    int64_t kx = tap % c->kernel[2], ky = tap / c->kernel[2] % c->kernel[1], kz = tap / c->kernel[2] / c->kernel[1];
    int64_t z = row / c->out[1] * c->stride[0] - c->begin[0] + kz * c->dilation[0];
    int64_t y = row % c->out[1] * c->stride[1] - c->begin[1] + ky * c->dilation[1];
    if (z < 0 || z >= c->in[0] || y < 0 || y >= c->in[1])
        return NULL;
    int64_t first = kx * c->dilation[2] - c->begin[2], step = c->stride[2];
    *low = first < 0 ? (-first + step - 1) / step : 0;
    *high = first >= c->in[2] ? 0 : (c->in[2] - first + step - 1) / step;
    if (*high > c->out[2])
        *high = c->out[2];
    if (*low > *high)
        *low = *high;
    return plane + (z * c->in[1] + y) * c->in[2] + (*low < *high ? first + *low * step : 0);
}

static void fill_row(const struct conv *c, const float *plane, int64_t tap, int64_t row, float *to)
{
    int64_t low = 0, high = 0, step = c->stride[2], width = c->out[2];
    const float *from = tap_row(c, plane, tap, row, &low, &high);
    if (!from)
        low = high = 0;
    memset(to, 0, (size_t)low * sizeof *to);
    if (step == 1 && high > low)
        memcpy(to + low, from, (size_t)(high - low) * sizeof *to);
    else
        for (int64_t i = low; i < high; i++)
            to[i] = from[(i - low) * step];
    memset(to + high, 0, (size_t)(width - high) * sizeof *to);
}

static void fill_columns(const struct conv *c, const float *x, int64_t first_row, int64_t rows, float *columns)
{
    for (int64_t k = 0; k < c->channels * c->taps; k++)
        for (int64_t r = 0; r < rows; r++, columns += c->out[2])
            fill_row(c, x + k / c->taps * c->in_plane, k % c->taps, first_row + r, columns);
}

static bool product(const struct conv *c, const float *w, const float *columns, int64_t width, int64_t ld, void *y)
{
    struct gemm g = {.m = c->filters, .n = width, .k = c->channels * c->taps, .lda = c->channels * c->taps, .ldb = ld, .ldc = c->out_plane};
    if (c->integers)
        return interp_igemm(&g, w, columns, y);
    interp_sgemm(&g, w, columns, y);
    return true;
}

/* A 1 x 1 convolution of stride 1 reads its input as it lies. */
static bool is_plain(const struct conv *c)
{
    if (c->taps != 1)
        return false;
    for (unsigned d = 0; d < 3; d++)
        if (c->stride[d] != 1 || c->begin[d] || c->in[d] != c->out[d])
            return false;
    return true;
}

static bool conv_columns(const struct conv *c, const float *x, const float *w, char *y)
{
    int64_t rows = c->out[0] * c->out[1], depth = c->channels * c->taps,
            per = c->out[2] && depth ? COLUMN_FLOATS / (depth * c->out[2]) : rows;
    if (per > rows)
        per = rows;
    if (per < 1)
        per = 1;
    int64_t room = depth * per * c->out[2];
    float *columns = malloc((size_t)(room ? room : 1) * sizeof *columns);
    bool done = columns != NULL;
    for (int64_t r = 0; done && r < rows; r += per) {
        int64_t here = rows - r < per ? rows - r : per;
        fill_columns(c, x, r, here, columns);
        done = product(c, w, columns, here * c->out[2], here * c->out[2], y + r * c->out[2] * 4);
    }
    free(columns);
    return done;
}

static void add_tap(float *sums, const float *from, int64_t count, int64_t step, float weight)
{
    if (step == 1)
        for (int64_t i = 0; i < count; i++)
            sums[i] += weight * from[i];
    else
        for (int64_t i = 0; i < count; i++)
            sums[i] += weight * from[i * step];
}

static void store_row(const struct conv *c, const float *sums, char *y)
{
    if (!c->integers)
        memcpy(y, sums, (size_t)c->out[2] * sizeof *sums);
    else
        for (int64_t i = 0; i < c->out[2]; i++)
            ((int32_t *)y)[i] = (int32_t)sums[i];
}

/* One channel through one filter. */
static bool conv_direct(const struct conv *c, const float *x, const float *w, char *y)
{
    float *sums = malloc((size_t)(c->out[2] ? c->out[2] : 1) * sizeof *sums);
    if (!sums)
        return false;
    for (int64_t row = 0; row < c->out[0] * c->out[1]; row++) {
        memset(sums, 0, (size_t)c->out[2] * sizeof *sums);
        for (int64_t tap = 0; tap < c->taps; tap++) {
            int64_t low = 0, high = 0;
            const float *from = tap_row(c, x, tap, row, &low, &high);
            if (from)
                add_tap(sums + low, from, high - low, c->stride[2], w[tap]);
        }
        store_row(c, sums, y + row * c->out[2] * 4);
    }
    free(sums);
    return true;
}

static bool conv_group(const struct conv *c, const float *x, const float *w, char *y)
{
    bool done = true;
    if (is_plain(c) && c->channels > 1)
        return product(c, w, x, c->out_plane, c->in_plane, y);
    if (c->channels > 1 || c->taps > DIRECT_TAPS)
        return conv_columns(c, x, w, y);
    for (int64_t f = 0; done && f < c->filters; f++)
        done = conv_direct(c, x, w + f * c->taps, y + f * c->out_plane * 4);
    return done;
}

static bool conv_run(const struct conv *c)
{
    bool done = true;
    for (int64_t n = 0; n < c->batch; n++)
        for (int64_t g = 0; done && g < c->groups; g++)
            done = conv_group(c, c->x + (n * c->groups + g) * c->channels * c->in_plane, c->w + g * c->filters * c->channels * c->taps,
                              (char *)c->y + (n * c->groups + g) * c->filters * c->out_plane * 4);
    return done;
}

/* Added afterwards, to the rows of its filter. */
static void add_bias(const struct conv *c, const float *bias)
{
    float *y = c->y;
    for (int64_t f = 0; f < c->batch * c->groups * c->filters; f++)
        for (int64_t i = 0; i < c->out_plane; i++)
            *y++ += bias[f % (c->groups * c->filters)];
}

enum weft_status interp_conv(const struct call *call)
{
    struct conv c;
    if (call->in[0]->element != ELEMENT_F32 || call->in[1]->element != ELEMENT_F32)
        return interp_refuse(call, "is defined on floats only");
    conv_set(&c, call, call->in[0], call->in[1]);
    c.x = call->in[0]->bytes;
    c.w = call->in[1]->bytes;
    c.y = call->out[0]->bytes;
    if (!conv_run(&c))
        return WEFT_NO_MEMORY;
    if (call->in_count > 2 && call->in[2])
        add_bias(&c, call->in[2]->bytes);
    return WEFT_OK;
}

/* Integer sums of x and w less their zero points into y, which has room for the node's output as int32_t. */
static enum weft_status conv_integers(struct conv *c, const struct call *call, const struct tensor *x, const struct tensor *zx,
                                      const struct tensor *w, const struct tensor *zw, int32_t *y)
{
    conv_set(c, call, x, w);
    c->integers = true;
    float *reals_x = interp_centre(x, zx, shape_count(&x->shape)), *reals_w = interp_centre(w, zw, c->channels * c->taps);
    c->x = reals_x;
    c->w = reals_w;
    c->y = y;
    enum weft_status status = reals_x && reals_w && conv_run(c) ? WEFT_OK : WEFT_NO_MEMORY;
    free(reals_x);
    free(reals_w);
    return status;
}

static const struct tensor *input(const struct call *call, unsigned index)
{
    return index < call->in_count ? call->in[index] : NULL;
}

enum weft_status interp_conv_integer(const struct call *call)
{
    struct conv c;
    enum weft_status status = interp_check_bytes(call, call->in[0], call->in[1]);
    return status ? status : conv_integers(&c, call, call->in[0], input(call, 2), call->in[1], input(call, 3), call->out[0]->bytes);
}

static void requantise_filters(const struct conv *c, const struct call *call, const int32_t *sums)
{
    const struct tensor *bias = input(call, 8);
    int64_t filters = c->groups * c->filters;
    struct requantise q;
    interp_requantise_set(&q, call);
    for (int64_t f = 0; f < c->batch * filters; f++) {
        uint32_t offset = bias ? (uint32_t)((const int32_t *)bias->bytes)[f % filters] : 0;
        float scale = interp_requantise_scale(&q, 0, f % filters);
        for (int64_t i = f * c->out_plane; i < (f + 1) * c->out_plane; i++)
            interp_requantise_store(&q, i, (int32_t)((uint32_t)sums[i] + offset), scale);
    }
}

enum weft_status interp_qconv(const struct call *call)
{
    struct conv c;
    enum weft_status status = interp_check_bytes(call, call->in[0], call->in[3]);
    if (status)
        return status;
    int64_t count = shape_count(&call->out[0]->shape);
    int32_t *sums = malloc((size_t)(count ? count : 1) * sizeof *sums);
    if (!sums)
        return WEFT_NO_MEMORY;
    status = conv_integers(&c, call, call->in[0], call->in[2], call->in[3], call->in[5], sums);
    if (!status)
        requantise_filters(&c, call, sums);
    free(sums);
    return status;
}
