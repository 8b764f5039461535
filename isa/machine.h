/* machine.h: what machine.c and machine_file.c share. Private to isa/. */
#ifndef WEFT_ISA_MACHINE_H
#define WEFT_ISA_MACHINE_H

#include "weft_isa.h"

enum {
    MACHINE_FIELDS = 0
#define WEFT_MACHINE_FIELD(...) + 1
#define WEFT_MACHINE_FLAG(...) + 1
#include "machine.def"
};

struct machine_format {
    const char *name;
    unsigned use; /* enum weft_number_use */
};
enum { MACHINE_FORMATS = 4 };
extern const struct machine_format machine_formats[MACHINE_FORMATS];

/* Reads "256", "24Mi", "true" as the field asks for and checks its bounds. False: *problem says why. */
bool machine_read_value(uint64_t *out, const struct weft_machine_field *field, const char *text, char problem[256]);

#endif
