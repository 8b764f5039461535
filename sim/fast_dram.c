/* fast_dram.c: see fast_dram.h. Runs of bursts in one open row are one step: the work of a transfer is a few steps for each row and
 * refresh that it meets, whatever its bytes. Names are those of docs/machine.md, "DRAM in detail". */
#include <assert.h>
#include <stdlib.h>

#include "fast_dram.h"

static fast_parts later(fast_parts a, fast_parts b) { return a > b ? a : b; }

/* --- one channel ----------------------------------------------------------------------------------------------------------- */

/* The refreshes that are due by `turn`: only the last of them is of consequence. */
static void refresh(const struct fast_dram *dram, struct fast_lane *lane, fast_parts turn)
{
    if (!dram->trefi || lane->due > turn) return;
    fast_parts at = lane->due, behind = turn - at;
    if (behind >= dram->trefi) at += behind / dram->trefi * dram->trefi;
    lane->over = later(at, lane->end) + dram->trfc;
    lane->due = at + dram->trefi;
    lane->epoch++;
}

/* Opens `row`, if it is not open. */
static void open_row(const struct fast_dram *dram, struct fast_lane *lane, struct fast_bank *bank, uint64_t row, fast_parts begin)
{
    fast_parts at = later(begin, lane->over);
    if (bank->epoch == lane->epoch) {
        if (bank->row == row) return;
        at = later(at, later(bank->act + dram->tras, bank->end)) + dram->trp;
    }
    if (lane->activated) at = later(at, lane->last + dram->trrd);
    lane->activated = true;
    lane->last = bank->act = at;
    bank->row = row;
    bank->epoch = lane->epoch;
}

/* Of `count` bursts in an open row, back to back from now on: those whose turn comes before the next refresh is due. */
static uint64_t before_refresh(const struct fast_dram *dram, const struct fast_lane *lane, uint64_t count)
{
    if (!dram->trefi || lane->end + count * dram->slot <= lane->due) return count;
    if (lane->end >= lane->due) return 0;
    uint64_t hits = (uint64_t)((lane->due - lane->end + dram->slot - 1) / dram->slot);
    return hits < count ? hits : count;
}

/* The channel's bursts number j, j + 1, ..., j + count - 1 of a transfer that begins at `begin`. */
static void move_lane(const struct fast_dram *dram, struct fast_lane *lane, fast_parts begin, uint64_t j, uint64_t count)
{
    while (count > 0) {
        uint64_t left = dram->row_bursts - j % dram->row_bursts, place = j / dram->row_bursts;
        struct fast_bank *bank = &lane->banks[place % dram->bank_count];
        fast_parts turn = later(lane->end, begin);
        refresh(dram, lane, turn);
        open_row(dram, lane, bank, place / dram->bank_count, begin);
        lane->end = later(turn, bank->act + dram->trcd) + dram->slot;
        uint64_t hits = before_refresh(dram, lane, (left < count ? left : count) - 1);
        lane->end += hits * dram->slot;
        bank->end = lane->end;
        j += hits + 1;
        count -= hits + 1;
    }
}

/* --- the device ------------------------------------------------------------------------------------------------------------ */

/* Bursts x, x + 1, ..., x + count - 1 go round the channels; the one that ends last frees the device. */
static fast_parts move_lanes(struct fast_dram *dram, fast_parts begin, uint64_t x, uint64_t count)
{
    fast_parts free = begin;
    uint64_t lanes = dram->lane_count, used = count < lanes ? count : lanes;
    for (uint64_t i = 0; i < used; i++) {
        struct fast_lane *lane = &dram->lanes[(x + i) % lanes];
        move_lane(dram, lane, begin, (x + i) / lanes, (count - i + lanes - 1) / lanes);
        free = later(free, lane->end);
    }
    return free;
}

bool fast_dram_move(struct fast_dram *dram, uint64_t start, uint64_t address, uint64_t bytes)
{
    struct fast_channel *bus = &dram->bus;
    if (!dram->lanes) return fast_channel_move(bus, start, bytes);
    assert(bytes % dram->burst_bytes == 0);
    fast_parts begin = (fast_parts)start * bus->rate.bytes, free = (fast_parts)bus->whole * bus->rate.bytes + bus->part;
    free = move_lanes(dram, later(begin, free), address / dram->burst_bytes, bytes / dram->burst_bytes);
    fast_parts whole = free / bus->rate.bytes;
    if (whole >> FAST_TIME_BITS) return false;
    bus->whole = (uint64_t)whole;
    bus->part = (uint64_t)(free % bus->rate.bytes);
    return true;
}

/* --- life ------------------------------------------------------------------------------------------------------------------ */

static fast_parts parts_of(const struct fast_dram *dram, const struct weft_machine *machine, uint64_t picoseconds)
{
    return (fast_parts)weft_ps_cycles(picoseconds, machine->clock_hz) * dram->bus.rate.bytes;
}

static void set_timing(struct fast_dram *dram, const struct weft_machine *machine)
{
    dram->latency += weft_ps_cycles(machine->dram_tcl_ps, machine->clock_hz);
    dram->lane_count = machine->dram_channels;
    dram->bank_count = machine->dram_banks;
    dram->burst_bytes = machine->dram_burst_bytes;
    dram->row_bursts = machine->dram_row_bytes / machine->dram_burst_bytes;
    if (dram->row_bursts == 0) dram->row_bursts = 1;
    dram->slot = (fast_parts)(machine->dram_burst_bytes * machine->dram_channels) * dram->bus.rate.cycles;
    dram->trcd = parts_of(dram, machine, machine->dram_trcd_ps);
    dram->trp = parts_of(dram, machine, machine->dram_trp_ps);
    dram->tras = parts_of(dram, machine, machine->dram_tras_ps);
    dram->trrd = parts_of(dram, machine, machine->dram_trrd_ps);
    dram->trfc = parts_of(dram, machine, machine->dram_trfc_ps);
    dram->trefi = parts_of(dram, machine, machine->dram_trefi_ps);
}

enum weft_status fast_dram_create(struct fast_dram *out, const struct weft_machine *machine)
{
    *out = (struct fast_dram){.latency = machine->dram_latency};
    out->bus.rate = weft_rate(machine->dram_bytes_per_second, machine->clock_hz);
    if (!machine->dram_detailed) return WEFT_OK;
    set_timing(out, machine);
    out->lanes = calloc(out->lane_count, sizeof *out->lanes);
    for (uint64_t i = 0; out->lanes && i < out->lane_count; i++) {
        struct fast_lane *lane = &out->lanes[i];
        lane->epoch = 1;
        lane->due = out->trefi;
        lane->banks = calloc(out->bank_count, sizeof *lane->banks);
        if (!lane->banks) fast_dram_free(out);
    }
    return out->lanes ? WEFT_OK : WEFT_NO_MEMORY;
}

void fast_dram_free(struct fast_dram *dram)
{
    for (uint64_t i = 0; dram->lanes && i < dram->lane_count; i++) free(dram->lanes[i].banks);
    free(dram->lanes);
    dram->lanes = NULL;
}
