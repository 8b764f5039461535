/* dims.h: --dim NAME=N, the sizes of dimensions that a network's inputs leave open. Private to compiler/import/. */
#ifndef WEFT_IMPORT_DIMS_H
#define WEFT_IMPORT_DIMS_H

#include "model.h"
#include "weft_compiler.h"

enum { DIMS_EXAMPLE = 4 }; /* a size that stands in messages for any */

/* The size that --dim gives a dimension of this name. False: none, or it has no name. */
bool dims_find(const struct weft_compile_options *options, const char *name, int64_t *out);
/* Is each --dim one of the network's, and none at odds with --batch? Returns how many are not; what is wrong was said. */
size_t dims_check(const Onnx__GraphProto *graph, const struct weft_compile_options *options, const char *path, struct weft_diag *diag);

#endif
