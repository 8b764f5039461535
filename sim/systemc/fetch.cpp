/* fetch.cpp: tiles from DRAM and from the buffer into the FIFO, and from the FIFO into the shadow plane. */
#include "fetch.h"

#include <algorithm>

#include "matrix.h"

namespace twin
{

namespace
{

weft_format format_of(const weft_instr &i) { return static_cast<weft_format>(i.fmt); }

} // namespace

fetch::fetch(const sc_core::sc_module_name &module_name, const weft_machine &machine, scoreboard &board, meter &count, const dram &device,
             memory *buffer, const arrays &cells)
    : clocked(module_name), machine_(machine), board_(board), meter_(count), dram_(device), buffer_(buffer), arrays_(cells),
      chains_(machine.arrays), plan_{{}, device.channel()}
{
}

void fetch::reset()
{
    whole_ = shifted_ = begun_ = begun_next_ = given_back_ = 0;
    chains_.assign(chains_.size(), chain());
    slots_ = slots_next_ = 0;
    pushing_ = pushing_next_ = false;
    own_free_ = own_free_next_ = dram_.channel().rates().at(cycle());
    entries_.clear();
    moving_.clear();
    planned_at_ = UINT64_MAX;
}

/* --- what starts in this cycle -------------------------------------------------------------------------------------------- */

const fetch::plan_of_cycle &fetch::plan() const
{
    if (planned_at_ != cycle())
        make_plan();
    planned_at_ = cycle();
    return plan_;
}

void fetch::make_plan() const
{
    uint64_t slots = slots_;
    bool pushing = pushing_;
    fine own_free = own_free_;
    plan_.starts.clear();
    for (size_t place = 0; place < board_.waiting(WEFT_UNIT_FETCH); place++) {
        const std::shared_ptr<job> &j = board_.head(WEFT_UNIT_FETCH, place);
        bool unit_free = !pushing && floor_reached(dram_.channel().rates(), own_free, cycle());
        if (!unit_free || slots >= machine_.fifo_tiles || !j->ready())
            return;
        if (plan_.starts.empty())
            plan_.channel = dram_.channel();
        planned p = {j, {}};
        if (j->instr.op == WEFT_OP_READ_WEIGHTS) {
            if (!plan_.channel.can_start(cycle()))
                return;
            uint64_t bytes = j->operands[0].high - j->operands[0].low;
            plan_.channel.start(p.t, cycle(), j->instr.dram, plan_.channel.whole_bursts(bytes));
            own_free = p.t.free;
        } else {
            pushing = true;
        }
        slots++;
        plan_.starts.push_back(std::move(p));
    }
}

void fetch::start(const planned &p)
{
    const weft_instr &i = p.j->instr;
    weft_counters &c = meter_.layer(p.j->layer);
    append(p.j);
    if (i.op == WEFT_OP_PUSH_WEIGHTS) {
        push_ = {p.j, 0, 0};
        push_number_ = entries_.size() - 1;
        pushing_next_ = true;
        return;
    }
    transfer t = p.t;
    t.j = p.j;
    t.bytes = uint64_t(i.k) * i.n * weft_format_bytes(format_of(i));
    own_free_next_ = t.free;
    c.bytes_weights += dram_.channel().whole_bursts(p.j->operands[0].high - p.j->operands[0].low);
    if (floor_reached(dram_.channel().rates(), t.free, cycle())) {
        t.unit_free = true;
        board_.complete_next(p.j, scoreboard::UNIT, cycle());
    }
    moving_.push_back({std::move(t), entries_.size() - 1});
}

/* A slot, from the start on. */
void fetch::append(const std::shared_ptr<job> &j)
{
    const weft_instr &i = j->instr;
    entry e;
    e.weights = std::make_shared<tile>();
    e.weights->k = i.k;
    e.weights->n = i.n;
    e.weights->format = format_of(i);
    if (buffer_)
        e.weights->bytes.resize(uint64_t(i.k) * i.n * weft_format_bytes(format_of(i)));
    entries_.push_back(std::move(e));
    slots_next_++;
    j->fifo_slots = slots_next_;
    weft_counters &c = meter_.layer(j->layer);
    c.peak_fifo = std::max<uint64_t>(c.peak_fifo, slots_next_);
    board_.start_next(j);
}

/* --- tiles on their way ----------------------------------------------------------------------------------------------------- */

/* Weight (r, c) is element c of pattern row r; transposed, element r of row c. */
void fetch::read_row()
{
    const weft_instr &i = push_.j->instr;
    unsigned bytes = weft_format_bytes(format_of(i));
    uint64_t lanes = i.transpose ? i.k : i.n;
    meter_.layer(push_.j->layer).bytes_ub_read += lanes * bytes;
    if (!buffer_)
        return;
    tile &t = *entries_[push_number_].weights;
    for (uint64_t lane = 0; lane < lanes; lane++) {
        uint64_t from = weft_pattern_address(&push_.j->config.pattern[i.a], i.first_row + push_.row, i.first_lane + lane, bytes);
        uint64_t weight = i.transpose ? lane * i.n + push_.row : push_.row * i.n + lane;
        std::copy_n(buffer_->at(from), bytes, t.bytes.begin() + static_cast<std::ptrdiff_t>(weight * bytes));
    }
}

void fetch::push_step()
{
    const weft_instr &i = push_.j->instr;
    meter_.layer(push_.j->layer).busy_fetch++;
    uint64_t rows = i.transpose ? i.n : i.k, lanes = i.transpose ? i.k : i.n, row_bytes = lanes * weft_format_bytes(format_of(i));
    uint64_t lines = (row_bytes + machine_.ub_line_bytes - 1) / machine_.ub_line_bytes;
    if (++push_.cycle_of_row < std::max(UINT64_C(1), lines))
        return;
    read_row();
    push_.cycle_of_row = 0;
    if (++push_.row < rows)
        return;
    pushing_next_ = false;
    entries_[push_number_].arrived = true;
    for (scoreboard::what part : {scoreboard::READS, scoreboard::WRITES, scoreboard::UNIT})
        board_.complete_next(push_.j, part, cycle() + 1);
}

/* Whole tiles begin in order, each in the very cycle in which the tile before it in its array is taken. */
void fetch::begin_shifts()
{
    for (; begun_next_ < whole_; begun_next_++) {
        size_t number = begun_next_ % arrays_.size();
        chain &c = chains_[number];
        if (c.left_next > 0 || begun_next_ >= matrix_->taken() + arrays_.size())
            return;
        entry &e = entries_[begun_next_];
        e.shift_start = cycle();
        arrays_[number]->shift_next(e.weights);
        c.left_next = machine_.rows * weft_format_bytes(e.weights->format);
        c.number = begun_next_;
        e.weights.reset();
    }
}

void fetch::shift_step()
{
    begin_shifts();
    for (chain &c : chains_) {
        c.ends = c.left_next > 0 && --c.left_next == 0;
        if (c.ends)
            entries_[c.number].shift_end = cycle() + 1;
    }
}

void fetch::evaluate()
{
    for (const planned &p : plan().starts)
        start(p);
    for (moving &m : moving_) {
        const job &j = *m.t.j;
        advance(m.t, dram_.channel().rates(), board_, meter_.layer(j.layer).busy_fetch,
                dram_.cells() ? dram_.cells()->at(j.instr.dram) : nullptr,
                [&](uint64_t number, const uint8_t *bytes, size_t count) {
                    std::copy_n(bytes, count, entries_[m.number].weights->bytes.begin() + static_cast<std::ptrdiff_t>(number));
                });
        entries_[m.number].arrived = m.t.all_arrived;
    }
    while (!moving_.empty() && moving_.front().t.all_arrived)
        moving_.pop_front();
    if (pushing_next_)
        push_step();
    shift_step();
}

void fetch::commit()
{
    for (; whole_ < entries_.size() && entries_[whole_].arrived; whole_++)
        entries_[whole_].whole = cycle() + 1;
    for (chain &c : chains_) {
        if (c.ends)
            entries_[c.number].in_place = true, shifted_++;
        c.ends = false;
        c.left = c.left_next;
    }
    for (; in_place(given_back_); given_back_++) /* slots, in order */
        slots_next_--;
    begun_ = begun_next_;
    slots_ = slots_next_;
    pushing_ = pushing_next_;
    own_free_ = own_free_next_;
}

void fetch::tell(job &product) const
{
    const entry &e = entries_[product.tile];
    product.tile_whole = e.whole;
    product.shift_start = e.shift_start;
    product.shift_end = e.shift_end;
}

} // namespace twin
