/* Proves the JSON report on a run filled in by hand: it obeys its schema, and docs/ defines each of its keys and counters. */
#include <jansson.h>

#include "test_report.h"

/* --- JSON ------------------------------------------------------------------------------------------------------------ */

static json_t *load(const char *path)
{
    json_error_t error;
    json_t *object = json_load_file(path, 0, &error);
    if (!object)
        fail_msg("%s:%d: %s", path, error.line, error.text);
    return object;
}

static bool is_type(const json_t *value, const char *type)
{
    return (!strcmp(type, "object") && json_is_object(value)) || (!strcmp(type, "array") && json_is_array(value)) ||
           (!strcmp(type, "string") && json_is_string(value)) || (!strcmp(type, "integer") && json_is_integer(value)) ||
           (!strcmp(type, "number") && json_is_number(value)) || (!strcmp(type, "boolean") && json_is_boolean(value)) ||
           (!strcmp(type, "null") && json_is_null(value));
}

static bool type_fits(const json_t *value, const json_t *type)
{
    if (!type || json_is_string(type))
        return !type || is_type(value, json_string_value(type));
    for (size_t i = 0; i < json_array_size(type); i++)
        if (is_type(value, json_string_value(json_array_get(type, i))))
            return true;
    return false;
}

/* As much of JSON Schema as report.schema.json uses. */
static bool valid(json_t *value, json_t *schema, json_t *root);

static bool object_valid(json_t *value, json_t *schema, json_t *root)
{
    json_t *properties = json_object_get(schema, "properties"), *extra = json_object_get(schema, "additionalProperties"), *item;
    const char *key;
    size_t i;
    json_array_foreach(json_object_get(schema, "required"), i,
                       item) if (!json_object_get(value, json_string_value(item))) return print_error("%s is missing\n",
                                                                                                      json_string_value(item)),
        false;
    json_object_foreach(value, key, item)
    {
        json_t *one = json_object_get(properties, key);
        if (!one && json_is_false(extra))
            return print_error("%s is not in the schema\n", key), false;
        one = one ? one : extra;
        if (one && !valid(item, one, root))
            return print_error("  in %s\n", key), false;
    }
    return true;
}

static bool valid(json_t *value, json_t *schema, json_t *root)
{
    const char *reference = json_string_value(json_object_get(schema, "$ref"));
    size_t i;
    json_t *item;
    if (reference)
        return valid(value, json_object_get(json_object_get(root, "$defs"), reference + strlen("#/$defs/")), root);
    if (json_object_get(schema, "anyOf")) {
        json_array_foreach(json_object_get(schema, "anyOf"), i, item) if (valid(value, item, root)) return true;
        return false;
    }
    if (json_object_get(schema, "enum")) {
        json_array_foreach(json_object_get(schema, "enum"), i, item) if (json_equal(value, item)) return true;
        return false;
    }
    if (!type_fits(value, json_object_get(schema, "type")))
        return print_error("a value of another type\n"), false;
    if (json_is_array(value))
        json_array_foreach(value, i, item) if (!valid(item, json_object_get(schema, "items"), root)) return false;
    return !json_is_object(value) || object_valid(value, schema, root);
}

static json_t *json_of(const struct weft_report_input *input)
{
    char *text;
    json_error_t error;
    assert_int_equal(weft_report_json(&text, input), WEFT_OK);
    json_t *object = json_loads(text, 0, &error);
    assert_non_null(object);
    free(text);
    return object;
}

static json_t *full_report(void)
{
    static struct weft_program program;
    program = program_of(2);
    layers[0].name = "conv\xff";
    struct weft_report_input input = input_of(&program);
    static const struct weft_accuracy values[3] = {{"a", 0, 10, 30.5, 0.1}, {"b", 1, 10, -INFINITY, 0.2}, {"c", 1, 10, INFINITY, 0}};
    static const struct weft_baseline baseline = {"old.json", 1e6, "net.onnx", "int8", 1};
    input.accuracy = values;
    input.accuracy_count = 3;
    input.baseline = &baseline;
    static struct weft_technology technology; /* as it says of itself */
    assert_int_equal(weft_technology_load(&technology, "28nm", NULL), WEFT_OK);
    input.technology = &technology;
    static struct weft_what_if what_if[WEFT_WHAT_IFS];
    for (int i = 0; i < WEFT_WHAT_IFS; i++)
        what_if[i] = (struct weft_what_if){.change = (enum weft_what_if_change)i, .cycles = 500, .seconds = 5e-7, .speedup = 2};
    what_if[1].seconds = what_if[1].speedup = NAN;
    strcpy(what_if[1].reason, "it would not fit");
    input.what_if = what_if;
    json_t *object = json_of(&input);
    layers[0].name = "conv1";
    return object;
}

static void json_obeys_its_schema(void **state)
{
    (void)state;
    json_t *schema = load(WEFT_DOCS "/report.schema.json"), *full = full_report();
    assert_true(valid(full, schema, schema));
    struct weft_program bare = {.machine = {.name = "small", .rows = 1, .columns = 1, .arrays = 1, .clock_hz = 1}};
    struct weft_report_input input = {.program = &bare, .name = "x", .run = &(struct weft_counters){0}, .engine = WEFT_ENGINE_REFERENCE};
    json_t *least = json_of(&input);
    assert_true(valid(least, schema, schema));
    json_object_del(full, "cycles");
    assert_false(valid(full, schema, schema)); /* the check checks */
    json_decref(least);
    json_decref(full);
    json_decref(schema);
}

static void json_holds_the_figures(void **state)
{
    (void)state;
    json_t *full = full_report(), *fc = json_array_get(json_object_get(full, "layers"), 1), *classes = json_object_get(full, "classes"),
           *item;
    json_int_t sum = 0;
    const char *key;
    json_object_foreach(classes, key, item) sum += json_integer_value(item);
    assert_int_equal(sum, 1000);
    assert_int_equal(json_integer_value(json_object_get(full, "macs")), 76800);
    assert_string_equal(json_string_value(json_object_get(full, "roofline_bound")), "products"); /* 76800 / 256 = 300 */
    assert_true(fabs(json_real_value(json_object_get(full, "inferences_per_second")) - 2e6) < 1e-3);
    assert_true(fabs(json_real_value(json_object_get(json_object_get(full, "baseline"), "speedup")) - 2) < 1e-9);
    assert_string_equal(json_string_value(json_object_get(json_object_get(full, "baseline"), "unlike")), "batch 1, here 2");
    assert_string_equal(json_string_value(json_object_get(json_object_get(full, "accuracy"), "departs")), "b");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(full, "machine_fields"), "array.rows")), 16);
    assert_true(fabs(json_real_value(json_object_get(fc, "useful_cells")) - 1) < 1e-9); /* 25600 / (100 x 256) */
    assert_true(fabs(json_real_value(json_object_get(fc, "share")) - 0.4) < 1e-9);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(fc, "classes"), "weight_stall")), 250);
    json_decref(full);
}

/* --- the documents --------------------------------------------------------------------------------------------------- */

static char *documents;

static char *slurp(const char *path)
{
    char *text;
    size_t bytes;
    assert_int_equal(weft_file_read(&text, &bytes, path, 1 << 20, NULL), WEFT_OK);
    text = realloc(text, bytes + 1);
    text[bytes] = 0;
    return text;
}

static int read_documents(void **state)
{
    (void)state;
    char *metrics = slurp(WEFT_DOCS "/metrics.md"), *schema = slurp(WEFT_DOCS "/report-schema.md"), *energy = slurp(WEFT_DOCS "/energy.md");
    int length = asprintf(&documents, "%s\n%s\n%s", metrics, schema, energy);
    free(metrics);
    free(energy);
    free(schema);
    return length < 0;
}

static int free_documents(void **state)
{
    (void)state;
    free(documents);
    return 0;
}

/* In a row of a table. */
static bool defined(const char *name)
{
    char quoted[128];
    snprintf(quoted, sizeof quoted, "`%s`", name);
    for (const char *at = documents; (at = strstr(at, quoted)); at++) {
        const char *line = at;
        while (line > documents && line[-1] != '\n')
            line--;
        if (*line == '|')
            return true;
    }
    /* the keys of `bytes`, `busy`, `occupancy` and `peaks` are also listed in one sentence */
    const char *sentence = strstr(documents, "In JSON the counters stand in groups");
    const char *found = sentence ? strstr(sentence, quoted) : NULL;
    return found && found < strstr(sentence, "\n\n");
}

static void every_counter_is_defined(void **state)
{
    (void)state;
    static const char *const rows[] = {
#define WEFT_COUNTER(name, KIND, unit, meaning) "| `" #name "` |",
#include "counters.def"
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strstr(documents, rows[i]))
            fail_msg("docs/metrics.md has no row %s", rows[i]);
}

static void keys_defined(json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;
    json_array_foreach(value, i, item) keys_defined(item);
    json_object_foreach(value, key, item)
    {
        if (!defined(key))
            fail_msg("`%s` of the report is defined neither in docs/metrics.md nor in docs/report-schema.md", key);
        if (strcmp(key, "machine_fields")) /* docs/machine.md and `weft machines NAME` have those */
            keys_defined(item);
    }
}

static void every_key_is_defined(void **state)
{
    (void)state;
    json_t *full = full_report();
    keys_defined(full);
    json_decref(full);
    assert_false(defined("no_such_figure"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_obeys_its_schema), cmocka_unit_test(json_holds_the_figures), cmocka_unit_test(every_counter_is_defined),
        cmocka_unit_test(every_key_is_defined),
    };
    return cmocka_run_group_tests(tests, read_documents, free_documents);
}
