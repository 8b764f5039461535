/* test_heads.c: attention a few heads at a time, where the scores of all heads do not fit the buffer, or with its values behind the softmax: the same numbers as
 * without, in every engine. A mask that every layer makes anew is stored and brought once. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "built.h"

#define HEADS(name, from) name "l = MatMul (" from ", w" name ")\n " name "r = Reshape (" name "l, split)\n"
#define ATTENTION(score_lines) \
    HEAD "attention (float[1, 32, 64] x) => (float[1, 32, 64] y) {\n" WEIGHTS("wq", "64, 64", "1.0") WEIGHTS("wk", "64, 64", "2.0") WEIGHTS("wv", "64, 64", "3.0") \
    "split = Constant <value = int64[4] {1, 32, 4, 16}> ()\n joined = Constant <value = int64[3] {1, 32, 64}> ()\n" HEADS("q", "x") HEADS("k", "x") HEADS("v", "x") \
    "qt = Transpose <perm = [0, 2, 1, 3]> (qr)\n kt = Transpose <perm = [0, 2, 3, 1]> (kr)\n vt = Transpose <perm = [0, 2, 1, 3]> (vr)\n" \
    "s = MatMul (qt, kt)\n" score_lines "a = Softmax <axis = -1> (m)\n z = MatMul (a, vt)\n" \
    "zt = Transpose <perm = [0, 2, 1, 3]> (z)\n y = Reshape (zt, joined) }"

static const char plain[] = ATTENTION("eight = Constant <value = float {4.0}> ()\n m = Div (s, eight)\n");
static const char causal[] = ATTENTION("n = Constant <value = int64 {32}> ()\n zero = Constant <value = int64 {0}> ()\n one = Constant <value = int64 {1}> ()\n"
                                       "side = Constant <value = int64[1] {1}> ()\n columns = Range (zero, n, one)\n rows = Unsqueeze (columns, side)\n"
                                       "seen = LessOrEqual (columns, rows)\n far = Constant <value = float {-10000.0}> ()\n m = Where (seen, s, far)\n");
static const char a_row_of_keys[] = ATTENTION("c = Constant <value = float[1, 1, 1, 32] {0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,"
                                              " 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -10000.0, -10000.0, -10000.0, -10000.0}> ()\n m = Add (s, c)\n");

static struct built build_in(const char *text, const char *format, int buffer)
{
    char bytes[64];
    snprintf(bytes, sizeof bytes, "unified_buffer.bytes=%d", buffer);
    return build(text, format, (const char *[]){bytes, "dram.writable=true", "formats=u8,s8,bf16", NULL});
}

static int pieces(const struct weft_program *program)
{
    int count = 0;
    for (size_t i = 0; i < program->layer_count; i++)
        count += strstr(program->layers[i].name, "z/heads") != NULL;
    return count;
}

static void same_by_heads(const char *text, int buffer)
{
    struct built large = build_in(text, "bf16", 1 << 20), small = build_in(text, "bf16", buffer);
    assert_int_equal(pieces(large.program), 0);
    assert_int_equal(pieces(small.program), 4);
    struct weft_sim *whole = run(large.program, WEFT_ENGINE_FAST), *fast = run(small.program, WEFT_ENGINE_FAST);
    same_and_drop(&large, whole, &small, fast);
}

/* Scores of 32 x 32 numbers in fp32 are 4096 bytes a head, 16384 for all: with the shares beside them they do not fit 20480. */
static void heads_in_turn(void **state)
{
    same_by_heads(plain, 20480);
    same_by_heads(causal, 28672);
    same_by_heads(a_row_of_keys, 20480);
}

static uint64_t constants_read(int buffer, int in_pieces)
{
    struct built b = build_in(causal, "bf16", buffer);
    struct weft_sim *sim = run(b.program, WEFT_ENGINE_FAST);
    uint64_t bytes = weft_sim_counters(sim)->bytes_dram_read;
    assert_int_equal(weft_sim_counters(sim)->bytes_dram_write, 0); /* so no value came back */
    assert_int_equal(pieces(b.program), in_pieces);
    weft_sim_free(sim);
    drop(&b);
    return bytes;
}

/* Four heads read both limits of the mask, 32 x 32 numbers in fp32: they are brought once where they may stay, for each head where not. The three products
 * have 64 numbers of four bytes each. */
static void a_mask_is_brought_once(void **state)
{
    assert_int_equal(constants_read(1 << 20, 0), 2 * 4096 + 3 * 64 * 4);
    assert_int_equal(constants_read(40960, 4), 2 * 4096 + 3 * 64 * 4);
    assert_int_equal(constants_read(34816, 4), 4 * 2 * 4096 + 3 * 64 * 4);
}

static size_t place_of(const struct weft_program *program, const char *layer)
{
    size_t i = 0;
    while (i < program->layer_count && strcmp(program->layers[i].name, layer))
        i++;
    assert_true(i < program->layer_count);
    return i;
}

/* A tile of 64 bytes for 32 rows: from DRAM it takes 71 cycles at 0.9 bytes a cycle, 8 at eight. */
static void values_come_behind_the_softmax_where_weights_are_slow(void **state)
{
    struct built fast = build(plain, "int8", (const char *[]){NULL}), slow = build(plain, "int8", (const char *[]){"dram.bytes_per_second=900000000", NULL});
    assert_true(place_of(fast.program, "vl") < place_of(fast.program, "s"));
    assert_true(place_of(slow.program, "vl") > place_of(slow.program, "a"));
    assert_true(place_of(slow.program, "vl") < place_of(slow.program, "z"));
    struct weft_sim *a = run(fast.program, WEFT_ENGINE_FAST), *b = run(slow.program, WEFT_ENGINE_FAST);
    same_and_drop(&fast, a, &slow, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(heads_in_turn), cmocka_unit_test(a_mask_is_brought_once), cmocka_unit_test(values_come_behind_the_softmax_where_weights_are_slow)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
