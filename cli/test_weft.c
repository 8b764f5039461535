/* Proves the command `weft` by running it on programs: the worked example of docs/metrics.md, inputs and outputs, the debugger, the lists, and what is
 * refused. */
#include <math.h>

#include "test_weft.h"
#include "weft_isa.h"

/* The block of docs/metrics.md that opens with ```asm. */
static void extract_example(const char *to)
{
    static char page[1 << 16];
    read_text(page, sizeof page, SOURCE_DIR "/docs/metrics.md");
    char *start = strstr(page, "```asm\n"), *end;
    assert_non_null(start);
    start += strlen("```asm\n");
    end = strstr(start, "```");
    assert_non_null(end);
    *end = 0;
    write_text(to, start);
}

/* 4 x 4 as in metrics.md, with its rows as an input: float32, real = 0.5 q. */
static const char with_input[] = ".machine tiny\n.machine_set array.rows=4, array.columns=4\n.host 32\n"
                                 ".input \"x\", 0, u8, 4, 4, scale=0.5, zero=0, quantised=1, element=\"float32\"\n"
                                 ".output \"y\", 16, u8, 4, 4, scale=0.5, zero=0, quantised=1, element=\"float32\"\n"
                                 ".text\nread_host ub=0, host=0, bytes=16\nwrite_host ub=0, host=16, bytes=16\nhalt\n";

static int set_up(void **state)
{
    if (enter_folder(state))
        return 1;
    extract_example("tile.s");
    write_text("input.s", with_input);
    return weft("asm -q tile.s") || weft("asm -q input.s -o input.tpu");
}

/* --- the worked example ------------------------------------------------------------------------------------------------ */

static json_int_t integer(json_t *object, const char *group, const char *key)
{
    json_t *value = json_object_get(group ? json_object_get(object, group) : object, key);
    if (!json_is_integer(value))
        fail_msg("%s is not there", key);
    return json_integer_value(value);
}

static double real(json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

/* Every number stands in docs/metrics.md, worked out there. */
static void a_tile_takes_the_cycles_worked_out_by_hand(void **state)
{
    (void)state;
    succeeds("run tile.tpu -q --report json=tile.json -o y.npy");
    json_t *r = load_json("tile.json");
    const struct {
        const char *group, *key;
        json_int_t value;
    } want[] = {
        {NULL, "cycles", 72},      {"classes", "other", 46},  {"classes", "weight_stall", 11}, {"classes", "weight_shift", 4},
        {"classes", "input", 7},   {"classes", "active", 4},  {"classes", "raw", 0},           {NULL, "macs", 64},
        {NULL, "instructions", 9}, {NULL, "matrix_rows", 4},  {NULL, "cell_products", 64},     {NULL, "tiles", 1},
        {NULL, "vector_rows", 4},  {"bytes", "link_in", 16},  {"bytes", "link_out", 16},       {"bytes", "weights", 16},
        {"bytes", "ub_read", 32},  {"bytes", "ub_write", 32}, {"busy", "host_in", 4},          {"busy", "fetch", 2},
        {"busy", "matrix", 4},     {"busy", "vector", 4},     {"busy", "host_out", 4},         {"peaks", "ub", 32},
        {"peaks", "acc", 4},       {"peaks", "fifo", 1},
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        if (integer(r, want[i].group, want[i].key) != want[i].value)
            fail_msg("%s is %lld, by hand %lld", want[i].key, (long long)integer(r, want[i].group, want[i].key), (long long)want[i].value);
    assert_true(fabs(real(r, "tops") - 2 * 64 / 72e-9 / 1e12) < 1e-12);
    assert_true(fabs(real(r, "peak_tops") - 0.032) < 1e-12);
    assert_true(fabs(real(r, "useful_cells") - 1) < 1e-12);
    assert_true(fabs(real(r, "arithmetic_intensity") - 4) < 1e-12);
    assert_true(fabs(real(r, "ridge_point") - 2) < 1e-12);
    json_decref(r);
    struct weft_arrays arrays;
    assert_int_equal(weft_arrays_load(&arrays, "y.npy", NULL), WEFT_OK);
    const int8_t product[16] = {5, 6, 7, 4, 1, 1, 1, 1, 1, 0, 0, 0, 2, 2, 2, 1};
    assert_int_equal(arrays.count, 1);
    assert_string_equal(arrays.items[0].element, "int8");
    assert_memory_equal(arrays.items[0].bytes, product, sizeof product);
    weft_arrays_free(&arrays);
}

static void a_tile_is_taken_apart_in_the_report(void **state)
{
    (void)state;
    succeeds("run tile.tpu");
    says(out, "72 cycles");
    succeeds("run tile.tpu -q --timing --trace late.json.gz --from-cycle 72");
    says(err, "--from-cycle 72 lies behind the end of the run, which has 72 cycles");
    succeeds("run tile.tpu");
    says(out, "fill            3");
    says(out, "stream          4");
    says(out, "drain           4");
    says(out, "whole          11");
}

static void the_timeline_shows_the_same_cycles(void **state)
{
    (void)state;
    succeeds("run tile.tpu -q --timing --trace tile.json.gz");
    assert_int_equal(system("gzip -dc tile.json.gz > trace.json"), 0);
    json_t *trace = load_json("trace.json"), *event, *found = NULL;
    size_t i;
    json_array_foreach(json_object_get(trace, "traceEvents"), i,
                       event) if (!strcmp(json_string_value(json_object_get(event, "name")), "matmul")) found = event;
    assert_int_equal(integer(found, NULL, "ts"), 28);
    assert_int_equal(integer(found, NULL, "dur"), 4);
    assert_int_equal(integer(found, "args", "complete"), 39);
    assert_int_equal(integer(found, "args", "shift start"), 17);
    json_decref(trace);
}

/* --- inputs and outputs ------------------------------------------------------------------------------------------------- */

static void store(const char *path, const char *name, const char *element, unsigned rank, uint64_t dim, void *bytes, uint64_t size)
{
    char copy[16];
    snprintf(copy, sizeof copy, "%s", name);
    struct weft_array array = {.name = copy, .rank = rank, .dims = {dim, dim}, .bytes = bytes, .size = size};
    snprintf(array.element, sizeof array.element, "%s", element);
    struct weft_arrays arrays = {&array, 1};
    assert_int_equal(weft_arrays_store(&arrays, path, NULL), WEFT_OK);
}

static void floats_go_in_quantised_and_come_back(void **state)
{
    (void)state;
    float x[16] = {0, 0.5f, 1.2f, 100, 200, -3}, y[16] = {0, 0.5f, 1.0f, 100, 127.5f, 0}; /* 1.2 is 2 halves; 200 saturates at 255 halves */
    double wrong[16] = {0};
    store("x.npy", "", "float32", 2, 4, x, sizeof x);
    store("x.npz", "x", "float32", 2, 4, x, sizeof x);
    store("z.npz", "z", "float32", 2, 4, x, sizeof x);
    store("wrong.npy", "", "float64", 2, 4, wrong, sizeof wrong);
    const char *const lines[] = {"run input.tpu -q -i x.npy -o y.npz", "run input.tpu -q -i x.npz -o y.npz --engine reference"};
    for (int i = 0; i < 2; i++) {
        struct weft_arrays arrays;
        succeeds(lines[i]);
        assert_int_equal(weft_arrays_load(&arrays, "y.npz", NULL), WEFT_OK);
        assert_int_equal(arrays.count, 1);
        assert_string_equal(arrays.items[0].name, "y");
        assert_memory_equal(arrays.items[0].bytes, y, sizeof y);
        weft_arrays_free(&arrays);
        unlink("y.npz");
    }
    refuses("run input.tpu -i wrong.npy", 1, "wrong.npy: input 'x': float64 (4, 4) given, float32 (4, 4) expected");
    refuses("run input.tpu -i z.npz", 1, "z.npz: input 'x' is not given");
    refuses("run input.tpu -i x.npz -i z.npz", 1, "z.npz: input 'z' is not one of the program's, which are 'x'");
}

static void without_input_it_is_random_and_said_so(void **state)
{
    (void)state;
    succeeds("run input.tpu --seed 7");
    says(out, "random, seed 7");
}

/* --- asm, disasm, debug, lists -------------------------------------------------------------------------------------------- */

static void disassembly_assembles_to_the_same_file(void **state)
{
    (void)state;
    succeeds("disasm tile.tpu -o again.s");
    succeeds("asm -q again.s -o again.tpu");
    succeeds("disasm again.tpu -o third.s");
    assert_int_equal(system("cmp again.s third.s"), 0);
}

static void a_session_of_the_debugger_is_a_file(void **state)
{
    (void)state;
    write_text("session", "# a remark\nbreak 6\nbreak write ub 31\ncontinue\nprint acc 0 2\nregisters p0\nstep\nprint ub 16 4 "
                          "s8\ncontinue\nstep\nfly\nlist 9999999\nbreak 99\nprint ub 99999999 1\nprint acc 99999 1\nprint acc 1023 2\n");
    const char *const lines[] = {"debug tile.tpu < session", "debug tile.tpu --engine fast < session"};
    for (int i = 0; i < 2; i++) {
        refuses(lines[i], 1, "tile.tpu: commands that could not be done: 7, the first in line 10 of standard input\n");
        says(out, "break 0 set");
        says(out, ">      6  activate");
        says(out, "row 0                  5           6           7           4");
        says(out, "p0.loop0   4 4");
        says(out, "break 1\n"); /* activate wrote bytes 16 to 31 */
        says(out, "\n16                     5           6           7           4");
        says(out, "halted after 9 instructions");
        says(out, "the program has ended");
        says(out, "there is no command 'fly'");
        says(out, "there is no instruction 9999999; the last is 8");
        says(out, "there is no instruction 99; the last is 8");
        says(out, "address 99999999 is out of range; there are 16777216 bytes");
        says(out, "row 99999 is out of range; there are 1024 rows");
        says(out, "row 1024 is out of range; there are 1024 rows");
    }
}

static void the_debugger_takes_what_has_no_name_and_what_is_empty(void **state)
{
    (void)state;
    write_text("bare.s", ".machine tiny\n.layer\n.text\ntag layer=0\nhalt\n");
    write_text("empty.s", ".machine tiny\n");
    write_text("session", "info\ninfo x\nbreak layer x\nlist\n");
    succeeds("asm -q bare.s");
    refuses("debug bare.tpu < session", 1, "could not be done: 2, the first in line 2");
    says(out, "there is no layer 'x'");
    succeeds("asm -q empty.s");
    refuses("debug empty.tpu < session", 1, "could not be done: 3, the first in line 2");
    says(out, "the program has no instructions");
}

static void lists_what_there_is(void **state)
{
    (void)state;
    succeeds("machines");
    says(out, "tpu-v1");
    says(out, "256 x 256");
    succeeds("machines tiny");
    says(out, "array.rows");
    says(out, "source: assumption: small enough to draw");
    succeeds("models");
    says(out, "resnet50");
    succeeds("models lstm-lm");
    says(out, "M weights\n    title: ");
    assert_null(strstr(out, "resnet50"));
    succeeds("models lstm-lm -o lstm-lm.onnx");
    succeeds("models lstm-lm.onnx"); /* which has no comments */
    succeeds("doctor");
    says(out, "oneDNN");
}

static void every_command_has_help(void **state)
{
    (void)state;
    const char *const commands[] = {"compile", "run", "asm", "disasm", "debug", "machines", "models", "doctor"};
    char line[64];
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        snprintf(line, sizeof line, "%s --help", commands[i]);
        succeeds(line);
        says(out, "Usage: weft ");
        says(out, commands[i]);
    }
    static const char *const alone[] = {"compile", "run", "asm", "disasm", "report", "conformance"}; /* on one thread: they refuse -j 2 */
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++) {
        snprintf(line, sizeof line, "%s --help", alone[i]);
        succeeds(line);
        assert_null(strstr(out, "--jobs"));
    }
    succeeds("sweep --help");
    says(out, "--jobs");
    succeeds("conformance --help");
    says(out, "or a file (tiny)");
    says(out, "(fp32)");
    assert_null(strstr(out, "tpu-v1"));
    assert_null(strstr(out, "--prune"));
    assert_null(strstr(out, "--range"));
    assert_null(strstr(out, "--dump-after"));
    succeeds("--help");
    says(out, "First steps:");
    succeeds("help run");
    says(out, "--check");
    succeeds("--version");
}

/* --- what is refused ------------------------------------------------------------------------------------------------------ */

static void wrong_usage_is_status_2(void **state)
{
    (void)state;
    refuses("", 2, "Usage: weft COMMAND");
    refuses("compil x", 2, "did you mean 'compile'?");
    refuses("run", 2, "run what?");
    refuses("run a b", 2, "'b' is a second one");
#ifdef WEFT_WITH_SYSTEMC
    refuses("run tile.tpu --engine systemc --check", 2, "the systemc engine runs a program whole: use fast or reference");
#else
    refuses("run tile.tpu --engine systemc", 1, "this weft was built without SystemC; use fast or reference");
#endif
    refuses("run tile.tpu --report html --report json", 2, "give one of them a file");
    refuses("run tile.tpu --report pdf=r.pdf", 2, "text, json or html");
    refuses("run tile.tpu --timing -o y.npz", 2, "leave out -i, -o and --check");
    refuses("run tile.tpu --report text --report json", 2, "give one of them a file");
    refuses("run tile.tpu --from-cycle 5", 2, "window of --trace");
    refuses("run tile.tpu --seed x", 2, "--seed takes a whole number");
    static const char *const shares[] = {"0", "1.01", "x", "0.5x", "nan"}, *const blocks[] = {"8", "8x", "0x8", "8x0", "-1x8", "8x8x8", "x8"};
    char line[128];
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        snprintf(line, sizeof line, "compile small.onnxtxt -o no.tpu --prune %s", shares[i]);
        refuses(line, 2, "--prune takes a share of the blocks");
    }
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        snprintf(line, sizeof line, "compile small.onnxtxt -o no.tpu --prune 0.5 --prune-block %s", blocks[i]);
        refuses(line, 2, "--prune-block takes ROWSxCOLUMNS");
    }
    refuses("compile small.onnxtxt -o no.tpu --prune-block 8x8", 2, "give --prune too");
    refuses("run tile.tpu -j 4", 2, "works on one thread");
    refuses("compile net.onnx --format fp8", 2, "there is no format 'fp8'; int8, int16, bf16, bf16x3 and fp32 are");
    refuses("compile net.onnx --dim seq", 2, "--dim takes NAME=N");
    refuses("compile net.onnx --dim S=7 --dim T=1 --dim S=8", 2, "--dim S twice, 7 and 8");
    refuses("compile net.onnx -o a.tpu -o b.tpu", 2, "-o twice, 'a.tpu' and 'b.tpu'");
    refuses("run tile.tpu -o a.npz -o b.npz", 2, "-o twice");
    refuses("sweep plan.yaml -o a.db -o b.db", 2, "-o twice");
    refuses("sweep -o b.db --merge a.db", 2, "--merge, -o) twice");
    refuses("sweep plan.yaml -o r.db --shard 2/2", 2, "--shard takes I/N, I from 0 to N - 1, such as 0/8, not '2/2'");
    refuses("sweep plan.yaml -o r.db --shard a", 2, "not 'a'");
    refuses("compile net.onnx --dump-after nonsense", 2, "weft compile: there is no pass 'nonsense'; they are ");
    refuses("compile net.onnx --dump-after bachnorm", 2, "there is no pass 'bachnorm'; did you mean 'batchnorm'? They are import,");
    refuses("compile net.onnx --batch 1048577", 2, "--batch takes a whole number from 1 to 1048576"); /* as a sweep's plan does */
    refuses("paper isca2017 --only MLP9", 2, "did you mean MLP0?\n");
}

static void bad_files_are_status_1_and_leave_nothing(void **state)
{
    (void)state;
    write_text("text.tpu", "not a program\n");
    write_text("old.json", "[1, 2");
    refuses("disasm text.tpu", 1, "text.tpu");
    refuses("disasm missing.tpu", 1, "missing.tpu");
    refuses("run missing.onnx", 1, "missing.onnx");
    refuses("run nothing-such", 1, "nothing-such: no such file, and no such model; `weft models` lists those there are");
    refuses("models resnet51", 1, "resnet51: no such file, and no such model; did you mean resnet50? `weft models` lists");
    refuses("models resnet51 -o never.onnx", 1, "did you mean resnet50");
    refuses("models missing.onnx", 1, "missing.onnx");
    refuses("asm missing.s -o never.tpu", 1, "missing.s");
    refuses("run mlp-784-512-10 --steps 2", 1, "mlp-784-512-10: --steps also needs the network of one step, with past keys and values as inputs: give it by --decode NETWORK");
    refuses("run gpt2-small -m tpu-v3 --format bf16 --dim seq=4 --steps 1 --timing --set dram.bytes_per_second=1 --set clock.hz=100000000000", 1,
            "models/gpt2-small.onnxtxt: the run takes more than 2^62 cycles");
    refuses("run missing.onnx --steps 2", 1, "missing.onnx: No such file");
    refuses("run mlp-784-512-10 --steps 2 --decode nothing-such", 1, "nothing-such: no such file, and no such model");
    refuses("run tile.tpu -m tiny", 1, "a program carries its machine");
    refuses("run tile.tpu --check", 1, "--check=NETWORK");
    refuses("run tile.tpu -o never.txt", 1, "outputs are written as .npz");
    refuses("run tile.tpu -q --baseline old.json", 1, "old.json");
    refuses("run tile.tpu --trace /nowhere/t.json.gz", 1, "/nowhere/t.json.gz: cannot be written");
    refuses("run tile.tpu --trace never.txt", 1, "never.txt: a timeline is written as .json, or .json.gz, gzipped");
    refuses("run tile.tpu --trace .", 1, ".: a timeline is written as .json");
    refuses("run tile.tpu --engine systemc --wave never.txt", 1, "never.txt: a waveform is written as .vcd, or .vcd.gz, gzipped");
    refuses("run tile.tpu --steps 2", 1, "tile.tpu: a program is compiled already; --steps is for a network");
    refuses("compile tile.tpu -o never.tpu", 1, "tile.tpu: is a program, compiled already; here a network is right: .onnx, .onnxtxt, .csv, or a name of `weft models`");
    refuses("models tile.tpu -o never.onnx", 1, "tile.tpu: is a program, compiled already");
    refuses("models tile.tpu", 1, "tile.tpu: is a program, compiled already");
    refuses("run tile.tpu --timing --what-if=tile.tpu", 1, "tile.tpu: is a program, compiled already");
    write_text("junk.tpu", "hello\n");
    refuses("run junk.tpu", 1, "junk.tpu: is not a program of Weft (an ELF file, as `weft compile` and `weft asm` write it), and the name of a network ends in .onnx, .onnxtxt or .csv\n");
    refuses("compile junk.tpu -o never.tpu", 1, "junk.tpu: is not a program of Weft");
    write_text("junk.tpu", "\177ELF, they said");
    refuses("run junk.tpu", 1, "junk.tpu: is ");
    write_text("junk.tpu", "");
    refuses("run junk.tpu", 1, "junk.tpu: is not a program of Weft");
    refuses("run nothing.tpu", 1, "nothing.tpu: No such file");
    write_text("fault.s", ".machine tiny\n.host 32\n.text\nread_host ub=0, host=30, bytes=3\nhalt\n");
    succeeds("asm -q fault.s");
    refuses("run fault.tpu", 1, "fault.tpu: instruction 0 (read_host");
    refuses("run fault.tpu --engine reference", 1, "fault.tpu: instruction 0 (read_host");
#ifdef WEFT_WITH_SYSTEMC
    refuses("run fault.tpu --engine systemc", 1, "fault.tpu: instruction 0 (read_host");
#endif
    write_text("bare.s", ".machine tiny\n.dram 1Ki\n.layer \"a\", \"\", \"\"\n.layer \"b\", \"\", \"\"\n.text\ntag 1\nread_weights dram=0, k=1, n=1\nhalt\n");
    succeeds("asm -q bare.s");
    refuses("run bare.tpu", 1, "bare.tpu: instruction 1 (read_weights dram=0, k=1, n=1) at bare.s:7 [layer b]: the program has no .weights section");
    succeeds("run bare.tpu --timing -q");
    write_text("fault.s", ".machine tiny\n.host 100000000000\nhalt\n");
    succeeds("asm -q fault.s");
    refuses("run fault.tpu", 1, "fault.tpu: the program asks for 100000000000 bytes of host memory");
    write_text("fault.s", ".machine tiny\n.host 8\n.output \"y\", 0, u8, 4, strides=[4], bytes=8\nhalt\n");
    succeeds("asm -q fault.s");
    refuses("run fault.tpu -o y.npy", 1, "fault.tpu: tensor 'y': its elements leave the 8 bytes of memory");
    refuses("run input.tpu -i text.tpu", 1, "an input is a .npy, .npz or .pb file");
    refuses("machines nothing-such", 1, "nothing-such");
    assert_int_equal(access("never.tpu", F_OK), -1);
    assert_int_equal(access("never.txt", F_OK), -1);
    assert_int_equal(access("never.onnx", F_OK), -1);
}

static void energy_is_told_of_a_technology_that_is_known(void **state)
{
    (void)state;
    succeeds("run tile.tpu --timing"); /* a tiny machine, which no file of technologies/ lists */
    assert_null(strstr(out, "energy and area"));
    succeeds("run tile.tpu --timing --technology 45nm");
    says(out, "energy and area                       45nm");
    says(out, "2.6 nJ"); /* two accesses of DRAM at 1300 pJ */
    refuses("run tile.tpu --timing --technology 3nm", 1, "technology 3nm: there is no such one");
    refuses("run tile.tpu --timing --technology tile.yaml", 1, "tile.yaml: cannot be read");
}

/* docs/assembly.md's walk: row 0 of C is 1 x 1, 2 x 2, 3 x 3, and 1 + 2 + 3 + 4. */
static void inputs_that_the_program_fills_in_stay(void **state)
{
    (void)state;
    succeeds("asm " SOURCE_DIR "/asm/examples/matmul4x4.s -q -o mm.tpu");
    succeeds("run mm.tpu -o mm.npy");
    says(out, "the program's own data");
    struct weft_arrays arrays;
    assert_int_equal(weft_arrays_load(&arrays, "mm.npy", NULL), WEFT_OK);
    const int32_t row0[4] = {1, 4, 9, 10};
    assert_memory_equal(arrays.items[0].bytes, row0, sizeof row0);
    weft_arrays_free(&arrays);
    uint8_t ones[16];
    memset(ones, 1, sizeof ones);
    char name[] = "a";
    struct weft_array array = {.name = name, .element = "uint8", .rank = 2, .dims = {4, 4}, .bytes = ones, .size = sizeof ones};
    assert_int_equal(weft_arrays_store(&(struct weft_arrays){&array, 1}, "ones.npy", NULL), WEFT_OK);
    succeeds("run mm.tpu -q -i ones.npy -o mm.npy");
    assert_int_equal(weft_arrays_load(&arrays, "mm.npy", NULL), WEFT_OK);
    const int32_t columns[4] = {1, 2, 3, 4};
    assert_memory_equal(arrays.items[0].bytes, columns, sizeof columns);
    weft_arrays_free(&arrays);
}

/* What cannot be printed is an error, whoever prints. */
static void standard_output_that_is_full_is_an_error(void **state)
{
    (void)state;
    static const char *const lines[] = {"models", "--help", "help run", "--version", "machines tiny", "disasm tile.tpu", "doctor",
                                        "run tile.tpu --timing", "debug tile.tpu <list"};
    write_text("list", "list\n");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char line[1024];
        snprintf(line, sizeof line, "'%s' %s >/dev/full 2>.err", WEFT_COMMAND, lines[i]);
        int status = system(line);
        read_text(err, sizeof err, ".err");
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 1);
        says(err, "standard output: cannot be written");
    }
}

static void a_program_refuses_the_options_of_networks(void **state)
{
    (void)state;
    static const char *const options[] = {"--batch 3", "--dim n=3", "--format int8", "--calibration x.npy", "--range mse", "--prune 0.5", "--seed 1 --timing"};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        char line[128];
        snprintf(line, sizeof line, "run tile.tpu %s", options[i]);
        refuses(line, 1, i < 6 ? "is for a network" : "--seed is for random input");
    }
    succeeds("run tile.tpu -q --seed 1");
}

static void a_speed_up_is_stated_over_a_baseline(void **state)
{
    (void)state;
    succeeds("run tile.tpu -q --timing --report json=base.json");
    succeeds("run tile.tpu --timing --baseline base.json");
    says(out, "1.00 times the inferences/s of base.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tile_takes_the_cycles_worked_out_by_hand),
        cmocka_unit_test(a_tile_is_taken_apart_in_the_report),
        cmocka_unit_test(the_timeline_shows_the_same_cycles),
        cmocka_unit_test(floats_go_in_quantised_and_come_back),
        cmocka_unit_test(without_input_it_is_random_and_said_so),
        cmocka_unit_test(disassembly_assembles_to_the_same_file),
        cmocka_unit_test(a_session_of_the_debugger_is_a_file),
        cmocka_unit_test(the_debugger_takes_what_has_no_name_and_what_is_empty),
        cmocka_unit_test(lists_what_there_is),
        cmocka_unit_test(every_command_has_help),
        cmocka_unit_test(wrong_usage_is_status_2),
        cmocka_unit_test(bad_files_are_status_1_and_leave_nothing),
        cmocka_unit_test(energy_is_told_of_a_technology_that_is_known),
        cmocka_unit_test(a_speed_up_is_stated_over_a_baseline),
        cmocka_unit_test(a_program_refuses_the_options_of_networks),
        cmocka_unit_test(inputs_that_the_program_fills_in_stay),
        cmocka_unit_test(standard_output_that_is_full_is_an_error),
    };
    return cmocka_run_group_tests(tests, set_up, leave_folder);
}
