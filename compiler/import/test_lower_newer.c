/* test_lower_newer.c: what opsets 18 and later have that earlier ones have not, in values that are worked out by hand. */
#include "test_lower.h"

#define AT(opset) "<ir_version: 8, opset_import: [\"\" : " #opset "]> "

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
        /* Beside something it is not there. */
        {AT(20) "m (float[2] x) => (float[2] y) <int64[1] zero = {0}> { " NOTHING "y = Concat <axis = 0> (none, x, none) }", 2, 2, {1, 2}, {1, 2}},
    };
    check_all(cases, sizeof cases / sizeof cases[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
