/* generate.c: weft run PREFILL --steps N: a language model reads a prompt and then writes, one program a step. The keys and values of the tokens
 * before stay in device memory: the next step's memory begins with what this one's held. */
#include "generate.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inputs.h"
#include "step_inputs.h"

enum { RESIDENTS_MAX = 512, NAME = 128, DIMS_MAX = 16, GROWING = 3 };

struct generate {
    struct run_options *options;
    struct weft_diag *diag;
    struct cli_progress progress;
    struct weft_machine machine;
    char *prefill_path, *decode_path;
    struct weft_resident residents[RESIDENTS_MAX];
    char names[RESIDENTS_MAX][2][NAME]; /* input, output */
    size_t count;
    uint64_t base, bytes; /* the state in device memory */
    uint8_t *state;       /* NULL: timing only */
    uint64_t sequences, prompt; /* side by side; tokens of each */
    int64_t *tokens;            /* of each step, the prompt's first: one a sequence */
    const struct weft_arrays *given; /* what the prompt was read with, matched; empty: it was made up */
    char said[128];
};

/* --- networks --------------------------------------------------------------------------------------------------------- */

/* "gpt2.onnxtxt" has its steps in "gpt2-decode.onnxtxt"; a name of `weft models` likewise. */
static enum weft_status find_decode(struct generate *g)
{
    char name[4096];
    const char *subject = g->options->subject, *dot = strrchr(subject, '.'), *slash = strrchr(subject, '/');
    if (g->options->decode)
        return cli_network_path(&g->decode_path, g->options->decode, g->diag);
    int stem = dot && dot > (slash ? slash : subject) ? (int)(dot - subject) : (int)strlen(subject);
    snprintf(name, sizeof name, "%.*s-decode%s", stem, subject, subject + stem);
    enum weft_status status = cli_network_path(&g->decode_path, name, NULL);
    if (status == WEFT_NO_MEMORY || (!status && access(g->decode_path, F_OK) == 0))
        return status;
    return weft_error(g->diag, "%s: --steps also needs the network of one step, with past keys and values as inputs: give it by --decode NETWORK (there is no %s)",
                      subject, name);
}

static enum weft_status load(struct weft_network **out, struct generate *g, const char *path, const struct weft_arrays *bindings, uint64_t past)
{
    struct weft_compile_options options = g->options->common.compile;
    struct weft_dim dims[DIMS_MAX];
    size_t count = 0;
    bool decode = path == g->decode_path;
    for (; count < options.dim_count && count < DIMS_MAX - GROWING; count++) {
        dims[count] = options.dims[count];
        dims[count].optional = decode;
    }
    /* the lengths that grow, under the names that exporters give them */
    static const struct { const char *name; int64_t more; } growing[GROWING] = {{"past", 0}, {"past_sequence_length", 0}, {"past_sequence_length + 1", 1}};
    for (size_t i = 0; decode && i < GROWING; i++)
        dims[count++] = (struct weft_dim){growing[i].name, (int64_t)past + growing[i].more, true};
    options.dims = dims;
    options.dim_count = count;
    options.bindings = bindings;
    enum weft_status status = cli_network_load(out, path, &options, g->diag);
    if (!status && (status = run_keeps_weights(g->options, *out, g->diag))) {
        weft_network_free(*out);
        *out = NULL;
    }
    return status;
}

/* past_key_values.0.key is what present.0.key was a step before; past_0 what present_0 was. */
static bool pair(char names[2][NAME], const char *input)
{
    static const char *const prefixes[] = {"past_key_values", "past"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (!strncmp(input, prefixes[i], strlen(prefixes[i]))) {
            snprintf(names[0], NAME, "%s", input);
            snprintf(names[1], NAME, "present%s", input + strlen(prefixes[i]));
            return true;
        }
    return false;
}

static const char *describe(char *out, size_t size, const struct weft_array *port)
{
    int at = snprintf(out, size, "%s [", port->element);
    for (unsigned d = 0; d < port->rank; d++)
        at += snprintf(out + at, size - (size_t)at, "%s%llu", d ? ", " : "", (unsigned long long)port->dims[d]);
    snprintf(out + at, size - (size_t)at, "]");
    return out;
}

/* What the prompt leaves must be what the first step takes up: the bytes stay where they are. */
static enum weft_status check_state(struct generate *g, const struct weft_network *prefill, const struct weft_array *past, const char *present)
{
    struct weft_array left;
    char wanted[256], has[256];
    size_t i = 0;
    while (weft_network_port(prefill, true, i, &left) && strcmp(left.name, present))
        i++;
    if (!weft_network_port(prefill, true, i, &left))
        return weft_error(g->diag, "%s: input '%s' takes up what the prompt leaves in '%s', and %s has no such output", g->decode_path, past->name, present,
                          g->prefill_path);
    if (strcmp(describe(wanted, sizeof wanted, past), describe(has, sizeof has, &left)))
        return weft_error(g->diag, "%s: input '%s' is %s, and the prompt (%s) leaves %s in '%s'; they must be alike", g->decode_path, past->name, wanted,
                          g->prefill_path, has, present);
    return WEFT_OK;
}

static enum weft_status find_state(struct generate *g, const struct weft_network *prefill, const struct weft_network *decode)
{
    struct weft_array port;
    for (size_t i = 0; weft_network_port(decode, false, i, &port); i++) {
        if (g->count == RESIDENTS_MAX || port.rank < 3 || !pair(g->names[g->count], port.name))
            continue;
        enum weft_status status = check_state(g, prefill, &port, g->names[g->count][1]);
        if (status)
            return status;
        g->residents[g->count] = (struct weft_resident){g->names[g->count][0], g->names[g->count][1], port.rank - 2, g->prompt + g->options->steps};
        g->count++;
    }
    if (!g->count)
        return weft_error(g->diag, "%s: no input is named past_key_values... or past...; --steps needs the keys and values of the tokens before as inputs, "
                          "and those with the new one as outputs named present...", g->decode_path);
    return WEFT_OK;
}

/* How long the prompt is, by what the prefill network leaves behind. */
static enum weft_status find_prompt(struct generate *g, const struct weft_network *prefill)
{
    struct weft_array port;
    for (size_t i = 0; weft_network_port(prefill, true, i, &port); i++)
        if (!strncmp(port.name, "present", 7) && port.rank >= 3) {
            g->prompt = port.dims[port.rank - 2];
            return WEFT_OK;
        }
    return weft_error(g->diag, "%s: no output is named present...; --steps needs the keys and values of the prompt as outputs", g->prefill_path);
}

/* A step reads one token a sequence: its logits have as many rows. */
static enum weft_status find_sequences(struct generate *g, const struct weft_network *decode)
{
    struct weft_array port;
    g->sequences = 1;
    for (size_t i = 0; weft_network_port(decode, true, i, &port); i++)
        if (strncmp(port.name, "present", 7)) {
            for (unsigned d = 0; d + 1 < port.rank; d++)
                g->sequences *= port.dims[d];
            break;
        }
    if (!g->sequences)
        return weft_error(g->diag, "%s: no sequence to write: output '%s' has no elements", g->decode_path, port.name);
    g->tokens = calloc((g->options->steps + 1) * g->sequences, sizeof *g->tokens);
    return g->tokens ? WEFT_OK : WEFT_NO_MEMORY;
}

/* --- one program ------------------------------------------------------------------------------------------------------ */

static enum weft_status compile(struct weft_program **out, struct generate *g, struct weft_network *network, bool timing, bool resident)
{
    struct weft_compile_options options = g->options->common.compile;
    options.timing_only = timing;
    options.residents = resident ? g->residents : NULL;
    options.resident_count = resident ? g->count : 0;
    options.resident_base = g->base;
    return weft_compile(out, network, &g->machine, &options, g->diag);
}

/* A table of positions has as many rows as the model has places for tokens. */
static enum weft_status check_places(struct generate *g, const struct weft_program *program)
{
    uint64_t last = g->prompt + g->options->steps;
    for (size_t i = 0; i < program->input_count; i++) {
        const struct weft_tensor *input = &program->inputs[i];
        if (input->table_rows && input->table_rows < last && strstr(input->name, "position"))
            return weft_error(g->diag, "%s: its table of '%s' has %llu rows; a prompt of %llu tokens and %zu steps need %llu", program->network, input->name,
                              (unsigned long long)input->table_rows, (unsigned long long)g->prompt, g->options->steps, (unsigned long long)last);
    }
    return WEFT_OK;
}

/* The state lies behind the weights of either program. */
static enum weft_status reserve(struct generate *g, struct weft_network *network)
{
    struct weft_program *program;
    enum weft_status status = compile(&program, g, network, true, false);
    if (status)
        return status;
    if (program->dram_bytes > g->base)
        g->base = (program->dram_bytes + 4095) / 4096 * 4096;
    status = check_places(g, program);
    weft_program_free(program);
    return status;
}

static enum weft_status restore_state(struct generate *g, const char *file, struct weft_sim *sim)
{
    uint64_t bytes;
    weft_sim_memory(sim, WEFT_SPACE_DRAM, &bytes);
    if (g->base > bytes || g->bytes > bytes - g->base)
        return weft_error(g->diag, "%s: its program has %llu bytes of device memory, and the keys and values end at byte %llu: it holds fewer of them than the step before",
                          file, (unsigned long long)bytes, (unsigned long long)(g->base + g->bytes));
    return weft_sim_write(sim, WEFT_SPACE_DRAM, g->base, g->state, g->bytes) ? WEFT_OK : WEFT_NO_MEMORY;
}

static void keep_state(struct generate *g, const struct weft_sim *sim)
{
    uint64_t bytes;
    const uint8_t *dram = weft_sim_memory(sim, WEFT_SPACE_DRAM, &bytes);
    if (dram && bytes >= g->base + g->bytes)
        memcpy(g->state, dram + g->base, g->bytes);
}

static int64_t argmax(const float *values, uint64_t count)
{
    uint64_t best = 0;
    for (uint64_t i = 1; i < count; i++)
        best = values[i] > values[best] ? i : best;
    return (int64_t)best;
}

/* The most likely next token of each sequence, by its last row of the first output. */
static enum weft_status next_tokens(struct generate *g, const char *file, const struct weft_program *program, const struct weft_sim *sim, int64_t *out)
{
    uint64_t bytes;
    struct weft_array logits;
    const uint8_t *host = weft_sim_memory(sim, WEFT_SPACE_HOST, &bytes);
    if (!program->output_count)
        return weft_error(g->diag, "%s: no output is left to choose a token by", file);
    enum weft_status status = weft_tensor_unpack(&logits, &program->outputs[0], host, bytes, g->diag);
    if (status)
        return status;
    uint64_t width = logits.rank ? logits.dims[logits.rank - 1] : 1, each = logits.size / 4 / g->sequences;
    if (strcmp(logits.element, "float32"))
        status = weft_error(g->diag, "%s: output '%s' has type %s; the next token is the largest of float32 logits", file, logits.name, logits.element);
    else if (!width || !each || each % width || logits.size / 4 != each * g->sequences)
        status = weft_error(g->diag, "%s: output '%s' does not give each of %llu sequences the same number of rows, as many as a step writes tokens", file, logits.name,
                            (unsigned long long)g->sequences);
    for (uint64_t s = 0; s < g->sequences && !status; s++)
        out[s] = argmax((const float *)logits.bytes + (s + 1) * each - width, width);
    free(logits.name);
    free(logits.bytes);
    return status;
}

/* `at` 0: the prompt's program. */
static enum weft_status run(struct generate *g, const struct weft_program *program, const struct weft_arrays *inputs, struct weft_phase *phase, size_t at)
{
    struct weft_sim *sim = NULL;
    const char *file = at ? g->decode_path : g->prefill_path;
    struct weft_sim_options options = {.engine = g->options->engine, .name = file, .timing_only = g->options->timing};
    enum weft_status status = weft_sim_create(&sim, program, &options, g->diag);
    if (!status && !g->options->timing)
        status = restore_state(g, file, sim);
    if (!status && !g->options->timing)
        status = inputs_write(sim, program, file, inputs, false, g->diag);
    if (!status)
        status = weft_sim_run(sim, g->diag);
    if (!status) {
        *phase = (struct weft_phase){*weft_sim_counters(sim), program->roofline_cycles, program->mapping_cycles};
        if (!g->options->timing) {
            keep_state(g, sim);
            status = next_tokens(g, file, program, sim, &g->tokens[at * g->sequences]);
        }
    }
    weft_sim_free(sim);
    return status;
}

/* --- the prompt, and the steps ---------------------------------------------------------------------------------------- */

static enum weft_status prefill(struct generate *g, struct weft_network *network, struct weft_arrays *given, struct weft_phase *phase)
{
    struct weft_program *program;
    struct weft_arrays made = {0};
    enum weft_status status = compile(&program, g, network, g->options->timing, true);
    if (status)
        return status;
    g->bytes = program->dram_bytes - g->base;
    if (!g->options->timing && !(g->state = calloc(1, g->bytes + 1)))
        status = WEFT_NO_MEMORY;
    if (!status && !g->options->timing && !given->count)
        status = inputs_make(&made, program, g->options->common.compile.seed, g->said, sizeof g->said, g->diag);
    else if (!status && !g->options->timing)
        status = inputs_match(given, program, false, g->diag);
    if (!status && given->count)
        status = inputs_check(given, NULL, network, g->prefill_path, &g->options->common.compile, g->diag);
    if (!status)
        status = run(g, program, given->count ? given : &made, phase, 0);
    g->given = given;
    weft_arrays_free(&made);
    weft_program_free(program);
    return status;
}

static enum weft_status step(struct generate *g, size_t number, struct weft_phase *phase)
{
    uint64_t past = g->prompt + number;
    struct weft_network *network = NULL;
    struct weft_program *program = NULL;
    struct weft_arrays inputs = {0};
    enum weft_status status = load(&network, g, g->decode_path, NULL, past);
    if (!status)
        status = compile(&program, g, network, g->options->timing, true);
    if (!status && !g->options->timing)
        status = step_inputs(&inputs, &(struct step){g->diag, g->decode_path, g->given, g->prompt, g->sequences, g->tokens + number * g->sequences, number}, program);
    if (!status)
        status = run(g, program, &inputs, phase, number + 1);
    weft_arrays_free(&inputs);
    weft_program_free(program);
    weft_network_free(network);
    return status;
}

static enum weft_status all_steps(struct generate *g, struct weft_phase *phases)
{
    enum weft_status status = WEFT_OK;
    for (size_t i = 0; i < g->options->steps && !status; i++) {
        cli_progress_show(&g->progress, "writing", (double)i / (double)g->options->steps);
        status = step(g, i, &phases[i]);
    }
    cli_progress_end(&g->progress);
    return status;
}

/* --- in order --------------------------------------------------------------------------------------------------------- */

static enum weft_status print_text(struct generate *g, const struct weft_generation *generation)
{
    char *text = NULL;
    size_t size = 0;
    if (!g->options->text_path)
        return weft_report_generation_text(stdout, generation), WEFT_OK;
    FILE *memory = open_memstream(&text, &size);
    if (!memory)
        return WEFT_NO_MEMORY;
    weft_report_generation_text(memory, generation);
    enum weft_status status = fclose(memory) ? WEFT_NO_MEMORY : weft_file_write(g->options->text_path, text, size, g->diag);
    free(text);
    return status;
}

static enum weft_status print(struct generate *g, const struct weft_generation *generation)
{
    const struct run_options *o = g->options;
    char *json = NULL;
    enum weft_status status = WEFT_OK;
    if (o->text || (!o->json && !o->common.quiet))
        status = print_text(g, generation);
    if (!status && o->json)
        status = weft_report_generation_json(&json, generation);
    if (json && o->json_path)
        status = weft_file_write(o->json_path, json, strlen(json), g->diag);
    else if (json)
        puts(json);
    free(json);
    return status;
}

/* The networks are read, the state is found and has its place. */
static enum weft_status prepare(struct generate *g, struct weft_network **first, const struct weft_arrays *given)
{
    struct weft_network *decode = NULL;
    if (weft_program_is(g->options->subject))
        return weft_error(g->diag, "%s: a program is compiled already; --steps is for a network", g->options->subject);
    enum weft_status status = cli_network_path(&g->prefill_path, g->options->subject, g->diag);
    if (!status)
        status = load(first, g, g->prefill_path, given->count ? given : NULL, 0);
    if (!status)
        status = inputs_check_calibration(*first, g->prefill_path, &g->options->common.compile, g->diag);
    if (!status)
        status = find_decode(g);
    if (!status)
        status = find_prompt(g, *first);
    if (!status)
        status = load(&decode, g, g->decode_path, NULL, g->prompt);
    if (!status)
        status = find_state(g, *first, decode);
    if (!status)
        status = find_sequences(g, decode);
    if (!status)
        status = reserve(g, *first);
    if (!status)
        status = reserve(g, decode);
    weft_network_free(decode);
    return status;
}

enum weft_status generate_all(struct run_options *options, struct weft_diag *diag)
{
    struct generate *g = calloc(1, sizeof *g);
    struct weft_phase *phases = calloc(options->steps + 1, sizeof *phases);
    struct weft_network *first = NULL;
    struct weft_arrays given = {0};
    enum weft_status status = g && phases ? WEFT_OK : WEFT_NO_MEMORY;
    if (!status) {
        g->options = options;
        g->diag = diag;
        cli_progress_start(&g->progress, &options->common);
        status = cli_machine(&g->machine, &options->common, diag);
    }
    if (!status)
        status = inputs_load(&given, options->inputs, options->input_count, diag);
    if (!status && options->input_count)
        snprintf(g->said, sizeof g->said, "%s%s", options->inputs[0], options->input_count > 1 ? " and more" : "");
    if (!status)
        status = prepare(g, &first, &given);
    if (!status)
        status = prefill(g, first, &given, &phases[0]);
    if (!status)
        status = all_steps(g, phases + 1);
    if (!status) {
        const char *format = options->common.compile.format;
        status = print(g, &(struct weft_generation){&g->machine, cli_base_name(options->subject), format ? format : "int8", options->timing ? NULL : g->said,
                                                    g->sequences, g->prompt, g->prompt + options->steps, g->bytes, phases[0], phases + 1,
                                                    options->steps, options->timing ? NULL : g->tokens});
    }
    weft_network_free(first);
    weft_arrays_free(&given);
    free(phases);
    if (g) {
        free(g->prefill_path);
        free(g->decode_path);
        free(g->state);
        free(g->tokens);
    }
    free(g);
    return status;
}
