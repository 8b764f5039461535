/* emit_move.c: bytes from one order to another: transpose, slice, pad, concatenate, expand, reshape. Six dimensions fit one
 * instruction: three row loops and three levels of lanes. */
#include "backend.h"

#include <string.h>

enum { D = 3, A = 4, LANES_MAX = 65535 };

struct axis { int64_t count, source, target; };

/* Drops axes of one element and joins neighbours that are evenly spaced on both sides. Outermost first. */
static unsigned simplify(struct axis *axes, unsigned rank)
{
    unsigned n = 0;
    for (unsigned d = 0; d < rank; d++) {
        if (axes[d].count == 1)
            continue;
        if (n && axes[n - 1].source == axes[d].source * axes[d].count && axes[n - 1].target == axes[d].target * axes[d].count) {
            axes[n - 1].count *= axes[d].count;
            axes[n - 1].source = axes[d].source;
            axes[n - 1].target = axes[d].target;
        } else {
            axes[n++] = axes[d];
        }
    }
    return n;
}

static void lanes_of(struct weft_pattern *p, const struct axis *inner, unsigned count, bool target, int64_t element)
{
    int64_t stride[3];
    for (unsigned i = 0; i < count; i++)
        stride[i] = target ? inner[i].target : inner[i].source;
    p->run_length = 1; /* levels of single elements, unless the innermost is contiguous */
    if (count && stride[count - 1] == element)
        p->run_length = (uint32_t)inner[count - 1].count;
    bool runs = p->run_length != 1;
    unsigned left = runs ? count - 1 : count;
    if (left == 0)
        return;
    p->run_stride = (uint32_t)stride[left - 1];
    p->block_runs = (uint32_t)inner[left - 1].count;
    p->block_stride = left > 1 ? (uint32_t)stride[left - 2] : 0;
}

static void rows_of(struct weft_pattern *p, const struct axis *outer, unsigned count, bool target)
{
    uint32_t *loops[3][2] = {{&p->count0, &p->stride0}, {&p->count1, &p->stride1}, {&p->count2, &p->stride2}};
    p->count0 = p->count1 = p->count2 = 1;
    for (unsigned i = 0; i < count; i++) { /* the last axis is the innermost loop */
        *loops[i][0] = (uint32_t)outer[count - 1 - i].count;
        *loops[i][1] = (uint32_t)(target ? outer[count - 1 - i].target : outer[count - 1 - i].source);
    }
}

static void copy(struct backend *b, const struct axis *axes, unsigned rows, unsigned rank, uint64_t source, enum weft_format from, uint64_t target,
                 enum weft_format to, bool raw)
{
    struct weft_pattern d = pattern_blank(target), a = pattern_blank(source);
    int64_t lanes = 1, count = 1;
    for (unsigned i = 0; i < rank; i++)
        *(i < rows ? &count : &lanes) *= axes[i].count;
    rows_of(&d, axes, rows, true);
    rows_of(&a, axes, rows, false);
    lanes_of(&d, axes + rows, rank - rows, true, weft_format_bytes(to));
    lanes_of(&a, axes + rows, rank - rows, false, weft_format_bytes(from));
    emit_pattern(b, D, &d);
    emit_pattern(b, A, &a);
    for (int64_t lane = 0; lane < lanes; lane += LANES_MAX) {
        struct weft_instr *i = emit(b, WEFT_OP_COPY);
        i->d = D;
        i->a = A;
        i->rows = (uint32_t)count;
        i->first_lane = (uint32_t)lane;
        i->lanes = (uint32_t)(lanes - lane < LANES_MAX ? lanes - lane : LANES_MAX);
        i->fmt_a = (uint8_t)from;
        i->fmt = (uint8_t)to;
        i->raw = raw;
    }
}

/* How many inner axes can be lanes: at most three, two where neither side has contiguous elements, so that both patterns hold. */
static unsigned lane_axes(const struct axis *axes, unsigned rank, int64_t from, int64_t to)
{
    if (rank == 0)
        return 0;
    const struct axis *last = &axes[rank - 1];
    bool both = last->source == from && last->target == to;
    unsigned most = both ? 3 : 2;
    return rank < most ? rank : most;
}

/* Copies `rank` dimensions (outermost first) between two orders; strides in bytes. v.a, v.out and v.clamp are set by the caller
 * unless raw. */
void emit_nd(struct backend *b, unsigned rank, const int64_t *dims, uint64_t source, const int64_t *source_strides, enum weft_format from, uint64_t target,
             const int64_t *target_strides, enum weft_format to, bool raw)
{
    struct axis axes[GRAPH_RANK_MAX];
    for (unsigned d = 0; d < rank; d++)
        axes[d] = (struct axis){dims[d], source_strides[d], target_strides[d]};
    unsigned n = simplify(axes, rank), lanes = lane_axes(axes, n, weft_format_bytes(from), weft_format_bytes(to));
    while (lanes > 1) { /* a first_lane field holds 24 bits */
        int64_t count = 1;
        for (unsigned i = n - lanes; i < n; i++)
            count *= axes[i].count;
        if (count <= LANES_MAX)
            break;
        lanes--;
    }
    unsigned outer = n - lanes > 3 ? n - lanes - 3 : 0; /* beyond three loops: unrolled */
    int64_t steps = 1, at[GRAPH_RANK_MAX] = {0};
    for (unsigned i = 0; i < outer; i++)
        steps *= axes[i].count;
    for (int64_t s = 0; s < steps; s++) {
        int64_t rest = s, so = 0, to_offset = 0;
        for (unsigned i = outer; i-- > 0;) {
            at[i] = rest % axes[i].count;
            rest /= axes[i].count;
            so += at[i] * axes[i].source;
            to_offset += at[i] * axes[i].target;
        }
        copy(b, axes + outer, n - lanes - outer, n - outer, source + (uint64_t)so, from, target + (uint64_t)to_offset, to, raw);
    }
}

static void move(struct backend *b, int x, int y, const int64_t *dims, unsigned rank, int64_t source_offset, const int64_t *source_strides,
                 int64_t target_offset, const int64_t *target_strides)
{
    enum weft_format from = b->places[x].g.format, to = b->places[y].g.format;
    bool same_scale = backend_scale(b, x) == backend_scale(b, y) && backend_zero(b, x) == backend_zero(b, y);
    bool raw = from == to && (same_scale || !backend_value_is_real(b, y)); /* the network's own integers stay what they are */
    if (!raw) {
        bool integer = weft_format_is_integer(to);
        emit_set_float(b, REG_mul_a, backend_scale(b, x) / backend_scale(b, y), backend_zero(b, x));
        emit_set_float(b, REG_mul_out, 1, backend_zero(b, y));
        emit_set(b, REG_clamp_low, (uint32_t)(integer ? weft_format_low(to) : INT32_MIN), (uint32_t)(integer ? weft_format_high(to) : INT32_MAX));
    }
    emit_nd(b, rank, dims, place_origin(b, x) + (uint64_t)source_offset, source_strides, from, place_origin(b, y) + (uint64_t)target_offset,
            target_strides, to, raw);
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

/* Fills a value's whole buffer with the code of one real number, ahead of a padded copy. */
static void fill_all(struct backend *b, int y, float real)
{
    const struct geometry *g = &b->places[y].g;
    struct weft_pattern p = pattern_blank(place_origin(b, y) - (uint64_t)g->origin);
    float scaled = real / backend_scale(b, y);
    uint32_t bits;
    if (!backend_value_is_real(b, y))
        bits = (uint32_t)(int32_t)real; /* the network's own integers */
    else if (weft_format_is_integer(g->format))
        bits = (uint32_t)weft_requantise(scaled, backend_zero(b, y), weft_format_low(g->format), weft_format_high(g->format));
    else
        memcpy(&bits, &scaled, sizeof bits);
    uint64_t elements = g->bytes / (uint64_t)g->element;
    for (uint64_t done = 0; done < elements; done += LANES_MAX) {
        p.base = (uint32_t)(place_origin(b, y) - (uint64_t)g->origin + done * (uint64_t)g->element);
        emit_pattern(b, D, &p);
        struct weft_instr *i = emit(b, WEFT_OP_FILL);
        i->d = D;
        i->rows = 1;
        i->lanes = (uint32_t)(elements - done < LANES_MAX ? elements - done : LANES_MAX);
        i->fmt = (uint8_t)g->format;
        i->value = bits;
    }
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
    fill_all(b, l->y, at->alpha);
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
        source += at->begins[d] * from[d];
        strides[d] = from[d] * at->steps[d];
    }
    move(b, l->x, l->y, y->dims, y->rank, source, strides, 0, to);
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
