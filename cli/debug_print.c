/* debug_print.c: memories and registers as a person reads them. */
#include <inttypes.h>
#include <string.h>

#include "debug.h"

enum { A_LINE = 8 };

static void print_element(FILE *out, const uint8_t *bytes, enum weft_format format)
{
    if (weft_format_is_integer(format))
        fprintf(out, " %11" PRId32, weft_load_integer(bytes, format));
    else
        fprintf(out, " %11.5g", (double)weft_load_float(bytes, format));
}

static bool print_range(struct debug *debug, enum weft_space space, uint64_t first, uint64_t count, enum weft_format format,
                        const char *label)
{
    unsigned width = weft_format_bytes(format);
    for (uint64_t i = 0; i < count; i++) {
        uint8_t bytes[8];
        if (!weft_sim_read(debug->sim, space, first + i * width, bytes, width)) {
            uint64_t all = 0;
            weft_sim_memory(debug->sim, space, &all);
            debug_wrong(debug, "%saddress %" PRIu64 " is out of range; there are %" PRIu64 " bytes\n", i ? "\n" : "", first + i * width, all);
            return false;
        }
        if (i % A_LINE == 0 && label)
            fprintf(debug->out, "%s%-12s", i ? "\n" : "", i ? "" : label);
        else if (i % A_LINE == 0)
            fprintf(debug->out, "%s%-12" PRIu64, i ? "\n" : "", first + i * width);
        print_element(debug->out, bytes, format);
    }
    fputc('\n', debug->out);
    return true;
}

bool debug_print(struct debug *debug, enum weft_space space, uint64_t address, uint64_t count, enum weft_format format)
{
    if (space != WEFT_SPACE_ACC)
        return print_range(debug, space, address, count, format, NULL);
    uint64_t columns = debug->program->machine.columns, rows = debug->program->machine.acc_rows;
    bool all = address <= rows && count <= rows - address;
    for (uint64_t row = address; row < (all ? address + count : rows); row++) {
        char label[32];
        snprintf(label, sizeof label, "row %" PRIu64, row);
        if (!print_range(debug, space, row * columns * 4, columns, format, label))
            return false;
    }
    if (!all)
        debug_wrong(debug, "row %" PRIu64 " is out of range; there are %" PRIu64 " rows\n", address > rows ? address : rows, rows);
    return all;
}

static void print_half(FILE *out, enum weft_half half, uint32_t bits)
{
    float real;
    memcpy(&real, &bits, sizeof real);
    if (half == WEFT_HALF_UINT)
        fprintf(out, " %" PRIu32, bits);
    else if (half == WEFT_HALF_SINT)
        fprintf(out, " %" PRId32, (int32_t)bits);
    else if (half == WEFT_HALF_FLOAT)
        fprintf(out, " %.9g", (double)real);
}

/* The halves of a register as the configuration holds them. */
static void read_halves(uint32_t out[2], const struct weft_config *config, const struct weft_register *reg)
{
    out[0] = out[1] = 0;
    if (reg->number < 8 * WEFT_PATTERNS) {
        const struct weft_pattern *p = &config->pattern[reg->number / 8];
        const uint32_t *members[][2] = {
#define WEFT_PATTERN_REG(offset, name, first, second, KIND0, KIND1, reset0, reset1, meaning) [offset] = {&p->first, &p->second},
#define none base
#include "registers.def"
#undef none
        };
        out[0] = *members[reg->number % 8][0];
        out[1] = *members[reg->number % 8][1];
        return;
    }
    switch (reg->number) {
#define none win_count0
#define WEFT_VECTOR_REG(number, name, first, second, KIND0, KIND1, reset0, reset1, meaning)                                                \
    case number:                                                                                                                           \
        memcpy(&out[0], &config->first, 4);                                                                                                \
        memcpy(&out[1], &config->second, 4);                                                                                               \
        break;
#include "registers.def"
#undef none
    }
}

void debug_registers(struct debug *debug, const char *prefix)
{
    size_t count;
    const struct weft_register *table = weft_register_table(&count);
    for (size_t i = 0; i < count; i++) {
        uint32_t halves[2];
        read_halves(halves, weft_sim_config(debug->sim), &table[i]);
        bool reset = halves[0] == table[i].reset[0] && (table[i].half[1] == WEFT_HALF_NONE || halves[1] == table[i].reset[1]);
        if (prefix ? strncmp(table[i].name, prefix, strlen(prefix)) != 0 : reset)
            continue;
        fprintf(debug->out, "%-10s", table[i].name);
        print_half(debug->out, table[i].half[0], halves[0]);
        print_half(debug->out, table[i].half[1], halves[1]);
        fprintf(debug->out, "    %s\n", table[i].meaning);
    }
}
