/* test_expr.c: what expressions are worth, and what is none. */
#include "test_explore.h"
#include "expr.h"

static int find(const void *user, const char *name, char problem[256])
{
    static const char *const names[] = {"array.rows", "batch", "network", "energy"};
    for (int i = 0; i < 4; i++)
        if (!strcmp(names[i], name))
            return i;
    snprintf(problem, 256, "no such name");
    return -1;
}

static struct expr_value look_up(const void *user, int name)
{
    switch (name) {
    case 0: return (struct expr_value){.kind = EXPR_NUMBER, .number = 256};
    case 1: return (struct expr_value){.kind = EXPR_NUMBER, .number = 8};
    case 2: return (struct expr_value){.kind = EXPR_TEXT, .text = "resnet50"};
    default: return (struct expr_value){0};
    }
}

static const struct expr_names names = {.find = find};

static void values(void **state)
{
    static const struct {
        const char *text;
        double value;
    } cases[] = {{"1 + 2 * 3", 7},      {"(1 + 2) * 3", 9},   {"10 - 4 - 3", 3},          {"7 / 2", 3.5},    {"7 % 4", 3},
                 {"-3 + 5", 2},         {"2Ki", 2048},        {"1.5k", 1500},             {"24Mi", 25165824}, {"min(3, max(1, 2))", 2},
                 {"floor(2.9)", 2},     {"ceil(2.1)", 3},     {"array.rows * batch", 2048}, {"true", 1},     {"array.rows/2", 128},
                 {"2 < 3", 1},          {"3 <= 2", 0},        {"2 == 2", 1},              {"2 != 2", 0},     {"not 0", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct expr expr;
        char problem[256];
        if (!expr_parse(&expr, cases[i].text, &names, problem))
            fail_msg("%s: %s", cases[i].text, problem);
        struct expr_value value = expr_evaluate(&expr, look_up, NULL);
        assert_int_equal(value.kind, EXPR_NUMBER);
        assert_float_equal(value.number, cases[i].value, 0);
        expr_free(&expr);
    }
}

static void conditions(void **state)
{
    static const struct {
        const char *text;
        bool holds;
    } cases[] = {{"array.rows <= 256 && batch == 8", true}, {"array.rows < 256 or batch > 7", true}, {"!(batch == 8)", false},
                 {"network == 'resnet50'", true},           {"network != \"resnet50\"", false},       {"network == 8", false},
                 {"energy < 5", false},                     {"energy >= 5", false},                   {"energy < 5 || batch == 8", true},
                 {"!(energy < 5)", false},                  {"1 == 2 || 1 == 1 && 2 == 3", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct expr expr;
        char problem[256];
        if (!expr_parse(&expr, cases[i].text, &names, problem))
            fail_msg("%s: %s", cases[i].text, problem);
        if (expr_holds(&expr, look_up, NULL) != cases[i].holds)
            fail_msg("%s", cases[i].text);
        expr_free(&expr);
    }
}

static void no_expressions(void **state)
{
    static const char *const cases[] = {"", "1 +", "(1", "1 2", "array.row", "min(1)", "'open", "3x", "a b", "1 < 2 < 3", ")", "1e999", "not", "min(1, 2"};
    struct expr expr;
    char problem[256], deep[1024];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (expr_parse(&expr, cases[i], &names, problem))
            fail_msg("'%s' was taken", cases[i]);
        assert_true(*problem != '\0');
        expr_free(&expr);
    }
    memset(deep, '(', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    assert_false(expr_parse(&expr, deep, &names, problem));
    assert_non_null(strstr(problem, "nested too deeply"));
    expr_free(&expr);
    char *longest = malloc(20001);
    for (int i = 0; i < 20000; i++)
        longest[i] = i % 2 ? '+' : '1';
    longest[19999] = longest[20000] = '\0';
    assert_false(expr_parse(&expr, longest, &names, problem));
    expr_free(&expr);
    free(longest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(values), cmocka_unit_test(conditions), cmocka_unit_test(no_expressions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
