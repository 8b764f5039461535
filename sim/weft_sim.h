/* weft_sim.h: the machine at work. The one public header of sim/.
 *
 * Least use:
 *     struct weft_sim *sim;
 *     weft_sim_create(&sim, program, &(struct weft_sim_options){.engine = WEFT_ENGINE_FAST}, &diag);
 *     weft_sim_write(sim, WEFT_SPACE_HOST, input->host, bytes, n);
 *     weft_sim_run(sim, &diag);
 *     weft_sim_read(sim, WEFT_SPACE_HOST, output->host, bytes, n);
 *     weft_sim_counters(sim)->cycles;
 *     weft_sim_free(sim);
 * The program is borrowed and must outlive the simulation. Two simulations may run on two threads.
 */
#ifndef WEFT_SIM_H
#define WEFT_SIM_H

#include "weft_isa.h"

enum weft_engine { WEFT_ENGINE_FAST, WEFT_ENGINE_REFERENCE, WEFT_ENGINE_SYSTEMC };

struct weft_counters {
#define WEFT_COUNTER(name, KIND, unit, meaning) uint64_t name;
#include "counters.def"
};
struct weft_counter_info { const char *name, *unit, *meaning; size_t offset; bool peak; };
const struct weft_counter_info *weft_counter_table(size_t *count);

/* What became of one instruction; reported in program order within a unit, once its times are known. */
struct weft_event {
    size_t index;                   /* of the instruction in the program */
    const struct weft_instr *instr;
    enum weft_unit unit;
    uint32_t layer;
    unsigned array;                 /* of a product; else 0 */
    uint64_t dispatched, start, end /* unit free */, reads_done, writes_done;
    uint64_t tile_whole, shift_start, shift_end; /* products that take a tile; else 0 */
    uint64_t stall[6];              /* products: cycles before the start by class: weight_stall weight_shift input raw other, then 0 */
    unsigned fifo_slots;            /* slots in use after the start of a fetch */
};
struct weft_observer { void (*event)(void *user, const struct weft_event *event); void *user; };

struct weft_sim_options {
    enum weft_engine engine;
    const char *name;              /* what messages call the program: its file. NULL: the name of its network, or "program" */
    bool timing_only;              /* no memories, no values */
    struct weft_observer observer; /* event may be NULL */
    bool (*cancel)(void *user, size_t instruction, size_t instructions); /* asked now and then, for progress; true stops; may be NULL */
    void *cancel_user;
    const char *wave;              /* systemc: a waveform (VCD; gzipped if the name ends in .gz) to write here, of cycles wave_from to wave_to - 1; or NULL */
    uint64_t wave_from, wave_to;
};
struct weft_sim;

enum weft_status weft_sim_create(struct weft_sim **out, const struct weft_program *program, const struct weft_sim_options *options, struct weft_diag *diag);
void weft_sim_free(struct weft_sim *sim);

/* Runs to the end. A fault is an error whose message names instruction, its text, source line or layer, and operand. */
enum weft_status weft_sim_run(struct weft_sim *sim, struct weft_diag *diag);

/* Stepping, for debuggers: executes the next instruction of program order (its times are final only at the end of a run). *done: it was halt. */
enum weft_status weft_sim_step(struct weft_sim *sim, bool *done, struct weft_diag *diag);
size_t weft_sim_position(const struct weft_sim *sim); /* index of the next instruction */
const struct weft_config *weft_sim_config(const struct weft_sim *sim);

/* The memories. UB, HOST, DRAM are bytes; ACC is rows of N 32-bit lanes seen as bytes. False: out of range, or no values kept. */
bool weft_sim_read(const struct weft_sim *sim, enum weft_space space, uint64_t address, void *out, uint64_t bytes);
bool weft_sim_write(struct weft_sim *sim, enum weft_space space, uint64_t address, const void *in, uint64_t bytes);
const uint8_t *weft_sim_memory(const struct weft_sim *sim, enum weft_space space, uint64_t *bytes); /* borrowed; NULL when timing only */

/* Whether the fast engine multiplies 8-bit integers through oneDNN on this host: it is installed and exact. For `weft doctor`. */
enum weft_status weft_sim_library_is_used(bool *out);

/* After the run. The reference engine counts no time: its cycle counters are zero. */
const struct weft_counters *weft_sim_counters(const struct weft_sim *sim);
const struct weft_counters *weft_sim_layer_counters(const struct weft_sim *sim, size_t layer);

#endif
