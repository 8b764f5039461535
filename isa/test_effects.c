/* Proves effects.c: one case a fault, and what each instruction touches. The machine is tiny's 8 x 8 with 4 MiB and 1024 ACC rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "weft_isa.h"

enum { UB = 4 << 20, HOST = 10000, DRAM = 5000, LAYERS = 3 };

struct bench {
    struct weft_machine machine;
    struct weft_config config;
    struct weft_order order;
    struct weft_limits limits;
    struct weft_effects effects;
    char message[256];
};

static struct bench make_bench(void)
{
    struct bench b = {.limits = {HOST, DRAM, LAYERS}};
    assert_int_equal(weft_machine_load(&b.machine, "tiny", NULL), WEFT_OK);
    b.machine.ub_bytes = UB; /* presets may grow */
    b.machine.acc_rows = 1024;
    weft_config_reset(&b.config);
    b.order.fifo = calloc(b.machine.fifo_tiles, sizeof *b.order.fifo);
    return b;
}

static bool check(struct bench *b, const struct weft_instr *i)
{
    return weft_check(&b->effects, &b->order, i, &b->config, &b->machine, &b->limits, b->message);
}

static void good(struct bench *b, const struct weft_instr *i)
{
    if (!check(b, i))
        fail_msg("refused: %s", b->message);
}

static void bad(struct bench *b, const struct weft_instr *i, const char *message)
{
    struct weft_order before = b->order;
    if (check(b, i))
        fail_msg("not refused: %s", message);
    if (!strstr(b->message, message))
        fail_msg("\"%s\" does not say \"%s\"", b->message, message);
    assert_memory_equal(&before, &b->order, sizeof before); /* a fault leaves the order as it was */
}

static void touched(const struct bench *b, unsigned n, enum weft_space space, bool write, uint64_t low, uint64_t high)
{
    assert_true(n < b->effects.count);
    assert_int_equal(b->effects.effect[n].space, space);
    assert_int_equal(b->effects.effect[n].write, write);
    assert_int_equal(b->effects.effect[n].range.low, low);
    assert_int_equal(b->effects.effect[n].range.high, high);
}

static struct weft_instr make(enum weft_opcode op)
{
    struct weft_instr i;
    weft_instr_init(&i, op);
    return i;
}

static void set(struct bench *b, const char *name, uint32_t value0, uint32_t value1)
{
    assert_true(weft_config_set(&b->config, weft_register_find(name)->number, value0, value1));
}

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

static void activations(void **state)
{
    (void)state;
    struct bench b = make_bench();
    struct weft_instr i = make(WEFT_OP_ACTIVATE);
    bad(&b, &i, "rows is 0");
    i.rows = 4;
    bad(&b, &i, "lanes is 0");
    i.lanes = 9;
    bad(&b, &i, "lanes = 9 exceeds the 8 columns");
    i.lanes = 8;
    i.acc = 1021;
    bad(&b, &i, "acc + rows reaches row 1024");
    i.acc = 0;
    i.d = 1;
    set(&b, "p1.base", 1000, 0);
    set(&b, "p1.loop0", 4, 8);
    set(&b, "p1.loop1", 1, 0);
    set(&b, "p1.loop2", 1, 0);
    good(&b, &i);
    assert_int_equal(b.effects.count, 2);
    touched(&b, 0, WEFT_SPACE_ACC, false, 0, 4);
    touched(&b, 1, WEFT_SPACE_UB, true, 1000, 1032);
    i.first_row = 1;
    bad(&b, &i, "first_row + rows = 5 exceeds the 4 rows of p1");
    i.first_row = 0;
    i.residual = 1;
    i.b = 1;
    i.fmt_b = WEFT_FORMAT_s32;
    good(&b, &i);
    touched(&b, 1, WEFT_SPACE_UB, false, 1000, 1000 + 24 + 32);
    i.func = WEFT_FUNCTION_table;
    set(&b, "v.table", 5000, 0);
    good(&b, &i);
    touched(&b, 2, WEFT_SPACE_UB, false, 5000, 5256);
    i.fmt = WEFT_FORMAT_s16;
    bad(&b, &i, "func table needs an 8-bit result; fmt is s16");
    i.fmt = WEFT_FORMAT_s8;
    set(&b, "v.table", UB - 255, 0);
    bad(&b, &i, "v.table reaches byte");
    free(b.order.fifo);
}

/* Lanes 6 to 13: of period 100 side by side; of period 10 they go round, 6 to 9 and 0 to 3; of period 14 they end with it. */
static void parameters(void **state)
{
    (void)state;
    struct bench b = make_bench();
    struct weft_instr i = make(WEFT_OP_ACTIVATE);
    i.rows = 1;
    i.lanes = 8;
    i.first_lane = 6;
    i.bias = i.scale = 1;
    set(&b, "v.bias", 1000, 100);
    set(&b, "v.scale", 2000, 10);
    good(&b, &i);
    touched(&b, 1, WEFT_SPACE_UB, false, 1024, 1056);
    touched(&b, 2, WEFT_SPACE_UB, false, 2000, 2040);
    set(&b, "v.bias", 1000, 14);
    good(&b, &i);
    touched(&b, 1, WEFT_SPACE_UB, false, 1024, 1056);
    set(&b, "v.bias", 1000, 0);
    bad(&b, &i, "v.bias has a period of 0");
    set(&b, "v.bias", UB - 8, 100);
    bad(&b, &i, "v.bias reaches byte");
    i.bias = 0;
    set(&b, "v.scale", UB - 39, 10);
    bad(&b, &i, "v.scale reaches byte 4194304");
    free(b.order.fifo);
}

static void pooled_activations(void **state)
{
    (void)state;
    struct bench b = make_bench();
    struct weft_instr i = make(WEFT_OP_ACTIVATE);
    i.pool = 1;
    i.rows = 6;
    i.lanes = 8;
    i.acc = 10;
    /* 3 x 2 results of 2 x 2 windows over ACC rows of 8 a line: results at 0 2 4, 16 18 20; the window's last is 9 further */
    set(&b, "p15.base", 0, 0);
    set(&b, "p15.loop0", 3, 2);
    set(&b, "p15.loop1", 2, 16);
    set(&b, "p15.loop2", 1, 0);
    set(&b, "v.win0", 2, 1);
    set(&b, "v.win1", 2, 8);
    good(&b, &i);
    touched(&b, 0, WEFT_SPACE_ACC, false, 10, 10 + 20 + 9 + 1);
    i.acc = 1024 - 29;
    bad(&b, &i, "acc + the windows of p15 reaches row 1024");
    i.acc = 0;
    i.rows = 7;
    bad(&b, &i, "exceeds the 6 rows of p15");
    i.rows = 6;
    set(&b, "v.win1", 0, 8);
    bad(&b, &i, "v.win1 has a count of 0");
    set(&b, "v.win1", 2, UINT32_MAX);
    set(&b, "v.win0", 3, UINT32_MAX);
    bad(&b, &i, "reaches row");
    set(&b, "v.win1", UINT32_MAX, UINT32_MAX);
    bad(&b, &i, "rows x v.win0 x v.win1 = 6 x 3 x 4294967295 exceeds 2^28 windows");
    free(b.order.fifo);
}

static void raw_activations(void **state)
{
    (void)state;
    struct bench b = make_bench();
    struct weft_instr i = make(WEFT_OP_ACTIVATE);
    i.rows = i.lanes = 1;
    i.raw = 1;
    bad(&b, &i, "raw stores s32; fmt is u8");
    i.fmt = WEFT_FORMAT_s32;
    good(&b, &i);
    i.facc = 1;
    bad(&b, &i, "raw stores f32; fmt is s32");
    i.fmt = WEFT_FORMAT_f32;
    i.bias = 1;
    good(&b, &i);
    i.scale = 1;
    bad(&b, &i, "raw goes without scale");
    i.scale = 0;
    i.residual = 1;
    bad(&b, &i, "raw goes without residual");
    i.residual = 0;
    i.pool = 1;
    bad(&b, &i, "raw goes without pool");
    i.pool = 0;
    i.func = WEFT_FUNCTION_relu;
    bad(&b, &i, "raw goes without func");
    free(b.order.fifo);
}

static struct weft_instr vector(enum weft_opcode op)
{
    struct weft_instr i = make(op);
    i.d = 0;
    i.a = 1;
    i.b = 2;
    i.rows = 2;
    i.lanes = 3;
    return i;
}

static void vectors(void **state)
{
    (void)state;
    struct bench b = make_bench();
    static const char *const bases[] = {"p0.base", "p1.base", "p2.base"}, *const loops[] = {"p0.loop0", "p1.loop0", "p2.loop0"};
    for (uint32_t p = 0; p < 3; p++) {
        set(&b, bases[p], 1000 * p, 0);
        set(&b, loops[p], UINT32_MAX, 10);
    }
    for (unsigned op = WEFT_OP_ADD; op <= WEFT_OP_MIN; op++) {
        struct weft_instr i = vector((enum weft_opcode)op);
        i.fmt_b = WEFT_FORMAT_s16;
        i.fmt = WEFT_FORMAT_s32;
        good(&b, &i);
        assert_int_equal(b.effects.count, 3);
        touched(&b, 0, WEFT_SPACE_UB, false, 1000, 1013);
        touched(&b, 1, WEFT_SPACE_UB, false, 2000, 2016);
        touched(&b, 2, WEFT_SPACE_UB, true, 0, 22);
    }
    struct weft_instr i = vector(WEFT_OP_COPY);
    i.raw = 1;
    good(&b, &i);
    i.fmt = WEFT_FORMAT_s8;
    bad(&b, &i, "raw needs equal formats; fmt_a is u8 and fmt is s8");
    i.fmt = WEFT_FORMAT_u8;
    i.func = WEFT_FUNCTION_abs;
    bad(&b, &i, "raw goes without func");
    i = vector(WEFT_OP_FILL);
    good(&b, &i);
    assert_int_equal(b.effects.count, 1);
    touched(&b, 0, WEFT_SPACE_UB, true, 0, 13);
    i.rows = 0;
    bad(&b, &i, "rows is 0");
    i = vector(WEFT_OP_REDUCE);
    i.first_lane = 4;
    i.fmt = WEFT_FORMAT_s32;
    good(&b, &i); /* lanes 4 to 6 in, lane 0 out */
    touched(&b, 0, WEFT_SPACE_UB, false, 1004, 1017);
    touched(&b, 1, WEFT_SPACE_UB, true, 0, 14);
    i = vector(WEFT_OP_POOL);
    set(&b, "v.win0", 3, 1);
    set(&b, "v.win1", 2, 50);
    good(&b, &i);
    touched(&b, 0, WEFT_SPACE_UB, false, 1000, 1013 + 2 + 50);
    set(&b, "v.win0", 0, 1);
    bad(&b, &i, "v.win0 has a count of 0");
    i.rows = 1; /* the same bytes again and again: 2^28 windows are the most */
    set(&b, "v.win0", 1 << 14, 0);
    set(&b, "v.win1", 1 << 14, 0);
    good(&b, &i);
    set(&b, "v.win1", (1 << 14) + 1, 0);
    bad(&b, &i, "rows x v.win0 x v.win1 = 1 x 16384 x 16385 exceeds 2^28 windows");
    set(&b, "v.win1", 1 << 14, 0);
    i.lanes = 257; /* 2^28 windows of 2^8 lanes are 2^36 elements */
    bad(&b, &i, "rows x v.win0 x v.win1 x lanes = 1 x 16384 x 16384 x 257 exceeds 2^36 elements");
    i = vector(WEFT_OP_FILL);
    set(&b, "p0.loop0", 1 << 23, 0); /* one byte again and again */
    set(&b, "p0.run", 1, 0);
    set(&b, "p0.block", 1, 0);
    i.first_row = i.first_lane = 0;
    i.rows = 1 << 23;
    i.lanes = 1 << 13;
    good(&b, &i);
    i.lanes++;
    bad(&b, &i, "rows x lanes = 8388608 x 8193 exceeds 2^36 elements");
    i = vector(WEFT_OP_MUL);
    i.lanes = 0;
    bad(&b, &i, "lanes is 0");
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
        cmocka_unit_test(products), cmocka_unit_test(convolutions), cmocka_unit_test(activations), cmocka_unit_test(parameters),
        cmocka_unit_test(pooled_activations), cmocka_unit_test(raw_activations), cmocka_unit_test(vectors),
        cmocka_unit_test(tiles_are_taken_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
