/* test_inputs.c: what a network is run with does not change the program. A value that is given (`weft run -i`) becomes a constant only where the network
 * would be refused without it; otherwise the program is the one that `weft compile` writes, byte by byte, in the formats that need no ranges. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "built.h"

#define DATA "/usr/share/libonnx-testdata/data/"

enum { INPUTS_MAX = 16, FOLDER_ROOM = 512, PATH_ROOM = 1024 };

/* Two activations and the stack of matrices that stands beside them; and an input whose type alone counts. */
static const char products[] = HEAD "products (float[8, 6, 16] a, float[8, 16, 4] b, float[8, 5] like) => (float[8, 6, 4] y) {\n"
    "r = Relu (a)\n y = MatMul (r, b) }";

/* The same with windows enough for a batch of eight to leave the buffer. */
static const char images[] = HEAD "images (float[8, 6, 12, 10] x, float[8, 16, 10] b, float[8, 5] like) => (float[8, 16, 10] y) <int64[1] at = {1}> {\n"
    WEIGHTS("w1", "16, 6, 3, 3", "1.0") "c = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, w1)\n r = Relu (c)\n"
    WEIGHTS("w2", "16, 16, 3, 3", "2.0") "d = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (r, w2)\n"
    "g = GlobalAveragePool (d)\n k = Flatten (g)\n u = Unsqueeze (k, at)\n t = Transpose <perm = [0, 2, 1]> (u)\n y = Mul (t, b) }";

/* --- programs as bytes ---------------------------------------------------------------------------------------------------------- */

static char *stored(const struct weft_program *program, size_t *bytes)
{
    char path[] = "/tmp/weft-inputs-XXXXXX.tpu", *text;
    int file = mkstemps(path, 4);
    assert_true(file >= 0);
    close(file);
    assert_int_equal(weft_program_store(program, path, &(struct weft_diag){weft_diag_stderr, NULL, 0}), WEFT_OK);
    assert_int_equal(weft_file_read(&text, bytes, path, (size_t)1 << 30, NULL), WEFT_OK);
    unlink(path);
    return text;
}

static bool same_programs(const struct weft_program *a, const struct weft_program *b)
{
    size_t na, nb;
    char *x = stored(a, &na), *y = stored(b, &nb);
    bool same = na == nb && !memcmp(x, y, na);
    free(x);
    free(y);
    return same;
}

/* --- networks of our own -------------------------------------------------------------------------------------------------------- */

/* In one go the arrays that a run of the program would have; `like` in another shape than the network declares. */
static struct weft_arrays values_for(const struct weft_program *program)
{
    struct weft_arrays arrays;
    assert_int_equal(weft_random_inputs(&arrays, program, 3, NULL), WEFT_OK);
    for (size_t i = 0; i < arrays.count; i++)
        if (!strcmp(arrays.items[i].name, "like")) {
            arrays.items[i].rank = 1;
            arrays.items[i].dims[0] = arrays.items[i].size / sizeof(float);
        }
    return arrays;
}

static void given_or_not(const char *text, const char *format, const char *bytes)
{
    const char *const settings[] = {bytes, NULL};
    struct built bare = build(text, format, settings);
    struct weft_arrays arrays = values_for(bare.program);
    struct built given = build_by(text, &(struct weft_compile_options){.seed = 7, .format = format, .bindings = &arrays}, settings);
    free(bare.program->network), free(given.program->network); /* the names of two temporary files */
    bare.program->network = strdup("n"), given.program->network = strdup("n");
    assert_true(same_programs(bare.program, given.program));
    weft_arrays_free(&arrays);
    drop(&bare);
    drop(&given);
}

static void activations_stay_inputs(void **state)
{
    given_or_not(products, "fp32", "unified_buffer.bytes=1048576");
    given_or_not(products, "bf16", "unified_buffer.bytes=1048576");
}

/* How many keys count, and a region that no mode reads. */
static const char counted[] = "<ir_version: 10, opset_import: [\"\" : 24]>\n"
    "counted (float[2, 4, 6, 8] q, float[2, 4, 6, 8] k, int64[2] n) => (float[2, 4, 6, 8] y) { y = Attention (q, k, k, \"\", \"\", \"\", n) }";
static const char region[] = HEAD "region (float[1, 2, 6, 8] x, float[8] roi) => (float[1, 2, 12, 16] y) <float[4] s = {1, 1, 2, 2}> { y = Resize (x, roi, s) }";

static void integers_stay_inputs_too(void **state)
{
    given_or_not(counted, "fp32", "unified_buffer.bytes=1048576");
    given_or_not(region, "fp32", "unified_buffer.bytes=1048576");
}

static void a_batch_runs_in_the_same_parts(void **state)
{
    given_or_not(images, "bf16", "unified_buffer.bytes=16384");
}

/* Ranges are the run's own; what is done with them is not. */
static void ranges_change_no_instruction(void **state)
{
    const char *const settings[] = {"unified_buffer.bytes=1048576", NULL};
    struct built bare = build(products, "int8", settings);
    struct weft_arrays arrays = values_for(bare.program);
    struct built given = build_by(products, &(struct weft_compile_options){.bindings = &arrays}, settings);
    struct weft_sim *a = run(bare.program, WEFT_ENGINE_FAST), *b = run(given.program, WEFT_ENGINE_FAST);
    assert_int_equal(bare.program->input_count, given.program->input_count);
    assert_int_equal(bare.program->instructions, given.program->instructions);
    assert_memory_equal(weft_sim_counters(a), weft_sim_counters(b), sizeof(struct weft_counters));
    weft_arrays_free(&arrays);
    weft_sim_free(a);
    weft_sim_free(b);
    drop(&bare);
    drop(&given);
}

/* --- ONNX's tests --------------------------------------------------------------------------------------------------------------- */

/* SET/input_0.pb, SET/input_1.pb, ...; an array without a name is nobody's. */
static struct weft_arrays load_inputs(const char *folder)
{
    struct weft_arrays all = {calloc(INPUTS_MAX, sizeof *all.items), 0}, one;
    char path[PATH_ROOM];
    assert_non_null(all.items);
    for (size_t i = 0; i < INPUTS_MAX; i++) {
        snprintf(path, sizeof path, "%s/test_data_set_0/input_%zu.pb", folder, i);
        if (access(path, F_OK) || weft_tensor_proto_load(&one, path, NULL))
            break;
        all.items[all.count++] = one.items[0];
        free(one.items);
    }
    return all;
}

/* NULL: refused. */
static struct weft_program *compiled(const char *folder, const struct weft_machine *machine, const struct weft_arrays *arrays)
{
    struct weft_compile_options options = {.format = "fp32", .bindings = arrays};
    struct weft_network *network;
    struct weft_program *program = NULL;
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    if (weft_network_load(&network, path, &options, NULL))
        return NULL;
    if (weft_compile(&program, network, machine, &options, NULL))
        program = NULL;
    weft_network_free(network);
    return program;
}

static bool is_input(const struct weft_program *program, const char *name)
{
    for (size_t i = 0; i < program->input_count; i++)
        if (!strcmp(program->inputs[i].name, name))
            return true;
    return false;
}

/* Without the array the network is refused, or is this very program. */
static bool is_needed_or_idle(const char *folder, const struct weft_machine *machine, const struct weft_arrays *arrays, size_t i, const struct weft_program *program)
{
    struct weft_arrays others = {malloc((arrays->count + 1) * sizeof *others.items), 0};
    assert_non_null(others.items);
    for (size_t k = 0; k < arrays->count; k++)
        if (k != i)
            others.items[others.count++] = arrays->items[k];
    struct weft_program *without = compiled(folder, machine, &others);
    bool fine = !without || same_programs(program, without);
    weft_program_free(without);
    free(others.items);
    return fine;
}

struct counts { unsigned programs, constants, wrong; };

static void look_at(struct counts *counts, const char *folder, const struct weft_machine *machine)
{
    struct weft_arrays arrays = load_inputs(folder);
    struct weft_program *program = compiled(folder, machine, &arrays), *bare = program ? compiled(folder, machine, NULL) : NULL;
    counts->programs += program != NULL;
    if (bare && !same_programs(program, bare)) {
        counts->wrong++;
        print_message("%s: another program than without its inputs\n", folder);
    }
    for (size_t i = 0; program && !bare && i < arrays.count; i++) {
        if (is_input(program, arrays.items[i].name))
            continue;
        counts->constants++;
        if (!is_needed_or_idle(folder, machine, &arrays, i, program)) {
            counts->wrong++;
            print_message("%s: %s became a constant, and need not\n", folder, arrays.items[i].name);
        }
    }
    weft_program_free(program);
    weft_program_free(bare);
    weft_arrays_free(&arrays);
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void only_what_is_needed_becomes_a_constant(void **state)
{
    static const char *const folders[] = {DATA "node", DATA "pytorch-converted", DATA "pytorch-operator", DATA "simple"};
    struct counts counts = {0};
    struct weft_machine machine;
    assert_int_equal(weft_machine_load(&machine, "tiny", NULL), WEFT_OK);
    for (size_t f = 0; f < sizeof folders / sizeof *folders; f++) {
        struct dirent **entries;
        int count = scandir(folders[f], &entries, visible, alphasort);
        if (count <= 0)
            fail_msg("%s is empty: install libonnx-testdata", folders[f]);
        for (int i = 0; i < count; i++) {
            char folder[FOLDER_ROOM];
            snprintf(folder, sizeof folder, "%s/%s", folders[f], entries[i]->d_name);
            look_at(&counts, folder, &machine);
            free(entries[i]);
        }
        free(entries);
    }
    print_message("%u programs, in which %u inputs became constants\n", counts.programs, counts.constants);
    assert_true(counts.programs >= 700 && counts.constants > 100);
    assert_int_equal(counts.wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(activations_stay_inputs), cmocka_unit_test(integers_stay_inputs_too), cmocka_unit_test(a_batch_runs_in_the_same_parts),
                                       cmocka_unit_test(ranges_change_no_instruction), cmocka_unit_test(only_what_is_needed_becomes_a_constant)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
