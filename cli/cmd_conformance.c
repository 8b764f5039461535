/* cmd_conformance.c: weft conformance DIR: its options. The work is conformance.c's. */
#include "conformance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_ENGINE = 0x300, KEY_SECONDS, KEY_RTOL, KEY_ATOL };

static const struct argp_child children[] = {{&cli_tested_argp, 0, NULL, 1}, {&cli_common_argp, 0, NULL, 9}, {0}};

static double tolerance(const char *option, const char *text, struct argp_state *state)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value) || value < 0)
        argp_error(state, "%s takes a number from 0, such as 1e-3, not '%s'", option, text);
    return value;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct conformance_options *options = state->input;
    if (key == KEY_ENGINE)
        options->engine = cli_engine(state, text);
    else if (key == KEY_SECONDS)
        options->seconds = (unsigned)cli_number(state, "--seconds", text, 1, 86400);
    else if (key == KEY_RTOL)
        options->rtol = tolerance("--rtol", text, state);
    else if (key == KEY_ATOL)
        options->atol = tolerance("--atol", text, state);
    else if (key == ARGP_KEY_ARG && !options->folder)
        options->folder = text;
    else if (key == ARGP_KEY_ARG)
        argp_error(state, "one folder at a time; '%s' is a second one", text);
    else if (key == ARGP_KEY_END && (!options->folder || !*options->folder))
        argp_error(state, "which tests? A folder with model.onnx and test_data_set_0, or one that holds such folders");
    else
        return cli_children(key, state, children);
    return 0;
}

static const struct argp_option options_table[] = {
    {"engine", KEY_ENGINE, "ENGINE", 0, "fast, reference or systemc (fast)", 0},
    {"rtol", KEY_RTOL, "R", 0, "floats may differ by R times what is wanted (1e-3)", 0},
    {"atol", KEY_ATOL, "A", 0, "plus A (1e-7)", 0},
    {"seconds", KEY_SECONDS, "N", 0, "a test that takes longer has failed (60)", 0},
    {0},
};
static const struct argp argp = {
    options_table,
    parse,
    "DIR",
    "Runs ONNX's backend tests: compiles each model, runs it on its inputs, compares with its outputs. "
    "What holds without an option stands in parentheses.\v"
    "DIR is a test (model.onnx, test_data_set_*/input_N.pb and output_N.pb) or a tree of them. Prints a line for every "
    "test that failed or is not supported, with the reason (with -v: for every test), then the totals. "
    "Exit status 1 if any failed.\n\n"
    "Example: weft conformance /usr/share/libonnx-testdata/data/node",
    children,
    NULL,
    NULL};

int cmd_conformance(int argc, char **argv)
{
    struct conformance_options options = {.seconds = CONFORMANCE_SECONDS, .rtol = 1e-3, .atol = 1e-7};
    struct weft_diag diag = cli_diag();
    argp_parse(&argp, argc, argv, 0, NULL, &options);
    if (!options.common.machine)
        options.common.machine = CLI_TESTED_MACHINE;
    if (!options.common.compile.format)
        options.common.compile.format = CLI_TESTED_FORMAT;
    enum weft_status status = cli_machine(&options.machine, &options.common, &diag);
    if (!status)
        status = conformance_run(&options, &diag);
    cli_options_free(&options.common);
    return cli_status(status, &diag);
}
