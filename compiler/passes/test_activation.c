/* test_activation.c: silu and gelu in the forms in which networks write them, and what looks like them and is not. */
#include <string.h>

#include "test_passes.h"

enum { STACK = 8 };

/* Forms are written with operands first: x and z are inputs, g sigmoid, e erf, n minus, p e to the power, v reciprocal, w square root, * / + as they are; the others are constants. */
static double constant_of(char letter)
{
    switch (letter) {
    case 'h': return 0.5;
    case '1': return 1;
    case '2': return 2;
    case 'r': return 1.4142135381698608; /* as PyTorch writes it */
    case 'i': return 0.70710678118654752;
    case 's': return 0.7071;
    case 'q': return 1.702;
    case 'm': return -1;
    default: return 0.7; /* 'o': none of these */
    }
}

static enum core_op op_of(char letter)
{
    static const struct { char letter; enum core_op op; } ops[] = {{'g', CORE_SIGMOID}, {'e', CORE_ERF}, {'n', CORE_NEG}, {'p', CORE_EXP}, {'v', CORE_RECIPROCAL}, {'w', CORE_SQRT}, {'*', CORE_MUL}, {'/', CORE_DIV}, {'+', CORE_ADD}};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (ops[i].letter == letter)
            return ops[i].op;
    return CORE_OPS;
}

static struct graph *build(const char *form)
{
    struct graph *graph = new_graph();
    struct shape *shape = SHAPE(3, 5);
    int x = input(graph, "x", ELEMENT_F32, shape), z = drawn(graph, "z", shape, 7, 0, 1), stack[STACK] = {0}, top = 0;
    for (; *form; form++) {
        enum core_op op = op_of(*form);
        int operands = op == CORE_ADD || op == CORE_MUL || op == CORE_DIV ? 2 : 1;
        if (*form == 'x' || *form == 'z')
            stack[top++] = *form == 'x' ? x : z;
        else if (op == CORE_OPS)
            stack[top++] = filled(graph, "constant", SHAPE(1), constant_of(*form));
        else
            top -= operands, stack[top] = result(graph, node(graph, op, "made", shape, operands, &stack[top])), top++;
    }
    assert_int_equal(top, 1);
    output(graph, stack[0]);
    return graph;
}

static void expect(const char *form, enum core_op op, int nodes)
{
    struct graph *graph = build(form), *seen = build(form);
    one_pass(seen, pass_activation);
    int found = 0;
    for (int i = 0; i < seen->node_count; i++)
        found += seen->nodes[i].op == op;
    if (found != (op != CORE_OPS))
        fail_msg("%s: %d nodes of %s", form, found, op == CORE_OPS ? "none" : core_op_name(op));
    graph_free(seen);
    check_pass(graph, pass_activation, nodes);
}

static void silu_in_either_order(void **state)
{
    expect("xxg*", CORE_SILU, 1);
    expect("xgx*", CORE_SILU, 1);
    expect("xxg*2*", CORE_SILU, 2);
    expect("x2*xg*", CORE_OPS, 3); /* the half is inside: another function, which nobody writes */
    expect("zxg*", CORE_OPS, 2);
}

/* With a factor inside, and by the exponential function. */
static void silu_in_other_words(void **state)
{
    static const char *const forms[] = {"xxq*g*", "xq*gx*", "xqx*g*", "xx2/g*", "xxng*", "xxnp1+/", "x1xnp+/", "xxm*p1+/", "xxnp1+v*", "x1xnp1+/*", "xxnq*p1+v*"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        expect(forms[i], CORE_SILU, 1);
    expect("zxnp1+/", CORE_OPS, 4);
    expect("xxnp2+/", CORE_OPS, 4);
    expect("xxg*xg*", CORE_SILU, 3); /* the inner one */
    expect("xzg*", CORE_OPS, 2);
}

static void one_over_something(void **state)
{
    expect("xnp1+v", CORE_SIGMOID, 1);
    expect("1xnp1+/", CORE_SIGMOID, 1);
    expect("1xm*p1+/", CORE_SIGMOID, 1);
    expect("xp1+v", CORE_OPS, 3);
    expect("2xnp1+/", CORE_OPS, 4);
    expect("xx*1+wv", CORE_RSQRT, 3);
    expect("1xx*1+w/", CORE_RSQRT, 3);
    expect("2xx*1+w/", CORE_OPS, 4);
    expect("xxx*1+w/", CORE_OPS, 4); /* would be rounded otherwise */
}

static void gelu_in_any_order(void **state)
{
    static const char *const forms[] = {"xxr/e1+*h*", "xxi*e1+*h*", "xh*xr/e1+*", "hx*1xr/e+*", "hxxr/e1+**", "xxr/e1+h**", "xr/e1+xh**",
                                        "xxs*e1+*h*", "xxr/e1+*2/", "xix*e1+*h*",
                                        "xxr/eh*h+*", "xhxr/eh*+*", "xxr/e2/h+*", "hxr/eh*+x*", "xr/eh*h+x*", "xhxi*e*h+*", "xxr/e2*2+*h*h*"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        expect(forms[i], CORE_GELU, 1);
    expect("xxr/e1+*h*2*", CORE_GELU, 2);
    expect("xxr/e1+*h*z*", CORE_GELU, 2);
}

static void what_is_no_gelu_stays(void **state)
{
    expect("xxr/e1+*", CORE_OPS, 4);   /* twice it */
    expect("xxo*e1+*h*", CORE_OPS, 5); /* 0.7 is not a rounded root of a half */
    expect("xxr/eh+*h*", CORE_OPS, 5);
    expect("xxr/eh*1+*h*", CORE_OPS, 6);
    expect("xxr/e2*h+*", CORE_OPS, 5);
    expect("xxr/eh*h+*h*", CORE_GELU, 2); /* half of it */
    expect("zxr/e1+*h*", CORE_OPS, 5);
    expect("xrx/e1+*h*", CORE_OPS, 5); /* the root over x */
}

/* What others read too must stay. */
static void read_inside(void **state)
{
    struct graph *graph = build("xxr/e1+*h*");
    output(graph, result(graph, 1)); /* the error function */
    check_pass(graph, pass_activation, 5);
    graph = build("xxg*");
    output(graph, result(graph, 0));
    check_pass(graph, pass_activation, 2);
    graph = build("xxq*g*");
    output(graph, result(graph, 0));
    check_pass(graph, pass_activation, 3);
    graph = build("xxnp1+/");
    output(graph, result(graph, 1)); /* the exponential function */
    check_pass(graph, pass_activation, 4);
    graph = build("xx*wv");
    output(graph, result(graph, 1));
    check_pass(graph, pass_activation, 3);
}

static void limits_are_numbers(void **state)
{
    struct graph *graph = new_graph();
    int x = input(graph, "x", ELEMENT_F32, SHAPE(4));
    int silu = node(graph, CORE_SILU, "s", SHAPE(4), 1, &x);
    graph->nodes[silu].at.alpha = 1;
    output(graph, result(graph, silu));
    output(graph, result(graph, node(graph, CORE_GELU, "g", SHAPE(4), 1, &x)));
    float numbers[4] = {-INFINITY, INFINITY, -0.0f, 1};
    struct tensor in = {ELEMENT_F32, *SHAPE(4), numbers};
    struct interp_run run;
    assert_int_equal(interp_graph(&run, graph, &in, false, NULL, NULL, NULL), WEFT_OK);
    for (unsigned k = 0; k < 2; k++) {
        const float *y = run.values[graph->outputs[k]].bytes;
        assert_true(y[0] == 0 && y[1] == INFINITY && y[2] == 0 && fabsf(y[3] - (k ? 0.841344746f : 0.731058579f)) < 1e-7f);
    }
    interp_free(&run);
    graph_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silu_in_either_order), cmocka_unit_test(silu_in_other_words), cmocka_unit_test(one_over_something), cmocka_unit_test(gelu_in_any_order), cmocka_unit_test(what_is_no_gelu_stays),
        cmocka_unit_test(read_inside),          cmocka_unit_test(limits_are_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
