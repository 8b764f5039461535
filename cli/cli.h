/* cli.h: what the subcommands of `weft` share. Private to cli/. No subcommand has logic of its own: each parses, calls the libraries,
 * prints. */
#ifndef WEFT_CLI_CLI_H
#define WEFT_CLI_CLI_H

#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include "weft_compiler.h"
#include "weft_isa.h"
#include "weft_sim.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 }; /* exit status */
#define CLI_MACHINE "tpu-v1"                        /* without -m */
#define CLI_TESTED_MACHINE "tiny"                   /* of `weft conformance`; and without --format: */
#define CLI_TESTED_FORMAT "fp32"

struct cli_command {
    const char *name, *summary;
    int (*run)(int argc, char **argv); /* argv[0] is "weft NAME" */
};
int cmd_compile(int argc, char **argv);
int cmd_asm(int argc, char **argv);
int cmd_disasm(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_debug(int argc, char **argv);
int cmd_sweep(int argc, char **argv);
int cmd_conformance(int argc, char **argv);
int cmd_paper(int argc, char **argv);
int cmd_machines(int argc, char **argv);
int cmd_models(int argc, char **argv);
int cmd_doctor(int argc, char **argv);

/* --- options that mean the same everywhere (options.c) -------------------------------------------------------------- */

/* First member of each subcommand's own options, so that one pointer serves its argp and these children. */
struct cli_options {
    const char *machine, **sets;
    size_t set_count;
    struct weft_compile_options compile;
    struct weft_dim *dims;
    bool quiet, verbose, seeded; /* seeded: --seed was given */
};
extern const struct argp cli_machine_argp, cli_network_argp, cli_common_argp;
extern const struct argp cli_tested_argp; /* machine and network of `weft conformance`, which has other defaults and fewer options */
/* A subcommand's parser calls this for keys that are not its own: hands the options to its `children`. */
error_t cli_children(int key, struct argp_state *state, const struct argp_child *children);
void cli_options_free(struct cli_options *options);
/* The text of an option that makes no sense twice; a second one is exit 2 with a message. */
void cli_once(struct argp_state *state, const char *option, const char **to, const char *text);
/* A number of a command line within low..high; else exit 2 with a message. */
uint64_t cli_number(struct argp_state *state, const char *option, const char *text, uint64_t low, uint64_t high);
/* An engine of that name, else exit 2; one that is not built is refused by the simulation. */
enum weft_engine cli_engine(struct argp_state *state, const char *text);

/* --- steps that several subcommands take (steps.c) --------------------------------------------------------------------- */

struct weft_diag cli_diag(void);                                 /* to standard error */
int cli_status(enum weft_status status, struct weft_diag *diag); /* exit status; says "out of memory" where nobody else could */
/* A `report` that says "FILE: MESSAGE" to another sink: for messages of those who know no file. */
struct cli_named {
    struct weft_diag *to;
    const char *file;
};
void cli_report_named(void *named, const char *message);
enum weft_status cli_machine(struct weft_machine *out, const struct cli_options *options, struct weft_diag *diag);
/* A file, or the name of one of models/. Caller frees *out. */
enum weft_status cli_network_path(char **out, const char *name, struct weft_diag *diag);
/* Says so where the file is a program, or by its name should be one, and no network. */
enum weft_status cli_want_network(const char *path, struct weft_diag *diag);
/* weft_network_load of what may be such a file. */
enum weft_status cli_network_load(struct weft_network **out, const char *path, const struct weft_compile_options *options, struct weft_diag *diag);
const char *cli_base_name(const char *path);
bool cli_ends_with(const char *path, const char *ending);

/* Files of one command (apart.c): first what it writes, each with its option, then what it reads; NULL is none. `status` is an error, which was said,
 * where two of them are one file. */
enum { CLI_OUTPUTS_MAX = 8 };
struct cli_outputs {
    struct weft_diag *diag;
    enum weft_status status;
    const char *option[CLI_OUTPUTS_MAX], *path[CLI_OUTPUTS_MAX];
    size_t count;
};
void cli_writes(struct cli_outputs *outputs, const char *option, const char *path);
void cli_reads(struct cli_outputs *outputs, const char *path);
void cli_reads_network(struct cli_outputs *outputs, const char *name); /* a file, or the name of one of models/ */
void cli_reads_weights(struct cli_outputs *outputs, const struct weft_network *network); /* the files that it names */
void cli_reads_options(struct cli_outputs *outputs, const struct cli_options *options);

/* Progress on standard error, where that is a terminal and the work has taken more than a second. */
struct cli_progress {
    bool on, shown;
    struct timespec start, last;
};
void cli_progress_start(struct cli_progress *progress, const struct cli_options *options);
void cli_progress_show(void *progress, const char *what, double done); /* fits weft_compile_options.progress */
void cli_progress_end(struct cli_progress *progress);
double cli_seconds_since(const struct timespec *start);

#endif
