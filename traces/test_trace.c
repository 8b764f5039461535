/* Proves the timeline: events told by hand, the file read back with zlib and jansson. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>
#include <zlib.h>

#include "fifo.h"
#include "weft_trace.h"

static char folder[] = "/tmp/weft-trace-XXXXXX", path[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/t.json.gz", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder); /* fails where anything is left aside */
}

/* --- depth of the FIFO -------------------------------------------------------------------------------------------- */

struct steps {
    uint64_t cycle[16], depth[16];
    size_t count;
};

static void keep_step(void *user, uint64_t cycle, uint64_t depth)
{
    struct steps *steps = user;
    steps->cycle[steps->count] = cycle;
    steps->depth[steps->count++] = depth;
}

/* Two slots. Tile 0 is fetched at 0 and shifted by 30; tile 1 is fetched at 10, told after the product of tile 0; tile 2 needs the slot of
 * tile 0. */
static void depth_is_told_in_order_of_time(void **state)
{
    (void)state;
    struct steps steps = {.count = 0};
    struct fifo fifo = {.step = keep_step, .user = &steps};
    fifo_take(&fifo, 0);
    fifo_give(&fifo, 30);
    fifo_take(&fifo, 10);
    fifo_give(&fifo, 50);
    fifo_take(&fifo, 30);
    fifo_give(&fifo, 70);
    fifo_flush(&fifo);
    fifo_free(&fifo);
    const uint64_t cycles[6] = {0, 10, 30, 30, 50, 70}, depths[6] = {1, 2, 1, 2, 1, 0};
    assert_int_equal(steps.count, 6);
    assert_memory_equal(steps.cycle, cycles, sizeof cycles);
    assert_memory_equal(steps.depth, depths, sizeof depths);
}

/* --- the file ------------------------------------------------------------------------------------------------------ */

static json_t *read_trace(void)
{
    static char bytes[1 << 16];
    gzFile file = gzopen(path, "rb");
    assert_non_null(file);
    int size = gzread(file, bytes, sizeof bytes);
    assert_true(size > 0);
    gzclose(file);
    json_error_t error;
    json_t *root = json_loadb(bytes, (size_t)size, 0, &error);
    assert_non_null(root);
    return root;
}

/* The event number `skip` of those with this phase and name. */
static json_t *find(json_t *root, const char *phase, const char *name, size_t skip)
{
    size_t i;
    json_t *event;
    json_array_foreach(json_object_get(root, "traceEvents"), i,
                       event) if (!strcmp(json_string_value(json_object_get(event, "ph")), phase) &&
                                  !strcmp(json_string_value(json_object_get(event, "name")), name) && skip-- == 0) return event;
    return NULL;
}

static json_int_t number(json_t *event, const char *key)
{
    assert_non_null(event);
    return json_integer_value(json_object_get(event, key));
}

/* A fetch, a product that waits 5 cycles undispatched, 20 for its tile and 8 for its shift, and its successor. */
static void tell_run(struct weft_trace *trace)
{
    struct weft_observer observer = weft_trace_observer(trace);
    struct weft_instr fetch, product;
    weft_instr_init(&fetch, WEFT_OP_READ_WEIGHTS);
    fetch.k = fetch.n = 8;
    weft_instr_init(&product, WEFT_OP_MATMUL);
    product.ub = 64;
    product.stride = 8;
    product.rows = 4;
    product.next = 1;
    struct weft_event event = {
        .index = 1, .instr = &fetch, .unit = WEFT_UNIT_FETCH, .dispatched = 1, .start = 2, .end = 20, .reads_done = 25, .fifo_slots = 1};
    observer.event(observer.user, &event);
    event = (struct weft_event){.index = 2,
                                .instr = &product,
                                .unit = WEFT_UNIT_MATRIX,
                                .dispatched = 4,
                                .start = 33,
                                .end = 37,
                                .reads_done = 37,
                                .writes_done = 52,
                                .tile_whole = 25,
                                .shift_start = 25,
                                .shift_end = 33,
                                .stall = {20, 8, 0, 0, 5, 0}};
    observer.event(observer.user, &event);
    product.next = 0;
    event = (struct weft_event){.index = 3,
                                .instr = &product,
                                .unit = WEFT_UNIT_MATRIX,
                                .dispatched = 5,
                                .start = 37,
                                .end = 41,
                                .reads_done = 41,
                                .writes_done = 56};
    observer.event(observer.user, &event);
}

static json_t *trace_of(uint64_t from, uint64_t to)
{
    struct weft_layer layer = {.name = "first \xff layer"};
    struct weft_program program = {.machine = {.name = "tiny"}, .layers = &layer, .layer_count = 1};
    struct weft_trace *trace;
    assert_int_equal(weft_trace_create(&trace, &program, &(struct weft_trace_options){path, from, to}, NULL), WEFT_OK);
    tell_run(trace);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(weft_trace_finish(trace, NULL), WEFT_OK);
    weft_trace_free(trace);
    json_t *root = read_trace();
    unlink(path);
    return root;
}

static void slices_carry_times_and_operands(void **state)
{
    (void)state;
    json_t *root = trace_of(0, UINT64_MAX), *product = find(root, "X", "matmul", 0), *arguments = json_object_get(product, "args");
    assert_int_equal(number(product, "ts"), 33);
    assert_int_equal(number(product, "dur"), 4);
    assert_int_equal(number(product, "tid"), WEFT_UNIT_MATRIX);
    assert_int_equal(number(arguments, "dispatched"), 4);
    assert_int_equal(number(arguments, "complete"), 52);
    assert_int_equal(number(arguments, "shift end"), 33);
    assert_string_equal(json_string_value(json_object_get(arguments, "layer")), "first ? layer");
    assert_string_equal(json_string_value(json_object_get(arguments, "operands")), "ub=64 stride=8 rows=4 acc=0 next");
    assert_int_equal(number(find(root, "X", "read_weights", 0), "dur"), 18);
    json_decref(root);
}

static void stalls_are_slices_in_order_of_time(void **state)
{
    (void)state;
    json_t *root = trace_of(0, UINT64_MAX), *other = find(root, "X", "other", 0), *tile = find(root, "X", "weight_stall", 0),
           *shift = find(root, "X", "weight_shift", 0);
    assert_int_equal(number(other, "ts"), 0);
    assert_int_equal(number(other, "dur"), 5);
    assert_int_equal(number(tile, "ts"), 5);
    assert_int_equal(number(tile, "dur"), 20);
    assert_int_equal(number(shift, "ts"), 25);
    assert_int_equal(number(shift, "dur"), 8);
    assert_null(find(root, "X", "other", 1));
    json_t *active = find(root, "C", "class", 3);
    assert_int_equal(number(active, "ts"), 33);
    assert_int_equal(number(json_object_get(active, "args"), "active"), 1);
    assert_int_equal(number(find(root, "C", "class", 4), "ts"), 41); /* nothing behind the second product */
    assert_null(find(root, "C", "class", 5));
    json_decref(root);
}

static void fifo_depth_is_counted(void **state)
{
    (void)state;
    json_t *root = trace_of(0, UINT64_MAX), *taken = find(root, "C", "weight FIFO", 0), *given = find(root, "C", "weight FIFO", 1);
    assert_int_equal(number(taken, "ts"), 2);
    assert_int_equal(number(json_object_get(taken, "args"), "tiles"), 1);
    assert_int_equal(number(given, "ts"), 33);
    assert_int_equal(number(json_object_get(given, "args"), "tiles"), 0);
    json_decref(root);
}

static void a_window_keeps_what_touches_it(void **state)
{
    (void)state;
    json_t *root = trace_of(20, 34);
    assert_null(find(root, "X", "read_weights", 0)); /* cycles 2 to 19 */
    assert_null(find(root, "X", "other", 0));
    assert_non_null(find(root, "X", "weight_stall", 0));
    assert_non_null(find(root, "X", "matmul", 0));
    assert_null(find(root, "X", "matmul", 1)); /* from cycle 37 */
    json_decref(root);
}

static void an_unfinished_trace_leaves_nothing(void **state)
{
    (void)state;
    struct weft_program program = {.machine = {.name = "tiny"}};
    struct weft_trace *trace;
    assert_int_equal(weft_trace_create(&trace, &program, &(struct weft_trace_options){path, 0, UINT64_MAX}, NULL), WEFT_OK);
    weft_trace_free(trace);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(weft_trace_create(&trace, &program, &(struct weft_trace_options){"/nowhere/t.gz", 0, UINT64_MAX}, NULL), WEFT_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(depth_is_told_in_order_of_time),     cmocka_unit_test(slices_carry_times_and_operands),
        cmocka_unit_test(stalls_are_slices_in_order_of_time), cmocka_unit_test(fifo_depth_is_counted),
        cmocka_unit_test(a_window_keeps_what_touches_it),     cmocka_unit_test(an_unfinished_trace_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
