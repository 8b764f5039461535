/* steps.c: what several subcommands do on their way. */
#include "cli.h"
#include "folder.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct weft_diag cli_diag(void)
{
    return (struct weft_diag){.report = weft_diag_stderr};
}

int cli_status(enum weft_status status, struct weft_diag *diag)
{
    if (status == WEFT_NO_MEMORY)
        weft_error(diag, "out of memory");
    return status ? CLI_FAILED : CLI_OK;
}

void cli_report_named(void *user, const char *message)
{
    const struct cli_named *named = user;
    weft_error(named->to, "%s: %s", named->file, message);
}

enum weft_status cli_machine(struct weft_machine *out, const struct cli_options *options, struct weft_diag *diag)
{
    enum weft_status status = weft_machine_load(out, options->machine ? options->machine : CLI_MACHINE, diag);
    for (size_t i = 0; i < options->set_count && !status; i++)
        status = weft_machine_set(out, options->sets[i], diag);
    return status;
}

/* Why there is no network of this name: the nearest of those there are, and where to see them all. */
static enum weft_status say_unknown(const char *name, struct weft_diag *diag)
{
    struct folder models;
    enum weft_status status = folder_list(&models, "models", ".onnxtxt", diag);
    if (status)
        return status;
    const char *near = weft_nearest(name, (const char *const *)models.names, models.count);
    status = weft_error(diag, "%s: no such file, and no such model; %s%s%s`weft models` lists those there are", name, near ? "did you mean " : "",
                        near ? near : "", near ? "? " : "");
    folder_free(&models);
    return status;
}

enum weft_status cli_network_path(char **out, const char *name, struct weft_diag *diag)
{
    bool file = access(name, F_OK) == 0 || strchr(name, '/') || strchr(name, '.');
    if (file)
        *out = strdup(name);
    else if (asprintf(out, "%s/models/%s.onnxtxt", weft_data_directory(), name) < 0)
        *out = NULL;
    if (!*out)
        return WEFT_NO_MEMORY;
    if (file || access(*out, F_OK) == 0)
        return WEFT_OK;
    free(*out);
    *out = NULL;
    return say_unknown(name, diag);
}

bool cli_ends_with(const char *path, const char *ending)
{
    size_t length = strlen(path), tail = strlen(ending);
    return length >= tail && !strcmp(path + length - tail, ending);
}

static bool is_called_program(const char *path)
{
    struct stat about;
    return cli_ends_with(path, ".tpu") && !stat(path, &about) && S_ISREG(about.st_mode);
}

enum weft_status cli_want_network(const char *path, struct weft_diag *diag)
{
    if (weft_program_is(path))
        return weft_error(diag, "%s: is a program, compiled already; here a network is right: .onnx, .onnxtxt, .csv, or a name of `weft models`", path);
    if (is_called_program(path))
        return weft_error(diag, "%s: is not a program of Weft (an ELF file, as `weft compile` and `weft asm` write it), and the name of a network ends in .onnx, .onnxtxt or .csv", path);
    return WEFT_OK;
}

enum weft_status cli_network_load(struct weft_network **out, const char *path, const struct weft_compile_options *options, struct weft_diag *diag)
{
    enum weft_status status = cli_want_network(path, diag);
    return status ? status : weft_network_load(out, path, options, diag);
}

const char *cli_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

double cli_seconds_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) + 1e-9 * (double)(now.tv_nsec - start->tv_nsec);
}

void cli_progress_start(struct cli_progress *progress, const struct cli_options *options)
{
    *progress = (struct cli_progress){.on = !options->quiet && isatty(STDERR_FILENO)};
    clock_gettime(CLOCK_MONOTONIC, &progress->start);
    progress->last = progress->start;
}

void cli_progress_show(void *user, const char *what, double done)
{
    struct cli_progress *progress = user;
    if (!progress->on || cli_seconds_since(&progress->start) < 1 || cli_seconds_since(&progress->last) < 0.1)
        return;
    clock_gettime(CLOCK_MONOTONIC, &progress->last);
    fprintf(stderr, "\r\033[K%s: %.0f%%", what, 100 * done);
    fflush(stderr);
    progress->shown = true;
}

void cli_progress_end(struct cli_progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
    progress->shown = false;
}
