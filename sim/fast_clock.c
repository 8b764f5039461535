/* fast_clock.c: dispatch, and the loop that commits starts in order of time. See fast_clock.h and fast_clock_parts.h. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fast_clock_parts.h"

/* --- hazards ------------------------------------------------------------------------------------------------------------- */

/* Forgets what is over: ids below `oldest` are complete, and so is whatever was done by now. */
static void prune(struct fast_clock *clock, struct hazard_list *list, bool writes)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (list->id[i] < clock->oldest) continue;
        const struct flight *flight = fast_flight(clock, list->id[i]);
        if (flight->started && (writes ? flight->writes_done : flight->reads_done) <= clock->now) continue;
        list->low[kept] = list->low[i];
        list->high[kept] = list->high[i];
        list->id[kept++] = list->id[i];
    }
    list->count = kept;
    list->prune_at = kept + 32;
}

/* Products on one array never wait for each other in ACC, and only products write there. What a product reads there it also writes,
 * later, so that its reads can be left out. */
static bool sums(const struct flight *flight, const struct weft_effect *effect)
{
    return flight->unit == WEFT_UNIT_MATRIX && effect->space == WEFT_SPACE_ACC;
}

static bool pipelined(const struct flight *flight, const struct weft_effect *effect, const struct flight *older)
{
    return sums(flight, effect) && older->unit == WEFT_UNIT_MATRIX && older->array == flight->array;
}

/* One operand of the instruction at the head of `unit` against the entries of one list. */
static void examine_list(struct fast_clock *clock, const struct hazard_list *list, bool writes, const struct weft_effect *effect, uint64_t id,
                         enum weft_unit unit)
{
    struct unit_queue *queue = &clock->units[unit];
    const struct flight *flight = fast_flight(clock, id);
    struct weft_range range = effect->range;
    for (size_t i = hazard_next(list, 0, range, id); i < list->count; i = hazard_next(list, i + 1, range, id)) {
        if (list->id[i] < clock->oldest) continue; /* complete by now */
        struct flight *other = fast_flight(clock, list->id[i]);
        if (pipelined(flight, effect, other)) continue;
        if (other->started) {
            uint64_t *over = other->unit == WEFT_UNIT_HOST_IN ? &queue->input_until : &queue->raw_until;
            *over = fast_later(*over, writes ? other->writes_done : other->reads_done);
            continue;
        }
        uint8_t bit = (uint8_t)(1u << unit);
        if (!((other->waits_for_reads | other->waits_for_writes) & bit)) queue->pending++;
        if (writes) other->waits_for_writes |= bit;
        else other->waits_for_reads |= bit;
    }
}

/* Looks up every hazard of the instruction at the head of `unit`: once, as soon as it is the head. */
static void examine(struct fast_clock *clock, enum weft_unit unit, uint64_t id)
{
    struct unit_queue *queue = &clock->units[unit];
    const struct flight *flight = fast_flight(clock, id);
    queue->examined = true;
    queue->pending = 0;
    queue->input_until = queue->raw_until = 0;
    for (unsigned i = 0; i < flight->effects.count; i++) {
        const struct weft_effect *effect = &flight->effects.effect[i];
        struct hazard_list *lists = clock->touched[effect->space];
        if (clock->machine->arrays > 1 || !sums(flight, effect)) examine_list(clock, &lists[1], true, effect, id, unit);
        if (effect->write) examine_list(clock, &lists[0], false, effect, id, unit);
    }
}

static enum weft_status add_effects(struct fast_clock *clock, const struct flight *flight, uint64_t id)
{
    for (unsigned i = 0; i < flight->effects.count; i++) {
        const struct weft_effect *effect = &flight->effects.effect[i];
        if (!effect->write && sums(flight, effect)) continue;
        struct hazard_list *list = &clock->touched[effect->space][effect->write];
        if (list->count >= list->prune_at) prune(clock, list, effect->write);
        enum weft_status status = hazard_add(list, effect->range, id);
        if (status != WEFT_OK) return status;
    }
    return WEFT_OK;
}

/* --- starts -------------------------------------------------------------------------------------------------------------- */

/* The cycle from which the slot that this fetch needs is free; FAST_NEVER: not known yet. */
static uint64_t slot_free(const struct fast_clock *clock, const struct flight *flight)
{
    uint64_t slots = clock->machine->fifo_tiles;
    if (flight->tile < slots) return 0;
    if (clock->shifted <= flight->tile - slots) return FAST_NEVER;
    return fast_tile(clock, flight->tile - slots)->slot_back;
}

/* When the head of a unit starts, as far as all that has been committed tells; FAST_NEVER: an older one must start first. */
static uint64_t head_start(struct fast_clock *clock, enum weft_unit unit)
{
    struct unit_queue *queue = &clock->units[unit];
    if (queue->started == queue->dispatched) return FAST_NEVER;
    uint64_t id = queue->ids[queue->started % clock->depth];
    if (!queue->examined) examine(clock, unit, id);
    if (queue->pending) return FAST_NEVER;
    const struct flight *flight = fast_flight(clock, id);
    uint64_t at = fast_later(flight->dispatched + 1, queue->free), extra = 0;
    at = fast_later(at, fast_later(queue->input_until, queue->raw_until));
    if (unit == WEFT_UNIT_MATRIX) at = fast_later(at, clock->array_free[flight->array]);
    if (unit == WEFT_UNIT_FETCH) extra = slot_free(clock, flight);
    if (flight->takes_tile) extra = clock->shifted > flight->tile ? fast_tile(clock, flight->tile)->shift_end : FAST_NEVER;
    if (unit == WEFT_UNIT_DRAM || flight->op == WEFT_OP_READ_WEIGHTS) at = fast_later(at, fast_channel_floor(&clock->dram.bus));
    return fast_later(at, extra);
}

/* Commits the earliest start. Of equal ones the order matters only on the DRAM channel: fetch, which comes first here too. */
static void commit_one(struct fast_clock *clock)
{
    enum weft_unit first = WEFT_UNIT_CONTROL;
    uint64_t at = FAST_NEVER;
    for (enum weft_unit unit = WEFT_UNIT_HOST_IN; unit < WEFT_UNITS; unit++) {
        uint64_t start = head_start(clock, unit);
        if (start < at) {
            at = start;
            first = unit;
        }
    }
    assert(at != FAST_NEVER); /* the oldest instruction that has not started waits for nothing that has not */
    struct unit_queue *queue = &clock->units[first];
    fast_start(clock, fast_flight(clock, queue->ids[queue->started % clock->depth]), at);
}

static bool all_started(const struct fast_clock *clock)
{
    for (unsigned unit = 0; unit < WEFT_UNITS; unit++)
        if (clock->units[unit].started != clock->units[unit].dispatched) return false;
    return true;
}

/* --- flights ------------------------------------------------------------------------------------------------------------- */

static enum weft_status grow_flights(struct fast_clock *clock)
{
    uint64_t room = 2 * clock->flight_room;
    struct flight *more = calloc(room, sizeof *more);
    if (!more) return WEFT_NO_MEMORY;
    for (uint64_t id = clock->oldest; id < clock->next_id; id++) more[id & (room - 1)] = *fast_flight(clock, id);
    free(clock->flights);
    clock->flights = more;
    clock->flight_room = room;
    return WEFT_OK;
}

static enum weft_status make_room(struct fast_clock *clock)
{
    while (clock->oldest < clock->next_id) {
        const struct flight *flight = fast_flight(clock, clock->oldest);
        if (!flight->started || flight->writes_done > clock->now) break;
        clock->oldest++;
    }
    return clock->next_id - clock->oldest < clock->flight_room ? WEFT_OK : grow_flights(clock);
}

/* Cycles on the unit, or bytes on the channel. */
static uint64_t amount(const struct fast_clock *clock, const struct weft_instr *instr, const struct weft_config *config,
                       const struct weft_order *order)
{
    const struct weft_machine *machine = clock->machine;
    uint64_t burst = machine->dram_burst_bytes, line = machine->ub_line_bytes;
    switch (instr->op) {
    case WEFT_OP_READ_HOST:
    case WEFT_OP_WRITE_HOST: return instr->bytes;
    case WEFT_OP_READ_DRAM:
    case WEFT_OP_WRITE_DRAM: return (instr->bytes + burst - 1) / burst * burst;
    case WEFT_OP_READ_WEIGHTS: return weft_tile_bytes(machine, instr->k, instr->n, instr->fmt);
    case WEFT_OP_PUSH_WEIGHTS: {
        uint64_t rows = instr->transpose ? instr->n : instr->k, lanes = instr->transpose ? instr->k : instr->n;
        return rows * ((lanes * weft_format_bytes(instr->fmt) + line - 1) / line);
    }
    case WEFT_OP_MATMUL: {
        struct weft_pattern rows = {.base = instr->ub, .count0 = UINT32_MAX, .stride0 = instr->stride, .count1 = 1, .count2 = 1,
                                    .run_length = UINT32_MAX, .block_runs = UINT32_MAX};
        return weft_matrix_cycles(machine, &rows, 0, instr->rows, 0, order->active_k, instr->fmt, order->active_fmt);
    }
    case WEFT_OP_CONVOLVE:
        return weft_matrix_cycles(machine, &config->pattern[instr->a], instr->first_row, instr->rows, instr->first_lane, order->active_k,
                                  instr->fmt, order->active_fmt);
    default: return weft_vector_cycles(machine, instr, config);
    }
}

static void fill_flight(struct fast_clock *clock, struct flight *flight, const struct issue *issue, const struct weft_config *config,
                        const struct weft_order *order, uint32_t layer)
{
    const struct weft_instr *instr = &issue->instr;
    flight->index = issue->index;
    if (clock->observer.event) flight->instr = *instr;
    flight->op = instr->op;
    flight->unit = issue->info->unit;
    flight->layer = layer;
    flight->started = false;
    flight->dram = instr->dram;
    flight->takes_tile = flight->unit == WEFT_UNIT_MATRIX && instr->next;
    flight->waits_for_reads = flight->waits_for_writes = 0;
    flight->amount = amount(clock, instr, config, order);
    if (flight->amount >> FAST_TIME_BITS) {
        clock->overlong = true;
        flight->amount = 0; /* the run stops at this instruction: no sum may overflow before it does */
    }
    flight->shift_cycles = flight->unit == WEFT_UNIT_FETCH ? weft_shift_cycles(clock->machine, instr->fmt) : 0;
    flight->tile = flight->unit == WEFT_UNIT_FETCH ? clock->tiles_issued++ : flight->takes_tile ? clock->takes_issued++ : 0;
    flight->array = flight->unit == WEFT_UNIT_MATRIX ? (clock->takes_issued - 1) % clock->machine->arrays : 0; /* of the last tile taken */
    flight->effects.count = issue->effects.count;
    memcpy(flight->effects.effect, issue->effects.effect, issue->effects.count * sizeof issue->effects.effect[0]);
}

/* --- dispatch ------------------------------------------------------------------------------------------------------------ */

static enum weft_status dispatch(struct fast_clock *clock, const struct issue *issue, const struct weft_config *config,
                                 const struct weft_order *order, uint32_t layer)
{
    struct unit_queue *queue = &clock->units[issue->info->unit];
    while (queue->dispatched - queue->started == clock->depth) commit_one(clock);
    enum weft_status status = make_room(clock);
    if (status != WEFT_OK) return status;
    uint64_t id = clock->next_id, at = clock->dispatch;
    if (queue->dispatched >= clock->depth) at = fast_later(at, queue->starts[queue->dispatched % clock->depth] + 1);
    struct flight *flight = fast_flight(clock, id);
    fill_flight(clock, flight, issue, config, order, layer);
    flight->dispatched = at;
    clock->dispatch = at + 1;
    clock->next_id++;
    queue->ids[queue->dispatched++ % clock->depth] = id;
    return add_effects(clock, flight, id);
}

/* What has no queue: set, tag and nop at once; sync and halt when everything older is complete. */
static void dispatch_control(struct fast_clock *clock, const struct issue *issue, uint32_t layer)
{
    bool waits = issue->instr.op == WEFT_OP_SYNC || issue->instr.op == WEFT_OP_HALT;
    while (waits && !all_started(clock)) commit_one(clock);
    uint64_t at = waits ? fast_later(clock->dispatch, clock->all_complete) : clock->dispatch;
    clock->dispatch = at + 1;
    if (clock->observer.event) fast_report_control(clock, issue, at, layer);
    if (issue->instr.op == WEFT_OP_HALT) fast_count_tail(clock, at + 1, layer);
}

enum weft_status fast_clock_issue(struct fast_clock *clock, const struct issue *issue, const struct weft_config *config,
                                  const struct weft_order *order, uint32_t layer)
{
    enum weft_status status = WEFT_OK;
    if (issue->info->unit == WEFT_UNIT_CONTROL) dispatch_control(clock, issue, layer);
    else status = dispatch(clock, issue, config, order, layer);
    return status == WEFT_OK && clock->overlong ? WEFT_ERROR : status;
}

/* --- life ---------------------------------------------------------------------------------------------------------------- */

static enum weft_status allocate(struct fast_clock *clock)
{
    clock->flight_room = 256;
    clock->flights = calloc(clock->flight_room, sizeof *clock->flights);
    clock->tiles = calloc(clock->tile_room, sizeof *clock->tiles);
    clock->array_free = calloc(clock->machine->arrays, sizeof *clock->array_free);
    if (!clock->flights || !clock->tiles || !clock->array_free) return WEFT_NO_MEMORY;
    for (unsigned unit = 0; unit < WEFT_UNITS; unit++) {
        clock->units[unit].ids = calloc(clock->depth, sizeof(uint64_t));
        clock->units[unit].starts = calloc(clock->depth, sizeof(uint64_t));
        if (!clock->units[unit].ids || !clock->units[unit].starts) return WEFT_NO_MEMORY;
    }
    return WEFT_OK;
}

enum weft_status fast_clock_create(struct fast_clock **out, const struct weft_machine *machine, struct weft_counters *layers,
                                   const struct weft_observer *observer)
{
    *out = NULL;
    struct fast_clock *clock = calloc(1, sizeof *clock);
    if (!clock) return WEFT_NO_MEMORY;
    clock->machine = machine;
    clock->layers = layers;
    clock->observer = *observer;
    clock->depth = machine->queue_depth;
    clock->skew = weft_matrix_skew(machine);
    clock->link_in.rate = weft_rate(machine->link_in_bytes_per_second, machine->clock_hz);
    clock->link_out.rate = weft_rate(machine->link_out_bytes_per_second, machine->clock_hz);
    /* Fetches run at most fifo_tiles and a shadow plane of each array ahead of the takes; they look fifo_tiles back, shifts a tile of each array. */
    clock->tile_room = 2 * (machine->fifo_tiles + machine->arrays) + 2;
    enum weft_status status = fast_dram_create(&clock->dram, machine);
    if (status == WEFT_OK) status = allocate(clock);
    if (status == WEFT_OK) *out = clock;
    else fast_clock_free(clock);
    return status;
}

void fast_clock_free(struct fast_clock *clock)
{
    if (!clock) return;
    for (unsigned unit = 0; unit < WEFT_UNITS; unit++) {
        free(clock->units[unit].ids);
        free(clock->units[unit].starts);
    }
    for (unsigned space = 0; space < WEFT_SPACES; space++)
        for (unsigned write = 0; write < 2; write++) hazard_free(&clock->touched[space][write]);
    fast_dram_free(&clock->dram);
    free(clock->flights);
    free(clock->tiles);
    free(clock->array_free);
    free(clock);
}
