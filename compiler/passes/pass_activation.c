/* pass_activation.c: activations that a network writes in several nodes and the vector unit has as one function: x sigmoid(x), and
 * x (1 + erf(x / sqrt 2)) / 2 with its products in any order. They then leave with the product in front, as a relu does. */
#include "element.h"
#include "pass_edit.h"
#include "passes.h"

#include <math.h>

enum { DEPTH = 6 /* products one in the other that an exporter may write */ };

/* A product taken apart: computed values and what all constants make together. */
struct factors { int values[2]; unsigned count; double constant; };

static bool scalar(struct graph *graph, int value, double *number)
{
    const struct value *v = &graph->values[value];
    return value_is_constant(v) && shape_count(&v->shape) == 1 && edit_is_known(graph, value) && value_at(graph, value, 0, number);
}

static bool add_factor(struct factors *f, int value)
{
    if (f->count == 2)
        return false;
    f->values[f->count++] = value;
    return true;
}

/* The factors of `value`; products on the way that others read too are left whole. */
static bool take_apart(struct graph *graph, struct factors *f, int value, unsigned depth)
{
    double number;
    const struct node *node = edit_producer(graph, value);
    if (scalar(graph, value, &number)) {
        f->constant *= number;
        return true;
    }
    if (!node || depth == DEPTH || (depth > 0 && !edit_only_reader(graph, value)))
        return add_factor(f, value);
    if (node->op == CORE_MUL)
        return take_apart(graph, f, node->inputs[0], depth + 1) && take_apart(graph, f, node->inputs[1], depth + 1);
    if (node->op != CORE_DIV || !scalar(graph, node->inputs[1], &number))
        return add_factor(f, value);
    f->constant /= number;
    return take_apart(graph, f, node->inputs[0], depth + 1);
}

/* Constants that a network rounds: to four decimals, or to the digits of a half float. */
static bool is_about(const struct graph *graph, int x, double number, double wanted)
{
    double tolerance = element_bytes(graph->values[x].element) < 4 ? 1e-3 : 2e-5;
    return fabs(number - wanted) <= tolerance * wanted;
}

/* The operand of an `op` that makes `value` for one reader, or GRAPH_NONE. */
static int operand_of(const struct graph *graph, enum core_op op, int value)
{
    const struct node *node = edit_producer(graph, value);
    return node && node->op == op && edit_only_reader(graph, value) ? node->inputs[0] : GRAPH_NONE;
}

static bool is_sigmoid_of(const struct graph *graph, int value, int x)
{
    return operand_of(graph, CORE_SIGMOID, value) == x;
}

static bool is_x_over_root(struct graph *graph, int value, int x)
{
    struct factors f = {.constant = 1};
    return value != GRAPH_NONE && edit_only_reader(graph, value) && take_apart(graph, &f, value, 0) && f.count == 1 && f.values[0] == x &&
           is_about(graph, x, f.constant, M_SQRT1_2);
}

/* 1 + erf(x / sqrt 2) */
static bool is_one_and_erf_of(struct graph *graph, int value, int x)
{
    double one = 0;
    const struct node *sum = edit_producer(graph, value);
    if (!sum || sum->op != CORE_ADD || !edit_only_reader(graph, value))
        return false;
    bool first = scalar(graph, sum->inputs[0], &one);
    return (first || scalar(graph, sum->inputs[1], &one)) && one == 1 &&
           is_x_over_root(graph, operand_of(graph, CORE_ERF, sum->inputs[first]), x);
}

/* The function of `x` that x times `gate` times the constants is, or CORE_OPS. */
static enum core_op function_of(struct graph *graph, int x, int gate, double constant)
{
    if (constant == 1 && is_sigmoid_of(graph, gate, x))
        return CORE_SILU;
    return is_about(graph, x, constant, 0.5) && is_one_and_erf_of(graph, gate, x) ? CORE_GELU : CORE_OPS;
}

/* Scalars of more dimensions than x would have made the result one of more. */
static bool like(const struct graph *graph, int x, int y)
{
    const struct value *a = &graph->values[x], *b = &graph->values[y];
    bool same = a->element == b->element && element_is_float(a->element) && a->shape.rank == b->shape.rank;
    for (unsigned d = 0; same && d < a->shape.rank; d++)
        same = a->shape.dims[d] == b->shape.dims[d];
    return same;
}

static void recognise(struct graph *graph, struct node *node)
{
    struct factors f = {.constant = 1};
    if (!take_apart(graph, &f, node->outputs[0], 0) || f.count != 2)
        return;
    for (unsigned k = 0; k < 2; k++) {
        int x = f.values[k];
        enum core_op op = like(graph, x, node->outputs[0]) ? function_of(graph, x, f.values[1 - k], f.constant) : CORE_OPS;
        if (op == CORE_OPS)
            continue;
        node->op = op;
        node->inputs[0] = x;
        node->input_count = 1;
        return;
    }
}

/* From the last node on: a factor of one half may stand behind the product of the others. */
enum weft_status pass_activation(struct graph *graph, struct weft_diag *diag)
{
    for (int i = graph->node_count; i-- > 0;) {
        struct node *node = &graph->nodes[i];
        if (!node->dead && (node->op == CORE_MUL || node->op == CORE_DIV))
            recognise(graph, node);
    }
    return WEFT_OK;
}
