/* emit_vector.c: what the layers of the vector unit emit. A row is a whole line of an image where it can be. Patterns p3 to p7. */
#include "backend.h"

#include <stdlib.h>
#include <string.h>

enum { D = 3, A = 4, B = 5, LANES_MAX = 65535, RAW = -1 };

/* Function of the machine for a layer's fused (or own) function; clips and relus of integers are clamps. */
enum weft_function layer_function(const struct backend *b, const struct layer *l)
{
    if (l->table)
        return WEFT_FUNCTION_table;
    if (l->function == GRAPH_NONE)
        return WEFT_FUNCTION_none;
    enum core_op op = b->graph->nodes[l->function].op;
    if (op == CORE_LEAKY)
        return WEFT_FUNCTION_leaky;
    return op == CORE_RELU && backend_format(b, l->y) == WEFT_FORMAT_f32 ? WEFT_FUNCTION_relu : WEFT_FUNCTION_none;
}

static int32_t code_of(const struct backend *b, int value, float real)
{
    enum weft_format f = backend_format(b, value);
    return weft_requantise(real / backend_scale(b, value), backend_zero(b, value), weft_format_low(f), weft_format_high(f));
}

static void clamp_for(struct backend *b, const struct layer *l, int32_t *low, int32_t *high)
{
    const struct node *n = &b->graph->nodes[l->function];
    if (n->op == CORE_RELU) {
        *low = code_of(b, l->y, 0);
    } else if (n->op == CORE_CLIP) {
        *low = code_of(b, l->y, n->at.alpha);
        *high = code_of(b, l->y, n->at.beta);
    }
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
        emit_set(b, REG_TABLE, (uint32_t)emit_constant_address(b, l->table_offset), 0);
    } else if (l->function != GRAPH_NONE && integer) {
        clamp_for(b, l, &low, &high);
    }
    if (l->function != GRAPH_NONE && b->graph->nodes[l->function].op == CORE_LEAKY)
        emit_set_float(b, REG_ALPHA, b->graph->nodes[l->function].at.alpha, 0);
    emit_set_float(b, REG_OUT, scale, zero);
    emit_set(b, REG_CLAMP, (uint32_t)low, (uint32_t)high);
}

static void plain_result(struct backend *b, int value, float scale)
{
    enum weft_format f = backend_format(b, value);
    bool integer = weft_format_is_integer(f);
    emit_set_float(b, REG_OUT, scale, backend_zero(b, value));
    emit_set(b, REG_CLAMP, (uint32_t)(integer ? weft_format_low(f) : INT32_MIN), (uint32_t)(integer ? weft_format_high(f) : INT32_MAX));
}

/* A row a line: loop0 over lines, loop1 over images, lanes over (pixel, channel). */
static struct weft_pattern lines(uint64_t base, const struct geometry *y, struct strides4 s, int64_t element)
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

static struct strides4 own_strides(const struct geometry *g)
{
    return (struct strides4){g->image, g->line, g->pixel, g->element};
}

/* A row a pixel. */
static struct weft_pattern pixels(uint64_t base, const struct geometry *g)
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

static void fill(struct backend *b, uint64_t base, const struct weft_pattern *rows, uint64_t count, uint64_t bytes, uint8_t value)
{
    struct weft_pattern p = *rows;
    for (uint64_t done = 0; done < bytes; done += LANES_MAX) {
        p.base = (uint32_t)(base + done);
        emit_pattern(b, D, &p);
        struct weft_instr *i = emit(b, WEFT_OP_FILL);
        i->d = D;
        i->rows = (uint32_t)count;
        i->lanes = (uint32_t)(bytes - done < LANES_MAX ? bytes - done : LANES_MAX);
        i->fmt = WEFT_FORMAT_u8;
        i->value = value;
    }
}

/* Writes the halo of a value: what lies before the first pixel, behind the last, and between the lines of each image. */
void emit_halo(struct backend *b, int value)
{
    const struct geometry *g = &b->places[value].g;
    uint64_t base = place_origin(b, value) - (uint64_t)g->origin;
    struct weft_pattern images = pattern_blank(0), between = pattern_blank(0);
    images.count0 = (uint32_t)g->n;
    images.stride0 = (uint32_t)g->image;
    between.count0 = (uint32_t)(g->h - 1);
    between.stride0 = (uint32_t)g->line;
    between.count1 = (uint32_t)g->n;
    between.stride1 = (uint32_t)g->image;
    uint8_t byte = (uint8_t)g->fill;
    int64_t behind = g->image - g->origin - (g->h - 1) * g->line - g->w * g->pixel;
    if (g->origin)
        fill(b, base, &images, (uint64_t)g->n, (uint64_t)g->origin, byte);
    if (behind)
        fill(b, base + (uint64_t)(g->image - behind), &images, (uint64_t)g->n, (uint64_t)behind, byte);
    if (g->h > 1 && g->left + g->right)
        fill(b, base + (uint64_t)(g->origin + g->w * g->pixel), &between, (uint64_t)((g->h - 1) * g->n), (uint64_t)((g->left + g->right) * g->pixel), byte);
}

/* The halo before the first element of an input; the host brings the rest of it. */
void emit_halo_before(struct backend *b, int value)
{
    const struct geometry *g = &b->places[value].g;
    struct weft_pattern one = pattern_blank(0);
    fill(b, place_origin(b, value) - (uint64_t)g->origin, &one, 1, (uint64_t)g->origin, (uint8_t)g->fill);
}

/* --- pools ------------------------------------------------------------------------------------------------------- */

struct pool { int64_t kh, kw, sy, sx, dy, dx, top, left, bottom, right; bool include_pad; };

static struct pool pool_of(const struct backend *b, const struct layer *l)
{
    const struct attributes *at = &b->graph->nodes[l->node].at;
    bool one = at->spatial == 1;
    unsigned w = one ? 0 : 1;
    struct pool p = {.kh = one ? 1 : at->kernel[0], .kw = at->kernel[w], .sy = one ? 1 : at->stride[0], .sx = at->stride[w],
                     .dy = one || !at->dilation[0] ? 1 : at->dilation[0], .dx = at->dilation[w] ? at->dilation[w] : 1,
                     .top = one ? 0 : at->pad_begin[0], .left = at->pad_begin[w], .bottom = one ? 0 : at->pad_end[0], .right = at->pad_end[w],
                     .include_pad = at->count_include_pad};
    return p;
}

static struct weft_instr *vector_op(struct backend *b, enum weft_opcode op, int64_t first, int64_t rows, int64_t lane, int64_t lanes, enum weft_format from,
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
static void over_lanes(struct backend *b, enum weft_opcode op, int64_t first, int64_t rows, int64_t lanes, enum weft_format from, enum weft_format from_b,
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

static void identity_registers(struct backend *b, enum weft_format f)
{
    bool integer = weft_format_is_integer(f);
    emit_set_float(b, REG_A, 1, 0);
    emit_set_float(b, REG_B, 1, 0);
    emit_set_float(b, REG_OUT, 1, 0);
    emit_set(b, REG_CLAMP, (uint32_t)(integer ? weft_format_low(f) : INT32_MIN), (uint32_t)(integer ? weft_format_high(f) : INT32_MAX));
}

/* Maximum of windows of the lines y0..y1 of one image: down the columns into a temporary, then along the lines. Pairwise
 * maxima take k - 1 operations for a window of k. */
static void max_lines(struct backend *b, const struct layer *l, const struct pool *p, int64_t image, int64_t y0, int64_t y1)
{
    const struct geometry *x = &b->places[l->x].g, *y = &b->places[l->y].g;
    enum weft_format f = x->format;
    uint64_t source = place_origin(b, l->x) + (uint64_t)(image * x->image) - (uint64_t)x->origin + (uint64_t)((x->top - p->top) * x->line);
    uint64_t temp = b->buffers[l->temp[0]].ub, target = place_origin(b, l->y) + (uint64_t)(image * y->image);
    int64_t wide = x->line / x->element, rows = y1 - y0;
    struct weft_pattern d = pattern_blank(temp), a = pattern_blank(source), c = a;
    d.stride0 = (uint32_t)x->line;
    a.stride0 = c.stride0 = (uint32_t)(p->sy * x->line);
    bool columns = p->kh > 1;
    for (int64_t k = 1; k < p->kh; k++) {
        c.base = (uint32_t)(source + (uint64_t)(k * p->dy * x->line));
        emit_pattern(b, D, &d);
        emit_pattern(b, A, k == 1 ? &a : &d);
        emit_pattern(b, B, &c);
        over_lanes(b, WEFT_OP_MAX, y0, rows, wide, f, f, f, WEFT_FUNCTION_none);
    }
    uint64_t from = (columns ? temp : source) + (uint64_t)((x->left - p->left) * x->pixel);
    struct weft_pattern out = pattern_blank(target), in = pattern_blank(from);
    out.stride0 = (uint32_t)y->line;
    in.stride0 = columns ? d.stride0 : a.stride0;
    in.run_length = (uint32_t)x->c;
    in.run_stride = (uint32_t)(p->sx * x->pixel);
    emit_pattern(b, D, &out);
    emit_pattern(b, A, &in);
    if (p->kw == 1)
        over_lanes(b, WEFT_OP_COPY, y0, rows, y->w * y->c, f, f, f, RAW);
    for (int64_t k = 1; k < p->kw; k++) {
        in.base = (uint32_t)(from + (uint64_t)(k * p->dx * x->pixel));
        if (k == 2)
            emit_pattern(b, A, &out);
        emit_pattern(b, B, &in);
        over_lanes(b, WEFT_OP_MAX, y0, rows, y->w * y->c, f, f, f, WEFT_FUNCTION_none);
    }
}

/* How many of an output's lines can be made once `ready` lines of the input image are there. */
static int64_t lines_possible(const struct pool *p, const struct geometry *x, const struct geometry *y, int64_t ready)
{
    if (ready >= x->h)
        return y->h;
    int64_t reach = ready + p->top - ((p->kh - 1) * p->dy + 1);
    int64_t possible = reach < 0 ? 0 : reach / p->sy + 1;
    return possible < y->h ? possible : y->h;
}

static void max_pool(struct backend *b, struct layer *l, int64_t ready)
{
    const struct geometry *x = &b->places[l->x].g, *y = &b->places[l->y].g;
    struct pool p = pool_of(b, l);
    for (int64_t image = l->emitted_lines / y->h; image < y->n && ready - image * x->h > 0; image++) {
        int64_t first = l->emitted_lines - image * y->h, last = lines_possible(&p, x, y, ready - image * x->h);
        if (last <= first)
            return;
        identity_registers(b, x->format);
        max_lines(b, l, &p, image, first, last);
        l->emitted_lines = image * y->h + last;
        if (last < y->h)
            return;
    }
}

/* Outputs y0..y1 by x0..x1 of all images, each over a window that starts at (top, left) and has the same number of cells inside. */
static void average_part(struct backend *b, const struct layer *l, const struct pool *p, const int64_t ys[2], const int64_t xs[2], int64_t cells)
{
    const struct geometry *x = &b->places[l->x].g, *y = &b->places[l->y].g;
    uint64_t source = place_origin(b, l->x) - (uint64_t)x->origin +
                      (uint64_t)((x->top - p->top + ys[0] * p->sy) * x->line + (x->left - p->left + xs[0] * p->sx) * x->pixel);
    struct geometry part = *y;
    part.h = ys[1] - ys[0];
    part.w = xs[1] - xs[0];
    struct weft_pattern d = lines(place_origin(b, l->y) + (uint64_t)(ys[0] * y->line + xs[0] * y->pixel), &part, own_strides(y), y->element);
    struct weft_pattern a = lines(source, &part, (struct strides4){x->image, p->sy * x->line, p->sx * x->pixel, x->element}, x->element);
    emit_pattern(b, D, &d);
    emit_pattern(b, A, &a);
    emit_set_float(b, REG_A, backend_scale(b, l->x) / ((float)cells * backend_scale(b, l->y)), backend_zero(b, l->x));
    for (int64_t lane = 0, all = part.w * y->c; lane < all; lane += LANES_MAX) {
        struct weft_instr *i = vector_op(b, WEFT_OP_POOL, 0, part.n * part.h, lane, all - lane < LANES_MAX ? all - lane : LANES_MAX, x->format, y->format);
        i->b = i->fmt_b = 0;
        i->reduce = WEFT_REDUCTION_sum;
    }
}

/* First index from `from` whose window has another number of cells inside the input than `from` has. */
static int64_t same_cells(int64_t from, int64_t count, int64_t stride, int64_t pad, int64_t kernel, int64_t extent, int64_t *cells)
{
    int64_t at = from;
    for (; at < count; at++) {
        int64_t start = at * stride - pad, end = start + kernel;
        int64_t inside = (end < extent ? end : extent) - (start > 0 ? start : 0);
        if (at > from && inside != *cells)
            break;
        *cells = inside;
    }
    return at;
}

static void average_pool(struct backend *b, struct layer *l)
{
    const struct geometry *x = &b->places[l->x].g, *y = &b->places[l->y].g;
    struct pool p = pool_of(b, l);
    plain_result(b, l->y, 1);
    emit_set(b, REG_WIN0, (uint32_t)p.kw, (uint32_t)(p.dx * x->pixel));
    emit_set(b, REG_WIN1, (uint32_t)p.kh, (uint32_t)(p.dy * x->line));
    /* with count_include_pad a window counts the padding too, but not what ceil_mode adds behind it */
    int64_t top = p.include_pad ? 0 : p.top, left = p.include_pad ? 0 : p.left;
    int64_t height = x->h + (p.include_pad ? p.top + p.bottom : 0), width = x->w + (p.include_pad ? p.left + p.right : 0);
    int64_t down = 0, across = 0;
    for (int64_t y0 = 0, y1; y0 < y->h; y0 = y1) {
        y1 = same_cells(y0, y->h, p.sy, top, p.kh, height, &down);
        for (int64_t x0 = 0, x1; x0 < y->w; x0 = x1) {
            x1 = same_cells(x0, y->w, p.sx, left, p.kw, width, &across);
            int64_t cells = down * across;
            average_part(b, l, &p, (int64_t[]){y0, y1}, (int64_t[]){x0, x1}, cells > 0 ? cells : 1);
        }
    }
}

void emit_pool(struct backend *b, struct layer *l, int64_t ready)
{
    if (!l->halo_done)
        emit_halo(b, l->y);
    l->halo_done = true;
    if (l->op == CORE_MAXPOOL)
        max_pool(b, l, ready);
    else
        average_pool(b, l);
}

/* --- elementwise ------------------------------------------------------------------------------------------------- */

/* An operand's strides along the result's extents; its dimensions are aligned to the result's from the right. */
static struct strides4 operand_strides(const struct backend *b, int value, int y)
{
    const struct shape *from = &b->graph->values[value].shape, *to = &b->graph->values[y].shape;
    int64_t own[GRAPH_RANK_MAX] = {0}, at[GRAPH_RANK_MAX] = {0};
    place_strides(&b->places[value], from, own);
    for (unsigned d = 0; d < from->rank; d++)
        at[d + to->rank - from->rank] = from->dims[d] == 1 ? 0 : own[d];
    unsigned r = to->rank;
    if (b->places[y].g.spatial)
        return (struct strides4){at[0], r > 3 ? at[r - 2] : 0, r > 2 ? at[r - 1] : 0, at[1]};
    if (r == 2)
        return (struct strides4){at[0], 0, 0, at[1]};
    return (struct strides4){r > 3 ? at[r - 4] : 0, r > 2 ? at[r - 3] : 0, r > 1 ? at[r - 2] : 0, r ? at[r - 1] : 0};
}

static struct weft_pattern operand(const struct backend *b, const struct layer *l, int value, enum weft_format *format)
{
    const struct geometry *y = &b->places[l->y].g;
    if (value_is_constant(&b->graph->values[value])) {
        *format = WEFT_FORMAT_f32;
        return lines(emit_constant_address(b, l->const_offset), y, l->const_strides, 4);
    }
    *format = b->places[value].g.format;
    return lines(place_origin(b, value), y, operand_strides(b, value, l->y), b->places[value].g.element);
}

static float operand_scale(const struct backend *b, int value)
{
    return value_is_constant(&b->graph->values[value]) ? 1 : backend_scale(b, value);
}

static int32_t operand_zero_point(const struct backend *b, int value)
{
    return value_is_constant(&b->graph->values[value]) ? 0 : backend_zero(b, value);
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

void emit_binary(struct backend *b, struct layer *l)
{
    const struct geometry *y = &b->places[l->y].g;
    enum weft_format fa, fb;
    struct weft_pattern a = operand(b, l, l->x, &fa), c = operand(b, l, l->other, &fb), d = lines(place_origin(b, l->y), y, own_strides(y), y->element);
    float sa = operand_scale(b, l->x), sb = operand_scale(b, l->other), sy = backend_scale(b, l->table ? l->preact : l->y);
    bool product = l->op == CORE_MUL || l->op == CORE_DIV;
    emit_pattern(b, D, &d);
    emit_pattern(b, A, &a);
    emit_pattern(b, B, &c);
    emit_set_float(b, REG_A, product ? (l->op == CORE_MUL ? sa * sb / sy : sa / sb / sy) : sa / sy, operand_zero_point(b, l->x));
    emit_set_float(b, REG_B, product ? 1 : sb / sy, operand_zero_point(b, l->other));
    emit_result(b, l, 1);
    over_lanes(b, binary_opcode(l->op), 0, y->n * y->h, y->w * y->c, fa, fb, y->format, layer_function(b, l));
}

void emit_unary(struct backend *b, struct layer *l)
{
    const struct geometry *x = &b->places[l->x].g, *y = &b->places[l->y].g;
    struct weft_pattern d = lines(place_origin(b, l->y), y, own_strides(y), y->element), a = lines(place_origin(b, l->x), y, own_strides(x), x->element);
    emit_pattern(b, D, &d);
    emit_pattern(b, A, &a);
    if (l->table) {
        emit_set_float(b, REG_A, 1, 0);
        emit_result(b, l, 1);
        over_lanes(b, WEFT_OP_COPY, 0, y->n * y->h, y->w * y->c, x->format, 0, y->format, WEFT_FUNCTION_table);
        return;
    }
    bool same = x->format == y->format && backend_scale(b, l->x) == backend_scale(b, l->y) && backend_zero(b, l->x) == backend_zero(b, l->y);
    emit_set_float(b, REG_A, backend_scale(b, l->x) / backend_scale(b, l->y), backend_zero(b, l->x));
    plain_result(b, l->y, 1);
    over_lanes(b, WEFT_OP_COPY, 0, y->n * y->h, y->w * y->c, x->format, 0, y->format, same ? RAW : WEFT_FUNCTION_none);
}

/* --- softmax and local response normalisation -------------------------------------------------------------------- */

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
    emit_set_float(b, REG_OUT, scale, 0);
    emit_set(b, REG_CLAMP, (uint32_t)INT32_MIN, (uint32_t)INT32_MAX);
}

static void softmax_piece(struct backend *b, const struct layer *l, int64_t first, int64_t rows, int64_t piece)
{
    const struct geometry *x = &b->places[l->x].g, *y = &b->places[l->y].g;
    struct weft_pattern source = pixels(place_origin(b, l->x), x), target = pixels(place_origin(b, l->y), y);
    struct weft_pattern e = ring(b->buffers[l->temp[0]].ub, piece, x->c * 4), one = ring(b->buffers[l->temp[1]].ub, piece, 4), each = broadcast(one);
    const enum weft_format f32 = WEFT_FORMAT_f32;
    emit_set_float(b, REG_A, backend_scale(b, l->x), backend_zero(b, l->x));
    emit_set_float(b, REG_B, 1, 0);
    float_result(b, 1);
    emit_pattern(b, D, &one);
    emit_pattern(b, A, &source);
    struct weft_instr *i = vector_op(b, WEFT_OP_REDUCE, first, rows, 0, x->c, x->format, f32);
    i->b = i->fmt_b = 0;
    i->reduce = WEFT_REDUCTION_max;
    emit_pattern(b, D, &e);
    emit_pattern(b, B, &each);
    i = vector_op(b, WEFT_OP_SUB, first, rows, 0, x->c, x->format, f32);
    i->fmt_b = f32;
    i->func = WEFT_FUNCTION_exp;
    emit_set_float(b, REG_A, 1, 0);
    emit_pattern(b, D, &one);
    emit_pattern(b, A, &e);
    i = vector_op(b, WEFT_OP_REDUCE, first, rows, 0, x->c, f32, f32);
    i->b = i->fmt_b = 0;
    i->reduce = WEFT_REDUCTION_sum;
    emit_pattern(b, D, &target);
    plain_result(b, l->y, 1 / backend_scale(b, l->y));
    vector_op(b, WEFT_OP_DIV, first, rows, 0, x->c, f32, y->format)->fmt_b = f32;
}

void emit_softmax(struct backend *b, struct layer *l)
{
    const struct geometry *x = &b->places[l->x].g;
    int64_t rows = x->n * x->h * x->w, piece = (int64_t)b->buffers[l->temp[1]].bytes / 4;
    for (int64_t first = 0; first < rows; first += piece)
        softmax_piece(b, l, first, rows - first < piece ? rows - first : piece, piece);
}

/* y = x (k + alpha / size x sum of squares over `size` channels) ^ -beta, as exp(-beta log(...)). */
static void lrn_piece(struct backend *b, const struct layer *l, int64_t first, int64_t rows, int64_t piece)
{
    const struct geometry *x = &b->places[l->x].g, *y = &b->places[l->y].g;
    const struct attributes *at = &b->graph->nodes[l->node].at;
    const enum weft_format f32 = WEFT_FORMAT_f32;
    int64_t wide = (x->c + at->size) * 4, before = (at->size - 1) / 2;
    uint64_t temp = b->buffers[l->temp[0]].ub;
    struct weft_pattern source = pixels(place_origin(b, l->x), x), target = pixels(place_origin(b, l->y), y);
    struct weft_pattern squares = ring(temp + (uint64_t)before * 4, piece, wide), window = ring(temp, piece, wide);
    struct weft_pattern sums = ring(b->buffers[l->temp[1]].ub, piece, wide), k = broadcast(pattern_blank(emit_constant_address(b, l->const_offset)));
    emit_set_float(b, REG_A, backend_scale(b, l->x), backend_zero(b, l->x));
    emit_set_float(b, REG_B, backend_scale(b, l->x), backend_zero(b, l->x));
    float_result(b, 1);
    emit_pattern(b, D, &squares);
    emit_pattern(b, A, &source);
    emit_pattern(b, B, &source);
    vector_op(b, WEFT_OP_MUL, first, rows, 0, x->c, x->format, f32);
    emit_set_float(b, REG_A, at->alpha / (float)at->size, 0);
    emit_set_float(b, REG_B, 1, 0);
    emit_set(b, REG_WIN0, (uint32_t)at->size, 4);
    emit_set(b, REG_WIN1, 1, 0);
    emit_pattern(b, D, &sums);
    emit_pattern(b, A, &window);
    struct weft_instr *i = vector_op(b, WEFT_OP_POOL, first, rows, 0, x->c, f32, f32);
    i->b = i->fmt_b = 0;
    i->reduce = WEFT_REDUCTION_sum;
    emit_set_float(b, REG_A, 1, 0);
    emit_pattern(b, A, &sums);
    emit_pattern(b, B, &k);
    vector_op(b, WEFT_OP_ADD, first, rows, 0, x->c, f32, f32)->func = WEFT_FUNCTION_log;
    emit_set_float(b, REG_A, -at->beta, 0);
    i = vector_op(b, WEFT_OP_COPY, first, rows, 0, x->c, f32, f32);
    i->b = i->fmt_b = 0;
    i->func = WEFT_FUNCTION_exp;
    emit_set_float(b, REG_A, backend_scale(b, l->x) / backend_scale(b, l->y), backend_zero(b, l->x));
    emit_pattern(b, D, &target);
    emit_pattern(b, A, &source);
    emit_pattern(b, B, &sums);
    plain_result(b, l->y, 1);
    vector_op(b, WEFT_OP_MUL, first, rows, 0, x->c, x->format, y->format)->fmt_b = f32;
}

void emit_lrn(struct backend *b, struct layer *l)
{
    const struct geometry *x = &b->places[l->x].g;
    int64_t line = (x->c + b->graph->nodes[l->node].at.size) * 4, piece = (int64_t)b->buffers[l->temp[0]].bytes / line, rows = x->n * x->h * x->w;
    struct weft_pattern all = pattern_blank(0);
    fill(b, b->buffers[l->temp[0]].ub, &all, 1, b->buffers[l->temp[0]].bytes, 0);
    for (int64_t first = 0; first < rows; first += piece)
        lrn_piece(b, l, first, rows - first < piece ? rows - first : piece, piece);
}
