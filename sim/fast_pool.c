/* fast_pool.c: reductions over windows and lanes. See fast_vector.h. */
#include <string.h>

#include "fast_vector.h"

static enum kernel_binary float_reduction(enum weft_reduction reduction)
{
    return reduction == WEFT_REDUCTION_max ? KERNEL_MAX : reduction == WEFT_REDUCTION_min ? KERNEL_MIN : KERNEL_ADD;
}

/* Lanes of one row, `beyond` bytes further on than the pattern says. */
static void load_row(void *out, const struct fast_rows *rows, const uint8_t *ub, uint64_t beyond, enum weft_format format)
{
    const uint8_t *row = ub + rows_address(rows) + beyond;
    for (size_t i = 0; i < rows->run_count; i++) {
        const struct fast_run *run = &rows->runs[i];
        if (weft_format_is_integer(format)) kernel_load_integers((int32_t *)out + run->lane, row + run->offset, run->lanes, format);
        else kernel_load_floats((float *)out + run->lane, row + run->offset, run->lanes, format);
    }
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

void vector_pool(struct vector_job *job, size_t rows)
{
    struct fast_vector *v = job->v;
    const struct weft_config *c = job->config;
    size_t lanes = job->instr->lanes;
    bool integer = weft_format_is_integer(job->instr->fmt_a);
    for (size_t r = 0; r < rows; r++, rows_next(&v->a)) {
        void *into = integer ? (void *)(v->q + r * lanes) : (void *)(v->x + r * lanes);
        for (uint64_t j = 0; j < c->win_count1; j++)
            for (uint64_t i = 0; i < c->win_count0; i++) {
                bool first = i == 0 && j == 0;
                load_row(first ? into : v->p, &v->a, job->ub, i * c->win_stride0 + j * c->win_stride1, job->instr->fmt_a);
                if (!first) combine(into, v->p, lanes, integer, job->instr->reduce);
            }
    }
    int32_t zero = reduced_zero(job, (uint64_t)c->win_count0 * c->win_count1);
    if (integer) kernel_scale_integers(v->x, v->q, rows * lanes, zero, c->mul_a);
    else kernel_scale_floats(v->x, v->x, rows * lanes, c->mul_a);
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
    if (reduction == WEFT_REDUCTION_sum)
        for (size_t i = 1; i < n; i++) result += x[i]; /* in order */
    else
        for (size_t i = 1; i < n; i++) kernel_combine(&result, &x[i], 1, float_reduction(reduction));
    return result;
}

void vector_reduce(struct vector_job *job, size_t rows)
{
    struct fast_vector *v = job->v;
    size_t lanes = job->instr->lanes;
    bool integer = weft_format_is_integer(job->instr->fmt_a);
    for (size_t r = 0; r < rows; r++, rows_next(&v->a)) {
        load_row(v->p, &v->a, job->ub, 0, job->instr->fmt_a);
        if (integer) v->q[r] = reduce_integers(v->p, lanes, job->instr->reduce);
        else v->x[r] = reduce_floats((const float *)v->p, lanes, job->instr->reduce);
    }
    if (integer) kernel_scale_integers(v->x, v->q, rows, reduced_zero(job, lanes), job->config->mul_a);
    else kernel_scale_floats(v->x, v->x, rows, job->config->mul_a);
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
