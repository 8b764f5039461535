/* symbols.c: names of labels and of .equ constants, in a tree of search.h. */
#include "asm.h"
#include <search.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
    const struct symbol *x = a, *y = b;
    size_t shorter = x->length < y->length ? x->length : y->length;
    int order = memcmp(x->name, y->name, shorter);
    return order ? order : (x->length > y->length) - (x->length < y->length);
}

static struct symbol *insert(struct assembler *as, struct span at)
{
    struct symbol *symbol = arena_take(&as->arena, sizeof *symbol);
    if (!symbol) {
        message_no_memory(as);
        return NULL;
    }
    *symbol = (struct symbol){.name = as->text + at.begin, .length = at.end - at.begin, .at = at};
    struct symbol **found = tsearch(symbol, &as->symbol_tree, by_name);
    if (!found) {
        message_no_memory(as);
        return NULL;
    }
    if (*found != symbol) {
        if ((*found)->at.line == at.line)
            message_add(as, at, "'%.*s' is defined twice: on this line already", (int)symbol->length, symbol->name);
        else
            message_add(as, at, "'%.*s' is defined twice: first in line %u", (int)symbol->length, symbol->name, (*found)->at.line);
        return NULL;
    }
    symbol->next = as->symbols;
    as->symbols = symbol;
    as->symbol_count++;
    return symbol;
}

void symbols_declare(struct assembler *as, struct statement *label)
{
    label->symbol = insert(as, label->head);
}

void symbols_define(struct assembler *as, const struct expr *name, const struct expr *definition)
{
    struct symbol *symbol = insert(as, name->at);
    if (symbol)
        symbol->definition = definition;
}

struct symbol *symbols_find(const struct assembler *as, const char *name, size_t length)
{
    struct symbol key = {.name = name, .length = length};
    struct symbol **found = tfind(&key, &as->symbol_tree, by_name);
    return found ? *found : NULL;
}

static void nothing(void *symbol)
{
    (void)symbol;
}

void symbols_free(struct assembler *as)
{
    tdestroy(as->symbol_tree, nothing);
    as->symbol_tree = NULL;
}
