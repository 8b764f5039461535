/* onnx_arena.c: memory of one model from text, in chunks that are freed together; and the reading of such a file. */
#include <ctype.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "onnx_text.h"

enum { CHUNK = 64 << 10, FILE_LIMIT = 32 << 20, LINE_SHOWN = 160 };

void *onnx_arena_take(struct onnx_arena *arena, size_t bytes)
{
    bytes = (bytes + 15) & ~(size_t)15;
    if (bytes > arena->left) {
        size_t room = bytes > CHUNK ? bytes : CHUNK;
        struct onnx_chunk *chunk = calloc(1, sizeof *chunk + 8 + room);
        if (!chunk)
            return NULL;
        chunk->next = arena->chunks;
        arena->chunks = chunk;
        arena->at = (char *)chunk + 16;
        arena->left = room;
    }
    void *taken = arena->at;
    arena->at += bytes;
    arena->left -= bytes;
    return taken;
}

void onnx_arena_free(struct onnx_arena *arena)
{
    for (struct onnx_chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    *arena = (struct onnx_arena){0};
}

/* "FILE:LINE:COLUMN: message", the line, and a caret below the place. Only the first error is told: the rest follows from it. */
void onnx_text_error(struct text_parser *p, struct place place, const char *format, ...)
{
    char what[512], line[LINE_SHOWN + 1], caret[LINE_SHOWN + 1];
    uint32_t begin = place.span.begin - (place.column - 1), end = begin, size = 0;
    va_list list;
    va_start(list, format);
    vsnprintf(what, sizeof what, format, list);
    va_end(list);
    if (p->failed)
        return;
    p->failed = true;
    if (place.column > LINE_SHOWN / 2)
        begin = place.span.begin - LINE_SHOWN / 2;
    while (end < p->bytes && p->text[end] != '\n')
        end++;
    for (; begin + size < end && size < LINE_SHOWN; size++) {
        line[size] = iscntrl((unsigned char)p->text[begin + size]) ? ' ' : p->text[begin + size];
    }
    line[size] = 0;
    snprintf(caret, sizeof caret, "%*s^", (int)(place.span.begin - begin), "");
    weft_error(p->diag, "%s:%u:%u: %s\n    %s\n    %s", p->path, place.line, place.column, what, line, caret);
}

/* Of a pipe, which has none and is not waited for, and of what cannot be read: 0. */
static size_t read_head(const char *path, char *head, size_t room)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t size = file < 0 ? 0 : pread(file, head, room, 0);
    if (file >= 0)
        close(file);
    return size > 0 ? (size_t)size : 0;
}

/* Text has no control characters but white space, and begins as the syntax does. */
bool onnx_text_is(const char *path)
{
    char head[512];
    size_t size = read_head(path, head, sizeof head);
    for (size_t i = 0; i < size; i++)
        if (iscntrl((unsigned char)head[i]) && !isspace((unsigned char)head[i]))
            return false;
    size_t at = 0;
    while (at < size && isspace((unsigned char)head[at]))
        at++;
    if (at < size && (strchr("<#\"_", head[at]) || isalpha((unsigned char)head[at])))
        return true;
    const char *dot = strrchr(path, '.');
    return size && dot && !strcmp(dot, ".onnxtxt");
}

enum weft_status onnx_text_load(Onnx__ModelProto **out, struct onnx_arena *arena, const char *path, struct weft_diag *diag)
{
    char *text;
    size_t bytes;
    enum weft_status status = weft_file_read(&text, &bytes, path, FILE_LIMIT, diag);
    if (status)
        return status;
    struct text_parser parser = {.arena = arena, .path = path, .text = text, .bytes = (uint32_t)bytes, .diag = diag};
    status = onnx_text_parse(&parser);
    *out = parser.model;
    free(text);
    return status;
}
