/* buffers.c: the buffers that hold the values: halos as wide as the widest reader asks for, the layers in front of a concatenation
 * writing into its buffer, lifetimes. Addresses come later (allocate.c). */
#include "emit.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE_BYTES = 131072, PIECE_SHARE = 8 /* but not more than one in so many of the buffer's bytes */ };

bool backend_grow(struct backend *b, void *array, size_t count, int *room, size_t size)
{
    bool grown = graph_grow(array, count, room, size);
    b->out_of_memory |= !grown;
    return grown;
}

int backend_add_buffer(struct backend *b, uint64_t bytes, int first, int last)
{
    if (!backend_grow(b, &b->buffers, (size_t)b->buffer_count, &b->buffer_room, sizeof *b->buffers))
        return 0;
    b->buffers[b->buffer_count] = (struct buffer){.bytes = bytes, .first = first, .last = last};
    return b->buffer_count++;
}

enum { LARGEST_BITS = 40 }; /* bytes of one value: far beyond any buffer, far below overflow */

/* Strides and size from extents, halo and format; bytes is UINT64_MAX where that is more than anyone has. */
void geometry_finish(struct geometry *g)
{
    double size = (double)g->n * (double)(g->top + g->h + g->bottom) * (double)(g->left + g->w + g->right) * (double)g->c * 4;
    if (size > (double)(UINT64_C(1) << LARGEST_BITS)) {
        *g = (struct geometry){.spatial = g->spatial, .n = 1, .h = 1, .w = 1, .c = 1, .format = g->format};
        g->bytes = UINT64_MAX;
        return;
    }
    g->element = weft_format_bytes(g->format);
    g->pixel = g->c * g->element;
    g->line = (g->left + g->w + g->right) * g->pixel;
    g->image = (g->top + g->h + g->bottom) * g->line;
    g->origin = g->top * g->line + g->left * g->pixel;
    g->bytes = (uint64_t)(g->n * g->image);
}

static void need_halo(struct geometry *x, const struct geometry *y, const int64_t kernel[2], const int64_t stride[2], const int64_t dilation[2],
                      int64_t top, int64_t left)
{
    x->top = most(x->top, top);
    x->left = most(x->left, left);
    x->bottom = most(x->bottom, (y->h - 1) * stride[0] + (kernel[0] - 1) * dilation[0] + 1 - top - x->h);
    x->right = most(x->right, (y->w - 1) * stride[1] + (kernel[1] - 1) * dilation[1] + 1 - left - x->w);
}

struct window { int64_t kernel[2], stride[2], dilation[2], top, left; };

static struct window pool_window(const struct backend *b, const struct layer *l)
{
    const struct attributes *at = &b->graph->nodes[l->node].at;
    unsigned one = at->spatial == 1, last = one ? 0 : 1;
    return (struct window){.kernel = {one ? 1 : at->kernel[0], at->kernel[last]},
                           .stride = {one ? 1 : at->stride[0], at->stride[last]},
                           .dilation = {one ? 1 : most(at->dilation[0], 1), most(at->dilation[last], 1)},
                           .top = one ? 0 : at->pad_begin[0],
                           .left = at->pad_begin[last]};
}

static bool has_halo(const struct geometry *g)
{
    return g->top || g->bottom || g->left || g->right;
}

/* The bits of the least number of a format; of floats: minus infinity. */
int32_t geometry_least(enum weft_format format)
{
    return weft_format_is_integer(format) ? weft_format_low(format) : format == WEFT_FORMAT_bf16 ? 0xff80 : INT32_MIN + 0x7f800000;
}

bool pool_pads(const struct backend *b, const struct layer *l)
{
    struct window w = pool_window(b, l);
    struct geometry x = b->places[l->x].g;
    x.top = x.bottom = x.left = x.right = 0;
    need_halo(&x, &b->places[l->y].g, w.kernel, w.stride, w.dilation, w.top, w.left);
    return has_halo(&x);
}

/* A max pool's halo holds the least number. Where that is another code than zero it is the only reader of its operand (layout.c). */
static void widen_pool(struct backend *b, const struct layer *l)
{
    struct window w = pool_window(b, l);
    struct geometry *x = &b->places[l->x].g;
    if (l->op == CORE_MAXPOOL && pool_pads(b, l)) {
        assert(x->fill == geometry_least(x->format) || !has_halo(x));
        x->fill = geometry_least(x->format);
    }
    need_halo(x, &b->places[l->y].g, w.kernel, w.stride, w.dilation, w.top, w.left);
}

static void widen_matrix(struct backend *b, const struct layer *l, int value)
{
    const struct matrix *m = l->m;
    struct geometry *x = &b->places[value].g;
    assert(x->fill == backend_zero(b, value) || (!m->top && !m->left && m->kh == 1 && m->kw == 1));
    need_halo(x, &b->places[l->y].g, (int64_t[]){m->kh, m->kw}, (int64_t[]){m->sy, m->sx}, (int64_t[]){m->dy, m->dx}, m->top, m->left);
}

static void widen(struct backend *b)
{
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *l = &b->layers[i];
        if ((l->kind == LAYER_MATRIX && layer_is_conv(b, l)) || l->kind == LAYER_DEPTHWISE) {
            widen_matrix(b, l, l->x);
            for (unsigned k = 1; k < l->input_count; k++)
                widen_matrix(b, l, l->inputs[k]);
        } else if (l->kind == LAYER_POOL) {
            widen_pool(b, l);
        }
    }
}

int64_t backend_piece_bytes(const struct backend *b)
{
    return least(PIECE_BYTES, (int64_t)(b->machine->ub_bytes / PIECE_SHARE));
}

void layer_temps(struct backend *b, struct layer *l, int index)
{
    const struct geometry *x = &b->places[l->x].g, *y = &b->places[l->y].g;
    if (l->kind == LAYER_DEPTHWISE) {
        depthwise_temps(b, l, index);
    } else if (l->kind == LAYER_DOTS) {
        dots_temps(b, l, index);
    } else if (l->kind == LAYER_SOFTMAX) {
        uint64_t bytes[2];
        softmax_temporaries(bytes, b, l);
        l->temp[0] = backend_add_buffer(b, bytes[0], index, index);
        l->temp[1] = backend_add_buffer(b, bytes[1], index, index);
    } else if (l->kind == LAYER_LRN) {
        int64_t line = x->w * (x->c + b->graph->nodes[l->node].at.size) * 4, piece = most(1, backend_piece_bytes(b) / line);
        piece = piece < x->h ? piece : x->h;
        l->temp[0] = backend_add_buffer(b, (uint64_t)(piece * line), index, index);
        l->temp[1] = backend_add_buffer(b, (uint64_t)(piece * line), index, index);
    } else if (l->kind == LAYER_POOL && l->op == CORE_MAXPOOL) {
        l->temp[0] = backend_add_buffer(b, (uint64_t)(y->h * (x->left + x->w + x->right) * x->pixel), index ? index - 1 : 0, index);
    }
}

static void live(struct backend *b, int value, int index)
{
    if (value == GRAPH_NONE || !b->places[value].placed || b->places[value].buffer < 0)
        return;
    struct buffer *buffer = &b->buffers[b->places[value].buffer];
    buffer->last = buffer->last > index ? buffer->last : index;
    buffer->first = buffer->first < index ? buffer->first : index;
}

/* --- concatenations in place ------------------------------------------------------------------------------------------ */

const struct layer *backend_maker(const struct backend *b, int value)
{
    for (int i = 0; i < b->layer_count; i++)
        if (b->layers[i].y == value)
            return &b->layers[i];
    return NULL;
}

const struct layer *backend_only_reader(const struct backend *b, int value)
{
    const struct layer *reader = NULL;
    for (int i = 0; i < b->layer_count; i++)
        if (layer_reads(&b->layers[i], value)) {
            if (reader)
                return NULL;
            reader = &b->layers[i];
        }
    return graph_is_output(b->graph, value) ? NULL : reader;
}

/* Only layers that take any distance between pixels may read or write a view. */
static bool takes_views(const struct layer *l)
{
    return l->kind == LAYER_MATRIX || l->kind == LAYER_DEPTHWISE || l->kind == LAYER_POOL || l->kind == LAYER_BINARY || l->kind == LAYER_UNARY;
}

static bool may_be_view(const struct backend *b, const struct layer *concat, int value)
{
    const struct place *x = &b->places[value], *y = &b->places[concat->y];
    const struct layer *maker = backend_maker(b, value);
    if (!x->placed || x->view || !maker || !takes_views(maker) || graph_is_output(b->graph, value) || x->g.spatial != y->g.spatial ||
        x->g.format != y->g.format || x->g.fill != y->g.fill || backend_scale(b, value) != backend_scale(b, concat->y))
        return false;
    unsigned times = 0;
    for (unsigned k = 0; k < concat->input_count; k++)
        times += concat->inputs[k] == value;
    for (int i = 0; i < b->layer_count; i++)
        if (&b->layers[i] != concat && layer_reads(&b->layers[i], value) && !takes_views(&b->layers[i]))
            return false;
    return times == 1;
}

/* The extent of a geometry that an axis of its value is (the outermost of them: part of it) and its stride; NULL: none of them. Lines and pixels
 * of images are not among them, for halos would come to lie in between. */
static int64_t *extent_of(struct geometry *g, unsigned rank, int64_t axis, int64_t *stride)
{
    unsigned inner = rank - 1 - (unsigned)axis; /* of a value in C order */
    bool image = axis == 0 && (g->spatial || rank == 2 || inner > 2);
    if (image || (g->spatial ? axis == 1 : inner == 0)) {
        *stride = image ? g->image : g->element;
        return image ? &g->n : &g->c;
    }
    if (g->spatial || inner > 2)
        return NULL;
    *stride = inner == 1 ? g->pixel : g->line;
    return inner == 1 ? &g->w : &g->h;
}

/* The layers in front of a concatenation write into its buffer themselves, where nothing keeps them from it. */
static void mark_views(struct backend *b, const struct layer *concat)
{
    struct geometry *y = &b->places[concat->y].g;
    int64_t stride;
    if (!extent_of(y, b->graph->values[concat->y].shape.rank, b->graph->nodes[concat->node].at.axis, &stride))
        return;
    for (unsigned k = 0; k < concat->input_count; k++) {
        struct place *x = &b->places[concat->inputs[k]];
        if (!may_be_view(b, concat, concat->inputs[k]) || (has_halo(&x->g) && graph_is_output(b->graph, concat->y)))
            continue;
        x->view = true;
        y->top = most(y->top, x->g.top);
        y->bottom = most(y->bottom, x->g.bottom);
        y->left = most(y->left, x->g.left);
        y->right = most(y->right, x->g.right);
    }
}

/* Elements in front of input k of a concatenation along its axis, and of it; *stride: of them in the whole. */
static int64_t extent_before(const struct backend *b, const struct layer *concat, unsigned k, int64_t *own, int64_t *stride)
{
    int64_t before = 0, other;
    struct geometry whole = b->places[concat->y].g;
    unsigned rank = b->graph->values[concat->y].shape.rank;
    int64_t axis = b->graph->nodes[concat->node].at.axis;
    *own = *stride = 0;
    geometry_finish(&whole);
    for (unsigned i = 0; i <= k; i++) {
        struct geometry alone; /* constants have no place, and count too */
        layout_extents(&alone, &b->graph->values[concat->inputs[i]].shape, whole.spatial);
        const int64_t *extent = extent_of(&alone, rank, axis, &other);
        before += *own;
        *own = extent ? *extent : 0;
    }
    extent_of(&whole, rank, axis, stride);
    return before;
}

static void place_views(struct backend *b, const struct layer *concat, int index)
{
    struct place *y = &b->places[concat->y];
    geometry_finish(&y->g);
    y->buffer = backend_add_buffer(b, y->g.bytes, index, index);
    for (unsigned k = 0; k < concat->input_count; k++) {
        struct place *x = &b->places[concat->inputs[k]];
        int64_t own, stride, before = extent_before(b, concat, k, &own, &stride);
        if (!x->view)
            continue;
        x->g = y->g;
        *extent_of(&x->g, b->graph->values[concat->y].shape.rank, b->graph->nodes[concat->node].at.axis, &stride) = own;
        x->g.origin += before * stride;
        x->buffer = y->buffer;
        x->owner = concat->y;
    }
}

enum { RUN = 4096 /* bytes: with shorter runs there would be too many writes */ };

/* An output that nothing else reads, joined of products: they leave by themselves, and it never stands in the buffer as a whole. */
static bool is_joined_outside(const struct backend *b, const struct layer *concat)
{
    const struct geometry *y = &b->places[concat->y].g;
    int64_t own, stride, axis = b->graph->nodes[concat->node].at.axis;
    struct geometry whole = *y;
    geometry_finish(&whole);
    if (!graph_is_output(b->graph, concat->y) || has_halo(y) || resident_output(b, concat->y) || !extent_of(&whole, b->graph->values[concat->y].shape.rank, axis, &stride))
        return false;
    for (int i = 0; i < b->layer_count; i++)
        if (layer_reads(&b->layers[i], concat->y))
            return false;
    for (unsigned k = 0; k < concat->input_count; k++) {
        const struct layer *maker = backend_maker(b, concat->inputs[k]);
        extent_before(b, concat, k, &own, &stride);
        if (!may_be_view(b, concat, concat->inputs[k]) || maker->kind != LAYER_MATRIX || has_halo(&b->places[concat->inputs[k]].g) || own * stride < RUN)
            return false;
    }
    return true;
}

static void join_outside(struct backend *b, const struct layer *concat)
{
    struct place *y = &b->places[concat->y];
    geometry_finish(&y->g);
    y->outside = true;
    for (unsigned k = 0; k < concat->input_count; k++) {
        struct place *x = &b->places[concat->inputs[k]];
        int64_t own, stride, before = extent_before(b, concat, k, &own, &stride);
        x->piece = true;
        x->owner = concat->y;
        x->host_offset = (uint64_t)(before * stride);
    }
}

static void concat_in_place(struct backend *b)
{
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *concat = &b->layers[i];
        if (concat->op != CORE_CONCAT)
            continue;
        if (is_joined_outside(b, concat)) {
            join_outside(b, concat);
            continue;
        }
        mark_views(b, concat);
        place_views(b, concat, i);
    }
}

static void make_buffers(struct backend *b)
{
    for (unsigned i = 0; i < b->graph->input_count; i++) {
        struct place *p = &b->places[b->graph->inputs[i]];
        if (p->placed) {
            geometry_finish(&p->g);
            p->buffer = backend_add_buffer(b, p->g.bytes, 0, 0);
        }
    }
    for (int i = 0; i < b->layer_count; i++) {
        struct layer *l = &b->layers[i];
        struct place *p = &b->places[l->y];
        if (p->buffer < 0)
            geometry_finish(&p->g);
        if (l->kind == LAYER_ALIAS && (has_halo(&b->places[l->x].g) || has_halo(&p->g)))
            l->kind = LAYER_MOVE;
        if (p->buffer >= 0 || p->outside)
            ; /* a concatenation, or a part of one */
        else if (l->kind == LAYER_ALIAS)
            p->buffer = b->places[l->x].buffer;
        else
            p->buffer = backend_add_buffer(b, p->g.bytes, l->kind == LAYER_POOL && i ? i - 1 : i, i);
        if (l->sums) {
            geometry_finish(&b->places[l->sums - 1].g);
            b->places[l->sums - 1].buffer = backend_add_buffer(b, b->places[l->sums - 1].g.bytes, i, i);
        }
        layer_temps(b, l, i);
        live(b, l->y, i);
        live(b, l->x, i);
        live(b, l->other, i);
        live(b, l->residual, i);
        for (unsigned k = 0; k < l->input_count; k++)
            live(b, l->inputs[k], i);
    }
    for (int v = 0; v < b->graph->value_count; v++)
        if (b->places[v].piece || graph_is_output(b->graph, v))
            live(b, v, b->layer_count); /* until it has left */
}

/* The places as they are before concatenations share buffers: spill.c begins again from here. */
static enum weft_status keep_places(struct backend *b)
{
    free(b->wide);
    b->wide_count = b->graph->value_count;
    b->wide = malloc(((size_t)b->wide_count + 1) * sizeof *b->wide);
    if (!b->wide)
        return WEFT_NO_MEMORY;
    memcpy(b->wide, b->places, (size_t)b->wide_count * sizeof *b->wide);
    for (int v = 0; v < b->wide_count; v++)
        if (b->wide[v].placed)
            geometry_finish(&b->wide[v].g);
    return WEFT_OK;
}

enum weft_status backend_buffers(struct backend *b)
{
    widen(b);
    enum weft_status status = keep_places(b);
    if (status)
        return status;
    concat_in_place(b);
    make_buffers(b);
    for (int v = 0; v < b->graph->value_count; v++)
        if (b->places[v].placed && b->places[v].g.bytes == UINT64_MAX)
            return weft_error(b->diag, "%s: value '%s' with its padding is larger than any buffer", b->graph->name, b->graph->values[v].name);
    return WEFT_OK;
}
