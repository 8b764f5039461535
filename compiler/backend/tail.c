/* tail.c: the vector work behind the last product, a few rows at a time: all of it for the first rows, then all of it for the next, so that the link takes
 * the first rows of an output while the vector unit works on the others.
 *
 * Rows are numbers along the first dimension that has more than one, in C order: what such layers read and write of them lies in one piece. */
#include "tail.h"

#include "emit.h"
#include "mapping.h"

#include <stdlib.h>
#include <string.h>

enum { PIECES_MOST = 16, WORTH = 200 /* cycles */ };

/* --- which layers come in rows ------------------------------------------------------------------------------------------------ */

static const struct shape *shape_of(const struct backend *b, int value)
{
    return &b->graph->values[value].shape;
}

/* The rows of a value, or 0. */
static int64_t rows_of(const struct backend *b, int value)
{
    const struct place *p = &b->places[value];
    const struct shape *s = shape_of(b, value);
    bool dense = p->placed && !p->view && !p->piece && !p->outside && (!p->g.spatial || s->rank <= 2);
    return dense && s->rank ? s->dims[shape_lead(s)] : 0;
}

static bool made_from(const struct backend *b, int value, int first)
{
    const struct layer *maker = backend_maker(b, value);
    return maker && maker - b->layers >= first;
}

/* An operand comes in rows as `box` does, or is the same for all of them; then none of these layers makes it. */
static bool operand_fits(const struct backend *b, int value, const struct shape *box, int first)
{
    if (value == GRAPH_NONE || value_is_constant(&b->graph->values[value]))
        return true;
    const struct shape *s = shape_of(b, value);
    unsigned lead = shape_lead(box), missing = box->rank - s->rank;
    bool rows = s->rank <= box->rank && lead >= missing && s->dims[lead - missing] == box->dims[lead];
    return rows ? rows_of(b, value) == box->dims[lead] : !made_from(b, value, first);
}

static bool kind_fits(const struct backend *b, const struct layer *l)
{
    unsigned lead = shape_lead(shape_of(b, l->x));
    switch (l->kind) {
    case LAYER_BINARY:
    case LAYER_UNARY:
    case LAYER_ALIAS:
        return true;
    case LAYER_SOFTMAX:
        return b->graph->nodes[l->node].at.axis != (int64_t)lead;
    case LAYER_REDUCE:
        return !(l->reduced >> lead & 1);
    default:
        return false;
    }
}

/* With `first` as the first of them. */
static bool takes_rows(const struct backend *b, const struct layer *l, int first)
{
    bool alone = l->kind != LAYER_BINARY;
    return kind_fits(b, l) && (!alone || rows_of(b, l->x) == rows_of(b, l->y)) && (alone || operand_fits(b, l->x, shape_of(b, l->y), first)) &&
           operand_fits(b, l->other, shape_of(b, l->y), first) && operand_fits(b, l->residual, shape_of(b, l->y), first);
}

static bool all_take_rows(const struct backend *b, int first)
{
    int64_t rows = rows_of(b, b->layers[b->layer_count - 1].y);
    bool fits = rows > 1;
    for (int i = first; i < b->layer_count && fits; i++)
        fits = rows_of(b, b->layers[i].y) == rows && takes_rows(b, &b->layers[i], first);
    return fits;
}

static int first_of(const struct backend *b)
{
    int first = b->layer_count;
    while (first > b->front.end && all_take_rows(b, first - 1))
        first--;
    return first;
}

/* --- is it worth it ---------------------------------------------------------------------------------------------------------- */

/* Cycles of the vector unit, and of the link for what they compute. */
struct work { double vector, link; int instructions; };

static struct work measure(const struct backend *b, int first)
{
    struct work w = {0};
    for (int i = first; i < b->layer_count; i++) {
        const struct layer *l = &b->layers[i];
        w.vector += waves_vector_cycles(b, l);
        w.instructions += l->kind != LAYER_ALIAS;
        if (graph_is_output(b->graph, l->y) && !resident_output(b, l->y))
            w.link += (double)cycles_of_bytes(b->machine, b->places[l->y].g.bytes, b->machine->link_out_bytes_per_second);
    }
    return w;
}

/* Two units behind each other: both for one piece, the slower one for all the others. Each instruction of a piece needs the one before it. */
static double cycles(const struct work *w, const struct weft_machine *m, int64_t pieces)
{
    double vector = w->vector / (double)pieces + (double)w->instructions * (double)m->vector_depth, link = w->link / (double)pieces;
    return vector + link + (double)(pieces - 1) * (vector > link ? vector : link);
}

static int64_t best_pieces(const struct backend *b, int first)
{
    struct work w = measure(b, first);
    int64_t best = 1, rows = rows_of(b, b->layers[b->layer_count - 1].y);
    for (int64_t pieces = 2; pieces <= least(PIECES_MOST, rows); pieces++)
        if (rows % pieces == 0 && cycles(&w, b->machine, pieces) < cycles(&w, b->machine, best))
            best = pieces;
    return cycles(&w, b->machine, best) + WORTH < cycles(&w, b->machine, 1) ? best : 1;
}

/* --- room ---------------------------------------------------------------------------------------------------------------------- */

/* What any of the layers reads or writes stays until the last piece. */
static void stretch(const struct backend *b, struct buffer *buffers, int first)
{
    for (int i = 0; i < b->buffer_count; i++) {
        buffers[i] = b->buffers[i];
        if (buffers[i].last < first)
            continue;
        buffers[i].first = (int)least(buffers[i].first, first);
        buffers[i].last = (int)most(buffers[i].last, b->layer_count - 1);
    }
}

void backend_tail(struct backend *b)
{
    int first = b->waves > 1 || b->repeats > 1 || !b->layer_count ? b->layer_count : first_of(b);
    int64_t pieces = first < b->layer_count ? best_pieces(b, first) : 1;
    struct buffer *buffers = pieces > 1 ? malloc(((size_t)b->buffer_count + 1) * sizeof *buffers) : NULL;
    if (!buffers) {
        b->out_of_memory |= pieces > 1;
        return;
    }
    uint64_t peak;
    stretch(b, buffers, first);
    if (allocate_buffers(buffers, b->buffer_count, b->machine->ub_bytes, b->machine->ub_line_bytes, &peak)) {
        memcpy(b->buffers, buffers, (size_t)b->buffer_count * sizeof *buffers);
        b->tail = (struct tail){first, pieces};
    }
    free(buffers);
}

/* --- its instructions ------------------------------------------------------------------------------------------------------------ */

void tail_emit(struct backend *b, const struct waves_hooks *hooks)
{
    for (int64_t piece = 0; piece < b->tail.pieces; piece++)
        for (int i = b->tail.first; i < b->layer_count; i++) {
            hooks->before(b, i);
            b->wave = (struct wave){piece, b->tail.pieces};
            emit_layer(b, &b->layers[i]);
            b->wave = (struct wave){0, 1};
            if (piece + 1 == b->tail.pieces)
                hooks->whole(b, i);
        }
}
