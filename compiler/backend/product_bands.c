/* product_bands.c: a product of two computed values in bands. Rows of the result take rows of the first operand and all of the second, columns the other way
 * round, and heads (or whatever else stands in front) those of both. */
#include "product.h"
#include "spill.h"

#include <stdlib.h>

/* The product's dimension that is this one of the result, which a Transpose may have put elsewhere. */
static unsigned dimension_of(const struct product *p, unsigned cut)
{
    unsigned e = 0;
    while (p->to[e] != cut)
        e++;
    return e;
}

/* Where dimension e of the product lies in an operand that has it, counted from the left; -1: it is the same for all. */
static int own_dimension(const struct product *p, const struct operand *o, unsigned e, bool first)
{
    unsigned rank = p->shape.rank;
    if (e + o->rank < rank || e == (first ? rank - 1 : rank - 2))
        return -1;
    unsigned d = e + o->rank - rank;
    return o->dims[d] == p->shape.dims[e] ? (int)d : -1;
}

static bool is_of(const struct spill *s, const struct layer *l, int value, bool first)
{
    int planes = s->b->planes > 1 ? s->b->planes : 0, from = first ? 0 : planes;
    bool is = value == (first ? l->x : l->other);
    for (int i = from; i < from + planes; i++)
        is |= l->inputs[i] == value;
    return is;
}

static int of_operand(const struct product *p, unsigned e, bool first)
{
    const struct operand *o = first ? &p->a : &p->b;
    int d = own_dimension(p, o, e, first);
    return d < 0 ? BAND_WHOLE : (int)o->from[d];
}

/* What is added is aligned with the product from the right. */
static int of_residual(const struct spill *s, const struct product *p, int value, unsigned e)
{
    const struct shape *r = &s->b->graph->values[value].shape;
    if (e + r->rank < p->shape.rank || r->dims[e + r->rank - p->shape.rank] == 1)
        return BAND_WHOLE;
    return (int)(e + r->rank - p->shape.rank);
}

/* Two names for the same bytes, of which a band might need different parts. */
static bool share_bytes(const struct spill *s, int x, int other)
{
    return x != other && spill_has(s, x) && spill_has(s, other) && s->class_of[x] == s->class_of[other];
}

static bool may(const struct spill *s, const struct layer *l, unsigned e, int cut)
{
    bool apart = !share_bytes(s, l->x, l->other) && !share_bytes(s, l->x, l->residual) && !share_bytes(s, l->other, l->residual);
    return apart && (l->residual == GRAPH_NONE || (int)e == cut); /* what is added has no place behind a Transpose */
}

int product_bands_dimension(const struct spill *s, const struct layer *l, int value, int cut)
{
    const struct product *p = l->product;
    unsigned e = dimension_of(p, (unsigned)cut);
    int found[3], count = 0;
    if (!may(s, l, e, cut))
        return BAND_NONE;
    if (is_of(s, l, value, true))
        found[count++] = of_operand(p, e, true);
    if (is_of(s, l, value, false))
        found[count++] = of_operand(p, e, false);
    if (value == l->residual)
        found[count++] = of_residual(s, p, value, e);
    for (int i = 1; i < count; i++) /* in two roles: the same part for both */
        found[0] = found[i] == found[0] ? found[0] : BAND_NONE;
    return count ? found[0] : BAND_NONE;
}

struct product *product_bands_own(const struct product *whole, int cut, int64_t count)
{
    struct product *p = malloc(sizeof *p);
    if (!p)
        return NULL;
    *p = *whole;
    unsigned e = dimension_of(p, (unsigned)cut), rank = p->shape.rank;
    int a = own_dimension(p, &p->a, e, true), b = own_dimension(p, &p->b, e, false);
    p->shape.dims[e] = count;
    if (a >= 0)
        p->a.dims[a] = count;
    if (b >= 0)
        p->b.dims[b] = count;
    p->m = p->shape.dims[rank - 2];
    p->n = p->shape.dims[rank - 1];
    p->batches = shape_count(&p->shape) / (p->m * p->n);
    return p;
}
