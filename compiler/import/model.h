/* model.h: an ONNX model in memory, from a binary file or from text, and the files of weights beside it. Private to compiler/. */
#ifndef WEFT_COMPILER_MODEL_H
#define WEFT_COMPILER_MODEL_H

#include "graph.h"
#include "onnx.pb-c.h"

/* Memory that is freed all together: a model from text lies in one. */
struct onnx_arena {
    struct onnx_chunk {
        struct onnx_chunk *next;
    } * chunks;
    char *at;
    size_t left;
};

struct model {
    Onnx__ModelProto *proto;
    struct onnx_arena arena; /* of a model from text; else protobuf-c allocated it */
    char *path, *directory;  /* external data lies in or below the directory */
    struct mapped {
        char *path;
        void *bytes;
        size_t size;
    } * maps;
    size_t map_count;
};

/* Nesting and number of messages are bounded before anything is allocated. */
enum weft_status onnx_file_load(Onnx__ModelProto **out, const char *path, struct weft_diag *diag);
enum weft_status onnx_file_tensor(Onnx__TensorProto **out, const char *path, struct weft_diag *diag);
enum weft_status onnx_text_load(Onnx__ModelProto **out, struct onnx_arena *arena, const char *path, struct weft_diag *diag);
bool onnx_text_is(const char *path); /* does the file begin like ONNX text? */

enum weft_status model_load(struct model **out, const char *path, struct weft_diag *diag);
void model_free(struct model *model);

/* `location` relative to the model; mapped once. *out is borrowed from the model. */
enum weft_status model_map(const struct mapped **out, struct model *model, const char *tensor, const char *location, struct weft_diag *diag);

/* The tensor's type, shape and bytes. *bytes may be borrowed from the model (*borrowed) or belong to the caller. `tensor`
 * in messages: "FILE: tensor NAME: ...". */
struct contents_view {
    enum element element;
    struct shape shape;
    void *bytes;
    bool borrowed;
};
enum weft_status tensor_proto_view(struct contents_view *out, struct model *model, const Onnx__TensorProto *proto, const char *name,
                                   struct weft_diag *diag);
bool element_from_onnx(enum element *out, int32_t data_type);
const char *onnx_type_name(int32_t data_type); /* for messages */
int32_t onnx_type_find(const char *name);      /* as ONNX text names it; 0: no such type */

#endif
