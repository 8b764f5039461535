/* narrow.c: a layer that does a few inferences of the batch: while it is mapped or emitted its values are narrowed to them, shapes and places, so that no
 * other stage knows of parts. */
#include "narrow.h"

/* What the outermost dimension of a value is of its geometry: images, or lines of a value of three dimensions in C order. */
struct outermost { int64_t *extent, stride; };

static struct outermost outermost_of(struct geometry *g, unsigned rank)
{
    return !g->spatial && rank == 3 ? (struct outermost){&g->h, g->line} : (struct outermost){&g->n, g->image};
}

static bool is_batch(const struct backend *b, int value)
{
    struct place p = b->places[value];
    const struct shape *s = &b->graph->values[value].shape;
    return p.placed && !p.outside && !p.piece && s->rank >= 2 && s->dims[0] == b->batch && *outermost_of(&p.g, s->rank).extent % b->batch == 0;
}

/* In parts like the result, to which it is broadcast from the innermost dimension on, or constant and the same for all of them. */
static bool operand_fits(const struct backend *b, int value, unsigned rank)
{
    if (value == GRAPH_NONE)
        return true;
    const struct value *v = &b->graph->values[value];
    return value_is_constant(v) ? v->shape.rank < rank || v->shape.dims[0] == 1 : is_batch(b, value) && v->shape.rank == rank;
}

static bool kind_fits(const struct backend *b, const struct layer *l)
{
    switch (l->kind) {
    case LAYER_MATRIX:
        return layer_is_conv(b, l) || !b->graph->nodes[l->node].at.trans_a;
    case LAYER_DEPTHWISE:
    case LAYER_POOL:
    case LAYER_BINARY:
    case LAYER_UNARY:
    case LAYER_LRN:
    case LAYER_ALIAS:
        return true;
    case LAYER_SOFTMAX:
        return b->graph->nodes[l->node].at.axis != 0 && !l->sums;
    case LAYER_REDUCE:
        return !(l->reduced & 1);
    case LAYER_MOVE:
        return l->node == GRAPH_NONE || (l->op == CORE_CONCAT && b->graph->nodes[l->node].at.axis != 0) ||
               (l->op == CORE_TRANSPOSE && b->graph->nodes[l->node].at.perm[0] == 0);
    default:
        return false;
    }
}

bool narrow_takes(const struct backend *b, const struct layer *l)
{
    unsigned rank = b->graph->values[l->y].shape.rank;
    bool fits = kind_fits(b, l) && is_batch(b, l->y) && (l->kind == LAYER_BINARY ? operand_fits(b, l->x, rank) : is_batch(b, l->x)) && operand_fits(b, l->other, rank) && operand_fits(b, l->residual, rank);
    for (unsigned k = 0; k < l->input_count && fits; k++)
        fits = is_batch(b, l->inputs[k]);
    return fits;
}

/* `of` inferences become `count`. */
static void resize(struct backend *b, int value, int64_t of, int64_t count)
{
    struct geometry *g = &b->places[value].g;
    struct shape *shape = &b->graph->values[value].shape;
    struct outermost o = outermost_of(g, shape->rank);
    int64_t each = *o.extent / of;
    shape->dims[0] = count;
    *o.extent = each * count;
    g->bytes += (uint64_t)((count - of) * each * o.stride);
    if (o.extent == &g->h)
        g->image = g->h * g->line;
}

static uint64_t shifted(struct backend *b, int value, int64_t shift)
{
    struct outermost o = outermost_of(&b->places[value].g, b->graph->values[value].shape.rank);
    return (uint64_t)(shift * (*o.extent / b->graph->values[value].shape.dims[0]) * o.stride);
}

void narrow_value(struct backend *b, int value, int64_t count, int64_t shift)
{
    b->places[value].offset += shifted(b, value, shift);
    b->places[value].halo_done = false;
    resize(b, value, b->batch, count);
}

void widen_value(struct backend *b, int value, int64_t shift)
{
    resize(b, value, b->graph->values[value].shape.dims[0], b->batch);
    b->places[value].offset -= shifted(b, value, shift);
}

/* Each of its values once, as far as they are the batch's. */
static unsigned values_of(const struct backend *b, const struct layer *l, int values[NARROW_VALUES])
{
    unsigned count = 0;
    const int named[] = {l->y, l->x, l->other, l->residual};
    for (unsigned i = 0; i < 4 + l->input_count; i++) {
        int value = i < 4 ? named[i] : l->inputs[i - 4];
        bool seen = value == GRAPH_NONE || !b->places[value].placed;
        for (unsigned k = 0; k < count; k++)
            seen |= values[k] == value;
        if (!seen)
            values[count++] = value;
    }
    return count;
}

void narrow_layer(struct backend *b, const struct layer *l, int64_t first, int64_t count)
{
    int values[NARROW_VALUES];
    unsigned n = values_of(b, l, values);
    for (unsigned k = 0; k < n; k++)
        narrow_value(b, values[k], count, first);
    b->narrowed = (struct narrowed){first, count};
}

void widen_layer(struct backend *b, const struct layer *l)
{
    int values[NARROW_VALUES];
    unsigned n = values_of(b, l, values);
    for (unsigned k = 0; k < n; k++)
        widen_value(b, values[k], b->narrowed.first);
    b->narrowed = (struct narrowed){0};
}
