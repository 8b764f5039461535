/* test_generate.c: what a model writes with its keys and values kept from step to step is what it writes when it reads everything anew
 * each time; and the report's figures follow from the steps'. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "weft_isa.h"

enum { PROMPT = 6, STEPS = 5, VOCABULARY = 61 /* of masked.onnxtxt */ };
#define MACHINE " -m edge --set formats=u8,s8,s16,bf16 "

static char directory[] = "/tmp/weft-generate-XXXXXX";

static int command(const char *format, ...)
{
    char text[2048];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    return system(text);
}

static void write_ids(int64_t *ids, uint64_t count)
{
    char path[128];
    struct weft_array array = {.name = "input_ids", .element = "int64", .rank = 2, .dims = {1, count}, .bytes = ids, .size = 8 * count};
    snprintf(path, sizeof path, "%s/ids.npz", directory);
    assert_int_equal(weft_arrays_store(&(struct weft_arrays){&array, 1}, path, NULL), WEFT_OK);
}

/* The token that the whole sequence, read at once, goes on with. */
static int64_t read_anew(int64_t *ids, uint64_t count, const char *format)
{
    char path[128];
    struct weft_arrays out;
    int64_t best = 0;
    write_ids(ids, count);
    assert_int_equal(command(WEFT_COMMAND " run " HERE "/lm.onnxtxt --dim seq=%d" MACHINE "--format %s -q -i %s/ids.npz -o %s/out.npz", (int)count, format,
                             directory, directory), 0);
    snprintf(path, sizeof path, "%s/out.npz", directory);
    assert_int_equal(weft_arrays_load(&out, path, NULL), WEFT_OK);
    for (size_t i = 0; i < out.count; i++)
        if (!strcmp(out.items[i].name, "logits")) {
            const float *row = (const float *)out.items[i].bytes + 50 * (count - 1);
            for (int64_t k = 1; k < 50; k++)
                best = row[k] > row[best] ? k : best;
        }
    weft_arrays_free(&out);
    return best;
}

static json_t *write_on(const char *format, const char *more)
{
    char path[128];
    int64_t ids[PROMPT] = {7, 31, 2, 44, 19, 7};
    write_ids(ids, PROMPT);
    assert_int_equal(command(WEFT_COMMAND " run " HERE "/lm.onnxtxt --dim seq=%d --steps %d" MACHINE "--format %s %s --report json=%s/report.json --report text=%s/report.txt",
                             PROMPT, STEPS, format, more, directory, directory), 0);
    snprintf(path, sizeof path, "%s/report.txt", directory); /* the text goes where it was sent, too */
    assert_int_equal(access(path, F_OK), 0);
    snprintf(path, sizeof path, "%s/report.json", directory);
    json_t *report = json_load_file(path, 0, NULL);
    assert_non_null(report);
    return report;
}

static void tokens_are_those_of_reading_anew(void **state)
{
    (void)state;
    static const char *const formats[] = {"bf16", "fp32"};
    for (size_t f = 0; f < 2; f++) {
        char more[128];
        int64_t ids[PROMPT + STEPS + 1] = {7, 31, 2, 44, 19, 7};
        snprintf(more, sizeof more, "-i %s/ids.npz", directory);
        json_t *report = write_on(formats[f], more), *tokens = json_object_get(report, "tokens");
        assert_int_equal(json_array_size(tokens), STEPS + 1);
        for (uint64_t i = 0; i <= STEPS; i++) {
            ids[PROMPT + i] = read_anew(ids, PROMPT + i, formats[f]);
            assert_int_equal(json_integer_value(json_array_get(tokens, i)), ids[PROMPT + i]);
        }
        json_decref(report);
    }
}

/* --- masks, positions, several sequences ----------------------------------------------------------------------------------- */

struct sequence { int64_t ids[PROMPT + STEPS + 1], positions[PROMPT + STEPS + 1], mask[PROMPT + STEPS + 1]; };

/* Two prompts padded in front: by three tokens, and by one. Positions begin behind the padding. */
static const struct sequence padded[2] = {{{9, 9, 9, 20, 57, 22}, {0, 0, 0, 0, 1, 2}, {0, 0, 0, 1, 1, 1}}, {{9, 14, 3, 41, 8, 30}, {0, 0, 1, 2, 3, 4}, {0, 1, 1, 1, 1, 1}}};

static void write_sequences(const struct sequence *sequences, uint64_t batch, uint64_t count)
{
    char path[128];
    int64_t values[3][2 * (PROMPT + STEPS + 1)];
    static char *const names[3] = {"input_ids", "position_ids", "attention_mask"};
    struct weft_array arrays[3];
    for (uint64_t s = 0; s < batch; s++) {
        memcpy(values[0] + s * count, sequences[s].ids, 8 * count);
        memcpy(values[1] + s * count, sequences[s].positions, 8 * count);
        memcpy(values[2] + s * count, sequences[s].mask, 8 * count);
    }
    for (size_t i = 0; i < 3; i++)
        arrays[i] = (struct weft_array){.name = names[i], .element = "int64", .rank = 2, .dims = {batch, count}, .bytes = values[i], .size = 8 * batch * count};
    snprintf(path, sizeof path, "%s/sequences.npz", directory);
    assert_int_equal(weft_arrays_store(&(struct weft_arrays){arrays, 3}, path, NULL), WEFT_OK);
}

/* What the sequence goes on with when it is read alone and anew for each token. */
static void continue_anew(struct sequence *sequence)
{
    char path[128];
    snprintf(path, sizeof path, "%s/out.npz", directory);
    for (uint64_t count = PROMPT; count <= PROMPT + STEPS; count++) {
        struct weft_arrays out;
        int64_t best = 0;
        write_sequences(sequence, 1, count);
        assert_int_equal(command(WEFT_COMMAND " run " HERE "/masked.onnxtxt --dim N=1 --dim seq=%d -m tiny --format fp32 -q -i %s/sequences.npz -o %s/out.npz", (int)count,
                                 directory, directory), 0);
        assert_int_equal(weft_arrays_load(&out, path, NULL), WEFT_OK);
        for (size_t i = 0; i < out.count; i++)
            if (!strcmp(out.items[i].name, "logits")) {
                const float *row = (const float *)out.items[i].bytes + VOCABULARY * (count - 1);
                for (int64_t k = 1; k < VOCABULARY; k++)
                    best = row[k] > row[best] ? k : best;
            }
        weft_arrays_free(&out);
        sequence->ids[count] = best;
        sequence->positions[count] = sequence->positions[count - 1] + 1;
        sequence->mask[count] = 1;
    }
}

static json_t *write_side_by_side(const struct sequence *sequences, uint64_t batch)
{
    char path[128];
    write_sequences(sequences, batch, PROMPT);
    assert_int_equal(command(WEFT_COMMAND " run " HERE "/masked.onnxtxt --dim N=%d --dim seq=%d --steps %d -m tiny --format fp32 -i %s/sequences.npz --report json=%s/report.json "
                             "--report text=%s/report.txt", (int)batch, PROMPT, STEPS, directory, directory, directory), 0);
    snprintf(path, sizeof path, "%s/report.json", directory);
    json_t *report = json_load_file(path, 0, NULL);
    assert_non_null(report);
    assert_int_equal(json_integer_value(json_object_get(report, "batch")), batch);
    return report;
}

static void check_tokens(const json_t *tokens, const struct sequence *wanted)
{
    assert_int_equal(json_array_size(tokens), STEPS + 1);
    for (size_t i = 0; i <= STEPS; i++)
        assert_int_equal(json_integer_value(json_array_get(tokens, i)), wanted->ids[PROMPT + i]);
}

static void each_sequence_keeps_its_mask_and_goes_on_by_itself(void **state)
{
    (void)state;
    struct sequence alone[2] = {padded[0], padded[1]};
    for (size_t s = 0; s < 2; s++) {
        continue_anew(&alone[s]);
        json_t *report = write_side_by_side(&padded[s], 1);
        check_tokens(json_object_get(report, "tokens"), &alone[s]);
        json_decref(report);
    }
    json_t *report = write_side_by_side(padded, 2), *tokens = json_object_get(report, "tokens");
    assert_int_equal(json_array_size(tokens), 2);
    for (size_t s = 0; s < 2; s++) {
        check_tokens(json_array_get(tokens, s), &alone[s]);
        assert_int_equal(command("grep -q '^  tokens written, sequence %d: %d %d ' %s/report.txt", (int)s, (int)alone[s].ids[PROMPT], (int)alone[s].ids[PROMPT + 1], directory), 0);
    }
    assert_memory_not_equal(alone[0].ids + PROMPT, alone[1].ids + PROMPT, 8 * STEPS);
    json_decref(report);
}

static void figures_follow_from_the_steps(void **state)
{
    (void)state;
    json_t *report = write_on("bf16", "--timing"), *steps = json_object_get(report, "steps"), *step;
    size_t i;
    double seconds = 0;
    assert_int_equal(json_array_size(steps), STEPS);
    json_array_foreach(steps, i, step) {
        json_t *cycles;
        const char *class;
        json_int_t sum = 0;
        seconds += json_number_value(json_object_get(step, "seconds"));
        json_object_foreach(json_object_get(step, "classes"), class, cycles)
            sum += json_integer_value(cycles);
        assert_int_equal(sum, json_integer_value(json_object_get(step, "cycles")));
    }
    double each = json_number_value(json_object_get(report, "time_per_output_token"));
    assert_true(each > 0.999 * seconds / STEPS && each < 1.001 * seconds / STEPS);
    assert_true(json_number_value(json_object_get(report, "tokens_per_second")) * each > 0.999);
    /* two states of 1 x 2 heads x 11 tokens x 8 numbers of 2 bytes, each rounded up to 64 */
    assert_int_equal(json_integer_value(json_object_get(report, "state_bytes")), 2 * 384);
    json_decref(report);
}

/* The tables that the host looks up rows in are part of the program file. */
static void a_program_file_keeps_its_tables(void **state)
{
    (void)state;
    int64_t ids[PROMPT] = {7, 31, 2, 44, 19, 7};
    write_ids(ids, PROMPT);
    assert_int_equal(command(WEFT_COMMAND " compile -q " HERE "/lm.onnxtxt --dim seq=%d" MACHINE "--format bf16 -o %s/lm.tpu", PROMPT, directory), 0);
    assert_int_equal(command(WEFT_COMMAND " run -q %s/lm.tpu -i %s/ids.npz -o %s/file.npz", directory, directory, directory), 0);
    assert_int_equal(command(WEFT_COMMAND " run -q " HERE "/lm.onnxtxt --dim seq=%d" MACHINE "--format bf16 -i %s/ids.npz -o %s/network.npz", PROMPT,
                             directory, directory), 0);
    assert_int_equal(command("cmp %s/file.npz %s/network.npz", directory, directory), 0);
}

static void refusals_name_what_is_missing(void **state)
{
    (void)state;
    assert_int_not_equal(command(WEFT_COMMAND " run " HERE "/lm.onnxtxt --dim seq=4 --steps 2 -m tpu-v1 --set formats=u8,s8,bf16 --format bf16 --timing 2>%s/said", directory), 0);
    assert_int_equal(command("grep -q 'dram.writable' %s/said", directory), 0);
    assert_int_not_equal(command(WEFT_COMMAND " run " HERE "/lm.onnxtxt --dim seq=4 --steps 2" MACHINE "--format int8 --timing 2>%s/said", directory), 0);
    assert_int_equal(command("grep -q 'needs --format bf16' %s/said", directory), 0);
    assert_int_not_equal(command(WEFT_COMMAND " run mlp-784-512-10 --decode " HERE "/lm-decode.onnxtxt --steps 2" MACHINE "--timing 2>%s/said", directory), 0);
    assert_int_equal(command("grep -q 'no output is named present' %s/said", directory), 0);
    assert_int_not_equal(command(WEFT_COMMAND " run gpt2-small -m tpu-v4i --format bf16 --dim seq=1000 --steps 25 --timing 2>%s/said", directory), 0);
    assert_int_equal(command("grep -q \"'position_ids' has 1024 rows\" %s/said", directory), 0); /* 1025 tokens */
    struct sequence late = padded[0];
    late.positions[PROMPT - 1] = 197; /* of 200: two steps are left */
    write_sequences(&late, 1, PROMPT);
    assert_int_not_equal(command(WEFT_COMMAND " run " HERE "/masked.onnxtxt --dim N=1 --dim seq=%d --steps 3 -m tiny --format fp32 -i %s/sequences.npz 2>%s/said", PROMPT, directory,
                                 directory), 0);
    assert_int_equal(command("grep -q \"masked-decode.onnxtxt: input 'position_ids': element 0 is 200, but its table has 200 rows\" %s/said", directory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tokens_are_those_of_reading_anew), cmocka_unit_test(each_sequence_keeps_its_mask_and_goes_on_by_itself),
                                       cmocka_unit_test(figures_follow_from_the_steps),
                                       cmocka_unit_test(a_program_file_keeps_its_tables), cmocka_unit_test(refusals_name_what_is_missing)};
    if (!mkdtemp(directory))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    command("rm -r %s", directory);
    return failed;
}
