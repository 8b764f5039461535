/* test_closed_forms.c: small cases whose cycles follow by hand from docs/machine.md. Each comment derives them; each test runs its case over
 * several sizes, and the instruction behind it, which waits, shows that it was blocked in cycle n - 1 and went on in n. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>
#include <zlib.h>

#include "weft_sim.h"

enum { PROGRAM_MAX = 32 };

struct bench {
    struct weft_program *program;
    struct weft_event event[PROGRAM_MAX];
    struct weft_counters counters;
};

static void complain(void *user, const char *message)
{
    (void)user;
    print_error("%s\n", message);
}

static struct weft_diag diag = {.report = complain};

/* One byte a cycle of DRAM, four of the link each way; round latencies. */
static struct weft_machine plain(uint64_t rows, uint64_t columns)
{
    return (struct weft_machine){
        .name = "plain", .formats = 15, .clock_hz = 1000, .rows = rows, .columns = columns, .arrays = 1, .ub_bytes = 4096, .ub_line_bytes = 8, .ub_read_ports = 1,
        .acc_rows = 256, .fifo_tiles = 2, .vector_lanes = 4, .vector_rows = 1, .vector_depth = 5, .dram_bytes = 4096, .dram_bytes_per_second = 1000, .dram_latency = 7,
        .dram_burst_bytes = 4, .dram_writable = 1, .dram_channels = 1, .dram_banks = 1, .dram_row_bytes = 64,
        .link_in_bytes_per_second = 4000, .link_out_bytes_per_second = 4000, .link_latency = 11, .queue_depth = 8};
}

static void open_bench(struct bench *b, const struct weft_machine *machine)
{
    *b = (struct bench){0};
    assert_int_equal(weft_program_create(&b->program, machine), WEFT_OK);
    b->program->text = calloc(PROGRAM_MAX, WEFT_WORD_BYTES);
    b->program->host_bytes = b->program->dram_bytes = b->program->weights_bytes = 4096;
    b->program->weights = calloc(1, 4096);
    assert_true(b->program->text && b->program->weights);
}

static void add(struct bench *b, struct weft_instr instr)
{
    assert_true(b->program->instructions < PROGRAM_MAX);
    assert_true(weft_encode(b->program->text + WEFT_WORD_BYTES * b->program->instructions++, &instr));
}

static void keep(void *user, const struct weft_event *event)
{
    struct bench *b = user;
    b->event[event->index] = *event;
}

static void run_wave(struct bench *b, const char *wave)
{
    struct weft_sim *sim;
    struct weft_sim_options options = {.engine = WEFT_ENGINE_SYSTEMC, .observer = {keep, b}, .wave = wave, .wave_to = UINT64_MAX};
    add(b, (struct weft_instr){.op = WEFT_OP_HALT});
    assert_int_equal(weft_sim_create(&sim, b->program, &options, &diag), WEFT_OK);
    assert_int_equal(weft_sim_run(sim, &diag), WEFT_OK);
    b->counters = *weft_sim_counters(sim);
    weft_sim_free(sim);
    weft_program_free(b->program);
}

static void run(struct bench *b) { run_wave(b, NULL); }

#define ASSERT_TIMES(b, i, start_, end_, reads_, writes_)                                                                                   \
    do {                                                                                                                                    \
        assert_int_equal((b)->event[i].start, start_);                                                                                      \
        assert_int_equal((b)->event[i].end, end_);                                                                                          \
        assert_int_equal((b)->event[i].reads_done, reads_);                                                                                 \
        assert_int_equal((b)->event[i].writes_done, writes_);                                                                               \
    } while (0)

/* --- instructions ------------------------------------------------------------------------------------------------------------- */

static struct weft_instr copy(uint32_t rows, uint32_t lanes) { return (struct weft_instr){.op = WEFT_OP_COPY, .a = 0, .d = 1, .rows = rows, .lanes = lanes, .raw = 1}; }
static struct weft_instr set(uint32_t reg, uint32_t v0, uint32_t v1) { return (struct weft_instr){.op = WEFT_OP_SET, .reg = reg, .value0 = v0, .value1 = v1}; }
static struct weft_instr read_host(uint32_t ub, uint32_t bytes) { return (struct weft_instr){.op = WEFT_OP_READ_HOST, .ub = ub, .bytes = bytes}; }
static struct weft_instr read_dram(uint32_t bytes) { return (struct weft_instr){.op = WEFT_OP_READ_DRAM, .ub = 2048, .bytes = bytes}; }
static struct weft_instr tile(uint32_t k, uint32_t n, enum weft_format fmt) { return (struct weft_instr){.op = WEFT_OP_READ_WEIGHTS, .k = k, .n = n, .fmt = (uint8_t)fmt}; }
static struct weft_instr product(uint32_t rows, uint32_t stride, bool next, enum weft_format fmt)
{
    return (struct weft_instr){.op = WEFT_OP_MATMUL, .rows = rows, .stride = stride, .next = next, .fmt = (uint8_t)fmt};
}

/* --- the units ------------------------------------------------------------------------------------------------------------------ */

/* Dispatched at 1, started at 2. n bytes at 4 a cycle: free = 2 + n / 4. A copy of the first byte waits for the last: ceil(free) + 11.
 * The copy's destination register is set first, in cycle 0: p1.base = 1024. */
static void host_link(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 9; n++) {
        struct bench b;
        struct weft_machine m = plain(4, 4);
        open_bench(&b, &m);
        add(&b, set(8, 1024, 0));
        add(&b, read_host(0, n));
        add(&b, copy(1, 1));
        run(&b);
        uint64_t up = 2 + (n + 3) / 4;
        ASSERT_TIMES(&b, 1, 2, 2 + n / 4, up, up + 11);
        assert_int_equal(b.event[2].start, up + 11);
    }
}

/* Two reads of 5 bytes at 4 a cycle: the first is free at 1 + 5/4 = 2 1/4, its unit at 2. So the second starts at 2, begins at 2 1/4 and is free
 * at 3 2/4: back to back they run at the exact bandwidth. A third begins at 3 2/4 and is free at 4 3/4, a fourth at 6 0/4. */
static void fractions_carry_over(void **state)
{
    (void)state;
    const uint64_t start[4] = {1, 2, 3, 4}, end[4] = {2, 3, 4, 6}, up[4] = {3, 4, 5, 6};
    struct bench b;
    struct weft_machine m = plain(4, 4);
    m.link_latency = 0;
    open_bench(&b, &m);
    for (uint32_t i = 0; i < 4; i++) add(&b, read_host(64 * i, 5));
    run(&b);
    for (unsigned i = 1; i < 4; i++) assert_true(b.event[i].dispatched == i); /* so that the start of number i is i + 1 at the earliest */
    ASSERT_TIMES(&b, 0, start[0], end[0], up[0], up[0]);
    for (unsigned i = 1; i < 4; i++) ASSERT_TIMES(&b, i, start[i] < i + 1 ? i + 1 : start[i], end[i], up[i], up[i]);
}

/* k x n bytes, rounded up to bursts of 4, at one a cycle from cycle 1; 7 cycles of latency; K cycles of shift; then the product starts. Its
 * activations are zeros that nobody writes. */
static void fetch_and_shift(void **state)
{
    (void)state;
    for (uint32_t k = 1; k <= 6; k++) {
        struct bench b;
        struct weft_machine m = plain(6, 3);
        open_bench(&b, &m);
        add(&b, tile(k, 3, WEFT_FORMAT_s8));
        add(&b, product(1, 8, true, WEFT_FORMAT_u8));
        run(&b);
        uint64_t moved = 1 + (3 * k + 3) / 4 * 4, whole = moved + 7, shifted = whole + 6;
        ASSERT_TIMES(&b, 0, 1, moved, moved, whole);
        assert_int_equal(b.event[1].tile_whole, whole);
        assert_int_equal(b.event[1].shift_start, whole);
        assert_int_equal(b.event[1].shift_end, shifted);
        assert_int_equal(b.event[1].start, shifted);
        /* the classes in front of it: 0 and 1 not dispatched, up to whole, up to shifted */
        assert_int_equal(b.event[1].stall[4], 2);
        assert_int_equal(b.event[1].stall[0], whole - 2);
        assert_int_equal(b.event[1].stall[1], 6);
    }
}

/* One slot: the second fetch starts in the cycle in which the first tile's shift is over. Two slots: when the channel is free. */
static void slots(void **state)
{
    (void)state;
    for (unsigned slots = 1; slots <= 2; slots++) {
        struct bench b;
        struct weft_machine m = plain(5, 2);
        m.fifo_tiles = slots;
        open_bench(&b, &m);
        add(&b, tile(5, 2, WEFT_FORMAT_s8)); /* 10 bytes, 12 with the burst: 1 to 13, whole at 20, shifted at 25 */
        add(&b, product(1, 8, true, WEFT_FORMAT_u8));
        add(&b, tile(5, 2, WEFT_FORMAT_s8));
        run(&b);
        assert_int_equal(b.event[2].start, slots == 1 ? 25 : 13);
        assert_int_equal(b.event[2].fifo_slots, slots);
        assert_int_equal(b.counters.peak_fifo, slots);
    }
}

/* The DRAM unit and the fetch unit wait for one channel, busy with 8 bytes from 1 to 9. In 9 both could start: fetch does, 4 bytes, to 13. */
static void fetch_goes_first(void **state)
{
    (void)state;
    struct bench b;
    struct weft_machine m = plain(2, 2);
    open_bench(&b, &m);
    add(&b, read_dram(8));
    add(&b, (struct weft_instr){.op = WEFT_OP_READ_DRAM, .ub = 3000, .bytes = 4});
    add(&b, tile(2, 2, WEFT_FORMAT_s8));
    run(&b);
    ASSERT_TIMES(&b, 0, 1, 9, 9, 16);
    ASSERT_TIMES(&b, 2, 9, 13, 13, 20);
    ASSERT_TIMES(&b, 1, 13, 17, 17, 24);
}

/* A pattern row of n bytes takes ceil(n / 8) cycles; k rows. Transposed, k bytes and n rows. */
static void pushed_tile(void **state)
{
    (void)state;
    for (uint32_t n = 7; n <= 17; n += 5)
        for (unsigned transpose = 0; transpose < 2; transpose++) {
            struct bench b;
            struct weft_machine m = plain(3, 20);
            open_bench(&b, &m);
            add(&b, (struct weft_instr){.op = WEFT_OP_PUSH_WEIGHTS, .k = 3, .n = n, .fmt = WEFT_FORMAT_s8, .transpose = (uint8_t)transpose});
            add(&b, product(1, 8, true, WEFT_FORMAT_u8));
            run(&b);
            uint64_t end = 1 + (transpose ? n : 3 * ((n + 7) / 8));
            ASSERT_TIMES(&b, 0, 1, end, end, end);
            assert_int_equal(b.event[1].start, end + 3);
        }
}

/* R rows of one line each: the unit is free R cycles after the start s; the last sum of the last row is added K + N - 1 cycles later, and
 * `activate` starts then, not before. */
static void product_and_skew(void **state)
{
    (void)state;
    const uint32_t sides[][2] = {{1, 1}, {1, 7}, {7, 1}, {4, 4}, {3, 5}, {8, 2}};
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++)
        for (uint32_t rows = 1; rows <= 4; rows++) {
            struct bench b;
            struct weft_machine m = plain(sides[i][0], sides[i][1]);
            open_bench(&b, &m);
            add(&b, tile(sides[i][0], sides[i][1], WEFT_FORMAT_s8));
            add(&b, product(rows, 8, true, WEFT_FORMAT_u8));
            add(&b, (struct weft_instr){.op = WEFT_OP_ACTIVATE, .d = 0, .rows = 1, .lanes = 1});
            run(&b);
            uint64_t s = b.event[1].start, end = s + rows;
            ASSERT_TIMES(&b, 1, s, end, end, end + sides[i][0] + sides[i][1] - 1);
            assert_int_equal(b.event[2].start, end + sides[i][0] + sides[i][1] - 1);
        }
}

/* One port of 8 bytes. Rows of 4 bytes that lie 4 apart share lines: 0 and 1 in line 0, 2 and 3 in line 1: a cycle each in any case. Rows of 16
 * bytes, 16 apart, have two lines each: 2 cycles. Overlapping, 8 apart: the second has one new line: 2 + 1 + 1. Numbers of 16 bits: 2 bytes x 1
 * byte are 2 passes, 2 x 2 are 4, whichever is more. */
static void rows_of_lines_and_passes(void **state)
{
    (void)state;
    const struct {
        uint32_t k, stride;
        enum weft_format activation, weight;
        uint64_t cycles; /* of 3 rows */
    } cases[] = {{4, 4, WEFT_FORMAT_u8, WEFT_FORMAT_s8, 3},   {16, 16, WEFT_FORMAT_u8, WEFT_FORMAT_s8, 6},  {16, 8, WEFT_FORMAT_u8, WEFT_FORMAT_s8, 4},
                 {4, 8, WEFT_FORMAT_s16, WEFT_FORMAT_s8, 6},  {4, 8, WEFT_FORMAT_s16, WEFT_FORMAT_s16, 12}, {16, 32, WEFT_FORMAT_s16, WEFT_FORMAT_s8, 12},
                 {4, 8, WEFT_FORMAT_bf16, WEFT_FORMAT_bf16, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench b;
        struct weft_machine m = plain(16, 2);
        open_bench(&b, &m);
        add(&b, tile(cases[i].k, 2, cases[i].weight));
        add(&b, product(3, cases[i].stride, true, cases[i].activation));
        run(&b);
        assert_int_equal(b.event[1].end - b.event[1].start, cases[i].cycles);
        assert_int_equal(b.counters.busy_matrix, cases[i].cycles);
    }
}

/* Rows of n bytes: ceil(n / 4 lanes) beats or ceil(n / 8-byte line), whichever is more; R of them; written 5 cycles behind. The copy back waits. */
static void vector_rows(void **state)
{
    (void)state;
    for (uint32_t lanes = 1; lanes <= 17; lanes += 4)
        for (uint32_t rows = 1; rows <= 3; rows++) {
            struct bench b;
            struct weft_machine m = plain(2, 2);
            open_bench(&b, &m);
            add(&b, set(8, 1024, 0)); /* p1.base */
            add(&b, copy(rows, lanes));
            add(&b, (struct weft_instr){.op = WEFT_OP_COPY, .a = 1, .d = 2, .rows = 1, .lanes = 1, .raw = 1});
            run(&b);
            uint64_t c = rows * ((lanes + 3) / 4);
            ASSERT_TIMES(&b, 1, 2, 2 + c, 2 + c, 2 + c + 5);
            assert_int_equal(b.event[2].start, 2 + c + 5);
        }
}

/* Queues of q entries. Number 0 starts at 1, until when it holds an entry: with one entry, number 1 is dispatched at 2, else at 1. All write the
 * same 400 bytes, so number 1 starts when number 0 is complete, at 1 + 400 / 4 + 11 = 112; the entry that this empties is filled at 113. */
static void queue_entries(void **state)
{
    (void)state;
    for (uint32_t q = 1; q <= 3; q++) {
        struct bench b;
        struct weft_machine m = plain(2, 2);
        m.queue_depth = q;
        open_bench(&b, &m);
        for (uint32_t i = 0; i < q + 2; i++) add(&b, read_host(0, 400));
        run(&b);
        assert_int_equal(b.event[1].dispatched, q == 1 ? 2 : 1);
        assert_int_equal(b.event[1].start, 112);
        assert_int_equal(b.event[q + 1].dispatched, 113);
    }
}

/* `sync` is dispatched in the cycle in which everything older is complete: 1 + 1 + 11; the halt behind it in the next, which is the last. */
static void sync_waits(void **state)
{
    (void)state;
    struct bench b;
    struct weft_machine m = plain(2, 2);
    open_bench(&b, &m);
    add(&b, read_host(0, 4));
    add(&b, (struct weft_instr){.op = WEFT_OP_SYNC});
    run(&b);
    assert_int_equal(b.event[1].dispatched, 13);
    assert_int_equal(b.counters.cycles, 15);
}

/* --- waveforms --------------------------------------------------------------------------------------------------------------------- */

/* Reads a compressed waveform and tells from which tenth of a nanosecond on the signal is 1, and from which no more. */
static void find_signal(unsigned long rise_and_fall[2], const char *path, const char *name)
{
    char line[256], id[16] = "", wanted[80];
    unsigned long now = 0;
    gzFile in = gzopen(path, "rb");
    assert_non_null(in);
    snprintf(wanted, sizeof wanted, " %s ", name);
    rise_and_fall[0] = rise_and_fall[1] = 0;
    while (gzgets(in, line, sizeof line)) {
        line[strcspn(line, "\n")] = '\0';
        if (!strncmp(line, "$var", 4) && strstr(line, wanted)) assert_int_equal(sscanf(line, "$var wire 1 %15s", id), 1);
        if (line[0] == '#') now = strtoul(line + 1, NULL, 10);
        if ((line[0] == '0' || line[0] == '1') && *id && !strcmp(line + 1, id) && now) rise_and_fall[line[0] == '0'] = now;
    }
    assert_int_equal(gzclose(in), Z_OK);
    assert_true(*id);
}

/* The product of 3 rows starts after fetch (1 to 17), latency (24) and shift (28): active in cycles 28 to 30. */
static void waveform(void **state)
{
    (void)state;
    char path[] = "/tmp/weft-test-wave-XXXXXX";
    struct bench b;
    struct weft_machine m = plain(4, 4);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    open_bench(&b, &m);
    add(&b, tile(4, 4, WEFT_FORMAT_s8));
    add(&b, product(3, 8, true, WEFT_FORMAT_u8));
    run_wave(&b, path);
    unsigned long edges[2];
    find_signal(edges, path, "active");
    assert_int_equal(edges[0], 280);
    assert_int_equal(edges[1], 310);
    find_signal(edges, path, "weight_shift");
    assert_int_equal(edges[0], 240);
    assert_int_equal(edges[1], 280);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_link),        cmocka_unit_test(fractions_carry_over),     cmocka_unit_test(fetch_and_shift), cmocka_unit_test(slots),
        cmocka_unit_test(fetch_goes_first), cmocka_unit_test(pushed_tile),              cmocka_unit_test(product_and_skew),
        cmocka_unit_test(vector_rows),      cmocka_unit_test(rows_of_lines_and_passes), cmocka_unit_test(queue_entries),   cmocka_unit_test(sync_waits),
        cmocka_unit_test(waveform),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
