/* test_refuse.c: what the machine cannot do, and what no host can hold, is named at once and before the work begins. A hostile size
 * that were taken would take this test minutes and gigabytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "weft_compiler.h"

#define HEAD "<ir_version: 8, opset_import: [\"\" : 14]>\n"

struct caught { char text[8192]; size_t length; unsigned count; };

static void catch_message(void *user, const char *message)
{
    struct caught *c = user;
    c->count++;
    c->length += (size_t)snprintf(c->text + c->length, sizeof c->text - c->length, "%s\n", message);
    assert_true(c->length < sizeof c->text);
}

/* What loading and compiling say. */
static struct caught try_with(const char *text, struct weft_compile_options options)
{
    struct caught caught = {0};
    struct weft_diag diag = {catch_message, &caught, 0};
    struct weft_machine machine;
    struct weft_network *network = NULL;
    struct weft_program *program = NULL;
    char path[] = "/tmp/weft-refuse-XXXXXX.onnxtxt";
    int file = mkstemps(path, 8);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), (ssize_t)strlen(text));
    close(file);
    assert_int_equal(weft_machine_load(&machine, options.format && !strcmp(options.format, "bf16") ? "tiny" : "tpu-v1", &diag), WEFT_OK);
    enum weft_status status = weft_network_load(&network, path, &options, &diag);
    if (!status)
        status = weft_compile(&program, network, &machine, &options, &diag);
    assert_true((status == WEFT_OK) == (caught.count == 0));
    weft_program_free(program);
    weft_network_free(network);
    unlink(path);
    return caught;
}

static struct caught try_text(const char *text, int64_t batch, bool timing_only)
{
    return try_with(text, (struct weft_compile_options){.batch = batch, .timing_only = timing_only, .seed = 1});
}

static void says(const struct caught *caught, const char *wanted)
{
    if (!strstr(caught->text, wanted))
        fail_msg("says: %sand not: %s", caught->text, wanted);
}

/* Refusals of the importer and of the machine, in one run; what reads a refused node is not blamed. */
static void both_kinds_at_once(void **state)
{
    struct caught c = try_text(HEAD "m (float[N, 3, 8, 8] x, float[N, 4] a, int64[1] i) => (float[N, 3, 8, 8] y, float[N, 4] d)\n"
                               "{ h = Det (x) y = Relu (h)\n"
                               "w = RandomNormal <shape = [2, 2, 1, 1, 1]> () five = Unsqueeze (x, i) k = Conv (five, w)\n"
                               "g = Gather (i, i) d = Gather (a, g) }", 0, false);
    says(&c, "h (Det)");
    says(&c, "g (Gather)");
    says(&c, "d (Gather)");
    assert_null(strstr(c.text, "Relu"));
}

/* Where the importer refused a node there is no machine yet, and what is left is looked at all the same: reductions ask how large its buffer is. */
static void refused_before_a_machine(void **state)
{
    static const char *const bodies[] = {"y = GlobalAveragePool (x)", "y = ReduceSum (x)", "y = ReduceMean <axes = [0, 2]> (x)",
                                         "s = ReduceMax (x) t = Softmax (x) y = Sub (t, s)", "t = Transpose <perm = [0, 1, 3, 2]> (x) y = MatMul (x, t)"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        char text[512];
        snprintf(text, sizeof text, HEAD "m (float[N, 3, 8, 8] x) => (float y) { h = Det (x) %s }", bodies[i]);
        struct caught c = try_text(text, 0, false);
        says(&c, "h (Det)");
        assert_int_equal(c.count, 1);
    }
}

/* A scale for each channel divides like any other constant, and one that the network computes like any other value. */
static void scales_of_an_axis(void **state)
{
    struct caught c = try_text(HEAD "m (float[1, 3, 4, 4] x, float[1] t) => (float[1, 3, 4, 4] y) <float[3] s = {1, 2, 3}, uint8[3] z = {0, 1, 2}>"
                               "{ q = QuantizeLinear (x, s, z) r = DequantizeLinear (q, s, z) p = QuantizeLinear (r, t) y = DequantizeLinear (p, t) }", 0, false);
    assert_int_equal(c.count, 0);
}

/* A convolution of volumes comes as one of images, a pool of them as two. */
static void three_dimensions(void **state)
{
    struct caught c = try_text(HEAD "m (float[1, 2, 4, 4, 4] x) => (float[1, 2, 2, 2, 2] y) { w = RandomNormal <shape = [2, 2, 1, 1, 1]> ()\n"
                               "k = Conv (x, w) y = MaxPool <kernel_shape = [2, 2, 2], strides = [2, 2, 2]> (k) }", 0, false);
    assert_int_equal(c.count, 0);
}

/* Products of two computed values are of reals; integers of the network have zero points that their sums would need corrected for. */
static void computed_integers(void **state)
{
    struct caught c = try_text(HEAD "m (uint8[N, 4, 8] a, uint8[N, 8, 4] b) => (int32[N, 4, 4] y) { y = MatMulInteger (a, b) }", 0, false);
    says(&c, "y (MatMulInteger): second operand 'b' is computed by the network or is an input");
    assert_int_equal(c.count, 1);
}

/* Behind its weights stand numbers that take their sums away: blocks that go would leave those wrong. */
static void pruned_sums(void **state)
{
    static const char text[] = HEAD "m (uint8[3, 2] a, uint8 z) => (int32[3, 2] y) <int8[2, 2] w = {1, 2, 3, 4}> { y = MatMulInteger (a, w, z) }";
    struct caught c = try_with(text, (struct weft_compile_options){.prune = 0.5, .seed = 1});
    says(&c, "node y: its zero point is computed, and its weights carry their own sums: they cannot be pruned; leave out --prune");
    c = try_with(text, (struct weft_compile_options){.seed = 1});
    assert_int_equal(c.count, 0);
}

/* Weights that are no numbers would get codes of some; a mask of minus infinity is right, and so are all of them in floats. */
static void weights_that_are_no_numbers(void **state)
{
    static const struct { const char *body, *message; } cases[] = {
        {"l = Log (w) y = MatMul (x, l)", "node y (MatMul): constant 'l' holds nan at [1, 0], which int8 has no code for; mend the file, or take a format of floats (bf16, fp32)"},
        {"l = Reciprocal (z) y = Gemm (x, l)", "node y (Gemm): constant 'l' holds an infinity at [0, 1], which int8 has no code for"},
        {"c = Log (b) y = Gemm (x, i, c)", "node y (Gemm): constant 'c' holds nan at [1], which int8 has no code for"},
        {"c = Log (b) y = Mul (x, c)", "node y (Mul): constant 'c' holds nan at [1]"},
        {"c = Reciprocal (o) m = Neg (c) y = Add (x, m)", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int real = 0; real < 2; real++) {
            char text[1024];
            snprintf(text, sizeof text, HEAD "m (float[N, 2] x) => (float[N, 2] y) <float[2, 2] w = {1, 3, -1, 2}, float[2, 2] z = {1, 0, -1, 2}, float[2, 2] i = {1, 0, 0, 1}, float[2] b = {1, -1}, float[2] o = {1, 0}> { %s }",
                     cases[i].body);
            struct caught c = try_with(text, (struct weft_compile_options){.seed = 1, .format = real ? "bf16" : "int8"});
            assert_int_equal(c.count, !real && cases[i].message);
            if (c.count)
                says(&c, cases[i].message);
        }
}

static const struct { const char *text, *message; } hostile[] = {
    {"m (float[N, 4] x) => (float[N, 300000000] y) { w = RandomNormal <shape = [4, 300000000]> () y = MatMul (x, w) }",
     "w (RandomNormal): the constant is [4, 300000000], 1200000000 elements; at most 1073741824"},
    {"m (float[1, 4] x) => (float[a, b] y) { s = Constant <value = int64[2] {4, 3000000000}> () w = ConstantOfShape (s) y = Add (w, w) }",
     "w (ConstantOfShape): the constant is [4, 3000000000], 12000000000 elements; at most 1073741824"},
    {"m (float[1, 4] x) => (float[a, b] y) <int64[4] k = {0, 0, 0, 30000000}> { y = Pad (x, k) }",
     "layer y: its operands, result and constants need 30000384 bytes of unified buffer at once, and this kind of layer does not run in bands; machine tpu-v1 has 25165824"},
    {"m (float[1, 4] x) => (float[a, b] y) <int64[4] k = {1000000, 0, 0, 1000000}> { y = Pad (x, k) }",
     "y (Pad): the result is [1000001, 1000004], 1000005000004 elements; at most 2147483648"},
    {"m (float[1, 100000, 100000] x) => (float[a, b, c] y) { y = Relu (x) }",
     "input x is [1, 100000, 100000], 10000000000 elements; at most 2147483648"},
};

static void hostile_sizes(void **state)
{
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++)
        for (int timing = 0; timing < 2; timing++) {
            char text[1024];
            snprintf(text, sizeof text, HEAD "%s", hostile[i].text);
            struct caught c = try_text(text, 0, timing);
            says(&c, hostile[i].message);
            assert_int_equal(c.count, 1);
        }
}

/* 17 times 2^28 floats. */
static void too_many_constants(void **state)
{
    char text[4096];
    int at = snprintf(text, sizeof text, HEAD "m (float[N, 16384] x) => (float[N, 16384] y) { x0 = Relu (x)\n");
    for (int i = 0; i < 17; i++)
        at += snprintf(text + at, sizeof text - (size_t)at, "w%d = RandomNormal <shape = [16384, 16384]> () x%d = MatMul (x%d, w%d)\n", i, i + 1, i, i);
    snprintf(text + at, sizeof text - (size_t)at, "y = Relu (x17) }");
    struct caught c = try_text(text, 0, false);
    says(&c, "constants that the network makes take 18253611008 bytes; at most 16 GiB");
    assert_int_equal(c.count, 1);
}

/* A batch of a million times 784 and 2048 floats, and the result of the first layer beside its input. */
static void too_large_a_batch(void **state)
{
    struct caught c = try_text(HEAD "m (float[N, 784] x) => (float[N, 10] y) { w = RandomNormal <shape = [784, 2048]> () a = MatMul (x, w)\n"
                               "r = Relu (a) v = RandomNormal <shape = [2048, 10]> () y = MatMul (r, v) }", 1000000, false);
    says(&c, "at node r (Relu) the network holds values of 16384000000 bytes as floats; at most 4 GiB are supported: give a smaller --batch");
    assert_int_equal(c.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_kinds_at_once), cmocka_unit_test(refused_before_a_machine), cmocka_unit_test(scales_of_an_axis),
                                       cmocka_unit_test(three_dimensions), cmocka_unit_test(computed_integers), cmocka_unit_test(pruned_sums), cmocka_unit_test(weights_that_are_no_numbers), cmocka_unit_test(hostile_sizes),
                                       cmocka_unit_test(too_many_constants), cmocka_unit_test(too_large_a_batch)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
