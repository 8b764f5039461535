/* dram_channel.cpp: a bandwidth and a latency, or channels, banks, rows and refreshes (docs/machine.md, DRAM in detail). */
#include "dram.h"

#include <algorithm>

namespace twin
{

namespace
{

/* T8: whole cycles, rounded up; here in units of 1/B cycle */
fine from_ps(uint64_t ps, uint64_t clock_hz, const rate &r)
{
    const fine trillion = UINT64_C(1000000000000);
    return (fine(ps) * clock_hz + trillion - 1) / trillion * r.bytes;
}

} // namespace

dram_channel::dram_channel(const weft_machine &m)
    : rate_(m.dram_bytes_per_second, m.clock_hz), burst_(m.dram_burst_bytes), latency_(m.dram_latency), detailed_(m.dram_detailed)
{
    if (!detailed_)
        return;
    uint64_t hz = m.clock_hz;
    latency_ += static_cast<uint64_t>(from_ps(m.dram_tcl_ps, hz, rate_) / rate_.bytes);
    row_bursts_ = std::max(UINT64_C(1), m.dram_row_bytes / burst_);
    bank_count_ = m.dram_banks;
    slot_ = fine(burst_) * m.dram_channels * rate_.cycles;
    trcd_ = from_ps(m.dram_trcd_ps, hz, rate_);
    trp_ = from_ps(m.dram_trp_ps, hz, rate_);
    tras_ = from_ps(m.dram_tras_ps, hz, rate_);
    trrd_ = from_ps(m.dram_trrd_ps, hz, rate_);
    trfc_ = from_ps(m.dram_trfc_ps, hz, rate_);
    trefi_ = from_ps(m.dram_trefi_ps, hz, rate_);
    devices_.resize(m.dram_channels);
    reset(0);
}

void dram_channel::reset(uint64_t now)
{
    free_ = rate_.at(now);
    for (device &d : devices_) {
        d = device();
        d.end = d.over = rate_.at(now);
        d.due = rate_.at(now) + trefi_;
        d.banks.resize(bank_count_);
    }
}

void dram_channel::start(transfer &t, uint64_t now, uint64_t address, uint64_t bytes)
{
    t.started = now;
    t.latency = latency_;
    t.begin = std::max(rate_.at(now), free_);
    if (!detailed_) {
        t.free = free_ = t.begin + fine(bytes) * rate_.cycles;
        return;
    }
    t.burst_bytes = burst_;
    free_ = 0;
    for (uint64_t x = address / burst_, count = bytes / burst_; count > 0; x++, count--) {
        device &d = devices_[x % devices_.size()];
        t.ends.push_back(burst(d, x / devices_.size(), t.begin));
        free_ = std::max(free_, t.ends.back());
    }
    t.free = free_;
}

/* Burst `number` of a device channel in a transfer that begins at `begin`; when its slot ends. */
fine dram_channel::burst(device &d, uint64_t number, fine begin)
{
    fine turn = std::max(d.end, begin);
    refresh(d, turn);
    bank &b = d.banks[number / row_bursts_ % bank_count_];
    open_row(d, b, number / row_bursts_ / bank_count_, begin);
    d.end = b.last_slot = std::max(turn, b.activated + trcd_) + slot_;
    return d.end;
}

void dram_channel::refresh(device &d, fine turn)
{
    if (trefi_ == 0 || d.due > turn)
        return;
    fine last = d.due + (turn - d.due) / trefi_ * trefi_;
    d.over = std::max(last, d.end) + trfc_;
    for (bank &b : d.banks)
        b.open = false;
    d.due = last + trefi_;
}

void dram_channel::open_row(device &d, bank &b, uint64_t row, fine begin)
{
    if (b.open && b.row == row)
        return;
    fine ready = std::max(begin, d.over);
    if (b.open)
        ready = std::max({ready, b.activated + tras_, b.last_slot}) + trp_;
    if (d.any_activation)
        ready = std::max(ready, d.activated + trrd_);
    b.open = true;
    b.row = row;
    b.activated = d.activated = ready;
    d.any_activation = true;
}

} // namespace twin
