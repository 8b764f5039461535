/* dram.h: "DRAM in detail" of docs/machine.md, burst by burst. */
#ifndef WEFT_FUZZ_DRAM_H
#define WEFT_FUZZ_DRAM_H

#include "weft_isa.h"

typedef unsigned __int128 dram_ticks; /* 1 / B of a cycle */

struct dram;

struct dram *dram_create(const struct weft_machine *m, uint64_t b, uint64_t c); /* T1's B and C; NULL: no memory */
void dram_free(struct dram *dram);

/* When the transfer that begins at `begin` is over: the new `free`. */
dram_ticks dram_transfer(struct dram *dram, dram_ticks begin, uint64_t address, uint64_t bursts);
uint64_t dram_tcl(const struct weft_machine *m); /* cycles */

#endif
