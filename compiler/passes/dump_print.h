/* dump_print.h: names, numbers and constants of a dump. Private to compiler/. */
#ifndef WEFT_COMPILER_DUMP_PRINT_H
#define WEFT_COMPILER_DUMP_PRINT_H

#include "graph.h"
#include "names.h"

#include <stdio.h>

struct dump {
    const struct graph *graph;
    FILE *out;
    const char **raw;   /* names by value id; NULL: nobody reads the value */
    struct names taken; /* of values and of the constants that this file makes; they lie in `made` */
    char **made;
    size_t made_count;
    bool no_memory;
};

struct dump_type {
    const char *name;
    int number; /* of TensorProto.DataType */
};
extern const struct dump_type dump_types[]; /* by element */

/* Notes a name that nobody has yet: `name` itself, or with a number. NULL: no memory. `made` frees it. */
const char *dump_unique(struct dump *d, const char *name);
void dump_name(struct dump *d, const char *name);   /* between quotes where it must be */
void dump_result(struct dump *d, const char *name); /* the head of a node's line */
void dump_dims(struct dump *d, const int64_t *dims, unsigned count);
void dump_type(struct dump *d, const struct value *value);
void dump_real(struct dump *d, double number, int digits);
/* Constants in front of a node whose first output, or in front of a constant which, is `value`. */
const char *dump_ints(struct dump *d, int value, const char *suffix, const int64_t *ints, unsigned count);
const char *dump_scalar(struct dump *d, int value, const char *suffix, enum element element, double number);
void dump_constant(struct dump *d, int value);
/* A node of one or two operands (b NULL), in front of one whose first output is `value`; the name of what it makes. */
const char *dump_part(struct dump *d, int value, const char *suffix, const char *operator_name, const char *a, const char *b);

#endif
