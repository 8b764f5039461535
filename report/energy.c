/* energy.c: joules and square millimetres, by the equations of docs/energy.md. */
#include <math.h>

#include "report.h"

const struct report_component report_components[WEFT_COMPONENTS] = {
#define WEFT_COMPONENT(ID, name, words) {#name, words},
#include "components.def"
};

enum { ACTIVATION_BITS = 8, SUM_BITS = 32, WEIGHT_BITS = 8, BF16_BITS = 16, PLANES = 2 };

static bool has_floats(const struct weft_machine *m)
{
    return m->formats & WEFT_USES_BF16;
}

static bool has_integers(const struct weft_machine *m)
{
    return m->formats & (WEFT_USES_U8 | WEFT_USES_S8 | WEFT_USES_S16);
}

/* E1: 64 bits of a memory of so many bytes, on straight lines in the logarithms through the three sizes of the table, the outer two
 * lines going on beyond them. */
static double sram_access_pj(const struct weft_technology *t, double bytes)
{
    const double size[3] = {8 * 1024, 32 * 1024, 1024 * 1024}, pj[3] = {t->sram_8k_pj, t->sram_32k_pj, t->sram_1m_pj};
    int low = bytes < size[1] ? 0 : 1;
    double slope = log(pj[low + 1] / pj[low]) / log(size[low + 1] / size[low]);
    return pj[low] * pow(bytes / size[low], slope);
}

static double sram_joules(const struct weft_technology *t, double capacity, uint64_t moved_bytes)
{
    return 1e-12 * (double)moved_bytes / 8 * sram_access_pj(t, capacity);
}

static double sram_mm2(const struct weft_technology *t, double bytes)
{
    return 1e-6 * 8 * bytes * t->sram_um2_per_bit / t->sram_cell_share;
}

/* A slot holds a tile in the machine's narrowest weights. */
static double fifo_bytes(const struct weft_machine *m)
{
    return (double)m->fifo_tiles * (double)(m->rows * m->columns) * (has_integers(m) ? 1 : 2);
}

static double cell_um2(const struct weft_machine *m, const struct weft_technology *t)
{
    double integer = has_integers(m) ? t->int8_multiply_um2 + t->int32_add_um2 : 0;
    double real = has_floats(m) ? t->bf16_multiply_um2 + t->fp32_add_um2 : 0;
    unsigned bits = has_floats(m) ? BF16_BITS + SUM_BITS + PLANES * BF16_BITS : ACTIVATION_BITS + SUM_BITS + PLANES * WEIGHT_BITS;
    return integer + real + bits * t->flip_flop_um2_per_bit;
}

static void compute_area(struct weft_energy *out, const struct weft_machine *m, const struct weft_technology *t)
{
    double link = fmax((double)m->link_in_bytes_per_second, (double)m->link_out_bytes_per_second), parts = 0;
    out->mm2[WEFT_COMPONENT_ARRAY] = 1e-6 * (double)(m->arrays * m->rows * m->columns) * cell_um2(m, t);
    out->mm2[WEFT_COMPONENT_BUFFER] = sram_mm2(t, (double)m->ub_bytes);
    out->mm2[WEFT_COMPONENT_ACCUMULATORS] = sram_mm2(t, 4.0 * (double)(m->acc_rows * m->columns));
    out->mm2[WEFT_COMPONENT_FIFO] = sram_mm2(t, fifo_bytes(m));
    out->mm2[WEFT_COMPONENT_VECTOR] = 1e-6 * (double)(m->vector_lanes * m->vector_rows) * (t->fp32_multiply_um2 + t->fp32_add_um2);
    out->mm2[WEFT_COMPONENT_DRAM] = 1e-9 * (double)m->dram_bytes_per_second * t->dram_mm2_per_gbs;
    out->mm2[WEFT_COMPONENT_LINK] = 1e-9 * link * t->link_mm2_per_gbs;
    for (int c = 0; c < WEFT_COMPONENT_REST; c++)
        parts += out->mm2[c];
    out->total_mm2 = parts / (1 - t->die_other_share);
    out->mm2[WEFT_COMPONENT_REST] = out->total_mm2 - parts;
}

static double array_joules(const struct weft_work *w, const struct weft_technology *t)
{
    return 1e-12 *
           ((double)w->integer_products * (t->int8_multiply_pj + t->int32_add_pj) +
            (double)w->float_products * (t->bf16_multiply_pj + t->fp32_add_pj) + (double)w->flip_flop_bits * t->flip_flop_pj_per_bit);
}

void weft_energy_compute(struct weft_energy *out, const struct weft_counters *c, const struct weft_work *w, const struct weft_machine *m,
                         const struct weft_technology *t, uint64_t macs, uint64_t batch)
{
    double seconds = (double)c->cycles / (double)m->clock_hz;
    *out = (struct weft_energy){0};
    compute_area(out, m, t);
    out->joules[WEFT_COMPONENT_ARRAY] = array_joules(w, t);
    out->joules[WEFT_COMPONENT_BUFFER] = sram_joules(t, (double)m->ub_bytes, c->bytes_ub_read + c->bytes_ub_write);
    out->joules[WEFT_COMPONENT_ACCUMULATORS] = sram_joules(t, 4.0 * (double)m->acc_rows, w->accumulator_bytes);
    out->joules[WEFT_COMPONENT_FIFO] = sram_joules(t, fifo_bytes(m), w->fifo_bytes);
    out->joules[WEFT_COMPONENT_VECTOR] = 1e-12 * (double)w->vector_elements * (t->fp32_multiply_pj + t->fp32_add_pj);
    out->joules[WEFT_COMPONENT_DRAM] =
        1e-12 * (double)(c->bytes_weights + c->bytes_dram_read + c->bytes_dram_write) / 8 * t->dram_access_pj;
    out->joules[WEFT_COMPONENT_LINK] = 1e-12 * 8 * (double)(c->bytes_link_in + c->bytes_link_out) * t->link_pj_per_bit;
    out->joules[WEFT_COMPONENT_REST] = t->die_idle_w_per_mm2 * out->total_mm2 * seconds;
    for (int i = 0; i < WEFT_COMPONENTS; i++)
        out->total_joules += out->joules[i];
    out->joules_per_inference = batch ? out->total_joules / (double)batch : NAN;
    out->watts = seconds > 0 ? out->total_joules / seconds : NAN;
    out->chip_watts = seconds > 0 ? (out->total_joules - out->joules[WEFT_COMPONENT_DRAM]) / seconds : NAN;
    out->tops_per_watt = out->total_joules > 0 ? 2e-12 * (double)macs / out->total_joules : NAN;
}
