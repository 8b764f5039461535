/* Proves numbers.c: rounding by hand-picked cases, functions against the C library's binary64 results. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "weft_isa.h"

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

static uint32_t stored(enum weft_format format, float f)
{
    uint8_t b[4] = {0};
    weft_store_float(b, format, f);
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static void integers_are_little_endian(void **state)
{
    (void)state;
    const uint8_t b[4] = {0xfe, 0xff, 0x7f, 0x80};
    assert_int_equal(weft_load_integer(b, WEFT_FORMAT_u8), 254);
    assert_int_equal(weft_load_integer(b, WEFT_FORMAT_s8), -2);
    assert_int_equal(weft_load_integer(b + 1, WEFT_FORMAT_s16), 32767);
    assert_int_equal(weft_load_integer(b, WEFT_FORMAT_s16), -2);
    assert_int_equal(weft_load_integer(b, WEFT_FORMAT_s32), (int32_t)0x807ffffe);
    uint8_t out[5] = {9, 9, 9, 9, 9};
    weft_store_integer(out, WEFT_FORMAT_s16, -2);
    assert_memory_equal(out, ((uint8_t[]){0xfe, 0xff, 9, 9, 9}), 5);
    weft_store_integer(out, WEFT_FORMAT_s32, 0x01020304);
    assert_memory_equal(out, ((uint8_t[]){4, 3, 2, 1, 9}), 5);
    weft_store_integer(out, WEFT_FORMAT_u8, 200);
    assert_int_equal(out[0], 200);
}

static void formats_have_names_sizes_and_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned bytes;
        bool integer;
        int32_t low, high;
    } want[] = {{"u8", 1, true, 0, 255}, {"s8", 1, true, -128, 127}, {"s16", 2, true, -32768, 32767}, {"s32", 4, true, INT32_MIN, INT32_MAX},
                {"bf16", 2, false, 0, 0}, {"f32", 4, false, 0, 0}};
    for (unsigned i = 0; i < 6; i++) {
        enum weft_format f;
        assert_true(weft_format_find(&f, want[i].name));
        assert_int_equal(f, i);
        assert_string_equal(weft_format_name(f), want[i].name);
        assert_int_equal(weft_format_bytes(f), want[i].bytes);
        assert_int_equal(weft_format_is_integer(f), want[i].integer);
        assert_int_equal(weft_format_low(f), want[i].low);
        assert_int_equal(weft_format_high(f), want[i].high);
    }
    enum weft_format f;
    assert_false(weft_format_find(&f, "fp8"));
}

static void bf16_rounds_to_nearest_even(void **state)
{
    (void)state;
    assert_int_equal(stored(WEFT_FORMAT_bf16, 1.0f), 0x3f80);
    assert_int_equal(stored(WEFT_FORMAT_bf16, float_of(0x3f808000)), 0x3f80); /* a tie, to even: down */
    assert_int_equal(stored(WEFT_FORMAT_bf16, float_of(0x3f818000)), 0x3f82); /* a tie, to even: up */
    assert_int_equal(stored(WEFT_FORMAT_bf16, float_of(0x3f808001)), 0x3f81);
    assert_int_equal(stored(WEFT_FORMAT_bf16, float_of(0x3f80ffff)), 0x3f81);
    assert_int_equal(stored(WEFT_FORMAT_bf16, FLT_MAX), 0x7f80);              /* rounds to infinity */
    assert_int_equal(stored(WEFT_FORMAT_bf16, -0.0f), 0x8000);
    assert_int_equal(stored(WEFT_FORMAT_bf16, float_of(0x00008001)), 0x0001); /* subnormal */
    assert_int_equal(stored(WEFT_FORMAT_bf16, float_of(0xff800001)), 0x7fc0); /* every NaN */
    assert_int_equal(stored(WEFT_FORMAT_bf16, float_of(0x7fffffff)), 0x7fc0);
    assert_int_equal(stored(WEFT_FORMAT_f32, float_of(0xffc12345)), 0x7fc00000);
    assert_int_equal(stored(WEFT_FORMAT_f32, -1.5f), 0xbfc00000);
    const uint8_t half[] = {0x00, 0x3f};
    assert_true(weft_load_float(half, WEFT_FORMAT_bf16) == 0.5f);
}

static void requantise_rounds_and_saturates(void **state)
{
    (void)state;
    const int32_t low = INT32_MIN, high = INT32_MAX;
    assert_int_equal(weft_requantise(0.5f, 0, low, high), 0);
    assert_int_equal(weft_requantise(1.5f, 0, low, high), 2);
    assert_int_equal(weft_requantise(2.5f, 0, low, high), 2);
    assert_int_equal(weft_requantise(-0.5f, 0, low, high), 0);
    assert_int_equal(weft_requantise(-1.5f, 0, low, high), -2);
    assert_int_equal(weft_requantise(-2.5f, 7, low, high), 5);
    assert_int_equal(weft_requantise(0.49999997f, 0, low, high), 0); /* adding a half first would give 1 */
    assert_int_equal(weft_requantise(8388609.0f, 0, low, high), 8388609);
    assert_int_equal(weft_requantise(NAN, 3, low, high), 3);
    assert_int_equal(weft_requantise(NAN, 3, 10, 20), 10);
    assert_int_equal(weft_requantise(INFINITY, 0, low, high), INT32_MAX);
    assert_int_equal(weft_requantise(-INFINITY, 0, low, high), INT32_MIN);
    assert_int_equal(weft_requantise(2147483648.0f, 0, low, high), INT32_MAX);
    assert_int_equal(weft_requantise(2147483520.0f, 0, low, high), 2147483520);
    assert_int_equal(weft_requantise(-2147483648.0f, 0, low, high), INT32_MIN);
    assert_int_equal(weft_requantise(3e9f, 100, low, high), INT32_MAX); /* the addition saturates, */
    assert_int_equal(weft_requantise(3e9f, -100, low, high), INT32_MAX - 100); /* after the rounding did */
    assert_int_equal(weft_requantise(-3e9f, -100, low, high), INT32_MIN);
    assert_int_equal(weft_requantise(300.0f, 0, 0, 255), 255);
    assert_int_equal(weft_requantise(-300.0f, 0, 0, 255), 0);
}

static void simple_functions(void **state)
{
    (void)state;
    assert_true(weft_apply(WEFT_FUNCTION_none, -3.0f, 0) == -3.0f);
    assert_true(weft_apply(WEFT_FUNCTION_relu, -3.0f, 0) == 0.0f);
    assert_true(weft_apply(WEFT_FUNCTION_relu, 3.0f, 0) == 3.0f);
    assert_int_equal(bits_of(weft_apply(WEFT_FUNCTION_relu, -0.0f, 0)), 0x80000000); /* -0 is not below 0 */
    assert_true(weft_apply(WEFT_FUNCTION_leaky, -4.0f, 0.25f) == -1.0f);
    assert_true(weft_apply(WEFT_FUNCTION_leaky, 4.0f, 0.25f) == 4.0f);
    assert_true(weft_apply(WEFT_FUNCTION_recip, 4.0f, 0) == 0.25f);
    assert_true(weft_apply(WEFT_FUNCTION_recip, -0.0f, 0) == -INFINITY);
    assert_true(weft_apply(WEFT_FUNCTION_sqrt, 9.0f, 0) == 3.0f);
    assert_true(weft_apply(WEFT_FUNCTION_rsqrt, 0.25f, 0) == 2.0f);
    assert_true(weft_apply(WEFT_FUNCTION_rsqrt, 0.0f, 0) == INFINITY);
    assert_true(weft_apply(WEFT_FUNCTION_abs, -7.5f, 0) == 7.5f);
    assert_int_equal(bits_of(weft_apply(WEFT_FUNCTION_abs, -0.0f, 0)), 0);
    assert_true(weft_apply(WEFT_FUNCTION_floor, -0.5f, 0) == -1.0f);
    assert_true(weft_apply(WEFT_FUNCTION_floor, 2.9f, 0) == 2.0f);
    assert_true(isnan(weft_apply(WEFT_FUNCTION_sqrt, -1.0f, 0)));
    for (unsigned f = 0; f <= WEFT_FUNCTION_gelu; f++)
        assert_true(isnan(weft_apply((enum weft_function)f, NAN, 0.5f)));
}

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double silu(double x) { return x / (1 + exp(-x)); }
static double gelu(double x) { return x * 0.5 * erfc(-x / sqrt(2)); }

/* Units in the last place of fp32 between a result and the exact value (binary64 is exact enough: its error is 2^-29 of that). */
static double error_in_ulps(float got, double exact)
{
    float nearest = (float)exact;
    if (isinf(nearest) || isnan(nearest) || isinf(got))
        return bits_of(got) == bits_of(nearest) || (isnan(nearest) && isnan(got)) ? 0 : 1e9;
    int exponent;
    frexp(exact, &exponent);
    double ulp = ldexp(1, exponent - 24 < -149 ? -149 : exponent - 24);
    return fabs((double)got - exact) / ulp;
}

static void functions_err_by_less_than_one_ulp(void **state)
{
    (void)state;
    static const struct {
        enum weft_function function;
        double (*exact)(double);
    } cases[] = {{WEFT_FUNCTION_exp, exp}, {WEFT_FUNCTION_log, log}, {WEFT_FUNCTION_tanh, tanh}, {WEFT_FUNCTION_sigmoid, sigmoid}, {WEFT_FUNCTION_erf, erf},
                 {WEFT_FUNCTION_silu, silu}, {WEFT_FUNCTION_gelu, gelu}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (uint64_t bits = 0; bits <= UINT32_MAX; bits += 49999) { /* all exponents, both signs, subnormals */
            float x = float_of((uint32_t)bits);
            if (isnan(x))
                continue;
            double error = error_in_ulps(weft_apply(cases[i].function, x, 0), cases[i].exact((double)x));
            if (!(error < 0.6)) /* binary64 inside: hardly more than the half of one rounding */
                fail_msg("function %d of %a (%08x) errs by %f", (int)cases[i].function, (double)x, (unsigned)bits, error);
        }
}

static void functions_near_one_and_at_the_ends(void **state)
{
    (void)state;
    for (int i = -3000; i <= 3000; i++) {
        float x = 1.0f + (float)i * FLT_EPSILON * 37;
        assert_true(error_in_ulps(weft_apply(WEFT_FUNCTION_log, x, 0), log((double)x)) < 0.6);
        float y = (float)i / 333.0f;
        assert_true(error_in_ulps(weft_apply(WEFT_FUNCTION_erf, y, 0), erf((double)y)) < 0.6);
        assert_true(error_in_ulps(weft_apply(WEFT_FUNCTION_tanh, y, 0), tanh((double)y)) < 0.6);
        assert_true(error_in_ulps(weft_apply(WEFT_FUNCTION_exp, y * 11, 0), exp((double)(y * 11))) < 0.6);
    }
    assert_true(weft_apply(WEFT_FUNCTION_exp, INFINITY, 0) == INFINITY);
    assert_int_equal(bits_of(weft_apply(WEFT_FUNCTION_exp, -INFINITY, 0)), 0);
    assert_true(weft_apply(WEFT_FUNCTION_exp, 0.0f, 0) == 1.0f);
    assert_true(weft_apply(WEFT_FUNCTION_log, 0.0f, 0) == -INFINITY);
    assert_true(isnan(weft_apply(WEFT_FUNCTION_log, -1.0f, 0)));
    assert_int_equal(bits_of(weft_apply(WEFT_FUNCTION_log, 1.0f, 0)), 0);
    assert_true(weft_apply(WEFT_FUNCTION_tanh, -INFINITY, 0) == -1.0f);
    assert_int_equal(bits_of(weft_apply(WEFT_FUNCTION_tanh, -0.0f, 0)), 0x80000000);
    assert_true(weft_apply(WEFT_FUNCTION_sigmoid, 0.0f, 0) == 0.5f);
    assert_true(weft_apply(WEFT_FUNCTION_sigmoid, INFINITY, 0) == 1.0f);
    assert_true(weft_apply(WEFT_FUNCTION_erf, -INFINITY, 0) == -1.0f);
}

/* Where the result is an ordinary number, subnormal, and then nothing: closer together than over all of fp32. */
static void silu_and_gelu_from_end_to_end(void **state)
{
    (void)state;
    for (int i = -115000; i <= 115000; i++) {
        float x = (float)i / 1000.0f, y = (float)i / 5000.0f;
        assert_true(error_in_ulps(weft_apply(WEFT_FUNCTION_silu, x, 0), silu((double)x)) < 0.6);
        assert_true(error_in_ulps(weft_apply(WEFT_FUNCTION_gelu, y, 0), gelu((double)y)) < 0.6);
    }
    for (enum weft_function f = WEFT_FUNCTION_silu; f <= WEFT_FUNCTION_gelu; f++) {
        assert_true(weft_apply(f, INFINITY, 0) == INFINITY);
        assert_true(weft_apply(f, FLT_MAX, 0) == FLT_MAX);
        assert_int_equal(bits_of(weft_apply(f, -INFINITY, 0)), 0x80000000); /* the limit, from below */
        assert_int_equal(bits_of(weft_apply(f, -FLT_MAX, 0)), 0x80000000);
        assert_int_equal(bits_of(weft_apply(f, -0.0f, 0)), 0x80000000);
        assert_int_equal(bits_of(weft_apply(f, 0.0f, 0)), 0);
    }
}

/* An element has the same bits alone and among others, however many these are. */
static void many_at_once_are_the_same(void **state)
{
    (void)state;
    for (unsigned f = 0; f <= WEFT_FUNCTION_gelu; f++) {
        float x[1037], many[1037];
        uint32_t bits = 1;
        for (size_t i = 0; i < 1037; i++, bits = bits * 1664525 + 1013904223) many[i] = x[i] = i % 2 ? float_of(bits) : (float)(int32_t)bits * 0x1p-27f;
        weft_apply_many(many, 1037, (enum weft_function)f, 0.5f);
        for (size_t i = 0; i < 1037; i++) {
            float one = weft_apply((enum weft_function)f, x[i], 0.5f);
            assert_true(bits_of(one) == bits_of(many[i]) || (isnan(one) && isnan(many[i])));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_little_endian), cmocka_unit_test(formats_have_names_sizes_and_bounds),
        cmocka_unit_test(bf16_rounds_to_nearest_even), cmocka_unit_test(requantise_rounds_and_saturates), cmocka_unit_test(simple_functions),
        cmocka_unit_test(functions_err_by_less_than_one_ulp), cmocka_unit_test(functions_near_one_and_at_the_ends),
        cmocka_unit_test(silu_and_gelu_from_end_to_end), cmocka_unit_test(many_at_once_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
