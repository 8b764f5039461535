/* file.h: output files that appear whole or not at all. Private to isa/. */
#ifndef WEFT_ISA_FILE_H
#define WEFT_ISA_FILE_H

#include "weft_isa.h"

/* A file that is written aside. */
struct file_aside {
    int fd;
    char *path; /* of the temporary */
    const char *target;
};

enum weft_status file_open_aside(struct file_aside *out, const char *path, struct weft_diag *diag);
/* Puts the file in its place if `status` is WEFT_OK, else removes it. Returns the status, or why the file could not be put there. */
enum weft_status file_close_aside(struct file_aside *aside, enum weft_status status, struct weft_diag *diag);
/* All of it, or an error. */
enum weft_status file_put(struct file_aside *aside, const void *bytes, size_t size, struct weft_diag *diag);

#endif
