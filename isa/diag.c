/* diag.c: messages to a person, and the nearest name to a mistyped one. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weft_isa.h"

enum { MESSAGE_BYTES = 4096 };

static void say(struct weft_diag *diag, const char *format, va_list arguments)
{
    if (!diag->report)
        return;
    char fixed[MESSAGE_BYTES];
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(fixed, sizeof fixed, format, arguments);
    char *whole = NULL; /* a message that quotes a long source line is not cut */
    if (length >= MESSAGE_BYTES && vasprintf(&whole, format, again) < 0)
        whole = NULL;
    va_end(again);
    diag->report(diag->user, whole ? whole : fixed);
    free(whole);
}

enum weft_status weft_error(struct weft_diag *diag, const char *format, ...)
{
    if (diag) {
        diag->errors++;
        va_list arguments;
        va_start(arguments, format);
        say(diag, format, arguments);
        va_end(arguments);
    }
    return WEFT_ERROR;
}

void weft_note(struct weft_diag *diag, const char *format, ...)
{
    if (!diag)
        return;
    va_list arguments;
    va_start(arguments, format);
    say(diag, format, arguments);
    va_end(arguments);
}

void weft_diag_stderr(void *user, const char *message)
{
    (void)user;
    fprintf(stderr, "weft: %s\n", message);
}

enum { NAME_MAX_LENGTH = 63 };

/* Levenshtein's distance with one row of the table; words longer than NAME_MAX_LENGTH are nowhere near. */
static size_t distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b), row[NAME_MAX_LENGTH + 1];
    if (la > NAME_MAX_LENGTH || lb > NAME_MAX_LENGTH)
        return SIZE_MAX;
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t above = row[j], best = diagonal + (a[i - 1] != b[j - 1]);
            if (above + 1 < best)
                best = above + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[lb];
}

const char *weft_nearest(const char *word, const char *const *names, size_t count)
{
    const char *nearest = NULL;
    size_t best = strlen(word) / 3 + 1;
    for (size_t i = 0; i < count; i++) {
        size_t d = distance(word, names[i]);
        if (d < best) {
            best = d;
            nearest = names[i];
        }
    }
    return nearest;
}
