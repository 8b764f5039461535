/* plan.c: designs and their machines. See plan.h. */
#include "plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DESIGNS_ASKED_MAX (UINT64_C(1) << 24)

/* --- machine fields -------------------------------------------------------------------------------------------------------- */

int plan_field(const char *name)
{
    size_t count;
    const struct weft_machine_field *fields = weft_machine_fields(&count);
    for (size_t i = 0; i < count; i++)
        if (!strcmp(fields[i].name, name))
            return (int)i;
    return -1;
}

uint64_t machine_value(const struct weft_machine *machine, size_t field)
{
    size_t count;
    return weft_machine_get(machine, &weft_machine_fields(&count)[field]);
}

void machine_give(struct weft_machine *machine, size_t field, uint64_t value)
{
    size_t count;
    weft_machine_put(machine, &weft_machine_fields(&count)[field], value);
}

static int find_name(const void *user, const char *name, char problem[256])
{
    (void)user;
    int field = plan_field(name);
    if (field >= 0)
        return field;
    size_t count;
    const struct weft_machine_field *fields = weft_machine_fields(&count);
    const char *names[128];
    for (size_t i = 0; i < count && i < 128; i++)
        names[i] = fields[i].name;
    const char *near = weft_nearest(name, names, count < 128 ? count : 128);
    snprintf(problem, 256, "a machine has no field '%.60s'%s%s%s", name, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return -1;
}
const struct expr_names plan_names = {.find = find_name};

static struct expr_value look_up(const void *user, int name)
{
    return (struct expr_value){.kind = EXPR_NUMBER, .number = (double)machine_value(user, (size_t)name)};
}

/* --- designs ----------------------------------------------------------------------------------------------------------------- */

size_t plan_cases(const struct weft_plan *plan)
{
    return plan->network_count * plan->batch_count;
}

uint64_t weft_plan_points(const struct weft_plan *plan)
{
    return plan->designs * plan_cases(plan);
}

void plan_digits(const struct weft_plan *plan, uint64_t design, uint64_t *digits)
{
    for (size_t i = plan->axis_count; i-- > 0;) {
        digits[i] = design % plan->axes[i].count;
        design /= plan->axes[i].count;
    }
}

uint64_t plan_design(const struct weft_plan *plan, const uint64_t *digits)
{
    uint64_t design = 0;
    for (size_t i = 0; i < plan->axis_count; i++)
        design = design * plan->axes[i].count + digits[i];
    return design;
}

static enum weft_status give_tied(struct weft_machine *machine, const struct tie *tie, char problem[256])
{
    size_t count;
    const struct weft_machine_field *field = &weft_machine_fields(&count)[tie->field];
    double low = field->flag ? 0 : (double)field->low, high = field->flag ? 1 : (double)field->high;
    struct expr_value value = expr_evaluate(&tie->value, look_up, machine);
    double number = value.kind == EXPR_NUMBER ? value.number : NAN;
    if (!(number >= low && number <= high) || number != floor(number)) {
        snprintf(problem, 256, "%s, tied to %.80s, is %.15g; it is a whole number from %.15g to %.15g", field->name, tie->text, number, low, high);
        return WEFT_ERROR;
    }
    machine_give(machine, tie->field, (uint64_t)number);
    return WEFT_OK;
}

/* All axes first, so that a tie may look at any of them; then the ties in the plan's order. */
enum weft_status plan_machine(const struct weft_plan *plan, uint64_t design, struct weft_machine *out, char problem[256])
{
    enum weft_status status = WEFT_OK;
    *out = plan->base;
    for (size_t i = plan->axis_count; i-- > 0; design /= plan->axes[i].count)
        machine_give(out, plan->axes[i].field, plan->axes[i].values[design % plan->axes[i].count]);
    for (size_t i = 0; i < plan->axis_count; i++)
        for (size_t k = 0; k < plan->axes[i].tie_count && !status; k++)
            status = give_tied(out, &plan->axes[i].ties[k], problem);
    return status;
}

bool plan_allows(const struct weft_plan *plan, const struct weft_machine *machine)
{
    for (size_t i = 0; i < plan->constraint_count; i++)
        if (!expr_holds(&plan->constraints[i].expr, look_up, machine))
            return false;
    return true;
}

/* A machine whose ties fail counts: it becomes a row with the reason. */
static bool any_machine(const struct weft_plan *plan, const struct constraint *constraints, size_t count)
{
    for (uint64_t design = 0; design < plan->designs; design++) {
        struct weft_machine machine;
        char problem[256];
        bool holds = true;
        if (!plan_machine(plan, design, &machine, problem))
            for (size_t i = 0; i < count && holds; i++)
                holds = expr_holds(&constraints[i].expr, look_up, &machine);
        if (holds)
            return true;
    }
    return false;
}

enum weft_status plan_check_constraints(const struct weft_plan *plan, struct weft_diag *diag)
{
    if (plan->designs > DESIGNS_ASKED_MAX || any_machine(plan, plan->constraints, plan->constraint_count))
        return WEFT_OK;
    for (size_t i = 0; i < plan->constraint_count; i++)
        if (!any_machine(plan, &plan->constraints[i], 1))
            return weft_error(diag, "%s: there is nothing to run: none of the %llu machines meets the constraint %.200s", plan->path,
                              (unsigned long long)plan->designs, plan->constraints[i].text);
    return weft_error(diag, "%s: there is nothing to run: none of the %llu machines meets all constraints", plan->path, (unsigned long long)plan->designs);
}

void weft_plan_free(struct weft_plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->network_count; i++) {
        free(plan->networks[i].name);
        free(plan->networks[i].path);
    }
    for (size_t i = 0; i < plan->axis_count; i++) {
        for (size_t k = 0; k < plan->axes[i].tie_count; k++) {
            expr_free(&plan->axes[i].ties[k].value);
            free(plan->axes[i].ties[k].text);
        }
        free(plan->axes[i].ties);
        free(plan->axes[i].values);
    }
    for (size_t i = 0; i < plan->constraint_count; i++) {
        expr_free(&plan->constraints[i].expr);
        free(plan->constraints[i].text);
    }
    for (size_t i = 0; i < plan->dim_count; i++)
        free((char *)plan->dims[i].name);
    free(plan->networks);
    free(plan->batches);
    free(plan->axes);
    free(plan->constraints);
    free(plan->dims);
    free(plan->keep);
    free(plan->path);
    free(plan->text);
    free(plan->name);
    free(plan->base_name);
    free(plan);
}

/* --- hashes -------------------------------------------------------------------------------------------------------------------- */

void hash_begin(struct hash *hash)
{
    hash->state = (unsigned __int128)0x6c62272e07bb0142 << 64 | 0x62b821756295c58d;
}

void hash_add(struct hash *hash, const void *bytes, size_t count)
{
    const unsigned __int128 prime = (unsigned __int128)1 << 88 | 0x13b;
    for (size_t i = 0; i < count; i++)
        hash->state = (hash->state ^ ((const unsigned char *)bytes)[i]) * prime;
}

void hash_text(const struct hash *hash, char out[33])
{
    snprintf(out, 33, "%016llx%016llx", (unsigned long long)(hash->state >> 64), (unsigned long long)hash->state);
}

void plan_technology_hash(char out[33], const struct weft_plan *plan)
{
    size_t count;
    const struct weft_technology_field *fields = weft_technology_fields(&count);
    struct hash hash;
    *out = '\0';
    if (!plan->has_technology)
        return;
    hash_begin(&hash);
    for (size_t i = 0; i < count; i++)
        hash_add(&hash, (const char *)&plan->technology + fields[i].offset, sizeof(double));
    hash_text(&hash, out);
}
