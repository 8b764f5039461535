/* finish.c: the emitted instructions become the program: layers are tagged, weight tiles are fetched as far ahead as the FIFO
 * allows, across layer borders; constants and inputs are read from the host just ahead of their first reader. */
#include "finish.h"
#include "spill.h"
#include "waves.h"

#include <stdlib.h>
#include <string.h>

enum { READ_AHEAD = 6, INPUT_PIECES = 8, SMALL_INPUT = 4096 /* bytes */, LAYERS_AHEAD = 3 };

/* --- reads from the host, in order ------------------------------------------------------------------------------- */

void finish_add_read(struct backend *b, const struct host_read *read)
{
    if (!read->bytes)
        return;
    if (b->read_count == b->read_room) {
        size_t room = b->read_room ? 2 * b->read_room : 64;
        struct host_read *grown = realloc(b->reads, room * sizeof *grown);
        if (!grown) {
            b->out_of_memory = true;
            return;
        }
        b->reads = grown;
        b->read_room = room;
    }
    b->reads[b->read_count++] = *read;
}

static void add_read(struct backend *b, uint64_t host, uint64_t ub, uint64_t bytes, int layer, int value)
{
    finish_add_read(b, &(struct host_read){.host = host, .ub = ub, .bytes = bytes, .layer = layer, .value = value});
}

static void emit_reads(struct backend *b, size_t end)
{
    for (; b->reads_done < end && b->reads_done < b->read_count; b->reads_done++) {
        const struct host_read *r = &b->reads[b->reads_done];
        struct weft_instr *i = emit(b, r->dram ? WEFT_OP_READ_DRAM : WEFT_OP_READ_HOST);
        i->ub = (uint32_t)r->ub;
        *(r->dram ? &i->dram : &i->host) = r->host;
        i->bytes = (uint32_t)r->bytes;
    }
}

/* Emits the reads up to the last one that `value`'s bytes below `end` (or a layer's constants) need, and a few beyond. */
void emit_reads_for(struct backend *b, int value, uint64_t end)
{
    size_t needed = 0;
    for (size_t i = b->reads_done; i < b->read_count; i++)
        if (b->reads[i].value == value && b->reads[i].ub < end)
            needed = i + 1;
    if (needed)
        emit_reads(b, needed + READ_AHEAD);
}

static void read_constants(struct backend *b, int layer)
{
    size_t needed = 0;
    for (size_t i = b->reads_done; i < b->read_count && b->reads[i].layer <= layer; i++)
        if (b->reads[i].layer >= 0 || b->waves > 1)
            needed = i + 1;
    emit_reads(b, needed);
}

static int first_reader(const struct backend *b, int value)
{
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *l = &b->layers[i];
        bool reads = l->x == value || l->other == value || l->residual == value;
        for (unsigned k = 0; k < l->input_count; k++)
            reads |= l->inputs[k] == value;
        if (reads)
            return i;
    }
    return b->layer_count;
}

/* Bytes of a value from its first element to the end of its last image: what the host holds of it. */
static uint64_t span(const struct geometry *g)
{
    return g->bytes - (uint64_t)g->origin;
}

/* The first image comes in small pieces, so that work begins early; the others in larger ones, so that few wait in the queue. */
static void plan_input(struct backend *b, int value, uint64_t host)
{
    if (resident_input(b, value)) {
        resident_reads(b, resident_input(b, value), value);
        return;
    }
    const struct geometry *g = &b->places[value].g;
    uint64_t ub = place_origin(b, value), all = span(g), image = (uint64_t)g->image;
    bool small = all < SMALL_INPUT;
    for (uint64_t at = 0, piece; at < all; at += piece) {
        uint64_t parts = at < image && g->h > 1 ? INPUT_PIECES : 2, lines = ((uint64_t)g->h + parts - 1) / parts;
        piece = small ? all : g->h > 1 ? lines * (uint64_t)g->line : (uint64_t)(g->n + INPUT_PIECES - 1) / INPUT_PIECES * image;
        piece = all - at < piece ? all - at : piece;
        add_read(b, host + at, ub + at, piece, -1, value);
    }
}

/* Where the host keeps a part of the batch. */
static uint64_t host_of(const struct backend *b, int value, uint64_t host, int64_t part)
{
    return host + (uint64_t)(part * b->places[value].g.n * b->places[value].g.image);
}

/* Index of product number n (from 0), or of the end. */
static int product_number(const struct backend *b, int n)
{
    for (int i = 0; i < b->layer_count; i++)
        if ((b->layers[i].kind == LAYER_MATRIX || b->layers[i].kind == LAYER_PRODUCT) && n-- == 0)
            return i;
    return b->layer_count;
}

static bool is_second_half(const struct backend *b, const struct host_read *r)
{
    return r->layer < 0 && !r->dram && r->ub >= place_origin(b, r->value) + span(&b->places[r->value].g) / 2;
}

static bool joins(const struct host_read *r, const struct host_read *next)
{
    return r->layer >= 0 && next->layer >= r->layer && r->host + r->bytes == next->host && r->ub + r->bytes == next->ub;
}

/* Of a batch in two halves the first needs its part of every input, and the constants of what it does before the second begins; only then comes
 * the second's part, while the first is at work. Constants that lie side by side come together. */
static void halves_in_turn(struct backend *b)
{
    struct host_read *in_turn = malloc((b->read_count + 1) * sizeof *in_turn);
    size_t count = 0, early = 0;
    int end = product_number(b, b->lag + 1);
    while (early < b->read_count && b->reads[early].layer <= end)
        early++;
    for (int half = 0; in_turn && half < 2; half++)
        for (size_t i = 0; i < early; i++) {
            if (is_second_half(b, &b->reads[i]) != half)
                continue;
            if (count && joins(&in_turn[count - 1], &b->reads[i])) {
                in_turn[count - 1].bytes += b->reads[i].bytes; /* as early as the first of them is needed */
            } else {
                in_turn[count++] = b->reads[i];
            }
        }
    for (size_t i = early; in_turn && i < b->read_count; i++)
        in_turn[count++] = b->reads[i];
    b->out_of_memory |= !in_turn;
    if (in_turn) {
        memcpy(b->reads, in_turn, count * sizeof *in_turn);
        b->read_count = count;
    }
    free(in_turn);
}

/* Constants of a layer come before the inputs that it is the first to read, and a few layers ahead of their use. */
static void plan_reads(struct backend *b, const uint64_t *input_host, int64_t part)
{
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *l = &b->layers[i];
        if (part == 0) /* they stay */
            finish_add_read(b, &(struct host_read){.dram = b->constants_in_dram, .host = constants_home(b, l->constants_first), .ub = emit_constant_address(b, l->constants_first), .bytes = l->constants_end - l->constants_first, .layer = i, .value = GRAPH_NONE});
        for (unsigned k = 0; k < b->graph->input_count; k++)
            if (b->places[b->graph->inputs[k]].placed && first_reader(b, b->graph->inputs[k]) == i)
                plan_input(b, b->graph->inputs[k], host_of(b, b->graph->inputs[k], input_host[k], part));
    }
    for (unsigned k = 0; k < b->graph->input_count; k++)
        if (first_reader(b, b->graph->inputs[k]) == b->layer_count)
            plan_input(b, b->graph->inputs[k], host_of(b, b->graph->inputs[k], input_host[k], part));
    if (b->waves > 1)
        halves_in_turn(b);
}

/* --- layers ------------------------------------------------------------------------------------------------------ */

/* What the part of the batch being emitted needs of an operand. */
static void read_operand(struct backend *b, int value)
{
    if (value == GRAPH_NONE || !b->places[value].placed)
        return;
    const struct shape *s = &b->graph->values[value].shape;
    bool part = b->wave.count > 1 && s->rank && s->dims[0] % b->wave.count == 0;
    uint64_t bytes = span(&b->places[value].g);
    emit_reads_for(b, value, part ? place_origin(b, value) + bytes / (uint64_t)b->wave.count * (uint64_t)(b->wave.index + 1) : UINT64_MAX);
}

static void read_operands(struct backend *b, const struct layer *l)
{
    if (l->kind == LAYER_MATRIX && l->residual == GRAPH_NONE)
        return; /* block by block, in emit_matrix */
    read_operand(b, l->x);
    read_operand(b, l->other);
    read_operand(b, l->residual);
    for (unsigned k = 0; k < l->input_count; k++)
        read_operand(b, l->inputs[k]);
}

void emit_layer(struct backend *b, struct layer *l)
{
    read_operands(b, l);
    if (l->kind < LAYER_CONSTANTS && l->kind != LAYER_POOL && l->kind != LAYER_ALIAS)
        emit_halo(b, l->y);
    switch (l->kind) {
    case LAYER_MATRIX:
        emit_matrix(b, l);
        break;
    case LAYER_PRODUCT:
        emit_product(b, l);
        break;
    case LAYER_DEPTHWISE:
        emit_depthwise(b, l);
        break;
    case LAYER_POOL:
        emit_pool(b, l, INT64_MAX);
        break;
    case LAYER_BINARY:
        emit_binary(b, l);
        break;
    case LAYER_UNARY:
        emit_unary(b, l);
        break;
    case LAYER_SOFTMAX:
        emit_softmax(b, l);
        break;
    case LAYER_LRN:
        emit_lrn(b, l);
        break;
    case LAYER_REDUCE:
        emit_reduce(b, l);
        break;
    case LAYER_MOVE:
        emit_move(b, l);
        break;
    case LAYER_CONSTANTS:
        emit_layer_constants(b, l);
        break;
    case LAYER_LOAD:
    case LAYER_STORE:
        emit_transfer(b, l);
        break;
    case LAYER_ALIAS:
    case LAYER_LOOKUP:
    case LAYER_STEPS: /* taken apart long ago */
        break;
    }
}

static void write_output(struct backend *b, int value, uint64_t host)
{
    const struct geometry *g = &b->places[value].g;
    uint64_t ub = place_origin(b, value), all = span(g), piece = g->n > 1 && g->image > 4096 ? (uint64_t)g->image : all;
    for (uint64_t at = 0; at < all; at += piece) {
        struct weft_instr *i = emit(b, WEFT_OP_WRITE_HOST);
        i->ub = (uint32_t)(ub + at);
        i->host = host + at;
        i->bytes = (uint32_t)(all - at < piece ? all - at : piece);
    }
}

static void write_outputs(struct backend *b, int value, const uint64_t *host, int64_t part)
{
    for (unsigned i = 0; i < b->graph->output_count; i++)
        if (b->graph->outputs[i] == value && resident_output(b, value))
            resident_writes(b, resident_output(b, value), value);
        else if (b->graph->outputs[i] == value)
            write_output(b, value, host_of(b, value, host[i], part));
}

/* A run over the batch, or over a part of it that fits; what goes with each of its layers. */
struct pass { struct backend *b; const uint64_t *input_host, *output_host; int64_t number; };

static void before_layer(void *user, int i)
{
    struct backend *b = ((struct pass *)user)->b;
    int ahead = i + LAYERS_AHEAD < b->layer_count ? i + LAYERS_AHEAD : b->layer_count - 1;
    for (unsigned k = 0; k < b->graph->input_count; k++) /* do not let constants wait behind an input that comes later */
        if (first_reader(b, b->graph->inputs[k]) == i)
            ahead = i;
    b->current = i;
    if (!b->spill)
        read_constants(b, b->waves > 1 && i > product_number(b, 0) && ahead < product_number(b, b->lag + 1) ? product_number(b, b->lag + 1) : ahead);
}

static void layer_is_whole(void *user, int i)
{
    const struct pass *p = user;
    struct layer *l = &p->b->layers[i];
    if (!p->b->spill)
        write_outputs(p->b, l->y, p->output_host, p->number);
    l->done_at = p->b->instr_count;
    l->emitted_lines = 0;
}

static void emit_layers(struct pass *p)
{
    struct backend *b = p->b;
    if (b->waves > 1) {
        waves_emit(b, &(struct waves_hooks){before_layer, layer_is_whole, p});
        return;
    }
    for (int i = 0; i < b->layer_count; i++) {
        before_layer(p, i);
        emit_layer(b, &b->layers[i]);
        layer_is_whole(p, i);
    }
}

static void emit_part(struct backend *b, const uint64_t *input_host, const uint64_t *output_host, int64_t part)
{
    if (b->spill) {
        b->spill->input_host = input_host;
        b->spill->output_host = output_host;
        b->spill->part = part;
    } else {
        plan_reads(b, input_host, part);
    }
    for (int v = 0; v < b->graph->value_count; v++)
        b->places[v].halo_done = false;
    for (unsigned i = 0; i < b->graph->input_count && !b->spill; i++)
        if (b->places[b->graph->inputs[i]].g.origin)
            emit_halo_before(b, b->graph->inputs[i]);
    emit_layers(&(struct pass){b, input_host, output_host, part});
    emit_reads(b, b->read_count);
    for (unsigned i = 0; i < b->graph->output_count; i++)
        for (unsigned k = 0; k < b->graph->input_count; k++)
            if (b->graph->outputs[i] == b->graph->inputs[k])
                write_output(b, b->graph->outputs[i], host_of(b, b->graph->outputs[i], output_host[i], part));
}

static void emit_all(struct backend *b, const uint64_t *input_host, const uint64_t *output_host)
{
    for (int64_t part = 0; part < b->repeats; part++)
        emit_part(b, input_host, output_host, part);
    emit(b, WEFT_OP_HALT);
}

/* --- the words --------------------------------------------------------------------------------------------------- */

struct words { struct weft_program *program; size_t room; int tagged; bool failed; int culprit; const char *mnemonic; /* what did not fit */ };

static void put(struct words *w, const struct weft_instr *instr)
{
    struct weft_program *p = w->program;
    if (p->instructions == w->room) {
        size_t room = w->room ? 2 * w->room : 8192;
        uint8_t *grown = realloc(p->text, room * WEFT_WORD_BYTES);
        if (!grown) {
            w->failed = true;
            return;
        }
        p->text = grown;
        w->room = room;
    }
    if (!weft_encode(p->text + p->instructions * WEFT_WORD_BYTES, instr) && !w->failed) {
        w->failed = true;
        w->culprit = w->tagged;
        w->mnemonic = weft_instr_info(instr->op)->mnemonic;
    }
    p->instructions++;
}

static void tag(struct words *w, int layer)
{
    if (w->tagged == layer)
        return;
    struct weft_instr i;
    weft_instr_init(&i, WEFT_OP_TAG);
    i.layer = (uint32_t)layer;
    put(w, &i);
    w->tagged = layer;
}

static void fetch(struct words *w, const struct backend *b, size_t take)
{
    const struct tile *t = &b->tiles[b->takes[take]];
    struct weft_instr i;
    weft_instr_init(&i, WEFT_OP_READ_WEIGHTS);
    i.dram = t->dram;
    i.k = t->k;
    i.n = t->n;
    i.fmt = t->fmt;
    tag(w, spill_row(b, t->layer));
    put(w, &i);
}

/* Fetches as far ahead as the FIFO allows, never more than `depth` in program order; a tile that the program pushes itself keeps those behind it
 * waiting until it has been pushed. */
static void fetch_ahead(struct words *w, const struct backend *b, size_t *fetched, size_t taken)
{
    for (; *fetched < b->take_count && *fetched < taken + b->machine->fifo_tiles && b->takes[*fetched] != TAKE_PUSHED; ++*fetched)
        fetch(w, b, *fetched);
}

static enum weft_status write_words(struct weft_program *program, struct backend *b, size_t *done_at)
{
    struct words w = {.program = program, .tagged = -1};
    int row_count;
    const struct layer *rows = spill_rows(b, &row_count);
    size_t taken = 0, fetched = 0, *words_before = malloc((b->instr_count + 1) * sizeof *words_before);
    if (!words_before)
        return WEFT_NO_MEMORY;
    fetch_ahead(&w, b, &fetched, taken);
    for (size_t i = 0; i < b->instr_count; i++) {
        words_before[i] = program->instructions;
        tag(&w, spill_row(b, b->instr_layer[i]));
        put(&w, &b->instr[i]);
        bool product = b->instr[i].op == WEFT_OP_CONVOLVE || b->instr[i].op == WEFT_OP_MATMUL;
        taken += product && b->instr[i].next;
        fetched += b->instr[i].op == WEFT_OP_PUSH_WEIGHTS;
        fetch_ahead(&w, b, &fetched, taken);
    }
    words_before[b->instr_count] = program->instructions;
    for (int layer = 0; layer < b->layer_count; layer++)
        done_at[layer] = words_before[b->layers[layer].done_at];
    free(words_before);
    if (w.failed)
        return weft_error(b->diag, "%s: layer %s: its rows, lanes or strides do not fit the fields of a %s; make it smaller, or use a smaller --batch",
                          b->graph->name, w.mnemonic && w.culprit >= 0 ? rows[w.culprit].name : "?", w.mnemonic ? w.mnemonic : "word");
    return WEFT_OK;
}

/* --- host memory: constants, inputs, outputs --------------------------------------------------------------------- */

static uint64_t align64(uint64_t at)
{
    return (at + 63) / 64 * 64;
}

static uint64_t lay_out_host(const struct backend *b, uint64_t *input_host, uint64_t *output_host)
{
    uint64_t at = align64(b->constants_bytes);
    for (unsigned i = 0; i < b->graph->input_count; i++) {
        input_host[i] = at;
        if (b->places[b->graph->inputs[i]].placed && !resident_input(b, b->graph->inputs[i]))
            at = align64(host_of(b, b->graph->inputs[i], at, b->repeats - 1) + span(&b->places[b->graph->inputs[i]].g));
    }
    for (unsigned i = 0; i < b->graph->output_count; i++) {
        output_host[i] = at;
        if (!resident_output(b, b->graph->outputs[i]))
            at = align64(host_of(b, b->graph->outputs[i], at, b->repeats - 1) + span(&b->places[b->graph->outputs[i]].g));
    }
    return at;
}

static void hand_over(struct weft_program *p, struct backend *b)
{
    p->weights_bytes = b->options->timing_only || b->graph->weights_absent ? 0 : b->weights_bytes;
    p->weights = p->weights_bytes ? b->weights : NULL;
    if (p->weights)
        b->weights = NULL;
    p->dram_bytes = b->options->resident_count ? b->options->resident_base + resident_bytes(b) : b->weights_bytes;
    if (b->spill && b->spill->in_dram && b->spill->scratch_bytes)
        p->dram_bytes = b->spill->scratch_base + b->spill->scratch_bytes;
    p->data = b->constants;
    p->data_bytes = b->constants_bytes;
    p->data_host = 0;
    b->constants = NULL;
}

static enum weft_status check_outputs(const struct backend *b)
{
    for (unsigned i = 0; i < b->graph->output_count; i++)
        if (!b->places[b->graph->outputs[i]].placed)
            return weft_error(b->diag, "%s: output '%s' is a constant; there is nothing to run", b->graph->name,
                              b->graph->values[b->graph->outputs[i]].name);
    if (b->weights_bytes > b->machine->dram_bytes)
        return weft_error(b->diag, "%s: its weight tiles take %llu bytes; machine %s has %llu bytes of DRAM", b->graph->name,
                          (unsigned long long)b->weights_bytes, b->machine->name, (unsigned long long)b->machine->dram_bytes);
    return backend_residents(b);
}

enum weft_status backend_finish(struct weft_program **out, struct backend *b)
{
    uint64_t *input_host = calloc(b->graph->input_count + 1, sizeof *input_host), *output_host = calloc(b->graph->output_count + 1, sizeof *output_host);
    size_t *done_at = calloc((size_t)b->layer_count + 1, sizeof *done_at);
    struct weft_program *program = NULL;
    enum weft_status status = input_host && output_host && done_at ? check_outputs(b) : WEFT_NO_MEMORY;
    if (!status)
        status = weft_program_create(&program, b->machine);
    if (!status) {
        program->host_bytes = lay_out_host(b, input_host, output_host);
        if (b->spill)
            program->host_bytes = transfer_scratch(b, program->host_bytes);
        emit_all(b, input_host, output_host);
        status = b->out_of_memory ? WEFT_NO_MEMORY : write_words(program, b, done_at);
    }
    if (!status) {
        hand_over(program, b);
        status = backend_describe(program, b, input_host, output_host, done_at);
    }
    free(input_host);
    free(output_host);
    free(done_at);
    if (status)
        weft_program_free(program);
    else
        *out = program;
    return status;
}
