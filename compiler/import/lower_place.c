/* lower_place.c: operators that move elements in patterns: blocks, repeats, triangles, one of many. */
#include <stdlib.h>
#include <string.h>

#include "element.h"
#include "lower_build.h"

/* --- blocks of pixels ---------------------------------------------------------------------------------------------------------- */

static bool read_block(struct lower *l, int64_t *block)
{
    struct shape x = lower_shape(l, 0);
    *block = lower_int(l, "blocksize", 0);
    if (l->failed)
        return false;
    if (*block < 1 || *block > 1 << 15)
        return lower_refuse(l, "blocksize %lld; it must be given, from 1 to %d", (long long)*block, 1 << 15);
    return x.rank == 4 || lower_refuse(l, "the input has %u dimensions; 4 are right", x.rank);
}

bool lower_depth_to_space(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0);
    int64_t b;
    char mode[32];
    lower_string(l, "mode", "DCR", mode);
    if (!read_block(l, &b))
        return false;
    if (x.dims[1] % (b * b))
        return lower_refuse(l, "%lld channels do not divide into blocks of %lld x %lld", (long long)x.dims[1], (long long)b, (long long)b);
    if (strcmp(mode, "DCR") && strcmp(mode, "CRD"))
        return lower_refuse(l, "mode %s; DCR and CRD are right", mode);
    bool blocks_first = mode[0] == 'D';
    int64_t depth = x.dims[1] / (b * b), n = x.dims[0], h = x.dims[2], w = x.dims[3];
    int value = build_reshape(l, l->in[0], 6, blocks_first ? (int64_t[]){n, b, b, depth, h, w} : (int64_t[]){n, depth, b, b, h, w});
    value = build_transpose(l, value, blocks_first ? (int64_t[]){0, 3, 4, 1, 5, 2} : (int64_t[]){0, 1, 4, 2, 5, 3});
    return lower_done(l, build_reshape(l, value, 4, (int64_t[]){n, depth, h * b, w * b}));
}

bool lower_space_to_depth(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0);
    int64_t b;
    if (!read_block(l, &b))
        return false;
    if (x.dims[2] % b || x.dims[3] % b)
        return lower_refuse(l, "%lld x %lld pixels do not divide into blocks of %lld", (long long)x.dims[2], (long long)x.dims[3], (long long)b);
    int64_t n = x.dims[0], c = x.dims[1], h = x.dims[2] / b, w = x.dims[3] / b;
    int value = build_reshape(l, l->in[0], 6, (int64_t[]){n, c, h, b, w, b});
    value = build_transpose(l, value, (int64_t[]){0, 3, 5, 1, 2, 4});
    return lower_done(l, build_reshape(l, value, 4, (int64_t[]){n, c * b * b, h, w}));
}

/* --- repeats ------------------------------------------------------------------------------------------------------------------- */

/* A dimension that repeats gets one more in front of it, which is expanded; dimensions that do not repeat stay joined. */
static int repeat(struct lower *l, int value, const int64_t *repeats)
{
    struct shape x = build_shape(l, value), apart = {0}, wide, out = x;
    unsigned room = 0;
    for (unsigned i = 0; i < x.rank; i++)
        room += 1 + (repeats[i] != 1);
    for (unsigned i = 0; i < x.rank; i++)
        out.dims[i] *= repeats[i];
    if (room > GRAPH_RANK_MAX) { /* too many for one step: the first that repeats goes alone */
        int64_t one[GRAPH_RANK_MAX], rest[GRAPH_RANK_MAX];
        unsigned first = 0;
        while (repeats[first] == 1)
            first++;
        for (unsigned i = 0; i < x.rank; i++)
            one[i] = i == first ? repeats[i] : 1, rest[i] = i == first ? 1 : repeats[i];
        int copies[NODE_INPUTS_MAX];
        if (repeats[first] > NODE_INPUTS_MAX || repeats[first] < 1) {
            lower_refuse(l, "%lld repeats of an input of %u dimensions; at most %d are supported", (long long)one[first], x.rank, NODE_INPUTS_MAX);
            return LOWER_POISON;
        }
        for (int64_t k = 0; k < repeats[first]; k++)
            copies[k] = value;
        return repeat(l, build_concat(l, copies, (unsigned)repeats[first], first), rest);
    }
    wide = apart;
    for (unsigned i = 0; i < x.rank; i++) {
        if (repeats[i] != 1) {
            apart.dims[apart.rank++] = 1;
            wide.dims[wide.rank++] = repeats[i];
        }
        apart.dims[apart.rank++] = wide.dims[wide.rank++] = x.dims[i];
    }
    return lower_reshape(l, build_expand(l, lower_reshape(l, value, &apart), &wide), &out);
}

static bool check_repeats(struct lower *l, const int64_t *repeats)
{
    struct shape x = lower_shape(l, 0);
    int64_t count;
    for (unsigned i = 0; i < x.rank; i++)
        if (repeats[i] < 0 || __builtin_mul_overflow(x.dims[i], repeats[i], &x.dims[i]))
            return lower_refuse(l, "%lld repeats are out of range", (long long)repeats[i]);
    return shape_fits(&x, &count) || lower_refuse(l, "the result has too many elements");
}

/* Before opset 6: how often, and along which axis; from there on one count a dimension. */
bool lower_tile(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0);
    int64_t repeats[GRAPH_RANK_MAX];
    unsigned count;
    if (!lower_constant_ints(l, 1, "repeats", repeats, &count, GRAPH_RANK_MAX))
        return false;
    if (count != x.rank)
        return lower_refuse(l, "%u repeats; the input has %u dimensions", count, x.rank);
    return check_repeats(l, repeats) && lower_done(l, repeat(l, l->in[0], repeats));
}

/* --- triangles and units ------------------------------------------------------------------------------------------------------- */

int build_triangle(struct lower *l, int64_t rows, int64_t columns, int64_t diagonal, bool upper)
{
    struct shape shape = {2, {rows, columns}};
    int id = lower_rule(l, CONTENTS_BYTES, ELEMENT_BOOL, &shape);
    uint8_t *bytes = id < 0 ? NULL : malloc((size_t)shape_count(&shape) + 1);
    if (!bytes) {
        if (id >= 0) {
            l->graph->values[id].contents = CONTENTS_NONE;
            lower_no_memory(l);
        }
        return LOWER_POISON;
    }
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            bytes[i * columns + j] = upper ? j - i >= diagonal : j - i <= diagonal;
    l->graph->values[id].bytes = bytes;
    return id;
}

bool lower_trilu(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0);
    bool upper = lower_int(l, "upper", 1) != 0;
    double diagonal = 0;
    if (l->failed || (lower_given(l, 1) && !lower_constant_number(l, 1, "the diagonal", &diagonal)))
        return false;
    if (x.rank < 2)
        return lower_refuse(l, "the input has %u dimensions; a matrix at least is right", x.rank);
    int64_t most = (int64_t)1 << 40, k = diagonal > 0x1p40 ? most : diagonal < -0x1p40 ? -most : (int64_t)diagonal;
    int stays = build_triangle(l, x.dims[x.rank - 2], x.dims[x.rank - 1], k, upper);
    return lower_done(l, build_where(l, stays, l->in[0], lower_scalar(l, build_element(l, l->in[0]), 0)));
}

bool lower_eye_like(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0);
    enum element element = lower_value(l, 0)->element;
    int64_t k = lower_int(l, "k", 0), type = lower_int(l, "dtype", 0);
    if (l->failed)
        return false;
    if (lower_has(l, "dtype") && (type < 0 || type > 100 || !element_from_onnx(&element, (int32_t)type)))
        return lower_refuse(l, "dtype %lld is not supported", (long long)type);
    if (x.rank != 2 || k > LOWER_VALUE_MAX || k < -LOWER_VALUE_MAX)
        return lower_refuse(l, "an input of %u dimensions and diagonal %lld; a matrix and a diagonal in it are right", x.rank, (long long)k);
    int from = build_triangle(l, x.dims[0], x.dims[1], k, true), to = build_triangle(l, x.dims[0], x.dims[1], k, false);
    return lower_done(l, build_cast(l, build_binary(l, CORE_AND, from, to), element));
}

/* --- one of many --------------------------------------------------------------------------------------------------------------- */

/* Indices from -depth to depth - 1; others are nowhere, and give the off value alone. */
bool lower_one_hot(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0), values;
    int64_t axis = lower_int(l, "axis", -1), dims[GRAPH_RANK_MAX], apart[GRAPH_RANK_MAX];
    double depth;
    if (l->failed || !lower_constant_number(l, 1, "the depth", &depth) || !lower_axis(l, &axis, x.rank + 1))
        return false;
    values = lower_shape(l, 2);
    if (x.rank + 1 > GRAPH_RANK_MAX)
        return lower_refuse(l, "the result would have %u dimensions; at most %d are supported", x.rank + 1, GRAPH_RANK_MAX);
    if (!(depth >= 1 && depth <= 1 << 24) || values.rank != 1 || values.dims[0] != 2)
        return lower_refuse(l, "depth %g; 1 to %d are supported, and two values: off and on", depth, 1 << 24);
    enum element element = lower_value(l, 0)->element;
    int64_t count = (int64_t)depth;
    for (unsigned i = 0; i <= x.rank; i++) {
        dims[i] = i == axis ? count : 1;
        apart[i] = i == axis ? 1 : x.dims[i - (i > axis)];
    }
    int index = build_cast(l, build_reshape(l, l->in[0], x.rank + 1, apart), element_is_float(element) ? element : ELEMENT_S64);
    index = build_where(l, build_with(l, CORE_LESS, index, 0), build_with(l, CORE_ADD, index, (double)count), index);
    int hot = build_binary(l, CORE_COMPARE_EQUAL, index, build_reshape(l, build_count_up(l, build_element(l, index), count), x.rank + 1, dims));
    int64_t scalar[1] = {0};
    int off = build_reshape(l, build_slice(l, l->in[2], 0, 0, 1, 1), 0, scalar), on = build_reshape(l, build_slice(l, l->in[2], 0, 1, 2, 1), 0, scalar);
    return lower_done(l, build_where(l, hot, on, off));
}
