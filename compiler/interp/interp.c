/* interp.c: the table of kernels, one node, and the walk over a graph. */
#include "interp_kernels.h"
#include "element.h"

#include <stdlib.h>
#include <string.h>

/* HALVES: knows f32 and integers; f64, f16 and bf16 reach it converted to f32. ANY: takes every element type as it is. */
enum { HALVES, ANY };
static const struct {
    enum weft_status (*run)(const struct call *call);
    int types;
} kernels[] = {
    [CORE_CONV] = {interp_conv, HALVES},
    [CORE_GEMM] = {interp_gemm, HALVES},
    [CORE_MATMUL] = {interp_matmul, HALVES},
    [CORE_QCONV] = {interp_qconv, HALVES},
    [CORE_QMATMUL] = {interp_qmatmul, HALVES},
    [CORE_CONV_INTEGER] = {interp_conv_integer, HALVES},
    [CORE_MATMUL_INTEGER] = {interp_matmul_integer, HALVES},
    [CORE_BATCHNORM] = {interp_batchnorm, HALVES},
    [CORE_RELU] = {interp_unary, HALVES},
    [CORE_LEAKY] = {interp_unary, HALVES},
    [CORE_CLIP] = {interp_unary, HALVES},
    [CORE_SIGMOID] = {interp_unary, HALVES},
    [CORE_TANH] = {interp_unary, HALVES},
    [CORE_EXP] = {interp_unary, HALVES},
    [CORE_LOG] = {interp_unary, HALVES},
    [CORE_SQRT] = {interp_unary, HALVES},
    [CORE_RECIPROCAL] = {interp_unary, HALVES},
    [CORE_RSQRT] = {interp_unary, HALVES},
    [CORE_NEG] = {interp_unary, HALVES},
    [CORE_ABS] = {interp_unary, HALVES},
    [CORE_FLOOR] = {interp_unary, HALVES},
    [CORE_CEIL] = {interp_unary, HALVES},
    [CORE_ERF] = {interp_unary, HALVES},
    [CORE_SILU] = {interp_unary, HALVES},
    [CORE_GELU] = {interp_unary, HALVES},
    [CORE_SIN] = {interp_unary, HALVES},
    [CORE_COS] = {interp_unary, HALVES},
    [CORE_IS_NAN] = {interp_is_nan, ANY},
    [CORE_ADD] = {interp_binary, HALVES},
    [CORE_SUB] = {interp_binary, HALVES},
    [CORE_MUL] = {interp_binary, HALVES},
    [CORE_DIV] = {interp_binary, HALVES},
    [CORE_MAX] = {interp_binary, HALVES},
    [CORE_MIN] = {interp_binary, HALVES},
    [CORE_POW] = {interp_binary, HALVES},
    [CORE_MAXPOOL] = {interp_maxpool, HALVES},
    [CORE_AVERAGEPOOL] = {interp_averagepool, HALVES},
    [CORE_SOFTMAX] = {interp_softmax, HALVES},
    [CORE_LRN] = {interp_lrn, HALVES},
    [CORE_REDUCE_MEAN] = {interp_reduce, HALVES},
    [CORE_REDUCE_SUM] = {interp_reduce, HALVES},
    [CORE_REDUCE_SQUARES] = {interp_reduce, HALVES},
    [CORE_REDUCE_MEAN_SQUARES] = {interp_reduce, HALVES},
    [CORE_REDUCE_MAX] = {interp_reduce, HALVES},
    [CORE_CONCAT] = {interp_concat, ANY},
    [CORE_RESHAPE] = {interp_reshape, ANY},
    [CORE_TRANSPOSE] = {interp_transpose, ANY},
    [CORE_PAD] = {interp_pad, ANY},
    [CORE_SLICE] = {interp_slice, ANY},
    [CORE_GATHER] = {interp_gather, ANY},
    [CORE_EXPAND] = {interp_expand, ANY},
    [CORE_CAST] = {interp_cast, ANY},
    [CORE_QUANTIZE] = {interp_quantize, HALVES},
    [CORE_DEQUANTIZE] = {interp_dequantize, HALVES},
    [CORE_COMPARE_EQUAL] = {interp_compare, ANY},
    [CORE_LESS] = {interp_compare, ANY},
    [CORE_LESS_EQUAL] = {interp_compare, ANY},
    [CORE_AND] = {interp_binary, ANY},
    [CORE_OR] = {interp_binary, ANY},
    [CORE_XOR] = {interp_binary, ANY},
    [CORE_NOT] = {interp_unary, ANY},
    [CORE_SIGN] = {interp_unary, HALVES},
    [CORE_ROUND] = {interp_unary, HALVES},
    [CORE_WHERE] = {interp_where, ANY},
};

enum weft_status interp_refuse(const struct call *call, const char *message)
{
    return weft_error(call->diag, "node %s (%s): %s", call->node->name, call->node->onnx_type, message);
}

static bool is_other_float(enum element element)
{
    return element_is_float(element) && element != ELEMENT_F32;
}

/* A tensor of f32 with the values of `from`; bytes NULL: no memory. */
static struct tensor as_f32(const struct tensor *from, bool values)
{
    int64_t count = shape_count(&from->shape);
    struct tensor to = {ELEMENT_F32, from->shape, malloc((size_t)(count ? count : 1) * sizeof(float))};
    for (int64_t i = 0; to.bytes && values && i < count; i++)
        ((float *)to.bytes)[i] = (float)element_load(from->bytes, from->element, i);
    return to;
}

static void from_f32(struct tensor *to, const struct tensor *from)
{
    for (int64_t i = 0, count = shape_count(&to->shape); i < count; i++)
        element_store(to->bytes, to->element, i, ((const float *)from->bytes)[i]);
}

struct converted {
    const struct tensor *in[NODE_INPUTS_MAX];
    struct tensor *out[4];
    struct tensor room[NODE_INPUTS_MAX + 4];
    unsigned used;
};

static bool convert(struct converted *c, const struct call *call)
{
    for (unsigned i = 0; i < call->in_count + call->node->output_count; i++) {
        bool input = i < call->in_count;
        const struct tensor *t = input ? call->in[i] : call->out[i - call->in_count];
        const struct tensor *now = t;
        if (t && is_other_float(t->element)) {
            c->room[c->used] = as_f32(t, input);
            now = &c->room[c->used++];
            if (!now->bytes)
                return false;
        }
        if (input)
            c->in[i] = now;
        else
            c->out[i - call->in_count] = now == t ? call->out[i - call->in_count] : &c->room[c->used - 1];
    }
    return true;
}

static enum weft_status run_converted(const struct call *call)
{
    struct converted c = {.used = 0};
    enum weft_status status = WEFT_NO_MEMORY;
    if (convert(&c, call)) {
        struct call inner = {call->node, c.in, call->in_count, c.out, call->diag};
        status = kernels[call->node->op].run(&inner);
        for (unsigned i = 0; !status && i < call->node->output_count; i++)
            if (c.out[i] != call->out[i])
                from_f32(call->out[i], c.out[i]);
    }
    for (unsigned i = 0; i < c.used; i++)
        free(c.room[i].bytes);
    return status;
}

static bool has_other_floats(const struct call *call)
{
    for (unsigned i = 0; i < call->in_count; i++)
        if (call->in[i] && is_other_float(call->in[i]->element))
            return true;
    for (unsigned i = 0; i < call->node->output_count; i++)
        if (is_other_float(call->out[i]->element))
            return true;
    return false;
}

enum weft_status interp_node(const struct node *node, const struct tensor *const *inputs, struct tensor *const *outputs,
                             struct weft_diag *diag)
{
    struct call call = {node, inputs, node->input_count, outputs, diag};
    if (node->output_count != 1)
        return interp_refuse(&call, "has more than one result, which no core operator has");
    if (kernels[node->op].types == HALVES && has_other_floats(&call))
        return run_converted(&call);
    return kernels[node->op].run(&call);
}

/* --- the graph --------------------------------------------------------------------------------------------------------- */

struct walker {
    struct graph *graph;
    struct tensor *values;
    int *last; /* by value: the last node that reads it; node_count: must stay */
    bool keep;
    void (*visit)(void *user, int value, const struct tensor *tensor);
    void *user;
    struct weft_diag *diag;
};

static void find_last_uses(struct walker *w)
{
    const struct graph *graph = w->graph;
    for (int i = 0; i < graph->value_count; i++)
        w->last[i] = -1;
    for (int i = 0; i < graph->node_count; i++)
        for (unsigned k = 0; !graph->nodes[i].dead && k < graph->nodes[i].input_count; k++)
            if (graph->nodes[i].inputs[k] != GRAPH_NONE)
                w->last[graph->nodes[i].inputs[k]] = i;
    for (unsigned k = 0; k < graph->output_count; k++)
        w->last[graph->outputs[k]] = graph->node_count;
}

static enum weft_status make_room(struct walker *w, int id)
{
    const struct value *value = &w->graph->values[id];
    struct tensor *t = &w->values[id];
    t->element = value->element;
    t->shape = value->shape;
    size_t size = tensor_bytes(t);
    t->bytes = malloc(size ? size : 1);
    return t->bytes ? WEFT_OK : WEFT_NO_MEMORY;
}

static enum weft_status set_inputs(struct walker *w, const struct tensor *inputs)
{
    for (unsigned k = 0; k < w->graph->input_count; k++) {
        int id = w->graph->inputs[k];
        if (make_room(w, id))
            return WEFT_NO_MEMORY;
        memcpy(w->values[id].bytes, inputs[k].bytes, tensor_bytes(&w->values[id]));
        if (w->visit)
            w->visit(w->user, id, &w->values[id]);
    }
    return WEFT_OK;
}

/* The tensor that stands for an input of a node. Constants are lent by the graph and not kept in `values`. */
static enum weft_status find_input(struct walker *w, const struct node *node, unsigned k, struct tensor *lent, const struct tensor **out)
{
    int id = node->inputs[k];
    *out = id == GRAPH_NONE ? NULL : &w->values[id];
    if (id == GRAPH_NONE || w->values[id].bytes)
        return WEFT_OK;
    struct value *value = &w->graph->values[id];
    if (value->contents == CONTENTS_ABSENT)
        return weft_error(w->diag, "node %s (%s): constant %s has a shape but no contents; the network can be timed, not executed",
                          node->name, node->onnx_type, value->name);
    *lent = (struct tensor){value->element, value->shape, (void *)value_bytes(w->graph, id)};
    *out = lent;
    return lent->bytes ? WEFT_OK : WEFT_NO_MEMORY;
}

static void drop_value(struct walker *w, int id)
{
    free(w->values[id].bytes);
    w->values[id].bytes = NULL;
}

static void drop_used(struct walker *w, int node)
{
    const struct node *n = &w->graph->nodes[node];
    for (unsigned k = 0; k < n->input_count; k++)
        if (n->inputs[k] != GRAPH_NONE && w->last[n->inputs[k]] == node)
            drop_value(w, n->inputs[k]);
    for (unsigned k = 0; k < n->output_count; k++)
        if (w->last[n->outputs[k]] < 0)
            drop_value(w, n->outputs[k]);
}

static enum weft_status run_node(struct walker *w, int id)
{
    const struct node *node = &w->graph->nodes[id];
    struct tensor lent[NODE_INPUTS_MAX], *outputs[4];
    const struct tensor *inputs[NODE_INPUTS_MAX];
    for (unsigned k = 0; k < node->input_count; k++) {
        enum weft_status status = find_input(w, node, k, &lent[k], &inputs[k]);
        if (status)
            return status;
    }
    for (unsigned k = 0; k < node->output_count; k++) {
        if (make_room(w, node->outputs[k]))
            return WEFT_NO_MEMORY;
        outputs[k] = &w->values[node->outputs[k]];
    }
    enum weft_status status = interp_node(node, inputs, outputs, w->diag);
    for (unsigned k = 0; !status && w->visit && k < node->output_count; k++)
        w->visit(w->user, node->outputs[k], outputs[k]);
    if (!w->keep)
        drop_used(w, id);
    return status;
}

/* A network output that is a constant has no node that makes it. */
static enum weft_status copy_constant_outputs(struct walker *w)
{
    for (unsigned k = 0; k < w->graph->output_count; k++) {
        int id = w->graph->outputs[k];
        if (w->values[id].bytes)
            continue;
        const void *bytes = value_bytes(w->graph, id);
        if (w->graph->values[id].contents == CONTENTS_ABSENT)
            return weft_error(w->diag, "network output %s is a constant without contents; the network can be timed, not executed",
                              w->graph->values[id].name);
        if (!bytes || make_room(w, id))
            return WEFT_NO_MEMORY;
        memcpy(w->values[id].bytes, bytes, tensor_bytes(&w->values[id]));
    }
    return WEFT_OK;
}

static enum weft_status run_all(struct walker *w, const struct tensor *inputs)
{
    enum weft_status status = set_inputs(w, inputs);
    for (int i = 0; !status && i < w->graph->node_count; i++)
        if (!w->graph->nodes[i].dead)
            status = run_node(w, i);
    return status ? status : copy_constant_outputs(w);
}

enum weft_status interp_graph(struct interp_run *out, struct graph *graph, const struct tensor *inputs, bool keep,
                              void (*visit)(void *user, int value, const struct tensor *tensor), void *user, struct weft_diag *diag)
{
    size_t count = (size_t)graph->value_count + 1;
    struct walker w = {graph, calloc(count, sizeof *w.values), malloc(count * sizeof *w.last), keep, visit, user, diag};
    *out = (struct interp_run){w.values, w.values ? graph->value_count : 0};
    enum weft_status status = WEFT_NO_MEMORY;
    if (w.values && w.last) {
        find_last_uses(&w);
        status = run_all(&w, inputs);
    }
    free(w.last);
    if (status)
        interp_free(out);
    return status;
}

void interp_free(struct interp_run *run)
{
    for (int i = 0; i < run->count; i++)
        free(run->values[i].bytes);
    free(run->values);
    *run = (struct interp_run){NULL, 0};
}
