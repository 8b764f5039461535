/* counterpart.c: a program and the network that it is said to come from. A program keeps no copy of its network: the layers that the compiler makes of one
 * are what tells two apart, since inputs and outputs of many are alike. */
#include "counterpart.h"

#include <string.h>

/* A copy in another order stands where ranges of values ask for it, which are not known where a program is made for timing only. */
static bool is_own(const struct weft_layer *layer)
{
    return layer->name && !(layer->op && !strcmp(layer->op, "Relayout"));
}

static bool has_layer(const struct weft_program *program, const char *name)
{
    for (size_t i = 0; i < program->layer_count; i++)
        if (program->layers[i].name && !strcmp(program->layers[i].name, name))
            return true;
    return false;
}

static bool has_layers_of(const struct weft_program *program, const struct weft_program *other)
{
    for (size_t i = 0; i < other->layer_count; i++)
        if (is_own(&other->layers[i]) && !has_layer(program, other->layers[i].name))
            return false;
    return true;
}

enum weft_status counterpart_same(const struct counterpart *counterpart, const struct weft_program *made, struct weft_diag *diag)
{
    const char *from = counterpart->program->network;
    if (has_layers_of(made, counterpart->program) && has_layers_of(counterpart->program, made))
        return WEFT_OK;
    return weft_error(diag, "%s: %s=%s: the program was not made from this network, or with other options: its layers are others%s%s", counterpart->subject,
                      counterpart->option, counterpart->name, from ? "; it was made from " : "", from ? from : "");
}

enum weft_status counterpart_check(const struct counterpart *counterpart, struct weft_network *network, const struct weft_compile_options *given,
                                   struct weft_diag *diag)
{
    struct weft_compile_options options = *given;
    struct weft_program *made;
    options.timing_only = true;
    options.dump_after = NULL;
    options.prune = 0; /* needs weights, and takes no layer away */
    if (!options.format)
        options.format = counterpart->program->format;
    enum weft_status status = weft_compile(&made, network, &counterpart->program->machine, &options, diag);
    if (status)
        return status;
    status = counterpart_same(counterpart, made, diag);
    weft_program_free(made);
    return status;
}
