/* test_roundtrip.c: what the disassembler writes, the assembler turns back into the same program, whatever the program is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "weft_asm.h"

/* A xorshift generator: the same programs on every host. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}
static uint64_t below(uint64_t *state, uint64_t n)
{
    return next_random(state) % n;
}

/* Small and large numbers alike. */
static uint64_t any_number(uint64_t *s)
{
    return next_random(s) >> below(s, 64);
}

static float any_float(uint64_t *s)
{
    uint32_t bits = below(s, 3) ? (uint32_t)next_random(s) : 0x3e000000u + ((uint32_t)below(s, 16) << 23);
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static const char *const odd_names[] = {
    "conv1",    "conv1",           "a b", "",     "9lives", "x.2", "u8",  "next",         "p0",   "\"q\\\n",
    "\x01\xff", "name/with:colon", "Ki",  "héhé", ".u8",    "f32", "[1]", "; no comment", "end\\"};
static char *any_name(uint64_t *s)
{
    char text[64];
    if (below(s, 2))
        return strdup(odd_names[below(s, sizeof odd_names / sizeof odd_names[0])]);
    snprintf(text, sizeof text, "n%llu", (unsigned long long)below(s, 50));
    return strdup(text);
}
static char *maybe_name(uint64_t *s)
{
    return below(s, 4) ? any_name(s) : NULL;
}

static void random_word(uint64_t *s, uint8_t word[WEFT_WORD_BYTES], const struct weft_instr_info *info)
{
    for (;;) { /* until every enumeration holds a member */
        struct weft_instr instr;
        weft_instr_init(&instr, info->op);
        for (size_t i = 0; i < info->field_count; i++) {
            const struct weft_field *f = &info->fields[i];
            if (f->dflt == WEFT_REQUIRED || below(s, 2))
                weft_field_set(&instr, f,
                               below(s, 4) ? any_number(s) & (~UINT64_C(0) >> (64 - f->width)) : ~UINT64_C(0) >> (64 - f->width));
        }
        if (info->op == WEFT_OP_SET && below(s, 4) == 0)
            instr.reg = below(s, 2) ? (uint32_t)below(s, 0x80) : 0x80 + (uint32_t)below(s, 10);
        struct weft_instr decoded;
        if (weft_encode(word, &instr) && weft_decode(&decoded, word))
            return;
    }
}

static void random_bytes(uint64_t *s, uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size;) {
        bool zero = below(s, 2);
        for (size_t run = 1 + below(s, 200); run && i < size; run--, i++)
            bytes[i] = zero ? 0 : (uint8_t)next_random(s);
    }
}

static void random_tensor(uint64_t *s, struct weft_tensor *t)
{
    *t = (struct weft_tensor){.name = any_name(s),
                              .format = (enum weft_format)below(s, 6),
                              .scale = 1,
                              .quantised = below(s, 2),
                              .host = any_number(s),
                              .bytes = any_number(s)};
    t->rank = (unsigned)below(s, 9);
    uint64_t stride = weft_format_bytes(t->format);
    bool dense = below(s, 2);
    for (unsigned d = t->rank; d-- > 0;) {
        t->dims[d] = below(s, 7);
        t->axes[d] = below(s, 4) ? d : (unsigned)below(s, 8);
        t->strides[d] = dense ? stride : any_number(s);
        stride *= t->dims[d] ? t->dims[d] : 1;
    }
    if (below(s, 2))
        t->scale = any_float(s);
    if (below(s, 2))
        t->zero = (int32_t)next_random(s);
    strcpy(t->element, below(s, 2) ? "float32" : "a \"b\"");
}

/* Now and then the host looks an input up: in the data where there is any, anywhere in a program for timing only. */
static void random_table(uint64_t *s, struct weft_tensor *t, const struct weft_program *p)
{
    if (below(s, 2) || t->bytes == 0 || (p->weights && !p->data_bytes))
        return;
    uint64_t most = p->data_bytes ? p->data_bytes : UINT64_C(1) << 40;
    t->row_bytes = 1 + below(s, t->bytes < most ? t->bytes : most);
    t->table_rows = below(s, most / t->row_bytes + 1);
    t->table_data = below(s, most - t->table_rows * t->row_bytes + 1);
    t->table = p->data_bytes && t->table_rows ? p->data + t->table_data : NULL;
}

static void *make(size_t *count, uint64_t n, size_t size)
{
    *count = n;
    return calloc(n + 1, size);
}

static void random_tables(uint64_t *s, struct weft_program *p)
{
    p->inputs = make(&p->input_count, below(s, 4), sizeof *p->inputs);
    for (size_t i = 0; i < p->input_count; i++) {
        random_tensor(s, &p->inputs[i]);
        random_table(s, &p->inputs[i], p);
    }
    p->outputs = make(&p->output_count, below(s, 4), sizeof *p->outputs);
    for (size_t i = 0; i < p->output_count; i++)
        random_tensor(s, &p->outputs[i]);
    p->probes = make(&p->probe_count, below(s, 4), sizeof *p->probes);
    for (size_t i = 0; i < p->probe_count; i++) {
        random_tensor(s, &p->probes[i].tensor);
        p->probes[i].layer = (uint32_t)any_number(s);
        p->probes[i].after = (size_t)any_number(s);
    }
    p->layers = make(&p->layer_count, below(s, 6), sizeof *p->layers);
    for (size_t i = 0; i < p->layer_count; i++)
        p->layers[i] =
            (struct weft_layer){maybe_name(s), maybe_name(s), maybe_name(s), maybe_name(s), any_number(s), any_number(s), any_number(s)};
}

static void random_symbols(uint64_t *s, struct weft_program *p)
{
    bool natural = below(s, 2);
    p->symbols = make(&p->symbol_count, below(s, 8), sizeof *p->symbols);
    for (size_t i = 0; i < p->symbol_count; i++) {
        char name[32];
        snprintf(name, sizeof name, "label%zu", i);
        struct weft_symbol *symbol = &p->symbols[i];
        *symbol = (struct weft_symbol){.name = natural ? strdup(name) : any_name(s), .space = natural ? 't' : "twhu"[below(s, 4)]};
        if (natural)
            symbol->value = p->instructions * i / p->symbol_count; /* in order, so that labels alone will do */
        else
            symbol->value = below(s, 2) ? below(s, 40) : any_number(s);
        symbol->size = natural ? 0 : below(s, 2) * any_number(s);
    }
}

static void random_notes(uint64_t *s, struct weft_program *p)
{
    p->network = maybe_name(s);
    p->format = maybe_name(s);
    p->notes = maybe_name(s);
    p->batch = below(s, 3);
    p->roofline_cycles = below(s, 2) * any_number(s);
    p->mapping_cycles = below(s, 2) * any_number(s);
    p->files = make(&p->file_count, below(s, 3), sizeof *p->files);
    for (size_t i = 0; i < p->file_count; i++)
        p->files[i] = any_name(s);
    p->lines = p->instructions && below(s, 3) ? calloc(p->instructions, sizeof *p->lines) : NULL;
    for (size_t i = 0; p->lines && p->file_count && i < p->instructions; i++)
        p->lines[i] = (struct weft_source_line){(uint32_t)below(s, p->file_count), (uint32_t)any_number(s)};
}

static struct weft_program *random_program(uint64_t seed, const struct weft_machine *machine)
{
    uint64_t s = seed * 0x9e3779b97f4a7c15u + 1;
    size_t count;
    const struct weft_instr_info *table = weft_instr_table(&count);
    struct weft_program *p;
    assert_int_equal(weft_program_create(&p, machine), WEFT_OK);
    p->instructions = below(&s, 60);
    p->text = calloc(p->instructions + 1, WEFT_WORD_BYTES);
    for (size_t i = 0; i < p->instructions; i++)
        random_word(&s, p->text + i * WEFT_WORD_BYTES, &table[i < count ? i : below(&s, count)]);
    p->weights_bytes = below(&s, 3) * below(&s, 1000);
    if (below(&s, 4)) { /* none, and some of no bytes, are not the same */
        p->weights = malloc(p->weights_bytes + 1);
        random_bytes(&s, p->weights, p->weights_bytes);
    }
    p->data_bytes = below(&s, 2) * below(&s, 500);
    p->data = p->data_bytes || below(&s, 2) ? malloc(p->data_bytes + 1) : NULL;
    p->data_host = p->data ? below(&s, 2) * below(&s, UINT64_C(1) << 40) : 0;
    random_bytes(&s, p->data, p->data_bytes);
    p->dram_bytes = p->weights_bytes + any_number(&s) / 2;
    p->host_bytes = p->data_host + p->data_bytes + any_number(&s) / 2;
    random_tables(&s, p);
    random_symbols(&s, p);
    random_notes(&s, p);
    return p;
}

/* --- equality, field by field --------------------------------------------------------------------------------------------- */

static void same_string(const char *a, const char *b)
{
    assert_int_equal(a == NULL, b == NULL);
    if (a)
        assert_string_equal(a, b);
}

static void same_tensor(const struct weft_tensor *a, const struct weft_tensor *b)
{
    same_string(a->name, b->name);
    assert_int_equal(a->format, b->format);
    assert_memory_equal(&a->scale, &b->scale, sizeof a->scale);
    assert_int_equal(a->zero, b->zero);
    assert_int_equal(a->quantised, b->quantised);
    assert_int_equal(a->rank, b->rank);
    assert_memory_equal(a->dims, b->dims, sizeof a->dims);
    assert_int_equal(a->host, b->host);
    assert_memory_equal(a->axes, b->axes, sizeof a->axes);
    assert_memory_equal(a->strides, b->strides, sizeof a->strides);
    assert_int_equal(a->bytes, b->bytes);
    assert_string_equal(a->element, b->element);
    assert_int_equal(a->table_rows, b->table_rows);
    assert_int_equal(a->row_bytes, b->row_bytes);
    assert_int_equal(a->table_data, b->table_data);
}

static void same_tensors(const struct weft_tensor *a, size_t count_a, const struct weft_tensor *b, size_t count_b)
{
    assert_int_equal(count_a, count_b);
    for (size_t i = 0; i < count_a; i++)
        same_tensor(&a[i], &b[i]);
}

static void same_machine(const struct weft_machine *a, const struct weft_machine *b)
{
    size_t count;
    const struct weft_machine_field *fields = weft_machine_fields(&count);
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->description, b->description);
    assert_int_equal(a->formats, b->formats);
    for (size_t i = 0; i < count; i++)
        assert_memory_equal((const char *)a + fields[i].offset, (const char *)b + fields[i].offset, sizeof(uint64_t));
}

static void same_images(const struct weft_program *a, const struct weft_program *b)
{
    assert_int_equal(a->instructions, b->instructions);
    for (size_t i = 0; i < a->instructions; i++)
        assert_memory_equal(a->text + i * WEFT_WORD_BYTES, b->text + i * WEFT_WORD_BYTES, WEFT_WORD_BYTES);
    assert_int_equal(a->weights == NULL, b->weights == NULL);
    assert_int_equal(a->weights_bytes, b->weights_bytes);
    if (a->weights)
        assert_memory_equal(a->weights, b->weights, a->weights_bytes);
    assert_int_equal(a->data == NULL, b->data == NULL);
    assert_int_equal(a->data_bytes, b->data_bytes);
    assert_int_equal(a->data_host, b->data_host);
    if (a->data_bytes)
        assert_memory_equal(a->data, b->data, a->data_bytes);
    assert_int_equal(a->dram_bytes, b->dram_bytes);
    assert_int_equal(a->host_bytes, b->host_bytes);
}

static void same_layers(const struct weft_program *a, const struct weft_program *b)
{
    assert_int_equal(a->layer_count, b->layer_count);
    for (size_t i = 0; i < a->layer_count; i++) {
        const struct weft_layer *x = &a->layers[i], *y = &b->layers[i];
        same_string(x->name, y->name);
        same_string(x->op, y->op);
        same_string(x->shape, y->shape);
        same_string(x->wait, y->wait);
        assert_int_equal(x->macs, y->macs);
        assert_int_equal(x->roofline_cycles, y->roofline_cycles);
        assert_int_equal(x->mapping_cycles, y->mapping_cycles);
    }
}

static void same_names(const struct weft_program *a, const struct weft_program *b)
{
    assert_int_equal(a->symbol_count, b->symbol_count);
    for (size_t i = 0; i < a->symbol_count; i++) {
        same_string(a->symbols[i].name, b->symbols[i].name);
        assert_int_equal(a->symbols[i].space, b->symbols[i].space);
        assert_int_equal(a->symbols[i].value, b->symbols[i].value);
        assert_int_equal(a->symbols[i].size, b->symbols[i].size);
    }
    assert_int_equal(a->file_count, b->file_count);
    for (size_t i = 0; i < a->file_count; i++)
        same_string(a->files[i], b->files[i]);
    assert_int_equal(a->lines == NULL, b->lines == NULL);
    for (size_t i = 0; a->lines && i < a->instructions; i++) {
        assert_int_equal(a->lines[i].file, b->lines[i].file);
        assert_int_equal(a->lines[i].line, b->lines[i].line);
    }
}

static void same_program(const struct weft_program *a, const struct weft_program *b)
{
    same_machine(&a->machine, &b->machine);
    same_images(a, b);
    same_tensors(a->inputs, a->input_count, b->inputs, b->input_count);
    for (size_t i = 0; i < a->input_count; i++) {
        assert_int_equal(a->inputs[i].table == NULL, b->inputs[i].table == NULL);
        if (a->inputs[i].table)
            assert_int_equal(a->inputs[i].table - a->data, b->inputs[i].table - b->data);
    }
    same_tensors(a->outputs, a->output_count, b->outputs, b->output_count);
    assert_int_equal(a->probe_count, b->probe_count);
    for (size_t i = 0; i < a->probe_count; i++) {
        same_tensor(&a->probes[i].tensor, &b->probes[i].tensor);
        assert_int_equal(a->probes[i].layer, b->probes[i].layer);
        assert_int_equal(a->probes[i].after, b->probes[i].after);
    }
    same_layers(a, b);
    same_names(a, b);
    same_string(a->network, b->network);
    same_string(a->format, b->format);
    same_string(a->notes, b->notes);
    assert_int_equal(a->batch, b->batch);
    assert_int_equal(a->roofline_cycles, b->roofline_cycles);
    assert_int_equal(a->mapping_cycles, b->mapping_cycles);
}

static char *disassemble(const struct weft_program *p, size_t *size)
{
    char *text = NULL;
    struct weft_diag diag = {.report = weft_diag_stderr};
    FILE *out = open_memstream(&text, size);
    assert_non_null(out);
    assert_int_equal(weft_asm_disassemble(out, p, &diag), WEFT_OK);
    fclose(out);
    return text;
}

static void there_and_back(const struct weft_program *p)
{
    struct weft_diag diag = {.report = weft_diag_stderr};
    struct weft_program *again;
    size_t size, size_again;
    char *text = disassemble(p, &size);
    if (weft_asm_assemble(&again, text, size, "again.s", NULL, &diag) != WEFT_OK)
        fail_msg("the disassembly does not assemble:\n%.4000s", text);
    same_program(p, again);
    char *text_again = disassemble(again, &size_again);
    assert_string_equal(text, text_again);
    weft_program_free(again);
    free(text_again);
    free(text);
}

static void test_random_programs(void **state)
{
    struct weft_machine machine;
    struct weft_diag diag = {.report = weft_diag_stderr};
    assert_int_equal(weft_machine_load(&machine, "tiny", &diag), WEFT_OK);
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct weft_program *p = random_program(seed, &machine);
        there_and_back(p);
        weft_program_free(p);
    }
}

static void test_examples(void **state)
{
    static const char *const files[] = {"matmul4x4", "relu-layer", "softmax", "convolve"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[512];
        struct weft_program *p;
        struct weft_diag diag = {.report = weft_diag_stderr};
        snprintf(path, sizeof path, "%s/asm/examples/%s.s", SOURCE_DIR, files[i]);
        assert_int_equal(weft_asm_assemble_file(&p, path, NULL, &diag), WEFT_OK);
        assert_non_null(p->lines);
        there_and_back(p);
        weft_program_free(p);
    }
}

/* The natural case is written with labels and without a symbol table. */
static void test_labels_stay_labels(void **state)
{
    static const char source[] = ".machine tiny\n.weights\nw: .u8 1\n.text\nstart: read_weights w, 1, 1\nend: halt\n";
    struct weft_program *p;
    struct weft_diag diag = {.report = weft_diag_stderr};
    size_t size;
    assert_int_equal(weft_asm_assemble(&p, source, sizeof source - 1, "l.s", NULL, &diag), WEFT_OK);
    char *text = disassemble(p, &size);
    assert_null(strstr(text, ".symbol"));
    assert_non_null(strstr(text, "\nw:\n"));
    assert_non_null(strstr(text, "\nstart:\n    read_weights dram=w, k=1, n=1 "));
    free(text);
    weft_program_free(p);
}

/* Cut and changed text is refused or taken, never worse; sanitizers watch. */
static void mutate(uint64_t *s, char *text, size_t *size)
{
    static const char alphabet[] = "\"'\\@:,=[]()+-*/%<>&|~.;#\n 0x19afKMip_\xff\x00";
    for (uint64_t edits = 1 + below(s, 6); edits && *size > 1; edits--) {
        size_t at = below(s, *size), span = 1 + below(s, 12);
        switch (below(s, 4)) {
        case 0:
            text[at] = alphabet[below(s, sizeof alphabet)];
            break;
        case 1:
            *size = below(s, 8) ? *size : at;
            break;
        case 2:
            span = span < *size - at ? span : *size - at;
            memmove(text + at, text + at + span, *size - at - span);
            *size -= span;
            break;
        default: /* copies a piece over another */
            span = span < *size - at ? span : *size - at;
            memmove(text + below(s, *size - span + 1), text + at, span);
        }
    }
}

static void silence(void *user, const char *message)
{
    *(size_t *)user += strlen(message);
}

static void mutate_and_assemble(uint64_t *s, const char *source, size_t size, const struct weft_machine *machine)
{
    size_t said = 0;
    struct weft_diag diag = {.report = silence, .user = &said};
    struct weft_program *p;
    char *text = malloc(size);
    memcpy(text, source, size);
    mutate(s, text, &size);
    enum weft_status status = weft_asm_assemble(&p, text, size, "mutant.s", machine, &diag);
    if (status == WEFT_OK)
        weft_program_free(p);
    else
        assert_true(status == WEFT_ERROR && p == NULL && said > 0 && diag.errors > 0);
    free(text);
}

static void test_mutants(void **state)
{
    struct weft_machine machine;
    struct weft_diag diag = {.report = weft_diag_stderr};
    uint64_t s = 20240607;
    assert_int_equal(weft_machine_load(&machine, "tiny", &diag), WEFT_OK);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct weft_program *p = random_program(seed, &machine);
        size_t size;
        char *text = disassemble(p, &size);
        for (int i = 0; i < 150; i++)
            mutate_and_assemble(&s, text, size, &machine);
        free(text);
        weft_program_free(p);
    }
}

static void test_mutant_example(void **state)
{
    char *text;
    size_t size;
    uint64_t s = 77;
    struct weft_machine machine;
    struct weft_diag diag = {.report = weft_diag_stderr};
    assert_int_equal(weft_machine_load(&machine, "tiny", &diag), WEFT_OK);
    assert_int_equal(weft_file_read(&text, &size, SOURCE_DIR "/asm/examples/matmul4x4.s", 1 << 20, &diag), WEFT_OK);
    for (int i = 0; i < 3000; i++)
        mutate_and_assemble(&s, text, size, &machine);
    for (size_t cut = 0; cut < size; cut++) {
        struct weft_program *p;
        if (weft_asm_assemble(&p, text, cut, "cut.s", &machine, NULL) == WEFT_OK)
            weft_program_free(p);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_programs), cmocka_unit_test(test_examples),       cmocka_unit_test(test_labels_stay_labels),
        cmocka_unit_test(test_mutants),         cmocka_unit_test(test_mutant_example),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
