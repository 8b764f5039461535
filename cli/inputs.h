/* inputs.h: the arrays that a run is given and those it gives back. Private to cli/. */
#ifndef WEFT_CLI_INPUTS_H
#define WEFT_CLI_INPUTS_H

#include "weft_compiler.h"
#include "weft_isa.h"
#include "weft_sim.h"

/* All files as one list: .npz, .npy or an ONNX TensorProto (.pb), by ending. Free with weft_arrays_free, also after an error. */
enum weft_status inputs_load(struct weft_arrays *out, const char *const *paths, size_t count, struct weft_diag *diag);
/* Gives each input of the program its array: by name, or, for arrays without one that fits, in the order given. The arrays take the
 * inputs' names. `strict`: an array that is left over is an error (else it may have been a constant of the network). */
enum weft_status inputs_match(struct weft_arrays *arrays, const struct weft_program *program, bool strict, struct weft_diag *diag);
/* What nobody reads is right in any shape: arrays for such inputs of the program take the shape that it has for them. */
enum weft_status inputs_fit_unread(struct weft_arrays *arrays, const struct weft_network *network, const struct weft_program *program,
                                   struct weft_diag *diag);
/* Of the network in `path`, as it was read: an error for an array that is neither an input of it nor became a constant when it was read. `file` is
 * the arrays' (--calibration), or NULL: those of -i, matched. */
enum weft_status inputs_check(const struct weft_arrays *arrays, const char *file, const struct weft_network *network, const char *path,
                              const struct weft_compile_options *options, struct weft_diag *diag);
/* The same of the file of --calibration, if there is one. */
enum weft_status inputs_check_calibration(const struct weft_network *network, const char *path, const struct weft_compile_options *options,
                                          struct weft_diag *diag);
/* Seeded random arrays; for an input that the program's own .data fills in, what that is. `said` says which. */
enum weft_status inputs_make(struct weft_arrays *out, const struct weft_program *program, uint64_t seed, char *said, size_t size,
                             struct weft_diag *diag);
/* Packs the arrays, matched, into host memory. `made` by inputs_make: what the program's .data fills in is left as it is. `file` is the program's, for
 * messages. */
enum weft_status inputs_write(struct weft_sim *sim, const struct weft_program *program, const char *file, const struct weft_arrays *arrays, bool made,
                              struct weft_diag *diag);
/* The program's outputs as the network would give them. Free with weft_arrays_free. `file` is the program's, for messages. */
enum weft_status outputs_read(struct weft_arrays *out, const struct weft_sim *sim, const struct weft_program *program, const char *file,
                              struct weft_diag *diag);

#endif
