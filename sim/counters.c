/* counters.c: what a run counts that needs no clock, and the sums that must hold. docs/metrics.md defines each counter. */
#include <assert.h>
#include <string.h>

#include "engine.h"

static const struct weft_counter_info table[] = {
#define WEFT_COUNTER_SUM false
#define WEFT_COUNTER_PEAK true
#define WEFT_COUNTER(name, KIND, unit, meaning) {#name, unit, meaning, offsetof(struct weft_counters, name), WEFT_COUNTER_##KIND},
#include "counters.def"
};
enum { TABLE_COUNT = sizeof table / sizeof table[0] };

const struct weft_counter_info *weft_counter_table(size_t *count)
{
    *count = TABLE_COUNT;
    return table;
}

static uint64_t get(const struct weft_counters *counters, const struct weft_counter_info *info)
{
    uint64_t value;
    memcpy(&value, (const char *)counters + info->offset, sizeof value);
    return value;
}

void counters_add(struct weft_counters *total, const struct weft_counters *layer)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        uint64_t sum = get(total, &table[i]), part = get(layer, &table[i]);
        if (!table[i].peak) sum += part;
        else if (part > sum) sum = part;
        memcpy((char *)total + table[i].offset, &sum, sizeof sum);
    }
}

static void verify_classes(const struct weft_counters *c)
{
    uint64_t classes = c->class_active + c->class_weight_stall + c->class_weight_shift + c->class_input + c->class_raw + c->class_other;
    assert(classes == c->cycles);
    assert(c->busy_matrix == c->class_active);
}

void counters_verify(const struct weft_sim *sim)
{
    verify_classes(&sim->total);
    for (size_t i = 0; i < sim->layer_count; i++) verify_classes(&sim->layers[i]);
}

static void raise(uint64_t *peak, uint64_t value)
{
    if (value > *peak) *peak = value;
}

static uint64_t bursts(const struct weft_sim *sim, uint64_t bytes)
{
    uint64_t burst = sim->program->machine.dram_burst_bytes;
    return (bytes + burst - 1) / burst * burst;
}

/* Bytes of the 32-bit parameters of lanes first .. first + lanes - 1, which repeat after `period`: the interval that holds them. */
static uint64_t parameter_bytes(const struct weft_instr *instr, uint64_t period)
{
    bool wraps = instr->first_lane % period + instr->lanes > period;
    return 4 * (wraps ? period : instr->lanes);
}

static void count_product(struct weft_sim *sim, struct weft_counters *c, const struct weft_instr *instr)
{
    const struct weft_order *order = &sim->order;
    c->matrix_rows += instr->rows;
    c->cell_products += (uint64_t)instr->rows * order->active_k * order->active_n;
    c->tiles += instr->next;
    c->bytes_ub_read += (uint64_t)instr->rows * order->active_k * weft_format_bytes(instr->fmt);
}

static void count_activate(struct weft_sim *sim, struct weft_counters *c, const struct weft_instr *instr, uint64_t windows)
{
    uint64_t elements = (uint64_t)instr->rows * instr->lanes;
    c->vector_rows += instr->rows * (instr->pool ? windows : 1);
    c->bytes_ub_write += elements * weft_format_bytes(instr->fmt);
    if (instr->residual) c->bytes_ub_read += elements * weft_format_bytes(instr->fmt_b);
    if (instr->bias) c->bytes_ub_read += parameter_bytes(instr, sim->config.bias_period);
    if (instr->scale) c->bytes_ub_read += parameter_bytes(instr, sim->config.scale_period);
}

/* The vector instructions from UB to UB. */
static void count_vector(struct weft_counters *c, const struct weft_instr *instr, uint64_t windows)
{
    uint64_t elements = (uint64_t)instr->rows * instr->lanes, w = instr->op == WEFT_OP_POOL ? windows : 1;
    bool binary = instr->op >= WEFT_OP_ADD && instr->op <= WEFT_OP_MIN;
    c->vector_rows += instr->rows * w;
    if (instr->op != WEFT_OP_FILL) c->bytes_ub_read += elements * w * weft_format_bytes(instr->fmt_a);
    if (binary) c->bytes_ub_read += elements * weft_format_bytes(instr->fmt_b);
    c->bytes_ub_write += (instr->op == WEFT_OP_REDUCE ? instr->rows : elements) * weft_format_bytes(instr->fmt);
}

static void count_peaks(struct weft_counters *c, const struct weft_effects *effects)
{
    for (unsigned i = 0; i < effects->count; i++) {
        if (effects->effect[i].space == WEFT_SPACE_UB) raise(&c->peak_ub, effects->effect[i].range.high);
        if (effects->effect[i].space == WEFT_SPACE_ACC) raise(&c->peak_acc, effects->effect[i].range.high);
    }
}

void counters_count(struct weft_sim *sim, const struct issue *issue)
{
    struct weft_counters *c = &sim->layers[sim->layer];
    const struct weft_instr *instr = &issue->instr;
    uint64_t windows = (uint64_t)sim->config.win_count0 * sim->config.win_count1;
    c->instructions++;
    count_peaks(c, &issue->effects);
    switch (instr->op) {
    case WEFT_OP_NOP: case WEFT_OP_HALT: case WEFT_OP_SYNC: case WEFT_OP_TAG: case WEFT_OP_SET: return;
    case WEFT_OP_READ_HOST: c->bytes_link_in += instr->bytes, c->bytes_ub_write += instr->bytes; return;
    case WEFT_OP_WRITE_HOST: c->bytes_link_out += instr->bytes, c->bytes_ub_read += instr->bytes; return;
    case WEFT_OP_READ_DRAM: c->bytes_dram_read += bursts(sim, instr->bytes), c->bytes_ub_write += instr->bytes; return;
    case WEFT_OP_WRITE_DRAM: c->bytes_dram_write += bursts(sim, instr->bytes), c->bytes_ub_read += instr->bytes; return;
    case WEFT_OP_READ_WEIGHTS: c->bytes_weights += weft_tile_bytes(&sim->program->machine, instr->k, instr->n, instr->fmt); return;
    case WEFT_OP_PUSH_WEIGHTS: c->bytes_ub_read += (uint64_t)instr->k * instr->n * weft_format_bytes(instr->fmt); return;
    case WEFT_OP_MATMUL: case WEFT_OP_CONVOLVE: count_product(sim, c, instr); return;
    case WEFT_OP_ACTIVATE: count_activate(sim, c, instr, windows); break;
    default: count_vector(c, instr, windows); break;
    }
    if (instr->func == WEFT_FUNCTION_table) c->bytes_ub_read += 256;
}
