/* accumulators.cpp */
#include "accumulators.h"

#include <cstring>

namespace twin
{

accumulators::accumulators(const sc_core::sc_module_name &module_name, const weft_machine &machine, scoreboard &board, const arrays &cells)
    : clocked(module_name), columns_(machine.columns), board_(board), arrays_(cells)
{
}

void accumulators::evaluate()
{
    for (const std::unique_ptr<array> &cells : arrays_)
        if (cells->in_flight() > 0)
            take_sums(*cells);
}

void accumulators::take_sums(const array &cells)
{
    for (uint64_t n = 0; n < columns_; n++) {
        const wave &w = cells.leaving(n);
        if (!w.valid)
            continue;
        if (bytes_ && n < w.product->tile_n)
            arrivals_.push_back({w.acc_row * columns_ + n, cells.bottom(n), w.overwrite, w.floats, w.shift});
        if (w.last && n + 1 == columns_)
            board_.complete_next(w.product, scoreboard::WRITES, cycle() + 1);
    }
}

void accumulators::commit()
{
    for (const arrival &a : arrivals_) {
        uint8_t *lane = bytes_ + a.place * 4;
        if (a.floats) {
            float sum;
            std::memcpy(&sum, &a.sum, sizeof sum);
            weft_store_float(lane, WEFT_FORMAT_f32, a.overwrite ? sum : weft_load_float(lane, WEFT_FORMAT_f32) + sum);
        } else {
            uint32_t sum = a.sum << a.shift;
            if (!a.overwrite)
                sum += static_cast<uint32_t>(weft_load_integer(lane, WEFT_FORMAT_s32));
            weft_store_integer(lane, WEFT_FORMAT_s32, static_cast<int32_t>(sum));
        }
    }
    arrivals_.clear();
}

} // namespace twin
