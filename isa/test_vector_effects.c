/* Proves effects.c: one case a fault, and what each instruction of the vector unit touches. */
#include "test_effects.h"

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
    i.reduce = WEFT_REDUCTION_squares;
    bad(&b, &i, "pool goes without squares");
    i.pool = 0;
    good(&b, &i); /* nothing is reduced */
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

/* Its operands' rows lie 10 bytes apart, at 0, 1000 and 2000. */
static struct bench make_vector_bench(void)
{
    struct bench b = make_bench();
    static const char *const bases[] = {"p0.base", "p1.base", "p2.base"}, *const loops[] = {"p0.loop0", "p1.loop0", "p2.loop0"};
    for (uint32_t p = 0; p < 3; p++) {
        set(&b, bases[p], 1000 * p, 0);
        set(&b, loops[p], UINT32_MAX, 10);
    }
    return b;
}

static void vectors(void **state)
{
    (void)state;
    struct bench b = make_vector_bench();
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
    struct weft_instr i = vector(WEFT_OP_MUL);
    i.lanes = 0;
    bad(&b, &i, "lanes is 0");
    free(b.order.fifo);
}

static void copies_and_fills(void **state)
{
    (void)state;
    struct bench b = make_vector_bench();
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
    set(&b, "p0.loop0", 1 << 23, 0); /* one byte again and again */
    set(&b, "p0.run", 1, 0);
    set(&b, "p0.block", 1, 0);
    i.first_row = i.first_lane = 0;
    i.rows = 1 << 23;
    i.lanes = 1 << 13;
    good(&b, &i);
    i.lanes++;
    bad(&b, &i, "rows x lanes = 8388608 x 8193 exceeds 2^36 elements");
    free(b.order.fifo);
}

static void reductions_and_windows(void **state)
{
    (void)state;
    struct bench b = make_vector_bench();
    struct weft_instr i = vector(WEFT_OP_REDUCE);
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
    free(b.order.fifo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activations), cmocka_unit_test(parameters), cmocka_unit_test(pooled_activations),
        cmocka_unit_test(raw_activations), cmocka_unit_test(vectors), cmocka_unit_test(copies_and_fills),
        cmocka_unit_test(reductions_and_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
