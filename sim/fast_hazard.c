/* fast_hazard.c: lists of touched intervals. See fast_hazard.h. */
#include <stdlib.h>

#include "fast_hazard.h"

void hazard_free(struct hazard_list *list)
{
    free(list->low);
    free(list->high);
    free(list->id);
    *list = (struct hazard_list){0};
}

static bool grow(uint64_t **array, size_t room)
{
    uint64_t *more = realloc(*array, room * sizeof **array);
    if (more) *array = more;
    return more != NULL;
}

enum weft_status hazard_add(struct hazard_list *list, struct weft_range range, uint64_t id)
{
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 64;
        if (!grow(&list->low, room) || !grow(&list->high, room) || !grow(&list->id, room)) return WEFT_NO_MEMORY;
        list->room = room;
    }
    list->low[list->count] = range.low;
    list->high[list->count] = range.high;
    list->id[list->count++] = id;
    return WEFT_OK;
}

size_t hazard_next(const struct hazard_list *list, size_t from, struct weft_range range, uint64_t id)
{
    enum { BLOCK = 8 };
    const uint64_t *low = list->low, *high = list->high;
    size_t i = from;
    for (; i + BLOCK <= list->count; i += BLOCK) { /* most blocks hold no overlap: one branch for eight */
        unsigned any = 0;
        for (unsigned j = 0; j < BLOCK; j++) any |= (unsigned)(low[i + j] < range.high) & (unsigned)(range.low < high[i + j]);
        if (any) break;
    }
    for (; i < list->count && list->id[i] < id; i++)
        if (low[i] < range.high && range.low < high[i]) return i;
    return list->count;
}
