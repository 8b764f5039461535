/* test_effects.h: one instruction checked, and what it touches: what the tests of effects.c share. The machine is tiny's 8 x 8 with 4 MiB and
 * 1024 ACC rows. */
#ifndef WEFT_ISA_TEST_EFFECTS_H
#define WEFT_ISA_TEST_EFFECTS_H

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

static inline struct bench make_bench(void)
{
    struct bench b = {.limits = {HOST, DRAM, LAYERS}};
    assert_int_equal(weft_machine_load(&b.machine, "tiny", NULL), WEFT_OK);
    b.machine.ub_bytes = UB; /* presets may grow */
    b.machine.acc_rows = 1024;
    weft_config_reset(&b.config);
    b.order.fifo = calloc(b.machine.fifo_tiles, sizeof *b.order.fifo);
    return b;
}

static inline bool check(struct bench *b, const struct weft_instr *i)
{
    return weft_check(&b->effects, &b->order, i, &b->config, &b->machine, &b->limits, b->message);
}

static inline void good(struct bench *b, const struct weft_instr *i)
{
    if (!check(b, i))
        fail_msg("refused: %s", b->message);
}

static inline void bad(struct bench *b, const struct weft_instr *i, const char *message)
{
    struct weft_order before = b->order;
    if (check(b, i))
        fail_msg("not refused: %s", message);
    if (!strstr(b->message, message))
        fail_msg("\"%s\" does not say \"%s\"", b->message, message);
    assert_memory_equal(&before, &b->order, sizeof before); /* a fault leaves the order as it was */
}

static inline void touched(const struct bench *b, unsigned n, enum weft_space space, bool write, uint64_t low, uint64_t high)
{
    assert_true(n < b->effects.count);
    assert_int_equal(b->effects.effect[n].space, space);
    assert_int_equal(b->effects.effect[n].write, write);
    assert_int_equal(b->effects.effect[n].range.low, low);
    assert_int_equal(b->effects.effect[n].range.high, high);
}

static inline struct weft_instr make(enum weft_opcode op)
{
    struct weft_instr i;
    weft_instr_init(&i, op);
    return i;
}

static inline void set(struct bench *b, const char *name, uint32_t value0, uint32_t value1)
{
    assert_true(weft_config_set(&b->config, weft_register_find(name)->number, value0, value1));
}

#endif
