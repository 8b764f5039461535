/* Proves what the command `weft` leaves behind in files: whole, or nothing, and no word but an error's where it cannot. */
#include <glob.h>
#include <signal.h>

#include "test_weft.h"

static int set_up(void **state)
{
    if (enter_folder(state))
        return 1;
    write_text("tile.s", ".machine tiny\n.text\nread_host ub=0, host=0, bytes=16\nhalt\n.host 16\n");
    return weft("asm -q tile.s");
}

static size_t count_files(const char *pattern)
{
    glob_t found;
    size_t count = glob(pattern, 0, NULL, &found) ? 0 : found.gl_pathc;
    globfree(&found);
    return count;
}

/* --- names ---------------------------------------------------------------------------------------------------------------- */

/* A browser and GTKWave tell by the name. */
static void a_file_is_gzipped_if_its_name_says_so(void **state)
{
    (void)state;
    succeeds("run tile.tpu -q --timing --trace t.json");
    succeeds("run tile.tpu -q --timing --trace t.json.gz");
    json_decref(load_json("t.json"));
    assert_int_equal(system("gzip -dc t.json.gz | cmp - t.json"), 0);
#ifdef WEFT_WITH_SYSTEMC
    succeeds("run tile.tpu -q --engine systemc --wave w.vcd");
    succeeds("run tile.tpu -q --engine systemc --wave w.vcd.gz");
    assert_int_equal(system("gzip -dc w.vcd.gz | grep -v '^ .*[0-9]:' >unzipped; grep -v '^ .*[0-9]:' w.vcd | cmp - unzipped"), 0); /* but for the date */
    read_text(out, sizeof out, "w.vcd");
    assert_memory_equal(out, "$date", 5);
#endif
}

/* --- what cannot be written ------------------------------------------------------------------------------------------------- */

static void a_waveform_that_cannot_be_written_is_one_message(void **state)
{
    (void)state;
#ifdef WEFT_WITH_SYSTEMC
    static const char *const paths[][2] = {{"/nonexist/w.vcd.gz", "No such file or directory"},
                                           {"nodir/x.vcd", "No such file or directory"},
                                           {"/dev/full", "No space left on device"}};
    alarm(300); /* no hang may outlast the test */
    for (size_t i = 0; i < 5 * sizeof paths / sizeof *paths; i++) { /* often: who came first of two processes mattered */
        char line[128], want[128];
        snprintf(line, sizeof line, "run tile.tpu -q --engine systemc --wave %s", paths[i % 3][0]);
        snprintf(want, sizeof want, "weft: %s: cannot be written: %s\n", paths[i % 3][0], paths[i % 3][1]);
        refuses(line, 1, want);
        assert_string_equal(err, want);
    }
    alarm(0);
#else
    skip();
#endif
}

/* --- what is read ------------------------------------------------------------------------------------------------------------ */

static const char tiny_network[] = "<ir_version: 8, opset_import: [\"\" : 17]>\nm (float[1,3] x) => (float[1,3] y) { y = Relu(x) }\n";

static void make_inputs(void)
{
    write_text("m.onnxtxt", tiny_network);
    write_text("in.npz", "an input");
    write_text("plan.yaml", "name: x\n");
    assert_int_equal(system("rm -rf folder; mkdir folder; ln -sf m.onnxtxt link; ln -f m.onnxtxt hard; ln -sf ../tile.tpu folder/link; ln -sf nothing none"), 0);
    assert_int_equal(system("cat m.onnxtxt in.npz plan.yaml tile.tpu tile.s >before"), 0);
}

static void what_is_read_is_not_written_over(void **state)
{
    (void)state;
    static const char *const lines[][2] = {
        {"compile m.onnxtxt -m tiny -o m.onnxtxt", "m.onnxtxt: -o would write over m.onnxtxt, which this command reads"},
        {"compile m.onnxtxt -m tiny -o link", "link: -o would write over m.onnxtxt"},
        {"compile link -m tiny -o folder/../m.onnxtxt", "-o would write over link"},
        {"compile m.onnxtxt -m tiny -o hard", "hard: -o would write"},
        {"compile m.onnxtxt -m tiny --calibration in.npz -o in.npz", "in.npz: -o would write over in.npz"},
        {"compile m.onnxtxt -m plan.yaml -o plan.yaml", "plan.yaml: -o would write over plan.yaml"},
        {"asm tile.s -o tile.s", "tile.s: -o would write over tile.s"},
        {"asm tile.tpu", "tile.tpu: -o would write over tile.tpu"},
        {"disasm tile.tpu -o folder/link", "folder/link: -o would write over tile.tpu"},
        {"run m.onnxtxt -m tiny --timing --trace m.onnxtxt", "m.onnxtxt: --trace would write over m.onnxtxt"},
        {"run tile.tpu --engine systemc --wave tile.tpu", "tile.tpu: --wave would write over tile.tpu"},
        {"run tile.tpu --timing --report json=tile.tpu", "tile.tpu: --report json would write over tile.tpu"},
        {"run tile.tpu --timing --report text=plan.yaml --baseline plan.yaml", "plan.yaml: --report text would write over plan.yaml"},
        {"run tile.tpu --timing --report html=plan.yaml --technology plan.yaml", "plan.yaml: --report html would write over plan.yaml"},
        {"run tile.tpu --check=m.onnxtxt --report html=m.onnxtxt", "m.onnxtxt: --report html would"},
        {"run tile.tpu -i in.npz -o in.npz", "in.npz: -o would write over in.npz"},
        {"report in.npz -o in.npz", "in.npz: -o would"},
        {"sweep plan.yaml -o plan.yaml", "plan.yaml: -o would"},
        {"sweep --csv in.npz -o in.npz", "in.npz: -o would"},
        {"sweep --merge in.npz tile.tpu in.npz", "in.npz: --merge would write over in.npz"},
        {"models m.onnxtxt -o m.onnxtxt", "m.onnxtxt: -o would"},
        {"run tile.tpu -o x.npz --report json=x.npz", "x.npz: -o and --report json would write the same file; give one of them another name"},
        {"run tile.tpu --timing --report json=x --report html=folder/../x", "folder/../x: --report json and --report html would write"},
        {"run tile.tpu --timing --trace none --report text=nothing", "nothing: --trace and --report text would write"},
    };
    make_inputs();
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        refuses(lines[i][0], 1, lines[i][1]);
        assert_int_equal(system("cat m.onnxtxt in.npz plan.yaml tile.tpu tile.s | cmp -s - before"), 0);
    }
    assert_int_equal(count_files("x*") + count_files("nothing"), 0);
    succeeds("run tile.tpu --timing -q --report json=/dev/null --trace /dev/null"); /* which keeps nothing */
}

/* What a network names is read as well. */
static void weights_beside_a_network_are_not_written_over(void **state)
{
    (void)state;
    static const char *const lines[] = {"compile beside.onnxtxt -m tiny -o beside.npz", "run beside.onnxtxt -m tiny -q -o beside.npz",
                                        "run beside.onnxtxt -m tiny -q --timing --report json=folder/../beside.npz"};
    write_text("beside.npz", "twelve bytes");
    write_text("beside.onnxtxt", "<ir_version: 8, opset_import: [\"\" : 17]>\nb (float[1,3] x) => (float[1,3] y)\n"
                                 "<float[3] w = [\"location\" : \"beside.npz\"]> { y = Add(x, w) }\n");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        refuses(lines[i], 1, "would write over ./beside.npz, which this command reads");
        read_text(out, sizeof out, "beside.npz");
        assert_string_equal(out, "twelve bytes");
    }
}

/* --- signals ------------------------------------------------------------------------------------------------------------------ */

/* Ten seconds of work, but for the signal. */
static pid_t start_long_run(void)
{
    pid_t child = fork();
    if (child == 0) {
        execl(WEFT_COMMAND, "weft", "run", "resnet50", "-m", "tiny", "--timing", "-q", "--trace", "long.json.gz", (char *)NULL);
        _exit(127);
    }
    return child;
}

static void a_signal_ends_a_run_and_leaves_nothing(void **state)
{
    (void)state;
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        int how;
        pid_t child = start_long_run();
        assert_true(child > 0);
        for (int waits = 0; waits < 60000 && !count_files("long.json.gz.*.tmp"); waits++)
            usleep(1000);
        assert_int_equal(count_files("long.json.gz.*.tmp"), 1);
        kill(child, signals[i]);
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFSIGNALED(how));
        assert_int_equal(WTERMSIG(how), signals[i]);
        assert_int_equal(count_files("long.json.gz*"), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_gzipped_if_its_name_says_so),
        cmocka_unit_test(a_waveform_that_cannot_be_written_is_one_message),
        cmocka_unit_test(what_is_read_is_not_written_over),
        cmocka_unit_test(weights_beside_a_network_are_not_written_over),
        cmocka_unit_test(a_signal_ends_a_run_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, leave_folder);
}
