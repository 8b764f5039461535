/* fuzz.h: random programs, what the engines must agree on, and the shrinking of a program on which they do not. */
#ifndef WEFT_FUZZ_H
#define WEFT_FUZZ_H

#include "weft_sim.h"

/* --- generate.c: the same seed makes the same machine, memories and instructions on every host ---------------------------- */

struct fuzz_random { uint64_t state; }; /* splitmix64 */
uint64_t fuzz_next(struct fuzz_random *random);
uint64_t fuzz_below(struct fuzz_random *random, uint64_t count); /* 0 .. count - 1; count at least 1 */

/* A program on a machine of mostly 1 x 1 to 32 x 32 cells: 5 to 200 instructions and a halt. Its UB is loaded by its own read_host, so
 * the program says all. Nearly all programs are valid; a few end in an instruction that may be a fault. Freed with weft_program_free. */
enum weft_status fuzz_generate(struct weft_program **out, uint64_t seed);

/* --- compare.c ------------------------------------------------------------------------------------------------------------- */

struct fuzz_verdict {
    bool agree;
    bool faulted;   /* both engines, alike */
    char why[2048]; /* the first difference */
    struct weft_counters counters; /* of the fast engine, where the run ended well */
};

/* Runs `program` on the reference and on the fast engine (whole, stepped, and for timing only) and compares: status and message, every byte of
 * every memory, the counters that need no clock; the times of every instruction and the counters of time against clock.h; and the sums of the
 * counters and the order of events. */
typedef enum weft_status fuzz_comparison(struct fuzz_verdict *out, const struct weft_program *program);
fuzz_comparison fuzz_compare;

/* twin.c: the fast engine and the clocked twin: status and message, every byte, every counter, every time. `why` names the first instruction
 * that departs, with both views. */
fuzz_comparison fuzz_compare_twin;

/* Inputs of a compiled program: small numbers of every format. */
void fuzz_write_inputs(struct weft_sim *sim, const struct weft_program *program);

/* --- shrink.c -------------------------------------------------------------------------------------------------------------- */

/* Drops instructions from `program` while the engines still disagree on it. */
enum weft_status fuzz_shrink(struct weft_program *program, fuzz_comparison *compare);

/* Writes PREFIX.weft (the program) and PREFIX.txt (what differs, the machine, the instructions). */
enum weft_status fuzz_store(const struct weft_program *program, const char *prefix, const char *why, struct weft_diag *diag);

#endif
