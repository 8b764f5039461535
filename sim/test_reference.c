/* test_reference.c: what each opcode means, by cases worked out by hand from docs/isa.md. An opcode without a case fails. */
#include "test_frame.h"

/* Bytes in a memory: before the run, or wanted after it. */
struct bytes {
    enum weft_space space;
    uint32_t at, count;
    uint8_t byte[24];
};
struct meaning {
    enum weft_opcode op;
    const char *name;
    struct weft_instr text[10]; /* NOPs behind the last one; a halt is added */
    struct bytes before[4], after[3];
};

#define W16(x) (uint8_t)(x), (uint8_t)((x) >> 8)
#define W32(x) W16(x), W16((uint32_t)(x) >> 16)
#define UB(at, ...) {WEFT_SPACE_UB, at, sizeof (uint8_t[]){__VA_ARGS__}, {__VA_ARGS__}}
#define HOST(at, ...) {WEFT_SPACE_HOST, at, sizeof (uint8_t[]){__VA_ARGS__}, {__VA_ARGS__}}
#define DRAM(at, ...) {WEFT_SPACE_DRAM, at, sizeof (uint8_t[]){__VA_ARGS__}, {__VA_ARGS__}}
#define ACC(row, ...) {WEFT_SPACE_ACC, (row) * 8, sizeof (uint8_t[]){__VA_ARGS__}, {__VA_ARGS__}} /* two lanes a row */

/* binary32 by its bits */
enum { QUARTER = 0x3e800000, HALF = 0x3f000000, ONE = 0x3f800000, TWO = 0x40000000, NAN32 = 0x7fc00000, INFINITY32 = 0x7f800000 };

/* a = u8 10 with v.a = 0.5, zero 2: a' = 4. b = s8 7 with v.b = 2, zero 1: b' = 12. */
#define BINARY_TEXT(OP, ...)                                                                                                                \
    {BASE(1, 16), BASE(2, 32), VA(HALF, 2), VB(TWO, 1), {.op = OP, .d = 0, .a = 1, .b = 2, .rows = 1, .lanes = 1, .fmt_a = F(u8), .fmt_b = F(s8), __VA_ARGS__}}
#define BINARY_DATA {UB(16, 10), UB(32, 7)}

static const struct meaning meanings[] = {
    {WEFT_OP_NOP, "nothing", {{.op = WEFT_OP_NOP}}, {UB(0, 1, 2)}, {UB(0, 1, 2)}},
    {WEFT_OP_HALT, "nothing behind it", {{.op = WEFT_OP_HALT}, {.op = WEFT_OP_FILL, .d = 0, .rows = 1, .lanes = 1, .value = 9}}, {}, {UB(0, 0)}},
    {WEFT_OP_SYNC, "no memory", {{.op = WEFT_OP_SYNC, .code = 7}, {.op = WEFT_OP_FILL, .d = 0, .rows = 1, .lanes = 1, .value = 9}}, {}, {UB(0, 9, 0)}},
    {WEFT_OP_TAG, "no memory", {{.op = WEFT_OP_TAG, .layer = 1}, {.op = WEFT_OP_FILL, .d = 0, .rows = 1, .lanes = 1, .value = 9}}, {}, {UB(0, 9, 0)}},
    {WEFT_OP_SET, "for those behind it",
     {{.op = WEFT_OP_FILL, .d = 3, .rows = 1, .lanes = 1, .value = 1}, BASE(3, 7), {.op = WEFT_OP_FILL, .d = 3, .rows = 1, .lanes = 1, .value = 2}},
     {}, {UB(0, 1, 0, 0, 0, 0, 0, 0, 2, 0)}},

    {WEFT_OP_READ_HOST, "bytes", {{.op = WEFT_OP_READ_HOST, .ub = 5, .host = 2, .bytes = 3}}, {HOST(0, 1, 2, 3, 4, 5, 6)}, {UB(4, 0, 3, 4, 5, 0)}},
    {WEFT_OP_WRITE_HOST, "bytes", {{.op = WEFT_OP_WRITE_HOST, .ub = 1, .host = 9, .bytes = 2}}, {UB(0, 1, 2, 3, 4)}, {HOST(8, 0, 2, 3, 0)}},
    {WEFT_OP_READ_DRAM, "bytes", {{.op = WEFT_OP_READ_DRAM, .ub = 3, .dram = 1, .bytes = 2}}, {DRAM(0, 7, 8, 9)}, {UB(2, 0, 8, 9, 0)}},
    {WEFT_OP_WRITE_DRAM, "bytes", {{.op = WEFT_OP_WRITE_DRAM, .ub = 3, .dram = 200, .bytes = 2}}, {UB(3, 7, 8, 9)}, {DRAM(199, 0, 7, 8, 0)}},

    /* (10 20) x (1 -2; 3 4) = (10 + 60, -20 + 80) */
    {WEFT_OP_READ_WEIGHTS, "row-major tile",
     {{.op = WEFT_OP_READ_WEIGHTS, .dram = 4, .k = 2, .n = 2, .fmt = F(s8)}, {.op = WEFT_OP_MATMUL, .ub = 8, .rows = 1, .acc = 1, .fmt = F(u8), .next = 1}},
     {DRAM(4, 1, 0xfe, 3, 4), UB(8, 10, 20)}, {ACC(0, W32(0), W32(0), W32(70), W32(60), W32(0))}},
    /* the same tile, s16, its columns in pattern rows 1 and 2, lanes 1 and 2 */
    {WEFT_OP_PUSH_WEIGHTS, "transposed",
     {BASE(2, 30), LOOP0(2, 3, 10), {.op = WEFT_OP_PUSH_WEIGHTS, .a = 2, .first_row = 1, .first_lane = 1, .k = 2, .n = 2, .fmt = F(s16), .transpose = 1},
      {.op = WEFT_OP_MATMUL, .ub = 8, .rows = 1, .acc = 1, .fmt = F(u8), .next = 1}},
     {UB(42, W16(1), W16(3)), UB(52, W16(-2), W16(4)), UB(8, 10, 20)}, {ACC(1, W32(70), W32(60))}},
    /* one column of k = 3: (1 2 3) . (5 -6 7) = 5 - 12 + 21; lane 1 stays */
    {WEFT_OP_PUSH_WEIGHTS, "rows of the pattern are rows of the tile",
     {LOOP0(2, 3, 1), {.op = WEFT_OP_PUSH_WEIGHTS, .a = 2, .k = 3, .n = 1, .fmt = F(s8)},
      {.op = WEFT_OP_MATMUL, .ub = 8, .rows = 1, .acc = 0, .fmt = F(s8), .next = 1}},
     {UB(0, 5, 0xfa, 7), UB(8, 1, 2, 3), ACC(0, W32(99), W32(98))}, {ACC(0, W32(14), W32(98))}},

    /* rows 3 bytes apart, added to 0x7fffffff and to 5: modulo 2^32; u8 255 x s8 -128 = -32640 */
    {WEFT_OP_MATMUL, "accumulates modulo 2^32",
     {{.op = WEFT_OP_READ_WEIGHTS, .dram = 0, .k = 1, .n = 1, .fmt = F(s8)},
      {.op = WEFT_OP_MATMUL, .ub = 0, .stride = 3, .rows = 2, .acc = 2, .fmt = F(u8), .next = 1, .accumulate = 1}},
     {DRAM(0, 0x80), UB(0, 255, 0, 0, 1), ACC(2, W32(5), W32(6), W32(0x80000001u), W32(7))},
     {ACC(2, W32(-32635), W32(6), W32(0x7fffff81), W32(7))}},
    {WEFT_OP_MATMUL, "keeps the active tile without next",
     {{.op = WEFT_OP_READ_WEIGHTS, .dram = 0, .k = 1, .n = 1, .fmt = F(s8)}, {.op = WEFT_OP_READ_WEIGHTS, .dram = 1, .k = 1, .n = 1, .fmt = F(s8)},
      {.op = WEFT_OP_MATMUL, .ub = 0, .rows = 1, .acc = 0, .next = 1}, {.op = WEFT_OP_MATMUL, .ub = 0, .rows = 1, .acc = 1},
      {.op = WEFT_OP_MATMUL, .ub = 0, .rows = 1, .acc = 2, .next = 1}},
     {DRAM(0, 3, 5), UB(0, 10)}, {ACC(0, W32(30), W32(0), W32(30), W32(0), W32(50))}},
    /* 16-bit activations and weights: 300 x -400 = -120000 */
    {WEFT_OP_MATMUL, "s16 x s16",
     {{.op = WEFT_OP_READ_WEIGHTS, .dram = 0, .k = 1, .n = 1, .fmt = F(s16)}, {.op = WEFT_OP_MATMUL, .ub = 0, .rows = 1, .acc = 0, .fmt = F(s16), .next = 1}},
     {DRAM(0, W16(-400)), UB(0, W16(300))}, {ACC(0, W32(-120000))}},
    /* bf16, weights 1: 2^24 + 1 - 2^24 = 0 in that order (2^24 + 1 rounds to 2^24); 2^24 - 2^24 + 1 = 1; then 0.5 + 1 */
    {WEFT_OP_MATMUL, "bf16 adds in order of k",
     {{.op = WEFT_OP_READ_WEIGHTS, .dram = 0, .k = 3, .n = 1, .fmt = F(bf16)},
      {.op = WEFT_OP_MATMUL, .ub = 0, .stride = 6, .rows = 2, .acc = 0, .fmt = F(bf16), .next = 1},
      {.op = WEFT_OP_MATMUL, .ub = 6, .rows = 1, .acc = 2, .fmt = F(bf16), .accumulate = 1}},
     {DRAM(0, W16(0x3f80), W16(0x3f80), W16(0x3f80)), UB(0, W16(0x4b80), W16(0x3f80), W16(0xcb80), W16(0x4b80), W16(0xcb80), W16(0x3f80)),
      ACC(2, W32(HALF))},
     {ACC(0, W32(0), W32(0), W32(ONE), W32(0), W32(0x3fc00000))}},
    /* differences of neighbours, from row 1 on: 20 - 50, 50 - 60 */
    {WEFT_OP_CONVOLVE, "rows of the pattern",
     {LOOP0(4, 3, 1), {.op = WEFT_OP_READ_WEIGHTS, .dram = 0, .k = 2, .n = 1, .fmt = F(s8)},
      {.op = WEFT_OP_CONVOLVE, .a = 4, .first_row = 1, .rows = 2, .acc = 0, .fmt = F(u8), .next = 1}},
     {DRAM(0, 1, 0xff), UB(0, 10, 20, 50, 60)}, {ACC(0, W32(-30), W32(0), W32(-10), W32(0), W32(0))}},
    /* runs of 2 lanes, 10 bytes apart; lanes 1 to 3 are bytes 1, 10, 11 */
    {WEFT_OP_CONVOLVE, "from first_lane, across runs",
     {RUN(4, 2, 10), {.op = WEFT_OP_READ_WEIGHTS, .dram = 0, .k = 3, .n = 1, .fmt = F(s8)},
      {.op = WEFT_OP_CONVOLVE, .a = 4, .rows = 1, .first_lane = 1, .acc = 0, .fmt = F(u8), .next = 1, .accumulate = 1}},
     {DRAM(0, 1, 10, 100), UB(0, 9, 1, 9, 9, 9, 9, 9, 9, 9, 9, 2, 3), ACC(0, W32(1000))}, {ACC(0, W32(1321))}},

    /* 100 + 10 = 110, x 0.5 = 55, + 3 = 58;  -50 + 20 = -30, x 0.5 = -15, relu 0, + 3 = 3 */
    {WEFT_OP_ACTIVATE, "bias, scale, relu, zero point",
     {SET(0x86, 64, 2), VA(HALF, 77), VOUT(ONE, 3), {.op = WEFT_OP_ACTIVATE, .acc = 1, .d = 0, .rows = 1, .lanes = 2, .fmt = F(u8), .func = WEFT_FUNCTION_relu, .bias = 1}},
     {ACC(1, W32(100), W32(-50)), UB(64, W32(10), W32(20))}, {UB(0, 58, 3, 0)}},
    /* 5 x 0.5 = 2.5 to 2, 7 x 0.5 = 3.5 to 4: ties to even; 1000 x 0.5 saturates s8, -1000 clamps at -100 */
    {WEFT_OP_ACTIVATE, "rounds to even, clamps, saturates",
     {VA(HALF, 0), SET(0x83, -100, 1000), LOOP0(0, 2, 2), {.op = WEFT_OP_ACTIVATE, .acc = 0, .d = 0, .rows = 2, .lanes = 2, .fmt = F(s8)}},
     {ACC(0, W32(5), W32(7), W32(1000), W32(-1000))}, {UB(0, 2, 4, 127, (uint8_t)-100, 0)}},
    /* scale numbers (1 + lane) mod 2: 2 and 0.25; + (200 - 100) x 0.25 = 25: 8 x 2 + 25 = 41, 8 x 0.25 + 25 = 27; then x 2 */
    {WEFT_OP_ACTIVATE, "scale per lane, residual, output scale",
     {SET(0x87, 64, 2), VB(QUARTER, 100), VOUT(TWO, 0), BASE(1, 80),
      {.op = WEFT_OP_ACTIVATE, .acc = 0, .d = 0, .rows = 1, .first_lane = 1, .lanes = 2, .b = 1, .residual = 1, .fmt_b = F(u8), .fmt = F(s16), .scale = 1}},
     {ACC(0, W32(8), W32(8)), UB(64, W32(QUARTER), W32(TWO)), UB(81, 200, 200)}, {UB(0, 0, 0, W16(82), W16(54), 0)}},
    /* q = 5 and 300 to 255: the entries of the table */
    {WEFT_OP_ACTIVATE, "table",
     {SET(0x85, 1000, 0), {.op = WEFT_OP_ACTIVATE, .acc = 0, .d = 0, .rows = 1, .lanes = 2, .fmt = F(u8), .func = WEFT_FUNCTION_table}},
     {ACC(0, W32(5), W32(300)), UB(1005, 77), UB(1255, 88)}, {UB(0, 77, 88)}},
    /* signed: q = -1 is entry 255 */
    {WEFT_OP_ACTIVATE, "table of a signed byte",
     {SET(0x85, 1000, 0), {.op = WEFT_OP_ACTIVATE, .acc = 0, .d = 0, .rows = 1, .lanes = 1, .fmt = F(s8), .func = WEFT_FUNCTION_table}},
     {ACC(0, W32(-1)), UB(1255, 88)}, {UB(0, 88)}},
    /* rows 1, 2 and 4, 5 (p15 strides by 3 rows, the window by 1): the larger of each lane */
    {WEFT_OP_ACTIVATE, "pool of ACC rows",
     {LOOP0(15, 2, 3), SET(0x88, 2, 1), LOOP0(0, 2, 2),
      {.op = WEFT_OP_ACTIVATE, .acc = 1, .d = 0, .rows = 2, .lanes = 2, .fmt = F(u8), .pool = 1, .reduce = WEFT_REDUCTION_max}},
     {ACC(1, W32(1), W32(9), W32(5), W32(2)), ACC(4, W32(7), W32(3), W32(6), W32(4))}, {UB(0, 5, 9, 7, 4, 0)}},
    /* 1.5 + 0.5 = 2, x 0.25 = 0.5, as bf16 */
    {WEFT_OP_ACTIVATE, "fp32 accumulators",
     {SET(0x86, 64, 1), VA(QUARTER, 0), {.op = WEFT_OP_ACTIVATE, .acc = 0, .d = 0, .rows = 1, .lanes = 1, .fmt = F(bf16), .bias = 1, .facc = 1}},
     {ACC(0, W32(0x3fc00000)), UB(64, W32(HALF))}, {UB(0, W16(0x3f00))}},
    /* 2^30 + 1 does not fit fp32; raw keeps it, and the clamp is not asked */
    {WEFT_OP_ACTIVATE, "raw sums",
     {SET(0x86, 64, 1), SET(0x83, 0, 10), {.op = WEFT_OP_ACTIVATE, .acc = 0, .d = 0, .rows = 1, .lanes = 1, .fmt = F(s32), .bias = 1, .raw = 1}},
     {ACC(0, W32(0x40000000)), UB(64, W32(1))}, {UB(0, W32(0x40000001))}},

    {WEFT_OP_ADD, "4 + 12", BINARY_TEXT(WEFT_OP_ADD, .fmt = F(s16)), BINARY_DATA, {UB(0, W16(16), 0)}},
    {WEFT_OP_SUB, "4 - 12", BINARY_TEXT(WEFT_OP_SUB, .fmt = F(s16)), BINARY_DATA, {UB(0, W16(-8), 0)}},
    {WEFT_OP_MUL, "4 x 12", BINARY_TEXT(WEFT_OP_MUL, .fmt = F(s32)), BINARY_DATA, {UB(0, W32(48), 0)}},
    {WEFT_OP_DIV, "4 / 12", BINARY_TEXT(WEFT_OP_DIV, .fmt = F(f32)), BINARY_DATA, {UB(0, W32(0x3eaaaaab), 0)}},
    {WEFT_OP_MAX, "of 4 and 12", BINARY_TEXT(WEFT_OP_MAX, .fmt = F(u8)), BINARY_DATA, {UB(0, 12, 0)}},
    {WEFT_OP_MIN, "of 4 and 12", BINARY_TEXT(WEFT_OP_MIN, .fmt = F(u8)), BINARY_DATA, {UB(0, 4, 0)}},
    {WEFT_OP_DIV, "1 / 0 is infinite, 0 / 0 no number",
     {BASE(1, 16), BASE(2, 32), {.op = WEFT_OP_DIV, .d = 0, .a = 1, .b = 2, .rows = 1, .lanes = 2, .fmt_a = F(f32), .fmt_b = F(f32), .fmt = F(f32)}},
     {UB(16, W32(ONE), W32(0))}, {UB(0, W32(INFINITY32), W32(NAN32))}},
    {WEFT_OP_MAX, "a NaN on either side",
     {BASE(1, 16), BASE(2, 32), {.op = WEFT_OP_MAX, .d = 0, .a = 1, .b = 2, .rows = 1, .lanes = 3, .fmt_a = F(f32), .fmt_b = F(f32), .fmt = F(f32)}},
     {UB(16, W32(ONE), W32(0xffc00001), W32(ONE)), UB(32, W32(0x7f800001), W32(ONE), W32(TWO))}, {UB(0, W32(NAN32), W32(NAN32), W32(TWO))}},
    {WEFT_OP_MIN, "a NaN on either side",
     {BASE(1, 16), BASE(2, 32), {.op = WEFT_OP_MIN, .d = 0, .a = 1, .b = 2, .rows = 1, .lanes = 3, .fmt_a = F(f32), .fmt_b = F(f32), .fmt = F(f32)}},
     {UB(16, W32(ONE), W32(NAN32), W32(ONE)), UB(32, W32(NAN32), W32(ONE), W32(TWO))}, {UB(0, W32(NAN32), W32(NAN32), W32(ONE))}},
    /* the integer of no number is the zero point */
    {WEFT_OP_SUB, "infinity - infinity into an integer",
     {BASE(1, 16), VOUT(ONE, 9), {.op = WEFT_OP_SUB, .d = 0, .a = 1, .b = 1, .rows = 1, .lanes = 1, .fmt_a = F(f32), .fmt_b = F(f32), .fmt = F(u8)}},
     {UB(16, W32(INFINITY32))}, {UB(0, 9)}},

    /* bf16 near 256 goes by twos: 257 ties to 256, 259 to 260 */
    {WEFT_OP_COPY, "s32 to bf16",
     {BASE(1, 16), {.op = WEFT_OP_COPY, .d = 0, .a = 1, .rows = 1, .lanes = 2, .fmt_a = F(s32), .fmt = F(bf16)}},
     {UB(16, W32(257), W32(259))}, {UB(0, W16(0x4380), W16(0x4382), 0)}},
    {WEFT_OP_COPY, "raw moves bits and asks no register",
     {BASE(1, 16), VA(TWO, 3), VOUT(TWO, 3), {.op = WEFT_OP_COPY, .d = 0, .a = 1, .rows = 1, .lanes = 1, .fmt_a = F(f32), .fmt = F(f32), .raw = 1}},
     {UB(16, W32(0x7f812345))}, {UB(0, W32(0x7f812345))}},
    {WEFT_OP_COPY, "a row sees what the row before it wrote",
     {LOOP0(1, 4, 1), BASE(2, 1), LOOP0(2, 4, 1), {.op = WEFT_OP_COPY, .d = 2, .a = 1, .rows = 4, .lanes = 1, .raw = 1}},
     {UB(0, 5, 6, 7, 8, 9)}, {UB(0, 5, 5, 5, 5, 5, 0)}},
    {WEFT_OP_COPY, "a row is read before it is written",
     {BASE(2, 1), {.op = WEFT_OP_COPY, .d = 2, .a = 1, .rows = 1, .lanes = 4, .raw = 1}}, {UB(0, 5, 6, 7, 8, 9)}, {UB(0, 5, 5, 6, 7, 8, 0)}},
    /* -3 x alpha 0.5 */
    {WEFT_OP_COPY, "leaky",
     {BASE(1, 16), SET(0x84, HALF, 0), {.op = WEFT_OP_COPY, .d = 0, .a = 1, .rows = 1, .lanes = 2, .fmt_a = F(s8), .fmt = F(f32), .func = WEFT_FUNCTION_leaky}},
     {UB(16, 0xfd, 3)}, {UB(0, W32(0xbfc00000), W32(0x40400000))}},

    {WEFT_OP_FILL, "low bytes, lane 0 on",
     {BASE(0, 2), LOOP0(0, 3, 6), {.op = WEFT_OP_FILL, .d = 0, .first_row = 1, .rows = 2, .lanes = 2, .fmt = F(s16), .value = 0x99991234}},
     {}, {UB(6, 0, 0, 0x34, 0x12, 0x34, 0x12, 0, 0, 0x34, 0x12, 0x34, 0x12, 0, 0)}},

    /* 3 x 3 bytes, windows of 2 x 2: 1 2 3 / 4 5 6 / 7 8 9 gives 5 6 in the first row */
    {WEFT_OP_POOL, "max over a window",
     {BASE(1, 16), LOOP0(1, 2, 1), LOOP0(0, 2, 1), SET(0x88, 2, 1), SET(0x89, 2, 3),
      {.op = WEFT_OP_POOL, .d = 0, .a = 1, .reduce = WEFT_REDUCTION_max, .rows = 2, .lanes = 1}},
     {UB(16, 1, 2, 3, 4, 5, 6, 7, 8, 9)}, {UB(0, 5, 6, 0)}},
    /* (1 - 1) + (2 - 1) + (4 - 1) + (5 - 1) = 8, x 0.25 = 2, + 1 */
    {WEFT_OP_POOL, "sum without zero points",
     {BASE(1, 16), SET(0x88, 2, 1), SET(0x89, 2, 3), VA(QUARTER, 1), VOUT(ONE, 1),
      {.op = WEFT_OP_POOL, .d = 0, .a = 1, .reduce = WEFT_REDUCTION_sum, .rows = 1, .lanes = 1}},
     {UB(16, 1, 2, 3, 4, 5, 6, 7, 8, 9)}, {UB(0, 3, 0)}},
    /* the smallest, -7, once less its zero point 1 */
    {WEFT_OP_POOL, "min",
     {BASE(1, 16), SET(0x88, 3, 1), VA(ONE, 1), {.op = WEFT_OP_POOL, .d = 0, .a = 1, .reduce = WEFT_REDUCTION_min, .rows = 1, .lanes = 1, .fmt_a = F(s8), .fmt = F(s8)}},
     {UB(16, 5, 0xf9, 6)}, {UB(0, 0xf8, 0)}},
    /* floats in order: 2^24 + 1 + 1 = 2^24, x 1; -0 alone stays -0 */
    {WEFT_OP_POOL, "sum of floats in order",
     {BASE(1, 16), SET(0x88, 3, 4), {.op = WEFT_OP_POOL, .d = 0, .a = 1, .reduce = WEFT_REDUCTION_sum, .rows = 1, .lanes = 1, .fmt_a = F(f32), .fmt = F(f32)}},
     {UB(16, W32(0x4b800000), W32(ONE), W32(ONE))}, {UB(0, W32(0x4b800000))}},
    {WEFT_OP_POOL, "a reduction begins with its first element",
     {BASE(1, 16), {.op = WEFT_OP_POOL, .d = 0, .a = 1, .reduce = WEFT_REDUCTION_sum, .rows = 1, .lanes = 1, .fmt_a = F(f32), .fmt = F(f32)}},
     {UB(16, W32(0x80000000u))}, {UB(0, W32(0x80000000u))}},

    /* lanes 1 to 3 of two rows: (5 - 1) + (-3 - 1) + (7 - 1) = 6 and 3 x (1 - 1) = 0, into lane 0 of rows 0 and 1 */
    {WEFT_OP_REDUCE, "sum of lanes",
     {BASE(1, 16), LOOP0(1, 2, 4), LOOP0(0, 2, 2), VA(ONE, 1),
      {.op = WEFT_OP_REDUCE, .d = 0, .a = 1, .reduce = WEFT_REDUCTION_sum, .rows = 2, .first_lane = 1, .lanes = 3, .fmt_a = F(s8), .fmt = F(s16)}},
     {UB(16, 9, 5, 0xfd, 7, 9, 1, 1, 1)}, {UB(0, W16(6), W16(0), 0)}},
    /* -2 x (7 - 1) and -2 x (-3 - 1): 144 + 64 = 208, x 0.25 */
    {WEFT_OP_REDUCE, "squares of what is scaled",
     {BASE(1, 16), VA(0xc0000000u, 1), VOUT(QUARTER, 0),
      {.op = WEFT_OP_REDUCE, .d = 0, .a = 1, .reduce = WEFT_REDUCTION_squares, .rows = 1, .lanes = 2, .fmt_a = F(s8), .fmt = F(s16)}},
     {UB(16, 7, 0xfd)}, {UB(0, W16(52))}},
    /* 2^15 squared three times is beyond s32; here it is 3 x 2^30 */
    {WEFT_OP_REDUCE, "squares of integers are floats",
     {BASE(1, 16), VA(ONE, 0), {.op = WEFT_OP_REDUCE, .d = 0, .a = 1, .reduce = WEFT_REDUCTION_squares, .rows = 1, .lanes = 3, .fmt_a = F(s16), .fmt = F(f32)}},
     {UB(16, W16(0x8000), W16(0x8000), W16(0x8000))}, {UB(0, W32(0x4f400000))}},
    /* 2^24 + 1 + 1 = 2^24, in order; 4096^2 = 2^24 */
    {WEFT_OP_POOL, "squares of floats in order",
     {BASE(1, 16), SET(0x88, 3, 4), {.op = WEFT_OP_POOL, .d = 0, .a = 1, .reduce = WEFT_REDUCTION_squares, .rows = 1, .lanes = 1, .fmt_a = F(f32), .fmt = F(f32)}},
     {UB(16, W32(0x45800000), W32(ONE), W32(0xbf800000u))}, {UB(0, W32(0x4b800000))}},
    /* one square, of -0 */
    {WEFT_OP_POOL, "the square of a zero is above it",
     {BASE(1, 16), {.op = WEFT_OP_POOL, .d = 0, .a = 1, .reduce = WEFT_REDUCTION_squares, .rows = 1, .lanes = 1, .fmt_a = F(f32), .fmt = F(f32)}},
     {UB(16, W32(0x80000000u))}, {UB(0, W32(0))}},
    {WEFT_OP_REDUCE, "max of lanes",
     {BASE(1, 16), {.op = WEFT_OP_REDUCE, .d = 0, .a = 1, .reduce = WEFT_REDUCTION_max, .rows = 1, .lanes = 3, .fmt_a = F(bf16), .fmt = F(f32)}},
     {UB(16, W16(0x3f00), W16(0x4000), W16(0x3f80))}, {UB(0, W32(TWO))}},
};
enum { MEANINGS = sizeof meanings / sizeof meanings[0] };

static void check_bytes(const struct weft_sim *sim, const struct meaning *meaning, const struct bytes *want)
{
    uint8_t got[24];
    assert_true(weft_sim_read(sim, want->space, want->at, got, want->count));
    for (uint32_t i = 0; i < want->count; i++)
        if (got[i] != want->byte[i])
            fail_msg("%s (%s): byte %u of space %d is 0x%02x, not 0x%02x", weft_instr_info(meaning->op)->mnemonic, meaning->name,
                     want->at + i, (int)want->space, got[i], want->byte[i]);
}

static void check_meaning(const struct meaning *meaning)
{
    struct frame frame;
    struct weft_diag diag = {weft_diag_stderr};
    frame_init(&frame, meaning->text, sizeof meaning->text / sizeof meaning->text[0]);
    struct weft_sim *sim = frame_sim(&frame);
    for (size_t i = 0; i < sizeof meaning->before / sizeof meaning->before[0]; i++)
        assert_true(weft_sim_write(sim, meaning->before[i].space, meaning->before[i].at, meaning->before[i].byte, meaning->before[i].count));
    assert_int_equal(weft_sim_run(sim, &diag), WEFT_OK);
    for (size_t i = 0; i < sizeof meaning->after / sizeof meaning->after[0]; i++) check_bytes(sim, meaning, &meaning->after[i]);
    weft_sim_free(sim);
}

static void test_meanings(void **state)
{
    (void)state;
    for (size_t i = 0; i < MEANINGS; i++) check_meaning(&meanings[i]);
}

static void test_every_opcode_has_a_meaning(void **state)
{
    (void)state;
    size_t count;
    const struct weft_instr_info *table = weft_instr_table(&count);
    for (size_t i = 0; i < count; i++) {
        size_t cases = 0;
        for (size_t j = 0; j < MEANINGS; j++) cases += meanings[j].op == table[i].op;
        if (!cases) fail_msg("%s has no case in test_reference.c", table[i].mnemonic);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_meanings), cmocka_unit_test(test_every_opcode_has_a_meaning)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
