/* program.c: a program in memory. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "program.h"

const char *const program_part_names[PART_END] = {
    [PART_MACHINE] = ".note.weft.machine", [PART_PROGRAM] = ".note.weft.program", [PART_TENSORS] = ".note.weft.tensors",
    [PART_LAYERS] = ".note.weft.layers",   [PART_PROBES] = ".note.weft.probes",   [PART_LINES] = ".note.weft.lines",
    [PART_REMARKS] = ".note.weft.remarks",
};

enum weft_status weft_program_create(struct weft_program **out, const struct weft_machine *machine)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return WEFT_NO_MEMORY;
    (*out)->machine = *machine;
    return WEFT_OK;
}

/* Bytes that lie in the mapped file go with it. */
static void free_bytes(const struct weft_program *program, uint8_t *bytes)
{
    uintptr_t first = (uintptr_t)program->mapping, at = (uintptr_t)bytes;
    if (!program->mapping || at < first || at - first >= program->mapping_bytes)
        free(bytes);
}

static void free_tensors(struct weft_tensor *tensors, size_t count)
{
    for (size_t i = 0; tensors && i < count; i++)
        free(tensors[i].name);
    free(tensors);
}

static void free_layers(struct weft_program *program)
{
    for (size_t i = 0; program->layers && i < program->layer_count; i++) {
        free(program->layers[i].name);
        free(program->layers[i].op);
        free(program->layers[i].shape);
        free(program->layers[i].wait);
    }
    free(program->layers);
}

static void free_names(struct weft_program *program)
{
    for (size_t i = 0; program->probes && i < program->probe_count; i++)
        free(program->probes[i].tensor.name);
    for (size_t i = 0; program->symbols && i < program->symbol_count; i++)
        free(program->symbols[i].name);
    for (size_t i = 0; program->files && i < program->file_count; i++)
        free(program->files[i]);
    free(program->probes);
    free(program->symbols);
    free(program->files);
}

void weft_program_free(struct weft_program *program)
{
    if (!program)
        return;
    free_bytes(program, program->text);
    free_bytes(program, program->weights);
    free_bytes(program, program->data);
    free_tensors(program->inputs, program->input_count);
    free_tensors(program->outputs, program->output_count);
    free_layers(program);
    free_names(program);
    free(program->lines);
    free(program->network);
    free(program->format);
    free(program->notes);
    if (program->mapping)
        munmap(program->mapping, program->mapping_bytes);
    free(program);
}

bool weft_program_is(const char *path)
{
    char begin[4] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, begin, sizeof begin);
    close(fd);
    return n == sizeof begin && !memcmp(begin, "\177ELF", sizeof begin);
}
