/* test_fast_matrix.c: the parts of a tile amid zeros. A part names columns and the rows from their first to their last weight that is not
 * zero. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fast_values.h"

enum { K = 256, N = 256 };

static uint8_t weights[K * N];

static void block(size_t row, size_t rows, size_t column, size_t columns)
{
    for (size_t r = row; r < row + rows; r++) memset(weights + r * N + column, 1, columns);
}

static void examine(struct weight_tile *tile, uint16_t k, uint16_t n)
{
    *tile = (struct weight_tile){.weights = weights, .k = k, .n = n, .format = WEFT_FORMAT_s8};
    assert_int_equal(fast_tile_examine(tile), WEFT_OK);
}

static void assert_part(const struct weight_tile *tile, size_t i, size_t column, size_t columns, size_t row, size_t rows)
{
    assert_true(i < tile->part_count);
    const struct tile_part *part = &tile->parts[i];
    assert_int_equal(part->column, column);
    assert_int_equal(part->columns, columns);
    assert_int_equal(part->row, row);
    assert_int_equal(part->rows, rows);
}

static void test_dense(void **state)
{
    struct weight_tile tile;
    memset(weights, 1, sizeof weights);
    examine(&tile, K, N);
    assert_int_equal(tile.part_count, 1);
    assert_part(&tile, 0, 0, N, 0, K);
    fast_tile_free(&tile);
}

/* Four 64 x 64 blocks on the diagonal: four parts, a quarter of the work. */
static void test_block_diagonal(void **state)
{
    struct weight_tile tile;
    memset(weights, 0, sizeof weights);
    for (size_t i = 0; i < 4; i++) block(64 * i, 64, 64 * i, 64);
    examine(&tile, K, N);
    assert_int_equal(tile.part_count, 4);
    for (size_t i = 0; i < 4; i++) assert_part(&tile, i, 64 * i, 64, 64 * i, 64);
    fast_tile_free(&tile);
}

/* Four pixels, each a window of 128 rows that begins 32 rows behind the one before: to join two (64 columns each) would cost
 * 128 x 160 = 20480 for 64 x 128 + 72 x 128 = 17408: they stay apart. */
static void test_toeplitz(void **state)
{
    struct weight_tile tile;
    memset(weights, 0, sizeof weights);
    for (size_t i = 0; i < 4; i++) block(32 * i, 128, 64 * i, 64);
    examine(&tile, K, N);
    assert_int_equal(tile.part_count, 4);
    for (size_t i = 0; i < 4; i++) assert_part(&tile, i, 64 * i, 64, 32 * i, 128);
    fast_tile_free(&tile);
}

/* One weight alone, at the last row and column of a tile that is no multiple of 16 columns wide; the zero columns before it are a part
 * without rows, and are joined with one another. */
static void test_lone_weight(void **state)
{
    struct weight_tile tile;
    memset(weights, 0, sizeof weights);
    weights[50 * 40 - 1] = 1;
    examine(&tile, 50, 40);
    assert_int_equal(tile.part_count, 2);
    assert_part(&tile, 0, 0, 32, 0, 0);
    assert_part(&tile, 1, 32, 8, 49, 1);
    fast_tile_free(&tile);
}

static void test_zeros(void **state)
{
    struct weight_tile tile;
    memset(weights, 0, sizeof weights);
    examine(&tile, K, N);
    assert_int_equal(tile.part_count, 1);
    assert_part(&tile, 0, 0, N, 0, 0);
    fast_tile_free(&tile);
}

/* bf16 sums take every k in: zero weights are no zeros before infinities. */
static void test_bf16_is_whole(void **state)
{
    struct weight_tile tile = {.weights = weights, .k = 10, .n = 20, .format = WEFT_FORMAT_bf16};
    memset(weights, 0, sizeof weights);
    assert_int_equal(fast_tile_examine(&tile), WEFT_OK);
    assert_int_equal(tile.part_count, 1);
    assert_part(&tile, 0, 0, 20, 0, 10);
    fast_tile_free(&tile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dense), cmocka_unit_test(test_block_diagonal), cmocka_unit_test(test_toeplitz),
        cmocka_unit_test(test_lone_weight), cmocka_unit_test(test_zeros), cmocka_unit_test(test_bf16_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
