/* reads.c: inputs and constants on their way into the unified buffer, in the order in which they are needed, just ahead of their first reader. */
#include "emit.h"
#include "finish.h"
#include "front.h"

#include <stdlib.h>
#include <string.h>

enum { READ_AHEAD = 6, INPUT_PIECES = 8, SMALL_INPUT = 4096 /* bytes */, LAYERS_AHEAD = 3 };

void reads_add(struct backend *b, const struct host_read *read)
{
    if (!read->bytes)
        return;
    if (!backend_grow(b, &b->reads, b->read_count, &b->read_room, sizeof *b->reads))
        return;
    b->reads[b->read_count++] = *read;
}

static void add_read(struct backend *b, uint64_t host, uint64_t ub, uint64_t bytes, int layer, int value)
{
    reads_add(b, &(struct host_read){.host = host, .ub = ub, .bytes = bytes, .layer = layer, .value = value});
}

static void emit_reads(struct backend *b, size_t end)
{
    for (; b->reads_done < end && b->reads_done < b->read_count; b->reads_done++) {
        const struct host_read *r = &b->reads[b->reads_done];
        struct weft_instr *i = emit(b, r->dram ? WEFT_OP_READ_DRAM : WEFT_OP_READ_HOST);
        i->ub = (uint32_t)r->ub;
        *(r->dram ? &i->dram : &i->host) = r->host;
        i->bytes = (uint32_t)r->bytes;
    }
}

/* And a few beyond, as far as their queue has room: one that must wait for that holds up all that is behind it. What is read of a value comes in the
 * order of its bytes, so the first that lies behind `end` ends the search: of a large batch there are thousands. */
void reads_for(struct backend *b, int value, uint64_t end)
{
    size_t needed = 0, ahead = (size_t)least(READ_AHEAD, (int64_t)b->machine->queue_depth);
    for (size_t i = b->reads_done > ahead ? b->reads_done - ahead : 0; i < b->read_count; i++) {
        if (b->reads[i].value != value)
            continue;
        if (b->reads[i].ub < end)
            needed = i + 1;
        else if (i >= b->reads_done)
            break;
    }
    if (needed)
        emit_reads(b, needed + ahead);
}

static void read_constants(struct backend *b, int layer)
{
    size_t needed = 0;
    for (size_t i = b->reads_done; i < b->read_count && b->reads[i].layer <= layer; i++)
        if (b->reads[i].layer >= 0 || b->waves > 1)
            needed = i + 1;
    emit_reads(b, needed);
}

static int first_reader(const struct backend *b, int value)
{
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *l = &b->layers[i];
        bool reads = l->x == value || l->other == value || l->residual == value;
        for (unsigned k = 0; k < l->input_count; k++)
            reads |= l->inputs[k] == value;
        if (reads)
            return i;
    }
    return b->layer_count;
}

uint64_t geometry_span(const struct geometry *g)
{
    return g->bytes - (uint64_t)g->origin;
}

/* The first image comes in small pieces, so that work begins early; the others in larger ones, so that few wait in the queue. */
static void plan_input(struct backend *b, int value, uint64_t host)
{
    if (resident_input(b, value)) {
        resident_reads(b, resident_input(b, value), value);
        return;
    }
    const struct geometry *g = &b->places[value].g;
    uint64_t ub = place_origin(b, value), all = geometry_span(g), image = (uint64_t)g->image;
    bool small = all < SMALL_INPUT;
    for (uint64_t at = 0, piece; at < all; at += piece) {
        uint64_t parts = at < image && g->h > 1 ? INPUT_PIECES : 2, lines = ((uint64_t)g->h + parts - 1) / parts;
        piece = small ? all : g->h > 1 ? lines * (uint64_t)g->line : (uint64_t)(g->n + INPUT_PIECES - 1) / INPUT_PIECES * image;
        piece = all - at < piece ? all - at : piece;
        add_read(b, host + at, ub + at, piece, -1, value);
    }
}

uint64_t host_address(const struct backend *b, int value, uint64_t host, int64_t part)
{
    return host + (uint64_t)(part * b->places[value].g.n * b->places[value].g.image);
}

/* Index of product number n (from 0), or of the end. */
static int product_number(const struct backend *b, int n)
{
    for (int i = 0; i < b->layer_count; i++)
        if (layer_multiplies(&b->layers[i]) && n-- == 0)
            return i;
    return b->layer_count;
}

/* Of an input, and not needed for the first of so many parts of the batch. */
static bool is_of_later_part(const struct backend *b, const struct host_read *r, int64_t parts)
{
    return r->layer < 0 && !r->dram && r->ub >= place_origin(b, r->value) + geometry_span(&b->places[r->value].g) / (uint64_t)parts;
}

static bool joins(const struct host_read *r, const struct host_read *next)
{
    return r->layer >= 0 && next->layer >= r->layer && r->host + r->bytes == next->host && r->ub + r->bytes == next->ub;
}

/* Of a batch in parts the first needs its part of every input, and the constants of what it does before the second begins (the layers up to `end`);
 * only then come the others' parts, while the first is at work. Constants that lie side by side come together. What was emitted for an earlier run of
 * the program over another part of the inputs stays where it is. */
static void parts_in_turn(struct backend *b, int64_t parts, int end)
{
    struct host_read *reads = b->reads + b->reads_done, *in_turn = malloc((b->read_count - b->reads_done + 1) * sizeof *in_turn);
    size_t planned = b->read_count - b->reads_done, count = 0, early = 0;
    while (early < planned && reads[early].layer <= end)
        early++;
    for (int later = 0; in_turn && later < 2; later++)
        for (size_t i = 0; i < early; i++) {
            if (is_of_later_part(b, &reads[i], parts) != later)
                continue;
            if (count && joins(&in_turn[count - 1], &reads[i])) {
                in_turn[count - 1].bytes += reads[i].bytes; /* as early as the first of them is needed */
            } else {
                in_turn[count++] = reads[i];
            }
        }
    for (size_t i = early; in_turn && i < planned; i++)
        in_turn[count++] = reads[i];
    b->out_of_memory |= !in_turn;
    if (in_turn) {
        memcpy(reads, in_turn, count * sizeof *in_turn);
        b->read_count = b->reads_done + count;
    }
    free(in_turn);
}

static void plan_constants(struct backend *b, int layer, uint64_t offset, uint64_t bytes)
{
    reads_add(b, &(struct host_read){.dram = b->constants_in_dram, .host = constants_home(b, offset), .ub = emit_constant_address(b, offset), .bytes = bytes, .layer = layer, .value = GRAPH_NONE});
}

/* Constants of a layer come before the inputs that it is the first to read, and a few layers ahead of their use. */
void reads_plan(struct backend *b, const uint64_t *input_host, int64_t part)
{
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *l = &b->layers[i];
        if (part == 0) { /* they stay */
            plan_constants(b, i, l->constants_first, l->constants_end - l->constants_first);
            const struct constant_block *block = l->block ? &b->operands[l->block - 1] : NULL;
            if (block && block->first == i)
                plan_constants(b, i, block->offset, block->bytes);
        }
        for (unsigned k = 0; k < b->graph->input_count; k++)
            if (b->places[b->graph->inputs[k]].placed && first_reader(b, b->graph->inputs[k]) == i)
                plan_input(b, b->graph->inputs[k], host_address(b, b->graph->inputs[k], input_host[k], part));
    }
    for (unsigned k = 0; k < b->graph->input_count; k++) /* what nobody reads has no place of its own; but it may leave again */
        if (first_reader(b, b->graph->inputs[k]) == b->layer_count && graph_is_output(b->graph, b->graph->inputs[k]))
            plan_input(b, b->graph->inputs[k], host_address(b, b->graph->inputs[k], input_host[k], part));
    if (b->waves > 1)
        parts_in_turn(b, b->waves, product_number(b, b->lag + 1));
    else if (b->front.end)
        parts_in_turn(b, b->front.pieces, b->front.end - 1 + LAYERS_AHEAD); /* reads_ahead asks for so many */
}

/* What the part being emitted needs of an operand: a part of it, where it comes in parts as the result does. */
static void read_operand(struct backend *b, const struct layer *l, int value)
{
    if (value == GRAPH_NONE || !b->places[value].placed || b->places[value].buffer < 0)
        return; /* in bands or pieces, if at all */
    const struct shape *s = &b->graph->values[value].shape, *y = &b->graph->values[l->y].shape;
    bool part = b->wave.count > 1 && s->rank && s->rank == y->rank && s->dims[shape_lead(y)] == y->dims[shape_lead(y)];
    uint64_t bytes = geometry_span(&b->places[value].g);
    reads_for(b, value, part ? place_origin(b, value) + bytes / (uint64_t)b->wave.count * (uint64_t)(b->wave.index + 1) : place_origin(b, value) + bytes);
}

void reads_operands(struct backend *b, const struct layer *l)
{
    if (l->kind == LAYER_MATRIX && l->residual == GRAPH_NONE)
        return; /* block by block, in emit_matrix */
    read_operand(b, l, l->x);
    read_operand(b, l, l->other);
    read_operand(b, l, l->residual);
    for (unsigned k = 0; k < l->input_count; k++)
        read_operand(b, l, l->inputs[k]);
}

void reads_ahead(struct backend *b, int i)
{
    int ahead = i + LAYERS_AHEAD < b->layer_count ? i + LAYERS_AHEAD : b->layer_count - 1;
    for (unsigned k = 0; k < b->graph->input_count; k++) /* do not let constants wait behind an input that comes later */
        if (first_reader(b, b->graph->inputs[k]) == i)
            ahead = i;
    read_constants(b, b->waves > 1 && i > product_number(b, 0) && ahead < product_number(b, b->lag + 1) ? product_number(b, b->lag + 1) : ahead);
}

void reads_rest(struct backend *b)
{
    emit_reads(b, b->read_count);
}
