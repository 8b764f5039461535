/* sizes.c: does what the network asks for fit a host's memory? Asked before anything of that size is made. */
#include <stdlib.h>

#include "import.h"

enum { CONSTANTS_MAX_GIB = 16, VALUES_MAX_GIB = 4 };

struct sizes {
    const struct graph *graph;
    bool *constant; /* by value id: known before the network runs */
    int *last;      /* by value id: the last node that reads it, or -1 */
    uint64_t made, live, peak; /* bytes: constants that are not in the file; values that the float interpreter holds at once */
    int widest;                /* node at which `peak` is reached */
};

static uint64_t bytes_of(const struct graph *graph, int id)
{
    return (uint64_t)shape_count(&graph->values[id].shape) * element_bytes(graph->values[id].element);
}

static void find_readers(struct sizes *s)
{
    const struct graph *g = s->graph;
    for (int i = 0; i < g->value_count; i++) {
        s->last[i] = -1;
        s->constant[i] = value_is_constant(&g->values[i]);
    }
    for (int i = 0; i < g->node_count; i++)
        for (unsigned k = 0; k < g->nodes[i].input_count; k++)
            if (g->nodes[i].inputs[k] != GRAPH_NONE)
                s->last[g->nodes[i].inputs[k]] = i;
    for (unsigned k = 0; k < g->output_count; k++)
        s->last[g->outputs[k]] = g->node_count;
    for (int i = 0; i < g->value_count; i++)
        if (s->constant[i] && s->last[i] >= 0 && g->values[i].contents != CONTENTS_BYTES && g->values[i].contents != CONTENTS_ABSENT)
            s->made += bytes_of(g, i);
    for (unsigned k = 0; k < g->input_count; k++)
        s->live += bytes_of(g, g->inputs[k]);
}

static void count_node(struct sizes *s, int id)
{
    const struct node *n = &s->graph->nodes[id];
    bool constant = true;
    for (unsigned k = 0; k < n->input_count; k++)
        constant &= n->inputs[k] == GRAPH_NONE || s->constant[n->inputs[k]];
    for (unsigned k = 0; k < n->output_count; k++) {
        s->constant[n->outputs[k]] = constant;
        *(constant ? &s->made : &s->live) += bytes_of(s->graph, n->outputs[k]);
    }
    if (s->live > s->peak) {
        s->peak = s->live;
        s->widest = id;
    }
    for (unsigned k = 0; k < n->input_count; k++) {
        int input = n->inputs[k];
        if (input == GRAPH_NONE || s->constant[input] || s->last[input] != id)
            continue;
        s->live -= bytes_of(s->graph, input);
        s->last[input] = -1; /* read twice by this node: counted once */
    }
}

static enum weft_status judge(const struct sizes *s, const char *path, struct weft_diag *diag)
{
    const struct node *n = s->widest < s->graph->node_count ? &s->graph->nodes[s->widest] : NULL;
    enum weft_status status = WEFT_OK;
    if (s->made > (uint64_t)CONSTANTS_MAX_GIB << 30)
        status = weft_error(diag, "%s: constants that the network makes take %llu bytes; at most %d GiB are supported (--timing makes none)",
                            path, (unsigned long long)s->made, CONSTANTS_MAX_GIB);
    if (s->peak > (uint64_t)VALUES_MAX_GIB << 30)
        status = weft_error(diag, "%s: at node %s (%s) the network holds values of %llu bytes as floats; at most %d GiB are supported: give a "
                            "smaller --batch, or --timing",
                            path, n ? n->name : "", n ? n->onnx_type : "", (unsigned long long)s->peak, VALUES_MAX_GIB);
    return status;
}

enum weft_status import_sizes(const struct graph *graph, const char *path, struct weft_diag *diag)
{
    size_t count = (size_t)graph->value_count + 1;
    struct sizes s = {graph, calloc(count, sizeof *s.constant), calloc(count, sizeof *s.last)};
    enum weft_status status = s.constant && s.last ? WEFT_OK : WEFT_NO_MEMORY;
    if (!status) {
        find_readers(&s);
        for (int i = 0; i < graph->node_count; i++)
            count_node(&s, i);
        status = judge(&s, path, diag);
    }
    free(s.constant);
    free(s.last);
    return status;
}
