/* inputs.c: files to arrays to host memory, and back. The conversions are isa/'s. */
#include "inputs.h"
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum weft_status load_one(struct weft_arrays *out, const char *path, struct weft_diag *diag)
{
    if (cli_ends_with(path, ".pb"))
        return weft_tensor_proto_load(out, path, diag);
    if (cli_ends_with(path, ".npy") || cli_ends_with(path, ".npz"))
        return weft_arrays_load(out, path, diag);
    return weft_error(diag, "%s: an input is a .npy, .npz or .pb file", path);
}

/* Messages about an array name it. */
static enum weft_status keep_file(struct weft_arrays *arrays, const char *path)
{
    for (size_t i = 0; i < arrays->count; i++)
        if (!(arrays->items[i].file = strdup(path))) {
            weft_arrays_free(arrays);
            return WEFT_NO_MEMORY;
        }
    return WEFT_OK;
}

/* Moves the items of `more` behind those of `to`. */
static enum weft_status append(struct weft_arrays *to, struct weft_arrays *more)
{
    struct weft_array *items = reallocarray(to->items, to->count + more->count + 1, sizeof *items);
    if (!items) {
        weft_arrays_free(more);
        return WEFT_NO_MEMORY;
    }
    if (more->count)
        memcpy(items + to->count, more->items, more->count * sizeof *items);
    to->items = items;
    to->count += more->count;
    free(more->items);
    return WEFT_OK;
}

enum weft_status inputs_load(struct weft_arrays *out, const char *const *paths, size_t count, struct weft_diag *diag)
{
    enum weft_status status = WEFT_OK;
    *out = (struct weft_arrays){0};
    for (size_t i = 0; i < count && !status; i++) {
        struct weft_arrays more = {0};
        status = load_one(&more, paths[i], diag);
        if (!status)
            status = keep_file(&more, paths[i]);
        if (!status)
            status = append(out, &more);
    }
    return status;
}

static struct weft_array *array_find(const struct weft_arrays *arrays, const char *name)
{
    for (size_t i = 0; i < arrays->count; i++)
        if (arrays->items[i].name && !strcmp(arrays->items[i].name, name))
            return &arrays->items[i];
    return NULL;
}

static const struct weft_tensor *input_find(const struct weft_program *program, const char *name)
{
    for (size_t i = 0; name && i < program->input_count; i++)
        if (!strcmp(program->inputs[i].name, name))
            return &program->inputs[i];
    return NULL;
}

/* "x, y and z", cut where it would not fit. */
static void list_inputs(char *out, size_t size, const struct weft_program *program)
{
    size_t used = 0;
    out[0] = 0;
    for (size_t i = 0; i < program->input_count && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s'%s'",
                                 i == 0                         ? ""
                                 : i + 1 < program->input_count ? ", "
                                                                : " and ",
                                 program->inputs[i].name);
}

static enum weft_status left_over(const struct weft_array *array, const struct weft_program *program, struct weft_diag *diag)
{
    char names[256];
    list_inputs(names, sizeof names, program);
    return weft_error(diag, "%s: input '%s' is not one of the program's, which are %s", array->file ? array->file : "-i",
                      array->name ? array->name : "", program->input_count ? names : "none");
}

/* The first array without a name of its own (a .npy has none). */
static struct weft_array *next_unnamed(const struct weft_arrays *arrays)
{
    for (size_t i = 0; i < arrays->count; i++)
        if (!arrays->items[i].name || !*arrays->items[i].name)
            return &arrays->items[i];
    return NULL;
}

/* Where somebody would have gone on. */
static const char *last_file(const struct weft_arrays *arrays)
{
    return arrays->count && arrays->items[arrays->count - 1].file ? arrays->items[arrays->count - 1].file : "-i";
}

enum weft_status inputs_match(struct weft_arrays *arrays, const struct weft_program *program, bool strict, struct weft_diag *diag)
{
    for (size_t i = 0; i < program->input_count; i++) {
        const char *name = program->inputs[i].name;
        if (array_find(arrays, name))
            continue;
        struct weft_array *array = next_unnamed(arrays);
        char names[256];
        list_inputs(names, sizeof names, program);
        if (!array)
            return weft_error(diag,
                              "%s: input '%s' is not given; the inputs are %s: name them in an .npz, or give one -i for each, in this order",
                              last_file(arrays), name, names);
        char *copy = strdup(name);
        if (!copy)
            return WEFT_NO_MEMORY;
        free(array->name);
        array->name = copy;
    }
    for (size_t i = 0; strict && i < arrays->count; i++)
        if (!input_find(program, arrays->items[i].name))
            return left_over(&arrays->items[i], program, diag);
    return WEFT_OK;
}

/* --- of a network ------------------------------------------------------------------------------------------------------- */

static bool is_port(const struct weft_network *network, const char *name)
{
    struct weft_array port;
    for (size_t i = 0; name && weft_network_port(network, false, i, &port); i++)
        if (!strcmp(port.name, name))
            return true;
    return false;
}

static enum weft_status refuse_array(const char *file, const char *name, const struct weft_network *network, struct weft_diag *diag)
{
    char names[256] = "none";
    struct weft_array port;
    size_t used = 0;
    for (size_t i = 0; used < sizeof names && weft_network_port(network, false, i, &port); i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s'%s'", i ? ", " : "", port.name);
    if (!name || !*name)
        return weft_error(diag, "%s: an array without a name is left over; the network's inputs are %s", file ? file : "-i", names);
    return weft_error(diag, "%s: array '%s' is not an input of the network; its inputs are %s", file ? file : "-i", name, names);
}

/* What a network makes a constant of is no input any more: that is seen by reading it without the arrays. */
enum weft_status inputs_check(const struct weft_arrays *arrays, const char *file, const struct weft_network *network, const char *path,
                              const struct weft_compile_options *options, struct weft_diag *diag)
{
    struct weft_compile_options bare_options = *options;
    struct weft_network *bare = NULL;
    bool read = false;
    enum weft_status status = WEFT_OK;
    bare_options.bindings = NULL;
    bare_options.dump_after = NULL;
    bare_options.progress = NULL;
    for (size_t i = 0; i < arrays->count && !status; i++) {
        const char *name = arrays->items[i].name;
        bool named = name && *name;
        if (is_port(network, name) || (file && !named))
            continue;
        if (named && !read)
            status = weft_network_load(&bare, path, &bare_options, NULL);
        read |= named;
        if (status == WEFT_ERROR) /* it cannot be read without some of them */
            return WEFT_OK;
        if (!status && !(named && is_port(bare, name)))
            status = refuse_array(file ? file : arrays->items[i].file, name, bare ? bare : network, diag);
    }
    weft_network_free(bare);
    return status;
}

enum weft_status inputs_check_calibration(const struct weft_network *network, const char *path, const struct weft_compile_options *options,
                                          struct weft_diag *diag)
{
    struct weft_arrays arrays;
    if (!options->calibration || options->timing_only)
        return WEFT_OK;
    enum weft_status status = weft_arrays_load(&arrays, options->calibration, diag);
    if (status)
        return status;
    status = inputs_check(&arrays, options->calibration, network, path, options, diag);
    weft_arrays_free(&arrays);
    return status;
}

/* --- made, own, and unread --------------------------------------------------------------------------------------------- */

/* The program's own .data puts something other than zeros where the input lies: *from are the bytes of it that do, from *first of the tensor. */
static bool is_own(const struct weft_program *program, const struct weft_tensor *tensor, uint64_t *first, const uint8_t **from, uint64_t *count)
{
    uint64_t low = tensor->host > program->data_host ? tensor->host : program->data_host;
    uint64_t end = tensor->host + tensor->bytes, data_end = program->data_host + program->data_bytes, high = end < data_end ? end : data_end;
    if (!program->data || low >= high)
        return false;
    *first = low - tensor->host;
    *from = program->data + (low - program->data_host);
    *count = high - low;
    for (uint64_t i = 0; i < *count; i++)
        if ((*from)[i])
            return true;
    return false;
}

/* The array that a person would have to give for these bytes. */
static enum weft_status take_span(struct weft_array *array, const struct weft_tensor *tensor, const uint8_t *span, struct weft_diag *diag)
{
    struct weft_tensor moved = *tensor;
    struct weft_array taken;
    moved.host = 0;
    enum weft_status status = weft_tensor_unpack(&taken, &moved, span, tensor->bytes, diag);
    if (status)
        return status;
    taken.file = array->file;
    free(array->name);
    free(array->bytes);
    *array = taken;
    return WEFT_OK;
}

static enum weft_status take_own(struct weft_array *array, const struct weft_program *program, const struct weft_tensor *tensor, bool *own,
                                 struct weft_diag *diag)
{
    uint64_t first, count;
    const uint8_t *from;
    *own = is_own(program, tensor, &first, &from, &count);
    if (!*own)
        return WEFT_OK;
    uint8_t *span = calloc(1, tensor->bytes);
    if (!span)
        return WEFT_NO_MEMORY;
    memcpy(span + first, from, count);
    enum weft_status status = take_span(array, tensor, span, diag);
    free(span);
    return status;
}

/* Of an input that nobody reads the bytes do not matter: zeros. */
static enum weft_status take_zeros(struct weft_array *array, const struct weft_tensor *tensor, struct weft_diag *diag)
{
    uint8_t *span = calloc(1, tensor->bytes ? tensor->bytes : 1);
    enum weft_status status = span ? take_span(array, tensor, span, diag) : WEFT_NO_MEMORY;
    free(span);
    return status;
}

enum weft_status inputs_fit_unread(struct weft_arrays *arrays, const struct weft_network *network, const struct weft_program *program,
                                   struct weft_diag *diag)
{
    enum weft_status status = WEFT_OK;
    for (size_t i = 0; i < program->input_count && !status; i++) {
        struct weft_array *array = array_find(arrays, program->inputs[i].name);
        if (array && !weft_network_reads(network, program->inputs[i].name))
            status = take_zeros(array, &program->inputs[i], diag);
    }
    return status;
}

enum weft_status inputs_make(struct weft_arrays *out, const struct weft_program *program, uint64_t seed, char *said, size_t size,
                             struct weft_diag *diag)
{
    size_t owned = 0;
    enum weft_status status = weft_random_inputs(out, program, seed, diag);
    for (size_t i = 0; i < program->input_count && !status; i++) {
        bool own = false;
        struct weft_array *array = array_find(out, program->inputs[i].name);
        status = array ? take_own(array, program, &program->inputs[i], &own, diag) : WEFT_OK;
        owned += own;
    }
    if (owned == program->input_count)
        snprintf(said, size, "the program's own data");
    else
        snprintf(said, size, "random, seed %llu%s", (unsigned long long)seed, owned ? "; where the program has data of its own, that" : "");
    return status;
}

/* Only the bytes that the tensor spans are touched: what lies around them is the program's. */
static enum weft_status write_one(struct weft_sim *sim, const char *file, const struct weft_tensor *tensor, const struct weft_array *array,
                                  struct weft_diag *diag)
{
    uint64_t bytes;
    weft_sim_memory(sim, WEFT_SPACE_HOST, &bytes);
    if (tensor->host > bytes || tensor->bytes > bytes - tensor->host)
        return weft_error(diag, "%s: input '%s' leaves the program's %llu bytes of host memory", file, tensor->name, (unsigned long long)bytes);
    struct weft_tensor moved = *tensor;
    moved.host = 0;
    uint8_t *span = calloc(1, tensor->bytes ? tensor->bytes : 1);
    if (!span)
        return WEFT_NO_MEMORY;
    enum weft_status status = weft_tensor_pack(span, tensor->bytes, &moved, array, diag);
    if (!status && tensor->bytes)
        weft_sim_write(sim, WEFT_SPACE_HOST, tensor->host, span, tensor->bytes);
    free(span);
    return status;
}

enum weft_status inputs_write(struct weft_sim *sim, const struct weft_program *program, const char *file, const struct weft_arrays *arrays, bool made,
                              struct weft_diag *diag)
{
    enum weft_status status = WEFT_OK;
    uint64_t first, count;
    const uint8_t *from;
    for (size_t i = 0; i < program->input_count && !status; i++) {
        if (made && is_own(program, &program->inputs[i], &first, &from, &count))
            continue;
        const struct weft_array *array = array_find(arrays, program->inputs[i].name);
        status = array ? write_one(sim, file, &program->inputs[i], array, diag)
                       : weft_error(diag, "%s: input '%s' is not given", file, program->inputs[i].name);
    }
    return status;
}

enum weft_status outputs_read(struct weft_arrays *out, const struct weft_sim *sim, const struct weft_program *program, const char *file,
                              struct weft_diag *diag)
{
    struct cli_named named = {diag, file};
    struct weft_diag of_program = {.report = cli_report_named, .user = &named};
    uint64_t bytes;
    const uint8_t *host = weft_sim_memory(sim, WEFT_SPACE_HOST, &bytes);
    *out = (struct weft_arrays){.items = calloc(program->output_count + 1, sizeof *out->items)};
    enum weft_status status = out->items ? WEFT_OK : WEFT_NO_MEMORY;
    for (size_t i = 0; i < program->output_count && !status; i++) {
        status = weft_tensor_unpack(&out->items[i], &program->outputs[i], host, bytes, &of_program);
        out->count += status == WEFT_OK;
    }
    return status;
}
