/* memory.h: a memory of bytes (the unified buffer, host memory, DRAM): reads see what the last falling edge left, writes wait for the next. */
#ifndef WEFT_TWIN_MEMORY_H
#define WEFT_TWIN_MEMORY_H

#include <vector>

#include "clocked.h"

namespace twin
{

class memory : public clocked
{
  public:
    explicit memory(const sc_core::sc_module_name &module_name) : clocked(module_name) {}

    void bind(uint8_t *bytes) { bytes_ = bytes; }
    void reset() override { writes_.clear(), pool_.clear(), written_ = 0; }

    const uint8_t *at(uint64_t address) const { return bytes_ + address; }
    void write_next(uint64_t address, const uint8_t *bytes, size_t count);
    uint64_t written() const { return written_; } /* bytes, in the cycle before */

  private:
    void evaluate() override {}
    void commit() override;

    struct write {
        uint64_t address;
        size_t from, count; /* of pool_ */
    };
    uint8_t *bytes_ = nullptr;
    std::vector<write> writes_;
    std::vector<uint8_t> pool_;
    uint64_t written_ = 0;
};

} // namespace twin

#endif
