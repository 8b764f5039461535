/* machine_text.c: the machine of a program, by name or written out. */
#include "walks.h"
#include <string.h>

static bool only_once(struct assembler *as, const struct statement *st)
{
    if (as->machine_known)
        message_add(as, st->head, "the machine is given twice");
    return !as->machine_known;
}

void layout_machine(struct assembler *as, struct statement *st)
{
    static const struct parameter parameters[] = {{"name", true}};
    const struct expr *bound[1];
    struct capture capture;
    capture_init(&capture);
    if (!only_once(as, st) || !arguments_bind(as, st, parameters, 1, bound, NULL))
        return;
    as->machine_known = true;
    as->machine_at = st->head;
    /* tpu-v1 reads like a subtraction; its text is the name */
    const char *name = bound[0]->kind == EXPR_STRING ? expr_string(as, bound[0], "the machine") : expr_word(as, bound[0]);
    if (name && weft_machine_load(&as->program->machine, name, &capture.diag) != WEFT_OK)
        message_add(as, bound[0]->at, "%s", capture.text[0] ? capture.text : "the machine cannot be loaded");
}

static bool add_format(struct assembler *as, const struct expr *e, unsigned *formats)
{
    enum weft_format format;
    if (!expr_format(as, e, &format))
        return false;
    switch (format) {
    case WEFT_FORMAT_u8:
        *formats |= WEFT_USES_U8;
        return true;
    case WEFT_FORMAT_s8:
        *formats |= WEFT_USES_S8;
        return true;
    case WEFT_FORMAT_s16:
        *formats |= WEFT_USES_S16;
        return true;
    case WEFT_FORMAT_bf16:
        *formats |= WEFT_USES_BF16;
        return true;
    default:
        message_add(as, e->at, "the array multiplies u8, s8, s16 and bf16");
        return false;
    }
}

static void copy_text(struct assembler *as, const struct expr *e, const char *what, char *out, size_t size)
{
    const char *text = e ? expr_string(as, e, what) : NULL;
    if (text && strlen(text) >= size)
        message_add(as, e->at, "%s has at most %zu bytes", what, size - 1);
    else if (text)
        strcpy(out, text);
}

void layout_machine_define(struct assembler *as, struct statement *st)
{
    static const struct parameter parameters[] = {{"name", true}, {"description"}, {"formats", true, true}};
    const struct expr *bound[3];
    if (!only_once(as, st) || !arguments_bind(as, st, parameters, 3, bound, NULL))
        return;
    struct weft_machine *machine = &as->program->machine;
    memset(machine, 0, sizeof *machine);
    as->machine_known = as->machine_defined = true;
    as->machine_at = st->head;
    copy_text(as, bound[0], "the machine's name", machine->name, sizeof machine->name);
    copy_text(as, bound[1], "the description", machine->description, sizeof machine->description);
    if (bound[2]->kind != EXPR_LIST)
        message_add(as, bound[2]->at, "formats is a list: [u8, s8]");
    else
        for (const struct expr *e = bound[2]->left; e; e = e->next)
            (void)add_format(as, e, &machine->formats);
}

static void remember(struct assembler *as, const char *name)
{
    size_t count;
    const struct weft_machine_field *fields = weft_machine_fields(&count);
    for (size_t i = 0; i < count && i < 64; i++)
        if (!strcmp(fields[i].name, name))
            as->machine_fields_set |= UINT64_C(1) << i;
}

/* The message is worded for the command line: "--set array.rows: array.rows is 0; ...". */
static const char *behind_option(const char *message)
{
    const char *colon = strstr(message, ": ");
    return !strncmp(message, "--set ", 6) && colon ? colon + 2 : message;
}

static void assign(struct assembler *as, const struct expr *arg)
{
    struct capture capture;
    char assignment[256];
    uint64_t value = 0;
    const char *name = message_word(as, arg->name_begin, arg->name_end), *word = expr_word(as, arg->right);
    capture_init(&capture);
    if (arg->right->kind == EXPR_NAME && (!strcmp(word, "true") || !strcmp(word, "false")))
        snprintf(assignment, sizeof assignment, "%.100s=%s", name, word);
    else if (expr_unsigned(as, arg->right, name, UINT64_MAX, &value))
        snprintf(assignment, sizeof assignment, "%.100s=%llu", name, (unsigned long long)value);
    else
        return;
    remember(as, name);
    if (weft_machine_set(&as->program->machine, assignment, &capture.diag) != WEFT_OK)
        message_add(as, arg->at, "%s", capture.text[0] ? behind_option(capture.text) : "the machine has no such field or value");
}

void layout_machine_set(struct assembler *as, struct statement *st)
{
    if (!as->machine_known && as->fallback) {
        as->program->machine = *as->fallback;
        as->machine_known = true;
    }
    if (!as->machine_known) {
        message_add(as, st->head, ".machine_set comes behind .machine or .machine_define");
        return;
    }
    for (const struct expr *arg = st->args; arg; arg = arg->next) {
        if (arg->kind == EXPR_NAMED)
            assign(as, arg);
        else
            message_add(as, arg->at, "%s", st->directive->usage);
    }
}

void machine_settle(struct assembler *as)
{
    size_t count;
    const struct weft_machine_field *fields = weft_machine_fields(&count);
    if (!as->machine_known && as->fallback)
        as->program->machine = *as->fallback;
    else if (!as->machine_known)
        message_add(as, (struct span){0}, "the text names no machine: begin with .machine NAME");
    for (size_t i = 0; as->machine_defined && i < count && i < 64; i++)
        if (!(as->machine_fields_set >> i & 1))
            message_add(as, as->machine_at, "the machine's field %s is not set: .machine_set %s=...", fields[i].name, fields[i].name);
}
