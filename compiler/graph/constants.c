/* constants.c: contents of constants, made from their rule when somebody asks for them. */
#include "element.h"
#include "random.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 4096 };

static void make_fill(const struct value *value, void *bytes, int64_t count)
{
    size_t size = element_bytes(value->element), done = size, total = (size_t)count * size;
    if (!count)
        return;
    element_store(bytes, value->element, 0, value->fill);
    for (; done < total; done *= 2)
        memcpy((char *)bytes + done, bytes, done < total - done ? done : total - done);
}

static void make_random(const struct value *value, void *bytes, int64_t count)
{
    double chunk[CHUNK];
    struct ziggurat z;
    if (value->contents == CONTENTS_NORMAL)
        ziggurat_init(&z);
    for (int64_t first = 0; first < count; first += CHUNK) {
        int64_t here = count - first < CHUNK ? count - first : CHUNK;
        if (value->contents == CONTENTS_NORMAL)
            random_normal_by(chunk, &z, first, here, value->seed, value->mean, value->deviation);
        else
            random_uniform(chunk, first, here, value->seed, value->mean, value->deviation);
        if (value->element == ELEMENT_F32)
            for (int64_t i = 0; i < here; i++)
                ((float *)bytes)[first + i] = (float)chunk[i];
        else
            for (int64_t i = 0; i < here; i++)
                element_store(bytes, value->element, first + i, chunk[i]);
    }
}

const void *value_bytes(struct graph *graph, int id)
{
    struct value *value = &graph->values[id];
    if (value->bytes || value->contents == CONTENTS_NONE || value->contents == CONTENTS_ABSENT)
        return value->bytes;
    int64_t count = shape_count(&value->shape);
    size_t size = (size_t)count * element_bytes(value->element);
    value->bytes = malloc(size ? size : 1);
    if (!value->bytes)
        return NULL;
    value->borrowed = false;
    if (value->contents == CONTENTS_FILL)
        make_fill(value, value->bytes, count);
    else
        make_random(value, value->bytes, count);
    return value->bytes;
}

bool value_at(struct graph *graph, int id, int64_t index, double *out)
{
    const struct value *value = &graph->values[id];
    if (value->contents == CONTENTS_FILL) {
        uint64_t one;
        element_store(&one, value->element, 0, value->fill);
        *out = element_load(&one, value->element, 0);
        return true;
    }
    const void *bytes = value_bytes(graph, id);
    if (!bytes)
        return false;
    *out = element_load(bytes, value->element, index);
    return true;
}
