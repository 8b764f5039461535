/* dram.h: the DRAM channel, which the fetch unit and the DRAM unit share, and the DRAM unit. */
#ifndef WEFT_TWIN_DRAM_H
#define WEFT_TWIN_DRAM_H

#include <deque>
#include <vector>

#include "channel.h"
#include "clocked.h"
#include "memory.h"
#include "meter.h"
#include "scoreboard.h"

namespace twin
{

class fetch;

/* The state of the channel: until when it is busy and, in detail, rows and refreshes. A value: it may be copied to ask what would be. */
class dram_channel
{
  public:
    explicit dram_channel(const weft_machine &machine);
    void reset(uint64_t now); /* as the machine is in cycle 0, if that is `now` */
    bool can_start(uint64_t now) const { return floor_reached(rate_, free_, now); }
    /* The transfer's begin, free, latency and ends, for `bytes` (whole bursts) from `address` on. */
    void start(transfer &t, uint64_t now, uint64_t address, uint64_t bytes);
    const rate &rates() const { return rate_; }
    uint64_t whole_bursts(uint64_t bytes) const { return (bytes + burst_ - 1) / burst_ * burst_; }

  private:
    struct bank {
        bool open = false;
        uint64_t row = 0;
        fine activated = 0, last_slot = 0;
    };
    struct device {
        fine end = 0, over = 0, due = 0, activated = 0;
        bool any_activation = false;
        std::vector<bank> banks;
    };
    fine burst(device &d, uint64_t number, fine begin);
    void refresh(device &d, fine turn);
    void open_row(device &d, bank &b, uint64_t row, fine begin);

    rate rate_;
    uint64_t burst_, latency_;
    bool detailed_;
    uint64_t row_bursts_ = 1, bank_count_ = 1;
    fine slot_ = 0, trcd_ = 0, trp_ = 0, tras_ = 0, trrd_ = 0, trfc_ = 0, trefi_ = 0;
    std::vector<device> devices_;
    fine free_ = 0;
};

class dram : public clocked
{
  public:
    dram(const sc_core::sc_module_name &module_name, const weft_machine &machine, scoreboard &board, meter &count, memory *cells, memory *buffer);
    void bind(const fetch &priority) { fetch_ = &priority; }
    void reset() override;

    const dram_channel &channel() const { return channel_; }
    const memory *cells() const { return cells_; }
    bool starts() const; /* a wire: the DRAM unit starts a transfer in this cycle */

  private:
    void evaluate() override;
    void commit() override { channel_ = next_; }
    void start(const std::shared_ptr<job> &j);
    void move(transfer &t);

    scoreboard &board_;
    meter &meter_;
    memory *cells_, *buffer_;
    const fetch *fetch_ = nullptr;
    dram_channel channel_, next_;
    std::deque<transfer> moving_;
};

} // namespace twin

#endif
