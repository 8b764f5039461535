/* tiles.c: a layer's weights quantised, then written tile by tile as the mapping has them.
 *
 * Quantised weights are kept [kernel row, kernel column, channel of the group][output channel], so that a tile's row is made of
 * runs of consecutive output channels. */
#include "element.h"
#include "mapping.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Index of weight (output channel o, position k = (ky, kx, c)) in the network's tensor. */
int64_t tiles_source_index(const struct matrix *m, int64_t depth, int64_t o, int64_t k)
{
    if (m->weights_kn) {
        if (m->permuted[0]) { /* stored H W C, trained for C H W */
            int64_t c = k % m->permuted[0], pixel = k / m->permuted[0];
            k = c * m->permuted[1] * m->permuted[2] + pixel;
        }
        return k * m->co + o;
    }
    if (m->permuted[0]) {
        int64_t c = k % m->permuted[0], pixel = k / m->permuted[0];
        k = c * m->permuted[1] * m->permuted[2] + pixel;
    }
    int64_t c = k % m->cg, tap = k / m->cg; /* the tensor has [o][c][ky][kx] */
    return o * depth + c * (m->kh * m->kw) + tap;
}

static void channel_scales(const struct matrix *m, const float *w, int64_t depth, float *scales)
{
    for (int64_t o = 0; o < m->co; o++)
        scales[o] = 0;
    for (int64_t i = 0; i < depth * m->co; i++) {
        int64_t o = m->weights_kn ? i % m->co : i / depth;
        float a = fabsf(w[i]);
        scales[o] = a > scales[o] ? a : scales[o];
    }
    for (int64_t o = 0; o < m->co; o++)
        scales[o] = isfinite(scales[o]) ? scales[o] / 127 : 1;
}

/* The network's own scales, in which its weights are whole numbers; false: it has none along the output channels. */
static bool own_scales(struct backend *b, const struct matrix *m, float *scales)
{
    const struct value *w = &b->graph->values[m->weights];
    int64_t count = w->multiples.known ? shape_count(&b->graph->values[w->multiples.scales].shape) : 0;
    if (!count || (count > 1 && (count != m->co || w->multiples.axis != (m->weights_kn ? w->shape.rank - 1 : 0))))
        return false;
    for (int64_t o = 0; o < m->co; o++) {
        double scale;
        if (!value_at(b->graph, w->multiples.scales, count > 1 ? o : 0, &scale) || !(scale > 0))
            return false;
        scales[o] = (float)scale;
    }
    return true;
}

/* The greatest sum of products that calibration saw, and as much again: s16 operands could carry it beyond s32. (Partial sums may: they wrap.) */
static double greatest_sum(const struct backend *b, const struct layer *l)
{
    bool added = l->residual != GRAPH_NONE, masked = added && !weft_format_is_integer(backend_format(b, l->residual));
    int y = masked ? b->graph->nodes[l->node].outputs[0] : l->preact != GRAPH_NONE ? l->preact : l->y;
    double most = fmax(fabs((double)b->low[y]), fabs((double)b->high[y]));
    if (added && !masked)
        most += fmax(fabs((double)b->low[l->residual]), fabs((double)b->high[l->residual]));
    return b->format == COMPILE_INT16 && b->low[y] <= b->high[y] ? 2 * most : 0;
}

/* The bias is added as an integer of scale x weight scale. Weights next to nothing (a channel that training switched off) must not make
 * that scale so small that the bias leaves s32: 24 bits of it are enough. Scales of the network are kept as long as 30 do. */
static void widen_for_bias(struct backend *b, const struct layer *l)
{
    const struct matrix *m = l->m;
    double most = greatest_sum(b, l), bias_max = b->graph->values[m->weights].multiples.known ? 1073741824.0 : 16777216.0;
    for (int64_t o = 0; o < m->co; o++) {
        double step = backend_scale(b, l->x) * fabs((double)m->alpha), least = fabs(params_bias(b, l, o)) / (bias_max * step);
        least = fmax(least, most / (1073741824.0 * step));
        float *scale = &m->w_scales[o];
        *scale = *scale < least ? (float)least : *scale;
        *scale = *scale > 1e-30f ? *scale : 1;
    }
}

static int8_t round_weight(float w, float inverse)
{
    float q = rintf(w * inverse);
    return (int8_t)(q > 127 ? 127 : q < -128 ? -128 : q == q ? q : 0);
}

enum { TRANSPOSE_BLOCK = 32 };

static void quantise_block(const struct matrix *m, const float *w, int64_t depth, const float *inverse, int64_t k0, int64_t o0)
{
    int64_t k1 = k0 + TRANSPOSE_BLOCK < depth ? k0 + TRANSPOSE_BLOCK : depth, o1 = o0 + TRANSPOSE_BLOCK < m->co ? o0 + TRANSPOSE_BLOCK : m->co;
    for (int64_t k = k0; k < k1; k++)
        for (int64_t o = o0; o < o1; o++)
            m->w[0][k * m->co + o] = (uint8_t)round_weight(w[tiles_source_index(m, depth, o, k)], inverse[o]);
}

/* Scales by the weights alone, which other layers of the same weights have too, then by this layer's bias. */
static enum weft_status find_scales(struct backend *b, const struct layer *l, const float *w, int64_t depth)
{
    struct matrix *m = l->m;
    const struct matrix *other = share_lender(b, m, false);
    m->raw_scales = malloc((size_t)m->co * sizeof *m->raw_scales);
    if (!m->raw_scales)
        return WEFT_NO_MEMORY;
    if (other && other->raw_scales)
        memcpy(m->raw_scales, other->raw_scales, (size_t)m->co * sizeof *m->raw_scales);
    else if (!own_scales(b, m, m->raw_scales))
        channel_scales(m, w, depth, m->raw_scales);
    memcpy(m->w_scales, m->raw_scales, (size_t)m->co * sizeof *m->w_scales);
    widen_for_bias(b, l);
    return WEFT_OK;
}

static enum weft_status quantise_float(struct backend *b, const struct layer *l, const float *w, int64_t depth)
{
    struct matrix *m = l->m;
    float *inverse = malloc((size_t)m->co * sizeof *inverse);
    m->w[0] = malloc((size_t)(depth * m->co));
    if (!inverse || !m->w[0]) {
        free(inverse);
        return WEFT_NO_MEMORY;
    }
    for (int64_t o = 0; o < m->co; o++)
        inverse[o] = 1 / m->w_scales[o];
    for (int64_t o = 0; o < m->co; o += TRANSPOSE_BLOCK)
        for (int64_t k = 0; k < depth; k += TRANSPOSE_BLOCK)
            quantise_block(m, w, depth, inverse, k, o);
    free(inverse);
    return WEFT_OK;
}

static int32_t zero_of(struct backend *b, const struct matrix *m, int64_t o)
{
    double zero = 0;
    if (m->weight_zero != GRAPH_NONE) {
        int64_t count = shape_count(&b->graph->values[m->weight_zero].shape);
        value_at(b->graph, m->weight_zero, count > 1 ? o : 0, &zero);
    }
    return (int32_t)zero;
}

/* What one s8 can take of d. */
static int8_t low_part(int32_t d)
{
    return (int8_t)(d < -128 ? -128 : d > 127 ? 127 : d);
}

/* Spreads d over the terms, making those that are needed. */
static enum weft_status split(struct matrix *m, int64_t count, int64_t at, int32_t d)
{
    for (int t = 0; t < WEIGHT_TERMS && (t == 0 || d); t++) {
        if (!m->w[t])
            m->w[t] = calloc((size_t)count, 1);
        if (!m->w[t])
            return WEFT_NO_MEMORY;
        m->w[t][at] = (uint8_t)low_part(d);
        d -= low_part(d);
    }
    return WEFT_OK;
}

/* The network's own integers: w - zero, or weights of 16 bits, reach from -255 to 255. */
static enum weft_status take_integers(struct backend *b, struct matrix *m, int64_t depth)
{
    const void *w = value_bytes(b->graph, m->weights);
    enum element element = b->graph->values[m->weights].element;
    enum weft_status status = w ? WEFT_OK : WEFT_NO_MEMORY;
    for (int64_t o = 0; o < m->co && !status; o++) {
        int32_t zero = zero_of(b, m, o);
        for (int64_t k = 0; k < depth && !status; k++)
            status = split(m, depth * m->co, k * m->co + o, (int32_t)element_load(w, element, tiles_source_index(m, depth, o, k)) - zero);
    }
    return status;
}

/* As many terms as d takes. */
static int terms_of(int32_t d)
{
    return d > 0 ? (d + 126) / 127 : d < 0 ? (127 - d) / 128 : 1;
}

/* The most that weights can need whose type is known and whose values are not. */
static int most_terms(struct backend *b, const struct matrix *m)
{
    enum element e = b->graph->values[m->weights].element;
    int most = 1;
    if (!m->integer || e == ELEMENT_S16)
        return m->integer ? WEIGHT_TERMS : 1;
    for (int64_t o = 0; o < m->co; o++) {
        int32_t low = (e == ELEMENT_U8 ? 0 : -128) - zero_of(b, m, o), terms = terms_of(low), others = terms_of(low + 255);
        most = terms > most ? terms : most;
        most = others > most ? others : most;
    }
    return most < WEIGHT_TERMS ? most : WEIGHT_TERMS;
}

/* One weight as the sum of its planes, each the bf16 number next to what the ones before leave. */
static void split_float(const struct backend *b, struct matrix *m, int64_t at, float w)
{
    for (int p = 0; p < b->planes; p++) {
        weft_store_float(m->w[p] + 2 * at, WEFT_FORMAT_bf16, w);
        w -= weft_load_float(m->w[p] + 2 * at, WEFT_FORMAT_bf16);
    }
}

static enum weft_status take_floats(struct backend *b, struct matrix *m, int64_t depth)
{
    for (int p = 0; p < b->planes; p++)
        if (!(m->w[p] = calloc((size_t)(depth * m->co) + 1, 2)))
            return WEFT_NO_MEMORY;
    const float *w = value_bytes(b->graph, m->weights);
    float *pruned = NULL;
    if (!w || (b->options->prune > 0 && prune_floats(&pruned, b, m, w))) {
        free(pruned);
        return WEFT_NO_MEMORY;
    }
    w = pruned ? pruned : w;
    for (int64_t k0 = 0; !m->nothing && k0 < depth; k0 += TRANSPOSE_BLOCK)
        for (int64_t o0 = 0; o0 < m->co; o0 += TRANSPOSE_BLOCK)
            for (int64_t k = k0; k < depth && k < k0 + TRANSPOSE_BLOCK; k++)
                for (int64_t o = o0; o < m->co && o < o0 + TRANSPOSE_BLOCK; o++)
                    split_float(b, m, k * m->co + o, w[tiles_source_index(m, depth, o, k)]);
    m->alpha = m->nothing ? 1 : m->alpha;
    free(pruned);
    return WEFT_OK;
}

static enum weft_status quantise_pruned(struct backend *b, const struct layer *l, const float *w, int64_t depth)
{
    float *pruned = NULL;
    enum weft_status status = b->options->prune > 0 ? prune_floats(&pruned, b, l->m, w) : WEFT_OK;
    if (!status)
        status = find_scales(b, l, pruned ? pruned : w, depth);
    struct matrix *lender = status ? NULL : share_lender(b, l->m, true);
    if (lender)
        share_weights(l->m, lender);
    else if (!status)
        status = quantise_float(b, l, pruned ? pruned : w, depth);
    free(pruned);
    return status;
}

/* Products that count nothing: zero weights, and the bias alone. */
static enum weft_status no_weights(struct backend *b, const struct layer *l, int64_t depth)
{
    struct matrix *m = l->m;
    m->w[0] = calloc((size_t)(depth * m->co) + 1, 1);
    m->alpha = 1;
    memset(m->w_scales, 0, (size_t)m->co * sizeof *m->w_scales);
    widen_for_bias(b, l);
    return m->w[0] ? WEFT_OK : WEFT_NO_MEMORY;
}

static enum weft_status take_network_integers(struct backend *b, const struct layer *l, int64_t depth)
{
    struct matrix *m = l->m;
    enum element e = b->graph->values[m->weights].element;
    if (b->options->prune > 0 && b->graph->nodes[l->node].at.size)
        return weft_error(b->diag, "%s: node %s: its zero point is computed, and its weights carry their own sums: they cannot be pruned; leave out --prune, or quantise with a constant zero point",
                          b->graph->name, l->name);
    if (e != ELEMENT_U8 && e != ELEMENT_S8 && e != ELEMENT_S16)
        return weft_error(b->diag, "%s: node %s: weights of type %s; uint8 and int8 are supported", b->graph->name, l->name, element_name(e));
    m->w[0] = malloc((size_t)(depth * m->co));
    if (!m->w[0])
        return WEFT_NO_MEMORY;
    enum weft_status status = take_integers(b, m, depth);
    return status || !(b->options->prune > 0) ? status : prune_integers(b, m);
}

enum weft_status backend_weights(struct backend *b, struct layer *l)
{
    struct matrix *m = l->m;
    int64_t depth = m->kh * m->kw * m->cg;
    const struct value *v = &b->graph->values[m->weights];
    m->nothing = m->alpha == 0;
    m->w_format = b->planes && !m->integer ? WEFT_FORMAT_bf16 : WEFT_FORMAT_s8;
    m->w_scales = malloc((size_t)m->co * sizeof *m->w_scales);
    if (!m->w_scales)
        return WEFT_NO_MEMORY;
    for (int64_t o = 0; o < m->co; o++)
        m->w_scales[o] = 1;
    struct matrix *lender = share_lender(b, m, false);
    bool looked_at = m->integer || !b->options->timing_only; /* how many terms integers need is theirs to say */
    if (!looked_at || v->contents == CONTENTS_ABSENT) {
        m->lender = lender;
        m->absent_terms = most_terms(b, m);
        return WEFT_OK;
    }
    if (lender && (m->integer || m->w_format == WEFT_FORMAT_bf16)) {
        m->alpha = m->nothing ? 1 : m->alpha;
        share_weights(m, lender);
        return WEFT_OK;
    }
    if (m->w_format == WEFT_FORMAT_bf16)
        return take_floats(b, m, depth);
    if (m->integer)
        return take_network_integers(b, l, depth);
    if (m->nothing)
        return no_weights(b, l, depth);
    const float *w = value_bytes(b->graph, m->weights);
    return w ? quantise_pruned(b, l, w, depth) : WEFT_NO_MEMORY;
}

enum { LARGE = 64 << 20 /* bytes: from here on memory counts for more than a few moves of it */ };

enum weft_status tiles_grow(struct backend *b, uint64_t bytes)
{
    if (b->weights_bytes + bytes <= b->weights_room)
        return WEFT_OK;
    uint64_t room = b->weights_room ? b->weights_room + (b->weights_room < LARGE ? b->weights_room : b->weights_room / 8) : 1 << 20;
    room = room > b->weights_bytes + bytes ? room : b->weights_bytes + bytes;
    uint8_t *grown = realloc(b->weights, room);
    if (!grown)
        return WEFT_NO_MEMORY;
    b->weights = grown;
    b->weights_room = room;
    return WEFT_OK;
}

/* One row of a tile: lane (ky, tap, c) against columns (pixel, output channel) j0..j1 of a slice. */
static void write_row(const struct matrix *m, int64_t slice, int64_t term, int64_t lane, int64_t j0, int64_t j1, uint8_t *row)
{
    const struct mapping *map = &m->map;
    int64_t c = lane % map->slice_in, t = lane / map->slice_in, ky = t / map->taps, tap = t % map->taps, group = c / m->cg;
    int64_t e = weft_format_bytes(m->w_format);
    for (int64_t p = j0 / map->slice_out; p <= (j1 - 1) / map->slice_out; p++) {
        int64_t x = map->pixels == 1 ? tap * m->dx : tap - p * m->sx;
        if (x < 0 || x % m->dx || x / m->dx >= m->kw)
            continue;
        int64_t first = p * map->slice_out + group * m->ng, last = first + m->ng; /* this group's columns */
        first = first > j0 ? first : j0;
        last = last < j1 ? last : j1;
        if (first >= last)
            continue;
        int64_t k = (ky * m->kw + x / m->dx) * m->cg + c % m->cg;
        int64_t o = slice * map->slice_out + first - p * map->slice_out;
        memcpy(row + (first - j0) * e, m->w[term] + (k * m->co + o) * e, (size_t)((last - first) * e));
    }
}

static bool all_zero(const uint8_t *bytes, uint64_t count)
{
    return !count || (!bytes[0] && !memcmp(bytes, bytes + 1, count - 1));
}

static int add_tile(struct backend *b, uint64_t k, uint64_t n, uint64_t stored, enum weft_format format)
{
    if (!backend_grow(b, &b->tiles, (size_t)b->tile_count, &b->tile_room, sizeof *b->tiles))
        return -1;
    b->tiles[b->tile_count] = (struct tile){b->weights_bytes, (uint16_t)k, (uint16_t)n, (uint8_t)format};
    b->weights_bytes += stored;
    return b->tile_count++;
}

/* Writes one tile behind the others; -1: all zero and may be left out. */
static int make_tile(struct backend *b, struct matrix *m, int64_t slice, int64_t term, int64_t kt, int64_t nt, bool must)
{
    const struct weft_machine *machine = b->machine;
    int64_t l0 = kt * (int64_t)machine->rows, j0 = nt * (int64_t)machine->columns;
    int64_t k = m->map.lanes - l0 < (int64_t)machine->rows ? m->map.lanes - l0 : (int64_t)machine->rows;
    int64_t n = m->map.columns - j0 < (int64_t)machine->columns ? m->map.columns - j0 : (int64_t)machine->columns;
    uint64_t stored = weft_tile_bytes(machine, (uint64_t)k, (uint64_t)n, m->w_format);
    if (!must && mapping_tile_is_empty(m, kt, nt, machine))
        return -1;
    m->map.cells += (uint64_t)(k * n);
    if (!m->w[0]) /* not looked at */
        return add_tile(b, (uint64_t)k, (uint64_t)n, stored, m->w_format);
    if (tiles_grow(b, stored)) {
        b->out_of_memory = true;
        return -1;
    }
    uint8_t *bytes = b->weights + b->weights_bytes;
    memset(bytes, 0, stored);
    for (int64_t l = 0; l < k; l++)
        write_row(m, slice, term, l0 + l, j0, j0 + n, bytes + l * n * weft_format_bytes(m->w_format));
    if (!must && all_zero(bytes, stored)) {
        m->map.zero_bytes += stored;
        m->map.zero_cells += (uint64_t)(k * n);
        return -1;
    }
    return add_tile(b, (uint64_t)k, (uint64_t)n, stored, m->w_format);
}

/* The tiles of one column; how many there are. A column of zeros keeps its last tile. */
static int64_t make_column(struct backend *b, struct matrix *m, int64_t slice, int64_t nt)
{
    int64_t deep = m->map.terms * m->map.k_tiles, made = 0;
    for (int64_t kt = 0; kt < deep; kt++) {
        int tile = make_tile(b, m, slice, kt / m->map.k_tiles, kt % m->map.k_tiles, nt, kt + 1 == deep && !made);
        m->tile_ids[(slice * m->map.n_tiles + nt) * deep + kt] = tile;
        made += tile >= 0;
    }
    return made;
}

/* The tiles hold them from here on: large networks would not fit twice. What others have borrowed stays until all tiles are made. */
static void free_weights(struct matrix *m)
{
    for (int t = 0; t < WEIGHT_TERMS && !m->lends; t++) {
        if (!m->lender)
            free(m->w[t]);
        m->w[t] = NULL;
    }
}

enum weft_status backend_tiles(struct backend *b, struct layer *l)
{
    struct matrix *m = l->m;
    const struct mapping *map = &m->map;
    int64_t made = 0;
    if (share_tiles(b, l)) {
        free_weights(m);
        return WEFT_OK;
    }
    m->tile_ids = malloc((size_t)(map->slices * map->terms * map->k_tiles * map->n_tiles) * sizeof *m->tile_ids);
    if (!m->tile_ids)
        return WEFT_NO_MEMORY;
    for (int64_t s = 0; s < map->slices; s++)
        for (int64_t nt = 0; nt < map->n_tiles; nt++)
            made += make_column(b, m, s, nt);
    if (made < map->tiles)
        mapping_drop_tiles(b, l, map->tiles - made);
    free_weights(m);
    return b->out_of_memory ? WEFT_NO_MEMORY : WEFT_OK;
}
