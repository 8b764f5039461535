/* technology.c: technology files, in YAML, of a schema made from technology.def. */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "weft_yaml.h"

enum {
    FIELDS = 0
#define WEFT_TECHNOLOGY_FIELD(...) +1
#include "technology.def"
};

static const struct weft_technology_field fields[FIELDS] = {
#define WEFT_TECHNOLOGY_FIELD(group, name_, member, low_, high_, unit_, meaning_)                                                          \
    {#group "." #name_, unit_, meaning_, offsetof(struct weft_technology, member), low_, high_},
#include "technology.def"
};

const struct weft_technology_field *weft_technology_fields(size_t *count)
{
    *count = FIELDS;
    return fields;
}

struct file {
    char *name, *description, **machines;
    unsigned machines_count;
    struct weft_yaml_entry entry[FIELDS];
};

/* --- schema --------------------------------------------------------------------------------------------------------------- */

static const char *const names[FIELDS] = {
#define WEFT_TECHNOLOGY_FIELD(group, name, ...) #group "." #name,
#include "technology.def"
};

struct schema {
    cyaml_schema_value_t machine;
    char keys[FIELDS][WEFT_YAML_KEY_BYTES];
    cyaml_schema_field_t members[2 * FIELDS], top[FIELDS + 4];
    cyaml_schema_value_t root;
};

static struct schema *make_schema(void)
{
    struct schema *s = calloc(1, sizeof *s); /* an empty key ends a list of fields */
    if (!s)
        return NULL;
    s->machine =
        (cyaml_schema_value_t){CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, sizeof((struct weft_technology *)0)->machines[0] - 1)};
    const cyaml_schema_field_t first[] = {
        CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct file, name, 1, sizeof((struct weft_technology *)0)->name - 1),
        CYAML_FIELD_STRING_PTR("description", CYAML_FLAG_POINTER, struct file, description, 0,
                               sizeof((struct weft_technology *)0)->description - 1),
        CYAML_FIELD_SEQUENCE("machines", CYAML_FLAG_POINTER, struct file, machines, &s->machine, 0, WEFT_TECHNOLOGY_MACHINES)};
    memcpy(s->top, first, sizeof first);
    weft_yaml_groups(s->top + sizeof first / sizeof *first, &(struct weft_yaml_table){.names = names,
                                                                                      .count = FIELDS,
                                                                                      .offset = offsetof(struct file, entry),
                                                                                      .file_bytes = sizeof(struct file),
                                                                                      .sourced = true,
                                                                                      .keys = s->keys,
                                                                                      .members = s->members});
    s->root = (cyaml_schema_value_t){CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct file, s->top)};
    return s;
}

/* --- values ------------------------------------------------------------------------------------------------------------------ */

static bool read_value(double *out, const char *text)
{
    char *end;
    errno = 0;
    *out = strtod(text, &end);
    return end != text && !*end && !errno && isfinite(*out) && !strpbrk(text, "xX"); /* no hexadecimal */
}

static enum weft_status take_values(struct weft_technology *out, const struct file *f, const struct weft_yaml *yaml)
{
    *out = (struct weft_technology){.machine_count = f->machines_count};
    snprintf(out->name, sizeof out->name, "%s", f->name);
    snprintf(out->description, sizeof out->description, "%s", f->description ? f->description : "");
    for (size_t i = 0; i < out->machine_count; i++)
        snprintf(out->machines[i], sizeof out->machines[i], "%s", f->machines[i]);
    for (size_t i = 0; i < FIELDS; i++) {
        char at[64];
        double value;
        snprintf(at, sizeof at, "%s.value", names[i]);
        if (!read_value(&value, f->entry[i].value) || value < fields[i].low || value > fields[i].high)
            return weft_yaml_error(yaml, at, "%s takes a number from %g to %g, not '%s'", names[i], fields[i].low, fields[i].high, f->entry[i].value);
        memcpy((char *)out + fields[i].offset, &value, sizeof value);
    }
    return WEFT_OK;
}

enum weft_status weft_technology_parse(struct weft_technology *out, const char *text, size_t bytes, const char *file,
                                       struct weft_diag *diag)
{
    struct schema *schema = make_schema();
    if (!schema)
        return WEFT_NO_MEMORY;
    void *data;
    const struct weft_yaml yaml = {file, text, bytes, "a technology file begins with name: NAME", diag};
    enum weft_status status = weft_yaml_load(&data, &yaml, &schema->root);
    if (!status)
        status = take_values(out, data, &yaml);
    weft_yaml_free(data, &schema->root);
    free(schema);
    return status;
}

/* --- files --------------------------------------------------------------------------------------------------------------------- */

enum weft_status weft_technology_load(struct weft_technology *out, const char *name, struct weft_diag *diag)
{
    char *text, *path;
    size_t bytes;
    enum weft_status status = weft_yaml_find(&text, &bytes, &path, "technology", "technologies", name, diag);
    if (status)
        return status;
    status = weft_technology_parse(out, text, bytes, path, diag);
    free(text);
    free(path);
    return status;
}

static bool lists(const struct weft_technology *technology, const char *machine)
{
    for (size_t i = 0; i < technology->machine_count; i++)
        if (!strcmp(technology->machines[i], machine))
            return true;
    return false;
}

static int is_yaml(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 5 && !strcmp(entry->d_name + length - 5, ".yaml");
}

enum weft_status weft_technology_find(struct weft_technology *out, bool *found, const char *machine, struct weft_diag *diag)
{
    char folder[2048], path[4096];
    struct dirent **entries = NULL;
    enum weft_status status = WEFT_OK;
    *found = false;
    snprintf(folder, sizeof folder, "%s/technologies", weft_data_directory());
    int count = scandir(folder, &entries, is_yaml, alphasort); /* -1: data without technologies, so there is none to be found */
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        struct weft_technology one;
        if (!status && !*found)
            status = weft_technology_load(&one, path, diag);
        if (!status && !*found && (*found = lists(&one, machine)))
            *out = one;
        free(entries[i]);
    }
    free(entries);
    return status;
}
