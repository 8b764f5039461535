/* lower_if.c: an If whose condition is known when the network is read is the branch that it takes: that graph's nodes stand where the If stood. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lower.h"

static const char *text(const char *string)
{
    return string ? string : "";
}

bool scope_find(const struct scope *scope, const char *name, int *value)
{
    for (; scope; scope = scope->outer)
        if (names_find(&scope->values, name, value))
            return true;
    return false;
}

/* False: refused. */
static bool find_condition(struct lower *l, bool *holds)
{
    double number;
    if (!lower_parameter(l, 0))
        return false;
    const struct value *condition = lower_value(l, 0);
    if (condition->element != ELEMENT_BOOL || shape_count(&condition->shape) != 1)
        return lower_refuse(l, "its condition must be one bool");
    if (!value_is_constant(condition) || !value_at(l->graph, l->in[0], 0, &number))
        return lower_refuse(l, "its condition %s is computed, or is an input; a branch is taken where it is a constant (or an input whose value is given)",
                            condition->name);
    *holds = number != 0;
    return true;
}

static const Onnx__GraphProto *find_branch(struct lower *l, bool holds)
{
    const char *name = holds ? "then_branch" : "else_branch";
    const Onnx__AttributeProto *attribute = lower_attribute(l, name);
    const Onnx__GraphProto *branch = attribute ? attribute->g : NULL;
    if (!branch)
        lower_refuse(l, "attribute %s must be given, and be a graph", name);
    else if (branch->n_input)
        lower_refuse(l, "its %s has inputs; a branch reads the values around it by their names", name);
    else if (branch->n_output < l->proto->n_output || l->proto->n_output > LOWER_SPLITS_MAX)
        lower_refuse(l, "%zu outputs; its %s has %zu, and at most %d are supported", l->proto->n_output, name, branch->n_output, LOWER_SPLITS_MAX);
    else
        return branch;
    return NULL;
}

static bool import_branch(struct lower *l, struct scope *inner, const Onnx__GraphProto *branch, size_t count, int *results)
{
    if (!import_initialisers(l, inner, branch))
        return false;
    for (size_t i = 0; i < branch->n_output; i++)
        if (!names_set(&inner->reads, text(branch->output[i]->name), 1))
            return lower_no_memory(l);
    if (!import_nodes(l, inner, branch->node, branch->n_node))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!scope_find(inner, text(branch->output[i]->name), &results[i]))
            results[i] = GRAPH_NONE;
    return true;
}

static bool keep_results(struct lower *l, const Onnx__GraphProto *branch, const int *results)
{
    for (size_t i = 0; i < l->proto->n_output; i++) {
        if (results[i] == GRAPH_NONE)
            return lower_refuse(l, "the branch never makes its output %s", text(branch->output[i]->name));
        l->out[i] = results[i];
    }
    l->out_count = (unsigned)l->proto->n_output;
    return true;
}

static bool take_branch(struct lower *l, const Onnx__GraphProto *branch)
{
    const Onnx__NodeProto *proto = l->proto;
    struct scope *scope = l->scope;
    const char *name = l->name;
    int results[LOWER_SPLITS_MAX], opset = l->opset;
    char *prefix;
    if (scope->depth >= LOWER_DEPTH_MAX)
        return lower_refuse(l, "branches and functions lie more than %d deep in each other", LOWER_DEPTH_MAX);
    if (asprintf(&prefix, "%s/", name) < 0)
        return lower_no_memory(l);
    struct scope inner = {.outer = scope, .caller = scope->caller, .call = scope->call, .prefix = prefix, .opset = scope->opset, .depth = scope->depth + 1};
    bool fine = import_branch(l, &inner, branch, proto->n_output, results);
    l->proto = proto;
    l->name = name;
    l->scope = scope;
    l->opset = opset;
    l->failed = false;
    names_clear(&inner.values);
    names_clear(&inner.reads);
    free(prefix);
    return fine && keep_results(l, branch, results);
}

bool lower_if(struct lower *l, const struct onnx_op *op)
{
    bool holds;
    const Onnx__GraphProto *branch = find_condition(l, &holds) ? find_branch(l, holds) : NULL;
    return branch && take_branch(l, branch);
}
