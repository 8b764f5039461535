/* vector_unit.cpp: the walk over rows, windows and beats. */
#include "vector_unit.h"

#include <algorithm>

namespace twin
{

namespace
{

weft_format result_format(const weft_instr &i) { return static_cast<weft_format>(i.fmt); }
weft_format format_a(const weft_instr &i) { return static_cast<weft_format>(i.fmt_a); }
weft_format format_b(const weft_instr &i) { return static_cast<weft_format>(i.fmt_b); }
bool is_binary(const weft_instr &i) { return i.op >= WEFT_OP_ADD && i.op <= WEFT_OP_MIN; }
bool has_windows(const weft_instr &i) { return i.op == WEFT_OP_POOL || (i.op == WEFT_OP_ACTIVATE && i.pool); }
uint64_t result_lanes(const weft_instr &i) { return i.op == WEFT_OP_REDUCE ? 1 : i.lanes; }
uint64_t up(uint64_t a, uint64_t b) { return (a + b - 1) / b; }

/* T7: the largest of what the lanes and the lines of each pattern operand ask for. */
uint64_t count_beats(const weft_instr &i, const weft_machine &m)
{
    uint64_t beats = std::max(UINT64_C(1), up(i.lanes, m.vector_lanes));
    auto lines = [&](uint64_t lanes, weft_format format) { beats = std::max(beats, up(lanes * weft_format_bytes(format), m.ub_line_bytes)); };
    lines(result_lanes(i), result_format(i));
    if (i.op != WEFT_OP_ACTIVATE && i.op != WEFT_OP_FILL)
        lines(i.lanes, format_a(i));
    if (is_binary(i) || (i.op == WEFT_OP_ACTIVATE && i.residual))
        lines(i.lanes, format_b(i));
    return beats;
}

/* Whether an operand that is read meets the one that is written. */
bool reads_its_results(const job &j)
{
    const operand &to = j.operands.back();
    return std::any_of(j.operands.begin(), j.operands.end() - 1,
                       [&](const operand &o) { return o.space == to.space && o.low < to.high && to.low < o.high; });
}

} // namespace

vector_unit::vector_unit(const sc_core::sc_module_name &module_name, const weft_machine &machine, scoreboard &board, meter &count,
                         memory *buffer, const accumulators &sums)
    : clocked(module_name), machine_(machine), board_(board), meter_(count), buffer_(buffer), acc_(sums)
{
}

/* --- elements ------------------------------------------------------------------------------------------------------------------ */

uint64_t vector_unit::address(unsigned pattern, uint64_t lane, weft_format format) const
{
    const weft_instr &i = job_next_->instr;
    return weft_pattern_address(&job_next_->config.pattern[pattern], i.first_row + row_, lane, weft_format_bytes(format));
}

/* Bytes of the buffer, or those that the pipeline is about to write there. */
const uint8_t *vector_unit::read(uint64_t at, size_t bytes, uint8_t *scratch) const
{
    if (!forward_)
        return buffer_->at(at);
    std::copy_n(buffer_->at(at), bytes, scratch);
    for (const result &r : pipe_) {
        size_t size = r.to.empty() ? 0 : r.bytes.size() / r.to.size();
        for (size_t e = 0; e < r.to.size(); e++)
            for (size_t b = 0; b < size; b++)
                if (r.to[e] + b >= at && r.to[e] + b < at + bytes)
                    scratch[r.to[e] + b - at] = r.bytes[e * size + b];
    }
    return scratch;
}

value vector_unit::element(unsigned pattern, uint64_t lane, weft_format format, uint64_t beyond) const
{
    uint8_t scratch[4];
    uint64_t at = address(pattern, job_next_->instr.first_lane + lane, format) + beyond;
    return load_value(read(at, weft_format_bytes(format), scratch), format);
}

/* The ACC lane of this place of the window joins the running value. */
void vector_unit::take_activate(uint64_t lane)
{
    const weft_instr &i = job_next_->instr;
    const weft_config &v = job_next_->config;
    uint64_t row = i.acc + row_;
    if (i.pool)
        row = i.acc + weft_pattern_address(&v.pattern[15], i.first_row + row_, 0, 1) + i_ * v.win_stride0 + j_ * v.win_stride1;
    value x = load_value(acc_.at(row, lane), i.facc ? WEFT_FORMAT_f32 : WEFT_FORMAT_s32);
    bool first = i_ == 0 && j_ == 0;
    running_[lane] = first ? x : combine(static_cast<weft_reduction>(i.reduce), running_[lane], x);
}

/* An element of `pool` or `reduce` joins the running value number `into`. */
void vector_unit::take_reduced(uint64_t lane, uint64_t into)
{
    const weft_instr &i = job_next_->instr;
    const weft_config &v = job_next_->config;
    bool pool = i.op == WEFT_OP_POOL, first = pool ? i_ == 0 && j_ == 0 : lane == 0;
    weft_reduction reduction = static_cast<weft_reduction>(i.reduce);
    value x = entering(reduction, element(i.a, lane, format_a(i), pool ? i_ * v.win_stride0 + j_ * v.win_stride1 : 0), v);
    running_[into] = first ? x : combine(reduction, running_[into], x);
}

void vector_unit::take_lane(uint64_t lane)
{
    switch (job_next_->instr.op) {
    case WEFT_OP_ACTIVATE: return take_activate(lane);
    case WEFT_OP_POOL: return take_reduced(lane, lane);
    case WEFT_OP_REDUCE: return take_reduced(lane, 0);
    default: return; /* the others take and finish a lane at once */
    }
}

/* Result of a lane of `activate` before the result rule; with raw, the bytes themselves and nothing else. */
float vector_unit::activate(uint64_t lane, uint8_t *raw)
{
    const weft_instr &i = job_next_->instr;
    const weft_config &v = job_next_->config;
    uint8_t scratch[4];
    value x = running_[lane];
    if (i.bias) {
        uint64_t at = v.bias + (i.first_lane + lane) % v.bias_period * 4;
        value bias = load_value(read(at, 4, scratch), i.facc ? WEFT_FORMAT_f32 : WEFT_FORMAT_s32);
        x = combine(WEFT_REDUCTION_sum, x, bias);
    }
    if (i.raw) {
        if (i.facc)
            weft_store_float(raw, WEFT_FORMAT_f32, x.f);
        else
            weft_store_integer(raw, WEFT_FORMAT_s32, x.i);
        return 0;
    }
    float s = v.mul_a;
    if (i.scale)
        s = weft_load_float(read(v.scale + (i.first_lane + lane) % v.scale_period * 4, 4, scratch), WEFT_FORMAT_f32);
    float f = scaled(x, s);
    return i.residual ? f + scaled(less_zero(element(i.b, lane, format_b(i)), v.zero_b), v.mul_b) : f;
}

void vector_unit::finish_lane(uint64_t lane)
{
    const weft_instr &i = job_next_->instr;
    const weft_config &v = job_next_->config;
    unsigned bytes = weft_format_bytes(result_format(i));
    uint8_t *out = &row_bytes_[lane * bytes], scratch[256];
    const uint8_t *table = i.func == WEFT_FUNCTION_table ? read(v.table, 256, scratch) : nullptr;
    uint8_t element_bytes[4];
    float f;
    switch (i.op) {
    case WEFT_OP_ACTIVATE:
        f = activate(lane, out);
        if (i.raw)
            return;
        break;
    case WEFT_OP_POOL: case WEFT_OP_REDUCE:
        f = reduced(static_cast<weft_reduction>(i.reduce), running_[lane], v);
        break;
    case WEFT_OP_FILL:
        for (unsigned b = 0; b < bytes; b++)
            out[b] = static_cast<uint8_t>(i.value >> (8 * b));
        return;
    case WEFT_OP_COPY:
        if (i.raw) {
            std::copy_n(read(address(i.a, i.first_lane + lane, format_a(i)), bytes, element_bytes), bytes, out);
            return;
        }
        f = scaled(less_zero(element(i.a, lane, format_a(i)), v.zero_a), v.mul_a);
        break;
    default:
        f = binary(i.op, scaled(less_zero(element(i.a, lane, format_a(i)), v.zero_a), v.mul_a),
                   scaled(less_zero(element(i.b, lane, format_b(i)), v.zero_b), v.mul_b));
        break;
    }
    store_result(out, *job_next_, f, table);
}

/* --- the walk --------------------------------------------------------------------------------------------------------------------- */

void vector_unit::start(const std::shared_ptr<job> &j)
{
    const weft_instr &i = j->instr;
    board_.start_next(j);
    job_next_ = j;
    row_ = i_ = j_ = beat_ = 0;
    windows0_ = has_windows(i) ? j->config.win_count0 : 1;
    windows1_ = has_windows(i) ? j->config.win_count1 : 1;
    beats_ = count_beats(i, machine_);
    forward_ = reads_its_results(*j);
    running_.assign(i.lanes, {});
    row_bytes_.assign(result_lanes(i) * weft_format_bytes(result_format(i)), 0);
    for (const operand &o : j->operands)
        if (o.parameter)
            meter_.layer(j->layer).bytes_ub_read += o.high - o.low;
}

/* The last beat of a place of the window has been taken. */
void vector_unit::finish_place()
{
    const weft_instr &i = job_next_->instr;
    weft_counters &c = meter_.layer(job_next_->layer);
    c.vector_rows++;
    if (i.op != WEFT_OP_ACTIVATE && i.op != WEFT_OP_FILL)
        c.bytes_ub_read += uint64_t(i.lanes) * weft_format_bytes(format_a(i));
    beat_ = 0;
    if (++i_ < windows0_)
        return;
    i_ = 0;
    if (++j_ < windows1_)
        return;
    j_ = 0;
    if (is_binary(i) || (i.op == WEFT_OP_ACTIVATE && i.residual))
        c.bytes_ub_read += uint64_t(i.lanes) * weft_format_bytes(format_b(i));
    c.bytes_ub_write += result_lanes(i) * weft_format_bytes(result_format(i));
    finish_row();
}

void vector_unit::finish_row()
{
    const weft_instr &i = job_next_->instr;
    result r = {job_next_, cycle() + machine_.vector_depth, row_ + 1 == i.rows, {}, {}};
    if (buffer_) {
        for (uint64_t lane = 0; lane < result_lanes(i); lane++)
            r.to.push_back(address(i.d, (i.op == WEFT_OP_REDUCE ? 0 : i.first_lane) + lane, result_format(i)));
        r.bytes = row_bytes_;
    }
    pipe_.push_back(std::move(r));
    if (++row_ < i.rows)
        return;
    board_.complete_next(job_next_, scoreboard::READS, cycle() + 1);
    board_.complete_next(job_next_, scoreboard::UNIT, cycle() + 1);
    job_next_.reset();
}

/* The lanes of this beat, of this place of the window. */
void vector_unit::step()
{
    const weft_instr &i = job_next_->instr;
    bool last_place = i_ + 1 == windows0_ && j_ + 1 == windows1_;
    uint64_t first = beat_ * i.lanes / beats_, end = (beat_ + 1) * i.lanes / beats_;
    for (uint64_t lane = first; buffer_ && lane < end; lane++) {
        take_lane(lane);
        if (last_place && (i.op != WEFT_OP_REDUCE || lane + 1 == i.lanes))
            finish_lane(i.op == WEFT_OP_REDUCE ? 0 : lane);
    }
    if (++beat_ == beats_)
        finish_place();
}

/* Rows whose way through the pipeline ends in this cycle. */
void vector_unit::write_out()
{
    while (!pipe_.empty() && pipe_.front().due == cycle()) {
        const result &r = pipe_.front();
        size_t size = r.to.empty() ? 0 : r.bytes.size() / r.to.size();
        for (size_t e = 0; e < r.to.size(); e++)
            buffer_->write_next(r.to[e], &r.bytes[e * size], size);
        if (r.last)
            board_.complete_next(r.j, scoreboard::WRITES, cycle() + 1);
        pipe_.pop_front();
    }
}

bool vector_unit::starts() const { return !job_ && board_.waiting(WEFT_UNIT_VECTOR) > 0 && board_.head(WEFT_UNIT_VECTOR)->ready(); }

const std::shared_ptr<job> &vector_unit::working() const { return starts() ? board_.head(WEFT_UNIT_VECTOR) : job_; }

void vector_unit::evaluate()
{
    if (starts())
        start(board_.head(WEFT_UNIT_VECTOR));
    if (job_next_)
        meter_.layer(job_next_->layer).busy_vector++;
    for (uint64_t row = 0; row < machine_.vector_rows && job_next_; row++)
        step();
    write_out();
}

} // namespace twin
