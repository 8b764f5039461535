/* test_frame.h: a machine of 3 x 2 cells, and a program around a few instructions: what the tests of the reference engine share. */
#ifndef WEFT_SIM_TEST_FRAME_H
#define WEFT_SIM_TEST_FRAME_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "weft_sim.h"

#define SET(number, first, second) {.op = WEFT_OP_SET, .reg = number, .value0 = (uint32_t)(first), .value1 = (uint32_t)(second)}
#define BASE(p, at) SET((p) * 8, at, 0)
#define LOOP0(p, count, stride) SET((p) * 8 + 1, count, stride)
#define RUN(p, length, stride) SET((p) * 8 + 4, length, stride)
#define VA(mul, zero) SET(0x80, mul, zero)
#define VB(mul, zero) SET(0x81, mul, zero)
#define VOUT(mul, zero) SET(0x82, mul, zero)
#define F(name) WEFT_FORMAT_##name

static const struct weft_machine small_machine = {
    .name = "small", .formats = WEFT_USES_U8 | WEFT_USES_S8 | WEFT_USES_S16 | WEFT_USES_BF16, .clock_hz = 1000, .rows = 3, .columns = 2, .arrays = 1,
    .ub_bytes = 2048, .ub_line_bytes = 4, .ub_read_ports = 1, .acc_rows = 8, .fifo_tiles = 2, .vector_lanes = 2, .vector_rows = 1, .vector_depth = 1,
    .dram_bytes = 1024, .dram_bytes_per_second = 1000, .dram_burst_bytes = 4,
    .dram_channels = 1, .dram_banks = 1, .dram_row_bytes = 4, .dram_writable = 1, .link_in_bytes_per_second = 1000,
    .link_out_bytes_per_second = 1000, .queue_depth = 2};

/* What weft_error says, for the tests of messages. */
struct heard { char text[2048]; };

static inline void hear(void *user, const char *message)
{
    snprintf(((struct heard *)user)->text, sizeof ((struct heard *)user)->text, "%s", message);
}

struct frame {
    struct weft_program program;
    struct weft_layer layers[2];
    char name[2][8];
    uint8_t text[16 * WEFT_WORD_BYTES], weights[256];
};

/* A program of the instructions, NOPs at the end left out, and a halt. */
static inline void frame_init(struct frame *frame, const struct weft_instr *text, size_t count)
{
    *frame = (struct frame){.program = {.machine = small_machine, .dram_bytes = 256, .host_bytes = 64, .weights_bytes = 256, .layer_count = 2}, .name = {"first", "second"}};
    while (count && text[count - 1].op == WEFT_OP_NOP) count--;
    for (size_t i = 0; i < count; i++) assert_true(weft_encode(frame->text + i * WEFT_WORD_BYTES, &text[i]));
    assert_true(weft_encode(frame->text + count * WEFT_WORD_BYTES, &(struct weft_instr){.op = WEFT_OP_HALT}));
    for (size_t i = 0; i < 2; i++) frame->layers[i].name = frame->name[i];
    frame->program.layers = frame->layers;
    frame->program.text = frame->text;
    frame->program.instructions = count + 1;
    frame->program.weights = frame->weights;
}

static inline struct weft_sim *frame_sim(struct frame *frame)
{
    struct weft_sim *sim;
    struct weft_diag diag = {weft_diag_stderr};
    assert_int_equal(weft_sim_create(&sim, &frame->program, &(struct weft_sim_options){.engine = WEFT_ENGINE_REFERENCE}, &diag), WEFT_OK);
    return sim;
}

#endif
