/* lower.c: what the functions that lower single operators share. */
#include "lower.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "element.h"
#include "interp.h"

enum { REFUSALS_SHOWN = 200, FOLD_MAX = 65536 /* elements */ };

bool lower_refuse(struct lower *l, const char *format, ...)
{
    char why[512];
    va_list list;
    va_start(list, format);
    vsnprintf(why, sizeof why, format, list);
    va_end(list);
    l->failed = true;
    if (++l->refusals <= REFUSALS_SHOWN)
        weft_error(l->diag, "%s: %s (%s): %s", l->path, l->name, l->proto->op_type ? l->proto->op_type : "", why);
    else if (l->refusals == REFUSALS_SHOWN + 1)
        weft_error(l->diag, "%s: more nodes are not supported; the first %d are named", l->path, REFUSALS_SHOWN);
    return false;
}

bool lower_no_memory(struct lower *l)
{
    l->no_memory = l->failed = true;
    return false;
}

/* --- attributes -------------------------------------------------------------------------------------------------------- */

static const Onnx__AttributeProto *find_attribute(const Onnx__NodeProto *node, const char *name)
{
    for (size_t i = 0; i < node->n_attribute; i++)
        if (node->attribute[i]->name && !strcmp(node->attribute[i]->name, name))
            return node->attribute[i];
    return NULL;
}

/* A reference names an attribute of the call, which may itself be a reference of the function around it. */
const Onnx__AttributeProto *lower_attribute(struct lower *l, const char *name)
{
    const struct scope *scope = l->scope;
    const Onnx__AttributeProto *attribute = find_attribute(l->proto, name);
    while (attribute && attribute->ref_attr_name && *attribute->ref_attr_name) {
        if (!scope->call) {
            lower_refuse(l, "attribute %s refers to @%s outside of any function", name, attribute->ref_attr_name);
            return NULL;
        }
        attribute = find_attribute(scope->call, attribute->ref_attr_name);
        scope = scope->caller;
    }
    return attribute;
}

bool lower_has(struct lower *l, const char *name)
{
    return lower_attribute(l, name);
}

/* Files of the oldest IR leave the type out. */
static const Onnx__AttributeProto *typed(struct lower *l, const char *name, Onnx__AttributeProto__AttributeType type, const char *wanted)
{
    const Onnx__AttributeProto *attribute = lower_attribute(l, name);
    if (attribute && attribute->has_type && attribute->type != type &&
        attribute->type != ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED) {
        lower_refuse(l, "attribute %s has the wrong type; it must be %s", name, wanted);
        return NULL;
    }
    return attribute;
}

int64_t lower_int(struct lower *l, const char *name, int64_t absent)
{
    const Onnx__AttributeProto *attribute = typed(l, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT, "an integer");
    return attribute ? attribute->i : absent;
}

float lower_float(struct lower *l, const char *name, float absent)
{
    const Onnx__AttributeProto *attribute = typed(l, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT, "a float (write 1.0, not 1)");
    return attribute ? attribute->f : absent;
}

void lower_string(struct lower *l, const char *name, const char *absent, char out[32])
{
    const Onnx__AttributeProto *attribute = typed(l, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING, "a string");
    if (attribute)
        snprintf(out, 32, "%.*s", (int)(attribute->s.len < 31 ? attribute->s.len : 31),
                 attribute->s.data ? (const char *)attribute->s.data : "");
    else
        snprintf(out, 32, "%s", absent);
}

bool lower_ints(struct lower *l, const char *name, int64_t *out, unsigned *count, unsigned max)
{
    const Onnx__AttributeProto *attribute = typed(l, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS, "a list of integers");
    if (!attribute)
        return false;
    if (attribute->n_ints > max)
        return lower_refuse(l, "attribute %s has %zu numbers; at most %u are right", name, attribute->n_ints, max);
    for (size_t i = 0; i < attribute->n_ints; i++)
        out[i] = attribute->ints[i];
    *count = (unsigned)attribute->n_ints;
    return true;
}

/* --- inputs ------------------------------------------------------------------------------------------------------------ */

bool lower_given(const struct lower *l, unsigned input)
{
    return input < l->in_count && l->in[input] != GRAPH_NONE;
}

struct value *lower_value(struct lower *l, unsigned input)
{
    return lower_given(l, input) ? &l->graph->values[l->in[input]] : NULL;
}

struct shape lower_shape(struct lower *l, unsigned input)
{
    return l->graph->values[l->in[input]].shape;
}

bool lower_constant_ints(struct lower *l, unsigned input, const char *what, int64_t *out, unsigned *count, unsigned max)
{
    if (!lower_parameter(l, input))
        return false;
    const struct value *value = lower_value(l, input);
    int64_t n = shape_count(&value->shape);
    if (!value_is_constant(value))
        return lower_refuse(l, "%s comes from %s, which is computed at run time; it must be constant", what, value->name);
    if (value->element != ELEMENT_S64 && value->element != ELEMENT_S32)
        return lower_refuse(l, "%s is %s; it must be int64 or int32", what, element_name(value->element));
    if (value->shape.rank > 1 || n > max)
        return lower_refuse(l, "%s has %lld numbers in %u dimensions; at most %u in one are right", what, (long long)n, value->shape.rank,
                            max);
    const void *bytes = value_bytes(l->graph, l->in[input]);
    if (!bytes)
        return lower_no_memory(l);
    for (int64_t i = 0; i < n; i++)
        out[i] = value->element == ELEMENT_S64 ? ((const int64_t *)bytes)[i] : ((const int32_t *)bytes)[i];
    *count = (unsigned)n;
    return true;
}

bool lower_constant_number(struct lower *l, unsigned input, const char *what, double *out)
{
    if (!lower_parameter(l, input))
        return false;
    const struct value *value = lower_value(l, input);
    if (!value_is_constant(value))
        return lower_refuse(l, "%s comes from %s, which is computed at run time; it must be constant", what, value->name);
    if (shape_count(&value->shape) != 1)
        return lower_refuse(l, "%s has %lld elements; it must be one number", what, (long long)shape_count(&value->shape));
    return value_at(l->graph, l->in[input], 0, out) || lower_no_memory(l);
}

bool lower_want_float(struct lower *l, unsigned input)
{
    enum element element = lower_value(l, input)->element;
    return element_is_float(element) || lower_refuse(l, "input %u is %s; floating point is supported", input + 1, element_name(element));
}

bool lower_axis(struct lower *l, int64_t *axis, unsigned rank)
{
    if (*axis < -(int64_t)rank || *axis >= (int64_t)rank)
        return lower_refuse(l, "axis %lld; the input has %u dimensions", (long long)*axis, rank);
    if (*axis < 0)
        *axis += rank;
    return true;
}

/* --- shapes ------------------------------------------------------------------------------------------------------------ */

bool shape_fits(const struct shape *shape, int64_t *count)
{
    int64_t room = 1; /* where no dimension is 0, the count: a part of the dimensions has no more */
    for (unsigned i = 0; i < shape->rank; i++)
        if (shape->dims[i] < 0 || __builtin_mul_overflow(room, shape->dims[i] ? shape->dims[i] : 1, &room) || room > (int64_t)1 << 40)
            return false;
    *count = shape_count(shape);
    return true;
}

bool shape_broadcast(struct shape *out, const struct shape *a, const struct shape *b)
{
    struct shape r = {.rank = a->rank > b->rank ? a->rank : b->rank};
    for (unsigned i = 0; i < r.rank; i++) {
        int64_t x = i < a->rank ? a->dims[a->rank - 1 - i] : 1, y = i < b->rank ? b->dims[b->rank - 1 - i] : 1;
        if (x != y && x != 1 && y != 1)
            return false;
        r.dims[r.rank - 1 - i] = x == 1 ? y : x;
    }
    *out = r;
    return true;
}

const char *shape_text(const struct shape *shape, char out[160])
{
    int at = snprintf(out, 160, "[");
    for (unsigned i = 0; i < shape->rank && at < 150; i++)
        at += snprintf(out + at, 160 - (size_t)at, i ? ", %lld" : "%lld", (long long)shape->dims[i]);
    if (at < 158)
        strcpy(out + at, "]");
    return out;
}

/* --- outputs ----------------------------------------------------------------------------------------------------------- */

static bool fits_memory(struct lower *l, const struct shape *shape, int64_t count, bool constant)
{
    int64_t most = constant ? LOWER_CONSTANT_MAX : LOWER_VALUE_MAX;
    char text[160];
    return count <= most || lower_refuse(l, "the %s is %s, %lld elements; at most %lld are supported", constant ? "constant" : "result",
                                         shape_text(shape, text), (long long)count, (long long)most);
}

static int add_value(struct lower *l, enum element element, const struct shape *shape)
{
    char name[512];
    int64_t count;
    if (!shape_fits(shape, &count)) {
        lower_refuse(l, "the result has too many elements");
        return LOWER_POISON;
    }
    if (!fits_memory(l, shape, count, false))
        return LOWER_POISON;
    snprintf(name, sizeof name, "%s/%u", l->name, l->made); /* results get their own names later */
    l->made++;
    int id = graph_add_value(l->graph, name, element, shape);
    if (id == GRAPH_NONE)
        lower_no_memory(l);
    return id == GRAPH_NONE ? LOWER_POISON : id;
}

/* Small constants are folded at once, because shapes and axes are made of them; the rest is left to the pass. */
static bool foldable(struct lower *l, const int *inputs, unsigned count, const struct shape *shape)
{
    if (shape_count(shape) > FOLD_MAX)
        return false;
    for (unsigned i = 0; i < count; i++) {
        if (inputs[i] == GRAPH_NONE)
            continue;
        const struct value *value = &l->graph->values[inputs[i]];
        if (!value_is_constant(value) || value->contents == CONTENTS_ABSENT || shape_count(&value->shape) > FOLD_MAX)
            return false;
    }
    return true;
}

static bool view_inputs(struct lower *l, const struct node *node, struct tensor *views, const struct tensor **inputs)
{
    for (unsigned i = 0; i < node->input_count; i++) {
        inputs[i] = NULL;
        if (node->inputs[i] == GRAPH_NONE)
            continue;
        const struct value *value = &l->graph->values[node->inputs[i]];
        views[i] = (struct tensor){value->element, value->shape, (void *)value_bytes(l->graph, node->inputs[i])};
        if (!views[i].bytes)
            return lower_no_memory(l);
        inputs[i] = &views[i];
    }
    return true;
}

static int fold(struct lower *l, const struct node *node, enum element element, const struct shape *shape)
{
    struct tensor views[NODE_INPUTS_MAX], out = {element, *shape, NULL}, *outputs[] = {&out};
    const struct tensor *inputs[NODE_INPUTS_MAX];
    if (!view_inputs(l, node, views, inputs))
        return LOWER_POISON;
    out.bytes = calloc((size_t)shape_count(shape) + 1, element_bytes(element));
    int id = out.bytes ? add_value(l, element, shape) : LOWER_POISON;
    if (!out.bytes)
        lower_no_memory(l);
    if (id >= 0 && interp_node(node, inputs, outputs, l->diag)) {
        lower_refuse(l, "cannot be computed from its constants");
        id = LOWER_POISON;
    }
    if (id < 0) {
        free(out.bytes);
        return LOWER_POISON;
    }
    l->graph->values[id].contents = CONTENTS_BYTES;
    l->graph->values[id].bytes = out.bytes;
    return id;
}

/* A result that only constants make is one itself, with their limit. */
static bool constant_result(struct lower *l, const int *inputs, unsigned count, const struct shape *shape)
{
    int64_t elements;
    for (unsigned i = 0; i < count; i++)
        if (inputs[i] != GRAPH_NONE && !value_is_constant(&l->graph->values[inputs[i]]))
            return true;
    return !shape_fits(shape, &elements) || fits_memory(l, shape, elements, true);
}

int lower_emit(struct lower *l, enum core_op op, const int *inputs, unsigned count, const struct attributes *at, enum element element,
               const struct shape *shape)
{
    static const struct attributes none = {0};
    int64_t elements;
    for (unsigned i = 0; i < count; i++)
        if (inputs[i] == LOWER_POISON)
            return LOWER_POISON;
    if (!at)
        at = &none;
    if (shape_fits(shape, &elements) && !elements)
        return lower_rule(l, CONTENTS_FILL, element, shape); /* there is nothing in it to compute */
    if (op != CORE_DEQUANTIZE && shape_fits(shape, &elements) && foldable(l, inputs, count, shape)) { /* pass_qdq reads scales from those */
        struct node node = {.op = op,
                            .name = (char *)l->name,
                            .onnx_type = l->proto->op_type,
                            .inputs = (int *)inputs,
                            .input_count = count,
                            .output_count = 1,
                            .at = *at};
        return fold(l, &node, element, shape);
    }
    if (!constant_result(l, inputs, count, shape))
        return LOWER_POISON;
    int value = add_value(l, element, shape);
    int node = value < 0 ? GRAPH_NONE : graph_add_node(l->graph, op, l->name, l->proto->op_type, inputs, count);
    if (node == GRAPH_NONE) {
        if (value >= 0)
            lower_no_memory(l);
        return LOWER_POISON;
    }
    l->graph->nodes[node].at = *at;
    return graph_add_output(l->graph, node, value);
}

int lower_constant(struct lower *l, enum element element, const struct shape *shape, const void *bytes)
{
    char name[512];
    snprintf(name, sizeof name, "%s/%u", l->name, l->made); /* results get their own names later */
    l->made++;
    int id = graph_add_constant(l->graph, name, element, shape, bytes);
    if (id == GRAPH_NONE)
        lower_no_memory(l);
    return id == GRAPH_NONE ? LOWER_POISON : id;
}

int lower_scalar(struct lower *l, enum element element, double number)
{
    uint64_t bytes = 0;
    element_store(&bytes, element, 0, number);
    return lower_constant(l, element, &(struct shape){0}, &bytes);
}

int lower_rule(struct lower *l, enum contents rule, enum element element, const struct shape *shape)
{
    int64_t count;
    if (shape_fits(shape, &count) && !fits_memory(l, shape, count, true))
        return LOWER_POISON;
    int id = add_value(l, element, shape);
    if (id >= 0)
        l->graph->values[id].contents = rule;
    return id;
}

int lower_reshape(struct lower *l, int value, const struct shape *shape)
{
    if (value == LOWER_POISON || shape_equal(&l->graph->values[value].shape, shape))
        return value;
    return lower_emit(l, CORE_RESHAPE, &value, 1, NULL, l->graph->values[value].element, shape);
}

bool lower_done(struct lower *l, int value)
{
    l->out[0] = value;
    l->out_count = 1;
    return value != LOWER_POISON;
}
