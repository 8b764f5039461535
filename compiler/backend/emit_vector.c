/* emit_vector.c: what the layers of the vector unit share, halos, and elementwise layers. A row is a whole line of an image where it can be. */
#include "emit_vector.h"

#include <stdlib.h>
#include <string.h>

enum weft_function machine_function(enum core_op op)
{
    switch (op) {
    case CORE_RELU: return WEFT_FUNCTION_relu;
    case CORE_LEAKY: return WEFT_FUNCTION_leaky;
    case CORE_SIGMOID: return WEFT_FUNCTION_sigmoid;
    case CORE_TANH: return WEFT_FUNCTION_tanh;
    case CORE_EXP: return WEFT_FUNCTION_exp;
    case CORE_LOG: return WEFT_FUNCTION_log;
    case CORE_SQRT: return WEFT_FUNCTION_sqrt;
    case CORE_RECIPROCAL: return WEFT_FUNCTION_recip;
    case CORE_RSQRT: return WEFT_FUNCTION_rsqrt;
    case CORE_ABS: return WEFT_FUNCTION_abs;
    case CORE_FLOOR: return WEFT_FUNCTION_floor;
    case CORE_ERF: return WEFT_FUNCTION_erf;
    case CORE_SILU: return WEFT_FUNCTION_silu;
    case CORE_GELU: return WEFT_FUNCTION_gelu;
    default: return WEFT_FUNCTION_none;
    }
}

/* Function of the machine for a layer's fused function; clips and relus of integers are clamps. */
enum weft_function layer_function(const struct backend *b, const struct layer *l)
{
    if (l->table)
        return WEFT_FUNCTION_table;
    if (l->function == GRAPH_NONE)
        return WEFT_FUNCTION_none;
    enum core_op op = b->graph->nodes[l->function].op;
    return op == CORE_RELU && weft_format_is_integer(backend_format(b, l->y)) ? WEFT_FUNCTION_none : machine_function(op);
}

/* What one step of the numbers means that the function sees: relu and its like take any, a table the codes of its operand, the others reals;
 * x sigmoid(alpha x) is silu(alpha x) / alpha. */
float layer_domain(const struct backend *b, const struct layer *l)
{
    if (l->table)
        return backend_scale(b, l->preact != GRAPH_NONE ? l->preact : l->x);
    enum weft_function f = layer_function(b, l);
    if (f == WEFT_FUNCTION_silu)
        return 1 / b->graph->nodes[l->function].at.alpha;
    return f == WEFT_FUNCTION_none || f == WEFT_FUNCTION_relu || f == WEFT_FUNCTION_leaky ? backend_scale(b, l->y) : 1;
}

/* The code of a number; an integer of the network is its own. */
static int32_t code_of(const struct backend *b, int value, float number)
{
    enum weft_format f = backend_format(b, value);
    bool real = backend_value_is_real(b, value);
    return weft_requantise(real ? number / backend_scale(b, value) : number, real ? backend_zero(b, value) : 0, weft_format_low(f), weft_format_high(f));
}

static void clip_codes(const struct backend *b, const struct layer *l, int node, int32_t *low, int32_t *high)
{
    *low = code_of(b, l->y, b->graph->nodes[node].at.alpha);
    *high = code_of(b, l->y, b->graph->nodes[node].at.beta);
}

static void clamp_for(struct backend *b, const struct layer *l, int32_t *low, int32_t *high)
{
    enum core_op op = b->graph->nodes[l->function].op;
    if (op == CORE_RELU)
        *low = code_of(b, l->y, 0);
    else if (op == CORE_CLIP)
        clip_codes(b, l, l->function, low, high);
}

void emit_result(struct backend *b, const struct layer *l, float scale)
{
    enum weft_format f = backend_format(b, l->y);
    bool integer = weft_format_is_integer(f);
    int32_t low = integer ? weft_format_low(f) : INT32_MIN, high = integer ? weft_format_high(f) : INT32_MAX;
    int32_t zero = backend_zero(b, l->y);
    if (l->table) {
        int from = l->preact != GRAPH_NONE ? l->preact : l->x;
        zero = (l->preact != GRAPH_NONE ? backend_zero(b, from) : 0) + low - weft_format_low(backend_format(b, from));
        emit_set(b, REG_table, (uint32_t)emit_constant_address(b, l->table_offset), 0);
    } else if (l->function != GRAPH_NONE && integer) {
        clamp_for(b, l, &low, &high);
    }
    if (l->function != GRAPH_NONE && b->graph->nodes[l->function].op == CORE_LEAKY)
        emit_set_float(b, REG_alpha, b->graph->nodes[l->function].at.alpha, 0);
    emit_set_float(b, REG_mul_out, l->table ? scale : scale * (layer_domain(b, l) / backend_scale(b, l->y)), zero);
    emit_set(b, REG_clamp_low, (uint32_t)low, (uint32_t)high);
}

void vector_result(struct backend *b, int value, float scale)
{
    enum weft_format f = backend_format(b, value);
    bool integer = weft_format_is_integer(f);
    emit_set_float(b, REG_mul_out, scale, backend_zero(b, value));
    emit_set(b, REG_clamp_low, (uint32_t)(integer ? weft_format_low(f) : INT32_MIN), (uint32_t)(integer ? weft_format_high(f) : INT32_MAX));
}

/* A row a line: loop0 over lines, loop1 over images, lanes over (pixel, channel). */
struct weft_pattern vector_lines(uint64_t base, const struct geometry *y, struct strides4 s, int64_t element)
{
    struct weft_pattern p = pattern_blank(base);
    p.count0 = (uint32_t)y->h;
    p.stride0 = (uint32_t)s.h;
    p.count1 = (uint32_t)y->n;
    p.stride1 = (uint32_t)s.n;
    if (y->c == 1 || (s.c == element && s.w == y->c * element)) {
        p.run_length = y->c == 1 ? 1 : UINT32_MAX;
        p.run_stride = y->c == 1 ? (uint32_t)s.w : 0;
    } else if (s.c == element) {
        p.run_length = (uint32_t)y->c;
        p.run_stride = (uint32_t)s.w;
    } else {
        p.run_length = 1;
        p.run_stride = (uint32_t)s.c;
        p.block_runs = (uint32_t)y->c;
        p.block_stride = (uint32_t)s.w;
    }
    return p;
}

struct strides4 vector_strides(const struct geometry *g)
{
    return (struct strides4){g->image, g->line, g->pixel, g->element};
}

/* A row a pixel. */
struct weft_pattern vector_pixels(uint64_t base, const struct geometry *g)
{
    struct weft_pattern p = pattern_blank(base);
    p.count0 = (uint32_t)g->w;
    p.stride0 = (uint32_t)g->pixel;
    p.count1 = (uint32_t)g->h;
    p.stride1 = (uint32_t)g->line;
    p.count2 = (uint32_t)g->n;
    p.stride2 = (uint32_t)g->image;
    return p;
}

/* --- halos ------------------------------------------------------------------------------------------------------- */

void vector_fill(struct backend *b, uint64_t base, const struct weft_pattern *rows, uint64_t count, uint64_t bytes, enum weft_format format, int32_t value)
{
    struct weft_pattern p = *rows;
    uint64_t element = weft_format_bytes(format);
    for (uint64_t done = 0; done < bytes; done += LANES_MAX * element) {
        uint64_t piece = bytes - done < LANES_MAX * element ? bytes - done : LANES_MAX * element;
        p.base = (uint32_t)(base + done);
        emit_pattern(b, D, &p);
        struct weft_instr *i = emit(b, WEFT_OP_FILL);
        i->d = D;
        i->rows = (uint32_t)count;
        i->lanes = (uint32_t)(piece / element);
        i->fmt = (uint8_t)format;
        i->value = (uint32_t)value;
    }
}

/* Writes the halo of a value: what lies before the first pixel, behind the last, and between the lines of each image. */
void emit_halo(struct backend *b, int value)
{
    value = b->places[value].view || b->places[value].part ? b->places[value].owner : value; /* whoever writes into a concatenation first */
    if (b->places[value].halo_done)
        return;
    b->places[value].halo_done = true;
    const struct geometry *g = &b->places[value].g;
    uint64_t base = place_origin(b, value) - (uint64_t)g->origin;
    struct weft_pattern images = pattern_blank(0), between = pattern_blank(0);
    images.count0 = (uint32_t)g->n;
    images.stride0 = (uint32_t)g->image;
    between.count0 = (uint32_t)(g->h - 1);
    between.stride0 = (uint32_t)g->line;
    between.count1 = (uint32_t)g->n;
    between.stride1 = (uint32_t)g->image;
    int64_t behind = g->image - g->origin - (g->h - 1) * g->line - g->w * g->pixel;
    if (g->origin)
        vector_fill(b, base, &images, (uint64_t)g->n, (uint64_t)g->origin, g->format, g->fill);
    if (behind)
        vector_fill(b, base + (uint64_t)(g->image - behind), &images, (uint64_t)g->n, (uint64_t)behind, g->format, g->fill);
    if (g->h > 1 && g->left + g->right)
        vector_fill(b, base + (uint64_t)(g->origin + g->w * g->pixel), &between, (uint64_t)((g->h - 1) * g->n), (uint64_t)((g->left + g->right) * g->pixel), g->format, g->fill);
}

/* The halo before the first element of an input; the host brings the rest of it. */
void emit_halo_before(struct backend *b, int value)
{
    const struct geometry *g = &b->places[value].g;
    struct weft_pattern one = pattern_blank(0);
    vector_fill(b, place_origin(b, value) - (uint64_t)g->origin, &one, 1, (uint64_t)g->origin, g->format, g->fill);
}

/* --- instructions ---------------------------------------------------------------------------------------------------- */

struct weft_instr *vector_op(struct backend *b, enum weft_opcode op, int64_t first, int64_t rows, int64_t lane, int64_t lanes, enum weft_format from,
                                    enum weft_format to)
{
    struct weft_instr *i = emit(b, op);
    i->d = D;
    i->a = A;
    i->b = B;
    i->first_row = (uint32_t)first;
    i->rows = (uint32_t)rows;
    i->first_lane = (uint32_t)lane;
    i->lanes = (uint32_t)lanes;
    i->fmt_a = i->fmt_b = (uint8_t)from;
    i->fmt = (uint8_t)to;
    return i;
}

/* One operation over rows and all lanes of a line, in as many instructions as the lanes need. */
void vector_over_lanes(struct backend *b, enum weft_opcode op, int64_t first, int64_t rows, int64_t lanes, enum weft_format from, enum weft_format from_b,
                       enum weft_format to, int func)
{
    for (int64_t lane = 0; lane < lanes; lane += LANES_MAX) {
        struct weft_instr *i = vector_op(b, op, first, rows, lane, lanes - lane < LANES_MAX ? lanes - lane : LANES_MAX, from, to);
        i->fmt_b = (uint8_t)(op == WEFT_OP_COPY || op == WEFT_OP_POOL ? 0 : from_b);
        if (op == WEFT_OP_COPY || op == WEFT_OP_POOL)
            i->b = 0;
        if (func == RAW)
            i->raw = 1;
        else
            i->func = (uint8_t)func;
    }
}

/* --- elementwise ------------------------------------------------------------------------------------------------- */

struct vector_box vector_box_of(const struct backend *b, const struct shape *shape)
{
    struct vector_box box = {.rank = shape->rank};
    memcpy(box.dims, shape->dims, sizeof box.dims);
    if (b->wave.count > 1)
        box.dims[shape_lead(shape)] /= b->wave.count;
    return box;
}

/* Moves a view to the part that is being emitted. */
void vector_view_part(const struct backend *b, struct vector_view *view, const struct shape *shape)
{
    if (b->wave.count > 1)
        view->at += (uint64_t)(b->wave.index * (shape->dims[shape_lead(shape)] / b->wave.count) * view->strides[shape_lead(shape)]);
}

struct vector_view vector_view_of(const struct backend *b, const struct layer *l, int value, const struct shape *y)
{
    const struct shape *from = &b->graph->values[value].shape;
    struct vector_view view = {.mul = 1};
    if (value_is_constant(&b->graph->values[value])) {
        view.at = l->block_buffer ? b->buffers[l->block_buffer - 1].ub : emit_constant_address(b, l->const_offset);
        view.format = l->const_format;
        memcpy(view.strides, l->const_strides, sizeof view.strides);
        view.at += l->band.used && !l->band.own_block ? (uint64_t)(l->band.first * l->const_strides[l->band.cut]) : 0;
        vector_view_part(b, &view, y);
        return view;
    }
    int64_t own[GRAPH_RANK_MAX] = {0};
    place_strides(&b->places[value], from, own);
    for (unsigned d = 0; d < from->rank; d++)
        view.strides[d + y->rank - from->rank] = from->dims[d] == 1 && y->dims[d + y->rank - from->rank] != 1 ? 0 : own[d];
    view.at = place_origin(b, value);
    vector_view_part(b, &view, y);
    view.format = b->places[value].g.format;
    if (backend_value_is_real(b, value)) {
        view.mul = backend_scale(b, value);
        view.zero = backend_zero(b, value);
    }
    return view;
}

static enum weft_opcode binary_opcode(enum core_op op)
{
    switch (op) {
    case CORE_SUB: return WEFT_OP_SUB;
    case CORE_MUL: return WEFT_OP_MUL;
    case CORE_DIV: return WEFT_OP_DIV;
    case CORE_MAX: return WEFT_OP_MAX;
    case CORE_MIN: return WEFT_OP_MIN;
    default: return WEFT_OP_ADD;
    }
}

/* v.out and v.clamp of a step: reals leave as the result stores them, integers of the network as they are. */
static void step_result(struct backend *b, const struct layer *l)
{
    enum weft_format f = backend_format(b, l->y);
    bool real = backend_value_is_real(b, l->y), integer = weft_format_is_integer(f);
    int32_t low = integer ? weft_format_low(f) : INT32_MIN, high = integer ? weft_format_high(f) : INT32_MAX;
    if (!real && l->step.low > low)
        low = l->step.low;
    if (!real && l->step.high < high)
        high = l->step.high;
    emit_set_float(b, REG_mul_out, l->step.mul_out / (real ? backend_scale(b, l->y) : 1), real ? backend_zero(b, l->y) : l->step.add);
    emit_set(b, REG_clamp_low, (uint32_t)low, (uint32_t)high);
}

static void emit_step(struct backend *b, const struct layer *l)
{
    const struct shape *shape = &b->graph->values[l->y].shape;
    struct vector_box box = vector_box_of(b, shape);
    struct vector_view d = vector_view_of(b, l, l->y, shape), a = vector_view_of(b, l, l->x, shape), c = {0};
    a.mul *= l->step.mul_a;
    if (l->other != GRAPH_NONE) {
        c = vector_view_of(b, l, l->other, shape);
        c.mul *= l->step.mul_b;
    }
    step_result(b, l);
    vector_nd(b, &(struct vector_call){.op = l->step.op, .func = (int)l->step.function}, &box, &d, &a, l->other == GRAPH_NONE ? NULL : &c);
}

void emit_binary(struct backend *b, struct layer *l)
{
    if (l->step.used) {
        emit_step(b, l);
        return;
    }
    const struct shape *shape = &b->graph->values[l->y].shape;
    struct vector_box box = vector_box_of(b, shape);
    struct vector_view d = vector_view_of(b, l, l->y, shape), a = vector_view_of(b, l, l->x, shape), c = vector_view_of(b, l, l->other, shape);
    float sa = a.mul, sb = c.mul, sy = layer_domain(b, l);
    bool product = l->op == CORE_MUL || l->op == CORE_DIV;
    a.mul = product ? (l->op == CORE_MUL ? sa * sb / sy : sa / sb / sy) : sa / sy;
    c.mul = product ? 1 : sb / sy;
    emit_result(b, l, 1);
    vector_nd(b, &(struct vector_call){.op = binary_opcode(l->op), .func = (int)layer_function(b, l)}, &box, &d, &a, &c);
}

/* A layer of one operand: its result's strides, its operand's, and how they meet. */
struct unary { struct vector_box box; struct vector_view d, a; };

static struct unary unary_of(const struct backend *b, const struct layer *l)
{
    const struct shape *shape = &b->graph->values[l->y].shape;
    return (struct unary){vector_box_of(b, shape), vector_view_of(b, l, l->y, shape), vector_view_of(b, l, l->x, shape)};
}

static void apply(struct backend *b, const struct unary *u, enum weft_opcode op, const struct vector_view *other, int func)
{
    vector_nd(b, &(struct vector_call){.op = op, .func = func}, &u->box, &u->d, &u->a, other);
}

/* One copy of all of x into y. */
static void copy_all(struct backend *b, const struct layer *l, float mul_a, float mul_out, int func)
{
    struct unary u = unary_of(b, l);
    u.a.mul = mul_a;
    u.a.zero = backend_zero(b, l->x);
    vector_result(b, l->y, mul_out);
    apply(b, &u, WEFT_OP_COPY, NULL, func);
}

/* Floats have no clamp: the larger of x and the lower bound, then the smaller of that and the upper bound; from 0 on, the smaller of x and the upper bound,
 * and relu on its way out. */
static void clip_floats(struct backend *b, const struct layer *l)
{
    struct unary u = unary_of(b, l);
    struct vector_view bound = {.at = emit_constant_address(b, l->const_offset), .format = WEFT_FORMAT_f32, .mul = 1};
    vector_result(b, l->y, 1);
    if (b->graph->nodes[l->node].at.alpha == 0) {
        bound.at += 4;
        apply(b, &u, WEFT_OP_MIN, &bound, WEFT_FUNCTION_relu);
        return;
    }
    apply(b, &u, WEFT_OP_MAX, &bound, WEFT_FUNCTION_none);
    bound.at += 4;
    u.a = u.d;
    u.a.mul = 1;
    apply(b, &u, WEFT_OP_MIN, &bound, WEFT_FUNCTION_none);
}

static void clip_integers(struct backend *b, const struct layer *l, float to)
{
    struct unary u = unary_of(b, l);
    int32_t low, high;
    clip_codes(b, l, l->node, &low, &high);
    emit_set_float(b, REG_mul_out, to, backend_zero(b, l->y));
    emit_set(b, REG_clamp_low, (uint32_t)low, (uint32_t)high);
    apply(b, &u, WEFT_OP_COPY, NULL, WEFT_FUNCTION_none);
}

static void emit_function(struct backend *b, const struct layer *l)
{
    float from = backend_scale(b, l->x), to = 1 / backend_scale(b, l->y);
    if (l->op == CORE_CLIP && !weft_format_is_integer(backend_format(b, l->y))) {
        clip_floats(b, l);
    } else if (l->op == CORE_CEIL) { /* -floor(-x) */
        copy_all(b, l, -from, -to, WEFT_FUNCTION_floor);
    } else if (l->op == CORE_NEG) {
        copy_all(b, l, -from, to, WEFT_FUNCTION_none);
    } else if (l->op == CORE_CLIP) {
        clip_integers(b, l, to);
    } else {
        if (l->op == CORE_LEAKY)
            emit_set_float(b, REG_alpha, b->graph->nodes[l->node].at.alpha, 0);
        float alpha = l->op == CORE_SILU ? b->graph->nodes[l->node].at.alpha : 1;
        copy_all(b, l, from * alpha, to / alpha, machine_function(l->op));
    }
}

static void emit_conversion(struct backend *b, const struct layer *l)
{
    enum weft_format from = b->places[l->x].g.format, to = b->places[l->y].g.format;
    struct quantisation q;
    bool kept = l->op == CORE_DEQUANTIZE && quantise_parameters(b, l, &q) && from == to && q.scale == backend_scale(b, l->y) && q.zero == backend_zero(b, l->y);
    if (l->op == CORE_DEQUANTIZE && !kept && quantise_parameters(b, l, &q)) {
        struct unary u = unary_of(b, l);
        u.a.mul = q.scale / backend_scale(b, l->y);
        u.a.zero = q.zero;
        vector_result(b, l->y, 1);
        apply(b, &u, WEFT_OP_COPY, NULL, WEFT_FUNCTION_none);
        return;
    }
    bool same = from == to && backend_scale(b, l->x) == backend_scale(b, l->y) && backend_zero(b, l->x) == backend_zero(b, l->y);
    bool bytes = same || kept; /* the bytes stay; what they stand for is the result's */
    copy_all(b, l, backend_scale(b, l->x) / backend_scale(b, l->y), 1, bytes ? RAW : WEFT_FUNCTION_none);
}

void emit_unary(struct backend *b, struct layer *l)
{
    if (l->step.used) {
        emit_step(b, l);
    } else if (l->table) {
        struct unary u = unary_of(b, l);
        u.a.mul = 1;
        u.a.zero = 0;
        emit_result(b, l, 1);
        apply(b, &u, WEFT_OP_COPY, NULL, WEFT_FUNCTION_table);
    } else if (l->op == CORE_QUANTIZE || l->op == CORE_DEQUANTIZE || l->node == GRAPH_NONE) {
        emit_conversion(b, l);
    } else {
        emit_function(b, l);
    }
}
