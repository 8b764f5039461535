/* Proves figures, text, what-ifs and HTML on a run filled in by hand. */
#include "test_report.h"

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
    assert_true(isnan(a.sqnr_db) && isnan(a.max_error)); /* the numbers behind the NaN do not hide it */
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

static void text_says_where_cycles_went(void **state)
{
    (void)state;
    struct weft_program program = program_of(2);
    struct weft_report_input input = input_of(&program);
    struct weft_baseline baseline = {"old.json", 1e6, "other", "int8", 2};
    input.baseline = &baseline;
    program.roofline_cycles = 320; /* 2560 bytes of weights at 8 a cycle */
    char *text = text_of(&input);
    assert_says(text, "net.tpu on small (16 x 16 cells at 1000 MHz), int8, batch 2, fast engine");
    assert_says(text, "2.00 times the inferences/s of old.json\n");
    assert_says(text, "of other work: network other, here net.onnx\n");
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

/* 4096 results of a byte over a link of 8 GB/s take 512 cycles of 1 GHz: more than the products (76800 / 256 = 300) and the weights (2560 / 8 = 320). */
static void text_names_the_link(void **state)
{
    (void)state;
    struct weft_program program = program_of(2);
    struct weft_tensor result = {.name = "y", .format = WEFT_FORMAT_s8, .rank = 1, .dims = {4096}};
    struct weft_counters leaving = whole, late[2] = {counters[0], counters[1]};
    struct weft_report_input input = input_of(&program);
    program.machine.link_in_bytes_per_second = program.machine.link_out_bytes_per_second = 8000000000;
    program.outputs = &result;
    program.output_count = 1;
    program.roofline_cycles = 512;
    late[1] = (struct weft_counters){.cycles = 400, .class_active = 100, .class_other = 300, .bytes_weights = 2048, .busy_matrix = 100, .busy_host_out = 280};
    leaving.class_other = 350, leaving.class_weight_stall = 50, leaving.class_input = 0, leaving.busy_host_out = 280;
    input.run = &leaving;
    input.layers = late;
    char *text = text_of(&input);
    assert_says(text, "512 cycles    the run takes 1.95 times as many (set by results to the host)");
    assert_says(text, "DRAM is the lower of these two roofs"); /* and the link is below both */
    assert_says(text, "results to the host (planned: its weights)");
    assert_says(text, "It waits for\n    results to the host ");
    free(text);
    late[1].busy_host_out = leaving.busy_host_out = 100; /* the link is at work for a third of the time: something else is waited for */
    program.roofline_cycles = 300;
    text = text_of(&input);
    assert_says(text, "(set by products)");
    assert_says(text, "work outside the array (planned: its weights)");
    free(text);
    program.roofline_cycles = 320;
    text = text_of(&input);
    assert_null(strstr(text, "set by")); /* products took as long: either may have set it */
    free(text);
    late[1].busy_matrix = leaving.busy_matrix = 310;
    text = text_of(&input);
    assert_says(text, "(set by weights from DRAM)");
    free(text);
}

/* Of twelve layers nine take cycles: the others became part of them. */
static void text_counts_the_layers_that_it_lists(void **state)
{
    (void)state;
    struct weft_layer many[12];
    struct weft_counters taken[12] = {{0}};
    struct weft_program program = program_of(12);
    struct weft_report_input input = input_of(&program);
    for (int i = 0; i < 12; i++) {
        many[i] = layers[0];
        taken[i].cycles = taken[i].class_active = i < 9 ? 100 : 0;
    }
    program.layers = many;
    input.layers = taken;
    char *text = text_of(&input);
    assert_says(text, "\n  9 costliest layers      operator");
    free(text);
}

/* A layer of the vector unit has no cycles: the product behind it pays, and the report says for what. */
static void text_names_the_layer_that_is_waited_for(void **state)
{
    (void)state;
    struct weft_program program = program_of(2);
    struct weft_counters after[2] = {{.cycles = 0, .busy_vector = 280},
                                     {.cycles = 1000, .class_active = 100, .class_other = 500, .class_raw = 400, .busy_matrix = 100}};
    struct weft_report_input input = input_of(&program);
    input.layers = after;
    char *text = text_of(&input);
    assert_says(text, "the vector unit, at conv1 (planned: its weights)");
    assert_says(text, "in fc                                     900 cycles, for the vector unit at conv1\n");
    free(text);
    after[0].busy_vector = 240; /* less than half of the 500 */
    text = text_of(&input);
    assert_says(text, "work outside the array (planned: its weights)");
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

/* --- HTML ------------------------------------------------------------------------------------------------------------- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_follow_their_equations),
        cmocka_unit_test(what_has_no_value_is_not_a_number),
        cmocka_unit_test(accuracy_is_a_ratio_of_powers),
        cmocka_unit_test(text_says_where_cycles_went), cmocka_unit_test(text_names_the_link),
        cmocka_unit_test(text_counts_the_layers_that_it_lists),
        cmocka_unit_test(text_names_the_layer_that_is_waited_for),
        cmocka_unit_test(text_tells_energy_only_of_a_technology),
        cmocka_unit_test(what_if_changes_one_thing),
        cmocka_unit_test(what_if_is_sorted),
        cmocka_unit_test(text_names_where_the_network_departs),
        cmocka_unit_test(reference_engine_has_no_times),
        cmocka_unit_test(html_holds_names_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
