/* fast_vector.c: the vector unit, a block of rows at a time. See fast_vector.h. */
#include <stdlib.h>
#include <string.h>

#include "fast_vector.h"

enum weft_status fast_vector_create(struct fast_vector **out)
{
    *out = calloc(1, sizeof **out);
    return *out ? WEFT_OK : WEFT_NO_MEMORY;
}

static void free_lanes(struct fast_vector *v)
{
    free(v->x);
    free(v->y);
    free(v->q);
    free(v->p);
    free(v->bias);
    free(v->scale);
    v->room = 0;
}

void fast_vector_free(struct fast_vector *v)
{
    if (!v) return;
    rows_free(&v->a);
    rows_free(&v->b);
    rows_free(&v->d);
    free_lanes(v);
    free(v);
}

static enum weft_status reserve(struct fast_vector *v, size_t lanes)
{
    if (lanes < BLOCK_LANES) lanes = BLOCK_LANES;
    if (lanes <= v->room) return WEFT_OK;
    free_lanes(v);
    v->x = malloc(lanes * sizeof *v->x);
    v->y = malloc(lanes * sizeof *v->y);
    v->q = malloc(lanes * sizeof *v->q);
    v->p = malloc(lanes * sizeof *v->p);
    v->bias = malloc(lanes * sizeof *v->bias);
    v->scale = malloc(lanes * sizeof *v->scale);
    if (!v->x || !v->y || !v->q || !v->p || !v->bias || !v->scale) return WEFT_NO_MEMORY;
    v->room = lanes;
    return WEFT_OK;
}

/* --- operands and results ------------------------------------------------------------------------------------------------ */

static bool reads_overlap_writes(const struct weft_effects *effects)
{
    for (unsigned i = 0; i < effects->count; i++)
        for (unsigned j = 0; j < effects->count; j++) {
            const struct weft_effect *read = &effects->effect[i], *written = &effects->effect[j];
            if (!read->write && written->write && read->space == written->space && read->range.low < written->range.high &&
                written->range.low < read->range.high)
                return true;
        }
    return false;
}

static void load_rows(const struct vector_job *job, float *out, struct fast_rows *rows, size_t count, enum weft_format format, int32_t zero,
                      float mul)
{
    for (size_t r = 0; r < count; r++, rows_next(rows)) {
        const uint8_t *row = job->ub + rows_address(rows);
        for (size_t i = 0; i < rows->run_count; i++) {
            const struct fast_run *run = &rows->runs[i];
            kernel_load(out + r * job->instr->lanes + run->lane, row + run->offset, run->lanes, format, zero, mul);
        }
    }
}

static void load_a(const struct vector_job *job, size_t rows)
{
    load_rows(job, job->v->x, &job->v->a, rows, job->instr->fmt_a, job->config->zero_a, job->config->mul_a);
}

static void load_b(const struct vector_job *job, size_t rows)
{
    load_rows(job, job->v->y, &job->v->b, rows, job->instr->fmt_b, job->config->zero_b, job->config->mul_b);
}

/* `rows` rows of `lanes` results, v->q or v->x by the result's format, to the next rows of the destination. */
static void store_rows(const struct vector_job *job, size_t rows, size_t lanes)
{
    struct fast_vector *v = job->v;
    enum weft_format format = job->instr->fmt;
    for (size_t r = 0; r < rows; r++, rows_next(&v->d)) {
        uint8_t *row = job->ub + rows_address(&v->d);
        for (size_t i = 0; i < v->d.run_count; i++) {
            const struct fast_run *run = &v->d.runs[i];
            size_t from = r * lanes + run->lane;
            if (weft_format_is_integer(format)) kernel_store_integers(row + run->offset, v->q + from, run->lanes, format);
            else kernel_store_floats(row + run->offset, v->x + from, run->lanes, format);
        }
    }
}

/* v->x through the result rule into the next rows. */
static void store_result(const struct vector_job *job, size_t rows, size_t lanes)
{
    struct fast_vector *v = job->v;
    const struct weft_config *c = job->config;
    enum weft_format format = job->instr->fmt;
    bool table = job->instr->func == WEFT_FUNCTION_table;
    size_t n = rows * lanes;
    if (!table) kernel_apply(v->x, n, job->instr->func, c->alpha);
    if (weft_format_is_integer(format)) {
        struct kernel_range range = {c->zero_out, c->clamp_low, c->clamp_high, weft_format_low(format), weft_format_high(format)};
        kernel_requantise(v->q, v->x, n, c->mul_out, &range);
    } else {
        kernel_scale_floats(v->x, v->x, n, c->mul_out);
    }
    for (size_t i = 0; table && i < n; i++) v->q[i] = job->ub[(uint64_t)c->table + ((uint32_t)v->q[i] & 255)];
    store_rows(job, rows, lanes);
}

/* --- activate ------------------------------------------------------------------------------------------------------------ */

/* Parameter of each lane: number (first_lane + lane) mod period, 4 bytes each. */
static void load_parameter(const struct vector_job *job, void *out, uint32_t address, uint32_t period)
{
    size_t lanes = job->instr->lanes;
    uint64_t number = job->instr->first_lane % period;
    for (size_t lane = 0; lane < lanes;) {
        size_t count = period - number < lanes - lane ? (size_t)(period - number) : lanes - lane;
        memcpy((uint8_t *)out + 4 * lane, job->ub + address + 4 * number, 4 * count);
        lane += count;
        number = 0;
    }
}

/* Bias and scale of every lane of a block: bits of zero are 0 and 0.0f, but x + 0.0f is not x for every x. */
static void load_parameters(const struct vector_job *job, size_t rows)
{
    struct fast_vector *v = job->v;
    const struct weft_instr *instr = job->instr;
    size_t lanes = instr->lanes;
    if (instr->bias) load_parameter(job, v->bias, job->config->bias, job->config->bias_period);
    else memset(v->bias, 0, lanes * 4);
    if (instr->facc && !instr->bias)
        for (size_t i = 0; i < lanes; i++) v->bias[i] = INT32_MIN; /* -0.0f: x + -0.0f is x */
    if (instr->scale) load_parameter(job, v->scale, job->config->scale, job->config->scale_period);
    else
        for (size_t i = 0; i < lanes; i++) v->scale[i] = job->config->mul_a;
    for (size_t r = 1; r < rows; r++) {
        memcpy(v->bias + r * lanes, v->bias, lanes * 4);
        memcpy(v->scale + r * lanes, v->scale, lanes * 4);
    }
}

/* The sums themselves, plus bias. */
static void activate_raw(struct vector_job *job, size_t rows)
{
    struct fast_vector *v = job->v;
    size_t n = rows * job->instr->lanes;
    if (job->instr->facc) {
        memcpy(v->x, v->q, 4 * n);
        kernel_combine(v->x, (const float *)v->bias, n, KERNEL_ADD);
    } else {
        kernel_combine_integers(v->q, v->bias, n, WEFT_REDUCTION_sum);
    }
    store_rows(job, rows, job->instr->lanes);
}

static void activate(struct vector_job *job, size_t first, size_t rows)
{
    struct fast_vector *v = job->v;
    size_t lanes = job->instr->lanes, n = rows * lanes;
    if (first == 0 || job->careful) load_parameters(job, rows);
    vector_acc(job, first, rows);
    if (job->instr->raw) {
        activate_raw(job, rows);
        return;
    }
    if (job->instr->facc) kernel_dequantise_floats(v->x, (const float *)v->q, (const float *)v->bias, v->scale, n);
    else kernel_dequantise(v->x, v->q, v->bias, v->scale, n);
    if (job->instr->residual) {
        load_b(job, rows);
        kernel_combine(v->x, v->y, n, KERNEL_ADD);
    }
    store_result(job, rows, lanes);
}

/* --- the others ---------------------------------------------------------------------------------------------------------- */

static enum kernel_binary binary_of(enum weft_opcode op)
{
    switch (op) {
    case WEFT_OP_ADD: return KERNEL_ADD;
    case WEFT_OP_SUB: return KERNEL_SUB;
    case WEFT_OP_MUL: return KERNEL_MUL;
    case WEFT_OP_DIV: return KERNEL_DIV;
    case WEFT_OP_MAX: return KERNEL_MAX;
    default: return KERNEL_MIN;
    }
}

/* Bytes of rows of v->a to rows of v->d, through v->p. */
static void copy_raw(struct vector_job *job, size_t rows)
{
    struct fast_vector *v = job->v;
    size_t bytes = weft_format_bytes(job->instr->fmt);
    uint8_t *scratch = (uint8_t *)v->p;
    for (size_t r = 0; r < rows; r++, rows_next(&v->a), rows_next(&v->d)) {
        const uint8_t *from = job->ub + rows_address(&v->a);
        uint8_t *to = job->ub + rows_address(&v->d);
        for (size_t i = 0; i < v->a.run_count; i++)
            memcpy(scratch + v->a.runs[i].lane * bytes, from + v->a.runs[i].offset, v->a.runs[i].lanes * bytes);
        for (size_t i = 0; i < v->d.run_count; i++)
            memcpy(to + v->d.runs[i].offset, scratch + v->d.runs[i].lane * bytes, v->d.runs[i].lanes * bytes);
    }
}

static void fill(struct vector_job *job, size_t rows)
{
    struct fast_vector *v = job->v;
    size_t bytes = weft_format_bytes(job->instr->fmt), lanes = job->instr->lanes;
    uint8_t *scratch = (uint8_t *)v->p, value[4];
    for (unsigned i = 0; i < 4; i++) value[i] = (uint8_t)(job->instr->value >> 8 * i);
    for (size_t i = 0; i < lanes; i++) memcpy(scratch + i * bytes, value, bytes);
    for (size_t r = 0; r < rows; r++, rows_next(&v->d))
        for (size_t i = 0; i < v->d.run_count; i++)
            memcpy(job->ub + rows_address(&v->d) + v->d.runs[i].offset, scratch, v->d.runs[i].lanes * bytes);
}

static void execute_block(struct vector_job *job, size_t first, size_t rows)
{
    const struct weft_instr *instr = job->instr;
    switch (instr->op) {
    case WEFT_OP_ACTIVATE: activate(job, first, rows); return;
    case WEFT_OP_FILL: fill(job, rows); return;
    case WEFT_OP_POOL:
        vector_pool(job, rows);
        store_result(job, rows, instr->lanes);
        return;
    case WEFT_OP_REDUCE:
        vector_reduce(job, rows);
        store_result(job, rows, 1);
        return;
    case WEFT_OP_COPY:
        if (instr->raw) {
            copy_raw(job, rows);
            return;
        }
        load_a(job, rows);
        break;
    default:
        load_a(job, rows);
        load_b(job, rows);
        kernel_combine(job->v->x, job->v->y, rows * instr->lanes, binary_of(instr->op));
    }
    store_result(job, rows, instr->lanes);
}

/* Patterns of the operands that the instruction has. */
static enum weft_status set_rows(struct vector_job *job)
{
    struct fast_vector *v = job->v;
    const struct weft_instr *instr = job->instr;
    const struct weft_pattern *p = job->config->pattern;
    bool activates = instr->op == WEFT_OP_ACTIVATE, fills = instr->op == WEFT_OP_FILL, reduces = instr->op == WEFT_OP_REDUCE;
    bool one = activates || fills || reduces || instr->op == WEFT_OP_COPY || instr->op == WEFT_OP_POOL;
    uint64_t row = instr->first_row, lane = instr->first_lane;
    enum weft_status status =
        rows_init(&v->d, &p[instr->d], row, reduces ? 0 : lane, reduces ? 1 : instr->lanes, weft_format_bytes(instr->fmt));
    if (status == WEFT_OK && !activates && !fills)
        status = rows_init(&v->a, &p[instr->a], row, lane, instr->lanes, weft_format_bytes(instr->fmt_a));
    if (status == WEFT_OK && activates && instr->pool) status = rows_init(&v->a, &p[WEFT_PATTERNS - 1], row, 0, 1, 1);
    if (status == WEFT_OK && (!one || (activates && instr->residual)))
        status = rows_init(&v->b, &p[instr->b], row, lane, instr->lanes, weft_format_bytes(instr->fmt_b));
    return status;
}

enum weft_status fast_vector_execute(struct fast_values *values, const struct issue *issue)
{
    struct weft_sim *sim = values->sim;
    struct vector_job job = {.v = values->vector, .instr = &issue->instr, .config = &sim->config,
                             .ub = sim->memory[WEFT_SPACE_UB].bytes, .acc = sim->memory[WEFT_SPACE_ACC].bytes,
                             .columns = sim->program->machine.columns, .careful = reads_overlap_writes(&issue->effects)};
    enum weft_status status = reserve(job.v, issue->instr.lanes);
    if (status == WEFT_OK) status = set_rows(&job);
    if (status != WEFT_OK) return status;
    size_t rows = issue->instr.rows, block = job.careful ? 1 : BLOCK_LANES / issue->instr.lanes;
    if (block == 0) block = 1;
    for (size_t first = 0; first < rows; first += block) execute_block(&job, first, rows - first < block ? rows - first : block);
    return WEFT_OK;
}
