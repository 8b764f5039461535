/* test_front.c: batches whose first layers run a few images at a time: what is fetched again, what they save, and that nothing else changes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "built.h"

/* An image is 2048 bytes, in a 8192, in b 2048, in y 512. On 8 x 8 cells a and b have four tiles of 64 bytes each, y one. */
#define STACK(n) HEAD "stack (float[" n ", 8, 16, 16] x) => (float[" n ", 8, 8, 8] y) {\n" \
    WEIGHTS("w1", "32, 8, 1, 1", "1.0") "a = Conv <kernel_shape = [1, 1]> (x, w1)\n" WEIGHTS("w2", "8, 32, 1, 1", "2.0") "b = Conv <kernel_shape = [1, 1]> (a, w2)\n" \
    WEIGHTS("w3", "8, 8, 1, 1", "3.0") "y = Conv <kernel_shape = [1, 1], strides = [2, 2]> (b, w3) }"
static const char stack[] = STACK("8"), twice[] = STACK("16");

/* Windows and padding, both pools, a residual, a concatenation of which the front makes one part, a gate, a depthwise convolution, normalisation. */
static const char mixed[] = HEAD "mixed (float[6, 4, 18, 14] x) => (float[6, 10] y) {\n"
    WEIGHTS("w1", "8, 4, 3, 3", "1.0") "a = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, w1)\n r = Relu (a)\n"
    "p = MaxPool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (r)\n" WEIGHTS("w2", "8, 8, 3, 3", "2.0")
    "c = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (p, w2)\n s = Add (c, p)\n n = LRN <size = 3> (s)\n" WEIGHTS("w3", "8, 1, 3, 3", "3.0")
    "d = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1], group = 8> (n, w3)\n g = GlobalAveragePool (d)\n" WEIGHTS("w4", "8, 8, 1, 1", "4.0")
    "h = Conv <kernel_shape = [1, 1]> (g, w4)\n i = Sigmoid (h)\n e = Mul (d, i)\n k = Concat <axis = 1> (e, s)\n" WEIGHTS("w5", "8, 16, 3, 3", "5.0")
    "m = Conv <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (k, w5)\n q = AveragePool <kernel_shape = [2, 2], strides = [2, 2], pads = [1, 1, 0, 0]> (m)\n"
    "f = Flatten (q)\n" WEIGHTS("w6", "48, 10", "6.0") "y = MatMul (f, w6) }";

/* A link for which nothing waits. */
#define FAST_LINK "link.in_bytes_per_second=1000000000000", "link.out_bytes_per_second=1000000000000"

static int layers_in_front(const struct weft_program *p)
{
    int count = 0;
    for (size_t i = 0; i < p->layer_count; i++)
        count += p->layers[i].wait && strstr(p->layers[i].wait, "at a time");
    return count;
}

/* Whole: 2048 rows in two chunks of the 1024 accumulators, so eight fetches for a and for b; y takes one. In front: four for a and for b and each image. Room
 * for x, b and one image of a is 16384 + 16384 + 8192 bytes; a as a whole is 65536. */
static void what_does_not_fit_comes_image_by_image(void **state)
{
    struct built whole = build(stack, "int8", (const char *[]){FAST_LINK, NULL});
    struct built front = build(stack, "int8", (const char *[]){FAST_LINK, "unified_buffer.bytes=49152", NULL});
    struct weft_sim *a = run(whole.program, WEFT_ENGINE_FAST), *b = run(front.program, WEFT_ENGINE_FAST);
    assert_int_equal(layers_in_front(whole.program), 0);
    assert_int_equal(layers_in_front(front.program), 2);
    assert_int_equal(weft_sim_counters(a)->bytes_weights, (8 + 8 + 1) * 64);
    assert_int_equal(weft_sim_counters(b)->bytes_weights, (8 * (4 + 4) + 1) * 64);
    assert_int_equal(weft_sim_counters(b)->bytes_dram_write, 0);
    assert_int_equal(weft_sim_counters(b)->bytes_link_in, 8 * 2048);
    same_and_drop(&whole, a, &front, b);
}

/* Twice as many images run one half behind the other, and each half brings its own inputs. In bf16, where scales do not depend on what is calibrated with. */
static void each_part_of_a_batch_has_its_own_inputs(void **state)
{
    struct built whole = build(twice, "bf16", (const char *[]){NULL}), parts = build(twice, "bf16", (const char *[]){"unified_buffer.bytes=98304", NULL});
    struct weft_sim *a = run(whole.program, WEFT_ENGINE_FAST), *b = run(parts.program, WEFT_ENGINE_FAST);
    assert_int_equal(layers_in_front(parts.program), 3);
    assert_int_equal(weft_sim_counters(b)->bytes_weights, 2 * 8 * (4 + 4 + 1) * 128);
    assert_int_equal(weft_sim_counters(b)->bytes_link_in, 16 * 2048 * 2);
    same_and_drop(&whole, a, &parts, b);
}

/* At a byte a cycle the input takes 16384 cycles. The array is an image behind the link or two (4 x 256 rows for each of a and b, 64 of y), and the last
 * image's result is 512 numbers of 4 bytes, 4 a cycle; whole, b alone would take 8192 behind the input, and the result 4096. */
static void work_goes_beside_the_link(void **state)
{
    struct built front = build(stack, "int8", (const char *[]){"link.in_bytes_per_second=1000000000", NULL});
    struct weft_sim *sim = run(front.program, WEFT_ENGINE_FAST);
    assert_int_equal(layers_in_front(front.program), 3);
    assert_true(weft_sim_counters(sim)->cycles < 16384 + 2 * (2 * 1024 + 64) + 512);
    same_in_every_engine(front.program, sim);
    weft_sim_free(sim);
    drop(&front);
}

/* An image's part of a stands where all others do; b has its own place for each, and is there once, as a whole. */
static void probes_name_the_images(void **state)
{
    struct built front = build(stack, "int8", (const char *[]){FAST_LINK, "unified_buffer.bytes=49152", NULL});
    uint64_t a = 0, b = 0, at = 0;
    for (size_t i = 0; i < front.program->probe_count; i++) {
        const struct weft_probe *p = &front.program->probes[i];
        if (!strcmp(p->tensor.name, "a")) {
            assert_int_equal(p->first, a++);
            assert_int_equal(p->tensor.dims[0], 1);
            assert_true(a == 1 || p->tensor.host == at);
            at = p->tensor.host;
        } else if (!strcmp(p->tensor.name, "b")) {
            assert_int_equal(p->first, 0);
            assert_int_equal(p->tensor.dims[0], 8);
            b++;
        }
    }
    assert_int_equal(a, 8);
    assert_int_equal(b, 1);
    drop(&front);
}

/* A byte in five cycles: the input takes longer than the layers behind the first. */
static void in_format(const char *format, bool exact)
{
    struct built whole = build(mixed, format, (const char *[]){FAST_LINK, "dram.bytes_per_second=1000000000000", NULL});
    struct built front = build(mixed, format, (const char *[]){"link.in_bytes_per_second=200000000", "dram.bytes_per_second=1000000000000", NULL});
    struct weft_sim *a = run(whole.program, WEFT_ENGINE_FAST), *b = run(front.program, WEFT_ENGINE_FAST);
    assert_int_equal(layers_in_front(whole.program), 0);
    assert_true(layers_in_front(front.program) >= 3);
    if (exact) { /* sums of floats depend on where tiles end */
        same_and_drop(&whole, a, &front, b);
        return;
    }
    weft_sim_free(a);
    weft_sim_free(b);
    drop(&whole);
    drop(&front);
}

static void layers_of_every_kind(void **state)
{
    in_format("int8", true);
    in_format("int16", true);
    in_format("bf16", false);
    in_format("fp32", false);
}

/* Eight images and eight channels: t has as many channels as there are images, and is the same for all of them. */
static void what_is_broadcast_is_no_batch(void **state)
{
    static const char text[] = HEAD "plus (float[8, 8, 16, 16] x, float[8, 16, 16] t) => (float[8, 8, 16, 16] y) {\n"
        WEIGHTS("w1", "8, 8, 1, 1", "1.0") "a = Conv <kernel_shape = [1, 1]> (x, w1)\n b = Add (a, t)\n" WEIGHTS("w2", "8, 8, 1, 1", "2.0") "y = Conv <kernel_shape = [1, 1]> (b, w2) }";
    struct built whole = build(text, "bf16", (const char *[]){FAST_LINK, NULL}), front = build(text, "bf16", (const char *[]){"link.in_bytes_per_second=2000000000", NULL});
    struct weft_sim *a = run(whole.program, WEFT_ENGINE_FAST), *b = run(front.program, WEFT_ENGINE_FAST);
    assert_int_equal(layers_in_front(whole.program), 0);
    same_outputs(whole.program, a, front.program, b);
    weft_sim_free(a);
    weft_sim_free(b);
    drop(&whole);
    drop(&front);
}

/* An inference of three dimensions is a line of its place in the buffer, of 6 rows of 16 floats. Seven of them have no halves. */
static void probes_lie_in_the_buffer(void **state)
{
    static const char text[] = HEAD "beside (float[7, 6, 16] a, float[7, 16, 4] b) => (float[7, 6, 4] y) { r = Relu (a) y = MatMul (r, b) }";
    struct built front = build(text, "fp32", (const char *[]){NULL});
    int parts = 0;
    for (size_t i = 0; i < front.program->probe_count; i++) {
        const struct weft_tensor *t = &front.program->probes[i].tensor;
        if (strcmp(t->name, "r") || t->dims[0] != 1)
            continue;
        assert_int_equal(t->bytes, 6 * 16 * 4);
        parts++;
    }
    assert_int_equal(parts, 7);
    drop(&front);
}

/* The product leaves image by image under its own name; under the other, which all images have together, as a whole. Both are 7 x 60 x 70 numbers of a byte. */
static void an_output_has_two_names(void **state)
{
    static const char text[] = HEAD "named (float[7, 60, 50] x) => (float[7, 60, 70] y, float[29400] flat) {\n" WEIGHTS("w", "50, 70", "1.0")
        WEIGHTS("w2", "70, 70", "2.0")
        "row = Constant <value_ints = [-1]> ()\n a = MatMul (x, w)\n y = MatMul (a, w2)\n flat = Reshape (y, row) }";
    struct built whole = build(text, "int8", (const char *[]){FAST_LINK, NULL}), front = build(text, "int8", (const char *[]){"link.in_bytes_per_second=200000000", "link.out_bytes_per_second=1000000000000", NULL});
    struct weft_sim *a = run(whole.program, WEFT_ENGINE_FAST), *b = run(front.program, WEFT_ENGINE_FAST);
    assert_int_equal(layers_in_front(whole.program), 0);
    assert_true(layers_in_front(front.program) > 0);
    assert_int_equal(weft_sim_counters(b)->bytes_link_out, 2 * 7 * 60 * 70);
    same_and_drop(&whole, a, &front, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(an_output_has_two_names), cmocka_unit_test(what_does_not_fit_comes_image_by_image), cmocka_unit_test(each_part_of_a_batch_has_its_own_inputs),
                                       cmocka_unit_test(work_goes_beside_the_link),
                                       cmocka_unit_test(probes_name_the_images), cmocka_unit_test(probes_lie_in_the_buffer), cmocka_unit_test(layers_of_every_kind), cmocka_unit_test(what_is_broadcast_is_no_batch)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
