/* child.h: one run of a twin, in a process of its own. */
#ifndef WEFT_TWIN_CHILD_H
#define WEFT_TWIN_CHILD_H

struct weft_sim;

namespace twin
{

/* Runs sim to its end and says everything through `fd`; with a waveform, into wave.vcd of a directory (else NULL). Called once in a process: SystemC's kernel cannot be started anew. */
void run_child(weft_sim &sim, int fd, const char *wave_directory);

} // namespace twin

#endif
