/* dump.c: a graph as ONNX text, opset 17, which the text front end reads again.
 *
 * Core operators go back to the ONNX operators that they came from; what the importer resolved (shapes, bounds, axes) stands as
 * constants before the node; what opset 17 has no name for stands as the nodes that it is made of. Constants of a few elements stand in full, those that a rule makes as their rule; for other
 * contents zeros of the same shape stand in, with a comment.
 */
#include "dump_print.h"
#include "passes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* --- constants --------------------------------------------------------------------------------------------------------- */

/* Once each, in front of the nodes that read them. */
static void print_constants(struct dump *d, bool *printed)
{
    const struct graph *graph = d->graph;
    for (int i = 0; i < graph->node_count; i++)
        for (unsigned k = 0; !graph->nodes[i].dead && k < graph->nodes[i].input_count; k++) {
            int id = graph->nodes[i].inputs[k];
            if (id == GRAPH_NONE || printed[id] || !value_is_constant(&graph->values[id]))
                continue;
            printed[id] = true;
            dump_constant(d, id);
        }
    for (unsigned k = 0; k < graph->output_count; k++)
        if (value_is_constant(&graph->values[graph->outputs[k]]) && !printed[graph->outputs[k]])
            dump_constant(d, graph->outputs[k]);
}

/* --- attributes ---------------------------------------------------------------------------------------------------------- */

struct list {
    struct dump *d;
    bool any;
}; /* "<", then attributes between commas */

static void attribute(struct list *list, const char *name)
{
    fprintf(list->d->out, "%s%s = ", list->any ? ", " : " <", name);
    list->any = true;
}

static void attribute_int(struct list *list, const char *name, int64_t number)
{
    attribute(list, name);
    fprintf(list->d->out, "%lld", (long long)number);
}

static void attribute_real(struct list *list, const char *name, float number)
{
    attribute(list, name);
    dump_real(list->d, (double)number, 9);
}

static void attribute_ints(struct list *list, const char *name, const int64_t *ints, unsigned count)
{
    attribute(list, name);
    dump_dims(list->d, ints, count);
}

static void window_attributes(struct list *list, const struct attributes *at, bool dilations)
{
    int64_t pads[6], ones[3] = {1, 1, 1};
    for (unsigned i = 0; i < at->spatial; i++)
        pads[i] = at->pad_begin[i], pads[at->spatial + i] = at->pad_end[i];
    attribute_ints(list, "kernel_shape", at->kernel, at->spatial);
    attribute_ints(list, "strides", at->stride[0] ? at->stride : ones, at->spatial);
    if (dilations)
        attribute_ints(list, "dilations", at->dilation[0] ? at->dilation : ones, at->spatial);
    attribute_ints(list, "pads", pads, 2 * at->spatial);
}

static void gemm_attributes(struct list *list, const struct attributes *at)
{
    attribute_real(list, "alpha", at->alpha);
    attribute_real(list, "beta", at->beta);
    attribute_int(list, "transA", at->trans_a);
    attribute_int(list, "transB", at->trans_b);
}

static void lrn_attributes(struct list *list, const struct attributes *at)
{
    attribute_int(list, "size", at->size);
    attribute_real(list, "alpha", at->alpha);
    attribute_real(list, "beta", at->beta);
    attribute_real(list, "bias", at->bias);
}

static void print_attributes(struct dump *d, const struct node *node)
{
    const struct attributes *at = &node->at;
    struct list list = {d, false};
    switch (node->op) {
    case CORE_CONV:
    case CORE_QCONV:
    case CORE_CONV_INTEGER:
        window_attributes(&list, at, true);
        attribute_int(&list, "group", at->groups);
        break;
    case CORE_MAXPOOL:
        window_attributes(&list, at, true);
        break;
    case CORE_AVERAGEPOOL:
        window_attributes(&list, at, false);
        attribute_int(&list, "count_include_pad", at->count_include_pad);
        break;
    case CORE_GEMM:
        gemm_attributes(&list, at);
        break;
    case CORE_LRN:
        lrn_attributes(&list, at);
        break;
    case CORE_BATCHNORM:
        attribute_real(&list, "epsilon", at->epsilon);
        break;
    case CORE_LEAKY:
        attribute_real(&list, "alpha", at->alpha);
        break;
    case CORE_REDUCE_MEAN:
    case CORE_REDUCE_MEAN_SQUARES:
    case CORE_REDUCE_MAX:
        attribute_ints(&list, "axes", at->axes, at->axis_count); /* fall through */
    case CORE_REDUCE_SUM:
    case CORE_REDUCE_SQUARES:
        attribute_int(&list, "keepdims", at->keep_dims);
        break;
    case CORE_SOFTMAX:
    case CORE_CONCAT:
    case CORE_GATHER:
    case CORE_QUANTIZE:
    case CORE_DEQUANTIZE:
        attribute_int(&list, "axis", at->axis);
        break;
    case CORE_TRANSPOSE:
        attribute_ints(&list, "perm", at->perm, d->graph->values[node->outputs[0]].shape.rank);
        break;
    case CORE_CAST:
        attribute_int(&list, "to", dump_types[at->to].number);
        break;
    default:
        break;
    }
    if (list.any)
        fputc('>', d->out);
}

/* --- nodes --------------------------------------------------------------------------------------------------------------- */

static const char *const operators[] = {
    [CORE_CONV] = "Conv",
    [CORE_GEMM] = "Gemm",
    [CORE_MATMUL] = "MatMul",
    [CORE_QCONV] = "QLinearConv",
    [CORE_QMATMUL] = "QLinearMatMul",
    [CORE_CONV_INTEGER] = "ConvInteger",
    [CORE_MATMUL_INTEGER] = "MatMulInteger",
    [CORE_BATCHNORM] = "BatchNormalization",
    [CORE_RELU] = "Relu",
    [CORE_LEAKY] = "LeakyRelu",
    [CORE_CLIP] = "Clip",
    [CORE_SIGMOID] = "Sigmoid",
    [CORE_TANH] = "Tanh",
    [CORE_EXP] = "Exp",
    [CORE_LOG] = "Log",
    [CORE_SQRT] = "Sqrt",
    [CORE_RECIPROCAL] = "Reciprocal",
    [CORE_RSQRT] = "Reciprocal",
    [CORE_NEG] = "Neg",
    [CORE_ABS] = "Abs",
    [CORE_FLOOR] = "Floor",
    [CORE_CEIL] = "Ceil",
    [CORE_ERF] = "Erf",
    [CORE_SILU] = "Mul",
    [CORE_GELU] = "Mul",
    [CORE_SIN] = "Sin",
    [CORE_COS] = "Cos",
    [CORE_IS_NAN] = "IsNaN",
    [CORE_ADD] = "Add",
    [CORE_SUB] = "Sub",
    [CORE_MUL] = "Mul",
    [CORE_DIV] = "Div",
    [CORE_MAX] = "Max",
    [CORE_MIN] = "Min",
    [CORE_POW] = "Pow",
    [CORE_MAXPOOL] = "MaxPool",
    [CORE_AVERAGEPOOL] = "AveragePool",
    [CORE_SOFTMAX] = "Softmax",
    [CORE_LRN] = "LRN",
    [CORE_REDUCE_MEAN] = "ReduceMean",
    [CORE_REDUCE_SUM] = "ReduceSum",
    [CORE_REDUCE_SQUARES] = "ReduceSum",
    [CORE_REDUCE_MEAN_SQUARES] = "ReduceMean",
    [CORE_REDUCE_MAX] = "ReduceMax",
    [CORE_CONCAT] = "Concat",
    [CORE_RESHAPE] = "Reshape",
    [CORE_TRANSPOSE] = "Transpose",
    [CORE_PAD] = "Pad",
    [CORE_SLICE] = "Slice",
    [CORE_GATHER] = "Gather",
    [CORE_EXPAND] = "Expand",
    [CORE_CAST] = "Cast",
    [CORE_QUANTIZE] = "QuantizeLinear",
    [CORE_DEQUANTIZE] = "DequantizeLinear",
    [CORE_COMPARE_EQUAL] = "Equal",
    [CORE_LESS] = "Less",
    [CORE_LESS_EQUAL] = "LessOrEqual",
    [CORE_AND] = "And",
    [CORE_OR] = "Or",
    [CORE_XOR] = "Xor",
    [CORE_NOT] = "Not",
    [CORE_SIGN] = "Sign",
    [CORE_ROUND] = "Round",
    [CORE_WHERE] = "Where",
};

enum { EXTRA_MAX = 4 };

static unsigned slice_inputs(struct dump *d, const struct node *node, const char *extra[EXTRA_MAX])
{
    unsigned rank = d->graph->values[node->outputs[0]].shape.rank;
    int64_t ends[GRAPH_RANK_MAX], axes[GRAPH_RANK_MAX];
    for (unsigned i = 0; i < rank; i++) {
        axes[i] = i;
        ends[i] = node->at.ends[i] < 0 ? INT64_MIN + 1 : node->at.ends[i]; /* before the first element, which -1 would not say */
    }
    extra[0] = dump_ints(d, node->outputs[0], "starts", node->at.begins, rank);
    extra[1] = dump_ints(d, node->outputs[0], "ends", ends, rank);
    extra[2] = dump_ints(d, node->outputs[0], "axes", axes, rank);
    extra[3] = dump_ints(d, node->outputs[0], "steps", node->at.steps, rank);
    return 4;
}

static unsigned pad_inputs(struct dump *d, const struct node *node, const char *extra[EXTRA_MAX])
{
    const struct value *y = &d->graph->values[node->outputs[0]];
    int64_t amounts[2 * GRAPH_RANK_MAX];
    for (unsigned i = 0; i < y->shape.rank; i++)
        amounts[i] = node->at.begins[i], amounts[y->shape.rank + i] = node->at.ends[i];
    extra[0] = dump_ints(d, node->outputs[0], "pads", amounts, 2 * y->shape.rank);
    extra[1] = dump_scalar(d, node->outputs[0], "value", y->element, (double)node->at.alpha);
    return 2;
}

static unsigned clip_inputs(struct dump *d, const struct node *node, const char *extra[EXTRA_MAX])
{
    enum element element = d->graph->values[node->outputs[0]].element;
    extra[0] = isinf(node->at.alpha) ? "" : dump_scalar(d, node->outputs[0], "min", element, (double)node->at.alpha);
    if (isinf(node->at.beta))
        return !isinf(node->at.alpha);
    extra[1] = dump_scalar(d, node->outputs[0], "max", element, (double)node->at.beta);
    return 2;
}

/* What the core operator holds as attributes and ONNX takes as inputs: constants in front of the node. */
static unsigned extra_inputs(struct dump *d, const struct node *node, const char *extra[EXTRA_MAX])
{
    const struct shape *y = &d->graph->values[node->outputs[0]].shape;
    switch (node->op) {
    case CORE_RESHAPE:
    case CORE_EXPAND:
        extra[0] = dump_ints(d, node->outputs[0], "shape", y->dims, y->rank);
        return 1;
    case CORE_REDUCE_SUM:
    case CORE_REDUCE_SQUARES:
        extra[0] = dump_ints(d, node->outputs[0], "axes", node->at.axes, node->at.axis_count);
        return 1;
    case CORE_SLICE:
        return slice_inputs(d, node, extra);
    case CORE_PAD:
        return pad_inputs(d, node, extra);
    case CORE_CLIP:
        return clip_inputs(d, node, extra);
    default:
        return 0;
    }
}

/* (x / 2) (erf(x / sqrt 2) + 1): all but the last product. */
static void gelu_parts(struct dump *d, const struct node *node, const char *own[2])
{
    int y = node->outputs[0];
    enum element element = d->graph->values[y].element;
    const char *root = dump_scalar(d, y, "root", element, M_SQRT2), *one = dump_scalar(d, y, "one", element, 1), *half = dump_scalar(d, y, "half", element, 0.5);
    const char *erf = dump_part(d, y, "erf", "Erf", dump_part(d, y, "inner", "Div", own[0], root), NULL);
    own[1] = dump_part(d, y, "gate", "Add", erf, one);
    own[0] = dump_part(d, y, "part", "Mul", own[0], half);
}

/* sigmoid(alpha x) */
static const char *silu_gate(struct dump *d, const struct node *node, const char *x)
{
    int y = node->outputs[0];
    if (node->at.alpha != 1)
        x = dump_part(d, y, "inner", "Mul", x, dump_scalar(d, y, "alpha", d->graph->values[y].element, (double)node->at.alpha));
    return dump_part(d, y, "gate", "Sigmoid", x, NULL);
}

/* The inputs of the node that is printed; parts in front of it, where it stands for several. */
static unsigned own_inputs(struct dump *d, const struct node *node, const char *own[NODE_INPUTS_MAX])
{
    unsigned inputs = node->input_count;
    while (inputs && node->inputs[inputs - 1] == GRAPH_NONE)
        inputs--;
    for (unsigned k = 0; k < inputs; k++)
        own[k] = node->inputs[k] == GRAPH_NONE ? "" : d->raw[node->inputs[k]];
    switch (node->op) {
    case CORE_SILU:
        own[1] = silu_gate(d, node, own[0]);
        return 2;
    case CORE_RSQRT:
        own[0] = dump_part(d, node->outputs[0], "root", "Sqrt", own[0], NULL);
        return 1;
    case CORE_GELU:
        gelu_parts(d, node, own);
        return 2;
    case CORE_REDUCE_SQUARES:
    case CORE_REDUCE_MEAN_SQUARES:
        own[0] = dump_part(d, node->outputs[0], "squares", "Mul", own[0], own[0]);
        return 1;
    default:
        return inputs;
    }
}

static void print_node(struct dump *d, const struct node *node)
{
    const char *extra[EXTRA_MAX], *own[NODE_INPUTS_MAX];
    unsigned extras = extra_inputs(d, node, extra), inputs = own_inputs(d, node, own);
    dump_result(d, d->raw[node->outputs[0]]);
    fputs(operators[node->op], d->out);
    print_attributes(d, node);
    fputs(" (", d->out);
    for (unsigned k = 0; k < inputs + extras; k++) {
        if (k)
            fputs(", ", d->out);
        dump_name(d, k >= inputs ? extra[k - inputs] : own[k]);
    }
    fputs(")\n", d->out);
}

/* --- the whole ----------------------------------------------------------------------------------------------------------- */

static void print_list(struct dump *d, const int *ids, unsigned count)
{
    fputc('(', d->out);
    for (unsigned k = 0; k < count; k++) {
        if (k)
            fputs(", ", d->out);
        dump_type(d, &d->graph->values[ids[k]]);
        fputc(' ', d->out);
        dump_name(d, d->raw[ids[k]]);
    }
    fputc(')', d->out);
}

static void print_graph(struct dump *d, bool *printed)
{
    fputs("<\n  ir_version: 8,\n  opset_import: [\"\" : 17]\n>\n", d->out);
    dump_name(d, d->graph->name && d->graph->name[0] ? d->graph->name : "graph");
    fputc(' ', d->out);
    print_list(d, d->graph->inputs, d->graph->input_count);
    fputs(" => ", d->out);
    print_list(d, d->graph->outputs, d->graph->output_count);
    fputs("\n{\n", d->out);
    print_constants(d, printed);
    for (int i = 0; i < d->graph->node_count; i++)
        if (!d->graph->nodes[i].dead)
            print_node(d, &d->graph->nodes[i]);
    fputs("}\n", d->out);
}

static void take_name(struct dump *d, int value)
{
    if (value != GRAPH_NONE && !d->raw[value])
        d->raw[value] = dump_unique(d, d->graph->values[value].name);
}

/* What the world outside sees keeps its name before all others. Values that nobody reads have none. */
static void take_names(struct dump *d)
{
    const struct graph *graph = d->graph;
    for (unsigned k = 0; k < graph->input_count; k++)
        take_name(d, graph->inputs[k]);
    for (unsigned k = 0; k < graph->output_count; k++)
        take_name(d, graph->outputs[k]);
    for (int i = 0; i < graph->node_count; i++) {
        if (graph->nodes[i].dead)
            continue;
        for (unsigned k = 0; k < graph->nodes[i].input_count; k++)
            take_name(d, graph->nodes[i].inputs[k]);
        for (unsigned k = 0; k < graph->nodes[i].output_count; k++)
            take_name(d, graph->nodes[i].outputs[k]);
    }
}

enum weft_status graph_dump(const struct graph *graph, void *file)
{
    size_t count = (size_t)graph->value_count + 1;
    struct dump d = {.graph = graph, .out = file, .raw = calloc(count, sizeof *d.raw)};
    bool *printed = calloc(count, sizeof *printed);
    if (d.raw && printed)
        take_names(&d);
    if (d.raw && printed && !d.no_memory)
        print_graph(&d, printed);
    names_clear(&d.taken);
    for (size_t i = 0; i < d.made_count; i++)
        free(d.made[i]);
    bool done = d.raw && printed && !d.no_memory;
    free(d.raw);
    free(d.made);
    free(printed);
    return done ? WEFT_OK : WEFT_NO_MEMORY;
}
