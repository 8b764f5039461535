/* clock.c: see clock.h. Every cycle asks every unit whether its next instruction may start, by the rules of docs/machine.md under the
 * names that they have there. */
#include "clock.h"

#include <stdlib.h>
#include <string.h>

#include "dram.h"
#include "durations.h"

struct hazard { size_t older; bool writes; /* wait for its writes; else for its reads */ };

struct work {
    struct weft_instr instr;
    enum weft_unit unit;
    uint32_t layer;
    struct duration duration;
    struct weft_effects effects;
    struct hazard *hazards;
    size_t hazard_count;
    uint64_t tile; /* of a fetch: its number; of a product that takes one: the same */
    uint64_t array; /* of a product */
    struct fuzz_time *time;
};

struct tile { uint64_t whole, taken, shift_start, shift_end, shift; };

struct channel { uint64_t bytes, cycles; unsigned __int128 free; /* in cycles / bytes */ };

struct clock {
    const struct weft_machine *m;
    struct work *work;
    size_t count, next;          /* to dispatch */
    size_t head[WEFT_UNITS];     /* the unit's first instruction that has not started, or count */
    uint64_t unit_free[WEFT_UNITS]; /* of the matrix unit: it starts one product a cycle */
    uint64_t array_free[64];
    struct channel in, out, dram;
    struct dram *device; /* behind `dram`, where it is detailed */
    struct tile *tiles;
    uint64_t tile_count, shifting; /* tiles that have begun to shift */
    struct weft_counters *layers;
    uint64_t now;
};

static uint64_t later(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* --- T1 -------------------------------------------------------------------------------------------------------------------------- */

static struct channel channel_of(uint64_t bytes_per_second, uint64_t hz)
{
    uint64_t a = bytes_per_second, b = hz;
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return (struct channel){bytes_per_second / a, hz / a, 0};
}

static uint64_t channel_floor(const struct channel *c) { return (uint64_t)(c->free / c->bytes); }

static uint64_t channel_ceil(const struct channel *c) { return (uint64_t)((c->free + c->bytes - 1) / c->bytes); }

static void transfer(struct channel *c, struct fuzz_time *time, uint64_t start, uint64_t bytes, uint64_t latency)
{
    unsigned __int128 begin = (unsigned __int128)start * c->bytes;
    if (c->free > begin) begin = c->free;
    c->free = begin + (unsigned __int128)bytes * c->cycles;
    time->end = channel_floor(c);
    time->reads_done = channel_ceil(c);
    time->writes_done = time->reads_done + latency;
}

static void dram_access(struct clock *c, const struct work *work)
{
    struct channel *dram = &c->dram;
    struct fuzz_time *time = work->time;
    if (!c->m->dram_detailed) {
        transfer(dram, time, c->now, work->duration.bytes, c->m->dram_latency);
        return;
    }
    dram_ticks begin = (dram_ticks)c->now * dram->bytes;
    if (dram->free > begin) begin = dram->free;
    dram->free = dram_transfer(c->device, begin, work->instr.dram, work->duration.bytes / c->m->dram_burst_bytes);
    time->end = channel_floor(dram);
    time->reads_done = channel_ceil(dram);
    time->writes_done = time->reads_done + dram_tcl(c->m) + c->m->dram_latency;
}

/* --- hazards --------------------------------------------------------------------------------------------------------------------- */

static bool meet(const struct weft_effect *a, const struct weft_effect *b)
{
    return a->space == b->space && a->range.low < b->range.high && b->range.low < a->range.high;
}

/* Does `young` wait for reads (found[0]) and writes (found[1]) of `old`? */
static void find_hazards(bool found[2], const struct work *young, const struct work *old)
{
    found[0] = found[1] = false;
    for (unsigned i = 0; i < young->effects.count; i++)
        for (unsigned j = 0; j < old->effects.count; j++) {
            const struct weft_effect *mine = &young->effects.effect[i], *theirs = &old->effects.effect[j];
            if (!meet(mine, theirs)) continue;
            if (mine->space == WEFT_SPACE_ACC && young->unit == WEFT_UNIT_MATRIX && old->unit == WEFT_UNIT_MATRIX && young->array == old->array) continue;
            if (theirs->write) found[1] = true;
            else if (mine->write) found[0] = true;
        }
}

static enum weft_status list_hazards(struct clock *c, size_t index)
{
    struct work *work = &c->work[index];
    work->hazards = malloc((2 * index + 1) * sizeof *work->hazards);
    if (!work->hazards) return WEFT_NO_MEMORY;
    for (size_t j = 0; j < index; j++) {
        bool found[2];
        find_hazards(found, work, &c->work[j]);
        for (int writes = 0; writes < 2; writes++)
            if (found[writes]) work->hazards[work->hazard_count++] = (struct hazard){j, writes};
    }
    return WEFT_OK;
}

static bool is_over(const struct clock *c, const struct hazard *hazard)
{
    const struct fuzz_time *time = c->work[hazard->older].time;
    return (hazard->writes ? time->writes_done : time->reads_done) <= c->now;
}

static bool waits(const struct clock *c, const struct work *work, bool for_input)
{
    for (size_t i = 0; i < work->hazard_count; i++) {
        bool input = c->work[work->hazards[i].older].unit == WEFT_UNIT_HOST_IN;
        if (input == for_input && !is_over(c, &work->hazards[i])) return true;
    }
    return false;
}

/* --- F and S ------------------------------------------------------------------------------------------------------------------------ */

/* Slots held now: by fetches that have started, until the shift of their tile ends, and of every tile before it. */
static uint64_t slots_held(const struct clock *c)
{
    uint64_t back = 0, held = 0;
    while (back < c->tile_count && c->tiles[back].shift_end <= c->now) back++;
    for (uint64_t i = back; i < c->tile_count; i++) held += c->tiles[i].whole != FUZZ_NEVER;
    return held;
}

static void begin_shifts(struct clock *c)
{
    while (c->shifting < c->tile_count) {
        struct tile *tile = &c->tiles[c->shifting], *before = c->shifting < c->m->arrays ? NULL : tile - c->m->arrays; /* in the same array */
        if (tile->whole > c->now) return;
        if (before && (before->taken > c->now || before->shift_end > c->now)) return;
        tile->shift_start = c->now;
        tile->shift_end = c->now + tile->shift;
        c->shifting++;
    }
}

static void start_fetch(struct clock *c, struct work *work)
{
    struct tile *tile = &c->tiles[work->tile];
    struct fuzz_time *time = work->time;
    if (work->instr.op == WEFT_OP_READ_WEIGHTS) dram_access(c, work);
    else time->end = time->reads_done = time->writes_done = c->now + work->duration.cycles;
    tile->whole = time->writes_done;
    if (work->tile > 0) tile->whole = later(tile->whole, tile[-1].whole);
    tile->shift = work->duration.shift;
    struct weft_counters *layer = &c->layers[work->layer];
    layer->peak_fifo = later(layer->peak_fifo, slots_held(c));
}

/* --- starts ------------------------------------------------------------------------------------------------------------------------- */

/* The unit's own conditions. */
static bool unit_ready(const struct clock *c, const struct work *work)
{
    bool on_dram = work->unit == WEFT_UNIT_DRAM || work->instr.op == WEFT_OP_READ_WEIGHTS;
    if (on_dram && channel_floor(&c->dram) > c->now) return false;
    if (work->unit == WEFT_UNIT_FETCH) return slots_held(c) < c->m->fifo_tiles;
    if (work->unit == WEFT_UNIT_MATRIX && c->array_free[work->array] > c->now) return false;
    return !work->instr.next || c->tiles[work->tile].shift_end <= c->now;
}

static bool can_start(const struct clock *c, enum weft_unit unit)
{
    if (c->head[unit] >= c->next) return false;
    const struct work *work = &c->work[c->head[unit]];
    return c->now >= work->time->dispatched + 1 && c->unit_free[unit] <= c->now && unit_ready(c, work) && !waits(c, work, true) &&
           !waits(c, work, false);
}

static size_t following(const struct clock *c, size_t index, enum weft_unit unit)
{
    while (index < c->count && c->work[index].unit != unit) index++;
    return index;
}

static void start(struct clock *c, enum weft_unit unit)
{
    struct work *work = &c->work[c->head[unit]];
    struct fuzz_time *time = work->time;
    time->start = c->now;
    switch (unit) {
    case WEFT_UNIT_HOST_IN: transfer(&c->in, time, c->now, work->duration.bytes, c->m->link_latency); break;
    case WEFT_UNIT_HOST_OUT: transfer(&c->out, time, c->now, work->duration.bytes, c->m->link_latency); break;
    case WEFT_UNIT_DRAM: dram_access(c, work); break;
    case WEFT_UNIT_FETCH: start_fetch(c, work); break;
    case WEFT_UNIT_MATRIX:
        time->end = time->reads_done = c->now + work->duration.cycles;
        time->writes_done = time->end + c->m->rows + c->m->columns - 1; /* T4 */
        if (work->instr.next) c->tiles[work->tile].taken = c->now;
        c->array_free[work->array] = time->end;
        break;
    default:
        time->end = time->reads_done = c->now + work->duration.cycles;
        time->writes_done = time->end + c->m->vector_depth;
        break;
    }
    c->unit_free[unit] = unit == WEFT_UNIT_MATRIX ? c->now + 1 : time->end;
    c->head[unit] = following(c, c->head[unit] + 1, unit);
}

/* Fetch comes before DRAM in the order of units. A transfer may be over within its cycle, so that the next starts in the same. */
static void start_all(struct clock *c)
{
    for (bool any = true; any;) {
        any = false;
        for (enum weft_unit unit = WEFT_UNIT_HOST_IN; unit < WEFT_UNITS && !any; unit++)
            if (can_start(c, unit)) {
                start(c, unit);
                any = true;
            }
    }
}

/* --- dispatch ----------------------------------------------------------------------------------------------------------------------- */

static bool all_complete(const struct clock *c)
{
    for (size_t i = 0; i < c->next; i++)
        if (c->work[i].unit != WEFT_UNIT_CONTROL && (c->work[i].time->writes_done > c->now || c->work[i].time->reads_done > c->now)) return false;
    return true;
}

/* An entry is held from dispatch to the cycle of the start, and can be refilled in the next. */
static bool has_room(const struct clock *c, enum weft_unit unit)
{
    uint64_t held = 0;
    for (size_t i = 0; i < c->next; i++) held += c->work[i].unit == unit && c->work[i].time->start >= c->now;
    return held < c->m->queue_depth;
}

static void dispatch(struct clock *c)
{
    if (c->next >= c->count) return;
    struct work *work = &c->work[c->next];
    bool waiting = work->instr.op == WEFT_OP_SYNC || work->instr.op == WEFT_OP_HALT;
    if (waiting ? !all_complete(c) : work->unit != WEFT_UNIT_CONTROL && !has_room(c, work->unit)) return;
    work->time->dispatched = c->now;
    c->next++;
}

/* --- counting ------------------------------------------------------------------------------------------------------------------------- */

/* The oldest. */
static const struct work *running_product(const struct clock *c)
{
    for (size_t i = 0; i < c->next; i++)
        if (c->work[i].unit == WEFT_UNIT_MATRIX && c->work[i].time->start <= c->now && c->now < c->work[i].time->end) return &c->work[i];
    return NULL;
}

static uint64_t *class_of(const struct clock *c, const struct work *p, struct weft_counters *layer)
{
    if (c->now <= p->time->dispatched) return &layer->class_other; /* also when it has not been dispatched */
    if (p->instr.next && c->now < c->tiles[p->tile].whole) return &layer->class_weight_stall;
    if (p->instr.next && c->now < c->tiles[p->tile].shift_end) return &layer->class_weight_shift;
    if (waits(c, p, true)) return &layer->class_input;
    if (waits(c, p, false)) return &layer->class_raw;
    return &layer->class_other;
}

static void count_cycle(struct clock *c)
{
    const struct work *product = running_product(c);
    size_t p = c->head[WEFT_UNIT_MATRIX];
    struct weft_counters *layer = &c->layers[product ? product->layer : p < c->count ? c->work[p].layer : c->work[c->count - 1].layer];
    layer->cycles++;
    if (product) layer->class_active++, layer->busy_matrix++;
    else if (p < c->count) ++*class_of(c, &c->work[p], layer);
    else layer->class_other++;
}

static void count_busy(struct clock *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct weft_counters *l = &c->layers[c->work[i].layer];
        uint64_t *const busy[WEFT_UNITS] = {NULL, &l->busy_host_in, &l->busy_host_out, &l->busy_fetch, &l->busy_dram, &l->array_cycles, &l->busy_vector};
        if (c->work[i].unit != WEFT_UNIT_CONTROL) *busy[c->work[i].unit] += c->work[i].time->end - c->work[i].time->start;
    }
}

/* --- the program ------------------------------------------------------------------------------------------------------------------------ */

/* Instructions, what they touch and how long they take, in program order up to the halt. */
static enum weft_status read_program(struct clock *c, const struct weft_program *program, struct weft_order *order, struct fuzz_time *times)
{
    const struct weft_limits limits = {program->host_bytes, program->dram_bytes, program->layer_count};
    struct weft_config config;
    char message[256];
    uint32_t layer = 0;
    uint64_t taken = 0;
    weft_config_reset(&config);
    for (bool halted = false; !halted; c->count++) {
        struct work *w = &c->work[c->count];
        if (!weft_decode(&w->instr, program->text + c->count * WEFT_WORD_BYTES)) return WEFT_ERROR;
        if (!weft_check(&w->effects, order, &w->instr, &config, c->m, &limits, message)) return WEFT_ERROR;
        w->unit = weft_instr_info(w->instr.op)->unit;
        w->layer = layer;
        w->time = &times[c->count];
        *w->time = (struct fuzz_time){w->unit, FUZZ_NEVER, FUZZ_NEVER, FUZZ_NEVER, FUZZ_NEVER, FUZZ_NEVER};
        if (w->unit == WEFT_UNIT_FETCH) w->tile = c->tile_count++;
        if (w->instr.next) w->tile = taken++;
        w->array = w->unit == WEFT_UNIT_MATRIX ? (taken - 1) % c->m->arrays : 0;
        enum weft_status status = list_hazards(c, c->count);
        if (status == WEFT_OK) status = duration_of(&w->duration, c->m, &w->instr, &config, order->active_fmt, order->active_k);
        if (status != WEFT_OK) return status;
        if (w->instr.op == WEFT_OP_SET) weft_config_set(&config, w->instr.reg, w->instr.value0, w->instr.value1);
        if (w->instr.op == WEFT_OP_TAG) layer = w->instr.layer;
        halted = w->instr.op == WEFT_OP_HALT;
    }
    return WEFT_OK;
}

static void run(struct clock *c)
{
    for (enum weft_unit unit = WEFT_UNIT_HOST_IN; unit < WEFT_UNITS; unit++) c->head[unit] = following(c, 0, unit);
    for (uint64_t i = 0; i < c->tile_count; i++) c->tiles[i] = (struct tile){FUZZ_NEVER, FUZZ_NEVER, FUZZ_NEVER, FUZZ_NEVER, 0};
    for (c->now = 0; c->next < c->count; c->now++) {
        start_all(c);
        begin_shifts(c);
        dispatch(c);
        count_cycle(c);
    }
    count_busy(c);
}

enum weft_status fuzz_clock(struct fuzz_time *times, struct weft_counters *layers, const struct weft_program *program)
{
    const struct weft_machine *m = &program->machine;
    struct clock c = {.m = m, .layers = layers};
    struct weft_order order = {.fifo = calloc(m->fifo_tiles, sizeof *order.fifo)};
    c.work = calloc(program->instructions, sizeof *c.work);
    c.tiles = calloc(program->instructions, sizeof *c.tiles);
    c.in = channel_of(m->link_in_bytes_per_second, m->clock_hz);
    c.out = channel_of(m->link_out_bytes_per_second, m->clock_hz);
    c.dram = channel_of(m->dram_bytes_per_second, m->clock_hz);
    c.device = dram_create(m, c.dram.bytes, c.dram.cycles);
    enum weft_status status = order.fifo && c.work && c.tiles && c.device ? read_program(&c, program, &order, times) : WEFT_NO_MEMORY;
    if (status == WEFT_OK) run(&c);
    for (size_t i = 0; c.work && i < program->instructions; i++) free(c.work[i].hazards);
    free(c.work);
    free(c.tiles);
    dram_free(c.device);
    free(order.fifo);
    return status;
}
