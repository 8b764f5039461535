/* disasm_tables.c: what stands in front of the sections of a disassembly: machine, notes, layers, symbols, tensors. */
#include "asm.h"
#include <string.h>

typedef unsigned long long ull;

void disasm_string(FILE *out, const char *string)
{
    fputc('"', out);
    for (const char *c = string; *c; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte == '\n')
            fputs("\\n", out);
        else if (byte == '"' || byte == '\\')
            fprintf(out, "\\%c", byte);
        else if (byte < 32 || byte == 127)
            fprintf(out, "\\x%02x", byte);
        else
            fputc(byte, out);
    }
    fputc('"', out);
}

static void put_string_directive(FILE *out, const char *directive, const char *string)
{
    if (!string)
        return;
    fprintf(out, "%s ", directive);
    disasm_string(out, string);
    fputc('\n', out);
}

static uint64_t field_value(const struct weft_machine *m, const struct weft_machine_field *f)
{
    uint64_t value;
    memcpy(&value, (const char *)m + f->offset, sizeof value);
    return value;
}

static void put_formats(FILE *out, unsigned formats)
{
    static const struct {
        unsigned use;
        const char *name;
    } uses[] = {{WEFT_USES_U8, "u8"}, {WEFT_USES_S8, "s8"}, {WEFT_USES_S16, "s16"}, {WEFT_USES_BF16, "bf16"}};
    const char *separator = "";
    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++)
        if (formats & uses[i].use) {
            fprintf(out, "%s%s", separator, uses[i].name);
            separator = ", ";
        }
}

static void put_machine(FILE *out, const struct weft_machine *m)
{
    size_t count;
    const struct weft_machine_field *fields = weft_machine_fields(&count);
    fputs(".machine_define ", out);
    disasm_string(out, m->name);
    fputs(", ", out);
    disasm_string(out, m->description);
    fputs(", formats=[", out);
    put_formats(out, m->formats);
    fputs("]\n", out);
    for (size_t i = 0; i < count; i++) {
        size_t group = strcspn(fields[i].name, ".") + 1;
        bool same = i && !strncmp(fields[i - 1].name, fields[i].name, group); /* a line a group */
        fprintf(out, "%s%s=", same ? ", " : i ? "\n.machine_set " : ".machine_set ", fields[i].name);
        if (fields[i].flag)
            fputs(field_value(m, &fields[i]) ? "true" : "false", out);
        else
            fprintf(out, "%llu", (ull)field_value(m, &fields[i]));
    }
    fputc('\n', out);
}

static void put_notes(FILE *out, const struct weft_program *p)
{
    put_string_directive(out, ".network", p->network);
    put_string_directive(out, ".format", p->format);
    put_string_directive(out, ".notes", p->notes);
    if (p->batch)
        fprintf(out, ".batch %llu\n", (ull)p->batch);
    if (p->roofline_cycles || p->mapping_cycles)
        fprintf(out, ".bounds %llu, %llu\n", (ull)p->roofline_cycles, (ull)p->mapping_cycles);
    fprintf(out, ".dram %llu\n.host %llu\n", (ull)p->dram_bytes, (ull)p->host_bytes);
    for (size_t i = 0; i < p->file_count; i++)
        put_string_directive(out, ".source", p->files[i] ? p->files[i] : "");
    if (!p->file_count)
        fputs(".source none\n", out);
}

static void put_option_string(FILE *out, const char **separator, const char *name, const char *string)
{
    if (!string)
        return;
    fprintf(out, "%s%s", *separator, name);
    disasm_string(out, string);
    *separator = ", ";
}

static void put_option(FILE *out, const char **separator, const char *name, uint64_t value)
{
    if (!value)
        return;
    fprintf(out, "%s%s%llu", *separator, name, (ull)value);
    *separator = ", ";
}

static void put_layer(FILE *out, const struct weft_layer *layer, size_t number)
{
    const char *separator = " ";
    fputs(".layer", out);
    put_option_string(out, &separator, layer->name ? "" : "name=", layer->name);
    put_option_string(out, &separator, layer->name ? "" : "op=", layer->op);
    put_option_string(out, &separator, layer->name && layer->op ? "" : "shape=", layer->shape);
    put_option_string(out, &separator, "wait=", layer->wait);
    put_option(out, &separator, "macs=", layer->macs);
    put_option(out, &separator, "roofline=", layer->roofline_cycles);
    put_option(out, &separator, "mapping=", layer->mapping_cycles);
    fprintf(out, " ; layer %zu\n", number);
}

static void put_list(FILE *out, const char *name, unsigned rank, const uint64_t *numbers)
{
    fprintf(out, ", %s=[", name);
    for (unsigned d = 0; d < rank; d++)
        fprintf(out, "%s%llu", d ? ", " : "", (ull)numbers[d]);
    fputc(']', out);
}

/* Are the strides those of C order, which assembly assumes? */
static bool is_dense(const struct weft_tensor *t)
{
    uint64_t stride = weft_format_bytes(t->format);
    for (unsigned d = t->rank; d-- > 0;)
        if (t->strides[d] != stride || __builtin_mul_overflow(stride, t->dims[d] ? t->dims[d] : 1, &stride))
            return false;
    return true;
}

/* Its place is told as a label in .data would be: by the host address. */
static void put_table(FILE *out, const struct weft_tensor *t, uint64_t data_host)
{
    if (t->table_rows || t->row_bytes || t->table_data)
        fprintf(out, ", table=0x%llx, table_rows=%llu, row_bytes=%llu", (ull)(data_host + t->table_data), (ull)t->table_rows, (ull)t->row_bytes);
}

static void put_tensor(FILE *out, const struct weft_tensor *t, uint64_t data_host)
{
    uint64_t axes[8];
    char number[32];
    bool plain = true;
    unsigned rank = t->rank < 8 ? t->rank : 8;
    disasm_string(out, t->name ? t->name : "");
    fprintf(out, ", 0x%llx, %s", (ull)t->host, weft_format_name(t->format));
    for (unsigned d = 0; d < rank; d++) {
        fprintf(out, ", %llu", (ull)t->dims[d]);
        axes[d] = t->axes[d];
        plain &= axes[d] == d;
    }
    if (!is_dense(t))
        put_list(out, "strides", rank, t->strides);
    if (!plain)
        put_list(out, "axes", rank, axes);
    format_float(number, sizeof number, t->scale);
    if (strcmp(number, "1") || t->quantised)
        fprintf(out, ", scale=%s%s", number, t->quantised ? "" : ", quantised=0");
    if (t->zero)
        fprintf(out, ", zero=%d", t->zero);
    fprintf(out, ", bytes=%llu, element=", (ull)t->bytes);
    disasm_string(out, t->element);
    put_table(out, t, data_host);
    fputc('\n', out);
}

static void put_tensors(FILE *out, const struct weft_program *p)
{
    for (size_t i = 0; i < p->input_count; i++) {
        fputs(".input ", out);
        put_tensor(out, &p->inputs[i], p->data_host);
    }
    for (size_t i = 0; i < p->output_count; i++) {
        fputs(".output ", out);
        put_tensor(out, &p->outputs[i], p->data_host);
    }
    for (size_t i = 0; i < p->probe_count; i++) {
        fprintf(out, ".probe %u, %zu, ", p->probes[i].layer, p->probes[i].after);
        put_tensor(out, &p->probes[i].tensor, p->data_host);
    }
}

/* Labels outside of the sections become constants; the table itself is written only where labels alone would not give it. */
static void put_symbols(FILE *out, const struct weft_program *p, const struct labels *labels)
{
    for (size_t i = 0; i < labels->count; i++)
        if (!labels->items[i].placed)
            fprintf(out, ".equ %s, 0x%llx\n", labels->items[i].name, (ull)labels->items[i].value);
    for (size_t i = 0; !labels->natural && i < p->symbol_count; i++) {
        const struct weft_symbol *s = &p->symbols[i];
        const char *name = labels_find(labels, s->space, s->value);
        fputs(".symbol ", out);
        disasm_string(out, s->name ? s->name : "");
        fprintf(out, ", %c, %s", s->space, name);
        if (s->size)
            fprintf(out, ", %llu", (ull)s->size);
        fputc('\n', out);
    }
}

void disasm_header(FILE *out, const struct weft_program *p, const struct labels *labels)
{
    fprintf(out, "; %zu instructions, %llu bytes of weights\n\n", p->instructions, (ull)p->weights_bytes);
    put_machine(out, &p->machine);
    fputc('\n', out);
    put_notes(out, p);
    for (size_t i = 0; i < p->layer_count; i++)
        put_layer(out, &p->layers[i], i);
    put_symbols(out, p, labels);
    put_tensors(out, p);
}
