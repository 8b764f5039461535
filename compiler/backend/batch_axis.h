/* batch_axis.h: where in each value the inferences of the batch stand. Private to compiler/backend/. */
#ifndef WEFT_COMPILER_BATCH_AXIS_H
#define WEFT_COMPILER_BATCH_AXIS_H

#include "graph.h"

enum { BATCH_NONE = -1, BATCH_MIXED = -2 };

struct batch_axis { int axis; int64_t inner; /* elements of that dimension to an inference */ };

/* By value id, the caller's: the dimension that counts the inferences (the first of every input), or BATCH_NONE: the same for all of them. NULL: some node
 * mixes inferences, an output does not have them outermost, or there is no memory. The graph's nodes are in order. */
struct batch_axis *batch_axes(struct graph *graph, int64_t batch);

#endif
