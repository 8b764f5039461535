/* test_writes.c: each byte of an output leaves once, and those of a last product before all of it is computed. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weft_compiler.h"

static struct weft_program *compile(const char *text, const char *preset, uint64_t buffer, const char *format)
{
    struct weft_diag diag = {.report = weft_diag_stderr};
    struct weft_compile_options options = {.timing_only = true, .format = format};
    struct weft_machine machine;
    struct weft_network *network = NULL;
    struct weft_program *program = NULL;
    char path[] = "/tmp/weft-writes-XXXXXX.onnxtxt";
    int file = mkstemps(path, 8);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    close(file);
    setenv("WEFT_DATA", SOURCE_DIR, 1);
    assert_int_equal(weft_machine_load(&machine, preset, &diag), WEFT_OK);
    machine.ub_bytes = buffer ? buffer : machine.ub_bytes;
    assert_int_equal(weft_network_load(&network, path, &options, &diag), WEFT_OK);
    assert_int_equal(weft_compile(&program, network, &machine, &options, &diag), WEFT_OK);
    weft_network_free(network);
    unlink(path);
    return program;
}

struct seen { size_t writes, early /* in front of the last activation */, before_last /* in front of the last product of the last layer but one that has products */; };

/* Marks what each write_host brings to outputs; none may come twice, and all must have come. */
static struct seen check(struct weft_program *p)
{
    struct seen seen = {0};
    struct { uint32_t layer; size_t writes; } now = {0}; /* of the last product so far */
    uint32_t layer = 0;
    uint8_t *there = calloc(p->host_bytes, 1);
    assert_non_null(there);
    for (size_t i = 0; i < p->instructions; i++) {
        struct weft_instr instr;
        assert_true(weft_decode(&instr, p->text + i * WEFT_WORD_BYTES));
        seen.early = instr.op == WEFT_OP_ACTIVATE ? seen.writes : seen.early;
        layer = instr.op == WEFT_OP_TAG ? instr.layer : layer;
        if (instr.op == WEFT_OP_CONVOLVE) {
            seen.before_last = layer == now.layer ? seen.before_last : now.writes;
            now.layer = layer;
            now.writes = seen.writes;
        }
        if (instr.op != WEFT_OP_WRITE_HOST)
            continue;
        seen.writes++;
        assert_true(instr.host + instr.bytes <= p->host_bytes);
        for (uint64_t at = 0; at < instr.bytes; at++)
            assert_int_equal(there[instr.host + at]++, 0);
    }
    for (size_t i = 0; i < p->output_count; i++)
        for (uint64_t at = 0; at < p->outputs[i].bytes; at++)
            assert_int_equal(there[p->outputs[i].host + at]--, 1);
    for (uint64_t at = 0; at < p->host_bytes; at++)
        assert_int_equal(there[at], 0); /* and nothing else was written */
    free(there);
    weft_program_free(p);
    return seen;
}

#define DENSE(rows, columns) "<ir_version: 8, opset_import: [\"\": 13]> m (float[" rows ", 256] x) => (float[" rows ", " columns "] y) " \
    "{ w = RandomNormal <shape = [256, " columns "], seed = 1.0> () y = MatMul (x, w) }"

/* 512 rows of 1024 numbers of one byte on an array of 256 columns: four columns of tiles of 512 writes of 256 bytes, of which the last waits for nothing. */
static void columns_leave_one_by_one(void **state)
{
    struct seen seen = check(compile(DENSE("512", "1024"), "tpu-v1", 0, NULL));
    assert_int_equal(seen.writes, 4 * 512);
    assert_in_range(seen.early, 2 * 512, 3 * 512);
    check(compile(DENSE("512", "1000"), "tpu-v1", 0, NULL));
    check(compile(DENSE("512", "1000"), "tpu-v4i", 0, "bf16"));
    check(compile(DENSE("10000", "600"), "tpu-v1", 0, NULL)); /* more rows than accumulators */
}

/* Eight numbers a row are not worth a write each; rows leave behind the blocks that the last column is activated in. */
static void rows_leave_block_by_block(void **state)
{
    struct seen seen = check(compile(DENSE("2048", "8"), "tiny", 0, NULL));
    assert_in_range(seen.writes, 2, 2048 / 16);
    assert_int_equal(seen.early, seen.writes - 1);
}

#define CONV(batch) "<ir_version: 8, opset_import: [\"\": 13]> m (float[" batch ", 8, 32, 32] x) => (float[" batch ", 24, 32, 32] y) " \
    "{ w = RandomNormal <shape = [24, 8, 3, 3], seed = 1.0> () y = Conv <pads = [1, 1, 1, 1]> (x, w) }"

static void images(void **state)
{
    check(compile(CONV("1"), "tiny", 0, NULL));
    check(compile(CONV("3"), "tpu-v1", 0, NULL));
    check(compile(CONV("4"), "tpu-v4i", 0, "bf16"));
    check(compile(CONV("4"), "tiny", 200000, NULL)); /* in parts */
    check(compile(CONV("4"), "tiny", 40000, NULL));  /* in bands */
}

#define SENTENCES(batch, first, second) "<ir_version: 8, opset_import: [\"\": 13]> m (float[8, " batch ", 32] x) => (float[" first ", " second ", 4000] y) " \
    "{ w = RandomNormal <shape = [1, 64, 32], seed = 1.0> () r = RandomNormal <shape = [1, 64, 64], seed = 2.0> () " \
    "h, last = RNN <hidden_size = 64> (x, w, r) one = Constant <value = int64[1] {1}> () s = Squeeze (h, one) " \
    "v = RandomNormal <shape = [64, 4000], seed = 3.0> () "

/* Steps 0 to 3 of 8 leave as a piece while the others are computed. Each of those fetches a tile in 1349 cycles, which is a fifth of what the piece needs
 * in one write. Of 16 writes of 16000 bytes, a sequence each, 896 cycles each, five begin beside steps 4 to 6. */
static void steps_leave_in_pieces(void **state)
{
    struct seen by_step = check(compile(SENTENCES("16", "8", "16") "y = MatMul (s, v) }", "tpu-v1", 0, NULL));
    struct seen by_batch = check(compile(SENTENCES("16", "16", "8") "t = Transpose <perm = [1, 0, 2]> (s) y = MatMul (t, v) }", "tpu-v1", 0, NULL));
    assert_int_equal(by_step.before_last, 1);
    assert_int_equal(by_batch.before_last, 5);
}

/* Another name for the product, an output that is read again, and one that nothing follows. */
static void several_outputs(void **state)
{
    check(compile("<ir_version: 8, opset_import: [\"\": 13]> m (float[512, 256] x) => (float[4, 128, 1024] y, float[512, 1024] z, float[512, 64] u) "
                  "{ w = RandomNormal <shape = [256, 1024], seed = 1.0> () v = RandomNormal <shape = [1024, 64], seed = 2.0> () z = MatMul (x, w) "
                  "s = Constant <value = int64[3] {4, 128, 1024}> () y = Reshape (z, s) u = MatMul (z, v) }", "tpu-v1", 0, NULL));
    check(compile("<ir_version: 8, opset_import: [\"\": 13]> m (float[512, 256] x) => (float[4, 128, 1024] y) "
                  "{ w = RandomNormal <shape = [256, 1024], seed = 1.0> () z = MatMul (x, w) s = Constant <value = int64[3] {4, 128, 1024}> () y = Reshape (z, s) }",
                  "tpu-v1", 0, NULL));
}

/* Enough vector work of its own that the batch goes in halves: each half leaves by itself. */
static void halves(void **state)
{
    check(compile("<ir_version: 8, opset_import: [\"\": 17]> m (float[8, 128, 256] x) => (float[8, 128, 256] y) "
                  "{ w = RandomNormal <shape = [256, 256], seed = 1.0> () g = RandomNormal <shape = [256], seed = 2.0> () c = RandomNormal <shape = [256], seed = 3.0> () "
                  "p = MatMul (x, w) n = LayerNormalization (p, g, c) q = MatMul (n, w) y = LayerNormalization (q, g, c) }", "tpu-v4i", 0, "bf16"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(columns_leave_one_by_one), cmocka_unit_test(rows_leave_block_by_block), cmocka_unit_test(images), cmocka_unit_test(steps_leave_in_pieces),
                                       cmocka_unit_test(several_outputs), cmocka_unit_test(halves)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
