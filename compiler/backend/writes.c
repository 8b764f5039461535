/* writes.c: outputs on their way to the host, as soon as their bytes are whole.
 *
 * What a layer computes leaves behind it, or behind each part of the batch (waves.c). The result of a product leaves row by row behind its last column
 * of tiles, or, where the host link takes longer than the array, column by column. The vector unit must not write into the interval that an older
 * column still leaves from: so the rows of one column leave in front of the activations of the next, while that one's products run.
 *
 * An output that other products follow leaves as a whole: many writes would fill their queue, and a full queue holds up all that is behind it. */
#include "emit.h"
#include "finish.h"

#include <stdlib.h>

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
    int value = b->graph->outputs[output];
    uint64_t part = geometry_span(&b->places[value].g) + (uint64_t)b->places[value].g.origin; /* of `repeats`, or of the pieces of one */
    return b->narrowed.count ? b->output_host[output] + part * (uint64_t)((b->part * b->batch + b->narrowed.first) / b->narrowed.count)
                             : host_address(b, value, b->output_host[output], b->part);
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

static int output_index(const struct backend *b, int value)
{
    for (unsigned i = 0; i < b->graph->output_count; i++)
        if (b->graph->outputs[i] == value && !resident_output(b, value))
            return (int)i;
    return -1;
}

/* Do the rows of the product follow each other as the pixels of the value do? */
static bool rows_in_order(const struct backend *b, const struct layer *l)
{
    const struct mapping *map = &l->m->map;
    return map->slices == 1 && map->step == map->pixels && (map->flat || map->groups_x * map->pixels == b->places[l->y].g.w);
}

/* --- beside the layers that follow ------------------------------------------------------------------------------------------ */

/* Rows of an early piece of an output leave while later layers run, as many as the link has time for by the bounds of those layers: a full queue of
 * writes would hold up the layers. */
static void owe(struct backend *b, uint64_t ub, uint64_t host, uint64_t bytes)
{
    struct owed *o = &b->owed;
    if (!backend_grow(b, &o->writes, o->count, &o->room, sizeof *o->writes))
        return;
    uint64_t ready = o->now + b->layers[b->current].mapping / (uint64_t)b->repeats;
    if (o->next == o->count && o->link < ready)
        o->link = ready; /* it has been idle */
    o->writes[o->count++] = (struct owed_write){ub, host, bytes};
}

static uint64_t link_cycles(const struct backend *b, uint64_t bytes)
{
    return cycles_of_bytes(b->machine, bytes, b->machine->link_out_bytes_per_second);
}

static void pay(struct backend *b, uint64_t until)
{
    struct owed *o = &b->owed;
    for (; o->next < o->count && o->link < until; o->next++) {
        const struct owed_write *w = &o->writes[o->next];
        put(b, w->ub, w->host, w->bytes);
        o->link += link_cycles(b, w->bytes);
    }
}

/* A piece whose rows come in another order than its pixels leaves when it is whole. */
static void owe_lines(struct backend *b, const struct layer *l)
{
    const struct place *y = &b->places[l->y];
    const struct geometry *there = &b->places[y->owner].g;
    uint64_t ub = place_origin(b, l->y), host = host_of(b, (unsigned)output_index(b, y->owner)) + y->host_offset;
    for (int64_t n = 0; n < y->g.n; n++)
        for (int64_t h = 0; h < y->g.h; h++)
            owe(b, ub + (uint64_t)(n * y->g.image + h * y->g.line), host + (uint64_t)(n * there->image + h * there->line), (uint64_t)(y->g.w * y->g.pixel));
}

void writes_beside(struct backend *b, const struct layer *l)
{
    if (l->kind == LAYER_MATRIX && b->places[l->y].piece && !rows_in_order(b, l))
        owe_lines(b, l);
    b->owed.now += l->mapping / (uint64_t)b->repeats;
    pay(b, b->owed.now);
}

void writes_rest(struct backend *b)
{
    pay(b, UINT64_MAX);
    b->owed.count = b->owed.next = 0;
}

/* --- behind a product ----------------------------------------------------------------------------------------------------- */

/* The output that the value of layer number `index` is, by itself or under a name that follows at once; -1: none. A name behind the layers that are narrowed to
 * a part of the batch stands for all of it. */
static int output_of(const struct backend *b, int index)
{
    int y = b->layers[index].y, buffer = b->places[y].buffer, end = b->narrowed.count ? b->front.end : b->layer_count;
    for (int i = index + 1; i < end && b->layers[i].kind == LAYER_ALIAS && b->layers[i].x == y; i++)
        y = b->layers[i].y;
    return b->places[y].buffer == buffer ? output_index(b, y) : -1;
}

static bool is_last_product(const struct backend *b, const struct layer *l)
{
    bool last_piece = !b->narrowed.count || b->narrowed.first + b->narrowed.count == b->batch;
    if (b->part + 1 < b->repeats || !last_piece)
        return false;
    for (const struct layer *next = l + 1; next < b->layers + b->layer_count; next++)
        if (layer_multiplies(next))
            return false;
    return true;
}

/* Waiting for the last column costs what all the others take to leave. */
static bool by_columns(const struct backend *b, const struct layer *l)
{
    const struct mapping *map = &l->m->map;
    const struct geometry *g = &b->places[l->y].g;
    uint64_t bytes = (uint64_t)(map->chunk_rows * (map->n_tiles - 1)) * b->machine->columns * (uint64_t)g->element;
    return map->pixels == 1 && map->n_tiles > 1 && (int64_t)b->machine->columns * g->element >= NARROW && map->rows * map->n_tiles <= MOST &&
           link_cycles(b, bytes) > WORTH;
}

void writes_begin(struct backend *b, const struct layer *l)
{
    const struct place *y = &b->places[l->y];
    bool last = is_last_product(b, l), ordered = rows_in_order(b, l);
    int output = b->spill || !ordered || !(last || y->piece) ? -1 : y->piece ? output_index(b, y->owner) : output_of(b, (int)(l - b->layers));
    b->leaving = (struct leaving){.how = output < 0 ? LEAVING_NOT : !last ? LEAVING_LATER : by_columns(b, l) ? LEAVING_COLUMNS : LEAVING_ROWS};
    if (output < 0)
        return;
    b->left[output] = true;
    b->leaving.map = &l->m->map;
    b->leaving.here = &y->g;
    b->leaving.there = y->piece ? &b->places[y->owner].g : &y->g;
    b->leaving.ub = place_origin(b, l->y);
    b->leaving.host = host_of(b, (unsigned)output) + y->host_offset;
    b->leaving.column_bytes = b->machine->columns * (uint64_t)y->g.element;
    if (last)
        writes_rest(b);
}

/* Bytes from the first to this row's, in a geometry here or on the host. */
static uint64_t row_at(const struct leaving *w, const struct geometry *g, int64_t row)
{
    int64_t pixel = row * w->map->pixels, line = pixel / w->here->w;
    return (uint64_t)(line / w->here->h * g->image + line % w->here->h * g->line + pixel % w->here->w * g->pixel);
}

static void put_row(struct backend *b, int64_t row, uint64_t first, uint64_t bytes, bool later)
{
    const struct leaving *w = &b->leaving;
    uint64_t ub = w->ub + row_at(w, w->here, row) + first, host = w->host + row_at(w, w->there, row) + first;
    (later ? owe : put)(b, ub, host, bytes);
}

/* How many rows from this one on, of `rows`, lie side by side here and there. */
static int64_t run_of(const struct leaving *w, int64_t row, int64_t rows)
{
    int64_t run = 1, bytes = w->map->pixels * w->here->pixel;
    while (run < rows && row_at(w, w->there, row + run) == row_at(w, w->there, row) + (uint64_t)(run * bytes) &&
           row_at(w, w->here, row + run) == row_at(w, w->here, row) + (uint64_t)(run * bytes))
        run++;
    return run;
}

static void leave(struct backend *b, struct leaving_column *c, int64_t end)
{
    const struct leaving *w = &b->leaving;
    uint64_t first = (uint64_t)c->nt * w->column_bytes, left = (uint64_t)(w->map->columns * w->here->element) - first;
    for (; c->next < c->end && c->next < end; c->next++)
        put_row(b, c->next, first, left < w->column_bytes ? left : w->column_bytes, false);
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
    if (w->how != LEAVING_ROWS && w->how != LEAVING_LATER)
        return;
    for (int64_t row = first, run; row < first + rows; row += run) {
        run = run_of(w, row, first + rows - row);
        put_row(b, row, 0, (uint64_t)(run * w->map->pixels * w->here->pixel), w->how == LEAVING_LATER);
    }
}

void writes_column(struct backend *b, int64_t nt, int64_t first, int64_t rows)
{
    if (b->leaving.how == LEAVING_COLUMNS)
        b->leaving.waiting[b->leaving.count++] = (struct leaving_column){nt, first, first + rows};
}

void writes_end(struct backend *b)
{
    for (int i = 0; i < b->leaving.count; i++)
        leave(b, &b->leaving.waiting[i], INT64_MAX);
    b->leaving.count = 0;
}
