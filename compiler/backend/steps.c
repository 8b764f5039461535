/* steps.c: layers that take the machine several instructions become as many layers, with values in fp32 (or small integers) between them. Each
 * is as large as its own operands ask for, so that what depends on a mask or a scale alone is worked out once. */
#include "fuse.h"
#include "steps.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS_MAX = 32 /* of one layer */, FOLDED_LEAST = 1024 /* numbers of a constant that is made once */ };

struct vector_step step_of(enum weft_opcode op)
{
    return (struct vector_step){.used = true, .op = op, .mul_a = 1, .mul_b = 1, .mul_out = 1, .low = INT32_MIN, .high = INT32_MAX};
}

bool steps_are_constant(const struct steps *s, int value)
{
    return value != GRAPH_NONE && value_is_constant(&s->b->graph->values[value]);
}

/* There is room for all: backend_steps counted. */
static struct layer *append(struct steps *s)
{
    assert(s->count < s->room);
    return &s->items[s->count++];
}

static void append_step(struct steps *s, enum layer_kind kind, struct vector_step step, int x, int other, int y, const char *name)
{
    struct layer *layer = append(s);
    *layer = (struct layer){.kind = kind, .op = s->layer.op, .node = s->layer.node, .name = strdup(name), .x = x, .other = other, .y = y, .residual = GRAPH_NONE,
                            .function = GRAPH_NONE, .preact = GRAPH_NONE, .temp = {-1, -1, -1, -1}, .step = step};
    s->b->out_of_memory |= !layer->name;
}

static enum layer_kind kind_of(struct vector_step step)
{
    return step.op == WEFT_OP_COPY ? LAYER_UNARY : LAYER_BINARY;
}

/* --- values between ---------------------------------------------------------------------------------------------------- */

static struct shape broadcast(const struct steps *s, int a, int other)
{
    struct shape x = s->b->graph->values[a].shape;
    if (other == GRAPH_NONE)
        return x;
    struct shape y = s->b->graph->values[other].shape, out = {.rank = x.rank > y.rank ? x.rank : y.rank};
    for (unsigned d = 0; d < out.rank; d++) {
        int64_t dx = d + x.rank >= out.rank ? x.dims[d + x.rank - out.rank] : 1, dy = d + y.rank >= out.rank ? y.dims[d + y.rank - out.rank] : 1;
        out.dims[d] = dx == 1 ? dy : dx;
    }
    return out;
}

static enum element element_for(enum weft_format format)
{
    switch (format) {
    case WEFT_FORMAT_u8: return ELEMENT_U8;
    case WEFT_FORMAT_s8: return ELEMENT_S8;
    case WEFT_FORMAT_s16: return ELEMENT_S16;
    case WEFT_FORMAT_s32: return ELEMENT_S32;
    default: return ELEMENT_F32;
    }
}

static void name_value(struct steps *s, char *out, size_t size)
{
    snprintf(out, size, "%.200s/step%d", s->b->graph->values[s->layer.y].name, ++s->made);
}

static int add_value(struct steps *s, const struct shape *shape, enum weft_format format, enum element element)
{
    char name[256];
    name_value(s, name, sizeof name);
    int value = graph_add_value(s->b->graph, name, element, shape);
    s->b->out_of_memory |= value < 0;
    if (value < 0)
        return GRAPH_NONE;
    if (element == ELEMENT_F32)
        s->b->graph->values[value].q = (struct quantisation){.known = true, .format = format, .scale = 1};
    return value;
}

/* --- constants --------------------------------------------------------------------------------------------------------- */

static int add_constant(struct steps *s, const struct shape *shape, const float *numbers)
{
    char name[256];
    name_value(s, name, sizeof name);
    int value = graph_add_constant(s->b->graph, name, ELEMENT_F32, shape, numbers);
    s->b->out_of_memory |= value < 0;
    return value < 0 ? GRAPH_NONE : value;
}

int steps_constant(struct steps *s, float x)
{
    return add_constant(s, &(struct shape){0}, &x);
}

bool steps_uniform(const struct steps *s, int value, double *out)
{
    if (!steps_are_constant(s, value))
        return false;
    int64_t count = shape_count(&s->b->graph->values[value].shape);
    double x = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!value_at(s->b->graph, value, i, i ? &x : out))
            return false;
        if (i && x != *out)
            return false;
    }
    return count > 0;
}

/* The machine's own arithmetic (docs/isa.md), for one element. */
static float evaluate(const struct vector_step *step, float a, float b, enum weft_format format)
{
    a *= step->mul_a;
    b *= step->mul_b;
    float f = a;
    switch (step->op) {
    case WEFT_OP_ADD: f = a + b; break;
    case WEFT_OP_SUB: f = a - b; break;
    case WEFT_OP_MUL: f = a * b; break;
    case WEFT_OP_DIV: f = a / b; break;
    case WEFT_OP_MAX: f = a != a || b != b ? NAN : a > b ? a : b; break;
    case WEFT_OP_MIN: f = a != a || b != b ? NAN : a < b ? a : b; break;
    default: break;
    }
    f = weft_apply(step->function, f, 0) * step->mul_out;
    return weft_format_is_integer(format) ? (float)weft_requantise(f, step->add, step->low, step->high) : f;
}

static int64_t index_in(const struct shape *from, const struct shape *box, int64_t i)
{
    int64_t index = 0, stride = 1;
    for (unsigned d = box->rank; d-- > 0; i /= box->dims[d])
        if (d + from->rank >= box->rank) {
            int64_t extent = from->dims[d + from->rank - box->rank];
            index += extent > 1 ? i % box->dims[d] * stride : 0;
            stride *= extent;
        }
    return index;
}

/* The same constant, or the same single number. */
static bool same_constant(const struct steps *s, int a, int b)
{
    struct graph *g = s->b->graph;
    double x, y;
    bool single = a != b && a != GRAPH_NONE && b != GRAPH_NONE && shape_count(&g->values[a].shape) == 1 && shape_count(&g->values[b].shape) == 1;
    return a == b || (single && value_at(g, a, 0, &x) && value_at(g, b, 0, &y) && x == y);
}

static bool same_step(const struct vector_step *a, const struct vector_step *b)
{
    return a->op == b->op && a->function == b->function && a->mul_a == b->mul_a && a->mul_b == b->mul_b && a->mul_out == b->mul_out && a->add == b->add && a->low == b->low && a->high == b->high;
}

/* A mask that every layer of a network makes anew is made once. */
static bool find_folded(const struct steps *s, struct folded *like, const struct shape *box)
{
    for (int i = 0; i < s->b->folded_count; i++) {
        const struct folded *f = &s->b->folded[i];
        if (f->format == like->format && shape_equal(&s->b->graph->values[f->value].shape, box) && same_step(&f->step, &like->step) && same_constant(s, f->from[0], like->from[0]) && same_constant(s, f->from[1], like->from[1])) {
            like->value = f->value;
            return true;
        }
    }
    return false;
}

static int fold(struct steps *s, struct vector_step step, int a, int other, enum weft_format format)
{
    struct graph *g = s->b->graph;
    struct shape box = broadcast(s, a, other);
    int64_t count = shape_count(&box);
    struct folded made = {step, {a, other}, format, GRAPH_NONE};
    if (count >= FOLDED_LEAST && find_folded(s, &made, &box))
        return made.value;
    float *out = calloc((size_t)count + 1, sizeof *out);
    if (!out) {
        s->b->out_of_memory = true;
        return GRAPH_NONE;
    }
    for (int64_t i = 0; i < count; i++) {
        double x = 0, y = 0; /* absent contents: a program for timing only */
        value_at(g, a, index_in(&g->values[a].shape, &box, i), &x);
        if (other != GRAPH_NONE)
            value_at(g, other, index_in(&g->values[other].shape, &box, i), &y);
        out[i] = evaluate(&step, (float)x, (float)y, format);
    }
    made.value = add_constant(s, &box, out);
    free(out);
    if (count >= FOLDED_LEAST && made.value != GRAPH_NONE && backend_grow(s->b, &s->b->folded, (size_t)s->b->folded_count, &s->b->folded_room, sizeof made))
        s->b->folded[s->b->folded_count++] = made;
    return made.value;
}

/* --- steps --------------------------------------------------------------------------------------------------------------- */

int steps_add(struct steps *s, struct vector_step step, int a, int other, enum weft_format format)
{
    if (a == GRAPH_NONE || s->b->out_of_memory)
        return GRAPH_NONE;
    if (steps_are_constant(s, a) && (other == GRAPH_NONE || steps_are_constant(s, other)))
        return fold(s, step, a, other, format);
    struct shape shape = broadcast(s, a, other);
    int y = add_value(s, &shape, format, element_for(format));
    if (y != GRAPH_NONE)
        append_step(s, kind_of(step), step, a, other, y, s->b->graph->values[y].name);
    return y;
}

void steps_last(struct steps *s, struct vector_step step, int a, int other)
{
    if (a == GRAPH_NONE || s->b->out_of_memory)
        return;
    append_step(s, kind_of(step), step, a, other, s->layer.y, s->layer.name);
}

/* The same numbers in another shape; or their absence, in a program for timing only. */
static int reshape_constant(struct steps *s, int value, const struct shape *shape)
{
    struct graph *g = s->b->graph;
    char name[256];
    name_value(s, name, sizeof name);
    const void *bytes = value_bytes(g, value);
    bool absent = g->values[value].contents == CONTENTS_ABSENT;
    int out = bytes ? graph_add_constant(g, name, g->values[value].element, shape, bytes) : absent ? graph_add_value(g, name, g->values[value].element, shape) : GRAPH_NONE;
    s->b->out_of_memory |= out < 0;
    if (out >= 0 && absent)
        g->values[out].contents = CONTENTS_ABSENT;
    return out < 0 ? GRAPH_NONE : out;
}

int steps_reshape(struct steps *s, int value, const struct shape *shape)
{
    struct graph *g = s->b->graph;
    if (steps_are_constant(s, value))
        return reshape_constant(s, value, shape);
    int out = add_value(s, shape, backend_format(s->b, value), g->values[value].element);
    if (out == GRAPH_NONE)
        return out;
    g->values[out].q = g->values[value].q;
    append_step(s, LAYER_MOVE, (struct vector_step){0}, value, GRAPH_NONE, out, g->values[out].name);
    if (!s->b->out_of_memory)
        s->items[s->count - 1].op = CORE_RESHAPE;
    return out;
}

void steps_narrow(struct steps *s, int value)
{
    append_step(s, LAYER_MOVE, (struct vector_step){0}, value, GRAPH_NONE, s->layer.y, s->layer.name);
}

int steps_reduce(struct steps *s, int value, uint32_t reduced)
{
    struct shape shape = s->b->graph->values[value].shape;
    for (unsigned d = 0; d < shape.rank; d++)
        shape.dims[d] = reduced >> d & 1 ? 1 : shape.dims[d];
    int y = add_value(s, &shape, WEFT_FORMAT_f32, ELEMENT_F32);
    if (y == GRAPH_NONE)
        return y;
    append_step(s, LAYER_REDUCE, (struct vector_step){0}, value, GRAPH_NONE, y, s->b->graph->values[y].name);
    s->items[s->count - 1].reduced = reduced;
    return y;
}

void steps_reduce_last(struct steps *s, int value, uint32_t reduced)
{
    if (value == GRAPH_NONE)
        return;
    append_step(s, LAYER_REDUCE, (struct vector_step){0}, value, GRAPH_NONE, s->layer.y, s->layer.name);
    s->items[s->count - 1].reduced = reduced;
}

static enum weft_status take_apart(struct steps *s, struct layer *layer)
{
    s->layer = *layer;
    s->made = 0;
    enum weft_status status = recipe_make(s);
    free(layer->name);
    return status;
}

enum weft_status backend_steps(struct backend *b)
{
    int composed = 0;
    for (int i = 0; i < b->layer_count; i++)
        composed += b->layers[i].kind == LAYER_STEPS;
    if (!composed)
        return WEFT_OK;
    struct steps s = {.b = b, .room = b->layer_count + composed * STEPS_MAX};
    s.items = calloc((size_t)s.room, sizeof *s.items);
    enum weft_status status = s.items ? WEFT_OK : WEFT_NO_MEMORY;
    for (int i = 0; s.items && i < b->layer_count; i++)
        if (b->layers[i].kind != LAYER_STEPS)
            *append(&s) = b->layers[i];
        else if (take_apart(&s, &b->layers[i]))
            status = WEFT_ERROR;
    if (!s.items)
        return status;
    free(b->layers);
    b->layers = s.items;
    b->layer_count = s.count;
    b->layer_room = s.room;
    return b->out_of_memory ? WEFT_NO_MEMORY : status;
}
