/* bytes.c: the directives that put bytes into an image. Layout reserves, emit writes. */
#include "walks.h"
#include <stdlib.h>
#include <string.h>

bool bytes_reserve(struct assembler *as, struct statement *st, uint64_t count, uint64_t unit)
{
    struct place *place = &as->place[as->current];
    if (as->current == SECTION_TEXT) {
        message_add(as, st->head, "%s belongs in .weights or .data; this is .text", st->directive->name);
        return false;
    }
    uint64_t bytes, end, low = place->low < place->position ? place->low : place->position;
    if (as->current == SECTION_WEIGHTS)
        low = 0; /* the DRAM image begins at address 0 */
    if (__builtin_mul_overflow(count, unit, &bytes) || __builtin_add_overflow(place->position, bytes, &end) || end - low > IMAGE_LIMIT ||
        (place->high && place->high - low > IMAGE_LIMIT)) {
        message_add(as, st->head, "the image would be more than the %llu bytes that assembly allows", (unsigned long long)IMAGE_LIMIT);
        return false;
    }
    st->laid = true;
    st->address = place->position;
    st->bytes = bytes;
    place->position = end;
    place->high = end > place->high ? end : place->high;
    return true;
}

/* The directive's name without its dot is the format. */
static enum weft_format format_of(const struct statement *st)
{
    enum weft_format format = WEFT_FORMAT_u8;
    (void)weft_format_find(&format, st->directive->name + 1);
    return format;
}

static bool put_number(struct assembler *as, uint8_t *at, const struct expr *e, enum weft_format format)
{
    int64_t integer = 0;
    uint32_t bits = 0;
    if (!weft_format_is_integer(format)) {
        float value;
        if (!expr_float(as, e, "the number", &bits))
            return false;
        memcpy(&value, &bits, sizeof value);
        if (format == WEFT_FORMAT_f32)
            memcpy(at, (uint8_t[4]){(uint8_t)bits, (uint8_t)(bits >> 8), (uint8_t)(bits >> 16), (uint8_t)(bits >> 24)}, 4);
        else
            weft_store_float(at, format, value);
        return true;
    }
    if (!expr_integer(as, e, weft_format_name(format), weft_format_low(format), (uint64_t)weft_format_high(format), &integer))
        return false;
    weft_store_integer(at, format, (int32_t)integer);
    return true;
}

void layout_numbers(struct assembler *as, struct statement *st)
{
    uint64_t count = 0;
    for (const struct expr *e = st->args; e; e = e->next)
        count++;
    if (!count)
        message_add(as, st->head, "%s needs a value: %s", st->directive->name, st->directive->usage);
    else
        (void)bytes_reserve(as, st, count, weft_format_bytes(format_of(st)));
}

void emit_numbers(struct assembler *as, struct statement *st)
{
    uint8_t spare[8], *at = emit_place(as, st);
    for (const struct expr *e = st->args; e; e = e->next) {
        (void)put_number(as, at ? at : spare, e, format_of(st));
        at = at ? at + weft_format_bytes(format_of(st)) : NULL;
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads pairs of digits, with blanks between; out may be NULL. False: `*wrong` is where the text is not that. */
static bool read_hex(uint8_t *out, uint64_t *count, const char *text, uint32_t begin, uint32_t end, uint32_t *wrong)
{
    *count = 0;
    for (uint32_t i = begin; i < end;) {
        if (text[i] == ' ') {
            i++;
            continue;
        }
        int high = hex_digit(text[i]), low = i + 1 < end ? hex_digit(text[i + 1]) : -1;
        *wrong = i;
        if (high < 0 || low < 0)
            return false;
        if (out)
            out[*count] = (uint8_t)(high << 4 | low);
        ++*count;
        i += 2;
    }
    return true;
}

static bool hex_argument(struct assembler *as, struct statement *st, uint64_t *count)
{
    const struct expr *e = st->args;
    uint32_t wrong;
    if (!e || e->next || e->kind != EXPR_STRING) {
        message_add(as, e ? e->at : st->head, "%s takes one string: %s", st->directive->name, st->directive->usage);
        return false;
    }
    if (read_hex(NULL, count, as->text, e->at.begin + 1, e->at.end - 1, &wrong))
        return true;
    message_add(as, (struct span){wrong, wrong + 2 < e->at.end ? wrong + 2 : wrong + 1, e->at.line}, "two hexadecimal digits make a byte");
    return false;
}

void layout_hex(struct assembler *as, struct statement *st)
{
    uint64_t count;
    if (hex_argument(as, st, &count))
        (void)bytes_reserve(as, st, count, 1);
}

void emit_hex(struct assembler *as, struct statement *st)
{
    uint8_t *at = emit_place(as, st);
    uint64_t count;
    uint32_t wrong;
    if (at)
        (void)read_hex(at, &count, as->text, st->args->at.begin + 1, st->args->at.end - 1, &wrong);
}

static const struct parameter fill_parameters[] = {{"count", true}, {"value"}, {"format"}};

static bool fill_arguments(struct assembler *as, struct statement *st, const struct expr *bound[3], enum weft_format *format)
{
    *format = WEFT_FORMAT_u8;
    return arguments_bind(as, st, fill_parameters, 3, bound, NULL) && (!bound[2] || expr_format(as, bound[2], format));
}

void layout_fill(struct assembler *as, struct statement *st)
{
    const struct expr *bound[3];
    enum weft_format format;
    uint64_t count;
    if (fill_arguments(as, st, bound, &format) && expr_unsigned(as, bound[0], "the count", UINT64_MAX, &count))
        (void)bytes_reserve(as, st, count, weft_format_bytes(format));
}

void emit_fill(struct assembler *as, struct statement *st)
{
    const struct expr *bound[3];
    enum weft_format format;
    uint8_t *at = emit_place(as, st), element[8] = {0};
    if (!at || !fill_arguments(as, st, bound, &format) || (bound[1] && !put_number(as, element, bound[1], format)))
        return;
    unsigned unit = weft_format_bytes(format);
    for (uint64_t i = 0; i < st->bytes; i += unit)
        memcpy(at + i, element, unit);
}

void layout_align(struct assembler *as, struct statement *st)
{
    static const struct parameter parameters[] = {{"n", true}};
    const struct expr *bound[1];
    uint64_t n = 1;
    if (!arguments_bind(as, st, parameters, 1, bound, NULL) || !expr_unsigned(as, bound[0], "the alignment", UINT32_MAX, &n))
        return;
    if (!n) {
        message_add(as, bound[0]->at, "the alignment is 0: 1 or more is allowed");
        return;
    }
    uint64_t over = as->place[as->current].position % n;
    (void)bytes_reserve(as, st, over ? n - over : 0, 1);
}

/* The file's name as written, beside the assembly file unless it is absolute. */
static const char *beside(struct assembler *as, const char *name)
{
    const char *slash = strrchr(as->file, '/');
    if (name[0] == '/' || !slash)
        return name;
    size_t folder = (size_t)(slash - as->file) + 1;
    char *path = arena_take(&as->arena, folder + strlen(name) + 1);
    if (!path) {
        message_no_memory(as);
        return name;
    }
    memcpy(path, as->file, folder);
    return strcpy(path + folder, name) - folder;
}

static bool load_npy(struct assembler *as, struct statement *st, const char *name)
{
    struct capture capture;
    capture_init(&capture);
    size_t length = strlen(name);
    if (length < 4 || strcmp(name + length - 4, ".npy")) {
        message_add(as, st->args->at, "the name of a NumPy array ends in .npy");
        return false;
    }
    st->arrays = arena_take(&as->arena, sizeof *st->arrays);
    if (!st->arrays) {
        message_no_memory(as);
        return false;
    }
    if (weft_arrays_load(st->arrays, beside(as, name), &capture.diag) == WEFT_OK)
        return true;
    message_add(as, st->args->at, "%s", capture.text[0] ? capture.text : "the file cannot be read");
    st->arrays = NULL;
    return false;
}

void layout_npy(struct assembler *as, struct statement *st)
{
    static const struct parameter parameters[] = {{"file", true}};
    const struct expr *bound[1];
    if (!arguments_bind(as, st, parameters, 1, bound, NULL))
        return;
    const char *name = expr_string(as, bound[0], "the file");
    if (name && load_npy(as, st, name))
        (void)bytes_reserve(as, st, st->arrays->items[0].size, 1);
}

void emit_npy(struct assembler *as, struct statement *st)
{
    uint8_t *at = emit_place(as, st);
    if (at && st->bytes)
        memcpy(at, st->arrays->items[0].bytes, st->bytes);
}

void layout_word(struct assembler *as, struct statement *st)
{
    uint64_t count;
    if (!hex_argument(as, st, &count))
        return;
    if (count != WEFT_WORD_BYTES || as->current != SECTION_TEXT) {
        message_add(as, st->head, count != WEFT_WORD_BYTES ? "an instruction has 16 bytes: 32 digits" : "an instruction belongs in .text");
        return;
    }
    st->laid = true;
    st->bytes = WEFT_WORD_BYTES;
    st->address = as->place[SECTION_TEXT].position++;
}

void emit_word(struct assembler *as, struct statement *st)
{
    struct weft_instr instr;
    uint8_t *at = emit_place(as, st);
    if (!at)
        return;
    emit_hex(as, st);
    if (!weft_decode(&instr, at))
        message_add(as, st->head, "these bytes are no instruction");
}
