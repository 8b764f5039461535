/* layout.c: the second walk gives every statement its section and address, and every label its value. */
#include "walks.h"
#include <string.h>

static void enter(struct assembler *as, struct statement *st, enum section section)
{
    static const struct parameter parameters[] = {{"address", false}};
    const struct expr *address[1];
    struct place *place = &as->place[section];
    as->current = section;
    if (!arguments_bind(as, st, parameters, 1, address, NULL))
        return;
    uint64_t position = place->position;
    if (address[0] && !expr_unsigned(as, address[0], "the address", UINT64_C(0xffffffffff), &position))
        return;
    place->position = position;
    if (!place->entered || position < place->low)
        place->low = position;
    place->entered = true;
}

void layout_text(struct assembler *as, struct statement *st)
{
    as->current = SECTION_TEXT;
    if (st->args)
        message_add(as, st->args->at, ".text takes no argument: instructions lie in the order in which they are written");
}

void layout_weights(struct assembler *as, struct statement *st)
{
    enter(as, st, SECTION_WEIGHTS);
}
void layout_data(struct assembler *as, struct statement *st)
{
    enter(as, st, SECTION_DATA);
}

void declare_equ(struct assembler *as, struct statement *st)
{
    static const struct parameter parameters[] = {{"name", true}, {"value", true}};
    const struct expr *bound[2];
    if (!arguments_bind(as, st, parameters, 2, bound, NULL))
        return;
    if (bound[0]->kind != EXPR_NAME)
        message_add(as, bound[0]->at, "a name belongs here: %s", st->directive->usage);
    else
        symbols_define(as, bound[0], bound[1]);
}

void emit_equ(struct assembler *as, struct statement *st)
{
    struct value value;
    if (st->args && st->args->next && st->args->kind == EXPR_NAME)
        (void)expr_value(as, st->args, &value); /* so that a bad constant is reported though nobody uses it */
}

void layout_symbol(struct assembler *as, struct statement *st)
{
    as->symbols_given = true;
}

void layout_source(struct assembler *as, struct statement *st)
{
    static const struct parameter parameters[] = {{"file", true}};
    const struct expr *bound[1];
    if (!arguments_bind(as, st, parameters, 1, bound, NULL))
        return;
    as->sources_given = true;
    if (bound[0]->kind == EXPR_NAME && !strcmp(expr_word(as, bound[0]), "none"))
        return;
    const char *name = expr_string(as, bound[0], "a source");
    struct weft_program *p = as->program;
    char **files = name ? table_append(as, p->files, &p->file_count, sizeof *files) : NULL;
    if (!files)
        return;
    p->files = files;
    files[p->file_count - 1] = table_string(as, name);
}

static void lay_label(struct assembler *as, struct statement *st)
{
    static const char letters[SECTIONS] = {[SECTION_TEXT] = 't', [SECTION_WEIGHTS] = 'w', [SECTION_DATA] = 'h'};
    if (!st->symbol)
        return;
    st->symbol->space = letters[as->current];
    st->symbol->value = as->place[as->current].position;
    st->symbol->placed = true;
}

static void lay_instruction(struct assembler *as, struct statement *st)
{
    if (as->current != SECTION_TEXT) {
        if (!weft_instr_find(message_word(as, st->head.begin, st->head.end)))
            return; /* emit says what is wrong with the name */
        message_add(as, st->head, "an instruction belongs in .text; this is %s", as->current == SECTION_WEIGHTS ? ".weights" : ".data");
        return;
    }
    st->laid = true;
    st->address = as->place[SECTION_TEXT].position++;
}

static void unknown_directive(struct assembler *as, const struct statement *st, const char *word)
{
    size_t count;
    const struct directive *directives = directive_table(&count);
    const char *names[64];
    for (size_t i = 0; i < count && i < 64; i++)
        names[i] = directives[i].name;
    message_add(as, st->head, "there is no directive '%.60s'%s", word, message_suggest(as, word, names, count));
}

static void declare(struct assembler *as, struct statement *st)
{
    if (st->kind == STATEMENT_LABEL)
        symbols_declare(as, st);
    if (st->kind != STATEMENT_DIRECTIVE)
        return;
    const char *word = message_word(as, st->head.begin, st->head.end);
    st->directive = directive_find(word);
    if (!st->directive)
        unknown_directive(as, st, word);
    else if (st->directive->declare)
        st->directive->declare(as, st);
}

void layout_walk(struct assembler *as)
{
    for (struct statement *st = as->first; st && !as->no_memory; st = st->next)
        declare(as, st);
    for (struct statement *st = as->first; st && !as->no_memory; st = st->next) {
        st->section = (uint8_t)as->current;
        if (st->kind == STATEMENT_LABEL)
            lay_label(as, st);
        else if (st->kind == STATEMENT_INSTRUCTION)
            lay_instruction(as, st);
        else if (st->directive && st->directive->layout)
            st->directive->layout(as, st);
    }
}
