/* test_fast_kernels.c: the vector loops give the bits of isa/numbers.c, element by element, at the values where rounding, saturation
 * and NaNs decide. Rows are long enough for whole vectors and a rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

#include "fast_kernels.h"

enum { N = 101 };

/* Ties, their neighbours, the ends of the integer formats, what no integer holds. */
static const float edges[] = {
    0.0f, -0.0f, 0.5f, -0.5f, 1.5f, 2.5f, -1.5f, -2.5f, 0.49999997f, 126.5f, 127.5f, 128.5f, -127.5f, -128.5f, -129.0f, 254.5f, 255.5f, 256.0f,
    32766.5f, 32767.5f, -32768.5f, 8388607.5f, 16777216.0f, 2147483520.0f, 2147483648.0f, -2147483648.0f, -2147483904.0f, 1e30f, -1e30f,
    INFINITY, -INFINITY, NAN, 1e-45f, -1e-45f,
};

static void edge_values(float *out)
{
    for (size_t i = 0; i < N; i++) out[i] = edges[i % (sizeof edges / sizeof edges[0])];
}

static int32_t clamp(int32_t x, int32_t low, int32_t high) { return x < low ? low : x > high ? high : x; }

static void check_requantise(enum weft_format format, float mul, int32_t zero, int32_t low, int32_t high)
{
    float f[N];
    int32_t q[N];
    edge_values(f);
    struct kernel_range range = {zero, low, high, weft_format_low(format), weft_format_high(format)};
    kernel_requantise(q, f, N, mul, &range);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(q[i], clamp(weft_requantise(f[i] * mul, zero, low, high), weft_format_low(format), weft_format_high(format)));
}

static void test_requantise(void **state)
{
    static const enum weft_format formats[] = {WEFT_FORMAT_u8, WEFT_FORMAT_s8, WEFT_FORMAT_s16, WEFT_FORMAT_s32};
    static const int32_t zeros[] = {0, 1, -1, 3, 128, -128, 255, 1 << 25, -(1 << 25), INT32_MAX, INT32_MIN};
    static const int32_t clamps[][2] = {{INT32_MIN, INT32_MAX}, {0, 255}, {-5, 100}, {7, 7}, {300, 400}, {-400, -300}, {20, 10}};
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < sizeof zeros / sizeof zeros[0]; j++)
            for (size_t k = 0; k < sizeof clamps / sizeof clamps[0]; k++) {
                check_requantise(formats[i], 1.0f, zeros[j], clamps[k][0], clamps[k][1]);
                check_requantise(formats[i], 0.3f, zeros[j], clamps[k][0], clamps[k][1]);
            }
}

/* By hand: ties go to the even integer, NaN to the zero point, and the sum saturates before the clamp. */
static void test_requantise_by_hand(void **state)
{
    static const struct { float f; int32_t zero, result; } cases[] = {
        {0.5f, 0, 0}, {1.5f, 0, 2}, {2.5f, 0, 2}, {-0.5f, 10, 10}, {-1.5f, 10, 8}, {300.0f, 0, 255}, {-300.0f, 0, 0}, {NAN, 17, 17}, {INFINITY, 0, 255},
        {3e9f, 100, 255}, {-3e9f, 100, 0},
    };
    struct kernel_range range = {0, INT32_MIN, INT32_MAX, 0, 255};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int32_t q;
        range.zero = cases[i].zero;
        kernel_requantise(&q, &cases[i].f, 1, 1.0f, &range);
        assert_int_equal(q, cases[i].result);
    }
}

static void assert_same_bits(float a, float b)
{
    if (a != a && b != b) return; /* NaNs are made one when they are stored */
    assert_memory_equal(&a, &b, sizeof a);
}

static void test_functions(void **state)
{
    for (enum weft_function function = WEFT_FUNCTION_none; function <= WEFT_FUNCTION_gelu; function++) {
        if (function == WEFT_FUNCTION_table) continue;
        float f[N], x[N];
        edge_values(f);
        edge_values(x);
        kernel_apply(x, N, function, 0.01f);
        for (size_t i = 0; i < N; i++) assert_same_bits(x[i], weft_apply(function, f[i], 0.01f));
    }
}

/* Addresses are odd: elements lie anywhere. */
static void test_loads(void **state)
{
    static const enum weft_format formats[] = {WEFT_FORMAT_u8, WEFT_FORMAT_s8, WEFT_FORMAT_s16, WEFT_FORMAT_s32, WEFT_FORMAT_bf16, WEFT_FORMAT_f32};
    uint8_t bytes[4 * N + 1];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 37 + i / 11);
    for (size_t f = 0; f < 6; f++) {
        float x[N];
        kernel_load(x, bytes + 1, N, formats[f], -1000000007, 0.7f);
        for (size_t i = 0; i < N; i++) {
            const uint8_t *at = bytes + 1 + i * weft_format_bytes(formats[f]);
            if (!weft_format_is_integer(formats[f])) assert_same_bits(x[i], weft_load_float(at, formats[f]) * 0.7f);
            else assert_same_bits(x[i], (float)(int32_t)((uint32_t)weft_load_integer(at, formats[f]) + 1000000007u) * 0.7f);
        }
    }
}

static void test_float_stores(void **state)
{
    static const enum weft_format formats[] = {WEFT_FORMAT_bf16, WEFT_FORMAT_f32};
    float f[N];
    edge_values(f);
    for (size_t k = 0; k < 2; k++) {
        uint8_t out[4 * N + 1], expected[4];
        unsigned bytes = weft_format_bytes(formats[k]);
        kernel_store_floats(out + 1, f, N, formats[k]);
        for (size_t i = 0; i < N; i++) {
            weft_store_float(expected, formats[k], f[i]);
            assert_memory_equal(out + 1 + i * bytes, expected, bytes);
        }
    }
}

/* max and min keep the second of two zeros, as a > b ? a : b does, and a NaN on either side. */
static void test_max_of_zeros_and_nans(void **state)
{
    float a[2] = {0.0f, NAN}, b[2] = {-0.0f, 1.0f}, c[2] = {-0.0f, 1.0f}, d[2] = {0.0f, NAN};
    kernel_combine(a, b, 2, KERNEL_MAX);
    assert_true(signbit(a[0]) && isnan(a[1]));
    kernel_combine(c, d, 2, KERNEL_MIN);
    assert_true(!signbit(c[0]) && isnan(c[1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requantise), cmocka_unit_test(test_requantise_by_hand), cmocka_unit_test(test_functions),
        cmocka_unit_test(test_loads),      cmocka_unit_test(test_float_stores),       cmocka_unit_test(test_max_of_zeros_and_nans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
