/* Proves `weft conformance` on tests that it writes itself, byte by byte in protobuf's encoding, and on ONNX's own (package
 * libonnx-testdata). */
#include <sys/stat.h>

#include "test_weft.h"

enum { DEBIAN_PASSED = 781 }; /* of Debian's 1072 tests, at least: raise it as operators are added */
enum { FLOAT = 1, INT64 = 7 };

/* --- protobuf, as far as a model of one node needs it -------------------------------------------------------------------- */

struct bytes {
    uint8_t at[1024];
    size_t count;
};

static void put(struct bytes *to, const void *from, size_t count)
{
    assert_true(to->count + count <= sizeof to->at);
    memcpy(to->at + to->count, from, count);
    to->count += count;
}

static void put_small(struct bytes *to, unsigned number) /* a varint of one byte */
{
    assert_true(number < 128);
    put(to, &(uint8_t){(uint8_t)number}, 1);
}

static void field_int(struct bytes *to, unsigned field, unsigned value)
{
    put_small(to, field << 3);
    put_small(to, value);
}

static void field_bytes(struct bytes *to, unsigned field, const void *from, size_t count)
{
    put_small(to, field << 3 | 2);
    if (count >= 128) { /* a varint of two bytes */
        put(to, &(uint8_t){(uint8_t)(count | 128)}, 1);
        put_small(to, (unsigned)(count >> 7));
    } else
        put_small(to, (unsigned)count);
    put(to, from, count);
}

static void field_text(struct bytes *to, unsigned field, const char *text)
{
    field_bytes(to, field, text, strlen(text));
}

static void field_message(struct bytes *to, unsigned field, const struct bytes *message)
{
    field_bytes(to, field, message->at, message->count);
}

/* ValueInfoProto: a tensor of two elements. */
static struct bytes value_info(const char *name, unsigned type)
{
    struct bytes dim = {.count = 0}, shape = dim, tensor = dim, kind = dim, info = dim;
    field_int(&dim, 1, 2);
    field_message(&shape, 1, &dim);
    field_int(&tensor, 1, type);
    field_message(&tensor, 2, &shape);
    field_message(&kind, 1, &tensor);
    field_text(&info, 1, name);
    field_message(&info, 2, &kind);
    return info;
}

/* ModelProto: y = OPERATOR (x). */
static struct bytes model_of(const char *operator_name, unsigned type)
{
    struct bytes node = {.count = 0}, graph = node, opset = node, model = node, x = value_info("x", type), y = value_info("y", type);
    field_text(&node, 1, "x");
    field_text(&node, 2, "y");
    field_text(&node, 4, operator_name);
    field_message(&graph, 1, &node);
    field_text(&graph, 2, "g");
    field_message(&graph, 11, &x);
    field_message(&graph, 12, &y);
    field_int(&opset, 2, 13);
    field_int(&model, 1, 8);
    field_message(&model, 7, &graph);
    field_message(&model, 8, &opset);
    return model;
}

/* TensorProto of two floats. */
static struct bytes tensor_of(const char *name, float a, float b)
{
    struct bytes tensor = {.count = 0};
    field_int(&tensor, 1, 2);
    field_int(&tensor, 2, FLOAT);
    field_text(&tensor, 8, name);
    field_bytes(&tensor, 9, (float[]){a, b}, 2 * sizeof(float));
    return tensor;
}

/* --- folders ------------------------------------------------------------------------------------------------------------- */

static void write_file(const char *test, const char *name, const struct bytes *content)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", test, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content->at, 1, content->count, file), content->count);
    assert_int_equal(fclose(file), 0);
}

static void write_test(const char *test, const struct bytes *model, const struct bytes *input, const struct bytes *output)
{
    char path[256];
    snprintf(path, sizeof path, "%s/test_data_set_0", test);
    mkdir("tree", 0777);
    assert_int_equal(mkdir(test, 0777), 0);
    write_file(test, "model.onnx", model);
    if (!input)
        return;
    assert_int_equal(mkdir(path, 0777), 0);
    write_file(test, "test_data_set_0/input_0.pb", input);
    write_file(test, "test_data_set_0/output_0.pb", output);
}

static void relu_test(const char *test, const char *input_name, float a, float b)
{
    struct bytes model = model_of("Relu", FLOAT), x = tensor_of(input_name, -1, 2), y = tensor_of("y", a, b);
    write_test(test, &model, &x, &y);
}

static int forget(void **state)
{
    return system("rm -rf tree");
}

static void conformance(const char *arguments, int want)
{
    char line[1024];
    snprintf(line, sizeof line, "conformance %s", arguments);
    int status = weft(line);
    if (status != want)
        fail_msg("weft conformance %s: status %d instead of %d:\n%s%s", arguments, status, want, out, err);
}

/* --- tests --------------------------------------------------------------------------------------------------------------- */

static void passes(void **state)
{
    relu_test("tree/relu", "x", 0, 2);
    conformance("tree", 0);
    assert_string_equal(out, "1 tests on tiny in fp32: 1 passed, 0 failed, 0 unsupported\n");
    conformance("tree/relu -v --engine reference", 0); /* the test itself instead of a tree */
    says(out, "passed      relu\n");
}

/* 2 within 1e-3 of 2.0019 and not of 2.25; ONNX's runner gives data to inputs in order, whatever the files call it. */
static void tolerates_what_onnx_does(void **state)
{
    relu_test("tree/close", "other", 0, 2.0019f);
    relu_test("tree/far", "x", 0, 2.25f);
    conformance("tree", 1);
    says(out, "failed      far: output y: element 1 is 2 instead of 2.25 (1 of 2 differ)\n2 tests on tiny in fp32: 1 passed, 1 failed");
    says(err, "weft: tree: 1 of 2 tests failed\n");
    conformance("tree --rtol 0.2", 0);
    conformance("tree/close -m tpu-v1", 0);
    says(out, "1 tests on tpu-v1 in fp32: 1 passed, 0 failed, 0 unsupported\n");
}

static void names_what_is_unsupported(void **state)
{
    struct bytes model = model_of("Frobnicate", FLOAT), x = tensor_of("x", 1, 2);
    write_test("tree/frobnicate", &model, &x, &x);
    conformance("tree", 0);
    says(out, "unsupported frobnicate: model.onnx: y (Frobnicate): the operator is not supported");
    says(out, "0 passed, 0 failed, 1 unsupported\n");
}

static void goes_on_behind_broken_tests(void **state)
{
    struct bytes model = model_of("Relu", FLOAT), integers = model_of("Relu", INT64), x = tensor_of("x", -1, 2);
    struct bytes none = {.count = 0}, cut = model, noise = {.count = sizeof noise.at};
    cut.count /= 2;
    memset(noise.at, 0xff, sizeof noise.at);
    write_test("tree/a-cut", &cut, &x, &x);
    write_test("tree/b-noise", &noise, &noise, &noise);
    write_test("tree/c-empty", &none, &none, &none);
    write_test("tree/d-no-data", &model, NULL, NULL);
    write_test("tree/e-noisy-data", &model, &noise, &noise);
    write_test("tree/f-wrong-type", &integers, &x, &x);
    write_test("tree/g-no-output", &model, &x, &x);
    assert_int_equal(unlink("tree/g-no-output/test_data_set_0/output_0.pb"), 0);
    write_test("tree/h-no-input", &model, &x, &x);
    assert_int_equal(unlink("tree/h-no-input/test_data_set_0/input_0.pb"), 0);
    relu_test("tree/relu", "x", 0, 2);
    conformance("tree", 1);
    says(out, "unsupported a-cut: model.onnx: ");
    says(out, "unsupported b-noise: model.onnx: ");
    says(out, "unsupported c-empty: model.onnx: ");
    says(out, "failed      d-no-data: there is no folder test_data_set_0");
    says(out, "unsupported e-noisy-data: test_data_set_0/input_0.pb: ");
    says(out, "unsupported f-wrong-type: ");
    says(out, "failed      g-no-output: output y: test_data_set_0 has no output_0.pb\n");
    says(out, "unsupported h-no-input: test_data_set_0: input 'x' is not given");
    says(out, "9 tests on tiny in fp32: 1 passed, 2 failed, 6 unsupported\n");
}

static void refuses_what_is_no_test(void **state)
{
    conformance("nowhere", 1);
    says(err, "weft: nowhere: no such folder; a test is a folder with model.onnx and test_data_set_0\n");
    assert_int_equal(mkdir("tree", 0777), 0);
    conformance("tree", 1);
    says(err, "weft: tree: no folder in it has a model.onnx");
    conformance("", 2);
    conformance("tree --rtol much", 2);
    conformance("tree --engine slow", 2);
}

static void debian_passes(void **state)
{
    unsigned all, passed, failed;
    conformance("-q /usr/share/libonnx-testdata/data", 0);
    const char *totals = strstr(out, " tests on ");
    while (totals && totals > out && totals[-1] != '\n')
        totals--;
    assert_non_null(totals);
    assert_int_equal(sscanf(totals, "%u tests on tiny in fp32: %u passed, %u failed", &all, &passed, &failed), 3);
    assert_int_equal(failed, 0);
    assert_in_range(passed, DEBIAN_PASSED, all);
}

/* Numbers from 0 to 1 in 255 steps, whatever their width. */
static void reals_of_any_width_have_ranges(void **state)
{
    conformance("/usr/share/libonnx-testdata/data/node/test_cast_DOUBLE_to_FLOAT --format int8 --atol 0.01", 0);
    says(out, "1 passed");
    conformance("/usr/share/libonnx-testdata/data/node/test_cast_FLOAT16_to_FLOAT --format int8 --atol 0.01", 0);
    says(out, "1 passed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(passes, forget),
        cmocka_unit_test_teardown(tolerates_what_onnx_does, forget),
        cmocka_unit_test_teardown(names_what_is_unsupported, forget),
        cmocka_unit_test_teardown(goes_on_behind_broken_tests, forget),
        cmocka_unit_test_teardown(refuses_what_is_no_test, forget),
        cmocka_unit_test(debian_passes),
        cmocka_unit_test(reals_of_any_width_have_ranges),
    };
    return cmocka_run_group_tests_name("conformance", tests, enter_folder, leave_folder);
}
