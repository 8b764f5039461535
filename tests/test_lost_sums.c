/* test_lost_sums.c: no program loses sums: chains of products of random sizes on machines of random numbers of arrays and accumulators, and the models, timed
 * alone, on the machines that have several arrays. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lost_sums.h"
#include "weft_compiler.h"

static struct weft_diag loud = {weft_diag_stderr, NULL, 0};

static size_t lost_of(const char *path, const struct weft_machine *machine, const struct weft_compile_options *options)
{
    struct weft_network *network;
    struct weft_program *program;
    assert_int_equal(weft_network_load(&network, path, options, &loud), WEFT_OK);
    assert_int_equal(weft_compile(&program, network, machine, options, &loud), WEFT_OK);
    size_t lost = lost_sums(program);
    weft_program_free(program);
    weft_network_free(network);
    return lost;
}

/* xorshift32, so that a failure comes again */
static uint32_t draw(uint32_t *state, uint32_t from, uint32_t to)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return from + *state % (to - from + 1);
}

/* Three products one behind the other: rows by w[0], w[1], w[2], w[3]. */
static void write_chain(const char *path, uint32_t rows, const uint32_t w[4])
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "<ir_version: 8, opset_import: [\"\" : 13]>\nchain (float[%u, %u] x) => (float[%u, %u] y)\n{\n", rows, w[0], rows, w[3]);
    for (int k = 0; k < 3; k++)
        fprintf(file, "  w%d = RandomNormal <shape = [%u, %u], scale = 0.2, seed = %d.0> ()\n", k, w[k], w[k + 1], k + 1);
    fputs("  a = MatMul (x, w0)\n  b = MatMul (a, w1)\n  y = MatMul (b, w2)\n}\n", file);
    assert_int_equal(fclose(file), 0);
}

static void chains_of_products(void **state)
{
    enum { TRIES = 300 };
    static const uint32_t accumulators[] = {32, 48, 64, 100, 256};
    char path[] = "/tmp/weft-chain-XXXXXX.onnxtxt";
    int file = mkstemps(path, 8);
    uint32_t seed = 2026;
    assert_true(file >= 0);
    close(file);
    for (int t = 0; t < TRIES; t++) {
        struct weft_machine machine;
        assert_int_equal(weft_machine_load(&machine, "tiny", &loud), WEFT_OK);
        machine.arrays = draw(&seed, 1, 5);
        machine.acc_rows = accumulators[draw(&seed, 0, 4)];
        uint32_t rows = draw(&seed, 1, 200), w[4];
        for (int k = 0; k < 4; k++)
            w[k] = draw(&seed, 1, 60);
        write_chain(path, rows, w);
        size_t lost = lost_of(path, &machine, &(struct weft_compile_options){.timing_only = true, .format = t % 2 ? "bf16" : "int8"});
        if (lost)
            print_message("%u rows, widths %u %u %u %u, %llu arrays, %llu accumulator rows\n", rows, w[0], w[1], w[2], w[3], (unsigned long long)machine.arrays,
                          (unsigned long long)machine.acc_rows);
        assert_int_equal(lost, 0);
    }
    unlink(path);
}

static void models_on_several_arrays(void **state)
{
    static const char *const models[] = {"alexnet", "resnet50", "mobilenet-v2", "efficientnet-b0", "vgg16", "bert-base", "unet", "wavenet", "transformer-encoder", "lstm-lm"};
    static const char *const machines[] = {"tpu-v3", "tpu-v4i"};
    static const int64_t batches[] = {1, 4, 16};
    for (size_t k = 0; k < sizeof models / sizeof *models; k++)
        for (size_t i = 0; i < 2 * sizeof batches / sizeof *batches; i++) {
            struct weft_machine machine;
            char path[1024];
            snprintf(path, sizeof path, "%s/models/%s.onnxtxt", SOURCE_DIR, models[k]);
            assert_int_equal(weft_machine_load(&machine, machines[i % 2], &loud), WEFT_OK);
            size_t lost = lost_of(path, &machine, &(struct weft_compile_options){.timing_only = true, .format = "bf16", .batch = batches[i / 2]});
            if (lost)
                print_message("%s, batch %lld, on %s: %zu\n", models[k], (long long)batches[i / 2], machines[i % 2], lost);
            assert_int_equal(lost, 0);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(chains_of_products), cmocka_unit_test(models_on_several_arrays)};
    setenv("WEFT_DATA", SOURCE_DIR, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
