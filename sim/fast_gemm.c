/* fast_gemm.c: exact products through oneDNN or plain loops. See fast_gemm.h. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <oneapi/dnnl/dnnl_types.h>

#include "fast_gemm.h"
#include "fast_kernels.h"

typedef dnnl_status_t gemm_u8(char ta, char tw, char offset, dnnl_dim_t m, dnnl_dim_t n, dnnl_dim_t k, float alpha, const uint8_t *a,
                              dnnl_dim_t lda, uint8_t ao, const int8_t *w, dnnl_dim_t ldw, int8_t wo, float beta, int32_t *c,
                              dnnl_dim_t ldc, const int32_t *co);
typedef dnnl_status_t gemm_s8(char ta, char tw, char offset, dnnl_dim_t m, dnnl_dim_t n, dnnl_dim_t k, float alpha, const int8_t *a,
                              dnnl_dim_t lda, int8_t ao, const int8_t *w, dnnl_dim_t ldw, int8_t wo, float beta, int32_t *c,
                              dnnl_dim_t ldc, const int32_t *co);

enum verdict { NOT_TRIED, EXACT, NOT_EXACT };

struct gemm {
    bool looked;   /* for the library */
    void *library; /* NULL: plain loops only */
    gemm_u8 *u8;
    gemm_s8 *s8;
    enum verdict u8_verdict, s8_verdict; /* each is tried when it is first wanted: it generates code then, which takes milliseconds */
    uint32_t *a, *w;                     /* scratch of the plain loops, one element in 4 bytes */
    size_t a_room, w_room;
};

enum weft_status gemm_create(struct gemm **out)
{
    *out = calloc(1, sizeof **out);
    return *out ? WEFT_OK : WEFT_NO_MEMORY;
}

void gemm_free(struct gemm *gemm)
{
    if (!gemm) return;
    if (gemm->library) dlclose(gemm->library);
    free(gemm->a);
    free(gemm->w);
    free(gemm);
}

/* --- oneDNN -------------------------------------------------------------------------------------------------------------- */

/* Instruction sets whose 8-bit dot products sum into 32 bits without saturating in between. */
static bool isa_is_exact(dnnl_cpu_isa_t isa)
{
    return isa == dnnl_cpu_isa_avx512_core_vnni || isa == dnnl_cpu_isa_avx512_core_bf16 || isa == dnnl_cpu_isa_avx512_core_amx ||
           isa == dnnl_cpu_isa_avx2_vnni;
}

/* 255 x 127 + 255 x 127 overflows 16 bits; on top of a large sum it also shows an accumulation in floating point. */
enum { PROBE_N = 48, PROBE_K = 64 };

static enum verdict probe_u8(gemm_u8 *multiply)
{
    static const int32_t zero = 0;
    const uint32_t start = 0x7ff00001;
    uint8_t a[2 * PROBE_K];
    int8_t w[PROBE_K * PROBE_N];
    uint32_t c[2 * PROBE_N];
    memset(a, 255, sizeof a);
    memset(w, 127, sizeof w);
    for (int i = 0; i < 2 * PROBE_N; i++) c[i] = start;
    if (multiply('N', 'N', 'F', 2, PROBE_N, PROBE_K, 1.0f, a, PROBE_K, 0, w, PROBE_N, 0, 1.0f, (int32_t *)c, PROBE_N, &zero) != dnnl_success)
        return NOT_EXACT;
    for (int i = 0; i < 2 * PROBE_N; i++)
        if (c[i] != start + PROBE_K * 255u * 127u) return NOT_EXACT;
    return EXACT;
}

/* The same with 128 x 127 downwards. */
static enum verdict probe_s8(gemm_s8 *multiply)
{
    static const int32_t zero = 0;
    const uint32_t start = 0x800fffffu;
    int8_t a[2 * PROBE_K], w[PROBE_K * PROBE_N];
    uint32_t c[2 * PROBE_N];
    memset(a, -128, sizeof a);
    memset(w, 127, sizeof w);
    for (int i = 0; i < 2 * PROBE_N; i++) c[i] = start;
    if (multiply('N', 'N', 'F', 2, PROBE_N, PROBE_K, 1.0f, a, PROBE_K, 0, w, PROBE_N, 0, 1.0f, (int32_t *)c, PROBE_N, &zero) != dnnl_success)
        return NOT_EXACT;
    for (int i = 0; i < 2 * PROBE_N; i++)
        if (c[i] != start - PROBE_K * 128u * 127u) return NOT_EXACT;
    return EXACT;
}

static void set_threads(void *library)
{
    void (*threads)(int) = (void (*)(int))dlsym(library, "omp_set_num_threads");
    if (threads && !getenv("OMP_NUM_THREADS")) threads(1);
}

/* Absence of any part of it is no error: the plain loops are exact too. The library stays loaded once it is (it leaves
 * threads and generated code behind). */
static void look_for_library(struct gemm *gemm)
{
    gemm->looked = true;
    const char *wish = getenv("WEFT_GEMM");
    if (wish && strcmp(wish, "plain") == 0) return;
    void *library = dlopen("libdnnl.so.2", RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
    if (!library) return;
    dnnl_cpu_isa_t (*isa)(void) = (dnnl_cpu_isa_t(*)(void))dlsym(library, "dnnl_get_effective_cpu_isa");
    gemm->u8 = (gemm_u8 *)dlsym(library, "dnnl_gemm_u8s8s32");
    gemm->s8 = (gemm_s8 *)dlsym(library, "dnnl_gemm_s8s8s32");
    if (!isa || !gemm->u8 || !gemm->s8 || !isa_is_exact(isa())) {
        dlclose(library);
        return;
    }
    set_threads(library);
    gemm->library = library;
}

static bool library_multiplies(struct gemm *gemm, enum weft_format activation)
{
    if (!gemm->looked) look_for_library(gemm);
    if (!gemm->library) return false;
    enum verdict *verdict = activation == WEFT_FORMAT_u8 ? &gemm->u8_verdict : &gemm->s8_verdict;
    if (*verdict == NOT_TRIED) *verdict = activation == WEFT_FORMAT_u8 ? probe_u8(gemm->u8) : probe_s8(gemm->s8);
    return *verdict == EXACT;
}

bool gemm_uses_library(struct gemm *gemm)
{
    return library_multiplies(gemm, WEFT_FORMAT_u8) && library_multiplies(gemm, WEFT_FORMAT_s8);
}

static bool multiply_library(struct gemm *gemm, const struct gemm_product *p)
{
    static const int32_t zero = 0;
    if (p->w_format != WEFT_FORMAT_s8 || (p->a_format != WEFT_FORMAT_u8 && p->a_format != WEFT_FORMAT_s8)) return false;
    if (!library_multiplies(gemm, p->a_format)) return false;
    dnnl_dim_t m = (dnnl_dim_t)p->m, n = (dnnl_dim_t)p->n, k = (dnnl_dim_t)p->k;
    dnnl_dim_t lda = (dnnl_dim_t)p->a_stride, ldw = (dnnl_dim_t)p->w_stride, ldc = (dnnl_dim_t)p->sums_stride;
    const int8_t *w = (const int8_t *)p->w;
    float beta = p->accumulate ? 1.0f : 0.0f;
    if (p->a_format == WEFT_FORMAT_u8)
        return gemm->u8('N', 'N', 'F', m, n, k, 1.0f, p->a, lda, 0, w, ldw, 0, beta, (int32_t *)p->sums, ldc, &zero) == dnnl_success;
    return gemm->s8('N', 'N', 'F', m, n, k, 1.0f, (const int8_t *)p->a, lda, 0, w, ldw, 0, beta, (int32_t *)p->sums, ldc, &zero) ==
           dnnl_success;
}

/* --- plain loops --------------------------------------------------------------------------------------------------------- */

static bool reserve(uint32_t **scratch, size_t *room, size_t count)
{
    if (count <= *room) return true;
    free(*scratch);
    *scratch = malloc(count * sizeof **scratch);
    *room = *scratch ? count : 0;
    return *scratch != NULL;
}

/* Elements as 32-bit numbers: integers, or floats for bf16. */
static void widen(uint32_t *out, const uint8_t *in, size_t n, enum weft_format format)
{
    if (format == WEFT_FORMAT_bf16) kernel_load_floats((float *)out, in, n, format);
    else kernel_load_integers((int32_t *)out, in, n, format);
}

static void widen_strip(uint32_t *w, const struct gemm_product *p, size_t column, size_t columns)
{
    size_t bytes = weft_format_bytes(p->w_format);
    if (columns < KERNEL_STRIP) memset(w, 0, p->k * KERNEL_STRIP * sizeof *w);
    for (size_t k = 0; k < p->k; k++) widen(w + k * KERNEL_STRIP, p->w + (k * p->w_stride + column) * bytes, columns, p->w_format);
}

static void put_integers(uint8_t *sums, const uint32_t *from, size_t n, bool accumulate)
{
    uint32_t *out = (uint32_t *)sums;
    for (size_t i = 0; i < n; i++) out[i] = accumulate ? out[i] + from[i] : from[i];
}

static void put_floats(uint8_t *sums, float *from, size_t n, bool accumulate)
{
    const float *old = (const float *)sums;
    for (size_t i = 0; accumulate && i < n; i++) from[i] = old[i] + from[i];
    kernel_store_floats(sums, from, n, WEFT_FORMAT_f32);
}

/* Up to KERNEL_ROWS rows by one strip. */
static void multiply_rows(struct gemm *gemm, const struct gemm_product *p, size_t row, size_t column, size_t columns)
{
    union { uint32_t integer[KERNEL_ROWS][KERNEL_STRIP]; float real[KERNEL_ROWS][KERNEL_STRIP]; } sums;
    size_t bytes = weft_format_bytes(p->a_format), rows = p->m - row < KERNEL_ROWS ? p->m - row : KERNEL_ROWS;
    bool real = p->a_format == WEFT_FORMAT_bf16;
    for (size_t r = 0; r < KERNEL_ROWS; r++) /* rows beyond the last repeat it and are dropped */
        widen(gemm->a + r * p->k, p->a + (row + (r < rows ? r : rows - 1)) * p->a_stride * bytes, p->k, p->a_format);
    if (real) kernel_products_floats(sums.real, (const float *)gemm->a, (const float *)gemm->w, p->k);
    else kernel_products(sums.integer, gemm->a, gemm->w, p->k);
    for (size_t r = 0; r < rows; r++) {
        uint8_t *out = p->sums + ((row + r) * p->sums_stride + column) * 4;
        if (real) put_floats(out, sums.real[r], columns, p->accumulate);
        else put_integers(out, sums.integer[r], columns, p->accumulate);
    }
}

static enum weft_status multiply_plain(struct gemm *gemm, const struct gemm_product *p)
{
    if (!reserve(&gemm->a, &gemm->a_room, KERNEL_ROWS * p->k) || !reserve(&gemm->w, &gemm->w_room, KERNEL_STRIP * p->k))
        return WEFT_NO_MEMORY;
    for (size_t column = 0; column < p->n; column += KERNEL_STRIP) {
        size_t columns = p->n - column < KERNEL_STRIP ? p->n - column : KERNEL_STRIP;
        widen_strip(gemm->w, p, column, columns);
        for (size_t row = 0; row < p->m; row += KERNEL_ROWS) multiply_rows(gemm, p, row, column, columns);
    }
    return WEFT_OK;
}

enum weft_status gemm_multiply(struct gemm *gemm, const struct gemm_product *p)
{
    return multiply_library(gemm, p) ? WEFT_OK : multiply_plain(gemm, p);
}
