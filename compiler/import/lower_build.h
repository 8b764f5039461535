/* lower_build.h: operators that become several core operators are written with these. Private to compiler/.
 *
 * Each takes values and gives the value of one core node (a folded constant where all inputs are), or LOWER_POISON, which
 * every function here hands on, so that a whole expression is written first and looked at once, by lower_done.
 */
#ifndef WEFT_COMPILER_LOWER_BUILD_H
#define WEFT_COMPILER_LOWER_BUILD_H

#include "lower.h"

struct shape build_shape(const struct lower *l, int x); /* no dimensions for LOWER_POISON */
enum element build_element(const struct lower *l, int x);
bool build_is_constant(const struct lower *l, int x);
/* Bools of a matrix: where column less row is at least the diagonal (upper), or at most. lower_place.c */
int build_triangle(struct lower *l, int64_t rows, int64_t columns, int64_t diagonal, bool upper);
bool build_leads_to_constant(const struct lower *l, int x); /* the passes make it one, if it is none yet: dequantized weights stay nodes until then */

/* Element by element; `build_with` has a number as its second operand, `build_from` as its first. */
int build_unary(struct lower *l, enum core_op op, int x);
int build_binary(struct lower *l, enum core_op op, int a, int b);
int build_with(struct lower *l, enum core_op op, int x, double number);
int build_from(struct lower *l, enum core_op op, double number, int x);
int build_clip(struct lower *l, int x, float low, float high);
int build_silu(struct lower *l, int x, float alpha); /* x sigmoid(alpha x) */
int build_cast(struct lower *l, int x, enum element to);
int build_not(struct lower *l, int x); /* of a number: is it 0? */
int build_where(struct lower *l, int condition, int a, int b);

/* Places. Dimensions are counted from the front. */
int build_reshape(struct lower *l, int x, unsigned rank, const int64_t *dims);
int build_transpose(struct lower *l, int x, const int64_t *perm);
int build_swap(struct lower *l, int x, unsigned a, unsigned b); /* two dimensions change places */
int build_slice(struct lower *l, int x, unsigned axis, int64_t begin, int64_t end, int64_t step); /* step at least 1 */
int build_pad(struct lower *l, int x, const int64_t *begins, const int64_t *ends, float value); /* negative amounts crop; none: x */
int build_concat(struct lower *l, const int *values, unsigned count, unsigned axis);            /* any count */
int build_gather(struct lower *l, int x, unsigned axis, int indices);
int build_places(struct lower *l, int x, unsigned axis, const int64_t *places, int64_t count); /* gather at constant places */
int build_expand(struct lower *l, int x, const struct shape *shape);
int build_repeat(struct lower *l, int x, unsigned axis, int64_t times); /* each index of the axis so many times in a row */
int build_ints(struct lower *l, const int64_t *numbers, int64_t count);
int build_count_up(struct lower *l, enum element element, int64_t count); /* 0, 1, ... */

int build_reduce(struct lower *l, enum core_op op, int x, const bool axes[GRAPH_RANK_MAX], bool keep); /* no axes: x */
int build_turn_round(struct lower *l, int x); /* in the opposite order: -x, or what integers have that cannot overflow */
int build_reduce_min(struct lower *l, int x, const bool axes[GRAPH_RANK_MAX], bool keep);
int build_softmax(struct lower *l, int x, unsigned axis);
int build_matmul(struct lower *l, int a, int b); /* both of two dimensions at least */
/* x w^T + bias, all in one product; x [m, k], w [n, k], bias [n] or GRAPH_NONE. */
int build_linear(struct lower *l, int x, int w, int bias);

/* lower_volume.c: conv, qconv or conv_integer of any count of spatial dimensions; input w_at holds the weights */
int build_convolution(struct lower *l, enum core_op op, const int *inputs, unsigned count, unsigned w_at, const struct attributes *at,
                      enum element element, const struct shape *out);

/* lower_norm.c */
int build_log_sum_exp(struct lower *l, int x, const bool *axes); /* dimensions kept */

/* lower_activation.c */
int build_hard_sigmoid(struct lower *l, int x, double alpha, double beta);
int build_elu(struct lower *l, int x, double alpha);
int build_softplus(struct lower *l, int x);
int build_softsign(struct lower *l, int x);
int build_thresholded_relu(struct lower *l, int x, double alpha);

#endif
