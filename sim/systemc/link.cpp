/* link.cpp: starts transfers in order, as many in a cycle as the channel's fraction allows, and moves their bytes. */
#include "link.h"

#include <algorithm>

namespace twin
{

link::link(const sc_core::sc_module_name &module_name, weft_unit unit, const rate &r, uint64_t latency, scoreboard &board, meter &count,
           memory *from, memory *to)
    : clocked(module_name), unit_(unit), rate_(r), latency_(latency), board_(board), meter_(count), from_(from), to_(to)
{
}

void link::start(const std::shared_ptr<job> &j)
{
    transfer t;
    t.j = j;
    t.started = cycle();
    t.latency = latency_;
    t.bytes = j->instr.bytes;
    t.begin = std::max(rate_.at(cycle()), next_free_);
    t.free = next_free_ = t.begin + fine(t.bytes) * rate_.cycles;
    board_.start_next(j);
    weft_counters &c = meter_.layer(j->layer);
    if (unit_ == WEFT_UNIT_HOST_IN)
        c.bytes_link_in += t.bytes, c.bytes_ub_write += t.bytes;
    else
        c.bytes_link_out += t.bytes, c.bytes_ub_read += t.bytes;
    if (floor_reached(rate_, t.free, cycle())) { /* less than a cycle: the unit is free for one more */
        t.unit_free = true;
        board_.complete_next(j, scoreboard::UNIT, cycle());
    }
    moving_.push_back(std::move(t));
}

void link::move(transfer &t)
{
    bool in = unit_ == WEFT_UNIT_HOST_IN;
    uint64_t source = in ? t.j->instr.host : t.j->instr.ub, destination = in ? t.j->instr.ub : t.j->instr.host;
    weft_counters &c = meter_.layer(t.j->layer);
    advance(t, rate_, board_, in ? c.busy_host_in : c.busy_host_out, from_ ? from_->at(source) : nullptr,
            [&](uint64_t number, const uint8_t *bytes, size_t count) { to_->write_next(destination + number, bytes, count); });
}

bool link::starts() const
{
    return board_.waiting(unit_) > 0 && floor_reached(rate_, free_, cycle()) && board_.head(unit_)->ready();
}

void link::evaluate()
{
    for (size_t place = 0; place < board_.waiting(unit_) && floor_reached(rate_, next_free_, cycle()); place++) {
        if (!board_.head(unit_, place)->ready())
            break;
        start(board_.head(unit_, place));
    }
    for (transfer &t : moving_)
        move(t);
    while (!moving_.empty() && moving_.front().all_arrived)
        moving_.pop_front();
}

} // namespace twin
