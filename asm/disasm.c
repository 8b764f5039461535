/* disasm.c: a program as text, section by section. */
#include "asm.h"
#include <string.h>

enum { ROW_BYTES = 64, ZERO_RUN = 64, TEXT_COLUMN = 70 };

static uint64_t zeros(const uint8_t *bytes, uint64_t size)
{
    uint64_t n = 0;
    while (n < size && !bytes[n])
        n++;
    return n;
}

static void put_row(FILE *out, const uint8_t *bytes, uint64_t size, uint64_t address)
{
    static const char digits[] = "0123456789abcdef";
    char row[2 * ROW_BYTES];
    for (uint64_t i = 0; i < size; i++) {
        row[2 * i] = digits[bytes[i] >> 4];
        row[2 * i + 1] = digits[bytes[i] & 15];
    }
    fputs("    .hex \"", out);
    fwrite(row, 1, 2 * size, out);
    fprintf(out, "\" ; 0x%llx\n", (unsigned long long)address);
}

/* Bytes without a label inside. */
static void put_bytes(FILE *out, const uint8_t *bytes, uint64_t size, uint64_t address)
{
    for (uint64_t at = 0; at < size;) {
        uint64_t empty = zeros(bytes + at, size - at), row = size - at < ROW_BYTES ? size - at : ROW_BYTES;
        if (empty >= ZERO_RUN || (empty > 4 && empty == size - at)) {
            fprintf(out, "    .fill %llu ; 0x%llx\n", (unsigned long long)empty, (unsigned long long)(address + at));
            at += empty;
            continue;
        }
        put_row(out, bytes + at, row, address + at);
        at += row;
    }
}

void disasm_image(FILE *out, const uint8_t *bytes, uint64_t size, uint64_t base, char space, const struct labels *labels)
{
    size_t next = labels_first(labels, space, base);
    uint64_t at = 0;
    for (;;) {
        while (next < labels->count && labels->items[next].space == space && labels->items[next].value == base + at)
            fprintf(out, "%s:\n", labels->items[next++].name);
        if (at == size)
            return;
        uint64_t end = size;
        if (next < labels->count && labels->items[next].space == space && labels->items[next].value - base < size)
            end = labels->items[next].value - base;
        put_bytes(out, bytes + at, end - at, base + at);
        at = end;
    }
}

static int put_word(FILE *out, const uint8_t *word)
{
    int width = fprintf(out, "    .word \"");
    for (unsigned i = 0; i < WEFT_WORD_BYTES; i++)
        width += fprintf(out, "%02x", word[i]);
    return width + fprintf(out, "\"");
}

static enum weft_status put_instruction(FILE *out, const struct weft_program *p, size_t i, const struct labels *labels,
                                        struct weft_diag *diag)
{
    struct weft_instr instr;
    char text[1024];
    const uint8_t *word = p->text + i * WEFT_WORD_BYTES;
    if (!weft_decode(&instr, word))
        return weft_error(diag, "instruction %zu is no instruction: opcode 0x%02x, or bits set that it does not use", i, word[0]);
    const struct weft_layer *layer = instr.op == WEFT_OP_TAG && instr.layer < p->layer_count ? &p->layers[instr.layer] : NULL;
    if (layer)
        fprintf(out, "\n");
    int width = 0;
    if (format_instruction(text, sizeof text, &instr, (struct naming){labels_find, labels}))
        width = fprintf(out, "    %s", text);
    else
        width = put_word(out, word);
    if (p->lines)
        fprintf(out, "%*s@%u:%u", width < TEXT_COLUMN ? TEXT_COLUMN - width : 1, "", p->lines[i].file, p->lines[i].line);
    if (layer) {
        fputs(" ; ", out);
        for (const char *c = layer->name ? layer->name : ""; *c; c++)
            fputc((unsigned char)*c < 32 ? '?' : *c, out);
    }
    fputc('\n', out);
    return WEFT_OK;
}

static enum weft_status put_text(FILE *out, const struct weft_program *p, const struct labels *labels, struct weft_diag *diag)
{
    size_t next = labels_first(labels, 't', 0);
    enum weft_status status = WEFT_OK;
    fputs("\n.text\n", out);
    for (size_t i = 0; i <= p->instructions && status == WEFT_OK; i++) {
        for (; next < labels->count && labels->items[next].space == 't' && labels->items[next].value == i; next++)
            fprintf(out, "%s:\n", labels->items[next].name);
        if (i < p->instructions)
            status = put_instruction(out, p, i, labels, diag);
    }
    return status;
}

static void put_images(FILE *out, const struct weft_program *p, const struct labels *labels)
{
    if (p->weights) {
        fputs("\n.weights\n", out);
        disasm_image(out, p->weights, p->weights_bytes, 0, 'w', labels);
    } else if (p->weights_bytes) {
        fprintf(out, ".no_weights %llu\n", (unsigned long long)p->weights_bytes);
    }
    if (p->data) {
        fprintf(out, "\n.data 0x%llx\n", (unsigned long long)p->data_host);
        disasm_image(out, p->data, p->data_bytes, p->data_host, 'h', labels);
    }
}

static enum weft_status too_large(const struct weft_program *p, struct weft_diag *diag)
{
    uint64_t largest = p->weights && p->weights_bytes > p->data_bytes ? p->weights_bytes : p->data_bytes;
    if (largest <= IMAGE_LIMIT)
        return WEFT_OK;
    return weft_error(diag, "an image of %llu bytes is more than the %llu that assembly allows", (unsigned long long)largest,
                      (unsigned long long)IMAGE_LIMIT);
}

enum weft_status weft_asm_disassemble(FILE *out, const struct weft_program *program, struct weft_diag *diag)
{
    struct labels labels;
    enum weft_status status = too_large(program, diag);
    if (status == WEFT_OK)
        status = labels_create(&labels, program);
    if (status != WEFT_OK)
        return status;
    disasm_header(out, program, &labels);
    put_images(out, program, &labels);
    status = put_text(out, program, &labels, diag);
    labels_free(&labels);
    if (status == WEFT_OK && ferror(out))
        status = weft_error(diag, "the disassembly cannot be written whole");
    return status;
}
