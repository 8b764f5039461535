/* fast_pool.c: reductions over windows and lanes. See fast_vector.h. */
#include <string.h>

#include "fast_vector.h"

static enum kernel_binary float_reduction(enum weft_reduction reduction)
{
    return reduction == WEFT_REDUCTION_max ? KERNEL_MAX : reduction == WEFT_REDUCTION_min ? KERNEL_MIN : KERNEL_ADD;
}

static bool squares(const struct vector_job *job) { return job->instr->reduce == WEFT_REDUCTION_squares; }

/* Are elements reduced as integers? Squares are floats, whatever they are of. */
static bool reduces_integers(const struct vector_job *job) { return weft_format_is_integer(job->instr->fmt_a) && !squares(job); }

/* Elements as the reduction takes them: as they are, or the squares of what they stand for. */
static void load_run(const struct vector_job *job, void *out, const uint8_t *in, size_t n)
{
    enum weft_format format = job->instr->fmt_a;
    if (squares(job)) kernel_load(out, in, n, format, job->config->zero_a, job->config->mul_a);
    else if (weft_format_is_integer(format)) kernel_load_integers(out, in, n, format);
    else kernel_load_floats(out, in, n, format);
}

/* Lanes of one row, `beyond` bytes further on than the pattern says; 4 bytes each in `out`. */
static void load_row(const struct vector_job *job, void *out, uint64_t beyond)
{
    const struct fast_rows *rows = &job->v->a;
    const uint8_t *row = job->ub + rows_address(rows) + beyond;
    for (size_t i = 0; i < rows->run_count; i++) {
        const struct fast_run *run = &rows->runs[i];
        load_run(job, (uint8_t *)out + 4 * run->lane, row + run->offset, run->lanes);
    }
    if (squares(job)) kernel_squares(out, job->instr->lanes);
}

static void combine(void *into, const void *with, size_t lanes, bool integer, enum weft_reduction reduction)
{
    if (integer) kernel_combine_integers(into, with, lanes, reduction);
    else kernel_combine(into, with, lanes, float_reduction(reduction));
}

/* What is taken from a reduction of integers: the zero point, once for max and min, once an element for a sum. */
static int32_t reduced_zero(const struct vector_job *job, uint64_t elements)
{
    uint32_t zero = (uint32_t)job->config->zero_a;
    return (int32_t)(job->instr->reduce == WEFT_REDUCTION_sum ? zero * (uint32_t)elements : zero);
}

/* The reductions in v->q or v->x, as floats that the result rule takes, in v->x. */
static void scale_reductions(struct vector_job *job, size_t n, uint64_t elements)
{
    struct fast_vector *v = job->v;
    if (reduces_integers(job)) kernel_scale_integers(v->x, v->q, n, reduced_zero(job, elements), job->config->mul_a);
    else if (!squares(job)) kernel_scale_floats(v->x, v->x, n, job->config->mul_a);
}

void vector_pool(struct vector_job *job, size_t rows)
{
    struct fast_vector *v = job->v;
    const struct weft_config *c = job->config;
    size_t lanes = job->instr->lanes;
    bool integer = reduces_integers(job);
    for (size_t r = 0; r < rows; r++, rows_next(&v->a)) {
        void *into = integer ? (void *)(v->q + r * lanes) : (void *)(v->x + r * lanes);
        for (uint64_t j = 0; j < c->win_count1; j++)
            for (uint64_t i = 0; i < c->win_count0; i++) {
                bool first = i == 0 && j == 0;
                load_row(job, first ? into : v->p, i * c->win_stride0 + j * c->win_stride1);
                if (!first) combine(into, v->p, lanes, integer, job->instr->reduce);
            }
    }
    scale_reductions(job, rows * lanes, (uint64_t)c->win_count0 * c->win_count1);
}

static int32_t reduce_integers(const int32_t *x, size_t n, enum weft_reduction reduction)
{
    int32_t result = x[0];
    for (size_t i = 1; i < n; i++) {
        if (reduction == WEFT_REDUCTION_sum) result = (int32_t)((uint32_t)result + (uint32_t)x[i]);
        else if (reduction == WEFT_REDUCTION_max ? x[i] > result : x[i] < result) result = x[i];
    }
    return result;
}

static float reduce_floats(const float *x, size_t n, enum weft_reduction reduction)
{
    float result = x[0];
    if (reduction == WEFT_REDUCTION_sum || reduction == WEFT_REDUCTION_squares)
        for (size_t i = 1; i < n; i++) result += x[i]; /* in order */
    else
        for (size_t i = 1; i < n; i++) kernel_combine(&result, &x[i], 1, float_reduction(reduction));
    return result;
}

void vector_reduce(struct vector_job *job, size_t rows)
{
    struct fast_vector *v = job->v;
    size_t lanes = job->instr->lanes;
    for (size_t r = 0; r < rows; r++, rows_next(&v->a)) {
        load_row(job, v->p, 0);
        if (reduces_integers(job)) v->q[r] = reduce_integers(v->p, lanes, job->instr->reduce);
        else v->x[r] = reduce_floats((const float *)v->p, lanes, job->instr->reduce);
    }
    scale_reductions(job, rows, lanes);
}

static void acc_window(struct vector_job *job, int32_t *into, uint64_t row)
{
    const struct weft_config *c = job->config;
    size_t lanes = job->instr->lanes;
    bool integer = !job->instr->facc;
    for (uint64_t j = 0; j < c->win_count1; j++)
        for (uint64_t i = 0; i < c->win_count0; i++) {
            const uint8_t *from = job->acc + (row + i * c->win_stride0 + j * c->win_stride1) * job->columns * 4;
            if (i == 0 && j == 0) memcpy(into, from, lanes * 4);
            else combine(into, from, lanes, integer, job->instr->reduce);
        }
}

void vector_acc(struct vector_job *job, size_t first, size_t rows)
{
    struct fast_vector *v = job->v;
    const struct weft_instr *instr = job->instr;
    size_t lanes = instr->lanes;
    for (size_t r = 0; r < rows; r++) {
        int32_t *into = v->q + r * lanes;
        if (instr->pool) {
            acc_window(job, into, instr->acc + rows_address(&v->a));
            rows_next(&v->a);
        } else {
            memcpy(into, job->acc + (instr->acc + first + r) * job->columns * 4, lanes * 4);
        }
    }
}
