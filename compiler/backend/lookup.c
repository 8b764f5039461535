/* lookup.c: embeddings. The machine has no address that depends on data, so a Gather whose indices are an input of the network is the
 * host's work: it copies rows of the table, in the machine's own format, to where the network's values would lie as an input, and the
 * program reads them over the link. To everything behind, the Gather's result is an input. */
#include "emit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The input that these indices are, with nothing between that changes a number or the order; or GRAPH_NONE. */
static int index_input(const struct graph *g, int value)
{
    for (int node; (node = g->values[value].producer) != GRAPH_NONE; value = g->nodes[node].inputs[0])
        if (g->nodes[node].op != CORE_RESHAPE && g->nodes[node].op != CORE_CAST)
            return GRAPH_NONE;
    for (unsigned i = 0; i < g->input_count; i++)
        if (g->inputs[i] == value)
            return value;
    return GRAPH_NONE;
}

bool lookup_is(const struct backend *b, int node)
{
    const struct node *n = &b->graph->nodes[node];
    return n->op == CORE_GATHER && n->at.axis == 0 && value_is_constant(&b->graph->values[n->inputs[0]]) && backend_value_is_real(b, n->inputs[0]) &&
           index_input(b->graph, n->inputs[1]) != GRAPH_NONE;
}

enum { FEW_ROWS = 64, WORTH = 4 /* times the bytes */ };

/* A table of few long rows costs less over the link as a product: the host looks up rows of the identity, and the array multiplies them with the
 * table, which is exact. */
static bool is_short(const struct graph *g, const struct node *n)
{
    const struct shape *table = &g->values[n->inputs[0]].shape, *indices = &g->values[n->inputs[1]].shape;
    return table->rank == 2 && table->dims[0] <= FEW_ROWS && table->dims[0] * WORTH <= table->dims[1] && indices->rank >= 1 && indices->rank + 1 < GRAPH_RANK_MAX;
}

static int add_identity(struct graph *g, int64_t rows)
{
    float *identity = calloc((size_t)(rows * rows), sizeof *identity);
    for (int64_t i = 0; identity && i < rows; i++)
        identity[i * rows + i] = 1;
    int value = identity ? graph_add_constant(g, "identity", ELEMENT_F32, &(struct shape){.rank = 2, .dims = {rows, rows}}, identity) : GRAPH_NONE;
    free(identity);
    return value;
}

static enum weft_status multiply_instead(struct backend *b, int node)
{
    struct graph *g = b->graph;
    int table = g->nodes[node].inputs[0], y = g->nodes[node].outputs[0];
    struct shape shape = g->values[g->nodes[node].inputs[1]].shape;
    char name[256];
    snprintf(name, sizeof name, "%.240s/one_hot", g->values[y].name);
    shape.dims[shape.rank++] = g->values[table].shape.dims[0];
    int identity = add_identity(g, shape.dims[shape.rank - 1]), hot = identity < 0 ? GRAPH_NONE : graph_add_value(g, name, ELEMENT_F32, &shape);
    int product = hot < 0 ? GRAPH_NONE : graph_add_node(g, CORE_MATMUL, g->nodes[node].name, g->nodes[node].onnx_type, (int[]){hot, table}, 2);
    if (product < 0)
        return WEFT_NO_MEMORY;
    g->nodes[node].inputs[0] = identity;
    g->nodes[node].outputs[0] = hot;
    g->values[hot].producer = node;
    g->values[y].producer = GRAPH_NONE;
    return graph_add_output(g, product, y) < 0 ? WEFT_NO_MEMORY : WEFT_OK;
}

/* Before the network becomes layers. */
enum weft_status backend_one_hot(struct backend *b)
{
    struct graph *g = b->graph;
    bool any = false;
    enum weft_status status = WEFT_OK;
    for (int i = 0, count = g->node_count; i < count && !status; i++)
        if (!g->nodes[i].dead && lookup_is(b, i) && is_short(g, &g->nodes[i])) {
            status = multiply_instead(b, i);
            any = true;
        }
    return any && !status ? graph_sort(g, b->diag) : status;
}

/* Rows of the smallest table that this input looks into; 0: it is no index. */
uint64_t lookup_limit(const struct backend *b, int input)
{
    uint64_t rows = 0;
    for (int i = 0; i < b->graph->node_count; i++) {
        if (b->graph->nodes[i].dead || !lookup_is(b, i) || index_input(b->graph, b->graph->nodes[i].inputs[1]) != input)
            continue;
        uint64_t own = (uint64_t)b->graph->values[b->graph->nodes[i].inputs[0]].shape.dims[0];
        rows = !rows || own < rows ? own : rows;
    }
    return rows;
}

const struct lookup *lookup_of(const struct backend *b, int value)
{
    for (int i = 0; i < b->lookup_count; i++)
        if (b->lookups[i].y == value)
            return &b->lookups[i];
    return NULL;
}

static enum weft_status add_input(struct backend *b, const struct layer *l)
{
    struct graph *g = b->graph;
    struct node *n = &g->nodes[l->node];
    int *inputs = realloc(g->inputs, (g->input_count + 1) * sizeof *inputs);
    if (inputs)
        g->inputs = inputs;
    struct lookup *lookups = realloc(b->lookups, ((size_t)b->lookup_count + 1) * sizeof *lookups);
    if (lookups)
        b->lookups = lookups;
    if (!inputs || !lookups)
        return WEFT_NO_MEMORY;
    b->lookups[b->lookup_count++] = (struct lookup){.y = l->y, .table = n->inputs[0], .input = index_input(g, n->inputs[1])};
    g->inputs[g->input_count++] = l->y;
    g->values[l->y].producer = GRAPH_NONE;
    n->dead = true;
    return WEFT_OK;
}

/* Inputs that were only looked up never reach the machine. */
static void drop_indices(struct backend *b)
{
    struct graph *g = b->graph;
    unsigned kept = 0;
    for (int i = g->node_count; i-- > 0;) /* what stood between input and Gather; layers name nodes by number, so they stay where they are */
        if (!g->nodes[i].dead && (g->nodes[i].op == CORE_RESHAPE || g->nodes[i].op == CORE_CAST) && !graph_uses(g, g->nodes[i].outputs[0]))
            g->nodes[i].dead = true;
    for (unsigned i = 0; i < g->input_count; i++) {
        bool looked_up = false;
        for (int k = 0; k < b->lookup_count; k++)
            looked_up |= b->lookups[k].input == g->inputs[i];
        if (!looked_up || graph_uses(g, g->inputs[i]))
            g->inputs[kept++] = g->inputs[i];
    }
    g->input_count = kept;
}

enum weft_status backend_lookups(struct backend *b)
{
    int kept = 0;
    enum weft_status status = WEFT_OK;
    for (int i = 0; i < b->layer_count; i++) {
        if (b->layers[i].kind != LAYER_LOOKUP) {
            b->layers[kept++] = b->layers[i];
            continue;
        }
        if (!status)
            status = add_input(b, &b->layers[i]);
        free(b->layers[i].name);
    }
    b->layer_count = kept;
    if (b->lookup_count)
        drop_indices(b);
    return status;
}

/* The rows as the machine takes them, behind all that goes into the unified buffer. */
static enum weft_status write_table(struct backend *b, struct lookup *lookup)
{
    const struct shape *shape = &b->graph->values[lookup->table].shape;
    enum weft_format f = backend_format(b, lookup->y);
    uint64_t count = (uint64_t)shape_count(shape), bytes = weft_format_bytes(f);
    lookup->rows = (uint64_t)shape->dims[0];
    lookup->row_bytes = count / lookup->rows * bytes;
    if (b->options->timing_only)
        return WEFT_OK;
    const float *from = value_bytes(b->graph, lookup->table);
    uint8_t *out = from ? malloc(count * bytes) : NULL;
    if (!out)
        return WEFT_NO_MEMORY;
    for (uint64_t i = 0; i < count; i++)
        if (weft_format_is_integer(f))
            weft_store_integer(out + i * bytes, f, weft_requantise(from[i] / backend_scale(b, lookup->y), backend_zero(b, lookup->y), weft_format_low(f), weft_format_high(f)));
        else
            weft_store_float(out + i * bytes, f, from[i]);
    lookup->offset = backend_constant(b, out, count * bytes, 64);
    free(out);
    return b->out_of_memory ? WEFT_NO_MEMORY : WEFT_OK;
}

enum weft_status backend_tables(struct backend *b)
{
    enum weft_status status = WEFT_OK;
    for (int i = 0; i < b->lookup_count && !status; i++)
        status = write_table(b, &b->lookups[i]);
    return status;
}
