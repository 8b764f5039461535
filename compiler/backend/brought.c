/* brought.c: which bytes of an input the program asks the host for: all of them, those that a slice leaves, or none where nobody reads it. */
#include "finish.h"

#include <stdlib.h>

struct span { uint64_t first, end; };

static int by_first(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

static uint64_t covered(struct span *spans, size_t count)
{
    uint64_t bytes = 0, end = 0;
    if (count)
        qsort(spans, count, sizeof *spans, by_first);
    for (size_t i = 0; i < count; i++) {
        uint64_t first = spans[i].first > end ? spans[i].first : end;
        if (spans[i].end <= first)
            continue;
        bytes += spans[i].end - first;
        end = spans[i].end;
    }
    return bytes;
}

uint64_t brought_bytes(struct backend *b, uint64_t first, uint64_t end)
{
    struct span *spans = NULL;
    size_t count = 0;
    int room = 0;
    for (size_t i = 0; i < b->instr_count; i++) {
        const struct weft_instr *r = &b->instr[i];
        if (r->op != WEFT_OP_READ_HOST || r->host >= end || r->host + r->bytes <= first)
            continue;
        if (!backend_grow(b, &spans, count, &room, sizeof *spans))
            break;
        spans[count++] = (struct span){r->host > first ? r->host : first, r->host + r->bytes < end ? r->host + r->bytes : end};
    }
    uint64_t bytes = covered(spans, count);
    free(spans);
    return bytes;
}
