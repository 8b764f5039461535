/* fast_hazard.h: who still touches what. Private to the fast engine.
 *
 * One list a space and direction holds the intervals of the instructions that were dispatched and may not be complete, in
 * program order. A reader looks through the writers, a writer through both.
 */
#ifndef WEFT_FAST_HAZARD_H
#define WEFT_FAST_HAZARD_H

#include "weft_isa.h"

struct hazard_list {
    uint64_t *low, *high; /* touched: [low, high) */
    uint64_t *id;         /* whose, ascending */
    size_t count, room;
    size_t prune_at; /* the count at which looking for finished ones pays again */
};

void hazard_free(struct hazard_list *list);
enum weft_status hazard_add(struct hazard_list *list, struct weft_range range, uint64_t id);
/* The first entry from `from` on that overlaps `range` and belongs to an instruction before `id`; list->count if none. */
size_t hazard_next(const struct hazard_list *list, size_t from, struct weft_range range, uint64_t id);

#endif
