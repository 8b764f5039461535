/* dram.cpp: the DRAM unit. Where the fetch unit starts in the same cycle, it has gone first. */
#include "dram.h"

#include "fetch.h"

namespace twin
{

dram::dram(const sc_core::sc_module_name &module_name, const weft_machine &machine, scoreboard &board, meter &count, memory *cells, memory *buffer)
    : clocked(module_name), board_(board), meter_(count), cells_(cells), buffer_(buffer), channel_(machine), next_(channel_)
{
}

void dram::reset()
{
    channel_.reset(cycle());
    next_ = channel_;
    moving_.clear();
}

void dram::start(const std::shared_ptr<job> &j)
{
    transfer t;
    t.j = j;
    t.bytes = j->instr.bytes;
    uint64_t whole = next_.whole_bursts(t.bytes);
    next_.start(t, cycle(), j->instr.dram, whole);
    board_.start_next(j);
    weft_counters &c = meter_.layer(j->layer);
    if (j->instr.op == WEFT_OP_READ_DRAM)
        c.bytes_dram_read += whole, c.bytes_ub_write += t.bytes;
    else
        c.bytes_dram_write += whole, c.bytes_ub_read += t.bytes;
    if (floor_reached(next_.rates(), t.free, cycle())) {
        t.unit_free = true;
        board_.complete_next(j, scoreboard::UNIT, cycle());
    }
    moving_.push_back(std::move(t));
}

void dram::move(transfer &t)
{
    const weft_instr &i = t.j->instr;
    bool in = i.op == WEFT_OP_READ_DRAM;
    memory *from = in ? cells_ : buffer_, *to = in ? buffer_ : cells_;
    advance(t, channel_.rates(), board_, meter_.layer(t.j->layer).busy_dram, from ? from->at(in ? i.dram : i.ub) : nullptr,
            [&](uint64_t number, const uint8_t *bytes, size_t count) { to->write_next((in ? i.ub : i.dram) + number, bytes, count); });
}

bool dram::starts() const
{
    const dram_channel &left = fetch_->plan().starts.empty() ? channel_ : fetch_->plan().channel;
    return board_.waiting(WEFT_UNIT_DRAM) > 0 && left.can_start(cycle()) && board_.head(WEFT_UNIT_DRAM)->ready();
}

void dram::evaluate()
{
    if (!fetch_->plan().starts.empty())
        next_ = fetch_->plan().channel;
    for (size_t place = 0; place < board_.waiting(WEFT_UNIT_DRAM) && next_.can_start(cycle()); place++) {
        if (!board_.head(WEFT_UNIT_DRAM, place)->ready())
            break;
        start(board_.head(WEFT_UNIT_DRAM, place));
    }
    for (transfer &t : moving_)
        move(t);
    while (!moving_.empty() && moving_.front().all_arrived)
        moving_.pop_front();
}

} // namespace twin
