/* import.h: front ends to graph. Private to compiler/. */
#ifndef WEFT_COMPILER_IMPORT_H
#define WEFT_COMPILER_IMPORT_H

#include "graph.h"
#include "weft_compiler.h"

/* Reads the file, inlines functions, resolves open dimensions, infers shapes, folds what is constant, and lowers every
 * ONNX node to core operators. The graph that comes back is sorted and verified. */
enum weft_status import_network(struct graph **out, const char *path, const struct weft_compile_options *options, struct weft_diag *diag);
/* The same; but where nodes were refused, which was said, *whole is false and *out is what could be lowered, so that the machine's
 * own refusals can be named in the same run. */
enum weft_status import_what_can(struct graph **out, bool *whole, const char *path, const struct weft_compile_options *options,
                                 struct weft_diag *diag);
/* sizes.c: refuses what a host could not hold when values are computed. */
enum weft_status import_sizes(const struct graph *graph, const char *path, struct weft_diag *diag);

#endif
