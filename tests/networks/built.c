/* built.c: networks given as text, compiled for a small machine, and their runs compared. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "built.h"

static struct weft_diag loud(void)
{
    return (struct weft_diag){.report = weft_diag_stderr};
}

#define PATTERN "/tmp/weft-built-XXXXXX.onnxtxt"

/* A file of the text, which must stay while the network is compiled: a batch in parts reads it again. */
static struct weft_network *load(const char *text, char path[sizeof PATTERN], const struct weft_compile_options *options)
{
    struct weft_diag diag = loud();
    struct weft_network *network;
    memcpy(path, PATTERN, sizeof PATTERN);
    int file = mkstemps(path, 8);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), (ssize_t)strlen(text));
    close(file);
    assert_int_equal(weft_network_load(&network, path, options, &diag), WEFT_OK);
    return network;
}

static struct built build_all(const char *text, const struct weft_compile_options *options, const char *machine_name, const char *const *settings)
{
    struct built built = {0};
    struct weft_diag diag = loud();
    struct weft_machine machine;
    assert_int_equal(weft_machine_load(&machine, machine_name, &diag), WEFT_OK);
    for (; *settings; settings++)
        assert_int_equal(weft_machine_set(&machine, *settings, &diag), WEFT_OK);
    char path[sizeof PATTERN];
    built.network = load(text, path, options);
    assert_int_equal(weft_compile(&built.program, built.network, &machine, options, &diag), WEFT_OK);
    unlink(path);
    return built;
}

struct built build_by(const char *text, const struct weft_compile_options *options, const char *const *settings)
{
    return build_all(text, options, "tiny", settings);
}

struct built build_for(const char *text, const char *format, const char *machine_name, const char *const *settings)
{
    return build_all(text, &(struct weft_compile_options){.seed = 7, .format = format}, machine_name, settings);
}

struct built build(const char *text, const char *format, const char *const *settings)
{
    return build_for(text, format, "tiny", settings);
}

void drop(struct built *built)
{
    weft_program_free(built->program);
    weft_network_free(built->network);
}

struct weft_sim *run(const struct weft_program *program, enum weft_engine engine)
{
    struct weft_diag diag = loud();
    struct weft_sim *sim = NULL;
    struct weft_arrays inputs = {0};
    uint64_t bytes;
    assert_int_equal(weft_random_inputs(&inputs, program, 7, &diag), WEFT_OK);
    assert_int_equal(weft_sim_create(&sim, program, &(struct weft_sim_options){.engine = engine}, &diag), WEFT_OK);
    uint8_t *host = (uint8_t *)weft_sim_memory(sim, WEFT_SPACE_HOST, &bytes);
    for (size_t i = 0; i < program->input_count; i++)
        assert_int_equal(weft_tensor_pack(host, bytes, &program->inputs[i], &inputs.items[i], &diag), WEFT_OK);
    assert_int_equal(weft_sim_run(sim, &diag), WEFT_OK);
    weft_arrays_free(&inputs);
    return sim;
}

void same_outputs(const struct weft_program *a, const struct weft_sim *sim_a, const struct weft_program *b, const struct weft_sim *sim_b)
{
    struct weft_diag diag = loud();
    uint64_t na, nb;
    const uint8_t *host_a = weft_sim_memory(sim_a, WEFT_SPACE_HOST, &na), *host_b = weft_sim_memory(sim_b, WEFT_SPACE_HOST, &nb);
    assert_int_equal(a->output_count, b->output_count);
    for (size_t i = 0; i < a->output_count; i++) {
        struct weft_array x = {0}, y = {0};
        assert_int_equal(weft_tensor_unpack(&x, &a->outputs[i], host_a, na, &diag), WEFT_OK);
        assert_int_equal(weft_tensor_unpack(&y, &b->outputs[i], host_b, nb, &diag), WEFT_OK);
        assert_int_equal(x.size, y.size);
        assert_memory_equal(x.bytes, y.bytes, x.size);
        free(x.name);
        free(x.bytes);
        free(y.name);
        free(y.bytes);
    }
}

static int integer_at(const struct weft_array *y, uint64_t i)
{
    return *y->element == 'u' ? ((const uint8_t *)y->bytes)[i] : ((const int8_t *)y->bytes)[i];
}

static int differing_from(const struct weft_tensor *y, const uint8_t *host, uint64_t bytes, const struct weft_network *network)
{
    struct weft_diag diag = loud();
    struct weft_array out = {0};
    uint64_t count;
    int differ = 0;
    const float *want = weft_network_value(network, y->name, &count);
    assert_int_equal(weft_tensor_unpack(&out, y, host, bytes, &diag), WEFT_OK);
    assert_int_equal(out.size, count);
    for (uint64_t i = 0; i < count; i++)
        differ += integer_at(&out, i) != (int)want[i];
    free(out.name);
    free(out.bytes);
    return differ;
}

int differing_integers(const struct built *built, const char *reference)
{
    struct weft_diag diag = loud();
    char path[sizeof PATTERN];
    struct weft_network *network = load(reference, path, &(struct weft_compile_options){0});
    struct weft_arrays inputs = {0};
    uint64_t bytes;
    int differ = 0;
    unlink(path);
    assert_int_equal(weft_random_inputs(&inputs, built->program, 7, &diag), WEFT_OK);
    assert_int_equal(weft_network_interpret(network, &inputs, &diag), WEFT_OK);
    struct weft_sim *sim = run(built->program, WEFT_ENGINE_FAST);
    const uint8_t *host = weft_sim_memory(sim, WEFT_SPACE_HOST, &bytes);
    for (size_t k = 0; k < built->program->output_count; k++)
        differ += differing_from(&built->program->outputs[k], host, bytes, network);
    weft_sim_free(sim);
    weft_arrays_free(&inputs);
    weft_network_free(network);
    return differ;
}

void same_memories(const struct weft_sim *a, const struct weft_sim *b)
{
    for (int space = WEFT_SPACE_UB; space <= WEFT_SPACE_HOST; space++) {
        uint64_t na, nb;
        const uint8_t *x = weft_sim_memory(a, space, &na), *y = weft_sim_memory(b, space, &nb);
        assert_int_equal(na, nb);
        assert_memory_equal(x, y, na);
    }
}

void same_in_every_engine(const struct weft_program *program, const struct weft_sim *fast)
{
    struct weft_sim *reference = run(program, WEFT_ENGINE_REFERENCE);
    same_memories(fast, reference);
    weft_sim_free(reference);
#ifdef WEFT_WITH_SYSTEMC
    struct weft_sim *twin = run(program, WEFT_ENGINE_SYSTEMC);
    same_memories(fast, twin);
    assert_memory_equal(weft_sim_counters(fast), weft_sim_counters(twin), sizeof(struct weft_counters));
    weft_sim_free(twin);
#endif
}

void same_and_drop(struct built *a, struct weft_sim *sim_a, struct built *b, struct weft_sim *sim_b)
{
    same_outputs(a->program, sim_a, b->program, sim_b);
    same_in_every_engine(b->program, sim_b);
    weft_sim_free(sim_a);
    weft_sim_free(sim_b);
    drop(a);
    drop(b);
}
