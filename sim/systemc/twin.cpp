/* twin.cpp: the modules, and who sees whom. */
#include "twin.h"

namespace twin
{

machine::machine(const sc_core::sc_module_name &module_name, weft_sim &sim)
    : sc_module(module_name), clock("clock"), values_(!sim.options.timing_only), m_(sim.program->machine), board_("scoreboard", m_.queue_depth),
      meter_("meter", sim.layer_count, board_), host_("host", sim.memory[WEFT_SPACE_HOST].bytes), device_("device", sim.memory[WEFT_SPACE_DRAM].bytes),
      buffer_("buffer", sim.memory[WEFT_SPACE_UB].bytes), host_or_none_(values_ ? &host_ : nullptr), device_or_none_(values_ ? &device_ : nullptr),
      buffer_or_none_(values_ ? &buffer_ : nullptr), dispatch_("dispatch", sim, board_, meter_),
      link_in_("link_in", WEFT_UNIT_HOST_IN, rate(m_.link_in_bytes_per_second, m_.clock_hz), m_.link_latency, board_, meter_, host_or_none_,
               buffer_or_none_),
      link_out_("link_out", WEFT_UNIT_HOST_OUT, rate(m_.link_out_bytes_per_second, m_.clock_hz), m_.link_latency, board_, meter_,
                buffer_or_none_, host_or_none_),
      dram_("dram", m_, board_, meter_, device_or_none_, buffer_or_none_), array_("array", m_, values_),
      fetch_("fetch", m_, board_, meter_, dram_, buffer_or_none_, array_), matrix_("matrix", m_, board_, meter_, fetch_, buffer_or_none_, array_),
      acc_("accumulators", m_, board_, array_, sim.memory[WEFT_SPACE_ACC].bytes), vector_("vector", m_, board_, meter_, buffer_or_none_, acc_)
{
    dram_.bind(fetch_);
    fetch_.bind(matrix_);
    meter_.bind(fetch_, matrix_);
    for (clocked *module : {static_cast<clocked *>(&board_), static_cast<clocked *>(&meter_), static_cast<clocked *>(&host_),
                            static_cast<clocked *>(&device_), static_cast<clocked *>(&buffer_), static_cast<clocked *>(&dispatch_),
                            static_cast<clocked *>(&link_in_), static_cast<clocked *>(&link_out_), static_cast<clocked *>(&dram_),
                            static_cast<clocked *>(&array_), static_cast<clocked *>(&fetch_), static_cast<clocked *>(&matrix_),
                            static_cast<clocked *>(&acc_), static_cast<clocked *>(&vector_)})
        module->clock(clock);
    SC_METHOD(tick);
    sensitive << clock.neg();
    dont_initialize();
    board_.on_complete = [this](const job &j) { tell(j); };
    dispatch_.on_control = [this](const job &j) { tell(j); };
}

bool machine::busy(weft_unit unit) const
{
    switch (unit) {
    case WEFT_UNIT_HOST_IN: return link_in_.starts() || board_.occupied(unit);
    case WEFT_UNIT_HOST_OUT: return link_out_.starts() || board_.occupied(unit);
    case WEFT_UNIT_FETCH: return !fetch_.plan().starts.empty() || board_.occupied(unit);
    case WEFT_UNIT_DRAM: return dram_.starts() || board_.occupied(unit);
    case WEFT_UNIT_MATRIX: return matrix_.working() != nullptr;
    case WEFT_UNIT_VECTOR: return vector_.working() != nullptr;
    default: return false;
    }
}

void machine::tick()
{
    if (on_cycle)
        on_cycle();
}

void machine::tell(const job &j) const
{
    if (!on_event)
        return;
    weft_event e = {};
    e.index = j.index;
    e.instr = &j.instr;
    e.unit = j.unit;
    e.layer = j.layer;
    e.dispatched = j.dispatched;
    bool control = j.unit == WEFT_UNIT_CONTROL; /* done when dispatched */
    e.start = control ? j.dispatched : j.start;
    e.end = control ? j.dispatched : j.end;
    e.reads_done = control ? j.dispatched : j.reads_at;
    e.writes_done = control ? j.dispatched : j.writes_at;
    e.tile_whole = j.tile_whole;
    e.shift_start = j.shift_start;
    e.shift_end = j.shift_end;
    std::copy(std::begin(j.stall), std::end(j.stall), e.stall);
    e.fifo_slots = j.fifo_slots;
    on_event(e);
}

} // namespace twin
