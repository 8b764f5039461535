/* differential.c: the engines on random programs. The first program on which they differ is shrunk, written to a file, and ends the run.
 *
 *     weft_differential [-t] [-n COUNT] [-s SEED] [-f FIRST] [-o DIRECTORY]
 *     weft_differential [-t] PROGRAM...     the engines on program files instead
 *
 * The engines are fast and reference, and the clock of clock.c beside them; with -t, fast and the clocked twin.
 *
 * Program number i of a seed is the same on every host: -s SEED -f i -n 1 runs it alone. -n 0 runs without end. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

struct plan {
    uint64_t count, seed, first;
    const char *directory;
    fuzz_comparison *compare;
};

/* What the programs were like, so that a generator gone dull is seen. */
struct tally {
    uint64_t programs, faulted, instructions;
    struct weft_counters sum;
};

static bool parse_number(uint64_t *out, const char *text)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 0);
    return errno == 0 && end != text && *end == '\0' && *text != '-';
}

static bool parse_arguments(struct plan *plan, int argc, char **argv)
{
    for (int option; (option = getopt(argc, argv, "tn:s:f:o:")) != -1;) {
        bool good = option == 'o' || option == 't';
        if (option == 'o') plan->directory = optarg;
        else if (option == 't') plan->compare = fuzz_compare_twin;
        else if (option == 'n') good = parse_number(&plan->count, optarg);
        else if (option == 's') good = parse_number(&plan->seed, optarg);
        else if (option == 'f') good = parse_number(&plan->first, optarg);
        if (!good) return false;
    }
    return true;
}

static uint64_t seed_of(const struct plan *plan, uint64_t number)
{
    struct fuzz_random random = {plan->seed};
    random.state = fuzz_next(&random) + number;
    return fuzz_next(&random);
}

static enum weft_status report(const struct plan *plan, uint64_t number, struct weft_program *program)
{
    struct weft_diag diag = {weft_diag_stderr};
    struct fuzz_verdict verdict;
    char prefix[4000];
    enum weft_status status = fuzz_shrink(program, plan->compare);
    if (status == WEFT_OK) status = plan->compare(&verdict, program);
    if (status != WEFT_OK) return status;
    snprintf(prefix, sizeof prefix, "%s/differs-%" PRIu64 "-%" PRIu64, plan->directory, plan->seed, number);
    status = fuzz_store(program, prefix, verdict.why, &diag);
    fprintf(stderr, "program %" PRIu64 " of seed %" PRIu64 ": %s\n  shrunk to %zu instructions: %s.weft, %s.txt\n", number, plan->seed, verdict.why,
            program->instructions, prefix, prefix);
    return status == WEFT_OK ? WEFT_ERROR : status;
}

static void count(struct tally *tally, const struct weft_program *program, const struct fuzz_verdict *verdict)
{
    size_t counters;
    const struct weft_counter_info *table = weft_counter_table(&counters);
    for (size_t i = 0; i < counters; i++) {
        uint64_t *sum = (uint64_t *)((char *)&tally->sum + table[i].offset);
        *sum += *(const uint64_t *)((const char *)&verdict->counters + table[i].offset);
    }
    tally->programs++;
    tally->faulted += verdict->faulted;
    tally->instructions += program->instructions;
}

static enum weft_status run_one(struct tally *tally, const struct plan *plan, uint64_t number)
{
    struct weft_program *program;
    struct fuzz_verdict verdict;
    enum weft_status status = fuzz_generate(&program, seed_of(plan, number));
    if (status != WEFT_OK) return status;
    status = plan->compare(&verdict, program);
    if (status == WEFT_OK) count(tally, program, &verdict);
    if (status == WEFT_OK && !verdict.agree) status = report(plan, number, program);
    weft_program_free(program);
    return status;
}

static void print_tally(const struct plan *plan, const struct tally *tally)
{
    const struct weft_counters *c = &tally->sum;
    printf("seed %" PRIu64 ": %" PRIu64 " programs agree (%" PRIu64 " in a fault), %" PRIu64 " instructions, %" PRIu64 " cycles\n", plan->seed,
           tally->programs, tally->faulted, tally->instructions, c->cycles);
    printf("active %" PRIu64 ", weight_stall %" PRIu64 ", weight_shift %" PRIu64 ", input %" PRIu64 ", raw %" PRIu64 ", other %" PRIu64 "\n",
           c->class_active, c->class_weight_stall, c->class_weight_shift, c->class_input, c->class_raw, c->class_other);
}

static enum weft_status run_file(const struct plan *plan, const char *path)
{
    struct weft_diag diag = {weft_diag_stderr};
    struct weft_program *program;
    struct fuzz_verdict verdict;
    enum weft_status status = weft_program_load(&program, path, &diag);
    if (status != WEFT_OK) return status;
    status = plan->compare(&verdict, program);
    weft_program_free(program);
    if (status != WEFT_OK) return status;
    printf("%s: %s%s\n", path, verdict.agree ? "the engines agree" : verdict.why, verdict.faulted ? " on a fault" : "");
    return verdict.agree ? WEFT_OK : WEFT_ERROR;
}

static enum weft_status run_random(struct tally *tally, const struct plan *plan)
{
    enum weft_status status = WEFT_OK;
    for (uint64_t i = 0; status == WEFT_OK && (plan->count == 0 || i < plan->count); i++) {
        status = run_one(tally, plan, plan->first + i);
        if (plan->count == 0 && i % 10000 == 9999) print_tally(plan, tally), fflush(stdout);
    }
    if (status == WEFT_OK) print_tally(plan, tally);
    return status;
}

int main(int argc, char **argv)
{
    struct plan plan = {.count = 10000, .seed = 1, .directory = ".", .compare = fuzz_compare};
    bool help = argc > 1 && !strcmp(argv[1], "--help");
    if (help || !parse_arguments(&plan, argc, argv)) {
        fprintf(help ? stdout : stderr, "usage: weft_differential [-t] [-n COUNT] [-s SEED] [-f FIRST] [-o DIRECTORY] | PROGRAM...\n");
        return help ? 0 : 2;
    }
    struct tally tally = {0};
    enum weft_status status = WEFT_OK;
    for (int i = optind; i < argc && status == WEFT_OK; i++) status = run_file(&plan, argv[i]);
    if (optind == argc) status = run_random(&tally, &plan);
    if (status == WEFT_NO_MEMORY) fprintf(stderr, "weft_differential: no memory\n");
    return status == WEFT_OK ? 0 : 1;
}
