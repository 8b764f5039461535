/* expr.c: what an expression is worth. Integers are kept in 128 bits and must stay within -2^63 .. 2^64 - 1 after every step. */
#include "asm.h"
#include <string.h>

static bool fits(__int128 v)
{
    return v >= INT64_MIN && v <= (__int128)UINT64_MAX;
}

uint16_t float_to_bf16(float value)
{
    uint8_t bytes[2];
    weft_store_float(bytes, WEFT_FORMAT_bf16, value);
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static uint32_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double as_real(const struct value *v)
{
    if (v->kind == VALUE_REAL)
        return v->real;
    if (v->kind == VALUE_INTEGER)
        return (double)v->integer;
    uint32_t bits = (uint32_t)v->integer;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static bool complain(struct assembler *as, struct span at, const char *what)
{
    message_add(as, at, "%s", what);
    return false;
}

static bool undefined(struct assembler *as, const struct expr *e)
{
    const char *word = message_word(as, e->at.begin, e->at.end);
    const char **names = arena_take(&as->arena, (as->symbol_count + 1) * sizeof *names);
    size_t count = 0;
    /* the tree's names are not ended by a NUL, so they are copied; a bound keeps a file of errors from costing its square */
    for (struct symbol *s = as->symbols; names && s && count < 2000 && as->message_count < MESSAGES_KEPT; s = s->next)
        names[count++] = message_word(as, s->at.begin, s->at.end);
    message_add(as, e->at, "'%s' is not defined%s", word, names ? message_suggest(as, word, names, count) : "");
    return false;
}

static bool name_value(struct assembler *as, const struct expr *e, struct value *out)
{
    struct symbol *s = symbols_find(as, as->text + e->at.begin, e->at.end - e->at.begin);
    if (!s)
        return undefined(as, e);
    if (s->failed)
        return false;
    if (!s->definition) {
        *out = (struct value){.integer = s->value};
        return s->placed || complain(as, e->at, "this label stands further down: a size or an address must be known here");
    }
    if (s->busy)
        return complain(as, e->at, "the constant is defined by itself");
    if (!s->known) {
        s->busy = true;
        s->known = expr_value(as, s->definition, &s->worth);
        s->failed = !s->known; /* said once */
        s->busy = false;
    }
    *out = s->worth;
    return s->known;
}

static bool real_binary(struct assembler *as, const struct expr *e, const struct value *a, const struct value *b, struct value *out)
{
    double x = as_real(a), y = as_real(b);
    out->kind = VALUE_REAL;
    switch (e->op) {
    case OP_ADD:
        out->real = x + y;
        return true;
    case OP_SUB:
        out->real = x - y;
        return true;
    case OP_MUL:
        out->real = x * y;
        return true;
    case OP_DIV:
        out->real = x / y;
        return y != 0 || complain(as, e->at, "division by zero");
    default:
        return complain(as, e->at, "this operator takes integers only");
    }
}

static bool shift(struct assembler *as, const struct expr *e, __int128 a, __int128 b, __int128 *out)
{
    if (b < 0 || b > 63)
        return complain(as, e->at, "a shift is by 0 to 63 bits");
    *out = e->op == OP_SHL ? a * ((__int128)1 << b) : a >> b;
    return true;
}

static bool integer_binary(struct assembler *as, const struct expr *e, __int128 a, __int128 b, __int128 *out)
{
    switch (e->op) {
    case OP_ADD:
        *out = a + b;
        return true;
    case OP_SUB:
        *out = a - b;
        return true;
    case OP_MUL:
        return !__builtin_mul_overflow(a, b, out) || complain(as, e->at, "the product does not fit 64 bits");
    case OP_DIV:
        *out = b ? a / b : 0;
        return b || complain(as, e->at, "division by zero");
    case OP_MOD:
        *out = b ? a % b : 0;
        return b || complain(as, e->at, "division by zero");
    case OP_AND:
        *out = a & b;
        return true;
    case OP_OR:
        *out = a | b;
        return true;
    default:
        return shift(as, e, a, b, out);
    }
}

static bool binary_value(struct assembler *as, const struct expr *e, struct value *out)
{
    struct value a = {0}, b = {0};
    if (!expr_value(as, e->left, &a) || !expr_value(as, e->right, &b))
        return false;
    *out = (struct value){0};
    if (a.kind != VALUE_INTEGER || b.kind != VALUE_INTEGER)
        return real_binary(as, e, &a, &b, out);
    return integer_binary(as, e, a.integer, b.integer, &out->integer) &&
           (fits(out->integer) || complain(as, e->at, "the result does not fit 64 bits"));
}

static bool unary_value(struct assembler *as, const struct expr *e, struct value *out)
{
    struct value a = {0};
    if (!expr_value(as, e->right, &a))
        return false;
    if (a.kind != VALUE_INTEGER) {
        *out = (struct value){.kind = VALUE_REAL, .real = e->op == OP_SUB ? -as_real(&a) : as_real(&a)};
        return e->op != OP_NOT || complain(as, e->at, "this operator takes integers only");
    }
    *out = (struct value){.integer = e->op == OP_SUB ? -a.integer : e->op == OP_NOT ? -1 - a.integer : a.integer};
    return fits(out->integer) || complain(as, e->at, "the result does not fit 64 bits");
}

/* bits(n): the f32 with those bits. f32(x), bf16(x): the bits of x in that format, as an integer. */
static bool call_value(struct assembler *as, const struct expr *e, struct value *out)
{
    static const char *const functions[] = {"bits", "f32", "bf16"};
    const char *name = message_word(as, e->name_begin, e->name_end);
    struct span at = {e->name_begin, e->name_end, e->at.line};
    uint64_t bits = 0;
    uint32_t f = 0;
    if (!strcmp(name, "bits")) {
        bool good = expr_unsigned(as, e->right, "bits", UINT32_MAX, &bits);
        *out = (struct value){.kind = VALUE_BITS, .integer = bits};
        return good;
    }
    if (strcmp(name, "f32") && strcmp(name, "bf16")) {
        message_add(as, at, "there is no function '%.60s': bits, f32 and bf16 are%s", name, message_suggest(as, name, functions, 3));
        return false;
    }
    if (!expr_float(as, e->right, name, &f))
        return false;
    float value;
    memcpy(&value, &f, sizeof value);
    *out = (struct value){.integer = name[0] == 'b' ? float_to_bf16(value) : f};
    return true;
}

static bool node_value(struct assembler *as, const struct expr *e, struct value *out)
{
    switch ((enum expr_kind)e->kind) {
    case EXPR_INTEGER:
        *out = (struct value){.integer = e->integer};
        return true;
    case EXPR_REAL:
        *out = (struct value){.kind = VALUE_REAL, .real = e->real};
        return true;
    case EXPR_NAME:
        return name_value(as, e, out);
    case EXPR_UNARY:
        return unary_value(as, e, out);
    case EXPR_BINARY:
        return binary_value(as, e, out);
    case EXPR_CALL:
        return call_value(as, e, out);
    default:
        return complain(as, e->at, "a number belongs here");
    }
}

bool expr_value(struct assembler *as, const struct expr *e, struct value *out)
{
    if (as->depth >= DEPTH_LIMIT)
        return complain(as, e->at, "the expression is nested too deeply");
    as->depth++;
    bool good = node_value(as, e, out);
    as->depth--;
    return good;
}

static void print_integer(char out[40], __int128 v)
{
    if (v < 0)
        snprintf(out, 40, "%lld", (long long)v);
    else
        snprintf(out, 40, "%llu", (unsigned long long)v);
}

bool expr_integer(struct assembler *as, const struct expr *e, const char *what, int64_t low, uint64_t high, int64_t *out)
{
    struct value v = {0};
    if (!expr_value(as, e, &v))
        return false;
    if (v.kind != VALUE_INTEGER) {
        message_add(as, e->at, "%s is an integer", what);
        return false;
    }
    if (v.integer < low || v.integer > (__int128)high) {
        char number[40];
        print_integer(number, v.integer);
        message_add(as, e->at, "%s is %s: %lld to %llu is allowed", what, number, (long long)low, (unsigned long long)high);
        return false;
    }
    *out = (int64_t)(uint64_t)v.integer;
    return true;
}

bool expr_unsigned(struct assembler *as, const struct expr *e, const char *what, uint64_t high, uint64_t *out)
{
    int64_t value = 0;
    bool good = expr_integer(as, e, what, 0, high, &value);
    if (good)
        *out = (uint64_t)value;
    return good;
}

bool expr_float(struct assembler *as, const struct expr *e, const char *what, uint32_t *bits)
{
    struct value v = {0};
    if (!expr_value(as, e, &v))
        return false;
    if (v.kind == VALUE_BITS) {
        *bits = (uint32_t)v.integer;
        return true;
    }
    double real = as_real(&v);
    if (!(real < 0x1.ffffffp127 && real > -0x1.ffffffp127)) {
        message_add(as, e->at, "%s does not fit a 32-bit float; write bits(0x7f800000) for infinity", what);
        return false;
    }
    *bits = float_bits((float)real);
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One escape behind the backslash at text[i]; the index behind it, or 0 for an unknown one. */
static size_t unescape(const char *text, size_t i, size_t end, char *out)
{
    switch (text[i + 1]) {
    case 'n':
        *out = '\n';
        return i + 2;
    case 't':
        *out = '\t';
        return i + 2;
    case 'r':
        *out = '\r';
        return i + 2;
    case '\\':
    case '"':
    case '\'':
        *out = text[i + 1];
        return i + 2;
    case 'x':
        if (i + 3 < end && hex_digit(text[i + 2]) >= 0 && hex_digit(text[i + 3]) >= 0) {
            *out = (char)(hex_digit(text[i + 2]) << 4 | hex_digit(text[i + 3]));
            return *out ? i + 4 : 0;
        }
        return 0;
    default:
        return 0;
    }
}

char *expr_string(struct assembler *as, const struct expr *e, const char *what)
{
    if (e->kind != EXPR_STRING) {
        message_add(as, e->at, "%s is a string: \"...\"", what);
        return NULL;
    }
    char *out = arena_take(&as->arena, e->at.end - e->at.begin);
    if (!out) {
        message_no_memory(as);
        return NULL;
    }
    size_t used = 0, end = e->at.end - 1;
    for (size_t i = e->at.begin + 1; i < end;) {
        if (as->text[i] != '\\') {
            if (!(out[used++] = as->text[i++])) {
                message_add(as, e->at, "a string holds no zero byte");
                return NULL;
            }
            continue;
        }
        size_t behind = unescape(as->text, i, end, &out[used++]);
        if (!behind) {
            struct span at = {(uint32_t)i, (uint32_t)i + 2, e->at.line};
            message_add(as, at, "no such escape: \\n \\t \\r \\\\ \\\" \\' and \\x01 to \\xff are");
            return NULL;
        }
        i = behind;
    }
    return out;
}

const char *expr_word(struct assembler *as, const struct expr *e)
{
    return message_word(as, e->at.begin, e->at.end);
}

bool expr_format(struct assembler *as, const struct expr *e, enum weft_format *out)
{
    static const char *const names[] = {
#define WEFT_FORMAT(number, name, bytes, meaning) #name,
#include "functions.def"
    };
    const char *word = expr_word(as, e);
    if (e->kind == EXPR_NAME && weft_format_find(out, word))
        return true;
    message_add(as, e->at, "'%.60s' is no number format: u8 s8 s16 s32 bf16 f32 are%s", word,
                message_suggest(as, word, names, sizeof names / sizeof names[0]));
    return false;
}
