/* shares.c: a softmax that a product reads, as in attention: the product takes its exponentials, and what it gives is divided by their sums.
 *
 * The result has fewer numbers than the scores where there are more keys than numbers in a head, so the division costs less there; and an exponential of at most 1
 * uses all its eight bits in every row, where a share of many is a few steps of 1/255 at best. The sums are those of the rounded numbers, so that nothing is lost
 * by that. */
#include "product.h"

#include <stdio.h>
#include <string.h>

/* The product streams the softmax's rows as they are. */
static bool streams(const struct backend *b, const struct layer *product, int value)
{
    const struct product *p = product->product;
    const struct shape *rows = &b->graph->values[value].shape;
    bool same = product->x == value && product->other != value && p->a.rank == p->shape.rank && rows->rank == p->a.rank;
    for (unsigned d = 0; same && d < rows->rank; d++)
        same = p->a.from[d] == d && (d + 1 == rows->rank || p->a.dims[d] == p->shape.dims[d]);
    return same;
}

static bool may_wait(const struct backend *b, const struct layer *softmax, const struct layer *product)
{
    if (softmax->kind != LAYER_SOFTMAX || !product || product->kind != LAYER_PRODUCT)
        return false;
    bool plain = product->residual == GRAPH_NONE && product->function == GRAPH_NONE && backend_value_is_real(b, product->y);
    int64_t last = (int64_t)b->graph->values[softmax->y].shape.rank - 1;
    return plain && b->graph->nodes[softmax->node].at.axis == last && product->product->k > product->product->n && streams(b, product, softmax->y);
}

/* --- what stands between ---------------------------------------------------------------------------------------------------- */

static int add_value(struct backend *b, int like, const char *what, const struct shape *shape, struct quantisation q)
{
    char name[256];
    snprintf(name, sizeof name, "%.200s/%s", b->graph->values[like].name, what);
    int value = graph_add_value(b->graph, name, ELEMENT_F32, shape);
    b->out_of_memory |= value < 0;
    if (value >= 0)
        b->graph->values[value].q = q;
    return value;
}

static struct quantisation up_to_one(const struct backend *b)
{
    bool u8 = b->machine->formats & WEFT_USES_U8;
    return (struct quantisation){.known = true, .format = u8 ? WEFT_FORMAT_u8 : WEFT_FORMAT_s8, .scale = u8 ? 1.0f / 255 : 1.0f / 127};
}

/* One number a row, where the product's result has it. */
static struct shape sums_shape(const struct product *p)
{
    struct shape shape = p->shape;
    for (unsigned d = 0; d < p->shape.rank; d++)
        shape.dims[p->to[d]] = d + 1 < p->shape.rank ? p->shape.dims[d] : 1;
    return shape;
}

static struct layer quotient(struct backend *b, const struct layer *product, int undivided, int sums)
{
    struct layer l = {.kind = LAYER_BINARY, .op = CORE_DIV, .node = product->node, .name = strdup(product->name), .x = undivided, .other = sums, .y = product->y,
                      .residual = GRAPH_NONE, .function = GRAPH_NONE, .preact = GRAPH_NONE, .temp = {-1, -1, -1, -1}};
    b->out_of_memory |= !l.name;
    return l;
}

static void insert(struct backend *b, int at, struct layer layer)
{
    if (!backend_grow(b, &b->layers, (size_t)b->layer_count, &b->layer_room, sizeof layer))
        return;
    memmove(&b->layers[at + 1], &b->layers[at], (size_t)(b->layer_count++ - at) * sizeof layer);
    b->layers[at] = layer;
}

static void let_wait(struct backend *b, struct layer *softmax, struct layer *product)
{
    const struct quantisation fine = {.known = true, .format = WEFT_FORMAT_bf16, .scale = 1};
    struct shape rows = b->graph->values[softmax->y].shape, sums = sums_shape(product->product), result = b->graph->values[product->y].shape;
    int e = add_value(b, softmax->y, "exponentials", &rows, up_to_one(b)), s = add_value(b, softmax->y, "sums", &sums, fine);
    int undivided = add_value(b, product->y, "undivided", &result, fine);
    if (b->out_of_memory)
        return;
    struct layer divide = quotient(b, product, undivided, s);
    softmax->y = product->x = e;
    softmax->sums = 1 + s;
    for (unsigned d = 0; d < GRAPH_RANK_MAX; d++)
        softmax->sums_at[d] = d < rows.rank ? product->product->to[d] : 0;
    product->y = undivided;
    insert(b, (int)(product - b->layers) + 1, divide);
}

/* Layers whose values all stay in the buffer: bands know of one result each. */
enum weft_status backend_shares(struct backend *b)
{
    for (int i = 0; i < b->layer_count && b->may_wait && b->format == COMPILE_INT8; i++) {
        const struct layer *reader = backend_only_reader(b, b->layers[i].y);
        if (!may_wait(b, &b->layers[i], reader))
            continue;
        let_wait(b, &b->layers[i], &b->layers[reader - b->layers]);
        b->waits = true;
    }
    return b->out_of_memory ? WEFT_NO_MEMORY : WEFT_OK;
}
