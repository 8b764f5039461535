/* fast_dram.h: the DRAM of docs/machine.md, plain (T1) or in detail. Private to the fast engine.
 *
 *     fast_dram_create(&dram, machine)
 *     start no transfer before fast_channel_floor(&dram.bus); then fast_dram_move moves dram.bus, whose floor and ceiling are
 *     the times of T1; what is written is complete dram.latency later
 *     fast_dram_free(&dram)
 */
#ifndef WEFT_FAST_DRAM_H
#define WEFT_FAST_DRAM_H

#include "fast_channel.h"

typedef unsigned __int128 fast_parts; /* a time in the detailed model: multiples of 1 / rate.bytes cycle */

struct fast_bank {
    uint64_t row, epoch; /* open, if the epoch is the lane's */
    fast_parts act, end; /* its activation; the end of the last slot of this bank's bursts */
};

/* One channel of the device. An epoch lasts from one refresh to the next: a new one closes every row at once. */
struct fast_lane {
    struct fast_bank *banks;
    uint64_t epoch; /* from 1 */
    bool activated; /* ever: `last` is an activation */
    fast_parts last, end, due, over;
};

struct fast_dram {
    struct fast_channel bus;
    uint64_t latency; /* from the ceiling of the bus to what is written */
    struct fast_lane *lanes; /* NULL: the plain model */
    uint64_t lane_count, bank_count, row_bursts, burst_bytes;
    fast_parts slot, trcd, trp, tras, trrd, trfc, trefi;
};

enum weft_status fast_dram_create(struct fast_dram *out, const struct weft_machine *machine);
void fast_dram_free(struct fast_dram *dram);

/* A transfer of whole bursts that starts at `start`. False: beyond all time. */
bool fast_dram_move(struct fast_dram *dram, uint64_t start, uint64_t address, uint64_t bytes);

#endif
