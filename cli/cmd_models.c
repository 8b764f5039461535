/* cmd_models.c: weft models */
#include "cli.h"
#include "folder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct options {
    const char *network, *out;
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct options *options = state->input;
    if (key == 'o')
        cli_once(state, "-o", &options->out, text);
    else if (key == ARGP_KEY_ARG && !options->network)
        options->network = text;
    else if (key == ARGP_KEY_ARG)
        argp_error(state, "one network at a time; '%s' is a second one", text);
    else if (key == ARGP_KEY_END && options->out && !options->network)
        argp_error(state, "-o %s: which network?", options->out);
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static const struct argp_option options_table[] = {
    {"output", 'o', "FILE.onnx", 0, "write NETWORK as an ONNX file with its weights, for other runtimes", 0},
    {0},
};
static const struct argp argp = {options_table,
                                 parse,
                                 "\nNETWORK [-o FILE.onnx]",
                                 "Lists the networks that come with Weft, or one network: multiply-accumulates of one inference (of 128 tokens, "
                                 "where the file leaves that open), weights, source.\v"
                                 "Each name can stand where a network file can: weft run resnet50.",
                                 NULL,
                                 NULL,
                                 NULL};

/* The comment lines at the head of the file say what the network is and where it comes from. */
static enum weft_status print_source(const char *path, struct weft_diag *diag)
{
    char *line = NULL;
    size_t room = 0;
    FILE *file = fopen(path, "r");
    if (!file)
        return weft_error(diag, "%s: cannot be read: %s", path, strerror(errno));
    for (ssize_t length; getc(file) == '#' && (length = getline(&line, &room, file)) > 0;)
        printf("    %s%s", line + (*line == ' '), line[length - 1] == '\n' ? "" : "\n");
    free(line);
    fclose(file);
    return WEFT_OK;
}

static enum weft_status print_model(const char *name, struct weft_diag *diag)
{
    char *path;
    struct weft_network *network = NULL;
    const struct weft_dim dims[] = {{"seq", 128, true}, {"past", 127, true}};
    struct weft_compile_options options = {.timing_only = true, .dims = dims, .dim_count = sizeof dims / sizeof *dims};
    enum weft_status status = cli_network_path(&path, name, diag);
    if (status)
        return status;
    status = cli_network_load(&network, path, &options, diag);
    if (!status) {
        struct weft_network_summary summary = weft_network_summary(network);
        printf("%-20s %10.4f GMAC %10.3f M weights\n", name, 1e-9 * (double)summary.macs, 1e-6 * (double)summary.weights);
        status = print_source(path, diag);
    }
    weft_network_free(network);
    free(path);
    return status;
}

static enum weft_status list_all(struct weft_diag *diag)
{
    struct folder folder;
    enum weft_status status = folder_list(&folder, "models", ".onnxtxt", diag);
    for (size_t i = 0; i < folder.count && !status; i++)
        status = print_model(folder.names[i], diag);
    folder_free(&folder);
    return status;
}

static enum weft_status export(const struct options *options, struct weft_diag *diag)
{
    char *path;
    enum weft_status status = cli_network_path(&path, options->network, diag);
    if (status)
        return status;
    struct cli_outputs outputs = {diag};
    cli_writes(&outputs, "-o", options->out);
    cli_reads(&outputs, path);
    status = outputs.status ? outputs.status : cli_want_network(path, diag);
    if (!status)
        status = weft_network_export(path, options->out, diag);
    free(path);
    return status;
}

int cmd_models(int argc, char **argv)
{
    struct weft_diag diag = cli_diag();
    struct options options = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &options);
    return cli_status(options.out ? export(&options, &diag) : options.network ? print_model(options.network, &diag) : list_all(&diag), &diag);
}
