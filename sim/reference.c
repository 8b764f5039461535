/* reference.c: the interpreter's state, the instructions that move bytes, and the table from opcode to meaning. */
#include <stdlib.h>
#include <string.h>

#include "reference.h"

enum { ROW_BYTES = 65536 * 4 }; /* `lanes` has 16 bits, an element at most 4 bytes */

/* --- accumulators --- */

static uint8_t *acc_at(const struct reference *r, uint64_t row, uint64_t lane)
{
    return r->acc + (row * r->sim->program->machine.columns + lane) * 4;
}

int32_t reference_read_acc(const struct reference *r, uint64_t row, uint64_t lane)
{
    return weft_load_integer(acc_at(r, row, lane), WEFT_FORMAT_s32);
}

float reference_read_acc_float(const struct reference *r, uint64_t row, uint64_t lane)
{
    return weft_load_float(acc_at(r, row, lane), WEFT_FORMAT_f32);
}

void reference_write_acc(struct reference *r, uint64_t row, uint64_t lane, int32_t value)
{
    weft_store_integer(acc_at(r, row, lane), WEFT_FORMAT_s32, value);
}

void reference_write_acc_float(struct reference *r, uint64_t row, uint64_t lane, float value)
{
    weft_store_float(acc_at(r, row, lane), WEFT_FORMAT_f32, value);
}

/* --- instructions that move bytes, and those that change no memory --- */

/* nop, halt, sync, tag and set: sim.c lets them take effect. */
static enum weft_status nothing(struct reference *r, const struct weft_instr *instr)
{
    (void)r, (void)instr;
    return WEFT_OK;
}

/* UB bytes ub .. ub + bytes - 1 become host bytes host .. host + bytes - 1. */
static enum weft_status read_host(struct reference *r, const struct weft_instr *instr)
{
    for (uint64_t i = 0; i < instr->bytes; i++) r->ub[instr->ub + i] = r->host[instr->host + i];
    return WEFT_OK;
}

/* Host bytes host .. host + bytes - 1 become UB bytes ub .. ub + bytes - 1. */
static enum weft_status write_host(struct reference *r, const struct weft_instr *instr)
{
    for (uint64_t i = 0; i < instr->bytes; i++) r->host[instr->host + i] = r->ub[instr->ub + i];
    return WEFT_OK;
}

/* UB bytes ub .. ub + bytes - 1 become DRAM bytes dram .. dram + bytes - 1. */
static enum weft_status read_dram(struct reference *r, const struct weft_instr *instr)
{
    for (uint64_t i = 0; i < instr->bytes; i++) r->ub[instr->ub + i] = r->dram[instr->dram + i];
    return WEFT_OK;
}

/* DRAM bytes dram .. dram + bytes - 1 become UB bytes ub .. ub + bytes - 1. */
static enum weft_status write_dram(struct reference *r, const struct weft_instr *instr)
{
    for (uint64_t i = 0; i < instr->bytes; i++) r->dram[instr->dram + i] = r->ub[instr->ub + i];
    return WEFT_OK;
}

/* --- the engine --- */

reference_meaning *reference_meaning_of(enum weft_opcode op)
{
    switch (op) {
    case WEFT_OP_NOP: case WEFT_OP_HALT: case WEFT_OP_SYNC: case WEFT_OP_TAG: case WEFT_OP_SET: return nothing;
    case WEFT_OP_READ_HOST: return read_host;
    case WEFT_OP_WRITE_HOST: return write_host;
    case WEFT_OP_READ_WEIGHTS: return reference_read_weights;
    case WEFT_OP_PUSH_WEIGHTS: return reference_push_weights;
    case WEFT_OP_READ_DRAM: return read_dram;
    case WEFT_OP_WRITE_DRAM: return write_dram;
    case WEFT_OP_MATMUL: return reference_matmul;
    case WEFT_OP_CONVOLVE: return reference_convolve;
    case WEFT_OP_ACTIVATE: return reference_activate;
    case WEFT_OP_ADD: return reference_add;
    case WEFT_OP_SUB: return reference_sub;
    case WEFT_OP_MUL: return reference_mul;
    case WEFT_OP_DIV: return reference_div;
    case WEFT_OP_MAX: return reference_max;
    case WEFT_OP_MIN: return reference_min;
    case WEFT_OP_COPY: return reference_copy;
    case WEFT_OP_FILL: return reference_fill;
    case WEFT_OP_POOL: return reference_pool;
    case WEFT_OP_REDUCE: return reference_reduce;
    }
    return NULL;
}

static void free_state(void *state)
{
    struct reference *r = state;
    if (!r) return;
    for (uint64_t i = 0; r->fifo && i < r->sim->program->machine.fifo_tiles; i++) free(r->fifo[i].bytes);
    free(r->fifo);
    free(r->active.bytes);
    free(r->row);
    free(r);
}

static enum weft_status create(void **out, struct weft_sim *sim, struct weft_diag *diag)
{
    *out = NULL;
    if (sim->options.timing_only) return weft_error(diag, "the reference engine computes values and keeps no time: use fast for timing only");
    struct reference *r = calloc(1, sizeof *r);
    if (!r) return WEFT_NO_MEMORY;
    r->sim = sim;
    r->ub = sim->memory[WEFT_SPACE_UB].bytes;
    r->acc = sim->memory[WEFT_SPACE_ACC].bytes;
    r->fifo = calloc(sim->program->machine.fifo_tiles, sizeof *r->fifo);
    r->row = malloc(ROW_BYTES);
    *out = r;
    return r->fifo && r->row ? WEFT_OK : WEFT_NO_MEMORY;
}

static enum weft_status execute(void *state, const struct issue *issue, struct weft_diag *diag)
{
    struct reference *r = state;
    r->host = r->sim->memory[WEFT_SPACE_HOST].bytes; /* weft_sim_write may have moved a borrowed memory since */
    r->dram = r->sim->memory[WEFT_SPACE_DRAM].bytes;
    reference_meaning *meaning = reference_meaning_of(issue->instr.op);
    if (!meaning) return sim_fault(r->sim, issue, diag, "the reference engine does not know this instruction");
    enum weft_status status = meaning(r, &issue->instr);
    if (status == WEFT_NO_MEMORY) sim_fault(r->sim, issue, diag, "no memory for its weight tile");
    return status;
}

static enum weft_status finish(void *state, struct weft_diag *diag)
{
    (void)state, (void)diag;
    return WEFT_OK;
}

const struct engine engine_reference = {.name = "reference", .create = create, .free = free_state, .execute = execute, .finish = finish};
