/* dispatch.h: fetches, decodes and checks one instruction a cycle, and hands it to its unit's queue. */
#ifndef WEFT_TWIN_DISPATCH_H
#define WEFT_TWIN_DISPATCH_H

#include <deque>
#include <functional>

#include "meter.h"
#include "scoreboard.h"

extern "C" {
#include "engine.h"
}

namespace twin
{

class dispatch : public clocked
{
  public:
    dispatch(const sc_core::sc_module_name &module_name, scoreboard &board, meter &count);

    void load(weft_sim &sim); /* a program from its beginning, from the next rising edge on */

    bool halted() const { return halted_; }
    bool faulted() const { return faulted_; }
    const std::string &message() const { return message_; }
    uint32_t layer() const { return sim_->layer; }
    size_t position() const { return sim_->position; }

    std::function<void(const job &)> on_control; /* an instruction that has no unit */
    std::function<void()> on_end;                /* halt or fault, at the falling edge */

  private:
    void evaluate() override;
    void commit() override;
    void fetch_and_decode();
    bool may_dispatch() const;
    void take_tile();
    void take_effect();
    void stop_at_fault(const char *message, const issue &at);

    weft_sim *sim_ = nullptr; /* registers, tag and position live there: the frame reads them */
    scoreboard &board_;
    meter &meter_;
    std::shared_ptr<job> next_; /* decoded and checked, not dispatched yet */
    bool dispatched_ = false, halted_ = true, faulted_ = false;
    std::string message_;

    /* tiles in order of fetches, and which one the next product works with */
    struct shape {
        uint32_t k, n;
        weft_format format;
    };
    std::deque<shape> tiles_;
    shape active_ = {0, 0, WEFT_FORMAT_u8};
    uint64_t taken_ = 0;
};

} // namespace twin

#endif
