/* test_dump.c: what the dump prints, the text front end reads again as the same graph: the second dump equals the first, and
 * where the dump shows all contents, so do the values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "import.h"
#include "interp.h"
#include "passes.h"

/* Every core operator that the text can name, shapes as small as they can be. */
static const char everything[] =
    "<ir_version: 8, opset_import: [\"\" : 17]>\n"
    "all (float[1, 4, 6, 6] x, uint8[1, 2, 4, 4] q, int64[2] which, bool[4] mask) => (float[1, 12] flat, uint8[1, 3, 4, 4] qy, int32[1, 3, "
    "4, 4] iy, uint8[1, 2, 4, 3] my, int32[1, 2, 4, 3] mi, float16[2, 36] half, int64[1] whole)\n"
    "{\n"
    "  w = RandomNormal <shape = [8, 2, 3, 3], scale = 0.25, seed = 3.0> ()\n"
    "  b = RandomUniform <shape = [8], low = -1.0, high = 2.0> ()\n"
    "  c = Conv <kernel_shape = [3, 3], pads = [1, 0, 1, 2], strides = [2, 1], dilations = [1, 1], group = 2> (x, w, b)\n"
    "  s = RandomUniform <shape = [8], low = 0.5, high = 1.5, seed = 1.0> ()\n"
    "  m = RandomNormal <shape = [8], seed = 2.0> ()\n"
    "  bn = BatchNormalization <epsilon = 0.001> (c, s, b, m, s)\n"
    "  r = Relu (bn)\n"
    "  p = MaxPool <kernel_shape = [2, 2], strides = [1, 1], pads = [0, 1, 0, 0]> (r)\n"
    "  a = AveragePool <kernel_shape = [2, 2], pads = [1, 1, 0, 0], count_include_pad = 1> (p)\n"
    "  l = LRN <size = 3, alpha = 0.0002, beta = 0.5, bias = 2.0> (a)\n"
    "  pads = Constant <value = int64[8] {0, 0, 1, 0, 0, 0, 0, 1}> ()\n"
    "  half_value = Constant <value = float {0.5}> ()\n"
    "  padded = Pad (l, pads, half_value)\n"
    "  starts = Constant <value_ints = [3, -1]> ()\n"
    "  ends = Constant <value_ints = [0, -100]> ()\n"
    "  axes = Constant <value_ints = [1, 2]> ()\n"
    "  steps = Constant <value_ints = [-2, -1]> ()\n"
    "  cut = Slice (padded, starts, ends, axes, steps)\n"
    "  t = Transpose <perm = [0, 2, 3, 1]> (cut)\n"
    "  g = Gather <axis = 3> (t, which)\n"
    "  sg = Sigmoid (g)\n  th = Tanh (sg)\n  e = Exp (th)\n  lg = Log (e)\n  sq = Sqrt (e)\n  rc = Reciprocal (sq)\n  ng = Neg (rc)\n  ab "
    "= Abs (ng)\n  fl = Floor (lg)\n  ce = Ceil (fl)\n  er = Erf (ab)\n  lk = LeakyRelu <alpha = 0.1> (ng)\n"
    "  low = Constant <value = float {-0.25}> ()\n"
    "  cl = Clip (lk, low)\n"
    "  ad = Add (cl, er)\n  sb = Sub (ad, ce)\n  mu = Mul (sb, sg)\n  dv = Div (mu, e)\n  mx = Max (dv, th)\n  mn = Min (mx, e)\n  pw = "
    "Pow (e, sg)\n  sum = Add (mn, pw)\n"
    "  rm = ReduceMean <axes = [2], keepdims = 0> (sum)\n  one = Constant <value_ints = [1]> ()\n  rs = ReduceSum <keepdims = 1> (rm, "
    "one)\n  rx = ReduceMax <axes = [1]> (rs)\n"
    "  zero = Constant <value_ints = [0]> ()\n  wm = ReduceMean <axes = [0]> (which)\n  ws = ReduceSum (which, zero)\n  wx = ReduceMax "
    "<axes = [0]> (which)\n  wa = Add (wm, ws)\n  whole = Sub (wa, wx)\n"
    "  six = Constant <value_ints = [1, 6, 2]> ()\n"
    "  ex = Expand (rx, six)\n  so = Softmax <axis = 1> (ex)\n  flatten = Constant <value_ints = [1, 12]> ()\n  flat = Reshape (so, "
    "flatten)\n"
    "  qs = Constant <value = float {0.5}> ()\n  qz = Constant <value = uint8 {7}> ()\n  wz = Constant <value = int8 {0}> ()\n  ys = "
    "Constant <value = float {4.0}> ()\n"
    "  qw = Constant <value = int8[3, 2, 1, 2] {1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12}> ()\n"
    "  qp = Constant <value = uint8 {0}> ()\n"
    "  qy = QLinearConv <kernel_shape = [1, 2], pads = [0, 1, 0, 0]> (q, qs, qz, qw, qs, wz, ys, qz)\n"
    "  iy = ConvInteger <kernel_shape = [1, 2], pads = [0, 1, 0, 0]> (q, qw, qz)\n"
    "  qm = Constant <value = int8[4, 3] {1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12}> ()\n"
    "  my = QLinearMatMul (q, qs, qz, qm, qs, wz, ys, qz)\n"
    "  mi = MatMulInteger (q, qm, qz, wz)\n"
    "  real = DequantizeLinear (q, qs, qz)\n  again = QuantizeLinear (real, ys, qz)\n  back = DequantizeLinear (again, ys, qz)\n"
    "  ga = RandomNormal <shape = [1, 36], seed = 5.0> ()\n  gb = RandomNormal <shape = [36, 36], seed = 6.0, scale = 0.1> ()\n"
    "  reshaped = Constant <value_ints = [4, 36]> ()\n  x2 = Reshape (x, reshaped)\n"
    "  ge = Gemm <alpha = 0.5, beta = 2.0, transA = 0, transB = 1> (x2, gb, ga)\n"
    "  bk = Constant <value_ints = [1, 1, 1, 32]> ()\n  bk2 = Reshape (back, bk)\n  mw = RandomNormal <shape = [32, 36], seed = 7.0> ()\n  "
    "mm = MatMul (bk2, mw)\n"
    "  col = Constant <value_ints = [4, 1]> ()\n  mask2 = Reshape (mask, col)\n"
    "  sn = Sign (ge)\n  rd = Round (ge)\n  ls = Less (ge, rd)\n  lq = LessOrEqual (sn, ge)\n  eq = Equal (sn, rd)\n  xo = Xor (ls, lq)\n  an = And (xo, eq)\n"
    "  si = Sin (ge)\n  co = Cos (si)\n  na = IsNaN (co)\n  nm = Not (mask2)\n  nt = Or (na, nm)\n  chosen = Or (an, nt)\n  wh = Where (chosen, ge, mm)\n"
    "  to = Constant <value_ints = [2, 72]> ()\n  wide = Reshape (wh, to)\n  narrow_starts = Constant <value_ints = [36]> ()\n  "
    "narrow_ends = Constant <value_ints = [72]> ()\n  second = Slice (wide, narrow_starts, narrow_ends, one)\n"
    "  joined = Concat <axis = 1> (second)\n  half = Cast <to = 10> (joined)\n"
    "}\n";

static struct graph *import_path(const char *path)
{
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    struct weft_compile_options options = {.batch = 0};
    struct graph *graph;
    assert_int_equal(import_network(&graph, path, &options, &diag), WEFT_OK);
    return graph;
}

static struct graph *import_text(const char *text, size_t bytes)
{
    char path[] = "/tmp/weft-dump-XXXXXX.onnxtxt";
    int file = mkstemps(path, 8);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, bytes), (ssize_t)bytes);
    close(file);
    struct graph *graph = import_path(path);
    unlink(path);
    return graph;
}

static char *dump(struct graph *graph, size_t *bytes)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, bytes);
    free(graph->name); /* the file's, which is a temporary one */
    graph->name = strdup("network");
    assert_int_equal(graph_dump(graph, file), WEFT_OK);
    fclose(file);
    return text;
}

/* Comments say what the dump leaves out; the graph that comes back has it. */
static void strip_comments(char *text)
{
    char *to = text;
    for (const char *from = text; *from;) {
        if (*from == ' ' && from[1] == '#')
            from += strcspn(from, "\n");
        else
            *to++ = *from++;
    }
    *to = 0;
}

/* Dumps, reads the dump, dumps again. Frees `graph`; the graph that came back is the caller's. */
static struct graph *there_and_back(struct graph *graph)
{
    size_t first_bytes, second_bytes;
    char *first = dump(graph, &first_bytes);
    struct graph *again = import_text(first, first_bytes);
    char *second = dump(again, &second_bytes);
    strip_comments(first);
    strip_comments(second);
    assert_string_equal(first, second);
    free(first);
    free(second);
    graph_free(graph);
    return again;
}

/* --- tests ------------------------------------------------------------------------------------------------------------------ */

static void models_come_back(void **state)
{
    static const char *const models[] = {"alexnet", "cifar10-keras", "cifar10-lenet", "mlp-784-512-10", "resnet50"};
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        char path[512];
        snprintf(path, sizeof path, SOURCE_DIR "/models/%s.onnxtxt", models[i]);
        graph_free(there_and_back(import_path(path)));
    }
}

static void passes_come_back(void **state)
{
    struct graph *graph = import_path(SOURCE_DIR "/models/resnet50.onnxtxt");
    graph->timing_only = true; /* weights that batch normalisation went into are absent: zeros stand in */
    assert_int_equal(passes_run(graph, NULL, NULL, NULL), WEFT_OK);
    graph_free(there_and_back(graph));
}

static void fill(unsigned char *bytes, const struct value *value)
{
    for (int64_t i = 0; i < shape_count(&value->shape); i++)
        if (value->element == ELEMENT_F32)
            ((float *)bytes)[i] = (float)(i * 7 % 23) / 8 - 1;
        else if (value->element == ELEMENT_S64)
            ((int64_t *)bytes)[i] = 1 - i;
        else
            bytes[i] = value->element == ELEMENT_BOOL ? i % 2 : (unsigned char)(i * 37);
}

static struct interp_run run(struct graph *graph)
{
    static unsigned char room[4][4096];
    struct tensor inputs[4];
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    struct interp_run out;
    for (unsigned k = 0; k < 4; k++) {
        const struct value *value = &graph->values[graph->inputs[k]];
        fill(room[k], value);
        inputs[k] = (struct tensor){value->element, value->shape, room[k]};
    }
    assert_int_equal(interp_graph(&out, graph, inputs, false, NULL, NULL, &diag), WEFT_OK);
    return out;
}

/* Opset 17 has no name for these. */
static bool is_made_by_a_pass(enum core_op op) 
{
    return op == CORE_SILU || op == CORE_GELU || op == CORE_RSQRT || op == CORE_REDUCE_SQUARES || op == CORE_REDUCE_MEAN_SQUARES;
}

static void every_operator_comes_back(void **state)
{
    struct graph *graph = import_text(everything, sizeof everything - 1);
    bool seen[CORE_OPS] = {false};
    for (int i = 0; i < graph->node_count; i++)
        seen[graph->nodes[i].op] = true;
    for (int op = 0; op < CORE_OPS; op++)
        if (!seen[op] && !is_made_by_a_pass((enum core_op)op))
            fail_msg("not in the text: %s", core_op_name((enum core_op)op));
    struct interp_run before = run(graph);
    size_t bytes;
    char *text = dump(graph, &bytes);
    struct graph *again = import_text(text, bytes);
    struct interp_run after = run(again);
    for (unsigned k = 0; k < graph->output_count; k++) {
        const struct tensor *x = &before.values[graph->outputs[k]], *y = &after.values[again->outputs[k]];
        assert_string_equal(graph->values[graph->outputs[k]].name, again->values[again->outputs[k]].name);
        assert_int_equal(x->element, y->element);
        assert_memory_equal(x->bytes, y->bytes, (size_t)shape_count(&x->shape) * element_bytes(x->element));
    }
    interp_free(&before);
    interp_free(&after);
    graph_free(again);
    free(text);
    graph_free(there_and_back(graph));
}

/* They stand as nodes that opset 17 has, and the passes find them in these again. */
static void what_passes_make_comes_back(void **state)
{
    static const char text[] = "<ir_version: 8, opset_import: [\"\" : 17]>\n"
                               "g (float[2, 3] x) => (float[2, 3] y, float[2, 1] n, float[3] v, float[2, 3] w, float[2, 3] u)\n"
                               "{\n  g = Sigmoid (x)\n  s = Mul (g, x)\n  root = Constant <value = float {0.70710678}> ()\n  half = Constant <value = float {0.5}> ()\n"
                               "  one = Constant <value = float {1.0}> ()\n  i = Mul (s, root)\n  e = Erf (i)\n  o = Add (e, one)\n  h = Mul (s, half)\n  y = Mul (h, o)\n"
                               "  q = Mul (y, y)\n  axis = Constant <value_ints = [1]> ()\n  n = ReduceSum (q, axis)\n  p = Mul (s, s)\n"
                               "  v = ReduceMean <axes = [0], keepdims = 0> (p)\n  quick = Constant <value = float {1.702}> ()\n  j = Mul (x, quick)\n  k = Sigmoid (j)\n"
                               "  w = Mul (x, k)\n  l = Sqrt (x)\n  u = Reciprocal (l)\n}\n";
    struct graph *graph = import_text(text, sizeof text - 1);
    assert_int_equal(passes_run(graph, NULL, NULL, NULL), WEFT_OK);
    assert_int_equal(graph->node_count, 6);
    size_t bytes, bytes_again;
    char *first = dump(graph, &bytes);
    struct graph *again = import_text(first, bytes);
    assert_int_equal(passes_run(again, NULL, NULL, NULL), WEFT_OK);
    char *second = dump(again, &bytes_again);
    assert_string_equal(first, second);
    free(first);
    free(second);
    graph_free(graph);
    graph_free(again);
}

/* Names are the network's own, whatever is in them. */
static void odd_names_come_back(void **state)
{
    static const char text[] =
        "<ir_version: 8, opset_import: [\"\" : 17]>\n"
        "g (float[2] \"block/1:0\") => (float[2] \"float\")\n"
        "{\n  \"1 \\\"quoted\\\" \\\\ name\" = Relu (\"block/1:0\")\n  \"float\" = Neg (\"1 \\\"quoted\\\" \\\\ name\")\n}\n";
    struct graph *graph = there_and_back(import_text(text, sizeof text - 1));
    assert_string_equal(graph->values[graph->inputs[0]].name, "block/1:0");
    assert_string_equal(graph->values[graph->nodes[0].outputs[0]].name, "1 \"quoted\" \\ name");
    assert_string_equal(graph->values[graph->outputs[0]].name, "float");
    graph_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_come_back),
        cmocka_unit_test(passes_come_back),
        cmocka_unit_test(every_operator_comes_back),
        cmocka_unit_test(what_passes_make_comes_back),
        cmocka_unit_test(odd_names_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
