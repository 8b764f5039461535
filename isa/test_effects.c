/* Proves effects.c: one case a fault, and what each instruction touches that moves bytes or multiplies. */
#include "test_effects.h"

static void control(void **state)
{
    (void)state;
    struct bench b = make_bench();
    struct weft_instr i = make(WEFT_OP_TAG);
    i.layer = LAYERS - 1;
    good(&b, &i);
    assert_int_equal(b.effects.count, 0);
    i.layer = LAYERS;
    bad(&b, &i, "layer 3 is not in the program's table of 3");
    b.limits.layers = 0;
    i.layer = 0;
    good(&b, &i);
    i = make(WEFT_OP_SET);
    i.reg = 7;
    bad(&b, &i, "no register 7");
    i = make((enum weft_opcode)0x7f);
    bad(&b, &i, "no opcode 127");
    free(b.order.fifo);
}

static void transfers(void **state)
{
    (void)state;
    struct bench b = make_bench();
    struct weft_instr i = make(WEFT_OP_READ_HOST);
    bad(&b, &i, "bytes is 0");
    i.bytes = 100;
    i.ub = UB - 100;
    i.host = HOST - 100;
    good(&b, &i);
    assert_int_equal(b.effects.count, 2);
    touched(&b, 0, WEFT_SPACE_HOST, false, HOST - 100, HOST);
    touched(&b, 1, WEFT_SPACE_UB, true, UB - 100, UB);
    i.ub++;
    bad(&b, &i, "ub reaches byte 4194304; the unified buffer has 4194304");
    i.ub--;
    i.host++;
    bad(&b, &i, "host reaches byte 10000; host memory has 10000");
    i.op = WEFT_OP_WRITE_HOST;
    i.host--;
    good(&b, &i);
    touched(&b, 0, WEFT_SPACE_HOST, true, HOST - 100, HOST);
    touched(&b, 1, WEFT_SPACE_UB, false, UB - 100, UB);
    i = make(WEFT_OP_READ_DRAM);
    i.bytes = DRAM;
    good(&b, &i);
    touched(&b, 0, WEFT_SPACE_DRAM, false, 0, DRAM);
    touched(&b, 1, WEFT_SPACE_UB, true, 0, DRAM);
    i.op = WEFT_OP_WRITE_DRAM;
    i.dram = 1;
    bad(&b, &i, "dram reaches byte 5000; DRAM has 5000");
    b.machine.dram_writable = 0;
    i.dram = 0;
    bad(&b, &i, "dram.writable");
    free(b.order.fifo);
}

static struct weft_instr tile(uint32_t k, uint32_t n)
{
    struct weft_instr i = make(WEFT_OP_READ_WEIGHTS);
    i.k = k;
    i.n = n;
    return i;
}

static void tiles(void **state)
{
    (void)state;
    struct bench b = make_bench();
    struct weft_instr i = tile(3, 5);
    i.dram = 100;
    good(&b, &i);
    assert_int_equal(b.effects.count, 1);
    touched(&b, 0, WEFT_SPACE_DRAM, false, 100, 115);
    assert_int_equal(b.order.fifo_waiting, 1);
    bad(&b, &(struct weft_instr){.op = WEFT_OP_READ_WEIGHTS, .k = 0, .n = 1}, "k is 0");
    bad(&b, &(struct weft_instr){.op = WEFT_OP_READ_WEIGHTS, .k = 1, .n = 0}, "n is 0");
    i = tile(9, 1);
    bad(&b, &i, "k = 9 exceeds the 8 rows");
    i = tile(1, 9);
    bad(&b, &i, "n = 9 exceeds the 8 columns");
    i = tile(8, 8);
    i.dram = DRAM - 63;
    bad(&b, &i, "dram reaches byte 5000");
    i.fmt = WEFT_FORMAT_f32;
    bad(&b, &i, "fmt is f32");
    i = tile(8, 8);
    b.machine.formats = WEFT_USES_U8;
    bad(&b, &i, "fmt is s8, which is not among the formats");
    b.machine.formats = WEFT_USES_S8;
    b.machine.whole_tiles = 1;
    i = tile(1, 1);
    i.dram = DRAM - 63;
    bad(&b, &i, "whole tile");
    i.dram--;
    good(&b, &i);
    touched(&b, 0, WEFT_SPACE_DRAM, false, DRAM - 64, DRAM);
    good(&b, &i);
    good(&b, &i);
    bad(&b, &i, "the weight FIFO's 4 tiles have not been taken");
    free(b.order.fifo);
}

static void pushed_tiles(void **state)
{
    (void)state;
    struct bench b = make_bench();
    struct weft_instr i = make(WEFT_OP_PUSH_WEIGHTS);
    i.a = 2;
    i.k = 3;
    i.n = 5;
    i.fmt = WEFT_FORMAT_s16;
    set(&b, "p2.base", 1000, 0);
    set(&b, "p2.loop0", 4, 100);
    set(&b, "p2.loop1", 1, 0);
    set(&b, "p2.loop2", 1, 0);
    good(&b, &i);
    touched(&b, 0, WEFT_SPACE_UB, false, 1000, 1000 + 2 * 100 + 5 * 2);
    i.transpose = 1; /* five rows of three lanes */
    bad(&b, &i, "first_row + rows = 5 exceeds the 4 rows of p2");
    set(&b, "p2.loop0", 5, 100);
    good(&b, &i);
    touched(&b, 0, WEFT_SPACE_UB, false, 1000, 1000 + 4 * 100 + 3 * 2);
    free(b.order.fifo);
}

static void products(void **state)
{
    (void)state;
    struct bench b = make_bench();
    struct weft_instr i = make(WEFT_OP_MATMUL), t = tile(5, 8);
    i.ub = 64;
    i.stride = 10;
    i.rows = 4;
    i.acc = 1020;
    bad(&b, &i, "no tile has been taken yet");
    i.next = 1;
    bad(&b, &i, "no tile waits");
    good(&b, &t);
    i.rows = 0;
    bad(&b, &i, "rows is 0");
    i.rows = 5;
    bad(&b, &i, "acc + rows reaches row 1024; the accumulators have 1024");
    i.rows = 4;
    i.fmt = WEFT_FORMAT_bf16;
    bad(&b, &i, "bf16 goes with bf16 only");
    i.fmt = WEFT_FORMAT_s32;
    bad(&b, &i, "fmt is s32");
    i.fmt = WEFT_FORMAT_u8;
    good(&b, &i);
    assert_int_equal(b.effects.count, 2);
    touched(&b, 0, WEFT_SPACE_UB, false, 64, 64 + 3 * 10 + 5);
    touched(&b, 1, WEFT_SPACE_ACC, true, 1020, 1024);
    assert_int_equal(b.order.fifo_waiting, 0);
    assert_int_equal(b.order.active_k, 5);
    assert_int_equal(b.order.active_n, 8);
    i.next = 0;
    i.accumulate = 1;
    good(&b, &i);
    assert_int_equal(b.effects.count, 3);
    touched(&b, 2, WEFT_SPACE_ACC, false, 1020, 1024);
    i.ub = UB - 34;
    bad(&b, &i, "ub + rows x stride reaches byte 4194304");
    free(b.order.fifo);
}

static void convolutions(void **state)
{
    (void)state;
    struct bench b = make_bench();
    struct weft_instr i = make(WEFT_OP_CONVOLVE), t = tile(6, 1);
    i.a = 3;
    i.rows = 4;
    i.next = 1;
    i.first_row = 1;
    i.first_lane = 1;
    good(&b, &t);
    set(&b, "p3.base", 0, 0);
    set(&b, "p3.loop0", 5, 2);
    set(&b, "p3.loop1", 1, 0);
    set(&b, "p3.loop2", 1, 0);
    set(&b, "p3.run", 3, 100);
    good(&b, &i); /* rows 1 to 4: 2 to 8; lanes 1 to 6: 1, 2, 100, 101, 102, 200 */
    touched(&b, 0, WEFT_SPACE_UB, false, 3, 209);
    i.next = 0;
    i.rows = 5;
    bad(&b, &i, "first_row + rows = 6 exceeds the 5 rows of p3");
    static const char *const loops[] = {"p3.loop0", "p3.loop1", "p3.loop2", "p3.run", "p3.block"};
    for (size_t n = 0; n < 5; n++) {
        struct weft_config before = b.config;
        char message[64];
        set(&b, loops[n], 0, 0);
        snprintf(message, sizeof message, "%s has a count of 0", loops[n]);
        bad(&b, &i, message);
        b.config = before;
    }
    set(&b, "p3.base", UB, 0);
    i.rows = 1;
    bad(&b, &i, "a (p3) reaches byte");
    free(b.order.fifo);
}

/* The FIFO is a ring: tiles are taken in the order in which they came. */
static void tiles_are_taken_in_order(void **state)
{
    (void)state;
    struct bench b = make_bench();
    struct weft_instr product = make(WEFT_OP_MATMUL);
    product.rows = 1;
    product.next = 1;
    for (uint32_t n = 1; n <= 3; n++) {
        struct weft_instr t = tile(n, n);
        good(&b, &t);
    }
    for (uint32_t n = 4; n <= 20; n++) {
        struct weft_instr t = tile((n - 1) % 8 + 1, 1);
        good(&b, &t);
        good(&b, &product);
        assert_int_equal(b.order.active_k, (n - 4) % 8 + 1);
        assert_int_equal(b.order.fifo_waiting, 3);
    }
    free(b.order.fifo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control), cmocka_unit_test(transfers), cmocka_unit_test(tiles), cmocka_unit_test(pushed_tiles),
        cmocka_unit_test(products), cmocka_unit_test(convolutions), cmocka_unit_test(tiles_are_taken_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
