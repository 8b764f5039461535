/* test_compile.c: one network compiled again and again, for several machines, by several threads at once. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weft_compiler.h"

enum { THREADS = 4, ROUNDS = 3 };

struct job {
    struct weft_network *network;
    struct weft_machine machine;
    struct weft_compile_options options;
    struct weft_program *program;
    enum weft_status status;
};

static void *compile(void *user)
{
    struct job *job = user;
    for (int i = 0; i < ROUNDS && !job->status; i++) {
        weft_program_free(job->program);
        job->program = NULL;
        job->status = weft_compile(&job->program, job->network, &job->machine, &job->options, NULL);
    }
    return NULL;
}

static void same(const struct weft_program *a, const struct weft_program *b)
{
    assert_int_equal(a->instructions, b->instructions);
    assert_memory_equal(a->text, b->text, a->instructions * WEFT_WORD_BYTES);
    assert_int_equal(a->weights_bytes, b->weights_bytes);
    assert_true(!a->weights_bytes || !memcmp(a->weights, b->weights, a->weights_bytes));
    assert_int_equal(a->data_bytes, b->data_bytes);
    assert_memory_equal(a->data, b->data, a->data_bytes);
}

/* Each machine's program is what a network fresh from its file compiles to. */
static void compile_for(const char *const machines[THREADS], bool timing_only)
{
    struct job jobs[THREADS] = {0};
    pthread_t threads[THREADS];
    struct weft_compile_options options = {.timing_only = timing_only};
    struct weft_network *shared;
    assert_int_equal(weft_network_load(&shared, SOURCE_DIR "/models/cifar10-lenet.onnxtxt", &options, NULL), WEFT_OK);
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){.network = shared, .options = options};
        assert_int_equal(weft_machine_load(&jobs[i].machine, machines[i], NULL), WEFT_OK);
        assert_int_equal(pthread_create(&threads[i], NULL, compile, &jobs[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++) {
        struct weft_network *fresh;
        struct weft_program *program;
        assert_int_equal(jobs[i].status, WEFT_OK);
        assert_int_equal(weft_network_load(&fresh, SOURCE_DIR "/models/cifar10-lenet.onnxtxt", &options, NULL), WEFT_OK);
        assert_int_equal(weft_compile(&program, fresh, &jobs[i].machine, &options, NULL), WEFT_OK);
        same(jobs[i].program, program);
        weft_program_free(program);
        weft_program_free(jobs[i].program);
        weft_network_free(fresh);
    }
    weft_network_free(shared);
}

static void with_values(void **state)
{
    compile_for((const char *const[]){"tpu-v1", "tiny", "edge", "tpu-v1"}, false);
}

static void for_timing(void **state)
{
    compile_for((const char *const[]){"edge", "tpu-v1", "tiny", "edge"}, true);
}

/* A batch that does not fit runs in parts, whichever option gave it. */
static void a_named_batch_runs_in_parts(void **state)
{
    static const char text[] = "<ir_version: 8, opset_import: [\"\" : 13]>\n"
                               "m (float[N, 512] x) => (float[N, 512] y) { w = RandomNormal <shape = [512, 512]> () y = MatMul (x, w) }";
    char path[] = "/tmp/weft-compile-XXXXXX";
    int file = mkstemp(path);
    assert_int_equal(write(file, text, sizeof text - 1), sizeof text - 1);
    close(file);
    struct weft_dim dim = {.name = "N", .value = 4096};
    struct weft_compile_options named = {.timing_only = true, .dims = &dim, .dim_count = 1}, counted = {.timing_only = true, .batch = 4096};
    struct weft_program *by_name, *by_count;
    struct weft_network *network;
    struct weft_machine machine;
    assert_int_equal(weft_machine_load(&machine, "tpu-v1", NULL), WEFT_OK);
    machine.ub_bytes = 1 << 20;
    assert_int_equal(weft_network_load(&network, path, &named, NULL), WEFT_OK);
    assert_int_equal(weft_compile(&by_name, network, &machine, &named, NULL), WEFT_OK);
    weft_network_free(network);
    assert_int_equal(weft_network_load(&network, path, &counted, NULL), WEFT_OK);
    assert_int_equal(weft_compile(&by_count, network, &machine, &counted, NULL), WEFT_OK);
    weft_network_free(network);
    same(by_name, by_count);
    weft_program_free(by_name);
    weft_program_free(by_count);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(with_values), cmocka_unit_test(for_timing), cmocka_unit_test(a_named_batch_runs_in_parts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
