/* lines.c: where the rows of a matrix layer read their lanes, and how many cycles a row takes because its lanes lie in more lines of the unified buffer
 * than the array's ports deliver in one. */
#include "emit.h"
#include "mapping.h"

enum { ROWS = 128, TILES = 6 /* looked at, of all */ };

struct weft_pattern lines_source(const struct matrix *m, const struct mapping *map, const struct geometry *x, uint64_t origin, int64_t slice)
{
    int64_t start = -m->top * x->line - m->left * x->pixel + slice * map->slice_in * x->element;
    struct weft_pattern p = pattern_blank(origin + (uint64_t)start);
    p.count0 = (uint32_t)map->groups_x;
    p.stride0 = (uint32_t)(map->step * m->sx * x->pixel);
    p.count1 = (uint32_t)map->oh;
    p.stride1 = (uint32_t)(m->sy * x->line);
    p.count2 = (uint32_t)map->n;
    p.stride2 = (uint32_t)x->image;
    int64_t tap = map->tap_step * x->pixel, row = m->dy * x->line;
    bool merged = tap == map->slice_in * x->element; /* the taps of a kernel row lie side by side */
    p.run_length = (uint32_t)(merged ? map->slice_in * map->taps : map->slice_in);
    p.run_stride = (uint32_t)(merged ? row : tap);
    if (!merged) {
        p.block_runs = (uint32_t)map->taps;
        p.block_stride = (uint32_t)row;
    }
    return p;
}

/* Mean cycles of a row and pass, 1 at best, over some rows and some tiles. Before the buffers have addresses: they begin with a line. */
double lines_price(const struct backend *b, const struct layer *l, const struct mapping *map)
{
    struct geometry x = b->places[l->x].g;
    if (!x.image)
        geometry_finish(&x); /* before halos are known */
    uint64_t low = (uint64_t)(l->m->top * x.line + l->m->left * x.pixel), base = (low + b->machine->ub_line_bytes) / b->machine->ub_line_bytes * b->machine->ub_line_bytes;
    uint64_t origin = (uint64_t)x.origin >= low ? base + (uint64_t)x.origin : base + low;
    struct weft_pattern p = lines_source(l->m, map, &x, origin, 0);
    int64_t rows = map->rows < ROWS ? map->rows : ROWS, step = ceil_div(map->k_tiles, TILES), deep = (int64_t)b->machine->rows;
    uint64_t cycles = 0, seen = 0;
    for (int64_t kt = 0; kt < map->k_tiles; kt += step) {
        int64_t k = map->lanes - kt * deep < deep ? map->lanes - kt * deep : deep;
        cycles += weft_matrix_cycles(b->machine, &p, 0, (uint64_t)rows, (uint64_t)(kt * deep), (uint64_t)k, backend_format(b, l->x), l->m->w_format);
        seen += (uint64_t)rows * weft_passes(backend_format(b, l->x), l->m->w_format);
    }
    return (double)cycles / (double)seen;
}
