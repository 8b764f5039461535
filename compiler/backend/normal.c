/* normal.c: what passes between the steps of a normalisation, (x - mean) / deviation x gain + offset, in eight-bit networks. Each step walks over all of x, so the
 * bytes of a number are cycles; the result has eight bits. What is centred and scaled is bf16 therefore, with the mean, the gain and the offset. (An operand of one
 * number a row takes the lines of as many lanes as the other.) */
#include "backend.h"

static int64_t count_of(const struct backend *b, int value)
{
    return shape_count(&b->graph->values[value].shape);
}

/* x - mean of x */
static bool is_centred(const struct backend *b, const struct layer *l)
{
    const struct layer *mean = l->op == CORE_SUB ? backend_maker(b, l->other) : NULL;
    return mean && mean->kind == LAYER_REDUCE && mean->op == CORE_REDUCE_MEAN && mean->x == l->x && count_of(b, mean->y) < count_of(b, l->y);
}

/* A mean that is only taken away from what it is the mean of. */
static bool is_mean(const struct backend *b, const struct layer *l)
{
    bool read = false;
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *reader = &b->layers[i];
        if (layer_reads(reader, l->y) && !(reader->kind == LAYER_BINARY && reader->other == l->y && is_centred(b, reader)))
            return false;
        read |= layer_reads(reader, l->y);
    }
    return read;
}

bool normal_step(const struct backend *b, const struct layer *l)
{
    if (b->format == COMPILE_INT8 && l && l->kind == LAYER_REDUCE && l->op == CORE_REDUCE_MEAN)
        return is_mean(b, l);
    if (b->format != COMPILE_INT8 || !l || l->kind != LAYER_BINARY || l->other == GRAPH_NONE)
        return false;
    if (is_centred(b, l))
        return true;
    bool scales = (l->op == CORE_MUL || l->op == CORE_DIV) && count_of(b, l->other) < count_of(b, l->y);
    return scales && normal_step(b, backend_maker(b, l->x));
}

enum weft_format normal_constant(const struct backend *b, const struct layer *l)
{
    bool beside = l->kind == LAYER_BINARY && !value_is_constant(&b->graph->values[l->x]) && normal_step(b, backend_maker(b, l->x));
    return beside ? WEFT_FORMAT_bf16 : WEFT_FORMAT_f32;
}
