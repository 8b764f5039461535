/* channel.h: a bandwidth (T1) and the transfers on it. Times on a channel are whole multiples of 1/B cycle. */
#ifndef WEFT_TWIN_CHANNEL_H
#define WEFT_TWIN_CHANNEL_H

#include <functional>
#include <memory>
#include <vector>

#include "scoreboard.h"

namespace twin
{

__extension__ typedef unsigned __int128 fine; /* 1/B cycle */

struct rate {
    uint64_t bytes, cycles; /* B : C, reduced */
    rate(uint64_t bytes_per_second, uint64_t clock_hz);
    fine at(uint64_t cycle) const { return fine(cycle) * bytes; }
};

/* One transfer under way. A byte leaves when the channel has moved it and arrives `latency` cycles later. */
struct transfer {
    std::shared_ptr<job> j;
    fine begin = 0, free = 0;
    uint64_t started = 0, latency = 0;
    uint64_t bytes = 0;                       /* of data; the padding of the last burst is none */
    std::vector<fine> ends;                   /* of each burst, where they are timed apart */
    uint64_t burst_bytes = 0;
    uint64_t left = 0, arrived = 0;           /* bytes so far */
    bool unit_free = false, all_left = false, all_arrived = false;
    std::vector<uint8_t> wire;                /* bytes that have left, by number; empty where no values are kept */

    /* Bytes moved by the end of `cycle`, as if the channel began `delay` cycles later. */
    uint64_t moved(const rate &r, uint64_t cycle, uint64_t delay) const;
};

/* What a transfer does in the present cycle: bytes leave `source` (NULL: no values are kept) and arrive with `write(number, bytes, count)`;
 * the scoreboard hears what is complete from the next cycle on; `busy` counts the cycle, if the unit is not free of the transfer in it. */
void advance(transfer &t, const rate &r, scoreboard &board, uint64_t &busy, const uint8_t *source,
             const std::function<void(uint64_t, const uint8_t *, size_t)> &write);

/* Whether floor(free) <= cycle, and ceil(free) + delay <= cycle. */
bool floor_reached(const rate &r, fine free, uint64_t cycle);
bool ceiling_reached(const rate &r, fine free, uint64_t cycle, uint64_t delay);

} // namespace twin

#endif
