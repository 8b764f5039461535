/* reduce.c: sums, means and maxima over any dimensions, and the softmax that is made of them. The vector unit reduces in two ways: `reduce` takes
 * the lanes of a row, `pool` a window of rows with many results side by side. The cheaper one is taken: long rows are reduced, many short ones
 * pooled. */
#include "emit_vector.h"
#include "mapping.h"

enum { WINDOWS = 2, LANE_LEVELS = 3, PIECE_SHARE = 32 /* of a softmax at once, not more numbers than one for so many of the buffer's bytes */ };

struct level { int64_t count, stride; };

/* What is reduced of an operand, outermost first, evenly spaced neighbours joined. */
struct inner { struct level levels[GRAPH_RANK_MAX]; unsigned count; int64_t elements; };

static struct inner inner_of(const struct vector_box *box, const struct vector_view *x, const bool *reduced)
{
    struct inner in = {.elements = 1};
    for (unsigned d = 0; d < box->rank; d++) {
        if (!reduced[d] || box->dims[d] == 1)
            continue;
        unsigned at = in.count++;
        for (; at > 0 && in.levels[at - 1].stride < x->strides[d]; at--)
            in.levels[at] = in.levels[at - 1];
        in.levels[at] = (struct level){box->dims[d], x->strides[d]};
        in.elements *= box->dims[d];
    }
    unsigned out = 0;
    for (unsigned i = 0; i < in.count; i++) {
        struct level level = in.levels[i];
        if (out && in.levels[out - 1].stride == level.stride * level.count)
            level.count *= in.levels[--out].count;
        in.levels[out++] = level;
    }
    in.count = out;
    return in;
}

static struct vector_box kept_of(const struct vector_box *box, const bool *reduced)
{
    struct vector_box kept = *box;
    for (unsigned d = 0; d < box->rank; d++)
        kept.dims[d] = reduced[d] ? 1 : box->dims[d];
    return kept;
}

static bool lanes_hold(const struct inner *in, int64_t element)
{
    bool run = in->count && in->levels[in->count - 1].stride == element;
    return in->elements <= LANES_MAX && in->count <= (run ? LANE_LEVELS : LANE_LEVELS - 1);
}

static void set_lanes(struct weft_pattern *p, const struct inner *in, int64_t element)
{
    unsigned left = in->count;
    bool run = left && in->levels[left - 1].stride == element;
    p->run_length = run ? (uint32_t)in->levels[--left].count : 1;
    if (!left)
        return;
    p->run_stride = (uint32_t)in->levels[left - 1].stride;
    p->block_runs = (uint32_t)in->levels[left - 1].count;
    p->block_stride = left > 1 ? (uint32_t)in->levels[left - 2].stride : 0;
}

static double cycles_by_lanes(const struct backend *b, const struct vector_box *kept, const struct vector_view *x, const struct inner *in)
{
    int64_t rows = 1, lanes = ceil_div(in->elements, (int64_t)b->machine->vector_lanes),
            lines = ceil_div(in->elements * weft_format_bytes(x->format), (int64_t)b->machine->ub_line_bytes);
    for (unsigned d = 0; d < kept->rank; d++)
        rows *= kept->dims[d];
    return (double)rows * (double)(lanes > lines ? lanes : lines) / (double)b->machine->vector_rows;
}

/* One instruction whose rows are the innermost three dimensions that are kept; the others are unrolled. */
static void by_lanes(struct backend *b, const struct vector_box *kept, const struct vector_view *d, const struct vector_view *x, const struct inner *in,
                     enum weft_reduction how)
{
    unsigned axes[GRAPH_RANK_MAX], count = 0;
    for (unsigned i = 0; i < kept->rank; i++)
        if (kept->dims[i] > 1)
            axes[count++] = i;
    unsigned outer = count > 3 ? count - 3 : 0;
    int64_t steps = 1, rows = 1;
    for (unsigned i = 0; i < count; i++)
        *(i < outer ? &steps : &rows) *= kept->dims[axes[i]];
    for (int64_t step = 0; step < steps; step++) {
        struct weft_pattern to = pattern_blank(d->at), from = pattern_blank(x->at);
        uint32_t *loops[2][3][2] = {{{&to.count0, &to.stride0}, {&to.count1, &to.stride1}, {&to.count2, &to.stride2}},
                                    {{&from.count0, &from.stride0}, {&from.count1, &from.stride1}, {&from.count2, &from.stride2}}};
        int64_t rest = step;
        for (unsigned i = outer; i-- > 0; rest /= kept->dims[axes[i]]) {
            to.base += (uint32_t)(rest % kept->dims[axes[i]] * d->strides[axes[i]]);
            from.base += (uint32_t)(rest % kept->dims[axes[i]] * x->strides[axes[i]]);
        }
        for (unsigned i = outer; i < count; i++) {
            unsigned loop = count - 1 - i;
            *loops[0][loop][0] = *loops[1][loop][0] = (uint32_t)kept->dims[axes[i]];
            *loops[0][loop][1] = (uint32_t)d->strides[axes[i]];
            *loops[1][loop][1] = (uint32_t)x->strides[axes[i]];
        }
        set_lanes(&from, in, weft_format_bytes(x->format));
        emit_pattern(b, D, &to);
        emit_pattern(b, A, &from);
        int64_t piece = vector_piece(rows, (int64_t)cycles_by_lanes(b, kept, x, in) / steps);
        for (int64_t row = 0; row < rows; row += piece) {
            struct weft_instr *i = vector_op(b, WEFT_OP_REDUCE, row, rows - row < piece ? rows - row : piece, 0, in->elements, x->format, d->format);
            i->b = i->fmt_b = 0;
            i->reduce = (uint8_t)how;
        }
    }
}

static void by_windows(struct backend *b, const struct vector_box *kept, const struct vector_view *d, const struct vector_view *x, const struct inner *in,
                       enum weft_reduction how)
{
    struct level one = {1, 0}, fast = in->count ? in->levels[in->count - 1] : one, slow = in->count > 1 ? in->levels[in->count - 2] : one;
    emit_set(b, REG_win_count0, (uint32_t)fast.count, (uint32_t)fast.stride);
    emit_set(b, REG_win_count1, (uint32_t)slow.count, (uint32_t)slow.stride);
    vector_nd(b, &(struct vector_call){.op = WEFT_OP_POOL, .func = WEFT_FUNCTION_none, .reduce = how}, kept, d, x, NULL);
}

void vector_nd_reduce(struct backend *b, const struct vector_box *box, const bool *reduced, const struct vector_view *d, const struct vector_view *x,
                   enum weft_reduction how)
{
    struct inner in = inner_of(box, x, reduced);
    struct vector_box kept = kept_of(box, reduced);
    bool lanes = lanes_hold(&in, weft_format_bytes(x->format));
    if (lanes && in.count <= WINDOWS)
        lanes = cycles_by_lanes(b, &kept, x, &in) < vector_nd_cycles(b, &kept, d, x) * (double)in.elements;
    emit_set_float(b, REG_mul_a, x->mul, x->zero);
    if (lanes)
        by_lanes(b, &kept, d, x, &in, how);
    else
        by_windows(b, &kept, d, x, &in, how);
}

/* --- layers of their own --------------------------------------------------------------------------------------------- */

/* Runs of neighbours among the dimensions of a mask, those of one element left out. */
unsigned reduce_runs(const struct shape *shape, uint32_t mask)
{
    unsigned runs = 0;
    bool inside = false;
    for (unsigned d = 0; d < shape->rank; d++) {
        if (shape->dims[d] == 1)
            continue;
        runs += (mask >> d & 1) && !inside;
        inside = mask >> d & 1;
    }
    return runs;
}

/* The result seen with the operand's dimensions: those that are reduced do not move it. */
static struct vector_view result_of(const struct backend *b, const struct layer *l, const bool *reduced)
{
    const struct shape *x = &b->graph->values[l->x].shape, *y = &b->graph->values[l->y].shape;
    int64_t own[GRAPH_RANK_MAX] = {0};
    struct vector_view d = {.at = place_origin(b, l->y), .format = b->places[l->y].g.format, .mul = 1};
    place_strides(&b->places[l->y], y, own);
    unsigned at = 0;
    for (unsigned i = 0; i < x->rank; i++) {
        bool kept = y->rank == x->rank || !reduced[i];
        d.strides[i] = reduced[i] ? 0 : own[at];
        at += kept;
    }
    vector_view_part(b, &d, x);
    return d;
}

static enum weft_reduction reduction_of(enum core_op op)
{
    switch (op) {
    case CORE_REDUCE_MAX: return WEFT_REDUCTION_max;
    case CORE_REDUCE_SQUARES:
    case CORE_REDUCE_MEAN_SQUARES: return WEFT_REDUCTION_squares;
    default: return WEFT_REDUCTION_sum;
    }
}

/* What is divided by is a factor of what enters, or of the sum of what is squared as it enters. */
void emit_reduce(struct backend *b, struct layer *l)
{
    const struct shape *shape = &b->graph->values[l->x].shape;
    struct vector_box box = vector_box_of(b, shape);
    bool reduced[GRAPH_RANK_MAX];
    for (unsigned d = 0; d < GRAPH_RANK_MAX; d++)
        reduced[d] = l->reduced >> d & 1;
    struct vector_view x = vector_view_of(b, l, l->x, shape), d = result_of(b, l, reduced);
    enum weft_reduction how = reduction_of(l->op);
    float behind = 1, *factor = how == WEFT_REDUCTION_squares ? &behind : &x.mul;
    if (l->op == CORE_REDUCE_MEAN || l->op == CORE_REDUCE_MEAN_SQUARES)
        *factor /= (float)inner_of(&box, &x, reduced).elements;
    *factor /= backend_value_is_real(b, l->y) ? backend_scale(b, l->y) : 1;
    vector_result(b, l->y, behind);
    vector_nd_reduce(b, &box, reduced, &d, &x, how);
}

/* --- softmax --------------------------------------------------------------------------------------------------------- */

/* A part of a softmax: operand, result, and where its exponentials and the one number of each row, first a maximum and then a sum, stand between them. */
struct part { struct vector_box box; bool reduced[GRAPH_RANK_MAX]; struct vector_view x, y, e, most, sum; };

/* Numbers densely, in C order; `still` dimensions are not stored. */
static struct vector_view dense(uint64_t at, enum weft_format format, const struct vector_box *box, const bool *still)
{
    struct vector_view view = {.at = at, .format = format, .mul = 1};
    int64_t stride = weft_format_bytes(format);
    for (unsigned d = box->rank; d-- > 0;)
        if (!still || !still[d]) {
            view.strides[d] = stride;
            stride *= box->dims[d];
        }
    return view;
}

static void float_result(struct backend *b)
{
    emit_set_float(b, REG_mul_out, 1, 0);
    emit_set(b, REG_clamp_low, (uint32_t)INT32_MIN, (uint32_t)INT32_MAX);
}

/* Of the exponentials and their sums: eight digits are enough in a network of eight bits, and cost half the lines. */
static enum weft_format shares_format(const struct backend *b, const struct layer *l)
{
    bool real = b->places[l->y].g.format == WEFT_FORMAT_f32;
    return b->format == COMPILE_INT8 && !real ? WEFT_FORMAT_bf16 : WEFT_FORMAT_f32;
}

/* The exponentials are the result, and their sums have places of their own. */
static void undivided_part(struct backend *b, const struct layer *l, const struct part *p)
{
    struct vector_view e = p->y, y = p->y;
    float scale = backend_scale(b, l->y);
    e.mul = scale;
    vector_result(b, l->y, 1 / scale);
    vector_nd(b, &(struct vector_call){.op = WEFT_OP_SUB, .func = WEFT_FUNCTION_exp}, &p->box, &y, &p->x, &p->most);
    float_result(b);
    vector_nd_reduce(b, &p->box, p->reduced, &p->sum, &e, WEFT_REDUCTION_sum);
}

static void softmax_part(struct backend *b, const struct layer *l, const struct part *p)
{
    struct vector_view y = p->y;
    float_result(b);
    vector_nd_reduce(b, &p->box, p->reduced, &p->most, &p->x, WEFT_REDUCTION_max);
    if (l->sums) {
        undivided_part(b, l, p);
        return;
    }
    vector_nd(b, &(struct vector_call){.op = WEFT_OP_SUB, .func = WEFT_FUNCTION_exp}, &p->box, &p->e, &p->x, &p->most);
    vector_nd_reduce(b, &p->box, p->reduced, &p->sum, &p->e, WEFT_REDUCTION_sum);
    vector_result(b, l->y, 1 / backend_scale(b, l->y));
    vector_nd(b, &(struct vector_call){.op = WEFT_OP_DIV, .func = WEFT_FUNCTION_none}, &p->box, &y, &p->e, &p->sum);
}

static int64_t elements_of(const struct vector_box *box)
{
    int64_t count = 1;
    for (unsigned d = 0; d < box->rank; d++)
        count *= box->dims[d];
    return count;
}

/* The kept dimension whose steps are longest, so that a part lies in one piece; or -1. */
static int outermost(const struct part *p)
{
    int best = -1;
    for (unsigned d = 0; d < p->box.rank; d++)
        if (!p->reduced[d] && p->box.dims[d] > 1 && (best < 0 || p->x.strides[d] > p->x.strides[best]))
            best = (int)d;
    return best;
}

static int64_t piece_of(const struct backend *b, const struct part *p)
{
    int64_t row = 1, most = (int64_t)(b->machine->ub_bytes / PIECE_SHARE);
    for (unsigned d = 0; d < p->box.rank; d++)
        row *= p->reduced[d] ? p->box.dims[d] : 1;
    int64_t full = row < most ? row * (int64_t)backend_vector_width(b) : most;
    full = full < most ? full : most;
    int64_t piece = backend_piece_bytes(b) / (int64_t)sizeof(float);
    return full > piece ? full : piece;
}

/* Elements of a part when the box is cut along its outermost dimensions until it is small. */
static int64_t cut(struct vector_box *box, const struct backend *b, const struct part *whole)
{
    struct part p = *whole;
    int64_t piece = piece_of(b, whole);
    for (int d; elements_of(&p.box) > piece && (d = outermost(&p)) >= 0;) {
        int64_t rest = elements_of(&p.box) / p.box.dims[d];
        p.box.dims[d] = rest >= piece ? 1 : piece / rest;
    }
    *box = p.box;
    return elements_of(&p.box);
}

/* From the row at these indices on, of the part of the batch that is being emitted. */
static struct vector_view sums_view(const struct backend *b, const struct layer *l, const int64_t *at)
{
    const struct shape *shape = &b->graph->values[l->x].shape, *own = &b->graph->values[l->sums - 1].shape;
    int64_t strides[GRAPH_RANK_MAX] = {0};
    struct vector_view view = {.at = place_origin(b, l->sums - 1), .format = b->places[l->sums - 1].g.format, .mul = 1};
    place_strides(&b->places[l->sums - 1], own, strides);
    for (unsigned d = 0; d + 1 < shape->rank; d++) {
        view.strides[d] = strides[l->sums_at[d]];
        view.at += (uint64_t)(at[d] * view.strides[d]);
    }
    vector_view_part(b, &view, shape);
    return view;
}

/* Walks the whole in boxes of the size of `part`; the last ones are smaller. */
static void softmax_parts(struct backend *b, const struct layer *l, const struct part *whole, const struct vector_box *size)
{
    int64_t at[GRAPH_RANK_MAX] = {0};
    for (;;) {
        struct part p = *whole;
        for (unsigned d = 0; d < p.box.rank; d++) {
            int64_t left = whole->box.dims[d] - at[d];
            p.box.dims[d] = left < size->dims[d] ? left : size->dims[d];
            p.x.at += (uint64_t)(at[d] * p.x.strides[d]);
            p.y.at += (uint64_t)(at[d] * p.y.strides[d]);
        }
        p.e = l->sums ? (struct vector_view){0} : dense(b->buffers[l->temp[0]].ub, shares_format(b, l), &p.box, NULL);
        p.most = dense(b->buffers[l->temp[1]].ub, p.x.format == WEFT_FORMAT_bf16 ? WEFT_FORMAT_bf16 : WEFT_FORMAT_f32, &p.box, p.reduced);
        p.sum = l->sums ? sums_view(b, l, at) : dense(b->buffers[l->temp[1]].ub, shares_format(b, l), &p.box, p.reduced);
        softmax_part(b, l, &p);
        int d = (int)p.box.rank - 1;
        for (; d >= 0 && (at[d] += size->dims[d]) >= whole->box.dims[d]; d--)
            at[d] = 0;
        if (d < 0)
            return;
    }
}

static struct part softmax_whole(const struct backend *b, const struct layer *l, struct vector_view x, struct vector_view y)
{
    const struct shape *shape = &b->graph->values[l->x].shape;
    struct part whole = {.box = vector_box_of(b, shape), .x = x, .y = y};
    whole.reduced[b->graph->nodes[l->node].at.axis] = true;
    return whole;
}

void softmax_temporaries(uint64_t bytes[2], const struct backend *b, const struct layer *l)
{
    struct vector_view x = {0};
    place_strides(&b->places[l->x], &b->graph->values[l->x].shape, x.strides);
    struct part whole = softmax_whole(b, l, x, x);
    struct vector_box size;
    int64_t elements = cut(&size, b, &whole);
    bytes[0] = l->sums ? 0 : (uint64_t)(elements * weft_format_bytes(shares_format(b, l)));
    bytes[1] = (uint64_t)(elements / size.dims[b->graph->nodes[l->node].at.axis]) * 4;
}

void emit_softmax(struct backend *b, struct layer *l)
{
    const struct shape *shape = &b->graph->values[l->x].shape;
    struct part whole = softmax_whole(b, l, vector_view_of(b, l, l->x, shape), vector_view_of(b, l, l->y, shape));
    struct vector_box size;
    cut(&size, b, &whole);
    softmax_parts(b, l, &whole, &size);
}
