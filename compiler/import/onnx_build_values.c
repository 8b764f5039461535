/* onnx_build_values.c: words, numbers, types and tensors of ONNX text. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "element.h"
#include "onnx_text.h"

void *onnx_build_take(struct text_parser *p, size_t bytes)
{
    void *taken = onnx_arena_take(p->arena, bytes);
    if (!taken)
        p->no_memory = p->failed = true;
    return taken;
}

void *onnx_build_make(struct text_parser *p, const void *blank, size_t bytes)
{
    void *message = onnx_build_take(p, bytes);
    return message ? memcpy(message, blank, bytes) : NULL;
}

/* --- words, numbers, lists ------------------------------------------------------------------------------------------------------- */

char *onnx_build_text(struct text_parser *p, struct place place)
{
    const char *from = p->text + place.span.begin, *end = p->text + place.span.end;
    bool quoted = *from == '"';
    char *text = onnx_build_take(p, (size_t)(end - from) + 1), *to = text;
    if (!text)
        return NULL;
    if (quoted)
        from++, end--;
    while (from < end) {
        if (quoted && *from == '\\' && from + 1 < end)
            from++;
        *to++ = *from++;
    }
    return text;
}

/* Doubles the array behind a list; what it leaves behind stays in the arena. */
static void *doubled(struct text_parser *p, void *items, size_t *room, size_t size)
{
    size_t wanted = *room ? *room * 2 : 4;
    void *grown = onnx_build_take(p, wanted * size);
    if (grown && items)
        memcpy(grown, items, *room * size);
    if (grown)
        *room = wanted;
    return grown;
}

void onnx_build_push(struct text_parser *p, struct list *list, void *item)
{
    if (p->no_memory)
        return;
    if (list->count == list->room) {
        void **grown = doubled(p, list->items, &list->room, sizeof *list->items);
        if (!grown)
            return;
        list->items = grown;
    }
    list->items[list->count++] = item;
}

void onnx_build_span(struct text_parser *p, struct spans *spans, struct place place)
{
    if (p->no_memory)
        return;
    if (spans->count == spans->room) {
        struct span *grown = doubled(p, spans->items, &spans->room, sizeof *spans->items);
        if (!grown)
            return;
        spans->items = grown;
    }
    spans->items[spans->count++] = place.span;
}

/* A number's text, ended; numbers longer than this are no numbers. */
static bool number_text(const struct text_parser *p, struct span span, char out[64])
{
    size_t length = span.end - span.begin;
    if (length >= 64)
        return false;
    memcpy(out, p->text + span.begin, length);
    out[length] = 0;
    return true;
}

bool onnx_read_integer(const struct text_parser *p, struct span span, int64_t *out)
{
    char text[64], *end;
    errno = 0;
    if (!number_text(p, span, text))
        return false;
    *out = strtoll(text, &end, 10);
    return !errno && end != text && !*end;
}

static bool read_unsigned(const struct text_parser *p, struct span span, uint64_t *out)
{
    char text[64], *end;
    errno = 0;
    if (!number_text(p, span, text) || *text == '-')
        return false;
    *out = strtoull(text, &end, 10);
    return !errno && end != text && !*end;
}

/* Decimal numbers, inf, infinity and nan, with a sign. */
bool onnx_read_real(const struct text_parser *p, struct span span, double *out)
{
    char text[64], *end;
    if (!number_text(p, span, text))
        return false;
    const char *word = *text == '-' ? text + 1 : text;
    bool special = !strcasecmp(word, "inf") || !strcasecmp(word, "infinity") || !strcasecmp(word, "nan");
    if (!special && !(*word >= '0' && *word <= '9'))
        return false;
    *out = strtod(text, &end);
    return !*end;
}

int64_t onnx_build_integer(struct text_parser *p, struct place place)
{
    int64_t number = 0;
    if (!onnx_read_integer(p, place.span, &number))
        onnx_text_error(p, place, "the number does not fit 64 bits");
    return number;
}

/* --- types ----------------------------------------------------------------------------------------------------------------------- */

Onnx__TensorShapeProto__Dimension *onnx_build_dimension(struct text_parser *p, int64_t value, char *name)
{
    Onnx__TensorShapeProto__Dimension *dim = MAKE(p, Onnx__TensorShapeProto__Dimension, ONNX__TENSOR_SHAPE_PROTO__DIMENSION__INIT);
    if (!dim)
        return NULL;
    if (name) {
        dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        dim->dim_param = name;
    } else if (value >= 0) { /* the grammar gives -1 for ? */
        dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        dim->dim_value = value;
    }
    return dim;
}

Onnx__TypeProto *onnx_build_tensor_type(struct text_parser *p, struct place name, struct list dims, bool has_shape)
{
    Onnx__TypeProto *type = MAKE(p, Onnx__TypeProto, ONNX__TYPE_PROTO__INIT);
    Onnx__TypeProto__Tensor *tensor = MAKE(p, Onnx__TypeProto__Tensor, ONNX__TYPE_PROTO__TENSOR__INIT);
    Onnx__TensorShapeProto *shape = MAKE(p, Onnx__TensorShapeProto, ONNX__TENSOR_SHAPE_PROTO__INIT);
    char *word = onnx_build_text(p, name);
    if (!type || !tensor || !shape || !word)
        return NULL;
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
Onnx__TypeProto *onnx_build_container_type(struct text_parser *p, struct place name, Onnx__TypeProto *inner)
{
    Onnx__TypeProto *type = MAKE(p, Onnx__TypeProto, ONNX__TYPE_PROTO__INIT);
    if (!type)
        return NULL;
    char first = p->text[name.span.begin], second = p->text[name.span.begin + 1];
    type->value_case = first == 'o'    ? ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE
                       : second == 'p' ? ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE
                                       : ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE;
    return type;
}

Onnx__ValueInfoProto *onnx_build_info(struct text_parser *p, Onnx__TypeProto *type, char *name)
{
    Onnx__ValueInfoProto *info = MAKE(p, Onnx__ValueInfoProto, ONNX__VALUE_INFO_PROTO__INIT);
    if (!info)
        return NULL;
    info->name = name;
    info->type = type;
    return info;
}

/* --- tensors --------------------------------------------------------------------------------------------------------------------- */

static bool tensor_dims(struct text_parser *p, struct place place, const Onnx__TypeProto *type, Onnx__TensorProto *tensor)
{
    if (type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || !type->tensor_type->shape)
        return onnx_text_error(p, place, "data need a tensor type with its dimensions, such as float[2, 3]"), false;
    const Onnx__TensorShapeProto *shape = type->tensor_type->shape;
    tensor->dims = onnx_build_take(p, (shape->n_dim + 1) * sizeof *tensor->dims);
    for (size_t i = 0; tensor->dims && i < shape->n_dim; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = shape->dim[i];
        if (dim->value_case != ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
            return onnx_text_error(p, place, "data need dimensions that are numbers; dimension %zu is none", i), false;
        tensor->dims[i] = dim->dim_value;
    }
    tensor->n_dims = shape->n_dim;
    return tensor->dims;
}

struct filling {
    struct text_parser *p;
    Onnx__TensorProto *tensor;
    struct spans data;
};

static size_t fill_reals(struct filling *f)
{
    float *singles = onnx_build_take(f->p, f->data.count * sizeof *singles);
    size_t i = 0;
    double number;
    for (; singles && i < f->data.count && onnx_read_real(f->p, f->data.items[i], &number); i++)
        singles[i] = (float)number;
    f->tensor->float_data = singles;
    f->tensor->n_float_data = i;
    return i;
}

static size_t fill_doubles(struct filling *f)
{
    double *doubles = onnx_build_take(f->p, f->data.count * sizeof *doubles);
    size_t i = 0;
    while (doubles && i < f->data.count && onnx_read_real(f->p, f->data.items[i], &doubles[i]))
        i++;
    f->tensor->double_data = doubles;
    f->tensor->n_double_data = i;
    return i;
}

static size_t fill_longs(struct filling *f)
{
    int64_t *longs = onnx_build_take(f->p, f->data.count * sizeof *longs);
    size_t i = 0;
    while (longs && i < f->data.count && onnx_read_integer(f->p, f->data.items[i], &longs[i]))
        i++;
    f->tensor->int64_data = longs;
    f->tensor->n_int64_data = i;
    return i;
}

static size_t fill_unsigned(struct filling *f, uint64_t high)
{
    uint64_t *numbers = onnx_build_take(f->p, f->data.count * sizeof *numbers);
    size_t i = 0;
    while (numbers && i < f->data.count && read_unsigned(f->p, f->data.items[i], &numbers[i]) && numbers[i] <= high)
        i++;
    f->tensor->uint64_data = numbers;
    f->tensor->n_uint64_data = i;
    return i;
}

static size_t fill_narrow(struct filling *f, int64_t low, int64_t high)
{
    int32_t *numbers = onnx_build_take(f->p, f->data.count * sizeof *numbers);
    size_t i = 0;
    int64_t number;
    for (; numbers && i < f->data.count && onnx_read_integer(f->p, f->data.items[i], &number) && number >= low && number <= high; i++)
        numbers[i] = (int32_t)number;
    f->tensor->int32_data = numbers;
    f->tensor->n_int32_data = i;
    return i;
}

/* Returns how many constants could be taken. 16-bit floats stand as the integers of their bits, as ONNX has them. */
static size_t fill(struct filling *f)
{
    enum element element;
    if (!element_from_onnx(&element, f->tensor->data_type))
        return f->data.count; /* the importer refuses the type */
    switch (element) {
    case ELEMENT_F32:
        return fill_reals(f);
    case ELEMENT_F64:
        return fill_doubles(f);
    case ELEMENT_S64:
        return fill_longs(f);
    case ELEMENT_U64:
        return fill_unsigned(f, UINT64_MAX);
    case ELEMENT_U32:
        return fill_unsigned(f, UINT32_MAX);
    case ELEMENT_BOOL:
        return fill_narrow(f, 0, 1);
    case ELEMENT_U8:
        return fill_narrow(f, 0, UINT8_MAX);
    case ELEMENT_S8:
        return fill_narrow(f, INT8_MIN, INT8_MAX);
    case ELEMENT_S16:
        return fill_narrow(f, INT16_MIN, INT16_MAX);
    case ELEMENT_S32:
        return fill_narrow(f, INT32_MIN, INT32_MAX);
    case ELEMENT_U16:
    case ELEMENT_F16:
    case ELEMENT_BF16:
        return fill_narrow(f, 0, UINT16_MAX);
    }
    return 0;
}

static struct place place_of(const struct text_parser *p, struct span span)
{
    struct place place = {span, 1, 1};
    for (uint32_t i = 0; i < span.begin; i++, place.column++)
        if (p->text[i] == '\n')
            place.line++, place.column = 0;
    return place;
}

Onnx__TensorProto *onnx_build_tensor(struct text_parser *p, struct place place, Onnx__TypeProto *type, char *name, struct spans data,
                                     struct list external)
{
    Onnx__TensorProto *tensor = MAKE(p, Onnx__TensorProto, ONNX__TENSOR_PROTO__INIT);
    if (!tensor || !type || !tensor_dims(p, place, type, tensor))
        return tensor;
    tensor->name = name;
    tensor->has_data_type = true;
    tensor->data_type = type->tensor_type->elem_type;
    tensor->n_external_data = external.count;
    tensor->external_data = (Onnx__StringStringEntryProto **)external.items;
    tensor->has_data_location = true;
    tensor->data_location = external.count ? ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL : ONNX__TENSOR_PROTO__DATA_LOCATION__DEFAULT;
    struct filling filling = {p, tensor, data};
    size_t taken = fill(&filling);
    if (taken < data.count && !p->no_memory)
        onnx_text_error(p, place_of(p, data.items[taken]), "is no %s", onnx_type_name(tensor->data_type));
    return tensor;
}

void onnx_build_item(struct text_parser *p, struct items *items, Onnx__ValueInfoProto *info, Onnx__TensorProto *tensor, bool input)
{
    if (info && input)
        onnx_build_push(p, &items->infos, info);
    if (tensor)
        onnx_build_push(p, &items->tensors, tensor);
}
