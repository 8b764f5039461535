/* writes.c: outputs on their way to the host, as soon as their bytes are whole.
 *
 * What a layer computes leaves behind it, or behind each part of the batch (waves.c). The result of a product leaves row by row behind its last column
 * of tiles, or, where the host link takes longer than the array, column by column. The vector unit must not write into the interval that an older
 * column still leaves from: so the rows of one column leave in front of the activations of the next, while that one's products run.
 *
 * An output that other products follow leaves as a whole: many writes would fill their queue, and a full queue holds up all that is behind it. */
#include "finish.h"

enum { IMAGE = 4096 /* bytes: smaller images leave together */, NARROW = 64 /* bytes of a row: fewer are not worth an instruction */,
       MOST = 1 << 20 /* instructions */, WORTH = 1000 /* cycles */ };

static void put(struct backend *b, uint64_t ub, uint64_t host, uint64_t bytes)
{
    struct weft_instr *i = emit(b, WEFT_OP_WRITE_HOST);
    i->ub = (uint32_t)ub;
    i->host = host;
    i->bytes = (uint32_t)bytes;
}

static uint64_t host_of(const struct backend *b, unsigned output)
{
    return host_address(b, b->graph->outputs[output], b->output_host[output], b->part);
}

/* --- behind a layer ------------------------------------------------------------------------------------------------------- */

void writes_value(struct backend *b, unsigned output)
{
    int value = b->graph->outputs[output];
    const struct geometry *g = &b->places[value].g;
    uint64_t parts = b->wave.count > 1 ? (uint64_t)b->wave.count : 1, all = geometry_span(g) / parts, from = all * (uint64_t)b->wave.index;
    uint64_t ub = place_origin(b, value) + from, host = host_of(b, output) + from;
    uint64_t piece = g->n > 1 && g->image > IMAGE ? (uint64_t)g->image : all;
    for (uint64_t at = 0; at < all; at += piece)
        put(b, ub + at, host + at, all - at < piece ? all - at : piece);
}

void writes_part(struct backend *b, const struct layer *l)
{
    for (unsigned i = 0; i < b->graph->output_count; i++)
        if (b->graph->outputs[i] == l->y && !b->left[i] && !resident_output(b, l->y))
            writes_value(b, i);
}

void writes_state(struct backend *b, const struct layer *l)
{
    for (unsigned i = 0; i < b->graph->output_count; i++)
        if (b->graph->outputs[i] == l->y && resident_output(b, l->y))
            resident_writes(b, resident_output(b, l->y), l->y);
}

/* --- behind a product ----------------------------------------------------------------------------------------------------- */

/* The output that this value is, by itself or under a name that follows at once; -1: none. */
static int output_of(const struct backend *b, const struct layer *l)
{
    int y = l->y;
    for (const struct layer *next = l + 1; next < b->layers + b->layer_count && next->kind == LAYER_ALIAS && next->x == y; next++)
        y = next->y;
    for (unsigned i = 0; i < b->graph->output_count; i++)
        if (b->graph->outputs[i] == y && !resident_output(b, y) && b->places[y].buffer == b->places[l->y].buffer)
            return (int)i;
    return -1;
}

/* Do rows of the product lie one behind the other, as in the value? */
static bool rows_in_order(const struct mapping *map, const struct geometry *g)
{
    return map->slices == 1 && map->step == map->pixels && g->line == g->w * g->pixel && g->image == g->h * g->line && (map->flat || map->groups_x * map->pixels == g->w);
}

static bool is_last_product(const struct backend *b, const struct layer *l)
{
    if (b->part + 1 < b->repeats)
        return false;
    for (const struct layer *next = l + 1; next < b->layers + b->layer_count; next++)
        if (next->kind == LAYER_MATRIX || next->kind == LAYER_PRODUCT)
            return false;
    return true;
}

/* Waiting for the last column costs what all the others take to leave. */
static bool by_columns(const struct backend *b, const struct layer *l)
{
    const struct mapping *map = &l->m->map;
    const struct geometry *g = &b->places[l->y].g;
    struct weft_rate rate = weft_rate(b->machine->link_out_bytes_per_second, b->machine->clock_hz);
    uint64_t bytes = (uint64_t)(map->chunk_rows * (map->n_tiles - 1)) * b->machine->columns * (uint64_t)g->element;
    return map->pixels == 1 && map->n_tiles > 1 && (int64_t)b->machine->columns * g->element >= NARROW && map->rows * map->n_tiles <= MOST &&
           bytes * rate.cycles / rate.bytes > WORTH;
}

void writes_begin(struct backend *b, const struct layer *l)
{
    int output = b->spill || !is_last_product(b, l) ? -1 : output_of(b, l);
    const struct geometry *g = &b->places[l->y].g;
    b->leaving = (struct leaving){.active = output >= 0 && rows_in_order(&l->m->map, g)};
    if (!b->leaving.active)
        return;
    b->left[output] = true;
    b->leaving.ub = place_origin(b, l->y);
    b->leaving.host = host_of(b, (unsigned)output);
    b->leaving.row_bytes = (uint64_t)(l->m->map.pixels * g->pixel);
    b->leaving.columns = by_columns(b, l);
    b->leaving.column_bytes = b->machine->columns * (uint64_t)g->element;
}

static void leave(struct backend *b, struct leaving_column *c, int64_t end)
{
    const struct leaving *w = &b->leaving;
    uint64_t first = (uint64_t)c->nt * w->column_bytes, left = w->row_bytes - first, bytes = left < w->column_bytes ? left : w->column_bytes;
    for (; c->next < c->end && c->next < end; c->next++) {
        uint64_t at = (uint64_t)c->next * w->row_bytes + first;
        put(b, w->ub + at, w->host + at, bytes);
    }
}

void writes_before(struct backend *b, int64_t first, int64_t rows)
{
    for (int i = 0; i < b->leaving.count; i++)
        if (b->leaving.waiting[i].next >= first || b->leaving.waiting[i].end > first)
            leave(b, &b->leaving.waiting[i], first + rows);
}

void writes_behind(struct backend *b, int64_t first, int64_t rows)
{
    const struct leaving *w = &b->leaving;
    if (w->active && !w->columns)
        put(b, w->ub + (uint64_t)first * w->row_bytes, w->host + (uint64_t)first * w->row_bytes, (uint64_t)rows * w->row_bytes);
}

void writes_end(struct backend *b)
{
    for (int i = 0; i < b->leaving.count; i++)
        leave(b, &b->leaving.waiting[i], INT64_MAX);
    b->leaving.count = 0;
}

void writes_column(struct backend *b, int64_t nt, int64_t first, int64_t rows)
{
    if (b->leaving.active && b->leaving.columns)
        b->leaving.waiting[b->leaving.count++] = (struct leaving_column){nt, first, first + rows};
}
