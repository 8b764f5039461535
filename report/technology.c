/* technology.c: technology files, in YAML. libcyaml checks the shape against a schema made from technology.def; values are read as text,
 * so that "0.2x" is no number; libyaml says in which line a value lies. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cyaml/cyaml.h>
#include <yaml.h>

#include "report.h"

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

struct entry {
    char *value, *source;
};
struct file {
    char *name, *description, **machines;
    unsigned machines_count;
    struct entry entry[FIELDS];
};

/* --- schema --------------------------------------------------------------------------------------------------------------- */

enum { KEY_BYTES = 32 };

struct schema {
    cyaml_schema_field_t entry[3];
    cyaml_schema_value_t machine;
    char group_name[FIELDS][KEY_BYTES];
    cyaml_schema_field_t group[FIELDS][FIELDS + 1]; /* room for any division into groups */
    cyaml_schema_field_t top[FIELDS + 4];
    cyaml_schema_value_t root;
};

static cyaml_schema_field_t mapping(const char *key, size_t offset, size_t size, const cyaml_schema_field_t *members)
{
    cyaml_schema_field_t field = {.key = key, .data_offset = (uint32_t)offset};
    field.value.type = CYAML_MAPPING;
    field.value.data_size = (uint32_t)size;
    field.value.mapping.fields = members;
    return field;
}

/* technology.def keeps the fields of a group together. Every group's data begin where the file's do. */
static void make_groups(struct schema *s, cyaml_schema_field_t *top)
{
    size_t groups = 0, members = 0;
    for (size_t i = 0; i < FIELDS; i++) {
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
    const cyaml_schema_field_t entry[] = {CYAML_FIELD_STRING_PTR("value", CYAML_FLAG_POINTER, struct entry, value, 1, CYAML_UNLIMITED),
                                          CYAML_FIELD_STRING_PTR("source", CYAML_FLAG_POINTER, struct entry, source, 1, CYAML_UNLIMITED),
                                          CYAML_FIELD_END};
    memcpy(s->entry, entry, sizeof entry);
    s->machine =
        (cyaml_schema_value_t){CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, sizeof((struct weft_technology *)0)->machines[0] - 1)};
    const cyaml_schema_field_t first[] = {
        CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct file, name, 1, sizeof((struct weft_technology *)0)->name - 1),
        CYAML_FIELD_STRING_PTR("description", CYAML_FLAG_POINTER, struct file, description, 0,
                               sizeof((struct weft_technology *)0)->description - 1),
        CYAML_FIELD_SEQUENCE("machines", CYAML_FLAG_POINTER, struct file, machines, &s->machine, 0, WEFT_TECHNOLOGY_MACHINES)};
    memcpy(s->top, first, sizeof first);
    make_groups(s, s->top + sizeof first / sizeof *first);
    s->root = (cyaml_schema_value_t){CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct file, s->top)};
    return s;
}

/* --- messages --------------------------------------------------------------------------------------------------------------- */

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
    return (cyaml_config_t){
        .log_fn = keep_log, .log_ctx = log, .mem_fn = cyaml_mem, .log_level = CYAML_LOG_ERROR, .flags = CYAML_CFG_NO_ALIAS};
}

/* The nearest group, key in a group, or other key of a technology file. */
static const char *nearest(const char *word, const struct schema *s)
{
    static const char *const rest[] = {"name", "description", "machines", "value", "source"};
    const char *names[2 * FIELDS + sizeof rest / sizeof *rest];
    size_t count = sizeof rest / sizeof *rest;
    memcpy(names, rest, sizeof rest);
    for (size_t i = 0; i < FIELDS; i++)
        names[count++] = strchr(fields[i].name, '.') + 1;
    for (size_t i = 0; i < FIELDS && *s->group_name[i]; i++)
        names[count++] = s->group_name[i];
    const char *near = weft_nearest(word, names, count);
    return near && strcmp(near, word) ? near : NULL; /* a key that exists, in the wrong place */
}

static const struct {
    const char *theirs, *ours;
} phrases[] = {{"Unexpected key: ", "unknown key "},
               {"Missing required mapping field: ", "a required key is missing: "},
               {"Mapping field already seen: ", "there is a second key "}};

static enum weft_status say_shape(const struct schema *schema, const struct log *log, cyaml_err_t error, const char *file,
                                  struct weft_diag *diag)
{
    unsigned long line = log->line ? log->line : 1;
    if (error == CYAML_ERR_OOM)
        return WEFT_NO_MEMORY;
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++) {
        size_t length = strlen(phrases[i].theirs);
        if (strncmp(log->what, phrases[i].theirs, length))
            continue;
        const char *key = log->what + length, *near = i == 0 ? nearest(key, schema) : NULL;
        return weft_error(diag, "%s:%lu: %s%s%s%s%s", file, line, phrases[i].ours, key, near ? "; did you mean " : "", near ? near : "",
                          near ? "?" : "");
    }
    return weft_error(diag, "%s:%lu: %s", file, line, *log->what ? log->what : cyaml_strerror(error));
}

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

/* Line of "group.name", in a file that has been loaded. */
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

/* --- values ------------------------------------------------------------------------------------------------------------------ */

static bool read_value(double *out, const char *text)
{
    char *end;
    errno = 0;
    *out = strtod(text, &end);
    return end != text && !*end && !errno && isfinite(*out) && !strpbrk(text, "xX"); /* no hexadecimal */
}

static enum weft_status take_values(struct weft_technology *out, const struct file *f, const char *yaml, size_t bytes, const char *file,
                                    struct weft_diag *diag)
{
    *out = (struct weft_technology){.machine_count = f->machines_count};
    snprintf(out->name, sizeof out->name, "%s", f->name);
    snprintf(out->description, sizeof out->description, "%s", f->description ? f->description : "");
    for (size_t i = 0; i < out->machine_count; i++)
        snprintf(out->machines[i], sizeof out->machines[i], "%s", f->machines[i]);
    for (size_t i = 0; i < FIELDS; i++) {
        double value;
        if (!read_value(&value, f->entry[i].value) || value < fields[i].low || value > fields[i].high)
            return weft_error(diag, "%s:%lu: %s takes a number from %g to %g, not '%s'", file, line_of(yaml, bytes, fields[i].name),
                              fields[i].name, fields[i].low, fields[i].high, f->entry[i].value);
        memcpy((char *)out + fields[i].offset, &value, sizeof value);
    }
    return WEFT_OK;
}

enum weft_status weft_technology_parse(struct weft_technology *out, const char *yaml, size_t bytes, const char *file,
                                       struct weft_diag *diag)
{
    struct schema *schema = make_schema();
    if (!schema)
        return WEFT_NO_MEMORY;
    struct log log = {0};
    cyaml_config_t config = make_config(&log);
    struct file *f = NULL;
    enum weft_status status;
    cyaml_err_t error = cyaml_load_data((const uint8_t *)yaml, bytes, &config, &schema->root, (cyaml_data_t **)&f, NULL);
    if (error != CYAML_OK)
        status = say_shape(schema, &log, error, file, diag);
    else if (!f)
        status = weft_error(diag, "%s:1: the file is empty; a technology file begins with name: NAME", file);
    else
        status = take_values(out, f, yaml, bytes, file, diag);
    cyaml_free(&config, &schema->root, f, 0);
    free(schema);
    return status;
}

/* --- files --------------------------------------------------------------------------------------------------------------------- */

static bool is_path(const char *name)
{
    size_t length = strlen(name);
    return strchr(name, '/') || (length > 5 && !strcmp(name + length - 5, ".yaml")) || (length > 4 && !strcmp(name + length - 4, ".yml"));
}

static int is_yaml(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 5 && !strcmp(entry->d_name + length - 5, ".yaml");
}

static enum weft_status say_unknown(const char *name, struct weft_diag *diag)
{
    char folder[4096], list[1024] = "";
    struct dirent **entries = NULL;
    snprintf(folder, sizeof folder, "%s/technologies", weft_data_directory());
    int count = scandir(folder, &entries, is_yaml, alphasort);
    for (int i = 0; i < count; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%.*s", i ? ", " : "", (int)strlen(entries[i]->d_name) - 5, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return weft_error(diag, "technology %s: there is no such one in %s (it has %s); a file is named with its ending, FILE.yaml", name,
                      folder, *list ? list : "none");
}

enum weft_status weft_technology_load(struct weft_technology *out, const char *name, struct weft_diag *diag)
{
    enum { LIMIT = 1 << 20 }; /* bytes of a technology file */
    char path[4096], *text;
    size_t bytes;
    if (is_path(name))
        snprintf(path, sizeof path, "%s", name);
    else
        snprintf(path, sizeof path, "%s/technologies/%s.yaml", weft_data_directory(), name);
    if (!is_path(name) && access(path, R_OK))
        return say_unknown(name, diag);
    enum weft_status status = weft_file_read(&text, &bytes, path, LIMIT, diag);
    if (status)
        return status;
    status = weft_technology_parse(out, text, bytes, path, diag);
    free(text);
    return status;
}

static bool lists(const struct weft_technology *technology, const char *machine)
{
    for (size_t i = 0; i < technology->machine_count; i++)
        if (!strcmp(technology->machines[i], machine))
            return true;
    return false;
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
