/* parts.c: a batch whose values do not fit the buffer. It runs as several smaller ones, one after the other in one program, which fetch all weights again;
 * or in bands, of which values leave the buffer (spill.h); or as smaller ones in bands. Each way is compiled for timing alone, and the one that takes
 * least by its bounds is compiled in earnest. */
#include <stdlib.h>

#include "backend.h"
#include "batch_axis.h"
#include "import.h"
#include "passes.h"
#include "spill.h"

enum { TRIES = 6, FAR = 64 /* times the buffer: a part that needs more is not tried */ };

static bool every_first_dimension_is(const struct graph *graph, int64_t batch)
{
    for (unsigned i = 0; i < graph->input_count; i++)
        if (!graph->values[graph->inputs[i]].shape.rank || graph->values[graph->inputs[i]].shape.dims[0] != batch)
            return false;
    for (unsigned i = 0; i < graph->output_count; i++)
        if (!graph->values[graph->outputs[i]].shape.rank || graph->values[graph->outputs[i]].shape.dims[0] != batch)
            return false;
    return true;
}

/* Is the first dimension a batch, of which no inference asks for another? */
static bool may_part(struct graph *graph, int64_t batch)
{
    struct batch_axis *axes = every_first_dimension_is(graph, batch) ? batch_axes(graph, batch) : NULL;
    bool apart = axes != NULL;
    free(axes);
    return apart;
}

/* What --dim says of the batch is true of the whole alone. */
static enum weft_status import_part(struct graph **out, const struct weft_network *network, const struct backend *b, int64_t part)
{
    struct weft_compile_options options = *b->options;
    struct weft_dim *dims = calloc(options.dim_count + 1, sizeof *dims);
    if (!dims)
        return WEFT_NO_MEMORY;
    for (size_t i = 0; i < options.dim_count; i++)
        dims[i] = (struct weft_dim){options.dims[i].name, options.dims[i].value, true};
    options.dims = dims;
    options.batch = part;
    enum weft_status status = import_network(out, network->path, &options, b->diag);
    free(dims);
    return status;
}

/* The same network for a part of the batch; all of it: as it is. An error where that dimension is no batch. */
static enum weft_status load_part(struct graph **out, const struct weft_network *network, const struct backend *b, int64_t part, int64_t batch)
{
    if (part == batch)
        return graph_clone(out, network->graph);
    enum weft_status status = import_part(out, network, b, part);
    if (!status)
        status = passes_run(*out, NULL, NULL, b->diag);
    return status || every_first_dimension_is(*out, part) ? status : WEFT_ERROR;
}

struct attempt { int64_t part; bool by_heads, may_wait; uint64_t cycles, needed; bool spilled; };

/* The mapping bound, and all that comes and goes behind it: enough to tell two programs of one network apart. */
static enum weft_status compile_part(struct weft_program **out, struct attempt *a, const struct weft_network *network, const struct backend *whole,
                                     const struct weft_compile_options *options, bool draft, struct weft_diag *diag)
{
    struct backend b = backend_like(whole, options, diag);
    b.may_wait = a->may_wait;
    int64_t batch = backend_batch(whole->graph);
    b.repeats = batch / a->part;
    b.whole = whole;
    b.may_spill = true;
    b.by_heads = a->by_heads;
    b.draft = draft;
    enum weft_status status = load_part(&b.graph, network, &b, a->part, batch);
    if (!status)
        status = backend_attempt(out, &b);
    a->needed = b.too_big;
    a->spilled = b.spill != NULL;
    a->cycles = status ? 0 : (*out)->mapping_cycles + (b.spill ? spill_transfer_cycles(&b) * (uint64_t)b.repeats : 0);
    backend_free(&b);
    graph_free(b.graph);
    return status;
}

/* For timing alone, and without a word. */
static bool try_part(struct attempt *a, const struct weft_network *network, const struct backend *whole)
{
    struct weft_compile_options options = *whole->options;
    struct weft_diag quiet = {0};
    struct weft_program *program = NULL;
    options.timing_only = true;
    options.prune = 0;
    options.progress = NULL;
    bool fits = !compile_part(&program, a, network, whole, &options, true, &quiet);
    if (fits)
        weft_program_free(program);
    return fits;
}

/* Where divisions waited no value could leave the buffer: once more without. */
static bool try_in_bands(struct attempt *a, const struct weft_network *network, const struct backend *whole)
{
    a->may_wait = false;
    return a->needed && try_part(a, network, whole);
}

/* Attention as a whole, and a few heads at a time where it does not fit so; does the better of both? */
static bool try_ways(struct attempt *best, int64_t part, const struct weft_network *network, const struct backend *whole)
{
    bool fits = false;
    for (int by_heads = 0; by_heads < 2 && !fits; by_heads++) {
        struct attempt a = {.part = part, .by_heads = by_heads, .may_wait = true};
        if ((by_heads && !heads_fill(whole, network->graph)) || !(try_part(&a, network, whole) || try_in_bands(&a, network, whole)))
            continue;
        *best = !best->part || a.cycles < best->cycles ? a : *best;
        fits = !a.spilled;
    }
    return fits;
}

/* The least of the parts that divide the batch, from the largest down to the first that needs no bands: smaller ones fetch the more. */
static struct attempt best_part(const struct weft_network *network, const struct backend *whole)
{
    int64_t batch = backend_batch(whole->graph), least = may_part(network->graph, batch) ? 1 : batch;
    struct attempt best = {0};
    int tries = 0;
    for (int64_t part = batch; part >= least; part--) {
        bool far = (double)whole->too_big * (double)part > (double)batch * FAR * (double)whole->machine->ub_bytes || tries >= TRIES;
        if (batch % part || (far && part > 1 && part < batch))
            continue;
        tries++;
        if (try_ways(&best, part, network, whole))
            break;
    }
    return best;
}

enum weft_status parts_compile(struct weft_program **out, const struct weft_network *network, const struct backend *whole)
{
    struct attempt best = best_part(network, whole);
    if (!best.part) /* nothing does: the way that asks for least says why */
        best = (struct attempt){.part = backend_batch(whole->graph), .by_heads = heads_fill(whole, network->graph)};
    enum weft_status status = compile_part(out, &best, network, whole, whole->options, false, whole->diag);
    if (!best.needed)
        return status;
    return weft_error(whole->diag, "%s: its values need %llu bytes of unified buffer; machine %s has %llu, and none may leave it (state is kept in device memory, or an input is an output too); try at least --set unified_buffer.bytes=%llu",
                      whole->graph->name, (unsigned long long)best.needed, whole->machine->name, (unsigned long long)whole->machine->ub_bytes, (unsigned long long)best.needed);
}
