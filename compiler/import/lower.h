/* lower.h: one ONNX node becomes core operators. Private to compiler/.
 *
 * import_nodes.c walks the nodes in order, fills `in` with the values that the node reads, and calls the function that
 * onnx_ops.def names. It sets `out` and returns true; or it says through lower_refuse why not and returns false. A refused
 * node makes LOWER_POISON, and whoever reads that is skipped, so one run names every node that is not supported.
 */
#ifndef WEFT_COMPILER_LOWER_H
#define WEFT_COMPILER_LOWER_H

#include "model.h"
#include "names.h"
#include "weft_compiler.h"

enum { LOWER_DEPTH_MAX = 32 /* of functions that call each other, and of branches in each other */, LOWER_NODES_MAX = 50000 /* after inlining, calls too */ };
enum { LOWER_POISON = -2, LOWER_SPLITS_MAX = 64, IMPORT_OPSET_FIRST = 1, IMPORT_OPSET_LAST = 25 };

static const int64_t LOWER_VALUE_MAX = (int64_t)1 << 31, LOWER_CONSTANT_MAX = (int64_t)1 << 30; /* elements */

struct scope { /* the graph, one call of a function, or a branch of an If */
    const struct scope *outer;   /* of a branch: whose names are seen in it too; else NULL */
    const struct scope *caller;
    const Onnx__NodeProto *call; /* where attribute references lead; NULL in the graph */
    const char *prefix;          /* of names inside; "" in the graph */
    struct names values;         /* ONNX name to value id or LOWER_POISON */
    struct names reads;          /* names that a node reads or that leave the scope */
    int opset;
    unsigned depth;
};

struct lower {
    struct graph *graph;
    struct model *model;
    const struct weft_compile_options *options;
    struct weft_diag *diag;
    const char *path;
    unsigned refusals; /* of the whole network */
    bool no_memory;
    int64_t file_batch, batch; /* what the file says and what --batch made of it; equal: nothing to adapt */
    struct names functions;    /* of the model: lower_function_key to index */
    char **function_keys;      /* one each, NULL behind the last */
    size_t nodes;              /* after inlining */
    /* the node at work */
    const Onnx__NodeProto *proto;
    struct scope *scope;
    const char *name; /* with the prefix of its scope */
    int opset;        /* of its scope */
    bool failed;      /* refused */
    int in[NODE_INPUTS_MAX];
    unsigned in_count;
    int out[LOWER_SPLITS_MAX];
    unsigned out_count;
    unsigned made; /* values of this node so far: their names count */
};

struct onnx_op {
    const char *name;
    int first_opset;
    bool (*lower)(struct lower *l, const struct onnx_op *op);
    int core; /* core operator, where the function serves several */
    unsigned min_inputs, max_inputs, outputs;
    const char *attributes; /* names that some opset has, between spaces */
    const char *remark, *machine;
};
const struct onnx_op *onnx_op_find(const char *name); /* NULL: not in the table */

/* lower.c */
bool lower_refuse(struct lower *l, const char *format, ...) __attribute__((format(printf, 2, 3))); /* false */
bool lower_no_memory(struct lower *l);                                                             /* false */
const Onnx__AttributeProto *lower_attribute(struct lower *l, const char *name);                    /* NULL: absent; references resolved */
bool lower_has(struct lower *l, const char *name);
int64_t lower_int(struct lower *l, const char *name, int64_t absent);
float lower_float(struct lower *l, const char *name, float absent);
void lower_string(struct lower *l, const char *name, const char *absent, char out[32]);
bool lower_ints(struct lower *l, const char *name, int64_t *out, unsigned *count, unsigned max); /* false: absent, or refused */

struct value *lower_value(struct lower *l, unsigned input); /* NULL: left out */
struct shape lower_shape(struct lower *l, unsigned input);
bool lower_given(const struct lower *l, unsigned input);
bool lower_constant_ints(struct lower *l, unsigned input, const char *what, int64_t *out, unsigned *count, unsigned max);
bool lower_constant_number(struct lower *l, unsigned input, const char *what, double *out);
bool lower_want_float(struct lower *l, unsigned input);
bool lower_axis(struct lower *l, int64_t *axis, unsigned rank); /* negative from the back; checked */
bool lower_mark_axes(struct lower *l, int64_t *axes, unsigned count, unsigned rank, bool *marked); /* lower_shape.c; each once */

/* lower_known.c */
const struct weft_array *lower_binding(const struct lower *l, const char *name); /* what the caller gives for a network input; or NULL */
/* For an operand without whose value the node would be refused (a target shape, weights of a convolution): a network input that is bound
 * becomes a constant, and so does what is computed of bound integers alone. What may be computed at run time is never asked for here: the
 * program must not depend on what it is run with. */
bool lower_parameter(struct lower *l, unsigned input);
bool lower_parameters(struct lower *l, unsigned first, unsigned last);
bool lower_weights(struct lower *l, unsigned first, unsigned last); /* the same, of a convolution: dequantized integers stay nodes until the passes */

/* A core node with one output; its value's id, a folded constant's, or LOWER_POISON. */
int lower_emit(struct lower *l, enum core_op op, const int *inputs, unsigned count, const struct attributes *at, enum element element,
               const struct shape *shape);
int lower_constant(struct lower *l, enum element element, const struct shape *shape, const void *bytes); /* copied */
int lower_scalar(struct lower *l, enum element element, double number);
int lower_rule(struct lower *l, enum contents rule, enum element element,
               const struct shape *shape);   /* FILL, NORMAL, UNIFORM: fields to be set */
bool lower_same_type(struct lower *l, int a, int b);
int lower_broadcast(struct lower *l, enum core_op op, int a, int b); /* an operator of two operands, element by element */
int lower_transpose_last(struct lower *l, int value);               /* the last two dimensions change places */
bool lower_want_weights(struct lower *l, unsigned input);            /* 8 bits, of an integer product */
bool lower_check_zeros(struct lower *l, int64_t rows, int64_t columns, const char *what); /* inputs 2 and 3 of ConvInteger, MatMulInteger: one number, or so many; 1: one alone */
bool lower_done(struct lower *l, int value); /* the only output; false where it is LOWER_POISON */
int lower_reshape(struct lower *l, int value, const struct shape *shape);
/* false: more than 2^40 elements, or dimensions beside a 0 that would make so many; so the product of no few of them overflows. */
bool shape_fits(const struct shape *shape, int64_t *count);
bool shape_broadcast(struct shape *out, const struct shape *a, const struct shape *b);
const char *shape_text(const struct shape *shape, char out[160]);

/* window.c: spatial attributes of convolutions and pools, with padding resolved */
struct window {
    int64_t in[3], out[3];
    int64_t extra[3]; /* zeros behind pad_end that ceil_mode adds */
};
bool lower_window(struct lower *l, const struct shape *x, const struct shape *kernel, struct attributes *at, struct window *window);

struct shape window_result(int64_t batch, int64_t channels, const struct attributes *at, const struct window *w);

/* import_nodes.c */
bool import_nodes(struct lower *l, struct scope *scope, Onnx__NodeProto **nodes, size_t count);
bool import_initialisers(struct lower *l, struct scope *scope, const Onnx__GraphProto *graph); /* import.c; what is wrong with one is said, and counted */
bool scope_find(const struct scope *scope, const char *name, int *value); /* lower_if.c; in the scope or, in a branch, around it */
char *lower_function_key(const char *domain, const char *name); /* import.c; the caller frees it; NULL: no memory */
/* order.c: nodes in an order in which every name is made before it is read; says what is missing, twice or circular. */
bool order_nodes(struct lower *l, struct scope *scope, Onnx__NodeProto **nodes, size_t count, size_t **order);

/* scalesim.c */
enum weft_status scalesim_load(struct graph *graph, const char *path, const struct weft_compile_options *options, struct weft_diag *diag);

#define LOWER_FUNCTION(name) bool name(struct lower *l, const struct onnx_op *op);
#define ONNX_OP(NAME, first, function, core, low, high, outputs, attributes, remark, machine) LOWER_FUNCTION(function)
#include "onnx_ops.def"
#undef LOWER_FUNCTION

#endif
