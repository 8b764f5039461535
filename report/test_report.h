/* test_report.h: a run filled in by hand, which the tests of report/ tell of. */
#ifndef WEFT_REPORT_TEST_REPORT_H
#define WEFT_REPORT_TEST_REPORT_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "weft_report.h"

/* A machine of 16 x 16 cells at 1 GHz with 8 GB/s: 0.512 TOPS, ridge 256 x 1e9 / 8e9 = 32 MAC a byte. Two layers over 1000 cycles: the
 * first does 51200 products in 400 active cycles (half of 400 x 256 cells), the second, 25600 in 100. */
static struct weft_layer layers[2] = {
    {.name = "conv1", .op = "Conv", .shape = "3x8x8 -> 16x8x8", .macs = 51200, .roofline_cycles = 200, .mapping_cycles = 400},
    {.name = "fc", .op = "Gemm", .shape = "16 -> 10", .wait = "its weights", .macs = 25600, .roofline_cycles = 100, .mapping_cycles = 100},
};
static struct weft_counters counters[2] = {
    {.cycles = 600,
     .class_active = 400,
     .class_weight_stall = 50,
     .class_raw = 100,
     .class_other = 50,
     .bytes_weights = 512,
     .peak_ub = 4096,
     .busy_matrix = 400},
    {.cycles = 400,
     .class_active = 100,
     .class_weight_stall = 250,
     .class_input = 50,
     .bytes_weights = 2048,
     .peak_ub = 512,
     .busy_matrix = 100},
};
static const struct weft_counters whole = {.cycles = 1000,
                                           .class_active = 500,
                                           .class_weight_stall = 300,
                                           .class_raw = 100,
                                           .class_input = 50,
                                           .class_other = 50,
                                           .bytes_weights = 2560,
                                           .peak_ub = 4096,
                                           .busy_matrix = 500};

static inline struct weft_program program_of(size_t layer_count)
{
    return (struct weft_program){
        .machine =
            {.name = "small", .rows = 16, .columns = 16, .arrays = 1, .clock_hz = 1000000000, .dram_bytes_per_second = 8000000000, .ub_bytes = 65536},
        .layers = layers,
        .layer_count = layer_count,
        .batch = 2,
        .format = "int8",
        .network = "net.onnx",
        .roofline_cycles = 300,
        .mapping_cycles = 500,
        .instructions = 100,
    };
}

static inline struct weft_report_input input_of(const struct weft_program *program)
{
    return (struct weft_report_input){.program = program, .name = "net.tpu", .inputs = "random, seed 0", .run = &whole, .layers = counters, .accuracy_db = 20};
}

static inline void assert_says(const char *text, const char *words)
{
    if (!strstr(text, words))
        fail_msg("the report does not say '%s':\n%s", words, text);
}

#endif
