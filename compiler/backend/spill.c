/* spill.c: which values leave the buffer, and which layers run in bands.
 *
 * First nothing leaves. Where the values that are there at once are more than the buffer holds, one step is taken and the layers are written
 * down again (sequence.c), until all fit:
 *
 *   - what comes back ahead of its use comes later;
 *   - a value that is there and not used leaves until its next use: the one that frees what is missing for the longest time;
 *   - the layer itself runs in bands: its largest value is no longer there as a whole, then the next largest, in the fewest bands that fit. */
#include "front.h"
#include "mapping.h"
#include "spill.h"

#include <stdlib.h>
#include <string.h>

enum { TRIALS_A_ROW = 64, TRIED_MOST = 8 };

/* --- what is there at once ------------------------------------------------------------------------------------------------------------ */

static uint64_t rounded(const struct spill *s, uint64_t bytes)
{
    uint64_t line = s->b->machine->ub_line_bytes;
    return (bytes + line - 1) / line * line;
}

/* Bytes that are there at once, at most, while each row's layers run. */
static bool measure(const struct spill *s, uint64_t *sums /* by row */)
{
    const struct backend *b = s->b;
    int64_t *change = calloc((size_t)b->layer_count + 2, sizeof *change), now = 0;
    if (!change)
        return false;
    for (int i = 0; i < b->buffer_count; i++) {
        change[b->buffers[i].first] += (int64_t)rounded(s, b->buffers[i].bytes);
        change[b->buffers[i].last + 1] -= (int64_t)rounded(s, b->buffers[i].bytes);
    }
    memset(sums, 0, (size_t)s->row_count * sizeof *sums);
    for (int t = 0; t < b->layer_count; t++) {
        now += change[t];
        int row = b->layers[t].row;
        sums[row] = (uint64_t)now > sums[row] ? (uint64_t)now : sums[row];
    }
    free(change);
    return true;
}

/* --- one step -------------------------------------------------------------------------------------------------------------------------- */

static bool comes_early(const struct spill *s, int row)
{
    if (row >= s->row_count || !s->plans[row].early)
        return false;
    bool comes = s->rows[row].constants_end > s->rows[row].constants_first;
    for (int u = s->row_uses[row]; u < s->row_uses[row + 1]; u++)
        comes |= s->uses[u].away && !s->uses[u].streams;
    return comes;
}

static double worth(const struct spill *s, const struct use *u, int row, uint64_t missing)
{
    double bytes = (double)s->classes[u->class].bytes;
    return (double)(u->row - row) * (bytes < (double)missing ? bytes / (double)missing : 1);
}

/* Sends one value that nobody uses here away until its next use. */
static bool evict(struct spill *s, int row, uint64_t missing, uint64_t *sums)
{
    struct use *best = NULL;
    for (int i = 0; i < s->use_count; i++) {
        struct use *u = &s->uses[i];
        if (u->previous < 0 || u->away || s->classes[u->class].pinned || s->uses[u->previous].row >= row || u->row <= row)
            continue;
        if (!best || worth(s, u, row, missing) > worth(s, best, row, missing))
            best = u;
    }
    if (!best)
        return false;
    best->away = true;
    for (int r = s->uses[best->previous].row + 1; r < best->row; r++) /* one step may do for many rows */
        sums[r] -= rounded(s, s->classes[best->class].bytes) < sums[r] ? rounded(s, s->classes[best->class].bytes) : sums[r];
    return true;
}

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
    return rounded(s, most);
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
    uint64_t bytes = rounded(s, l->constants_end - l->constants_first) + (step ? (uint64_t)sets * rounded(s, step * (uint64_t)size) : rounded(s, block));
    for (int i = s->row_uses[row]; i < s->row_uses[row + 1]; i++) {
        const struct use *u = &s->uses[i];
        bytes += u->streams ? (uint64_t)sets * class_bytes(s, row, u->class, cut, size) : rounded(s, s->classes[u->class].bytes);
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
    int64_t extent = s->b->graph->values[s->rows[row].y].shape.dims[cut];
    for (int64_t bands = present + 1 + present / 8; any_streams(s, row) && bands <= extent; bands++) {
        int64_t size = (extent + bands - 1) / bands;
        if (size != (extent + present - 1) / present && needed(s, row, cut, size) <= s->b->machine->ub_bytes)
            return bands;
    }
    return 0;
}

/* What cannot lie within its whole must be cut. */
static void stream_the_scattered(struct spill *s, int row, int cut)
{
    for (int i = s->row_uses[row]; i < s->row_uses[row + 1]; i++) {
        int value = value_of(s, row, s->uses[i].class), d = bands_dimension(s, &s->rows[row], value, cut);
        if (d >= 0 && !bands_lie_within(s, value, d) && !s->classes[s->uses[i].class].pinned)
            stream(s, &s->uses[i]);
    }
}

/* What a way to cut a row costs: a product fetches its weights for each band; one set of band buffers waits for what comes and goes. */
static double way_price(const struct spill *s, int row, int64_t bands, bool single)
{
    const struct layer *l = &s->rows[row];
    uint64_t bytes = 0;
    if (l->kind != LAYER_MATRIX)
        return 0;
    for (int i = s->row_uses[row]; i < s->row_uses[row + 1]; i++)
        bytes += s->uses[i].streams ? s->classes[s->uses[i].class].bytes : 0;
    uint64_t rate = s->b->machine->dram_writable ? s->b->machine->dram_bytes_per_second : s->b->machine->link_in_bytes_per_second;
    double moves = (double)cycles_of_bytes(s->b->machine, bytes, rate);
    return (double)mapping_bands_price(s->b, l, bands) + (single ? moves : moves / (double)bands);
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
    double price = bands ? way_price(s, row, bands, single) : 0;
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

/* One dimension after the other: images first, then their lines. */
static bool cut_row(struct spill *s, int row)
{
    struct plan *plan = &s->plans[row];
    for (int cut; (cut = bands_choose(s, &s->rows[row], plan->without)) != BAND_NONE;) {
        if (cut_along(s, row, cut))
            return true;
        plan->without |= 1u << cut;
        plan->bands = 1;
        plan->single = false;
        for (int i = s->row_uses[row]; i < s->row_uses[row + 1]; i++)
            s->uses[i].streams = false;
    }
    return false;
}

/* Constants that this row does not read are brought anew to those that do. */
static bool let_go(struct spill *s, int row)
{
    bool any = false;
    for (int k = 0; k < s->b->operand_count; k++) {
        const struct buffer *held = s->held[k].first < 0 ? NULL : &s->b->buffers[s->held[k].first];
        bool there = held && s->b->layers[held->first].row <= row && s->b->layers[held->last].row >= row;
        if (!there || s->held[k].again || s->rows[row].block == k + 1)
            continue;
        s->held[k].again = any = true;
    }
    return any;
}

static bool step(struct spill *s, int row, uint64_t missing, uint64_t *sums)
{
    if (comes_early(s, row + 1)) {
        s->plans[row + 1].early = false;
        return true;
    }
    return let_go(s, row) || evict(s, row, missing, sums) || cut_row(s, row);
}

/* --- until all fit ----------------------------------------------------------------------------------------------------------------------- */

/* What the narrowest bands of the row need; 0: it does not run in bands. */
static uint64_t narrowest(struct spill *s, int row)
{
    uint64_t least = 0, bytes;
    s->plans[row].single = true;
    for (uint32_t without = 0, cut; (int)(cut = (uint32_t)bands_choose(s, &s->rows[row], without)) != BAND_NONE; without |= 1u << cut) {
        stream_the_scattered(s, row, (int)cut);
        for (struct use *u; (u = largest_whole(s, row, (int)cut));)
            stream(s, u);
        bytes = needed(s, row, (int)cut, 1);
        least = !least || bytes < least ? bytes : least;
        for (int i = s->row_uses[row]; i < s->row_uses[row + 1]; i++)
            s->uses[i].streams = false;
    }
    return least;
}

static enum weft_status refuse(struct spill *s, int row, uint64_t bytes)
{
    const struct backend *b = s->b;
    const struct layer *l = &s->rows[row];
    uint64_t narrow = narrowest(s, row);
    const char *why = narrow ? "even in the narrowest bands" : "and this kind of layer does not run in bands";
    bytes = narrow > b->machine->ub_bytes ? narrow : bytes;
    return weft_error(b->diag, "%s: layer %s: its operands, result and constants need %llu bytes of unified buffer at once, %s; machine %s has %llu; try at least --set unified_buffer.bytes=%llu",
                      b->graph->name, l->name && l->name[0] ? l->name : b->graph->values[l->y].name, (unsigned long long)bytes, why, b->machine->name,
                      (unsigned long long)b->machine->ub_bytes, (unsigned long long)bytes);
}

/* Steps for every row that holds too much; one row apart, for what helps a row may help its neighbours. */
static enum weft_status relieve(struct spill *s, uint64_t *sums, bool *any)
{
    uint64_t limit = s->b->machine->ub_bytes;
    for (int r = 0; r < s->row_count; r++) {
        if (sums[r] <= limit)
            continue;
        uint64_t held = sums[r];
        struct plan plan = s->plans[r];
        bool done = step(s, r, held - limit, sums);
        if (!done && !*any)
            return refuse(s, r, held);
        if (!done)
            s->plans[r] = plan; /* what was done for the rows before may help it */
        *any = true;
        r++;
    }
    return WEFT_OK;
}

/* The row at which a buffer that got no place finds it most crowded. */
static int crowded_row(const struct spill *s, const uint64_t *sums)
{
    const struct backend *b = s->b;
    int worst = 0;
    for (int i = 0; i < b->buffer_count; i++) {
        if (b->buffers[i].ub + b->buffers[i].bytes <= b->machine->ub_bytes)
            continue;
        worst = b->layers[b->buffers[i].first].row;
        for (int t = b->buffers[i].first; t <= b->buffers[i].last && t < b->layer_count; t++)
            worst = sums[b->layers[t].row] > sums[worst] ? b->layers[t].row : worst;
        break;
    }
    return worst;
}

static enum weft_status settle(struct spill *s, uint64_t *sums)
{
    struct backend *b = s->b;
    for (int64_t trial = 0; trial < (int64_t)TRIALS_A_ROW * (s->row_count + 1); trial++) {
        bool any = false;
        uint64_t peak;
        enum weft_status status = sequence_make(s);
        if (!status && !measure(s, sums))
            status = WEFT_NO_MEMORY;
        if (!status)
            status = relieve(s, sums, &any);
        if (status || b->out_of_memory)
            return status ? status : WEFT_NO_MEMORY;
        if (any)
            continue;
        if (allocate_buffers(b->buffers, b->buffer_count, b->machine->ub_bytes, b->machine->ub_line_bytes, &peak))
            return WEFT_OK;
        int row = crowded_row(s, sums);
        if (!step(s, row, peak - b->machine->ub_bytes, sums))
            return refuse(s, row, peak);
    }
    return weft_error(b->diag, "%s: no order of its values in %llu bytes of unified buffer was found; try a larger --set unified_buffer.bytes", b->graph->name,
                      (unsigned long long)b->machine->ub_bytes);
}

/* The layers get what their rows share: each its own description of the product, with its own padding. */
static enum weft_status commit(struct spill *s)
{
    struct backend *b = s->b;
    s->committed = true;
    enum weft_status status = WEFT_OK;
    for (int i = 0; i < b->layer_count; i++) {
        struct layer *l = &b->layers[i];
        if (!l->m)
            continue;
        struct matrix *m = malloc(sizeof *m);
        if (m) {
            *m = *l->m;
            m->top = l->band.used ? l->band.padding.top : m->top;
            m->left = l->band.used ? l->band.padding.left : m->left;
        } else {
            status = WEFT_NO_MEMORY;
        }
        l->m = m;
    }
    return status;
}

/* The report's rows are the layers as they were; their bounds count all bands. */
void spill_note_rows(struct backend *b)
{
    struct spill *s = b->spill;
    for (int r = 0; r < s->row_count; r++)
        s->rows[r].mapping = layer_multiplies(&s->rows[r]) ? 0 : s->rows[r].mapping;
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *l = &b->layers[i];
        if (!layer_multiplies(l))
            continue;
        s->rows[l->row].mapping += l->mapping;
        if (l->m)
            s->rows[l->row].m->map = l->m->map;
    }
}

static bool may_leave(const struct backend *b)
{
    const struct graph *g = b->graph;
    for (unsigned i = 0; i < g->input_count; i++)
        for (unsigned k = 0; k < g->output_count; k++)
            if (g->inputs[i] == g->outputs[k])
                return false;
    return !b->options->resident_count;
}

enum weft_status backend_spill(struct backend *b)
{
    if (!may_leave(b))
        return WEFT_ERROR; /* too_big says the rest */
    b->waves = 1;
    front_free(b);
    for (int i = 0; i < b->layer_count; i++)
        b->layers[i].pieces = 1;
    uint64_t *sums = calloc((size_t)b->layer_count + 1, sizeof *sums);
    enum weft_status status = sums ? spill_create(&b->spill, b) : WEFT_NO_MEMORY;
    front_free(b);
    if (!status)
        status = settle(b->spill, sums);
    free(sums);
    b->too_big = 0;
    if (!status)
        status = commit(b->spill);
    if (!status)
        status = backend_map(b);
    if (status)
        return status;
    transfer_homes(b->spill);
    return b->out_of_memory ? WEFT_NO_MEMORY : WEFT_OK;
}

enum weft_status spill_tiles(struct backend *b, struct layer *l)
{
    if (l->follows < 0) {
        enum weft_status status = backend_tiles(b, l);
        if (!l->m->lends)
            memset(b->spill->rows[l->row].m->w, 0, sizeof l->m->w); /* it freed them */
        return status;
    }
    l->m->tile_ids = b->layers[l->follows].m->tile_ids;
    l->m->map = b->layers[l->follows].m->map;
    l->mapping = b->layers[l->follows].mapping;
    return WEFT_OK;
}
