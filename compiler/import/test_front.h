/* test_front.h: what the tests of the front ends share: a file from a string, messages caught, one import. */
#ifndef WEFT_COMPILER_TEST_FRONT_H
#define WEFT_COMPILER_TEST_FRONT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "import.h"

struct caught {
    char text[16384];
    size_t length;
    unsigned count;
};

__attribute__((unused)) static void catch_message(void *user, const char *message)
{
    struct caught *caught = user;
    caught->count++;
    int added = snprintf(caught->text + caught->length, sizeof caught->text - caught->length, "%s\n", message);
    caught->length += (size_t)added;
    if (caught->length >= sizeof caught->text)
        caught->length = sizeof caught->text - 1;
}

/* The path of a new file with these bytes; the caller unlinks and frees it. `ending`: ".onnxtxt", ".csv", ... */
__attribute__((unused)) static char *make_file(const void *bytes, size_t size, const char *ending)
{
    const char *folder = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
    char *path = malloc(strlen(folder) + strlen(ending) + 32);
    sprintf(path, "%s/weft-test-XXXXXX%s", folder, ending);
    int file = mkstemps(path, (int)strlen(ending));
    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, size), (ssize_t)size);
    close(file);
    return path;
}

__attribute__((unused)) static enum weft_status import_bytes(struct graph **out, const void *bytes, size_t size, const char *ending,
                                                             const struct weft_compile_options *options, struct caught *caught)
{
    struct weft_diag diag = {catch_message, caught, 0};
    char *path = make_file(bytes, size, ending);
    *caught = (struct caught){0};
    enum weft_status status = import_network(out, path, options, &diag);
    unlink(path);
    free(path);
    return status;
}

#endif
