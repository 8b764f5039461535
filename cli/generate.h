/* generate.h: weft run --steps. Private to cli/. */
#ifndef WEFT_CLI_GENERATE_H
#define WEFT_CLI_GENERATE_H

#include "run.h"

enum weft_status generate_all(struct run_options *options, struct weft_diag *diag);

#endif
