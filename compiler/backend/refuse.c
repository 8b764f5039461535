/* refuse.c: what the machine cannot do, named before any work is done on it. Every node is looked at, so that one run tells all.
 * fuse.c names the rest: operators without a form, and operands that would have to be constant. */
#include "backend.h"

#include <stdio.h>

static enum weft_status refuse(const struct backend *b, const struct node *n, const char *why)
{
    return weft_error(b->diag, "%s: node %s (%s): %s", b->graph->name, n->name, n->onnx_type ? n->onnx_type : core_op_name(n->op), why);
}

static enum weft_status check_inputs(const struct backend *b)
{
    enum weft_status status = WEFT_OK;
    for (unsigned i = 0; i < b->graph->input_count; i++) {
        const struct value *v = &b->graph->values[b->graph->inputs[i]];
        if (graph_uses(b->graph, b->graph->inputs[i]) && !shape_count(&v->shape))
            status = weft_error(b->diag, "%s: input '%s' has no elements; the machine has nothing to run on", b->graph->name, v->name);
    }
    return status;
}

static enum weft_status check_node(const struct backend *b, const struct node *n)
{
    if (!shape_count(&b->graph->values[n->outputs[0]].shape))
        return refuse(b, n, "its result has no elements");
    return WEFT_OK;
}

enum weft_status backend_check(const struct backend *b)
{
    enum weft_status status = check_inputs(b);
    for (int i = 0; i < b->graph->node_count; i++)
        if (!b->graph->nodes[i].dead && check_node(b, &b->graph->nodes[i]))
            status = WEFT_ERROR;
    return status;
}

enum weft_status backend_refusals(struct graph *graph, struct weft_diag *diag)
{
    struct backend b = {.graph = graph, .diag = diag};
    enum weft_status status = backend_fuse(&b);
    backend_free(&b);
    return status;
}

/* All values of one inference lie in the unified buffer at once with what they are made of: one that alone is larger never will. */
enum weft_status backend_refuse_sizes(const struct backend *b)
{
    const struct graph *g = b->graph;
    const struct shape *input = g->input_count ? &g->values[g->inputs[0]].shape : NULL;
    int64_t batch = input && input->rank && input->dims[0] > 0 ? input->dims[0] : 1;
    enum weft_status status = WEFT_OK;
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *l = &b->layers[i];
        uint64_t bytes = (uint64_t)shape_count(&g->values[l->y].shape) / (uint64_t)batch;
        char why[300];
        if (bytes <= b->machine->ub_bytes)
            continue;
        snprintf(why, sizeof why, "its result '%.60s' needs at least %llu bytes of unified buffer for one inference; machine %.40s has %llu; try a larger --set unified_buffer.bytes",
                 g->values[l->y].name, (unsigned long long)bytes, b->machine->name, (unsigned long long)b->machine->ub_bytes);
        status = refuse(b, &g->nodes[l->node], why);
    }
    return status;
}
