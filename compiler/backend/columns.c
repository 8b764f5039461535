/* columns.c: a product in bands of its output channels. The operand is there as a whole; a band has the columns of tiles, biases and scales of its channels, so all
 * bands together fetch the weights once. Bands begin where a column of tiles does; the last one is shorter.
 *
 * It is for products whose numbers by channel alone fill the buffer, or whose rows are few and long. */
#include "mapping.h"
#include "spill.h"

enum { PARTS = 3 }; /* of the constants of a band: what stands in front (a table), biases, scales */
struct part { uint64_t first, bytes; };

bool columns_may(const struct spill *s, const struct layer *l)
{
    bool twice = spill_has(s, l->residual) && s->class_of[l->residual] == s->class_of[l->x]; /* as a whole and in bands */
    return l->kind == LAYER_MATRIX && !layer_is_conv(s->b, l) && !twice;
}

bool columns_are(const struct spill *s, const struct layer *l, int cut)
{
    return l->kind == LAYER_MATRIX && !layer_is_conv(s->b, l) && cut + 1 == (int)s->b->graph->values[l->y].shape.rank;
}

/* Channels of a band. */
int64_t columns_size(const struct spill *s, int64_t channels, int64_t bands)
{
    int64_t tile = (int64_t)s->b->machine->columns;
    return least(ceil_div(ceil_div(channels, bands), tile) * tile, channels);
}

static void parts_of(const struct layer *row, int64_t first, int64_t count, struct part parts[PARTS])
{
    const struct matrix *m = row->m;
    bool scales = m->w_format != WEFT_FORMAT_bf16;
    parts[0] = (struct part){row->constants_first, m->bias_host_offset - row->constants_first};
    parts[1] = (struct part){m->bias_host_offset + (uint64_t)first * 4, (uint64_t)count * 4};
    parts[2] = (struct part){scales ? m->scale_host_offset + (uint64_t)first * 4 : 0, scales ? (uint64_t)count * 4 : 0};
}

uint64_t columns_bytes(const struct layer *row, int64_t count)
{
    struct part parts[PARTS];
    uint64_t bytes = 0;
    parts_of(row, 0, count, parts);
    for (int i = 0; i < PARTS; i++)
        bytes += parts[i].bytes;
    return bytes;
}

void columns_bring(struct spill *s, int row, int64_t first, int64_t count, int buffer)
{
    struct part parts[PARTS];
    uint64_t at = 0;
    parts_of(&s->rows[row], first, count, parts);
    for (int i = 0; i < PARTS; at += parts[i++].bytes) {
        if (!parts[i].bytes)
            continue;
        held_push(s, row, parts[i].first, parts[i].first + parts[i].bytes, buffer);
        if (!s->b->out_of_memory)
            s->b->layers[s->b->layer_count - 1].block_at = at;
    }
}

/* Where a constant of this band stands. */
uint64_t columns_address(const struct backend *b, const struct layer *l, uint64_t offset)
{
    struct part parts[PARTS];
    uint64_t at = b->buffers[l->block_buffer - 1].ub;
    parts_of(&b->spill->rows[l->row], l->band.first, l->band.columns, parts);
    int i = 0;
    for (; offset - parts[i].first >= parts[i].bytes; i++) /* modulo 2^64: what lies before it too */
        at += parts[i].bytes;
    return at + offset - parts[i].first;
}

/* Of the whole product's tiles, those of this band. */
void columns_take(struct backend *b, struct layer *l)
{
    struct matrix *m = l->m;
    int64_t column = m->map.terms * m->map.k_tiles * (l->band.first / (int64_t)b->machine->columns);
    m->tile_ids += column;
    m->bias_host_offset += (uint64_t)l->band.first * 4;
    m->scale_host_offset += (uint64_t)l->band.first * 4;
    mapping_take_columns(b, l, l->band.columns);
}
