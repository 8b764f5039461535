/* tile.c: the closed form of each product of a short program: equations T3 to T6 of docs/machine.md, term by term. */
#include <stdlib.h>

#include "report.h"

struct tile {
    uint32_t k, n;
    enum weft_format format;
    uint64_t bytes;
};
struct state {
    struct weft_config config;
    struct tile fifo[REPORT_TILE_INSTRUCTIONS], active;
    size_t head, count;
};

static void fetched(struct state *s, const struct weft_instr *i, const struct weft_machine *m)
{
    bool dram = i->op == WEFT_OP_READ_WEIGHTS;
    s->fifo[s->count++] = (struct tile){i->k, i->n, i->fmt, dram ? weft_tile_bytes(m, i->k, i->n, i->fmt) : 0};
}

static void print_fetch(FILE *out, const struct tile *tile, const struct weft_machine *m)
{
    struct weft_rate rate = weft_rate(m->dram_bytes_per_second, m->clock_hz);
    if (!tile->bytes)
        return;
    double cycles = (double)tile->bytes * (double)rate.cycles / (double)rate.bytes;
    fprintf(out, "    fetch  %10.1f  its %llu bytes over DRAM, then %llu of latency\n", cycles, (unsigned long long)tile->bytes,
            (unsigned long long)m->dram_latency);
}

static void print_product(FILE *out, const struct state *s, const struct weft_instr *i, const struct weft_machine *m)
{
    struct weft_pattern rows_at = s->config.pattern[i->a];
    if (i->op == WEFT_OP_MATMUL)
        rows_at = (struct weft_pattern){.base = i->ub,
                                        .count0 = i->rows,
                                        .stride0 = i->stride,
                                        .count1 = 1,
                                        .count2 = 1,
                                        .run_length = UINT32_MAX,
                                        .block_runs = UINT32_MAX};
    uint64_t stream = weft_matrix_cycles(m, &rows_at, i->first_row, i->rows, i->first_lane, s->active.k, i->fmt, s->active.format);
    if (i->next) {
        print_fetch(out, &s->active, m);
        fprintf(out, "    shift  %10llu  into the shadow plane\n", (unsigned long long)weft_shift_cycles(m, s->active.format));
    }
    fprintf(out, "    fill   %10llu  rows - 1: the first row's sums reach the foot of column 0\n", (unsigned long long)m->rows - 1);
    fprintf(out, "    stream %10llu  %u rows enter\n", (unsigned long long)stream, i->rows);
    fprintf(out, "    drain  %10llu  columns: the last row leaves column after column and is added\n", (unsigned long long)m->columns);
    fprintf(out, "    whole  %10llu  from its start until its accumulators are complete\n",
            (unsigned long long)(stream + weft_matrix_skew(m) - 1));
}

void report_tiles(FILE *out, const struct weft_program *program)
{
    const struct weft_machine *m = &program->machine;
    struct state *s = calloc(1, sizeof *s);
    if (!s || program->instructions >= REPORT_TILE_INSTRUCTIONS) {
        free(s);
        return;
    }
    weft_config_reset(&s->config);
    for (size_t at = 0; at < program->instructions; at++) {
        struct weft_instr i;
        if (!weft_decode(&i, program->text + at * WEFT_WORD_BYTES))
            break;
        if (i.op == WEFT_OP_SET)
            weft_config_set(&s->config, i.reg, i.value0, i.value1);
        if (i.op == WEFT_OP_READ_WEIGHTS || i.op == WEFT_OP_PUSH_WEIGHTS)
            fetched(s, &i, m);
        if (i.op != WEFT_OP_MATMUL && i.op != WEFT_OP_CONVOLVE)
            continue;
        if (i.next && s->head < s->count)
            s->active = s->fifo[s->head++];
        fprintf(out, "\n  instruction %zu, %s, alone (%u x %u tile), in cycles\n", at, weft_instr_info(i.op)->mnemonic, s->active.k,
                s->active.n);
        print_product(out, s, &i, m);
    }
    free(s);
}
