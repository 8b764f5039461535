/* tensor.c: between the arrays of a person (C order, NumPy's types) and the tensors of a program (any strides, machine formats). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weft_isa.h"

enum kind { KIND_FLOAT, KIND_SIGNED, KIND_UNSIGNED, KIND_BOOL };
struct element_type {
    const char *name;
    unsigned bytes;
    enum kind kind;
    const char *array; /* what NumPy has for it, if that is something else */
};
static const struct element_type element_types[] = {
    {"float32", 4, KIND_FLOAT}, {"float64", 8, KIND_FLOAT},   {"float16", 2, KIND_FLOAT}, {"bfloat16", 2, KIND_FLOAT, "uint16"},
    {"int8", 1, KIND_SIGNED},  {"uint8", 1, KIND_UNSIGNED},
    {"int16", 2, KIND_SIGNED},  {"uint16", 2, KIND_UNSIGNED}, {"int32", 4, KIND_SIGNED}, {"uint32", 4, KIND_UNSIGNED},
    {"int64", 8, KIND_SIGNED},  {"uint64", 8, KIND_UNSIGNED}, {"bool", 1, KIND_BOOL},
};

static const struct element_type *element_find(const char *name)
{
    for (size_t i = 0; i < sizeof element_types / sizeof *element_types; i++)
        if (!strcmp(element_types[i].name, name))
            return &element_types[i];
    return NULL;
}

uint64_t weft_tensor_count(const struct weft_tensor *tensor)
{
    uint64_t count = 1;
    const uint64_t most = UINT64_C(1) << 63;
    bool over = false;
    for (unsigned d = 0; d < tensor->rank && d < 8; d++) {
        if (tensor->dims[d] == 0)
            return 0;
        over = over || __builtin_mul_overflow(count, tensor->dims[d], &count) || count > most;
    }
    return over ? most : count;
}

/* Whether every element lies inside `bytes` of memory; addresses come from a file and are not trusted. */
static bool fits(const struct weft_tensor *tensor, uint64_t bytes)
{
    if (tensor->rank > 8)
        return false;
    if (weft_tensor_count(tensor) == 0)
        return true;
    uint64_t end = tensor->host, reach;
    if (__builtin_add_overflow(end, weft_format_bytes(tensor->format), &end))
        return false;
    for (unsigned d = 0; d < tensor->rank; d++)
        if (__builtin_mul_overflow(tensor->dims[d] - 1, tensor->strides[d], &reach) || __builtin_add_overflow(end, reach, &end))
            return false;
    return end <= bytes;
}

/* Strides of 0 would let a small file claim an endless tensor: there may be no more elements than bytes of memory. */
static enum weft_status check(const struct weft_tensor *tensor, uint64_t bytes, const struct element_type **type, struct weft_diag *diag)
{
    *type = element_find(tensor->element);
    if (!*type)
        return weft_error(diag, "tensor '%s': element type '%s' cannot be read or written; float32, float64, bool and integers can",
                          tensor->name, tensor->element);
    if (weft_tensor_count(tensor) > WEFT_TENSOR_MOST)
        return weft_error(diag, "tensor '%s': more than 2^31 elements", tensor->name);
    if (!fits(tensor, bytes) || weft_tensor_count(tensor) > bytes)
        return weft_error(diag, "tensor '%s': its elements leave the %llu bytes of memory", tensor->name, (unsigned long long)bytes);
    return WEFT_OK;
}

/* "FILE: " of an array that came from one. */
static const char *file_of(const struct weft_array *array)
{
    return array->file ? array->file : "";
}

static const char *behind_file(const struct weft_array *array)
{
    return array->file ? ": " : "";
}

static void print_shape(char *out, size_t size, unsigned rank, const uint64_t *dims)
{
    size_t used = (size_t)snprintf(out, size, "(");
    for (unsigned d = 0; d < rank && used < size; d++)
        used += (size_t)snprintf(out + used, size - used, "%s%llu", d ? ", " : "", (unsigned long long)dims[d]);
    if (used < size)
        snprintf(out + used, size - used, rank == 1 ? ",)" : ")");
}

static enum weft_status check_array(const struct weft_tensor *tensor, const struct weft_array *array, const struct element_type *type,
                                    struct weft_diag *diag)
{
    char have[256], want[256];
    print_shape(have, sizeof have, array->rank, array->dims);
    print_shape(want, sizeof want, tensor->rank, tensor->dims);
    bool same = array->rank == tensor->rank && !memcmp(array->dims, tensor->dims, tensor->rank * sizeof *tensor->dims);
    if (!same || strcmp(array->element, type->array ? type->array : type->name))
        return weft_error(diag, "%s%sinput '%s': %s %s given, %s %s expected", file_of(array), behind_file(array), tensor->name, array->element, have, tensor->element, want);
    if (array->size != weft_tensor_count(tensor) * type->bytes)
        return weft_error(diag, "%s%sinput '%s': %llu bytes given, %llu expected", file_of(array), behind_file(array), tensor->name, (unsigned long long)array->size,
                          (unsigned long long)(weft_tensor_count(tensor) * type->bytes));
    return WEFT_OK;
}

/* The elements that lie side by side: all of the last `within` dimensions, `count` of them together. */
struct dense {
    unsigned within;
    uint64_t count;
};

static struct dense find_dense(const struct weft_tensor *tensor)
{
    struct dense dense = {0, 1};
    uint64_t stride = weft_format_bytes(tensor->format);
    while (dense.within < tensor->rank) {
        unsigned d = tensor->rank - 1 - dense.within;
        if (tensor->dims[d] != 1 && tensor->strides[d] != stride * dense.count)
            break;
        dense.count *= tensor->dims[d];
        dense.within++;
    }
    return dense;
}

/* An odometer over the elements in C order: `at` is the address of the present one. */
struct walk {
    uint64_t index[8], at;
};

static void walk_next(struct walk *walk, const struct weft_tensor *tensor, unsigned rank)
{
    for (unsigned d = rank; d-- > 0;) {
        walk->at += tensor->strides[d];
        if (++walk->index[d] < tensor->dims[d])
            return;
        walk->at -= tensor->strides[d] * tensor->dims[d];
        walk->index[d] = 0;
    }
}

static double load_float(const uint8_t *from, const struct element_type *type)
{
    float single;
    double value;
    uint16_t half;
    if (type->bytes == 8)
        return memcpy(&value, from, 8), value;
    if (type->bytes == 4)
        return memcpy(&single, from, 4), single;
    return type->array ? weft_load_float(from, WEFT_FORMAT_bf16) : (memcpy(&half, from, 2), weft_half_to_float(half));
}

static int64_t load_whole(const uint8_t *from, const struct element_type *type)
{
    uint64_t bits = 0;
    memcpy(&bits, from, type->bytes);
    if (type->kind == KIND_BOOL)
        return bits != 0;
    if (type->kind == KIND_UNSIGNED)
        return bits > INT64_MAX ? INT64_MAX : (int64_t)bits;
    unsigned unused = 64 - 8 * type->bytes;
    return (int64_t)(bits << unused) >> unused;
}

/* One element into the machine's format. False: an integer that the format cannot hold. */
static bool pack_one(uint8_t *to, const struct weft_tensor *tensor, const uint8_t *from, const struct element_type *type)
{
    bool real = type->kind == KIND_FLOAT;
    int64_t whole = real ? 0 : load_whole(from, type);
    double value = real ? load_float(from, type) : (double)whole;
    if (!weft_format_is_integer(tensor->format)) {
        weft_store_float(to, tensor->format, (float)value);
        return true;
    }
    int32_t low = weft_format_low(tensor->format), high = weft_format_high(tensor->format);
    if (tensor->quantised)
        weft_store_integer(to, tensor->format, weft_requantise((float)value / tensor->scale, tensor->zero, low, high));
    else if (real)
        weft_store_integer(to, tensor->format, weft_requantise((float)value, 0, low, high));
    else if (whole >= low && whole <= high)
        weft_store_integer(to, tensor->format, (int32_t)whole);
    else
        return false;
    return true;
}

/* The bytes between elements are a halo that the program reads as zero points. */
static void fill_span(uint8_t *memory, uint64_t bytes, const struct weft_tensor *tensor)
{
    unsigned width = weft_format_bytes(tensor->format);
    uint64_t end = tensor->bytes < bytes - tensor->host ? tensor->host + tensor->bytes : bytes;
    for (uint64_t at = tensor->host; at + width <= end; at += width)
        if (weft_format_is_integer(tensor->format))
            weft_store_integer(memory + at, tensor->format, tensor->zero);
        else
            memcpy(memory + at, &tensor->zero, width); /* little-endian host: its low bytes */
}

/* The rows of the table that the indices name (from its end where they are negative, as in ONNX's Gather). */
static enum weft_status gather(uint8_t *memory, uint64_t bytes, const struct weft_tensor *tensor, const struct weft_array *array,
                               const struct element_type *type, struct weft_diag *diag)
{
    struct walk walk = {.at = tensor->host};
    const uint8_t *from = array->bytes;
    if (!tensor->table || type->kind == KIND_FLOAT)
        return weft_error(diag, "input '%s': its table is not there; the program is for timing only", tensor->name);
    for (uint64_t i = 0, count = weft_tensor_count(tensor); i < count; i++, from += type->bytes, walk_next(&walk, tensor, tensor->rank)) {
        int64_t index = load_whole(from, type), rows = (int64_t)tensor->table_rows;
        if (index < -rows || index >= rows)
            return weft_error(diag, "%s%sinput '%s': element %llu is %lld, but its table has %lld rows", file_of(array), behind_file(array), tensor->name, (unsigned long long)i,
                              (long long)index, (long long)rows);
        if (walk.at > bytes || tensor->row_bytes > bytes - walk.at)
            return weft_error(diag, "input '%s': its rows leave the %llu bytes of memory", tensor->name, (unsigned long long)bytes);
        memcpy(memory + walk.at, tensor->table + (uint64_t)(index < 0 ? index + rows : index) * tensor->row_bytes, tensor->row_bytes);
    }
    return WEFT_OK;
}

enum weft_status weft_tensor_pack(uint8_t *memory, uint64_t bytes, const struct weft_tensor *tensor, const struct weft_array *array,
                                  struct weft_diag *diag)
{
    const struct element_type *type;
    if (check(tensor, bytes, &type, diag) || check_array(tensor, array, type, diag))
        return WEFT_ERROR;
    if (tensor->table_rows)
        return gather(memory, bytes, tensor, array, type, diag);
    if (weft_tensor_count(tensor))
        fill_span(memory, bytes, tensor);
    struct walk walk = {.at = tensor->host};
    const uint8_t *from = array->bytes;
    for (uint64_t i = 0, count = weft_tensor_count(tensor); i < count; i++, from += type->bytes, walk_next(&walk, tensor, tensor->rank))
        if (!pack_one(memory + walk.at, tensor, from, type))
            return weft_error(diag, "%s%sinput '%s': element %llu is %lld, but the machine takes it as %s (%d to %d)", file_of(array), behind_file(array), tensor->name,
                              (unsigned long long)i, (long long)load_whole(from, type), weft_format_name(tensor->format),
                              weft_format_low(tensor->format), weft_format_high(tensor->format));
    return WEFT_OK;
}

static void store_real(uint8_t *to, float value, const struct element_type *type)
{
    double wide = value;
    uint16_t half = weft_half_from_double(value);
    if (type->array)
        weft_store_float(to, WEFT_FORMAT_bf16, value);
    else
        memcpy(to, type->bytes == 8 ? (void *)&wide : type->bytes == 4 ? (void *)&value : (void *)&half, type->bytes);
}

static void unpack_one(uint8_t *to, const struct element_type *type, const struct weft_tensor *tensor, const uint8_t *from)
{
    float real;
    int64_t whole = 0;
    if (weft_format_is_integer(tensor->format)) {
        int32_t q = weft_load_integer(from, tensor->format);
        whole = tensor->quantised ? (int64_t)q - tensor->zero : q;
        real = tensor->quantised ? (float)whole * tensor->scale : (float)whole;
        if (tensor->quantised)
            whole = (int64_t)rintf(fminf(fmaxf(real, -9e18f), 9e18f));
    } else {
        real = weft_load_float(from, tensor->format);
        whole = real != real ? 0 : (int64_t)rintf(fminf(fmaxf(real, -9e18f), 9e18f));
    }
    if (type->kind == KIND_FLOAT)
        store_real(to, real, type);
    else if (type->kind == KIND_BOOL)
        *to = whole != 0;
    else
        memcpy(to, &whole, type->bytes); /* little-endian host, as everywhere in isa/ */
}

enum { BYTES_VALUES = 256 };

/* Elements side by side. What is the same on both sides is copied; a byte has one of 256 values, each worked out once. */
struct unpacking {
    const struct weft_tensor *tensor;
    const struct element_type *type;
    bool same, small;
    uint64_t value[BYTES_VALUES]; /* as they stand in the array */
};

static void unpacking_init(struct unpacking *u, const struct weft_tensor *tensor, const struct element_type *type)
{
    bool whole = weft_format_is_integer(tensor->format), is_signed = weft_format_low(tensor->format) < 0;
    unsigned bytes = weft_format_bytes(tensor->format);
    *u = (struct unpacking){.tensor = tensor, .type = type, .small = bytes == 1};
    u->same = !tensor->quantised && type->bytes == bytes &&
              (whole ? type->kind == (is_signed ? KIND_SIGNED : KIND_UNSIGNED) : type->kind == KIND_FLOAT && tensor->format == WEFT_FORMAT_f32);
    for (unsigned i = 0; u->small && i < BYTES_VALUES; i++) {
        uint8_t byte = (uint8_t)i;
        unpack_one((uint8_t *)&u->value[i], type, tensor, &byte);
    }
}

static void unpack_run(uint8_t *to, const uint8_t *from, uint64_t count, const struct unpacking *u)
{
    unsigned bytes = weft_format_bytes(u->tensor->format), wide = u->type->bytes;
    if (u->same)
        memcpy(to, from, count * bytes);
    else if (u->small && wide == 4)
        for (uint64_t i = 0; i < count; i++)
            memcpy(to + 4 * i, &u->value[from[i]], 4);
    else if (u->small)
        for (uint64_t i = 0; i < count; i++)
            memcpy(to + wide * i, &u->value[from[i]], wide);
    else
        for (uint64_t i = 0; i < count; i++)
            unpack_one(to + wide * i, u->type, u->tensor, from + bytes * i);
}

enum weft_status weft_tensor_unpack(struct weft_array *out, const struct weft_tensor *tensor, const uint8_t *memory, uint64_t bytes,
                                    struct weft_diag *diag)
{
    const struct element_type *type;
    if (check(tensor, bytes, &type, diag))
        return WEFT_ERROR;
    uint64_t count = weft_tensor_count(tensor);
    *out = (struct weft_array){.rank = tensor->rank, .size = count * type->bytes};
    memcpy(out->dims, tensor->dims, sizeof out->dims);
    const char *element = type->array ? type->array : type->name;
    memcpy(out->element, element, strlen(element) + 1);
    out->name = strdup(tensor->name ? tensor->name : "");
    out->bytes = malloc(out->size ? out->size : 1);
    if (!out->name || !out->bytes) {
        free(out->name);
        free(out->bytes);
        return WEFT_NO_MEMORY;
    }
    struct walk walk = {.at = tensor->host};
    uint8_t *to = out->bytes;
    struct dense dense = find_dense(tensor);
    struct unpacking unpacking;
    unpacking_init(&unpacking, tensor, type);
    for (uint64_t i = 0; i < count; i += dense.count, to += dense.count * type->bytes, walk_next(&walk, tensor, tensor->rank - dense.within))
        unpack_run(to, memory + walk.at, dense.count, &unpacking);
    return WEFT_OK;
}
