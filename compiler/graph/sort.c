/* sort.c: brings the nodes of a graph into an order in which every value is made before it is used. */
#include "graph.h"

#include <stdlib.h>
#include <string.h>

struct sort {
    struct graph *graph;
    int *waits;        /* by node: distinct input slots whose producer has not been placed */
    int *first, *next; /* lists of uses: by value the first use, then by use the next; use = slot number over all nodes */
    int *user;         /* by use: the node */
    int *order, placed;
};

static bool in_order(const struct graph *graph)
{
    for (int i = 0; i < graph->node_count; i++)
        for (unsigned k = 0; k < graph->nodes[i].input_count; k++) {
            int value = graph->nodes[i].inputs[k];
            if (value != GRAPH_NONE && graph->values[value].producer >= i)
                return false;
        }
    return true;
}

static size_t slot_count(const struct graph *graph)
{
    size_t slots = 0;
    for (int i = 0; i < graph->node_count; i++)
        slots += graph->nodes[i].input_count;
    return slots;
}

static bool sort_init(struct sort *s, struct graph *graph)
{
    size_t nodes = (size_t)graph->node_count, values = (size_t)graph->value_count, slots = slot_count(graph) + 1;
    *s = (struct sort){.graph = graph,
                       .waits = calloc(nodes + 1, sizeof(int)),
                       .first = malloc((values + 1) * sizeof(int)),
                       .next = malloc(slots * sizeof(int)),
                       .user = malloc(slots * sizeof(int)),
                       .order = malloc((nodes + 1) * sizeof(int))};
    return s->waits && s->first && s->next && s->user && s->order;
}

static void sort_clear(struct sort *s)
{
    free(s->waits);
    free(s->first);
    free(s->next);
    free(s->user);
    free(s->order);
}

static void list_uses(struct sort *s)
{
    const struct graph *graph = s->graph;
    int use = 0;
    for (int i = 0; i < graph->value_count; i++)
        s->first[i] = GRAPH_NONE;
    for (int i = graph->node_count - 1; i >= 0; i--)
        for (unsigned k = 0; k < graph->nodes[i].input_count; k++) {
            int value = graph->nodes[i].inputs[k];
            if (value == GRAPH_NONE || graph->values[value].producer == GRAPH_NONE)
                continue;
            s->waits[i]++;
            s->user[use] = i;
            s->next[use] = s->first[value];
            s->first[value] = use++;
        }
}

/* Places what waits for nothing behind node number `done` of the order, and so on: all of it, or what `may` allows. */
static void follow(struct sort *s, int done, graph_choice *may, const void *user)
{
    for (; done < s->placed; done++) {
        const struct node *node = &s->graph->nodes[s->order[done]];
        for (unsigned k = 0; k < node->output_count; k++)
            for (int use = s->first[node->outputs[k]]; use != GRAPH_NONE; use = s->next[use])
                if (--s->waits[s->user[use]] == 0 && (!may || may(s->graph, s->user[use], user)))
                    s->order[s->placed++] = s->user[use];
    }
}

static void place(struct sort *s)
{
    for (int i = 0; i < s->graph->node_count; i++)
        if (!s->waits[i])
            s->order[s->placed++] = i;
    follow(s, 0, NULL, NULL);
}

static enum weft_status apply_order(struct graph *graph, const int *order)
{
    struct node *sorted = malloc(((size_t)graph->node_room + 1) * sizeof *sorted);
    if (!sorted)
        return WEFT_NO_MEMORY;
    for (int i = 0; i < graph->node_count; i++)
        sorted[i] = graph->nodes[order[i]];
    free(graph->nodes);
    graph->nodes = sorted;
    for (int i = 0; i < graph->node_count; i++)
        for (unsigned k = 0; k < sorted[i].output_count; k++)
            graph->values[sorted[i].outputs[k]].producer = i;
    return WEFT_OK;
}

static enum weft_status cycle_error(const struct sort *s, struct weft_diag *diag)
{
    int node = 0;
    while (!s->waits[node])
        node++;
    return weft_error(diag, "%s: node %s (%s) waits for its own result; a network must have no cycle",
                      s->graph->name ? s->graph->name : "graph", s->graph->nodes[node].name, s->graph->nodes[node].onnx_type);
}

enum weft_status graph_sort(struct graph *graph, struct weft_diag *diag)
{
    if (in_order(graph))
        return WEFT_OK;
    struct sort s;
    enum weft_status status = WEFT_NO_MEMORY;
    if (sort_init(&s, graph)) {
        list_uses(&s);
        place(&s);
        status = s.placed < graph->node_count ? cycle_error(&s, diag) : apply_order(graph, s.order);
    }
    sort_clear(&s);
    return status;
}

/* Nodes that do not move keep their order; those that do are placed by what they wait for. */
static void place_early(struct sort *s, graph_choice *moves, const void *user)
{
    for (int i = 0; i < s->graph->node_count; i++)
        if (!s->waits[i] && moves(s->graph, i, user))
            s->order[s->placed++] = i;
    follow(s, 0, moves, user);
    for (int i = 0; i < s->graph->node_count; i++) {
        if (moves(s->graph, i, user))
            continue;
        s->order[s->placed++] = i;
        follow(s, s->placed - 1, moves, user);
    }
}

enum weft_status graph_hoist(struct graph *graph, graph_choice *moves, const void *user, struct weft_diag *diag)
{
    struct sort s;
    enum weft_status status = WEFT_NO_MEMORY;
    if (sort_init(&s, graph)) {
        list_uses(&s);
        place_early(&s, moves, user);
        status = s.placed < graph->node_count ? cycle_error(&s, diag) : apply_order(graph, s.order);
    }
    sort_clear(&s);
    return status;
}

/* Chains of nodes that stand in front of the same one; the first of each chain is the first in order. */
static void list_waiting(const int *before, int count, int *first, int *next)
{
    for (int i = 0; i < count; i++)
        first[i] = GRAPH_NONE;
    for (int i = count; i-- > 0;)
        if (before[i] != GRAPH_NONE) {
            next[i] = first[before[i]];
            first[before[i]] = i;
        }
}

enum weft_status graph_move(struct graph *graph, const int *before)
{
    int count = graph->node_count, placed = 0;
    int *order = malloc(((size_t)count * 3 + 1) * sizeof *order);
    if (!order)
        return WEFT_NO_MEMORY;
    int *first = order + count, *next = first + count;
    list_waiting(before, count, first, next);
    for (int i = 0; i < count; i++) {
        for (int k = before[i] == GRAPH_NONE ? first[i] : GRAPH_NONE; k != GRAPH_NONE; k = next[k])
            order[placed++] = k;
        if (before[i] == GRAPH_NONE)
            order[placed++] = i;
    }
    enum weft_status status = apply_order(graph, order);
    free(order);
    return status;
}
