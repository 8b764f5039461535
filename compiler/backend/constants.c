/* constants.c: biases, scales, tables and operands that the compiler knows. Each layer's part is brought into the unified buffer ahead of its work: from
 * device memory, where they stand behind the weight tiles, on machines whose programs reach it; from the host elsewhere (`tpu-v1`). */
#include "emit.h"
#include "mapping.h"
#include "spill.h"

#include <stdlib.h>
#include <string.h>

/* Appends bytes to the constants; where they begin among them. */
uint64_t backend_constant(struct backend *b, const void *bytes, uint64_t count, uint64_t align)
{
    uint64_t at = (b->constants_bytes + align - 1) / align * align;
    if (at + count > b->constants_room) {
        uint64_t room = 2 * b->constants_room > at + count ? 2 * b->constants_room : at + count + 4096;
        uint8_t *grown = realloc(b->constants, room);
        if (!grown) {
            b->out_of_memory = true;
            return 0;
        }
        b->constants = grown;
        b->constants_room = room;
    }
    if (at + count == 0)
        return 0; /* nothing, and nowhere to put it */
    memset(b->constants + b->constants_bytes, 0, at - b->constants_bytes);
    memcpy(b->constants + at, bytes, count);
    b->constants_bytes = at + count;
    return at;
}

uint64_t emit_constant_address(const struct backend *b, uint64_t offset)
{
    return b->spill ? spill_constant_address(b, offset) : b->buffers[b->constants_buffer].ub + offset;
}

/* A program without tiles has nothing else in DRAM, and goes without. */
static bool reach_dram(const struct backend *b)
{
    return b->machine->dram_writable && b->tile_count && b->constants_bytes;
}

/* Behind the tiles; `own`: how many of the constants go into the buffer (what lies behind them stays the host's: its tables). */
enum weft_status constants_to_dram(struct backend *b, uint64_t own)
{
    uint64_t from = (own + 63) / 64 * 64, rest = b->constants_bytes > from ? b->constants_bytes - from : 0;
    if (!reach_dram(b) || !own)
        return WEFT_OK;
    uint64_t at = (b->weights_bytes + 63) / 64 * 64;
    if (!b->options->timing_only) {
        if (tiles_grow(b, at + own - b->weights_bytes))
            return WEFT_NO_MEMORY;
        memset(b->weights + b->weights_bytes, 0, at - b->weights_bytes);
        memcpy(b->weights + at, b->constants, own);
    }
    b->weights_bytes = at + own;
    b->constants_in_dram = true;
    b->constants_dram = at;
    memmove(b->constants, b->constants + from, rest);
    b->constants_bytes = rest;
    for (int i = 0; i < b->lookup_count; i++)
        b->lookups[i].offset -= b->lookups[i].offset ? from : 0;
    return WEFT_OK;
}

/* Where a layer's constants are read from. */
uint64_t constants_home(const struct backend *b, uint64_t offset)
{
    return b->constants_in_dram ? b->constants_dram + offset : offset;
}
