/* onnx_build.c: what the productions of onnx_text.y build. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "element.h"
#include "onnx_text.h"

/* The parser never sees a failed allocation: it gets this much to write into, and the run ends with "no memory". */
static void *take(struct text_parser *p, size_t bytes) {
    void *taken = onnx_arena_take(p->arena, bytes);
    if (!taken) p->no_memory = p->failed = true;
    return taken;
}

#define MAKE(p, type, init) ((type *)make(p, sizeof(type), (void (*)(void *))init))
static void *make(struct text_parser *p, size_t bytes, void (*init)(void *)) {
    void *message = take(p, bytes);
    if (message) init(message);
    return message;
}

/* --- words, numbers, lists ------------------------------------------------------------------------------------------------------- */

char *onnx_build_text(struct text_parser *p, struct place place) {
    const char *from = p->text + place.span.begin, *end = p->text + place.span.end;
    bool quoted = *from == '"';
    char *text = take(p, (size_t)(end - from) + 1), *to = text;
    if (!text) return NULL;
    if (quoted) from++, end--;
    while (from < end) {
        if (quoted && *from == '\\' && from + 1 < end) from++;
        *to++ = *from++;
    }
    return text;
}

/* Doubles the array behind a list; what it leaves behind stays in the arena. */
static void *doubled(struct text_parser *p, void *items, size_t *room, size_t size) {
    size_t wanted = *room ? *room * 2 : 4;
    void *grown = take(p, wanted * size);
    if (grown && items) memcpy(grown, items, *room * size);
    if (grown) *room = wanted;
    return grown;
}

void onnx_build_push(struct text_parser *p, struct list *list, void *item) {
    if (p->no_memory) return;
    if (list->count == list->room) {
        void **grown = doubled(p, list->items, &list->room, sizeof *list->items);
        if (!grown) return;
        list->items = grown;
    }
    list->items[list->count++] = item;
}

void onnx_build_span(struct text_parser *p, struct spans *spans, struct place place) {
    if (p->no_memory) return;
    if (spans->count == spans->room) {
        struct span *grown = doubled(p, spans->items, &spans->room, sizeof *spans->items);
        if (!grown) return;
        spans->items = grown;
    }
    spans->items[spans->count++] = place.span;
}

/* A number's text, ended; numbers longer than this are no numbers. */
static bool number_text(const struct text_parser *p, struct span span, char out[64]) {
    size_t length = span.end - span.begin;
    if (length >= 64) return false;
    memcpy(out, p->text + span.begin, length);
    out[length] = 0;
    return true;
}

static bool read_integer(const struct text_parser *p, struct span span, int64_t *out) {
    char text[64], *end;
    errno = 0;
    if (!number_text(p, span, text)) return false;
    *out = strtoll(text, &end, 10);
    return !errno && end != text && !*end;
}

static bool read_unsigned(const struct text_parser *p, struct span span, uint64_t *out) {
    char text[64], *end;
    errno = 0;
    if (!number_text(p, span, text) || *text == '-') return false;
    *out = strtoull(text, &end, 10);
    return !errno && end != text && !*end;
}

/* Decimal numbers, inf, infinity and nan, with a sign. */
static bool read_real(const struct text_parser *p, struct span span, double *out) {
    char text[64], *end;
    if (!number_text(p, span, text)) return false;
    const char *word = *text == '-' ? text + 1 : text;
    bool special = !strcasecmp(word, "inf") || !strcasecmp(word, "infinity") || !strcasecmp(word, "nan");
    if (!special && !(*word >= '0' && *word <= '9')) return false;
    *out = strtod(text, &end);
    return !*end;
}

int64_t onnx_build_integer(struct text_parser *p, struct place place) {
    int64_t number = 0;
    if (!read_integer(p, place.span, &number)) onnx_text_error(p, place, "the number does not fit 64 bits");
    return number;
}

/* --- types ----------------------------------------------------------------------------------------------------------------------- */

Onnx__TensorShapeProto__Dimension *onnx_build_dimension(struct text_parser *p, int64_t value, char *name) {
    Onnx__TensorShapeProto__Dimension *dim = MAKE(p, Onnx__TensorShapeProto__Dimension, onnx__tensor_shape_proto__dimension__init);
    if (!dim) return NULL;
    if (name) {
        dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        dim->dim_param = name;
    } else if (value >= 0) { /* the grammar gives -1 for ? */
        dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        dim->dim_value = value;
    }
    return dim;
}

Onnx__TypeProto *onnx_build_tensor_type(struct text_parser *p, struct place name, struct list dims, bool has_shape) {
    Onnx__TypeProto *type = MAKE(p, Onnx__TypeProto, onnx__type_proto__init);
    Onnx__TypeProto__Tensor *tensor = MAKE(p, Onnx__TypeProto__Tensor, onnx__type_proto__tensor__init);
    Onnx__TensorShapeProto *shape = MAKE(p, Onnx__TensorShapeProto, onnx__tensor_shape_proto__init);
    char *word = onnx_build_text(p, name);
    if (!type || !tensor || !shape || !word) return NULL;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    tensor->has_elem_type = true;
    tensor->elem_type = onnx_type_find(word);
    shape->n_dim = dims.count;
    shape->dim = (Onnx__TensorShapeProto__Dimension **)dims.items;
    tensor->shape = has_shape ? shape : NULL;
    return type;
}

/* seq, optional and sparse_tensor are read so that the importer can refuse the value by its name. */
Onnx__TypeProto *onnx_build_container_type(struct text_parser *p, struct place name, Onnx__TypeProto *inner) {
    Onnx__TypeProto *type = MAKE(p, Onnx__TypeProto, onnx__type_proto__init);
    if (!type) return NULL;
    char first = p->text[name.span.begin], second = p->text[name.span.begin + 1];
    type->value_case = first == 'o' ? ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE : second == 'p' ? ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE : ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE;
    return type;
}

Onnx__ValueInfoProto *onnx_build_info(struct text_parser *p, Onnx__TypeProto *type, char *name) {
    Onnx__ValueInfoProto *info = MAKE(p, Onnx__ValueInfoProto, onnx__value_info_proto__init);
    if (!info) return NULL;
    info->name = name;
    info->type = type;
    return info;
}

/* --- tensors --------------------------------------------------------------------------------------------------------------------- */

static bool tensor_dims(struct text_parser *p, struct place place, const Onnx__TypeProto *type, Onnx__TensorProto *tensor) {
    if (type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || !type->tensor_type->shape) return onnx_text_error(p, place, "data need a tensor type with its dimensions, such as float[2, 3]"), false;
    const Onnx__TensorShapeProto *shape = type->tensor_type->shape;
    tensor->dims = take(p, (shape->n_dim + 1) * sizeof *tensor->dims);
    for (size_t i = 0; tensor->dims && i < shape->n_dim; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = shape->dim[i];
        if (dim->value_case != ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE) return onnx_text_error(p, place, "data need dimensions that are numbers; dimension %zu is none", i), false;
        tensor->dims[i] = dim->dim_value;
    }
    tensor->n_dims = shape->n_dim;
    return tensor->dims;
}

struct filling { struct text_parser *p; Onnx__TensorProto *tensor; struct spans data; };

static size_t fill_reals(struct filling *f) {
    float *singles = take(f->p, f->data.count * sizeof *singles);
    size_t i = 0;
    double number;
    for (; singles && i < f->data.count && read_real(f->p, f->data.items[i], &number); i++) singles[i] = (float)number;
    f->tensor->float_data = singles;
    f->tensor->n_float_data = i;
    return i;
}

static size_t fill_doubles(struct filling *f) {
    double *doubles = take(f->p, f->data.count * sizeof *doubles);
    size_t i = 0;
    while (doubles && i < f->data.count && read_real(f->p, f->data.items[i], &doubles[i])) i++;
    f->tensor->double_data = doubles;
    f->tensor->n_double_data = i;
    return i;
}

static size_t fill_longs(struct filling *f) {
    int64_t *longs = take(f->p, f->data.count * sizeof *longs);
    size_t i = 0;
    while (longs && i < f->data.count && read_integer(f->p, f->data.items[i], &longs[i])) i++;
    f->tensor->int64_data = longs;
    f->tensor->n_int64_data = i;
    return i;
}

static size_t fill_unsigned(struct filling *f, uint64_t high) {
    uint64_t *numbers = take(f->p, f->data.count * sizeof *numbers);
    size_t i = 0;
    while (numbers && i < f->data.count && read_unsigned(f->p, f->data.items[i], &numbers[i]) && numbers[i] <= high) i++;
    f->tensor->uint64_data = numbers;
    f->tensor->n_uint64_data = i;
    return i;
}

static size_t fill_narrow(struct filling *f, int64_t low, int64_t high) {
    int32_t *numbers = take(f->p, f->data.count * sizeof *numbers);
    size_t i = 0;
    int64_t number;
    for (; numbers && i < f->data.count && read_integer(f->p, f->data.items[i], &number) && number >= low && number <= high; i++) numbers[i] = (int32_t)number;
    f->tensor->int32_data = numbers;
    f->tensor->n_int32_data = i;
    return i;
}

/* Returns how many constants could be taken. 16-bit floats stand as the integers of their bits, as ONNX has them. */
static size_t fill(struct filling *f) {
    enum element element;
    if (!element_from_onnx(&element, f->tensor->data_type)) return f->data.count; /* the importer refuses the type */
    switch (element) {
    case ELEMENT_F32: return fill_reals(f);
    case ELEMENT_F64: return fill_doubles(f);
    case ELEMENT_S64: return fill_longs(f);
    case ELEMENT_U64: return fill_unsigned(f, UINT64_MAX);
    case ELEMENT_U32: return fill_unsigned(f, UINT32_MAX);
    case ELEMENT_BOOL: return fill_narrow(f, 0, 1);
    case ELEMENT_U8: return fill_narrow(f, 0, UINT8_MAX);
    case ELEMENT_S8: return fill_narrow(f, INT8_MIN, INT8_MAX);
    case ELEMENT_S16: return fill_narrow(f, INT16_MIN, INT16_MAX);
    case ELEMENT_S32: return fill_narrow(f, INT32_MIN, INT32_MAX);
    case ELEMENT_U16: case ELEMENT_F16: case ELEMENT_BF16: return fill_narrow(f, 0, UINT16_MAX);
    }
    return 0;
}

static struct place place_of(const struct text_parser *p, struct span span) {
    struct place place = {span, 1, 1};
    for (uint32_t i = 0; i < span.begin; i++, place.column++)
        if (p->text[i] == '\n') place.line++, place.column = 0;
    return place;
}

Onnx__TensorProto *onnx_build_tensor(struct text_parser *p, struct place place, Onnx__TypeProto *type, char *name, struct spans data, struct list external) {
    Onnx__TensorProto *tensor = MAKE(p, Onnx__TensorProto, onnx__tensor_proto__init);
    if (!tensor || !type || !tensor_dims(p, place, type, tensor)) return tensor;
    tensor->name = name;
    tensor->has_data_type = true;
    tensor->data_type = type->tensor_type->elem_type;
    tensor->n_external_data = external.count;
    tensor->external_data = (Onnx__StringStringEntryProto **)external.items;
    tensor->has_data_location = true;
    tensor->data_location = external.count ? ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL : ONNX__TENSOR_PROTO__DATA_LOCATION__DEFAULT;
    struct filling filling = {p, tensor, data};
    size_t taken = fill(&filling);
    if (taken < data.count && !p->no_memory) onnx_text_error(p, place_of(p, data.items[taken]), "is no %s", onnx_type_name(tensor->data_type));
    return tensor;
}

void onnx_build_item(struct text_parser *p, struct items *items, Onnx__ValueInfoProto *info, Onnx__TensorProto *tensor, bool input) {
    if (info && input) onnx_build_push(p, &items->infos, info);
    if (tensor) onnx_build_push(p, &items->tensors, tensor);
}

/* --- attributes ------------------------------------------------------------------------------------------------------------------ */

static Onnx__AttributeProto *make_attribute(struct text_parser *p, attribute_type type) {
    Onnx__AttributeProto *attribute = MAKE(p, Onnx__AttributeProto, onnx__attribute_proto__init);
    if (!attribute) return NULL;
    attribute->has_type = true;
    attribute->type = type;
    return attribute;
}

#define KIND(NAME) ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__##NAME

Onnx__AttributeProto *onnx_build_number(struct text_parser *p, struct place place) {
    Onnx__AttributeProto *attribute = make_attribute(p, KIND(INT));
    double real;
    if (!attribute || read_integer(p, place.span, &attribute->i)) return attribute;
    attribute->type = KIND(FLOAT);
    if (!read_real(p, place.span, &real)) onnx_text_error(p, place, "is no value; a number, a string, a list, a tensor such as float[1] {0}, or @name is right");
    else attribute->f = (float)real;
    return attribute;
}

Onnx__AttributeProto *onnx_build_string(struct text_parser *p, char *text) {
    Onnx__AttributeProto *attribute = make_attribute(p, KIND(STRING));
    if (!attribute || !text) return attribute;
    attribute->has_s = true;
    attribute->s = (ProtobufCBinaryData){strlen(text), (uint8_t *)text};
    return attribute;
}

Onnx__AttributeProto *onnx_build_reference(struct text_parser *p, char *name) {
    Onnx__AttributeProto *attribute = make_attribute(p, KIND(UNDEFINED));
    if (attribute) attribute->ref_attr_name = name;
    return attribute;
}

Onnx__AttributeProto *onnx_build_tensor_value(struct text_parser *p, Onnx__TensorProto *tensor) {
    Onnx__AttributeProto *attribute = make_attribute(p, KIND(TENSOR));
    if (attribute) attribute->t = tensor;
    return attribute;
}

Onnx__AttributeProto *onnx_build_graph_value(struct text_parser *p, Onnx__GraphProto *graph) {
    Onnx__AttributeProto *attribute = make_attribute(p, KIND(GRAPH));
    if (attribute) attribute->g = graph;
    return attribute;
}

Onnx__AttributeProto *onnx_build_type_value(struct text_parser *p, Onnx__TypeProto *type) {
    Onnx__AttributeProto *attribute = make_attribute(p, KIND(TYPE_PROTO));
    if (attribute) attribute->tp = type;
    return attribute;
}

static bool copy_values(struct text_parser *p, Onnx__AttributeProto *list, struct list values) {
    size_t n = values.count;
    list->floats = take(p, (n + 1) * sizeof *list->floats);
    list->ints = take(p, (n + 1) * sizeof *list->ints);
    list->strings = take(p, (n + 1) * sizeof *list->strings);
    if (!list->floats || !list->ints || !list->strings) return false;
    for (size_t i = 0; i < n; i++) {
        const Onnx__AttributeProto *value = values.items[i];
        list->ints[i] = value->i;
        list->floats[i] = value->type == KIND(INT) ? (float)value->i : value->f;
        list->strings[i] = value->s;
    }
    return true;
}

/* Integers beside floats become floats; beside anything else they do not. */
Onnx__AttributeProto *onnx_build_values(struct text_parser *p, struct place place, struct list values) {
    Onnx__AttributeProto *list = make_attribute(p, KIND(INTS));
    size_t ints = 0, floats = 0, strings = 0, n = values.count;
    if (!list || p->no_memory || !copy_values(p, list, values)) return list;
    for (size_t i = 0; i < n; i++) {
        attribute_type type = ((const Onnx__AttributeProto *)values.items[i])->type;
        ints += type == KIND(INT);
        floats += type == KIND(FLOAT);
        strings += type == KIND(STRING);
    }
    if (ints + floats != n && strings != n) return onnx_text_error(p, place, "a list holds integers, floats, or strings"), list;
    list->type = strings && n ? KIND(STRINGS) : floats ? KIND(FLOATS) : KIND(INTS);
    *(list->type == KIND(STRINGS) ? &list->n_strings : list->type == KIND(FLOATS) ? &list->n_floats : &list->n_ints) = n;
    return list;
}

static attribute_type find_kind(const char *word) {
    static const struct { const char *word; attribute_type type; } kinds[] = {
        {"float", KIND(FLOAT)}, {"int", KIND(INT)}, {"string", KIND(STRING)}, {"tensor", KIND(TENSOR)}, {"graph", KIND(GRAPH)}, {"sparse_tensor", KIND(SPARSE_TENSOR)}, {"type_proto", KIND(TYPE_PROTO)},
        {"floats", KIND(FLOATS)}, {"ints", KIND(INTS)}, {"strings", KIND(STRINGS)}, {"tensors", KIND(TENSORS)}, {"graphs", KIND(GRAPHS)}, {"sparse_tensors", KIND(SPARSE_TENSORS)}, {"type_protos", KIND(TYPE_PROTOS)}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (!strcmp(kinds[i].word, word)) return kinds[i].type;
    return KIND(UNDEFINED);
}

/* A value whose type is written must have it; integers are taken where floats are asked for. */
static bool convert(Onnx__AttributeProto *value, attribute_type wanted) {
    if (value->ref_attr_name) return value->type = wanted, true;
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

Onnx__AttributeProto *onnx_build_attribute(struct text_parser *p, struct place place, char *name, char *type, Onnx__AttributeProto *value) {
    if (!value || p->no_memory) return value;
    attribute_type wanted = type ? find_kind(type) : KIND(UNDEFINED);
    value->name = name;
    if (type && wanted == KIND(UNDEFINED)) onnx_text_error(p, place, "'%s' is no type of attributes; float, int, string, tensor, floats, ints and strings are", type);
    else if (type && !convert(value, wanted)) onnx_text_error(p, place, "attribute %s is no %s", name, type);
    else if (value->ref_attr_name && !type) value->has_type = false;
    return value;
}

/* --- nodes, graphs, functions ---------------------------------------------------------------------------------------------------- */

/* A list of names in which empty ones count, save for a list that is nothing but empty. */
static char **name_array(struct text_parser *p, struct list names, size_t *count) {
    *count = names.count == 1 && !names.items[0] ? 0 : names.count;
    for (size_t i = 0; i < *count; i++)
        if (!names.items[i]) names.items[i] = take(p, 1);
    return (char **)names.items;
}

Onnx__NodeProto *onnx_build_node(struct text_parser *p, char *label, struct list outputs, struct list words, struct list attributes, struct list inputs) {
    Onnx__NodeProto *node = MAKE(p, Onnx__NodeProto, onnx__node_proto__init);
    size_t room = 1;
    if (!node || p->no_memory) return NULL;
    for (size_t i = 0; i + 1 < words.count; i++) room += strlen(words.items[i]) + 1;
    char *domain = take(p, room), *at = domain;
    for (size_t i = 0; domain && i + 1 < words.count; i++) at = stpcpy(stpcpy(at, i ? "." : ""), words.items[i]);
    node->name = label;
    node->domain = domain;
    node->op_type = words.items[words.count - 1];
    node->attribute = (Onnx__AttributeProto **)attributes.items;
    node->n_attribute = attributes.count;
    node->output = name_array(p, outputs, &node->n_output);
    node->input = name_array(p, inputs, &node->n_input);
    return node;
}

Onnx__GraphProto *onnx_build_graph(struct text_parser *p, char *name, struct items inputs, struct list outputs, struct items initialisers, struct list nodes) {
    Onnx__GraphProto *graph = MAKE(p, Onnx__GraphProto, onnx__graph_proto__init);
    if (!graph || p->no_memory) return NULL;
    for (size_t i = 0; i < initialisers.tensors.count; i++) onnx_build_push(p, &inputs.tensors, initialisers.tensors.items[i]);
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

Onnx__StringStringEntryProto *onnx_build_pair(struct text_parser *p, char *key, char *value) {
    Onnx__StringStringEntryProto *pair = MAKE(p, Onnx__StringStringEntryProto, onnx__string_string_entry_proto__init);
    if (!pair) return NULL;
    pair->key = key;
    pair->value = value;
    return pair;
}

struct header_entry *onnx_build_entry(struct text_parser *p, struct place key, char *text, struct list pairs) {
    struct header_entry *entry = take(p, sizeof *entry);
    if (entry) *entry = (struct header_entry){onnx_build_text(p, key), key, text, pairs};
    return entry;
}

static Onnx__OperatorSetIdProto *make_opset(struct text_parser *p, const struct header_entry *entry, const Onnx__StringStringEntryProto *pair) {
    Onnx__OperatorSetIdProto *opset = MAKE(p, Onnx__OperatorSetIdProto, onnx__operator_set_id_proto__init);
    char *end;
    if (!opset) return NULL;
    opset->domain = pair->key;
    opset->version = strtoll(pair->value, &end, 10);
    opset->has_version = true;
    if (*end || !*pair->value) onnx_text_error(p, entry->place, "the opset of domain \"%s\" is '%s'; a number is right", pair->key, pair->value);
    return opset;
}

static struct list opsets_of(struct text_parser *p, const struct list *header) {
    struct list opsets = {0};
    for (size_t i = 0; i < header->count; i++) {
        const struct header_entry *entry = header->items[i];
        for (size_t k = 0; !strcmp(entry->key, "opset_import") && k < entry->pairs.count; k++) onnx_build_push(p, &opsets, make_opset(p, entry, entry->pairs.items[k]));
    }
    return opsets;
}

static void check_keys(struct text_parser *p, const struct list *header, const char *const *known) {
    for (size_t i = 0; i < header->count; i++) {
        const struct header_entry *entry = header->items[i];
        const char *const *at = known;
        while (*at && strcmp(*at, entry->key)) at++;
        if (!*at) onnx_text_error(p, entry->place, "'%s' has no place here; ir_version, opset_import, domain and doc_string, among others, do", entry->key);
    }
}

static char *find_entry(const struct list *header, const char *key) {
    for (size_t i = 0; i < header->count; i++)
        if (!strcmp(((const struct header_entry *)header->items[i])->key, key)) return ((const struct header_entry *)header->items[i])->text;
    return NULL;
}

static struct list info_names(struct text_parser *p, struct list infos) {
    struct list names = {0};
    for (size_t i = 0; i < infos.count; i++) onnx_build_push(p, &names, ((const Onnx__ValueInfoProto *)infos.items[i])->name);
    return names;
}

void onnx_build_function(struct text_parser *p, struct list header, char *name, struct list attributes, struct list inputs, struct list outputs, struct list nodes) {
    static const char *const known[] = {"opset_import", "domain", "doc_string", NULL};
    Onnx__FunctionProto *function = MAKE(p, Onnx__FunctionProto, onnx__function_proto__init);
    if (!function || p->failed) return;
    check_keys(p, &header, known);
    struct list in = info_names(p, inputs), out = info_names(p, outputs), opsets = opsets_of(p, &header), functions = {(void **)p->model->functions, p->model->n_functions, p->model->n_functions};
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
    onnx_build_push(p, &functions, function);
    p->model->functions = (Onnx__FunctionProto **)functions.items;
    p->model->n_functions = functions.count;
}

void onnx_build_model(struct text_parser *p, struct list header, Onnx__GraphProto *graph) {
    static const char *const known[] = {"ir_version", "opset_import", "producer_name", "producer_version", "domain", "model_version", "doc_string", "metadata_props", NULL};
    p->model = MAKE(p, Onnx__ModelProto, onnx__model_proto__init);
    if (!p->model || p->failed) return;
    check_keys(p, &header, known);
    struct list opsets = opsets_of(p, &header);
    p->model->graph = graph;
    p->model->opset_import = (Onnx__OperatorSetIdProto **)opsets.items;
    p->model->n_opset_import = opsets.count;
}
