/* interp_matrix.c: gemm, matmul with NumPy's broadcasting, and their integer kin. */
#include "interp_kernels.h"

#include <stdlib.h>
#include <string.h>

/* --- gemm ---------------------------------------------------------------------------------------------------------------- */

static void scale_by(float *y, int64_t count, float factor)
{
    for (int64_t i = 0; factor != 1 && i < count; i++)
        y[i] *= factor;
}

static void add_broadcast(struct tensor *y, const struct tensor *c, float beta)
{
    struct walk walk;
    walk_start(&walk, &y->shape, (const struct shape *const[]){&c->shape}, 1);
    float *to = y->bytes;
    for (int64_t r = 0; r < walk.rows; r++, walk_next(&walk)) {
        const float *from = (const float *)c->bytes + walk.at[0];
        for (int64_t i = 0; i < walk.row; i++)
            *to++ += beta * from[i * walk.strides[0][0]];
    }
}

enum weft_status interp_gemm(const struct call *call)
{
    const struct tensor *a = call->in[0], *b = call->in[1];
    const struct attributes *at = &call->node->at;
    struct tensor *y = call->out[0];
    if (a->element != ELEMENT_F32 || b->element != ELEMENT_F32)
        return interp_refuse(call, "is defined here on floats only");
    struct gemm g = {.trans_a = at->trans_a,
                     .trans_b = at->trans_b,
                     .m = y->shape.dims[0],
                     .n = y->shape.dims[1],
                     .k = a->shape.dims[at->trans_a ? 0 : 1],
                     .lda = a->shape.dims[1],
                     .ldb = b->shape.dims[1],
                     .ldc = y->shape.dims[1]};
    interp_sgemm(&g, a->bytes, b->bytes, y->bytes);
    scale_by(y->bytes, shape_count(&y->shape), at->alpha);
    if (call->in_count > 2 && call->in[2])
        add_broadcast(y, call->in[2], at->beta);
    return WEFT_OK;
}

/* --- matmul -------------------------------------------------------------------------------------------------------------- */

/* A stack of products: m x k by k x n, `walk` over the stack with strides in whole matrices. A vector counts as a matrix of
 * one row (left) or one column (right). */
struct stack {
    struct gemm gemm;
    struct walk walk;
};

static struct shape without_matrix(const struct shape *s)
{
    struct shape out = *s;
    out.rank = s->rank > 2 ? s->rank - 2 : 0;
    return out;
}

static void stack_set(struct stack *s, const struct shape *a, const struct shape *b, const struct shape *y)
{
    int64_t m = a->rank > 1 ? a->dims[a->rank - 2] : 1, k = a->dims[a->rank - 1], n = b->rank > 1 ? b->dims[b->rank - 1] : 1;
    s->gemm = (struct gemm){.m = m, .n = n, .k = k, .lda = k, .ldb = n, .ldc = n};
    struct shape above_a = without_matrix(a), above_b = without_matrix(b), above_y = *y;
    unsigned matrix = (a->rank > 1) + (b->rank > 1);
    above_y.rank = y->rank - matrix;
    walk_start(&s->walk, &above_y, (const struct shape *const[]){&above_a, &above_b}, 2);
}

/* Calls `each` with the number of the left, right and resulting matrix. Stops where it says no memory. */
static bool stack_each(struct stack *s, bool (*each)(void *user, int64_t a, int64_t b, int64_t y), void *user)
{
    int64_t y = 0;
    for (int64_t r = 0; r < s->walk.rows; r++, walk_next(&s->walk))
        for (int64_t i = 0; i < s->walk.row; i++)
            if (!each(user, s->walk.at[0] + i * s->walk.strides[0][0], s->walk.at[1] + i * s->walk.strides[1][0], y++))
                return false;
    return true;
}

struct floats {
    struct gemm gemm;
    const float *a, *b;
    float *y;
};

static bool multiply_floats(void *user, int64_t a, int64_t b, int64_t y)
{
    struct floats *f = user;
    interp_sgemm(&f->gemm, f->a + a * f->gemm.m * f->gemm.k, f->b + b * f->gemm.k * f->gemm.n, f->y + y * f->gemm.m * f->gemm.n);
    return true;
}

/* One right matrix for all of a plain stack: one tall product. */
static void make_tall(struct stack *s)
{
    if (s->walk.rank > 1 || s->walk.strides[1][0] != 0 || s->walk.strides[0][0] != 1)
        return;
    s->gemm.m *= s->walk.row;
    s->walk.row = s->walk.row ? 1 : 0;
}

struct wide {
    struct gemm gemm;
    const struct tensor *a, *b;
    struct tensor *y;
};

static bool multiply_wide(void *user, int64_t a, int64_t b, int64_t y)
{ /* integers of any width, modulo 2^64 */
    struct wide *w = user;
    int64_t m = w->gemm.m, n = w->gemm.n, depth = w->gemm.k;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            uint64_t sum = 0;
            for (int64_t k = 0; k < depth; k++)
                sum += (uint64_t)interp_load_integer(w->a->bytes, w->a->element, (a * m + i) * depth + k) *
                       (uint64_t)interp_load_integer(w->b->bytes, w->b->element, (b * depth + k) * n + j);
            interp_store_integer(w->y->bytes, w->y->element, (y * m + i) * n + j, (__int128)sum);
        }
    return true;
}

enum weft_status interp_matmul(const struct call *call)
{
    const struct tensor *a = call->in[0], *b = call->in[1];
    struct tensor *y = call->out[0];
    struct stack s;
    stack_set(&s, &a->shape, &b->shape, &y->shape);
    if (a->element == ELEMENT_F32 && b->element == ELEMENT_F32) {
        make_tall(&s);
        stack_each(&s, multiply_floats, &(struct floats){s.gemm, a->bytes, b->bytes, y->bytes});
    } else if (a->element == b->element)
        stack_each(&s, multiply_wide, &(struct wide){s.gemm, a, b, y});
    else
        return interp_refuse(call, "multiplies different element types");
    return WEFT_OK;
}

/* --- 8-bit integers ------------------------------------------------------------------------------------------------------ */

struct integers {
    struct gemm gemm;
    const float *a, *b;
    int32_t *y;
};

static bool multiply_integers(void *user, int64_t a, int64_t b, int64_t y)
{
    struct integers *f = user;
    return interp_igemm(&f->gemm, f->a + a * f->gemm.m * f->gemm.k, f->b + b * f->gemm.k * f->gemm.n, f->y + y * f->gemm.m * f->gemm.n);
}

/* Zero points of b run along its columns, so they cannot be taken off run by run as a's are. */
static float *centre_columns(const struct tensor *b, const struct tensor *zero, int64_t n)
{
    bool many = zero && shape_count(&zero->shape) > 1;
    float *out = interp_centre(b, many ? NULL : zero, shape_count(&b->shape));
    for (int64_t i = 0, count = shape_count(&b->shape); out && many && i < count; i++)
        out[i] -= (float)interp_load_integer(zero->bytes, zero->element, i % n);
    return out;
}

/* a's zero points may number its rows; b's, its columns. Finer ones (a set for each matrix of a stack) are refused. */
static enum weft_status check_zeros(const struct call *call, const struct gemm *g, const struct tensor *za, const struct tensor *zb)
{
    int64_t of_a = za ? shape_count(&za->shape) : 1, of_b = zb ? shape_count(&zb->shape) : 1;
    if ((of_a == 1 || of_a == g->m) && (of_b == 1 || of_b == g->n))
        return WEFT_OK;
    return interp_refuse(call, "has zero points or scales that belong neither to a tensor nor to its rows or columns");
}

static enum weft_status matmul_integers(const struct call *call, struct stack *s, const struct tensor *a, const struct tensor *za,
                                        const struct tensor *b, const struct tensor *zb, int32_t *y)
{
    stack_set(s, &a->shape, &b->shape, &call->out[0]->shape);
    enum weft_status status = check_zeros(call, &s->gemm, za, zb);
    if (status)
        return status;
    float *reals_a = interp_centre(a, za, s->gemm.k), *reals_b = centre_columns(b, zb, s->gemm.n);
    bool done = reals_a && reals_b && stack_each(s, multiply_integers, &(struct integers){s->gemm, reals_a, reals_b, y});
    free(reals_a);
    free(reals_b);
    return done ? WEFT_OK : WEFT_NO_MEMORY;
}

enum weft_status interp_matmul_integer(const struct call *call)
{
    struct stack s;
    enum weft_status status = interp_check_bytes(call, call->in[0], call->in[1]);
    if (status)
        return status;
    return matmul_integers(call, &s, call->in[0], call->in_count > 2 ? call->in[2] : NULL, call->in[1],
                           call->in_count > 3 ? call->in[3] : NULL, call->out[0]->bytes);
}

static void requantise_columns(const struct call *call, const struct gemm *g, const int32_t *sums)
{
    struct requantise q;
    interp_requantise_set(&q, call);
    int64_t rows = g->n ? shape_count(&call->out[0]->shape) / g->n : 0;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < g->n; j++)
            interp_requantise_store(&q, i * g->n + j, sums[i * g->n + j], interp_requantise_scale(&q, i % g->m, j));
}

enum weft_status interp_qmatmul(const struct call *call)
{
    struct stack s;
    enum weft_status status = interp_check_bytes(call, call->in[0], call->in[3]);
    if (status)
        return status;
    stack_set(&s, &call->in[0]->shape, &call->in[3]->shape, &call->out[0]->shape);
    if ((status = check_zeros(call, &s.gemm, call->in[1], call->in[4])))
        return status;
    int64_t count = shape_count(&call->out[0]->shape);
    int32_t *sums = malloc((size_t)(count ? count : 1) * sizeof *sums);
    if (!sums)
        return WEFT_NO_MEMORY;
    status = matmul_integers(call, &s, call->in[0], call->in[2], call->in[3], call->in[5], sums);
    if (!status)
        requantise_columns(call, &s.gemm, sums);
    free(sums);
    return status;
}
