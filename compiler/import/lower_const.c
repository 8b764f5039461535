/* lower_const.c: operators that make constants. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "element.h"
#include "lower.h"
#include "random.h"

static int take_view(struct lower *l, struct contents_view *view)
{
    int id = lower_rule(l, CONTENTS_BYTES, view->element, &view->shape);
    if (id < 0)
        return id;
    l->graph->values[id].bytes = view->bytes;
    l->graph->values[id].borrowed = view->borrowed;
    return id;
}

static bool view_tensor(struct lower *l, const char *name, const Onnx__TensorProto *proto, struct contents_view *view)
{
    enum weft_status status = proto ? tensor_proto_view(view, l->model, proto, l->name, l->diag) : WEFT_ERROR;
    if (status == WEFT_NO_MEMORY)
        return lower_no_memory(l);
    return !status || lower_refuse(l, "attribute %s must be a tensor that can be read", name);
}

static bool constant_tensor(struct lower *l, const Onnx__AttributeProto *attribute)
{
    struct contents_view view;
    return view_tensor(l, "value", attribute->t, &view) && lower_done(l, take_view(l, &view));
}

static bool constant_list(struct lower *l, enum element element, size_t count, const void *bytes)
{
    if (count > (size_t)1 << 40)
        return lower_refuse(l, "too many elements");
    return lower_done(l, lower_constant(l, element, &(struct shape){.rank = 1, .dims = {(int64_t)count}}, bytes));
}

bool lower_constant_node(struct lower *l, const struct onnx_op *op)
{
    const Onnx__AttributeProto *a;
    if ((a = lower_attribute(l, "value")))
        return constant_tensor(l, a);
    if (lower_has(l, "value_float"))
        return lower_done(l, lower_scalar(l, ELEMENT_F32, lower_float(l, "value_float", 0)));
    if ((a = lower_attribute(l, "value_int")))
        return lower_done(l, lower_constant(l, ELEMENT_S64, &(struct shape){0}, &a->i));
    if ((a = lower_attribute(l, "value_floats")))
        return constant_list(l, ELEMENT_F32, a->n_floats, a->floats);
    if ((a = lower_attribute(l, "value_ints")))
        return constant_list(l, ELEMENT_S64, a->n_ints, a->ints);
    if (l->failed)
        return false;
    return lower_refuse(l, "has no value that is supported: value, value_float, value_floats, value_int or value_ints is right");
}

static bool fill_value(struct lower *l, enum element *element, double *fill)
{
    const Onnx__AttributeProto *attribute = lower_attribute(l, "value");
    struct contents_view view;
    *element = ELEMENT_F32;
    *fill = 0;
    if (!attribute)
        return !l->failed;
    if (!view_tensor(l, "value", attribute->t, &view))
        return false;
    int64_t count = shape_count(&view.shape);
    *element = view.element;
    if (count == 1)
        *fill = element_load(view.bytes, view.element, 0);
    if (!view.borrowed)
        free(view.bytes);
    if (count != 1)
        return lower_refuse(l, "attribute value has %lld elements; one is right", (long long)count);
    if (!element_is_float(*element) && fabs(*fill) > 0x1p53)
        return lower_refuse(l, "attribute value is beyond 2^53");
    return true;
}

static bool check_shape(struct lower *l, const struct shape *shape)
{
    int64_t count;
    char text[160];
    return shape_fits(shape, &count) ||
           lower_refuse(l, "the shape %s has a negative dimension or too many elements", shape_text(shape, text));
}

bool lower_constant_of_shape(struct lower *l, const struct onnx_op *op)
{
    struct shape shape = {0};
    enum element element;
    double fill;
    if (!lower_constant_ints(l, 0, "the shape", shape.dims, &shape.rank, GRAPH_RANK_MAX) || !check_shape(l, &shape) ||
        !fill_value(l, &element, &fill))
        return false;
    int id = lower_rule(l, CONTENTS_FILL, element, &shape);
    if (id >= 0)
        l->graph->values[id].fill = fill;
    return lower_done(l, id);
}

/* Without a seed the numbers follow from the name of the result, so that two such nodes differ and two runs do not. */
static uint64_t seed_of(struct lower *l)
{
    uint32_t bits;
    float seed = lower_float(l, "seed", 0);
    char name[512];
    if (!lower_has(l, "seed")) {
        snprintf(name, sizeof name, "%s%s", l->scope->prefix, l->proto->n_output ? l->proto->output[0] : "");
        return random_hash_text(name);
    }
    memcpy(&bits, &seed, sizeof bits);
    return bits;
}

bool lower_random(struct lower *l, const struct onnx_op *op)
{
    bool normal = op->core == CONTENTS_NORMAL;
    struct shape shape = {0};
    enum element element;
    int64_t type = lower_int(l, "dtype", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
    double first = normal ? lower_float(l, "mean", 0) : lower_float(l, "low", 0),
           second = normal ? lower_float(l, "scale", 1) : lower_float(l, "high", 1);
    uint64_t seed = seed_of(l);
    if (!lower_ints(l, "shape", shape.dims, &shape.rank, GRAPH_RANK_MAX))
        return l->failed ? false : lower_refuse(l, "attribute shape is missing");
    if (l->failed || !check_shape(l, &shape))
        return false;
    if (type < 0 || type > 100 || !element_from_onnx(&element, (int32_t)type) || !element_is_float(element))
        return lower_refuse(l, "dtype %lld; a floating-point type is right", (long long)type);
    int id = lower_rule(l, (enum contents)op->core, element, &shape);
    if (id < 0)
        return false;
    struct value *value = &l->graph->values[id];
    value->mean = first;
    value->deviation = second;
    value->seed = seed;
    return lower_done(l, id);
}

/* --- shapes as constants ----------------------------------------------------------------------------------------------------- */

static int64_t clamp(int64_t x, int64_t high)
{
    return x < 0 ? 0 : x > high ? high : x;
}

bool lower_shape_node(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0);
    int64_t rank = x.rank, start = lower_int(l, "start", 0), end = lower_int(l, "end", rank);
    if (l->failed)
        return false;
    start = clamp(start < 0 ? start + rank : start, rank);
    end = clamp(end < 0 ? end + rank : end, rank);
    struct shape out = {.rank = 1, .dims = {end > start ? end - start : 0}};
    return lower_done(l, lower_constant(l, ELEMENT_S64, &out, x.dims + (end > start ? start : 0)));
}

bool lower_size(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0);
    int64_t count = shape_count(&x);
    return lower_done(l, lower_constant(l, ELEMENT_S64, &(struct shape){0}, &count));
}

bool lower_range(struct lower *l, const struct onnx_op *op)
{
    double start, limit, step;
    enum element element = lower_value(l, 0)->element;
    if (!lower_constant_number(l, 0, "start", &start) || !lower_constant_number(l, 1, "limit", &limit) ||
        !lower_constant_number(l, 2, "delta", &step))
        return false;
    if (lower_value(l, 1)->element != element || lower_value(l, 2)->element != element)
        return lower_refuse(l, "start, limit and delta must be one type");
    double count = ceil((limit - start) / step);
    if (step == 0 || !(count < 1 << 24))
        return lower_refuse(l, "from %g to %g by %g; delta must not be 0, and at most 16 million numbers are supported", start, limit,
                            step);
    int64_t n = count > 0 ? (int64_t)count : 0;
    int id = lower_rule(l, CONTENTS_FILL, element, &(struct shape){.rank = 1, .dims = {n}});
    void *bytes = id < 0 ? NULL : (void *)value_bytes(l->graph, id);
    if (!bytes)
        return id < 0 ? false : lower_no_memory(l);
    for (int64_t i = 0; i < n; i++)
        element_store(bytes, element, i, start + (double)i * step);
    l->graph->values[id].contents = CONTENTS_BYTES;
    return lower_done(l, id);
}

/* Coordinates of what is not 0, one column each, in C order. */
static void note_places(const double *numbers, const struct shape *x, int64_t columns, int64_t *out)
{
    int64_t column = 0;
    for (int64_t i = 0; i < shape_count(x); i++) {
        int64_t rest = i;
        if (numbers[i] == 0)
            continue;
        for (unsigned d = x->rank; d-- > 0; rest /= x->dims[d])
            out[d * columns + column] = rest % x->dims[d];
        column++;
    }
}

bool lower_non_zero(struct lower *l, const struct onnx_op *op)
{
    if (!lower_parameter(l, 0))
        return false;
    struct shape x = lower_shape(l, 0), out = {.rank = 2, .dims = {x.rank, 0}};
    int64_t count = shape_count(&x);
    if (!value_is_constant(lower_value(l, 0)))
        return lower_refuse(l, "the input (%s) is computed at run time, and the result's size depends on it; it must be constant", lower_value(l, 0)->name);
    if (count > 1 << 24)
        return lower_refuse(l, "the input has %lld elements; at most %d are supported", (long long)count, 1 << 24);
    double *numbers = malloc((size_t)(count + 1) * sizeof *numbers);
    bool read = numbers;
    for (int64_t i = 0; read && i < count; i++) {
        read = value_at(l->graph, l->in[0], i, &numbers[i]);
        out.dims[1] += read && numbers[i] != 0;
    }
    int64_t *places = read ? malloc((size_t)(shape_count(&out) + 1) * sizeof *places) : NULL;
    if (places)
        note_places(numbers, &x, out.dims[1], places);
    bool fine = places ? lower_done(l, lower_constant(l, ELEMENT_S64, &out, places)) : lower_no_memory(l);
    free(numbers);
    free(places);
    return fine;
}
