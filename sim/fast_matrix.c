/* fast_matrix.c: weight tiles and products.
 *
 * A tile is used where it lies in DRAM. Tiles that the compiler packs (several pixels side by side, small groups) hold
 * blocks of weights amid zeros: each tile is looked through once for the rows that its columns use, and a product is made of one
 * smaller product for each part.
 */
#include <stdlib.h>
#include <string.h>

#include "fast_kernels.h"
#include "fast_values.h"

void fast_tile_free(struct weight_tile *tile)
{
    free(tile->own);
    free(tile->parts);
}

/* --- the FIFO ------------------------------------------------------------------------------------------------------------ */

/* A slot behind the youngest tile. Its memory is kept from the tiles that were there before. */
static struct weight_tile *append(struct fast_values *values, const struct weft_instr *instr)
{
    uint64_t slots = values->sim->program->machine.fifo_tiles;
    struct weight_tile *tile = &values->fifo[(values->oldest + values->waiting++) % slots];
    tile->k = (uint16_t)instr->k;
    tile->n = (uint16_t)instr->n;
    tile->format = instr->fmt;
    tile->bytes = (uint64_t)instr->k * instr->n * weft_format_bytes(instr->fmt);
    tile->examined = false;
    return tile;
}

/* The oldest tile becomes the active one; the slot inherits the memory of the old active one. */
static void take(struct fast_values *values)
{
    struct weight_tile *slot = &values->fifo[values->oldest], old = values->active;
    values->active = *slot;
    *slot = old;
    slot->weights = NULL;
    values->oldest = (values->oldest + 1) % values->sim->program->machine.fifo_tiles;
    values->waiting--;
}

static enum weft_status reserve_own(struct weight_tile *tile)
{
    if (tile->own_bytes >= tile->bytes) return WEFT_OK;
    free(tile->own);
    tile->own = malloc(tile->bytes);
    tile->own_bytes = tile->own ? tile->bytes : 0;
    return tile->own ? WEFT_OK : WEFT_NO_MEMORY;
}

enum weft_status fast_read_weights(struct fast_values *values, const struct weft_instr *instr)
{
    struct weight_tile *tile = append(values, instr);
    tile->dram = instr->dram;
    tile->weights = values->sim->memory[WEFT_SPACE_DRAM].bytes + instr->dram;
    return WEFT_OK;
}

static enum weft_status keep(struct weight_tile *tile, uint64_t dram, uint64_t bytes)
{
    if (!tile->weights || tile->weights == tile->own) return WEFT_OK;
    if (tile->dram >= dram + bytes || dram >= tile->dram + tile->bytes) return WEFT_OK;
    enum weft_status status = reserve_own(tile);
    if (status != WEFT_OK) return status;
    memcpy(tile->own, tile->weights, tile->bytes);
    tile->weights = tile->own;
    return WEFT_OK;
}

enum weft_status fast_tiles_keep(struct fast_values *values, uint64_t dram, uint64_t bytes)
{
    enum weft_status status = keep(&values->active, dram, bytes);
    for (uint64_t i = 0; i < values->waiting && status == WEFT_OK; i++)
        status = keep(&values->fifo[(values->oldest + i) % values->sim->program->machine.fifo_tiles], dram, bytes);
    return status;
}

static void copy_runs(uint8_t *out, const struct fast_rows *rows, const uint8_t *ub, size_t element_bytes)
{
    const uint8_t *row = ub + rows_address(rows);
    for (size_t i = 0; i < rows->run_count; i++) {
        const struct fast_run *run = &rows->runs[i];
        memcpy(out + run->lane * element_bytes, row + run->offset, run->lanes * element_bytes);
    }
}

static void copy_column(uint8_t *out, size_t stride, const struct fast_rows *rows, const uint8_t *ub, size_t element_bytes)
{
    const uint8_t *row = ub + rows_address(rows);
    for (size_t i = 0; i < rows->run_count; i++) {
        const struct fast_run *run = &rows->runs[i];
        for (size_t c = 0; c < run->lanes; c++)
            memcpy(out + (run->lane + c) * stride, row + run->offset + c * element_bytes, element_bytes);
    }
}

enum weft_status fast_push_weights(struct fast_values *values, const struct weft_instr *instr)
{
    struct weight_tile *tile = append(values, instr);
    enum weft_status status = reserve_own(tile);
    if (status != WEFT_OK) return status;
    tile->weights = tile->own;
    size_t bytes = weft_format_bytes(instr->fmt), row_bytes = instr->n * bytes;
    uint64_t rows = instr->transpose ? instr->n : instr->k, lanes = instr->transpose ? instr->k : instr->n;
    const struct weft_pattern *pattern = &values->sim->config.pattern[instr->a];
    status = rows_init(&values->rows, pattern, instr->first_row, instr->first_lane, lanes, (unsigned)bytes);
    const uint8_t *ub = values->sim->memory[WEFT_SPACE_UB].bytes;
    for (uint64_t r = 0; r < rows && status == WEFT_OK; r++, rows_next(&values->rows)) {
        if (instr->transpose) copy_column(tile->own + r * bytes, row_bytes, &values->rows, ub, bytes);
        else copy_runs(tile->own + r * row_bytes, &values->rows, ub, bytes);
    }
    return status;
}

/* --- parts of a tile ----------------------------------------------------------------------------------------------------- */

static bool used(const struct weight_tile *tile, size_t row, size_t column, size_t columns)
{
    size_t bytes = weft_format_bytes(tile->format);
    return kernel_any(tile->weights + (row * tile->n + column) * bytes, columns * bytes);
}

/* The rows from the first to the last that is not zero in these columns. */
static struct tile_part find_rows(const struct weight_tile *tile, size_t column, size_t columns)
{
    size_t row = 0, end = tile->k;
    while (row < end && !used(tile, row, column, columns)) row++;
    while (end > row && !used(tile, end - 1, column, columns)) end--;
    if (row == end) row = end = 0;
    return (struct tile_part){(uint16_t)column, (uint16_t)columns, (uint16_t)row, (uint16_t)(end - row)};
}

/* Would one product over both cost less than two? A product of its own is charged like some columns more. */
static bool joins(const struct tile_part *a, const struct tile_part *b, struct tile_part *both)
{
    enum { OVERHEAD_COLUMNS = 8 };
    size_t from = a->row < b->row ? a->row : b->row;
    size_t end = a->row + a->rows > b->row + b->rows ? a->row + a->rows : b->row + b->rows;
    if (a->rows == 0) from = b->row, end = b->row + b->rows;
    if (b->rows == 0) from = a->row, end = a->row + a->rows;
    *both = (struct tile_part){a->column, (uint16_t)(a->columns + b->columns), (uint16_t)from, (uint16_t)(end - from)};
    size_t apart = (size_t)a->columns * a->rows + (size_t)(b->columns + OVERHEAD_COLUMNS) * b->rows;
    return (size_t)both->columns * both->rows <= apart;
}

enum weft_status fast_tile_examine(struct weight_tile *tile)
{
    size_t most = (tile->n + TILE_PART_COLUMNS - 1u) / TILE_PART_COLUMNS;
    if (tile->part_room < most) {
        free(tile->parts);
        tile->parts = malloc(most * sizeof *tile->parts);
        tile->part_room = tile->parts ? most : 0;
        if (!tile->parts) return WEFT_NO_MEMORY;
    }
    tile->part_count = 0;
    tile->examined = true;
    if (tile->format == WEFT_FORMAT_bf16) { /* sums every k: 0 x infinity and the sign of zero count */
        tile->parts[tile->part_count++] = (struct tile_part){0, tile->n, 0, tile->k};
        return WEFT_OK;
    }
    for (size_t column = 0; column < tile->n; column += TILE_PART_COLUMNS) {
        size_t columns = tile->n - column < TILE_PART_COLUMNS ? tile->n - column : TILE_PART_COLUMNS;
        struct tile_part part = find_rows(tile, column, columns), both;
        if (tile->part_count > 0 && joins(&tile->parts[tile->part_count - 1], &part, &both)) tile->parts[tile->part_count - 1] = both;
        else tile->parts[tile->part_count++] = part;
    }
    return WEFT_OK;
}

/* --- products ------------------------------------------------------------------------------------------------------------ */

static void overwrite_with_zeros(uint8_t *sums, size_t rows, size_t columns, size_t stride)
{
    for (size_t r = 0; r < rows; r++) memset(sums + r * stride * 4, 0, columns * 4);
}

/* All parts of the active tile for rows that lie `a_stride` elements apart. */
static enum weft_status multiply_parts(struct fast_values *values, const struct weft_instr *instr, const uint8_t *a, size_t a_stride,
                                       uint64_t row, size_t rows)
{
    const struct weight_tile *tile = &values->active;
    size_t columns = values->sim->program->machine.columns;
    size_t a_bytes = weft_format_bytes(instr->fmt), w_bytes = weft_format_bytes(tile->format);
    uint8_t *sums = values->sim->memory[WEFT_SPACE_ACC].bytes + (instr->acc + row) * columns * 4;
    for (size_t i = 0; i < tile->part_count; i++) {
        const struct tile_part *part = &tile->parts[i];
        uint8_t *out = sums + part->column * 4u;
        if (part->rows == 0) {
            if (!instr->accumulate) overwrite_with_zeros(out, rows, part->columns, columns);
            continue;
        }
        struct gemm_product product = {
            .a_format = instr->fmt, .w_format = tile->format, .m = rows, .n = part->columns, .k = part->rows,
            .a = a + part->row * a_bytes, .a_stride = a_stride,
            .w = tile->weights + ((size_t)part->row * tile->n + part->column) * w_bytes, .w_stride = tile->n,
            .sums = out, .sums_stride = columns, .accumulate = instr->accumulate,
        };
        enum weft_status status = gemm_multiply(values->gemm, &product);
        if (status != WEFT_OK) return status;
    }
    return WEFT_OK;
}

static enum weft_status reserve_gathered(struct fast_values *values, size_t bytes)
{
    if (values->gathered_bytes >= bytes) return WEFT_OK;
    free(values->gathered);
    values->gathered = malloc(bytes);
    values->gathered_bytes = values->gathered ? bytes : 0;
    return values->gathered ? WEFT_OK : WEFT_NO_MEMORY;
}

/* Rows that lie anywhere: copied side by side, as many at a time as stay in the second-level cache. */
static enum weft_status multiply_gathered(struct fast_values *values, const struct weft_instr *instr)
{
    enum { ENOUGH = 512 << 10 };
    const uint8_t *ub = values->sim->memory[WEFT_SPACE_UB].bytes;
    size_t bytes = weft_format_bytes(instr->fmt), row_bytes = values->active.k * bytes, most = ENOUGH / row_bytes;
    if (most > instr->rows) most = instr->rows;
    enum weft_status status = reserve_gathered(values, most * row_bytes);
    for (uint64_t row = 0; row < instr->rows && status == WEFT_OK; row += most) {
        size_t rows = instr->rows - row < most ? instr->rows - row : most;
        for (size_t r = 0; r < rows; r++, rows_next(&values->rows)) copy_runs(values->gathered + r * row_bytes, &values->rows, ub, bytes);
        status = multiply_parts(values, instr, values->gathered, values->active.k, row, rows);
    }
    return status;
}

/* Evenly spaced rows of contiguous lanes are used where they lie. */
static enum weft_status multiply(struct fast_values *values, const struct weft_instr *instr)
{
    size_t bytes = weft_format_bytes(instr->fmt);
    uint64_t stride, even = rows_even(&values->rows, instr->rows, &stride);
    if (values->rows.run_count != 1 || even < instr->rows || stride % bytes || stride / bytes < values->active.k)
        return multiply_gathered(values, instr);
    const uint8_t *a = values->sim->memory[WEFT_SPACE_UB].bytes + rows_address(&values->rows) + values->rows.runs[0].offset;
    return multiply_parts(values, instr, a, stride / bytes, 0, instr->rows);
}

enum weft_status fast_product(struct fast_values *values, const struct weft_instr *instr)
{
    if (instr->next) take(values);
    struct weight_tile *tile = &values->active;
    enum weft_status status = tile->examined ? WEFT_OK : fast_tile_examine(tile);
    if (status != WEFT_OK) return status;
    struct weft_pattern even = {.base = instr->ub, .count0 = UINT32_MAX, .stride0 = instr->stride, .count1 = 1, .count2 = 1,
                                .run_length = UINT32_MAX, .block_runs = UINT32_MAX};
    bool convolve = instr->op == WEFT_OP_CONVOLVE;
    const struct weft_pattern *pattern = convolve ? &values->sim->config.pattern[instr->a] : &even;
    status = rows_init(&values->rows, pattern, convolve ? instr->first_row : 0, convolve ? instr->first_lane : 0, tile->k,
                       weft_format_bytes(instr->fmt));
    return status == WEFT_OK ? multiply(values, instr) : status;
}
