/* joined.c: which operands of a concatenation take its scale. Those that do are written where they are joined, or are copied byte by byte; their integers are rounded
 * once. The others keep a scale of their own, and the copy requantises them.
 *
 *   who reads the operand                                       it takes the scale
 *   concatenations alone: no digit counts but those joined      always
 *   others too, whose digits it would cost                      where the joint range is at most SHARE_MOST times its own
 */
#include "backend.h"

#include <math.h>
#include <stdlib.h>

enum { SHARE_MOST = 4 /* two bits of eight */ };

/* Of the range as a scale has it, which contains zero; 0: none was seen. */
static float width_of(const struct backend *b, int value)
{
    return fmaxf(b->high[value], 0) - fminf(b->low[value], 0);
}

static bool is_concat(const struct backend *b, const struct layer *l)
{
    return l->input_count && backend_value_is_real(b, l->y);
}

static bool follows_another(const struct backend *b, int value)
{
    const struct layer *maker = backend_maker(b, value);
    return maker && quantise_keeps_scale(maker) && !maker->input_count;
}

/* Do concatenations alone read it, perhaps behind layers that hand its integers on? */
static bool is_only_joined(const struct backend *b, int value)
{
    if (graph_is_output(b->graph, value))
        return false;
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *l = &b->layers[i];
        if (layer_reads(l, value) && !l->input_count && !(quantise_keeps_scale(l) && is_only_joined(b, l->y)))
            return false;
    }
    return true;
}

/* What calibration narrowed of each by itself. */
static void widen(struct backend *b, const struct layer *concat)
{
    int y = concat->y;
    for (unsigned k = 0; k < concat->input_count; k++) {
        b->low[y] = fminf(b->low[y], b->low[concat->inputs[k]]);
        b->high[y] = fmaxf(b->high[y], b->high[concat->inputs[k]]);
    }
}

/* The first concatenation that will have it. */
static void take(struct backend *b, const struct layer *concat)
{
    float joint = width_of(b, joined_source(b, concat->y));
    for (unsigned k = 0; k < concat->input_count; k++) {
        int x = concat->inputs[k];
        if (!follows_another(b, x) && (is_only_joined(b, x) || joint <= SHARE_MOST * width_of(b, x)))
            b->joined[x] = concat->y;
    }
}

/* From the last concatenation to the first: one that is joined again has the scale of that one. */
enum weft_status backend_joined(struct backend *b)
{
    b->joined = malloc(((size_t)b->graph->value_count + 1) * sizeof *b->joined);
    if (!b->joined)
        return WEFT_NO_MEMORY;
    for (int v = 0; v < b->graph->value_count; v++)
        b->joined[v] = GRAPH_NONE;
    for (int i = 0; i < b->layer_count; i++)
        if (is_concat(b, &b->layers[i]))
            widen(b, &b->layers[i]);
    for (int i = b->layer_count; i-- > 0;)
        if (is_concat(b, &b->layers[i]))
            take(b, &b->layers[i]);
    return WEFT_OK;
}

int joined_source(const struct backend *b, int value)
{
    for (;;) {
        if (b->joined[value] != GRAPH_NONE)
            value = b->joined[value];
        else if (follows_another(b, value))
            value = backend_maker(b, value)->x;
        else
            return value;
    }
}

bool joined_hands_on(const struct backend *b, const struct layer *l, int operand)
{
    return quantise_keeps_scale(l) && (!l->input_count || b->joined[operand] == l->y);
}
