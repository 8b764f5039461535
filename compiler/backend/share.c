/* share.c: weights that several layers read, such as those of the steps of a recurrent network: they are quantised once and stored once. The first
 * layer lends its copy and its tiles to those behind it that would make the same. */
#include "mapping.h"

#include <stdlib.h>
#include <string.h>

static bool same_numbers(const struct backend *b, const struct matrix *a, const struct matrix *m)
{
    return a->weights == m->weights && a->weight_zero == m->weight_zero && a->integer == m->integer && a->w_format == m->w_format && a->weights_kn == m->weights_kn &&
           a->nothing == m->nothing && a->kh == m->kh && a->kw == m->kw && a->groups == m->groups && a->ci == m->ci && a->co == m->co &&
           !memcmp(a->permuted, m->permuted, sizeof a->permuted);
}

static bool same_scales(const struct matrix *a, const struct matrix *m)
{
    return a->w_scales && m->w_scales && !memcmp(a->w_scales, m->w_scales, (size_t)m->co * sizeof *m->w_scales);
}

/* The matrix that has these weights already; NULL: none. `scaled`: only in the same scales, which are known. */
struct matrix *share_lender(const struct backend *b, const struct matrix *m, bool scaled)
{
    for (int i = b->current - 1; i >= 0; i--) {
        struct matrix *a = b->layers[i].kind == LAYER_MATRIX ? b->layers[i].m : NULL;
        if (a && a->weights == m->weights)
            return same_numbers(b, a, m) && (!scaled || same_scales(a, m)) ? a->lender ? a->lender : a : NULL;
    }
    return NULL;
}

void share_weights(struct matrix *m, struct matrix *lender)
{
    lender->lends = true;
    m->lender = lender;
    memcpy(m->w, lender->w, sizeof m->w);
}

static bool same_mapping(const struct mapping *a, const struct mapping *b)
{
    return a->pixels == b->pixels && a->step == b->step && a->taps == b->taps && a->tap_step == b->tap_step && a->slices == b->slices && a->slice_in == b->slice_in &&
           a->slice_out == b->slice_out && a->lanes == b->lanes && a->columns == b->columns && a->terms == b->terms;
}

/* Takes over the lender's tiles; false: this layer cuts its weights in another way. */
bool share_tiles(struct backend *b, struct layer *l)
{
    struct matrix *m = l->m;
    const struct matrix *from = m->lender;
    if (!from || !from->tile_ids || !same_mapping(&from->map, &m->map))
        return false;
    size_t count = (size_t)(m->map.slices * m->map.terms * m->map.k_tiles * m->map.n_tiles);
    m->tile_ids = malloc(count * sizeof *m->tile_ids);
    b->out_of_memory |= !m->tile_ids;
    if (!m->tile_ids)
        return false;
    memcpy(m->tile_ids, from->tile_ids, count * sizeof *m->tile_ids);
    m->map.zero_bytes = from->map.zero_bytes;
    m->map.zero_cells = from->map.zero_cells;
    m->map.cells = from->map.cells;
    if (from->map.zero_tiles)
        mapping_drop_tiles(b, l, from->map.zero_tiles);
    return true;
}
