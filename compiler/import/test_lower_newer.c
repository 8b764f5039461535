/* test_lower_newer.c: what opsets 18 and later have that earlier ones have not, in values that are worked out by hand. */
#include "test_lower.h"

#define AT(opset) "<ir_version: 8, opset_import: [\"\" : " #opset "]> "

/* --- quantisation -------------------------------------------------------------------------------------------------------------- */

static void words(void **state)
{
    static const struct one_case cases[] = {
        /* 3 / 2 = 1.5 to even is 2, 5 / 2 to even 2; beyond the range it is the range's end. */
        {AT(21) "m (float[4] x) => (int16[4] y) <float s = {2}, int16 z = {256}> { y = QuantizeLinear (x, s, z) }",
         4, 4, {3, 5, 70000, -70000}, {258, 258, 32767, -32768}},
        {AT(21) "m (float[3] x) => (uint16[3] y) <float s = {2}> { y = QuantizeLinear <output_dtype = 4> (x, s) }", 3, 3, {-1, 40001, 140000}, {0, 20000, 65535}},
        {AT(21) "m (float[3] x) => (int8[3] y) <float s = {2}> { y = QuantizeLinear <output_dtype = 3> (x, s) }", 3, 3, {-9, 600, -600}, {-4, 127, -128}},
        /* One scale a column. */
        {AT(21) "m (float[2, 2] x) => (int16[2, 2] y) <float[2] s = {2, 10}, int16[2] z = {0, 1000}> { y = QuantizeLinear <axis = -1> (x, s, z) }",
         4, 4, {8, 50, -6, -20}, {4, 1005, -3, 998}},
        {AT(21) "m (float[2] x) => (float[2] y) <float s = {2}, int16 z = {-1024}> { q = Cast <to = 5> (x) y = DequantizeLinear (q, s, z) }",
         2, 2, {-300, 1270}, {1448, 4588}},
        {AT(21) "m (float[2] x) => (float[2] y) <float s = {0.5}, uint16 z = {40000}> { q = Cast <to = 4> (x) y = DequantizeLinear (q, s, z) }",
         2, 2, {50000, 0}, {5000, -20000}},
        /* Integers are quantised as the numbers that they are. */
        {AT(19) "m (float[2] x) => (uint8[2] y) <float s = {2}, uint8 z = {128}> { i = Cast <to = 6> (x) y = QuantizeLinear (i, s, z) }", 2, 2, {-7, 1000}, {124, 255}},
        {AT(19) "m (float[2] x) => (float16[2] y) <float s = {0.5}, uint8 z = {128}> { h = Cast <to = 10> (s) q = Cast <to = 2> (x) y = DequantizeLinear (q, h, z) }",
         2, 2, {0, 131}, {-64, 1.5}},
        {AT(23) "m (float[2] x) => (float16[2] y) <float s = {0.5}, uint8 z = {128}> { q = Cast <to = 2> (x) y = DequantizeLinear <output_dtype = 10> (q, s, z) }",
         2, 2, {0, 131}, {-64, 1.5}},
    };
    check_all(cases, sizeof cases / sizeof cases[0]);
}

static void blocks(void **state)
{
    static const struct one_case cases[] = {
        /* Two columns a block, the last of one: scales 1 1 10, zero points 0 0 5. */
        {AT(21) "m (float[1, 3] x) => (uint8[1, 3] y) <float[1, 2] s = {1, 10}, uint8[1, 2] z = {0, 5}> { y = QuantizeLinear <block_size = 2> (x, s, z) }",
         3, 3, {3, 300, 70}, {3, 255, 12}},
        /* Two rows a block: scales 2 and 10 for rows 0 and 1, 3 and 4 for row 2. */
        {AT(21) "m (float[3, 2] x) => (float[3, 2] y) <float[2, 2] s = {2, 10, 3, 4}, int8[2, 2] z = {1, 0, 0, -1}> "
                "{ q = Cast <to = 3> (x) y = DequantizeLinear <axis = 0, block_size = 2> (q, s, z) }",
         6, 6, {1, 2, 3, 4, 5, 6}, {0, 20, 4, 40, 15, 28}},
        {AT(21) "m (float[2, 1] x) => (int16[2, 1] y) <float[1, 1] s = {2}> { y = QuantizeLinear <axis = 0, block_size = 2, output_dtype = 5> (x, s) }",
         2, 2, {1000, -3000}, {500, -1500}},
        /* A block that is longer than the axis has all of it, however long. */
        {AT(21) "m (float[1, 2] x) => (uint8[1, 2] y) <float[1, 1] s = {2}> { y = QuantizeLinear <block_size = 9223372036854775807> (x, s) }", 2, 2, {6, 8}, {3, 4}},
        {AT(21) "m (float[1, 2] x) => (float[1, 2] y) <float[1, 1] s = {2}> { q = Cast <to = 3> (x) y = DequantizeLinear <block_size = 9223372036854775807> (q, s) }",
         2, 2, {6, 8}, {12, 16}},
    };
    check_all(cases, sizeof cases / sizeof cases[0]);
}

/* --- what has no elements ------------------------------------------------------------------------------------------------------ */

#define NOTHING "none = Slice (x, zero, zero) "
#define OF_NOTHING(operator) {AT(20) "m (float[2] x) => (float[1] y) <int64[1] zero = {0}> { " NOTHING "y = " operator " (none) }"

static void nothing(void **state)
{
    static const struct one_case cases[] = {
        OF_NOTHING("ReduceSum"), 2, 1, {1, 2}, {0}},
        OF_NOTHING("ReduceSumSquare"), 2, 1, {1, 2}, {0}},
        OF_NOTHING("ReduceL1"), 2, 1, {1, 2}, {0}},
        OF_NOTHING("ReduceL2"), 2, 1, {1, 2}, {0}},
        OF_NOTHING("ReduceProd"), 2, 1, {1, 2}, {1}},
        /* e^(log of nothing) and e^(-the least) are 0. */
        {AT(20) "m (float[2] x) => (float[1] y) <int64[1] zero = {0}> { " NOTHING "s = ReduceLogSum (none) y = Exp (s) }", 2, 1, {1, 2}, {0}},
        {AT(20) "m (float[2] x) => (float[1] y) <int64[1] zero = {0}> { " NOTHING "s = ReduceLogSumExp (none) y = Exp (s) }", 2, 1, {1, 2}, {0}},
        {AT(20) "m (float[2] x) => (float[1] y) <int64[1] zero = {0}> { " NOTHING "s = ReduceMax (none) y = Exp (s) }", 2, 1, {1, 2}, {0}},
        {AT(20) "m (float[2] x) => (float[1] y) <int64[1] zero = {0}> { " NOTHING "s = ReduceMin (none) t = Neg (s) y = Exp (t) }", 2, 1, {1, 2}, {0}},
        /* Integers have a least and a greatest. */
        {AT(20) "m (float[2] x) => (int32[1] y, int32[1] z, uint8[1] v, uint8[1] w) <int64[1] zero = {0}> { " NOTHING "i = Cast <to = 6> (none) "
                "u = Cast <to = 2> (none) y = ReduceMax (i) z = ReduceMin (i) v = ReduceMax (u) w = ReduceMin (u) }",
         2, 4, {1, 2}, {-2147483648.0, 2147483647, 0, 255}},
        {AT(20) "m (float[2] x) => (bool[1] y, bool[1] z) <bool[2, 1] b = {1, 0}, int64[1] first = {0}> { c = ReduceMax <keepdims = 0> (b, first) y = Identity (c) "
                "z = ReduceMin <keepdims = 0> (b, first) }",
         2, 2, {1, 2}, {1, 0}},
        /* Rows of nothing, two of them: their sum is 0 each. */
        {AT(20) "m (float[12] x) => (float[2] y) <int64[2, 1] i = {0, 2}, int64[3] s = {2, 3, 2}, int64[1] zero = {0}, int64[1] last = {2}, int64[1] last1 = {1}> { "
                "cube = Reshape (x, s) none = Slice (cube, zero, zero, last) rows = GatherND <batch_dims = 1> (none, i) y = ReduceSum <keepdims = 0> (rows, last1) }",
         12, 2, {1}, {0, 0}},
        /* Beside something it is not there. */
        {AT(20) "m (float[2] x) => (float[2] y) <int64[1] zero = {0}> { " NOTHING "y = Concat <axis = 0> (none, x, none) }", 2, 2, {1, 2}, {1, 2}},
    };
    check_all(cases, sizeof cases / sizeof cases[0]);
}

/* --- norms of windows, the middle, and bits --------------------------------------------------------------------------------------- */

static void norms_of_windows(void **state)
{
    static const struct one_case cases[] = {
        {AT(18) "m (float[1, 1, 3] x) => (float[1, 1, 2] y) { y = LpPool <kernel_shape = [2]> (x) }", 3, 2, {3, -4, 0}, {5, 4}},
        {AT(18) "m (float[1, 1, 3] x) => (float[1, 1, 2] y) { y = LpPool <kernel_shape = [2], p = 1> (x) }", 3, 2, {3, -4, 5}, {7, 9}},
        /* 27 + 64 + 125 = 216; the border holds zeros, and what ceil_mode adds as well. */
        {AT(18) "m (float[1, 1, 4] x) => (float[1, 1, 2] y) { y = LpPool <kernel_shape = [4], strides = [3], p = 3, pads = [1, 0], ceil_mode = 1> (x) }",
         4, 2, {3, -4, 5, 0}, {6, 5}},
        {AT(18) "m (float[1, 2, 3] x) => (float[1, 2, 1] y) { y = LpPool <kernel_shape = [2], dilations = [2]> (x) }", 6, 2, {3, 9, 4, 5, 9, 12}, {5, 13}},
        {AT(22) "m (float[1, 2, 2] x) => (float[1, 2, 1] y) { y = GlobalLpPool (x) }", 4, 2, {3, 4, -5, 12}, {5, 13}},
        {AT(22) "m (float[1, 2, 2] x) => (float[1, 2, 1] y) { y = GlobalLpPool <p = 1> (x) }", 4, 2, {3, 4, -5, 12}, {7, 17}},
        /* The last window begins in the padding behind the input: there is none. */
        {AT(22) "m (float[1, 1, 2] x) => (float[1, 1, 1] y) { y = AveragePool <kernel_shape = [3], strides = [3], pads = [1, 1], ceil_mode = 1, count_include_pad = 1> (x) }",
         2, 1, {3, 6}, {3}},
    };
    check_all(cases, sizeof cases / sizeof cases[0]);
}

static void places_of_greatest(void **state)
{
    static const struct one_case cases[] = {
        /* Of two alike, the first. */
        {AT(22) "m (float[1, 1, 4] x) => (float[1, 1, 3] y, int64[1, 1, 3] i) { y, i = MaxPool <kernel_shape = [2]> (x) }", 4, 6, {3, 1, 4, 4}, {3, 4, 4, 0, 2, 2}},
        /* The border is below all, and no place. */
        {AT(22) "m (float[1, 1, 2] x) => (float[1, 1, 2] y, int64[1, 1, 2] i) { y, i = MaxPool <kernel_shape = [2], pads = [1, 0]> (x) }", 2, 4, {-3, -2}, {-3, -2, 0, 1}},
        /* The second channel's places begin behind the first's four; every other pixel: 7 and 9 of 7 8 9 6. */
        {AT(22) "m (float[1, 2, 4] x) => (float[1, 2, 2] y, int64[1, 2, 2] i) { y, i = MaxPool <kernel_shape = [2], dilations = [2]> (x) }",
         8, 8, {1, 2, 3, 0, 7, 8, 9, 6}, {3, 2, 9, 8, 2, 1, 6, 5}},
        {AT(22) "m (float[1, 1, 2, 2] x) => (float[1, 1, 1, 1] y, int64[1, 1, 1, 1] i) { y, i = MaxPool <kernel_shape = [2, 2]> (x) }", 4, 2, {1, 5, 2, 3}, {5, 1}},
        /* Counted down the columns. */
        {AT(22) "m (float[1, 1, 2, 2] x) => (float[1, 1, 1, 1] y, int64[1, 1, 1, 1] i) { y, i = MaxPool <kernel_shape = [2, 2], storage_order = 1> (x) }",
         4, 2, {1, 5, 2, 3}, {5, 2}},
    };
    check_all(cases, sizeof cases / sizeof cases[0]);
}

static void the_middle(void **state)
{
    static const struct one_case cases[] = {
        {AT(18) "m (float[5] x) => (float[2] y) <int64[1] s = {2}> { y = CenterCropPad (x, s) }", 5, 2, {1, 2, 3, 4, 5}, {2, 3}},
        {AT(18) "m (float[2] x) => (float[5] y) <int64[1] s = {5}> { y = CenterCropPad (x, s) }", 2, 5, {1, 2}, {0, 1, 2, 0, 0}},
        {AT(18) "m (float[3, 1] x) => (float[1, 2] y) <int64[2] s = {2, 1}> { y = CenterCropPad <axes = [-1, 0]> (x, s) }", 3, 2, {1, 2, 3}, {2, 0}},
    };
    check_all(cases, sizeof cases / sizeof cases[0]);
}

#define BITS(type, n, operator) AT(18) "m (float[4] x) => (" type "[4] y) <" type "[1] c = {12}> { q = Cast <to = " #n "> (x) y = " operator " }"

static void bits(void **state)
{
    static const struct one_case cases[] = {
        /* 12 is 1100: of 10 (1010), -1 (all ones), -128 and 5 (0101). */
        {BITS("int8", 3, "BitwiseAnd (q, c)"), 4, 4, {10, -1, -128, 5}, {8, 12, 0, 4}},
        {BITS("int8", 3, "BitwiseOr (q, c)"), 4, 4, {10, -1, -128, 5}, {14, -1, -116, 13}},
        {BITS("int8", 3, "BitwiseXor (c, q)"), 4, 4, {10, -1, -128, 5}, {6, -13, -116, 9}},
        {BITS("uint16", 4, "BitwiseXor (q, c)"), 4, 4, {65535, 0, 32768, 13}, {65523, 12, 32780, 1}},
        {BITS("int16", 5, "BitwiseNot (q)"), 4, 4, {10, -1, -32768, 32767}, {-11, 0, 32767, -32768}},
        {BITS("uint8", 2, "BitwiseNot (q)"), 4, 4, {10, 0, 255, 128}, {245, 255, 0, 127}},
    };
    check_all(cases, sizeof cases / sizeof cases[0]);
}

/* --- attention -------------------------------------------------------------------------------------------------------------------- */

/* Queries are 0 unless said, so that keys share alike; values are x. ln 3 = 1.0986123 makes one key weigh three times another. */
#define LN3 "1.0986122886681098"
#define ATTEND(opset, out, constants, rest) AT(opset) "m (float[1, 1, 2, 1] x) => (float" out " y) <" constants "> { z = Sub (x, x) " rest " }"

static void attention(void **state)
{
    static const struct one_case cases[] = {
        {ATTEND(23, "[1, 1, 2, 1]", "float[1] c = {1}", "y = Attention (z, x, x)"), 2, 2, {4, 8}, {6, 6}},
        {ATTEND(23, "[1, 1, 2, 1]", "float[1] c = {1}", "y = Attention <is_causal = 1> (z, x, x)"), 2, 2, {4, 8}, {4, 6}},
        {ATTEND(23, "[1, 1, 2, 1]", "float[2, 2] m = {0, " LN3 ", 0, 0}", "y = Attention (z, x, x, m)"), 2, 2, {4, 8}, {7, 6}},
        {ATTEND(23, "[1, 1, 2, 1]", "bool[2, 2] m = {1, 0, 0, 1}", "y = Attention (z, x, x, m)"), 2, 2, {4, 8}, {4, 8}},
        /* A mask of one key of two: the other takes no part. */
        {ATTEND(24, "[1, 1, 2, 1]", "int64[1] n = {1}", "y = Attention (z, x, x, , , , n)"), 2, 2, {4, 8}, {4, 4}},
        /* Query and key of 1 and ln 3 by a scale of 1: the second query weighs e^(ln 3 x 0) to e^(ln 3 x ln 3); the first 1 to 3. */
        {AT(23) "m (float[1, 1, 2, 1] x) => (float[1, 1, 1, 1] y) <float[1, 1, 1, 1] q = {1}, float[1, 1, 2, 1] k = {0, " LN3 "}> { y = Attention <scale = 1.0> (q, k, x) }",
         2, 1, {4, 8}, {7}},
        /* By a half of it, and a default of 1 / root of 4 over four numbers. */
        {AT(23) "m (float[1, 1, 2, 1] x) => (float[1, 1, 1, 1] y) <float[1, 1, 1, 4] q = {1, 1, 0, 0}, float[1, 1, 2, 4] k = {0, 0, 5, 5, " LN3 ", " LN3 ", 5, 5}> "
                "{ y = Attention (q, k, x) }",
         2, 1, {4, 8}, {7}},
        /* 2 tanh(0.5) is 0.9242343; e to that is 2.5199378. */
        {AT(23) "m (float[1, 1, 2, 1] x) => (float[1, 1, 1, 1] y) <float[1, 1, 1, 1] q = {1}, float[1, 1, 2, 1] k = {0, 1}> { y = Attention <softcap = 2.0> (q, k, x) }",
         2, 1, {4, 8}, {(4 + 8 * 2.5199378) / 3.5199378}},
        /* One key and value of the past in front: the present is all three, and the first query sees two. */
        {AT(23) "m (float[1, 1, 2, 1] x) => (float[1, 1, 2, 1] y, float[1, 1, 3, 1] k, float[1, 1, 3, 1] v) <float[1, 1, 1, 1] p = {30}> "
                "{ z = Sub (x, x) y, k, v = Attention <is_causal = 1> (z, z, x, , p, p) }",
         2, 8, {4, 8}, {17, 14, 30, 0, 0, 30, 4, 8}},
        /* Four heads of queries share two of keys and values, two each. */
        {AT(23) "m (float[1, 2, 1, 1] x) => (float[1, 4, 1, 1] y) <float[1, 4, 1, 1] q = {1, 2, 3, 4}> { y = Attention (q, x, x) }", 2, 4, {4, 8}, {4, 4, 8, 8}},
        /* Heads beside each other: two tokens of two heads of one number. */
        {AT(23) "m (float[1, 2, 2] x) => (float[1, 2, 2] y) { z = Sub (x, x) y = Attention <q_num_heads = 2, kv_num_heads = 2> (z, x, x) }",
         4, 4, {1, 10, 3, 20}, {2, 15, 2, 15}},
        /* What the scores are: as multiplied, with the mask, and as shares. */
        {AT(23) "m (float[1, 1, 2, 1] x) => (float[1, 1, 1, 2] s) <float[1, 1, 1, 1] q = {2}, float[2] m = {1, 0}> { y, k, v, s = Attention (q, x, x, m) }", 2, 2, {4, 8}, {8, 16}},
        {AT(23) "m (float[1, 1, 2, 1] x) => (float[1, 1, 1, 2] s) <float[1, 1, 1, 1] q = {2}, float[2] m = {1, 0}> "
                "{ y, k, v, s = Attention <qk_matmul_output_mode = 2> (q, x, x, m) }",
         2, 2, {4, 8}, {9, 16}},
        {AT(23) "m (float[1, 1, 2, 1] x) => (float[1, 1, 1, 2] s) <float[1, 1, 1, 1] q = {0}, float[2] m = {0, " LN3 "}> "
                "{ y, k, v, s = Attention <qk_matmul_output_mode = 3> (q, x, x, m) }",
         2, 2, {4, 8}, {0.25, 0.75}},
    };
    check_all(cases, sizeof cases / sizeof cases[0]);
}

/* Sine 1 and cosine 0 turn the pair (a, b) into (-b, a). */
static void rotations(void **state)
{
    static const struct one_case cases[] = {
        {AT(23) "m (float[1, 1, 1, 4] x) => (float[1, 1, 1, 4] y) <float[1, 1, 2] c = {0, 2}, float[1, 1, 2] s = {1, 0}> { y = RotaryEmbedding (x, c, s) }",
         4, 4, {1, 2, 3, 4}, {-3, 4, 1, 8}},
        {AT(23) "m (float[1, 1, 1, 4] x) => (float[1, 1, 1, 4] y) <float[1, 1, 2] c = {0, 2}, float[1, 1, 2] s = {1, 0}> { y = RotaryEmbedding <interleaved = 1> (x, c, s) }",
         4, 4, {1, 2, 3, 4}, {-2, 1, 6, 8}},
        /* The last two stay; the second token takes row 2 of the tables. */
        {AT(23) "m (float[1, 2, 4] x) => (float[1, 2, 4] y) <float[3, 1] c = {1, 9, 0}, float[3, 1] s = {0, 9, 1}, int64[1, 2] p = {0, 2}> "
                "{ y = RotaryEmbedding <num_heads = 1, rotary_embedding_dim = 2> (x, c, s, p) }",
         8, 8, {1, 2, 3, 4, 5, 6, 7, 8}, {1, 2, 3, 4, -6, 5, 7, 8}},
        /* Two heads of two numbers, turned alike. */
        {AT(23) "m (float[1, 1, 4] x) => (float[1, 1, 4] y) <float[1, 1, 1] c = {0}, float[1, 1, 1] s = {1}> { y = RotaryEmbedding <num_heads = 2> (x, c, s) }",
         4, 4, {1, 2, 3, 4}, {-2, 1, -4, 3}},
    };
    check_all(cases, sizeof cases / sizeof cases[0]);
}

static void gates(void **state)
{
    static const struct one_case cases[] = {
        {AT(24) "m (float[2] x) => (float[2] y) { y = Swish (x) }", 2, 2, {0, 100}, {0, 100}},
        /* The sigmoid of ln 3 is 3/4. */
        {AT(24) "m (float[1] x) => (float[1] y) { y = Swish <alpha = " LN3 "> (x) }", 1, 1, {1}, {0.75}},
        /* The root of (49 + 1) / 2 is 5; the result has the type of the scale. */
        {AT(23) "m (float[1, 2] x) => (float[1, 2] y) <float[2] s = {1, 2}> { h = Cast <to = 10> (x) y = RMSNormalization <epsilon = 0.0> (h, s) }", 2, 2, {7, -1}, {1.4, -0.4}},
        {AT(25) "m (float[2] x) => (float16[2] y) { y = Cast <to = 10, round_mode = \"up\", saturate = 1> (x) }", 2, 2, {1.5, -2}, {1.5, -2}},
    };
    check_all(cases, sizeof cases / sizeof cases[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(words), cmocka_unit_test(blocks), cmocka_unit_test(nothing), cmocka_unit_test(norms_of_windows),
                                      cmocka_unit_test(places_of_greatest), cmocka_unit_test(the_middle), cmocka_unit_test(bits),
                                      cmocka_unit_test(attention), cmocka_unit_test(rotations), cmocka_unit_test(gates)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
