/* plan_load.c: from a plan's file to a plan: values read, expressions parsed, files looked up, sizes bounded. */
#include "plan_file.h"
#include "point.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PLAN_BYTES_MAX = 1 << 20, AXIS_VALUES_MAX = 1 << 16 };
#define DESIGNS_MAX (UINT64_C(1) << 40)
#define NETWORK_BYTES_MAX ((size_t)4 << 30)

static bool read_whole(uint64_t *out, const char *text, double low, double high)
{
    double number;
    if (!expr_number(&number, text) || number != floor(number) || number < low || number > high)
        return false;
    *out = (uint64_t)number;
    return true;
}

/* --- axes ---------------------------------------------------------------------------------------------------------------------- */

static const struct weft_machine_field *field_at(size_t index)
{
    size_t count;
    return &weft_machine_fields(&count)[index];
}

static enum weft_status find_field(size_t *out, const struct weft_yaml *yaml, const char *at, const char *name)
{
    char problem[256];
    int field = plan_names.find(NULL, name, problem);
    if (field < 0)
        return weft_yaml_error(yaml, at, "%s", problem);
    *out = (size_t)field;
    return WEFT_OK;
}

static enum weft_status read_value(uint64_t *out, const struct weft_yaml *yaml, const char *at, size_t field, const char *text)
{
    const struct weft_machine_field *f = field_at(field);
    if (f->flag) {
        *out = !strcmp(text, "true");
        if (*out || !strcmp(text, "false"))
            return WEFT_OK;
        return weft_yaml_error(yaml, at, "%s is '%.60s'; it is true or false", f->name, text);
    }
    if (read_whole(out, text, (double)f->low, (double)f->high))
        return WEFT_OK;
    return weft_yaml_error(yaml, at, "%s is '%.60s'; it is a whole number from %" PRIu64 " to %" PRIu64 " (k M G Ki Mi Gi may stand behind it)", f->name, text,
                           f->low, f->high);
}

static enum weft_status add_value(struct axis *axis, const struct weft_yaml *yaml, const char *at, uint64_t value)
{
    if (axis->count == AXIS_VALUES_MAX)
        return weft_yaml_error(yaml, at, "more than %d values on one axis", AXIS_VALUES_MAX);
    if (axis->count % 64 == 0) {
        uint64_t *grown = realloc(axis->values, (axis->count + 64) * sizeof *grown);
        if (!grown)
            return WEFT_NO_MEMORY;
        axis->values = grown;
    }
    for (size_t i = 0; i < axis->count; i++)
        if (axis->values[i] == value)
            return weft_yaml_error(yaml, at, "%s takes the value %" PRIu64 " twice", field_at(axis->field)->name, value);
    axis->values[axis->count++] = value;
    return WEFT_OK;
}

static enum weft_status read_list(struct axis *axis, const struct weft_yaml *yaml, const char *at, const struct axis_entry *entry)
{
    enum weft_status status = WEFT_OK;
    for (unsigned i = 0; i < entry->values_count && !status; i++) {
        char place[64];
        uint64_t value;
        snprintf(place, sizeof place, "%s.values.%u", at, i);
        status = read_value(&value, yaml, place, axis->field, entry->values[i]);
        if (!status)
            status = add_value(axis, yaml, place, value);
    }
    return status;
}

/* range: from, from + step, ... up to `to`; powers_of_two: from, 2 from, 4 from, ... up to `to`. */
static enum weft_status read_span(struct axis *axis, const struct weft_yaml *yaml, const char *at, const struct span_entry *span)
{
    uint64_t from, to, step = 0;
    enum weft_status status;
    if (field_at(axis->field)->flag)
        return weft_yaml_error(yaml, at, "%s is true or false; give values: [false, true]", field_at(axis->field)->name);
    status = read_value(&from, yaml, at, axis->field, span->from);
    if (!status)
        status = read_value(&to, yaml, at, axis->field, span->to);
    if (!status && from > to)
        return weft_yaml_error(yaml, at, "from is %" PRIu64 " and to is %" PRIu64 "; from is not the larger one", from, to);
    if (!status && span->step && !read_whole(&step, span->step, 1, 1e15))
        return weft_yaml_error(yaml, at, "step is '%.60s'; it is a whole number from 1", span->step);
    if (!status && !span->step && (!from || from & (from - 1)))
        return weft_yaml_error(yaml, at, "from is %" PRIu64 ", which is no power of two", from);
    for (uint64_t value = from; !status && value <= to; value = span->step ? value + step : 2 * value)
        status = add_value(axis, yaml, at, value);
    return status;
}

static enum weft_status parse_expr(struct expr *out, char **text, const struct weft_yaml *yaml, const char *at, const char *from)
{
    char problem[256];
    *text = strdup(from);
    if (!*text)
        return WEFT_NO_MEMORY;
    if (expr_parse(out, from, &plan_names, problem))
        return WEFT_OK;
    return *problem ? weft_yaml_error(yaml, at, "%.100s: %s", from, problem) : WEFT_NO_MEMORY;
}

static enum weft_status read_ties(struct axis *axis, const struct weft_yaml *yaml, const char *at, const struct axis_entry *entry)
{
    enum weft_status status = WEFT_OK;
    axis->ties = calloc(entry->tie_count + 1, sizeof *axis->ties);
    if (!axis->ties)
        return WEFT_NO_MEMORY;
    for (unsigned i = 0; i < entry->tie_count && !status; i++) {
        char place[64];
        struct tie *tie = &axis->ties[axis->tie_count++];
        snprintf(place, sizeof place, "%s.tie.%u.field", at, i);
        status = find_field(&tie->field, yaml, place, entry->tie[i].field);
        snprintf(place, sizeof place, "%s.tie.%u.value", at, i);
        if (!status)
            status = parse_expr(&tie->value, &tie->text, yaml, place, entry->tie[i].value);
    }
    return status;
}

static enum weft_status read_axis(struct axis *axis, const struct weft_yaml *yaml, const char *at, const struct axis_entry *entry)
{
    char place[64];
    int ways = (entry->values != NULL) + (entry->range != NULL) + (entry->powers_of_two != NULL);
    snprintf(place, sizeof place, "%s.field", at);
    enum weft_status status = find_field(&axis->field, yaml, place, entry->field);
    if (status)
        return status;
    if (ways != 1)
        return weft_yaml_error(yaml, at, "axis %s has %s; one of values, range and powers_of_two says what it runs over", entry->field,
                               ways ? "more than one list of values" : "no values");
    snprintf(place, sizeof place, "%s.%s", at, entry->range ? "range" : "powers_of_two");
    status = entry->values ? read_list(axis, yaml, at, entry) : read_span(axis, yaml, place, entry->range ? entry->range : entry->powers_of_two);
    return status ? status : read_ties(axis, yaml, at, entry);
}

/* No field may get its value from two places. */
static enum weft_status check_fields(const struct weft_plan *plan, const struct weft_yaml *yaml)
{
    bool taken[PLAN_KEEP_MAX] = {false};
    for (size_t i = 0; i < plan->axis_count; i++)
        for (size_t k = 0; k <= plan->axes[i].tie_count; k++) {
            size_t field = k ? plan->axes[i].ties[k - 1].field : plan->axes[i].field;
            char place[64];
            if (k)
                snprintf(place, sizeof place, "axes.%zu.tie.%zu", i, k - 1);
            else
                snprintf(place, sizeof place, "axes.%zu.field", i);
            if (taken[field])
                return weft_yaml_error(yaml, place, "%s gets its value twice; an axis or one tie gives it", field_at(field)->name);
            taken[field] = true;
        }
    return WEFT_OK;
}

static enum weft_status read_axes(struct weft_plan *plan, const struct plan_file *file, const struct weft_yaml *yaml)
{
    enum weft_status status = WEFT_OK;
    plan->axes = calloc(file->axes_count + 1, sizeof *plan->axes);
    if (!plan->axes)
        return WEFT_NO_MEMORY;
    plan->designs = 1;
    for (unsigned i = 0; i < file->axes_count && !status; i++) {
        char at[32];
        struct axis *axis = &plan->axes[plan->axis_count++];
        snprintf(at, sizeof at, "axes.%u", i);
        status = read_axis(axis, yaml, at, &file->axes[i]);
        if (!status && plan->designs > DESIGNS_MAX / axis->count)
            status = weft_yaml_error(yaml, at, "the axes span more than 2^40 machines");
        plan->designs *= axis->count;
    }
    return status ? status : check_fields(plan, yaml);
}

/* What is wrong with a file that the plan names, to be said once, with the plan's line. */
struct inner {
    char text[1024];
};

static void keep_first(void *user, const char *message)
{
    struct inner *inner = user;
    if (!*inner->text)
        snprintf(inner->text, sizeof inner->text, "%s", message);
}

/* --- the rest ------------------------------------------------------------------------------------------------------------------- */

/* A file, or the name of one of models/. */
static enum weft_status find_network(struct plan_network *out, const struct weft_yaml *yaml, const char *at, const char *name)
{
    bool file = strchr(name, '/') || strchr(name, '.');
    out->name = strdup(name);
    if (file)
        out->path = strdup(name);
    else if (asprintf(&out->path, "%s/models/%s.onnxtxt", weft_data_directory(), name) < 0)
        out->path = NULL;
    if (!out->name || !out->path)
        return WEFT_NO_MEMORY;
    if (access(out->path, R_OK))
        return weft_yaml_error(yaml, at, "network %s: %s", name, file ? "no such file" : "no such model; `weft models` lists those there are");
    char *bytes;
    size_t count;
    enum weft_status status = weft_file_read(&bytes, &count, out->path, NETWORK_BYTES_MAX, yaml->diag);
    if (status)
        return status;
    struct hash hash;
    hash_begin(&hash);
    hash_add(&hash, bytes, count);
    hash_text(&hash, out->hash);
    free(bytes);
    return WEFT_OK;
}

static enum weft_status read_networks(struct weft_plan *plan, const struct plan_file *file, const struct weft_yaml *yaml)
{
    enum weft_status status = WEFT_OK;
    plan->networks = calloc(file->networks_count + 1, sizeof *plan->networks);
    if (!plan->networks)
        return WEFT_NO_MEMORY;
    for (unsigned i = 0; i < file->networks_count && !status; i++) {
        char at[32];
        snprintf(at, sizeof at, "networks.%u", i);
        for (unsigned k = 0; k < i; k++)
            if (!strcmp(file->networks[i], file->networks[k]))
                return weft_yaml_error(yaml, at, "network %s is there twice", file->networks[i]);
        status = find_network(&plan->networks[plan->network_count++], yaml, at, file->networks[i]);
    }
    return status;
}

static enum weft_status read_batches(struct weft_plan *plan, const struct plan_file *file, const struct weft_yaml *yaml)
{
    plan->batches = calloc(file->batches_count + 1, sizeof *plan->batches);
    if (!plan->batches)
        return WEFT_NO_MEMORY;
    for (unsigned i = 0; i < file->batches_count; i++) {
        char at[32];
        uint64_t batch;
        snprintf(at, sizeof at, "batches.%u", i);
        if (!read_whole(&batch, file->batches[i], 1, WEFT_BATCH_MAX))
            return weft_yaml_error(yaml, at, "batch is '%.60s'; it is a whole number from 1 to %d", file->batches[i], WEFT_BATCH_MAX);
        for (size_t k = 0; k < plan->batch_count; k++)
            if (plan->batches[k] == (int64_t)batch)
                return weft_yaml_error(yaml, at, "batch %" PRIu64 " is there twice", batch);
        plan->batches[plan->batch_count++] = (int64_t)batch;
    }
    return WEFT_OK;
}

static enum weft_status read_constraints(struct weft_plan *plan, const struct plan_file *file, const struct weft_yaml *yaml)
{
    enum weft_status status = WEFT_OK;
    plan->constraints = calloc(file->constraints_count + 1, sizeof *plan->constraints);
    if (!plan->constraints)
        return WEFT_NO_MEMORY;
    for (unsigned i = 0; i < file->constraints_count && !status; i++) {
        char at[32];
        struct constraint *constraint = &plan->constraints[plan->constraint_count++];
        snprintf(at, sizeof at, "constraints.%u", i);
        status = parse_expr(&constraint->expr, &constraint->text, yaml, at, file->constraints[i]);
    }
    return status;
}

static enum weft_status read_dims(struct weft_plan *plan, const struct plan_file *file, const struct weft_yaml *yaml)
{
    plan->dims = calloc(file->dims_count + 1, sizeof *plan->dims);
    if (!plan->dims)
        return WEFT_NO_MEMORY;
    for (unsigned i = 0; i < file->dims_count; i++) {
        char at[32];
        uint64_t value;
        snprintf(at, sizeof at, "dims.%u.value", i);
        if (!read_whole(&value, file->dims[i].value, 1, INT32_MAX))
            return weft_yaml_error(yaml, at, "dimension %s is '%.60s'; it is a whole number from 1", file->dims[i].name, file->dims[i].value);
        for (size_t k = 0; k < plan->dim_count; k++)
            if (!strcmp(plan->dims[k].name, file->dims[i].name))
                return weft_yaml_error(yaml, at, "dimension %s is there twice", file->dims[i].name);
        char *name = strdup(file->dims[i].name);
        if (!name)
            return WEFT_NO_MEMORY;
        plan->dims[plan->dim_count++] = (struct weft_dim){name, (int64_t)value};
    }
    return WEFT_OK;
}

static enum weft_status find_metric(size_t *out, const struct weft_yaml *yaml, const char *at, const char *name)
{
    int metric = metrics_find(name);
    if (metric < 0) {
        const char *near = metrics_nearest(name);
        return weft_yaml_error(yaml, at, "there is no metric '%.60s'%s%s%s", name, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    *out = (size_t)metric;
    return WEFT_OK;
}

static enum weft_status read_metrics(struct weft_plan *plan, const struct plan_file *file, const struct weft_yaml *yaml)
{
    enum weft_status status = WEFT_OK;
    plan->keep_all = !file->metrics;
    plan->keep = calloc(metrics_count(), sizeof *plan->keep);
    if (!plan->keep)
        return WEFT_NO_MEMORY;
    for (unsigned i = 0; i < file->metrics_count && !status; i++) {
        char at[32];
        size_t metric = 0;
        snprintf(at, sizeof at, "metrics.%u", i);
        status = find_metric(&metric, yaml, at, file->metrics[i]);
        plan->keep[metric] |= !status;
    }
    return status;
}

static enum weft_status read_format(struct weft_plan *plan, const struct plan_file *file, const struct weft_yaml *yaml)
{
    const char *name, *meaning;
    for (size_t i = 0; file->format && (name = weft_compile_format(i, &meaning)); i++)
        if (!strcmp(name, file->format))
            plan->format = name;
    if (file->format && !plan->format)
        return weft_yaml_error(yaml, "format", "there is no format '%.60s'; int8, int16, bf16, bf16x3 and fp32 are", file->format);
    return WEFT_OK;
}

/* The plan's own, or the one that lists the base machine; else there is no energy and no area. */
static enum weft_status read_technology(struct weft_plan *plan, const struct plan_file *file, const struct weft_yaml *yaml)
{
    if (!file->technology)
        return weft_technology_find(&plan->technology, &plan->has_technology, plan->base.name, yaml->diag);
    plan->has_technology = true;
    struct inner inner = {""};
    struct weft_diag caught = {.report = keep_first, .user = &inner};
    enum weft_status status = weft_technology_load(&plan->technology, file->technology, &caught);
    return status == WEFT_ERROR ? weft_yaml_error(yaml, "technology", "%s", inner.text) : status;
}

/* --- search ------------------------------------------------------------------------------------------------------------------------ */

static enum weft_status read_objectives(struct weft_plan *plan, const struct search_entry *entry, const struct weft_yaml *yaml)
{
    struct search *search = &plan->search;
    enum weft_status status = WEFT_OK;
    if (entry->objectives_count > OBJECTIVES_MAX)
        return weft_yaml_error(yaml, "search.objectives", "more than %d objectives", OBJECTIVES_MAX);
    for (unsigned i = 0; i < entry->objectives_count && !status; i++) {
        char at[40];
        struct objective *objective = &search->objectives[search->objective_count++];
        snprintf(at, sizeof at, "search.objectives.%u", i);
        status = find_metric(&objective->metric, yaml, at, entry->objectives[i]);
        if (!status && metrics_is_physical(objective->metric) && !plan->has_technology)
            status = weft_yaml_error(yaml, at, "%s needs a technology, and none lists machine %s; name one with the key technology", entry->objectives[i],
                                     plan->base.name);
        if (!status)
            objective->more = metrics_at(objective->metric).more;
    }
    return status;
}

static enum weft_status read_search(struct weft_plan *plan, const struct plan_file *file, const struct weft_yaml *yaml)
{
    static const char *const names[] = {[STRATEGY_GRID] = "grid", [STRATEGY_RANDOM] = "random", [STRATEGY_HALVING] = "halving", [STRATEGY_NSGA2] = "nsga2"};
    const struct search_entry *entry = file->search;
    struct search *search = &plan->search;
    size_t strategy = 0;
    if (!entry)
        return WEFT_OK;
    while (strategy < 4 && strcmp(names[strategy], entry->strategy))
        strategy++;
    if (strategy == 4)
        return weft_yaml_error(yaml, "search.strategy", "there is no strategy '%.60s'; they are grid, random, halving and nsga2", entry->strategy);
    search->strategy = (enum strategy)strategy;
    if (strategy == STRATEGY_GRID && (entry->seed || entry->points || entry->objectives))
        return weft_yaml_error(yaml, "search", "strategy grid runs every point; seed, points and objectives belong to the others");
    if (strategy == STRATEGY_GRID)
        return WEFT_OK;
    if (!entry->seed || !entry->points)
        return weft_yaml_error(yaml, "search", "strategy %s needs a seed and points, its budget", entry->strategy);
    if (!read_whole(&search->seed, entry->seed, 0, 9e15) || !read_whole(&search->points, entry->points, 1, 1e9))
        return weft_yaml_error(yaml, "search", "seed is a whole number from 0, points one from 1 to 1G");
    if ((strategy == STRATEGY_HALVING || strategy == STRATEGY_NSGA2) == !entry->objectives)
        return weft_yaml_error(yaml, "search", "strategy %s %s", entry->strategy, entry->objectives ? "has no use for objectives" : "needs objectives: what is to be made good");
    if (strategy == STRATEGY_HALVING && plan_cases(plan) < 2)
        return weft_yaml_error(yaml, "search", "strategy halving tries machines on the first networks and batches and the better half on more; it needs two or more of them");
    return read_objectives(plan, entry, yaml);
}

/* --- all -------------------------------------------------------------------------------------------------------------------------------- */

static enum weft_status take_file(struct weft_plan *plan, const struct plan_file *file, const struct weft_yaml *yaml)
{
    plan->name = strdup(file->name);
    plan->base_name = strdup(file->base);
    plan->path = strdup(yaml->path);
    if (!plan->name || !plan->base_name || !plan->path)
        return WEFT_NO_MEMORY;
    struct inner inner = {""};
    struct weft_diag caught = {.report = keep_first, .user = &inner};
    enum weft_status status = weft_machine_load(&plan->base, file->base, &caught);
    if (status == WEFT_ERROR)
        return weft_yaml_error(yaml, "base", "base: %s", inner.text);
    enum weft_status (*const parts[])(struct weft_plan *, const struct plan_file *, const struct weft_yaml *) = {
        read_networks, read_batches, read_axes, read_constraints, read_dims, read_format, read_metrics, read_technology, read_search};
    for (size_t i = 0; i < sizeof parts / sizeof *parts && !status; i++)
        status = parts[i](plan, file, yaml);
    return status;
}

enum weft_status weft_plan_load(struct weft_plan **out, const char *path, struct weft_diag *diag)
{
    struct weft_plan *plan = calloc(1, sizeof *plan);
    struct plan_file *file = NULL;
    struct weft_yaml yaml = {.path = path, .head = "a plan begins with name: NAME", .diag = diag};
    *out = NULL;
    if (!plan)
        return WEFT_NO_MEMORY;
    enum weft_status status = weft_file_read(&plan->text, &yaml.bytes, path, PLAN_BYTES_MAX, diag);
    yaml.text = plan->text;
    if (!status)
        status = plan_file_load(&file, &yaml);
    if (!status)
        status = take_file(plan, file, &yaml);
    plan_file_free(file);
    if (status)
        weft_plan_free(plan);
    else
        *out = plan;
    return status;
}
