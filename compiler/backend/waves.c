/* waves.c: a batch in two halves that follow each other through the network, so that the vector unit works on one while the array multiplies the
 * other. Both units start their instructions in order; what overlaps must therefore be interleaved in the program.
 *
 * The layers are cut into segments, each a product and the vector work behind it. For every segment and half: the vector work that this half's
 * product needs is finished, then the product is emitted, and between its tiles, piece by piece, the vector work that the other half
 * still owes (its jobs). Values keep their batch outermost and lie in C order, so the halves never share a byte, and no hazard joins them.
 *
 * It costs a second fetch of every weight tile, and pays where there is enough vector work to hide. */
#include "emit.h"
#include "mapping.h"
#include "waves.h"

#include <stdlib.h>

#include "finish.h"
#include "product.h"

enum { WAVES = 2 };

struct job { int layer; int64_t index; };
struct queue { struct job *jobs; size_t count, next; }; /* what a half owes, in order */

struct waves {
    struct backend *b;
    struct queue owed[WAVES];
    int half;              /* whose product is being emitted */
    size_t first, most;    /* of the other half's jobs: the next when it began, and how many there were */
    int *left;             /* by layer: inferences not yet emitted */
    const struct waves_hooks *hooks;
};

/* --- which layers come in parts ------------------------------------------------------------------------------------------- */

static bool in_c_order(const struct backend *b, int value)
{
    return b->places[value].placed && !b->places[value].view && (!b->places[value].g.spatial || b->graph->values[value].shape.rank <= 2);
}

static bool is_batch(const struct backend *b, int value)
{
    const struct shape *s = &b->graph->values[value].shape;
    return in_c_order(b, value) && s->rank >= 1 && s->dims[0] % b->batch == 0;
}

/* An operand: in parts like the result, or the same for all of them; then it must not be made in parts itself. */
static bool operand_fits(const struct backend *b, int value, unsigned rank)
{
    if (value == GRAPH_NONE || value_is_constant(&b->graph->values[value]))
        return true;
    const struct shape *s = &b->graph->values[value].shape;
    if (s->rank >= rank && s->dims[0] != 1)
        return is_batch(b, value);
    return in_c_order(b, value) && (!is_batch(b, value) || !backend_maker(b, value));
}

static bool matrix_splits(const struct backend *b, const struct layer *l)
{
    const struct mapping *map = &l->m->map;
    return !layer_is_conv(b, l) && map->flat && map->slices == 1 && map->rows % WAVES == 0 && map->step == map->pixels;
}

/* Both operands and the result have the batch outermost. */
static bool product_splits(const struct backend *b, const struct layer *l)
{
    const struct product *p = l->product;
    return p->shape.rank > 2 && p->a.rank == p->shape.rank && p->b.rank == p->shape.rank && p->to[0] == 0 && p->a.from[0] == 0 && p->b.from[0] == 0 &&
           is_batch(b, l->other);
}

static bool kind_splits(const struct backend *b, const struct layer *l)
{
    switch (l->kind) {
    case LAYER_MATRIX:
        return matrix_splits(b, l);
    case LAYER_PRODUCT:
        return product_splits(b, l);
    case LAYER_BINARY:
    case LAYER_UNARY:
    case LAYER_ALIAS:
        return true;
    case LAYER_SOFTMAX:
        return b->graph->nodes[l->node].at.axis != 0;
    case LAYER_REDUCE:
        return !(l->reduced & 1);
    default:
        return false;
    }
}

bool waves_split(const struct backend *b, const struct layer *l)
{
    unsigned rank = b->graph->values[l->y].shape.rank;
    if (b->batch % WAVES || !kind_splits(b, l) || !is_batch(b, l->y) || !(l->kind == LAYER_BINARY ? operand_fits(b, l->x, rank) : is_batch(b, l->x)))
        return false;
    return operand_fits(b, l->other, rank) && operand_fits(b, l->residual, rank);
}

static bool is_vector(const struct layer *l)
{
    return !layer_multiplies(l);
}

/* --- is it worth it ------------------------------------------------------------------------------------------------------- */

/* Lines that a row of lanes takes, of the widest of its operands. */
static double beats(const struct backend *b, const struct layer *l)
{
    int operands[] = {l->x, l->other, l->kind == LAYER_REDUCE ? GRAPH_NONE : l->y};
    int64_t bytes = l->kind == LAYER_SOFTMAX ? 4 /* its own steps */ : 1;
    for (size_t i = 0; i < sizeof operands / sizeof operands[0]; i++)
        if (operands[i] != GRAPH_NONE && b->places[operands[i]].placed && weft_format_bytes(b->places[operands[i]].g.format) > bytes)
            bytes = weft_format_bytes(b->places[operands[i]].g.format);
    double lines = (double)(bytes * (int64_t)b->machine->vector_lanes) / (double)b->machine->ub_line_bytes;
    return lines > 1 ? lines : 1;
}

double waves_vector_cycles(const struct backend *b, const struct layer *l)
{
    int value = l->kind == LAYER_REDUCE ? l->x : l->y, passes = l->kind == LAYER_SOFTMAX ? 5 : 1;
    double count = (double)shape_count(&b->graph->values[value].shape);
    return l->kind == LAYER_ALIAS ? 0 : l->kind == LAYER_DOTS ? (double)l->mapping : count / (double)backend_vector_width(b) * beats(b, l) * passes;
}

double waves_input_cycles(const struct backend *b)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < b->graph->input_count; i++)
        if (b->places[b->graph->inputs[i]].placed && !resident_input(b, b->graph->inputs[i]))
            bytes += geometry_span(&b->places[b->graph->inputs[i]].g);
    return (double)cycles_of_bytes(b->machine, bytes, b->machine->link_in_bytes_per_second);
}

static double output_cycles(const struct backend *b)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < b->graph->output_count; i++)
        if (b->places[b->graph->outputs[i]].placed && !resident_output(b, b->graph->outputs[i]))
            bytes += b->places[b->graph->outputs[i]].g.bytes;
    return (double)cycles_of_bytes(b->machine, bytes, b->machine->link_out_bytes_per_second);
}

/* A product and the vector work behind it; what does not come in halves stands by itself. */
static int measure(const struct backend *b, struct lag_segment *segments)
{
    int count = 0;
    for (int i = 0; i < b->layer_count; i++) {
        const struct layer *l = &b->layers[i];
        bool splits = waves_split(b, l);
        if (!is_vector(l) || !count || splits != segments[count - 1].splits)
            segments[count++] = (struct lag_segment){.splits = splits};
        struct lag_segment *s = &segments[count - 1];
        s->product += is_vector(l) ? 0 : (double)l->mapping;
        s->halves += is_vector(l) ? 0 : l->kind == LAYER_MATRIX && splits ? (double)mapping_split_price(b, l, WAVES) : (double)l->mapping;
        s->vector += is_vector(l) ? waves_vector_cycles(b, l) : 0;
    }
    return count;
}

void backend_waves(struct backend *b)
{
    struct lag_segment *segments = b->batch > 1 ? malloc(((size_t)b->layer_count + 1) * sizeof *segments) : NULL;
    int lag = segments ? lag_choose(segments, measure(b, segments), (struct lag_links){waves_input_cycles(b), output_cycles(b)}) : 0;
    b->out_of_memory |= b->batch > 1 && !segments;
    free(segments);
    if (!lag)
        return;
    b->waves = WAVES;
    b->lag = b->lag_wanted = lag;
    for (int i = 0; i < b->layer_count; i++)
        if (b->layers[i].kind == LAYER_MATRIX && waves_split(b, &b->layers[i]))
            mapping_split(b, &b->layers[i], WAVES);
}

/* The input of a part arrives when the part before is done with its own; its output leaves while the next part is at work. A front works on pieces of
 * the input meanwhile, and the whole network as a front sends pieces of the output. */
double waves_links(const struct backend *b)
{
    struct lag_segment *segments = malloc(((size_t)b->layer_count + 1) * sizeof *segments);
    if (!segments)
        return 0;
    int count = measure(b, segments), lag = b->waves > 1 ? b->lag : 0;
    double pieces = b->front.end ? (double)b->front.pieces : 1, out = b->front.end == b->layer_count ? pieces : 1;
    struct lag_links in = {waves_input_cycles(b) / pieces, 0}, both = {in.input, output_cycles(b) / out};
    double waits = (double)(b->repeats - 1) * lag_waits(segments, count, lag, in) + lag_waits(segments, count, lag, both);
    free(segments);
    return waits;
}

/* The first half runs `lag` segments ahead, so that it works while the second's input is on its way. What a layer reads must stay until the later
 * half has read it: that long its buffer lives. `lasts`: as the buffers had them. */
void waves_stretch(struct backend *b, const int *lasts)
{
    int products = 0, *ahead = calloc((size_t)b->layer_count + 2, sizeof *ahead); /* ahead[i]: the i-th product from the end, or the end */
    if (!ahead) {
        b->out_of_memory = true;
        return;
    }
    for (int i = 0; i < b->buffer_count; i++)
        b->buffers[i].last = lasts[i];
    int *until = calloc((size_t)b->layer_count + 1, sizeof *until);
    for (int i = b->layer_count; until && i-- > 0;) {
        int beyond = products - (b->lag + 1); /* the product that begins the segment so many behind this one */
        until[i] = beyond >= 0 ? ahead[beyond] : b->layer_count;
        if (!is_vector(&b->layers[i]))
            ahead[products++] = i;
    }
    for (int i = 0; until && i < b->buffer_count; i++)
        if (lasts[i] < b->layer_count)
            b->buffers[i].last = until[lasts[i]];
    b->out_of_memory |= !until;
    free(until);
    free(ahead);
}

/* --- jobs ----------------------------------------------------------------------------------------------------------------- */

static void part(struct waves *w, int layer, int64_t index, int64_t count)
{
    struct backend *b = w->b;
    b->wave = (struct wave){index, count};
    b->current = layer;
    emit_layer(b, &b->layers[layer]);
    b->wave = (struct wave){0, 1};
    w->left[layer] -= (int)(b->batch / count);
    if (w->left[layer] == 0)
        w->hooks->whole(b, layer);
}

static void run_job(struct waves *w, struct queue *q)
{
    struct job job = q->jobs[q->next++];
    part(w, job.layer, job.index, w->b->batch);
}

static void flush(struct waves *w, struct queue *q)
{
    while (q->next < q->count)
        run_job(w, q);
    q->next = q->count = 0;
}

/* One job for each layer and inference: all of a half's layers for its first inference, then for its second, ... */
static void owe(struct waves *w, int half, int first, int end)
{
    int64_t each = w->b->batch / WAVES;
    struct queue *q = &w->owed[half];
    for (int64_t k = 0; k < each; k++)
        for (int i = first; i < end; i++)
            q->jobs[q->count++] = (struct job){i, half * each + k};
}

bool waves_between(struct backend *b, double done)
{
    struct waves *w = b->in_waves;
    if (!w)
        return false;
    struct queue *q = &w->owed[!w->half];
    size_t upto = w->first + (size_t)((double)w->most * done);
    struct wave own = b->wave;
    int current = b->current;
    bool any = false;
    for (b->in_waves = NULL; q->next < upto && q->next < q->count; any = true)
        run_job(w, q);
    b->in_waves = w;
    b->wave = own;
    b->current = current;
    return any;
}

static void product(struct waves *w, int layer, int half)
{
    struct queue *other = &w->owed[!half];
    flush(w, &w->owed[half]);
    w->half = half;
    w->first = other->next;
    w->most = other->count - other->next;
    w->b->in_waves = w;
    part(w, layer, half, WAVES);
    w->b->in_waves = NULL;
}

/* A product and the vector layers behind it; or such layers alone; or a layer that comes whole. */
struct segment { int first, end; bool splits; };

static struct segment segment_at(const struct backend *b, int first)
{
    struct segment s = {first, first + 1, waves_split(b, &b->layers[first])};
    while (s.splits && s.end < b->layer_count && is_vector(&b->layers[s.end]) && waves_split(b, &b->layers[s.end]))
        s.end++;
    return s;
}

static void half_of(struct waves *w, const struct segment *s, int half)
{
    bool vector = is_vector(&w->b->layers[s->first]);
    for (int k = s->first; half == 0 && k < s->end; k++)
        w->hooks->before(w->b, k);
    if (!vector)
        product(w, s->first, half);
    owe(w, half, vector ? s->first : s->first + 1, s->end);
}

static void catch_up(struct waves *w)
{
    for (int half = 0; half < WAVES; half++)
        flush(w, &w->owed[half]);
}

/* Segments one behind the other that come in halves, the second half `lag` segments behind the first. */
static void run_of(struct waves *w, const struct segment *segments, int count)
{
    for (int t = 0; t < count + w->b->lag; t++) {
        if (t < count)
            half_of(w, &segments[t], 0);
        if (t >= w->b->lag)
            half_of(w, &segments[t - w->b->lag], 1);
    }
    catch_up(w);
}

static void all_layers(struct waves *w, struct segment *segments)
{
    struct backend *b = w->b;
    int count = 0;
    for (int i = 0; i < b->layer_count; i = segments[count++].end)
        segments[count] = segment_at(b, i);
    for (int i = 0, end; i < count; i = end) {
        end = i + 1;
        if (!segments[i].splits) {
            w->hooks->before(b, segments[i].first);
            part(w, segments[i].first, 0, 1);
            continue;
        }
        while (end < count && segments[end].splits)
            end++;
        run_of(w, &segments[i], end - i);
    }
}

void waves_emit(struct backend *b, const struct waves_hooks *hooks)
{
    struct waves w = {.b = b, .hooks = hooks, .left = malloc(((size_t)b->layer_count + 1) * sizeof *w.left)};
    size_t room = (size_t)(b->layer_count + 1) * (size_t)(b->batch / WAVES);
    struct segment *segments = malloc(((size_t)b->layer_count + 1) * sizeof *segments);
    for (int half = 0; half < WAVES; half++)
        w.owed[half].jobs = malloc(room * sizeof *w.owed[half].jobs);
    if (segments && w.left && w.owed[0].jobs && w.owed[1].jobs) {
        for (int i = 0; i < b->layer_count; i++)
            w.left[i] = (int)b->batch;
        all_layers(&w, segments);
    } else {
        b->out_of_memory = true;
    }
    free(segments);
    free(w.left);
    free(w.owed[0].jobs);
    free(w.owed[1].jobs);
}
