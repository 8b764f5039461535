/* platform.cpp PROGRAM [RUNS]: an example of a virtual platform: a host thread, a memory and the accelerator.
 *
 *     host --- memory --- DMA of the accelerator
 *       `----- registers of the accelerator, and its interrupt back
 *
 * The host puts the program file and random inputs into the memory, rings the doorbell, sleeps until the interrupt and compares outputs and
 * cycles with those of the fast engine. Twice, by default, with other inputs. */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <tlm_utils/multi_passthrough_target_socket.h>

#include "accelerator.h"

using namespace twin;

namespace
{

const uint64_t program_at = 0x1000;

/* Bytes behind a bus; ten nanoseconds an access. */
class ram : public sc_core::sc_module
{
  public:
    tlm_utils::multi_passthrough_target_socket<ram> socket;

    ram(const sc_core::sc_module_name &module_name, uint64_t size) : sc_module(module_name), socket("socket"), bytes_(size)
    {
        socket.register_b_transport(this, &ram::access);
    }

  private:
    void access(int, tlm::tlm_generic_payload &payload, sc_core::sc_time &delay)
    {
        uint64_t address = payload.get_address(), length = payload.get_data_length();
        if (address > bytes_.size() || length > bytes_.size() - address) {
            payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
            return;
        }
        if (length && payload.is_read()) /* with nothing to copy there may be nowhere to copy it */
            std::memcpy(payload.get_data_ptr(), &bytes_[address], length);
        else if (length)
            std::memcpy(&bytes_[address], payload.get_data_ptr(), length);
        delay += sc_core::sc_time(10, sc_core::SC_NS);
        payload.set_response_status(tlm::TLM_OK_RESPONSE);
    }
    std::vector<uint8_t> bytes_;
};

class host : public sc_core::sc_module
{
  public:
    tlm_utils::simple_initiator_socket<host> memory_socket, register_socket;
    sc_core::sc_in<bool> interrupt;

    SC_HAS_PROCESS(host);
    host(const sc_core::sc_module_name &module_name, const weft_program &program, const std::vector<uint8_t> &file, const accelerator &device,
         unsigned runs)
        : sc_module(module_name), memory_socket("memory"), register_socket("registers"), interrupt("interrupt"), program_(program), file_(file),
          device_(device), runs_(runs)
    {
        SC_THREAD(work);
    }
    bool good() const { return good_; }

  private:
    const weft_program &program_;
    const std::vector<uint8_t> &file_;
    const accelerator &device_;
    unsigned runs_;
    bool good_ = true;

    template <class Socket> void transfer(Socket &socket, tlm::tlm_command command, uint64_t address, void *bytes, uint64_t count)
    {
        tlm::tlm_generic_payload payload;
        sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
        payload.set_command(command);
        payload.set_address(address);
        payload.set_data_ptr(static_cast<unsigned char *>(bytes));
        payload.set_data_length(static_cast<unsigned>(count));
        payload.set_streaming_width(static_cast<unsigned>(count));
        socket->b_transport(payload, delay);
        if (payload.is_response_error())
            SC_REPORT_FATAL("host", payload.get_response_string().c_str());
        wait(delay);
    }
    void put(uint64_t offset, uint64_t value)
    {
        uint32_t word = static_cast<uint32_t>(value);
        transfer(register_socket, tlm::TLM_WRITE_COMMAND, offset, &word, 4);
    }
    uint32_t get(uint64_t offset)
    {
        uint32_t word = 0;
        transfer(register_socket, tlm::TLM_READ_COMMAND, offset, &word, 4);
        return word;
    }

    /* Host memory before a run: inputs of small numbers. */
    std::vector<uint8_t> inputs(unsigned run) const
    {
        std::vector<uint8_t> bytes(program_.host_bytes);
        std::mt19937 random(run + 1);
        for (size_t i = 0; i < program_.input_count; i++)
            for (uint64_t at = 0; at < program_.inputs[i].bytes; at++)
                bytes[program_.inputs[i].host + at] = static_cast<uint8_t>(random() % 64);
        return bytes;
    }

    /* The same run of the fast engine: equal in all of host memory and in cycles? */
    bool is_equal(std::vector<uint8_t> before, const std::vector<uint8_t> &after, uint64_t cycles) const
    {
        weft_diag diag = {weft_diag_stderr, nullptr, 0};
        weft_sim_options options = {};
        weft_sim *sim = nullptr;
        uint64_t size = 0;
        if (program_.data_bytes)
            std::memcpy(&before[program_.data_host], program_.data, program_.data_bytes);
        if (weft_sim_create(&sim, &program_, &options, &diag) != WEFT_OK)
            return false;
        bool equal = weft_sim_write(sim, WEFT_SPACE_HOST, 0, before.data(), before.size()) && weft_sim_run(sim, &diag) == WEFT_OK;
        const uint8_t *bytes = weft_sim_memory(sim, WEFT_SPACE_HOST, &size);
        equal = equal && std::equal(after.begin(), after.end(), bytes, bytes + size) && weft_sim_counters(sim)->cycles == cycles;
        weft_sim_free(sim);
        return equal;
    }

    void run(unsigned number)
    {
        uint64_t host_at = program_at + file_.size();
        std::vector<uint8_t> before = inputs(number), after(before.size()), image = file_;
        transfer(memory_socket, tlm::TLM_WRITE_COMMAND, program_at, image.data(), image.size());
        transfer(memory_socket, tlm::TLM_WRITE_COMMAND, host_at, before.data(), before.size());
        put(accelerator::PROGRAM_LOW, program_at);
        put(accelerator::PROGRAM_BYTES, image.size());
        put(accelerator::HOST_LOW, host_at);
        put(accelerator::HOST_HIGH, host_at >> 32);
        put(accelerator::DOORBELL, 1);
        wait(interrupt.posedge_event());
        uint64_t cycles = get(accelerator::CYCLES_LOW) | uint64_t(get(accelerator::CYCLES_HIGH)) << 32;
        bool done = get(accelerator::STATUS) == accelerator::DONE;
        put(accelerator::INTERRUPT, 0);
        transfer(memory_socket, tlm::TLM_READ_COMMAND, host_at, after.data(), after.size());
        bool equal = done && is_equal(before, after, cycles);
        if (done)
            std::printf("run %u: %llu cycles; %s\n", number + 1, static_cast<unsigned long long>(cycles),
                        equal ? "host memory and cycles are those of the fast engine" : "DIFFERENT from the fast engine");
        else
            std::fprintf(stderr, "weft_platform: %s\n", device_.error().c_str());
        good_ = good_ && equal;
    }

    void work()
    {
        for (unsigned i = 0; i < runs_ && good_; i++)
            run(i);
        sc_core::sc_stop();
    }
};

} // namespace

extern "C" __attribute__((visibility("default"))) int sc_main(int argc, char **argv)
{
    weft_diag diag = {weft_diag_stderr, nullptr, 0};
    weft_program *program = nullptr;
    bool help = argc > 1 && !std::strcmp(argv[1], "--help");
    if (argc < 2 || help) {
        std::fprintf(help ? stdout : stderr, "usage: weft_platform PROGRAM [RUNS]\n");
        return help ? 0 : 2;
    }
    if (weft_program_load(&program, argv[1], &diag) != WEFT_OK)
        return 1;
    std::ifstream in(argv[1], std::ios::binary);
    std::vector<uint8_t> file((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());

    sc_core::sc_clock clock("clock", period());
    sc_core::sc_signal<bool> interrupt("interrupt_line");
    ram memory("memory", program_at + file.size() + program->host_bytes);
    accelerator device("accelerator", program->machine, argv[1]);
    host h("host", *program, file, device, argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : 2);
    device.clock(clock);
    device.interrupt(interrupt);
    h.interrupt(interrupt);
    h.memory_socket.bind(memory.socket);
    device.dma.bind(memory.socket);
    h.register_socket.bind(device.registers);
    sc_core::sc_start();
    weft_program_free(program);
    return h.good() ? 0 : 1;
}

int main(int argc, char **argv)
{
    sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, sc_core::SC_DO_NOTHING);
    return sc_main(argc, argv);
}
