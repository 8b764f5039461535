/* import_nodes.c: walks nodes in order, inlines functions, and hands each operator to its function in the table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lower.h"

static const char *text(const char *string)
{
    return string ? string : "";
}

/* --- checks against the table ------------------------------------------------------------------------------------------------ */

/* Is `word` among the words of `list`, which stand between spaces? */
static bool listed(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; length && (at = strstr(at, word)); at++)
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
            return true;
    return false;
}

static bool check_attributes(struct lower *l, const struct onnx_op *op)
{
    for (size_t i = 0; i < l->proto->n_attribute; i++) {
        const char *name = text(l->proto->attribute[i]->name);
        if (!listed(op->attributes, name))
            return lower_refuse(l, "has no attribute '%s'; it takes %s", name, *op->attributes ? op->attributes : "none");
    }
    return true;
}

static bool check_outputs(struct lower *l, const struct scope *scope, const struct onnx_op *op)
{
    int read;
    if (!l->proto->n_output)
        return lower_refuse(l, "has no output");
    if (l->proto->n_output > LOWER_SPLITS_MAX)
        return lower_refuse(l, "%zu outputs; at most %d are supported", l->proto->n_output, LOWER_SPLITS_MAX);
    for (size_t k = op->outputs; k < l->proto->n_output; k++)
        if (*l->proto->output[k] && names_find(&scope->reads, l->proto->output[k], &read))
            return lower_refuse(l, "output %zu (%s) is used; only the first %u are supported", k + 1, l->proto->output[k], op->outputs);
    return true;
}

static bool check_inputs(struct lower *l, const struct onnx_op *op)
{
    size_t count = l->proto->n_input;
    while (count && !*l->proto->input[count - 1])
        count--; /* empty names at the end: left out */
    if (count < op->min_inputs || count > op->max_inputs)
        return lower_refuse(l, "%zu inputs; %u to %u are right", count, op->min_inputs, op->max_inputs);
    for (unsigned i = 0; i < op->min_inputs; i++)
        if (!*l->proto->input[i])
            return lower_refuse(l, "input %u is left out and must be given", i + 1);
    l->in_count = (unsigned)count;
    return true;
}

static const struct onnx_op *find_operator(struct lower *l, const struct scope *scope)
{
    const char *type = text(l->proto->op_type), *domain = text(l->proto->domain);
    const struct onnx_op *op = onnx_op_find(type);
    if (*domain && strcmp(domain, "ai.onnx"))
        lower_refuse(l, "operators of domain '%s' are not supported; ONNX's own (domain \"\") and functions of the model are", domain);
    else if (!op)
        lower_refuse(l, "the operator is not supported; docs/operators.md lists those that are");
    else if (scope->opset < op->first_opset)
        lower_refuse(l, "needs opset %d; this is opset %d", op->first_opset, scope->opset);
    else
        return op;
    return NULL;
}

/* --- one node ---------------------------------------------------------------------------------------------------------------- */

/* False: an input comes from a refused node, so this one is skipped without a word. */
static bool read_inputs(struct lower *l, const struct scope *scope)
{
    bool whole = true;
    for (unsigned i = 0; i < l->in_count; i++) {
        l->in[i] = GRAPH_NONE;
        if (*l->proto->input[i] && !scope_find(scope, l->proto->input[i], &l->in[i]))
            l->in[i] = LOWER_POISON;
        whole &= l->in[i] != LOWER_POISON;
    }
    return whole;
}

static bool bind(struct lower *l, struct scope *scope, const char *name, int value, int first_own)
{
    if (!*name)
        return true;
    if (!names_set(&scope->values, name, value))
        return lower_no_memory(l);
    if (value < first_own)
        return true;
    size_t room = strlen(scope->prefix) + strlen(name) + 1;
    char *renamed = malloc(room);
    if (!renamed)
        return lower_no_memory(l);
    snprintf(renamed, room, "%s%s", scope->prefix, name);
    free(l->graph->values[value].name);
    l->graph->values[value].name = renamed;
    return true;
}

static bool bind_outputs(struct lower *l, struct scope *scope, const Onnx__NodeProto *proto, bool made, int first_own)
{
    for (size_t k = 0; k < proto->n_output; k++) {
        int value = made && k < l->out_count ? l->out[k] : LOWER_POISON, before;
        if (names_find(&scope->values, proto->output[k], &before))
            continue; /* refused by order.c: the name is made twice */
        if (!bind(l, scope, proto->output[k], value, first_own))
            return false;
    }
    return true;
}

static bool lower_operator(struct lower *l, struct scope *scope)
{
    const struct onnx_op *op = find_operator(l, scope);
    if (!op || !check_attributes(l, op) || !check_inputs(l, op) || !check_outputs(l, scope, op) || !read_inputs(l, scope))
        return false;
    return op->lower(l, op) && !l->failed;
}

/* --- functions --------------------------------------------------------------------------------------------------------------- */

static const Onnx__FunctionProto *find_function(struct lower *l)
{
    int index;
    if (!l->model->proto->n_functions)
        return NULL;
    char *key = lower_function_key(l->proto->domain, l->proto->op_type);
    if (!key)
        lower_no_memory(l);
    bool found = key && names_find(&l->functions, key, &index);
    free(key);
    return found ? l->model->proto->functions[index] : NULL;
}

static int function_opset(const struct lower *l, const struct scope *caller, const Onnx__FunctionProto *function)
{
    for (size_t i = 0; i < function->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *import = function->opset_import[i];
        if (!*text(import->domain) || !strcmp(import->domain, "ai.onnx"))
            return import->version > 1000 ? 1000 : (int)import->version;
    }
    return caller->opset;
}

static bool check_call(struct lower *l, const struct scope *inner, const Onnx__FunctionProto *function)
{
    if (inner->depth > LOWER_DEPTH_MAX)
        return lower_refuse(l, "functions call each other more than %d deep; a function must not call itself", LOWER_DEPTH_MAX);
    if (inner->opset < IMPORT_OPSET_FIRST || inner->opset > IMPORT_OPSET_LAST)
        return lower_refuse(l, "the function imports opset %d; %d to %d are supported", inner->opset, IMPORT_OPSET_FIRST,
                            IMPORT_OPSET_LAST);
    if (l->proto->n_input > function->n_input)
        return lower_refuse(l, "%zu inputs; the function takes %zu", l->proto->n_input, function->n_input);
    if (l->proto->n_output > function->n_output)
        return lower_refuse(l, "%zu outputs; the function has %zu", l->proto->n_output, function->n_output);
    if (l->proto->n_output > LOWER_SPLITS_MAX)
        return lower_refuse(l, "%zu outputs; at most %d are supported", l->proto->n_output, LOWER_SPLITS_MAX);
    for (size_t i = 0; i < l->proto->n_attribute; i++) {
        bool known = false;
        for (size_t k = 0; k < function->n_attribute; k++)
            known |= !strcmp(function->attribute[k], text(l->proto->attribute[i]->name));
        if (!known)
            return lower_refuse(l, "the function has no attribute '%s'", text(l->proto->attribute[i]->name));
    }
    return true;
}

static bool bind_parameters(struct lower *l, const struct scope *caller, struct scope *inner, const Onnx__FunctionProto *function)
{
    const Onnx__NodeProto *call = inner->call;
    for (size_t i = 0; i < function->n_input; i++) {
        int value = GRAPH_NONE, twice;
        if (i < call->n_input && *call->input[i] && !scope_find(caller, call->input[i], &value))
            value = LOWER_POISON;
        if (names_find(&inner->values, function->input[i], &twice))
            return lower_refuse(l, "the function has two inputs named %s", function->input[i]);
        if (!names_set(&inner->values, function->input[i], value))
            return lower_no_memory(l);
    }
    for (size_t i = 0; i < function->n_output; i++)
        if (!names_set(&inner->reads, function->output[i], 1))
            return lower_no_memory(l);
    return true;
}

/* What the body made goes to `results` before its scope is gone. */
static void collect_results(struct lower *l, const struct scope *inner, const Onnx__FunctionProto *function, int *results)
{
    for (size_t i = 0; i < inner->call->n_output; i++)
        if (!names_find(&inner->values, function->output[i], &results[i]) || results[i] == GRAPH_NONE) {
            lower_refuse(l, "the function never makes its output %s", function->output[i]);
            results[i] = LOWER_POISON;
        }
}

static bool lower_call(struct lower *l, struct scope *caller, const Onnx__FunctionProto *function)
{
    const Onnx__NodeProto *call = l->proto;
    const char *name = l->name;
    int results[LOWER_SPLITS_MAX];
    size_t room = strlen(name) + 2;
    char *prefix = malloc(room);
    if (!prefix)
        return lower_no_memory(l);
    snprintf(prefix, room, "%s/", name);
    struct scope inner = {
        .caller = caller, .call = call, .prefix = prefix, .opset = function_opset(l, caller, function), .depth = caller->depth + 1};
    bool fine = check_call(l, &inner, function) && bind_parameters(l, caller, &inner, function) &&
                import_nodes(l, &inner, function->node, function->n_node);
    l->proto = call;
    l->name = name;
    l->failed = false;
    if (fine)
        collect_results(l, &inner, function, results);
    for (size_t i = 0; fine && i < call->n_output; i++)
        l->out[i] = results[i];
    l->out_count = (unsigned)call->n_output;
    names_clear(&inner.values);
    names_clear(&inner.reads);
    free(prefix);
    return fine;
}

/* --- the walk ---------------------------------------------------------------------------------------------------------------- */

static bool import_node(struct lower *l, struct scope *scope, const Onnx__NodeProto *proto)
{
    const char *own = *text(proto->name) ? proto->name : proto->n_output && *proto->output[0] ? proto->output[0] : text(proto->op_type);
    size_t room = strlen(scope->prefix) + strlen(own) + 1;
    char *name = malloc(room);
    int first_own = l->graph->value_count;
    if (!name)
        return lower_no_memory(l);
    snprintf(name, room, "%s%s", scope->prefix, own);
    l->proto = proto;
    l->name = name;
    l->scope = scope;
    l->opset = scope->opset;
    l->failed = false;
    l->made = l->in_count = l->out_count = 0;
    const Onnx__FunctionProto *function = find_function(l);
    bool made = function ? lower_call(l, scope, function) : lower_operator(l, scope);
    bool fine = !l->no_memory && bind_outputs(l, scope, proto, made, first_own);
    l->name = "";
    free(name);
    return fine;
}

bool import_nodes(struct lower *l, struct scope *scope, Onnx__NodeProto **nodes, size_t count)
{
    size_t *order;
    if (count > LOWER_NODES_MAX || l->nodes > LOWER_NODES_MAX - count) {
        l->nodes = SIZE_MAX; /* stops every walk that is under way */
        return lower_refuse(l, "with it the network has more than %d nodes", LOWER_NODES_MAX);
    }
    l->nodes += count;
    if (!order_nodes(l, scope, nodes, count, &order))
        return false;
    bool fine = true;
    for (size_t i = 0; fine && i < count; i++)
        fine = import_node(l, scope, nodes[order[i]]) && l->nodes <= LOWER_NODES_MAX;
    free(order);
    return fine && !l->no_memory;
}
