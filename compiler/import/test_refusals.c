/* test_refusals.c: what is wrong or not supported is named, with its node or place, and all at once. */
#include "test_front.h"

#define HEAD(opset) "<ir_version: 8, opset_import: [\"\" : " #opset "]>\n"
#define ONE(body) HEAD(13) "m (float[2, 3] x) => (float[2, 3] y) { " body " }"

static const struct {
    const char *text, *message;
} cases[] = {
    /* the text itself */
    {HEAD(13) "m (float[2] x) => (float[2] y) {\n  y = Relu x)\n}", ":3:12: syntax error, unexpected name"},
    {HEAD(13) "m (float[2] x) => (float[2] y) { y = Relu (x) ", "end of text"},
    {HEAD(13) "m (float[2] x) => (float[2] y) { y = Relu (\"x) }", "the string does not end"},
    {HEAD(13) "m (float[2] x) => (float[2] y) <float[2] c = {1, 2.x}> { }", "unexpected name, expecting"},
    {HEAD(13) "m (float[2] x) => (float[2] y) { y = Relu (x); }", "a byte 0x3b has no place here"},
    {HEAD(13) "m (float[2] x) => (float[2] y) <uint8[2] c = {1,\n 256}> { }", ":3:2: is no uint8"},
    {HEAD(13) "m (float[2] x) => (float[2] y) <float[n] c = {1}> { }", "dimensions that are numbers"},
    {"<opset_imports: [\"\" : 13]> m (float[2] x) => (float[2] y) { y = Relu (x) }", "'opset_imports' has no place here"},
    {ONE("y = LeakyRelu <alpha = none> (x)"), "is no value"},
    {ONE("y = LeakyRelu <alpha : floaty = 1> (x)"), "'floaty' is no type"},
    /* the model */
    {"m (float[2] x) => (float[2] y) { y = Relu (x) }", "imports no opset"},
    {HEAD(26) "m (float[2] x) => (float[2] y) { y = Relu (x) }", "opset 26; 1 to 25 are supported"},
    {HEAD(6) "m (float[2] x) => (float[2] y) { y = Add (x, x) }", "needs opset 7; this is opset 6"},
    {HEAD(6) "m (float[2] x) => (float[2] y) { y = Relu <consumed_inputs = [0]> (x) }", "has no attribute 'consumed_inputs'"},
    {HEAD(13) "m (float[2] x) => (float[2] q) { y = Relu (x) }", "output q: nothing makes it"},
    {HEAD(13) "m (float[2] x, float[2] x) => (float[2] y) { y = Relu (x) }", "input 'x'"},
    {HEAD(13) "m (float[2] x) => (float[2] y) <float[1] c = {1}, float[1] c = {2}> { y = Relu (x) }", "initializer 'c'"},
    {HEAD(13) "m (float[2] x) => (float[2] y) <float[3] c = {1}> { y = Add (x, c) }",
     "tensor c: float_data has 1 elements; the shape asks for 3"},
    {HEAD(13) "m (float[2] x) => (float[2] y) <float[1099511627776, 1099511627776] c = {1}> { y = Relu (x) }", "too many elements"},
    {HEAD(13) "m (float[2] x) => (float[2] y) <float[1] c = [\"location\" : \"../c\"]> { y = Add (x, c) }",
     "in or below the model's directory"},
    {HEAD(13) "m (float[2] x) => (float[2] y) <float[1] c = [\"location\" : \"/etc/passwd\"]> { y = Add (x, c) }",
     "in or below the model's directory"},
    {HEAD(13) "m (seq(float[2]) x) => (float[2] y) { y = Relu (x) }", "input x is a sequence"},
    {HEAD(13) "m (string[2] x) => (float[2] y) { y = Relu (x) }", "element type string"},
    {HEAD(13) "m (float[] x) => (float[2] y) { y = Relu (x) }", "input x has no shape"},
    {HEAD(13) "m (float[1, seq] x) => (float[2] y) { y = Relu (x) }", "dimension 1 (seq) is open; give it a number, as in --dim seq=4"},
    {HEAD(13) "m (float[2] x) => (int32[2] y) { y = Relu (x) }", "is declared as int32"},
    /* names */
    {ONE("y = Relu (z)"), "y (Relu): reads z, which nothing makes"},
    {ONE("y = Relu (x) y = Neg (x)"), "makes y, which is made before"},
    {ONE("a = Relu (b) b = Relu (a) y = Add (x, b)"), "waits for its own result"},
    /* operators */
    {ONE("y = Unique (x)"), "y (Unique): the operator is not supported"},
    {ONE("y = com.microsoft.Gelu (x)"), "domain 'com.microsoft'"},
    {ONE("y = Relu <alpha = 1.0> (x)"), "has no attribute 'alpha'"},
    {ONE("y = Relu (x, x)"), "2 inputs; 1 to 1 are right"},
    {ONE("y = Add (x, )"), "1 inputs; 2 to 2"},
    {ONE("y = LeakyRelu <alpha = \"big\"> (x)"), "attribute alpha has the wrong type"},
    {ONE("y, more = LeakyRelu (x) z = Neg (more)"), "output 2 (more) is used"},
    {ONE("y = Clip <min = 0.0> (x)"), "bounds as attributes end with opset 10"},
    {ONE("y = Cast <to = 8> (x)"), "cast to type 8 (string)"},
    {ONE("y = MatMul (x, x)"), "shapes [2, 3] and [2, 3] do not multiply"},
    {ONE("y = Conv (x, x)"), "3 to 5"},
    {ONE("y = Transpose <perm = [0, 0]> (x)"), "each of the 2 dimensions once"},
    {ONE("y = Concat <axis = 2> (x, x)"), "axis 2; the input has 2 dimensions"},
    {ONE("s = Constant <value = int64[2] {4, -1}> () y = Reshape (x, s)"), "6 elements do not fill"},
    {ONE("s = Constant <value = int64[2] {9223372036854775807, 9223372036854775807}> () y = ConstantOfShape (s)"), "too many elements"},
    {ONE("y = RandomNormal <shape = [-1, 3]> ()"), "negative dimension"},
    {ONE("s = Neg (x) y = Reshape (x, s)"), "computed at run time; it must be constant"},
    {ONE("i = Constant <value = int64[1] {2}> () y = Gather (x, i)"), "index 2; dimension 0 has 2 elements"},
    {HEAD(13) "m (float[1, 1, 4] x) => (float[1] y) { y = MaxPool <kernel_shape = [9]> (x) }",
     "the window spans 9 and the padded input only 4"},
    {HEAD(13) "m (float[1, 1, 4] x) => (float[1] y) { y = MaxPool <kernel_shape = [2], strides = [0]> (x) }", "it must be at least 1"},
    {HEAD(13) "m (float[1, 1, 4] x) => (float[1] y) { y = MaxPool <kernel_shape = [2], auto_pad = \"SAME\"> (x) }", "auto_pad SAME;"},
    {HEAD(13) "m (float[1, 3, 4] x) => (float[1] y) <float[2, 1, 1] w = {1, 2}> { y = Conv <group = 2> (x, w) }", "do not fit"},
    {HEAD(13) "m (float[1, 3, 4] x) => (float[1] y) { y = MaxPool <kernel_shape = [2], strides = [1073741824]> (x) }",
     "attribute strides has 1073741824; it must be at least 1 and at most 1048576"},
    {HEAD(13) "m (float[1, 3, 4] x) => (float[1] y) { y = MaxPool <kernel_shape = [1073741824], pads = [1048576, 1048576]> (x) }",
     "a kernel at most 1048576"},
    {HEAD(13) "m (float[1, 3, 4] x) => (float[1] y) { y = MaxPool <kernel_shape = [2], pads = [0, 1073741824]> (x) }",
     "it must be from 0 to 1048576"},
    {HEAD(13) "m (float[1, 3, 4] x) => (float[1] y) { y = LRN <size = 4611686018427387904> (x) }",
     "y (LRN): size 4611686018427387904; at most 1048576"},
    {HEAD(18) "m (float[6] x) => (float[3] y) { y, z = Split <num_outputs = 3> (x) }", "num_outputs is 3 and the node has 2 outputs"},
    {HEAD(18) "m (float[4] x) => (float[2] y) { y, z, w = Split <num_outputs = 3> (x) }", "4 does not divide into 3 parts"},
    {HEAD(18) "m (float[4] x) => (float[2] y) <int64[2] s = {2, 2}> { y, z = Split <num_outputs = 2> (x, s) }",
     "both sizes and num_outputs"},
    {HEAD(13) "m (uint8[2, 3] x) => (int32[2, 2] y) <uint8[3, 2] w = {1, 2, 3, 4, 5, 6}, uint8[3] z = {1, 2, 3}> { y = MatMulInteger (x, w, z) }",
     "the zero point of input 1 is [3]; one number, or one for each of the 2 rows, are right"},
    {HEAD(13) "m (uint8[2, 3] x) => (int32[2, 2] y) <uint8[3, 2] w = {1, 2, 3, 4, 5, 6}, uint8[3] z = {1, 2, 3}> { y = MatMulInteger (x, w, , z) }",
     "the zero point of input 2 is [3]; one number, or one for each of the 2 columns, are right"},
    {HEAD(13) "m (uint8[2, 3] x, int8 z) => (int32[2, 2] y) <uint8[3, 2] w = {1, 2, 3, 4, 5, 6}> { y = MatMulInteger (x, w, z) }",
     "input 1 is uint8 and its zero point int8; they must be one type"},
    {HEAD(13) "m (uint8[2, 3] x) => (int32[2, 2] y) <int16[3, 2] w = {1, 2, 3, 4, 5, 256}> { y = MatMulInteger (x, w) }", "input 2 is int16; it must be uint8 or int8"},
    {HEAD(13) "m (uint8[1, 2, 3] x) => (int32[1, 1, 2] y) <uint8[1, 2, 2] w = {1, 2, 3, 4}, uint8[2] z = {1, 2}> { y = ConvInteger (x, w, z) }",
     "the zero point of input 1 is [2]; one number is right"},
    {HEAD(13) "m (uint8[1, 1, 3] x, uint8 z) => (int32[1, 1, 2] y) <uint8[1, 1, 2] w = {1, 2}> { y = ConvInteger (x, w, , z) }",
     "the zero point of the weights must be constant; input 4 (z) is computed at run time"},
    /* operators that are written as several */
    {HEAD(14) "m (float[5000, 1, 2] x) => (float[5000, 1, 1, 1] y) <float[1, 4, 2] w = {1,1,1,1,1,1,1,1}, float[1, 4, 1] r = {1,1,1,1}> "
              "{ y = LSTM <hidden_size = 1> (x, w, r) }",
     "y (LSTM): 5000 steps in 1 directions over a batch of 1; 1 to 4096 steps can be unrolled"},
    {HEAD(14) "m (float[2, 1, 1] x, int32[1] n) => (float[2, 1, 1, 1] y) <float[1, 1, 1] w = {1}, float[1, 1, 1] r = {1}> "
              "{ y = RNN <hidden_size = 1> (x, w, r, , n) }",
     "sequence_lens (n) is computed at run time; it must be constant or left out"},
    {HEAD(14) "m (float[2, 1, 1] x) => (float[2, 1, 1, 1] y) <float[1, 1, 1] w = {1}, float[1, 1, 1] r = {1}> "
              "{ y = RNN <hidden_size = 1, activations = [\"Affine\"]> (x, w, r) }",
     "activation Affine needs its activation_alpha and activation_beta"},
    {HEAD(14) "m (float[2, 1, 1] x) => (float[2, 1, 1, 1] y) <float[1, 1, 1] w = {1}, float[1, 1, 1] r = {1}> "
              "{ y = RNN <hidden_size = 1, activations = [\"Swish\"]> (x, w, r) }",
     "activation 'Swish' is not one that ONNX names"},
    {HEAD(14) "m (float[2, 1, 1] x) => (float[2, 1, 1, 1] y) <float[1, 2, 1] w = {1, 1}, float[1, 1, 1] r = {1}> { y = RNN <hidden_size = 1> (x, w, r) }",
     "W is [1, 2, 1]; it must be [1, 1, 1]"},
    {HEAD(13) "m (float[1, 1, 3000, 1, 1] x) => (float[1, 1, 1, 1, 1] y) { w = RandomNormal <shape = [1, 1, 2000, 1, 1]> () y = Conv (x, w) }",
     "a kernel 2000 deep; at most 1024 is supported"},
    {HEAD(13) "m (float[1, 1, 3] x) => (float[1, 1, 1] y) <float[1, 1, 1] w = {1}> { y = ConvTranspose <pads = [2, 1]> (x, w) }",
     "spatial dimension 0: the padding leaves 0 of the result"},
    {HEAD(13) "m (float[1, 1, 3] x) => (float[1, 1, 1] y) <float[1, 1, 1] w = {1}> { y = ConvTranspose <strides = [1048577]> (x, w) }",
     "attribute strides has 1048577; it must be from 1 to 1048576"},
    {ONE("y = Resize (x)"), "has neither scales nor sizes; one of them is right"},
    {HEAD(13) "m (float[3] x) => (float[70000] y) <int64[1] s = {70000}> { y = Resize <mode = \"linear\"> (x, , , s) }",
     "axis 0 goes from 3 to 70000; at most 65536 are supported"},
    {HEAD(13) "m (float[3] x) => (float[3] y) <float[1] s = {-1}> { y = Resize (x, , s) }", "scale -1; it must be above 0"},
    {ONE("y = Resize <mode = \"area\"> (x, , x)"), "mode area is not supported"},
    {ONE("y = Einsum <equation = \"ij*\"> (x)"), "the equation cannot be read at '*'"},
    {ONE("y = Einsum <equation = \"...->abcdefgh...\"> (x)"), "the equation cannot be read at"},
    {HEAD(13) "m (float[3] x) => (float[3] y) <float[2] r = {nan, 1}, int64[1] s = {3}> { y = Resize <coordinate_transformation_mode = \"tf_crop_and_resize\"> (x, r, , s) }", "roi has nan"},
    {HEAD(18) "m (float[65536] x) => (float[1] y) <float[2] r = {-524288, 524288}, float[1] s = {1.4551915228366852e-11}> "
              "{ y = Resize <coordinate_transformation_mode = \"tf_crop_and_resize\", mode = \"linear\", antialias = 1> (x, r, s) }",
     "y (Resize): antialias with scale 1.45519e-11 weighs 6.87195e+10 elements to either side; at most 1048576 are supported"},
    {HEAD(13) "m (float[3] x) => (float[3] y) { y = NonZero (x) }", "the input (x) is computed at run time"},
    {ONE("y = Einsum <equation = \"ijk->i\"> (x)"), "operand 1 of the equation has 3 dimensions and the input 2"},
    {ONE("y = Einsum <equation = \"ij,jk->ik\"> (x, x)"), "a label names dimensions of 3 and 2"},
    {ONE("y = Einsum <equation = \"ij->iz\"> (x)"), "the result has a label that no operand has"},
    {ONE("y = Einsum <equation = \"ij,ij->ij\"> (x)"), "the equation has more operands than the node inputs"},
    {HEAD(13) "m (float[2] x) => (int64[3] y) <int64[2] w = {1, 2}, int64[2] p = {0, 1}, int64 v = {16777217}> { y = Pad (w, p, v) }",
     "y (Pad): the padding value 16777217 is an integer that fp32 does not hold; those up to 2^24 are right"},
    {HEAD(13) "m (float[2] x) => (int64[3] y) <int64[2] w = {1, 2}, int64[2] p = {0, 1}, int64 v = {9007199254740993}> { y = Pad (w, p, v) }",
     "an integer that fp32 does not hold"},
    {HEAD(13) "m (float[2] x) => (float[2] y) <int64[2] p = {1, 1}> { y = Pad <mode = \"wrap\"> (x, p) }", "mode wrap; constant, reflect and edge are right"},
    /* no elements, and yet dimensions whose products overflow */
    {HEAD(13) "m (float[2] x) => (float[2] y) <float[0, 4611686018427387904, 4] w = {}> { y = Flatten (w) }", "tensor w: the shape has too many elements"},
    {HEAD(13) "m (float[2] x) => (float[2] y) <int64[3] s = {0, 4611686018427387904, 4}> { w = ConstantOfShape (s) y = Flatten (w) }",
     "w (ConstantOfShape): the shape [0, 4611686018427387904, 4] has a negative dimension or too many elements"},
    {HEAD(13) "m (float[2] x) => (float[2] y) <int64[3] s = {0, 4611686018427387904, 4}, float[0] w = {}> { z = Reshape <allowzero = 1> (w, s) y = Softmax (z) }",
     "z (Reshape): the result has too many elements"},
    {HEAD(13) "m (float[2] x) => (float[2] y) <int64[1] r = {1099511627776}> { y = Tile (x, r) }", "the result has too many elements"},
    {HEAD(13) "m (float[2] x) => (float[2] y) <int64 d = {1099511627776}, float[2] v = {0, 1}> { y = OneHot (x, d, v) }", "depth 1.09951e+12; 1 to 16777216 are supported"},
    {HEAD(13) "m (float[2] x) => (float[2] y) <int64[1] i = {2}> { y = GatherElements (x, i) }", "index 2; the dimension has 2 elements"},
    {HEAD(18) "m (float[2] x) => (float[2] y) <int64[1] i = {1}, float[1] u = {1}> { y = ScatterElements <reduction = \"sub\"> (x, i, u) }",
     "reduction sub; none, add, mul, max and min are right"},
    {HEAD(18) "m (float[2, 1, 3] x) => (float[2, 1, 3] y) <int64[1, 1, 1, 1, 1, 1, 1, 1] i = {1}, float[1, 1, 1, 1, 1, 1, 1, 1] u = {1}> { y = ScatterND (x, i, u) }",
     "y (ScatterND): updates would have 9 dimensions; at most 8 are supported"},
    {HEAD(13) "m (float[2] x, int64[1] i) => (float[2] y) <float[1] u = {1}> { y = ScatterElements (x, i, u) }", "indices (i) are computed at run time; they must be constant"},
    {HEAD(21) "m (uint8[5, 2] x) => (float[5, 2] y) <float[2, 2] s = {1, 1, 1, 1}> { y = DequantizeLinear <axis = 0, block_size = 2> (x, s) }",
     "y (DequantizeLinear): the scale is [2, 2]; for blocks of 2 along axis 0 it must be [3, 2]"},
    {HEAD(21) "m (float[2] x) => (uint8[2] y) <float s = {1}> { y = QuantizeLinear <output_dtype = 17> (x, s) }",
     "y (QuantizeLinear): output_dtype float8e4m3fn (17) is not supported"},
    {HEAD(21) "m (float[2] x) => (uint8[2] y) <float s = {1}> { y = QuantizeLinear <output_dtype = 6> (x, s) }",
     "the result is int32; uint8, int8, uint16 and int16 are supported"},
    {HEAD(21) "m (float[2] x) => (uint8[2] y) <float s = {1}, int8 z = {0}> { y = QuantizeLinear <output_dtype = 2> (x, s, z) }",
     "output_dtype is uint8 and the zero point int8; they must be one type"},
    {HEAD(23) "m (float[2] x) => (float[2] y) { y = Cast <to = 23> (x) }", "cast to type 23 (float4e2m1) is not supported"},
    {HEAD(18) "m (float[1, 4, 1] x) => (float[1, 4, 1] y) <float[4] s = {1, 1, 1, 1}> { y = GroupNormalization <num_groups = 2> (x, s, s) }", "the scale is [4]; it must be [2]"},
    {HEAD(13) "m (float[2] x) => (float[2] y) { y = Mod (x, x) }", "inputs are float32; the remainder of integers is supported"},
    {HEAD(13) "m (float[2, 3] x) => (float[2, 3] y) { y = DepthToSpace <blocksize = 2> (x) }", "the input has 2 dimensions; 4 are right"},
    {HEAD(18) "m (int32[2] x) => (int32[2] y) { y = BitwiseNot (x) }", "y (BitwiseNot): input 1 is int32; integers of 8 and 16 bits are supported"},
    {HEAD(18) "m (float[2] x) => (float[2] y) <int64[2] s = {1, 2}> { y = CenterCropPad (x, s) }", "the target shape has 2 numbers; 1 are right, one an axis"},
    {HEAD(18) "m (float[1, 1, 4] x) => (float[1, 1, 3] y) { y = LpPool <kernel_shape = [2], p = 0> (x) }", "p 0; it must be at least 1"},
    /* attention */
    {HEAD(23) "m (float[1, 1, 1048576, 1] x) => (float[1, 1, 1048576, 1] y) { y = Attention <is_causal = 1> (x, x, x) }",
     "y (Attention): the constant is [1048576, 1048576], 1099511627776 elements; at most 1073741824 are supported"},
    {HEAD(23) "m (float[1, 2, 4] x) => (float[1, 2, 4] y) { y = Attention (x, x, x) }", "y (Attention): q_num_heads is 0; it must be given and divide the 4 numbers of input 1"},
    {HEAD(23) "m (float[1, 3, 2, 4] x, float[1, 2, 2, 4] k) => (float[1, 3, 2, 4] y) { y = Attention (x, k, k) }",
     "query [1, 3, 2, 4], key [1, 2, 2, 4] and value [1, 2, 2, 4] do not fit"},
    {HEAD(23) "m (float[1, 1, 2, 4] x) => (float[1, 1, 2, 4] y) { y = Attention (x, x, x, , x) }", "past_key or past_value is given alone"},
    {HEAD(23) "m (float[1, 1, 2, 4] x) => (float[1, 1, 2, 4] y) <float[3, 2] m = {0, 0, 0, 0, 0, 0}> { y = Attention (x, x, x, m) }",
     "the mask is [3, 2] and does not broadcast to [1, 1, 2, 2]"},
    {HEAD(23) "m (float[1, 1, 2, 4] x) => (float[1, 1, 2, 4] y) { y = Attention <softcap = 2.0, is_causal = 1> (x, x, x) }", "softcap with a mask; ONNX's versions differ"},
    {HEAD(23) "m (float[1, 1, 2, 4] x) => (float[1, 1, 2, 4] y) { y = Attention <softmax_precision = 11> (x, x, x) }", "softmax_precision double; float and what is less exact"},
    {HEAD(23) "m (float[1, 1, 2, 4] x) => (float[1, 1, 2, 2] s) { y, k, v, s = Attention <qk_matmul_output_mode = 1> (x, x, x) }", "qk_matmul_output_mode 1; 0, 2 and 3"},
    {HEAD(23) "m (float[1, 1, 2, 4] x) => (float[1, 1, 2, 4] y) <float[1, 2, 1] c = {1, 1}> { y = RotaryEmbedding (x, c, c) }",
     "input 2 gives [1, 2, 1]; [batch, tokens, 2] is right"},
    {HEAD(23) "m (float[1, 2, 4] x) => (float[1, 2, 4] y) <float[1, 2, 2] c = {1, 1, 1, 1}> { y = RotaryEmbedding (x, c, c) }", "num_heads is 0"},
    {HEAD(23) "m (float[1, 2, 4] x) => (float[1, 2, 4] y) <float c = {1}, int64[1, 2] p = {0, 0}> { y = RotaryEmbedding <num_heads = 1> (x, c, c, p) }",
     "input 2 is []; with position_ids it must have two dimensions"},
    {HEAD(21) "m (int8[2, 2] x) => (float[2, 2] y) <float[2] s = {1, 1}, int8[1, 2] z = {0, 0}> { y = DequantizeLinear (x, s, z) }",
     "the scale is [2] and the zero point [1, 2]; they must have one shape"},
    {HEAD(12) "m (float[1, 1, 9, 9] x) => (float[1, 1, 1, 1] y, int64[1, 1, 1, 1] i) { y, i = MaxPool <kernel_shape = [9, 9]> (x) }",
     "y (MaxPool): indices of windows of more than 64 places"},
    /* training */
    {HEAD(14) "m (float[2, 3] x) => (float[2, 3] y) <float[3] s = {1, 1, 1}> { y = BatchNormalization <training_mode = 1> (x, s, s, s, s) }",
     "y (BatchNormalization): training_mode 1"},
    {HEAD(14) "m (float[2, 3] x) => (float[2, 3] y) <float[3] s = {1, 1, 1}> { y, m, v = BatchNormalization (x, s, s, s, s) w = Relu (m) }",
     "y (BatchNormalization): output 2 (m) is used"},
    {HEAD(13) "m (float[2, 3] x) => (float[2, 3] y) <float r = {0.5}, bool t = {1}> { y = Dropout (x, r, t) }",
     "y (Dropout): training_mode is true"},
    /* functions */
    {ONE("y = f.g (x)") "<domain: \"f\"> g (x) => (y) { y = f.g (x) }", "more than 32 deep"},
    {ONE("y = f.g <b = 1> (x)") "<domain: \"f\"> g <a> (x) => (y) { y = Relu (x) }", "the function has no attribute 'b'"},
    {ONE("y = f.g (x)") "<domain: \"f\"> g (x) => (z) { y = Relu (x) }", "never makes its output z"},
    {ONE("y = f.g (x)") "<domain: \"f\"> g (x) => (y) { y = Unique (x) }", "y/y (Unique)"},
    {ONE("y = f.g (x)") "<domain: \"f\"> g (x) => (y) { y = Relu (x) } <domain: \"f\"> g (x) => (y) { y = Neg (x) }",
     "function g of domain 'f' is defined twice"},
    {ONE("y = LeakyRelu <alpha = @a> (x)"), "refers to @a outside of any function"},
};

static void each_is_named(void **state)
{
    struct caught caught;
    struct graph *graph;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (!import_bytes(&graph, cases[i].text, strlen(cases[i].text), ".onnxtxt", NULL, &caught))
            fail_msg("accepted: %s", cases[i].text);
        assert_null(graph);
        if (!strstr(caught.text, cases[i].message))
            fail_msg("%s\nsays: %sand not: %s", cases[i].text, caught.text, cases[i].message);
    }
}

/* Three nodes are refused by name; what reads them is not blamed. */
static void all_at_once(void **state)
{
    static const char text[] = ONE("a = Unique (x) b = Relu (a) c = Det (x) d = Add (b, c) y = Transpose <perm = [5]> (x)");
    struct caught caught;
    struct graph *graph;
    assert_int_equal(import_bytes(&graph, text, strlen(text), ".onnxtxt", NULL, &caught), WEFT_ERROR);
    assert_int_equal(caught.count, 3);
    assert_non_null(strstr(caught.text, "a (Unique)"));
    assert_non_null(strstr(caught.text, "c (Det)"));
    assert_non_null(strstr(caught.text, "y (Transpose)"));
}

static void unknown_dimension(void **state)
{
    struct weft_dim dims[] = {{"sequence", 5}, {"seq", 2}, {"se", 2}};
    struct weft_compile_options options = {.dims = dims, .dim_count = 3};
    static const char text[] = HEAD(13) "m (float[n, seq] x, float[n, seq, se] z) => (float[n, seq] y) { y = Relu (x) }";
    struct caught caught;
    struct graph *graph;
    assert_int_equal(import_bytes(&graph, text, strlen(text), ".onnxtxt", &options, &caught), WEFT_ERROR);
    assert_non_null(strstr(caught.text, "no input has an open dimension named sequence; there are: n, seq, se"));
}

/* --batch and --dim name one dimension: one line where they differ, however many inputs have it; none where they agree. */
static void batch_against_dimension(void **state)
{
    struct weft_dim dims[] = {{"N", 3}};
    struct weft_compile_options options = {.dims = dims, .dim_count = 1, .batch = 4};
    static const char text[] = HEAD(13) "m (float[N, 2] a, float[N, 2] b) => (float[N, 2] y) { y = Add (a, b) }";
    struct caught caught;
    struct graph *graph;
    assert_int_equal(import_bytes(&graph, text, strlen(text), ".onnxtxt", &options, &caught), WEFT_ERROR);
    assert_int_equal(caught.count, 1);
    assert_non_null(strstr(caught.text, "--dim N=3 contradicts --batch 4: N is the batch, the first dimension of an input; give one of the two"));
    dims[0].value = 4;
    assert_int_equal(import_bytes(&graph, text, strlen(text), ".onnxtxt", &options, &caught), WEFT_OK);
    graph_free(graph);
}

/* The caret stands below the word that is wrong. */
static void carets(void **state)
{
    static const char text[] = HEAD(13) "m (float[2] x) => (float[2] y)\n{ y = Relu <alpha 2> (x) }";
    struct caught caught;
    struct graph *graph;
    assert_int_equal(import_bytes(&graph, text, strlen(text), ".onnxtxt", NULL, &caught), WEFT_ERROR);
    assert_non_null(strstr(caught.text, ":3:19: "));
    assert_non_null(strstr(caught.text, "\n    { y = Relu <alpha 2> (x) }\n                      ^"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_is_named), cmocka_unit_test(all_at_once), cmocka_unit_test(unknown_dimension),
                                       cmocka_unit_test(batch_against_dimension), cmocka_unit_test(carets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
