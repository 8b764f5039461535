/* fast_kernels.c: inner loops. See fast_kernels.h. Only static functions have clones: compilers name those of others differently.
 *
 * rintf and floorf are wanted as single instructions: errno and trap flags are of no interest here (and change no value). */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-math-errno", "no-trapping-math")
#endif
#include <math.h>
#include <string.h>

#include "fast_kernels.h"

#if defined(__x86_64__) && defined(__gnu_linux__)
#define MANY __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define MANY
#endif

/* --- loads --------------------------------------------------------------------------------------------------------------- */

#define LOAD(NAME, TYPE)                                                                                                                     \
    MANY static void load_##NAME(float *out, const uint8_t *in, size_t n, int32_t zero, float mul)                                           \
    {                                                                                                                                        \
        for (size_t i = 0; i < n; i++) {                                                                                                     \
            TYPE x;                                                                                                                          \
            memcpy(&x, in + i * sizeof x, sizeof x);                                                                                         \
            out[i] = (float)(int32_t)((uint32_t)x - (uint32_t)zero) * mul;                                                                   \
        }                                                                                                                                    \
    }                                                                                                                                        \
    MANY static void widen_##NAME(int32_t *out, const uint8_t *in, size_t n)                                                                 \
    {                                                                                                                                        \
        for (size_t i = 0; i < n; i++) {                                                                                                     \
            TYPE x;                                                                                                                          \
            memcpy(&x, in + i * sizeof x, sizeof x);                                                                                         \
            out[i] = x;                                                                                                                      \
        }                                                                                                                                    \
    }
LOAD(u8, uint8_t)
LOAD(s8, int8_t)
LOAD(s16, int16_t)
LOAD(s32, int32_t)
#undef LOAD

MANY static void widen_bf16(float *out, const uint8_t *in, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, in + 2 * i, 2);
        uint32_t bits = (uint32_t)half << 16;
        memcpy(&out[i], &bits, 4);
    }
}

void kernel_load_integers(int32_t *out, const uint8_t *in, size_t n, enum weft_format format)
{
    switch (format) {
    case WEFT_FORMAT_u8: widen_u8(out, in, n); break;
    case WEFT_FORMAT_s8: widen_s8(out, in, n); break;
    case WEFT_FORMAT_s16: widen_s16(out, in, n); break;
    default: widen_s32(out, in, n); break;
    }
}

void kernel_load_floats(float *out, const uint8_t *in, size_t n, enum weft_format format)
{
    if (format == WEFT_FORMAT_bf16) widen_bf16(out, in, n);
    else memcpy(out, in, 4 * n);
}

void kernel_load(float *out, const uint8_t *in, size_t n, enum weft_format format, int32_t zero, float mul)
{
    switch (format) {
    case WEFT_FORMAT_u8: load_u8(out, in, n, zero, mul); break;
    case WEFT_FORMAT_s8: load_s8(out, in, n, zero, mul); break;
    case WEFT_FORMAT_s16: load_s16(out, in, n, zero, mul); break;
    case WEFT_FORMAT_s32: load_s32(out, in, n, zero, mul); break;
    default:
        kernel_load_floats(out, in, n, format);
        kernel_scale_floats(out, out, n, mul);
        break;
    }
}

MANY static void scale_integers(float *out, const int32_t *in, size_t n, int32_t zero, float mul)
{
    for (size_t i = 0; i < n; i++) out[i] = (float)(int32_t)((uint32_t)in[i] - (uint32_t)zero) * mul;
}

void kernel_scale_integers(float *out, const int32_t *in, size_t n, int32_t zero, float mul)
{
    scale_integers(out, in, n, zero, mul);
}

MANY static void scale_floats(float *out, const float *in, size_t n, float mul)
{
    for (size_t i = 0; i < n; i++) out[i] = in[i] * mul;
}

void kernel_scale_floats(float *out, const float *in, size_t n, float mul)
{
    scale_floats(out, in, n, mul);
}

MANY static void dequantise(float *out, const int32_t *acc, const int32_t *bias, const float *scale, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] = (float)(int32_t)((uint32_t)acc[i] + (uint32_t)bias[i]) * scale[i];
}

void kernel_dequantise(float *out, const int32_t *acc, const int32_t *bias, const float *scale, size_t n)
{
    dequantise(out, acc, bias, scale, n);
}

MANY static void dequantise_floats(float *out, const float *acc, const float *bias, const float *scale, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] = (acc[i] + bias[i]) * scale[i];
}

void kernel_dequantise_floats(float *out, const float *acc, const float *bias, const float *scale, size_t n)
{
    dequantise_floats(out, acc, bias, scale, n);
}

/* --- two operands -------------------------------------------------------------------------------------------------------- */

/* In place when out == a. The sum of a and b is a NaN where either is; or of two infinities that a > b or a < b decides. */
#define BINARY(NAME, RESULT)                                                                                                                 \
    MANY static void NAME(float *out, const float *others, size_t n)                                                                         \
    {                                                                                                                                        \
        for (size_t i = 0; i < n; i++) {                                                                                                     \
            float a = out[i], b = others[i];                                                                                                 \
            out[i] = RESULT;                                                                                                                 \
        }                                                                                                                                    \
    }
BINARY(combine_add, a + b)
BINARY(combine_sub, a - b)
BINARY(combine_mul, a *b)
BINARY(combine_div, a / b)
BINARY(combine_max, a != a ? a : b != b ? b : a > b ? a : b)
BINARY(combine_min, a != a ? a : b != b ? b : a < b ? a : b)
#undef BINARY

void kernel_combine(float *out, const float *b, size_t n, enum kernel_binary op)
{
    switch (op) {
    case KERNEL_ADD: combine_add(out, b, n); break;
    case KERNEL_SUB: combine_sub(out, b, n); break;
    case KERNEL_MUL: combine_mul(out, b, n); break;
    case KERNEL_DIV: combine_div(out, b, n); break;
    case KERNEL_MAX: combine_max(out, b, n); break;
    case KERNEL_MIN: combine_min(out, b, n); break;
    }
}

MANY static void squares(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] = x[i] * x[i];
}

void kernel_squares(float *x, size_t n)
{
    squares(x, n);
}

MANY static void combine_integers_max(int32_t *out, const int32_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] = out[i] > b[i] ? out[i] : b[i];
}

MANY static void combine_integers_min(int32_t *out, const int32_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] = out[i] < b[i] ? out[i] : b[i];
}

MANY static void combine_integers_sum(int32_t *out, const int32_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] = (int32_t)((uint32_t)out[i] + (uint32_t)b[i]);
}

void kernel_combine_integers(int32_t *out, const int32_t *b, size_t n, enum weft_reduction op)
{
    switch (op) {
    case WEFT_REDUCTION_max: combine_integers_max(out, b, n); break;
    case WEFT_REDUCTION_min: combine_integers_min(out, b, n); break;
    case WEFT_REDUCTION_sum: combine_integers_sum(out, b, n); break;
    case WEFT_REDUCTION_squares: break; /* of floats alone */
    }
}

/* --- functions ----------------------------------------------------------------------------------------------------------- */

#define UNARY(NAME, RESULT)                                                                                                                  \
    MANY static void NAME(float *values, size_t n, float alpha)                                                                              \
    {                                                                                                                                        \
        for (size_t i = 0; i < n; i++) {                                                                                                     \
            float x = values[i];                                                                                                             \
            values[i] = RESULT;                                                                                                              \
        }                                                                                                                                    \
    }
UNARY(apply_relu, x < 0 ? 0 : x)
UNARY(apply_leaky, x < 0 ? alpha *x : x)
UNARY(apply_abs, fabsf(x))
UNARY(apply_floor, floorf(x))
UNARY(apply_recip, 1.0f / x)
#undef UNARY

void kernel_apply(float *x, size_t n, enum weft_function function, float alpha)
{
    switch (function) {
    case WEFT_FUNCTION_none: break;
    case WEFT_FUNCTION_relu: apply_relu(x, n, alpha); break;
    case WEFT_FUNCTION_leaky: apply_leaky(x, n, alpha); break;
    case WEFT_FUNCTION_abs: apply_abs(x, n, alpha); break;
    case WEFT_FUNCTION_floor: apply_floor(x, n, alpha); break;
    case WEFT_FUNCTION_recip: apply_recip(x, n, alpha); break;
    default: weft_apply_many(x, n, function, alpha); break;
    }
}

/* --- stores -------------------------------------------------------------------------------------------------------------- */

/* Where the bounds less the zero point are exact in fp32, the clamp may come before the conversion to integer and the zero
 * point after it: min(max(round(f) + zero, low), high) = min(max(round(f), low - zero), high - zero) + zero. */
MANY static void requantise_narrow(int32_t *out, const float *f, size_t n, float mul, int32_t zero, float low, float high)
{
    for (size_t i = 0; i < n; i++) {
        float x = f[i] * mul;
        x = x == x ? x : 0.0f;
        x = rintf(x);
        x = x < low ? low : x;
        x = x > high ? high : x;
        out[i] = (int32_t)x + zero;
    }
}

static int32_t clamp(int32_t x, int32_t low, int32_t high) { return x < low ? low : x > high ? high : x; }

void kernel_requantise(int32_t *out, const float *f, size_t n, float mul, const struct kernel_range *range)
{
    const int64_t exact = 1 << 24;
    int64_t low = (int64_t)clamp(range->low, range->format_low, range->format_high) - range->zero;
    int64_t high = (int64_t)clamp(range->high, range->format_low, range->format_high) - range->zero;
    if (range->low <= range->high && low >= -exact && high <= exact) {
        requantise_narrow(out, f, n, mul, range->zero, (float)low, (float)high);
        return;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = clamp(weft_requantise(f[i] * mul, range->zero, range->low, range->high), range->format_low, range->format_high);
}

#define STORE(NAME, TYPE)                                                                                                                    \
    MANY static void store_##NAME(uint8_t *out, const int32_t *in, size_t n)                                                                 \
    {                                                                                                                                        \
        for (size_t i = 0; i < n; i++) {                                                                                                     \
            TYPE x = (TYPE)in[i];                                                                                                            \
            memcpy(out + i * sizeof x, &x, sizeof x);                                                                                        \
        }                                                                                                                                    \
    }
STORE(1, uint8_t)
STORE(2, uint16_t)
#undef STORE

void kernel_store_integers(uint8_t *out, const int32_t *in, size_t n, enum weft_format format)
{
    switch (weft_format_bytes(format)) {
    case 1: store_1(out, in, n); break;
    case 2: store_2(out, in, n); break;
    default: memcpy(out, in, 4 * n); break;
    }
}

MANY static void store_bf16(uint8_t *out, const float *in, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &in[i], 4);
        uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
        uint16_t half = (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? 0x7fc0 : rounded);
        memcpy(out + 2 * i, &half, 2);
    }
}

MANY static void store_f32(uint8_t *out, const float *in, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &in[i], 4);
        bits = (bits & 0x7fffffff) > 0x7f800000 ? 0x7fc00000 : bits;
        memcpy(out + 4 * i, &bits, 4);
    }
}

void kernel_store_floats(uint8_t *out, const float *in, size_t n, enum weft_format format)
{
    if (format == WEFT_FORMAT_bf16) store_bf16(out, in, n);
    else store_f32(out, in, n);
}

/* --- products ------------------------------------------------------------------------------------------------------------ */

/* Sums of four rows and 32 lanes, as vectors so that they stay in registers. */
#define PRODUCTS(NAME, TYPE)                                                                                                                 \
    MANY static void NAME(TYPE sums[KERNEL_ROWS][KERNEL_STRIP], const TYPE *a, const TYPE *w, size_t k)                                      \
    {                                                                                                                                        \
        typedef TYPE vector __attribute__((vector_size(64), aligned(4)));                                                                    \
        enum { LANES = sizeof(vector) / sizeof(TYPE) };                                                                                      \
        for (size_t from = 0; from < KERNEL_STRIP; from += 2 * LANES) {                                                                      \
            vector s[KERNEL_ROWS][2] = {{{0}}};                                                                                              \
            for (size_t i = 0; i < k; i++) {                                                                                                 \
                const vector *row = (const vector *)(w + i * KERNEL_STRIP + from);                                                           \
                vector w0 = row[0], w1 = row[1];                                                                                             \
                s[0][0] += a[i] * w0, s[0][1] += a[i] * w1;                                                                                  \
                s[1][0] += a[k + i] * w0, s[1][1] += a[k + i] * w1;                                                                          \
                s[2][0] += a[2 * k + i] * w0, s[2][1] += a[2 * k + i] * w1;                                                                  \
                s[3][0] += a[3 * k + i] * w0, s[3][1] += a[3 * k + i] * w1;                                                                  \
            }                                                                                                                                \
            for (size_t r = 0; r < KERNEL_ROWS; r++) memcpy(sums[r] + from, s[r], sizeof s[r]);                                              \
        }                                                                                                                                    \
    }
PRODUCTS(products, uint32_t)
PRODUCTS(products_floats, float)
#undef PRODUCTS

void kernel_products(uint32_t sums[KERNEL_ROWS][KERNEL_STRIP], const uint32_t *a, const uint32_t *w, size_t k)
{
    products(sums, a, w, k);
}

void kernel_products_floats(float sums[KERNEL_ROWS][KERNEL_STRIP], const float *a, const float *w, size_t k)
{
    products_floats(sums, a, w, k);
}

bool kernel_any(const uint8_t *bytes, size_t n)
{
    uint64_t any = 0, word;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        memcpy(&word, bytes + i, 8);
        any |= word;
    }
    for (; i < n; i++) any |= bytes[i];
    return any != 0;
}
