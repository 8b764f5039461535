/* machine.c: the fields of a machine, by name; where the data files lie. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"

typedef unsigned long long ull; /* for messages */

static const struct weft_machine_field fields[] = {
#define WEFT_MACHINE_FIELD(group, name_, member, low_, high_, unit_, meaning_)                                                     \
    {.name = #group "." #name_, .unit = unit_, .meaning = meaning_, .offset = offsetof(struct weft_machine, member), .low = low_, .high = high_},
#define WEFT_MACHINE_FLAG(group, name_, member, meaning_)                                                                          \
    {.name = #group "." #name_, .unit = "", .meaning = meaning_, .offset = offsetof(struct weft_machine, member), .high = 1, .flag = true},
#include "machine.def"
};

const struct machine_format machine_formats[MACHINE_FORMATS] = {
    {"u8", WEFT_USES_U8}, {"s8", WEFT_USES_S8}, {"s16", WEFT_USES_S16}, {"bf16", WEFT_USES_BF16}};

const struct weft_machine_field *weft_machine_fields(size_t *count)
{
    *count = MACHINE_FIELDS;
    return fields;
}

void weft_machine_put(struct weft_machine *machine, const struct weft_machine_field *field, uint64_t value)
{
    memcpy((char *)machine + field->offset, &value, sizeof value);
}

uint64_t weft_machine_get(const struct weft_machine *machine, const struct weft_machine_field *field)
{
    uint64_t value;
    memcpy(&value, (const char *)machine + field->offset, sizeof value);
    return value;
}

bool weft_machine_has(const struct weft_machine *machine, enum weft_format format)
{
    for (size_t i = 0; i < MACHINE_FORMATS; i++)
        if (!strcmp(machine_formats[i].name, weft_format_name(format)))
            return machine->formats & machine_formats[i].use;
    return false;
}

/* --- values ----------------------------------------------------------------------------------------------------------- */

/* Digits and a suffix. False: no such number, or none that 64 bits hold. */
static bool read_number(uint64_t *out, const char *text)
{
    static const struct {
        const char *suffix;
        uint64_t times;
    } suffixes[] = {{"", 1},           {"k", 1000},          {"M", 1000000},          {"G", 1000000000},
                    {"Ki", UINT64_C(1) << 10}, {"Mi", UINT64_C(1) << 20}, {"Gi", UINT64_C(1) << 30}};
    char *end;
    errno = 0;
    if (*text < '0' || *text > '9')
        return false;
    uint64_t number = strtoull(text, &end, 10);
    for (size_t i = 0; errno == 0 && i < sizeof suffixes / sizeof *suffixes; i++)
        if (!strcmp(end, suffixes[i].suffix))
            return !__builtin_mul_overflow(number, suffixes[i].times, out);
    return false;
}

bool machine_read_value(uint64_t *out, const struct weft_machine_field *field, const char *text, char problem[256])
{
    if (field->flag) {
        *out = !strcmp(text, "true");
        if (*out || !strcmp(text, "false"))
            return true;
        snprintf(problem, 256, "%s is '%.60s'; it is true or false", field->name, text);
    } else if (!read_number(out, text)) {
        snprintf(problem, 256, "%s is '%.60s'; it is a whole number, or one with k M G Ki Mi Gi behind it", field->name, text);
    } else if (*out < field->low || *out > field->high) {
        snprintf(problem, 256, "%s is %llu; it lies between %llu and %llu", field->name, (ull)*out, (ull)field->low, (ull)field->high);
    } else {
        return true;
    }
    return false;
}

/* --- one field by name -------------------------------------------------------------------------------------------------- */

static const struct weft_machine_field *find_field(const char *name)
{
    for (size_t i = 0; i < MACHINE_FIELDS; i++)
        if (!strcmp(fields[i].name, name))
            return &fields[i];
    return NULL;
}

/* "u8,s8,bf16" */
static enum weft_status set_formats(struct weft_machine *machine, char *list, struct weft_diag *diag)
{
    unsigned formats = 0;
    char *rest = NULL;
    for (char *word = strtok_r(list, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
        unsigned use = 0;
        for (size_t i = 0; i < MACHINE_FORMATS; i++)
            use |= strcmp(machine_formats[i].name, word) ? 0 : machine_formats[i].use;
        if (!use)
            return weft_error(diag, "--set formats: '%s' is not a format of the array; they are u8, s8, s16 and bf16", word);
        formats |= use;
    }
    if (!formats)
        return weft_error(diag, "--set formats: at least one of u8, s8, s16 and bf16, with commas between them");
    machine->formats = formats;
    return WEFT_OK;
}

/* "array" and "rows" are parts of names: all that have them are offered, else the nearest. */
static enum weft_status no_such_field(const char *name, struct weft_diag *diag)
{
    char offered[1024] = "";
    size_t used = 0, length = strlen(name);
    const char *names[MACHINE_FIELDS];
    for (size_t i = 0; i < MACHINE_FIELDS; i++) {
        const char *dot = strchr(fields[i].name, '.');
        names[i] = fields[i].name;
        bool has = dot && (!strcmp(dot + 1, name) || ((size_t)(dot - fields[i].name) == length && !strncmp(fields[i].name, name, length)));
        if (has && used < sizeof offered)
            used += (size_t)snprintf(offered + used, sizeof offered - used, "%s%s", used ? ", " : "", fields[i].name);
    }
    const char *near = used ? offered : weft_nearest(name, names, MACHINE_FIELDS);
    return weft_error(diag, "--set %s: a machine has no such field%s%s%s", name, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static enum weft_status assign(struct weft_machine *machine, const char *name, char *value, struct weft_diag *diag)
{
    if (!strcmp(name, "formats"))
        return set_formats(machine, value, diag);
    const struct weft_machine_field *field = find_field(name);
    if (!field)
        return no_such_field(name, diag);
    char problem[256];
    uint64_t number;
    if (!machine_read_value(&number, field, value, problem))
        return weft_error(diag, "--set %s: %s", name, problem);
    weft_machine_put(machine, field, number);
    return WEFT_OK;
}

enum weft_status weft_machine_set(struct weft_machine *machine, const char *assignment, struct weft_diag *diag)
{
    char *name = strdup(assignment);
    if (!name)
        return WEFT_NO_MEMORY;
    char *value = strchr(name, '=');
    enum weft_status status;
    if (value) {
        *value++ = '\0';
        status = assign(machine, name, value, diag);
    } else {
        status = weft_error(diag, "--set %s: expected FIELD=VALUE, as in array.rows=128", assignment);
    }
    free(name);
    return status;
}

/* --- data ---------------------------------------------------------------------------------------------------------------- */

const char *weft_data_directory(void)
{
    const char *set = getenv("WEFT_DATA");
    if (set && *set)
        return set;
    return access(WEFT_SOURCE_DIR "/machines", R_OK) == 0 ? WEFT_SOURCE_DIR : WEFT_INSTALLED_DATA;
}
