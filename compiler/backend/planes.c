/* planes.c: products of reals beyond the array's own format. A real is the sum of two or three bf16 numbers (planes), each next to what
 * the ones before leave: 16 or 24 bits. The array multiplies plane by plane (formats.def); weights are split when they are written
 * (tiles.c), activations by the vector unit, in layers put in front of the first product that reads them:
 *
 *   plane 0 = bf16(x)     plane 1 = bf16(x - plane 0)     rest = x - plane 0     plane 2 = bf16(rest - plane 1)
 *
 * All these differences are exact. */
#include "backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLANES_MAX = 3, STEPS_MAX = 4 /* layers that split one value */ };

struct splitter {
    struct backend *b;
    struct layer *layers; int count; /* the new sequence */
    int (*made)[PLANES_MAX];       /* by value id: its planes, once they are there */
};

int planes_pairs(const struct backend *b, const struct layer *l)
{
    int p = l->m->integer || !b->planes ? 1 : b->planes;
    return p * (p + 1) / 2;
}

static void append(struct splitter *s, const struct layer *layer)
{
    s->layers[s->count++] = *layer; /* there is room for all */
}

/* A value in the same place as x, in another format. */
static int add_value(struct backend *b, int x, const char *what, enum weft_format format)
{
    char name[256];
    struct shape shape = b->graph->values[x].shape; /* a copy: adding a value moves the others */
    snprintf(name, sizeof name, "%.200s/%s", b->graph->values[x].name, what);
    int value = graph_add_value(b->graph, name, ELEMENT_F32, &shape);
    struct place *grown = value < 0 ? NULL : realloc(b->places, (size_t)b->graph->value_count * sizeof *grown);
    if (!grown) {
        b->out_of_memory = true;
        return GRAPH_NONE;
    }
    b->places = grown;
    b->places[value] = b->places[x];
    b->places[value].g.format = format;
    b->graph->values[value].q = (struct quantisation){.known = true, .format = format, .scale = 1};
    return value;
}

/* y = format(x), or format(x - other). */
static int add_step(struct splitter *s, int x, int other, const char *what, enum weft_format format)
{
    struct backend *b = s->b;
    int y = add_value(b, x, what, format);
    if (y == GRAPH_NONE)
        return y;
    struct layer layer = {.kind = other == GRAPH_NONE ? LAYER_UNARY : LAYER_BINARY, .op = other == GRAPH_NONE ? CORE_CAST : CORE_SUB, .node = GRAPH_NONE,
                          .name = strdup(b->graph->values[y].name), .x = x, .other = other, .y = y, .residual = GRAPH_NONE, .function = GRAPH_NONE,
                          .preact = GRAPH_NONE, .temp = {-1, -1, -1, -1}};
    b->out_of_memory |= !layer.name;
    append(s, &layer);
    return y;
}

static void split(struct splitter *s, int x, int planes[PLANES_MAX])
{
    planes[0] = add_step(s, x, GRAPH_NONE, "plane0", WEFT_FORMAT_bf16);
    if (planes[0] == GRAPH_NONE)
        return;
    planes[1] = add_step(s, x, planes[0], "plane1", WEFT_FORMAT_bf16);
    if (s->b->planes < 3 || planes[1] == GRAPH_NONE)
        return;
    int rest = add_step(s, x, planes[0], "rest", WEFT_FORMAT_f32);
    planes[2] = rest == GRAPH_NONE ? GRAPH_NONE : add_step(s, rest, planes[1], "plane2", WEFT_FORMAT_bf16);
}

static void give_planes(struct splitter *s, struct layer *l)
{
    int x = l->x;
    if (s->made[x][0] == GRAPH_NONE)
        split(s, x, s->made[x]);
    l->x = s->made[x][0];
    l->input_count = (unsigned)s->b->planes;
    for (unsigned p = 0; p < l->input_count; p++)
        l->inputs[p] = s->made[x][p];
}

/* Both operands of a product of computed values: the planes of the first, then of the second. */
static void give_both_planes(struct splitter *s, struct layer *l)
{
    int operands[2] = {l->x, l->other};
    for (int k = 0; k < 2; k++) {
        if (s->made[operands[k]][0] == GRAPH_NONE)
            split(s, operands[k], s->made[operands[k]]);
        for (int p = 0; p < s->b->planes; p++)
            l->inputs[l->input_count++] = s->made[operands[k]][p];
    }
    l->x = s->made[operands[0]][0];
    l->other = s->made[operands[1]][0];
}

static bool wants_planes(const struct backend *b, const struct layer *l)
{
    return l->kind == LAYER_MATRIX && !l->m->integer && b->places[l->x].g.format == WEFT_FORMAT_f32;
}

enum weft_status backend_planes(struct backend *b)
{
    if (b->planes < 2)
        return WEFT_OK;
    struct splitter s = {.b = b};
    s.made = malloc(((size_t)b->graph->value_count + 1) * sizeof *s.made);
    s.layers = calloc((size_t)b->layer_count * (2 * STEPS_MAX + 1) + 1, sizeof *s.layers);
    if (!s.made || !s.layers) {
        free(s.made);
        free(s.layers);
        return WEFT_NO_MEMORY;
    }
    memset(s.made, 0xff, ((size_t)b->graph->value_count + 1) * sizeof *s.made); /* GRAPH_NONE */
    for (int i = 0; i < b->layer_count; i++) {
        struct layer layer = b->layers[i];
        if (wants_planes(b, &layer))
            give_planes(&s, &layer);
        else if (layer.kind == LAYER_PRODUCT)
            give_both_planes(&s, &layer);
        append(&s, &layer);
    }
    free(s.made);
    free(b->layers);
    b->layers = s.layers;
    b->layer_room = b->layer_count * (2 * STEPS_MAX + 1) + 1;
    b->layer_count = s.count;
    return b->out_of_memory ? WEFT_NO_MEMORY : WEFT_OK;
}
