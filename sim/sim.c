/* sim.c: the walk through a program that every engine shares, and the public functions. See engine.h. */
#include <stdlib.h>
#include <string.h>

#include "engine.h"

enum { CANCEL_EVERY = 1024 }; /* instructions between two questions to options.cancel */

static const struct engine *find_engine(enum weft_engine engine, struct weft_diag *diag)
{
    switch (engine) {
    case WEFT_ENGINE_FAST: return &engine_fast;
    case WEFT_ENGINE_REFERENCE: return &engine_reference;
    case WEFT_ENGINE_SYSTEMC:
#ifdef WEFT_WITH_SYSTEMC
        return &engine_systemc;
#else
        weft_error(diag, "engine systemc: this weft was built without SystemC; use fast or reference");
        return NULL;
#endif
    }
    weft_error(diag, "engine %d: no such engine", (int)engine);
    return NULL;
}

static enum weft_status check_machine(const struct weft_machine *machine, struct weft_diag *diag)
{
    size_t count;
    const struct weft_machine_field *fields = weft_machine_fields(&count);
    for (size_t i = 0; i < count; i++) {
        uint64_t value = weft_machine_get(machine, &fields[i]);
        if (value < fields[i].low || value > fields[i].high)
            return weft_error(diag, "machine %s: %s is %llu; it lies between %llu and %llu", machine->name, fields[i].name,
                              (unsigned long long)value, (unsigned long long)fields[i].low, (unsigned long long)fields[i].high);
    }
    return WEFT_OK;
}

static enum weft_status prepare(struct weft_sim *sim, struct weft_diag *diag)
{
    const struct weft_program *program = sim->program;
    enum weft_status status = check_machine(&program->machine, diag);
    if (status != WEFT_OK) return status;
    sim->limits = (struct weft_limits){program->host_bytes, program->dram_bytes, program->layer_count};
    sim->layer_count = program->layer_count ? program->layer_count : 1;
    weft_config_reset(&sim->config);
    sim->layers = calloc(sim->layer_count, sizeof *sim->layers);
    sim->order.fifo = calloc(program->machine.fifo_tiles, sizeof *sim->order.fifo);
    if (!sim->layers || !sim->order.fifo) return WEFT_NO_MEMORY;
    return memories_create(sim, diag);
}

enum weft_status weft_sim_create(struct weft_sim **out, const struct weft_program *program, const struct weft_sim_options *options,
                                 struct weft_diag *diag)
{
    *out = NULL;
    const struct engine *engine = find_engine(options->engine, diag);
    if (!engine) return WEFT_ERROR;
    struct weft_sim *sim = calloc(1, sizeof *sim);
    if (!sim) return WEFT_NO_MEMORY;
    sim->program = program;
    sim->options = *options;
    sim->engine = engine;
    enum weft_status status = prepare(sim, diag);
    if (status == WEFT_OK) status = engine->create(&sim->state, sim, diag);
    if (status == WEFT_OK) *out = sim;
    else weft_sim_free(sim);
    return status;
}

void weft_sim_free(struct weft_sim *sim)
{
    if (!sim) return;
    sim->engine->free(sim->state);
    memories_free(sim);
    free(sim->layers);
    free(sim->order.fifo);
    free(sim);
}

/* What the engine has counted by the layer becomes the run's; peaks and sums that must hold are asserted. */
static void total(struct weft_sim *sim)
{
    sim->total = (struct weft_counters){0};
    for (size_t i = 0; i < sim->layer_count; i++) counters_add(&sim->total, &sim->layers[i]);
    counters_verify(sim);
}

/* What `set`, `tag` and `halt` do to the instructions behind them. */
static enum weft_status take_effect(struct weft_sim *sim, const struct weft_instr *instr, struct weft_diag *diag)
{
    switch (instr->op) {
    case WEFT_OP_SET: weft_config_set(&sim->config, instr->reg, instr->value0, instr->value1); return WEFT_OK;
    case WEFT_OP_TAG: sim->layer = instr->layer; return WEFT_OK;
    case WEFT_OP_HALT: {
        sim->halted = true;
        enum weft_status status = sim->engine->finish(sim->state, diag);
        if (status == WEFT_OK) total(sim);
        return status;
    }
    default: return WEFT_OK;
    }
}

/* Fetches, decodes and checks the instruction at sim->position. */
static enum weft_status issue_next(struct weft_sim *sim, struct issue *issue, struct weft_diag *diag)
{
    char message[256];
    *issue = (struct issue){.index = sim->position};
    if (sim->position >= sim->program->instructions) return sim_fault(sim, issue, diag, "the program ends without halt");
    if (!weft_decode(&issue->instr, sim->program->text + sim->position * WEFT_WORD_BYTES))
        return sim_fault(sim, issue, diag, "no instruction has this word");
    issue->info = weft_instr_info(issue->instr.op);
    if (issue->instr.op == WEFT_OP_TAG && issue->instr.layer >= sim->layer_count)
        return sim_fault(sim, issue, diag, "the program has no such layer");
    if (!weft_check(&issue->effects, &sim->order, &issue->instr, &sim->config, &sim->program->machine, &sim->limits, message))
        return sim_fault(sim, issue, diag, message);
    return WEFT_OK;
}

static enum weft_status step(struct weft_sim *sim, struct weft_diag *diag)
{
    struct issue issue;
    enum weft_status status = issue_next(sim, &issue, diag);
    if (status != WEFT_OK) return status;
    counters_count(sim, &issue);
    status = sim->engine->execute(sim->state, &issue, diag);
    if (status != WEFT_OK) return status;
    sim->position++;
    return take_effect(sim, &issue.instr, diag);
}

enum weft_status weft_sim_step(struct weft_sim *sim, bool *done, struct weft_diag *diag)
{
    *done = sim->halted;
    if (sim->halted) return WEFT_OK;
    if (sim->failed != WEFT_OK) return weft_error(diag, "the run has stopped at a fault; create a new simulation to run again");
    if (sim->engine->run) return weft_error(diag, "engine %s: runs a program whole; step with fast or reference", sim->engine->name);
    sim->failed = step(sim, diag);
    *done = sim->halted;
    return sim->failed;
}

static enum weft_status run_whole(struct weft_sim *sim, struct weft_diag *diag)
{
    if (sim->halted) return WEFT_OK;
    sim->failed = sim->engine->run(sim->state, diag);
    if (sim->failed != WEFT_OK) return sim->failed;
    sim->halted = true;
    total(sim);
    return WEFT_OK;
}

enum weft_status weft_sim_run(struct weft_sim *sim, struct weft_diag *diag)
{
    if (sim->engine->run) return run_whole(sim, diag);
    const struct weft_sim_options *options = &sim->options;
    for (bool done = false; !done;) {
        if (options->cancel && sim->position % CANCEL_EVERY == 0 &&
            options->cancel(options->cancel_user, sim->position, sim->program->instructions))
            return weft_error(diag, "stopped after %zu of %zu instructions", sim->position, sim->program->instructions);
        enum weft_status status = weft_sim_step(sim, &done, diag);
        if (status != WEFT_OK) return status;
    }
    return WEFT_OK;
}

size_t weft_sim_position(const struct weft_sim *sim) { return sim->position; }

const struct weft_config *weft_sim_config(const struct weft_sim *sim) { return &sim->config; }

static bool inside(const struct memory *memory, uint64_t address, uint64_t bytes)
{
    return address <= memory->size && bytes <= memory->size - address && (memory->bytes || bytes == 0);
}

bool weft_sim_read(const struct weft_sim *sim, enum weft_space space, uint64_t address, void *out, uint64_t bytes)
{
    const struct memory *memory = &sim->memory[space];
    if (sim->options.timing_only || !inside(memory, address, bytes)) return false;
    if (bytes) memcpy(out, memory->bytes + address, bytes);
    return true;
}

bool weft_sim_write(struct weft_sim *sim, enum weft_space space, uint64_t address, const void *in, uint64_t bytes)
{
    struct memory *memory = &sim->memory[space];
    if (sim->options.timing_only || !inside(memory, address, bytes)) return false;
    if (!memory_own(memory)) return false;
    if (bytes) memcpy(memory->bytes + address, in, bytes);
    return true;
}

const uint8_t *weft_sim_memory(const struct weft_sim *sim, enum weft_space space, uint64_t *bytes)
{
    *bytes = sim->memory[space].size;
    return sim->memory[space].bytes;
}

const struct weft_counters *weft_sim_counters(const struct weft_sim *sim) { return &sim->total; }

const struct weft_counters *weft_sim_layer_counters(const struct weft_sim *sim, size_t layer)
{
    return layer < sim->layer_count ? &sim->layers[layer] : NULL;
}
