/* shrink.c: the smallest program that still shows a difference, and its file for a person. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

/* Takes instructions first .. first + count - 1 out, if the engines still disagree without them; else puts them back. */
static enum weft_status drop(bool *dropped, struct weft_program *program, size_t first, size_t count, fuzz_comparison *compare)
{
    size_t bytes = program->instructions * WEFT_WORD_BYTES, behind = (first + count) * WEFT_WORD_BYTES;
    uint8_t *whole = malloc(bytes);
    if (!whole) return WEFT_NO_MEMORY;
    memcpy(whole, program->text, bytes);
    memmove(program->text + first * WEFT_WORD_BYTES, program->text + behind, bytes - behind);
    program->instructions -= count;
    struct fuzz_verdict verdict;
    enum weft_status status = compare(&verdict, program);
    *dropped = status == WEFT_OK && !verdict.agree;
    if (!*dropped) {
        memcpy(program->text, whole, bytes);
        program->instructions += count;
    }
    free(whole);
    return status;
}

enum weft_status fuzz_shrink(struct weft_program *program, fuzz_comparison *compare)
{
    bool dropped, any = true;
    while (any) { /* until no single instruction can go; the halt stays */
        any = false;
        for (size_t count = program->instructions / 2; count > 0; count /= 2)
            for (size_t first = 0; first + count < program->instructions;) {
                enum weft_status status = drop(&dropped, program, first, count, compare);
                if (status != WEFT_OK) return status;
                any = any || dropped;
                if (!dropped) first += count;
            }
    }
    return WEFT_OK;
}

/* --- text --------------------------------------------------------------------------------------------------------------------- */

static void put_value(FILE *out, const struct weft_field *field, uint64_t value)
{
    const struct weft_register *named = field->kind == WEFT_KIND_REGISTER ? weft_register_at((uint32_t)value) : NULL;
    if (field->kind == WEFT_KIND_FLAG) fprintf(out, " %s", field->name);
    else if (field->kind == WEFT_KIND_PATTERN) fprintf(out, " %s=p%" PRIu64, field->name, value);
    else if (field->kind == WEFT_KIND_FORMAT) fprintf(out, " %s=%s", field->name, weft_format_name((enum weft_format)value));
    else if (field->kind == WEFT_KIND_RAW) fprintf(out, " %s=0x%" PRIx64, field->name, value);
    else if (named) fprintf(out, " %s", named->name);
    else fprintf(out, " %s=%" PRIu64, field->name, value);
}

static void put_instruction(FILE *out, const uint8_t *word)
{
    struct weft_instr instr;
    if (!weft_decode(&instr, word)) {
        fprintf(out, "(no instruction)\n");
        return;
    }
    const struct weft_instr_info *info = weft_instr_info(instr.op);
    fputs(info->mnemonic, out);
    for (size_t i = 0; i < info->field_count; i++) {
        uint64_t value = weft_field_get(&instr, &info->fields[i]);
        if (value != info->fields[i].dflt) put_value(out, &info->fields[i], value);
    }
    fputc('\n', out);
}

static enum weft_status store_text(const struct weft_program *program, const char *path, const char *why, struct weft_diag *diag)
{
    char *machine = NULL;
    if (weft_machine_print(&machine, &program->machine) != WEFT_OK) return WEFT_NO_MEMORY;
    FILE *out = fopen(path, "w");
    if (!out) {
        free(machine);
        return weft_error(diag, "%s: cannot be written", path);
    }
    fprintf(out, "%s\n\n%s\nhost %" PRIu64 " bytes, DRAM %" PRIu64 " bytes\n\n", why, machine, program->host_bytes, program->dram_bytes);
    for (size_t i = 0; i < program->instructions; i++) {
        fprintf(out, "%4zu  ", i);
        put_instruction(out, program->text + i * WEFT_WORD_BYTES);
    }
    free(machine);
    return fclose(out) ? weft_error(diag, "%s: cannot be written whole", path) : WEFT_OK;
}

enum weft_status fuzz_store(const struct weft_program *program, const char *prefix, const char *why, struct weft_diag *diag)
{
    char path[4096];
    snprintf(path, sizeof path, "%s.weft", prefix);
    enum weft_status status = weft_program_store(program, path, diag);
    if (status != WEFT_OK) return status;
    snprintf(path, sizeof path, "%s.txt", prefix);
    return store_text(program, path, why, diag);
}
