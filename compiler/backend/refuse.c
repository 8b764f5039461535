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

/* No machine is chosen yet: one in whose buffer everything fits, so that what is refused here is refused on all. */
static const struct weft_machine any_machine = {.name = "any", .ub_bytes = UINT64_MAX};
static const struct weft_compile_options no_options = {0};

enum weft_status backend_refusals(struct graph *graph, struct weft_diag *diag)
{
    struct backend b = {.graph = graph, .machine = &any_machine, .options = &no_options, .diag = diag};
    enum weft_status status = backend_fuse(&b);
    backend_free(&b);
    return status;
}
