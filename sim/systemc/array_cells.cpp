/* array_cells.cpp: what a row of cells does in a cycle. Tight loops, so that 65,536 cells step in some ten microseconds. */
#include "array.h"

#include <cstring>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#endif
#if defined(__x86_64__) && !defined(SANITIZED)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

namespace twin
{

namespace
{

inline float as_float(uint32_t bits)
{
    float f;
    std::memcpy(&f, &bits, sizeof f);
    return f;
}

inline uint32_t as_bits(float f)
{
    uint32_t bits;
    std::memcpy(&bits, &f, sizeof bits);
    return bits;
}

inline float widen(int16_t bf16) { return as_float(static_cast<uint32_t>(static_cast<uint16_t>(bf16)) << 16); }

inline uint32_t integer_product(int16_t a, int16_t w) { return static_cast<uint32_t>(static_cast<int32_t>(a) * static_cast<int32_t>(w)); }

inline uint32_t float_sum(uint32_t above, int16_t a, int16_t w)
{
    float product = widen(a) * widen(w);
    return as_bits(as_float(above) + product);
}

inline int16_t select(int16_t mask, int16_t low, int16_t high) { return static_cast<int16_t>((low & ~mask) | (high & mask)); }

} // namespace

WIDE void integer_cells(const cell_row &r)
{
    uint32_t *__restrict__ out = r.out;
    const uint32_t *above = r.above;
    const int16_t *a = r.activation, *w = r.low;
    for (uint64_t n = 0; n < r.columns; n++)
        out[n] = above[n] + integer_product(a[n], w[n]);
}

WIDE void part_cells(const cell_row &r)
{
    uint32_t *__restrict__ out = r.out;
    const uint32_t *above = r.above;
    const int16_t *a = r.activation, *low = r.low, *high = r.high, *mask = r.takes_high;
    for (uint64_t n = 0; n < r.columns; n++)
        out[n] = above[n] + integer_product(a[n], select(mask[n], low[n], high[n]));
}

WIDE void float_cells(const cell_row &r)
{
    uint32_t *__restrict__ out = r.out;
    const uint32_t *above = r.above;
    const int16_t *a = r.activation, *w = r.low;
    for (uint64_t n = 0; n < r.columns; n++)
        out[n] = float_sum(above[n], a[n], w[n]);
}

WIDE void mixed_cells(const cell_row &r)
{
    uint32_t *__restrict__ out = r.out;
    const uint32_t *above = r.above;
    const int16_t *a = r.activation, *low = r.low, *high = r.high, *mask = r.takes_high;
    const uint32_t *real = r.is_float;
    for (uint64_t n = 0; n < r.columns; n++) {
        uint32_t integer = above[n] + integer_product(a[n], select(mask[n], low[n], high[n]));
        out[n] = (integer & ~real[n]) | (float_sum(above[n], a[n], low[n]) & real[n]);
    }
}

} // namespace twin
