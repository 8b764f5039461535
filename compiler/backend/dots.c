/* dots.c: a small product of two computed values, such as the dot products of a recommendation model's vectors: the array would take longer to shift its one
 * tile in, and to let the first row through, than the vector unit takes for all of it; and no weights are fetched while a tile waits to be pushed.
 *
 * One multiplication makes all products, [k][m][n] in fp32, and one reduction adds them up over k: with numbers of eight bits exactly what the array gives, as
 * long as sums stay below 2^24. */
#include "emit_vector.h"
#include "mapping.h"
#include "product.h"

enum { DEPTH_MOST = 256, AXES = 3 };

static struct vector_box box_of(const struct product *p)
{
    return (struct vector_box){.rank = AXES, .dims = {p->k, p->m, p->n}};
}

static struct vector_view products_at(uint64_t at, const struct product *p)
{
    return (struct vector_view){.at = at, .format = WEFT_FORMAT_f32, .mul = 1, .strides = {p->m * p->n * 4, p->n * 4, 4}};
}

static uint64_t products_bytes(const struct product *p)
{
    return (uint64_t)(p->k * p->m * p->n) * sizeof(float);
}

/* --- which of the two ---------------------------------------------------------------------------------------------------- */

static bool may_be(const struct backend *b, const struct layer *l)
{
    const struct product *p = l->product;
    bool narrow = b->planes || (weft_format_bytes(backend_format(b, l->x)) == 1 && weft_format_bytes(backend_format(b, l->other)) == 1);
    bool plain = l->residual == GRAPH_NONE && l->function == GRAPH_NONE;
    return p->batches == 1 && p->k <= DEPTH_MOST && narrow && plain && backend_value_is_real(b, l->x) && backend_value_is_real(b, l->other) &&
           products_bytes(p) <= (uint64_t)backend_piece_bytes(b);
}

static double vector_cycles(const struct backend *b, const struct product *p)
{
    struct vector_box box = box_of(p);
    struct vector_view products = products_at(0, p);
    return 2 * vector_nd_cycles(b, &box, &products, &products) + 2 * (double)b->machine->vector_depth;
}

enum weft_status backend_dots(struct backend *b)
{
    uint64_t through = weft_shift_cycles(b->machine, b->planes ? WEFT_FORMAT_bf16 : WEFT_FORMAT_s8) + weft_matrix_skew(b->machine);
    for (int i = 0; i < b->layer_count; i++) {
        struct layer *l = &b->layers[i];
        if (l->kind != LAYER_PRODUCT || !may_be(b, l) || vector_cycles(b, l->product) >= (double)through)
            continue;
        l->kind = LAYER_DOTS;
        l->macs = (uint64_t)(b->repeats * l->product->m * l->product->n * l->product->k);
        l->mapping = l->roofline = (uint64_t)b->repeats * (uint64_t)vector_cycles(b, l->product);
    }
    return WEFT_OK;
}

void dots_temps(struct backend *b, struct layer *l, int index)
{
    l->temp[0] = backend_add_buffer(b, products_bytes(l->product), index, index);
}

/* --- its instructions ------------------------------------------------------------------------------------------------------ */

/* Element (k, m, n): integers as they are, so that their sums are exact; zero points are taken away. */
static struct vector_view operand(const struct backend *b, int value, int64_t k, int64_t m, int64_t n)
{
    return (struct vector_view){.at = place_origin(b, value), .format = b->places[value].g.format, .mul = 1, .zero = backend_zero(b, value), .strides = {k, m, n}};
}

static struct vector_view result(const struct backend *b, const struct layer *l)
{
    const struct product *p = l->product;
    unsigned rank = p->shape.rank;
    int64_t own[GRAPH_RANK_MAX] = {0};
    place_strides(&b->places[l->y], &b->graph->values[l->y].shape, own);
    return (struct vector_view){.at = place_origin(b, l->y), .format = b->places[l->y].g.format, .mul = 1, .strides = {0, own[p->to[rank - 2]], own[p->to[rank - 1]]}};
}

void emit_dots(struct backend *b, struct layer *l)
{
    const struct product *p = l->product;
    const bool over_k[GRAPH_RANK_MAX] = {true};
    unsigned rank = p->shape.rank;
    int64_t sa[GRAPH_RANK_MAX], sb[GRAPH_RANK_MAX];
    product_strides(b, p, &p->a, l->x, sa);
    product_strides(b, p, &p->b, l->other, sb);
    struct vector_box box = box_of(p);
    struct vector_view x = operand(b, l->x, sa[rank - 1], sa[rank - 2], 0), other = operand(b, l->other, sb[rank - 2], 0, sb[rank - 1]);
    struct vector_view products = products_at(b->buffers[l->temp[0]].ub, p), y = result(b, l);
    emit_set_float(b, REG_mul_out, 1, 0);
    emit_set(b, REG_clamp_low, (uint32_t)INT32_MIN, (uint32_t)INT32_MAX);
    vector_nd(b, &(struct vector_call){.op = WEFT_OP_MUL}, &box, &products, &x, &other);
    vector_result(b, l->y, backend_scale(b, l->x) * backend_scale(b, l->other) * p->factor / backend_scale(b, l->y));
    vector_nd_reduce(b, &box, over_k, &y, &products, WEFT_REDUCTION_sum);
}
