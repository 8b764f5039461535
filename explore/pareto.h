/* pareto.h: who beats whom. Values are n rows of m numbers; less is better; INFINITY is the worst there is. Private to explore/. */
#ifndef WEFT_EXPLORE_PARETO_H
#define WEFT_EXPLORE_PARETO_H

#include <stdbool.h>
#include <stddef.h>

/* a is nowhere worse than b and somewhere better. */
bool pareto_beats(const double *a, const double *b, size_t m);
/* front[i]: nobody beats row i, and it is all finite. False: out of memory. */
bool pareto_front(bool *front, const double *values, size_t n, size_t m);
/* The indices from the best to the worst: by front (0: beaten by none, 1: by none but front 0, ...), within a front the most
 * lonely first (NSGA-II's crowding distance). False: out of memory. */
bool pareto_order(size_t *order, const double *values, size_t n, size_t m);

#endif
