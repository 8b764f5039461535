/* lower_logic.c: what is no number, what is infinite, and remainders. */
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
