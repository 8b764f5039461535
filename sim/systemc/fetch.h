/* fetch.h: the fetch unit, the weight FIFO, and who shifts when (docs/machine.md, F and S). */
#ifndef WEFT_TWIN_FETCH_H
#define WEFT_TWIN_FETCH_H

#include <deque>

#include "array.h"
#include "dram.h"

namespace twin
{

class matrix;

class fetch : public clocked
{
  public:
    /* What the unit starts in this cycle, and the DRAM channel behind it. */
    struct planned {
        std::shared_ptr<job> j;
        transfer t; /* of a read_weights */
    };
    struct plan_of_cycle {
        std::vector<planned> starts;
        dram_channel channel;
    };

    fetch(const sc_core::sc_module_name &module_name, const weft_machine &machine, scoreboard &board, meter &count, const dram &device,
          memory *buffer, array &cells);
    void bind(const matrix &products) { matrix_ = &products; }
    void reset() override;

    uint64_t whole() const { return whole_; }     /* tiles that have become whole so far */
    uint64_t shifted() const { return shifted_; } /* tiles whose shift is over */
    unsigned slots() const { return slots_; }     /* held */
    bool shifting() const { return shift_left_ > 0; }
    const plan_of_cycle &plan() const; /* a wire */
    void tell(job &product) const;     /* the times of the tile that it has taken */

  private:
    void evaluate() override;
    void commit() override;

    /* A tile, by its number in order of fetches. Its weights are dropped when the array has them. */
    struct entry {
        std::shared_ptr<tile> weights;
        bool arrived = false;
        uint64_t whole = 0, shift_start = 0, shift_end = 0;
    };
    /* A push_weights under way: one pattern row after the other, each in some cycles. */
    struct push {
        std::shared_ptr<job> j;
        uint64_t row = 0, cycle_of_row = 0;
    };

    void make_plan() const;
    void start(const planned &p);
    void append(const std::shared_ptr<job> &j);
    void push_step();
    void read_row();
    void shift_step();

    const weft_machine &machine_;
    scoreboard &board_;
    meter &meter_;
    const dram &dram_;
    memory *buffer_;
    array &array_;
    const matrix *matrix_ = nullptr;

    /* committed */
    uint64_t whole_ = 0, shifted_ = 0, begun_ = 0, shift_left_ = 0;
    unsigned slots_ = 0;
    bool pushing_ = false;
    fine own_free_ = 0; /* of the last read_weights */

    /* next */
    uint64_t begun_next_ = 0, shift_left_next_ = 0;
    unsigned slots_next_ = 0;
    bool pushing_next_ = false, shift_ends_ = false;
    fine own_free_next_ = 0;

    /* seen by nobody else */
    std::vector<entry> entries_;
    struct moving {
        transfer t;
        uint64_t number;
    };
    std::deque<moving> moving_;
    push push_;
    uint64_t push_number_ = 0;

    mutable plan_of_cycle plan_;
    mutable uint64_t planned_at_ = UINT64_MAX;
};

} // namespace twin

#endif
