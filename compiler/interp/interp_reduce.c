/* interp_reduce.c: mean, sum and maximum over axes, and those of squares. */
#include "interp_kernels.h"

#include <math.h>
#include <stdlib.h>

/* Strides of the result as the input is walked: 0 along an axis that is reduced. */
static void result_strides(int64_t *strides, const struct node *node, const struct shape *x)
{
    bool reduced[GRAPH_RANK_MAX] = {false};
    for (unsigned i = 0; i < node->at.axis_count; i++)
        reduced[node->at.axes[i]] = true;
    int64_t stride = 1;
    for (unsigned d = x->rank; d-- > 0;) {
        strides[d] = reduced[d] ? 0 : stride;
        if (!reduced[d])
            stride *= x->dims[d];
    }
}

/* Sums of f32 in double: the order does not show. */
static void sum_f32(struct walk *walk, const float *x, double *sums, bool squares)
{
    for (int64_t r = 0; r < walk->rows; r++, walk_next(walk)) {
        double *to = sums + walk->at[1];
        int64_t step = walk->strides[1][0];
        const float *from = x + walk->at[0];
        for (int64_t i = 0; i < walk->row; i++)
            to[i * step] += squares ? (double)from[i] * from[i] : from[i];
    }
}

static void maximum_f32(struct walk *walk, const float *x, double *peaks)
{
    for (int64_t r = 0; r < walk->rows; r++, walk_next(walk)) {
        double *to = peaks + walk->at[1];
        int64_t step = walk->strides[1][0];
        const float *from = x + walk->at[0];
        for (int64_t i = 0; i < walk->row; i++)
            if (from[i] > to[i * step] || from[i] != from[i])
                to[i * step] = from[i];
    }
}

static void reduce_integers(struct walk *walk, const struct tensor *x, __int128 *sums, bool maximum)
{
    for (int64_t r = 0; r < walk->rows; r++, walk_next(walk))
        for (int64_t i = 0; i < walk->row; i++) {
            __int128 v = interp_load_integer(x->bytes, x->element, walk->at[0] + i), *to = &sums[walk->at[1] + i * walk->strides[1][0]];
            *to = maximum ? (v > *to ? v : *to) : *to + v;
        }
}

/* What the maximum of nothing is. */
static __int128 least_of(enum element element)
{
    bool s = element == ELEMENT_S8 || element == ELEMENT_S16 || element == ELEMENT_S32 || element == ELEMENT_S64;
    return s ? -((__int128)1 << (8 * element_bytes(element) - 1)) : 0;
}

static void finish_f32(struct tensor *y, const double *sums, int64_t count, double divisor)
{
    for (int64_t i = 0; i < count; i++)
        ((float *)y->bytes)[i] = (float)(sums[i] / divisor);
}

static void finish_integers(struct tensor *y, const __int128 *sums, int64_t count, int64_t divisor)
{
    for (int64_t i = 0; i < count; i++)
        interp_store_integer(y->bytes, y->element, i, divisor ? sums[i] / divisor : 0);
}

enum weft_status interp_reduce(const struct call *call)
{
    const struct tensor *x = call->in[0];
    struct tensor *y = call->out[0];
    int64_t strides[GRAPH_RANK_MAX], own[GRAPH_RANK_MAX], count = shape_count(&y->shape);
    enum core_op op = call->node->op;
    bool maximum = op == CORE_REDUCE_MAX, squares = op == CORE_REDUCE_SQUARES || op == CORE_REDUCE_MEAN_SQUARES, floats = x->element == ELEMENT_F32;
    if (squares && !floats)
        return interp_refuse(call, "is defined on floats only, and the input holds integers");
    void *sums = calloc((size_t)(count ? count : 1), sizeof(__int128));
    if (!sums)
        return WEFT_NO_MEMORY;
    for (int64_t i = 0; maximum && i < count; i++)
        if (floats)
            ((double *)sums)[i] = -INFINITY;
        else
            ((__int128 *)sums)[i] = least_of(x->element);
    struct walk walk;
    shape_strides(own, &x->shape);
    result_strides(strides, call->node, &x->shape);
    walk_start_strided(&walk, &x->shape, (const int64_t *const[]){own, strides}, 2);
    int64_t divisor = op == CORE_REDUCE_MEAN || op == CORE_REDUCE_MEAN_SQUARES ? (count ? shape_count(&x->shape) / count : 1) : 1;
    if (floats) {
        if (maximum)
            maximum_f32(&walk, x->bytes, sums);
        else
            sum_f32(&walk, x->bytes, sums, squares);
        finish_f32(y, sums, count, (double)divisor);
    } else {
        reduce_integers(&walk, x, sums, maximum);
        finish_integers(y, sums, count, divisor);
    }
    free(sums);
    return WEFT_OK;
}
