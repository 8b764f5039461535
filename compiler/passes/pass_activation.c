/* pass_activation.c: activations that a network writes in several nodes and the vector unit has as one function. They then leave with the product in front,
 * as a relu does. u and v are one value, a and c numbers:
 *
 *     silu      u sigmoid(a u), u / (1 + exp(-a u)); a 1.702 is called QuickGELU
 *     gelu      u (c + c erf(u / sqrt 2)) times what makes c one half, the products in any order
 *     sigmoid   1 / (1 + exp(-u))
 *     rsqrt     1 / sqrt(u)
 */
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
    if (node->op == CORE_NEG) {
        f->constant = -f->constant;
        return take_apart(graph, f, node->inputs[0], depth + 1);
    }
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

/* One computed value times constants, made for one reader: that value, or GRAPH_NONE. */
static int multiple(struct graph *graph, int value, double *constant)
{
    struct factors f = {.constant = 1};
    if (value == GRAPH_NONE || !edit_only_reader(graph, value) || !take_apart(graph, &f, value, 0) || f.count != 1)
        return GRAPH_NONE;
    *constant = f.constant;
    return f.values[0];
}

static bool is_multiple_of(struct graph *graph, int value, int x, double *constant)
{
    *constant = 1;
    return value == x || multiple(graph, value, constant) == x;
}

/* The computed operand of a sum with a scalar, made for one reader; or GRAPH_NONE. */
static int sum_with(struct graph *graph, int value, double *number)
{
    const struct node *sum = edit_producer(graph, value);
    if (!sum || sum->op != CORE_ADD || !edit_only_reader(graph, value))
        return GRAPH_NONE;
    bool first = scalar(graph, sum->inputs[0], number);
    return first || scalar(graph, sum->inputs[1], number) ? sum->inputs[first] : GRAPH_NONE;
}

/* The operand of e in 1 + e^operand, or GRAPH_NONE. */
static int one_and_exp(struct graph *graph, int value)
{
    double one = 0;
    int power = sum_with(graph, value, &one);
    return power != GRAPH_NONE && one == 1 ? operand_of(graph, CORE_EXP, power) : GRAPH_NONE;
}

/* What the node divides 1 by, or GRAPH_NONE. */
static int one_over(struct graph *graph, const struct node *node)
{
    double one = 0;
    if (node->op == CORE_RECIPROCAL)
        return node->inputs[0];
    return node->op == CORE_DIV && scalar(graph, node->inputs[0], &one) && one == 1 ? node->inputs[1] : GRAPH_NONE;
}

static bool is_number(double alpha)
{
    return alpha != 0 && isfinite((float)alpha);
}

/* sigmoid(alpha x) */
static bool is_sigmoid_of(struct graph *graph, int value, int x, double *alpha)
{
    const struct node *node = edit_producer(graph, value);
    if (!node || !edit_only_reader(graph, value))
        return false;
    if (node->op == CORE_SIGMOID)
        return is_multiple_of(graph, node->inputs[0], x, alpha) && is_number(*alpha);
    int below = one_over(graph, node), power = below == GRAPH_NONE ? GRAPH_NONE : one_and_exp(graph, below);
    bool found = power != GRAPH_NONE && is_multiple_of(graph, power, x, alpha) && is_number(*alpha);
    *alpha = -*alpha;
    return found;
}

/* c + c erf(x / sqrt 2) */
static bool is_gate_of_erf(struct graph *graph, int value, int x, double *c)
{
    double root = 0, times = 1;
    int other = sum_with(graph, value, c), erf = other == GRAPH_NONE ? GRAPH_NONE : multiple(graph, other, &times);
    if (erf == GRAPH_NONE || fabs(times - *c) > 1e-6 * fabs(*c))
        return false;
    int inner = operand_of(graph, CORE_ERF, erf);
    return inner != GRAPH_NONE && inner != x && is_multiple_of(graph, inner, x, &root) && is_about(graph, x, root, M_SQRT1_2);
}

/* The function of `x` that x times `gate` times the constants is, or CORE_OPS. */
static enum core_op function_of(struct graph *graph, int x, int gate, double constant, double *alpha)
{
    double c = 0;
    if (constant == 1 && is_sigmoid_of(graph, gate, x, alpha))
        return CORE_SILU;
    return is_gate_of_erf(graph, gate, x, &c) && is_about(graph, x, constant * c, 0.5) ? CORE_GELU : CORE_OPS;
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

static void become(struct node *node, enum core_op op, int x, double alpha)
{
    node->op = op;
    node->inputs[0] = x;
    node->input_count = 1;
    node->at.alpha = (float)alpha;
}

static bool recognise_product(struct graph *graph, struct node *node)
{
    struct factors f = {.constant = 1};
    if (!take_apart(graph, &f, node->outputs[0], 0) || f.count != 2)
        return false;
    for (unsigned k = 0; k < 2; k++) {
        int x = f.values[k];
        double alpha = 1;
        enum core_op op = like(graph, x, node->outputs[0]) ? function_of(graph, x, f.values[1 - k], f.constant, &alpha) : CORE_OPS;
        if (op == CORE_OPS)
            continue;
        become(node, op, x, alpha);
        return true;
    }
    return false;
}

/* x / (1 + exp(-alpha x)) */
static bool recognise_ratio(struct graph *graph, struct node *node)
{
    double minus;
    int x = node->inputs[0], power = node->op == CORE_DIV ? one_and_exp(graph, node->inputs[1]) : GRAPH_NONE;
    if (power == GRAPH_NONE || !like(graph, x, node->outputs[0]) || !is_multiple_of(graph, power, x, &minus) || !is_number(minus))
        return false;
    become(node, CORE_SILU, x, -minus);
    return true;
}

/* 1 / (1 + exp(-x)), 1 / sqrt(x) */
static bool recognise_one_over(struct graph *graph, struct node *node)
{
    double minus = 0;
    int below = one_over(graph, node), power = below == GRAPH_NONE ? GRAPH_NONE : one_and_exp(graph, below);
    int x = power == GRAPH_NONE ? GRAPH_NONE : multiple(graph, power, &minus), root = below == GRAPH_NONE ? GRAPH_NONE : operand_of(graph, CORE_SQRT, below);
    if (x != GRAPH_NONE && minus == -1 && like(graph, x, node->outputs[0]))
        become(node, CORE_SIGMOID, x, 0);
    else if (root != GRAPH_NONE && like(graph, root, node->outputs[0]))
        become(node, CORE_RSQRT, root, 0);
    else
        return false;
    return true;
}

/* From the last node on: a factor of one half may stand behind the product of the others. */
enum weft_status pass_activation(struct graph *graph, struct weft_diag *diag)
{
    for (int i = graph->node_count; i-- > 0;) {
        struct node *node = &graph->nodes[i];
        if (node->dead || (node->op != CORE_MUL && node->op != CORE_DIV && node->op != CORE_RECIPROCAL))
            continue;
        if (!recognise_one_over(graph, node) && !recognise_ratio(graph, node))
            recognise_product(graph, node);
    }
    return WEFT_OK;
}
