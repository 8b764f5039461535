/* lower_quant.c: QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear.
 *
 * The core operators know one scale, or one an index of an axis: the quantised layers are found by them. What comes in blocks is quantised
 * with every block as a row, and dequantised by arithmetic, as 16 bits are. All of it is computed in fp32, whatever floats x and the scale are.
 */
#include "element.h"
#include "lower_build.h"

/* The scale or zero point of every element of x: itself, or for blocks one for `block` elements in a row of `axis`. */
struct scheme {
    struct shape x;
    int scale, zero;     /* zero: GRAPH_NONE where it is left out */
    int64_t axis, block; /* block 0: one number, or one an index of the axis */
};

static bool check_zero(struct lower *l)
{
    struct shape scale = lower_shape(l, 1), zero = lower_given(l, 2) ? lower_shape(l, 2) : scale;
    char text[2][160];
    return shape_equal(&zero, &scale) || (shape_count(&zero) == 1 && shape_count(&scale) == 1) ||
           lower_refuse(l, "the scale is %s and the zero point %s; they must have one shape", shape_text(&scale, text[0]), shape_text(&zero, text[1]));
}

/* A block that is longer than the axis has all of it, and no more: ONNX sets no bound, and what it pads must not grow with it. */
static bool check_blocks(struct lower *l, struct scheme *s)
{
    struct shape scale = lower_shape(l, 1), right = s->x;
    char text[160], wanted[160];
    if (s->block < 1)
        return lower_refuse(l, "block_size %lld; it must be at least 1, or 0 for none", (long long)s->block);
    if (s->block > s->x.dims[s->axis])
        s->block = s->x.dims[s->axis] ? s->x.dims[s->axis] : 1;
    right.dims[s->axis] = (s->x.dims[s->axis] + s->block - 1) / s->block;
    return shape_equal(&scale, &right) || lower_refuse(l, "the scale is %s; for blocks of %lld along axis %lld it must be %s",
                                                       shape_text(&scale, text), (long long)s->block, (long long)s->axis,
                                                       shape_text(&right, wanted));
}

static bool check_scale(struct lower *l, struct scheme *s)
{
    struct shape scale = lower_shape(l, 1);
    char text[160];
    if (!s->block && shape_count(&scale) == 1)
        return s->axis = 0, true;
    if (l->opset < 13)
        return lower_refuse(l, "scales of an axis need opset 13; this is opset %d", l->opset);
    if (!lower_axis(l, &s->axis, s->x.rank))
        return false;
    if (s->block)
        return check_blocks(l, s);
    return (scale.rank == 1 && scale.dims[0] == s->x.dims[s->axis]) ||
           lower_refuse(l, "the scale is %s; one number, or the %lld of axis %lld are right", shape_text(&scale, text),
                        (long long)s->x.dims[s->axis], (long long)s->axis);
}

static bool read_scheme(struct lower *l, struct scheme *s)
{
    *s = (struct scheme){lower_shape(l, 0), GRAPH_NONE, GRAPH_NONE, lower_int(l, "axis", 1), lower_int(l, "block_size", 0)};
    if (l->failed)
        return false;
    if (!element_is_float(lower_value(l, 1)->element))
        return lower_refuse(l, "the scale is %s; it must be floating point", element_name(lower_value(l, 1)->element));
    if (!check_zero(l) || !check_scale(l, s))
        return false;
    s->scale = build_cast(l, l->in[1], ELEMENT_F32);
    s->zero = lower_given(l, 2) ? l->in[2] : GRAPH_NONE;
    return s->scale != LOWER_POISON;
}

static int zero_point(struct lower *l, const struct scheme *s, enum element element)
{
    struct shape scale = build_shape(l, s->scale);
    return s->zero == GRAPH_NONE ? lower_rule(l, CONTENTS_FILL, element, &scale) : s->zero;
}

/* Scale or zero point as fp32 in a shape that broadcasts to x. */
static int spread(struct lower *l, const struct scheme *s, int value)
{
    struct shape shape = build_shape(l, value), out = {0};
    value = build_cast(l, value, ELEMENT_F32);
    if (s->block)
        return build_slice(l, build_repeat(l, value, (unsigned)s->axis, s->block), (unsigned)s->axis, 0, s->x.dims[s->axis], 1);
    if (shape_count(&shape) > 1)
        out.rank = s->x.rank;
    for (unsigned i = 0; i < out.rank; i++)
        out.dims[i] = i == s->axis ? shape.dims[0] : 1;
    return lower_reshape(l, value, &out);
}

static bool is_byte(enum element element)
{
    return element == ELEMENT_U8 || element == ELEMENT_S8;
}

static bool is_word(enum element element)
{
    return element == ELEMENT_U16 || element == ELEMENT_S16;
}

static bool check_precision(struct lower *l)
{
    int64_t precision = lower_int(l, "precision", 0);
    return !precision || precision == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT ||
           lower_refuse(l, "precision %s; float is supported", onnx_type_name((int32_t)precision));
}

/* What output_dtype says, or `absent`. */
static bool output_type(struct lower *l, enum element absent, enum element *out)
{
    int64_t type = lower_int(l, "output_dtype", 0);
    *out = absent;
    return !l->failed && (!type || (type > 0 && type <= INT32_MAX && element_from_onnx(out, (int32_t)type)) ||
                          lower_refuse(l, "output_dtype %s (%lld) is not supported", onnx_type_name((int32_t)type), (long long)type));
}

/* --- QuantizeLinear ------------------------------------------------------------------------------------------------------------ */

static bool quantised_type(struct lower *l, enum element *to)
{
    if (!output_type(l, lower_given(l, 2) ? lower_value(l, 2)->element : ELEMENT_U8, to))
        return false;
    if (lower_given(l, 2) && lower_value(l, 2)->element != *to)
        return lower_refuse(l, "output_dtype is %s and the zero point %s; they must be one type", element_name(*to),
                            element_name(lower_value(l, 2)->element));
    return is_byte(*to) || is_word(*to) ||
           lower_refuse(l, "the result is %s; uint8, int8, uint16 and int16 are supported", element_name(*to));
}

static int64_t count_between(const struct shape *shape, unsigned from, unsigned to)
{
    int64_t count = 1;
    for (unsigned i = from; i < to; i++)
        count *= shape->dims[i];
    return count;
}

/* Every block a row: [before, blocks, block, behind] with the block last, or the way back. */
static int blocks_as_rows(struct lower *l, const struct scheme *s, int x, bool back)
{
    struct shape whole = s->x;
    unsigned axis = (unsigned)s->axis;
    int64_t none[GRAPH_RANK_MAX] = {0}, fill[GRAPH_RANK_MAX] = {0}, blocks = (whole.dims[axis] + s->block - 1) / s->block;
    int64_t before = count_between(&whole, 0, axis), behind = count_between(&whole, axis + 1, whole.rank);
    fill[axis] = blocks * s->block - whole.dims[axis];
    whole.dims[axis] += fill[axis];
    if (!back) {
        x = build_reshape(l, build_pad(l, x, none, fill, 0), 4, (int64_t[]){before, blocks, s->block, behind});
        return build_reshape(l, build_swap(l, x, 2, 3), 2, (int64_t[]){before * blocks * behind, s->block});
    }
    x = build_swap(l, build_reshape(l, x, 4, (int64_t[]){before, blocks, behind, s->block}), 2, 3);
    return build_slice(l, lower_reshape(l, x, &whole), axis, 0, s->x.dims[axis], 1);
}

static int flat(struct lower *l, int x)
{
    struct shape shape = build_shape(l, x);
    return build_reshape(l, x, 1, (int64_t[]){shape_count(&shape)});
}

/* The core operator; 16 bits are taken from 32, which hold whatever comes out. */
static int quantise_rows(struct lower *l, struct scheme *s, int x, enum element to)
{
    bool word = is_word(to);
    struct shape shape = build_shape(l, x);
    int zero = build_cast(l, zero_point(l, s, to), word ? ELEMENT_S32 : to), scale = s->scale;
    if (s->block)
        zero = flat(l, zero), scale = flat(l, scale);
    int y = lower_emit(l, CORE_QUANTIZE, (int[]){x, scale, zero}, 3, &(struct attributes){.axis = s->block ? 0 : s->axis}, word ? ELEMENT_S32 : to, &shape);
    if (!word)
        return y;
    int low = to == ELEMENT_S16 ? INT16_MIN : 0;
    return build_cast(l, build_with(l, CORE_MIN, build_with(l, CORE_MAX, y, low), low + UINT16_MAX), to);
}

bool lower_quantize(struct lower *l, const struct onnx_op *op)
{
    enum element to, from = lower_value(l, 0)->element;
    struct scheme s;
    if (from != ELEMENT_S32 && !lower_want_float(l, 0))
        return false;
    if (!check_precision(l) || !quantised_type(l, &to) || !read_scheme(l, &s))
        return false;
    int x = from == ELEMENT_S32 ? build_cast(l, l->in[0], ELEMENT_F32) : l->in[0];
    if (!s.block)
        return lower_done(l, quantise_rows(l, &s, x, to));
    return lower_done(l, blocks_as_rows(l, &s, quantise_rows(l, &s, blocks_as_rows(l, &s, x, false), to), true));
}

/* --- DequantizeLinear ---------------------------------------------------------------------------------------------------------- */

static bool check_dequantize(struct lower *l, enum element from, enum element *to)
{
    if (!is_byte(from) && !is_word(from) && from != ELEMENT_S32)
        return lower_refuse(l, "the input is %s; uint8, int8, uint16, int16 and int32 are supported", element_name(from));
    if (lower_given(l, 2) && lower_value(l, 2)->element != from)
        return lower_refuse(l, "the zero point is %s and the input %s", element_name(lower_value(l, 2)->element), element_name(from));
    return output_type(l, lower_value(l, 1)->element, to) &&
           (element_is_float(*to) || lower_refuse(l, "output_dtype is %s; it must be floating point", element_name(*to)));
}

static int dequantise_by_parts(struct lower *l, const struct scheme *s)
{
    int y = build_cast(l, l->in[0], ELEMENT_F32);
    if (s->zero != GRAPH_NONE)
        y = build_binary(l, CORE_SUB, y, spread(l, s, s->zero));
    return build_binary(l, CORE_MUL, y, spread(l, s, s->scale));
}

bool lower_dequantize(struct lower *l, const struct onnx_op *op)
{
    enum element from = lower_value(l, 0)->element, to;
    struct scheme s;
    if (!read_scheme(l, &s) || !check_dequantize(l, from, &to))
        return false;
    if (is_word(from) || s.block)
        return lower_done(l, build_cast(l, dequantise_by_parts(l, &s), to));
    int inputs[] = {l->in[0], s.scale, zero_point(l, &s, from)};
    int y = lower_emit(l, CORE_DEQUANTIZE, inputs, 3, &(struct attributes){.axis = s.axis}, ELEMENT_F32, &s.x);
    return lower_done(l, build_cast(l, y, to));
}

/* --- DynamicQuantizeLinear ----------------------------------------------------------------------------------------------------- */

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
