/* transfer.c: homes of values outside the buffer, and what moves bytes between both. A home holds a padded value from its first element on; what lies
 * before that element is filled in the buffer when the value comes back. */
#include "emit_vector.h"
#include "spill.h"

#include <stdlib.h>

enum { SMALL = 4096, PIECES = 8 /* of a whole value, so that work begins early */, BAND_PIECES = 2 };

/* --- where ---------------------------------------------------------------------------------------------------------------------- */

static bool has_scratch(const struct class *c)
{
    return c->home.kind == HOME_SCRATCH && c->stored_at >= 0;
}

/* Homes of our own share memory as buffers do, by the time from the first byte in to the last byte out. */
void transfer_homes(struct spill *s)
{
    struct buffer *homes = calloc((size_t)s->class_count + 1, sizeof *homes);
    int count = 0;
    if (!homes) {
        s->b->out_of_memory = true;
        return;
    }
    for (int i = 0; i < s->class_count; i++)
        if (has_scratch(&s->classes[i]))
            homes[count++] = (struct buffer){.bytes = s->classes[i].bytes, .first = s->classes[i].stored_at, .last = s->classes[i].loaded_at};
    allocate_buffers(homes, count, UINT64_MAX, 64, &s->scratch_bytes);
    count = 0;
    for (int i = 0; i < s->class_count; i++)
        if (has_scratch(&s->classes[i]))
            s->classes[i].scratch = homes[count++].ub;
    free(homes);
}

/* Behind the weights, or where there is no room, behind what the host holds; its new end. */
uint64_t transfer_scratch(struct backend *b, uint64_t host_bytes)
{
    struct spill *s = b->spill;
    uint64_t behind = (b->weights_bytes + 63) / 64 * 64;
    s->in_dram = b->machine->dram_writable && behind <= b->machine->dram_bytes && s->scratch_bytes <= b->machine->dram_bytes - behind;
    s->scratch_base = s->in_dram ? behind : host_bytes;
    return host_bytes + (s->in_dram ? 0 : s->scratch_bytes);
}

/* Address of the padded value's first byte, as if it were there; address arithmetic is modulo 2^64. */
static uint64_t home_address(const struct spill *s, const struct transfer *t, bool *dram)
{
    const struct class *c = &s->classes[s->class_of[t->value]];
    const struct geometry *g = &s->b->wide[c->value].g;
    struct home home = t->output >= 0 ? (struct home){HOME_OUTPUT, (unsigned)t->output} : c->home;
    uint64_t part = (uint64_t)(s->part * g->n * g->image);
    *dram = home.kind == HOME_SCRATCH && s->in_dram;
    switch (home.kind) {
    case HOME_INPUT:
        return s->input_host[home.index] + part - (uint64_t)g->origin;
    case HOME_OUTPUT:
        return s->output_host[home.index] + part - (uint64_t)g->origin;
    case HOME_SCRATCH:
        break;
    }
    return s->scratch_base + c->scratch;
}

/* --- instructions ------------------------------------------------------------------------------------------------------------------ */

static void move_bytes(struct backend *b, bool in, bool dram, uint64_t outside, uint64_t ub, uint64_t bytes)
{
    struct weft_instr *i = emit(b, in ? dram ? WEFT_OP_READ_DRAM : WEFT_OP_READ_HOST : dram ? WEFT_OP_WRITE_DRAM : WEFT_OP_WRITE_HOST);
    *(dram ? &i->dram : &i->host) = outside;
    i->ub = (uint32_t)ub;
    i->bytes = (uint32_t)bytes;
}

static void move_run(struct backend *b, bool in, bool dram, uint64_t outside, uint64_t ub, uint64_t bytes, uint64_t pieces)
{
    uint64_t piece = (bytes + pieces - 1) / pieces;
    piece = piece < SMALL ? SMALL : (piece + 63) / 64 * 64;
    for (uint64_t at = 0; at < bytes; at += piece)
        move_bytes(b, in, dram, outside + at, ub + at, bytes - at < piece ? bytes - at : piece);
}

/* Bytes of a run that lie before the value's first element. */
static uint64_t missing_of(const struct transfer *t, uint64_t origin, int64_t run)
{
    uint64_t at = t->home + (uint64_t)run * t->home_step, before = at < origin ? origin - at : 0;
    return before < t->bytes ? before : t->bytes;
}

void emit_transfer(struct backend *b, const struct layer *l)
{
    const struct transfer *t = &l->transfer;
    const struct geometry *g = &b->places[l->y].g;
    uint64_t origin = (uint64_t)b->wide[t->value].g.origin, ub = place_origin(b, l->y) - (uint64_t)g->origin;
    bool dram, in = l->kind == LAYER_LOAD;
    uint64_t outside = home_address(b->spill, t, &dram);
    uint64_t before = 0;
    for (int64_t r = 0; r < t->runs; r++)
        before += missing_of(t, origin, r);
    if (before && in) { /* runs of a band that is brought lie side by side */
        struct weft_pattern one = pattern_blank(0);
        vector_fill(b, ub, &one, 1, before, g->format, g->fill);
    }
    for (int64_t r = 0; r < t->runs; r++) {
        uint64_t skip = missing_of(t, origin, r), at = (uint64_t)r;
        move_run(b, in, dram, outside + t->home + at * t->home_step + skip, ub + at * t->step + skip, t->bytes - skip,
                 t->runs > 1 ? 1 : t->bytes == b->wide[t->value].g.bytes ? PIECES : BAND_PIECES);
    }
}

/* What the transfers of a sequence take, one behind the other. */
uint64_t spill_transfer_cycles(const struct backend *b)
{
    const struct weft_machine *m = b->machine;
    double seconds = 0;
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *l = &b->layers[i];
        bool scratch = l->kind >= LAYER_LOAD && l->transfer.output < 0 && b->spill->classes[b->spill->class_of[l->transfer.value]].home.kind == HOME_SCRATCH;
        uint64_t rate = scratch && b->spill->in_dram ? m->dram_bytes_per_second : l->kind == LAYER_STORE ? m->link_out_bytes_per_second : m->link_in_bytes_per_second;
        if (l->kind >= LAYER_LOAD)
            seconds += (double)((uint64_t)l->transfer.runs * l->transfer.bytes) / (double)rate;
    }
    return (uint64_t)(seconds * (double)m->clock_hz);
}

void emit_layer_constants(struct backend *b, const struct layer *l)
{
    uint64_t there = l->block_buffer ? b->buffers[l->block_buffer - 1].ub + l->block_at : emit_constant_address(b, l->constants_first);
    move_bytes(b, true, b->constants_in_dram, constants_home(b, l->constants_first), there, l->constants_end - l->constants_first);
}
