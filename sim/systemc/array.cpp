/* array.cpp: one cycle of all cells. Rows are stepped from the last to the first, so that each finds above it the sums of the cycle before. */
#include "array.h"

#include <algorithm>
#include <cstring>

namespace twin
{

enum { SLACK = 512 }; /* cycles between two times that the activation registers are moved back in memory */

array::array(const sc_core::sc_module_name &module_name, const weft_machine &machine, bool values)
    : clocked(module_name), rows_(machine.rows), columns_(machine.columns), values_(values), pitch_(columns_ + SLACK), left_(SLACK),
      waves_(rows_ + columns_ - 1), takes_high_(rows_ + columns_ - 1), is_float_(rows_ + columns_ - 1)
{
    sums_.resize(rows_ * columns_);
    if (!values_)
        return;
    low_.resize(rows_ * columns_);
    high_.resize(rows_ * columns_);
    shadow_.resize(2 * rows_ * columns_);
    activations_.resize(rows_ * pitch_);
    skew_.assign(rows_, std::vector<int16_t>(rows_));
}

void array::reset()
{
    std::fill(waves_.begin(), waves_.end(), wave());
    std::fill(takes_high_.begin(), takes_high_.end(), 0);
    std::fill(is_float_.begin(), is_float_.end(), 0);
    in_flight_ = 0;
    fronts_.clear();
    shifts_.clear();
    new_fronts_.clear();
    new_shifts_.clear();
    entering_ = wave();
}

void array::enter_next(const wave &w, const std::vector<int16_t> &lanes)
{
    entering_ = w;
    entering_lanes_ = lanes;
}

void array::swap_next(weft_format format) { new_fronts_.push_back({0, format}); }

void array::shift_next(const std::shared_ptr<const tile> &t) { new_shifts_.push_back({t, 0}); }

/* --- planes ----------------------------------------------------------------------------------------------------------------- */

/* The planes change places in the cells with k + n = age of each front. */
void array::swap_cells()
{
    for (front &f : fronts_) {
        uint64_t first = f.age < columns_ ? 0 : f.age - columns_ + 1, end = std::min(f.age + 1, rows_);
        for (uint64_t k = first; values_ && k < end; k++) {
            uint64_t n = f.age - k, cell = k * columns_ + n;
            const uint8_t *one = &shadow_[k * columns_ + n], *two = &shadow_[2 * k * columns_ + n];
            bool wide = weft_format_bytes(f.format) == 2;
            high_[cell] = f.format == WEFT_FORMAT_s16 ? static_cast<int8_t>(two[columns_]) : 0;
            if (f.format == WEFT_FORMAT_bf16)
                low_[cell] = static_cast<int16_t>(two[0] | two[columns_] << 8);
            else if (f.format == WEFT_FORMAT_s8)
                low_[cell] = static_cast<int8_t>(*one);
            else
                low_[cell] = wide ? *two : *one;
        }
        f.age++;
    }
    while (!fronts_.empty() && fronts_.front().age >= rows_ + columns_ - 1)
        fronts_.pop_front();
}

/* Byte `place` of a column of the tile as the shadow plane holds it; 0 beyond the tile. */
static uint8_t shadow_byte(const tile &t, uint64_t place, uint64_t n)
{
    unsigned bytes = weft_format_bytes(t.format);
    uint64_t k = place / bytes;
    return k < t.k && n < t.n ? t.bytes[(k * t.n + n) * bytes + place % bytes] : 0;
}

/* Each column that shifts moves down by one byte, and the next byte enters above. Only bytes of this shift move: below them there may still
 * be weights of the tile before, on which the planes have not changed places yet. */
void array::shift_cells()
{
    for (shift &s : shifts_) {
        uint64_t steps = rows_ * weft_format_bytes(s.weights->format);
        uint64_t first = s.age < steps ? 0 : s.age - steps + 1, end = std::min(s.age + 1, columns_); /* columns that shift now */
        for (uint64_t place = std::min(steps - 1, s.age); values_ && place > 0; place--) {
            uint64_t moving = std::min(s.age - place + 1, columns_); /* in columns before this one a byte of the shift stands above */
            if (moving > first)
                std::memcpy(&shadow_[place * columns_ + first], &shadow_[(place - 1) * columns_ + first], moving - first);
        }
        for (uint64_t n = first; values_ && n < end; n++)
            shadow_[n] = shadow_byte(*s.weights, steps - 1 - (s.age - n), n);
        s.age++;
    }
    while (!shifts_.empty() && shifts_.front().age >= rows_ * weft_format_bytes(shifts_.front().weights->format) + columns_ - 1)
        shifts_.pop_front();
}

/* --- activations and sums ----------------------------------------------------------------------------------------------------- */

/* Every activation goes one cell to the right; lane k of the wave that entered k cycles ago takes the first cell. */
void array::enter_lanes()
{
    std::vector<int16_t> &now = skew_[step_ % rows_];
    if (entering_.valid)
        std::copy(entering_lanes_.begin(), entering_lanes_.end(), now.begin());
    else
        std::fill(now.begin(), now.end(), 0);
    if (left_ == 0) {
        for (uint64_t k = 0; k < rows_; k++)
            std::memmove(&activations_[k * pitch_ + SLACK], &activations_[k * pitch_], columns_ * sizeof(int16_t));
        left_ = SLACK;
    }
    left_--;
    for (uint64_t k = 0; k < rows_; k++)
        activations_[k * pitch_ + left_] = skew_[(step_ + rows_ - k) % rows_][k];
}

void array::multiply()
{
    static const std::vector<uint32_t> zeros(4096);
    bool any_high = std::any_of(takes_high_.begin(), takes_high_.end(), [](int16_t m) { return m != 0; });
    uint64_t floats = static_cast<uint64_t>(std::count(is_float_.begin(), is_float_.end(), UINT32_MAX));
    void (*step)(const cell_row &) = floats == 0 ? (any_high ? part_cells : integer_cells) : floats == in_flight_ ? float_cells : mixed_cells;
    for (uint64_t k = rows_; k-- > 0;)
        step({&sums_[k * columns_], k ? &sums_[(k - 1) * columns_] : zeros.data(), &activations_[k * pitch_ + left_], &low_[k * columns_],
              &high_[k * columns_], &takes_high_[k], &is_float_[k], columns_});
}

void array::age_waves()
{
    head_ = (head_ + waves_.size() - 1) % waves_.size();
    in_flight_ -= waves_[head_].valid;
    in_flight_ += entering_.valid;
    waves_[head_] = entering_;
    std::copy_backward(takes_high_.begin(), takes_high_.end() - 1, takes_high_.end());
    std::copy_backward(is_float_.begin(), is_float_.end() - 1, is_float_.end());
    takes_high_[0] = entering_.valid && entering_.high_weights ? -1 : 0;
    is_float_[0] = entering_.valid && entering_.floats ? UINT32_MAX : 0;
}

/* An array without a wave, a front or a shift is not clocked: no register of it holds anything that is looked at again. */
void array::commit()
{
    fronts_.insert(fronts_.end(), new_fronts_.begin(), new_fronts_.end());
    shifts_.insert(shifts_.end(), new_shifts_.begin(), new_shifts_.end());
    new_fronts_.clear();
    new_shifts_.clear();
    if (idle())
        return;
    age_waves();
    swap_cells();
    shift_cells();
    if (values_) {
        enter_lanes();
        multiply();
    }
    step_++;
    entering_ = wave();
}

} // namespace twin
