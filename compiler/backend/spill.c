/* spill.c: which values leave the buffer, and which layers run in bands.
 *
 * First nothing leaves. Where the values that are there at once are more than the buffer holds, one step is taken and the layers are written
 * down again (sequence.c), until all fit:
 *
 *   - what comes back ahead of its use comes later;
 *   - a value that is there and not used leaves until its next use: the one that frees what is missing for the longest time;
 *   - the layer itself runs in bands: its largest value is no longer there as a whole, then the next largest, in the fewest bands that fit. */
#include "spill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRIALS_A_ROW = 64 };

/* --- classes and uses ----------------------------------------------------------------------------------------------------------- */

static bool has_halo(const struct geometry *g)
{
    return g->top || g->bottom || g->left || g->right;
}

static bool is_value(const struct spill *s, int value)
{
    return value != GRAPH_NONE && value < s->values && s->b->wide[value].placed && !value_is_constant(&s->b->graph->values[value]);
}

static int add_class(struct spill *s, int value)
{
    struct class *c = &s->classes[s->class_count];
    *c = (struct class){.value = value, .bytes = s->b->wide[value].g.bytes, .first = -1, .last = -1, .buffer = -1};
    return s->class_of[value] = s->class_count++;
}

static void find_classes(struct spill *s)
{
    const struct graph *g = s->b->graph;
    for (unsigned i = 0; i < g->input_count; i++)
        if (is_value(s, g->inputs[i])) {
            struct class *c = &s->classes[add_class(s, g->inputs[i])];
            c->input = true;
            c->home = (struct home){HOME_INPUT, i};
        }
    for (int r = 0; r < s->row_count; r++) {
        struct layer *l = &s->rows[r];
        if (l->kind == LAYER_ALIAS && (has_halo(&s->b->wide[l->x].g) || has_halo(&s->b->wide[l->y].g)))
            l->kind = LAYER_MOVE;
        if (l->kind == LAYER_ALIAS)
            s->class_of[l->y] = s->class_of[l->x];
        else if (s->class_of[l->y] < 0)
            add_class(s, l->y);
    }
    for (unsigned i = g->output_count; i-- > 0;) {
        struct class *c = is_value(s, g->outputs[i]) ? &s->classes[s->class_of[g->outputs[i]]] : NULL;
        if (!c || c->input)
            continue;
        for (unsigned k = 0; k < i; k++)
            c->pinned |= g->outputs[k] == g->outputs[i]; /* two places that wait for the same bytes */
        c->is_output = true;
        c->home = (struct home){HOME_OUTPUT, i};
    }
}

static enum weft_status add_use(struct spill *s, int row, int value)
{
    if (!is_value(s, value))
        return WEFT_OK;
    int class = s->class_of[value];
    struct class *c = &s->classes[class];
    if (c->last >= 0 && s->uses[c->last].row == row)
        return WEFT_OK;
    if (s->use_count == s->use_room) {
        int room = s->use_room ? 2 * s->use_room : 256;
        struct use *grown = realloc(s->uses, (size_t)room * sizeof *grown);
        if (!grown)
            return WEFT_NO_MEMORY;
        s->uses = grown;
        s->use_room = room;
    }
    s->uses[s->use_count] = (struct use){.class = class, .row = row, .previous = c->last, .next = -1, .away = c->input && c->last < 0};
    if (c->last >= 0)
        s->uses[c->last].next = s->use_count;
    c->first = c->first < 0 ? s->use_count : c->first;
    c->last = s->use_count++;
    return WEFT_OK;
}

/* Another name for the bytes is no use of them, unless they must leave under it for a place of their own. */
static bool is_use(const struct spill *s, const struct layer *l)
{
    const struct graph *g = s->b->graph;
    if (l->kind != LAYER_ALIAS)
        return true;
    const struct class *c = &s->classes[s->class_of[l->y]];
    for (unsigned i = 0; i < g->output_count; i++)
        if (g->outputs[i] == l->y && !(c->home.kind == HOME_OUTPUT && c->home.index == i))
            return true;
    return false;
}

static enum weft_status find_uses(struct spill *s)
{
    enum weft_status status = WEFT_OK;
    for (int r = 0; r < s->row_count && !status; r++) {
        const struct layer *l = &s->rows[r];
        int values[] = {l->x, l->other, l->residual};
        s->row_uses[r] = s->use_count;
        for (size_t i = 0; i < 3 && is_use(s, l) && !status; i++)
            status = add_use(s, r, values[i]);
        for (unsigned k = 0; k < l->input_count && !status; k++)
            status = add_use(s, r, l->inputs[k]);
        if (is_use(s, l) && !status)
            status = add_use(s, r, l->y);
    }
    s->row_uses[s->row_count] = s->use_count;
    return status;
}

static enum weft_status create(struct spill **out, struct backend *b)
{
    struct spill *s = calloc(1, sizeof *s);
    size_t values = (size_t)b->wide_count + 1, rows = (size_t)b->layer_count + 2;
    if (!s)
        return WEFT_NO_MEMORY;
    *out = s;
    s->b = b;
    s->rows = b->layers;
    s->row_count = b->layer_count;
    s->values = b->wide_count;
    b->layers = NULL;
    b->layer_count = b->layer_room = 0;
    s->class_of = malloc(values * sizeof *s->class_of);
    s->now = malloc(values * sizeof *s->now);
    s->now_version = malloc(values * sizeof *s->now_version);
    s->classes = calloc(values, sizeof *s->classes);
    s->row_uses = calloc(rows, sizeof *s->row_uses);
    s->plans = calloc(rows, sizeof *s->plans);
    s->constants = calloc(rows, sizeof *s->constants);
    if (!s->class_of || !s->now || !s->now_version || !s->classes || !s->row_uses || !s->plans || !s->constants)
        return WEFT_NO_MEMORY;
    memset(s->class_of, 0xff, values * sizeof *s->class_of);
    for (int r = 0; r < s->row_count; r++)
        s->plans[r] = (struct plan){.bands = 1, .early = true};
    find_classes(s);
    return find_uses(s);
}

void spill_free(struct backend *b)
{
    struct spill *s = b->spill;
    for (int i = 0; s && i < b->layer_count; i++)
        if (b->layers[i].m) { /* a copy of its row's, with tiles of its own in the first of them */
            if (s->committed && b->layers[i].follows < 0)
                free(b->layers[i].m->tile_ids);
            if (s->committed)
                free(b->layers[i].m);
        }
    if (!s)
        return;
    free(b->layers);
    b->layers = s->rows;
    b->layer_count = s->row_count;
    free(s->class_of);
    free(s->classes);
    free(s->uses);
    free(s->row_uses);
    free(s->plans);
    free(s->now);
    free(s->now_version);
    free(s->made);
    free(s->constants);
    free(s);
    b->spill = NULL;
}

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
        if (is_value(s, values[i]) && s->class_of[values[i]] == class)
            return values[i];
    for (unsigned k = 0; k < l->input_count; k++)
        if (is_value(s, l->inputs[k]) && s->class_of[l->inputs[k]] == class)
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
    bool beside = is_value(s, l->residual) && s->class_of[l->residual] == class;
    return (beside ? band_bytes(s, row, l->residual, true, cut, size) : 0) + (value == l->residual && value != l->x ? 0 : band_bytes(s, row, value, false, cut, size));
}

/* What the row needs at once with bands of this size, temporaries apart. */
static uint64_t needed(const struct spill *s, int row, int cut, int64_t size)
{
    uint64_t bytes = rounded(s, s->rows[row].constants_end - s->rows[row].constants_first);
    for (int i = s->row_uses[row]; i < s->row_uses[row + 1]; i++) {
        const struct use *u = &s->uses[i];
        bytes += u->streams ? (s->plans[row].single ? 1 : 2) * class_bytes(s, row, u->class, cut, size) : rounded(s, s->classes[u->class].bytes);
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

/* The fewest bands, more than there are, with which what is cut now fits. */
static bool find_bands(struct spill *s, int row, int cut)
{
    struct plan *plan = &s->plans[row];
    int64_t extent = s->b->graph->values[s->rows[row].y].shape.dims[cut], from = plan->bands + 1 + plan->bands / 8;
    bool any = false;
    for (int i = s->row_uses[row]; i < s->row_uses[row + 1]; i++)
        any |= s->uses[i].streams;
    for (int64_t bands = from; any && bands <= extent; bands++) {
        int64_t size = (extent + bands - 1) / bands;
        if (size == (extent + plan->bands - 1) / plan->bands || needed(s, row, cut, size) > s->b->machine->ub_bytes)
            continue;
        plan->bands = bands;
        return true;
    }
    return false;
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

static bool cut_row(struct spill *s, int row)
{
    struct plan *plan = &s->plans[row];
    int cut = bands_choose(s, &s->rows[row]);
    if (cut == BAND_NONE)
        return false;
    stream_the_scattered(s, row, cut);
    while (!find_bands(s, row, cut)) {
        struct use *u = largest_whole(s, row, cut);
        if (!u && plan->single)
            return false;
        if (u)
            stream(s, u);
        else
            plan->single = true;
        plan->bands = 1;
    }
    return true;
}

static bool step(struct spill *s, int row, uint64_t missing, uint64_t *sums)
{
    if (comes_early(s, row + 1)) {
        s->plans[row + 1].early = false;
        return true;
    }
    return evict(s, row, missing, sums) || cut_row(s, row);
}

/* --- until all fit ----------------------------------------------------------------------------------------------------------------------- */

static enum weft_status refuse(const struct spill *s, int row, uint64_t bytes)
{
    const struct backend *b = s->b;
    const struct layer *l = &s->rows[row];
    const char *why = bands_choose(s, l) == BAND_NONE ? "and this kind of layer does not run in bands" : "even in the narrowest bands";
    return weft_error(b->diag, "%s: layer %s: its operands, result and constants need %llu bytes of unified buffer at once, %s; machine %s has %llu; try --set unified_buffer.bytes=%llu",
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
        *any = true;
        uint64_t held = sums[r];
        if (!step(s, r, held - limit, sums))
            return refuse(s, r, held);
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
            m->top = l->band.used ? l->band.top : m->top;
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
        s->rows[r].mapping = s->rows[r].kind == LAYER_MATRIX || s->rows[r].kind == LAYER_PRODUCT ? 0 : s->rows[r].mapping;
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *l = &b->layers[i];
        if (l->kind != LAYER_MATRIX && l->kind != LAYER_PRODUCT)
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
    uint64_t *sums = calloc((size_t)b->layer_count + 1, sizeof *sums);
    enum weft_status status = sums ? create(&b->spill, b) : WEFT_NO_MEMORY;
    b->waves = 1;
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
    if (l->follows < 0)
        return backend_tiles(b, l);
    l->m->tile_ids = b->layers[l->follows].m->tile_ids;
    l->m->map = b->layers[l->follows].m->map;
    l->mapping = b->layers[l->follows].mapping;
    return WEFT_OK;
}

/* --- for the others ------------------------------------------------------------------------------------------------------------------------ */

uint64_t spill_constant_address(const struct backend *b, uint64_t offset)
{
    const struct spill *s = b->spill;
    int low = 0, high = s->row_count; /* the last row whose constants begin at or before the offset */
    while (low + 1 < high) {
        int middle = (low + high) / 2;
        if (s->rows[middle].constants_first <= offset)
            low = middle;
        else
            high = middle;
    }
    return b->buffers[s->constants[low]].ub + offset - s->rows[low].constants_first;
}

int spill_row(const struct backend *b, int layer)
{
    return b->spill ? b->layers[layer].row : layer;
}

const struct layer *spill_rows(const struct backend *b, int *count)
{
    *count = b->spill ? b->spill->row_count : b->layer_count;
    return b->spill ? b->spill->rows : b->layers;
}

static void note(char *out, size_t size, const char *format, const char *name, const char *where)
{
    size_t used = strlen(out);
    if (used + 1 < size)
        snprintf(out + used, size - used, format, used ? "; " : "", name, where);
}

/* What the report says of a row: its bands, and what came from outside the buffer or left it. */
void spill_describe(char *out, size_t size, const struct backend *b, int row)
{
    const struct spill *s = b->spill;
    int bands = 0;
    for (int i = 0; s && i < b->layer_count; i++)
        bands += b->layers[i].row == row && b->layers[i].band.used;
    if (bands) {
        char count[32];
        snprintf(count, sizeof count, "%d", bands);
        note(out, size, "%sin %s bands%s", count, "");
    }
    for (int u = s ? s->row_uses[row] : 0; s && u < s->row_uses[row + 1]; u++) {
        const struct use *use = &s->uses[u];
        const struct class *c = &s->classes[use->class];
        const char *name = b->graph->values[c->value].name, *where = c->home.kind == HOME_SCRATCH && s->in_dram ? "DRAM" : "the host";
        bool comes = use->previous >= 0 && use->away, goes = use->next >= 0 && s->uses[use->next].away;
        if (use->streams && use->previous < 0 && !c->input)
            note(out, size, "%s%s never lies in the buffer as a whole: to %s", name, where);
        else if (comes)
            note(out, size, "%s%s comes back from %s", name, where);
        else if (goes && !c->input)
            note(out, size, "%s%s leaves for %s", name, where);
    }
}
