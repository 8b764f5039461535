/* front.h: the first layers, a few images at a time. Private to compiler/backend/. */
#ifndef WEFT_COMPILER_FRONT_H
#define WEFT_COMPILER_FRONT_H

#include "waves.h"

void backend_front(struct backend *b); /* decides; after the mappings are known */
bool front_inside(const struct backend *b, const struct layer *layer); /* its result stands in the buffer piece by piece, never whole */
void front_emit(struct backend *b, const struct waves_hooks *hooks); /* layers 0 to b->front.end */
void front_free(struct backend *b);

#endif
