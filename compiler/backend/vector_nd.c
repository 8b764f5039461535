/* vector_nd.c: one operation of the vector unit over numbers of any rank, wherever each side keeps them. A pattern has three row loops and
 * three levels of lanes; which dimensions become lanes is chosen by cost, and what does not fit one instruction is unrolled.
 *
 *   box    the dimensions, in any order; a side that does not move along one has stride 0 there (broadcasting)
 *   sides  d (written), a, b (read), each a base and a stride for every dimension */
#include "emit_vector.h"

#include <stdlib.h>
#include <string.h>

enum { SIDES = 3, LEVELS = 3, ROWS_MAX = 1 << 24, FIRST_LANE_MAX = 1 << 24, AXIS_MAX = 1 << 20, DISPATCH_CYCLES = 8 /* what an instruction costs beside its beats */,
       PIECES = 8, PIECE_CYCLES = 512 };

struct axis { int64_t count, stride[SIDES]; };
struct level { int64_t count, stride; };

/* A nest of axes, outermost first, and the sides that run through it. */
struct nest {
    struct axis axes[GRAPH_RANK_MAX + 1];
    unsigned count;
    const struct vector_view *side[SIDES];
    unsigned sides;
    uint64_t at[SIDES];
};

static bool runs_forward(const struct nest *n, const struct axis *axis) /* addresses only grow along it: patterns never go back */
{
    for (unsigned s = 0; s < n->sides; s++)
        if (axis->stride[s] < 0)
            return false;
    return true;
}

static bool belongs_outside(const struct nest *n, const struct axis *a, const struct axis *b)
{
    bool a_forward = runs_forward(n, a), b_forward = runs_forward(n, b);
    return a_forward != b_forward ? b_forward : a->stride[0] > b->stride[0];
}

/* What runs backwards outside, where it is unrolled; then by what is written: the innermost dimension lies closest together. */
static void sort_axes(struct nest *n)
{
    for (unsigned i = 1; i < n->count; i++)
        for (unsigned k = i; k > 0 && belongs_outside(n, &n->axes[k], &n->axes[k - 1]); k--) {
            struct axis swap = n->axes[k];
            n->axes[k] = n->axes[k - 1];
            n->axes[k - 1] = swap;
        }
}

static bool joins(const struct nest *n, const struct axis *outer, const struct axis *inner)
{
    for (unsigned s = 0; s < n->sides; s++)
        if (outer->stride[s] != inner->stride[s] * inner->count)
            return false;
    return true;
}

static void join_axes(struct nest *n)
{
    unsigned out = 0;
    for (unsigned i = 0; i < n->count; i++) {
        struct axis axis = n->axes[i];
        if (out && joins(n, &n->axes[out - 1], &axis)) {
            axis.count *= n->axes[out - 1].count;
            out--;
        }
        n->axes[out++] = axis;
    }
    n->count = out;
}

static struct nest nest_of(const struct vector_box *box, const struct vector_view *d, const struct vector_view *a, const struct vector_view *b)
{
    struct nest n = {.side = {d, a, b}, .sides = b ? 3 : 2};
    for (unsigned s = 0; s < n.sides; s++)
        n.at[s] = n.side[s]->at;
    for (unsigned i = 0; i < box->rank; i++)
        if (box->dims[i] != 1)
            n.axes[n.count++] = (struct axis){box->dims[i], {d->strides[i], a->strides[i], b ? b->strides[i] : 0}};
    sort_axes(&n);
    join_axes(&n);
    return n;
}

/* --- one side's pattern -------------------------------------------------------------------------------------------- */

/* Loops that one side needs for the axes first..end, outermost first; 0 to LEVELS, or more where it is too many. */
static unsigned levels_of(struct level out[GRAPH_RANK_MAX + 1], const struct nest *n, unsigned side, unsigned first, unsigned end)
{
    unsigned count = 0;
    for (unsigned i = first; i < end; i++) {
        struct level level = {n->axes[i].count, n->axes[i].stride[side]};
        if (count && out[count - 1].stride == level.stride * level.count) {
            level.count *= out[count - 1].count;
            count--;
        }
        out[count++] = level;
    }
    return count;
}

static int64_t element_of(const struct nest *n, unsigned side)
{
    return weft_format_bytes(n->side[side]->format);
}

static bool is_run(const struct level *levels, unsigned count, int64_t element)
{
    return count && levels[count - 1].stride == element;
}

static bool lanes_fit(const struct nest *n, unsigned first)
{
    struct level levels[GRAPH_RANK_MAX + 1];
    for (unsigned s = 0; s < n->sides; s++) {
        unsigned count = levels_of(levels, n, s, first, n->count);
        if (count > (is_run(levels, count, element_of(n, s)) ? LEVELS : LEVELS - 1))
            return false;
    }
    return true;
}

static bool rows_fit(const struct nest *n, unsigned first, unsigned end)
{
    struct level levels[GRAPH_RANK_MAX + 1];
    for (unsigned s = 0; s < n->sides; s++)
        if (levels_of(levels, n, s, first, end) > LEVELS)
            return false;
    return true;
}

static void set_lanes(struct weft_pattern *p, const struct level *levels, unsigned count, int64_t element)
{
    bool run = is_run(levels, count, element);
    p->run_length = run ? (uint32_t)levels[--count].count : 1;
    if (!count) {
        p->run_length = run ? UINT32_MAX : 1;
        return;
    }
    p->run_stride = (uint32_t)levels[count - 1].stride;
    p->block_runs = (uint32_t)levels[count - 1].count;
    p->block_stride = count > 1 ? (uint32_t)levels[count - 2].stride : 0;
}

static void set_rows(struct weft_pattern *p, const struct level *levels, unsigned count)
{
    uint32_t *loops[LEVELS][2] = {{&p->count0, &p->stride0}, {&p->count1, &p->stride1}, {&p->count2, &p->stride2}};
    for (unsigned i = 0; i < LEVELS; i++) {
        *loops[i][0] = i < count ? (uint32_t)levels[count - 1 - i].count : 1;
        *loops[i][1] = i < count ? (uint32_t)levels[count - 1 - i].stride : 0;
    }
}

static struct weft_pattern pattern_for(const struct nest *n, unsigned side, unsigned rows, unsigned lanes, uint64_t base)
{
    struct weft_pattern p = pattern_blank(base);
    struct level levels[GRAPH_RANK_MAX + 1];
    unsigned count = levels_of(levels, n, side, lanes, n->count);
    set_lanes(&p, levels, count, element_of(n, side));
    count = levels_of(levels, n, side, rows, lanes);
    set_rows(&p, levels, count);
    return p;
}

/* --- which axes are lanes, which are rows, which are unrolled ------------------------------------------------------------ */

struct split { unsigned rows, lanes; /* first axis of each; those before `rows` are unrolled */ };

static int64_t product(const struct nest *n, unsigned first, unsigned end)
{
    int64_t count = 1;
    for (unsigned i = first; i < end; i++)
        count *= n->axes[i].count;
    return count;
}

static int64_t beats(const struct backend *b, const struct nest *n, int64_t lanes)
{
    int64_t most = ceil_div(lanes, (int64_t)b->machine->vector_lanes);
    for (unsigned s = 0; s < n->sides; s++) {
        int64_t lines = ceil_div(lanes * element_of(n, s), (int64_t)b->machine->ub_line_bytes);
        most = lines > most ? lines : most;
    }
    return most;
}

/* As many lanes as one instruction takes in whole beats. */
static int64_t lane_step(const struct backend *b, int64_t lanes)
{
    int64_t wide = (int64_t)b->machine->vector_lanes;
    return lanes <= LANES_MAX || wide > LANES_MAX ? LANES_MAX : LANES_MAX / wide * wide;
}

/* Cycles with the axes from `lanes` on as lanes; *out: what is left for rows. */
static double cost(struct split *out, const struct backend *b, const struct nest *n, unsigned lanes)
{
    unsigned rows = lanes;
    while (rows > 0 && runs_forward(n, &n->axes[rows - 1]) && rows_fit(n, rows - 1, lanes) && product(n, rows - 1, lanes) < ROWS_MAX)
        rows--;
    *out = (struct split){rows, lanes};
    int64_t all = product(n, lanes, n->count);
    int64_t step = lane_step(b, all);
    double pieces = (double)ceil_div(all, step), beats_a_row = 0;
    for (int64_t lane = 0; lane < all; lane += step)
        beats_a_row += (double)beats(b, n, all - lane < step ? all - lane : step);
    return (double)product(n, 0, rows) * ((double)product(n, rows, lanes) * beats_a_row / (double)b->machine->vector_rows + pieces * DISPATCH_CYCLES);
}

static double choose(struct split *out, const struct backend *b, const struct nest *n)
{
    double best = cost(out, b, n, n->count);
    for (unsigned lanes = n->count; lanes-- > 0 && runs_forward(n, &n->axes[lanes]) && product(n, lanes, n->count) < FIRST_LANE_MAX;) {
        struct split split;
        double price = lanes_fit(n, lanes) ? cost(&split, b, n, lanes) : 0;
        if (lanes_fit(n, lanes) && price < best) {
            best = price;
            *out = split;
        }
    }
    return best;
}

int64_t vector_piece(int64_t rows, int64_t cycles)
{
    int64_t pieces = cycles / PIECE_CYCLES;
    pieces = pieces < 1 ? 1 : pieces > PIECES ? PIECES : pieces;
    return ceil_div(rows, pieces);
}

/* --- instructions -------------------------------------------------------------------------------------------------------- */

static void issue(struct backend *b, const struct vector_call *call, const struct nest *n, struct split split, const uint64_t at[SIDES])
{
    static const unsigned registers[SIDES] = {D, A, B};
    for (unsigned s = 0; s < n->sides; s++) {
        struct weft_pattern p = pattern_for(n, s, split.rows, split.lanes, at[s]);
        emit_pattern(b, registers[s], &p);
    }
    int64_t lanes = product(n, split.lanes, n->count), rows = product(n, split.rows, split.lanes), step = lane_step(b, lanes);
    int64_t piece = vector_piece(rows, rows * beats(b, n, lanes < step ? lanes : step) / (int64_t)b->machine->vector_rows);
    for (int64_t lane = 0, row = 0; lane < lanes; row + piece < rows ? (row += piece) : (row = 0, lane += step)) {
        struct weft_instr *i = vector_op(b, call->op, row, rows - row < piece ? rows - row : piece, lane, lanes - lane < step ? lanes - lane : step,
                                         n->side[1]->format, n->side[0]->format);
        i->b = n->sides > 2 ? B : 0;
        i->fmt_b = n->sides > 2 ? (uint8_t)n->side[2]->format : 0;
        i->reduce = call->op == WEFT_OP_POOL ? (uint8_t)call->reduce : 0;
        i->raw = call->func == RAW;
        i->func = call->func == RAW ? 0 : (uint8_t)call->func;
    }
}

static void unroll(struct backend *b, const struct vector_call *call, const struct nest *n, struct split split)
{
    int64_t steps = product(n, 0, split.rows);
    for (int64_t step = 0; step < steps; step++) {
        uint64_t at[SIDES] = {n->at[0], n->at[1], n->at[2]};
        int64_t rest = step;
        for (unsigned i = split.rows; i-- > 0; rest /= n->axes[i].count)
            for (unsigned s = 0; s < n->sides; s++)
                at[s] += (uint64_t)(rest % n->axes[i].count * n->axes[i].stride[s]);
        issue(b, call, n, split, at);
    }
}

/* An axis longer than a pattern's lanes can number is walked in parts. */
static bool halve_longest(struct nest *n)
{
    for (unsigned i = 0; i < n->count; i++)
        if (n->axes[i].count > AXIS_MAX && n->count <= GRAPH_RANK_MAX) {
            struct axis inner = n->axes[i];
            int64_t part = AXIS_MAX;
            while (part > 1 && inner.count % part)
                part /= 2;
            if (part < LANES_MAX / 16)
                return false;
            memmove(&n->axes[i + 1], &n->axes[i], (n->count - i) * sizeof n->axes[0]);
            n->axes[i + 1].count = part;
            n->axes[i].count = inner.count / part;
            for (unsigned s = 0; s < n->sides; s++)
                n->axes[i].stride[s] *= part;
            n->count++;
            return true;
        }
    return false;
}

static void run(struct backend *b, const struct vector_call *call, struct nest *n)
{
    struct split split;
    halve_longest(n);
    choose(&split, b, n);
    unroll(b, call, n, split);
}

void vector_nd(struct backend *b, const struct vector_call *call, const struct vector_box *box, const struct vector_view *d, const struct vector_view *a,
               const struct vector_view *c)
{
    struct nest n = nest_of(box, d, a, c);
    if (call->func != RAW) {
        emit_set_float(b, REG_mul_a, a->mul, a->zero);
        if (c)
            emit_set_float(b, REG_mul_b, c->mul, c->zero);
    }
    struct axis *first = n.count ? &n.axes[0] : NULL;
    int64_t whole = first && first->count > AXIS_MAX ? first->count / AXIS_MAX * AXIS_MAX : 0, rest = whole ? first->count - whole : 0;
    if (whole && rest) { /* the part that the lanes cannot number evenly */
        struct nest tail = n;
        for (unsigned s = 0; s < n.sides; s++)
            tail.at[s] += (uint64_t)(whole * first->stride[s]);
        tail.axes[0].count = rest;
        first->count = whole;
        run(b, call, &n);
        run(b, call, &tail);
        return;
    }
    run(b, call, &n);
}

/* Beats alone: what an instruction costs beside them is paid once, however many windows it has. */
double vector_nd_cycles(const struct backend *b, const struct vector_box *box, const struct vector_view *d, const struct vector_view *a)
{
    struct nest n = nest_of(box, d, a, NULL);
    struct split split;
    double all = choose(&split, b, &n);
    int64_t lanes = product(&n, split.lanes, n.count);
    return all - (double)product(&n, 0, split.rows) * (double)ceil_div(lanes, lane_step(b, lanes)) * DISPATCH_CYCLES;
}
