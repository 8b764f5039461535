/* clocked.h: what every module of the twin is: state, and two edges of one clock.
 *
 *     rising edge    evaluate()   reads the state of any module, as the last falling edge left it; writes nothing that another module
 *                                 can see, but hands over what is to change (the functions named `..._next` and the write ports)
 *     falling edge   commit()     brings a module's own changes into effect; looks at no other module
 *
 * So the order in which the kernel calls the modules never matters. Where one unit's start in a cycle hangs on another's in the same
 * cycle (a wire, in hardware), the wire is a const function of committed state, which anyone may ask at any time of the rising edge.
 * Cycle n is the nanosecond n of simulated time, so that a waveform's time is a cycle.
 */
#ifndef WEFT_TWIN_CLOCKED_H
#define WEFT_TWIN_CLOCKED_H

#include <cstdint>
#include <systemc>

namespace twin
{

class clocked : public sc_core::sc_module
{
  public:
    sc_core::sc_in<bool> clock;

    virtual void reset() {} /* before a run, at any time between two edges: nothing is under way */

  protected:
    SC_HAS_PROCESS(clocked);
    explicit clocked(const sc_core::sc_module_name &module_name) : sc_module(module_name), clock("clock")
    {
        SC_METHOD(evaluate);
        sensitive << clock.pos();
        dont_initialize();
        SC_METHOD(commit);
        sensitive << clock.neg();
        dont_initialize();
    }
    virtual void evaluate() = 0;
    virtual void commit() = 0;
};

inline sc_core::sc_time period() { return sc_core::sc_time(1, sc_core::SC_NS); }

/* The present cycle: of the rising edge and of the falling one behind it. */
inline uint64_t cycle() { return sc_core::sc_time_stamp().value() / period().value(); }

} // namespace twin

#endif
