/* pass_stack.c: a product with a stack of constant matrices becomes one product a matrix: slice, product, concatenation.
 * The machine holds one matrix of weights at a time; the float interpreter keeps ONNX's form in the imported graph's meaning. */
#include "pass_edit.h"
#include "passes.h"

#include <stdio.h>
#include <string.h>

struct stack {
    struct graph *graph;
    int node, weights;           /* node id; index of the weights among its inputs */
    struct shape a, w, y;
    int64_t count;               /* matrices of the result */
};

static unsigned weights_input(enum core_op op)
{
    return op == CORE_QMATMUL ? 3 : 1;
}

static bool is_stack(struct graph *graph, int id, struct stack *s)
{
    const struct node *n = &graph->nodes[id];
    if (n->dead || (n->op != CORE_MATMUL && n->op != CORE_QMATMUL && n->op != CORE_MATMUL_INTEGER))
        return false;
    unsigned at = weights_input(n->op);
    *s = (struct stack){graph, id, n->inputs[at], graph->values[n->inputs[0]].shape, graph->values[n->inputs[at]].shape,
                        graph->values[n->outputs[0]].shape, 1};
    if (!value_is_constant(&graph->values[s->weights]) || s->w.rank < 3 || s->a.rank < 2)
        return false;
    int64_t matrices = 1;
    for (unsigned d = 0; d + 2 < s->w.rank; d++)
        matrices *= s->w.dims[d];
    for (unsigned d = 0; d + 2 < s->y.rank; d++)
        s->count *= s->y.dims[d];
    return matrices > 1 && s->count <= NODE_INPUTS_MAX && !value_is_constant(&graph->values[n->inputs[0]]);
}

/* Index of the operand's matrix that result number `i` uses, its batch dimensions broadcast to the result's. */
static int64_t operand_index(const struct stack *s, const struct shape *operand, int64_t i, int64_t *at)
{
    int64_t index = 0, rest = i, position[GRAPH_RANK_MAX];
    for (unsigned d = s->y.rank - 2; d-- > 0;) {
        position[d] = rest % s->y.dims[d];
        rest /= s->y.dims[d];
    }
    for (unsigned d = 0; d + 2 < operand->rank; d++) {
        at[d] = operand->dims[d] == 1 ? 0 : position[d + s->y.rank - operand->rank];
        index = index * operand->dims[d] + at[d];
    }
    return index;
}

static int add_value(const struct stack *s, const char *what, int64_t i, enum element element, const struct shape *shape)
{
    char name[256];
    snprintf(name, sizeof name, "%.180s/%s%lld", s->graph->values[s->graph->nodes[s->node].outputs[0]].name, what, (long long)i);
    return graph_add_value(s->graph, name, element, shape);
}

/* NULL: no memory, here or for the output. */
static struct node *add_node(const struct stack *s, enum core_op op, const int *inputs, unsigned count, int output)
{
    if (output == GRAPH_NONE)
        return NULL;
    char name[256], type[64];
    const struct node *from = &s->graph->nodes[s->node];
    snprintf(name, sizeof name, "%.200s", from->name);
    snprintf(type, sizeof type, "%.60s", from->onnx_type);
    int id = graph_add_node(s->graph, op, name, type, inputs, count);
    if (id < 0)
        return NULL;
    graph_add_output(s->graph, id, output);
    return &s->graph->nodes[id];
}

/* The operand's matrix `at` as a value of two dimensions. */
static int matrix_of_a(const struct stack *s, int64_t i)
{
    int x = s->graph->nodes[s->node].inputs[0];
    enum element element = s->graph->values[x].element;
    int64_t at[GRAPH_RANK_MAX] = {0};
    operand_index(s, &s->a, i, at);
    struct shape part = s->a, flat = {2, {s->a.dims[s->a.rank - 2], s->a.dims[s->a.rank - 1]}};
    for (unsigned d = 0; d + 2 < part.rank; d++)
        part.dims[d] = 1;
    int slice = add_value(s, "part", i, element, &part);
    struct node *n = add_node(s, CORE_SLICE, &x, 1, slice);
    if (!n)
        return GRAPH_NONE;
    for (unsigned d = 0; d < part.rank; d++) {
        n->at.begins[d] = d + 2 < part.rank ? at[d] : 0;
        n->at.ends[d] = n->at.begins[d] + part.dims[d];
        n->at.steps[d] = 1;
    }
    int matrix = add_value(s, "matrix", i, element, &flat);
    return add_node(s, CORE_RESHAPE, &slice, 1, matrix) ? matrix : GRAPH_NONE;
}

static int matrix_of_weights(const struct stack *s, int64_t i)
{
    int64_t at[GRAPH_RANK_MAX] = {0}, index = operand_index(s, &s->w, i, at);
    struct shape flat = {2, {s->w.dims[s->w.rank - 2], s->w.dims[s->w.rank - 1]}};
    enum element element = s->graph->values[s->weights].element;
    size_t bytes = (size_t)(flat.dims[0] * flat.dims[1]) * element_bytes(element);
    bool known = edit_is_known(s->graph, s->weights);
    const char *all = known ? value_bytes(s->graph, s->weights) : NULL;
    char name[128], suffix[32];
    if (known && !all)
        return GRAPH_NONE;
    snprintf(name, sizeof name, "%.120s", s->graph->values[s->weights].name);
    snprintf(suffix, sizeof suffix, "%d_%lld", s->node, (long long)i);
    int made = edit_constant(s->graph, name, suffix, element, &flat, all ? all + (size_t)index * bytes : NULL);
    const struct multiples *m = &s->graph->values[s->weights].multiples;
    if (made != GRAPH_NONE && m->known && shape_count(&s->graph->values[m->scales].shape) == 1)
        s->graph->values[made].multiples = *m;
    return made;
}

static int product(const struct stack *s, int64_t i)
{
    int inputs[NODE_INPUTS_MAX], a = matrix_of_a(s, i), w = matrix_of_weights(s, i);
    unsigned count = s->graph->nodes[s->node].input_count;
    if (a == GRAPH_NONE || w == GRAPH_NONE)
        return GRAPH_NONE;
    memcpy(inputs, s->graph->nodes[s->node].inputs, count * sizeof *inputs);
    inputs[0] = a;
    inputs[weights_input(s->graph->nodes[s->node].op)] = w;
    struct shape two = {2, {s->y.dims[s->y.rank - 2], s->y.dims[s->y.rank - 1]}}, three = {3, {1, two.dims[0], two.dims[1]}};
    enum element element = s->graph->values[s->graph->nodes[s->node].outputs[0]].element;
    int y = add_value(s, "product", i, element, &two), row = add_value(s, "result", i, element, &three);
    if (!add_node(s, s->graph->nodes[s->node].op, inputs, count, y) || !add_node(s, CORE_RESHAPE, &y, 1, row))
        return GRAPH_NONE;
    return row;
}

static enum weft_status unstack(const struct stack *s)
{
    int rows[NODE_INPUTS_MAX];
    for (int64_t i = 0; i < s->count; i++)
        if ((rows[i] = product(s, i)) == GRAPH_NONE)
            return WEFT_NO_MEMORY;
    int y = s->graph->nodes[s->node].outputs[0];
    struct shape all = {3, {s->count, s->y.dims[s->y.rank - 2], s->y.dims[s->y.rank - 1]}};
    int joined = add_value(s, "all", 0, s->graph->values[y].element, &all);
    edit_kill(s->graph, &s->graph->nodes[s->node]);
    if (!add_node(s, CORE_CONCAT, rows, (unsigned)s->count, joined) || !add_node(s, CORE_RESHAPE, &joined, 1, y))
        return WEFT_NO_MEMORY;
    return WEFT_OK;
}

enum weft_status pass_stack(struct graph *graph, struct weft_diag *diag)
{
    enum weft_status status = WEFT_OK;
    for (int i = 0, count = graph->node_count; i < count && !status; i++) {
        struct stack s;
        if (is_stack(graph, i, &s))
            status = unstack(&s);
    }
    return status ? status : graph_sort(graph, diag);
}
