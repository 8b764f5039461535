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

/* --- energy and area (docs/energy.md) ------------------------------------------------------------------------------------- */

/* A technology file: what an operation, a bit and a square millimetre cost. Every value of technology.def is required in it. */
enum { WEFT_TECHNOLOGY_MACHINES = 16 };
struct weft_technology {
    char name[64], description[256];
    char machines[WEFT_TECHNOLOGY_MACHINES][64]; /* whose technology this is where nobody names one */
    size_t machine_count;
#define WEFT_TECHNOLOGY_FIELD(group, name, member, low, high, unit, meaning) double member;
#include "technology.def"
};
struct weft_technology_field {
    const char *name /* "int8.multiply_pj" */, *unit, *meaning;
    size_t offset;
    double low, high;
};
const struct weft_technology_field *weft_technology_fields(size_t *count);
/* `name` is that of a file of technologies/ (beside the installed data, or in the source tree) or a path. */
enum weft_status weft_technology_load(struct weft_technology *out, const char *name, struct weft_diag *diag);
enum weft_status weft_technology_parse(struct weft_technology *out, const char *yaml, size_t bytes, const char *file,
                                       struct weft_diag *diag);
/* The file of technologies/ that lists the machine's name. *found is false where none does: then there is no energy to be told. */
enum weft_status weft_technology_find(struct weft_technology *out, bool *found, const char *machine, struct weft_diag *diag);

/* What a program's instructions do that no counter keeps. */
struct weft_work {
    uint64_t integer_products;  /* of 8 by 8 bits: a wider product is several */
    uint64_t float_products;    /* of bf16 */
    uint64_t flip_flop_bits;    /* bits of the cells' registers, times clocks */
    uint64_t accumulator_bytes; /* read and written */
    uint64_t fifo_bytes;        /* read and written */
    uint64_t vector_elements;   /* that went through the vector unit */
};
/* Of the program (`out`) and of each of its layers (`layers`, one for each; may be NULL), from a walk over the instructions. */
enum weft_status weft_work_count(struct weft_work *out, struct weft_work *layers, const struct weft_program *program);

enum weft_component {
#define WEFT_COMPONENT(ID, name, words) WEFT_COMPONENT_##ID,
#include "components.def"
    WEFT_COMPONENTS
};
struct weft_energy {
    double joules[WEFT_COMPONENTS], mm2[WEFT_COMPONENTS]; /* DRAM: the joules of interface and devices, the area of the interface */
    double total_joules, total_mm2;
    double joules_per_inference, watts, chip_watts /* without DRAM */, tops_per_watt; /* NAN: no time counted */
};
void weft_energy_compute(struct weft_energy *out, const struct weft_counters *counters, const struct weft_work *work,
                         const struct weft_machine *machine, const struct weft_technology *technology, uint64_t macs, uint64_t batch);

/* --- what if ---------------------------------------------------------------------------------------------------------------- */

enum weft_what_if_change {
#define WEFT_WHAT_IF(ID, name, words, ...) WEFT_WHAT_IF_##ID,
#include "what_ifs.def"
    WEFT_WHAT_IFS
};
struct weft_what_if {
    enum weft_what_if_change change;
    uint64_t cycles;
    double seconds, speedup; /* NAN: it could not be done, and `reason` says why */
    char reason[256];
};
/* The machine with one thing doubled. An error where a field would leave its bounds. */
enum weft_status weft_what_if_machine(struct weft_machine *out, const struct weft_machine *machine, enum weft_what_if_change change,
                                      struct weft_diag *diag);
void weft_what_if_sort(struct weft_what_if rows[WEFT_WHAT_IFS]); /* fastest first */

/* --- accuracy against the float network ------------------------------------------------------------------------------ */

struct weft_accuracy {
    const char *name; /* of the value */
    uint32_t layer;
    uint64_t elements;
    double sqnr_db; /* INFINITY: equal; NAN: not comparable, because a side is not finite */
    double max_error; /* NAN where a side is */
};
/* `exact` and `got` are the float network's values and the machine's. */
void weft_accuracy_measure(struct weft_accuracy *out, const float *exact, const float *got, uint64_t count);

/* --- the report ------------------------------------------------------------------------------------------------------- */

struct weft_baseline {
    const char *path; /* borrowed */
    double inferences_per_second;
    char network[128], format[16]; /* "": none was told */
    uint64_t batch;
};
/* From a report that weft_report_json wrote. */
enum weft_status weft_baseline_load(struct weft_baseline *out, const char *path, struct weft_diag *diag);

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
    double accuracy_db; /* below this a value has departed */
    const struct weft_baseline *baseline;     /* NULL: none */
    const struct weft_technology *technology; /* NULL: no energy, no area */
    const struct weft_what_if *what_if;       /* WEFT_WHAT_IFS rows, sorted; NULL: not asked */
};

/* First value, in order of the program, that has departed; NULL: none. */
const struct weft_accuracy *weft_accuracy_departure(const struct weft_report_input *input);

void weft_report_text(FILE *out, const struct weft_report_input *input);
/* Caller frees *out with free. */
enum weft_status weft_report_json(char **out, const struct weft_report_input *input);
/* One page with everything in it: charts, sortable table. Caller frees *out with free. */
enum weft_status weft_report_html(char **out, const struct weft_report_input *input);
/* The page of a store of sweeps: Pareto front, heat map, table. `json` is {"name", "columns": [{"name", "kind": "name" | "field" | "metric", "unit",
 * "more"}], "rows": [[...]]}; among the columns are point, network, batch, machine and reason. */
enum weft_status weft_report_results_page(char **out, const char *title, const char *json);

/* --- a language model that writes -------------------------------------------------------------------------------------- */

struct weft_phase { struct weft_counters run; uint64_t roofline_cycles, mapping_cycles; };
struct weft_generation {
    const struct weft_machine *machine;
    const char *name, *format, *inputs; /* inputs: NULL: timing only */
    uint64_t batch, prompt, capacity, state_bytes; /* sequences side by side; tokens; tokens; bytes of keys and values */
    struct weft_phase prefill, *steps;
    size_t step_count;
    const int64_t *tokens; /* `batch` of the prompt, then `batch` of each step; NULL: timing only */
};
void weft_report_generation_text(FILE *out, const struct weft_generation *generation);
/* Caller frees *out with free. */
enum weft_status weft_report_generation_json(char **out, const struct weft_generation *generation);

#endif
