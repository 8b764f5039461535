/* onnx_text.h: ONNX's textual syntax to the structures of its binary form. Private to compiler/.
 *
 * Everything that the parser makes lies in one arena, so nothing of it needs a destructor; the arena outlives the model.
 */
#ifndef WEFT_COMPILER_ONNX_TEXT_H
#define WEFT_COMPILER_ONNX_TEXT_H

#include "model.h"

void *onnx_arena_take(struct onnx_arena *arena, size_t bytes); /* zeroed; NULL: no memory */
void onnx_arena_free(struct onnx_arena *arena);                /* the chunks, not the struct */

struct span {
    uint32_t begin, end;
}; /* bytes of the text */
struct place {
    struct span span;
    uint32_t line, column;
};
struct list {
    void **items;
    size_t count, room;
}; /* pointers */
struct spans {
    struct span *items;
    size_t count, room;
}; /* constants of a tensor */

struct text_parser {
    struct onnx_arena *arena;
    Onnx__ModelProto *model;
    const char *path, *text;
    uint32_t bytes;
    struct weft_diag *diag;
    bool failed, no_memory;
    struct list functions; /* what model->functions is, with the room behind it */
};

enum weft_status onnx_text_parse(struct text_parser *p); /* onnx_text.l */
void onnx_text_error(struct text_parser *p, struct place place, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The builders of onnx_build.c: one a production. Each takes and gives what lies in the arena. */
typedef Onnx__AttributeProto__AttributeType attribute_type;
/* Zeroed memory of the arena, and a message in it. NULL: the run ends with "no memory". */
void *onnx_build_take(struct text_parser *p, size_t bytes);
void *onnx_build_make(struct text_parser *p, const void *blank, size_t bytes);
#define MAKE(p, type, ...) ((type *)onnx_build_make(p, &(const type)__VA_ARGS__, sizeof(type)))
bool onnx_read_integer(const struct text_parser *p, struct span span, int64_t *out);
bool onnx_read_real(const struct text_parser *p, struct span span, double *out); /* decimal, inf, infinity, nan, with a sign */
char *onnx_build_text(struct text_parser *p, struct place place);                /* a word, or a string without its quotes and escapes */
void onnx_build_push(struct text_parser *p, struct list *list, void *item);
void onnx_build_span(struct text_parser *p, struct spans *spans, struct place place);
int64_t onnx_build_integer(struct text_parser *p, struct place place);
Onnx__StringStringEntryProto *onnx_build_pair(struct text_parser *p, char *key, char *value);

Onnx__TypeProto *onnx_build_tensor_type(struct text_parser *p, struct place name, struct list dims, bool has_shape);
Onnx__TypeProto *onnx_build_container_type(struct text_parser *p, struct place name, Onnx__TypeProto *inner);
Onnx__TensorShapeProto__Dimension *onnx_build_dimension(struct text_parser *p, int64_t value, char *name);
Onnx__ValueInfoProto *onnx_build_info(struct text_parser *p, Onnx__TypeProto *type, char *name);
Onnx__TensorProto *onnx_build_tensor(struct text_parser *p, struct place place, Onnx__TypeProto *type, char *name, struct spans data,
                                     struct list external);

struct items {
    struct list infos, tensors;
}; /* of input and initialiser lists */
void onnx_build_item(struct text_parser *p, struct items *items, Onnx__ValueInfoProto *info, Onnx__TensorProto *tensor, bool input);

Onnx__AttributeProto *onnx_build_number(struct text_parser *p, struct place place);
Onnx__AttributeProto *onnx_build_string(struct text_parser *p, char *text);
Onnx__AttributeProto *onnx_build_reference(struct text_parser *p, char *name);
Onnx__AttributeProto *onnx_build_tensor_value(struct text_parser *p, Onnx__TensorProto *tensor);
Onnx__AttributeProto *onnx_build_graph_value(struct text_parser *p, Onnx__GraphProto *graph);
Onnx__AttributeProto *onnx_build_type_value(struct text_parser *p, Onnx__TypeProto *type);
Onnx__AttributeProto *onnx_build_values(struct text_parser *p, struct place place, struct list values);
Onnx__AttributeProto *onnx_build_attribute(struct text_parser *p, struct place place, char *name, char *type, Onnx__AttributeProto *value);

Onnx__NodeProto *onnx_build_node(struct text_parser *p, char *label, struct list outputs, struct list words, struct list attributes,
                                 struct list inputs);
Onnx__GraphProto *onnx_build_graph(struct text_parser *p, char *name, struct items inputs, struct list outputs, struct items initialisers,
                                   struct list nodes);
void onnx_build_function(struct text_parser *p, struct list header, char *name, struct list attributes, struct list inputs,
                         struct list outputs, struct list nodes);
struct header_entry {
    char *key;
    struct place place;
    char *text;
    struct list pairs;
};
struct header_entry *onnx_build_entry(struct text_parser *p, struct place key, char *text, struct list pairs);
void onnx_build_model(struct text_parser *p, struct list header, Onnx__GraphProto *graph);

#endif
