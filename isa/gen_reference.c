/* gen_reference.c: prints docs/isa-reference.md, all of it from the tables. Run by a test, which compares, and by the target `docs`. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "weft_isa.h"

/* --- instructions ---------------------------------------------------------------------------------------------------------- */

static void print_default(const struct weft_field *field)
{
    if (field->dflt == WEFT_REQUIRED)
        fputs("required", stdout);
    else if (field->kind == WEFT_KIND_FORMAT)
        fputs(weft_format_name((enum weft_format)field->dflt), stdout);
    else if (field->kind == WEFT_KIND_FUNCTION)
        fputs(weft_function_name((unsigned)field->dflt), stdout);
    else if (field->kind == WEFT_KIND_REDUCE)
        fputs(weft_reduction_name((unsigned)field->dflt), stdout);
    else if (field->kind == WEFT_KIND_FLAG)
        fputs(field->dflt ? "set" : "clear", stdout);
    else
        printf("%s%" PRIu64, field->kind == WEFT_KIND_PATTERN ? "p" : "", field->dflt);
}

static const char *kind_name(enum weft_kind kind)
{
    static const char *const names[] = {
        [WEFT_KIND_UINT] = "number", [WEFT_KIND_FLAG] = "flag",         [WEFT_KIND_PATTERN] = "pattern",   [WEFT_KIND_FORMAT] = "format",
        [WEFT_KIND_FUNCTION] = "function", [WEFT_KIND_REDUCE] = "reduction", [WEFT_KIND_REGISTER] = "register", [WEFT_KIND_RAW] = "32 bits"};
    return names[kind];
}

/* The parts of a word from bit 0 up: opcode, fields and the gaps between them. */
struct part {
    const char *name;
    unsigned lsb, width;
};
enum { PARTS_MAX = 64 };

/* The field that begins at the lowest bit from `from` on; NULL: none. */
static const struct weft_field *next_field(const struct weft_instr_info *info, unsigned from)
{
    const struct weft_field *best = NULL;
    for (size_t i = 0; i < info->field_count; i++)
        if (info->fields[i].lsb >= from && (!best || info->fields[i].lsb < best->lsb))
            best = &info->fields[i];
    return best;
}

static size_t collect_parts(struct part *parts, const struct weft_instr_info *info)
{
    size_t count = 0;
    parts[count++] = (struct part){"opcode", 0, 8};
    unsigned at = 8;
    for (const struct weft_field *field; (field = next_field(info, at)); at = (unsigned)field->lsb + field->width) {
        if (field->lsb > at)
            parts[count++] = (struct part){"0", at, field->lsb - at};
        parts[count++] = (struct part){field->name, field->lsb, field->width};
    }
    if (at < 128)
        parts[count++] = (struct part){"0", at, 128 - at};
    return count;
}

static int part_label(char *out, size_t size, const struct part *part)
{
    return part->width == 1 ? snprintf(out, size, "%u", part->lsb) : snprintf(out, size, "%u-%u", part->lsb, part->lsb + part->width - 1);
}

/* Two lines a ruler: bits above, names below, each column as wide as the wider of them. */
static void print_ruler(const struct weft_instr_info *info)
{
    struct part parts[PARTS_MAX];
    char bits[512] = "  ", names[512] = "| ";
    size_t count = collect_parts(parts, info), used = 2;
    for (size_t i = 0; i < count; i++) {
        char label[32];
        size_t width = (size_t)part_label(label, sizeof label, &parts[i]), length = strlen(parts[i].name);
        width = width > length ? width : length;
        snprintf(bits + used, sizeof bits - used, "%-*s%s", (int)width, label, i + 1 < count ? "   " : "");
        used += (size_t)snprintf(names + used, sizeof names - used, "%-*s%s", (int)width, parts[i].name, i + 1 < count ? " | " : " |");
    }
    for (size_t end = strlen(bits); end && bits[end - 1] == ' '; end--)
        bits[end - 1] = '\0';
    printf("```\n%s\n%s\n```\n\n", bits, names);
}

static void print_instruction(const struct weft_instr_info *info)
{
    printf("### `%s`\n\nOpcode 0x%02x, unit %s: %s.\n\n", info->mnemonic, info->op, weft_unit_name(info->unit), info->summary);
    print_ruler(info);
    if (!info->field_count)
        return;
    printf("| operand | bits | kind | default | meaning |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < info->field_count; i++) {
        const struct weft_field *field = &info->fields[i];
        char label[32];
        part_label(label, sizeof label, &(struct part){field->name, field->lsb, field->width});
        printf("| `%s` | %s | %s | ", field->name, label, kind_name(field->kind));
        print_default(field);
        printf(" | %s |\n", field->meaning);
    }
    printf("\n");
}

static void print_instructions(void)
{
    size_t count;
    const struct weft_instr_info *table = weft_instr_table(&count);
    printf("## Instructions\n\nA word is 128 bits, stored as 16 bytes, least significant first. Bits marked 0 belong to no field; they are zero, and a word in\n"
           "which one is not is refused.\n\n| mnemonic | opcode | unit | |\n|---|---|---|---|\n");
    for (size_t i = 0; i < count; i++)
        printf("| [`%s`](#%s) | 0x%02x | %s | %s |\n", table[i].mnemonic, table[i].mnemonic, table[i].op, weft_unit_name(table[i].unit),
               table[i].summary);
    printf("\n");
    for (size_t i = 0; i < count; i++)
        print_instruction(&table[i]);
}

/* --- registers ----------------------------------------------------------------------------------------------------------------- */

static void print_reset(enum weft_half half, uint32_t reset)
{
    float f;
    memcpy(&f, &reset, sizeof f);
    switch (half) {
    case WEFT_HALF_NONE: fputs("-", stdout); break;
    case WEFT_HALF_UINT:
        if (reset == UINT32_MAX)
            fputs("2^32 - 1", stdout);
        else
            printf("%" PRIu32, reset);
        break;
    case WEFT_HALF_SINT: printf("%" PRId32, (int32_t)reset); break;
    case WEFT_HALF_FLOAT: printf("%g", (double)f); break;
    }
}

static void print_register(const struct weft_register *r, const char *name, const char *number)
{
    static const char *const halves[] = {"-", "unsigned", "signed", "float"};
    printf("| `%s` | %s | %s | %s | ", name, number, halves[r->half[0]], halves[r->half[1]]);
    print_reset(r->half[0], r->reset[0]);
    printf(" | ");
    print_reset(r->half[1], r->reset[1]);
    printf(" | %s |\n", r->meaning);
}

static void print_registers(void)
{
    size_t count;
    const struct weft_register *table = weft_register_table(&count);
    printf("## Registers\n\nWritten by `set`. The registers of the %d patterns have the numbers of `p0` and eight more for each pattern behind it.\n\n"
           "| register | number | first half | second half | first at reset | second at reset | meaning |\n|---|---|---|---|---|---|---|\n",
           WEFT_PATTERNS);
    for (size_t i = 0; i < count; i++) {
        char name[24], number[24];
        bool pattern = table[i].number < 0x80;
        if (pattern && table[i].number >= 8)
            continue; /* as p0's */
        snprintf(name, sizeof name, "%s%s", pattern ? "pN" : "", table[i].name + (pattern ? 2 : 0));
        snprintf(number, sizeof number, "%s%u", pattern ? "8 N + " : "", table[i].number);
        print_register(&table[i], name, number);
    }
    printf("\n");
}

/* --- the other tables ------------------------------------------------------------------------------------------------------------- */

static void print_names(void)
{
    printf("## Formats\n\n| format | number | bytes | |\n|---|---|---|---|\n");
#define WEFT_FORMAT(number, name, bytes, meaning) printf("| `%s` | %d | %d | %s |\n", #name, number, bytes, meaning);
#include "functions.def"
    printf("\n## Functions\n\n| function | number | of x |\n|---|---|---|\n");
#define WEFT_FUNCTION(number, name, meaning) printf("| `%s` | %d | %s |\n", #name, number, meaning);
#include "functions.def"
    printf("\n## Reductions\n\n| reduction | number | |\n|---|---|---|\n");
#define WEFT_REDUCTION(number, name, meaning) printf("| `%s` | %d | %s |\n", #name, number, meaning);
#include "functions.def"
    printf("\n");
}

static void print_machine(void)
{
    size_t count;
    const struct weft_machine_field *fields = weft_machine_fields(&count);
    printf("## Machine fields\n\nEvery field is required. In a machine file: `group: {name: {value: 256, source: \"where it comes from\"}}`, beside `name`,\n"
           "`description` and `formats: {value: [u8, s8, s16, bf16]}`. On the command line: `--set group.name=256`. Numbers may end in\n"
           "k M G (powers of 1000) or Ki Mi Gi (powers of 1024).\n\n| field | from | to | unit | meaning |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        if (fields[i].flag)
            printf("| `%s` | false | true | | %s |\n", fields[i].name, fields[i].meaning);
        else
            printf("| `%s` | %" PRIu64 " | %" PRIu64 " | %s | %s |\n", fields[i].name, fields[i].low, fields[i].high, fields[i].unit, fields[i].meaning);
    }
    printf("\n");
}

static void print_counters(void)
{
    printf("## Counters\n\nSUM: the layers add up to the run. PEAK: the run has the largest of its layers.\n\n| counter | kind | unit | meaning |\n|---|---|---|---|\n");
#define WEFT_COUNTER(name, KIND, unit, meaning) printf("| `%s` | %s | %s | %s |\n", #name, #KIND, unit, meaning);
#include "counters.def"
}

int main(void)
{
    printf("# Reference\n\nThis page is made from the tables in isa/ (`cmake --build BUILD --target docs`); do not edit it. What the instructions compute stands\n"
           "in [isa.md](isa.md), when they do so in [machine.md](machine.md), what the counters mean in [metrics.md](metrics.md).\n\n");
    print_instructions();
    print_registers();
    print_names();
    print_machine();
    print_counters();
    return 0;
}
