/* test_operators.c: the table of ONNX operators stands in order, is whole, and docs/operators.md is made from it.
 *     compiler_test_operators --write docs/operators.md     makes the page anew
 */
#include "test_front.h"

#include "lower.h"

static void print_page(FILE *file)
{
    size_t count;
    const struct weft_operator *operators = weft_operators(&count);
    fprintf(file,
            "# ONNX operators\n\nWeft reads ONNX models of opsets %d to %d. Operators that are not in this table are refused by name, with "
            "their node, before\n"
            "anything else is done; so are attributes that an operator does not have, and outputs beyond the first where they are used. "
            "Functions of the\n"
            "model are inlined. Made from compiler/import/onnx_ops.def.\n\n"
            "What only constants lead to is computed at compile time, for every operator of the table. The last column says what the machine "
            "computes; a\nnetwork that asks it for more is refused with every node that does. Values may be floats, which are kept in fp32 or quantised, and integers, kept in at "
            "most 32 bits: an int64 beyond that is refused when it enters. "
            "One value has at most\n%lld elements, a constant that a node makes %lld; kernels, strides, dilations and pads go up to 1048576. "
            "Where values are computed, a\nnetwork's constants beyond its file take at most 16 GiB, and what it holds at once as floats 4 GiB.\n\n"
            "| operator | opsets | remarks | on the machine |\n|---|---|---|---|\n",
            IMPORT_OPSET_FIRST, IMPORT_OPSET_LAST, (long long)LOWER_VALUE_MAX, (long long)LOWER_CONSTANT_MAX);
    for (size_t i = 0; i < count; i++)
        fprintf(file, "| %s | %d to %d | %s | %s |\n", operators[i].name, operators[i].first_opset, operators[i].last_opset,
                operators[i].remark, onnx_op_find(operators[i].name)->machine);
}

static void fresh_page(void **state)
{
    char *made = NULL, *stored;
    size_t made_size, stored_size;
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    FILE *file = open_memstream(&made, &made_size);
    print_page(file);
    fclose(file);
    assert_int_equal(weft_file_read(&stored, &stored_size, SOURCE_DIR "/docs/operators.md", 1 << 20, &diag), WEFT_OK);
    if (stored_size != made_size || memcmp(made, stored, made_size))
        fail_msg("docs/operators.md is stale; run compiler_test_operators --write docs/operators.md");
    free(made);
    free(stored);
}

static void order_and_ranges(void **state)
{
    size_t count;
    const struct weft_operator *operators = weft_operators(&count);
    for (size_t i = 0; i < count; i++) {
        const struct onnx_op *op = onnx_op_find(operators[i].name);
        if (!op)
            fail_msg("%s is not found: the table must stand in order", operators[i].name);
        assert_true(i == 0 || strcmp(operators[i - 1].name, operators[i].name) < 0);
        assert_true(op->min_inputs <= op->max_inputs && op->max_inputs <= NODE_INPUTS_MAX && op->outputs >= 1 &&
                    op->outputs <= LOWER_SPLITS_MAX);
        assert_true(op->first_opset >= IMPORT_OPSET_FIRST && op->first_opset <= IMPORT_OPSET_LAST);
    }
    assert_null(onnx_op_find("Unique"));
    assert_null(onnx_op_find(""));
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "--write")) {
        FILE *file = fopen(argv[2], "w");
        if (!file)
            return 1;
        print_page(file);
        return fclose(file) != 0;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(fresh_page), cmocka_unit_test(order_and_ranges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
