/* engine.h: what the engines share. Private to sim/.
 *
 * sim.c walks the program: it decodes and checks each instruction (weft_check), counts what needs no clock (counters.c), hands the
 * instruction to the engine, and then lets `set` and `tag` take effect. An engine computes values into sim->memory and, if it keeps
 * time, the time counters. The arithmetic of two engines must never meet: it is not in here.
 *
 *     create   once, when the memories stand
 *     execute  once an instruction, in program order, after the check; sim->config and sim->layer are those that the instruction sees;
 *              `set` and `tag` come too (for their dispatch times) and take effect when execute returns
 *     finish   once, after the execute of `halt`: cycles, class_*, busy_*, peak_fifo of sim->layers[] stand when it returns (sim.c adds them up)
 *     run      an engine that walks the program itself (the clocked twin) has this instead of execute and finish; it fills all of
 *              sim->layers[]
 *     free     NULL is allowed
 */
#ifndef WEFT_SIM_ENGINE_H
#define WEFT_SIM_ENGINE_H

#include "weft_sim.h"

/* One instruction on its way through an engine. */
struct issue {
    size_t index;
    struct weft_instr instr;
    const struct weft_instr_info *info;
    struct weft_effects effects; /* what it reads and writes, by the registers as they stand now */
};

struct engine {
    const char *name;
    enum weft_status (*create)(void **state, struct weft_sim *sim, struct weft_diag *diag);
    void (*free)(void *state);
    enum weft_status (*execute)(void *state, const struct issue *issue, struct weft_diag *diag);
    enum weft_status (*finish)(void *state, struct weft_diag *diag);
    enum weft_status (*run)(void *state, struct weft_diag *diag);
};
extern const struct engine engine_fast;      /* fast_*.c */
extern const struct engine engine_reference; /* reference*.c */
#ifdef WEFT_WITH_SYSTEMC
extern const struct engine engine_systemc; /* systemc/ */
#endif

/* --- memories.c: one for each space of weft_isa.h ---------------------------------------------------------------------- */

struct memory {
    uint8_t *bytes; /* NULL: timing only, or size 0 */
    uint64_t size;
    enum { MEMORY_NONE, MEMORY_HEAP, MEMORY_MAPPED, MEMORY_BORROWED /* the program's: read-only */ } held;
};

/* Makes the four memories of sim->program, zeroed, with data and weights in place; pages that nobody touches cost nothing. */
enum weft_status memories_create(struct weft_sim *sim, struct weft_diag *diag);
void memories_free(struct weft_sim *sim);
/* Makes a borrowed memory the simulation's own, so that it may be written. False: no memory. */
bool memory_own(struct memory *memory);

/* --- counters.c -------------------------------------------------------------------------------------------------------- */

/* Adds what needs no clock to sim->layers[sim->layer]: instructions, matrix_rows, cell_products, tiles, vector_rows, bytes_*,
 * peak_ub, peak_acc. */
void counters_count(struct weft_sim *sim, const struct issue *issue);
/* One layer's counters into the run's: SUM adds, PEAK keeps the larger. */
void counters_add(struct weft_counters *total, const struct weft_counters *layer);
/* Asserts the sums of docs/metrics.md, of the run and of each layer: classes to cycles, busy_matrix to class_active. Layers sum to the run because
 * counters_add is how the run's come about. */
void counters_verify(const struct weft_sim *sim);

/* --- the simulation (sim.c) -------------------------------------------------------------------------------------------- */

struct weft_sim {
    const struct weft_program *program;
    struct weft_sim_options options;
    const struct engine *engine;
    void *state; /* the engine's */
    struct weft_limits limits;
    struct memory memory[WEFT_SPACES];
    struct weft_config config; /* registers as the instruction at `position` sees them */
    struct weft_order order;   /* FIFO order after the check of that instruction */
    size_t position;
    uint32_t layer;            /* tagged last; below layer_count */
    bool halted;
    enum weft_status failed; /* what stopped the run, if not `halt` */
    struct weft_counters *layers; /* engines add to these */
    size_t layer_count;           /* at least 1 */
    struct weft_counters total;   /* made from the layers after finish: leave it alone */
};

const char *sim_name(const struct weft_sim *sim); /* what messages call the program */
/* "PROGRAM: instruction 17 (matmul ub=0, rows=4) at FILE:LINE [layer NAME]: MESSAGE"; returns WEFT_ERROR. */
enum weft_status sim_fault(const struct weft_sim *sim, const struct issue *issue, struct weft_diag *diag, const char *message);

#endif
