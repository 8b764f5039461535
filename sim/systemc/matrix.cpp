/* matrix.cpp: rows back to back (T2, T3). */
#include "matrix.h"

#include <algorithm>

namespace twin
{

namespace
{

weft_format format_of(const job &j) { return static_cast<weft_format>(j.instr.fmt); }

/* T2: how many pairs of bytes */
uint64_t passes(const job &j)
{
    if (j.tile_format == WEFT_FORMAT_bf16)
        return 1;
    return uint64_t(weft_format_bytes(format_of(j))) * weft_format_bytes(j.tile_format);
}

} // namespace

matrix::matrix(const sc_core::sc_module_name &module_name, const weft_machine &machine, scoreboard &board, meter &count, const fetch &tiles,
               memory *buffer, const arrays &cells)
    : clocked(module_name), machine_(machine), board_(board), meter_(count), fetch_(tiles), buffer_(buffer), arrays_(cells),
      feeds_(machine.arrays), activations_(machine.arrays, std::vector<int32_t>(machine.rows)), lanes_(machine.rows)
{
}

/* --- wires ------------------------------------------------------------------------------------------------------------------- */

bool matrix::starts() const
{
    if (board_.waiting(WEFT_UNIT_MATRIX) == 0)
        return false;
    const job &j = *board_.head(WEFT_UNIT_MATRIX);
    return !feeds_[j.array].work && j.ready() && (!j.instr.next || fetch_.in_place(j.tile));
}

const std::shared_ptr<job> &matrix::working_on(size_t number) const
{
    return starts() && board_.head(WEFT_UNIT_MATRIX)->array == number ? board_.head(WEFT_UNIT_MATRIX) : feeds_[number].work;
}

const std::shared_ptr<job> &matrix::working() const
{
    size_t oldest = 0;
    for (size_t i = 1; i < feeds_.size(); i++) {
        const std::shared_ptr<job> &j = working_on(i), &k = working_on(oldest);
        if (j && (!k || j->index < k->index))
            oldest = i;
    }
    return working_on(oldest);
}

uint64_t matrix::taken() const { return taken_ + (starts() && board_.head(WEFT_UNIT_MATRIX)->instr.next ? 1 : 0); }

/* --- rows -------------------------------------------------------------------------------------------------------------------- */

uint64_t matrix::lane_address(const job &j, uint64_t row, uint64_t lane) const
{
    unsigned bytes = weft_format_bytes(format_of(j));
    if (j.instr.op == WEFT_OP_MATMUL)
        return j.instr.ub + row * j.instr.stride + lane * bytes;
    return weft_pattern_address(&j.config.pattern[j.instr.a], j.instr.first_row + row, j.instr.first_lane + lane, bytes);
}

/* The distinct lines that hold the row's lanes, in order. */
std::vector<uint64_t> matrix::lines_of_row(const job &j, uint64_t row) const
{
    std::vector<uint64_t> lines;
    unsigned bytes = weft_format_bytes(format_of(j));
    for (uint64_t lane = 0; lane < j.tile_k; lane++) {
        uint64_t address = lane_address(j, row, lane);
        for (uint64_t line = address / machine_.ub_line_bytes; line <= (address + bytes - 1) / machine_.ub_line_bytes; line++)
            if (lines.empty() || lines.back() != line)
                lines.push_back(line);
    }
    std::sort(lines.begin(), lines.end());
    lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
    return lines;
}

/* T3, and the setup buffer then holds this row's lines. */
uint64_t matrix::row_cycles(feed &f)
{
    std::vector<uint64_t> lines = lines_of_row(*f.work_next, f.row), fresh;
    std::set_difference(lines.begin(), lines.end(), f.held.begin(), f.held.end(), std::back_inserter(fresh));
    f.held = std::move(lines);
    return std::max(passes(*f.work_next), (fresh.size() + machine_.ub_read_ports - 1) / machine_.ub_read_ports);
}

void matrix::begin_row(feed &f)
{
    const job &j = *f.work_next;
    f.left = row_cycles(f);
    weft_counters &c = meter_.layer(j.layer);
    c.matrix_rows++;
    c.cell_products += uint64_t(j.tile_k) * j.tile_n;
    c.bytes_ub_read += uint64_t(j.tile_k) * weft_format_bytes(format_of(j));
}

void matrix::start(const std::shared_ptr<job> &j)
{
    feed &f = feeds_[j->array];
    board_.start_next(j);
    f.work_next = j;
    f.row = f.left = 0;
    f.held.clear();
    if (!j->instr.next)
        return;
    fetch_.tell(*j);
    meter_.layer(j->layer).tiles++;
    taken_next_ = taken_ + 1;
    arrays_[j->array]->swap_next(j->tile_format);
}

/* --- waves ------------------------------------------------------------------------------------------------------------------- */

/* The row as numbers; a bf16 as its bits. */
void matrix::read_activations(const job &j, uint64_t row)
{
    std::vector<int32_t> &numbers = activations_[j.array];
    std::fill(numbers.begin(), numbers.end(), 0);
    for (uint64_t lane = 0; lane < j.tile_k; lane++) {
        const uint8_t *at = buffer_->at(lane_address(j, row, lane));
        numbers[lane] = format_of(j) == WEFT_FORMAT_bf16 ? static_cast<int16_t>(at[0] | at[1] << 8) : weft_load_integer(at, format_of(j));
    }
}

/* The part of each activation that pass `pass` multiplies: all of it, or one of two bytes, the upper one signed. */
void matrix::enter_wave(const feed &f, uint64_t pass)
{
    const std::shared_ptr<job> &j = f.work_next;
    bool wide = format_of(*j) == WEFT_FORMAT_s16, high = wide && pass % 2 == 1;
    uint64_t weight_part = wide ? pass / 2 : pass;
    wave w;
    w.valid = true;
    w.product = j;
    w.acc_row = static_cast<uint32_t>(j->instr.acc + f.row);
    w.overwrite = pass == 0 && !j->instr.accumulate;
    w.last = f.row + 1 == j->instr.rows && f.left == 1;
    w.high_weights = weight_part == 1;
    w.floats = j->tile_format == WEFT_FORMAT_bf16;
    w.shift = static_cast<uint8_t>(8 * (weight_part + high));
    if (buffer_ && pass == 0)
        read_activations(*j, f.row);
    for (uint64_t lane = 0; buffer_ && lane < lanes_.size(); lane++) {
        int32_t a = activations_[j->array][lane];
        lanes_[lane] = static_cast<int16_t>(!wide ? a : high ? a >> 8 : a & 0xff);
    }
    arrays_[j->array]->enter_next(w, lanes_);
}

/* The passes of a row take the last of its cycles: before that, the ports read its lines. */
void matrix::step(feed &f)
{
    const std::shared_ptr<job> j = f.work_next;
    if (f.left == 0)
        begin_row(f);
    if (f.left <= passes(*j))
        enter_wave(f, passes(*j) - f.left);
    meter_.layer(j->layer).array_cycles++;
    if (--f.left > 0 || ++f.row < j->instr.rows)
        return;
    board_.complete_next(j, scoreboard::READS, cycle() + 1);
    board_.complete_next(j, scoreboard::UNIT, cycle() + 1);
    f.work_next.reset();
}

void matrix::evaluate()
{
    if (starts())
        start(board_.head(WEFT_UNIT_MATRIX));
    for (feed &f : feeds_)
        if (f.work_next)
            step(f);
}

void matrix::commit()
{
    for (feed &f : feeds_)
        f.work = f.work_next;
    taken_ = taken_next_;
}

} // namespace twin
