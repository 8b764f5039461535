/* wave.cpp: the signals, and when they are traced. */
#include "wave.h"

namespace twin
{

probes::probes(const sc_core::sc_module_name &module_name, const machine &m) : sc_module(module_name), clock("clock"), machine_(m), arrays_(m.cells().size())
{
    SC_METHOD(sample);
    sensitive << clock.pos();
    dont_initialize();
}

void probes::sample_array(size_t number)
{
    const array &from = *machine_.cells()[number];
    const std::shared_ptr<job> &product = machine_.products().working_on(number);
    cells &to = arrays_[number];
    to.instruction = product ? static_cast<unsigned>(product->index) : 0;
    to.shifting = machine_.tiles().shifting(number);
    to.fronts = static_cast<unsigned>(from.fronts());
    to.front = static_cast<unsigned>(from.front_age());
    to.waves = static_cast<unsigned>(from.in_flight());
    to.shifts = static_cast<unsigned>(from.shifts());
    to.columns_leaving = 0;
    for (uint64_t n = 0; n < machine_.description().columns && n < 64; n++)
        to.columns_leaving |= static_cast<sc_dt::uint64>(from.leaving(n).valid) << n;
}

void probes::sample()
{
    const machine &m = machine_;
    for (int unit = WEFT_UNIT_HOST_IN; unit < WEFT_UNITS; unit++) {
        weft_unit u = static_cast<weft_unit>(unit);
        unit_[unit].busy = m.busy(u);
        unit_[unit].waiting = static_cast<unsigned>(m.board().waiting(u));
        unit_[unit].head = unit_[unit].waiting ? static_cast<unsigned>(m.board().head(u)->index) : 0;
    }
    const std::shared_ptr<job> &product = m.products().working(), &vector = m.vectors().working();
    for (int c = 0; c < 6; c++)
        class_[c] = m.counters().class_of_cycle() == c;
    instruction_ = static_cast<unsigned>(m.control().position());
    matrix_instruction_ = product ? static_cast<unsigned>(product->index) : 0;
    vector_instruction_ = vector ? static_cast<unsigned>(vector->index) : 0;
    vector_pipe_ = static_cast<unsigned>(m.vectors().piped());
    fifo_slots_ = m.tiles().slots();
    tiles_whole_ = static_cast<unsigned>(m.tiles().whole());
    tiles_shifted_ = static_cast<unsigned>(m.tiles().shifted());
    tiles_taken_ = static_cast<unsigned>(m.products().taken());
    written_ = static_cast<unsigned>(m.buffer().written());
    for (size_t i = 0; i < arrays_.size(); i++)
        sample_array(i);
}

void probes::trace_array(sc_core::sc_trace_file *file, size_t number) const
{
    using sc_core::sc_trace;
    const cells &a = arrays_[number];
    std::string suffix = arrays_.size() > 1 ? std::to_string(number) : "", planes = "planes" + suffix, array = "array" + suffix;
    sc_trace(file, a.shifting, planes + ".shifting");
    sc_trace(file, a.fronts, planes + ".fronts");
    sc_trace(file, a.front, planes + ".youngest_front");
    sc_trace(file, a.shifts, planes + ".shifts_in_array");
    sc_trace(file, a.instruction, array + ".instruction");
    sc_trace(file, a.waves, array + ".waves");
    sc_trace(file, a.columns_leaving, array + ".columns_leaving");
}

void probes::trace(sc_core::sc_trace_file *file) const
{
    static const char *const classes[] = {"weight_stall", "weight_shift", "input", "raw", "other", "active"};
    using sc_core::sc_trace;
    sc_trace(file, clock, "clock");
    sc_trace(file, instruction_, "dispatch.next_instruction");
    for (int unit = WEFT_UNIT_HOST_IN; unit < WEFT_UNITS; unit++) {
        std::string name = std::string("unit.") + weft_unit_name(static_cast<weft_unit>(unit));
        sc_trace(file, unit_[unit].busy, name + ".busy");
        sc_trace(file, unit_[unit].waiting, name + ".waiting");
        sc_trace(file, unit_[unit].head, name + ".head");
    }
    for (int c = 0; c < 6; c++)
        sc_trace(file, class_[c], std::string("class.") + classes[c]);
    sc_trace(file, fifo_slots_, "fifo.slots");
    sc_trace(file, tiles_whole_, "fifo.tiles_whole");
    sc_trace(file, tiles_shifted_, "planes.tiles_shifted");
    sc_trace(file, tiles_taken_, "planes.tiles_taken");
    sc_trace(file, matrix_instruction_, "unit.matrix.instruction");
    for (size_t i = 0; i < arrays_.size(); i++)
        trace_array(file, i);
    sc_trace(file, vector_instruction_, "unit.vector.instruction");
    sc_trace(file, vector_pipe_, "unit.vector.rows_in_pipe");
    sc_trace(file, written_, "buffer.bytes_written_before");
}

/* Between two cycles: behind the falling edge of `cycle - 1` and before the rising one of `cycle`. */
static void run_to(uint64_t cycle)
{
    sc_core::sc_time to = sc_core::sc_time::from_value(cycle * period().value() - period().value() / 4);
    if (to > sc_core::sc_time_stamp())
        sc_core::sc_start(to - sc_core::sc_time_stamp());
}

static bool stopped() { return sc_core::sc_get_status() == sc_core::SC_STOPPED; }

void run_traced(const probes &p, const std::string &directory, uint64_t from, uint64_t to)
{
    const uint64_t forever = UINT64_C(1) << 53; /* cycles: what simulated time holds */
    if (from > 0)
        run_to(std::min(from, forever));
    if (stopped())
        return;
    sc_core::sc_trace_file *file = sc_core::sc_create_vcd_trace_file((directory + "/wave").c_str());
    file->set_time_unit(100, sc_core::SC_PS); /* the finest that a clock of half a nanosecond a level needs, and a power of ten */
    p.trace(file);
    if (to < forever)
        run_to(to);
    else
        sc_core::sc_start();
    sc_core::sc_close_vcd_trace_file(file);
    if (!stopped())
        sc_core::sc_start();
}

} // namespace twin
