/* test_fast_dram.c: DRAM in detail. Every expected cycle is worked out by hand from docs/machine.md.
 *
 * The device of these tests: 1 GHz, 4 bytes a cycle, bursts of 4 bytes (a slot is a cycle), one channel, 2 banks, rows of 4 bursts; tRCD 3,
 * tRP 4, tCL 5, tRAS 12, tRRD 2 cycles; latency 10; never refreshed, but if so for 20 cycles. So row 0 of bank 0 is bytes 0 to 15, row 0 of
 * bank 1 bytes 16 to 31, row 1 of bank 0 bytes 32 to 47. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fast_dram.h"
#include "weft_sim.h"

static struct weft_machine small_machine(void)
{
    return (struct weft_machine){
        .name = "small", .formats = WEFT_USES_U8 | WEFT_USES_S8, .clock_hz = 1000000000, .rows = 4, .columns = 3, .arrays = 1, .ub_bytes = 4096,
        .ub_line_bytes = 8, .ub_read_ports = 1, .acc_rows = 64, .fifo_tiles = 4, .vector_lanes = 3, .vector_rows = 1, .vector_depth = 5, .dram_bytes = 4096,
        .dram_bytes_per_second = 4000000000, .dram_latency = 10, .dram_burst_bytes = 4, .dram_writable = 1, .dram_detailed = 1,
        .dram_channels = 1, .dram_banks = 2, .dram_row_bytes = 16, .dram_trcd_ps = 3000, .dram_trp_ps = 4000, .dram_tcl_ps = 5000,
        .dram_tras_ps = 12000, .dram_trrd_ps = 2000, .dram_trfc_ps = 20000, .dram_trefi_ps = 0, .link_in_bytes_per_second = 1000000000,
        .link_out_bytes_per_second = 1000000000, .link_latency = 7, .queue_depth = 4};
}

static struct fast_dram device(const struct weft_machine *machine)
{
    struct fast_dram dram;
    assert_int_equal(fast_dram_create(&dram, machine), WEFT_OK);
    return dram;
}

/* When the device is free after a transfer: the cycle, whole. */
static uint64_t moved(struct fast_dram *dram, uint64_t start, uint64_t address, uint64_t bytes)
{
    assert_true(fast_dram_move(dram, start, address, bytes));
    assert_int_equal(fast_channel_floor(&dram->bus), fast_channel_ceil(&dram->bus));
    return fast_channel_floor(&dram->bus);
}

/* Activated at 10, column at 13, four slots to 17. Then the row is open: a slot a burst. */
static void test_miss_then_hits(void **state)
{
    (void)state;
    struct weft_machine machine = small_machine();
    struct fast_dram dram = device(&machine);
    assert_int_equal(moved(&dram, 10, 0, 16), 17);
    assert_int_equal(moved(&dram, 17, 8, 8), 19);
    assert_int_equal(moved(&dram, 100, 0, 4), 101);
    fast_dram_free(&dram);
}

/* Row 0 from 0, its burst from 3 to 4. Row 1 of the bank at 4: closed at 0 + 12, activated at 16, column 19, to 20. Row 0 again at 100: long past
 * tRAS, closed at 100, activated 104, column 107, to 108. */
static void test_conflicts(void **state)
{
    (void)state;
    struct weft_machine machine = small_machine();
    struct fast_dram dram = device(&machine);
    assert_int_equal(moved(&dram, 0, 0, 4), 4);
    assert_int_equal(moved(&dram, 4, 32, 4), 20);
    assert_int_equal(moved(&dram, 100, 0, 4), 108);
    fast_dram_free(&dram);
}

/* Activations at 0 and 2: bank 1's row is open when its turn comes at 7, to 11. */
static void test_rows_are_opened_ahead(void **state)
{
    (void)state;
    struct weft_machine machine = small_machine();
    struct fast_dram dram = device(&machine);
    assert_int_equal(moved(&dram, 0, 0, 32), 3 + 8);
    fast_dram_free(&dram);
}

/* Slots of two cycles, bursts to the channels in turn. Four bursts: two in each, 3 to 7. Three: channel 0 has two, so 7 too. One, in channel 1: 3 to
 * 5. Row 1 of bank 0 begins at burst 16: byte 64. */
static void test_two_channels(void **state)
{
    (void)state;
    static const struct { uint64_t address, bytes, end; } cases[] = {{0, 16, 7}, {0, 12, 7}, {4, 4, 5}, {4, 12, 7}};
    struct weft_machine machine = small_machine();
    machine.dram_channels = 2;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fast_dram dram = device(&machine);
        assert_int_equal(moved(&dram, 0, cases[i].address, cases[i].bytes), cases[i].end);
        fast_dram_free(&dram);
    }
    struct fast_dram dram = device(&machine);
    assert_int_equal(moved(&dram, 0, 0, 8), 5);
    assert_int_equal(moved(&dram, 20, 28, 4), 22);      /* channel 1, bank 0, row 0, its last burst */
    assert_int_equal(moved(&dram, 30, 68, 4), 30 + 9);  /* channel 1, bank 0, row 1: tRP, tRCD and a slot */
    assert_int_equal(moved(&dram, 50, 0, 4), 52);       /* channel 0 still has its row */
    /* Bursts 7 and 8: channel 1, bank 0, row 0 again, 9 cycles; channel 0, bank 1: tRCD and a slot. Then burst 8 is a hit. */
    assert_int_equal(moved(&dram, 60, 28, 8), 69);
    assert_int_equal(moved(&dram, 80, 32, 4), 82);
    fast_dram_free(&dram);
}

/* Rows of 16 bursts; a refresh every 100 cycles. */
static void test_refresh(void **state)
{
    (void)state;
    struct weft_machine machine = small_machine();
    machine.dram_row_bytes = 64;
    machine.dram_trefi_ps = 100000;
    struct fast_dram dram = device(&machine);
    assert_int_equal(moved(&dram, 10, 0, 4), 14);
    assert_int_equal(moved(&dram, 96, 0, 32), 127); /* four hits to 100; 100 to 120; activated 120, column 123, four more */
    assert_int_equal(moved(&dram, 500, 0, 4), 524); /* the one of 500, to 520 */
    assert_int_equal(moved(&dram, 590, 0, 4), 591);
    assert_int_equal(moved(&dram, 615, 0, 4), 624); /* the one of 600, to 620 */
    assert_int_equal(moved(&dram, 730, 0, 4), 734); /* the one of 700 is over; its rows are closed */
    /* At 799, another row of the bank: closed 799, activated 803, column 806, to 807. The refresh of 800 is put off until then, to 827. */
    assert_int_equal(moved(&dram, 799, 128, 8), 831);
    assert_int_equal(moved(&dram, 899, 128, 4), 900);
    assert_int_equal(moved(&dram, 900, 128, 4), 924);
    fast_dram_free(&dram);
}

/* A refresh that falls due at 100, within the last slot of a transfer, takes place behind it. 1 byte a cycle, so a slot is 4 cycles: 98 to 102, refresh to
 * 122, activated 122, column 125, to 129. */
static void test_refresh_behind_a_burst(void **state)
{
    (void)state;
    struct weft_machine machine = small_machine();
    machine.dram_bytes_per_second = 1000000000;
    machine.dram_trefi_ps = 100000;
    struct fast_dram dram = device(&machine);
    assert_int_equal(moved(&dram, 95, 0, 4), 102);
    assert_int_equal(moved(&dram, 102, 0, 4), 129);
    fast_dram_free(&dram);
}

/* 3 bytes in 2 cycles: a slot is 8/3. Activated 1, column 4, to 6 2/3. The next begins there, to 9 1/3. */
static void test_fractions_carry(void **state)
{
    (void)state;
    struct weft_machine machine = small_machine();
    machine.dram_bytes_per_second = 1500000000;
    struct fast_dram dram = device(&machine);
    assert_true(fast_dram_move(&dram, 1, 0, 4));
    assert_int_equal(fast_channel_floor(&dram.bus), 6);
    assert_int_equal(fast_channel_ceil(&dram.bus), 7);
    assert_true(fast_dram_move(&dram, 6, 0, 4));
    assert_int_equal(fast_channel_floor(&dram.bus), 9);
    assert_int_equal(fast_channel_ceil(&dram.bus), 10);
    fast_dram_free(&dram);
}

/* Two bursts from byte 14 are bursts 3 and 4: bank 0, 3 to 4, and bank 1, activated at 2, column 5, to 6. */
static void test_bursts_begin_where_the_address_lies(void **state)
{
    (void)state;
    struct weft_machine machine = small_machine();
    struct fast_dram dram = device(&machine);
    assert_int_equal(moved(&dram, 0, 14, 8), 6);
    fast_dram_free(&dram);
}

/* 64 bytes from 0 at 0: bank 0's row 0 3 to 7, bank 1's 7 to 11; bank 0's row 1 closed at 0 + 12, activated 16, 19 to 23; bank 1's row 1 closed at 2 +
 * 12, activated 18, 23 to 27. With one field changed:
 *   channels   two cycles a slot: 3 to 11 and 11 to 19 in both channels
 *   banks      row 1: closed 12, activated 16, 19 to 23; row 2: 28, 32, 35 to 39; row 3: 44, 48, 51 to 55
 *   row_bytes  8 bursts a row: 3 to 11, 11 to 19. Less than a burst: as many rows as bursts, in two banks: in bank 0 activated 0, 16, ... 112, in bank 1 two
 *              later; the last from 117 to 118
 *   trcd       1 to 5, 5 to 9; activated 16, 17 to 21; 21 to 25
 *   trp        activated 12, 15 to 19; 19 to 23
 *   tras       closed 7, activated 11, 14 to 18; closed 11, activated 15, 18 to 22
 *   trrd       activated 0, 10, 20, 30: the last from 33 to 37
 *   trefi      seven bursts to 10; 10 to 30, activated 30, 33 to 34; from now on a refresh before each of the other eight, 24 cycles each
 *   trfc       the same without its 20 cycles: activated 10, 13 to 14; bank 0 activated 12, 15 to 19; bank 1 closed 22, activated 26, 29 to 30; refreshed,
 *              activated 30, 33 to 36 */
static void test_every_field_counts(void **state)
{
    (void)state;
    static const struct { const char *set, *also; uint64_t end, latency; } cases[] = {
        {"dram.detailed=true", NULL, 27, 15},
        {"dram.detailed=false", NULL, 16, 10},
        {"dram.channels=2", NULL, 19, 15},
        {"dram.banks=1", NULL, 55, 15},
        {"dram.row_bytes=32", NULL, 19, 15},
        {"dram.row_bytes=3", NULL, 118, 15},
        {"dram.trcd_ps=1000", NULL, 25, 15},
        {"dram.trp_ps=0", NULL, 23, 15},
        {"dram.tcl_ps=6001", NULL, 27, 17},
        {"dram.tras_ps=0", NULL, 22, 15},
        {"dram.trrd_ps=10000", NULL, 37, 15},
        {"dram.trefi_ps=10000", NULL, 226, 15},
        {"dram.trefi_ps=10000", "dram.trfc_ps=0", 36, 15},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct weft_machine machine = small_machine();
        assert_int_equal(weft_machine_set(&machine, cases[i].set, NULL), WEFT_OK);
        if (cases[i].also) assert_int_equal(weft_machine_set(&machine, cases[i].also, NULL), WEFT_OK);
        struct fast_dram dram = device(&machine);
        assert_int_equal(moved(&dram, 0, 0, 64), cases[i].end);
        assert_int_equal(dram.latency, cases[i].latency);
        fast_dram_free(&dram);
    }
}

/* tpu-v1: 700 MHz, 34 GB/s, two channels, rows of 128 bursts; the slot of a channel is 128 / 34 x 0.7 cycles. tRCD and tRP 13.09 ns: 10 cycles; tREFI
 * 5460 cycles. A tile of 64 KiB is 512 bursts in each channel, 4 rows in 4 banks, all opened ahead: tRCD and then the plain time, 1349.27. */
static void test_a_tile_runs_at_the_bandwidth(void **state)
{
    (void)state;
    struct weft_machine machine;
    assert_int_equal(weft_machine_load(&machine, "tpu-v1", NULL), WEFT_OK);
    assert_int_equal(weft_machine_set(&machine, "dram.detailed=true", NULL), WEFT_OK);
    struct fast_dram dram = device(&machine);
    assert_true(fast_dram_move(&dram, 0, 0, 65536));
    assert_int_equal(fast_channel_floor(&dram.bus), 10 + 1349);
    assert_true(fast_dram_move(&dram, 1359, 65536, 65536)); /* the other four banks */
    assert_int_equal(fast_channel_floor(&dram.bus), 2 * (10 + 1349));
    assert_true(fast_dram_move(&dram, 2718, 131072, 65536)); /* row 1 of the first four: tRP too */
    assert_int_equal(fast_channel_floor(&dram.bus), 4077 + 10);
    fast_dram_free(&dram);
}

/* --- in a run -------------------------------------------------------------------------------------------------------------- */

static void see(void *user, const struct weft_event *event)
{
    ((struct weft_event *)user)[event->index] = *event;
}

/* Tiles of 12 bytes: three bursts. Fetch 0 starts at 1: activated 1, column 4, to 7; whole at 7 + 5 + 10. Fetch 1, in the same row, 7 to 9 (its last 8
 * bytes, as it ends with the tile). write_dram to bytes 32 to 35 could start at 9: closed at 1 + 12, activated 17, column 20, to 21. */
static void test_in_a_run(void **state)
{
    (void)state;
    static const struct weft_instr program_text[] = {
        {.op = WEFT_OP_READ_WEIGHTS, .k = 4, .n = 3, .fmt = WEFT_FORMAT_s8},
        {.op = WEFT_OP_READ_WEIGHTS, .dram = 8, .k = 4, .n = 2, .fmt = WEFT_FORMAT_s8},
        {.op = WEFT_OP_WRITE_DRAM, .dram = 32, .bytes = 3},
        {.op = WEFT_OP_HALT}};
    uint8_t text[4 * WEFT_WORD_BYTES];
    for (size_t i = 0; i < 4; i++) assert_true(weft_encode(text + i * WEFT_WORD_BYTES, &program_text[i]));
    struct weft_event seen[4] = {0};
    struct weft_program program = {.machine = small_machine(), .text = text, .instructions = 4, .host_bytes = 64, .dram_bytes = 64};
    struct weft_sim_options options = {.engine = WEFT_ENGINE_FAST, .timing_only = true, .observer = {see, seen}};
    struct weft_sim *sim;
    assert_int_equal(weft_sim_create(&sim, &program, &options, NULL), WEFT_OK);
    assert_int_equal(weft_sim_run(sim, NULL), WEFT_OK);
    static const uint64_t starts[] = {1, 7, 9}, ends[] = {7, 9, 21}, writes[] = {22, 24, 36};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(seen[i].start, starts[i]);
        assert_int_equal(seen[i].end, ends[i]);
        assert_int_equal(seen[i].reads_done, ends[i]);
        assert_int_equal(seen[i].writes_done, writes[i]);
    }
    assert_int_equal(weft_sim_counters(sim)->busy_fetch, 6 + 2);
    assert_int_equal(weft_sim_counters(sim)->busy_dram, 12);
    assert_int_equal(weft_sim_counters(sim)->bytes_dram_write, 4);
    weft_sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_miss_then_hits), cmocka_unit_test(test_conflicts), cmocka_unit_test(test_rows_are_opened_ahead),
        cmocka_unit_test(test_two_channels), cmocka_unit_test(test_refresh), cmocka_unit_test(test_refresh_behind_a_burst),
        cmocka_unit_test(test_fractions_carry), cmocka_unit_test(test_bursts_begin_where_the_address_lies),
        cmocka_unit_test(test_every_field_counts), cmocka_unit_test(test_a_tile_runs_at_the_bandwidth), cmocka_unit_test(test_in_a_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
