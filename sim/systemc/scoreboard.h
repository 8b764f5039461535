/* scoreboard.h: the queues in front of the units, and every instruction that is not yet complete. */
#ifndef WEFT_TWIN_SCOREBOARD_H
#define WEFT_TWIN_SCOREBOARD_H

#include <deque>
#include <functional>

#include "clocked.h"
#include "job.h"

namespace twin
{

class scoreboard : public clocked
{
  public:
    enum what { READS, WRITES, UNIT };

    scoreboard(const sc_core::sc_module_name &module_name, uint64_t queue_depth);

    /* Committed state. An entry of a queue is held until the cycle behind the instruction's start. */
    void reset() override;
    size_t waiting(weft_unit unit) const { return queues_[unit].size(); }
    const std::shared_ptr<job> &head(weft_unit unit, size_t place = 0) const { return queues_[unit][place]; }
    bool room(weft_unit unit) const { return queues_[unit].size() < depth_; }
    bool occupied(weft_unit unit) const; /* by an instruction that started in an earlier cycle */
    bool idle() const { return flying_.empty(); }
    const std::deque<std::shared_ptr<job>> &flying() const { return flying_; }

    /* Rising edge: what comes into effect at the next falling one. */
    void dispatch_next(const std::shared_ptr<job> &j) { dispatched_.push_back(j); }
    void start_next(const std::shared_ptr<job> &j) { started_.push_back({j, cycle()}); } /* the oldest of its queue not yet started */
    void complete_next(const std::shared_ptr<job> &j, what part, uint64_t at) { completed_.push_back({j, part, at}); }

    std::function<void(const job &)> on_complete; /* in program order within a unit */

  private:
    void evaluate() override {}
    void commit() override;
    void retire();

    struct started {
        std::shared_ptr<job> j;
        uint64_t at;
    };
    struct completed {
        std::shared_ptr<job> j;
        what part;
        uint64_t at;
    };
    uint64_t depth_;
    std::deque<std::shared_ptr<job>> queues_[WEFT_UNITS], order_[WEFT_UNITS], flying_;
    std::vector<std::shared_ptr<job>> dispatched_;
    std::vector<started> started_;
    std::vector<completed> completed_;
};

} // namespace twin

#endif
