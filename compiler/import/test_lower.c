/* test_lower.c: operators that are written as several, in values. Every expected number is worked out by hand: recurrent layers
 * apply Affine with 1 and 0, which changes nothing, so that a step is a few products and sums.
 */
#include "test_lower.h"

static unsigned count_nodes(const struct graph *graph, enum core_op op)
{
    unsigned count = 0;
    for (int i = 0; i < graph->node_count; i++)
        count += !graph->nodes[i].dead && graph->nodes[i].op == op;
    return count;
}

/* --- recurrent layers -------------------------------------------------------------------------------------------------------- */

#define PLAIN2 "activations = [\"Affine\", \"Affine\"], activation_alpha = [1.0, 1.0], activation_beta = [0.0, 0.0]"
#define PLAIN3 "activations = [\"Affine\", \"Affine\", \"Affine\"], activation_alpha = [1.0, 1.0, 1.0], activation_beta = [0.0, 0.0, 0.0]"
#define LSTM_WEIGHTS "<float[1, 4, 1] w = {1, 2, 0.5, 1}, float[1, 4, 1] r = {0.5, 1, 0.25, 1}, float[1, 3] p = {1, 0.5, 2}>"
#define LSTM(attributes) "m (float[2, 1, 1] x) => (float[2, 1, 1, 1] y, float[1, 1, 1] h, float[1, 1, 1] c) " LSTM_WEIGHTS \
    " { y, h, c = LSTM <hidden_size = 1, " PLAIN3 attributes "> (x, w, r, , , , , p) }"
#define GRU(attributes) "m (float[2, 1, 1] x) => (float[2, 1, 1, 1] y) <float[1, 3, 1] w = {1, 0.5, 2}, float[1, 3, 1] r = {1, 1, 1}, " \
    "float[1, 6] b = {0, 0, 0, 0, 0, 1}, float[1, 1, 1] s = {1}> { y = GRU <hidden_size = 1, " PLAIN2 attributes "> (x, w, r, b, , s) }"
#define RNN_WEIGHTS "<float[2, 1, 1] w = {1, 1}, float[2, 1, 1] r = {2, 3}, int32[2] n = {3, 1}>"

static void recurrent_layers(void **state)
{
    static const struct one_case cases[] = {
        /* Step 1: input 1, forget 0.5, cell 1 x 1 = 1, output 2 + 0.5 x 1 = 2.5, h = 2.5.
         * Step 2: input 2 + 1.25 + 1 = 4.25, forget 1 + 0.625 + 2 = 3.625, candidate 4.5, cell 3.625 + 19.125 = 22.75,
         * output 4 + 2.5 + 11.375 = 17.875, h = 17.875 x 22.75. */
        {LSTM(""), 2, 4, {1, 2}, {2.5, 406.65625, 406.65625, 22.75}},
        /* What goes into a function is at most 3: cell 3 x 1 + 3 x 3 = 12, which the last function sees as 3; h = 3 x 3. */
        {LSTM(", clip = 3.0"), 2, 4, {1, 2}, {2.5, 9, 9, 12}},
        /* Forget is 1 - 4.25: cell -3.25 + 19.125 = 15.875, output 4 + 2.5 + 7.9375 = 14.4375. */
        {LSTM(", input_forget = 1"), 2, 4, {1, 2}, {2.5, 229.1953125, 229.1953125, 15.875}},
        /* From h = 1: update 2, reset 1.5, hidden 2 + 1.5 x (1 + 1) = 5, h = -5 + 2; then -1, -2, 4 - 2 x -2 = 8, 16 + 3. */
        {GRU(", linear_before_reset = 1"), 2, 2, {1, 2}, {-3, 19}},
        /* Hidden 2 + 1.5 + 1 = 4.5, h = -4.5 + 2; then -0.5, -1.5, 4 + 3.75 + 1 = 8.75, 13.125 + 1.25. */
        {GRU(""), 2, 2, {1, 2}, {-2.5, 14.375}},
        /* Sequences 1 2 3 and 5 (cut short). Forwards h = x + 2 h, backwards x + 3 h. [step, direction, batch]. */
        {"m (float[3, 2, 1] x) => (float[3, 2, 2, 1] y, float[2, 2, 1] h) " RNN_WEIGHTS
         "{ y, h = RNN <hidden_size = 1, direction = \"bidirectional\", " PLAIN2 "> (x, w, r, , n) }",
         6, 16, {1, 5, 2, 6, 3, 7}, {1, 5, 34, 5, 4, 0, 11, 0, 11, 0, 3, 0, 11, 5, 34, 5}},
        /* The same with the batch first: [batch, step, direction] and [batch, direction]. */
        {"m (float[2, 3, 1] x) => (float[2, 3, 2, 1] y, float[2, 2, 1] h) " RNN_WEIGHTS
         "{ y, h = RNN <hidden_size = 1, layout = 1, direction = \"bidirectional\", " PLAIN2 "> (x, w, r, , n) }",
         6, 16, {1, 2, 3, 5, 6, 7}, {1, 34, 4, 11, 11, 3, 5, 5, 0, 0, 0, 0, 11, 34, 5, 5}},
        /* LeakyRelu of -4 is -0.04 by its own 0.01; ThresholdedRelu would need its 1: here 0.5 is consumed by the second alone. */
        {"m (float[1, 1, 1] x) => (float[1, 1, 1, 1] y) <float[2, 1, 1] w = {1, 1}, float[2, 1, 1] r = {0, 0}> "
         "{ z, h = RNN <hidden_size = 1, direction = \"bidirectional\", activations = [\"Relu\", \"LeakyRelu\"], activation_alpha = [0.5]> "
         "(x, w, r) y = ReduceSum <keepdims = 0> (h) }",
         1, 1, {-4}, {-2}},
        /* 256 equal units, whose cell gate has a product of its own, with twice the weights. Step 1: gates 1, candidate 2, cell 2, h 2. Step 2: gates
         * 2 + 256 x 2 / 256 = 4, candidate 8, cell 4 x 2 + 4 x 8 = 40, h 160. All units of both steps: 256 x 162. */
        {"m (float[2, 1, 1] x) => (float sum) <int64[3] w3 = {1, 768, 1}, int64[3] w1 = {1, 256, 1}, int64[3] r3 = {1, 768, 256}, int64[3] r1 = {1, 256, 256}> "
         "{ wg = ConstantOfShape <value = float[1] {1}> (w3) wc = ConstantOfShape <value = float[1] {2}> (w1) w = Concat <axis = 1> (wg, wc) "
         "rg = ConstantOfShape <value = float[1] {0.00390625}> (r3) rc = ConstantOfShape <value = float[1] {0.0078125}> (r1) r = Concat <axis = 1> (rg, rc) "
         "y = LSTM <hidden_size = 256, " PLAIN3 "> (x, w, r) sum = ReduceSum <keepdims = 0> (y) }",
         2, 1, {1, 2}, {41472}},
    };
    check_all(cases, sizeof cases / sizeof cases[0]);
}

/* Eight steps: one product for all inputs, one for each state but the first, which is zeros (two where the cell gate is multiplied by itself); weights
 * are read as they stand. */
static void check_products(const char *text, unsigned products)
{
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    struct graph *graph = import_text(text);
    assert_int_equal(passes_run(graph, NULL, NULL, &diag), WEFT_OK);
    assert_int_equal(count_nodes(graph, CORE_GEMM), products);
    assert_int_equal(count_nodes(graph, CORE_TRANSPOSE), 0);
    assert_int_equal(count_nodes(graph, CORE_SIGMOID), 8);
    assert_int_equal(count_nodes(graph, CORE_TANH), 16);
    assert_int_equal(count_nodes(graph, CORE_CONCAT), 1);
    graph_free(graph);
}

#define EIGHT_STEPS(units, gates, both) "m (float[8, 2, 300] x) => (float[8, 1, 2, " units "] y) { w = RandomNormal <shape = [1, " gates ", 300], seed = 1.0> () " \
    "r = RandomNormal <shape = [1, " gates ", " units "], seed = 2.0> () b = RandomNormal <shape = [1, " both "], seed = 3.0> () " \
    "y = LSTM <hidden_size = " units "> (x, w, r, b) }"

static void recurrent_products(void **state)
{
    check_products(EIGHT_STEPS("200", "800", "1600"), 1 + 7);
    check_products(EIGHT_STEPS("256", "1024", "2048"), 1 + 2 * 7);
}

/* --- transposed convolutions and volumes --------------------------------------------------------------------------------------- */

#define TURNED(in, out, weights, attributes) "m (float" in " x) => (float" out " y) <float" weights "> { y = ConvTranspose <" attributes "> (x, w) }"

static void transposed_convolutions(void **state)
{
    static const struct one_case cases[] = {
        /* Pixel i puts 1, 10 and 100 times itself at 2i, 2i + 1 and 2i + 2. */
        {TURNED("[1, 1, 3]", "[1, 1, 7]", "[1, 1, 3] w = {1, 10, 100}", "strides = [2]"), 3, 7, {1, 2, 3}, {1, 10, 102, 20, 203, 30, 300}},
        {TURNED("[1, 1, 3]", "[1, 1, 5]", "[1, 1, 3] w = {1, 10, 100}", "strides = [2], pads = [1, 1]"), 3, 5, {1, 2, 3}, {10, 102, 20, 203, 30}},
        {TURNED("[1, 1, 3]", "[1, 1, 9]", "[1, 1, 3] w = {1, 10, 100}", "strides = [2], output_padding = [2]"), 3, 9, {1, 2, 3}, {1, 10, 102, 20, 203, 30, 300, 0, 0}},
        {TURNED("[1, 1, 3]", "[1, 1, 9]", "[1, 1, 3] w = {1, 10, 100}", "strides = [2], dilations = [2]"), 3, 9, {1, 2, 3}, {1, 0, 12, 0, 123, 0, 230, 0, 300}},
        /* SAME: 6 of 7; one is too much and goes from the front (LOWER) or the end (UPPER). */
        {TURNED("[1, 1, 3]", "[1, 1, 6]", "[1, 1, 3] w = {1, 10, 100}", "strides = [2], auto_pad = \"SAME_LOWER\""), 3, 6, {1, 2, 3}, {10, 102, 20, 203, 30, 300}},
        {TURNED("[1, 1, 3]", "[1, 1, 6]", "[1, 1, 3] w = {1, 10, 100}", "strides = [2], auto_pad = \"SAME_UPPER\""), 3, 6, {1, 2, 3}, {1, 10, 102, 20, 203, 30}},
        {TURNED("[1, 1, 3]", "[1, 1, 8]", "[1, 1, 3] w = {1, 10, 100}", "strides = [2], output_shape = [8]"), 3, 8, {1, 2, 3}, {1, 10, 102, 20, 203, 30, 300, 0}},
        /* More cut off than the taps reach: pixel 1's own place and one to each side. */
        {TURNED("[1, 1, 3]", "[1, 1, 1]", "[1, 1, 1] w = {10}", "pads = [1, 1]"), 3, 1, {1, 2, 3}, {20}},
        {TURNED("[1, 1, 5]", "[1, 1, 1]", "[1, 1, 2] w = {1, 10}", "strides = [3], pads = [6, 7]"), 5, 1, {1, 2, 3, 4, 5}, {3}},
        /* Two groups of one channel each; each makes two. */
        {TURNED("[1, 2, 1]", "[1, 4, 2]", "[2, 2, 2] w = {1, 2, 3, 4, 5, 6, 7, 8}", "group = 2, strides = [2]"), 2, 8, {1, 10}, {1, 2, 3, 4, 50, 60, 70, 80}},
        /* A stride of its own in each dimension: rows doubled, columns beside each other overlap. */
        {TURNED("[1, 1, 1, 2]", "[1, 1, 2, 3]", "[1, 1, 2, 2] w = {1, 2, 3, 4}", "strides = [2, 1]"), 2, 6, {1, 10}, {1, 12, 20, 3, 34, 40}},
    };
    check_all(cases, sizeof cases / sizeof cases[0]);
}

static void volumes(void **state)
{
    static const struct one_case cases[] = {
        /* Depth 3, kernel 2 deep with weights 1 and 10, padded by one plane in front: 10 a, a + 10 b, b + 10 c. */
        {"m (float[1, 1, 3, 1, 1] x) => (float[1, 1, 3, 1, 1] y) <float[1, 1, 2, 1, 1] w = {1, 10}> { y = Conv <pads = [1, 0, 0, 0, 0, 0]> (x, w) }",
         3, 3, {1, 2, 3}, {10, 21, 32}},
        /* Every second plane, two apart, groups of one: a + 10 c for each channel, the second with weights 2 and 3. */
        {"m (float[1, 2, 3, 1, 1] x) => (float[1, 2, 1, 1, 1] y) <float[2, 1, 2, 1, 1] w = {1, 10, 2, 3}, float[2] b = {0.5, 0}> "
         "{ y = Conv <group = 2, strides = [2, 1, 1], dilations = [2, 1, 1]> (x, w, b) }",
         6, 2, {1, 2, 3, 4, 5, 6}, {31.5, 26}},
        /* Means with a gap: (a + c) / 2, (b + d) / 2; with a border of one that does not count, b / 1 first and c / 1 last. */
        {"m (float[1, 1, 4] x) => (float[1, 1, 2] y) { y = AveragePool <kernel_shape = [2], dilations = [2]> (x) }", 4, 2, {1, 2, 3, 4}, {2, 3}},
        {"m (float[1, 1, 4] x) => (float[1, 1, 4] y) { y = AveragePool <kernel_shape = [2], dilations = [2], pads = [1, 1]> (x) }",
         4, 4, {1, 2, 3, 4}, {2, 2, 3, 3}},
        {"m (float[1, 1, 4] x) => (float[1, 1, 4] y) { y = AveragePool <kernel_shape = [2], dilations = [2], pads = [1, 1], count_include_pad = 1> (x) }",
         4, 4, {1, 2, 3, 4}, {1, 2, 3, 1.5}},
    };
    check_all(cases, sizeof cases / sizeof cases[0]);
}

/* --- resize ------------------------------------------------------------------------------------------------------------------- */

#define SIZES(in, out, n, attributes) "m (float[" in "] x) => (float[" out "] y) <int64[" n "] s = {" out "}> { y = Resize <" attributes "> (x, , , s) }"
#define SCALES(in, out, scale, attributes) "m (float[" in "] x) => (float[" out "] y) <float[1] s = {" scale "}> { y = Resize <" attributes "> (x, , s) }"

static void sizes(void **state)
{
    static const struct one_case cases[] = {
        {SIZES("3", "5", "1", "mode = \"linear\", coordinate_transformation_mode = \"align_corners\""), 3, 5, {1, 2, 4}, {1, 1.5, 2, 3, 4}},
        /* Places -0.25, 0.25, 0.75, 1.25. */
        {SCALES("2", "4", "2", "mode = \"linear\""), 2, 4, {0, 4}, {0, 1, 3, 4}},
        /* Place 0.5: half of its own weights 1/4 3/4 3/4 1/4 lies behind the edge, on the first pixel. */
        {SCALES("4", "2", "0.5", "mode = \"linear\", antialias = 1"), 4, 2, {0, 1, 2, 3}, {0.625, 2.375}},
        {SCALES("4", "2", "0.5", "mode = \"linear\", antialias = 1, exclude_outside = 1"), 4, 2, {0, 1, 2, 3}, {1.25 / 1.75, 3 - 1.25 / 1.75}},
        /* Place 1.5 of 0 8 16 0: weights -3/32, 19/32, 19/32, -3/32 with a = -0.75. */
        {SCALES("4", "1", "0.25", "mode = \"cubic\""), 4, 1, {0, 8, 16, 0}, {24 * 19.0 / 32}},
        /* Places 0.5 and 2.5: a half goes down, or up. */
        {SCALES("4", "2", "0.5", "nearest_mode = \"round_prefer_floor\""), 4, 2, {1, 2, 3, 4}, {1, 3}},
        {SCALES("4", "2", "0.5", "nearest_mode = \"round_prefer_ceil\""), 4, 2, {1, 2, 3, 4}, {2, 4}},
        {SCALES("4", "2", "0.5", "nearest_mode = \"floor\""), 4, 2, {1, 2, 3, 4}, {1, 3}},
        {SCALES("4", "2", "0.5", "nearest_mode = \"ceil\""), 4, 2, {1, 2, 3, 4}, {2, 4}},
        /* One result: PyTorch takes the first pixel, half_pixel the middle. */
        {SIZES("3", "1", "1", "mode = \"linear\", coordinate_transformation_mode = \"pytorch_half_pixel\""), 3, 1, {1, 2, 4}, {1}},
        {SIZES("3", "1", "1", "mode = \"linear\""), 3, 1, {1, 2, 4}, {2}},
        /* 3 x 0.9 is 2.7, so 2 results; symmetric about the middle: 1 -+ 1 / 1.8. */
        {SCALES("3", "2", "0.9", "mode = \"linear\", coordinate_transformation_mode = \"half_pixel_symmetric\""), 3, 2, {0, 9, 18}, {9 - 5, 9 + 5}},
        /* No axis beyond its size: both by 2. */
        {"m (float[1, 2] x) => (float[2, 4] y) <int64[2] s = {2, 8}> { y = Resize <keep_aspect_ratio_policy = \"not_larger\", "
         "coordinate_transformation_mode = \"asymmetric\", nearest_mode = \"floor\"> (x, , , s) }",
         2, 8, {1, 2}, {1, 1, 2, 2, 1, 1, 2, 2}},
        /* The region from 0 to 2 of the axis: places 0, 2, 4; the last two of three pixels lie inside and outside. */
        {"m (float[3] x) => (float[3] y) <float[2] r = {0, 2}, int64[1] s = {3}> { y = Resize <mode = \"linear\", extrapolation_value = 7.0, "
         "coordinate_transformation_mode = \"tf_crop_and_resize\"> (x, r, , s) }",
         3, 3, {1, 2, 4}, {1, 4, 7}},
        {"m (float[1, 2] x) => (float[1, 4] y) <float[1] s = {2}> { y = Resize <axes = [1], coordinate_transformation_mode = \"asymmetric\", nearest_mode = \"floor\"> (x, , s) }",
         2, 4, {1, 2}, {1, 1, 2, 2}},
    };
    check_all(cases, sizeof cases / sizeof cases[0]);
}

/* Doubling moves no pixel by its number. */
static void doubling(void **state)
{
    struct graph *graph = import_text("m (float[1, 3, 8, 8] x) => (float[1, 3, 16, 16] y) <float[4] s = {1, 1, 2, 2}> "
                                      "{ y = Resize <coordinate_transformation_mode = \"asymmetric\", nearest_mode = \"floor\"> (x, , s) }");
    assert_int_equal(count_nodes(graph, CORE_GATHER), 0);
    assert_int_equal(count_nodes(graph, CORE_EXPAND), 2);
    graph_free(graph);
}

/* --- Einsum and places --------------------------------------------------------------------------------------------------------- */

#define EINSUM(equation, in, out, weights) "m (float" in " x) => (float" out " y) <float" weights "> { y = Einsum <equation = \"" equation "\"> (x, w) }"
#define EINSUM1(equation, in, out) "m (float" in " x) => (float" out " y) { y = Einsum <equation = \"" equation "\"> (x) }"

static void einsums(void **state)
{
    static const struct one_case cases[] = {
        {EINSUM("ij,jk->ik", "[2, 2]", "[2, 2]", "[2, 2] w = {1, 2, 3, 4}"), 4, 4, {1, 2, 3, 4}, {7, 10, 15, 22}},
        {EINSUM("ij,jk->ki", "[2, 2]", "[2, 2]", "[2, 2] w = {1, 2, 3, 4}"), 4, 4, {1, 2, 3, 4}, {7, 15, 10, 22}},
        {EINSUM("ij , jk", "[2, 2]", "[2, 2]", "[2, 2] w = {1, 2, 3, 4}"), 4, 4, {1, 2, 3, 4}, {7, 10, 15, 22}},
        {EINSUM("i,j->ij", "[2]", "[2, 2]", "[2] w = {3, 4}"), 2, 4, {1, 2}, {3, 4, 6, 8}},
        {EINSUM("ij,jk->", "[2, 2]", "", "[2, 2] w = {1, 2, 3, 4}"), 4, 1, {1, 2, 3, 4}, {54}},
        {EINSUM("...i,i...->...", "[2, 2]", "[2]", "[2, 1] w = {10, 1}"), 4, 2, {1, 2, 3, 4}, {12, 34}},
        {EINSUM("bij,bjk->bik", "[2, 1, 2]", "[2, 1, 1]", "[2, 2, 1] w = {1, 2, 3, 4}"), 4, 2, {1, 2, 3, 4}, {5, 25}},
        {EINSUM1("ii->i", "[2, 2]", "[2]"), 4, 2, {1, 2, 3, 4}, {1, 4}},
        {EINSUM1("ii", "[2, 2]", ""), 4, 1, {1, 2, 3, 4}, {5}},
        {EINSUM1("ij->ji", "[2, 2]", "[2, 2]"), 4, 4, {1, 2, 3, 4}, {1, 3, 2, 4}},
        {EINSUM1("iji->j", "[2, 2, 2]", "[2]"), 8, 2, {1, 2, 3, 4, 5, 6, 7, 8}, {7, 11}}, /* 1 + 6, 3 + 8 */
        {"m (float[1, 2] x) => (float[1, 1] y) <float[2, 2] v = {1, 2, 3, 4}, float[2, 1] w = {1, 10}> { y = Einsum <equation = \"ij,jk,kl->il\"> (x, v, w) }",
         2, 1, {1, 2}, {7 + 100}},
    };
    check_all(cases, sizeof cases / sizeof cases[0]);
}

static void places(void **state)
{
    static const struct one_case cases[] = {
        {"m (float[3] x) => (float[8] y) <int64[2] p = {3, 2}> { y = Pad <mode = \"reflect\"> (x, p) }", 3, 8, {1, 2, 3}, {2, 3, 2, 1, 2, 3, 2, 1}},
        {"m (float[3] x) => (float[5] y) <int64[2] p = {-1, 3}> { y = Pad <mode = \"edge\"> (x, p) }", 3, 5, {1, 2, 3}, {2, 3, 3, 3, 3}},
        {"m (float[3] x) => (float[7] y) <int64[2] p = {2, 2}> { y = Pad <mode = \"wrap\"> (x, p) }", 3, 7, {1, 2, 3}, {2, 3, 1, 2, 3, 1, 2}},
        {"m (float[1, 4, 1, 1] x) => (float[1, 1, 2, 2] y) { y = DepthToSpace <blocksize = 2> (x) }", 4, 4, {1, 2, 3, 4}, {1, 2, 3, 4}},
        {"m (float[2, 2] x) => (float[4, 2] y) <int64[2] r = {2, 1}> { y = Tile (x, r) }", 4, 8, {1, 2, 3, 4}, {1, 2, 3, 4, 1, 2, 3, 4}},
        {"m (float[2, 3] x) => (float[2, 3] y) <int64 k = {1}> { y = Trilu <upper = 0> (x, k) }", 6, 6, {1, 2, 3, 4, 5, 6}, {1, 2, 0, 4, 5, 6}},
        /* The greatest stands twice: the first, and the last. */
        {"m (float[4] x) => (int64[1] y) { y = ArgMax (x) }", 4, 1, {1, 7, 7, 2}, {1}},
        {"m (float[4] x) => (int64[1] y) { y = ArgMax <select_last_index = 1> (x) }", 4, 1, {1, 7, 7, 2}, {2}},
        {"m (float[4] x) => (int64[1] y) { y = ArgMin (x) }", 4, 1, {1, -7, 7, -7}, {1}},
        {"m (float[4] x) => (float[4] y) { y = Hardmax (x) }", 4, 4, {1, 7, 7, 2}, {0, 1, 0, 0}},
        {"m (float[3] x) => (float[3, 3] y) <int64 d = {3}, float[2] v = {5, 9}> { y = OneHot (x, d, v) }", 3, 9, {0, -1, 4}, {9, 5, 5, 5, 5, 9, 5, 5, 5}},
        {"m (float[2, 3] x) => (float[2, 2] y) <int64[2, 2] i = {0, -1, 2, 1}> { y = GatherElements <axis = 1> (x, i) }", 6, 4, {1, 2, 3, 4, 5, 6}, {1, 3, 6, 5}},
        {"m (float[2, 3] x) => (float[2] y) <int64[2, 2] i = {0, 2, -1, 0}> { y = GatherND (x, i) }", 6, 2, {1, 2, 3, 4, 5, 6}, {3, 4}},
        {"m (float[3, 2] x) => (float[3, 2] y) <int64[1, 1] i = {-1}, float[1, 2] u = {8, 9}> { y = ScatterND (x, i, u) }", 6, 6, {1, 2, 3, 4, 5, 6}, {1, 2, 3, 4, 8, 9}},
        {"m (float[3] x) => (float[3] y) <int64[2] i = {2, 0}, float[2] u = {8, 9}> { y = ScatterElements (x, i, u) }", 3, 3, {1, 2, 3}, {9, 2, 8}},
        /* Places that come twice: 3 + 4 + 5, 3 x 4 x 5, the greatest and the least of 3, 4 and 1. */
        {"m (float[3] x) => (float[3] y) <int64[3] i = {2, 0, -1}, float[3] u = {4, 9, 5}> { y = ScatterElements <reduction = \"add\"> (x, i, u) }", 3, 3, {1, 2, 3}, {10, 2, 12}},
        {"m (float[3] x) => (float[3] y) <int64[3] i = {2, 0, 2}, float[3] u = {4, 9, 5}> { y = ScatterElements <reduction = \"mul\"> (x, i, u) }", 3, 3, {1, 2, 3}, {9, 2, 60}},
        {"m (float[3] x) => (float[3] y) <int64[3] i = {2, 0, 2}, float[3] u = {4, 0, 1}> { y = ScatterElements <reduction = \"max\"> (x, i, u) }", 3, 3, {1, 2, 3}, {1, 2, 4}},
        {"m (float[3] x) => (float[3] y) <int64[3] i = {2, 0, 2}, float[3] u = {4, 9, 1}> { y = ScatterElements <reduction = \"min\"> (x, i, u) }", 3, 3, {1, 2, 3}, {1, 2, 1}},
        {"m (float[3, 2] x) => (float[3, 2] y) <int64[2, 1] i = {-1, 2}, float[2, 2] u = {8, 9, 1, 1}> { y = ScatterND <reduction = \"add\"> (x, i, u) }", 6, 6, {1, 2, 3, 4, 5, 6}, {1, 2, 3, 4, 14, 16}},
    };
    check_all(cases, sizeof cases / sizeof cases[0]);
}

/* --- sums, norms and functions ------------------------------------------------------------------------------------------------- */

static void norms(void **state)
{
    static const struct one_case cases[] = {
        {"m (float[5] x) => (float y) { y = ReduceProd <keepdims = 0> (x) }", 5, 1, {1, 2, 3, 4, 5}, {120}},
        {"m (float[3] x) => (float[1] y) { y = ReduceMin (x) }", 3, 1, {3, -2, 8}, {-2}},
        {"m (float[2] x) => (float[1] y) { y = ReduceL2 (x) }", 2, 1, {3, -4}, {5}},
        {"m (float[2] x) => (float[1] y) { y = ReduceLogSumExp (x) }", 2, 1, {1000, 1000}, {1000 + 0.69314718056}},
        {"m (float[2] x) => (float[2] y) { y = LpNormalization (x) }", 2, 2, {3, -4}, {0.6, -0.8}},
        {"m (float[2] x) => (float[2] y) { y = LpNormalization (x) }", 2, 2, {0, 0}, {0, 0}},
        /* Mean 2 and variance 1 in each group; epsilon 0 leaves -1 and 1. A group has one scale before opset 21, a channel after. */
        {"m (float[1, 4, 1] x) => (float[1, 4, 1] y) <float[2] s = {1, 10}, float[2] b = {0, 100}> { y = GroupNormalization <num_groups = 2, epsilon = 0.0> (x, s, b) }",
         4, 4, {1, 3, 6, 4}, {-1, 1, 110, 90}},
        {"<ir_version: 8, opset_import: [\"\" : 21]> m (float[1, 4, 1] x) => (float[1, 4, 1] y) <float[4] s = {1, 2, 3, 4}, float[4] b = {0, 0, 10, 10}> "
         "{ y = GroupNormalization <num_groups = 2, epsilon = 0.0> (x, s, b) }",
         4, 4, {1, 3, 6, 4}, {-1, 2, 13, 6}},
        {"m (float[1, 2] x) => (float[1, 2] y, float[1, 1] mean, float[1, 1] inverse) <float[2] s = {1, 2}> { y, mean, inverse = LayerNormalization <epsilon = 0.0> (x, s) }",
         2, 4, {1, 5}, {-1, 2, 3, 0.5}},
        {"<ir_version: 8, opset_import: [\"\" : 23]> m (float[1, 2] x) => (float[1, 2] y) <float[2] s = {1, 2}> { y = RMSNormalization <epsilon = 0.0> (x, s) }",
         2, 2, {7, -1}, {1.4, -0.4}}, /* the root of (49 + 1) / 2 is 5 */
        /* Two windows: a third would begin behind the input, in the padding. */
        {"m (float[1, 1, 4] x) => (float[1, 1, 2] y) { y = MaxPool <kernel_shape = [1], strides = [3], pads = [0, 1], ceil_mode = 1> (x) }", 4, 2, {1, 2, 3, 4}, {1, 4}},
        {"m (float[1, 1, 4] x) => (float[1, 1, 1] y) { y = MaxPool <kernel_shape = [2], strides = [4], pads = [0, 1], ceil_mode = 1> (x) }", 4, 1, {1, 2, 3, 4}, {2}},
        {"m (float[3] x) => (uint8[3] y, float s, uint8 z) { y, s, z = DynamicQuantizeLinear (x) }", 3, 5, {-51, 0, 204}, {0, 51, 255, 1, 51}},
        {"m (float[2] x) => (uint8[2] y, float s, uint8 z) { y, s, z = DynamicQuantizeLinear (x) }", 2, 4, {0, 0}, {0, 0, 1, 0}},
        {"m (float[3] x) => (float[3] y) { y = HardSwish (x) }", 3, 3, {-3, 3, 1}, {0, 3, 4.0 / 6}},
        {"m (float[3] x) => (float[3] y) { y = Softplus (x) }", 3, 3, {0, 1000, -1000}, {0.69314718056, 1000, 0}},
        {"m (float[3] x) => (float[3] y) { y = Elu <alpha = 2.0> (x) }", 3, 3, {-1000, 0, 3}, {-2, 0, 3}},
        {"<ir_version: 8, opset_import: [\"\" : 20]> m (float[3] x) => (float[3] y) { y = Gelu (x) }", 3, 3, {0, 1, -1}, {0, 0.841344746, -0.158655254}},
        {"<ir_version: 8, opset_import: [\"\" : 20]> m (float[2] x) => (float[2] y) { y = Gelu <approximate = \"tanh\"> (x) }", 2, 2, {0, 1}, {0, 0.841191991}},
        {"m (float[4] x) => (int32[4] y) <int32[4] b = {3, 3, -3, -3}> { i = Cast <to = 6> (x) y = Mod (i, b) }", 4, 4, {7, -7, 7, -7}, {1, 2, -2, -1}},
        {"m (float[4] x) => (int32[4] y) <int32[4] b = {3, 3, -3, -3}> { i = Cast <to = 6> (x) y = Mod <fmod = 1> (i, b) }", 4, 4, {7, -7, 7, -7}, {1, -1, 1, -1}},
    };
    check_all(cases, sizeof cases / sizeof cases[0]);
}

/* How PyTorch writes an expansion: a shape from parts, its zeros and minus ones replaced by a choice. All of it is known. */
static void shape_arithmetic(void **state)
{
    static const struct one_case cases[] = {
        {"m (float[1, 2] x) => (float[3, 2] y) <int64[1] zero = {0}, int64[1] one = {1}, int64 last = {1}, int64[1] three = {3}, int64[2] minus = {-1, -1}> {"
         " s = Shape (x) n = Gather (s, last) first = Unsqueeze (n, zero) target = Concat <axis = 0> (three, first) rank = Shape (target)"
         " ones = ConstantOfShape <value = int64[1] {1}> (rank) many = Mul (ones, minus) same = Equal (target, many) shape = Where (same, ones, target)"
         " y = Expand (x, shape) }",
         2, 6, {1, 2}, {1, 2, 1, 2, 1, 2}},
        {"m (float[3] x) => (float[2] y) <bool[3] c = {1, 0, 1}, int64[1] zero = {0}> { p = NonZero (c) q = Squeeze (p, zero) y = Gather (x, q) }", 3, 2, {1, 2, 3}, {1, 3}},
    };
    struct graph *graph = import_text(cases[0].text);
    assert_int_equal(graph->node_count, 1);
    graph_free(graph);
    check_all(cases, sizeof cases / sizeof cases[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(recurrent_layers), cmocka_unit_test(recurrent_products), cmocka_unit_test(transposed_convolutions),
                                       cmocka_unit_test(volumes), cmocka_unit_test(sizes), cmocka_unit_test(doubling), cmocka_unit_test(einsums),
                                       cmocka_unit_test(places), cmocka_unit_test(norms), cmocka_unit_test(shape_arithmetic)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
