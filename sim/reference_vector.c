/* reference_vector.c: the vector unit. Each row is computed whole into r->row and then written, rows in order. */
#include <string.h>

#include "reference.h"

/* A value on its way through a reduction: an integer (modulo 2^32) or a float. */
struct value {
    bool integer;
    int32_t i;
    float f;
};

static struct value load(const void *bytes, enum weft_format format)
{
    if (weft_format_is_integer(format)) return (struct value){.integer = true, .i = weft_load_integer(bytes, format)};
    return (struct value){.f = weft_load_float(bytes, format)};
}

static int32_t minus(int32_t a, int32_t b) { return (int32_t)((uint32_t)a - (uint32_t)b); }
static int32_t plus(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }

/* x' = (float)(x - zero) x mul for integers, x x mul for floats. */
static float scaled(struct value x, float mul, int32_t zero)
{
    return x.integer ? (float)minus(x.i, zero) * mul : x.f * mul;
}

static bool is_nan(float x) { return x != x; }

/* a > b ? a : b, with a NaN on either side giving NaN. */
static float larger(float a, float b)
{
    if (is_nan(a)) return a;
    if (is_nan(b)) return b;
    return a > b ? a : b;
}

static float smaller(float a, float b)
{
    if (is_nan(a)) return a;
    if (is_nan(b)) return b;
    return a < b ? a : b;
}

/* One step of a reduction, `a` the running value, which begins as the first element. */
static struct value combine(enum weft_reduction reduction, struct value a, struct value b)
{
    switch (reduction) {
    case WEFT_REDUCTION_max:
        if (a.integer) a.i = a.i > b.i ? a.i : b.i;
        else a.f = larger(a.f, b.f);
        return a;
    case WEFT_REDUCTION_min:
        if (a.integer) a.i = a.i < b.i ? a.i : b.i;
        else a.f = smaller(a.f, b.f);
        return a;
    case WEFT_REDUCTION_sum:
    case WEFT_REDUCTION_squares: /* floats by now */
        if (a.integer) a.i = plus(a.i, b.i);
        else a.f = a.f + b.f;
        return a;
    }
    return a;
}

/* --- operands and results ------------------------------------------------------------------------------------------------ */

/* Element (first_row + row, first_lane + lane) of pattern p, in the UB. */
static uint64_t element(const struct reference *r, unsigned p, const struct weft_instr *instr, uint64_t row, uint64_t lane, enum weft_format format)
{
    return weft_pattern_address(&r->sim->config.pattern[p], instr->first_row + row, instr->first_lane + lane, weft_format_bytes(format));
}

static float operand_a(const struct reference *r, const struct weft_instr *instr, uint64_t row, uint64_t lane)
{
    const struct weft_config *v = &r->sim->config;
    return scaled(load(r->ub + element(r, instr->a, instr, row, lane, instr->fmt_a), instr->fmt_a), v->mul_a, v->zero_a);
}

static float operand_b(const struct reference *r, const struct weft_instr *instr, uint64_t row, uint64_t lane)
{
    const struct weft_config *v = &r->sim->config;
    return scaled(load(r->ub + element(r, instr->b, instr, row, lane, instr->fmt_b), instr->fmt_b), v->mul_b, v->zero_b);
}

static int32_t clamp(int32_t x, int32_t low, int32_t high) { return x < low ? low : x > high ? high : x; }

/* The result rule: f through function, mul_out, and rounding, into the bytes of one element. */
static void result(const struct reference *r, const struct weft_instr *instr, float f, uint8_t *out)
{
    const struct weft_config *v = &r->sim->config;
    if (instr->func != WEFT_FUNCTION_table) f = weft_apply(instr->func, f, v->alpha);
    f = f * v->mul_out;
    if (!weft_format_is_integer(instr->fmt)) {
        weft_store_float(out, instr->fmt, f);
        return;
    }
    int32_t q = weft_requantise(f, v->zero_out, v->clamp_low, v->clamp_high);
    q = clamp(q, weft_format_low(instr->fmt), weft_format_high(instr->fmt));
    weft_store_integer(out, instr->fmt, q);
    if (instr->func == WEFT_FUNCTION_table) *out = r->ub[(uint64_t)v->table + *out];
}

static uint8_t *row_at(const struct reference *r, const struct weft_instr *instr, uint64_t lane)
{
    return r->row + lane * weft_format_bytes(instr->fmt);
}

/* The row's elements, lane by lane, to lanes first_lane + 0 .. of the destination. */
static void write_row(struct reference *r, const struct weft_instr *instr, uint64_t row, uint64_t lanes, uint64_t first_lane)
{
    unsigned size = weft_format_bytes(instr->fmt);
    const struct weft_pattern *d = &r->sim->config.pattern[instr->d];
    for (uint64_t lane = 0; lane < lanes; lane++)
        memcpy(r->ub + weft_pattern_address(d, instr->first_row + row, first_lane + lane, size), row_at(r, instr, lane), size);
}

/* --- binary operations, copy, fill ----------------------------------------------------------------------------------------- */

/* f = a' op b', lane by lane. */
static enum weft_status binary(struct reference *r, const struct weft_instr *instr, float (*op)(float, float))
{
    for (uint64_t row = 0; row < instr->rows; row++) {
        for (uint64_t lane = 0; lane < instr->lanes; lane++)
            result(r, instr, op(operand_a(r, instr, row, lane), operand_b(r, instr, row, lane)), row_at(r, instr, lane));
        write_row(r, instr, row, instr->lanes, instr->first_lane);
    }
    return WEFT_OK;
}

static float sum_of(float a, float b) { return a + b; }
static float difference_of(float a, float b) { return a - b; }
static float product_of(float a, float b) { return a * b; }
static float quotient_of(float a, float b) { return a / b; }

enum weft_status reference_add(struct reference *r, const struct weft_instr *instr) { return binary(r, instr, sum_of); }
enum weft_status reference_sub(struct reference *r, const struct weft_instr *instr) { return binary(r, instr, difference_of); }
enum weft_status reference_mul(struct reference *r, const struct weft_instr *instr) { return binary(r, instr, product_of); }
enum weft_status reference_div(struct reference *r, const struct weft_instr *instr) { return binary(r, instr, quotient_of); }
enum weft_status reference_max(struct reference *r, const struct weft_instr *instr) { return binary(r, instr, larger); }
enum weft_status reference_min(struct reference *r, const struct weft_instr *instr) { return binary(r, instr, smaller); }

/* f = a'; raw: the bytes of a. */
enum weft_status reference_copy(struct reference *r, const struct weft_instr *instr)
{
    unsigned size = weft_format_bytes(instr->fmt);
    for (uint64_t row = 0; row < instr->rows; row++) {
        for (uint64_t lane = 0; lane < instr->lanes; lane++)
            if (instr->raw) memcpy(row_at(r, instr, lane), r->ub + element(r, instr->a, instr, row, lane, instr->fmt_a), size);
            else result(r, instr, operand_a(r, instr, row, lane), row_at(r, instr, lane));
        write_row(r, instr, row, instr->lanes, instr->first_lane);
    }
    return WEFT_OK;
}

/* The low bytes of `value`, little-endian, into lanes 0 .. lanes - 1 of the rows. */
enum weft_status reference_fill(struct reference *r, const struct weft_instr *instr)
{
    unsigned size = weft_format_bytes(instr->fmt);
    for (uint64_t row = 0; row < instr->rows; row++) {
        for (uint64_t lane = 0; lane < instr->lanes; lane++)
            for (unsigned i = 0; i < size; i++) row_at(r, instr, lane)[i] = (uint8_t)(instr->value >> (8 * i));
        write_row(r, instr, row, instr->lanes, 0);
    }
    return WEFT_OK;
}

/* --- reductions -------------------------------------------------------------------------------------------------------------- */

/* An element as a reduction takes it: a sum of integers adds x - zero_a, a sum of squares a' x a'. */
static struct value entering(const struct reference *r, const struct weft_instr *instr, struct value x)
{
    const struct weft_config *v = &r->sim->config;
    if (instr->reduce == WEFT_REDUCTION_squares) {
        float a = scaled(x, v->mul_a, v->zero_a);
        return (struct value){.f = a * a};
    }
    if (x.integer && instr->reduce == WEFT_REDUCTION_sum) x.i = minus(x.i, v->zero_a);
    return x;
}

/* A reduction as the result rule takes it: f = (float)(m - zero_a) x mul_a; a sum has lost its zero points already, squares were scaled. */
static float reduced(const struct reference *r, const struct weft_instr *instr, struct value x)
{
    if (instr->reduce == WEFT_REDUCTION_squares) return x.f;
    return scaled(x, r->sim->config.mul_a, instr->reduce == WEFT_REDUCTION_sum ? 0 : r->sim->config.zero_a);
}

/* Over the window of each row: element + i stride0 + j stride1, i inner. */
static struct value pool_lane(const struct reference *r, const struct weft_instr *instr, uint64_t row, uint64_t lane)
{
    const struct weft_config *v = &r->sim->config;
    uint64_t first = element(r, instr->a, instr, row, lane, instr->fmt_a);
    struct value running = {0};
    for (uint64_t j = 0; j < v->win_count1; j++)
        for (uint64_t i = 0; i < v->win_count0; i++) {
            uint64_t address = first + i * v->win_stride0 + j * v->win_stride1;
            struct value x = entering(r, instr, load(r->ub + address, instr->fmt_a));
            running = i == 0 && j == 0 ? x : combine(instr->reduce, running, x);
        }
    return running;
}

enum weft_status reference_pool(struct reference *r, const struct weft_instr *instr)
{
    for (uint64_t row = 0; row < instr->rows; row++) {
        for (uint64_t lane = 0; lane < instr->lanes; lane++)
            result(r, instr, reduced(r, instr, pool_lane(r, instr, row, lane)), row_at(r, instr, lane));
        write_row(r, instr, row, instr->lanes, instr->first_lane);
    }
    return WEFT_OK;
}

/* Over lanes first_lane .. first_lane + lanes - 1 of each row, into lane 0 of the destination's row. */
enum weft_status reference_reduce(struct reference *r, const struct weft_instr *instr)
{
    for (uint64_t row = 0; row < instr->rows; row++) {
        struct value running = {0};
        for (uint64_t lane = 0; lane < instr->lanes; lane++) {
            struct value x = entering(r, instr, load(r->ub + element(r, instr->a, instr, row, lane, instr->fmt_a), instr->fmt_a));
            running = lane == 0 ? x : combine(instr->reduce, running, x);
        }
        result(r, instr, reduced(r, instr, running), row_at(r, instr, 0));
        write_row(r, instr, row, 1, 0);
    }
    return WEFT_OK;
}

/* --- activate ------------------------------------------------------------------------------------------------------------------ */

static struct value acc_value(const struct reference *r, const struct weft_instr *instr, uint64_t row, uint64_t lane)
{
    if (instr->facc) return (struct value){.f = reference_read_acc_float(r, row, lane)};
    return (struct value){.integer = true, .i = reference_read_acc(r, row, lane)};
}

/* The ACC value of (row, lane); with pool: of rows acc + p15(row) + i stride0 + j stride1 over the window, i inner. */
static struct value acc_lane(const struct reference *r, const struct weft_instr *instr, uint64_t row, uint64_t lane)
{
    const struct weft_config *v = &r->sim->config;
    if (!instr->pool) return acc_value(r, instr, instr->acc + row, lane);
    uint64_t first = instr->acc + weft_pattern_address(&v->pattern[15], instr->first_row + row, 0, 1);
    struct value running = {0};
    for (uint64_t j = 0; j < v->win_count1; j++)
        for (uint64_t i = 0; i < v->win_count0; i++) {
            struct value x = acc_value(r, instr, first + i * v->win_stride0 + j * v->win_stride1, lane);
            running = i == 0 && j == 0 ? x : combine(instr->reduce, running, x);
        }
    return running;
}

/* The address of parameter number (first_lane + lane) mod period of 4 bytes. */
static uint64_t parameter(const struct weft_instr *instr, uint64_t base, uint64_t lane, uint64_t period)
{
    return base + (instr->first_lane + lane) % period * 4;
}

/* x = ACC + bias. */
static struct value biased_lane(const struct reference *r, const struct weft_instr *instr, uint64_t row, uint64_t lane)
{
    const struct weft_config *v = &r->sim->config;
    struct value x = acc_lane(r, instr, row, lane);
    if (!instr->bias) return x;
    const uint8_t *bias = r->ub + parameter(instr, v->bias, lane, v->bias_period);
    if (instr->facc) x.f = x.f + weft_load_float(bias, WEFT_FORMAT_f32);
    else x.i = plus(x.i, weft_load_integer(bias, WEFT_FORMAT_s32));
    return x;
}

/* The result is f = (float)x x s + b', as far as the instruction asks for scale and residual; raw: x itself. */
static void activate_lane(const struct reference *r, const struct weft_instr *instr, uint64_t row, uint64_t lane, uint8_t *out)
{
    const struct weft_config *v = &r->sim->config;
    struct value x = biased_lane(r, instr, row, lane);
    if (instr->raw && instr->facc) weft_store_float(out, instr->fmt, x.f);
    else if (instr->raw) weft_store_integer(out, instr->fmt, x.i);
    else {
        float s = instr->scale ? weft_load_float(r->ub + parameter(instr, v->scale, lane, v->scale_period), WEFT_FORMAT_f32) : v->mul_a;
        float f = scaled(x, s, 0);
        result(r, instr, instr->residual ? f + operand_b(r, instr, row, lane) : f, out);
    }
}

enum weft_status reference_activate(struct reference *r, const struct weft_instr *instr)
{
    for (uint64_t row = 0; row < instr->rows; row++) {
        for (uint64_t lane = 0; lane < instr->lanes; lane++)
            activate_lane(r, instr, row, lane, row_at(r, instr, lane));
        write_row(r, instr, row, instr->lanes, instr->first_lane);
    }
    return WEFT_OK;
}
