/* lower_known.c: what must be known when the network is read: inputs that the caller gives, and what is computed of such. */
#include <stdlib.h>
#include <string.h>

#include "element.h"
#include "lower.h"
#include "pass_edit.h"

enum { SETTLE_ELEMENTS = 65536, SETTLE_LOOKS = 4096 }; /* of a value; at values, for one input of a node */

const struct weft_array *lower_binding(const struct lower *l, const char *name)
{
    const struct weft_arrays *bindings = l->options->bindings;
    for (size_t i = 0; bindings && i < bindings->count; i++)
        if (!strcmp(bindings->items[i].name, name))
            return &bindings->items[i];
    return NULL;
}

static bool is_network_input(const struct graph *graph, int value, unsigned *slot)
{
    for (*slot = 0; *slot < graph->input_count; ++*slot)
        if (graph->inputs[*slot] == value)
            return true;
    return false;
}

static struct shape shape_of(const struct weft_array *array)
{
    struct shape shape = {.rank = array->rank};
    for (unsigned i = 0; i < array->rank; i++)
        shape.dims[i] = (int64_t)array->dims[i];
    return shape;
}

/* --batch may have changed the first dimension of an input that turns out to be a parameter: its array says what is right. */
static bool adopt_shape(struct lower *l, int id, const struct weft_array *array)
{
    struct value *value = &l->graph->values[id];
    struct shape shape = shape_of(array);
    int64_t count;
    if (!element_is_called(value->element, array->element))
        return lower_refuse(l, "input %s is %s and the array given for it %s", value->name, element_name(value->element), array->element);
    if (!shape_fits(&shape, &count) || (uint64_t)count * element_bytes(value->element) != array->size)
        return lower_refuse(l, "the array given for input %s has %llu bytes, which its shape does not ask for", value->name,
                            (unsigned long long)array->size);
    bool same = shape_equal(&shape, &value->shape), alike = shape.rank == value->shape.rank && !graph_uses(l->graph, id);
    for (unsigned i = 1; alike && i < shape.rank; i++)
        alike = shape.dims[i] == value->shape.dims[i];
    if (!same && !alike)
        return lower_refuse(l, "the array given for input %s has another shape than the network's", value->name);
    value->shape = shape;
    return true;
}

/* The input becomes a constant with the contents that the caller gives. */
static bool bake(struct lower *l, int id, unsigned slot, const struct weft_array *array)
{
    struct value *value = &l->graph->values[id];
    if (!adopt_shape(l, id, array))
        return false;
    value->bytes = malloc(array->size ? array->size : 1);
    if (!value->bytes)
        return lower_no_memory(l);
    if (array->size)
        memcpy(value->bytes, array->bytes, array->size);
    value->contents = CONTENTS_BYTES;
    l->graph->input_count--;
    memmove(&l->graph->inputs[slot], &l->graph->inputs[slot + 1], (l->graph->input_count - slot) * sizeof *l->graph->inputs);
    return true;
}

/* Integers, or a number or two for each dimension. Weights may be computed of given integers too (keys of the words of a prompt): those are data. */
static bool speaks_of_shapes(const struct value *value)
{
    return !element_is_float(value->element) || shape_count(&value->shape) <= 2 * GRAPH_RANK_MAX;
}

/* Do only constants and given integers lead to it, all of them small? A network computes shapes of these; what it computes of its
 * data is not looked at. `dequantized`: nor are, of weights, the integers that they stand for: pass_qdq reads their scales. */
static bool can_settle(const struct lower *l, int id, bool dequantized, unsigned *looks)
{
    const struct value *value = &l->graph->values[id];
    unsigned slot;
    if (!*looks || shape_count(&value->shape) > SETTLE_ELEMENTS)
        return false;
    --*looks;
    if (value_is_constant(value))
        return value->contents != CONTENTS_ABSENT;
    if (is_network_input(l->graph, id, &slot))
        return !element_is_float(value->element) && lower_binding(l, value->name);
    if (value->producer == GRAPH_NONE || !speaks_of_shapes(value))
        return false;
    const struct node *node = &l->graph->nodes[value->producer];
    if (node->op == CORE_DEQUANTIZE && !dequantized)
        return false;
    for (unsigned k = 0; k < node->input_count; k++)
        if (node->inputs[k] != GRAPH_NONE && !can_settle(l, node->inputs[k], dequantized, looks))
            return false;
    return true;
}

static bool settle(struct lower *l, int id)
{
    const struct value *value = &l->graph->values[id];
    unsigned slot;
    if (value_is_constant(value))
        return true;
    if (is_network_input(l->graph, id, &slot))
        return bake(l, id, slot, lower_binding(l, value->name));
    struct node *node = &l->graph->nodes[value->producer];
    for (unsigned k = 0; k < node->input_count; k++)
        if (node->inputs[k] != GRAPH_NONE && !settle(l, node->inputs[k]))
            return false;
    enum weft_status status = edit_fold(l->graph, node, l->diag);
    return !status || (status == WEFT_NO_MEMORY ? lower_no_memory(l) : lower_refuse(l, "%s cannot be computed", value->name));
}

static bool make_known(struct lower *l, unsigned input, bool dequantized)
{
    unsigned slot, looks = SETTLE_LOOKS;
    if (!lower_given(l, input))
        return true;
    int id = l->in[input];
    const char *name = l->graph->values[id].name;
    if (is_network_input(l->graph, id, &slot))
        return !lower_binding(l, name) || bake(l, id, slot, lower_binding(l, name));
    return !can_settle(l, id, dequantized, &looks) || settle(l, id);
}

bool lower_parameter(struct lower *l, unsigned input)
{
    return make_known(l, input, true);
}

bool lower_weights(struct lower *l, unsigned first, unsigned last)
{
    bool fine = true;
    for (unsigned i = first; i <= last; i++)
        fine &= make_known(l, i, false);
    return fine;
}

bool lower_parameters(struct lower *l, unsigned first, unsigned last)
{
    bool fine = true;
    for (unsigned i = first; i <= last; i++)
        fine &= lower_parameter(l, i);
    return fine;
}
