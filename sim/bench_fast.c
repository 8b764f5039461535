/* bench_fast.c: how fast the fast engine's inner work runs on this host: products of typical tiles, and activated lanes.
 * Built with the tests, run by hand:  sim_bench_fast */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fast_gemm.h"
#include "fast_kernels.h"

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Random elements; floats of around 1. */
static void fill(uint8_t *bytes, size_t n, enum weft_format format)
{
    uint32_t x = 1;
    for (size_t i = 0; i < n; i++) {
        bytes[i] = (uint8_t)((x = x * 1664525u + 1013904223u) >> 24);
        if (format == WEFT_FORMAT_bf16 && i % 2) bytes[i] = (bytes[i] & 0x80) | 0x3f;
    }
}

static void bench_product(struct gemm *gemm, size_t m, size_t n, size_t k, enum weft_format a_format, enum weft_format w_format)
{
    uint8_t *a = malloc(m * k * 2), *w = malloc(k * n * 2), *sums = calloc(m * n, 4);
    if (!a || !w || !sums) goto done;
    fill(a, m * k * 2, a_format);
    fill(w, k * n * 2, w_format);
    struct gemm_product product = {.a_format = a_format, .w_format = w_format, .m = m, .n = n, .k = k, .a = a, .a_stride = k,
                                   .w = w, .w_stride = n, .sums = sums, .sums_stride = n, .accumulate = true};
    if (gemm_multiply(gemm, &product) != WEFT_OK) goto done; /* the first call generates code */
    double begin = seconds(), spent = 0;
    unsigned rounds = 0;
    for (; spent < 0.2; rounds++, spent = seconds() - begin)
        if (gemm_multiply(gemm, &product) != WEFT_OK) goto done;
    printf("%5zu x %4zu x %4zu  %4s x %-4s %8.1f GMAC/s\n", m, n, k, weft_format_name(a_format), weft_format_name(w_format),
           (double)m * (double)n * (double)k * rounds / spent * 1e-9);
done:
    free(a);
    free(w);
    free(sums);
}

static void bench_activate(void)
{
    enum { N = 2048 };
    static int32_t acc[N], bias[N], q[N];
    static float scale[N], f[N];
    static uint8_t out[N];
    struct kernel_range range = {3, INT32_MIN, INT32_MAX, 0, 255};
    for (int i = 0; i < N; i++) acc[i] = i * 37 - 20000, bias[i] = i, scale[i] = 0.01f;
    double begin = seconds(), spent = 0;
    unsigned rounds = 0;
    for (; spent < 0.2; rounds++, spent = seconds() - begin) {
        kernel_dequantise(f, acc, bias, scale, N);
        kernel_apply(f, N, WEFT_FUNCTION_relu, 0);
        kernel_requantise(q, f, N, 1.0f, &range);
        kernel_store_integers(out, q, N, WEFT_FORMAT_u8);
    }
    printf("activate, s32 to u8 with bias, scale and relu %8.3f ns a lane (%u)\n", spent / rounds / N * 1e9, out[N / 2]);
}

static void bench_functions(void)
{
    enum { N = 2048 };
    static const enum weft_function functions[] = {WEFT_FUNCTION_exp, WEFT_FUNCTION_log, WEFT_FUNCTION_rsqrt, WEFT_FUNCTION_tanh, WEFT_FUNCTION_sigmoid, WEFT_FUNCTION_erf, WEFT_FUNCTION_silu, WEFT_FUNCTION_gelu};
    static const char *const names[] = {"exp", "log", "rsqrt", "tanh", "sigmoid", "erf", "silu", "gelu"};
    static float x[N];
    for (size_t f = 0; f < sizeof functions / sizeof functions[0]; f++) {
        double begin = seconds(), spent = 0;
        unsigned rounds = 0;
        for (; spent < 0.1; rounds++, spent = seconds() - begin) {
            for (int i = 0; i < N; i++) x[i] = 3e-3f * (float)(i - N / 2);
            kernel_apply(x, N, functions[f], 0);
        }
        printf("%-8s %8.3f ns a lane\n", names[f], spent / rounds / N * 1e9);
    }
}

int main(void)
{
    struct gemm *gemm;
    if (gemm_create(&gemm) != WEFT_OK) return 1;
    printf("8-bit products by %s\n", gemm_uses_library(gemm) ? "oneDNN" : "plain loops");
    bench_product(gemm, 3136, 256, 256, WEFT_FORMAT_u8, WEFT_FORMAT_s8);
    bench_product(gemm, 784, 256, 256, WEFT_FORMAT_u8, WEFT_FORMAT_s8);
    bench_product(gemm, 196, 256, 256, WEFT_FORMAT_u8, WEFT_FORMAT_s8);
    bench_product(gemm, 49, 256, 256, WEFT_FORMAT_u8, WEFT_FORMAT_s8);
    bench_product(gemm, 784, 64, 64, WEFT_FORMAT_u8, WEFT_FORMAT_s8);
    bench_product(gemm, 784, 64, 256, WEFT_FORMAT_u8, WEFT_FORMAT_s8);
    bench_product(gemm, 1, 256, 256, WEFT_FORMAT_u8, WEFT_FORMAT_s8);
    bench_product(gemm, 784, 256, 256, WEFT_FORMAT_s8, WEFT_FORMAT_s8);
    bench_product(gemm, 784, 256, 256, WEFT_FORMAT_u8, WEFT_FORMAT_u8);
    bench_product(gemm, 784, 256, 256, WEFT_FORMAT_s16, WEFT_FORMAT_s8);
    bench_product(gemm, 784, 256, 256, WEFT_FORMAT_bf16, WEFT_FORMAT_bf16);
    bench_product(gemm, 784, 128, 128, WEFT_FORMAT_bf16, WEFT_FORMAT_bf16);
    bench_product(gemm, 128, 128, 128, WEFT_FORMAT_bf16, WEFT_FORMAT_bf16);
    bench_activate();
    bench_functions();
    gemm_free(gemm);
    return 0;
}
