/* interp_requantise.c: 8-bit integers to centred fp32 and 32-bit sums back to 8 bits, as ONNX's QLinear operators define. */
#include "interp_kernels.h"

#include <stdlib.h>

static bool is_byte(const struct tensor *t)
{
    return t->element == ELEMENT_U8 || t->element == ELEMENT_S8;
}

enum weft_status interp_check_bytes(const struct call *call, const struct tensor *a, const struct tensor *b)
{
    return is_byte(a) && (is_byte(b) || b->element == ELEMENT_S16) ? WEFT_OK : interp_refuse(call, "multiplies 8-bit integers only");
}

float *interp_centre(const struct tensor *t, const struct tensor *zero, int64_t per)
{
    int64_t count = shape_count(&t->shape), zeros = zero ? shape_count(&zero->shape) : 1;
    float *out = malloc((size_t)(count ? count : 1) * sizeof *out);
    if (!out)
        return NULL;
    for (int64_t first = 0; first < count; first += per) {
        int offset = zero ? (int)interp_load_integer(zero->bytes, zero->element, zeros == 1 ? 0 : first / per % zeros) : 0;
        int64_t end = first + per < count ? first + per : count;
        if (t->element == ELEMENT_U8)
            for (int64_t i = first; i < end; i++)
                out[i] = (float)(((const uint8_t *)t->bytes)[i] - offset);
        else if (t->element == ELEMENT_S16)
            for (int64_t i = first; i < end; i++)
                out[i] = (float)(((const int16_t *)t->bytes)[i] - offset);
        else
            for (int64_t i = first; i < end; i++)
                out[i] = (float)(((const int8_t *)t->bytes)[i] - offset);
    }
    return out;
}

void interp_requantise_set(struct requantise *q, const struct call *call)
{
    struct tensor *y = call->out[0];
    *q = (struct requantise){
        .x_scale = call->in[1]->bytes,
        .w_scale = call->in[4]->bytes,
        .many_x = shape_count(&call->in[1]->shape) > 1,
        .many_w = shape_count(&call->in[4]->shape) > 1,
        .y_scale = *(const float *)call->in[6]->bytes,
        .zero = call->in[7] ? (int32_t)interp_load_integer(call->in[7]->bytes, call->in[7]->element, 0) : 0,
        .low = y->element == ELEMENT_S8 ? INT8_MIN : 0,
        .high = y->element == ELEMENT_S8 ? INT8_MAX : UINT8_MAX,
        .y = y,
    };
}

float interp_requantise_scale(const struct requantise *q, int64_t row, int64_t column)
{
    return q->x_scale[q->many_x ? row : 0] * q->w_scale[q->many_w ? column : 0] / q->y_scale;
}

void interp_requantise_store(const struct requantise *q, int64_t index, int32_t sum, float scale)
{
    ((uint8_t *)q->y->bytes)[index] = (uint8_t)weft_requantise((float)sum * scale, q->zero, q->low, q->high);
}
