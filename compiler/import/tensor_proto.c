/* tensor_proto.c: ONNX's TensorProto in each of its encodings. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "element.h"
#include "lower.h"

/* By number in TensorProto.DataType; -1: not taken. */
static const struct {
    const char *name;
    int element;
} types[] = {{"undefined", -1},
             {"float", ELEMENT_F32},
             {"uint8", ELEMENT_U8},
             {"int8", ELEMENT_S8},
             {"uint16", ELEMENT_U16},
             {"int16", ELEMENT_S16},
             {"int32", ELEMENT_S32},
             {"int64", ELEMENT_S64},
             {"string", -1},
             {"bool", ELEMENT_BOOL},
             {"float16", ELEMENT_F16},
             {"double", ELEMENT_F64},
             {"uint32", ELEMENT_U32},
             {"uint64", ELEMENT_U64},
             {"complex64", -1},
             {"complex128", -1},
             {"bfloat16", ELEMENT_BF16},
             {"float8e4m3fn", -1},
             {"float8e4m3fnuz", -1},
             {"float8e5m2", -1},
             {"float8e5m2fnuz", -1},
             {"uint4", -1},
             {"int4", -1},
             {"float4e2m1", -1},
             {"float8e8m0", -1},
             {"uint2", -1},
             {"int2", -1}};
enum { TYPE_COUNT = sizeof types / sizeof types[0] };

bool element_from_onnx(enum element *out, int32_t data_type)
{
    if (data_type < 0 || data_type >= TYPE_COUNT || types[data_type].element < 0)
        return false;
    *out = (enum element)types[data_type].element;
    return true;
}

const char *onnx_type_name(int32_t data_type)
{
    return data_type < 0 || data_type >= TYPE_COUNT ? "of an unknown type" : types[data_type].name;
}

int32_t onnx_type_find(const char *name)
{
    for (int32_t i = 1; i < TYPE_COUNT; i++)
        if (!strcmp(types[i].name, name))
            return i;
    return 0;
}

struct reading {
    struct model *model;
    const Onnx__TensorProto *proto;
    const char *name;
    struct weft_diag *diag;
    size_t size; /* bytes that type and shape ask for */
};

#define REFUSE(...) weft_error(r->diag, "%s: tensor %s: " FIRST(__VA_ARGS__), r->model->path, r->name REST(__VA_ARGS__))
#define FIRST(format, ...) format
#define REST(format, ...) __VA_OPT__(, ) __VA_ARGS__

static enum weft_status read_shape(struct reading *r, struct contents_view *out)
{
    const Onnx__TensorProto *p = r->proto;
    int64_t count;
    if (!element_from_onnx(&out->element, p->data_type))
        return REFUSE("element type %s (%d) is not supported", onnx_type_name(p->data_type), p->data_type);
    if (p->n_dims > GRAPH_RANK_MAX)
        return REFUSE("%zu dimensions; at most %d are supported", p->n_dims, GRAPH_RANK_MAX);
    out->shape.rank = (unsigned)p->n_dims;
    for (size_t i = 0; i < p->n_dims; i++) {
        out->shape.dims[i] = p->dims[i];
        if (p->dims[i] < 0)
            return REFUSE("dimension %zu is %lld; it must not be negative", i, (long long)p->dims[i]);
    }
    if (!shape_fits(&out->shape, &count))
        return REFUSE("the shape has too many elements");
    r->size = (size_t)count * element_bytes(out->element);
    return WEFT_OK;
}

static enum weft_status read_number(struct reading *r, const char *key, const char *text, size_t *out)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-')
        return REFUSE("external data: %s is '%s'; it must be a number", key, text);
    *out = number;
    return WEFT_OK;
}

struct external {
    const char *location;
    size_t offset, length;
    bool has_length;
};

static enum weft_status read_entries(struct reading *r, struct external *out)
{
    for (size_t i = 0; i < r->proto->n_external_data; i++) {
        const char *key = r->proto->external_data[i]->key, *value = r->proto->external_data[i]->value;
        enum weft_status status = WEFT_OK;
        if (!key || !value)
            return REFUSE("external data: an entry lacks its key or value");
        if (!strcmp(key, "location"))
            out->location = value;
        else if (!strcmp(key, "offset"))
            status = read_number(r, key, value, &out->offset);
        else if (!strcmp(key, "length"))
            status = read_number(r, key, value, &out->length), out->has_length = true;
        if (status)
            return status;
    }
    return out->location ? WEFT_OK : REFUSE("external data without a location");
}

/* Borrows `bytes` where they are aligned for their type, else copies. */
static enum weft_status take(struct reading *r, struct contents_view *out, const uint8_t *bytes)
{
    out->borrowed = (uintptr_t)bytes % element_bytes(out->element) == 0;
    out->bytes = out->borrowed ? (void *)bytes : malloc(r->size);
    if (!out->bytes)
        return WEFT_NO_MEMORY;
    if (!out->borrowed)
        memcpy(out->bytes, bytes, r->size);
    return WEFT_OK;
}

static enum weft_status read_external(struct reading *r, struct contents_view *out)
{
    struct external e = {0};
    const struct mapped *map;
    enum weft_status status = read_entries(r, &e);
    if (status)
        return status;
    if (e.has_length && e.length != r->size)
        return REFUSE("external data: length %zu; type and shape ask for %zu bytes", e.length, r->size);
    status = model_map(&map, r->model, r->name, e.location, r->diag);
    if (status)
        return status;
    if (e.offset > map->size || r->size > map->size - e.offset)
        return REFUSE("external data: bytes %zu to %zu of %s, which has %zu", e.offset, e.offset + r->size, e.location, map->size);
    return take(r, out, (const uint8_t *)map->bytes + e.offset);
}

static enum weft_status wrong_count(struct reading *r, const char *field, size_t has, size_t wants)
{
    return REFUSE("%s has %zu elements; the shape asks for %zu", field, has, wants);
}

/* int32_data carries all the narrow types, one element in each 32-bit number; floats of 16 bits as their bits. */
static enum weft_status read_int32(struct reading *r, struct contents_view *out)
{
    size_t width = element_bytes(out->element), count = r->size / width;
    if (r->proto->n_int32_data != count)
        return wrong_count(r, "int32_data", r->proto->n_int32_data, count);
    if (width == 4)
        return take(r, out, (const uint8_t *)r->proto->int32_data);
    out->bytes = malloc(r->size);
    if (!out->bytes)
        return WEFT_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        memcpy((char *)out->bytes + i * width, &r->proto->int32_data[i], width);
    return WEFT_OK;
}

static enum weft_status read_uint64(struct reading *r, struct contents_view *out)
{
    size_t count = r->size / element_bytes(out->element);
    if (r->proto->n_uint64_data != count)
        return wrong_count(r, "uint64_data", r->proto->n_uint64_data, count);
    if (out->element == ELEMENT_U64)
        return take(r, out, (const uint8_t *)r->proto->uint64_data);
    out->bytes = malloc(r->size);
    if (!out->bytes)
        return WEFT_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        ((uint32_t *)out->bytes)[i] = (uint32_t)r->proto->uint64_data[i];
    return WEFT_OK;
}

static enum weft_status read_fields(struct reading *r, struct contents_view *out)
{
    const Onnx__TensorProto *p = r->proto;
    size_t count = r->size / element_bytes(out->element);
    switch (out->element) {
    case ELEMENT_F32:
        return p->n_float_data == count ? take(r, out, (const uint8_t *)p->float_data)
                                        : wrong_count(r, "float_data", p->n_float_data, count);
    case ELEMENT_F64:
        return p->n_double_data == count ? take(r, out, (const uint8_t *)p->double_data)
                                         : wrong_count(r, "double_data", p->n_double_data, count);
    case ELEMENT_S64:
        return p->n_int64_data == count ? take(r, out, (const uint8_t *)p->int64_data)
                                        : wrong_count(r, "int64_data", p->n_int64_data, count);
    case ELEMENT_U32:
    case ELEMENT_U64:
        return read_uint64(r, out);
    default:
        return read_int32(r, out);
    }
}

/* A boolean is one byte, 0 or 1; whatever else is not 0 counts as 1. */
static enum weft_status clean_bool(struct reading *r, struct contents_view *out)
{
    if (out->element != ELEMENT_BOOL)
        return WEFT_OK;
    uint8_t *clean = malloc(r->size ? r->size : 1);
    if (!clean)
        return WEFT_NO_MEMORY;
    for (size_t i = 0; i < r->size; i++)
        clean[i] = ((const uint8_t *)out->bytes)[i] != 0;
    if (!out->borrowed)
        free(out->bytes);
    out->bytes = clean;
    out->borrowed = false;
    return WEFT_OK;
}

static enum weft_status read_bytes(struct reading *r, struct contents_view *out)
{
    const Onnx__TensorProto *p = r->proto;
    if (!r->size)
        return (out->bytes = calloc(1, 8)) ? WEFT_OK : WEFT_NO_MEMORY;
    if (p->segment)
        return REFUSE("tensors in segments are not supported");
    if (p->has_data_location && p->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
        return read_external(r, out);
    if (!p->has_raw_data)
        return read_fields(r, out);
    if (p->raw_data.len != r->size)
        return REFUSE("raw_data has %zu bytes; type and shape ask for %zu", p->raw_data.len, r->size);
    return take(r, out, p->raw_data.data);
}

enum weft_status tensor_proto_view(struct contents_view *out, struct model *model, const Onnx__TensorProto *proto, const char *name,
                                   struct weft_diag *diag)
{
    struct reading reading = {.model = model, .proto = proto, .name = name, .diag = diag}, *r = &reading;
    *out = (struct contents_view){0};
    enum weft_status status = read_shape(r, out);
    if (!status)
        status = read_bytes(r, out);
    if (!status)
        status = clean_bool(r, out);
    if (status && !out->borrowed)
        free(out->bytes);
    return status;
}

/* NumPy has no bfloat16: its bits stand in uint16, as everywhere else. */
static enum weft_status fill_array(struct weft_array *out, struct contents_view *view, const char *name)
{
    size_t size = (size_t)shape_count(&view->shape) * element_bytes(view->element);
    *out = (struct weft_array){.rank = view->shape.rank, .size = size, .name = strdup(name), .bytes = malloc(size ? size : 1)};
    strcpy(out->element, element_name(view->element == ELEMENT_BF16 ? ELEMENT_U16 : view->element));
    for (unsigned i = 0; i < out->rank; i++)
        out->dims[i] = (uint64_t)view->shape.dims[i];
    if (!out->name || !out->bytes)
        return WEFT_NO_MEMORY;
    if (size)
        memcpy(out->bytes, view->bytes, size);
    return WEFT_OK;
}

enum weft_status weft_tensor_proto_load(struct weft_arrays *out, const char *path, struct weft_diag *diag)
{
    Onnx__TensorProto *proto = NULL;
    *out = (struct weft_arrays){0};
    enum weft_status status = onnx_file_tensor(&proto, path, diag);
    if (status)
        return status;
    struct model model = {.path = (char *)path, .directory = (char *)"./"};
    struct contents_view view;
    const char *name = proto->name ? proto->name : "";
    if (proto->has_data_location && proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
        status = weft_error(diag, "%s: external data is not supported in a tensor file", path);
    else
        status = tensor_proto_view(&view, &model, proto, name, diag);
    if (!status) {
        out->items = calloc(1, sizeof *out->items);
        out->count = out->items ? 1 : 0;
        status = out->items ? fill_array(out->items, &view, name) : WEFT_NO_MEMORY;
        if (!view.borrowed)
            free(view.bytes);
    }
    if (status)
        weft_arrays_free(out);
    onnx__tensor_proto__free_unpacked(proto, NULL);
    return status;
}
