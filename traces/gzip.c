#include "gzip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void put(struct gzip *gzip, const char *text, size_t bytes)
{
    if (!gzip->failed && gzwrite(gzip->file, text, (unsigned)bytes) != (int)bytes)
        gzip->failed = true;
}

/* A name beside the file, so that rename stays on one file system. What is there and no regular file (a pipe, /dev/null) is written to,
 * never replaced. */
static int open_aside(struct gzip *gzip)
{
    struct stat there;
    if (stat(gzip->path, &there) == 0 && !S_ISREG(there.st_mode))
        return open(gzip->path, O_WRONLY | O_CLOEXEC);
    if (asprintf(&gzip->aside, "%s.%ld.part", gzip->path, (long)getpid()) < 0) {
        gzip->aside = NULL;
        return -1;
    }
    int descriptor = open(gzip->aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        free(gzip->aside);
        gzip->aside = NULL;
    }
    return descriptor;
}

enum weft_status gzip_open(struct gzip *gzip, const char *path, struct weft_diag *diag)
{
    *gzip = (struct gzip){.path = strdup(path)};
    int descriptor = gzip->path ? open_aside(gzip) : -1;
    if (descriptor < 0)
        return weft_error(diag, "%s: cannot be written: %s", path, strerror(errno));
    gzip->file = gzdopen(descriptor, "wb6");
    if (!gzip->file) {
        close(descriptor);
        return WEFT_NO_MEMORY;
    }
    static const char head[] = "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"one microsecond\":\"one core cycle\"},\"traceEvents\":[\n";
    put(gzip, head, sizeof head - 1);
    return WEFT_OK;
}

static int dump(const char *text, size_t bytes, void *user)
{
    put(user, text, bytes);
    return 0;
}

void gzip_event(struct gzip *gzip, json_t *event)
{
    if (!event) {
        gzip->failed = true; /* out of memory: the file would not be whole */
        errno = ENOMEM;
        return;
    }
    if (gzip->some)
        put(gzip, ",\n", 2);
    gzip->some = true;
    if (json_dump_callback(event, dump, gzip, JSON_COMPACT))
        gzip->failed = true;
    json_decref(event);
}

enum weft_status gzip_finish(struct gzip *gzip, struct weft_diag *diag)
{
    put(gzip, "\n]}\n", 4);
    bool closed = gzclose(gzip->file) == Z_OK;
    gzip->file = NULL;
    if (gzip->failed || !closed)
        return weft_error(diag, "%s: cannot be written: %s", gzip->path, errno ? strerror(errno) : "the trace is not whole");
    if (gzip->aside && rename(gzip->aside, gzip->path))
        return weft_error(diag, "%s: cannot be written: %s", gzip->path, strerror(errno));
    free(gzip->aside);
    gzip->aside = NULL;
    return WEFT_OK;
}

void gzip_close(struct gzip *gzip)
{
    if (gzip->file)
        gzclose(gzip->file);
    if (gzip->aside)
        unlink(gzip->aside);
    free(gzip->aside);
    free(gzip->path);
    *gzip = (struct gzip){0};
}
