/* cmd_run.c: weft run PROGRAM|NETWORK: its options. The work is run.c's. */
#include "generate.h"
#include "run.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { KEY_ENGINE = 0x200, KEY_TIMING, KEY_REPORT, KEY_TRACE, KEY_WAVE, KEY_FROM, KEY_TO, KEY_CHECK, KEY_CHECK_AT, KEY_BASELINE, KEY_TECHNOLOGY, KEY_WHAT_IF, KEY_STEPS, KEY_DECODE };

static const struct argp_child children[] = {
    {&cli_machine_argp, 0, NULL, 1}, {&cli_network_argp, 0, NULL, 2}, {&cli_common_argp, 0, NULL, 9}, {0}};

static void add_report(struct run_options *options, const char *text, struct argp_state *state)
{
    size_t length = strcspn(text, "=");
    const char *path = text[length] ? text + length + 1 : NULL;
    if (path && !*path)
        argp_error(state, "--report %s: which file?", text);
    if (length == 4 && !strncmp(text, "text", 4)) {
        options->text = true;
        options->text_path = path;
    } else if (length == 4 && !strncmp(text, "json", 4)) {
        options->json = true;
        options->json_path = path;
    } else if (length == 4 && !strncmp(text, "html", 4)) {
        options->html = true;
        options->html_path = path;
    } else {
        argp_error(state, "--report takes text, json or html, with =FILE where it is not for standard output; not '%s'", text);
    }
}

static void add_input(struct run_options *options, const char *text, struct argp_state *state)
{
    if (options->input_count == RUN_INPUTS_MAX)
        argp_error(state, "at most %d times -i; an .npz holds any number of inputs", RUN_INPUTS_MAX);
    options->inputs[options->input_count++] = text;
}

static void agree(const struct run_options *options, struct argp_state *state)
{
    if (!options->subject)
        argp_error(state, "run what? A program, a network file (.onnx, .onnxtxt, .csv), or a name of `weft models`");
    if (options->timing && (options->input_count || options->out || options->check))
        argp_error(state, "--timing computes no values: leave out -i, -o and --check");
    if (options->timing && options->engine == WEFT_ENGINE_REFERENCE)
        argp_error(state, "the reference engine keeps no time: --timing needs --engine fast");
    if (options->what_if && options->engine == WEFT_ENGINE_REFERENCE)
        argp_error(state, "the reference engine keeps no time: --what-if needs --engine fast");
    if (options->trace && options->engine == WEFT_ENGINE_REFERENCE)
        argp_error(state, "the reference engine keeps no time: --trace needs --engine fast");
    if (options->check && options->engine == WEFT_ENGINE_SYSTEMC)
        argp_error(state, "--check looks into the buffer between two instructions, and the systemc engine runs a program whole: use fast or reference");
    if (options->check_at && !options->check)
        argp_error(state, "--check-at is the bar that --check holds values to: give --check too");
    if (options->decode && !options->steps)
        argp_error(state, "--decode names the network of one step: give --steps too");
    if (options->steps && (options->check || options->trace || options->wave || options->out || options->what_if || options->html || options->baseline))
        argp_error(state, "--steps runs many programs: --check, --trace, --wave, -o, --what-if, --baseline and --report html are for one");
    if (options->from_cycle >= options->to_cycle)
        argp_error(state, "--from-cycle must lie before --to-cycle");
    if (options->wave && options->engine != WEFT_ENGINE_SYSTEMC)
        argp_error(state, "a waveform is what the clocked twin leaves: --wave needs --engine systemc");
    if (!options->trace && !options->wave && (options->from_cycle || options->to_cycle != UINT64_MAX))
        argp_error(state, "--from-cycle and --to-cycle are a window of --trace FILE or --wave FILE");
    if ((options->text && !options->text_path) + (options->json && !options->json_path) + (options->html && !options->html_path) > 1)
        argp_error(state, "two reports on standard output: give one of them a file, such as --report json=report.json");
}

static double decibels(const char *text, struct argp_state *state)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value > 0 && value < 1000))
        argp_error(state, "--check-at takes decibels above 0, such as 20, not '%s'", text);
    return value;
}

static error_t parse_values(int key, char *text, struct argp_state *state)
{
    struct run_options *options = state->input;
    switch (key) {
    case 'i':
        add_input(options, text, state);
        return 0;
    case 'o':
        cli_once(state, "-o", &options->out, text);
        return 0;
    case KEY_ENGINE:
        options->engine = cli_engine(state, text);
        return 0;
    case KEY_TIMING:
        options->timing = options->common.compile.timing_only = true;
        return 0;
    case KEY_CHECK:
        options->check = true;
        options->check_network = text;
        return 0;
    case KEY_CHECK_AT:
        options->check_at = decibels(text, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct run_options *options = state->input;
    switch (key) {
    case KEY_REPORT:
        add_report(options, text, state);
        return 0;
    case KEY_BASELINE:
        options->baseline = text;
        return 0;
    case KEY_WHAT_IF:
        options->what_if = true;
        options->what_if_network = text;
        return 0;
    case KEY_TECHNOLOGY:
        options->technology = text;
        return 0;
    case KEY_TRACE:
        options->trace = text;
        return 0;
    case KEY_WAVE:
        options->wave = text;
        return 0;
    case KEY_FROM:
        options->from_cycle = cli_number(state, "--from-cycle", text, 0, UINT64_MAX);
        return 0;
    case KEY_STEPS:
        options->steps = cli_number(state, "--steps", text, 1, 65536);
        return 0;
    case KEY_DECODE:
        options->decode = text;
        return 0;
    case KEY_TO:
        options->to_cycle = cli_number(state, "--to-cycle", text, 0, UINT64_MAX);
        return 0;
    case ARGP_KEY_ARG:
        if (options->subject)
            argp_error(state, "one program or network at a time; '%s' is a second one", text);
        options->subject = text;
        return 0;
    case ARGP_KEY_END:
        agree(options, state);
        return 0;
    case ARGP_KEY_INIT:
        return cli_children(key, state, children);
    default:
        return parse_values(key, text, state);
    }
}

static const struct argp_option options_table[] = {
    {"input", 'i', "FILE", 0, "input: .npz with the inputs by name, or .npy or .pb, once for each input in order. What a network cannot be compiled without becomes a constant; the program is otherwise that of `weft compile` (seeded random input)", 0},
    {"output", 'o', "FILE", 0, "write the outputs: .npz, or .npy where there is one", 0},
    {"engine", KEY_ENGINE, "ENGINE", 0, "fast: values and cycles; reference: values only, plain and slow; systemc: values and cycles, every cell clocked, slow (fast)", 0},
    {"timing", KEY_TIMING, NULL, 0, "cycles without values: needs no weights and no input", 0},
    {"check", KEY_CHECK, "NETWORK", OPTION_ARG_OPTIONAL,
     "compare every layer with the float network; a PROGRAM needs =NETWORK, the one that it was made from", 0},
    {"check-at", KEY_CHECK_AT, "DB", 0, "with --check: a value below so many decibels is an error, status 1 (the number format's own bar, docs/compiler.md, and no error)", 0},
    {"report", KEY_REPORT, "KIND[=FILE]", 0, "text, json or html (one page, for a browser), on standard output or into a file; may be repeated (text)", 0},
    {"baseline", KEY_BASELINE, "FILE", 0, "a JSON report of an earlier run, to state the speed-up over it", 0},
    {"technology", KEY_TECHNOLOGY, "NAME|FILE", 0,
     "what an operation and a bit cost, for energy and area: a file of technologies/ or your own (the one that lists the machine)", 0},
    {"what-if", KEY_WHAT_IF, "NETWORK", OPTION_ARG_OPTIONAL,
     "how much faster with twice the DRAM bandwidth, clock, array side, accumulators, link, buffer, each alone; a PROGRAM needs =NETWORK", 0},
    {"steps", KEY_STEPS, "N", 0, "of a language model: read the prompt, then write N tokens, one program each; keys and values stay in device memory", 0},
    {"decode", KEY_DECODE, "NETWORK", 0, "with --steps: the network of one step, with past keys and values as inputs (NETWORK-decode)", 0},
    {"trace", KEY_TRACE, "FILE", 0, "write a timeline for ui.perfetto.dev (one microsecond there is one cycle): .json, or .json.gz, gzipped", 0},
    {"wave", KEY_WAVE, "FILE", 0, "with --engine systemc: write a waveform for GTKWave (one nanosecond there is one cycle): .vcd, or .vcd.gz, gzipped", 0},
    {"from-cycle", KEY_FROM, "N", 0, "first cycle of the timeline (0)", 0},
    {"to-cycle", KEY_TO, "N", 0, "cycle before which it ends (the end of the run)", 0},
    {0},
};
static const struct argp argp = {
    options_table,
    parse,
    "PROGRAM|NETWORK",
    "Runs a program, or compiles a network and runs it, and reports where every cycle went. What holds without an option stands in "
    "parentheses.\v"
    "PROGRAM is what `weft compile` or `weft asm` wrote. NETWORK is an ONNX file (.onnx, .onnxtxt), a SCALE-Sim topology "
    "(.csv, with --timing), or a name of `weft models`. Machine and network options are for a NETWORK: a PROGRAM carries its own. Every "
    "figure of the "
    "report is defined in docs/metrics.md.\n\n"
    "Examples:\n"
    "  weft run resnet50 --batch 8 --check\n"
    "  weft run my.tpu -i in.npz -o out.npz --report json=report.json --trace run.json.gz",
    children,
    NULL,
    NULL};

static enum weft_status keep_apart(const struct run_options *o, struct weft_diag *diag)
{
    struct cli_outputs outputs = {diag};
    run_writes(&outputs, o);
    cli_reads_network(&outputs, o->subject);
    cli_reads_network(&outputs, o->check_network);
    cli_reads_network(&outputs, o->what_if_network);
    cli_reads_network(&outputs, o->decode);
    cli_reads(&outputs, o->baseline);
    cli_reads(&outputs, o->technology && weft_names_file(o->technology) ? o->technology : NULL);
    for (size_t i = 0; i < o->input_count; i++)
        cli_reads(&outputs, o->inputs[i]);
    cli_reads_options(&outputs, &o->common);
    return outputs.status;
}

/* A file has the name that viewers know it by; a device or a pipe has its own. */
static enum weft_status check_name(const char *path, const char *what, const char *plain, const char *zipped, struct weft_diag *diag)
{
    struct stat about;
    if (!path || cli_ends_with(path, plain) || cli_ends_with(path, zipped) || (!stat(path, &about) && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode)))
        return WEFT_OK;
    return weft_error(diag, "%s: %s is written as %s, or %s, gzipped", path, what, plain, zipped);
}

int cmd_run(int argc, char **argv)
{
    struct run_options options = {.to_cycle = UINT64_MAX};
    struct weft_diag diag = cli_diag();
    argp_parse(&argp, argc, argv, 0, NULL, &options);
    enum weft_status status = keep_apart(&options, &diag);
    if (!status)
        status = check_name(options.trace, "a timeline", ".json", ".json.gz", &diag);
    if (!status)
        status = check_name(options.wave, "a waveform", ".vcd", ".vcd.gz", &diag);
    if (!status)
        status = options.steps ? generate_all(&options, &diag) : run_all(&options, &diag);
    cli_options_free(&options.common);
    return cli_status(status, &diag);
}
