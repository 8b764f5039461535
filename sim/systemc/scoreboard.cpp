/* scoreboard.cpp: queues, starts and completions come into effect at the falling edge. */
#include "scoreboard.h"

#include <algorithm>

namespace twin
{

scoreboard::scoreboard(const sc_core::sc_module_name &module_name, uint64_t queue_depth) : clocked(module_name), depth_(queue_depth) {}

void scoreboard::reset()
{
    for (auto &queue : queues_)
        queue.clear();
    for (auto &order : order_)
        order.clear();
    flying_.clear();
    dispatched_.clear();
    started_.clear();
    completed_.clear();
}

bool scoreboard::occupied(weft_unit unit) const
{
    return std::any_of(order_[unit].begin(), order_[unit].end(), [](const std::shared_ptr<job> &j) { return j->started && !j->unit_free; });
}

void scoreboard::commit()
{
    for (const started &s : started_) {
        s.j->start = s.at;
        s.j->started = true;
        s.j->hazards.clear();
        queues_[s.j->unit].pop_front();
    }
    started_.clear();
    for (const completed &c : completed_) {
        switch (c.part) {
        case READS: c.j->reads_complete = true, c.j->reads_at = c.at; break;
        case WRITES: c.j->writes_complete = true, c.j->writes_at = c.at; break;
        case UNIT: c.j->unit_free = true, c.j->end = c.at; break;
        }
    }
    if (!completed_.empty())
        retire();
    completed_.clear();
    for (const std::shared_ptr<job> &j : dispatched_) {
        queues_[j->unit].push_back(j);
        order_[j->unit].push_back(j);
        flying_.push_back(j);
    }
    dispatched_.clear();
}

/* Complete ones leave; they are told of in program order within a unit. */
void scoreboard::retire()
{
    flying_.erase(std::remove_if(flying_.begin(), flying_.end(), [](const std::shared_ptr<job> &j) { return j->complete(); }), flying_.end());
    for (auto &order : order_)
        while (!order.empty() && order.front()->complete()) {
            if (on_complete)
                on_complete(*order.front());
            order.pop_front();
        }
}

} // namespace twin
