/* fast_clock.h: when each instruction happens, by the rules of docs/machine.md. Private to the fast engine.
 *
 * Event-driven: instructions come in program order and are dispatched as soon as their dispatch cycle is known; starts are
 * committed in order of time, and only when dispatch cannot go on without them. Nothing that is dispatched later can start
 * earlier than what has been committed, so every committed time is final.
 */
#ifndef WEFT_FAST_CLOCK_H
#define WEFT_FAST_CLOCK_H

#include "engine.h"

struct fast_clock;

/* `layers` are counted into (cycles, class_*, busy_*, peak_fifo) and borrowed, as are the others. */
enum weft_status fast_clock_create(struct fast_clock **out, const struct weft_machine *machine, struct weft_counters *layers,
                                   const struct weft_observer *observer);
void fast_clock_free(struct fast_clock *clock);

/* The next instruction of program order, with registers, FIFO order (after its check) and layer as it sees them. WEFT_ERROR: what comes
 * before it takes more than 2^FAST_TIME_BITS cycles, which the caller says. */
enum weft_status fast_clock_issue(struct fast_clock *clock, const struct issue *issue, const struct weft_config *config,
                                  const struct weft_order *order, uint32_t layer);

#endif
