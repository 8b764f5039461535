/* numbers.c: the machine's numbers. Only + - x / sqrt, comparisons and moves of bits: each is defined by IEEE 754 to the last
 * bit, so every host gives the same result. (floorf and sqrtf are exact by the same standard.) */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-math-errno", "no-trapping-math") /* so that floor and sqrt are single instructions; it changes no value */
#endif
#include <float.h>
#include <math.h>
#include <string.h>

#include "weft_isa.h"

#if defined(__x86_64__) && defined(__gnu_linux__)
#define MANY __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define MANY
#endif

_Static_assert(FLT_EVAL_METHOD == 0, "float arithmetic must be rounded to float after every operation");

struct format_info {
    const char *name;
    unsigned bytes;
    bool integer;
    int32_t low, high;
};

static const struct format_info formats[] = {
    [WEFT_FORMAT_u8] = {"u8", 1, true, 0, 255},
    [WEFT_FORMAT_s8] = {"s8", 1, true, -128, 127},
    [WEFT_FORMAT_s16] = {"s16", 2, true, -32768, 32767},
    [WEFT_FORMAT_s32] = {"s32", 4, true, INT32_MIN, INT32_MAX},
    [WEFT_FORMAT_bf16] = {"bf16", 2, false, 0, 0},
    [WEFT_FORMAT_f32] = {"f32", 4, false, 0, 0},
};
enum { FORMATS = sizeof formats / sizeof *formats };

unsigned weft_format_bytes(enum weft_format format) { return (unsigned)format < FORMATS ? formats[format].bytes : 0; }
const char *weft_format_name(enum weft_format format) { return (unsigned)format < FORMATS ? formats[format].name : "?"; }
bool weft_format_is_integer(enum weft_format format) { return (unsigned)format < FORMATS && formats[format].integer; }
int32_t weft_format_low(enum weft_format format) { return formats[format].low; }
int32_t weft_format_high(enum weft_format format) { return formats[format].high; }

bool weft_format_find(enum weft_format *out, const char *name)
{
    for (unsigned i = 0; i < FORMATS; i++)
        if (!strcmp(formats[i].name, name)) {
            *out = (enum weft_format)i;
            return true;
        }
    return false;
}

/* --- memory to number and back ------------------------------------------------------------------------------------ */

static float float_of(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static uint32_t bits_of(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static uint32_t load16(const uint8_t *b) { return (uint32_t)b[0] | (uint32_t)b[1] << 8; }
static uint32_t load32(const uint8_t *b) { return load16(b) | load16(b + 2) << 16; }

static void store16(uint8_t *b, uint32_t v)
{
    b[0] = (uint8_t)v;
    b[1] = (uint8_t)(v >> 8);
}

static void store32(uint8_t *b, uint32_t v)
{
    store16(b, v);
    store16(b + 2, v >> 16);
}

int32_t weft_load_integer(const void *bytes, enum weft_format format)
{
    const uint8_t *b = bytes;
    switch (format) {
    case WEFT_FORMAT_u8: return b[0];
    case WEFT_FORMAT_s8: return (int8_t)b[0];
    case WEFT_FORMAT_s16: return (int16_t)load16(b);
    default: return (int32_t)load32(b);
    }
}

void weft_store_integer(void *bytes, enum weft_format format, int32_t value)
{
    switch (weft_format_bytes(format)) {
    case 1: *(uint8_t *)bytes = (uint8_t)value; break;
    case 2: store16(bytes, (uint32_t)value); break;
    default: store32(bytes, (uint32_t)value); break;
    }
}

float weft_load_float(const void *bytes, enum weft_format format)
{
    return float_of(format == WEFT_FORMAT_bf16 ? load16(bytes) << 16 : load32(bytes));
}

void weft_store_float(void *bytes, enum weft_format format, float value)
{
    uint32_t bits = value != value ? 0x7fc00000u : bits_of(value);
    if (format == WEFT_FORMAT_bf16)
        store16(bytes, (bits + 0x7fff + (bits >> 16 & 1)) >> 16); /* a carry out of the fraction is the next exponent, up to infinity */
    else
        store32(bytes, bits);
}

int32_t weft_requantise(float f, int32_t zero, int32_t low, int32_t high)
{
    int64_t q = 0;
    if (f >= 0x1p31f) {
        q = INT32_MAX;
    } else if (f < -0x1p31f) {
        q = INT32_MIN;
    } else if (f == f) {
        /* Adding 1.5 x 2^52 leaves no bits for a fraction: the sum is rounded to the nearest integer, ties to even. */
        const double magic = 0x1.8p52;
        q = (int64_t)(((double)f + magic) - magic);
    }
    q += zero;
    q = q < INT32_MIN ? INT32_MIN : q > INT32_MAX ? INT32_MAX : q;
    q = q < low ? low : q;
    return (int32_t)(q > high ? high : q);
}

/* --- functions ------------------------------------------------------------------------------------------------------ */

/* Each of these is written without branches, so that a compiler can do several elements at a time; every operation is one of IEEE's, so that
 * it makes no difference to the bits. */
#define EACH static inline __attribute__((always_inline))

EACH double power_of_two(int k) /* a normal binary64: -1022 to 1023 */
{
    uint64_t bits = (uint64_t)(k + 1023) << 52;
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

/* e^x for |x| <= 700: x = k ln 2 + r with |r| <= 0.35; the series ends at r^13 / 13! (the next term is below 2^-57). */
EACH double exp_double(double x)
{
    const double ln2_high = 0x1.62e42fee00000p-1, ln2_low = 0x1.a39ef35793c76p-33; /* high x k is exact */
    double k = floor(x * 0x1.71547652b82fep+0 + 0.5);
    double r = (x - k * ln2_high) - k * ln2_low;
    double sum = 1.0 / 6227020800;
    sum = sum * r + 1.0 / 479001600;
    sum = sum * r + 1.0 / 39916800;
    sum = sum * r + 1.0 / 3628800;
    sum = sum * r + 1.0 / 362880;
    sum = sum * r + 1.0 / 40320;
    sum = sum * r + 1.0 / 5040;
    sum = sum * r + 1.0 / 720;
    sum = sum * r + 1.0 / 120;
    sum = sum * r + 1.0 / 24;
    sum = sum * r + 1.0 / 6;
    sum = sum * r + 1.0 / 2;
    sum = sum * r + 1.0;
    sum = sum * r + 1.0;
    return sum * power_of_two((int)k);
}

EACH double bounded(double x, double bound)
{
    x = x > bound ? bound : x;
    return x < -bound ? -bound : x;
}

EACH float exp_float(float x) { return (float)exp_double(bounded(x, 200)); }

/* log(2^e m) = e ln 2 + 2 artanh((m - 1) / (m + 1)) with m in [0.70, 1.42): |s| < 0.172, the first term left out is below 2^-58. */
EACH float log_float(float f)
{
    double x = f; /* a subnormal float is a normal double */
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int e = (int)(bits >> 52 & 0x7ff) - 1023;
    bits = (bits & 0xfffffffffffff) | (uint64_t)1023 << 52;
    double m;
    memcpy(&m, &bits, sizeof m);
    int upper = m > 0x1.6a09e667f3bcdp0;
    m = upper ? m * 0.5 : m;
    e = e + upper;
    double s = (m - 1) / (m + 1), s2 = s * s, sum = 0;
    sum = sum * s2 + 1.0 / 21;
    sum = sum * s2 + 1.0 / 19;
    sum = sum * s2 + 1.0 / 17;
    sum = sum * s2 + 1.0 / 15;
    sum = sum * s2 + 1.0 / 13;
    sum = sum * s2 + 1.0 / 11;
    sum = sum * s2 + 1.0 / 9;
    sum = sum * s2 + 1.0 / 7;
    sum = sum * s2 + 1.0 / 5;
    sum = sum * s2 + 1.0 / 3;
    sum = sum * s2 + 1.0;
    float result = (float)(e * 0x1.62e42fefa39efp-1 + 2 * s * sum);
    result = f == INFINITY ? f : result;
    result = f < 0 ? NAN : result;
    return f == 0 ? -INFINITY : result;
}

/* Near zero the quotient of exponentials would cancel; the series' next term is below 2^-51 of the result. */
EACH float tanh_float(float f)
{
    double x = f, x2 = x * x;
    float small = (float)(x * (1 - x2 * (1.0 / 3 - x2 * (2.0 / 15 - x2 * (17.0 / 315)))));
    double e = exp_double(bounded(2 * x, 200));
    float large = (float)((e - 1) / (e + 1));
    return x2 < 0.0004 ? small : large;
}

EACH float sigmoid_float(float x) { return (float)(1 / (1 + exp_double(bounded(-(double)x, 200)))); }

/* Below -200 the result is -0 in fp32, as it is at -200; the bound keeps infinity from meeting a quotient of zero. */
EACH double above_underflow(double x) { return x < -200 ? -200 : x; }

EACH float silu_float(float f)
{
    double x = above_underflow(f);
    return (float)(x / (1 + exp_double(bounded(-x, 200))));
}

/* x Phi(x). The upper tail Q(z) of the normal distribution is e^(-z^2/2) R(z); R(z) is t times a polynomial in t = 4 / (4 + z), by
 * interpolation at Chebyshev's points of 0 <= z <= 15: its relative error is 2^-34 there. Phi is 1 - Q(x) above zero and Q(-x) below, so nothing
 * cancels. z^2 is exact in binary64. Beyond 15 the error grows, where Q is nothing beside 1 and x Q nothing in fp32. */
EACH float gelu_float(float f)
{
    double x = above_underflow(f), z = bounded(x < 0 ? -x : x, 20), t = 4 / (4 + z);
    double sum = 0x1.0bfcaf52ccedbp-7;
    sum = sum * t - 0x1.11d3779c331a6p-4;
    sum = sum * t + 0x1.d85ac1221dd24p-3;
    sum = sum * t - 0x1.b7445b696972bp-2;
    sum = sum * t + 0x1.e1637fd0b2319p-2;
    sum = sum * t - 0x1.6ba57bbf128e9p-2;
    sum = sum * t + 0x1.c3e01e32a8105p-3;
    sum = sum * t - 0x1.177a0e6a7cabfp-5;
    sum = sum * t + 0x1.5d248805189d0p-4;
    sum = sum * t + 0x1.3a703e51bb241p-4;
    sum = sum * t + 0x1.8142a60acfabep-4;
    sum = sum * t + 0x1.985735f91fd9bp-4;
    sum = sum * t + 0x1.9885e541e122bp-4;
    double tail = exp_double(z * z * -0.5) * (t * sum);
    return (float)(x * (x < 0 ? tail : 1 - tail));
}

/* erf x = 2/sqrt(pi) e^(-x^2) (x + 2 x^3/3 + 4 x^5/15 + ...): all terms have one sign, so nothing cancels. Beyond 4 it is 1 in fp32. A sum ends
 * with the term that is too small to matter, whatever the others beside it still do. */
enum { ERF_BESIDE = 32 };

EACH void erf_floats(float *f, int count)
{
    double x2[ERF_BESIDE], term[ERF_BESIDE], sum[ERF_BESIDE], smallest[ERF_BESIDE];
    for (int i = 0; i < count; i++) {
        double x = bounded(f[i], 4);
        x2[i] = x * x;
        term[i] = sum[i] = x;
        smallest[i] = (x < 0 ? -x : x) * 0x1p-56;
    }
    int64_t any = 1;
    for (double n = 3; any; n += 2) {
        any = 0;
        for (int i = 0; i < count; i++) {
            int64_t more = (term[i] > smallest[i]) | (term[i] < -smallest[i]);
            double next = term[i] * (2 * x2[i]) / n;
            term[i] = more ? next : term[i];
            sum[i] = more ? sum[i] + next : sum[i];
            any |= more;
        }
    }
    for (int i = 0; i < count; i++) f[i] = (float)(0x1.20dd750429b6dp0 * exp_double(-x2[i]) * sum[i]);
}

/* --- half precision, in arrays only: the machine has no such format --- */

float weft_half_to_float(uint16_t half)
{
    int exponent = half >> 10 & 31;
    double mantissa = half & 1023;
    double size = exponent == 31 ? (mantissa != 0 ? NAN : INFINITY)
                  : exponent     ? ldexp(mantissa + 1024, exponent - 25)
                                 : ldexp(mantissa, -24);
    return (float)(half & 0x8000 ? -size : size);
}

uint16_t weft_half_from_double(double value)
{
    uint16_t sign = signbit(value) ? 0x8000 : 0;
    double size = fabs(value);
    if (isnan(value))
        return sign | 0x7e00;
    if (size >= 65520)
        return sign | 0x7c00; /* rounds to infinity */
    int exponent;
    frexp(size, &exponent);
    if (exponent < -13 || size == 0)
        exponent = -13;                                   /* subnormals share the spacing of the least normal numbers */
    double units = nearbyint(ldexp(size, 11 - exponent)); /* 1024 to 2048, or less for a subnormal */
    return sign | (uint16_t)((exponent + 13) * 1024 + (int)units);
}

#define MANY_OF(NAME, RESULT)                                                                                                                \
    MANY static void NAME(float *values, size_t n)                                                                                           \
    {                                                                                                                                        \
        for (size_t i = 0; i < n; i++) {                                                                                                     \
            float value = values[i], x = value != value ? 1 : value;                                                                         \
            values[i] = value != value ? NAN : RESULT;                                                                                       \
        }                                                                                                                                    \
    }
MANY_OF(many_exp, exp_float(x))
MANY_OF(many_log, log_float(x))
MANY_OF(many_sqrt, sqrtf(x))
MANY_OF(many_rsqrt, 1 / sqrtf(x))
MANY_OF(many_tanh, tanh_float(x))
MANY_OF(many_sigmoid, sigmoid_float(x))
MANY_OF(many_silu, silu_float(x))
MANY_OF(many_gelu, gelu_float(x))
#undef MANY_OF

MANY static void many_erf(float *values, size_t n)
{
    for (size_t i = 0; i < n; i += ERF_BESIDE) {
        size_t count = n - i < ERF_BESIDE ? n - i : ERF_BESIDE;
        float x[ERF_BESIDE] = {0};
        for (size_t j = 0; j < count; j++) x[j] = values[i + j] != values[i + j] ? 0 : values[i + j];
        erf_floats(x, ERF_BESIDE);
        for (size_t j = 0; j < count; j++) values[i + j] = values[i + j] != values[i + j] ? NAN : x[j];
    }
}

static float erf_float(float x)
{
    erf_floats(&x, 1);
    return x;
}

float weft_apply(enum weft_function function, float x, float alpha)
{
    if (x != x)
        return NAN;
    switch (function) {
    case WEFT_FUNCTION_relu: return x < 0 ? 0 : x;
    case WEFT_FUNCTION_leaky: return x < 0 ? alpha * x : x;
    case WEFT_FUNCTION_exp: return exp_float(x);
    case WEFT_FUNCTION_log: return log_float(x);
    case WEFT_FUNCTION_recip: return 1 / x;
    case WEFT_FUNCTION_sqrt: return sqrtf(x);
    case WEFT_FUNCTION_rsqrt: return 1 / sqrtf(x);
    case WEFT_FUNCTION_tanh: return tanh_float(x);
    case WEFT_FUNCTION_sigmoid: return sigmoid_float(x);
    case WEFT_FUNCTION_erf: return erf_float(x);
    case WEFT_FUNCTION_abs: return x < 0 ? -x : x == 0 ? 0 : x;
    case WEFT_FUNCTION_floor: return floorf(x);
    case WEFT_FUNCTION_silu: return silu_float(x);
    case WEFT_FUNCTION_gelu: return gelu_float(x);
    case WEFT_FUNCTION_none:
    case WEFT_FUNCTION_table: break; /* the table is looked up after rounding, by who holds it */
    }
    return x;
}

void weft_apply_many(float *x, size_t n, enum weft_function function, float alpha)
{
    switch (function) {
    case WEFT_FUNCTION_exp: many_exp(x, n); return;
    case WEFT_FUNCTION_log: many_log(x, n); return;
    case WEFT_FUNCTION_sqrt: many_sqrt(x, n); return;
    case WEFT_FUNCTION_rsqrt: many_rsqrt(x, n); return;
    case WEFT_FUNCTION_tanh: many_tanh(x, n); return;
    case WEFT_FUNCTION_sigmoid: many_sigmoid(x, n); return;
    case WEFT_FUNCTION_erf: many_erf(x, n); return;
    case WEFT_FUNCTION_silu: many_silu(x, n); return;
    case WEFT_FUNCTION_gelu: many_gelu(x, n); return;
    default:
        for (size_t i = 0; i < n; i++)
            x[i] = weft_apply(function, x[i], alpha);
    }
}
