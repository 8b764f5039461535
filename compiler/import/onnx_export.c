/* onnx_export.c: a network as an ONNX file that any runtime reads: functions are written out, with the names that the importer gives, and
 * what RandomNormal and RandomUniform make stands in the file, since other runtimes draw other numbers.
 *
 * Nodes are copies that borrow what does not change from the model that was read; what is new lies in an arena of its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "import.h"
#include "lower.h"
#include "names.h"
#include "onnx_text.h"
#include "random.h"

enum { BYTES_MAX = 2147483647 /* of a protobuf message */, VERSION = 8 /* of the format, where the network names none */ };

struct export
{
    struct model *model;
    struct weft_diag *diag;
    struct onnx_arena arena;
    struct list nodes, tensors; /* of the new graph; the tensors' bytes are the heap's */
    char **texts;               /* what the scopes' names stand for */
    size_t text_count, text_room;
    uint64_t bytes;
    size_t visited; /* nodes, with calls: an empty body has none to write and takes as long to come to */
};

/* A body that is being written out: what its names are in the new graph, and the attributes of the call. */
struct body {
    const char *prefix;
    const Onnx__NodeProto *call; /* NULL: the network's own nodes */
    struct names names;
    unsigned depth;
};

static enum weft_status write_nodes(struct export *e, struct body *body, Onnx__NodeProto **nodes, size_t count);

static const char *text(const char *string)
{
    return string ? string : "";
}

static enum weft_status push(struct list *list, void *item)
{
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 64;
        void **items = reallocarray(list->items, room, sizeof *items);
        if (!items)
            return WEFT_NO_MEMORY;
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = item;
    return WEFT_OK;
}

static void *copy(struct export *e, const void *from, size_t bytes)
{
    void *taken = onnx_arena_take(&e->arena, bytes ? bytes : 1);
    if (taken && bytes)
        memcpy(taken, from, bytes);
    return taken;
}

/* --- names ------------------------------------------------------------------------------------------------------------- */

static enum weft_status set_name(struct export *e, struct body *body, const char *name, char *meaning)
{
    if (e->text_count == e->text_room) {
        size_t room = e->text_room ? 2 * e->text_room : 256;
        char **texts = reallocarray(e->texts, room, sizeof *texts);
        if (!texts)
            return WEFT_NO_MEMORY;
        e->texts = texts;
        e->text_room = room;
    }
    e->texts[e->text_count++] = meaning;
    return names_set(&body->names, name, (int)e->text_count - 1) ? WEFT_OK : WEFT_NO_MEMORY;
}

/* NULL: no memory. A name that was never seen belongs to the body. */
static char *meaning_of(struct export *e, struct body *body, const char *name)
{
    int known;
    if (!*name)
        return (char *)"";
    if (names_find(&body->names, name, &known))
        return e->texts[known];
    size_t room = strlen(body->prefix) + strlen(name) + 1;
    char *meaning = onnx_arena_take(&e->arena, room);
    if (!meaning)
        return NULL;
    snprintf(meaning, room, "%s%s", body->prefix, name);
    return set_name(e, body, name, meaning) ? NULL : meaning;
}

static enum weft_status rename_all(struct export *e, struct body *body, char ***names, size_t count)
{
    char **renamed = copy(e, *names, count * sizeof **names);
    if (!renamed)
        return WEFT_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        if (!(renamed[i] = meaning_of(e, body, text(renamed[i]))))
            return WEFT_NO_MEMORY;
    *names = renamed;
    return WEFT_OK;
}

/* --- attributes -------------------------------------------------------------------------------------------------------- */

static Onnx__AttributeProto *find_attribute(const Onnx__NodeProto *node, const char *name)
{
    for (size_t i = 0; node && i < node->n_attribute; i++)
        if (!strcmp(text(node->attribute[i]->name), name))
            return node->attribute[i];
    return NULL;
}

/* What its type says is there: text does not mark it. */
static void mark(Onnx__AttributeProto *attribute)
{
    attribute->has_i = attribute->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    attribute->has_f = attribute->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
    attribute->has_s = attribute->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
    attribute->has_type = true;
}

/* `@name` becomes what the call says; what the call leaves out, the node leaves out. */
static enum weft_status resolve_attributes(struct export *e, const struct body *body, Onnx__NodeProto *node)
{
    Onnx__AttributeProto **resolved = copy(e, node->attribute, node->n_attribute * sizeof *resolved);
    size_t count = 0;
    if (!resolved)
        return WEFT_NO_MEMORY;
    for (size_t i = 0; i < node->n_attribute; i++) {
        const Onnx__AttributeProto *own = node->attribute[i], *said = own;
        if (*text(own->ref_attr_name) && !(said = find_attribute(body->call, own->ref_attr_name)))
            continue;
        Onnx__AttributeProto *given = copy(e, said, sizeof *said);
        if (!given)
            return WEFT_NO_MEMORY;
        given->name = own->name;
        mark(given);
        if (given->g && *body->prefix)
            return weft_error(e->diag, "%s: %s: a function with a graph in an attribute cannot be written out", e->model->path,
                              text(node->op_type));
        resolved[count++] = given;
    }
    node->attribute = resolved;
    node->n_attribute = count;
    return WEFT_OK;
}

static double number_of(const Onnx__NodeProto *node, const char *name, double otherwise)
{
    const Onnx__AttributeProto *attribute = find_attribute(node, name);
    return attribute ? (double)attribute->f : otherwise;
}

/* --- random weights ---------------------------------------------------------------------------------------------------- */

/* The value that the importer would make of the node (lower_const.c). */
static enum weft_status describe_random(struct export *e, struct value *out, const Onnx__NodeProto *node)
{
    bool normal = !strcmp(text(node->op_type), "RandomNormal");
    const Onnx__AttributeProto *shape = find_attribute(node, "shape"), *type = find_attribute(node, "dtype"),
                               *seed = find_attribute(node, "seed");
    const char *result = node->n_output ? text(node->output[0]) : "";
    int64_t count;
    *out = (struct value){.contents = normal ? CONTENTS_NORMAL : CONTENTS_UNIFORM, .element = ELEMENT_F32};
    out->mean = number_of(node, normal ? "mean" : "low", 0);
    out->deviation = number_of(node, normal ? "scale" : "high", 1);
    if (seed) {
        uint32_t bits;
        memcpy(&bits, &seed->f, sizeof bits);
        out->seed = bits;
    } else
        out->seed = random_hash_text(result);
    if (type && type->i != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT)
        return weft_error(e->diag, "%s: %s: random numbers of dtype %lld; float (1) can be written", e->model->path, result,
                          (long long)type->i);
    if (!shape || shape->n_ints > GRAPH_RANK_MAX)
        return weft_error(e->diag, "%s: %s: needs an attribute shape of up to %d numbers", e->model->path, result, GRAPH_RANK_MAX);
    out->shape.rank = (unsigned)shape->n_ints;
    for (size_t d = 0; d < shape->n_ints; d++)
        out->shape.dims[d] = shape->ints[d];
    if (!shape_fits(&out->shape, &count) || (e->bytes += (uint64_t)count * sizeof(float)) > BYTES_MAX)
        return weft_error(e->diag, "%s: %s: with it the weights take more than the %d bytes that one ONNX file can hold", e->model->path,
                          result, BYTES_MAX);
    return WEFT_OK;
}

static enum weft_status write_random(struct export *e, const Onnx__NodeProto *node)
{
    struct value value;
    struct graph graph = {.values = &value, .value_count = 1};
    enum weft_status status = describe_random(e, &value, node);
    if (status)
        return status;
    Onnx__TensorProto *tensor = onnx_arena_take(&e->arena, sizeof *tensor);
    int64_t *dims = copy(e, value.shape.dims, value.shape.rank * sizeof *dims);
    if (!tensor || !dims || !value_bytes(&graph, 0))
        return WEFT_NO_MEMORY;
    onnx__tensor_proto__init(tensor);
    tensor->name = node->output[0];
    tensor->has_data_type = tensor->has_raw_data = true;
    tensor->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    tensor->dims = dims;
    tensor->n_dims = value.shape.rank;
    tensor->raw_data = (ProtobufCBinaryData){(size_t)shape_count(&value.shape) * sizeof(float), value.bytes};
    status = push(&e->tensors, tensor);
    if (status)
        free(value.bytes);
    return status;
}

/* --- functions and nodes ----------------------------------------------------------------------------------------------- */

static const Onnx__FunctionProto *find_function(const struct export *e, const Onnx__NodeProto *node)
{
    for (size_t i = 0; i < e->model->proto->n_functions; i++) {
        const Onnx__FunctionProto *function = e->model->proto->functions[i];
        if (!strcmp(text(function->name), text(node->op_type)) && !strcmp(text(function->domain), text(node->domain)))
            return function;
    }
    return NULL;
}

static enum weft_status bind(struct export *e, struct body *inner, char **formal, size_t count, char **actual, size_t given)
{
    enum weft_status status = WEFT_OK;
    for (size_t i = 0; i < count && !status; i++)
        status = i < given && *actual[i] ? set_name(e, inner, formal[i], actual[i]) : WEFT_OK;
    return status;
}

/* `own`: how the body itself names the call. */
static enum weft_status write_call(struct export *e, const struct body *body, const Onnx__FunctionProto *function,
                                   const Onnx__NodeProto *call, const char *own)
{
    size_t room = strlen(body->prefix) + strlen(own) + 2;
    char *prefix = onnx_arena_take(&e->arena, room);
    struct body inner = {.prefix = prefix, .call = call, .depth = body->depth + 1};
    if (!prefix)
        return WEFT_NO_MEMORY;
    if (inner.depth > LOWER_DEPTH_MAX)
        return weft_error(e->diag, "%s: %s: functions call each other more than %d deep", e->model->path, own, LOWER_DEPTH_MAX);
    snprintf(prefix, room, "%s%s/", body->prefix, own);
    enum weft_status status = bind(e, &inner, function->input, function->n_input, call->input, call->n_input);
    if (!status)
        status = bind(e, &inner, function->output, function->n_output, call->output, call->n_output);
    if (!status)
        status = write_nodes(e, &inner, function->node, function->n_node);
    names_clear(&inner.names);
    return status;
}

static enum weft_status write_node(struct export *e, struct body *body, const Onnx__NodeProto *proto)
{
    Onnx__NodeProto *node = copy(e, proto, sizeof *proto);
    enum weft_status status = node ? WEFT_OK : WEFT_NO_MEMORY;
    if (!status)
        status = rename_all(e, body, &node->input, node->n_input);
    if (!status)
        status = rename_all(e, body, &node->output, node->n_output);
    if (!status)
        status = resolve_attributes(e, body, node);
    if (status)
        return status;
    const Onnx__FunctionProto *function = find_function(e, node);
    bool random = !*text(node->domain) && (!strcmp(text(node->op_type), "RandomNormal") || !strcmp(text(node->op_type), "RandomUniform"));
    if (function)
        return write_call(e, body, function, node, *text(proto->name) ? proto->name : proto->n_output ? proto->output[0] : function->name);
    if (random && node->n_output)
        return write_random(e, node);
    return push(&e->nodes, node);
}

static enum weft_status write_nodes(struct export *e, struct body *body, Onnx__NodeProto **nodes, size_t count)
{
    enum weft_status status = WEFT_OK;
    if (count > LOWER_NODES_MAX - e->visited)
        return weft_error(e->diag, "%s: written out, it has more than %d nodes", e->model->path, LOWER_NODES_MAX);
    e->visited += count;
    for (size_t i = 0; i < count && !status; i++)
        status = write_node(e, body, nodes[i]);
    return status;
}

/* --- the file ---------------------------------------------------------------------------------------------------------- */

static enum weft_status store(struct export *e, const char *out)
{
    Onnx__ModelProto model = *e->model->proto;
    Onnx__GraphProto graph = *model.graph;
    size_t made = e->tensors.count;
    enum weft_status status = WEFT_OK;
    for (size_t i = 0; i < graph.n_initializer && !status; i++) {
        status = push(&e->tensors, graph.initializer[i]);
        if (graph.initializer[i]->n_external_data)
            status =
                weft_error(e->diag, "%s: tensor %s lies in a file beside the network; only networks that hold their weights can be written",
                           e->model->path, text(graph.initializer[i]->name));
    }
    graph.node = (Onnx__NodeProto **)e->nodes.items;
    graph.n_node = e->nodes.count;
    graph.initializer = (Onnx__TensorProto **)e->tensors.items;
    graph.n_initializer = e->tensors.count;
    e->tensors.count = made; /* those whose bytes are ours */
    model.graph = &graph;
    model.n_functions = 0;
    if (!model.has_ir_version || model.ir_version <= 0)
        model.ir_version = VERSION;
    model.has_ir_version = true;
    size_t size = status ? 0 : onnx__model_proto__get_packed_size(&model);
    if (status)
        return status;
    if (size > BYTES_MAX)
        return weft_error(e->diag, "%s: would take %zu bytes; an ONNX file has at most %d", out, size, BYTES_MAX);
    uint8_t *bytes = malloc(size ? size : 1);
    if (!bytes)
        return WEFT_NO_MEMORY;
    onnx__model_proto__pack(&model, bytes);
    status = weft_file_write(out, bytes, size, e->diag);
    free(bytes);
    return status;
}

static void release(struct export *e)
{
    for (size_t i = 0; i < e->tensors.count; i++)
        free(((Onnx__TensorProto *)e->tensors.items[i])->raw_data.data);
    free(e->tensors.items);
    free(e->nodes.items);
    free(e->texts);
    onnx_arena_free(&e->arena);
    model_free(e->model);
}

enum weft_status weft_network_export(const char *path, const char *out, struct weft_diag *diag)
{
    struct export e = {.diag = diag};
    struct body body = {.prefix = ""};
    enum weft_status status = model_load(&e.model, path, diag);
    if (!status && !e.model->proto->graph)
        status = weft_error(diag, "%s: the model has no graph", path);
    if (!status)
        status = write_nodes(&e, &body, e.model->proto->graph->node, e.model->proto->graph->n_node);
    if (!status)
        status = store(&e, out);
    names_clear(&body.names);
    release(&e);
    return status;
}
