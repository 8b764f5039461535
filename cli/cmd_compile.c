/* cmd_compile.c: weft compile NETWORK -m MACHINE -o PROGRAM */
#include "cli.h"
#include "inputs.h"

#include <stdlib.h>
#include <string.h>

struct options {
    struct cli_options common;
    const char *network, *out;
};

static const struct argp_child children[] = {
    {&cli_machine_argp, 0, NULL, 1}, {&cli_network_argp, 0, NULL, 2}, {&cli_common_argp, 0, NULL, 9}, {0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct options *options = state->input;
    if (key == 'o')
        cli_once(state, "-o", &options->out, text);
    else if (key == 't')
        options->common.compile.timing_only = true;
    else if (key == ARGP_KEY_ARG && !options->network)
        options->network = text;
    else if (key == ARGP_KEY_ARG)
        argp_error(state, "one network at a time; '%s' is a second one", text);
    else if (key == ARGP_KEY_END && !options->network)
        argp_error(state, "which network? A file (.onnx, .onnxtxt, .csv) or a name of `weft models`");
    else
        return cli_children(key, state, children);
    return 0;
}

static const struct argp_option options_table[] = {
    {"output", 'o', "PROGRAM", 0, "where the program goes (the network's name with .tpu, here)", 0},
    {"timing", 't', NULL, 0, "leave the weights out: such a program runs with --timing only", 0},
    {0},
};
static const struct argp argp = {options_table,
                                 parse,
                                 "NETWORK",
                                 "Compiles a network to a TPU program. What holds without an option stands in parentheses.\v"
                                 "NETWORK is an ONNX file (.onnx, .onnxtxt), a SCALE-Sim topology (.csv), or a name of `weft models`. "
                                 "What the compiler does not support it names, all at once, before it does anything.\n\n"
                                 "Example: weft compile resnet50 -m tpu-v1 --batch 8 -o resnet50.tpu",
                                 children,
                                 NULL,
                                 NULL};

static enum weft_status choose_name(char **out, const struct options *options)
{
    if (options->out)
        return (*out = strdup(options->out)) ? WEFT_OK : WEFT_NO_MEMORY;
    const char *base = cli_base_name(options->network), *dot = strrchr(base, '.');
    int length = dot && dot != base ? (int)(dot - base) : (int)strlen(base);
    if (asprintf(out, "%.*s.tpu", length, base) < 0) {
        *out = NULL;
        return WEFT_NO_MEMORY;
    }
    return WEFT_OK;
}

static enum weft_status keep_apart(const struct options *options, const char *path, const char *name, struct weft_diag *diag)
{
    struct cli_outputs outputs = {diag};
    cli_writes(&outputs, "-o", name);
    cli_reads(&outputs, path);
    cli_reads_options(&outputs, &options->common);
    return outputs.status;
}

static enum weft_status keep_weights(const struct weft_network *network, const char *name, struct weft_diag *diag)
{
    struct cli_outputs outputs = {diag};
    cli_writes(&outputs, "-o", name);
    cli_reads_weights(&outputs, network);
    return outputs.status;
}

static void tell(const struct options *options, const struct weft_program *program, const char *name, double seconds)
{
    if (options->common.quiet || options->common.compile.dump_after) /* nothing but the dump, which may go to a file */
        return;
    fprintf(stderr, "weft: wrote %s: %zu instructions, %llu bytes of weights, for %s\n", name, program->instructions,
            (unsigned long long)program->weights_bytes, program->machine.name);
    if (options->common.verbose)
        fprintf(stderr, "weft: compiled in %.3f s\n", seconds);
}

static enum weft_status compile(struct options *options, struct weft_diag *diag)
{
    char *path = NULL, *name = NULL;
    struct weft_machine machine;
    struct weft_network *network = NULL;
    struct weft_program *program = NULL;
    struct cli_progress progress;
    cli_progress_start(&progress, &options->common);
    options->common.compile.progress = cli_progress_show;
    options->common.compile.progress_user = &progress;
    enum weft_status status = cli_network_path(&path, options->network, diag);
    if (!status)
        status = choose_name(&name, options);
    if (!status)
        status = keep_apart(options, path, name, diag);
    if (!status)
        status = cli_machine(&machine, &options->common, diag);
    if (!status)
        status = cli_network_load(&network, path, &options->common.compile, diag);
    if (!status)
        status = keep_weights(network, name, diag);
    if (!status)
        status = inputs_check_calibration(network, path, &options->common.compile, diag);
    if (!status)
        status = weft_compile(&program, network, &machine, &options->common.compile, diag);
    if (!status)
        status = weft_program_store(program, name, diag);
    cli_progress_end(&progress);
    if (!status)
        tell(options, program, name, cli_seconds_since(&progress.start));
    weft_program_free(program);
    weft_network_free(network);
    free(name);
    free(path);
    return status;
}

int cmd_compile(int argc, char **argv)
{
    struct options options = {0};
    struct weft_diag diag = cli_diag();
    argp_parse(&argp, argc, argv, 0, NULL, &options);
    int status = cli_status(compile(&options, &diag), &diag);
    cli_options_free(&options.common);
    return status;
}
