/* import.h: front ends to graph. Private to compiler/. */
#ifndef WEFT_COMPILER_IMPORT_H
#define WEFT_COMPILER_IMPORT_H

#include "graph.h"
#include "weft_compiler.h"

/* Reads the file, inlines functions, resolves open dimensions, infers shapes, folds what is constant, and lowers every
 * ONNX node to core operators. The graph that comes back is sorted and verified. */
enum weft_status import_network(struct graph **out, const char *path, const struct weft_compile_options *options, struct weft_diag *diag);

#endif
