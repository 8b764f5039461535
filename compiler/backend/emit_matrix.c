/* emit_matrix.c: products of a layer, and the activations that drain them.
 *
 * Accumulator rows are given out in a ring, so that one chunk fills while the one before drains. The first and the last tile
 * of a column go in blocks of rows: the first so that work begins when the first rows of the input are there, the last so that
 * the vector unit drains block by block, right behind the products. */
#include "emit.h"
#include "mapping.h"

#include <math.h>

enum { SOURCE = 0, OUTPUT = 1, RESIDUAL = 2, PLANES = 8 /* and the next: second and third plane of the source */ };

static void source_pattern(struct backend *b, const struct layer *l, int value, unsigned number, int64_t slice)
{
    struct weft_pattern p = lines_source(l->m, &l->m->map, &b->places[value].g, place_origin(b, value), slice);
    emit_pattern(b, number, &p);
}

static void source_patterns(struct backend *b, const struct layer *l, int64_t slice)
{
    source_pattern(b, l, l->x, SOURCE, slice);
    for (unsigned p = 1; p < l->input_count; p++)
        source_pattern(b, l, l->inputs[p], PLANES + p - 1, slice);
}

/* Rows of pixel groups of a value with the output's extents; lanes run over (pixel, channel of the slice). */
static void output_pattern(struct backend *b, const struct layer *l, int value, unsigned number, int64_t slice)
{
    const struct mapping *map = &l->m->map;
    const struct geometry *y = &b->places[value].g;
    struct weft_pattern p = pattern_blank(place_origin(b, value) + (uint64_t)(slice * map->slice_out * y->element));
    p.count0 = (uint32_t)map->groups_x;
    p.stride0 = (uint32_t)(map->step * y->pixel);
    p.count1 = (uint32_t)map->oh;
    p.stride1 = (uint32_t)y->line;
    p.count2 = (uint32_t)map->n;
    p.stride2 = (uint32_t)y->image;
    if (map->slice_out * y->element != y->pixel) {
        p.run_length = (uint32_t)map->slice_out;
        p.run_stride = (uint32_t)y->pixel;
    }
    emit_pattern(b, number, &p);
}

static void vector_registers(struct backend *b, const struct layer *l, int64_t slice)
{
    const struct matrix *m = l->m;
    uint32_t period = (uint32_t)m->map.slice_out, skip = (uint32_t)(slice * m->map.slice_out * 4);
    emit_set(b, REG_bias, (uint32_t)emit_constant_address(b, m->bias_host_offset) + skip, period);
    if (m->w_format == WEFT_FORMAT_bf16)
        emit_set_float(b, REG_mul_a, m->alpha / layer_domain(b, l), 0);
    else
        emit_set(b, REG_scale, (uint32_t)emit_constant_address(b, m->scale_host_offset) + skip, period);
    if (m->raw)
        return;
    if (l->residual != GRAPH_NONE)
        emit_set_float(b, REG_mul_b, backend_scale(b, l->residual) / layer_domain(b, l), backend_zero(b, l->residual));
    emit_result(b, l, 1);
}

/* UB address behind the last byte that these rows read. */
static uint64_t reach(const struct backend *b, const struct layer *l, int64_t first, int64_t rows)
{
    const struct mapping *map = &l->m->map;
    const struct geometry *x = &b->places[l->x].g;
    int64_t last = first + rows - 1, line = map->flat ? 0 : last / map->groups_x, image = map->flat ? 0 : line / map->oh;
    if (map->flat)
        return place_origin(b, l->x) + (uint64_t)((last + 1) * map->pixels * x->pixel);
    int64_t below = (line % map->oh) * l->m->sy - l->m->top + (l->m->kh - 1) * l->m->dy + 1; /* input lines of the image */
    return place_origin(b, l->x) + (uint64_t)(image * x->image + below * x->line);
}

/* Rows of one plane of the source times the active tile. */
static void product(struct backend *b, const struct layer *l, unsigned pattern, int tile, int64_t lane, int64_t first, int64_t rows, uint64_t acc, bool take, bool add)
{
    struct weft_instr *i = emit(b, WEFT_OP_CONVOLVE);
    i->a = (uint8_t)pattern;
    i->first_row = (uint32_t)first;
    i->rows = (uint32_t)rows;
    i->first_lane = (uint32_t)lane;
    i->acc = (uint32_t)acc;
    i->fmt = (uint8_t)backend_format(b, l->x);
    i->next = take;
    i->accumulate = add;
    if (take)
        emit_take(b, tile);
}

/* A tile of plane `term` of the weights meets the planes of the source that count with it. */
static void products(struct backend *b, const struct layer *l, int tile, int64_t term, int64_t lane, int64_t first, int64_t rows, uint64_t acc, bool take, bool add)
{
    product(b, l, SOURCE, tile, lane, first, rows, acc, take, add);
    for (unsigned p = 1; p + (unsigned)term < l->input_count; p++)
        product(b, l, PLANES + p - 1, tile, lane, first, rows, acc, false, true);
}

static void drain(struct backend *b, const struct layer *l, int64_t nt, int64_t first, int64_t rows, uint64_t acc)
{
    const struct mapping *map = &l->m->map;
    int64_t j0 = nt * (int64_t)b->machine->columns, left = map->columns - j0;
    struct weft_instr *i = emit(b, WEFT_OP_ACTIVATE);
    i->acc = (uint32_t)acc;
    i->d = OUTPUT;
    i->first_row = (uint32_t)first;
    i->rows = (uint32_t)rows;
    i->first_lane = (uint32_t)j0;
    i->lanes = (uint32_t)(left < (int64_t)b->machine->columns ? left : (int64_t)b->machine->columns);
    i->fmt = (uint8_t)backend_format(b, l->y);
    i->bias = 1;
    i->raw = l->m->raw;
    if (i->raw)
        return;
    i->facc = l->m->w_format == WEFT_FORMAT_bf16;
    i->scale = !i->facc;
    i->func = (uint8_t)layer_function(b, l);
    if (l->residual != GRAPH_NONE) {
        i->residual = 1;
        i->b = RESIDUAL;
        i->fmt_b = (uint8_t)backend_format(b, l->residual);
    }
}

/* The max pool behind this layer takes the lines that are whole, so that the vector unit works beside the products. */
static void feed_pool(struct backend *b, struct layer *l, int64_t rows_done)
{
    const struct mapping *map = &l->m->map;
    int index = (int)(l - b->layers);
    if (index + 1 >= b->layer_count || map->slices != 1 || map->step != map->pixels)
        return;
    struct layer *next = &b->layers[index + 1];
    if (next->kind != LAYER_POOL || next->op != CORE_MAXPOOL || next->x != l->y)
        return;
    const struct geometry *y = &b->places[l->y].g;
    int64_t lines = map->flat ? rows_done * map->step / y->w : rows_done / map->groups_x;
    b->current = index + 1;
    emit_pool(b, next, lines);
    b->current = index;
    vector_registers(b, l, 0);
}

static void drain_rows(struct backend *b, struct layer *l, int64_t nt, int64_t first, int64_t rows, uint64_t acc)
{
    writes_before(b, first, rows);
    drain(b, l, nt, first, rows, acc);
    if (nt + 1 < l->m->map.n_tiles)
        return;
    writes_behind(b, first, rows);
    feed_pool(b, l, first + rows);
}

struct column { /* one column of tiles over one chunk of rows */
    int64_t slice, nt, first, rows;
    uint64_t acc;
};

/* How much of the layer's part is emitted behind tile k of a column. */
static double done_share(const struct layer *l, const struct column *c, int64_t k, int64_t last)
{
    return ((double)c->nt + (double)(k + 1) / (double)(last + 1)) / (double)l->m->map.n_tiles;
}

static void emit_column(struct backend *b, struct layer *l, const struct column *c)
{
    const struct mapping *map = &l->m->map;
    int64_t deep = map->terms * map->k_tiles, last = -1, block = map->block_rows;
    const int64_t *ids = &l->m->tile_ids[(c->slice * map->n_tiles + c->nt) * deep];
    for (int64_t k = 0; k < deep; k++)
        last = ids[k] >= 0 ? k : last;
    bool started = false;
    for (int64_t k = 0; k <= last; k++) {
        if (ids[k] < 0)
            continue;
        int64_t lane = k % map->k_tiles * (int64_t)b->machine->rows, step = !started || k == last ? block : ceil_div(c->rows, most(map->pieces, 1));
        for (int64_t r = 0; r < c->rows; r += step) {
            int64_t rows = c->rows - r < step ? c->rows - r : step;
            if (!started)
                reads_for(b, l->x, reach(b, l, c->first + r, rows));
            products(b, l, (int)ids[k], k / map->k_tiles, lane, c->first + r, rows, c->acc + (uint64_t)r, r == 0, started);
            if (k == last)
                drain_rows(b, l, c->nt, c->first + r, rows, c->acc + (uint64_t)r);
        }
        started = true;
        if (waves_between(b, done_share(l, c, k, last)))
            vector_registers(b, l, c->slice);
    }
    writes_end(b);
    writes_column(b, c->nt, c->first, c->rows);
}

/* --- several arrays ----------------------------------------------------------------------------------------------------------- */

/* Tiles go to the arrays in turn, and products start in order. Where as many columns as there are arrays advance side by side, a tile each, a
 * column's tiles meet the same array every time and need not wait for each other's sums; where they are fewer, rows go in pieces (chunks.c). */
static const int64_t *ids_of(const struct layer *l, const struct column *c)
{
    const struct mapping *map = &l->m->map;
    return &l->m->tile_ids[(c->slice * map->n_tiles + c->nt) * map->terms * map->k_tiles];
}

/* The first tile of a column from k on that is there; `deep`: there is none. */
static int64_t next_tile(const struct layer *l, const struct column *c, int64_t k, int64_t deep)
{
    while (k < deep && ids_of(l, c)[k] < 0)
        k++;
    return k;
}

/* Rows of a column times one of its tiles. Fewer columns than arrays: in pieces. */
static void multiply(struct backend *b, const struct layer *l, const struct column *c, int count, int64_t k, unsigned plane, bool add)
{
    const struct mapping *map = &l->m->map;
    int64_t step = count < (int64_t)b->machine->arrays ? ceil_div(c->rows, map->pieces) : c->rows, lane = k % map->k_tiles * (int64_t)b->machine->rows;
    for (int64_t r = 0; r < c->rows; r += step)
        product(b, l, plane ? PLANES + plane - 1 : SOURCE, (int)ids_of(l, c)[k], lane, c->first + r, least(step, c->rows - r), c->acc + (uint64_t)r, r == 0, add);
}

/* The next tile of each column that has one, with the planes of the input that count with it. Each column skips its own tiles of zeros: so it
 * stays on its array. */
static bool step_together(struct backend *b, struct layer *l, const struct column *columns, int count, int64_t at[ARRAYS_MAX], bool started)
{
    const struct mapping *map = &l->m->map;
    int64_t deep = map->terms * map->k_tiles;
    bool any = false;
    for (unsigned plane = 0; plane < most(l->input_count, 1); plane++)
        for (int i = 0; i < count; i++) {
            int64_t k = next_tile(l, &columns[i], at[i], deep);
            if (k == deep || (plane && plane + (unsigned)(k / map->k_tiles) >= l->input_count))
                continue;
            if (!started && !plane)
                reads_for(b, l->x, reach(b, l, columns[i].first, columns[i].rows));
            multiply(b, l, &columns[i], count, k, plane, started || plane);
            any = true;
        }
    for (int i = 0; i < count; i++)
        at[i] = least(next_tile(l, &columns[i], at[i], deep) + 1, deep);
    return any;
}

static void emit_together(struct backend *b, struct layer *l, const struct column *columns, int count, double done, double share)
{
    int64_t at[ARRAYS_MAX] = {0}, deep = ceil_div(l->m->map.tiles, l->m->map.n_tiles * l->m->map.slices);
    for (int64_t step = 0; step_together(b, l, columns, count, at, step > 0); step++)
        if (waves_between(b, done + share * fmin(1, (double)(step + 1) / (double)deep)))
            vector_registers(b, l, columns[0].slice);
    for (int i = 0; i < count; i++)
        drain_rows(b, l, columns[i].nt, columns[i].first, columns[i].rows, columns[i].acc);
    writes_end(b);
    for (int i = 0; i < count; i++)
        writes_column(b, columns[i].nt, columns[i].first, columns[i].rows);
}

/* All of them are claimed at once: none is drained before the last of them has its sums, so they must not meet where the ring begins again. */
static void claim_together(struct backend *b, struct column *columns, int count)
{
    int64_t rows = 0;
    for (int i = 0; i < count; i++)
        rows += columns[i].rows;
    uint64_t acc = emit_claim_rows(b, rows);
    for (int i = 0; i < count; acc += (uint64_t)columns[i++].rows)
        columns[i].acc = acc;
}

/* A column of tiles over a chunk of rows, in pieces of them where arrays would be left over. */
static int add_unit(struct column *columns, int count, struct column whole, int64_t split)
{
    int64_t each = ceil_div(whole.rows, split);
    for (int64_t at = 0; at < whole.rows; at += each) {
        columns[count] = whole;
        columns[count].first += at;
        columns[count++].rows = least(each, whole.rows - at);
    }
    return count;
}

static void emit_slice_together(struct backend *b, struct layer *l, int64_t slice, int64_t first, int64_t end)
{
    const struct mapping *map = &l->m->map;
    struct column columns[ARRAYS_MAX];
    int64_t units = ceil_div(end - first, map->chunk_rows) * map->n_tiles, abreast = map->abreast;
    for (int64_t unit = 0; unit < units; unit += abreast) {
        int count = 0;
        int64_t split = units - unit < abreast ? most(map->last_split, 1) : 1;
        for (int64_t u = unit; u < units && u < unit + abreast; u++) {
            int64_t from = first + u / map->n_tiles * map->chunk_rows, rows = least(end - from, map->chunk_rows);
            count = add_unit(columns, count, (struct column){.slice = slice, .nt = u % map->n_tiles, .first = from, .rows = rows}, split);
        }
        claim_together(b, columns, count);
        emit_together(b, l, columns, count, (double)unit / (double)units, (double)count / (double)units);
    }
}

static void emit_slice(struct backend *b, struct layer *l, int64_t slice, int64_t from, int64_t end)
{
    const struct mapping *map = &l->m->map;
    for (int64_t first = from; first < end; first += map->chunk_rows) {
        int64_t rows = end - first < map->chunk_rows ? end - first : map->chunk_rows;
        for (int64_t nt = 0; nt < map->n_tiles; nt++)
            emit_column(b, l, &(struct column){slice, nt, first, rows, emit_claim_rows(b, rows)});
    }
}

void emit_matrix(struct backend *b, struct layer *l)
{
    const struct mapping *map = &l->m->map;
    int64_t parts = b->wave.count > 1 ? b->wave.count : 1, each = map->rows / parts, first = each * b->wave.index;
    writes_begin(b, l);
    for (int64_t slice = 0; slice < map->slices; slice++) {
        source_patterns(b, l, slice);
        output_pattern(b, l, l->y, OUTPUT, slice);
        if (l->residual != GRAPH_NONE)
            output_pattern(b, l, l->residual, RESIDUAL, slice);
        vector_registers(b, l, slice);
        if (map->abreast > 1)
            emit_slice_together(b, l, slice, first, first + each);
        else
            emit_slice(b, l, slice, first, first + each);
    }
    writes_end(b);
}
