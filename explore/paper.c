/* paper.c: the tables of a paper rebuilt: the published figure, ours, the difference. Published: isca2017.def. Networks: models/isca2017/. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "point.h"

enum { SCALE_FIELDS = 6, FACTORS = 5, COUNTERS = 9, TOPS = 8, USEFUL = 1 };
static const unsigned quarters[FACTORS] = {1, 2, 4, 8, 16};

struct published {
    const char *name, *format;
    unsigned fc, conv, vector, pool;
    double weights_millions, intensity;
    unsigned batch;
    double share;
    unsigned steps;
};
static const struct published networks[] = {
#define PAPER_NETWORK(name, format, fc, conv, vector, pool, weights, intensity, batch, share, steps)                                                     \
    {#name, format, fc, conv, vector, pool, weights, intensity, batch, share, steps},
#include "isca2017.def"
};
enum { NETWORKS = sizeof networks / sizeof *networks };

static const double counters[NETWORKS][COUNTERS] = {
#define PAPER_COUNTERS(name, ...) {__VA_ARGS__},
#include "isca2017.def"
};
static const char *const counter_words[COUNTERS] = {"array active, %",        "  useful, % of peak", "  unused, %",         "weight stall, %",          "weight shift, %",
                                                    "non-matrix, %",          "  RAW, %",             "  input, %",          "TeraOps/s"};

static const struct {
    const char *words, *says, *fields[SCALE_FIELDS]; /* NULL behind the last */
} scales[] = {
#define PAPER_SCALE(ID, words, says, ...) {words, says, {__VA_ARGS__}},
#include "isca2017.def"
};
enum { SCALES = sizeof scales / sizeof *scales };

struct paper {
    FILE *out;
    const struct weft_paper_options *options;
    struct weft_diag *diag;
    struct weft_network *loaded[NETWORKS]; /* NULL: not asked for */
    struct weft_network_summary summary[NETWORKS];
    double ours[NETWORKS][COUNTERS];
    double seconds[NETWORKS];
};

static struct weft_compile_options compile_options(size_t network)
{
    return (struct weft_compile_options){.format = networks[network].format, .timing_only = true};
}

/* --- runs ------------------------------------------------------------------------------------------------------------------ */

static enum weft_status load(struct paper *paper)
{
    enum weft_status status = WEFT_OK;
    for (size_t i = 0; i < NETWORKS && !status; i++) {
        struct weft_compile_options options = compile_options(i);
        char path[4096];
        if (paper->options->only && strcmp(paper->options->only, networks[i].name))
            continue;
        snprintf(path, sizeof path, "%s/models/isca2017/%s.onnxtxt", weft_data_directory(), networks[i].name);
        status = weft_network_load(&paper->loaded[i], path, &options, paper->diag);
        if (!status)
            paper->summary[i] = weft_network_summary(paper->loaded[i]);
    }
    return status;
}

static enum weft_status time_network(struct weft_figures *out, const struct paper *paper, size_t network, const struct weft_machine *machine,
                                     struct weft_diag *diag)
{
    struct weft_program *program = NULL;
    struct weft_sim *sim = NULL;
    struct weft_compile_options options = compile_options(network);
    enum weft_status status = weft_compile(&program, paper->loaded[network], machine, &options, diag);
    if (!status)
        status = weft_sim_create(&sim, program, &(struct weft_sim_options){.engine = WEFT_ENGINE_FAST, .timing_only = true}, diag);
    if (!status)
        status = weft_sim_run(sim, diag);
    if (!status)
        weft_figures_compute(out, weft_sim_counters(sim), machine, paper->summary[network].macs, 0, 0);
    weft_sim_free(sim);
    weft_program_free(program);
    return status;
}

/* The paper's classes: what is neither active nor waits for weights is its non-matrix, of which RAW and input are parts. */
static void take(struct paper *paper, size_t network, const struct weft_figures *f)
{
    double *ours = paper->ours[network], percent = 100.0 / (double)f->cycles;
    double active = percent * (double)f->classes[WEFT_CLASS_ACTIVE];
    double useful = 100 * f->share_of_peak * (strcmp(networks[network].format, "int16") ? 1 : 2); /* the paper counts cells, and 16 bits take two passes */
    ours[0] = active;
    ours[USEFUL] = useful;
    ours[2] = active - useful;
    ours[3] = percent * (double)f->classes[WEFT_CLASS_WEIGHT_STALL];
    ours[4] = percent * (double)f->classes[WEFT_CLASS_WEIGHT_SHIFT];
    ours[6] = percent * (double)f->classes[WEFT_CLASS_RAW];
    ours[7] = percent * (double)f->classes[WEFT_CLASS_INPUT];
    ours[5] = ours[6] + ours[7] + percent * (double)f->classes[WEFT_CLASS_OTHER];
    ours[TOPS] = f->tops;
    paper->seconds[network] = f->seconds;
}

static enum weft_status run(struct paper *paper)
{
    enum weft_status status = WEFT_OK;
    for (size_t i = 0; i < NETWORKS && !status; i++) {
        struct weft_figures figures;
        if (!paper->loaded[i])
            continue;
        status = time_network(&figures, paper, i, &paper->options->machine, paper->diag);
        if (!status)
            take(paper, i, &figures);
    }
    return status;
}

/* --- tables 1 and 3 ------------------------------------------------------------------------------------------------------------- */

static void print_ratio(FILE *out, double published, double ours)
{
    fprintf(out, "%9.4g%9.4g%+8.1f%%", published, ours, 100 * (ours / published - 1));
}

static void print_table_1(const struct paper *paper)
{
    FILE *out = paper->out;
    fputs("Table 1: the networks (published, ours, difference)\n"
          "           FC  conv  vector  pool  batch   M weights                 operations per weight byte\n",
          out);
    for (size_t i = 0; i < NETWORKS; i++) {
        const struct published *n = &networks[i];
        const struct weft_network_summary *s = &paper->summary[i];
        if (!paper->loaded[i])
            continue;
        fprintf(out, "  %-6s%5u%6u%8u%6u%7u", n->name, n->fc, n->conv, n->vector, n->pool, n->batch);
        print_ratio(out, n->weights_millions, (double)s->weights / 1e6);
        print_ratio(out, n->intensity, (double)s->macs / (double)s->weights / n->steps);
        fputc('\n', out);
    }
}

static void print_counters(const struct paper *paper, size_t i)
{
    for (size_t row = 0; row < COUNTERS; row++) {
        double published = counters[i][row], ours = paper->ours[i][row];
        fprintf(paper->out, "  %-6s  %-20s%10.1f%10.1f%+10.1f", row ? "" : networks[i].name, counter_words[row], published, ours, ours - published);
        if (row == TOPS)
            fprintf(paper->out, "  %+.1f%%", 100 * (ours / published - 1));
        fputc('\n', paper->out);
    }
}

/* Mean and worst difference of TeraOps/s from the paper's last row, and from what its counter of useful cells says. */
static void print_differences(const struct paper *paper)
{
    const double full = 92; /* the paper's peak */
    double sum[2] = {0}, worst[2] = {0};
    size_t count = 0, which[2] = {0};
    for (size_t i = 0; i < NETWORKS; i++) {
        if (!paper->loaded[i])
            continue;
        double by[2] = {fabs(paper->ours[i][TOPS] / counters[i][TOPS] - 1), fabs(paper->ours[i][USEFUL] / counters[i][USEFUL] - 1)};
        for (int k = 0; k < 2; k++) {
            sum[k] += by[k];
            which[k] = by[k] > worst[k] ? i : which[k];
            worst[k] = fmax(worst[k], by[k]);
        }
        count++;
    }
    if (!count)
        return;
    fprintf(paper->out, "  TeraOps/s differ by %.1f%% in the mean, %.1f%% at worst (%s)\n", 100 * sum[0] / (double)count, 100 * worst[0], networks[which[0]].name);
    fprintf(paper->out, "  useful cells (the paper's counters; %.0f TeraOps/s are 100%%) differ by %.1f%% in the mean, %.1f%% at worst (%s)\n", full,
            100 * sum[1] / (double)count, 100 * worst[1], networks[which[1]].name);
}

static void print_table_3(const struct paper *paper)
{
    fputs("\nTable 3: where the cycles went  published      ours  difference\n", paper->out);
    for (size_t i = 0; i < NETWORKS; i++)
        if (paper->loaded[i])
            print_counters(paper, i);
    print_differences(paper);
}

/* --- figure 11 -------------------------------------------------------------------------------------------------------------------- */

/* WEFT_ERROR: a field would leave its bounds. */
static enum weft_status scaled(struct weft_machine *out, const struct weft_machine *machine, size_t scale, unsigned in_quarters, struct weft_diag *diag)
{
    size_t count;
    const struct weft_machine_field *fields = weft_machine_fields(&count);
    *out = *machine;
    for (size_t i = 0; i < SCALE_FIELDS && scales[scale].fields[i]; i++) {
        size_t field = (size_t)plan_field(scales[scale].fields[i]);
        uint64_t value = machine_value(machine, field) * in_quarters / 4; /* fields are below 2^50 */
        if (value < fields[field].low || value > fields[field].high)
            return weft_error(diag, "%s would leave %" PRIu64 " to %" PRIu64, fields[field].name, fields[field].low, fields[field].high);
        machine_give(out, field, value);
    }
    return WEFT_OK;
}

/* Mean over the networks whose name begins so, by the share of load. */
static double weighted(const struct paper *paper, const double speedup[NETWORKS], const char *beginning)
{
    double sum = 0, shares = 0;
    for (size_t i = 0; i < NETWORKS; i++)
        if (paper->loaded[i] && !strncmp(networks[i].name, beginning, strlen(beginning))) {
            sum += networks[i].share * speedup[i];
            shares += networks[i].share;
        }
    return shares > 0 ? sum / shares : NAN;
}

static enum weft_status print_scale(const struct paper *paper, size_t scale, unsigned in_quarters)
{
    struct weft_machine machine;
    double speedup[NETWORKS] = {0};
    enum weft_status status = scaled(&machine, &paper->options->machine, scale, in_quarters, paper->diag);
    for (size_t i = 0; i < NETWORKS && !status; i++) {
        struct weft_figures figures;
        if (!paper->loaded[i])
            continue;
        status = time_network(&figures, paper, i, &machine, paper->diag);
        speedup[i] = status ? 0 : paper->seconds[i] / figures.seconds;
    }
    if (status)
        return status;
    fprintf(paper->out, "  %-9s%6.2f%9.2f%7.2f%7.2f%7.2f ", scales[scale].words, in_quarters / 4.0, weighted(paper, speedup, ""), weighted(paper, speedup, "MLP"),
            weighted(paper, speedup, "LSTM"), weighted(paper, speedup, "CNN"));
    for (size_t i = 0; i < NETWORKS; i++)
        if (paper->loaded[i])
            fprintf(paper->out, "%7.2f", speedup[i]);
    fprintf(paper->out, "%s%s\n", in_quarters == quarters[FACTORS - 1] ? "  paper: " : "", in_quarters == quarters[FACTORS - 1] ? scales[scale].says : "");
    return WEFT_OK;
}

static enum weft_status print_figure_11(const struct paper *paper)
{
    enum weft_status status = WEFT_OK;
    fputs("\nFigure 11: speed with a parameter scaled (means weighted by the share of load)\n             times     mean    MLP   LSTM    CNN ", paper->out);
    for (size_t i = 0; i < NETWORKS; i++)
        if (paper->loaded[i])
            fprintf(paper->out, "%7s", networks[i].name);
    fputc('\n', paper->out);
    for (size_t scale = 0; scale < SCALES && !status; scale++)
        for (size_t factor = 0; factor < FACTORS && !status; factor++)
            if (quarters[factor] != 4)
                status = print_scale(paper, scale, quarters[factor]);
    return status;
}

/* --- all of it ---------------------------------------------------------------------------------------------------------------------- */

const char *weft_paper_network(size_t index)
{
    return index < NETWORKS ? networks[index].name : NULL;
}

enum weft_status weft_paper_isca2017(FILE *out, const struct weft_paper_options *options, struct weft_diag *diag)
{
    struct paper paper = {.out = out, .options = options, .diag = diag};
    enum weft_status status = load(&paper);
    if (!status)
        status = run(&paper);
    if (!status) {
        fprintf(out, "Jouppi et al., In-Datacenter Performance Analysis of a Tensor Processing Unit, ISCA 2017, on %s\n\n", options->machine.name);
        print_table_1(&paper);
        print_table_3(&paper);
    }
    if (!status && options->scaling)
        status = print_figure_11(&paper);
    for (size_t i = 0; i < NETWORKS; i++)
        weft_network_free(paper.loaded[i]);
    return status;
}
