/* fast_clock_parts.h: the clock's state and the steps that its files share. Private to the fast engine.
 *
 *     fast_clock.c   issue, dispatch, the loop that commits starts
 *     fast_start.c   what happens when an instruction starts: its times, the channels, the tiles
 *     fast_count.c   classes of cycles, busy cycles, events
 */
#ifndef WEFT_FAST_CLOCK_PARTS_H
#define WEFT_FAST_CLOCK_PARTS_H

#include "fast_channel.h"
#include "fast_clock.h"
#include "fast_dram.h"
#include "fast_hazard.h"

#define FAST_NEVER UINT64_MAX

/* An instruction from dispatch until it is complete. */
struct flight {
    size_t index;
    struct weft_instr instr; /* copied only where an observer wants it */
    enum weft_opcode op;
    enum weft_unit unit;
    uint32_t layer;
    bool started, takes_tile;
    uint8_t waits_for_reads, waits_for_writes; /* bit per unit: its head waits for this one's reads or writes */
    uint64_t amount;                           /* cycles on the unit, or bytes on the channel */
    uint64_t dram;                             /* address, where the channel is the DRAM's */
    uint64_t shift_cycles;                     /* fetches: of the tile */
    uint64_t tile;                             /* number of the tile fetched or taken */
    uint64_t array;                            /* products: on which */
    uint64_t dispatched, start, end, reads_done, writes_done;
    struct weft_effects effects;
};

/* A unit's queue, and what is known of the instruction at its head. */
struct unit_queue {
    uint64_t *ids;    /* ring of queue_depth: instructions dispatched and not started */
    uint64_t *starts; /* ring of queue_depth: cycles in which the last ones started */
    uint64_t dispatched, started; /* instructions so far */
    uint64_t free;                /* cycle from which the unit is free; of the matrix unit, from which one more may start */
    bool examined;                /* the head's hazards have been looked up */
    unsigned pending;             /* hazards with instructions that have not started */
    uint64_t input_until, raw_until; /* when the others are over: with read_host, with anything else */
};

struct tile {
    uint64_t whole, shift_start, shift_end, slot_back, shift_cycles, taken;
};

struct fast_clock {
    const struct weft_machine *machine;
    struct weft_counters *layers;
    struct weft_observer observer;
    uint64_t depth;        /* of each queue */
    uint64_t skew;         /* T4 */
    uint64_t now;          /* the last committed start: nothing starts before it any more */
    uint64_t dispatch;     /* cycle in which the next instruction can be dispatched at the earliest */
    uint64_t all_complete; /* of everything started */
    uint64_t matrix_until; /* cycles before this one have their class */
    uint64_t *array_free;  /* of each array: cycle from which it is free */
    struct unit_queue units[WEFT_UNITS];
    struct flight *flights; /* ring of flight_room (a power of two), by id */
    uint64_t flight_room, oldest, next_id;
    struct hazard_list touched[WEFT_SPACES][2]; /* [1]: written */
    struct fast_channel link_in, link_out;
    struct fast_dram dram;
    struct tile *tiles; /* ring of tile_room, by number */
    uint64_t tile_room;
    uint64_t tiles_issued, takes_issued; /* numbers given out, in program order */
    uint64_t fetched, shifted, taken, slots_freed; /* tiles whose fetch has started, whose shift is known, that were taken, whose slot was free again */
    bool overlong; /* a time beyond FAST_TIME_BITS */
};

static inline uint64_t fast_later(uint64_t a, uint64_t b) { return a > b ? a : b; }
static inline struct flight *fast_flight(const struct fast_clock *clock, uint64_t id) { return &clock->flights[id & (clock->flight_room - 1)]; }
static inline struct tile *fast_tile(const struct fast_clock *clock, uint64_t number) { return &clock->tiles[number % clock->tile_room]; }

/* fast_start.c */
void fast_start(struct fast_clock *clock, struct flight *flight, uint64_t at);

/* fast_count.c: a product's class cycles up to its start, and its own; `stall` as in struct weft_event. */
void fast_count_product(struct fast_clock *clock, const struct flight *flight, uint64_t stall[6]);
void fast_count_busy(struct fast_clock *clock, const struct flight *flight);
void fast_count_tail(struct fast_clock *clock, uint64_t end, uint32_t layer);
void fast_report(struct fast_clock *clock, const struct flight *flight, const uint64_t stall[6]);
void fast_report_control(struct fast_clock *clock, const struct issue *issue, uint64_t at, uint32_t layer);

#endif
