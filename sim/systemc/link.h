/* link.h: the host link in one direction: unit and channel. */
#ifndef WEFT_TWIN_LINK_H
#define WEFT_TWIN_LINK_H

#include <deque>

#include "channel.h"
#include "clocked.h"
#include "memory.h"
#include "meter.h"
#include "scoreboard.h"

namespace twin
{

class link : public clocked
{
  public:
    /* `from` and `to` are NULL where no values are kept. */
    link(const sc_core::sc_module_name &module_name, weft_unit unit, const rate &r, uint64_t latency, scoreboard &board, meter &count,
         memory *from, memory *to);

    void reset() override { free_ = next_free_ = rate_.at(cycle()), moving_.clear(); }
    bool starts() const; /* a wire: a transfer starts in this cycle */

  private:
    void evaluate() override;
    void commit() override { free_ = next_free_; }
    void start(const std::shared_ptr<job> &j);
    void move(transfer &t);

    weft_unit unit_;
    rate rate_;
    uint64_t latency_;
    scoreboard &board_;
    meter &meter_;
    memory *from_, *to_;
    fine free_ = 0, next_free_ = 0;
    std::deque<transfer> moving_;
};

} // namespace twin

#endif
