/* pass_batchnorm.c: batch normalisation of constant parameters is y = factor x + offset for each channel, with
 * factor = scale / sqrt(variance + epsilon) and offset = bias - mean factor. It goes into the weights and bias of the
 * convolution or gemm before it where nothing else reads that; else it becomes a mul and an add.
 */
#include "pass_edit.h"
#include "passes.h"

#include <math.h>
#include <stdlib.h>

struct affine {
    float *factor, *offset;
    int64_t channels;
    bool known;
}; /* not known: for timing only; NULL arrays */

static enum weft_status affine_set(struct affine *a, struct graph *graph, const struct node *node)
{
    *a = (struct affine){.channels = shape_count(&graph->values[node->inputs[1]].shape), .known = true};
    for (unsigned k = 1; k < 5; k++)
        a->known &= edit_is_known(graph, node->inputs[k]);
    if (!a->known)
        return WEFT_OK;
    a->factor = malloc((size_t)(a->channels + 1) * sizeof *a->factor);
    a->offset = malloc((size_t)(a->channels + 1) * sizeof *a->offset);
    if (!a->factor || !a->offset)
        return WEFT_NO_MEMORY;
    for (int64_t c = 0; c < a->channels; c++) {
        double at[4]; /* scale, bias, mean, variance */
        for (unsigned k = 0; k < 4; k++)
            if (!value_at(graph, node->inputs[k + 1], c, &at[k]))
                return WEFT_NO_MEMORY;
        double factor = at[0] / sqrt(at[3] + (double)node->at.epsilon);
        a->factor[c] = (float)factor;
        a->offset[c] = (float)(at[1] - at[2] * factor);
    }
    return WEFT_OK;
}

static void affine_clear(struct affine *a)
{
    free(a->factor);
    free(a->offset);
}

/* --- into the weights before it ------------------------------------------------------------------------------------------ */

static bool is_constant_f32(const struct graph *graph, int value)
{
    return value_is_constant(&graph->values[value]) && graph->values[value].element == ELEMENT_F32;
}

/* A gemm's bias must be one number a column, so that it can be folded and lies as it did; so must alpha and beta be 1. */
static bool takes_affine(const struct graph *graph, const struct node *maker, int64_t channels)
{
    bool biased = maker->input_count > 2 && maker->inputs[2] != GRAPH_NONE;
    if (maker->op != CORE_CONV && maker->op != CORE_GEMM)
        return false;
    if (!is_constant_f32(graph, maker->inputs[1]) || (biased && !is_constant_f32(graph, maker->inputs[2])))
        return false;
    if (maker->op == CORE_CONV)
        return true;
    return maker->at.alpha == 1 &&
           (!biased || (maker->at.beta == 1 && edit_is_per_channel(&graph->values[maker->inputs[2]].shape, channels)));
}

/* Output channels of the weights lie along rows (conv, gemm with b transposed) or columns. */
static void scale_weights(float *to, const float *from, int64_t count, const struct affine *a, bool rows)
{
    int64_t inner = rows && a->channels ? count / a->channels : 1;
    for (int64_t i = 0; i < count; i++)
        to[i] = from[i] * a->factor[i / inner % a->channels];
}

static enum weft_status fold_weights(struct graph *graph, struct node *maker, const char *name, const struct affine *a)
{
    int old = maker->inputs[1];
    struct shape shape = graph->values[old].shape;
    float *made = NULL;
    if (a->known && edit_is_known(graph, old)) {
        const void *bytes = value_bytes(graph, old);
        made = bytes ? malloc((size_t)(shape_count(&shape) + 1) * sizeof *made) : NULL;
        if (!made)
            return WEFT_NO_MEMORY;
        scale_weights(made, bytes, shape_count(&shape), a, maker->op == CORE_CONV || maker->at.trans_b);
    }
    int id = edit_constant(graph, name, "weights", ELEMENT_F32, &shape, made);
    free(made);
    if (id == GRAPH_NONE)
        return WEFT_NO_MEMORY;
    maker->inputs[1] = id;
    return WEFT_OK;
}

/* False: no memory. */
static bool fold_offsets(struct graph *graph, const struct node *maker, const struct affine *a, float *made)
{
    int bias = maker->input_count > 2 ? maker->inputs[2] : GRAPH_NONE;
    double before = 0;
    for (int64_t c = 0; c < a->channels; c++) {
        if (bias != GRAPH_NONE && !value_at(graph, bias, c, &before))
            return false;
        made[c] = (float)(before * a->factor[c] + a->offset[c]);
    }
    return true;
}

static bool set_bias(struct node *maker, int id)
{
    if (maker->input_count < 3) {
        int *inputs = realloc(maker->inputs, 3 * sizeof *inputs);
        if (!inputs)
            return false;
        maker->inputs = inputs;
        maker->input_count = 3;
    }
    maker->inputs[2] = id;
    maker->at.beta = 1;
    return true;
}

static enum weft_status fold_bias(struct graph *graph, struct node *maker, const char *name, const struct affine *a)
{
    int old = maker->input_count > 2 ? maker->inputs[2] : GRAPH_NONE;
    float *made = NULL;
    bool done = true;
    if (a->known && (old == GRAPH_NONE || edit_is_known(graph, old))) {
        made = malloc((size_t)(a->channels + 1) * sizeof *made);
        done = made && fold_offsets(graph, maker, a, made);
    }
    int id = done ? edit_constant(graph, name, "bias", ELEMENT_F32, &(struct shape){.rank = 1, .dims = {a->channels}}, made) : GRAPH_NONE;
    free(made);
    return id != GRAPH_NONE && set_bias(maker, id) ? WEFT_OK : WEFT_NO_MEMORY;
}

static enum weft_status fold_into(struct graph *graph, struct node *maker, struct node *node, const struct affine *a)
{
    const char *name = node->name;
    enum weft_status status = fold_bias(graph, maker, name, a);
    if (!status)
        status = fold_weights(graph, maker, name, a);
    if (!status)
        edit_take_output(graph, maker, node);
    return status;
}

/* --- or mul and add ------------------------------------------------------------------------------------------------------ */

/* Channels stand before the spatial dimensions: [C, 1, 1] broadcasts over N, C, H, W. */
static struct shape channel_shape(const struct affine *a, unsigned rank)
{
    struct shape shape = {.rank = rank > 1 ? rank - 1 : 1, .dims = {a->channels}};
    for (unsigned d = 1; d < shape.rank; d++)
        shape.dims[d] = 1;
    return shape;
}

static enum weft_status become_mul_add(struct graph *graph, int id, const struct affine *a)
{
    int x = graph->nodes[id].inputs[0], y = graph->nodes[id].outputs[0];
    struct shape shape = graph->values[y].shape, channels = channel_shape(a, shape.rank);
    const char *name = graph->nodes[id].name, *type = graph->nodes[id].onnx_type;
    int factor = edit_constant(graph, name, "factor", ELEMENT_F32, &channels, a->factor),
        offset = edit_constant(graph, name, "offset", ELEMENT_F32, &channels, a->offset);
    int scaled = edit_constant(graph, name, "scaled", graph->values[y].element, &shape, NULL);
    if (factor == GRAPH_NONE || offset == GRAPH_NONE || scaled == GRAPH_NONE)
        return WEFT_NO_MEMORY;
    graph->values[scaled].contents = CONTENTS_NONE;
    int mul = graph_add_node(graph, CORE_MUL, name, type, (int[]){x, factor}, 2);
    if (mul == GRAPH_NONE)
        return WEFT_NO_MEMORY;
    int add = graph_add_node(graph, CORE_ADD, graph->nodes[id].name, graph->nodes[id].onnx_type, (int[]){scaled, offset}, 2);
    if (add == GRAPH_NONE)
        return WEFT_NO_MEMORY;
    edit_kill(graph, &graph->nodes[id]);
    graph_add_output(graph, mul, scaled);
    graph_add_output(graph, add, y);
    return WEFT_OK;
}

static enum weft_status replace(struct graph *graph, int id)
{
    struct node *node = &graph->nodes[id], *maker = edit_producer(graph, node->inputs[0]);
    struct affine a;
    enum weft_status status = affine_set(&a, graph, node);
    if (!status && maker && edit_only_reader(graph, node->inputs[0]) && takes_affine(graph, maker, a.channels))
        status = fold_into(graph, maker, node, &a);
    else if (!status)
        status = become_mul_add(graph, id, &a);
    affine_clear(&a);
    return status;
}

static bool is_replaced(const struct graph *graph, const struct node *node)
{
    if (node->dead || node->op != CORE_BATCHNORM || graph->values[node->outputs[0]].element != ELEMENT_F32)
        return false;
    for (unsigned k = 1; k < 5; k++)
        if (!is_constant_f32(graph, node->inputs[k]))
            return false;
    return true;
}

enum weft_status pass_batchnorm(struct graph *graph, struct weft_diag *diag)
{
    for (int i = 0, count = graph->node_count; i < count; i++) {
        if (!is_replaced(graph, &graph->nodes[i]))
            continue;
        enum weft_status status = replace(graph, i);
        if (status)
            return status;
    }
    return graph_sort(graph, diag);
}
