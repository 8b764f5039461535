/* onnx_build.c: attributes, nodes, graphs and functions of ONNX text. */
#include <stdlib.h>
#include <string.h>

#include "onnx_text.h"

/* --- attributes ------------------------------------------------------------------------------------------------------------------ */

static Onnx__AttributeProto *make_attribute(struct text_parser *p, attribute_type type)
{
    Onnx__AttributeProto *attribute = MAKE(p, Onnx__AttributeProto, ONNX__ATTRIBUTE_PROTO__INIT);
    if (!attribute)
        return NULL;
    attribute->has_type = true;
    attribute->type = type;
    return attribute;
}

#define KIND(NAME) ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__##NAME

Onnx__AttributeProto *onnx_build_number(struct text_parser *p, struct place place)
{
    Onnx__AttributeProto *attribute = make_attribute(p, KIND(INT));
    double real;
    if (!attribute || onnx_read_integer(p, place.span, &attribute->i))
        return attribute;
    attribute->type = KIND(FLOAT);
    if (!onnx_read_real(p, place.span, &real))
        onnx_text_error(p, place, "is no value; a number, a string, a list, a tensor such as float[1] {0}, or @name is right");
    else
        attribute->f = (float)real;
    return attribute;
}

Onnx__AttributeProto *onnx_build_string(struct text_parser *p, char *text)
{
    Onnx__AttributeProto *attribute = make_attribute(p, KIND(STRING));
    if (!attribute || !text)
        return attribute;
    attribute->has_s = true;
    attribute->s = (ProtobufCBinaryData){strlen(text), (uint8_t *)text};
    return attribute;
}

Onnx__AttributeProto *onnx_build_reference(struct text_parser *p, char *name)
{
    Onnx__AttributeProto *attribute = make_attribute(p, KIND(UNDEFINED));
    if (attribute)
        attribute->ref_attr_name = name;
    return attribute;
}

Onnx__AttributeProto *onnx_build_tensor_value(struct text_parser *p, Onnx__TensorProto *tensor)
{
    Onnx__AttributeProto *attribute = make_attribute(p, KIND(TENSOR));
    if (attribute)
        attribute->t = tensor;
    return attribute;
}

Onnx__AttributeProto *onnx_build_graph_value(struct text_parser *p, Onnx__GraphProto *graph)
{
    Onnx__AttributeProto *attribute = make_attribute(p, KIND(GRAPH));
    if (attribute)
        attribute->g = graph;
    return attribute;
}

Onnx__AttributeProto *onnx_build_type_value(struct text_parser *p, Onnx__TypeProto *type)
{
    Onnx__AttributeProto *attribute = make_attribute(p, KIND(TYPE_PROTO));
    if (attribute)
        attribute->tp = type;
    return attribute;
}

static bool copy_values(struct text_parser *p, Onnx__AttributeProto *list, struct list values)
{
    size_t n = values.count;
    list->floats = onnx_build_take(p, (n + 1) * sizeof *list->floats);
    list->ints = onnx_build_take(p, (n + 1) * sizeof *list->ints);
    list->strings = onnx_build_take(p, (n + 1) * sizeof *list->strings);
    if (!list->floats || !list->ints || !list->strings)
        return false;
    for (size_t i = 0; i < n; i++) {
        const Onnx__AttributeProto *value = values.items[i];
        list->ints[i] = value->i;
        list->floats[i] = value->type == KIND(INT) ? (float)value->i : value->f;
        list->strings[i] = value->s;
    }
    return true;
}

/* Integers beside floats become floats; beside anything else they do not. */
Onnx__AttributeProto *onnx_build_values(struct text_parser *p, struct place place, struct list values)
{
    Onnx__AttributeProto *list = make_attribute(p, KIND(INTS));
    size_t ints = 0, floats = 0, strings = 0, n = values.count;
    if (!list || p->no_memory || !copy_values(p, list, values))
        return list;
    for (size_t i = 0; i < n; i++) {
        attribute_type type = ((const Onnx__AttributeProto *)values.items[i])->type;
        ints += type == KIND(INT);
        floats += type == KIND(FLOAT);
        strings += type == KIND(STRING);
    }
    if (ints + floats != n && strings != n)
        return onnx_text_error(p, place, "a list holds integers, floats, or strings"), list;
    list->type = strings && n ? KIND(STRINGS) : floats ? KIND(FLOATS) : KIND(INTS);
    *(list->type == KIND(STRINGS) ? &list->n_strings : list->type == KIND(FLOATS) ? &list->n_floats : &list->n_ints) = n;
    return list;
}

static attribute_type find_kind(const char *word)
{
    static const struct {
        const char *word;
        attribute_type type;
    } kinds[] = {{"float", KIND(FLOAT)},
                 {"int", KIND(INT)},
                 {"string", KIND(STRING)},
                 {"tensor", KIND(TENSOR)},
                 {"graph", KIND(GRAPH)},
                 {"sparse_tensor", KIND(SPARSE_TENSOR)},
                 {"type_proto", KIND(TYPE_PROTO)},
                 {"floats", KIND(FLOATS)},
                 {"ints", KIND(INTS)},
                 {"strings", KIND(STRINGS)},
                 {"tensors", KIND(TENSORS)},
                 {"graphs", KIND(GRAPHS)},
                 {"sparse_tensors", KIND(SPARSE_TENSORS)},
                 {"type_protos", KIND(TYPE_PROTOS)}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (!strcmp(kinds[i].word, word))
            return kinds[i].type;
    return KIND(UNDEFINED);
}

/* A value whose type is written must have it; integers are taken where floats are asked for. */
static bool convert(Onnx__AttributeProto *value, attribute_type wanted)
{
    if (value->ref_attr_name)
        return value->type = wanted, true;
    if (wanted == KIND(FLOAT) && value->type == KIND(INT)) {
        value->f = (float)value->i;
        value->type = wanted;
    } else if (value->type == KIND(INTS) && (wanted == KIND(FLOATS) || (wanted == KIND(STRINGS) && !value->n_ints))) {
        *(wanted == KIND(FLOATS) ? &value->n_floats : &value->n_strings) = value->n_ints;
        value->n_ints = 0;
        value->type = wanted;
    }
    return value->type == wanted;
}

Onnx__AttributeProto *onnx_build_attribute(struct text_parser *p, struct place place, char *name, char *type, Onnx__AttributeProto *value)
{
    if (!value || p->no_memory)
        return value;
    attribute_type wanted = type ? find_kind(type) : KIND(UNDEFINED);
    value->name = name;
    if (type && wanted == KIND(UNDEFINED))
        onnx_text_error(p, place, "'%s' is no type of attributes; float, int, string, tensor, floats, ints and strings are", type);
    else if (type && !convert(value, wanted))
        onnx_text_error(p, place, "attribute %s is no %s", name, type);
    else if (value->ref_attr_name && !type)
        value->has_type = false;
    return value;
}

/* --- nodes, graphs, functions ---------------------------------------------------------------------------------------------------- */

/* A list of names in which empty ones count, save for a list that is nothing but empty. */
static char **name_array(struct text_parser *p, struct list names, size_t *count)
{
    *count = names.count == 1 && !names.items[0] ? 0 : names.count;
    for (size_t i = 0; i < *count; i++)
        if (!names.items[i])
            names.items[i] = onnx_build_take(p, 1);
    return (char **)names.items;
}

Onnx__NodeProto *onnx_build_node(struct text_parser *p, char *label, struct list outputs, struct list words, struct list attributes,
                                 struct list inputs)
{
    Onnx__NodeProto *node = MAKE(p, Onnx__NodeProto, ONNX__NODE_PROTO__INIT);
    size_t room = 1;
    if (!node || p->no_memory)
        return NULL;
    for (size_t i = 0; i + 1 < words.count; i++)
        room += strlen(words.items[i]) + 1;
    char *domain = onnx_build_take(p, room), *at = domain;
    for (size_t i = 0; domain && i + 1 < words.count; i++)
        at = stpcpy(stpcpy(at, i ? "." : ""), words.items[i]);
    node->name = label;
    node->domain = domain;
    node->op_type = words.items[words.count - 1];
    node->attribute = (Onnx__AttributeProto **)attributes.items;
    node->n_attribute = attributes.count;
    node->output = name_array(p, outputs, &node->n_output);
    node->input = name_array(p, inputs, &node->n_input);
    return node;
}

Onnx__GraphProto *onnx_build_graph(struct text_parser *p, char *name, struct items inputs, struct list outputs, struct items initialisers,
                                   struct list nodes)
{
    Onnx__GraphProto *graph = MAKE(p, Onnx__GraphProto, ONNX__GRAPH_PROTO__INIT);
    if (!graph || p->no_memory)
        return NULL;
    for (size_t i = 0; i < initialisers.tensors.count; i++)
        onnx_build_push(p, &inputs.tensors, initialisers.tensors.items[i]);
    graph->name = name;
    graph->input = (Onnx__ValueInfoProto **)inputs.infos.items;
    graph->n_input = inputs.infos.count;
    graph->initializer = (Onnx__TensorProto **)inputs.tensors.items;
    graph->n_initializer = inputs.tensors.count;
    graph->output = (Onnx__ValueInfoProto **)outputs.items;
    graph->n_output = outputs.count;
    graph->node = (Onnx__NodeProto **)nodes.items;
    graph->n_node = nodes.count;
    return graph;
}

Onnx__StringStringEntryProto *onnx_build_pair(struct text_parser *p, char *key, char *value)
{
    Onnx__StringStringEntryProto *pair = MAKE(p, Onnx__StringStringEntryProto, ONNX__STRING_STRING_ENTRY_PROTO__INIT);
    if (!pair)
        return NULL;
    pair->key = key;
    pair->value = value;
    return pair;
}

struct header_entry *onnx_build_entry(struct text_parser *p, struct place key, char *text, struct list pairs)
{
    struct header_entry *entry = onnx_build_take(p, sizeof *entry);
    if (entry)
        *entry = (struct header_entry){onnx_build_text(p, key), key, text, pairs};
    return entry;
}

static Onnx__OperatorSetIdProto *make_opset(struct text_parser *p, const struct header_entry *entry,
                                            const Onnx__StringStringEntryProto *pair)
{
    Onnx__OperatorSetIdProto *opset = MAKE(p, Onnx__OperatorSetIdProto, ONNX__OPERATOR_SET_ID_PROTO__INIT);
    char *end;
    if (!opset)
        return NULL;
    opset->domain = pair->key;
    opset->version = strtoll(pair->value, &end, 10);
    opset->has_version = true;
    if (*end || !*pair->value)
        onnx_text_error(p, entry->place, "the opset of domain \"%s\" is '%s'; a number is right", pair->key, pair->value);
    return opset;
}

static struct list opsets_of(struct text_parser *p, const struct list *header)
{
    struct list opsets = {0};
    for (size_t i = 0; i < header->count; i++) {
        const struct header_entry *entry = header->items[i];
        for (size_t k = 0; !strcmp(entry->key, "opset_import") && k < entry->pairs.count; k++)
            onnx_build_push(p, &opsets, make_opset(p, entry, entry->pairs.items[k]));
    }
    return opsets;
}

static void check_keys(struct text_parser *p, const struct list *header, const char *const *known)
{
    for (size_t i = 0; i < header->count; i++) {
        const struct header_entry *entry = header->items[i];
        const char *const *at = known;
        while (*at && strcmp(*at, entry->key))
            at++;
        if (!*at)
            onnx_text_error(p, entry->place, "'%s' has no place here; ir_version, opset_import, domain and doc_string, among others, do",
                            entry->key);
    }
}

static char *find_entry(const struct list *header, const char *key)
{
    for (size_t i = 0; i < header->count; i++)
        if (!strcmp(((const struct header_entry *)header->items[i])->key, key))
            return ((const struct header_entry *)header->items[i])->text;
    return NULL;
}

static void set_version(struct text_parser *p, const struct list *header)
{
    for (size_t i = 0; i < header->count; i++) {
        const struct header_entry *entry = header->items[i];
        char *end;
        if (strcmp(entry->key, "ir_version"))
            continue;
        const char *text = entry->text ? entry->text : "";
        p->model->ir_version = strtoll(text, &end, 10);
        p->model->has_ir_version = true;
        if (*end || !*text)
            onnx_text_error(p, entry->place, "ir_version is '%s'; a number is right", text);
    }
}

static struct list info_names(struct text_parser *p, struct list infos)
{
    struct list names = {0};
    for (size_t i = 0; i < infos.count; i++)
        onnx_build_push(p, &names, ((const Onnx__ValueInfoProto *)infos.items[i])->name);
    return names;
}

void onnx_build_function(struct text_parser *p, struct list header, char *name, struct list attributes, struct list inputs,
                         struct list outputs, struct list nodes)
{
    static const char *const known[] = {"opset_import", "domain", "doc_string", NULL};
    Onnx__FunctionProto *function = MAKE(p, Onnx__FunctionProto, ONNX__FUNCTION_PROTO__INIT);
    if (!function || p->failed)
        return;
    check_keys(p, &header, known);
    struct list in = info_names(p, inputs), out = info_names(p, outputs), opsets = opsets_of(p, &header);
    function->name = name;
    function->domain = find_entry(&header, "domain");
    function->opset_import = (Onnx__OperatorSetIdProto **)opsets.items;
    function->n_opset_import = opsets.count;
    function->attribute = (char **)attributes.items;
    function->n_attribute = attributes.count;
    function->input = (char **)in.items;
    function->n_input = in.count;
    function->output = (char **)out.items;
    function->n_output = out.count;
    function->node = (Onnx__NodeProto **)nodes.items;
    function->n_node = nodes.count;
    onnx_build_push(p, &p->functions, function);
    p->model->functions = (Onnx__FunctionProto **)p->functions.items;
    p->model->n_functions = p->functions.count;
}

void onnx_build_model(struct text_parser *p, struct list header, Onnx__GraphProto *graph)
{
    static const char *const known[] = {
        "ir_version", "opset_import", "producer_name", "producer_version", "domain", "model_version", "doc_string", "metadata_props", NULL};
    p->model = MAKE(p, Onnx__ModelProto, ONNX__MODEL_PROTO__INIT);
    if (!p->model || p->failed)
        return;
    check_keys(p, &header, known);
    set_version(p, &header);
    struct list opsets = opsets_of(p, &header);
    p->model->graph = graph;
    p->model->opset_import = (Onnx__OperatorSetIdProto **)opsets.items;
    p->model->n_opset_import = opsets.count;
}
