/* clock.h: the times of docs/machine.md, cycle by cycle and with no cleverness: what the fast engine's clock is held against. */
#ifndef WEFT_FUZZ_CLOCK_H
#define WEFT_FUZZ_CLOCK_H

#include "weft_sim.h"

#define FUZZ_NEVER UINT64_MAX

struct fuzz_time {
    enum weft_unit unit;
    uint64_t dispatched, start, end, reads_done, writes_done; /* FUZZ_NEVER: not yet */
};

/* `times` has one for each instruction up to the halt, `layers` one for each layer (at least one): cycles, class_*, busy_* and peak_fifo
 * are written. The program must run without a fault. */
enum weft_status fuzz_clock(struct fuzz_time *times, struct weft_counters *layers, const struct weft_program *program);

#endif
