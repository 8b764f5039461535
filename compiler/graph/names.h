/* names.h: a map from names to numbers. Private to compiler/. */
#ifndef WEFT_COMPILER_NAMES_H
#define WEFT_COMPILER_NAMES_H

#include <stdbool.h>
#include <stddef.h>

struct names { /* all zero: empty */
    struct name_slot {
        char *name;
        int number;
    } * slots;
    size_t room, count;
};

/* The name is copied. False: no memory. */
bool names_set(struct names *names, const char *name, int number);
bool names_find(const struct names *names, const char *name, int *out);
void names_clear(struct names *names);

#endif
