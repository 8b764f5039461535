/* labels.c: the names that a disassembly gives to addresses. A symbol's name can be anything; a label is a name that lexes, used once. */
#include "asm.h"
#include <ctype.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

/* Sections in the order in which the disassembler prints them; symbols elsewhere (the unified buffer) come last, as .equ. */
static int order_of(char space)
{
    return space == 'w' ? 0 : space == 'h' ? 1 : space == 't' ? 2 : 3;
}

static int by_place(const void *a, const void *b)
{
    const struct label *x = a, *y = b;
    if (order_of(x->space) != order_of(y->space))
        return order_of(x->space) - order_of(y->space);
    if (x->space != y->space)
        return x->space < y->space ? -1 : 1;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Can the address stand as `name:` in its section? */
static bool is_placed(const struct weft_program *p, char space, uint64_t value)
{
    switch (space) {
    case 't':
        return value <= p->instructions;
    case 'w':
        return p->weights && value <= p->weights_bytes;
    case 'h':
        return p->data && value >= p->data_host && value - p->data_host <= p->data_bytes;
    default:
        return false;
    }
}

/* The name with what does not lex made '_'; a second of the same gets its number behind it. NULL: no memory. */
static char *make_name(void **used, const char *name, size_t index)
{
    size_t length = name ? strlen(name) : 0, size = length + 48;
    char *made = malloc(size);
    if (!made)
        return NULL;
    size_t prefix = !length || !(isalpha((unsigned char)name[0]) || name[0] == '_' || name[0] == '$');
    memset(made, '_', prefix);
    for (size_t i = 0; i < length; i++)
        made[prefix + i] = isalnum((unsigned char)name[i]) || strchr("_.$", name[i]) ? name[i] : '_';
    made[prefix + length] = 0;
    for (size_t again = 0; tfind(made, used, by_name); again++)
        snprintf(made + prefix + length, size - prefix - length, again ? ".%zu.%zu" : ".%zu", index, again);
    if (tsearch(made, used, by_name))
        return made;
    free(made);
    return NULL;
}

static bool is_natural(const struct labels *labels, const struct weft_program *p)
{
    for (size_t i = 0; i < labels->count; i++) {
        const struct label *label = &labels->items[i];
        const struct weft_symbol *symbol = &p->symbols[label->index];
        if (label->index != i || !label->placed || symbol->size || !symbol->name || strcmp(symbol->name, label->name))
            return false;
    }
    return true;
}

static void nothing(void *name)
{
    (void)name;
}

enum weft_status labels_create(struct labels *out, const struct weft_program *program)
{
    void *used = NULL;
    *out = (struct labels){.items = calloc(program->symbol_count + 1, sizeof *out->items)};
    if (!out->items)
        return WEFT_NO_MEMORY;
    for (size_t i = 0; i < program->symbol_count; i++) {
        const struct weft_symbol *s = &program->symbols[i];
        char *name = make_name(&used, s->name, i);
        if (!name)
            break;
        out->items[out->count++] = (struct label){s->space, is_placed(program, s->space, s->value), s->value, i, name};
    }
    tdestroy(used, nothing);
    if (out->count < program->symbol_count) {
        labels_free(out);
        return WEFT_NO_MEMORY;
    }
    qsort(out->items, out->count, sizeof *out->items, by_place);
    out->natural = is_natural(out, program);
    return WEFT_OK;
}

void labels_free(struct labels *labels)
{
    for (size_t i = 0; i < labels->count; i++)
        free(labels->items[i].name);
    free(labels->items);
    *labels = (struct labels){0};
}

size_t labels_first(const struct labels *labels, char space, uint64_t value)
{
    struct label key = {.space = space, .value = value};
    size_t low = 0, high = labels->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_place(&labels->items[middle], &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const char *labels_find(const void *user, char space, uint64_t value)
{
    const struct labels *labels = user;
    size_t i = labels_first(labels, space, value);
    return i < labels->count && labels->items[i].space == space && labels->items[i].value == value ? labels->items[i].name : NULL;
}
