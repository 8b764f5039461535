/* emit.c: the third walk writes words, bytes and tables into the program; then the program's sizes are settled. */
#include "walks.h"
#include <stdlib.h>
#include <string.h>

void *table_append(struct assembler *as, void *items, size_t *count, size_t size)
{
    char *grown = items;
    if ((*count & (*count - 1)) == 0) /* at every power of two: room for twice as many */
        grown = realloc(items, (*count ? *count * 2 : 1) * size);
    if (!grown) {
        message_no_memory(as);
        return NULL;
    }
    memset(grown + *count * size, 0, size);
    ++*count;
    return grown;
}

char *table_string(struct assembler *as, const char *string)
{
    char *copy = strdup(string);
    if (!copy)
        message_no_memory(as);
    return copy;
}

uint8_t *emit_place(struct assembler *as, const struct statement *st)
{
    struct weft_program *p = as->program;
    if (!st->laid)
        return NULL;
    if (st->section == SECTION_TEXT)
        return p->text ? p->text + st->address * WEFT_WORD_BYTES : NULL;
    if (st->section == SECTION_WEIGHTS)
        return p->weights ? p->weights + st->address : NULL;
    return p->data ? p->data + (st->address - as->place[SECTION_DATA].low) : NULL;
}

static const struct expr *only_argument(struct assembler *as, const struct statement *st, const char *name)
{
    const struct parameter parameters[] = {{name, true}};
    const struct expr *bound[1];
    return arguments_bind(as, st, parameters, 1, bound, NULL) ? bound[0] : NULL;
}

static bool only_number(struct assembler *as, const struct statement *st, const char *name, uint64_t high, uint64_t *out)
{
    const struct expr *e = only_argument(as, st, name);
    return e && expr_unsigned(as, e, name, high, out);
}

static void only_string(struct assembler *as, const struct statement *st, const char *name, char **out)
{
    const struct expr *e = only_argument(as, st, name);
    const char *string = e ? expr_string(as, e, name) : NULL;
    if (!string)
        return;
    if (*out)
        message_add(as, st->head, "%s is given twice", st->directive->name);
    else
        *out = table_string(as, string);
}

void emit_dram(struct assembler *as, struct statement *st)
{
    as->dram_given |= only_number(as, st, "bytes", UINT64_MAX, &as->program->dram_bytes);
    as->dram_at = st->head;
}

void emit_host(struct assembler *as, struct statement *st)
{
    as->host_given |= only_number(as, st, "bytes", UINT64_MAX, &as->program->host_bytes);
    as->host_at = st->head;
}

void emit_no_weights(struct assembler *as, struct statement *st)
{
    if (as->program->weights)
        message_add(as, st->head, ".no_weights, but there is a .weights");
    else
        (void)only_number(as, st, "bytes", UINT64_MAX, &as->program->weights_bytes);
}

void emit_network(struct assembler *as, struct statement *st)
{
    only_string(as, st, "name", &as->program->network);
}
void emit_format(struct assembler *as, struct statement *st)
{
    only_string(as, st, "name", &as->program->format);
}
void emit_notes(struct assembler *as, struct statement *st)
{
    only_string(as, st, "json", &as->program->notes);
}

void emit_batch(struct assembler *as, struct statement *st)
{
    (void)only_number(as, st, "n", UINT64_MAX, &as->program->batch);
}

void emit_bounds(struct assembler *as, struct statement *st)
{
    static const struct parameter parameters[] = {{"roofline"}, {"mapping"}};
    const struct expr *bound[2];
    if (!arguments_bind(as, st, parameters, 2, bound, NULL))
        return;
    if (bound[0])
        (void)expr_unsigned(as, bound[0], "roofline", UINT64_MAX, &as->program->roofline_cycles);
    if (bound[1])
        (void)expr_unsigned(as, bound[1], "mapping", UINT64_MAX, &as->program->mapping_cycles);
}

/* Zeroed memory for a section; NULL for one that is not there, which is another thing than one of no bytes. */
static uint8_t *image(struct assembler *as, uint64_t bytes, bool there)
{
    uint8_t *memory = there && bytes <= SIZE_MAX ? calloc(1, bytes ? bytes : 1) : NULL;
    if (there && !memory)
        message_no_memory(as);
    return memory;
}

static void allocate(struct assembler *as)
{
    struct weft_program *p = as->program;
    const struct place *weights = &as->place[SECTION_WEIGHTS], *data = &as->place[SECTION_DATA];
    p->instructions = as->place[SECTION_TEXT].position;
    p->text = image(as, p->instructions * WEFT_WORD_BYTES, p->instructions > 0);
    p->weights_bytes = weights->high;
    p->weights = image(as, p->weights_bytes, weights->entered);
    p->data_host = data->entered ? data->low : 0;
    p->data_bytes = data->high > data->low ? data->high - data->low : 0;
    bool fits = p->data_bytes <= IMAGE_LIMIT;
    if (!fits) {
        message_add(as, (struct span){0}, "the .data image would be more than the %llu bytes that assembly allows",
                    (unsigned long long)IMAGE_LIMIT);
        p->data_bytes = 0;
    }
    p->data = image(as, p->data_bytes, data->entered && fits);
}

/* Lines are kept where the text is its own source, and where .source files are given and an instruction has an @. */
static bool has_lines(const struct assembler *as)
{
    if (!as->sources_given)
        return as->program->instructions > 0;
    for (const struct statement *st = as->first; st; st = st->next)
        if (st->line)
            return true;
    return false;
}

static void prepare_lines(struct assembler *as)
{
    struct weft_program *p = as->program;
    if (!as->sources_given) {
        char **files = table_append(as, p->files, &p->file_count, sizeof *files);
        if (!files)
            return;
        p->files = files;
        files[0] = table_string(as, as->file);
    }
    if (!has_lines(as) || !p->instructions)
        return;
    p->lines = calloc(p->instructions, sizeof *p->lines);
    if (!p->lines)
        message_no_memory(as);
}

static void emit_line(struct assembler *as, const struct statement *st)
{
    struct weft_program *p = as->program;
    uint64_t file = 0, line = st->head.line;
    if (!st->laid || !p->lines)
        return;
    if (as->sources_given)
        line = 0;
    else if (st->line)
        message_add(as, st->line->at, "@file:line needs a .source \"file\"");
    if (as->sources_given && st->line) {
        (void)expr_unsigned(as, st->line, "the line", UINT32_MAX, &line);
        if ((!st->file || expr_unsigned(as, st->file, "the file", UINT32_MAX, &file)) && line && file >= p->file_count) /* line 0 is none */
            message_add(as, st->file ? st->file->at : st->line->at, "there are %zu .source files, counted from 0", p->file_count);
    }
    p->lines[st->address] = (struct weft_source_line){(uint32_t)file, (uint32_t)line};
}

static bool is_word(const struct statement *st)
{
    return st->directive && st->directive->emit == emit_word;
}

void emit_walk(struct assembler *as)
{
    allocate(as);
    prepare_lines(as);
    for (struct statement *st = as->first; st && !as->no_memory; st = st->next) {
        if (st->kind == STATEMENT_INSTRUCTION)
            emit_instruction(as, st);
        else if (st->kind == STATEMENT_DIRECTIVE && st->directive && st->directive->emit)
            st->directive->emit(as, st);
        if (st->kind == STATEMENT_INSTRUCTION || is_word(st))
            emit_line(as, st);
        else if (st->line)
            message_add(as, st->line->at, "@file:line belongs behind an instruction");
    }
}

static void labels_to_symbols(struct assembler *as)
{
    struct weft_program *p = as->program;
    for (const struct statement *st = as->first; st && !as->no_memory; st = st->next) {
        if (st->kind != STATEMENT_LABEL || !st->symbol)
            continue;
        struct weft_symbol *symbols = table_append(as, p->symbols, &p->symbol_count, sizeof *symbols);
        if (!symbols)
            return;
        p->symbols = symbols;
        symbols[p->symbol_count - 1] = (struct weft_symbol){.name = table_string(as, message_word(as, st->head.begin, st->head.end)),
                                                            .space = st->symbol->space,
                                                            .value = st->symbol->value};
    }
}

static uint64_t tensors_end(uint64_t end, const struct weft_tensor *tensors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t behind;
        if (!__builtin_add_overflow(tensors[i].host, tensors[i].bytes, &behind) && behind > end)
            end = behind;
    }
    return end;
}

static void settle_memory(struct assembler *as)
{
    struct weft_program *p = as->program;
    uint64_t data_end = p->data_host + p->data_bytes;
    if (!as->dram_given)
        p->dram_bytes = p->weights_bytes;
    else if (p->dram_bytes < p->weights_bytes)
        message_add(as, as->dram_at, ".dram %llu is less than the %llu bytes of the .weights image", (unsigned long long)p->dram_bytes,
                    (unsigned long long)p->weights_bytes);
    if (!as->host_given)
        p->host_bytes = tensors_end(tensors_end(p->data_bytes ? data_end : 0, p->inputs, p->input_count), p->outputs, p->output_count);
    else if (p->data_bytes && p->host_bytes < data_end)
        message_add(as, as->host_at, ".host %llu is less than the end of the .data image, %llu", (unsigned long long)p->host_bytes,
                    (unsigned long long)data_end);
}

void assembler_finish(struct assembler *as)
{
    if (!as->symbols_given)
        labels_to_symbols(as);
    settle_memory(as);
}
