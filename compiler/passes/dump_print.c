/* dump_print.c: names, numbers and constants of a dump. */
#include "dump_print.h"
#include "element.h"
#include "random.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_MAX = 16 }; /* elements of a constant that stand in full */

const struct dump_type dump_types[] = {
    /* of TensorProto.DataType */
    [ELEMENT_F32] = {"float", 1}, [ELEMENT_F64] = {"double", 11}, [ELEMENT_F16] = {"float16", 10}, [ELEMENT_BF16] = {"bfloat16", 16},
    [ELEMENT_U8] = {"uint8", 2},  [ELEMENT_S8] = {"int8", 3},     [ELEMENT_U16] = {"uint16", 4},   [ELEMENT_S16] = {"int16", 5},
    [ELEMENT_S32] = {"int32", 6}, [ELEMENT_U32] = {"uint32", 12}, [ELEMENT_S64] = {"int64", 7},    [ELEMENT_U64] = {"uint64", 13},
    [ELEMENT_BOOL] = {"bool", 9},
};

/* --- names --------------------------------------------------------------------------------------------------------------- */

/* May the syntax have it without quotes? */
static bool is_word(const char *name)
{
    static const char *const taken[] = {"seq", "optional", "sparse_tensor", "map", "string", "complex64", "complex128"};
    if (!isalpha((unsigned char)name[0]) && name[0] != '_')
        return false;
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_')
            return false;
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        if (!strcmp(taken[i], name))
            return false;
    for (size_t i = 0; i < sizeof dump_types / sizeof dump_types[0]; i++)
        if (!strcmp(dump_types[i].name, name))
            return false;
    return true;
}

/* As the syntax writes it; the caller frees it. NULL: no memory. */
static char *spell(const char *name)
{
    char *out = malloc(2 * strlen(name) + 3), *to = out;
    if (!out)
        return NULL;
    if (is_word(name))
        return strcpy(out, name);
    *to++ = '"';
    for (; *name; name++) {
        if (*name == '"' || *name == '\\')
            *to++ = '\\';
        *to++ = *name;
    }
    strcpy(to, "\"");
    return out;
}

const char *dump_unique(struct dump *d, const char *name)
{
    size_t room = strlen(name) + 24;
    int number = 1, before;
    char *text = malloc(room);
    char **grown = realloc(d->made, (d->made_count + 1) * sizeof *grown);
    if (grown)
        d->made = grown;
    if (!text || !grown)
        return free(text), d->no_memory = true, NULL;
    strcpy(text, name);
    while (!*text || names_find(&d->taken, text, &before))
        snprintf(text, room, "%s_%d", name, ++number);
    d->made[d->made_count++] = text;
    if (!names_set(&d->taken, text, 1))
        d->no_memory = true;
    return text;
}

/* A name for a constant that this file makes. */
static const char *fresh(struct dump *d, int value, const char *suffix)
{
    size_t room = strlen(d->raw[value]) + strlen(suffix) + 2;
    char *text = malloc(room);
    if (!text)
        return d->no_memory = true, "";
    snprintf(text, room, "%s_%s", d->raw[value], suffix);
    const char *name = dump_unique(d, text);
    free(text);
    return name ? name : "";
}

void dump_name(struct dump *d, const char *name)
{
    char *text = spell(name);
    if (text)
        fputs(text, d->out);
    else
        d->no_memory = true;
    free(text);
}

void dump_result(struct dump *d, const char *name)
{
    fputs("  ", d->out);
    dump_name(d, name);
    fputs(" = ", d->out);
}

/* --- types and numbers --------------------------------------------------------------------------------------------------- */

void dump_dims(struct dump *d, const int64_t *dims, unsigned count)
{
    fputc('[', d->out);
    for (unsigned i = 0; i < count; i++)
        fprintf(d->out, "%s%lld", i ? ", " : "", (long long)dims[i]);
    fputc(']', d->out);
}

void dump_type(struct dump *d, const struct value *value)
{
    fputs(dump_types[value->element].name, d->out);
    if (value->shape.rank)
        dump_dims(d, value->shape.dims, value->shape.rank);
}

/* A float keeps its point, by which the syntax knows it. Nine digits tell all of fp32 apart, seventeen all of fp64. */
void dump_real(struct dump *d, double number, int digits)
{
    char text[40];
    snprintf(text, sizeof text, "%.*g", digits, number);
    fprintf(d->out, "%s%s", text, strpbrk(text, ".enai") ? "" : ".0");
}

static void print_element(struct dump *d, const void *bytes, enum element element, int64_t index)
{
    const char *at = (const char *)bytes + index * element_bytes(element);
    int64_t integer;
    if (element_is_float(element))
        dump_real(d, element_load(bytes, element, index), element == ELEMENT_F64 ? 17 : 9);
    else if (element == ELEMENT_S64 || element == ELEMENT_U64) {
        memcpy(&integer, at, sizeof integer);
        fprintf(d->out, element == ELEMENT_S64 ? "%lld" : "%llu", (long long)integer);
    } else
        fprintf(d->out, "%.0f", element_load(bytes, element, index));
}

static void print_literal(struct dump *d, const struct value *value, const void *bytes)
{
    dump_type(d, value);
    fputs(" {", d->out);
    for (int64_t i = 0, count = shape_count(&value->shape); i < count; i++) {
        if (i)
            fputs(", ", d->out);
        print_element(d, bytes, value->element, i);
    }
    fputc('}', d->out);
}

/* --- constants ----------------------------------------------------------------------------------------------------------- */

const char *dump_ints(struct dump *d, int value, const char *suffix, const int64_t *ints, unsigned count)
{
    const char *name = fresh(d, value, suffix);
    struct value list = {.element = ELEMENT_S64, .shape = {.rank = 1, .dims = {count}}};
    dump_result(d, name);
    fputs("Constant <value = ", d->out);
    print_literal(d, &list, ints);
    fputs("> ()\n", d->out);
    return name;
}

const char *dump_scalar(struct dump *d, int value, const char *suffix, enum element element, double number)
{
    const char *name = fresh(d, value, suffix);
    uint64_t bytes = 0;
    element_store(&bytes, element, 0, number);
    dump_result(d, name);
    fputs("Constant <value = ", d->out);
    print_literal(d, &(struct value){.element = element}, &bytes);
    fputs("> ()\n", d->out);
    return name;
}

const char *dump_part(struct dump *d, int value, const char *suffix, const char *operator_name, const char *a, const char *b)
{
    const char *name = fresh(d, value, suffix);
    dump_result(d, name);
    fprintf(d->out, "%s (", operator_name);
    dump_name(d, a);
    if (b) {
        fputs(", ", d->out);
        dump_name(d, b);
    }
    fputs(")\n", d->out);
    return name;
}

static void print_filled(struct dump *d, int id, double fill, const char *comment)
{
    const struct value *value = &d->graph->values[id];
    uint64_t bytes = 0;
    element_store(&bytes, value->element, 0, fill);
    const char *shape = dump_ints(d, id, "shape", value->shape.dims, value->shape.rank);
    dump_result(d, d->raw[id]);
    fputs("ConstantOfShape <value = ", d->out);
    print_literal(d, &(struct value){.element = value->element, .shape = {.rank = 1, .dims = {1}}}, &bytes);
    fputs("> (", d->out);
    dump_name(d, shape);
    fprintf(d->out, ")%s\n", comment);
}

/* A seed is the bits of the attribute's fp32, or comes from the value's name (see the importer). */
static void print_seed(struct dump *d, const struct value *value)
{
    uint32_t bits = (uint32_t)value->seed;
    float seed;
    if (value->seed != bits)
        return;
    memcpy(&seed, &bits, sizeof seed);
    fputs(", seed = ", d->out);
    dump_real(d, (double)seed, 9);
}

static void print_random(struct dump *d, int id)
{
    const struct value *value = &d->graph->values[id];
    bool normal = value->contents == CONTENTS_NORMAL, remarked = value->seed > UINT32_MAX && value->seed != random_hash_text(d->raw[id]);
    dump_result(d, d->raw[id]);
    fprintf(d->out, "%s <dtype = %d, %s = ", normal ? "RandomNormal" : "RandomUniform", dump_types[value->element].number,
            normal ? "mean" : "low");
    dump_real(d, value->mean, 9);
    fputs(normal ? ", scale = " : ", high = ", d->out);
    dump_real(d, value->deviation, 9);
    print_seed(d, value);
    fputs(", shape = ", d->out);
    dump_dims(d, value->shape.dims, value->shape.rank);
    fprintf(d->out, "> ()%s\n", remarked ? " # its seed is not shown: other numbers stand in" : "");
}

void dump_constant(struct dump *d, int id)
{
    const struct value *value = &d->graph->values[id];
    int64_t count = shape_count(&value->shape);
    uint64_t few[SHOWN_MAX];
    if (value->contents == CONTENTS_NORMAL || value->contents == CONTENTS_UNIFORM)
        print_random(d, id);
    else if (value->contents == CONTENTS_ABSENT)
        print_filled(d, id, 0, " # contents absent: zeros stand in");
    else if (count <= SHOWN_MAX) {
        for (int64_t i = 0; i < count && value->contents == CONTENTS_FILL; i++)
            element_store(few, value->element, i, value->fill);
        dump_result(d, d->raw[id]);
        fputs("Constant <value = ", d->out);
        print_literal(d, value, value->contents == CONTENTS_FILL ? few : value->bytes);
        fputs("> ()\n", d->out);
    } else if (value->contents == CONTENTS_FILL)
        print_filled(d, id, value->fill, "");
    else
        print_filled(d, id, 0, " # contents not shown: zeros stand in");
}
