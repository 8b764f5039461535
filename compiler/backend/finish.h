/* finish.h: from the backend's layers to a program file's contents. Private to compiler/. */
#ifndef WEFT_COMPILER_FINISH_H
#define WEFT_COMPILER_FINISH_H

#include "backend.h"

/* Emits all layers, places the weight fetches, and describes inputs, outputs, layers and probes. */
enum weft_status backend_finish(struct weft_program **out, struct backend *b);

/* describe.c */
enum weft_status backend_describe(struct weft_program *program, struct backend *b, const uint64_t *input_host, const uint64_t *output_host,
                                  const size_t *done_at);

#endif
