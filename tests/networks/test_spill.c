/* test_spill.c: networks in buffers that are too small for them. The bytes that leave and come back are counted by hand; results equal those of a
 * buffer in which everything fits, byte by byte, in every engine; and the clocked twin agrees in every counter. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "built.h"

/* a waits while c, d are made of what follows it. */
static const char skip[] = HEAD "skip (float[1, 8, 16, 16] x) => (float[1, 8, 1, 1] y) {\n"
    WEIGHTS("w1", "8, 8, 1, 1", "1.0") "a = Conv <kernel_shape = [1, 1]> (x, w1)\n" WEIGHTS("w2", "8, 8, 1, 1", "2.0") "b = Conv <kernel_shape = [1, 1]> (a, w2)\n"
    WEIGHTS("w3", "16, 8, 1, 1", "3.0") "c = Conv <kernel_shape = [1, 1]> (b, w3)\n" WEIGHTS("w4", "16, 16, 1, 1", "4.0") "d = Conv <kernel_shape = [1, 1]> (c, w4)\n"
    WEIGHTS("w5", "8, 16, 1, 1", "5.0") "e = Conv <kernel_shape = [1, 1]> (d, w5)\n s = Add (e, a) y = GlobalAveragePool (s) }";

static const char tall[] = HEAD "tall (float[1, 8, 32, 16] x) => (float[1, 8, 32, 16] y) {\n"
    WEIGHTS("w1", "8, 8, 1, 1", "1.0") "y = Conv <kernel_shape = [1, 1]> (x, w1) }";

/* Windows, strides, pools, a residual, a concatenation and a crop. */
static const char mixed[] = HEAD "mixed (float[1, 4, 18, 14] x) => (float[1, 8, 16, 12] y, float[1, 8, 4, 3] z) {\n"
    WEIGHTS("w1", "8, 4, 3, 3", "1.0") "a = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, w1)\n r = Relu (a)\n"
    WEIGHTS("w2", "8, 8, 3, 3", "2.0") "b = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (r, w2)\n s = Add (b, r)\n"
    "k = Concat <axis = 1> (s, x)\n" WEIGHTS("w3", "8, 12, 3, 3", "3.0") "c = Conv <kernel_shape = [3, 3]> (k, w3)\n y = Relu (c)\n"
    "p = MaxPool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (y)\n"
    "z = AveragePool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (p) }";

/* Two images that share an input, so they are no batch that could run in parts: first images are cut apart, then their lines. */
static const char two[] = HEAD "two (float[2, 4, 12, 10] x, float[1, 8, 1, 1] s) => (float[2, 8, 6, 5] y, float[2, 8, 12, 10] z) {\n"
    WEIGHTS("w1", "8, 4, 3, 3", "1.0") "a = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, w1)\n b = Mul (a, s)\n"
    WEIGHTS("w2", "8, 8, 3, 3", "2.0") "c = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (b, w2)\n d = Add (c, b)\n z = Relu (d)\n"
    "y = MaxPool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (z) }";

static const char rows[] = HEAD "rows (float[1, 40, 24] x) => (float[1, 40, 24] y) {\n" WEIGHTS("w1", "24, 48", "1.0") "a = MatMul (x, w1)\n r = Relu (a)\n"
    WEIGHTS("w2", "48, 24", "2.0") "b = MatMul (r, w2)\n m = Add (b, x)\n y = Softmax <axis = 2> (m) }";

/* Four rows of numbers stand side by side in the array, so it has fewer rows than there may be bands. */
static const char thin[] = HEAD "thin (float[1, 96, 2] x) => (float[1, 96, 2] y) {\n" WEIGHTS("w1", "2, 2", "1.0") "a = MatMul (x, w1)\n r = Relu (a)\n" WEIGHTS("w2", "2, 2", "2.0") "y = MatMul (r, w2) }";

/* Operands that are constants: 40 x 24 numbers are 3840 bytes in fp32, the first with a table of 256 bytes in front of them. */
static const char positions[] = HEAD "positions (float[1, 40, 24] x) => (float[1, 40, 24] y) {\n"
    WEIGHTS("c1", "40, 24", "1.0") "a = Add (x, c1)\n s = Sigmoid (a)\n" WEIGHTS("w1", "24, 24", "2.0") "p = MatMul (s, w1)\n"
    WEIGHTS("c2", "1, 40, 24", "3.0") "q = Mul (p, c2)\n y = Sub (c1, q) }";

/* The mean of an image of 3072 bytes. */
static const char mean[] = HEAD "mean (float[1, 3, 16, 16] x) => (float[1, 12, 1, 1] y) {\n" WEIGHTS("w1", "12, 3, 3, 3", "1.0")
    "a = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, w1)\n r = Relu (a)\n y = GlobalAveragePool (r) }";

/* Sequences: dilated windows that reach back alone, a gate, a residual, a stride, and pools over what lies beside. */
static const char sequence[] = HEAD "sequence (float[1, 4, 96] x) => (float[1, 8, 96] y, float[1, 8, 24] z, float[1, 8, 48] m) {\n"
    WEIGHTS("w1", "8, 4, 2", "1.0") "a = Conv <kernel_shape = [2], dilations = [16], pads = [16, 0]> (x, w1)\n t = Tanh (a)\n"
    WEIGHTS("w2", "8, 4, 2", "2.0") "b = Conv <kernel_shape = [2], dilations = [16], pads = [16, 0]> (x, w2)\n s = Sigmoid (b)\n g = Mul (t, s)\n"
    WEIGHTS("w3", "8, 8, 1", "3.0") "r = Conv <kernel_shape = [1]> (g, w3)\n y = Add (r, g)\n"
    WEIGHTS("w4", "8, 8, 5", "4.0") "c = Conv <kernel_shape = [5], strides = [2], pads = [2, 2]> (y, w4)\n m = Relu (c)\n"
    "p = MaxPool <kernel_shape = [3], strides = [1], pads = [1, 1]> (m)\n"
    "z = AveragePool <kernel_shape = [7], strides = [2], pads = [3, 3], count_include_pad = 1> (p) }";

/* Two lines that are longer than the buffer is deep. */
static const char wide[] = HEAD "wide (float[1, 4, 2, 160] x) => (float[1, 8, 2, 80] y, float[1, 8, 2, 160] z) {\n"
    WEIGHTS("w1", "8, 4, 3, 3", "1.0") "a = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, w1)\n r = Relu (a)\n"
    WEIGHTS("w2", "8, 1, 3, 3", "2.0") "d = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1], group = 8> (r, w2)\n z = Add (d, r)\n"
    "p = MaxPool <kernel_shape = [3, 3], strides = [1, 1], pads = [1, 1, 1, 1]> (z)\n"
    "y = AveragePool <kernel_shape = [2, 5], strides = [1, 2], pads = [0, 2, 1, 2]> (p) }";

/* Windows of more bands than the last reach into the padding, which counts. */
static const char averages[] = HEAD "averages (float[1, 8, 24, 10] x) => (float[1, 8, 24, 10] y) {\n"
    WEIGHTS("w1", "8, 8, 1, 1", "1.0") "a = Conv <kernel_shape = [1, 1]> (x, w1)\n"
    "p = AveragePool <kernel_shape = [7, 3], pads = [3, 1, 3, 1], count_include_pad = 1> (a)\n y = Add (p, a) }";

/* So many output channels that their biases and scales fill the buffer: 204 of 8 bytes are 1632, 406 are 3248. */
static const char words[] = HEAD "words (float[1, 6, 24] x) => (float[1, 6, 204] y) {\n" WEIGHTS("w1", "24, 204", "1.0") "y = MatMul (x, w1) }";

static const char channels[] = HEAD "channels (float[1, 6, 24] x) => (float[1, 6, 406] z) {\n"
    WEIGHTS("w1", "24, 406", "1.0") WEIGHTS("b1", "406", "2.0") "a = MatMul (x, w1)\n s = Add (a, b1)\n t = Tanh (s)\n"
    WEIGHTS("w2", "24, 406", "3.0") "c = MatMul (x, w2)\n d = Add (c, t)\n z = Relu (d) }";

/* One row, of which every part lies in one piece. */
static const char token[] = HEAD "token (float[1, 24] x) => (float[1, 20] y) {\n" WEIGHTS("w1", "24, 406", "1.0") "a = MatMul (x, w1)\n r = Relu (a)\n"
    WEIGHTS("w2", "406, 20", "2.0") "y = MatMul (r, w2) }";

/* Depthwise on the vector unit where that is wide: 40 channels have 26 numbers of 4 bytes each, 4160 bytes. */
static const char apart[] = HEAD "apart (float[1, 6, 8, 8] x) => (float[1, 40, 8, 8] y) {\n" WEIGHTS("w1", "40, 6, 1, 1", "1.0") "a = Conv <kernel_shape = [1, 1]> (x, w1)\n"
    WEIGHTS("w2", "40, 1, 5, 5", "2.0") WEIGHTS("b2", "40", "3.0") "b = Conv <kernel_shape = [5, 5], pads = [2, 2, 2, 2], group = 40> (a, w2, b2)\n s = Sigmoid (b)\n"
    "p = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (s)\n y = Add (p, a) }";

/* A line of five pixels under one window: channels are all that can be cut of it, and those of the result lie side by side. */
static const char single[] = HEAD "single (float[1, 40, 1, 5] x) => (float[1, 40, 1, 1] y) {\n r = Sigmoid (x)\n p = MaxPool <kernel_shape = [1, 5]> (r)\n"
    WEIGHTS("w1", "40, 40, 1, 1", "1.0") "y = Conv <kernel_shape = [1, 1]> (p, w1) }";

/* Two products of computed values, of two heads, with a constant added to the first (24 x 24 numbers, brought with the bands) and a Transpose behind the second;
 * no softmax, whose sums of floats depend on the buffer. */
#define HEADS_OF(name, perm) name "l = MatMul (x, w" name ")\n " name "r = Reshape (" name "l, split)\n " name " = Transpose <perm = [" perm "]> (" name "r)\n"
static const char pairs[] = HEAD "pairs (float[1, 24, 16] x) => (float[1, 24, 16] y) {\n split = Constant <value = int64[4] {1, 24, 2, 8}> ()\n joined = Constant <value = int64[3] {1, 24, 16}> ()\n"
    WEIGHTS("wq", "16, 16", "1.0") WEIGHTS("wk", "16, 16", "2.0") WEIGHTS("wv", "16, 16", "3.0") WEIGHTS("near", "24, 24", "4.0")
    HEADS_OF("q", "0, 2, 1, 3") HEADS_OF("k", "0, 2, 3, 1") HEADS_OF("v", "0, 2, 1, 3")
    "s = MatMul (q, k)\n m = Add (s, near)\n a = Sigmoid (m)\n z = MatMul (a, v)\n t = Transpose <perm = [0, 2, 1, 3]> (z)\n y = Reshape (t, joined) }";

/* The result leaves columns first. */
static const char turned[] = HEAD "turned (float[40, 12] x) => (float[40, 40] y) {\n r = Tanh (x)\n g = Sigmoid (x)\n c = Transpose <perm = [1, 0]> (g)\n p = MatMul (r, c)\n"
    "h = Sigmoid (p)\n t = Transpose <perm = [1, 0]> (h)\n y = Mul (t, h) }";

static struct built build_in(const char *text, const char *format, uint64_t buffer, bool dram, const char *setting /* one more, or NULL */)
{
    char bytes[64];
    snprintf(bytes, sizeof bytes, "unified_buffer.bytes=%llu", (unsigned long long)buffer);
    return build(text, format, (const char *[]){bytes, dram ? "dram.writable=true" : "dram.writable=false", setting, NULL});
}

static struct weft_counters count(const char *text, uint64_t buffer, bool dram)
{
    struct built b = build_in(text, "int8", buffer, dram, NULL);
    struct weft_sim *sim = run(b.program, WEFT_ENGINE_FAST);
    struct weft_counters counters = *weft_sim_counters(sim);
    weft_sim_free(sim);
    drop(&b);
    return counters;
}

/* 8 channels of 16 x 16 are 2048 bytes, 16 are 4096; each layer has 8 bytes of constants a channel, 448 in all, which stand in DRAM where programs reach it. c and d beside a are 10240. The result is
 * eight numbers of a byte. */
static void what_waits_leaves(void **state)
{
    struct weft_counters all = count(skip, 16384, true), dram = count(skip, 9216, true), host = count(skip, 9216, false);
    assert_int_equal(all.bytes_dram_write, 0);
    assert_int_equal(all.bytes_dram_read, 448);
    assert_int_equal(all.bytes_link_in, 2048);
    assert_int_equal(all.bytes_link_out, 8);
    assert_int_equal(dram.bytes_dram_write, 2048);
    assert_int_equal(dram.bytes_dram_read, 2048 + 448);
    assert_int_equal(dram.bytes_link_in, 2048);
    assert_int_equal(dram.bytes_link_out, 8);
    assert_int_equal(host.bytes_dram_write, 0);
    assert_int_equal(host.bytes_link_in, 2048 + 448 + 2048);
    assert_int_equal(host.bytes_link_out, 8 + 2048);
    assert_int_equal(dram.bytes_weights, all.bytes_weights); /* nothing ran in bands */
}

/* 32 lines of 128 bytes in and 512 out (fp32, for it only leaves), 64 bytes of constants: two bands of 3 lines of each are 3904 bytes, of 4 lines 5184.
 * Eleven bands of 3 lines are one line more than there are; each fetches the one tile of 64 bytes. */
static void fewest_bands(void **state)
{
    struct weft_counters all = count(tall, 32768, true), bands = count(tall, 4096, true);
    assert_int_equal(all.bytes_dram_read, 64);
    assert_int_equal(all.bytes_link_in, 4096);
    assert_int_equal(all.bytes_link_out, 32 * 512);
    assert_int_equal(all.bytes_weights, 64);
    assert_int_equal(bands.bytes_dram_read, 64);
    assert_int_equal(bands.bytes_link_in, 33 * 128);
    assert_int_equal(bands.bytes_link_out, 33 * 512);
    assert_int_equal(bands.bytes_weights, 11 * 64);
    assert_int_equal(bands.bytes_dram_write, 0); /* an output's home is the host */
}

/* A row of the result is 816 bytes in fp32 and does not fit 2048 beside all biases and scales. In bands of channels those come once, a band's with it, and so
 * do the weights. */
static void channels_fetch_their_weights_once(void **state)
{
    struct weft_counters all = count(words, 32768, true), bands = count(words, 2048, true);
    assert_int_equal(all.bytes_weights, 24 * 204);
    assert_int_equal(bands.bytes_weights, 24 * 204);
    assert_int_equal(bands.bytes_dram_read, 204 * 8);
    assert_int_equal(bands.bytes_link_in, 6 * 24);
    assert_int_equal(bands.bytes_link_out, 6 * 204 * 4);
    assert_int_equal(bands.bytes_dram_write, 0);
}

static void in_every_engine_of(const char *text, const char *format, uint64_t buffer, bool dram, const char *setting)
{
    struct built large = build_in(text, format, 1 << 20, dram, setting), small = build_in(text, format, buffer, dram, setting);
    struct weft_sim *whole = run(large.program, WEFT_ENGINE_FAST), *fast = run(small.program, WEFT_ENGINE_FAST);
    const struct weft_counters *a = weft_sim_counters(whole), *b = weft_sim_counters(fast);
    assert_true(b->bytes_dram_write + b->bytes_link_out > a->bytes_dram_write + a->bytes_link_out);
    assert_int_equal(a->bytes_dram_write, 0);
    same_and_drop(&large, whole, &small, fast);
}

static void in_every_engine(const char *text, const char *format, uint64_t buffer, bool dram)
{
    in_every_engine_of(text, format, buffer, dram, NULL);
}

static void windows_in_bands(void **state)
{
    in_every_engine(mixed, "int8", 3072, true);
    in_every_engine(mixed, "int8", 2048, false);
    in_every_engine(mixed, "bf16", 6144, true);
}

static void sequences_in_bands(void **state)
{
    in_every_engine(sequence, "int8", 1024, true);
    in_every_engine(sequence, "int8", 1536, false);
    in_every_engine(sequence, "bf16", 4096, true);
}

static void parts_of_lines(void **state)
{
    in_every_engine(wide, "int8", 3072, true);
    in_every_engine(wide, "int8", 4096, false);
}

static void averages_in_bands(void **state)
{
    in_every_engine(averages, "int8", 2048, true);
    in_every_engine(averages, "fp32", 8192, true);
}

static void images_and_their_lines(void **state)
{
    in_every_engine(two, "int8", 4096, true);
    in_every_engine(two, "int8", 1536, true);
    in_every_engine(two, "int8", 2048, false);
}

static void matrices_in_bands(void **state)
{
    in_every_engine(rows, "int8", 2048, true);
    in_every_engine(rows, "bf16", 6144, false);
    in_every_engine(thin, "int8", 64, true);
}

static void channels_in_bands(void **state)
{
    in_every_engine(channels, "int8", 2048, true);
    in_every_engine(channels, "int8", 3072, false);
    in_every_engine(channels, "bf16", 2048, true);
    in_every_engine(channels, "fp32", 3072, true);
    in_every_engine(token, "int8", 2048, true);
}

static void channels_apart_in_bands(void **state)
{
    in_every_engine_of(apart, "int8", 6144, true, "vector.rows=32");
    in_every_engine_of(apart, "int8", 3072, true, "vector.rows=32");
    in_every_engine_of(apart, "bf16", 6144, false, "vector.rows=32");
    in_every_engine(single, "int16", 576, true);
}

static void products_in_bands(void **state)
{
    in_every_engine_of(pairs, "int8", 1536, true, "formats=u8,s8,bf16");
    in_every_engine_of(pairs, "int8", 2048, false, "formats=u8,s8,bf16");
    in_every_engine_of(pairs, "bf16", 3072, true, "formats=u8,s8,bf16");
    in_every_engine(turned, "int8", 1536, true);
}

static void constants_in_bands(void **state)
{
    in_every_engine(positions, "int8", 3072, true);
    in_every_engine(positions, "int8", 2560, false);
    in_every_engine(positions, "bf16", 3072, true);
}

/* Two layers, one dimension after the other: of sixteen by sixteen whole numbers that is the same mean, whatever the order in which they are added. */
static void a_mean_in_bands(void **state)
{
    in_every_engine(mean, "int8", 2560, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_waits_leaves), cmocka_unit_test(fewest_bands), cmocka_unit_test(channels_fetch_their_weights_once), cmocka_unit_test(channels_in_bands), cmocka_unit_test(channels_apart_in_bands), cmocka_unit_test(products_in_bands),
                                       cmocka_unit_test(windows_in_bands), cmocka_unit_test(sequences_in_bands), cmocka_unit_test(parts_of_lines),
                                       cmocka_unit_test(averages_in_bands), cmocka_unit_test(images_and_their_lines),
                                       cmocka_unit_test(matrices_in_bands), cmocka_unit_test(constants_in_bands), cmocka_unit_test(a_mean_in_bands)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
