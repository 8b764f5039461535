/* debug_commands.c: what the user may say to `weft debug`. One table: name, arguments, meaning, function. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "debug.h"

struct command {
    const char *name, *arguments, *meaning;
    void (*run)(struct debug *debug, char **words, int count); /* words[0] is the command */
};
static const struct command *command_table(size_t *count);

static bool number(struct debug *debug, const char *text, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 0);
    if (!errno && !*end && end != text && *text != '-')
        return true;
    debug_wrong(debug, "'%s' is not a number\n", text);
    return false;
}

static bool space(struct debug *debug, const char *text, enum weft_space *out)
{
    static const char *const names[] = {
        [WEFT_SPACE_UB] = "ub", [WEFT_SPACE_ACC] = "acc", [WEFT_SPACE_HOST] = "host", [WEFT_SPACE_DRAM] = "dram"};
    for (int i = 0; i < WEFT_SPACES; i++)
        if (!strcmp(names[i], text)) {
            *out = (enum weft_space)i;
            return true;
        }
    debug_wrong(debug, "'%s' is not a memory: ub, acc, host, dram are\n", text);
    return false;
}

static void do_step(struct debug *debug, char **words, int count)
{
    uint64_t steps = 1;
    if (count < 2 || number(debug, words[1], &steps))
        debug_run(debug, steps);
}

static void do_continue(struct debug *debug, char **words, int count)
{
    debug_run(debug, UINT64_MAX);
}

static bool is_called(const struct weft_layer *layer, const char *name)
{
    return layer->name && !strcmp(layer->name, name);
}

static bool find_layer(struct debug *debug, const char *name, uint64_t *out)
{
    for (size_t i = 0; i < debug->program->layer_count; i++)
        if (is_called(&debug->program->layers[i], name)) {
            *out = i;
            return true;
        }
    debug_wrong(debug, "there is no layer '%s'; `info` lists them\n", name);
    return false;
}

static bool instruction(struct debug *debug, uint64_t at)
{
    if (at < debug->program->instructions)
        return true;
    if (!debug->program->instructions)
        debug_wrong(debug, "the program has no instructions\n");
    else
        debug_wrong(debug, "there is no instruction %llu; the last is %zu\n", (unsigned long long)at, debug->program->instructions - 1);
    return false;
}

static void do_break(struct debug *debug, char **words, int count)
{
    struct breakpoint b = {.kind = BREAK_INSTRUCTION};
    bool understood = false;
    if (debug->break_count == DEBUG_BREAKS_MAX) {
        debug_wrong(debug, "there are %d breaks already; `delete N` takes one away\n", DEBUG_BREAKS_MAX);
        return;
    }
    if (count == 2) {
        understood = number(debug, words[1], &b.at) && instruction(debug, b.at);
    } else if (count == 3 && !strcmp(words[1], "layer")) {
        b.kind = BREAK_LAYER;
        understood = find_layer(debug, words[2], &b.at);
    } else if (count == 4 && !strcmp(words[1], "write")) {
        b.kind = BREAK_WRITE;
        understood = space(debug, words[2], &b.space) && number(debug, words[3], &b.at);
    } else {
        debug_wrong(debug, "break INSTRUCTION, break layer NAME, or break write ub|acc|host|dram ADDRESS\n");
    }
    if (!understood)
        return;
    debug->breaks[debug->break_count] = b;
    fprintf(debug->out, "break %zu set\n", debug->break_count++);
}

static void do_delete(struct debug *debug, char **words, int count)
{
    uint64_t which = 0;
    if (count > 1 && !number(debug, words[1], &which))
        return;
    if (count > 1 && which >= debug->break_count) {
        debug_wrong(debug, "there is no break %s\n", words[1]);
        return;
    }
    size_t gone = count > 1 ? 1 : debug->break_count;
    memmove(&debug->breaks[which], &debug->breaks[which + gone], (debug->break_count - which - gone) * sizeof *debug->breaks);
    debug->break_count -= gone;
}

static void do_print(struct debug *debug, char **words, int count)
{
    enum weft_space where;
    uint64_t address, many = 1;
    if (count < 3) {
        debug_wrong(debug, "print ub|acc|host|dram ADDRESS [COUNT] [FORMAT]; for acc ADDRESS and COUNT are rows\n");
        return;
    }
    if (!space(debug, words[1], &where) || !number(debug, words[2], &address) || (count > 3 && !number(debug, words[3], &many)))
        return;
    enum weft_format format = where == WEFT_SPACE_ACC ? WEFT_FORMAT_s32 : WEFT_FORMAT_s8;
    if (count > 4 && !weft_format_find(&format, words[4])) {
        debug_wrong(debug, "'%s' is not a format: u8, s8, s16, s32, bf16, f32 are\n", words[4]);
        return;
    }
    if (where == WEFT_SPACE_ACC && weft_format_bytes(format) != 4)
        debug_wrong(debug, "an accumulator lane is s32 or f32\n");
    else
        debug_print(debug, where, address, many, format);
}

static void do_registers(struct debug *debug, char **words, int count)
{
    debug_registers(debug, count > 1 ? words[1] : NULL);
}

static void do_list(struct debug *debug, char **words, int count)
{
    size_t position = weft_sim_position(debug->sim);
    uint64_t at = position > 5 ? position - 5 : 0;
    if (count >= 2 && !number(debug, words[1], &at))
        return;
    if (instruction(debug, at))
        debug_list(debug, at, 11);
}

/* Which inferences of the batch a value holds; nothing where it is all of them. */
static void print_part(char *out, size_t size, const struct weft_program *program, const struct weft_probe *probe)
{
    uint64_t count = probe->tensor.dims[0];
    out[0] = 0;
    if (probe->tensor.rank && count && (probe->first || (count < program->batch && program->batch % count == 0)))
        snprintf(out, size, "%llu to %llu", (unsigned long long)probe->first, (unsigned long long)(probe->first + count - 1));
}

static void do_info(struct debug *debug, char **words, int count)
{
    uint64_t first;
    if (count > 1 && !find_layer(debug, words[1], &first))
        return;
    for (size_t i = 0; i < debug->program->layer_count; i++) {
        const struct weft_layer *layer = &debug->program->layers[i];
        if (count < 2 || is_called(layer, words[1]))
            fprintf(debug->out, "%5zu  %-24s %-12s %s\n", i, layer->name ? layer->name : "", layer->op ? layer->op : "", layer->shape ? layer->shape : "");
    }
    for (size_t i = 0; i < debug->program->probe_count; i++) {
        const struct weft_probe *probe = &debug->program->probes[i];
        char part[64];
        print_part(part, sizeof part, debug->program, probe);
        if (count > 1 && probe->layer < debug->program->layer_count && is_called(&debug->program->layers[probe->layer], words[1]))
            fprintf(debug->out, "       %s lies at ub %llu, %s, after instruction %zu%s%s\n", probe->tensor.name,
                    (unsigned long long)probe->tensor.host, weft_format_name(probe->tensor.format), probe->after, part[0] ? ": inferences " : "", part);
    }
}

static void do_quit(struct debug *debug, char **words, int count)
{
    debug->quit = true;
}

static void do_help(struct debug *debug, char **words, int count)
{
    size_t commands;
    const struct command *table = command_table(&commands);
    for (size_t i = 0; i < commands; i++)
        fprintf(debug->out, "  %-10s %-36s %s\n", table[i].name, table[i].arguments, table[i].meaning);
    fprintf(debug->out, "A command may be cut short as long as it is the first of that beginning.\n");
}

static const struct command *command_table(size_t *count)
{
    static const struct command table[] = {
        {"step", "[N]", "execute an instruction, or N", do_step},
        {"continue", "", "go on to the next break, or the end", do_continue},
        {"break", "N | layer NAME | write MEMORY ADDRESS", "stop before instruction N, before a layer, or after a write", do_break},
        {"delete", "[N]", "take away break N, or all", do_delete},
        {"print", "ub|acc|host|dram ADDRESS [COUNT] [FORMAT]", "elements of a memory; rows of acc", do_print},
        {"registers", "[NAME]", "registers that were set, or those that begin with NAME", do_registers},
        {"list", "[N]", "instructions around this one, or from N", do_list},
        {"info", "[LAYER]", "layers; where a layer's result lies", do_info},
        {"help", "", "this", do_help},
        {"quit", "", "leave", do_quit},
    };
    *count = sizeof table / sizeof *table;
    return table;
}

void debug_command(struct debug *debug, char *line)
{
    char *words[DEBUG_WORDS_MAX], *rest;
    int count = 0;
    for (char *word = strtok_r(line, " \t\r\n", &rest); word && count < DEBUG_WORDS_MAX; word = strtok_r(NULL, " \t\r\n", &rest))
        words[count++] = word;
    if (count == 0 || words[0][0] == '#')
        return;
    size_t commands;
    const struct command *table = command_table(&commands);
    for (size_t i = 0; i < commands; i++)
        if (!strncmp(table[i].name, words[0], strlen(words[0]))) {
            table[i].run(debug, words, count);
            return;
        }
    debug_wrong(debug, "there is no command '%s'; `help` lists those there are\n", words[0]);
}
