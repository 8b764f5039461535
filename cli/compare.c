/* compare.c: are two arrays the same within a tolerance? */
#include "conformance.h"

#include <math.h>
#include <string.h>

struct kind {
    const char *name;
    size_t bytes;
    double rtol; /* at least: the distance of two neighbours */
    double (*load)(const void *at);
};

static double load_bf16(const void *at)
{
    return (double)weft_load_float(at, WEFT_FORMAT_bf16);
}

static double load_half(const void *at)
{
    uint16_t half;
    memcpy(&half, at, sizeof half);
    return (double)weft_half_to_float(half);
}

static double load_float(const void *at)
{
    float number;
    memcpy(&number, at, sizeof number);
    return (double)number;
}

static double load_double(const void *at)
{
    double number;
    memcpy(&number, at, sizeof number);
    return number;
}

static const struct kind *kind_of(const struct weft_array *array)
{
    static const struct kind floats[] = {
        {"bfloat16", 2, 0x1p-7, load_bf16}, {"float16", 2, 0, load_half}, {"float32", 4, 0, load_float}, {"float64", 8, 0, load_double}};
    for (size_t i = 0; i < sizeof floats / sizeof floats[0]; i++)
        if (!strcmp(array->element, floats[i].name))
            return &floats[i];
    return NULL;
}

static void print_shape(char *out, size_t size, const struct weft_array *array)
{
    size_t used = (size_t)snprintf(out, size, "%s[", array->element);
    for (unsigned d = 0; d < array->rank && used < size; d++)
        used += (size_t)snprintf(out + used, size - used, "%s%llu", d ? ", " : "", (unsigned long long)array->dims[d]);
    if (used < size)
        snprintf(out + used, size - used, "]");
}

static bool same_type(char *reason, size_t size, const struct weft_array *got, const struct weft_array *wanted)
{
    char left[128], right[128];
    bool same = !strcmp(got->element, wanted->element) && got->rank == wanted->rank && got->size == wanted->size;
    for (unsigned d = 0; same && d < got->rank; d++)
        same = got->dims[d] == wanted->dims[d];
    if (same)
        return true;
    print_shape(left, sizeof left, got);
    print_shape(right, sizeof right, wanted);
    snprintf(reason, size, "output %s is %s instead of %s", got->name, left, right);
    return false;
}

static bool is_close(double got, double wanted, double rtol, double atol)
{
    if (isnan(got) || isnan(wanted))
        return isnan(got) && isnan(wanted);
    return got == wanted || (isfinite(wanted) && fabs(got - wanted) <= atol + rtol * fabs(wanted));
}

static bool floats_close(char *reason, size_t size, const struct weft_array *got, const struct weft_array *wanted, double rtol, double atol)
{
    const struct kind *kind = kind_of(got);
    uint64_t count = got->size / kind->bytes, apart = 0, first = 0;
    rtol = fmax(rtol, kind->rtol);
    for (uint64_t i = 0; i < count; i++) {
        double a = kind->load((const char *)got->bytes + i * kind->bytes), b = kind->load((const char *)wanted->bytes + i * kind->bytes);
        if (!is_close(a, b, rtol, atol) && !apart++)
            first = i;
    }
    if (apart)
        snprintf(reason, size, "output %s: element %llu is %.9g instead of %.9g (%llu of %llu differ)", got->name,
                 (unsigned long long)first, kind->load((const char *)got->bytes + first * kind->bytes),
                 kind->load((const char *)wanted->bytes + first * kind->bytes), (unsigned long long)apart, (unsigned long long)count);
    return !apart;
}

static bool bytes_equal(char *reason, size_t size, const struct weft_array *got, const struct weft_array *wanted)
{
    const uint8_t *a = got->bytes, *b = wanted->bytes;
    for (uint64_t i = 0; i < got->size; i++)
        if (a[i] != b[i]) {
            snprintf(reason, size, "output %s: %s values differ, the first at byte %llu", got->name, got->element, (unsigned long long)i);
            return false;
        }
    return true;
}

bool arrays_close(char *reason, size_t size, const struct weft_array *got, const struct weft_array *wanted, double rtol, double atol)
{
    if (!same_type(reason, size, got, wanted))
        return false;
    return kind_of(got) ? floats_close(reason, size, got, wanted, rtol, atol) : bytes_equal(reason, size, got, wanted);
}
