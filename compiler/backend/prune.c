/* prune.c: blocks of a weight matrix become zero: of all blocks the given share, those with the least sum of squares; of two alike, the one that
 * comes first. Rows of the matrix are numbered as lanes are (kernel row, kernel column, channel), columns are output channels, so that
 * blocks of the array's size are tiles, and tiles of zeros cost nothing. */
#include "mapping.h"

#include <stdlib.h>
#include <string.h>

struct block { double squares; int64_t index; };
struct grid { int64_t depth, columns, block_rows, block_columns, across, count; };

static struct grid grid_of(const struct backend *b, const struct matrix *m)
{
    const struct weft_compile_options *o = b->options;
    struct grid g = {.depth = m->kh * m->kw * m->cg, .columns = m->co};
    g.block_rows = (int64_t)(o->prune_rows ? o->prune_rows : b->machine->rows);
    g.block_columns = (int64_t)(o->prune_columns ? o->prune_columns : b->machine->columns);
    g.across = (g.columns + g.block_columns - 1) / g.block_columns;
    g.count = (g.depth + g.block_rows - 1) / g.block_rows * g.across;
    return g;
}

static int64_t block_of(const struct grid *g, int64_t k, int64_t o)
{
    return k / g->block_rows * g->across + o / g->block_columns;
}

static int weakest_first(const void *a, const void *b)
{
    const struct block *x = a, *y = b;
    if (x->squares != y->squares)
        return x->squares < y->squares ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* Which blocks go: one byte each; NULL: no memory. Takes the blocks. */
static uint8_t *choose(struct backend *b, const struct grid *g, struct block *blocks)
{
    uint8_t *gone = calloc((size_t)g->count + 1, 1);
    int64_t count = (int64_t)(b->options->prune * (double)g->count);
    qsort(blocks, (size_t)g->count, sizeof *blocks, weakest_first);
    for (int64_t i = 0; gone && i < count; i++)
        gone[blocks[i].index] = 1;
    b->pruned_blocks += gone ? (uint64_t)count : 0;
    b->blocks += (uint64_t)g->count;
    free(blocks);
    return gone;
}

static struct block *new_blocks(const struct grid *g)
{
    struct block *blocks = calloc((size_t)g->count + 1, sizeof *blocks);
    for (int64_t i = 0; blocks && i < g->count; i++)
        blocks[i].index = i;
    return blocks;
}

enum weft_status prune_floats(float **out, struct backend *b, const struct matrix *m, const float *w)
{
    struct grid g = grid_of(b, m);
    struct block *blocks = new_blocks(&g);
    float *copy = blocks ? malloc((size_t)(g.depth * g.columns) * sizeof *copy) : NULL;
    if (!copy) {
        free(blocks);
        return WEFT_NO_MEMORY;
    }
    for (int64_t o = 0; o < g.columns; o++)
        for (int64_t k = 0; k < g.depth; k++) {
            double x = (double)w[tiles_source_index(m, g.depth, o, k)];
            blocks[block_of(&g, k, o)].squares += x * x;
        }
    uint8_t *gone = choose(b, &g, blocks);
    memcpy(copy, w, (size_t)(g.depth * g.columns) * sizeof *copy);
    for (int64_t o = 0; gone && o < g.columns; o++)
        for (int64_t k = 0; k < g.depth; k++)
            if (gone[block_of(&g, k, o)])
                copy[tiles_source_index(m, g.depth, o, k)] = 0;
    *out = copy;
    enum weft_status status = gone ? WEFT_OK : WEFT_NO_MEMORY;
    free(gone);
    return status;
}

/* The network's own integers, each the sum of its terms. */
enum weft_status prune_integers(struct backend *b, struct matrix *m)
{
    struct grid g = grid_of(b, m);
    struct block *blocks = new_blocks(&g);
    if (!blocks)
        return WEFT_NO_MEMORY;
    for (int64_t i = 0; i < g.depth * g.columns; i++) {
        double x = 0;
        for (int t = 0; t < WEIGHT_TERMS && m->w[t]; t++)
            x += (int8_t)m->w[t][i];
        blocks[block_of(&g, i / g.columns, i % g.columns)].squares += x * x;
    }
    uint8_t *gone = choose(b, &g, blocks);
    for (int64_t i = 0; gone && i < g.depth * g.columns; i++)
        for (int t = 0; t < WEIGHT_TERMS && m->w[t] && gone[block_of(&g, i / g.columns, i % g.columns)]; t++)
            m->w[t][i] = 0;
    enum weft_status status = gone ? WEFT_OK : WEFT_NO_MEMORY;
    free(gone);
    return status;
}
