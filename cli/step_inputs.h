/* step_inputs.h: what one step of `weft run --steps` is given. Private to cli/. */
#ifndef WEFT_CLI_STEP_INPUTS_H
#define WEFT_CLI_STEP_INPUTS_H

#include "weft_isa.h"

struct step {
    struct weft_diag *diag;
    const char *file;                /* its network, for messages */
    const struct weft_arrays *given; /* what the prompt was read with, matched; empty: it was made up */
    uint64_t prompt, sequences;      /* tokens of the prompt; side by side */
    const int64_t *tokens;           /* to read, one a sequence */
    size_t number;                   /* of the step, from 0 */
};

/* Arrays for the program's inputs: the tokens, their positions (names with "position") and what is seen (names with "mask"). Free with weft_arrays_free,
 * also after an error. */
enum weft_status step_inputs(struct weft_arrays *out, const struct step *step, const struct weft_program *program);

#endif
