/* test_zeros.c: computed zero points: the integers by hand, before the pass and behind it, and what the pass makes of the weights. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "test_lower.h"

/* The last numbers of x are zero points, the others the operand. */
#define SPLIT(parts) "<ir_version: 8, opset_import: [\"\" : 13]>\nm (float[n] x) => (int32 y) <int64[2] p = " parts ", int64 last = {1}, "
#define BYTES(shape) "{ f, g = Split (x, p) fs = Constant <value_ints = " shape "> () r = Reshape (f, fs) a = Cast <to = 2> (r) "
#define ONE_ZERO "gs = Constant <value_ints = [1]> () zs = Reshape (g, gs) z = Cast <to = 2> (zs) "

static void integers(void **state)
{
    static const struct one_case cases[] = {
        /* (5 15 25) and (-5 250 2) */
        {SPLIT("{6, 1}") "int8[3, 2] w = {1, -2, 3, 4, -5, 6}>" BYTES("[2, 3]") ONE_ZERO "y = MatMulInteger (a, w, z) }", 7, 4, {10, 20, 30, 0, 255, 7, 5}, {-75, 200, 735, 1022}},
        /* a zero point a row: (5 15 25) and (-1 254 6) */
        {SPLIT("{6, 2}") "int8[3, 2] w = {1, -2, 3, 4, -5, 6}>" BYTES("[2, 3]") "z = Cast <to = 2> (g) y = MatMulInteger (a, w, z) }", 8, 4,
         {10, 20, 30, 0, 255, 7, 5, 1}, {-75, 200, 731, 1054}},
        /* weights beyond s8: -4 x 255 + 2 x 200; less 100: -4 x 155 + 2 x 100 */
        {SPLIT("{2, 1}") "uint8[2, 1] w = {255, 200}>" BYTES("[1, 2]") ONE_ZERO "y = MatMulInteger (a, w, z) }", 3, 1, {3, 9, 7}, {-620}},
        {SPLIT("{2, 1}") "uint8[2, 1] w = {255, 200}, uint8 v = {100}>" BYTES("[1, 2]") ONE_ZERO "y = MatMulInteger (a, w, z, v) }", 3, 1, {3, 9, 7}, {-420}},
        /* a zero point a column: -4 x 1 + 2 x 2 and -4 x -1 + 2 x -2 */
        {SPLIT("{2, 1}") "uint8[2, 2] w = {5, 6, 6, 5}, uint8[2] v = {4, 7}>" BYTES("[1, 2]") ONE_ZERO "y = MatMulInteger (a, w, z, v) }", 3, 2, {3, 9, 7}, {0, 0}},
        /* what is padded counts nothing, as if it were the zero point: of ((1 3) (5 -1)) */
        {SPLIT("{4, 1}") "uint8[1, 1, 2, 2] w = {1, 2, 3, 4}>" BYTES("[1, 1, 2, 2]") ONE_ZERO "y = ConvInteger <pads = [1, 1, 1, 1]> (a, w, z) }", 5, 9,
         {4, 6, 8, 2, 3}, {4, 15, 9, 22, 18, 0, 10, 3, -1}},
        {SPLIT("{2, 1}") "int8[2, 1, 1, 1] w = {2, -3}>" BYTES("[1, 2, 1, 1]") ONE_ZERO "y = ConvInteger <group = 2> (a, w, z) }", 3, 2, {9, 200, 4}, {10, -588}},
        /* a volume: planes in front and behind; (1 3), by 1 2 */
        {SPLIT("{2, 1}") "int8[1, 1, 2, 1, 1] w = {1, 2}>" BYTES("[1, 1, 2, 1, 1]") ONE_ZERO "y = ConvInteger <pads = [1, 0, 0, 1, 0, 0]> (a, w, z) }", 3, 3, {4, 6, 3}, {2, 7, 3}},
    };
    char text[2048];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int passes = 0; passes < 2; passes++) {
            struct one_case c = cases[i];
            const char *n = strstr(c.text, "[n]"); /* how many numbers x has */
            snprintf(text, sizeof text, "%.*s[%u]%s", (int)(n - c.text), c.text, c.inputs, n + 3);
            c.text = text;
            check_case(&c, passes);
        }
}

static struct graph *passed(const char *text)
{
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    struct graph *graph = import_text(text);
    assert_int_equal(passes_run(graph, NULL, NULL, &diag), WEFT_OK);
    return graph;
}

static const struct node *find(const struct graph *graph, enum core_op op)
{
    for (int i = 0; i < graph->node_count; i++)
        if (graph->nodes[i].op == op)
            return &graph->nodes[i];
    return NULL;
}

/* Columns of 300, -20 and 0: three lanes, which take 127 at a time. */
static void lanes(void **state)
{
    struct graph *graph = passed("m (uint8[2, 3] a, uint8 z) => (int32[2, 3] y) <int8[3, 3] w = {100, -10, 5, 100, -10, -5, 100, 0, 0}> { y = MatMulInteger (a, w, z) }");
    static const int8_t want[] = {100, -10, 5, 100, -10, -5, 100, 0, 0, -127, 20, 0, -127, 0, 0, -46, 0, 0};
    const struct node *n = find(graph, CORE_MATMUL_INTEGER);
    assert_int_equal(n->input_count, 2);
    assert_int_equal(graph->values[n->inputs[1]].element, ELEMENT_S8);
    assert_int_equal(shape_count(&graph->values[n->inputs[1]].shape), 18);
    assert_memory_equal(value_bytes(graph, n->inputs[1]), want, sizeof want);
    graph_free(graph);
}

/* Columns that add up to nothing need none; constant zero points are the backend's. */
static void left_alone(void **state)
{
    struct graph *balanced = passed("m (uint8[2, 2] a, uint8 z) => (int32[2, 2] y) <int8[2, 2] w = {3, -1, -3, 1}> { y = MatMulInteger (a, w, z) }");
    assert_null(find(balanced, CORE_CONCAT));
    assert_int_equal(find(balanced, CORE_MATMUL_INTEGER)->input_count, 2);
    graph_free(balanced);
    struct graph *known = passed("m (uint8[2, 2] a) => (int32[2, 2] y) <int8[2, 2] w = {3, 1, 2, 1}, uint8[2] z = {4, 4}> { y = MatMulInteger (a, w, z) }");
    assert_null(find(known, CORE_CONCAT));
    assert_int_equal(find(known, CORE_MATMUL_INTEGER)->input_count, 3);
    graph_free(known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(integers), cmocka_unit_test(lanes), cmocka_unit_test(left_alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
