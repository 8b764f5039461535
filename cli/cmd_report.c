/* cmd_report.c: weft report RESULTS.db -o OUT.html */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#include "weft_explore.h"

struct options {
    struct cli_options common;
    const char *store, *out;
};

static const struct argp_child children[] = {{&cli_common_argp, 0, NULL, 9}, {0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case 'o':
        cli_once(state, "-o", &options->out, text);
        return 0;
    case ARGP_KEY_ARG:
        if (options->store)
            argp_error(state, "one store at a time; '%s' is a second one (`weft sweep --merge` joins them)", text);
        options->store = text;
        return 0;
    case ARGP_KEY_END:
        if (!options->store || !options->out)
            argp_error(state, "which store, and into which page? weft report results.db -o results.html");
        return 0;
    default:
        return cli_children(key, state, children);
    }
}

static const struct argp_option options_table[] = {{"output", 'o', "FILE.html", 0, "the page", 0}, {0}};
static const struct argp argp = {options_table,
                                 parse,
                                 "RESULTS.db",
                                 "Writes what a sweep found as one page for a browser: Pareto front, heat map over two axes, sortable table.\v"
                                 "RESULTS.db is what `weft sweep` filled. The page needs nothing beside it. The page of a single run is "
                                 "`weft run --report html=FILE`.",
                                 children,
                                 NULL,
                                 NULL};

int cmd_report(int argc, char **argv)
{
    struct options options = {0};
    struct weft_diag diag = cli_diag();
    argp_parse(&argp, argc, argv, 0, NULL, &options);
    char *page;
    struct cli_outputs outputs = {&diag};
    cli_writes(&outputs, "-o", options.out);
    cli_reads(&outputs, options.store);
    enum weft_status status = outputs.status ? outputs.status : weft_results_html(&page, options.store, &diag);
    if (!status) {
        status = weft_file_write(options.out, page, strlen(page), &diag);
        free(page);
    }
    if (!status && !options.common.quiet)
        fprintf(stderr, "weft: wrote the page: %s\n", options.out);
    cli_options_free(&options.common);
    return cli_status(status, &diag);
}
