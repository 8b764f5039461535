/* dispatch.cpp: program order (docs/machine.md, Dispatch). */
#include "dispatch.h"

#include <algorithm>

namespace twin
{

dispatch::dispatch(const sc_core::sc_module_name &module_name, scoreboard &board, meter &count)
    : clocked(module_name), board_(board), meter_(count)
{
}

void dispatch::load(weft_sim &sim)
{
    sim_ = &sim;
    next_.reset();
    dispatched_ = halted_ = faulted_ = false;
    message_.clear();
    tiles_.clear();
    taken_ = 0;
}

static void keep(void *user, const char *message) { *static_cast<std::string *>(user) = message; }

void dispatch::stop_at_fault(const char *message, const issue &at)
{
    weft_diag diag = {keep, &message_, 0};
    sim_fault(sim_, &at, &diag, message);
    faulted_ = true;
}

/* Faults follow from instruction, registers and order of tiles alone, so the check may come when the instruction is next in line. */
void dispatch::fetch_and_decode()
{
    char message[256];
    issue at = {};
    at.index = sim_->position;
    if (sim_->position >= sim_->program->instructions)
        return stop_at_fault("the program ends without halt", at);
    if (!weft_decode(&at.instr, sim_->program->text + sim_->position * WEFT_WORD_BYTES))
        return stop_at_fault("no instruction has this word", at);
    at.info = weft_instr_info(at.instr.op);
    if (at.instr.op == WEFT_OP_TAG && at.instr.layer >= sim_->layer_count)
        return stop_at_fault("the program has no such layer", at);
    if (!weft_check(&at.effects, &sim_->order, &at.instr, &sim_->config, &sim_->program->machine, &sim_->limits, message))
        return stop_at_fault(message, at);
    next_ = std::make_shared<job>();
    next_->index = sim_->position;
    next_->instr = at.instr;
    next_->unit = at.info->unit;
    next_->layer = sim_->layer;
    next_->config = sim_->config;
    take_tile();
    find_operands(*next_, sim_->program->machine);
}

/* Which tile is fetched or multiplied by, in program order. */
void dispatch::take_tile()
{
    const weft_instr &i = next_->instr;
    if (next_->unit == WEFT_UNIT_FETCH)
        tiles_.push_back({i.k, i.n, static_cast<weft_format>(i.fmt)});
    if (!next_->is_product())
        return;
    if (i.next) {
        active_ = tiles_.front();
        tiles_.pop_front();
        next_->tile = taken_++;
    }
    next_->array = static_cast<unsigned>((taken_ - 1) % sim_->program->machine.arrays);
    next_->tile_k = active_.k;
    next_->tile_n = active_.n;
    next_->tile_format = active_.format;
}

bool dispatch::may_dispatch() const
{
    if (next_->instr.op == WEFT_OP_SYNC || next_->instr.op == WEFT_OP_HALT)
        return board_.idle();
    return next_->unit == WEFT_UNIT_CONTROL || board_.room(next_->unit);
}

void dispatch::evaluate()
{
    if (halted_)
        return;
    if (!next_)
        fetch_and_decode();
    if (faulted_ || !may_dispatch())
        return;
    dispatched_ = true;
    next_->dispatched = cycle();
    weft_counters &c = meter_.layer(next_->layer);
    c.instructions++;
    for (const operand &o : next_->operands) {
        uint64_t *peak = o.space == WEFT_SPACE_UB ? &c.peak_ub : o.space == WEFT_SPACE_ACC ? &c.peak_acc : nullptr;
        if (peak)
            *peak = std::max(*peak, o.high);
    }
    if (next_->unit == WEFT_UNIT_CONTROL)
        return;
    for (const std::shared_ptr<job> &older : board_.flying())
        find_hazards(*next_, older);
    board_.dispatch_next(next_);
}

/* For the instructions behind it. */
void dispatch::take_effect()
{
    const weft_instr &i = next_->instr;
    if (i.op == WEFT_OP_SET)
        weft_config_set(&sim_->config, i.reg, i.value0, i.value1);
    if (i.op == WEFT_OP_TAG)
        sim_->layer = i.layer;
    sim_->position++;
    halted_ = i.op == WEFT_OP_HALT;

}

/* A run ends with the falling edge of the cycle of its halt, or of its fault. */
void dispatch::commit()
{
    if (faulted_ && !halted_) {
        halted_ = true;
        on_end();
    }
    if (!dispatched_)
        return;
    if (next_->unit == WEFT_UNIT_CONTROL && on_control)
        on_control(*next_);
    take_effect();
    next_.reset();
    dispatched_ = false;
    if (halted_)
        on_end();
}

} // namespace twin
