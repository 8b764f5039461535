/* expr.c: expressions: a recursive descent into nodes, and their value. See expr.h. */
#include "expr.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum op {
    OP_NUMBER, OP_TEXT, OP_NAME, OP_NOT, OP_NEGATE, OP_FLOOR, OP_CEIL,
    OP_MIN, OP_MAX, OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_MOD,
    OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_AND, OP_OR
};

struct expr_node {
    enum op op;
    double number;
    char *text; /* owned */
    int name;
    size_t a, b;
};

enum { DEPTH_MAX = 100, WORD_MAX = 63, NODES_MAX = 4096 };

struct parser {
    struct expr *expr;
    const char *at;
    const struct expr_names *names;
    char *problem;
    unsigned depth;
    bool failed;
};

static size_t parse_or(struct parser *p);

static size_t fail(struct parser *p, const char *what)
{
    if (!p->failed && what)
        snprintf(p->problem, 256, "%s at '%.40s'", what, *p->at ? p->at : "the end");
    p->failed = true;
    return 0;
}

static size_t add(struct parser *p, struct expr_node node)
{
    struct expr *e = p->expr;
    if (e->count == NODES_MAX) {
        free(node.text);
        return fail(p, "an expression that long");
    }
    if (e->count == e->room) {
        size_t room = e->room ? 2 * e->room : 16;
        struct expr_node *grown = realloc(e->nodes, room * sizeof *grown);
        if (!grown) {
            free(node.text);
            return fail(p, NULL);
        }
        e->nodes = grown;
        e->room = room;
    }
    e->nodes[e->count] = node;
    return e->count++;
}

static size_t add_two(struct parser *p, enum op op, size_t a, size_t b)
{
    return add(p, (struct expr_node){.op = op, .a = a, .b = b});
}

static void skip_space(struct parser *p)
{
    while (isspace((unsigned char)*p->at))
        p->at++;
}

/* Takes `token` if it comes next; a word only where no longer word begins. */
static bool take(struct parser *p, const char *token)
{
    skip_space(p);
    size_t length = strlen(token);
    if (strncmp(p->at, token, length))
        return false;
    if (isalpha((unsigned char)*token) && (isalnum((unsigned char)p->at[length]) || p->at[length] == '_' || p->at[length] == '.'))
        return false;
    p->at += length;
    return true;
}

/* --- numbers, texts, names ------------------------------------------------------------------------------------------------ */

static bool read_number(double *out, const char **at)
{
    static const struct {
        const char *suffix;
        double times;
    } suffixes[] = {{"Ki", 1024.0}, {"Mi", 1048576.0}, {"Gi", 1073741824.0}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}};
    char *end;
    if (!isdigit((unsigned char)**at))
        return false;
    *out = strtod(*at, &end);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (!strncmp(end, suffixes[i].suffix, strlen(suffixes[i].suffix))) {
            *out *= suffixes[i].times;
            end += strlen(suffixes[i].suffix);
            break;
        }
    *at = end;
    return isfinite(*out) && !isalnum((unsigned char)*end) && *end != '_' && *end != '.';
}

bool expr_number(double *out, const char *text)
{
    return read_number(out, &text) && !*text;
}

static size_t parse_text(struct parser *p)
{
    char quote = *p->at;
    const char *first = p->at + 1, *end = strchr(first, quote);
    if (!end)
        return fail(p, "a text without its closing quote");
    char *text = strndup(first, (size_t)(end - first));
    if (!text)
        return fail(p, NULL);
    p->at = end + 1;
    return add(p, (struct expr_node){.op = OP_TEXT, .text = text});
}

static size_t parse_call(struct parser *p, enum op op)
{
    bool two = op == OP_MIN || op == OP_MAX;
    size_t a = parse_or(p), b = 0;
    if (two && !take(p, ","))
        return fail(p, "expected ',' and a second argument");
    if (two)
        b = parse_or(p);
    return take(p, ")") ? add_two(p, op, a, b) : fail(p, "expected ')'");
}

static size_t parse_name(struct parser *p)
{
    static const struct {
        const char *name;
        enum op op;
    } calls[] = {{"min", OP_MIN}, {"max", OP_MAX}, {"floor", OP_FLOOR}, {"ceil", OP_CEIL}};
    char word[WORD_MAX + 1];
    const char *start = p->at;
    size_t length = 0;
    while (isalnum((unsigned char)p->at[length]) || p->at[length] == '_' || p->at[length] == '.')
        length++;
    if (!length || length > WORD_MAX)
        return fail(p, "expected a number, a name or '('");
    memcpy(word, p->at, length);
    word[length] = '\0';
    p->at += length;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (!strcmp(word, calls[i].name) && take(p, "("))
            return parse_call(p, calls[i].op);
    int name = p->names->find(p->names->user, word, p->problem);
    if (name >= 0)
        return add(p, (struct expr_node){.op = OP_NAME, .name = name});
    p->at = start;
    p->failed = true;
    return 0;
}

static size_t parse_primary(struct parser *p)
{
    double number;
    if (take(p, "(")) {
        size_t inner = parse_or(p);
        return take(p, ")") ? inner : fail(p, "expected ')'");
    }
    if (take(p, "true"))
        return add(p, (struct expr_node){.op = OP_NUMBER, .number = 1});
    if (take(p, "false"))
        return add(p, (struct expr_node){.op = OP_NUMBER, .number = 0});
    if (*p->at == '"' || *p->at == '\'')
        return parse_text(p);
    if (!isdigit((unsigned char)*p->at))
        return parse_name(p);
    return read_number(&number, &p->at) ? add(p, (struct expr_node){.op = OP_NUMBER, .number = number}) : fail(p, "no number");
}

/* --- operators, the loosest last -------------------------------------------------------------------------------------------- */

static size_t parse_unary(struct parser *p)
{
    if (p->failed)
        return 0;
    if (++p->depth > DEPTH_MAX)
        return fail(p, "nested too deeply");
    skip_space(p);
    bool not = (*p->at == '!' && p->at[1] != '=' && take(p, "!")) || take(p, "not");
    size_t node;
    if (not)
        node = add_two(p, OP_NOT, parse_unary(p), 0);
    else if (take(p, "-"))
        node = add_two(p, OP_NEGATE, parse_unary(p), 0);
    else
        node = parse_primary(p);
    p->depth--;
    return node;
}

static size_t parse_product(struct parser *p)
{
    size_t a = parse_unary(p);
    while (!p->failed) {
        enum op op = take(p, "*") ? OP_MUL : take(p, "/") ? OP_DIV : take(p, "%") ? OP_MOD : OP_NUMBER;
        if (op == OP_NUMBER)
            break;
        a = add_two(p, op, a, parse_unary(p));
    }
    return a;
}

static size_t parse_sum(struct parser *p)
{
    size_t a = parse_product(p);
    while (!p->failed) {
        enum op op = take(p, "+") ? OP_ADD : take(p, "-") ? OP_SUB : OP_NUMBER;
        if (op == OP_NUMBER)
            break;
        a = add_two(p, op, a, parse_product(p));
    }
    return a;
}

static size_t parse_comparison(struct parser *p)
{
    static const struct {
        const char *token;
        enum op op;
    } table[] = {{"==", OP_EQ}, {"!=", OP_NE}, {"<=", OP_LE}, {">=", OP_GE}, {"<", OP_LT}, {">", OP_GT}};
    size_t a = parse_sum(p);
    for (size_t i = 0; i < sizeof table / sizeof *table && !p->failed; i++)
        if (take(p, table[i].token))
            return add_two(p, table[i].op, a, parse_sum(p));
    return a;
}

static size_t parse_and(struct parser *p)
{
    size_t a = parse_comparison(p);
    while (!p->failed && (take(p, "&&") || take(p, "and")))
        a = add_two(p, OP_AND, a, parse_comparison(p));
    return a;
}

static size_t parse_or(struct parser *p)
{
    size_t a = parse_and(p);
    while (!p->failed && (take(p, "||") || take(p, "or")))
        a = add_two(p, OP_OR, a, parse_and(p));
    return a;
}

bool expr_parse(struct expr *out, const char *text, const struct expr_names *names, char problem[256])
{
    *out = (struct expr){0};
    *problem = '\0';
    struct parser p = {.expr = out, .at = text, .names = names, .problem = problem};
    out->root = parse_or(&p);
    skip_space(&p);
    if (!p.failed && *p.at)
        fail(&p, "expected an operator");
    return !p.failed;
}

void expr_free(struct expr *expr)
{
    for (size_t i = 0; i < expr->count; i++)
        free(expr->nodes[i].text);
    free(expr->nodes);
    *expr = (struct expr){0};
}

/* --- values ------------------------------------------------------------------------------------------------------------------ */

static double arithmetic(enum op op, double a, double b)
{
    switch (op) {
    case OP_NOT: return !a;
    case OP_NEGATE: return -a;
    case OP_FLOOR: return floor(a);
    case OP_CEIL: return ceil(a);
    case OP_MIN: return a < b ? a : b;
    case OP_MAX: return a > b ? a : b;
    case OP_ADD: return a + b;
    case OP_SUB: return a - b;
    case OP_MUL: return a * b;
    case OP_DIV: return a / b;
    case OP_MOD: return fmod(a, b);
    case OP_EQ: return a == b;
    case OP_NE: return a != b;
    case OP_LT: return a < b;
    case OP_LE: return a <= b;
    case OP_GT: return a > b;
    case OP_GE: return a >= b;
    default: return NAN;
    }
}

static struct expr_value compare_texts(enum op op, const char *a, const char *b)
{
    if (op != OP_EQ && op != OP_NE)
        return (struct expr_value){0};
    return (struct expr_value){.kind = EXPR_NUMBER, .number = !strcmp(a, b) == (op == OP_EQ)};
}

struct scope {
    struct expr_value (*lookup)(const void *user, int name);
    const void *user;
};

static struct expr_value evaluate(const struct expr *expr, size_t at, const struct scope *scope)
{
    const struct expr_node *n = &expr->nodes[at];
    if (n->op == OP_NUMBER)
        return (struct expr_value){.kind = EXPR_NUMBER, .number = n->number};
    if (n->op == OP_TEXT)
        return (struct expr_value){.kind = EXPR_TEXT, .text = n->text};
    if (n->op == OP_NAME)
        return scope->lookup(scope->user, n->name);
    struct expr_value a = evaluate(expr, n->a, scope);
    bool one = n->op >= OP_NOT && n->op <= OP_CEIL;
    struct expr_value b = one ? a : evaluate(expr, n->b, scope);
    if (n->op == OP_AND || n->op == OP_OR) {
        bool x = a.kind == EXPR_NUMBER && a.number != 0, y = b.kind == EXPR_NUMBER && b.number != 0;
        return (struct expr_value){.kind = EXPR_NUMBER, .number = n->op == OP_AND ? x && y : x || y};
    }
    if (a.kind == EXPR_TEXT && b.kind == EXPR_TEXT)
        return compare_texts(n->op, a.text, b.text);
    if (a.kind != EXPR_NUMBER || b.kind != EXPR_NUMBER)
        return (struct expr_value){0};
    return (struct expr_value){.kind = EXPR_NUMBER, .number = arithmetic(n->op, a.number, b.number)};
}

struct expr_value expr_evaluate(const struct expr *expr, struct expr_value (*lookup)(const void *user, int name), const void *user)
{
    return evaluate(expr, expr->root, &(struct scope){lookup, user});
}

bool expr_holds(const struct expr *expr, struct expr_value (*lookup)(const void *user, int name), const void *user)
{
    struct expr_value value = expr_evaluate(expr, lookup, user);
    return value.kind == EXPR_NUMBER && value.number != 0;
}
