/* folder.h: what lies in machines/ and models/. Private to cli/. */
#ifndef WEFT_CLI_FOLDER_H
#define WEFT_CLI_FOLDER_H

#include "weft_isa.h"

struct folder {
    char **names; /* sorted, without ending */
    size_t count;
};
/* Files of the data directory's folder `name` with this ending. */
enum weft_status folder_list(struct folder *out, const char *name, const char *ending, struct weft_diag *diag);
void folder_free(struct folder *folder);

#endif
