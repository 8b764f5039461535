/* test_interp.c: what ONNX's own tests leave out: integers at their limits, channels with their own zero points, stacks of
 * matrices, and the walk over a graph. Expected numbers are worked out by hand or by plain loops in 64-bit integers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "interp.h"
#include "interp_kernels.h"
#include "random.h"

#define SHAPE(...) ((struct shape){.rank = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), .dims = {__VA_ARGS__}})

static void note(void *user, const char *message)
{
    snprintf(user, 256, "%s", message);
}

static void run_node(enum core_op op, struct attributes at, const struct tensor *const *inputs, unsigned count, struct tensor *out)
{
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    struct node node = {.op = op, .name = (char *)"n", .onnx_type = (char *)"N", .input_count = count, .output_count = 1, .at = at};
    assert_int_equal(interp_node(&node, inputs, (struct tensor *[]){out}, &diag), WEFT_OK);
}

static void random_bytes(uint8_t *bytes, int64_t count, uint64_t seed)
{
    for (int64_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)random_hash(seed + (uint64_t)i);
}

/* --- products -------------------------------------------------------------------------------------------------------------- */

/* 1000 products of 255 and -255 are -65,025,000: far beyond the 2^24 that one fp32 sum could hold. */
static void integer_sums_are_exact(void **state)
{
    enum { M = 20, K = 1000, N = 30 };
    static float a[M * K], b[K * N];
    static int32_t c[M * N];
    for (int i = 0; i < M * K; i++)
        a[i] = 255;
    for (int i = 0; i < K * N; i++)
        b[i] = i % N ? -255 : -254;
    struct gemm g = {.m = M, .n = N, .k = K, .lda = K, .ldb = N, .ldc = N};
    assert_true(interp_igemm(&g, a, b, c));
    for (int i = 0; i < M * N; i++)
        assert_int_equal(c[i], i % N ? -65025000 : -64770000);
}

/* 40,000 products of 255 and 255 make 2,601,000,000, which 32 bits wrap to -1,693,967,296, as ONNX's int32 does. */
static void integer_sums_wrap(void **state)
{
    enum { K = 40000 };
    static float a[K], b[K];
    int32_t c;
    for (int i = 0; i < K; i++)
        a[i] = b[i] = 255;
    struct gemm g = {.m = 1, .n = 1, .k = K, .lda = K, .ldb = 1, .ldc = 1};
    assert_true(interp_igemm(&g, a, b, &c));
    assert_int_equal(c, -1693967296);
}

static void products_match_plain_loops(void **state)
{
    enum { M = 37, K = 41, N = 29 };
    static float a[M * K], b[K * N], c[M * N];
    double numbers[K * N + M * K];
    random_normal(numbers, 0, M * K + K * N, 1, 0, 1);
    for (int i = 0; i < M * K; i++)
        a[i] = (float)numbers[i];
    for (int i = 0; i < K * N; i++)
        b[i] = (float)numbers[M * K + i];
    for (int way = 0; way < 4; way++) {
        bool ta = way & 1, tb = way & 2;
        struct gemm g = {.trans_a = ta, .trans_b = tb, .m = M, .n = N, .k = K, .lda = ta ? M : K, .ldb = tb ? K : N, .ldc = N};
        interp_sgemm(&g, a, b, c);
        for (int i = 0; i < M; i++)
            for (int j = 0; j < N; j++) {
                double sum = 0;
                for (int k = 0; k < K; k++)
                    sum += (double)a[ta ? k * M + i : i * K + k] * (double)b[tb ? j * K + k : k * N + j];
                assert_float_equal(c[i * N + j], sum, 1e-4);
            }
    }
}

/* [2, 1, 3, 4] by [5, 4, 6]: a stack of 2 x 5 products, in which either side repeats. */
static void stacks_broadcast(void **state)
{
    int32_t a[2 * 3 * 4], b[5 * 4 * 6], y[2 * 5 * 3 * 6];
    float fa[2 * 3 * 4], fb[5 * 4 * 6], fy[2 * 5 * 3 * 6];
    for (int i = 0; i < 24; i++)
        fa[i] = (float)(a[i] = i % 7 - 3);
    for (int i = 0; i < 120; i++)
        fb[i] = (float)(b[i] = i % 11 - 5);
    struct tensor ta = {ELEMENT_S32, SHAPE(2, 1, 3, 4), a}, tb = {ELEMENT_S32, SHAPE(5, 4, 6), b}, ty = {ELEMENT_S32, SHAPE(2, 5, 3, 6), y};
    run_node(CORE_MATMUL, (struct attributes){0}, (const struct tensor *[]){&ta, &tb}, 2, &ty);
    struct tensor ga = {ELEMENT_F32, ta.shape, fa}, gb = {ELEMENT_F32, tb.shape, fb}, gy = {ELEMENT_F32, ty.shape, fy};
    run_node(CORE_MATMUL, (struct attributes){0}, (const struct tensor *[]){&ga, &gb}, 2, &gy);
    for (int n = 0; n < 180; n++) {
        int p = n / 90, q = n / 18 % 5, i = n / 6 % 3, j = n % 6, sum = 0;
        for (int k = 0; k < 4; k++)
            sum += a[(p * 3 + i) * 4 + k] * b[(q * 4 + k) * 6 + j];
        assert_int_equal(y[n], sum);
        assert_true(fy[n] == (float)sum);
    }
}

/* --- integer convolutions -------------------------------------------------------------------------------------------------- */

struct plain {
    int channels, filters, groups, in, out, kernel, stride, pad;
};

static int64_t plain_sum(const struct plain *p, const uint8_t *x, int zx, const int8_t *w, int zw, int f, int oy, int ox)
{
    int per = p->channels / p->groups, group = f / (p->filters / p->groups);
    int64_t sum = 0;
    for (int c = 0; c < per; c++)
        for (int ky = 0; ky < p->kernel; ky++)
            for (int kx = 0; kx < p->kernel; kx++) {
                int y = oy * p->stride - p->pad + ky, at = ox * p->stride - p->pad + kx;
                if (y < 0 || y >= p->in || at < 0 || at >= p->in)
                    continue;
                sum += (int64_t)(x[((group * per + c) * p->in + y) * p->in + at] - zx) *
                       (w[((f * per + c) * p->kernel + ky) * p->kernel + kx] - zw);
            }
    return sum;
}

static void check_convolution(struct plain p)
{
    int per = p.channels / p.groups, results = p.filters * p.out * p.out;
    uint8_t *x = malloc((size_t)(p.channels * p.in * p.in)), zx = 131;
    int8_t *w = malloc((size_t)(p.filters * per * p.kernel * p.kernel)), *zw = malloc((size_t)p.filters);
    int32_t *y = malloc((size_t)results * sizeof *y);
    random_bytes(x, p.channels * p.in * p.in, 1);
    random_bytes((uint8_t *)w, p.filters * per * p.kernel * p.kernel, 2);
    random_bytes((uint8_t *)zw, p.filters, 3);
    struct tensor tx = {ELEMENT_U8, SHAPE(1, p.channels, p.in, p.in), x}, tw = {ELEMENT_S8, SHAPE(p.filters, per, p.kernel, p.kernel), w};
    struct tensor tzx = {ELEMENT_U8, {0}, &zx}, tzw = {ELEMENT_S8, SHAPE(p.filters), zw},
                  ty = {ELEMENT_S32, SHAPE(1, p.filters, p.out, p.out), y};
    struct attributes at = {.kernel = {p.kernel, p.kernel},
                            .stride = {p.stride, p.stride},
                            .dilation = {1, 1},
                            .pad_begin = {p.pad, p.pad},
                            .pad_end = {p.pad, p.pad},
                            .spatial = 2,
                            .groups = p.groups};
    run_node(CORE_CONV_INTEGER, at, (const struct tensor *[]){&tx, &tw, &tzx, &tzw}, 4, &ty);
    for (int i = 0; i < results; i++)
        assert_int_equal(y[i], plain_sum(&p, x, zx, w, zw[i / p.out / p.out], i / p.out / p.out, i / p.out % p.out, i % p.out));
    free(x);
    free(w);
    free(zw);
    free(y);
}

static void integer_convolutions_match_plain_loops(void **state)
{
    check_convolution((struct plain){
        .channels = 64, .filters = 6, .groups = 1, .in = 9, .out = 9, .kernel = 3, .stride = 1, .pad = 1}); /* 576 products a sum */
    check_convolution(
        (struct plain){.channels = 8, .filters = 8, .groups = 8, .in = 9, .out = 5, .kernel = 3, .stride = 2, .pad = 1}); /* depthwise */
    check_convolution((struct plain){
        .channels = 8, .filters = 16, .groups = 8, .in = 6, .out = 4, .kernel = 5, .stride = 1, .pad = 1}); /* with a multiplier */
    check_convolution(
        (struct plain){.channels = 12, .filters = 6, .groups = 3, .in = 7, .out = 3, .kernel = 3, .stride = 2, .pad = 0}); /* groups */
    check_convolution((struct plain){
        .channels = 300, .filters = 4, .groups = 1, .in = 3, .out = 3, .kernel = 1, .stride = 1, .pad = 0}); /* read as it lies */
    check_convolution(
        (struct plain){.channels = 1, .filters = 2, .groups = 1, .in = 17, .out = 1, .kernel = 17, .stride = 1, .pad = 0}); /* 289 taps */
}

/* One product for each of two filters: (10 - 4) x 5 + 7 = 37 and (10 - 4) x -3 + 1 = -17. Scales 0.5 x 0.5 / 2 = 1/8 and 0.5 x 1 / 2 = 1/4:
 * 4.625 and -4.25, rounded 5 and -4, plus 3. With bias 11 instead of 1: -7 x 1/4 = -1.75. Ties: 36 / 8 = 4.5 goes to 4. */
static void requantisation_by_hand(void **state)
{
    uint8_t x = 10, zx = 4, zy = 3, y[2];
    int8_t w[] = {5, -3}, zw = 0;
    float sx = 0.5, sw[] = {0.5, 1}, sy = 2;
    int32_t bias[] = {7, 1};
    struct tensor in[] = {
        {ELEMENT_U8, SHAPE(1, 1, 1, 1), &x}, {ELEMENT_F32, {0}, &sx}, {ELEMENT_U8, {0}, &zx},  {ELEMENT_S8, SHAPE(2, 1, 1, 1), w},
        {ELEMENT_F32, SHAPE(2), sw},         {ELEMENT_S8, {0}, &zw},  {ELEMENT_F32, {0}, &sy}, {ELEMENT_U8, {0}, &zy},
        {ELEMENT_S32, SHAPE(2), bias}};
    const struct tensor *inputs[9];
    for (int i = 0; i < 9; i++)
        inputs[i] = &in[i];
    struct tensor out = {ELEMENT_U8, SHAPE(1, 2, 1, 1), y};
    struct attributes at = {.kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}, .spatial = 2, .groups = 1};
    run_node(CORE_QCONV, at, inputs, 9, &out);
    assert_int_equal(y[0], 8);
    assert_int_equal(y[1], 0); /* -1 is below a byte */
    bias[0] = 6;
    bias[1] = 11;
    run_node(CORE_QCONV, at, inputs, 9, &out);
    assert_int_equal(y[0], 7);
    assert_int_equal(y[1], 1);
}

/* --- the walk over a graph -------------------------------------------------------------------------------------------------- */

struct seen {
    int order[8], count;
};

static void see(void *user, int value, const struct tensor *tensor)
{
    struct seen *seen = user;
    assert_non_null(tensor->bytes);
    seen->order[seen->count++] = value;
}

/* x -> relu -> neg -> y, and a constant that is an output itself. */
static struct graph *small_graph(int ids[4])
{
    struct graph *graph;
    assert_int_equal(graph_create(&graph), WEFT_OK);
    struct shape two = SHAPE(2);
    ids[0] = graph_add_value(graph, "x", ELEMENT_F32, &two);
    ids[1] =
        graph_add_output(graph, graph_add_node(graph, CORE_RELU, "relu", NULL, &ids[0], 1), graph_add_value(graph, "r", ELEMENT_F32, &two));
    ids[2] =
        graph_add_output(graph, graph_add_node(graph, CORE_NEG, "neg", NULL, &ids[1], 1), graph_add_value(graph, "y", ELEMENT_F32, &two));
    ids[3] = graph_add_constant(graph, "c", ELEMENT_F32, &two, (float[]){5, 6});
    graph->inputs = malloc(sizeof(int));
    graph->outputs = malloc(2 * sizeof(int));
    graph->inputs[graph->input_count++] = ids[0];
    graph->outputs[graph->output_count++] = ids[2];
    graph->outputs[graph->output_count++] = ids[3];
    return graph;
}

static void values_are_seen_then_freed(void **state)
{
    for (int keep = 0; keep < 2; keep++) {
        int ids[4];
        struct graph *graph = small_graph(ids);
        struct tensor x = {ELEMENT_F32, SHAPE(2), (float[]){-1, 2}};
        struct seen seen = {{0}, 0};
        struct interp_run run;
        assert_int_equal(interp_graph(&run, graph, &x, keep, see, &seen, NULL), WEFT_OK);
        assert_int_equal(seen.count, 3);
        for (int i = 0; i < 3; i++)
            assert_int_equal(seen.order[i], ids[i]);
        assert_true(keep == (run.values[ids[0]].bytes != NULL));
        assert_true(keep == (run.values[ids[1]].bytes != NULL));
        const float *y = run.values[ids[2]].bytes, *c = run.values[ids[3]].bytes;
        assert_true(y[0] == 0 && y[1] == -2 && c[0] == 5 && c[1] == 6);
        interp_free(&run);
        graph_free(graph);
    }
}

static void absent_contents_are_refused(void **state)
{
    int ids[4];
    struct graph *graph = small_graph(ids);
    char message[256] = "";
    struct weft_diag diag = {note, message, 0};
    struct interp_run run;
    struct tensor x = {ELEMENT_F32, SHAPE(2), (float[]){-1, 2}};
    free(graph->values[ids[3]].bytes);
    graph->values[ids[3]].bytes = NULL;
    graph->values[ids[3]].contents = CONTENTS_ABSENT;
    assert_int_equal(interp_graph(&run, graph, &x, false, NULL, NULL, &diag), WEFT_ERROR);
    assert_non_null(strstr(message, "output c"));
    graph_free(graph);
}

static void gather_checks_its_indices(void **state)
{
    char message[256] = "";
    struct weft_diag diag = {note, message, 0};
    float y[2];
    for (int64_t index = -3; index <= 2; index++) {
        struct tensor x = {ELEMENT_F32, SHAPE(2), (float[]){10, 20}}, i = {ELEMENT_S64, SHAPE(1), &index}, out = {ELEMENT_F32, SHAPE(1), y};
        struct node node = {.op = CORE_GATHER, .name = (char *)"n", .onnx_type = (char *)"Gather", .input_count = 2, .output_count = 1};
        bool inside = index >= -2 && index <= 1;
        assert_int_equal(interp_node(&node, (const struct tensor *[]){&x, &i}, (struct tensor *[]){&out}, &diag),
                         inside ? WEFT_OK : WEFT_ERROR);
        if (inside)
            assert_true(y[0] == (index == 0 || index == -2 ? 10 : 20));
    }
    assert_non_null(strstr(message, "node n (Gather): index 2"));
}

/* ONNX leaves division by zero open for integers; it must not stop the program. */
static void integers_divide_without_trap(void **state)
{
    int64_t a[] = {7, -7, INT64_MIN, 5}, b[] = {2, 2, -1, 0}, y[4];
    struct tensor ta = {ELEMENT_S64, SHAPE(4), a}, tb = {ELEMENT_S64, SHAPE(4), b}, ty = {ELEMENT_S64, SHAPE(4), y};
    run_node(CORE_DIV, (struct attributes){0}, (const struct tensor *[]){&ta, &tb}, 2, &ty);
    assert_true(y[0] == 3 && y[1] == -3 && y[2] == INT64_MIN && y[3] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integer_sums_are_exact),
        cmocka_unit_test(integer_sums_wrap),
        cmocka_unit_test(products_match_plain_loops),
        cmocka_unit_test(stacks_broadcast),
        cmocka_unit_test(integer_convolutions_match_plain_loops),
        cmocka_unit_test(requantisation_by_hand),
        cmocka_unit_test(values_are_seen_then_freed),
        cmocka_unit_test(absent_contents_are_refused),
        cmocka_unit_test(gather_checks_its_indices),
        cmocka_unit_test(integers_divide_without_trap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
