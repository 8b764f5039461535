/* file.c: whole files in, whole files out. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weft_isa.h"

/* --- out ---------------------------------------------------------------------------------------------------------------- */

/* O_EXCL and a number that no other process of this host uses at once; mkostemp would leave the mode 0600. */
static int create_beside(char *path, size_t length, const char *target)
{
    for (unsigned attempt = 0; attempt < 1000; attempt++) {
        snprintf(path, length, "%s.%ld-%u.tmp", target, (long)getpid(), attempt);
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

/* The file that the last of a chain of symbolic links names, there or not. NULL: no memory, or a chain without end. Caller frees. */
static char *follow_links(const char *path)
{
    char *at = strdup(path);
    for (unsigned links = 0; at && links < 40; links++) {
        char to[4096];
        ssize_t length = readlink(at, to, sizeof to - 1);
        if (length < 0)
            return at;
        to[length] = '\0';
        const char *slash = strrchr(at, '/');
        char *next;
        if (asprintf(&next, "%.*s%s", to[0] == '/' || !slash ? 0 : (int)(slash + 1 - at), at, to) < 0)
            next = NULL;
        free(at);
        at = next;
    }
    if (at)
        errno = ELOOP;
    free(at);
    return NULL;
}

/* Opens what must not be replaced: no regular file, or (as /dev/stdout) the one that standard output goes to. *in_place: it is such a thing. */
static int open_in_place(const char *path, bool *in_place)
{
    struct stat there, standard;
    *in_place = false;
    if (stat(path, &there) || S_ISDIR(there.st_mode))
        return -1;
    *in_place = true;
    if (fstat(STDOUT_FILENO, &standard) == 0 && standard.st_dev == there.st_dev && standard.st_ino == there.st_ino) {
        fflush(stdout);
        return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
    }
    *in_place = !S_ISREG(there.st_mode);
    return *in_place ? open(path, O_WRONLY | O_CLOEXEC) : -1;
}

static int open_beside(struct weft_aside *out)
{
    out->target = follow_links(out->name);
    size_t length = out->target ? strlen(out->target) + 64 : 0;
    out->path = out->target ? calloc(length, 1) : NULL;
    if (!out->path)
        return -1;
    weft_temporary_add(out->path); /* before the file is there, or a signal in between would leave it */
    return create_beside(out->path, length, out->target);
}

enum weft_status weft_aside_open(struct weft_aside *out, const char *path, struct weft_diag *diag)
{
    bool in_place;
    *out = (struct weft_aside){.name = path};
    errno = 0;
    out->fd = open_in_place(path, &in_place);
    if (!in_place)
        out->fd = open_beside(out);
    if (out->fd >= 0)
        return WEFT_OK;
    int reason = errno;
    if (out->path && weft_temporary_forget(out->path))
        free(out->path);
    free(out->target);
    *out = (struct weft_aside){.fd = -1, .name = path};
    return reason == ENOMEM ? WEFT_NO_MEMORY : weft_error(diag, "%s: cannot be written: %s", path, strerror(reason));
}

enum weft_status weft_aside_put(struct weft_aside *aside, const void *bytes, size_t size, struct weft_diag *diag)
{
    const char *at = bytes;
    while (size) {
        ssize_t n = write(aside->fd, at, size < (1u << 30) ? size : 1u << 30);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return weft_error(diag, "%s: cannot be written: %s", aside->name, strerror(errno));
        at += n;
        size -= (size_t)n;
    }
    return WEFT_OK;
}

enum weft_status weft_aside_close(struct weft_aside *aside, enum weft_status status, struct weft_diag *diag)
{
    if (close(aside->fd) && status == WEFT_OK)
        status = weft_error(diag, "%s: cannot be written: %s", aside->name, strerror(errno));
    if (status == WEFT_OK && aside->path && rename(aside->path, aside->target))
        status = weft_error(diag, "%s: cannot be written: %s", aside->name, strerror(errno));
    if (status != WEFT_OK && aside->path)
        unlink(aside->path);
    if (aside->path && weft_temporary_forget(aside->path))
        free(aside->path);
    free(aside->target);
    *aside = (struct weft_aside){.fd = -1};
    return status;
}

enum weft_status weft_file_write(const char *path, const void *bytes, size_t size, struct weft_diag *diag)
{
    struct weft_aside aside;
    enum weft_status status = weft_aside_open(&aside, path, diag);
    if (status != WEFT_OK)
        return status;
    return weft_aside_close(&aside, weft_aside_put(&aside, bytes, size, diag), diag);
}

const char *weft_gzip_mode(const char *path)
{
    size_t length = strlen(path);
    return length > 3 && !strcmp(path + length - 3, ".gz") ? "wb6" : "wbT";
}

/* --- the same ------------------------------------------------------------------------------------------------------------ */

/* Where a regular file is or would be: by its own number, or by that of the folder and the name in it. */
struct place { dev_t device; ino_t number; char name[256]; };

static bool find_place(struct place *out, const char *path)
{
    struct stat info;
    char *target = follow_links(path);
    *out = (struct place){0};
    bool there = target && stat(target, &info) == 0, known = there && S_ISREG(info.st_mode);
    if (target && !there) {
        char *slash = strrchr(target, '/');
        snprintf(out->name, sizeof out->name, "%s", slash ? slash + 1 : target);
        if (slash)
            slash[1] = '\0';
        known = stat(slash ? target : ".", &info) == 0;
    }
    free(target);
    out->device = known ? info.st_dev : 0;
    out->number = known ? info.st_ino : 0;
    return known;
}

bool weft_file_same(const char *a, const char *b)
{
    struct place one, other;
    return find_place(&one, a) && find_place(&other, b) && one.device == other.device && one.number == other.number && !strcmp(one.name, other.name);
}

/* --- in ----------------------------------------------------------------------------------------------------------------- */

/* Reads to the end of the stream, which may be longer or shorter than its size said (a pipe has none). */
static enum weft_status read_all(char **out, size_t *bytes, FILE *in, size_t room, const char *path, size_t limit, struct weft_diag *diag)
{
    char *text = malloc(room + 1);
    size_t used = 0, n;
    while (text && (n = fread(text + used, 1, room - used, in)) > 0) {
        used += n;
        if (used > limit)
            break;
        if (used == room) {
            room = room * 2 + 4096;
            char *more = realloc(text, room + 1);
            if (!more)
                free(text);
            text = more;
        }
    }
    if (!text)
        return WEFT_NO_MEMORY;
    if (ferror(in) || used > limit) {
        free(text);
        return ferror(in) ? weft_error(diag, "%s: cannot be read: %s", path, strerror(errno))
                          : weft_error(diag, "%s: the file has more than %zu bytes, the most that is read", path, limit);
    }
    text[used] = '\0'; /* so that text can be read as a string */
    *out = text;
    *bytes = used;
    return WEFT_OK;
}

enum weft_status weft_file_read(char **out, size_t *bytes, const char *path, size_t limit, struct weft_diag *diag)
{
    *out = NULL;
    *bytes = 0;
    FILE *in = fopen(path, "rb");
    if (!in)
        return weft_error(diag, "%s: cannot be read: %s", path, strerror(errno));
    struct stat info;
    enum weft_status status;
    if (fstat(fileno(in), &info) == 0 && S_ISDIR(info.st_mode))
        status = weft_error(diag, "%s: is a directory", path);
    else if (S_ISREG(info.st_mode) && (uintmax_t)info.st_size > limit)
        status = weft_error(diag, "%s: the file has %jd bytes; at most %zu are read", path, (intmax_t)info.st_size, limit);
    else
        status = read_all(out, bytes, in, S_ISREG(info.st_mode) ? (size_t)info.st_size + 1 : 65536, path, limit, diag);
    fclose(in);
    return status;
}
