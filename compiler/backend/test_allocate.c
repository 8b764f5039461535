/* test_allocate.c: the planner never overlaps two buffers that live together, and reuses what is free. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "backend.h"

static void chain_of_three_reuses_the_first(void **state)
{
    (void)state;
    /* a is read by layer 1, b by layer 2, c by layer 3: a and c never live together */
    struct buffer buffers[] = {{.bytes = 100, .first = 0, .last = 1}, {.bytes = 100, .first = 1, .last = 2}, {.bytes = 100, .first = 2, .last = 3}};
    uint64_t peak;
    assert_true(allocate_buffers(buffers, 3, 256, 64, &peak));
    assert_int_equal(buffers[0].ub, 0);
    assert_int_equal(buffers[1].ub, 128);
    assert_int_equal(buffers[2].ub, 0);
    assert_int_equal(peak, 228);
}

static void says_when_it_does_not_fit(void **state)
{
    (void)state;
    struct buffer buffers[] = {{.bytes = 100, .first = 0, .last = 1}, {.bytes = 100, .first = 1, .last = 2}};
    uint64_t peak;
    assert_false(allocate_buffers(buffers, 2, 227, 64, &peak));
    assert_int_equal(peak, 228);
}

static void never_overlaps(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int round = 0; round < 200; round++) {
        struct buffer buffers[40];
        uint64_t peak;
        for (int i = 0; i < 40; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            int first = (int)(seed >> 60);
            buffers[i] = (struct buffer){.bytes = (seed >> 20) % 5000, .first = first, .last = first + (int)(seed >> 50) % 4};
        }
        allocate_buffers(buffers, 40, UINT64_MAX, 16, &peak);
        for (int i = 0; i < 40; i++)
            for (int k = 0; k < i; k++) {
                struct buffer *a = &buffers[i], *b = &buffers[k];
                bool together = a->first <= b->last && b->first <= a->last;
                bool overlap = a->ub < b->ub + b->bytes && b->ub < a->ub + a->bytes;
                assert_false(together && overlap);
                assert_true(a->ub + a->bytes <= peak);
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chain_of_three_reuses_the_first),
        cmocka_unit_test(says_when_it_does_not_fit),
        cmocka_unit_test(never_overlaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
