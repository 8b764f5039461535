/* machine_file.c: machine files, in YAML. libcyaml checks the shape against a schema made from machine.def; values are read as text,
 * so that "3x" and "-1" are no numbers. Where a value lies in the file, for messages, is asked of libyaml, on which libcyaml stands. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cyaml/cyaml.h>
#include <yaml.h>

#include "machine.h"

struct entry {
    char *value, *source; /* source: may be NULL */
};
struct formats_entry {
    unsigned value; /* enum weft_number_use */
    char *source;
};
struct file {
    char *name, *description;
    struct formats_entry formats;
    struct entry entry[MACHINE_FIELDS];
};

/* --- schema --------------------------------------------------------------------------------------------------------------- */

enum { KEY_BYTES = 32, FLAG_COUNT = MACHINE_FORMATS };

struct schema {
    cyaml_strval_t formats[FLAG_COUNT];
    cyaml_schema_field_t entry[3], formats_entry[3];
    char group_name[MACHINE_FIELDS][KEY_BYTES];
    cyaml_schema_field_t group[MACHINE_FIELDS][MACHINE_FIELDS + 1]; /* room for any division into groups */
    cyaml_schema_field_t top[MACHINE_FIELDS + 4];
    cyaml_schema_value_t root;
};

static void make_entries(struct schema *s)
{
    for (size_t i = 0; i < FLAG_COUNT; i++)
        s->formats[i] = (cyaml_strval_t){machine_formats[i].name, machine_formats[i].use};
    const cyaml_schema_field_t entry[] = {
        CYAML_FIELD_STRING_PTR("value", CYAML_FLAG_POINTER, struct entry, value, 1, CYAML_UNLIMITED),
        CYAML_FIELD_STRING_PTR("source", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct entry, source, 1, CYAML_UNLIMITED),
        CYAML_FIELD_END};
    const cyaml_schema_field_t formats[] = {
        CYAML_FIELD_FLAGS("value", CYAML_FLAG_STRICT, struct formats_entry, value, s->formats, FLAG_COUNT),
        CYAML_FIELD_STRING_PTR("source", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct formats_entry, source, 1, CYAML_UNLIMITED),
        CYAML_FIELD_END};
    memcpy(s->entry, entry, sizeof entry);
    memcpy(s->formats_entry, formats, sizeof formats);
}

/* A mapping whose members are laid out as `fields` say, at `offset` of what holds it. */
static cyaml_schema_field_t mapping(const char *key, size_t offset, size_t size, const cyaml_schema_field_t *fields)
{
    cyaml_schema_field_t field = {.key = key, .data_offset = (uint32_t)offset};
    field.value.type = CYAML_MAPPING;
    field.value.data_size = (uint32_t)size;
    field.value.mapping.fields = fields;
    return field;
}

/* machine.def keeps the fields of a group together. Every group's data begin where the file's do. */
static void make_groups(struct schema *s, cyaml_schema_field_t *top)
{
    size_t count, groups = 0, members = 0;
    const struct weft_machine_field *fields = weft_machine_fields(&count);
    for (size_t i = 0; i < count; i++) {
        const char *dot = strchr(fields[i].name, '.');
        size_t length = (size_t)(dot - fields[i].name);
        assert(length < KEY_BYTES);
        if (!groups || strncmp(s->group_name[groups - 1], fields[i].name, length) || s->group_name[groups - 1][length]) {
            memcpy(s->group_name[groups], fields[i].name, length);
            top[groups] = mapping(s->group_name[groups], 0, sizeof(struct file), s->group[groups]);
            groups++;
            members = 0;
        }
        s->group[groups - 1][members++] =
            mapping(dot + 1, offsetof(struct file, entry) + i * sizeof(struct entry), sizeof(struct entry), s->entry);
    }
}

static struct schema *make_schema(void)
{
    struct schema *s = calloc(1, sizeof *s); /* an empty key ends a list of fields */
    if (!s)
        return NULL;
    make_entries(s);
    const cyaml_schema_field_t first[] = {
        CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct file, name, 1, sizeof((struct weft_machine *)0)->name - 1),
        CYAML_FIELD_STRING_PTR("description", CYAML_FLAG_POINTER, struct file, description, 0,
                               sizeof((struct weft_machine *)0)->description - 1),
        CYAML_FIELD_MAPPING("formats", CYAML_FLAG_DEFAULT, struct file, formats, s->formats_entry)};
    memcpy(s->top, first, sizeof first);
    make_groups(s, s->top + 3);
    s->root = (cyaml_schema_value_t){CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct file, s->top)};
    return s;
}

/* --- loading -------------------------------------------------------------------------------------------------------------- */

/* What libcyaml logs: the first line says what is wrong, the backtrace behind it where. */
struct log {
    char what[200];
    unsigned long line;
};

static void keep_log(cyaml_log_t level, void *context, const char *format, va_list arguments)
{
    (void)level;
    struct log *log = context;
    char text[256];
    vsnprintf(text, sizeof text, format, arguments);
    const char *line = strstr(text, "(line: ");
    if (line && !log->line)
        log->line = strtoul(line + strlen("(line: "), NULL, 10);
    else if (!*log->what && !strncmp(text, "Load: ", 6) && strncmp(text, "Load: Backtrace", 15))
        snprintf(log->what, sizeof log->what, "%.*s", (int)strcspn(text + 6, "\n"), text + 6);
}

static cyaml_config_t make_config(struct log *log)
{
    return (cyaml_config_t){.log_fn = keep_log, .log_ctx = log, .mem_fn = cyaml_mem, .log_level = CYAML_LOG_ERROR, .flags = CYAML_CFG_NO_ALIAS};
}

/* libcyaml's words for what people get wrong, and ours. */
static const struct {
    const char *theirs, *ours;
    bool suggest;
} phrases[] = {{"Unexpected key: ", "unknown key ", true},
               {"Missing required mapping field: ", "a required key is missing: ", false},
               {"Mapping field already seen: ", "there is a second key ", false}};

static enum weft_status say_shape(const struct log *log, cyaml_err_t error, const char *file, struct weft_diag *diag)
{
    unsigned long line = log->line ? log->line : 1;
    if (error == CYAML_ERR_OOM)
        return WEFT_NO_MEMORY;
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++) {
        size_t length = strlen(phrases[i].theirs);
        if (strncmp(log->what, phrases[i].theirs, length))
            continue;
        const char *key = log->what + length, *near = phrases[i].suggest ? machine_nearest(key) : NULL;
        return weft_error(diag, "%s:%lu: %s%s%s%s%s", file, line, phrases[i].ours, key, near ? "; did you mean " : "", near ? near : "",
                          near ? "?" : "");
    }
    return weft_error(diag, "%s:%lu: %s", file, line, *log->what ? log->what : cyaml_strerror(error));
}

/* What a machine file holds; the caller frees *out with free_file. */
static enum weft_status load_file(struct file **out, const struct schema *schema, const char *yaml, size_t bytes, const char *file,
                                  struct weft_diag *diag)
{
    struct log log = {0};
    cyaml_config_t config = make_config(&log);
    *out = NULL;
    cyaml_err_t error = cyaml_load_data((const uint8_t *)yaml, bytes, &config, &schema->root, (cyaml_data_t **)out, NULL);
    if (error != CYAML_OK)
        return say_shape(&log, error, file, diag);
    if (!*out)
        return weft_error(diag, "%s:1: the file is empty; a machine file begins with name: NAME", file);
    return WEFT_OK;
}

static void free_file(struct file *file, const struct schema *schema)
{
    struct log log = {0};
    cyaml_config_t config = make_config(&log);
    cyaml_free(&config, &schema->root, file, 0);
}

/* --- where a key lies ------------------------------------------------------------------------------------------------------ */

static yaml_node_t *child(yaml_document_t *document, yaml_node_t *node, const char *key, size_t length)
{
    if (!node || node->type != YAML_MAPPING_NODE)
        return NULL;
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
        yaml_node_t *name = yaml_document_get_node(document, p->key);
        if (name && name->type == YAML_SCALAR_NODE && name->data.scalar.length == length && !memcmp(name->data.scalar.value, key, length))
            return yaml_document_get_node(document, p->value);
    }
    return NULL;
}

/* Line of "group.name"; 1 if it cannot be found (it can: the file has been loaded). */
static unsigned long line_of(const char *yaml, size_t bytes, const char *name)
{
    unsigned long line = 1;
    yaml_parser_t parser;
    yaml_document_t document;
    if (!yaml_parser_initialize(&parser))
        return line;
    yaml_parser_set_input_string(&parser, (const unsigned char *)yaml, bytes);
    if (yaml_parser_load(&parser, &document)) {
        const char *dot = strchr(name, '.');
        yaml_node_t *group = child(&document, yaml_document_get_root_node(&document), name, (size_t)(dot - name));
        yaml_node_t *entry = child(&document, group, dot + 1, strlen(dot + 1)), *value = child(&document, entry, "value", 5);
        if (value)
            line = value->start_mark.line + 1;
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    return line;
}

/* --- machines ---------------------------------------------------------------------------------------------------------------- */

static enum weft_status take_values(struct weft_machine *out, const struct file *f, const char *yaml, size_t bytes, const char *file,
                                    struct weft_diag *diag)
{
    size_t count;
    const struct weft_machine_field *fields = weft_machine_fields(&count);
    *out = (struct weft_machine){.formats = f->formats.value};
    snprintf(out->name, sizeof out->name, "%s", f->name);
    snprintf(out->description, sizeof out->description, "%s", f->description ? f->description : "");
    if (!out->formats)
        return weft_error(diag, "%s:1: formats is empty; the array multiplies at least one of u8, s8, s16 and bf16", file);
    for (size_t i = 0; i < count; i++) {
        char problem[256];
        uint64_t value;
        if (!machine_read_value(&value, &fields[i], f->entry[i].value, problem))
            return weft_error(diag, "%s:%lu: %s", file, line_of(yaml, bytes, fields[i].name), problem);
        machine_put(out, &fields[i], value);
    }
    return WEFT_OK;
}

enum weft_status weft_machine_parse(struct weft_machine *out, const char *yaml, size_t bytes, const char *file, struct weft_diag *diag)
{
    struct schema *schema = make_schema();
    if (!schema)
        return WEFT_NO_MEMORY;
    struct file *f;
    enum weft_status status = load_file(&f, schema, yaml, bytes, file, diag);
    if (status == WEFT_OK) {
        status = take_values(out, f, yaml, bytes, file, diag);
        free_file(f, schema);
    }
    free(schema);
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
        uint64_t value = machine_get(machine, &fields[i]);
        snprintf(values[i], VALUE_BYTES, "%llu", (unsigned long long)value);
        f->entry[i].value = !fields[i].flag ? values[i] : value ? (char *)"true" : (char *)"false";
    }
}

enum weft_status weft_machine_print(char **out, const struct weft_machine *machine)
{
    struct schema *schema = make_schema();
    if (!schema)
        return WEFT_NO_MEMORY;
    struct log log = {0};
    cyaml_config_t config = make_config(&log);
    struct file f = {0};
    char values[MACHINE_FIELDS][VALUE_BYTES], *text = NULL;
    size_t bytes = 0;
    put_values(&f, values, machine);
    *out = NULL;
    if (cyaml_save_data(&text, &bytes, &config, &schema->root, &f, 0) == CYAML_OK)
        *out = strndup(text, bytes);
    if (text)
        config.mem_fn(NULL, text, 0);
    free(schema);
    return *out ? WEFT_OK : WEFT_NO_MEMORY;
}

/* --- sources ------------------------------------------------------------------------------------------------------------------ */

static const char *find_source(const struct file *f, const char *field, bool *found)
{
    size_t count;
    const struct weft_machine_field *fields = weft_machine_fields(&count);
    *found = true;
    if (!strcmp(field, "formats"))
        return f->formats.source;
    for (size_t i = 0; i < count; i++)
        if (!strcmp(fields[i].name, field))
            return f->entry[i].source;
    *found = false;
    return NULL;
}

enum weft_status weft_machine_source(char **out, const char *name, const char *field, struct weft_diag *diag)
{
    char *text, *path;
    size_t bytes;
    *out = NULL;
    struct schema *schema = make_schema();
    if (!schema)
        return WEFT_NO_MEMORY;
    enum weft_status status = machine_text(&text, &bytes, &path, name, diag);
    if (status == WEFT_OK) {
        struct file *f;
        status = load_file(&f, schema, text, bytes, path, diag);
        if (status == WEFT_OK) {
            bool found;
            const char *source = find_source(f, field, &found);
            if (!found)
                status = weft_error(diag, "%s: a machine has no field %s", path, field);
            else if (!(*out = strdup(source ? source : "")))
                status = WEFT_NO_MEMORY;
            free_file(f, schema);
        }
        free(text);
        free(path);
    }
    free(schema);
    return status;
}
