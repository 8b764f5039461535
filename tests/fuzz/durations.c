/* durations.c: see durations.h. Plain loops. */
#include "durations.h"

#include <stdlib.h>

static uint64_t ceil_div(uint64_t a, uint64_t b) { return (a + b - 1) / b; }

static uint64_t most(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* --- products --- */

static uint64_t activation_at(const struct weft_instr *instr, const struct weft_config *config, uint64_t row, uint64_t lane)
{
    unsigned bytes = weft_format_bytes(instr->fmt);
    if (instr->op == WEFT_OP_MATMUL) return instr->ub + row * instr->stride + lane * bytes;
    return weft_pattern_address(&config->pattern[instr->a], instr->first_row + row, instr->first_lane + lane, bytes);
}

/* Lines that hold the row's lanes and did not hold those of the row before. held[line] is the last row, counted from 1, that it held. */
static uint64_t new_lines(const struct weft_machine *m, const struct weft_instr *instr, const struct weft_config *config, uint64_t row, unsigned k,
                          uint64_t *held)
{
    uint64_t count = 0;
    for (unsigned lane = 0; lane < k; lane++)
        for (unsigned byte = 0; byte < weft_format_bytes(instr->fmt); byte++) {
            uint64_t line = (activation_at(instr, config, row, lane) + byte) / m->ub_line_bytes;
            count += held[line] != row + 1 && (row == 0 || held[line] != row);
            held[line] = row + 1;
        }
    return count;
}

/* T2 and T3. */
static enum weft_status product_cycles(uint64_t *out, const struct weft_machine *m, const struct weft_instr *instr, const struct weft_config *config,
                                       enum weft_format tile, unsigned k)
{
    uint64_t passes = instr->fmt == WEFT_FORMAT_bf16 ? 1 : weft_format_bytes(instr->fmt) * weft_format_bytes(tile), cycles = 0;
    uint64_t *held = calloc(m->ub_bytes / m->ub_line_bytes + 1, sizeof *held);
    if (!held) return WEFT_NO_MEMORY;
    for (uint64_t row = 0; row < instr->rows; row++)
        cycles += most(passes, ceil_div(new_lines(m, instr, config, row, k, held), m->ub_read_ports));
    free(held);
    *out = cycles;
    return WEFT_OK;
}

/* --- T7 --- */

static uint64_t vector_cycles(const struct weft_machine *m, const struct weft_instr *instr, const struct weft_config *config)
{
    bool pools = instr->op == WEFT_OP_POOL || (instr->op == WEFT_OP_ACTIVATE && instr->pool);
    uint64_t windows = pools ? (uint64_t)config->win_count0 * config->win_count1 : 1, lanes = instr->lanes;
    uint64_t written = (instr->op == WEFT_OP_REDUCE ? 1 : lanes) * weft_format_bytes(instr->fmt), a = 0, b = 0;
    switch (instr->op) {
    case WEFT_OP_ADD: case WEFT_OP_SUB: case WEFT_OP_MUL: case WEFT_OP_DIV: case WEFT_OP_MAX: case WEFT_OP_MIN:
        b = lanes * weft_format_bytes(instr->fmt_b);
        a = lanes * weft_format_bytes(instr->fmt_a);
        break;
    case WEFT_OP_COPY: case WEFT_OP_POOL: case WEFT_OP_REDUCE: a = lanes * weft_format_bytes(instr->fmt_a); break;
    case WEFT_OP_ACTIVATE: b = instr->residual ? lanes * weft_format_bytes(instr->fmt_b) : 0; break;
    default: break;
    }
    uint64_t widest = most(written, most(a, b));
    return ceil_div(instr->rows * windows * most(1, most(ceil_div(lanes, m->vector_lanes), ceil_div(widest, m->ub_line_bytes))), m->vector_rows);
}

/* --- fetches --- */

static uint64_t push_cycles(const struct weft_machine *m, const struct weft_instr *instr)
{
    uint64_t rows = instr->transpose ? instr->n : instr->k, lanes = instr->transpose ? instr->k : instr->n;
    return rows * most(1, ceil_div(lanes * weft_format_bytes(instr->fmt), m->ub_line_bytes));
}

/* T6, before bursts. */
static uint64_t tile_bytes(const struct weft_machine *m, const struct weft_instr *instr)
{
    return (m->whole_tiles ? m->rows * m->columns : (uint64_t)instr->k * instr->n) * weft_format_bytes(instr->fmt);
}

enum weft_status duration_of(struct duration *out, const struct weft_machine *m, const struct weft_instr *instr, const struct weft_config *config,
                             enum weft_format tile, unsigned k)
{
    uint64_t burst = m->dram_burst_bytes;
    *out = (struct duration){0};
    switch (weft_instr_info(instr->op)->unit) {
    case WEFT_UNIT_HOST_IN: case WEFT_UNIT_HOST_OUT: out->bytes = instr->bytes; return WEFT_OK;
    case WEFT_UNIT_DRAM: out->bytes = ceil_div(instr->bytes, burst) * burst; return WEFT_OK;
    case WEFT_UNIT_MATRIX: return product_cycles(&out->cycles, m, instr, config, tile, k);
    case WEFT_UNIT_VECTOR: out->cycles = vector_cycles(m, instr, config); return WEFT_OK;
    case WEFT_UNIT_FETCH:
        out->shift = m->rows * weft_format_bytes(instr->fmt);
        if (instr->op == WEFT_OP_PUSH_WEIGHTS) out->cycles = push_cycles(m, instr);
        else out->bytes = ceil_div(tile_bytes(m, instr), burst) * burst;
        return WEFT_OK;
    default: return WEFT_OK;
    }
}
