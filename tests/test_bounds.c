/* test_bounds.c: what programs were promised to take against their bounds, in simulated cycles, on the machines as their files have them. The limits are
 * those of the project's goals, not what the programs take today. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "weft_compiler.h"
#include "weft_sim.h"

static const struct promise { const char *model, *machine, *format; int64_t batch; double roofline, mapping; uint64_t cycles; /* 0: none */ } promises[] = {
    {"resnet50", "tpu-v1", "int8", 1, 0, 1.1, 640000},
    {"resnet50", "tpu-v1", "int8", 8, 0, 1.1, 1120000},
    {"mlp-2048x5", "tpu-v1", "int8", 200, 1.1, 1.1, 0},
    {"lstm-lm", "tpu-v1", "int8", 64, 1.2, 1.1, 0},
    {"bert-base", "tpu-v4i", "bf16", 8, 1.2, 1.1, 0},
    {"alexnet", "tpu-v1", "int8", 1, 0, 1.1, 0},
    {"bert-base", "tpu-v1", "int8", 1, 0, 1.1, 0},
    {"dlrm", "tpu-v1", "int8", 1, 0, 1.1, 0},
    {"efficientnet-b0", "tpu-v1", "int8", 1, 0, 1.1, 0},
    {"lstm-lm", "tpu-v1", "int8", 1, 0, 1.1, 0},
    {"lstm-lm", "tpu-v4i", "bf16", 1, 0, 1.1, 0},
    {"mobilenet-v2", "tpu-v1", "int8", 1, 0, 1.1, 0},
    {"mobilenet-v2", "tpu-v1", "int8", 8, 0, 1.1, 0},
    {"mlp-2048x5", "tpu-v1", "int8", 1, 0, 1.1, 0},
    {"transformer-encoder", "tpu-v1", "int8", 1, 0, 1.1, 0},
    {"unet", "tpu-v1", "int8", 1, 0, 1.1, 0},
    {"unet", "tpu-v1", "int8", 8, 0, 1.1, 0},
    {"vgg16", "tpu-v1", "int8", 1, 0, 1.1, 0},
    {"vgg16", "tpu-v1", "int8", 8, 0, 1.1, 0},
};

static void kept(void **state)
{
    const struct promise *p = *state;
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    struct weft_compile_options options = {.timing_only = true, .batch = p->batch, .format = p->format};
    struct weft_machine machine;
    struct weft_network *network;
    struct weft_program *program;
    struct weft_sim *sim;
    char path[1024];
    snprintf(path, sizeof path, "%s/models/%s.onnxtxt", SOURCE_DIR, p->model);
    assert_int_equal(weft_machine_load(&machine, p->machine, &diag), WEFT_OK);
    assert_int_equal(weft_network_load(&network, path, &options, &diag), WEFT_OK);
    assert_int_equal(weft_compile(&program, network, &machine, &options, &diag), WEFT_OK);
    assert_int_equal(weft_sim_create(&sim, program, &(struct weft_sim_options){.engine = WEFT_ENGINE_FAST, .timing_only = true}, &diag), WEFT_OK);
    assert_int_equal(weft_sim_run(sim, &diag), WEFT_OK);
    double cycles = (double)weft_sim_counters(sim)->cycles;
    print_message("%s, batch %lld on %s: %.0f cycles, %.3f of the roofline, %.3f of the mapping bound\n", p->model, (long long)p->batch, p->machine, cycles,
                  cycles / (double)program->roofline_cycles, cycles / (double)program->mapping_cycles);
    assert_true(!p->cycles || cycles <= (double)p->cycles);
    assert_true(p->roofline == 0 || cycles <= p->roofline * (double)program->roofline_cycles);
    assert_true(p->mapping == 0 || cycles <= p->mapping * (double)program->mapping_cycles);
    weft_sim_free(sim);
    weft_program_free(program);
    weft_network_free(network);
}

static uint64_t roofline_with(struct weft_network *network, const struct weft_compile_options *options, const char *setting)
{
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    struct weft_machine machine;
    struct weft_program *program;
    assert_int_equal(weft_machine_load(&machine, "tpu-v1", &diag), WEFT_OK);
    assert_int_equal(weft_machine_set(&machine, setting, &diag), WEFT_OK);
    assert_int_equal(weft_compile(&program, network, &machine, options, &diag), WEFT_OK);
    uint64_t cycles = program->roofline_cycles;
    weft_program_free(program);
    return cycles;
}

/* MobileNetV2 is bound by its weights' way from DRAM, whatever takes its depthwise convolutions. */
static void whatever_the_mapping(void **state)
{
    static const char *const settings[] = {"vector.rows=4", "array.rows=512", "array.columns=64", "weight_fifo.tiles=1", "weight_fifo.whole_tiles=false", "accumulators.rows=512"};
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    struct weft_compile_options options = {.timing_only = true};
    struct weft_network *network;
    assert_int_equal(weft_network_load(&network, SOURCE_DIR "/models/mobilenet-v2.onnxtxt", &options, &diag), WEFT_OK);
    uint64_t stock = roofline_with(network, &options, "vector.rows=1");
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        assert_int_equal(roofline_with(network, &options, settings[i]), stock);
    weft_network_free(network);
}

int main(void)
{
    enum { COUNT = sizeof promises / sizeof *promises };
    struct CMUnitTest tests[COUNT + 1] = {[COUNT] = cmocka_unit_test(whatever_the_mapping)};
    setenv("WEFT_DATA", SOURCE_DIR, 1);
    for (size_t i = 0; i < COUNT; i++)
        tests[i] = (struct CMUnitTest){.name = promises[i].model, .test_func = kept, .initial_state = (void *)&promises[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
