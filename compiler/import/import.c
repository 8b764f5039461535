/* import.c: an ONNX model's graph: initialisers, inputs with their open dimensions, nodes, outputs. */
#include "dims.h"
#include "import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lower.h"

static const char *text(const char *string)
{
    return string ? string : "";
}

#define FAIL(...) (l->refusals++, weft_error(l->diag, __VA_ARGS__))

static void release_model(void *model, size_t bytes)
{
    model_free(model);
}

/* --- what the model says of itself --------------------------------------------------------------------------------------------- */

static enum weft_status read_opset(struct lower *l, struct scope *scope)
{
    const Onnx__ModelProto *model = l->model->proto;
    for (size_t i = 0; i < model->n_opset_import; i++) {
        const char *domain = text(model->opset_import[i]->domain);
        int64_t version = model->opset_import[i]->version;
        if (*domain && strcmp(domain, "ai.onnx"))
            continue;
        if (version < IMPORT_OPSET_FIRST || version > IMPORT_OPSET_LAST)
            return FAIL("%s: opset %lld; %d to %d are supported", l->path, (long long)version, IMPORT_OPSET_FIRST, IMPORT_OPSET_LAST);
        scope->opset = (int)version;
        return WEFT_OK;
    }
    return FAIL("%s: imports no opset of ONNX; opset_import must name domain \"\" with a version from %d to %d", l->path,
                IMPORT_OPSET_FIRST, IMPORT_OPSET_LAST);
}

char *lower_function_key(const char *domain, const char *name)
{
    char *key = NULL;
    return asprintf(&key, "%s\n%s", text(domain), text(name)) < 0 ? NULL : key;
}

/* What a function says that this reader does not know: types of its values and notes (value_info, metadata_props) change nothing. */
static const char *newer_field(const Onnx__FunctionProto *function)
{
    enum { ATTRIBUTE_PROTO = 11, VALUE_INFO, OVERLOAD, METADATA_PROPS };
    for (unsigned i = 0; i < function->base.n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *field = &function->base.unknown_fields[i];
        bool empty = field->len <= 1; /* the length alone */
        if (field->tag == ATTRIBUTE_PROTO)
            return "an attribute with a default";
        if (field->tag == OVERLOAD && !empty)
            return "an overload";
        if (field->tag < ATTRIBUTE_PROTO || field->tag > METADATA_PROPS)
            return "a field of its own";
    }
    return NULL;
}

static enum weft_status read_functions(struct lower *l)
{
    int before;
    l->function_keys = calloc(l->model->proto->n_functions + 1, sizeof *l->function_keys);
    if (!l->function_keys)
        return WEFT_NO_MEMORY;
    for (size_t i = 0; i < l->model->proto->n_functions; i++) {
        const Onnx__FunctionProto *function = l->model->proto->functions[i];
        char *key = l->function_keys[i] = lower_function_key(function->domain, function->name);
        if (!key)
            return WEFT_NO_MEMORY;
        if (names_find(&l->functions, key, &before))
            return FAIL("%s: function %s of domain '%s' is defined twice", l->path, text(function->name), text(function->domain));
        if (!names_set(&l->functions, key, (int)i))
            return WEFT_NO_MEMORY;
        const char *newer = newer_field(function);
        if (newer)
            return FAIL("%s: function %s has %s, which IR version 8 lacks and which is not supported", l->path, text(function->name), newer);
    }
    return WEFT_OK;
}

/* --- initialisers ---------------------------------------------------------------------------------------------------------------- */

static int add_named(struct graph *graph, const struct scope *scope, const char *name, const struct contents_view *view)
{
    char *whole;
    if (asprintf(&whole, "%s%s", scope->prefix, name) < 0)
        return GRAPH_NONE;
    int id = graph_add_value(graph, whole, view->element, &view->shape);
    free(whole);
    return id;
}

static enum weft_status add_initialiser(struct lower *l, struct scope *scope, const Onnx__TensorProto *proto)
{
    struct contents_view view;
    const char *name = text(proto->name);
    int before;
    if (!*name || scope_find(scope, name, &before))
        return FAIL("%s: initializer '%s': a name must be given, and once", l->path, name);
    enum weft_status status = tensor_proto_view(&view, l->model, proto, name, l->diag);
    if (status) {
        l->refusals++;
        return status == WEFT_ERROR && names_set(&scope->values, name, LOWER_POISON) ? WEFT_OK : status;
    }
    int id = add_named(l->graph, scope, name, &view);
    if (id == GRAPH_NONE) {
        if (!view.borrowed)
            free(view.bytes);
        return WEFT_NO_MEMORY;
    }
    struct value *value = &l->graph->values[id];
    value->contents = CONTENTS_BYTES;
    value->bytes = view.bytes;
    value->borrowed = view.borrowed;
    return names_set(&scope->values, name, id) ? WEFT_OK : WEFT_NO_MEMORY;
}

static enum weft_status add_initialisers(struct lower *l, struct scope *scope, const Onnx__GraphProto *graph)
{
    enum weft_status status = WEFT_OK;
    if (graph->n_sparse_initializer)
        return FAIL("%s: sparse initializers are not supported", l->path);
    for (size_t i = 0; i < graph->n_initializer && !status; i++)
        status = add_initialiser(l, scope, graph->initializer[i]);
    return status;
}

bool import_initialisers(struct lower *l, struct scope *scope, const Onnx__GraphProto *graph)
{
    enum weft_status status = add_initialisers(l, scope, graph);
    return status == WEFT_NO_MEMORY ? lower_no_memory(l) : !status;
}

/* --- inputs ---------------------------------------------------------------------------------------------------------------------- */

static bool may_be_batch(int64_t dim)
{
    return dim >= 1 && dim <= LOWER_VALUE_MAX;
}

/* The first dimension is the batch: --batch decides, then what the file says, then --dim (dims_check: which says the same), then 1. Where the file
 * leaves it open, or says no number that a batch can have, its reshape targets hold nothing to adapt. A result that is out of range is refused by
 * the caller, and what was known of the batch stays. */
static void resolve_batch(struct lower *l, int64_t *dim, bool open, const char *name)
{
    int64_t file = open ? 0 : *dim;
    if (l->options->batch)
        *dim = l->options->batch;
    else if (open && !dims_find(l->options, name, dim))
        *dim = 1;
    if (!may_be_batch(*dim))
        return;
    l->batch = *dim;
    l->file_batch = may_be_batch(file) ? file : *dim;
}

static bool resolve_dim(struct lower *l, const char *input, size_t axis, const Onnx__TensorShapeProto__Dimension *proto, int64_t *dim)
{
    bool open = proto->value_case != ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    const char *name = proto->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM ? text(proto->dim_param) : "";
    *dim = open ? 0 : proto->dim_value;
    if (!axis)
        resolve_batch(l, dim, open, name);
    else if (open && !dims_find(l->options, name, dim)) {
        if (*name)
            FAIL("%s: input %s: dimension %zu (%s) is open; give it a number, as in --dim %s=%d", l->path, input, axis, name, name, DIMS_EXAMPLE);
        else
            FAIL("%s: input %s: dimension %zu is open and has no name; the file must give it a number, or a name for --dim", l->path, input,
                 axis);
        return false;
    }
    if (*dim >= 1 || (*dim == 0 && lower_binding(l, input)))
        return true; /* an empty list of axes, bound, may be right */
    FAIL("%s: input %s: dimension %zu is %lld; it must be at least 1", l->path, input, axis, (long long)*dim);
    return false;
}

static const char *type_kind(const Onnx__TypeProto *type)
{
    switch (type ? type->value_case : ONNX__TYPE_PROTO__VALUE__NOT_SET) {
    case ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE:
        return "a sequence";
    case ONNX__TYPE_PROTO__VALUE_MAP_TYPE:
        return "a map";
    case ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE:
        return "an optional";
    case ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE:
        return "a sparse tensor";
    default:
        return "without a type";
    }
}

static bool resolve_type(struct lower *l, const char *name, const Onnx__TypeProto *type, enum element *element, struct shape *shape)
{
    int64_t count;
    char dims[160];
    bool fine = true;
    if (!type || type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return FAIL("%s: input %s is %s; tensors are supported", l->path, name, type_kind(type)), false;
    const Onnx__TypeProto__Tensor *tensor = type->tensor_type;
    if (!element_from_onnx(element, tensor->elem_type))
        return FAIL("%s: input %s: element type %s (%d) is not supported", l->path, name, onnx_type_name(tensor->elem_type),
                    tensor->elem_type),
               false;
    if (!tensor->shape)
        return FAIL("%s: input %s has no shape; its count of dimensions must be known", l->path, name), false;
    if (tensor->shape->n_dim > GRAPH_RANK_MAX)
        return FAIL("%s: input %s has %zu dimensions; at most %d are supported", l->path, name, tensor->shape->n_dim, GRAPH_RANK_MAX),
               false;
    shape->rank = (unsigned)tensor->shape->n_dim;
    for (unsigned i = 0; i < shape->rank; i++)
        fine &= resolve_dim(l, name, i, tensor->shape->dim[i], &shape->dims[i]);
    if (fine && !shape_fits(shape, &count))
        return FAIL("%s: input %s has too many elements", l->path, name), false;
    if (fine && count > LOWER_VALUE_MAX)
        return FAIL("%s: input %s is %s, %lld elements; at most %lld are supported", l->path, name, shape_text(shape, dims),
                    (long long)count, (long long)LOWER_VALUE_MAX),
               false;
    return fine;
}

static enum weft_status add_input(struct lower *l, struct scope *scope, const Onnx__ValueInfoProto *info)
{
    const char *name = text(info->name);
    struct shape shape = {0};
    enum element element = ELEMENT_F32;
    int id = LOWER_POISON, before;
    if (names_find(&scope->values, name, &before) && (before == LOWER_POISON || value_is_constant(&l->graph->values[before])))
        return WEFT_OK; /* an initialiser gives its value */
    if (!*name || names_find(&scope->values, name, &before))
        return FAIL("%s: input '%s': a name must be given, and once", l->path, name);
    if (resolve_type(l, name, info->type, &element, &shape)) {
        id = graph_add_value(l->graph, name, element, &shape);
        if (id == GRAPH_NONE)
            return WEFT_NO_MEMORY;
        if (shape_count(&shape))
            l->graph->inputs[l->graph->input_count++] = id;
        else
            l->graph->values[id].contents = CONTENTS_FILL; /* no elements: nobody needs to bring them */
    }
    return names_set(&scope->values, name, id) ? WEFT_OK : WEFT_NO_MEMORY;
}

static enum weft_status add_inputs(struct lower *l, struct scope *scope)
{
    const Onnx__GraphProto *graph = l->model->proto->graph;
    l->graph->inputs = malloc((graph->n_input + 1) * sizeof *l->graph->inputs);
    enum weft_status status = l->graph->inputs ? WEFT_OK : WEFT_NO_MEMORY;
    l->refusals += dims_check(graph, l->options, l->path, l->diag);
    for (size_t i = 0; i < graph->n_input && status != WEFT_NO_MEMORY; i++)
        if (add_input(l, scope, graph->input[i]) == WEFT_NO_MEMORY)
            status = WEFT_NO_MEMORY;
    return status;
}

/* --- outputs --------------------------------------------------------------------------------------------------------------------- */

static enum weft_status rename_value(struct value *value, const char *name)
{
    char *copy = strdup(name);
    if (!copy)
        return WEFT_NO_MEMORY;
    free(value->name);
    value->name = copy;
    return WEFT_OK;
}

/* An input, or what has another output's name already, is copied under the output's own name. */
static int copy_value(struct graph *graph, int value, const char *name)
{
    struct shape shape = graph->values[value].shape;
    int copy = graph_add_value(graph, name, graph->values[value].element, &shape);
    int node = copy == GRAPH_NONE ? GRAPH_NONE : graph_add_node(graph, CORE_RESHAPE, name, "Identity", &value, 1);
    return node == GRAPH_NONE ? GRAPH_NONE : graph_add_output(graph, node, copy);
}

static bool is_made(const struct graph *graph, int value)
{
    return graph->values[value].producer != GRAPH_NONE || value_is_constant(&graph->values[value]);
}

static enum weft_status add_output(struct lower *l, struct scope *scope, const Onnx__ValueInfoProto *info)
{
    const char *name = text(info->name);
    enum element element;
    int value;
    if (!names_find(&scope->values, name, &value))
        return FAIL("%s: output %s: nothing makes it", l->path, name);
    if (value == LOWER_POISON)
        return WEFT_OK;
    const struct value *made = &l->graph->values[value];
    if (info->type && info->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE && info->type->tensor_type->elem_type &&
        (!element_from_onnx(&element, info->type->tensor_type->elem_type) || element != made->element))
        return FAIL("%s: output %s is declared as %s and the network makes %s", l->path, name,
                    onnx_type_name(info->type->tensor_type->elem_type), element_name(made->element));
    if (graph_is_output(l->graph, value) || !is_made(l->graph, value))
        value = copy_value(l->graph, value, name);
    else if (rename_value(&l->graph->values[value], name))
        return WEFT_NO_MEMORY;
    if (value == GRAPH_NONE)
        return WEFT_NO_MEMORY;
    l->graph->outputs[l->graph->output_count++] = value;
    return WEFT_OK;
}

static enum weft_status add_outputs(struct lower *l, struct scope *scope)
{
    const Onnx__GraphProto *graph = l->model->proto->graph;
    l->graph->outputs = malloc((graph->n_output + 1) * sizeof *l->graph->outputs);
    if (!l->graph->outputs)
        return WEFT_NO_MEMORY;
    if (!graph->n_output)
        FAIL("%s: the network has no output", l->path);
    for (size_t i = 0; i < graph->n_output; i++)
        if (add_output(l, scope, graph->output[i]) == WEFT_NO_MEMORY)
            return WEFT_NO_MEMORY;
    return WEFT_OK;
}

/* --- the whole ------------------------------------------------------------------------------------------------------------------- */

static enum weft_status import_graph(struct lower *l, struct scope *scope)
{
    const Onnx__GraphProto *graph = l->model->proto->graph;
    enum weft_status status;
    if (!graph)
        return FAIL("%s: the model has no graph", l->path);
    if ((status = read_opset(l, scope)) || (status = read_functions(l)) || (status = add_initialisers(l, scope, graph)) ||
        (status = add_inputs(l, scope)))
        return status;
    for (size_t i = 0; i < graph->n_output; i++)
        if (!names_set(&scope->reads, text(graph->output[i]->name), 1))
            return WEFT_NO_MEMORY;
    Onnx__NodeProto whole = ONNX__NODE_PROTO__INIT; /* what a refusal of the graph as a whole names */
    whole.op_type = (char *)"graph";
    l->proto = &whole;
    l->name = text(graph->name);
    if (!import_nodes(l, scope, graph->node, graph->n_node))
        return l->no_memory ? WEFT_NO_MEMORY : WEFT_ERROR;
    status = add_outputs(l, scope);
    return status;
}

/* Where nodes were refused, what nobody reads any more leaves the network, so that it is still looked at. */
static enum weft_status keep_loose_ends(struct graph *graph)
{
    bool *read = calloc((size_t)graph->value_count + 1, sizeof *read);
    int *outputs = realloc(graph->outputs, ((size_t)graph->value_count + 1) * sizeof *outputs);
    if (outputs)
        graph->outputs = outputs;
    for (int i = 0; read && i < graph->node_count; i++)
        for (unsigned k = 0; k < graph->nodes[i].input_count; k++)
            if (graph->nodes[i].inputs[k] != GRAPH_NONE)
                read[graph->nodes[i].inputs[k]] = true;
    for (unsigned k = 0; read && k < graph->output_count; k++)
        read[graph->outputs[k]] = true;
    for (int i = 0; read && outputs && i < graph->value_count; i++)
        if (!read[i] && graph->values[i].producer != GRAPH_NONE)
            graph->outputs[graph->output_count++] = i;
    free(read);
    return read && outputs ? WEFT_OK : WEFT_NO_MEMORY;
}

static enum weft_status import_onnx(struct graph *graph, bool *whole, const char *path, const struct weft_compile_options *options,
                                    struct weft_diag *diag)
{
    struct lower l = {.graph = graph, .options = options, .diag = diag, .path = path, .file_batch = 1, .batch = 1};
    struct scope scope = {.prefix = ""};
    enum weft_status status = model_load(&l.model, path, diag);
    if (status)
        return status;
    graph->file = l.model;
    graph->release = release_model;
    status = import_graph(&l, &scope);
    graph->batch = l.batch;
    names_clear(&scope.values);
    names_clear(&scope.reads);
    names_clear(&l.functions);
    for (size_t i = 0; l.function_keys && l.function_keys[i]; i++)
        free(l.function_keys[i]);
    free(l.function_keys);
    *whole = !l.refusals;
    return status || *whole ? status : keep_loose_ends(graph);
}

static bool is_csv(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && !strcasecmp(dot, ".csv");
}

enum weft_status import_what_can(struct graph **out, bool *whole, const char *path, const struct weft_compile_options *options,
                                 struct weft_diag *diag)
{
    static const struct weft_compile_options none = {0};
    struct graph *graph;
    *out = NULL;
    *whole = true;
    if (graph_create(&graph))
        return WEFT_NO_MEMORY;
    if (!options)
        options = &none;
    graph->timing_only = options->timing_only;
    const char *slash = strrchr(path, '/');
    graph->name = strdup(slash ? slash + 1 : path);
    enum weft_status status = !graph->name   ? WEFT_NO_MEMORY
                              : is_csv(path) ? scalesim_load(graph, path, options, diag)
                                             : import_onnx(graph, whole, path, options, diag);
    if (!status)
        status = graph_sort(graph, diag);
    if (!status)
        graph_sweep(graph);
    if (!status)
        status = graph_verify(graph, diag);
    if (!status && !graph->timing_only)
        status = import_sizes(graph, path, diag);
    if (status)
        graph_free(graph);
    *out = status ? NULL : graph;
    return status;
}

enum weft_status import_network(struct graph **out, const char *path, const struct weft_compile_options *options, struct weft_diag *diag)
{
    bool whole;
    enum weft_status status = import_what_can(out, &whole, path, options, diag);
    if (status || whole)
        return status;
    graph_free(*out);
    *out = NULL;
    return WEFT_ERROR;
}
