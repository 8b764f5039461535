/* interp_kernels.h: the kernels behind interp.c and what they share. Private to compiler/.
 *
 * A kernel reads `in` (NULL: input left out), writes `out`, whose shapes the importer inferred, and never sees f64, f16 or
 * bf16 unless its row in interp.c says that it moves bytes or converts by itself.
 */
#ifndef WEFT_COMPILER_INTERP_KERNELS_H
#define WEFT_COMPILER_INTERP_KERNELS_H

#include "interp.h"

struct call {
    const struct node *node;
    const struct tensor *const *in;
    unsigned in_count;
    struct tensor *const *out;
    struct weft_diag *diag;
};

/* interp_conv.c, interp_matrix.c */
enum weft_status interp_conv(const struct call *call);
enum weft_status interp_qconv(const struct call *call);
enum weft_status interp_conv_integer(const struct call *call);
enum weft_status interp_gemm(const struct call *call);
enum weft_status interp_matmul(const struct call *call);
enum weft_status interp_qmatmul(const struct call *call);
enum weft_status interp_matmul_integer(const struct call *call);
/* interp_elementwise.c */
enum weft_status interp_unary(const struct call *call);
enum weft_status interp_binary(const struct call *call);
enum weft_status interp_compare(const struct call *call);
enum weft_status interp_is_nan(const struct call *call);
enum weft_status interp_where(const struct call *call);
/* interp_pool.c */
enum weft_status interp_maxpool(const struct call *call);
enum weft_status interp_averagepool(const struct call *call);
/* interp_norm.c */
enum weft_status interp_batchnorm(const struct call *call);
enum weft_status interp_softmax(const struct call *call);
enum weft_status interp_lrn(const struct call *call);
/* interp_reduce.c */
enum weft_status interp_reduce(const struct call *call);
/* interp_shape.c */
enum weft_status interp_concat(const struct call *call);
enum weft_status interp_reshape(const struct call *call);
enum weft_status interp_transpose(const struct call *call);
enum weft_status interp_pad(const struct call *call);
enum weft_status interp_slice(const struct call *call);
enum weft_status interp_gather(const struct call *call);
enum weft_status interp_expand(const struct call *call);
/* interp_quantize.c */
enum weft_status interp_cast(const struct call *call);
enum weft_status interp_quantize(const struct call *call);
enum weft_status interp_dequantize(const struct call *call);

/* "NODE (OP): message"; returns WEFT_ERROR. */
enum weft_status interp_refuse(const struct call *call, const char *message);

/* interp_gemm.c: C[m][n] = op(A) op(B) in fp32, row-major; `ld` counts elements. `accumulate` adds to C. */
struct gemm {
    bool trans_a, trans_b, accumulate;
    int64_t m, n, k, lda, ldb, ldc;
};
void interp_sgemm(const struct gemm *g, const float *a, const float *b, float *c);
/* The same into 32-bit integers, exact (modulo 2^32) where a and b hold integers of magnitude 255 at most. No accumulate. False: no memory.
 */
bool interp_igemm(const struct gemm *g, const float *a, const float *b, int32_t *c);

/* interp_requantise.c: what QLinearConv and QLinearMatMul share: inputs x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero. */
/* Both 8-bit, or refused. */
enum weft_status interp_check_bytes(const struct call *call, const struct tensor *a, const struct tensor *b);
/* The integers of t less their zero points as fp32, for the caller to free. Entry j of several zero points belongs to
 * elements j x per to (j + 1) x per, and round again. NULL: no memory. */
float *interp_centre(const struct tensor *t, const struct tensor *zero, int64_t per);
struct requantise {
    const float *x_scale, *w_scale;
    bool many_x, many_w;
    float y_scale;
    int32_t zero, low, high;
    struct tensor *y;
};
void interp_requantise_set(struct requantise *q, const struct call *call);
float interp_requantise_scale(const struct requantise *q, int64_t row, int64_t column); /* x_scale w_scale / y_scale */
void interp_requantise_store(const struct requantise *q, int64_t index, int32_t sum, float scale);

/* interp_walk.c: up to three operands broadcast over a result, walked in rows. Strides count elements; 0: the operand repeats. */
enum { WALK_OPERANDS = 3 };
struct walk {
    unsigned rank, operands; /* rank >= 1; dimensions that belong together are merged */
    int64_t dims[GRAPH_RANK_MAX + 1], strides[WALK_OPERANDS][GRAPH_RANK_MAX + 1];
    int64_t row, rows;                                    /* length of a row (the innermost dimension); how many there are */
    int64_t index[GRAPH_RANK_MAX + 1], at[WALK_OPERANDS]; /* where the present row begins in each operand */
};
void walk_start(struct walk *walk, const struct shape *result, const struct shape *const *operands, unsigned count);
void walk_start_strided(struct walk *walk, const struct shape *result, const int64_t *const *strides, unsigned count);
void walk_next(struct walk *walk); /* to the next row */
void shape_strides(int64_t *strides, const struct shape *shape);
/* Copies elements of `size` bytes: operand 0 of the walk is the source, operand 1 the destination. */
void walk_copy(struct walk *walk, const char *source, char *destination, unsigned size);

/* One integer (or bool) element, exactly; storing wraps. */
__int128 interp_load_integer(const void *bytes, enum element element, int64_t index);
void interp_store_integer(void *bytes, enum element element, int64_t index, __int128 value);

static inline size_t tensor_bytes(const struct tensor *t)
{
    return (size_t)shape_count(&t->shape) * element_bytes(t->element);
}

#endif
