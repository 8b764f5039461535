/* test_weft.h: the command `weft` run through the shell, in a folder of the test's own. */
#ifndef WEFT_CLI_TEST_WEFT_H
#define WEFT_CLI_TEST_WEFT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

static char folder[] = "/tmp/weft-cli-XXXXXX";
static char out[1 << 18], err[1 << 14];

static inline void read_text(char *to, size_t size, const char *path)
{
    FILE *file = fopen(path, "r");
    size_t got = file ? fread(to, 1, size - 1, file) : 0;
    to[got] = 0;
    if (file)
        fclose(file);
}

static inline void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* Runs `weft ARGUMENTS` through the shell; its streams are in `out` and `err`. Returns its exit status. */
static inline int weft(const char *arguments)
{
    char line[2048];
    snprintf(line, sizeof line, "'%s' %s >.out 2>.err", WEFT_COMMAND, arguments);
    int status = system(line);
    read_text(out, sizeof out, ".out");
    read_text(err, sizeof err, ".err");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline void succeeds(const char *arguments)
{
    int status = weft(arguments);
    if (status)
        fail_msg("weft %s: exit %d: %s", arguments, status, err);
}

static inline void refuses(const char *arguments, int want, const char *words)
{
    int status = weft(arguments);
    if (status != want || !strstr(err, words))
        fail_msg("weft %s: exit %d instead of %d, or not '%s' in: %s", arguments, status, want, words, err);
}

static inline void says(const char *text, const char *words)
{
    if (!strstr(text, words))
        fail_msg("not '%s' in:\n%s", words, text);
}

static inline json_t *load_json(const char *path)
{
    json_error_t error;
    json_t *object = json_load_file(path, 0, &error);
    if (!object)
        fail_msg("%s: %s", path, error.text);
    return object;
}

/* Set up and torn down with the tests; the files that come with Weft are those of the sources. */
static inline int enter_folder(void **state)
{
    (void)state;
    return setenv("WEFT_DATA", SOURCE_DIR, 1) || !mkdtemp(folder) || chdir(folder);
}

static inline int leave_folder(void **state)
{
    (void)state;
    char line[64];
    snprintf(line, sizeof line, "rm -r '%s'", folder);
    return chdir("/") || system(line);
}

#endif
