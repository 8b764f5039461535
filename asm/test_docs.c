/* test_docs.c: docs/assembly.md is true. Its examples assemble, its walk is the example file, and it names every directive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "weft_asm.h"

static char *read_text(const char *path)
{
    struct weft_diag diag = {.report = weft_diag_stderr};
    char *bytes;
    size_t size;
    assert_int_equal(weft_file_read(&bytes, &size, path, 1 << 20, &diag), WEFT_OK);
    char *text = strndup(bytes, size);
    free(bytes);
    return text;
}

static void test_examples_assemble(void **state)
{
    static const char open[] = "\n```asm\n";
    struct weft_diag diag = {.report = weft_diag_stderr};
    struct weft_machine machine;
    char *text = read_text(SOURCE_DIR "/docs/assembly.md");
    size_t blocks = 0;
    assert_int_equal(weft_machine_load(&machine, "tiny", &diag), WEFT_OK);
    for (char *at = text; (at = strstr(at, open)); blocks++) {
        struct weft_program *p;
        at += strlen(open);
        const char *end = strstr(at, "\n```");
        assert_non_null(end);
        if (weft_asm_assemble(&p, at, (size_t)(end + 1 - at), "docs/assembly.md", &machine, &diag) != WEFT_OK)
            fail_msg("this example does not assemble:\n%.*s", (int)(end - at), at);
        weft_program_free(p);
    }
    assert_true(blocks >= 7);
    free(text);
}

static void test_walk_is_the_example(void **state)
{
    char *text = read_text(SOURCE_DIR "/docs/assembly.md"), *example = read_text(SOURCE_DIR "/asm/examples/matmul4x4.s");
    const char *program = strchr(example, '\n') + 1; /* behind the line that says what the file is */
    assert_non_null(strstr(text, program));
    free(text);
    free(example);
}

static void test_every_directive_is_named(void **state)
{
    static const char *const names[] = {
#define WEFT_DIRECTIVE(name, declare, layout, emit, usage, meaning) "." #name,
#include "directives.def"
    };
    char *text = read_text(SOURCE_DIR "/docs/assembly.md");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char quoted[64];
        snprintf(quoted, sizeof quoted, "`%s", names[i]);
        if (!strstr(text, quoted))
            fail_msg("docs/assembly.md does not explain %s", names[i]);
    }
    free(text);
}

/* The words of the example's products, from isa.def by hand: matmul is opcode 0x14,
 * ub at bit 8, stride at 40, rows at 64, acc at 88, fmt at 104, next at 107. */
static void test_walk_words(void **state)
{
    static const uint8_t matmul[WEFT_WORD_BYTES] = {0x14, 0, 0, 0, 0, 4, 0, 0, 4, 0, 0, 0, 0, 0x08};
    static const uint8_t read_host[WEFT_WORD_BYTES] = {0x08, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16};
    struct weft_diag diag = {.report = weft_diag_stderr};
    struct weft_program *p;
    assert_int_equal(weft_asm_assemble_file(&p, SOURCE_DIR "/asm/examples/matmul4x4.s", NULL, &diag), WEFT_OK);
    assert_int_equal(p->instructions, 9);
    assert_memory_equal(p->text + 3 * WEFT_WORD_BYTES, matmul, WEFT_WORD_BYTES);
    assert_memory_equal(p->text + 2 * WEFT_WORD_BYTES, read_host, WEFT_WORD_BYTES);
    assert_int_equal(p->weights_bytes, 16);
    assert_int_equal(p->data_bytes, 128);
    assert_int_equal(p->outputs[0].host, 64);
    assert_int_equal(p->host_bytes, 128);
    weft_program_free(p);
}

static void test_format(void **state)
{
    char text[64], tiny[8];
    struct weft_symbol symbol = {.name = (char *)"input", .space = 'u', .value = 0x40};
    struct weft_program p = {.symbols = &symbol, .symbol_count = 1};
    struct weft_instr instr;
    weft_instr_init(&instr, WEFT_OP_MATMUL);
    instr.ub = 0x40;
    instr.stride = 8;
    instr.rows = 4;
    instr.next = 1;
    weft_asm_format(text, sizeof text, &instr, NULL);
    assert_string_equal(text, "matmul ub=0x40, stride=8, rows=4, acc=0, next");
    weft_asm_format(text, sizeof text, &instr, &p);
    assert_string_equal(text, "matmul ub=input, stride=8, rows=4, acc=0, next");
    weft_asm_format(tiny, sizeof tiny, &instr, &p);
    assert_string_equal(tiny, "matmul ");
    weft_asm_format(tiny, 0, &instr, &p);
    instr.op = (enum weft_opcode)0xff;
    weft_asm_format(text, sizeof text, &instr, NULL);
    assert_string_equal(text, "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples_assemble),
        cmocka_unit_test(test_walk_is_the_example),
        cmocka_unit_test(test_every_directive_is_named),
        cmocka_unit_test(test_walk_words),
        cmocka_unit_test(test_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
