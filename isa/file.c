/* file.c: whole files in, whole files out. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

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

enum weft_status file_open_aside(struct file_aside *out, const char *path, struct weft_diag *diag)
{
    size_t length = strlen(path) + 64;
    *out = (struct file_aside){.fd = -1, .path = malloc(length), .target = path};
    if (!out->path)
        return WEFT_NO_MEMORY;
    out->fd = create_beside(out->path, length, path);
    if (out->fd >= 0)
        return WEFT_OK;
    int reason = errno;
    free(out->path);
    out->path = NULL;
    return weft_error(diag, "%s: cannot be written: %s", path, strerror(reason));
}

enum weft_status file_put(struct file_aside *aside, const void *bytes, size_t size, struct weft_diag *diag)
{
    const char *at = bytes;
    while (size) {
        ssize_t n = write(aside->fd, at, size < (1u << 30) ? size : 1u << 30);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return weft_error(diag, "%s: cannot be written: %s", aside->target, strerror(errno));
        at += n;
        size -= (size_t)n;
    }
    return WEFT_OK;
}

enum weft_status file_close_aside(struct file_aside *aside, enum weft_status status, struct weft_diag *diag)
{
    if (close(aside->fd) && status == WEFT_OK)
        status = weft_error(diag, "%s: cannot be written: %s", aside->target, strerror(errno));
    if (status == WEFT_OK && rename(aside->path, aside->target))
        status = weft_error(diag, "%s: cannot be written: %s", aside->target, strerror(errno));
    if (status != WEFT_OK)
        unlink(aside->path);
    free(aside->path);
    aside->path = NULL;
    return status;
}

/* /dev/null, a pipe, a terminal: nothing to rename onto, so it is written in place. */
static bool is_special(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

static enum weft_status write_in_place(const char *path, const void *bytes, size_t size, struct weft_diag *diag)
{
    struct file_aside place = {.fd = open(path, O_WRONLY | O_CLOEXEC), .target = path};
    if (place.fd < 0)
        return weft_error(diag, "%s: cannot be written: %s", path, strerror(errno));
    enum weft_status status = file_put(&place, bytes, size, diag);
    close(place.fd);
    return status;
}

enum weft_status weft_file_write(const char *path, const void *bytes, size_t size, struct weft_diag *diag)
{
    if (is_special(path))
        return write_in_place(path, bytes, size, diag);
    struct file_aside aside;
    enum weft_status status = file_open_aside(&aside, path, diag);
    if (status != WEFT_OK)
        return status;
    return file_close_aside(&aside, file_put(&aside, bytes, size, diag), diag);
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
