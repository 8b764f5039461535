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
            if (names_find(&o->scope->values, name, &maker) || names_find(&o->makers, name, &maker))
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
    if (names_find(&o->scope->values, name, &maker))
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

static bool list_uses(struct order *o)
{
    for (size_t i = 0; i < o->count; i++)
        o->first[i] = GRAPH_NONE;
    for (size_t i = 0; i < o->count; i++)
        for (size_t k = 0; k < o->nodes[i]->n_input; k++)
            if (!list_use(o, i, o->nodes[i]->input[k]))
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
        uses += o->nodes[i]->n_input;
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
