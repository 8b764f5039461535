/* compile.c: weft_compile: the backend's stages in order, and the bounds that the program is measured against. */
#include "batch_axis.h"
#include "emit.h"
#include "finish.h"
#include "front.h"
#include "mapping.h"
#include "spill.h"
#include "tail.h"
#include "waves.h"

#include <stdlib.h>
#include <string.h>

static void free_layer(struct layer *l)
{
    if (l->m) {
        for (int t = 0; t < WEIGHT_TERMS && !l->m->lender; t++)
            free(l->m->w[t]);
        free(l->m->w_scales);
        free(l->m->raw_scales);
        free(l->m->tile_ids);
        free(l->m);
    }
    free(l->product);
    free(l->input_offsets);
    free(l->name);
}

void backend_free(struct backend *b)
{
    spill_free(b);
    front_free(b);
    for (int i = 0; i < b->layer_count; i++)
        free_layer(&b->layers[i]);
    free(b->layers);
    free(b->places);
    free(b->wide);
    free(b->lookups);
    free(b->operands);
    free(b->folded);
    free(b->uses);
    free(b->reader);
    free(b->buffers);
    free(b->instr);
    free(b->instr_layer);
    free(b->tiles);
    free(b->takes);
    free(b->weights);
    free(b->constants);
    free(b->reads);
    free(b->made);
    free(b->axes);
    free(b->output_host);
    free(b->left);
    free(b->owed.writes);
    free(b->low);
    free(b->high);
    free(b->seen.low);
    free(b->seen.high);
    free(b->joined);
}

/* Constants of two different float layers never mix; each layer's part is fetched by itself, ahead of its work. */
static enum weft_status each_layer(struct backend *b, bool only_matrix, enum weft_status (*stage)(struct backend *, struct layer *))
{
    enum weft_status status = WEFT_OK;
    for (int i = 0; i < b->layer_count && !status; i++) {
        b->current = i;
        if (!only_matrix || b->layers[i].kind == LAYER_MATRIX)
            status = stage(b, &b->layers[i]);
    }
    return status;
}

/* Addresses for all buffers. Two halves of a batch keep their values longer the further they are apart: closer by and by where that does not fit, and
 * one behind the other in the end. */
static bool place_halves(struct backend *b, uint64_t align, uint64_t *peak)
{
    int *lasts = malloc(((size_t)b->buffer_count + 1) * sizeof *lasts);
    bool placed = false;
    b->out_of_memory |= !lasts;
    for (int i = 0; lasts && i < b->buffer_count; i++)
        lasts[i] = b->buffers[i].last;
    for (; lasts && !b->out_of_memory && b->lag > 0; b->lag--) {
        waves_stretch(b, lasts);
        placed = allocate_buffers(b->buffers, b->buffer_count, b->machine->ub_bytes, align, peak);
        if (placed)
            break;
    }
    for (int i = 0; lasts && !placed && i < b->buffer_count; i++)
        b->buffers[i].last = lasts[i];
    b->waves = placed ? b->waves : 1;
    free(lasts);
    return placed;
}

static enum weft_status place_buffers(struct backend *b)
{
    b->constants_buffer = backend_add_buffer(b, b->constants_bytes, 0, b->layer_count);
    uint64_t peak = 0, align = b->machine->ub_line_bytes;
    if (!b->out_of_memory && b->waves > 1 && place_halves(b, align, &peak))
        return WEFT_OK;
    if (b->out_of_memory)
        return WEFT_NO_MEMORY;
    if (allocate_buffers(b->buffers, b->buffer_count, b->machine->ub_bytes, align, &peak)) {
        backend_tail(b);
        return WEFT_OK;
    }
    b->too_big = peak;
    return b->may_spill && !b->waits ? backend_spill(b) : WEFT_ERROR;
}

/* Nothing corrects the sums of a product of two computed values for a zero point. */
static enum weft_status check_zeros(const struct backend *b, const struct layer *l)
{
    if (l->kind != LAYER_PRODUCT || (!backend_zero(b, l->x) && !backend_zero(b, l->other)))
        return WEFT_OK;
    return weft_error(b->diag, "%s: layer %s: a product of two computed values has numbers below zero, and machine %s multiplies no s8 (--set formats=u8,s8)",
                      b->graph->name, l->name, b->machine->name);
}

/* A layer's activations enter the array in a format that the machine multiplies. */
static enum weft_status check_formats(struct backend *b)
{
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *l = &b->layers[i];
        if (!layer_multiplies(l))
            continue;
        bool real = b->planes && !(l->m && l->m->integer);
        enum weft_format f = real ? WEFT_FORMAT_bf16 : backend_format(b, l->x);
        enum weft_format w = real ? WEFT_FORMAT_bf16 : l->kind == LAYER_PRODUCT ? backend_format(b, l->other) : WEFT_FORMAT_s8;
        if (!weft_machine_has(b->machine, f) || !weft_machine_has(b->machine, w))
            return weft_error(b->diag, "%s: layer %s: machine %s does not multiply %s by %s (%s)", b->graph->name, l->name, b->machine->name,
                              weft_format_name(f), weft_format_name(w),
                              !b->planes && weft_machine_has(b->machine, WEFT_FORMAT_bf16) ? "it does bf16: --format bf16"
                                                                                          : "see `weft machines`, or --set formats=u8,s8,s16,bf16");
        if (check_zeros(b, l))
            return WEFT_ERROR;
    }
    return WEFT_OK;
}

int64_t backend_batch(const struct graph *graph)
{
    const struct shape *s = graph->input_count ? &graph->values[graph->inputs[0]].shape : NULL;
    return s && s->rank > 0 ? s->dims[0] : 1;
}

/* --- the stages, in order ------------------------------------------------------------------------------------------------ */

static enum weft_status all_weights(struct backend *b)
{
    return each_layer(b, true, backend_weights);
}

static enum weft_status all_params(struct backend *b)
{
    return each_layer(b, false, backend_params);
}

/* Tables of embeddings lie behind what the layers read themselves. */
static enum weft_status all_tables(struct backend *b)
{
    b->own_constants = b->constants_bytes;
    return backend_tables(b);
}

static enum weft_status all_tiles(struct backend *b)
{
    enum weft_status status = each_layer(b, true, b->spill ? spill_tiles : backend_tiles);
    if (!status)
        status = constants_to_dram(b, b->own_constants);
    if (!status && b->spill)
        spill_note_rows(b);
    return status;
}

static const struct stage { enum weft_status (*run)(struct backend *b); const char *what; double done; /* for people who wait */ } stages[] = {
    {backend_outputs}, {backend_one_hot}, {backend_pieces}, {backend_heads}, {backend_fuse},
    {backend_calibrate, "calibrating", 0.1}, {backend_quantise, "mapping", 0.5}, {backend_lookups}, {backend_shares}, {backend_steps}, {backend_dots}, {check_formats}, {backend_defer},
    {backend_layout}, {all_weights}, {backend_map}, {all_params}, {place_buffers}, {all_tables}, {all_tiles, "emitting", 0.8},
};

static enum weft_status run_stages(struct backend *b)
{
    enum weft_status status = WEFT_OK;
    b->batch = backend_batch(b->graph);
    b->axes = b->repeats > 1 ? batch_axes(b->graph, b->batch) : NULL;
    b->axis_count = b->axes ? b->graph->value_count : 0;
    for (size_t i = 0; i < sizeof stages / sizeof stages[0] && !status; i++) {
        if (stages[i].what && b->options->progress)
            b->options->progress(b->options->progress_user, stages[i].what, stages[i].done);
        status = stages[i].run(b);
    }
    return status;
}

struct backend backend_like(const struct backend *other, const struct weft_compile_options *options, struct weft_diag *diag)
{
    return (struct backend){.machine = other->machine, .options = options, .diag = diag, .repeats = 1, .format = other->format, .planes = other->planes, .waves = 1};
}

enum weft_status backend_attempt(struct weft_program **out, struct backend *b)
{
    enum weft_status status = run_stages(b);
    if (!status)
        status = backend_finish(out, b);
    if (status == WEFT_NO_MEMORY)
        weft_error(b->diag, "%s: out of memory while compiling", b->graph->name);
    return status;
}

/* Weights by rule are made once for all compilations and for the interpreter, which would each make them again. */
static void make_constants(struct weft_network *network)
{
    struct graph *graph = network->graph;
    pthread_mutex_lock(&network->making);
    for (int i = 0; i < graph->node_count; i++)
        for (unsigned k = 0; !graph->nodes[i].dead && k < graph->nodes[i].input_count; k++) {
            int id = graph->nodes[i].inputs[k];
            if (id != GRAPH_NONE && (graph->values[id].contents == CONTENTS_NORMAL || graph->values[id].contents == CONTENTS_UNIFORM))
                value_bytes(graph, id); /* without memory the copy asks again and says so */
        }
    pthread_mutex_unlock(&network->making);
}

static const struct { const char *name; int planes; double bar; const char *meaning; } formats[COMPILE_FORMATS] = {
#define COMPILE_FORMAT(ID, name, planes, bar, meaning) {name, planes, bar, meaning},
#include "formats.def"
};

const char *weft_compile_format(size_t index, const char **meaning)
{
    if (index >= COMPILE_FORMATS)
        return NULL;
    *meaning = formats[index].meaning;
    return formats[index].name;
}

/* COMPILE_FORMATS: none has the name. */
static enum compile_format format_of(const char *name)
{
    int i = 0;
    while (i < COMPILE_FORMATS && strcmp(formats[i].name, name ? name : "int8"))
        i++;
    return (enum compile_format)i;
}

double weft_compile_bar(const char *format)
{
    enum compile_format found = format_of(format);
    return formats[found < COMPILE_FORMATS ? found : COMPILE_INT8].bar;
}

static bool find_format(struct backend *b, const char *name)
{
    b->format = format_of(name);
    b->planes = b->format < COMPILE_FORMATS ? formats[b->format].planes : 0;
    return b->format < COMPILE_FORMATS;
}

enum weft_status weft_compile(struct weft_program **out, struct weft_network *network, const struct weft_machine *machine,
                              const struct weft_compile_options *options, struct weft_diag *diag)
{
    struct backend b = {.machine = machine, .options = options, .diag = diag, .repeats = 1, .waves = 1, .may_wait = true};
    if (!find_format(&b, options->format))
        return weft_error(diag, "there is no format '%s'; int8, int16, bf16, bf16x3 and fp32 are", options->format);
    if (options->prune > 0 && options->timing_only)
        return weft_error(diag, "%s: pruning looks at the weights, and a program for timing only has none; compile without --timing", network->graph->name);
    if (!options->timing_only)
        make_constants(network);
    enum weft_status status = graph_clone(&b.graph, network->graph);
    if (!status)
        status = backend_check_finite(&b);
    if (!status)
        status = backend_attempt(out, &b);
    if (b.too_big)
        status = parts_compile(out, network, &b);
    else if (!status && b.lag < b.lag_wanted)
        status = parts_instead(out, network, &b);
    backend_free(&b);
    graph_free(b.graph);
    return status;
}
