/* classes.c: the values of a network as the buffer sees them, where each of them is used, and what the report says of their travels. */
#include "spill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- classes and uses ----------------------------------------------------------------------------------------------------------- */

static bool has_halo(const struct geometry *g)
{
    return g->top || g->bottom || g->left || g->right;
}

bool spill_has(const struct spill *s, int value)
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
        if (spill_has(s, g->inputs[i])) {
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
        struct class *c = spill_has(s, g->outputs[i]) ? &s->classes[s->class_of[g->outputs[i]]] : NULL;
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
    if (!spill_has(s, value))
        return WEFT_OK;
    int class = s->class_of[value];
    struct class *c = &s->classes[class];
    if (c->last >= 0 && s->uses[c->last].row == row)
        return WEFT_OK;
    if (!graph_grow(&s->uses, (size_t)s->use_count, &s->use_room, sizeof *s->uses))
        return WEFT_NO_MEMORY;
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

enum weft_status spill_create(struct spill **out, struct backend *b)
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
    s->held = calloc((size_t)b->operand_count + 1, sizeof *s->held);
    if (!s->held || !s->class_of || !s->now || !s->now_version || !s->classes || !s->row_uses || !s->plans || !s->constants)
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
    for (int i = 0; s && i < b->layer_count; i++) {
        if (s->committed && b->layers[i].product && b->layers[i].band.used)
            free(b->layers[i].product);
        if (b->layers[i].m) { /* a copy of its row's, with tiles of its own in the first of them */
            if (s->committed && b->layers[i].follows < 0)
                free(b->layers[i].m->tile_ids);
            if (s->committed)
                free(b->layers[i].m);
        }
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
    free(s->held);
    free(s);
    b->spill = NULL;
}

/* --- for the others ------------------------------------------------------------------------------------------------------------------------ */

uint64_t spill_constant_address(const struct backend *b, uint64_t offset)
{
    const struct spill *s = b->spill;
    const struct layer *l = &b->layers[b->current];
    if (l->band.channels)
        return channels_address(b, l, offset);
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
