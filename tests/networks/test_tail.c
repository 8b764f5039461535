/* test_tail.c: the vector work behind the last product in pieces of its rows: what it saves, and that nothing else changes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "built.h"

#define FAST_LINK "link.out_bytes_per_second=1000000000000"
#define BEHIND(shape, lines) HEAD "tail (float[" shape "] x) => (float[" shape "] y) {\n" WEIGHTS("w", "64, 64", "1.0") "a = MatMul (x, w)\n" lines "}"
#define NORMAL "m = ReduceMean <axes = [-1]> (a)\n d = Sub (a, m)\n q = Mul (d, d)\n v = ReduceMean <axes = [-1]> (q)\n s = Sqrt (v)\n"

static const char normal[] = BEHIND("1, 64, 64", NORMAL "y = Div (d, s)\n");
/* A constant for each number and for each row, the product again, a softmax, and the rows as a matrix at last. */
static const char mixed[] = HEAD "tail (float[1, 1, 32, 64] x) => (float[32, 64] y) {\n" WEIGHTS("w", "64, 64", "1.0") WEIGHTS("c", "32, 64", "2.0") WEIGHTS("r", "32, 1", "3.0")
    "a = MatMul (x, w)\n" NORMAL "n = Div (d, s)\n e = Add (n, c)\n f = Mul (e, r)\n g = Add (f, a)\n p = Softmax <axis = -1> (g)\n"
    "rows = Constant <value = int64[2] {32, 64}> ()\n t = Reshape (p, rows)\n y = Mul (t, t) }";
/* u has as many columns as x has rows. */
static const char columns[] = HEAD "tail (float[1, 64, 64] x, float[1, 64] z) => (float[1, 64, 64] y) {\n" WEIGHTS("w", "64, 64", "1.0")
    "b = MatMul (z, w)\n a = MatMul (x, w)\n u = Mul (b, z)\n d = Sub (a, u)\n y = Mul (d, d) }";
/* The largest of a column is known when all rows are. */
static const char largest[] = BEHIND("1, 64, 64", "m = ReduceMax <axes = [1]> (a)\n d = Sub (a, m)\n y = Mul (d, d)\n");

static int layers_in_tail(const struct weft_program *p)
{
    int count = 0;
    for (size_t i = 0; i < p->layer_count; i++)
        count += p->layers[i].wait && strstr(p->layers[i].wait, "pieces of its rows");
    return count;
}

/* 4096 numbers of eight lanes a cycle, in bf16 four: the mean, the difference, its square and the quotient take at least 512 + 3 x 1024 cycles; the output of
 * 16384 bytes takes the link 4096. Of the former all but the first piece's goes beside the latter; a half is asked for. */
static void the_link_works_beside_the_vector_unit(void **state)
{
    struct built whole = build(normal, "int8", (const char *[]){FAST_LINK, NULL}), pieces = build(normal, "int8", (const char *[]){NULL});
    struct weft_sim *a = run(whole.program, WEFT_ENGINE_FAST), *b = run(pieces.program, WEFT_ENGINE_FAST);
    assert_int_equal(layers_in_tail(whole.program), 0);
    assert_int_equal(weft_sim_counters(b)->bytes_link_out, 16384);
    assert_true(weft_sim_counters(b)->cycles < weft_sim_counters(a)->cycles + 4096 - (512 + 3 * 1024) / 2);
    same_and_drop(&whole, a, &pieces, b);
}

static void same_in_pieces(const char *text, const char *format, int layers)
{
    struct built whole = build(text, format, (const char *[]){FAST_LINK, NULL}), pieces = build(text, format, (const char *[]){"link.out_bytes_per_second=1000000000", NULL});
    struct weft_sim *a = run(whole.program, WEFT_ENGINE_FAST), *b = run(pieces.program, WEFT_ENGINE_FAST);
    assert_int_equal(layers_in_tail(whole.program), 0);
    assert_true(layers_in_tail(pieces.program) >= layers);
    same_and_drop(&whole, a, &pieces, b);
}

/* At least those that the network names behind the product. */
static void in_format(const char *format)
{
    same_in_pieces(normal, format, 5);
    same_in_pieces(mixed, format, 10);
    same_in_pieces(columns, format, 2);
    same_in_pieces(largest, format, 2);
}

static void rows_in_every_format(void **state)
{
    in_format("int8");
    in_format("int16");
    in_format("bf16");
    in_format("fp32");
}

/* The output of an input alone comes row by row too; what all rows read is there before the first. */
static void without_a_product(void **state)
{
    same_in_pieces(HEAD "tail (float[1, 64, 64] x, float[64] z) => (float[1, 64, 64] y) { d = Sub (x, z)\n q = Mul (d, d)\n y = Sub (q, z) }", "fp32", 3);
}

/* A piece is the values of its rows, so what is read of a value stays until the last: where there is no room for that, all rows come together. */
static void only_where_there_is_room(void **state)
{
    struct built large = build(normal, "fp32", (const char *[]){NULL}), small = build(normal, "fp32", (const char *[]){"unified_buffer.bytes=49152", NULL});
    struct weft_sim *a = run(large.program, WEFT_ENGINE_FAST), *b = run(small.program, WEFT_ENGINE_FAST);
    assert_true(layers_in_tail(large.program) >= 5);
    assert_int_equal(layers_in_tail(small.program), 0);
    same_and_drop(&large, a, &small, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_link_works_beside_the_vector_unit), cmocka_unit_test(rows_in_every_format), cmocka_unit_test(without_a_product),
                                       cmocka_unit_test(only_where_there_is_room)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
