/* gzip.c: a JSON array, written event by event through zlib. */
#include "gzip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void put(struct gzip *gzip, const char *text, size_t bytes)
{
    if (!gzip->failed && gzwrite(gzip->file, text, (unsigned)bytes) != (int)bytes)
        gzip->failed = true;
}

enum weft_status gzip_open(struct gzip *gzip, const char *path, struct weft_diag *diag)
{
    *gzip = (struct gzip){.path = strdup(path)};
    enum weft_status status = gzip->path ? weft_aside_open(&gzip->aside, gzip->path, diag) : WEFT_NO_MEMORY;
    gzip->is_open = status == WEFT_OK;
    int descriptor = gzip->is_open ? dup(gzip->aside.fd) : -1; /* gzclose closes its own */
    if (descriptor < 0)
        return status ? status : WEFT_NO_MEMORY;
    gzip->file = gzdopen(descriptor, weft_gzip_mode(path));
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
    enum weft_status status = WEFT_OK;
    if (gzip->failed || !closed)
        status = weft_error(diag, "%s: cannot be written: %s", gzip->path, errno ? strerror(errno) : "the trace is not whole");
    gzip->is_open = false;
    return weft_aside_close(&gzip->aside, status, diag);
}

void gzip_close(struct gzip *gzip)
{
    if (gzip->file)
        gzclose(gzip->file);
    if (gzip->is_open)
        weft_aside_close(&gzip->aside, WEFT_ERROR, NULL);
    free(gzip->path);
    *gzip = (struct gzip){0};
}
