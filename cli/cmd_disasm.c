/* cmd_disasm.c: weft disasm PROGRAM */
#include "cli.h"
#include "weft_asm.h"

#include <stdlib.h>

struct options {
    struct cli_options common;
    const char *program, *out;
};

static const struct argp_child children[] = {{&cli_common_argp, 0, NULL, 9}, {0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct options *options = state->input;
    if (key == 'o')
        cli_once(state, "-o", &options->out, text);
    else if (key == ARGP_KEY_ARG && !options->program)
        options->program = text;
    else if (key == ARGP_KEY_ARG)
        argp_error(state, "one program at a time; '%s' is a second one", text);
    else if (key == ARGP_KEY_END && !options->program)
        argp_error(state, "which program?");
    else
        return cli_children(key, state, children);
    return 0;
}

static const struct argp_option options_table[] = {
    {"output", 'o', "FILE.s", 0, "where the assembly goes (standard output)", 0},
    {0},
};
static const struct argp argp = {options_table, parse, "PROGRAM", "Prints a program as assembly, which assembles to the same bytes.",
                                 children,      NULL,  NULL};

/* Into memory first, so that a file appears whole or not at all. */
static enum weft_status print(const struct options *options, const struct weft_program *program, struct weft_diag *diag)
{
    if (!options->out)
        return weft_asm_disassemble(stdout, program, diag);
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (!memory)
        return WEFT_NO_MEMORY;
    enum weft_status status = weft_asm_disassemble(memory, program, diag);
    if (fclose(memory))
        status = WEFT_NO_MEMORY;
    if (!status)
        status = weft_file_write(options->out, text, size, diag);
    free(text);
    return status;
}

int cmd_disasm(int argc, char **argv)
{
    struct options options = {0};
    struct weft_diag diag = cli_diag();
    struct weft_program *program = NULL;
    argp_parse(&argp, argc, argv, 0, NULL, &options);
    struct cli_outputs outputs = {&diag};
    cli_writes(&outputs, "-o", options.out);
    cli_reads(&outputs, options.program);
    enum weft_status status = outputs.status ? outputs.status : weft_program_load(&program, options.program, &diag);
    if (!status)
        status = print(&options, program, &diag);
    weft_program_free(program);
    cli_options_free(&options.common);
    return cli_status(status, &diag);
}
