/* fault.c: a fault as one line for a person. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine.h"

static const char *const function_names[] = {
#define WEFT_FUNCTION(number, name, meaning) [number] = #name,
#include "functions.def"
};
static const char *const reduction_names[] = {
#define WEFT_REDUCTION(number, name, meaning) [number] = #name,
#include "functions.def"
};

static void put_operand(FILE *out, const struct weft_field *field, uint64_t value)
{
    if (field->kind == WEFT_KIND_FLAG) {
        fputs(field->name, out);
        return;
    }
    fprintf(out, "%s=", field->name);
    const struct weft_register *named = field->kind == WEFT_KIND_REGISTER ? weft_register_at((uint32_t)value) : NULL;
    if (field->kind == WEFT_KIND_PATTERN) fprintf(out, "p%" PRIu64, value);
    else if (field->kind == WEFT_KIND_FORMAT) fputs(weft_format_name((enum weft_format)value), out);
    else if (field->kind == WEFT_KIND_FUNCTION) fputs(function_names[value], out);
    else if (field->kind == WEFT_KIND_REDUCE) fputs(reduction_names[value], out);
    else if (named) fputs(named->name, out);
    else fprintf(out, "%" PRIu64, value);
}

/* "matmul ub=0, stride=16, rows=4": the operands that assembly could not leave out. */
static void put_instruction(FILE *out, const struct issue *issue)
{
    const char *separator = " ";
    fputs(issue->info->mnemonic, out);
    for (size_t i = 0; i < issue->info->field_count; i++) {
        const struct weft_field *field = &issue->info->fields[i];
        uint64_t value = weft_field_get(&issue->instr, field);
        if (value == field->dflt) continue;
        fputs(separator, out);
        put_operand(out, field, value);
        separator = ", ";
    }
}

static void put_place(FILE *out, const struct weft_sim *sim, size_t index)
{
    const struct weft_program *program = sim->program;
    if (program->lines && index < program->instructions && program->lines[index].line && program->lines[index].file < program->file_count)
        fprintf(out, " at %s:%" PRIu32, program->files[program->lines[index].file], program->lines[index].line);
    if (sim->layer < program->layer_count && program->layers[sim->layer].name) fprintf(out, " [layer %s]", program->layers[sim->layer].name);
}

const char *sim_name(const struct weft_sim *sim)
{
    return sim->options.name ? sim->options.name : sim->program->network ? sim->program->network : "program";
}

enum weft_status sim_fault(const struct weft_sim *sim, const struct issue *issue, struct weft_diag *diag, const char *message)
{
    char text[1024] = "";
    FILE *out = fmemopen(text, sizeof text - 1, "w");
    if (!out) return WEFT_NO_MEMORY;
    fprintf(out, "%s: instruction %zu", sim_name(sim), issue->index);
    if (issue->info) {
        fputs(" (", out);
        put_instruction(out, issue);
        fputs(")", out);
    }
    put_place(out, sim, issue->index);
    fclose(out);
    return weft_error(diag, "%s: %s", text, message);
}
