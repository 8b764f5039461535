/* lower_quant.c: QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear. */
#include "element.h"
#include "lower_build.h"

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

/* What opsets 19 to 23 added. `saturate` is for types of 8-bit floats, which are refused by name. */
static bool check_additions(struct lower *l, const struct onnx_op *op)
{
    int64_t block = lower_int(l, "block_size", 0), type = lower_int(l, "output_dtype", 0), precision = lower_int(l, "precision", 0);
    if (l->failed)
        return false;
    if (block)
        return lower_refuse(l, "block_size %lld; one scale, or one an index of an axis (block_size 0) is supported", (long long)block);
    bool quantises = op->core == CORE_QUANTIZE, bytes = type == ONNX__TENSOR_PROTO__DATA_TYPE__UINT8 || type == ONNX__TENSOR_PROTO__DATA_TYPE__INT8;
    if (type && (quantises ? !bytes : type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT))
        return lower_refuse(l, "output_dtype %s; %s supported", onnx_type_name((int32_t)type), quantises ? "uint8 and int8 are" : "float is");
    return !precision || precision == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT || lower_refuse(l, "precision %s; float is supported", onnx_type_name((int32_t)precision));
}

bool lower_quantize(struct lower *l, const struct onnx_op *op)
{
    struct attributes at = {.axis = lower_int(l, "axis", 1)};
    struct shape x = lower_shape(l, 0);
    enum element to = lower_given(l, 2)                                                                      ? lower_value(l, 2)->element
                      : lower_int(l, "output_dtype", 0) == ONNX__TENSOR_PROTO__DATA_TYPE__INT8 ? ELEMENT_S8
                                                                                               : ELEMENT_U8;
    if (l->failed || !check_additions(l, op) || !lower_want_float(l, 0) || !check_scale(l, &at.axis))
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
    if (l->failed || !check_additions(l, op) || !check_scale(l, &at.axis))
        return false;
    if (from != ELEMENT_U8 && from != ELEMENT_S8 && from != ELEMENT_S32)
        return lower_refuse(l, "the input is %s; uint8, int8 or int32 is supported", element_name(from));
    if (lower_given(l, 2) && lower_value(l, 2)->element != from)
        return lower_refuse(l, "the zero point is %s and the input %s", element_name(lower_value(l, 2)->element), element_name(from));
    int inputs[] = {l->in[0], l->in[1], zero_point(l, from)};
    return lower_done(l, lower_emit(l, CORE_DEQUANTIZE, inputs, 3, &at, ELEMENT_F32, &x));
}

static int quantise(struct lower *l, int x, int scale, int zero)
{
    struct shape shape = build_shape(l, x);
    return lower_emit(l, CORE_QUANTIZE, (int[]){x, scale, zero}, 3, NULL, ELEMENT_U8, &shape);
}

/* The range with 0 in it, spread over 0 to 255; where it is 0 alone, any scale is right: 1. */
bool lower_dynamic_quantize(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0);
    bool all[GRAPH_RANK_MAX] = {true, true, true, true, true, true, true, true};
    if (lower_value(l, 0)->element != ELEMENT_F32)
        return lower_refuse(l, "the input is %s; float32 is right", element_name(lower_value(l, 0)->element));
    if (!shape_count(&x))
        return lower_refuse(l, "the input has no elements");
    int low = build_with(l, CORE_MIN, build_reduce_min(l, l->in[0], all, false), 0);
    int high = build_with(l, CORE_MAX, build_reduce(l, CORE_REDUCE_MAX, l->in[0], all, false), 0);
    int scale = build_with(l, CORE_DIV, build_binary(l, CORE_SUB, high, low), 255);
    scale = build_where(l, build_not(l, scale), lower_scalar(l, ELEMENT_F32, 1), scale);
    int zero = quantise(l, build_unary(l, CORE_NEG, low), scale, lower_scalar(l, ELEMENT_U8, 0));
    int y = quantise(l, l->in[0], scale, zero);
    l->out[1] = scale;
    l->out[2] = zero;
    bool fine = lower_done(l, y);
    l->out_count = 3;
    return fine;
}
