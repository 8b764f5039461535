/* onnx_file.c: .onnx and .pb through protobuf-c.
 *
 * protobuf-c descends into nested messages by recursion and allocates a struct for each, so a scan of the raw bytes against
 * the same descriptors bounds both first: a file of a few kilobytes can neither exhaust the stack nor the memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "onnx_text.h"

enum { DEPTH_MAX = 32, FIELDS_MAX = 20000000, MESSAGES_MAX = 4000000 };

struct scan {
    const uint8_t *at, *end;
};
struct totals {
    size_t messages, fields;
    const char *problem;
};

static bool read_varint(struct scan *s, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && s->at < s->end; shift += 7) {
        uint8_t byte = *s->at++;
        *out |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return true;
    }
    return false;
}

static bool skip(struct scan *s, uint64_t bytes)
{
    if (bytes > (uint64_t)(s->end - s->at))
        return false;
    s->at += bytes;
    return true;
}

static bool scan_message(struct scan s, const ProtobufCMessageDescriptor *type, unsigned depth, struct totals *totals);

static bool scan_bytes(struct scan *s, const ProtobufCFieldDescriptor *field, unsigned depth, struct totals *totals)
{
    uint64_t length;
    if (!read_varint(s, &length) || length > (uint64_t)(s->end - s->at))
        return false;
    struct scan inner = {s->at, s->at + length};
    s->at += length;
    return !field || field->type != PROTOBUF_C_TYPE_MESSAGE || scan_message(inner, field->descriptor, depth + 1, totals);
}

static bool scan_field(struct scan *s, const ProtobufCMessageDescriptor *type, unsigned depth, struct totals *totals)
{
    uint64_t tag, value;
    if (!read_varint(s, &tag) || tag >> 3 == 0 || tag >> 3 > 536870911)
        return false;
    switch (tag & 7) {
    case 0:
        return read_varint(s, &value);
    case 1:
        return skip(s, 8);
    case 2:
        return scan_bytes(s, protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3)), depth, totals);
    case 5:
        return skip(s, 4);
    default:
        return false; /* groups: no ONNX file has them */
    }
}

static bool scan_message(struct scan s, const ProtobufCMessageDescriptor *type, unsigned depth, struct totals *totals)
{
    if (depth > DEPTH_MAX)
        totals->problem = "messages are nested too deeply";
    if (++totals->messages > MESSAGES_MAX)
        totals->problem = "more than 4,000,000 messages";
    while (!totals->problem && s.at < s.end) {
        if (++totals->fields > FIELDS_MAX)
            totals->problem = "more than 20,000,000 fields";
        else if (!scan_field(&s, type, depth, totals))
            return false;
    }
    return !totals->problem;
}

static enum weft_status open_mapped(void **out, size_t *size, const char *path, struct weft_diag *diag)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe is no regular file, and not waited for */
    struct stat about;
    if (file < 0 || fstat(file, &about)) {
        enum weft_status status = weft_error(diag, "%s: %s", path, strerror(errno));
        if (file >= 0)
            close(file);
        return status;
    }
    *size = S_ISREG(about.st_mode) ? (size_t)about.st_size : 0;
    *out = *size ? mmap(NULL, *size, PROT_READ, MAP_PRIVATE, file, 0) : MAP_FAILED;
    int why = errno;
    close(file);
    if (*out != MAP_FAILED)
        return WEFT_OK;
    if (*size)
        return why == ENOMEM ? WEFT_NO_MEMORY : weft_error(diag, "%s: %s", path, strerror(why));
    return weft_error(diag, S_ISREG(about.st_mode) ? "%s: the file is empty" : "%s: is no regular file", path);
}

/* protobuf-c's own allocator, which does not tell why nothing was unpacked. */
static void *take(void *failed, size_t bytes)
{
    void *taken = malloc(bytes ? bytes : 1);
    *(bool *)failed |= !taken;
    return taken;
}

static void give_back(void *failed, void *taken)
{
    (void)failed;
    free(taken);
}

static enum weft_status unpack(ProtobufCMessage **out, const ProtobufCMessageDescriptor *type, const char *what, const char *path,
                               struct weft_diag *diag)
{
    void *bytes = NULL;
    size_t size = 0;
    bool no_memory = false;
    ProtobufCAllocator allocator = {take, give_back, &no_memory};
    struct totals totals = {0};
    *out = NULL;
    enum weft_status status = open_mapped(&bytes, &size, path, diag);
    if (status)
        return status;
    if (scan_message((struct scan){bytes, (const uint8_t *)bytes + size}, type, 0, &totals))
        *out = protobuf_c_message_unpack(type, &allocator, size, bytes);
    munmap(bytes, size);
    if (*out || no_memory)
        return *out ? WEFT_OK : WEFT_NO_MEMORY;
    return weft_error(diag, "%s: is no %s%s%s, or was cut short", path, what, totals.problem ? ": " : "",
                      totals.problem ? totals.problem : "");
}

enum weft_status onnx_file_load(Onnx__ModelProto **out, const char *path, struct weft_diag *diag)
{
    return unpack((ProtobufCMessage **)out, &onnx__model_proto__descriptor, "ONNX model", path, diag);
}

enum weft_status onnx_file_tensor(Onnx__TensorProto **out, const char *path, struct weft_diag *diag)
{
    return unpack((ProtobufCMessage **)out, &onnx__tensor_proto__descriptor, "ONNX tensor", path, diag);
}

static enum weft_status model_create(struct model **out, const char *path)
{
    struct model *model = calloc(1, sizeof *model);
    const char *slash = strrchr(path, '/');
    if (!model)
        return WEFT_NO_MEMORY;
    model->path = strdup(path);
    model->directory = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup("./");
    *out = model;
    return model->path && model->directory ? WEFT_OK : WEFT_NO_MEMORY;
}

enum weft_status model_load(struct model **out, const char *path, struct weft_diag *diag)
{
    struct model *model = NULL;
    enum weft_status status = model_create(&model, path);
    if (!status)
        status = onnx_text_is(path) ? onnx_text_load(&model->proto, &model->arena, path, diag) : onnx_file_load(&model->proto, path, diag);
    if (status)
        model_free(model);
    *out = status ? NULL : model;
    return status;
}

void model_free(struct model *model)
{
    if (!model)
        return;
    if (model->arena.chunks)
        onnx_arena_free(&model->arena);
    else if (model->proto)
        onnx__model_proto__free_unpacked(model->proto, NULL);
    for (size_t i = 0; i < model->map_count; i++) {
        munmap(model->maps[i].bytes, model->maps[i].size);
        free(model->maps[i].path);
    }
    free(model->maps);
    free(model->path);
    free(model->directory);
    free(model);
}

/* In or below the directory: neither absolute nor with a step upwards. */
static bool stays_inside(const char *location)
{
    if (!*location || *location == '/')
        return false;
    for (const char *at = location; at; at = strchr(at, '/') ? strchr(at, '/') + 1 : NULL)
        if (!strncmp(at, "..", 2) && (at[2] == '/' || !at[2]))
            return false;
    return true;
}

/* A link may lead out of the directory where no name does. */
static bool resolves_inside(const char *directory, const char *path)
{
    char *outer = realpath(directory, NULL), *inner = realpath(path, NULL);
    size_t length = outer ? strlen(outer) : 0;
    bool inside = outer && (!inner || (!strncmp(outer, inner, length) && (inner[length] == '/' || length == 1)));
    free(outer);
    free(inner);
    return inside;
}

static enum weft_status map_file(const struct mapped **out, struct model *model, char *path, const char *tensor, struct weft_diag *diag)
{
    struct mapped *grown = realloc(model->maps, (model->map_count + 1) * sizeof *grown), *map;
    if (!grown)
        return WEFT_NO_MEMORY;
    model->maps = grown;
    map = &grown[model->map_count];
    if (!resolves_inside(model->directory, path))
        return weft_error(diag, "%s: tensor %s: external data %s lies outside of the model's directory", model->path, tensor, path);
    enum weft_status status = open_mapped(&map->bytes, &map->size, path, diag);
    if (status)
        return status;
    map->path = path;
    model->map_count++;
    *out = map;
    return WEFT_OK;
}

enum weft_status model_map(const struct mapped **out, struct model *model, const char *tensor, const char *location, struct weft_diag *diag)
{
    if (!stays_inside(location))
        return weft_error(diag, "%s: tensor %s: external data at '%s'; the location must be a file in or below the model's directory", model->path,
                          tensor, location);
    size_t room = strlen(model->directory) + strlen(location) + 1;
    char *path = malloc(room);
    if (!path)
        return WEFT_NO_MEMORY;
    strcpy(stpcpy(path, model->directory), location);
    for (size_t i = 0; i < model->map_count; i++)
        if (!strcmp(model->maps[i].path, path)) {
            free(path);
            *out = &model->maps[i];
            return WEFT_OK;
        }
    enum weft_status status = map_file(out, model, path, tensor, diag);
    if (status)
        free(path);
    return status;
}
