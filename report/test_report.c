/* Proves figures, text and JSON on a run filled in by hand, and that docs/ defines what is reported. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "weft_report.h"

/* A machine of 16 x 16 cells at 1 GHz with 8 GB/s: 0.512 TOPS, ridge 256 x 1e9 / 8e9 = 32 MAC a byte. Two layers over 1000 cycles: the
 * first does 51200 products in 400 active cycles (half of 400 x 256 cells), the second, 25600 in 100. */
static struct weft_layer layers[2] = {
    {.name = "conv1", .op = "Conv", .shape = "3x8x8 -> 16x8x8", .macs = 51200, .roofline_cycles = 200, .mapping_cycles = 400},
    {.name = "fc", .op = "Gemm", .shape = "16 -> 10", .wait = "its weights", .macs = 25600, .roofline_cycles = 100, .mapping_cycles = 100},
};
static struct weft_counters counters[2] = {
    {.cycles = 600,
     .class_active = 400,
     .class_weight_stall = 50,
     .class_raw = 100,
     .class_other = 50,
     .bytes_weights = 512,
     .peak_ub = 4096,
     .busy_matrix = 400},
    {.cycles = 400,
     .class_active = 100,
     .class_weight_stall = 250,
     .class_input = 50,
     .bytes_weights = 2048,
     .peak_ub = 512,
     .busy_matrix = 100},
};
static const struct weft_counters whole = {.cycles = 1000,
                                           .class_active = 500,
                                           .class_weight_stall = 300,
                                           .class_raw = 100,
                                           .class_input = 50,
                                           .class_other = 50,
                                           .bytes_weights = 2560,
                                           .peak_ub = 4096,
                                           .busy_matrix = 500};

static struct weft_program program_of(size_t layer_count)
{
    return (struct weft_program){
        .machine =
            {.name = "small", .rows = 16, .columns = 16, .arrays = 1, .clock_hz = 1000000000, .dram_bytes_per_second = 8000000000, .ub_bytes = 65536},
        .layers = layers,
        .layer_count = layer_count,
        .batch = 2,
        .format = "int8",
        .network = "net.onnx",
        .roofline_cycles = 300,
        .mapping_cycles = 500,
        .instructions = 100,
    };
}

static struct weft_report_input input_of(const struct weft_program *program)
{
    return (struct weft_report_input){.program = program, .name = "net.tpu", .inputs = "random, seed 0", .run = &whole, .layers = counters};
}

static void figures_follow_their_equations(void **state)
{
    (void)state;
    struct weft_program program = program_of(2);
    struct weft_figures f;
    weft_figures_compute(&f, &whole, &program.machine, 76800, 300, 500);
    assert_true(fabs(f.seconds - 1e-6) < 1e-18);
    assert_true(fabs(f.tops - 0.1536) < 1e-9); /* 2 x 76800 / 1 us */
    assert_true(fabs(f.peak_tops - 0.512) < 1e-9);
    assert_true(fabs(f.share_of_peak - 0.3) < 1e-9);
    assert_true(fabs(f.useful_cells - 0.6) < 1e-9); /* 76800 / (500 x 256) */
    assert_true(fabs(f.arithmetic_intensity - 30) < 1e-9);
    assert_true(fabs(f.ridge_point - 32) < 1e-9);
    assert_true(fabs(f.roofline_ratio - 1000.0 / 300) < 1e-9);
    assert_true(fabs(f.mapping_ratio - 2) < 1e-9);
}

static void what_has_no_value_is_not_a_number(void **state)
{
    (void)state;
    struct weft_program program = program_of(0);
    struct weft_figures f;
    weft_figures_compute(&f, &(struct weft_counters){0}, &program.machine, 0, 0, 0);
    assert_true(isnan(f.tops) && isnan(f.useful_cells) && isnan(f.arithmetic_intensity) && isnan(f.roofline_ratio) &&
                isnan(f.mapping_ratio));
}

static void accuracy_is_a_ratio_of_powers(void **state)
{
    (void)state;
    struct weft_accuracy a;
    const float exact[4] = {3, -4, 0, 0}, got[4] = {3, -4.5f, 0, 0}, wild[4] = {NAN, 0, 0, 0};
    weft_accuracy_measure(&a, exact, got, 4); /* 25 / 0.25 = 100: 20 dB */
    assert_true(fabs(a.sqnr_db - 20) < 1e-9 && a.max_error == 0.5 && a.elements == 4);
    weft_accuracy_measure(&a, exact, exact, 4);
    assert_true(isinf(a.sqnr_db) && a.sqnr_db > 0 && a.max_error == 0);
    weft_accuracy_measure(&a, exact, wild, 4);
    assert_true(isnan(a.sqnr_db));
    const float masked[3] = {3, -4, -INFINITY}, same[3] = {3, -4.5f, -INFINITY}, lost[3] = {3, -4, INFINITY};
    weft_accuracy_measure(&a, masked, same, 3); /* equal infinities are no error and no signal */
    assert_true(fabs(a.sqnr_db - 20) < 1e-9 && a.max_error == 0.5);
    weft_accuracy_measure(&a, masked, lost, 3);
    assert_true(isnan(a.sqnr_db));
}

/* --- text ----------------------------------------------------------------------------------------------------------- */

static char *text_of(const struct weft_report_input *input)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    weft_report_text(out, input);
    fclose(out);
    return text;
}

static void assert_says(const char *text, const char *words)
{
    if (!strstr(text, words))
        fail_msg("the report does not say '%s':\n%s", words, text);
}

static void text_says_where_cycles_went(void **state)
{
    (void)state;
    struct weft_program program = program_of(2);
    struct weft_report_input input = input_of(&program);
    struct weft_baseline baseline = {"old.json", 1e6};
    input.baseline = &baseline;
    char *text = text_of(&input);
    assert_says(text, "net.tpu on small (16 x 16 cells at 1000 MHz), int8, batch 2, fast engine");
    assert_says(text, "1,000 cycles");
    assert_says(text, "2000000.0 inferences/s, 0.1536 TOPS");
    assert_says(text, "30.0 % of 0.512 TOPS");
    assert_says(text, "the run takes 2.00 times as many");
    assert_says(text, "weight stall                           300   30.0%");
    assert_says(text, "60.0% of its cells do useful work");
    assert_says(text, "100% over the mapping bound. It waits for\n    weights from DRAM                          300 cycles");
    assert_says(text, "in fc                                     300 cycles");
    assert_says(text, "weights from DRAM (planned: its weights)");
    assert_says(text, "DRAM is the roof");
    assert_says(text, "2.00 times the inferences/s of old.json");
    free(text);
}

static void text_tells_energy_only_of_a_technology(void **state)
{
    (void)state;
    struct weft_program program = program_of(2);
    program.machine.fifo_tiles = 1;
    struct weft_report_input input = input_of(&program);
    char *text = text_of(&input);
    assert_null(strstr(text, "energy and area"));
    free(text);
    struct weft_technology technology = {.name = "dram-only",
                                         .dram_access_pj = 1000,
                                         .sram_8k_pj = 1,
                                         .sram_32k_pj = 1,
                                         .sram_1m_pj = 1,
                                         .sram_cell_share = 1,
                                         .dram_mm2_per_gbs = 1};
    input.technology = &technology;
    text = text_of(&input);
    assert_says(text, "energy and area                  dram-only"); /* 2560 bytes are 320 accesses, in 1 us */
    assert_says(text, "DRAM                                320 nJ  100.0%        8.00  100.0%");
    assert_says(text, "160 nJ an inference, 0.32 W (0 W without DRAM), 0.48 TOPS/W"); /* 2 x 76800 / 320 nJ */
    free(text);
}

static void what_if_changes_one_thing(void **state)
{
    (void)state;
    struct weft_machine machine, m;
    assert_int_equal(weft_machine_load(&machine, "tpu-v1", NULL), WEFT_OK);
    static const char *const doubled[WEFT_WHAT_IFS][3] = {
        {"dram.bytes_per_second"},
        {"clock.hz", "dram.latency", "link.latency"},
        {"array.rows", "array.columns"},
        {"accumulators.rows"},
        {"link.in_bytes_per_second", "link.out_bytes_per_second"},
        {"unified_buffer.bytes"},
    };
    size_t count;
    const struct weft_machine_field *fields = weft_machine_fields(&count);
    for (int change = 0; change < WEFT_WHAT_IFS; change++) {
        assert_int_equal(weft_what_if_machine(&m, &machine, (enum weft_what_if_change)change, NULL), WEFT_OK);
        for (size_t i = 0; i < count; i++) {
            uint64_t times = 1;
            for (int d = 0; d < 3 && doubled[change][d]; d++)
                times = strcmp(doubled[change][d], fields[i].name) ? times : 2;
            assert_int_equal(*(uint64_t *)((char *)&m + fields[i].offset), times * *(uint64_t *)((char *)&machine + fields[i].offset));
        }
    }
    machine.acc_rows = 65536; /* as many as there may be */
    assert_int_equal(weft_what_if_machine(&m, &machine, WEFT_WHAT_IF_ACCUMULATORS, NULL), WEFT_ERROR);
}

static void what_if_is_sorted(void **state)
{
    (void)state;
    struct weft_program program = program_of(2);
    struct weft_report_input input = input_of(&program);
    struct weft_what_if rows[WEFT_WHAT_IFS];
    const double speedups[WEFT_WHAT_IFS] = {1.5, NAN, 1, 3.25, 1, 0.9};
    for (int i = 0; i < WEFT_WHAT_IFS; i++)
        rows[i] =
            (struct weft_what_if){.change = (enum weft_what_if_change)i, .cycles = 1000, .speedup = speedups[i], .reason = "too fast"};
    weft_what_if_sort(rows);
    static const int order[WEFT_WHAT_IFS] = {3, 0, 2, 4, 5, 1};
    for (int i = 0; i < WEFT_WHAT_IFS; i++)
        assert_int_equal(rows[i].change, order[i]);
    input.what_if = rows;
    char *text = text_of(&input);
    assert_says(text, "accumulator rows                     1,000     3.250");
    assert_says(text, "clock                                    -  too fast");
    free(text);
}

static void text_names_where_the_network_departs(void **state)
{
    (void)state;
    struct weft_program program = program_of(2);
    struct weft_report_input input = input_of(&program);
    const struct weft_accuracy values[4] = {{"a", 0, 10, 30.5, 0.1}, {"b", 1, 10, 19.9, 0.2}, {"c", 1, 10, INFINITY, 0}, {"d", 1, 10, NAN, NAN}};
    input.accuracy = values;
    input.accuracy_count = 4;
    char *text = text_of(&input);
    assert_says(text, "30.5 dB");
    assert_says(text, "equal");
    assert_says(text, "first below 20 dB: b");
    assert_says(text, "  not finite");
    assert_null(strstr(text, "nan"));
    free(text);
}

static void reference_engine_has_no_times(void **state)
{
    (void)state;
    struct weft_program program = program_of(0);
    struct weft_report_input input = input_of(&program);
    input.run = &(struct weft_counters){0};
    input.engine = WEFT_ENGINE_REFERENCE;
    char *text = text_of(&input);
    assert_says(text, "keeps no time");
    free(text);
}

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
    static const struct weft_baseline baseline = {"old.json", 1e6};
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
    assert_true(fabs(json_real_value(json_object_get(full, "inferences_per_second")) - 2e6) < 1e-3);
    assert_true(fabs(json_real_value(json_object_get(json_object_get(full, "baseline"), "speedup")) - 2) < 1e-9);
    assert_string_equal(json_string_value(json_object_get(json_object_get(full, "accuracy"), "departs")), "b");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(full, "machine_fields"), "array.rows")), 16);
    assert_true(fabs(json_real_value(json_object_get(fc, "useful_cells")) - 1) < 1e-9); /* 25600 / (100 x 256) */
    assert_true(fabs(json_real_value(json_object_get(fc, "share")) - 0.4) < 1e-9);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(fc, "classes"), "weight_stall")), 250);
    json_decref(full);
}

static void html_holds_names_as_text(void **state)
{
    (void)state;
    struct weft_program program = program_of(2);
    struct weft_report_input input = input_of(&program);
    layers[1].name = "</script><b>bold";
    input.name = "<i>&";
    char *page;
    assert_int_equal(weft_report_html(&page, &input), WEFT_OK);
    layers[1].name = "fc";
    assert_says(page, "\\u003c/script>\\u003cb>bold");
    assert_says(page, "<title>&lt;i&gt;&amp; on small</title>");
    assert_null(strstr(page, "</script><b>"));
    assert_says(page, "Chart.js v");
    assert_null(strstr(page, "@script@"));
    free(page);
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
        cmocka_unit_test(figures_follow_their_equations),
        cmocka_unit_test(what_has_no_value_is_not_a_number),
        cmocka_unit_test(accuracy_is_a_ratio_of_powers),
        cmocka_unit_test(text_says_where_cycles_went),
        cmocka_unit_test(text_tells_energy_only_of_a_technology),
        cmocka_unit_test(what_if_changes_one_thing),
        cmocka_unit_test(what_if_is_sorted),
        cmocka_unit_test(text_names_where_the_network_departs),
        cmocka_unit_test(reference_engine_has_no_times),
        cmocka_unit_test(json_obeys_its_schema),
        cmocka_unit_test(json_holds_the_figures),
        cmocka_unit_test(html_holds_names_as_text),
        cmocka_unit_test(every_counter_is_defined),
        cmocka_unit_test(every_key_is_defined),
    };
    return cmocka_run_group_tests(tests, read_documents, free_documents);
}
