/* describe.c: what a program file says about itself: tensors, layers with their bounds, probes. */
#include "finish.h"
#include "mapping.h"
#include "spill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *copy_text(const char *text)
{
    return strdup(text ? text : "");
}

static void describe_tensor(struct weft_tensor *t, const struct backend *b, int value, uint64_t address)
{
    const struct value *v = &b->graph->values[value];
    const struct place *p = &b->places[value];
    int64_t strides[GRAPH_RANK_MAX] = {0};
    place_strides(p, &v->shape, strides);
    t->name = copy_text(v->name);
    t->format = p->g.format;
    t->quantised = backend_value_is_real(b, value) && weft_format_is_integer(p->g.format);
    t->scale = backend_scale(b, value);
    t->zero = t->quantised ? backend_zero(b, value) : p->g.fill;
    t->rank = v->shape.rank;
    for (unsigned d = 0; d < t->rank; d++) {
        t->dims[d] = (uint64_t)v->shape.dims[d];
        t->strides[d] = (uint64_t)strides[d];
        t->axes[d] = d;
    }
    t->dims[0] *= t->rank ? (uint64_t)b->repeats : 1;
    t->host = address;
    t->bytes = (uint64_t)b->repeats * p->g.bytes - (uint64_t)p->g.origin;
    snprintf(t->element, sizeof t->element, "%s", element_name(v->element));
}

/* What the person gives are the indices. */
static void describe_lookup(struct weft_tensor *t, const struct backend *b, const struct lookup *lookup)
{
    const struct value *indices = &b->graph->values[lookup->input];
    free(t->name);
    t->name = copy_text(indices->name);
    t->rank = indices->shape.rank;
    t->table_rows = lookup->rows;
    t->row_bytes = lookup->row_bytes;
    t->table_data = lookup->offset;
    snprintf(t->element, sizeof t->element, "%s", element_name(indices->element));
}

static enum weft_status describe_tensors(struct weft_tensor **out, size_t *count, const struct backend *b, const int *values, unsigned n,
                                         const uint64_t *host)
{
    *out = calloc(n + 1u, sizeof **out);
    if (!*out)
        return WEFT_NO_MEMORY;
    for (unsigned i = 0; i < n; i++)
        if (b->places[values[i]].placed && !resident_input(b, values[i]) && !resident_output(b, values[i])) {
            struct weft_tensor *t = &(*out)[(*count)++];
            describe_tensor(t, b, values[i], host[i]);
            if (values == b->graph->inputs && lookup_of(b, values[i]))
                describe_lookup(t, b, lookup_of(b, values[i]));
        }
    return WEFT_OK;
}

static void print_shape(char *out, size_t size, const struct shape *shape)
{
    size_t used = 0;
    out[0] = 0;
    for (unsigned d = 0; d < shape->rank && used < size; d++)
        used += (size_t)snprintf(out + used, size - used, "%s%lld", d ? "x" : "", (long long)shape->dims[d]);
}

static const char *bounded_by(const struct layer *l)
{
    const struct mapping *m = &l->m->map;
    if (m->vector_cycles > m->product_cycles && m->vector_cycles > m->fetch_cycles)
        return "vector unit";
    return m->fetch_cycles > m->product_cycles ? "weights" : "products";
}

static void describe_mapping(char *out, size_t size, const struct layer *l)
{
    const struct mapping *m = &l->m->map;
    int used = snprintf(out, size, "%s; %lld tiles x %lld rows", bounded_by(l), (long long)m->tiles, (long long)m->rows);
    if (m->pixels > 1 && used > 0 && (size_t)used < size)
        used += snprintf(out + used, size - (size_t)used, ", %lld pixels side by side", (long long)m->pixels);
    if (m->group_pack > 1 && used > 0 && (size_t)used < size)
        used += snprintf(out + used, size - (size_t)used, ", %lld groups side by side", (long long)m->group_pack);
    if (m->zero_tiles && used > 0 && (size_t)used < size)
        used += snprintf(out + used, size - (size_t)used, ", %lld more tiles are zero and skipped", (long long)m->zero_tiles);
    if (m->terms > 1 && used > 0 && (size_t)used < size)
        snprintf(out + used, size - (size_t)used, ", %s %lld %s", l->m->w_format == WEFT_FORMAT_bf16 ? "operands in" : "weights in", (long long)m->terms,
                 l->m->w_format == WEFT_FORMAT_bf16 ? "bf16 planes" : "terms");
}

static enum weft_status describe_layer(struct weft_layer *out, const struct backend *b, const struct layer *l)
{
    char x[96], y[96], text[256];
    print_shape(x, sizeof x, &b->graph->values[l->input_count ? l->inputs[0] : l->x].shape);
    print_shape(y, sizeof y, &b->graph->values[l->y].shape);
    if (l->m && (l->m->kh > 1 || l->m->kw > 1))
        snprintf(text, sizeof text, "%s -> %s, %lldx%lld", x, y, (long long)l->m->kh, (long long)l->m->kw);
    else
        snprintf(text, sizeof text, "%s -> %s", x, y);
    const char *type = l->node == GRAPH_NONE ? (l->op == CORE_OPS ? "Relayout" : "Split") : b->graph->nodes[l->node].onnx_type;
    out->name = copy_text(l->name && l->name[0] ? l->name : b->graph->values[l->y].name);
    if (depthwise_is(l))
        type = "Depthwise"; /* told apart: they use the array so differently */
    out->op = copy_text(type ? type : core_op_name(l->op));
    out->shape = copy_text(text);
    out->macs = l->macs;
    out->roofline_cycles = l->roofline;
    out->mapping_cycles = l->mapping;
    if (l->kind == LAYER_DOTS)
        out->wait = copy_text("vector unit; sooner done than a tile is shifted into the array");
    if (l->kind == LAYER_DEPTHWISE) {
        snprintf(text, sizeof text, "vector unit; %lld multiplications and additions a result, cheaper than on the array", (long long)(l->m->kh * l->m->kw));
        out->wait = copy_text(text);
    }
    if (b->tail.pieces && l - b->layers >= b->tail.first) {
        snprintf(text, sizeof text, "in %lld pieces of its rows", (long long)b->tail.pieces);
        out->wait = copy_text(text);
    }
    if (layer_multiplies(l)) {
        (l->kind == LAYER_PRODUCT ? product_describe_mapping : describe_mapping)(text, sizeof text, l);
        size_t used = strlen(text);
        if (layer_pieces(l) > 1)
            snprintf(text + used, sizeof text - used, ", inferences %lld at a time", (long long)(b->batch / layer_pieces(l)));
        out->wait = copy_text(text);
    }
    return out->name && out->op && out->shape ? WEFT_OK : WEFT_NO_MEMORY;
}

/* Behind what bounds a layer, what came and went while it ran. */
static enum weft_status describe_spill(struct weft_layer *out, const struct backend *b, int row)
{
    char text[512] = "";
    snprintf(text, sizeof text, "%s", out->wait ? out->wait : "");
    spill_describe(text, sizeof text, b, row);
    if (!text[0])
        return WEFT_OK;
    free(out->wait);
    out->wait = copy_text(text);
    return out->wait ? WEFT_OK : WEFT_NO_MEMORY;
}

static enum weft_status describe_layers(struct weft_program *p, const struct backend *b)
{
    int count;
    const struct layer *rows = spill_rows(b, &count);
    p->layers = calloc((size_t)count + 1, sizeof *p->layers);
    enum weft_status status = p->layers ? WEFT_OK : WEFT_NO_MEMORY;
    for (int i = 0; i < count && !status; i++) {
        status = describe_layer(&p->layers[p->layer_count++], b, &rows[i]);
        if (!status && b->spill)
            status = describe_spill(&p->layers[i], b, i);
    }
    return status;
}

static void describe_probe(struct weft_probe *probe, const struct backend *b, const struct made *made)
{
    int y = b->layers[made->layer].y;
    describe_tensor(&probe->tensor, b, y, place_origin(b, y));
    if (made->count) {
        const struct geometry *g = &b->places[y].g;
        uint64_t others = (uint64_t)(b->graph->values[y].shape.dims[0] - made->count); /* inferences; their stride need not be an image's */
        probe->tensor.dims[0] = (uint64_t)made->count;
        probe->tensor.bytes = g->bytes - others * probe->tensor.strides[0] - (uint64_t)g->origin;
        probe->first = (uint64_t)made->first;
    }
    probe->layer = (uint32_t)spill_row(b, made->layer);
    probe->after = made->at;
}

static enum weft_status describe_probes(struct weft_program *p, const struct backend *b)
{
    p->probes = calloc(b->made_count + 1, sizeof *p->probes);
    if (!p->probes)
        return WEFT_NO_MEMORY;
    for (size_t i = 0; i < b->made_count; i++) {
        const struct layer *l = &b->layers[b->made[i].layer];
        if (l->kind >= LAYER_CONSTANTS || b->graph->values[l->y].producer == GRAPH_NONE || b->places[l->y].permuted[0] || b->places[l->y].outside)
            continue; /* made by the compiler, not in the network's own order, or nowhere as a whole */
        describe_probe(&p->probes[p->probe_count++], b, &b->made[i]);
    }
    return WEFT_OK;
}

/* Of the program's inputs: no more than they hold, halos aside, and no more than it asks for. */
static uint64_t input_bytes(const struct weft_program *p, struct backend *b)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < p->input_count; i++) {
        const struct weft_tensor *t = &p->inputs[i];
        uint64_t whole = weft_tensor_count(t) * weft_format_bytes(t->format), brought = brought_bytes(b, t->host, t->host + t->bytes);
        bytes += brought < whole ? brought : whole;
    }
    return bytes;
}

/* docs/metrics.md: the largest of products over peak, weights over DRAM, input and output over the link, vector work over vector rate. */
static void describe_bounds(struct weft_program *p, struct backend *b)
{
    uint64_t products = 0, weights = 0, vector = 0, in = input_bytes(p, b), out = 0;
    int count;
    const struct layer *rows = spill_rows(b, &count);
    for (int i = 0; i < count; i++) {
        const struct layer *l = &rows[i];
        const struct geometry *y = &b->places[l->y].g;
        p->mapping_cycles += l->mapping;
        vector += l->kind == LAYER_ALIAS ? 0 : (uint64_t)(b->repeats * y->n * y->h * y->w * y->c);
        if (l->kind == LAYER_PRODUCT)
            products += l->macs * product_passes(b, l);
        if (l->kind != LAYER_MATRIX || (depthwise_is(l) && !l->m->integer))
            continue; /* what the vector unit could do as well bounds neither the array nor DRAM */
        products += l->macs * weft_passes(b->places[l->x].g.format, l->m->w_format) * (uint64_t)planes_pairs(b, l);
        if (b->places[l->y].host_offset)
            continue; /* a later piece of one product, whose weights the first has counted */
        weights += mapping_weight_bytes(l->m);
    }
    for (size_t i = 0; i < p->output_count; i++)
        out += weft_tensor_count(&p->outputs[i]) * weft_format_bytes(p->outputs[i].format);
    const struct weft_machine *m = b->machine;
    uint64_t bounds[] = {products / backend_cells(b), cycles_of_bytes(m, weights, m->dram_bytes_per_second),
                         cycles_of_bytes(m, in, m->link_in_bytes_per_second), cycles_of_bytes(m, out, m->link_out_bytes_per_second),
                         vector / backend_vector_width(b)};
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++)
        p->roofline_cycles = bounds[i] > p->roofline_cycles ? bounds[i] : p->roofline_cycles;
}

/* What tiles of zeros save, against a program that fetches and multiplies them like any others. */
static enum weft_status describe_savings(struct weft_program *p, const struct backend *b)
{
    uint64_t tiles = 0, bytes = 0, products = 0, all = 0;
    char text[512];
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *l = &b->layers[i];
        if (l->kind != LAYER_MATRIX)
            continue;
        const struct mapping *m = &l->m->map;
        uint64_t runs = (uint64_t)(b->repeats * layer_pieces(l)), times = runs * (uint64_t)m->chunks;
        all += times * (uint64_t)(m->tiles + m->zero_tiles);
        tiles += times * (uint64_t)m->zero_tiles;
        bytes += times * m->zero_bytes;
        products += runs * (uint64_t)m->rows * m->zero_cells * (uint64_t)weft_passes(b->places[l->x].g.format, l->m->w_format);
    }
    if (!tiles)
        return WEFT_OK;
    int length = snprintf(text, sizeof text, "{\"zero_tiles\": {\"tiles\": %llu, \"of\": %llu, \"bytes\": %llu, \"products\": %llu}", (unsigned long long)tiles,
                          (unsigned long long)all, (unsigned long long)bytes, (unsigned long long)products);
    if (b->options->prune > 0)
        length += snprintf(text + length, sizeof text - (size_t)length, ", \"pruned\": {\"share\": %.6g, \"blocks\": %llu, \"of\": %llu}", b->options->prune,
                           (unsigned long long)b->pruned_blocks, (unsigned long long)b->blocks);
    snprintf(text + length, sizeof text - (size_t)length, "}");
    p->notes = copy_text(text);
    return p->notes ? WEFT_OK : WEFT_NO_MEMORY;
}

static uint64_t batch_of(const struct backend *b)
{
    if (b->graph->batch > 1)
        return (uint64_t)(b->repeats * b->graph->batch);
    const struct shape *s = b->graph->input_count ? &b->graph->values[b->graph->inputs[0]].shape : NULL;
    return (uint64_t)b->repeats * (s && s->rank > 1 && s->dims[0] > 0 ? (uint64_t)s->dims[0] : 1);
}

enum weft_status backend_describe(struct weft_program *p, struct backend *b, const uint64_t *input_host, const uint64_t *output_host)
{
    enum weft_status status = describe_tensors(&p->inputs, &p->input_count, b, b->graph->inputs, b->graph->input_count, input_host);
    if (!status)
        status = describe_tensors(&p->outputs, &p->output_count, b, b->graph->outputs, b->graph->output_count, output_host);
    if (!status)
        status = describe_layers(p, b);
    if (!status)
        status = describe_probes(p, b);
    for (size_t i = 0; i < p->input_count; i++)
        p->inputs[i].table = p->inputs[i].table_rows && p->data && !b->options->timing_only ? p->data + p->inputs[i].table_data : NULL;
    if (status)
        return status;
    p->network = copy_text(b->graph->name);
    p->format = copy_text(b->options->format ? b->options->format : "int8");
    p->batch = batch_of(b);
    describe_bounds(p, b);
    return describe_savings(p, b);
}
