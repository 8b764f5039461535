/* conformance.c: finds ONNX's backend tests in a folder and runs each in a process of its own, so that whatever a file does, the next one
 * has its turn: a child has so many seconds and so much memory, and tells through a pipe what came of it. */
#include "conformance.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEPTH_MAX = 16 };

struct walk {
    struct conformance_options *options;
    struct weft_diag *diag;
    size_t counts[CONFORMANCE_OUTCOMES];
};

/* --- one test in a process of its own ---------------------------------------------------------------------------------- */

/* Beyond what is mapped now: a sanitizer maps terabytes that it never touches. */
static void bound_memory(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%llu", &pages) == 1) {
        rlim_t most = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + ((rlim_t)CONFORMANCE_MEMORY_GIB << 30);
        setrlimit(RLIMIT_AS, &(struct rlimit){most, most});
    }
    if (file)
        fclose(file);
}

static void child(int to, const char *folder, const struct conformance_options *options)
{
    struct conformance_result result;
    bound_memory();
    conformance_test(&result, folder, options);
    ssize_t written = write(to, &result, sizeof result);
    _exit(written == (ssize_t)sizeof result ? 0 : 1);
}

/* The child's answer: false: none came in time, or none at all. */
static bool hear(struct conformance_result *out, int from, unsigned seconds, bool *late)
{
    struct timespec start;
    size_t got = 0;
    clock_gettime(CLOCK_MONOTONIC, &start);
    *late = false;
    while (got < sizeof *out) {
        double left = (double)seconds - cli_seconds_since(&start);
        int ready = left <= 0 ? 0 : poll(&(struct pollfd){from, POLLIN, 0}, 1, (int)(1000 * left) + 1);
        if (ready < 0 && errno == EINTR)
            continue;
        *late = ready == 0;
        ssize_t bytes = ready > 0 ? read(from, (char *)out + got, sizeof *out - got) : 0;
        if (bytes <= 0)
            return false;
        got += (size_t)bytes;
    }
    return true;
}

static void say_end(struct conformance_result *out, int status, bool late, unsigned seconds)
{
    out->outcome = CONFORMANCE_FAILED;
    if (late)
        snprintf(out->reason, sizeof out->reason, "not done after %u seconds; --seconds gives it longer", seconds);
    else if (WIFSIGNALED(status))
        snprintf(out->reason, sizeof out->reason, "ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(out->reason, sizeof out->reason, "ended early, with exit status %d", WEXITSTATUS(status));
}

static enum weft_status run_apart(struct conformance_result *out, const char *folder, const struct walk *walk)
{
    int ends[2], status = 0;
    bool late;
    if (pipe(ends))
        return weft_error(walk->diag, "%s: no pipe to the test's process: %s", folder, strerror(errno));
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        int why = errno;
        close(ends[0]), close(ends[1]);
        return weft_error(walk->diag, "%s: no process for the test: %s", folder, strerror(why));
    }
    if (pid == 0)
        child(ends[1], folder, walk->options);
    close(ends[1]);
    bool heard = hear(out, ends[0], walk->options->seconds, &late);
    close(ends[0]);
    if (late)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!heard)
        say_end(out, status, late, walk->options->seconds);
    return WEFT_OK;
}

/* --- the walk ---------------------------------------------------------------------------------------------------------- */

static void tell(const struct walk *walk, const char *folder, const struct conformance_result *result)
{
    static const char *const words[] = {"passed", "failed", "unsupported"};
    const char *root = walk->options->folder;
    size_t length = strlen(root);
    const char *name = strcmp(folder, root) ? folder + length + (folder[length] == '/') : cli_base_name(folder);
    if (result->outcome == CONFORMANCE_PASSED && !walk->options->common.verbose)
        return;
    if (result->outcome != CONFORMANCE_FAILED && walk->options->common.quiet)
        return;
    printf("%-11s %s%s%s\n", words[result->outcome], name, result->reason[0] ? ": " : "", result->reason);
}

static enum weft_status visit_test(struct walk *walk, const char *folder)
{
    struct conformance_result result;
    enum weft_status status = run_apart(&result, folder, walk);
    if (status)
        return status;
    walk->counts[result.outcome]++;
    tell(walk, folder, &result);
    return WEFT_OK;
}

static bool is_folder(const char *path)
{
    struct stat about;
    return !stat(path, &about) && S_ISDIR(about.st_mode);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static enum weft_status visit(struct walk *walk, const char *folder, unsigned depth);

static enum weft_status visit_inside(struct walk *walk, const char *folder, const char *name, unsigned depth)
{
    char *path;
    if (asprintf(&path, "%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/", name) < 0)
        return WEFT_NO_MEMORY;
    enum weft_status status = is_folder(path) ? visit(walk, path, depth) : WEFT_OK;
    free(path);
    return status;
}

/* A folder with a model.onnx is a test; any other is looked through, in order of names. */
static enum weft_status visit(struct walk *walk, const char *folder, unsigned depth)
{
    char *model;
    if (asprintf(&model, "%s/model.onnx", folder) < 0)
        return WEFT_NO_MEMORY;
    bool is_test = access(model, F_OK) == 0;
    free(model);
    if (is_test)
        return visit_test(walk, folder);
    if (depth == DEPTH_MAX)
        return weft_error(walk->diag, "%s: tests are looked for at most %d folders deep", folder, DEPTH_MAX);
    struct dirent **entries;
    int count = scandir(folder, &entries, is_visible, versionsort);
    if (count < 0)
        return weft_error(walk->diag, "%s: cannot be looked through: %s", folder, strerror(errno));
    enum weft_status status = WEFT_OK;
    for (int i = 0; i < count; i++) {
        status = status ? status : visit_inside(walk, folder, entries[i]->d_name, depth + 1);
        free(entries[i]);
    }
    free(entries);
    return status;
}

enum weft_status conformance_run(struct conformance_options *options, struct weft_diag *diag)
{
    struct walk walk = {.options = options, .diag = diag};
    const size_t *counts = walk.counts;
    if (!is_folder(options->folder))
        return weft_error(diag, "%s: no such folder; a test is a folder with model.onnx and test_data_set_0", options->folder);
    enum weft_status status = visit(&walk, options->folder, 0);
    size_t all = counts[CONFORMANCE_PASSED] + counts[CONFORMANCE_FAILED] + counts[CONFORMANCE_UNSUPPORTED];
    if (status)
        return status;
    if (!all)
        return weft_error(diag, "%s: no folder in it has a model.onnx, so there is no test", options->folder);
    printf("%zu tests on %s in %s: %zu passed, %zu failed, %zu unsupported\n", all, options->machine.name, options->common.compile.format,
           counts[CONFORMANCE_PASSED], counts[CONFORMANCE_FAILED], counts[CONFORMANCE_UNSUPPORTED]);
    if (counts[CONFORMANCE_FAILED])
        return weft_error(diag, "%s: %zu of %zu tests failed", options->folder, counts[CONFORMANCE_FAILED], all);
    return WEFT_OK;
}
