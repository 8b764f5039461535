/* test_fused.c: what leaves with the instruction in front of it: programs of small networks in bf16, instruction by instruction. */
#include "test_body.h"

/* All that its vector unit computes is `op` with this function (of a reduction: this reduction) or `also`; however many instructions that takes. */
static void expect_ops(const char *body, enum weft_opcode op, unsigned choice, enum weft_opcode also)
{
    struct weft_program *program = compile_body(body, "2, 24", "tpu-v4i", "bf16");
    int count = 0;
    for (size_t i = 0; i < program->instructions; i++) {
        struct weft_instr instr;
        assert_true(weft_decode(&instr, program->text + i * WEFT_WORD_BYTES));
        if (weft_instr_info(instr.op)->unit != WEFT_UNIT_VECTOR || instr.op == WEFT_OP_FILL || instr.op == also)
            continue;
        assert_int_equal(instr.op, op);
        assert_int_equal(op == WEFT_OP_REDUCE ? instr.reduce : instr.func, choice);
        count++;
    }
    assert_true(count > 0);
    weft_program_free(program);
}

static void expect(const char *body, enum weft_opcode op, enum weft_function function) { expect_ops(body, op, function, WEFT_OP_NOP); }

#define PRODUCT "w = RandomNormal <shape = [24, 24], seed = 1.0> ()\np = MatMul (x, w)\n"

static void functions_behind_a_product(void **state)
{
    expect(PRODUCT "y = Swish (p)\n", WEFT_OP_ACTIVATE, WEFT_FUNCTION_silu);
    expect(PRODUCT "g = Sigmoid (p)\ny = Mul (p, g)\n", WEFT_OP_ACTIVATE, WEFT_FUNCTION_silu);
    expect(PRODUCT "y = Gelu (p)\n", WEFT_OP_ACTIVATE, WEFT_FUNCTION_gelu);
    expect(PRODUCT "r = Constant <value_float = 1.41421356> ()\nh = Constant <value_float = 0.5> ()\no = Constant <value_float = 1.0> ()\n"
                   "d = Div (p, r)\ne = Erf (d)\na = Add (e, o)\nm = Mul (p, a)\ny = Mul (m, h)\n",
           WEFT_OP_ACTIVATE, WEFT_FUNCTION_gelu);
    expect(PRODUCT "s = Add (p, x)\ny = Gelu (s)\n", WEFT_OP_ACTIVATE, WEFT_FUNCTION_gelu); /* with its residual */
}

static void functions_behind_a_sum(void **state)
{
    expect("w = RandomNormal <shape = [2, 24], seed = 1.0> ()\ns = Add (x, w)\ny = Swish (s)\n", WEFT_OP_ADD, WEFT_FUNCTION_silu);
}

/* The squares are not stored: the sum reads x itself. */
static void squares_in_a_reduction(void **state)
{
    expect_ops("q = Mul (x, x)\na = Constant <value_ints = [1]> ()\nr = ReduceSum (q, a)\ny = Add (x, r)\n", WEFT_OP_REDUCE, WEFT_REDUCTION_squares, WEFT_OP_ADD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_behind_a_product),
        cmocka_unit_test(functions_behind_a_sum),
        cmocka_unit_test(squares_in_a_reduction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
