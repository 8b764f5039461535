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
          memory *buffer, const arrays &cells);
    void bind(const matrix &products) { matrix_ = &products; }
    void reset() override;

    uint64_t whole() const { return whole_; }     /* tiles that have become whole so far */
    uint64_t shifted() const { return shifted_; } /* tiles whose shift is over */
    bool in_place(uint64_t number) const { return number < entries_.size() && entries_[number].in_place; } /* whether that tile's is */
    unsigned slots() const { return slots_; }     /* held */
    bool shifting(size_t number) const { return chains_[number].left > 0; } /* into that array */
    const plan_of_cycle &plan() const; /* a wire */
    void tell(job &product) const;     /* the times of the tile that it has taken */

  private:
    void evaluate() override;
    void commit() override;

    /* A tile, by its number in order of fetches. Its weights are dropped when the array has them. */
    struct entry {
        std::shared_ptr<tile> weights;
        bool arrived = false, in_place = false;
        uint64_t whole = 0, shift_start = 0, shift_end = 0;
    };
    /* The shift chain of an array. */
    struct chain {
        uint64_t left = 0, left_next = 0; /* cycles of the shift under way */
        uint64_t number = 0;              /* of its tile */
        bool ends = false;                /* with this cycle */
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
    void begin_shifts();
    void shift_step();

    const weft_machine &machine_;
    scoreboard &board_;
    meter &meter_;
    const dram &dram_;
    memory *buffer_;
    const arrays &arrays_;
    const matrix *matrix_ = nullptr;

    /* committed */
    uint64_t whole_ = 0, shifted_ = 0, begun_ = 0, given_back_ = 0; /* tiles: whole, shifted, that have begun to, whose slot is free again */
    std::vector<chain> chains_;
    unsigned slots_ = 0;
    bool pushing_ = false;
    fine own_free_ = 0; /* of the last read_weights */

    /* next */
    uint64_t begun_next_ = 0;
    unsigned slots_next_ = 0;
    bool pushing_next_ = false;
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
