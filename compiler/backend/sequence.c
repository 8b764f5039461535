/* sequence.c: the layers again, with what comes into the buffer in front of each and what leaves it behind. Every value that is in the buffer
 * has a buffer from here; one that comes back comes under a name of its own.
 *
 * A layer in bands: while one band is worked on the next is on its way, so what comes and goes has two buffers that take turns:
 *
 *     load 0 | load 1, layer 0, store 0 | load 2, layer 1, store 1 | ... */
#include "spill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPERANDS_MAX = NODE_INPUTS_MAX + 4, RING = 2 };

/* --- values and layers of ours --------------------------------------------------------------------------------------------------- */

int sequence_push(struct spill *s, const struct layer *layer, int row)
{
    struct backend *b = s->b;
    if (!backend_grow(s->b, &b->layers, (size_t)b->layer_count, &s->layer_room, sizeof *b->layers))
        return 0;
    b->layers[b->layer_count] = *layer;
    b->layers[b->layer_count].row = row;
    return b->layer_count++;
}

static int push_transfer(struct spill *s, enum layer_kind kind, int row, int value, const struct transfer *transfer)
{
    struct layer layer = {.kind = kind, .op = CORE_OPS, .node = GRAPH_NONE, .name = s->rows[row].name, .x = value, .other = GRAPH_NONE, .y = value,
                          .residual = GRAPH_NONE, .function = GRAPH_NONE, .preact = GRAPH_NONE, .temp = {-1, -1, -1, -1}, .follows = -1, .transfer = *transfer};
    return sequence_push(s, &layer, row);
}

static bool grow_places(struct backend *b, int value)
{
    struct place *grown = realloc(b->places, ((size_t)value + 1) * sizeof *grown);
    if (grown)
        b->places = grown;
    return grown != NULL;
}

static int made_value(struct spill *s, int like)
{
    char name[256];
    struct graph *g = s->b->graph;
    struct shape shape = g->values[like].shape; /* a copy: adding a value moves the others */
    if (s->made_used < s->made_count)
        return s->made[s->made_used++];
    if (!backend_grow(s->b, &s->made, (size_t)s->made_count, &s->made_room, sizeof *s->made))
        return GRAPH_NONE;
    snprintf(name, sizeof name, "%.200s/there%d", g->values[like].name, s->made_count);
    int value = graph_add_value(g, name, g->values[like].element, &shape);
    if (value < 0 || !grow_places(s->b, value))
        return GRAPH_NONE;
    s->made[s->made_count++] = value;
    return s->made[s->made_used++];
}

/* A value like another, of this shape at this place. Without memory, the other itself: the program is lost then. */
static int new_value(struct spill *s, int like, const struct shape *shape, const struct place *place)
{
    struct graph *g = s->b->graph;
    int value = made_value(s, like);
    if (value == GRAPH_NONE) {
        s->b->out_of_memory = true;
        return like;
    }
    g->values[value].element = g->values[like].element;
    g->values[value].shape = *shape;
    g->values[value].q = g->values[like].q;
    s->b->places[value] = *place;
    return value;
}

static void touch(struct spill *s, int buffer, int at)
{
    if (buffer >= 0 && s->b->buffers[buffer].last < at)
        s->b->buffers[buffer].last = at;
}

/* --- classes in the buffer --------------------------------------------------------------------------------------------------------- */

struct use *sequence_use(const struct spill *s, int row, int class)
{
    for (int u = s->row_uses[row]; u < s->row_uses[row + 1]; u++)
        if (s->uses[u].class == class)
            return &s->uses[u];
    return NULL;
}

static bool is_there(const struct spill *s, int value)
{
    return s->classes[s->class_of[value]].buffer >= 0;
}

/* The id under which a value that is in the buffer is there now. */
static int value_there(struct spill *s, int value)
{
    const struct class *c = &s->classes[s->class_of[value]];
    if (s->now_version[value] == c->version)
        return s->now[value];
    struct place place = s->b->wide[value];
    struct shape shape = s->b->graph->values[value].shape;
    place.buffer = c->buffer;
    if (c->version == 0)
        s->b->places[value] = place;
    s->now[value] = c->version == 0 ? value : new_value(s, value, &shape, &place);
    s->now_version[value] = c->version;
    return s->now[value];
}

static struct transfer whole_transfer(const struct spill *s, int value, int output)
{
    return (struct transfer){.value = value, .output = output, .bytes = s->b->wide[value].g.bytes, .runs = 1};
}

static void load(struct spill *s, int row, int value)
{
    struct class *c = &s->classes[s->class_of[value]];
    struct transfer t = whole_transfer(s, value, -1);
    c->version += c->loaded_at >= 0 || !c->input;
    c->buffer = backend_add_buffer(s->b, c->bytes, s->b->layer_count, s->b->layer_count);
    c->loaded_at = push_transfer(s, LAYER_LOAD, row, value_there(s, value), &t);
}

static void note_stored(struct class *c, int at)
{
    c->stored_at = c->stored_at < 0 ? at : c->stored_at;
    c->stored = true;
}

static void store(struct spill *s, int row, int value, int output)
{
    struct class *c = &s->classes[s->class_of[value]];
    struct transfer t = whole_transfer(s, value, output);
    int at = push_transfer(s, LAYER_STORE, row, value_there(s, value), &t);
    touch(s, c->buffer, at);
    if (output < 0 || (c->home.kind == HOME_OUTPUT && c->home.index == (unsigned)output))
        note_stored(c, at);
}

/* --- a row --------------------------------------------------------------------------------------------------------------------------- */

/* A residual is an operand of its own, also where the layer reads the same value otherwise. */
struct operands { int values[OPERANDS_MAX]; bool residual[OPERANDS_MAX]; int count; };

static void add_operand(const struct spill *s, struct operands *o, int value, bool residual)
{
    for (int i = 0; i < o->count; i++)
        if (o->values[i] == value && o->residual[i] == residual)
            return;
    if (value != GRAPH_NONE && value < s->values && s->b->wide[value].placed && !value_is_constant(&s->b->graph->values[value])) {
        o->residual[o->count] = residual;
        o->values[o->count++] = value;
    }
}

static struct operands operands_of(const struct spill *s, const struct layer *l)
{
    struct operands o = {.count = 0};
    add_operand(s, &o, l->x, false);
    add_operand(s, &o, l->other, false);
    add_operand(s, &o, l->residual, true);
    for (unsigned k = 0; k < l->input_count; k++)
        add_operand(s, &o, l->inputs[k], false);
    return o;
}

/* Writes `to` for `from` wherever the layer names it. */
static void rename_operand(struct layer *l, const struct layer *row, int from, bool residual, int to)
{
    if (residual) {
        l->residual = to;
        return;
    }
    l->x = row->x == from ? to : l->x;
    l->other = row->other == from ? to : l->other;
    for (unsigned k = 0; k < l->input_count; k++)
        l->inputs[k] = row->inputs[k] == from ? to : l->inputs[k];
}

/* What a row needs as a whole and is not there; `from`: rows before it may have used it last. */
static void load_operands(struct spill *s, int row, int until)
{
    struct operands o = operands_of(s, &s->rows[row]);
    for (int i = 0; i < o.count; i++) {
        const struct use *u = sequence_use(s, row, s->class_of[o.values[i]]);
        bool free = u && !u->streams && !is_there(s, o.values[i]) && (u->previous < 0 || s->uses[u->previous].row < until);
        if (free)
            load(s, row, o.values[i]);
    }
}

static void make_room(struct spill *s, int value, int first)
{
    struct class *c = &s->classes[s->class_of[value]];
    if (c->buffer < 0)
        c->buffer = backend_add_buffer(s->b, c->bytes, first, s->b->layer_count);
}

static void run_whole(struct spill *s, int row)
{
    struct backend *b = s->b;
    const struct layer *l = &s->rows[row];
    struct layer copy = *l;
    struct operands o = operands_of(s, l);
    int at = b->layer_count;
    make_room(s, l->y, l->kind == LAYER_POOL && at ? at - 1 : at); /* a pool is fed while the layer before it runs */
    for (int i = 0; i < o.count; i++) {
        rename_operand(&copy, l, o.values[i], o.residual[i], value_there(s, o.values[i]));
        touch(s, s->classes[s->class_of[o.values[i]]].buffer, at);
    }
    copy.y = value_there(s, l->y);
    copy.follows = -1;
    copy.block_buffer = held_buffer(s, l) + 1;
    touch(s, s->classes[s->class_of[l->y]].buffer, at);
    touch(s, s->constants[row], at);
    touch(s, held_buffer(s, l), at);
    sequence_push(s, &copy, row);
    if (!b->out_of_memory)
        layer_temps(b, &b->layers[at], at);
}

/* --- a row in bands -------------------------------------------------------------------------------------------------------------------- */

/* An operand or the result while its layer runs in bands. */
struct strip {
    int value, dimension; /* BAND_WHOLE: all of it */
    bool streams, result, residual;
    int ring[RING];
    int ids[RING];
    struct transfer transfers[RING];
};

struct strips { struct spill *s; const struct layer *l; int row, cut, rings; int64_t extent, size, count; struct strip items[OPERANDS_MAX + 1]; int item_count;
                uint64_t step; /* bytes of a constant operand for each step of the cut, or 0 */ int block[RING]; bool by_channels; };

static int64_t start_of(const struct strips *p, int64_t k)
{
    int64_t start = k * p->size;
    return start + p->size > p->extent && !p->by_channels ? p->extent - p->size : start;
}

static int64_t size_of(const struct strips *p, int64_t k)
{
    return least(p->size, p->extent - start_of(p, k));
}

static struct place place_of(const struct strips *p, const struct strip *strip, int64_t k, struct shape *shape, struct transfer *t)
{
    struct band band = bands_of(p->s, p->l, strip->value, p->cut, start_of(p, k), size_of(p, k), strip->residual);
    return bands_place(p->s, strip->value, strip->dimension, &band, !strip->streams, shape, t);
}

static void open_strip(struct strips *p, int value, bool result, bool residual)
{
    struct spill *s = p->s;
    struct strip *strip = &p->items[p->item_count++];
    const struct use *u = sequence_use(s, p->row, s->class_of[value]);
    *strip = (struct strip){.value = value, .dimension = bands_dimension(s, p->l, value, p->cut), .streams = u && u->streams, .result = result, .residual = residual, .ring = {-1, -1}};
    if (!strip->streams) {
        make_room(s, value, s->b->layer_count);
        return;
    }
    uint64_t bytes = 0;
    for (int64_t k = 0; k < p->count; k += k + 2 < p->count && k > 1 ? p->count - 2 - k : 1) { /* the first and last have halos, the others are alike */
        struct shape shape;
        struct transfer t;
        struct place place = place_of(p, strip, k, &shape, &t);
        bytes = place.g.bytes > bytes ? place.g.bytes : bytes;
    }
    for (int i = 0; i < p->rings; i++)
        strip->ring[i] = backend_add_buffer(s->b, bytes, s->b->layer_count, s->b->layer_count);
}

static void open_block(struct strips *p)
{
    p->step = bands_block(p->s, p->l, p->cut);
    uint64_t bytes = p->by_channels ? channels_bytes(p->l, p->size) : p->step * (uint64_t)p->size;
    for (int i = 0; i < RING; i++)
        p->block[i] = bytes && i < p->rings ? backend_add_buffer(p->s->b, bytes, p->s->b->layer_count, p->s->b->layer_count) : -1;
}

static void enter_block(const struct strips *p, int64_t k)
{
    uint64_t first = p->l->const_offset + (uint64_t)start_of(p, k) * p->step;
    if (p->by_channels)
        channels_bring(p->s, p->row, start_of(p, k), size_of(p, k), p->block[k % p->rings]);
    else if (p->step)
        held_push(p->s, p->row, first, first + (uint64_t)p->size * p->step, p->block[k % p->rings]);
}

/* The id of band k of a strip, brought from its home where it must be. */
static void enter_band(struct strips *p, struct strip *strip, int64_t k)
{
    struct spill *s = p->s;
    int slot = (int)(k % p->rings);
    struct shape shape;
    struct transfer t;
    if (strip->dimension == BAND_WHOLE) {
        strip->ids[slot] = value_there(s, strip->value);
        return;
    }
    struct place place = place_of(p, strip, k, &shape, &t);
    place.buffer = strip->streams ? strip->ring[slot] : s->classes[s->class_of[strip->value]].buffer;
    place.owner = strip->streams ? GRAPH_NONE : value_there(s, strip->value);
    strip->ids[slot] = new_value(s, strip->value, &shape, &place);
    strip->transfers[slot] = t;
    if (strip->streams && !strip->result)
        s->classes[s->class_of[strip->value]].loaded_at = push_transfer(s, LAYER_LOAD, p->row, strip->ids[slot], &t);
}

static void enter(struct strips *p, int64_t k)
{
    if (k >= p->count)
        return;
    enter_block(p, k);
    for (int i = 0; i < p->item_count; i++)
        enter_band(p, &p->items[i], k);
}

static int push_band(struct strips *p, int64_t k, int first)
{
    struct backend *b = p->s->b;
    struct layer copy = *p->l;
    int slot = (int)(k % p->rings);
    for (int i = 0; i < p->item_count; i++)
        if (p->items[i].result)
            copy.y = p->items[i].ids[slot];
        else
            rename_operand(&copy, p->l, p->items[i].value, p->items[i].residual, p->items[i].ids[slot]);
    bands_adjust(p->s, &copy, p->l, p->cut, start_of(p, k), p->size);
    copy.band.own_block = p->step > 0;
    copy.follows = first;
    copy.band.channels = p->by_channels ? size_of(p, k) : 0;
    copy.block_buffer = (p->step || p->by_channels ? p->block[slot] : held_buffer(p->s, p->l)) + 1;
    int at = sequence_push(p->s, &copy, p->row);
    if (b->out_of_memory)
        return at;
    if (first < 0)
        layer_temps(b, &b->layers[at], at);
    else
        memcpy(b->layers[at].temp, b->layers[first].temp, sizeof b->layers[at].temp);
    return at;
}

static void leave(struct strips *p, int64_t k)
{
    int slot = (int)(k % p->rings);
    for (int i = 0; i < p->item_count; i++)
        if (p->items[i].result && p->items[i].streams)
            note_stored(&p->s->classes[p->s->class_of[p->items[i].value]], push_transfer(p->s, LAYER_STORE, p->row, p->items[i].ids[slot], &p->items[i].transfers[slot]));
}

/* All that the bands use stays until the last of them is done. */
static void close_strips(struct strips *p, int first)
{
    struct spill *s = p->s;
    int last = s->b->layer_count - 1;
    for (int i = 0; i < p->item_count; i++) {
        for (int r = 0; r < RING; r++)
            touch(s, p->items[i].ring[r], last);
        touch(s, s->classes[s->class_of[p->items[i].value]].buffer, last);
    }
    for (int t = 0; t < 4 && !s->b->out_of_memory; t++)
        touch(s, s->b->layers[first].temp[t], last);
    for (int r = 0; r < RING; r++)
        touch(s, p->block[r], last);
    touch(s, p->step ? -1 : held_buffer(s, p->l), last);
    touch(s, s->constants[p->row], last);
}

static void run_bands(struct spill *s, int row)
{
    const struct layer *l = &s->rows[row];
    const struct plan *plan = &s->plans[row];
    struct strips p = {.s = s, .l = l, .row = row, .cut = plan->cut, .rings = plan->single ? 1 : RING};
    p.extent = s->b->graph->values[l->y].shape.dims[p.cut];
    p.by_channels = channels_are(s, l, p.cut);
    p.size = bands_size(s, l, p.cut, plan->bands);
    p.count = (p.extent + p.size - 1) / p.size;
    struct operands o = operands_of(s, l);
    int first = -1;
    for (int i = 0; i < o.count; i++)
        open_strip(&p, o.values[i], false, o.residual[i]);
    open_strip(&p, l->y, true, false);
    open_block(&p);
    for (int64_t k = 0; k < p.count && !s->b->out_of_memory; k++) {
        if (k == 0 || p.rings == 1)
            enter(&p, k);
        if (p.rings > 1)
            enter(&p, k + 1);
        int at = push_band(&p, k, first);
        first = first < 0 ? at : first;
        leave(&p, k);
    }
    close_strips(&p, first);
}

/* --- all rows ------------------------------------------------------------------------------------------------------------------------------ */

/* A result that the host waits for leaves as soon as it is whole. */
static void store_outputs(struct spill *s, int row)
{
    int y = s->rows[row].y;
    struct class *c = &s->classes[s->class_of[y]];
    if (c->home.kind == HOME_OUTPUT && c->buffer >= 0 && !c->stored)
        store(s, row, y, (int)c->home.index); /* under whichever name it leaves */
    for (unsigned i = 0; i < s->b->graph->output_count; i++)
        if (s->b->graph->outputs[i] == y && c->buffer >= 0 && !(c->stored && c->home.kind == HOME_OUTPUT && c->home.index == i))
            store(s, row, y, (int)i);
}

static int member_there(const struct spill *s, int row, int class)
{
    struct operands o = operands_of(s, &s->rows[row]);
    for (int i = 0; i < o.count; i++)
        if (s->class_of[o.values[i]] == class)
            return o.values[i];
    return s->rows[row].y;
}

static void drop(struct spill *s, int row)
{
    for (int u = s->row_uses[row]; u < s->row_uses[row + 1]; u++) {
        const struct use *use = &s->uses[u];
        struct class *c = &s->classes[use->class];
        if (c->buffer < 0 || (use->next >= 0 && !s->uses[use->next].away))
            continue;
        if (use->next >= 0 && !c->stored)
            store(s, row, member_there(s, row, use->class), -1);
        c->buffer = -1;
    }
}

static void do_row(struct spill *s, int row)
{
    const struct layer *l = &s->rows[row];
    held_load(s, row);
    load_operands(s, row, row);
    if (row + 1 < s->row_count && s->plans[row + 1].early) {
        held_load(s, row + 1);
        load_operands(s, row + 1, row);
    }
    if (l->kind == LAYER_ALIAS && !is_there(s, l->x))
        return; /* both are where their home is */
    if (s->plans[row].bands > 1)
        run_bands(s, row);
    else
        run_whole(s, row);
    store_outputs(s, row);
    held_leave(s, row);
    drop(s, row);
}

static void start(struct spill *s)
{
    struct backend *b = s->b;
    b->layer_count = b->buffer_count = s->made_used = 0;
    memcpy(b->places, b->wide, (size_t)s->values * sizeof *b->wide);
    for (int i = 0; i < s->class_count; i++) {
        s->classes[i].buffer = s->classes[i].stored_at = s->classes[i].loaded_at = -1;
        s->classes[i].version = 0;
        s->classes[i].stored = s->classes[i].input;
    }
    for (int v = 0; v < s->values; v++)
        s->now_version[v] = -1;
    for (int r = 0; r < s->row_count; r++)
        s->constants[r] = -1;
    for (int k = 0; k < b->operand_count; k++)
        s->held[k].buffer = s->held[k].first = -1;
}

enum weft_status sequence_make(struct spill *s)
{
    start(s);
    for (int row = 0; row < s->row_count && !s->b->out_of_memory; row++)
        do_row(s, row);
    return s->b->out_of_memory ? WEFT_NO_MEMORY : WEFT_OK;
}
