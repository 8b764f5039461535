/* library.c: what the doctor asks about this host. */
#include "fast_gemm.h"
#include "weft_sim.h"

enum weft_status weft_sim_library_is_used(bool *out)
{
    struct gemm *gemm;
    enum weft_status status = gemm_create(&gemm);
    if (status != WEFT_OK) return status;
    *out = gemm_uses_library(gemm);
    gemm_free(gemm);
    return WEFT_OK;
}
