/* apart.c: no command writes over what it reads, nor two files to one place. Asked before anything is read, so that nothing is lost by a slip of the
 * command line. */
#include "cli.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void cli_writes(struct cli_outputs *outputs, const char *option, const char *path)
{
    if (!path || outputs->status)
        return;
    for (size_t i = 0; i < outputs->count && !outputs->status; i++)
        if (weft_file_same(outputs->path[i], path))
            outputs->status = weft_error(outputs->diag, "%s: %s and %s would write the same file; give one of them another name", path, outputs->option[i], option);
    assert(outputs->count < CLI_OUTPUTS_MAX);
    outputs->option[outputs->count] = option;
    outputs->path[outputs->count++] = path;
}

void cli_reads(struct cli_outputs *outputs, const char *path)
{
    for (size_t i = 0; path && i < outputs->count && !outputs->status; i++)
        if (weft_file_same(outputs->path[i], path))
            outputs->status = weft_error(outputs->diag, "%s: %s would write over %s, which this command reads; give another name", outputs->path[i],
                                         outputs->option[i], path);
}

void cli_reads_network(struct cli_outputs *outputs, const char *name)
{
    char *path = NULL;
    if (name && !cli_network_path(&path, name, NULL)) /* else it is refused when it is read */
        cli_reads(outputs, path);
    free(path);
}

void cli_reads_weights(struct cli_outputs *outputs, const struct weft_network *network)
{
    const char *path;
    for (size_t i = 0; (path = weft_network_file(network, i)); i++)
        cli_reads(outputs, path);
}

void cli_reads_options(struct cli_outputs *outputs, const struct cli_options *options)
{
    cli_reads(outputs, options->machine && weft_names_file(options->machine) ? options->machine : NULL);
    cli_reads(outputs, options->compile.calibration);
}
