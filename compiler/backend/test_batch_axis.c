/* test_batch_axis.c: which networks mix the inferences of a batch, judged by hand. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "batch_axis.h"
#include "network.h"
#include "weft_compiler.h"

#define NET(signature, body) "<ir_version: 8, opset_import: [\"\" : 17]>\nnet " signature " {\n" body "\n}\n"
#define W(name, shape) name " = RandomNormal <shape = [" shape "], seed = 1.0> ()\n"

static bool is_apart(const char *text)
{
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    struct weft_network *network = NULL;
    struct weft_compile_options options = {.timing_only = false};
    char path[] = "/tmp/weft-axis-XXXXXX.onnxtxt";
    int file = mkstemps(path, 8);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), (ssize_t)strlen(text));
    close(file);
    assert_int_equal(weft_network_load(&network, path, &options, &diag), WEFT_OK);
    struct batch_axis *axes = batch_axes(network->graph, 4);
    bool apart = axes != NULL;
    free(axes);
    weft_network_free(network);
    unlink(path);
    return apart;
}

static void inferences_that_stay_apart(void **state)
{
    static const char *const texts[] = {
        NET("(float[4, 3, 8, 8] x) => (float[4, 5] y)", W("w", "6, 3, 3, 3") "c = Conv <kernel_shape = [3, 3]> (x, w)\n p = GlobalAveragePool (c)\n f = Flatten (p)\n" W("v", "6, 5") "y = MatMul (f, v)"),
        NET("(float[4, 6, 8] x) => (float[4, 6, 8] y)", "t = Transpose <perm = [0, 2, 1]> (x)\n s = MatMul (x, t)\n p = Softmax <axis = -1> (s)\n y = MatMul (p, x)"), /* attention in each */
        NET("(float[4, 6, 8] x) => (float[4, 6, 8] y)", "d = Constant <value = int64[2] {-1, 8}> ()\n r = Reshape (x, d)\n" W("w", "8, 8") "m = MatMul (r, w)\n e = Constant <value = int64[3] {4, 6, 8}> ()\n y = Reshape (m, e)"),
        NET("(float[4, 6, 16] x) => (float[4, 6, 16] y)", "t = Transpose <perm = [1, 0, 2]> (x)\n" W("w", "1, 48, 16") W("r", "1, 48, 16") "h = GRU <hidden_size = 16> (t, w, r)\n"
            "a = Constant <value = int64[1] {1}> ()\n s = Squeeze (h, a)\n y = Transpose <perm = [1, 0, 2]> (s)"), /* steps outermost: rows of steps by inferences, zeros for the state of each */
        NET("(float[4, 6] x) => (float[4] y)", "y = ReduceMax <axes = [1], keepdims = 0> (x)"),
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        print_message("%s", texts[i]);
        assert_true(is_apart(texts[i]));
    }
}

static void inferences_that_are_mixed(void **state)
{
    static const char *const texts[] = {
        NET("(float[4, 6] x) => (float[4, 6] y)", "y = Softmax <axis = 0> (x)"),
        NET("(float[4, 16] x) => (float[4, 16] y)", "t = Transpose <perm = [1, 0]> (x)\n s = MatMul (x, t)\n p = Softmax <axis = -1> (s)\n y = MatMul (p, x)"), /* attention between them */
        NET("(float[4, 1, 16] x) => (float[4, 1, 1, 16] y)", W("w", "1, 64, 16") W("r", "1, 64, 16") "y = LSTM <hidden_size = 16> (x, w, r)"), /* steps */
        NET("(float[4, 6] x) => (float[4, 6] y)", "m = ReduceMean <axes = [0]> (x)\n y = Sub (x, m)"),
        NET("(float[4, 6] x) => (float[4, 6] y)", "i = Constant <value = int64 {0}> ()\n g = Gather (x, i)\n y = Add (x, g)"),
        NET("(float[4, 2, 3] x) => (float[4, 2, 3] y)", "t = Transpose <perm = [1, 0, 2]> (x)\n d = Constant <value = int64[3] {4, 2, 3}> ()\n y = Reshape (t, d)"),
        NET("(float[4, 6] x) => (float[4, 6] y)", W("w", "4, 6") "y = Add (x, w)"), /* a constant that says something else of each */
        NET("(float[4, 6] x) => (float[4, 6] y)", "b = Constant <value = int64[1] {3}> ()\n e = Constant <value = int64[1] {-5}> ()\n a = Constant <value = int64[1] {0}> ()\n s = Constant <value = int64[1] {-1}> ()\n"
            "y = Slice (x, b, e, a, s)"), /* the other way round */
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        print_message("%s", texts[i]);
        assert_false(is_apart(texts[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(inferences_that_stay_apart), cmocka_unit_test(inferences_that_are_mixed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
