/* fast_rows.c: rows and runs. See fast_rows.h. */
#include <stdlib.h>

#include "fast_rows.h"

static enum weft_status append(struct fast_rows *rows, uint64_t lane, uint64_t lanes, uint64_t offset)
{
    if (rows->run_count == rows->run_room) {
        size_t room = rows->run_room ? 2 * rows->run_room : 16;
        struct fast_run *more = realloc(rows->runs, room * sizeof *more);
        if (!more) return WEFT_NO_MEMORY;
        rows->runs = more;
        rows->run_room = room;
    }
    rows->runs[rows->run_count++] = (struct fast_run){(uint32_t)lane, (uint32_t)lanes, offset};
    return WEFT_OK;
}

enum weft_status rows_init(struct fast_rows *rows, const struct weft_pattern *pattern, uint64_t first_row, uint64_t first_lane, uint64_t lanes,
                           unsigned element_bytes)
{
    rows->pattern = pattern;
    rows->run_count = 0;
    rows_seek(rows, first_row);
    uint64_t length = pattern->run_length, within = first_lane % length, run = first_lane / length;
    for (uint64_t lane = 0; lane < lanes; within = 0, run++) {
        uint64_t count = length - within < lanes - lane ? length - within : lanes - lane;
        uint64_t offset = within * element_bytes + run % pattern->block_runs * pattern->run_stride +
                          run / pattern->block_runs * pattern->block_stride;
        struct fast_run *last = rows->run_count ? &rows->runs[rows->run_count - 1] : NULL;
        if (last && last->offset + (uint64_t)last->lanes * element_bytes == offset) {
            last->lanes += (uint32_t)count;
        } else {
            enum weft_status status = append(rows, lane, count, offset);
            if (status != WEFT_OK) return status;
        }
        lane += count;
    }
    return WEFT_OK;
}

void rows_free(struct fast_rows *rows)
{
    free(rows->runs);
    *rows = (struct fast_rows){0};
}

void rows_seek(struct fast_rows *rows, uint64_t row)
{
    const struct weft_pattern *p = rows->pattern;
    uint64_t i1 = row / p->count0;
    rows->row = row;
    rows->i0 = row % p->count0;
    rows->offset = rows->i0 * p->stride0 + i1 % p->count1 * p->stride1 + i1 / p->count1 * p->stride2;
}

/* One innermost loop is even; so are two levels where the outer stride continues the inner one. */
uint64_t rows_even(const struct fast_rows *rows, uint64_t count, uint64_t *stride)
{
    const struct weft_pattern *p = rows->pattern;
    uint64_t left = p->count0 - rows->i0, i1 = rows->row / p->count0 % p->count1;
    *stride = p->stride0;
    if (p->count0 == 1) { /* the middle loop is the innermost one that moves */
        left = p->count1 - i1;
        *stride = p->stride1;
    } else if ((uint64_t)p->count0 * p->stride0 == p->stride1) {
        left += (p->count1 - 1 - i1) * p->count0;
    }
    return left < count ? left : count;
}
