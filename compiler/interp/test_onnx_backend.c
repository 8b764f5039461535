/* test_onnx_backend.c: every one of ONNX's own node tests (package libonnx-testdata) that the importer takes, through the
 * importer, the passes and the interpreter, against the outputs that ONNX gives. Floats to 1e-3 relative and 1e-5 absolute,
 * integers exactly. test_onnx_backend.def says of each what becomes of it, and of what the importer refuses why.
 *
 * Tests of opsets 1 to 6 (all that there are of one- and three-dimensional, grouped and dilated convolutions) are read as
 * opset 7, which is right for the operators that 7 left alone; the importer refuses the attributes of the others.
 */
#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "element.h"
#include "import.h"
#include "interp.h"
#include "onnx.pb-c.h"
#include "passes.h"

static const char *const folders[] = {"/usr/share/libonnx-testdata/data/node", "/usr/share/libonnx-testdata/data/pytorch-converted",
                                      "/usr/share/libonnx-testdata/data/pytorch-operator"};

static const char *const required[] = {
#define PASSES
#include "test_onnx_backend.def"
#undef PASSES
};

static const struct refusal {
    const char *because, *names;
} refusals[] = {
#define REFUSED(because, names) {because, names},
#include "test_onnx_backend.def"
#undef REFUSED
};

enum { PATH_ROOM = 1024, INPUTS_MAX = 16, OLDEST_OPSET = 7 };
enum outcome { PASSED, REFUSED, WRONG };

struct one_case {
    const char *folder, *name;
    char first[256]; /* message */
    bool passes;
};

static void keep_first(void *user, const char *message)
{
    struct one_case *c = user;
    if (!c->first[0])
        snprintf(c->first, sizeof c->first, "%s", message);
}

static void data_path(char out[PATH_ROOM], const struct one_case *c, const char *kind, size_t index)
{
    snprintf(out, PATH_ROOM, "%s/%s/test_data_set_0/%s_%zu.pb", c->folder, c->name, kind, index);
}

static bool exists(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file)
        fclose(file);
    return file != NULL;
}

/* All inputs of the test as one set of arrays. False: a file cannot be read (a sequence, a string). */
static bool load_inputs(struct weft_arrays *out, struct one_case *c, struct weft_diag *diag)
{
    char path[PATH_ROOM];
    *out = (struct weft_arrays){calloc(INPUTS_MAX, sizeof *out->items), 0};
    assert_non_null(out->items);
    for (; out->count < INPUTS_MAX; out->count++) {
        struct weft_arrays one;
        data_path(path, c, "input", out->count);
        if (!exists(path))
            return true;
        if (weft_tensor_proto_load(&one, path, diag))
            return false;
        out->items[out->count] = one.items[0];
        free(one.items);
    }
    return true;
}

/* Data of the oldest tests have no names: then the order of inputs tells. */
static const struct weft_array *find(const struct weft_arrays *arrays, const char *name, unsigned index)
{
    for (size_t i = 0; i < arrays->count; i++)
        if (!strcmp(arrays->items[i].name, name))
            return &arrays->items[i];
    return index < arrays->count && !arrays->items[index].name[0] ? &arrays->items[index] : NULL;
}

static bool bind(struct tensor *out, const struct graph *graph, const struct weft_arrays *arrays, struct one_case *c)
{
    for (unsigned k = 0; k < graph->input_count; k++) {
        const struct value *value = &graph->values[graph->inputs[k]];
        const struct weft_array *array = find(arrays, value->name, k);
        static char unread[1 << 16];
        out[k] = (struct tensor){value->element, value->shape, unread};
        if (!graph_uses(graph, graph->inputs[k]))
            continue; /* whose data in these tests sometimes has another shape */
        if (!array || array->size != (uint64_t)shape_count(&value->shape) * element_bytes(value->element)) {
            snprintf(c->first, sizeof c->first, "input %s has no array that fits", value->name);
            return false;
        }
        out[k].bytes = array->bytes;
    }
    return true;
}

/* These tests were made with a cast to bfloat16 that cuts off; ONNX has since said that it rounds to nearest even. */
static bool is_close(double got, double wanted, enum element element)
{
    if (isnan(wanted) || isinf(wanted))
        return isnan(wanted) ? isnan(got) : got == wanted;
    return fabs(got - wanted) <= 1e-5 + (element == ELEMENT_BF16 ? 0x1p-7 : 1e-3) * fabs(wanted);
}

static bool same_values(const struct tensor *got, const struct weft_array *wanted, struct one_case *c)
{
    const char *type = got->element == ELEMENT_BF16 ? "uint16" : element_name(got->element); /* how these tests store bfloat16 */
    bool same = !strcmp(type, wanted->element) && got->shape.rank == wanted->rank;
    for (unsigned d = 0; same && d < wanted->rank; d++)
        same = (uint64_t)got->shape.dims[d] == wanted->dims[d];
    if (!same)
        return snprintf(c->first, sizeof c->first, "the result is %s of another type or shape than %s", element_name(got->element),
                        wanted->element),
               false;
    if (!element_is_float(got->element))
        same = !memcmp(got->bytes, wanted->bytes, wanted->size);
    for (int64_t i = 0; same && element_is_float(got->element) && i < shape_count(&got->shape); i++) {
        double x = element_load(got->bytes, got->element, i), y = element_load(wanted->bytes, got->element, i);
        if (is_close(x, y, got->element))
            continue;
        return snprintf(c->first, sizeof c->first, "element %lld is %.9g, not %.9g", (long long)i, x, y), false;
    }
    if (!same)
        snprintf(c->first, sizeof c->first, "integers differ");
    return same;
}

static bool compare_outputs(const struct graph *graph, const struct interp_run *run, struct one_case *c, struct weft_diag *diag)
{
    for (unsigned k = 0; k < graph->output_count; k++) {
        char path[PATH_ROOM];
        struct weft_arrays wanted;
        data_path(path, c, "output", k);
        if (weft_tensor_proto_load(&wanted, path, diag))
            return false;
        bool same = same_values(&run->values[graph->outputs[k]], &wanted.items[0], c);
        weft_arrays_free(&wanted);
        if (!same)
            return false;
    }
    return true;
}

static enum outcome run_graph(struct graph *graph, const struct weft_arrays *arrays, struct one_case *c, struct weft_diag *diag)
{
    struct tensor inputs[INPUTS_MAX];
    struct interp_run run;
    if (c->passes && passes_run(graph, NULL, NULL, diag))
        return WRONG;
    if (!bind(inputs, graph, arrays, c) || interp_graph(&run, graph, inputs, false, NULL, NULL, diag))
        return WRONG;
    enum outcome outcome = compare_outputs(graph, &run, c, diag) ? PASSED : WRONG;
    interp_free(&run);
    return outcome;
}

/* A copy of the model as opset 7, where it is older: its path, which is to be unlinked. */
static bool raise_opset(char copy[PATH_ROOM], const char *path)
{
    size_t bytes;
    char *file;
    assert_int_equal(weft_file_read(&file, &bytes, path, (size_t)1 << 30, NULL), WEFT_OK);
    Onnx__ModelProto *model = onnx__model_proto__unpack(NULL, bytes, (const uint8_t *)file);
    free(file);
    assert_non_null(model);
    bool older = false;
    for (size_t i = 0; i < model->n_opset_import; i++)
        if (model->opset_import[i]->version < OLDEST_OPSET) {
            model->opset_import[i]->version = OLDEST_OPSET;
            older = true;
        }
    if (older) {
        uint8_t *packed = malloc(onnx__model_proto__get_packed_size(model));
        size_t size = onnx__model_proto__pack(model, packed);
        strcpy(copy, "/tmp/weft-opset-XXXXXX.onnx");
        int out = mkstemps(copy, 5);
        assert_true(out >= 0 && write(out, packed, size) == (ssize_t)size);
        close(out);
        free(packed);
    }
    onnx__model_proto__free_unpacked(model, NULL);
    return older;
}

static enum outcome import_and_run(struct one_case *c, const struct weft_arrays *arrays, struct weft_diag *diag)
{
    char path[PATH_ROOM], copy[PATH_ROOM];
    struct weft_compile_options options = {.bindings = arrays};
    struct graph *graph;
    snprintf(path, sizeof path, "%s/%s/model.onnx", c->folder, c->name);
    bool raised = raise_opset(copy, path);
    enum weft_status status = import_network(&graph, raised ? copy : path, &options, diag);
    if (raised)
        unlink(copy);
    if (status)
        return REFUSED;
    enum outcome outcome = run_graph(graph, arrays, c, diag);
    graph_free(graph);
    return outcome;
}

static enum outcome run_case(struct one_case *c)
{
    struct weft_diag diag = {keep_first, c, 0};
    struct weft_arrays arrays;
    enum outcome outcome = load_inputs(&arrays, c, &diag) ? import_and_run(c, &arrays, &diag) : REFUSED;
    weft_arrays_free(&arrays);
    return outcome;
}

static bool is_required(const char *name)
{
    for (size_t i = 0; i < sizeof required / sizeof required[0]; i++)
        if (!strcmp(required[i], name))
            return true;
    return false;
}

static bool lists(const char *names, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = names; (at = strstr(at, name)); at += length)
        if ((at == names || at[-1] == ' ') && (!at[length] || at[length] == ' '))
            return true;
    return false;
}

/* Is the test one of those that are refused, and for this reason? */
static bool is_explained(const struct one_case *c)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        if (lists(refusals[i].names, c->name))
            return strstr(c->first, refusals[i].because);
    return false;
}

static unsigned count_refusals(void)
{
    unsigned count = 0;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        for (const char *at = refusals[i].names; at; at = strchr(at, ' '), at += at != NULL)
            count++;
    return count;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

struct counts {
    unsigned outcomes[3], missing, seen, unexplained;
};

/* Prints what is wrong, and with WEFT_TEST_VERBOSE set all the rest and why. */
static void count_case(struct counts *counts, struct one_case *c)
{
    static const char *const words[] = {"passed ", "refused", "WRONG  "};
    enum outcome outcome = run_case(c);
    bool must = is_required(c->name);
    counts->outcomes[outcome]++;
    counts->seen += must;
    counts->missing += must && outcome != PASSED;
    bool unexplained = outcome == PASSED ? !must : outcome == REFUSED && !is_explained(c);
    counts->unexplained += unexplained;
    if (outcome == WRONG || unexplained || (must && outcome != PASSED) || getenv("WEFT_TEST_VERBOSE"))
        printf("%s %s: %s\n", words[outcome], c->name, outcome == PASSED ? "" : c->first);
}

static void run_folder(struct counts *counts, const char *folder, bool passes)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, visible, alphasort);
    if (count <= 0)
        fail_msg("%s is empty: install libonnx-testdata", folder);
    for (int i = 0; i < count; i++) {
        count_case(counts, &(struct one_case){.folder = folder, .name = entries[i]->d_name, .passes = passes});
        free(entries[i]);
    }
    free(entries);
}

static void run_all(bool passes)
{
    struct counts counts = {{0}, 0, 0, 0};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        run_folder(&counts, folders[i], passes);
    printf("%u passed, %u refused by the importer, %u wrong\n", counts.outcomes[PASSED], counts.outcomes[REFUSED], counts.outcomes[WRONG]);
    assert_int_equal(counts.outcomes[WRONG], 0);
    assert_int_equal(counts.missing, 0);
    assert_int_equal(counts.seen, sizeof required / sizeof required[0]);
    assert_int_equal(counts.unexplained, 0);
    assert_int_equal(counts.outcomes[REFUSED], count_refusals());
}

static void as_imported(void **state)
{
    run_all(false);
}

static void after_passes(void **state)
{
    run_all(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_imported), cmocka_unit_test(after_passes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
