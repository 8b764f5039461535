/* test_masks.c: masks of minus infinity that are given as inputs, wherever they are added on the way to a softmax: what they hide gets nothing, and the
 * rest keeps its digits. A mask that something else reads too has codes of bytes, and the code of minus infinity stays below the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "built.h"

static const char sum[] = HEAD "n (float[2, 4, 20] x, float[2, 4, 20] m) => (float[2, 4, 20] p) { u = Add (x, m)\n p = Softmax <axis = -1> (u) }";
static const char difference[] = HEAD "n (float[2, 4, 20] x, float[2, 4, 20] m) => (float[2, 4, 20] p) { i = Neg (m)\n u = Sub (x, i)\n p = Softmax <axis = -1> (u) }";
static const char two_sums[] = HEAD "n (float[2, 4, 20] x, float[2, 4, 20] m) => (float[2, 4, 20] p) { t = Transpose <perm = [0, 2, 1]> (x)\n b = Transpose <perm = [0, 2, 1]> (t)\n"
    "v = Add (m, b)\n u = Add (v, x)\n p = Softmax <axis = -1> (u) }";
static const char reshaped[] = HEAD "n (float[2, 1, 2, 12, 16] q, float[2, 1, 2, 16, 20] k, float[2, 1, 12, 20] m) => (float[2, 2, 12, 20] p) <int64[4] shape = {2, 2, 12, 20}, float f = {0.25}> {\n"
    "s = MatMul (q, k)\n a = Mul (s, f)\n t = Reshape (a, shape)\n u = Add (t, m)\n p = Softmax <axis = -1> (u) }";
static const char transposed[] = HEAD "n (float[2, 12, 4, 16] q, float[2, 12, 16, 20] k, float[2, 20, 12] m) => (float[2, 4, 12, 20] p) <int64[1] at = {1}> {\n"
    "s = MatMul (q, k)\n t = Transpose <perm = [0, 2, 1, 3]> (s)\n w = Transpose <perm = [0, 2, 1]> (m)\n h = Unsqueeze (w, at)\n u = Add (t, h)\n p = Softmax <axis = -1> (u) }";
static const char dense[] = HEAD "n (float[24, 16] x, float[24, 20] m) => (float[24, 20] p) {\n"
    WEIGHTS("w", "16, 20", "1.0") "s = MatMul (x, w)\n u = Add (s, m)\n p = Softmax <axis = -1> (u) }";
static const char read_twice[] = HEAD "n (float[2, 1, 4, 20] x, float[2, 1, 4, 20] m) => (float[2, 1, 4, 20] p, float[2, 1, 2, 10] o) { u = Add (x, m)\n p = Softmax <axis = -1> (u)\n"
    "l = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (m)\n o = Exp (l) }";

/* Random numbers, but of m: 0, and of two of seven minus infinity. */
static struct weft_arrays masked_inputs(const struct weft_program *program)
{
    struct weft_arrays arrays;
    assert_int_equal(weft_random_inputs(&arrays, program, 3, NULL), WEFT_OK);
    for (size_t i = 0; i < arrays.count; i++)
        for (size_t k = 0; !strcmp(arrays.items[i].name, "m") && k < arrays.items[i].size / sizeof(float); k++)
            ((float *)arrays.items[i].bytes)[k] = k % 7 < 5 ? 0 : -INFINITY;
    return arrays;
}

static void run_on(struct weft_sim *sim, const struct weft_program *p, const struct weft_arrays *inputs)
{
    uint64_t bytes;
    uint8_t *host = (uint8_t *)weft_sim_memory(sim, WEFT_SPACE_HOST, &bytes);
    for (size_t i = 0; i < p->input_count; i++)
        for (size_t k = 0; k < inputs->count; k++)
            if (!strcmp(inputs->items[k].name, p->inputs[i].name))
                assert_int_equal(weft_tensor_pack(host, bytes, &p->inputs[i], &inputs->items[k], NULL), WEFT_OK);
    assert_int_equal(weft_sim_run(sim, NULL), WEFT_OK);
}

static double decibels(const float *got, const float *want, uint64_t count)
{
    double signal = 0, noise = 1e-30;
    for (uint64_t i = 0; i < count; i++) {
        signal += (double)want[i] * want[i];
        noise += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
    }
    return 10 * log10(signal / noise);
}

static void is_close(const char *text, const char *format, double asked)
{
    static const char *const settings[] = {"formats=u8,s8,s16,bf16", NULL};
    struct built bare = build(text, format, settings);
    struct weft_arrays inputs = masked_inputs(bare.program);
    struct built b = build_by(text, &(struct weft_compile_options){.seed = 7, .format = format, .bindings = &inputs}, settings);
    struct weft_sim *sim;
    uint64_t bytes, count;
    assert_int_equal(weft_sim_create(&sim, b.program, &(struct weft_sim_options){.engine = WEFT_ENGINE_FAST}, NULL), WEFT_OK);
    run_on(sim, b.program, &inputs);
    assert_int_equal(weft_network_interpret(b.network, &inputs, NULL), WEFT_OK);
    const uint8_t *host = weft_sim_memory(sim, WEFT_SPACE_HOST, &bytes);
    for (size_t i = 0; i < b.program->output_count; i++) {
        struct weft_array out = {0};
        const float *want = weft_network_value(b.network, b.program->outputs[i].name, &count);
        assert_int_equal(weft_tensor_unpack(&out, &b.program->outputs[i], host, bytes, NULL), WEFT_OK);
        double db = decibels(out.bytes, want, count);
        print_message("%s: %s: %.1f dB\n", format, b.program->outputs[i].name, db);
        assert_true(db >= asked);
        free(out.name);
        free(out.bytes);
    }
    weft_sim_free(sim);
    weft_arrays_free(&inputs);
    drop(&bare);
    drop(&b);
}

/* Beside int16 scores are fp32; weights have 8 bits in both formats. */
#define MASKED(name, int16) static void name##_is_masked(void **state) { (void)state; is_close(name, "int8", 30); is_close(name, "int16", int16); }
MASKED(sum, 70)
MASKED(difference, 70)
MASKED(two_sums, 70)
MASKED(reshaped, 70)
MASKED(transposed, 70)
MASKED(dense, 40)
MASKED(read_twice, 70)

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sum_is_masked), cmocka_unit_test(difference_is_masked), cmocka_unit_test(two_sums_is_masked), cmocka_unit_test(reshaped_is_masked),
                                       cmocka_unit_test(transposed_is_masked), cmocka_unit_test(dense_is_masked), cmocka_unit_test(read_twice_is_masked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
