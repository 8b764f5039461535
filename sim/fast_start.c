/* fast_start.c: an instruction starts. Its times follow from docs/machine.md; units, channels, FIFO and planes move on. */
#include <assert.h>

#include "fast_clock_parts.h"

/* S. Shifts whose start is known: the tile is on its way and the release of its array's shadow plane is fixed. */
static void advance_shifts(struct fast_clock *clock)
{
    uint64_t arrays = clock->machine->arrays;
    while (clock->shifted < clock->fetched && clock->taken + arrays > clock->shifted) {
        struct tile *tile = fast_tile(clock, clock->shifted);
        const struct tile *last = clock->shifted > 0 ? fast_tile(clock, clock->shifted - 1) : NULL;
        uint64_t at = last ? fast_later(tile->whole, last->shift_start) : tile->whole;
        if (clock->shifted >= arrays) {
            const struct tile *before = fast_tile(clock, clock->shifted - arrays); /* in the same array */
            at = fast_later(at, fast_later(before->taken, before->shift_end));
        }
        tile->shift_start = at;
        tile->shift_end = at + tile->shift_cycles;
        tile->slot_back = last ? fast_later(tile->shift_end, last->slot_back) : tile->shift_end;
        clock->shifted++;
    }
}

/* A transfer on a link: T1. */
static void start_transfer(struct fast_clock *clock, struct flight *flight, struct fast_channel *channel, uint64_t latency)
{
    if (!fast_channel_move(channel, flight->start, flight->amount)) clock->overlong = true;
    flight->end = fast_channel_floor(channel);
    flight->reads_done = fast_channel_ceil(channel);
    flight->writes_done = flight->reads_done + latency;
}

/* One on the DRAM channel: T1, or DRAM in detail. */
static void start_dram(struct fast_clock *clock, struct flight *flight)
{
    struct fast_dram *dram = &clock->dram;
    if (!fast_dram_move(dram, flight->start, flight->dram, flight->amount)) clock->overlong = true;
    flight->end = fast_channel_floor(&dram->bus);
    flight->reads_done = fast_channel_ceil(&dram->bus);
    flight->writes_done = flight->reads_done + dram->latency;
}

/* F. The tile is whole when its bytes are there, and no earlier than the one before it. */
static void start_fetch(struct fast_clock *clock, struct flight *flight)
{
    assert(flight->tile == clock->fetched);
    if (flight->op == WEFT_OP_READ_WEIGHTS) {
        start_dram(clock, flight);
    } else {
        flight->end = flight->start + flight->amount;
        flight->reads_done = flight->writes_done = flight->end;
    }
    struct tile *tile = fast_tile(clock, flight->tile);
    *tile = (struct tile){.whole = flight->writes_done, .shift_cycles = flight->shift_cycles};
    if (flight->tile > 0) tile->whole = fast_later(tile->whole, fast_tile(clock, flight->tile - 1)->whole);
    clock->fetched++;
    advance_shifts(clock);
    while (clock->slots_freed < clock->shifted && fast_tile(clock, clock->slots_freed)->slot_back <= flight->start) clock->slots_freed++;
}

static void start_product(struct fast_clock *clock, struct flight *flight)
{
    flight->end = flight->reads_done = flight->start + flight->amount;
    flight->writes_done = flight->end + clock->skew - 1;
    clock->array_free[flight->array] = flight->end;
    if (!flight->takes_tile) return;
    fast_tile(clock, flight->tile)->taken = flight->start;
    clock->taken++;
    advance_shifts(clock);
}

static void start_vector(struct fast_clock *clock, struct flight *flight)
{
    flight->end = flight->reads_done = flight->start + flight->amount;
    flight->writes_done = flight->end + clock->machine->vector_depth;
}

static void set_times(struct fast_clock *clock, struct flight *flight)
{
    const struct weft_machine *machine = clock->machine;
    switch (flight->unit) {
    case WEFT_UNIT_HOST_IN: start_transfer(clock, flight, &clock->link_in, machine->link_latency); break;
    case WEFT_UNIT_HOST_OUT: start_transfer(clock, flight, &clock->link_out, machine->link_latency); break;
    case WEFT_UNIT_FETCH: start_fetch(clock, flight); break;
    case WEFT_UNIT_DRAM: start_dram(clock, flight); break;
    case WEFT_UNIT_MATRIX: start_product(clock, flight); break;
    default: start_vector(clock, flight); break;
    }
}

/* The heads that waited for this one now know for how long. */
static void tell_waiting(struct fast_clock *clock, const struct flight *flight)
{
    unsigned waiting = flight->waits_for_reads | flight->waits_for_writes;
    for (unsigned unit = 0; waiting >> unit; unit++) {
        if (!(waiting >> unit & 1)) continue;
        struct unit_queue *queue = &clock->units[unit];
        uint64_t until = flight->waits_for_writes >> unit & 1 ? flight->writes_done : flight->reads_done;
        uint64_t *over = flight->unit == WEFT_UNIT_HOST_IN ? &queue->input_until : &queue->raw_until;
        *over = fast_later(*over, until);
        queue->pending--;
    }
}

void fast_start(struct fast_clock *clock, struct flight *flight, uint64_t at)
{
    struct unit_queue *queue = &clock->units[flight->unit];
    flight->started = true;
    flight->start = at;
    set_times(clock, flight);
    if (flight->writes_done >> FAST_TIME_BITS) clock->overlong = true;
    uint64_t stall[6] = {0};
    if (flight->unit == WEFT_UNIT_MATRIX) fast_count_product(clock, flight, stall);
    fast_count_busy(clock, flight);
    if (clock->observer.event) fast_report(clock, flight, stall);
    clock->now = at;
    clock->all_complete = fast_later(clock->all_complete, flight->writes_done);
    queue->starts[queue->started % clock->depth] = at;
    queue->started++;
    queue->free = flight->unit == WEFT_UNIT_MATRIX ? at + 1 : flight->end;
    queue->examined = false;
    tell_waiting(clock, flight);
}
