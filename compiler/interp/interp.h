/* interp.h: the float interpreter: what a core operator means, on the host, in fp32 (integers exactly). Private to compiler/.
 * Serves calibration, --check and constant folding. */
#ifndef WEFT_COMPILER_INTERP_H
#define WEFT_COMPILER_INTERP_H

#include "graph.h"

struct tensor { enum element element; struct shape shape; void *bytes; }; /* C order */

/* Executes one node. `inputs` may hold NULL for inputs left out; `outputs` have element, shape and room. */
enum weft_status interp_node(const struct node *node, const struct tensor *const *inputs, struct tensor *const *outputs, struct weft_diag *diag);

/* Runs the whole graph on the inputs given (tensors in order of graph->inputs). `visit` sees every value that a node makes
 * (and each graph input) as soon as it is there; values are freed after their last use unless `keep`. */
struct interp_run { struct tensor *values; /* by value id; bytes NULL where not kept */ int count; };
enum weft_status interp_graph(struct interp_run *out, struct graph *graph, const struct tensor *inputs, bool keep,
                              void (*visit)(void *user, int value, const struct tensor *tensor), void *user, struct weft_diag *diag);
void interp_free(struct interp_run *run);

/* The input of a seed, `count` elements of it from `first` on: what `weft run` makes without -i, and the first that random calibration sees. */
void interp_random_input(void *bytes, enum element element, int64_t first, int64_t count, const char *name, uint64_t seed, uint64_t below /* of integers; 0: any */);

#endif
