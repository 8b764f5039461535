/* fast_vector.h: the vector unit's scratch, shared by its two files. Private to the fast engine.
 *
 *     fast_vector.c   operands into lanes of floats, results out of them, instruction by instruction
 *     fast_pool.c     windows: `pool`, `reduce`, and the ACC rows of `activate`
 *
 * An instruction is computed a block of rows at a time: as many as fill BLOCK_LANES, or a single one where its
 * destination overlaps what it reads, so that rows are read and written one after the other.
 */
#ifndef WEFT_FAST_VECTOR_H
#define WEFT_FAST_VECTOR_H

#include "fast_kernels.h"
#include "fast_values.h"

enum { BLOCK_LANES = 2048 };

struct fast_vector {
    struct fast_rows a, b, d;
    size_t room;      /* lanes of each of the following */
    float *x, *y;     /* operands and result */
    int32_t *q, *p;   /* integers on their way */
    int32_t *bias;    /* per lane of a block */
    float *scale;
};

/* One instruction under way. */
struct vector_job {
    struct fast_vector *v;
    const struct weft_instr *instr;
    const struct weft_config *config;
    uint8_t *ub;
    const uint8_t *acc;
    size_t columns; /* of an ACC row */
    bool careful;   /* the destination overlaps what is read */
};

/* Reduces the windows of `rows` rows, by v->a, into v->x: scaled, before the function. */
void vector_pool(struct vector_job *job, size_t rows);
/* The same along lanes, one result a row. */
void vector_reduce(struct vector_job *job, size_t rows);
/* ACC rows first.. (counted from the instruction's first), or their windows, into v->q (s32, or the bits of f32). */
void vector_acc(struct vector_job *job, size_t first, size_t rows);

#endif
