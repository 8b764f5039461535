/* Proves program*.c: what is stored is what is loaded, and nothing in a file is trusted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "weft_isa.h"

static char said[512];
static void keep(void *user, const char *message)
{
    (void)user;
    snprintf(said, sizeof said, "%s", message);
}
static struct weft_diag diag = {.report = keep};

static char path[] = "weft-test-program-XXXXXX";
static int make_path(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}
static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

enum { WORDS = 4, WEIGHTS = 200000, DATA = 100 };

static struct weft_tensor make_tensor(const char *name)
{
    return (struct weft_tensor){.name = strdup(name), .format = WEFT_FORMAT_s8, .scale = 0.1f, .zero = -3, .quantised = true, .rank = 2,
                                .dims = {2, 5}, .host = 128, .axes = {1, 0}, .strides = {5, 1}, .bytes = 10, .element = "float32"};
}

static void fill_memories(struct weft_program *p, bool noise)
{
    const enum weft_opcode ops[WORDS] = {WEFT_OP_NOP, WEFT_OP_TAG, WEFT_OP_SYNC, WEFT_OP_HALT};
    p->text = malloc(WORDS * WEFT_WORD_BYTES);
    p->instructions = WORDS;
    for (size_t i = 0; i < WORDS; i++) {
        struct weft_instr instr;
        weft_instr_init(&instr, ops[i]);
        assert_true(weft_encode(p->text + i * WEFT_WORD_BYTES, &instr));
    }
    p->weights = malloc(WEIGHTS);
    p->weights_bytes = WEIGHTS;
    uint32_t seed = 1;
    for (size_t i = 0; i < WEIGHTS; i++)
        p->weights[i] = noise ? (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24) : (uint8_t)(i / 1000);
    p->data = malloc(DATA);
    p->data_bytes = DATA;
    p->data_host = 4096;
    memset(p->data, 7, DATA);
    p->dram_bytes = 300000;
    p->host_bytes = 8192;
}

static void fill_tables(struct weft_program *p)
{
    p->inputs = calloc(1, sizeof *p->inputs);
    p->outputs = calloc(2, sizeof *p->outputs);
    p->input_count = 1;
    p->output_count = 2;
    p->inputs[0] = make_tensor("in");
    p->outputs[0] = make_tensor("out \"first\"");
    p->outputs[1] = make_tensor("");
    p->layers = calloc(2, sizeof *p->layers);
    p->layer_count = 2;
    p->layers[0] = (struct weft_layer){.name = strdup("conv1"), .op = strdup("Conv"), .shape = strdup("1 -> 2"), .wait = strdup("weights"),
                                       .macs = UINT64_C(1) << 60, .roofline_cycles = 5, .mapping_cycles = 6};
    p->layers[1] = (struct weft_layer){.name = strdup("caf\303\251")};
    p->probes = calloc(1, sizeof *p->probes);
    p->probe_count = 1;
    p->probes[0] = (struct weft_probe){.tensor = make_tensor("x"), .layer = 1, .after = 3};
    p->symbols = calloc(4, sizeof *p->symbols);
    p->symbol_count = 4;
    for (size_t i = 0; i < 4; i++)
        p->symbols[i] = (struct weft_symbol){.name = strdup("name"), .space = "twhu"[i], .value = 100 + i, .size = i};
    p->files = calloc(1, sizeof *p->files);
    p->files[0] = strdup("a.s");
    p->file_count = 1;
    p->lines = calloc(WORDS, sizeof *p->lines);
    for (uint32_t i = 0; i < WORDS; i++)
        p->lines[i] = (struct weft_source_line){0, i + 1};
}

/* A program in which every member has something to lose. `noise`: weights that do not compress. */
static struct weft_program *make_program(bool noise)
{
    struct weft_machine machine;
    struct weft_program *p;
    assert_int_equal(weft_machine_load(&machine, "tiny", NULL), WEFT_OK);
    machine.rows = 16;
    assert_int_equal(weft_program_create(&p, &machine), WEFT_OK);
    fill_memories(p, noise);
    fill_tables(p);
    p->network = strdup("net.onnx");
    p->format = strdup("int8");
    p->notes = strdup("{\"a\": [1, 2]}");
    p->batch = 3;
    p->roofline_cycles = 1000;
    p->mapping_cycles = 2000;
    return p;
}

static void same_text(const char *a, const char *b)
{
    assert_int_equal(!a, !b);
    if (a)
        assert_string_equal(a, b);
}

static void same_tensor(const struct weft_tensor *a, const struct weft_tensor *b)
{
    struct weft_tensor x = *a, y = *b;
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->element, b->element);
    x.name = y.name = NULL;
    assert_memory_equal(&x.scale, &y.scale, sizeof x.scale);
    assert_int_equal(x.zero, y.zero);
    assert_int_equal(x.format, y.format);
    assert_int_equal(x.quantised, y.quantised);
    assert_int_equal(x.rank, y.rank);
    assert_int_equal(x.host, y.host);
    assert_int_equal(x.bytes, y.bytes);
    assert_memory_equal(x.dims, y.dims, sizeof x.dims);
    assert_memory_equal(x.axes, y.axes, sizeof x.axes);
    assert_memory_equal(x.strides, y.strides, sizeof x.strides);
}

static void same_parts(const struct weft_program *a, const struct weft_program *b)
{
    assert_int_equal(a->input_count, b->input_count);
    assert_int_equal(a->output_count, b->output_count);
    same_tensor(&a->inputs[0], &b->inputs[0]);
    same_tensor(&a->outputs[0], &b->outputs[0]);
    same_tensor(&a->outputs[1], &b->outputs[1]);
    assert_int_equal(a->layer_count, b->layer_count);
    for (size_t i = 0; i < a->layer_count; i++) {
        same_text(a->layers[i].name, b->layers[i].name);
        same_text(a->layers[i].op, b->layers[i].op);
        same_text(a->layers[i].shape, b->layers[i].shape);
        same_text(a->layers[i].wait, b->layers[i].wait);
        assert_int_equal(a->layers[i].macs, b->layers[i].macs);
        assert_int_equal(a->layers[i].roofline_cycles, b->layers[i].roofline_cycles);
        assert_int_equal(a->layers[i].mapping_cycles, b->layers[i].mapping_cycles);
    }
    assert_int_equal(a->probe_count, b->probe_count);
    same_tensor(&a->probes[0].tensor, &b->probes[0].tensor);
    assert_int_equal(a->probes[0].layer, b->probes[0].layer);
    assert_int_equal(a->probes[0].after, b->probes[0].after);
    assert_int_equal(a->symbol_count, b->symbol_count);
    for (size_t i = 0; i < a->symbol_count; i++) {
        same_text(a->symbols[i].name, b->symbols[i].name);
        assert_int_equal(a->symbols[i].space, b->symbols[i].space);
        assert_int_equal(a->symbols[i].value, b->symbols[i].value);
        assert_int_equal(a->symbols[i].size, b->symbols[i].size);
    }
}

static void same_program(const struct weft_program *a, const struct weft_program *b)
{
    assert_memory_equal(&a->machine, &b->machine, sizeof a->machine);
    assert_int_equal(a->instructions, b->instructions);
    assert_memory_equal(a->text, b->text, a->instructions * WEFT_WORD_BYTES);
    assert_int_equal(a->weights_bytes, b->weights_bytes);
    assert_memory_equal(a->weights, b->weights, a->weights_bytes);
    assert_int_equal(a->data_bytes, b->data_bytes);
    assert_int_equal(a->data_host, b->data_host);
    assert_memory_equal(a->data, b->data, a->data_bytes);
    assert_int_equal(a->dram_bytes, b->dram_bytes);
    assert_int_equal(a->host_bytes, b->host_bytes);
    same_parts(a, b);
    assert_int_equal(a->file_count, b->file_count);
    assert_string_equal(a->files[0], b->files[0]);
    assert_memory_equal(a->lines, b->lines, a->instructions * sizeof *a->lines);
    same_text(a->network, b->network);
    same_text(a->format, b->format);
    same_text(a->notes, b->notes);
    assert_int_equal(a->batch, b->batch);
    assert_int_equal(a->roofline_cycles, b->roofline_cycles);
    assert_int_equal(a->mapping_cycles, b->mapping_cycles);
}

static bool in_mapping(const struct weft_program *p, const void *bytes)
{
    uintptr_t at = (uintptr_t)bytes, first = (uintptr_t)p->mapping;
    return at >= first && at < first + p->mapping_bytes;
}

static void stores_and_loads_every_member(void **state)
{
    (void)state;
    for (int noise = 0; noise < 2; noise++) {
        struct weft_program *p = make_program(noise), *q;
        assert_int_equal(weft_program_store(p, path, &diag), WEFT_OK);
        assert_true(weft_program_is(path));
        assert_int_equal(weft_program_load(&q, path, &diag), WEFT_OK);
        same_program(p, q);
        assert_true(in_mapping(q, q->text));
        assert_int_equal(in_mapping(q, q->weights), noise); /* compressed only where it pays */
        assert_true(!noise || (uintptr_t)q->weights % 4096 == 0);
        weft_program_free(p);
        weft_program_free(q);
    }
}

/* The host looks the input up: 10 rows of 4 bytes from byte 60 of 100. */
static void the_table_of_an_input_is_found(void **state)
{
    (void)state;
    struct weft_program *p = make_program(false), *q;
    p->inputs[0].table_rows = 10;
    p->inputs[0].row_bytes = 4;
    p->inputs[0].table_data = DATA - 40;
    assert_int_equal(weft_program_store(p, path, &diag), WEFT_OK);
    assert_int_equal(weft_program_load(&q, path, &diag), WEFT_OK);
    assert_ptr_equal(q->inputs[0].table, q->data + DATA - 40);
    weft_program_free(p);
    weft_program_free(q);
}

static void an_empty_program_has_no_weights(void **state)
{
    (void)state;
    struct weft_program *p = make_program(false), *q;
    free(p->weights);
    p->weights = NULL; /* for timing only */
    p->weights_bytes = 0;
    assert_int_equal(weft_program_store(p, path, &diag), WEFT_OK);
    assert_int_equal(weft_program_load(&q, path, &diag), WEFT_OK);
    assert_null(q->weights);
    weft_program_free(q);
    p->weights = malloc(1); /* none are needed */
    assert_int_equal(weft_program_store(p, path, &diag), WEFT_OK);
    assert_int_equal(weft_program_load(&q, path, &diag), WEFT_OK);
    assert_non_null(q->weights);
    assert_int_equal(q->weights_bytes, 0);
    weft_program_free(q);
    weft_program_free(p);
}

static void write_bytes(const char *bytes, size_t size) { assert_int_equal(weft_file_write(path, bytes, size, NULL), WEFT_OK); }

/* Puts the program into its file and gives the file's bytes; the caller frees them. */
static char *stored(const struct weft_program *p, size_t *size)
{
    char *bytes;
    assert_int_equal(weft_program_store(p, path, &diag), WEFT_OK);
    assert_int_equal(weft_file_read(&bytes, size, path, 1 << 24, &diag), WEFT_OK);
    return bytes;
}

static void a_program_cut_anywhere_is_refused(void **state)
{
    (void)state;
    struct weft_program *p = make_program(false), *q;
    size_t size;
    char *bytes = stored(p, &size);
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(truncate(path, (off_t)(size - 1 - cut)), 0);
        assert_int_equal(weft_program_load(&q, path, &diag), WEFT_ERROR);
        assert_null(q);
        if (size - 1 - cut >= 4) /* ELF's magic is there still, and the table of sections, which lies last, is not */
            assert_non_null(strstr(said, "is cut short"));
    }
    free(bytes);
    weft_program_free(p);
}

/* Any byte may be wrong: the load fails, or gives a program that can be freed. */
static void a_damaged_program_does_no_harm(void **state)
{
    (void)state;
    struct weft_program *p = make_program(false), *q;
    size_t size;
    char *bytes = stored(p, &size);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    setbuf(file, NULL);
    for (size_t i = 0; i < size; i++) {
        if (i > 64 && bytes[i] == 0 && i % 64) /* padding, mostly */
            continue;
        const char wrongs[] = {(char)~bytes[i], (char)(bytes[i] + 1)};
        for (size_t w = 0; w < sizeof wrongs; w++) {
            fseek(file, (long)i, SEEK_SET);
            fputc(wrongs[w], file);
            if (weft_program_load(&q, path, &diag) == WEFT_OK)
                weft_program_free(q);
        }
        fseek(file, (long)i, SEEK_SET);
        fputc(bytes[i], file);
    }
    fclose(file);
    assert_int_equal(weft_program_load(&q, path, &diag), WEFT_OK);
    same_program(p, q);
    weft_program_free(q);
    free(bytes);
    weft_program_free(p);
}

static void says_what_is_not_a_program(void **state)
{
    (void)state;
    struct weft_program *q;
    write_bytes("ir_version: 7", 13);
    assert_false(weft_program_is(path));
    assert_int_equal(weft_program_load(&q, path, &diag), WEFT_ERROR);
    assert_non_null(strstr(said, "is not a program of Weft"));
    assert_false(weft_program_is("no/such/file"));
    assert_int_equal(weft_program_load(&q, "no/such/file", &diag), WEFT_ERROR);
    assert_string_equal(said, "no/such/file: cannot be read: No such file or directory");
    assert_int_equal(weft_program_load(&q, "/proc/self/exe", &diag), WEFT_ERROR);
    assert_non_null(strstr(said, "for another machine"));
    struct weft_program *p = make_program(false);
    assert_int_equal(weft_program_store(p, "no/such/place", &diag), WEFT_ERROR);
    assert_string_equal(said, "no/such/place: cannot be written: No such file or directory");
    weft_program_free(p);
}

/* Stores a program with something wrong in it; loading has to say so. */
static void refused(struct weft_program *p, const char *message)
{
    struct weft_program *q;
    assert_int_equal(weft_program_store(p, path, &diag), WEFT_OK);
    assert_int_equal(weft_program_load(&q, path, &diag), WEFT_ERROR);
    if (!strstr(said, message))
        fail_msg("\"%s\" does not say \"%s\"", said, message);
    weft_program_free(p);
}

static void parts_must_agree(void **state)
{
    (void)state;
    struct weft_program *p = make_program(false);
    p->dram_bytes = 100; /* fewer than .weights has */
    refused(p, ".weights claims 200000 bytes");
    p = make_program(true);
    p->dram_bytes = 100;
    refused(p, ".weights has 200000 bytes; the memory has 100");
    p = make_program(false);
    p->dram_bytes = p->machine.dram_bytes + 1;
    refused(p, "of DRAM");
    p = make_program(false);
    p->data_host = p->host_bytes - DATA + 1;
    refused(p, ".data has 100 bytes; the memory has 99");
    p = make_program(false);
    p->outputs[1].host = p->host_bytes - 9;
    refused(p, "leaves host memory");
    p = make_program(false);
    p->outputs[1].dims[0] = 0x10001; /* x 2^15, a little above 2^31 */
    p->outputs[1].dims[1] = 0x8000;
    refused(p, "has more than 2^31 elements");
    p = make_program(false);
    p->inputs[0].table_rows = 10;
    p->inputs[0].row_bytes = 4;
    p->inputs[0].table_data = DATA - 39;
    refused(p, "the table of input in leaves the program's data");
    p = make_program(false);
    p->outputs[1].table_rows = 10;
    refused(p, "has a table; only an input can have one");
    p = make_program(false);
    p->probes[0].tensor.row_bytes = 4;
    refused(p, "probe x has a table; only an input can have one");
    p = make_program(false);
    p->probes[0].layer = 2;
    refused(p, "probe x");
    p = make_program(false);
    p->lines[2].file = 1;
    refused(p, "a file or line");
    p = make_program(false);
    p->text[5] = 1; /* nop has no fields */
    refused(p, "instruction 0");
    p = make_program(false);
    p->machine.rows = 0;
    refused(p, "array.rows is 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stores_and_loads_every_member), cmocka_unit_test(the_table_of_an_input_is_found), cmocka_unit_test(an_empty_program_has_no_weights),
        cmocka_unit_test(a_program_cut_anywhere_is_refused), cmocka_unit_test(a_damaged_program_does_no_harm),
        cmocka_unit_test(says_what_is_not_a_program), cmocka_unit_test(parts_must_agree),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
