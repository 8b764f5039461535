/* cmd_paper.c: weft paper isca2017: a paper's tables beside ours. */
#include "cli.h"

#include <string.h>

#include "weft_explore.h"

enum { KEY_ONLY = 0x300, KEY_TABLES };

struct options {
    struct cli_options common;
    const char *paper, *only;
    bool tables;
};

static const struct argp_child children[] = {{&cli_machine_argp, 0, NULL, 1}, {&cli_common_argp, 0, NULL, 9}, {0}};

static const char *checked_network(const char *name, struct argp_state *state)
{
    const char *known[16];
    size_t count = 0;
    for (; count < 16 && weft_paper_network(count); count++)
        if (!strcmp(known[count] = weft_paper_network(count), name))
            return name;
    const char *near = weft_nearest(name, known, count);
    argp_error(state, "the paper has no network '%s'; %s%s%s", name, near ? "did you mean " : "it has MLP0, MLP1, LSTM0, LSTM1, CNN0, CNN1", near ? near : "",
               near ? "?" : "");
    return NULL;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case KEY_ONLY: options->only = checked_network(text, state); return 0;
    case KEY_TABLES: options->tables = true; return 0;
    case ARGP_KEY_ARG:
        if (options->paper)
            argp_error(state, "one paper at a time; '%s' is a second one", text);
        if (strcmp(text, "isca2017"))
            argp_error(state, "there is no paper '%s'; isca2017 is", text);
        options->paper = text;
        return 0;
    case ARGP_KEY_END:
        if (!options->paper)
            argp_error(state, "which paper? weft paper isca2017");
        return 0;
    default: return cli_children(key, state, children);
    }
}

static const struct argp_option options_table[] = {
    {"only", KEY_ONLY, "NETWORK", 0, "one network, such as MLP1 (all six)", 0},
    {"tables", KEY_TABLES, NULL, 0, "tables 1 and 3 without figure 11", 0},
    {0},
};
static const struct argp argp = {options_table,
                                 parse,
                                 "isca2017",
                                 "Rebuilds tables 1 and 3 and figure 11 of Jouppi et al., In-Datacenter Performance Analysis of a Tensor Processing Unit (ISCA 2017): "
                                 "each published figure, ours, the difference.\v"
                                 "The six networks are in models/isca2017, each with the assumptions that it rests on; docs/validation.md says where the figures "
                                 "differ and why.",
                                 children,
                                 NULL,
                                 NULL};

int cmd_paper(int argc, char **argv)
{
    struct options options = {0};
    struct weft_paper_options paper = {0};
    struct weft_diag diag = cli_diag();
    argp_parse(&argp, argc, argv, 0, NULL, &options);
    enum weft_status status = cli_machine(&paper.machine, &options.common, &diag);
    paper.only = options.only;
    paper.scaling = !options.tables;
    if (!status)
        status = weft_paper_isca2017(stdout, &paper, &diag);
    cli_options_free(&options.common);
    return cli_status(status, &diag);
}
