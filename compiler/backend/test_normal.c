/* test_normal.c: the numbers between the steps of a normalisation and of a softmax, in the formats that have eight bits and in those that have more. */
#include "test_body.h"

static const char normalisation[] = "w = RandomNormal <shape = [64, 64], seed = 1.0> ()\n"
                                    "p = MatMul (x, w)\n"
                                    "g = RandomNormal <shape = [64], mean = 1.0, scale = 0.1, seed = 2.0> ()\n"
                                    "o = RandomNormal <shape = [64], scale = 0.1, seed = 3.0> ()\n"
                                    "n = LayerNormalization (p, g, o)\n"
                                    "y = MatMul (n, w)\n";
static const char softmax[] = "w = RandomNormal <shape = [64, 64], seed = 1.0> ()\np = MatMul (x, w)\ns = Softmax (p)\ny = MatMul (s, w)\n";

/* How many instructions of this kind there are that write so. */
static int writes_on(const char *machine, const char *shape, const char *body, const char *format, enum weft_opcode op, enum weft_format result)
{
    struct weft_program *program = compile_body(body, shape, machine, format);
    int count = 0;
    for (size_t i = 0; i < program->instructions; i++) {
        struct weft_instr instr;
        assert_true(weft_decode(&instr, program->text + i * WEFT_WORD_BYTES));
        count += instr.op == op && instr.fmt == result;
    }
    weft_program_free(program);
    return count;
}

static int writes(const char *body, const char *format, enum weft_opcode op, enum weft_format result)
{
    return writes_on("tpu-v1", "32, 64", body, format, op, result);
}

static void eight_bits_have_short_steps(void **state)
{
    assert_true(writes(normalisation, "int8", WEFT_OP_SUB, WEFT_FORMAT_bf16) > 0);
    assert_int_equal(writes(normalisation, "int8", WEFT_OP_SUB, WEFT_FORMAT_f32), 0);
    assert_int_equal(writes(normalisation, "int8", WEFT_OP_MUL, WEFT_FORMAT_f32), 0);
    assert_int_equal(writes(normalisation, "int8", WEFT_OP_DIV, WEFT_FORMAT_f32), 0);
    assert_true(writes(softmax, "int8", WEFT_OP_SUB, WEFT_FORMAT_bf16) > 0);
}

static void sixteen_have_long_ones(void **state)
{
    assert_int_equal(writes(normalisation, "int16", WEFT_OP_SUB, WEFT_FORMAT_bf16), 0);
    assert_true(writes(normalisation, "int16", WEFT_OP_SUB, WEFT_FORMAT_f32) > 0);
    assert_true(writes(softmax, "int16", WEFT_OP_SUB, WEFT_FORMAT_f32) > 0);
}

/* A mean of codes lies among them: sixteen bits over their range hold it to a 256th. Where another reads it too it keeps its digits. */
static void a_mean_for_itself_stays_long(void **state)
{
    static const char both[] = "a = Constant <value_ints = [1]> ()\nm = ReduceMean (x, a)\nc = Sub (x, m)\ny = Add (c, m)\n";
    assert_true(writes(normalisation, "int8", WEFT_OP_REDUCE, WEFT_FORMAT_s16) > 0);
    assert_int_equal(writes(both, "int8", WEFT_OP_REDUCE, WEFT_FORMAT_bf16), 0);
    assert_int_equal(writes(both, "int8", WEFT_OP_REDUCE, WEFT_FORMAT_s16), 0);
    assert_true(writes(both, "int8", WEFT_OP_REDUCE, WEFT_FORMAT_f32) > 0);
}

/* A variance is no code of a table: rows differ by more than eight bits of one scale can tell. The deviation divides rows in two bytes: of
 * rows that are alike, as random ones of one size are, in s16; of others in bf16. */
static void a_variance_keeps_its_digits(void **state)
{
    static const char sizes[] = "s = Constant <value = float[2, 1] {0.1, 10.0}> ()\nr = Mul (x, s)\n"
                                "a = Constant <value_ints = [1]> ()\nn = ReduceL2 (r, a)\ne = Constant <value_float = 0.00001> ()\nm = Max (n, e)\ny = Div (r, m)\n";
    static const char squares[] = "a = Constant <value_ints = [1]> ()\nq = Mul (x, x)\nv = ReduceMean (q, a)\ne = Constant <value_float = 0.00001> ()\n"
                                  "p = Add (v, e)\nd = Sqrt (p)\nw = RandomNormal <shape = [64, 64], seed = 1.0> ()\nn = Div (x, d)\ny = MatMul (n, w)\n";
    assert_true(writes(normalisation, "int8", WEFT_OP_REDUCE, WEFT_FORMAT_f32) > 0);
    assert_true(writes(squares, "int8", WEFT_OP_REDUCE, WEFT_FORMAT_f32) > 0);
    assert_true(writes(squares, "int8", WEFT_OP_ADD, WEFT_FORMAT_s16) > 0);
    assert_true(writes_on("tpu-v1", "2, 64", sizes, "int8", WEFT_OP_MAX, WEFT_FORMAT_bf16) > 0);
    for (enum weft_format f = WEFT_FORMAT_u8; f <= WEFT_FORMAT_s8; f++) {
        assert_int_equal(writes(normalisation, "int8", WEFT_OP_REDUCE, f), 0);
        assert_int_equal(writes(squares, "int8", WEFT_OP_REDUCE, f), 0);
        assert_int_equal(writes(squares, "int8", WEFT_OP_COPY, f), 0);
    }
}

/* Shares of 256 numbers are below half a step of eight bits, mostly; edge has no sixteen. */
static void many_shares_have_sixteen_bits(void **state)
{
    static const char attention[] = "t = Transpose <perm = [1, 0]> (x)\np = MatMul (x, t)\ns = Softmax (p)\ny = MatMul (s, x)\n";
    assert_true(writes_on("tpu-v1", "256, 256", attention, "int8", WEFT_OP_DIV, WEFT_FORMAT_s16) > 0);
    assert_int_equal(writes_on("tpu-v1", "128, 128", attention, "int8", WEFT_OP_DIV, WEFT_FORMAT_s16), 0);
    assert_true(writes_on("edge", "256, 256", attention, "int8", WEFT_OP_DIV, WEFT_FORMAT_u8) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eight_bits_have_short_steps),
        cmocka_unit_test(sixteen_have_long_ones),
        cmocka_unit_test(a_mean_for_itself_stays_long),
        cmocka_unit_test(a_variance_keeps_its_digits),
        cmocka_unit_test(many_shares_have_sixteen_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
