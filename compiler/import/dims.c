/* dims.c: sizes that the command line gives to dimensions which the file leaves open. */
#include "dims.h"

#include <stdio.h>
#include <string.h>

bool dims_find(const struct weft_compile_options *options, const char *name, int64_t *out)
{
    for (size_t i = 0; i < options->dim_count; i++)
        if (*name && !strcmp(options->dims[i].name, name))
            return *out = options->dims[i].value, true;
    return false;
}

static const Onnx__TensorShapeProto *shape_of(const Onnx__ValueInfoProto *input)
{
    const Onnx__TypeProto *type = input->type;
    return type && type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ? type->tensor_type->shape : NULL;
}

/* "" where it has a number, or no name. */
static const char *name_at(const Onnx__TensorShapeProto *shape, size_t axis)
{
    const Onnx__TensorShapeProto__Dimension *dim = shape->dim[axis];
    return dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM && dim->dim_param ? dim->dim_param : "";
}

/* Of one of the first `axes` dimensions of an input. */
static bool is_named(const Onnx__GraphProto *graph, const char *name, size_t axes)
{
    for (size_t i = 0; i < graph->n_input; i++) {
        const Onnx__TensorShapeProto *shape = shape_of(graph->input[i]);
        for (size_t k = 0; shape && k < shape->n_dim && k < axes; k++)
            if (!strcmp(name_at(shape, k), name))
                return true;
    }
    return false;
}

static bool is_listed(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; (at = strstr(at, name)); at += length)
        if ((at == list || at[-1] == ' ') && (!at[length] || at[length] == ','))
            return true;
    return false;
}

/* "batch, seq", each once, cut where it would not fit; "none". */
static void list_names(char *out, size_t size, const Onnx__GraphProto *graph)
{
    size_t used = 0;
    *out = 0;
    for (size_t i = 0; i < graph->n_input; i++) {
        const Onnx__TensorShapeProto *shape = shape_of(graph->input[i]);
        for (size_t k = 0; shape && k < shape->n_dim && used < size; k++)
            if (*name_at(shape, k) && !is_listed(out, name_at(shape, k)))
                used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "", name_at(shape, k));
    }
    if (!used)
        snprintf(out, size, "none");
}

size_t dims_check(const Onnx__GraphProto *graph, const struct weft_compile_options *options, const char *path, struct weft_diag *diag)
{
    int64_t batch = options->batch;
    size_t wrong = 0;
    char names[256];
    list_names(names, sizeof names, graph);
    for (size_t i = 0; i < options->dim_count; i++) {
        const struct weft_dim *dim = &options->dims[i];
        if (dim->optional)
            continue;
        if (!is_named(graph, dim->name, SIZE_MAX))
            wrong++, weft_error(diag, "%s: no input has an open dimension named %s; there are: %s", path, dim->name, names);
        else if (batch && batch != dim->value && is_named(graph, dim->name, 1))
            wrong++, weft_error(diag, "%s: --dim %s=%lld contradicts --batch %lld: %s is the batch, the first dimension of an input; give one of the two", path,
                                dim->name, (long long)dim->value, (long long)batch, dim->name);
    }
    return wrong;
}
