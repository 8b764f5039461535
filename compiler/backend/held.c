/* held.c: constants while values come and go. Each row brings its own right in front of its work; a large operand that other rows read too stays in the buffer
 * for them while there is room. */
#include "spill.h"

void held_push(struct spill *s, int row, uint64_t first, uint64_t end, int buffer)
{
    const struct layer *l = &s->rows[row];
    struct layer constants = {.kind = LAYER_CONSTANTS, .op = CORE_OPS, .node = GRAPH_NONE, .name = l->name, .x = l->y, .other = GRAPH_NONE, .y = l->y,
                              .residual = GRAPH_NONE, .function = GRAPH_NONE, .preact = GRAPH_NONE, .temp = {-1, -1, -1, -1}, .follows = -1,
                              .constants_first = first, .constants_end = end, .block_buffer = buffer + 1};
    sequence_push(s, &constants, row);
}

/* The row's own, and its constant operand where that is not there already and is not cut. */
void held_load(struct spill *s, int row)
{
    const struct layer *l = &s->rows[row];
    struct backend *b = s->b;
    bool by_channels = s->plans[row].bands > 1 && channels_are(s, l, s->plans[row].cut);
    if (!by_channels && s->constants[row] < 0 && l->constants_end > l->constants_first) {
        s->constants[row] = backend_add_buffer(b, l->constants_end - l->constants_first, b->layer_count, b->layer_count);
        held_push(s, row, l->constants_first, l->constants_end, s->constants[row]);
    }
    bool cut = s->plans[row].bands > 1 && bands_block(s, l, s->plans[row].cut);
    struct held *held = l->block && !cut ? &s->held[l->block - 1] : NULL;
    if (!held || held->buffer >= 0)
        return;
    const struct constant_block *block = &b->operands[l->block - 1];
    held->buffer = backend_add_buffer(b, block->bytes, b->layer_count, b->layer_count);
    held->first = held->first < 0 ? held->buffer : held->first;
    held_push(s, row, block->offset, block->offset + block->bytes, held->buffer);
}

int held_buffer(const struct spill *s, const struct layer *l)
{
    return l->block ? s->held[l->block - 1].buffer : -1;
}

/* What the row read stays for the next one, unless room is needed. */
void held_leave(struct spill *s, int row)
{
    struct held *held = s->rows[row].block ? &s->held[s->rows[row].block - 1] : NULL;
    if (held && held->again)
        held->buffer = -1;
}
