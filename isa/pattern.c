/* pattern.c: the configuration registers, and the addresses that access patterns make. */
#include <assert.h>
#include <string.h>

#include "weft_isa.h"

/* --- registers ---------------------------------------------------------------------------------------------------- */

enum { PATTERN_REGISTERS = 8 /* numbers that a pattern takes */, VECTOR_FIRST = 0x80 };

#define ROW(p, offset, name_, KIND0, KIND1, reset0, reset1, meaning_)                                                              \
    {.number = p * PATTERN_REGISTERS + offset, .name = "p" #p "." name_, .meaning = meaning_,                                      \
     .half = {WEFT_HALF_##KIND0, WEFT_HALF_##KIND1}, .reset = {reset0, reset1}},
#define ROWS4(p0, p1, p2, p3, ...) ROW(p0, __VA_ARGS__) ROW(p1, __VA_ARGS__) ROW(p2, __VA_ARGS__) ROW(p3, __VA_ARGS__)
#define ROWS(...)                                                                                                                  \
    ROWS4(0, 1, 2, 3, __VA_ARGS__) ROWS4(4, 5, 6, 7, __VA_ARGS__)                                                                  \
    ROWS4(8, 9, 10, 11, __VA_ARGS__) ROWS4(12, 13, 14, 15, __VA_ARGS__)

/* In the order offset, pattern; then the vector unit's. */
static const struct weft_register registers[] = {
#define WEFT_PATTERN_REG(offset, name, first, second, KIND0, KIND1, reset0, reset1, meaning)                                       \
    ROWS(offset, name, KIND0, KIND1, reset0, reset1, meaning)
#define WEFT_VECTOR_REG(number_, name_, first, second, KIND0, KIND1, reset0, reset1, meaning_)                                     \
    {.number = number_, .name = name_, .meaning = meaning_, .half = {WEFT_HALF_##KIND0, WEFT_HALF_##KIND1}, .reset = {reset0, reset1}},
#include "registers.def"
};
enum { REGISTERS = sizeof registers / sizeof *registers };

enum {
    PATTERN_OFFSETS = 0
#define WEFT_PATTERN_REG(offset, ...) + 1
#include "registers.def"
    ,
    VECTOR_REGISTERS = REGISTERS - PATTERN_OFFSETS * WEFT_PATTERNS
};

const struct weft_register *weft_register_table(size_t *count)
{
    *count = REGISTERS;
    return registers;
}

const struct weft_register *weft_register_find(const char *name)
{
    for (size_t i = 0; i < REGISTERS; i++)
        if (!strcmp(registers[i].name, name))
            return &registers[i];
    return NULL;
}

const struct weft_register *weft_register_at(uint32_t number)
{
    if (number >= VECTOR_FIRST)
        return number - VECTOR_FIRST < VECTOR_REGISTERS ? &registers[PATTERN_OFFSETS * WEFT_PATTERNS + (number - VECTOR_FIRST)] : NULL;
    uint32_t offset = number % PATTERN_REGISTERS;
    return offset < PATTERN_OFFSETS ? &registers[offset * WEFT_PATTERNS + number / PATTERN_REGISTERS] : NULL;
}

#define PUT_NONE(member, value) (void)(value)
#define PUT_UINT(member, value) (member) = (value)
#define PUT_SINT(member, value) (member) = (int32_t)(value)
#define PUT_FLOAT(member, value) memcpy(&(member), &(value), sizeof(float))

static bool set_pattern(struct weft_pattern *pattern, uint32_t offset, uint32_t value0, uint32_t value1)
{
    switch (offset) {
#define WEFT_PATTERN_REG(offset_, name, first, second, KIND0, KIND1, reset0, reset1, meaning)                                      \
    case offset_:                                                                                                                  \
        PUT_##KIND0(pattern->first, value0);                                                                                       \
        PUT_##KIND1(pattern->second, value1);                                                                                      \
        return true;
#include "registers.def"
    default: return false;
    }
}

bool weft_config_set(struct weft_config *config, uint32_t reg, uint32_t value0, uint32_t value1)
{
    if (reg < VECTOR_FIRST)
        return set_pattern(&config->pattern[reg / PATTERN_REGISTERS], reg % PATTERN_REGISTERS, value0, value1);
    switch (reg) {
#define WEFT_VECTOR_REG(number, name, first, second, KIND0, KIND1, reset0, reset1, meaning)                                        \
    case number:                                                                                                                   \
        PUT_##KIND0(config->first, value0);                                                                                        \
        PUT_##KIND1(config->second, value1);                                                                                       \
        return true;
#include "registers.def"
    default: return false;
    }
}

void weft_config_reset(struct weft_config *config)
{
    memset(config, 0, sizeof *config);
    for (size_t i = 0; i < REGISTERS; i++)
        weft_config_set(config, registers[i].number, registers[i].reset[0], registers[i].reset[1]);
}

/* --- addresses ------------------------------------------------------------------------------------------------------ */

/* A number of three digits, the first one innermost, and what each is worth. The last digit has no bound of its own. */
struct digits {
    uint64_t digit[3];
};
struct radix {
    uint64_t count[2], stride[3];
};

static struct radix row_radix(const struct weft_pattern *p)
{
    return (struct radix){.count = {p->count0, p->count1}, .stride = {p->stride0, p->stride1, p->stride2}};
}

static struct radix lane_radix(const struct weft_pattern *p, unsigned element_bytes)
{
    return (struct radix){.count = {p->run_length, p->block_runs}, .stride = {element_bytes, p->run_stride, p->block_stride}};
}

static struct digits split(const struct radix *radix, uint64_t number)
{
    if (number < radix->count[0]) /* most lanes, and the rows of plain patterns */
        return (struct digits){{number, 0, 0}};
    uint64_t rest = number / radix->count[0];
    return (struct digits){{number % radix->count[0], rest % radix->count[1], rest / radix->count[1]}};
}

static uint64_t worth(const struct radix *radix, const struct digits *d)
{
    return d->digit[0] * radix->stride[0] + d->digit[1] * radix->stride[1] + d->digit[2] * radix->stride[2];
}

uint64_t weft_pattern_address(const struct weft_pattern *pattern, uint64_t row, uint64_t lane, unsigned element_bytes)
{
    assert(pattern->count0 && pattern->count1 && pattern->run_length && pattern->block_runs); /* weft_check refuses the others */
    struct radix rows = row_radix(pattern), lanes = lane_radix(pattern, element_bytes);
    struct digits r = split(&rows, row), l = split(&lanes, lane);
    return pattern->base + worth(&rows, &r) + worth(&lanes, &l);
}

uint64_t weft_pattern_rows(const struct weft_pattern *pattern)
{
    const uint64_t most = UINT64_C(1) << 63;
    unsigned __int128 rows = (unsigned __int128)pattern->count0 * pattern->count1 * pattern->count2;
    return rows > most ? most : (uint64_t)rows;
}

/* The number that two digits and the rest make; saturated, as it is only compared with numbers that were split. */
static uint64_t joined(const struct radix *radix, const struct digits *d)
{
    unsigned __int128 n = ((unsigned __int128)d->digit[2] * radix->count[1] + d->digit[1]) * radix->count[0] + d->digit[0];
    return n > UINT64_MAX ? UINT64_MAX : (uint64_t)n;
}

/* Least worth of the numbers first..last. Strides are not negative, so beside `first` itself only those numbers can be least that
 * share its upper digits, have one digit higher by one, and zeros below. */
static uint64_t least(const struct radix *radix, uint64_t first, uint64_t last)
{
    struct digits d = split(radix, first);
    uint64_t best = worth(radix, &d);
    for (int i = 1; i < 3; i++) {
        struct digits c = d;
        c.digit[i]++;
        for (int j = 0; j < i; j++)
            c.digit[j] = 0;
        if ((i == 2 || c.digit[i] < radix->count[i]) && joined(radix, &c) <= last && worth(radix, &c) < best)
            best = worth(radix, &c);
    }
    return best;
}

/* Greatest worth: `last` itself, or one digit lower by one and the highest digits below. */
static uint64_t greatest(const struct radix *radix, uint64_t first, uint64_t last)
{
    struct digits d = split(radix, last);
    uint64_t best = worth(radix, &d);
    for (int i = 1; i < 3; i++) {
        struct digits c = d;
        if (c.digit[i]-- == 0)
            continue;
        for (int j = 0; j < i; j++)
            c.digit[j] = radix->count[j] - 1;
        if (joined(radix, &c) >= first && worth(radix, &c) > best)
            best = worth(radix, &c);
    }
    return best;
}

struct weft_range weft_pattern_range(const struct weft_pattern *pattern, uint64_t first_row, uint64_t rows, uint64_t first_lane, uint64_t lanes,
                                     unsigned element_bytes)
{
    if (!rows || !lanes)
        return (struct weft_range){pattern->base, pattern->base};
    assert(pattern->count0 && pattern->count1 && pattern->run_length && pattern->block_runs);
    struct radix r = row_radix(pattern), l = lane_radix(pattern, element_bytes);
    uint64_t last_row = first_row + rows - 1, last_lane = first_lane + lanes - 1;
    return (struct weft_range){
        .low = pattern->base + least(&r, first_row, last_row) + least(&l, first_lane, last_lane),
        .high = pattern->base + greatest(&r, first_row, last_row) + greatest(&l, first_lane, last_lane) + element_bytes,
    };
}
