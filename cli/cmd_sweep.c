/* cmd_sweep.c: weft sweep: run a plan of many machines, join the stores of shards, ask a store. */
#include "build_id.h"
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weft_explore.h"

enum { KEY_SHARD = 0x200, KEY_MERGE, KEY_CSV, KEY_BEST, KEY_PARETO, KEY_WHERE };

struct options {
    const char *out, *where, *metric;
    struct weft_shard shard; /* --shard; count 0: not given */
    int action; /* a KEY, or 0: run a plan */
    const char **files;
    size_t file_count;
    unsigned jobs;
    bool quiet;
};

static void choose(struct options *options, int action, const char *metric, struct argp_state *state)
{
    if (options->action)
        argp_error(state, "one of --csv, --best, --pareto and --merge at a time");
    options->action = action;
    options->metric = metric;
}

static void check_options(const struct options *options, struct argp_state *state)
{
    bool asks = options->action == KEY_CSV || options->action == KEY_BEST || options->action == KEY_PARETO;
    if (options->file_count == 0)
        argp_error(state, asks ? "which store?" : options->action ? "--merge OUT.db IN.db...: which stores?" : "which plan? A file such as plan.yaml");
    if (options->file_count > 1 && options->action != KEY_MERGE)
        argp_error(state, "one file at a time; '%s' is a second one", options->files[1]);
    if (!options->action && !options->out)
        argp_error(state, "where do the results go? -o RESULTS.db");
    if (options->where && !asks)
        argp_error(state, "--where goes with --csv, --best and --pareto");
    if (options->out && (options->action == KEY_BEST || options->action == KEY_PARETO))
        argp_error(state, "-o goes with a plan or --csv");
    if (options->shard.count && options->action)
        argp_error(state, "--shard goes with a plan");
}

static void parse_shard(struct options *options, const char *text, struct argp_state *state)
{
    if (weft_shard_parse(&options->shard, text, NULL))
        argp_error(state, "--shard takes I/N, I from 0 to N - 1, such as 0/8, not '%s'", text);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case 'o': cli_once(state, "-o", &options->out, text); return 0;
    case 'j': options->jobs = (unsigned)cli_number(state, "-j", text, 1, 1024); return 0;
    case 'q': options->quiet = true; return 0;
    case KEY_SHARD: parse_shard(options, text, state); return 0;
    case KEY_WHERE: options->where = text; return 0;
    case KEY_MERGE: choose(options, key, NULL, state); cli_once(state, "the file to write (--merge, -o)", &options->out, text); return 0;
    case KEY_CSV: choose(options, key, NULL, state); return 0;
    case KEY_BEST:
    case KEY_PARETO: choose(options, key, text, state); return 0;
    case ARGP_KEY_INIT:
        options->files = calloc((size_t)state->argc + 1, sizeof *options->files);
        return options->files ? 0 : ENOMEM;
    case ARGP_KEY_ARG: options->files[options->file_count++] = text; return 0;
    case ARGP_KEY_END: check_options(options, state); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options_table[] = {
    {"output", 'o', "FILE", 0, "the store; with --csv: the file (standard output)", 1},
    {"jobs", 'j', "N", 0, "threads (every core)", 1},
    {"shard", KEY_SHARD, "I/N", 0, "run part I of N, I from 0 (what Slurm, Open MPI or PMI say in the environment; else all)", 1},
    {"merge", KEY_MERGE, "OUT.db", 0, "join the stores of shards; name those that are missing or died", 2},
    {"csv", KEY_CSV, NULL, 0, "print a store as CSV", 2},
    {"best", KEY_BEST, "METRIC", 0, "print the best point of each network and batch", 2},
    {"pareto", KEY_PARETO, "A,B,...", 0, "print the points of each network and batch that no other beats in all of these metrics", 2},
    {"where", KEY_WHERE, "EXPR", 0, "only points for which this holds, such as 'array.rows <= 256 && batch == 8'", 2},
    {"quiet", 'q', NULL, 0, "say nothing but errors", -1},
    {0},
};
static const struct argp argp = {options_table,
                                 parse,
                                 "PLAN.yaml -o RESULTS.db\n--merge OUT.db IN.db...\n--csv|--best METRIC|--pareto A,B RESULTS.db",
                                 "Compiles and runs networks on many machines, for timing, and keeps every figure in an SQLite store. What holds without an "
                                 "option stands in parentheses.\v"
                                 "A run may be stopped at any moment, by any means; the same command goes on where it stopped. docs/sweep.md describes plans, "
                                 "stores and expressions.\n\n"
                                 "Example: weft sweep plan.yaml -o results.db && weft sweep --best latency results.db",
                                 NULL,
                                 NULL,
                                 NULL};

/* --- progress ------------------------------------------------------------------------------------------------------------ */

static void show(void *user, const struct weft_sweep_progress *p)
{
    struct cli_progress *progress = user;
    double seconds = cli_seconds_since(&progress->start), rate = (double)p->run / (seconds > 0 ? seconds : 1);
    if (!progress->on || seconds < 1 || cli_seconds_since(&progress->last) < 0.2)
        return;
    clock_gettime(CLOCK_MONOTONIC, &progress->last);
    uint64_t left = rate > 0 && p->total > p->done ? (uint64_t)((double)(p->total - p->done) / rate + 0.5) : 0;
    fprintf(stderr, "\r\033[K%llu of %llu points, %.0f/s, %llu:%02llu:%02llu left", (unsigned long long)p->done, (unsigned long long)p->total, rate,
            (unsigned long long)(left / 3600), (unsigned long long)(left / 60 % 60), (unsigned long long)(left % 60));
    fflush(stderr);
    progress->shown = true;
}

static void tell(const struct options *options, const char *store, const struct weft_shard *shard, const struct weft_sweep_summary *s)
{
    typedef unsigned long long ull;
    if (options->quiet)
        return;
    fprintf(stderr, "weft: %s: %llu points", store, (ull)s->points);
    if (shard->count > 1)
        fprintf(stderr, " in shard %llu of %llu (%s)", (ull)shard->index, (ull)shard->count, shard->source);
    fprintf(stderr, "; %llu run in %.2f s", (ull)s->run, s->seconds);
    if (s->earlier)
        fprintf(stderr, "; %llu were there", (ull)s->earlier);
    if (s->bad)
        fprintf(stderr, "; %llu cannot be compiled or run (column reason), %llu of them: %s", (ull)s->bad, (ull)s->reason_count, s->reason);
    fputc('\n', stderr);
}

/* --- actions --------------------------------------------------------------------------------------------------------------- */

static enum weft_status run_plan(const struct options *options, struct weft_diag *diag)
{
    struct weft_plan *plan = NULL;
    struct weft_shard shard = options->shard;
    struct weft_sweep_summary summary;
    struct cli_progress progress;
    char *store = NULL;
    enum weft_status status = shard.count ? WEFT_OK : weft_shard_environment(&shard, diag);
    if (!status)
        status = weft_plan_load(&plan, options->files[0], diag);
    if (!status)
        status = weft_shard_store(&store, options->out, &shard);
    cli_progress_start(&progress, &(struct cli_options){.quiet = options->quiet});
    if (!status)
        status = weft_sweep_run(&summary, plan,
                                &(struct weft_sweep_options){.store = store, .jobs = options->jobs, .shard = shard, .version = WEFT_VERSION "+" WEFT_BUILD,
                                                             .progress = show, .progress_user = &progress},
                                diag);
    cli_progress_end(&progress);
    if (!status)
        tell(options, store, &shard, &summary);
    free(store);
    weft_plan_free(plan);
    return status;
}

/* CSV goes to standard output, or aside and then into its file. */
static enum weft_status write_csv(const struct options *options, struct weft_diag *diag)
{
    char *text = NULL;
    size_t bytes = 0;
    if (!options->out)
        return weft_results_csv(stdout, options->files[0], options->where, diag);
    FILE *out = open_memstream(&text, &bytes);
    if (!out)
        return WEFT_NO_MEMORY;
    enum weft_status status = weft_results_csv(out, options->files[0], options->where, diag);
    if (fclose(out) && !status)
        status = WEFT_NO_MEMORY;
    if (!status)
        status = weft_file_write(options->out, text, bytes, diag);
    free(text);
    return status;
}

static enum weft_status act(const struct options *options, struct weft_diag *diag)
{
    switch (options->action) {
    case KEY_MERGE: return weft_sweep_merge(options->out, options->files, options->file_count, diag);
    case KEY_CSV: return write_csv(options, diag);
    case KEY_BEST: return weft_results_best(stdout, options->files[0], options->metric, options->where, diag);
    case KEY_PARETO: return weft_results_pareto(stdout, options->files[0], options->metric, options->where, diag);
    default: return run_plan(options, diag);
    }
}

int cmd_sweep(int argc, char **argv)
{
    struct options options = {0};
    struct weft_diag diag = cli_diag();
    argp_parse(&argp, argc, argv, 0, NULL, &options);
    struct cli_outputs outputs = {&diag};
    cli_writes(&outputs, options.action == KEY_MERGE ? "--merge" : "-o", options.out);
    for (size_t i = 0; i < options.file_count; i++)
        cli_reads(&outputs, options.files[i]);
    int status = cli_status(outputs.status ? outputs.status : act(&options, &diag), &diag);
    free(options.files);
    return status;
}
