/* graph.c: values and nodes as ids into arrays. Ids are GRAPH_NONE when memory runs out; callers test for it. */
#include "graph.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum weft_status graph_create(struct graph **out)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return WEFT_NO_MEMORY;
    (*out)->batch = 1;
    return WEFT_OK;
}

static void value_clear(struct value *value)
{
    free(value->name);
    if (!value->borrowed)
        free(value->bytes);
}

static void node_clear(struct node *node)
{
    free(node->name);
    free(node->onnx_type);
    free(node->inputs);
}

void graph_free(struct graph *graph)
{
    if (!graph)
        return;
    for (int i = 0; i < graph->value_count; i++)
        value_clear(&graph->values[i]);
    for (int i = 0; i < graph->node_count; i++)
        node_clear(&graph->nodes[i]);
    free(graph->values);
    free(graph->nodes);
    free(graph->inputs);
    free(graph->outputs);
    free(graph->name);
    if (graph->release)
        graph->release(graph->file, graph->file_bytes);
    free(graph);
}

bool graph_grow(void *array, size_t count, int *room, size_t size)
{
    if (count < (size_t)*room)
        return true;
    if (*room > INT32_MAX / 2)
        return false;
    int wanted = *room ? *room * 2 : 64;
    void *grown;
    memcpy(&grown, array, sizeof grown);
    grown = realloc(grown, (size_t)wanted * size);
    if (!grown)
        return false;
    memcpy(array, &grown, sizeof grown);
    *room = wanted;
    return true;
}

int graph_add_value(struct graph *graph, const char *name, enum element element, const struct shape *shape)
{
    if (!graph_grow(&graph->values, (size_t)graph->value_count, &graph->value_room, sizeof *graph->values))
        return GRAPH_NONE;
    char *copy = strdup(name ? name : "");
    if (!copy)
        return GRAPH_NONE;
    graph->values[graph->value_count] = (struct value){.name = copy, .element = element, .shape = *shape, .producer = GRAPH_NONE};
    return graph->value_count++;
}

int graph_add_constant(struct graph *graph, const char *name, enum element element, const struct shape *shape, const void *bytes)
{
    size_t size = (size_t)shape_count(shape) * element_bytes(element);
    void *copy = malloc(size ? size : 1);
    if (!copy)
        return GRAPH_NONE;
    if (size)
        memcpy(copy, bytes, size);
    int id = graph_add_value(graph, name, element, shape);
    if (id == GRAPH_NONE) {
        free(copy);
        return GRAPH_NONE;
    }
    graph->values[id].contents = CONTENTS_BYTES;
    graph->values[id].bytes = copy;
    return id;
}

int graph_add_node(struct graph *graph, enum core_op op, const char *name, const char *onnx_type, const int *inputs, unsigned input_count)
{
    assert(input_count <= NODE_INPUTS_MAX);
    if (!graph_grow(&graph->nodes, (size_t)graph->node_count, &graph->node_room, sizeof *graph->nodes))
        return GRAPH_NONE;
    struct node node = {.op = op,
                        .name = strdup(name ? name : ""),
                        .onnx_type = strdup(onnx_type ? onnx_type : core_op_name(op)),
                        .inputs = malloc((input_count ? input_count : 1) * sizeof *node.inputs),
                        .input_count = input_count};
    if (!node.name || !node.onnx_type || !node.inputs) {
        node_clear(&node);
        return GRAPH_NONE;
    }
    for (unsigned i = 0; i < input_count; i++)
        node.inputs[i] = inputs[i];
    graph->nodes[graph->node_count] = node;
    return graph->node_count++;
}

int graph_add_output(struct graph *graph, int node, int value)
{
    struct node *n = &graph->nodes[node];
    assert(n->output_count < sizeof n->outputs / sizeof n->outputs[0]);
    assert(graph->values[value].producer == GRAPH_NONE);
    n->outputs[n->output_count++] = value;
    graph->values[value].producer = node;
    return value;
}

void graph_replace_uses(struct graph *graph, int old_value, int new_value)
{
    for (int i = 0; i < graph->node_count; i++)
        for (unsigned k = 0; k < graph->nodes[i].input_count; k++)
            if (graph->nodes[i].inputs[k] == old_value)
                graph->nodes[i].inputs[k] = new_value;
    for (unsigned k = 0; k < graph->output_count; k++)
        if (graph->outputs[k] == old_value)
            graph->outputs[k] = new_value;
}

static bool node_reads(const struct node *node, int value)
{
    for (unsigned k = 0; k < node->input_count; k++)
        if (node->inputs[k] == value)
            return true;
    return false;
}

bool graph_is_output(const struct graph *graph, int value)
{
    for (unsigned k = 0; k < graph->output_count; k++)
        if (graph->outputs[k] == value)
            return true;
    return false;
}

int graph_uses(const struct graph *graph, int value)
{
    int uses = 0;
    for (int i = 0; i < graph->node_count; i++)
        uses += !graph->nodes[i].dead && node_reads(&graph->nodes[i], value);
    for (unsigned k = 0; k < graph->output_count; k++)
        uses += graph->outputs[k] == value;
    return uses;
}

static bool node_is_read(const struct node *node, const bool *read)
{
    for (unsigned k = 0; k < node->output_count; k++)
        if (read[node->outputs[k]])
            return true;
    return false;
}

/* One walk backwards marks what is read: every reader stands behind what it reads. */
static void mark_dead(struct graph *graph, bool *read)
{
    for (unsigned k = 0; k < graph->output_count; k++)
        read[graph->outputs[k]] = true;
    for (int i = graph->node_count - 1; i >= 0; i--) {
        struct node *node = &graph->nodes[i];
        if (!node_is_read(node, read))
            node->dead = true;
        for (unsigned k = 0; !node->dead && k < node->input_count; k++)
            if (node->inputs[k] != GRAPH_NONE)
                read[node->inputs[k]] = true;
    }
}

static void drop_node(struct graph *graph, struct node *node)
{
    int id = (int)(node - graph->nodes);
    for (unsigned k = 0; k < node->output_count; k++)
        if (graph->values[node->outputs[k]].producer == id)
            graph->values[node->outputs[k]].producer = GRAPH_NONE;
    node_clear(node);
}

static void set_producers(struct graph *graph, int node)
{
    for (unsigned k = 0; k < graph->nodes[node].output_count; k++)
        graph->values[graph->nodes[node].outputs[k]].producer = node;
}

/* What no living node and no list of the graph names any more holds no memory. Ids stay as they are. */
static void free_unread(struct graph *graph, bool *read)
{
    for (unsigned k = 0; k < graph->input_count; k++)
        read[graph->inputs[k]] = true;
    for (int i = 0; i < graph->value_count; i++)
        if (read[i] && graph->values[i].multiples.known)
            read[graph->values[i].multiples.scales] = true;
    for (int i = 0; i < graph->value_count; i++) {
        struct value *value = &graph->values[i];
        if (read[i] || !value->bytes || value->borrowed)
            continue;
        free(value->bytes);
        value->bytes = NULL;
        if (value->contents == CONTENTS_BYTES)
            value->contents = CONTENTS_NONE;
    }
}

void graph_sweep(struct graph *graph)
{
    bool *read = calloc((size_t)graph->value_count + 1, sizeof *read);
    if (!read)
        return; /* dead nodes do no harm: a later sweep drops them */
    mark_dead(graph, read);
    for (int i = 0; i < graph->node_count; i++)
        if (graph->nodes[i].dead)
            drop_node(graph, &graph->nodes[i]);
    int kept = 0;
    for (int i = 0; i < graph->node_count; i++) {
        if (graph->nodes[i].dead)
            continue;
        graph->nodes[kept] = graph->nodes[i];
        set_producers(graph, kept++);
    }
    graph->node_count = kept;
    free_unread(graph, read);
    free(read);
}

unsigned element_bytes(enum element element)
{
    switch (element) {
    case ELEMENT_F64:
    case ELEMENT_S64:
    case ELEMENT_U64:
        return 8;
    case ELEMENT_F32:
    case ELEMENT_S32:
    case ELEMENT_U32:
        return 4;
    case ELEMENT_F16:
    case ELEMENT_BF16:
    case ELEMENT_U16:
    case ELEMENT_S16:
        return 2;
    case ELEMENT_U8:
    case ELEMENT_S8:
    case ELEMENT_BOOL:
        return 1;
    }
    return 0;
}

const char *element_name(enum element element)
{
    static const char *const names[] = {"float32", "float64", "float16", "bfloat16", "uint8",  "int8", "uint16",
                                        "int16",   "int32",   "uint32",  "int64",    "uint64", "bool"};
    return names[element];
}

int64_t shape_count(const struct shape *shape)
{
    int64_t count = 1;
    for (unsigned i = 0; i < shape->rank; i++)
        count *= shape->dims[i];
    return count;
}

bool shape_equal(const struct shape *a, const struct shape *b)
{
    return a->rank == b->rank && !memcmp(a->dims, b->dims, a->rank * sizeof a->dims[0]);
}

const char *core_op_name(enum core_op op)
{
    static const char *const names[] = {
#define CORE_OP(ID, name, min_inputs, max_inputs, meaning) name,
#include "op.def"
    };
    return names[op];
}

bool value_is_constant(const struct value *value)
{
    return value->contents != CONTENTS_NONE;
}
