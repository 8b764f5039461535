/* job.h: one instruction from its dispatch to its completion, and what it touches. */
#ifndef WEFT_TWIN_JOB_H
#define WEFT_TWIN_JOB_H

#include <memory>
#include <vector>

extern "C" {
#include "weft_isa.h"
}

namespace twin
{

/* The smallest interval [low, high) of bytes (of rows, in ACC) that holds all of one operand. */
struct operand {
    weft_space space;
    bool write;
    uint64_t low, high;
    bool parameter; /* bias, scale, table: read once an instruction */
};

struct job;

/* A hazard: until the reads or the writes of an older instruction are complete. */
struct hazard {
    std::shared_ptr<const job> on;
    bool writes;
    bool over() const;
};

struct job {
    size_t index = 0;
    weft_instr instr = {};
    weft_unit unit = WEFT_UNIT_CONTROL;
    uint32_t layer = 0;
    weft_config config = {};

    /* of a product, the tile that it multiplies by: its number in order of fetches, and its shape */
    uint64_t tile = 0;
    uint32_t tile_k = 0, tile_n = 0;
    weft_format tile_format = WEFT_FORMAT_u8;
    unsigned array = 0; /* on which it runs */

    std::vector<operand> operands;
    std::vector<hazard> hazards;

    /* committed by the scoreboard */
    bool started = false, reads_complete = false, writes_complete = false, unit_free = false;
    uint64_t dispatched = 0, start = 0, end = 0, reads_at = 0, writes_at = 0;
    uint64_t tile_whole = 0, shift_start = 0, shift_end = 0;
    uint64_t stall[6] = {};
    unsigned fifo_slots = 0;

    bool is_product() const { return unit == WEFT_UNIT_MATRIX; }
    bool ready() const; /* every hazard is over */
    bool complete() const { return reads_complete && writes_complete && unit_free; }
};

/* Fills job.operands from instruction, registers, machine and tile, by walking rows and lanes. */
void find_operands(job &j, const weft_machine &machine);

/* Fills job.hazards: what it must wait for of an older one. */
void find_hazards(job &younger, const std::shared_ptr<job> &older);

} // namespace twin

#endif
