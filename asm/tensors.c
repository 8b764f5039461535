/* tensors.c: inputs, outputs and probes. What is not written follows from the rest: dense strides in C order, the bytes they span. */
#include "walks.h"
#include <string.h>

enum { HOST, FORMAT, STRIDES, AXES, SCALE, ZERO, QUANTISED, BYTES, ELEMENT, OPTIONS, TABLE = OPTIONS, TABLE_ROWS, ROW_BYTES, INPUT_OPTIONS };

enum { RANK_MAX = 8 };

static bool read_list(struct assembler *as, const struct expr *e, const char *what, unsigned rank, uint64_t high, uint64_t *out)
{
    unsigned n = 0;
    bool good = true;
    if (e->kind != EXPR_LIST) {
        message_add(as, e->at, "%s is a list: [1, 2]", what);
        return false;
    }
    for (const struct expr *item = e->left; item; item = item->next, n++)
        if (n < rank)
            good &= expr_unsigned(as, item, what, high, &out[n]);
    if (n == rank)
        return good;
    message_add(as, e->at, "%s has %u numbers for %u dimensions", what, n, rank);
    return false;
}

static bool read_dims(struct assembler *as, const struct expr *rest, struct weft_tensor *tensor)
{
    bool good = true;
    for (const struct expr *e = rest; e; e = e->next) {
        if (e->kind == EXPR_NAMED)
            continue;
        if (tensor->rank == RANK_MAX) {
            message_add(as, e->at, "a tensor has at most %d dimensions", RANK_MAX);
            return false;
        }
        good &= expr_unsigned(as, e, "a dimension", UINT64_MAX, &tensor->dims[tensor->rank++]);
    }
    if (good && weft_tensor_count(tensor) > WEFT_TENSOR_MOST) {
        message_add(as, rest->at, "a tensor has at most 2^31 elements");
        return false;
    }
    return good;
}

/* Dense strides and the bytes that the tensor spans; false: they overflow. */
static bool dense(struct weft_tensor *t)
{
    uint64_t stride = weft_format_bytes(t->format);
    for (unsigned d = t->rank; d-- > 0;) {
        t->strides[d] = stride;
        if (__builtin_mul_overflow(stride, t->dims[d] ? t->dims[d] : 1, &stride))
            return false;
    }
    return true;
}

static bool span_bytes(struct weft_tensor *t)
{
    uint64_t bytes = weft_format_bytes(t->format), reach;
    bool empty = false;
    for (unsigned d = 0; d < t->rank; d++) {
        empty |= t->dims[d] == 0;
        if (t->dims[d] && (__builtin_mul_overflow(t->dims[d] - 1, t->strides[d], &reach) || __builtin_add_overflow(bytes, reach, &bytes)))
            return false;
    }
    t->bytes = empty ? 0 : bytes;
    return true;
}

static bool read_places(struct assembler *as, const struct statement *st, const struct expr *const *o, struct weft_tensor *t)
{
    uint64_t axes[RANK_MAX] = {0, 1, 2, 3, 4, 5, 6, 7};
    bool good = true;
    if (o[STRIDES])
        good = read_list(as, o[STRIDES], "strides", t->rank, UINT64_MAX, t->strides);
    else if (!dense(t))
        good = false, message_add(as, st->head, "the tensor's bytes do not fit 64 bits");
    if (o[AXES])
        good &= read_list(as, o[AXES], "axes", t->rank, RANK_MAX - 1, axes);
    for (unsigned d = 0; d < t->rank; d++)
        t->axes[d] = (unsigned)axes[d];
    if (o[BYTES])
        return expr_unsigned(as, o[BYTES], "bytes", UINT64_MAX, &t->bytes) && good;
    if (good && !span_bytes(t))
        good = false, message_add(as, st->head, "the tensor's bytes do not fit 64 bits");
    return good;
}

static bool read_scale(struct assembler *as, const struct expr *const *o, struct weft_tensor *t)
{
    uint32_t bits = 0x3f800000;
    int64_t zero = 0;
    uint64_t quantised = o[SCALE] != NULL;
    bool good = !o[SCALE] || expr_float(as, o[SCALE], "scale", &bits);
    good &= !o[ZERO] || expr_integer(as, o[ZERO], "zero", INT32_MIN, INT32_MAX, &zero);
    good &= !o[QUANTISED] || expr_unsigned(as, o[QUANTISED], "quantised", 1, &quantised);
    memcpy(&t->scale, &bits, sizeof bits);
    t->zero = (int32_t)zero;
    t->quantised = quantised;
    return good;
}

static const char *element_of(const struct weft_tensor *t)
{
    static const char *const names[] = {[WEFT_FORMAT_u8] = "uint8",  [WEFT_FORMAT_s8] = "int8",      [WEFT_FORMAT_s16] = "int16",
                                        [WEFT_FORMAT_s32] = "int32", [WEFT_FORMAT_bf16] = "float32", [WEFT_FORMAT_f32] = "float32"};
    return t->quantised ? "float32" : names[t->format];
}

static bool read_element(struct assembler *as, const struct expr *e, struct weft_tensor *t)
{
    const char *element = e ? expr_string(as, e, "element") : element_of(t);
    if (!element)
        return false;
    if (strlen(element) >= sizeof t->element) {
        message_add(as, e->at, "an element type has at most %zu letters", sizeof t->element - 1);
        return false;
    }
    strcpy(t->element, element);
    return true;
}

/* Everything but the name. */
static bool read_tensor(struct assembler *as, const struct statement *st, const struct expr *const *o, const struct expr *rest,
                        struct weft_tensor *t)
{
    bool good = expr_unsigned(as, o[HOST], "the address", UINT64_MAX, &t->host);
    good &= expr_format(as, o[FORMAT], &t->format);
    good &= read_dims(as, rest, t);
    good &= read_scale(as, o, t);
    good &= read_element(as, o[ELEMENT], t);
    return good && read_places(as, st, o, t);
}

#define OPTIONAL                                                                                                                           \
    {"strides", false, true}, {"axes", false, true}, {"scale", false, true}, {"zero", false, true}, {"quantised", false, true},            \
        {"bytes", false, true},                                                                                                            \
    {                                                                                                                                      \
        "element", false, true                                                                                                             \
    }

/* The table of an input that the host looks up lies in .data. A program for timing only, which has no weights, need not have it: what is
 * said of it is kept. The loader holds a program file to the same. */
static bool read_table(struct assembler *as, const struct statement *st, const struct expr *const *o, struct weft_tensor *t)
{
    const struct weft_program *p = as->program;
    uint64_t address = 0, bytes, end;
    if (!o[TABLE] && !o[TABLE_ROWS] && !o[ROW_BYTES])
        return true;
    if (!o[TABLE] || !o[TABLE_ROWS] || !o[ROW_BYTES]) {
        message_add(as, st->head, "a table is told by table=, table_rows= and row_bytes=, all three of them");
        return false;
    }
    bool good = expr_unsigned(as, o[TABLE], "table", UINT64_MAX, &address);
    good &= expr_unsigned(as, o[TABLE_ROWS], "table_rows", INT64_MAX, &t->table_rows);
    good &= expr_unsigned(as, o[ROW_BYTES], "row_bytes", t->bytes, &t->row_bytes);
    if (!good)
        return false;
    bool behind = !__builtin_sub_overflow(address, p->data_host, &t->table_data);
    bool there = behind && t->row_bytes && !__builtin_mul_overflow(t->table_rows, t->row_bytes, &bytes) &&
                 !__builtin_add_overflow(t->table_data, bytes, &end) && end <= p->data_bytes;
    if (there && t->table_rows)
        t->table = p->data + t->table_data;
    if (there || (behind && (!t->table_rows || !p->weights)))
        return true;
    message_add(as, o[TABLE]->at, "a table of %llu rows of %llu bytes at 0x%llx leaves the .data image, 0x%llx to 0x%llx",
                (unsigned long long)t->table_rows, (unsigned long long)t->row_bytes, (unsigned long long)address,
                (unsigned long long)p->data_host, (unsigned long long)(p->data_host + p->data_bytes));
    return false;
}

static void emit_tensor(struct assembler *as, struct statement *st, struct weft_tensor **tensors, size_t *count, bool is_input)
{
    static const struct parameter parameters[] = {{"name", true}, {"host", true}, {"format", true}, OPTIONAL,
                                                  {"table", false, true}, {"table_rows", false, true}, {"row_bytes", false, true}};
    const struct expr *bound[1 + INPUT_OPTIONS] = {0}, *rest;
    struct weft_tensor tensor = {0};
    if (!arguments_bind(as, st, parameters, is_input ? 1 + INPUT_OPTIONS : 1 + OPTIONS, bound, &rest))
        return;
    const char *name = expr_string(as, bound[0], "the tensor's name");
    if (!read_tensor(as, st, bound + 1, rest, &tensor) || !read_table(as, st, bound + 1, &tensor) || !name)
        return;
    struct weft_tensor *grown = table_append(as, *tensors, count, sizeof *grown);
    if (!grown)
        return;
    *tensors = grown;
    tensor.name = table_string(as, name);
    grown[*count - 1] = tensor;
}

void emit_input(struct assembler *as, struct statement *st)
{
    emit_tensor(as, st, &as->program->inputs, &as->program->input_count, true);
}
void emit_output(struct assembler *as, struct statement *st)
{
    emit_tensor(as, st, &as->program->outputs, &as->program->output_count, false);
}

void emit_probe(struct assembler *as, struct statement *st)
{
    static const struct parameter parameters[] = {{"layer", true}, {"after", true},  {"name", true},
                                                  {"ub", true},    {"format", true}, OPTIONAL};
    const struct expr *bound[3 + OPTIONS], *rest;
    struct weft_program *p = as->program;
    struct weft_probe probe = {0};
    uint64_t layer = 0, after = 0;
    if (!arguments_bind(as, st, parameters, 3 + OPTIONS, bound, &rest))
        return;
    const char *name = expr_string(as, bound[2], "the tensor's name");
    bool good = expr_unsigned(as, bound[0], "the layer", UINT32_MAX, &layer);
    good &= expr_unsigned(as, bound[1], "after", SIZE_MAX, &after);
    if (!read_tensor(as, st, bound + 3, rest, &probe.tensor) || !good || !name)
        return;
    struct weft_probe *probes = table_append(as, p->probes, &p->probe_count, sizeof *probes);
    if (!probes)
        return;
    p->probes = probes;
    probe.tensor.name = table_string(as, name);
    probe.layer = (uint32_t)layer;
    probe.after = (size_t)after;
    probes[p->probe_count - 1] = probe;
}
