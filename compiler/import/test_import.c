/* test_import.c: ONNX text to graph. Shapes, paddings and values are derived by hand beside each test. */
#include "model.h"
#include "test_front.h"

#define HEAD(opset) "<ir_version: 8, opset_import: [\"\" : " #opset "]>\n"

static struct graph *import_with(const char *text, const struct weft_compile_options *options)
{
    struct caught caught;
    struct graph *graph;
    if (import_bytes(&graph, text, strlen(text), ".onnxtxt", options, &caught))
        fail_msg("%s", caught.text);
    return graph;
}

static struct graph *import_text(const char *text)
{
    return import_with(text, NULL);
}

static const struct node *only_node(const struct graph *graph, enum core_op op)
{
    assert_int_equal(graph->node_count, 1);
    assert_int_equal(graph->nodes[0].op, op);
    return &graph->nodes[0];
}

static void has_shape(const struct graph *graph, int value, unsigned rank, const int64_t *dims)
{
    assert_int_equal(graph->values[value].shape.rank, rank);
    for (unsigned i = 0; i < rank; i++)
        assert_int_equal(graph->values[value].shape.dims[i], dims[i]);
}
#define HAS_SHAPE(graph, value, ...) has_shape(graph, value, sizeof((int64_t[]){__VA_ARGS__}) / 8, (int64_t[]){__VA_ARGS__})

static double number(struct graph *graph, int value, int64_t index)
{
    double out;
    assert_true(value_at(graph, value, index, &out));
    return out;
}

static int find_value(const struct graph *graph, const char *name)
{
    for (int i = 0; i < graph->value_count; i++)
        if (!strcmp(graph->values[i].name, name))
            return i;
    fail_msg("no value %s", name);
    return GRAPH_NONE;
}

/* --- the syntax ---------------------------------------------------------------------------------------------------------- */

static void syntax(void **state)
{
    struct graph *g = import_text(
        "# a comment\n" HEAD(13) "main (float[2, 3] x, float[3] d = {1, -2.5, 3e2}) => (float[2, 3] \"a result\", float[2,3] z)\n"
                                 "<float[1] c = {inf}, float[2, 3] unused_info>\n"
                                 "{ [named] y = Add (x, d)\n  t = Constant <value = float[3] {0.5, 1, -0.25}> ()\n"
                                 "  u = Mul (y, t) \"a result\" = Relu (u)\n z = LeakyRelu (u) <alpha : float = 2> }");
    assert_int_equal(g->input_count, 1);
    assert_int_equal(g->output_count, 2);
    assert_int_equal(g->node_count, 4);
    assert_string_equal(g->nodes[0].name, "named");
    assert_string_equal(g->values[g->outputs[0]].name, "a result");
    assert_true(number(g, g->nodes[0].inputs[1], 2) == 300);
    assert_true(number(g, g->nodes[1].inputs[1], 2) == -0.25);
    assert_true(g->nodes[3].at.alpha == 2);
    graph_free(g);
}

static void element_types(void **state)
{
    struct graph *g =
        import_text(HEAD(13) "m (float x) => (uint8[2] a, int8[2] b, int64[1] c, uint64[1] d, bool[2] e, double[1] f, float16[1] h, "
                             "bfloat16[1] i, uint32[1] j)\n"
                             "<uint8[2] a = {0, 255}, int8[2] b = {-128, 127}, int64[1] c = {-9000000000}, uint64[1] d = "
                             "{18446744073709551615}, bool[2] e = {1, 0},"
                             " double[1] f = {0.1}, float16[1] h = {15360}, bfloat16[1] i = {16256}, uint32[1] j = {4294967295}> { }");
    assert_true(number(g, find_value(g, "a"), 1) == 255 && number(g, find_value(g, "b"), 0) == -128 &&
                number(g, find_value(g, "c"), 0) == -9e9);
    assert_true(number(g, find_value(g, "d"), 0) == 0x1p64 && number(g, find_value(g, "e"), 0) == 1 &&
                number(g, find_value(g, "f"), 0) == 0.1);
    assert_true(number(g, find_value(g, "h"), 0) == 1 && number(g, find_value(g, "i"), 0) == 1 &&
                number(g, find_value(g, "j"), 0) == 4294967295.0);
    graph_free(g);
}

static const char functions[] =
    HEAD(13) "m (float[1, 4, 8, 8] x) => (float[1, 4, 8, 8] y) { a = local.outer <k = [3, 3], pad = [1, 1, 1, 1], slope = 0.5> (x)\n"
             "  y = local.outer <k = [1, 1], pad = [0, 0, 0, 0], slope = 0.25> (a) }\n"
             "<domain: \"local\", opset_import: [\"\" : 13]> outer <k, pad, slope> (x) => (y) { y = local.inner <kernel : ints = @k, pads "
             ": ints = @pad, alpha : float = @slope> (x) }\n"
             "<domain: \"local\", opset_import: [\"\" : 13]> inner <kernel, pads, alpha> (x) => (y) {\n"
             "  w = RandomNormal <shape = [4, 4, 3, 3], seed = 1.0> ()\n c = MaxPool <kernel_shape = @kernel, pads = @pads> (x)  y = "
             "LeakyRelu <alpha = @alpha> (c) }\n";

/* An attribute reference leads through two calls, and each call has names of its own. */
static void nested_functions(void **state)
{
    struct graph *g = import_text(functions);
    assert_int_equal(g->node_count, 4);
    assert_int_equal(g->nodes[0].at.kernel[0], 3);
    assert_int_equal(g->nodes[0].at.pad_end[1], 1);
    assert_true(g->nodes[1].at.alpha == 0.5f);
    assert_int_equal(g->nodes[2].at.kernel[0], 1);
    assert_true(g->nodes[3].at.alpha == 0.25f);
    assert_string_equal(g->values[g->outputs[0]].name, "y");
    assert_string_equal(g->values[g->nodes[0].outputs[0]].name, "a/y/c");
    graph_free(g);
}

/* --- windows ------------------------------------------------------------------------------------------------------------- */

#define CONV(height, attributes)                                                                                                           \
    HEAD(13) "m (float[1, 2, " height ", 7] x, float[4, 2, 3, 3] w) => (float[a, b, c, d] y) { y = Conv <" attributes "> (x, w) }"

static void check_conv(const char *text, int64_t rows, int64_t begin, int64_t end)
{
    struct graph *g = import_text(text);
    const struct node *node = only_node(g, CORE_CONV);
    assert_int_equal(g->values[node->outputs[0]].shape.dims[2], rows);
    assert_int_equal(node->at.pad_begin[0], begin);
    assert_int_equal(node->at.pad_end[0], end);
    graph_free(g);
}

static void convolution_windows(void **state)
{
    check_conv(CONV("6", "strides = [1, 1]"), 4, 0, 0);                      /* 6 - 3 + 1 */
    check_conv(CONV("6", "strides = [2, 2], pads = [1, 1, 0, 0]"), 3, 1, 0); /* (7 - 3) / 2 + 1 */
    check_conv(CONV("6", "strides = [2, 2], auto_pad = \"SAME_UPPER\""), 3, 0,
               1); /* 3 outputs need 2 x 2 + 3 = 7 rows: one more, at the end */
    check_conv(CONV("6", "strides = [2, 2], auto_pad = \"SAME_LOWER\""), 3, 1, 0);
    check_conv(CONV("5", "strides = [2, 2], auto_pad = \"SAME_UPPER\""), 3, 1, 1); /* 7 rows of 5 */
    check_conv(CONV("6", "strides = [2, 2], auto_pad = \"VALID\""), 2, 0, 0);
    check_conv(CONV("6", "dilations = [2, 1]"), 2, 0, 0); /* the window spans 5 */
}

#define POOL(op, height, attributes)                                                                                                       \
    HEAD(13) "m (float[1, 2, " height "] x) => (float[a, b, c] y) { y = " op " <kernel_shape = [3], " attributes "> (x) }"

/* ceil_mode: 4 elements, windows of 3 by 2: the second window reaches one beyond the end. */
static void pools_that_round_up(void **state)
{
    struct graph *g = import_text(POOL("MaxPool", "4", "strides = [2], ceil_mode = 1"));
    HAS_SHAPE(g, g->outputs[0], 1, 2, 2);
    assert_int_equal(only_node(g, CORE_MAXPOOL)->at.pad_end[0], 1);
    graph_free(g);
    /* Where padding counts in an average, it becomes real zeros, and what ceil_mode adds still does not count. */
    g = import_text(POOL("AveragePool", "4", "strides = [2], ceil_mode = 1, count_include_pad = 1, pads = [1, 1]"));
    assert_int_equal(g->node_count, 2);
    assert_int_equal(g->nodes[0].op, CORE_PAD);
    HAS_SHAPE(g, g->nodes[0].outputs[0], 1, 2, 6);
    HAS_SHAPE(g, g->outputs[0], 1, 2, 3); /* ceil((6 - 3) / 2) + 1 */
    assert_int_equal(g->nodes[1].at.pad_end[0], 1);
    assert_false(g->nodes[1].at.count_include_pad);
    graph_free(g);
}

/* --- opsets -------------------------------------------------------------------------------------------------------------- */

/* ONNX: where the minimum is above the maximum, all becomes the maximum. */
static void clip_turned(void **state)
{
    struct graph *g =
        import_text(HEAD(13) "m (float[4, 6] x) => (float[a, b] y) <float l = {3}, float h = {2}> { y = Clip (x, l, h) }");
    const struct node *node = only_node(g, CORE_CLIP);
    assert_true(node->at.alpha == 2 && node->at.beta == 2);
    graph_free(g);
}

/* 7 in three parts: 3, 3 and what is left. */
static void split_unevenly(void **state)
{
    struct graph *g = import_text(HEAD(18) "m (float[1, 7] x) => (float[1, a] p, float[1, b] q, float[1, c] r) "
                                           "{ p, q, r = Split <axis = 1, num_outputs = 3> (x) }");
    static const int64_t sizes[] = {3, 3, 1};
    assert_int_equal(g->output_count, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(g->values[g->outputs[i]].shape.dims[1], sizes[i]);
    graph_free(g);
}

/* A window beyond all channels is one that covers them; the weight of each square stays alpha / size. */
static void lrn_wider_than_channels(void **state)
{
    struct graph *g = import_text(HEAD(13) "m (float[1, 4, 2, 2] x) => (float[1, 4, 2, 2] y) { y = LRN <size = 18, alpha = 0.5> (x) }");
    const struct node *node = only_node(g, CORE_LRN);
    assert_int_equal(node->at.size, 9);
    assert_true(node->at.alpha == 0.25f);
    graph_free(g);
}

static void functions_of_two_domains(void **state)
{
    struct graph *g = import_text(HEAD(13) "m (float[2, 3] x) => (float[2, 3] y) { a = f.g (x) y = h.g (a) }"
                                           "<domain: \"f\"> g (x) => (y) { y = Relu (x) } <domain: \"h\"> g (x) => (y) { y = Neg (x) }");
    assert_int_equal(g->node_count, 2);
    assert_int_equal(g->nodes[0].op, CORE_RELU);
    assert_int_equal(g->nodes[1].op, CORE_NEG);
    graph_free(g);
}

/* Constants side by side are one constant. */
static void concat_of_constants(void **state)
{
    struct graph *g = import_text(HEAD(13) "m (float[2, 3] x) => (float[2, 3] y) <float[2, 1] a = {1, 2}, float[2, 2] b = {3, 4, 5, 6}> "
                                           "{ c = Concat <axis = 1> (a, b) y = Add (x, c) }");
    const struct node *node = only_node(g, CORE_ADD);
    const float *bytes = value_bytes(g, node->inputs[1]);
    static const float want[] = {1, 3, 4, 2, 5, 6};
    assert_memory_equal(bytes, want, sizeof want);
    graph_free(g);
}

static void attribute_and_input_forms(void **state)
{
    static const struct {
        const char *text;
        enum core_op op; /* CORE_OPS: several nodes */
        int64_t first_dim;
    } forms[] = {
        {HEAD(10) "m (float[4, 6] x) => (float[a, b] y) { y = Clip <min = -1.0, max = 2.0> (x) }", CORE_CLIP, 4},
        {HEAD(11) "m (float[4, 6] x) => (float[a, b] y) <float l = {-1}, float h = {2}> { y = Clip (x, l, h) }", CORE_CLIP, 4},
        {HEAD(9) "m (float[4, 6] x) => (float[a, b] y) { y = Slice <starts = [1], ends = [9]> (x) }", CORE_SLICE, 3},
        {HEAD(10) "m (float[4, 6] x) => (float[a, b] y) <int64[1] s = {-1}, int64[1] e = {-9}, int64[1] a = {0}, int64[1] t = {-2}> { y = "
                  "Slice (x, s, e, a, t) }",
         CORE_SLICE, 2},
        {HEAD(10) "m (float[4, 6] x) => (float[a, b] y) { y = Pad <pads = [1, 0, 2, 0]> (x) }", CORE_PAD, 7},
        {HEAD(18) "m (float[4, 6] x) => (float[a, b] y) <int64[2] p = {1, 2}, int64[1] a = {-2}> { y = Pad (x, p, , a) }", CORE_PAD, 7},
        {HEAD(12) "m (float[4, 1, 6] x) => (float[a, b] y) { y = Squeeze <axes = [1]> (x) }", CORE_RESHAPE, 4},
        {HEAD(13) "m (float[4, 1, 6] x) => (float[a, b] y) <int64[1] a = {-2}> { y = Squeeze (x, a) }", CORE_RESHAPE, 4},
        {HEAD(12) "m (float[4, 6] x) => (float[a, b] y) { y = ReduceSum <axes = [0], keepdims = 0> (x) }", CORE_OPS, 6},
        {HEAD(13) "m (float[4, 6] x) => (float[a, b] y) <int64[1] a = {0}> { y = ReduceSum <keepdims = 0> (x, a) }", CORE_OPS, 6},
        {HEAD(17) "m (float[4, 6] x) => (float[a, b] y) { y = ReduceMean <axes = [-1]> (x) }", CORE_OPS, 4},
        {HEAD(18) "m (float[4, 6] x) => (float[a, b] y) <int64[1] a = {1}> { y = ReduceMean (x, a) }", CORE_OPS, 4},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct graph *g = import_text(forms[i].text);
        const struct node *node = forms[i].op == CORE_OPS ? &g->nodes[g->node_count - 1] : only_node(g, forms[i].op);
        assert_int_equal(g->outputs[0], node->outputs[0]);
        assert_int_equal(g->values[node->outputs[0]].shape.dims[0], forms[i].first_dim);
        if (node->op == CORE_CLIP)
            assert_true(node->at.alpha == -1 && node->at.beta == 2);
        graph_free(g);
    }
}

/* Opset 12 and before: axis 1 of [2, 3, 4] means the 12 elements behind the first dimension. */
static void softmax_before_and_after(void **state)
{
    struct graph *g = import_text(HEAD(12) "m (float[2, 3, 4] x) => (float[2, 3, 4] y) { y = Softmax (x) }");
    assert_int_equal(g->node_count, 3);
    assert_int_equal(g->nodes[1].op, CORE_SOFTMAX);
    HAS_SHAPE(g, g->nodes[1].outputs[0], 2, 12);
    HAS_SHAPE(g, g->outputs[0], 2, 3, 4);
    graph_free(g);
    g = import_text(HEAD(13) "m (float[2, 3, 4] x) => (float[2, 3, 4] y) { y = Softmax (x) }");
    assert_int_equal(only_node(g, CORE_SOFTMAX)->at.axis, 2);
    graph_free(g);
}

/* --- folding and open dimensions ----------------------------------------------------------------------------------------- */

static void shape_arithmetic(void **state)
{
    struct graph *g = import_text(
        HEAD(13) "m (float[N, 2, 3, 4] x) => (float[N, 24] y) <int64 zero = {0}, int64[1] axis = {0}, int64[1] rest = {-1}> {\n"
                 " s = Shape (x) n = Gather (s, zero) n1 = Unsqueeze (n, axis) t = Concat <axis = 0> (n1, rest) y = Reshape (x, t) }");
    only_node(g, CORE_RESHAPE);
    HAS_SHAPE(g, g->outputs[0], 1, 24);
    graph_free(g);
}

static void rules_stay_rules(void **state)
{
    struct graph *g = import_text(HEAD(13) "m (float[1, 4000] x) => (float[1, 3000] y) <int64[2] s = {4000, 3000}> { w = ConstantOfShape "
                                           "<value = float[1] {0.5}> (s) y = MatMul (x, w) }");
    const struct value *w = &g->values[only_node(g, CORE_MATMUL)->inputs[1]];
    assert_int_equal(w->contents, CONTENTS_FILL);
    assert_null(w->bytes);
    assert_true(w->fill == 0.5);
    graph_free(g);
}

static void open_dimensions(void **state)
{
    static const char text[] = HEAD(13) "m (float[N, seq] x) => (float[N, seq] y) { y = Relu (x) }";
    struct weft_dim dims[] = {{"seq", 5}};
    struct weft_compile_options options = {.dims = dims, .dim_count = 1, .batch = 3};
    struct graph *g = import_with(text, &options);
    HAS_SHAPE(g, g->outputs[0], 3, 5);
    assert_int_equal(g->batch, 3);
    graph_free(g);
    options.batch = 0;
    g = import_with(text, &options);
    HAS_SHAPE(g, g->outputs[0], 1, 5);
    graph_free(g);
}

/* A batch written into the file, and into a reshape target, gives way to --batch. */
static void batch_over_the_file(void **state)
{
    struct weft_compile_options options = {.batch = 8};
    struct graph *g =
        import_with(HEAD(13) "m (float[1, 6] x) => (float[1, 2, 3] y) <int64[3] t = {1, 2, 3}> { y = Reshape (x, t) }", &options);
    HAS_SHAPE(g, g->outputs[0], 8, 2, 3);
    graph_free(g);
}

static void bound_inputs(void **state)
{
    int64_t target[] = {3, 2};
    struct weft_array item = {.name = (char *)"t", .element = "int64", .rank = 1, .dims = {2}, .bytes = target, .size = sizeof target};
    struct weft_arrays arrays = {&item, 1};
    struct weft_compile_options options = {.bindings = &arrays};
    struct graph *g = import_with(HEAD(13) "m (float[2, 3] x, int64[2] t) => (float[3, 2] y) { y = Reshape (x, t) }", &options);
    assert_int_equal(g->input_count, 1);
    HAS_SHAPE(g, g->outputs[0], 3, 2);
    graph_free(g);
}

/* Rows that given words pick from a table are data of the run, though only the words lead to them. */
static void words_are_no_shapes(void **state)
{
    int64_t words[8] = {0, 1, 2, 0, 1, 2, 0, 1};
    struct weft_array item = {.name = (char *)"t", .element = "int64", .rank = 1, .dims = {8}, .bytes = words, .size = sizeof words};
    struct weft_arrays arrays = {&item, 1};
    struct weft_compile_options options = {.bindings = &arrays};
    struct graph *g = import_with(HEAD(13) "m (float[2, 4] x, int64[8] t) => (float[2, 8] y) <float[3, 4] c = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2}> "
                                           "{ k = Gather (c, t) l = Relu (k) y = Gemm <transB = 1> (x, l) }", &options);
    assert_int_equal(g->input_count, 2);
    graph_free(g);
}

/* Of CastLike's second input the type alone counts: whatever is given for it, it stays what the network says. */
static void unread_inputs(void **state)
{
    uint16_t one = 0x3f80;
    struct weft_array item = {.name = (char *)"like", .element = "uint16", .rank = 1, .dims = {1}, .bytes = &one, .size = sizeof one};
    struct weft_arrays arrays = {&item, 1};
    struct weft_compile_options options = {.bindings = &arrays};
    struct graph *g = import_with(HEAD(15) "m (float[3] x, bfloat16[3, 4] like) => (bfloat16[3] y) { y = CastLike (x, like) }", &options);
    assert_int_equal(g->input_count, 2);
    HAS_SHAPE(g, g->inputs[1], 3, 4);
    graph_free(g);
}

/* A shape that is computed of a given one is known as well; what is computed of given floats is not looked at. */
static void bound_shapes_are_computed(void **state)
{
    int64_t half[] = {3, 1};
    float big[] = {8, 9};
    struct weft_array items[] = {{.name = (char *)"t", .element = "int64", .rank = 1, .dims = {2}, .bytes = half, .size = sizeof half},
                                 {.name = (char *)"f", .element = "float32", .rank = 1, .dims = {2}, .bytes = big, .size = sizeof big}};
    struct weft_arrays arrays = {items, 2};
    struct weft_compile_options options = {.bindings = &arrays};
    struct graph *g = import_with(HEAD(13) "m (float[3, 1] x, int64[2] t) => (float[3, 2] y) <int64[2] c = {0, 1}> { s = Add (t, c) y = Expand (x, s) }", &options);
    assert_int_equal(g->input_count, 1);
    HAS_SHAPE(g, g->outputs[0], 3, 2);
    graph_free(g);
    struct caught caught;
    static const char text[] = HEAD(13) "m (float[2] x, float[2] f) => (float[8, 9] y) { s = Cast <to = 7> (f) y = Expand (x, s) }";
    assert_int_not_equal(import_bytes(&g, text, strlen(text), ".onnxtxt", &options, &caught), WEFT_OK);
    assert_non_null(strstr(caught.text, "the target shape comes from s, which is computed at run time; it must be constant"));
}

static void nodes_out_of_order(void **state)
{
    struct graph *g = import_text(HEAD(13) "m (float[2] x) => (float[2] z) { z = Relu (y) y = Neg (x) }");
    assert_int_equal(g->nodes[0].op, CORE_NEG);
    assert_int_equal(g->nodes[1].op, CORE_RELU);
    graph_free(g);
}

/* Two outputs of one value, an output that is an input, and one that is constant each keep their name. */
static void aliases(void **state)
{
    struct graph *g = import_text(HEAD(
        13) "m (float[2] x) => (float[2] a, float[2] b, float[2] c) { r = Relu (x) a = Identity (r) b = Dropout (r) c = Identity (x) }");
    assert_string_equal(g->values[g->outputs[0]].name, "a");
    assert_string_equal(g->values[g->outputs[1]].name, "b");
    assert_string_equal(g->values[g->outputs[2]].name, "c");
    assert_string_equal(g->values[g->inputs[0]].name, "x");
    graph_free(g);
}

/* --- fields of newer IR versions --------------------------------------------------------------------------------------------- */

/* The model of the text, with one more field in its function, as a binary file: imported, or the message. */
static enum weft_status import_function_with(uint32_t tag, const char *contents, struct graph **out, struct caught *caught)
{
    static const char text[] = HEAD(18) "m (float[2] x) => (float[2] y) { y = f.g (x) }<domain: \"f\"> g (x) => (y) { y = Relu (x) }";
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    struct model *model;
    char *path = make_file(text, sizeof text - 1, ".onnxtxt");
    assert_int_equal(model_load(&model, path, &diag), WEFT_OK);
    uint8_t field[16] = {(uint8_t)strlen(contents)};
    memcpy(field + 1, contents, strlen(contents));
    ProtobufCMessageUnknownField unknown = {.tag = tag, .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, .len = 1 + strlen(contents), .data = field};
    model->proto->functions[0]->base.n_unknown_fields = 1;
    model->proto->functions[0]->base.unknown_fields = &unknown;
    uint8_t *packed = malloc(onnx__model_proto__get_packed_size(model->proto));
    size_t size = onnx__model_proto__pack(model->proto, packed);
    model_free(model);
    unlink(path);
    free(path);
    enum weft_status status = import_bytes(out, packed, size, ".onnx", NULL, caught);
    free(packed);
    return status;
}

static void newer_function_fields(void **state)
{
    static const struct {
        uint32_t tag;
        const char *contents, *message; /* message NULL: read */
    } fields[] = {
        {12, "", NULL},   /* value_info */
        {13, "", NULL},   /* overload: none */
        {14, "", NULL},   /* metadata_props */
        {11, "", "function g has an attribute with a default"},
        {13, "q", "function g has an overload"},
        {15, "", "function g has a field of its own"},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct graph *g;
        struct caught caught;
        enum weft_status status = import_function_with(fields[i].tag, fields[i].contents, &g, &caught);
        assert_int_equal(status != WEFT_OK, fields[i].message != NULL);
        if (status)
            assert_non_null(strstr(caught.text, fields[i].message));
        else
            graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(syntax),
                                       cmocka_unit_test(element_types),
                                       cmocka_unit_test(nested_functions),
                                       cmocka_unit_test(convolution_windows),
                                       cmocka_unit_test(pools_that_round_up),
                                       cmocka_unit_test(clip_turned),
                                       cmocka_unit_test(split_unevenly),
                                       cmocka_unit_test(lrn_wider_than_channels),
                                       cmocka_unit_test(functions_of_two_domains),
                                       cmocka_unit_test(concat_of_constants),
                                       cmocka_unit_test(attribute_and_input_forms),
                                       cmocka_unit_test(softmax_before_and_after),
                                       cmocka_unit_test(shape_arithmetic),
                                       cmocka_unit_test(rules_stay_rules),
                                       cmocka_unit_test(open_dimensions),
                                       cmocka_unit_test(batch_over_the_file),
                                       cmocka_unit_test(bound_inputs),
                                       cmocka_unit_test(bound_shapes_are_computed),
                                       cmocka_unit_test(words_are_no_shapes),
                                       cmocka_unit_test(unread_inputs),
                                       cmocka_unit_test(nodes_out_of_order),
                                       cmocka_unit_test(aliases),
                                       cmocka_unit_test(newer_function_fields)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
