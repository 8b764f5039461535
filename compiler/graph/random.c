/* random.c: a counter through a 64-bit mixer (the finaliser of SplitMix64), and the ziggurat of Marsaglia and Tsang in
 * Doornik's form with 128 layers. exp and log are series of our own, so the numbers are the same on every host. */
#include "random.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { LAYERS = ZIGGURAT_LAYERS };

static const double tail_start = 3.442619855899, layer_area = 9.91256303526217e-3;

uint64_t random_hash(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

uint64_t random_hash_text(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return random_hash(hash);
}

/* 2^n for -1022 <= n <= 1023. */
static double power_of_two(int n)
{
    uint64_t bits = (uint64_t)(n + 1023) << 52;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static const double inverse[15] = {0,       1,       1.0 / 2,  1.0 / 3,  1.0 / 4,  1.0 / 5,  1.0 / 6, 1.0 / 7,
                                   1.0 / 8, 1.0 / 9, 1.0 / 10, 1.0 / 11, 1.0 / 12, 1.0 / 13, 1.0 / 14};

/* exp for -700 < x <= 0: Taylor's series of what is left after halves of ln 2. */
static double series_exp(double x)
{
    int n = (int)(x * 1.4426950408889634 - 0.5);
    double r = x - n * 0.6931471805599453, sum = 1;
    for (int k = 14; k >= 1; k--)
        sum = 1 + sum * r * inverse[k];
    return sum * power_of_two(n);
}

/* log for normal x > 0: 2 artanh((m - 1) / (m + 1)) of a mantissa between 1/sqrt 2 and sqrt 2. */
static double series_log(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int n = (int)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffffu) | (uint64_t)1023 << 52;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.4142135623730951)
        m *= 0.5, n++;
    double s = (m - 1) / (m + 1), sum = 0;
    for (int k = 23; k >= 1; k -= 2)
        sum = sum * s * s + 1.0 / k;
    return 2 * s * sum + n * 0.6931471805599453;
}

void ziggurat_init(struct ziggurat *z)
{
    double f = series_exp(-0.5 * tail_start * tail_start);
    z->x[0] = layer_area / f; /* a rectangle of the area of the bottom layer with its tail */
    z->x[1] = tail_start;
    for (int i = 2; i < LAYERS; i++) {
        z->x[i] = sqrt(-2 * series_log(layer_area / z->x[i - 1] + f));
        f = series_exp(-0.5 * z->x[i] * z->x[i]);
    }
    z->x[LAYERS] = 0;
    for (int i = 0; i < LAYERS; i++)
        z->ratio[i] = z->x[i + 1] / z->x[i];
}

static double unit(uint64_t bits)
{ /* [0, 1) */
    return (double)(int64_t)(bits >> 11) * 0x1p-53;
}

static uint64_t next(uint64_t *state)
{
    return random_hash(*state += 0x9e3779b97f4a7c15u);
}

static double open_unit(uint64_t *state)
{ /* (0, 1): its logarithm exists */
    return ((double)(int64_t)(next(state) >> 12) + 0.5) * 0x1p-52;
}

static double tail(uint64_t *state, bool negative)
{
    double x, y;
    do {
        x = series_log(open_unit(state)) / tail_start;
        y = series_log(open_unit(state));
    } while (-2 * y < x * x);
    return negative ? x - tail_start : tail_start - x;
}

/* The one number in eighty that the inner rectangles do not give. */
static double slow_normal(const struct ziggurat *z, uint64_t bits)
{
    uint64_t state = bits;
    for (;; bits = next(&state)) {
        int i = bits & (LAYERS - 1);
        double u = 2 * unit(bits) - 1, x = u * z->x[i];
        if (fabs(u) < z->ratio[i])
            return x;
        if (i == 0)
            return tail(&state, u < 0);
        double outer = series_exp(-0.5 * (z->x[i] * z->x[i] - x * x)), inner = series_exp(-0.5 * (z->x[i + 1] * z->x[i + 1] - x * x));
        if (inner + open_unit(&state) * (outer - inner) < 1)
            return x;
    }
}

void random_normal_by(double *out, const struct ziggurat *z, int64_t first, int64_t count, uint64_t seed, double mean, double deviation)
{
    uint64_t state = random_hash(seed) + (uint64_t)first * 0x9e3779b97f4a7c15u;
    for (int64_t i = 0; i < count; i++) {
        uint64_t bits = next(&state);
        int layer = bits & (LAYERS - 1);
        double u = 2 * unit(bits) - 1;
        out[i] = mean + deviation * (fabs(u) < z->ratio[layer] ? u * z->x[layer] : slow_normal(z, bits));
    }
}

void random_normal(double *out, int64_t first, int64_t count, uint64_t seed, double mean, double deviation)
{
    struct ziggurat z;
    ziggurat_init(&z);
    random_normal_by(out, &z, first, count, seed, mean, deviation);
}

void random_uniform(double *out, int64_t first, int64_t count, uint64_t seed, double low, double high)
{
    uint64_t state = random_hash(seed) + (uint64_t)first * 0x9e3779b97f4a7c15u;
    for (int64_t i = 0; i < count; i++)
        out[i] = low + (high - low) * unit(next(&state));
}
