/* test_prune.c: blocks of least magnitude go, and what tiles of zeros save is counted by hand. The machine has 8 x 8 cells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "weft_compiler.h"

/* 16 x 16 weights in four blocks whose numbers are 1, 4 / 3, 2: blocks (0, 0) and (1, 1) are the weakest. */
static void write_network(FILE *out)
{
    fprintf(out, "<ir_version: 8, opset_import: [\"\" : 13]>\nm (float[3, 16] x) => (float[3, 16] y) <float[16, 16] w = {");
    for (int k = 0; k < 16; k++)
        for (int n = 0; n < 16; n++)
            fprintf(out, "%s%d", k + n ? ", " : "", k < 8 ? n < 8 ? 1 : 4 : n < 8 ? 3 : 2);
    fprintf(out, "}> { y = MatMul (x, w) }\n");
}

static struct weft_program *compile(double share, uint64_t rows, uint64_t columns, const char *format)
{
    struct weft_diag diag = {.report = weft_diag_stderr};
    struct weft_compile_options options = {.seed = 1, .prune = share, .prune_rows = rows, .prune_columns = columns, .format = format};
    struct weft_machine machine;
    struct weft_network *network = NULL;
    struct weft_program *program = NULL;
    char path[] = "/tmp/weft-prune-XXXXXX.onnxtxt";
    int file = mkstemps(path, 8);
    assert_true(file >= 0);
    FILE *out = fdopen(file, "w");
    write_network(out);
    fclose(out);
    setenv("WEFT_DATA", SOURCE_DIR, 1);
    assert_int_equal(weft_machine_load(&machine, "tiny", &diag), WEFT_OK);
    machine.dram_writable = false; /* nothing but tiles in DRAM: constants stay the host's */
    assert_int_equal(weft_network_load(&network, path, &options, &diag), WEFT_OK);
    assert_int_equal(weft_compile(&program, network, &machine, &options, &diag), WEFT_OK);
    weft_network_free(network);
    unlink(path);
    return program;
}

static void nothing_asked_nothing_gone(void **state)
{
    struct weft_program *p = compile(0, 0, 0, NULL);
    assert_int_equal(p->weights_bytes, 256);
    assert_null(p->notes);
    weft_program_free(p);
}

/* Two of four tiles of 64 bytes; three rows by 64 cells each. */
static void the_weakest_half(void **state)
{
    struct weft_program *p = compile(0.5, 0, 0, NULL);
    assert_int_equal(p->weights_bytes, 128);
    assert_string_equal(p->notes, "{\"zero_tiles\": {\"tiles\": 2, \"of\": 4, \"bytes\": 128, \"products\": 384}, \"pruned\": {\"share\": 0.5, \"blocks\": 2, \"of\": 4}}");
    assert_int_equal(p->weights[0], 127); /* column 0 has 3 at most, column 8 has 4: each scales its own */
    weft_program_free(p);
}

/* Blocks of 16 x 8: squares sum to 64 (1 + 9) and 64 (16 + 4); the left one goes, and with it two tiles, one of which stays to overwrite the sums. */
static void a_whole_column(void **state)
{
    struct weft_program *p = compile(0.5, 16, 8, NULL);
    assert_int_equal(p->weights_bytes, 192);
    assert_string_equal(p->notes, "{\"zero_tiles\": {\"tiles\": 1, \"of\": 4, \"bytes\": 64, \"products\": 192}, \"pruned\": {\"share\": 0.5, \"blocks\": 1, \"of\": 2}}");
    weft_program_free(p);
}

/* A share is rounded down: 0.7 of four blocks are two. bf16 has two bytes a weight. */
static void other_shares_and_formats(void **state)
{
    struct weft_program *p = compile(0.7, 8, 8, "bf16");
    assert_int_equal(p->weights_bytes, 256);
    assert_string_equal(p->notes, "{\"zero_tiles\": {\"tiles\": 2, \"of\": 4, \"bytes\": 256, \"products\": 384}, \"pruned\": {\"share\": 0.7, \"blocks\": 2, \"of\": 4}}");
    weft_program_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_asked_nothing_gone), cmocka_unit_test(the_weakest_half), cmocka_unit_test(a_whole_column),
                                       cmocka_unit_test(other_shares_and_formats)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
