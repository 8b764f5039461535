/* job.cpp: operands by walking rows and lanes, and hazards between two instructions (docs/machine.md, Hazards). */
#include "job.h"

#include <algorithm>

namespace twin
{

bool hazard::over() const { return writes ? on->writes_complete : on->reads_complete; }

bool job::ready() const
{
    return std::all_of(hazards.begin(), hazards.end(), [](const hazard &h) { return h.over(); });
}

namespace
{

struct interval {
    uint64_t low = UINT64_MAX, high = 0;
    void take(uint64_t address, uint64_t bytes)
    {
        low = std::min(low, address);
        high = std::max(high, address + bytes);
    }
};

class walker
{
  public:
    walker(job &j_, const weft_machine &machine_) : j(j_), i(j_.instr), machine(machine_) {}
    void walk();

  private:
    job &j;
    const weft_instr &i;
    const weft_machine &machine;

    void add(weft_space space, bool write, uint64_t low, uint64_t high, bool parameter = false)
    {
        j.operands.push_back({space, write, low, high, parameter});
    }
    void span(weft_space space, bool write, uint64_t low, uint64_t bytes) { add(space, write, low, low + bytes); }

    /* A row's part of an address and a lane's part are added, so the two may be walked apart. */
    interval pattern(unsigned number, uint64_t rows, uint64_t first_lane, uint64_t lanes, unsigned bytes) const
    {
        const weft_pattern &p = j.config.pattern[number];
        interval of_rows, of_lanes;
        for (uint64_t r = 0; r < rows; r++)
            of_rows.take(weft_pattern_address(&p, i.first_row + r, first_lane, bytes), 0);
        for (uint64_t l = 0; l < lanes; l++)
            of_lanes.take(weft_pattern_address(&p, i.first_row, first_lane + l, bytes), 0);
        uint64_t corner = weft_pattern_address(&p, i.first_row, first_lane, bytes);
        return {of_rows.low + of_lanes.low - corner, of_rows.high + of_lanes.high - corner + bytes};
    }
    void rows_of(bool write, unsigned number, uint64_t first_lane, uint64_t lanes, uint8_t format, uint64_t reach = 0)
    {
        interval bytes = pattern(number, i.rows, first_lane, lanes, weft_format_bytes(static_cast<weft_format>(format)));
        add(WEFT_SPACE_UB, write, bytes.low, bytes.high + reach);
    }
    /* from the first element of a window to its last */
    uint64_t reach() const
    {
        const weft_config &v = j.config;
        return (v.win_count0 - UINT64_C(1)) * v.win_stride0 + (v.win_count1 - UINT64_C(1)) * v.win_stride1;
    }
    void parameters(uint32_t base, uint32_t period)
    {
        interval bytes;
        for (uint64_t l = 0; l < i.lanes; l++)
            bytes.take(base + (i.first_lane + l) % period * 4, 4);
        add(WEFT_SPACE_UB, false, bytes.low, bytes.high, true);
    }
    void table()
    {
        if (i.func == WEFT_FUNCTION_table)
            add(WEFT_SPACE_UB, false, j.config.table, j.config.table + UINT64_C(256), true);
    }

    void transfer(weft_space far, uint64_t address, bool to_buffer)
    {
        span(far, !to_buffer, address, i.bytes);
        span(WEFT_SPACE_UB, to_buffer, i.ub, i.bytes);
    }
    void tile();
    void pushed_tile();
    void product();
    void activate();
    void vector();
};

void walker::tile()
{
    uint64_t cells = machine.whole_tiles ? machine.rows * machine.columns : uint64_t(i.k) * i.n;
    span(WEFT_SPACE_DRAM, false, i.dram, cells * weft_format_bytes(static_cast<weft_format>(i.fmt)));
}

void walker::pushed_tile()
{
    uint64_t rows = i.transpose ? i.n : i.k, lanes = i.transpose ? i.k : i.n;
    interval bytes = pattern(i.a, rows, i.first_lane, lanes, weft_format_bytes(static_cast<weft_format>(i.fmt)));
    add(WEFT_SPACE_UB, false, bytes.low, bytes.high);
}

void walker::product()
{
    if (i.op == WEFT_OP_CONVOLVE) {
        rows_of(false, i.a, i.first_lane, j.tile_k, i.fmt);
    } else {
        interval bytes;
        for (uint64_t r = 0; r < i.rows; r++)
            bytes.take(i.ub + r * i.stride, j.tile_k * weft_format_bytes(static_cast<weft_format>(i.fmt)));
        add(WEFT_SPACE_UB, false, bytes.low, bytes.high);
    }
    span(WEFT_SPACE_ACC, true, i.acc, i.rows);
    if (i.accumulate)
        span(WEFT_SPACE_ACC, false, i.acc, i.rows);
}

void walker::activate()
{
    if (i.pool) { /* p15 and the window's strides count ACC rows */
        interval rows = pattern(15, i.rows, 0, 1, 1);
        add(WEFT_SPACE_ACC, false, i.acc + rows.low, i.acc + rows.high + reach());
    } else {
        span(WEFT_SPACE_ACC, false, i.acc, i.rows);
    }
    if (i.bias)
        parameters(j.config.bias, j.config.bias_period);
    if (i.scale)
        parameters(j.config.scale, j.config.scale_period);
    if (i.residual)
        rows_of(false, i.b, i.first_lane, i.lanes, i.fmt_b);
    table();
    rows_of(true, i.d, i.first_lane, i.lanes, i.fmt);
}

void walker::vector()
{
    bool binary = i.op >= WEFT_OP_ADD && i.op <= WEFT_OP_MIN;
    if (i.op != WEFT_OP_FILL)
        rows_of(false, i.a, i.first_lane, i.lanes, i.fmt_a, i.op == WEFT_OP_POOL ? reach() : 0);
    if (binary)
        rows_of(false, i.b, i.first_lane, i.lanes, i.fmt_b);
    table();
    if (i.op == WEFT_OP_REDUCE)
        rows_of(true, i.d, 0, 1, i.fmt);
    else
        rows_of(true, i.d, i.first_lane, i.lanes, i.fmt);
}

void walker::walk()
{
    switch (i.op) {
    case WEFT_OP_NOP: case WEFT_OP_HALT: case WEFT_OP_SYNC: case WEFT_OP_TAG: case WEFT_OP_SET: return;
    case WEFT_OP_READ_HOST: return transfer(WEFT_SPACE_HOST, i.host, true);
    case WEFT_OP_WRITE_HOST: return transfer(WEFT_SPACE_HOST, i.host, false);
    case WEFT_OP_READ_DRAM: return transfer(WEFT_SPACE_DRAM, i.dram, true);
    case WEFT_OP_WRITE_DRAM: return transfer(WEFT_SPACE_DRAM, i.dram, false);
    case WEFT_OP_READ_WEIGHTS: return tile();
    case WEFT_OP_PUSH_WEIGHTS: return pushed_tile();
    case WEFT_OP_MATMUL: case WEFT_OP_CONVOLVE: return product();
    case WEFT_OP_ACTIVATE: return activate();
    default: return vector();
    }
}

bool meet(const operand &a, const operand &b) { return a.space == b.space && a.low < b.high && b.low < a.high; }

} // namespace

void find_operands(job &j, const weft_machine &machine) { walker(j, machine).walk(); }

void find_hazards(job &younger, const std::shared_ptr<job> &older)
{
    bool after_writes = false, after_reads = false;
    for (const operand &mine : younger.operands)
        for (const operand &its : older->operands) {
            bool pipelined = mine.space == WEFT_SPACE_ACC && younger.is_product() && older->is_product() && younger.array == older->array;
            if (pipelined || !meet(mine, its))
                continue;
            after_writes = after_writes || its.write;
            after_reads = after_reads || (!its.write && mine.write);
        }
    if (after_writes && !older->writes_complete)
        younger.hazards.push_back({older, true});
    if (after_reads && !older->reads_complete)
        younger.hazards.push_back({older, false});
}

} // namespace twin
