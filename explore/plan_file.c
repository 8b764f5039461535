/* plan_file.c: the schema of a plan's file. */
#include "plan_file.h"

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

enum weft_status plan_file_load(struct plan_file **out, const struct weft_yaml *yaml)
{
    void *data;
    enum weft_status status = weft_yaml_load(&data, yaml, &plan_value);
    *out = data;
    return status;
}

void plan_file_free(struct plan_file *file)
{
    weft_yaml_free(file, &plan_value);
}
