/* plan_file.c: the shape of a plan's file, by libcyaml; where a node lies, for messages, by libyaml. */
#include "plan_file.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cyaml/cyaml.h>
#include <yaml.h>

/* --- schema ----------------------------------------------------------------------------------------------------------------- */

#define TEXT(key, type, member) CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER, type, member, 1, CYAML_UNLIMITED)
#define OPTIONAL_TEXT(key, type, member) CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, 1, CYAML_UNLIMITED)
#define LIST(key, type, member, entry) CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER, type, member, &entry, 1, CYAML_UNLIMITED)
#define OPTIONAL_LIST(key, type, member, entry)                                                                                    \
    CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, &entry, 1, CYAML_UNLIMITED)
#define OPTIONAL_MAPPING(key, type, member, fields)                                                                                \
    CYAML_FIELD_MAPPING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, fields)

static const cyaml_schema_value_t text_value = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 1, CYAML_UNLIMITED)};

static const cyaml_schema_field_t range_fields[] = {TEXT("from", struct span_entry, from), TEXT("to", struct span_entry, to),
                                                    TEXT("step", struct span_entry, step), CYAML_FIELD_END};
static const cyaml_schema_field_t powers_fields[] = {TEXT("from", struct span_entry, from), TEXT("to", struct span_entry, to),
                                                     CYAML_FIELD_END};
static const cyaml_schema_field_t tie_fields[] = {TEXT("field", struct tie_entry, field), TEXT("value", struct tie_entry, value),
                                                  CYAML_FIELD_END};
static const cyaml_schema_value_t tie_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct tie_entry, tie_fields)};
static const cyaml_schema_field_t axis_fields[] = {TEXT("field", struct axis_entry, field),
                                                   OPTIONAL_LIST("values", struct axis_entry, values, text_value),
                                                   OPTIONAL_MAPPING("range", struct axis_entry, range, range_fields),
                                                   OPTIONAL_MAPPING("powers_of_two", struct axis_entry, powers_of_two, powers_fields),
                                                   OPTIONAL_LIST("tie", struct axis_entry, tie, tie_value),
                                                   CYAML_FIELD_END};
static const cyaml_schema_value_t axis_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct axis_entry, axis_fields)};
static const cyaml_schema_field_t dim_fields[] = {TEXT("name", struct dim_entry, name), TEXT("value", struct dim_entry, value), CYAML_FIELD_END};
static const cyaml_schema_value_t dim_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct dim_entry, dim_fields)};
static const cyaml_schema_field_t search_fields[] = {TEXT("strategy", struct search_entry, strategy),
                                                     OPTIONAL_TEXT("seed", struct search_entry, seed),
                                                     OPTIONAL_TEXT("points", struct search_entry, points),
                                                     OPTIONAL_LIST("objectives", struct search_entry, objectives, text_value),
                                                     CYAML_FIELD_END};
static const cyaml_schema_field_t plan_fields[] = {TEXT("name", struct plan_file, name),
                                                   TEXT("base", struct plan_file, base),
                                                   OPTIONAL_TEXT("format", struct plan_file, format),
                                                   OPTIONAL_TEXT("technology", struct plan_file, technology),
                                                   LIST("networks", struct plan_file, networks, text_value),
                                                   LIST("batches", struct plan_file, batches, text_value),
                                                   LIST("axes", struct plan_file, axes, axis_value),
                                                   OPTIONAL_LIST("constraints", struct plan_file, constraints, text_value),
                                                   OPTIONAL_LIST("dims", struct plan_file, dims, dim_value),
                                                   OPTIONAL_LIST("metrics", struct plan_file, metrics, text_value),
                                                   OPTIONAL_MAPPING("search", struct plan_file, search, search_fields),
                                                   CYAML_FIELD_END};
static const cyaml_schema_value_t plan_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct plan_file, plan_fields)};

/* --- loading ------------------------------------------------------------------------------------------------------------------ */

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

static const char *nearest_key(const char *word)
{
    static const char *const keys[] = {"name",  "base",   "networks",      "batches", "axes",  "constraints", "dims", "technology", "metrics", "search", "field",
                                       "values", "range", "powers_of_two", "tie",     "value", "from",        "to",     "step",    "strategy", "seed",
                                       "points", "objectives", "format"};
    return weft_nearest(word, keys, sizeof keys / sizeof *keys);
}

/* libcyaml's words for what people get wrong, and ours. */
static const struct {
    const char *theirs, *ours;
} phrases[] = {{"Unexpected key: ", "unknown key "},
               {"Missing required mapping field: ", "a required key is missing: "},
               {"Mapping field already seen: ", "there is a second key "}};

/* libcyaml names the last key that was right. The wrong one is the next of its name. */
static unsigned long key_line(const struct plan_source *source, const char *key, unsigned long line)
{
    unsigned long found = 0;
    yaml_parser_t parser;
    yaml_document_t document;
    if (!yaml_parser_initialize(&parser))
        return line;
    yaml_parser_set_input_string(&parser, (const unsigned char *)source->text, source->bytes);
    if (yaml_parser_load(&parser, &document)) {
        for (yaml_node_t *node = document.nodes.start; node < document.nodes.top; node++) {
            unsigned long at = node->start_mark.line + 1;
            if (node->type == YAML_SCALAR_NODE && !strcmp((const char *)node->data.scalar.value, key) && at >= line && (!found || at < found))
                found = at;
        }
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    return found ? found : line;
}

static enum weft_status say_shape(const struct log *log, cyaml_err_t error, const struct plan_source *source)
{
    unsigned long line = log->line ? log->line : 1;
    if (error == CYAML_ERR_OOM)
        return WEFT_NO_MEMORY;
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++) {
        size_t length = strlen(phrases[i].theirs);
        if (strncmp(log->what, phrases[i].theirs, length))
            continue;
        const char *key = log->what + length, *near = i == 0 ? nearest_key(key) : NULL;
        line = i == 1 ? line : key_line(source, key, line + (i == 2));
        return weft_error(source->diag, "%s:%lu: %s%s%s%s%s", source->path, line, phrases[i].ours, key, near ? "; did you mean " : "", near ? near : "",
                          near ? "?" : "");
    }
    return weft_error(source->diag, "%s:%lu: %s", source->path, line, *log->what ? log->what : cyaml_strerror(error));
}

enum weft_status plan_file_load(struct plan_file **out, const struct plan_source *source)
{
    struct log log = {0};
    cyaml_config_t config = make_config(&log);
    *out = NULL;
    cyaml_err_t error = cyaml_load_data((const uint8_t *)source->text, source->bytes, &config, &plan_value, (cyaml_data_t **)out, NULL);
    if (error != CYAML_OK)
        return say_shape(&log, error, source);
    if (!*out)
        return weft_error(source->diag, "%s:1: the file is empty; a plan begins with name: NAME", source->path);
    return WEFT_OK;
}

void plan_file_free(struct plan_file *file)
{
    struct log log = {0};
    cyaml_config_t config = make_config(&log);
    cyaml_free(&config, &plan_value, file, 0);
}

/* --- where a node lies ---------------------------------------------------------------------------------------------------------- */

static yaml_node_t *member(yaml_document_t *document, yaml_node_t *node, const char *key, size_t length)
{
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
        yaml_node_t *name = yaml_document_get_node(document, p->key);
        if (name && name->type == YAML_SCALAR_NODE && name->data.scalar.length == length && !memcmp(name->data.scalar.value, key, length))
            return yaml_document_get_node(document, p->value);
    }
    return NULL;
}

static yaml_node_t *item(yaml_document_t *document, yaml_node_t *node, const char *key)
{
    size_t index = strtoul(key, NULL, 10), count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    return index < count ? yaml_document_get_node(document, node->data.sequence.items.start[index]) : NULL;
}

/* Line of "axes.1.values.0", or of the deepest node on the way that there is. */
static unsigned long line_of(const struct plan_source *source, const char *at)
{
    unsigned long line = 1;
    yaml_parser_t parser;
    yaml_document_t document;
    if (!yaml_parser_initialize(&parser))
        return line;
    yaml_parser_set_input_string(&parser, (const unsigned char *)source->text, source->bytes);
    if (yaml_parser_load(&parser, &document)) {
        yaml_node_t *node = yaml_document_get_root_node(&document);
        while (node) {
            line = node->start_mark.line + 1;
            size_t length = strcspn(at, ".");
            node = node->type == YAML_MAPPING_NODE ? member(&document, node, at, length) : node->type == YAML_SEQUENCE_NODE ? item(&document, node, at) : NULL;
            at += length + (at[length] == '.');
        }
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    return line;
}

enum weft_status plan_say(const struct plan_source *source, const char *at, const char *format, ...)
{
    char text[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return weft_error(source->diag, "%s:%lu: %s", source->path, line_of(source, at), text);
}
