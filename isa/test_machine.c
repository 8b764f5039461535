/* Proves machine.c, machine_file.c and yaml.c: presets, their sources, and the place of every error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "weft_isa.h"

static char said[512];
static void keep(void *user, const char *message)
{
    (void)user;
    snprintf(said, sizeof said, "%s", message);
}
static struct weft_diag diag = {.report = keep};

static const char *const presets[] = {"tiny", "edge", "tpu-v1", "tpu-v2", "tpu-v3", "tpu-v4i", "edge-tpu", "gemmini"};
enum { PRESETS = sizeof presets / sizeof *presets };

static void presets_load_and_every_value_has_a_source(void **state)
{
    (void)state;
    size_t count;
    const struct weft_machine_field *fields = weft_machine_fields(&count);
    for (size_t p = 0; p < PRESETS; p++) {
        struct weft_machine m;
        assert_int_equal(weft_machine_load(&m, presets[p], &diag), WEFT_OK);
        assert_string_equal(m.name, presets[p]);
        assert_true(m.description[0]);
        for (size_t i = 0; i <= count; i++) {
            char *source;
            assert_int_equal(weft_machine_source(&source, presets[p], i < count ? fields[i].name : "formats", &diag), WEFT_OK);
            assert_true(source[0]);
            free(source);
        }
    }
}

/* Figures of the paper (arXiv 1704.04760): 24 MiB, 4 MiB of accumulators, four tiles, 700 MHz, table 2's 34 GB/s. */
static void tpu_v1_is_the_papers(void **state)
{
    (void)state;
    struct weft_machine m;
    assert_int_equal(weft_machine_load(&m, "tpu-v1", &diag), WEFT_OK);
    assert_int_equal(m.clock_hz, 700000000);
    assert_int_equal(m.rows * m.columns, 65536);
    assert_int_equal(m.arrays, 1);
    assert_int_equal(m.ub_bytes, 24 << 20);
    assert_int_equal(m.acc_rows * m.columns * 4, 4 << 20);
    assert_int_equal(m.fifo_tiles, 4);
    assert_int_equal(m.dram_bytes_per_second, 34000000000);
    assert_true(weft_machine_has(&m, WEFT_FORMAT_u8) && weft_machine_has(&m, WEFT_FORMAT_s16));
    assert_false(weft_machine_has(&m, WEFT_FORMAT_bf16) || weft_machine_has(&m, WEFT_FORMAT_s32));
}

static void what_is_printed_is_parsed(void **state)
{
    (void)state;
    for (size_t p = 0; p < PRESETS; p++) {
        struct weft_machine m, n;
        char *text;
        assert_int_equal(weft_machine_load(&m, presets[p], &diag), WEFT_OK);
        memset(m.description, 0, sizeof m.description);
        snprintf(m.description, sizeof m.description, "%s", "colon: and # and \"quote\"");
        assert_int_equal(weft_machine_print(&text, &m), WEFT_OK);
        memset(&n, 0xff, sizeof n);
        assert_int_equal(weft_machine_parse(&n, text, strlen(text), "printed", &diag), WEFT_OK);
        assert_memory_equal(&m, &n, sizeof m);
        free(text);
    }
}

/* The machine's file with line `line` (from 1) replaced; NULL: left out. */
static char *edited(const char *text, unsigned line, const char *replacement)
{
    char *out = calloc(1, strlen(text) + 1000);
    for (unsigned n = 1; *text; n++) {
        size_t length = strcspn(text, "\n") + 1;
        if (n != line)
            strncat(out, text, length);
        else if (replacement)
            sprintf(out + strlen(out), "%s\n", replacement);
        text += length;
    }
    return out;
}

static char base[4096];
static int make_base(void **state)
{
    (void)state;
    static const char head[] = "name: test\ndescription: a machine\nformats: {value: [u8]}\n"; /* lines 1 to 3 */
    size_t count, used = (size_t)snprintf(base, sizeof base, "%s", head);
    const struct weft_machine_field *fields = weft_machine_fields(&count);
    for (size_t i = 0; i < count; i++) { /* from line 4: a group's name, then a line for each of its fields */
        const char *dot = strchr(fields[i].name, '.');
        size_t length = (size_t)(dot - fields[i].name);
        if (!i || strncmp(fields[i].name, fields[i - 1].name, length + 1))
            used += (size_t)snprintf(base + used, sizeof base - used, "%.*s:\n", (int)length, fields[i].name);
        used += (size_t)snprintf(base + used, sizeof base - used, "  %s: {value: %s}\n", dot + 1, fields[i].flag ? "true" : "64");
    }
    return 0;
}

static void errors_say_where(void **state)
{
    (void)state;
    static const struct {
        unsigned line; /* line 5 is clock.hz, 7 array.rows, 8 array.columns, 9 array.count, 18 whole_tiles */
        const char *text, *message;
    } cases[] = {
        {7, "  rows: {value: 0}", "m.yaml:7: array.rows is 0; it lies between 1 and 4095"},
        {7, "  rows: {value: 4096}", "m.yaml:7: array.rows is 4096; it lies between 1 and 4095"},
        {7, "  rows: {value: -1}", "m.yaml:7: array.rows is '-1'; it is a whole number"},
        {8, "  columns: {value: 3x}", "m.yaml:8: array.columns is '3x'; it is a whole number"},
        {8, "  columns: {value: 1.5}", "m.yaml:8: array.columns is '1.5'"},
        {8, "  columns: {value: 99999999999999999999999}", "m.yaml:8: array.columns is '99999999999999999999999'"},
        {8, "  columns: {value: 99999999999Gi}", "m.yaml:8: array.columns is '99999999999Gi'"},
        {8, "  columns: {valu: 3}", "m.yaml:8: unknown key valu; did you mean value?"},
        {8, "  colums: {value: 3}", "m.yaml:8: unknown key colums; did you mean columns?"},
        {8, "  rows: {value: 3}", "m.yaml:8: there is a second key rows"},
        {8, "  columns: {value: 3, value: 4}", "m.yaml:8: there is a second key value"},
        {8, "  hz: {value: 3}", "m.yaml:8: unknown key hz"}, /* it stands in line 5, where it belongs */
        {8, NULL, "m.yaml:8: a required key is missing: columns"},
        {8, "  columns: 3", "m.yaml:8: KEY: VALUE is expected here, not one value"},
        {8, "  columns: [", "m.yaml:8: KEY: VALUE is expected here, not a list"},
        {8, "  columns: {value: 3", "m.yaml:8: this is no YAML: "},
        {8, "  ? [a]\n  : 3", "KEY: VALUE is expected here, and a key is one word"},
        {8, "  columns: {value: [3]}", "m.yaml:8: one value is expected here, not a list"},
        {8, "  columns: {value: }", "m.yaml:8: a value is missing"},
        {8, "  columns: {value: &a 3, source: *a}", "m.yaml:8: an alias (*NAME) is not taken; write the value itself"},
        {1, NULL, "a required key is missing: name"},
        {3, "formats: {value: [u8, fp8]}", "m.yaml:3: 'fp8' is none of u8, s8, s16, bf16"},
        {3, "formats: {value: u8}", "m.yaml:3: a list such as [A, B] is expected here, not one value"},
        {3, "formats: {value: []}", "m.yaml:3: formats is empty"},
        {9, "  count: {value: 65}", "m.yaml:9: array.count is 65; it lies between 1 and 64"},
        {18, "  whole_tiles: {value: maybe}", "m.yaml:18: weight_fifo.whole_tiles is 'maybe'; it is true or false"},
        {1, "name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "m.yaml:1: a value has more characters than "},
        {1, "extra: 1\nname: a", "m.yaml:1: unknown key extra"},
    };
    struct weft_machine m;
    assert_int_equal(weft_machine_parse(&m, base, strlen(base), "m.yaml", &diag), WEFT_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = edited(base, cases[i].line, cases[i].text);
        assert_int_equal(weft_machine_parse(&m, text, strlen(text), "m.yaml", &diag), WEFT_ERROR);
        if (strncmp(said, "m.yaml:", 7) || !strstr(said, cases[i].message))
            fail_msg("%zu: \"%s\" does not say \"%s\"", i, said, cases[i].message);
        free(text);
    }
    assert_int_equal(weft_machine_parse(&m, "", 0, "m.yaml", &diag), WEFT_ERROR);
    assert_string_equal(said, "m.yaml:1: the file is empty; a machine file begins with name: NAME");
}

static void every_field_is_required_and_has_an_effect(void **state)
{
    (void)state;
    size_t count;
    const struct weft_machine_field *fields = weft_machine_fields(&count);
    struct weft_machine m, n;
    assert_int_equal(weft_machine_parse(&m, base, strlen(base), "m.yaml", &diag), WEFT_OK);
    for (size_t i = 0; i < count; i++) {
        char assignment[64];
        n = m;
        snprintf(assignment, sizeof assignment, "%s=%s", fields[i].name, fields[i].flag ? "false" : fields[i].low == 64 ? "65" : "63");
        assert_int_equal(weft_machine_set(&n, assignment, &diag), WEFT_OK);
        assert_memory_not_equal(&m, &n, sizeof m);
    }
    unsigned lines = 0;
    for (const char *at = base; (at = strchr(at, '\n')); at++)
        lines++;
    for (unsigned line = 1; line <= lines; line++) {
        char *text = edited(base, line, NULL);
        assert_int_equal(weft_machine_parse(&n, text, strlen(text), "m.yaml", &diag), WEFT_ERROR);
        free(text);
    }
}

static void set_takes_suffixes_and_suggests(void **state)
{
    (void)state;
    struct weft_machine m;
    assert_int_equal(weft_machine_load(&m, "tiny", &diag), WEFT_OK);
    static const struct {
        const char *value;
        uint64_t number;
    } good[] = {{"4096", 4096}, {"5k", 5000}, {"5M", 5000000}, {"1G", 1000000000}, {"3Ki", 3072}, {"3Mi", 3145728}, {"2Gi", 2147483648}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char assignment[64];
        snprintf(assignment, sizeof assignment, "unified_buffer.bytes=%s", good[i].value);
        assert_int_equal(weft_machine_set(&m, assignment, &diag), WEFT_OK);
        assert_int_equal(m.ub_bytes, good[i].number);
    }
    static const char *const bad[] = {"array.rows", "array.rows=", "array.rows=k", "array.rows=1 ", "array.rows=5000", "array.rows=0",
                                      "dram.writable=yes", "formats=", "formats=u8,f32", "", "=3"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(weft_machine_set(&m, bad[i], &diag), WEFT_ERROR);
    assert_int_equal(weft_machine_set(&m, "array.row=3", &diag), WEFT_ERROR);
    assert_string_equal(said, "--set array.row: a machine has no such field; did you mean array.rows?");
    assert_int_equal(weft_machine_set(&m, "array=3", &diag), WEFT_ERROR);
    assert_string_equal(said, "--set array: a machine has no such field; did you mean array.rows, array.columns, array.count?");
    assert_int_equal(weft_machine_set(&m, "columns=3", &diag), WEFT_ERROR);
    assert_string_equal(said, "--set columns: a machine has no such field; did you mean array.columns?");
    assert_int_equal(weft_machine_set(&m, "formats=s16,bf16", &diag), WEFT_OK);
    assert_int_equal(m.formats, WEFT_USES_S16 | WEFT_USES_BF16);
}

static void unknown_machines_are_named(void **state)
{
    (void)state;
    struct weft_machine m;
    char *source;
    assert_int_equal(weft_machine_load(&m, "tpu-v9", &diag), WEFT_ERROR);
    assert_non_null(strstr(said, "machine tpu-v9: there is no such one in"));
    assert_non_null(strstr(said, "edge-tpu, edge, gemmini, tiny, tpu-v1, tpu-v2, tpu-v3, tpu-v4i"));
    assert_int_equal(weft_machine_load(&m, "no/such.yaml", &diag), WEFT_ERROR);
    assert_string_equal(said, "no/such.yaml: cannot be read: No such file or directory");
    assert_int_equal(weft_machine_source(&source, "tiny", "array.depth", &diag), WEFT_ERROR);
    assert_int_equal(weft_machine_load(&m, SOURCE_DIR "/machines/tiny.yaml", &diag), WEFT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presets_load_and_every_value_has_a_source), cmocka_unit_test(tpu_v1_is_the_papers),
        cmocka_unit_test(what_is_printed_is_parsed), cmocka_unit_test(errors_say_where),
        cmocka_unit_test(every_field_is_required_and_has_an_effect), cmocka_unit_test(set_takes_suffixes_and_suggests),
        cmocka_unit_test(unknown_machines_are_named),
    };
    return cmocka_run_group_tests(tests, make_base, NULL);
}
