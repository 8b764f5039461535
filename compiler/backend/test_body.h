/* test_body.h: the program of a small network, given as the lines between its braces. Private to tests of this folder. */
#ifndef WEFT_COMPILER_TEST_BODY_H
#define WEFT_COMPILER_TEST_BODY_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weft_compiler.h"

/* `body` makes y of x, both floats of `shape`, such as "2, 24". */
static inline struct weft_program *compile_body(const char *body, const char *shape, const char *machine_name, const char *format)
{
    char path[] = "/tmp/weft-body-XXXXXX.onnxtxt";
    FILE *file = fdopen(mkstemps(path, 8), "w");
    fprintf(file, "<ir_version: 8, opset_import: [\"\" : 24]>\nn (float[%s] x) => (float[%s] y)\n{\n%s}\n", shape, shape, body);
    fclose(file);
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    struct weft_compile_options options = {.format = format};
    struct weft_network *network;
    struct weft_machine machine;
    struct weft_program *program;
    assert_int_equal(weft_machine_load(&machine, machine_name, &diag), WEFT_OK);
    assert_int_equal(weft_network_load(&network, path, &options, &diag), WEFT_OK);
    assert_int_equal(weft_compile(&program, network, &machine, &options, &diag), WEFT_OK);
    weft_network_free(network);
    unlink(path);
    return program;
}

#endif
