/* mapping.c: how each matrix layer lies on the array. Several mappings are right; the cheapest by the closed-form timings is
 * taken. Packing p neighbouring pixels side by side divides the rows by p and fills columns that a shallow layer leaves empty, at
 * the price of a wider window; packing groups side by side (block-diagonal) does the same for grouped convolutions. */
#include "mapping.h"
#include "front.h"

#include <stdlib.h>
#include <string.h>

enum { MIN_CHUNK = 1024 /* rows: below it the drain of a chunk shows */, WIDEST = 8 /* a packed window against a plain one */ };

int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

uint64_t backend_cells(const struct backend *b)
{
    return b->machine->rows * b->machine->columns * b->machine->arrays;
}

uint64_t backend_vector_width(const struct backend *b)
{
    return b->machine->vector_lanes * b->machine->vector_rows;
}

static bool tap_meets_pixel(const struct matrix *m, const struct mapping *map, int64_t tap, int64_t pixel)
{
    if (map->pixels == 1)
        return true; /* taps are kernel columns */
    int64_t x = tap - pixel * m->sx;
    return x >= 0 && x % m->dx == 0 && x / m->dx < m->kw;
}

/* Does any product of the network fall into this tile? Lanes number (kernel row, tap, channel), columns (pixel, channel). */
static bool tile_has_products(const struct matrix *m, const struct mapping *map, int64_t kt, int64_t nt, const struct weft_machine *machine)
{
    int64_t l0 = kt * (int64_t)machine->rows, l1 = least(l0 + (int64_t)machine->rows, map->lanes);
    int64_t j0 = nt * (int64_t)machine->columns, j1 = least(j0 + (int64_t)machine->columns, map->columns);
    for (int64_t t = l0 / map->slice_in; t <= (l1 - 1) / map->slice_in; t++) {
        int64_t c0 = t * map->slice_in < l0 ? l0 % map->slice_in : 0, c1 = least(map->slice_in, l1 - t * map->slice_in);
        for (int64_t p = j0 / map->slice_out; p <= (j1 - 1) / map->slice_out; p++) {
            int64_t o0 = p * map->slice_out < j0 ? j0 % map->slice_out : 0, o1 = least(map->slice_out, j1 - p * map->slice_out);
            bool groups_meet = c0 / m->cg <= (o1 - 1) / m->ng && o0 / m->ng <= (c1 - 1) / m->cg;
            if (groups_meet && tap_meets_pixel(m, map, t % map->taps, p))
                return true;
        }
    }
    return false;
}

/* A column of tiles with no product at all keeps one tile, which then overwrites the accumulators with zeros. */
bool mapping_tile_is_empty(const struct matrix *m, int64_t kt, int64_t nt, const struct weft_machine *machine)
{
    return !tile_has_products(m, &m->map, kt, nt, machine);
}

static int64_t count_tiles(const struct matrix *m, const struct mapping *map, const struct weft_machine *machine)
{
    int64_t tiles = 0;
    for (int64_t nt = 0; nt < map->n_tiles; nt++) {
        int64_t column = 0;
        for (int64_t kt = 0; kt < map->k_tiles; kt++)
            column += tile_has_products(m, map, kt, nt, machine);
        tiles += column ? column : 1;
    }
    return tiles * map->slices * map->terms;
}

static uint64_t largest(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void price(const struct backend *b, const struct layer *l, struct mapping *map)
{
    const struct weft_machine *machine = b->machine;
    map->tiles = count_tiles(l->m, map, machine);
    map->rows = map->n * map->oh * map->groups_x;
    map->vector_cycles = (uint64_t)ceil_div(map->rows * map->n_tiles * map->slices * chunks_beats(b, l, map), (int64_t)machine->vector_rows);
    chunks_cut(b, l, map, map->rows, 1);
}

static uint64_t score(const struct mapping *map)
{
    uint64_t top = largest(largest(map->array_cycles, map->supply_cycles), map->vector_cycles);
    return top * 16 + (map->array_cycles + map->supply_cycles + 2 * map->vector_cycles) / 4;
}

/* How many arrays are at work, in the mean. */
static double arrays_at_work(const struct backend *b, const struct mapping *map, double rows)
{
    double arrays = (double)b->machine->arrays, mean = rows / (double)largest(map->product_cycles, 1);
    return map->abreast == (int64_t)b->machine->arrays || mean > arrays ? arrays : mean > 1 ? mean : 1;
}

/* A short shift hides nothing: rows alone, all of them on all arrays, are the least that waiting multiplies. */
static void price_lines(const struct backend *b, const struct layer *l, struct mapping *map)
{
    double passes = (double)weft_passes(backend_format(b, l->x), l->m->w_format) * planes_pairs(b, l) / (planes_pairs(b, l) > 1 ? (double)map->terms : 1);
    double row = lines_price(b, l, map), rows = (double)(map->tiles * map->rows) * passes;
    map->array_cycles = map->product_cycles + map->wait_cycles + (uint64_t)(rows / arrays_at_work(b, map, rows) * (row - 1));
}

/* Groups of p pixels that cover `width` with an even step; false where there is none. */
static bool cover(int64_t width, int64_t pixels, int64_t *count, int64_t *step)
{
    *count = ceil_div(width, pixels);
    *step = pixels;
    if (*count == 1)
        return pixels == width;
    if ((width - pixels) % (*count - 1))
        return false;
    *step = (width - pixels) / (*count - 1);
    return true;
}

static int64_t weight_terms(const struct backend *b, const struct matrix *m)
{
    if (m->w_format == WEFT_FORMAT_bf16)
        return b->planes;
    return m->w[2] ? 3 : m->w[1] ? 2 : m->absent_terms ? m->absent_terms : 1;
}

static bool make_mapping(const struct backend *b, const struct layer *l, bool flat, int64_t pixels, int64_t pack, struct mapping *map)
{
    const struct matrix *m = l->m;
    const struct geometry *y = &b->places[l->y].g;
    *map = (struct mapping){.flat = flat, .pixels = pixels, .group_pack = pack, .terms = weight_terms(b, m)};
    map->n = flat ? 1 : y->n;
    map->oh = flat ? 1 : y->h;
    int64_t width = flat ? y->n * y->h * y->w : y->w;
    if (!cover(width, pixels, &map->groups_x, &map->step))
        return false;
    if (map->step != pixels && l->residual != GRAPH_NONE && b->places[l->residual].buffer == b->places[l->y].buffer)
        return false; /* a pixel computed twice must not read its own result */
    map->taps = pixels == 1 ? m->kw : (pixels - 1) * m->sx + (m->kw - 1) * m->dx + 1;
    map->tap_step = pixels == 1 ? m->dx : 1;
    map->slices = m->groups / pack;
    map->slice_in = pack * m->cg;
    map->slice_out = pack * m->ng;
    map->lanes = m->kh * map->taps * map->slice_in;
    map->columns = pixels * map->slice_out;
    if (pixels > 1 && map->lanes > WIDEST * (m->kh * m->kw * map->slice_in + (int64_t)b->machine->rows))
        return false; /* mostly gaps; and a large stride must not cost a long search */
    map->k_tiles = ceil_div(map->lanes, (int64_t)b->machine->rows);
    map->n_tiles = ceil_div(map->columns, (int64_t)b->machine->columns);
    return true;
}

static bool contiguous(const struct geometry *g)
{
    return !g->top && !g->bottom && !g->left && !g->right && g->line == g->w * g->pixel && g->image == g->h * g->line;
}

static bool may_be_flat(const struct backend *b, const struct layer *l)
{
    const struct matrix *m = l->m;
    return (!l->band.used || l->band.flat) && m->kh == 1 && m->kw == 1 && m->sx == 1 && m->sy == 1 && !m->top && !m->left && contiguous(&b->places[l->x].g) &&
           contiguous(&b->places[l->y].g) && (l->residual == GRAPH_NONE || contiguous(&b->places[l->residual].g));
}

static void try_mapping(const struct backend *b, const struct layer *l, bool flat, int64_t pixels, int64_t pack, struct mapping *best)
{
    struct mapping map;
    if (!make_mapping(b, l, flat, pixels, pack, &map))
        return;
    price(b, l, &map);
    map.array_cycles = map.product_cycles + map.wait_cycles;
    if (best->rows && score(&map) >= score(best))
        return;
    price_lines(b, l, &map);
    if (!best->rows || score(&map) < score(best))
        *best = map;
}

static void set_blocks(const struct backend *b, struct mapping *map)
{
    map->block_rows = chunks_block(b->machine, map->chunk_rows);
}

static bool feeds_pool(const struct backend *b, const struct layer *l)
{
    const struct layer *next = l + 1;
    return next < b->layers + b->layer_count && next->kind == LAYER_POOL && next->op == CORE_MAXPOOL && next->x == l->y;
}

/* In front of a pool the vector unit has more to do than the array, and rests while a chunk's first tiles stream. Smaller chunks give
 * it work sooner; each fetches the tiles again, which costs nothing while the fetches take less time than the products. */
static void cut_for_pool(const struct backend *b, const struct layer *l, struct mapping *map)
{
    if (map->k_tiles * map->terms < 2)
        return;
    uint64_t fetch = map->fetch_cycles / (uint64_t)map->chunks, limit = map->product_cycles * 9 / 10;
    int64_t chunks = fetch ? (int64_t)(limit / fetch) : map->chunks;
    if (chunks > map->rows / MIN_CHUNK)
        chunks = map->rows / MIN_CHUNK;
    if (chunks <= map->chunks)
        return;
    map->chunks = chunks;
    map->chunk_rows = ceil_div(map->rows, chunks);
    chunks_price(b, l, map);
}

/* Equal parts of the rows, each in chunks that the accumulators hold. */
static struct mapping split_rows(const struct backend *b, const struct layer *l, int64_t parts)
{
    struct mapping map = l->m->map;
    chunks_cut(b, l, &map, map.rows / parts, parts);
    return map;
}

void mapping_note(const struct backend *b, struct layer *l)
{
    const struct mapping *map = &l->m->map;
    l->mapping = (uint64_t)(b->repeats * layer_pieces(l)) * largest(map->bound_cycles, map->fetch_cycles);
}

/* Share of the weights that lie in tiles that are not all zero: what the network still asks of the machine. */
static double mapping_kept(const struct mapping *map)
{
    return map->cells ? 1 - (double)map->zero_cells / (double)map->cells : 1;
}

uint64_t mapping_weight_bytes(const struct matrix *m)
{
    return (uint64_t)((double)(m->kh * m->kw * m->cg * m->co * weft_format_bytes(m->w_format)) * mapping_kept(&m->map) + 0.5);
}

/* The layer's roofline: products over peak, weight bytes over DRAM, vector work over vector rate. */
static void bound_matrix(const struct backend *b, struct layer *l)
{
    const struct matrix *m = l->m;
    const struct geometry *y = &b->places[l->y].g;
    uint64_t outputs = (uint64_t)(b->repeats * y->n * y->h * y->w * m->co), depth = (uint64_t)(m->kh * m->kw * m->cg);
    uint64_t pass = weft_passes(backend_format(b, l->x), m->w_format);
    l->macs = (uint64_t)((double)(outputs * depth) * mapping_kept(&m->map) + 0.5);
    uint64_t products = l->macs * pass * (uint64_t)planes_pairs(b, l) / backend_cells(b);
    uint64_t weights = cycles_of_bytes(b->machine, mapping_weight_bytes(m), b->machine->dram_bytes_per_second);
    l->roofline = largest(largest(products, weights), outputs / backend_vector_width(b));
}

/* Tiles that turned out to hold zeros alone are neither stored, fetched nor multiplied. */
void mapping_drop_tiles(const struct backend *b, struct layer *l, int64_t zero_tiles)
{
    l->m->map.zero_tiles = zero_tiles;
    l->m->map.tiles -= zero_tiles;
    chunks_price(b, l, &l->m->map);
    mapping_note(b, l);
    bound_matrix(b, l);
}

static void map_layer(struct backend *b, struct layer *l)
{
    struct matrix *m = l->m;
    struct mapping best = {0};
    bool flat = may_be_flat(b, l);
    int64_t width = b->places[l->y].g.w, columns = (int64_t)b->machine->columns;
    if (flat)
        width *= b->places[l->y].g.n * b->places[l->y].g.h;
    for (int64_t pack = 1; pack <= m->groups; pack++) {
        if (m->groups % pack || (pack > 1 && pack * m->ng > columns))
            continue;
        int64_t most = l->band.channels ? 1 /* a tile's columns are channels */ : least(width, 2 * columns / (pack * m->ng) + 1);
        for (int64_t pixels = 1; pixels <= (most < 64 ? most : 64); pixels++)
            try_mapping(b, l, flat, pixels, pack, &best);
    }
    if (feeds_pool(b, l) && b->machine->arrays == 1)
        cut_for_pool(b, l, &best);
    m->map = best;
    set_blocks(b, &m->map);
    mapping_note(b, l);
}

uint64_t mapping_split_price(const struct backend *b, const struct layer *l, int64_t parts)
{
    struct mapping map = split_rows(b, l, parts);
    return (uint64_t)b->repeats * largest(map.bound_cycles, map.fetch_cycles);
}

uint64_t mapping_bands_price(const struct backend *b, const struct layer *l, int64_t bands)
{
    struct mapping map = l->m->map;
    chunks_cut(b, l, &map, ceil_div(map.rows, bands), bands); /* there may be more bands than rows: several pixels stand side by side in one */
    return chunks_cost(&map);
}

void mapping_split(struct backend *b, struct layer *l, int64_t parts)
{
    l->m->map = split_rows(b, l, parts);
    set_blocks(b, &l->m->map);
    mapping_note(b, l);
}

void mapping_take_channels(struct backend *b, struct layer *l, int64_t channels)
{
    struct mapping *map = &l->m->map;
    map->columns = map->slice_out = channels;
    map->n_tiles = ceil_div(channels, (int64_t)b->machine->columns);
    map->tiles = 0;
    for (int64_t i = 0; i < map->n_tiles * map->terms * map->k_tiles; i++)
        map->tiles += l->m->tile_ids[i] >= 0;
    chunks_cut(b, l, map, map->rows, 1);
    set_blocks(b, map);
    mapping_note(b, l);
}

uint64_t mapping_cost(const struct mapping *map)
{
    return largest(largest(map->array_cycles, map->supply_cycles), map->vector_cycles);
}

uint64_t mapping_price(struct backend *b, struct layer *l)
{
    map_layer(b, l);
    return mapping_cost(&l->m->map);
}

/* Bands of one layer are alike. */
static void follow(const struct backend *b, struct layer *l)
{
    l->m->map = b->layers[l->follows].m->map;
    l->mapping = b->layers[l->follows].mapping;
}

enum weft_status backend_map(struct backend *b)
{
    for (int i = 0; i < b->layer_count; i++)
        if (b->layers[i].kind == LAYER_PRODUCT)
            product_map(b, &b->layers[i]);
        else if (b->layers[i].kind == LAYER_MATRIX) {
            if (b->spill && b->layers[i].follows >= 0)
                follow(b, &b->layers[i]);
            else
                map_layer(b, &b->layers[i]);
            bound_matrix(b, &b->layers[i]);
        }
    if (!b->spill) {
        backend_waves(b);
        backend_front(b);
    }
    return b->out_of_memory ? WEFT_NO_MEMORY : WEFT_OK;
}
