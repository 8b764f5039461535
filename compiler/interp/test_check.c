/* test_check.c: a network's own values by name, and random input that is the same on every host. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "weft_compiler.h"

static void note(void *user, const char *message)
{
    snprintf(user, 256, "%s", message);
}

static struct weft_network *load(const char *text, bool timing_only)
{
    char path[] = "/tmp/weft-check-XXXXXX.onnxtxt";
    int file = mkstemps(path, 8);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), (ssize_t)strlen(text));
    close(file);
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    struct weft_compile_options options = {.timing_only = timing_only};
    struct weft_network *network;
    assert_int_equal(weft_network_load(&network, path, &options, &diag), WEFT_OK);
    unlink(path);
    return network;
}

static const char text[] = "<ir_version: 8, opset_import: [\"\" : 17]>\n"
                           "g (float[2] x) => (float[2] y)\n"
                           "{\n  two = Constant <value = float {2.0}> ()\n  scaled = Mul (x, two)\n  positive = Relu (scaled)\n  whole = "
                           "Cast <to = 7> (positive)\n  back = Cast <to = 1> (whole)\n  y = Neg (back)\n}\n";

static struct weft_array array(const char *name, const char *element, uint64_t count, void *bytes, uint64_t size)
{
    struct weft_array out = {.name = (char *)name, .rank = 1, .dims = {count}, .bytes = bytes, .size = size};
    strcpy(out.element, element);
    return out;
}

/* NumPy has no bfloat16: 1 and -2 come as their bits. */
static void bfloat16_comes_as_bits(void **state)
{
    struct weft_network *network = load("<ir_version: 8, opset_import: [\"\" : 17]>\ng (bfloat16[2] x) => (bfloat16[2] y) { y = Relu (x) }\n", false);
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    uint16_t x[] = {0x3f80, 0xc000};
    uint64_t count = 0;
    struct weft_array in = array("x", "uint16", 2, x, sizeof x);
    assert_int_equal(weft_network_interpret(network, &(struct weft_arrays){&in, 1}, &diag), WEFT_OK);
    const float *y = weft_network_value(network, "y", &count);
    assert_true(count == 2 && y[0] == 1 && y[1] == 0);
    weft_network_free(network);
}

/* x = -1, 2.25: twice that -2, 4.5; its positive part 0, 4.5; whole 0, 4; the output 0, -4. A second run replaces the first. */
static void values_by_name(void **state)
{
    struct weft_network *network = load(text, false);
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    uint64_t count = 0;
    assert_null(weft_network_value(network, "y", &count));
    for (int run = 0; run < 2; run++) {
        float x[] = {-1, run ? 3.5f : 2.25f};
        struct weft_array in = array(run ? "" : "x", "float32", 2, x, sizeof x);
        assert_int_equal(weft_network_interpret(network, &(struct weft_arrays){&in, 1}, &diag), WEFT_OK);
        const float *scaled = weft_network_value(network, "scaled", &count);
        assert_true(count == 2 && scaled[0] == -2 && scaled[1] == (run ? 7 : 4.5f));
        const float *whole = weft_network_value(network, "whole", &count); /* int64 in the network */
        assert_true(count == 2 && whole[0] == 0 && whole[1] == (run ? 7 : 4));
        assert_ptr_equal(whole, weft_network_value(network, "whole", &count));
        assert_true(weft_network_value(network, "y", &count)[1] == (run ? -7 : -4));
        assert_null(weft_network_value(network, "nobody", &count));
    }
    weft_network_free(network);
}

static void wrong_inputs_are_refused(void **state)
{
    char message[256];
    struct weft_diag diag = {note, message, 0};
    struct weft_network *network = load(text, false);
    float x[3] = {0};
    struct weft_array long_one = array("x", "float32", 3, x, sizeof x), other = array("z", "float32", 2, x, 8),
                      typed = array("x", "int32", 2, x, 8);
    assert_int_equal(weft_network_interpret(network, &(struct weft_arrays){&long_one, 1}, &diag), WEFT_ERROR);
    assert_string_equal(message, "input x: the array is float32 [3]; float32 [2] is right");
    assert_int_equal(weft_network_interpret(network, &(struct weft_arrays){&other, 1}, &diag), WEFT_ERROR);
    assert_string_equal(message, "input x is missing: the network reads it");
    assert_int_equal(weft_network_interpret(network, &(struct weft_arrays){&typed, 1}, &diag), WEFT_ERROR);
    assert_string_equal(message, "input x: the array is int32 [2]; float32 [2] is right");
    weft_network_free(network);
}

static void timing_only_is_refused(void **state)
{
    char message[256];
    struct weft_diag diag = {note, message, 0};
    struct weft_network *network = load(text, true);
    float x[2] = {0};
    struct weft_array in = array("x", "float32", 2, x, sizeof x);
    assert_int_equal(weft_network_interpret(network, &(struct weft_arrays){&in, 1}, &diag), WEFT_ERROR);
    assert_non_null(strstr(message, "timing only"));
    weft_network_free(network);
}

/* --- random input --------------------------------------------------------------------------------------------------------- */

enum { COUNT = 20000 };

static struct weft_arrays random_inputs(const char *element, uint64_t seed)
{
    struct weft_tensor tensor = {.name = (char *)"x", .rank = 2, .dims = {2, COUNT / 2}, .bytes = COUNT};
    struct weft_program program = {.inputs = &tensor, .input_count = 1};
    struct weft_arrays out;
    strcpy(tensor.element, element);
    assert_int_equal(weft_random_inputs(&out, &program, seed, NULL), WEFT_OK);
    assert_true(out.count == 1 && out.items[0].rank == 2 && out.items[0].dims[1] == COUNT / 2);
    assert_string_equal(out.items[0].element, element);
    return out;
}

/* Mean and variance of 20,000 normal numbers stay within five standard errors: 5 / sqrt 20000 and 5 sqrt(2 / 20000). */
static void floats_are_normal(void **state)
{
    struct weft_arrays in = random_inputs("float32", 7), same = random_inputs("float32", 7), other = random_inputs("float32", 8);
    const float *x = in.items[0].bytes;
    double sum = 0, squares = 0;
    for (int i = 0; i < COUNT; i++)
        sum += (double)x[i], squares += (double)x[i] * (double)x[i];
    assert_true(fabs(sum / COUNT) < 0.036);
    assert_true(fabs(squares / COUNT - 1) < 0.05);
    assert_memory_equal(x, same.items[0].bytes, COUNT * sizeof *x);
    assert_memory_not_equal(x, other.items[0].bytes, COUNT * sizeof *x);
    weft_arrays_free(&in);
    weft_arrays_free(&same);
    weft_arrays_free(&other);
}

/* Each of 256 values comes 78 times of 20,000, within six standard deviations of 8.8. */
static void bytes_are_uniform(void **state)
{
    struct weft_arrays in = random_inputs("int8", 7);
    int seen[256] = {0};
    for (int i = 0; i < COUNT; i++)
        seen[((const uint8_t *)in.items[0].bytes)[i]]++;
    for (int i = 0; i < 256; i++)
        assert_in_range(seen[i], 25, 131);
    weft_arrays_free(&in);
}

static void bools_are_bools(void **state)
{
    struct weft_arrays in = random_inputs("bool", 7);
    int ones = 0;
    for (int i = 0; i < COUNT; i++) {
        assert_in_range(((const uint8_t *)in.items[0].bytes)[i], 0, 1);
        ones += ((const uint8_t *)in.items[0].bytes)[i];
    }
    assert_in_range(ones, 9500, 10500);
    weft_arrays_free(&in);
}

static void unknown_types_are_refused(void **state)
{
    struct weft_tensor tensors[] = {{.name = (char *)"x", .rank = 1, .dims = {4}, .bytes = 4, .element = "float32"},
                                    {.name = (char *)"z", .rank = 1, .dims = {4}, .bytes = 4, .element = "complex64"}};
    struct weft_program program = {.inputs = tensors, .input_count = 2};
    char message[256];
    struct weft_diag diag = {note, message, 0};
    struct weft_arrays out;
    assert_int_equal(weft_random_inputs(&out, &program, 1, &diag), WEFT_ERROR);
    assert_string_equal(message, "input z: element type complex64 is not known");
    assert_int_equal(out.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_by_name), cmocka_unit_test(bfloat16_comes_as_bits),
        cmocka_unit_test(wrong_inputs_are_refused),
        cmocka_unit_test(timing_only_is_refused),
        cmocka_unit_test(floats_are_normal),
        cmocka_unit_test(bytes_are_uniform),
        cmocka_unit_test(bools_are_bools),
        cmocka_unit_test(unknown_types_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
