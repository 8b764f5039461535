/* qdq.h: what the files of the pass over quantised networks share (pass_qdq.c). Private to compiler/passes/. */
#ifndef WEFT_COMPILER_QDQ_H
#define WEFT_COMPILER_QDQ_H

#include "graph.h"

double qdq_entry(struct graph *graph, int value, int64_t channel); /* of one number a channel, or one in all */
bool qdq_is_constant(const struct graph *graph, int value);
bool qdq_is_scalar(const struct graph *graph, const struct node *node); /* one scale and zero point, known now */
struct node *qdq_dequantize_of(const struct graph *graph, int value);   /* that makes it, or NULL */
/* A node whose only output is new, or `out` where that is given. Its output's id, or GRAPH_NONE. */
int qdq_add_node(struct graph *graph, enum core_op op, const struct node *like, const char *suffix, const int *inputs, unsigned count, enum element element,
                 const struct shape *shape, int out);
enum weft_status qdq_arrange(struct graph *graph, struct weft_diag *diag); /* qdq_arrange.c, in front of the rest of the pass */

#endif
