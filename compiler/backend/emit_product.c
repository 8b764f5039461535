/* emit_product.c: the instructions of a product of two computed values. Tiles are pushed one ahead of the products that take them. */
#include "product.h"

#include "emit_vector.h"

enum { RESULT = 1, OTHER = 2, STREAM = 8, WEIGHTS = 12 /* patterns: one for each plane from here on */, PLANES_MAX = 3 };

/* One side: its planes, and its strides in bytes over the batch dimensions, across, and along the depth. */
struct side { int planes[PLANES_MAX]; int64_t strides[GRAPH_RANK_MAX], across /* from one row (of the weights: column) to the next */, deep; };

struct work { /* the product as it is emitted, roles settled */
    const struct layer *l;
    const struct product *p;
    struct side stream, weights;
    struct vector_view y, residual;
    int64_t rows, columns, y_row, y_column, r_row, r_column;
    int planes;
    enum weft_format stream_format, weights_format;
};

static struct side side_of(const struct backend *b, const struct layer *l, bool first)
{
    const struct product *p = l->product;
    unsigned rank = p->shape.rank, last = rank - 1, before = rank - 2;
    struct side s = {.planes = {first ? l->x : l->other}};
    product_strides(b, p, first ? &p->a : &p->b, s.planes[0], s.strides);
    for (int i = 0; b->planes > 1 && i < b->planes; i++)
        s.planes[i] = l->inputs[(first ? 0 : b->planes) + i];
    s.across = s.strides[first ? before : last];
    s.deep = s.strides[first ? last : before];
    return s;
}

static struct work work_of(struct backend *b, struct layer *l)
{
    const struct product *p = l->product;
    unsigned rank = p->shape.rank;
    int64_t own[GRAPH_RANK_MAX] = {0};
    struct work w = {.l = l, .p = p, .planes = b->planes > 1 ? b->planes : 1};
    w.stream = side_of(b, l, !p->swapped);
    w.weights = side_of(b, l, p->swapped);
    w.stream_format = backend_format(b, w.stream.planes[0]);
    w.weights_format = backend_format(b, w.weights.planes[0]);
    w.rows = p->swapped ? p->n : p->m;
    w.columns = p->swapped ? p->m : p->n;
    place_strides(&b->places[l->y], &b->graph->values[l->y].shape, own);
    w.y = (struct vector_view){.at = place_origin(b, l->y), .format = backend_format(b, l->y)};
    for (unsigned d = 0; d < rank; d++)
        w.y.strides[d] = own[p->to[d]];
    w.y_row = w.y.strides[p->swapped ? rank - 1 : rank - 2];
    w.y_column = w.y.strides[p->swapped ? rank - 2 : rank - 1];
    if (l->residual != GRAPH_NONE) {
        w.residual = vector_view_of(b, l, l->residual, &p->shape);
        w.r_row = w.residual.strides[p->swapped ? rank - 1 : rank - 2];
        w.r_column = w.residual.strides[p->swapped ? rank - 2 : rank - 1];
    }
    return w;
}

/* --- patterns of one batch ------------------------------------------------------------------------------------------------ */

static uint64_t batch_offset(const struct product *p, const int64_t *strides, int64_t batch)
{
    int64_t offset = 0;
    for (unsigned d = p->shape.rank - 2; d-- > 0; batch /= p->shape.dims[d])
        offset += batch % p->shape.dims[d] * strides[d];
    return (uint64_t)offset;
}

static void rows_and_lanes(struct backend *b, unsigned number, uint64_t base, int64_t row, int64_t lane, int64_t element)
{
    struct weft_pattern pattern = pattern_blank(base);
    pattern.stride0 = (uint32_t)row;
    if (lane != element) {
        pattern.run_length = 1;
        pattern.run_stride = (uint32_t)lane;
    }
    emit_pattern(b, number, &pattern);
}

static void set_stream(struct backend *b, const struct work *w, int64_t batch)
{
    for (int i = 0; i < w->planes; i++) {
        uint64_t base = place_origin(b, w->stream.planes[i]) + batch_offset(w->p, w->stream.strides, batch);
        rows_and_lanes(b, STREAM + (unsigned)i, base, w->stream.across, w->stream.deep, weft_format_bytes(w->stream_format));
    }
}

static void set_weights(struct backend *b, const struct work *w, int64_t batch, int plane)
{
    const struct side *s = &w->weights;
    uint64_t base = place_origin(b, s->planes[plane]) + batch_offset(w->p, s->strides, batch);
    bool by_columns = w->p->tiling.by_columns;
    rows_and_lanes(b, WEIGHTS + (unsigned)plane, base, by_columns ? s->across : s->deep, by_columns ? s->deep : s->across,
                   weft_format_bytes(w->weights_format));
}

static void set_result(struct backend *b, const struct work *w, int64_t batch)
{
    rows_and_lanes(b, RESULT, w->y.at + batch_offset(w->p, w->y.strides, batch), w->y_row, w->y_column, weft_format_bytes(w->y.format));
    if (w->l->residual != GRAPH_NONE)
        rows_and_lanes(b, OTHER, w->residual.at + batch_offset(w->p, w->residual.strides, batch), w->r_row, w->r_column,
                       weft_format_bytes(w->residual.format));
}

static void set_vector(struct backend *b, const struct work *w)
{
    float domain = layer_domain(b, w->l);
    emit_set_float(b, REG_mul_a, backend_scale(b, w->stream.planes[0]) * backend_scale(b, w->weights.planes[0]) * w->p->factor / domain, 0);
    if (w->l->residual != GRAPH_NONE)
        emit_set_float(b, REG_mul_b, w->residual.mul / domain, w->residual.zero);
    emit_result(b, w->l, 1);
}

/* --- tiles ---------------------------------------------------------------------------------------------------------------- */

/* A sum: rows of accumulators that the tiles of one column, one below the other, add up in. As many sums as there are arrays go side by side:
 * tiles are dealt out in turn, so all of a sum land on one array, and no array waits for what another adds. */
struct sums { int64_t first_batch, count, deep /* tiles of one */, abreast; };

struct tile_at { int64_t sum /* of those abreast */, batch, chunk, nt, kt; int plane; };

static struct sums sums_of(const struct work *w, int64_t first_batch, int64_t batches)
{
    const struct tiling *t = &w->p->tiling;
    int64_t count = batches * t->chunks * t->n_tiles;
    return (struct sums){first_batch, count, t->k_tiles * w->planes, t->k_tiles * w->planes > 1 ? least(t->abreast, count) : 1};
}

/* Number i of all tiles, in the order in which they are pushed and taken. */
static struct tile_at tile_number(const struct work *w, const struct sums *s, int64_t i)
{
    const struct tiling *t = &w->p->tiling;
    int64_t group = i / (s->abreast * s->deep) * s->abreast, size = least(s->abreast, s->count - group), in = i % (s->abreast * s->deep);
    int64_t sum = group + in % size, column = sum % (t->chunks * t->n_tiles), depth = in / size;
    return (struct tile_at){.sum = sum - group, .batch = s->first_batch + sum / (t->chunks * t->n_tiles), .chunk = column / t->n_tiles,
                            .nt = column % t->n_tiles, .kt = depth / w->planes, .plane = (int)(depth % w->planes)};
}

static void push(struct backend *b, const struct work *w, const struct sums *s, int64_t number)
{
    struct tile_at at = tile_number(w, s, number);
    const struct weft_machine *m = b->machine;
    int64_t k0 = at.kt * (int64_t)m->rows, n0 = at.nt * (int64_t)m->columns;
    bool by_columns = w->p->tiling.by_columns;
    set_weights(b, w, at.batch, at.plane);
    struct weft_instr *i = emit(b, WEFT_OP_PUSH_WEIGHTS);
    i->a = (uint8_t)(WEIGHTS + at.plane);
    i->first_row = (uint32_t)(by_columns ? n0 : k0);
    i->first_lane = (uint32_t)(by_columns ? k0 : n0);
    i->k = (uint32_t)least(w->p->k - k0, (int64_t)m->rows);
    i->n = (uint32_t)least(w->columns - n0, (int64_t)m->columns);
    i->fmt = (uint8_t)w->weights_format;
    i->transpose = by_columns;
}

static void multiply(struct backend *b, const struct work *w, const struct tile_at *at, int64_t first, int64_t rows, uint64_t acc)
{
    set_stream(b, w, at->batch);
    for (int plane = 0; plane + at->plane < w->planes; plane++) {
        struct weft_instr *i = emit(b, WEFT_OP_CONVOLVE);
        i->a = (uint8_t)(STREAM + plane);
        i->first_row = (uint32_t)first;
        i->rows = (uint32_t)rows;
        i->first_lane = (uint32_t)(at->kt * (int64_t)b->machine->rows);
        i->acc = (uint32_t)acc;
        i->fmt = (uint8_t)w->stream_format;
        i->next = plane == 0;
        i->accumulate = at->kt || at->plane || plane;
        if (i->next)
            emit_take(b, TAKE_PUSHED);
    }
}

static void drain(struct backend *b, const struct work *w, const struct tile_at *at, int64_t first, int64_t rows, uint64_t acc)
{
    int64_t n0 = at->nt * (int64_t)b->machine->columns;
    set_result(b, w, at->batch);
    struct weft_instr *i = emit(b, WEFT_OP_ACTIVATE);
    i->acc = (uint32_t)acc;
    i->d = RESULT;
    i->first_row = (uint32_t)first;
    i->rows = (uint32_t)rows;
    i->first_lane = (uint32_t)n0;
    i->lanes = (uint32_t)least(w->columns - n0, (int64_t)b->machine->columns);
    i->fmt = (uint8_t)w->y.format;
    i->facc = w->stream_format == WEFT_FORMAT_bf16;
    i->func = (uint8_t)layer_function(b, w->l);
    if (w->l->residual != GRAPH_NONE) {
        i->residual = 1;
        i->b = OTHER;
        i->fmt_b = (uint8_t)w->residual.format;
    }
}

static void emit_sums(struct backend *b, const struct work *w, const struct sums *s)
{
    const struct tiling *t = &w->p->tiling;
    int64_t tiles = s->count * s->deep;
    bool ahead = b->machine->fifo_tiles > 1;
    uint64_t acc = 0;
    for (int64_t i = 0; i < tiles; i++) {
        struct tile_at at = tile_number(w, s, i);
        int64_t first = at.chunk * t->chunk_rows, rows = least(w->rows - first, t->chunk_rows);
        bool begins = at.kt == 0 && at.plane == 0, ends = at.kt + 1 == t->k_tiles && at.plane + 1 == w->planes;
        if (i == 0 || !ahead)
            push(b, w, s, i);
        if (ahead && i + 1 < tiles)
            push(b, w, s, i + 1);
        if (begins && at.sum == 0)
            acc = emit_claim_rows(b, s->abreast * t->chunk_rows);
        multiply(b, w, &at, first, rows, acc + (uint64_t)(at.sum * t->chunk_rows));
        if (ends)
            drain(b, w, &at, first, rows, acc + (uint64_t)(at.sum * t->chunk_rows));
        if (ends && waves_between(b, (double)(i + 1) / (double)tiles))
            set_vector(b, w);
    }
}

void emit_product(struct backend *b, struct layer *l)
{
    struct wave part = b->wave;
    int64_t parts = part.count > 1 ? part.count : 1, each = l->product->batches / parts;
    b->wave = (struct wave){0, 1}; /* views of all of it: the batches are counted here */
    struct work w = work_of(b, l);
    b->wave = part;
    struct sums sums = sums_of(&w, each * part.index, each);
    set_vector(b, &w);
    emit_sums(b, &w, &sums);
}
