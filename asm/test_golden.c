/* test_golden.c: every golden/NAME.txt holds assembly and what must come of it. Names that begin with bad- must fail.
 *
 *     What the file shows.
 *     --- input       the assembly (with the machine `tiny` where it names none)
 *     --- text        the words, in hexadecimal, one a line
 *     --- weights     the images, in hexadecimal, blanks anywhere
 *     --- data
 *     --- listing     the disassembly behind its .text
 *     --- messages    all that was reported
 * A section that is not there is not looked at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "weft_asm.h"

#define FOLDER SOURCE_DIR "/asm/golden/"

/* The lines between `--- name` and the next `---`, as a string of its own; NULL: no such section. */
static char *section(const char *file, const char *name)
{
    char mark[32];
    snprintf(mark, sizeof mark, "\n--- %s\n", name);
    const char *begin = strstr(file, mark);
    if (!begin)
        return NULL;
    begin += strlen(mark) - 1; /* at the newline, so that an empty section ends at once */
    const char *end = strstr(begin, "\n--- ");
    end = end ? end + 1 : file + strlen(file);
    return strndup(begin + 1, (size_t)(end - begin - 1));
}

/* Messages without the folder, as the golden files have them. */
struct said {
    char *text;
    size_t size;
    FILE *out;
};

static void hear(void *user, const char *message)
{
    struct said *said = user;
    for (const char *at = message; *at;) {
        if (!strncmp(at, FOLDER, strlen(FOLDER)))
            at += strlen(FOLDER);
        else
            fputc(*at++, said->out);
    }
    fputc('\n', said->out);
}

static void print_words(FILE *out, const struct weft_program *p)
{
    for (size_t i = 0; i < p->instructions * WEFT_WORD_BYTES; i++)
        fprintf(out, i % WEFT_WORD_BYTES == WEFT_WORD_BYTES - 1 ? "%02x\n" : "%02x ", p->text[i]);
}

static void print_hex(FILE *out, const uint8_t *bytes, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++)
        fprintf(out, "%02x", bytes[i]);
}

static void print_listing(FILE *out, const struct weft_program *p)
{
    char *text;
    size_t size;
    FILE *memory = open_memstream(&text, &size);
    assert_non_null(memory);
    struct weft_source_line *lines = p->lines;
    struct weft_program without = *p;
    without.lines = NULL; /* the listing is easier to read so */
    assert_int_equal(weft_asm_disassemble(memory, &without, NULL), WEFT_OK);
    assert_ptr_equal(lines, p->lines);
    fclose(memory);
    const char *mark = "\n.text\n", *begin = strstr(text, mark);
    assert_non_null(begin);
    fputs(begin + strlen(mark), out);
    free(text);
}

static void print_section(FILE *out, const struct weft_program *p, const char *name)
{
    if (!strcmp(name, "text"))
        print_words(out, p);
    else if (!strcmp(name, "weights"))
        print_hex(out, p->weights, p->weights_bytes);
    else if (!strcmp(name, "data"))
        print_hex(out, p->data, p->data_bytes);
    else
        print_listing(out, p);
}

static void squeeze(char *text)
{
    char *to = text;
    for (; *text; text++)
        if (*text != ' ' && *text != '\n')
            *to++ = *text;
    *to = 0;
}

static void check_section(const char *file, const struct weft_program *p, const char *name)
{
    char *expected = section(file, name), *got;
    size_t size;
    if (!expected)
        return;
    FILE *out = open_memstream(&got, &size);
    assert_non_null(out);
    print_section(out, p, name);
    fclose(out);
    if (!strcmp(name, "weights") || !strcmp(name, "data"))
        squeeze(expected);
    assert_string_equal(got, expected);
    free(got);
    free(expected);
}

static void check_file(const char *path, const struct weft_machine *machine)
{
    static const char *const sections[] = {"text", "weights", "data", "listing"};
    char *file, *text;
    size_t size;
    struct said said = {0};
    struct weft_diag diag = {.report = hear, .user = &said};
    struct weft_program *p;
    bool bad = !strncmp(path + strlen(FOLDER), "bad-", 4);
    said.out = open_memstream(&said.text, &said.size);
    assert_int_equal(weft_file_read(&file, &size, path, 1 << 20, &diag), WEFT_OK);
    char *source = strndup(file, size);
    assert_non_null(text = section(source, "input"));
    enum weft_status status = weft_asm_assemble(&p, text, strlen(text), FOLDER "t.s", machine, &diag);
    fclose(said.out);
    if ((status == WEFT_OK) == bad)
        fail_msg("%s: %s\n%s", path, bad ? "was accepted" : "was refused", said.text);
    char *messages = section(source, "messages");
    if (messages || !bad)
        assert_string_equal(said.text, messages ? messages : "");
    for (size_t i = 0; !bad && i < sizeof sections / sizeof sections[0]; i++)
        check_section(source, p, sections[i]);
    weft_program_free(p);
    free(messages);
    free(text);
    free(source);
    free(file);
    free(said.text);
}

static void test_golden(void **state)
{
    glob_t files;
    struct weft_machine machine;
    struct weft_diag diag = {.report = weft_diag_stderr};
    assert_int_equal(weft_machine_load(&machine, "tiny", &diag), WEFT_OK);
    assert_int_equal(glob(FOLDER "*.txt", 0, NULL, &files), 0);
    assert_true(files.gl_pathc > 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        print_message("%s\n", files.gl_pathv[i] + strlen(FOLDER));
        check_file(files.gl_pathv[i], &machine);
    }
    globfree(&files);
}

static void test_no_machine(void **state)
{
    struct said said = {0};
    struct weft_diag diag = {.report = hear, .user = &said};
    struct weft_program *p;
    struct weft_machine machine;
    assert_int_equal(weft_machine_load(&machine, "tiny", NULL), WEFT_OK);
    said.out = open_memstream(&said.text, &said.size);
    assert_int_equal(weft_asm_assemble(&p, "halt\n", 5, "t.s", NULL, &diag), WEFT_ERROR);
    assert_int_equal(weft_asm_assemble(&p, "\177ELF\2\1\1\0", 8, "t.s", &machine, &diag), WEFT_ERROR);
    assert_int_equal(weft_asm_assemble(&p, "halt\0\n", 6, "t.s", &machine, &diag), WEFT_ERROR);
    fclose(said.out);
    assert_null(p);
    assert_string_equal(said.text, "t.s: the text names no machine: begin with .machine NAME\n"
                                   "t.s: is a program, not text; `weft disasm` prints it as text\n"
                                   "t.s: has bytes of 0: it is no text\n");
    free(said.text);
}

/* A file that is not there, one that is cut: the place in the assembly is named, and the file. */
static void test_npy(void **state)
{
    static const char *const names[] = {"missing.npy", "cut.npy"};
    struct weft_machine machine;
    assert_int_equal(weft_machine_load(&machine, "tiny", NULL), WEFT_OK);
    for (size_t i = 0; i < 2; i++) {
        struct said said = {0};
        struct weft_diag diag = {.report = hear, .user = &said};
        struct weft_program *p;
        char text[64];
        snprintf(text, sizeof text, ".weights\n.npy \"%s\"\n", names[i]);
        said.out = open_memstream(&said.text, &said.size);
        assert_int_equal(weft_asm_assemble(&p, text, strlen(text), FOLDER "t.s", &machine, &diag), WEFT_ERROR);
        fclose(said.out);
        assert_int_equal(strncmp(said.text, "t.s:2:6: ", 9), 0);
        assert_non_null(strstr(said.text + 9, names[i]));
        free(said.text);
    }
}

/* What is not written follows: x ends at 16 + 2 x 3 x 2 = 28, y at 64 + 3 x 8 + 4 = 92, the data image at 8. */
static void test_sizes_that_follow(void **state)
{
    static const char text[] = ".input \"x\", 16, s16, 2, 3\n.output \"y\", 0x40, f32, 4, strides=[8]\n.output \"q\", 0, u8, scale=0.5\n"
                               ".data 4\nd: .u8 1, 2, 3, 4\n.weights 2\nw: .s16 -1\n.text\nhalt\nend:\n";
    struct weft_machine machine;
    struct weft_program *p;
    assert_int_equal(weft_machine_load(&machine, "tiny", NULL), WEFT_OK);
    assert_int_equal(weft_asm_assemble(&p, text, sizeof text - 1, "t.s", &machine, NULL), WEFT_OK);
    assert_int_equal(p->inputs[0].bytes, 12);
    assert_int_equal(p->inputs[0].strides[0], 6);
    assert_int_equal(p->inputs[0].strides[1], 2);
    assert_string_equal(p->inputs[0].element, "int16");
    assert_false(p->inputs[0].quantised);
    assert_int_equal(p->outputs[0].bytes, 28);
    assert_true(p->outputs[1].quantised);
    assert_string_equal(p->outputs[1].element, "float32");
    assert_int_equal(p->host_bytes, 92);
    assert_int_equal(p->dram_bytes, 4);
    assert_int_equal(p->data_host, 4);
    assert_int_equal(p->symbol_count, 3);
    assert_string_equal(p->symbols[1].name, "w");
    assert_int_equal(p->symbols[1].space, 'w');
    assert_int_equal(p->symbols[1].value, 2);
    assert_int_equal(p->symbols[2].value, 1);
    assert_int_equal(p->lines[0].line, 9);
    assert_string_equal(p->files[p->lines[0].file], "t.s");
    weft_program_free(p);
}

/* What cannot be allocated is never tried: these need exabytes. */
static void test_sizes(void **state)
{
    static const char *const texts[] = {".weights\n.fill 1<<60, 0\n",           ".weights 0xffffffffff\n.u8 1\n",
                                        ".data\n.fill 1<<62, 0, f32\n",         ".data 0xffffffffff\n.u8 1\n.data 0\n.u8 1\n",
                                        ".data 0xffffffffff\n.u8 1\n.data 0\n", ".weights\n.align 0xffffffff\n.u8 1\n.align 0xffffffff\n"};
    struct weft_machine machine;
    assert_int_equal(weft_machine_load(&machine, "tiny", NULL), WEFT_OK);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct weft_program *p;
        assert_int_equal(weft_asm_assemble(&p, texts[i], strlen(texts[i]), "t.s", &machine, NULL), WEFT_ERROR);
    }
}

/* A thousand brackets, a hundred thousand additions, a chain of constants: an error, not a stack that ends. */
static void test_depth(void **state)
{
    struct weft_machine machine;
    assert_int_equal(weft_machine_load(&machine, "tiny", NULL), WEFT_OK);
    static const char *const heads[] = {".u8 ", ".u8 ", ".equ a, "}, *const parts[] = {"(", "1+", "-"},
                             *const tails[] = {"1", "1", "a\n.batch a"};
    for (size_t i = 0; i < 3; i++) {
        char *text;
        size_t size;
        struct weft_program *p;
        FILE *out = open_memstream(&text, &size);
        fprintf(out, ".weights\n%s", heads[i]);
        for (int n = 0; n < 100000; n++)
            fputs(parts[i], out);
        fprintf(out, "%s\n", tails[i]);
        fclose(out);
        assert_int_equal(weft_asm_assemble(&p, text, size, "t.s", &machine, NULL), WEFT_ERROR);
        free(text);
    }
}

/* Each constant is twice the one before it: sixty of them, not 2^60 sums. */
static void test_doubling(void **state)
{
    char *text;
    size_t size;
    struct weft_machine machine;
    struct weft_program *p;
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(weft_machine_load(&machine, "tiny", NULL), WEFT_OK);
    fputs(".batch a60\n.equ a0, 1\n", out);
    for (int i = 1; i <= 60; i++)
        fprintf(out, ".equ a%d, a%d + a%d\n", i, i - 1, i - 1);
    fclose(out);
    assert_int_equal(weft_asm_assemble(&p, text, size, "t.s", &machine, NULL), WEFT_OK);
    assert_int_equal(p->batch, UINT64_C(1) << 60);
    weft_program_free(p);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden),  cmocka_unit_test(test_no_machine),
                                       cmocka_unit_test(test_npy),     cmocka_unit_test(test_sizes_that_follow),
                                       cmocka_unit_test(test_sizes),   cmocka_unit_test(test_depth),
                                       cmocka_unit_test(test_doubling)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
