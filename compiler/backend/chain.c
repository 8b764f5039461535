/* chain.c: functions that a network writes in several nodes. A result of 8 bits has 256 possible operands, so whatever elementwise nodes do to
 * one value (hard swish, mish, the tanh form of gelu, ...) is one table, and costs nothing behind a product. */
#include "emit.h"

#include <math.h>

enum { AHEAD = 48 /* nodes without a member, after which no more is looked for */ };

static bool is_scalar(const struct graph *g, int value)
{
    return value_is_constant(&g->values[value]) && shape_count(&g->values[value].shape) == 1 && g->values[value].element == ELEMENT_F32;
}

static bool is_elementwise(enum core_op op)
{
    switch (op) {
    case CORE_ADD:
    case CORE_SUB:
    case CORE_MUL:
    case CORE_DIV:
    case CORE_MAX:
    case CORE_MIN:
    case CORE_CLIP:
    case CORE_NEG:
    case CORE_CEIL:
        return true;
    default:
        return machine_function(op) != WEFT_FUNCTION_none;
    }
}

static bool same_count(const struct graph *g, int a, int b)
{
    return shape_count(&g->values[a].shape) == shape_count(&g->values[b].shape);
}

static bool is_reduction(enum core_op op)
{
    return op == CORE_REDUCE_MEAN || op == CORE_REDUCE_SUM || op == CORE_REDUCE_SQUARES || op == CORE_REDUCE_MEAN_SQUARES || op == CORE_REDUCE_MAX;
}

/* A reduction, or what is computed from one elementwise: one number a row, as a variance is. A table would not pay for so few numbers, and its operand would have
 * eight bits of one scale, while rows may differ by more. */
bool chain_is_row(const struct graph *g, int value)
{
    for (int depth = 0; depth < CHAIN_MAX && g->values[value].producer != GRAPH_NONE; depth++) {
        const struct node *n = &g->nodes[g->values[value].producer];
        if (is_reduction(n->op))
            return true;
        if (!is_elementwise(n->op) && n->op != CORE_POW && n->op != CORE_RESHAPE)
            return false;
        int like = same_count(g, n->inputs[0], value) && !value_is_constant(&g->values[n->inputs[0]]) ? n->inputs[0] : n->inputs[n->input_count - 1];
        if (!same_count(g, like, value))
            return false;
        value = like;
    }
    return false;
}

/* A value of the region, and how many of the nodes that read it are in it too. */
struct region { int values[CHAIN_MAX + 1], read[CHAIN_MAX + 1], count; };

static int find(const struct region *r, int value)
{
    for (int i = 0; i < r->count; i++)
        if (r->values[i] == value)
            return i;
    return -1;
}

/* Does the node compute with values of the region and scalars alone, one number for each? */
static bool belongs(const struct graph *g, const struct region *r, const struct node *n)
{
    if (n->dead || !is_elementwise(n->op) || n->output_count != 1 || !same_count(g, n->outputs[0], r->values[0]))
        return false;
    bool reads = false;
    for (unsigned k = 0; k < n->input_count; k++) {
        reads |= find(r, n->inputs[k]) >= 0;
        if (find(r, n->inputs[k]) < 0 && !is_scalar(g, n->inputs[k]))
            return false;
    }
    return reads;
}

static void add(struct region *r, const struct node *n)
{
    for (unsigned k = 0; k < n->input_count; k++) {
        int at = find(r, n->inputs[k]);
        if (at >= 0 && (k == 0 || n->inputs[k] != n->inputs[0]))
            r->read[at]++;
    }
    r->values[r->count] = n->outputs[0];
    r->read[r->count++] = 0;
}

/* Nobody outside reads anything of the region but its last value (and its first, where that stays). */
static bool is_closed(const struct backend *b, const struct region *r, bool keep_first)
{
    for (int i = keep_first ? 1 : 0; i + 1 < r->count; i++)
        if (r->read[i] != b->uses[r->values[i]])
            return false;
    return true;
}

int chain_find(const struct backend *b, int value, bool keep_first, int nodes[CHAIN_MAX])
{
    const struct graph *g = b->graph;
    struct region r = {.values = {value}, .count = 1};
    int found = 0, count = 0, last = g->values[value].producer;
    if (b->format != COMPILE_INT8 || !b->uses || g->values[value].element != ELEMENT_F32 || chain_is_row(g, value))
        return 0;
    for (int i = last + 1; i < g->node_count && count < CHAIN_MAX && i - last < AHEAD; i++) {
        if (!belongs(g, &r, &g->nodes[i]))
            continue;
        add(&r, &g->nodes[i]);
        nodes[count++] = last = i;
        if (is_closed(b, &r, keep_first))
            found = count;
    }
    return found;
}

/* --- their value ------------------------------------------------------------------------------------------------------ */

/* Functions are the machine's own, so that a table has the same bytes on every host. */
static double combine(const struct node *n, double x, double y)
{
    switch (n->op) {
    case CORE_ADD: return x + y;
    case CORE_SUB: return x - y;
    case CORE_MUL: return x * y;
    case CORE_DIV: return x / y;
    case CORE_MAX: return fmax(x, y);
    case CORE_MIN: return fmin(x, y);
    case CORE_CLIP: return x < n->at.alpha ? n->at.alpha : x > n->at.beta ? n->at.beta : x;
    case CORE_NEG: return -x;
    case CORE_CEIL: return ceil(x);
    case CORE_SILU: return (double)weft_apply(WEFT_FUNCTION_silu, (float)(n->at.alpha * x), 0) / n->at.alpha;
    default: return (double)weft_apply(machine_function(n->op), (float)x, n->at.alpha);
    }
}

double chain_value(const struct backend *b, int from, const int *nodes, int count, double x)
{
    const struct graph *g = b->graph;
    struct region r = {.values = {from}, .count = 1};
    double reals[CHAIN_MAX + 1] = {x};
    for (int i = 0; i < count; i++) {
        const struct node *n = &g->nodes[nodes[i]];
        double operand[2] = {0, 0};
        for (unsigned k = 0; k < n->input_count && k < 2; k++) {
            int at = find(&r, n->inputs[k]);
            if (at >= 0)
                operand[k] = reals[at];
            else
                value_at(b->graph, n->inputs[k], 0, &operand[k]);
        }
        reals[r.count] = combine(n, operand[0], operand[1]);
        r.values[r.count++] = n->outputs[0];
    }
    return reals[r.count - 1];
}
