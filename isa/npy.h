/* npy.h: what npy.c and npz.c share. Private to isa/.
 *
 * .npy as NumPy's format description 1.0 to 3.0 has it: magic, version, length of the header, the header (a Python dict written out
 * as text), the elements. .npz: a ZIP archive of .npy members.
 */
#ifndef WEFT_ISA_NPY_H
#define WEFT_ISA_NPY_H

#include "weft_isa.h"

/* Parses a .npy file. `place` names it in messages ("FILE" or "FILE: member"). out->name is left NULL; out->bytes is the caller's. */
enum weft_status npy_parse(struct weft_array *out, const uint8_t *bytes, size_t size, const char *place, struct weft_diag *diag);

/* The bytes in front of an array's elements. Caller frees *out. */
enum weft_status npy_header(char **out, size_t *size, const struct weft_array *array, const char *place, struct weft_diag *diag);

enum weft_status npz_load(struct weft_arrays *out, const uint8_t *bytes, size_t size, const char *path, struct weft_diag *diag);
enum weft_status npz_store(const struct weft_arrays *arrays, const char *path, struct weft_diag *diag);

#endif
