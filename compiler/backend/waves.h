/* waves.h: a batch in two halves, one behind the other. Private to compiler/backend/. */
#ifndef WEFT_COMPILER_WAVES_H
#define WEFT_COMPILER_WAVES_H

#include "backend.h"

/* What goes with a layer: before its first part, and once it is whole. */
struct waves_hooks { void (*before)(struct backend *b, int layer); void (*whole)(struct backend *b, int layer); };

/* lag.c: cycles of a product, whole and in both halves, and of the vector work behind it. */
struct lag_segment { bool splits; double product, halves, vector; };
struct lag_links { double input, output; }; /* cycles of all inputs and outputs over the link */
int lag_choose(const struct lag_segment *segments, int count, struct lag_links links); /* segments between the halves; 0: in one */
double lag_waits(const struct lag_segment *segments, int count, int lag, struct lag_links links); /* cycles that the links add to a run */

double waves_vector_cycles(const struct backend *b, const struct layer *layer); /* of a layer of the vector unit */
double waves_input_cycles(const struct backend *b); /* of all inputs over the link */
bool waves_split(const struct backend *b, const struct layer *layer);
void backend_waves(struct backend *b);  /* decides; after the mappings are known */
double waves_links(const struct backend *b); /* cycles that the links add to all parts of the batch, about; after the buffers have addresses */
void waves_stretch(struct backend *b, const int *lasts); /* lifetimes of the buffers, before they get addresses */
void waves_emit(struct backend *b, const struct waves_hooks *hooks);

#endif
