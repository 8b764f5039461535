/* fast_channel.h: a bandwidth in exact fractions of a cycle (T1 of docs/machine.md). Private to the fast engine. */
#ifndef WEFT_FAST_CHANNEL_H
#define WEFT_FAST_CHANNEL_H

#include "weft_isa.h"

enum { FAST_TIME_BITS = 62 }; /* a run that needs a later cycle is refused, so sums of times never overflow */

struct fast_channel {
    struct weft_rate rate;
    uint64_t whole, part; /* free at whole + part / rate.bytes */
};

static inline uint64_t fast_channel_floor(const struct fast_channel *channel) { return channel->whole; }
static inline uint64_t fast_channel_ceil(const struct fast_channel *channel) { return channel->whole + (channel->part != 0); }

/* A transfer that starts at `start`: moves `free` on. False: beyond all time. */
static inline bool fast_channel_move(struct fast_channel *channel, uint64_t start, uint64_t bytes)
{
    if (channel->whole < start) {
        channel->whole = start;
        channel->part = 0;
    }
    unsigned __int128 parts = (unsigned __int128)bytes * channel->rate.cycles + channel->part;
    unsigned __int128 cycles;
    if (parts >> 64) {
        cycles = parts / channel->rate.bytes;
        channel->part = (uint64_t)(parts % channel->rate.bytes);
    } else { /* the 64-bit division is several times faster */
        cycles = (uint64_t)parts / channel->rate.bytes;
        channel->part = (uint64_t)parts % channel->rate.bytes;
    }
    if ((cycles + channel->whole) >> FAST_TIME_BITS) return false;
    channel->whole += (uint64_t)cycles;
    return true;
}

#endif
