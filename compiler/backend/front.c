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

static bool is_output(const struct backend *b, int value)
{
    for (unsigned i = 0; i < b->graph->output_count; i++)
        if (b->graph->outputs[i] == value)
            return true;
    return false;
}

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

/* Cycles of the layers, whole and of one piece, and of all inputs over the link; the mappings of the whole layers, for those that stay whole. */
struct prices { double *whole, *piece, input; struct mapping *maps; int count, longest; };

static double price_of(const struct backend *b, const struct layer *l)
{
    return l->kind == LAYER_MATRIX ? (double)mapping_cost(&l->m->map) : l->kind == LAYER_PRODUCT ? (double)l->mapping : waves_vector_cycles(b, l);
}

/* The link brings a piece of the input while the array works on the pieces before. The first layer goes along with its input. */
static double run_cycles(const struct prices *p, int end, int64_t pieces)
{
    double now = 0, rest = 0, front = 0;
    for (int i = end; i < p->count; i++)
        rest += p->whole[i];
    if (!end)
        return rest + (p->input > p->whole[0] ? p->input - p->whole[0] : 0);
    for (int i = 1; i < end; i++)
        front += p->piece[i];
    for (int64_t k = 1; k <= pieces; k++) {
        double there = p->input * (double)k / (double)pieces;
        now = (now + p->piece[0] > there ? now + p->piece[0] : there) + front;
    }
    return now + rest;
}

/* The front with the least cycles that has room; 0: none is worth it. */
static int best_end(const struct backend *b, const struct prices *p, bool fits, struct buffer *buffers)
{
    int64_t pieces = b->front.pieces;
    int best = 0;
    double least = fits ? run_cycles(p, 0, pieces) * (1 - 1.0 / WORTH) : INFINITY;
    for (int end = 1; end <= p->longest; end++) {
        double cycles = run_cycles(p, end, pieces);
        if (cycles < least && may_end(b, end) && has_room(b, buffers, end, pieces)) {
            least = cycles;
            best = end;
        }
    }
    return best;
}

/* Layers from the first on that take pieces. */
static int longest_front(const struct backend *b)
{
    int end = 0;
    while (end < b->layer_count && narrow_takes(b, &b->layers[end]) && !is_output(b, b->layers[end].y))
        end++;
    return end;
}

static int64_t count_pieces(int64_t batch)
{
    int64_t pieces = least(batch, PIECES_MOST);
    while (batch % pieces)
        pieces--;
    return pieces;
}

/* Maps the first layers in pieces. */
static void price_pieces(struct backend *b, struct prices *p)
{
    b->front.end = p->longest;
    note_roles(b);
    narrow(b, 0);
    for (int i = 0; i < p->longest; i++) {
        struct layer *l = &b->layers[i];
        if (l->kind == LAYER_MATRIX) {
            p->maps[i] = l->m->map;
            mapping_price(b, l);
        }
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

static void choose(struct backend *b, struct prices *p, struct buffer *buffers)
{
    bool fits = has_room(b, buffers, 0, 1);
    double all = 0;
    for (int i = 0; i < b->layer_count; i++)
        all += p->whole[i] = price_of(b, &b->layers[i]);
    if (fits && p->input < all / WORTH)
        return; /* nothing to gain */
    price_pieces(b, p);
    int end = best_end(b, p, fits, buffers);
    shape_buffers(b, buffers, end, b->front.pieces);
    settle(b, p, end, buffers);
}

void backend_front(struct backend *b)
{
    struct prices p = {.input = waves_input_cycles(b), .count = b->layer_count, .longest = longest_front(b)};
    if (b->batch < 2 || b->waves > 1 || !p.longest || b->options->resident_count)
        return;
    size_t count = (size_t)b->layer_count;
    struct buffer *buffers = malloc(((size_t)b->buffer_count + 1) * sizeof *buffers);
    p.whole = malloc(2 * count * sizeof *p.whole);
    p.maps = malloc(count * sizeof *p.maps);
    b->front.roles = calloc((size_t)b->graph->value_count + 1, 1);
    b->front.pieces = count_pieces(b->batch);
    b->out_of_memory |= !buffers || !p.whole || !p.maps || !b->front.roles;
    if (!b->out_of_memory && b->front.pieces > 1) {
        p.piece = p.whole + count;
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
