/* test_machines.c: what is added to a machine does not make its programs slower. With more of something the compiler has more to choose from, and what it chose before is
 * still there; what it chooses by is an estimate, so a few hundredths are allowed for that. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "weft_compiler.h"
#include "weft_sim.h"

struct taken { double seconds, mapping; };

static struct taken run(const char *model, const struct weft_machine *machine, const char *format, int64_t batch)
{
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    struct weft_compile_options options = {.timing_only = true, .batch = batch, .format = format};
    struct weft_network *network;
    struct weft_program *program;
    struct weft_sim *sim;
    char path[1024];
    snprintf(path, sizeof path, "%s/models/%s.onnxtxt", SOURCE_DIR, model);
    assert_int_equal(weft_network_load(&network, path, &options, &diag), WEFT_OK);
    assert_int_equal(weft_compile(&program, network, machine, &options, &diag), WEFT_OK);
    assert_int_equal(weft_sim_create(&sim, program, &(struct weft_sim_options){.engine = WEFT_ENGINE_FAST, .timing_only = true}, &diag), WEFT_OK);
    assert_int_equal(weft_sim_run(sim, &diag), WEFT_OK);
    struct taken t = {(double)weft_sim_counters(sim)->cycles / (double)machine->clock_hz, (double)program->mapping_cycles};
    weft_sim_free(sim);
    weft_program_free(program);
    weft_network_free(network);
    return t;
}

static double lesser(double a, double b)
{
    return b == 0 || a < b ? a : b;
}

static struct weft_machine machine_named(const char *name)
{
    struct weft_machine machine;
    assert_int_equal(weft_machine_load(&machine, name, &(struct weft_diag){weft_diag_stderr, NULL, 0}), WEFT_OK);
    return machine;
}

/* --- more arrays: neither a longer run nor a higher bound ---------------------------------------------------------------------- */

static const struct network { const char *model, *machine, *format; int64_t batch; } networks[] = {
    {"resnet50", "tpu-v1", "int8", 8},        {"resnet50", "tpu-v1", "int8", 1},     {"mobilenet-v2", "tpu-v1", "int8", 1}, {"unet", "tpu-v1", "int8", 1},
    {"alexnet", "tpu-v1", "int8", 8},         {"lstm-lm", "tpu-v1", "int8", 8},      {"efficientnet-b0", "edge-tpu", "int8", 1},
    {"resnet50", "tpu-v4i", "bf16", 8},       {"mobilenet-v2", "tpu-v4i", "bf16", 8}, {"unet", "tpu-v4i", "bf16", 1},
    {"transformer-encoder", "tpu-v4i", "bf16", 8}, {"wavenet", "tpu-v4i", "bf16", 1}, {"resnet50", "gemmini", "int8", 1},
};

static void more_arrays(void **state)
{
    const struct network *n = *state;
    struct taken least = {0};
    for (uint64_t arrays = 1; arrays <= 8; arrays *= 2) {
        struct weft_machine machine = machine_named(n->machine);
        machine.arrays = arrays;
        struct taken t = run(n->model, &machine, n->format, n->batch);
        print_message("%s, batch %lld on %s with %llu arrays: %.1f us, mapping bound %.0f\n", n->model, (long long)n->batch, n->machine, (unsigned long long)arrays, t.seconds * 1e6, t.mapping);
        assert_true(!least.seconds || t.seconds <= 1.02 * least.seconds);
        assert_true(!least.mapping || t.mapping <= least.mapping);
        least = (struct taken){lesser(t.seconds, least.seconds), lesser(t.mapping, least.mapping)};
    }
}

/* --- a larger buffer, a faster clock ----------------------------------------------------------------------------------------------- */

static void a_larger_buffer(void **state)
{
    static const uint64_t mebibytes[] = {2, 3, 4, 6, 8, 10, 16, 24, 32, 48, 144};
    const char *model = *state;
    double least = 0;
    for (size_t i = 0; i < sizeof mebibytes / sizeof *mebibytes; i++) {
        struct weft_machine machine = machine_named("tpu-v4i");
        machine.ub_bytes = mebibytes[i] << 20;
        double seconds = run(model, &machine, "bf16", 8).seconds;
        print_message("%s with %llu MiB: %.1f us\n", model, (unsigned long long)mebibytes[i], seconds * 1e6);
        assert_true(!least || seconds <= 1.03 * least);
        least = lesser(seconds, least);
    }
}

static void a_faster_clock(void **state)
{
    double least = 0;
    (void)state;
    for (uint64_t megahertz = 600; megahertz <= 4200; megahertz += 400) {
        struct weft_machine machine = machine_named("tpu-v4i");
        machine.clock_hz = megahertz * 1000000;
        double seconds = run("transformer-encoder", &machine, "bf16", 8).seconds;
        print_message("%llu MHz: %.1f us\n", (unsigned long long)megahertz, seconds * 1e6);
        assert_true(!least || seconds <= 1.02 * least);
        least = lesser(seconds, least);
    }
}

int main(void)
{
    enum { COUNT = sizeof networks / sizeof *networks };
    struct CMUnitTest tests[COUNT + 3];
    setenv("WEFT_DATA", SOURCE_DIR, 1);
    for (size_t i = 0; i < COUNT; i++)
        tests[i] = (struct CMUnitTest){.name = networks[i].model, .test_func = more_arrays, .initial_state = (void *)&networks[i]};
    tests[COUNT] = (struct CMUnitTest){.name = "a larger buffer: transformer-encoder", .test_func = a_larger_buffer, .initial_state = (void *)"transformer-encoder"};
    tests[COUNT + 1] = (struct CMUnitTest){.name = "a larger buffer: resnet50", .test_func = a_larger_buffer, .initial_state = (void *)"resnet50"};
    tests[COUNT + 2] = (struct CMUnitTest){.name = "a faster clock", .test_func = a_faster_clock};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
