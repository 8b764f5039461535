/* yaml.c: YAML files that must be right to the last key. Their shape is libcyaml's matter, and the place of a node, for messages, libyaml's, on which
 * libcyaml stands. */
#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "weft_yaml.h"

/* --- files -------------------------------------------------------------------------------------------------------------------- */

static bool ends_in(const char *name, const char *ending)
{
    size_t length = strlen(name), tail = strlen(ending);
    return length > tail && !strcmp(name + length - tail, ending);
}

static int is_yaml(const struct dirent *entry)
{
    return ends_in(entry->d_name, ".yaml");
}

static enum weft_status say_unknown(const char *kind, const char *directory, const char *name, struct weft_diag *diag)
{
    char list[1024] = "";
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, is_yaml, alphasort); /* -1: no such folder, so there are none */
    for (int i = 0; i < count; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%.*s", i ? ", " : "", (int)(strlen(entries[i]->d_name) - strlen(".yaml")), entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return weft_error(diag, "%s %s: there is no such one in %s (it has %s); a file is named with its ending, FILE.yaml", kind, name, directory,
                      *list ? list : "none");
}

bool weft_names_file(const char *name)
{
    return strchr(name, '/') || ends_in(name, ".yaml") || ends_in(name, ".yml");
}

enum weft_status weft_yaml_find(char **text, size_t *bytes, char **path, const char *kind, const char *folder, const char *name, struct weft_diag *diag)
{
    enum { LIMIT = 1 << 20 }; /* bytes of a file */
    char directory[4096];
    bool given = weft_names_file(name);
    snprintf(directory, sizeof directory, "%s/%s", weft_data_directory(), folder);
    if ((given ? asprintf(path, "%s", name) : asprintf(path, "%s/%s.yaml", directory, name)) < 0) {
        *path = NULL;
        return WEFT_NO_MEMORY;
    }
    enum weft_status status =
        given || access(*path, R_OK) == 0 ? weft_file_read(text, bytes, *path, LIMIT, diag) : say_unknown(kind, directory, name, diag);
    if (status) {
        free(*path);
        *path = NULL;
    }
    return status;
}

/* --- where a node lies ------------------------------------------------------------------------------------------------------ */

struct tree {
    yaml_parser_t parser;
    yaml_document_t document;
};

/* The file as nodes. False: it is no YAML, or there is no memory; then there is nothing to close. */
static bool open_tree(struct tree *out, const struct weft_yaml *yaml)
{
    if (!yaml_parser_initialize(&out->parser))
        return false;
    yaml_parser_set_input_string(&out->parser, (const unsigned char *)yaml->text, yaml->bytes);
    if (yaml_parser_load(&out->parser, &out->document))
        return true;
    yaml_parser_delete(&out->parser);
    return false;
}

static void close_tree(struct tree *tree)
{
    yaml_document_delete(&tree->document);
    yaml_parser_delete(&tree->parser);
}

static bool is_key(const yaml_node_t *node, const char *key, size_t length)
{
    return node && node->type == YAML_SCALAR_NODE && node->data.scalar.length == length && !memcmp(node->data.scalar.value, key, length);
}

static yaml_node_t *member(yaml_document_t *document, const yaml_node_t *node, const char *key, size_t length)
{
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++)
        if (is_key(yaml_document_get_node(document, p->key), key, length))
            return yaml_document_get_node(document, p->value);
    return NULL;
}

static yaml_node_t *item(yaml_document_t *document, const yaml_node_t *node, const char *index)
{
    size_t i = strtoul(index, NULL, 10), count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    return i < count ? yaml_document_get_node(document, node->data.sequence.items.start[i]) : NULL;
}

static unsigned long line_at(const struct weft_yaml *yaml, const char *at)
{
    unsigned long line = 1;
    struct tree tree;
    if (!open_tree(&tree, yaml))
        return line;
    for (yaml_node_t *node = yaml_document_get_root_node(&tree.document); node;) {
        line = node->start_mark.line + 1;
        size_t length = strcspn(at, ".");
        node = node->type == YAML_MAPPING_NODE    ? member(&tree.document, node, at, length)
               : node->type == YAML_SEQUENCE_NODE ? item(&tree.document, node, at)
                                                  : NULL;
        at += length + (at[length] == '.');
    }
    close_tree(&tree);
    return line;
}

enum weft_status weft_yaml_error(const struct weft_yaml *yaml, const char *at, const char *format, ...)
{
    char *text;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        return WEFT_NO_MEMORY;
    enum weft_status status = weft_error(yaml->diag, "%s:%lu: %s", yaml->path, line_at(yaml, at), text);
    free(text);
    return status;
}

/* --- what libcyaml says ------------------------------------------------------------------------------------------------------- */

/* What it logs: the first line says what is wrong, the backtrace behind it where. */
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
static const struct phrase {
    const char *theirs, *ours;
    enum { NO_KEY, UNKNOWN, SECOND } which; /* key of that name is the one to be pointed at */
} phrases[] = {{"Unexpected key: ", "unknown key ", UNKNOWN},
               {"Missing required mapping field: ", "a required key is missing: ", NO_KEY},
               {"Mapping field already seen: ", "there is a second key ", SECOND}};

/* The first line from `line` on in which a mapping has the key; or has it again. 0: none. */
static unsigned long key_line(const struct weft_yaml *yaml, const char *key, unsigned long line, bool again)
{
    unsigned long first = 0;
    struct tree tree;
    if (!open_tree(&tree, yaml))
        return 0;
    for (yaml_node_t *node = tree.document.nodes.start; node < tree.document.nodes.top; node++) {
        bool seen = !again;
        for (yaml_node_pair_t *p = node->data.mapping.pairs.start; node->type == YAML_MAPPING_NODE && p < node->data.mapping.pairs.top; p++) {
            const yaml_node_t *name = yaml_document_get_node(&tree.document, p->key);
            if (!is_key(name, key, strlen(key)))
                continue;
            unsigned long at = name->start_mark.line + 1;
            if (seen && at >= line && (!first || at < first))
                first = at;
            seen = true;
        }
    }
    close_tree(&tree);
    return first;
}

/* `best`, or a key of the schema that is nearer to the word. */
static const char *nearest_key(const char *best, const char *word, const cyaml_schema_value_t *schema)
{
    if (schema->type == CYAML_SEQUENCE)
        return nearest_key(best, word, schema->sequence.entry);
    for (const cyaml_schema_field_t *field = schema->type == CYAML_MAPPING ? schema->mapping.fields : NULL; field && field->key; field++) {
        const char *both[] = {best ? best : field->key, field->key};
        best = nearest_key(weft_nearest(word, both, 2), word, &field->value);
    }
    return best;
}

/* The words that a list of flags takes: "u8, s8"; "" where the schema has none. */
static void list_flags(char *out, size_t size, const cyaml_schema_value_t *schema)
{
    if (schema->type == CYAML_FLAGS)
        for (uint32_t i = 0; i < schema->enumeration.count; i++) {
            size_t used = strlen(out);
            snprintf(out + used, size - used, "%s%s", used ? ", " : "", schema->enumeration.strings[i].str);
        }
    for (const cyaml_schema_field_t *field = schema->type == CYAML_MAPPING ? schema->mapping.fields : NULL; field && field->key && !*out; field++)
        list_flags(out, size, &field->value);
}

/* Of a value: its shape in words of ours. What libcyaml says about the place is right. */
static enum weft_status say_value(const char *what, unsigned long line, const struct weft_yaml *yaml, const cyaml_schema_value_t *schema)
{
    static const struct {
        const char *theirs, *ours;
    } shapes[] = {{"Expecting MAPPING, got event: ", "KEY: VALUE is expected here, not "},
                  {"Expecting SEQUENCE, got event: ", "a list such as [A, B] is expected here, not "},
                  {"Expecting FLAGS, got event: ", "a list such as [A, B] is expected here, not "},
                  {"Expecting STRING, got event: ", "one value is expected here, not "},
                  {"STRING length < 1", "a value is missing"},
                  {"STRING length > ", "a value has more characters than "},
                  {"Insufficient entries (0 of 1 min)", "the list is empty; it has at least one entry"},
                  {"Insufficient entries ", "a list has too few entries "},
                  {"Excessive entries ", "a list has too many entries "},
                  {"YAML alias", "an alias (*NAME) is not taken; write the value itself"},
                  {"Internal error", "KEY: VALUE is expected here, and a key is one word"},
                  {"libyaml: ", "this is no YAML: "}},
      events[] = {{"SCALAR", "one value"}, {"MAPPING_START", "KEY: VALUE"}, {"SEQUENCE_START", "a list"}};
    static const char flag[] = "Unknown flag: ";
    char flags[256] = "";
    if (!strncmp(what, flag, strlen(flag))) {
        list_flags(flags, sizeof flags, schema);
        return weft_error(yaml->diag, "%s:%lu: '%s' is none of %s", yaml->path, line, what + strlen(flag), flags);
    }
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        size_t length = strlen(shapes[i].theirs);
        if (strncmp(what, shapes[i].theirs, length))
            continue;
        bool open = shapes[i].theirs[length - 1] == ' '; /* more is to be said */
        const char *rest = open ? what + length : "";
        for (size_t k = 0; k < sizeof events / sizeof *events; k++)
            rest = strcmp(rest, events[k].theirs) ? rest : events[k].ours;
        return weft_error(yaml->diag, "%s:%lu: %s%s", yaml->path, line, shapes[i].ours, rest);
    }
    return weft_error(yaml->diag, "%s:%lu: %s", yaml->path, line, what);
}

static enum weft_status say_shape(const struct log *log, cyaml_err_t error, const struct weft_yaml *yaml, const cyaml_schema_value_t *schema)
{
    unsigned long line = log->line ? log->line : 1;
    for (const struct phrase *p = phrases; p < phrases + sizeof phrases / sizeof *phrases; p++) {
        size_t length = strlen(p->theirs);
        if (strncmp(log->what, p->theirs, length))
            continue;
        const char *key = log->what + length, *near = p->which == UNKNOWN ? nearest_key(NULL, key, schema) : NULL;
        if (near && !strcmp(near, key))
            near = NULL; /* one that exists, in the wrong place */
        unsigned long found = p->which ? key_line(yaml, key, line, p->which == SECOND) : 0; /* libcyaml names the last key that was right */
        return weft_error(yaml->diag, "%s:%lu: %s%s%s%s%s", yaml->path, found ? found : line, p->ours, key, near ? "; did you mean " : "", near ? near : "",
                          near ? "?" : "");
    }
    return say_value(*log->what ? log->what : cyaml_strerror(error), line, yaml, schema);
}

/* --- loading and printing ------------------------------------------------------------------------------------------------------ */

enum weft_status weft_yaml_load(void **out, const struct weft_yaml *yaml, const cyaml_schema_value_t *schema)
{
    struct log log = {0};
    cyaml_config_t config = make_config(&log);
    *out = NULL;
    cyaml_err_t error = cyaml_load_data((const uint8_t *)yaml->text, yaml->bytes, &config, schema, out, NULL);
    if (error == CYAML_ERR_OOM)
        return WEFT_NO_MEMORY;
    if (error != CYAML_OK)
        return say_shape(&log, error, yaml, schema);
    return *out ? WEFT_OK : weft_error(yaml->diag, "%s:1: the file is empty; %s", yaml->path, yaml->head);
}

void weft_yaml_free(void *data, const cyaml_schema_value_t *schema)
{
    struct log log = {0};
    cyaml_config_t config = make_config(&log);
    cyaml_free(&config, schema, data, 0);
}

enum weft_status weft_yaml_print(char **out, const void *data, const cyaml_schema_value_t *schema)
{
    struct log log = {0};
    cyaml_config_t config = make_config(&log);
    char *text = NULL;
    size_t bytes = 0;
    *out = NULL;
    if (cyaml_save_data(&text, &bytes, &config, schema, data, 0) == CYAML_OK)
        *out = strndup(text, bytes);
    if (text)
        config.mem_fn(NULL, text, 0);
    return *out ? WEFT_OK : WEFT_NO_MEMORY;
}

/* --- tables ------------------------------------------------------------------------------------------------------------------------ */

#define ENTRY_TEXT(member, flags) CYAML_FIELD_STRING_PTR(#member, CYAML_FLAG_POINTER | (flags), struct weft_yaml_entry, member, 1, CYAML_UNLIMITED)
static const cyaml_schema_field_t plain_entry[] = {ENTRY_TEXT(value, 0), ENTRY_TEXT(source, CYAML_FLAG_OPTIONAL), CYAML_FIELD_END};
static const cyaml_schema_field_t sourced_entry[] = {ENTRY_TEXT(value, 0), ENTRY_TEXT(source, 0), CYAML_FIELD_END};

/* A mapping whose members are laid out as `fields` say, at `offset` of what holds it. */
static cyaml_schema_field_t mapping(const char *key, size_t offset, size_t bytes, const cyaml_schema_field_t *fields)
{
    cyaml_schema_field_t field = {.key = key, .data_offset = (uint32_t)offset};
    field.value.type = CYAML_MAPPING;
    field.value.data_size = (uint32_t)bytes;
    field.value.mapping.fields = fields;
    return field;
}

/* Every group's data begin where the file's do. */
void weft_yaml_groups(cyaml_schema_field_t *groups, const struct weft_yaml_table *table)
{
    size_t count = 0;
    cyaml_schema_field_t *member = table->members;
    for (size_t i = 0; i < table->count; i++) {
        const char *name = table->names[i], *dot = strchr(name, '.');
        size_t length = (size_t)(dot - name);
        assert(length < WEFT_YAML_KEY_BYTES);
        if (!count || strncmp(table->keys[count - 1], name, length) || table->keys[count - 1][length]) {
            member += count > 0; /* a field without a key ends the group before */
            snprintf(table->keys[count], WEFT_YAML_KEY_BYTES, "%.*s", (int)length, name);
            groups[count] = mapping(table->keys[count], 0, table->file_bytes, member);
            count++;
        }
        *member++ = mapping(dot + 1, table->offset + i * sizeof(struct weft_yaml_entry), sizeof(struct weft_yaml_entry),
                            table->sourced ? sourced_entry : plain_entry);
    }
}
