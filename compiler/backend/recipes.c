/* recipes.c: the operators that the vector unit does in several steps, or in one whose result is clamped to integers.
 *
 * Multiplied by infinity, a difference becomes an infinity of its sign, or NaN where there is none; rounded to integers they saturate and NaN
 * gives zero. So "a > b" is (a - b) x inf, clamped to 0..1: exact, equal infinities included. */
#include "emit.h"
#include "fuse.h"
#include "steps.h"

#include <math.h>
#include <stdio.h>

enum { POWER_MAX = 64 /* whole exponents up to here are products */ };

static const enum weft_format f32 = WEFT_FORMAT_f32;

static struct vector_step function_of(enum weft_function f)
{
    struct vector_step step = step_of(WEFT_OP_COPY);
    step.function = f;
    return step;
}

static struct vector_step flag_of(enum weft_opcode op, float mul_out, int32_t add)
{
    struct vector_step step = step_of(op);
    step.mul_out = mul_out;
    step.add = add;
    step.low = 0;
    step.high = 1;
    return step;
}

static enum weft_status refuse(const struct steps *s, const char *why)
{
    const struct node *n = &s->b->graph->nodes[s->layer.node];
    return weft_error(s->b->diag, "%s: node %s (%s): %s", s->b->graph->name, n->name, n->onnx_type ? n->onnx_type : core_op_name(n->op), why);
}

/* --- choosing ------------------------------------------------------------------------------------------------------------ */

/* c ? a : b. limit is +inf where a is wanted and -inf where b is; the smaller of a and limit is a or -inf, and the same for b and -limit. */
static enum weft_status where(struct steps *s)
{
    struct vector_step limits = step_of(WEFT_OP_SUB), not_a = step_of(WEFT_OP_MIN);
    limits.mul_out = INFINITY;
    not_a.mul_b = -1;
    int limit = steps_add(s, limits, s->layer.x, steps_constant(s, 0.5f), f32);
    int a = steps_add(s, step_of(WEFT_OP_MIN), s->layer.other, limit, f32);
    int b = steps_add(s, not_a, s->layer.residual, limit, f32);
    steps_last(s, step_of(WEFT_OP_MAX), a, b);
    return WEFT_OK;
}

/* A comparison that takes NaN for equality, and so needs to know where it is: the larger of a, b and 1 is above zero, or NaN. */
static enum weft_status of_numbers(struct steps *s, struct vector_step step)
{
    int a = s->layer.x, b = s->layer.other;
    if (!backend_value_is_real(s->b, a)) {
        steps_last(s, step, a, b);
        return WEFT_OK;
    }
    int holds = steps_add(s, step, a, b, WEFT_FORMAT_u8);
    int larger = steps_add(s, step_of(WEFT_OP_MAX), a, b, f32);
    int number = steps_add(s, flag_of(WEFT_OP_MAX, INFINITY, 0), larger, steps_constant(s, 1), WEFT_FORMAT_u8);
    steps_last(s, flag_of(WEFT_OP_MIN, 1, 0), holds, number);
    return WEFT_OK;
}

static enum weft_status equal(struct steps *s)
{
    struct vector_step step = flag_of(WEFT_OP_SUB, -INFINITY, 1);
    step.function = WEFT_FUNCTION_abs;
    return of_numbers(s, step);
}

/* a < b and a <= b: b - a is above zero, or not below it. */
static enum weft_status less(struct steps *s, bool or_equal)
{
    if (or_equal)
        return of_numbers(s, flag_of(WEFT_OP_SUB, -INFINITY, 1));
    steps_last(s, flag_of(WEFT_OP_SUB, INFINITY, 0), s->layer.other, s->layer.x);
    return WEFT_OK;
}

static enum weft_status logic(struct steps *s, enum weft_opcode op, enum weft_function function)
{
    struct vector_step step = flag_of(op, 1, 0);
    step.function = function;
    steps_last(s, step, s->layer.x, s->layer.other);
    return WEFT_OK;
}

static enum weft_status negate(struct steps *s)
{
    steps_last(s, flag_of(WEFT_OP_COPY, -1, 1), s->layer.x, GRAPH_NONE);
    return WEFT_OK;
}

/* Through integers, in which multiples of infinity saturate. */
static enum weft_status sign(struct steps *s)
{
    struct vector_step step = flag_of(WEFT_OP_COPY, INFINITY, 0);
    step.low = -1;
    steps_last(s, step_of(WEFT_OP_COPY), steps_add(s, step, s->layer.x, GRAPH_NONE, WEFT_FORMAT_s8), GRAPH_NONE);
    return WEFT_OK;
}

static enum weft_status round_even(struct steps *s)
{
    steps_last(s, step_of(WEFT_OP_COPY), steps_add(s, step_of(WEFT_OP_COPY), s->layer.x, GRAPH_NONE, WEFT_FORMAT_s32), GRAPH_NONE);
    return WEFT_OK;
}

/* The larger of x and 1 is a number above zero, and NaN where x is. */
static enum weft_status is_nan(struct steps *s)
{
    steps_last(s, flag_of(WEFT_OP_MAX, -INFINITY, 1), s->layer.x, steps_constant(s, 1));
    return WEFT_OK;
}

/* --- conversions --------------------------------------------------------------------------------------------------------- */

/* Towards zero: the floor of what is above zero, less the floor of what is below it turned round. */
static void truncate(struct steps *s, int x)
{
    int zero = steps_constant(s, 0);
    struct vector_step above = step_of(WEFT_OP_MAX), below = above;
    above.function = below.function = WEFT_FUNCTION_floor;
    below.mul_a = -1;
    int up = steps_add(s, above, x, zero, f32), down = steps_add(s, below, x, zero, f32);
    steps_last(s, step_of(WEFT_OP_SUB), up, down);
}

static bool narrows(const struct backend *b, int x, int y)
{
    return !backend_value_is_real(b, x) && !backend_value_is_real(b, y) && weft_format_bytes(backend_format(b, y)) <= weft_format_bytes(backend_format(b, x));
}

/* uint16 stands in s32: what is below zero or above counts modulo 2^16. x - 65536 floor(x / 65536) is exact up to 2^24. */
static void wrap(struct steps *s, int x)
{
    struct vector_step whole = step_of(WEFT_OP_COPY), rest = step_of(WEFT_OP_SUB);
    whole.mul_a = 1.0f / 65536;
    whole.function = WEFT_FUNCTION_floor;
    rest.mul_b = 65536;
    steps_last(s, rest, x, steps_add(s, whole, x, GRAPH_NONE, f32));
}

static bool wraps(const struct backend *b, int x, int y)
{
    enum element e = b->graph->values[x].element;
    return b->graph->values[y].element == ELEMENT_U16 && !backend_value_is_real(b, x) && e != ELEMENT_U8 && e != ELEMENT_U16 && e != ELEMENT_BOOL;
}

static enum weft_status cast(struct steps *s)
{
    int x = s->layer.x, y = s->layer.y;
    struct vector_step truth = flag_of(WEFT_OP_COPY, INFINITY, 0);
    truth.function = WEFT_FUNCTION_abs;
    if (s->b->graph->values[y].element == ELEMENT_BOOL)
        steps_last(s, truth, x, GRAPH_NONE);
    else if (backend_value_is_real(s->b, x) && !backend_value_is_real(s->b, y))
        truncate(s, x);
    else if (wraps(s->b, x, y))
        wrap(s, x);
    else if (narrows(s->b, x, y))
        steps_narrow(s, x);
    else
        steps_last(s, step_of(WEFT_OP_COPY), x, GRAPH_NONE);
    return WEFT_OK;
}

/* A scale or zero point that belongs to one axis, as something that broadcasts against x. */
static int along_axis(struct steps *s, int value)
{
    const struct node *n = &s->b->graph->nodes[s->layer.node];
    const struct shape *own = &s->b->graph->values[value].shape, *x = &s->b->graph->values[s->layer.x].shape;
    if (shape_count(own) == 1 || own->rank != 1)
        return value;
    struct shape shape = {.rank = x->rank};
    for (unsigned d = 0; d < x->rank; d++)
        shape.dims[d] = d == (n->at.axis < 0 ? n->at.axis + x->rank : n->at.axis) ? own->dims[0] : 1;
    return steps_reshape(s, value, &shape);
}

static bool no_zero_point(const struct steps *s, double *zero)
{
    *zero = 0;
    return s->layer.residual == GRAPH_NONE || steps_uniform(s, s->layer.residual, zero);
}

/* round(x / scale) + zero: the zero point is added to an integer. */
static enum weft_status quantise(struct steps *s)
{
    struct vector_step divide = step_of(WEFT_OP_DIV);
    int scale = along_axis(s, s->layer.other);
    double zero;
    if (no_zero_point(s, &zero)) {
        divide.add = (int32_t)zero;
        steps_last(s, divide, s->layer.x, scale);
        return WEFT_OK;
    }
    int code = steps_add(s, divide, s->layer.x, scale, WEFT_FORMAT_s32);
    steps_last(s, step_of(WEFT_OP_ADD), code, along_axis(s, s->layer.residual));
    return WEFT_OK;
}

static enum weft_status dequantise(struct steps *s)
{
    int x = s->layer.x, scale = along_axis(s, s->layer.other);
    double zero;
    if (!no_zero_point(s, &zero) || zero != 0)
        x = steps_add(s, step_of(WEFT_OP_SUB), x, along_axis(s, s->layer.residual), f32);
    steps_last(s, step_of(WEFT_OP_MUL), x, scale);
    return WEFT_OK;
}

/* --- sine ---------------------------------------------------------------------------------------------------------------- */

static struct vector_step scaled(enum weft_opcode op, float mul_a, float mul_b)
{
    struct vector_step step = step_of(op);
    step.mul_a = mul_a;
    step.mul_b = mul_b;
    return step;
}

/* Taylor's series of sin r / r in squares; what is left out is below 6e-8 for r up to pi / 2. */
static int sine_over(struct steps *s, int square)
{
    static const float behind[] = {-1.0f / 5040, 1.0f / 120, -1.0f / 6, 1};
    int sum = steps_add(s, scaled(WEFT_OP_ADD, -1.0f / 39916800, 1), square, steps_constant(s, 1.0f / 362880), f32);
    for (size_t i = 0; i < sizeof behind / sizeof behind[0]; i++)
        sum = steps_add(s, step_of(WEFT_OP_ADD), steps_add(s, step_of(WEFT_OP_MUL), sum, square, f32), steps_constant(s, behind[i]), f32);
    return sum;
}

/* x = k pi + r, k the nearest; the sine is that of r, turned round for odd k. pi comes in two parts, the first of 8 bits, so that k times it is exact. */
static enum weft_status sine(struct steps *s, int x)
{
    const float pi_high = 3.140625f, pi_low = 9.67653589793e-4f, one_over_pi = 0.318309886f;
    int k = steps_add(s, scaled(WEFT_OP_COPY, one_over_pi, 1), x, GRAPH_NONE, WEFT_FORMAT_s32);
    int r = steps_add(s, scaled(WEFT_OP_SUB, 1, pi_low), steps_add(s, scaled(WEFT_OP_SUB, 1, pi_high), x, k, f32), k, f32);
    struct vector_step half = function_of(WEFT_FUNCTION_floor);
    half.mul_a = 0.5f;
    int odd = steps_add(s, scaled(WEFT_OP_SUB, 1, 2), k, steps_add(s, half, k, GRAPH_NONE, f32), f32);
    int sign = steps_add(s, scaled(WEFT_OP_ADD, -2, 1), odd, steps_constant(s, 1), f32);
    int turned = steps_add(s, step_of(WEFT_OP_MUL), r, sign, f32);
    steps_last(s, step_of(WEFT_OP_MUL), turned, sine_over(s, steps_add(s, step_of(WEFT_OP_MUL), r, r, f32)));
    return WEFT_OK;
}

static enum weft_status cosine(struct steps *s)
{
    return sine(s, steps_add(s, step_of(WEFT_OP_ADD), s->layer.x, steps_constant(s, 1.57079633f), f32));
}

/* --- powers -------------------------------------------------------------------------------------------------------------- */

/* Squares, and the products of those that the exponent's bits name. */
static void whole_power(struct steps *s, int x, int n, bool inverse)
{
    struct vector_step last = step_of(WEFT_OP_MUL);
    last.function = inverse ? WEFT_FUNCTION_recip : WEFT_FUNCTION_none;
    int square = x, product = GRAPH_NONE;
    for (; n > 1; n /= 2) {
        if (n % 2)
            product = product == GRAPH_NONE ? square : steps_add(s, step_of(WEFT_OP_MUL), product, square, f32);
        if (n > 3 || product != GRAPH_NONE)
            square = steps_add(s, step_of(WEFT_OP_MUL), square, square, f32);
        else
            product = square;
    }
    if (product == GRAPH_NONE)
        steps_last(s, function_of(last.function), square, GRAPH_NONE);
    else
        steps_last(s, last, product, square);
}

/* |x|^p = e^(p log |x|); log 0 is kept finite, so that 0^0 is 1. */
static int magnitude(struct steps *s, int x, int p)
{
    struct vector_step power = step_of(WEFT_OP_MUL);
    power.function = WEFT_FUNCTION_exp;
    int positive = steps_add(s, function_of(WEFT_FUNCTION_abs), x, GRAPH_NONE, f32);
    int log = steps_add(s, function_of(WEFT_FUNCTION_log), positive, GRAPH_NONE, f32);
    int bounded = steps_add(s, step_of(WEFT_OP_MAX), log, steps_constant(s, -3e38f), f32);
    return steps_add(s, power, p, bounded, f32);
}

/* What x below zero does to a power: +1, -1 by whether p is even or odd; NaN where p is no whole number. */
static enum weft_status any_power(struct steps *s, int x, int p)
{
    struct vector_step half = function_of(WEFT_FUNCTION_floor), rest = step_of(WEFT_OP_SUB), turn = step_of(WEFT_OP_MUL), root = step_of(WEFT_OP_MUL);
    half.mul_a = 0.5f;
    rest.mul_b = 2;
    turn.mul_out = -2;
    root.mul_a = -1;
    root.function = WEFT_FUNCTION_sqrt;
    int size = magnitude(s, x, p);
    int below = steps_add(s, flag_of(WEFT_OP_COPY, -INFINITY, 0), x, GRAPH_NONE, WEFT_FORMAT_u8);
    int odd = steps_add(s, rest, p, steps_add(s, half, p, GRAPH_NONE, f32), f32);
    int part = steps_add(s, step_of(WEFT_OP_SUB), p, steps_add(s, function_of(WEFT_FUNCTION_floor), p, GRAPH_NONE, f32), f32);
    int sign = steps_add(s, step_of(WEFT_OP_ADD), steps_add(s, turn, below, odd, f32), steps_constant(s, 1), f32);
    int defined = steps_add(s, root, below, part, f32);
    int value = steps_add(s, step_of(WEFT_OP_MUL), size, sign, f32);
    steps_last(s, step_of(WEFT_OP_ADD), value, defined);
    return WEFT_OK;
}

static enum weft_status power(struct steps *s)
{
    double p;
    int x = s->layer.x;
    if (!steps_uniform(s, s->layer.other, &p) || shape_count(&s->b->graph->values[s->layer.other].shape) > shape_count(&s->b->graph->values[x].shape))
        return any_power(s, x, s->layer.other);
    if (p == 0.5)
        steps_last(s, function_of(WEFT_FUNCTION_sqrt), x, GRAPH_NONE);
    else if (p == -0.5)
        steps_last(s, function_of(WEFT_FUNCTION_rsqrt), x, GRAPH_NONE);
    else if (p == 0 || fabs(p) > POWER_MAX || p != floor(p))
        return any_power(s, x, s->layer.other);
    else
        whole_power(s, x, (int)fabs(p), p < 0);
    return WEFT_OK;
}

/* --- reductions -------------------------------------------------------------------------------------------------------- */

/* Of many numbers in few runs of dimensions, all but the last dimension first, along which the lanes lie, or that one where the layer must run in bands of
 * the others; of several runs, the last ones. */
static uint32_t first_stage(const struct shape *x, uint32_t reduced, bool in_bands)
{
    uint32_t stage = 0;
    unsigned last = x->rank - 1;
    while (last > 0 && (!(reduced >> last & 1) || x->dims[last] == 1))
        last--;
    if (reduce_runs(x, reduced) <= REDUCE_RUNS)
        return in_bands ? 1u << last : reduced & ~(1u << last);
    for (unsigned d = x->rank; d-- > 0 && reduce_runs(x, stage | (reduced & 1u << d)) <= REDUCE_RUNS;)
        stage |= reduced & 1u << d;
    return stage;
}

static enum weft_status reduce(struct steps *s)
{
    const struct shape *x = &s->b->graph->values[s->layer.x].shape;
    int value = steps_reduce(s, s->layer.x, first_stage(x, s->layer.reduced, fuse_fills_buffer(s->b, x)));
    if (s->layer.op == CORE_REDUCE_SQUARES || s->layer.op == CORE_REDUCE_MEAN_SQUARES) /* squared once */
        s->layer.op = s->layer.op == CORE_REDUCE_SQUARES ? CORE_REDUCE_SUM : CORE_REDUCE_MEAN;
    steps_reduce_last(s, value, s->layer.reduced); /* eight dimensions have four runs at most */
    return WEFT_OK;
}

/* --- integers of the network ----------------------------------------------------------------------------------------------- */

static enum weft_status divide(struct steps *s) /* towards zero */
{
    truncate(s, steps_add(s, step_of(WEFT_OP_DIV), s->layer.x, s->layer.other, f32));
    return WEFT_OK;
}

static enum weft_status arithmetic(struct steps *s, enum weft_opcode op)
{
    steps_last(s, step_of(op), s->layer.x, s->layer.other);
    return WEFT_OK;
}

static enum weft_status function(struct steps *s, struct vector_step step)
{
    steps_last(s, step, s->layer.x, GRAPH_NONE);
    return WEFT_OK;
}

static enum weft_status clip(struct steps *s)
{
    const struct attributes *at = &s->b->graph->nodes[s->layer.node].at;
    int raised = steps_add(s, step_of(WEFT_OP_MAX), s->layer.x, steps_constant(s, at->alpha), f32);
    steps_last(s, step_of(WEFT_OP_MIN), raised, steps_constant(s, at->beta));
    return WEFT_OK;
}

static struct vector_step negative(void)
{
    struct vector_step step = step_of(WEFT_OP_COPY);
    step.mul_a = -1;
    return step;
}

enum weft_status recipe_make(struct steps *s)
{
    switch (s->layer.op) {
    case CORE_WHERE: return where(s);
    case CORE_COMPARE_EQUAL: return equal(s);
    case CORE_LESS: return less(s, false);
    case CORE_LESS_EQUAL: return less(s, true);
    case CORE_AND: return logic(s, WEFT_OP_MIN, WEFT_FUNCTION_none);
    case CORE_OR: return logic(s, WEFT_OP_MAX, WEFT_FUNCTION_none);
    case CORE_XOR: return logic(s, WEFT_OP_SUB, WEFT_FUNCTION_abs);
    case CORE_NOT: return negate(s);
    case CORE_SIGN: return sign(s);
    case CORE_IS_NAN: return is_nan(s);
    case CORE_SIN: return sine(s, s->layer.x);
    case CORE_COS: return cosine(s);
    case CORE_ROUND: return round_even(s);
    case CORE_CAST: return cast(s);
    case CORE_QUANTIZE: return quantise(s);
    case CORE_DEQUANTIZE: return dequantise(s);
    case CORE_POW: return power(s);
    case CORE_REDUCE_MEAN:
    case CORE_REDUCE_SUM:
    case CORE_REDUCE_SQUARES:
    case CORE_REDUCE_MEAN_SQUARES:
    case CORE_REDUCE_MAX: return reduce(s);
    case CORE_ADD: return arithmetic(s, WEFT_OP_ADD);
    case CORE_SUB: return arithmetic(s, WEFT_OP_SUB);
    case CORE_MUL: return arithmetic(s, WEFT_OP_MUL);
    case CORE_MAX: return arithmetic(s, WEFT_OP_MAX);
    case CORE_MIN: return arithmetic(s, WEFT_OP_MIN);
    case CORE_DIV: return divide(s);
    case CORE_CLIP: return clip(s);
    case CORE_RELU: return function(s, function_of(WEFT_FUNCTION_relu));
    case CORE_ABS: return function(s, function_of(WEFT_FUNCTION_abs));
    case CORE_NEG: return function(s, negative());
    case CORE_FLOOR:
    case CORE_CEIL: return function(s, step_of(WEFT_OP_COPY));
    default: return refuse(s, "this operator has no form on the machine for its types");
    }
}
