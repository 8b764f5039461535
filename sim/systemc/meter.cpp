/* meter.cpp: each cycle to one class and one layer. */
#include "meter.h"

#include "fetch.h"
#include "matrix.h"

namespace twin
{

meter::meter(const sc_core::sc_module_name &module_name, const scoreboard &board) : clocked(module_name), board_(board)
{
}

/* The first that holds, of a product that waits in its queue. */
meter::cycle_class meter::classify(const job &next) const
{
    if (next.instr.next && fetch_->whole() <= next.tile)
        return WEIGHT_STALL;
    if (next.instr.next && !fetch_->in_place(next.tile))
        return WEIGHT_SHIFT;
    bool any = false;
    for (const hazard &h : next.hazards) {
        if (h.over())
            continue;
        if (h.on->instr.op == WEFT_OP_READ_HOST)
            return INPUT;
        any = true;
    }
    return any ? RAW : OTHER;
}

void meter::count(cycle_class c, uint32_t number, uint64_t cycles)
{
    weft_counters &l = layers_[number];
    l.cycles += cycles;
    switch (c) {
    case WEIGHT_STALL: l.class_weight_stall += cycles; break;
    case WEIGHT_SHIFT: l.class_weight_shift += cycles; break;
    case INPUT: l.class_input += cycles; break;
    case RAW: l.class_raw += cycles; break;
    case OTHER: l.class_other += cycles; break;
    case ACTIVE: l.class_active += cycles; break;
    }
}

meter::cycle_class meter::class_of_cycle() const
{
    if (matrix_->working())
        return ACTIVE;
    return board_.waiting(WEFT_UNIT_MATRIX) > 0 ? classify(*board_.head(WEFT_UNIT_MATRIX)) : OTHER;
}

void meter::evaluate()
{
    const std::shared_ptr<job> &busy = matrix_->working();
    bool waits = !busy && board_.waiting(WEFT_UNIT_MATRIX) > 0;
    if (!busy && !waits) {
        unclaimed_++;
        return;
    }
    job &product = busy ? *busy : *board_.head(WEFT_UNIT_MATRIX);
    cycle_class c = class_of_cycle();
    count(OTHER, product.layer, unclaimed_);
    product.stall[OTHER] += unclaimed_;
    unclaimed_ = 0;
    count(c, product.layer, 1);
    if (busy)
        layer(product.layer).busy_matrix++;
    else
        product.stall[c]++;
}

void meter::finish(uint32_t last_layer)
{
    count(OTHER, last_layer, unclaimed_);
    unclaimed_ = 0;
}

} // namespace twin
