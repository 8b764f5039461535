/* fast_count.c: which class and layer each cycle belongs to (docs/machine.md, Counting), and what an observer is told. */
#include <assert.h>

#include "fast_clock_parts.h"

enum { STALL_WEIGHT, STALL_SHIFT, STALL_INPUT, STALL_RAW, STALL_OTHER };

/* Cycles from *cursor up to `until` (at most `end`) get one class. */
static uint64_t take(uint64_t *cursor, uint64_t until, uint64_t end)
{
    if (until > end) until = end;
    if (until <= *cursor) return 0;
    uint64_t cycles = until - *cursor;
    *cursor = until;
    return cycles;
}

void fast_count_product(struct fast_clock *clock, const struct flight *flight, uint64_t stall[6])
{
    const struct unit_queue *queue = &clock->units[WEFT_UNIT_MATRIX];
    uint64_t cursor = clock->matrix_until, end = flight->start;
    stall[STALL_OTHER] = take(&cursor, flight->dispatched + 1, end);
    if (flight->takes_tile) {
        const struct tile *tile = fast_tile(clock, flight->tile);
        stall[STALL_WEIGHT] = take(&cursor, tile->whole, end);
        stall[STALL_SHIFT] = take(&cursor, tile->shift_end, end);
    }
    stall[STALL_INPUT] = take(&cursor, queue->input_until, end);
    stall[STALL_RAW] = take(&cursor, queue->raw_until, end);
    assert(cursor >= end); /* a product starts as soon as nothing holds it, or while another is at work */
    struct weft_counters *layer = &clock->layers[flight->layer];
    layer->class_other += stall[STALL_OTHER];
    layer->class_weight_stall += stall[STALL_WEIGHT];
    layer->class_weight_shift += stall[STALL_SHIFT];
    layer->class_input += stall[STALL_INPUT];
    layer->class_raw += stall[STALL_RAW];
    if (flight->end <= clock->matrix_until) return;
    layer->class_active += flight->end - cursor; /* the cycles before belong to an older product that is still at work */
    layer->busy_matrix += flight->end - cursor;
    layer->cycles += flight->end - clock->matrix_until;
    clock->matrix_until = flight->end;
}

void fast_count_busy(struct fast_clock *clock, const struct flight *flight)
{
    struct weft_counters *layer = &clock->layers[flight->layer];
    uint64_t cycles = flight->end - flight->start;
    switch (flight->unit) {
    case WEFT_UNIT_HOST_IN: layer->busy_host_in += cycles; break;
    case WEFT_UNIT_HOST_OUT: layer->busy_host_out += cycles; break;
    case WEFT_UNIT_FETCH:
        layer->busy_fetch += cycles;
        layer->peak_fifo = fast_later(layer->peak_fifo, clock->fetched - clock->slots_freed);
        break;
    case WEFT_UNIT_DRAM: layer->busy_dram += cycles; break;
    case WEFT_UNIT_MATRIX: layer->array_cycles += cycles; break; /* busy_matrix: fast_count_product */
    default: layer->busy_vector += cycles; break;
    }
}

void fast_count_tail(struct fast_clock *clock, uint64_t end, uint32_t layer)
{
    assert(end >= clock->matrix_until);
    clock->layers[layer].class_other += end - clock->matrix_until;
    clock->layers[layer].cycles += end - clock->matrix_until;
    clock->matrix_until = end;
}

void fast_report(struct fast_clock *clock, const struct flight *flight, const uint64_t stall[6])
{
    struct weft_event event = {
        .index = flight->index, .instr = &flight->instr, .unit = flight->unit, .layer = flight->layer, .array = (unsigned)flight->array,
        .dispatched = flight->dispatched, .start = flight->start, .end = flight->end,
        .reads_done = flight->reads_done, .writes_done = flight->writes_done,
    };
    for (unsigned i = 0; i < 6; i++) event.stall[i] = stall[i];
    if (flight->unit == WEFT_UNIT_MATRIX && flight->takes_tile) {
        const struct tile *tile = fast_tile(clock, flight->tile);
        event.tile_whole = tile->whole;
        event.shift_start = tile->shift_start;
        event.shift_end = tile->shift_end;
    }
    if (flight->unit == WEFT_UNIT_FETCH) event.fifo_slots = (unsigned)(clock->fetched - clock->slots_freed);
    clock->observer.event(clock->observer.user, &event);
}

void fast_report_control(struct fast_clock *clock, const struct issue *issue, uint64_t at, uint32_t layer)
{
    struct weft_event event = {.index = issue->index, .instr = &issue->instr, .unit = WEFT_UNIT_CONTROL, .layer = layer,
                               .dispatched = at, .start = at, .end = at + 1, .reads_done = at + 1, .writes_done = at + 1};
    clock->observer.event(clock->observer.user, &event);
}
