/* weft_explore.h: architecture sweeps: a plan of machines, its points run for timing, their store. The one public header of explore/.
 *
 *     struct weft_plan *plan;
 *     weft_plan_load(&plan, "plan.yaml", &diag);
 *     weft_sweep_run(&summary, plan, &(struct weft_sweep_options){.store = "results.db", .jobs = 2}, &diag);
 *     weft_plan_free(plan);
 *     weft_results_best(stdout, "results.db", "latency", "array.rows <= 256", &diag);
 *
 * docs/sweep.md has the plan's keys, the store's columns and the words of an expression.
 */
#ifndef WEFT_EXPLORE_H
#define WEFT_EXPLORE_H

#include <stdio.h>
#include "weft_isa.h"

/* --- plans ------------------------------------------------------------------------------------------------------------- */

struct weft_plan;
/* Strict: a key that is unknown, missing or there twice, or a value that cannot be, is an error with its line. */
enum weft_status weft_plan_load(struct weft_plan **out, const char *path, struct weft_diag *diag);
void weft_plan_free(struct weft_plan *plan);
/* Points of the whole grid, constraints not yet asked. */
uint64_t weft_plan_points(const struct weft_plan *plan);

/* --- shards: parts of a plan that know nothing of each other ------------------------------------------------------------- */

enum { WEFT_SHARDS_MAX = 1000000 };
struct weft_shard {
    uint64_t index, count; /* index from 0; count 0 or 1: all of it */
    const char *source;    /* "--shard", "SLURM_ARRAY_TASK_ID", ...: borrowed, for messages */
};
enum weft_status weft_shard_parse(struct weft_shard *out, const char *text /* "2/8" */, struct weft_diag *diag);
/* Slurm's array, Slurm's, Open MPI's or PMI's rank, in this order; none of them: all of it. */
enum weft_status weft_shard_environment(struct weft_shard *out, struct weft_diag *diag);
/* "results.db" -> "results.2-of-8.db"; caller frees *out with free. */
enum weft_status weft_shard_store(char **out, const char *store, const struct weft_shard *shard);

/* --- running --------------------------------------------------------------------------------------------------------------- */

struct weft_sweep_progress {
    uint64_t done, total; /* points of this shard, those of earlier runs included */
    uint64_t run;         /* points of this run */
};
struct weft_sweep_options {
    const char *store; /* SQLite; goes on where it stopped */
    unsigned jobs;     /* threads; 0: every core */
    struct weft_shard shard;
    const char *version; /* of weft, for the rows */
    void (*progress)(void *user, const struct weft_sweep_progress *progress); /* now and then; may be NULL */
    void *progress_user;
};
struct weft_sweep_summary {
    uint64_t points;  /* that meet the constraints, of this shard (a search: that it asked for) */
    uint64_t earlier; /* of them, found in the store */
    uint64_t run;     /* by this run */
    uint64_t good, bad; /* of this shard, in the store now: with figures; with a reason why there are none */
    char reason[320];   /* the most common one, which `reason_count` points have */
    uint64_t reason_count;
    double seconds;
};
/* Each point is in the store as soon as it is over. May be killed at any moment and called again. An error also where the constraints let no machine
 * through (then there is no store) and where no point of the whole plan comes to anything. */
enum weft_status weft_sweep_run(struct weft_sweep_summary *out, const struct weft_plan *plan, const struct weft_sweep_options *options,
                                struct weft_diag *diag);

/* --- results --------------------------------------------------------------------------------------------------------------- */

/* Joins stores into one, written aside, then renamed. Names the shards that are missing or that stopped early: then WEFT_ERROR, though the store is
 * there with what they left. */
enum weft_status weft_sweep_merge(const char *out, const char *const *stores, size_t count, struct weft_diag *diag);

/* `where` is an expression over columns, or NULL. */
enum weft_status weft_results_csv(FILE *out, const char *store, const char *where, struct weft_diag *diag);
/* A page for a browser, with everything in it; caller frees *out with free. */
enum weft_status weft_results_html(char **out, const char *store, struct weft_diag *diag);
/* Of each network and batch the best row by a metric; "max:NAME" and "min:NAME" turn a metric's own direction. */
enum weft_status weft_results_best(FILE *out, const char *store, const char *metric, const char *where, struct weft_diag *diag);
/* Of each network and batch the rows that no other beats in all of the metrics "a,b,...". */
enum weft_status weft_results_pareto(FILE *out, const char *store, const char *metrics, const char *where, struct weft_diag *diag);

/* --- a paper as witness (paper.c, isca2017.def) -------------------------------------------------------------------------------- */

struct weft_paper_options {
    struct weft_machine machine;
    const char *only; /* one of the networks, or NULL: all */
    bool scaling;     /* figure 11 too, which takes some twenty runs of each network */
};
const char *weft_paper_network(size_t index); /* NULL: there are no more */
/* Tables 1 and 3 and figure 11 of the ISCA 2017 paper: published, ours, the difference. */
enum weft_status weft_paper_isca2017(FILE *out, const struct weft_paper_options *options, struct weft_diag *diag);

#endif
