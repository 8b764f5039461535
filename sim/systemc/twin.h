/* twin.h: the whole machine of docs/machine.md, clocked.
 *
 *     dispatch -> scoreboard -> link in, link out          host memory  <-> unified buffer
 *                            -> dram (and its channel)     DRAM         <-> unified buffer
 *                            -> fetch (and the FIFO)       DRAM          -> shadow plane
 *                            -> matrix -> arrays -> accumulators
 *                            -> vector unit                accumulators, unified buffer -> unified buffer
 *     meter: looks at all of them and counts
 */
#ifndef WEFT_TWIN_TWIN_H
#define WEFT_TWIN_TWIN_H

#include <functional>
#include <memory>

#include "accumulators.h"
#include "array.h"
#include "dispatch.h"
#include "dram.h"
#include "fetch.h"
#include "link.h"
#include "matrix.h"
#include "memory.h"
#include "meter.h"
#include "vector_unit.h"

namespace twin
{

class machine : public sc_core::sc_module
{
  public:
    machine(const sc_core::sc_module_name &module_name, const weft_machine &description, bool values);

    /* Resets the machine and begins the program of `sim`, whose machine is this one, at the next rising edge; works in sim's memories,
     * registers and position. on_end is called at the falling edge of the last cycle. */
    void load(weft_sim &sim);
    void on_end(const std::function<void()> &call) { dispatch_.on_end = call; }

    sc_core::sc_in<bool> clock;
    std::function<void(const weft_event &)> on_event; /* control instructions, and others when all their times are known */

    std::function<void()> on_cycle; /* at each falling edge */

    const dispatch &control() const { return dispatch_; }
    meter &counters() { return meter_; }

    /* for waveforms and tests */
    const meter &counters() const { return meter_; }
    const scoreboard &board() const { return board_; }
    const matrix &products() const { return matrix_; }
    const vector_unit &vectors() const { return vector_; }
    const fetch &tiles() const { return fetch_; }
    const arrays &cells() const { return arrays_; }
    const memory &buffer() const { return buffer_; }
    bool busy(weft_unit unit) const; /* a wire */
    const weft_machine &description() const { return m_; }

  private:
    SC_HAS_PROCESS(machine);
    void tell(const job &j) const;
    void tick();

    std::vector<clocked *> modules();

    bool values_;
    const weft_machine &m_;
    scoreboard board_;
    meter meter_;
    memory host_, device_, buffer_;
    memory *host_or_none_, *device_or_none_, *buffer_or_none_;
    dispatch dispatch_;
    link link_in_, link_out_;
    dram dram_;
    arrays arrays_;
    fetch fetch_;
    matrix matrix_;
    accumulators acc_;
    vector_unit vector_;
};

} // namespace twin

#endif
