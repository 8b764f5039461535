/* folder.c: what lies in a folder of the data directory, by name. */
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum weft_status add(struct folder *folder, const char *file, const char *ending)
{
    size_t length = strlen(file), tail = strlen(ending);
    if (length <= tail || strcmp(file + length - tail, ending))
        return WEFT_OK;
    char **names = reallocarray(folder->names, folder->count + 1, sizeof *names);
    if (!names)
        return WEFT_NO_MEMORY;
    folder->names = names;
    names[folder->count] = strndup(file, length - tail);
    return names[folder->count] ? (folder->count++, WEFT_OK) : WEFT_NO_MEMORY;
}

enum weft_status folder_list(struct folder *out, const char *name, const char *ending, struct weft_diag *diag)
{
    char path[4096];
    *out = (struct folder){0};
    snprintf(path, sizeof path, "%s/%s", weft_data_directory(), name);
    DIR *directory = opendir(path);
    if (!directory)
        return weft_error(diag, "%s: cannot be read: %s; WEFT_DATA may name the folder that holds machines/ and models/", path,
                          strerror(errno));
    enum weft_status status = WEFT_OK;
    for (struct dirent *entry; !status && (entry = readdir(directory));)
        status = add(out, entry->d_name, ending);
    closedir(directory);
    if (out->count)
        qsort(out->names, out->count, sizeof *out->names, by_name);
    if (status)
        folder_free(out);
    return status;
}

void folder_free(struct folder *folder)
{
    for (size_t i = 0; i < folder->count; i++)
        free(folder->names[i]);
    free(folder->names);
    *folder = (struct folder){0};
}
