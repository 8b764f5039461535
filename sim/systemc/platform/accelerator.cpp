/* accelerator.cpp: registers, DMA and the runs between them. */
#include "accelerator.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <sys/mman.h>
#include <unistd.h>

namespace twin
{

accelerator::accelerator(const sc_core::sc_module_name &module_name, const weft_machine &description, const std::string &program)
    : sc_module(module_name), clock("clock"), interrupt("interrupt"), registers("registers"), dma("dma"), description_(description), program_(program),
      machine_("machine", description_, true)
{
    machine_.clock(clock);
    machine_.on_end([this] { /* now, before the meter sees one more cycle */
        machine_.counters().finish(machine_.control().layer());
        cycles_ = 0;
        for (const weft_counters &layer : machine_.counters().layers())
            cycles_ += layer.cycles;
        ended_.notify(sc_core::SC_ZERO_TIME);
    });
    registers.register_b_transport(this, &accelerator::access);
    SC_THREAD(work);
    SC_METHOD(raise_line);
    sensitive << line_;
    dont_initialize();
}

/* --- registers ---------------------------------------------------------------------------------------------------------------- */

void accelerator::access(tlm::tlm_generic_payload &payload, sc_core::sc_time &)
{
    uint64_t offset = payload.get_address();
    payload.set_dmi_allowed(false);
    if (offset % 4 || offset >= REGISTERS_END) {
        payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    } else if (payload.get_data_length() != 4 || payload.get_byte_enable_ptr()) {
        payload.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
    } else if (payload.is_read()) {
        std::memcpy(payload.get_data_ptr(), &file_[offset / 4], 4);
        payload.set_response_status(tlm::TLM_OK_RESPONSE);
    } else if (payload.is_write() && (file_[STATUS / 4] != BUSY || offset == INTERRUPT)) {
        uint32_t value;
        std::memcpy(&value, payload.get_data_ptr(), 4);
        write(offset, value);
        payload.set_response_status(tlm::TLM_OK_RESPONSE);
    } else {
        payload.set_response_status(tlm::TLM_COMMAND_ERROR_RESPONSE);
    }
}

void accelerator::write(uint64_t offset, uint32_t value)
{
    switch (offset) {
    case DOORBELL:
        if (value != 1)
            return;
        file_[STATUS / 4] = BUSY;
        rung_.notify(sc_core::SC_ZERO_TIME);
        return;
    case STATUS: case CYCLES_LOW: case CYCLES_HIGH: return; /* read-only */
    case INTERRUPT:
        file_[offset / 4] = value & 1;
        line_.notify(sc_core::SC_ZERO_TIME);
        return;
    default: file_[offset / 4] = value; return;
    }
}

void accelerator::raise_line() { interrupt.write(file_[INTERRUPT / 4] != 0); }

/* --- runs --------------------------------------------------------------------------------------------------------------------------- */

void accelerator::keep(void *user, const char *message) { static_cast<accelerator *>(user)->error_ = message; }

bool accelerator::complain(const std::string &why)
{
    error_ = why;
    return false;
}

bool accelerator::transfer(tlm::tlm_command command, uint64_t address, uint8_t *bytes, uint64_t count)
{
    const uint64_t most = 1 << 16; /* of one transaction */
    for (uint64_t at = 0; at < count; at += most) {
        tlm::tlm_generic_payload payload;
        sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
        unsigned length = static_cast<unsigned>(std::min(most, count - at));
        payload.set_command(command);
        payload.set_address(address + at);
        payload.set_data_ptr(bytes + at);
        payload.set_data_length(length);
        payload.set_streaming_width(length);
        dma->b_transport(payload, delay);
        if (payload.is_response_error())
            return complain("the bus answers " + payload.get_response_string() + " at address " + std::to_string(address + at));
        wait(delay);
    }
    return true;
}

/* The file as DMA brought it, through the loader that checks it. */
bool accelerator::load(weft_program **program)
{
    std::vector<uint8_t> image(file_[PROGRAM_BYTES / 4]);
    weft_diag diag = {keep, this, 0};
    if (!transfer(tlm::TLM_READ_COMMAND, pair(PROGRAM_LOW), image.data(), image.size()))
        return false;
    int fd = memfd_create("program", MFD_CLOEXEC);
    bool stored = fd >= 0 && ::write(fd, image.data(), image.size()) == static_cast<ssize_t>(image.size());
    std::string path = "/proc/self/fd/" + std::to_string(fd);
    bool loaded = stored && weft_program_load(program, path.c_str(), &diag) == WEFT_OK;
    if (fd >= 0)
        close(fd);
    if (!stored)
        return complain("no memory for the program file");
    size_t count;
    const weft_machine_field *fields = weft_machine_fields(&count);
    for (size_t i = 0; loaded && i < count; i++) {
        const char *mine = reinterpret_cast<const char *>(&description_), *its = reinterpret_cast<const char *>(&(*program)->machine);
        if (std::memcmp(mine + fields[i].offset, its + fields[i].offset, sizeof(uint64_t))) {
            weft_program_free(*program);
            return complain(std::string("the program is for a machine with another ") + fields[i].name);
        }
    }
    return loaded;
}

bool accelerator::run_program(const weft_program &program)
{
    weft_diag diag = {keep, this, 0};
    weft_sim_options options = {};
    options.engine = WEFT_ENGINE_SYSTEMC;
    options.name = program_.c_str();
    weft_sim *made = nullptr;
    if (weft_sim_create(&made, &program, &options, &diag) != WEFT_OK)
        return false;
    std::unique_ptr<weft_sim, void (*)(weft_sim *)> sim(made, weft_sim_free);
    const struct ::memory &host = sim->memory[WEFT_SPACE_HOST];
    if (!transfer(tlm::TLM_READ_COMMAND, pair(HOST_LOW), host.bytes, host.size))
        return false;
    if (program.data_bytes) /* the program's own constants come with the program */
        std::memcpy(host.bytes + program.data_host, program.data, program.data_bytes);
    wait(clock.negedge_event()); /* a run begins with a rising edge */
    wait(sc_core::SC_ZERO_TIME);
    machine_.load(*sim);
    wait(ended_);
    if (machine_.control().faulted())
        return complain(machine_.control().message());
    return transfer(tlm::TLM_WRITE_COMMAND, pair(HOST_LOW), host.bytes, host.size);
}

bool accelerator::run()
{
    weft_program *program = nullptr;
    error_.clear();
    if (!load(&program))
        return false;
    bool good = run_program(*program);
    weft_program_free(program);
    return good;
}

void accelerator::work()
{
    for (;;) {
        wait(rung_);
        bool good = run();
        file_[DOORBELL / 4] = 0;
        file_[CYCLES_LOW / 4] = static_cast<uint32_t>(cycles_);
        file_[CYCLES_HIGH / 4] = static_cast<uint32_t>(cycles_ >> 32);
        file_[STATUS / 4] = good ? DONE : FAULT;
        file_[INTERRUPT / 4] = 1;
        line_.notify(sc_core::SC_ZERO_TIME);
    }
}

} // namespace twin
