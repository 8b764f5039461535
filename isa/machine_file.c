/* machine_file.c: machine files, in YAML, of a schema made from machine.def. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"
#include "weft_yaml.h"

struct formats_entry {
    unsigned value; /* enum weft_number_use */
    char *source;
};
struct file {
    char *name, *description;
    struct formats_entry formats;
    struct weft_yaml_entry entry[MACHINE_FIELDS];
};

/* --- schema --------------------------------------------------------------------------------------------------------------- */

static const char *const names[MACHINE_FIELDS] = {
#define WEFT_MACHINE_FIELD(group, name, ...) #group "." #name,
#define WEFT_MACHINE_FLAG(group, name, ...) #group "." #name,
#include "machine.def"
};

struct schema {
    cyaml_strval_t formats[MACHINE_FORMATS];
    cyaml_schema_field_t formats_entry[3];
    char keys[MACHINE_FIELDS][WEFT_YAML_KEY_BYTES];
    cyaml_schema_field_t members[2 * MACHINE_FIELDS], top[MACHINE_FIELDS + 4];
    cyaml_schema_value_t root;
};

static struct schema *make_schema(void)
{
    struct schema *s = calloc(1, sizeof *s); /* an empty key ends a list of fields */
    if (!s)
        return NULL;
    for (size_t i = 0; i < MACHINE_FORMATS; i++)
        s->formats[i] = (cyaml_strval_t){machine_formats[i].name, machine_formats[i].use};
    const cyaml_schema_field_t formats[] = {
        CYAML_FIELD_FLAGS("value", CYAML_FLAG_STRICT, struct formats_entry, value, s->formats, MACHINE_FORMATS),
        CYAML_FIELD_STRING_PTR("source", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct formats_entry, source, 1, CYAML_UNLIMITED),
        CYAML_FIELD_END};
    memcpy(s->formats_entry, formats, sizeof formats);
    const cyaml_schema_field_t first[] = {
        CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct file, name, 1, sizeof((struct weft_machine *)0)->name - 1),
        CYAML_FIELD_STRING_PTR("description", CYAML_FLAG_POINTER, struct file, description, 0,
                               sizeof((struct weft_machine *)0)->description - 1),
        CYAML_FIELD_MAPPING("formats", CYAML_FLAG_DEFAULT, struct file, formats, s->formats_entry)};
    memcpy(s->top, first, sizeof first);
    weft_yaml_groups(s->top + sizeof first / sizeof *first, &(struct weft_yaml_table){.names = names,
                                                                                      .count = MACHINE_FIELDS,
                                                                                      .offset = offsetof(struct file, entry),
                                                                                      .file_bytes = sizeof(struct file),
                                                                                      .keys = s->keys,
                                                                                      .members = s->members});
    s->root = (cyaml_schema_value_t){CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct file, s->top)};
    return s;
}

static const char head[] = "a machine file begins with name: NAME";

/* --- machines ---------------------------------------------------------------------------------------------------------------- */

static enum weft_status take_values(struct weft_machine *out, const struct file *f, const struct weft_yaml *yaml)
{
    size_t count;
    const struct weft_machine_field *fields = weft_machine_fields(&count);
    *out = (struct weft_machine){.formats = f->formats.value};
    snprintf(out->name, sizeof out->name, "%s", f->name);
    snprintf(out->description, sizeof out->description, "%s", f->description ? f->description : "");
    if (!out->formats)
        return weft_yaml_error(yaml, "formats.value", "formats is empty; the array multiplies at least one of u8, s8, s16 and bf16");
    for (size_t i = 0; i < count; i++) {
        char problem[256], at[64];
        uint64_t value;
        snprintf(at, sizeof at, "%s.value", fields[i].name);
        if (!machine_read_value(&value, &fields[i], f->entry[i].value, problem))
            return weft_yaml_error(yaml, at, "%s", problem);
        weft_machine_put(out, &fields[i], value);
    }
    return WEFT_OK;
}

enum weft_status weft_machine_parse(struct weft_machine *out, const char *text, size_t bytes, const char *file, struct weft_diag *diag)
{
    struct schema *schema = make_schema();
    if (!schema)
        return WEFT_NO_MEMORY;
    void *data;
    const struct weft_yaml yaml = {file, text, bytes, head, diag};
    enum weft_status status = weft_yaml_load(&data, &yaml, &schema->root);
    if (!status)
        status = take_values(out, data, &yaml);
    weft_yaml_free(data, &schema->root);
    free(schema);
    return status;
}

enum weft_status weft_machine_load(struct weft_machine *out, const char *name, struct weft_diag *diag)
{
    char *text, *path;
    size_t bytes;
    enum weft_status status = weft_yaml_find(&text, &bytes, &path, "machine", "machines", name, diag);
    if (status)
        return status;
    status = weft_machine_parse(out, text, bytes, path, diag);
    free(text);
    free(path);
    return status;
}

enum { VALUE_BYTES = 24 };

static void put_values(struct file *f, char values[][VALUE_BYTES], const struct weft_machine *machine)
{
    size_t count;
    const struct weft_machine_field *fields = weft_machine_fields(&count);
    f->name = (char *)machine->name;
    f->description = (char *)machine->description;
    f->formats.value = machine->formats;
    for (size_t i = 0; i < count; i++) {
        uint64_t value = weft_machine_get(machine, &fields[i]);
        snprintf(values[i], VALUE_BYTES, "%llu", (unsigned long long)value);
        f->entry[i].value = !fields[i].flag ? values[i] : value ? (char *)"true" : (char *)"false";
    }
}

enum weft_status weft_machine_print(char **out, const struct weft_machine *machine)
{
    struct schema *schema = make_schema();
    if (!schema)
        return WEFT_NO_MEMORY;
    struct file f = {0};
    char values[MACHINE_FIELDS][VALUE_BYTES];
    put_values(&f, values, machine);
    enum weft_status status = weft_yaml_print(out, &f, &schema->root);
    free(schema);
    return status;
}

/* --- sources ------------------------------------------------------------------------------------------------------------------ */

static enum weft_status take_source(char **out, const struct file *f, const char *field, const char *path, struct weft_diag *diag)
{
    const char *source = f->formats.source;
    if (strcmp(field, "formats")) {
        size_t i = 0;
        while (i < MACHINE_FIELDS && strcmp(names[i], field))
            i++;
        if (i == MACHINE_FIELDS)
            return weft_error(diag, "%s: a machine has no field %s", path, field);
        source = f->entry[i].source;
    }
    *out = strdup(source ? source : "");
    return *out ? WEFT_OK : WEFT_NO_MEMORY;
}

enum weft_status weft_machine_source(char **out, const char *name, const char *field, struct weft_diag *diag)
{
    char *text, *path;
    size_t bytes;
    *out = NULL;
    struct schema *schema = make_schema();
    if (!schema)
        return WEFT_NO_MEMORY;
    enum weft_status status = weft_yaml_find(&text, &bytes, &path, "machine", "machines", name, diag);
    if (status == WEFT_OK) {
        void *data;
        status = weft_yaml_load(&data, &(struct weft_yaml){path, text, bytes, head, diag}, &schema->root);
        if (!status)
            status = take_source(out, data, field, path, diag);
        weft_yaml_free(data, &schema->root);
        free(text);
        free(path);
    }
    free(schema);
    return status;
}
