/* outputs.c: outputs that nothing computes. A constant that leaves the network is copied by the program like any other value: as the
 * concatenation of that constant alone. */
#include "backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The constant under another name, and its copy under the output's own. */
static int copy_of(struct graph *g, int value)
{
    char name[256];
    struct shape shape = g->values[value].shape; /* a copy: adding a value moves the others */
    snprintf(name, sizeof name, "%.200s/constant", g->values[value].name);
    char *renamed = strdup(name);
    if (!renamed)
        return GRAPH_NONE;
    int copy = graph_add_value(g, g->values[value].name, g->values[value].element, &shape);
    int node = copy < 0 ? GRAPH_NONE : graph_add_node(g, CORE_CONCAT, g->values[copy].name, "Constant", &value, 1);
    if (node < 0) {
        free(renamed);
        return GRAPH_NONE;
    }
    graph_add_output(g, node, copy);
    free(g->values[value].name);
    g->values[value].name = renamed;
    return copy;
}

enum weft_status backend_outputs(struct backend *b)
{
    for (unsigned i = 0; i < b->graph->output_count; i++) {
        int value = b->graph->outputs[i], copy;
        if (!value_is_constant(&b->graph->values[value]))
            continue;
        if (!shape_count(&b->graph->values[value].shape))
            return weft_error(b->diag, "%s: output '%s' has no elements; there is nothing to run", b->graph->name, b->graph->values[value].name);
        if ((copy = copy_of(b->graph, value)) == GRAPH_NONE)
            return WEFT_NO_MEMORY;
        for (unsigned k = i; k < b->graph->output_count; k++)
            b->graph->outputs[k] = b->graph->outputs[k] == value ? copy : b->graph->outputs[k];
    }
    return WEFT_OK;
}
