/* interp_quantize.c: between number formats: cast, quantize, dequantize. */
#include "interp_kernels.h"
#include "element.h"

/* Integers to integers keep the low bits; floats to integers truncate and saturate; anything to bool is whether it is not 0. */
enum weft_status interp_cast(const struct call *call)
{
    const struct tensor *x = call->in[0];
    struct tensor *y = call->out[0];
    bool integers = !element_is_float(x->element) && !element_is_float(y->element);
    for (int64_t i = 0, count = shape_count(&x->shape); i < count; i++)
        if (integers)
            interp_store_integer(y->bytes, y->element, i, interp_load_integer(x->bytes, x->element, i));
        else
            element_store(y->bytes, y->element, i, element_load(x->bytes, x->element, i));
    return WEFT_OK;
}

/* Per axis: element i of x takes entry (i / inner) mod length; per tensor: entry 0. */
struct channels {
    int64_t inner, length;
};

static bool find_channels(struct channels *c, const struct call *call)
{
    const struct shape *x = &call->in[0]->shape;
    *c = (struct channels){.inner = 1, .length = shape_count(&call->in[1]->shape)};
    if (c->length == 1)
        return true;
    int64_t axis = call->node->at.axis;
    if (axis < 0 || axis >= x->rank || x->dims[axis] != c->length)
        return false;
    for (unsigned d = (unsigned)axis + 1; d < x->rank; d++)
        c->inner *= x->dims[d];
    return true;
}

static int32_t zero_of(const struct tensor *zero, int64_t channel)
{
    return zero ? (int32_t)interp_load_integer(zero->bytes, zero->element, shape_count(&zero->shape) == 1 ? 0 : channel) : 0;
}

static const int32_t lows[] = {[ELEMENT_U8] = 0, [ELEMENT_S8] = INT8_MIN, [ELEMENT_U16] = 0, [ELEMENT_S16] = INT16_MIN, [ELEMENT_S32] = INT32_MIN};
static const int32_t highs[] = {[ELEMENT_U8] = UINT8_MAX, [ELEMENT_S8] = INT8_MAX, [ELEMENT_U16] = UINT16_MAX, [ELEMENT_S16] = INT16_MAX, [ELEMENT_S32] = INT32_MAX};

enum weft_status interp_quantize(const struct call *call)
{
    const struct tensor *x = call->in[0], *scale = call->in[1], *zero = call->in[2];
    struct tensor *y = call->out[0];
    struct channels c;
    if (!find_channels(&c, call))
        return interp_refuse(call, "has scales that fit neither the tensor nor its axis");
    if (y->element < ELEMENT_U8 || y->element > ELEMENT_S32)
        return interp_refuse(call, "gives no integers of 8, 16 or 32 bits");
    for (int64_t i = 0, count = shape_count(&x->shape); i < count; i++) {
        int64_t channel = i / c.inner % c.length;
        float real = x->element == ELEMENT_F32 ? ((const float *)x->bytes)[i] : (float)element_load(x->bytes, x->element, i);
        int32_t q =
            weft_requantise(real / ((const float *)scale->bytes)[channel], zero_of(zero, channel), lows[y->element], highs[y->element]);
        interp_store_integer(y->bytes, y->element, i, q);
    }
    return WEFT_OK;
}

enum weft_status interp_dequantize(const struct call *call)
{
    const struct tensor *x = call->in[0], *scale = call->in[1], *zero = call->in[2];
    float *y = call->out[0]->bytes;
    struct channels c;
    if (!find_channels(&c, call))
        return interp_refuse(call, "has scales that fit neither the tensor nor its axis");
    for (int64_t i = 0, count = shape_count(&x->shape); i < count; i++) {
        int64_t channel = i / c.inner % c.length;
        y[i] = (float)(interp_load_integer(x->bytes, x->element, i) - zero_of(zero, channel)) * ((const float *)scale->bytes)[channel];
    }
    return WEFT_OK;
}
