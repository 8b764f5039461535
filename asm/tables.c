/* tables.c: the layer table and the symbol table. */
#include "walks.h"
#include <string.h>

/* A string for the program to own; *out stays NULL where none is given. */
static void own_string(struct assembler *as, const struct expr *e, const char *what, char **out)
{
    const char *string = e ? expr_string(as, e, what) : NULL;
    if (string)
        *out = table_string(as, string);
}

static void number(struct assembler *as, const struct expr *e, const char *what, uint64_t *out)
{
    if (e)
        (void)expr_unsigned(as, e, what, UINT64_MAX, out);
}

void layout_layer(struct assembler *as, struct statement *st)
{
    static const struct parameter parameters[] = {
        {"name"}, {"op"}, {"shape"}, {"wait", false, true}, {"macs", false, true}, {"roofline", false, true}, {"mapping", false, true}};
    const struct expr *bound[7];
    struct weft_program *p = as->program;
    if (!arguments_bind(as, st, parameters, 7, bound, NULL))
        return;
    struct weft_layer *layers = table_append(as, p->layers, &p->layer_count, sizeof *layers);
    if (!layers)
        return;
    p->layers = layers;
    struct weft_layer *layer = &layers[p->layer_count - 1];
    own_string(as, bound[0], "the layer's name", &layer->name);
    own_string(as, bound[1], "the operator", &layer->op);
    own_string(as, bound[2], "the shape", &layer->shape);
    own_string(as, bound[3], "the wait", &layer->wait);
    number(as, bound[4], "macs", &layer->macs);
    number(as, bound[5], "roofline", &layer->roofline_cycles);
    number(as, bound[6], "mapping", &layer->mapping_cycles);
}

static bool space_letter(struct assembler *as, const struct expr *e, char *out)
{
    const char *word = expr_word(as, e);
    *out = word[0];
    if (e->kind == EXPR_NAME && word[0] && !word[1] && strchr("twhu", word[0]))
        return true;
    message_add(as, e->at, "a symbol's space is t (text), w (DRAM), h (host) or u (unified buffer)");
    return false;
}

void emit_symbol(struct assembler *as, struct statement *st)
{
    static const struct parameter parameters[] = {{"name", true}, {"space", true}, {"value", true}, {"size"}};
    const struct expr *bound[4];
    struct weft_program *p = as->program;
    struct weft_symbol symbol = {0};
    if (!arguments_bind(as, st, parameters, 4, bound, NULL) || !space_letter(as, bound[1], &symbol.space))
        return;
    number(as, bound[2], "the value", &symbol.value);
    number(as, bound[3], "the size", &symbol.size);
    const char *name = expr_string(as, bound[0], "the symbol's name");
    struct weft_symbol *symbols = name ? table_append(as, p->symbols, &p->symbol_count, sizeof *symbols) : NULL;
    if (!symbols)
        return;
    p->symbols = symbols;
    symbol.name = table_string(as, name);
    symbols[p->symbol_count - 1] = symbol;
}
