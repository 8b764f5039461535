/* chunks.c: in how many chunks the rows of a layer go through the array, and how many columns of tiles go side by side on a machine with several.
 *
 * Tiles are dealt to the arrays in turn. With as many columns abreast as there are arrays, all tiles of a column meet the same array, and its products follow
 * each other there. But the accumulators hold the sums of all these columns, so chunks are short, and each of them fetches all tiles again. With
 * fewer abreast chunks are longer, and a tile waits for the sums that the tile before it leaves on another array. In pieces of the rows the first of them
 * need only the first of those sums, so two arrays work on a single column:
 *
 *   array 0   | tile 0, rows 0..h | rows h.. |
 *   array 1                         K + N    | tile 1, rows 0..h | rows h.. |
 *   array 2                                                        K + N    | tile 2, ...
 */
#include "mapping.h"

enum { CHUNKS_MAX = 64, CHUNK_LEAST = 16 /* rows */, PIECES_MOST = 4 };

static uint64_t largest(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

int64_t chunks_block(const struct weft_machine *machine, int64_t chunk_rows)
{
    int64_t block = (int64_t)machine->rows;
    return most(chunk_rows < 4 * block ? block / 2 : block, 16);
}

int64_t chunks_beats(const struct backend *b, const struct layer *l, const struct mapping *map)
{
    int64_t n = least(map->columns, (int64_t)b->machine->columns), bytes = weft_format_bytes(backend_format(b, l->y));
    return most(ceil_div(n, (int64_t)b->machine->vector_lanes), ceil_div(n * bytes, (int64_t)b->machine->ub_line_bytes));
}

/* --- what a tile of each column takes ------------------------------------------------------------------------------------------- */

/* Columns side by side, where the next tile of a column meets another array. */
struct abreast { int64_t count, cycles /* of a tile's rows */, shift; };

/* A tile of each. Products start in order: a tile's first piece behind the last piece of the tile before, and behind the sums of its own column's first piece. */
static int64_t staggered(const struct weft_machine *machine, const struct abreast *a, int64_t piece)
{
    int64_t before_last = (ceil_div(a->cycles, piece) - 1) * piece, sums = least(piece, a->cycles) + (int64_t)weft_matrix_skew(machine);
    return most(most(a->count * before_last, sums), ceil_div(a->count * a->shift, (int64_t)machine->arrays));
}

static int64_t in_pieces(const struct weft_machine *machine, const struct abreast *a, int64_t pieces)
{
    return staggered(machine, a, ceil_div(a->cycles, pieces));
}

static int64_t best_pieces(const struct weft_machine *machine, const struct abreast *a)
{
    int64_t best = 1;
    for (int64_t pieces = 2; pieces <= least(PIECES_MOST, a->cycles); pieces++)
        if (in_pieces(machine, a, pieces) < in_pieces(machine, a, best))
            best = pieces;
    return best;
}

/* --- rounds ----------------------------------------------------------------------------------------------------------------------- */

/* A unit is a column of tiles over a chunk of rows. How often as many of them as go abreast are emitted together, and how often fewer. */
struct rounds { int64_t full, short_, left; /* units of a short one */ };

static struct rounds rounds_of(const struct mapping *map)
{
    int64_t together = map->parts > 1 ? map->parts : 1, units = map->n_tiles * (map->chunks / together);
    return (struct rounds){map->slices * together * (units / map->abreast), map->slices * together * (units % map->abreast > 0), units % map->abreast};
}

/* In how many chunks each unit of a short round goes, so that all arrays have one and each meets the same tiles' sums every time: where the rows are
 * enough, and the further fetches are done while tiles shift in. */
static int64_t split_of(const struct weft_machine *machine, const struct mapping *map, int64_t left, int64_t shift, uint64_t tile_bytes)
{
    int64_t arrays = (int64_t)machine->arrays, split = left ? arrays / left : 1;
    bool fetched = (int64_t)cycles_of_bytes(machine, tile_bytes, machine->dram_bytes_per_second) * arrays <= most(shift, map->chunk_rows / split);
    return left && map->abreast == arrays && arrays % left == 0 && map->chunk_rows / split >= CHUNK_LEAST && fetched ? split : 1;
}

/* --- prices ----------------------------------------------------------------------------------------------------------------------- */

/* Cycles of one tile in each column of a round, full and short. */
struct steps { int64_t full, alone; };

/* On one array; or of a plane of the weights that meets so many planes of the input, on several. `one`: a column by itself. */
static struct steps steps_of(const struct backend *b, const struct mapping *map, const struct rounds *r, const struct abreast *one, int64_t meets)
{
    const struct weft_machine *machine = b->machine;
    struct abreast few = *one, left = *one;
    if (machine->arrays == 1)
        return (struct steps){most(meets * one->cycles, one->shift), 0};
    few.count = map->abreast;
    left.count = r->left;
    if (map->abreast == 1) {
        few.cycles *= meets; /* by the planes one behind the other, on one array */
        return (struct steps){in_pieces(machine, &few, map->pieces), 0};
    }
    int64_t full = map->abreast == (int64_t)machine->arrays ? most(one->cycles, one->shift) : in_pieces(machine, &few, map->pieces);
    int64_t alone = map->last_split > 1 ? most(ceil_div(one->cycles, map->last_split), one->shift) : r->left ? in_pieces(machine, &left, map->pieces) : 0;
    return (struct steps){meets * full, meets * alone};
}

/* The first and the last tile of a single column come in blocks: what each takes beyond a tile between them. */
static int64_t beyond_ends(const struct backend *b, const struct mapping *map, const struct abreast *one)
{
    int64_t pass = one->cycles / map->chunk_rows, block = chunks_block(b->machine, map->chunk_rows) * pass;
    return most(staggered(b->machine, one, block) - in_pieces(b->machine, one, map->pieces), 0);
}

/* Columns that go together are drained behind the last of them: for that the next ones wait where the accumulators hold no more, and the next layer waits for the
 * end of it in any case. A single column is drained block by block. */
static void price_drains(const struct backend *b, const struct layer *l, struct mapping *map, const struct rounds *r)
{
    int64_t beats = chunks_beats(b, l, map), together = least(map->abreast, map->n_tiles * map->chunks), rows = together * map->chunk_rows;
    if (map->abreast == 1)
        rows = least(rows, chunks_block(b->machine, map->chunk_rows));
    map->end_cycles = (uint64_t)((int64_t)weft_matrix_skew(b->machine) + ceil_div(rows * beats, (int64_t)b->machine->vector_rows));
    bool full = map->abreast > 1 && 2 * rows > (int64_t)b->machine->acc_rows;
    map->wait_cycles = full ? (uint64_t)(r->full + r->short_ - 1) * map->end_cycles : 0;
}

static uint64_t fetches_of(const struct backend *b, const struct layer *l, const struct mapping *map, const struct rounds *r, int64_t planes)
{
    int64_t again = map->tiles / (map->n_tiles * map->slices) * r->short_ * r->left * (map->last_split - 1);
    uint64_t fetches = (uint64_t)(map->tiles * map->chunks + again);
    return map->abreast > 1 ? fetches * (uint64_t)planes_pairs(b, l) / (uint64_t)planes : fetches; /* side by side, a tile comes again for each plane that it meets */
}

static void price_supply(const struct backend *b, const struct layer *l, struct mapping *map, uint64_t tile_bytes, int64_t shift)
{
    const struct weft_machine *machine = b->machine;
    map->fetch_cycles = cycles_of_bytes(machine, map->fetches * tile_bytes, machine->dram_bytes_per_second);
    uint64_t held = cycles_of_bytes(machine, tile_bytes, machine->dram_bytes_per_second) + machine->dram_latency + (uint64_t)shift; /* a slot */
    map->supply_cycles = largest(map->fetch_cycles, map->fetches * held / machine->fifo_tiles);
}

/* Cycles of `map->tiles` tiles over all chunks. */
void chunks_price(const struct backend *b, const struct layer *l, struct mapping *map)
{
    const struct weft_machine *machine = b->machine;
    int64_t k = least(map->lanes, (int64_t)machine->rows), n = least(map->columns, (int64_t)machine->columns), arrays = (int64_t)machine->arrays;
    int64_t pass = (int64_t)weft_passes(backend_format(b, l->x), l->m->w_format), planes = planes_pairs(b, l) > 1 ? map->terms : 1;
    int64_t chunk = map->chunk_rows * pass, shift = (int64_t)weft_shift_cycles(machine, l->m->w_format), columns = map->n_tiles * map->slices;
    struct abreast one = {1, chunk, shift}, some = one;
    uint64_t tile_bytes = weft_tile_bytes(machine, (uint64_t)k, (uint64_t)n, l->m->w_format);
    struct rounds r = rounds_of(map);
    map->last_split = split_of(machine, map, r.left, shift, tile_bytes);
    some.count = map->abreast < arrays ? map->abreast : most(r.left, 1);
    map->pieces = arrays > 1 ? best_pieces(machine, &some) : 1;
    map->product_cycles = map->bound_cycles = map->wait_cycles = map->end_cycles = 0;
    for (int64_t t = 0; t < planes; t++) { /* a plane of the weights meets the planes of the input that count with it */
        int64_t meets = planes - t;
        struct steps s = steps_of(b, map, &r, &one, meets);
        map->bound_cycles += (uint64_t)ceil_div(map->tiles * map->chunks * (map->abreast > 1 ? meets * most(chunk, shift) : most(meets * chunk, shift)), planes * arrays);
        map->product_cycles += (uint64_t)(map->tiles * (s.full * r.full + s.alone * r.short_) / (planes * columns));
    }
    if (arrays > 1)
        price_drains(b, l, map, &r);
    if (arrays > 1 && map->abreast == 1)
        map->product_cycles += (uint64_t)(r.full * least(map->tiles / columns, 2) * beyond_ends(b, map, &one));
    map->fetches = fetches_of(b, l, map, &r, planes);
    price_supply(b, l, map, tile_bytes, shift);
}

uint64_t chunks_cost(const struct mapping *map)
{
    return largest(map->product_cycles + map->wait_cycles, map->supply_cycles);
}

/* What it takes, drains and all. Where values come and go beside the layers, DRAM or the link has other work than the tiles. */
static uint64_t whole_cost(const struct backend *b, const struct mapping *map)
{
    uint64_t work = largest(map->product_cycles + map->wait_cycles, map->vector_cycles) + map->end_cycles;
    return largest(work, map->supply_cycles) + (b->spill ? map->fetch_cycles : 0);
}

/* Of two that take as long, the one that asks for less. */
static bool is_better(const struct backend *b, const struct mapping *map, const struct mapping *than)
{
    uint64_t cost = whole_cost(b, map), other = whole_cost(b, than);
    return cost != other ? cost < other : map->product_cycles + map->wait_cycles + map->fetch_cycles < than->product_cycles + than->wait_cycles + than->fetch_cycles;
}

/* --- the cheapest ------------------------------------------------------------------------------------------------------------------ */

static bool cut(const struct backend *b, const struct layer *l, struct mapping *map, int64_t rows, int64_t parts, int64_t chunks, int64_t abreast)
{
    map->chunk_rows = ceil_div(rows, chunks);
    map->parts = parts;
    map->chunks = parts * ceil_div(rows, map->chunk_rows);
    map->abreast = abreast;
    if (map->chunk_rows * least(abreast, map->n_tiles * (map->chunks / parts)) > (int64_t)b->machine->acc_rows)
        return false;
    chunks_price(b, l, map);
    return true;
}

/* As few chunks as the accumulators ask for; side by side on all arrays, as many as keep all of them at work for the least cycles. */
static void cut_abreast(const struct backend *b, const struct layer *l, struct mapping *best, int64_t rows, int64_t parts, int64_t abreast)
{
    int64_t arrays = (int64_t)b->machine->arrays, acc_rows = (int64_t)b->machine->acc_rows, together = least(abreast, best->n_tiles * best->slices);
    int64_t first = ceil_div(rows * together, acc_rows), end = arrays == 1 ? first : abreast == arrays ? CHUNKS_MAX : 2 * first;
    for (int64_t chunks = first; chunks == first || (chunks <= end && rows / chunks >= CHUNK_LEAST); chunks++) {
        struct mapping try = *best;
        if (cut(b, l, &try, rows, parts, chunks, abreast) && (!best->chunks || is_better(b, &try, best)))
            *best = try;
    }
}

void chunks_cut(const struct backend *b, const struct layer *l, struct mapping *map, int64_t rows, int64_t parts)
{
    map->chunks = 0;
    for (int64_t abreast = (int64_t)b->machine->arrays; abreast > 0; abreast--)
        cut_abreast(b, l, map, rows, parts, abreast);
    if (!map->chunks)
        cut(b, l, map, rows, parts, ceil_div(rows, (int64_t)b->machine->acc_rows), 1);
}
