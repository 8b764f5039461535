/* vector_values.cpp: the numbers of the vector unit (docs/isa.md, Numbers and Vector instructions). */
#include "vector_unit.h"

namespace twin
{

value load_value(const uint8_t *bytes, weft_format format)
{
    if (weft_format_is_integer(format))
        return {true, weft_load_integer(bytes, format), 0};
    return {false, 0, weft_load_float(bytes, format)};
}

value less_zero(value v, int32_t zero)
{
    if (v.integer)
        v.i = static_cast<int32_t>(static_cast<uint32_t>(v.i) - static_cast<uint32_t>(zero));
    return v;
}

float scaled(const value &v, float mul)
{
    float x = v.integer ? static_cast<float>(v.i) : v.f;
    return x * mul;
}

/* What an element brings to `pool` and `reduce`. */
value entering(weft_reduction reduction, const value &x, const weft_config &v)
{
    switch (reduction) {
    case WEFT_REDUCTION_sum: return less_zero(x, v.zero_a);
    case WEFT_REDUCTION_squares: {
        float a = scaled(less_zero(x, v.zero_a), v.mul_a);
        return {false, 0, a * a};
    }
    default: return x;
    }
}

/* What a finished reduction is before the result rule: zero point and scale, as far as `entering` has not seen to them. */
float reduced(weft_reduction reduction, const value &x, const weft_config &v)
{
    switch (reduction) {
    case WEFT_REDUCTION_sum: return scaled(x, v.mul_a);
    case WEFT_REDUCTION_squares: return x.f;
    default: return scaled(less_zero(x, v.zero_a), v.mul_a);
    }
}

/* A NaN on either side gives NaN; else a where it is beyond b. */
static float larger(float a, float b) { return a != a || b != b ? a + b : a > b ? a : b; }
static float smaller(float a, float b) { return a != a || b != b ? a + b : a < b ? a : b; }

value combine(weft_reduction reduction, const value &running, const value &next)
{
    value v = running;
    switch (reduction) {
    case WEFT_REDUCTION_max:
        v.i = next.i > v.i ? next.i : v.i;
        v.f = larger(v.f, next.f);
        break;
    case WEFT_REDUCTION_min:
        v.i = next.i < v.i ? next.i : v.i;
        v.f = smaller(v.f, next.f);
        break;
    case WEFT_REDUCTION_sum: case WEFT_REDUCTION_squares:
        v.i = static_cast<int32_t>(static_cast<uint32_t>(v.i) + static_cast<uint32_t>(next.i));
        v.f = v.f + next.f;
        break;
    }
    return v;
}

float binary(weft_opcode op, float a, float b)
{
    switch (op) {
    case WEFT_OP_ADD: return a + b;
    case WEFT_OP_SUB: return a - b;
    case WEFT_OP_MUL: return a * b;
    case WEFT_OP_DIV: return a / b;
    case WEFT_OP_MAX: return larger(a, b);
    default: return smaller(a, b);
    }
}

void store_result(uint8_t *out, const job &j, float f, const uint8_t *table)
{
    weft_function function = static_cast<weft_function>(j.instr.func);
    weft_format format = static_cast<weft_format>(j.instr.fmt);
    const weft_config &v = j.config;
    if (function != WEFT_FUNCTION_table)
        f = weft_apply(function, f, v.alpha);
    f = f * v.mul_out;
    if (!weft_format_is_integer(format)) {
        weft_store_float(out, format, f);
        return;
    }
    int32_t q = weft_requantise(f, v.zero_out, v.clamp_low, v.clamp_high);
    int32_t low = weft_format_low(format), high = weft_format_high(format);
    weft_store_integer(out, format, q < low ? low : q > high ? high : q);
    if (function == WEFT_FUNCTION_table)
        *out = table[*out];
}

} // namespace twin
