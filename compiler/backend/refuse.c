/* refuse.c: what the machine cannot do, named before any work is done on it. Every node is looked at, so that one run tells all.
 * fuse.c names the rest: operators without a form, and operands that would have to be constant. */
#include "backend.h"

#include <math.h>
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

/* --- numbers that integers do not have -------------------------------------------------------------------------------------- */

/* Weights and biases get a scale of their own, and an infinity has none. Elsewhere (what masks, say) it becomes the last code, and only NaN has none. */
static bool wants_finite(enum core_op op, unsigned input)
{
    return (op == CORE_CONV || op == CORE_GEMM || op == CORE_MATMUL) && input > 0;
}

static bool does_arithmetic(enum core_op op)
{
    return op == CORE_ADD || op == CORE_SUB || op == CORE_MUL || op == CORE_DIV || op == CORE_GATHER || op == CORE_MATMUL || op == CORE_GEMM;
}

/* A node that cannot take such a number from the constant, or NULL. */
static const struct node *who_minds(const struct graph *graph, int value, bool nan)
{
    for (int i = 0; i < graph->node_count; i++)
        for (unsigned k = 0; !graph->nodes[i].dead && k < graph->nodes[i].input_count; k++)
            if (graph->nodes[i].inputs[k] == value && (wants_finite(graph->nodes[i].op, k) || (nan && does_arithmetic(graph->nodes[i].op))))
                return &graph->nodes[i];
    return NULL;
}

static void place_text(char out[160], const struct shape *shape, int64_t index)
{
    int64_t at[GRAPH_RANK_MAX];
    int length = 0;
    for (unsigned d = shape->rank; d-- > 0; index /= shape->dims[d])
        at[d] = index % shape->dims[d];
    out[0] = 0;
    for (unsigned d = 0; d < shape->rank; d++)
        length += snprintf(out + length, 160 - (size_t)length, "%s%lld%s", d ? ", " : " at [", (long long)at[d], d + 1 < shape->rank ? "" : "]");
}

static enum weft_status check_constant(const struct backend *b, int id)
{
    const struct value *v = &b->graph->values[id];
    bool written = v->element == ELEMENT_F32 && (v->contents == CONTENTS_BYTES || v->contents == CONTENTS_FILL);
    const float *x = written ? value_bytes(b->graph, id) : NULL;
    for (int64_t i = 0, count = x ? shape_count(&v->shape) : 0; i < count; i++) {
        const struct node *n = isfinite(x[i]) ? NULL : who_minds(b->graph, id, isnan(x[i]));
        char place[160];
        if (!n)
            continue;
        place_text(place, &v->shape, i);
        return weft_error(b->diag, "%s: node %s (%s): constant '%s' holds %s%s, which %s has no code for; mend the file, or take a format of floats (bf16, fp32)", b->graph->name,
                          n->name, n->onnx_type ? n->onnx_type : core_op_name(n->op), v->name, isnan(x[i]) ? "nan" : "an infinity", place,
                          b->format == COMPILE_INT8 ? "int8" : "int16");
    }
    return WEFT_OK;
}

enum weft_status backend_check_finite(const struct backend *b)
{
    enum weft_status status = WEFT_OK;
    for (int i = 0; !b->planes && !b->options->timing_only && i < b->graph->value_count; i++)
        if (check_constant(b, i))
            status = WEFT_ERROR;
    return status;
}

/* --- before there is a machine ----------------------------------------------------------------------------------------------- */

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
