/* test_random.c: numbers from a seed: the same everywhere, any part by itself, and distributed as they should be. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "element.h"
#include "graph.h"
#include "random.h"

enum { COUNT = 1 << 20 };

/* Moments of the normal distribution, 0 1 0 3, and its probabilities within 1 and beyond 3.5 deviations, each within four
 * standard errors of 2^20 numbers. */
static void normal_distribution(void **state)
{
    double *x = malloc(COUNT * sizeof *x), m[5] = {0}, within = 0, beyond = 0;
    random_normal(x, 0, COUNT, 7, 2, 3);
    for (int i = 0; i < COUNT; i++) {
        double t = (x[i] - 2) / 3, power = 1;
        for (int k = 1; k < 5; k++)
            m[k] += (power *= t) / COUNT;
        within += fabs(t) < 1;
        beyond += fabs(t) > 3.5;
    }
    assert_true(fabs(m[1]) < 4 * sqrt(1.0 / COUNT));
    assert_true(fabs(m[2] - 1) < 4 * sqrt(2.0 / COUNT));
    assert_true(fabs(m[3]) < 4 * sqrt(15.0 / COUNT));
    assert_true(fabs(m[4] - 3) < 4 * sqrt(96.0 / COUNT));
    assert_true(fabs(within / COUNT - 0.6826894921) < 4 * sqrt(0.6826894921 * 0.3173105079 / COUNT));
    assert_true(fabs(beyond / COUNT - 4.652581581e-4) < 4 * sqrt(4.652581581e-4 / COUNT));
    free(x);
}

static void uniform_distribution(void **state)
{
    double *x = malloc(COUNT * sizeof *x), sum = 0;
    random_uniform(x, 0, COUNT, 9, -1, 3);
    for (int i = 0; i < COUNT; i++) {
        assert_true(x[i] >= -1 && x[i] < 3);
        sum += x[i];
    }
    assert_true(fabs(sum / COUNT - 1) < 4 * sqrt(16.0 / 12 / COUNT));
    free(x);
}

static void parts_of_a_stream(void **state)
{
    double whole[1000], part[10];
    random_normal(whole, 0, 1000, 5, 0, 1);
    random_normal(part, 990, 10, 5, 0, 1);
    assert_memory_equal(part, whole + 990, sizeof part);
    random_normal(part, 990, 10, 6, 0, 1);
    assert_true(part[0] != whole[990]);
}

/* SplitMix64's first output for seed 0 is published as 0xe220a8397b1dcdaf: the finaliser of its first state. */
static void the_mixer(void **state)
{
    assert_true(random_hash(0x9e3779b97f4a7c15u) == 0xe220a8397b1dcdafu);
}

static void rules_make_bytes(void **state)
{
    struct graph *g;
    struct shape shape = {.rank = 2, .dims = {3, 1000}};
    assert_int_equal(graph_create(&g), WEFT_OK);
    int fill = graph_add_value(g, "fill", ELEMENT_S16, &shape), normal = graph_add_value(g, "normal", ELEMENT_F32, &shape);
    g->values[fill].contents = CONTENTS_FILL;
    g->values[fill].fill = -7;
    g->values[normal].contents = CONTENTS_NORMAL;
    g->values[normal].deviation = 1;
    const int16_t *filled = value_bytes(g, fill);
    for (int i = 0; i < 3000; i++)
        assert_int_equal(filled[i], -7);
    double one, expected[1];
    random_normal(expected, 2999, 1, 0, 0, 1);
    assert_true(value_at(g, normal, 2999, &one));
    assert_true(one == (float)expected[0]);
    graph_free(g);
}

/* Halves and back, all 65536 of them; the values of a few from IEEE 754's table. */
static void halves(void **state)
{
    assert_true(weft_half_to_float(0x3c00) == 1 && weft_half_to_float(0x7bff) == 65504 && weft_half_to_float(0x0001) == 0x1p-24f &&
                weft_half_to_float(0xc000) == -2);
    assert_int_equal(weft_half_from_double(65519.9), 0x7bff);
    assert_int_equal(weft_half_from_double(65520), 0x7c00);
    assert_int_equal(weft_half_from_double(1 + 0x1p-11), 0x3c00);           /* a tie goes to even */
    assert_int_equal(weft_half_from_double(1 + 0x1p-11 + 0x1p-40), 0x3c01); /* and is rounded once */
    for (unsigned half = 0; half < 65536; half++)
        if ((half & 0x7fff) <= 0x7c00)
            assert_int_equal(weft_half_from_double(weft_half_to_float((uint16_t)half)), half);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(normal_distribution), cmocka_unit_test(uniform_distribution),
                                       cmocka_unit_test(parts_of_a_stream),   cmocka_unit_test(the_mixer),
                                       cmocka_unit_test(rules_make_bytes),    cmocka_unit_test(halves)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
