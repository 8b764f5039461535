/* ways.c: how a row runs in bands: which dimension of its result is cut, which of its values are streamed and not there as a whole, in how many bands and in one
 * set of band buffers or two. First the fewest bands that fit; of several ways the one that costs least. */
#include "mapping.h"
#include "spill.h"

#include <math.h>

enum { TRIED_MOST = NODE_INPUTS_MAX + 4 };

/* A value that is not there as a whole at this use is not there before and after it. */
static void stream(struct spill *s, struct use *u)
{
    u->streams = true;
    u->away = u->previous >= 0 || s->classes[u->class].input;
    if (u->next >= 0)
        s->uses[u->next].away = true;
}

static int value_of(const struct spill *s, int row, int class)
{
    const struct layer *l = &s->rows[row];
    int values[] = {l->y, l->x, l->other, l->residual};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        if (spill_has(s, values[i]) && s->class_of[values[i]] == class)
            return values[i];
    for (unsigned k = 0; k < l->input_count; k++)
        if (spill_has(s, l->inputs[k]) && s->class_of[l->inputs[k]] == class)
            return l->inputs[k];
    return GRAPH_NONE;
}

static uint64_t band_bytes(const struct spill *s, int row, int value, bool beside, int cut, int64_t size)
{
    const struct layer *l = &s->rows[row];
    int64_t extent = s->b->graph->values[l->y].shape.dims[cut], starts[] = {0, size < extent - size ? size : 0, extent - size};
    int d = bands_dimension(s, l, value, cut);
    uint64_t most = 0;
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        struct shape shape;
        struct transfer t;
        struct band band = bands_of(s, l, value, cut, starts[i], size, beside);
        struct place place = bands_place(s, value, d, &band, false, &shape, &t);
        most = place.g.bytes > most ? place.g.bytes : most;
    }
    return spill_rounded(s, most);
}

/* A class may be read in two ways: as it lies beside the result, and under a window. */
static uint64_t class_bytes(const struct spill *s, int row, int class, int cut, int64_t size)
{
    const struct layer *l = &s->rows[row];
    int value = value_of(s, row, class);
    bool beside = spill_has(s, l->residual) && s->class_of[l->residual] == class;
    return (beside ? band_bytes(s, row, l->residual, true, cut, size) : 0) + (value == l->residual && value != l->x ? 0 : band_bytes(s, row, value, false, cut, size));
}

/* What the row needs at once with bands of this size, temporaries apart. */
static uint64_t needed(const struct spill *s, int row, int cut, int64_t size)
{
    int sets = s->plans[row].single ? 1 : 2;
    const struct layer *l = &s->rows[row];
    uint64_t step = bands_block(s, l, cut), block = l->block ? s->b->operands[l->block - 1].bytes : 0;
    uint64_t constants = channels_are(s, l, cut) ? (uint64_t)sets * spill_rounded(s, channels_bytes(l, size)) : spill_rounded(s, l->constants_end - l->constants_first);
    uint64_t bytes = constants + (step ? (uint64_t)sets * spill_rounded(s, step * (uint64_t)size) : spill_rounded(s, block));
    for (int i = s->row_uses[row]; i < s->row_uses[row + 1]; i++) {
        const struct use *u = &s->uses[i];
        bytes += u->streams ? (uint64_t)sets * class_bytes(s, row, u->class, cut, size) : spill_rounded(s, s->classes[u->class].bytes);
    }
    return bytes;
}

static struct use *largest_whole(const struct spill *s, int row, int cut)
{
    struct use *best = NULL;
    for (int i = s->row_uses[row]; i < s->row_uses[row + 1]; i++) {
        struct use *u = &s->uses[i];
        bool may = !u->streams && !s->classes[u->class].pinned && bands_dimension(s, &s->rows[row], value_of(s, row, u->class), cut) >= 0;
        if (may && (!best || s->classes[u->class].bytes > s->classes[best->class].bytes))
            best = u;
    }
    return best;
}

static bool any_streams(const struct spill *s, int row)
{
    bool any = false;
    for (int i = s->row_uses[row]; i < s->row_uses[row + 1]; i++)
        any |= s->uses[i].streams;
    return any;
}

/* The fewest bands, more than `present`, with which what is cut now fits; 0: none. */
static int64_t fewest_bands(const struct spill *s, int row, int cut, int64_t present)
{
    const struct layer *l = &s->rows[row];
    int64_t extent = s->b->graph->values[l->y].shape.dims[cut];
    if (!any_streams(s, row) || needed(s, row, cut, bands_size(s, l, cut, extent)) > s->b->machine->ub_bytes)
        return 0;
    for (int64_t bands = present + 1 + present / 8; bands <= extent; bands++) {
        int64_t size = bands_size(s, l, cut, bands);
        if (size != bands_size(s, l, cut, present) && needed(s, row, cut, size) <= s->b->machine->ub_bytes)
            return bands;
    }
    return 0;
}

/* What cannot lie within its whole must be cut. */
static bool is_scattered(const struct spill *s, int row, int cut, const struct use *u)
{
    int value = value_of(s, row, u->class), d = bands_dimension(s, &s->rows[row], value, cut);
    return d >= 0 && !bands_lie_within(s, value, d) && !s->classes[u->class].pinned;
}

static void stream_the_scattered(struct spill *s, int row, int cut)
{
    for (int i = s->row_uses[row]; i < s->row_uses[row + 1]; i++)
        if (is_scattered(s, row, cut, &s->uses[i]))
            stream(s, &s->uses[i]);
}

static void unstream(struct spill *s, int row)
{
    for (int i = s->row_uses[row]; i < s->row_uses[row + 1]; i++)
        s->uses[i].streams = false;
}

/* What a way to cut a row costs: a product fetches its weights for each band of rows; one set of band buffers waits for what comes and goes. */
static double way_price(const struct spill *s, int row, int cut, int64_t bands, bool single)
{
    const struct layer *l = &s->rows[row];
    uint64_t bytes = 0;
    if (l->kind != LAYER_MATRIX)
        return 0;
    for (int i = s->row_uses[row]; i < s->row_uses[row + 1]; i++)
        bytes += s->uses[i].streams ? s->classes[s->uses[i].class].bytes : 0;
    uint64_t rate = s->b->machine->dram_writable ? s->b->machine->dram_bytes_per_second : s->b->machine->link_in_bytes_per_second;
    double moves = (double)cycles_of_bytes(s->b->machine, bytes, rate);
    return (double)mapping_bands_price(s->b, l, channels_are(s, l, cut) ? 1 : bands) + (single ? moves : moves / (double)bands);
}

/* So many of the largest values are cut beside those that are already; in one set of buffers or two. */
struct way { int count; bool single; int64_t bands; double price; };

static void try_way(struct spill *s, int row, int cut, int count, bool single, struct way *best)
{
    struct plan *plan = &s->plans[row];
    bool present = !count && single == plan->single, was = plan->single;
    plan->single = single;
    int64_t bands = fewest_bands(s, row, cut, present ? plan->bands : 1);
    plan->single = was;
    double price = bands ? way_price(s, row, cut, bands, single) : 0;
    if (bands && (!best->bands || price < best->price))
        *best = (struct way){count, single, bands, price};
}

/* Of all ways that cut more than is cut already: one value after the other, from the largest on, in two sets of buffers and then in one. The first is taken of
 * those that cost the same. */
static struct way best_way(struct spill *s, int row, int cut)
{
    struct way best = {0};
    struct use *tried[TRIED_MOST];
    int count = 0;
    for (struct use *u = NULL; count < TRIED_MOST; tried[count++] = u, u->streams = true) {
        if (!s->plans[row].single)
            try_way(s, row, cut, count, false, &best);
        if (!(u = largest_whole(s, row, cut)))
            break;
    }
    for (int k = count; k >= 0; k--) {
        if (k < count)
            tried[k]->streams = false;
        try_way(s, row, cut, k, true, &best);
    }
    return best;
}

static bool cut_along(struct spill *s, int row, int cut)
{
    struct plan *plan = &s->plans[row];
    stream_the_scattered(s, row, cut);
    struct way way = best_way(s, row, cut);
    for (int k = 0; k < way.count; k++)
        stream(s, largest_whole(s, row, cut));
    plan->single = way.single;
    plan->bands = way.bands ? way.bands : 1;
    plan->cut = cut;
    return way.bands > 0;
}

/* Of a row that is whole as yet. */
static double cut_price(struct spill *s, int row, int cut)
{
    for (int i = s->row_uses[row]; i < s->row_uses[row + 1]; i++)
        s->uses[i].streams = is_scattered(s, row, cut, &s->uses[i]);
    struct way way = best_way(s, row, cut);
    unstream(s, row);
    return way.bands ? way.price : HUGE_VAL;
}

/* The outermost in memory: images, then their lines; of a product with a matrix the one that costs least. */
static int choose_cut(struct spill *s, int row)
{
    const struct layer *l = &s->rows[row];
    const struct plan *plan = &s->plans[row];
    int best = bands_choose(s, l, plan->without);
    if (best == BAND_NONE || plan->bands > 1 || l->kind != LAYER_MATRIX || layer_is_conv(s->b, l))
        return best;
    double least = cut_price(s, row, best), price;
    uint32_t without = plan->without | 1u << best;
    for (int cut; (cut = bands_choose(s, l, without)) != BAND_NONE; without |= 1u << cut)
        if ((price = cut_price(s, row, cut)) < least) {
            best = cut;
            least = price;
        }
    return best;
}

/* One dimension after the other. */
bool ways_cut(struct spill *s, int row)
{
    struct plan *plan = &s->plans[row];
    for (int cut; (cut = choose_cut(s, row)) != BAND_NONE;) {
        if (cut_along(s, row, cut))
            return true;
        plan->without |= 1u << cut;
        plan->bands = 1;
        plan->single = false;
        unstream(s, row);
    }
    return false;
}

/* What the narrowest bands of the row need; 0: it does not run in bands. */
uint64_t ways_narrowest(struct spill *s, int row)
{
    const struct layer *l = &s->rows[row];
    uint64_t least = 0, bytes;
    s->plans[row].single = true;
    for (int without = 0, cut; (cut = bands_choose(s, l, (uint32_t)without)) != BAND_NONE; without |= 1 << cut) {
        stream_the_scattered(s, row, cut);
        for (struct use *u; (u = largest_whole(s, row, cut));)
            stream(s, u);
        bytes = needed(s, row, cut, bands_size(s, l, cut, s->b->graph->values[l->y].shape.dims[cut]));
        least = !least || bytes < least ? bytes : least;
        unstream(s, row);
    }
    return least;
}
