/* fast_gemm.h: products of matrices, exact. Private to the fast engine.
 *
 * 8-bit products go to oneDNN where this host's oneDNN is exact (its CPU has instructions that do not saturate, and a product
 * that would show it proves so); everything else, and every host without it, goes through plain loops. oneDNN is looked
 * for when the first product needs it, so a run without values never loads it. WEFT_GEMM=plain in the environment turns
 * it off. It gets one thread unless OMP_NUM_THREADS says otherwise.
 */
#ifndef WEFT_FAST_GEMM_H
#define WEFT_FAST_GEMM_H

#include "weft_isa.h"

struct gemm;

enum weft_status gemm_create(struct gemm **out);
void gemm_free(struct gemm *gemm);
bool gemm_uses_library(struct gemm *gemm); /* for 8-bit activations and s8 weights, on this host */

/* One product: sums[m][n] = (or, with accumulate, +=) sum over k of a[m][k] x w[k][n]. Row strides in elements. Integers are
 * summed modulo 2^32; bf16 in order of k, one rounding an addition, into fp32. */
struct gemm_product {
    enum weft_format a_format, w_format;
    size_t m, n, k;
    const uint8_t *a; size_t a_stride;
    const uint8_t *w; size_t w_stride;
    uint8_t *sums; size_t sums_stride;
    bool accumulate;
};
enum weft_status gemm_multiply(struct gemm *gemm, const struct gemm_product *product);

#endif
