/* cmd_models.c: weft models */
#include "cli.h"
#include "folder.h"

#include <stdlib.h>
#include <string.h>

static error_t parse(int key, char *text, struct argp_state *state)
{
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    argp_error(state, "takes no argument");
    return 0;
}

static const struct argp argp = {NULL,
                                 parse,
                                 NULL,
                                 "Lists the networks that come with Weft: multiply-accumulates of one inference (of 128 tokens, where the "
                                 "file leaves that open), weights, source.\v"
                                 "Each name can stand where a network file can: weft run resnet50.",
                                 NULL,
                                 NULL,
                                 NULL};

/* The comment lines at the head of the file say what the network is and where it comes from. */
static enum weft_status print_source(const char *path, struct weft_diag *diag)
{
    char *text;
    size_t bytes;
    enum weft_status status = weft_file_read(&text, &bytes, path, 64u << 20, diag);
    if (status)
        return status;
    const char *line = text, *end = text + bytes;
    while (line < end && *line == '#') {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        stop = stop ? stop : end;
        line += 1 + (line + 1 < stop && line[1] == ' ');
        printf("    %.*s\n", (int)(stop - line), line);
        line = stop + (stop < end);
    }
    free(text);
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
    status = weft_network_load(&network, path, &options, diag);
    if (!status) {
        struct weft_network_summary summary = weft_network_summary(network);
        printf("%-20s %10.4f GMAC %10.3f M weights\n", name, 1e-9 * (double)summary.macs, 1e-6 * (double)summary.weights);
        status = print_source(path, diag);
    }
    weft_network_free(network);
    free(path);
    return status;
}

int cmd_models(int argc, char **argv)
{
    struct weft_diag diag = cli_diag();
    struct folder folder;
    argp_parse(&argp, argc, argv, 0, NULL, NULL);
    enum weft_status status = folder_list(&folder, "models", ".onnxtxt", &diag);
    for (size_t i = 0; i < folder.count && !status; i++)
        status = print_model(folder.names[i], &diag);
    folder_free(&folder);
    return cli_status(status, &diag);
}
