/* Proves the command `weft` by running it on networks: values against the float network, and what would make a run faster. */
#include <math.h>

#include "test_weft.h"
#include "weft_isa.h"

/* A network of two layers, small enough to see through: y = relu(x W) with W of ones; three inputs of 1, 2, 3 sum to 6. */
static const char network[] = "<ir_version: 8, opset_import: [\"\" : 17]>\n"
                              "small (float[1,3] x) => (float[1,2] y)\n"
                              "<float[3,2] w = {1, 1, 1, 1, 1, 1}>\n"
                              "{\n    s = MatMul(x, w)\n    y = Relu(s)\n}\n";

static void a_network_runs_and_is_checked(void **state)
{
    (void)state;
    write_text("small.onnxtxt", network);
    float x[3] = {1, 2, 3};
    char name[] = "";
    struct weft_array array = {.name = name, .element = "float32", .rank = 2, .dims = {1, 3}, .bytes = x, .size = sizeof x};
    struct weft_arrays arrays = {&array, 1};
    assert_int_equal(weft_arrays_store(&arrays, "three.npy", NULL), WEFT_OK);
    succeeds("run small.onnxtxt -m tiny --calibration three.npy -i three.npy --check -o small.npy");
    says(out, "against the float network");
    says(out, "every value compared is at 15 dB or better");
    assert_int_equal(weft_arrays_load(&arrays, "small.npy", NULL), WEFT_OK);
    assert_int_equal(arrays.items[0].size, 8);
    assert_true(fabs(((float *)arrays.items[0].bytes)[1] - 6) < 0.1); /* within the steps of int8 */
    weft_arrays_free(&arrays);
    succeeds("compile small.onnxtxt -q -m tiny --calibration three.npy -o small.tpu");
    succeeds("run small.tpu -i three.npy --check=small.onnxtxt");
    says(out, "every value compared is at 15 dB or better");
    refuses("run small.tpu -i three.npy --check", 1, "--check=NETWORK");
    refuses("run small.onnxtxt -m tiny --check=small.onnxtxt", 1, "takes no other");
    refuses("run small.onnxtxt --steps 2", 1, "there is no small-decode.onnxtxt");
}

/* z's and w's first dimensions are no batches. */
static const char sum3[] = "<ir_version: 8, opset_import: [\"\" : 17]>\n"
                           "sum3 (float[2,3,4] x, float[3,1] z, float[1] w) => (float[2,3,4] y)\n{\n    y = Sum(x, z, w)\n}\n";
static const char softmax[] = "<ir_version: 8, opset_import: [\"\" : 11]>\n"
                              "soft (float[2,3,4] x) => (float[2,3,4] y)\n{\n    y = Softmax<axis = 1>(x)\n}\n";

static void a_program_is_checked_by_its_network(void **state)
{
    (void)state;
    write_text("sum3.onnxtxt", sum3);
    succeeds("compile sum3.onnxtxt -q -m tiny -o sum3.tpu");
    succeeds("run sum3.tpu -q --check=sum3.onnxtxt --check-at=20");
    succeeds("compile cifar10-lenet -q -o lenet.tpu"); /* whose input and output are those of the other */
    refuses("run lenet.tpu --check=cifar10-keras", 1,
            "lenet.tpu: --check=cifar10-keras: the program was not made from this network, or with other options: its layers are others; it was made from");
    assert_string_equal(out, "");
    succeeds("compile " SOURCE_DIR "/tests/networks/halo.onnxtxt -m tiny -q -o halo.tpu"); /* has a copy that a program for timing only does without */
    succeeds("run halo.tpu -q --check=" SOURCE_DIR "/tests/networks/halo.onnxtxt");
    succeeds("run halo.tpu -q --timing --what-if=" SOURCE_DIR "/tests/networks/halo.onnxtxt");
    write_text("soft.onnxtxt", softmax); /* of several core operators, each with a value of its own name */
    succeeds("run soft.onnxtxt -q --check --check-at=20");
    succeeds("run small.onnxtxt -m tiny --calibration three.npy -i three.npy --check --check-at=10 -q");
    assert_string_equal(out, "");
    refuses("run small.onnxtxt -m tiny --calibration three.npy -i three.npy --check --check-at=300 -q", 1, "--check-at=300 asks for more");
    refuses("run small.onnxtxt --check-at=3", 2, "give --check too");
    refuses("run small.onnxtxt --check --check-at=x", 2, "takes decibels");
}

/* The text with the number behind the first `word` raised by that much. */
static void raise_number(char *text, const char *word, unsigned more)
{
    char *at = strstr(text, word), number[32], *end;
    assert_non_null(at);
    at += strlen(word);
    unsigned long was = strtoul(at, &end, 0);
    int length = snprintf(number, sizeof number, "0x%lx", was + more);
    memmove(at + length, end, strlen(end) + 1);
    memcpy(at, number, (size_t)length);
}

/* The result stands right in the buffer, and leaves for another place than the program says that it has. */
static void an_output_that_leaves_for_elsewhere_is_seen(void **state)
{
    (void)state;
    succeeds("compile small.onnxtxt -q -m tiny --calibration three.npy -o small.tpu");
    succeeds("disasm small.tpu -o astray.s");
    static char text[1 << 16];
    read_text(text, sizeof text, "astray.s");
    raise_number(strstr(text, "write_host"), "host=", 16);
    write_text("astray.s", text);
    succeeds("asm astray.s -o astray.tpu");
    refuses("run astray.tpu -q -i three.npy --check=small.onnxtxt --check-at=10", 1, "value y (at the host) is at");
    succeeds("run small.tpu -i three.npy --check=small.onnxtxt --check-at=10 --report json=right.json");
    json_t *report = load_json("right.json");
    size_t i;
    json_t *value;
    json_array_foreach(json_object_get(json_object_get(report, "accuracy"), "values"), i, value)
        assert_null(strstr(json_string_value(json_object_get(value, "name")), "at the host"));
    json_decref(report);
}

/* A copy of the lines of `text` with what `change` makes of each; what it leaves out is dropped. */
static void write_changed(const char *path, const char *text, void (*change)(FILE *file, const char *line))
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
        char line[1024];
        snprintf(line, sizeof line, "%.*s", (int)(end - text), text);
        change(file, line);
    }
    assert_int_equal(fclose(file), 0);
}

/* Two rows of two become the first row alone. */
static void put_half(FILE *file, const char *line)
{
    const char *dims = strstr(line, ", 2, 2,"), *bytes = strstr(line, "bytes=4");
    assert_true(dims && bytes);
    fprintf(file, "%.*s, 1, 2,%.*sbytes=2%s\n", (int)(dims - line), line, (int)(bytes - dims - 7), dims + 7, bytes + 7);
}

static void outputs_in_part(FILE *file, const char *line)
{
    if (!strncmp(line, ".output", 7))
        put_half(file, line);
    else if (strncmp(line, ".probe", 6))
        fprintf(file, "%s\n", line);
}

static void first_probe_thrice(FILE *file, const char *line)
{
    bool first = !strncmp(line, ".probe 0,", 9);
    for (int i = 0; first && i < 3; i++)
        put_half(file, line);
    if (!first)
        fprintf(file, "%s\n", line);
}

/* What a foreign program says of its values is not believed: outputs that are parts, with no probe at all, and parts that come too often. */
static void foreign_parts_are_counted(void **state)
{
    (void)state;
    static char text[1 << 16];
    write_text("two.onnxtxt", "<ir_version: 8, opset_import: [\"\" : 17]>\n"
                              "two (float[2,3] x) => (float[2,2] y, float[2,2] z, float[2,2] s)\n<float[3,2] w = {1, 1, 1, 1, 1, 1}>\n"
                              "{\n    s = MatMul(x, w)\n    y = Relu(s)\n    z = Neg(s)\n}\n");
    succeeds("compile two.onnxtxt -q -m tiny -o two.tpu");
    succeeds("disasm two.tpu -o two.s");
    read_text(text, sizeof text, "two.s");
    write_changed("parts.s", text, outputs_in_part);
    succeeds("asm -q parts.s");
    succeeds("run parts.tpu -q --check=two.onnxtxt");
    says(err, "3 values of the program have no counterpart");
    write_changed("thrice.s", text, first_probe_thrice);
    succeeds("asm -q thrice.s");
    refuses("run thrice.tpu -q --check=two.onnxtxt", 1, "thrice.tpu: value s: its parts hold more than its 4 elements; each must come once");
}

/* A prompt of four tokens and a step, whose state the arguments shape. */
static void write_pair(const char *heads, const char *present, const char *width)
{
    char text[1024];
    snprintf(text, sizeof text, "<ir_version: 8, opset_import: [\"\" : 17]>\nlm (int64[1,4] ids) => (float[1,4,8] logits, float[1,%s,4,64] %s)\n<int64[4] s = {1, 4, %s, 64}>\n{\n"
                               "    table = RandomNormal <shape = [8, %s], seed = 1.0> ()\n    w = RandomNormal <shape = [%s, 8], seed = 2.0> ()\n    e = Gather (table, ids)\n"
                               "    logits = MatMul (e, w)\n    r = Reshape (e, s)\n    %s = Transpose <perm = [0, 2, 1, 3]> (r)\n}\n", heads, present, heads, width, width, present);
    write_text("lm.onnxtxt", text);
    write_text("lm-decode.onnxtxt", "<ir_version: 8, opset_import: [\"\" : 17]>\n"
                                    "step (int64[1,1] ids, float[1,1,past,64] past_0) => (float[1,1,8] logits, float[1,1,total,64] present_0)\n<int64[4] s = {1, 1, 1, 64}>\n{\n"
                                    "    table = RandomNormal <shape = [8, 64], seed = 1.0> ()\n    w = RandomNormal <shape = [64, 8], seed = 2.0> ()\n    e = Gather (table, ids)\n"
                                    "    logits = MatMul (e, w)\n    r = Reshape (e, s)\n    present_0 = Concat <axis = 2> (past_0, r)\n}\n");
}

/* The step takes up what the prompt left: of one name, and of one shape but for the tokens. */
static void a_state_of_another_shape_is_refused(void **state)
{
    (void)state;
    write_pair("1", "present_0", "64");
    succeeds("run lm.onnxtxt -q -m tiny --format bf16 --steps 2");
    write_pair("2", "present_0", "128");
    refuses("run lm.onnxtxt -q -m tiny --format bf16 --steps 2", 1,
            "lm-decode.onnxtxt: input 'past_0' is float32 [1, 1, 4, 64], and the prompt (lm.onnxtxt) leaves float32 [1, 2, 4, 64] in 'present_0'; they must be alike");
    write_pair("1", "present_1", "64");
    refuses("run lm.onnxtxt -q -m tiny --format bf16 --steps 2", 1,
            "lm-decode.onnxtxt: input 'past_0' takes up what the prompt leaves in 'present_0', and lm.onnxtxt has no such output");
}

/* A bar that is right for int8 would see nothing of a bf16x3 program that has lost a plane. docs/compiler.md has the numbers. */
static void each_format_has_its_bar(void **state)
{
    (void)state;
    static const struct { const char *format; double bar; } formats[] = {{"int8", 15}, {"int16", 20}, {"bf16", 30}, {"bf16x3", 70}, {"fp32", 90}};
    static const char *const names[] = {"mlp-784-512-10", "cifar10-lenet", "cifar10-keras", "dlrm", "transformer-encoder"};
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++)
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            char line[160];
            snprintf(line, sizeof line, "run %s -m tpu-v4i --check --format %s -q --report json=bar.json", names[i], formats[f].format);
            succeeds(line);
            json_t *report = load_json("bar.json"), *accuracy = json_object_get(report, "accuracy");
            assert_true(json_real_value(json_object_get(accuracy, "threshold_db")) == formats[f].bar);
            if (!json_is_null(json_object_get(accuracy, "departs")))
                fail_msg("%s: %s departs", line, json_string_value(json_object_get(accuracy, "departs")));
            json_decref(report);
        }
}

/* An array that the network has no use for is a mistake in a name, wherever it comes from. */
static void an_array_that_is_left_over_is_refused(void **state)
{
    (void)state;
    float x[3] = {1, 2, 3};
    char foo[] = "foo", ex[] = "x";
    struct weft_array wrong = {.name = foo, .element = "float32", .rank = 2, .dims = {1, 3}, .bytes = x, .size = sizeof x}, right = wrong;
    right.name = ex;
    struct weft_array two[2] = {right, wrong};
    assert_int_equal(weft_arrays_store(&(struct weft_arrays){&wrong, 1}, "foo.npz", NULL), WEFT_OK);
    assert_int_equal(weft_arrays_store(&(struct weft_arrays){two, 2}, "both.npz", NULL), WEFT_OK);
    refuses("run small.onnxtxt -m tiny --calibration foo.npz", 1, "foo.npz: array 'foo' is not an input of the network; its inputs are 'x'");
    refuses("compile small.onnxtxt -m tiny --calibration both.npz -o left.tpu", 1, "both.npz: array 'foo' is not an input of the network");
    refuses("run small.onnxtxt -m tiny -i both.npz", 1, "both.npz: array 'foo' is not an input of the network; its inputs are 'x'");
    refuses("run small.onnxtxt -m tiny -i three.npy -i three.npy", 1, "three.npy: an array without a name is left over");
    refuses("run small.tpu -i both.npz", 1, "both.npz: input 'foo' is not one of the program's");
    /* what the network makes a constant of is no input and yet asked for */
    write_text("shape.onnxtxt", "<ir_version: 8, opset_import: [\"\" : 17]>\n"
                                "shaped (float[2,3] x, int64[2] s) => (float[3,2] y)\n{\n    y = Reshape(x, s)\n}\n");
    int64_t target[2] = {3, 2};
    float six[6] = {1, 2, 3, 4, 5, 6};
    char ess[] = "s";
    struct weft_array both[2] = {{.name = ex, .element = "float32", .rank = 2, .dims = {2, 3}, .bytes = six, .size = sizeof six},
                                 {.name = ess, .element = "int64", .rank = 1, .dims = {2}, .bytes = target, .size = sizeof target}};
    assert_int_equal(weft_arrays_store(&(struct weft_arrays){both, 2}, "shape.npz", NULL), WEFT_OK);
    succeeds("run shape.onnxtxt -m tiny -q -i shape.npz --calibration shape.npz");
}

/* 70000 squared is beyond 2^31 and 5 squared is not. */
static void integers_that_were_cut_off_are_told(void **state)
{
    (void)state;
    int64_t x[2] = {70000, 5};
    char ex[] = "x";
    write_text("square.onnxtxt", "<ir_version: 8, opset_import: [\"\" : 17]>\nsquare (int64[2] x) => (int64[2] y) { y = Mul (x, x) }\n");
    struct weft_array one = {.name = ex, .element = "int64", .rank = 1, .dims = {2}, .bytes = x, .size = sizeof x};
    assert_int_equal(weft_arrays_store(&(struct weft_arrays){&one, 1}, "square.npy", NULL), WEFT_OK);
    succeeds("run square.onnxtxt -m tiny -i square.npy -o squares.npy");
    says(err, "weft: output y: 1 of 2 integers stand at the bounds of int32, beyond which the machine has none: they may be cut off");
    succeeds("run square.onnxtxt -m tiny -i square.npy -o squares.npy -q");
    assert_string_equal(err, "");
    x[0] = 4000;
    assert_int_equal(weft_arrays_store(&(struct weft_arrays){&one, 1}, "square.npy", NULL), WEFT_OK);
    succeeds("run square.onnxtxt -m tiny -i square.npy -o squares.npy");
    assert_null(strstr(err, "bounds of int32"));
}

static double speedup_of(json_t *report, const char *twice)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(report, "what_if"), i, row) if (!strcmp(json_string_value(json_object_get(row, "twice")), twice)) return
        json_real_value(json_object_get(row, "speedup"));
    fail_msg("no row %s", twice);
    return 0;
}

/* Five layers of 2048 x 2048 at one inference wait for their weights: twice the DRAM bandwidth is nearly twice as fast, the rest does little. */
static void what_if_tells_what_would_help(void **state)
{
    (void)state;
    succeeds("run mlp-2048x5 --timing --what-if -q --report json=if.json");
    json_t *r = load_json("if.json");
    assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(r, "what_if"), 0), "twice")), "dram");
    assert_true(speedup_of(r, "dram") > 1.8 && speedup_of(r, "dram") <= 2.01);
    assert_true(speedup_of(r, "clock") < 1.1 && speedup_of(r, "link") < 1.1 && speedup_of(r, "unified_buffer") < 1.1);
    succeeds("compile mlp-784-512-10 -o if.tpu");
    succeeds("run if.tpu --timing --what-if=mlp-784-512-10 -q --report json=if1.json");
    succeeds("run mlp-784-512-10 --timing --what-if -q --report json=if2.json");
    json_t *program = load_json("if1.json"), *whole = load_json("if2.json");
    assert_true(json_equal(json_object_get(program, "what_if"), json_object_get(whole, "what_if")));
    refuses("run if.tpu --timing --what-if", 1, "--what-if=NETWORK");
    refuses("run if.tpu --timing --what-if=cifar10-lenet", 1, "if.tpu: --what-if=cifar10-lenet: the program was not made from this network");
    assert_string_equal(out, "");
    succeeds("compile mlp-784-512-10 --format bf16 -m tpu-v2 -q -o if16.tpu"); /* asked about in its own format */
    succeeds("run if16.tpu --timing --what-if=mlp-784-512-10 -q --report json=if3.json");
    succeeds("run mlp-784-512-10 --format bf16 -m tpu-v2 --timing --what-if -q --report json=if4.json");
    json_t *program16 = load_json("if3.json"), *whole16 = load_json("if4.json");
    assert_true(json_equal(json_object_get(program16, "what_if"), json_object_get(whole16, "what_if")));
    json_decref(program16);
    json_decref(whole16);
    refuses("run mlp-784-512-10 --timing --what-if=resnet50", 1, "takes no other");
    refuses("run if.tpu --engine reference --what-if", 2, "keeps no time");
    json_decref(program);
    json_decref(whole);
    json_decref(r);
}

/* Inferences of another network are other work, and so are those of another batch or format: told, not refused, since one may want to know. */
static void a_baseline_of_other_work_is_said_to_be_one(void **state)
{
    (void)state;
    succeeds("run small.onnxtxt -m tiny --timing -q --report json=base.json");
    succeeds("run small.onnxtxt -m tiny --timing --baseline base.json");
    assert_null(strstr(out, "of other work"));
    succeeds("run sum3.onnxtxt -m tiny --timing --baseline base.json --format int16");
    says(out, "of other work: network small.onnxtxt, here sum3.onnxtxt; format int8, here int16; batch 1, here 2\n");
}

static void a_dump_is_all_that_is_said(void **state)
{
    (void)state;
    succeeds("compile small.onnxtxt -m tiny -o first.tpu --dump-after pad");
    write_text("dump.onnxtxt", err);
    succeeds("compile dump.onnxtxt -m tiny -q -o second.tpu");
}

static void a_machine_without_integers_names_the_format_it_has(void **state)
{
    (void)state;
    refuses("compile small.onnxtxt -m tpu-v2 -o never.tpu", 1, "(it does bf16: --format bf16)");
    succeeds("compile small.onnxtxt -m tpu-v2 -q -o v2.tpu --format bf16");
    refuses("compile mlp-784-512-10 -m tiny --set unified_buffer.bytes=512 -o never.tpu", 1, "machine tiny has 512; try at least --set unified_buffer.bytes=");
    refuses("compile small.onnxtxt -m edge --format bf16 -o never.tpu", 1, "--set formats=");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_runs_and_is_checked),
        cmocka_unit_test(a_program_is_checked_by_its_network),
        cmocka_unit_test(an_output_that_leaves_for_elsewhere_is_seen),
        cmocka_unit_test(foreign_parts_are_counted), cmocka_unit_test(a_state_of_another_shape_is_refused), cmocka_unit_test(each_format_has_its_bar),
        cmocka_unit_test(an_array_that_is_left_over_is_refused),
        cmocka_unit_test(integers_that_were_cut_off_are_told),
        cmocka_unit_test(what_if_tells_what_would_help),
        cmocka_unit_test(a_baseline_of_other_work_is_said_to_be_one),
        cmocka_unit_test(a_dump_is_all_that_is_said),
        cmocka_unit_test(a_machine_without_integers_names_the_format_it_has),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
