/* durations.h: how long one instruction takes, by the words of docs/machine.md (T2, T3, T5, T6, T7, F) and not by isa/timing.c. */
#ifndef WEFT_FUZZ_DURATIONS_H
#define WEFT_FUZZ_DURATIONS_H

#include "weft_isa.h"

/* What the clock needs of an instruction, taken when the registers are what it sees. */
struct duration {
    uint64_t cycles; /* products, vector instructions, push_weights */
    uint64_t bytes;  /* transfers, bursts rounded up on the DRAM channel */
    uint64_t shift;  /* fetches: T5 */
};

/* `tile` is the format of the tile that a product works with, `k` its rows. */
enum weft_status duration_of(struct duration *out, const struct weft_machine *m, const struct weft_instr *instr, const struct weft_config *config,
                             enum weft_format tile, unsigned k);

#endif
