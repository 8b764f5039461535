/* narrow.h: a layer that does a few inferences of the batch. Private to compiler/backend/. */
#ifndef WEFT_COMPILER_NARROW_H
#define WEFT_COMPILER_NARROW_H

#include "backend.h"

enum { NARROW_VALUES = 4 + NODE_INPUTS_MAX };

bool narrow_takes(const struct backend *b, const struct layer *layer); /* can it do a few inferences like any other batch? */
void narrow_value(struct backend *b, int value, int64_t count, int64_t shift /* inferences by which its place moves */);
void widen_value(struct backend *b, int value, int64_t shift);
void narrow_layer(struct backend *b, const struct layer *layer, int64_t first, int64_t count); /* all its values, until widen_layer */
void widen_layer(struct backend *b, const struct layer *layer);

#endif
