/* meter.h: what is counted, cycle by cycle (docs/machine.md, Counting; docs/metrics.md). */
#ifndef WEFT_TWIN_METER_H
#define WEFT_TWIN_METER_H

#include <vector>

#include "clocked.h"
#include "scoreboard.h"

extern "C" {
#include "weft_sim.h"
}

namespace twin
{

class fetch;
class matrix;

class meter : public clocked
{
  public:
    enum cycle_class { WEIGHT_STALL, WEIGHT_SHIFT, INPUT, RAW, OTHER, ACTIVE };

    meter(const sc_core::sc_module_name &module_name, const scoreboard &board);
    void bind(const fetch &tiles, const matrix &products) { fetch_ = &tiles, matrix_ = &products; }

    void reset() override { unclaimed_ = 0; }
    void set_layers(size_t count) { layers_.assign(count, weft_counters()); }
    weft_counters &layer(uint32_t number) { return layers_[number]; } /* sums and peaks: the order of adding does not matter */
    const std::vector<weft_counters> &layers() const { return layers_; }
    void finish(uint32_t last_layer); /* cycles behind the last product */
    cycle_class class_of_cycle() const; /* a wire */

  private:
    void evaluate() override;
    void commit() override {}
    cycle_class classify(const job &next) const;
    void count(cycle_class c, uint32_t layer, uint64_t cycles);

    std::vector<weft_counters> layers_;
    const scoreboard &board_;
    const fetch *fetch_ = nullptr;
    const matrix *matrix_ = nullptr;
    uint64_t unclaimed_ = 0; /* cycles before the next product was dispatched: its layer is not known yet */
};

} // namespace twin

#endif
