/* fuse.h: what the files of fusion share. Private to compiler/backend/. */
#ifndef WEFT_COMPILER_FUSE_H
#define WEFT_COMPILER_FUSE_H

#include "backend.h"

struct layer *fuse_add(struct backend *b, enum layer_kind kind, int node); /* a new layer of the node's operands; NULL: no memory */
enum weft_status fuse_simple(struct backend *b, int node, enum layer_kind kind, bool *taken, bool with_function);
enum weft_status fuse_refuse(struct backend *b, int node, const char *why);
/* fuse_behind.c; `taken`: nodes that are part of a layer already */
int fuse_only_reader(const struct backend *b, int value); /* the one node that reads it; GRAPH_NONE: more do, or it is an output */
bool fuse_per_channel(const struct shape *c, const struct shape *y, unsigned axis);
bool fuse_made_before(const struct graph *graph, int value, int node);
void fuse_function(struct backend *b, struct layer *layer, bool *taken);
void fuse_behind(struct backend *b, struct layer *layer, bool *taken);
void fuse_clamp(struct backend *b, struct layer *layer, bool *taken);
bool fuse_table(struct backend *b, int node, bool *taken);
/* fuse_matrix.c */
enum weft_status fuse_conv(struct backend *b, int node, bool *taken);
enum weft_status fuse_gemm(struct backend *b, int node, bool *taken);
enum weft_status fuse_product(struct backend *b, int node, bool *taken);
/* fuse_vector.c */
enum weft_status fuse_steps(struct backend *b, int node);
bool fuse_fills_buffer(const struct backend *b, const struct shape *x); /* does it take more than half of it? */
enum weft_status fuse_reduce(struct backend *b, int node);
enum weft_status fuse_pool(struct backend *b, int node, bool *taken);
enum weft_status fuse_conversion(struct backend *b, int node);
enum weft_status fuse_gather(struct backend *b, int node);

#endif
