/* channels.c: layers in bands of their channels: a product with a matrix, whose operand is then there as a whole, and a depthwise convolution, of which each channel
 * reads its own. A band has the numbers of its channels alone (tiles, biases, scales, weights of the vector unit), so all bands together bring them once.
 * Where there are tiles it begins with a column of them; the last one is shorter.
 *
 * It is for layers whose numbers by channel alone fill the buffer, and for products whose rows are few and long. */
#include "mapping.h"
#include "spill.h"

/* Among a row's constants: what stands in front of them (a table), and arrays of a number a channel. */
struct numbers { uint64_t front, first, step /* bytes */; int64_t arrays; };

static struct numbers numbers_of(const struct layer *row)
{
    const struct matrix *m = row->m;
    if (row->kind == LAYER_DEPTHWISE)
        return (struct numbers){row->const_offset - row->constants_first, row->const_offset, (uint64_t)m->co * 4, 1 + m->kh * m->kw};
    bool scales = m->w_format != WEFT_FORMAT_bf16;
    return (struct numbers){m->bias_host_offset - row->constants_first, m->bias_host_offset, scales ? m->scale_host_offset - m->bias_host_offset : 0, scales ? 2 : 1};
}

bool channels_are(const struct spill *s, const struct layer *l, int cut)
{
    if (l->kind == LAYER_DEPTHWISE)
        return cut == 1;
    return l->kind == LAYER_MATRIX && !layer_is_conv(s->b, l) && cut + 1 == (int)s->b->graph->values[l->y].shape.rank;
}

/* One value cannot be there as a whole, to be multiplied, and in bands, to be added. */
bool channels_may(const struct spill *s, const struct layer *l)
{
    return l->kind == LAYER_DEPTHWISE || !spill_has(s, l->residual) || s->class_of[l->residual] != s->class_of[l->x];
}

int64_t channels_size(const struct spill *s, const struct layer *l, int64_t channels, int64_t bands)
{
    int64_t tile = l->kind == LAYER_MATRIX ? (int64_t)s->b->machine->columns : 1;
    return least(ceil_div(ceil_div(channels, bands), tile) * tile, channels);
}

uint64_t channels_bytes(const struct layer *row, int64_t count)
{
    struct numbers n = numbers_of(row);
    return n.front + (uint64_t)(n.arrays * count) * 4;
}

static void bring(struct spill *s, int row, uint64_t first, uint64_t bytes, int buffer, uint64_t at)
{
    if (bytes)
        held_push(s, row, first, first + bytes, buffer);
    if (bytes && !s->b->out_of_memory)
        s->b->layers[s->b->layer_count - 1].block_at = at;
}

void channels_bring(struct spill *s, int row, int64_t first, int64_t count, int buffer)
{
    struct numbers n = numbers_of(&s->rows[row]);
    uint64_t bytes = (uint64_t)count * 4;
    bring(s, row, s->rows[row].constants_first, n.front, buffer, 0);
    for (int64_t a = 0; a < n.arrays; a++)
        bring(s, row, n.first + (uint64_t)a * n.step + (uint64_t)first * 4, bytes, buffer, n.front + (uint64_t)a * bytes);
}

uint64_t channels_address(const struct backend *b, const struct layer *l, uint64_t offset)
{
    return b->buffers[l->block_buffer - 1].ub + offset - l->constants_first;
}

void channels_take(struct backend *b, struct layer *l)
{
    struct matrix *m = l->m;
    m->scale_host_offset = m->bias_host_offset + (uint64_t)l->band.channels * 4;
    m->tile_ids += m->map.terms * m->map.k_tiles * (l->band.first / (int64_t)b->machine->columns);
    mapping_take_channels(b, l, l->band.channels);
}
