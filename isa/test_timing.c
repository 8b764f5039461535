/* Proves timing.c by cases worked out by hand from docs/machine.md (T3 is also counted by brute force in test_pattern.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "weft_isa.h"

static struct weft_machine machine(const char *name)
{
    struct weft_machine m;
    assert_int_equal(weft_machine_load(&m, name, NULL), WEFT_OK);
    return m;
}

static void t1_rates_are_reduced(void **state)
{
    (void)state;
    struct weft_rate r = weft_rate(34000000000, 700000000);
    assert_int_equal(r.bytes, 340);
    assert_int_equal(r.cycles, 7);
    r = weft_rate(12500000000, 700000000);
    assert_int_equal(r.bytes, 125);
    assert_int_equal(r.cycles, 7);
    r = weft_rate(1, 1000);
    assert_int_equal(r.bytes, 1);
    assert_int_equal(r.cycles, 1000);
}

static void t2_passes(void **state)
{
    (void)state;
    assert_int_equal(weft_passes(WEFT_FORMAT_u8, WEFT_FORMAT_s8), 1);
    assert_int_equal(weft_passes(WEFT_FORMAT_s16, WEFT_FORMAT_s8), 2);
    assert_int_equal(weft_passes(WEFT_FORMAT_u8, WEFT_FORMAT_s16), 2);
    assert_int_equal(weft_passes(WEFT_FORMAT_s16, WEFT_FORMAT_s16), 4);
    assert_int_equal(weft_passes(WEFT_FORMAT_bf16, WEFT_FORMAT_bf16), 1);
}

static struct weft_pattern plain(uint32_t base, uint32_t stride)
{
    struct weft_config c;
    weft_config_reset(&c);
    c.pattern[0].base = base;
    c.pattern[0].stride0 = stride;
    return c.pattern[0];
}

static void t3_plain_rows(void **state)
{
    (void)state;
    struct weft_machine tpu = machine("tpu-v1");
    struct weft_pattern p = plain(0, 256);
    assert_int_equal(weft_matrix_cycles(&tpu, &p, 0, 200, 0, 256, WEFT_FORMAT_u8, WEFT_FORMAT_s8), 200); /* one line a row */
    assert_int_equal(weft_matrix_cycles(&tpu, &p, 0, 200, 0, 256, WEFT_FORMAT_s16, WEFT_FORMAT_s16), 800); /* four passes */
    p = plain(100, 256); /* across a line's end: two lines, still one cycle with four ports */
    assert_int_equal(weft_matrix_cycles(&tpu, &p, 0, 200, 0, 256, WEFT_FORMAT_u8, WEFT_FORMAT_s8), 200);
}

/* One port, 8-byte lines, 8 lanes at 4 beyond a line: row 0 touches two lines, each later row one that is new. */
static void t3_keeps_the_lines_of_the_row_before(void **state)
{
    (void)state;
    struct weft_machine m = machine("tiny");
    m.ub_read_ports = 1;
    struct weft_pattern p = plain(4, 8);
    assert_int_equal(weft_matrix_cycles(&m, &p, 0, 10, 0, 8, WEFT_FORMAT_u8, WEFT_FORMAT_s8), 2 + 9);
    p = plain(4, 16); /* rows apart: nothing is kept */
    assert_int_equal(weft_matrix_cycles(&m, &p, 0, 10, 0, 8, WEFT_FORMAT_u8, WEFT_FORMAT_s8), 20);
    p = plain(4, 0); /* the same row again: one cycle */
    assert_int_equal(weft_matrix_cycles(&m, &p, 0, 10, 0, 8, WEFT_FORMAT_u8, WEFT_FORMAT_s8), 2 + 9);
    p = plain(0, 1); /* a window that slides by a byte: a new line at addresses 0, 1, 9, 17: row 0 one line, row 1 one, rows 9 and 17 one */
    assert_int_equal(weft_matrix_cycles(&m, &p, 0, 20, 0, 8, WEFT_FORMAT_u8, WEFT_FORMAT_s8), 20);
}

/* Lanes in runs of 2, 16 bytes apart: 8 lanes touch 4 lines; two ports: 2 cycles. The next row, 2 bytes on, needs no new line (1 cycle),
 * until the fifth row, at 8, has 4 new ones. */
static void t3_gathers_runs(void **state)
{
    (void)state;
    struct weft_machine m = machine("tiny");
    m.ub_read_ports = 2;
    struct weft_pattern p = plain(0, 2);
    p.run_length = 2;
    p.run_stride = 16;
    assert_int_equal(weft_matrix_cycles(&m, &p, 0, 8, 0, 8, WEFT_FORMAT_u8, WEFT_FORMAT_s8), 2 + 1 + 1 + 1 + 2 + 1 + 1 + 1);
    assert_int_equal(weft_matrix_cycles(&m, &p, 1, 4, 0, 8, WEFT_FORMAT_u8, WEFT_FORMAT_s8), 2 + 1 + 1 + 2); /* another first row */
}

static void t4_to_t6(void **state)
{
    (void)state;
    struct weft_machine tpu = machine("tpu-v1"), tiny = machine("tiny");
    assert_int_equal(weft_matrix_skew(&tpu), 512);
    assert_int_equal(weft_shift_cycles(&tpu, WEFT_FORMAT_s8), 256);
    assert_int_equal(weft_shift_cycles(&tpu, WEFT_FORMAT_s16), 512);
    assert_int_equal(weft_tile_bytes(&tpu, 3, 5, WEFT_FORMAT_s8), 65536); /* whole tiles */
    assert_int_equal(weft_tile_bytes(&tpu, 3, 5, WEFT_FORMAT_s16), 131072);
    assert_int_equal(weft_tile_bytes(&tiny, 3, 5, WEFT_FORMAT_s8), 16); /* 15, in bursts of 8 */
    assert_int_equal(weft_tile_bytes(&tiny, 8, 8, WEFT_FORMAT_bf16), 128);
}

static struct weft_instr vector(enum weft_opcode op, uint32_t rows, uint32_t lanes)
{
    struct weft_instr i;
    weft_instr_init(&i, op);
    i.rows = rows;
    i.lanes = lanes;
    return i;
}

static void t7_vector_beats(void **state)
{
    (void)state;
    struct weft_machine m = machine("tiny"); /* 8 lanes, 8-byte lines */
    struct weft_config c;
    weft_config_reset(&c);
    struct weft_instr i = vector(WEFT_OP_COPY, 10, 8);
    assert_int_equal(weft_vector_cycles(&m, &i, &c), 10);
    i.lanes = 9; /* 2 beats by lanes */
    assert_int_equal(weft_vector_cycles(&m, &i, &c), 20);
    i.lanes = 8;
    i.fmt_a = WEFT_FORMAT_f32; /* 32 bytes in: 4 lines */
    assert_int_equal(weft_vector_cycles(&m, &i, &c), 40);
    i = vector(WEFT_OP_ADD, 10, 8);
    i.fmt_b = WEFT_FORMAT_s16;
    assert_int_equal(weft_vector_cycles(&m, &i, &c), 20);
    i = vector(WEFT_OP_REDUCE, 3, 64);
    i.fmt = WEFT_FORMAT_f32; /* one element out; 64 bytes in: 8 beats */
    assert_int_equal(weft_vector_cycles(&m, &i, &c), 24);
    i = vector(WEFT_OP_FILL, 5, 17);
    assert_int_equal(weft_vector_cycles(&m, &i, &c), 15);
}

static void t7_windows(void **state)
{
    (void)state;
    struct weft_machine m = machine("tiny");
    struct weft_config c;
    weft_config_reset(&c);
    c.win_count0 = 3;
    c.win_count1 = 2;
    struct weft_instr i = vector(WEFT_OP_POOL, 10, 8);
    assert_int_equal(weft_vector_cycles(&m, &i, &c), 60);
    i = vector(WEFT_OP_ACTIVATE, 10, 8);
    assert_int_equal(weft_vector_cycles(&m, &i, &c), 10);
    i.pool = 1;
    assert_int_equal(weft_vector_cycles(&m, &i, &c), 60);
    i.residual = 1;
    i.fmt_b = WEFT_FORMAT_s16;
    assert_int_equal(weft_vector_cycles(&m, &i, &c), 120);
    i.residual = 0; /* its format is then nobody's */
    assert_int_equal(weft_vector_cycles(&m, &i, &c), 60);
}

/* DDR3-2133's 13.09 ns at 700 MHz: 9.163 cycles. A whole number of cycles stays what it is; no overflow at the limits of the fields. */
static void t8_picoseconds(void **state)
{
    (void)state;
    assert_int_equal(weft_ps_cycles(13090, 700000000), 10);
    assert_int_equal(weft_ps_cycles(0, 700000000), 0);
    assert_int_equal(weft_ps_cycles(1, 1), 1);
    assert_int_equal(weft_ps_cycles(3000, 1000000000), 3);
    assert_int_equal(weft_ps_cycles(3001, 1000000000), 4);
    assert_int_equal(weft_ps_cycles(1000000000000, 100000000000), 100000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t1_rates_are_reduced), cmocka_unit_test(t2_passes), cmocka_unit_test(t3_plain_rows),
        cmocka_unit_test(t3_keeps_the_lines_of_the_row_before), cmocka_unit_test(t3_gathers_runs), cmocka_unit_test(t4_to_t6),
        cmocka_unit_test(t7_vector_beats), cmocka_unit_test(t7_windows), cmocka_unit_test(t8_picoseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
