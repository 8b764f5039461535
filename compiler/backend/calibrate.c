/* calibrate.c: the range of every value, from running the float interpreter on calibration inputs: a file's, else the inputs that the
 * network is to be run on, else seeded random ones. */
#include "backend.h"
#include "element.h"
#include "interp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 8192, ROUNDS_MAX = 1024, MASKED = 10000 };

static int by_magnitude(const void *a, const void *b)
{
    float x = fabsf(*(const float *)a), y = fabsf(*(const float *)b);
    return (x > y) - (x < y);
}

/* Of the finite numbers. An infinity counts as far as the furthest of them, so that its code keeps its sign and theirs their digits; where they are all
 * zero, as in a mask of 0 and minus infinity, as far as masks usually go. */
static void minmax(const float *x, int64_t count, float *low, float *high)
{
    float l = INFINITY, h = -INFINITY;
    bool below = false, above = false;
    for (int64_t i = 0; i < count; i++) {
        below |= x[i] == -INFINITY;
        above |= x[i] == INFINITY;
        l = x[i] < l && x[i] > -INFINITY ? x[i] : l;
        h = x[i] > h && x[i] < INFINITY ? x[i] : h;
    }
    float most = l <= h ? fmaxf(fabsf(l), fabsf(h)) : 0, distance = most > 0 ? most : MASKED;
    if (below) {
        l = -distance;
        h = fmaxf(h, l);
    }
    if (above) {
        h = distance;
        l = fminf(l, h);
    }
    *low = l;
    *high = h;
}

/* Mean squared error of 8-bit codes over [low, high] on the samples: rounding inside, clipping outside. */
static double clip_error(const float *sample, size_t count, float low, float high)
{
    double error = 0, step = ((double)high - low) / 255;
    for (size_t i = 0; i < count; i++) {
        double x = sample[i], c = x < low ? low : x > high ? high : x, q = step > 0 ? rint(c / step) * step : 0;
        error += (x - q) * (x - q);
    }
    return error;
}

static void choose_mse(const float *sample, size_t count, float *low, float *high)
{
    double best = INFINITY;
    float l = *low, h = *high;
    for (int step = 20; step <= 100; step += 2) {
        double error = clip_error(sample, count, l * (float)step / 100, h * (float)step / 100);
        if (error < best) {
            best = error;
            *low = l * (float)step / 100;
            *high = h * (float)step / 100;
        }
    }
}

/* Narrows a minimum and maximum to the 99.99th percentile of magnitudes, or to the range of least error. */
static void narrow(const char *range, const float *x, int64_t count, float *low, float *high)
{
    if (!range || !strcmp(range, "minmax") || count < 16)
        return;
    size_t n = count < SAMPLES ? (size_t)count : SAMPLES;
    float *sample = malloc(n * sizeof *sample);
    if (!sample)
        return; /* the wider range is right too */
    for (size_t i = 0; i < n; i++)
        sample[i] = x[(int64_t)((double)i * (double)count / (double)n)];
    if (!strcmp(range, "mse")) {
        choose_mse(sample, n, low, high);
    } else {
        qsort(sample, n, sizeof *sample, by_magnitude);
        float bound = fabsf(sample[(size_t)((double)(n - 1) * 0.9999)]);
        *low = fmaxf(*low, -bound);
        *high = fminf(*high, bound);
    }
    free(sample);
}

static void measure(struct backend *b, int value, const float *x, int64_t count)
{
    float low, high;
    minmax(x, count, &low, &high);
    narrow(b->options->range, x, count, &low, &high);
    b->low[value] = fminf(b->low[value], low);
    b->high[value] = fmaxf(b->high[value], high);
}

static void visit(void *user, int value, const struct tensor *tensor)
{
    struct backend *b = user;
    int64_t count = shape_count(&tensor->shape);
    if (tensor->element == ELEMENT_F32)
        measure(b, value, tensor->bytes, count);
    if (tensor->element == ELEMENT_F32 || !element_is_float(tensor->element))
        return;
    float *floats = malloc((size_t)(count ? count : 1) * sizeof *floats);
    b->out_of_memory |= !floats;
    for (int64_t i = 0; floats && i < count; i++)
        floats[i] = (float)element_load(tensor->bytes, tensor->element, i);
    if (floats)
        measure(b, value, floats, count);
    free(floats);
}

/* --- the inputs ---------------------------------------------------------------------------------------------------- */

/* What the ranges are taken from: a file, the inputs of this very run, or nothing (random numbers then). */
struct source {
    struct weft_arrays file;
    const struct weft_arrays *arrays; /* NULL: random */
    const char *name;
};

static const struct weft_array *array_for(const struct backend *b, const struct source *from, unsigned input)
{
    const char *name = b->graph->values[b->graph->inputs[input]].name;
    for (size_t i = 0; from->arrays && i < from->arrays->count; i++)
        if (!strcmp(from->arrays->items[i].name, name) || (from->arrays->count == 1 && b->graph->input_count == 1))
            return &from->arrays->items[i];
    return NULL;
}

/* Of all parts of the batch: what the network as a whole reads. */
static uint64_t input_bytes(const struct backend *b, unsigned input)
{
    const struct value *v = &b->graph->values[b->graph->inputs[input]];
    return (uint64_t)b->repeats * (uint64_t)shape_count(&v->shape) * element_bytes(v->element);
}

static bool is_read(const struct backend *b, unsigned input)
{
    return graph_uses(b->graph, b->graph->inputs[input]);
}

static enum weft_status open_source(const struct backend *b, struct source *from)
{
    *from = (struct source){.name = b->options->calibration};
    if (b->options->calibration) {
        from->arrays = &from->file;
        return weft_arrays_load(&from->file, b->options->calibration, b->diag);
    }
    from->arrays = b->options->bindings;
    for (unsigned i = 0; i < b->graph->input_count && from->arrays; i++) {
        const struct weft_array *a = array_for(b, from, i);
        if (is_read(b, i) && (!a || a->size < input_bytes(b, i) || !element_is_called(b->graph->values[b->graph->inputs[i]].element, a->element)))
            from->arrays = NULL; /* the run itself will say what is wrong with them */
    }
    return WEFT_OK;
}

/* An array may hold several inputs, one behind the other: each is one round, and a part of the batch takes its slice. */
static enum weft_status take_given(struct backend *b, const struct source *from, unsigned input, int64_t round, struct tensor *out)
{
    const struct value *v = &b->graph->values[b->graph->inputs[input]];
    const struct weft_array *a = array_for(b, from, input);
    uint64_t bytes = input_bytes(b, input), part = bytes / (uint64_t)b->repeats;
    if (!is_read(b, input))
        return WEFT_OK;
    if (!a)
        return weft_error(b->diag, "%s: no array named '%s'; calibration needs one for every input of the network", from->name, v->name);
    if (!element_is_called(v->element, a->element) || !bytes || a->size < bytes || a->size % bytes)
        return weft_error(b->diag, "%s: array '%s' holds %llu bytes of %s; the network's input has %lld elements of %s, and any number of such inputs "
                          "may follow each other", from->name, v->name, (unsigned long long)a->size, a->element,
                          (long long)(b->repeats * shape_count(&v->shape)), element_name(v->element));
    memcpy(out->bytes, (const char *)a->bytes + (uint64_t)round % (a->size / part) * part, part);
    return WEFT_OK;
}

/* Rounds go through the parts of the batch, if it has several, and then through the next batch. */
static enum weft_status make_inputs(struct backend *b, const struct source *from, struct tensor *inputs, int64_t round)
{
    enum weft_status status = WEFT_OK;
    for (unsigned i = 0; i < b->graph->input_count && !status; i++) {
        const struct value *v = &b->graph->values[b->graph->inputs[i]];
        int64_t count = shape_count(&v->shape);
        inputs[i] = (struct tensor){.element = v->element, .shape = v->shape};
        inputs[i].bytes = calloc((size_t)count + 1, element_bytes(v->element));
        if (!inputs[i].bytes)
            status = WEFT_NO_MEMORY;
        else if (from->arrays)
            status = take_given(b, from, i, round, &inputs[i]);
        else
            interp_random_input(inputs[i].bytes, v->element, round % b->repeats * count, count, v->name,
                                b->options->seed + 0x9e3779b97f4a7c15u * (uint64_t)(round / b->repeats), lookup_limit(b, b->graph->inputs[i]));
    }
    return status;
}

/* Random calibration of a small network draws more than one input: the range of a few hundred numbers says little. */
static int64_t rounds(const struct backend *b, const struct source *from)
{
    uint64_t elements = 0, most = 1;
    for (unsigned i = 0; i < b->graph->input_count; i++) {
        const struct weft_array *a = array_for(b, from, i);
        elements += (uint64_t)(b->repeats * shape_count(&b->graph->values[b->graph->inputs[i]].shape));
        if (a && is_read(b, i) && input_bytes(b, i) && a->size / input_bytes(b, i) > most)
            most = a->size / input_bytes(b, i);
    }
    if (from->arrays)
        return b->repeats * (most < ROUNDS_MAX ? (int64_t)most : ROUNDS_MAX);
    return b->repeats * (elements > 65536 ? 1 : elements > 8192 ? 4 : 16);
}

static enum weft_status observe(struct backend *b, const struct source *from, struct tensor *inputs, int64_t round)
{
    struct interp_run run = {0};
    enum weft_status status = make_inputs(b, from, inputs, round);
    if (!status)
        status = interp_graph(&run, b->graph, inputs, false, visit, b, b->diag);
    interp_free(&run);
    for (unsigned i = 0; i < b->graph->input_count; i++) {
        free(inputs[i].bytes);
        inputs[i].bytes = NULL;
    }
    return status;
}

static enum weft_status observe_all(struct backend *b)
{
    struct source from;
    struct tensor *inputs = calloc(b->graph->input_count + 1, sizeof *inputs);
    enum weft_status status = inputs ? open_source(b, &from) : WEFT_NO_MEMORY;
    for (int64_t round = 0; !status && round < rounds(b, &from); round++)
        status = observe(b, &from, inputs, round);
    if (inputs)
        weft_arrays_free(&from.file);
    free(inputs);
    return status;
}

/* Was the value, or its counterpart in the whole network, looked at? The same file gives the same values in the same order. */
static bool seen_in(const struct backend *whole, const struct graph *graph, int id)
{
    return id < whole->seen.count && !strcmp(whole->graph->values[id].name, graph->values[id].name) && whole->seen.low[id] <= whole->seen.high[id];
}

static bool every_value_is_seen_in(const struct backend *whole, const struct backend *b)
{
    const struct graph *g = b->graph;
    for (int id = 0; id < g->value_count; id++) {
        int maker = g->values[id].producer;
        if (maker != GRAPH_NONE && !g->nodes[maker].dead && backend_value_is_real(b, id) && !seen_in(whole, g, id))
            return false;
    }
    for (unsigned i = 0; i < g->input_count; i++)
        if (is_read(b, i) && backend_value_is_real(b, g->inputs[i]) && !seen_in(whole, g, g->inputs[i]))
            return false;
    return true;
}

/* The whole batch was looked at before it was cut into parts: one range serves them all, however many they are. */
static void take_seen(struct backend *b)
{
    for (int id = 0; id < b->graph->value_count; id++)
        if (seen_in(b->whole, b->graph, id)) {
            b->low[id] = b->whole->seen.low[id];
            b->high[id] = b->whole->seen.high[id];
        }
}

static enum weft_status keep_seen(struct backend *b, int count)
{
    size_t bytes = ((size_t)count + 1) * sizeof *b->low;
    b->seen = (struct ranges){malloc(bytes), malloc(bytes), count};
    if (!b->seen.low || !b->seen.high)
        return WEFT_NO_MEMORY;
    memcpy(b->seen.low, b->low, bytes - sizeof *b->low);
    memcpy(b->seen.high, b->high, bytes - sizeof *b->high);
    return WEFT_OK;
}

enum weft_status backend_calibrate(struct backend *b)
{
    int count = b->graph->value_count;
    b->low = malloc(((size_t)count + 1) * sizeof *b->low);
    b->high = malloc(((size_t)count + 1) * sizeof *b->high);
    if (!b->low || !b->high)
        return WEFT_NO_MEMORY;
    for (int i = 0; i < count; i++) {
        b->low[i] = INFINITY;
        b->high[i] = -INFINITY;
    }
    if (b->options->timing_only || b->graph->weights_absent || b->planes)
        return WEFT_OK;
    if (b->whole && every_value_is_seen_in(b->whole, b)) {
        take_seen(b);
        return WEFT_OK;
    }
    enum weft_status status = observe_all(b);
    return status ? status : keep_seen(b, count);
}
