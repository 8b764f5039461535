/* lost_sums.h: a check of compiled programs that needs no run. For tests. */
#ifndef WEFT_TESTS_LOST_SUMS_H
#define WEFT_TESTS_LOST_SUMS_H

#include "weft_isa.h"

/* How many accumulator rows a product overwrites, or leaves behind at the end, that no activation has read. No engine can tell: each does what the program says. */
size_t lost_sums(const struct weft_program *program);

#endif
