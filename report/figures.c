/* figures.c: every figure of docs/metrics.md that is computed and not counted. */
#include <math.h>

#include "report.h"

const struct report_class report_classes[WEFT_CLASSES] = {
    [WEFT_CLASS_ACTIVE] = {"active", "array active", "the array itself"},
    [WEFT_CLASS_WEIGHT_STALL] = {"weight_stall", "weight stall", "weights from DRAM"},
    [WEFT_CLASS_WEIGHT_SHIFT] = {"weight_shift", "weight shift", "weights shifting into the array"},
    [WEFT_CLASS_RAW] = {"raw", "RAW stall", "an earlier result"},
    [WEFT_CLASS_INPUT] = {"input", "input stall", "data from the host"},
    [WEFT_CLASS_OTHER] = {"other", "other (no product waits)", "work outside the array"},
};

static double ratio(double a, double b)
{
    return b > 0 ? a / b : NAN;
}

void weft_figures_compute(struct weft_figures *out, const struct weft_counters *c, const struct weft_machine *m, uint64_t macs,
                          uint64_t roofline_cycles, uint64_t mapping_cycles)
{
    double cells = (double)(m->arrays * m->rows * m->columns), clock = (double)m->clock_hz, products = (double)macs;
    *out = (struct weft_figures){.cycles = c->cycles, .macs = macs};
    out->classes[WEFT_CLASS_ACTIVE] = c->class_active;
    out->classes[WEFT_CLASS_WEIGHT_STALL] = c->class_weight_stall;
    out->classes[WEFT_CLASS_WEIGHT_SHIFT] = c->class_weight_shift;
    out->classes[WEFT_CLASS_RAW] = c->class_raw;
    out->classes[WEFT_CLASS_INPUT] = c->class_input;
    out->classes[WEFT_CLASS_OTHER] = c->class_other;
    out->dram_traffic_bytes = c->bytes_weights + c->bytes_dram_read + c->bytes_dram_write;
    out->seconds = (double)c->cycles / clock;
    out->tops = ratio(2 * products, out->seconds) / 1e12;
    out->peak_tops = 2 * cells * clock / 1e12;
    out->share_of_peak = out->tops / out->peak_tops;
    out->useful_cells = ratio(products, (double)c->class_active * cells);
    out->arithmetic_intensity = ratio(products, (double)out->dram_traffic_bytes);
    out->ridge_point = ratio(cells * clock, (double)m->dram_bytes_per_second);
    out->roofline_ratio = c->cycles ? ratio((double)c->cycles, (double)roofline_cycles) : NAN;
    out->mapping_ratio = c->cycles ? ratio((double)c->cycles, (double)mapping_cycles) : NAN;
}

uint64_t report_macs(const struct weft_report_input *input, bool *counted)
{
    uint64_t macs = 0;
    for (size_t i = 0; i < input->program->layer_count; i++)
        macs += input->program->layers[i].macs;
    *counted = macs == 0;
    return macs ? macs : input->run->cell_products;
}

uint64_t report_batch(const struct weft_program *program)
{
    return program->batch ? program->batch : 1;
}

double report_inferences_per_second(const struct weft_report_input *input, const struct weft_figures *figures)
{
    return ratio((double)report_batch(input->program), figures->seconds);
}

void report_layer_figures(struct weft_figures *out, const struct weft_report_input *input, size_t layer)
{
    const struct weft_layer *l = &input->program->layers[layer];
    bool counted;
    report_macs(input, &counted);
    uint64_t macs = counted ? input->layers[layer].cell_products : l->macs;
    weft_figures_compute(out, &input->layers[layer], &input->program->machine, macs, l->roofline_cycles, l->mapping_cycles);
}

const struct weft_accuracy *weft_accuracy_departure(const struct weft_report_input *input)
{
    for (size_t i = 0; i < input->accuracy_count; i++)
        if (!(input->accuracy[i].sqnr_db >= input->accuracy_db)) /* NAN departs too */
            return &input->accuracy[i];
    return NULL;
}

const char *report_engine_name(enum weft_engine engine)
{
    switch (engine) {
    case WEFT_ENGINE_REFERENCE:
        return "reference";
    case WEFT_ENGINE_SYSTEMC:
        return "systemc";
    case WEFT_ENGINE_FAST:
        break;
    }
    return "fast";
}

void weft_accuracy_measure(struct weft_accuracy *out, const float *exact, const float *got, uint64_t count)
{
    double signal = 0, noise = 0;
    out->elements = count;
    out->max_error = 0;
    for (uint64_t i = 0; i < count; i++) {
        if (isinf(exact[i]) && got[i] == exact[i])
            continue; /* a mask */
        double error = (double)got[i] - (double)exact[i];
        signal += (double)exact[i] * (double)exact[i];
        noise += error * error;
        if (!(fabs(error) <= out->max_error)) /* a NaN stays: no error is the largest beside one */
            out->max_error = isnan(out->max_error) ? NAN : fabs(error);
    }
    if (!isfinite(signal) || !isfinite(noise))
        out->sqnr_db = NAN;
    else
        out->sqnr_db = noise == 0 ? INFINITY : 10 * log10(signal / noise); /* no signal at all: minus infinity */
}
