/* element.c: element types in memory as numbers. */
#include "element.h"

#include <math.h>
#include <string.h>

static uint16_t bf16_from_double(double value)
{
    float single = (float)value;
    uint8_t bytes[2];
    uint16_t bits;
    weft_store_float(bytes, WEFT_FORMAT_bf16, single);
    memcpy(&bits, bytes, sizeof bits);
    return bits;
}

double element_load(const void *bytes, enum element element, int64_t index)
{
    const char *at = (const char *)bytes + (size_t)index * element_bytes(element);
#define LOAD(type)                                                                                                                         \
    {                                                                                                                                      \
        type x;                                                                                                                            \
        memcpy(&x, at, sizeof x);                                                                                                          \
        return (double)x;                                                                                                                  \
    }
    switch (element) {
    case ELEMENT_F32:
        LOAD(float)
    case ELEMENT_F64:
        LOAD(double)
    case ELEMENT_F16: {
        uint16_t x;
        memcpy(&x, at, sizeof x);
        return weft_half_to_float(x);
    }
    case ELEMENT_BF16:
        return weft_load_float(at, WEFT_FORMAT_bf16);
    case ELEMENT_U8:
    case ELEMENT_BOOL:
        LOAD(uint8_t)
    case ELEMENT_S8:
        LOAD(int8_t)
    case ELEMENT_U16:
        LOAD(uint16_t)
    case ELEMENT_S16:
        LOAD(int16_t)
    case ELEMENT_S32:
        LOAD(int32_t)
    case ELEMENT_U32:
        LOAD(uint32_t)
    case ELEMENT_S64:
        LOAD(int64_t)
    case ELEMENT_U64:
        LOAD(uint64_t)
    }
#undef LOAD
    return 0;
}

void element_store(void *bytes, enum element element, int64_t index, double value)
{
    char *at = (char *)bytes + (size_t)index * element_bytes(element);
#define STORE(type, low, high)                                                                                                             \
    {                                                                                                                                      \
        type x = value != value ? 0 : value <= (double)(low) ? (low) : value >= (double)(high) ? (high) : (type)value;                     \
        memcpy(at, &x, sizeof x);                                                                                                          \
        return;                                                                                                                            \
    }
    switch (element) {
    case ELEMENT_F32: {
        float x = (float)value;
        memcpy(at, &x, sizeof x);
        return;
    }
    case ELEMENT_F64:
        memcpy(at, &value, sizeof value);
        return;
    case ELEMENT_F16: {
        uint16_t x = weft_half_from_double(value);
        memcpy(at, &x, sizeof x);
        return;
    }
    case ELEMENT_BF16: {
        uint16_t x = bf16_from_double(value);
        memcpy(at, &x, sizeof x);
        return;
    }
    case ELEMENT_BOOL: {
        uint8_t x = value != 0;
        memcpy(at, &x, sizeof x);
        return;
    }
    case ELEMENT_U8:
        STORE(uint8_t, 0, UINT8_MAX)
    case ELEMENT_S8:
        STORE(int8_t, INT8_MIN, INT8_MAX)
    case ELEMENT_U16:
        STORE(uint16_t, 0, UINT16_MAX)
    case ELEMENT_S16:
        STORE(int16_t, INT16_MIN, INT16_MAX)
    case ELEMENT_S32:
        STORE(int32_t, INT32_MIN, INT32_MAX)
    case ELEMENT_U32:
        STORE(uint32_t, 0, UINT32_MAX)
    case ELEMENT_S64:
        STORE(int64_t, INT64_MIN, INT64_MAX)
    case ELEMENT_U64:
        STORE(uint64_t, 0, UINT64_MAX)
    }
#undef STORE
}

bool element_is_called(enum element element, const char *numpy)
{
    return !strcmp(numpy, element_name(element == ELEMENT_BF16 ? ELEMENT_U16 : element));
}

bool element_is_float(enum element element)
{
    return element == ELEMENT_F32 || element == ELEMENT_F64 || element == ELEMENT_F16 || element == ELEMENT_BF16;
}
