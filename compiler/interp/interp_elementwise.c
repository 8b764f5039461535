/* interp_elementwise.c: one element at a time: functions of x, arithmetic of a and b with broadcasting. */
#include "interp_kernels.h"
#include "element.h"

#include <math.h>

/* --- functions of x ------------------------------------------------------------------------------------------------------ */

#define EACH(expression)                                                                                                                   \
    do {                                                                                                                                   \
        for (int64_t i = 0; i < count; i++) {                                                                                              \
            float v = x[i];                                                                                                                \
            y[i] = (expression);                                                                                                           \
        }                                                                                                                                  \
        return true;                                                                                                                       \
    } while (0)

/* In double, so that neither cancels; their limit at minus infinity is -0, where the product would be no number. */
static float silu(double x, double alpha) { return alpha * x < -1000 ? (float)copysign(0, x) : (float)(x / (1 + exp(-alpha * x))); }
static float gelu(double x) { return x < -1000 ? -0.0f : (float)(x * erfc(-x * M_SQRT1_2) / 2); }

static bool unary_f32(enum core_op op, const struct attributes *at, const float *x, float *y, int64_t count)
{
    float alpha = at->alpha, beta = at->beta;
    switch (op) {
    case CORE_RELU:
        EACH(v < 0 ? 0 : v);
    case CORE_LEAKY:
        EACH(v < 0 ? v * alpha : v);
    case CORE_CLIP:
        EACH((v < alpha ? alpha : v) > beta ? beta : (v < alpha ? alpha : v));
    case CORE_SIGMOID:
        EACH(1 / (1 + expf(-v)));
    case CORE_TANH:
        EACH(tanhf(v));
    case CORE_EXP:
        EACH(expf(v));
    case CORE_LOG:
        EACH(logf(v));
    case CORE_SQRT:
        EACH(sqrtf(v));
    case CORE_RECIPROCAL:
        EACH(1 / v);
    case CORE_RSQRT:
        EACH(1 / sqrtf(v));
    case CORE_NEG:
        EACH(-v);
    case CORE_ABS:
        EACH(fabsf(v));
    case CORE_FLOOR:
        EACH(floorf(v));
    case CORE_CEIL:
        EACH(ceilf(v));
    case CORE_SIGN:
        EACH(v != v ? v : (float)((v > 0) - (v < 0)));
    case CORE_ROUND:
        EACH(rintf(v));
    case CORE_ERF:
        EACH(erff(v));
    case CORE_SILU:
        EACH(silu((double)v, (double)alpha));
    case CORE_GELU:
        EACH(gelu((double)v));
    case CORE_SIN:
        EACH(sinf(v));
    case CORE_COS:
        EACH(cosf(v));
    default:
        return false;
    }
}

static __int128 clip_integer(__int128 v, const struct attributes *at, enum element element)
{
    double low = at->alpha, high = at->beta;
    uint64_t bound;
    if ((double)v < low)
        element_store(&bound, element, 0, low);
    else if ((double)v > high)
        element_store(&bound, element, 0, high);
    else
        return v;
    return interp_load_integer(&bound, element, 0);
}

static bool unary_integer(const struct node *node, const struct tensor *x, struct tensor *y, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        __int128 v = interp_load_integer(x->bytes, x->element, i);
        switch (node->op) {
        case CORE_RELU:
            v = v < 0 ? 0 : v;
            break;
        case CORE_CLIP:
            v = clip_integer(v, &node->at, x->element);
            break;
        case CORE_NEG:
            v = -v;
            break;
        case CORE_ABS:
            v = v < 0 ? -v : v;
            break;
        case CORE_NOT:
            v = !v;
            break;
        case CORE_SIGN:
            v = (v > 0) - (v < 0);
            break;
        case CORE_FLOOR:
        case CORE_CEIL:
        case CORE_ROUND:
            break;
        default:
            return false;
        }
        interp_store_integer(y->bytes, y->element, i, v);
    }
    return true;
}

enum weft_status interp_unary(const struct call *call)
{
    const struct tensor *x = call->in[0];
    int64_t count = shape_count(&x->shape);
    bool done = x->element == ELEMENT_F32 ? unary_f32(call->node->op, &call->node->at, x->bytes, call->out[0]->bytes, count)
                                          : unary_integer(call->node, x, call->out[0], count);
    return done ? WEFT_OK : interp_refuse(call, "is defined on floats only, and the input holds integers");
}

/* --- arithmetic of a and b -------------------------------------------------------------------------------------------- */

/* One row: an operand steps through it or repeats one element. */
#define ROW(name, expression)                                                                                                              \
    static void name(float *y, const float *a, bool step_a, const float *b, bool step_b, int64_t n)                                        \
    {                                                                                                                                      \
        if (step_a && step_b)                                                                                                              \
            for (int64_t i = 0; i < n; i++) {                                                                                              \
                float u = a[i], v = b[i];                                                                                                  \
                y[i] = (expression);                                                                                                       \
            }                                                                                                                              \
        else if (step_a)                                                                                                                   \
            for (int64_t i = 0; i < n; i++) {                                                                                              \
                float u = a[i], v = *b;                                                                                                    \
                y[i] = (expression);                                                                                                       \
            }                                                                                                                              \
        else                                                                                                                               \
            for (int64_t i = 0; i < n; i++) {                                                                                              \
                float u = *a, v = step_b ? b[i] : *b;                                                                                      \
                y[i] = (expression);                                                                                                       \
            }                                                                                                                              \
    }
ROW(row_add, u + v)
ROW(row_sub, u - v)
ROW(row_mul, u *v)
ROW(row_div, u / v)
ROW(row_max, u != u ? u : u > v ? u : v)
ROW(row_min, u != u ? u : u < v ? u : v)
ROW(row_pow, powf(u, v))

static void binary_f32(const struct call *call, struct walk *walk)
{
    static void (*const rows[])(float *, const float *, bool, const float *, bool, int64_t) = {
        [CORE_ADD] = row_add, [CORE_SUB] = row_sub, [CORE_MUL] = row_mul, [CORE_DIV] = row_div,
        [CORE_MAX] = row_max, [CORE_MIN] = row_min, [CORE_POW] = row_pow,
    };
    float *y = call->out[0]->bytes;
    const float *a = call->in[0]->bytes, *b = call->in[1]->bytes;
    for (int64_t r = 0; r < walk->rows; r++, walk_next(walk), y += walk->row)
        rows[call->node->op](y, a + walk->at[0], walk->strides[0][0], b + walk->at[1], walk->strides[1][0], walk->row);
}

/* Modulo 2^64, which is all that any integer type keeps. */
static __int128 integer_power(__int128 base, __int128 exponent)
{
    if (exponent < 0)
        return base == 1 ? 1 : base == -1 ? (exponent % 2 ? -1 : 1) : 0;
    uint64_t result = 1, square = (uint64_t)base;
    for (; exponent; exponent >>= 1, square *= square)
        if (exponent & 1)
            result *= square;
    return (int64_t)result;
}

/* Division truncates, as C's does; by zero it gives 0, where ONNX says nothing. */
static __int128 integer_result(enum core_op op, __int128 a, __int128 b)
{
    switch (op) {
    case CORE_ADD:
        return a + b;
    case CORE_SUB:
        return a - b;
    case CORE_MUL:
        return (__int128)((unsigned __int128)a * (unsigned __int128)b);
    case CORE_DIV:
        return b ? a / b : 0;
    case CORE_MAX:
        return a > b ? a : b;
    case CORE_MIN:
        return a < b ? a : b;
    case CORE_AND:
        return a && b;
    case CORE_OR:
        return a || b;
    case CORE_XOR:
        return !a != !b;
    default:
        return integer_power(a, b);
    }
}

static void binary_integer(const struct call *call, struct walk *walk)
{
    const struct tensor *a = call->in[0], *b = call->in[1];
    struct tensor *y = call->out[0];
    int64_t out = 0;
    for (int64_t r = 0; r < walk->rows; r++, walk_next(walk))
        for (int64_t i = 0; i < walk->row; i++)
            interp_store_integer(y->bytes, y->element, out++,
                                 integer_result(call->node->op,
                                                interp_load_integer(a->bytes, a->element, walk->at[0] + i * walk->strides[0][0]),
                                                interp_load_integer(b->bytes, b->element, walk->at[1] + i * walk->strides[1][0])));
}

/* Pow alone may mix types. */
static void power_mixed(const struct call *call, struct walk *walk)
{
    const struct tensor *a = call->in[0], *b = call->in[1];
    struct tensor *y = call->out[0];
    int64_t out = 0;
    for (int64_t r = 0; r < walk->rows; r++, walk_next(walk))
        for (int64_t i = 0; i < walk->row; i++)
            element_store(y->bytes, y->element, out++,
                          pow(element_load(a->bytes, a->element, walk->at[0] + i * walk->strides[0][0]),
                              element_load(b->bytes, b->element, walk->at[1] + i * walk->strides[1][0])));
}

enum weft_status interp_binary(const struct call *call)
{
    const struct tensor *a = call->in[0], *b = call->in[1];
    struct walk walk;
    walk_start(&walk, &call->out[0]->shape, (const struct shape *const[]){&a->shape, &b->shape}, 2);
    bool float_a = a->element == ELEMENT_F32, float_b = b->element == ELEMENT_F32, float_y = call->out[0]->element == ELEMENT_F32;
    if (float_a && float_b && float_y)
        binary_f32(call, &walk);
    else if (!float_a && !float_b && !float_y)
        binary_integer(call, &walk);
    else if (call->node->op == CORE_POW)
        power_mixed(call, &walk);
    else
        return interp_refuse(call, "mixes integers and floats");
    return WEFT_OK;
}

/* --- comparisons and where ----------------------------------------------------------------------------------------------------- */

static bool holds_floats(enum core_op op, double a, double b)
{
    return op == CORE_LESS ? a < b : op == CORE_LESS_EQUAL ? a <= b : a == b;
}

static bool holds_integers(enum core_op op, __int128 a, __int128 b)
{
    return op == CORE_LESS ? a < b : op == CORE_LESS_EQUAL ? a <= b : a == b;
}

enum weft_status interp_compare(const struct call *call)
{
    enum core_op op = call->node->op;
    const struct tensor *a = call->in[0], *b = call->in[1];
    struct walk walk;
    walk_start(&walk, &call->out[0]->shape, (const struct shape *const[]){&a->shape, &b->shape}, 2);
    uint8_t *y = call->out[0]->bytes;
    for (int64_t r = 0; r < walk.rows; r++, walk_next(&walk))
        for (int64_t i = 0; i < walk.row; i++) {
            int64_t at_a = walk.at[0] + i * walk.strides[0][0], at_b = walk.at[1] + i * walk.strides[1][0];
            if (element_is_float(a->element))
                *y++ = holds_floats(op, element_load(a->bytes, a->element, at_a), element_load(b->bytes, b->element, at_b));
            else
                *y++ = holds_integers(op, interp_load_integer(a->bytes, a->element, at_a), interp_load_integer(b->bytes, b->element, at_b));
        }
    return WEFT_OK;
}

enum weft_status interp_is_nan(const struct call *call)
{
    const struct tensor *x = call->in[0];
    uint8_t *y = call->out[0]->bytes;
    for (int64_t i = 0, count = shape_count(&x->shape); i < count; i++)
        y[i] = element_is_float(x->element) && isnan(element_load(x->bytes, x->element, i));
    return WEFT_OK;
}

static void copy_element(char *to, const char *from, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        to[i] = from[i];
}

enum weft_status interp_where(const struct call *call)
{
    const struct tensor *condition = call->in[0], *a = call->in[1], *b = call->in[2];
    if (a->element != b->element || a->element != call->out[0]->element)
        return interp_refuse(call, "chooses between different element types");
    struct walk walk;
    walk_start(&walk, &call->out[0]->shape, (const struct shape *const[]){&condition->shape, &a->shape, &b->shape}, 3);
    unsigned size = element_bytes(a->element);
    char *y = call->out[0]->bytes;
    for (int64_t r = 0; r < walk.rows; r++, walk_next(&walk))
        for (int64_t i = 0; i < walk.row; i++, y += size) {
            bool first = ((const uint8_t *)condition->bytes)[walk.at[0] + i * walk.strides[0][0]];
            const char *from = first ? (const char *)a->bytes + (walk.at[1] + i * walk.strides[1][0]) * size
                                     : (const char *)b->bytes + (walk.at[2] + i * walk.strides[2][0]) * size;
            copy_element(y, from, size);
        }
    return WEFT_OK;
}
