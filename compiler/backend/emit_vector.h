/* emit_vector.h: what the emitters of the vector unit share. Private to compiler/backend/. Patterns: D, A and B of these layers; p0 to p2
 * belong to the products, between which a pool may be fed. */
#ifndef WEFT_COMPILER_EMIT_VECTOR_H
#define WEFT_COMPILER_EMIT_VECTOR_H

#include "emit.h"

enum { D = 3, A = 4, B = 5, LANES_MAX = 65535, RAW = -1 };

/* A row a line: loop0 over lines, loop1 over images, lanes over (pixel, channel) of extents `y`. */
struct weft_pattern vector_lines(uint64_t base, const struct geometry *y, struct strides4 s, int64_t element);
/* A row a pixel. */
struct weft_pattern vector_pixels(uint64_t base, const struct geometry *g);
struct strides4 vector_strides(const struct geometry *g);
/* v.out and v.clamp for a value without a function. */
void vector_result(struct backend *b, int value, float scale);
/* `bytes` bytes of elements with these low bits at each of `count` rows. */
void vector_fill(struct backend *b, uint64_t base, const struct weft_pattern *rows, uint64_t count, uint64_t bytes, enum weft_format format, int32_t value);
/* One instruction with d, a, b at their patterns; both operands in `from`. */
struct weft_instr *vector_op(struct backend *b, enum weft_opcode op, int64_t first, int64_t rows, int64_t lane, int64_t lanes, enum weft_format from,
                             enum weft_format to);
/* One operation over rows and all lanes of a line, in as many instructions as the lanes need. func: an enum weft_function, or RAW. */
void vector_over_lanes(struct backend *b, enum weft_opcode op, int64_t first, int64_t rows, int64_t lanes, enum weft_format from, enum weft_format from_b,
                       enum weft_format to, int func);

/* --- any rank (vector_nd.c) ---------------------------------------------------------------------------------------------- */

/* Element (i0, i1, ...) of a box lies at `at` + sum of i_d x strides[d] bytes; it enters as (x - zero) x mul. */
struct vector_view { uint64_t at; enum weft_format format; float mul; int32_t zero; int64_t strides[GRAPH_RANK_MAX]; };
struct vector_box { unsigned rank; int64_t dims[GRAPH_RANK_MAX]; };
struct vector_call { enum weft_opcode op; int func /* or RAW */; enum weft_reduction reduce /* of a pool */; };
/* d = a op c over the box (c NULL: no second operand), in as few and as long instructions as patterns allow. The caller has set v.out, v.clamp,
 * v.alpha and v.table, and the windows of a pool. */
void vector_nd(struct backend *b, const struct vector_call *call, const struct vector_box *box, const struct vector_view *d, const struct vector_view *a,
               const struct vector_view *c);
/* Rows of each part of an instruction of so many cycles: what waits for the first rows need not wait for the last. */
int64_t vector_piece(int64_t rows, int64_t cycles);
/* d = reduction of x over the dimensions `reduced` of the box; v.out and v.clamp are set. At most two runs of dimensions, or what lanes hold. */
void vector_nd_reduce(struct backend *b, const struct vector_box *box, const bool *reduced, const struct vector_view *d, const struct vector_view *x,
                   enum weft_reduction how);
double vector_nd_cycles(const struct backend *b, const struct vector_box *box, const struct vector_view *d, const struct vector_view *a); /* of one window */
/* A value as an operand or the result of something of y's shape: dimensions aligned from the right, broadcast ones with stride 0. Reals enter
 * as what they stand for, the network's own integers as they are. Constants lie where params.c put them for the layer. */
void vector_view_part(const struct backend *b, struct vector_view *view, const struct shape *shape);
struct vector_view vector_view_of(const struct backend *b, const struct layer *layer, int value, const struct shape *y);
struct vector_box vector_box_of(const struct backend *b, const struct shape *shape); /* of the part of the batch that is being emitted */

#endif
