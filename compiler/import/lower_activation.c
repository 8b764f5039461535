/* lower_activation.c: activations that are written in several core nodes. The compiler makes one table of them where it can. */
#include <math.h>
#include <string.h>

#include "element.h"
#include "lower_build.h"

static int min_zero(struct lower *l, int x)
{
    return build_with(l, CORE_MIN, x, 0);
}

/* scale_high max(x, 0) + scale_low (e^(min(x, 0) / spread) - 1): Elu and those like it. e^0 - 1 is 0, so one part is always 0. */
static int two_sided(struct lower *l, int x, double scale_high, double scale_low, double spread)
{
    int low = min_zero(l, x), high = build_unary(l, CORE_RELU, x);
    if (spread != 1)
        low = build_with(l, CORE_DIV, low, spread);
    low = build_with(l, CORE_SUB, build_unary(l, CORE_EXP, low), 1);
    if (scale_low != 1)
        low = build_with(l, CORE_MUL, low, scale_low);
    if (scale_high != 1)
        high = build_with(l, CORE_MUL, high, scale_high);
    return build_binary(l, CORE_ADD, high, low);
}

int build_elu(struct lower *l, int x, double alpha)
{
    return two_sided(l, x, 1, alpha, 1);
}

int build_hard_sigmoid(struct lower *l, int x, double alpha, double beta)
{
    return build_clip(l, build_with(l, CORE_ADD, build_with(l, CORE_MUL, x, alpha), beta), 0, 1);
}

/* log(1 + e^x) as max(x, 0) + log(1 + e^-|x|), in which nothing overflows. */
int build_softplus(struct lower *l, int x)
{
    int decay = build_unary(l, CORE_EXP, build_unary(l, CORE_NEG, build_unary(l, CORE_ABS, x)));
    return build_binary(l, CORE_ADD, build_unary(l, CORE_RELU, x), build_unary(l, CORE_LOG, build_with(l, CORE_ADD, decay, 1)));
}

int build_softsign(struct lower *l, int x)
{
    return build_binary(l, CORE_DIV, x, build_with(l, CORE_ADD, build_unary(l, CORE_ABS, x), 1));
}

int build_thresholded_relu(struct lower *l, int x, double alpha)
{
    return build_where(l, build_from(l, CORE_LESS, alpha, x), x, lower_scalar(l, build_element(l, x), 0));
}

bool lower_elu(struct lower *l, const struct onnx_op *op)
{
    float alpha = lower_float(l, "alpha", 1);
    return !l->failed && lower_want_float(l, 0) && lower_done(l, build_elu(l, l->in[0], alpha));
}

bool lower_celu(struct lower *l, const struct onnx_op *op)
{
    float alpha = lower_float(l, "alpha", 1);
    if (l->failed || !lower_want_float(l, 0))
        return false;
    if (alpha == 0)
        return lower_refuse(l, "alpha 0; it divides and must be another number");
    return lower_done(l, two_sided(l, l->in[0], 1, alpha, alpha));
}

bool lower_selu(struct lower *l, const struct onnx_op *op)
{
    float alpha = lower_float(l, "alpha", 1.67326319217681884765625f), gamma = lower_float(l, "gamma", 1.05070102214813232421875f);
    return !l->failed && lower_want_float(l, 0) && lower_done(l, two_sided(l, l->in[0], gamma, (double)gamma * (double)alpha, 1));
}

bool lower_hard_sigmoid(struct lower *l, const struct onnx_op *op)
{
    float alpha = lower_float(l, "alpha", 0.2f), beta = lower_float(l, "beta", 0.5f);
    return !l->failed && lower_want_float(l, 0) && lower_done(l, build_hard_sigmoid(l, l->in[0], alpha, beta));
}

bool lower_hard_swish(struct lower *l, const struct onnx_op *op)
{
    return lower_want_float(l, 0) &&
           lower_done(l, build_binary(l, CORE_MUL, l->in[0], build_hard_sigmoid(l, l->in[0], 1.0 / 6, 0.5)));
}

bool lower_swish(struct lower *l, const struct onnx_op *op)
{
    float alpha = lower_float(l, "alpha", 1);
    int x = l->in[0];
    if (l->failed || !lower_want_float(l, 0))
        return false;
    if (alpha != 0 && isfinite(alpha))
        return lower_done(l, build_silu(l, x, alpha));
    int gate = build_unary(l, CORE_SIGMOID, build_with(l, CORE_MUL, x, (double)alpha));
    return lower_done(l, build_binary(l, CORE_MUL, x, gate));
}

bool lower_softplus(struct lower *l, const struct onnx_op *op)
{
    return lower_want_float(l, 0) && lower_done(l, build_softplus(l, l->in[0]));
}

bool lower_softsign(struct lower *l, const struct onnx_op *op)
{
    return lower_want_float(l, 0) && lower_done(l, build_softsign(l, l->in[0]));
}

bool lower_mish(struct lower *l, const struct onnx_op *op)
{
    int x = l->in[0];
    return lower_want_float(l, 0) && lower_done(l, build_binary(l, CORE_MUL, x, build_unary(l, CORE_TANH, build_softplus(l, x))));
}

bool lower_thresholded_relu(struct lower *l, const struct onnx_op *op)
{
    float alpha = lower_float(l, "alpha", 1);
    return !l->failed && lower_want_float(l, 0) && lower_done(l, build_thresholded_relu(l, l->in[0], alpha));
}

/* x below -lambd moves up by the bias, above lambd down by it, and is 0 between. */
bool lower_shrink(struct lower *l, const struct onnx_op *op)
{
    float bias = lower_float(l, "bias", 0), lambda = lower_float(l, "lambd", 0.5f);
    int x = l->in[0];
    if (l->failed || !lower_want_float(l, 0))
        return false;
    int low = build_with(l, CORE_LESS, x, -lambda), high = build_from(l, CORE_LESS, lambda, x), zero = lower_scalar(l, build_element(l, x), 0);
    int above = build_where(l, high, build_with(l, CORE_SUB, x, bias), zero);
    return lower_done(l, build_where(l, low, build_with(l, CORE_ADD, x, bias), above));
}

/* max(x, 0) + slope min(x, 0); the slope broadcasts to x. */
bool lower_prelu(struct lower *l, const struct onnx_op *op)
{
    struct shape x = lower_shape(l, 0), slope, both;
    char a[160], b[160];
    slope = lower_shape(l, 1);
    if (!lower_same_type(l, l->in[0], l->in[1]))
        return false;
    if (!shape_broadcast(&both, &slope, &x) || !shape_equal(&both, &x))
        return lower_refuse(l, "the slope is %s and does not broadcast to %s", shape_text(&slope, a), shape_text(&x, b));
    int high = element_is_float(build_element(l, l->in[0])) ? build_unary(l, CORE_RELU, l->in[0]) : build_with(l, CORE_MAX, l->in[0], 0);
    return lower_done(l, build_binary(l, CORE_ADD, high, build_binary(l, CORE_MUL, min_zero(l, l->in[0]), l->in[1])));
}

/* x (1 + erf(x / sqrt 2)) / 2, or with tanh(sqrt(2 / pi) (x + 0.044715 x^3)) in the place of erf. */
bool lower_gelu(struct lower *l, const struct onnx_op *op)
{
    char form[32];
    int x = l->in[0];
    lower_string(l, "approximate", "none", form);
    if (l->failed || !lower_want_float(l, 0))
        return false;
    if (!strcmp(form, "none"))
        return lower_done(l, build_unary(l, CORE_GELU, x));
    if (strcmp(form, "tanh"))
        return lower_refuse(l, "approximate %s; none and tanh are right", form);
    int cube = build_binary(l, CORE_MUL, build_binary(l, CORE_MUL, x, x), x);
    int inner = build_binary(l, CORE_ADD, x, build_with(l, CORE_MUL, cube, 0.044715));
    inner = build_unary(l, CORE_TANH, build_with(l, CORE_MUL, inner, 0.79788456080286536));
    return lower_done(l, build_binary(l, CORE_MUL, build_with(l, CORE_MUL, x, 0.5), build_with(l, CORE_ADD, inner, 1)));
}
