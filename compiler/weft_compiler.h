/* weft_compiler.h: network to program. The one public header of compiler/.
 *
 *     struct weft_network *net;
 *     weft_network_load(&net, "resnet50.onnxtxt", &options, &diag);
 *     weft_compile(&program, net, &machine, &options, &diag);
 *     weft_network_free(net);
 */
#ifndef WEFT_COMPILER_H
#define WEFT_COMPILER_H

#include <stdio.h>
#include "weft_isa.h"

struct weft_dim { const char *name; int64_t value; bool optional; /* no error where the network has no such dimension, or options.batch says otherwise */ };

enum { WEFT_BATCH_MAX = 1 << 20 }; /* of options.batch, and of a sweep's batches */

/* State that stays in device memory between programs (a language model's keys and values): the program reads the input from there and
 * writes the output to the same place, what lies behind the input's length along `axis` only. */
struct weft_resident { const char *input, *output; unsigned axis; uint64_t capacity /* elements along the axis, at most */; };

struct weft_compile_options {
    const char *format;               /* "int8"; NULL means int8 */
    int64_t batch;                    /* 0: what the file says, or 1 */
    const struct weft_dim *dims; size_t dim_count; /* --dim seq=128 */
    const struct weft_arrays *bindings; /* values of network inputs, or NULL: inputs without whose value the network would be refused (target
                                         shapes, weights of a convolution) become constants of these; of the others they give ranges at most */
    uint64_t seed;                    /* of random calibration input */
    const char *calibration;          /* .npz or .npy with inputs (any number of them one behind the other), or NULL: the bindings if they hold
                                         every input, else seeded random input */
    const char *range;                /* "minmax" (NULL), "percentile" or "mse": how calibration chooses ranges */
    double prune;                     /* share of blocks of each constant weight matrix, those of least magnitude, that become zero (0: none), */
    uint64_t prune_rows, prune_columns; /* and a block's size; 0: the array's */
    bool timing_only;                 /* no weights, no calibration: the program runs with --timing only */
    const char *dump_after; FILE *dump; /* pass after which the graph is printed as ONNX text */
    const struct weft_resident *residents; size_t resident_count; uint64_t resident_base; /* their first DRAM byte, behind the weights */
    void (*progress)(void *user, const char *what, double done /* 0 to 1 */); void *progress_user; /* may be NULL */
};

struct weft_network; /* a network that was read, checked and brought to core operators */

/* .onnx, .onnxtxt (or any text that begins like ONNX text) or a SCALE-Sim .csv. Everything that is not supported is reported, all at once. */
enum weft_status weft_network_load(struct weft_network **out, const char *path, const struct weft_compile_options *options, struct weft_diag *diag);
void weft_network_free(struct weft_network *network);

bool weft_network_takes(const struct weft_network *network, const struct weft_program *program); /* its inputs have the program's names and shapes */

/* Name and shape of an input or output, as an array without bytes (borrowed name); false: there are no more. */
bool weft_network_port(const struct weft_network *network, bool output, size_t index, struct weft_array *out);

const char *weft_network_file(const struct weft_network *network, size_t index); /* beside its own, with weights (borrowed); NULL: there are no more */
bool weft_network_reads(const struct weft_network *network, const char *input); /* false: no value of the input of this name matters (CastLike takes its type) */

struct weft_network_summary { uint64_t macs, weights /* elements */, nodes; };
struct weft_network_summary weft_network_summary(const struct weft_network *network);

/* The network stays as it is: it may be compiled any number of times, also from several threads at once. */
enum weft_status weft_compile(struct weft_program **out, struct weft_network *network, const struct weft_machine *machine,
                              const struct weft_compile_options *options, struct weft_diag *diag);

/* The float interpreter, for --check. Inputs by the network's names, in its own element types. After it, every value that a
 * probe names (weft_probe.tensor.name is the ONNX value name) can be asked for, as float, in ONNX's layout, C order. */
enum weft_status weft_network_interpret(struct weft_network *network, const struct weft_arrays *inputs, struct weft_diag *diag);
const float *weft_network_value(const struct weft_network *network, const char *name, uint64_t *count); /* borrowed; NULL: no such value */

/* Seeded random input as `weft run` without -i makes it: normal for floats, uniform over the type for integers. */
enum weft_status weft_random_inputs(struct weft_arrays *out, const struct weft_program *program, uint64_t seed, struct weft_diag *diag);

/* The formats of --format: name and meaning; NULL behind the last. */
const char *weft_compile_format(size_t index, const char **meaning);
double weft_compile_bar(const char *format); /* decibels below which a value of such a program has departed from the float network; NULL: int8's */
/* Names for --dump-after and --help. */
const char *const *weft_pass_names(size_t *count);
/* The table of ONNX operators: name, first and last opset supported, remark. docs/operators.md is made from it. */
struct weft_operator { const char *name; int first_opset, last_opset; const char *remark; };
const struct weft_operator *weft_operators(size_t *count);

/* Writes the network in the file `path` (ONNX or its text) as an ONNX file that any runtime reads: functions written out, and the numbers that
 * RandomNormal and RandomUniform make here, which other runtimes would draw differently. */
enum weft_status weft_network_export(const char *path, const char *out, struct weft_diag *diag);

/* An ONNX TensorProto file (.pb) as one array. */
enum weft_status weft_tensor_proto_load(struct weft_arrays *out, const char *path, struct weft_diag *diag);

#endif
