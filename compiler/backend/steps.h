/* steps.h: a layer taken apart. Private to compiler/backend/.
 *
 * steps.c keeps the sequence of layers and what stands between them; recipes.c says for each operator which steps make it. */
#ifndef WEFT_COMPILER_STEPS_H
#define WEFT_COMPILER_STEPS_H

#include "backend.h"

struct steps {
    struct backend *b;
    struct layer layer;                /* the one taken apart */
    struct layer *items; int count, room; /* the new sequence */
    int made;                          /* values made for this layer, for their names */
};

struct vector_step step_of(enum weft_opcode op); /* nothing but the operation */
int steps_constant(struct steps *s, float x);
/* A step whose result others read; `format` is f32 or integers that are values themselves. other: GRAPH_NONE for COPY. Constants are worked out now. */
int steps_add(struct steps *s, struct vector_step step, int a, int other, enum weft_format format);
void steps_last(struct steps *s, struct vector_step step, int a, int other); /* into the layer's own result */
int steps_reshape(struct steps *s, int value, const struct shape *shape);    /* the same bytes */
void steps_narrow(struct steps *s, int value);                              /* the low bytes, into the layer's own result */
int steps_reduce(struct steps *s, int value, uint32_t reduced);              /* as the layer does, these dimensions alone, which stay with one element */
void steps_reduce_last(struct steps *s, int value, uint32_t reduced);
bool steps_are_constant(const struct steps *s, int value);
bool steps_uniform(const struct steps *s, int value, double *out); /* a constant, the same everywhere */

enum weft_status recipe_make(struct steps *s);

#endif
