/* what_if.c: the same network on machines that are twice as good in one thing. */
#include "what_if.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "counterpart.h"
#include "weft_sim.h"

static void keep(void *user, const char *message)
{
    struct weft_what_if *row = user;
    if (!*row->reason)
        snprintf(row->reason, sizeof row->reason, "%s", message);
}

static enum weft_status time_program(uint64_t *cycles, const struct weft_program *program, struct weft_diag *diag)
{
    struct weft_sim *sim;
    enum weft_status status =
        weft_sim_create(&sim, program, &(struct weft_sim_options){.engine = WEFT_ENGINE_FAST, .timing_only = true}, diag);
    if (status)
        return status;
    status = weft_sim_run(sim, diag);
    *cycles = weft_sim_counters(sim)->cycles;
    weft_sim_free(sim);
    return status;
}

static enum weft_status time_machine(uint64_t *cycles, struct weft_network *network, const struct weft_machine *machine,
                                     const struct weft_compile_options *options, struct weft_diag *diag)
{
    struct weft_program *program;
    enum weft_status status = weft_compile(&program, network, machine, options, diag);
    if (status)
        return status;
    status = time_program(cycles, program, diag);
    weft_program_free(program);
    return status;
}

static enum weft_status fill_row(struct weft_what_if *row, double seconds, struct weft_network *network, const struct weft_machine *machine,
                                 const struct weft_compile_options *options)
{
    struct weft_machine changed;
    struct weft_diag inner = {.report = keep, .user = row};
    row->speedup = row->seconds = NAN;
    enum weft_status status = weft_what_if_machine(&changed, machine, row->change, &inner);
    if (!status)
        status = time_machine(&row->cycles, network, &changed, options, &inner);
    if (status)
        return status == WEFT_NO_MEMORY ? status : WEFT_OK; /* its reason is in the row */
    row->seconds = (double)row->cycles / (double)changed.clock_hz;
    row->speedup = seconds / row->seconds;
    return WEFT_OK;
}

/* The network on the program's own machine: what the speed-ups are over. */
static enum weft_status time_base(uint64_t *cycles, struct weft_network *network, const char *name, const char *subject, const struct weft_program *program,
                                  const struct weft_compile_options *options, struct weft_diag *diag)
{
    struct weft_program *base;
    enum weft_status status = weft_compile(&base, network, &program->machine, options, diag);
    if (status)
        return status;
    if (subject)
        status = counterpart_same(&(struct counterpart){subject, "--what-if", name, program}, base, diag);
    if (!status)
        status = time_program(cycles, base, diag);
    weft_program_free(base);
    return status;
}

enum weft_status what_if_all(struct weft_what_if rows[WEFT_WHAT_IFS], const char *name, const char *subject, const struct weft_program *program,
                             const struct weft_compile_options *given, struct weft_diag *diag)
{
    struct weft_compile_options options = *given;
    struct weft_network *network = NULL;
    const struct weft_machine *machine = &program->machine;
    char *path;
    uint64_t cycles = 0;
    options.timing_only = true;
    options.dump_after = NULL;
    if (!options.format)
        options.format = program->format;
    enum weft_status status = cli_network_path(&path, name, diag);
    if (status)
        return status;
    status = cli_network_load(&network, path, &options, diag);
    if (!status)
        status = time_base(&cycles, network, name, subject, program, &options, diag);
    for (int i = 0; i < WEFT_WHAT_IFS && !status; i++) {
        rows[i] = (struct weft_what_if){.change = (enum weft_what_if_change)i};
        status = fill_row(&rows[i], (double)cycles / (double)machine->clock_hz, network, machine, &options);
    }
    if (!status)
        weft_what_if_sort(rows);
    weft_network_free(network);
    free(path);
    return status;
}
