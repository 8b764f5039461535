/* npy.c: NumPy's .npy files; npz.c has the archives of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "npy.h"

typedef unsigned long long ull; /* for messages */

/* NumPy's descr without its byte order. */
static const struct element {
    const char *name, *descr;
    unsigned bytes;
} elements[] = {
    {"float32", "f4", 4}, {"float64", "f8", 8}, {"float16", "f2", 2}, {"int8", "i1", 1},   {"uint8", "u1", 1},  {"int16", "i2", 2},
    {"uint16", "u2", 2},  {"int32", "i4", 4},   {"uint32", "u4", 4},  {"int64", "i8", 8},  {"uint64", "u8", 8}, {"bool", "b1", 1},
};

static const struct element *find_element(const char *name)
{
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        if (!strcmp(elements[i].name, name))
            return &elements[i];
    return NULL;
}

static const struct element *find_descr(const char *descr)
{
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        if (!strcmp(elements[i].descr, descr))
            return &elements[i];
    return NULL;
}

/* --- the header's text: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } ------------------------------------------------- */

struct header {
    char descr[16];
    bool fortran;
    unsigned rank;
    uint64_t dims[8];
    unsigned seen; /* one bit a key */
};

static const char *skip_space(const char *at)
{
    while (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r')
        at++;
    return at;
}

/* A quoted text of at most size - 1 characters; NULL: none. */
static const char *read_quoted(const char *at, char *out, size_t size)
{
    char quote = *at;
    if (quote != '\'' && quote != '"')
        return NULL;
    const char *end = strchr(at + 1, quote);
    if (!end || (size_t)(end - at - 1) >= size)
        return NULL;
    memcpy(out, at + 1, (size_t)(end - at - 1));
    out[end - at - 1] = '\0';
    return skip_space(end + 1);
}

static const char *read_bool(const char *at, bool *out)
{
    *out = !strncmp(at, "True", 4);
    if (!*out && strncmp(at, "False", 5))
        return NULL;
    return skip_space(at + (*out ? 4 : 5));
}

/* (), (3,), (3, 4); Python 2 wrote (3L, 4L). */
static const char *read_shape(const char *at, struct header *out)
{
    if (*at != '(')
        return NULL;
    at = skip_space(at + 1);
    while (*at != ')') {
        char *end;
        if (*at < '0' || *at > '9' || out->rank == 8)
            return NULL;
        out->dims[out->rank++] = strtoull(at, &end, 10); /* one that is too large becomes 2^64 - 1, which no file can hold */
        at = skip_space(*end == 'L' ? end + 1 : end);
        if (*at == ',')
            at = skip_space(at + 1);
        else if (*at != ')')
            return NULL;
    }
    return skip_space(at + 1);
}

static const char *read_entry(const char *at, struct header *out)
{
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    char key[16];
    at = read_quoted(at, key, sizeof key);
    if (!at || *at != ':')
        return NULL;
    at = skip_space(at + 1);
    for (unsigned i = 0; i < 3; i++)
        if (!strcmp(key, keys[i])) {
            if (out->seen & 1u << i)
                return NULL;
            out->seen |= 1u << i;
            return i == 0 ? read_quoted(at, out->descr, sizeof out->descr) : i == 1 ? read_bool(at, &out->fortran) : read_shape(at, out);
        }
    return NULL;
}

static bool read_header(const char *text, struct header *out)
{
    const char *at = skip_space(text);
    *out = (struct header){0};
    if (*at++ != '{')
        return false;
    for (at = skip_space(at); at && *at && *at != '}';) {
        at = read_entry(at, out);
        if (at && *at == ',')
            at = skip_space(at + 1);
        else if (at && *at != '}')
            return false;
    }
    return at && *at == '}' && *skip_space(at + 1) == '\0' && out->seen == 7;
}

/* --- elements --------------------------------------------------------------------------------------------------------------------------- */

static void copy_element(uint8_t *out, const uint8_t *in, unsigned bytes, bool swap)
{
    for (unsigned i = 0; i < bytes; i++)
        out[i] = in[swap ? bytes - 1 - i : i];
}

/* From Fortran's order, first index innermost, to C's, last index innermost. */
static void copy_fortran(uint8_t *out, const uint8_t *in, const struct header *h, uint64_t count, unsigned bytes, bool swap)
{
    uint64_t index[8] = {0}, stride[8];
    for (unsigned d = 0; d < h->rank; d++)
        stride[d] = d ? stride[d - 1] * h->dims[d - 1] : 1;
    for (uint64_t i = 0, from = 0; i < count; i++) {
        copy_element(out + i * bytes, in + from * bytes, bytes, swap);
        for (unsigned d = h->rank; d-- > 0;) { /* the next index in C's order */
            from += stride[d];
            if (++index[d] < h->dims[d])
                break;
            from -= stride[d] * h->dims[d];
            index[d] = 0;
        }
    }
}

static enum weft_status copy_elements(struct weft_array *out, const struct header *h, const struct element *e, const uint8_t *in, bool swap)
{
    out->bytes = malloc(out->size ? out->size : 1);
    if (!out->bytes)
        return WEFT_NO_MEMORY;
    if (h->fortran && h->rank > 1 && out->size)
        copy_fortran(out->bytes, in, h, out->size / e->bytes, e->bytes, swap);
    else if (!swap || e->bytes == 1)
        memcpy(out->bytes, in, out->size);
    else
        for (uint64_t i = 0; i < out->size; i += e->bytes)
            copy_element((uint8_t *)out->bytes + i, in + i, e->bytes, true);
    return WEFT_OK;
}

/* Bytes of all elements; false: more than 2^64. An empty array may have other dimensions of any size. */
static bool total_bytes(uint64_t *out, const struct header *h, unsigned bytes)
{
    *out = bytes;
    for (unsigned d = 0; d < h->rank; d++)
        if (h->dims[d] == 0) {
            *out = 0;
            return true;
        }
    for (unsigned d = 0; d < h->rank; d++)
        if (__builtin_mul_overflow(*out, h->dims[d], out))
            return false;
    return true;
}

static enum weft_status take_elements(struct weft_array *out, const struct header *h, const uint8_t *in, size_t size, const char *place,
                                      struct weft_diag *diag)
{
    char order = h->descr[0];
    const struct element *e = order && strchr("<>|=", order) ? find_descr(h->descr + 1) : NULL;
    uint64_t bytes;
    if (!e)
        return weft_error(diag, "%s: element type '%s' is not read; float32, float64, integers of 8 to 64 bits and bool are", place, h->descr);
    if (!total_bytes(&bytes, h, e->bytes) || bytes > size)
        return weft_error(diag, "%s: the shape asks for more than the %llu bytes of elements that there are", place, (ull)size);
    if (bytes < size)
        return weft_error(diag, "%s: %llu bytes follow the last element", place, (ull)(size - bytes));
    *out = (struct weft_array){.rank = h->rank, .size = bytes};
    snprintf(out->element, sizeof out->element, "%s", e->name);
    memcpy(out->dims, h->dims, sizeof out->dims);
    return copy_elements(out, h, e, in, order == '>');
}

/* --- .npy --------------------------------------------------------------------------------------------------------------------------------- */

static const char magic[] = "\x93NUMPY";
enum { MAGIC = sizeof magic - 1, ALIGN = 64, HEADER_MOST = 1 << 16 };

enum weft_status npy_parse(struct weft_array *out, const uint8_t *bytes, size_t size, const char *place, struct weft_diag *diag)
{
    *out = (struct weft_array){0};
    if (size < MAGIC + 4 || memcmp(bytes, magic, MAGIC))
        return weft_error(diag, "%s: is not a .npy file", place);
    unsigned version = bytes[MAGIC], prefix = version == 1 ? MAGIC + 4 : MAGIC + 6;
    if (version < 1 || version > 3)
        return weft_error(diag, "%s: .npy version %u is not read; 1 to 3 are", place, version);
    uint64_t length = 0;
    for (unsigned i = MAGIC + 2; i < prefix && prefix <= size; i++)
        length |= (uint64_t)bytes[i] << 8 * (i - MAGIC - 2);
    if (prefix > size || length > size - prefix || length > HEADER_MOST)
        return weft_error(diag, "%s: the .npy header is cut off", place);
    char *text = strndup((const char *)bytes + prefix, length);
    struct header h;
    if (!text)
        return WEFT_NO_MEMORY;
    bool good = read_header(text, &h);
    free(text);
    if (!good)
        return weft_error(diag, "%s: the .npy header is not a dictionary of descr, fortran_order and shape (at most 8 dimensions)", place);
    return take_elements(out, &h, bytes + prefix + length, size - prefix - length, place, diag);
}

enum weft_status npy_header(char **out, size_t *size, const struct weft_array *array, const char *place, struct weft_diag *diag)
{
    const struct element *e = find_element(array->element);
    *out = NULL;
    if (!e || array->rank > 8)
        return weft_error(diag, "%s: NumPy has no element type '%s', or the array has more than 8 dimensions", place, array->element);
    char shape[8 * 24] = "";
    size_t used = 0;
    for (unsigned d = 0; d < array->rank; d++)
        used += (size_t)snprintf(shape + used, sizeof shape - used, "%s%llu%s", d ? " " : "", (ull)array->dims[d],
                                 d + 1 < array->rank || array->rank == 1 ? "," : "");
    char text[512];
    char order = e->bytes == 1 ? '|' : '<';
    int length = snprintf(text, sizeof text, "{'descr': '%c%s', 'fortran_order': False, 'shape': (%s), }", order, e->descr, shape);
    size_t total = (MAGIC + 4 + (size_t)length + 1 + ALIGN - 1) / ALIGN * ALIGN; /* elements begin at a multiple of 64 */
    *out = malloc(total);
    if (!*out)
        return WEFT_NO_MEMORY;
    memset(*out, ' ', total);
    memcpy(*out, magic, MAGIC);
    const uint8_t version[4] = {1, 0, (uint8_t)(total - MAGIC - 4), (uint8_t)((total - MAGIC - 4) >> 8)};
    memcpy(*out + MAGIC, version, sizeof version);
    memcpy(*out + MAGIC + 4, text, (size_t)length);
    (*out)[total - 1] = '\n';
    *size = total;
    return WEFT_OK;
}

/* --- files ------------------------------------------------------------------------------------------------------------------------------------ */

void weft_arrays_free(struct weft_arrays *arrays)
{
    for (size_t i = 0; arrays->items && i < arrays->count; i++) {
        free(arrays->items[i].name);
        free(arrays->items[i].bytes);
        free(arrays->items[i].file);
    }
    free(arrays->items);
    *arrays = (struct weft_arrays){0};
}

static enum weft_status load_one(struct weft_arrays *out, const uint8_t *bytes, size_t size, const char *path, struct weft_diag *diag)
{
    out->items = calloc(1, sizeof *out->items);
    if (!out->items)
        return WEFT_NO_MEMORY;
    out->count = 1;
    enum weft_status status = npy_parse(out->items, bytes, size, path, diag);
    if (status != WEFT_OK)
        return status;
    out->items->name = strdup("");
    return out->items->name ? WEFT_OK : WEFT_NO_MEMORY;
}

/* By content, not by ending. */
enum weft_status weft_arrays_load(struct weft_arrays *out, const char *path, struct weft_diag *diag)
{
    char *bytes;
    size_t size;
    *out = (struct weft_arrays){0};
    enum weft_status status = weft_file_read(&bytes, &size, path, (size_t)1 << 40, diag);
    if (status != WEFT_OK)
        return status;
    if (size >= 2 && !memcmp(bytes, "PK", 2))
        status = npz_load(out, (const uint8_t *)bytes, size, path, diag);
    else if (size >= MAGIC && !memcmp(bytes, magic, MAGIC))
        status = load_one(out, (const uint8_t *)bytes, size, path, diag);
    else
        status = weft_error(diag, "%s: is neither a .npy nor a .npz file", path);
    free(bytes);
    if (status != WEFT_OK)
        weft_arrays_free(out);
    return status;
}

static enum weft_status store_one(const struct weft_array *array, const char *path, struct weft_diag *diag)
{
    char *header;
    size_t size;
    enum weft_status status = npy_header(&header, &size, array, path, diag);
    if (status != WEFT_OK)
        return status;
    struct weft_aside aside;
    status = weft_aside_open(&aside, path, diag);
    if (status == WEFT_OK) {
        status = weft_aside_put(&aside, header, size, diag);
        if (status == WEFT_OK)
            status = weft_aside_put(&aside, array->bytes, array->size, diag);
        status = weft_aside_close(&aside, status, diag);
    }
    free(header);
    return status;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && !strcmp(text + length - tail, end);
}

enum weft_status weft_arrays_store(const struct weft_arrays *arrays, const char *path, struct weft_diag *diag)
{
    if (ends_with(path, ".npz"))
        return npz_store(arrays, path, diag);
    if (!ends_with(path, ".npy"))
        return weft_error(diag, "%s: arrays are written to a file whose name ends in .npz, or .npy for one array", path);
    if (arrays->count != 1)
        return weft_error(diag, "%s: a .npy file holds one array and there are %zu; use .npz", path, arrays->count);
    return store_one(arrays->items, path, diag);
}
