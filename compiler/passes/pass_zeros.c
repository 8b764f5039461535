/* pass_zeros.c: zero points that only the run knows (DynamicQuantizeLinear makes one for each input that comes), or that differ from row to row.
 *
 * Sums of (a - z) w are sums of a w less z times the sum of w, which is constant. So z stands behind the numbers of a as a few more of them, and
 * behind the weights stand numbers that add up to minus that sum: it is one product, as exact as any, which vector work in fp32 would not be. Where a
 * convolution pads, a and z are both 0 and so is what they give, as ONNX has it. A zero point of the weights is taken off them on the way; what is
 * left reaches from -255 to 255, and where 8 bits do not hold that, the weights become s16. */
#include "element.h"
#include "pass_edit.h"
#include "passes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGIT_MAX = 127 /* behind the weights: what one s8 takes whatever its sign */ };

/* A product whose first operand has such a zero point; its weights as [outer][depth][inner], summed over depth. */
struct sums {
    struct graph *graph;
    int node, weights, weight_zero; /* of the last GRAPH_NONE: none */
    bool conv;                      /* zero points of weights then go by `outer`, else by `inner` */
    int64_t outer, depth, inner, lanes;
    bool wide;                      /* weights beyond 8 bits */
    int32_t *row;                   /* of `inner` weights */
    int64_t *sums;                  /* of [outer][inner], what the lanes have not taken yet */
};

static bool all_alike(struct graph *graph, int value)
{
    double first, x;
    int64_t count = shape_count(&graph->values[value].shape);
    for (int64_t i = 0; i < count; i++)
        if (!value_at(graph, value, i, i ? &x : &first) || (i && x != first))
            return i == 0; /* absent: of no matter */
    return true;
}

static int input_of(const struct node *n, unsigned k)
{
    return n->input_count > k ? n->inputs[k] : GRAPH_NONE;
}

static bool needs_sums(struct graph *graph, int id, struct sums *s)
{
    const struct node *n = &graph->nodes[id];
    int zero = input_of(n, 2);
    if (n->dead || (n->op != CORE_CONV_INTEGER && n->op != CORE_MATMUL_INTEGER) || zero == GRAPH_NONE || !value_is_constant(&graph->values[n->inputs[1]]))
        return false;
    if (value_is_constant(&graph->values[zero]) && all_alike(graph, zero))
        return false;
    const struct shape *w = &graph->values[n->inputs[1]].shape;
    *s = (struct sums){graph, id, n->inputs[1], input_of(n, 3), n->op == CORE_CONV_INTEGER, 1, 0, 1, 0, false, NULL, NULL};
    unsigned axis = s->conv ? 1 : w->rank - 2;
    for (unsigned d = 0; d < w->rank; d++)
        *(d < axis ? &s->outer : &s->inner) *= d == axis ? 1 : w->dims[d];
    s->depth = w->dims[axis];
    return true;
}

/* --- weights --------------------------------------------------------------------------------------------------------------- */

static int32_t zero_at(const struct sums *s, int64_t outer, int64_t inner)
{
    double zero = 0;
    if (s->weight_zero != GRAPH_NONE) {
        bool many = shape_count(&s->graph->values[s->weight_zero].shape) > 1;
        value_at(s->graph, s->weight_zero, many ? (s->conv ? outer : inner) : 0, &zero);
    }
    return (int32_t)zero;
}

/* One row of the weights, less their zero points. */
static void load_row(struct sums *s, const void *bytes, int64_t outer, int64_t k)
{
    enum element element = s->graph->values[s->weights].element;
    for (int64_t i = 0; i < s->inner; i++)
        s->row[i] = (int32_t)element_load(bytes, element, (outer * s->depth + k) * s->inner + i) - zero_at(s, outer, i);
}

/* The sums of all columns, how many lanes the greatest of them needs, and whether 8 bits hold the weights. */
static void add_up(struct sums *s, const void *bytes)
{
    for (int64_t o = 0; o < s->outer; o++)
        for (int64_t k = 0; k < s->depth; k++) {
            load_row(s, bytes, o, k);
            for (int64_t i = 0; i < s->inner; i++) {
                s->wide |= s->row[i] < INT8_MIN || s->row[i] > INT8_MAX;
                s->sums[o * s->inner + i] += s->row[i];
            }
        }
    for (int64_t i = 0; i < s->outer * s->inner; i++) {
        int64_t lanes = (llabs(s->sums[i]) + DIGIT_MAX - 1) / DIGIT_MAX;
        s->lanes = lanes > s->lanes ? lanes : s->lanes;
    }
}

/* What a lane takes off the sums. */
static void next_digits(struct sums *s, int64_t outer)
{
    for (int64_t i = 0; i < s->inner; i++) {
        int64_t *sum = &s->sums[outer * s->inner + i];
        s->row[i] = (int32_t)(*sum > DIGIT_MAX ? -DIGIT_MAX : *sum < -DIGIT_MAX ? DIGIT_MAX : -*sum);
        *sum += s->row[i];
    }
}

/* The old weights, and behind them the lanes. */
static void write_weights(struct sums *s, const void *from, void *to, enum element element)
{
    int64_t at = 0;
    for (int64_t o = 0; o < s->outer; o++)
        for (int64_t k = 0; k < s->depth + s->lanes; k++) {
            if (k < s->depth)
                load_row(s, from, o, k);
            else
                next_digits(s, o);
            for (int64_t i = 0; i < s->inner; i++)
                element_store(to, element, at++, s->row[i]);
        }
}

static int new_weights(struct sums *s, const void *from)
{
    char suffix[32];
    enum element element = s->wide ? ELEMENT_S16 : ELEMENT_S8;
    struct shape shape = s->graph->values[s->weights].shape;
    shape.dims[s->conv ? 1 : shape.rank - 2] += s->lanes;
    void *to = from ? malloc((size_t)shape_count(&shape) * element_bytes(element) + 1) : NULL;
    if (to)
        write_weights(s, from, to, element);
    snprintf(suffix, sizeof suffix, "zeros%d", s->node);
    int made = to || !from ? edit_constant(s->graph, s->graph->values[s->weights].name, suffix, element, &shape, to) : GRAPH_NONE;
    free(to);
    return made;
}

/* Weights that a program for timing alone does not look at are absent, and one lane stands for those that they would need. */
static int make_weights(struct sums *s)
{
    bool absent = s->graph->values[s->weights].contents == CONTENTS_ABSENT;
    const void *from = absent ? NULL : value_bytes(s->graph, s->weights);
    s->row = calloc((size_t)s->inner + 1, sizeof *s->row);
    s->sums = calloc((size_t)(s->outer * s->inner) + 1, sizeof *s->sums);
    int made = GRAPH_NONE;
    s->lanes = absent;
    if (s->row && s->sums && (from || absent)) {
        if (from)
            add_up(s, from);
        made = new_weights(s, from);
    }
    free(s->row);
    free(s->sums);
    return made;
}

/* --- operands -------------------------------------------------------------------------------------------------------------- */

/* A node behind `inputs`; the value it makes, or GRAPH_NONE, which is handed on. */
static int add(const struct sums *s, enum core_op op, const char *what, const int *inputs, unsigned count, int64_t axis, const struct shape *shape)
{
    char name[256], own[200], type[64];
    for (unsigned k = 0; k < count; k++)
        if (inputs[k] == GRAPH_NONE)
            return GRAPH_NONE;
    const struct node *n = &s->graph->nodes[s->node];
    snprintf(own, sizeof own, "%.180s", n->name);
    snprintf(type, sizeof type, "%.60s", n->onnx_type);
    snprintf(name, sizeof name, "%.180s/%s%d", own, what, s->node);
    int value = graph_add_value(s->graph, name, s->graph->values[inputs[0]].element, shape);
    int node = value == GRAPH_NONE ? GRAPH_NONE : graph_add_node(s->graph, op, own, type, inputs, count);
    if (node == GRAPH_NONE)
        return GRAPH_NONE;
    s->graph->nodes[node].at.axis = axis;
    return graph_add_output(s->graph, node, value);
}

/* [..., M, K] and a zero point, or one for each row. */
static int matrix_with_lanes(const struct sums *s, int a, int zero)
{
    struct shape shape = s->graph->values[a].shape, one = {.rank = shape.rank}, lanes = shape, both = shape;
    unsigned last = shape.rank - 1;
    int64_t zeros = shape_count(&s->graph->values[zero].shape);
    for (unsigned d = 0; d < one.rank; d++)
        one.dims[d] = d + 1 == last ? zeros : 1;
    lanes.dims[last] = s->lanes;
    both.dims[last] += s->lanes;
    int z = add(s, CORE_RESHAPE, "zero", &zero, 1, 0, &one);
    z = add(s, CORE_EXPAND, "lanes", &z, 1, 0, &lanes);
    return add(s, CORE_CONCAT, "joined", (int[]){a, z}, 2, last, &both);
}

/* [N, C, ...] with lanes behind the channels of each group. */
static int image_with_lanes(const struct sums *s, int x, int zero)
{
    int64_t groups = s->graph->nodes[s->node].at.groups;
    struct shape shape = s->graph->values[x].shape, apart = {shape.rank + 1, {shape.dims[0], groups, shape.dims[1] / groups}}, one = {.rank = apart.rank};
    memcpy(apart.dims + 3, shape.dims + 2, (shape.rank - 2) * sizeof *shape.dims);
    for (unsigned d = 0; d < one.rank; d++)
        one.dims[d] = 1;
    struct shape lanes = apart, both = apart, result = shape;
    lanes.dims[2] = s->lanes;
    both.dims[2] += s->lanes;
    result.dims[1] += groups * s->lanes;
    int z = add(s, CORE_RESHAPE, "zero", &zero, 1, 0, &one);
    z = add(s, CORE_EXPAND, "lanes", &z, 1, 0, &lanes);
    int grouped = add(s, CORE_RESHAPE, "groups", &x, 1, 0, &apart);
    int joined = add(s, CORE_CONCAT, "joined", (int[]){grouped, z}, 2, 2, &both);
    return add(s, CORE_RESHAPE, "channels", &joined, 1, 0, &result);
}

static enum weft_status rewrite(struct sums *s)
{
    int weights = make_weights(s), x = s->graph->nodes[s->node].inputs[0], zero = s->graph->nodes[s->node].inputs[2];
    if (weights == GRAPH_NONE)
        return WEFT_NO_MEMORY;
    int joined = !s->lanes ? x : s->conv ? image_with_lanes(s, x, zero) : matrix_with_lanes(s, x, zero);
    if (joined == GRAPH_NONE)
        return WEFT_NO_MEMORY;
    struct node *n = &s->graph->nodes[s->node];
    n->inputs[0] = joined;
    n->inputs[1] = weights;
    n->input_count = 2;
    n->at.size = s->lanes;
    return WEFT_OK;
}

enum weft_status pass_zeros(struct graph *graph, struct weft_diag *diag)
{
    enum weft_status status = WEFT_OK;
    for (int i = 0, count = graph->node_count; i < count && !status; i++) {
        struct sums s;
        if (needs_sums(graph, i, &s))
            status = rewrite(&s);
    }
    return status ? status : graph_sort(graph, diag);
}
