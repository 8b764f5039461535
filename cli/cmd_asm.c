/* cmd_asm.c: weft asm FILE.s -o PROGRAM */
#include "cli.h"
#include "weft_asm.h"

#include <stdlib.h>
#include <string.h>

struct options {
    struct cli_options common;
    const char *source, *out;
};

static const struct argp_child children[] = {{&cli_machine_argp, 0, NULL, 1}, {&cli_common_argp, 0, NULL, 9}, {0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct options *options = state->input;
    if (key == 'o')
        cli_once(state, "-o", &options->out, text);
    else if (key == ARGP_KEY_ARG && !options->source)
        options->source = text;
    else if (key == ARGP_KEY_ARG)
        argp_error(state, "one source at a time; '%s' is a second one", text);
    else if (key == ARGP_KEY_END && !options->source)
        argp_error(state, "which source? An assembly file (.s)");
    else
        return cli_children(key, state, children);
    return 0;
}

static const struct argp_option options_table[] = {
    {"output", 'o', "PROGRAM", 0, "where the program goes (the source's name with .tpu, here)", 0},
    {0},
};
static const struct argp argp = {
    options_table,
    parse,
    "FILE.s",
    "Assembles a TPU program.\v"
    "The language is described in docs/assembly.md, the instructions in docs/isa.md. The source names its machine "
    "with .machine; where it does not, -m does.",
    children,
    NULL,
    NULL};

static enum weft_status choose_name(char **out, const struct options *options)
{
    const char *base = cli_base_name(options->source), *dot = strrchr(base, '.');
    int length = dot && dot != base ? (int)(dot - base) : (int)strlen(base);
    if ((options->out ? asprintf(out, "%s", options->out) : asprintf(out, "%.*s.tpu", length, base)) >= 0)
        return WEFT_OK;
    *out = NULL;
    return WEFT_NO_MEMORY;
}

static enum weft_status keep_apart(const struct options *options, const char *name, struct weft_diag *diag)
{
    struct cli_outputs outputs = {diag};
    cli_writes(&outputs, "-o", name);
    cli_reads(&outputs, options->source);
    cli_reads_options(&outputs, &options->common);
    return outputs.status;
}

static enum weft_status assemble(const struct options *options, struct weft_diag *diag)
{
    struct weft_machine machine;
    struct weft_program *program = NULL;
    char *name = NULL;
    bool given = options->common.machine || options->common.set_count;
    enum weft_status status = choose_name(&name, options);
    if (!status)
        status = keep_apart(options, name, diag);
    if (!status && given)
        status = cli_machine(&machine, &options->common, diag);
    if (!status)
        status = weft_asm_assemble_file(&program, options->source, given ? &machine : NULL, diag);
    if (!status)
        status = weft_program_store(program, name, diag);
    if (!status && !options->common.quiet)
        fprintf(stderr, "weft: wrote %s: %zu instructions for %s\n", name, program->instructions, program->machine.name);
    free(name);
    weft_program_free(program);
    return status;
}

int cmd_asm(int argc, char **argv)
{
    struct options options = {0};
    struct weft_diag diag = cli_diag();
    argp_parse(&argp, argc, argv, 0, NULL, &options);
    int status = cli_status(assemble(&options, &diag), &diag);
    cli_options_free(&options.common);
    return status;
}
