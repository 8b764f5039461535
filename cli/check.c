/* check.c: a program stepped through beside the float network, value by value. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

/* A value that comes in parts of the batch. */
struct pending { const char *name; float *values; uint64_t filled; };

struct state {
    struct check *check;
    const char *subject;
    struct weft_sim *sim;
    const struct weft_program *program;
    struct weft_network *network;
    struct weft_diag *diag;
    size_t missing;
    struct pending *pending; size_t pending_count; /* one a probe and an output at most */
};

static void measure(struct state *s, const char *name, uint32_t layer, const float *exact, const float *got, uint64_t count)
{
    struct weft_accuracy *item = &s->check->items[s->check->count++];
    *item = (struct weft_accuracy){.name = name, .layer = layer};
    weft_accuracy_measure(item, exact, got, count);
}

static struct pending *pending_of(struct state *s, const char *name, uint64_t count)
{
    for (size_t i = 0; i < s->pending_count; i++)
        if (!strcmp(s->pending[i].name, name))
            return &s->pending[i];
    struct pending *p = &s->pending[s->pending_count++];
    *p = (struct pending){.name = name, .values = calloc(count + 1, sizeof *p->values)};
    return p;
}

/* One part of a value; with the last of them it is measured. */
static enum weft_status gather(struct state *s, const struct weft_probe *probe, const float *exact, uint64_t count, const float *part)
{
    uint64_t own = weft_tensor_count(&probe->tensor), at = probe->first * (own / probe->tensor.dims[0]);
    struct pending *p = pending_of(s, probe->tensor.name, count);
    if (own > count - p->filled)
        return weft_error(s->diag, "%s: value %s: its parts hold more than its %llu elements; each must come once", s->subject, p->name, (unsigned long long)count);
    if (!p->values)
        return WEFT_NO_MEMORY;
    memcpy(p->values + at, part, own * sizeof *part);
    p->filled += own;
    if (p->filled != count)
        return WEFT_OK;
    measure(s, p->name, probe->layer, exact, p->values, count);
    free(p->values);
    p->values = NULL;
    return WEFT_OK;
}

/* Does it lie in the value, all of it or a part? */
static bool fits(const struct weft_probe *probe, uint64_t count)
{
    const struct weft_tensor *t = &probe->tensor;
    uint64_t own = weft_tensor_count(t);
    return own == count ? !probe->first : t->rank && own && own < count && count % (own / t->dims[0]) == 0 && probe->first <= (count - own) / (own / t->dims[0]);
}

/* Compares a tensor, in the memory where it lies, with the network's value of the same name. */
static enum weft_status compare(struct state *s, const struct weft_probe *probe, enum weft_space space)
{
    uint64_t count, bytes;
    const struct weft_tensor *tensor = &probe->tensor;
    const float *exact = weft_network_value(s->network, tensor->name, &count);
    if (!exact || !fits(probe, count)) {
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
    if (weft_tensor_count(tensor) == count)
        measure(s, tensor->name, probe->layer, exact, array.bytes, count);
    else
        status = gather(s, probe, exact, count, array.bytes);
    free(array.name);
    free(array.bytes);
    return status;
}

static const struct weft_accuracy *found(const struct check *check, const char *name)
{
    for (size_t i = 0; i < check->count; i++)
        if (!strcmp(check->items[i].name, name))
            return &check->items[i];
    return NULL;
}

static bool same_number(double a, double b)
{
    return a == b || (a != a && b != b);
}

static bool same_accuracy(const struct weft_accuracy *a, const struct weft_accuracy *b)
{
    return a->elements == b->elements && same_number(a->sqnr_db, b->sqnr_db) && same_number(a->max_error, b->max_error);
}

/* What the host holds in the end. One that came as it stood in the buffer is no second value; one that did not has a row of its own. */
static enum weft_status compare_output(struct state *s, const struct weft_tensor *output)
{
    struct check *check = s->check;
    const struct weft_accuracy *probed = found(check, output->name);
    size_t missing = s->missing, before = check->count;
    uint32_t last = s->program->layer_count ? (uint32_t)s->program->layer_count - 1 : 0;
    enum weft_status status = compare(s, &(struct weft_probe){.tensor = *output, .layer = last}, WEFT_SPACE_HOST);
    if (status || !probed)
        return status;
    s->missing = missing; /* its probe counted */
    if (check->count == before || same_accuracy(probed, &check->items[before])) {
        check->count = before;
        return WEFT_OK;
    }
    char *name;
    if (asprintf(&name, "%s (at the host)", output->name) < 0)
        return WEFT_NO_MEMORY;
    check->names[check->name_count++] = name;
    check->items[before].name = name;
    return WEFT_OK;
}

/* A probe is read at the first moment at which it is whole: later its bytes may serve another layer. */
static enum weft_status step_through(struct state *s)
{
    const struct weft_program *p = s->program;
    enum weft_status status = WEFT_OK;
    bool done = false;
    for (size_t next = 0; !status && (!done || next < p->probe_count);) {
        if (next < p->probe_count && (done || p->probes[next].after <= weft_sim_position(s->sim))) {
            status = compare(s, &p->probes[next], WEFT_SPACE_UB);
            next++;
        } else {
            status = weft_sim_step(s->sim, &done, s->diag);
        }
    }
    for (size_t i = 0; i < p->output_count && !status; i++)
        status = compare_output(s, &p->outputs[i]);
    return status;
}

/* Frees what came in parts; one that never became whole was not compared. */
static void clear_pending(struct state *s)
{
    for (size_t i = 0; i < s->pending_count; i++) {
        s->missing += s->pending[i].values != NULL;
        free(s->pending[i].values);
    }
    free(s->pending);
}

enum weft_status check_run(struct check *out, size_t *missing, const char *subject, struct weft_sim *sim, const struct weft_program *program,
                           struct weft_network *network, const struct weft_arrays *inputs, struct weft_diag *diag)
{
    struct state state = {.check = out, .subject = subject, .sim = sim, .program = program, .network = network, .diag = diag,
                          .pending = calloc(program->probe_count + program->output_count + 1, sizeof *state.pending)};
    *out = (struct check){.items = calloc(program->probe_count + program->output_count + 1, sizeof *out->items),
                          .names = calloc(program->output_count + 1, sizeof *out->names)};
    enum weft_status status = out->items && out->names && state.pending ? weft_network_interpret(network, inputs, diag) : WEFT_NO_MEMORY;
    if (!status)
        status = step_through(&state);
    clear_pending(&state);
    *missing = state.missing;
    return status;
}

void check_free(struct check *check)
{
    for (size_t i = 0; i < check->name_count; i++)
        free(check->names[i]);
    free(check->names);
    free(check->items);
    *check = (struct check){0};
}
