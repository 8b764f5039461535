/* front.c: the first layers of a batch, a few images at a time: all of them for the first images, then all of them for the next.
 *
 * So the array works on the first images while the link brings the others, and what only these layers read needs room for a few images, not for the
 * batch: the first layers of a network have its largest values. It costs a fetch of their weights for each piece of the batch.
 * A value that only these layers touch has the same bytes for all pieces; one that is given or goes on has its own for each. */
#include "front.h"

#include "emit.h"
#include "finish.h"
#include "mapping.h"
#include "narrow.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PIECES_MOST = 8, WORTH = 33 /* one part in so many of the run must be gained, or the batch does not fit without */ };
enum { ROLE_NONE, ROLE_INSIDE, ROLE_BEYOND };

bool front_inside(const struct backend *b, const struct layer *l)
{
    return l - b->layers < b->front.end && b->front.roles[l->y] == ROLE_INSIDE;
}

void front_free(struct backend *b)
{
    free(b->front.roles);
    b->front = (struct front){0};
}

/* --- pieces ---------------------------------------------------------------------------------------------------------------------- */

/* A pool is fed by the product in front of it, line by line. */
static bool may_end(const struct backend *b, int end)
{
    const struct layer *next = &b->layers[end];
    return end == b->layer_count || next->kind != LAYER_POOL || next->x != next[-1].y;
}

/* Does a buffer hold more than one piece: is it an input's, or read behind the front? */
static bool goes_on(const struct backend *b, int buffer, int end)
{
    for (unsigned i = 0; i < b->graph->input_count; i++)
        if (b->places[b->graph->inputs[i]].placed && b->places[b->graph->inputs[i]].buffer == buffer)
            return true;
    return b->buffers[buffer].last >= end;
}

static void note_value(struct backend *b, int value)
{
    const struct place *p = value == GRAPH_NONE ? NULL : &b->places[value];
    if (p && p->placed)
        b->front.roles[value] = goes_on(b, p->buffer, b->front.end) ? ROLE_BEYOND : ROLE_INSIDE;
}

static void note_roles(struct backend *b)
{
    memset(b->front.roles, ROLE_NONE, (size_t)b->graph->value_count);
    for (int i = 0; i < b->front.end; i++) {
        const struct layer *l = &b->layers[i];
        int values[] = {l->x, l->y, l->other, l->residual};
        for (size_t k = 0; k < sizeof values / sizeof values[0]; k++)
            note_value(b, values[k]);
        for (unsigned k = 0; k < l->input_count; k++)
            note_value(b, l->inputs[k]);
    }
}

/* Narrows all values of the front to a piece of the batch. */
static void narrow(struct backend *b, int64_t piece)
{
    int64_t each = b->batch / b->front.pieces;
    b->narrowed = (struct narrowed){piece * each, each};
    for (int v = 0; v < b->graph->value_count; v++)
        if (b->front.roles[v] != ROLE_NONE)
            narrow_value(b, v, each, b->front.roles[v] == ROLE_BEYOND ? piece * each : 0);
}

static void widen(struct backend *b)
{
    for (int v = 0; v < b->graph->value_count; v++)
        if (b->front.roles[v] != ROLE_NONE)
            widen_value(b, v, b->front.roles[v] == ROLE_BEYOND ? b->narrowed.first : 0);
    b->narrowed = (struct narrowed){0};
}

/* --- room ------------------------------------------------------------------------------------------------------------------------ */

/* Buffers as they are with the front: one piece where nothing more is kept, all along the front where it is. */
static void shape_buffers(const struct backend *b, struct buffer *buffers, int end, int64_t pieces)
{
    memcpy(buffers, b->buffers, (size_t)b->buffer_count * sizeof *buffers);
    for (int v = 0; v < b->graph->value_count && end; v++) {
        int k = b->places[v].placed ? b->places[v].buffer : -1;
        if (k < 0 || b->buffers[k].first >= end)
            continue;
        if (goes_on(b, k, end)) {
            buffers[k].first = 0;
            buffers[k].last = (int)most(b->buffers[k].last, end - 1);
        } else {
            buffers[k].bytes = b->buffers[k].bytes / (uint64_t)pieces;
        }
    }
}

/* With room for constants, which have no addresses yet. */
static bool has_room(const struct backend *b, struct buffer *buffers, int end, int64_t pieces)
{
    uint64_t peak, constants = 0;
    for (int i = 0; i < b->layer_count; i++)
        constants += b->layers[i].m ? 16 * (uint64_t)b->layers[i].m->co : 0;
    shape_buffers(b, buffers, end, pieces);
    return constants < b->machine->ub_bytes && allocate_buffers(buffers, b->buffer_count, b->machine->ub_bytes - constants, b->machine->ub_line_bytes, &peak);
}

/* --- is it worth it ---------------------------------------------------------------------------------------------------------------- */

/* Cycles of the layers, whole and of one piece; of all inputs over the link, and of what each layer computes for the host; the mappings of the whole
 * layers, for those that stay whole. */
struct prices { double *whole, *piece, *out, input; struct mapping *maps; int count, longest; };

static double price_of(const struct backend *b, const struct layer *l)
{
    return l->kind == LAYER_MATRIX ? (double)mapping_cost(&l->m->map) : l->kind == LAYER_PRODUCT ? (double)l->mapping : waves_vector_cycles(b, l);
}

/* When the layers are done, and when what they sent has left: the last layer sends along with its work. */
struct clock { double now, link; };

static void send(struct clock *c, double beside, double cycles)
{
    double from = c->now - beside;
    c->link = cycles > 0 ? (c->link > from ? c->link : from) + cycles : c->link;
}

/* The link brings a piece of the input while the array works on the pieces before, and takes what those have computed. The first layer goes along with
 * its input. */
static void run_piece(struct clock *c, const struct prices *p, int end, double there, int64_t pieces)
{
    c->now = c->now + p->piece[0] > there ? c->now + p->piece[0] : there;
    for (int i = 0; i < end; i++) {
        c->now += i ? p->piece[i] : 0;
        send(c, 0, p->out[i] / (double)pieces);
    }
}

static double run_cycles(const struct prices *p, int end, int64_t pieces)
{
    struct clock c = {0};
    for (int64_t k = 1; k <= pieces && end; k++)
        run_piece(&c, p, end, p->input * (double)k / (double)pieces, pieces);
    for (int i = end; i < p->count; i++) {
        c.now = i || c.now + p->whole[0] > p->input ? c.now + p->whole[i] : p->input;
        send(&c, p->whole[i], p->out[i]);
    }
    return c.now > c.link ? c.now : c.link;
}

struct choice { int end; int64_t pieces; double cycles; };

/* The front with the least cycles that has room, if it is better than `best`. */
static struct choice better_end(const struct backend *b, const struct prices *p, struct choice best, struct buffer *buffers)
{
    int64_t pieces = b->front.pieces;
    for (int end = 1; end <= p->longest; end++) {
        double cycles = run_cycles(p, end, pieces);
        if (cycles < best.cycles && may_end(b, end) && has_room(b, buffers, end, pieces))
            best = (struct choice){end, pieces, cycles};
    }
    return best;
}

/* Layers from the first on that take pieces. */
static int longest_front(const struct backend *b)
{
    int end = 0;
    while (end < b->layer_count && narrow_takes(b, &b->layers[end]))
        end++;
    return end;
}

/* Maps the first layers in pieces. */
static void price_pieces(struct backend *b, struct prices *p)
{
    b->front.end = p->longest;
    note_roles(b);
    narrow(b, 0);
    for (int i = 0; i < p->longest; i++) {
        struct layer *l = &b->layers[i];
        if (l->kind == LAYER_MATRIX)
            mapping_price(b, l);
        p->piece[i] = price_of(b, l);
    }
    widen(b);
}

/* The front ends here; the layers behind it are as they were. */
static void settle(struct backend *b, const struct prices *p, int end, const struct buffer *buffers)
{
    b->front.end = end;
    note_roles(b);
    for (int i = 0; i < p->longest; i++) {
        struct layer *l = &b->layers[i];
        l->pieces = i < end ? b->front.pieces : 1;
        if (l->kind != LAYER_MATRIX)
            continue;
        l->m->map = i < end ? l->m->map : p->maps[i];
        mapping_note(b, l);
    }
    if (end)
        memcpy(b->buffers, buffers, (size_t)b->buffer_count * sizeof *buffers);
}

static double out_cycles(const struct backend *b, const struct layer *l)
{
    if (!graph_is_output(b->graph, l->y) || resident_output(b, l->y))
        return 0;
    return (double)cycles_of_bytes(b->machine, b->places[l->y].g.bytes, b->machine->link_out_bytes_per_second);
}

/* Prices of all layers, whole; the link's share of them, which is all that there is to gain. */
static double find_prices(struct backend *b, struct prices *p)
{
    double all = 0, link = p->input;
    for (int i = 0; i < b->layer_count; i++) {
        p->out[i] = out_cycles(b, &b->layers[i]);
        link += p->out[i];
        all += p->whole[i] = price_of(b, &b->layers[i]);
        if (b->layers[i].kind == LAYER_MATRIX)
            p->maps[i] = b->layers[i].m->map;
    }
    return link / (all + link);
}

static void choose(struct backend *b, struct prices *p, struct buffer *buffers)
{
    bool fits = has_room(b, buffers, 0, 1);
    if (find_prices(b, p) < 1.0 / WORTH && fits)
        return;
    struct choice best = {.pieces = 1, .cycles = fits ? run_cycles(p, 0, 1) * (1 - 1.0 / WORTH) : INFINITY};
    for (b->front.pieces = 2; b->front.pieces <= least(b->batch, PIECES_MOST); b->front.pieces++)
        if (b->batch % b->front.pieces == 0) {
            price_pieces(b, p);
            best = better_end(b, p, best, buffers);
        }
    b->front.pieces = best.pieces;
    if (best.end)
        price_pieces(b, p);
    shape_buffers(b, buffers, best.end, best.pieces);
    settle(b, p, best.end, buffers);
}

void backend_front(struct backend *b)
{
    struct prices p = {.input = waves_input_cycles(b), .count = b->layer_count, .longest = longest_front(b)};
    if (b->batch < 2 || b->waves > 1 || !p.longest || b->options->resident_count)
        return;
    size_t count = (size_t)b->layer_count;
    struct buffer *buffers = malloc(((size_t)b->buffer_count + 1) * sizeof *buffers);
    p.whole = malloc(3 * count * sizeof *p.whole);
    p.maps = malloc(count * sizeof *p.maps);
    b->front.roles = calloc((size_t)b->graph->value_count + 1, 1);
    b->out_of_memory |= !buffers || !p.whole || !p.maps || !b->front.roles;
    if (!b->out_of_memory) {
        p.piece = p.whole + count;
        p.out = p.piece + count;
        choose(b, &p, buffers);
    }
    free(buffers);
    free(p.whole);
    free(p.maps);
}

/* --- its instructions ---------------------------------------------------------------------------------------------------------------- */

static void emit_piece(struct backend *b, int64_t piece, const struct waves_hooks *hooks)
{
    for (int i = 0; i < b->front.end; i++) {
        hooks->before(b, i);
        b->layers[i].emitted_lines = 0;
        emit_layer(b, &b->layers[i]);
        if (front_inside(b, &b->layers[i]))
            finish_note(b, i, piece * (b->batch / b->front.pieces), b->batch / b->front.pieces);
        if (piece + 1 == b->front.pieces)
            hooks->whole(b, i);
    }
}

void front_emit(struct backend *b, const struct waves_hooks *hooks)
{
    for (int64_t piece = 0; piece < b->front.pieces && b->front.end; piece++) {
        narrow(b, piece);
        emit_piece(b, piece, hooks);
        widen(b);
    }
}
