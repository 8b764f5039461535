/* lower_rnn_cells.c: one step of an RNN, a GRU and an LSTM, and the functions that their gates apply. */
#include <string.h>
#include <strings.h>

#include "lower_rnn.h"

/* --- functions of gates ---------------------------------------------------------------------------------------------------------- */

static int apply_relu(struct lower *l, int x, const struct rnn_function *f)
{
    return build_unary(l, CORE_RELU, x);
}

static int apply_tanh(struct lower *l, int x, const struct rnn_function *f)
{
    return build_unary(l, CORE_TANH, x);
}

static int apply_sigmoid(struct lower *l, int x, const struct rnn_function *f)
{
    return build_unary(l, CORE_SIGMOID, x);
}

static int apply_affine(struct lower *l, int x, const struct rnn_function *f)
{
    return build_with(l, CORE_ADD, build_with(l, CORE_MUL, x, f->alpha), f->beta);
}

static int apply_leaky(struct lower *l, int x, const struct rnn_function *f)
{
    struct shape shape = build_shape(l, x);
    return lower_emit(l, CORE_LEAKY, &x, 1, &(struct attributes){.alpha = f->alpha}, build_element(l, x), &shape);
}

static int apply_thresholded(struct lower *l, int x, const struct rnn_function *f)
{
    return build_thresholded_relu(l, x, f->alpha);
}

static int apply_scaled_tanh(struct lower *l, int x, const struct rnn_function *f)
{
    return build_with(l, CORE_MUL, build_unary(l, CORE_TANH, build_with(l, CORE_MUL, x, f->beta)), f->alpha);
}

static int apply_hard_sigmoid(struct lower *l, int x, const struct rnn_function *f)
{
    return build_hard_sigmoid(l, x, f->alpha, f->beta);
}

static int apply_elu(struct lower *l, int x, const struct rnn_function *f)
{
    return build_elu(l, x, f->alpha);
}

static int apply_softsign(struct lower *l, int x, const struct rnn_function *f)
{
    return build_softsign(l, x);
}

static int apply_softplus(struct lower *l, int x, const struct rnn_function *f)
{
    return build_softplus(l, x);
}

/* How many parameters each takes, alpha first, and what they are where the node gives none; `given`: it must. */
struct rnn_function_kind {
    const char *name;
    int (*apply)(struct lower *l, int x, const struct rnn_function *f);
    unsigned parameters;
    float alpha, beta;
    bool given;
};

static const struct rnn_function_kind kinds[] = {
    {"Relu", apply_relu, 0, 0, 0, false},
    {"Tanh", apply_tanh, 0, 0, 0, false},
    {"Sigmoid", apply_sigmoid, 0, 0, 0, false},
    {"Affine", apply_affine, 2, 0, 0, true},
    {"LeakyRelu", apply_leaky, 1, 0.01f, 0, false},
    {"ThresholdedRelu", apply_thresholded, 1, 1, 0, false},
    {"ScaledTanh", apply_scaled_tanh, 2, 0, 0, true},
    {"HardSigmoid", apply_hard_sigmoid, 2, 0.2f, 0.5f, false},
    {"Elu", apply_elu, 1, 1, 0, false},
    {"Softsign", apply_softsign, 0, 0, 0, false},
    {"Softplus", apply_softplus, 0, 0, 0, false},
};

static const struct rnn_function_kind *find_kind(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strlen(kinds[i].name) == length && !strncasecmp(kinds[i].name, name, length))
            return &kinds[i];
    return NULL;
}

static bool read_kind(struct lower *l, const struct rnn *rnn, const Onnx__AttributeProto *list, unsigned i, struct rnn_function *out)
{
    static const char *const usual[] = {"Sigmoid", "Tanh", "Tanh"};
    const char *name = rnn->gates == RNN_GATES_RNN ? "Tanh" : usual[i % rnn->functions];
    size_t length = strlen(name);
    if (list) {
        name = (const char *)list->strings[i].data;
        length = list->strings[i].len;
    }
    out->kind = name ? find_kind(name, length) : NULL;
    return out->kind || lower_refuse(l, "activation '%.*s' is not one that ONNX names for recurrent layers", length < 60 ? (int)length : 60,
                                     name ? name : "");
}

/* The lists of parameters are consumed by the functions that take some, in the order of functions. */
static bool read_parameters(struct lower *l, struct rnn_function *f, const Onnx__AttributeProto *alphas, const Onnx__AttributeProto *betas,
                            size_t *alpha, size_t *beta)
{
    bool takes_alpha = f->kind->parameters > 0, takes_beta = f->kind->parameters > 1;
    bool has_alpha = takes_alpha && alphas && *alpha < alphas->n_floats, has_beta = takes_beta && betas && *beta < betas->n_floats;
    if (f->kind->given && (!has_alpha || !has_beta))
        return lower_refuse(l, "activation %s needs its activation_alpha and activation_beta", f->kind->name);
    f->alpha = has_alpha ? alphas->floats[(*alpha)++] : f->kind->alpha;
    f->beta = has_beta ? betas->floats[(*beta)++] : f->kind->beta;
    return true;
}

bool rnn_read_functions(struct lower *l, struct rnn *rnn)
{
    const Onnx__AttributeProto *names = lower_attribute(l, "activations"), *alphas = lower_attribute(l, "activation_alpha"),
                               *betas = lower_attribute(l, "activation_beta");
    unsigned count = rnn->functions * (unsigned)rnn->directions;
    size_t alpha = 0, beta = 0;
    if (l->failed)
        return false;
    if (names && !names->n_strings)
        names = NULL;
    if (names && names->n_strings != count)
        return lower_refuse(l, "%zu activations; %u are right", names->n_strings, count);
    for (unsigned i = 0; i < count; i++) {
        struct rnn_function *f = &rnn->way[i / rnn->functions].functions[i % rnn->functions];
        if (!read_kind(l, rnn, names, i, f) || !read_parameters(l, f, alphas, betas, &alpha, &beta))
            return false;
    }
    return true;
}

/* The clip bounds what goes into a function. */
static int apply(struct lower *l, const struct rnn *rnn, const struct rnn_function *f, int x)
{
    if (rnn->clip > 0)
        x = build_clip(l, x, -rnn->clip, rnn->clip);
    return f->kind->apply(l, x, f);
}

/* --- cells ----------------------------------------------------------------------------------------------------------------------- */

static int gate(struct lower *l, const struct rnn *rnn, int gates, unsigned first, unsigned count)
{
    return build_slice(l, gates, 1, first * rnn->hidden, (first + count) * rnn->hidden, 1);
}

/* x with the state's product added; without a state it is x. */
static int drive(struct lower *l, int x, int state, int weights)
{
    return state == GRAPH_NONE ? x : build_binary(l, CORE_ADD, x, build_linear(l, state, weights, GRAPH_NONE));
}

static struct rnn_state step_rnn(struct lower *l, const struct rnn *rnn, const struct rnn_direction *way, int64_t step, struct rnn_state before)
{
    return (struct rnn_state){apply(l, rnn, &way->functions[0], drive(l, rnn_drive(l, rnn, way, step, 0, 1), before.h, way->r)), GRAPH_NONE};
}

/* What the hidden gate adds to its x, where the reset comes behind the product. */
static int late_reset(struct lower *l, const struct rnn *rnn, const struct rnn_direction *way, int product, int reset)
{
    if (product == GRAPH_NONE)
        return way->late_bias == GRAPH_NONE ? GRAPH_NONE : build_binary(l, CORE_MUL, reset, way->late_bias);
    int hidden = gate(l, rnn, product, 2, 1);
    if (way->late_bias != GRAPH_NONE)
        hidden = build_binary(l, CORE_ADD, hidden, way->late_bias);
    return build_binary(l, CORE_MUL, reset, hidden);
}

static int early_reset(struct lower *l, const struct rnn_direction *way, int h, int reset)
{
    if (h == GRAPH_NONE)
        return GRAPH_NONE;
    return build_linear(l, build_binary(l, CORE_MUL, reset, h), way->r_late, GRAPH_NONE);
}

/* Update z and reset r are one function of one product; the new state lies between the hidden gate (z = 0) and the old (z = 1). */
static struct rnn_state step_gru(struct lower *l, const struct rnn *rnn, const struct rnn_direction *way, int64_t step, struct rnn_state before)
{
    int product = GRAPH_NONE, both = rnn_drive(l, rnn, way, step, 0, 2), hidden = rnn_drive(l, rnn, way, step, 2, 1);
    bool late = rnn->linear_before_reset;
    if (before.h != GRAPH_NONE) {
        product = build_linear(l, before.h, way->r, GRAPH_NONE);
        both = build_binary(l, CORE_ADD, both, gate(l, rnn, product, 0, 2));
    }
    both = apply(l, rnn, &way->functions[0], both);
    int update = gate(l, rnn, both, 0, 1), reset = gate(l, rnn, both, 1, 1);
    int added = late ? late_reset(l, rnn, way, product, reset) : early_reset(l, way, before.h, reset);
    if (added != GRAPH_NONE)
        hidden = build_binary(l, CORE_ADD, hidden, added);
    hidden = apply(l, rnn, &way->functions[1], hidden);
    int away = before.h == GRAPH_NONE ? build_unary(l, CORE_NEG, hidden) : build_binary(l, CORE_SUB, before.h, hidden);
    return (struct rnn_state){build_binary(l, CORE_ADD, hidden, build_binary(l, CORE_MUL, update, away)), GRAPH_NONE};
}

/* x with what a gate sees of the cell. */
static int peep(struct lower *l, int x, int cell, int weights)
{
    return cell == GRAPH_NONE || weights == GRAPH_NONE ? x : build_binary(l, CORE_ADD, x, build_binary(l, CORE_MUL, cell, weights));
}

struct lstm_gates {
    int input, output, forget; /* the output gate not yet applied where it waits for the new cell */
};

/* From the first three: input, output, forget. Without peepholes they are one function of one value. */
static struct lstm_gates open_gates(struct lower *l, const struct rnn *rnn, const struct rnn_direction *way, int three, int cell)
{
    const struct rnn_function *f = &way->functions[0];
    if (way->peepholes[0] == GRAPH_NONE) {
        three = apply(l, rnn, f, three);
        return (struct lstm_gates){gate(l, rnn, three, 0, 1), gate(l, rnn, three, 1, 1), gate(l, rnn, three, 2, 1)};
    }
    return (struct lstm_gates){apply(l, rnn, f, peep(l, gate(l, rnn, three, 0, 1), cell, way->peepholes[0])), gate(l, rnn, three, 1, 1),
                               apply(l, rnn, f, peep(l, gate(l, rnn, three, 2, 1), cell, way->peepholes[2]))};
}

/* What goes into the first three gates. *cell: what goes into the cell gate, or GRAPH_NONE where that has a product of its own. */
static int drive_three(struct lower *l, const struct rnn *rnn, const struct rnn_direction *way, int64_t step, int h, int *cell)
{
    unsigned together = way->r_late == GRAPH_NONE ? 4 : 3;
    int all = drive(l, rnn_drive(l, rnn, way, step, 0, together), h, way->r);
    *cell = together == 4 ? gate(l, rnn, all, 3, 1) : GRAPH_NONE;
    return together == 4 ? gate(l, rnn, all, 0, 3) : all;
}

/* The order of nodes is the order of work: all that needs no cell gate stands in front of its product. */
static struct rnn_state step_lstm(struct lower *l, const struct rnn *rnn, const struct rnn_direction *way, int64_t step, struct rnn_state before)
{
    int cell, three = drive_three(l, rnn, way, step, before.h, &cell);
    struct lstm_gates gates = open_gates(l, rnn, way, three, before.c);
    if (rnn->input_forget)
        gates.forget = build_from(l, CORE_SUB, 1, gates.input);
    int kept = before.c == GRAPH_NONE ? GRAPH_NONE : build_binary(l, CORE_MUL, gates.forget, before.c);
    if (way->r_late != GRAPH_NONE)
        cell = drive(l, rnn_drive(l, rnn, way, step, 3, 1), before.h, way->r_late);
    cell = build_binary(l, CORE_MUL, gates.input, apply(l, rnn, &way->functions[1], cell));
    if (kept != GRAPH_NONE)
        cell = build_binary(l, CORE_ADD, kept, cell);
    if (way->peepholes[0] != GRAPH_NONE)
        gates.output = apply(l, rnn, &way->functions[0], peep(l, gates.output, cell, way->peepholes[1]));
    return (struct rnn_state){build_binary(l, CORE_MUL, gates.output, apply(l, rnn, &way->functions[2], cell)), cell};
}

struct rnn_state rnn_step(struct lower *l, const struct rnn *rnn, const struct rnn_direction *way, int64_t step, struct rnn_state before)
{
    switch (rnn->gates) {
    case RNN_GATES_RNN:
        return step_rnn(l, rnn, way, step, before);
    case RNN_GATES_GRU:
        return step_gru(l, rnn, way, step, before);
    default:
        return step_lstm(l, rnn, way, step, before);
    }
}
