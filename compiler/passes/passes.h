/* passes.h: the passes, in the order in which they run. Private to compiler/. Each is one file pass_NAME.c and one function:
 * graph in, graph out. */
#ifndef WEFT_COMPILER_PASSES_H
#define WEFT_COMPILER_PASSES_H

#include "graph.h"

enum weft_status pass_fold(struct graph *graph, struct weft_diag *diag);       /* nodes whose inputs are all constants */
enum weft_status pass_identity(struct graph *graph, struct weft_diag *diag);   /* nodes that change nothing (reshape to the same shape, add 0, pad 0) */
enum weft_status pass_qdq(struct graph *graph, struct weft_diag *diag);        /* dequantize, multiply, quantize into the integer operator */
enum weft_status pass_batchnorm(struct graph *graph, struct weft_diag *diag);  /* batch normalisation into the convolution or gemm before it, or to mul and add */
enum weft_status pass_activation(struct graph *graph, struct weft_diag *diag); /* silu, gelu, sigmoid and rsqrt written in several nodes, into one */
enum weft_status pass_squares(struct graph *graph, struct weft_diag *diag);    /* sums and means of squares into one reduction */
enum weft_status pass_pad(struct graph *graph, struct weft_diag *diag);        /* pad into the convolution or pool behind it */
enum weft_status pass_zeros(struct graph *graph, struct weft_diag *diag);     /* computed zero points of integer products into the product */
enum weft_status pass_stack(struct graph *graph, struct weft_diag *diag);     /* a product with a stack of constant matrices into one product each */

enum weft_status pass_hoist(struct graph *graph, struct weft_diag *diag);     /* sums of two computed values right behind the later of them */

struct pass { const char *name; enum weft_status (*run)(struct graph *graph, struct weft_diag *diag); const char *meaning; };
extern const struct pass pass_table[]; /* ends with a NULL name; passes.c */
enum weft_status passes_run(struct graph *graph, const char *dump_after, void *dump_file, struct weft_diag *diag); /* verifies after each */
enum weft_status graph_dump(const struct graph *graph, void *file); /* ONNX text; dump.c; `file` is a FILE */

#endif
