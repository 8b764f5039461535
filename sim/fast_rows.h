/* fast_rows.h: a pattern's rows as runs of contiguous lanes. Private to the fast engine. */
#ifndef WEFT_FAST_ROWS_H
#define WEFT_FAST_ROWS_H

#include "weft_isa.h"

struct fast_run { uint32_t lane, lanes; uint64_t offset; }; /* lanes lane.. lie contiguously at `offset` from the row's address */

/* The lanes asked for, the same in every row; lane 0 here is the first one asked for. */
struct fast_rows {
    const struct weft_pattern *pattern;
    struct fast_run *runs;
    size_t run_count, run_room;
    uint64_t row, i0, offset; /* the row that the cursor stands on; its address is base + offset */
};

/* `rows` is zero or was initialised before: its memory is reused. `pattern` is borrowed. Neighbouring runs are joined. */
enum weft_status rows_init(struct fast_rows *rows, const struct weft_pattern *pattern, uint64_t first_row, uint64_t first_lane, uint64_t lanes,
                           unsigned element_bytes);
void rows_free(struct fast_rows *rows);
void rows_seek(struct fast_rows *rows, uint64_t row);

static inline uint64_t rows_address(const struct fast_rows *rows) { return rows->pattern->base + rows->offset; }

static inline void rows_next(struct fast_rows *rows)
{
    const struct weft_pattern *p = rows->pattern;
    rows->row++;
    rows->offset += p->stride0;
    if (++rows->i0 == p->count0) rows_seek(rows, rows->row);
}

/* How many of `count` rows from the cursor on lie `*stride` bytes from one to the next; at least one. */
uint64_t rows_even(const struct fast_rows *rows, uint64_t count, uint64_t *stride);

#endif
