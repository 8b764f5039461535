/* lower_matrix.c: products of matrices. The machine multiplies what the network computes by a constant that stands second; where the
 * file has it the other way round, (A B) is computed as (B^T A^T)^T. */
#include "lower_build.h"

int lower_transpose_last(struct lower *l, int value)
{
    if (value == LOWER_POISON)
        return value;
    struct shape shape = l->graph->values[value].shape;
    struct attributes at = {0};
    unsigned r = shape.rank;
    int64_t columns = shape.dims[r - 1];
    for (unsigned d = 0; d < r; d++)
        at.perm[d] = d + 2 < r ? d : 2 * r - 3 - d;
    shape.dims[r - 1] = shape.dims[r - 2];
    shape.dims[r - 2] = columns;
    return lower_emit(l, CORE_TRANSPOSE, &value, 1, &at, l->graph->values[value].element, &shape);
}

static bool matmul_shape(struct lower *l, unsigned a_at, unsigned b_at, struct shape *out)
{
    struct shape a = lower_shape(l, a_at), b = lower_shape(l, b_at), heads_a = a, heads_b = b;
    char as[160], bs[160];
    if (!a.rank || !b.rank)
        return lower_refuse(l, "an input has no dimensions; a matrix product needs one at least");
    int64_t inner_a = a.dims[a.rank - 1], inner_b = b.dims[b.rank > 1 ? b.rank - 2 : 0];
    heads_a.rank = a.rank > 2 ? a.rank - 2 : 0;
    heads_b.rank = b.rank > 2 ? b.rank - 2 : 0;
    if (inner_a != inner_b || !shape_broadcast(out, &heads_a, &heads_b))
        return lower_refuse(l, "shapes %s and %s do not multiply", shape_text(&a, as), shape_text(&b, bs));
    if (out->rank + 2 > GRAPH_RANK_MAX)
        return lower_refuse(l, "too many dimensions");
    if (a.rank > 1)
        out->dims[out->rank++] = a.dims[a.rank - 2];
    if (b.rank > 1)
        out->dims[out->rank++] = b.dims[b.rank - 1];
    return true;
}

/* A vector becomes a row (first operand) or a column (second); the result's shape grows by the same dimension. */
static void make_matrices(struct lower *l, unsigned a_at, unsigned b_at, struct shape *out)
{
    struct shape a = lower_shape(l, a_at), b = lower_shape(l, b_at);
    if (a.rank == 1) {
        l->in[a_at] = lower_reshape(l, l->in[a_at], &(struct shape){2, {1, a.dims[0]}});
        if (b.rank > 1)
            out->dims[out->rank] = out->dims[out->rank - 1];
        out->dims[b.rank > 1 ? out->rank - 1 : 0] = 1;
        out->rank++;
    }
    if (b.rank == 1) {
        l->in[b_at] = lower_reshape(l, l->in[b_at], &(struct shape){2, {b.dims[0], 1}});
        out->dims[out->rank++] = 1;
    }
}

static int multiply(struct lower *l, enum core_op op, unsigned a_at, unsigned b_at, unsigned count, enum element element,
                    const struct shape *out)
{
    struct shape matrix = *out;
    int value;
    make_matrices(l, a_at, b_at, &matrix);
    if (op == CORE_MATMUL && build_leads_to_constant(l, l->in[0]) && !build_leads_to_constant(l, l->in[1])) {
        struct shape turned = matrix;
        turned.dims[matrix.rank - 1] = matrix.dims[matrix.rank - 2];
        turned.dims[matrix.rank - 2] = matrix.dims[matrix.rank - 1];
        int operands[] = {lower_transpose_last(l, l->in[1]), lower_transpose_last(l, l->in[0])};
        value = lower_transpose_last(l, lower_emit(l, op, operands, 2, NULL, element, &turned));
    } else {
        value = lower_emit(l, op, l->in, count, NULL, element, &matrix);
    }
    return lower_reshape(l, value, out);
}

bool lower_matmul(struct lower *l, const struct onnx_op *op)
{
    struct shape out;
    if (!lower_want_float(l, 0) || !lower_same_type(l, l->in[0], l->in[1]) || !matmul_shape(l, 0, 1, &out))
        return false;
    return lower_done(l, multiply(l, CORE_MATMUL, 0, 1, 2, lower_value(l, 0)->element, &out));
}

static bool want_bytes(struct lower *l, unsigned input)
{
    enum element element = lower_value(l, input)->element;
    return element == ELEMENT_U8 || element == ELEMENT_S8 ||
           lower_refuse(l, "input %u is %s; it must be uint8 or int8", input + 1, element_name(element));
}

/* Also the 16 bits that --dump-after prints behind pass_zeros: weights less their zero points. */
bool lower_want_weights(struct lower *l, unsigned input)
{
    const struct value *w = lower_value(l, input);
    bool fine = w->element == ELEMENT_S16 && value_is_constant(w) && !lower_given(l, input + 2);
    for (int64_t i = 0, count = fine ? shape_count(&w->shape) : 0; fine && i < count; i++) {
        double x = 0;
        fine = !value_at(l->graph, l->in[input], i, &x) || (x >= -255 && x <= 255);
    }
    return fine || want_bytes(l, input);
}

static bool check_zero(struct lower *l, unsigned of, unsigned zero, int64_t many, const char *what)
{
    if (!lower_given(l, zero))
        return true;
    const struct value *v = lower_value(l, zero);
    char text[160];
    int64_t count = shape_count(&v->shape);
    if (v->element != lower_value(l, of)->element)
        return lower_refuse(l, "input %u is %s and its zero point %s; they must be one type", of + 1, element_name(lower_value(l, of)->element), element_name(v->element));
    return count == 1 || (many > 1 && count == many) ||
           (many > 1 ? lower_refuse(l, "the zero point of input %u is %s; one number, or one for each of the %lld %s, are right", of + 1, shape_text(&v->shape, text), (long long)many, what)
                     : lower_refuse(l, "the zero point of input %u is %s; one number is right", of + 1, shape_text(&v->shape, text)));
}

bool lower_check_zeros(struct lower *l, int64_t rows, int64_t columns, const char *what)
{
    if (lower_given(l, 3) && !value_is_constant(lower_value(l, 3)))
        return lower_refuse(l, "the zero point of the weights must be constant; input 4 (%s) is computed at run time", lower_value(l, 3)->name);
    return check_zero(l, 0, 2, rows, "rows") && check_zero(l, 1, 3, columns, what);
}

bool lower_matmul_integer(struct lower *l, const struct onnx_op *op)
{
    struct shape out;
    if (!lower_parameter(l, 1) || !lower_parameter(l, 3) || !want_bytes(l, 0) || !lower_want_weights(l, 1) || !matmul_shape(l, 0, 1, &out))
        return false;
    struct shape a = lower_shape(l, 0), b = lower_shape(l, 1);
    if (!lower_check_zeros(l, a.rank > 1 ? a.dims[a.rank - 2] : 1, b.rank > 1 ? b.dims[b.rank - 1] : 1, "columns"))
        return false;
    return lower_done(l, multiply(l, CORE_MATMUL_INTEGER, 0, 1, l->in_count, ELEMENT_S32, &out));
}

bool lower_qlinear_matmul(struct lower *l, const struct onnx_op *op)
{
    struct shape out;
    if (!lower_parameters(l, 1, 7) || !want_bytes(l, 0) || !want_bytes(l, 3) || !want_bytes(l, 7) || !matmul_shape(l, 0, 3, &out))
        return false;
    for (unsigned i = 1; i < 8; i++)
        if (i != 3 && !value_is_constant(lower_value(l, i)))
            return lower_refuse(l, "scales and zero points must be constant; input %u is computed at run time", i + 1);
    return lower_done(l, multiply(l, CORE_QMATMUL, 0, 3, 8, lower_value(l, 7)->element, &out));
}

static bool gemm_addend(struct lower *l, const struct shape *out)
{
    struct shape c = lower_shape(l, 2), both;
    char cs[160], os[160];
    if (!lower_same_type(l, l->in[0], l->in[2]))
        return false;
    return (shape_broadcast(&both, &c, out) && shape_equal(&both, out)) ||
           lower_refuse(l, "C is %s and does not broadcast to %s", shape_text(&c, cs), shape_text(out, os));
}

/* May C stay with the product? One constant number a column, or one in all. */
static bool is_bias(struct lower *l, const struct shape *out)
{
    struct shape c = lower_shape(l, 2);
    if (!build_leads_to_constant(l, l->in[2]) || (c.rank == 2 && c.dims[0] != 1))
        return false;
    return !c.rank || c.dims[c.rank - 1] == 1 || c.dims[c.rank - 1] == out->dims[1];
}

static int scaled(struct lower *l, int value, float factor)
{
    return factor == 1 || value == LOWER_POISON ? value : lower_broadcast(l, CORE_MUL, value, lower_scalar(l, l->graph->values[value].element, factor));
}

/* Of two computed operands: matmul, which takes its transposes, factor and addend with it on the machine. C is scaled first, so that it is there. */
static int emit_computed(struct lower *l, const struct attributes *at, const struct shape *out)
{
    int c = lower_given(l, 2) ? scaled(l, l->in[2], at->beta) : GRAPH_NONE;
    int operands[] = {at->trans_a ? lower_transpose_last(l, l->in[0]) : l->in[0], at->trans_b ? lower_transpose_last(l, l->in[1]) : l->in[1]};
    int value = scaled(l, lower_emit(l, CORE_MATMUL, operands, 2, NULL, lower_value(l, 0)->element, out), at->alpha);
    return c == GRAPH_NONE || value == LOWER_POISON ? value : lower_broadcast(l, CORE_ADD, value, c);
}

/* The product with the constant second and the first operand as it stands in memory; C beside it where it is no bias. */
static int emit_gemm(struct lower *l, struct attributes at, const struct shape *out)
{
    enum element element = lower_value(l, 0)->element;
    bool first = build_leads_to_constant(l, l->in[0]), second = build_leads_to_constant(l, l->in[1]);
    bool computed = !first || !second, turned = first && !second;
    bool addend = lower_given(l, 2), bias = addend && (!computed || (!turned && is_bias(l, out)));
    int operands[] = {l->in[turned], l->in[!turned], addend ? l->in[2] : GRAPH_NONE};
    struct shape shape = *out;
    if (turned) {
        bool trans_a = at.trans_a;
        at.trans_a = !at.trans_b;
        at.trans_b = !trans_a;
        shape = (struct shape){2, {out->dims[1], out->dims[0]}};
    }
    if (at.trans_a && computed) {
        operands[0] = lower_transpose_last(l, operands[0]);
        at.trans_a = false;
    }
    int value = lower_emit(l, CORE_GEMM, operands, bias ? 3 : 2, &at, element, &shape);
    if (turned)
        value = lower_transpose_last(l, value);
    return addend && !bias && value != LOWER_POISON ? lower_broadcast(l, CORE_ADD, value, scaled(l, l->in[2], at.beta)) : value;
}

bool lower_gemm(struct lower *l, const struct onnx_op *op)
{
    struct attributes at = {.alpha = lower_float(l, "alpha", 1),
                            .beta = lower_float(l, "beta", 1),
                            .trans_a = lower_int(l, "transA", 0) != 0,
                            .trans_b = lower_int(l, "transB", 0) != 0};
    struct shape a = lower_shape(l, 0), b = lower_shape(l, 1);
    char as[160], bs[160];
    if (l->failed || !lower_want_float(l, 0) || !lower_same_type(l, l->in[0], l->in[1]))
        return false;
    if (a.rank != 2 || b.rank != 2)
        return lower_refuse(l, "inputs are %s and %s; both must have two dimensions", shape_text(&a, as), shape_text(&b, bs));
    if (a.dims[!at.trans_a] != b.dims[at.trans_b])
        return lower_refuse(l, "shapes %s%s and %s%s do not multiply", shape_text(&a, as), at.trans_a ? " transposed" : "",
                            shape_text(&b, bs), at.trans_b ? " transposed" : "");
    struct shape out = {.rank = 2, .dims = {a.dims[at.trans_a], b.dims[!at.trans_b]}};
    if (lower_given(l, 2) && !gemm_addend(l, &out))
        return false;
    bool constants = build_leads_to_constant(l, l->in[0]) || build_leads_to_constant(l, l->in[1]);
    return lower_done(l, constants ? emit_gemm(l, at, &out) : emit_computed(l, &at, &out));
}
