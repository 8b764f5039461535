/* what_if.h: weft run --what-if. Private to cli/. */
#ifndef WEFT_CLI_WHAT_IF_H
#define WEFT_CLI_WHAT_IF_H

#include "cli.h"
#include "weft_report.h"

/* Compiles the network for the program's machine and for each machine of weft_what_if_machine, runs them for timing, and says how much faster each is.
 * A machine that cannot be compiled for is a row with its reason. An error where the network is not the one that the program (in the file
 * `subject`; NULL: it was compiled from it just now) was made from: its layers are others. */
enum weft_status what_if_all(struct weft_what_if rows[WEFT_WHAT_IFS], const char *network, const char *subject, const struct weft_program *program,
                             const struct weft_compile_options *options, struct weft_diag *diag);

#endif
