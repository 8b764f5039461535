/* interp_walk.c: walking broadcast and strided operands in rows as long as their layouts allow. */
#include "interp_kernels.h"

#include <string.h>

void shape_strides(int64_t *strides, const struct shape *shape)
{
    int64_t stride = 1;
    for (unsigned i = shape->rank; i-- > 0; stride *= shape->dims[i])
        strides[i] = stride;
}

/* Dimension d joins the one behind it where every operand steps through both as through one. */
static bool joins(const struct walk *walk, unsigned last, unsigned d, const int64_t *const *strides)
{
    for (unsigned k = 0; k < walk->operands; k++)
        if (strides[k][d] != walk->strides[k][last] * walk->dims[last])
            return false;
    return true;
}

/* Fills dims innermost first, then turns them round: the last one is the row. */
void walk_start_strided(struct walk *walk, const struct shape *result, const int64_t *const *strides, unsigned count)
{
    *walk = (struct walk){.operands = count, .rank = 1, .dims = {1}, .rows = 1};
    bool first = true;
    for (unsigned d = result->rank; d-- > 0;) {
        if (result->dims[d] == 1)
            continue;
        unsigned last = walk->rank - 1;
        if (!first && joins(walk, last, d, strides)) {
            walk->dims[last] *= result->dims[d];
            continue;
        }
        if (!first)
            last = walk->rank++;
        first = false;
        walk->dims[last] = result->dims[d];
        for (unsigned k = 0; k < count; k++)
            walk->strides[k][last] = strides[k][d];
    }
    walk->row = walk->dims[0];
    for (unsigned d = 1; d < walk->rank; d++)
        walk->rows *= walk->dims[d];
    if (!walk->row)
        walk->rows = 0;
}

void walk_start(struct walk *walk, const struct shape *result, const struct shape *const *operands, unsigned count)
{
    int64_t strides[WALK_OPERANDS][GRAPH_RANK_MAX] = {{0}}, own[GRAPH_RANK_MAX];
    const int64_t *lists[WALK_OPERANDS];
    for (unsigned k = 0; k < count; k++) {
        shape_strides(own, operands[k]);
        unsigned shift = result->rank - operands[k]->rank;
        for (unsigned d = 0; d < operands[k]->rank; d++)
            strides[k][d + shift] = operands[k]->dims[d] == 1 ? 0 : own[d];
        lists[k] = strides[k];
    }
    walk_start_strided(walk, result, lists, count);
}

void walk_next(struct walk *walk)
{
    for (unsigned d = 1; d < walk->rank; d++) {
        for (unsigned k = 0; k < walk->operands; k++)
            walk->at[k] += walk->strides[k][d];
        if (++walk->index[d] < walk->dims[d])
            return;
        walk->index[d] = 0;
        for (unsigned k = 0; k < walk->operands; k++)
            walk->at[k] -= walk->strides[k][d] * walk->dims[d];
    }
}

#define COPY_ROW(type)                                                                                                                     \
    do {                                                                                                                                   \
        const type *from = (const type *)source + walk->at[0];                                                                             \
        type *to = (type *)destination + walk->at[1];                                                                                      \
        for (int64_t i = 0; i < walk->row; i++)                                                                                            \
            to[i * step_to] = from[i * step_from];                                                                                         \
    } while (0)

void walk_copy(struct walk *walk, const char *source, char *destination, unsigned size)
{
    int64_t step_from = walk->strides[0][0], step_to = walk->strides[1][0];
    bool plain = step_from == 1 && step_to == 1;
    for (int64_t r = 0; r < walk->rows; r++, walk_next(walk)) {
        if (plain)
            memcpy(destination + walk->at[1] * size, source + walk->at[0] * size, (size_t)walk->row * size);
        else if (size == 1)
            COPY_ROW(uint8_t);
        else if (size == 2)
            COPY_ROW(uint16_t);
        else if (size == 4)
            COPY_ROW(uint32_t);
        else
            COPY_ROW(uint64_t);
    }
}

__int128 interp_load_integer(const void *bytes, enum element element, int64_t index)
{
    switch (element) {
    case ELEMENT_U8:
        return ((const uint8_t *)bytes)[index];
    case ELEMENT_BOOL:
        return ((const uint8_t *)bytes)[index] != 0;
    case ELEMENT_S8:
        return ((const int8_t *)bytes)[index];
    case ELEMENT_U16:
        return ((const uint16_t *)bytes)[index];
    case ELEMENT_S16:
        return ((const int16_t *)bytes)[index];
    case ELEMENT_U32:
        return ((const uint32_t *)bytes)[index];
    case ELEMENT_S32:
        return ((const int32_t *)bytes)[index];
    case ELEMENT_U64:
        return ((const uint64_t *)bytes)[index];
    default:
        return ((const int64_t *)bytes)[index];
    }
}

void interp_store_integer(void *bytes, enum element element, int64_t index, __int128 value)
{
    uint64_t bits = (uint64_t)value;
    if (element == ELEMENT_BOOL)
        bits = value != 0;
    switch (element_bytes(element)) {
    case 1:
        ((uint8_t *)bytes)[index] = (uint8_t)bits;
        break;
    case 2:
        ((uint16_t *)bytes)[index] = (uint16_t)bits;
        break;
    case 4:
        ((uint32_t *)bytes)[index] = (uint32_t)bits;
        break;
    default:
        ((uint64_t *)bytes)[index] = bits;
        break;
    }
}
