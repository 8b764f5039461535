/* graph.h: a network as values and nodes. Private to compiler/.
 *
 * Values and nodes are ids into arrays of the graph, never pointers, so passes may append freely. A value has a static
 * shape and an element type; it is an input of the network, a constant, or the output of exactly one node. Nodes stand in
 * an order in which every value is made before it is used. verify.c checks all of this after each pass.
 */
#ifndef WEFT_COMPILER_GRAPH_H
#define WEFT_COMPILER_GRAPH_H

#include "weft_isa.h"

enum { GRAPH_RANK_MAX = 8, GRAPH_NONE = -1 };

enum element { ELEMENT_F32, ELEMENT_F64, ELEMENT_F16, ELEMENT_BF16, ELEMENT_U8, ELEMENT_S8, ELEMENT_U16, ELEMENT_S16, ELEMENT_S32, ELEMENT_U32, ELEMENT_S64, ELEMENT_U64, ELEMENT_BOOL };

/* Core operators: op.def says how many inputs each has and what its attributes mean. Layouts are ONNX's (NCHW). */
enum core_op {
#define CORE_OP(ID, name, min_inputs, max_inputs, meaning) CORE_##ID,
#include "op.def"
    CORE_OPS
};

struct shape { unsigned rank; int64_t dims[GRAPH_RANK_MAX]; };

/* Contents of a constant: bytes in the element type, C order; or a rule that makes them when they are asked for, so that a
 * network for timing only never makes its weights; or absent (a topology has shapes and no weights). */
enum contents { CONTENTS_NONE, CONTENTS_BYTES, CONTENTS_FILL, CONTENTS_NORMAL, CONTENTS_UNIFORM, CONTENTS_ABSENT };

struct quantisation {       /* how the integers of a value stand for reals: real = scale x (q - zero) */
    bool known;
    enum weft_format format;
    float scale; int32_t zero;          /* per tensor */
};

/* Of weights that the network gives as integers: they are whole multiples of these scales (a constant's id), one for all or one for each index of
 * an axis, and from -128 to 127 of them. */
struct multiples { bool known; int scales; int64_t axis; };

struct value {
    char *name;
    enum element element;
    struct shape shape;
    enum contents contents;
    void *bytes; bool borrowed;         /* CONTENTS_BYTES; borrowed: lies in the model file's memory */
    double fill, mean, deviation; uint64_t seed; /* FILL; NORMAL: mean, deviation; UNIFORM: mean is low, deviation is high */
    struct quantisation q;              /* set by the quantiser, or by the network itself */
    struct multiples multiples;
    int producer;                       /* node, or GRAPH_NONE */
};

/* Attributes of every core operator in one flat struct; op.def says which ones count. */
struct attributes {
    int64_t kernel[3], stride[3], dilation[3], pad_begin[3], pad_end[3]; /* spatial, outermost first */
    unsigned spatial;                   /* spatial dimensions: 1, 2 or 3 */
    int64_t groups;
    int64_t axis, axes[GRAPH_RANK_MAX]; unsigned axis_count;
    int64_t perm[GRAPH_RANK_MAX];
    int64_t begins[GRAPH_RANK_MAX], ends[GRAPH_RANK_MAX], steps[GRAPH_RANK_MAX]; /* slice; pad uses begins and ends as amounts */
    bool trans_a, trans_b, count_include_pad, keep_dims;
    float alpha, beta, bias, epsilon;   /* leaky slope, clip low/high in alpha/beta, LRN ... */
    int64_t size;                       /* LRN window; of conv_integer and matmul_integer, lanes behind the weights that take a zero point away (pass_zeros.c) */
    enum element to;                    /* cast */
};

enum { NODE_INPUTS_MAX = 64 };

struct node {
    enum core_op op;
    char *name;        /* ONNX node name, or one made from its first output */
    char *onnx_type;   /* the operator as the file has it, for messages */
    int *inputs; unsigned input_count;   /* value ids; GRAPH_NONE: left out */
    int outputs[4]; unsigned output_count;
    struct attributes at;
    bool dead;         /* removed by a pass; graph_sweep drops it */
};

struct graph {
    char *name;        /* file or graph name */
    struct value *values; int value_count, value_room;
    struct node *nodes; int node_count, node_room;
    int *inputs; unsigned input_count;   /* value ids, without initialisers */
    int *outputs; unsigned output_count;
    int64_t batch;     /* what --batch gave, or 1 */
    void *file; size_t file_bytes; void (*release)(void *file, size_t bytes); /* memory that borrowed contents lie in */
    bool weights_absent;                 /* a topology */
    bool timing_only;                    /* contents of large constants are never looked at: what is made of them is absent */
};

enum weft_status graph_create(struct graph **out);
void graph_free(struct graph *graph);
/* A copy with the same ids, to be changed at will. Contents of constants are borrowed: the original outlives the copy. */
enum weft_status graph_clone(struct graph **out, const struct graph *graph);
/* Room for one more element behind the `count` of an array (given as a T **), whose room doubles; false: no memory, and all is as it was. */
bool graph_grow(void *array, size_t count, int *room, size_t size);

int graph_add_value(struct graph *graph, const char *name, enum element element, const struct shape *shape); /* id; the name is copied */
int graph_add_constant(struct graph *graph, const char *name, enum element element, const struct shape *shape, const void *bytes); /* copies */
int graph_add_node(struct graph *graph, enum core_op op, const char *name, const char *onnx_type, const int *inputs, unsigned input_count); /* id; no outputs yet; at is zero */
int graph_add_output(struct graph *graph, int node, int value);
void graph_replace_uses(struct graph *graph, int old_value, int new_value);  /* in nodes and graph outputs */
int graph_uses(const struct graph *graph, int value);                       /* nodes and graph outputs that read it */
bool graph_is_output(const struct graph *graph, int value);                 /* of the network */
void graph_sweep(struct graph *graph);                                       /* drops dead nodes and nodes whose outputs nobody reads; keeps order */
enum weft_status graph_sort(struct graph *graph, struct weft_diag *diag);    /* topological; error on a cycle */
/* Nodes that `moves` chooses, each of which reads what another node makes, stand right behind the last of what they read; the others, which are in
 * order, stay so. */
typedef bool graph_choice(const struct graph *graph, int node, const void *user);
enum weft_status graph_hoist(struct graph *graph, graph_choice *moves, const void *user, struct weft_diag *diag);
/* Nodes move to right in front of the node that `before` has for each, one that does not move itself; GRAPH_NONE: it stays. */
enum weft_status graph_move(struct graph *graph, const int *before);
enum weft_status graph_verify(const struct graph *graph, struct weft_diag *diag);

unsigned element_bytes(enum element element);
const char *element_name(enum element element);
int64_t shape_count(const struct shape *shape);
bool shape_equal(const struct shape *a, const struct shape *b);
const char *core_op_name(enum core_op op);
bool value_is_constant(const struct value *value);
/* The constant's bytes, made now if a rule stands for them; NULL when absent (or no memory). Borrowed from the value. */
const void *value_bytes(struct graph *graph, int value);
/* One element of a constant as double / int64; false when absent. */
bool value_at(struct graph *graph, int value, int64_t index, double *out);

#endif
