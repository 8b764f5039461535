/* lower_rnn.c: RNN, GRU and LSTM: the node is read and checked, then unrolled over time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lower_rnn.h"

enum { X, W, R, B, LENGTHS, INITIAL_H, INITIAL_C, P }; /* inputs */

/* --- reading --------------------------------------------------------------------------------------------------------------------- */

static bool want_shape(struct lower *l, unsigned input, const char *what, unsigned rank, const int64_t *dims)
{
    struct shape has = lower_shape(l, input), right = {.rank = rank};
    char a[160], b[160];
    memcpy(right.dims, dims, rank * sizeof *dims);
    return shape_equal(&has, &right) ||
           lower_refuse(l, "%s is %s; it must be %s", what, shape_text(&has, a), shape_text(&right, b));
}

static bool read_direction(struct lower *l, struct rnn *rnn)
{
    char direction[32];
    lower_string(l, "direction", "forward", direction);
    if (l->failed)
        return false;
    if (strcmp(direction, "forward") && strcmp(direction, "reverse") && strcmp(direction, "bidirectional"))
        return lower_refuse(l, "direction %s; forward, reverse and bidirectional are right", direction);
    rnn->directions = direction[0] == 'b' ? 2 : 1;
    rnn->way[0].reverse = direction[0] == 'r';
    rnn->way[1].reverse = true;
    return true;
}

static bool read_attributes(struct lower *l, struct rnn *rnn)
{
    int64_t layout = lower_int(l, "layout", 0);
    rnn->clip = lower_float(l, "clip", 0);
    rnn->input_forget = lower_int(l, "input_forget", 0) != 0;
    rnn->linear_before_reset = lower_int(l, "linear_before_reset", 0) != 0;
    if (l->failed || !read_direction(l, rnn) || !rnn_read_functions(l, rnn))
        return false;
    if (rnn->clip < 0 || (lower_has(l, "clip") && !(rnn->clip > 0)))
        return lower_refuse(l, "clip %g; it must be above 0", (double)rnn->clip);
    if (layout && layout != 1)
        return lower_refuse(l, "layout %lld; 0 and 1 are right", (long long)layout);
    rnn->batch_first = layout == 1;
    return true;
}

static bool check_states(struct lower *l, const struct rnn *rnn)
{
    int64_t d = rnn->directions, b = rnn->batch, h = rnn->hidden;
    const int64_t *state = rnn->batch_first ? (int64_t[]){b, d, h} : (int64_t[]){d, b, h};
    return (!lower_given(l, INITIAL_H) || want_shape(l, INITIAL_H, "initial_h", 3, state)) &&
           (!lower_given(l, INITIAL_C) || want_shape(l, INITIAL_C, "initial_c", 3, state)) &&
           (!lower_given(l, P) || want_shape(l, P, "P", 2, (int64_t[]){d, 3 * h})) &&
           (!lower_given(l, B) || want_shape(l, B, "B", 2, (int64_t[]){d, 2 * rnn->gates * h})) &&
           (!lower_given(l, LENGTHS) || want_shape(l, LENGTHS, "sequence_lens", 1, &b));
}

static bool read_sizes(struct lower *l, struct rnn *rnn)
{
    struct shape x = lower_shape(l, X), r = lower_shape(l, R);
    char text[160];
    if (x.rank != 3 || r.rank != 3)
        return lower_refuse(l, "X is %s; three dimensions are right, of R too", shape_text(&x, text));
    rnn->steps = x.dims[rnn->batch_first];
    rnn->batch = x.dims[!rnn->batch_first];
    rnn->input = x.dims[2];
    rnn->hidden = r.dims[2];
    if (lower_int(l, "hidden_size", rnn->hidden) != rnn->hidden || rnn->hidden < 1 || rnn->hidden > 1 << 24)
        return lower_refuse(l, "hidden_size %lld; R says %lld", (long long)lower_int(l, "hidden_size", 0), (long long)rnn->hidden);
    if (rnn->steps < 1 || rnn->batch < 1 || rnn->steps * rnn->directions > RNN_STEPS_MAX)
        return lower_refuse(l, "%lld steps in %lld directions over a batch of %lld; 1 to %d steps can be unrolled", (long long)rnn->steps,
                            (long long)rnn->directions, (long long)rnn->batch, RNN_STEPS_MAX);
    int64_t rows = rnn->gates * rnn->hidden;
    return want_shape(l, W, "W", 3, (int64_t[]){rnn->directions, rows, rnn->input}) &&
           want_shape(l, R, "R", 3, (int64_t[]){rnn->directions, rows, rnn->hidden}) && check_states(l, rnn);
}

static bool check_types(struct lower *l)
{
    if (!lower_want_float(l, X))
        return false;
    for (unsigned i = W; i < l->in_count; i++)
        if (i != LENGTHS && lower_given(l, i) && !lower_same_type(l, l->in[X], l->in[i]))
            return false;
    return true;
}

/* --- weights --------------------------------------------------------------------------------------------------------------------- */

/* One direction's part of [directions, n, ...] without that dimension. */
static int part(struct lower *l, int value, int64_t way)
{
    struct shape shape = build_shape(l, value);
    value = build_slice(l, value, 0, way, way + 1, 1);
    return build_reshape(l, value, shape.rank - 1, shape.dims + 1);
}

/* Half 0 of B goes with W, half 1 with R: [gates x hidden] of one direction. */
static int half_bias(struct lower *l, const struct rnn *rnn, int64_t way, int half)
{
    int64_t rows = rnn->gates * rnn->hidden;
    return build_slice(l, part(l, l->in[B], way), 0, half * rows, (half + 1) * rows, 1);
}

/* Both halves together, but for the part of a GRU's hidden gate that waits for the reset. */
static int bias_of(struct lower *l, const struct rnn *rnn, struct rnn_direction *way, int64_t index)
{
    int64_t n = rnn->hidden;
    int first = half_bias(l, rnn, index, 0), second = half_bias(l, rnn, index, 1);
    if (rnn->gates != RNN_GATES_GRU || !rnn->linear_before_reset)
        return build_binary(l, CORE_ADD, first, second);
    way->late_bias = build_slice(l, second, 0, 2 * n, 3 * n, 1);
    int early = build_binary(l, CORE_ADD, build_slice(l, first, 0, 0, 2 * n, 1), build_slice(l, second, 0, 0, 2 * n, 1));
    return build_concat(l, (int[]){early, build_slice(l, first, 0, 2 * n, 3 * n, 1)}, 2, 0);
}

static bool is_zero(struct lower *l, int value)
{
    struct shape shape = build_shape(l, value);
    double number = 1;
    if (!build_is_constant(l, value) || shape_count(&shape) > 1 << 20)
        return false;
    for (int64_t i = 0; i < shape_count(&shape); i++)
        if (!value_at(l->graph, value, i, &number) || number != 0)
            return false;
    return true;
}

static int initial(struct lower *l, const struct rnn *rnn, unsigned input, int64_t way)
{
    if (!lower_given(l, input) || is_zero(l, l->in[input]))
        return GRAPH_NONE;
    int state = build_slice(l, l->in[input], rnn->batch_first, way, way + 1, 1);
    return build_reshape(l, state, 2, (int64_t[]){rnn->batch, rnn->hidden});
}

static void split_last_gate(struct lower *l, const struct rnn *rnn, struct rnn_direction *way)
{
    int64_t last = (rnn->gates - 1) * rnn->hidden;
    way->r_late = GRAPH_NONE;
    if (rnn->gates == RNN_GATES_RNN || rnn->linear_before_reset || (rnn->gates == RNN_GATES_LSTM && rnn->hidden < RNN_WIDE))
        return;
    way->r_late = build_slice(l, way->r, 0, last, last + rnn->hidden, 1);
    way->r = build_slice(l, way->r, 0, 0, last, 1);
}

static void read_weights(struct lower *l, struct rnn *rnn)
{
    int biases[2] = {GRAPH_NONE, GRAPH_NONE}, x = l->in[X];
    int64_t rows = rnn->directions * rnn->gates * rnn->hidden;
    for (int64_t d = 0; d < rnn->directions; d++) {
        struct rnn_direction *way = &rnn->way[d];
        int peepholes = lower_given(l, P) ? part(l, l->in[P], d) : GRAPH_NONE;
        way->late_bias = GRAPH_NONE;
        way->r = part(l, l->in[R], d);
        split_last_gate(l, rnn, way);
        for (unsigned k = 0; k < 3; k++)
            way->peepholes[k] = peepholes == GRAPH_NONE ? GRAPH_NONE : build_slice(l, peepholes, 0, k * rnn->hidden, (k + 1) * rnn->hidden, 1);
        if (lower_given(l, B))
            biases[d] = bias_of(l, rnn, way, d);
        way->state = (struct rnn_state){initial(l, rnn, INITIAL_H, d), initial(l, rnn, INITIAL_C, d)};
    }
    int bias = lower_given(l, B) ? build_concat(l, biases, (unsigned)rnn->directions, 0) : GRAPH_NONE;
    if (rnn->batch_first)
        x = build_swap(l, x, 0, 1);
    x = build_reshape(l, x, 2, (int64_t[]){rnn->steps * rnn->batch, rnn->input});
    rnn->drive = build_linear(l, x, build_reshape(l, l->in[W], 2, (int64_t[]){rows, rnn->input}), bias);
}

/* --- sequences of several lengths ------------------------------------------------------------------------------------------------ */

/* NULL: all are whole; or it failed. */
static int64_t *read_lengths(struct lower *l, const struct rnn *rnn)
{
    double number;
    bool whole = true;
    if (!lower_given(l, LENGTHS))
        return NULL;
    if (!build_is_constant(l, l->in[LENGTHS])) {
        lower_refuse(l, "sequence_lens (%s) is computed at run time; it must be constant or left out", lower_value(l, LENGTHS)->name);
        return NULL;
    }
    int64_t *lengths = malloc((size_t)rnn->batch * sizeof *lengths);
    for (int64_t i = 0; lengths && i < rnn->batch; i++) {
        if (!value_at(l->graph, l->in[LENGTHS], i, &number) || !(number >= 0 && number <= (double)rnn->steps)) {
            lower_refuse(l, "sequence_lens %lld is not between 0 and %lld", (long long)i, (long long)rnn->steps);
            break;
        }
        lengths[i] = (int64_t)number;
        whole &= lengths[i] == rnn->steps;
    }
    if (!lengths)
        lower_no_memory(l);
    if (!whole && !l->failed)
        return lengths;
    free(lengths);
    return NULL;
}

/* Which sequences still run at a step, [batch, 1] of bool; GRAPH_NONE: all of them. */
static int running(struct lower *l, const struct rnn *rnn, const int64_t *lengths, int64_t step, bool *none)
{
    int64_t count = 0;
    *none = false;
    if (!lengths)
        return GRAPH_NONE;
    uint8_t *mask = malloc((size_t)rnn->batch);
    if (!mask) {
        lower_no_memory(l);
        return LOWER_POISON;
    }
    for (int64_t i = 0; i < rnn->batch; i++)
        count += mask[i] = step < lengths[i];
    *none = !count;
    int value = count == rnn->batch || !count ? GRAPH_NONE : lower_constant(l, ELEMENT_BOOL, &(struct shape){2, {rnn->batch, 1}}, mask);
    free(mask);
    return value;
}

static int zeros(struct lower *l, const struct rnn *rnn)
{
    return lower_rule(l, CONTENTS_FILL, build_element(l, l->in[X]), &(struct shape){2, {rnn->batch, rnn->hidden}});
}

/* Where a sequence is over its state stays. */
static int choose(struct lower *l, int mask, int now, int before)
{
    if (mask == GRAPH_NONE || now == GRAPH_NONE)
        return now;
    return build_where(l, mask, now, before == GRAPH_NONE ? lower_scalar(l, build_element(l, now), 0) : before);
}

/* --- the walk over time ---------------------------------------------------------------------------------------------------------- */

int rnn_drive(struct lower *l, const struct rnn *rnn, const struct rnn_direction *way, int64_t step, unsigned first, unsigned count)
{
    int64_t from = ((way - rnn->way) * rnn->gates + first) * rnn->hidden, columns = count * rnn->hidden;
    struct attributes at = {.begins = {step * rnn->batch, from}, .ends = {(step + 1) * rnn->batch, from + columns}, .steps = {1, 1}};
    if (rnn->steps == 1 && rnn->directions == 1 && count == rnn->gates)
        return rnn->drive;
    return lower_emit(l, CORE_SLICE, &rnn->drive, 1, &at, build_element(l, rnn->drive), &(struct shape){2, {rnn->batch, columns}});
}

/* Reports and messages tell steps apart by the names of their nodes. */
static struct rnn_state named_step(struct lower *l, const struct rnn *rnn, int64_t step, int64_t d)
{
    const struct rnn_direction *way = &rnn->way[d];
    const char *whole = l->name;
    char name[512];
    snprintf(name, sizeof name, "%s/%s%lld", whole, way->reverse ? "back" : "step", (long long)step);
    l->name = name;
    struct rnn_state now = rnn_step(l, rnn, way, step, way->state);
    l->name = whole;
    return now;
}

/* All steps of one direction; `y` holds one result a step. */
static void walk_steps(struct lower *l, struct rnn *rnn, int64_t d, const int64_t *lengths, int *y)
{
    struct rnn_direction *way = &rnn->way[d];
    for (int64_t i = 0; i < rnn->steps && !l->failed; i++) {
        int64_t step = way->reverse ? rnn->steps - 1 - i : i;
        bool none;
        int mask = running(l, rnn, lengths, step, &none);
        if (none) {
            y[step] = zeros(l, rnn);
            continue;
        }
        struct rnn_state now = named_step(l, rnn, step, d);
        y[step] = choose(l, mask, now.h, GRAPH_NONE);
        way->state.h = choose(l, mask, now.h, way->state.h);
        way->state.c = choose(l, mask, now.c, way->state.c);
    }
}

/* [steps, directions, batch, hidden], or with the batch first [batch, steps, directions, hidden]. */
static int join_steps(struct lower *l, const struct rnn *rnn, int *const y[2])
{
    int ways[2];
    for (int64_t d = 0; d < rnn->directions; d++)
        ways[d] = build_reshape(l, build_concat(l, y[d], (unsigned)rnn->steps, 0), 4, (int64_t[]){rnn->steps, 1, rnn->batch, rnn->hidden});
    int whole = build_concat(l, ways, (unsigned)rnn->directions, 1);
    return rnn->batch_first ? build_transpose(l, whole, (int64_t[]){2, 0, 1, 3}) : whole;
}

static int join_states(struct lower *l, const struct rnn *rnn, bool cell)
{
    int ways[2];
    for (int64_t d = 0; d < rnn->directions; d++) {
        int state = cell ? rnn->way[d].state.c : rnn->way[d].state.h;
        ways[d] = build_reshape(l, state == GRAPH_NONE ? zeros(l, rnn) : state, 3, (int64_t[]){1, rnn->batch, rnn->hidden});
    }
    int whole = build_concat(l, ways, (unsigned)rnn->directions, 0);
    return rnn->batch_first ? build_swap(l, whole, 0, 1) : whole;
}

static bool wanted(const struct lower *l, unsigned output)
{
    return output < l->proto->n_output && *l->proto->output[output];
}

static bool unroll(struct lower *l, struct rnn *rnn, const int64_t *lengths, int *const y[2])
{
    read_weights(l, rnn);
    for (int64_t d = 0; d < rnn->directions; d++)
        walk_steps(l, rnn, d, lengths, y[d]);
    if (l->failed)
        return false;
    for (unsigned k = 0; k < 3; k++)
        l->out[k] = !wanted(l, k) ? GRAPH_NONE : k ? join_states(l, rnn, k == 2) : join_steps(l, rnn, y);
    l->out_count = 3;
    return !l->failed;
}

static bool lower_recurrent(struct lower *l, struct rnn *rnn)
{
    if (!lower_parameter(l, LENGTHS) || !check_types(l) || !read_attributes(l, rnn) || !read_sizes(l, rnn))
        return false;
    int64_t *lengths = read_lengths(l, rnn);
    int *y[2] = {calloc((size_t)rnn->steps, sizeof *y[0]), calloc((size_t)rnn->steps, sizeof *y[1])};
    bool fine = y[0] && y[1] ? !l->failed && unroll(l, rnn, lengths, y) : lower_no_memory(l);
    free(y[0]);
    free(y[1]);
    free(lengths);
    return fine;
}

bool lower_rnn(struct lower *l, const struct onnx_op *op)
{
    return lower_recurrent(l, &(struct rnn){.gates = RNN_GATES_RNN, .functions = 1});
}

bool lower_gru(struct lower *l, const struct onnx_op *op)
{
    return lower_recurrent(l, &(struct rnn){.gates = RNN_GATES_GRU, .functions = 2});
}

bool lower_lstm(struct lower *l, const struct onnx_op *op)
{
    return lower_recurrent(l, &(struct rnn){.gates = RNN_GATES_LSTM, .functions = 3});
}
