/* tail.h: the last layers, a few rows at a time. Private to compiler/backend/. */
#ifndef WEFT_COMPILER_TAIL_H
#define WEFT_COMPILER_TAIL_H

#include "waves.h"

void backend_tail(struct backend *b); /* decides; in place of allocate_buffers for a network that fits */
void tail_emit(struct backend *b, const struct waves_hooks *hooks); /* layers b->tail.first to the last */

#endif
