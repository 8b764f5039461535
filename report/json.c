/* json.c: the report as JSON; docs/report-schema.md describes it, docs/report.schema.json checks it. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

/* A figure without a value is null, never a made-up number. */
static json_t *figure(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *count(uint64_t value)
{
    return json_integer((json_int_t)(value > INT64_MAX ? INT64_MAX : value));
}

static json_t *bound(uint64_t cycles)
{
    return cycles ? count(cycles) : json_null();
}

/* Names come from files: bytes that are not UTF-8 are replaced. */
static json_t *text(const char *value)
{
    if (!value)
        return json_null();
    json_t *string = json_string(value);
    char *copy = string ? NULL : strdup(value);
    if (!copy)
        return string;
    for (char *c = copy; *c; c++)
        if (*c & 0x80)
            *c = '?';
    string = json_string(copy);
    free(copy);
    return string;
}

static json_t *classes_object(const struct weft_figures *f)
{
    json_t *object = json_object();
    for (int c = 0; c < WEFT_CLASSES; c++)
        json_object_set_new(object, report_classes[c].key, count(f->classes[c]));
    return object;
}

static json_t *bytes_object(const struct weft_counters *c)
{
    return json_pack("{so so so so so so so}", "link_in", count(c->bytes_link_in), "link_out", count(c->bytes_link_out), "weights",
                     count(c->bytes_weights), "dram_read", count(c->bytes_dram_read), "dram_write", count(c->bytes_dram_write), "ub_read",
                     count(c->bytes_ub_read), "ub_write", count(c->bytes_ub_write));
}

static json_t *busy_object(const struct weft_counters *c)
{
    return json_pack("{so so so so so so}", "host_in", count(c->busy_host_in), "host_out", count(c->busy_host_out), "fetch",
                     count(c->busy_fetch), "dram", count(c->busy_dram), "matrix", count(c->busy_matrix), "vector", count(c->busy_vector));
}

static json_t *share(uint64_t part, uint64_t whole)
{
    return whole ? json_real((double)part / (double)whole) : json_null();
}

static json_t *occupancy_object(const struct weft_counters *c)
{
    return json_pack("{so so so so so so}", "host_in", share(c->busy_host_in, c->cycles), "host_out", share(c->busy_host_out, c->cycles),
                     "fetch", share(c->busy_fetch, c->cycles), "dram", share(c->busy_dram, c->cycles), "matrix",
                     share(c->busy_matrix, c->cycles), "vector", share(c->busy_vector, c->cycles));
}

/* What the run and each layer have in common. */
static void add_figures(json_t *object, const struct weft_figures *f, const struct weft_counters *c, uint64_t roofline, uint64_t mapping)
{
    json_object_set_new(object, "cycles", count(f->cycles));
    json_object_set_new(object, "seconds", figure(f->seconds));
    json_object_set_new(object, "macs", count(f->macs));
    json_object_set_new(object, "tops", figure(f->tops));
    json_object_set_new(object, "peak_tops", figure(f->peak_tops));
    json_object_set_new(object, "share_of_peak", figure(f->share_of_peak));
    json_object_set_new(object, "roofline_cycles", bound(roofline));
    json_object_set_new(object, "mapping_cycles", bound(mapping));
    json_object_set_new(object, "roofline_ratio", figure(f->roofline_ratio));
    json_object_set_new(object, "mapping_ratio", figure(f->mapping_ratio));
    json_object_set_new(object, "classes", classes_object(f));
    json_object_set_new(object, "useful_cells", figure(f->useful_cells));
    json_object_set_new(object, "arithmetic_intensity", figure(f->arithmetic_intensity));
    json_object_set_new(object, "ridge_point", figure(f->ridge_point));
    json_object_set_new(object, "bytes", bytes_object(c));
    json_object_set_new(object, "busy", busy_object(c));
    json_object_set_new(object, "occupancy", occupancy_object(c));
    json_object_set_new(object, "peaks",
                        json_pack("{so so so}", "ub", count(c->peak_ub), "acc", count(c->peak_acc), "fifo", count(c->peak_fifo)));
    json_object_set_new(object, "array_cycles", count(c->array_cycles));
    json_object_set_new(object, "instructions", count(c->instructions));
    json_object_set_new(object, "matrix_rows", count(c->matrix_rows));
    json_object_set_new(object, "cell_products", count(c->cell_products));
    json_object_set_new(object, "tiles", count(c->tiles));
    json_object_set_new(object, "vector_rows", count(c->vector_rows));
}

static json_t *components_object(const double values[WEFT_COMPONENTS])
{
    json_t *object = json_object();
    for (int c = 0; c < WEFT_COMPONENTS; c++)
        json_object_set_new(object, report_components[c].key, figure(values[c]));
    return object;
}

static json_t *energy_object(const struct weft_report_input *in, const struct report_energy *energy)
{
    const struct weft_energy *e = &energy->run;
    if (!energy->layers)
        return json_null();
    return json_pack("{so so so so so so so so so}", "technology", text(in->technology->name), "joules_per_inference",
                     figure(e->joules_per_inference), "watts", figure(e->watts), "chip_watts", figure(e->chip_watts), "tops_per_watt",
                     figure(e->tops_per_watt), "total_joules", figure(e->total_joules), "joules", components_object(e->joules), "total_mm2",
                     figure(e->total_mm2), "mm2", components_object(e->mm2));
}

static json_t *what_if_array(const struct weft_what_if *rows)
{
    if (!rows)
        return json_null();
    json_t *array = json_array();
    for (int i = 0; i < WEFT_WHAT_IFS; i++)
        json_array_append_new(array,
                              json_pack("{so so so so so}", "twice", text(report_what_if_key(rows[i].change)), "cycles",
                                        isnan(rows[i].speedup) ? json_null() : count(rows[i].cycles), "seconds", figure(rows[i].seconds),
                                        "speedup", figure(rows[i].speedup), "reason", text(*rows[i].reason ? rows[i].reason : NULL)));
    return array;
}

static json_t *layers_array(const struct weft_report_input *in, const struct report_energy *energy)
{
    json_t *array = json_array();
    for (size_t i = 0; i < in->program->layer_count; i++) {
        const struct weft_layer *l = &in->program->layers[i];
        struct weft_figures f;
        report_layer_figures(&f, in, i);
        json_t *object = json_pack("{so so so so so so}", "index", count(i), "name", text(l->name), "op", text(l->op), "shape",
                                   text(l->shape), "wait", text(l->wait), "share", share(f.cycles, in->run->cycles));
        add_figures(object, &f, &in->layers[i], l->roofline_cycles, l->mapping_cycles);
        json_object_set_new(object, "total_joules", energy->layers ? figure(energy->layers[i].total_joules) : json_null());
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *accuracy_object(const struct weft_report_input *in)
{
    if (!in->accuracy)
        return json_null();
    json_t *values = json_array();
    for (size_t i = 0; i < in->accuracy_count; i++) {
        const struct weft_accuracy *a = &in->accuracy[i];
        json_array_append_new(values, json_pack("{so so so so so sb}", "name", text(a->name), "layer", count(a->layer), "elements",
                                                count(a->elements), "sqnr_db", figure(a->sqnr_db), "max_error", figure(a->max_error),
                                                "equal", isinf(a->sqnr_db) && a->sqnr_db > 0));
    }
    const struct weft_accuracy *departs = weft_accuracy_departure(in);
    return json_pack("{so so so}", "threshold_db", json_real(in->accuracy_db), "departs", text(departs ? departs->name : NULL), "values",
                     values);
}

static json_t *machine_object(const struct weft_machine *machine)
{
    json_t *object = json_object();
#define WEFT_MACHINE_FIELD(group, name, member, low, high, unit, meaning)                                                                  \
    json_object_set_new(object, #group "." #name, count(machine->member));
#define WEFT_MACHINE_FLAG(group, name, member, meaning) json_object_set_new(object, #group "." #name, json_boolean(machine->member));
#include "machine.def"
    return object;
}

static json_t *baseline_object(const struct weft_report_input *in, double rate)
{
    if (!in->baseline)
        return json_null();
    char unlike[REPORT_UNLIKE];
    report_unlike(unlike, in);
    return json_pack("{so so so so}", "path", text(in->baseline->path), "inferences_per_second", figure(in->baseline->inferences_per_second),
                     "speedup", figure(rate / in->baseline->inferences_per_second), "unlike", text(*unlike ? unlike : NULL));
}

static json_t *report_object(const struct weft_report_input *in)
{
    struct weft_figures f;
    bool counted;
    uint64_t macs = report_macs(in, &counted);
    weft_figures_compute(&f, in->run, &in->program->machine, macs, in->program->roofline_cycles, in->program->mapping_cycles);
    double rate = report_inferences_per_second(in, &f);
    json_t *object = json_pack("{ss so so so so so so}", "version", WEFT_VERSION, "name", text(in->name), "network",
                               text(in->program->network), "machine", text(in->program->machine.name), "format", text(in->program->format),
                               "engine", text(report_engine_name(in->engine)), "inputs", text(in->timing_only ? NULL : in->inputs));
    json_object_set_new(object, "timing_only", json_boolean(in->timing_only));
    json_object_set_new(object, "batch", count(report_batch(in->program)));
    json_object_set_new(object, "inferences_per_second", figure(rate));
    json_object_set_new(object, "macs_from", text(counted ? "cells" : "network"));
    add_figures(object, &f, in->run, in->program->roofline_cycles, in->program->mapping_cycles);
    json_object_set_new(object, "roofline_bound", text(report_roof(in)));
    json_object_set_new(object, "baseline", baseline_object(in, rate));
    json_object_set_new(object, "accuracy", accuracy_object(in));
    json_object_set_new(object, "machine_fields", machine_object(&in->program->machine));
    struct report_energy energy;
    report_energy_of(&energy, in);
    json_object_set_new(object, "energy", energy_object(in, &energy));
    json_object_set_new(object, "what_if", what_if_array(in->what_if));
    json_object_set_new(object, "remarks", in->program->notes ? json_loads(in->program->notes, 0, NULL) : json_null());
    json_object_set_new(object, "layers", layers_array(in, &energy));
    free(energy.layers);
    return object;
}

enum weft_status weft_report_json(char **out, const struct weft_report_input *input)
{
    json_t *object = report_object(input);
    *out = object ? json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) : NULL;
    json_decref(object);
    return *out ? WEFT_OK : WEFT_NO_MEMORY;
}
