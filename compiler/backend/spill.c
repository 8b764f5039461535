/* spill.c: which values leave the buffer, and which layers run in bands (how: ways.c).
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

enum { TRIALS_A_ROW = 64 };

/* --- what is there at once ------------------------------------------------------------------------------------------------------------ */

uint64_t spill_rounded(const struct spill *s, uint64_t bytes)
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
        change[b->buffers[i].first] += (int64_t)spill_rounded(s, b->buffers[i].bytes);
        change[b->buffers[i].last + 1] -= (int64_t)spill_rounded(s, b->buffers[i].bytes);
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
        sums[r] -= spill_rounded(s, s->classes[best->class].bytes) < sums[r] ? spill_rounded(s, s->classes[best->class].bytes) : sums[r];
    return true;
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
    return let_go(s, row) || evict(s, row, missing, sums) || ways_cut(s, row);
}

/* --- until all fit ----------------------------------------------------------------------------------------------------------------------- */

static enum weft_status refuse(struct spill *s, int row, uint64_t bytes)
{
    const struct backend *b = s->b;
    const struct layer *l = &s->rows[row];
    uint64_t narrow = ways_narrowest(s, row);
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

static enum weft_status own_matrix(struct layer *l)
{
    struct matrix *m = malloc(sizeof *m);
    if (m) {
        *m = *l->m;
        m->top = l->band.used ? l->band.padding.top : m->top;
        m->left = l->band.used ? l->band.padding.left : m->left;
        m->co = l->kind == LAYER_DEPTHWISE && l->band.channels ? l->band.channels : m->co;
    }
    l->m = m;
    return m ? WEFT_OK : WEFT_NO_MEMORY;
}

/* The layers get what their rows share: each its own description of the product, with its own padding and extents. */
static enum weft_status commit(struct spill *s)
{
    struct backend *b = s->b;
    s->committed = true;
    enum weft_status status = WEFT_OK;
    for (int i = 0; i < b->layer_count; i++) {
        struct layer *l = &b->layers[i];
        if (l->m && own_matrix(l))
            status = WEFT_NO_MEMORY;
        if (l->product && l->band.used && !(l->product = product_bands_own(l->product, l->band.cut, b->graph->values[l->y].shape.dims[l->band.cut])))
            status = WEFT_NO_MEMORY;
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
        if (layer_multiplies(l))
            s->rows[l->row].mapping += l->mapping;
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
    struct matrix *whole = b->spill->rows[l->row].m;
    if (l->follows < 0) {
        enum weft_status status = backend_tiles(b, l);
        if (!l->m->lends)
            memset(whole->w, 0, sizeof whole->w); /* it freed them */
        whole->map = l->m->map;
        if (!status && l->band.channels)
            channels_take(b, l);
        return status;
    }
    l->m->tile_ids = b->layers[l->follows].m->tile_ids;
    l->m->map = whole->map;
    l->mapping = b->layers[l->follows].mapping;
    if (l->band.channels)
        channels_take(b, l);
    return WEFT_OK;
}
