/* test_networks.c FILE: compiles the network for two batches and three machines in int8, and one machine, with three arrays, in
 * the other formats, and runs it. The fast engine's and the reference interpreter's memories must be equal in every byte; the outputs must be close to the float
 * interpreter's.
 *
 * A line "# needs: u8" says that the network's own integers are no s8. A line "# sqnr: 30" in the file says how many decibels are asked for in int8 and int16; integer outputs must be equal ("# sqnr: exact").
 * The other formats: a number of b significant bits errs by at most 2^-b of itself, which is 6 b decibels for one rounding. bf16 has 8 (48 dB),
 * of which 10 dB are left for the roundings of several layers one behind the other; three passes have 16 (96), six 24 (144). fp32 sums of
 * some hundred products lose a few bits more. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weft_compiler.h"
#include "weft_sim.h"

/* The last as gemmini, which has no unsigned numbers. */
static const struct { const char *name, *formats; } machines[] = {{"tiny", "formats=u8,s8,s16,bf16"}, {"edge", "formats=u8,s8,s16,bf16"}, {"tpu-v1", "formats=u8,s8,s16,bf16"}, {"tiny", "formats=s8"}};
static const int64_t batches[] = {0, 3};
static const struct { const char *name; double decibels; /* 0: what the file asks for */ } formats[] = {{"int16", 0}, {"bf16", 38}, {"bf16x3", 86}, {"fp32", 120}};

static bool needs_u8(const char *path)
{
    char line[512];
    bool needs = false;
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        needs |= !strcmp(line, "# needs: u8\n");
    if (file)
        fclose(file);
    return needs;
}

static double asked_for(const char *path)
{
    char line[512];
    double asked = 30;
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, "# sqnr:", 7))
            asked = strstr(line, "exact") ? INFINITY : strtod(line + 7, NULL);
    if (file)
        fclose(file);
    return asked;
}

static struct weft_sim *run(const struct weft_program *program, const struct weft_arrays *inputs, enum weft_engine engine, struct weft_diag *diag)
{
    struct weft_sim *sim = NULL;
    uint64_t bytes;
    if (weft_sim_create(&sim, program, &(struct weft_sim_options){.engine = engine}, diag))
        return NULL;
    uint8_t *host = (uint8_t *)weft_sim_memory(sim, WEFT_SPACE_HOST, &bytes);
    enum weft_status status = WEFT_OK;
    for (size_t i = 0; i < program->input_count && !status; i++)
        for (size_t k = 0; k < inputs->count; k++)
            if (!strcmp(inputs->items[k].name, program->inputs[i].name))
                status = weft_tensor_pack(host, bytes, &program->inputs[i], &inputs->items[k], diag);
    if (!status && !weft_sim_run(sim, diag))
        return sim;
    weft_sim_free(sim);
    return NULL;
}

static bool same_memories(const struct weft_sim *a, const struct weft_sim *b)
{
    static const char *const names[] = {"UB", "ACC", "host"};
    bool same = true;
    for (int space = WEFT_SPACE_UB; space <= WEFT_SPACE_HOST; space++) {
        uint64_t na, nb, at = 0;
        const uint8_t *x = weft_sim_memory(a, space, &na), *y = weft_sim_memory(b, space, &nb);
        while (at < na && at < nb && x[at] == y[at])
            at++;
        if (na != nb || at < na) {
            fprintf(stderr, "%s differs between the engines at byte %llu\n", names[space], (unsigned long long)at);
            same = false;
        }
    }
    return same;
}

static double element_at(const struct weft_array *out, uint64_t i)
{
    const char *type = out->element;
    if (!strcmp(type, "float32"))
        return ((const float *)out->bytes)[i];
    if (!strcmp(type, "uint8") || !strcmp(type, "bool"))
        return ((const uint8_t *)out->bytes)[i];
    if (!strcmp(type, "int8"))
        return ((const int8_t *)out->bytes)[i];
    if (!strcmp(type, "int32"))
        return ((const int32_t *)out->bytes)[i];
    return !strcmp(type, "int64") ? (double)((const int64_t *)out->bytes)[i] : NAN;
}

static double decibels(const struct weft_array *out, const float *want, uint64_t count)
{
    double signal = 0, noise = 0;
    for (uint64_t i = 0; i < count; i++) {
        double x = element_at(out, i);
        if (isinf(want[i]) && x == want[i])
            continue;
        signal += (double)want[i] * want[i];
        noise += (x - want[i]) * (x - want[i]);
    }
    return noise == 0 ? INFINITY : 10 * log10(signal / noise);
}

static bool close_enough(const struct weft_program *program, struct weft_sim *sim, const struct weft_network *network, double asked,
                         struct weft_diag *diag)
{
    bool good = true;
    uint64_t bytes, count;
    const uint8_t *host = weft_sim_memory(sim, WEFT_SPACE_HOST, &bytes);
    for (size_t i = 0; i < program->output_count; i++) {
        struct weft_array out = {0};
        const float *want = weft_network_value(network, program->outputs[i].name, &count);
        if (!want || weft_tensor_unpack(&out, &program->outputs[i], host, bytes, diag))
            return false;
        double db = decibels(&out, want, count);
        struct weft_arrays one = {&out, 1};
        printf("  %s: %.1f dB\n", program->outputs[i].name, db);
        if (!(db >= asked)) {
            fprintf(stderr, "output %s: %.1f dB, %.1f asked for\n", program->outputs[i].name, db, asked);
            good = false;
        }
        free(out.name);
        free(out.bytes);
        (void)one;
    }
    return good;
}

static bool try_once(const char *path, const char *name, const char *has, const char *format, int64_t batch, double asked, struct weft_diag *diag)
{
    struct weft_machine machine;
    struct weft_network *network = NULL;
    struct weft_program *program = NULL;
    struct weft_arrays inputs = {0};
    struct weft_compile_options options = {.batch = batch, .seed = 7, .format = format};
    printf("%s, %s, batch %lld\n", name, format, (long long)batch);
    bool good = !weft_machine_load(&machine, name, diag) && !weft_machine_set(&machine, has, diag) &&
                !weft_machine_set(&machine, strcmp(format, "int8") ? "array.count=3" : "array.count=1", diag) &&
                !weft_machine_set(&machine, strcmp(format, "int8") ? "accumulators.rows=48" : "accumulators.rows=1024", diag) && !weft_network_load(&network, path, &options, diag) &&
                !weft_compile(&program, network, &machine, &options, diag) && !weft_random_inputs(&inputs, program, 7, diag);
    struct weft_sim *fast = good ? run(program, &inputs, WEFT_ENGINE_FAST, diag) : NULL;
    struct weft_sim *reference = good ? run(program, &inputs, WEFT_ENGINE_REFERENCE, diag) : NULL;
    good = fast && reference && same_memories(fast, reference) && !weft_network_interpret(network, &inputs, diag) &&
           close_enough(program, fast, network, asked, diag);
    weft_sim_free(fast);
    weft_sim_free(reference);
    weft_arrays_free(&inputs);
    weft_program_free(program);
    weft_network_free(network);
    return good;
}

int main(int argc, char **argv)
{
    struct weft_diag diag = {.report = weft_diag_stderr};
    bool good = argc == 2;
    double asked = good ? asked_for(argv[1]) : 0;
    for (size_t m = 0; good && m < sizeof machines / sizeof *machines - needs_u8(argv[1]); m++)
        for (size_t b = 0; b < sizeof batches / sizeof *batches; b++)
            good &= try_once(argv[1], machines[m].name, machines[m].formats, "int8", batches[b], asked, &diag);
    for (size_t f = 0; good && f < sizeof formats / sizeof *formats; f++)
        for (size_t b = 0; b < sizeof batches / sizeof *batches; b++)
            good &= try_once(argv[1], "tiny", machines[0].formats, formats[f].name, batches[b], isinf(asked) || !formats[f].decibels ? asked : formats[f].decibels, &diag);
    return good ? 0 : 1;
}
