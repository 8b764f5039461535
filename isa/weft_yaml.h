/* weft_yaml.h: YAML files that must be right to the last key: machines, technologies, plans. Beside weft_isa.h, since only those who read such files
 * need libcyaml, which holds a file to a schema, and libyaml, which knows where a node lies.
 *
 * A schema reads values as text. Who loads the file takes the text for what it stands for, so that "3x" is no number, and says what is wrong with it
 * through weft_yaml_error, which knows the line:
 *
 *     struct weft_yaml yaml = {path, text, bytes, "a machine file begins with name: NAME", diag};
 *     void *data;
 *     enum weft_status status = weft_yaml_load(&data, &yaml, &schema);
 *     if (!status && !right(data))
 *         status = weft_yaml_error(&yaml, "array.rows.value", "array.rows is ...");
 *     weft_yaml_free(data, &schema);
 */
#ifndef WEFT_YAML_H
#define WEFT_YAML_H

#include <cyaml/cyaml.h>

#include "weft_isa.h"

/* A text, and where it comes from. All borrowed. */
struct weft_yaml {
    const char *path, *text;
    size_t bytes;
    const char *head; /* what is said of an empty file: how one begins */
    struct weft_diag *diag;
};

/* The text of `name`: a path (it holds a '/', or ends in .yaml or .yml), or the file of that name in the folder `folder` of the data directory; `kind`
 * says in messages what is looked for. The caller frees *text and *path. */
enum weft_status weft_yaml_find(char **text, size_t *bytes, char **path, const char *kind, const char *folder, const char *name, struct weft_diag *diag);
/* *out is what `schema`, a pointer to a mapping, makes of the text; free it with weft_yaml_free. A key that is unknown (with the nearest that the schema
 * has), missing, or there twice, an alias, and a value of another kind are errors with their line. */
enum weft_status weft_yaml_load(void **out, const struct weft_yaml *yaml, const cyaml_schema_value_t *schema);
void weft_yaml_free(void *data, const cyaml_schema_value_t *schema); /* NULL: nothing */
/* The text of `data`; the caller frees *out with free. */
enum weft_status weft_yaml_print(char **out, const void *data, const cyaml_schema_value_t *schema);
/* Reports "FILE:LINE: message" for the node at a path such as "axes.1.values.0", or for the deepest on the way that there is; returns WEFT_ERROR. */
enum weft_status weft_yaml_error(const struct weft_yaml *yaml, const char *at, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* --- files that are tables of values, in groups, each with its source --------------------------------------------------------- */

struct weft_yaml_entry { /* "key: {value: 3, source: who says so}" */
    char *value, *source;
};
enum { WEFT_YAML_KEY_BYTES = 32 };
struct weft_yaml_table {
    const char *const *names; /* "group.key", those of a group together */
    size_t count;
    size_t offset, file_bytes;         /* where the file's struct holds its `count` entries, and how large it is */
    bool sourced;                      /* is the source required? */
    char (*keys)[WEFT_YAML_KEY_BYTES]; /* room for `count` */
    cyaml_schema_field_t *members;     /* room for 2 x count, zeroed; keys and members live as long as the schema */
};
/* Writes the table's groups as fields of the file's mapping, from groups[0] on: at most `count`, and what is behind them stays. */
void weft_yaml_groups(cyaml_schema_field_t *groups, const struct weft_yaml_table *table);

#endif
