/* test_tiles.c: tiles of zeros are left out, and the bound falls with them; weights beyond s8 are spread over terms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "weft_compiler.h"

static const char *const pruned = "<ir_version: 8, opset_import: [\"\" : 13]>\n"
                                  "pruned (float[16, 64] x) => (float[16, 16] y)\n"
                                  "{\n"
                                  "  shape = Constant <value = int64[2] {32, 16}> ()\n"
                                  "  zeros = ConstantOfShape (shape)\n"
                                  "  some = RandomNormal <shape = [32, 16], seed = 1.0> ()\n"
                                  "  w = Concat <axis = 0> (%s)\n"
                                  "  y = MatMul (x, w)\n"
                                  "}\n";

static struct weft_program *compile_text(const char *text, const struct weft_compile_options *o)
{
    char path[] = "/tmp/weft_tiles_XXXXXX.onnxtxt";
    int fd = mkstemps(path, 8);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    fputs(text, file);
    fclose(file);
    struct weft_machine machine;
    struct weft_network *network;
    struct weft_program *program;
    struct weft_compile_options options = *o;
    assert_int_equal(weft_machine_load(&machine, "tiny", NULL), WEFT_OK);
    machine.dram_writable = false; /* nothing but tiles in DRAM: constants stay the host's */
    assert_int_equal(weft_network_load(&network, path, &options, NULL), WEFT_OK);
    assert_int_equal(weft_compile(&program, network, &machine, &options, NULL), WEFT_OK);
    weft_network_free(network);
    remove(path);
    return program;
}

static struct weft_program *compile(const char *halves)
{
    char text[1024];
    snprintf(text, sizeof text, pruned, halves);
    return compile_text(text, &(struct weft_compile_options){0});
}

static size_t fetches(const struct weft_program *program)
{
    size_t count = 0;
    struct weft_instr instr;
    for (size_t i = 0; i < program->instructions; i++)
        count += weft_decode(&instr, program->text + i * WEFT_WORD_BYTES) && instr.op == WEFT_OP_READ_WEIGHTS;
    return count;
}

/* 64 x 16 weights are 8 x 2 tiles of 8 x 8. Half of the lanes zero: 8 are left. 16 rows a tile, a shift of 8: 16 cycles each. */
static void tiles_of_zeros_are_skipped(void **state)
{
    (void)state;
    struct weft_program *full = compile("some, some"), *half = compile("zeros, some");
    assert_int_equal(fetches(full), 16);
    assert_int_equal(fetches(half), 8);
    assert_int_equal(full->mapping_cycles, 256);
    assert_int_equal(half->mapping_cycles, 128);
    assert_non_null(strstr(half->layers[0].wait, "8 more tiles are zero"));
    assert_int_equal(half->weights_bytes * 2, full->weights_bytes);
    weft_program_free(full);
    weft_program_free(half);
}

/* All zeros: one tile a column stays, to write zeros into the accumulators. */
static void a_column_of_zeros_keeps_one_tile(void **state)
{
    (void)state;
    struct weft_program *none = compile("zeros, zeros");
    assert_int_equal(fetches(none), 2);
    weft_program_free(none);
}

/* Three steps of 16 units read one matrix of 16 x 16: four tiles of 8 x 8, beside two for the inputs. The first step of a state of zeros has no product;
 * the others fetch their four each. In planes every tile is there three times; the copies of a step are those of the one before. */
static void steps_share_their_tiles(void **state)
{
    static const char text[] = "<ir_version: 8, opset_import: [\"\" : 13]> steps (float[3, 1, 8] x) => (float[3, 1, 1, 16] y)\n"
                               "{ w = RandomNormal <shape = [1, 16, 8], seed = 1.0> () r = RandomNormal <shape = [1, 16, 16], seed = 2.0> () y = RNN <hidden_size = 16> (x, w, r) }\n";
    for (int timing = 0; timing < 2; timing++) {
        struct weft_program *bytes = compile_text(text, &(struct weft_compile_options){.timing_only = timing});
        struct weft_program *planes = compile_text(text, &(struct weft_compile_options){.timing_only = timing, .format = "fp32"});
        assert_int_equal(fetches(bytes), 2 + 4 + 4);
        assert_int_equal(bytes->dram_bytes, (2 + 4) * 64);
        assert_int_equal(planes->dram_bytes, 3 * (2 + 4) * 128);
        weft_program_free(bytes);
        weft_program_free(planes);
    }
}

/* 16 x 8 weights of all sizes about zero point 0 are two tiles a term: 255 takes three. Weights about 128 are s8 as they are. Those of the first half alone
 * are large: of the other half all terms but one are tiles of zeros. For timing only it is the same. */
static void integers_take_their_terms_for_timing_too(void **state)
{
    (void)state;
    static const char about[] = "<ir_version: 8, opset_import: [\"\" : 13]> about (uint8[8, 16] x) => (int32[8, 8] y)\n"
                                "{ h = Constant <value = int64[2] {8, 8}> () b = ConstantOfShape <value = uint8[1] {%s}> (h) s = ConstantOfShape <value = uint8[1] {1}> (h)\n"
                                "  w = Concat <axis = 0> (b, s) zx = Constant <value = uint8 {0}> () zw = Constant <value = uint8 {%s}> () y = MatMulInteger (x, w, zx, zw) }\n";
    static const struct { const char *large, *zero; size_t want; } cases[] = {{"255", "0", 3 + 1}, {"254", "0", 2 + 1}, {"255", "128", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int timing = 0; timing < 2; timing++) {
            char text[1024];
            snprintf(text, sizeof text, about, cases[i].large, cases[i].zero);
            struct weft_program *p = compile_text(text, &(struct weft_compile_options){.timing_only = timing});
            assert_int_equal(fetches(p), cases[i].want);
            weft_program_free(p);
        }
}

int main(void)
{
    setenv("WEFT_DATA", SOURCE_DIR, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_share_their_tiles), cmocka_unit_test(tiles_of_zeros_are_skipped),
        cmocka_unit_test(a_column_of_zeros_keeps_one_tile), cmocka_unit_test(integers_take_their_terms_for_timing_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
