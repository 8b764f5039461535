/* test_if.c: an If whose condition is known is the branch that it takes; whatever the other one holds is not looked at. */
#include "test_lower.h"

#define BRANCH(body) "b () => (float[] b) { " body " }"
#define NEVER BRANCH("b = Nonsense (x)")

/* x is 1 and -2. */
static const struct one_case cases[] = {
    {"m (float[2] x) => (float[] y) <bool t = {1}> { y = If <then_branch = " BRANCH("b = Neg (x)") ", else_branch = " NEVER "> (t) }", 2, 2, {1, -2}, {-1, 2}},
    {"m (float[2] x) => (float[] y) <bool t = {0}> { y = If <then_branch = " NEVER ", else_branch = " BRANCH("b = Neg (x)") "> (t) }", 2, 2, {1, -2}, {-1, 2}},
    /* a condition that shapes make, as exporters write it */
    {"m (float[2] x) => (float[] y) <int64 zero = {0}, int64 two = {2}> { s = Shape (x) d = Gather (s, zero) c = Equal (d, two)\n"
     "y = If <then_branch = " BRANCH("b = Abs (x)") ", else_branch = " NEVER "> (c) }", 2, 2, {1, -2}, {1, 2}},
    /* values around the branch: one that stands behind it in the file, and an output that only the branch reads */
    {"m (float[2] x) => (float[] y) <bool t = {1}> { y = If <then_branch = " BRANCH("b = Add (later, x)") ", else_branch = " NEVER "> (t) later = Abs (x) }", 2, 2,
     {1, -2}, {2, 0}},
    {"m (float[2] x) => (float[] y) <bool t = {1}, int64[2] one = {1, 1}> { p, q = Split (x, one) y = If <then_branch = " BRANCH("b = Neg (q)") ", else_branch = " NEVER "> (t) }",
     2, 1, {1, -2}, {2}},
    /* constants of its own, names of the outputs' own, an output that stands around it */
    {"m (float[2] x) => (float[] y) <bool t = {1}> { y = If <then_branch = b () => (float[] y) <float two = {2}> { two_x = Mul (x, two) y = Neg (two_x) }, else_branch = " NEVER "> (t) }",
     2, 2, {1, -2}, {-2, 4}},
    {"m (float[2] x) => (float[] z) <bool t = {1}> { a = Neg (x) y = If <then_branch = b () => (float[] a) { }, else_branch = " NEVER "> (t) z = Abs (y) }", 2, 2, {1, -2}, {1, 2}},
    {"m (float[2] x) => (float[] y, float[] z) <bool t = {0}> { y, z = If <then_branch = " NEVER ", else_branch = b () => (float[] p, float[] q) { p = Neg (x) q = Abs (p) }> (t) }",
     2, 4, {1, -2}, {-1, 2, 1, 2}},
    /* one in the other, the same names in both */
    {"m (float[2] x) => (float[] y) <bool t = {1}, bool f = {0}> { y = If <then_branch = o () => (float[] o) { n = Neg (x)\n"
     "o = If <then_branch = " NEVER ", else_branch = b () => (float[] b) { p = Add (n, n) b = Add (p, x) }> (f) }, else_branch = " NEVER "> (t)}", 2, 2, {1, -2}, {-1, 2}},
    {"m (float[2] x) => (float[] z) <bool t = {1}, bool f = {0}> { y = If <then_branch = " BRANCH("a = Neg (x) b = Neg (a)") ", else_branch = " NEVER "> (t)\n"
     "z = If <then_branch = " NEVER ", else_branch = " BRANCH("a = Neg (y) b = Add (a, x)") "> (f) }", 2, 2, {1, -2}, {0, 0}},
    /* in a function, whose attribute it reads */
    {"<ir_version: 8, opset_import: [\"\" : 19, \"local\" : 1]> m (float[2] x) => (float[] y) { y = local.f <slope = 0.5> (x) }\n"
     "<domain: \"local\", opset_import: [\"\" : 19]> f <slope> (v) => (w) { t = Constant <value = bool {1}> ()\n"
     "w = If <then_branch = b () => (float[] b) { b = LeakyRelu <alpha : float = @slope> (v) }, else_branch = " NEVER "> (t) }", 2, 2, {1, -2}, {1, -1}},
};

static void the_branch_that_is_taken(void **state)
{
    check_all(cases, sizeof cases / sizeof cases[0]);
}

#define ONE(conditions, attributes, behind) \
    "<ir_version: 8, opset_import: [\"\" : 19]> m (float[2] x, bool c) => (float[] y) <bool t = {1}> { " conditions " y = If <" attributes "> (" behind ") }"
static const struct { const char *text, *message; } refusals[] = {
    {ONE("", "then_branch = " BRANCH("b = Neg (x)") ", else_branch = " BRANCH("b = Abs (x)"), "c"), "y (If): its condition c is computed, or is an input"},
    {ONE("n = Not (c)", "then_branch = " BRANCH("b = Neg (x)") ", else_branch = " BRANCH("b = Abs (x)"), "n"), "y (If): its condition n is computed, or is an input"},
    {ONE("", "then_branch = " BRANCH("b = Neg (x)"), "x"), "its condition must be one bool"},
    {ONE("", "else_branch = " NEVER, "t"), "attribute then_branch must be given, and be a graph"},
    {ONE("", "then_branch = 1, else_branch = " NEVER, "t"), "attribute then_branch must be given, and be a graph"},
    {ONE("", "then_branch = b (float[2] v) => (float[] b) { b = Neg (v) }, else_branch = " NEVER, "t"), "its then_branch has inputs"},
    {ONE("", "then_branch = b () => () { b = Neg (x) }, else_branch = " NEVER, "t"), "its then_branch has 0"},
    {ONE("", "then_branch = b () => (float[] q) { b = Neg (x) }, else_branch = " NEVER, "t"), "y (If): the branch never makes its output q"},
    {ONE("", "then_branch = " BRANCH("b = Neg (z)") ", else_branch = " NEVER, "t"), "b (Neg): reads z, which nothing makes"},
    {ONE("", "then_branch = " BRANCH("x = Neg (x) b = Neg (x)") ", else_branch = " NEVER, "t"), "makes x, which is made before"},
    {ONE("", "then_branch = " BRANCH("b = Nonsense (x)") ", else_branch = " NEVER, "t"), "y/b (Nonsense): the operator is not supported"},
    {ONE("", "then_branch = " BRANCH("b = Neg (y)") ", else_branch = " NEVER, "t"), "waits for its own result"},
};

static void what_is_refused(void **state)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct graph *graph = NULL;
        struct caught caught;
        assert_int_equal(import_bytes(&graph, refusals[i].text, strlen(refusals[i].text), ".onnxtxt", NULL, &caught), WEFT_ERROR);
        if (!strstr(caught.text, refusals[i].message) || caught.count != 1)
            fail_msg("%s\nsays: %s\nwanted: %s", refusals[i].text, caught.text, refusals[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_branch_that_is_taken), cmocka_unit_test(what_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
