/* interp_gemm.c: oneDNN's sgemm, loaded when the first product is asked for, so that a process that never interprets does
 * not pay for loading it; plain loops where it is not installed. */
#include "interp_kernels.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* dnnl_sgemm of oneAPI/dnnl/dnnl.h: row-major, 0 is success. The other two are those of the OpenMP that it stands on. */
struct library {
    int (*sgemm)(char, char, int64_t, int64_t, int64_t, float, const float *, int64_t, const float *, int64_t, float, float *, int64_t);
    int (*get_threads)(void);
    void (*set_threads)(int);
};

static void look_up(void *handle, const char *name, void *function, size_t size)
{
    void *symbol = dlsym(handle, name);
    memcpy(function, &symbol, size); /* ISO C has no cast between the two */
}

/* Opened anew for each product (a look-up once it is loaded) and never unloaded: no state of ours. */
static struct library library_open(void)
{
    struct library library = {NULL, NULL, NULL};
    void *handle = dlopen("libdnnl.so.2", RTLD_LAZY | RTLD_NODELETE);
    if (!handle)
        return library;
    look_up(handle, "dnnl_sgemm", &library.sgemm, sizeof library.sgemm);
    look_up(handle, "omp_get_max_threads", &library.get_threads, sizeof library.get_threads);
    look_up(handle, "omp_set_num_threads", &library.set_threads, sizeof library.set_threads);
    dlclose(handle);
    return library;
}

/* On one thread, so that sums do not depend on how many cores the host has. */
static bool library_sgemm(const struct library *library, const struct gemm *g, const float *a, const float *b, float *c)
{
    if (!library->sgemm)
        return false;
    int threads = library->get_threads && library->set_threads ? library->get_threads() : 0;
    if (threads > 1)
        library->set_threads(1);
    int failed =
        library->sgemm(g->trans_a ? 'T' : 'N', g->trans_b ? 'T' : 'N', g->m, g->n, g->k, 1, a, g->lda, b, g->ldb, g->accumulate, c, g->ldc);
    if (threads > 1)
        library->set_threads(threads);
    return !failed;
}

static void plain_sgemm(const struct gemm *g, const float *a, const float *b, float *c)
{
    for (int64_t i = 0; i < g->m; i++) {
        float *row = c + i * g->ldc;
        if (!g->accumulate)
            memset(row, 0, (size_t)g->n * sizeof *row);
        for (int64_t k = 0; k < g->k; k++) {
            float x = g->trans_a ? a[k * g->lda + i] : a[i * g->lda + k];
            if (g->trans_b)
                for (int64_t j = 0; j < g->n; j++)
                    row[j] += x * b[j * g->ldb + k];
            else
                for (int64_t j = 0; j < g->n; j++)
                    row[j] += x * b[k * g->ldb + j];
        }
    }
}

enum { SMALL_PRODUCT = 4096 }; /* below this, calling costs more than multiplying */

void interp_sgemm(const struct gemm *g, const float *a, const float *b, float *c)
{
    if (!g->m || !g->n)
        return;
    bool small = g->m * g->n <= SMALL_PRODUCT && g->m * g->n * g->k <= SMALL_PRODUCT;
    if (!small && g->k) {
        struct library library = library_open();
        if (library_sgemm(&library, g, a, b, c))
            return;
    }
    plain_sgemm(g, a, b, c);
}

enum { EXACT_K = 256 }; /* 256 x 255 x 255 < 2^24: every partial sum is an integer that fp32 holds, in whatever order */

bool interp_igemm(const struct gemm *g, const float *a, const float *b, int32_t *c)
{
    int64_t count = g->m * g->n;
    float *sums = malloc((size_t)(count ? count : 1) * sizeof *sums);
    if (!sums)
        return false;
    for (int64_t i = 0; i < g->m; i++)
        memset(c + i * g->ldc, 0, (size_t)g->n * sizeof *c);
    for (int64_t k = 0; k < g->k; k += EXACT_K) {
        struct gemm part = *g;
        part.k = g->k - k < EXACT_K ? g->k - k : EXACT_K;
        part.ldc = g->n;
        part.accumulate = false;
        interp_sgemm(&part, a + k * (g->trans_a ? g->lda : 1), b + k * (g->trans_b ? 1 : g->ldb), sums);
        for (int64_t i = 0; i < g->m; i++)
            for (int64_t j = 0; j < g->n; j++)
                c[i * g->ldc + j] = (int32_t)((uint32_t)c[i * g->ldc + j] + (uint32_t)(int32_t)sums[i * g->n + j]);
    }
    free(sums);
    return true;
}
