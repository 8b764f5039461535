/* bands.c: a layer band by band. Its result is cut along one dimension; each operand is cut with it, with the lines (or pixels of each line) that a window
 * reaches beyond, or is there as a whole. All bands of a layer have the same size, so they share one mapping and one set of tiles; the last one begins
 * early enough to end where the result ends, and works out again what it shares with the one before. */
#include "spill.h"

#include <string.h>

enum { RUNS_MAX = 4096 /* transfers of one band */, LINES = 2 /* ONNX's dimension of lines, of an image */ };

/* What a dimension is of a value's geometry. What stands in C order is made of rows. */
enum axis { AXIS_ROWS, AXIS_IMAGES, AXIS_LINES, AXIS_PIXELS /* of every line */, AXIS_CHANNELS /* of every pixel */, AXIS_DEPTHS /* of a volume: not cut */ };

static const struct shape *shape_of(const struct spill *s, int value)
{
    return &s->b->graph->values[value].shape;
}

static const struct place *wide(const struct spill *s, int value)
{
    return &s->b->wide[value];
}

static enum axis axis_of(const struct spill *s, int value, int d)
{
    int rank = (int)shape_of(s, value)->rank;
    if (!wide(s, value)->g.spatial)
        return AXIS_ROWS;
    if (d < LINES)
        return d == 0 ? AXIS_IMAGES : AXIS_CHANNELS;
    return d + 1 == rank ? AXIS_PIXELS : rank == LINES + 2 ? AXIS_LINES : AXIS_DEPTHS;
}

static bool is_constant(const struct spill *s, int value)
{
    return value_is_constant(&s->b->graph->values[value]);
}

static bool has_windows(const struct layer *l)
{
    return l->kind == LAYER_POOL || l->kind == LAYER_DEPTHWISE || l->kind == LAYER_LRN;
}

static bool in_lines(const struct spill *s, const struct layer *l)
{
    return has_windows(l) || (l->kind == LAYER_MATRIX && layer_is_conv(s->b, l));
}

/* Elements between two neighbours of dimension d in C order. */
static int64_t behind(const struct shape *shape, unsigned d)
{
    int64_t count = 1;
    for (unsigned i = d + 1; i < shape->rank; i++)
        count *= shape->dims[i];
    return count;
}

/* The dimension of x that runs beside dimension d of a reshaped y. */
static int reshaped(const struct shape *x, const struct shape *y, unsigned d)
{
    for (unsigned e = 0; e < x->rank; e++)
        if (x->dims[e] == y->dims[d] && behind(x, e) == behind(y, d))
            return (int)e;
    return BAND_NONE;
}

/* Aligned from the right: the same extent, or one element for all. */
static int aligned(const struct shape *x, const struct shape *y, unsigned d)
{
    if (d + x->rank < y->rank)
        return BAND_WHOLE;
    unsigned e = d + x->rank - y->rank;
    return x->dims[e] == y->dims[d] ? (int)e : x->dims[e] == 1 ? BAND_WHOLE : BAND_NONE;
}

static int same(const struct shape *x, const struct shape *y, unsigned d)
{
    return x->rank == y->rank && x->dims[d] == y->dims[d] ? (int)d : BAND_NONE;
}

static int moved(const struct spill *s, const struct layer *l, const struct shape *x, const struct shape *y, unsigned d)
{
    const struct attributes *at = l->node == GRAPH_NONE ? NULL : &s->b->graph->nodes[l->node].at;
    switch (l->op) {
    case CORE_OPS:
    case CORE_CAST:
        return same(x, y, d);
    case CORE_CONCAT:
        return at->axis == (int64_t)d ? BAND_NONE : same(x, y, d);
    case CORE_PAD:
        return at->begins[d] || at->ends[d] ? BAND_NONE : same(x, y, d);
    case CORE_SLICE:
        return at->steps[d] < 1 ? BAND_NONE : (int)d;
    case CORE_TRANSPOSE:
        return (int)at->perm[d];
    case CORE_EXPAND:
        return aligned(x, y, d);
    case CORE_RESHAPE:
        return wide(s, l->y)->permuted[0] ? BAND_NONE : reshaped(x, y, d);
    default:
        return BAND_NONE;
    }
}

int bands_dimension(const struct spill *s, const struct layer *l, int value, int cut)
{
    const struct shape *x = shape_of(s, value), *y = shape_of(s, l->y);
    unsigned d = (unsigned)cut;
    if (value == l->y)
        return cut;
    switch (l->kind) {
    case LAYER_MATRIX:
        if (in_lines(s, l))
            return cut;
        if (channels_are(s, l, cut))
            return !channels_may(s, l) ? BAND_NONE : value == l->residual ? same(x, y, d) : BAND_WHOLE;
        return same(x, y, d);
    case LAYER_PRODUCT:
        return product_bands_dimension(s, l, value, cut);
    case LAYER_POOL:
    case LAYER_DEPTHWISE:
    case LAYER_LRN:
        return cut;
    case LAYER_BINARY:
    case LAYER_UNARY:
        return aligned(x, y, d);
    case LAYER_SOFTMAX:
        return s->b->graph->nodes[l->node].at.axis == cut ? BAND_NONE : same(x, y, d);
    case LAYER_REDUCE:
        return l->reduced >> d & 1 ? BAND_NONE : same(x, y, d);
    case LAYER_MOVE:
        return moved(s, l, x, y, d);
    default:
        return BAND_NONE;
    }
}

/* Pieces of memory that a band of dimension d is made of; 0: not of whole pieces. */
static int64_t runs(const struct spill *s, int value, unsigned d)
{
    const struct geometry *g = &wide(s, value)->g;
    int64_t count = 1;
    switch (axis_of(s, value, (int)d)) {
    case AXIS_IMAGES:
        return 1;
    case AXIS_LINES:
        return g->n;
    case AXIS_PIXELS:
        return g->n * (g->top + g->h + g->bottom);
    case AXIS_CHANNELS:
        return g->n * (g->top + g->h + g->bottom) * (g->left + g->w + g->right);
    case AXIS_DEPTHS:
        return 0;
    case AXIS_ROWS:
        break;
    }
    for (unsigned i = 0; i < d; i++)
        count *= shape_of(s, value)->dims[i];
    return count;
}

static bool may_be_cut(const struct spill *s, const struct layer *l, int value, int cut)
{
    int d = bands_dimension(s, l, value, cut);
    if (d < 0)
        return d == BAND_WHOLE;
    int64_t count = runs(s, value, (unsigned)d);
    return count > 0 && count <= RUNS_MAX;
}

static bool operands_may(const struct spill *s, const struct layer *l, int cut)
{
    int values[] = {l->x, l->other, l->residual, l->y};
    for (unsigned i = 0; i < sizeof values / sizeof values[0]; i++)
        if (values[i] != GRAPH_NONE && !is_constant(s, values[i]) && wide(s, values[i])->placed && !may_be_cut(s, l, values[i], cut))
            return false;
    for (unsigned k = 0; k < l->input_count; k++)
        if (is_constant(s, l->inputs[k]) || !may_be_cut(s, l, l->inputs[k], cut))
            return false;
    return true;
}

/* --- windows ------------------------------------------------------------------------------------------------------------------- */

struct window { int64_t kernel, stride, dilation, before; };

static struct window window_of(const struct spill *s, const struct layer *l, enum axis axis)
{
    const struct matrix *m = l->m;
    if (l->kind == LAYER_MATRIX || l->kind == LAYER_DEPTHWISE)
        return axis == AXIS_LINES ? (struct window){m->kh, m->sy, m->dy, m->top} : (struct window){m->kw, m->sx, m->dx, m->left};
    if (l->kind != LAYER_POOL)
        return (struct window){1, 1, 1, 0};
    const struct attributes *at = &s->b->graph->nodes[l->node].at;
    unsigned k = axis == AXIS_LINES ? 0 : at->spatial - 1;
    return (struct window){at->kernel[k], at->stride[k], at->dilation[k] ? at->dilation[k] : 1, at->pad_begin[k]};
}

/* Elements of a geometry along its lines or pixels, and the halo on both sides. */
struct extent { int64_t before, count, after; };

static struct extent extent_of(const struct geometry *g, enum axis axis)
{
    return axis == AXIS_LINES ? (struct extent){g->top, g->h, g->bottom} : axis == AXIS_PIXELS ? (struct extent){g->left, g->w, g->right} : (struct extent){0, 0, 0};
}

/* Lines and pixels of an operand are cut with the result's, and where a channel reads no other so are channels. A max pool's temporary takes bands of equal width, which windows in the padding alone would not have. */
static bool may_slide(const struct spill *s, const struct layer *l, int d)
{
    enum axis axis = axis_of(s, l->y, d);
    if (!in_lines(s, l) || axis != AXIS_PIXELS)
        return !in_lines(s, l) || (axis == AXIS_CHANNELS ? l->kind == LAYER_DEPTHWISE || l->kind == LAYER_POOL : axis != AXIS_DEPTHS);
    struct window w = window_of(s, l, axis);
    int64_t last = (shape_of(s, l->y)->dims[d] - 1) * w.stride - w.before;
    return w.before <= (w.kernel - 1) * w.dilation && last < extent_of(&wide(s, l->x)->g, axis).count;
}

/* --- the dimension that is cut --------------------------------------------------------------------------------------------------- */

/* The outermost in memory that can be, of those that are not given up. */
int bands_choose(const struct spill *s, const struct layer *l, uint32_t without)
{
    const struct shape *y = shape_of(s, l->y);
    int64_t strides[GRAPH_RANK_MAX] = {0};
    int best = BAND_NONE;
    place_strides(wide(s, l->y), y, strides);
    for (unsigned d = 0; d < y->rank; d++)
        if (y->dims[d] > 1 && !(without >> d & 1) && may_slide(s, l, (int)d) && (best < 0 || strides[d] > strides[best]) && operands_may(s, l, (int)d))
            best = (int)d;
    return best;
}

/* --- bands ----------------------------------------------------------------------------------------------------------------------- */

static bool slides(const struct spill *s, const struct layer *l, int value, enum axis axis, bool beside)
{
    return in_lines(s, l) && (axis == AXIS_LINES || axis == AXIS_PIXELS) && value != l->y && !beside;
}

/* A value that is read where the result is written: its own halo goes with its first and last elements. */
static struct band beside_band(const struct spill *s, const struct layer *l, int value, int cut, int64_t start, int64_t size)
{
    struct extent e = extent_of(&wide(s, value)->g, axis_of(s, value, bands_dimension(s, l, value, cut)));
    struct band band = {start, size, 0, 0};
    if (l->kind == LAYER_MOVE && l->op == CORE_SLICE && value == l->x) {
        const struct attributes *at = &s->b->graph->nodes[l->node].at;
        band.first = at->begins[cut] + start * at->steps[cut];
        band.count = (size - 1) * at->steps[cut] + 1;
    }
    band.above = band.first == 0 ? e.before : 0;
    band.below = band.first + band.count == e.count ? e.after : 0;
    return band;
}

struct band bands_of(const struct spill *s, const struct layer *l, int value, int cut, int64_t start, int64_t size, bool beside)
{
    enum axis axis = axis_of(s, value, cut);
    if (!slides(s, l, value, axis, beside))
        return beside_band(s, l, value, cut, start, size);
    struct window w = window_of(s, l, axis);
    struct band band = {0, 0, 0, 0};
    int64_t count = extent_of(&wide(s, value)->g, axis).count;
    int64_t first = start * w.stride - w.before, end = (start + size - 1) * w.stride - w.before + (w.kernel - 1) * w.dilation + 1;
    band.first = most(least(first, count - 1), 0);
    band.count = most(least(end, count) - band.first, 1); /* 1: a window that lies in the padding alone */
    band.above = most(-first, 0);
    band.below = most(end - count, 0);
    return band;
}

/* --- places -------------------------------------------------------------------------------------------------------------------- */

static void of_lines(struct place *p, const struct geometry *whole, const struct band *band, bool within, struct transfer *t)
{
    struct geometry *g = &p->g;
    int64_t top = whole->top + band->first - band->above;
    g->h = band->count;
    g->top = band->above;
    g->bottom = band->below;
    geometry_finish(g);
    *t = (struct transfer){.home = (uint64_t)(top * whole->line), .home_step = (uint64_t)whole->image, .step = (uint64_t)g->image, .bytes = (uint64_t)g->image, .runs = g->n};
    if (within) {
        g->image = whole->image;
        p->offset += (uint64_t)(top * whole->line);
    }
}

/* A run for each line, those of the halo above and below too. */
static void of_pixels(struct place *p, const struct geometry *whole, const struct band *band, bool within, struct transfer *t)
{
    struct geometry *g = &p->g;
    int64_t left = whole->left + band->first - band->above;
    g->w = band->count;
    g->left = band->above;
    g->right = band->below;
    geometry_finish(g);
    *t = (struct transfer){.home = (uint64_t)(left * whole->pixel), .home_step = (uint64_t)whole->line, .step = (uint64_t)g->line, .bytes = (uint64_t)g->line, .runs = g->n * (g->top + g->h + g->bottom)};
    if (within) {
        g->line = whole->line;
        g->image = whole->image;
        g->origin = g->top * g->line + g->left * g->pixel;
        p->offset += (uint64_t)(left * whole->pixel);
    }
}

/* A run for each pixel, those of the halo too. Within its whole lies a band of a single pixel alone. */
static void of_channels(struct place *p, const struct geometry *whole, const struct band *band, bool within, struct transfer *t)
{
    struct geometry *g = &p->g;
    g->c = band->count;
    geometry_finish(g);
    *t = (struct transfer){.home = (uint64_t)(band->first * whole->element), .home_step = (uint64_t)whole->pixel, .step = (uint64_t)g->pixel, .bytes = (uint64_t)g->pixel, .runs = (int64_t)g->bytes / g->pixel};
    if (within)
        p->offset += t->home;
}

static void of_images(struct place *p, const struct geometry *whole, const struct band *band, bool within, struct transfer *t)
{
    p->g.n = band->count;
    geometry_finish(&p->g);
    *t = (struct transfer){.home = (uint64_t)(band->first * whole->image), .bytes = p->g.bytes, .runs = 1};
    if (within)
        p->offset += t->home;
}

static void of_rows(struct place *p, const struct shape *whole, const struct shape *shape, int d, const struct band *band, bool within, struct transfer *t)
{
    struct geometry old = p->g;
    int64_t strides[GRAPH_RANK_MAX] = {0}, outer = 1;
    place_strides(p, whole, strides);
    for (int i = 0; i < d; i++)
        outer *= whole->dims[i];
    layout_extents(&p->g, shape, false);
    p->g.format = old.format;
    p->g.fill = old.fill;
    geometry_finish(&p->g);
    int64_t stride = strides[d];
    *t = (struct transfer){.home = (uint64_t)(band->first * stride), .home_step = (uint64_t)(whole->dims[d] * stride), .step = (uint64_t)(band->count * stride),
                           .bytes = (uint64_t)(band->count * stride), .runs = outer};
    if (within)
        p->offset += t->home;
}

struct place bands_place(const struct spill *s, int value, int d, const struct band *band, bool within, struct shape *shape, struct transfer *t)
{
    struct place p = *wide(s, value);
    const struct shape *whole = shape_of(s, value);
    struct geometry g = p.g;
    *shape = *whole;
    shape->dims[d] = band->count;
    p.part = within;
    switch (axis_of(s, value, d)) {
    case AXIS_ROWS:
        of_rows(&p, whole, shape, d, band, within, t);
        break;
    case AXIS_LINES:
        of_lines(&p, &g, band, within, t);
        break;
    case AXIS_PIXELS:
        of_pixels(&p, &g, band, within, t);
        break;
    case AXIS_CHANNELS:
        of_channels(&p, &g, band, within, t);
        break;
    case AXIS_IMAGES:
    case AXIS_DEPTHS:
        of_images(&p, &g, band, within, t);
    }
    t->value = value;
    t->output = -1;
    return p;
}

/* Elements of a band, the last of which may be shorter where it is channels. */
int64_t bands_size(const struct spill *s, const struct layer *l, int cut, int64_t bands)
{
    int64_t extent = shape_of(s, l->y)->dims[cut];
    return channels_are(s, l, cut) ? channels_size(s, l, extent, bands) : ceil_div(extent, bands);
}

/* Within its whole, a band must lie in one piece or have the whole's distances. */
bool bands_lie_within(const struct spill *s, int value, int d)
{
    enum axis axis = axis_of(s, value, d);
    return axis == AXIS_IMAGES || axis == AXIS_LINES || axis == AXIS_PIXELS || runs(s, value, (unsigned)d) == 1;
}

/* Cut where it is outermost in memory. */
uint64_t bands_block(const struct spill *s, const struct layer *l, int cut)
{
    const struct shape *y = shape_of(s, l->y);
    uint64_t step = l->block ? (uint64_t)l->const_strides[cut] : 0;
    for (unsigned d = 0; d < y->rank; d++)
        step = l->const_strides[d] > (int64_t)step ? 0 : step;
    return step;
}

static bool contiguous(const struct spill *s, int value)
{
    const struct geometry *g = &wide(s, value)->g;
    return value == GRAPH_NONE || (!g->top && !g->bottom && !g->left && !g->right);
}

/* Padding of the layer as a whole. */
static struct padding padding_of(const struct spill *s, const struct layer *l)
{
    if (l->kind == LAYER_MATRIX || l->kind == LAYER_DEPTHWISE)
        return (struct padding){.top = l->m->top, .left = l->m->left};
    if (l->kind != LAYER_POOL)
        return (struct padding){0};
    const struct attributes *at = &s->b->graph->nodes[l->node].at;
    unsigned w = at->spatial - 1;
    struct padding p = {.left = at->pad_begin[w], .right = at->pad_end[w]};
    if (w) {
        p.top = at->pad_begin[0];
        p.bottom = at->pad_end[0];
    }
    return p;
}

void bands_adjust(const struct spill *s, struct layer *copy, const struct layer *row, int cut, int64_t start, int64_t size)
{
    enum axis axis = axis_of(s, row->y, cut);
    copy->band.used = true;
    copy->band.flat = contiguous(s, row->x) && contiguous(s, row->y) && contiguous(s, row->residual);
    copy->band.cut = cut;
    copy->band.first = start;
    copy->band.padding = padding_of(s, row);
    if (!slides(s, row, row->x, axis, false))
        return;
    struct window w = window_of(s, row, axis);
    struct band band = bands_of(s, row, row->x, cut, start, size, false);
    struct padding *p = &copy->band.padding;
    int64_t *before = axis == AXIS_LINES ? &p->top : &p->left, *after = axis == AXIS_LINES ? &p->bottom : &p->right;
    *before = band.first - (start * w.stride - w.before);
    *after = least(*after, band.below); /* beyond the padding a window has what ceil_mode adds */
}
