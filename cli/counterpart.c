/* counterpart.c: a program and the network that it is said to come from. A program keeps no copy of its network: the layers that the compiler makes of one
 * are what tells two apart, since inputs and outputs of many are alike. */
#include "counterpart.h"

#include <string.h>

static bool same_layers(const struct weft_program *a, const struct weft_program *b)
{
    bool same = a->layer_count == b->layer_count;
    for (size_t i = 0; same && i < a->layer_count; i++)
        same = a->layers[i].name && b->layers[i].name && !strcmp(a->layers[i].name, b->layers[i].name);
    return same;
}

enum weft_status counterpart_same(const struct counterpart *counterpart, const struct weft_program *made, struct weft_diag *diag)
{
    const char *from = counterpart->program->network;
    if (same_layers(made, counterpart->program))
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
