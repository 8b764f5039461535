/* lower_rnn.h: what RNN, GRU and LSTM share. Private to compiler/.
 *
 * A recurrent layer is unrolled over time. What its inputs contribute to the gates is one product for all steps and both
 * directions, of [steps x batch] rows; each step adds one product of the state for all of its gates. A GRU that resets before
 * its product multiplies the last gate by itself, and so does a wide LSTM: while its cell gate is multiplied, the functions
 * of the others are already at work. lower_rnn.c reads the node and walks over the steps, lower_rnn_cells.c holds one step of each.
 */
#ifndef WEFT_COMPILER_LOWER_RNN_H
#define WEFT_COMPILER_LOWER_RNN_H

#include "lower_build.h"

enum { RNN_GATES_RNN = 1, RNN_GATES_GRU = 3, RNN_GATES_LSTM = 4, RNN_FUNCTIONS_MAX = 3, RNN_STEPS_MAX = 4096, RNN_WIDE = 256 /* units: narrower gates would share a weight tile */ };

struct rnn_function {
    const struct rnn_function_kind *kind;
    float alpha, beta;
};

struct rnn_state { /* [batch, hidden] each; GRAPH_NONE: zeros */
    int h, c;
};

struct rnn_direction {
    bool reverse;
    struct rnn_function functions[RNN_FUNCTIONS_MAX];
    int r;             /* what meets the state first, [gates x hidden, hidden]: all gates, or all but the last */
    int r_late;        /* the last gate by itself: the cell's of a wide LSTM, the hidden one of a GRU that resets before its product; or GRAPH_NONE */
    int late_bias;     /* of a GRU with linear_before_reset: what its hidden gate adds before the reset, [hidden]; or GRAPH_NONE */
    int peepholes[3];  /* of input, output and forget gate, [hidden]; or GRAPH_NONE */
    struct rnn_state state;
};

struct rnn {
    unsigned gates, functions;
    int64_t steps, batch, input, hidden, directions;
    bool batch_first, input_forget, linear_before_reset;
    float clip; /* 0: none */
    int drive;  /* what the inputs contribute, biases included: [steps x batch, directions x gates x hidden] */
    struct rnn_direction way[2];
};

struct rnn_state rnn_step(struct lower *l, const struct rnn *rnn, const struct rnn_direction *way, int64_t step, struct rnn_state before);
/* What the inputs contribute to `count` gates from `first` at a step: [batch, count x hidden]. */
int rnn_drive(struct lower *l, const struct rnn *rnn, const struct rnn_direction *way, int64_t step, unsigned first, unsigned count);
bool rnn_read_functions(struct lower *l, struct rnn *rnn);

#endif
