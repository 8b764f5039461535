/* operands.c: from the arguments of an instruction to its word, by the tables of isa/. Nothing here knows an instruction by name. */
#include "walks.h"
#include <string.h>

enum { FIELDS_MAX = 32 };

/* The instruction under way: its record and, for each field, the value written for it. */
struct binding {
    struct assembler *as;
    const struct statement *st;
    const struct weft_instr_info *info;
    const struct expr *given[FIELDS_MAX]; /* of a flag by its bare name: the name */
    struct weft_instr instr;
    bool good, register_wrong;
};

static void fail(struct binding *b)
{
    b->good = false;
}

static const char *suggest_mnemonic(struct assembler *as, const char *word)
{
    const char *names[256];
    size_t count, used = 0;
    const struct weft_instr_info *table = weft_instr_table(&count);
    for (size_t i = 0; i < count && used < 256; i++)
        names[used++] = table[i].mnemonic;
    return message_suggest(as, word, names, used);
}

/* Names of the operands; with `flags` the flags alone. */
static const char *suggest_operand(const struct binding *b, const char *word, bool flags)
{
    const char *names[FIELDS_MAX];
    size_t used = 0;
    for (size_t i = 0; i < b->info->field_count; i++)
        if (!flags || b->info->fields[i].kind == WEFT_KIND_FLAG)
            names[used++] = b->info->fields[i].name;
    return message_suggest(b->as, word, names, used);
}

static size_t field_find(const struct binding *b, const char *name)
{
    size_t i = 0;
    while (i < b->info->field_count && strcmp(b->info->fields[i].name, name))
        i++;
    return i;
}

/* Without a name: what must be there, raw values, and an instruction's only operand. */
static bool is_positional(const struct binding *b, const struct weft_field *field)
{
    return field->dflt == WEFT_REQUIRED || field->kind == WEFT_KIND_RAW || b->info->field_count == 1;
}

static void give(struct binding *b, size_t field, const struct expr *value, struct span at)
{
    if (b->given[field]) {
        message_add(b->as, at, "operand %s is given twice", b->info->fields[field].name);
        fail(b);
    }
    b->given[field] = value;
}

static void too_many(struct binding *b, const struct expr *arg)
{
    const char *word = expr_word(b->as, arg), *mnemonic = b->info->mnemonic;
    size_t field = arg->kind == EXPR_NAME ? field_find(b, word) : b->info->field_count;
    if (field < b->info->field_count)
        message_add(b->as, arg->at, "operand %s needs a value: %s=...", word, word);
    else if (arg->kind == EXPR_NAME)
        message_add(b->as, arg->at, "%s has no flag '%.60s'%s", mnemonic, word, suggest_operand(b, word, true));
    else
        message_add(b->as, arg->at, "%s has no operand in this place: name it", mnemonic);
    fail(b);
}

static void bind_bare(struct binding *b, const struct expr *arg)
{
    size_t count = b->info->field_count;
    if (arg->kind == EXPR_NAME) {
        size_t flag = field_find(b, expr_word(b->as, arg));
        if (flag < count && b->info->fields[flag].kind == WEFT_KIND_FLAG) {
            give(b, flag, arg, arg->at);
            return;
        }
    }
    for (size_t i = 0; i < count; i++)
        if (is_positional(b, &b->info->fields[i]) && !b->given[i]) {
            give(b, i, arg, arg->at);
            return;
        }
    too_many(b, arg);
}

static void bind_named(struct binding *b, const struct expr *arg)
{
    struct span at = {arg->name_begin, arg->name_end, arg->at.line};
    const char *word = message_word(b->as, arg->name_begin, arg->name_end);
    size_t field = field_find(b, word);
    if (field < b->info->field_count) {
        give(b, field, arg->right, at);
        return;
    }
    message_add(b->as, at, "%s has no operand '%.60s'%s", b->info->mnemonic, word, suggest_operand(b, word, false));
    fail(b);
}

static void report_missing(struct binding *b)
{
    char names[160] = "";
    size_t used = 0;
    for (size_t i = 0; i < b->info->field_count; i++) {
        const struct weft_field *field = &b->info->fields[i];
        if (field->dflt == WEFT_REQUIRED && !b->given[i] && used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", field->name);
    }
    if (!used)
        return;
    message_add(b->as, b->st->head, "%s needs %s", b->info->mnemonic, names);
    fail(b);
}

/* --- values by kind ------------------------------------------------------------------------------------------------------ */

static bool pattern_value(struct binding *b, const struct expr *e, uint64_t *out)
{
    const char *word = expr_word(b->as, e);
    if (e->kind == EXPR_NAME && word[0] == 'p' && word[1] >= '0' && word[1] <= '9' && (word[1] != '0' || !word[2]) && strlen(word) <= 3) {
        uint64_t number = (uint64_t)(word[1] - '0');
        bool digits = !word[2] || (word[2] >= '0' && word[2] <= '9');
        *out = word[2] ? number * 10 + (uint64_t)(word[2] - '0') : number;
        if (digits && *out < WEFT_PATTERNS)
            return true;
    }
    message_add(b->as, e->at, "'%.60s' is no pattern register: p0 to p15 are", word);
    return false;
}

static bool register_value(struct binding *b, const struct expr *e, uint64_t *out)
{
    const char *word = expr_word(b->as, e), *names[256];
    const struct weft_register *reg = e->kind == EXPR_NAME ? weft_register_find(word) : NULL;
    if (reg) {
        *out = reg->number;
        return true;
    }
    size_t count;
    const struct weft_register *table = weft_register_table(&count);
    for (size_t i = 0; i < count && i < 256; i++)
        names[i] = table[i].name;
    message_add(b->as, e->at, "'%.60s' is no register%s", word, message_suggest(b->as, word, names, count < 256 ? count : 256));
    return false;
}

static bool choice_value(struct binding *b, const struct expr *e, const struct weft_field *field, uint64_t *out)
{
    const char *word = expr_word(b->as, e), *names[64];
    bool function = field->kind == WEFT_KIND_FUNCTION;
    unsigned number, count = 0;
    if (e->kind == EXPR_NAME && (function ? function_find(&number, word) : reduction_find(&number, word))) {
        *out = number;
        return true;
    }
    while (count < 64 && (names[count] = function ? weft_function_name(count) : weft_reduction_name(count)))
        count++;
    message_add(b->as, e->at, "'%.60s' is no %s%s", word, function ? "function" : "reduction: max, min, sum and squares are",
                message_suggest(b->as, word, names, count));
    return false;
}

/* A layer by its name, where exactly one has it. */
static bool layer_value(struct binding *b, const struct expr *e, uint64_t *out)
{
    const struct weft_program *p = b->as->program;
    const char *name = expr_string(b->as, e, "a layer"), *names[256];
    size_t matches = 0, used = 0;
    for (size_t i = 0; name && i < p->layer_count; i++) {
        if (!p->layers[i].name)
            continue;
        if (used < 256)
            names[used++] = p->layers[i].name;
        if (!strcmp(p->layers[i].name, name)) {
            *out = i;
            matches++;
        }
    }
    if (name && matches != 1)
        message_add(b->as, e->at,
                    matches ? "more than one .layer has the name '%.100s': tag it by its number%s" : "no .layer has the name '%.100s'%s",
                    name, matches ? "" : message_suggest(b->as, name, names, used));
    return matches == 1;
}

static bool number_value(struct binding *b, const struct expr *e, const struct weft_field *field, uint64_t *out)
{
    uint64_t high = field->width >= 64 ? UINT64_MAX : (UINT64_C(1) << field->width) - 1;
    struct value v = {0};
    if (e->kind == EXPR_STRING && !strcmp(field->name, "layer"))
        return layer_value(b, e, out);
    if (!expr_value(b->as, e, &v))
        return false;
    if (v.kind == VALUE_INTEGER && v.integer >= 0 && v.integer <= (__int128)high) {
        *out = (uint64_t)v.integer;
        return true;
    }
    if (v.kind != VALUE_INTEGER)
        message_add(b->as, e->at, "%s is an integer", field->name);
    else if (v.integer < 0)
        message_add(b->as, e->at, "%s=%lld is negative: 0 to %llu is allowed", field->name, (long long)v.integer, (unsigned long long)high);
    else
        message_add(b->as, e->at, "%s=%llu does not fit %u bits: 0 to %llu is allowed", field->name, (unsigned long long)v.integer,
                    field->width, (unsigned long long)high);
    return false;
}

static bool flag_value(struct binding *b, const struct expr *e, const struct weft_field *field, uint64_t *out)
{
    *out = 1;
    if (e->kind == EXPR_NAME && !strcmp(expr_word(b->as, e), field->name))
        return true;
    return expr_unsigned(b->as, e, field->name, 1, out);
}

/* Which half of the register a RAW operand is, by the order of the RAW operands behind a REGISTER operand; -1: no register. */
static int half_of(const struct binding *b, size_t field, const struct weft_register **reg)
{
    int half = -1;
    *reg = NULL;
    for (size_t i = 0; i <= field; i++) {
        const struct weft_field *f = &b->info->fields[i];
        if (f->kind == WEFT_KIND_REGISTER)
            *reg = weft_register_at((uint32_t)weft_field_get(&b->instr, f));
        else if (f->kind == WEFT_KIND_RAW && *reg)
            half++;
    }
    return half;
}

static bool half_value(struct binding *b, const struct expr *e, const struct weft_register *reg, int half, uint64_t *out)
{
    int64_t integer = 0;
    uint32_t bits = 0;
    bool good;
    switch (half < 2 ? reg->half[half] : WEFT_HALF_NONE) {
    case WEFT_HALF_FLOAT:
        good = expr_float(b->as, e, reg->name, &bits);
        break;
    case WEFT_HALF_SINT:
        good = expr_integer(b->as, e, reg->name, INT32_MIN, INT32_MAX, &integer);
        break;
    case WEFT_HALF_UINT:
        good = expr_integer(b->as, e, reg->name, 0, UINT32_MAX, &integer);
        break;
    default:
        good = false;
        message_add(b->as, e->at, "%s has one half only", reg->name);
    }
    *out = good && reg->half[half] == WEFT_HALF_FLOAT ? bits : (uint32_t)integer;
    return good;
}

/* Bits of an element in the instruction's own format: reals are converted, integers are taken as they are. */
static bool element_value(struct binding *b, const struct expr *e, const struct weft_field *field, uint64_t *out)
{
    struct value v = {0};
    int64_t integer = 0;
    uint32_t bits = 0;
    if (!expr_value(b->as, e, &v))
        return false;
    if (v.kind == VALUE_INTEGER) {
        bool good = expr_integer(b->as, e, field->name, INT32_MIN, UINT32_MAX, &integer);
        *out = (uint32_t)integer;
        return good;
    }
    if (!expr_float(b->as, e, field->name, &bits))
        return false;
    float real;
    memcpy(&real, &bits, sizeof real);
    *out = b->instr.fmt == WEFT_FORMAT_bf16 ? float_to_bf16(real) : bits;
    if (b->instr.fmt == WEFT_FORMAT_bf16 || b->instr.fmt == WEFT_FORMAT_f32)
        return true;
    message_add(b->as, e->at, "%s is an integer where fmt is no float format", field->name);
    return false;
}

static bool raw_value(struct binding *b, const struct expr *e, size_t field, uint64_t *out)
{
    const struct weft_register *reg;
    int half = half_of(b, field, &reg);
    if (b->register_wrong) /* has been reported, and says nothing about its halves */
        return false;
    return reg ? half_value(b, e, reg, half, out) : element_value(b, e, &b->info->fields[field], out);
}

static bool operand_value(struct binding *b, size_t i, uint64_t *out)
{
    const struct weft_field *field = &b->info->fields[i];
    const struct expr *e = b->given[i];
    enum weft_format format = WEFT_FORMAT_u8;
    bool good;
    switch (field->kind) {
    case WEFT_KIND_PATTERN:
        return pattern_value(b, e, out);
    case WEFT_KIND_REGISTER:
        return register_value(b, e, out);
    case WEFT_KIND_FUNCTION:
    case WEFT_KIND_REDUCE:
        return choice_value(b, e, field, out);
    case WEFT_KIND_FLAG:
        return flag_value(b, e, field, out);
    case WEFT_KIND_RAW:
        return raw_value(b, e, i, out);
    case WEFT_KIND_FORMAT:
        good = expr_format(b->as, e, &format);
        *out = format;
        return good;
    default:
        return number_value(b, e, field, out);
    }
}

/* The fields stand in an order in which a RAW one comes behind the register or format that says what it holds. */
static void set_operands(struct binding *b)
{
    for (size_t i = 0; i < b->info->field_count; i++) {
        uint64_t value = 0;
        bool good = b->given[i] && operand_value(b, i, &value);
        if (good)
            weft_field_set(&b->instr, &b->info->fields[i], value);
        else if (b->given[i])
            fail(b);
        b->register_wrong |= !good && b->info->fields[i].kind == WEFT_KIND_REGISTER;
    }
}

void emit_instruction(struct assembler *as, struct statement *st)
{
    const char *word = message_word(as, st->head.begin, st->head.end);
    struct binding b = {.as = as, .st = st, .info = weft_instr_find(word), .good = true};
    if (!b.info || b.info->field_count > FIELDS_MAX) {
        message_add(as, st->head, "there is no instruction '%.60s'%s", word, suggest_mnemonic(as, word));
        return;
    }
    weft_instr_init(&b.instr, b.info->op);
    for (const struct expr *arg = st->args; arg; arg = arg->next) {
        if (arg->kind == EXPR_NAMED)
            bind_named(&b, arg);
        else
            bind_bare(&b, arg);
    }
    report_missing(&b);
    set_operands(&b);
    uint8_t *at = emit_place(as, st);
    if (b.good && at && !weft_encode(at, &b.instr))
        message_add(as, st->head, "the operands do not fit the instruction");
}
