/* check.c: the float interpreter as the rest of Weft sees it: a network's own values, and random input to feed it. */
#include "element.h"
#include "network.h"
#include "random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- inputs -------------------------------------------------------------------------------------------------------------- */

static const struct weft_array *find_array(const struct weft_arrays *arrays, const char *name, bool single)
{
    for (size_t i = 0; i < arrays->count; i++)
        if (!strcmp(arrays->items[i].name ? arrays->items[i].name : "", name))
            return &arrays->items[i];
    /* A .npy file has no names: it is the one input of a network that has one. */
    bool unnamed = arrays->count == 1 && (!arrays->items[0].name || !arrays->items[0].name[0]);
    return single && unnamed ? &arrays->items[0] : NULL;
}

static void print_shape(char *out, size_t size, const uint64_t *dims, unsigned rank)
{
    size_t used = (size_t)snprintf(out, size, "[");
    for (unsigned d = 0; d < rank && used < size; d++)
        used += (size_t)snprintf(out + used, size - used, "%s%llu", d ? ", " : "", (unsigned long long)dims[d]);
    if (used < size)
        snprintf(out + used, size - used, "]");
}

static bool fits(const struct weft_array *array, const struct value *value)
{
    bool same = array->rank == value->shape.rank && element_is_called(value->element, array->element);
    for (unsigned d = 0; same && d < array->rank; d++)
        same = array->dims[d] == (uint64_t)value->shape.dims[d];
    return same && array->size == (uint64_t)shape_count(&value->shape) * element_bytes(value->element);
}

static enum weft_status misfit(const struct weft_array *array, const struct value *value, struct weft_diag *diag)
{
    char is[160], wanted[160];
    uint64_t dims[GRAPH_RANK_MAX];
    for (unsigned d = 0; d < value->shape.rank; d++)
        dims[d] = (uint64_t)value->shape.dims[d];
    print_shape(is, sizeof is, array->dims, array->rank);
    print_shape(wanted, sizeof wanted, dims, value->shape.rank);
    return weft_error(diag, "input %s: the array is %s %s; %s %s is right", value->name, array->element, is, element_name(value->element),
                      wanted);
}

static enum weft_status bind_inputs(struct tensor *out, const struct graph *graph, const struct weft_arrays *arrays, struct weft_diag *diag)
{
    for (unsigned k = 0; k < graph->input_count; k++) {
        const struct value *value = &graph->values[graph->inputs[k]];
        const struct weft_array *array = find_array(arrays, value->name, graph->input_count == 1);
        if (!array)
            return weft_error(diag, "input %s is missing: the network reads it", value->name);
        if (!fits(array, value))
            return misfit(array, value, diag);
        out[k] = (struct tensor){value->element, value->shape, array->bytes};
    }
    return WEFT_OK;
}

enum { ALL_VALUES_MAX_GIB = 16 };

/* --- values -------------------------------------------------------------------------------------------------------------- */

/* The graph may have grown since: floats belong to the run that they were made from. */
static void forget(struct weft_network *network)
{
    for (int i = 0; network->floats && i < network->run.count; i++)
        free(network->floats[i]);
    free(network->floats);
    network->floats = NULL;
    if (network->interpreted)
        interp_free(&network->run);
    network->interpreted = false;
}

static enum weft_status run_network(struct weft_network *network, const struct tensor *inputs, struct weft_diag *diag)
{
    enum weft_status status = interp_graph(&network->run, network->graph, inputs, true, NULL, NULL, diag);
    if (status)
        return status;
    network->interpreted = true;
    network->floats = calloc((size_t)network->run.count + 1, sizeof *network->floats);
    if (network->floats)
        return WEFT_OK;
    forget(network);
    return WEFT_NO_MEMORY;
}

/* Every value is kept, so that each can be asked for. */
static enum weft_status check_room(const struct graph *graph, struct weft_diag *diag)
{
    uint64_t bytes = 0;
    for (int i = 0; i < graph->node_count; i++)
        for (unsigned k = 0; k < graph->nodes[i].output_count; k++) {
            const struct value *value = &graph->values[graph->nodes[i].outputs[k]];
            bytes += (uint64_t)shape_count(&value->shape) * element_bytes(value->element);
        }
    if (bytes <= (uint64_t)ALL_VALUES_MAX_GIB << 30)
        return WEFT_OK;
    return weft_error(diag, "%s: its values take %llu bytes as floats; at most %d GiB are supported: give a smaller --batch",
                      graph->name, (unsigned long long)bytes, ALL_VALUES_MAX_GIB);
}

enum weft_status weft_network_interpret(struct weft_network *network, const struct weft_arrays *inputs, struct weft_diag *diag)
{
    struct graph *graph = network->graph;
    if (graph->weights_absent || graph->timing_only)
        return weft_error(diag, "%s: the network has no weights to compute with (%s)", network->path ? network->path : "network",
                          graph->weights_absent ? "a topology" : "read for timing only");
    enum weft_status fits = check_room(graph, diag);
    if (fits)
        return fits;
    forget(network);
    struct tensor *bound = calloc(graph->input_count + 1, sizeof *bound);
    enum weft_status status = bound ? bind_inputs(bound, graph, inputs, diag) : WEFT_NO_MEMORY;
    if (!status)
        status = run_network(network, bound, diag);
    free(bound);
    return status;
}

static int find_value(const struct weft_network *network, const char *name)
{
    for (int i = 0; i < network->run.count; i++)
        if (network->run.values[i].bytes && !strcmp(network->graph->values[i].name, name))
            return i;
    return GRAPH_NONE;
}

static float *to_floats(const struct tensor *t, int64_t count)
{
    float *out = malloc((size_t)(count ? count : 1) * sizeof *out);
    for (int64_t i = 0; out && i < count; i++)
        out[i] = (float)element_load(t->bytes, t->element, i);
    return out;
}

const float *weft_network_value(const struct weft_network *network, const char *name, uint64_t *count)
{
    int id = network->interpreted ? find_value(network, name) : GRAPH_NONE;
    if (id == GRAPH_NONE)
        return NULL;
    const struct tensor *t = &network->run.values[id];
    *count = (uint64_t)shape_count(&t->shape);
    if (t->element == ELEMENT_F32)
        return t->bytes;
    if (!network->floats[id])
        network->floats[id] = to_floats(t, (int64_t)*count);
    return network->floats[id];
}

/* --- random input -------------------------------------------------------------------------------------------------------- */

static bool find_element(enum element *out, const char *name)
{
    for (int e = ELEMENT_F32; e <= ELEMENT_BOOL; e++)
        if (!strcmp(element_name((enum element)e), name))
            return *out = (enum element)e, true;
    return false;
}

enum { CHUNK = 1024 };

static void fill_normal(void *bytes, enum element element, int64_t begin, int64_t count, uint64_t seed)
{
    double chunk[CHUNK];
    for (int64_t first = 0; first < count; first += CHUNK) {
        int64_t here = count - first < CHUNK ? count - first : CHUNK;
        random_normal(chunk, begin + first, here, seed, 0, 1);
        for (int64_t i = 0; i < here; i++)
            element_store(bytes, element, first + i, chunk[i]);
    }
}

/* Every value of the type alike. */
static void fill_integers(uint8_t *bytes, enum element element, int64_t begin, int64_t count, uint64_t seed)
{
    unsigned size = element_bytes(element);
    for (int64_t i = 0; i < count; i++) {
        uint64_t bits = random_hash(seed + (uint64_t)(begin + i) * 0x9e3779b97f4a7c15u);
        if (element == ELEMENT_BOOL)
            bits &= 1;
        for (unsigned b = 0; b < size; b++)
            bytes[i * size + b] = (uint8_t)(bits >> 8 * b);
    }
}

/* Little-endian, as everywhere. */
static void fill_indices(uint8_t *bytes, enum element element, int64_t begin, int64_t count, uint64_t seed, uint64_t below)
{
    unsigned size = element_bytes(element);
    for (int64_t i = 0; i < count; i++) {
        uint64_t index = random_hash(seed + (uint64_t)(begin + i) * 0x9e3779b97f4a7c15u) % below;
        memcpy(bytes + i * size, &index, size);
    }
}

void interp_random_input(void *bytes, enum element element, int64_t first, int64_t count, const char *name, uint64_t seed, uint64_t below)
{
    seed = random_hash(seed) ^ random_hash_text(name);
    if (element_is_float(element))
        fill_normal(bytes, element, first, count, seed);
    else if (below)
        fill_indices(bytes, element, first, count, seed, below);
    else
        fill_integers(bytes, element, first, count, seed);
}

/* An input may be looked up in several tables; its indices must lie in all of them. */
static uint64_t least_table(const struct weft_program *program, const char *name)
{
    uint64_t rows = 0;
    for (size_t i = 0; i < program->input_count; i++)
        if (program->inputs[i].table_rows && !strcmp(program->inputs[i].name, name) && (!rows || program->inputs[i].table_rows < rows))
            rows = program->inputs[i].table_rows;
    return rows;
}

static enum weft_status random_input(struct weft_array *out, const struct weft_tensor *tensor, uint64_t below, uint64_t seed, struct weft_diag *diag)
{
    enum element element;
    uint64_t count = weft_tensor_count(tensor);
    if (!find_element(&element, tensor->element))
        return weft_error(diag, "input %s: element type %s is not known", tensor->name, tensor->element);
    if (count > tensor->bytes)
        return weft_error(diag, "input %s has %llu elements in %llu bytes", tensor->name, (unsigned long long)count,
                          (unsigned long long)tensor->bytes);
    out->size = count * element_bytes(element);
    out->name = strdup(tensor->name);
    out->bytes = malloc(out->size ? out->size : 1);
    out->rank = tensor->rank;
    memcpy(out->dims, tensor->dims, sizeof out->dims);
    snprintf(out->element, sizeof out->element, "%s", tensor->element);
    if (!out->name || !out->bytes)
        return WEFT_NO_MEMORY;
    interp_random_input(out->bytes, element, 0, (int64_t)count, tensor->name, seed, below);
    return WEFT_OK;
}

static bool already_there(const struct weft_arrays *arrays, const char *name)
{
    for (size_t i = 0; i < arrays->count; i++)
        if (!strcmp(arrays->items[i].name, name))
            return true;
    return false;
}

enum weft_status weft_random_inputs(struct weft_arrays *out, const struct weft_program *program, uint64_t seed, struct weft_diag *diag)
{
    *out = (struct weft_arrays){calloc(program->input_count + 1, sizeof *out->items), 0};
    enum weft_status status = out->items ? WEFT_OK : WEFT_NO_MEMORY;
    for (size_t i = 0; !status && i < program->input_count; i++) {
        const char *name = program->inputs[i].name;
        if (!already_there(out, name))
            status = random_input(&out->items[out->count++], &program->inputs[i], least_table(program, name), seed, diag);
    }
    if (!status)
        return WEFT_OK;
    weft_arrays_free(out);
    *out = (struct weft_arrays){NULL, 0};
    return status;
}
