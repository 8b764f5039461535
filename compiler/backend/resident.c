/* resident.c: state that stays in device memory from one program to the next: the keys and values of a language model. An input that is
 * resident is read from DRAM, an output written to it, and only what the input does not hold already. Both lie at one place, which is as long
 * as the state will ever be: along `axis` there is room for `capacity` elements, of which a program's shape says how many are there. */
#include "emit.h"

#include <stdlib.h>
#include <string.h>

static const struct weft_resident *named(const struct backend *b, int value, bool output)
{
    const struct weft_compile_options *o = b->options;
    const char *name = b->graph->values[value].name;
    for (size_t i = 0; o && i < o->resident_count; i++)
        if (!strcmp(output ? o->residents[i].output : o->residents[i].input, name))
            return &o->residents[i];
    return NULL;
}

static bool among(const int *values, unsigned count, int value)
{
    for (unsigned i = 0; i < count; i++)
        if (values[i] == value)
            return true;
    return false;
}

const struct weft_resident *resident_input(const struct backend *b, int value)
{
    return among(b->graph->inputs, b->graph->input_count, value) ? named(b, value, false) : NULL;
}

const struct weft_resident *resident_output(const struct backend *b, int value)
{
    return among(b->graph->outputs, b->graph->output_count, value) ? named(b, value, true) : NULL;
}

/* How the state lies in DRAM: `outer` runs of `capacity` elements of `inner` bytes. */
struct runs { uint64_t outer, inner, there /* elements of the axis in this value */; };

static struct runs runs_of(const struct backend *b, const struct weft_resident *r, int value)
{
    const struct shape *s = &b->graph->values[value].shape;
    struct runs runs = {1, weft_format_bytes(b->places[value].g.format), (uint64_t)s->dims[r->axis]};
    for (unsigned d = 0; d < s->rank; d++)
        if (d != r->axis)
            *(d < r->axis ? &runs.outer : &runs.inner) *= (uint64_t)s->dims[d];
    return runs;
}

static uint64_t size_of(const struct backend *b, const struct weft_resident *r, int value)
{
    struct runs runs = runs_of(b, r, value);
    return (runs.outer * r->capacity * runs.inner + 63) / 64 * 64;
}

/* The value of this graph that has the state's shape. */
static int value_of(const struct backend *b, const struct weft_resident *r)
{
    for (unsigned i = 0; i < b->graph->output_count; i++)
        if (!strcmp(b->graph->values[b->graph->outputs[i]].name, r->output))
            return b->graph->outputs[i];
    return GRAPH_NONE;
}

uint64_t resident_bytes(const struct backend *b)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < b->options->resident_count; i++)
        bytes += size_of(b, &b->options->residents[i], value_of(b, &b->options->residents[i]));
    return bytes;
}

uint64_t resident_address(const struct backend *b, const struct weft_resident *r)
{
    uint64_t at = b->options->resident_base;
    for (const struct weft_resident *before = b->options->residents; before < r; before++)
        at += size_of(b, before, value_of(b, before));
    return at;
}

static enum weft_status check_one(const struct backend *b, const struct weft_resident *r)
{
    int output = value_of(b, r), input = GRAPH_NONE;
    for (unsigned i = 0; i < b->graph->input_count; i++)
        if (!strcmp(b->graph->values[b->graph->inputs[i]].name, r->input))
            input = b->graph->inputs[i];
    if (output == GRAPH_NONE || b->graph->values[output].shape.rank <= r->axis)
        return weft_error(b->diag, "%s: there is no output '%s' of more than %u dimensions to keep in device memory", b->graph->name, r->output, r->axis);
    uint64_t there = (uint64_t)b->graph->values[output].shape.dims[r->axis];
    if (there > r->capacity)
        return weft_error(b->diag, "%s: output '%s' has %llu elements along dimension %u; room was asked for %llu", b->graph->name, r->output,
                          (unsigned long long)there, r->axis, (unsigned long long)r->capacity);
    if (b->places[output].g.spatial || (input != GRAPH_NONE && b->places[input].g.spatial))
        return weft_error(b->diag, "%s: '%s' is kept channels last for another reader, and device memory holds it in C order", b->graph->name, r->output);
    return WEFT_OK;
}

/* Before the program is emitted: the machine has such memory, the names are there, and all of it fits. */
enum weft_status backend_residents(const struct backend *b)
{
    enum weft_status status = WEFT_OK;
    if (!b->options->resident_count)
        return WEFT_OK;
    if (!b->machine->dram_writable)
        return weft_error(b->diag, "%s: keeping state in device memory needs a machine whose programs may write it; %s has dram.writable: false", b->graph->name,
                          b->machine->name);
    if (!b->planes)
        return weft_error(b->diag, "%s: state between programs needs --format bf16, bf16x3 or fp32; scales of integers differ from program to program",
                          b->graph->name);
    if (b->repeats > 1)
        return weft_error(b->diag, "%s: state in device memory and a batch that runs in parts do not go together; use a smaller --batch", b->graph->name);
    for (size_t i = 0; i < b->options->resident_count && !status; i++)
        status = check_one(b, &b->options->residents[i]);
    if (!status && b->options->resident_base < b->weights_bytes)
        return weft_error(b->diag, "%s: the state's place in device memory, %llu, lies within the weights, which end at %llu", b->graph->name,
                          (unsigned long long)b->options->resident_base, (unsigned long long)b->weights_bytes);
    if (!status && b->options->resident_base + resident_bytes(b) > b->machine->dram_bytes)
        return weft_error(b->diag, "%s: weights and state need %llu bytes of device memory; machine %s has %llu", b->graph->name,
                          (unsigned long long)(b->options->resident_base + resident_bytes(b)), b->machine->name, (unsigned long long)b->machine->dram_bytes);
    return status;
}

void resident_reads(struct backend *b, const struct weft_resident *r, int value)
{
    struct runs runs = runs_of(b, r, value);
    uint64_t dram = resident_address(b, r), bytes = runs.there * runs.inner, ub = place_origin(b, value);
    for (uint64_t i = 0; i < runs.outer; i++)
        reads_add(b, &(struct host_read){.dram = true, .host = dram + i * r->capacity * runs.inner, .ub = ub + i * bytes, .bytes = bytes, .layer = -1, .value = value});
}

/* What of the state the input holds already. */
static uint64_t held(const struct backend *b, const struct weft_resident *r)
{
    for (unsigned i = 0; i < b->graph->input_count; i++)
        if (!strcmp(b->graph->values[b->graph->inputs[i]].name, r->input))
            return (uint64_t)b->graph->values[b->graph->inputs[i]].shape.dims[r->axis];
    return 0;
}

void resident_writes(struct backend *b, const struct weft_resident *r, int value)
{
    struct runs runs = runs_of(b, r, value);
    uint64_t skip = held(b, r), dram = resident_address(b, r), ub = place_origin(b, value);
    for (uint64_t i = 0; i < runs.outer && skip < runs.there; i++) {
        struct weft_instr *instr = emit(b, WEFT_OP_WRITE_DRAM);
        instr->ub = (uint32_t)(ub + (i * runs.there + skip) * runs.inner);
        instr->dram = dram + (i * r->capacity + skip) * runs.inner;
        instr->bytes = (uint32_t)((runs.there - skip) * runs.inner);
    }
}
