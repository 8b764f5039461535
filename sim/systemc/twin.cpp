/* twin.cpp: the modules, and who sees whom. */
#include "twin.h"

namespace twin
{

static arrays make_arrays(const weft_machine &description, bool values)
{
    arrays all;
    for (uint64_t i = 0; i < description.arrays; i++)
        all.push_back(std::make_unique<array>(("array" + std::to_string(i)).c_str(), description, values));
    return all;
}

machine::machine(const sc_core::sc_module_name &module_name, const weft_machine &description, bool values)
    : sc_module(module_name), clock("clock"), values_(values), m_(description), board_("scoreboard", m_.queue_depth), meter_("meter", board_),
      host_("host"), device_("device"), buffer_("buffer"), host_or_none_(values_ ? &host_ : nullptr), device_or_none_(values_ ? &device_ : nullptr),
      buffer_or_none_(values_ ? &buffer_ : nullptr), dispatch_("dispatch", board_, meter_),
      link_in_("link_in", WEFT_UNIT_HOST_IN, rate(m_.link_in_bytes_per_second, m_.clock_hz), m_.link_latency, board_, meter_, host_or_none_,
               buffer_or_none_),
      link_out_("link_out", WEFT_UNIT_HOST_OUT, rate(m_.link_out_bytes_per_second, m_.clock_hz), m_.link_latency, board_, meter_,
                buffer_or_none_, host_or_none_),
      dram_("dram", m_, board_, meter_, device_or_none_, buffer_or_none_), arrays_(make_arrays(m_, values_)),
      fetch_("fetch", m_, board_, meter_, dram_, buffer_or_none_, arrays_), matrix_("matrix", m_, board_, meter_, fetch_, buffer_or_none_, arrays_),
      acc_("accumulators", m_, board_, arrays_), vector_("vector", m_, board_, meter_, buffer_or_none_, acc_)
{
    dram_.bind(fetch_);
    fetch_.bind(matrix_);
    meter_.bind(fetch_, matrix_);
    for (clocked *module : modules())
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

std::vector<clocked *> machine::modules()
{
    std::vector<clocked *> all = {&board_, &meter_, &host_,  &device_, &buffer_, &dispatch_, &link_in_, &link_out_,
                                  &dram_,  &fetch_, &matrix_, &acc_,    &vector_};
    for (const std::unique_ptr<array> &cells : arrays_)
        all.push_back(cells.get());
    return all;
}

void machine::load(weft_sim &sim)
{
    for (clocked *module : modules())
        module->reset();
    host_.bind(sim.memory[WEFT_SPACE_HOST].bytes);
    device_.bind(sim.memory[WEFT_SPACE_DRAM].bytes);
    buffer_.bind(sim.memory[WEFT_SPACE_UB].bytes);
    acc_.bind(sim.memory[WEFT_SPACE_ACC].bytes);
    meter_.set_layers(sim.layer_count);
    dispatch_.load(sim);
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
    e.array = j.array;
    e.dispatched = j.dispatched;
    bool control = j.unit == WEFT_UNIT_CONTROL; /* done when dispatched: in that cycle */
    e.start = control ? j.dispatched : j.start;
    e.end = control ? j.dispatched + 1 : j.end;
    e.reads_done = control ? j.dispatched + 1 : j.reads_at;
    e.writes_done = control ? j.dispatched + 1 : j.writes_at;
    e.tile_whole = j.tile_whole;
    e.shift_start = j.shift_start;
    e.shift_end = j.shift_end;
    std::copy(std::begin(j.stall), std::end(j.stall), e.stall);
    e.fifo_slots = j.fifo_slots;
    on_event(e);
}

} // namespace twin
