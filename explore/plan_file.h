/* plan_file.h: a plan's file as libcyaml reads it. Private to explore/. */
#ifndef WEFT_EXPLORE_PLAN_FILE_H
#define WEFT_EXPLORE_PLAN_FILE_H

#include "plan.h"
#include "weft_yaml.h"

struct span_entry {
    char *from, *to, *step;
};
struct tie_entry {
    char *field, *value;
};
struct axis_entry {
    char *field, **values;
    unsigned values_count;
    struct span_entry *range, *powers_of_two;
    struct tie_entry *tie;
    unsigned tie_count;
};
struct dim_entry {
    char *name, *value;
};
struct search_entry {
    char *strategy, *seed, *points, **objectives;
    unsigned objectives_count;
};
struct plan_file {
    char *name, *base, *format, *technology, **networks, **batches, **constraints, **metrics;
    unsigned networks_count, batches_count, axes_count, constraints_count, dims_count, metrics_count;
    struct axis_entry *axes;
    struct dim_entry *dims;
    struct search_entry *search;
};

/* *out is freed with plan_file_free; NULL where the file is refused. */
enum weft_status plan_file_load(struct plan_file **out, const struct weft_yaml *yaml);
void plan_file_free(struct plan_file *file);

#endif
