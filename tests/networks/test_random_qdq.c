/* test_random_qdq.c: random networks written with DequantizeLinear and QuantizeLinear give ONNX's integers, all of them. Scales are powers of two, so that
 * fp32 is exact and nothing may differ (docs/compiler.md). What ONNX means is the interpreter's, of the network with every value an output. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "built.h"

enum { NETWORKS = 400, VALUES = 16, TEXT_MAX = 16384 };

struct value { int id, channels, size; };

struct draw {
    uint64_t state;
    bool is_signed;
    char constants[TEXT_MAX], nodes[TEXT_MAX], integers[TEXT_MAX] /* outputs */, others[TEXT_MAX] /* outputs of the reference */;
    struct value values[VALUES];
    int count;
};

static unsigned below(struct draw *d, unsigned n)
{
    d->state = d->state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(d->state >> 33) % n;
}

__attribute__((format(printf, 2, 3))) static void add(char *to, const char *format, ...)
{
    size_t length = strlen(to);
    va_list list;
    va_start(list, format);
    int more = vsnprintf(to + length, TEXT_MAX - length, format, list);
    va_end(list);
    assert_true(more >= 0 && (size_t)more < TEXT_MAX - length);
}

static const char *type(const struct draw *d)
{
    return d->is_signed ? "int8" : "uint8";
}

/* The least code, the middle, or any. */
static int zero_point(struct draw *d)
{
    int least = d->is_signed ? -128 : 0;
    switch (below(d, 4)) {
    case 0: return least + 128;
    case 1: return least + (int)below(d, 256);
    default: return least;
    }
}

static const char *scale(struct draw *d)
{
    static const char *const scales[] = {"0.015625", "0.03125", "0.0625", "0.125"};
    return scales[below(d, 4)];
}

/* Value number `count` of the network: `from`, quantised (unless it is the input) and dequantised. */
static void new_value(struct draw *d, const char *from, int channels, int size)
{
    int id = d->count;
    add(d->constants, ", float s%d = {%s}, %s z%d = {%d}", id, scale(d), type(d), id, zero_point(d));
    if (from) {
        add(d->nodes, "q%d = QuantizeLinear (%s, s%d, z%d)\n", id, from, id, id);
        add(d->integers, "%s%s[] q%d", *d->integers ? ", " : "", type(d), id);
    }
    add(d->nodes, "d%d = DequantizeLinear (q%d, s%d, z%d)\n", id, id, id, id);
    add(d->others, ", float[] d%d", id);
    d->values[d->count++] = (struct value){id, channels, size};
}

/* A value of that size, and as many channels if they are not 0; NULL: there is none. */
static const struct value *like(struct draw *d, int channels, int size)
{
    unsigned count = (unsigned)d->count, first = below(d, count);
    for (unsigned i = 0; i < count; i++) {
        const struct value *v = &d->values[(first + i) % count];
        if ((!channels || v->channels == channels) && v->size == size)
            return v;
    }
    return NULL;
}

/* Weights, of one scale or of one a channel; and maybe a bias. */
static void draw_weights(struct draw *d, const struct value *x, int channels, int depth, int kernel, bool *biased)
{
    int id = d->count;
    bool many = below(d, 2);
    *biased = below(d, 2);
    const char *axis = many ? "<axis = 0> " : "";
    char length[16] = "";
    if (many)
        snprintf(length, sizeof length, "[%d]", channels);
    add(d->constants, ", float%s ws%d = {", length, id);
    for (int i = 0; i < (many ? channels : 1); i++)
        add(d->constants, "%s%s", i ? ", " : "", below(d, 2) ? "0.0078125" : "0.00390625");
    add(d->constants, "}, int8%s wz%d = {0", length, id);
    for (int i = 1; many && i < channels; i++)
        add(d->constants, ", 0");
    add(d->constants, "}, int32[%d] bq%d = {%d", channels, id, (int)below(d, 1800) - 900);
    for (int i = 1; i < channels; i++)
        add(d->constants, ", %d", (int)below(d, 1800) - 900);
    add(d->constants, "}");
    add(d->nodes, "wf%d = RandomNormal <shape = [%d, %d, %d, %d], scale = 0.3, seed = %u.0> ()\n", id, channels, depth, kernel, kernel, 1 + below(d, 999));
    add(d->nodes, "wq%d = QuantizeLinear %s(wf%d, ws%d, wz%d)\nw%d = DequantizeLinear %s(wq%d, ws%d, wz%d)\n", id, axis, id, id, id, id, axis, id, id, id);
    if (*biased)
        add(d->nodes, "bs%d = Mul (s%d, ws%d)\nb%d = DequantizeLinear %s(bq%d, bs%d)\n", id, x->id, id, id, axis, id, id);
}

/* What stands between node o of value number `count` and its QuantizeLinear: behind a convolution maybe something; the size changes with a pool. */
static void draw_between(struct draw *d, bool conv, int channels, int *size)
{
    int id = d->count;
    const struct value *other = like(d, channels, *size);
    add(d->others, ", float[] o%d, float[] r%d", id, id);
    switch (conv ? below(d, other ? 6 : 5) : 4) {
    case 0: add(d->nodes, "r%d = Relu (o%d)\n", id, id); break;
    case 1: add(d->nodes, "r%d = Clip (o%d, low, high)\n", id, id); break;
    case 2:
        add(d->nodes, "r%d = MaxPool <kernel_shape = [2, 2], strides = [2, 2], pads = [0, 0, 1, 1]> (o%d)\n", id, id);
        *size = (*size - 1) / 2 + 1;
        break;
    case 5: add(d->nodes, "r%d = Add (o%d, d%d)\n", id, id, other->id); break;
    default: add(d->nodes, "r%d = Identity (o%d)\n", id, id);
    }
}

static void draw_conv(struct draw *d, const struct value *x, int *channels, int *size)
{
    int id = d->count, kernel = x->size > 3 && below(d, 2) ? 3 : 1, pad = kernel == 3 ? (int)below(d, 2) : 0, stride = 1 + (int)below(d, 2);
    int groups = below(d, 3) ? 1 : below(d, 2) ? x->channels : 2;
    bool biased;
    *channels = groups == 1 ? 4 << below(d, 2) : x->channels;
    *size = (x->size + 2 * pad - kernel) / stride + 1;
    draw_weights(d, x, *channels, x->channels / groups, kernel, &biased);
    add(d->nodes, "o%d = Conv <pads = [%d, %d, %d, %d], strides = [%d, %d], group = %d> (d%d, w%d", id, pad, pad, pad, pad, stride, stride, groups, x->id, id);
    if (biased)
        add(d->nodes, ", b%d", id);
    add(d->nodes, ")\n");
}

/* A node of value x and maybe another. */
static void draw_plain(struct draw *d, const struct value *x, int *channels, int *size)
{
    static const char *const alone[] = {"Relu", "LeakyRelu", "Sigmoid", "Neg", "AveragePool <kernel_shape = [2, 2], pads = [0, 0, 1, 1], count_include_pad = 1>",
                                        "MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]>"};
    unsigned kind = below(d, 9);
    const struct value *y = like(d, kind < 8 ? x->channels : 0, x->size);
    *channels = kind < 8 ? x->channels : x->channels + y->channels;
    *size = x->size;
    if (kind < 6)
        add(d->nodes, "o%d = %s (d%d)\n", d->count, alone[kind], x->id);
    else
        add(d->nodes, "o%d = %s (d%d, d%d)\n", d->count, kind == 6 ? "Add" : kind == 7 ? "Mul" : "Concat <axis = 1>", x->id, y->id);
}

static void draw_network(struct draw *d, uint64_t seed)
{
    memset(d, 0, sizeof *d);
    d->state = seed;
    d->is_signed = below(d, 2);
    strcpy(d->constants, "float low = {-0.75}, float high = {1.5}");
    new_value(d, NULL, 4, 5 + (int)below(d, 5));
    for (int left = 2 + (int)below(d, 7); left; left--) {
        const struct value x = d->values[d->count - 1 - (int)below(d, d->count < 4 ? (unsigned)d->count : 4)];
        int channels, size;
        char made[16];
        snprintf(made, sizeof made, "r%d", d->count);
        bool conv = below(d, 2);
        (conv ? draw_conv : draw_plain)(d, &x, &channels, &size);
        draw_between(d, conv, channels, &size);
        new_value(d, made, channels, size);
    }
}

static void write_network(char *out, const struct draw *d, bool all)
{
    int size = d->values[0].size;
    int length = snprintf(out, 3 * TEXT_MAX, "<ir_version: 8, opset_import: [\"\" : 13]>\nqdq (%s[2, 4, %d, %d] q0) => (%s%s)\n<%s>\n{\n%s}\n", type(d), size, size,
                          d->integers, all ? d->others : "", d->constants, d->nodes);
    assert_true(length < 3 * TEXT_MAX);
}

static void every_integer(void **state)
{
    static struct draw d;
    static char plain[3 * TEXT_MAX], whole[3 * TEXT_MAX];
    for (int i = 0; i < NETWORKS; i++) {
        draw_network(&d, (uint64_t)i + 1);
        write_network(plain, &d, false);
        write_network(whole, &d, true);
        struct built network = build_for(plain, "int8", i % 3 ? "tiny" : d.is_signed ? "gemmini" : "tpu-v1", (const char *const[]){NULL});
        int differ = differing_integers(&network, whole);
        if (differ)
            fail_msg("%d integers differ of network %d\n%s", differ, i, plain);
        drop(&network);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_integer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
