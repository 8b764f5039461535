/* options.c: options that mean the same in every subcommand. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_SET = 0x100, KEY_BATCH, KEY_DIM, KEY_FORMAT, KEY_SEED, KEY_CALIBRATION, KEY_RANGE, KEY_DUMP, KEY_PRUNE, KEY_PRUNE_BLOCK };

uint64_t cli_number(struct argp_state *state, const char *option, const char *text, uint64_t low, uint64_t high)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 0);
    if (errno || *end || end == text || *text == '-' || value < low || value > high)
        argp_error(state, "%s takes a whole number from %llu to %llu, not '%s'", option, (unsigned long long)low, (unsigned long long)high,
                   text);
    return value;
}

enum weft_engine cli_engine(struct argp_state *state, const char *text)
{
    static const struct { const char *name; enum weft_engine engine; } engines[] = {
        {"fast", WEFT_ENGINE_FAST}, {"reference", WEFT_ENGINE_REFERENCE}, {"systemc", WEFT_ENGINE_SYSTEMC}};
    for (size_t i = 0; i < sizeof engines / sizeof *engines; i++)
        if (!strcmp(engines[i].name, text))
            return engines[i].engine;
    argp_error(state, "there is no engine '%s'; fast, reference and systemc are there", text);
    return WEFT_ENGINE_FAST;
}

void cli_once(struct argp_state *state, const char *option, const char **to, const char *text)
{
    if (*to)
        argp_error(state, "%s twice, '%s' and '%s'; one of them is meant", option, *to, text);
    *to = text;
}

error_t cli_children(int key, struct argp_state *state, const struct argp_child *children)
{
    if (key != ARGP_KEY_INIT)
        return ARGP_ERR_UNKNOWN;
    for (size_t i = 0; children[i].argp; i++)
        state->child_inputs[i] = state->input;
    return 0;
}

void cli_options_free(struct cli_options *options)
{
    free(options->sets);
    free(options->dims);
}

/* --- machine ---------------------------------------------------------------------------------------------------------- */

static void add_set(struct cli_options *options, char *text, struct argp_state *state)
{
    const char **sets = reallocarray(options->sets, options->set_count + 1, sizeof *sets);
    if (!sets)
        argp_failure(state, CLI_FAILED, ENOMEM, "--set");
    if (!strchr(text, '='))
        argp_error(state, "--set takes FIELD=VALUE, such as array.rows=128, not '%s'", text);
    sets[options->set_count++] = text;
    options->sets = sets;
}

static error_t parse_machine(int key, char *text, struct argp_state *state)
{
    struct cli_options *options = state->input;
    if (key == 'm')
        options->machine = text;
    else if (key == KEY_SET)
        add_set(options, text, state);
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

#define MACHINE_ROWS(without)                                                                                                                  \
    {NULL, 0, NULL, 0, "Machine:", 1}, {"machine", 'm', "MACHINE", 0, "a machine of `weft machines`, or a file (" without ")", 1},            \
        {"set", KEY_SET, "FIELD=VALUE", 0, "change a field of the machine, such as array.rows=128; may be repeated", 1}

static const struct argp_option machine_options[] = {MACHINE_ROWS(CLI_MACHINE), {0}};
const struct argp cli_machine_argp = {machine_options, parse_machine, NULL, NULL, NULL, NULL, NULL};

/* --- network ---------------------------------------------------------------------------------------------------------- */

static void add_dim(struct cli_options *options, char *text, struct argp_state *state)
{
    char *equals = strchr(text, '=');
    if (!equals || equals == text)
        argp_error(state, "--dim takes NAME=N, such as seq=128, not '%s'", text);
    struct weft_dim *dims = reallocarray(options->dims, options->compile.dim_count + 1, sizeof *dims);
    if (!dims)
        argp_failure(state, CLI_FAILED, ENOMEM, "--dim");
    *equals = 0;
    for (size_t i = 0; i < options->compile.dim_count; i++)
        if (!strcmp(dims[i].name, text))
            argp_error(state, "--dim %s twice, %lld and %s; one of them is meant", text, (long long)dims[i].value, equals + 1);
    dims[options->compile.dim_count++] = (struct weft_dim){.name = text, .value = (int64_t)cli_number(state, "--dim", equals + 1, 1, INT32_MAX)};
    options->compile.dims = options->dims = dims;
}

static const char *checked_format(const char *text, struct argp_state *state)
{
    const char *name, *meaning;
    for (size_t i = 0; (name = weft_compile_format(i, &meaning)); i++)
        if (!strcmp(name, text))
            return name;
    argp_error(state, "there is no format '%s'; int8, int16, bf16, bf16x3 and fp32 are", text);
    return NULL;
}

static const char *checked_range(const char *text, struct argp_state *state)
{
    if (strcmp(text, "minmax") && strcmp(text, "percentile") && strcmp(text, "mse"))
        argp_error(state, "--range takes minmax, percentile or mse, not '%s'", text);
    return text;
}

static const char *checked_pass(const char *text, struct argp_state *state)
{
    size_t count;
    const char *const *names = weft_pass_names(&count);
    for (size_t i = 0; i < count; i++)
        if (!strcmp(names[i], text))
            return text;
    const char *near = weft_nearest(text, names, count);
    char list[512] = "";
    for (size_t i = 0, used = 0; i < count && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i]);
    argp_error(state, "there is no pass '%s'%s%s%s %s", text, near ? "; did you mean '" : "", near ? near : "", near ? "'? They are" : "; they are", list);
    return text;
}

static double checked_share(const char *text, struct argp_state *state)
{
    char *end;
    errno = 0;
    double share = strtod(text, &end);
    if (errno || *end || end == text || !(share > 0 && share <= 1))
        argp_error(state, "--prune takes a share of the blocks, above 0 and up to 1, not '%s'", text);
    return share;
}

static void parse_block(struct weft_compile_options *compile, const char *text, struct argp_state *state)
{
    char *end = NULL, *end2 = NULL;
    errno = 0;
    compile->prune_rows = *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;
    if (end && *end == 'x' && end[1] >= '0' && end[1] <= '9')
        compile->prune_columns = strtoull(end + 1, &end2, 10);
    if (errno || !end2 || *end2 || !compile->prune_rows || !compile->prune_columns || compile->prune_rows > INT32_MAX || compile->prune_columns > INT32_MAX)
        argp_error(state, "--prune-block takes ROWSxCOLUMNS, such as 256x256, not '%s'", text);
}

static error_t parse_network(int key, char *text, struct argp_state *state)
{
    struct cli_options *options = state->input;
    struct weft_compile_options *compile = &options->compile;
    switch (key) {
    case KEY_BATCH:
        compile->batch = (int64_t)cli_number(state, "--batch", text, 1, WEFT_BATCH_MAX);
        return 0;
    case KEY_DIM:
        add_dim(options, text, state);
        return 0;
    case KEY_FORMAT:
        compile->format = checked_format(text, state);
        return 0;
    case KEY_CALIBRATION:
        compile->calibration = text;
        return 0;
    case KEY_PRUNE:
        compile->prune = checked_share(text, state);
        return 0;
    case KEY_PRUNE_BLOCK:
        parse_block(compile, text, state);
        return 0;
    case ARGP_KEY_END:
        if (compile->prune_rows && !(compile->prune > 0))
            argp_error(state, "--prune-block says how large the blocks are that --prune takes out; give --prune too");
        return 0;
    case KEY_RANGE:
        compile->range = checked_range(text, state);
        return 0;
    case KEY_DUMP:
        compile->dump_after = checked_pass(text, state);
        compile->dump = stderr;
        return 0;
    case KEY_SEED:
        compile->seed = cli_number(state, "--seed", text, 0, UINT64_MAX);
        options->seeded = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

#define NETWORK_ROWS(without)                                                                                                                  \
    {NULL, 0, NULL, 0, "Network:", 2},                                                                                                         \
        {"batch", KEY_BATCH, "N", 0, "inferences at once: the first dimension of every input, also where the file gives it a number (what the file says, or 1)", 2}, \
        {"dim", KEY_DIM, "NAME=N", 0, "size of a dimension that the file leaves open; may be repeated", 2},                                    \
        {"seed", KEY_SEED, "N", 0, "seed of random input (0)", 2},                                                                             \
        {"format", KEY_FORMAT, "FORMAT", 0, "number format: int8, int16, bf16, or fp32 in bf16 passes: in three, bf16x3, or in six, fp32 (" without ")", 2}

static const struct argp_option network_options[] = {
    NETWORK_ROWS("int8"),
    {"calibration", KEY_CALIBRATION, "FILE", 0, "inputs (.npz, .npy) by which the ranges of int8 are chosen (for `run`: those of -i; else seeded random input)", 2},
    {"range", KEY_RANGE, "HOW", 0, "how they are chosen: minmax, percentile or mse (minmax)", 2},
    {"prune", KEY_PRUNE, "SHARE", 0, "set this share of the blocks of each weight matrix to zero, those of least magnitude, such as 0.5", 2},
    {"prune-block", KEY_PRUNE_BLOCK, "ROWSxCOLUMNS", 0, "size of these blocks (the array's)", 2},
    {"dump-after", KEY_DUMP, "PASS", 0, "print the network as ONNX text after a pass of the compiler, on standard error", 2},
    {0},
};
const struct argp cli_network_argp = {network_options, parse_network, NULL, NULL, NULL, NULL, NULL};

/* Tests bring their own inputs and want their own outputs: nothing to calibrate by, to prune or to dump. */
static error_t parse_tested(int key, char *text, struct argp_state *state)
{
    error_t error = parse_machine(key, text, state);
    return error == ARGP_ERR_UNKNOWN ? parse_network(key, text, state) : error;
}

static const struct argp_option tested_options[] = {MACHINE_ROWS(CLI_TESTED_MACHINE), NETWORK_ROWS(CLI_TESTED_FORMAT), {0}};
const struct argp cli_tested_argp = {tested_options, parse_tested, NULL, NULL, NULL, NULL, NULL};

/* --- common ----------------------------------------------------------------------------------------------------------- */

static error_t parse_common(int key, char *text, struct argp_state *state)
{
    struct cli_options *options = state->input;
    switch (key) {
    case 'q':
        options->quiet = true;
        return 0;
    case 'v':
        options->verbose = true;
        return 0;
    case 'j':
        if (cli_number(state, "-j", text, 1, 65536) != 1)
            argp_error(state, "-j %s: this command works on one thread; leave -j out, or say -j 1", text);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option common_options[] = {
    {NULL, 0, NULL, 0, "Everywhere:", -1},
    {"quiet", 'q', NULL, 0, "say nothing but errors", -1},
    {"verbose", 'v', NULL, 0, "say what is being done", -1},
    {"jobs", 'j', "N", OPTION_HIDDEN, NULL, -1}, /* taken as 1, for scripts that give it to every command */
    {0},
};
const struct argp cli_common_argp = {common_options, parse_common, NULL, NULL, NULL, NULL, NULL};
