/* bound.c: in words, what a run or a layer waits for, and which of the bounds makes the roofline. */
#include <math.h>
#include <string.h>

#include "report.h"

/* --- what is waited for ---------------------------------------------------------------------------------------------- */

enum weft_class report_largest(const struct weft_figures *f, int first)
{
    int best = first;
    for (int c = first; c < WEFT_CLASSES; c++)
        if (f->classes[c] > f->classes[best])
            best = c;
    return (enum weft_class)best;
}

/* No product waits, and the link to the host is what is at work for most of that time. */
static bool is_leaving(const struct weft_counters *c)
{
    return c->busy_host_out > c->busy_vector && c->busy_host_out > c->busy_dram && 2 * c->busy_host_out > c->class_other;
}

const char *report_waits(enum weft_class class, const struct weft_counters *counters)
{
    return class == WEFT_CLASS_OTHER && is_leaving(counters) ? "results to the host" : report_classes[class].waits;
}

/* A layer of the vector unit has no cycles of its own: those that pass belong to the product behind it (docs/machine.md, Counting). So the layers right
 * before a product that did more vector work than they have cycles are looked at; the one with most of it is waited for, if that is half of the wait. */
const struct weft_layer *report_waited_for(const struct weft_report_input *in, size_t layer, enum weft_class class)
{
    uint64_t most = 0, wait = class == WEFT_CLASS_OTHER ? in->layers[layer].class_other : in->layers[layer].class_raw;
    size_t found = layer;
    if (class != WEFT_CLASS_OTHER && class != WEFT_CLASS_RAW)
        return NULL;
    for (size_t i = layer; i-- > 0 && in->layers[i].busy_vector > in->layers[i].cycles;)
        if (in->layers[i].busy_vector - in->layers[i].cycles > most) {
            most = in->layers[i].busy_vector - in->layers[i].cycles;
            found = i;
        }
    return 2 * most > wait && in->program->layers[found].name ? &in->program->layers[found] : NULL;
}

/* --- the roofline ----------------------------------------------------------------------------------------------------- */

static uint64_t host_bytes(const struct weft_tensor *tensors, size_t count)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += weft_tensor_count(&tensors[i]) * weft_format_bytes(tensors[i].format);
    return bytes;
}

/* Is the roofline what these bytes take at this rate, but for rounding? */
static bool is_time_of(uint64_t roofline, uint64_t bytes, uint64_t bytes_per_second, const struct weft_machine *m)
{
    double cycles = (double)bytes * (double)m->clock_hz / (double)bytes_per_second;
    return bytes && fabs(cycles - (double)roofline) <= 1;
}

/* Is it the products, in some whole number of passes through the cells? */
static bool is_time_of_products(uint64_t roofline, uint64_t macs, const struct weft_machine *m)
{
    double once = (double)macs / (double)(m->arrays * m->rows * m->columns), passes = once > 0 ? round((double)roofline / once) : 0;
    return passes >= 1 && passes <= 64 && fabs(passes * once - (double)roofline) <= 1;
}

const char *report_roof(const struct weft_report_input *in)
{
    const struct weft_program *p = in->program;
    const struct weft_machine *m = &p->machine;
    bool counted;
    uint64_t macs = report_macs(in, &counted), roof = p->roofline_cycles;
    if (!roof)
        return NULL;
    if (is_time_of(roof, host_bytes(p->outputs, p->output_count), m->link_out_bytes_per_second, m))
        return "results to the host";
    if (is_time_of(roof, host_bytes(p->inputs, p->input_count), m->link_in_bytes_per_second, m))
        return "inputs from the host";
    if (!counted && is_time_of_products(roof, macs, m))
        return "products";
    /* The units did at least what their bounds ask for: one that did less does not make the roofline. */
    double fetches = (double)in->run->bytes_weights * (double)m->clock_hz / (double)m->dram_bytes_per_second;
    bool weights = fetches + 1 >= (double)roof, array = in->run->busy_matrix >= roof, vector = in->run->busy_vector >= roof;
    if (weights + array + vector != 1)
        return NULL;
    return weights ? "weights from DRAM" : array ? "products" : "vector work";
}
