/* build.c: what the grammar calls. Nodes come from the arena; where there is no memory they are NULL, which every builder takes
 * and which ends the parse soon after (the scanner looks at as->no_memory). */
#include "asm.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct expr *node(struct assembler *as, enum expr_kind kind, struct span at)
{
    struct expr *e = arena_take(&as->arena, sizeof *e);
    if (!e) {
        message_no_memory(as);
        return NULL;
    }
    e->kind = (uint8_t)kind;
    e->at = at;
    return e;
}

static unsigned digit(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 32) - 'a' + 10);
}

/* Takes Ki, Mi, Gi, k, M or G off the end, and gives what it is worth. */
static uint64_t suffix_factor(const char *text, size_t *length)
{
    bool binary = *length > 2 && text[*length - 1] == 'i';
    char unit = *length > 1 ? text[*length - (binary ? 2 : 1)] : '0';
    uint64_t step = binary ? 1024 : 1000;
    if (!strchr("kKMG", unit))
        return 1;
    *length -= binary ? 2 : 1;
    return unit == 'G' ? step * step * step : unit == 'M' ? step * step : step;
}

/* The scanner has seen to it that the characters are digits of the base, underscores, and perhaps Ki, Mi, Gi, k, M or G. */
static bool parse_integer(const char *text, size_t length, uint64_t *out)
{
    unsigned base = 10;
    size_t i = 0;
    if (length > 2 && text[0] == '0' && (text[1] | 32) > '9') {
        base = (text[1] | 32) == 'x' ? 16 : (text[1] | 32) == 'b' ? 2 : 8;
        i = 2;
    }
    uint64_t factor = suffix_factor(text, &length);
    uint64_t value = 0;
    for (; i < length; i++)
        if (text[i] != '_' && (__builtin_mul_overflow(value, base, &value) || __builtin_add_overflow(value, digit(text[i]), &value)))
            return false;
    return !__builtin_mul_overflow(value, factor, out);
}

struct expr *build_integer(struct assembler *as, struct span at)
{
    struct expr *e = node(as, EXPR_INTEGER, at);
    const char *text = as->text + at.begin;
    size_t length = at.end - at.begin;
    if (!e)
        return NULL;
    if (!parse_integer(text, length, &e->integer))
        message_add(as, at, "%.*s does not fit 64 bits", length > 60 ? 60 : (int)length, text);
    else if (length > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9')
        message_add(as, at, "a number does not begin with 0: write 0o%.*s for octal", length > 60 ? 60 : (int)length - 1, text + 1);
    return e;
}

struct expr *build_character(struct assembler *as, struct span at)
{
    struct expr *e = node(as, EXPR_INTEGER, at), string = {.kind = EXPR_STRING, .at = at};
    if (!e)
        return NULL;
    const char *text = expr_string(as, &string, "a character");
    if (!text)
        return e;
    e->integer = (unsigned char)text[0];
    if (text[0] == 0 || text[1] != 0)
        message_add(as, at, "a character constant holds one byte");
    return e;
}

struct expr *build_real(struct assembler *as, struct span at)
{
    struct expr *e = node(as, EXPR_REAL, at);
    if (!e)
        return NULL;
    e->real = strtod(message_word(as, at.begin, at.end), NULL);
    if (e->real > 1.7e308)
        message_add(as, at, "the number is too large");
    return e;
}

struct expr *build_word(struct assembler *as, enum expr_kind kind, struct span at)
{
    return node(as, kind, at);
}

struct expr *build_two_operands(struct assembler *as, enum expr_op op, struct span at, struct expr *left, struct expr *right)
{
    struct expr *e = node(as, EXPR_BINARY, at);
    if (!e || !left || !right)
        return NULL;
    e->op = (uint8_t)op;
    e->left = left;
    e->right = right;
    return e;
}

struct expr *build_one_operand(struct assembler *as, enum expr_op op, struct span at, struct expr *operand)
{
    struct expr *e = node(as, EXPR_UNARY, at);
    if (!e || !operand)
        return NULL;
    e->op = (uint8_t)op;
    e->right = operand;
    return e;
}

struct expr *build_prefixed(struct assembler *as, enum expr_kind kind, struct span at, struct span name, struct expr *value)
{
    struct expr *e = node(as, kind, at);
    if (!e || !value)
        return NULL;
    e->name_begin = name.begin;
    e->name_end = name.end;
    e->right = value;
    return e;
}

struct expr *build_list(struct assembler *as, struct span at, struct expr_list items)
{
    struct expr *e = node(as, EXPR_LIST, at);
    if (e)
        e->left = items.first;
    return e;
}

struct expr_list build_append(struct expr_list list, struct expr *item)
{
    if (!item)
        return list;
    if (list.last)
        list.last->next = item;
    else
        list.first = item;
    list.last = item;
    return list;
}

static struct statement *statement(struct assembler *as, enum statement_kind kind, struct span head)
{
    struct statement *st = arena_take(&as->arena, sizeof *st);
    if (!st) {
        message_no_memory(as);
        return NULL;
    }
    st->kind = (uint8_t)kind;
    st->head = head;
    if (as->last)
        as->last->next = st;
    else
        as->first = st;
    as->last = st;
    return st;
}

void build_label(struct assembler *as, struct span name)
{
    (void)statement(as, STATEMENT_LABEL, name);
}

static void operation(struct assembler *as, enum statement_kind kind, struct span name, struct expr_list args, struct expr_list place)
{
    struct statement *st = statement(as, kind, name);
    if (!st)
        return;
    st->args = args.first;
    st->line = place.last;
    st->file = place.first != place.last ? place.first : NULL;
}

void build_instruction(struct assembler *as, struct span name, struct expr_list args, struct expr_list place)
{
    operation(as, STATEMENT_INSTRUCTION, name, args, place);
}

void build_directive(struct assembler *as, struct span name, struct expr_list args, struct expr_list place)
{
    operation(as, STATEMENT_DIRECTIVE, name, args, place);
}
