/* lower_quant.c: QuantizeLinear and DequantizeLinear. */
#include "element.h"
#include "lower.h"

/* Scale and zero point: one number each, or one an index of `axis`. */
static bool check_scale(struct lower *l, int64_t *axis)
{
    if (!lower_parameters(l, 1, 2))
        return false;
    struct shape x = lower_shape(l, 0), scale = lower_shape(l, 1);
    char text[160];
    if (lower_value(l, 1)->element != ELEMENT_F32)
        return lower_refuse(l, "the scale is %s; it must be float32", element_name(lower_value(l, 1)->element));
    if (lower_given(l, 2)) {
        struct shape zero = lower_shape(l, 2);
        if (shape_count(&zero) != shape_count(&scale))
            return lower_refuse(l, "scale and zero point have %lld and %lld elements; they must have one count",
                                (long long)shape_count(&scale), (long long)shape_count(&zero));
    }
    if (shape_count(&scale) == 1)
        return *axis = 0, true;
    if (l->opset < 13)
        return lower_refuse(l, "scales of an axis need opset 13; this is opset %d", l->opset);
    if (!lower_axis(l, axis, x.rank))
        return false;
    return (scale.rank == 1 && scale.dims[0] == x.dims[*axis]) ||
           lower_refuse(l, "the scale is %s; one number, or the %lld of axis %lld are right", shape_text(&scale, text),
                        (long long)x.dims[*axis], (long long)*axis);
}

static int zero_point(struct lower *l, enum element element)
{
    if (lower_given(l, 2))
        return l->in[2];
    struct shape scale = lower_shape(l, 1);
    int id = lower_rule(l, CONTENTS_FILL, element, &scale);
    return id;
}

bool lower_quantize(struct lower *l, const struct onnx_op *op)
{
    struct attributes at = {.axis = lower_int(l, "axis", 1)};
    struct shape x = lower_shape(l, 0);
    enum element to = lower_given(l, 2) ? lower_value(l, 2)->element : ELEMENT_U8;
    if (l->failed || !lower_want_float(l, 0) || !check_scale(l, &at.axis))
        return false;
    if (to != ELEMENT_U8 && to != ELEMENT_S8)
        return lower_refuse(l, "the zero point is %s; uint8 or int8 is supported", element_name(to));
    int inputs[] = {l->in[0], l->in[1], zero_point(l, to)};
    return lower_done(l, lower_emit(l, CORE_QUANTIZE, inputs, 3, &at, to, &x));
}

bool lower_dequantize(struct lower *l, const struct onnx_op *op)
{
    struct attributes at = {.axis = lower_int(l, "axis", 1)};
    struct shape x = lower_shape(l, 0);
    enum element from = lower_value(l, 0)->element;
    if (l->failed || !check_scale(l, &at.axis))
        return false;
    if (from != ELEMENT_U8 && from != ELEMENT_S8 && from != ELEMENT_S32)
        return lower_refuse(l, "the input is %s; uint8, int8 or int32 is supported", element_name(from));
    if (lower_given(l, 2) && lower_value(l, 2)->element != from)
        return lower_refuse(l, "the zero point is %s and the input %s", element_name(lower_value(l, 2)->element), element_name(from));
    int inputs[] = {l->in[0], l->in[1], zero_point(l, from)};
    return lower_done(l, lower_emit(l, CORE_DEQUANTIZE, inputs, 3, &at, ELEMENT_F32, &x));
}
