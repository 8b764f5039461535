/* test_qdq_integers.c: networks written with DequantizeLinear and QuantizeLinear give ONNX's integers, all of them, on several machines.
 *
 * What ONNX means is the interpreter's, of the same network with every value an output: nothing can be fused there, each node is
 * computed by itself. Scales are powers of two, so sums of floats are exact and half-way cases come up; and numbers of no such kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "built.h"

enum { TEXT_MAX = 8192 };

/* --- networks: $T the integers' type, $Z and $Y the zero points of input and result, $A $B $C scales ----------------------------- */

/* Weights of one scale, and of one a channel. */
#define WEIGHTS_1(shape, seed) \
    "  w_f = RandomNormal <shape = [" shape "], scale = 0.3, seed = " seed "> ()\n" \
    "  w_q = QuantizeLinear (w_f, s_w, z_w)\n  w = DequantizeLinear (w_q, s_w, z_w)\n"
#define WEIGHTS_8(shape, axis, seed) \
    "  w_f = RandomNormal <shape = [" shape "], scale = 0.3, seed = " seed "> ()\n" \
    "  w_q = QuantizeLinear <axis = " axis "> (w_f, s_8, z_8)\n  w = DequantizeLinear <axis = " axis "> (w_q, s_8, z_8)\n"
#define BIAS "  b_u = Mul (s_x, s_w)\n  b = DequantizeLinear (b_q, b_u)\n"
#define BIAS_8 "  b_u = Mul (s_x, s_8)\n  b = DequantizeLinear <axis = 0> (b_q, b_u, z_b)\n"

struct form {
    const char *name, *shape /* of the input */, *all /* values between, for the reference */, *nodes /* from x to r, which is quantised */;
};

static const struct form forms[] = {
    {"conv", "1, 6, 7, 7", "float[] r", WEIGHTS_1("8, 6, 3, 3", "1.0") BIAS "  r = Conv <pads = [1, 1, 1, 1]> (x, w, b)\n"},
    {"conv_channels", "2, 6, 7, 7", "float[] r", WEIGHTS_8("8, 6, 3, 3", "0", "2.0") BIAS_8 "  r = Conv <strides = [2, 2], pads = [0, 1, 1, 0]> (x, w, b)\n"},
    {"conv_relu", "1, 6, 7, 7", "float[] a, float[] r", WEIGHTS_1("8, 6, 3, 3", "3.0") BIAS "  a = Conv <pads = [1, 1, 1, 1]> (x, w, b)\n  r = Relu (a)\n"},
    {"conv_clip", "1, 6, 7, 7", "float[] a, float[] r", WEIGHTS_1("8, 6, 3, 3", "4.0") BIAS "  a = Conv (x, w, b)\n  r = Clip (a, low, high)\n"},
    {"conv_maxpool", "1, 6, 7, 7", "float[] a, float[] r",
     WEIGHTS_1("8, 6, 3, 3", "5.0") BIAS "  a = Conv (x, w, b)\n  r = MaxPool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (a)\n"},
    {"conv_relu_maxpool", "1, 6, 7, 7", "float[] a, float[] c, float[] r",
     WEIGHTS_1("8, 6, 3, 3", "6.0") BIAS "  a = Conv (x, w, b)\n  c = Relu (a)\n  r = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (c)\n"},
    {"conv_few", "1, 4, 7, 7", "float[] a, float[] r", WEIGHTS_1("4, 4, 1, 1", "29.0") "  a = Conv (x, w)\n  r = Relu (a)\n"},
    {"depthwise_few", "1, 3, 9, 9", "float[] r", WEIGHTS_1("3, 1, 1, 5", "30.0") "  r = Conv <group = 3> (x, w)\n"},
    {"matmul_few", "5, 4", "float[] r", WEIGHTS_1("4, 3", "31.0") "  r = MatMul (x, w)\n"},
    {"conv_line", "1, 6, 19", "float[] r", WEIGHTS_1("8, 6, 3", "7.0") BIAS "  r = Conv <strides = [2], pads = [1, 1]> (x, w, b)\n"},
    {"grouped", "1, 8, 7, 7", "float[] r", WEIGHTS_8("8, 4, 3, 3", "0", "8.0") BIAS_8 "  r = Conv <group = 2, pads = [1, 1, 1, 1]> (x, w, b)\n"},
    {"grouped_relu", "1, 8, 7, 7", "float[] a, float[] r", WEIGHTS_8("8, 4, 3, 3", "0", "9.0") BIAS_8 "  a = Conv <group = 2, pads = [1, 1, 1, 1]> (x, w, b)\n  r = Relu (a)\n"},
    {"depthwise", "1, 8, 9, 9", "float[] r", WEIGHTS_8("8, 1, 3, 3", "0", "10.0") BIAS_8 "  r = Conv <group = 8, pads = [1, 1, 1, 1]> (x, w, b)\n"},
    {"depthwise_strided", "2, 8, 9, 9", "float[] r", WEIGHTS_1("8, 1, 3, 3", "11.0") "  r = Conv <group = 8, strides = [2, 2], pads = [1, 1, 1, 1]> (x, w)\n"},
    {"depthwise_relu6", "1, 8, 9, 9", "float[] a, float[] r", WEIGHTS_8("8, 1, 3, 3", "0", "12.0") BIAS_8 "  a = Conv <group = 8, pads = [1, 1, 1, 1]> (x, w, b)\n  r = Clip (a, low, high)\n"},
    {"depthwise_relu", "1, 8, 9, 9", "float[] a, float[] r", WEIGHTS_1("8, 1, 3, 3", "13.0") BIAS "  a = Conv <group = 8, pads = [1, 1, 1, 1]> (x, w, b)\n  r = Relu (a)\n"},
    {"depthwise_maxpool", "1, 8, 9, 9", "float[] a, float[] r",
     WEIGHTS_8("8, 1, 3, 3", "0", "14.0") BIAS_8 "  a = Conv <group = 8, pads = [1, 1, 1, 1]> (x, w, b)\n  r = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (a)\n"},
    {"depthwise_line", "1, 8, 33", "float[] r", WEIGHTS_1("8, 1, 5", "15.0") BIAS "  r = Conv <group = 8, pads = [2, 2]> (x, w, b)\n"},
    {"depthwise_twice", "1, 8, 9, 9", "float[] r", WEIGHTS_1("16, 1, 3, 3", "16.0") "  r = Conv <group = 8, pads = [1, 1, 1, 1]> (x, w)\n"},
    {"gemm", "5, 12", "float[] r", WEIGHTS_1("8, 12", "17.0") BIAS "  r = Gemm <transB = 1> (x, w, b)\n"},
    {"gemm_relu", "5, 12", "float[] a, float[] r", WEIGHTS_8("12, 8", "1", "18.0") BIAS_8 "  a = Gemm (x, w, b)\n  r = Relu (a)\n"},
    {"matmul", "5, 12", "float[] r", WEIGHTS_1("12, 8", "19.0") "  r = MatMul (x, w)\n"},
    {"matmul_add", "5, 12", "float[] a, float[] r", WEIGHTS_1("12, 8", "19.0") BIAS "  a = MatMul (x, w)\n  r = Add (a, b)\n"},
    {"matmul_stack", "2, 5, 12", "float[] a, float[] r", WEIGHTS_8("12, 8", "1", "20.0") "  a = MatMul (x, w)\n  r = Relu (a)\n"},
    {"weights_turned", "5, 12", "float[] v, float[] r", WEIGHTS_1("8, 12", "21.0") "  v = Transpose <perm = [1, 0]> (w)\n  r = MatMul (x, v)\n"},
    {"weights_turned_channels", "5, 12", "float[] v, float[] r", WEIGHTS_8("8, 12", "0", "21.0") "  v = Transpose <perm = [1, 0]> (w)\n  r = MatMul (x, v)\n"},
    {"weights_turned_add", "5, 12", "float[] v, float[] a, float[] r", WEIGHTS_8("8, 12", "0", "21.0") BIAS_8 "  v = Transpose <perm = [1, 0]> (w)\n  a = MatMul (x, v)\n  r = Add (a, b)\n"},
    {"weights_unsigned", "5, 12", "float[] r",
     "  w_f = RandomNormal <shape = [12, 8], scale = 0.3, seed = 22.0> ()\n  w_q = QuantizeLinear (w_f, s_w, z_u)\n  w = DequantizeLinear (w_q, s_w, z_u)\n  r = MatMul (x, w)\n"},
    {"weights_unsigned_add", "5, 12", "float[] a, float[] r",
     "  w_f = RandomNormal <shape = [12, 8], scale = 0.3, seed = 22.0> ()\n  w_q = QuantizeLinear (w_f, s_w, z_u)\n  w = DequantizeLinear (w_q, s_w, z_u)\n" BIAS "  a = MatMul (x, w)\n  r = Add (a, b)\n"},
    {"pool_conv", "1, 6, 7, 7", "float[] v, float[] r", WEIGHTS_1("8, 6, 3, 3", "23.0") BIAS "  v = MaxPool <kernel_shape = [2, 2]> (x)\n  r = Conv (v, w, b)\n"},
    {"conv_leaky", "1, 6, 7, 7", "float[] a, float[] r", WEIGHTS_1("8, 6, 3, 3", "24.0") BIAS "  a = Conv (x, w, b)\n  r = LeakyRelu (a)\n"},
    {"conv_turned", "1, 6, 7, 7", "float[] a, float[] c, float[] r",
     WEIGHTS_1("8, 6, 3, 3", "25.0") BIAS "  a = Conv (x, w, b)\n  c = Relu (a)\n  r = Transpose <perm = [0, 2, 3, 1]> (c)\n"},
    {"conv_flat", "2, 6, 3, 3", "float[] a, float[] r", WEIGHTS_1("8, 6, 2, 2", "26.0") BIAS "  a = Conv (x, w, b)\n  r = Flatten (a)\n"},
    {"flat_gemm", "2, 3, 2, 2", "float[] a, float[] r", WEIGHTS_8("8, 12", "0", "27.0") BIAS_8 "  a = Flatten (x)\n  r = Gemm <transB = 1> (a, w, b)\n"},
    {"conv_twice_read", "1, 6, 7, 7", "float[] a, $T[] e, float[] f, float[] r",
     WEIGHTS_1("8, 6, 3, 3", "28.0") BIAS "  a = Conv (x, w, b)\n  e = QuantizeLinear (a, s_y, z_y)\n  f = DequantizeLinear (e, s_y, z_y)\n"
     "  g = QuantizeLinear (a, s_y, z_y)\n  h = DequantizeLinear (g, s_y, z_y)\n  r = Add (f, h)\n"},
    {"padded", "1, 6, 7, 7", "float[] r", "  r = Pad (x, pads)\n"},
    {"resized", "1, 6, 4, 4", "float[] r", "  r = Resize <mode = \"nearest\", coordinate_transformation_mode = \"asymmetric\", nearest_mode = \"floor\"> (x, , doubled)\n"},
    {"reduce_max", "1, 6, 4, 4", "float[] r", "  r = ReduceMax <axes = [1]> (x)\n"},
    {"hard_swish", "1, 6, 4, 4", "float[] v, float[] r", "  v = HardSigmoid <alpha = 0.16666667, beta = 0.5> (x)\n  r = Mul (x, v)\n"},
    {"sigmoid", "1, 6, 7, 7", "float[] r", "  r = Sigmoid (x)\n"},
    {"leaky", "1, 6, 7, 7", "float[] r", "  r = LeakyRelu (x)\n"},
    {"tanh", "1, 6, 7, 7", "float[] r", "  r = Tanh (x)\n"},
    {"silu", "1, 6, 7, 7", "float[] v, float[] r", "  v = Sigmoid (x)\n  r = Mul (x, v)\n"},
    {"transposed", "1, 6, 7, 7", "float[] r", "  r = Transpose <perm = [0, 2, 3, 1]> (x)\n"},
    {"mean", "1, 6, 8, 8", "float[] r", "  r = ReduceMean <axes = [2, 3]> (x)\n"},
    {"relu", "1, 6, 7, 7", "float[] r", "  r = Relu (x)\n"},
    {"clip", "1, 6, 7, 7", "float[] r", "  r = Clip (x, low, high)\n"},
    {"maxpool", "1, 6, 7, 7", "float[] r", "  r = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x)\n"},
    {"averagepool", "1, 6, 8, 8", "float[] r", "  r = AveragePool <kernel_shape = [2, 2], strides = [2, 2]> (x)\n"},
    {"averagepool_padded", "1, 6, 7, 7", "float[] r", "  r = AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x)\n"},
    {"global_average", "2, 6, 8, 8", "float[] r", "  r = GlobalAveragePool (x)\n"},
    {"global_average_7", "1, 6, 7, 7", "float[] r", "  r = GlobalAveragePool (x)\n"},
};

/* Two inputs: what joins x and x2. */
static const struct form joins[] = {
    {"add", "1, 6, 7, 7", "float[] r", "  r = Add (x, x2)\n"},
    {"add_relu", "1, 6, 7, 7", "float[] a, float[] r", "  a = Add (x, x2)\n  r = Relu (a)\n"},
    {"mul", "1, 6, 7, 7", "float[] r", "  r = Mul (x, x2)\n"},
    {"concat", "1, 6, 7, 7", "float[] r", "  r = Concat <axis = 1> (x, x2)\n"},
    {"sub", "1, 6, 7, 7", "float[] r", "  r = Sub (x, x2)\n"},
    {"conv_add", "1, 8, 7, 7", "float[] a, float[] r", WEIGHTS_8("8, 8, 3, 3", "0", "1.0") BIAS_8 "  a = Conv <pads = [1, 1, 1, 1]> (x, w, b)\n  r = Add (a, x2)\n"},
    {"conv_add_relu", "1, 8, 7, 7", "float[] a, float[] c, float[] r",
     WEIGHTS_1("8, 8, 3, 3", "1.0") BIAS "  a = Conv <pads = [1, 1, 1, 1]> (x, w, b)\n  c = Add (a, x2)\n  r = Relu (c)\n"},
    {"depthwise_add", "1, 8, 7, 7", "float[] a, float[] r", WEIGHTS_8("8, 1, 3, 3", "0", "1.0") BIAS_8 "  a = Conv <group = 8, pads = [1, 1, 1, 1]> (x, w, b)\n  r = Add (a, x2)\n"},
    {"conv_add_pool", "1, 8, 7, 7", "float[] a, float[] c, float[] r",
     WEIGHTS_1("8, 8, 3, 3", "1.0") BIAS "  a = Conv <pads = [1, 1, 1, 1]> (x, w, b)\n  c = Add (a, x2)\n  r = MaxPool <kernel_shape = [2, 2]> (c)\n"},
    {"add_pool", "1, 8, 7, 7", "float[] c, float[] r", "  c = Add (x, x2)\n  r = MaxPool <kernel_shape = [2, 2]> (c)\n"},
    {"two_convs", "1, 8, 7, 7", "float[] a, float[] c, float[] r",
     WEIGHTS_1("8, 8, 3, 3", "1.0") BIAS "  a = Conv <pads = [1, 1, 1, 1]> (x, w, b)\n  c = Conv <pads = [1, 1, 1, 1]> (x2, w)\n  r = Add (a, c)\n"},
    {"two_convs_relu", "1, 8, 7, 7", "float[] a, float[] c, float[] d, float[] r",
     WEIGHTS_1("8, 8, 1, 1", "1.0") BIAS "  a = Conv (x, w, b)\n  c = Conv (x2, w)\n  d = Add (c, a)\n  r = Relu (d)\n"},
    {"conv_times", "1, 8, 7, 7", "float[] a, float[] r", WEIGHTS_1("8, 8, 3, 3", "1.0") BIAS "  a = Conv <pads = [1, 1, 1, 1]> (x, w, b)\n  r = Mul (a, x2)\n"},
    {"conv_residual", "1, 8, 7, 7", "float[] a, $T[] a_q, float[] a_d, float[] r",
     WEIGHTS_1("8, 8, 3, 3", "1.0") BIAS "  a = Conv <pads = [1, 1, 1, 1]> (x, w, b)\n  a_q = QuantizeLinear (a, s_y, z_y)\n  a_d = DequantizeLinear (a_q, s_y, z_y)\n  r = Add (a_d, x2)\n"},
    {"conv_concat", "1, 8, 7, 7", "float[] a, $T[] a_q, float[] a_d, float[] r",
     WEIGHTS_1("8, 8, 3, 3", "1.0") BIAS "  a = Conv <pads = [1, 1, 1, 1]> (x, w, b)\n  a_q = QuantizeLinear (a, s_y, z_y)\n  a_d = DequantizeLinear (a_q, s_y, z_y)\n  r = Concat <axis = 1> (a_d, x2)\n"},
};

/* --- from forms to texts ---------------------------------------------------------------------------------------------------------- */

static const char head[] = "<ir_version: 8, opset_import: [\"\" : 13]>\nqdq (";
static const char constants[] =
    "<float s_x = {$A}, $T z_x = {$Z}, float s_w = {$B}, int8 z_w = {0}, uint8 z_u = {128}, float s_y = {$C}, $T z_y = {$Y}, float low = {-0.75}, float high = {6.0}, int64[8] pads = {0, 0, 1, 2, 0, 0, 2, 1}, float[4] doubled = {1.0, 1.0, 2.0, 2.0},\n"
    " float[8] s_8 = {$B, $B, 0.00390625, 0.0078125, 0.0146, 0.0231, $B, 0.0078125}, int8[8] z_8 = {0, 0, 0, 0, 0, 0, 0, 0},\n"
    " int32[8] z_b = {0, 0, 0, 0, 0, 0, 0, 0}, int32[8] b_q = {100, -300, 77, 1, 0, -1, 2500, -999}>\n";

struct point {
    const char *type;
    int x, y;
    const char *scales[3];
};

static const char *value_of(const struct point *p, char key, char *room)
{
    switch (key) {
    case 'T': return p->type;
    case 'Z': snprintf(room, 16, "%d", p->x); return room;
    case 'Y': snprintf(room, 16, "%d", p->y); return room;
    default: return p->scales[key - 'A'];
    }
}

/* `text` with every $ and the letter behind it replaced. */
static void expand(char *out, const char *text, const struct point *p)
{
    char room[16];
    size_t at = 0;
    for (; *text; text++) {
        if (*text != '$') {
            out[at++] = *text;
            continue;
        }
        const char *value = value_of(p, *++text, room);
        at += (size_t)snprintf(out + at, 64, "%s", value);
    }
    out[at] = 0;
}

static void write_network(char *out, const struct form *f, const struct point *p, bool two, bool all)
{
    char text[TEXT_MAX], second[64] = "";
    snprintf(second, sizeof second, ", $T[%s] x2_q", f->shape);
    snprintf(text, sizeof text, "%s$T[%s] x_q%s) => ($T[] y%s%s%s)\n%s{\n  x = DequantizeLinear (x_q, s_x, z_x)\n%s%s  y = QuantizeLinear (r, s_y, z_y)\n}\n",
             head, f->shape, two ? second : "", all ? ", float[] x, " : "", all && two ? "float[] x2, " : "", all ? f->all : "", constants,
             two ? "  x2 = DequantizeLinear (x2_q, s_w, z_y)\n" : "", f->nodes);
    expand(out, text, p);
}

/* --- running ---------------------------------------------------------------------------------------------------------------------- */

/* What the interpreter makes of the network with nothing fused, and what the machine makes of it as it is. */
static int differing(const struct form *f, const struct point *p, bool two, const char *machine, const char *set)
{
    char plain[TEXT_MAX], whole[TEXT_MAX];
    write_network(plain, f, p, two, false);
    write_network(whole, f, p, two, true);
    struct built network = build_for(plain, "int8", machine, (const char *const[]){set, NULL});
    int wrong = differing_integers(&network, whole);
    drop(&network);
    return wrong;
}

static const struct { const char *name, *set; bool u8; } machines[] = {
    {"tpu-v1", "array.count=1", true}, {"gemmini", "array.count=1", false}, {"tiny", "array.count=3", true}};

static const struct point points[] = {
    {"int8", -128, -128, {"0.015625", "0.0078125", "0.0625"}}, {"int8", 0, 0, {"0.015625", "0.0078125", "0.0625"}},
    {"int8", -117, -91, {"0.015625", "0.0078125", "0.03125"}}, {"int8", 11, 127, {"0.0173", "0.00911", "0.0523"}},
    {"int8", -3, -101, {"0.0173", "0.00911", "0.0523"}},       {"int8", -128, -128, {"0.0173", "0.00911", "0.0523"}},
    {"uint8", 0, 0, {"0.015625", "0.0078125", "0.0625"}},      {"uint8", 128, 128, {"0.015625", "0.0078125", "0.0625"}},
    {"uint8", 9, 33, {"0.015625", "0.0078125", "0.03125"}},    {"uint8", 128, 120, {"0.0173", "0.00911", "0.0523"}},
    {"uint8", 17, 0, {"0.0173", "0.00911", "0.0523"}},         {"uint8", 255, 64, {"0.0173", "0.00911", "0.0523"}},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static int check_form(const struct form *f, bool two)
{
    int wrong = 0;
    for (size_t m = 0; m < COUNT(machines); m++)
        for (size_t k = 0; k < COUNT(points); k++) {
            const struct point *p = &points[k];
            if (*p->type == 'u' && !machines[m].u8)
                continue;
            int differ = differing(f, p, two, machines[m].name, machines[m].set);
            if (differ)
                fprintf(stderr, "%s, %s, %s, zero points %d and %d, scales %s %s %s: %d integers differ\n", f->name, machines[m].name, p->type, p->x, p->y,
                        p->scales[0], p->scales[1], p->scales[2], differ);
            wrong += differ;
        }
    return wrong;
}

static void products_and_pools(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < COUNT(forms); i++)
        wrong += check_form(&forms[i], false);
    assert_int_equal(wrong, 0);
}

static void joined_values(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < COUNT(joins); i++)
        wrong += check_form(&joins[i], true);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(products_and_pools), cmocka_unit_test(joined_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
