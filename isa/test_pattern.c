/* Proves pattern.c and T3 of timing.c against counting by brute force, written from docs/isa.md and docs/machine.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "weft_isa.h"

static uint32_t next_random(uint64_t *seed, uint32_t below)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33) % below;
}

/* The equation of docs/isa.md, with the loops as loops. */
static uint64_t address_by_hand(const struct weft_pattern *p, uint64_t row, uint64_t lane, unsigned bytes)
{
    uint64_t i0 = row % p->count0, i1 = row / p->count0 % p->count1, i2 = row / p->count0 / p->count1;
    uint64_t c = lane % p->run_length, x = lane / p->run_length % p->block_runs, y = lane / p->run_length / p->block_runs;
    return p->base + i0 * p->stride0 + i1 * p->stride1 + i2 * p->stride2 + c * bytes + x * p->run_stride + y * p->block_stride;
}

static struct weft_pattern random_pattern(uint64_t *seed)
{
    const uint32_t wide = next_random(seed, 2) ? 8 : 400;
    return (struct weft_pattern){
        .base = next_random(seed, 100), .count0 = 1 + next_random(seed, 7), .stride0 = next_random(seed, wide),
        .count1 = 1 + next_random(seed, 5), .stride1 = next_random(seed, wide), .count2 = 50, .stride2 = next_random(seed, wide),
        .run_length = 1 + next_random(seed, 9), .run_stride = next_random(seed, wide), .block_runs = 1 + next_random(seed, 4),
        .block_stride = next_random(seed, wide)};
}

static void addresses_follow_the_equation(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int round = 0; round < 2000; round++) {
        struct weft_pattern p = random_pattern(&seed);
        uint64_t row = next_random(&seed, 100), lane = next_random(&seed, 100);
        assert_int_equal(weft_pattern_address(&p, row, lane, 2), address_by_hand(&p, row, lane, 2));
    }
}

static void ranges_are_the_smallest(void **state)
{
    (void)state;
    uint64_t seed = 2;
    for (int round = 0; round < 20000; round++) {
        struct weft_pattern p = random_pattern(&seed);
        uint64_t first_row = next_random(&seed, 60), rows = 1 + next_random(&seed, 20), first_lane = next_random(&seed, 40),
                 lanes = 1 + next_random(&seed, 20), low = UINT64_MAX, high = 0;
        unsigned bytes = 1u << next_random(&seed, 3);
        for (uint64_t r = first_row; r < first_row + rows; r++)
            for (uint64_t l = first_lane; l < first_lane + lanes; l++) {
                uint64_t at = address_by_hand(&p, r, l, bytes);
                low = at < low ? at : low;
                high = at + bytes > high ? at + bytes : high;
            }
        struct weft_range range = weft_pattern_range(&p, first_row, rows, first_lane, lanes, bytes);
        assert_int_equal(range.low, low);
        assert_int_equal(range.high, high);
    }
}

static void endless_loops_and_large_numbers(void **state)
{
    (void)state;
    struct weft_config c;
    weft_config_reset(&c);
    c.pattern[0].base = 1000;
    c.pattern[0].stride0 = UINT32_MAX;
    struct weft_range range = weft_pattern_range(&c.pattern[0], 0, 1 << 24, 0, 65535, 4);
    assert_int_equal(range.low, 1000);
    assert_int_equal(range.high, 1000 + UINT64_C(0xffffff) * UINT32_MAX + 65535 * 4);
    assert_int_equal(weft_pattern_rows(&c.pattern[0]), UINT64_C(1) << 63);
    c.pattern[0].count1 = c.pattern[0].count2 = 2;
    assert_int_equal(weft_pattern_rows(&c.pattern[0]), UINT64_C(4) * UINT32_MAX);
    range = weft_pattern_range(&c.pattern[0], 5, 0, 0, 1, 1);
    assert_int_equal(range.low, range.high); /* nothing */
}

/* --- T3 -------------------------------------------------------------------------------------------------------------------------- */

enum { LINES_MOST = 16384 };

/* Lines of a row as a set of bits. */
static void mark_lines(uint8_t *lines, const struct weft_pattern *p, uint64_t row, uint64_t first_lane, uint64_t k, unsigned bytes, uint64_t line_bytes)
{
    memset(lines, 0, LINES_MOST);
    for (uint64_t l = first_lane; l < first_lane + k; l++)
        for (unsigned b = 0; b < bytes; b++) {
            uint64_t line = (address_by_hand(p, row, l, bytes) + b) / line_bytes;
            assert_true(line < LINES_MOST);
            lines[line] = 1;
        }
}

static uint64_t cycles_by_hand(const struct weft_machine *m, const struct weft_pattern *p, uint64_t first_row, uint64_t rows, uint64_t first_lane,
                               uint64_t k, unsigned bytes, uint64_t passes)
{
    static uint8_t now[LINES_MOST], before[LINES_MOST];
    uint64_t sum = 0;
    memset(before, 0, sizeof before);
    for (uint64_t r = first_row; r < first_row + rows; r++) {
        uint64_t lines = 0;
        mark_lines(now, p, r, first_lane, k, bytes, m->ub_line_bytes);
        for (size_t i = 0; i < LINES_MOST; i++)
            lines += now[i] && !before[i];
        uint64_t cycles = (lines + m->ub_read_ports - 1) / m->ub_read_ports;
        sum += cycles > passes ? cycles : passes;
        memcpy(before, now, sizeof now);
    }
    return sum;
}

static void product_cycles_count_lines(void **state)
{
    (void)state;
    uint64_t seed = 3;
    static const uint64_t line_bytes[] = {1, 8, 12, 32, 256};
    for (int round = 0; round < 1500; round++) {
        struct weft_machine m = {.ub_line_bytes = line_bytes[next_random(&seed, 5)], .ub_read_ports = 1 + next_random(&seed, 4)};
        struct weft_pattern p = random_pattern(&seed);
        p.count0 = 1 + next_random(&seed, 2 + (uint32_t)round % 60);
        p.stride0 %= 60, p.stride1 %= 60, p.stride2 %= 60, p.run_stride %= 60, p.block_stride %= 60;
        uint64_t first_row = next_random(&seed, 9), rows = 1 + next_random(&seed, 40), first_lane = next_random(&seed, 9), k = 1 + next_random(&seed, 24);
        bool wide = next_random(&seed, 2);
        uint64_t want = cycles_by_hand(&m, &p, first_row, rows, first_lane, k, wide ? 2 : 1, wide ? 2 : 1);
        assert_int_equal(weft_matrix_cycles(&m, &p, first_row, rows, first_lane, k, wide ? WEFT_FORMAT_s16 : WEFT_FORMAT_u8, WEFT_FORMAT_s8), want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_follow_the_equation), cmocka_unit_test(ranges_are_the_smallest),
        cmocka_unit_test(endless_loops_and_large_numbers), cmocka_unit_test(product_cycles_count_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
