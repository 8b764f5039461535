/* counterpart.h: was a program made from this network? Private to cli/. */
#ifndef WEFT_CLI_COUNTERPART_H
#define WEFT_CLI_COUNTERPART_H

#include "weft_compiler.h"

struct counterpart {
    const char *subject, *option, *name; /* the program's file; the option that names the network, and the name: for the refusal */
    const struct weft_program *program;
};
/* `made`, for timing only, is what the network gives on the program's machine; an error where the program's layers are not its. */
enum weft_status counterpart_same(const struct counterpart *counterpart, const struct weft_program *made, struct weft_diag *diag);
/* The same of a network that is not compiled yet. */
enum weft_status counterpart_check(const struct counterpart *counterpart, struct weft_network *network, const struct weft_compile_options *options,
                                   struct weft_diag *diag);

#endif
