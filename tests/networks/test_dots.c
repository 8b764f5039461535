/* test_dots.c: small products of computed values on the vector unit: the integers that the array gives, wherever the operands and the result lie. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "built.h"

#define DOTS(a, b, y, lines) HEAD "dots (float[" a "] p, float[" b "] q) => (float[" y "] y) {\n" lines "}"

static const char plain[] = DOTS("1, 12, 16", "1, 16, 9", "1, 12, 9", "y = MatMul (p, q)\n");
static const char second_turned[] = DOTS("1, 12, 16", "1, 9, 16", "1, 12, 9", "t = Transpose <perm = [0, 2, 1]> (q)\n y = MatMul (p, t)\n");
static const char both_turned[] = DOTS("16, 12", "9, 16", "12, 9", "s = Transpose <perm = [1, 0]> (p)\n t = Transpose <perm = [1, 0]> (q)\n y = MatMul (s, t)\n");
static const char result_turned[] = DOTS("1, 12, 16", "1, 16, 9", "1, 9, 12", "z = MatMul (p, q)\n y = Transpose <perm = [0, 2, 1]> (z)\n");
static const char itself[] = HEAD "dots (float[1, 27, 16] p) => (float[1, 27, 27] y) { t = Transpose <perm = [0, 2, 1]> (p)\n y = MatMul (p, t) }";
static const char factor[] = DOTS("12, 16", "16, 9", "12, 9", "four = Constant <value = float {4.0}> ()\n z = MatMul (p, q)\n y = Div (z, four)\n");
/* Numbers from zero on, and from below it: one operand in u8, or with a zero point; the product goes on into the array. */
static const char between[] = DOTS("1, 12, 16", "1, 16, 8", "1, 12, 8", WEIGHTS("w", "8, 8", "3.0") "s = Sigmoid (p)\n l = LeakyRelu <alpha = 0.1> (q)\n z = MatMul (s, l)\n y = MatMul (z, w)\n");

static bool on_vector_unit(const struct weft_program *p)
{
    bool found = false;
    for (size_t i = 0; i < p->layer_count; i++)
        found |= p->layers[i].wait && strstr(p->layers[i].wait, "sooner done than a tile is shifted");
    return found;
}

/* The array of `tiny` passes a row in 24 cycles, less than any of them takes on its vector unit; that of tpu-v1 takes 768. */
static void as_on_the_array(const char *text, const char *format)
{
    struct built array = build(text, format, (const char *[]){NULL}), vector = build_for(text, format, "tpu-v1", (const char *[]){"formats=u8,s8,s16,bf16", NULL});
    assert_false(on_vector_unit(array.program));
    assert_true(on_vector_unit(vector.program));
    struct weft_sim *a = run(array.program, WEFT_ENGINE_FAST), *b = run(vector.program, WEFT_ENGINE_FAST);
    same_and_drop(&array, a, &vector, b);
}

static void every_form(void **state)
{
    static const char *const forms[] = {plain, second_turned, both_turned, result_turned, itself, factor, between};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        as_on_the_array(forms[i], "int8");
}

static bool chosen(const char *text, const char *format)
{
    struct built b = build_for(text, format, "tpu-v1", (const char *[]){"formats=u8,s8,s16,bf16", NULL});
    struct weft_sim *sim = run(b.program, WEFT_ENGINE_FAST);
    bool found = on_vector_unit(b.program);
    same_in_every_engine(b.program, sim);
    weft_sim_free(sim);
    drop(&b);
    return found;
}

/* 12 x 9 products of fp32 are two lines of 256 bytes, for each of 16 k; they are written and read once: 64 cycles and twice the depth of 8, where a tile takes
 * 256 to shift in and 512 to pass. Those of 96 x 96 are 144 lines. */
static void only_where_it_is_sooner(void **state)
{
    assert_true(chosen(plain, "int8"));
    assert_true(chosen(plain, "bf16"));
    assert_true(chosen(plain, "fp32"));
    assert_false(chosen(plain, "int16")); /* sums of 32 bits are not exact in fp32 */
    assert_false(chosen(DOTS("1, 96, 16", "1, 16, 96", "1, 96, 96", "y = MatMul (p, q)\n"), "int8"));
    assert_false(chosen(DOTS("2, 12, 16", "2, 16, 9", "2, 12, 9", "y = MatMul (p, q)\n"), "int8")); /* a tile for each */
    assert_false(chosen(DOTS("1, 2, 300", "1, 300, 2", "1, 2, 2", "y = MatMul (p, q)\n"), "int8")); /* sums beyond 2^24 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_form), cmocka_unit_test(only_where_it_is_sooner)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
