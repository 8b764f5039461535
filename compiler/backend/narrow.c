/* narrow.c: a layer that does a few inferences of the batch: while it is mapped or emitted its values are narrowed to them, shapes and places, so that no
 * other stage knows of parts. For values that have the batch outermost, images or rows of a matrix (waves.c has another way for others). */
#include "narrow.h"

static bool is_batch(const struct backend *b, int value)
{
    const struct place *p = &b->places[value];
    const struct shape *s = &b->graph->values[value].shape;
    return p->placed && !p->outside && !p->piece && s->rank >= 2 && s->dims[0] == b->batch && p->g.n == b->batch;
}

/* In parts like the result, or constant and the same for all of them. */
static bool operand_fits(const struct backend *b, int value, unsigned rank)
{
    if (value == GRAPH_NONE)
        return true;
    const struct value *v = &b->graph->values[value];
    return value_is_constant(v) ? v->shape.rank < rank || v->shape.dims[0] == 1 : is_batch(b, value);
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
        return b->graph->nodes[l->node].at.axis != 0;
    case LAYER_REDUCE:
        return !(l->reduced & 1);
    case LAYER_MOVE:
        return l->op == CORE_CONCAT && b->graph->nodes[l->node].at.axis != 0;
    default:
        return false;
    }
}

bool narrow_takes(const struct backend *b, const struct layer *l)
{
    unsigned rank = b->graph->values[l->y].shape.rank;
    bool fits = kind_fits(b, l) && is_batch(b, l->y) && operand_fits(b, l->x, rank) && operand_fits(b, l->other, rank) && operand_fits(b, l->residual, rank);
    for (unsigned k = 0; k < l->input_count && fits; k++)
        fits = is_batch(b, l->inputs[k]);
    return fits;
}

void narrow_value(struct backend *b, int value, int64_t count, int64_t shift)
{
    struct place *p = &b->places[value];
    b->graph->values[value].shape.dims[0] = p->g.n = count;
    p->g.bytes -= (uint64_t)((b->batch - count) * p->g.image);
    p->offset += (uint64_t)(shift * p->g.image);
    p->halo_done = false;
}

void widen_value(struct backend *b, int value, int64_t shift)
{
    struct place *p = &b->places[value];
    p->g.bytes += (uint64_t)((b->batch - p->g.n) * p->g.image);
    p->offset -= (uint64_t)(shift * p->g.image);
    b->graph->values[value].shape.dims[0] = p->g.n = b->batch;
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
