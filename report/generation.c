/* generation.c: the report of a language model that writes: the time to the first token, the time of each further one, and what bounds both. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "report.h"

static double seconds_of(const struct weft_generation *g, uint64_t cycles)
{
    return (double)cycles / (double)g->machine->clock_hz;
}

static uint64_t steps_cycles(const struct weft_generation *g)
{
    uint64_t cycles = 0;
    for (size_t i = 0; i < g->step_count; i++)
        cycles += g->steps[i].run.cycles;
    return cycles;
}

static uint64_t class_cycles(const struct weft_counters *c, size_t class)
{
    const uint64_t cycles[WEFT_CLASSES] = {[WEFT_CLASS_ACTIVE] = c->class_active, [WEFT_CLASS_WEIGHT_STALL] = c->class_weight_stall,
                                           [WEFT_CLASS_WEIGHT_SHIFT] = c->class_weight_shift, [WEFT_CLASS_RAW] = c->class_raw,
                                           [WEFT_CLASS_INPUT] = c->class_input, [WEFT_CLASS_OTHER] = c->class_other};
    return cycles[class];
}

/* The class with most cycles; its name in words. */
static const char *bounded_by(const struct weft_phase *phase, double *share)
{
    size_t most = 0;
    for (size_t c = 1; c < WEFT_CLASSES; c++)
        if (class_cycles(&phase->run, c) > class_cycles(&phase->run, most))
            most = c;
    *share = phase->run.cycles ? (double)class_cycles(&phase->run, most) / (double)phase->run.cycles : 0;
    return report_waits((enum weft_class)most, &phase->run);
}

static void print_phase(FILE *out, const struct weft_generation *g, const char *name, const struct weft_phase *phase)
{
    char cycles[REPORT_NUMBER], dram[REPORT_NUMBER];
    double share;
    const char *bound = bounded_by(phase, &share);
    fprintf(out, "  %-18s%14s%12.3f ms%16s%10.2f   %s (%.0f%%)\n", name, report_grouped(cycles, phase->run.cycles), 1e3 * seconds_of(g, phase->run.cycles),
            report_grouped(dram, phase->run.bytes_dram_read + phase->run.bytes_weights),
            phase->roofline_cycles ? (double)phase->run.cycles / (double)phase->roofline_cycles : 0, bound, 100 * share);
}

void weft_report_generation_text(FILE *out, const struct weft_generation *g)
{
    double first = seconds_of(g, g->prefill.run.cycles), each = g->step_count ? seconds_of(g, steps_cycles(g)) / (double)g->step_count : 0;
    fprintf(out, "%s on %s, %s, batch %" PRIu64 ": a prompt of %" PRIu64 " tokens, then %zu more\ninputs: %s\n\n", g->name, g->machine->name, g->format,
            g->batch, g->prompt, g->step_count, g->inputs ? g->inputs : "none, timing only");
    fprintf(out, "  time to first token     %12.3f ms\n", 1e3 * first);
    fprintf(out, "  time per output token   %12.3f ms    mean of %zu\n", 1e3 * each, g->step_count);
    fprintf(out, "  tokens per second       %12.1f       while writing, %" PRIu64 " side by side\n", each > 0 ? (double)g->batch / each : 0, g->batch);
    fprintf(out, "  keys and values         %12.3f MB    in device memory, room for %" PRIu64 " tokens\n\n", (double)g->state_bytes / 1e6, g->capacity);
    fprintf(out, "  phase                     cycles          time   bytes from DRAM /roofline   most cycles go to\n");
    print_phase(out, g, "prefill", &g->prefill);
    if (g->step_count)
        print_phase(out, g, "first step", &g->steps[0]);
    if (g->step_count > 1)
        print_phase(out, g, "last step", &g->steps[g->step_count - 1]);
    if (g->tokens)
        fputc('\n', out);
    for (uint64_t s = 0; g->tokens && s < g->batch; s++) {
        if (g->batch == 1)
            fprintf(out, "  tokens written:");
        else
            fprintf(out, "  tokens written, sequence %" PRIu64 ":", s);
        for (size_t i = 0; i <= g->step_count; i++)
            fprintf(out, " %" PRId64, g->tokens[i * g->batch + s]);
        fputc('\n', out);
    }
}

static json_t *phase_object(const struct weft_generation *g, const struct weft_phase *phase)
{
    double share;
    const char *bound = bounded_by(phase, &share);
    json_t *classes = json_object();
    for (size_t c = 0; c < WEFT_CLASSES; c++)
        json_object_set_new(classes, report_classes[c].key, json_integer((json_int_t)class_cycles(&phase->run, c)));
    return json_pack("{sI sf sI sI so ss}", "cycles", (json_int_t)phase->run.cycles, "seconds", seconds_of(g, phase->run.cycles), "roofline_cycles",
                     (json_int_t)phase->roofline_cycles, "mapping_cycles", (json_int_t)phase->mapping_cycles, "classes", classes, "bounded_by", bound);
}

static json_t *tokens_of(const struct weft_generation *g, uint64_t sequence)
{
    json_t *tokens = json_array();
    for (size_t i = 0; i <= g->step_count; i++)
        json_array_append_new(tokens, json_integer(g->tokens[i * g->batch + sequence]));
    return tokens;
}

/* A list; of several sequences a list of lists. */
static json_t *all_tokens(const struct weft_generation *g)
{
    if (!g->tokens)
        return json_null();
    if (g->batch == 1)
        return tokens_of(g, 0);
    json_t *all = json_array();
    for (uint64_t s = 0; s < g->batch; s++)
        json_array_append_new(all, tokens_of(g, s));
    return all;
}

enum weft_status weft_report_generation_json(char **out, const struct weft_generation *g)
{
    double each = g->step_count ? seconds_of(g, steps_cycles(g)) / (double)g->step_count : 0;
    json_t *steps = json_array();
    for (size_t i = 0; i < g->step_count; i++)
        json_array_append_new(steps, phase_object(g, &g->steps[i]));
    json_t *object = json_pack("{ss ss ss sI sI sI sf sf sf so so so}", "name", g->name, "machine", g->machine->name, "format", g->format, "batch",
                               (json_int_t)g->batch, "prompt", (json_int_t)g->prompt, "state_bytes", (json_int_t)g->state_bytes, "time_to_first_token",
                               seconds_of(g, g->prefill.run.cycles), "time_per_output_token", each, "tokens_per_second", each > 0 ? (double)g->batch / each : 0,
                               "prefill", phase_object(g, &g->prefill), "steps", steps, "tokens", all_tokens(g));
    *out = object ? json_dumps(object, JSON_INDENT(2)) : NULL;
    json_decref(object);
    return *out ? WEFT_OK : WEFT_NO_MEMORY;
}
