/* element.h: one element in memory as a number, and back. Private to compiler/. */
#ifndef WEFT_COMPILER_ELEMENT_H
#define WEFT_COMPILER_ELEMENT_H

#include "graph.h"

/* Exact for all types but 64-bit integers beyond 2^53. Memory need not be aligned. */
double element_load(const void *bytes, enum element element, int64_t index);
/* Floats round to nearest even; integers truncate towards zero and saturate; NaN becomes 0. */
void element_store(void *bytes, enum element element, int64_t index, double value);
bool element_is_float(enum element element);
bool element_is_called(enum element element, const char *numpy); /* NumPy has no bfloat16: its bits come as uint16 */

#endif
