/* run.c: load or compile, feed, run, read, report; in this order. */
#include "run.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "counterpart.h"
#include "inputs.h"
#include "what_if.h"
#include "weft_trace.h"

struct run {
    struct run_options *options;
    struct weft_diag *diag;
    struct cli_progress progress;
    struct weft_program *program;
    struct weft_network *network;
    struct weft_arrays inputs, outputs;
    struct weft_sim *sim;
    struct weft_trace *trace;
    struct weft_counters *layers;
    struct check check;
    size_t missing;
    struct weft_baseline baseline;
    struct weft_technology technology;
    bool has_technology;
    struct weft_what_if what_if[WEFT_WHAT_IFS];
    bool compiled; /* from a network, here */
    char said_inputs[128];
    char *path; /* of the network */
};

static void say(const struct run *run, const char *verb, const char *path)
{
    if (!path || run->options->common.quiet || run->options->common.compile.dump_after)
        return;
    fflush(stdout); /* where both go to one file, a report is not cut in two */
    fprintf(stderr, "weft: %s %s\n", verb, path);
}

void run_writes(struct cli_outputs *outputs, const struct run_options *o)
{
    cli_writes(outputs, "-o", o->out);
    cli_writes(outputs, "--trace", o->trace);
    cli_writes(outputs, "--wave", o->wave);
    cli_writes(outputs, "--report text", o->text_path);
    cli_writes(outputs, "--report json", o->json_path);
    cli_writes(outputs, "--report html", o->html_path);
}

enum weft_status run_keeps_weights(const struct run_options *options, const struct weft_network *network, struct weft_diag *diag)
{
    struct cli_outputs outputs = {diag};
    run_writes(&outputs, options);
    cli_reads_weights(&outputs, network);
    return outputs.status;
}

/* --- the program ------------------------------------------------------------------------------------------------------ */

static enum weft_status load_network(struct run *run, const char *name)
{
    free(run->path);
    enum weft_status status = cli_network_path(&run->path, name, run->diag);
    if (status)
        return status;
    run->options->common.compile.bindings = run->inputs.count ? &run->inputs : NULL;
    status = cli_network_load(&run->network, run->path, &run->options->common.compile, run->diag);
    return status ? status : run_keeps_weights(run->options, run->network, run->diag);
}

/* What a program has settled already, or this run makes no use of. The network of --check and --what-if may need the first two to be read,
 * and that of --what-if, which is compiled again, all but the last two. */
static const char *meaningless_option(const struct run_options *o)
{
    const struct weft_compile_options *c = &o->common.compile;
    if (!o->check_network && !o->what_if_network && (c->batch || c->dim_count))
        return c->batch ? "--batch" : "--dim";
    if (!o->what_if && (c->format || c->calibration || c->range || c->prune > 0))
        return c->format ? "--format" : c->calibration ? "--calibration" : c->range ? "--range" : "--prune";
    if (c->dump_after)
        return "--dump-after";
    return o->common.seeded && (o->input_count || o->timing) ? "--seed" : NULL;
}

/* With --batch only where the network's own shapes are not the program's: a first dimension need not be a batch. */
static enum weft_status load_counterpart(struct run *run, const char *name)
{
    struct weft_compile_options *c = &run->options->common.compile;
    enum weft_status status = load_network(run, name);
    if (status || c->batch || weft_network_takes(run->network, run->program))
        return status;
    weft_network_free(run->network);
    run->network = NULL;
    c->batch = (int64_t)(run->program->batch ? run->program->batch : 1);
    return load_network(run, name);
}

static enum weft_status load_program(struct run *run)
{
    struct run_options *o = run->options;
    const char *meaningless = meaningless_option(o);
    if (o->common.machine || o->common.set_count)
        return weft_error(run->diag, "%s: a program carries its machine; -m and --set are for a network", o->subject);
    if (meaningless && !strcmp(meaningless, "--seed"))
        return weft_error(run->diag, "%s: --seed is for random input, and %s", o->subject, o->timing ? "--timing needs none" : "-i gives the input");
    if (meaningless)
        return weft_error(run->diag, "%s: a program is compiled already; %s is for a network", o->subject, meaningless);
    if (o->check && !o->check_network)
        return weft_error(run->diag, "%s: --check of a program needs the network that it was made from: --check=NETWORK", o->subject);
    if (o->what_if && !o->what_if_network && !o->check_network)
        return weft_error(run->diag, "%s: --what-if of a program needs the network that it was made from: --what-if=NETWORK", o->subject);
    enum weft_status status = weft_program_load(&run->program, o->subject, run->diag);
    const char *counterpart = o->check_network ? o->check_network : o->what_if_network;
    if (!status && counterpart)
        status = load_counterpart(run, counterpart);
    if (!status && o->check)
        status = counterpart_check(&(struct counterpart){o->subject, "--check", counterpart, run->program}, run->network, &o->common.compile, run->diag);
    return status;
}

static enum weft_status compile_network(struct run *run)
{
    struct weft_machine machine;
    struct run_options *o = run->options;
    enum weft_status status = cli_machine(&machine, &o->common, run->diag);
    run->compiled = true;
    if (!status && o->check_network)
        status = weft_error(run->diag, "%s is a network: --check compares with it, and takes no other", o->subject);
    if (!status && o->what_if_network)
        status = weft_error(run->diag, "%s is a network: --what-if asks about it, and takes no other", o->subject);
    if (!status)
        status = load_network(run, o->subject);
    if (!status)
        status = inputs_check_calibration(run->network, run->path, &o->common.compile, run->diag);
    return status ? status : weft_compile(&run->program, run->network, &machine, &o->common.compile, run->diag);
}

static enum weft_status obtain(struct run *run)
{
    struct run_options *o = run->options;
    o->common.compile.progress = cli_progress_show;
    o->common.compile.progress_user = &run->progress;
    enum weft_status status = inputs_load(&run->inputs, o->inputs, o->input_count, run->diag);
    if (status)
        return status;
    status = weft_program_is(o->subject) ? load_program(run) : compile_network(run);
    cli_progress_end(&run->progress);
    if (!status && run->compiled && o->common.verbose)
        fprintf(stderr, "weft: compiled %s for %s: %zu instructions, in %.3f s\n", o->subject, run->program->machine.name,
                run->program->instructions, cli_seconds_since(&run->progress.start));
    return status;
}

/* The one that was named, or the one whose file lists the machine: then, and only then, there is energy to be told. */
static enum weft_status choose_technology(struct run *run)
{
    const char *name = run->options->technology;
    if (!name)
        return weft_technology_find(&run->technology, &run->has_technology, run->program->machine.name, run->diag);
    run->has_technology = true;
    return weft_technology_load(&run->technology, name, run->diag);
}

/* --- inputs and outputs ------------------------------------------------------------------------------------------------ */

static enum weft_status choose_inputs(struct run *run)
{
    struct run_options *o = run->options;
    if (o->timing)
        return WEFT_OK;
    if (run->program->input_count == 0 && !o->input_count) {
        snprintf(run->said_inputs, sizeof run->said_inputs, "none");
        return WEFT_OK;
    }
    if (o->input_count) {
        snprintf(run->said_inputs, sizeof run->said_inputs, "%s%s", o->inputs[0], o->input_count > 1 ? " and more" : "");
        enum weft_status status = inputs_match(&run->inputs, run->program, !run->compiled, run->diag);
        if (!status && run->compiled)
            status = inputs_check(&run->inputs, NULL, run->network, run->path, &o->common.compile, run->diag);
        return status || !run->compiled ? status : inputs_fit_unread(&run->inputs, run->network, run->program, run->diag);
    }
    return inputs_make(&run->inputs, run->program, o->common.compile.seed, run->said_inputs, sizeof run->said_inputs, run->diag);
}

/* Before the work, so that a long run does not end in a refusal. */
static enum weft_status check_output_name(const struct run *run)
{
    const char *out = run->options->out, *dot = out ? strrchr(out, '.') : NULL;
    if (!out || (dot && !strcmp(dot, ".npz")))
        return WEFT_OK;
    if (!dot || strcmp(dot, ".npy"))
        return weft_error(run->diag, "%s: outputs are written as .npz, or .npy where there is one", out);
    if (run->program->output_count != 1)
        return weft_error(run->diag, "%s: the program has %zu outputs; .npy holds one, .npz any number", out, run->program->output_count);
    return WEFT_OK;
}

static int64_t integer_at(const struct weft_array *y, uint64_t i)
{
    return !strcmp(y->element, "int64") ? ((const int64_t *)y->bytes)[i] : ((const int32_t *)y->bytes)[i];
}

/* The machine's integers end at 32 bits and stay at their bounds: what stands there may have been more. */
static void tell_bounds(const struct run *run)
{
    for (size_t k = 0; k < run->program->output_count && !run->options->common.quiet; k++) {
        const struct weft_array *y = &run->outputs.items[k];
        uint64_t met = 0, count = weft_tensor_count(&run->program->outputs[k]);
        if (run->program->outputs[k].format != WEFT_FORMAT_s32 || (strcmp(y->element, "int64") && strcmp(y->element, "int32")))
            continue;
        for (uint64_t i = 0; i < count; i++)
            met += integer_at(y, i) >= INT32_MAX || integer_at(y, i) <= INT32_MIN;
        if (met)
            fprintf(stderr, "weft: output %s: %llu of %llu integers stand at the bounds of int32, beyond which the machine has none: they may be cut off\n", y->name,
                    (unsigned long long)met, (unsigned long long)count);
    }
}

static enum weft_status store_outputs(struct run *run)
{
    if (!run->options->out)
        return WEFT_OK;
    enum weft_status status = outputs_read(&run->outputs, run->sim, run->program, run->options->subject, run->diag);
    if (!status)
        tell_bounds(run);
    if (!status)
        status = weft_arrays_store(&run->outputs, run->options->out, run->diag);
    if (!status)
        say(run, "wrote the outputs:", run->options->out);
    return status;
}

/* --- the run ----------------------------------------------------------------------------------------------------------- */

static bool progress_run(void *user, size_t instruction, size_t instructions)
{
    cli_progress_show(user, "running", instructions ? (double)instruction / (double)instructions : 1);
    return false;
}

static enum weft_status create_sim(struct run *run)
{
    struct run_options *o = run->options;
    struct weft_sim_options options = {
        .engine = o->engine, .name = o->subject, .timing_only = o->timing, .cancel = progress_run, .cancel_user = &run->progress,
        .wave = o->wave, .wave_from = o->from_cycle, .wave_to = o->to_cycle};
    enum weft_status status = WEFT_OK;
    if (o->trace) {
        struct weft_trace_options window = {o->trace, o->from_cycle, o->to_cycle};
        status = weft_trace_create(&run->trace, run->program, &window, run->diag);
        if (!status)
            options.observer = weft_trace_observer(run->trace);
    }
    return status ? status : weft_sim_create(&run->sim, run->program, &options, run->diag);
}

static enum weft_status simulate(struct run *run)
{
    enum weft_status status = create_sim(run);
    if (!status && !run->options->timing)
        status = inputs_write(run->sim, run->program, run->options->subject, &run->inputs, !run->options->input_count, run->diag);
    if (status)
        return status;
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    if (run->options->check)
        status = check_run(&run->check, &run->missing, run->options->subject, run->sim, run->program, run->network, &run->inputs, run->diag);
    else
        status = weft_sim_run(run->sim, run->diag);
    cli_progress_end(&run->progress);
    if (!status && run->options->common.verbose)
        fprintf(stderr, "weft: ran in %.3f s%s\n", cli_seconds_since(&start), run->options->check ? ", the float network included" : "");
    if (!status && run->missing)
        fprintf(stderr, "weft: %zu values of the program have no counterpart in the network and were not compared\n", run->missing);
    uint64_t cycles = weft_sim_counters(run->sim)->cycles;
    if (!status && cycles && run->options->from_cycle >= cycles)
        fprintf(stderr, "weft: --from-cycle %llu lies behind the end of the run, which has %llu cycles: nothing is in that window\n",
                (unsigned long long)run->options->from_cycle, (unsigned long long)cycles);
    if (!status && run->trace)
        status = weft_trace_finish(run->trace, run->diag);
    if (!status)
        say(run, "wrote the timeline, for ui.perfetto.dev:", run->options->trace);
    if (!status && run->options->wave)
        say(run, "wrote the waveform, for GTKWave:", run->options->wave);
    return status;
}

/* --- what if ------------------------------------------------------------------------------------------------------------ */

static enum weft_status ask_what_if(struct run *run)
{
    struct run_options *o = run->options;
    const char *network = o->what_if_network ? o->what_if_network : o->check_network ? o->check_network : run->compiled ? o->subject : NULL;
    if (!o->what_if)
        return WEFT_OK;
    enum weft_status status = what_if_all(run->what_if, network, run->compiled ? NULL : o->subject, run->program, &o->common.compile, run->diag);
    cli_progress_end(&run->progress);
    return status;
}

/* --- the report -------------------------------------------------------------------------------------------------------- */

static enum weft_status collect_layers(struct run *run)
{
    size_t count = run->program->layer_count;
    run->layers = calloc(count ? count : 1, sizeof *run->layers);
    if (!run->layers)
        return WEFT_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        run->layers[i] = *weft_sim_layer_counters(run->sim, i);
    return WEFT_OK;
}

static enum weft_status write_text(struct run *run, const struct weft_report_input *input)
{
    if (!run->options->text_path) {
        weft_report_text(stdout, input);
        return WEFT_OK;
    }
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (!memory)
        return WEFT_NO_MEMORY;
    weft_report_text(memory, input);
    enum weft_status status = fclose(memory) ? WEFT_NO_MEMORY : weft_file_write(run->options->text_path, text, size, run->diag);
    free(text);
    return status;
}

static enum weft_status write_whole(struct run *run, const struct weft_report_input *input, const char *path,
                                    enum weft_status (*make)(char **out, const struct weft_report_input *input))
{
    char *text;
    enum weft_status status = make(&text, input);
    if (status)
        return status;
    if (path)
        status = weft_file_write(path, text, strlen(text), run->diag);
    else
        puts(text);
    free(text);
    if (!status)
        say(run, "wrote the report:", path);
    return status;
}

static enum weft_status judge(struct run *run, const struct weft_report_input *input)
{
    const struct weft_accuracy *departs = weft_accuracy_departure(input);
    const char *subject = run->options->subject;
    if (!input->accuracy_count)
        return weft_error(run->diag, "%s: --check-at=%g: the program keeps no value that could be compared", subject, run->options->check_at);
    if (!departs)
        return WEFT_OK;
    if (departs->sqnr_db != departs->sqnr_db)
        return weft_error(run->diag, "%s: value %s is not finite; --check-at=%g asks for that many dB", subject, departs->name, run->options->check_at);
    return weft_error(run->diag, "%s: value %s is at %.1f dB; --check-at=%g asks for more", subject, departs->name, departs->sqnr_db,
                      run->options->check_at);
}

static enum weft_status report(struct run *run)
{
    struct run_options *o = run->options;
    enum weft_status status = collect_layers(run);
    if (status)
        return status;
    struct weft_report_input input = {
        .program = run->program,
        .name = cli_base_name(o->subject),
        .inputs = o->timing ? NULL : run->said_inputs,
        .engine = o->engine,
        .timing_only = o->timing,
        .run = weft_sim_counters(run->sim),
        .layers = run->layers,
        .accuracy = run->check.items,
        .accuracy_count = run->check.count,
        .accuracy_db = o->check_at ? o->check_at : weft_compile_bar(run->program->format),
        .baseline = o->baseline ? &run->baseline : NULL,
        .what_if = o->what_if ? run->what_if : NULL,
        .technology = run->has_technology ? &run->technology : NULL,
    };
    bool asked = o->text || o->json || o->html;
    if (o->text || (!asked && !o->common.quiet))
        status = write_text(run, &input);
    if (!status && o->json)
        status = write_whole(run, &input, o->json_path, weft_report_json);
    if (!status && o->html)
        status = write_whole(run, &input, o->html_path, weft_report_html);
    if (!status && o->check_at)
        status = judge(run, &input);
    return status;
}

static void release(struct run *run)
{
    cli_progress_end(&run->progress);
    check_free(&run->check);
    free(run->layers);
    weft_sim_free(run->sim);
    weft_trace_free(run->trace);
    weft_arrays_free(&run->outputs);
    weft_arrays_free(&run->inputs);
    weft_program_free(run->program);
    weft_network_free(run->network);
    free(run->path);
}

enum weft_status run_all(struct run_options *options, struct weft_diag *diag)
{
    struct run run = {.options = options, .diag = diag};
    cli_progress_start(&run.progress, &options->common);
    enum weft_status status = options->baseline ? weft_baseline_load(&run.baseline, options->baseline, diag) : WEFT_OK;
    if (!status)
        status = obtain(&run);
    if (!status)
        status = choose_technology(&run);
    if (!status)
        status = check_output_name(&run);
    if (!status)
        status = choose_inputs(&run);
    if (!status)
        status = simulate(&run);
    if (!status)
        status = store_outputs(&run);
    if (!status)
        status = ask_what_if(&run);
    if (!status)
        status = report(&run);
    release(&run);
    return status;
}
