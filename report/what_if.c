/* what_if.c: the machines of --what-if, and their rows in the report. Compiling and running them is the caller's. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

enum { FIELDS_MAX = 4 };

static const struct {
    const char *key, *words, *fields[FIELDS_MAX]; /* NULL behind the last */
} changes[WEFT_WHAT_IFS] = {
#define WEFT_WHAT_IF(ID, name, words, ...) {#name, words, {__VA_ARGS__}},
#include "what_ifs.def"
};

const char *report_what_if_key(enum weft_what_if_change change)
{
    return changes[change].key;
}

static enum weft_status twice(struct weft_machine *machine, const char *name, struct weft_diag *diag)
{
    size_t count;
    const struct weft_machine_field *fields = weft_machine_fields(&count), *field = fields;
    while (strcmp(field->name, name))
        field++;
    uint64_t *value = (uint64_t *)((char *)machine + field->offset);
    if (*value > field->high / 2)
        return weft_error(diag, "%s would exceed %" PRIu64, name, field->high);
    *value *= 2;
    return WEFT_OK;
}

enum weft_status weft_what_if_machine(struct weft_machine *out, const struct weft_machine *machine, enum weft_what_if_change change,
                                      struct weft_diag *diag)
{
    *out = *machine;
    for (int i = 0; i < FIELDS_MAX && changes[change].fields[i]; i++)
        if (twice(out, changes[change].fields[i], diag))
            return WEFT_ERROR;
    return WEFT_OK;
}

/* Fastest first; what cannot be compiled last; else in the table's order. */
static int by_speedup(const void *a, const void *b)
{
    const struct weft_what_if *x = a, *y = b;
    if (isnan(x->speedup) != isnan(y->speedup))
        return isnan(x->speedup) - isnan(y->speedup);
    if (x->speedup != y->speedup && !isnan(x->speedup))
        return x->speedup < y->speedup ? 1 : -1;
    return (int)x->change - (int)y->change;
}

void weft_what_if_sort(struct weft_what_if rows[WEFT_WHAT_IFS])
{
    qsort(rows, WEFT_WHAT_IFS, sizeof *rows, by_speedup);
}

void report_print_what_if(FILE *out, const struct weft_what_if *rows)
{
    char n[REPORT_NUMBER];
    fprintf(out, "\n  %-28s%14s  speed-up\n", "what if, twice the", "cycles");
    for (int i = 0; i < WEFT_WHAT_IFS; i++)
        if (isnan(rows[i].speedup))
            fprintf(out, "  %-28s%14s  %s\n", changes[rows[i].change].words, "-", rows[i].reason);
        else
            fprintf(out, "  %-28s%14s  %8.3f\n", changes[rows[i].change].words, report_grouped(n, rows[i].cycles), rows[i].speedup);
}
