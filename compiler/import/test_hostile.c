/* test_hostile.c: files that are cut short, garbled or hostile in their sizes: one clear refusal, no crash, no leak, no hang.
 * Run under sanitizers it proves more than it says. */
#include <dirent.h>
#include <malloc.h>
#include <sys/resource.h>

#include "test_front.h"

static const char data[] = "/usr/share/libonnx-testdata/data/node";

static char *read_whole(const char *path, size_t *size)
{
    struct weft_diag silent = {0};
    char *bytes;
    assert_int_equal(weft_file_read(&bytes, size, path, 1 << 26, &silent), WEFT_OK);
    return bytes;
}

/* Taken or refused, and a refusal says why. */
static void try_bytes(const void *bytes, size_t size, const char *ending)
{
    struct caught caught;
    struct graph *graph;
    if (!import_bytes(&graph, bytes, size, ending, NULL, &caught))
        graph_free(graph);
    else
        assert_true(caught.count > 0 && caught.length > 0);
}

static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void mutate(const char *bytes, size_t size, const char *ending, unsigned rounds)
{
    uint32_t state = 1;
    char *copy = malloc(size);
    for (unsigned round = 0; round < rounds; round++) {
        memcpy(copy, bytes, size);
        for (unsigned change = 0; change < 1 + round % 4; change++)
            copy[next(&state) % size] = (char)next(&state);
        try_bytes(copy, size, ending);
    }
    for (size_t cut = 0; cut < size; cut += size / 40 + 1)
        try_bytes(bytes, cut, ending);
    free(copy);
}

static void mutated_files(void **state)
{
    static const char *const names[] = {"test_basic_conv_with_padding", "test_constant_pad", "test_qlinearconv", "test_bernoulli_expanded",
                                        "test_lstm_defaults"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[512];
        size_t size;
        snprintf(path, sizeof path, "%s/%s/model.onnx", data, names[i]);
        char *bytes = read_whole(path, &size);
        mutate(bytes, size, ".onnx", 400);
        free(bytes);
    }
}

static void mutated_text(void **state)
{
    size_t size;
    char *bytes = read_whole(SOURCE_DIR "/models/cifar10-lenet.onnxtxt", &size);
    mutate(bytes, size, ".onnxtxt", 400);
    free(bytes);
}

/* Every model of ONNX's own node tests is taken or refused by name. */
static void all_node_tests(void **state)
{
    DIR *folder = opendir(data);
    unsigned count = 0;
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[512];
        struct caught caught = {0};
        struct weft_diag diag = {catch_message, &caught, 0};
        struct graph *graph;
        if (*entry->d_name == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s/model.onnx", data, entry->d_name);
        if (!import_network(&graph, path, NULL, &diag))
            graph_free(graph);
        else
            assert_true(caught.count > 0);
        assert_null(strstr(caught.text, "internal"));
        count++;
    }
    closedir(folder);
    assert_true(count > 900);
}

static void refused(const void *bytes, size_t size, const char *ending, const char *message)
{
    struct caught caught;
    struct graph *graph;
    assert_int_equal(import_bytes(&graph, bytes, size, ending, NULL, &caught), WEFT_ERROR);
    if (!strstr(caught.text, message))
        fail_msg("says: %s", caught.text);
}

/* Field 7 of a model is its graph, 1 of a graph a node, 5 of a node an attribute, 6 of an attribute a graph. */
static void deep_nesting(void **state)
{
    static const unsigned char tags[] = {0x0a, 0x2a, 0x32};
    unsigned char bytes[4096];
    size_t at = sizeof bytes, level = 0;
    for (; at > 16 || level % 3; level++) { /* from the inside out; lengths as two-byte varints */
        size_t length = sizeof bytes - at;
        bytes[--at] = (unsigned char)(length >> 7);
        bytes[--at] = (unsigned char)(length | 128);
        bytes[--at] = tags[2 - level % 3];
    }
    size_t length = sizeof bytes - at;
    bytes[--at] = (unsigned char)(length >> 7);
    bytes[--at] = (unsigned char)(length | 128);
    bytes[--at] = 0x3a;
    refused(bytes + at, sizeof bytes - at, ".onnx", "nested too deeply");
}

static void other_files(void **state)
{
    refused("", 0, ".onnx", "the file is empty");
    refused("\x7f"
            "ELF\0\0\0\0",
            8, ".onnx", "is no ONNX model");
    refused("\0\0\0\0", 4, ".csv", "is no text");
    struct weft_diag silent = {0};
    struct graph *graph;
    assert_int_equal(import_network(&graph, "/nonexistent/model.onnx", NULL, &silent), WEFT_ERROR);
    assert_int_equal(import_network(&graph, "/", NULL, &silent), WEFT_ERROR);
}

/* Thirty functions that each call the next twice would make 2^30 nodes. */
static void exponential_functions(void **state)
{
    char text[16384];
    size_t at = (size_t)sprintf(text, "<ir_version: 8, opset_import: [\"\" : 13]> m (float[1] x) => (float[1] y) { y = f.f0 (x) }\n");
    for (int i = 0; i < 30; i++)
        at += (size_t)sprintf(text + at, "<domain: \"f\"> f%d (x) => (y) { a = f.f%d (x) y = f.f%d (a) }\n", i, i + 1, i + 1);
    at += (size_t)sprintf(text + at, "<domain: \"f\"> f30 (x) => (y) { y = Relu (x) }\n");
    refused(text, at, ".onnxtxt", "more than 50000 nodes");
}

/* The same, with a leaf that makes nothing: written out, no node is left of 2^30 calls. */
static void exponential_calls(void **state)
{
    char text[16384];
    size_t at = (size_t)sprintf(text, "<ir_version: 8, opset_import: [\"\" : 13]> m (float[1] x) => (float[1] y) { y = f.f0 (x) }\n");
    for (int i = 0; i < 30; i++)
        at += (size_t)sprintf(text + at, "<domain: \"f\"> f%d (x) => (y) { a = f.f%d (x) y = f.f%d (a) }\n", i, i + 1, i + 1);
    at += (size_t)sprintf(text + at, "<domain: \"f\"> f30 (x) => (y) { }\n");
    struct caught caught = {0};
    struct weft_diag diag = {catch_message, &caught, 0};
    char *path = make_file(text, at, ".onnxtxt");
    assert_int_equal(weft_network_export(path, "/dev/null", &diag), WEFT_ERROR);
    assert_non_null(strstr(caught.text, "written out, it has more than 50000 nodes"));
    unlink(path);
    free(path);
}

enum { FUNCTIONS = 10000 };

/* The text of a network with so many functions; the caller frees it. */
static char *make_functions(size_t *size)
{
    char *text = malloc((FUNCTIONS + 2) * 64);
    size_t at = (size_t)sprintf(text, "<ir_version: 8, opset_import: [\"\" : 13]> m (float[1] x) => (float[1] y) { y = Relu (x) }\n");
    for (int i = 0; i < FUNCTIONS; i++)
        at += (size_t)sprintf(text + at, "<domain: \"f\"> f%d (x) => (y) { y = Relu (x) }\n", i);
    *size = at;
    return text;
}

/* They take memory in proportion to their text. */
static void many_functions(void **state)
{
    size_t size;
    char *text = make_functions(&size);
    struct rusage before, after;
    struct caught caught;
    struct graph *graph;
    getrusage(RUSAGE_SELF, &before);
    assert_int_equal(import_bytes(&graph, text, size, ".onnxtxt", NULL, &caught), WEFT_OK);
    getrusage(RUSAGE_SELF, &after);
    assert_true(after.ru_maxrss - before.ru_maxrss < 100 << 10); /* KiB */
    graph_free(graph);
    free(text);
}

/* --batch replaces a first dimension of 2^40; what the file says of it must not be reckoned with. */
static void absurd_batch(void **state)
{
    static const char text[] = "<ir_version: 8, opset_import: [\"\" : 13]> m (float[1099511627776, 2] x) => (float[2] y) <int64[1] s = {1099511627776}>"
                               "{ w = RandomNormal <shape = [8388608]> () y = Reshape (w, s) }";
    struct weft_compile_options options = {.batch = 3};
    struct caught caught;
    struct graph *graph;
    assert_int_equal(import_bytes(&graph, text, strlen(text), ".onnxtxt", &options, &caught), WEFT_ERROR);
    assert_int_equal(caught.count, 1);
    assert_non_null(strstr(caught.text, "y (Reshape): [8388608] does not reshape to [1099511627776]"));
}

/* Windows of a million taps with gaps, at two million places: their taps are not counted one by one. */
static void wide_windows(void **state)
{
    static const char text[] = "<ir_version: 8, opset_import: [\"\" : 19]> m (float[1, 1, 4000000] x) => (float[1, 1, 1902850] y) "
                               "{ y = AveragePool <kernel_shape = [1048576], dilations = [2]> (x) }",
                      wider[] = "<ir_version: 8, opset_import: [\"\" : 19]> m (float[1, 1, 20000000] x) => (float[1, 1, 1] y) "
                                "{ y = AveragePool <kernel_shape = [2], dilations = [2]> (x) }";
    struct caught caught;
    struct graph *graph;
    assert_int_equal(import_bytes(&graph, text, strlen(text), ".onnxtxt", NULL, &caught), WEFT_OK);
    graph_free(graph);
    refused(wider, strlen(wider), ".onnxtxt", "y (AveragePool): 19999998 windows with gaps; at most 16777216 are supported");
}

static void external_data(void **state)
{
    float numbers[4] = {1, 2, 3, 4};
    char *weights = make_file(numbers, sizeof numbers, ".bin"), text[1024];
    const char *name = strrchr(weights, '/') + 1;
    struct caught caught;
    struct graph *graph;
    snprintf(text, sizeof text,
             "<ir_version: 8, opset_import: [\"\" : 13]> m (float[2] x) => (float[2] y) <float[2] w = [\"location\" : \"%s\", \"offset\" : "
             "\"8\", \"length\" : \"8\"]> { y = Add (x, w) }",
             name);
    assert_int_equal(import_bytes(&graph, text, strlen(text), ".onnxtxt", NULL, &caught), WEFT_OK);
    const float *w = value_bytes(graph, graph->nodes[0].inputs[1]);
    assert_true(w[0] == 3 && w[1] == 4);
    assert_true(graph->values[graph->nodes[0].inputs[1]].borrowed);
    graph_free(graph);
    snprintf(text, sizeof text,
             "<ir_version: 8, opset_import: [\"\" : 13]> m (float[2] x) => (float[2] y) <float[2] w = [\"location\" : \"%s\", \"offset\" : "
             "\"12\"]> { y = Add (x, w) }",
             name);
    refused(text, strlen(text), ".onnxtxt", "bytes 12 to 20 of");
    snprintf(text, sizeof text,
             "<ir_version: 8, opset_import: [\"\" : 13]> m (float[2] x) => (float[2] y) <float[2] w = [\"location\" : \"%s\", \"offset\" : "
             "\"-1\"]> { y = Add (x, w) }",
             name);
    refused(text, strlen(text), ".onnxtxt", "offset is '-1'");
    snprintf(text, sizeof text,
             "<ir_version: 8, opset_import: [\"\" : 13]> m (float[2] x) => (float[2] y) <float[2] w = [\"location\" : \"%s\", \"length\" : "
             "\"4\"]> { y = Add (x, w) }",
             name);
    refused(text, strlen(text), ".onnxtxt", "length 4; type and shape ask for 8 bytes");
    unlink(weights);
    free(weights);
}

/* --- no memory: under sanitizers malloc never fails, so there is nothing to see ---------------------------------------------------------- */

#ifndef __SANITIZE_ADDRESS__

enum { LARGE = 8 << 20 };

/* Imports a file while the process may have no more than `spare` bytes beside what it has. Whatever needs more says so, not that the file is wrong. */
static void runs_out(const void *bytes, size_t size, const char *ending, size_t spare)
{
    struct caught caught = {0};
    struct weft_diag diag = {catch_message, &caught, 0};
    struct graph *graph;
    struct rlimit whole, little;
    unsigned long pages;
    char *path = make_file(bytes, size, ending);
    malloc_trim(0);
    FILE *own = fopen("/proc/self/statm", "r");
    assert_int_equal(fscanf(own, "%lu", &pages), 1);
    fclose(own);
    getrlimit(RLIMIT_AS, &whole);
    little = (struct rlimit){pages * (unsigned long)sysconf(_SC_PAGESIZE) + spare, whole.rlim_max};
    setrlimit(RLIMIT_AS, &little);
    enum weft_status status = import_network(&graph, path, NULL, &diag);
    setrlimit(RLIMIT_AS, &whole);
    unlink(path);
    free(path);
    if (status != WEFT_NO_MEMORY || caught.count)
        fail_msg("%s with %zu spare bytes: status %d, says: %s", ending, spare, (int)status, caught.text);
}

/* A tensor of bytes that fills the file: in protobuf, field 7 (graph), 5 (initialiser), 9 (raw data), each with its length as a varint. */
static size_t wrap(unsigned char *whole, size_t at, unsigned char tag, size_t end)
{
    size_t length = end - at;
    for (int i = 4; i-- > 0;)
        whole[--at] = (unsigned char)(length >> 7 * i) | (i < 3 ? 128 : 0);
    whole[--at] = tag;
    return at;
}

static void no_memory(void **state)
{
    unsigned char *whole = calloc(1, LARGE);
    mallopt(M_MMAP_THRESHOLD, 1 << 20); /* and no longer what was freed last */
    memset(whole, ' ', LARGE);
    runs_out(whole, LARGE, ".csv", 0);
    runs_out(whole, LARGE, ".onnxtxt", 0);
    size_t at = wrap(whole, wrap(whole, wrap(whole, 64, 0x4a, LARGE), 0x2a, LARGE), 0x3a, LARGE);
    runs_out(whole + at, LARGE - at, ".onnx", 0);         /* no room to map it */
    runs_out(whole + at, LARGE - at, ".onnx", LARGE * 3 / 2); /* none for the copy */
    free(whole);
    size_t size;
    char *text = make_functions(&size);
    runs_out(text, size, ".onnxtxt", 3 * size); /* for the text, but not for what it says */
    free(text);
}

static void no_memory_beside_the_model(void **state)
{
    char *weights = calloc(1, LARGE), text[512], *path;
    path = make_file(weights, LARGE, ".bin");
    int length = snprintf(text, sizeof text, "<ir_version: 8, opset_import: [\"\" : 13]> m (float[2] x) => (float[2] y) <uint8[%d] w = [\"location\" : \"%s\"]> { y = Relu (x) }",
                          LARGE, strrchr(path, '/') + 1);
    runs_out(text, (size_t)length, ".onnxtxt", LARGE / 2);
    unlink(path);
    free(path);
    free(weights);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(mutated_files),  cmocka_unit_test(mutated_text),
                                       cmocka_unit_test(all_node_tests), cmocka_unit_test(deep_nesting),
                                       cmocka_unit_test(other_files),    cmocka_unit_test(exponential_functions), cmocka_unit_test(exponential_calls),
                                       cmocka_unit_test(many_functions), cmocka_unit_test(absurd_batch), cmocka_unit_test(wide_windows),
                                       #ifndef __SANITIZE_ADDRESS__
                                       cmocka_unit_test(no_memory),        cmocka_unit_test(no_memory_beside_the_model),
#endif
                                       cmocka_unit_test(external_data)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
