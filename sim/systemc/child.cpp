/* child.cpp: elaborates the twin, clocks it until it halts, and sends back what the frame keeps. */
#include "child.h"

#include "pipe.h"
#include "wave.h"

namespace twin
{

namespace
{

const uint64_t progress_every = 1 << 16; /* cycles */
const uint64_t chunk_bytes = 1 << 20;

void send_memory(int fd, const weft_sim &sim, weft_space space)
{
    const struct ::memory &m = sim.memory[space];
    for (uint64_t at = 0; m.bytes && m.held != ::memory::MEMORY_BORROWED && at < m.size; at += chunk_bytes) {
        uint64_t bytes = std::min(chunk_bytes, m.size - at);
        send(fd, {message::MEMORY, static_cast<uint32_t>(space), at, bytes}, m.bytes + at);
    }
}

void send_results(int fd, weft_sim &sim, machine &m)
{
    m.counters().finish(m.control().layer());
    const std::vector<weft_counters> &layers = m.counters().layers();
    for (weft_space space : {WEFT_SPACE_UB, WEFT_SPACE_ACC, WEFT_SPACE_HOST, WEFT_SPACE_DRAM})
        send_memory(fd, sim, space);
    send(fd, {message::LAYERS, 0, 0, layers.size() * sizeof layers[0]}, layers.data());
    send(fd, {message::END, sim.layer, sim.position, sizeof sim.config}, &sim.config);
}

} // namespace

void run_child(weft_sim &sim, int fd, const char *wave_directory)
{
    sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, sc_core::SC_DO_NOTHING); /* "stopped by user" */
    sc_core::sc_clock clock("clock", period());
    machine m("machine", sim.program->machine, !sim.options.timing_only);
    m.clock(clock);
    m.load(sim);
    m.on_end(sc_core::sc_stop);
    if (sim.options.observer.event)
        m.on_event = [fd](const weft_event &e) { send(fd, {message::EVENT, 0, 0, sizeof e}, &e); };
    m.on_cycle = [fd, &m] {
        if (cycle() % progress_every == 0)
            send(fd, {message::PROGRESS, 0, m.control().position(), 0}, nullptr);
    };
    if (wave_directory) {
        probes p("probes", m);
        p.clock(clock);
        run_traced(p, wave_directory, sim.options.wave_from, sim.options.wave_to);
    } else {
        sc_core::sc_start(); /* until dispatch stops it */
    }
    if (m.control().faulted())
        send(fd, {message::FAULT, 0, m.control().position(), m.control().message().size()}, m.control().message().data());
    else
        send_results(fd, sim, m);
}

} // namespace twin

/* The library wants one. Weft's programs have mains of their own and elaborate in run_child; a test that elaborates has its own. */
extern "C" __attribute__((weak, visibility("default"))) int sc_main(int, char **) { return 1; }
