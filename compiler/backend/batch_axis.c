/* batch_axis.c: where in each value the inferences of the batch stand. A batch may run in parts only if no node mixes them: then each value that depends on
 * the inputs has one dimension that counts them, with `inner` elements of it to an inference, perhaps several times over (rows of steps by inferences); and
 * outputs have them outermost. What is not known to keep them apart is taken to mix them. */
#include "batch_axis.h"

#include <stdlib.h>
#include <string.h>

static const struct batch_axis none = {BATCH_NONE, 0}, mixed = {BATCH_MIXED, 0};

struct follow { struct graph *g; struct batch_axis *axes; int64_t batch; };

static const struct shape *shape_of(const struct follow *f, int value)
{
    return &f->g->values[value].shape;
}

static struct batch_axis axis_of(const struct follow *f, const struct node *n, unsigned input)
{
    return input < n->input_count && n->inputs[input] != GRAPH_NONE ? f->axes[n->inputs[input]] : none;
}

static bool has_batch(const struct follow *f, const struct node *n, unsigned input)
{
    return axis_of(f, n, input).axis != BATCH_NONE;
}

static int64_t stride_of(const struct shape *s, int axis)
{
    int64_t stride = 1;
    for (unsigned d = (unsigned)axis + 1; d < s->rank; d++)
        stride *= s->dims[d];
    return stride;
}

/* A constant that says the same of all inferences, though it has a place for each (the initial state of a recurrent layer). */
static bool is_uniform(const struct follow *f, int value, int axis, int64_t inner)
{
    const struct value *v = &f->g->values[value];
    if (v->contents != CONTENTS_BYTES)
        return v->contents == CONTENTS_FILL;
    if (v->shape.dims[axis] % (f->batch * inner))
        return false;
    size_t block = (size_t)(inner * stride_of(&v->shape, axis)) * element_bytes(v->element);
    int64_t blocks = shape_count(&v->shape) / (inner * stride_of(&v->shape, axis));
    for (int64_t k = 0; k < blocks; k++)
        if (memcmp((const char *)v->bytes + (size_t)k * block, (const char *)v->bytes + (size_t)(k - k % f->batch) * block, block))
            return false;
    return true;
}

/* An operand without inferences, beside one that has them in dimension `axis` of the result. */
static bool fits_all(const struct follow *f, int value, int rank, struct batch_axis at)
{
    const struct shape *s = shape_of(f, value);
    int own = at.axis - (rank - (int)s->rank);
    return own < 0 || s->dims[own] == 1 || is_uniform(f, value, own, at.inner);
}

static bool others_are_constant(const struct follow *f, const struct node *n, unsigned a, unsigned b)
{
    for (unsigned i = 0; i < n->input_count; i++)
        if (i != a && i != b && has_batch(f, n, i))
            return false;
    return true;
}

static struct batch_axis aligned(const struct follow *f, const struct node *n, unsigned input, int rank)
{
    struct batch_axis at = axis_of(f, n, input);
    at.axis = at.axis == BATCH_NONE ? BATCH_NONE : at.axis + rank - (int)shape_of(f, n->inputs[input])->rank;
    return at;
}

static bool same(struct batch_axis a, struct batch_axis b)
{
    return a.axis == b.axis && a.inner == b.inner;
}

/* Operands meet from the innermost dimension on: all that have the batch have it in one place, where the others have nothing. */
static struct batch_axis broadcast(const struct follow *f, const struct node *n)
{
    struct batch_axis found = none;
    int rank = (int)shape_of(f, n->outputs[0])->rank;
    for (unsigned i = 0; i < n->input_count; i++) {
        struct batch_axis own = aligned(f, n, i, rank);
        if (own.axis != BATCH_NONE && found.axis != BATCH_NONE && !same(own, found))
            return mixed;
        found = own.axis == BATCH_NONE ? found : own;
    }
    for (unsigned i = 0; i < n->input_count; i++)
        if (n->inputs[i] != GRAPH_NONE && !has_batch(f, n, i) && !fits_all(f, n->inputs[i], rank, found))
            return mixed;
    return found;
}

/* Rows of a, columns of b, or a dimension in front of both. */
static struct batch_axis product(const struct follow *f, const struct node *n, unsigned second)
{
    int rank = (int)shape_of(f, n->outputs[0])->rank;
    struct batch_axis a = aligned(f, n, 0, rank), b = aligned(f, n, second, rank), found = a.axis != BATCH_NONE ? a : b;
    if (!others_are_constant(f, n, 0, second) || shape_of(f, n->inputs[0])->rank < 2 || shape_of(f, n->inputs[second])->rank < 2)
        return mixed;
    if (a.axis == rank - 1 || b.axis == rank - 2)
        return mixed; /* summed over */
    if (a.axis != BATCH_NONE && b.axis != BATCH_NONE)
        return same(a, b) && a.axis < rank - 2 ? a : mixed;
    return found.axis >= rank - 2 || fits_all(f, n->inputs[a.axis != BATCH_NONE ? second : 0], rank, found) ? found : mixed;
}

static struct batch_axis gemm(const struct follow *f, const struct node *n)
{
    struct batch_axis a = axis_of(f, n, 0), c = axis_of(f, n, 2);
    bool added = n->input_count < 3 || n->inputs[2] == GRAPH_NONE || (c.axis == BATCH_NONE ? fits_all(f, n->inputs[2], 2, a) : same(a, c) && shape_of(f, n->inputs[2])->rank == 2);
    return a.axis == 0 && !n->at.trans_a && !has_batch(f, n, 1) && added ? a : mixed;
}

static struct batch_axis reduction(const struct node *n, struct batch_axis x)
{
    int before = 0;
    for (unsigned i = 0; i < n->at.axis_count; i++) {
        if (n->at.axes[i] == x.axis)
            return mixed;
        before += n->at.axes[i] < x.axis;
    }
    x.axis -= n->at.keep_dims ? 0 : before;
    return n->at.axis_count ? x : mixed;
}

/* The dimension in which as many elements stand to an inference as before. */
static struct batch_axis reshape(const struct follow *f, const struct node *n, struct batch_axis x)
{
    const struct shape *from = shape_of(f, n->inputs[0]), *to = shape_of(f, n->outputs[0]);
    int64_t step = x.inner * stride_of(from, x.axis);
    for (unsigned d = 0; d < to->rank; d++) {
        int64_t stride = stride_of(to, (int)d);
        if (step % stride == 0 && to->dims[d] % (f->batch * (step / stride)) == 0)
            return (struct batch_axis){(int)d, step / stride};
    }
    return mixed;
}

static struct batch_axis transpose(const struct node *n, const struct shape *y, struct batch_axis x)
{
    for (unsigned d = 0; d < y->rank; d++)
        if (n->at.perm[d] == x.axis)
            return (struct batch_axis){(int)d, x.inner};
    return mixed;
}

static struct batch_axis gather(const struct follow *f, const struct node *n)
{
    struct batch_axis data = axis_of(f, n, 0), indices = axis_of(f, n, 1);
    if (data.axis == BATCH_NONE) /* rows of a table */
        return (struct batch_axis){(int)n->at.axis + indices.axis, indices.inner};
    if (indices.axis != BATCH_NONE || data.axis == n->at.axis)
        return mixed;
    data.axis += data.axis < n->at.axis ? 0 : (int)shape_of(f, n->inputs[1])->rank - 1;
    return data;
}

/* Along the batch's own dimension: whole rounds of it, one behind the other. */
static struct batch_axis concat(const struct follow *f, const struct node *n)
{
    struct batch_axis x = none;
    int rank = (int)shape_of(f, n->outputs[0])->rank;
    for (unsigned i = 0; i < n->input_count; i++)
        x = has_batch(f, n, i) ? axis_of(f, n, i) : x;
    for (unsigned i = 0; i < n->input_count; i++)
        if (has_batch(f, n, i) ? !same(axis_of(f, n, i), x) : !fits_all(f, n->inputs[i], rank, x) || shape_of(f, n->inputs[i])->dims[x.axis] % (f->batch * x.inner))
            return mixed;
    return x;
}

/* Whole rounds of the batch are left. */
static struct batch_axis cut(const struct follow *f, const struct node *n, struct batch_axis x)
{
    int64_t round = f->batch * x.inner, extent = shape_of(f, n->outputs[0])->dims[x.axis];
    bool whole = n->op == CORE_PAD ? !n->at.begins[x.axis] && !n->at.ends[x.axis] : n->at.begins[x.axis] % round == 0 && n->at.steps[x.axis] == 1 && extent % round == 0;
    return whole ? x : mixed;
}

static struct batch_axis result_axis(const struct follow *f, const struct node *n)
{
    struct batch_axis x = axis_of(f, n, 0);
    switch (n->op) {
    case CORE_CONV:
    case CORE_QCONV:
    case CORE_CONV_INTEGER:
    case CORE_BATCHNORM:
    case CORE_MAXPOOL:
    case CORE_AVERAGEPOOL:
    case CORE_LRN:
        return x.axis == 0 && others_are_constant(f, n, 0, 0) ? x : mixed;
    case CORE_GEMM:
        return gemm(f, n);
    case CORE_MATMUL:
    case CORE_MATMUL_INTEGER:
        return product(f, n, 1);
    case CORE_QMATMUL:
        return product(f, n, 3);
    case CORE_SOFTMAX:
        return n->at.axis == x.axis ? mixed : x;
    case CORE_REDUCE_MEAN:
    case CORE_REDUCE_SUM:
    case CORE_REDUCE_SQUARES:
    case CORE_REDUCE_MEAN_SQUARES:
    case CORE_REDUCE_MAX:
        return reduction(n, x);
    case CORE_CONCAT:
        return concat(f, n);
    case CORE_RESHAPE:
        return reshape(f, n, x);
    case CORE_TRANSPOSE:
        return transpose(n, shape_of(f, n->outputs[0]), x);
    case CORE_PAD:
    case CORE_SLICE:
        return cut(f, n, x);
    case CORE_GATHER:
        return gather(f, n);
    case CORE_QUANTIZE:
    case CORE_DEQUANTIZE:
        return others_are_constant(f, n, 0, 0) && (shape_count(shape_of(f, n->inputs[1])) == 1 || n->at.axis != x.axis) ? x : mixed;
    default:
        return broadcast(f, n); /* element by element */
    }
}

static bool depends(const struct follow *f, const struct node *n)
{
    return !others_are_constant(f, n, n->input_count, n->input_count);
}

static bool follow_all(const struct follow *f)
{
    const struct graph *g = f->g;
    for (unsigned i = 0; i < g->input_count; i++)
        f->axes[g->inputs[i]] = (struct batch_axis){0, 1};
    for (int i = 0; i < g->node_count; i++) {
        const struct node *n = &g->nodes[i];
        if (n->dead || !n->output_count || !depends(f, n))
            continue;
        struct batch_axis at = result_axis(f, n);
        if (at.axis < 0 || n->output_count > 1)
            return false;
        f->axes[n->outputs[0]] = at;
    }
    for (unsigned i = 0; i < g->output_count; i++) {
        struct batch_axis at = f->axes[g->outputs[i]];
        if (at.axis != 0 || at.inner * f->batch != shape_of(f, g->outputs[i])->dims[0])
            return false;
    }
    return true;
}

struct batch_axis *batch_axes(struct graph *g, int64_t batch)
{
    struct follow f = {g, malloc(((size_t)g->value_count + 1) * sizeof *f.axes), batch};
    for (int v = 0; f.axes && v < g->value_count; v++)
        f.axes[v] = none;
    if (f.axes && follow_all(&f))
        return f.axes;
    free(f.axes);
    return NULL;
}
