/* emit_move.c: bytes from one order to another: transpose, slice, gather, pad, concatenate, expand, reshape, and integers cut to fewer bytes. */
#include "emit_vector.h"

#include <string.h>

/* Copies `rank` dimensions between two orders; strides in bytes. v.a, v.out and v.clamp are set by the caller unless raw. */
void emit_nd(struct backend *b, unsigned rank, const int64_t *dims, uint64_t source, const int64_t *source_strides, enum weft_format from, uint64_t target,
             const int64_t *target_strides, enum weft_format to, bool raw)
{
    struct vector_box box = {.rank = rank};
    struct vector_view d = {.at = target, .format = to, .mul = 1}, a = {.at = source, .format = from, .mul = 1};
    memcpy(box.dims, dims, rank * sizeof *dims);
    memcpy(a.strides, source_strides, rank * sizeof *source_strides);
    memcpy(d.strides, target_strides, rank * sizeof *target_strides);
    vector_nd(b, &(struct vector_call){.op = WEFT_OP_COPY, .func = raw ? RAW : WEFT_FUNCTION_none}, &box, &d, &a, NULL);
}

static void move(struct backend *b, int x, int y, const int64_t *dims, unsigned rank, int64_t source_offset, const int64_t *source_strides,
                 int64_t target_offset, const int64_t *target_strides)
{
    struct vector_box box = {.rank = rank};
    struct vector_view a = {.at = place_origin(b, x) + (uint64_t)source_offset, .format = b->places[x].g.format, .zero = backend_zero(b, x)};
    struct vector_view d = {.at = place_origin(b, y) + (uint64_t)target_offset, .format = b->places[y].g.format};
    memcpy(box.dims, dims, rank * sizeof *dims);
    memcpy(a.strides, source_strides, rank * sizeof *source_strides);
    memcpy(d.strides, target_strides, rank * sizeof *target_strides);
    bool same_scale = backend_scale(b, x) == backend_scale(b, y) && backend_zero(b, x) == backend_zero(b, y);
    bool raw = a.format == d.format && (same_scale || !backend_value_is_real(b, y)); /* the network's own integers stay what they are */
    a.mul = backend_scale(b, x) / backend_scale(b, y);
    if (!raw)
        vector_result(b, y, 1);
    vector_nd(b, &(struct vector_call){.op = WEFT_OP_COPY, .func = raw ? RAW : WEFT_FUNCTION_none}, &box, &d, &a, NULL);
}

/* A constant operand of a concatenation: its codes lie among the constants, in C order. */
static void place_constant(struct backend *b, const struct layer *l, unsigned input, int64_t target_offset, const int64_t *to)
{
    const struct shape *x = &b->graph->values[l->inputs[input]].shape;
    enum weft_format f = b->places[l->y].g.format;
    int64_t from[GRAPH_RANK_MAX], stride = weft_format_bytes(f);
    for (unsigned d = x->rank; d-- > 0;) {
        from[d] = stride;
        stride *= x->dims[d];
    }
    emit_nd(b, x->rank, x->dims, emit_constant_address(b, l->input_offsets[input]), from, f, place_origin(b, l->y) + (uint64_t)target_offset, to, f, true);
}

static void concat(struct backend *b, const struct layer *l)
{
    const struct shape *y = &b->graph->values[l->y].shape;
    int64_t axis = b->graph->nodes[l->node].at.axis, offset = 0, to[GRAPH_RANK_MAX], from[GRAPH_RANK_MAX];
    place_strides(&b->places[l->y], y, to);
    for (unsigned k = 0; k < l->input_count; k++) {
        const struct shape *x = &b->graph->values[l->inputs[k]].shape;
        if (value_is_constant(&b->graph->values[l->inputs[k]]))
            place_constant(b, l, k, offset * to[axis], to);
        place_strides(&b->places[l->inputs[k]], x, from);
        if (b->places[l->inputs[k]].placed && !b->places[l->inputs[k]].view)
            move(b, l->inputs[k], l->y, x->dims, x->rank, 0, from, offset * to[axis], to);
        offset += x->dims[axis];
    }
}

/* The bits of a real number, or of one of the network's integers, in the place of y. */
static uint32_t bits_of(const struct backend *b, int y, float real)
{
    enum weft_format f = b->places[y].g.format;
    uint32_t bits = 0;
    if (!weft_format_is_integer(f))
        weft_store_float(&bits, f, real / backend_scale(b, y));
    else if (backend_value_is_real(b, y))
        bits = (uint32_t)weft_requantise(real / backend_scale(b, y), backend_zero(b, y), weft_format_low(f), weft_format_high(f));
    else
        bits = (uint32_t)weft_requantise(real, 0, weft_format_low(f), weft_format_high(f));
    return bits;
}

/* Fills a value with the code of one number, ahead of a padded copy; its halo stays what it is. */
static void fill_all(struct backend *b, int y, float real)
{
    const struct geometry *g = &b->places[y].g;
    struct weft_pattern lines = pattern_blank(0);
    bool dense = g->line == g->w * g->pixel && g->image == g->h * g->line;
    lines.count0 = dense ? 1 : (uint32_t)g->h;
    lines.stride0 = (uint32_t)g->line;
    lines.count1 = dense ? 1 : (uint32_t)g->n;
    lines.stride1 = (uint32_t)g->image;
    vector_fill(b, place_origin(b, y), &lines, dense ? 1 : (uint64_t)(g->h * g->n), dense ? g->bytes : (uint64_t)(g->w * g->pixel), g->format,
                (int32_t)bits_of(b, y, real));
}

static bool grows(const struct attributes *at, unsigned rank)
{
    for (unsigned d = 0; d < rank; d++)
        if (at->begins[d] > 0 || at->ends[d] > 0)
            return true;
    return false;
}

static void pad(struct backend *b, const struct layer *l, const int64_t *from, const int64_t *to)
{
    const struct shape *x = &b->graph->values[l->x].shape;
    const struct attributes *at = &b->graph->nodes[l->node].at;
    int64_t dims[GRAPH_RANK_MAX], source = 0, target = 0;
    for (unsigned d = 0; d < x->rank; d++) {
        int64_t before = at->begins[d], behind = at->ends[d];
        dims[d] = x->dims[d] + (before < 0 ? before : 0) + (behind < 0 ? behind : 0);
        source += before < 0 ? -before * from[d] : 0;
        target += before > 0 ? before * to[d] : 0;
    }
    if (grows(at, x->rank))
        fill_all(b, l->y, at->alpha);
    for (unsigned d = 0; d < x->rank; d++)
        if (dims[d] <= 0)
            return; /* all is padding */
    move(b, l->x, l->y, dims, x->rank, source, from, target, to);
}

/* A flattened value whose rows stay in H W C order for the product behind it. */
static void flatten_as_it_lies(struct backend *b, const struct layer *l)
{
    const struct geometry *x = &b->places[l->x].g, *y = &b->places[l->y].g;
    int64_t dims[] = {x->n, x->h, x->w, x->c}, from[] = {x->image, x->line, x->pixel, x->element};
    int64_t to[] = {y->image, x->w * x->c * y->element, x->c * y->element, y->element};
    move(b, l->x, l->y, dims, 4, 0, from, 0, to);
}

static void reshape(struct backend *b, const struct layer *l, const int64_t *from)
{
    const struct shape *x = &b->graph->values[l->x].shape;
    int64_t to[GRAPH_RANK_MAX], stride = b->places[l->y].g.element;
    for (unsigned d = x->rank; d-- > 0;) {
        to[d] = stride;
        stride *= x->dims[d];
    }
    move(b, l->x, l->y, x->dims, x->rank, 0, from, 0, to);
}

static void slice(struct backend *b, const struct layer *l, const int64_t *from, const int64_t *to)
{
    const struct shape *y = &b->graph->values[l->y].shape;
    const struct attributes *at = &b->graph->nodes[l->node].at;
    int64_t strides[GRAPH_RANK_MAX], source = 0;
    for (unsigned d = 0; d < y->rank; d++) {
        source += l->band.used && l->band.cut == (int)d ? 0 : at->begins[d] * from[d]; /* a band begins where it is read */
        strides[d] = from[d] * at->steps[d];
    }
    move(b, l->x, l->y, y->dims, y->rank, source, strides, 0, to);
}

static int64_t index_at(struct backend *b, int indices, int64_t i, int64_t length)
{
    double index = 0; /* absent: a program for timing only */
    value_at(b->graph, indices, i, &index);
    index += index < 0 ? (double)length : 0;
    return index >= 0 && index < (double)length ? (int64_t)index : 0; /* the passes have refused the others */
}

/* Indices one behind the other are copied at once, as far as they are evenly spaced. Dimensions of the indices take the place of the axis; the
 * last of them is walked here, the others are steps of the outer loop. */
static void gather(struct backend *b, const struct layer *l, const int64_t *from, const int64_t *to)
{
    const struct node *n = &b->graph->nodes[l->node];
    const struct shape *x = &b->graph->values[l->x].shape, *indices = &b->graph->values[n->inputs[1]].shape;
    unsigned axis = (unsigned)(n->at.axis < 0 ? n->at.axis + x->rank : n->at.axis), last = indices->rank ? indices->rank - 1 : 0;
    int64_t run = indices->rank ? indices->dims[last] : 1, dims[GRAPH_RANK_MAX], source[GRAPH_RANK_MAX], target[GRAPH_RANK_MAX];
    for (unsigned d = 0; d < x->rank; d++) {
        dims[d] = x->dims[d];
        source[d] = from[d];
        target[d] = d < axis ? to[d] : d > axis ? to[d + indices->rank - 1] : indices->rank ? to[axis + last] : 0;
    }
    for (int64_t i = 0, count = shape_count(indices), taken; i < count; i += taken) {
        int64_t first = index_at(b, n->inputs[1], i, x->dims[axis]), at = 0, rest = i / run, step = 0;
        for (unsigned d = last; d-- > 0; rest /= indices->dims[d])
            at += rest % indices->dims[d] * to[axis + d];
        at += indices->rank ? i % run * to[axis + last] : 0;
        for (taken = 1; i % run + taken < run; taken++) {
            int64_t next = index_at(b, n->inputs[1], i + taken, x->dims[axis]) - first;
            step = taken == 1 ? next : step;
            if (next != step * taken || step < 0)
                break;
        }
        dims[axis] = taken;
        source[axis] = taken > 1 ? step * from[axis] : 0;
        move(b, l->x, l->y, dims, x->rank, first * from[axis], source, at, target);
    }
}

/* An integer in fewer bytes keeps its low ones. */
static void narrow(struct backend *b, const struct layer *l, const int64_t *from, const int64_t *to)
{
    const struct shape *y = &b->graph->values[l->y].shape;
    enum weft_format f = b->places[l->y].g.format;
    emit_nd(b, y->rank, y->dims, place_origin(b, l->x), from, f, place_origin(b, l->y), to, f, true);
}

void emit_move(struct backend *b, struct layer *l)
{
    const struct shape *x = &b->graph->values[l->x].shape, *y = &b->graph->values[l->y].shape;
    int64_t from[GRAPH_RANK_MAX] = {0}, to[GRAPH_RANK_MAX] = {0}, strides[GRAPH_RANK_MAX] = {0};
    place_strides(&b->places[l->x], x, from);
    place_strides(&b->places[l->y], y, to);
    switch (l->op) {
    case CORE_CONCAT:
        concat(b, l);
        return;
    case CORE_PAD:
        pad(b, l, from, to);
        return;
    case CORE_SLICE:
        slice(b, l, from, to);
        return;
    case CORE_GATHER:
        gather(b, l, from, to);
        return;
    case CORE_CAST:
        narrow(b, l, from, to);
        return;
    case CORE_RESHAPE:
        if (b->places[l->y].permuted[0])
            flatten_as_it_lies(b, l);
        else
            reshape(b, l, from);
        return;
    case CORE_TRANSPOSE:
        for (unsigned d = 0; d < y->rank; d++)
            strides[d] = from[b->graph->nodes[l->node].at.perm[d]];
        break;
    case CORE_EXPAND:
        for (unsigned d = 0; d < x->rank; d++)
            strides[d + y->rank - x->rank] = x->dims[d] == 1 ? 0 : from[d];
        break;
    default: /* the same value in another order */
        memcpy(strides, from, sizeof strides);
    }
    move(b, l->x, l->y, y->dims, y->rank, 0, strides, 0, to);
}
