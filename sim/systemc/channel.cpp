/* channel.cpp: the arithmetic of T1, exact. */
#include "channel.h"

#include <algorithm>
#include <numeric>

namespace twin
{

rate::rate(uint64_t bytes_per_second, uint64_t clock_hz)
{
    uint64_t common = std::gcd(bytes_per_second, clock_hz);
    bytes = bytes_per_second / common;
    cycles = clock_hz / common;
}

bool floor_reached(const rate &r, fine free, uint64_t cycle) { return free < r.at(cycle + 1); }

bool ceiling_reached(const rate &r, fine free, uint64_t cycle, uint64_t delay) { return cycle >= delay && free <= r.at(cycle - delay); }

uint64_t transfer::moved(const rate &r, uint64_t cycle, uint64_t delay) const
{
    if (cycle + 1 < delay)
        return 0;
    fine now = r.at(cycle + 1 - delay);
    if (now >= free)
        return bytes;
    if (now <= begin)
        return 0;
    if (ends.empty())
        return std::min(bytes, static_cast<uint64_t>((now - begin) / r.cycles));
    /* bursts of several device channels may end out of order: a byte counts once all before it are there */
    uint64_t whole = 0;
    while (whole < ends.size() && ends[whole] <= now)
        whole++;
    return whole ? std::min(bytes, whole * burst_bytes) : 0;
}

void advance(transfer &t, const rate &r, scoreboard &board, uint64_t &busy, const uint8_t *source,
             const std::function<void(uint64_t, const uint8_t *, size_t)> &write)
{
    uint64_t now = cycle();
    busy += !t.unit_free;
    if (source) {
        uint64_t left = t.moved(r, now, 0), arrived = t.moved(r, now, t.latency);
        t.wire.insert(t.wire.end(), source + t.left, source + left);
        if (arrived > t.arrived)
            write(t.arrived, t.wire.data() + t.arrived, arrived - t.arrived);
        t.left = left;
        t.arrived = arrived;
    }
    if (!t.unit_free && floor_reached(r, t.free, now + 1)) {
        t.unit_free = true;
        board.complete_next(t.j, scoreboard::UNIT, now + 1);
    }
    if (!t.all_left && ceiling_reached(r, t.free, now + 1, 0)) {
        t.all_left = true;
        board.complete_next(t.j, scoreboard::READS, now + 1);
    }
    if (!t.all_arrived && ceiling_reached(r, t.free, now + 1, t.latency)) {
        t.all_arrived = true;
        board.complete_next(t.j, scoreboard::WRITES, now + 1);
    }
}

} // namespace twin
