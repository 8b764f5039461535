/* check.h: a run beside the float network. Private to cli/. */
#ifndef WEFT_CLI_CHECK_H
#define WEFT_CLI_CHECK_H

#include "weft_compiler.h"
#include "weft_report.h"
#include "weft_sim.h"

struct check {
    struct weft_accuracy *items;
    size_t count;
    char **names; /* those that are not the program's */
    size_t name_count;
};
/* Interprets the network on the inputs, steps the simulation to its end, and compares each probe of the program while it lies whole, and
 * each output as the host has it. Values whose names the network does not have, and those of which a part never came, are counted in
 * *missing. `subject` is the program's name, for messages. */
enum weft_status check_run(struct check *out, size_t *missing, const char *subject, struct weft_sim *sim, const struct weft_program *program,
                           struct weft_network *network, const struct weft_arrays *inputs, struct weft_diag *diag);
void check_free(struct check *check);

#endif
