/* bare_gemm N: the yardstick of `make bench`. Multiplies the matrices that ResNet-50's 53 convolutions and last layer come to after im2col (batch 1), with
 * oneDNN's u8 x s8 -> s32, single thread, N times over, and prints the median seconds of one pass. Only the products: no im2col, no activation. */
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct gemm { unsigned times; dnnl_dim_t m /* pixels */, k /* window x channels in */, n /* channels out */; };

/* K. He et al., table 1, with the stride in the 3 x 3: 1 + 3 x (3 + 4 + 6 + 3) + 4 convolutions. */
static const struct gemm gemms[] = {
    {1, 112 * 112, 7 * 7 * 3, 64},
    {1, 56 * 56, 64, 64},    {3, 56 * 56, 9 * 64, 64},   {3, 56 * 56, 64, 256},   {1, 56 * 56, 64, 256},    {2, 56 * 56, 256, 64},
    {1, 56 * 56, 256, 128},  {4, 28 * 28, 9 * 128, 128}, {4, 28 * 28, 128, 512},  {1, 28 * 28, 256, 512},   {3, 28 * 28, 512, 128},
    {1, 28 * 28, 512, 256},  {6, 14 * 14, 9 * 256, 256}, {6, 14 * 14, 256, 1024}, {1, 14 * 14, 512, 1024},  {5, 14 * 14, 1024, 256},
    {1, 14 * 14, 1024, 512}, {3, 7 * 7, 9 * 512, 512},   {3, 7 * 7, 512, 2048},   {1, 7 * 7, 1024, 2048},   {2, 7 * 7, 2048, 512},
    {1, 1, 2048, 1000},
};
enum { GEMMS = sizeof gemms / sizeof *gemms, RUNS_MAX = 1000 };

struct operands { unsigned char *a; signed char *b; int *c; };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void *made(size_t bytes, unsigned salt)
{
    unsigned char *p = malloc(bytes);
    for (size_t i = 0; p && i < bytes; i++)
        p[i] = (unsigned char)((i * 2654435761u + salt) >> 13);
    return p;
}

/* Operands of every product of a pass, apart from one another as in a network, so that weights come from memory. */
static int make(struct operands out[], unsigned *count)
{
    *count = 0;
    for (size_t i = 0; i < GEMMS; i++)
        for (unsigned t = 0; t < gemms[i].times; t++) {
            struct operands *o = &out[(*count)++];
            *o = (struct operands){made((size_t)(gemms[i].m * gemms[i].k), 1), made((size_t)(gemms[i].k * gemms[i].n), 2),
                                   malloc((size_t)(gemms[i].m * gemms[i].n) * sizeof(int))};
            if (!o->a || !o->b || !o->c)
                return 0;
        }
    return 1;
}

static int pass(const struct operands all[])
{
    int zero = 0;
    for (size_t i = 0, next = 0; i < GEMMS; i++)
        for (unsigned t = 0; t < gemms[i].times; t++, next++) {
            const struct gemm *g = &gemms[i];
            const struct operands *o = &all[next];
            if (dnnl_gemm_u8s8s32('N', 'N', 'F', g->m, g->n, g->k, 1, o->a, g->k, 0, o->b, g->n, 0, 0, o->c, g->n, &zero) != dnnl_success)
                return 0;
        }
    return 1;
}

int main(int argc, char **argv)
{
    int runs = argc > 1 ? atoi(argv[1]) : 5;
    if (runs < 1 || runs > RUNS_MAX)
        return 2;
    setenv("OMP_NUM_THREADS", "1", 1);
    static struct operands all[64];
    static double seconds[RUNS_MAX];
    unsigned count;
    if (!make(all, &count) || !pass(all)) { /* the first pass makes oneDNN's code */
        fprintf(stderr, "bare_gemm: no memory, or oneDNN refused\n");
        return 1;
    }
    for (int r = 0; r < runs; r++) {
        double begin = now();
        pass(all);
        seconds[r] = now() - begin;
    }
    qsort(seconds, (size_t)runs, sizeof *seconds, by_value);
    double macs = 0;
    for (size_t i = 0; i < GEMMS; i++)
        macs += (double)gemms[i].times * (double)(gemms[i].m * gemms[i].k * gemms[i].n);
    printf("%.6f %u %.0f\n", seconds[runs / 2], count, macs);
    for (unsigned i = 0; i < count; i++) {
        free(all[i].a);
        free(all[i].b);
        free(all[i].c);
    }
    return 0;
}
