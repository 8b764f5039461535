/* work.c: what a program does that no counter keeps, from one walk over its instructions. A program has no jumps, so each is executed
 * once. It is taken to be valid: a run checks it first. */
#include <stdlib.h>

#include "report.h"

struct tile {
    uint64_t k, n;
    enum weft_format format;
};

struct walk {
    const struct weft_machine *machine;
    struct weft_config config;
    struct tile *fifo, active; /* a ring of fifo_tiles */
    uint64_t pushed, taken;
    struct weft_work *work; /* of the layer that is tagged */
};

enum { SUM_BYTES = 4, SUM_BITS = 32 };

/* F and S: a tile is written into its slot and read from it, and shifts through the shadow plane for K cycles a byte of a weight, in each
 * of which every register of its columns is clocked. */
static void push(struct walk *walk, const struct weft_instr *in, uint64_t bytes)
{
    uint64_t k = walk->machine->rows, size = weft_format_bytes((enum weft_format)in->fmt);
    walk->fifo[walk->pushed++ % walk->machine->fifo_tiles] = (struct tile){in->k, in->n, (enum weft_format)in->fmt};
    walk->work->fifo_bytes += 2 * bytes;
    walk->work->flip_flop_bits += k * size * k * in->n * 8;
}

static void product(struct walk *walk, const struct weft_instr *in)
{
    if (in->next && walk->taken < walk->pushed)
        walk->active = walk->fifo[walk->taken++ % walk->machine->fifo_tiles];
    const struct tile *tile = &walk->active;
    uint64_t cells = (uint64_t)in->rows * tile->k * tile->n, sums = (uint64_t)in->rows * tile->n * SUM_BYTES;
    uint64_t passes = weft_passes((enum weft_format)in->fmt, tile->format);
    bool integer = weft_format_is_integer((enum weft_format)in->fmt);
    *(integer ? &walk->work->integer_products : &walk->work->float_products) += cells * passes;
    walk->work->flip_flop_bits += cells * passes * ((integer ? 8 : 16) + SUM_BITS);
    walk->work->accumulator_bytes += in->accumulate ? 2 * sums : sums;
}

static void vector(struct walk *walk, const struct weft_instr *in)
{
    const struct weft_config *c = &walk->config;
    bool windows = in->op == WEFT_OP_POOL || (in->op == WEFT_OP_ACTIVATE && in->pool);
    uint64_t elements = (uint64_t)in->rows * in->lanes * (windows ? (uint64_t)c->win_count0 * c->win_count1 : 1);
    walk->work->vector_elements += elements;
    if (in->op == WEFT_OP_ACTIVATE)
        walk->work->accumulator_bytes += elements * SUM_BYTES;
}

static void step(struct walk *walk, const struct weft_instr *in)
{
    const struct weft_instr_info *info = weft_instr_info(in->op);
    if (in->op == WEFT_OP_SET)
        weft_config_set(&walk->config, in->reg, in->value0, in->value1);
    else if (in->op == WEFT_OP_READ_WEIGHTS)
        push(walk, in, weft_tile_bytes(walk->machine, in->k, in->n, (enum weft_format)in->fmt));
    else if (in->op == WEFT_OP_PUSH_WEIGHTS)
        push(walk, in, (uint64_t)in->k * in->n * weft_format_bytes((enum weft_format)in->fmt));
    else if (info->unit == WEFT_UNIT_MATRIX)
        product(walk, in);
    else if (info->unit == WEFT_UNIT_VECTOR)
        vector(walk, in);
}

static void add(struct weft_work *to, const struct weft_work *work)
{
    to->integer_products += work->integer_products;
    to->float_products += work->float_products;
    to->flip_flop_bits += work->flip_flop_bits;
    to->accumulator_bytes += work->accumulator_bytes;
    to->fifo_bytes += work->fifo_bytes;
    to->vector_elements += work->vector_elements;
}

enum weft_status weft_work_count(struct weft_work *out, struct weft_work *layers, const struct weft_program *program)
{
    struct weft_work piece = {0};
    struct walk walk = {.machine = &program->machine, .work = &piece};
    size_t layer = 0;
    *out = piece;
    for (size_t i = 0; layers && i < program->layer_count; i++)
        layers[i] = piece;
    walk.fifo = calloc(program->machine.fifo_tiles, sizeof *walk.fifo);
    if (!walk.fifo)
        return WEFT_NO_MEMORY;
    weft_config_reset(&walk.config);
    for (size_t i = 0; program->text && i <= program->instructions; i++) {
        struct weft_instr in;
        bool end = i == program->instructions || !weft_decode(&in, program->text + i * WEFT_WORD_BYTES);
        if (end || in.op == WEFT_OP_TAG) { /* a layer's piece is over */
            add(out, &piece);
            if (layers && layer < program->layer_count)
                add(&layers[layer], &piece);
            piece = (struct weft_work){0};
            if (end)
                break;
            layer = in.layer;
        }
        step(&walk, &in);
    }
    free(walk.fifo);
    return WEFT_OK;
}

bool report_energy_of(struct report_energy *out, const struct weft_report_input *in)
{
    const struct weft_program *program = in->program;
    size_t count = program->layer_count;
    *out = (struct report_energy){0};
    if (!in->technology || !in->run->cycles)
        return false;
    struct weft_work run, *layers = calloc(count ? count : 1, sizeof *layers);
    bool counted, done = layers && weft_work_count(&run, layers, program) == WEFT_OK;
    out->layers = done ? calloc(count ? count : 1, sizeof *out->layers) : NULL;
    uint64_t macs = report_macs(in, &counted), batch = report_batch(program);
    if (out->layers)
        weft_energy_compute(&out->run, in->run, &run, &program->machine, in->technology, macs, batch);
    for (size_t i = 0; out->layers && i < count; i++)
        weft_energy_compute(&out->layers[i], &in->layers[i], &layers[i], &program->machine, in->technology,
                            counted ? in->layers[i].cell_products : program->layers[i].macs, batch);
    free(layers);
    return out->layers;
}
