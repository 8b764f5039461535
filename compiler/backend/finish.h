/* finish.h: from the backend's layers to a program file's contents. Private to compiler/. */
#ifndef WEFT_COMPILER_FINISH_H
#define WEFT_COMPILER_FINISH_H

#include "backend.h"

/* Emits all layers, places the weight fetches, and describes inputs, outputs, layers and probes. */
enum weft_status backend_finish(struct weft_program **out, struct backend *b);

void finish_note(struct backend *b, int layer, int64_t first, int64_t count); /* a layer's result is there: `count` inferences of it, or (0) all */

/* reads.c */
void reads_plan(struct backend *b, const uint64_t *input_host, int64_t part); /* of a part of the batch; nothing is emitted yet */
void reads_ahead(struct backend *b, int layer);                                /* constants, in front of a layer */
void reads_operands(struct backend *b, const struct layer *layer);
void reads_rest(struct backend *b);
uint64_t geometry_span(const struct geometry *g); /* bytes from a value's first element to the end of its last image: what the host holds of it */
uint64_t host_address(const struct backend *b, int value, uint64_t host, int64_t part); /* of a part of the batch; `host`: of the first */

/* writes.c */
void writes_value(struct backend *b, unsigned output); /* of the part of the batch being emitted */
void writes_part(struct backend *b, const struct layer *layer);
void writes_state(struct backend *b, const struct layer *layer); /* of a layer that is whole */

void writes_beside(struct backend *b, const struct layer *layer); /* rows that leave while a layer runs */
void writes_rest(struct backend *b);                              /* and all others that are owed */

/* brought.c */
uint64_t brought_bytes(struct backend *b, uint64_t first, uint64_t end); /* of host memory from `first` to before `end`, each counted once */

/* describe.c */
enum weft_status backend_describe(struct weft_program *program, struct backend *b, const uint64_t *input_host, const uint64_t *output_host);

#endif
