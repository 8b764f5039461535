/* array.h: K x N cells, each with an active and a shadow weight, a register for the activation that goes right and one for the sum that
 * goes down.
 *
 *       lane 0 ->  [ (0,0) ] -> [ (0,1) ] -> ...          a wave that enters in cycle t is in cell (k, n) in cycle t + k + n;
 *                      |            |                     lane k is held back k cycles in front of the array
 *       lane 1 ->  [ (1,0) ] -> [ (1,1) ] -> ...
 *                      |            |
 *                  to the accumulators, column n: cycle t + K + n
 *
 * Weights shift in from above through the shadow plane, one byte a cycle and column, column n being n cycles behind column 0. With a
 * product that takes a tile a front goes through the cells, as a wave does, in which the planes change places.
 */
#ifndef WEFT_TWIN_ARRAY_H
#define WEFT_TWIN_ARRAY_H

#include <deque>
#include <memory>
#include <vector>

#include "clocked.h"
#include "job.h"

namespace twin
{

struct tile {
    uint32_t k = 0, n = 0;
    weft_format format = WEFT_FORMAT_u8;
    std::vector<uint8_t> bytes; /* row-major, packed; empty where no values are kept */
};

/* One pass of one row on its way through the array. A row of 16-bit numbers is several passes, one for each pair of bytes. */
struct wave {
    bool valid = false;
    std::shared_ptr<job> product;
    uint32_t acc_row = 0;
    bool overwrite = false, last = false; /* last: of its product */
    bool high_weights = false, floats = false;
    uint8_t shift = 0; /* how many bits the sum is worth more */
};

class array : public clocked
{
  public:
    array(const sc_core::sc_module_name &module_name, const weft_machine &machine, bool values);

    void reset() override;

    /* Committed: the sum that leaves column n, and whose it is. */
    uint32_t bottom(uint64_t n) const { return sums_[(rows_ - 1) * columns_ + n]; }
    const wave &leaving(uint64_t n) const { return waves_[(head_ + rows_ + n - 1) % waves_.size()]; }
    uint64_t in_flight() const { return in_flight_; }
    uint64_t fronts() const { return fronts_.size(); }
    uint64_t front_age() const { return fronts_.empty() ? 0 : fronts_.back().age; } /* of the youngest: cells with k + n = age changed last */
    uint64_t shifts() const { return shifts_.size(); }

    /* Rising edge. `lanes`: the activations of the wave, K of them, 0 beyond the tile's rows. */
    void enter_next(const wave &w, const std::vector<int16_t> &lanes);
    void swap_next(weft_format format);
    void shift_next(const std::shared_ptr<const tile> &t);

    /* For tests: the active weight of a cell, low and high part. */
    int16_t active(uint64_t k, uint64_t n, bool high) const { return (high ? high_ : low_)[k * columns_ + n]; }

  private:
    void evaluate() override {}
    void commit() override;
    void swap_cells();
    void shift_cells();
    void enter_lanes();
    void multiply();
    bool idle() const { return in_flight_ == 0 && fronts_.empty() && shifts_.empty() && !entering_.valid; }
    void age_waves();

    struct front {
        uint64_t age;
        weft_format format;
    };
    struct shift {
        std::shared_ptr<const tile> weights;
        uint64_t age;
    };

    uint64_t rows_, columns_;
    bool values_;
    std::vector<int16_t> low_, high_;  /* active plane: a weight of 8 bits or its low byte, or the bits of a bf16; the high byte of an s16 */
    std::vector<uint8_t> shadow_;      /* 2 K byte rows: weight k stands in row k, or in rows 2k and 2k + 1 */
    std::vector<uint32_t> sums_;       /* of cell (k, n), integer or the bits of a float */
    std::vector<int16_t> activations_; /* rows of `pitch_`, in which cell (k, n) has number `left_ + n` */
    uint64_t pitch_, left_;
    std::vector<std::vector<int16_t>> skew_; /* the last K waves' lanes, by cycle mod K */
    std::vector<wave> waves_;                /* by age: a ring of K + N - 1, youngest at head_ */
    uint64_t head_ = 0, in_flight_ = 0, step_ = 0;
    std::vector<int16_t> takes_high_; /* by age: all ones where the wave there meets the high weights */
    std::vector<uint32_t> is_float_;  /* the same of floats */
    std::deque<front> fronts_;
    std::deque<shift> shifts_;

    /* next */
    std::vector<front> new_fronts_;
    std::vector<shift> new_shifts_;
    wave entering_;
    std::vector<int16_t> entering_lanes_;
};

/* All that the machine has, by number. */
using arrays = std::vector<std::unique_ptr<array>>;

/* One row of cells: sum = above + activation x weight. array_cells.cpp; `above` and `out` do not overlap. */
struct cell_row {
    uint32_t *out;
    const uint32_t *above;
    const int16_t *activation, *low, *high;
    const int16_t *takes_high;
    const uint32_t *is_float;
    uint64_t columns;
};
void integer_cells(const cell_row &r);       /* every wave meets the low weights */
void part_cells(const cell_row &r);          /* integers of low and high parts */
void float_cells(const cell_row &r);         /* bf16 */
void mixed_cells(const cell_row &r);         /* all of it */

} // namespace twin

#endif
