/* debug.c: stepping and breakpoints. */
#include "debug.h"

#include <stdarg.h>
#include <stdlib.h>

#include "weft_asm.h"

void debug_wrong(struct debug *debug, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(debug->out, format, arguments);
    va_end(arguments);
    if (!debug->wrong++)
        debug->wrong_line = debug->line;
}

enum weft_status debug_init(struct debug *out, const struct weft_program *program, struct weft_sim *sim, FILE *to, struct weft_diag *diag)
{
    *out = (struct debug){.program = program, .sim = sim, .out = to, .diag = diag};
    out->order.fifo = calloc(program->machine.fifo_tiles, sizeof *out->order.fifo);
    return out->order.fifo ? WEFT_OK : WEFT_NO_MEMORY;
}

void debug_free(struct debug *debug)
{
    free(debug->order.fifo);
}

static bool fetch(const struct debug *debug, size_t index, struct weft_instr *out)
{
    return index < debug->program->instructions && weft_decode(out, debug->program->text + index * WEFT_WORD_BYTES);
}

void debug_list(struct debug *debug, size_t first, size_t count)
{
    size_t position = weft_sim_position(debug->sim);
    for (size_t i = first; i < first + count && i < debug->program->instructions; i++) {
        char text[256] = "?";
        struct weft_instr instr;
        if (fetch(debug, i, &instr))
            weft_asm_format(text, sizeof text, &instr, debug->program);
        fprintf(debug->out, "%s %6zu  %s\n", i == position && !debug->done ? ">" : " ", i, text);
    }
}

/* Breaks that hold before the instruction at `position` is executed. */
static const struct breakpoint *stops_before(const struct debug *debug, size_t position, const struct weft_instr *instr)
{
    for (size_t i = 0; i < debug->break_count; i++) {
        const struct breakpoint *b = &debug->breaks[i];
        if ((b->kind == BREAK_INSTRUCTION && b->at == position) ||
            (b->kind == BREAK_LAYER && instr->op == WEFT_OP_TAG && b->at == instr->layer))
            return b;
    }
    return NULL;
}

static const struct breakpoint *stops_after(const struct debug *debug, const struct weft_effects *effects)
{
    for (size_t i = 0; i < debug->break_count; i++)
        for (unsigned e = 0; e < effects->count; e++) {
            const struct breakpoint *b = &debug->breaks[i];
            const struct weft_effect *effect = &effects->effect[e];
            if (b->kind == BREAK_WRITE && effect->write && effect->space == b->space && b->at >= effect->range.low &&
                b->at < effect->range.high)
                return b;
        }
    return NULL;
}

static const struct breakpoint *step(struct debug *debug, const struct weft_instr *instr)
{
    struct weft_effects effects = {.count = 0};
    struct weft_limits limits = {debug->program->host_bytes, debug->program->dram_bytes, debug->program->layer_count};
    char message[256];
    bool valid = weft_check(&effects, &debug->order, instr, weft_sim_config(debug->sim), &debug->program->machine, &limits, message);
    debug->failed = weft_sim_step(debug->sim, &debug->done, debug->diag) != WEFT_OK;
    return valid && !debug->failed ? stops_after(debug, &effects) : NULL;
}

void debug_run(struct debug *debug, uint64_t steps)
{
    const struct breakpoint *hit = NULL;
    if (debug->done || debug->failed) {
        debug_wrong(debug, "the program has ended\n");
        return;
    }
    for (uint64_t i = 0; i < steps && !hit && !debug->done && !debug->failed; i++) {
        struct weft_instr instr = {0};
        size_t position = weft_sim_position(debug->sim);
        fetch(debug, position, &instr);
        hit = i ? stops_before(debug, position, &instr) : NULL; /* the one we stand on has been seen */
        if (!hit)
            hit = step(debug, &instr);
    }
    if (hit)
        fprintf(debug->out, "break %td\n", hit - debug->breaks);
    if (debug->done)
        fprintf(debug->out, "halted after %zu instructions\n", weft_sim_position(debug->sim));
    else
        debug_list(debug, weft_sim_position(debug->sim), 1);
}
