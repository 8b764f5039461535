/* layout.c: where each value's elements stand relative to each other in the unified buffer, and which layers must move bytes
 * because two neighbours want different orders. Convolutions and pools want channels last; products of matrices and
 * reshapes want C order. */
#include "backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum wish { WISH_ANY, WISH_SPATIAL, WISH_PLAIN };

void layout_extents(struct geometry *g, const struct shape *shape, bool spatial)
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
        int64_t stride = g->line;
        for (unsigned i = r; i-- > 2;) {
            strides[i] = i + 1 == r ? g->pixel : stride;
            stride *= i + 1 == r ? 1 : shape->dims[i];
        }
        return;
    }
    if (r == 2) {
        strides[0] = g->image;
        strides[1] = g->element;
        return;
    }
    int64_t stride = g->image;
    for (unsigned i = r; i-- > 0;) {
        unsigned inner = r - 1 - i;
        strides[i] = inner == 0 ? g->element : inner == 1 ? g->pixel : inner == 2 ? g->line : stride;
        stride *= inner > 2 ? shape->dims[i] : 1;
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

bool layer_is_conv(const struct backend *b, const struct layer *l)
{
    enum core_op op = b->graph->nodes[l->node].op;
    return op == CORE_CONV || op == CORE_QCONV || op == CORE_CONV_INTEGER;
}

/* Two of three dimensions are two runs in any order, whatever lies between; other reductions count their runs in C order. */
static bool reduces_anywhere(const struct backend *b, const struct layer *l)
{
    uint32_t inner = 2 | 4 | 8;
    return b->graph->values[l->x].shape.rank <= 4 && !(l->reduced & ~inner) && l->reduced != inner;
}

static enum wish wish_of(const struct backend *b, const struct layer *l)
{
    if (l->kind == LAYER_PRODUCT || l->kind == LAYER_DOTS)
        return WISH_PLAIN;
    if (l->kind == LAYER_MATRIX)
        return layer_is_conv(b, l) ? WISH_SPATIAL : WISH_PLAIN;
    if (l->kind == LAYER_POOL || l->kind == LAYER_LRN)
        return WISH_SPATIAL;
    if (l->kind == LAYER_REDUCE && !reduces_anywhere(b, l))
        return WISH_PLAIN;
    return WISH_ANY;
}

bool layer_reads(const struct layer *l, int value)
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
    layout_extents(&p->g, &b->graph->values[value].shape, spatial);
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
    if (!backend_grow(b, &s->items, (size_t)s->count, &s->room, sizeof *s->items))
        return NULL;
    s->items[s->count] = (struct layer){0};
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
            (b->layers[i].kind != LAYER_MATRIX || layer_is_conv(b, &b->layers[i]) || b->layers[i].x != value || b->layers[i].residual == value))
            return false;
    return !graph_is_output(b->graph, value);
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

/* Another layer that reads the value may count on them; and so does the host, which puts zero points around an input that it quantises. */
static bool others_want_zeros(const struct backend *b, int value)
{
    int readers = 0;
    bool quantised = backend_value_is_real(b, value) && weft_format_is_integer(b->places[value].g.format);
    for (int i = 0; i < b->layer_count; i++)
        readers += layer_reads(&b->layers[i], value);
    for (unsigned i = 0; i < b->graph->input_count; i++)
        readers += quantised && b->graph->inputs[i] == value;
    return readers > 1;
}

/* A max pool pads with the least number, everybody else with zero. Where those are different codes the pool gets a copy of its own. */
static void copy_for_pool(struct backend *b, struct sequence *s, struct layer *l)
{
    const struct geometry *x = &b->places[l->x].g;
    if (!pool_pads(b, l) || x->fill == geometry_least(x->format) || !others_want_zeros(b, l->x))
        return;
    struct layer *made = append(b, s);
    if (!made)
        return;
    l->x = relayout(b, made, l->x, true);
    made->kind = LAYER_MOVE;
}

static void arrange(struct backend *b, struct sequence *s, struct layer layer)
{
    place(b, layer.y, output_is_spatial(b, &layer));
    if (layer.sums)
        place(b, layer.sums - 1, false);
    bool wishes = wish_of(b, &layer) != WISH_ANY; /* the vector unit reads any order */
    if (wishes || layer.kind == LAYER_MATRIX) {
        bool spatial = operand_order(b, &layer);
        fix_operand(b, s, &layer.x, spatial);
        fix_operand(b, s, &layer.other, spatial);
        fix_operand(b, s, &layer.residual, spatial);
    }
    if (layer.kind == LAYER_POOL && layer.op == CORE_MAXPOOL)
        copy_for_pool(b, s, &layer);
    if (layer.op == CORE_RESHAPE)
        arrange_reshape(b, &layer);
    if (layer.kind == LAYER_MATRIX)
        memcpy(layer.m->permuted, b->places[layer.x].permuted, sizeof layer.m->permuted);
    struct layer *slot = append(b, s);
    if (slot)
        *slot = layer;
}

enum weft_status backend_layout(struct backend *b)
{
    b->places = calloc((size_t)b->graph->value_count + 1, sizeof *b->places);
    if (!b->places)
        return WEFT_NO_MEMORY;
    for (unsigned i = 0; i < b->graph->input_count; i++) {
        int v = b->graph->inputs[i];
        place(b, v, !lookup_of(b, v) && !resident_input(b, v) && b->graph->values[v].shape.rank > 2 && readers_want_spatial(b, v, b->graph->values[v].shape.rank == 4));
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
    backend_depthwise(b);
    enum weft_status status = backend_planes(b);
    if (!status)
        status = backend_buffers(b);
    return b->out_of_memory ? WEFT_NO_MEMORY : status;
}
