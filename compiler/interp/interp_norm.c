/* interp_norm.c: batch normalisation, softmax, local response normalisation. f32. */
#include "interp_kernels.h"

#include <math.h>
#include <stdlib.h>

static enum weft_status floats_only(const struct call *call)
{
    for (unsigned i = 0; i < call->in_count; i++)
        if (call->in[i]->element != ELEMENT_F32)
            return interp_refuse(call, "is defined on floats only");
    return WEFT_OK;
}

/* A tensor seen as [outer][length][inner] around an axis. */
struct around {
    int64_t outer, length, inner;
};

static struct around split_at(const struct shape *shape, int64_t axis)
{
    struct around a = {1, shape->rank > axis ? shape->dims[axis] : 1, 1};
    for (int64_t d = 0; d < axis && d < shape->rank; d++)
        a.outer *= shape->dims[d];
    for (int64_t d = axis + 1; d < shape->rank; d++)
        a.inner *= shape->dims[d];
    return a;
}

enum weft_status interp_batchnorm(const struct call *call)
{
    if (floats_only(call))
        return WEFT_ERROR;
    struct around a = split_at(&call->in[0]->shape, 1);
    const float *x = call->in[0]->bytes, *scale = call->in[1]->bytes, *bias = call->in[2]->bytes, *mean = call->in[3]->bytes,
                *variance = call->in[4]->bytes;
    float *y = call->out[0]->bytes;
    for (int64_t o = 0; o < a.outer; o++)
        for (int64_t c = 0; c < a.length; c++) {
            float factor = scale[c] / sqrtf(variance[c] + call->node->at.epsilon);
            for (int64_t i = 0; i < a.inner; i++)
                *y++ = (*x++ - mean[c]) * factor + bias[c];
        }
    return WEFT_OK;
}

static void softmax_line(const float *x, float *y, int64_t length, int64_t step)
{
    float high = -INFINITY;
    double sum = 0;
    for (int64_t i = 0; i < length; i++)
        high = x[i * step] > high ? x[i * step] : high;
    for (int64_t i = 0; i < length; i++)
        sum += y[i * step] = expf(x[i * step] - high);
    for (int64_t i = 0; i < length; i++)
        y[i * step] = (float)(y[i * step] / sum);
}

enum weft_status interp_softmax(const struct call *call)
{
    if (floats_only(call))
        return WEFT_ERROR;
    struct around a = split_at(&call->in[0]->shape, call->node->at.axis);
    const float *x = call->in[0]->bytes;
    float *y = call->out[0]->bytes;
    for (int64_t o = 0; o < a.outer; o++)
        for (int64_t i = 0; i < a.inner; i++)
            softmax_line(x + o * a.length * a.inner + i, y + o * a.length * a.inner + i, a.length, a.inner);
    return WEFT_OK;
}

/* Squares are summed over channels c - floor((size - 1) / 2) to c + ceil((size - 1) / 2). */
static void lrn_channel(const struct node *node, const struct around *a, const float *x, float *y, int64_t c, double *sums)
{
    int64_t low = c - (node->at.size - 1) / 2, high = c + node->at.size / 2;
    if (low < 0)
        low = 0;
    if (high > a->length - 1)
        high = a->length - 1;
    for (int64_t i = 0; i < a->inner; i++)
        sums[i] = 0;
    for (int64_t k = low; k <= high; k++)
        for (int64_t i = 0; i < a->inner; i++)
            sums[i] += (double)x[k * a->inner + i] * x[k * a->inner + i];
    for (int64_t i = 0; i < a->inner; i++)
        y[c * a->inner + i] =
            (float)(x[c * a->inner + i] * pow(node->at.bias + node->at.alpha / (double)node->at.size * sums[i], -node->at.beta));
}

enum weft_status interp_lrn(const struct call *call)
{
    if (floats_only(call))
        return WEFT_ERROR;
    struct around a = split_at(&call->in[0]->shape, 1);
    double *sums = malloc((size_t)(a.inner ? a.inner : 1) * sizeof *sums);
    if (!sums)
        return WEFT_NO_MEMORY;
    for (int64_t o = 0; o < a.outer; o++) {
        int64_t first = o * a.length * a.inner;
        for (int64_t c = 0; c < a.length; c++)
            lrn_channel(call->node, &a, (const float *)call->in[0]->bytes + first, (float *)call->out[0]->bytes + first, c, sums);
    }
    free(sums);
    return WEFT_OK;
}
