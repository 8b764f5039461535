/* format.c: one instruction as text: `matmul ub=input, stride=8, rows=4, acc=0, next`. Operands at their default are left out. */
#include "asm.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static bool find(unsigned *out, const char *name, const char *(*name_of)(unsigned))
{
    for (*out = 0; name_of(*out); ++*out)
        if (!strcmp(name_of(*out), name))
            return true;
    return false;
}

bool function_find(unsigned *out, const char *name)
{
    return find(out, name, weft_function_name);
}

bool reduction_find(unsigned *out, const char *name)
{
    return find(out, name, weft_reduction_name);
}

bool format_is_name(const char *name)
{
    if (!name || !(isalpha((unsigned char)*name) || *name == '_' || *name == '$'))
        return false;
    while (*++name)
        if (!isalnum((unsigned char)*name) && !strchr("_.$", *name))
            return false;
    return true;
}

void format_float(char *out, size_t size, float value)
{
    uint32_t bits, again;
    memcpy(&bits, &value, sizeof bits);
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(out, size, "%.*g", digits, (double)value);
        float read = (float)strtod(out, NULL); /* as the assembler reads it: by way of a double */
        memcpy(&again, &read, sizeof again);
        if (value == value && value - value == 0 && bits == again && !(value == 0 && bits))
            return;
    }
    snprintf(out, size, "bits(0x%08x)", bits);
}

/* Where the text goes; what does not fit is cut. */
struct line {
    char *out;
    size_t size, used;
};

__attribute__((format(printf, 2, 3))) static void put(struct line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(line->used < line->size ? line->out + line->used : NULL, line->used < line->size ? line->size - line->used : 0,
                      format, arguments);
    va_end(arguments);
    line->used += n > 0 ? (size_t)n : 0;
}

static void put_number(struct line *line, uint64_t value, bool address)
{
    if ((address && value > 9) || value > 0xffffff)
        put(line, "0x%llx", (unsigned long long)value);
    else
        put(line, "%llu", (unsigned long long)value);
}

/* Operands that are addresses, by the letter of their space. */
static char space_of(const char *operand)
{
    return !strcmp(operand, "ub") ? 'u' : !strcmp(operand, "host") ? 'h' : !strcmp(operand, "dram") ? 'w' : 0;
}

/* Registers whose first half is an address in the unified buffer. */
static bool holds_address(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot && (!strcmp(dot, ".base") || !strcmp(dot, ".table") || !strcmp(dot, ".bias") || !strcmp(dot, ".scale"));
}

static bool put_half(struct line *line, const struct weft_register *reg, unsigned half, uint32_t value, struct naming naming)
{
    char number[32];
    float real;
    const char *name = NULL;
    bool address = half == 0 && holds_address(reg->name);
    switch (reg->half[half]) {
    case WEFT_HALF_FLOAT:
        memcpy(&real, &value, sizeof real);
        format_float(number, sizeof number, real);
        put(line, ", %s", number);
        return true;
    case WEFT_HALF_SINT:
        put(line, ", %d", (int32_t)value);
        return true;
    case WEFT_HALF_UINT:
        if (address)
            name = naming.find(naming.user, 'u', value);
        put(line, ", ");
        if (name)
            put(line, "%s", name);
        else
            put_number(line, value, address);
        return true;
    default:
        return false;
    }
}

static bool put_set(struct line *line, const struct weft_instr *instr, struct naming naming)
{
    const struct weft_register *reg = weft_register_at(instr->reg);
    if (!reg || (reg->half[1] == WEFT_HALF_NONE && instr->value1))
        return false;
    put(line, " %s", reg->name);
    if (!put_half(line, reg, 0, instr->value0, naming))
        return false;
    return reg->half[1] == WEFT_HALF_NONE || put_half(line, reg, 1, instr->value1, naming);
}

static bool put_value(struct line *line, const struct weft_field *field, uint64_t value, struct naming naming)
{
    const char *name = NULL;
    switch (field->kind) {
    case WEFT_KIND_PATTERN:
        put(line, "p%u", (unsigned)value);
        return value < WEFT_PATTERNS;
    case WEFT_KIND_FORMAT:
        name = value <= WEFT_FORMAT_f32 ? weft_format_name((enum weft_format)value) : NULL;
        break;
    case WEFT_KIND_FUNCTION:
        name = weft_function_name((unsigned)value);
        break;
    case WEFT_KIND_REDUCE:
        name = weft_reduction_name((unsigned)value);
        break;
    case WEFT_KIND_RAW:
        put_number(line, value, true);
        return true;
    default:
        if (space_of(field->name))
            name = naming.find(naming.user, space_of(field->name), value);
        if (!name) {
            put_number(line, value, space_of(field->name));
            return true;
        }
    }
    put(line, "%s", name ? name : "?");
    return name;
}

static bool put_operands(struct line *line, const struct weft_instr_info *info, const struct weft_instr *instr, struct naming naming)
{
    const char *separator = " ";
    for (size_t i = 0; i < info->field_count; i++) {
        const struct weft_field *field = &info->fields[i];
        uint64_t value = weft_field_get(instr, field);
        if (field->dflt != WEFT_REQUIRED && value == field->dflt)
            continue;
        put(line, "%s", separator);
        separator = ", ";
        if (field->kind == WEFT_KIND_FLAG) {
            put(line, "%s", field->name);
            continue;
        }
        if (info->field_count > 1)
            put(line, "%s=", field->name);
        if (!put_value(line, field, value, naming))
            return false;
    }
    return true;
}

bool format_instruction(char *out, size_t size, const struct weft_instr *instr, struct naming naming)
{
    struct line line = {out, size, 0};
    const struct weft_instr_info *info = weft_instr_info(instr->op);
    if (!info) {
        put(&line, "?");
        return false;
    }
    put(&line, "%s", info->mnemonic);
    bool plain = info->op == WEFT_OP_SET ? put_set(&line, instr, naming) : put_operands(&line, info, instr, naming);
    return plain && line.used < size;
}

static const char *symbol_find(const void *user, char space, uint64_t value)
{
    const struct weft_program *program = user;
    for (size_t i = 0; program && i < program->symbol_count; i++)
        if (program->symbols[i].space == space && program->symbols[i].value == value && format_is_name(program->symbols[i].name))
            return program->symbols[i].name;
    return NULL;
}

void weft_asm_format(char *out, size_t size, const struct weft_instr *instr, const struct weft_program *program)
{
    if (size > 0)
        (void)format_instruction(out, size, instr, (struct naming){symbol_find, program});
}
