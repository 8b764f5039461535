/* lower_index.c: gathering and scattering by lists of indices, which become places in the flat array. */
#include <stdlib.h>
#include <string.h>

#include "element.h"
#include "lower_build.h"

static bool want_indices(struct lower *l, unsigned input)
{
    enum element element = lower_value(l, input)->element;
    return element == ELEMENT_S64 || element == ELEMENT_S32 ||
           lower_refuse(l, "indices are %s; they must be int64 or int32", element_name(element));
}

/* Indices below 0 count from the end. Constants are checked here, others when they are used. */
static int count_from_front(struct lower *l, int indices, int64_t length)
{
    struct shape shape = build_shape(l, indices);
    double index;
    bool negative = !build_is_constant(l, indices);
    for (int64_t i = 0; build_is_constant(l, indices) && i < shape_count(&shape); i++) {
        if (!value_at(l->graph, indices, i, &index))
            return LOWER_POISON;
        if (index < (double)-length || index >= (double)length) {
            lower_refuse(l, "index %.0f; the dimension has %lld elements", index, (long long)length);
            return LOWER_POISON;
        }
        negative |= index < 0;
    }
    if (!negative)
        return indices;
    return build_where(l, build_with(l, CORE_LESS, indices, 0), build_with(l, CORE_ADD, indices, (double)length), indices);
}

static int flatten(struct lower *l, int x)
{
    struct shape shape = build_shape(l, x);
    int64_t count = shape_count(&shape);
    return build_reshape(l, x, 1, &count);
}

/* [1, ..., n, ..., 1]: the count along dimension `axis`, times `stride`. */
static int steps_along(struct lower *l, unsigned rank, unsigned axis, int64_t n, int64_t stride)
{
    int64_t dims[GRAPH_RANK_MAX];
    for (unsigned i = 0; i < rank; i++)
        dims[i] = i == axis ? n : 1;
    return build_reshape(l, build_with(l, CORE_MUL, build_count_up(l, ELEMENT_S64, n), (double)stride), rank, dims);
}

/* Of dimension `axis` in an array that has those before `end` alone. */
static int64_t stride_of(const struct shape *shape, unsigned axis, unsigned end)
{
    int64_t stride = 1;
    for (unsigned i = axis + 1; i < end; i++)
        stride *= shape->dims[i];
    return stride;
}

/* Where in flat x each element of an array of indices along `axis` points: the other coordinates are its own. */
static int places_along(struct lower *l, const struct shape *x, int indices, unsigned axis)
{
    struct shape shape = build_shape(l, indices);
    int places = build_cast(l, count_from_front(l, indices, x->dims[axis]), ELEMENT_S64);
    places = build_with(l, CORE_MUL, places, (double)stride_of(x, axis, x->rank));
    for (unsigned i = 0; i < x->rank; i++)
        if (i != axis && shape.dims[i] > 1)
            places = build_binary(l, CORE_ADD, places, steps_along(l, x->rank, i, shape.dims[i], stride_of(x, i, x->rank)));
    return places;
}

/* The same for tuples of `depth` coordinates, which stand last, behind `batch` dimensions that indices and x share: places among the rows that they
 * point to, which may be empty. */
static int places_of_tuples(struct lower *l, const struct shape *x, int indices, unsigned batch)
{
    struct shape shape = build_shape(l, indices);
    unsigned last = shape.rank - 1, depth = (unsigned)shape.dims[last], end = batch + depth;
    int places = GRAPH_NONE;
    for (unsigned k = 0; k < depth; k++) {
        unsigned axis = batch + k;
        int one = build_slice(l, indices, last, k, k + 1, 1);
        one = build_reshape(l, one, last, shape.dims);
        one = build_with(l, CORE_MUL, build_cast(l, count_from_front(l, one, x->dims[axis]), ELEMENT_S64), (double)stride_of(x, axis, end));
        places = places == GRAPH_NONE ? one : build_binary(l, CORE_ADD, places, one);
    }
    for (unsigned i = 0; i < batch; i++)
        if (shape.dims[i] > 1)
            places = build_binary(l, CORE_ADD, places, steps_along(l, last, i, shape.dims[i], stride_of(x, i, end)));
    return places;
}

static bool same_but(struct lower *l, const struct shape *x, const struct shape *indices, unsigned axis)
{
    bool fits = x->rank == indices->rank;
    char a[160], b[160];
    for (unsigned i = 0; fits && i < x->rank; i++)
        fits = i == axis || indices->dims[i] <= x->dims[i];
    return fits || lower_refuse(l, "indices are %s and do not lie in %s", shape_text(indices, a), shape_text(x, b));
}

bool lower_gather_elements(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0), indices;
    int64_t axis = lower_int(l, "axis", 0);
    if (!build_is_constant(l, l->in[0]) && !lower_parameter(l, 1))
        return false;
    indices = lower_shape(l, 1);
    if (l->failed || !lower_axis(l, &axis, x.rank) || !want_indices(l, 1) || !same_but(l, &x, &indices, (unsigned)axis))
        return false;
    return lower_done(l, build_gather(l, flatten(l, l->in[0]), 0, places_along(l, &x, l->in[1], (unsigned)axis)));
}

bool lower_gather_nd(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0), indices, flat = {.rank = 1, .dims = {1}};
    int64_t batch = lower_int(l, "batch_dims", 0), depth;
    char a[160], b[160];
    if (!build_is_constant(l, l->in[0]) && !lower_parameter(l, 1))
        return false;
    indices = lower_shape(l, 1);
    depth = indices.rank ? indices.dims[indices.rank - 1] : 0;
    if (l->failed || !want_indices(l, 1))
        return false;
    bool fits = batch >= 0 && batch < indices.rank && depth >= 1 && batch + depth <= x.rank;
    for (unsigned i = 0; fits && i < batch; i++)
        fits = x.dims[i] == indices.dims[i];
    if (!fits)
        return lower_refuse(l, "indices %s with batch_dims %lld do not fit %s", shape_text(&indices, a), (long long)batch, shape_text(&x, b));
    for (unsigned i = 0; i < x.rank; i++)
        if (i < batch + depth)
            flat.dims[0] *= x.dims[i];
        else
            flat.dims[flat.rank++] = x.dims[i];
    int places = places_of_tuples(l, &x, l->in[1], (unsigned)batch);
    return lower_done(l, build_gather(l, lower_reshape(l, l->in[0], &flat), 0, places));
}

/* --- scatter --------------------------------------------------------------------------------------------------------------------- */

enum { ROUNDS_MAX = 64 };

/* How an update meets what it finds. A row without an update meets `neutral`; where there is none, itself. */
struct reduction { const char *name; enum core_op op; bool has_neutral; double neutral; };
static const struct reduction reductions[] = {
    {"none"}, {"add", CORE_ADD, true, 0}, {"mul", CORE_MUL, true, 1}, {"max", CORE_MAX}, {"min", CORE_MIN}};

static const struct reduction *find_reduction(struct lower *l)
{
    char name[32];
    lower_string(l, "reduction", "none", name);
    for (size_t i = 0; i < sizeof reductions / sizeof *reductions && !l->failed; i++)
        if (!strcmp(name, reductions[i].name))
            return &reductions[i];
    if (!l->failed)
        lower_refuse(l, "reduction %s; none, add, mul, max and min are right", name);
    return NULL;
}

static bool read_scatter(struct lower *l, const struct reduction **reduction)
{
    *reduction = find_reduction(l);
    if (!*reduction || !lower_parameter(l, 1) || !want_indices(l, 1) || !lower_same_type(l, l->in[0], l->in[2]))
        return false;
    return build_is_constant(l, l->in[1]) ||
           lower_refuse(l, "indices (%s) are computed at run time; they must be constant", lower_value(l, 1)->name);
}

/* For each update, how many before it name the same row; returns the most that one row has, or -1 without memory. */
static int64_t number_updates(const struct lower *l, int places, int64_t count, int64_t rows, int64_t *row, int64_t *nth)
{
    int64_t *seen = calloc((size_t)rows + 1, sizeof *seen), most = 0;
    double place;
    if (!seen)
        return -1;
    for (int64_t i = 0; i < count; i++) {
        row[i] = value_at(l->graph, places, i, &place) && place >= 0 && place < (double)rows ? (int64_t)place : rows;
        nth[i] = seen[row[i]]++;
        most = row[i] < rows && nth[i] + 1 > most ? nth[i] + 1 : most;
    }
    free(seen);
    return most;
}

/* What rows without an update meet: one row of the neutral number, or x. */
static int meets(struct lower *l, int x, const struct reduction *how)
{
    struct shape row = build_shape(l, x);
    row.dims[0] = 1;
    return how->has_neutral ? build_expand(l, lower_scalar(l, build_element(l, x), how->neutral), &row) : x;
}

/* Round by round: the first update of every row, then the second of those that have one. Each is a gather at constant places and one operation. */
static int reduce_rounds(struct lower *l, int x, int updates, const struct reduction *how, int64_t rounds, int64_t count, const int64_t *row, const int64_t *nth,
                         int64_t *from)
{
    int64_t rows = build_shape(l, x).dims[0], own = how->has_neutral ? 1 : rows;
    int joined = build_concat(l, (int[]){meets(l, x, how), updates}, 2, 0);
    for (int64_t n = 0; n < rounds; n++) {
        for (int64_t i = 0; i < rows; i++)
            from[i] = how->has_neutral ? 0 : i;
        for (int64_t i = 0; i < count; i++)
            if (nth[i] == n)
                from[row[i]] = own + i;
        x = build_binary(l, how->op, x, build_places(l, joined, 0, from, rows));
    }
    return x;
}

static int reduce_into(struct lower *l, int x, int updates, int places, const struct reduction *how)
{
    int64_t rows = build_shape(l, x).dims[0], count = build_shape(l, updates).dims[0];
    int64_t *row = malloc((size_t)(count + 1) * sizeof *row), *nth = malloc((size_t)(count + 1) * sizeof *nth), *from = malloc((size_t)(rows + 1) * sizeof *from);
    int64_t rounds = row && nth && from ? number_updates(l, places, count, rows, row, nth) : -1;
    int result = LOWER_POISON;
    if (rounds < 0)
        lower_no_memory(l);
    else if (rounds > ROUNDS_MAX)
        lower_refuse(l, "%lld updates of one place; at most %d are supported", (long long)rounds, ROUNDS_MAX);
    else
        result = reduce_rounds(l, x, updates, how, rounds, count, row, nth, from);
    free(row);
    free(nth);
    free(from);
    return result;
}

/* Row i of the result is row i of x, or where a place names it a row of the updates behind x: one gather at constant places. */
static int replace_rows(struct lower *l, int x, int updates, int places)
{
    int64_t rows = build_shape(l, x).dims[0], count = build_shape(l, updates).dims[0];
    int64_t *from = malloc((size_t)(rows + 1) * sizeof *from);
    double place;
    if (!from || places < 0) {
        free(from);
        if (places >= 0)
            lower_no_memory(l);
        return LOWER_POISON;
    }
    for (int64_t i = 0; i < rows; i++)
        from[i] = i;
    for (int64_t i = 0; i < count; i++)
        if (value_at(l->graph, places, i, &place) && place >= 0 && place < (double)rows)
            from[(int64_t)place] = rows + i;
    int joined = build_concat(l, (int[]){x, updates}, 2, 0), result = build_places(l, joined, 0, from, rows);
    free(from);
    return result;
}

static int merge(struct lower *l, int x, int updates, int places, const struct reduction *how)
{
    if (x < 0 || updates < 0 || places < 0)
        return LOWER_POISON;
    return how == reductions ? replace_rows(l, x, updates, places) : reduce_into(l, x, updates, places, how);
}

/* Too many indices for the importer to have folded them: not known now. */
static bool want_known(struct lower *l, int places)
{
    return places < 0 ? false : build_is_constant(l, places) || lower_refuse(l, "%s; at most 65536 are supported", "too many indices");
}

bool lower_scatter_elements(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0), indices = lower_shape(l, 1), updates = lower_shape(l, 2);
    int64_t axis = lower_int(l, "axis", 0);
    char a[160], b[160];
    const struct reduction *how;
    if (l->failed || !read_scatter(l, &how) || !lower_axis(l, &axis, x.rank) || !same_but(l, &x, &indices, (unsigned)axis))
        return false;
    if (!shape_equal(&indices, &updates))
        return lower_refuse(l, "indices are %s and updates %s; they must be alike", shape_text(&indices, a), shape_text(&updates, b));
    int places = places_along(l, &x, l->in[1], (unsigned)axis);
    if (!want_known(l, places))
        return false;
    return lower_done(l, lower_reshape(l, merge(l, flatten(l, l->in[0]), flatten(l, l->in[2]), places, how), &x));
}

bool lower_scatter_nd(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0), indices = lower_shape(l, 1), updates = lower_shape(l, 2), rows = {.rank = 1, .dims = {1}}, wanted = {0}, flat;
    int64_t depth = indices.rank ? indices.dims[indices.rank - 1] : 0;
    char a[160], b[160];
    const struct reduction *how;
    if (!read_scatter(l, &how))
        return false;
    if (depth < 1 || depth > x.rank)
        return lower_refuse(l, "indices %s name %lld coordinates; the input has %u", shape_text(&indices, a), (long long)depth, x.rank);
    if (indices.rank - 1 + x.rank - depth > GRAPH_RANK_MAX)
        return lower_refuse(l, "updates would have %lld dimensions; at most %d are supported", (long long)(indices.rank - 1 + x.rank - depth), GRAPH_RANK_MAX);
    for (unsigned i = 0; i + 1 < indices.rank; i++)
        wanted.dims[wanted.rank++] = indices.dims[i];
    for (unsigned i = 0; i < x.rank; i++)
        if (i < depth)
            rows.dims[0] *= x.dims[i];
        else
            rows.dims[rows.rank++] = wanted.dims[wanted.rank++] = x.dims[i];
    if (!shape_equal(&wanted, &updates))
        return lower_refuse(l, "updates are %s; they must be %s", shape_text(&updates, a), shape_text(&wanted, b));
    int places = places_of_tuples(l, &x, l->in[1], 0);
    if (!want_known(l, places))
        return false;
    flat = rows;
    flat.dims[0] = 1;
    for (unsigned i = 0; i + 1 < indices.rank; i++)
        flat.dims[0] *= indices.dims[i];
    int y = merge(l, lower_reshape(l, l->in[0], &rows), lower_reshape(l, l->in[2], &flat), places, how);
    return lower_done(l, lower_reshape(l, y, &x));
}
