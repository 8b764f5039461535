/* Proves energy and area: against a program and a table worked out by hand, and that each key of a technology file does something. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "weft_report.h"

static void near(double got, double expected)
{
    if (!(fabs(got - expected) <= 1e-9 * fabs(expected)))
        fail_msg("%.12g instead of %.12g", got, expected);
}

/* 4 x 4 cells at 1 GHz; a buffer of 32 KiB, 512 rows of accumulators (2 KiB under each column), a FIFO of 512 tiles of 16 bytes, 8 KiB. */
static const struct weft_machine machine = {
    .name = "hand",
    .formats = WEFT_USES_U8 | WEFT_USES_S8,
    .rows = 4,
    .columns = 4,
    .arrays = 1,
    .clock_hz = 1000000000,
    .ub_bytes = 32 * 1024,
    .acc_rows = 512,
    .fifo_tiles = 512,
    .vector_lanes = 4, .vector_rows = 1,
    .dram_burst_bytes = 8,
    .dram_bytes_per_second = 8000000000,
    .link_in_bytes_per_second = 4000000000,
    .link_out_bytes_per_second = 2000000000,
};

/* Memories of 8 KiB, 32 KiB and 1 MiB at 8, 16 and 64 pJ: a half power of the size up to 32 KiB, so 2 KiB take 4 pJ. */
static const struct weft_technology table = {
    .name = "round",
    .int8_multiply_pj = 0.5,
    .int8_multiply_um2 = 300,
    .int32_add_pj = 0.25,
    .int32_add_um2 = 100,
    .bf16_multiply_pj = 1,
    .bf16_multiply_um2 = 1000,
    .fp32_multiply_pj = 4,
    .fp32_multiply_um2 = 6000,
    .fp32_add_pj = 1,
    .fp32_add_um2 = 4000,
    .flip_flop_pj_per_bit = 0.01,
    .flip_flop_um2_per_bit = 5,
    .sram_8k_pj = 8,
    .sram_32k_pj = 16,
    .sram_1m_pj = 64,
    .sram_um2_per_bit = 0.25,
    .sram_cell_share = 0.5,
    .dram_access_pj = 1000,
    .dram_mm2_per_gbs = 0.5,
    .link_pj_per_bit = 5,
    .link_mm2_per_gbs = 0.25,
    .die_other_share = 0.5,
    .die_idle_w_per_mm2 = 0.1,
};

enum { ROOM = 16 };
struct code {
    uint8_t text[ROOM * WEFT_WORD_BYTES];
    struct weft_layer layers[2];
    struct weft_program program;
};

static void emit(struct code *code, struct weft_instr instr)
{
    assert_true(weft_encode(code->text + code->program.instructions++ * WEFT_WORD_BYTES, &instr));
}

static void set(struct code *code, const char *name, uint32_t value0, uint32_t value1)
{
    emit(code, (struct weft_instr){.op = WEFT_OP_SET, .reg = weft_register_find(name)->number, .value0 = value0, .value1 = value1});
}

static void begin(struct code *code)
{
    *code = (struct code){.program = {.machine = machine, .layer_count = 2}};
    code->program.text = code->text;
    code->program.layers = code->layers;
}

/* The tile of docs/metrics.md in layer 0: four rows through 4 x 4 weights. In layer 1 the same tile again, adding up, at 16 by 8 bits, and
 * a pool of four windows. */
static void make_program(struct code *code)
{
    begin(code);
    emit(code, (struct weft_instr){.op = WEFT_OP_TAG, .layer = 0});
    emit(code, (struct weft_instr){.op = WEFT_OP_READ_WEIGHTS, .k = 4, .n = 4, .fmt = WEFT_FORMAT_s8});
    emit(code, (struct weft_instr){.op = WEFT_OP_MATMUL, .stride = 4, .rows = 4, .fmt = WEFT_FORMAT_u8, .next = 1});
    emit(code, (struct weft_instr){.op = WEFT_OP_ACTIVATE, .rows = 4, .lanes = 4, .fmt = WEFT_FORMAT_s8});
    emit(code, (struct weft_instr){.op = WEFT_OP_TAG, .layer = 1});
    emit(code, (struct weft_instr){.op = WEFT_OP_MATMUL, .stride = 4, .rows = 2, .fmt = WEFT_FORMAT_s16, .accumulate = 1});
    set(code, "v.win0", 2, 1);
    set(code, "v.win1", 2, 1);
    emit(code, (struct weft_instr){.op = WEFT_OP_POOL, .d = 1, .a = 2, .rows = 3, .lanes = 5});
    emit(code, (struct weft_instr){.op = WEFT_OP_HALT});
}

static void work_is_what_the_instructions_do(void **state)
{
    (void)state;
    struct code code;
    struct weft_work run, layer[2];
    make_program(&code);
    assert_int_equal(weft_work_count(&run, layer, &code.program), WEFT_OK);
    assert_int_equal(layer[0].integer_products, 64);       /* 4 rows x 4 x 4 */
    assert_int_equal(layer[0].flip_flop_bits, 512 + 2560); /* shift: 4 cycles x 16 cells x 8 bits; products: 64 x (8 + 32) bits */
    assert_int_equal(layer[0].accumulator_bytes, 128);     /* 16 sums written, then read, at 4 bytes */
    assert_int_equal(layer[0].fifo_bytes, 32);             /* 16 in, 16 out */
    assert_int_equal(layer[0].vector_elements, 16);
    assert_int_equal(layer[1].integer_products, 64); /* 2 rows x 16 cells x 2 passes */
    assert_int_equal(layer[1].flip_flop_bits, 2560);
    assert_int_equal(layer[1].accumulator_bytes, 64); /* 8 sums read and written */
    assert_int_equal(layer[1].fifo_bytes, 0);
    assert_int_equal(layer[1].vector_elements, 60); /* 3 rows x 5 lanes x 4 windows */
    assert_int_equal(run.integer_products, 128);
    assert_int_equal(run.flip_flop_bits, 512 + 2 * 2560);
    assert_int_equal(run.vector_elements, 76);
}

static void floats_are_counted_apart(void **state)
{
    (void)state;
    struct code code;
    struct weft_work run;
    begin(&code);
    emit(&code, (struct weft_instr){.op = WEFT_OP_PUSH_WEIGHTS, .k = 3, .n = 2, .fmt = WEFT_FORMAT_bf16});
    emit(&code, (struct weft_instr){.op = WEFT_OP_CONVOLVE, .rows = 5, .fmt = WEFT_FORMAT_bf16, .next = 1});
    assert_int_equal(weft_work_count(&run, NULL, &code.program), WEFT_OK);
    assert_int_equal(run.float_products, 30);
    assert_int_equal(run.integer_products, 0);
    assert_int_equal(run.fifo_bytes, 24);                      /* 6 weights of 2 bytes, in and out */
    assert_int_equal(run.flip_flop_bits, 8 * 8 * 8 + 30 * 48); /* T5 = 8 cycles x 4 x 2 cells x 8 bits; 16 + 32 bits a product */
}

static void energy_of_a_small_program(void **state)
{
    (void)state;
    struct code code;
    struct weft_work run, layer[2];
    make_program(&code);
    assert_int_equal(weft_work_count(&run, layer, &code.program), WEFT_OK);
    /* the run of docs/metrics.md: 72 cycles */
    struct weft_counters c = {
        .cycles = 72, .bytes_link_in = 16, .bytes_link_out = 16, .bytes_weights = 16, .bytes_ub_read = 32, .bytes_ub_write = 32};
    struct weft_energy e;
    weft_energy_compute(&e, &c, &layer[0], &machine, &table, 64, 2);
    near(e.joules[WEFT_COMPONENT_ARRAY], (64 * 0.75 + 3072 * 0.01) * 1e-12);
    near(e.joules[WEFT_COMPONENT_BUFFER], 8 * 16e-12);       /* 64 bytes are 8 accesses of 16 pJ, at 32 KiB */
    near(e.joules[WEFT_COMPONENT_ACCUMULATORS], 16 * 4e-12); /* 128 bytes, at 2 KiB */
    near(e.joules[WEFT_COMPONENT_FIFO], 4 * 8e-12);          /* 32 bytes, at 8 KiB */
    near(e.joules[WEFT_COMPONENT_VECTOR], 16 * 5e-12);
    near(e.joules[WEFT_COMPONENT_DRAM], 2 * 1000e-12);
    near(e.joules[WEFT_COMPONENT_LINK], 32 * 8 * 5e-12);
    near(e.mm2[WEFT_COMPONENT_ARRAY], 16 * (400 + 56 * 5) * 1e-6); /* 8 + 32 + 2 x 8 bits of registers */
    near(e.mm2[WEFT_COMPONENT_BUFFER], 32768 * 8 * 0.5e-6);
    near(e.mm2[WEFT_COMPONENT_ACCUMULATORS], 512 * 4 * 32 * 0.5e-6);
    near(e.mm2[WEFT_COMPONENT_FIFO], 8192 * 8 * 0.5e-6);
    near(e.mm2[WEFT_COMPONENT_VECTOR], 4 * 10000e-6);
    near(e.mm2[WEFT_COMPONENT_DRAM], 4); /* 8 GB/s */
    near(e.mm2[WEFT_COMPONENT_LINK], 1); /* 4 GB/s, the faster direction */
    double parts = 0.01088 + 0.131072 + 0.032768 + 0.032768 + 0.04 + 4 + 1;
    near(e.total_mm2, 2 * parts);
    near(e.mm2[WEFT_COMPONENT_REST], parts);
    near(e.joules[WEFT_COMPONENT_REST], 0.1 * 2 * parts * 72e-9);
    double dynamic = (78.72 + 128 + 64 + 32 + 80 + 2000 + 1280) * 1e-12, all = dynamic + 0.1 * 2 * parts * 72e-9;
    near(e.total_joules, all);
    near(e.joules_per_inference, all / 2);
    near(e.watts, all / 72e-9);
    near(e.chip_watts, (all - 2e-9) / 72e-9);
    near(e.tops_per_watt, 128e-12 / all);
}

static void memories_scale_between_and_beyond_the_table(void **state)
{
    (void)state;
    struct weft_machine m = machine;
    struct weft_counters c = {.cycles = 1, .bytes_ub_read = 8};
    struct weft_work none = {0};
    struct weft_energy e;
    const struct {
        uint64_t bytes;
        double pj;
    } sizes[] = {{2048, 4}, {8192, 8}, {16384, 8 * sqrt(2)}, {32768, 16}, {1048576, 64}, {33554432, 256}}; /* x 32 is x 4 beyond 32 KiB */
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        m.ub_bytes = sizes[i].bytes;
        weft_energy_compute(&e, &c, &none, &m, &table, 0, 1);
        near(e.joules[WEFT_COMPONENT_BUFFER], sizes[i].pj * 1e-12);
    }
}

static void without_time_there_are_no_watts(void **state)
{
    (void)state;
    struct weft_energy e;
    weft_energy_compute(&e, &(struct weft_counters){0}, &(struct weft_work){0}, &machine, &table, 0, 1);
    assert_true(isnan(e.watts) && isnan(e.chip_watts) && isnan(e.tops_per_watt));
}

static bool same(const struct weft_energy *a, const struct weft_energy *b)
{
    for (int i = 0; i < WEFT_COMPONENTS; i++)
        if (a->joules[i] != b->joules[i] || a->mm2[i] != b->mm2[i])
            return false;
    return true;
}

static void every_key_has_an_effect(void **state)
{
    (void)state;
    struct weft_machine m = machine;
    m.formats |= WEFT_USES_BF16;
    m.ub_bytes = 24 << 20;
    const struct weft_counters c = {.cycles = 100, .bytes_ub_read = 64, .bytes_weights = 64, .bytes_link_in = 64};
    const struct weft_work work = {100, 100, 100, 100, 100, 100};
    struct weft_energy before, after;
    weft_energy_compute(&before, &c, &work, &m, &table, 100, 1);
    size_t count;
    const struct weft_technology_field *fields = weft_technology_fields(&count);
    for (size_t i = 0; i < count; i++) {
        struct weft_technology changed = table;
        *(double *)((char *)&changed + fields[i].offset) *= 0.75;
        weft_energy_compute(&after, &c, &work, &m, &changed, 100, 1);
        if (same(&before, &after))
            fail_msg("%s changes nothing", fields[i].name);
    }
}

/* --- files ------------------------------------------------------------------------------------------------------------------- */

static void the_files_that_there_are(void **state)
{
    (void)state;
    static const char *const names[] = {"45nm", "28nm", "16nm", "7nm"};
    struct weft_technology t;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(weft_technology_load(&t, names[i], NULL), WEFT_OK);
        assert_string_equal(t.name, names[i]);
    }
    bool found;
    assert_int_equal(weft_technology_find(&t, &found, "tpu-v1", NULL), WEFT_OK);
    assert_true(found);
    assert_string_equal(t.name, "28nm");
    assert_int_equal(weft_technology_find(&t, &found, "nobody", NULL), WEFT_OK);
    assert_false(found);
}

/* Horowitz's and Ten Lessons' tables, as printed there. */
static void published_values_are_as_published(void **state)
{
    (void)state;
    struct weft_technology old, new;
    assert_int_equal(weft_technology_load(&old, "45nm", NULL), WEFT_OK);
    assert_int_equal(weft_technology_load(&new, "7nm", NULL), WEFT_OK);
    const double pairs[][2] = {
        {old.int8_multiply_pj, 0.2}, {old.int32_add_pj, 0.1},      {old.fp32_multiply_pj, 3.7},  {old.fp32_add_pj, 0.9},
        {old.sram_8k_pj, 10},        {old.sram_32k_pj, 20},        {old.sram_1m_pj, 100},        {new.int8_multiply_pj, 0.07},
        {new.int32_add_pj, 0.03},    {new.bf16_multiply_pj, 0.21}, {new.fp32_multiply_pj, 1.31}, {new.fp32_add_pj, 0.38},
        {new.sram_8k_pj, 7.5},       {new.sram_32k_pj, 8.5},       {new.sram_1m_pj, 14},         {old.dram_access_pj, 1300}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        near(pairs[i][0], pairs[i][1]);
}

/* The rule at the head of 28nm.yaml and 16nm.yaml, to its four digits; what follows the bit cell in technology.def has sources of its own. */
static void keeps_its_rule(const char *name, double nm)
{
    struct weft_technology old, mid, new;
    assert_int_equal(weft_technology_load(&old, "45nm", NULL), WEFT_OK);
    assert_int_equal(weft_technology_load(&mid, name, NULL), WEFT_OK);
    assert_int_equal(weft_technology_load(&new, "7nm", NULL), WEFT_OK);
    size_t count, i = 0;
    const struct weft_technology_field *fields = weft_technology_fields(&count);
    for (; strcmp(fields[i].name, "sram.um2_per_bit"); i++) {
        double a = *(double *)((char *)&old + fields[i].offset), b = *(double *)((char *)&new + fields[i].offset);
        double rule = exp(log(a) + (log(b) - log(a)) * (log(45) - log(nm)) / (log(45) - log(7)));
        double got = *(double *)((char *)&mid + fields[i].offset);
        if (fabs(got / rule - 1) > 1e-3)
            fail_msg("%s is %g, and by the rule %g", fields[i].name, got, rule);
    }
    assert_int_equal(i, 15);
}

static void the_files_between_keep_their_rule(void **state)
{
    (void)state;
    keeps_its_rule("28nm", 28);
    keeps_its_rule("16nm", 16);
}

static void several_arrays_take_so_much_more(void **state)
{
    (void)state;
    struct weft_technology t;
    struct weft_counters none = {0};
    struct weft_work work = {0};
    struct weft_energy one, three;
    struct weft_machine m = machine;
    assert_int_equal(weft_technology_load(&t, "16nm", NULL), WEFT_OK);
    weft_energy_compute(&one, &none, &work, &m, &t, 0, 1);
    m.arrays = 3;
    weft_energy_compute(&three, &none, &work, &m, &t, 0, 1);
    near(three.mm2[WEFT_COMPONENT_ARRAY], 3 * one.mm2[WEFT_COMPONENT_ARRAY]);
    near(three.mm2[WEFT_COMPONENT_ACCUMULATORS], one.mm2[WEFT_COMPONENT_ACCUMULATORS]);
}

struct heard {
    char message[512];
};

static void hear(void *user, const char *message)
{
    snprintf(((struct heard *)user)->message, sizeof((struct heard *)user)->message, "%s", message);
}

/* The 45 nm file with the first `old` replaced is refused with these words. */
static void refused(const char *old, const char *new, const char *words)
{
    char *text, path[512];
    size_t bytes;
    snprintf(path, sizeof path, "%s/technologies/45nm.yaml", weft_data_directory());
    assert_int_equal(weft_file_read(&text, &bytes, path, 1 << 20, NULL), WEFT_OK);
    char *at = strstr(text, old), *changed;
    assert_non_null(at);
    int length = asprintf(&changed, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
    assert_true(length > 0);
    struct heard heard = {""};
    struct weft_diag diag = {.report = hear, .user = &heard};
    struct weft_technology t;
    assert_int_equal(weft_technology_parse(&t, changed, (size_t)length, "my.yaml", &diag), WEFT_ERROR);
    if (!strstr(heard.message, words))
        fail_msg("'%s' instead of '%s'", heard.message, words);
    free(changed);
    free(text);
}

/* Places as in 45nm.yaml. */
static void errors_name_the_line(void **state)
{
    (void)state;
    refused("  add_pj: {value: 0.1,", "  add_pj: {value: 0.1x,", "my.yaml:16: int32.add_pj takes a number from 0 to 1e+06, not '0.1x'");
    refused("  add_pj: {value: 0.1,", "  add_pj: {value: -1,", "my.yaml:16: int32.add_pj takes a number from 0 to 1e+06, not '-1'");
    refused("  add_pj: {value: 0.1,", "  add_pj: {value: nan,", "my.yaml:16: int32.add_pj takes");
    refused("  add_pj: {value: 0.1,", "  addpj: {value: 0.1,", "my.yaml:16: unknown key addpj; did you mean add_pj?");
    refused("  add_pj: {value: 0.1,", "  photon_pj: {value: 0.1,", "my.yaml:16: unknown key photon_pj");
    refused("int32:\n", "int32:\n  add_pj: {value: 0.1, source: \"x\"}\n", "there is a second key add_pj");
    refused("cell_share: {value: 0.5,", "cell_share: {value: 0,", "sram.cell_share takes a number from 0.01 to 1, not '0'");
    refused(", source: \"[1]: 0.2 pJ\"", "", "a required key is missing: source");
    refused("machines: []\n", "", "a required key is missing: machines");
    refused("link:", "wormhole:", "unknown key wormhole");
}

static void a_name_that_is_not_there(void **state)
{
    (void)state;
    struct heard heard = {""};
    struct weft_diag diag = {.report = hear, .user = &heard};
    struct weft_technology t;
    assert_int_equal(weft_technology_load(&t, "3nm", &diag), WEFT_ERROR);
    assert_non_null(strstr(heard.message, "16nm, 28nm, 45nm, 7nm"));
    assert_int_equal(weft_technology_load(&t, "no/such.yaml", &diag), WEFT_ERROR);
    assert_non_null(strstr(heard.message, "no/such.yaml: cannot be read"));
    assert_int_equal(weft_technology_parse(&t, "", 0, "my.yaml", &diag), WEFT_ERROR);
}

/* docs/energy.md has a row for each key of a technology file. */
static void every_key_is_documented(void **state)
{
    (void)state;
    char *text, row[64];
    size_t bytes, count;
    assert_int_equal(weft_file_read(&text, &bytes, WEFT_DOCS "/energy.md", 1 << 20, NULL), WEFT_OK);
    const struct weft_technology_field *fields = weft_technology_fields(&count);
    for (size_t i = 0; i < count; i++) {
        snprintf(row, sizeof row, "| `%s` |", fields[i].name);
        if (!strstr(text, row))
            fail_msg("docs/energy.md has no row %s", row);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_is_what_the_instructions_do), cmocka_unit_test(floats_are_counted_apart),
        cmocka_unit_test(energy_of_a_small_program),        cmocka_unit_test(memories_scale_between_and_beyond_the_table),
        cmocka_unit_test(without_time_there_are_no_watts),  cmocka_unit_test(every_key_has_an_effect),
        cmocka_unit_test(the_files_that_there_are),         cmocka_unit_test(published_values_are_as_published),
        cmocka_unit_test(the_files_between_keep_their_rule), cmocka_unit_test(several_arrays_take_so_much_more),
        cmocka_unit_test(errors_name_the_line),
        cmocka_unit_test(a_name_that_is_not_there),         cmocka_unit_test(every_key_is_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
