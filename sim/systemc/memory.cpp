/* memory.cpp: the write ports of a memory. */
#include "memory.h"

#include <cstring>

namespace twin
{

void memory::write_next(uint64_t address, const uint8_t *bytes, size_t count)
{
    writes_.push_back({address, pool_.size(), count});
    pool_.insert(pool_.end(), bytes, bytes + count);
}

void memory::commit()
{
    written_ = pool_.size();
    for (const write &w : writes_)
        std::memcpy(bytes_ + w.address, pool_.data() + w.from, w.count);
    writes_.clear();
    pool_.clear();
}

} // namespace twin
