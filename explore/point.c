/* point.c: a point from its number to its measures. See point.h. */
#include "point.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- metrics ---------------------------------------------------------------------------------------------------------------- */

static const struct metric_info figures[] = {
#define BETTER_LESS false
#define BETTER_MORE true
#define METRIC(name, BETTER, unit, meaning) {#name, unit, meaning, BETTER_##BETTER},
#include "metrics.def"
};

size_t metrics_count(void)
{
    size_t counters;
    weft_counter_table(&counters);
    return METRICS + counters;
}

struct metric_info metrics_at(size_t index)
{
    size_t counters;
    const struct weft_counter_info *table = weft_counter_table(&counters);
    if (index < METRICS)
        return figures[index];
    return (struct metric_info){table[index - METRICS].name, table[index - METRICS].unit, table[index - METRICS].meaning, false};
}

int metrics_find(const char *name)
{
    for (size_t i = 0; i < metrics_count(); i++)
        if (!strcmp(metrics_at(i).name, name))
            return (int)i;
    return -1;
}

const char *metrics_nearest(const char *name)
{
    const char *names[PLAN_KEEP_MAX];
    size_t count = metrics_count() < PLAN_KEEP_MAX ? metrics_count() : PLAN_KEEP_MAX;
    for (size_t i = 0; i < count; i++)
        names[i] = metrics_at(i).name;
    return weft_nearest(name, names, count);
}

bool metrics_is_physical(size_t index)
{
    return index >= METRIC_energy && index <= METRIC_area_mm2;
}

double result_metric(const struct result *result, size_t index)
{
    size_t count;
    uint64_t value;
    if (result->reason)
        return NAN;
    if (index < METRICS)
        return result->metric[index];
    memcpy(&value, (const char *)&result->counters + weft_counter_table(&count)[index - METRICS].offset, sizeof value);
    return (double)value;
}

void result_free(struct result *result)
{
    free(result->reason);
    result->reason = NULL;
}

/* --- networks ------------------------------------------------------------------------------------------------------------------ */

struct weft_compile_options point_options(const struct weft_plan *plan, size_t which_case)
{
    return (struct weft_compile_options){
        .format = plan->format,
        .batch = plan->batches[which_case % plan->batch_count], .dims = plan->dims, .dim_count = plan->dim_count, .timing_only = true};
}

enum weft_status cases_load(struct cases *out, const struct weft_plan *plan, struct weft_diag *diag)
{
    enum weft_status status = WEFT_OK;
    *out = (struct cases){.networks = calloc(plan_cases(plan), sizeof *out->networks)};
    if (!out->networks)
        return WEFT_NO_MEMORY;
    for (size_t i = 0; i < plan_cases(plan) && !status; i++, out->count++) {
        struct weft_compile_options options = point_options(plan, i);
        status = weft_network_load(&out->networks[i], plan->networks[i / plan->batch_count].path, &options, diag);
    }
    if (status)
        cases_free(out);
    return status;
}

void cases_free(struct cases *cases)
{
    for (size_t i = 0; i < cases->count; i++)
        weft_network_free(cases->networks[i]);
    free(cases->networks);
    *cases = (struct cases){0};
}

/* --- keys ------------------------------------------------------------------------------------------------------------------------ */

static void add_number(struct hash *hash, uint64_t number)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(number >> 8 * i);
    hash_add(hash, bytes, sizeof bytes);
}

void point_key(char key[33], const struct weft_plan *plan, size_t which_case, const struct weft_machine *machine, const char *problem,
               const char *version)
{
    const struct plan_network *network = &plan->networks[which_case / plan->batch_count];
    struct hash hash;
    char technology[33];
    size_t fields;
    weft_machine_fields(&fields);
    plan_technology_hash(technology, plan);
    hash_begin(&hash);
    hash_add(&hash, version, strlen(version) + 1);
    hash_add(&hash, network->name, strlen(network->name) + 1);
    hash_add(&hash, network->hash, sizeof network->hash);
    add_number(&hash, (uint64_t)plan->batches[which_case % plan->batch_count]);
    add_number(&hash, plan->dim_count);
    for (size_t i = 0; i < plan->dim_count; i++) {
        hash_add(&hash, plan->dims[i].name, strlen(plan->dims[i].name) + 1);
        add_number(&hash, (uint64_t)plan->dims[i].value);
    }
    if (plan->format)
        hash_add(&hash, plan->format, strlen(plan->format) + 1);
    add_number(&hash, machine->formats);
    for (size_t i = 0; i < fields; i++)
        add_number(&hash, machine_value(machine, i));
    hash_add(&hash, problem, strlen(problem) + 1);
    hash_add(&hash, technology, strlen(technology));
    hash_text(&hash, key);
}

/* --- one point --------------------------------------------------------------------------------------------------------------------- */

/* Messages of a compilation that failed, one behind the other. */
struct reason {
    char *text;
    bool no_memory;
};
enum { REASON_MAX = 4000 };

static void keep_reason(void *user, const char *message)
{
    struct reason *reason = user;
    char *longer;
    if (reason->text && strlen(reason->text) > REASON_MAX)
        return;
    if (asprintf(&longer, "%s%s%s", reason->text ? reason->text : "", reason->text ? "; " : "", message) < 0) {
        reason->no_memory = true;
        return;
    }
    free(reason->text);
    reason->text = longer;
}

static uint64_t network_macs(const struct weft_program *program, const struct weft_counters *counters)
{
    uint64_t macs = 0;
    for (size_t i = 0; i < program->layer_count; i++)
        macs += program->layers[i].macs;
    return macs ? macs : counters->cell_products;
}

static enum weft_status measure_energy(struct result *out, const struct weft_plan *plan, const struct weft_program *program, uint64_t macs,
                                       uint64_t batch)
{
    struct weft_work work;
    struct weft_energy energy;
    if (!plan->has_technology)
        return WEFT_OK;
    enum weft_status status = weft_work_count(&work, NULL, program);
    if (status)
        return status;
    weft_energy_compute(&energy, &out->counters, &work, &program->machine, &plan->technology, macs, batch);
    out->metric[METRIC_energy] = energy.joules_per_inference;
    out->metric[METRIC_watts] = energy.watts;
    out->metric[METRIC_tops_per_watt] = energy.tops_per_watt;
    out->metric[METRIC_area_mm2] = energy.total_mm2;
    return WEFT_OK;
}

static enum weft_status measure(struct result *out, const struct weft_plan *plan, const struct weft_program *program, const struct weft_counters *counters)
{
    struct weft_figures f;
    uint64_t macs = network_macs(program, counters), batch = program->batch ? program->batch : 1;
    weft_figures_compute(&f, counters, &program->machine, macs, program->roofline_cycles, program->mapping_cycles);
    out->counters = *counters;
    out->metric[METRIC_latency] = f.seconds;
    out->metric[METRIC_inferences_per_second] = (double)batch / f.seconds;
    out->metric[METRIC_macs] = (double)macs;
    out->metric[METRIC_tops] = f.tops;
    out->metric[METRIC_peak_tops] = f.peak_tops;
    out->metric[METRIC_share_of_peak] = f.share_of_peak;
    out->metric[METRIC_useful_cells] = f.useful_cells;
    out->metric[METRIC_roofline_cycles] = (double)program->roofline_cycles;
    out->metric[METRIC_mapping_cycles] = (double)program->mapping_cycles;
    return measure_energy(out, plan, program, macs, batch);
}

static enum weft_status compile_and_run(struct result *out, const struct weft_plan *plan, const struct cases *cases, size_t which_case,
                                        struct weft_diag *diag)
{
    struct weft_program *program = NULL;
    struct weft_sim *sim = NULL;
    struct weft_compile_options options = point_options(plan, which_case);
    enum weft_status status = weft_compile(&program, cases->networks[which_case], &out->machine, &options, diag);
    if (!status)
        status = weft_sim_create(&sim, program, &(struct weft_sim_options){.engine = WEFT_ENGINE_FAST, .timing_only = true}, diag);
    if (!status)
        status = weft_sim_run(sim, diag);
    if (!status)
        status = measure(out, plan, program, weft_sim_counters(sim));
    weft_sim_free(sim);
    weft_program_free(program);
    return status;
}

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum weft_status point_run(struct result *out, const struct weft_plan *plan, const struct cases *cases, uint64_t point, const char *version)
{
    struct reason reason = {0};
    struct weft_diag diag = {.report = keep_reason, .user = &reason};
    size_t which_case = point % plan_cases(plan);
    char problem[256] = "";
    double begin = seconds_now();
    *out = (struct result){.point = point, .network = which_case / plan->batch_count, .batch = which_case % plan->batch_count};
    for (size_t i = 0; i < METRICS; i++)
        out->metric[i] = NAN;
    enum weft_status status = plan_machine(plan, point / plan_cases(plan), &out->machine, problem);
    point_key(out->key, plan, which_case, &out->machine, problem, version);
    if (status)
        weft_error(&diag, "%s", problem);
    else
        status = compile_and_run(out, plan, cases, which_case, &diag);
    out->wall_seconds = seconds_now() - begin;
    if (reason.no_memory)
        status = WEFT_NO_MEMORY;
    if (status == WEFT_ERROR && !reason.text && !(reason.text = strdup("it gave no reason")))
        status = WEFT_NO_MEMORY;
    if (status == WEFT_ERROR)
        out->reason = reason.text;
    else
        free(reason.text);
    return status == WEFT_NO_MEMORY ? status : WEFT_OK;
}
