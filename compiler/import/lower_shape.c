/* lower_shape.c: operators that move elements and change none. */
#include <string.h>

#include "lower.h"

static enum element element_of(struct lower *l)
{
    return lower_value(l, 0)->element;
}

bool lower_identity(struct lower *l, const struct onnx_op *op)
{
    return lower_done(l, l->in[0]);
}

/* The mask, where it is asked for: everything stays. */
bool lower_dropout(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0);
    double training = 0;
    if (lower_given(l, 2) && !lower_constant_number(l, 2, "training_mode", &training))
        return false;
    if (training != 0)
        return lower_refuse(l, "training_mode is true; inference (false) is supported");
    l->out[1] = l->proto->n_output > 1 && *l->proto->output[1] ? lower_rule(l, CONTENTS_FILL, ELEMENT_BOOL, &x) : GRAPH_NONE;
    if (l->out[1] >= 0)
        l->graph->values[l->out[1]].fill = 1;
    l->out[0] = l->in[0];
    l->out_count = 2;
    return l->out[1] != LOWER_POISON;
}

/* --- reshape ------------------------------------------------------------------------------------------------------------- */

/* A network that was written down for one batch often has that batch in its reshape targets. */
static void adapt_batch(const struct lower *l, struct shape *target, int64_t count)
{
    __int128 has = shape_count(target); /* the products of two sizes may have more than 64 bits */
    if (l->batch != l->file_batch && target->rank && target->dims[0] == l->file_batch && has * l->batch == (__int128)count * l->file_batch)
        target->dims[0] = l->batch;
}

static bool infer_dimension(struct lower *l, struct shape *target, int64_t count)
{
    int64_t known = 1;
    int open = -1;
    for (unsigned i = 0; i < target->rank; i++) {
        if (target->dims[i] == -1 && open >= 0)
            return lower_refuse(l, "the target has two open dimensions (-1); one at most is right");
        if (target->dims[i] == -1)
            open = (int)i;
        else if (target->dims[i] < 0 || __builtin_mul_overflow(known, target->dims[i], &known) || known > (int64_t)1 << 40)
            return lower_refuse(l, "the target dimension %lld is out of range", (long long)target->dims[i]);
    }
    if (open < 0)
        return true;
    if (known == 0 || count % known)
        return lower_refuse(l, "%lld elements do not fill the target's open dimension: the others make %lld", (long long)count,
                            (long long)known);
    target->dims[open] = count / known;
    return true;
}

bool lower_reshape_node(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0), target = {0};
    bool zero = lower_int(l, "allowzero", 0) != 0;
    int64_t count = shape_count(&x);
    char from[160], to[160];
    if (l->failed || !lower_constant_ints(l, 1, "the target shape", target.dims, &target.rank, GRAPH_RANK_MAX))
        return false;
    for (unsigned i = 0; i < target.rank; i++) {
        if (target.dims[i] || zero)
            continue;
        if (i >= x.rank)
            return lower_refuse(l, "the target copies dimension %u (0) and the input has %u", i, x.rank);
        target.dims[i] = x.dims[i];
    }
    bool open = false;
    for (unsigned i = 0; i < target.rank; i++)
        open |= target.dims[i] == -1;
    if (open && target.rank && target.dims[0] == l->file_batch && x.rank && x.dims[0] == l->batch)
        target.dims[0] = l->batch; /* -1 behind the batch */
    if (!infer_dimension(l, &target, count))
        return false;
    adapt_batch(l, &target, count);
    if (shape_count(&target) != count)
        return lower_refuse(l, "%s does not reshape to %s: the counts of elements differ", shape_text(&x, from), shape_text(&target, to));
    return lower_done(l, lower_reshape(l, l->in[0], &target));
}

bool lower_flatten(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0), out = {.rank = 2, .dims = {1, 1}};
    int64_t axis = lower_int(l, "axis", 1);
    if (l->failed)
        return false;
    if (axis != x.rank && !lower_axis(l, &axis, x.rank))
        return false; /* axis = rank is allowed: everything in front */
    for (unsigned i = 0; i < x.rank; i++)
        out.dims[i >= axis] *= x.dims[i];
    return lower_done(l, lower_reshape(l, l->in[0], &out));
}

/* Axes of Squeeze, Unsqueeze: an attribute before opset 13, an input from there on. */
static bool read_axes(struct lower *l, int64_t *axes, unsigned *count)
{
    *count = 0;
    if (l->opset < 13 && l->in_count > 1)
        return lower_refuse(l, "axes as an input need opset 13; this is opset %d", l->opset);
    if (l->opset >= 13 && lower_has(l, "axes"))
        return lower_refuse(l, "axes as an attribute end with opset 12; this is opset %d", l->opset);
    if (lower_given(l, 1))
        return lower_constant_ints(l, 1, "axes", axes, count, GRAPH_RANK_MAX);
    lower_ints(l, "axes", axes, count, GRAPH_RANK_MAX);
    return !l->failed;
}

bool lower_mark_axes(struct lower *l, int64_t *axes, unsigned count, unsigned rank, bool *marked)
{
    for (unsigned i = 0; i < count; i++) {
        if (!lower_axis(l, &axes[i], rank))
            return false;
        if (marked[axes[i]])
            return lower_refuse(l, "axis %lld is named twice", (long long)axes[i]);
        marked[axes[i]] = true;
    }
    return true;
}

bool lower_squeeze(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0), out = {0};
    int64_t axes[GRAPH_RANK_MAX];
    bool gone[GRAPH_RANK_MAX] = {0};
    unsigned count;
    if (!read_axes(l, axes, &count) || !lower_mark_axes(l, axes, count, x.rank, gone))
        return false;
    for (unsigned i = 0; i < x.rank; i++) {
        if (!count)
            gone[i] = x.dims[i] == 1;
        if (gone[i] && x.dims[i] != 1)
            return lower_refuse(l, "dimension %u is %lld; only dimensions of 1 are squeezed", i, (long long)x.dims[i]);
        if (!gone[i])
            out.dims[out.rank++] = x.dims[i];
    }
    return lower_done(l, lower_reshape(l, l->in[0], &out));
}

bool lower_unsqueeze(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0), out = {0};
    int64_t axes[GRAPH_RANK_MAX];
    bool fresh[GRAPH_RANK_MAX] = {0};
    unsigned count, from = 0;
    if (!read_axes(l, axes, &count))
        return false;
    if (!count)
        return lower_refuse(l, "axes are missing");
    if (x.rank + count > GRAPH_RANK_MAX)
        return lower_refuse(l, "the result would have %u dimensions; at most %d are supported", x.rank + count, GRAPH_RANK_MAX);
    out.rank = x.rank + count;
    if (!lower_mark_axes(l, axes, count, out.rank, fresh))
        return false;
    for (unsigned i = 0; i < out.rank; i++)
        out.dims[i] = fresh[i] ? 1 : x.dims[from++];
    return lower_done(l, lower_reshape(l, l->in[0], &out));
}

bool lower_transpose(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0), out = {.rank = x.rank};
    struct attributes at = {0};
    bool seen[GRAPH_RANK_MAX] = {0};
    unsigned count = x.rank;
    for (unsigned i = 0; i < x.rank; i++)
        at.perm[i] = x.rank - 1 - i;
    lower_ints(l, "perm", at.perm, &count, GRAPH_RANK_MAX);
    if (l->failed)
        return false;
    if (count != x.rank)
        return lower_refuse(l, "perm has %u numbers and the input %u dimensions", count, x.rank);
    for (unsigned i = 0; i < x.rank; i++) {
        if (at.perm[i] < 0 || at.perm[i] >= x.rank || seen[at.perm[i]])
            return lower_refuse(l, "perm must name each of the %u dimensions once", x.rank);
        seen[at.perm[i]] = true;
        out.dims[i] = x.dims[at.perm[i]];
    }
    return lower_done(l, lower_emit(l, CORE_TRANSPOSE, l->in, 1, &at, element_of(l), &out));
}

/* Operands without elements add nothing. */
static int concat_filled(struct lower *l, int64_t axis, const struct shape *out)
{
    int parts[NODE_INPUTS_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < l->in_count; i++) {
        struct shape x = lower_shape(l, i);
        if (shape_count(&x))
            parts[count++] = l->in[i];
    }
    if (count == 1 && l->in_count > 1)
        return parts[0];
    return lower_emit(l, CORE_CONCAT, parts, count, &(struct attributes){.axis = axis}, element_of(l), out);
}

bool lower_concat(struct lower *l, const struct onnx_op *op)
{
    struct shape out = lower_shape(l, 0);
    int64_t axis = lower_int(l, "axis", 0);
    char a[160], b[160];
    if (l->failed)
        return false;
    if (!lower_has(l, "axis"))
        return lower_refuse(l, "axis is missing");
    if (!lower_axis(l, &axis, out.rank))
        return false;
    for (unsigned i = 1; i < l->in_count; i++) {
        struct shape x = lower_shape(l, i), first = lower_shape(l, 0);
        if (lower_value(l, i)->element != element_of(l))
            return lower_refuse(l, "input %u is %s and the first is %s", i + 1, element_name(lower_value(l, i)->element),
                                element_name(element_of(l)));
        bool fits = x.rank == out.rank;
        for (unsigned k = 0; fits && k < x.rank; k++)
            fits = k == axis || x.dims[k] == out.dims[k];
        if (!fits)
            return lower_refuse(l, "input %u is %s; beside axis %lld it must equal the first, %s", i + 1, shape_text(&x, a),
                                (long long)axis, shape_text(&first, b));
        if (__builtin_add_overflow(out.dims[axis], x.dims[axis], &out.dims[axis]))
            return lower_refuse(l, "the result has too many elements");
    }
    return lower_done(l, concat_filled(l, axis, &out));
}

/* --- slices ---------------------------------------------------------------------------------------------------------------- */

struct bounds {
    int64_t starts[GRAPH_RANK_MAX], ends[GRAPH_RANK_MAX], axes[GRAPH_RANK_MAX], steps[GRAPH_RANK_MAX];
    unsigned starts_count, ends_count, axes_count, steps_count;
};

static bool slice_attributes(struct lower *l, struct bounds *b)
{
    if (l->in_count > 1)
        return lower_refuse(l, "bounds as inputs need opset 10; this is opset %d", l->opset);
    if (!lower_ints(l, "starts", b->starts, &b->starts_count, GRAPH_RANK_MAX) ||
        !lower_ints(l, "ends", b->ends, &b->ends_count, GRAPH_RANK_MAX))
        return l->failed ? false : lower_refuse(l, "starts or ends are missing");
    lower_ints(l, "axes", b->axes, &b->axes_count, GRAPH_RANK_MAX);
    return !l->failed;
}

static bool slice_inputs(struct lower *l, struct bounds *b)
{
    if (lower_has(l, "starts") || lower_has(l, "ends") || lower_has(l, "axes"))
        return lower_refuse(l, "bounds as attributes end with opset 9; this is opset %d", l->opset);
    if (!lower_given(l, 1) || !lower_given(l, 2))
        return lower_refuse(l, "starts or ends are missing");
    if (!lower_constant_ints(l, 1, "starts", b->starts, &b->starts_count, GRAPH_RANK_MAX) ||
        !lower_constant_ints(l, 2, "ends", b->ends, &b->ends_count, GRAPH_RANK_MAX))
        return false;
    if (lower_given(l, 3) && !lower_constant_ints(l, 3, "axes", b->axes, &b->axes_count, GRAPH_RANK_MAX))
        return false;
    return !lower_given(l, 4) || lower_constant_ints(l, 4, "steps", b->steps, &b->steps_count, GRAPH_RANK_MAX);
}

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* Negative bounds count from the end, then both are brought into the dimension, as NumPy has it. */
static int64_t slice_axis(struct attributes *at, unsigned axis, int64_t length, int64_t begin, int64_t end, int64_t step)
{
    begin = begin < 0 && begin >= -length ? begin + length : begin;
    end = end < 0 && end >= -length ? end + length : end;
    begin = step > 0 ? clamp(begin, 0, length) : clamp(begin, 0, length - 1);
    end = step > 0 ? clamp(end, 0, length) : clamp(end, -1, length - 1);
    at->begins[axis] = begin;
    at->ends[axis] = end;
    at->steps[axis] = step;
    int64_t span = step > 0 ? end - begin : begin - end, by = step > 0 ? step : -step;
    return span > 0 && length > 0 ? (span - 1) / by + 1 : 0;
}

static bool slice_all(struct lower *l, struct bounds *b, struct attributes *at, struct shape *out)
{
    bool seen[GRAPH_RANK_MAX] = {0};
    if (b->ends_count != b->starts_count || (b->axes_count && b->axes_count != b->starts_count) ||
        (b->steps_count && b->steps_count != b->starts_count))
        return lower_refuse(l, "starts, ends, axes and steps must have one length");
    if (b->starts_count > out->rank)
        return lower_refuse(l, "%u bounds; the input has %u dimensions", b->starts_count, out->rank);
    if (!b->axes_count)
        for (unsigned i = 0; i < b->starts_count; i++)
            b->axes[i] = i;
    if (!lower_mark_axes(l, b->axes, b->starts_count, out->rank, seen))
        return false;
    for (unsigned i = 0; i < b->starts_count; i++) {
        int64_t step = b->steps_count ? b->steps[i] : 1;
        if (!step || step < -INT64_MAX)
            return lower_refuse(l, "step %lld; it must not be 0", (long long)step);
        out->dims[b->axes[i]] = slice_axis(at, (unsigned)b->axes[i], out->dims[b->axes[i]], b->starts[i], b->ends[i], step);
    }
    return true;
}

static void slice_whole(struct attributes *at, const struct shape *x)
{
    for (unsigned i = 0; i < x->rank; i++)
        at->begins[i] = 0, at->ends[i] = x->dims[i], at->steps[i] = 1;
}

bool lower_slice(struct lower *l, const struct onnx_op *op)
{
    struct shape out = lower_shape(l, 0);
    struct attributes at = {0};
    struct bounds b = {0};
    slice_whole(&at, &out);
    if (!(l->opset < 10 ? slice_attributes(l, &b) : slice_inputs(l, &b)) || !slice_all(l, &b, &at, &out))
        return false;
    return lower_done(l, lower_emit(l, CORE_SLICE, l->in, 1, &at, element_of(l), &out));
}

static bool check_num_outputs(struct lower *l, bool sizes_given)
{
    int64_t wanted = lower_int(l, "num_outputs", 0);
    if (l->failed || !lower_has(l, "num_outputs"))
        return !l->failed;
    if (l->opset < 18)
        return lower_refuse(l, "num_outputs needs opset 18; this is opset %d", l->opset);
    if (sizes_given)
        return lower_refuse(l, "has both sizes and num_outputs; one of them is right");
    return wanted == (int64_t)l->proto->n_output ||
           lower_refuse(l, "num_outputs is %lld and the node has %zu outputs", (long long)wanted, l->proto->n_output);
}

static bool split_sizes(struct lower *l, int64_t length, int64_t *sizes)
{
    unsigned count = 0, parts = (unsigned)l->proto->n_output;
    bool given = false;
    if (l->opset < 13 && l->in_count > 1)
        return lower_refuse(l, "sizes as an input need opset 13; this is opset %d", l->opset);
    if (lower_given(l, 1))
        given = lower_constant_ints(l, 1, "split", sizes, &count, LOWER_SPLITS_MAX);
    else
        given = lower_ints(l, "split", sizes, &count, LOWER_SPLITS_MAX);
    if (l->failed || !check_num_outputs(l, given))
        return false;
    int64_t sum = 0, chunk = (length + parts - 1) / (parts ? parts : 1);
    for (unsigned i = 0; i < parts && !given; i++)
        sizes[i] = clamp(length - (int64_t)i * chunk, 0, chunk);
    if (given && count != parts)
        return lower_refuse(l, "%u sizes for %u outputs", count, parts);
    if (!given && l->opset >= 18 && length % parts && (parts - 1) * chunk >= length)
        return lower_refuse(l, "%lld does not divide into %u parts of which only the last is smaller", (long long)length, parts);
    if (!given && l->opset < 18 && length % parts)
        return lower_refuse(l, "%lld does not divide into %u equal parts", (long long)length, parts);
    for (unsigned i = 0; i < parts; i++) {
        if (sizes[i] < 0 || sizes[i] > length)
            return lower_refuse(l, "size %lld is out of range", (long long)sizes[i]);
        sum += sizes[i];
    }
    return sum == length || lower_refuse(l, "the sizes sum to %lld; the dimension has %lld", (long long)sum, (long long)length);
}

bool lower_split(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0);
    int64_t axis = lower_int(l, "axis", 0), sizes[LOWER_SPLITS_MAX], at_now = 0;
    if (l->failed || !lower_axis(l, &axis, x.rank) || !split_sizes(l, x.dims[axis], sizes))
        return false;
    for (unsigned i = 0; i < l->proto->n_output; i++) {
        struct attributes at = {0};
        struct shape out = x;
        slice_whole(&at, &x);
        at.begins[axis] = at_now;
        at.ends[axis] = at_now += sizes[i];
        out.dims[axis] = sizes[i];
        l->out[i] = lower_emit(l, CORE_SLICE, l->in, 1, &at, element_of(l), &out);
        if (l->out[i] == LOWER_POISON)
            return false;
    }
    l->out_count = (unsigned)l->proto->n_output;
    return true;
}

bool lower_gather(struct lower *l, const struct onnx_op *op)
{
    if (!value_is_constant(lower_value(l, 0)) && !lower_parameter(l, 1)) /* what is computed is gathered at places that are known */
        return false;
    struct shape x = lower_shape(l, 0), indices = lower_shape(l, 1), out = {0};
    int64_t axis = lower_int(l, "axis", 0);
    enum element type = lower_value(l, 1)->element;
    if (l->failed || !lower_axis(l, &axis, x.rank))
        return false;
    if (type != ELEMENT_S64 && type != ELEMENT_S32)
        return lower_refuse(l, "indices are %s; they must be int64 or int32", element_name(type));
    if (x.rank + indices.rank > GRAPH_RANK_MAX + 1)
        return lower_refuse(l, "the result would have %u dimensions; at most %d are supported", x.rank + indices.rank - 1, GRAPH_RANK_MAX);
    for (unsigned i = 0; i < axis; i++)
        out.dims[out.rank++] = x.dims[i];
    for (unsigned i = 0; i < indices.rank; i++)
        out.dims[out.rank++] = indices.dims[i];
    for (unsigned i = (unsigned)axis + 1; i < x.rank; i++)
        out.dims[out.rank++] = x.dims[i];
    double index;
    for (int64_t i = 0; value_is_constant(lower_value(l, 1)) && i < shape_count(&indices) && i < 1 << 20; i++) {
        if (!value_at(l->graph, l->in[1], i, &index))
            return lower_no_memory(l);
        if (index < -x.dims[axis] || index >= x.dims[axis])
            return lower_refuse(l, "index %.0f; dimension %lld has %lld elements", index, (long long)axis, (long long)x.dims[axis]);
    }
    return lower_done(l, lower_emit(l, CORE_GATHER, l->in, 2, &(struct attributes){.axis = axis}, element_of(l), &out));
}

bool lower_expand(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0), target = {0}, out;
    char a[160], b[160];
    if (!lower_constant_ints(l, 1, "the target shape", target.dims, &target.rank, GRAPH_RANK_MAX))
        return false;
    if (!shape_broadcast(&out, &x, &target))
        return lower_refuse(l, "%s does not expand to %s", shape_text(&x, a), shape_text(&target, b));
    if (shape_equal(&out, &x))
        return lower_done(l, l->in[0]);
    return lower_done(l, lower_emit(l, CORE_EXPAND, l->in, 1, NULL, element_of(l), &out));
}
