/* memories.c: the four memories of a simulation. Sizes come from a file: they are checked here before anything is allocated. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "engine.h"

static const uint64_t size_limit = UINT64_C(64) << 30; /* beyond it no host of ours would run the program */
static const uint64_t heap_limit = UINT64_C(1) << 28;  /* smaller ones lie on the heap, where the sanitisers see their ends */

/* Zeroed; `size` may be 0. */
static enum weft_status memory_create(struct memory *out, uint64_t size)
{
    *out = (struct memory){.size = size};
    if (size == 0) return WEFT_OK;
    if (size <= heap_limit) {
        out->bytes = calloc(1, size);
        out->held = MEMORY_HEAP;
        return out->bytes ? WEFT_OK : WEFT_NO_MEMORY;
    }
    void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bytes == MAP_FAILED) return WEFT_NO_MEMORY;
    *out = (struct memory){bytes, size, MEMORY_MAPPED};
    return WEFT_OK;
}

static void memory_free(struct memory *memory)
{
    if (memory->held == MEMORY_HEAP) free(memory->bytes);
    if (memory->held == MEMORY_MAPPED) munmap(memory->bytes, memory->size);
    *memory = (struct memory){0};
}

bool memory_own(struct memory *memory)
{
    if (memory->held != MEMORY_BORROWED) return true;
    struct memory own;
    if (memory_create(&own, memory->size) != WEFT_OK) return false;
    memcpy(own.bytes, memory->bytes, memory->size);
    *memory = own;
    return true;
}

static bool has_opcode(const struct weft_program *program, enum weft_opcode op)
{
    for (size_t i = 0; i < program->instructions; i++)
        if (program->text[i * WEFT_WORD_BYTES] == (uint8_t)op) return true;
    return false;
}

/* The first instruction that fetches a tile, and the layer it stands in; false: none does. */
static bool find_fetch(struct issue *out, uint32_t *layer, const struct weft_program *program)
{
    *layer = 0;
    for (*out = (struct issue){0}; out->index < program->instructions; out->index++) {
        if (!weft_decode(&out->instr, program->text + out->index * WEFT_WORD_BYTES)) continue;
        out->info = weft_instr_info(out->instr.op);
        if (out->instr.op == WEFT_OP_READ_WEIGHTS) return true;
        if (out->instr.op == WEFT_OP_TAG) *layer = out->instr.layer;
    }
    return false;
}

/* What the compiler made for timing only has left its weights out; who wrote a program by hand has forgotten them. */
static enum weft_status check_weights(const struct weft_sim *sim, struct weft_diag *diag)
{
    struct issue fetch;
    struct weft_sim at = *sim;
    bool fetches = find_fetch(&fetch, &at.layer, sim->program);
    if (sim->program->weights || (!sim->program->weights_bytes && !fetches)) return WEFT_OK;
    if (fetches && !sim->program->network)
        return sim_fault(&at, &fetch, diag, "the program has no .weights section for this to read (--timing runs it without)");
    return weft_error(diag, "%s: the program carries no weights: it was compiled for timing only (run it with --timing)", sim_name(sim));
}

static enum weft_status check_size(const struct weft_sim *sim, const char *what, uint64_t size, uint64_t limit, const char *whose, struct weft_diag *diag)
{
    if (size <= limit) return WEFT_OK;
    return weft_error(diag, "%s: the program asks for %llu bytes of %s; %s %llu", sim_name(sim), (unsigned long long)size, what, whose, (unsigned long long)limit);
}

static enum weft_status check_sizes(const struct weft_sim *sim, struct weft_diag *diag)
{
    const struct weft_program *program = sim->program;
    enum weft_status status = check_size(sim, "DRAM", program->dram_bytes, program->machine.dram_bytes, "the machine has", diag);
    if (status != WEFT_OK || sim->options.timing_only) return status;
    status = check_size(sim, "host memory", program->host_bytes, size_limit, "the limit is", diag);
    if (status == WEFT_OK) status = check_size(sim, "DRAM", program->dram_bytes, size_limit, "the limit is", diag);
    if (status == WEFT_OK) status = check_size(sim, "DRAM for its weights", program->weights_bytes, program->dram_bytes, "its footprint is", diag);
    if (status != WEFT_OK) return status;
    if (program->data_host > program->host_bytes || program->data_bytes > program->host_bytes - program->data_host)
        return weft_error(diag, "%s: the program's %llu bytes of data at host address %llu leave its %llu bytes of host memory", sim_name(sim),
                          (unsigned long long)program->data_bytes, (unsigned long long)program->data_host,
                          (unsigned long long)program->host_bytes);
    return check_weights(sim, diag);
}

static enum weft_status create_dram(struct memory *out, const struct weft_program *program)
{
    bool read_only = !program->machine.dram_writable || !has_opcode(program, WEFT_OP_WRITE_DRAM);
    if (read_only && program->weights_bytes == program->dram_bytes) {
        *out = (struct memory){program->weights, program->dram_bytes, program->weights ? MEMORY_BORROWED : MEMORY_NONE};
        return WEFT_OK;
    }
    enum weft_status status = memory_create(out, program->dram_bytes);
    if (status == WEFT_OK && program->weights_bytes) memcpy(out->bytes, program->weights, program->weights_bytes);
    return status;
}

static enum weft_status create_all(struct weft_sim *sim)
{
    const struct weft_program *program = sim->program;
    const struct weft_machine *machine = &program->machine;
    enum weft_status status = memory_create(&sim->memory[WEFT_SPACE_UB], machine->ub_bytes);
    if (status == WEFT_OK) status = memory_create(&sim->memory[WEFT_SPACE_ACC], machine->acc_rows * machine->columns * 4);
    if (status == WEFT_OK) status = memory_create(&sim->memory[WEFT_SPACE_HOST], program->host_bytes);
    if (status == WEFT_OK) status = create_dram(&sim->memory[WEFT_SPACE_DRAM], program);
    if (status == WEFT_OK && program->data_bytes)
        memcpy(sim->memory[WEFT_SPACE_HOST].bytes + program->data_host, program->data, program->data_bytes);
    return status;
}

enum weft_status memories_create(struct weft_sim *sim, struct weft_diag *diag)
{
    enum weft_status status = check_sizes(sim, diag);
    if (status != WEFT_OK || sim->options.timing_only) return status;
    status = create_all(sim);
    if (status == WEFT_NO_MEMORY)
        weft_error(diag, "%s: no memory for the machine's buffers, %llu bytes of host memory and %llu bytes of DRAM", sim_name(sim),
                   (unsigned long long)sim->program->host_bytes, (unsigned long long)sim->program->dram_bytes);
    return status;
}

void memories_free(struct weft_sim *sim)
{
    for (size_t i = 0; i < WEFT_SPACES; i++) memory_free(&sim->memory[i]);
}
