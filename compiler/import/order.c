/* order.c: ONNX wants nodes in an order in which names are made before they are read; files that are not in one are sorted. */
#include <stdlib.h>
#include <string.h>

#include "lower.h"

struct order {
    struct lower *l;
    struct scope *scope;
    Onnx__NodeProto **nodes;
    size_t count;
    struct names makers; /* name to node */
    size_t *order, placed;
    int *waits, *first, *next, *user; /* as in sort.c: by node; by maker; by use; by use */
    int uses;
    bool in_order;
};

/* The node at work is what lower_refuse names. */
static void point_at(struct order *o, size_t node)
{
    const Onnx__NodeProto *proto = o->nodes[node];
    o->l->proto = proto;
    o->l->name = proto->name && *proto->name ? proto->name : proto->n_output ? proto->output[0] : "node without a name";
}

static bool list_makers(struct order *o)
{
    int maker;
    for (size_t i = 0; i < o->count; i++)
        for (size_t k = 0; k < o->nodes[i]->n_output; k++) {
            const char *name = o->nodes[i]->output[k];
            if (!*name)
                continue;
            point_at(o, i);
            if (scope_find(o->scope, name, &maker) || names_find(&o->makers, name, &maker))
                lower_refuse(o->l, "makes %s, which is made before; a name must be given once", name);
            else if (!names_set(&o->makers, name, (int)i))
                return lower_no_memory(o->l);
        }
    return true;
}

static bool list_use(struct order *o, size_t node, const char *name)
{
    int maker;
    if (!*name)
        return true;
    if (!names_set(&o->scope->reads, name, 1))
        return lower_no_memory(o->l);
    if (scope_find(o->scope, name, &maker))
        return true;
    if (!names_find(&o->makers, name, &maker)) {
        point_at(o, node);
        lower_refuse(o->l, "reads %s, which nothing makes", name);
        return names_set(&o->scope->values, name, LOWER_POISON) || lower_no_memory(o->l);
    }
    o->in_order &= (size_t)maker < node;
    o->waits[node]++;
    o->user[o->uses] = (int)node;
    o->next[o->uses] = o->first[maker];
    o->first[maker] = o->uses++;
    return true;
}

/* --- graphs in attributes: a node reads what they read of the values around them ---------------------------------------------- */

/* What a graph in an attribute makes, and those around it. */
struct made { struct names names; const struct made *outer; };

static bool is_made(const struct made *made, const char *name)
{
    int number;
    for (; made; made = made->outer)
        if (names_find(&made->names, name, &number))
            return true;
    return false;
}

static bool list_made(struct made *made, const Onnx__GraphProto *graph)
{
    bool fine = true;
    for (size_t i = 0; fine && i < graph->n_initializer; i++)
        fine = !graph->initializer[i]->name || names_set(&made->names, graph->initializer[i]->name, 1);
    for (size_t i = 0; fine && i < graph->n_input; i++)
        fine = !graph->input[i]->name || names_set(&made->names, graph->input[i]->name, 1);
    for (size_t i = 0; fine && i < graph->n_node; i++)
        for (size_t k = 0; fine && k < graph->node[i]->n_output; k++)
            fine = names_set(&made->names, graph->node[i]->output[k], 1);
    return fine;
}

/* `made`: of the graphs between the node of the scope and this name; a name that nobody around them makes is left to whoever reads the graph. */
static bool list_name(struct order *o, size_t node, const char *name, const struct made *made)
{
    int number;
    if (made && (is_made(made, name) || (!scope_find(o->scope, name, &number) && !names_find(&o->makers, name, &number))))
        return true;
    return list_use(o, node, name);
}

static bool list_node(struct order *o, size_t node, const Onnx__NodeProto *proto, const struct made *made);

static bool list_graph(struct order *o, size_t node, const Onnx__GraphProto *graph, const struct made *outer)
{
    struct made made = {.outer = outer};
    bool fine = list_made(&made, graph) || lower_no_memory(o->l);
    for (size_t i = 0; fine && i < graph->n_node; i++)
        fine = list_node(o, node, graph->node[i], &made);
    for (size_t i = 0; fine && i < graph->n_output; i++)
        fine = !graph->output[i]->name || list_name(o, node, graph->output[i]->name, &made);
    names_clear(&made.names);
    return fine;
}

static bool list_node(struct order *o, size_t node, const Onnx__NodeProto *proto, const struct made *made)
{
    bool fine = true;
    for (size_t k = 0; fine && k < proto->n_input; k++)
        fine = list_name(o, node, proto->input[k], made);
    for (size_t i = 0; fine && i < proto->n_attribute; i++)
        fine = !proto->attribute[i]->g || list_graph(o, node, proto->attribute[i]->g, made);
    return fine;
}

/* At most so many names does a node read, in its graphs too. */
static size_t count_uses(const Onnx__NodeProto *proto)
{
    size_t uses = proto->n_input;
    for (size_t i = 0; i < proto->n_attribute; i++) {
        const Onnx__GraphProto *graph = proto->attribute[i]->g;
        for (size_t k = 0; graph && k < graph->n_node; k++)
            uses += count_uses(graph->node[k]);
        uses += graph ? graph->n_output : 0;
    }
    return uses;
}

static bool list_uses(struct order *o)
{
    for (size_t i = 0; i < o->count; i++)
        o->first[i] = GRAPH_NONE;
    for (size_t i = 0; i < o->count; i++)
        if (!list_node(o, i, o->nodes[i], NULL))
            return false;
    return true;
}

static void place(struct order *o)
{
    for (size_t i = 0; i < o->count; i++)
        if (o->in_order || !o->waits[i])
            o->order[o->placed++] = i;
    for (size_t done = 0; !o->in_order && done < o->placed; done++)
        for (int use = o->first[o->order[done]]; use != GRAPH_NONE; use = o->next[use])
            if (--o->waits[o->user[use]] == 0)
                o->order[o->placed++] = (size_t)o->user[use];
}

static bool name_cycle(struct order *o)
{
    for (size_t i = 0; i < o->count; i++) {
        if (!o->waits[i])
            continue;
        point_at(o, i);
        return lower_refuse(o->l, "waits for its own result, directly or through others; a network must have no cycle");
    }
    return false;
}

static bool init(struct order *o)
{
    size_t uses = 1;
    for (size_t i = 0; i < o->count; i++)
        uses += count_uses(o->nodes[i]);
    o->order = malloc((o->count + 1) * sizeof *o->order);
    o->waits = calloc(o->count + 1, sizeof *o->waits);
    o->first = malloc((o->count + 1) * sizeof *o->first);
    o->next = malloc(uses * sizeof *o->next);
    o->user = malloc(uses * sizeof *o->user);
    o->in_order = true;
    return (o->order && o->waits && o->first && o->next && o->user) || lower_no_memory(o->l);
}

bool order_nodes(struct lower *l, struct scope *scope, Onnx__NodeProto **nodes, size_t count, size_t **order)
{
    struct order o = {.l = l, .scope = scope, .nodes = nodes, .count = count};
    bool fine = init(&o) && list_makers(&o) && list_uses(&o);
    if (fine)
        place(&o);
    if (fine && o.placed < count)
        fine = name_cycle(&o);
    names_clear(&o.makers);
    free(o.waits);
    free(o.first);
    free(o.next);
    free(o.user);
    if (!fine)
        free(o.order);
    *order = fine ? o.order : NULL;
    return fine;
}
