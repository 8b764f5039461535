/* timing.c: the equations T1 to T8 of docs/machine.md. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "weft_isa.h"

static uint64_t ceil_div(uint64_t a, uint64_t b) { return a / b + (a % b != 0); }
static uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

struct weft_rate weft_rate(uint64_t bytes_per_second, uint64_t clock_hz)
{
    uint64_t g = gcd(bytes_per_second, clock_hz);
    return (struct weft_rate){bytes_per_second / g, clock_hz / g};
}

uint64_t weft_passes(enum weft_format activation, enum weft_format weight)
{
    if (activation == WEFT_FORMAT_bf16)
        return 1;
    return (uint64_t)weft_format_bytes(activation) * weft_format_bytes(weight);
}

uint64_t weft_matrix_skew(const struct weft_machine *m) { return m->rows + m->columns; }
uint64_t weft_shift_cycles(const struct weft_machine *m, enum weft_format weight) { return m->rows * weft_format_bytes(weight); }

uint64_t weft_tile_bytes(const struct weft_machine *m, uint64_t k, uint64_t n, enum weft_format weight)
{
    uint64_t cells = m->whole_tiles ? m->rows * m->columns : k * n;
    return ceil_div(cells * weft_format_bytes(weight), m->dram_burst_bytes) * m->dram_burst_bytes;
}

/* --- T3 -------------------------------------------------------------------------------------------------------------------
 *
 * The lanes of every row lie at the same offsets from the row's address, so what a row costs depends on two numbers only: where its
 * address lies within a line (the phase), and how far the row before it was (the step). Along the innermost loop the step is one
 * stride and phases repeat, so few rows are ever worked out; the others are multiplied.
 */

enum { SEGMENTS_MAX = 4096, PHASES_MAX = 1024 };

/* Bytes [low, high) from a row's address. */
struct segment {
    uint64_t low, high;
};

struct lanes {
    uint64_t line_bytes, ports, passes;
    size_t count;
    struct segment segment[SEGMENTS_MAX]; /* in order, apart from each other */
};

static int compare_segments(const void *a, const void *b)
{
    const struct segment *x = a, *y = b;
    return (x->low > y->low) - (x->low < y->low);
}

static void sort_and_merge(struct lanes *s)
{
    for (size_t i = 1; i < s->count; i++)
        if (s->segment[i].low < s->segment[i - 1].low) {
            qsort(s->segment, s->count, sizeof *s->segment, compare_segments);
            break;
        }
    size_t kept = 0;
    for (size_t i = 1; i < s->count; i++) {
        if (s->segment[i].low > s->segment[kept].high)
            s->segment[++kept] = s->segment[i];
        else
            s->segment[kept].high = larger(s->segment[kept].high, s->segment[i].high);
    }
    s->count = kept + 1;
}

/* One segment a run of lanes. */
static void collect_segments(struct lanes *s, const struct weft_pattern *p, uint64_t first_lane, uint64_t k, unsigned bytes)
{
    s->count = 0;
    for (uint64_t lane = first_lane, end = first_lane + k; lane < end;) {
        uint64_t c = lane % p->run_length, run = lane / p->run_length;
        uint64_t length = p->run_length - c < end - lane ? p->run_length - c : end - lane;
        uint64_t low = c * bytes + run % p->block_runs * p->run_stride + run / p->block_runs * p->block_stride;
        s->segment[s->count++] = (struct segment){low, low + length * bytes};
        lane += length;
    }
    sort_and_merge(s);
}

/* Lines that segment i of the row at `address` is the first to touch: [low, high). */
static struct segment lines_of(const struct lanes *s, uint64_t address, size_t i)
{
    struct segment lines = {(address + s->segment[i].low) / s->line_bytes, (address + s->segment[i].high - 1) / s->line_bytes + 1};
    if (i)
        lines.low = larger(lines.low, (address + s->segment[i - 1].high - 1) / s->line_bytes + 1);
    return lines;
}

static uint64_t distinct_lines(const struct lanes *s, uint64_t address)
{
    uint64_t count = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct segment l = lines_of(s, address, i);
        count += l.high > l.low ? l.high - l.low : 0;
    }
    return count;
}

/* Lines that the rows at both addresses touch. */
static uint64_t shared_lines(const struct lanes *s, uint64_t address, uint64_t before)
{
    uint64_t count = 0;
    for (size_t i = 0, j = 0; i < s->count && j < s->count;) {
        struct segment a = lines_of(s, address, i), b = lines_of(s, before, j);
        uint64_t low = larger(a.low, b.low), high = a.high < b.high ? a.high : b.high;
        count += high > low ? high - low : 0;
        if (a.high < b.high)
            i++;
        else
            j++;
    }
    return count;
}

static uint64_t cycles_for(const struct lanes *s, uint64_t lines) { return larger(s->passes, ceil_div(lines, s->ports)); }

static uint64_t row_cycles(const struct lanes *s, uint64_t address, uint64_t before)
{
    return cycles_for(s, distinct_lines(s, address) - shared_lines(s, address, before));
}

/* What the rows of one instruction have shown so far. */
struct walk {
    const struct weft_pattern *pattern;
    struct lanes *lanes;
    uint64_t period; /* rows after which the phases of the innermost loop repeat */
    uint32_t known[PHASES_MAX]; /* cycles of a row that follows its neighbour, by phase; 0: not known yet */
};

static uint64_t neighbour_cycles(struct walk *w, uint64_t address)
{
    uint64_t phase = address % w->lanes->line_bytes, stride = w->pattern->stride0;
    if (phase >= PHASES_MAX)
        return row_cycles(w->lanes, address, address - stride);
    if (!w->known[phase])
        w->known[phase] = (uint32_t)row_cycles(w->lanes, address, address - stride);
    return w->known[phase];
}

/* `rows` rows, each one stride0 behind the one before it, the first of them at `address`. */
static uint64_t stretch_cycles(struct walk *w, uint64_t address, uint64_t rows)
{
    uint64_t sum = 0;
    for (uint64_t j = 0; j < rows && j < w->period; j++)
        sum += neighbour_cycles(w, address + j * w->pattern->stride0) * ((rows - 1 - j) / w->period + 1);
    return sum;
}

static uint64_t walk_rows(struct walk *w, uint64_t first_row, uint64_t rows)
{
    const struct weft_pattern *p = w->pattern;
    uint64_t sum = 0, before = 0;
    for (uint64_t row = first_row, end = first_row + rows; row < end;) {
        uint64_t length = p->count0 - row % p->count0, address = weft_pattern_address(p, row, 0, 1);
        if (length > end - row)
            length = end - row;
        sum += row == first_row ? cycles_for(w->lanes, distinct_lines(w->lanes, address)) : row_cycles(w->lanes, address, before);
        sum += stretch_cycles(w, address + p->stride0, length - 1);
        before = address + (length - 1) * p->stride0;
        row += length;
    }
    return sum;
}

/* No row can touch more lines than this: a run of b bytes touches at most (b - 2) / line + 2, rounded down; likewise their sum. */
static uint64_t most_lines(const struct weft_pattern *p, uint64_t first_lane, uint64_t k, unsigned bytes, uint64_t line_bytes)
{
    uint64_t runs = (first_lane + k - 1) / p->run_length - first_lane / p->run_length + 1;
    return 2 * runs + (k * bytes > 2 * runs ? (k * bytes - 2 * runs) / line_bytes : 0);
}

uint64_t weft_matrix_cycles(const struct weft_machine *m, const struct weft_pattern *rows_at, uint64_t first_row, uint64_t rows,
                            uint64_t first_lane, uint64_t k, enum weft_format activation, enum weft_format weight)
{
    assert(k <= SEGMENTS_MAX); /* array.rows is at most 4095 */
    unsigned bytes = weft_format_bytes(activation);
    uint64_t passes = weft_passes(activation, weight);
    if (most_lines(rows_at, first_lane, k, bytes, m->ub_line_bytes) <= passes * m->ub_read_ports)
        return rows * passes;
    struct lanes lanes;
    lanes.line_bytes = m->ub_line_bytes;
    lanes.ports = m->ub_read_ports;
    lanes.passes = passes;
    collect_segments(&lanes, rows_at, first_lane, k, bytes);
    struct walk walk = {.pattern = rows_at, .lanes = &lanes};
    walk.period = m->ub_line_bytes / gcd(m->ub_line_bytes, rows_at->stride0); /* gcd(n, 0) = n: every row has the same phase */
    return walk_rows(&walk, first_row, rows);
}

/* --- T7 -------------------------------------------------------------------------------------------------------------------- */

static uint64_t operand_beats(const struct weft_machine *m, uint64_t lanes, enum weft_format format)
{
    return ceil_div(lanes * weft_format_bytes(format), m->ub_line_bytes);
}

uint64_t weft_vector_cycles(const struct weft_machine *m, const struct weft_instr *instr, const struct weft_config *config)
{
    enum weft_opcode op = instr->op;
    bool binary = op >= WEFT_OP_ADD && op <= WEFT_OP_MIN, windowed = op == WEFT_OP_POOL || (op == WEFT_OP_ACTIVATE && instr->pool);
    uint64_t windows = windowed ? (uint64_t)config->win_count0 * config->win_count1 : 1;
    uint64_t beats = larger(ceil_div(instr->lanes, m->vector_lanes), operand_beats(m, op == WEFT_OP_REDUCE ? 1 : instr->lanes, instr->fmt));
    if (op != WEFT_OP_ACTIVATE && op != WEFT_OP_FILL)
        beats = larger(beats, operand_beats(m, instr->lanes, instr->fmt_a));
    if (binary || (op == WEFT_OP_ACTIVATE && instr->residual))
        beats = larger(beats, operand_beats(m, instr->lanes, instr->fmt_b));
    return ceil_div(instr->rows * windows * beats, m->vector_rows);
}

/* --- T8 -------------------------------------------------------------------------------------------------------------------- */

uint64_t weft_ps_cycles(uint64_t picoseconds, uint64_t clock_hz)
{
    const uint64_t second = UINT64_C(1000000000000);
    return (uint64_t)(((unsigned __int128)picoseconds * clock_hz + (second - 1)) / second);
}
