/* emit_pool.c: max pools as pairwise maxima down the columns and along the lines; average pools as sums over windows. */
#include "emit_vector.h"

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
    if (l->band.used) {
        p.top = l->band.padding.top;
        p.bottom = l->band.padding.bottom;
        p.left = l->band.padding.left;
        p.right = l->band.padding.right;
    }
    return p;
}

static void identity_registers(struct backend *b, enum weft_format f)
{
    bool integer = weft_format_is_integer(f);
    emit_set_float(b, REG_mul_a, 1, 0);
    emit_set_float(b, REG_mul_b, 1, 0);
    emit_set_float(b, REG_mul_out, 1, 0);
    emit_set(b, REG_clamp_low, (uint32_t)(integer ? weft_format_low(f) : INT32_MIN), (uint32_t)(integer ? weft_format_high(f) : INT32_MAX));
}

/* The channels of pixels that follow each other. */
static struct weft_pattern pixels_of(uint64_t base, const struct geometry *g)
{
    struct weft_pattern p = pattern_blank(base);
    if (g->pixel != g->c * g->element) {
        p.run_length = (uint32_t)g->c;
        p.run_stride = (uint32_t)g->pixel;
    }
    return p;
}

/* Maximum of windows of the lines y0..y1 of one image: down the columns into a temporary, then along the lines. Pairwise
 * maxima take k - 1 operations for a window of k. */
static void max_lines(struct backend *b, const struct layer *l, const struct pool *p, int64_t image, int64_t y0, int64_t y1)
{
    const struct geometry *x = &b->places[l->x].g, *y = &b->places[l->y].g;
    enum weft_format f = x->format;
    uint64_t source = place_origin(b, l->x) + (uint64_t)(image * x->image - p->top * x->line - x->left * x->pixel);
    uint64_t temp = b->buffers[l->temp[0]].ub, target = place_origin(b, l->y) + (uint64_t)(image * y->image);
    int64_t pixels = x->left + x->w + x->right, own = x->c * x->element /* of a pixel; in a concatenation others stand beside it */, wide = pixels * x->c, rows = y1 - y0;
    struct weft_pattern d = pattern_blank(temp), a = pixels_of(source, x), c = a;
    d.stride0 = (uint32_t)(pixels * own);
    a.stride0 = c.stride0 = (uint32_t)(p->sy * x->line);
    bool columns = p->kh > 1;
    for (int64_t k = 1; k < p->kh; k++) {
        c.base = (uint32_t)(source + (uint64_t)(k * p->dy * x->line));
        emit_pattern(b, D, &d);
        emit_pattern(b, A, k == 1 ? &a : &d);
        emit_pattern(b, B, &c);
        vector_over_lanes(b, WEFT_OP_MAX, y0, rows, wide, f, f, f, WEFT_FUNCTION_none);
    }
    int64_t pixel = columns ? own : x->pixel;
    uint64_t from = (columns ? temp : source) + (uint64_t)((x->left - p->left) * pixel);
    struct weft_pattern out = pixels_of(target, y), in = pattern_blank(from);
    out.stride0 = (uint32_t)y->line;
    in.stride0 = columns ? d.stride0 : a.stride0;
    in.run_length = (uint32_t)x->c;
    in.run_stride = (uint32_t)(p->sx * pixel);
    emit_pattern(b, D, &out);
    emit_pattern(b, A, &in);
    if (p->kw == 1)
        vector_over_lanes(b, WEFT_OP_COPY, y0, rows, y->w * y->c, f, f, f, RAW);
    for (int64_t k = 1; k < p->kw; k++) {
        in.base = (uint32_t)(from + (uint64_t)(k * p->dx * pixel));
        if (k == 2)
            emit_pattern(b, A, &out);
        emit_pattern(b, B, &in);
        vector_over_lanes(b, WEFT_OP_MAX, y0, rows, y->w * y->c, f, f, f, WEFT_FUNCTION_none);
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
    uint64_t source = place_origin(b, l->x) + (uint64_t)((ys[0] * p->sy - p->top) * x->line + (xs[0] * p->sx - p->left) * x->pixel);
    struct geometry part = *y;
    part.h = ys[1] - ys[0];
    part.w = xs[1] - xs[0];
    struct weft_pattern d = vector_lines(place_origin(b, l->y) + (uint64_t)(ys[0] * y->line + xs[0] * y->pixel), &part, vector_strides(y), y->element);
    struct weft_pattern a = vector_lines(source, &part, (struct strides4){x->image, p->sy * x->line, p->sx * x->pixel, x->element}, x->element);
    emit_pattern(b, D, &d);
    emit_pattern(b, A, &a);
    emit_set_float(b, REG_mul_a, backend_scale(b, l->x) / ((float)cells * backend_scale(b, l->y)), backend_zero(b, l->x));
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
    vector_result(b, l->y, 1);
    emit_set(b, REG_win_count0, (uint32_t)p.kw, (uint32_t)(p.dx * x->pixel));
    emit_set(b, REG_win_count1, (uint32_t)p.kh, (uint32_t)(p.dy * x->line));
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
    emit_halo(b, l->y);
    if (l->op == CORE_MAXPOOL)
        max_pool(b, l, ready);
    else
        average_pool(b, l);
}
