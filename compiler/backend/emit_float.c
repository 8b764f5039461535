/* emit_float.c: local response normalisation, in fp32 in the buffer, piece by piece. */
#include "emit_vector.h"

/* Rows of a temporary, used again every `piece` rows. */
static struct weft_pattern ring(uint64_t base, int64_t piece, int64_t stride)
{
    struct weft_pattern p = pattern_blank(base);
    p.count0 = (uint32_t)piece;
    p.stride0 = (uint32_t)stride;
    p.count1 = UINT32_MAX;
    return p;
}

static struct weft_pattern broadcast(struct weft_pattern p)
{
    p.run_length = 1;
    p.run_stride = 0;
    return p;
}

static void float_result(struct backend *b, float scale)
{
    emit_set_float(b, REG_mul_out, scale, 0);
    emit_set(b, REG_clamp_low, (uint32_t)INT32_MIN, (uint32_t)INT32_MAX);
}

/* y = x (k + alpha / size x sum of squares over `size` channels) ^ -beta, as exp(-beta log(...)). */
static void lrn_piece(struct backend *b, const struct layer *l, int64_t first, int64_t rows, int64_t piece)
{
    const struct geometry *x = &b->places[l->x].g, *y = &b->places[l->y].g;
    const struct attributes *at = &b->graph->nodes[l->node].at;
    const enum weft_format f32 = WEFT_FORMAT_f32;
    int64_t wide = (x->c + at->size) * 4, before = (at->size - 1) / 2;
    uint64_t temp = b->buffers[l->temp[0]].ub;
    struct weft_pattern source = vector_pixels(place_origin(b, l->x), x), target = vector_pixels(place_origin(b, l->y), y);
    struct weft_pattern squares = ring(temp + (uint64_t)before * 4, piece, wide), window = ring(temp, piece, wide);
    struct weft_pattern sums = ring(b->buffers[l->temp[1]].ub, piece, wide), k = broadcast(pattern_blank(emit_constant_address(b, l->const_offset)));
    emit_set_float(b, REG_mul_a, backend_scale(b, l->x), backend_zero(b, l->x));
    emit_set_float(b, REG_mul_b, backend_scale(b, l->x), backend_zero(b, l->x));
    float_result(b, 1);
    emit_pattern(b, D, &squares);
    emit_pattern(b, A, &source);
    emit_pattern(b, B, &source);
    vector_op(b, WEFT_OP_MUL, first, rows, 0, x->c, x->format, f32);
    emit_set_float(b, REG_mul_a, at->alpha / (float)at->size, 0);
    emit_set_float(b, REG_mul_b, 1, 0);
    emit_set(b, REG_win_count0, (uint32_t)at->size, 4);
    emit_set(b, REG_win_count1, 1, 0);
    emit_pattern(b, D, &sums);
    emit_pattern(b, A, &window);
    struct weft_instr *i = vector_op(b, WEFT_OP_POOL, first, rows, 0, x->c, f32, f32);
    i->b = i->fmt_b = 0;
    i->reduce = WEFT_REDUCTION_sum;
    emit_set_float(b, REG_mul_a, 1, 0);
    emit_pattern(b, A, &sums);
    emit_pattern(b, B, &k);
    vector_op(b, WEFT_OP_ADD, first, rows, 0, x->c, f32, f32)->func = WEFT_FUNCTION_log;
    emit_set_float(b, REG_mul_a, -at->beta, 0);
    i = vector_op(b, WEFT_OP_COPY, first, rows, 0, x->c, f32, f32);
    i->b = i->fmt_b = 0;
    i->func = WEFT_FUNCTION_exp;
    emit_set_float(b, REG_mul_a, backend_scale(b, l->x) / backend_scale(b, l->y), backend_zero(b, l->x));
    emit_pattern(b, D, &target);
    emit_pattern(b, A, &source);
    emit_pattern(b, B, &sums);
    vector_result(b, l->y, 1);
    vector_op(b, WEFT_OP_MUL, first, rows, 0, x->c, x->format, y->format)->fmt_b = f32;
}

void emit_lrn(struct backend *b, struct layer *l)
{
    const struct geometry *x = &b->places[l->x].g;
    int64_t line = (x->c + b->graph->nodes[l->node].at.size) * 4, piece = (int64_t)b->buffers[l->temp[0]].bytes / line, rows = x->n * x->h * x->w;
    struct weft_pattern all = pattern_blank(0);
    vector_fill(b, b->buffers[l->temp[0]].ub, &all, 1, b->buffers[l->temp[0]].bytes, WEFT_FORMAT_u8, 0);
    for (int64_t first = 0; first < rows; first += piece)
        lrn_piece(b, l, first, rows - first < piece ? rows - first : piece, piece);
}
