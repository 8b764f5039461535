/* test_joined.c: which operands of a concatenation are written where they are joined, in its scale, and which are copied into it from a scale of their own. */
#include "test_body.h"

/* Two products, of which the second is `times` as large (but for chance), joined behind each other; `more` reads them. */
static int copies(const char *times, const char *more)
{
    char body[1024];
    snprintf(body, sizeof body,
             "w = RandomNormal <shape = [64, 32], scale = 0.125, seed = 1.0> ()\nl = RandomNormal <shape = [64, 32], scale = %s, seed = 2.0> ()\n"
             "a = MatMul (x, w)\nb = MatMul (x, l)\nc = Concat <axis = 1> (a, b)\n%s", times, more);
    struct weft_program *program = compile_body(body, "16, 64", "tpu-v1", "int8");
    int count = 0;
    for (size_t i = 0; i < program->instructions; i++) {
        struct weft_instr instr;
        assert_true(weft_decode(&instr, program->text + i * WEFT_WORD_BYTES));
        count += instr.op == WEFT_OP_COPY;
    }
    weft_program_free(program);
    return count;
}

static const char joined_alone[] = "u = RandomNormal <shape = [64, 64], scale = 0.1, seed = 3.0> ()\ny = MatMul (c, u)\n";
static const char both[] = "u = RandomNormal <shape = [64, 64], scale = 0.1, seed = 3.0> ()\nv = RandomNormal <shape = [32, 64], scale = 0.1, seed = 4.0> ()\n"
                           "p = MatMul (c, u)\nq = MatMul (a, v)\ny = Add (p, q)\n";

static void digits_that_nobody_reads_are_not_kept(void **state)
{
    assert_int_equal(copies("0.125", joined_alone), 0);
    assert_int_equal(copies("12.5", joined_alone), 0);
}

/* Of ranges that are alike (ratio about 1) one scale serves all; at a hundred times, six of eight bits would be lost to whoever reads the small one. */
static void another_reader_keeps_them(void **state)
{
    assert_int_equal(copies("0.125", both), 0);
    assert_int_equal(copies("12.5", both), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_that_nobody_reads_are_not_kept),
        cmocka_unit_test(another_reader_keeps_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
