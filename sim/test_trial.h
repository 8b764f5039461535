/* test_trial.h: a program of a few instructions on a small machine, its run for timing only, and what was seen of it: what the tests of the fast
 * engine's clock share.
 *
 * The machine: 4 x 3 cells, so T4 = 7 and T5 = 4 (8-bit weights; 8 for 16-bit ones); 8-byte lines, 1 port; FIFO of 2 tiles; 3 vector
 * lanes, depth 5; DRAM 4 bytes a cycle, latency 10; link 2 bytes a cycle each way, latency 7; queues of 4. */
#ifndef WEFT_SIM_TEST_TRIAL_H
#define WEFT_SIM_TEST_TRIAL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "weft_sim.h"

static inline struct weft_machine small_machine(void)
{
    return (struct weft_machine){
        .name = "small", .formats = WEFT_USES_U8 | WEFT_USES_S8 | WEFT_USES_S16, .clock_hz = 100, .rows = 4, .columns = 3, .arrays = 1,
        .ub_bytes = 4096, .ub_line_bytes = 8, .ub_read_ports = 1, .acc_rows = 64, .fifo_tiles = 2, .whole_tiles = 0, .vector_lanes = 3, .vector_rows = 1,
        .vector_depth = 5, .dram_bytes = 4096, .dram_bytes_per_second = 400, .dram_latency = 10, .dram_burst_bytes = 1,
        .dram_channels = 1, .dram_banks = 1, .dram_row_bytes = 1,
        .dram_writable = 1, .link_in_bytes_per_second = 200, .link_out_bytes_per_second = 200, .link_latency = 7, .queue_depth = 4};
}

/* --- a program, its run, and what was seen of it --------------------------------------------------------------------------- */

enum { LENGTH_MAX = 64 };

struct trial {
    struct weft_machine machine;
    uint8_t text[LENGTH_MAX * WEFT_WORD_BYTES];
    size_t length;
    struct weft_event seen[LENGTH_MAX]; /* by index */
    struct weft_counters total, layer[2];
};

static inline void start(struct trial *t)
{
    memset(t, 0, sizeof *t);
    t->machine = small_machine();
}

static inline size_t put(struct trial *t, struct weft_instr instr)
{
    assert_true(t->length < LENGTH_MAX);
    assert_true(weft_encode(t->text + t->length * WEFT_WORD_BYTES, &instr));
    return t->length++;
}

static inline void see(void *user, const struct weft_event *event)
{
    struct trial *t = user;
    t->seen[event->index] = *event;
}

static inline void run(struct trial *t)
{
    struct weft_layer layers[2] = {{0}};
    struct weft_program program = {.machine = t->machine, .text = t->text, .host_bytes = 4096, .dram_bytes = 4096, .layers = layers, .layer_count = 2};
    put(t, (struct weft_instr){.op = WEFT_OP_HALT});
    program.instructions = t->length;
    struct weft_sim_options options = {.engine = WEFT_ENGINE_FAST, .timing_only = true, .observer = {see, t}};
    struct weft_diag diag = {weft_diag_stderr};
    struct weft_sim *sim;
    assert_int_equal(weft_sim_create(&sim, &program, &options, &diag), WEFT_OK);
    assert_int_equal(weft_sim_run(sim, &diag), WEFT_OK);
    t->total = *weft_sim_counters(sim);
    for (size_t i = 0; i < 2; i++) t->layer[i] = *weft_sim_layer_counters(sim, i);
    weft_sim_free(sim);
}

/* --- instructions ---------------------------------------------------------------------------------------------------------- */

static inline size_t nop(struct trial *t) { return put(t, (struct weft_instr){.op = WEFT_OP_NOP}); }

static inline size_t read_host(struct trial *t, uint32_t ub, uint32_t bytes)
{
    return put(t, (struct weft_instr){.op = WEFT_OP_READ_HOST, .ub = ub, .bytes = bytes});
}

static inline size_t write_host(struct trial *t, uint32_t ub, uint32_t bytes)
{
    return put(t, (struct weft_instr){.op = WEFT_OP_WRITE_HOST, .ub = ub, .bytes = bytes});
}

static inline size_t read_dram(struct trial *t, uint32_t ub, uint32_t bytes)
{
    return put(t, (struct weft_instr){.op = WEFT_OP_READ_DRAM, .ub = ub, .dram = 1024, .bytes = bytes});
}

/* 12 bytes: 3 cycles of the DRAM channel. */
static inline size_t fetch(struct trial *t) { return put(t, (struct weft_instr){.op = WEFT_OP_READ_WEIGHTS, .k = 4, .n = 3, .fmt = WEFT_FORMAT_s8}); }

/* Rows of 4 bytes one after the other from `ub` on: in an 8-byte line each second row costs none: 1 cycle a row. */
static inline size_t matmul(struct trial *t, uint32_t ub, uint32_t rows, uint32_t acc, bool next)
{
    return put(t, (struct weft_instr){.op = WEFT_OP_MATMUL, .ub = ub, .stride = 4, .rows = rows, .acc = acc, .next = next});
}

/* Pattern 0: rows of 8 bytes from its base on. */
static inline size_t set(struct trial *t, uint32_t reg, uint32_t value0, uint32_t value1)
{
    return put(t, (struct weft_instr){.op = WEFT_OP_SET, .reg = reg, .value0 = value0, .value1 = value1});
}

static inline void set_rows(struct trial *t, unsigned pattern, uint32_t base)
{
    set(t, pattern * 8, base, 0);
    set(t, pattern * 8 + 1, 0xffffffff, 8);
}

/* One cycle a row: 3 lanes. Writes are complete 5 cycles after the last. */
static inline size_t fill(struct trial *t, uint32_t first_row, uint32_t rows)
{
    return put(t, (struct weft_instr){.op = WEFT_OP_FILL, .d = 0, .first_row = first_row, .rows = rows, .lanes = 3});
}

static inline size_t activate(struct trial *t, uint32_t acc, uint32_t first_row, uint32_t rows)
{
    return put(t, (struct weft_instr){.op = WEFT_OP_ACTIVATE, .acc = acc, .d = 0, .first_row = first_row, .rows = rows, .lanes = 3});
}

static inline void assert_classes(const struct weft_counters *c, uint64_t active, uint64_t stall, uint64_t shift, uint64_t input, uint64_t raw,
                           uint64_t other)
{
    assert_int_equal(c->class_active, active);
    assert_int_equal(c->class_weight_stall, stall);
    assert_int_equal(c->class_weight_shift, shift);
    assert_int_equal(c->class_input, input);
    assert_int_equal(c->class_raw, raw);
    assert_int_equal(c->class_other, other);
    assert_int_equal(c->cycles, active + stall + shift + input + raw + other);
}

#endif
