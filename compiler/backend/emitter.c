/* emitter.c: the instructions of the program being made. Registers are written only when they change. */

#include "emit.h"

#include <stdlib.h>
#include <string.h>

struct weft_instr *emit(struct backend *b, enum weft_opcode op)
{
    if (!backend_grow(b, &b->instr, b->instr_count, &b->instr_room, sizeof *b->instr) ||
        !backend_grow(b, &b->instr_layer, b->instr_count, &b->instr_layer_room, sizeof *b->instr_layer))
        return &b->scratch; /* the program is lost; the caller still writes somewhere */
    b->instr_layer[b->instr_count] = b->current;
    struct weft_instr *instr = &b->instr[b->instr_count++];
    weft_instr_init(instr, op);
    return instr;
}

/* The last value written to each register, two halves each, by register number. */
void emit_set(struct backend *b, uint32_t reg, uint32_t value0, uint32_t value1)
{
    struct written *w = &b->written[reg];
    if (w->known && w->value0 == value0 && w->value1 == value1)
        return;
    *w = (struct written){true, value0, value1};
    struct weft_instr *i = emit(b, WEFT_OP_SET);
    i->reg = reg;
    i->value0 = value0;
    i->value1 = value1;
}

void emit_set_float(struct backend *b, uint32_t reg, float value0, int32_t value1)
{
    uint32_t bits;
    memcpy(&bits, &value0, sizeof bits);
    emit_set(b, reg, bits, (uint32_t)value1);
}

void emit_pattern(struct backend *b, unsigned p, const struct weft_pattern *pattern)
{
    const uint32_t none = 0;
#define WEFT_PATTERN_REG(offset, name, first, second, KIND0, KIND1, reset0, reset1, meaning) \
    emit_set(b, p * 8 + offset, pattern->first, HALF_##KIND1(second));
#define HALF_NONE(second) none
#define HALF_UINT(second) pattern->second
#include "registers.def"
#undef HALF_NONE
#undef HALF_UINT
}

/* One row loop, contiguous lanes: a start for the patterns of a layer. */
struct weft_pattern pattern_blank(uint64_t base)
{
    return (struct weft_pattern){.base = (uint32_t)base, .count0 = UINT32_MAX, .count1 = 1, .count2 = 1, .run_length = UINT32_MAX, .block_runs = UINT32_MAX};
}

/* Notes that the instruction just emitted takes this tile; finish.c fetches it ahead. */
void emit_take(struct backend *b, int tile)
{
    if (!backend_grow(b, &b->takes, b->take_count, &b->take_room, sizeof *b->takes))
        return;
    b->takes[b->take_count++] = (struct take){tile, b->current};
}

uint64_t emit_claim_rows(struct backend *b, int64_t rows)
{
    if (b->acc_next + (uint64_t)rows > b->machine->acc_rows)
        b->acc_next = 0;
    uint64_t at = b->acc_next;
    b->acc_next += (uint64_t)rows;
    return at;
}
