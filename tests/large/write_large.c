/* write_large.c DIRECTORY MEBIBYTES: a network whose weights lie beside it, as many MiB of floats: square matrices of 16384 rows, one behind the other.
 * The weights are the same few thousand numbers over and over; what matters is that they are many and none is zero. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIDE = 16384, COLUMNS_STEP = 64, NUMBERS = 4099 /* a prime, so that rows differ */ };

static int write_weights(const char *path, uint64_t count)
{
    static float block[NUMBERS];
    FILE *out = fopen(path, "wb");
    for (int i = 0; i < NUMBERS; i++)
        block[i] = (float)((i * 2654435761u >> 16 & 255) + 1) / 16384 - (i & 1 ? 0 : 0.0157f);
    for (uint64_t at = 0; out && at < count; at += NUMBERS)
        fwrite(block, sizeof block[0], count - at < NUMBERS ? count - at : NUMBERS, out);
    return out && !ferror(out) && !fclose(out) ? 0 : 1;
}

static int write_network(const char *path, uint64_t matrices, uint64_t last)
{
    FILE *out = fopen(path, "w");
    if (!out)
        return 1;
    fprintf(out, "<ir_version: 8, opset_import: [\"\" : 13]>\nlarge (float[1, %d] x) => (float[1, %llu] y)\n<", SIDE, (unsigned long long)last);
    for (uint64_t i = 0; i < matrices; i++)
        fprintf(out, "%sfloat[%d, %llu] w%llu = [\"location\": \"large.bin\", \"offset\": \"%llu\"]", i ? ",\n" : "", SIDE, (unsigned long long)(i + 1 < matrices ? SIDE : last), (unsigned long long)i,
                (unsigned long long)(i * SIDE * SIDE * sizeof(float)));
    fprintf(out, ">\n{\n");
    for (uint64_t i = 0; i < matrices; i++) {
        fprintf(out, "  %s%.0llu = MatMul (%s", i + 1 < matrices ? "a" : "y", (unsigned long long)(i + 1 < matrices ? i + 1 : 0), i ? "a" : "x");
        fprintf(out, "%.0llu, w%llu)\n", (unsigned long long)i, (unsigned long long)i);
    }
    fprintf(out, "}\n");
    return fclose(out) ? 1 : 0;
}

int main(int argc, char **argv)
{
    uint64_t columns = argc == 3 ? strtoull(argv[2], NULL, 10) * 1048576 / (SIDE * sizeof(float)) / COLUMNS_STEP * COLUMNS_STEP : 0;
    if (!columns) {
        fprintf(stderr, "usage: write_large DIRECTORY MEBIBYTES (of at least 4)\n");
        return 2;
    }
    char path[4096];
    snprintf(path, sizeof path, "%s/large.onnxtxt", argv[1]);
    uint64_t matrices = (columns + SIDE - 1) / SIDE;
    if (write_network(path, matrices, columns - (matrices - 1) * SIDE))
        return 1;
    snprintf(path, sizeof path, "%s/large.bin", argv[1]);
    return write_weights(path, columns * SIDE);
}
