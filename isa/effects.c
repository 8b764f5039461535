/* effects.c: whether an instruction may run, and what it touches. Every fault of docs/machine.md is found here, before any
 * engine sees the instruction. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "weft_isa.h"

typedef unsigned long long ull; /* for messages */

struct check {
    struct weft_effects *out;
    struct weft_order *order;
    const struct weft_instr *instr;
    const struct weft_config *config;
    const struct weft_machine *machine;
    const struct weft_limits *limits;
    char *message; /* 256 bytes */
};

static bool __attribute__((format(printf, 2, 3))) fault(struct check *c, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(c->message, 256, format, arguments);
    va_end(arguments);
    return false;
}

/* --- what is touched ------------------------------------------------------------------------------------------------- */

static bool touch(struct check *c, const char *operand, enum weft_space space, bool write, struct weft_range range)
{
    static const char *const names[WEFT_SPACES] = {"the unified buffer has", "the accumulators have", "host memory has", "DRAM has"};
    const uint64_t sizes[WEFT_SPACES] = {c->machine->ub_bytes, c->machine->acc_rows, c->limits->host_bytes, c->limits->dram_bytes};
    if (range.high > sizes[space])
        return fault(c, "%s reaches %s %llu; %s %llu", operand, space == WEFT_SPACE_ACC ? "row" : "byte", (ull)range.high - 1,
                     names[space], (ull)sizes[space]);
    c->out->effect[c->out->count++] = (struct weft_effect){space, write, range};
    return true;
}

static struct weft_range span(uint64_t low, uint64_t size) { return (struct weft_range){low, low + size}; }

static bool at_least_one(struct check *c, const char *operand, uint64_t value)
{
    return value != 0 || fault(c, "%s is 0; it is at least 1", operand);
}

/* --- access patterns --------------------------------------------------------------------------------------------------- */

struct rows {
    uint64_t first, count, first_lane, lanes;
};

static bool check_loops(struct check *c, unsigned number)
{
    const struct weft_pattern *p = &c->config->pattern[number];
    const struct {
        const char *name;
        uint32_t count;
    } loops[] = {{"loop0", p->count0}, {"loop1", p->count1}, {"loop2", p->count2}, {"run", p->run_length}, {"block", p->block_runs}};
    for (size_t i = 0; i < sizeof loops / sizeof *loops; i++)
        if (loops[i].count == 0)
            return fault(c, "p%u.%s has a count of 0; it is at least 1", number, loops[i].name);
    return true;
}

static bool check_rows(struct check *c, unsigned number, const struct rows *rows)
{
    uint64_t limit = weft_pattern_rows(&c->config->pattern[number]);
    if (rows->first + rows->count > limit)
        return fault(c, "first_row + rows = %llu exceeds the %llu rows of p%u", (ull)(rows->first + rows->count), (ull)limit, number);
    return true;
}

/* The rows of a pattern, each of them `reach` bytes longer than its lanes (a window; else 0). */
static bool touch_pattern(struct check *c, const char *operand, unsigned number, const struct rows *rows, enum weft_format format,
                          uint64_t reach, bool write)
{
    if (!check_loops(c, number) || !check_rows(c, number, rows))
        return false;
    char name[32];
    snprintf(name, sizeof name, "%s (p%u)", operand, number);
    struct weft_range range = weft_pattern_range(&c->config->pattern[number], rows->first, rows->count, rows->first_lane, rows->lanes,
                                                 weft_format_bytes(format));
    range.high += reach;
    return touch(c, name, WEFT_SPACE_UB, write, range);
}

/* --- transfers ----------------------------------------------------------------------------------------------------------- */

static bool check_transfer(struct check *c, enum weft_space space, uint64_t far, bool to_ub)
{
    uint64_t bytes = c->instr->bytes;
    return at_least_one(c, "bytes", bytes) && touch(c, space == WEFT_SPACE_HOST ? "host" : "dram", space, !to_ub, span(far, bytes)) &&
           touch(c, "ub", WEFT_SPACE_UB, to_ub, span(c->instr->ub, bytes));
}

static bool check_dram(struct check *c, bool to_ub)
{
    if (!c->machine->dram_writable)
        return fault(c, "%s needs a machine whose dram.writable is true", weft_instr_info(c->instr->op)->mnemonic);
    return check_transfer(c, WEFT_SPACE_DRAM, c->instr->dram, to_ub);
}

/* --- tiles ----------------------------------------------------------------------------------------------------------------- */

static bool check_number(struct check *c, const char *operand, enum weft_format format)
{
    if (format == WEFT_FORMAT_s32 || format == WEFT_FORMAT_f32)
        return fault(c, "%s is %s; the array multiplies u8, s8, s16 and bf16", operand, weft_format_name(format));
    if (!weft_machine_has(c->machine, format))
        return fault(c, "%s is %s, which is not among the formats of machine %s", operand, weft_format_name(format), c->machine->name);
    return true;
}

static bool check_tile(struct check *c)
{
    const struct weft_instr *i = c->instr;
    if (!check_number(c, "fmt", i->fmt) || !at_least_one(c, "k", i->k) || !at_least_one(c, "n", i->n))
        return false;
    if (i->k > c->machine->rows)
        return fault(c, "k = %u exceeds the %llu rows of the array", i->k, (ull)c->machine->rows);
    if (i->n > c->machine->columns)
        return fault(c, "n = %u exceeds the %llu columns of the array", i->n, (ull)c->machine->columns);
    if (c->order->fifo_waiting >= c->machine->fifo_tiles)
        return fault(c, "the weight FIFO's %llu tiles have not been taken by a product; there is no slot for one more",
                     (ull)c->machine->fifo_tiles);
    return true;
}

static bool append_tile(struct check *c)
{
    struct weft_order *o = c->order;
    uint64_t slot = ((uint64_t)o->fifo_head + o->fifo_waiting++) % c->machine->fifo_tiles;
    o->fifo[slot].k = (uint16_t)c->instr->k;
    o->fifo[slot].n = (uint16_t)c->instr->n;
    o->fifo[slot].fmt = c->instr->fmt;
    return true;
}

static bool check_read_weights(struct check *c)
{
    if (!check_tile(c))
        return false;
    const struct weft_machine *m = c->machine;
    uint64_t cells = m->whole_tiles ? m->rows * m->columns : (uint64_t)c->instr->k * c->instr->n;
    return touch(c, m->whole_tiles ? "dram (a whole tile)" : "dram", WEFT_SPACE_DRAM, false,
                 span(c->instr->dram, cells * weft_format_bytes(c->instr->fmt))) &&
           append_tile(c);
}

static bool check_push_weights(struct check *c)
{
    if (!check_tile(c))
        return false;
    const struct weft_instr *i = c->instr;
    struct rows rows = {i->first_row, i->transpose ? i->n : i->k, i->first_lane, i->transpose ? i->k : i->n};
    return touch_pattern(c, "a", i->a, &rows, i->fmt, 0, false) && append_tile(c);
}

/* --- products ---------------------------------------------------------------------------------------------------------------- */

/* The tile that a product works with; NULL: a fault. `order` changes only when all else is well. */
static bool product_tile(struct check *c, uint32_t *k, enum weft_format *weights)
{
    const struct weft_order *o = c->order;
    if (c->instr->next && !o->fifo_waiting)
        return fault(c, "next: no tile waits in the weight FIFO");
    if (!c->instr->next && !o->active)
        return fault(c, "no tile has been taken yet; the first product needs next");
    *k = c->instr->next ? o->fifo[o->fifo_head].k : o->active_k;
    *weights = c->instr->next ? o->fifo[o->fifo_head].fmt : o->active_fmt;
    return true;
}

static bool check_formats(struct check *c, enum weft_format weights)
{
    enum weft_format activations = c->instr->fmt;
    if (!check_number(c, "fmt", activations))
        return false;
    if ((activations == WEFT_FORMAT_bf16) != (weights == WEFT_FORMAT_bf16))
        return fault(c, "fmt is %s and the tile's weights are %s; bf16 goes with bf16 only", weft_format_name(activations),
                     weft_format_name(weights));
    return true;
}

static bool touch_sums(struct check *c)
{
    struct weft_range range = span(c->instr->acc, c->instr->rows);
    return touch(c, "acc + rows", WEFT_SPACE_ACC, true, range) &&
           (!c->instr->accumulate || touch(c, "acc + rows", WEFT_SPACE_ACC, false, range));
}

static bool take_tile(struct check *c)
{
    struct weft_order *o = c->order;
    if (!c->instr->next)
        return true;
    o->active = true;
    o->active_k = o->fifo[o->fifo_head].k;
    o->active_n = o->fifo[o->fifo_head].n;
    o->active_fmt = o->fifo[o->fifo_head].fmt;
    o->fifo_head = (uint32_t)((o->fifo_head + UINT64_C(1)) % c->machine->fifo_tiles);
    o->fifo_waiting--;
    return true;
}

static bool check_product(struct check *c)
{
    const struct weft_instr *i = c->instr;
    uint32_t k = 0;
    enum weft_format weights = WEFT_FORMAT_u8;
    if (!at_least_one(c, "rows", i->rows) || !product_tile(c, &k, &weights) || !check_formats(c, weights))
        return false;
    struct rows rows = {i->first_row, i->rows, i->first_lane, k};
    uint64_t bytes = (uint64_t)(i->rows - 1) * i->stride + (uint64_t)k * weft_format_bytes(i->fmt);
    bool reads = i->op == WEFT_OP_MATMUL ? touch(c, "ub + rows x stride", WEFT_SPACE_UB, false, span(i->ub, bytes))
                                         : touch_pattern(c, "a", i->a, &rows, i->fmt, 0, false);
    return reads && touch_sums(c) && take_tile(c);
}

/* --- vector unit --------------------------------------------------------------------------------------------------------------- */

/* Lane l uses parameter l mod period: the lanes either lie side by side or go round, and then hold the first and the last. */
static bool touch_parameters(struct check *c, const char *name, uint64_t address, uint64_t period)
{
    if (!period)
        return fault(c, "%s has a period of 0; it is at least 1", name);
    uint64_t first = c->instr->first_lane % period;
    bool round = first + c->instr->lanes > period;
    return touch(c, name, WEFT_SPACE_UB, false, round ? span(address, 4 * period) : span(address + 4 * first, 4 * (uint64_t)c->instr->lanes));
}

static bool check_function(struct check *c)
{
    if (c->instr->func != WEFT_FUNCTION_table)
        return true;
    if (weft_format_bytes(c->instr->fmt) != 1)
        return fault(c, "func table needs an 8-bit result; fmt is %s", weft_format_name(c->instr->fmt));
    return touch(c, "v.table", WEFT_SPACE_UB, false, span(c->config->table, 256));
}

enum { WINDOWS_BITS = 28 }; /* of an instruction: what a host computes in minutes, and T7 stays clear of overflow */

/* From the first element of a window to its last, in the unit of the window's strides. */
static bool window_reach(struct check *c, uint64_t *reach)
{
    const struct weft_config *v = c->config;
    if (!v->win_count0 || !v->win_count1)
        return fault(c, "v.win%d has a count of 0; it is at least 1", v->win_count0 ? 1 : 0);
    unsigned __int128 windows = (unsigned __int128)c->instr->rows * v->win_count0 * v->win_count1;
    if (windows >> WINDOWS_BITS && windows != UINT64_C(1) << WINDOWS_BITS)
        return fault(c, "rows x v.win0 x v.win1 = %u x %u x %u exceeds 2^%d windows", c->instr->rows, v->win_count0, v->win_count1, WINDOWS_BITS);
    unsigned __int128 far = (unsigned __int128)(v->win_count0 - 1) * v->win_stride0 + (unsigned __int128)(v->win_count1 - 1) * v->win_stride1;
    *reach = far >> 62 ? UINT64_C(1) << 62 : (uint64_t)far; /* beyond every memory, and clear of overflow */
    return true;
}

enum { STEPS_BITS = 36 }; /* of an instruction: the same reason */

/* Elements that a vector instruction goes through, one by one; after window_reach, so that rows x windows is small. */
static bool check_steps(struct check *c, bool windowed)
{
    const struct weft_instr *i = c->instr;
    const struct weft_config *v = c->config;
    uint64_t windows = windowed ? (uint64_t)v->win_count0 * v->win_count1 : 1;
    if (i->rows * windows * i->lanes <= UINT64_C(1) << STEPS_BITS)
        return true;
    if (windowed)
        return fault(c, "rows x v.win0 x v.win1 x lanes = %u x %u x %u x %u exceeds 2^%d elements", i->rows, v->win_count0, v->win_count1,
                     i->lanes, STEPS_BITS);
    return fault(c, "rows x lanes = %u x %u exceeds 2^%d elements", i->rows, i->lanes, STEPS_BITS);
}

/* The ACC rows of `activate pool`: p15 counts rows, so that an element is one row and only lane 0 is asked for. */
static bool touch_pooled_sums(struct check *c)
{
    const struct weft_instr *i = c->instr;
    uint64_t reach = 0;
    struct rows rows = {i->first_row, i->rows, 0, 1};
    if (i->reduce == WEFT_REDUCTION_squares)
        return fault(c, "pool goes without squares: the windows are reduced before they are scaled");
    if (!window_reach(c, &reach) || !check_loops(c, 15) || !check_rows(c, 15, &rows))
        return false;
    struct weft_range range = weft_pattern_range(&c->config->pattern[15], rows.first, rows.count, 0, 1, 1);
    range.low += i->acc;
    range.high += i->acc + reach;
    return touch(c, "acc + the windows of p15", WEFT_SPACE_ACC, false, range);
}

static bool check_raw_sums(struct check *c)
{
    const struct weft_instr *i = c->instr;
    enum weft_format format = i->facc ? WEFT_FORMAT_f32 : WEFT_FORMAT_s32;
    if (i->fmt != format)
        return fault(c, "raw stores %s; fmt is %s", weft_format_name(format), weft_format_name(i->fmt));
    if (i->scale || i->residual || i->pool || i->func != WEFT_FUNCTION_none)
        return fault(c, "raw goes without %s", i->scale ? "scale" : i->residual ? "residual" : i->pool ? "pool" : "func");
    return true;
}

static bool check_activate(struct check *c)
{
    const struct weft_instr *i = c->instr;
    if (!at_least_one(c, "rows", i->rows) || !at_least_one(c, "lanes", i->lanes))
        return false;
    if (i->lanes > c->machine->columns)
        return fault(c, "lanes = %u exceeds the %llu columns of the array", i->lanes, (ull)c->machine->columns);
    struct rows rows = {i->first_row, i->rows, i->first_lane, i->lanes};
    return (!i->raw || check_raw_sums(c)) &&
           (i->pool ? touch_pooled_sums(c) : touch(c, "acc + rows", WEFT_SPACE_ACC, false, span(i->acc, i->rows))) && check_steps(c, i->pool) &&
           (!i->bias || touch_parameters(c, "v.bias", c->config->bias, c->config->bias_period)) &&
           (!i->scale || touch_parameters(c, "v.scale", c->config->scale, c->config->scale_period)) &&
           (!i->residual || touch_pattern(c, "b", i->b, &rows, i->fmt_b, 0, false)) && check_function(c) &&
           touch_pattern(c, "d", i->d, &rows, i->fmt, 0, true);
}

static bool check_copy(struct check *c)
{
    const struct weft_instr *i = c->instr;
    if (!i->raw)
        return true;
    if (i->fmt != i->fmt_a)
        return fault(c, "raw needs equal formats; fmt_a is %s and fmt is %s", weft_format_name(i->fmt_a), weft_format_name(i->fmt));
    return i->func == WEFT_FUNCTION_none || fault(c, "raw goes without func");
}

/* From UB to UB; an operand that the opcode lacks is left out. */
static bool check_vector(struct check *c)
{
    const struct weft_instr *i = c->instr;
    bool binary = i->op >= WEFT_OP_ADD && i->op <= WEFT_OP_MIN;
    struct rows rows = {i->first_row, i->rows, i->first_lane, i->lanes}, result = rows;
    if (i->op == WEFT_OP_REDUCE)
        result.first_lane = 0, result.lanes = 1;
    uint64_t reach = 0;
    return at_least_one(c, "rows", i->rows) && at_least_one(c, "lanes", i->lanes) && (i->op != WEFT_OP_COPY || check_copy(c)) &&
           (i->op != WEFT_OP_POOL || window_reach(c, &reach)) && check_steps(c, i->op == WEFT_OP_POOL) &&
           (i->op == WEFT_OP_FILL || touch_pattern(c, "a", i->a, &rows, i->fmt_a, reach, false)) &&
           (!binary || touch_pattern(c, "b", i->b, &rows, i->fmt_b, 0, false)) && check_function(c) &&
           touch_pattern(c, "d", i->d, &result, i->fmt, 0, true);
}

/* --- all of them ------------------------------------------------------------------------------------------------------------------- */

static bool check_tag(struct check *c)
{
    uint64_t layers = c->limits->layers ? c->limits->layers : 1; /* a program without a table has layer 0 */
    return c->instr->layer < layers ||
           fault(c, "layer %u is not in the program's table of %llu", c->instr->layer, (ull)layers);
}

static bool check_control(struct check *c)
{
    if (c->instr->op == WEFT_OP_TAG)
        return check_tag(c);
    if (c->instr->op == WEFT_OP_SET && !weft_register_at(c->instr->reg))
        return fault(c, "reg: there is no register %u", c->instr->reg);
    return true;
}

bool weft_check(struct weft_effects *out, struct weft_order *order, const struct weft_instr *instr, const struct weft_config *config,
                const struct weft_machine *machine, const struct weft_limits *limits, char message[256])
{
    struct check c = {out, order, instr, config, machine, limits, message};
    out->count = 0;
    message[0] = '\0';
    switch (instr->op) {
    case WEFT_OP_NOP:
    case WEFT_OP_HALT:
    case WEFT_OP_SYNC:
    case WEFT_OP_TAG:
    case WEFT_OP_SET: return check_control(&c);
    case WEFT_OP_READ_HOST: return check_transfer(&c, WEFT_SPACE_HOST, instr->host, true);
    case WEFT_OP_WRITE_HOST: return check_transfer(&c, WEFT_SPACE_HOST, instr->host, false);
    case WEFT_OP_READ_WEIGHTS: return check_read_weights(&c);
    case WEFT_OP_PUSH_WEIGHTS: return check_push_weights(&c);
    case WEFT_OP_READ_DRAM: return check_dram(&c, true);
    case WEFT_OP_WRITE_DRAM: return check_dram(&c, false);
    case WEFT_OP_MATMUL:
    case WEFT_OP_CONVOLVE: return check_product(&c);
    case WEFT_OP_ACTIVATE: return check_activate(&c);
    case WEFT_OP_ADD:
    case WEFT_OP_SUB:
    case WEFT_OP_MUL:
    case WEFT_OP_DIV:
    case WEFT_OP_MAX:
    case WEFT_OP_MIN:
    case WEFT_OP_COPY:
    case WEFT_OP_FILL:
    case WEFT_OP_POOL:
    case WEFT_OP_REDUCE: return check_vector(&c);
    }
    return fault(&c, "there is no opcode %d", (int)instr->op);
}
