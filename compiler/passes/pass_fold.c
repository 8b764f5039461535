/* pass_fold.c: a node whose inputs are all constants becomes a constant.
 *
 * Dequantization of constants stays for pass_qdq, which reads the network's own scales from it. Contents that a rule makes
 * stay a rule where the node only moves them. Where contents are absent, or too many to be made for timing alone, the
 * result is absent too: it has its shape, which is all that timing needs.
 */
#include "interp.h"
#include "pass_edit.h"
#include "passes.h"

#include <stdlib.h>

static bool inputs_constant(const struct graph *graph, const struct node *node)
{
    for (unsigned k = 0; k < node->input_count; k++)
        if (node->inputs[k] != GRAPH_NONE && !value_is_constant(&graph->values[node->inputs[k]]))
            return false;
    return node->op != CORE_DEQUANTIZE && node->output_count == 1;
}

static bool inputs_known(const struct graph *graph, const struct node *node)
{
    for (unsigned k = 0; k < node->input_count; k++)
        if (node->inputs[k] != GRAPH_NONE && !edit_is_known(graph, node->inputs[k]))
            return false;
    return true;
}

/* Element i of the result is element i of the input (reshape), or all are the same. */
static bool keeps_rule(const struct graph *graph, const struct node *node)
{
    const struct value *x = &graph->values[node->inputs[0]];
    bool moves = node->op == CORE_RESHAPE || node->op == CORE_TRANSPOSE || node->op == CORE_SLICE || node->op == CORE_EXPAND;
    if (x->contents == CONTENTS_FILL)
        return moves;
    return node->op == CORE_RESHAPE && (x->contents == CONTENTS_NORMAL || x->contents == CONTENTS_UNIFORM);
}

static void take_rule(struct graph *graph, const struct node *node)
{
    const struct value *x = &graph->values[node->inputs[0]];
    struct value *y = &graph->values[node->outputs[0]];
    y->contents = x->contents;
    y->fill = x->fill;
    y->mean = x->mean;
    y->deviation = x->deviation;
    y->seed = x->seed;
}

static enum weft_status compute(struct graph *graph, const struct node *node, struct weft_diag *diag)
{
    struct tensor room[NODE_INPUTS_MAX], out;
    const struct tensor *inputs[NODE_INPUTS_MAX];
    for (unsigned k = 0; k < node->input_count; k++) {
        int id = node->inputs[k];
        inputs[k] = id == GRAPH_NONE ? NULL : &room[k];
        if (id == GRAPH_NONE)
            continue;
        room[k] = (struct tensor){graph->values[id].element, graph->values[id].shape, (void *)value_bytes(graph, id)};
        if (!room[k].bytes)
            return WEFT_NO_MEMORY;
    }
    struct value *y = &graph->values[node->outputs[0]];
    size_t size = (size_t)shape_count(&y->shape) * element_bytes(y->element);
    out = (struct tensor){y->element, y->shape, malloc(size ? size : 1)};
    enum weft_status status = out.bytes ? interp_node(node, inputs, (struct tensor *[]){&out}, diag) : WEFT_NO_MEMORY;
    if (status) {
        free(out.bytes);
        return status;
    }
    y->contents = CONTENTS_BYTES;
    y->bytes = out.bytes;
    return WEFT_OK;
}

enum weft_status edit_fold(struct graph *graph, struct node *node, struct weft_diag *diag)
{
    enum weft_status status = WEFT_OK;
    if (keeps_rule(graph, node))
        take_rule(graph, node);
    else if (inputs_known(graph, node))
        status = compute(graph, node, diag);
    else
        graph->values[node->outputs[0]].contents = CONTENTS_ABSENT;
    if (!status)
        edit_kill(graph, node);
    return status;
}

enum weft_status pass_fold(struct graph *graph, struct weft_diag *diag)
{
    for (int i = 0; i < graph->node_count; i++) {
        struct node *node = &graph->nodes[i];
        if (node->dead || !inputs_constant(graph, node))
            continue;
        enum weft_status status = edit_fold(graph, node, diag);
        if (status)
            return status;
    }
    return WEFT_OK;
}
