/* fault.c: a fault as one line for a person. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine.h"

/* "matmul ub=0, stride=16, rows=4": the operands that assembly could not leave out. */
static void put_instruction(FILE *out, const struct issue *issue)
{
    const char *separator = " ";
    fputs(issue->info->mnemonic, out);
    for (size_t i = 0; i < issue->info->field_count; i++) {
        const struct weft_field *field = &issue->info->fields[i];
        uint64_t value = weft_field_get(&issue->instr, field);
        if (value == field->dflt) continue;
        char operand[64];
        weft_field_text(operand, sizeof operand, field, value);
        fprintf(out, "%s%s", separator, operand);
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
