/* test_run.c: what stands around the instructions of a run: faults and their places, refusals, sizes, counters by layer, stepping, stopping. */
#include "test_frame.h"

static void test_fault_names_its_place(void **state)
{
    (void)state;
    const struct weft_instr text[] = {{.op = WEFT_OP_TAG, .layer = 1}, {.op = WEFT_OP_READ_HOST, .ub = 2046, .host = 0, .bytes = 3}};
    struct weft_source_line lines[3] = {{0, 4}, {0, 5}, {0, 6}};
    char *files[1] = {"small.s"};
    struct frame frame;
    frame_init(&frame, text, 2);
    frame.program.lines = lines;
    frame.program.files = files;
    frame.program.file_count = 1;
    struct weft_sim *sim = frame_sim(&frame);
    struct heard heard = {""};
    struct weft_diag diag = {hear, &heard};
    assert_int_equal(weft_sim_run(sim, &diag), WEFT_ERROR);
    const char *place = "program: instruction 1 (read_host ub=2046, host=0, bytes=3) at small.s:5 [layer second]: ";
    assert_memory_equal(heard.text, place, strlen(place));
    assert_int_equal(weft_sim_position(sim), 1);
    bool done;
    assert_int_equal(weft_sim_step(sim, &done, &diag), WEFT_ERROR);
    weft_sim_free(sim);
}

static void expect_refusal(struct frame *frame, struct weft_sim_options options, const char *part)
{
    struct weft_sim *sim;
    struct heard heard = {""};
    struct weft_diag diag = {hear, &heard};
    assert_int_equal(weft_sim_create(&sim, &frame->program, &options, &diag), WEFT_ERROR);
    assert_null(sim);
    if (!strstr(heard.text, part)) fail_msg("\"%s\" says nothing of \"%s\"", heard.text, part);
}

static void test_refusals(void **state)
{
    (void)state;
    const struct weft_instr text[] = {{.op = WEFT_OP_READ_WEIGHTS, .k = 1, .n = 1}};
    const struct weft_sim_options values = {.engine = WEFT_ENGINE_REFERENCE};
    struct frame frame;
    frame_init(&frame, text, 1);
    expect_refusal(&frame, (struct weft_sim_options){.engine = WEFT_ENGINE_REFERENCE, .timing_only = true}, "fast");
    frame.program.weights = NULL;
    expect_refusal(&frame, values, "instruction 0 (read_weights dram=0, k=1, n=1, fmt=u8) [layer first]: the program has no .weights section");
    frame.program.network = "net.onnx";
    expect_refusal(&frame, values, "compiled for timing only");
    frame_init(&frame, text, 1);
    frame.program.host_bytes = UINT64_C(1) << 39;
    expect_refusal(&frame, values, "host memory");
    frame_init(&frame, text, 1);
    frame.program.dram_bytes = 1025;
    expect_refusal(&frame, values, "DRAM");
    frame_init(&frame, text, 1);
    frame.program.weights_bytes = 257;
    expect_refusal(&frame, values, "weights");
    frame_init(&frame, text, 1);
    frame.program.data_host = 60;
    frame.program.data_bytes = 5;
    expect_refusal(&frame, values, "data");
    frame_init(&frame, text, 1);
    frame.program.machine.fifo_tiles = 0;
    expect_refusal(&frame, values, "weight_fifo.tiles");
}

static void test_end_without_halt(void **state)
{
    (void)state;
    struct frame frame;
    frame_init(&frame, NULL, 0);
    frame.program.instructions = 0;
    struct weft_sim *sim = frame_sim(&frame);
    struct heard heard = {""};
    struct weft_diag diag = {hear, &heard};
    assert_int_equal(weft_sim_run(sim, &diag), WEFT_ERROR);
    assert_string_equal(heard.text, "program: instruction 0 [layer first]: the program ends without halt");
    weft_sim_free(sim);
}

static void test_memory_is_bounded_and_weights_stay_the_programs(void **state)
{
    (void)state;
    struct frame frame;
    frame_init(&frame, NULL, 0);
    frame.weights[255] = 7;
    frame.program.data = (uint8_t[]){4, 5};
    frame.program.data_bytes = 2;
    frame.program.data_host = 62;
    struct weft_sim *sim = frame_sim(&frame);
    uint8_t byte[4] = {9, 9};
    uint64_t size;
    assert_true(weft_sim_read(sim, WEFT_SPACE_HOST, 62, byte, 2));
    assert_int_equal(byte[0] * 16 + byte[1], 0x45);
    assert_false(weft_sim_read(sim, WEFT_SPACE_HOST, 63, byte, 2));
    assert_false(weft_sim_read(sim, WEFT_SPACE_UB, UINT64_MAX, byte, 2));
    assert_ptr_equal(weft_sim_memory(sim, WEFT_SPACE_DRAM, &size), frame.weights);
    assert_int_equal(size, 256);
    assert_true(weft_sim_write(sim, WEFT_SPACE_DRAM, 255, byte, 1));
    assert_int_equal(frame.weights[255], 7);
    assert_int_equal(weft_sim_memory(sim, WEFT_SPACE_DRAM, &size)[255], 4);
    assert_false(weft_sim_write(sim, WEFT_SPACE_ACC, 64, byte, 1));
    weft_sim_free(sim);
}

/* read_host 3 bytes in layer 0 (set and tag too); a product of 2 rows on a 2 x 1 tile and 2 rows of activate in layer 1 */
static void test_counters_by_layer(void **state)
{
    (void)state;
    const struct weft_instr text[] = {
        LOOP0(0, 2, 2), {.op = WEFT_OP_READ_HOST, .ub = 16, .host = 0, .bytes = 3}, {.op = WEFT_OP_TAG, .layer = 1},
        {.op = WEFT_OP_READ_WEIGHTS, .k = 2, .n = 1, .fmt = F(s8)}, {.op = WEFT_OP_MATMUL, .ub = 16, .rows = 2, .acc = 3, .next = 1},
        {.op = WEFT_OP_ACTIVATE, .acc = 3, .d = 0, .rows = 2, .lanes = 2, .fmt = F(u8), .bias = 1}};
    struct frame frame;
    frame_init(&frame, text, 6);
    struct weft_sim *sim = frame_sim(&frame);
    assert_int_equal(weft_sim_run(sim, NULL), WEFT_OK);
    const struct weft_counters *zero = weft_sim_layer_counters(sim, 0), *one = weft_sim_layer_counters(sim, 1), *all = weft_sim_counters(sim);
    assert_null(weft_sim_layer_counters(sim, 2));
    assert_int_equal(zero->instructions, 3);
    assert_int_equal(zero->bytes_link_in, 3);
    assert_int_equal(zero->peak_ub, 19);
    assert_int_equal(one->instructions, 4);
    assert_int_equal(one->matrix_rows, 2);
    assert_int_equal(one->cell_products, 4);
    assert_int_equal(one->tiles, 1);
    assert_int_equal(one->bytes_weights, 4); /* 2, in a burst of 4 */
    assert_int_equal(one->vector_rows, 2);
    assert_int_equal(one->bytes_ub_read, 4 + 8);
    assert_int_equal(one->bytes_ub_write, 4);
    assert_int_equal(one->peak_acc, 5);
    assert_int_equal(all->instructions, 7);
    assert_int_equal(all->peak_ub, 19);
    assert_int_equal(all->cycles, 0);
    weft_sim_free(sim);
}

static void test_steps(void **state)
{
    (void)state;
    const struct weft_instr text[] = {BASE(0, 3), {.op = WEFT_OP_FILL, .d = 0, .rows = 1, .lanes = 1, .value = 9}};
    struct frame frame;
    frame_init(&frame, text, 2);
    struct weft_sim *sim = frame_sim(&frame);
    bool done;
    uint64_t size;
    assert_int_equal(weft_sim_step(sim, &done, NULL), WEFT_OK);
    assert_int_equal(weft_sim_config(sim)->pattern[0].base, 3);
    assert_int_equal(weft_sim_position(sim), 1);
    assert_int_equal(weft_sim_memory(sim, WEFT_SPACE_UB, &size)[3], 0);
    assert_int_equal(weft_sim_step(sim, &done, NULL), WEFT_OK);
    assert_int_equal(weft_sim_memory(sim, WEFT_SPACE_UB, &size)[3], 9);
    assert_false(done);
    assert_int_equal(weft_sim_step(sim, &done, NULL), WEFT_OK);
    assert_true(done);
    assert_int_equal(weft_sim_step(sim, &done, NULL), WEFT_OK);
    assert_int_equal(weft_sim_position(sim), 3);
    weft_sim_free(sim);
}

static bool always(void *user, size_t instruction, size_t instructions)
{
    (void)user, (void)instruction, (void)instructions;
    return true;
}

static void test_cancel(void **state)
{
    (void)state;
    struct frame frame;
    struct weft_sim *sim;
    struct heard heard = {""};
    struct weft_diag diag = {hear, &heard};
    frame_init(&frame, NULL, 0);
    assert_int_equal(weft_sim_create(&sim, &frame.program, &(struct weft_sim_options){.engine = WEFT_ENGINE_REFERENCE, .cancel = always}, NULL), WEFT_OK);
    assert_int_equal(weft_sim_run(sim, &diag), WEFT_ERROR);
    assert_string_equal(heard.text, "stopped after 0 of 1 instructions");
    weft_sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fault_names_its_place),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_end_without_halt),
        cmocka_unit_test(test_memory_is_bounded_and_weights_stay_the_programs),
        cmocka_unit_test(test_counters_by_layer),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
