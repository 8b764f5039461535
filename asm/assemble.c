/* assemble.c: the three walks in a row. */
#include "walks.h"
#include <stdlib.h>
#include <string.h>

static void forget_arrays(struct assembler *as)
{
    for (struct statement *st = as->first; st; st = st->next)
        if (st->arrays)
            weft_arrays_free(st->arrays);
}

static void walk(struct assembler *as)
{
    parse_text(as);
    if (!as->no_memory)
        layout_walk(as);
    if (!as->no_memory)
        emit_walk(as);
    if (!as->no_memory)
        assembler_finish(as);
    if (!as->no_memory)
        machine_settle(as);
}

static enum weft_status finish(struct assembler *as, struct weft_program **out)
{
    enum weft_status status = WEFT_OK;
    if (as->no_memory)
        status = WEFT_NO_MEMORY;
    else if (as->message_count) {
        message_flush(as);
        status = WEFT_ERROR;
    }
    if (status == WEFT_OK)
        *out = as->program;
    else
        weft_program_free(as->program);
    return status;
}

enum weft_status weft_asm_assemble(struct weft_program **out, const char *text, size_t bytes, const char *file,
                                   const struct weft_machine *machine, struct weft_diag *diag)
{
    struct weft_machine blank = {0};
    *out = NULL;
    if (bytes > TEXT_LIMIT)
        return weft_error(diag, "%s: %zu bytes are more than the %zu that assembly may have", file, bytes, TEXT_LIMIT);
    if (bytes && memchr(text, 0, bytes)) /* not even one line of it means anything */
        return weft_error(diag, bytes >= 4 && !memcmp(text, "\177ELF", 4) ? "%s: is a program, not text; `weft disasm` prints it as text"
                                                                        : "%s: has bytes of 0: it is no text", file);
    struct assembler *as = calloc(1, sizeof *as);
    if (!as)
        return WEFT_NO_MEMORY;
    *as = (struct assembler){.text = text, .bytes = bytes, .file = file, .diag = diag, .fallback = machine};
    enum weft_status status = weft_program_create(&as->program, &blank);
    if (status == WEFT_OK) {
        walk(as);
        status = finish(as, out);
    }
    forget_arrays(as);
    symbols_free(as);
    arena_free(&as->arena);
    free(as);
    return status;
}

enum weft_status weft_asm_assemble_file(struct weft_program **out, const char *path, const struct weft_machine *machine,
                                        struct weft_diag *diag)
{
    char *text = NULL;
    size_t bytes = 0;
    *out = NULL;
    enum weft_status status = weft_file_read(&text, &bytes, path, TEXT_LIMIT, diag);
    if (status == WEFT_OK)
        status = weft_asm_assemble(out, text, bytes, path, machine, diag);
    free(text);
    return status;
}
