/* fuse.h: what fuse.c and fuse_vector.c share. Private to compiler/backend/. */
#ifndef WEFT_COMPILER_FUSE_H
#define WEFT_COMPILER_FUSE_H

#include "backend.h"

struct layer *fuse_add(struct backend *b, enum layer_kind kind, int node); /* a new layer of the node's operands; NULL: no memory */
enum weft_status fuse_refuse(struct backend *b, int node, const char *why);
enum weft_status fuse_steps(struct backend *b, int node);
enum weft_status fuse_reduce(struct backend *b, int node);
enum weft_status fuse_conversion(struct backend *b, int node);
enum weft_status fuse_gather(struct backend *b, int node);

#endif
