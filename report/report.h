/* report.h: what the files of report/ share. Private to report/. */
#ifndef WEFT_REPORT_REPORT_H
#define WEFT_REPORT_REPORT_H

#include "weft_report.h"

/* The six classes in the order of Table 3 of the TPU paper: key in JSON, words in the text report, what a layer then waits for. */
struct report_class {
    const char *key, *title, *waits;
};
extern const struct report_class report_classes[WEFT_CLASSES];

/* bound.c */
enum weft_class report_largest(const struct weft_figures *figures, int first); /* of the classes from `first` on */
const char *report_waits(enum weft_class class, const struct weft_counters *counters); /* of a run or layer that has most cycles in this class */
/* The layer before it whose vector work is most of what the layer waits for; NULL: it is not known. */
const struct weft_layer *report_waited_for(const struct weft_report_input *input, size_t layer, enum weft_class class);
const char *report_roof(const struct weft_report_input *input); /* which bound makes the roofline; NULL: it is not known */

struct report_component {
    const char *key, *words;
};
extern const struct report_component report_components[WEFT_COMPONENTS];

/* Of the run, and of each layer. False: no technology, no time, or no memory; then *out is empty. The caller frees out->layers. */
struct report_energy {
    struct weft_energy run, *layers;
};
bool report_energy_of(struct report_energy *out, const struct weft_report_input *input);

/* The network's own products; where the program knows none, the cells' (then *counted is true). */
uint64_t report_macs(const struct weft_report_input *input, bool *counted);
uint64_t report_batch(const struct weft_program *program);
double report_inferences_per_second(const struct weft_report_input *input, const struct weft_figures *figures);
void report_layer_figures(struct weft_figures *out, const struct weft_report_input *input, size_t layer);
const char *report_engine_name(enum weft_engine engine);

/* In what the baseline's work was another than this run's: "network a, here b; batch 8, here 16"; "" where it was the same (baseline.c). */
enum { REPORT_UNLIKE = 512 };
void report_unlike(char out[REPORT_UNLIKE], const struct weft_report_input *input);

enum { REPORT_NUMBER = 32 };
const char *report_grouped(char out[REPORT_NUMBER], uint64_t value); /* 1234567 as 1,234,567 */

const char *report_what_if_key(enum weft_what_if_change change);
void report_print_what_if(FILE *out, const struct weft_what_if *rows);

/* Closed form of each product of a short program, for reading a tile by eye (tile.c). */
enum { REPORT_TILE_INSTRUCTIONS = 50 };
void report_tiles(FILE *out, const struct weft_program *program);

#endif
