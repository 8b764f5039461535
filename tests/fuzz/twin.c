/* twin.c: the fast engine and the clocked twin on one program: every byte, every counter, every time of every instruction. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

/* One engine's run. */
struct view {
    const char *engine;
    struct weft_sim *sim;
    enum weft_status status;
    char message[1024];
    struct weft_event *events; /* by instruction */
    bool *told;
};

static void keep_message(void *user, const char *message)
{
    struct view *v = user;
    snprintf(v->message, sizeof v->message, "%s", message);
}

static void keep_event(void *user, const struct weft_event *event)
{
    struct view *v = user;
    v->events[event->index] = *event;
    v->told[event->index] = true;
}

static enum weft_status look(struct view *v, const char *name, enum weft_engine engine, bool timing, const struct weft_program *program)
{
    struct weft_diag diag = {keep_message, v};
    *v = (struct view){.engine = name};
    v->events = calloc(program->instructions + 1, sizeof *v->events);
    v->told = calloc(program->instructions + 1, sizeof *v->told);
    if (!v->events || !v->told) return WEFT_NO_MEMORY;
    struct weft_sim_options options = {.engine = engine, .timing_only = timing, .observer = {keep_event, v}};
    v->status = weft_sim_create(&v->sim, program, &options, &diag);
    if (v->status != WEFT_OK) return v->status == WEFT_NO_MEMORY ? WEFT_NO_MEMORY : WEFT_OK;
    if (!timing) fuzz_write_inputs(v->sim, program);
    v->status = weft_sim_run(v->sim, &diag);
    return v->status == WEFT_NO_MEMORY ? WEFT_NO_MEMORY : WEFT_OK;
}

static void look_away(struct view *v)
{
    weft_sim_free(v->sim);
    free(v->events);
    free(v->told);
}

/* --- the first instruction that departs --------------------------------------------------------------------------------------- */

struct column {
    const char *name;
    size_t offset;
};
#define COLUMN(title, member) {title, offsetof(struct weft_event, member)}
static const struct column columns[] = {
    COLUMN("dispatched", dispatched), COLUMN("starts", start), COLUMN("unit free", end), COLUMN("read", reads_done), COLUMN("written", writes_done),
    COLUMN("tile whole", tile_whole), COLUMN("shift from", shift_start), COLUMN("shift to", shift_end), COLUMN("weight_stall", stall[0]),
    COLUMN("weight_shift", stall[1]), COLUMN("input", stall[2]), COLUMN("raw", stall[3]), COLUMN("other", stall[4])};
enum { COLUMNS = sizeof columns / sizeof *columns };

static uint64_t cell(const struct weft_event *event, size_t column)
{
    uint64_t value;
    memcpy(&value, (const char *)event + columns[column].offset, sizeof value);
    return value;
}

/* Fetches: the tile is whole with or after the last byte, which `written` tells; the rest of the columns is the products'. */
static bool events_differ(const struct weft_event *a, const struct weft_event *b)
{
    for (size_t c = 0; c < COLUMNS; c++)
        if (cell(a, c) != cell(b, c)) return true;
    return a->unit != b->unit || a->array != b->array || a->layer != b->layer || a->fifo_slots != b->fifo_slots;
}

static void put_views(FILE *out, const struct view *a, const struct view *b, size_t index)
{
    fprintf(out, "  %-14s %12s %12s\n", "", a->engine, b->engine);
    for (size_t c = 0; c < COLUMNS; c++) {
        uint64_t left = cell(&a->events[index], c), right = cell(&b->events[index], c);
        fprintf(out, "  %-14s %12" PRIu64 " %12" PRIu64 "%s\n", columns[c].name, left, right, left == right ? "" : "   <");
    }
    fprintf(out, "  %-14s %12u %12u%s\n", "fifo slots", a->events[index].fifo_slots, b->events[index].fifo_slots,
            a->events[index].fifo_slots == b->events[index].fifo_slots ? "" : "   <");
}

static bool times_differ(FILE *out, const struct view *a, const struct view *b, const struct weft_program *program)
{
    for (size_t i = 0; i < program->instructions; i++) {
        if (a->told[i] == b->told[i] && (!a->told[i] || !events_differ(&a->events[i], &b->events[i]))) continue;
        struct weft_instr instr;
        const char *name = weft_decode(&instr, program->text + i * WEFT_WORD_BYTES) ? weft_instr_info(instr.op)->mnemonic : "(no instruction)";
        fprintf(out, "instruction %zu (%s) is the first to depart\n", i, name);
        put_views(out, a, b, i);
        return true;
    }
    return false;
}

/* --- all that must be equal ------------------------------------------------------------------------------------------------------ */

static bool ends_differ(FILE *out, const struct view *a, const struct view *b)
{
    if (a->status == b->status && !strcmp(a->message, b->message)) return false;
    fprintf(out, "%s says %d \"%.300s\", %s says %d \"%.300s\"", a->engine, (int)a->status, a->message, b->engine, (int)b->status, b->message);
    return true;
}

static bool memories_differ(FILE *out, const struct view *a, const struct view *b)
{
    static const char *const names[WEFT_SPACES] = {"UB", "ACC", "HOST", "DRAM"};
    for (unsigned space = 0; space < WEFT_SPACES; space++) {
        uint64_t size, other, at = 0;
        const uint8_t *left = weft_sim_memory(a->sim, space, &size), *right = weft_sim_memory(b->sim, space, &other);
        if (!left || !right || (size == other && !memcmp(left, right, size))) continue;
        while (left[at] == right[at]) at++;
        fprintf(out, "byte %" PRIu64 " of %s is 0x%02x in %s and 0x%02x in %s", at, names[space], left[at], a->engine, right[at], b->engine);
        return true;
    }
    return false;
}

static bool counters_differ(FILE *out, const struct view *a, const struct view *b, size_t layers)
{
    size_t count;
    const struct weft_counter_info *table = weft_counter_table(&count);
    for (size_t i = 0; i < count * (layers + 1); i++) {
        size_t layer = i / count;
        const struct weft_counters *of_a = layer < layers ? weft_sim_layer_counters(a->sim, layer) : weft_sim_counters(a->sim);
        const struct weft_counters *of_b = layer < layers ? weft_sim_layer_counters(b->sim, layer) : weft_sim_counters(b->sim);
        uint64_t left, right;
        memcpy(&left, (const char *)of_a + table[i % count].offset, sizeof left);
        memcpy(&right, (const char *)of_b + table[i % count].offset, sizeof right);
        if (left == right) continue;
        fprintf(out, "%s of layer %zu is %" PRIu64 " in %s and %" PRIu64 " in %s", table[i % count].name, layer, left, a->engine, right, b->engine);
        return true;
    }
    return false;
}

static bool differ(FILE *out, const struct view *a, const struct view *b, const struct weft_program *program)
{
    size_t layers = program->layer_count ? program->layer_count : 1;
    if (ends_differ(out, a, b)) return true;
    if (a->status != WEFT_OK) return false; /* how far the units had come is not defined */
    return times_differ(out, a, b, program) || counters_differ(out, a, b, layers) || memories_differ(out, a, b);
}

enum weft_status fuzz_compare_twin(struct fuzz_verdict *out, const struct weft_program *program)
{
    struct view fast = {0}, twin = {0};
    bool timing = program->instructions > 0 && !program->weights && program->dram_bytes > 0; /* compiled without values */
    *out = (struct fuzz_verdict){0};
    enum weft_status status = look(&fast, "fast", WEFT_ENGINE_FAST, timing, program);
    if (status == WEFT_OK) status = look(&twin, "systemc", WEFT_ENGINE_SYSTEMC, timing, program);
    FILE *why = status == WEFT_OK ? fmemopen(out->why, sizeof out->why, "w") : NULL;
    if (status == WEFT_OK && !why) status = WEFT_NO_MEMORY;
    if (status == WEFT_OK) {
        out->agree = !differ(why, &fast, &twin, program);
        out->faulted = fast.status != WEFT_OK;
        if (!out->faulted) out->counters = *weft_sim_counters(fast.sim);
    }
    if (why) fclose(why);
    look_away(&fast);
    look_away(&twin);
    return status;
}
