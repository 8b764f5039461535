/* cmd_debug.c: weft debug PROGRAM */
#include "cli.h"
#include "debug.h"
#include "inputs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INPUTS_MAX = 64, KEY_SEED = 0x200, KEY_ENGINE };

struct options {
    const char *program, *inputs[INPUTS_MAX];
    size_t input_count;
    uint64_t seed;
    enum weft_engine engine;
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct options *options = state->input;
    if (key == 'i' && options->input_count < INPUTS_MAX)
        options->inputs[options->input_count++] = text;
    else if (key == KEY_SEED)
        options->seed = cli_number(state, "--seed", text, 0, UINT64_MAX);
    else if (key == KEY_ENGINE && !strcmp(text, "fast"))
        options->engine = WEFT_ENGINE_FAST;
    else if (key == KEY_ENGINE && !strcmp(text, "reference"))
        options->engine = WEFT_ENGINE_REFERENCE;
    else if (key == KEY_ENGINE)
        argp_error(state, "--engine takes reference or fast here, not '%s'", text);
    else if (key == 'i')
        argp_error(state, "at most %d times -i; an .npz holds any number of inputs", INPUTS_MAX);
    else if (key == ARGP_KEY_ARG && !options->program)
        options->program = text;
    else if (key == ARGP_KEY_ARG)
        argp_error(state, "one program at a time; '%s' is a second one", text);
    else if (key == ARGP_KEY_END && !options->program)
        argp_error(state, "which program?");
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static const struct argp_option options_table[] = {
    {"input", 'i', "FILE", 0, "input, as for `weft run` (seeded random input)", 0},
    {"seed", KEY_SEED, "N", 0, "seed of random input (0)", 0},
    {"engine", KEY_ENGINE, "ENGINE", 0, "reference or fast (reference)", 0},
    {0},
};
static const struct argp argp = {options_table,
                                 parse,
                                 "PROGRAM",
                                 "Steps through a program: breaks on instructions, layers and writes; prints memories and registers.\v"
                                 "Commands are read from standard input, so that a session can be a file; `help` lists them. Exit status 1 if one of such a session "
                                 "could not be done.\n\n"
                                 "Example: printf 'break layer conv1\\ncontinue\\nprint ub 0 16 s8\\n' | weft debug my.tpu",
                                 NULL,
                                 NULL,
                                 NULL};

static enum weft_status feed(struct weft_sim *sim, const struct weft_program *program, const struct options *options,
                             struct weft_diag *diag)
{
    struct weft_arrays arrays;
    char said[128];
    enum weft_status status = inputs_load(&arrays, options->inputs, options->input_count, diag);
    if (!status && options->input_count)
        status = inputs_match(&arrays, program, true, diag);
    else if (!status)
        status = inputs_make(&arrays, program, options->seed, said, sizeof said, diag);
    if (!status)
        status = inputs_write(sim, program, options->program, &arrays, !options->input_count, diag);
    weft_arrays_free(&arrays);
    return status;
}

/* Who types sees what was wrong; a script is told at the end. */
static enum weft_status judge(const struct debug *debug, const char *program, bool terminal)
{
    if (debug->failed)
        return WEFT_ERROR; /* a fault, which was said */
    if (terminal || !debug->wrong)
        return WEFT_OK;
    return weft_error(debug->diag, "%s: commands that could not be done: %zu, the first in line %zu of standard input", program, debug->wrong, debug->wrong_line);
}

static enum weft_status converse(struct debug *debug, const char *program)
{
    char *line = NULL;
    size_t room = 0;
    bool terminal = isatty(STDIN_FILENO);
    if (terminal)
        fprintf(debug->out, "%zu instructions for %s; `help` lists the commands\n", debug->program->instructions,
                debug->program->machine.name);
    while (!debug->quit) {
        if (terminal)
            fputs("(weft) ", debug->out);
        fflush(debug->out);
        if (getline(&line, &room, stdin) < 0)
            break;
        debug->line++;
        debug_command(debug, line);
    }
    free(line);
    return judge(debug, program, terminal);
}

static enum weft_status debug_program(const struct options *options, struct weft_diag *diag)
{
    struct weft_program *program = NULL;
    struct weft_sim *sim = NULL;
    struct debug debug = {0};
    enum weft_status status = weft_program_load(&program, options->program, diag);
    if (!status)
        status = weft_sim_create(&sim, program, &(struct weft_sim_options){.engine = options->engine, .name = options->program}, diag);
    if (!status)
        status = feed(sim, program, options, diag);
    if (!status)
        status = debug_init(&debug, program, sim, stdout, diag);
    if (!status)
        status = converse(&debug, options->program);
    debug_free(&debug);
    weft_sim_free(sim);
    weft_program_free(program);
    return status;
}

int cmd_debug(int argc, char **argv)
{
    struct options options = {.engine = WEFT_ENGINE_REFERENCE};
    struct weft_diag diag = cli_diag();
    argp_parse(&argp, argc, argv, 0, NULL, &options);
    return cli_status(debug_program(&options, &diag), &diag);
}
