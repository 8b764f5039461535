/* weft_trace.h: what a run leaves behind: its timeline. The one public header of traces/.
 *
 *     struct weft_trace *trace;
 *     weft_trace_create(&trace, program, &(struct weft_trace_options){.path = "run.json.gz", .to_cycle = UINT64_MAX}, &diag);
 *     options.observer = weft_trace_observer(trace);      ... create the simulation with these options, run it ...
 *     weft_trace_finish(trace, &diag);
 *     weft_trace_free(trace);
 *
 * The file is Chrome's trace-event JSON, gzipped as it is written if its name ends in .gz, in constant memory; ui.perfetto.dev and chrome://tracing open it. **One
 * microsecond there is one core cycle here.** The machine is a process; each unit is a thread with a slice for every instruction, from its
 * start until its unit is free, with layer, operands, dispatch, and completion in its arguments; "array waits" has a slice for every stall,
 * named by its class; "weight FIFO" counts slots in use, "class" says at each cycle which class holds.
 */
#ifndef WEFT_TRACE_H
#define WEFT_TRACE_H

#include "weft_isa.h"
#include "weft_sim.h"

struct weft_trace;
struct weft_trace_options {
    const char *path;              /* written aside, renamed by weft_trace_finish */
    uint64_t from_cycle, to_cycle; /* slices that touch [from, to) are kept */
};

/* The program is borrowed until the trace is freed. */
enum weft_status weft_trace_create(struct weft_trace **out, const struct weft_program *program, const struct weft_trace_options *options,
                                   struct weft_diag *diag);
struct weft_observer weft_trace_observer(struct weft_trace *trace);
/* Completes the file. Says what could not be written, whenever it was. */
enum weft_status weft_trace_finish(struct weft_trace *trace, struct weft_diag *diag);
void weft_trace_free(struct weft_trace *trace); /* without finish: no file is left */

#endif
