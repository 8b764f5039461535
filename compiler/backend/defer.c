/* defer.c: products of weights that only a product of computed values reads, as attention's values are: emitted right in front of it instead of where the
 * network has them.
 *
 * Tiles reach the array in the order of the program, through one FIFO: behind a product that pushes its own tiles no weights are fetched until the last of
 * them is in. So scores, softmax and context, one behind the other, leave DRAM idle, unless there are weights to fetch between them. It pays where
 * fetching takes longer than multiplying. */
#include "mapping.h"

#include <string.h>

enum { CHAIN = 8, TIMES = 2 /* the fetch of a tile longer than the product: what follows loses its overlap with the softmax */ };

/* Layers from a product of weights to the value that another product reads, the last first. */
struct chain { int layers[CHAIN], count; };

static bool is_name(const struct layer *l) /* the same bytes in another shape, where they lie in C order; else cheap */
{
    return l->kind == LAYER_ALIAS || (l->kind == LAYER_MOVE && l->op == CORE_RESHAPE);
}

static bool find_chain(const struct backend *b, int value, struct chain *c)
{
    for (c->count = 0; c->count < CHAIN;) {
        const struct layer *l = backend_maker(b, value);
        if (!l || !backend_only_reader(b, value) || !(l->kind == LAYER_MATRIX || is_name(l)))
            return false;
        c->layers[c->count++] = (int)(l - b->layers);
        if (l->kind == LAYER_MATRIX)
            return true;
        value = l->x;
    }
    return false;
}

/* A tile takes much longer to fetch than the array to multiply by it. */
static bool waits_for_weights(const struct backend *b, const struct layer *l)
{
    const struct weft_machine *m = b->machine;
    enum weft_format format = b->planes && !l->m->integer ? WEFT_FORMAT_bf16 : WEFT_FORMAT_s8;
    uint64_t bytes = weft_tile_bytes(m, m->rows, m->columns, format) * m->arrays;
    return cycles_of_bytes(m, bytes, m->dram_bytes_per_second) > TIMES * (uint64_t)(shape_count(&b->graph->values[l->y].shape) / l->m->co);
}

static bool product_between(const struct backend *b, int first, int end)
{
    for (int i = first; i < end; i++)
        if (b->layers[i].kind == LAYER_PRODUCT)
            return true;
    return false;
}

static void move(struct backend *b, int from, int to)
{
    struct layer l = b->layers[from];
    memmove(&b->layers[from], &b->layers[from + 1], (size_t)(to - from) * sizeof l);
    b->layers[to] = l;
}

static void defer(struct backend *b, int product, int value)
{
    struct chain c;
    if (!find_chain(b, value, &c))
        return;
    int first = c.layers[c.count - 1];
    if (!product_between(b, first, product) || !waits_for_weights(b, &b->layers[first]))
        return;
    for (int k = 0; k < c.count; k++)
        move(b, c.layers[k], product - 1 - k);
}

enum weft_status backend_defer(struct backend *b)
{
    for (int i = 0; i < b->layer_count; i++)
        if (b->layers[i].kind == LAYER_PRODUCT) {
            defer(b, i, b->layers[i].x);
            defer(b, i, b->layers[i].other);
        }
    return WEFT_OK;
}
