/* check.c: a program stepped through beside the float network, value by value. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

struct state {
    struct check *check;
    struct weft_sim *sim;
    const struct weft_program *program;
    struct weft_network *network;
    struct weft_diag *diag;
    size_t missing;
};

/* Compares a tensor, in the memory where it lies, with the network's value of the same name. */
static enum weft_status compare(struct state *s, const struct weft_tensor *tensor, enum weft_space space, uint32_t layer)
{
    uint64_t count, bytes;
    const float *exact = weft_network_value(s->network, tensor->name, &count);
    if (!exact || count != weft_tensor_count(tensor)) {
        s->missing++;
        return WEFT_OK;
    }
    struct weft_tensor real = *tensor;
    strcpy(real.element, "float32");
    const uint8_t *memory = weft_sim_memory(s->sim, space, &bytes);
    struct weft_array array;
    enum weft_status status = weft_tensor_unpack(&array, &real, memory, bytes, s->diag);
    if (status)
        return status;
    struct weft_accuracy *item = &s->check->items[s->check->count++];
    *item = (struct weft_accuracy){.name = tensor->name, .layer = layer};
    weft_accuracy_measure(item, exact, array.bytes, count);
    free(array.name);
    free(array.bytes);
    return WEFT_OK;
}

static bool probed(const struct weft_program *program, const char *name)
{
    for (size_t i = 0; i < program->probe_count; i++)
        if (!strcmp(program->probes[i].tensor.name, name))
            return true;
    return false;
}

/* A probe is read at the first moment at which it is whole: later its bytes may serve another layer. */
static enum weft_status step_through(struct state *s)
{
    const struct weft_program *p = s->program;
    enum weft_status status = WEFT_OK;
    bool done = false;
    for (size_t next = 0; !status && (!done || next < p->probe_count);) {
        if (next < p->probe_count && (done || p->probes[next].after <= weft_sim_position(s->sim))) {
            status = compare(s, &p->probes[next].tensor, WEFT_SPACE_UB, p->probes[next].layer);
            next++;
        } else {
            status = weft_sim_step(s->sim, &done, s->diag);
        }
    }
    for (size_t i = 0; i < p->output_count && !status; i++)
        if (!probed(p, p->outputs[i].name))
            status = compare(s, &p->outputs[i], WEFT_SPACE_HOST, p->layer_count ? (uint32_t)p->layer_count - 1 : 0);
    return status;
}

enum weft_status check_run(struct check *out, size_t *missing, struct weft_sim *sim, const struct weft_program *program,
                           struct weft_network *network, const struct weft_arrays *inputs, struct weft_diag *diag)
{
    struct state state = {out, sim, program, network, diag, 0};
    *out = (struct check){.items = calloc(program->probe_count + program->output_count + 1, sizeof *out->items)};
    enum weft_status status = out->items ? weft_network_interpret(network, inputs, diag) : WEFT_NO_MEMORY;
    if (!status)
        status = step_through(&state);
    *missing = state.missing;
    return status;
}

void check_free(struct check *check)
{
    free(check->items);
    *check = (struct check){0};
}
