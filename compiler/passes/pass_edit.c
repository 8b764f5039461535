/* pass_edit.c: small changes of a graph that several passes make. */
#include "pass_edit.h"

#include <stdio.h>

enum { LOOK_MAX = 1 << 12 }; /* elements of a constant that timing alone may make or read */

struct node *edit_producer(const struct graph *graph, int value)
{
    if (value == GRAPH_NONE || graph->values[value].producer == GRAPH_NONE)
        return NULL;
    struct node *node = &graph->nodes[graph->values[value].producer];
    return node->dead ? NULL : node;
}

bool edit_only_reader(const struct graph *graph, int value)
{
    return !graph_is_output(graph, value) && graph_uses(graph, value) == 1;
}

void edit_kill(struct graph *graph, struct node *node)
{
    for (unsigned k = 0; k < node->output_count; k++)
        graph->values[node->outputs[k]].producer = GRAPH_NONE;
    node->output_count = 0;
    node->dead = true;
}

bool edit_bypass(struct graph *graph, struct node *node, int value)
{
    int out = node->outputs[0];
    if (!graph_is_output(graph, out)) {
        graph_replace_uses(graph, out, value);
        edit_kill(graph, node);
        return true;
    }
    struct node *maker = edit_producer(graph, value);
    if (!maker || maker->output_count != 1 || graph_is_output(graph, value))
        return false;
    graph_replace_uses(graph, value, out);
    edit_take_output(graph, maker, node);
    return true;
}

void edit_take_output(struct graph *graph, struct node *maker, struct node *node)
{
    int out = node->outputs[0];
    edit_kill(graph, node);
    graph->values[maker->outputs[0]].producer = GRAPH_NONE;
    maker->outputs[0] = out;
    graph->values[out].producer = (int)(maker - graph->nodes);
}

bool edit_is_per_channel(const struct shape *shape, int64_t channels)
{
    return shape_count(shape) == channels && (!shape->rank || shape->dims[shape->rank - 1] == channels);
}

bool edit_is_known(const struct graph *graph, int id)
{
    const struct value *value = &graph->values[id];
    if (value->contents == CONTENTS_NONE || value->contents == CONTENTS_ABSENT)
        return false;
    return !graph->timing_only || shape_count(&value->shape) <= LOOK_MAX;
}

bool edit_is_all(struct graph *graph, int id, double number)
{
    const struct value *value = &graph->values[id];
    double at;
    if (value->contents != CONTENTS_BYTES && value->contents != CONTENTS_FILL)
        return false;
    int64_t count = value->contents == CONTENTS_FILL ? 1 : shape_count(&value->shape);
    if (count > LOOK_MAX)
        return false;
    for (int64_t i = 0; i < count; i++)
        if (!value_at(graph, id, i, &at) || at != number)
            return false;
    return true;
}

int edit_constant(struct graph *graph, const char *name, const char *suffix, enum element element, const struct shape *shape,
                  const void *bytes)
{
    char full[512];
    snprintf(full, sizeof full, "%s/%s", name, suffix);
    if (bytes)
        return graph_add_constant(graph, full, element, shape, bytes);
    int id = graph_add_value(graph, full, element, shape);
    if (id != GRAPH_NONE)
        graph->values[id].contents = CONTENTS_ABSENT;
    return id;
}
