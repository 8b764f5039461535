/* fast_kernels.h: the fast engine's inner loops over contiguous lanes. Private to the fast engine.
 *
 * Plain C that compilers turn into vector code, compiled for several instruction sets and chosen at load time. Each gives the
 * bits that isa/numbers.c gives: one IEEE operation after another, never fused. Byte pointers need no alignment.
 */
#ifndef WEFT_FAST_KERNELS_H
#define WEFT_FAST_KERNELS_H

#include "weft_isa.h"

/* x' of an operand: (float)(x - zero) x mul, or x x mul for floats. */
void kernel_load(float *out, const uint8_t *in, size_t n, enum weft_format format, int32_t zero, float mul);
/* Elements as they are: integers as s32, floats as f32. */
void kernel_load_integers(int32_t *out, const uint8_t *in, size_t n, enum weft_format format);
void kernel_load_floats(float *out, const uint8_t *in, size_t n, enum weft_format format);
/* (float)(x - zero) x mul, x x mul. */
void kernel_scale_integers(float *out, const int32_t *in, size_t n, int32_t zero, float mul);
void kernel_scale_floats(float *out, const float *in, size_t n, float mul);

/* ACC lanes with bias and scale a lane. */
void kernel_dequantise(float *out, const int32_t *acc, const int32_t *bias, const float *scale, size_t n);
void kernel_dequantise_floats(float *out, const float *acc, const float *bias, const float *scale, size_t n);

/* out = out op b. MAX and MIN: a NaN on either side gives NaN. */
enum kernel_binary { KERNEL_ADD, KERNEL_SUB, KERNEL_MUL, KERNEL_DIV, KERNEL_MAX, KERNEL_MIN };
void kernel_combine(float *out, const float *b, size_t n, enum kernel_binary op);
void kernel_combine_integers(int32_t *out, const int32_t *b, size_t n, enum weft_reduction op); /* sum modulo 2^32; not squares */
void kernel_squares(float *x, size_t n);

void kernel_apply(float *x, size_t n, enum weft_function function, float alpha); /* all but `table` */

/* f x mul, then as weft_requantise and the format's own range. */
struct kernel_range { int32_t zero, low, high, format_low, format_high; };
void kernel_requantise(int32_t *out, const float *f, size_t n, float mul, const struct kernel_range *range);
void kernel_store_integers(uint8_t *out, const int32_t *in, size_t n, enum weft_format format);
void kernel_store_floats(uint8_t *out, const float *in, size_t n, enum weft_format format);

/* Products of a strip of KERNEL_STRIP columns: sums[r][c] = sum over k of a[r][k] x w[k][c], in order of k. */
enum { KERNEL_STRIP = 64, KERNEL_ROWS = 4 };
void kernel_products(uint32_t sums[KERNEL_ROWS][KERNEL_STRIP], const uint32_t *a, const uint32_t *w, size_t k);
void kernel_products_floats(float sums[KERNEL_ROWS][KERNEL_STRIP], const float *a, const float *w, size_t k);

bool kernel_any(const uint8_t *bytes, size_t n); /* is one not zero? */

#endif
