/* debug.h: the state of `weft debug` and its parts. Private to cli/. */
#ifndef WEFT_CLI_DEBUG_H
#define WEFT_CLI_DEBUG_H

#include <stdio.h>
#include "weft_sim.h"

enum { DEBUG_BREAKS_MAX = 64, DEBUG_WORDS_MAX = 6 };

enum break_kind { BREAK_INSTRUCTION, BREAK_LAYER, BREAK_WRITE };
struct breakpoint {
    enum break_kind kind;
    enum weft_space space;
    uint64_t at; /* instruction, layer, address */
};

struct debug {
    const struct weft_program *program;
    struct weft_sim *sim;
    struct weft_order order; /* follows the simulation, to know what each instruction will write */
    struct breakpoint breaks[DEBUG_BREAKS_MAX];
    size_t break_count;
    bool done, failed, quit;
    size_t line, wrong, wrong_line; /* of the session: where it is; commands that could not be done, and the line of the first */
    struct weft_diag *diag;
    FILE *out;
};

enum weft_status debug_init(struct debug *out, const struct weft_program *program, struct weft_sim *sim, FILE *to, struct weft_diag *diag);
void debug_free(struct debug *debug);
/* Says why a command cannot be done, and counts it. */
void debug_wrong(struct debug *debug, const char *format, ...) __attribute__((format(printf, 2, 3)));
void debug_command(struct debug *debug, char *line); /* one line of the user's (debug_commands.c) */

void debug_list(struct debug *debug, size_t first, size_t count);
void debug_run(struct debug *debug, uint64_t steps); /* until a break, halt, a fault, or so many steps */
/* Prints memory (debug_print.c). False: said what is wrong. */
bool debug_print(struct debug *debug, enum weft_space space, uint64_t address, uint64_t count, enum weft_format format);
void debug_registers(struct debug *debug, const char *prefix);

#endif
