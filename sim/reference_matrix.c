/* reference_matrix.c: weight tiles and products. */
#include <stdlib.h>

#include "reference.h"

/* A new tile behind the youngest of the FIFO; its weights are the caller's to write. The check has seen to it that a slot is free. */
static enum weft_status append(struct tile **out, struct reference *r, const struct weft_instr *instr)
{
    uint64_t slots = r->sim->program->machine.fifo_tiles;
    struct tile *tile = &r->fifo[(r->oldest + (uint64_t)r->waiting) % slots];
    *tile = (struct tile){.k = instr->k, .n = instr->n, .format = instr->fmt};
    tile->bytes = malloc((size_t)tile->k * tile->n * weft_format_bytes(tile->format));
    if (!tile->bytes) return WEFT_NO_MEMORY;
    r->waiting++;
    *out = tile;
    return WEFT_OK;
}

/* The oldest tile of the FIFO becomes the active one. */
static void take(struct reference *r)
{
    free(r->active.bytes);
    r->active = r->fifo[r->oldest];
    r->fifo[r->oldest] = (struct tile){0};
    r->oldest = (uint32_t)((r->oldest + UINT64_C(1)) % r->sim->program->machine.fifo_tiles);
    r->waiting--;
}

/* The tile's k x n weights, row-major, from DRAM byte `dram` on. */
enum weft_status reference_read_weights(struct reference *r, const struct weft_instr *instr)
{
    struct tile *tile;
    enum weft_status status = append(&tile, r, instr);
    if (status != WEFT_OK) return status;
    uint64_t bytes = (uint64_t)tile->k * tile->n * weft_format_bytes(tile->format);
    for (uint64_t i = 0; i < bytes; i++) tile->bytes[i] = r->dram[instr->dram + i];
    return WEFT_OK;
}

/* Weight (row, column) is element (first_row + row, first_lane + column) of pattern a; transposed, (first_row + column, first_lane + row). */
enum weft_status reference_push_weights(struct reference *r, const struct weft_instr *instr)
{
    struct tile *tile;
    enum weft_status status = append(&tile, r, instr);
    if (status != WEFT_OK) return status;
    unsigned size = weft_format_bytes(tile->format);
    const struct weft_pattern *a = &r->sim->config.pattern[instr->a];
    for (uint32_t row = 0; row < tile->k; row++)
        for (uint32_t column = 0; column < tile->n; column++) {
            uint64_t pattern_row = (uint64_t)instr->first_row + (instr->transpose ? column : row);
            uint64_t lane = (uint64_t)instr->first_lane + (instr->transpose ? row : column);
            uint64_t address = weft_pattern_address(a, pattern_row, lane, size);
            for (unsigned i = 0; i < size; i++) tile->bytes[((uint64_t)row * tile->n + column) * size + i] = r->ub[address + i];
        }
    return WEFT_OK;
}

/* Where lane k of row `row` of the instruction's activations lies. */
static uint64_t activation_at(const struct reference *r, const struct weft_instr *instr, uint64_t row, uint64_t k)
{
    unsigned size = weft_format_bytes(instr->fmt);
    if (instr->op == WEFT_OP_MATMUL) return instr->ub + row * instr->stride + k * size;
    return weft_pattern_address(&r->sim->config.pattern[instr->a], instr->first_row + row, instr->first_lane + k, size);
}

static const uint8_t *weight_at(const struct reference *r, uint64_t k, uint64_t n)
{
    return r->active.bytes + (k * r->active.n + n) * weft_format_bytes(r->active.format);
}

/* ACC gets or adds the sum over k of activation x weight, modulo 2^32. */
static void integer_lane(struct reference *r, const struct weft_instr *instr, uint64_t row, uint64_t lane)
{
    uint32_t sum = 0;
    for (uint32_t k = 0; k < r->active.k; k++) {
        int32_t activation = weft_load_integer(r->ub + activation_at(r, instr, row, k), instr->fmt);
        int32_t weight = weft_load_integer(weight_at(r, k, lane), r->active.format);
        sum += (uint32_t)activation * (uint32_t)weight;
    }
    if (instr->accumulate) sum += (uint32_t)reference_read_acc(r, instr->acc + row, lane);
    reference_write_acc(r, instr->acc + row, lane, (int32_t)sum);
}

/* sum = 0; sum += a(k) w(k) in order of k, each an fp32 addition; then ACC = sum or ACC + sum. */
static void float_lane(struct reference *r, const struct weft_instr *instr, uint64_t row, uint64_t lane)
{
    float sum = 0.0f;
    for (uint32_t k = 0; k < r->active.k; k++) {
        float activation = weft_load_float(r->ub + activation_at(r, instr, row, k), instr->fmt);
        float weight = weft_load_float(weight_at(r, k, lane), r->active.format);
        float product = activation * weight;
        sum = sum + product;
    }
    if (instr->accumulate) sum = reference_read_acc_float(r, instr->acc + row, lane) + sum;
    reference_write_acc_float(r, instr->acc + row, lane, sum);
}

static enum weft_status product(struct reference *r, const struct weft_instr *instr)
{
    if (instr->next) take(r);
    for (uint32_t row = 0; row < instr->rows; row++)
        for (uint32_t lane = 0; lane < r->active.n; lane++)
            if (weft_format_is_integer(instr->fmt)) integer_lane(r, instr, row, lane);
            else float_lane(r, instr, row, lane);
    return WEFT_OK;
}

/* Row i of the activations begins at UB byte ub + i stride. */
enum weft_status reference_matmul(struct reference *r, const struct weft_instr *instr) { return product(r, instr); }

/* Row i of the activations is row first_row + i of pattern a, from lane first_lane on. */
enum weft_status reference_convolve(struct reference *r, const struct weft_instr *instr) { return product(r, instr); }
