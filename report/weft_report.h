/* weft_report.h: what a person reads after a run. The one public header of report/.
 *
 *     struct weft_report_input input = {.program = program, .name = "resnet50.tpu", .run = weft_sim_counters(sim), .layers = layers};
 *     weft_report_text(stdout, &input);
 *     weft_report_json(&json, &input);
 *
 * Every figure is defined, with unit and equation, in docs/metrics.md; the JSON in docs/report-schema.md.
 */
#ifndef WEFT_REPORT_H
#define WEFT_REPORT_H

#include <stdio.h>
#include "weft_isa.h"
#include "weft_sim.h"

/* --- figures ------------------------------------------------------------------------------------------------------ */

enum weft_class {
    WEFT_CLASS_ACTIVE,
    WEFT_CLASS_WEIGHT_STALL,
    WEFT_CLASS_WEIGHT_SHIFT,
    WEFT_CLASS_RAW,
    WEFT_CLASS_INPUT,
    WEFT_CLASS_OTHER,
    WEFT_CLASSES
};

/* Of the whole run or of a layer. A figure that has no value (no cycles counted, no bound known) is NAN. */
struct weft_figures {
    uint64_t cycles, classes[WEFT_CLASSES], macs, dram_traffic_bytes;
    double seconds, tops, peak_tops, share_of_peak, useful_cells;
    double arithmetic_intensity, ridge_point; /* MAC per DRAM byte */
    double roofline_ratio, mapping_ratio;     /* cycles over each bound */
};
void weft_figures_compute(struct weft_figures *out, const struct weft_counters *counters, const struct weft_machine *machine, uint64_t macs,
                          uint64_t roofline_cycles, uint64_t mapping_cycles);

/* --- accuracy against the float network ------------------------------------------------------------------------------ */

struct weft_accuracy {
    const char *name; /* of the value */
    uint32_t layer;
    uint64_t elements;
    double sqnr_db; /* INFINITY: equal; NAN: not comparable, because a side is not finite */
    double max_error;
};
/* `exact` and `got` are the float network's values and the machine's. */
void weft_accuracy_measure(struct weft_accuracy *out, const float *exact, const float *got, uint64_t count);
#define WEFT_ACCURACY_DB 20.0 /* below this a layer has departed */

/* --- the report ------------------------------------------------------------------------------------------------------- */

struct weft_baseline {
    const char *path;
    double inferences_per_second;
};

struct weft_report_input {
    const struct weft_program *program;
    const char *name;   /* of the program or network, as the user gave it */
    const char *inputs; /* "in.npz", "random, seed 1"; NULL: timing only */
    enum weft_engine engine;
    bool timing_only;
    const struct weft_counters *run;
    const struct weft_counters *layers;   /* one for each layer of the program */
    const struct weft_accuracy *accuracy; /* NULL: not checked */
    size_t accuracy_count;
    const struct weft_baseline *baseline; /* NULL: none */
};

void weft_report_text(FILE *out, const struct weft_report_input *input);
/* Caller frees *out with free. */
enum weft_status weft_report_json(char **out, const struct weft_report_input *input);
/* Reads inferences_per_second from a report written by weft_report_json; path is borrowed. */
enum weft_status weft_baseline_load(struct weft_baseline *out, const char *path, struct weft_diag *diag);

#endif
