/* allocate.c: unified-buffer addresses by lifetime. A pure function of sizes and lifetimes. */
#include "backend.h"

#include <stdlib.h>

static int larger_first(const void *a, const void *b)
{
    const struct buffer *x = *(struct buffer *const *)a, *y = *(struct buffer *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return x < y ? -1 : x > y;
}

static bool live_together(const struct buffer *a, const struct buffer *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* Lowest aligned address at which `it` overlaps none of the `count` buffers placed before it that live at the same time. */
static uint64_t lowest_gap(const struct buffer *it, struct buffer *const *placed, int count, uint64_t align)
{
    uint64_t at = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < count; i++) {
            const struct buffer *p = placed[i];
            if (live_together(it, p) && at < p->ub + p->bytes && p->ub < at + it->bytes) {
                at = (p->ub + p->bytes + align - 1) / align * align;
                moved = true;
            }
        }
    }
    return at;
}

bool allocate_buffers(struct buffer *buffers, int count, uint64_t limit, uint64_t align, uint64_t *peak)
{
    struct buffer **order = malloc(((size_t)count + 1) * sizeof *order);
    *peak = 0;
    if (!order)
        return false;
    for (int i = 0; i < count; i++)
        order[i] = &buffers[i];
    qsort(order, (size_t)count, sizeof *order, larger_first);
    for (int i = 0; i < count; i++) {
        order[i]->ub = lowest_gap(order[i], order, i, align);
        if (order[i]->ub + order[i]->bytes > *peak)
            *peak = order[i]->ub + order[i]->bytes;
    }
    free(order);
    return *peak <= limit;
}
