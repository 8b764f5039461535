/* normal.c: what passes between the steps of a normalisation, (x - mean) / deviation x gain + offset, in eight-bit networks. Each step walks over all of x, so the
 * bytes of a number are cycles; the result has eight bits. What is centred and scaled is bf16 therefore, with the gain and the offset; and what is one number a
 * row takes two bytes where it meets x, for such an operand takes the lines of as many lanes as the other.
 *
 *   value                                 format
 *   mean of eight-bit x                   s16: it lies among the codes, whatever they are, and errs by less than a 256th of one
 *   other means, x - mean, its multiples  bf16
 *   mean of squares, + epsilon, ...       fp32: one number a row costs next to nothing, and rows differ by more than eight bits of one scale can tell
 *   (1 /) deviation, by which rows of x   s16 where rows are alike, else bf16: a row errs by 2^-9 at most, but in s16 mostly by far less. All numbers of a row err alike, so
 *     are multiplied or divided             that it shows (BERT-base's x12, mean of six seeds: 20.8 dB with bf16, 21.5 with s16)
 */
#include "backend.h"

enum { ALIKE = 16 /* the greatest factor of a row over the least */, ROOM = 16 /* for factors above those that calibration saw: ALIKE x ROOM / 2^17 is 2^-9 */ };

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

/* Layers that take a number in any format: not those that look it up in a table. (A binary layer may do that with its result.) */
static bool takes_reals(const struct layer *l)
{
    switch (l->kind) {
    case LAYER_BINARY:
    case LAYER_REDUCE:
    case LAYER_STEPS:
    case LAYER_SOFTMAX:
        return true;
    case LAYER_UNARY:
        return l->chain_count <= 1 && l->op != CORE_QUANTIZE && l->op != CORE_DEQUANTIZE;
    default:
        return false;
    }
}

static bool multiplies(const struct backend *b, const struct layer *l, int value)
{
    return l->kind == LAYER_BINARY && (l->op == CORE_MUL || l->op == CORE_DIV) && count_of(b, value) < count_of(b, l->y);
}

enum row { ROW_NONE /* read as integers, or not at all */, ROW_NUMBER, ROW_FACTOR /* of whole rows, and nothing else */ };

/* How a value is read that holds one number a row. */
static enum row row_of(const struct backend *b, int value)
{
    enum row row = ROW_NONE;
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *l = &b->layers[i];
        if (!layer_reads(l, value))
            continue;
        enum row this = l->op == CORE_RESHAPE ? row_of(b, l->y) : multiplies(b, l, value) ? ROW_FACTOR : takes_reals(l) ? ROW_NUMBER : ROW_NONE;
        if (this == ROW_NONE)
            return ROW_NONE;
        row = row == ROW_NUMBER ? row : this;
    }
    return row;
}

/* What a row is multiplied or divided by. */
static bool is_factor(const struct backend *b, int value)
{
    return value != GRAPH_NONE && chain_is_row(b->graph, value) && row_of(b, value) == ROW_FACTOR;
}

/* Codes of s16 stand for 1 to 65536 steps, never for 0, by which rows may be divided. */
static struct quantisation factor_format(const struct backend *b, int value)
{
    float low = b->low[value], high = b->high[value];
    if (low > 0 && low <= high && high <= ALIKE * low)
        return (struct quantisation){.known = true, .format = WEFT_FORMAT_s16, .scale = ROOM * high / 65536, .zero = INT16_MIN - 1};
    return (struct quantisation){.known = true, .format = WEFT_FORMAT_bf16, .scale = 1};
}

bool normal_row(const struct backend *b, const struct layer *l, struct quantisation *out)
{
    bool makes = l->kind == LAYER_REDUCE || l->kind == LAYER_STEPS || l->kind == LAYER_BINARY || (l->kind == LAYER_UNARY && l->chain_count <= 1);
    enum row row = !b->planes && makes && chain_is_row(b->graph, l->y) ? row_of(b, l->y) : ROW_NONE;
    *out = (struct quantisation){.known = true, .format = WEFT_FORMAT_f32, .scale = 1};
    if (row == ROW_FACTOR && b->format == COMPILE_INT8)
        *out = factor_format(b, l->y);
    return row != ROW_NONE;
}

bool normal_step(const struct backend *b, const struct layer *l)
{
    if (b->format == COMPILE_INT8 && l && l->kind == LAYER_REDUCE && l->op == CORE_REDUCE_MEAN)
        return is_mean(b, l);
    if (b->format != COMPILE_INT8 || !l || l->kind != LAYER_BINARY || l->other == GRAPH_NONE)
        return false;
    if (is_centred(b, l))
        return true;
    return multiplies(b, l, l->other) && (is_factor(b, l->other) || normal_step(b, backend_maker(b, l->x)));
}

struct quantisation normal_format(const struct backend *b, const struct layer *l)
{
    enum weft_format x = backend_format(b, l->x);
    bool among_codes = l->kind == LAYER_REDUCE && weft_format_is_integer(x) && weft_format_bytes(x) == 1;
    return (struct quantisation){.known = true, .format = among_codes ? WEFT_FORMAT_s16 : WEFT_FORMAT_bf16, .scale = among_codes ? backend_scale(b, l->x) * 255 / 32767 : 1};
}

enum weft_format normal_constant(const struct backend *b, const struct layer *l)
{
    bool beside = l->kind == LAYER_BINARY && !value_is_constant(&b->graph->values[l->x]) && normal_step(b, backend_maker(b, l->x));
    return beside ? WEFT_FORMAT_bf16 : WEFT_FORMAT_f32;
}
