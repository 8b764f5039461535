/* test_integers.c: ONNX's own tests of the integer operators, on two machines and both engines: every integer equal.
 * All inputs of those tests are inputs of the network; weights, scales and zero points among them are bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weft_compiler.h"
#include "weft_sim.h"

#define DATA "/usr/share/libonnx-testdata/data/node/"

static const char *const cases[] = {"test_qlinearconv",       "test_qlinearmatmul_2D",        "test_qlinearmatmul_3D",         "test_matmulinteger",
                                    "test_basic_convinteger", "test_convinteger_with_padding", "test_convinteger_without_padding"};

static struct weft_array load_one(const char *name, const char *file)
{
    char path[512];
    struct weft_arrays arrays = {0};
    snprintf(path, sizeof path, DATA "%s/test_data_set_0/%s", name, file);
    if (access(path, R_OK))
        return (struct weft_array){0};
    assert_int_equal(weft_tensor_proto_load(&arrays, path, NULL), WEFT_OK);
    struct weft_array one = arrays.items[0];
    free(arrays.items);
    return one;
}

static struct weft_arrays load_inputs(const char *name)
{
    struct weft_arrays inputs = {calloc(16, sizeof *inputs.items), 0};
    for (int i = 0; i < 16; i++) {
        char file[32];
        snprintf(file, sizeof file, "input_%d.pb", i);
        struct weft_array one = load_one(name, file);
        if (!one.bytes)
            break;
        inputs.items[inputs.count++] = one;
    }
    return inputs;
}

static void pack_all(struct weft_sim *sim, const struct weft_program *program, const struct weft_arrays *inputs)
{
    uint64_t bytes;
    uint8_t *host = (uint8_t *)weft_sim_memory(sim, WEFT_SPACE_HOST, &bytes);
    for (size_t i = 0; i < program->input_count; i++)
        for (size_t k = 0; k < inputs->count; k++)
            if (!strcmp(inputs->items[k].name, program->inputs[i].name))
                assert_int_equal(weft_tensor_pack(host, bytes, &program->inputs[i], &inputs->items[k], NULL), WEFT_OK);
}

static void run_and_compare(const struct weft_program *program, const struct weft_arrays *inputs, const struct weft_array *want, enum weft_engine engine)
{
    struct weft_sim *sim;
    struct weft_array out;
    uint64_t bytes;
    assert_int_equal(weft_sim_create(&sim, program, &(struct weft_sim_options){.engine = engine}, NULL), WEFT_OK);
    pack_all(sim, program, inputs);
    assert_int_equal(weft_sim_run(sim, NULL), WEFT_OK);
    const uint8_t *host = weft_sim_memory(sim, WEFT_SPACE_HOST, &bytes);
    assert_int_equal(weft_tensor_unpack(&out, &program->outputs[0], host, bytes, NULL), WEFT_OK);
    assert_string_equal(out.element, want->element);
    assert_int_equal(out.size, want->size);
    assert_memory_equal(out.bytes, want->bytes, want->size);
    free(out.name);
    free(out.bytes);
    weft_sim_free(sim);
}

static void run_case(const char *name, const char *machine_name)
{
    char path[512];
    struct weft_machine machine;
    struct weft_network *network;
    struct weft_program *program;
    struct weft_diag diag = {.report = weft_diag_stderr};
    struct weft_arrays inputs = load_inputs(name);
    struct weft_array want = load_one(name, "output_0.pb");
    struct weft_compile_options options = {.bindings = &inputs};
    snprintf(path, sizeof path, DATA "%s/model.onnx", name);
    assert_int_equal(weft_machine_load(&machine, machine_name, &diag), WEFT_OK);
    assert_int_equal(weft_network_load(&network, path, &options, &diag), WEFT_OK);
    assert_int_equal(weft_compile(&program, network, &machine, &options, &diag), WEFT_OK);
    run_and_compare(program, &inputs, &want, WEFT_ENGINE_FAST);
    run_and_compare(program, &inputs, &want, WEFT_ENGINE_REFERENCE);
    weft_program_free(program);
    weft_network_free(network);
    weft_arrays_free(&inputs);
    free(want.name);
    free(want.bytes);
}

static void onnx_integer_operators_are_exact(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        printf("%s\n", cases[i]);
        run_case(cases[i], "tiny");
        run_case(cases[i], "tpu-v1");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(onnx_integer_operators_are_exact)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
