/* point.h: one point: compiled for its machine, run for timing, measured. Private to explore/. */
#ifndef WEFT_EXPLORE_POINT_H
#define WEFT_EXPLORE_POINT_H

#include "plan.h"
#include "weft_sim.h"

enum metric {
#define METRIC(name, BETTER, unit, meaning) METRIC_##name,
#include "metrics.def"
    METRICS
};
struct metric_info {
    const char *name, *unit, *meaning;
    bool more; /* is better */
};
/* The figures of metrics.def, then the counters: `metrics_count` in all. */
size_t metrics_count(void);
struct metric_info metrics_at(size_t index);
int metrics_find(const char *name); /* -1: none */
const char *metrics_nearest(const char *name);
bool metrics_is_physical(size_t index); /* energy and area: needs a technology */

struct result {
    uint64_t point;
    struct weft_machine machine;
    size_t network, batch; /* indices into the plan */
    char key[33];
    char *reason; /* owned; NULL: it ran */
    double wall_seconds;
    struct weft_counters counters;
    double metric[METRICS]; /* NAN: none */
};
double result_metric(const struct result *result, size_t index);
void result_free(struct result *result);

/* The networks of a plan, one for each case, loaded once and shared by all threads. */
struct cases {
    struct weft_network **networks;
    size_t count;
};
enum weft_status cases_load(struct cases *out, const struct weft_plan *plan, struct weft_diag *diag);
void cases_free(struct cases *cases);

/* What makes a point what it is: network, batch, options, every machine field (and why it is none, or ""), technology, weft's version. */
void point_key(char key[33], const struct weft_plan *plan, size_t which_case, const struct weft_machine *machine, const char *problem,
               const char *version);
struct weft_compile_options point_options(const struct weft_plan *plan, size_t which_case);
/* Runs it. Only WEFT_NO_MEMORY is a failure: what cannot be compiled or run is a result with its reason. */
enum weft_status point_run(struct result *out, const struct weft_plan *plan, const struct cases *cases, uint64_t point, const char *version);

#endif
