/* test_shares.c: a softmax whose division waits for the product behind it: when it does, and what it is worth where rows are as different as can be. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "built.h"

enum { KEYS = 512, WIDTH = 16, ROWS = 8 };

/* The first row's scores are all 0: its shares are 1/512, and its result the mean of v. The last row's lie in +-30, and one share is almost 1. */
static const char apart[] = HEAD "apart (float[1, 8, 512] s, float[1, 512, 16] v) => (float[1, 8, 16] y) {\n"
    "steep = Constant <value = float[8, 1] {0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 10.0}> ()\n t = Mul (s, steep)\n p = Softmax <axis = -1> (t)\n y = MatMul (p, v) }";

/* `inputs` as `run` gives them. */
static void mean_of_keys(float out[WIDTH], const struct weft_arrays *inputs)
{
    const float *v = inputs->items[1].bytes;
    for (int c = 0; c < WIDTH; c++) {
        double sum = 0;
        for (int k = 0; k < KEYS; k++)
            sum += v[k * WIDTH + c];
        out[c] = (float)(sum / KEYS);
    }
}

/* On a machine without 16 bits a share of 1/512 would be half a step of 1/255, and the row nothing. What is left is the rounding of v to steps of its range/255,
 * of which the mean of 512 has little, and that of the result, whose range is v's as one row has one key of it: half a step of about 8/255. */
static void a_row_of_equal_shares_is_the_mean(void **state)
{
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    struct built b = build(apart, "int8", (const char *[]){"formats=u8,s8", NULL});
    struct weft_sim *sim = run(b.program, WEFT_ENGINE_FAST);
    struct weft_arrays inputs = {0};
    struct weft_array y = {0};
    float want[WIDTH];
    uint64_t bytes;
    assert_int_equal(weft_random_inputs(&inputs, b.program, 7, &diag), WEFT_OK);
    mean_of_keys(want, &inputs);
    const uint8_t *host = weft_sim_memory(sim, WEFT_SPACE_HOST, &bytes);
    assert_int_equal(weft_tensor_unpack(&y, &b.program->outputs[0], host, bytes, &diag), WEFT_OK);
    for (int c = 0; c < WIDTH; c++)
        assert_true(fabsf(((const float *)y.bytes)[c] - want[c]) < 0.02f);
    same_in_every_engine(b.program, sim);
    weft_arrays_free(&inputs);
    free(y.name);
    free(y.bytes);
    weft_sim_free(sim);
    drop(&b);
}

#define ATTENTION(keys, width, outputs, lines) HEAD "attention (float[1, 8, " keys "] s, float[1, " keys ", " width "] v) => (" outputs ") {\n" lines "}"
#define RESULT "float[1, 8, 16] y"

/* Shares that are not divided are not the network's: they have no probe. */
static bool waits(const char *text, const char *format)
{
    struct built b = build(text, format, (const char *[]){NULL});
    struct weft_sim *sim = run(b.program, WEFT_ENGINE_FAST);
    bool found = false;
    for (size_t i = 0; i < b.program->probe_count; i++)
        found |= !strcmp(b.program->probes[i].tensor.name, "p");
    same_in_every_engine(b.program, sim);
    weft_sim_free(sim);
    drop(&b);
    return !found;
}

static void where_it_pays(void **state)
{
    static const char more_keys[] = ATTENTION("24", "16", RESULT, "p = Softmax <axis = -1> (s)\n y = MatMul (p, v)\n");
    assert_true(waits(more_keys, "int8"));
    assert_false(waits(more_keys, "bf16"));
    assert_false(waits(more_keys, "fp32"));
    assert_false(waits(ATTENTION("16", "16", RESULT, "p = Softmax <axis = -1> (s)\n y = MatMul (p, v)\n"), "int8"));
    assert_false(waits(ATTENTION("24", "16", RESULT ", float[1, 8, 24] p", "p = Softmax <axis = -1> (s)\n y = MatMul (p, v)\n"), "int8"));
    assert_false(waits(ATTENTION("24", "16", RESULT ", float[1, 8, 24] r", "p = Softmax <axis = -1> (s)\n y = MatMul (p, v)\n r = Add (p, s)\n"), "int8"));
    assert_false(waits(ATTENTION("24", "16", RESULT, "p = Softmax <axis = 1> (s)\n y = MatMul (p, v)\n"), "int8"));
    assert_false(waits(ATTENTION("24", "16", "float[1, 16, 8] y", "p = Softmax <axis = -1> (s)\n t = Transpose <perm = [0, 2, 1]> (p)\n"
                                 "u = Transpose <perm = [0, 2, 1]> (v)\n y = MatMul (u, t)\n"), "int8"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_row_of_equal_shares_is_the_mean), cmocka_unit_test(where_it_pays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
