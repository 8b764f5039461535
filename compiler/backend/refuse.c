/* refuse.c: what the machine cannot do, named before any work is done on it. Every node is looked at, so that one run tells all.
 * fuse.c names the rest: operators without a form, and operands that would have to be constant. */
#include "backend.h"

#include <stdio.h>

enum { RANK_MAX = 4, LANES_MAX = 65535 };

static enum weft_status refuse(const struct backend *b, const struct node *n, const char *why)
{
    return weft_error(b->diag, "%s: node %s (%s): %s", b->graph->name, n->name, n->onnx_type ? n->onnx_type : core_op_name(n->op), why);
}

static enum weft_status check_inputs(const struct backend *b)
{
    enum weft_status status = WEFT_OK;
    for (unsigned i = 0; i < b->graph->input_count; i++) {
        const struct value *v = &b->graph->values[b->graph->inputs[i]];
        enum element e = v->element;
        if (graph_uses(b->graph, b->graph->inputs[i]) && e != ELEMENT_F32 && e != ELEMENT_U8 && e != ELEMENT_S8 && e != ELEMENT_S32 &&
            !lookup_limit(b, b->graph->inputs[i]))
            status = weft_error(b->diag, "%s: input '%s' has type %s; the machine takes float32, uint8, int8 and int32", b->graph->name,
                                v->name, element_name(e));
    }
    return status;
}

static bool is_constant(const struct backend *b, int value)
{
    return value == GRAPH_NONE || value_is_constant(&b->graph->values[value]);
}

static enum weft_status check_scale(const struct backend *b, const struct node *n)
{
    if (is_constant(b, n->inputs[1]) && is_constant(b, n->inputs[2]) && shape_count(&b->graph->values[n->inputs[1]].shape) == 1)
        return WEFT_OK;
    return refuse(b, n, "scale and zero point of what is computed must be constants, one for the whole tensor");
}

static enum weft_status check_softmax(const struct backend *b, const struct node *n)
{
    const struct shape *x = &b->graph->values[n->inputs[0]].shape;
    if (n->at.axis != 1 && n->at.axis != (int64_t)x->rank - 1)
        return refuse(b, n, "the axis is neither 1 (channels) nor the last");
    return x->dims[n->at.axis] <= LANES_MAX ? WEFT_OK : refuse(b, n, "the axis has more than 65535 elements");
}

/* Constants lie behind patterns of four dimensions. */
static enum weft_status check_operands(const struct backend *b, const struct node *n)
{
    const struct shape *y = &b->graph->values[n->outputs[0]].shape;
    if (y->rank <= RANK_MAX || (!is_constant(b, n->inputs[0]) && !is_constant(b, n->inputs[1])))
        return WEFT_OK;
    return refuse(b, n, "the result has more than four dimensions that run differently over its constant operand");
}

static enum weft_status check_node(const struct backend *b, const struct node *n)
{
    if (!shape_count(&b->graph->values[n->outputs[0]].shape))
        return refuse(b, n, "its result has no elements");
    switch (n->op) {
    case CORE_QUANTIZE:
    case CORE_DEQUANTIZE:
        return check_scale(b, n);
    case CORE_SOFTMAX:
        return check_softmax(b, n);
    case CORE_ADD:
    case CORE_SUB:
    case CORE_MUL:
    case CORE_DIV:
    case CORE_MAX:
    case CORE_MIN:
        return check_operands(b, n);
    default:
        return WEFT_OK;
    }
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
