/* dram.c: see dram.h. One burst at a time, every bank looked at, every refresh on its own. */
#include "dram.h"

#include <stdlib.h>

struct bank { bool open; uint64_t row; dram_ticks act, end; };

struct channel { struct bank *banks; dram_ticks end, due, over, last; bool has_last; };

struct dram {
    const struct weft_machine *m;
    uint64_t b, c, columns; /* columns: W */
    struct channel *channels;
};

/* T8: whole cycles, by doubling and adding, so that no product is larger than 64 bits: (ps / 10^12) x hz is taken bit by bit of hz. */
static uint64_t cycles_of(const struct dram *d, uint64_t ps)
{
    const uint64_t second = 1000000000000;
    uint64_t whole = 0, rest = 0; /* of ps x (the bits so far) / 10^12 */
    for (int bit = 63; bit >= 0; bit--) {
        whole = 2 * whole + 2 * rest / second;
        rest = 2 * rest % second;
        if (d->m->clock_hz >> bit & 1) {
            whole += (rest + ps) / second;
            rest = (rest + ps) % second;
        }
    }
    return whole + (rest > 0);
}

static dram_ticks ticks(const struct dram *d, uint64_t ps) { return (dram_ticks)cycles_of(d, ps) * d->b; }

static dram_ticks most(dram_ticks a, dram_ticks b) { return a > b ? a : b; }

uint64_t dram_tcl(const struct weft_machine *m)
{
    struct dram d = {.m = m};
    return cycles_of(&d, m->dram_tcl_ps);
}

static void refresh(const struct dram *d, struct channel *ch, dram_ticks turn)
{
    if (d->m->dram_trefi_ps == 0 || ch->due > turn) return;
    dram_ticks interval = ticks(d, d->m->dram_trefi_ps), at = ch->due;
    while (at + interval <= turn) at += interval;
    ch->due = at + interval;
    ch->over = most(at, ch->end) + ticks(d, d->m->dram_trfc_ps);
    for (uint64_t i = 0; i < d->m->dram_banks; i++) ch->banks[i].open = false;
}

static void activate(const struct dram *d, struct channel *ch, struct bank *bank, uint64_t row, dram_ticks begin)
{
    dram_ticks p = most(begin, ch->over);
    if (bank->open) {
        p = most(p, bank->act + ticks(d, d->m->dram_tras_ps));
        p = most(p, bank->end);
        p += ticks(d, d->m->dram_trp_ps);
    }
    if (ch->has_last) p = most(p, ch->last + ticks(d, d->m->dram_trrd_ps));
    *bank = (struct bank){true, row, p, bank->end};
    ch->last = p;
    ch->has_last = true;
}

static dram_ticks burst(const struct dram *d, uint64_t x, dram_ticks begin)
{
    struct channel *ch = &d->channels[x % d->m->dram_channels];
    uint64_t place = x / d->m->dram_channels / d->columns, row = place / d->m->dram_banks;
    struct bank *bank = &ch->banks[place % d->m->dram_banks];
    dram_ticks turn = most(ch->end, begin);
    refresh(d, ch, turn);
    if (!bank->open || bank->row != row) activate(d, ch, bank, row, begin);
    ch->end = most(turn, bank->act + ticks(d, d->m->dram_trcd_ps)) + (dram_ticks)d->m->dram_burst_bytes * d->m->dram_channels * d->c;
    bank->end = ch->end;
    return ch->end;
}

dram_ticks dram_transfer(struct dram *dram, dram_ticks begin, uint64_t address, uint64_t bursts)
{
    dram_ticks free = 0;
    uint64_t first = address / dram->m->dram_burst_bytes;
    for (uint64_t i = 0; i < bursts; i++) free = most(free, burst(dram, first + i, begin));
    return free;
}

struct dram *dram_create(const struct weft_machine *m, uint64_t b, uint64_t c)
{
    struct dram *d = calloc(1, sizeof *d);
    if (!d) return NULL;
    *d = (struct dram){m, b, c, m->dram_row_bytes / m->dram_burst_bytes, calloc(m->dram_channels, sizeof(struct channel))};
    if (d->columns < 1) d->columns = 1;
    bool whole = d->channels != NULL;
    for (uint64_t i = 0; whole && i < m->dram_channels; i++) {
        d->channels[i].due = ticks(d, m->dram_trefi_ps);
        d->channels[i].banks = calloc(m->dram_banks, sizeof(struct bank));
        whole = d->channels[i].banks != NULL;
    }
    if (whole) return d;
    dram_free(d);
    return NULL;
}

void dram_free(struct dram *dram)
{
    if (!dram) return;
    for (uint64_t i = 0; dram->channels && i < dram->m->dram_channels; i++) free(dram->channels[i].banks);
    free(dram->channels);
    free(dram);
}
