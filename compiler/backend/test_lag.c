/* test_lag.c: when a batch goes in two halves, by cycles counted by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "waves.h"

/* A product of 100 cycles, 150 in halves, and nothing for the vector unit: the second fetch of its tiles buys nothing. */
static void a_product_alone_stays_whole(void **state)
{
    (void)state;
    struct lag_segment s = {.splits = true, .product = 100, .halves = 150};
    assert_int_equal(lag_choose(&s, 1, (struct lag_links){0, 0}), 0);
}

/* Four products of 100 cycles with as much vector work behind each, and no links. Whole: 800. In halves of 60 cycles and 50, one product apart: the first half's from 0, 110, 230, 350,
 * the second's from 170, 290, 410, 520, and 50 cycles behind the end of that one all is done: 630. */
static void vector_work_is_hidden(void **state)
{
    (void)state;
    struct lag_segment s[] = {{true, 100, 120, 100}, {true, 100, 120, 100}, {true, 100, 120, 100}, {true, 100, 120, 100}};
    assert_true(lag_choose(s, 4, (struct lag_links){0, 0}) > 0);
}

/* The product alone between links that take 1000 cycles each. Whole: from 1000 to 1100, and its rows leave from 1000 on, until 2000. In halves: the first from 500
 * to 575, and leaves until 1075; the second from 1000 to 1075, and leaves until 1575. On a faster clock, links of 10,000 cycles, it is the same. */
static void links_are_hidden(void **state)
{
    (void)state;
    struct lag_segment s = {.splits = true, .product = 100, .halves = 150};
    assert_true(lag_choose(&s, 1, (struct lag_links){1000, 1000}) > 0);
    assert_true(lag_choose(&s, 1, (struct lag_links){10000, 10000}) > 0);
}

/* What does not come in halves waits for all of its input, and its output for all of it: 1000 + 100 of products + 900. */
static void what_does_not_split_gains_nothing(void **state)
{
    (void)state;
    struct lag_segment s = {.splits = false, .product = 100, .halves = 100};
    assert_int_equal(lag_choose(&s, 1, (struct lag_links){1000, 1000}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_product_alone_stays_whole), cmocka_unit_test(vector_work_is_hidden), cmocka_unit_test(links_are_hidden),
                                       cmocka_unit_test(what_does_not_split_gains_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
