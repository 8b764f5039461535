/* messages.c: errors are held back until the walks are over, sorted by position, and shown with their line and a caret. */
#include "asm.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void message_no_memory(struct assembler *as)
{
    as->no_memory = true;
}

const char *message_word(struct assembler *as, uint32_t begin, uint32_t end)
{
    char *word = arena_take(&as->arena, (size_t)(end - begin) + 1);
    if (!word) {
        message_no_memory(as);
        return "";
    }
    memcpy(word, as->text + begin, end - begin);
    return word;
}

void message_add(struct assembler *as, struct span at, const char *format, ...)
{
    if (as->message_count++ >= MESSAGES_KEPT)
        return;
    char text[768];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char *copy = arena_take(&as->arena, strlen(text) + 1);
    if (!copy) {
        message_no_memory(as);
        as->message_count--;
        return;
    }
    as->messages[as->message_count - 1] = (struct message){at, strcpy(copy, text)};
}

/* Bison's one other message is "memory exhausted": its stack has grown to YYMAXDEPTH, which only brackets and signs can do. */
void message_syntax(struct assembler *as, struct span at, const char *message)
{
    static const char syntax[] = "syntax error, ";
    if (!strncmp(message, syntax, strlen(syntax)))
        message_add(as, at, "%s", message + strlen(syntax));
    else
        message_add(as, at, "the expression is nested too deeply");
}

const char *message_suggest(struct assembler *as, const char *word, const char *const *names, size_t count)
{
    const char *nearest = weft_nearest(word, names, count);
    if (!nearest)
        return "";
    size_t size = strlen(nearest) + sizeof "; did you mean ''?";
    char *text = arena_take(&as->arena, size);
    if (!text) {
        message_no_memory(as);
        return "";
    }
    snprintf(text, size, "; did you mean '%s'?", nearest);
    return text;
}

static int by_position(const void *a, const void *b)
{
    const struct message *x = a, *y = b;
    if (x->at.begin != y->at.begin)
        return x->at.begin < y->at.begin ? -1 : 1;
    return strcmp(x->text, y->text);
}

enum { WINDOW = 120 }; /* bytes of a source line that a message shows */

/* The source line, at most WINDOW bytes of it around the column, and the caret line. Control characters show as '?'. */
static void draw(char *out, size_t size, const struct assembler *as, struct span at, uint32_t line_begin)
{
    uint32_t line_end = at.begin;
    while (line_end < as->bytes && as->text[line_end] != '\n')
        line_end++;
    uint32_t begin = at.begin - line_begin > WINDOW / 2 && line_end - line_begin > WINDOW ? at.begin - WINDOW / 2 : line_begin;
    uint32_t end = line_end - begin > WINDOW ? begin + WINDOW : line_end;
    char source[WINDOW + 1] = {0}, caret[2 * WINDOW + 2] = {0};
    for (uint32_t i = begin; i < end; i++) {
        unsigned char c = (unsigned char)as->text[i];
        source[i - begin] = c == '\t' ? '\t' : c < 32 || c == 127 ? (c == '\r' && i + 1 == end ? ' ' : '?') : (char)c;
    }
    uint32_t column = at.begin - begin, width = at.end > at.begin ? at.end - at.begin : 1;
    for (uint32_t i = 0; i < column; i++)
        caret[i] = source[i] == '\t' ? '\t' : ' ';
    for (uint32_t i = 0; i < width && (i == 0 || column + i < end - begin); i++)
        caret[column + i] = i ? '~' : '^';
    snprintf(out, size, "    %s\n    %s", source, caret);
}

static void show(struct assembler *as, const struct message *message)
{
    struct span at = message->at;
    if (at.line == 0) { /* belongs to the file, not to a place in it */
        (void)weft_error(as->diag, "%s: %s", as->file, message->text);
        return;
    }
    uint32_t line_begin = at.begin;
    while (line_begin > 0 && as->text[line_begin - 1] != '\n')
        line_begin--;
    char drawing[512];
    draw(drawing, sizeof drawing, as, at, line_begin);
    (void)weft_error(as->diag, "%s:%u:%u: %s\n%s", as->file, at.line, at.begin - line_begin + 1, message->text, drawing);
}

void message_flush(struct assembler *as)
{
    size_t kept = as->message_count < MESSAGES_KEPT ? as->message_count : MESSAGES_KEPT;
    qsort(as->messages, kept, sizeof as->messages[0], by_position);
    size_t shown = kept < MESSAGES_SHOWN ? kept : MESSAGES_SHOWN;
    for (size_t i = 0; i < shown; i++)
        show(as, &as->messages[i]);
    if (as->message_count > shown)
        weft_note(as->diag, "%s: %zu further errors not shown", as->file, as->message_count - shown);
}

static void keep_first(void *user, const char *message)
{
    struct capture *capture = user;
    if (!capture->text[0])
        snprintf(capture->text, sizeof capture->text, "%s", message);
}

void capture_init(struct capture *capture)
{
    *capture = (struct capture){.diag = {.report = keep_first, .user = capture}};
}
