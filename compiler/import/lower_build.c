/* lower_build.c: single core nodes with their shapes inferred, for operators that are written as several. */
#include "lower_build.h"

#include <stdlib.h>
#include <string.h>

#include "element.h"

struct shape build_shape(const struct lower *l, int x)
{
    return x < 0 ? (struct shape){0} : l->graph->values[x].shape;
}

enum element build_element(const struct lower *l, int x)
{
    return x < 0 ? ELEMENT_F32 : l->graph->values[x].element;
}

bool build_is_constant(const struct lower *l, int x)
{
    return x >= 0 && value_is_constant(&l->graph->values[x]);
}

enum { CONSTANT_DEPTH = 8 }; /* nodes from a constant to the weights it becomes: dequantized, turned, given another shape */

static bool leads_to_constant(const struct lower *l, int x, unsigned depth)
{
    if (x == GRAPH_NONE || build_is_constant(l, x))
        return true;
    const struct value *value = &l->graph->values[x];
    if (x < 0 || value->producer == GRAPH_NONE || !depth)
        return false;
    const struct node *node = &l->graph->nodes[value->producer];
    for (unsigned i = 0; i < node->input_count; i++)
        if (!leads_to_constant(l, node->inputs[i], depth - 1))
            return false;
    return true;
}

bool build_leads_to_constant(const struct lower *l, int x)
{
    return x >= 0 && leads_to_constant(l, x, CONSTANT_DEPTH);
}

/* --- element by element ------------------------------------------------------------------------------------------------------ */

static int emit_like(struct lower *l, enum core_op op, int x, const struct attributes *at, enum element element)
{
    struct shape shape = build_shape(l, x);
    return lower_emit(l, op, &x, 1, at, element, &shape);
}

int build_unary(struct lower *l, enum core_op op, int x)
{
    return emit_like(l, op, x, NULL, op == CORE_IS_NAN ? ELEMENT_BOOL : build_element(l, x));
}

int build_binary(struct lower *l, enum core_op op, int a, int b)
{
    return lower_broadcast(l, op, a, b);
}

int build_with(struct lower *l, enum core_op op, int x, double number)
{
    return x < 0 ? x : lower_broadcast(l, op, x, lower_scalar(l, build_element(l, x), number));
}

int build_from(struct lower *l, enum core_op op, double number, int x)
{
    return x < 0 ? x : lower_broadcast(l, op, lower_scalar(l, build_element(l, x), number), x);
}

int build_clip(struct lower *l, int x, float low, float high)
{
    return emit_like(l, CORE_CLIP, x, &(struct attributes){.alpha = low, .beta = high}, build_element(l, x));
}

int build_silu(struct lower *l, int x, float alpha)
{
    return emit_like(l, CORE_SILU, x, &(struct attributes){.alpha = alpha}, build_element(l, x));
}

int build_cast(struct lower *l, int x, enum element to)
{
    return x < 0 || build_element(l, x) == to ? x : emit_like(l, CORE_CAST, x, &(struct attributes){.to = to}, to);
}

int build_not(struct lower *l, int x)
{
    return x < 0 || build_element(l, x) == ELEMENT_BOOL ? build_unary(l, CORE_NOT, x) : build_with(l, CORE_COMPARE_EQUAL, x, 0);
}

int build_where(struct lower *l, int condition, int a, int b)
{
    struct shape c = build_shape(l, condition), x = build_shape(l, a), y = build_shape(l, b), out;
    if (condition < 0 || a < 0 || b < 0 || !lower_same_type(l, a, b))
        return LOWER_POISON;
    if (!shape_broadcast(&out, &x, &y) || !shape_broadcast(&out, &out, &c)) {
        lower_refuse(l, "the shapes of condition and inputs do not broadcast");
        return LOWER_POISON;
    }
    return lower_emit(l, CORE_WHERE, (int[]){condition, a, b}, 3, NULL, build_element(l, a), &out);
}

/* --- places ------------------------------------------------------------------------------------------------------------------ */

int build_reshape(struct lower *l, int x, unsigned rank, const int64_t *dims)
{
    struct shape shape = {.rank = rank};
    memcpy(shape.dims, dims, rank * sizeof *dims);
    return lower_reshape(l, x, &shape);
}

int build_transpose(struct lower *l, int x, const int64_t *perm)
{
    struct shape from = build_shape(l, x), to = {.rank = from.rank};
    struct attributes at = {0};
    bool still = true;
    for (unsigned i = 0; i < from.rank; i++) {
        at.perm[i] = perm[i];
        to.dims[i] = from.dims[perm[i]];
        still &= perm[i] == i;
    }
    return still ? x : lower_emit(l, CORE_TRANSPOSE, &x, 1, &at, build_element(l, x), &to);
}

int build_swap(struct lower *l, int x, unsigned a, unsigned b)
{
    int64_t perm[GRAPH_RANK_MAX];
    for (unsigned i = 0; i < GRAPH_RANK_MAX; i++)
        perm[i] = i == a ? b : i == b ? a : i;
    return build_transpose(l, x, perm);
}

int build_slice(struct lower *l, int x, unsigned axis, int64_t begin, int64_t end, int64_t step)
{
    struct shape shape = build_shape(l, x);
    struct attributes at = {0};
    if (x < 0 || (begin == 0 && end == shape.dims[axis] && step == 1))
        return x;
    for (unsigned i = 0; i < shape.rank; i++)
        at.ends[i] = shape.dims[i], at.steps[i] = 1;
    at.begins[axis] = begin;
    at.ends[axis] = end;
    at.steps[axis] = step;
    shape.dims[axis] = end > begin ? (end - begin - 1) / step + 1 : 0;
    return lower_emit(l, CORE_SLICE, &x, 1, &at, build_element(l, x), &shape);
}

int build_pad(struct lower *l, int x, const int64_t *begins, const int64_t *ends, float value)
{
    struct shape shape = build_shape(l, x);
    struct attributes at = {.alpha = value};
    bool any = false;
    for (unsigned i = 0; i < shape.rank; i++) {
        at.begins[i] = begins[i];
        at.ends[i] = ends[i];
        shape.dims[i] += begins[i] + ends[i];
        any |= begins[i] || ends[i];
    }
    return any ? lower_emit(l, CORE_PAD, &x, 1, &at, build_element(l, x), &shape) : x;
}

static int concat_few(struct lower *l, const int *values, unsigned count, unsigned axis)
{
    struct shape shape = build_shape(l, values[0]);
    if (count == 1)
        return values[0];
    for (unsigned i = 1; i < count; i++)
        shape.dims[axis] += build_shape(l, values[i]).dims[axis];
    return lower_emit(l, CORE_CONCAT, values, count, &(struct attributes){.axis = axis}, build_element(l, values[0]), &shape);
}

/* One node takes NODE_INPUTS_MAX values; of more, groups of so many come first. */
int build_concat(struct lower *l, const int *values, unsigned count, unsigned axis)
{
    unsigned groups = (count + NODE_INPUTS_MAX - 1) / NODE_INPUTS_MAX;
    if (groups <= 1)
        return concat_few(l, values, count, axis);
    int *parts = malloc(groups * sizeof *parts);
    if (!parts) {
        lower_no_memory(l);
        return LOWER_POISON;
    }
    for (unsigned g = 0, at = 0; g < groups; g++, at += NODE_INPUTS_MAX)
        parts[g] = concat_few(l, values + at, count - at < NODE_INPUTS_MAX ? count - at : NODE_INPUTS_MAX, axis);
    int whole = build_concat(l, parts, groups, axis);
    free(parts);
    return whole;
}

int build_gather(struct lower *l, int x, unsigned axis, int indices)
{
    struct shape from = build_shape(l, x), places = build_shape(l, indices), out = {0};
    if (x < 0 || indices < 0)
        return LOWER_POISON;
    if (from.rank + places.rank > GRAPH_RANK_MAX + 1) {
        lower_refuse(l, "a step would have %u dimensions; at most %d are supported", from.rank + places.rank - 1, GRAPH_RANK_MAX);
        return LOWER_POISON;
    }
    for (unsigned i = 0; i < axis; i++)
        out.dims[out.rank++] = from.dims[i];
    for (unsigned i = 0; i < places.rank; i++)
        out.dims[out.rank++] = places.dims[i];
    for (unsigned i = axis + 1; i < from.rank; i++)
        out.dims[out.rank++] = from.dims[i];
    return lower_emit(l, CORE_GATHER, (int[]){x, indices}, 2, &(struct attributes){.axis = axis}, build_element(l, x), &out);
}

int build_ints(struct lower *l, const int64_t *numbers, int64_t count)
{
    return lower_constant(l, ELEMENT_S64, &(struct shape){.rank = 1, .dims = {count}}, numbers);
}

/* Where the places step evenly it is a slice, which costs less. */
int build_places(struct lower *l, int x, unsigned axis, const int64_t *places, int64_t count)
{
    int64_t step = count > 1 ? places[1] - places[0] : 1;
    bool even = count > 0 && step > 0;
    for (int64_t i = 1; even && i < count; i++)
        even = places[i] == places[i - 1] + step;
    return even ? build_slice(l, x, axis, places[0], places[count - 1] + 1, step) : build_gather(l, x, axis, build_ints(l, places, count));
}

int build_expand(struct lower *l, int x, const struct shape *shape)
{
    struct shape from = build_shape(l, x);
    return x < 0 || shape_equal(&from, shape) ? x : lower_emit(l, CORE_EXPAND, &x, 1, NULL, build_element(l, x), shape);
}

int build_repeat(struct lower *l, int x, unsigned axis, int64_t times)
{
    struct shape shape = build_shape(l, x), apart = shape, out = shape;
    if (x < 0 || times == 1)
        return x;
    if (shape.rank == GRAPH_RANK_MAX) {
        lower_refuse(l, "a step would have %u dimensions; at most %d are supported", shape.rank + 1, GRAPH_RANK_MAX);
        return LOWER_POISON;
    }
    out.dims[axis] *= times;
    memmove(apart.dims + axis + 2, apart.dims + axis + 1, (shape.rank - axis - 1) * sizeof *apart.dims);
    apart.dims[axis + 1] = 1;
    apart.rank++;
    struct shape wide = apart;
    wide.dims[axis + 1] = times;
    return lower_reshape(l, build_expand(l, lower_reshape(l, x, &apart), &wide), &out);
}

int build_count_up(struct lower *l, enum element element, int64_t count)
{
    void *bytes = calloc((size_t)count + 1, element_bytes(element));
    if (!bytes) {
        lower_no_memory(l);
        return LOWER_POISON;
    }
    for (int64_t i = 0; i < count; i++)
        element_store(bytes, element, i, (double)i);
    int value = lower_constant(l, element, &(struct shape){.rank = 1, .dims = {count}}, bytes);
    free(bytes);
    return value;
}

/* --- sums and products ------------------------------------------------------------------------------------------------------- */

int build_reduce(struct lower *l, enum core_op op, int x, const bool axes[GRAPH_RANK_MAX], bool keep)
{
    struct shape shape = build_shape(l, x), out = {0};
    struct attributes at = {.keep_dims = keep};
    for (unsigned i = 0; i < shape.rank; i++) {
        if (axes[i])
            at.axes[at.axis_count++] = i;
        if (!axes[i] || keep)
            out.dims[out.rank++] = axes[i] ? 1 : shape.dims[i];
    }
    return at.axis_count ? lower_emit(l, op, &x, 1, &at, build_element(l, x), &out) : x;
}

/* The complement of an integer, -1 - x or all ones less x, turns the order round and never overflows. */
int build_turn_round(struct lower *l, int x)
{
    enum element element = build_element(l, x);
    uint64_t ones = element == ELEMENT_BOOL ? 1 : UINT64_MAX;
    if (x < 0 || element_is_float(element))
        return build_unary(l, CORE_NEG, x);
    return lower_broadcast(l, CORE_SUB, lower_constant(l, element, &(struct shape){0}, &ones), x);
}

int build_reduce_min(struct lower *l, int x, const bool axes[GRAPH_RANK_MAX], bool keep)
{
    return build_turn_round(l, build_reduce(l, CORE_REDUCE_MAX, build_turn_round(l, x), axes, keep));
}

int build_softmax(struct lower *l, int x, unsigned axis)
{
    return emit_like(l, CORE_SOFTMAX, x, &(struct attributes){.axis = axis}, build_element(l, x));
}

int build_matmul(struct lower *l, int a, int b)
{
    struct shape x = build_shape(l, a), y = build_shape(l, b), out, heads_x = x, heads_y = y;
    if (a < 0 || b < 0)
        return LOWER_POISON;
    heads_x.rank -= 2;
    heads_y.rank -= 2;
    if (x.dims[x.rank - 1] != y.dims[y.rank - 2] || !shape_broadcast(&out, &heads_x, &heads_y)) {
        lower_refuse(l, "the matrices that it is made of do not multiply");
        return LOWER_POISON;
    }
    out.dims[out.rank++] = x.dims[x.rank - 2];
    out.dims[out.rank++] = y.dims[y.rank - 1];
    return lower_emit(l, CORE_MATMUL, (int[]){a, b}, 2, NULL, build_element(l, a), &out);
}

int build_linear(struct lower *l, int x, int w, int bias)
{
    struct shape a = build_shape(l, x), b = build_shape(l, w), out = {.rank = 2, .dims = {a.dims[0], b.dims[0]}};
    struct attributes at = {.alpha = 1, .beta = 1, .trans_b = true};
    bool constants = build_leads_to_constant(l, x) || build_leads_to_constant(l, w), joined = constants && bias >= 0 && build_leads_to_constant(l, bias);
    int value = constants ? lower_emit(l, CORE_GEMM, (int[]){x, w, bias}, joined ? 3 : 2, &at, build_element(l, x), &out)
                          : build_matmul(l, x, lower_transpose_last(l, w)); /* two computed operands are a matmul */
    return joined || bias == GRAPH_NONE ? value : lower_broadcast(l, CORE_ADD, value, bias);
}
