/* trace.c: events of a run as slices and counters of a timeline. */
#include "weft_trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fifo.h"
#include "gzip.h"

/* Slices of stalls stand on a track of their own, behind the units; where there are several arrays, the products of each on its own. */
enum { PROCESS = 1, WAITS_TRACK = WEFT_UNITS, FIRST_ARRAY_TRACK };
enum class { CLASS_ACTIVE, CLASS_WEIGHT_STALL, CLASS_WEIGHT_SHIFT, CLASS_INPUT, CLASS_RAW, CLASS_OTHER, CLASSES };
static const char *const class_names[CLASSES] = {"active", "weight_stall", "weight_shift", "input", "raw", "other"};

struct weft_trace {
    const struct weft_program *program;
    struct gzip gzip;
    struct fifo fifo;
    uint64_t from, to;
    enum class class; /* that the counter shows */
    bool class_shown;
    uint64_t array_free; /* end of all products so far */
    uint64_t slot_back;  /* slots are given back in order */
};

/* Operands that assembly would have to write; those at their default are left out. */
static void print_operands(char *out, size_t size, const struct weft_instr *instr, const struct weft_instr_info *info)
{
    size_t used = 0;
    out[0] = 0;
    for (size_t i = 0; i < info->field_count && used < size; i++) {
        uint64_t value = weft_field_get(instr, &info->fields[i]);
        if (value != info->fields[i].dflt)
            used += (size_t)(snprintf(out + used, size - used, " ") + weft_field_text(out + used + 1, size - used - 1, &info->fields[i], value));
    }
}

/* Names come from files: what is not UTF-8 is replaced. */
static json_t *text(const char *value)
{
    json_t *string = json_string(value);
    char *copy = string ? NULL : strdup(value);
    for (char *c = copy; c && *c; c++)
        if (*c & 0x80)
            *c = '?';
    if (copy)
        string = json_string(copy);
    free(copy);
    return string;
}

static const char *layer_name(const struct weft_trace *t, uint32_t layer)
{
    return layer < t->program->layer_count && t->program->layers[layer].name ? t->program->layers[layer].name : "";
}

static bool visible(const struct weft_trace *t, uint64_t start, uint64_t end)
{
    return start < t->to && (end > t->from || start >= t->from);
}

static void slice(struct weft_trace *t, int track, const char *name, uint64_t start, uint64_t end, json_t *arguments)
{
    gzip_event(&t->gzip,
               json_pack("{ss so ss si si sI sI so}", "ph", "X", "name", text(name), "cat", track == WAITS_TRACK ? "stall" : "instruction",
                         "pid", PROCESS, "tid", track, "ts", (json_int_t)start, "dur", (json_int_t)(end - start), "args", arguments));
}

static void instruction_slice(struct weft_trace *t, const struct weft_event *e)
{
    const struct weft_instr_info *info = weft_instr_info(e->instr->op);
    char operands[512];
    uint64_t complete = e->writes_done > e->reads_done ? e->writes_done : e->reads_done;
    uint64_t end = e->end > e->start ? e->end : e->start;
    if (!visible(t, e->start, end))
        return;
    print_operands(operands, sizeof operands, e->instr, info);
    json_t *arguments =
        json_pack("{so ss sI sI sI}", "layer", text(layer_name(t, e->layer)), "operands", operands[0] ? operands + 1 : "", "instruction",
                  (json_int_t)e->index, "dispatched", (json_int_t)e->dispatched, "complete", (json_int_t)complete);
    if (e->tile_whole || e->shift_end)
        json_object_update_new(arguments, json_pack("{sI sI sI}", "tile whole", (json_int_t)e->tile_whole, "shift start",
                                                    (json_int_t)e->shift_start, "shift end", (json_int_t)e->shift_end));
    bool numbered = e->unit == WEFT_UNIT_MATRIX && t->program->machine.arrays > 1;
    slice(t, numbered ? FIRST_ARRAY_TRACK + (int)e->array : (int)e->unit, info->mnemonic, e->start, end, arguments);
}

/* The counter `class` is 1 for the class that holds and 0 for the others; only changes are written. */
static void show_class(struct weft_trace *t, enum class class, uint64_t cycle)
{
    if (cycle >= t->to || (t->class_shown && class == t->class))
        return;
    if (cycle < t->from) {
        t->class = class;
        return;
    }
    json_t *values = json_object();
    for (int c = 0; c < CLASSES; c++)
        if (c == (int)class || !t->class_shown || c == (int)t->class)
            json_object_set_new(values, class_names[c], json_integer(c == (int)class));
    gzip_event(&t->gzip,
               json_pack("{ss ss si sI so}", "ph", "C", "name", "class", "pid", PROCESS, "ts", (json_int_t)cycle, "args", values));
    t->class = class;
    t->class_shown = true;
}

static uint64_t wait_for(struct weft_trace *t, const struct weft_event *e, enum class class, uint64_t cycle, uint64_t cycles)
{
    if (!cycles)
        return cycle;
    show_class(t, class, cycle);
    if (visible(t, cycle, cycle + cycles))
        slice(t, WAITS_TRACK, class_names[class], cycle, cycle + cycles,
              json_pack("{sI so}", "product", (json_int_t)e->index, "layer", text(layer_name(t, e->layer))));
    return cycle + cycles;
}

/* The classes of docs/machine.md hold in this order of time between two products: first `other` while the next one is not yet dispatched,
 * then what it waits for, then `other` again. */
static void product_waits(struct weft_trace *t, const struct weft_event *e)
{
    uint64_t cycles = e->stall[0] + e->stall[1] + e->stall[2] + e->stall[3] + e->stall[4], cycle = e->start - cycles, other = e->stall[4];
    uint64_t early = e->dispatched + 1 > cycle ? e->dispatched + 1 - cycle : 0;
    early = early < other ? early : other;
    cycle = wait_for(t, e, CLASS_OTHER, cycle, early);
    cycle = wait_for(t, e, CLASS_WEIGHT_STALL, cycle, e->stall[0]);
    cycle = wait_for(t, e, CLASS_WEIGHT_SHIFT, cycle, e->stall[1]);
    cycle = wait_for(t, e, CLASS_INPUT, cycle, e->stall[2]);
    cycle = wait_for(t, e, CLASS_RAW, cycle, e->stall[3]);
    wait_for(t, e, CLASS_OTHER, cycle, other - early);
    show_class(t, CLASS_ACTIVE, e->start);
}

static void fifo_step(void *user, uint64_t cycle, uint64_t depth)
{
    struct weft_trace *t = user;
    if (visible(t, cycle, cycle))
        gzip_event(&t->gzip, json_pack("{ss ss si sI s{sI}}", "ph", "C", "name", "weight FIFO", "pid", PROCESS, "ts", (json_int_t)cycle,
                                       "args", "tiles", (json_int_t)depth));
}

static void observe(void *user, const struct weft_event *e)
{
    struct weft_trace *t = user;
    bool kept = true;
    instruction_slice(t, e);
    if (e->unit == WEFT_UNIT_FETCH)
        kept = fifo_take(&t->fifo, e->start);
    if (e->unit == WEFT_UNIT_MATRIX) {
        product_waits(t, e);
        t->slot_back = e->shift_end > t->slot_back ? e->shift_end : t->slot_back;
        if (e->instr->next)
            kept = fifo_give(&t->fifo, t->slot_back);
        t->array_free = e->end > t->array_free ? e->end : t->array_free;
    }
    t->gzip.failed = t->gzip.failed || !kept;
}

static void name_track(struct weft_trace *t, int track, const char *name)
{
    gzip_event(&t->gzip,
               json_pack("{ss ss si si s{ss}}", "ph", "M", "name", "thread_name", "pid", PROCESS, "tid", track, "args", "name", name));
    gzip_event(&t->gzip, json_pack("{ss ss si si s{si}}", "ph", "M", "name", "thread_sort_index", "pid", PROCESS, "tid", track, "args",
                                   "sort_index", track));
}

static void name_tracks(struct weft_trace *t)
{
    json_t *name = json_object();
    json_object_set_new(name, "name", text(t->program->machine.name));
    gzip_event(&t->gzip, json_pack("{ss ss si so}", "ph", "M", "name", "process_name", "pid", PROCESS, "args", name));
    for (int unit = 0; unit < WEFT_UNITS; unit++)
        name_track(t, unit, weft_unit_name((enum weft_unit)unit));
    name_track(t, WAITS_TRACK, "array waits");
    for (uint64_t i = 0; t->program->machine.arrays > 1 && i < t->program->machine.arrays; i++) {
        char array[32];
        snprintf(array, sizeof array, "array %" PRIu64, i);
        name_track(t, FIRST_ARRAY_TRACK + (int)i, array);
    }
}

enum weft_status weft_trace_create(struct weft_trace **out, const struct weft_program *program, const struct weft_trace_options *options,
                                   struct weft_diag *diag)
{
    struct weft_trace *t = calloc(1, sizeof *t);
    if (!t)
        return WEFT_NO_MEMORY;
    t->program = program;
    t->from = options->from_cycle;
    t->to = options->to_cycle;
    t->fifo.step = fifo_step;
    t->fifo.user = t;
    enum weft_status status = gzip_open(&t->gzip, options->path, diag);
    if (status) {
        weft_trace_free(t);
        return status;
    }
    name_tracks(t);
    *out = t;
    return WEFT_OK;
}

struct weft_observer weft_trace_observer(struct weft_trace *trace)
{
    return (struct weft_observer){.event = observe, .user = trace};
}

enum weft_status weft_trace_finish(struct weft_trace *trace, struct weft_diag *diag)
{
    show_class(trace, CLASS_OTHER, trace->array_free); /* no product behind the last one */
    fifo_flush(&trace->fifo);
    return gzip_finish(&trace->gzip, diag);
}

void weft_trace_free(struct weft_trace *trace)
{
    if (!trace)
        return;
    fifo_free(&trace->fifo);
    gzip_close(&trace->gzip);
    free(trace);
}
