/* accumulators.h: the ACC rows, below the arrays: each column's sum is added, or put, in the cycle after it leaves the last cell. */
#ifndef WEFT_TWIN_ACCUMULATORS_H
#define WEFT_TWIN_ACCUMULATORS_H

#include <vector>

#include "array.h"
#include "scoreboard.h"

namespace twin
{

class accumulators : public clocked
{
  public:
    accumulators(const sc_core::sc_module_name &module_name, const weft_machine &machine, scoreboard &board, const arrays &cells);

    void bind(uint8_t *bytes) { bytes_ = bytes; } /* NULL: no values are kept */
    void reset() override { arrivals_.clear(); }

    const uint8_t *at(uint64_t row, uint64_t lane) const { return bytes_ + (row * columns_ + lane) * 4; }

  private:
    void evaluate() override;
    void commit() override;
    void take_sums(const array &cells);

    struct arrival {
        uint64_t place; /* of a lane */
        uint32_t sum;
        bool overwrite, floats;
        uint8_t shift;
    };
    uint64_t columns_;
    scoreboard &board_;
    const arrays &arrays_;
    uint8_t *bytes_ = nullptr;
    std::vector<arrival> arrivals_;
};

} // namespace twin

#endif
