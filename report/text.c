/* text.c: the report on one screen. */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

enum { COSTLIEST = 10, NUMBER = REPORT_NUMBER };
#define WAITING_RATIO 1.10 /* beyond this multiple of the mapping bound the report says what the run waits for */

const char *report_grouped(char out[NUMBER], uint64_t value)
{
    char digits[NUMBER];
    size_t length = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, value), o = 0;
    for (size_t i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            out[o++] = ',';
        out[o++] = digits[i];
    }
    out[o] = 0;
    return out;
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

static const char *or_none(const char *text)
{
    return text && *text ? text : "-";
}

static const char *duration(char out[NUMBER], double seconds)
{
    if (seconds >= 1)
        snprintf(out, NUMBER, "%.3f s", seconds);
    else if (seconds >= 1e-3)
        snprintf(out, NUMBER, "%.3f ms", seconds * 1e3);
    else
        snprintf(out, NUMBER, "%.3f us", seconds * 1e6);
    return out;
}

/* What the host does for the machine is said, and not in the cycles. */
static void print_lookup(FILE *out, const struct weft_tensor *tensor)
{
    if (tensor->table_rows)
        fprintf(out, "the host looks up %s: %" PRIu64 " rows of %" PRIu64 " bytes from a table of %" PRIu64 " (its time is not counted)\n", tensor->name,
                weft_tensor_count(tensor), tensor->row_bytes, tensor->table_rows);
}

static void print_head(FILE *out, const struct weft_report_input *in)
{
    const struct weft_machine *m = &in->program->machine;
    const char *format = in->program->format ? in->program->format : "";
    fprintf(out, "%s on %s (", in->name, m->name);
    if (m->arrays > 1)
        fprintf(out, "%" PRIu64 " arrays of ", m->arrays);
    fprintf(out, "%" PRIu64 " x %" PRIu64 " cells at %g MHz), %s%sbatch %" PRIu64 ", %s engine\n", m->rows, m->columns, (double)m->clock_hz / 1e6, format, *format ? ", " : "", report_batch(in->program), report_engine_name(in->engine));
    fprintf(out, "inputs: %s\n", in->timing_only ? "none, timing only" : or_none(in->inputs));
    for (size_t i = 0; i < in->program->input_count; i++)
        print_lookup(out, &in->program->inputs[i]);
    fputc('\n', out);
}

static void print_bound(FILE *out, const char *name, uint64_t bound, double ratio, const char *what)
{
    char n[NUMBER];
    if (bound)
        fprintf(out, "  %-16s%14s cycles    the run takes %.2f times as many%s%s%s\n", name, report_grouped(n, bound), ratio, what ? " (set by " : "",
                what ? what : "", what ? ")" : "");
    else
        fprintf(out, "  %-16s%14s\n", name, "not known");
}

/* Of the two roofs that the intensity chooses between; `roof` may lie below both. */
static void print_intensity(FILE *out, const struct weft_figures *f, const char *roof)
{
    bool dram = f->arithmetic_intensity < f->ridge_point;
    if (isnan(f->arithmetic_intensity))
        fprintf(out, "  %-16s%14s\n", "intensity", "no DRAM bytes");
    else
        fprintf(out, "  %-16s%14.1f MAC per DRAM byte (ridge point %.1f: %s %s)\n", "intensity", f->arithmetic_intensity, f->ridge_point,
                dram ? "DRAM" : "the array", !roof || !strcmp(roof, dram ? "weights from DRAM" : "products") ? "is the roof" : "is the lower of these two roofs");
}

/* The compiler's remark on tiles that hold only zeros. */
static void print_zero_tiles(FILE *out, const struct weft_program *program)
{
    json_t *notes = program->notes ? json_loads(program->notes, 0, NULL) : NULL, *zero = json_object_get(notes, "zero_tiles");
    json_t *pruned = json_object_get(notes, "pruned");
    char a[NUMBER], b[NUMBER], c[NUMBER], d[NUMBER];
    if (zero)
        fprintf(out, "  %-16s%14s of %s fetches of tiles left out, with %s bytes and %s products: these tiles hold only zeros\n", "zero tiles",
                report_grouped(a, (uint64_t)json_integer_value(json_object_get(zero, "tiles"))), report_grouped(b, (uint64_t)json_integer_value(json_object_get(zero, "of"))),
                report_grouped(c, (uint64_t)json_integer_value(json_object_get(zero, "bytes"))),
                report_grouped(d, (uint64_t)json_integer_value(json_object_get(zero, "products"))));
    if (json_number_value(json_object_get(pruned, "share")) > 0)
        fprintf(out, "  %-16s%14s of %s blocks of weights set to zero (--prune %g)\n", "pruned", report_grouped(a, (uint64_t)json_integer_value(json_object_get(pruned, "blocks"))),
                report_grouped(b, (uint64_t)json_integer_value(json_object_get(pruned, "of"))), json_number_value(json_object_get(pruned, "share")));
    json_decref(notes);
}

/* Other networks, formats and batches may be compared, by who knows that he does. */
static void print_speedup(FILE *out, const struct weft_report_input *in, double rate)
{
    char unlike[REPORT_UNLIKE];
    report_unlike(unlike, in);
    fprintf(out, "  %-16s%14.2f times the inferences/s of %s\n", "speed-up", rate / in->baseline->inferences_per_second, in->baseline->path);
    if (*unlike)
        fprintf(out, "  %-32sof other work: %s\n", "", unlike);
}

static void print_speed(FILE *out, const struct weft_report_input *in, const struct weft_figures *f)
{
    char n[NUMBER], d[NUMBER];
    bool counted;
    report_macs(in, &counted);
    double rate = report_inferences_per_second(in, f);
    fprintf(out, "  %-16s%14s        %s cycles\n", "latency", duration(d, f->seconds), report_grouped(n, f->cycles));
    fprintf(out, "  %-16s%14.1f inferences/s, %.4g TOPS%s\n", "throughput", rate, f->tops,
            counted ? " (products of the program's own tiles)" : "");
    fprintf(out, "  %-16s%12.1f %% of %.4g TOPS\n", "share of peak", 100 * f->share_of_peak, f->peak_tops);
    print_bound(out, "roofline", in->program->roofline_cycles, f->roofline_ratio, report_roof(in));
    print_bound(out, "mapping bound", in->program->mapping_cycles, f->mapping_ratio, NULL);
    print_intensity(out, f, report_roof(in));
    print_zero_tiles(out, in->program);
    if (in->baseline)
        print_speedup(out, in, rate);
}

static void print_classes(FILE *out, const struct weft_figures *f)
{
    char n[NUMBER];
    fprintf(out, "\n  %-28s%14s   share\n", "where the cycles went", "cycles");
    for (int c = 0; c < WEFT_CLASSES; c++) {
        fprintf(out, "  %-28s%14s  %5.1f%%\n", report_classes[c].title, report_grouped(n, f->classes[c]),
                percent(f->classes[c], f->cycles));
        if (c == WEFT_CLASS_ACTIVE && !isnan(f->useful_cells))
            fprintf(out, "    %-40s  %5.1f%% of its cells do useful work\n", "", 100 * f->useful_cells);
    }
    fprintf(out, "  %-28s%14s  100.0%%\n", "all", report_grouped(n, f->cycles));
}

static void print_bytes(FILE *out, const struct weft_counters *c)
{
    const struct {
        const char *name;
        uint64_t bytes;
    } rows[] = {
        {"host to device", c->bytes_link_in},   {"device to host", c->bytes_link_out},   {"weights from DRAM", c->bytes_weights},
        {"DRAM to buffer", c->bytes_dram_read}, {"buffer to DRAM", c->bytes_dram_write}, {"buffer read", c->bytes_ub_read},
        {"buffer written", c->bytes_ub_write},
    };
    char n[NUMBER];
    fprintf(out, "\n  %-28s%14s\n", "interface", "bytes");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].bytes)
            fprintf(out, "  %-28s%14s\n", rows[i].name, report_grouped(n, rows[i].bytes));
}

static void print_units(FILE *out, const struct weft_report_input *in)
{
    const struct weft_counters *c = in->run;
    const struct weft_machine *m = &in->program->machine;
    char a[NUMBER], b[NUMBER];
    fprintf(out, "\n  busy      host in %.1f%%, host out %.1f%%, fetch %.1f%%, DRAM %.1f%%, matrix %.1f%%, vector %.1f%%\n",
            percent(c->busy_host_in, c->cycles), percent(c->busy_host_out, c->cycles), percent(c->busy_fetch, c->cycles),
            percent(c->busy_dram, c->cycles), percent(c->busy_matrix, c->cycles), percent(c->busy_vector, c->cycles));
    if (m->arrays > 1 && c->class_active)
        fprintf(out, "  arrays    %.2f of %" PRIu64 " at work in an active cycle\n", (double)c->array_cycles / (double)c->class_active, m->arrays);
    fprintf(out,
            "  most used buffer %s of %s bytes, accumulators %" PRIu64 " of %" PRIu64 " rows, weight FIFO %" PRIu64 " of %" PRIu64
            " tiles\n",
            report_grouped(a, c->peak_ub), report_grouped(b, m->ub_bytes), c->peak_acc, m->acc_rows, c->peak_fifo, m->fifo_tiles);
}

static const char *joules(char out[NUMBER], double value)
{
    const char *unit = value >= 1 ? "J" : value >= 1e-3 ? "mJ" : value >= 1e-6 ? "uJ" : "nJ";
    snprintf(out, NUMBER, "%.4g %s", value * (value >= 1 ? 1 : value >= 1e-3 ? 1e3 : value >= 1e-6 ? 1e6 : 1e9), unit);
    return out;
}

static void print_energy(FILE *out, const struct weft_report_input *in)
{
    struct report_energy energy;
    char n[NUMBER];
    if (report_energy_of(&energy, in)) {
        const struct weft_energy *e = &energy.run;
        fprintf(out, "\n  %-28s%14s   share         mm2   share\n", "energy and area", in->technology->name);
        for (int c = 0; c < WEFT_COMPONENTS; c++)
            fprintf(out, "  %-28s%14s  %5.1f%%%12.2f  %5.1f%%\n", report_components[c].words, joules(n, e->joules[c]),
                    100 * e->joules[c] / e->total_joules, e->mm2[c], 100 * e->mm2[c] / e->total_mm2);
        fprintf(out, "  %-28s%14s  100.0%%%12.2f  100.0%%\n", "all", joules(n, e->total_joules), e->total_mm2);
        fprintf(out, "  %s an inference, %.4g W (%.4g W without DRAM), %.4g TOPS/W\n", joules(n, e->joules_per_inference), e->watts,
                e->chip_watts, e->tops_per_watt);
    }
    free(energy.layers);
}

struct cost {
    size_t layer;
    uint64_t key;
};

static int by_key(const void *a, const void *b)
{
    const struct cost *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? 1 : -1;
    return x->layer < y->layer ? -1 : 1;
}

/* Layers in falling order of cycles, or of cycles in which the array is not active. Caller frees; NULL: no memory. */
static struct cost *ranked(const struct weft_report_input *in, bool waiting)
{
    size_t count = in->program->layer_count;
    struct cost *costs = calloc(count ? count : 1, sizeof *costs);
    for (size_t i = 0; costs && i < count; i++)
        costs[i] = (struct cost){i, in->layers[i].cycles - (waiting ? in->layers[i].class_active : 0)};
    if (costs)
        qsort(costs, count, sizeof *costs, by_key);
    return costs;
}

/* Of a bound; "-" where it is not known. */
static const char *multiple(char out[NUMBER], double ratio)
{
    if (isnan(ratio))
        return "-";
    snprintf(out, NUMBER, "%.2f", ratio);
    return out;
}

/* Depthwise convolutions apart: a few products, and often most of the time. */
static void print_depthwise(FILE *out, const struct weft_report_input *in)
{
    uint64_t cycles = 0, macs = 0, all = 0;
    size_t count = 0;
    for (size_t i = 0; i < in->program->layer_count; i++) {
        const struct weft_layer *l = &in->program->layers[i];
        bool depthwise = l->op && !strcmp(l->op, "Depthwise");
        count += depthwise;
        cycles += depthwise ? in->layers[i].cycles : 0;
        macs += depthwise ? l->macs : 0;
        all += l->macs;
    }
    if (count)
        fprintf(out, "  depthwise convolutions: %zu layers, %.1f%% of the cycles, %.1f%% of the products\n", count, percent(cycles, in->run->cycles),
                percent(macs, all));
}

/* What most cycles of a layer go to. */
static void print_what(FILE *out, const struct weft_report_input *in, size_t layer, const struct weft_figures *f)
{
    enum weft_class class = report_largest(f, 0);
    const struct weft_layer *other = report_waited_for(in, layer, class);
    if (other)
        fprintf(out, "the vector unit, at %s", other->name);
    else
        fputs(report_waits(class, &in->layers[layer]), out);
}

/* How many of the first `count` take any cycles: a layer that became part of another takes none. */
static size_t costing(const struct cost *costs, size_t count)
{
    size_t rows = 0;
    while (rows < count && costs[rows].key)
        rows++;
    return rows;
}

static void print_layers(FILE *out, const struct weft_report_input *in)
{
    size_t count = in->program->layer_count;
    struct cost *costs = ranked(in, false);
    char n[NUMBER], a[NUMBER], b[NUMBER], title[40] = "layers";
    if (costs && count > COSTLIEST)
        snprintf(title, sizeof title, "%zu costliest layers", costing(costs, COSTLIEST));
    if (costs && count)
        fprintf(out, "\n  %-24s%-12s%12s   share  /roofline  /mapping  bounded by\n", title, "operator", "cycles");
    for (size_t r = 0; costs && r < count && r < COSTLIEST && costs[r].key; r++) { /* a layer that became part of another takes none */
        const struct weft_layer *l = &in->program->layers[costs[r].layer];
        struct weft_figures f;
        report_layer_figures(&f, in, costs[r].layer);
        fprintf(out, "  %-23.23s %-11.11s %12s  %5.1f%%  %9s  %8s  ", or_none(l->name), or_none(l->op), report_grouped(n, f.cycles),
                percent(f.cycles, in->run->cycles), multiple(a, f.roofline_ratio), multiple(b, f.mapping_ratio));
        print_what(out, in, costs[r].layer, &f);
        fprintf(out, "%s%s%s\n", l->wait ? " (planned: " : "", l->wait ? l->wait : "", l->wait ? ")" : "");
    }
    free(costs);
    print_depthwise(out, in);
}

/* Issued where the run is more than a tenth over its mapping bound: which classes, and which layers lose most cycles. */
static void print_waits(FILE *out, const struct weft_report_input *in, const struct weft_figures *f)
{
    if (!(f->mapping_ratio > WAITING_RATIO))
        return;
    char n[NUMBER];
    struct weft_figures rest = *f;
    fprintf(out, "\n  %.0f%% over the mapping bound. It waits for\n", 100 * (f->mapping_ratio - 1));
    for (int shown = 0; shown < 2; shown++) {
        enum weft_class c = report_largest(&rest, WEFT_CLASS_WEIGHT_STALL);
        if (rest.classes[c])
            fprintf(out, "    %-32s%14s cycles\n", report_waits(c, in->run), report_grouped(n, rest.classes[c]));
        rest.classes[c] = 0;
    }
    struct cost *costs = ranked(in, true);
    for (size_t r = 0; costs && r < in->program->layer_count && r < 3 && costs[r].key; r++) {
        struct weft_figures lost;
        report_layer_figures(&lost, in, costs[r].layer);
        const struct weft_layer *other = report_waited_for(in, costs[r].layer, report_largest(&lost, WEFT_CLASS_WEIGHT_STALL));
        fprintf(out, "    %s %-28.28s%14s cycles%s%s\n", r ? "  " : "in", or_none(in->program->layers[costs[r].layer].name),
                report_grouped(n, costs[r].key), other ? ", for the vector unit at " : "", other ? other->name : "");
    }
    free(costs);
}

static void print_value(FILE *out, const struct weft_accuracy *a)
{
    if (isinf(a->sqnr_db) && a->sqnr_db > 0)
        fprintf(out, "  %-40.40s%12s%16s\n", a->name, "equal", "0");
    else if (isnan(a->sqnr_db))
        fprintf(out, "  %-40.40s%12s%16s\n", a->name, "not finite", "");
    else
        fprintf(out, "  %-40.40s%9.1f dB%16.4g\n", a->name, a->sqnr_db, a->max_error);
}

/* Worst first; a value that cannot be compared is worse than any. */
static int by_sqnr(const void *a, const void *b)
{
    const struct weft_accuracy *x = a, *y = b;
    if (isnan(x->sqnr_db) || isnan(y->sqnr_db))
        return !isnan(x->sqnr_db) - !isnan(y->sqnr_db);
    return (x->sqnr_db > y->sqnr_db) - (x->sqnr_db < y->sqnr_db);
}

static void print_worst(FILE *out, const struct weft_report_input *in)
{
    struct weft_accuracy *sorted = calloc(in->accuracy_count, sizeof *sorted);
    if (!sorted)
        return;
    memcpy(sorted, in->accuracy, in->accuracy_count * sizeof *sorted);
    qsort(sorted, in->accuracy_count, sizeof *sorted, by_sqnr);
    for (size_t i = 0; i < in->accuracy_count && i < COSTLIEST; i++)
        print_value(out, &sorted[i]);
    free(sorted);
}

static void print_accuracy(FILE *out, const struct weft_report_input *in)
{
    if (!in->accuracy_count) {
        fprintf(out, "\n  checked against the float network: the program keeps no value that could be compared\n");
        return;
    }
    char title[64];
    snprintf(title, sizeof title, "against the float network, %s", in->accuracy_count > COSTLIEST ? "ten worst" : "worst first");
    fprintf(out, "\n  %-40s%12s%16s\n", title, "SQNR", "largest error");
    print_worst(out, in);
    if (in->accuracy_count > COSTLIEST) {
        fprintf(out, "  and the last one\n");
        print_value(out, &in->accuracy[in->accuracy_count - 1]);
    }
    const struct weft_accuracy *departs = weft_accuracy_departure(in);
    if (departs)
        fprintf(out, "  first below %g dB: %s\n", in->accuracy_db, departs->name);
    else
        fprintf(out, "  every value compared is at %g dB or better\n", in->accuracy_db);
}

void weft_report_text(FILE *out, const struct weft_report_input *in)
{
    struct weft_figures f;
    bool counted;
    uint64_t macs = report_macs(in, &counted);
    weft_figures_compute(&f, in->run, &in->program->machine, macs, in->program->roofline_cycles, in->program->mapping_cycles);
    print_head(out, in);
    if (!f.cycles) {
        fprintf(out, "  The %s engine computes values and keeps no time; --engine fast gives both.\n", report_engine_name(in->engine));
    } else {
        print_speed(out, in, &f);
        print_classes(out, &f);
        print_bytes(out, in->run);
        print_units(out, in);
        print_energy(out, in);
        print_layers(out, in);
        print_waits(out, in, &f);
        if (in->what_if)
            report_print_what_if(out, in->what_if);
        report_tiles(out, in->program);
    }
    if (in->accuracy)
        print_accuracy(out, in);
}
