/* compare.c: two engines on one program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fuzz.h"

/* One engine's run, and what it said. */
struct outcome {
    struct weft_sim *sim;
    enum weft_status status;
    char message[1024];
    uint64_t busy[WEFT_UNITS], last_end[WEFT_UNITS], array_end[64], events; /* from the observer */
    const char *wrong;                                       /* an event that cannot be */
    struct fuzz_time *times;                                 /* by instruction, from the observer; or NULL */
};

static void keep_message(void *user, const char *message)
{
    struct outcome *o = user;
    snprintf(o->message, sizeof o->message, "%s", message);
}

static void keep_event(void *user, const struct weft_event *event)
{
    struct outcome *o = user;
    if (event->unit == WEFT_UNIT_CONTROL) return;
    o->events++;
    o->busy[event->unit] += event->end - event->start;
    if (event->start <= event->dispatched) o->wrong = "an instruction starts before the cycle after its dispatch";
    if (event->end < event->start) o->wrong = "an instruction ends before it starts";
    uint64_t *free = event->unit == WEFT_UNIT_MATRIX ? &o->array_end[event->array] : &o->last_end[event->unit];
    if (event->start < *free) o->wrong = "a unit or an array starts an instruction before it is free";
    *free = event->end;
    if (event->reads_done > event->writes_done && event->writes_done) o->wrong = "writes are complete before reads";
    if (event->end > o->last_end[event->unit]) o->last_end[event->unit] = event->end;
    if (o->times)
        o->times[event->index] = (struct fuzz_time){event->unit, event->dispatched, event->start, event->end, event->reads_done, event->writes_done};
}

void fuzz_write_inputs(struct weft_sim *sim, const struct weft_program *program)
{
    struct fuzz_random random = {1};
    for (size_t i = 0; i < program->input_count; i++)
        for (uint64_t at = 0; at < program->inputs[i].bytes; at++) {
            uint8_t byte = (uint8_t)fuzz_below(&random, 64);
            weft_sim_write(sim, WEFT_SPACE_HOST, program->inputs[i].host + at, &byte, 1);
        }
}

static void run(struct outcome *o, const struct weft_program *program, struct weft_sim_options options, bool stepped, struct fuzz_time *times)
{
    struct weft_diag diag = {keep_message, o};
    *o = (struct outcome){.times = times};
    options.observer = (struct weft_observer){keep_event, o};
    o->status = weft_sim_create(&o->sim, program, &options, &diag);
    if (o->status != WEFT_OK) return;
    fuzz_write_inputs(o->sim, program);
    bool done = false;
    if (!stepped) o->status = weft_sim_run(o->sim, &diag);
    while (stepped && !done && o->status == WEFT_OK) o->status = weft_sim_step(o->sim, &done, &diag);
}

/* --- what must be alike ------------------------------------------------------------------------------------------------------- */

static bool differ(struct fuzz_verdict *v, const char *what, const struct outcome *a, const struct outcome *b)
{
    if (a->status == b->status && !strcmp(a->message, b->message)) return false;
    snprintf(v->why, sizeof v->why, "%s: status %d \"%.400s\" and %d \"%.400s\"", what, (int)a->status, a->message, (int)b->status, b->message);
    return true;
}

static bool memory_differs(struct fuzz_verdict *v, const char *what, const struct outcome *a, const struct outcome *b)
{
    static const char *const names[WEFT_SPACES] = {"UB", "ACC", "HOST", "DRAM"};
    for (unsigned space = 0; space < WEFT_SPACES; space++) {
        uint64_t size, other;
        const uint8_t *left = weft_sim_memory(a->sim, space, &size), *right = weft_sim_memory(b->sim, space, &other);
        for (uint64_t i = 0; i < size && size == other; i++) {
            if (left[i] == right[i]) continue;
            snprintf(v->why, sizeof v->why, "%s: byte %llu of %s is 0x%02x and 0x%02x", what, (unsigned long long)i, names[space], left[i], right[i]);
            return true;
        }
        if (size == other) continue;
        snprintf(v->why, sizeof v->why, "%s: %s has %llu and %llu bytes", what, names[space], (unsigned long long)size, (unsigned long long)other);
        return true;
    }
    return false;
}

static bool needs_clock(const char *name)
{
    return !strcmp(name, "cycles") || !strcmp(name, "array_cycles") || !strncmp(name, "class_", 6) || !strncmp(name, "busy_", 5) || !strcmp(name, "peak_fifo");
}

static uint64_t counter(const struct weft_counters *counters, const struct weft_counter_info *info)
{
    uint64_t value;
    memcpy(&value, (const char *)counters + info->offset, sizeof value);
    return value;
}

static bool counters_differ(struct fuzz_verdict *v, const char *what, const struct weft_counters *a, const struct weft_counters *b, bool clocked)
{
    size_t count;
    const struct weft_counter_info *table = weft_counter_table(&count);
    for (size_t i = 0; i < count; i++) {
        uint64_t left = counter(a, &table[i]), right = counter(b, &table[i]);
        if (left == right || (!clocked && needs_clock(table[i].name))) continue;
        snprintf(v->why, sizeof v->why, "%s: %s is %llu and %llu", what, table[i].name, (unsigned long long)left, (unsigned long long)right);
        return true;
    }
    return false;
}

static bool all_counters_differ(struct fuzz_verdict *v, const char *what, const struct outcome *a, const struct outcome *b, size_t layers, bool clocked)
{
    for (size_t i = 0; i < layers; i++)
        if (counters_differ(v, what, weft_sim_layer_counters(a->sim, i), weft_sim_layer_counters(b->sim, i), clocked)) return true;
    return counters_differ(v, what, weft_sim_counters(a->sim), weft_sim_counters(b->sim), clocked);
}

/* --- what must hold of one run -------------------------------------------------------------------------------------------------- */

static bool classes_miss(struct fuzz_verdict *v, const struct weft_counters *c)
{
    uint64_t sum = c->class_active + c->class_weight_stall + c->class_weight_shift + c->class_input + c->class_raw + c->class_other;
    if (sum == c->cycles && c->busy_matrix == c->class_active) return false;
    snprintf(v->why, sizeof v->why, "%llu cycles, classes sum to %llu; busy_matrix %llu, class_active %llu", (unsigned long long)c->cycles,
             (unsigned long long)sum, (unsigned long long)c->busy_matrix, (unsigned long long)c->class_active);
    return true;
}

static bool layers_miss(struct fuzz_verdict *v, const struct outcome *o, size_t layers)
{
    size_t count;
    const struct weft_counter_info *table = weft_counter_table(&count);
    for (size_t i = 0; i < count; i++) {
        uint64_t whole = counter(weft_sim_counters(o->sim), &table[i]), sum = 0, peak = 0;
        for (size_t j = 0; j < layers; j++) {
            uint64_t part = counter(weft_sim_layer_counters(o->sim, j), &table[i]);
            sum += part;
            peak = part > peak ? part : peak;
        }
        if (whole == (table[i].peak ? peak : sum)) continue;
        snprintf(v->why, sizeof v->why, "%s of the run is %llu and of its layers %llu", table[i].name, (unsigned long long)whole,
                 (unsigned long long)(table[i].peak ? peak : sum));
        return true;
    }
    return false;
}

static bool events_miss(struct fuzz_verdict *v, const struct outcome *o)
{
    const struct weft_counters *c = weft_sim_counters(o->sim);
    const uint64_t busy[WEFT_UNITS] = {0, c->busy_host_in, c->busy_host_out, c->busy_fetch, c->busy_dram, c->array_cycles, c->busy_vector};
    if (o->wrong) {
        snprintf(v->why, sizeof v->why, "events: %s", o->wrong);
        return true;
    }
    for (unsigned unit = WEFT_UNIT_HOST_IN; unit < WEFT_UNITS; unit++) {
        if (busy[unit] == o->busy[unit] && o->last_end[unit] <= c->cycles) continue;
        snprintf(v->why, sizeof v->why, "unit %s is busy %llu cycles by its counter and %llu by its events, the last until %llu of %llu",
                 weft_unit_name(unit), (unsigned long long)busy[unit], (unsigned long long)o->busy[unit], (unsigned long long)o->last_end[unit],
                 (unsigned long long)c->cycles);
        return true;
    }
    return false;
}

static bool sums_miss(struct fuzz_verdict *v, const struct outcome *o, size_t layers)
{
    if (classes_miss(v, weft_sim_counters(o->sim))) return true;
    for (size_t i = 0; i < layers; i++)
        if (classes_miss(v, weft_sim_layer_counters(o->sim, i))) return true;
    return layers_miss(v, o, layers) || events_miss(v, o);
}

/* --- the clock of docs/machine.md, cycle by cycle -------------------------------------------------------------------------------- */

static bool same_times(const struct fuzz_time *a, const struct fuzz_time *b)
{
    return a->dispatched == b->dispatched && a->start == b->start && a->end == b->end && a->reads_done == b->reads_done &&
           a->writes_done == b->writes_done;
}

static bool times_differ(struct fuzz_verdict *v, const struct fuzz_time *want, const struct fuzz_time *got, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (want[i].unit == WEFT_UNIT_CONTROL || same_times(&want[i], &got[i])) continue;
        snprintf(v->why, sizeof v->why,
                 "clock and fast: instruction %zu is dispatched at %lld and %lld, starts at %lld and %lld, ends at %lld and %lld, reads until %lld and "
                 "%lld, writes until %lld and %lld",
                 i, (long long)want[i].dispatched, (long long)got[i].dispatched, (long long)want[i].start, (long long)got[i].start,
                 (long long)want[i].end, (long long)got[i].end, (long long)want[i].reads_done, (long long)got[i].reads_done,
                 (long long)want[i].writes_done, (long long)got[i].writes_done);
        return true;
    }
    return false;
}

static bool clock_counters_differ(struct fuzz_verdict *v, const struct weft_counters *want, const struct outcome *o, size_t layers)
{
    size_t count;
    const struct weft_counter_info *table = weft_counter_table(&count);
    for (size_t i = 0; i < count * layers; i++) {
        const struct weft_counter_info *info = &table[i % count];
        uint64_t left = counter(&want[i / count], info), right = counter(weft_sim_layer_counters(o->sim, i / count), info);
        if (left == right || !needs_clock(info->name)) continue;
        snprintf(v->why, sizeof v->why, "clock and fast: %s of layer %zu is %llu and %llu", info->name, i / count, (unsigned long long)left,
                 (unsigned long long)right);
        return true;
    }
    return false;
}

static enum weft_status compare_clock(struct fuzz_verdict *v, const struct weft_program *program, const struct outcome *o, size_t layers)
{
    struct fuzz_time *times = calloc(program->instructions, sizeof *times);
    struct weft_counters *counters = calloc(layers, sizeof *counters);
    enum weft_status status = times && counters ? fuzz_clock(times, counters, program) : WEFT_NO_MEMORY;
    if (status == WEFT_OK)
        v->agree = !times_differ(v, times, o->times, weft_sim_position(o->sim)) && !clock_counters_differ(v, counters, o, layers);
    free(times);
    free(counters);
    return status;
}

/* --- the comparison ----------------------------------------------------------------------------------------------------------------- */

enum { REFERENCE, FAST, STEPPED, TIMING, RUNS };
enum { CLOCKED_MAX = 4000 }; /* instructions: the plain clock takes the square of them */

static bool all_agree(struct fuzz_verdict *v, const struct outcome o[RUNS], size_t layers)
{
    if (differ(v, "reference and fast", &o[REFERENCE], &o[FAST]) || differ(v, "fast and stepped", &o[FAST], &o[STEPPED]) ||
        differ(v, "fast and timing only", &o[FAST], &o[TIMING]))
        return false;
    v->faulted = o[FAST].status != WEFT_OK;
    if (v->faulted) return true; /* how far the units had come is not defined */
    v->counters = *weft_sim_counters(o[FAST].sim);
    return !memory_differs(v, "reference and fast", &o[REFERENCE], &o[FAST]) && !memory_differs(v, "fast and stepped", &o[FAST], &o[STEPPED]) &&
           !all_counters_differ(v, "reference and fast", &o[REFERENCE], &o[FAST], layers, false) &&
           !all_counters_differ(v, "fast and stepped", &o[FAST], &o[STEPPED], layers, true) &&
           !all_counters_differ(v, "fast and timing only", &o[FAST], &o[TIMING], layers, true) && !sums_miss(v, &o[FAST], layers);
}

enum weft_status fuzz_compare(struct fuzz_verdict *out, const struct weft_program *program)
{
    struct outcome o[RUNS];
    size_t layers = program->layer_count ? program->layer_count : 1;
    *out = (struct fuzz_verdict){0};
    struct fuzz_time *times = calloc(program->instructions, sizeof *times);
    if (!times) return WEFT_NO_MEMORY;
    run(&o[REFERENCE], program, (struct weft_sim_options){.engine = WEFT_ENGINE_REFERENCE}, false, NULL);
    run(&o[FAST], program, (struct weft_sim_options){.engine = WEFT_ENGINE_FAST}, false, times);
    run(&o[STEPPED], program, (struct weft_sim_options){.engine = WEFT_ENGINE_FAST}, true, NULL);
    run(&o[TIMING], program, (struct weft_sim_options){.engine = WEFT_ENGINE_FAST, .timing_only = true}, false, NULL);
    enum weft_status status = WEFT_OK;
    for (unsigned i = 0; i < RUNS; i++)
        if (o[i].status == WEFT_NO_MEMORY) status = WEFT_NO_MEMORY;
    if (status == WEFT_OK) out->agree = all_agree(out, o, layers);
    if (status == WEFT_OK && out->agree && !out->faulted && program->instructions <= CLOCKED_MAX) status = compare_clock(out, program, &o[FAST], layers);
    for (unsigned i = 0; i < RUNS; i++) weft_sim_free(o[i].sim);
    free(times);
    return status;
}
