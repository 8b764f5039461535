/* directives.c: the table of directives, and how their arguments are bound to parameters. */
#include "walks.h"
#include <string.h>

static const struct directive table[] = {
#define WEFT_DIRECTIVE(name, declare, layout, emit, usage, meaning) {"." #name, usage, meaning, declare, layout, emit},
#include "directives.def"
};

const struct directive *directive_table(size_t *count)
{
    *count = sizeof table / sizeof table[0];
    return table;
}

const struct directive *directive_find(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (!strcmp(table[i].name, name))
            return &table[i];
    return NULL;
}

static size_t parameter_find(const struct parameter *parameters, size_t count, const char *name)
{
    size_t i = 0;
    while (i < count && strcmp(parameters[i].name, name))
        i++;
    return i;
}

static bool unknown_parameter(struct assembler *as, const struct statement *st, const struct parameter *parameters, size_t count,
                              const struct expr *arg)
{
    const char *names[16], *word = message_word(as, arg->name_begin, arg->name_end);
    for (size_t i = 0; i < count; i++)
        names[i] = parameters[i].name;
    struct span at = {arg->name_begin, arg->name_end, arg->at.line};
    message_add(as, at, "%s has no argument '%.60s'%s", st->directive->name, word, message_suggest(as, word, names, count));
    return false;
}

static bool bind_named(struct assembler *as, const struct statement *st, const struct parameter *parameters, size_t count,
                       const struct expr **bound, const struct expr *arg)
{
    size_t i = parameter_find(parameters, count, message_word(as, arg->name_begin, arg->name_end));
    if (i == count)
        return unknown_parameter(as, st, parameters, count, arg);
    if (bound[i]) {
        message_add(as, arg->at, "%s= is given twice", parameters[i].name);
        return false;
    }
    bound[i] = arg->right;
    return true;
}

static bool bind_all_required(struct assembler *as, const struct statement *st, const struct parameter *parameters, size_t count,
                              const struct expr **bound)
{
    for (size_t i = 0; i < count; i++)
        if (parameters[i].required && !bound[i]) {
            message_add(as, st->head, "%s needs its %s: %s", st->directive->name, parameters[i].name, st->directive->usage);
            return false;
        }
    return true;
}

bool arguments_bind(struct assembler *as, const struct statement *st, const struct parameter *parameters, size_t count,
                    const struct expr **bound, const struct expr **rest)
{
    size_t position = 0;
    bool good = true;
    memset(bound, 0, count * sizeof *bound);
    if (rest)
        *rest = NULL;
    for (const struct expr *arg = st->args; arg; arg = arg->next) {
        while (position < count && (parameters[position].named_only || bound[position]))
            position++;
        if (arg->kind == EXPR_NAMED) {
            good &= bind_named(as, st, parameters, count, bound, arg);
        } else if (position < count) {
            bound[position++] = arg;
        } else if (position == count && rest) {
            *rest = *rest ? *rest : arg;
        } else {
            message_add(as, arg->at, "too many arguments: %s", st->directive->usage);
            return false;
        }
    }
    return good && bind_all_required(as, st, parameters, count, bound);
}
