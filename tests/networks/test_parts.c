/* test_parts.c: a batch that runs as several smaller ones, because the buffer does not hold it, gives the very bytes that it gives where it fits:
 * ranges, and with them scales and integers, are those of the whole batch, whichever way they are chosen and whatever they are taken from. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "built.h"

enum { IMAGES = 8, IMAGE = 6 * 12 * 10 };

static const char images[] = HEAD "images (float[8, 6, 12, 10] x) => (float[8, 10] y) {\n"
    WEIGHTS("w1", "16, 6, 3, 3", "1.0") "a = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, w1)\n r = Relu (a)\n"
    WEIGHTS("w2", "16, 16, 3, 3", "2.0") "b = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (r, w2)\n s = Add (b, r)\n"
    "g = GlobalAveragePool (s)\n f = Flatten (g)\n" WEIGHTS("w3", "16, 10", "3.0") "y = MatMul (f, w3) }";

/* Of 73728 numbers, which as a whole leave in eight bits; a part of them has fewer than 65536. */
static const char wide[] = HEAD "wide (float[8, 4, 24, 24] x) => (float[8, 16, 24, 24] y) {\n"
    WEIGHTS("w1", "16, 4, 1, 1", "1.0") "a = Conv <kernel_shape = [1, 1]> (x, w1)\n"
    WEIGHTS("w2", "16, 16, 3, 3", "2.0") "b = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (a, w2)\n y = Relu (b) }";

/* Each image greater than the one before: no part of the batch has the range of the whole. */
static struct weft_array growing(void)
{
    float *x = malloc(IMAGES * IMAGE * sizeof *x);
    assert_non_null(x);
    for (int i = 0; i < IMAGES * IMAGE; i++)
        x[i] = (float)((i * 37 % 101) - 50) * (float)(1 + i / IMAGE);
    return (struct weft_array){.name = (char *)"x", .element = "float32", .rank = 4, .dims = {IMAGES, 6, 12, 10}, .bytes = x, .size = IMAGES * IMAGE * sizeof *x};
}

struct cost { uint64_t weights, out; }; /* bytes of the run in the small buffer over those in the large one */

static struct cost same_in(const char *text, const struct weft_compile_options *options, const char *bytes)
{
    struct built large = build_by(text, options, (const char *[]){"unified_buffer.bytes=4194304", "formats=u8,s8,s16", NULL});
    struct built small = build_by(text, options, (const char *[]){bytes, "formats=u8,s8,s16", NULL});
    struct weft_sim *whole = run(large.program, WEFT_ENGINE_FAST), *parts = run(small.program, WEFT_ENGINE_FAST);
    const struct weft_counters *a = weft_sim_counters(whole), *b = weft_sim_counters(parts);
    struct cost more = {b->bytes_weights - a->bytes_weights, b->bytes_link_out - a->bytes_link_out};
    same_outputs(large.program, whole, small.program, parts);
    weft_sim_free(whole);
    weft_sim_free(parts);
    drop(&large);
    drop(&small);
    return more;
}

/* Parts fetch the weights again. */
static void same_in_parts(const char *text, const struct weft_compile_options *options, const char *bytes)
{
    assert_true(same_in(text, options, bytes).weights > 0);
}

static void ranges_of_random_input(void **state)
{
    static const char *const formats[] = {"int8", "int16"}, *const ranges[] = {"minmax", "percentile", "mse"}, *const buffers[] = {"unified_buffer.bytes=16384", "unified_buffer.bytes=8192"};
    for (int f = 0; f < 2; f++)
        for (int r = 0; r < 3; r++)
            for (int b = 0; b < 2; b++)
                same_in_parts(images, &(struct weft_compile_options){.seed = 7, .format = formats[f], .range = ranges[r]}, buffers[b]);
}

static void ranges_of_the_run_s_own_input(void **state)
{
    struct weft_array x = growing();
    struct weft_arrays arrays = {&x, 1};
    same_in_parts(images, &(struct weft_compile_options){.bindings = &arrays}, "unified_buffer.bytes=8192");
    free(x.bytes);
}

static void an_output_s_digits(void **state)
{
    assert_int_equal(same_in(wide, &(struct weft_compile_options){.seed = 7}, "unified_buffer.bytes=65536").out, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ranges_of_random_input), cmocka_unit_test(ranges_of_the_run_s_own_input), cmocka_unit_test(an_output_s_digits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
