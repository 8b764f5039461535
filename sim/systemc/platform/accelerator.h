/* accelerator.h: the clocked twin as a device on a virtual platform.
 *
 * A TLM-2.0 target socket for its registers, an initiator socket for its DMA, an interrupt line and a clock. It is built with the
 * description of a machine; the program file that it is given must be for that machine.
 *
 *     offset  register        meaning (32 bits each, little-endian)
 *     0x00    DOORBELL        write 1: run the program. Refused while busy
 *     0x04    STATUS          0 idle, 1 busy, 2 done, 3 fault (the message is in error())
 *     0x08    PROGRAM_LOW     bus address of the program file (ELF, as `weft compile` writes it)
 *     0x0c    PROGRAM_HIGH
 *     0x10    PROGRAM_BYTES
 *     0x14    HOST_LOW        bus address of the program's host memory: inputs and outputs lie there at the addresses that the file says
 *     0x18    HOST_HIGH
 *     0x1c    CYCLES_LOW      of the last run
 *     0x20    CYCLES_HIGH
 *     0x24    INTERRUPT       1 after a run; write 0: the line falls
 *
 * A run reads the program file and the program's host memory by DMA, clocks the machine from dispatch to halt, and writes the host memory
 * back: the link's own time is the machine's. A machine's clock is one period of `clock`, whatever that is.
 */
#ifndef WEFT_TWIN_ACCELERATOR_H
#define WEFT_TWIN_ACCELERATOR_H

#include <string>
#include <tlm>
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>
#include <vector>

#include "twin.h"

namespace twin
{

class accelerator : public sc_core::sc_module
{
  public:
    enum reg : uint64_t {
        DOORBELL = 0x00, STATUS = 0x04, PROGRAM_LOW = 0x08, PROGRAM_HIGH = 0x0c, PROGRAM_BYTES = 0x10, HOST_LOW = 0x14, HOST_HIGH = 0x18,
        CYCLES_LOW = 0x1c, CYCLES_HIGH = 0x20, INTERRUPT = 0x24, REGISTERS_END = 0x28
    };
    enum status : uint32_t { IDLE, BUSY, DONE, FAULT };

    /* `program`: what the host calls its program, for messages; a device is given bytes, and knows no file. */
    accelerator(const sc_core::sc_module_name &module_name, const weft_machine &description, const std::string &program);

    sc_core::sc_in<bool> clock;
    sc_core::sc_out<bool> interrupt;
    tlm_utils::simple_target_socket<accelerator> registers;
    tlm_utils::simple_initiator_socket<accelerator> dma;

    const std::string &error() const { return error_; }

  private:
    SC_HAS_PROCESS(accelerator);
    void access(tlm::tlm_generic_payload &payload, sc_core::sc_time &delay);
    void write(uint64_t offset, uint32_t value);
    void work();
    void raise_line();
    bool run();
    bool run_program(const weft_program &program);
    bool load(weft_program **program);
    bool transfer(tlm::tlm_command command, uint64_t address, uint8_t *bytes, uint64_t count);
    uint64_t pair(reg low) const { return file_[low / 4] | uint64_t(file_[low / 4 + 1]) << 32; }
    bool complain(const std::string &why);
    static void keep(void *user, const char *message);

    weft_machine description_;
    std::string program_;
    machine machine_;
    uint32_t file_[REGISTERS_END / 4] = {};
    sc_core::sc_event rung_, ended_, line_;
    uint64_t cycles_ = 0;
    std::string error_;
};

} // namespace twin

#endif
