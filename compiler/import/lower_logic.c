/* lower_logic.c: what is no number, what is infinite, remainders and bits. */
#include <math.h>

#include "element.h"
#include "lower_build.h"

bool lower_is_nan(struct lower *l, const struct onnx_op *op)
{
    return lower_want_float(l, 0) && lower_done(l, build_unary(l, CORE_IS_NAN, l->in[0]));
}

bool lower_is_inf(struct lower *l, const struct onnx_op *op)
{
    bool negative = lower_int(l, "detect_negative", 1) != 0, positive = lower_int(l, "detect_positive", 1) != 0;
    int x = l->in[0];
    struct shape shape = lower_shape(l, 0);
    if (l->failed || !lower_want_float(l, 0))
        return false;
    if (!negative && !positive)
        return lower_done(l, lower_rule(l, CONTENTS_FILL, ELEMENT_BOOL, &shape));
    if (negative && positive)
        x = build_unary(l, CORE_ABS, x);
    return lower_done(l, build_with(l, CORE_COMPARE_EQUAL, x, positive ? INFINITY : -INFINITY));
}

/* --- remainders ---------------------------------------------------------------------------------------------------------------- */

/* The remainder of truncated division has the dividend's sign; where it is not 0 and differs from the divisor's, one divisor
 * more makes it floored, as ONNX (without fmod) has it. */
static int floored(struct lower *l, int rest, int divisor)
{
    int differ = build_binary(l, CORE_XOR, build_with(l, CORE_LESS, rest, 0), build_with(l, CORE_LESS, divisor, 0));
    int wrong = build_binary(l, CORE_AND, differ, build_not(l, build_not(l, rest)));
    return build_where(l, wrong, build_binary(l, CORE_ADD, rest, divisor), rest);
}

bool lower_mod(struct lower *l, const struct onnx_op *op)
{
    bool truncated = lower_int(l, "fmod", 0) != 0;
    int a = l->in[0], b = l->in[1];
    if (l->failed || !lower_same_type(l, a, b))
        return false;
    if (element_is_float(build_element(l, a)))
        return lower_refuse(l, "inputs are %s; the remainder of integers is supported", element_name(build_element(l, a)));
    int rest = build_binary(l, CORE_SUB, a, build_binary(l, CORE_MUL, build_binary(l, CORE_DIV, a, b), b));
    return lower_done(l, truncated ? rest : floored(l, rest, b));
}

bool lower_tan(struct lower *l, const struct onnx_op *op)
{
    int x = l->in[0];
    return lower_want_float(l, 0) && lower_done(l, build_binary(l, CORE_DIV, build_unary(l, CORE_SIN, x), build_unary(l, CORE_COS, x)));
}

bool lower_cast_like(struct lower *l, const struct onnx_op *op)
{
    return lower_done(l, build_cast(l, l->in[0], lower_value(l, 1)->element));
}

bool lower_mean(struct lower *l, const struct onnx_op *op)
{
    int sum = l->in[0];
    for (unsigned i = 0; i < l->in_count; i++)
        if (!lower_want_float(l, i))
            return false;
    for (unsigned i = 1; i < l->in_count; i++)
        sum = build_binary(l, CORE_ADD, sum, l->in[i]);
    return lower_done(l, l->in_count == 1 ? sum : build_with(l, CORE_DIV, sum, l->in_count));
}

/* --- bits ------------------------------------------------------------------------------------------------------------------------ */

static bool want_few_bits(struct lower *l, unsigned input)
{
    enum element element = lower_value(l, input)->element;
    return (element != ELEMENT_BOOL && !element_is_float(element) && element_bytes(element) <= 2) ||
           lower_refuse(l, "input %u is %s; integers of 8 and 16 bits are supported", input + 1, element_name(element));
}

static bool is_signed(enum element element)
{
    return element == ELEMENT_S8 || element == ELEMENT_S16;
}

/* 1, 2, 4, ...; the last with this sign. */
static int powers(struct lower *l, unsigned count, int sign)
{
    int32_t numbers[17];
    for (unsigned k = 0; k < count; k++)
        numbers[k] = (1 << k) * (k + 1 < count ? 1 : sign);
    return lower_constant(l, ELEMENT_S32, &(struct shape){1, {count}}, numbers);
}

/* The number of the same bits without a sign. */
static int without_sign(struct lower *l, int x)
{
    enum element element = build_element(l, x);
    int wide = build_cast(l, x, ELEMENT_S32);
    if (!is_signed(element))
        return wide;
    int negative = build_cast(l, build_with(l, CORE_LESS, wide, 0), ELEMENT_S32);
    return build_binary(l, CORE_ADD, wide, build_with(l, CORE_MUL, negative, 1 << 8 * element_bytes(element)));
}

/* [..., bits]: bit k is x / 2^k, cut off, less twice x / 2^(k + 1). Integers, so no number format rounds them. */
static int split_bits(struct lower *l, int x, unsigned bits)
{
    struct shape shape = build_shape(l, x);
    shape.dims[shape.rank++] = 1;
    x = build_binary(l, CORE_DIV, without_sign(l, lower_reshape(l, x, &shape)), powers(l, bits + 1, 1));
    int here = build_slice(l, x, shape.rank - 1, 0, bits, 1), above = build_slice(l, x, shape.rank - 1, 1, bits + 1, 1);
    return build_binary(l, CORE_SUB, here, build_with(l, CORE_MUL, above, 2));
}

/* The highest bit of a signed number counts below zero. */
static int join_bits(struct lower *l, int x, enum element element)
{
    bool axes[GRAPH_RANK_MAX] = {0};
    if (x < 0)
        return x;
    axes[build_shape(l, x).rank - 1] = true;
    x = build_binary(l, CORE_MUL, x, powers(l, 8 * element_bytes(element), is_signed(element) ? -1 : 1));
    return build_cast(l, build_reduce(l, CORE_REDUCE_SUM, x, axes, false), element);
}

/* Of bits a and b: and is their product, or the greater, xor the size of their difference. */
bool lower_bitwise(struct lower *l, const struct onnx_op *op)
{
    int a = l->in[0], b = l->in[1];
    if (!want_few_bits(l, 0) || !want_few_bits(l, 1) || !lower_same_type(l, a, b))
        return false;
    enum element element = build_element(l, a);
    if (build_shape(l, a).rank == GRAPH_RANK_MAX || build_shape(l, b).rank == GRAPH_RANK_MAX)
        return lower_refuse(l, "inputs of %d dimensions; at most %d are supported", GRAPH_RANK_MAX, GRAPH_RANK_MAX - 1);
    unsigned bits = 8 * element_bytes(element);
    int value = build_binary(l, (enum core_op)op->core, split_bits(l, a, bits), split_bits(l, b, bits));
    return lower_done(l, join_bits(l, op->core == CORE_SUB ? build_unary(l, CORE_ABS, value) : value, element));
}

bool lower_bitwise_not(struct lower *l, const struct onnx_op *op)
{
    return want_few_bits(l, 0) && lower_done(l, build_turn_round(l, l->in[0]));
}
