/* depthwise.c: a convolution with one channel a group fills a diagonal of the array at best. The vector unit can do it as well: for each place of the
 * window one multiplication with a weight a channel and one addition, in fp32. Whichever takes fewer cycles by the closed forms is
 * taken, before the layer's operand is split into planes, which only the array needs. */
#include "emit_vector.h"
#include "mapping.h"

#include <stdlib.h>

enum { AXES = 4 };

bool depthwise_is(const struct layer *l)
{
    return (l->kind == LAYER_MATRIX || l->kind == LAYER_DEPTHWISE) && l->m->groups > 1 && l->m->cg == 1 && l->m->ng == 1;
}

/* n, lines, pixels, channels of a piece of the result. */
static struct vector_box box_of(const struct geometry *y, int64_t lines)
{
    return (struct vector_box){.rank = AXES, .dims = {y->n, lines, y->w, y->c}};
}

static struct vector_view view(uint64_t at, enum weft_format format, float mul, int32_t zero, struct strides4 s)
{
    return (struct vector_view){.at = at, .format = format, .mul = mul, .zero = zero, .strides = {s.n, s.h, s.w, s.c}};
}

/* What the window's place (ky, kx) reads of the operand, from line `first` of the result on. */
static struct vector_view window_view(const struct backend *b, const struct layer *l, uint64_t origin, int64_t first, int64_t ky, int64_t kx)
{
    const struct matrix *m = l->m;
    const struct geometry *x = &b->places[l->x].g;
    int64_t offset = (first * m->sy + ky * m->dy - m->top) * x->line + (kx * m->dx - m->left) * x->pixel;
    return view(origin + (uint64_t)offset, x->format, backend_scale(b, l->x), backend_zero(b, l->x),
                (struct strides4){x->image, m->sy * x->line, m->sx * x->pixel, x->element});
}

static struct vector_view result_view(const struct backend *b, int value, uint64_t origin, int64_t first, float mul)
{
    const struct geometry *y = &b->places[value].g;
    return view(origin + (uint64_t)(first * y->line), y->format, mul, backend_zero(b, value), (struct strides4){y->image, y->line, y->pixel, y->element});
}

static struct vector_view temp_view(const struct geometry *y, uint64_t at, int64_t lines)
{
    return view(at, WEFT_FORMAT_f32, 1, 0, (struct strides4){lines * y->w * y->c * 4, y->w * y->c * 4, y->c * 4, 4});
}

static struct vector_view channel_view(uint64_t at)
{
    return view(at, WEFT_FORMAT_f32, 1, 0, (struct strides4){.c = 4});
}

/* --- which of the two -------------------------------------------------------------------------------------------------- */

static uint64_t vector_price(struct backend *b, const struct layer *l)
{
    struct geometry y = b->places[l->y].g;
    geometry_finish(&y);
    struct vector_box box = box_of(&y, y.h);
    struct vector_view temp = temp_view(&y, 0, y.h);
    return (uint64_t)((double)(2 * l->m->kh * l->m->kw) * vector_nd_cycles(b, &box, &temp, &temp));
}

static void choose(struct backend *b, struct layer *l)
{
    l->m->w_format = b->planes ? WEFT_FORMAT_bf16 : WEFT_FORMAT_s8;
    uint64_t vector = vector_price(b, l), array = mapping_price(b, l);
    if (vector >= array)
        return;
    const struct geometry *y = &b->places[l->y].g;
    l->kind = LAYER_DEPTHWISE;
    l->macs = (uint64_t)(b->repeats * y->n * y->h * y->w * y->c * l->m->kh * l->m->kw);
    l->mapping = l->roofline = (uint64_t)b->repeats * vector;
}

void backend_depthwise(struct backend *b)
{
    for (int i = 0; i < b->layer_count; i++)
        if (depthwise_is(&b->layers[i]) && !b->layers[i].m->integer)
            choose(b, &b->layers[i]);
}

/* --- its numbers -------------------------------------------------------------------------------------------------------- */

/* Biases, then the weights of each place of the window, one a channel. */
enum weft_status depthwise_params(struct backend *b, struct layer *l)
{
    const struct matrix *m = l->m;
    int64_t places = m->kh * m->kw, channels = m->co;
    float *numbers = calloc((size_t)(channels * (places + 1)) + 1, sizeof *numbers);
    const float *w = b->options->timing_only || b->graph->values[m->weights].contents == CONTENTS_ABSENT ? NULL : value_bytes(b->graph, m->weights);
    for (int64_t c = 0; numbers && w && c < channels; c++) {
        numbers[c] = (float)params_bias(b, l, c);
        for (int64_t p = 0; p < places; p++)
            numbers[channels * (p + 1) + c] = w[c * places + p];
    }
    if (numbers)
        l->const_offset = backend_constant(b, numbers, (uint64_t)(channels * (places + 1)) * 4, 64);
    free(numbers);
    return numbers ? WEFT_OK : WEFT_NO_MEMORY;
}

static int64_t line_bytes(const struct geometry *y)
{
    return y->n * y->w * y->c * 4; /* of all images */
}

static int64_t piece_lines(const struct geometry *y, int64_t bytes)
{
    return least(most(bytes / line_bytes(y), 1), y->h);
}

void depthwise_temps(struct backend *b, struct layer *l, int index)
{
    const struct geometry *y = &b->places[l->y].g;
    for (int t = 0; t < 2; t++)
        l->temp[t] = backend_add_buffer(b, (uint64_t)(piece_lines(y, backend_piece_bytes(b)) * line_bytes(y)), index, index);
}

/* --- its instructions --------------------------------------------------------------------------------------------------- */

static void plain_result(struct backend *b)
{
    emit_set_float(b, REG_mul_out, 1, 0);
    emit_set(b, REG_clamp_low, (uint32_t)INT32_MIN, (uint32_t)INT32_MAX);
}

static void finish_piece(struct backend *b, const struct layer *l, const struct vector_box *box, struct vector_view sum, int64_t first)
{
    float step = 1 / layer_domain(b, l);
    const struct vector_call add = {.op = WEFT_OP_ADD};
    struct vector_view other = channel_view(emit_constant_address(b, l->const_offset));
    if (l->residual != GRAPH_NONE) {
        vector_nd(b, &add, box, &sum, &sum, &other);
        other = result_view(b, l->residual, place_origin(b, l->residual), first, backend_scale(b, l->residual));
    }
    sum.mul = step;
    other.mul *= step;
    struct vector_view y = result_view(b, l->y, place_origin(b, l->y), first, 1);
    emit_result(b, l, 1);
    vector_nd(b, &(struct vector_call){.op = WEFT_OP_ADD, .func = layer_function(b, l)}, box, &y, &sum, &other);
}

static void emit_piece(struct backend *b, const struct layer *l, int64_t first, int64_t lines)
{
    const struct geometry *y = &b->places[l->y].g;
    const struct matrix *m = l->m;
    struct vector_box box = box_of(y, lines);
    struct vector_view sum = temp_view(y, b->buffers[l->temp[0]].ub, lines), term = temp_view(y, b->buffers[l->temp[1]].ub, lines);
    const struct vector_call multiply = {.op = WEFT_OP_MUL}, add = {.op = WEFT_OP_ADD};
    plain_result(b);
    for (int64_t p = 0; p < m->kh * m->kw; p++) {
        struct vector_view x = window_view(b, l, place_origin(b, l->x), first, p / m->kw, p % m->kw);
        struct vector_view w = channel_view(emit_constant_address(b, l->const_offset + (uint64_t)((p + 1) * m->co * 4)));
        vector_nd(b, &multiply, &box, p ? &term : &sum, &x, &w);
        if (p)
            vector_nd(b, &add, &box, &sum, &sum, &term);
    }
    finish_piece(b, l, &box, sum, first);
}

void emit_depthwise(struct backend *b, struct layer *l)
{
    const struct geometry *y = &b->places[l->y].g;
    int64_t piece = piece_lines(y, (int64_t)b->buffers[l->temp[0]].bytes); /* which may be a few images' lines of those that it was made for */
    for (int64_t first = 0; first < y->h; first += piece)
        emit_piece(b, l, first, y->h - first < piece ? y->h - first : piece);
}
