/* gzip.h: a JSON array, gzipped if its name ends in .gz, written event by event, aside, then renamed. Private to traces/. */
#ifndef WEFT_TRACES_GZIP_H
#define WEFT_TRACES_GZIP_H

#include <jansson.h>
#include <zlib.h>
#include "weft_isa.h"

struct gzip {
    gzFile file;
    char *path;
    struct weft_aside aside;
    bool is_open, failed, some; /* aside is open; a write failed; an event has been written */
};

enum weft_status gzip_open(struct gzip *gzip, const char *path, struct weft_diag *diag);
void gzip_event(struct gzip *gzip, json_t *event); /* takes the event */
enum weft_status gzip_finish(struct gzip *gzip, struct weft_diag *diag);
void gzip_close(struct gzip *gzip); /* removes what is aside */

#endif
