/* instr.c: instruction words, made and read by the table isa.def. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "weft_isa.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct weft_field all_fields[] = {
#define WEFT_FIELD(ID, operand, KIND, lsb_, width_, default_, meaning_)                                                            \
    {.name = #operand, .meaning = meaning_, .kind = WEFT_KIND_##KIND, .lsb = lsb_, .width = width_, .dflt = default_,               \
     .offset = offsetof(struct weft_instr, operand), .size = sizeof(((struct weft_instr *)0)->operand)},
#include "isa.def"
};

/* Where each instruction's fields begin in all_fields: an enumerator counts the records as they go by. */
enum {
#define WEFT_INSTR(ID, opcode, mnemonic, UNIT, summary) BEGIN_##ID, BEFORE_##ID = BEGIN_##ID - 1,
#define WEFT_FIELD(ID, operand, KIND, lsb, width, dflt, meaning) FIELD_##ID##_##operand,
#include "isa.def"
};

/* How many they are: a char each, in a struct an instruction. */
struct count_before {
    char none;
#define WEFT_INSTR(ID, opcode, mnemonic, UNIT, summary) };  struct count_##ID { char none;
#define WEFT_FIELD(ID, operand, KIND, lsb, width, dflt, meaning) char operand;
#include "isa.def"
};

static const struct weft_instr_info all_instructions[] = {
#define WEFT_INSTR(ID, opcode_, mnemonic_, UNIT, summary_)                                                                         \
    {.mnemonic = mnemonic_, .summary = summary_, .op = opcode_, .unit = WEFT_UNIT_##UNIT, .fields = all_fields + BEGIN_##ID,       \
     .field_count = sizeof(struct count_##ID) - 1},
#include "isa.def"
};

enum {
#define WEFT_INSTR(ID, opcode, mnemonic, UNIT, summary) INDEX_##ID,
#include "isa.def"
};

/* By opcode: 1 + index into all_instructions; 0: no such opcode. */
static const uint8_t by_opcode[256] = {
#define WEFT_INSTR(ID, opcode, mnemonic, UNIT, summary) [opcode] = 1 + INDEX_##ID,
#include "isa.def"
};

#define MASK(lsb, width) ((((unsigned __int128)1 << (width)) - 1) << (lsb))

/* By opcode: the bits that it or a field of its claims. */
static const unsigned __int128 claimed[256] = {
    [255] = 0
#define WEFT_INSTR(ID, opcode, mnemonic, UNIT, summary) , [opcode] = MASK(0, 8)
#define WEFT_FIELD(ID, operand, KIND, lsb, width, dflt, meaning) | MASK(lsb, width)
#include "isa.def"
};

static const char *const unit_names[WEFT_UNITS] = {
    [WEFT_UNIT_CONTROL] = "control", [WEFT_UNIT_HOST_IN] = "host_in", [WEFT_UNIT_HOST_OUT] = "host_out", [WEFT_UNIT_FETCH] = "fetch",
    [WEFT_UNIT_DRAM] = "dram",       [WEFT_UNIT_MATRIX] = "matrix",   [WEFT_UNIT_VECTOR] = "vector",
};

const struct weft_instr_info *weft_instr_table(size_t *count)
{
    *count = COUNT(all_instructions);
    return all_instructions;
}

const struct weft_instr_info *weft_instr_find(const char *mnemonic)
{
    for (size_t i = 0; i < COUNT(all_instructions); i++)
        if (!strcmp(all_instructions[i].mnemonic, mnemonic))
            return &all_instructions[i];
    return NULL;
}

const struct weft_instr_info *weft_instr_info(enum weft_opcode op)
{
    return (unsigned)op < 256 && by_opcode[op] ? &all_instructions[by_opcode[op] - 1] : NULL;
}

const char *weft_unit_name(enum weft_unit unit)
{
    return (unsigned)unit < WEFT_UNITS ? unit_names[unit] : "?";
}

static const char *const function_names[] = {
#define WEFT_FUNCTION(number, name, meaning) [number] = #name,
#include "functions.def"
};
static const char *const reduction_names[] = {
#define WEFT_REDUCTION(number, name, meaning) [number] = #name,
#include "functions.def"
};

const char *weft_function_name(unsigned number)
{
    return number < sizeof function_names / sizeof function_names[0] ? function_names[number] : NULL;
}

const char *weft_reduction_name(unsigned number)
{
    return number < sizeof reduction_names / sizeof reduction_names[0] ? reduction_names[number] : NULL;
}

int weft_field_text(char *out, size_t size, const struct weft_field *field, uint64_t value)
{
    const struct weft_register *reg = field->kind == WEFT_KIND_REGISTER ? weft_register_at((uint32_t)value) : NULL;
    const char *name = field->kind == WEFT_KIND_FORMAT ? weft_format_name((enum weft_format)value) : field->kind == WEFT_KIND_FUNCTION ? weft_function_name((unsigned)value)
                     : field->kind == WEFT_KIND_REDUCE ? weft_reduction_name((unsigned)value) : NULL;
    if (field->kind == WEFT_KIND_FLAG || reg)
        return snprintf(out, size, "%s", reg ? reg->name : field->name);
    if (name)
        return snprintf(out, size, "%s=%s", field->name, name);
    return snprintf(out, size, "%s=%s%" PRIu64, field->name, field->kind == WEFT_KIND_PATTERN ? "p" : "", value);
}

uint64_t weft_field_get(const struct weft_instr *instr, const struct weft_field *field)
{
    const char *member = (const char *)instr + field->offset;
    uint32_t word;
    uint64_t wide;
    switch (field->size) {
    case 1: return *(const uint8_t *)member;
    case 4: memcpy(&word, member, sizeof word); return word;
    default: memcpy(&wide, member, sizeof wide); return wide;
    }
}

void weft_field_set(struct weft_instr *instr, const struct weft_field *field, uint64_t value)
{
    char *member = (char *)instr + field->offset;
    uint32_t word = (uint32_t)value;
    switch (field->size) {
    case 1: *(uint8_t *)member = (uint8_t)value; break;
    case 4: memcpy(member, &word, sizeof word); break;
    default: memcpy(member, &value, sizeof value); break;
    }
}

void weft_instr_init(struct weft_instr *out, enum weft_opcode op)
{
    memset(out, 0, sizeof *out);
    out->op = op;
    const struct weft_instr_info *info = weft_instr_info(op);
    for (size_t i = 0; info && i < info->field_count; i++)
        if (info->fields[i].dflt != WEFT_REQUIRED)
            weft_field_set(out, &info->fields[i], info->fields[i].dflt);
}

/* Whether a value is a member of the enumeration that the field holds. */
static bool is_member(const struct weft_field *field, uint64_t value)
{
    switch (field->kind) {
    case WEFT_KIND_FORMAT: return value <= WEFT_FORMAT_f32;
    case WEFT_KIND_FUNCTION: return value <= WEFT_FUNCTION_gelu;
    case WEFT_KIND_REDUCE: return value <= WEFT_REDUCTION_squares;
    case WEFT_KIND_REGISTER: return weft_register_at((uint32_t)value) != NULL;
    default: return true;
    }
}

/* A word as one number of 128 bits, whatever the host's byte order. */
static unsigned __int128 load_word(const uint8_t word[WEFT_WORD_BYTES])
{
    uint64_t half[2] = {0, 0};
    for (unsigned i = 0; i < WEFT_WORD_BYTES; i++)
        half[i / 8] |= (uint64_t)word[i] << i % 8 * 8;
    return (unsigned __int128)half[1] << 64 | half[0];
}

/* The bits of a field, which are at most 40. */
static uint64_t extract(uint64_t low, uint64_t high, const struct weft_field *field)
{
    uint64_t bits = field->lsb >= 64 ? high >> (field->lsb - 64) : field->lsb ? low >> field->lsb | high << (64 - field->lsb) : low;
    return bits & ((UINT64_C(1) << field->width) - 1);
}

bool weft_decode(struct weft_instr *out, const uint8_t word[WEFT_WORD_BYTES])
{
    const struct weft_instr_info *info = weft_instr_info((enum weft_opcode)word[0]);
    memset(out, 0, sizeof *out);
    unsigned __int128 bits = load_word(word);
    if (!info || bits & ~claimed[word[0]])
        return false;
    out->op = info->op;
    for (const struct weft_field *field = info->fields, *end = field + info->field_count; field < end; field++) {
        uint64_t value = extract((uint64_t)bits, (uint64_t)(bits >> 64), field);
        if (!is_member(field, value))
            return false;
        weft_field_set(out, field, value);
    }
    return true;
}

bool weft_encode(uint8_t word[WEFT_WORD_BYTES], const struct weft_instr *instr)
{
    const struct weft_instr_info *info = weft_instr_info(instr->op);
    if (!info)
        return false;
    unsigned __int128 bits = instr->op;
    for (size_t i = 0; i < info->field_count; i++) {
        const struct weft_field *field = &info->fields[i];
        uint64_t value = weft_field_get(instr, field);
        if (value >> field->width || !is_member(field, value))
            return false;
        bits |= (unsigned __int128)value << field->lsb;
    }
    for (int i = 0; i < WEFT_WORD_BYTES; i++)
        word[i] = (uint8_t)(bits >> 8 * i);
    return true;
}
