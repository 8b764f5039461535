/* fast_engine.c: the fast engine: values in program order, times beside them. The two halves never meet. */
#include <stdlib.h>

#include "engine.h"
#include "fast_channel.h"
#include "fast_clock.h"
#include "fast_values.h"

struct fast {
    struct weft_sim *sim;
    struct fast_clock *clock;
    struct fast_values *values; /* NULL: timing only */
};

static void free_state(void *state)
{
    struct fast *fast = state;
    if (!fast) return;
    fast_clock_free(fast->clock);
    fast_values_free(fast->values);
    free(fast);
}

static enum weft_status create(void **out, struct weft_sim *sim, struct weft_diag *diag)
{
    *out = NULL;
    struct fast *fast = calloc(1, sizeof *fast);
    if (!fast) return WEFT_NO_MEMORY;
    fast->sim = sim;
    enum weft_status status = fast_clock_create(&fast->clock, &sim->program->machine, sim->layers, &sim->options.observer);
    if (status == WEFT_OK && !sim->options.timing_only) status = fast_values_create(&fast->values, sim);
    if (status == WEFT_OK) *out = fast;
    else free_state(fast);
    return status;
}

static enum weft_status execute(void *state, const struct issue *issue, struct weft_diag *diag)
{
    struct fast *fast = state;
    const struct weft_sim *sim = fast->sim;
    enum weft_status status = fast->values ? fast_values_execute(fast->values, issue, diag) : WEFT_OK;
    if (status != WEFT_OK) return status;
    status = fast_clock_issue(fast->clock, issue, &sim->config, &sim->order, sim->layer);
    if (status == WEFT_ERROR)
        return weft_error(diag, "%s: the run takes more than 2^%d cycles before instruction %zu", sim_name(sim), FAST_TIME_BITS, issue->index);
    return status;
}

static enum weft_status finish(void *state, struct weft_diag *diag)
{
    (void)state, (void)diag; /* `halt` has waited for everything and closed the count */
    return WEFT_OK;
}

const struct engine engine_fast = {.name = "fast", .create = create, .free = free_state, .execute = execute, .finish = finish};
