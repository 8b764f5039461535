/* finish.c: the emitted instructions become the program: layers are tagged, weight tiles are fetched as far ahead as the FIFO
 * allows, across layer borders. */
#include "batch_axis.h"
#include "emit.h"
#include "finish.h"
#include "front.h"
#include "spill.h"
#include "tail.h"

#include <stdlib.h>
#include <string.h>

/* --- layers ------------------------------------------------------------------------------------------------------ */

void emit_layer(struct backend *b, struct layer *l)
{
    if (b->places[l->y].outside)
        return;
    reads_operands(b, l);
    if (l->kind < LAYER_CONSTANTS && l->kind != LAYER_POOL && l->kind != LAYER_ALIAS)
        emit_halo(b, l->y);
    switch (l->kind) {
    case LAYER_MATRIX:
        emit_matrix(b, l);
        break;
    case LAYER_PRODUCT:
        emit_product(b, l);
        break;
    case LAYER_DOTS:
        emit_dots(b, l);
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
    if (!b->spill)
        writes_part(b, l);
}

static void before_layer(struct backend *b, int i)
{
    b->current = i;
    if (!b->spill)
        reads_ahead(b, i);
}

/* A batch in parts never has a whole value in the buffer. */
void finish_note(struct backend *b, int layer, int64_t first, int64_t count)
{
    int y = b->layers[layer].y;
    const struct shape *shape = &b->graph->values[y].shape;
    bool known = b->repeats == 1 || (y < b->axis_count && b->axes[y].axis == 0);
    if (!count && b->repeats > 1)
        count = b->batch;
    if (count && (!known || !shape->rank || shape->dims[0] != count))
        return; /* not the batch's */
    if (!backend_grow(b, &b->made, b->made_count, &b->made_room, sizeof *b->made))
        return;
    b->made[b->made_count++] = (struct made){layer, b->instr_count, b->part * b->batch + first, count};
}

static void layer_is_whole(struct backend *b, int i)
{
    struct layer *l = &b->layers[i];
    if (!b->spill) {
        writes_state(b, l);
        writes_beside(b, l);
    }
    l->emitted_lines = 0;
    if (!front_inside(b, l))
        finish_note(b, i, 0, 0);
}

static void emit_layers(struct backend *b)
{
    const struct waves_hooks hooks = {before_layer, layer_is_whole};
    if (b->waves > 1) {
        waves_emit(b, &hooks);
        return;
    }
    front_emit(b, &hooks);
    for (int i = b->front.end; i < (b->tail.pieces ? b->tail.first : b->layer_count); i++) {
        before_layer(b, i);
        emit_layer(b, &b->layers[i]);
        layer_is_whole(b, i);
    }
    tail_emit(b, &hooks);
}

/* What goes through without a layer. */
static void pass_through(struct backend *b)
{
    for (unsigned i = 0; i < b->graph->output_count; i++)
        for (unsigned k = 0; k < b->graph->input_count; k++)
            if (b->graph->outputs[i] == b->graph->inputs[k])
                writes_value(b, i);
}

static void emit_part(struct backend *b, const uint64_t *input_host)
{
    if (b->spill) {
        b->spill->input_host = input_host;
        b->spill->output_host = b->output_host;
        b->spill->part = b->part;
    } else {
        reads_plan(b, input_host, b->part);
    }
    for (int v = 0; v < b->graph->value_count; v++)
        b->places[v].halo_done = false;
    for (unsigned i = 0; i < b->graph->input_count && !b->spill; i++)
        if (b->places[b->graph->inputs[i]].g.origin)
            emit_halo_before(b, b->graph->inputs[i]);
    emit_layers(b);
    reads_rest(b);
    writes_rest(b);
    pass_through(b);
}

static void emit_all(struct backend *b, const uint64_t *input_host)
{
    for (b->part = 0; b->part < (b->draft ? 1 : b->repeats); b->part++) {
        memset(b->left, 0, b->graph->output_count * sizeof *b->left);
        emit_part(b, input_host);
    }
    emit(b, WEFT_OP_HALT);
}

/* --- the words --------------------------------------------------------------------------------------------------- */

struct words { struct weft_program *program; int room, tagged; bool failed; int culprit; const char *mnemonic; /* what did not fit */ };

static void put(struct words *w, const struct weft_instr *instr)
{
    struct weft_program *p = w->program;
    if (!graph_grow(&p->text, p->instructions, &w->room, WEFT_WORD_BYTES)) {
        w->failed = true;
        return;
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
    const struct tile *t = &b->tiles[b->takes[take].tile];
    struct weft_instr i;
    weft_instr_init(&i, WEFT_OP_READ_WEIGHTS);
    i.dram = t->dram;
    i.k = t->k;
    i.n = t->n;
    i.fmt = t->fmt;
    tag(w, spill_row(b, b->takes[take].layer));
    put(w, &i);
}

/* Fetches as far ahead as the FIFO allows, never more than `depth` in program order; a tile that the program pushes itself keeps those behind it
 * waiting until it has been pushed. */
static void fetch_ahead(struct words *w, const struct backend *b, size_t *fetched, size_t taken)
{
    for (; *fetched < b->take_count && *fetched < taken + b->machine->fifo_tiles && b->takes[*fetched].tile != TAKE_PUSHED; ++*fetched)
        fetch(w, b, *fetched);
}

static enum weft_status write_words(struct weft_program *program, struct backend *b)
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
    for (size_t i = 0; i < b->made_count; i++)
        b->made[i].at = words_before[b->made[i].at];
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
            at = align64(host_address(b, b->graph->inputs[i], at, b->repeats - 1) + geometry_span(&b->places[b->graph->inputs[i]].g));
    }
    for (unsigned i = 0; i < b->graph->output_count; i++) {
        output_host[i] = at;
        if (!resident_output(b, b->graph->outputs[i]))
            at = align64(host_address(b, b->graph->outputs[i], at, b->repeats - 1) + geometry_span(&b->places[b->graph->outputs[i]].g));
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

static enum weft_status make_program(struct weft_program *program, struct backend *b, uint64_t *input_host)
{
    program->host_bytes = lay_out_host(b, input_host, b->output_host);
    if (b->spill)
        program->host_bytes = transfer_scratch(b, program->host_bytes);
    emit_all(b, input_host);
    enum weft_status status = b->out_of_memory ? WEFT_NO_MEMORY : write_words(program, b);
    if (status)
        return status;
    hand_over(program, b);
    return backend_describe(program, b, input_host, b->output_host);
}

enum weft_status backend_finish(struct weft_program **out, struct backend *b)
{
    uint64_t *input_host = calloc(b->graph->input_count + 1, sizeof *input_host);
    b->output_host = calloc(b->graph->output_count + 1, sizeof *b->output_host);
    b->left = calloc(b->graph->output_count + 1, sizeof *b->left);
    struct weft_program *program = NULL;
    enum weft_status status = input_host && b->output_host && b->left ? check_outputs(b) : WEFT_NO_MEMORY;
    if (!status)
        status = weft_program_create(&program, b->machine);
    if (!status)
        status = make_program(program, b, input_host);
    free(input_host);
    if (status)
        weft_program_free(program);
    else
        *out = program;
    return status;
}
