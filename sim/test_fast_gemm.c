/* test_fast_gemm.c: products are exact, through oneDNN (where it is there) and through the plain loops. Expected sums come from
 * 64-bit arithmetic, one product after another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fast_gemm.h"

enum { M_MAX = 70, N_MAX = 140, K_MAX = 300, PAD = 5 };

static uint8_t a[M_MAX * (K_MAX + PAD) * 2], w[K_MAX * (N_MAX + PAD) * 2];
static uint32_t sums[M_MAX * (N_MAX + PAD)], before[M_MAX * (N_MAX + PAD)];

enum pattern { RANDOM, EXTREME };

static uint32_t draw(uint32_t *state) { return (*state = *state * 1664525u + 1013904223u) >> 8; }

/* Random bytes; or only the ends of the format's range, where a saturating or a floating sum goes wrong. */
static void fill(uint8_t *bytes, size_t count, enum weft_format format, enum pattern pattern, uint32_t seed)
{
    size_t size = weft_format_bytes(format);
    for (size_t i = 0; i < count; i++) {
        int32_t value = (int32_t)draw(&seed);
        if (pattern == EXTREME) value = value % 4 == 0 ? weft_format_low(format) : weft_format_high(format);
        weft_store_integer(bytes + i * size, format, value);
    }
}

static void check(struct gemm *gemm, enum weft_format a_format, enum weft_format w_format, size_t m, size_t n, size_t k, bool accumulate,
                  enum pattern pattern)
{
    size_t a_stride = k + PAD, w_stride = n + PAD, out_stride = n + PAD, a_size = weft_format_bytes(a_format), w_size = weft_format_bytes(w_format);
    fill(a, m * a_stride, a_format, pattern, 1);
    fill(w, k * w_stride, w_format, pattern, 2);
    uint32_t seed = 3;
    for (size_t i = 0; i < m * out_stride; i++) before[i] = sums[i] = i % 2 ? draw(&seed) << 8 : 0x7fffffffu;
    struct gemm_product product = {.a_format = a_format, .w_format = w_format, .m = m, .n = n, .k = k, .a = a, .a_stride = a_stride, .w = w,
                                   .w_stride = w_stride, .sums = (uint8_t *)sums, .sums_stride = out_stride, .accumulate = accumulate};
    assert_int_equal(gemm_multiply(gemm, &product), WEFT_OK);
    for (size_t r = 0; r < m; r++)
        for (size_t c = 0; c < out_stride; c++) {
            int64_t sum = 0;
            for (size_t i = 0; i < k && c < n; i++)
                sum += (int64_t)weft_load_integer(a + (r * a_stride + i) * a_size, a_format) *
                       weft_load_integer(w + (i * w_stride + c) * w_size, w_format);
            uint32_t expected = c < n ? (uint32_t)(uint64_t)sum + (accumulate ? before[r * out_stride + c] : 0) : before[r * out_stride + c];
            assert_int_equal(sums[r * out_stride + c], expected);
        }
}

static void check_all(struct gemm *gemm)
{
    static const enum weft_format formats[] = {WEFT_FORMAT_u8, WEFT_FORMAT_s8, WEFT_FORMAT_s16};
    static const size_t shapes[][3] = {{1, 1, 1}, {1, 130, 300}, {70, 1, 17}, {5, 64, 64}, {33, 140, 256}, {4, 65, 3}, {48, 16, 4}};
    for (unsigned i = 0; i < 9; i++)
        for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
            for (unsigned accumulate = 0; accumulate < 2; accumulate++)
                for (enum pattern pattern = RANDOM; pattern <= EXTREME; pattern++)
                    check(gemm, formats[i / 3], formats[i % 3], shapes[s][0], shapes[s][1], shapes[s][2], accumulate, pattern);
}

static void test_as_the_host_has_it(void **state)
{
    struct gemm *gemm;
    unsetenv("WEFT_GEMM");
    assert_int_equal(gemm_create(&gemm), WEFT_OK);
    if (!gemm_uses_library(gemm)) print_message("no oneDNN that is exact on this host: plain loops again\n");
    check_all(gemm);
    gemm_free(gemm);
}

static void test_plain(void **state)
{
    struct gemm *gemm;
    setenv("WEFT_GEMM", "plain", 1);
    assert_int_equal(gemm_create(&gemm), WEFT_OK);
    assert_false(gemm_uses_library(gemm));
    check_all(gemm);
    gemm_free(gemm);
}

/* bf16: 1, 2^-8 x 2^-16 = 2^-24 (half a unit in the last place of 1), and -1, in this order of k. 1 + 2^-24 rounds to 1 (ties to
 * even), so the sum is 0; any other order gives 2^-24. Then ACC 3 + 0 = 3. */
static void test_bf16_order(void **state)
{
    static const uint8_t x[] = {0x80, 0x3f, 0x80, 0x3b, 0x80, 0xbf}; /* 1, 2^-8, -1 */
    static const uint8_t y[] = {0x80, 0x3f, 0x80, 0x37, 0x80, 0x3f}; /* 1, 2^-16, 1 */
    float sum = 3.0f;
    struct gemm *gemm;
    assert_int_equal(gemm_create(&gemm), WEFT_OK);
    struct gemm_product product = {.a_format = WEFT_FORMAT_bf16, .w_format = WEFT_FORMAT_bf16, .m = 1, .n = 1, .k = 3, .a = x, .a_stride = 3,
                                   .w = y, .w_stride = 1, .sums = (uint8_t *)&sum, .sums_stride = 1, .accumulate = true};
    assert_int_equal(gemm_multiply(gemm, &product), WEFT_OK);
    assert_true(sum == 3.0f);
    product.accumulate = false;
    assert_int_equal(gemm_multiply(gemm, &product), WEFT_OK);
    assert_true(sum == 0.0f);
    product.k = 2; /* 1 + 2^-24 = 1 */
    assert_int_equal(gemm_multiply(gemm, &product), WEFT_OK);
    assert_true(sum == 1.0f);
    gemm_free(gemm);
}

/* Infinity x 0 is a NaN, which is stored as 0x7fc00000 whatever sign the host's has. */
static void test_bf16_nan(void **state)
{
    static const uint8_t x[] = {0x80, 0x7f}, y[] = {0, 0};
    uint32_t sum = 0;
    struct gemm *gemm;
    assert_int_equal(gemm_create(&gemm), WEFT_OK);
    struct gemm_product product = {.a_format = WEFT_FORMAT_bf16, .w_format = WEFT_FORMAT_bf16, .m = 1, .n = 1, .k = 1, .a = x, .a_stride = 1,
                                   .w = y, .w_stride = 1, .sums = (uint8_t *)&sum, .sums_stride = 1};
    assert_int_equal(gemm_multiply(gemm, &product), WEFT_OK);
    assert_int_equal(sum, 0x7fc00000);
    gemm_free(gemm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_the_host_has_it),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_bf16_order),
        cmocka_unit_test(test_bf16_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
