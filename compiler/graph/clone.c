/* clone.c: a graph's copy, so that a compilation may write into its own. */
#include "graph.h"

#include <stdlib.h>
#include <string.h>

static void *copy_bytes(const void *from, size_t bytes)
{
    void *copy = malloc(bytes ? bytes : 1);
    if (copy && bytes)
        memcpy(copy, from, bytes);
    return copy;
}

static bool clone_value(struct value *copy, const struct value *value)
{
    *copy = *value;
    copy->borrowed = true;
    copy->name = strdup(value->name);
    return copy->name != NULL;
}

static bool clone_node(struct node *copy, const struct node *node)
{
    *copy = *node;
    copy->name = strdup(node->name);
    copy->onnx_type = node->onnx_type ? strdup(node->onnx_type) : NULL;
    copy->inputs = copy_bytes(node->inputs, node->input_count * sizeof *node->inputs);
    return copy->name && copy->inputs && (copy->onnx_type || !node->onnx_type);
}

/* Counts grow with what has been copied, so that graph_free finds the whole of it after a failure. */
static bool clone_parts(struct graph *copy, const struct graph *graph)
{
    copy->values = malloc(((size_t)graph->value_count + 1) * sizeof *copy->values);
    copy->nodes = malloc(((size_t)graph->node_count + 1) * sizeof *copy->nodes);
    copy->inputs = copy_bytes(graph->inputs, graph->input_count * sizeof *graph->inputs);
    copy->outputs = copy_bytes(graph->outputs, graph->output_count * sizeof *graph->outputs);
    copy->name = graph->name ? strdup(graph->name) : NULL;
    bool whole = copy->values && copy->nodes && copy->inputs && copy->outputs && (copy->name || !graph->name);
    while (whole && copy->value_count < graph->value_count) {
        whole = clone_value(&copy->values[copy->value_count], &graph->values[copy->value_count]);
        copy->value_count++;
    }
    while (whole && copy->node_count < graph->node_count) {
        whole = clone_node(&copy->nodes[copy->node_count], &graph->nodes[copy->node_count]);
        copy->node_count++;
    }
    copy->value_room = graph->value_count + 1;
    copy->node_room = graph->node_count + 1;
    return whole;
}

enum weft_status graph_clone(struct graph **out, const struct graph *graph)
{
    struct graph *copy = malloc(sizeof *copy);
    *out = NULL;
    if (!copy)
        return WEFT_NO_MEMORY;
    *copy = *graph;
    copy->name = NULL;
    copy->values = NULL;
    copy->nodes = NULL;
    copy->inputs = copy->outputs = NULL;
    copy->value_count = copy->node_count = 0;
    copy->file = NULL;
    copy->release = NULL; /* the file stays the original's */
    if (!clone_parts(copy, graph)) {
        graph_free(copy);
        return WEFT_NO_MEMORY;
    }
    *out = copy;
    return WEFT_OK;
}
