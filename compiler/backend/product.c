/* product.c: products of two values that the network computes, as attention has them. One operand streams through the array, row by row; the
 * other goes into it as weights, tile by tile, pushed from where it lies in the unified buffer. Transposes around the product are folded
 * into the strides with which the patterns walk; of the two roles that an operand can have, the cheaper is taken. */
#include "mapping.h"
#include "product.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what the product is ------------------------------------------------------------------------------------------------ */

bool product_is(const struct backend *b, int node)
{
    const struct node *n = &b->graph->nodes[node];
    return n->op == CORE_MATMUL && !backend_is_constant(b, n->inputs[0]) && !backend_is_constant(b, n->inputs[1]) && backend_value_is_real(b, n->outputs[0]) &&
           b->graph->values[n->inputs[0]].shape.rank >= 2 && b->graph->values[n->inputs[1]].shape.rank >= 2;
}

/* The Transpose that makes this value for the product alone, or GRAPH_NONE. */
static int transpose_of(const struct backend *b, int value)
{
    int node = b->graph->values[value].producer;
    if (node == GRAPH_NONE || b->graph->nodes[node].op != CORE_TRANSPOSE || b->uses[value] != 1 || backend_is_constant(b, b->graph->nodes[node].inputs[0]))
        return GRAPH_NONE;
    return node;
}

/* Is dimension `which` from the end (1: the last, 2: the one before) of the operand the innermost in memory, with its Transpose folded? */
static bool innermost(const struct backend *b, int value, unsigned which, bool folded)
{
    int node = folded ? transpose_of(b, value) : GRAPH_NONE;
    unsigned rank = b->graph->values[value].shape.rank;
    return node == GRAPH_NONE ? which == 1 : b->graph->nodes[node].at.perm[rank - which] == (int64_t)rank - 1;
}

/* Rows must stream with the depth innermost, or each lane would be a line of its own; the first operand can if it is not transposed. */
static bool folds_first(const struct backend *b, const struct node *n)
{
    return innermost(b, n->inputs[0], 1, true) || innermost(b, n->inputs[1], 2, true);
}

bool product_takes_transpose(const struct backend *b, int node)
{
    int value = b->graph->nodes[node].outputs[0], reader = b->uses[value] == 1 ? b->reader[value] : GRAPH_NONE;
    if (reader == GRAPH_NONE || !product_is(b, reader) || transpose_of(b, value) != node)
        return false;
    const struct node *n = &b->graph->nodes[reader];
    return n->inputs[0] != n->inputs[1] && (n->inputs[1] == value || folds_first(b, n));
}

static void describe_operand(struct backend *b, int value, bool fold, int *source, struct operand *out)
{
    int node = fold ? transpose_of(b, value) : GRAPH_NONE;
    *source = node == GRAPH_NONE ? value : b->graph->nodes[node].inputs[0];
    out->rank = b->graph->values[value].shape.rank;
    for (unsigned d = 0; d < out->rank; d++) {
        out->dims[d] = b->graph->values[value].shape.dims[d];
        out->from[d] = node == GRAPH_NONE ? d : (unsigned)b->graph->nodes[node].at.perm[d];
    }
}

enum weft_status product_describe(struct backend *b, struct layer *l)
{
    const struct node *n = &b->graph->nodes[l->node];
    struct product *p = calloc(1, sizeof *p);
    if (!p)
        return WEFT_NO_MEMORY;
    l->product = p;
    bool same = n->inputs[0] == n->inputs[1];
    describe_operand(b, n->inputs[0], !same && folds_first(b, n), &l->x, &p->a);
    describe_operand(b, n->inputs[1], !same, &l->other, &p->b);
    p->shape = b->graph->values[n->outputs[0]].shape;
    p->m = p->shape.dims[p->shape.rank - 2];
    p->n = p->shape.dims[p->shape.rank - 1];
    p->k = p->a.dims[p->a.rank - 1];
    p->batches = shape_count(&p->shape) / (p->m * p->n);
    p->factor = 1;
    for (unsigned d = 0; d < p->shape.rank; d++)
        p->to[d] = d;
    return WEFT_OK;
}

/* A Transpose behind it is where the result goes. */
void product_take_result_transpose(struct backend *b, struct layer *l, int node)
{
    const struct node *n = &b->graph->nodes[node];
    for (unsigned d = 0; d < l->product->shape.rank; d++)
        l->product->to[n->at.perm[d]] = d;
    l->y = n->outputs[0];
}

/* --- strides ------------------------------------------------------------------------------------------------------------ */

/* Strides in bytes of the operand's dimensions, aligned to the result's from the right; 0 where it is repeated. */
void product_strides(const struct backend *b, const struct product *p, const struct operand *o, int value, int64_t out[GRAPH_RANK_MAX])
{
    struct shape shape = {.rank = o->rank};
    int64_t own[GRAPH_RANK_MAX] = {0};
    for (unsigned d = 0; d < o->rank; d++)
        shape.dims[o->from[d]] = o->dims[d];
    place_strides(&b->places[value], &shape, own);
    memset(out, 0, GRAPH_RANK_MAX * sizeof *out);
    for (unsigned d = 0; d < o->rank; d++)
        out[p->shape.rank - o->rank + d] = o->dims[d] == 1 && d + 2 < o->rank ? 0 : own[o->from[d]];
}

/* --- price -------------------------------------------------------------------------------------------------------------- */

struct role { int64_t rows, columns, row_stride, stream_k, column_stride, weights_k, element; };

/* Buffer lines that `count` numbers `stride` bytes apart lie in. */
static int64_t lines_of(const struct backend *b, int64_t count, int64_t stride, int64_t element)
{
    return least(count, ceil_div((count - 1) * stride + element, (int64_t)b->machine->ub_line_bytes));
}

static int64_t push_cycles(const struct backend *b, int64_t rows, int64_t lanes, int64_t element)
{
    return rows * most(1, ceil_div(lanes * element, (int64_t)b->machine->ub_line_bytes));
}

/* The array multiplies while the next tiles are pushed. */
static uint64_t bound_of(const struct tiling *t)
{
    return t->product_cycles > t->push_cycles ? t->product_cycles : t->push_cycles;
}

/* What limits the layer counts most, the rest a little. */
static uint64_t cost_of(const struct tiling *t)
{
    uint64_t top = bound_of(t) > t->drain_cycles ? bound_of(t) : t->drain_cycles;
    return top * 16 + (t->product_cycles + t->push_cycles + t->drain_cycles) / 4;
}

struct formats { enum weft_format stream, weights, result; };

static struct tiling tile(const struct backend *b, const struct product *p, const struct role *r, const struct formats *f, int64_t chunks)
{
    const struct weft_machine *m = b->machine;
    struct tiling t = {.k_tiles = ceil_div(p->k, (int64_t)m->rows), .n_tiles = ceil_div(r->columns, (int64_t)m->columns)};
    int64_t k = least(p->k, (int64_t)m->rows), n = least(r->columns, (int64_t)m->columns), planes = b->planes > 1 ? b->planes : 1, busy = 0;
    t.chunk_rows = ceil_div(r->rows, chunks);
    t.chunks = ceil_div(r->rows, t.chunk_rows);
    int64_t across = push_cycles(b, n, k, r->element), down = push_cycles(b, k, n, r->element), sums = p->batches * t.chunks * t.n_tiles;
    t.by_columns = across < down;
    int64_t row = most((int64_t)weft_passes(f->stream, f->weights), ceil_div(lines_of(b, k, r->stream_k, r->element), (int64_t)m->ub_read_ports));
    for (int64_t j = 0; j < planes; j++)
        busy += most((planes - j) * t.chunk_rows * row, (int64_t)weft_shift_cycles(m, f->weights));
    t.abreast = t.k_tiles * planes > 1 ? least((int64_t)m->arrays, (int64_t)m->acc_rows / t.chunk_rows) : (int64_t)m->arrays;
    t.tiles = sums * t.k_tiles * planes;
    t.product_cycles = (uint64_t)(ceil_div(sums, t.abreast) * t.k_tiles * busy);
    t.push_cycles = (uint64_t)(t.tiles * least(across, down));
    int64_t beats = most(most(1, ceil_div(n, (int64_t)m->vector_lanes)), ceil_div(n * weft_format_bytes(f->result), (int64_t)m->ub_line_bytes));
    t.drain_cycles = (uint64_t)ceil_div(p->batches * t.n_tiles * r->rows * beats, (int64_t)m->vector_rows);
    return t;
}

/* The cheapest number of chunks: as few as the accumulators need, or more, so that every array has rows of its own. */
static uint64_t price_role(const struct backend *b, const struct product *p, const struct role *r, const struct formats *f, struct tiling *out)
{
    int64_t fewest = ceil_div(r->rows, (int64_t)b->machine->acc_rows), end = least(fewest * (int64_t)b->machine->arrays, r->rows);
    *out = tile(b, p, r, f, fewest);
    for (int64_t chunks = fewest + 1; chunks <= end; chunks++) {
        struct tiling t = tile(b, p, r, f, chunks);
        if (cost_of(&t) < cost_of(out))
            *out = t;
    }
    return cost_of(out);
}

static struct role role_of(const struct backend *b, const struct layer *l, bool swapped)
{
    const struct product *p = l->product;
    int64_t sa[GRAPH_RANK_MAX], sb[GRAPH_RANK_MAX];
    unsigned rank = p->shape.rank;
    product_strides(b, p, &p->a, l->x, sa);
    product_strides(b, p, &p->b, l->other, sb);
    int64_t element = b->places[l->x].g.element ? b->places[l->x].g.element : weft_format_bytes(b->places[l->x].g.format);
    if (swapped)
        return (struct role){p->n, p->m, sb[rank - 1], sb[rank - 2], sa[rank - 2], sa[rank - 1], element};
    return (struct role){p->m, p->n, sa[rank - 2], sa[rank - 1], sb[rank - 1], sb[rank - 2], element};
}

/* Which operand becomes the weights; the bounds. After buffers have their strides. */
void product_map(struct backend *b, struct layer *l)
{
    struct product *p = l->product;
    struct tiling plain, swapped;
    enum weft_format fa = backend_format(b, l->x), fb = backend_format(b, l->other), fy = backend_format(b, l->y);
    struct role as_is = role_of(b, l, false), other = role_of(b, l, true);
    uint64_t price = price_role(b, p, &as_is, &(struct formats){fa, fb, fy}, &plain);
    p->swapped = price_role(b, p, &other, &(struct formats){fb, fa, fy}, &swapped) < price;
    p->tiling = p->swapped ? swapped : plain;
    uint64_t outputs = (uint64_t)b->repeats * (uint64_t)shape_count(&p->shape);
    l->macs = outputs * (uint64_t)p->k;
    l->mapping = (uint64_t)b->repeats * bound_of(&p->tiling);
    uint64_t products = l->macs * product_passes(b, l) / backend_cells(b), vector = outputs / backend_vector_width(b);
    l->roofline = products > vector ? products : vector;
}

/* Passes through the array that one product of two reals takes. */
uint64_t product_passes(const struct backend *b, const struct layer *l)
{
    uint64_t planes = b->planes > 1 ? (uint64_t)b->planes : 1;
    return weft_passes(backend_format(b, l->x), backend_format(b, l->other)) * (planes * (planes + 1) / 2);
}

void product_describe_mapping(char *out, size_t size, const struct layer *l)
{
    const struct product *p = l->product;
    const struct tiling *t = &p->tiling;
    snprintf(out, size, "%s; %lld tiles x %lld rows, pushed from the buffer; the %s operand is the weights", t->push_cycles > t->product_cycles ? "pushing tiles" : "products",
             (long long)t->tiles, (long long)t->chunk_rows, p->swapped ? "first" : "second");
}
