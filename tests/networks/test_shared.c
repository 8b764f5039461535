/* test_shared.c: a batch in two halves: what all inferences share is whole before any of them reads it, and what nobody reads is not brought. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "built.h"

enum { ROWS = 4, WIDTH = 20 };

/* d has a multiple of the batch's numbers, and no batch; the comparison takes several steps. */
#define SHARED(inputs) HEAD "shared (float[4, 20] x, float[20] d" inputs ") => (float[4, 20] y) {\n" \
    "zero = Constant <value = float {0.0}> ()\n c = Less (d, zero)\n y = Where (c, zero, x) }"

static void check(const struct built *b, const struct weft_sim *sim)
{
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    struct weft_arrays inputs = {0};
    struct weft_array y = {0};
    uint64_t bytes;
    const uint8_t *host = weft_sim_memory(sim, WEFT_SPACE_HOST, &bytes);
    assert_int_equal(weft_random_inputs(&inputs, b->program, 7, &diag), WEFT_OK);
    assert_int_equal(weft_tensor_unpack(&y, &b->program->outputs[0], host, bytes, &diag), WEFT_OK);
    const float *x = inputs.items[0].bytes, *d = inputs.items[1].bytes, *got = y.bytes;
    for (int i = 0; i < ROWS * WIDTH; i++)
        assert_true(got[i] == (d[i % WIDTH] < 0 ? 0 : x[i]));
    weft_arrays_free(&inputs);
    free(y.name);
    free(y.bytes);
}

static uint64_t brought(const char *text, const char *machine)
{
    struct built b = build_for(text, "fp32", machine, (const char *[]){NULL});
    struct weft_sim *sim = run(b.program, WEFT_ENGINE_FAST);
    uint64_t bytes = weft_sim_counters(sim)->bytes_link_in;
    check(&b, sim);
    same_in_every_engine(b.program, sim);
    weft_sim_free(sim);
    drop(&b);
    return bytes;
}

static void what_all_rows_read_is_whole(void **state)
{
    brought(SHARED(""), "tiny");
    brought(SHARED(""), "tpu-v3");
    brought(SHARED(""), "tpu-v4i");
}

static void what_nobody_reads_stays_outside(void **state)
{
    assert_int_equal(brought(SHARED(", float[4, 900] unread"), "tpu-v3"), brought(SHARED(""), "tpu-v3"));
    assert_int_equal(brought(SHARED(", float[4, 900] unread"), "tiny"), brought(SHARED(""), "tiny"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_all_rows_read_is_whole), cmocka_unit_test(what_nobody_reads_stays_outside)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
