/* test_lower.h: what the tests of operators in values share: a network of one input, its numbers, and what it must give. */
#ifndef WEFT_COMPILER_TEST_LOWER_H
#define WEFT_COMPILER_TEST_LOWER_H

#include <math.h>

#include "element.h"
#include "interp.h"
#include "passes.h"
#include "test_front.h"

enum { NUMBERS_MAX = 64 };

struct one_case {
    const char *text;             /* behind the head of opset 19, or with its own */
    unsigned inputs, outputs;     /* numbers of the input x, in all outputs together */
    double x[NUMBERS_MAX], y[NUMBERS_MAX];
};

__attribute__((unused)) static struct graph *import_text(const char *text)
{
    static const char head[] = "<ir_version: 8, opset_import: [\"\" : 19]>\n";
    struct caught caught;
    struct graph *graph;
    char whole[8192];
    snprintf(whole, sizeof whole, "%s%s", *text == '<' ? "" : head, text);
    if (import_bytes(&graph, whole, strlen(whole), ".onnxtxt", NULL, &caught))
        fail_msg("%s\n%s", caught.text, text);
    return graph;
}

static void compare(const struct one_case *c, const struct graph *graph, const struct interp_run *run)
{
    unsigned at = 0;
    for (unsigned k = 0; k < graph->output_count; k++) {
        const struct tensor *y = &run->values[graph->outputs[k]];
        for (int64_t i = 0; i < shape_count(&y->shape); i++, at++) {
            double got = element_load(y->bytes, y->element, i);
            if (at < c->outputs && !(fabs(got - c->y[at]) <= 1e-6 * (1 + fabs(c->y[at]))))
                fail_msg("%s\nnumber %u is %.9g, not %.9g", c->text, at, got, c->y[at]);
        }
    }
    if (at != c->outputs)
        fail_msg("%s\ngives %u numbers, not %u", c->text, at, c->outputs);
}

static void check_case(const struct one_case *c, bool passes)
{
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    struct graph *graph = import_text(c->text);
    float numbers[NUMBERS_MAX];
    struct interp_run run;
    for (unsigned i = 0; i < NUMBERS_MAX; i++)
        numbers[i] = (float)c->x[i];
    if (passes)
        assert_int_equal(passes_run(graph, NULL, NULL, &diag), WEFT_OK);
    assert_int_equal(graph->input_count, 1);
    struct value *x = &graph->values[graph->inputs[0]];
    if (shape_count(&x->shape) != c->inputs)
        fail_msg("%s\ntakes %lld numbers", c->text, (long long)shape_count(&x->shape));
    assert_int_equal(x->element, ELEMENT_F32);
    struct tensor input = {ELEMENT_F32, x->shape, numbers};
    assert_int_equal(interp_graph(&run, graph, &input, false, NULL, NULL, &diag), WEFT_OK);
    compare(c, graph, &run);
    interp_free(&run);
    graph_free(graph);
}

__attribute__((unused)) static void check_all(const struct one_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check_case(&cases[i], false);
        check_case(&cases[i], true);
    }
}

#endif
