/* program_json.c: the describing parts of a program as JSON, and back. Members are bound by tables, so that what is written is
 * what is read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

enum kind { TEXT, TEXT_OR_NULL, CHARS /* char[12] */, WIDE, SIZE, WORD /* uint32_t */, SIGNED /* int32_t */, FLAG, FLOAT, FORMAT };
struct member {
    const char *key;
    enum kind kind;
    size_t offset;
};

static const struct member program_members[] = {
    {"network", TEXT_OR_NULL, offsetof(struct weft_program, network)},
    {"format", TEXT_OR_NULL, offsetof(struct weft_program, format)},
    {"batch", WIDE, offsetof(struct weft_program, batch)},
    {"dram_bytes", WIDE, offsetof(struct weft_program, dram_bytes)},
    {"host_bytes", WIDE, offsetof(struct weft_program, host_bytes)},
    {"roofline_cycles", WIDE, offsetof(struct weft_program, roofline_cycles)},
    {"mapping_cycles", WIDE, offsetof(struct weft_program, mapping_cycles)},
    {0}};
static const struct member tensor_members[] = {
    {"name", TEXT, offsetof(struct weft_tensor, name)},
    {"element", CHARS, offsetof(struct weft_tensor, element)},
    {"format", FORMAT, offsetof(struct weft_tensor, format)},
    {"scale", FLOAT, offsetof(struct weft_tensor, scale)},
    {"zero", SIGNED, offsetof(struct weft_tensor, zero)},
    {"quantised", FLAG, offsetof(struct weft_tensor, quantised)},
    {"host", WIDE, offsetof(struct weft_tensor, host)},
    {"bytes", WIDE, offsetof(struct weft_tensor, bytes)},
    {"table_rows", WIDE, offsetof(struct weft_tensor, table_rows)},
    {"row_bytes", WIDE, offsetof(struct weft_tensor, row_bytes)},
    {"table_data", WIDE, offsetof(struct weft_tensor, table_data)},
    {0}};
static const struct member layer_members[] = {
    {"name", TEXT_OR_NULL, offsetof(struct weft_layer, name)},
    {"op", TEXT_OR_NULL, offsetof(struct weft_layer, op)},
    {"shape", TEXT_OR_NULL, offsetof(struct weft_layer, shape)},
    {"wait", TEXT_OR_NULL, offsetof(struct weft_layer, wait)},
    {"macs", WIDE, offsetof(struct weft_layer, macs)},
    {"roofline_cycles", WIDE, offsetof(struct weft_layer, roofline_cycles)},
    {"mapping_cycles", WIDE, offsetof(struct weft_layer, mapping_cycles)},
    {0}};
static const struct member probe_members[] = {
    {"layer", WORD, offsetof(struct weft_probe, layer)}, {"after", SIZE, offsetof(struct weft_probe, after)},
    {"first", WIDE, offsetof(struct weft_probe, first)}, {0}};

/* --- to JSON ------------------------------------------------------------------------------------------------------------ */

static json_t *integer(uint64_t value) { return value > INT64_MAX ? NULL : json_integer((json_int_t)value); }

static json_t *member_to_json(const char *at, enum kind kind)
{
    switch (kind) {
    case TEXT:
    case TEXT_OR_NULL: return *(char *const *)at ? json_string(*(char *const *)at) : kind == TEXT ? json_string("") : json_null();
    case CHARS: return json_string(at);
    case WIDE: return integer(*(const uint64_t *)at);
    case SIZE: return integer(*(const size_t *)at);
    case WORD: return integer(*(const uint32_t *)at);
    case SIGNED: return json_integer(*(const int32_t *)at);
    case FLAG: return json_boolean(*(const bool *)at);
    case FLOAT: return json_real((double)*(const float *)at);
    case FORMAT: return json_string(weft_format_name(*(const enum weft_format *)at));
    }
    return NULL;
}

/* False: a member that JSON cannot hold, or no memory. */
static bool put_members(json_t *object, const void *record, const struct member *members)
{
    bool ok = object != NULL;
    for (; ok && members->key; members++)
        ok = !json_object_set_new(object, members->key, member_to_json((const char *)record + members->offset, members->kind));
    return ok;
}

static json_t *finished(json_t *json, bool ok)
{
    if (ok)
        return json;
    json_decref(json);
    return NULL;
}

static json_t *tensor_to_json(const struct weft_tensor *tensor)
{
    json_t *object = json_object(), *dims = json_array(), *axes = json_array(), *strides = json_array();
    bool ok = put_members(object, tensor, tensor_members);
    for (unsigned d = 0; ok && d < tensor->rank; d++)
        ok = !json_array_append_new(dims, integer(tensor->dims[d])) && !json_array_append_new(axes, integer(tensor->axes[d])) &&
             !json_array_append_new(strides, integer(tensor->strides[d]));
    ok = !json_object_set_new(object, "dims", dims) && ok;
    ok = !json_object_set_new(object, "axes", axes) && ok;
    ok = !json_object_set_new(object, "strides", strides) && ok;
    return finished(object, ok);
}

static json_t *probe_to_json(const struct weft_probe *probe)
{
    json_t *object = json_object();
    bool ok = put_members(object, probe, probe_members) && !json_object_set_new(object, "tensor", tensor_to_json(&probe->tensor));
    return finished(object, ok);
}

static json_t *tensors_to_json(const struct weft_tensor *tensors, size_t count)
{
    json_t *array = json_array();
    bool ok = array != NULL;
    for (size_t i = 0; ok && i < count; i++)
        ok = !json_array_append_new(array, tensor_to_json(&tensors[i]));
    return finished(array, ok);
}

static json_t *all_tensors_to_json(const struct weft_program *program)
{
    json_t *object = json_object();
    bool ok = object && !json_object_set_new(object, "inputs", tensors_to_json(program->inputs, program->input_count)) &&
              !json_object_set_new(object, "outputs", tensors_to_json(program->outputs, program->output_count));
    return finished(object, ok);
}

static json_t *layers_to_json(const struct weft_program *program)
{
    json_t *array = json_array();
    bool ok = array != NULL;
    for (size_t i = 0; ok && i < program->layer_count; i++) {
        json_t *object = json_object();
        ok = put_members(object, &program->layers[i], layer_members);
        ok = !json_array_append_new(array, object) && ok;
    }
    return finished(array, ok);
}

static json_t *probes_to_json(const struct weft_program *program)
{
    json_t *array = json_array();
    bool ok = array != NULL;
    for (size_t i = 0; ok && i < program->probe_count; i++)
        ok = !json_array_append_new(array, probe_to_json(&program->probes[i]));
    return finished(array, ok);
}

static json_t *lines_to_json(const struct weft_program *program)
{
    json_t *object = json_object(), *files = json_array(), *lines = json_array();
    bool ok = object && files && lines;
    for (size_t i = 0; ok && i < program->file_count; i++)
        ok = !json_array_append_new(files, json_string(program->files[i]));
    for (size_t i = 0; ok && program->lines && i < program->instructions; i++)
        ok = !json_array_append_new(lines, integer(program->lines[i].file)) && !json_array_append_new(lines, integer(program->lines[i].line));
    ok = !json_object_set_new(object, "files", files) && ok;
    ok = !json_object_set_new(object, "lines", lines) && ok;
    return finished(object, ok);
}

json_t *program_to_json(const struct weft_program *program, enum program_part part)
{
    json_t *object;
    switch (part) {
    case PART_PROGRAM: object = json_object(); return finished(object, put_members(object, program, program_members));
    case PART_TENSORS: return all_tensors_to_json(program);
    case PART_LAYERS: return layers_to_json(program);
    case PART_PROBES: return probes_to_json(program);
    case PART_LINES: return lines_to_json(program);
    default: return NULL;
    }
}

/* --- from JSON ------------------------------------------------------------------------------------------------------------ */

struct reader {
    const char *path, *part;
    struct weft_diag *diag;
};

static enum weft_status wrong(const struct reader *r, const char *key, const char *expected)
{
    return weft_error(r->diag, "%s: %s: %s is missing or wrong; expected %s", r->path, r->part, key, expected);
}

static enum weft_status text_from_json(char **out, const json_t *json, enum kind kind, const struct reader *r, const char *key)
{
    if (kind == TEXT_OR_NULL && json_is_null(json))
        return WEFT_OK;
    if (!json_is_string(json))
        return wrong(r, key, kind == TEXT ? "a text" : "a text or null");
    free(*out);
    *out = strdup(json_string_value(json));
    return *out ? WEFT_OK : WEFT_NO_MEMORY;
}

static bool unsigned_from_json(uint64_t *out, const json_t *json, uint64_t most)
{
    if (!json_is_integer(json) || json_integer_value(json) < 0 || (uint64_t)json_integer_value(json) > most)
        return false;
    *out = (uint64_t)json_integer_value(json);
    return true;
}

static enum weft_status number_from_json(char *at, const json_t *json, enum kind kind, const struct reader *r, const char *key)
{
    uint64_t value;
    if (!unsigned_from_json(&value, json, kind == WORD ? UINT32_MAX : kind == SIZE ? SIZE_MAX : UINT64_MAX))
        return wrong(r, key, kind == WORD ? "a number below 2^32" : "a number from 0");
    if (kind == WORD)
        *(uint32_t *)at = (uint32_t)value;
    else if (kind == SIZE)
        *(size_t *)at = (size_t)value;
    else
        *(uint64_t *)at = value;
    return WEFT_OK;
}

static enum weft_status chars_from_json(char out[12], const json_t *json, const struct reader *r, const char *key)
{
    if (!json_is_string(json) || json_string_length(json) >= 12)
        return wrong(r, key, "the name of an element type");
    memset(out, 0, 12);
    memcpy(out, json_string_value(json), json_string_length(json));
    return WEFT_OK;
}

static enum weft_status signed_from_json(int32_t *out, const json_t *json, const struct reader *r, const char *key)
{
    json_int_t value = json_integer_value(json);
    if (!json_is_integer(json) || value < INT32_MIN || value > INT32_MAX)
        return wrong(r, key, "a number of 32 bits");
    *out = (int32_t)value;
    return WEFT_OK;
}

static enum weft_status member_from_json(char *at, const json_t *json, enum kind kind, const struct reader *r, const char *key)
{
    switch (kind) {
    case TEXT:
    case TEXT_OR_NULL: return text_from_json((char **)at, json, kind, r, key);
    case CHARS: return chars_from_json(at, json, r, key);
    case WIDE:
    case SIZE:
    case WORD: return number_from_json(at, json, kind, r, key);
    case SIGNED: return signed_from_json((int32_t *)at, json, r, key);
    case FLAG: *(bool *)at = json_is_true(json); return json_is_boolean(json) ? WEFT_OK : wrong(r, key, "true or false");
    case FLOAT: *(float *)at = (float)json_number_value(json); return json_is_number(json) ? WEFT_OK : wrong(r, key, "a number");
    case FORMAT:
        return json_is_string(json) && weft_format_find((enum weft_format *)at, json_string_value(json)) ? WEFT_OK
                                                                                                         : wrong(r, key, "a number format");
    }
    return WEFT_ERROR;
}

static enum weft_status get_members(void *record, const json_t *object, const struct member *members, const struct reader *r)
{
    if (!json_is_object(object))
        return wrong(r, "an element", "an object");
    enum weft_status status = WEFT_OK;
    for (; status == WEFT_OK && members->key; members++)
        status = member_from_json((char *)record + members->offset, json_object_get(object, members->key), members->kind, r, members->key);
    return status;
}

static enum weft_status tensor_from_json(struct weft_tensor *out, const json_t *object, const struct reader *r)
{
    enum weft_status status = get_members(out, object, tensor_members, r);
    const json_t *dims = json_object_get(object, "dims"), *axes = json_object_get(object, "axes"), *strides = json_object_get(object, "strides");
    if (status != WEFT_OK)
        return status;
    if (json_array_size(dims) > 8 || !json_is_array(dims) || json_array_size(axes) != json_array_size(dims) ||
        json_array_size(strides) != json_array_size(dims))
        return wrong(r, "dims, axes or strides", "three arrays of one length, at most 8");
    out->rank = (unsigned)json_array_size(dims);
    for (unsigned d = 0; d < out->rank; d++) {
        uint64_t axis = 0;
        if (!unsigned_from_json(&out->dims[d], json_array_get(dims, d), UINT64_MAX) || !unsigned_from_json(&axis, json_array_get(axes, d), 7) ||
            !unsigned_from_json(&out->strides[d], json_array_get(strides, d), UINT64_MAX))
            return wrong(r, "a number of dims, axes or strides", "a number from 0 (an axis: below 8)");
        out->axes[d] = (unsigned)axis;
    }
    return WEFT_OK;
}

/* Room for one record an element, zeroed. */
static enum weft_status room_for(void **out, size_t *count, const json_t *array, size_t size, const struct reader *r, const char *key)
{
    if (!json_is_array(array) || *out)
        return wrong(r, key, "an array");
    size_t n = json_array_size(array);
    *out = n ? calloc(n, size) : NULL;
    if (n && !*out)
        return WEFT_NO_MEMORY;
    *count = n;
    return WEFT_OK;
}

static enum weft_status tensors_from_json(struct weft_tensor **out, size_t *count, const json_t *array, const struct reader *r, const char *key)
{
    enum weft_status status = room_for((void **)out, count, array, sizeof **out, r, key);
    for (size_t i = 0; status == WEFT_OK && i < *count; i++)
        status = tensor_from_json(&(*out)[i], json_array_get(array, i), r);
    return status;
}

static enum weft_status layers_from_json(struct weft_program *program, const json_t *array, const struct reader *r)
{
    enum weft_status status = room_for((void **)&program->layers, &program->layer_count, array, sizeof *program->layers, r, "the part");
    for (size_t i = 0; status == WEFT_OK && i < program->layer_count; i++)
        status = get_members(&program->layers[i], json_array_get(array, i), layer_members, r);
    return status;
}

static enum weft_status probes_from_json(struct weft_program *program, const json_t *array, const struct reader *r)
{
    enum weft_status status = room_for((void **)&program->probes, &program->probe_count, array, sizeof *program->probes, r, "the part");
    for (size_t i = 0; status == WEFT_OK && i < program->probe_count; i++) {
        const json_t *object = json_array_get(array, i);
        status = get_members(&program->probes[i], object, probe_members, r);
        if (status == WEFT_OK)
            status = tensor_from_json(&program->probes[i].tensor, json_object_get(object, "tensor"), r);
    }
    return status;
}

static enum weft_status files_from_json(struct weft_program *program, const json_t *array, const struct reader *r)
{
    enum weft_status status = room_for((void **)&program->files, &program->file_count, array, sizeof *program->files, r, "files");
    for (size_t i = 0; status == WEFT_OK && i < program->file_count; i++)
        status = text_from_json(&program->files[i], json_array_get(array, i), TEXT, r, "a file");
    return status;
}

static enum weft_status lines_from_json(struct weft_program *program, const json_t *object, const struct reader *r)
{
    const json_t *array = json_object_get(object, "lines");
    size_t numbers = json_array_size(array);
    enum weft_status status = files_from_json(program, json_object_get(object, "files"), r);
    if (status != WEFT_OK || (json_is_array(array) && !numbers))
        return status;
    if (!json_is_array(array) || numbers % 2 || numbers / 2 != program->instructions || program->lines)
        return wrong(r, "lines", "a file and a line for each instruction");
    program->lines = calloc(program->instructions, sizeof *program->lines);
    if (!program->lines)
        return WEFT_NO_MEMORY;
    for (size_t i = 0; i < program->instructions; i++) {
        uint64_t file, line;
        if (!unsigned_from_json(&file, json_array_get(array, 2 * i), UINT32_MAX) ||
            !unsigned_from_json(&line, json_array_get(array, 2 * i + 1), UINT32_MAX) || (line && file >= program->file_count))
            return wrong(r, "a file or line", "a number; files are counted from 0");
        program->lines[i] = (struct weft_source_line){(uint32_t)file, (uint32_t)line};
    }
    return WEFT_OK;
}

enum weft_status program_from_json(struct weft_program *program, enum program_part part, const json_t *json, const char *path,
                                   struct weft_diag *diag)
{
    const struct reader r = {path, program_part_names[part], diag};
    enum weft_status status;
    switch (part) {
    case PART_PROGRAM: return get_members(program, json, program_members, &r);
    case PART_TENSORS:
        status = tensors_from_json(&program->inputs, &program->input_count, json_object_get(json, "inputs"), &r, "inputs");
        if (status != WEFT_OK)
            return status;
        return tensors_from_json(&program->outputs, &program->output_count, json_object_get(json, "outputs"), &r, "outputs");
    case PART_LAYERS: return layers_from_json(program, json, &r);
    case PART_PROBES: return probes_from_json(program, json, &r);
    case PART_LINES: return lines_from_json(program, json, &r);
    default: return WEFT_ERROR;
    }
}
