/* layout.c: where each value's elements stand relative to each other in the unified buffer, and which layers must move bytes
 * because two neighbours want different orders. Convolutions and pools want channels last; products of matrices and
 * reshapes want C order. Halos are as wide as the widest reader asks for. */
#include "backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum wish { WISH_ANY, WISH_SPATIAL, WISH_PLAIN };

enum { TEMP_BYTES = 131072 }; /* a softmax or LRN works in pieces about this large */

int backend_add_buffer(struct backend *b, uint64_t bytes, int first, int last)
{
    if (b->buffer_count == b->buffer_room) {
        int room = b->buffer_room ? 2 * b->buffer_room : 64;
        struct buffer *grown = realloc(b->buffers, (size_t)room * sizeof *grown);
        if (!grown) {
            b->out_of_memory = true;
            return 0;
        }
        b->buffers = grown;
        b->buffer_room = room;
    }
    b->buffers[b->buffer_count] = (struct buffer){.bytes = bytes, .first = first, .last = last};
    return b->buffer_count++;
}

/* Strides and size from extents, halo and format. */
void geometry_finish(struct geometry *g)
{
    g->element = weft_format_bytes(g->format);
    g->pixel = g->c * g->element;
    g->line = (g->left + g->w + g->right) * g->pixel;
    g->image = (g->top + g->h + g->bottom) * g->line;
    g->origin = g->top * g->line + g->left * g->pixel;
    g->bytes = (uint64_t)(g->n * g->image);
}

static void extents(struct geometry *g, const struct shape *shape, bool spatial)
{
    unsigned r = shape->rank;
    const int64_t *d = shape->dims;
    *g = (struct geometry){.spatial = spatial, .n = 1, .h = 1, .w = 1, .c = 1};
    if (spatial) {
        g->n = d[0];
        g->c = d[1];
        g->w = r > 2 ? d[r - 1] : 1;
        for (unsigned i = 2; i + 1 < r; i++)
            g->h *= d[i];
        return;
    }
    g->c = r > 0 ? d[r - 1] : 1;
    g->w = r > 1 ? d[r - 2] : 1;
    g->h = r > 2 ? d[r - 3] : 1;
    for (unsigned i = 0; i + 3 < r; i++)
        g->n *= d[i];
    if (r == 2) { /* rows of a matrix are images, so that a batch is a batch */
        g->n = g->w;
        g->w = 1;
    }
}

void place_strides(const struct place *p, const struct shape *shape, int64_t strides[GRAPH_RANK_MAX])
{
    unsigned r = shape->rank;
    const struct geometry *g = &p->g;
    if (g->spatial) {
        strides[0] = g->image;
        strides[1] = g->element;
        for (unsigned i = 2; i < r; i++)
            strides[i] = i + 1 == r ? g->pixel : i + 2 == r ? g->line : g->line * shape->dims[r - 2];
        return;
    }
    if (r == 2) {
        strides[0] = g->image;
        strides[1] = g->element;
        return;
    }
    int64_t stride = g->element;
    for (unsigned i = r; i-- > 0;) {
        strides[i] = stride;
        stride *= shape->dims[i];
    }
}

uint64_t place_origin(const struct backend *b, int value)
{
    const struct place *p = &b->places[value];
    return b->buffers[p->buffer].ub + p->offset + (uint64_t)p->g.origin;
}

/* Both orders are the same bytes: at most two dimensions that are not 1 besides the batch, channels the last of them. */
static bool orders_agree(const struct shape *shape)
{
    int64_t spatial = 1;
    for (unsigned i = 2; i < shape->rank; i++)
        spatial *= shape->dims[i];
    return shape->rank <= 2 || spatial == 1 || shape->dims[1] == 1;
}

static bool is_conv(const struct backend *b, const struct layer *l)
{
    enum core_op op = b->graph->nodes[l->node].op;
    return op == CORE_CONV || op == CORE_QCONV || op == CORE_CONV_INTEGER;
}

static enum wish wish_of(const struct backend *b, const struct layer *l)
{
    if (l->kind == LAYER_MATRIX)
        return is_conv(b, l) ? WISH_SPATIAL : WISH_PLAIN;
    if (l->kind == LAYER_POOL || l->kind == LAYER_LRN)
        return WISH_SPATIAL;
    if (l->kind == LAYER_SOFTMAX)
        return b->graph->nodes[l->node].at.axis == b->graph->values[l->x].shape.rank - 1 ? WISH_PLAIN : WISH_SPATIAL;
    return WISH_ANY;
}

static bool layer_reads(const struct layer *l, int value)
{
    for (unsigned k = 0; k < l->input_count; k++)
        if (l->inputs[k] == value)
            return true;
    return l->x == value || l->other == value || l->residual == value;
}

/* What the readers of a value want, the first strong wish deciding. */
static bool readers_want_spatial(const struct backend *b, int value, bool otherwise)
{
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *l = &b->layers[i];
        enum wish wish = layer_reads(l, value) ? wish_of(b, l) : WISH_ANY;
        if (wish != WISH_ANY)
            return wish == WISH_SPATIAL;
    }
    return otherwise;
}

static bool output_is_spatial(const struct backend *b, const struct layer *l)
{
    const struct shape *x = &b->graph->values[l->x].shape, *y = &b->graph->values[l->y].shape;
    enum wish wish = wish_of(b, l);
    if (wish != WISH_ANY)
        return wish == WISH_SPATIAL;
    if (l->op == CORE_RESHAPE || y->rank < 3)
        return false;
    bool from_x = b->places[l->x].g.spatial && x->rank == y->rank;
    if (l->kind == LAYER_BINARY && l->other != GRAPH_NONE && b->places[l->other].placed)
        from_x = (b->places[l->x].g.spatial || b->places[l->other].g.spatial) && x->rank == y->rank &&
                 b->graph->values[l->other].shape.rank == y->rank;
    return l->kind == LAYER_MOVE ? readers_want_spatial(b, l->y, from_x) : from_x;
}

static void place(struct backend *b, int value, bool spatial)
{
    struct place *p = &b->places[value];
    extents(&p->g, &b->graph->values[value].shape, spatial);
    p->g.format = backend_format(b, value);
    p->g.fill = backend_zero(b, value);
    p->placed = true;
    p->buffer = -1;
}

/* A copy of `value` in the other order, made by a layer of its own before the reader. */
static int relayout(struct backend *b, struct layer *made, int value, bool spatial)
{
    struct shape shape = b->graph->values[value].shape; /* a copy: adding a value moves the others */
    char name[256];
    snprintf(name, sizeof name, "%.200s/%s", b->graph->values[value].name, spatial ? "channels_last" : "c_order");
    int copy = graph_add_value(b->graph, name, b->graph->values[value].element, &shape);
    struct place *grown = copy < 0 ? NULL : realloc(b->places, (size_t)b->graph->value_count * sizeof *grown);
    if (!grown) {
        b->out_of_memory = true;
        return value;
    }
    b->places = grown;
    b->places[copy] = (struct place){0};
    b->graph->values[copy].q = b->graph->values[value].q;
    place(b, copy, spatial);
    *made = (struct layer){.kind = orders_agree(&shape) ? LAYER_ALIAS : LAYER_MOVE, .op = CORE_OPS, .node = GRAPH_NONE,
                           .name = strdup(name), .x = value, .other = GRAPH_NONE, .y = copy, .residual = GRAPH_NONE, .function = GRAPH_NONE,
                           .preact = GRAPH_NONE, .temp = {-1, -1, -1, -1}};
    return copy;
}

/* The layers with relayouts between them, in a new array. */
struct sequence { struct layer *items; int count, room; };

static struct layer *append(struct backend *b, struct sequence *s)
{
    if (s->count == s->room) {
        int room = s->room ? 2 * s->room : 64;
        struct layer *grown = realloc(s->items, (size_t)room * sizeof *grown);
        if (!grown) {
            b->out_of_memory = true;
            return NULL;
        }
        s->items = grown;
        s->room = room;
    }
    return &s->items[s->count++];
}

static void fix_operand(struct backend *b, struct sequence *s, int *value, bool spatial)
{
    if (*value == GRAPH_NONE || !b->places[*value].placed || b->places[*value].g.spatial == spatial || b->graph->values[*value].shape.rank <= 2)
        return;
    struct layer *made = append(b, s);
    if (made)
        *value = relayout(b, made, *value, spatial);
}

/* All readers of y are products with constant weights, whose rows can be put in the order in which y's bytes stand. */
static bool only_products_read(const struct backend *b, int value)
{
    for (int i = 0; i < b->layer_count; i++)
        if (layer_reads(&b->layers[i], value) &&
            (b->layers[i].kind != LAYER_MATRIX || is_conv(b, &b->layers[i]) || b->layers[i].x != value || b->layers[i].residual == value))
            return false;
    for (unsigned i = 0; i < b->graph->output_count; i++)
        if (b->graph->outputs[i] == value)
            return false;
    return true;
}

static void arrange_reshape(struct backend *b, struct layer *l)
{
    const struct shape *x = &b->graph->values[l->x].shape, *y = &b->graph->values[l->y].shape;
    bool spatial = b->places[l->x].g.spatial;
    if (!spatial || orders_agree(x)) {
        l->kind = LAYER_ALIAS;
    } else if (x->rank <= 4 && y->rank == 2 && y->dims[0] == x->dims[0] && only_products_read(b, l->y)) {
        struct place *p = &b->places[l->y];
        p->permuted[0] = x->dims[1];
        p->permuted[1] = b->places[l->x].g.h;
        p->permuted[2] = b->places[l->x].g.w;
        l->kind = LAYER_ALIAS; /* a MOVE after all, if x gets a halo */
    }
}

static bool operand_order(const struct backend *b, const struct layer *l)
{
    enum wish wish = wish_of(b, l);
    if (wish != WISH_ANY)
        return wish == WISH_SPATIAL;
    return b->places[l->y].g.spatial;
}

static void arrange(struct backend *b, struct sequence *s, struct layer layer)
{
    place(b, layer.y, output_is_spatial(b, &layer));
    bool any = layer.kind == LAYER_MOVE; /* moves read any order */
    if (!any) {
        bool spatial = operand_order(b, &layer);
        fix_operand(b, s, &layer.x, spatial);
        fix_operand(b, s, &layer.other, spatial);
        fix_operand(b, s, &layer.residual, spatial);
    }
    if (layer.op == CORE_RESHAPE)
        arrange_reshape(b, &layer);
    if (layer.kind == LAYER_MATRIX)
        memcpy(layer.m->permuted, b->places[layer.x].permuted, sizeof layer.m->permuted);
    struct layer *slot = append(b, s);
    if (slot)
        *slot = layer;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
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

/* A max pool's halo must hold the least number; that is the zero point of most values, but not of all. */
static bool halo_by_pool(struct backend *b, const struct layer *l, struct geometry *x)
{
    struct window w = pool_window(b, l);
    struct geometry before = *x;
    need_halo(x, &b->places[l->y].g, w.kernel, w.stride, w.dilation, w.top, w.left);
    bool pads = w.top || w.left || x->bottom > 0 || x->right > 0;
    if (l->op != CORE_MAXPOOL || !pads)
        return true;
    int32_t low = weft_format_is_integer(x->format) ? weft_format_low(x->format) : 0;
    if (x->fill == low)
        return true;
    if (has_halo(&before))
        return false;
    x->fill = low;
    return true;
}

static enum weft_status widen(struct backend *b)
{
    for (int i = 0; i < b->layer_count; i++) {
        struct layer *l = &b->layers[i];
        struct geometry *x = &b->places[l->x].g;
        if (l->kind == LAYER_MATRIX && is_conv(b, l)) {
            const struct matrix *m = l->m;
            if (x->fill != backend_zero(b, l->x) && (m->top || m->left || m->kh > 1 || m->kw > 1))
                return weft_error(b->diag, "%s: layer %s: its input is also padded for a max pool with a signed range; pad with an explicit Pad node",
                                  b->graph->name, l->name);
            need_halo(x, &b->places[l->y].g, (int64_t[]){m->kh, m->kw}, (int64_t[]){m->sy, m->sx}, (int64_t[]){m->dy, m->dx}, m->top, m->left);
        } else if (l->kind == LAYER_POOL && !halo_by_pool(b, l, x)) {
            return weft_error(b->diag, "%s: layer %s: a padded max pool and a padded convolution read the same signed value; "
                              "insert a Relu or pad explicitly", b->graph->name, l->name);
        }
    }
    return WEFT_OK;
}

static void add_temps(struct backend *b, struct layer *l, int index)
{
    const struct geometry *x = &b->places[l->x].g, *y = &b->places[l->y].g;
    if (l->kind == LAYER_SOFTMAX) {
        int64_t rows = x->n * x->h * x->w, piece = most(1, TEMP_BYTES / (4 * x->c));
        piece = piece < rows ? piece : rows;
        l->temp[0] = backend_add_buffer(b, (uint64_t)(piece * x->c * 4), index, index);
        l->temp[1] = backend_add_buffer(b, (uint64_t)(piece * 4), index, index);
    } else if (l->kind == LAYER_LRN) {
        int64_t line = x->w * (x->c + b->graph->nodes[l->node].at.size) * 4, piece = most(1, TEMP_BYTES / line);
        piece = piece < x->h ? piece : x->h;
        l->temp[0] = backend_add_buffer(b, (uint64_t)(piece * line), index, index);
        l->temp[1] = backend_add_buffer(b, (uint64_t)(piece * line), index, index);
    } else if (l->kind == LAYER_POOL && l->op == CORE_MAXPOOL) {
        l->temp[0] = backend_add_buffer(b, (uint64_t)(y->h * x->line), index ? index - 1 : 0, index);
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

static const struct layer *maker_of(const struct backend *b, int value)
{
    for (int i = 0; i < b->layer_count; i++)
        if (b->layers[i].y == value)
            return &b->layers[i];
    return NULL;
}

static bool is_graph_output(const struct backend *b, int value)
{
    for (unsigned i = 0; i < b->graph->output_count; i++)
        if (b->graph->outputs[i] == value)
            return true;
    return false;
}

/* Only layers that take any distance between pixels may read or write a view. */
static bool takes_views(const struct layer *l)
{
    return l->kind == LAYER_MATRIX || l->kind == LAYER_BINARY || l->kind == LAYER_UNARY;
}

static bool may_be_view(const struct backend *b, const struct layer *concat, int value)
{
    const struct place *x = &b->places[value], *y = &b->places[concat->y];
    const struct layer *maker = maker_of(b, value);
    if (!x->placed || x->view || !maker || !takes_views(maker) || is_graph_output(b, value) || x->g.spatial != y->g.spatial ||
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

/* The layers in front of a concatenation of channels write into its buffer themselves, where nothing keeps them from it. */
static void mark_views(struct backend *b, const struct layer *concat)
{
    struct geometry *y = &b->places[concat->y].g;
    const struct shape *shape = &b->graph->values[concat->y].shape;
    if (b->graph->nodes[concat->node].at.axis != 1 || (!y->spatial && shape->rank != 2) || is_graph_output(b, concat->y))
        return;
    for (unsigned k = 0; k < concat->input_count; k++) {
        struct place *x = &b->places[concat->inputs[k]];
        if (!may_be_view(b, concat, concat->inputs[k]))
            continue;
        x->view = true;
        y->top = most(y->top, x->g.top);
        y->bottom = most(y->bottom, x->g.bottom);
        y->left = most(y->left, x->g.left);
        y->right = most(y->right, x->g.right);
    }
}

static void place_views(struct backend *b, const struct layer *concat, int index)
{
    struct place *y = &b->places[concat->y];
    geometry_finish(&y->g);
    y->buffer = backend_add_buffer(b, y->g.bytes, index, index);
    int64_t channel = 0;
    for (unsigned k = 0; k < concat->input_count; k++) {
        struct place *x = &b->places[concat->inputs[k]];
        int64_t channels = x->g.c;
        if (x->view) {
            x->g = y->g;
            x->g.c = channels;
            x->g.origin += channel * y->g.element;
            x->buffer = y->buffer;
        }
        channel += channels;
    }
}

static void concat_in_place(struct backend *b)
{
    for (int i = 0; i < b->layer_count; i++)
        if (b->layers[i].op == CORE_CONCAT) {
            mark_views(b, &b->layers[i]);
            place_views(b, &b->layers[i], i);
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
        if (p->buffer >= 0)
            ; /* a concatenation, or a part of one */
        else if (l->kind == LAYER_ALIAS)
            p->buffer = b->places[l->x].buffer;
        else
            p->buffer = backend_add_buffer(b, p->g.bytes, l->kind == LAYER_POOL && i ? i - 1 : i, i);
        add_temps(b, l, i);
        live(b, l->y, i);
        live(b, l->x, i);
        live(b, l->other, i);
        live(b, l->residual, i);
        for (unsigned k = 0; k < l->input_count; k++)
            live(b, l->inputs[k], i);
    }
    for (unsigned i = 0; i < b->graph->output_count; i++)
        live(b, b->graph->outputs[i], b->layer_count);
}

static enum weft_status check_softmax(const struct backend *b)
{
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *l = &b->layers[i];
        if (l->kind != LAYER_SOFTMAX)
            continue;
        int64_t axis = b->graph->nodes[l->node].at.axis;
        unsigned rank = b->graph->values[l->x].shape.rank;
        if (axis != 1 && axis != rank - 1)
            return weft_error(b->diag, "%s: node %s (Softmax): axis %lld of %u dimensions; supported are 1 (channels) and the last", b->graph->name,
                              l->name, (long long)axis, rank);
        if (b->places[l->x].g.c > 65535)
            return weft_error(b->diag, "%s: node %s (Softmax): %lld lanes; at most 65535 are supported", b->graph->name, l->name,
                              (long long)b->places[l->x].g.c);
    }
    return WEFT_OK;
}

enum weft_status backend_layout(struct backend *b)
{
    b->places = calloc((size_t)b->graph->value_count + 1, sizeof *b->places);
    if (!b->places)
        return WEFT_NO_MEMORY;
    for (unsigned i = 0; i < b->graph->input_count; i++) {
        int v = b->graph->inputs[i];
        place(b, v, b->graph->values[v].shape.rank > 2 && readers_want_spatial(b, v, b->graph->values[v].shape.rank == 4));
    }
    struct sequence s = {0};
    for (int i = 0; i < b->layer_count; i++)
        arrange(b, &s, b->layers[i]);
    free(b->layers);
    b->layers = s.items;
    b->layer_count = s.count;
    b->layer_room = s.room;
    if (b->out_of_memory)
        return WEFT_NO_MEMORY;
    enum weft_status status = check_softmax(b);
    if (!status)
        status = widen(b);
    if (!status)
        concat_in_place(b);
    if (!status)
        make_buffers(b);
    return b->out_of_memory ? WEFT_NO_MEMORY : status;
}
