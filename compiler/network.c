/* network.c: a network as its user sees it. */
#include "network.h"

#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "import.h"
#include "model.h"
#include "passes.h"

enum weft_status weft_network_load(struct weft_network **out, const char *path, const struct weft_compile_options *options,
                                   struct weft_diag *diag)
{
    struct weft_network *network = calloc(1, sizeof *network);
    enum weft_status status = network ? WEFT_OK : WEFT_NO_MEMORY;
    *out = NULL;
    if (network)
        pthread_mutex_init(&network->making, NULL);
    if (network && !(network->path = strdup(path)))
        status = WEFT_NO_MEMORY;
    bool whole = true;
    if (!status)
        status = import_what_can(&network->graph, &whole, path, options, diag);
    if (!status)
        status = passes_run(network->graph, options && whole ? options->dump_after : NULL, options ? options->dump : NULL, diag);
    if (!status && !whole) {
        backend_refusals(network->graph, diag); /* of a whole network weft_compile says it */
        status = WEFT_ERROR;
    }
    if (status)
        weft_network_free(network);
    else
        *out = network;
    return status;
}

void weft_network_free(struct weft_network *network)
{
    if (!network)
        return;
    for (int i = 0; network->floats && i < network->run.count; i++)
        free(network->floats[i]);
    free(network->floats);
    if (network->interpreted)
        interp_free(&network->run);
    graph_free(network->graph);
    pthread_mutex_destroy(&network->making);
    free(network->path);
    free(network);
}

const char *weft_network_file(const struct weft_network *network, size_t index)
{
    const struct model *model = network->graph->file;
    return model && index < model->map_count ? model->maps[index].path : NULL;
}

bool weft_network_reads(const struct weft_network *network, const char *input)
{
    const struct graph *graph = network->graph;
    for (unsigned k = 0; k < graph->input_count; k++)
        if (!strcmp(graph->values[graph->inputs[k]].name, input))
            return graph_uses(graph, graph->inputs[k]);
    return false;
}

/* Products that the operator's definition asks for: one weight times one input, padding included. */
static uint64_t node_macs(const struct graph *graph, const struct node *node)
{
    const struct shape *out = &graph->values[node->outputs[0]].shape;
    uint64_t results = (uint64_t)shape_count(out);
    const struct shape *a = node->input_count ? &graph->values[node->inputs[0]].shape : NULL;
    switch (node->op) {
    case CORE_CONV:
    case CORE_CONV_INTEGER:
    case CORE_QCONV: {
        const struct shape *w = &graph->values[node->inputs[node->op == CORE_QCONV ? 3 : 1]].shape;
        return w->dims[0] ? results * ((uint64_t)shape_count(w) / (uint64_t)w->dims[0]) : 0;
    }
    case CORE_GEMM:
        return results * (uint64_t)a->dims[node->at.trans_a ? 0 : 1];
    case CORE_MATMUL:
    case CORE_MATMUL_INTEGER:
    case CORE_QMATMUL:
        return results * (uint64_t)a->dims[a->rank - 1];
    default:
        return 0;
    }
}

static uint64_t node_weights(const struct graph *graph, const struct node *node, bool *counted)
{
    uint64_t weights = 0;
    for (unsigned k = 0; k < node->input_count; k++) {
        int id = node->inputs[k];
        if (id == GRAPH_NONE || counted[id] || !value_is_constant(&graph->values[id]))
            continue;
        counted[id] = true;
        weights += (uint64_t)shape_count(&graph->values[id].shape);
    }
    return weights;
}

static bool same_dims(const struct shape *shape, const struct weft_tensor *tensor)
{
    bool same = shape->rank == tensor->rank;
    for (unsigned d = 0; same && d < shape->rank; d++)
        same = (uint64_t)shape->dims[d] == tensor->dims[d];
    return same;
}

bool weft_network_takes(const struct weft_network *network, const struct weft_program *program)
{
    const struct graph *graph = network->graph;
    size_t taken = 0;
    for (size_t i = 0; i < program->input_count; i++)
        for (unsigned k = 0; k < (unsigned)graph->input_count; k++) {
            const struct value *input = &graph->values[graph->inputs[k]];
            taken += !strcmp(input->name, program->inputs[i].name) && same_dims(&input->shape, &program->inputs[i]);
        }
    return taken == program->input_count;
}

bool weft_network_port(const struct weft_network *network, bool output, size_t index, struct weft_array *out)
{
    const struct graph *graph = network->graph;
    if (index >= (output ? graph->output_count : graph->input_count))
        return false;
    const struct value *value = &graph->values[(output ? graph->outputs : graph->inputs)[index]];
    *out = (struct weft_array){.name = value->name, .rank = value->shape.rank};
    for (unsigned d = 0; d < out->rank; d++)
        out->dims[d] = (uint64_t)value->shape.dims[d];
    snprintf(out->element, sizeof out->element, "%s", element_name(value->element));
    return true;
}

struct weft_network_summary weft_network_summary(const struct weft_network *network)
{
    const struct graph *graph = network->graph;
    struct weft_network_summary summary = {0};
    bool *counted = calloc((size_t)graph->value_count + 1, sizeof *counted);
    for (int i = 0; i < graph->node_count && counted; i++) {
        if (graph->nodes[i].dead)
            continue;
        summary.nodes++;
        summary.macs += node_macs(graph, &graph->nodes[i]);
        summary.weights += node_weights(graph, &graph->nodes[i], counted);
    }
    free(counted);
    return summary;
}
