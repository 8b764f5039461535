/* fast_values.c: instructions that move bytes, and who computes the others. See fast_values.h. */
#include <stdlib.h>
#include <string.h>

#include "fast_values.h"

enum weft_status fast_values_create(struct fast_values **out, struct weft_sim *sim)
{
    *out = NULL;
    struct fast_values *values = calloc(1, sizeof *values);
    if (!values) return WEFT_NO_MEMORY;
    values->sim = sim;
    values->fifo = calloc(sim->program->machine.fifo_tiles, sizeof *values->fifo);
    enum weft_status status = values->fifo ? gemm_create(&values->gemm) : WEFT_NO_MEMORY;
    if (status == WEFT_OK) status = fast_vector_create(&values->vector);
    if (status == WEFT_OK) *out = values;
    else fast_values_free(values);
    return status;
}

void fast_values_free(struct fast_values *values)
{
    if (!values) return;
    for (uint64_t i = 0; values->fifo && i < values->sim->program->machine.fifo_tiles; i++) fast_tile_free(&values->fifo[i]);
    fast_tile_free(&values->active);
    free(values->fifo);
    gemm_free(values->gemm);
    rows_free(&values->rows);
    free(values->gathered);
    fast_vector_free(values->vector);
    free(values);
}

static enum weft_status move(struct fast_values *values, const struct weft_instr *instr)
{
    const struct memory *memory = values->sim->memory;
    uint8_t *ub = memory[WEFT_SPACE_UB].bytes + instr->ub;
    uint8_t *host = memory[WEFT_SPACE_HOST].bytes, *dram = memory[WEFT_SPACE_DRAM].bytes;
    switch (instr->op) {
    case WEFT_OP_READ_HOST: memcpy(ub, host + instr->host, instr->bytes); return WEFT_OK;
    case WEFT_OP_WRITE_HOST: memcpy(host + instr->host, ub, instr->bytes); return WEFT_OK;
    case WEFT_OP_READ_DRAM: memcpy(ub, dram + instr->dram, instr->bytes); return WEFT_OK;
    default: {
        enum weft_status status = fast_tiles_keep(values, instr->dram, instr->bytes);
        if (status == WEFT_OK) memcpy(dram + instr->dram, ub, instr->bytes);
        return status;
    }
    }
}

static enum weft_status execute(struct fast_values *values, const struct issue *issue)
{
    const struct weft_instr *instr = &issue->instr;
    switch (issue->info->unit) {
    case WEFT_UNIT_CONTROL: return WEFT_OK;
    case WEFT_UNIT_FETCH:
        return instr->op == WEFT_OP_READ_WEIGHTS ? fast_read_weights(values, instr) : fast_push_weights(values, instr);
    case WEFT_UNIT_MATRIX: return fast_product(values, instr);
    case WEFT_UNIT_VECTOR: return fast_vector_execute(values, issue);
    default: return move(values, instr);
    }
}

enum weft_status fast_values_execute(struct fast_values *values, const struct issue *issue, struct weft_diag *diag)
{
    enum weft_status status = execute(values, issue);
    if (status == WEFT_NO_MEMORY) return sim_fault(values->sim, issue, diag, "no memory on this host for what it works on");
    return status;
}
