/* run.h: the options of `weft run` and its parts. Private to cli/. */
#ifndef WEFT_CLI_RUN_H
#define WEFT_CLI_RUN_H

#include "cli.h"
#include "weft_report.h"
#include "weft_sim.h"

enum { RUN_INPUTS_MAX = 64 };

struct run_options {
    struct cli_options common;
    const char *subject; /* PROGRAM or NETWORK */
    const char *inputs[RUN_INPUTS_MAX];
    size_t input_count;
    const char *out, *trace, *wave, *baseline, *check_network, *technology;
    const char *what_if_network, *decode;
    size_t steps; /* of a language model behind its prompt; 0: an ordinary run */
    bool check, timing, what_if;
    enum weft_engine engine;
    uint64_t from_cycle, to_cycle;
    double check_at;                   /* dB; 0: not given */
    bool text, json, html;                         /* reports asked for */
    const char *text_path, *json_path, *html_path; /* NULL: standard output */
};

void run_writes(struct cli_outputs *outputs, const struct run_options *options); /* every file, for cli_reads... */
enum weft_status run_keeps_weights(const struct run_options *options, const struct weft_network *network, struct weft_diag *diag); /* beside a network that was read */
/* All that run does once its options are known (run.c). */
enum weft_status run_all(struct run_options *options, struct weft_diag *diag);

#endif
