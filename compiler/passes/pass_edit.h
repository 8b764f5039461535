/* pass_edit.h: small changes of a graph that several passes make. Private to compiler/.
 *
 * Node ids stay valid within a pass: nodes are only marked dead, and the runner sweeps after it.
 */
#ifndef WEFT_COMPILER_PASS_EDIT_H
#define WEFT_COMPILER_PASS_EDIT_H

#include "graph.h"

struct node *edit_producer(const struct graph *graph, int value); /* the living node that makes it, or NULL */
bool edit_only_reader(const struct graph *graph, int value);      /* is it read once, and not by the world outside? */
void edit_kill(struct graph *graph, struct node *node);           /* dead; its outputs have no producer */
/* `node` passes input `value` on unchanged: its readers now read `value`. A network output keeps its name: then the node that
 * makes `value` makes the output instead. False, and nothing done, where neither can be. */
bool edit_bypass(struct graph *graph, struct node *node, int value);
/* `maker`'s only output becomes what `node`, which dies, makes now. */
void edit_take_output(struct graph *graph, struct node *maker, struct node *node);
/* True where the constant is known to hold `number` in every element; never makes contents that a rule stands for. */
bool edit_is_all(struct graph *graph, int value, double number);
/* Has it one number a channel, in a shape that broadcasts along the last axis? One number without dimensions serves one channel. */
bool edit_is_per_channel(const struct shape *shape, int64_t channels);
/* May its contents be looked at? No where they are absent, or would have to be made while the graph is for timing only. */
bool edit_is_known(const struct graph *graph, int value);
/* A constant of NAME/SUFFIX; bytes NULL: absent. The id, or GRAPH_NONE: no memory. */
int edit_constant(struct graph *graph, const char *name, const char *suffix, enum element element, const struct shape *shape,
                  const void *bytes);
/* A node whose inputs are all constants goes, and its output becomes a constant (pass_fold.c). */
enum weft_status edit_fold(struct graph *graph, struct node *node, struct weft_diag *diag);

#endif
