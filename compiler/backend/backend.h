/* backend.h: from graph to program: what all stages work on. Private to compiler/. The stages, in order (compile.c):
 *
 *   outputs.c lookup.c pieces.c heads.c   the graph as the machine can take it: outputs that nothing computes, embeddings, sequences in pieces, attention by heads
 *   refuse.c                      what has no form on the machine, all at once
 *   fuse*.c chain.c product.c     graph -> layers (fuse.h): what one pass of the machine does at once
 *   calibrate.c joined.c quantise.c normal.c      a format, scale and zero point for every value
 *   shares.c                      softmaxes whose division waits for the product behind them
 *   steps.c recipes.c planes.c    layers that take several instructions, one layer each
 *   dots.c                        small products of computed values, on the vector unit
 *   defer.c                       products whose tiles are best fetched between others
 *   layout.c buffers.c            an order of bytes for every value; halos, buffers and their lifetimes
 *   mapping.c chunks.c lines.c depthwise.c tiles.c share.c prune.c      products on the array (mapping.h)
 *   batch_axis.c                  where the inferences of a batch stand in each value (batch_axis.h)
 *   waves.c lag.c                 two halves of a batch (waves.h)
 *   narrow.c                      a layer for a few inferences of the batch (narrow.h)
 *   front.c tail.c                the first layers, a few images at a time (front.h); the last ones, a few rows at a time (tail.h)
 *   params.c constants.c resident.c   what lies ready: biases, scales, tables; state in device memory
 *   allocate.c                    unified-buffer addresses by lifetime
 *   spill.c ways.c bands.c channels.c product_bands.c classes.c held.c sequence.c transfer.c      values that leave the buffer (spill.h); parts.c: a batch in parts
 *   emitter.c emit_*.c vector_nd.c reduce.c              instructions of each kind of layer (emit.h)
 *   reads.c writes.c              inputs and outputs, as early as can be
 *   finish.c describe.c brought.c the words of the program, and what it says of itself
 */
#ifndef WEFT_COMPILER_BACKEND_H
#define WEFT_COMPILER_BACKEND_H

#include "graph.h"
#include "network.h"
#include "weft_compiler.h"

enum layer_kind { LAYER_MATRIX, LAYER_DEPTHWISE /* on the vector unit */, LAYER_PRODUCT /* of two computed values */, LAYER_DOTS /* the same on the vector unit */, LAYER_POOL, LAYER_BINARY, LAYER_UNARY, LAYER_SOFTMAX, LAYER_LRN, LAYER_REDUCE, LAYER_STEPS /* becomes several others (steps.c) */, LAYER_MOVE, LAYER_ALIAS, LAYER_LOOKUP /* gone after lookup.c */,
    LAYER_CONSTANTS, LAYER_LOAD, LAYER_STORE /* spill.c: bytes that come from outside the buffer, or leave it */ };

/* Bytes of one value in the unified buffer: n images of h lines of w pixels of c lanes, with a halo around each image.
 * Spatial values (ONNX: N C spatial...) stand channels last; plain ones in C order, their last dimension the lanes. */
struct geometry {
    bool spatial;
    int64_t n, h, w, c;
    int64_t top, bottom, left, right;  /* halo, pixels */
    enum weft_format format;
    int64_t element, pixel, line, image; /* bytes; strides */
    int64_t origin;                    /* bytes from the buffer's start to image 0, line 0, pixel 0 */
    uint64_t bytes;
    int32_t fill;                      /* what an element of the halo holds: an integer, or the bits of a float */
};

struct buffer {
    uint64_t bytes, ub;                /* ub: set by allocate */
    int first, last;                   /* layers during which it lives, inclusive */
};

/* One instruction of the vector unit as a layer of its own: y = function(mul_a a op mul_b b) x mul_out, of what the operands stand for; a result in
 * integers of the network is rounded, `add` is added, and it is clamped. COPY has one operand. */
struct vector_step { bool used; enum weft_opcode op; enum weft_function function; float mul_a, mul_b, mul_out; int32_t add, low, high; };

/* Strides over n, h, w, c of a value seen with the extents of another (0: broadcast). */
struct strides4 { int64_t n, h, w, c; };

/* A value's storage: a geometry at an offset within a buffer. Aliases share a buffer. */
struct place { struct geometry g; int buffer; uint64_t offset; bool placed, view /* the channels of a concatenation's buffer that this value fills */, halo_done /* in this part of the batch */; bool part; /* a band of the owner */ int owner; /* of a view or piece: the concatenation's value */ bool outside /* an output whose pieces leave by themselves */, piece; uint64_t host_offset; /* of a piece: to its first byte in the output */ int64_t permuted[3]; /* C H W that a flattened row is really stored in H W C order; or 0 */ };

/* How a matrix layer lies on the array (mapping.c). Rows are (image, line, pixel group); lanes number (kernel row, tap, channel of
 * the slice); columns number (pixel of the group, output channel of the slice). */
struct mapping {
    bool flat;                         /* 1 x 1, no halo: all pixels of the batch in one line */
    int64_t n, oh, groups_x;       /* rows = n x oh x groups_x */
    int64_t pixels, step;              /* pixels side by side; pixels from one group to the next */
    int64_t taps, tap_step;            /* pixels in a window's line; input pixels from one to the next */
    int64_t group_pack, slices;        /* groups side by side; slices of the channels */
    int64_t slice_in, slice_out;       /* channels of a slice */
    int64_t lanes, columns;            /* of one slice */
    int64_t terms;                     /* more than 1: weights split into a sum (differences from a zero point beyond s8) */
    int64_t k_tiles, n_tiles;          /* of one term of one slice */
    uint64_t zero_bytes, zero_cells, cells; /* of these zero_tiles; of all tiles, once they are made */
    int64_t tiles, zero_tiles;         /* all slices and terms: that hold weights; that the weights' values left empty */
    int64_t rows, chunks, chunk_rows, block_rows;
    int64_t abreast, pieces;           /* columns of tiles side by side, 1 .. arrays; rows of a tile in so many products where a column's tiles meet different arrays */
    int64_t last_split;                /* chunks in so many, where columns are too few for all arrays; 0 or 1: whole */
    int64_t parts;                     /* of the batch, emitted one after the other (waves.c); 0: one */
    uint64_t product_cycles, fetch_cycles, vector_cycles, fetches;
    uint64_t wait_cycles, end_cycles;  /* of several arrays, for the vector unit to drain the accumulators: between rounds; behind the last */
    uint64_t supply_cycles;            /* fetch_cycles, or what the latency of as many fetches as the FIFO has slots allows */
    uint64_t bound_cycles;             /* product_cycles without waiting between arrays: what the mapping bound counts */
    uint64_t array_cycles;             /* product_cycles and wait_cycles, and what rows wait for lines (lines.c): by this mappings are chosen */
};

enum { CHAIN_MAX = 12 /* nodes that one table stands for */ };
enum { REDUCE_RUNS = 2 };
enum { WEIGHT_TERMS = 3 }; /* 255 = 127 + 127 + 1 */

struct matrix {
    int64_t kh, kw, sy, sx, dy, dx, top, left, groups, ci, co, cg, ng; /* cg, ng: channels of a group */
    int weights;                       /* value id */
    bool weights_kn;                   /* stored [k][n] (gemm) instead of [n][k...] */
    int64_t permuted[3];
    int bias[2];                       /* value ids or GRAPH_NONE; float (or s32 in quantised networks) */
    float alpha, beta;                 /* gemm */
    bool nothing;                      /* alpha was 0: products that count nothing */
    bool integer, raw;                 /* the network's own integers; raw: s32 result */
    int weight_zero;                   /* integer networks: value id or GRAPH_NONE */
    struct mapping map;
    uint8_t *w[WEIGHT_TERMS];          /* in w_format, [k = ky kx cg][co], one per term (integers) or plane (bf16); NULL where they are not looked at */
    int absent_terms;                  /* that such integers may need; 0: not known yet, or they are looked at */
    enum weft_format w_format;
    struct matrix *lender; bool lends; /* share.c: whose w these are; others have this one's */
    float *w_scales, *raw_scales;      /* co; raw: before widen_for_bias (tiles.c), or NULL */
    uint64_t bias_host_offset, scale_host_offset; /* in the constants */
    int64_t *tile_ids;                 /* [slice][term][kt][nt]: index into emitter tiles, or -1 for zero */
};

struct padding { int64_t top, bottom, left, right; };

/* Bytes between a value's buffer and its home outside (spill.h). */
struct transfer {
    int value;                         /* whose home it is */
    int output;                        /* index of the output that is written instead, or -1 */
    uint64_t home, home_step, step, bytes; /* of the first run, counted from the padded value's first byte; from run to run there and in the buffer; of a run */
    int64_t runs;
};

struct layer {
    enum layer_kind kind;
    enum core_op op;
    int node;                          /* main node, for name and attributes; GRAPH_NONE: made by the compiler */
    char *name;
    int x, other, y;                   /* value ids; other: second operand, GRAPH_NONE if none */
    int inputs[NODE_INPUTS_MAX]; unsigned input_count; /* concat */
    int residual;                      /* value id or GRAPH_NONE; third operand of LAYER_STEPS */
    int function;                      /* last node of the fused function, or GRAPH_NONE */
    int chain[CHAIN_MAX], chain_count; /* all its nodes, where it is a table; the first reads preact (a unary layer's: x) */
    int preact;                        /* value before the function (its range scales the table) */
    struct matrix *m;
    struct product *product;
    int sums; uint8_t sums_at[GRAPH_RANK_MAX]; /* of a softmax whose division waits (shares.c): 1 + the value that takes them, and which of its dimensions each is; 0: none */
    int temp[4];                       /* buffers, or -1 */
    uint64_t table_offset; bool table; /* 256 bytes among the constants */
    enum weft_format const_format;
    uint64_t const_offset; int64_t const_strides[GRAPH_RANK_MAX]; /* operand of a binary layer in f32 or normal.c's format; strides over the result's dimensions */
    uint32_t reduced;                  /* of a reduction: bit d for dimension d */
    struct vector_step step;           /* binary and unary layers made by steps.c */
    uint64_t *input_offsets;           /* concatenation: where constant inputs lie among the constants; or NULL */
    uint64_t constants_first, constants_end; /* this layer's part of the constants */
    int block;                         /* 1 + index among b->operands of its constant operand; 0: that stands among its constants */
    int block_buffer;                  /* spill.c: 1 + the buffer in which the block is, or the band's part of it */
    uint64_t block_at;                 /* of constants that are brought: where in that buffer */
    uint64_t macs, roofline, mapping;
    int64_t pieces;                    /* of the batch, for each of which it is mapped and emitted; 0 or 1: whole */
    int row, follows;                  /* spill.c: the layer it is a part of; the first band of it, or -1 */
    struct { bool used, flat, own_block; int cut; int64_t first, channels /* where it is cut in its channels: so many; else 0 */; struct padding padding; } band; /* what it is of dimension `cut` of the result, from `first` on; what its windows reach beyond */
    struct transfer transfer;
    int64_t emitted_lines;             /* pool: lines already emitted ahead, over all images */
};

struct tile { uint64_t dram; uint16_t k, n; uint8_t fmt; };

/* A value that the host looks up: rows of `table` (value id) that the network's input `input` names. */
struct lookup { int y, table, input; uint64_t rows, row_bytes, offset /* of the table in the program's data */; };

/* The result of a product on its way to the host (writes.c). */
enum { ARRAYS_MAX = 64 };
struct leaving_column { int64_t nt, next, end; }; /* rows from `next` on are still to leave */
enum leaving_how { LEAVING_NOT, LEAVING_ROWS, LEAVING_COLUMNS, LEAVING_LATER /* beside the layers that follow */ };
struct leaving { enum leaving_how how; const struct mapping *map; const struct geometry *here, *there /* on the host */; uint64_t ub, host, column_bytes; struct leaving_column waiting[ARRAYS_MAX]; int count; };
/* Where the result of a layer stands in the buffer, all of it or some inferences of the batch (count 0: all): at that many instructions. */
struct made { int layer; size_t at; int64_t first, count; };
struct owed_write { uint64_t ub, host, bytes; };
struct owed { struct owed_write *writes; size_t count, next; int room; uint64_t link, now; /* cycles, of writes and of layers so far */ };

enum compile_format {
#define COMPILE_FORMAT(ID, name, planes, bar, meaning) COMPILE_##ID,
#include "formats.def"
    COMPILE_FORMATS
};

/* steps.c: a large constant that was made of others. */
struct folded { struct vector_step step; int from[2]; enum weft_format format; int value; };

/* A large constant operand, stored once for all layers that read it so (params.c). `first`: the first of them. */
struct constant_block { int value, first; uint64_t offset, bytes; int64_t strides[GRAPH_RANK_MAX]; enum weft_format format; };

struct backend {
    enum compile_format format;
    int planes;                        /* formats.def: bf16 numbers that stand for one real operand of a product; 0: integers */
    struct graph *graph;
    const struct weft_machine *machine;
    const struct weft_compile_options *options;
    struct weft_diag *diag;
    struct layer *layers; int layer_count, layer_room;
    int *uses, *reader;                /* by value id of the network: how many nodes and outputs read it; the last node that does, or GRAPH_NONE */
    struct lookup *lookups; int lookup_count;
    struct folded *folded; int folded_count, folded_room;
    struct constant_block *operands; int operand_count, operand_room;
    struct place *places;              /* by value id */
    struct buffer *buffers; int buffer_count, buffer_room;
    struct place *wide; int wide_count; /* places with their halos, before any of them shares a buffer */
    bool may_spill; struct spill *spill; /* values leave the buffer where they do not fit (spill.h); NULL: all fit */
    bool may_wait, waits;              /* divisions of softmaxes may, and some do (shares.c) */
    bool by_heads;                     /* attention a few heads at a time (heads.c) */
    /* emitter */
    struct weft_instr *instr, scratch; size_t instr_count; int instr_room, instr_layer_room;
    int *instr_layer;
    struct written { bool known; uint32_t value0, value1; } written[WEFT_PATTERNS * 8 + 32]; /* registers, by number */
    struct tile *tiles; int tile_count, tile_room;
    struct take { int tile, layer; } *takes; size_t take_count; int take_room; /* in the order in which products take them */
    uint8_t *weights; uint64_t weights_bytes, weights_room;
    uint8_t *constants; uint64_t constants_bytes, constants_room, own_constants /* the layers': what lies in front of the tables */; int constants_buffer; bool constants_in_dram; uint64_t constants_dram; /* behind the tiles */
    struct host_read { uint64_t host, ub, bytes; int layer, value; bool dram; /* `host` is a DRAM address */ } *reads; size_t read_count, reads_done; int read_room; /* in order */
    struct made *made; size_t made_count; int made_room; /* in order of `at` */
    uint64_t *output_host; bool *left; /* by output: its first byte of the host; already on its way there */
    struct leaving leaving;            /* writes.c: of the product being emitted */
    struct owed owed;                  /* of those before it */
    int64_t part;                      /* being emitted, of `repeats` */
    struct batch_axis *axes; int axis_count;      /* batch_axis.c, of a part of the batch */
    int64_t repeats;                   /* the graph holds one part of the batch; the program runs it this many times */
    bool draft;                        /* compiled for its bounds, and to see whether it can be: one part of the batch is emitted, not `repeats` */
    uint64_t too_big;                  /* bytes of unified buffer that were needed and not there, or 0 */
    int current;                       /* layer being emitted */
    int64_t batch; int waves, lag, lag_wanted; /* inferences; halves that follow each other (waves.c), or 1; segments between them, and how many there would be in a large buffer */
    struct wave { int64_t index, count; } wave; /* the part of the batch, or of the rows, being emitted; count 0 or 1: all of it */
    struct front { int end; int64_t pieces; uint8_t *roles; /* by value id */ } front; /* layers before `end` run piece by piece of the batch (front.c) */
    struct tail { int first; int64_t pieces; } tail; /* layers from `first` on run in so many pieces of their rows (tail.c); pieces 0: none do */
    struct narrowed { int64_t first, count; } narrowed; /* inferences that values are narrowed to (narrow.c); count 0: none are */
    struct waves *in_waves;            /* while a product is emitted whose other half owes vector work */
    uint64_t acc_next;                 /* ring of accumulator rows */
    uint64_t blocks, pruned_blocks;    /* prune.c: of all weight matrices */
    float *low, *high;                 /* calibrated range by value id; low > high: none */
    struct ranges { float *low, *high; int count; } seen; /* the same as calibration saw them: joined.c widens those above */
    int *joined;                       /* by value id: the concatenation whose scale the value takes, or GRAPH_NONE; NULL in formats of floats */
    const struct backend *whole;       /* of a part of the batch: the whole, which did not fit; or NULL */
    bool out_of_memory;
};

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t layer_pieces(const struct layer *l) { return l->pieces > 1 ? l->pieces : 1; }
/* Its first dimension of more than one element: of a batch the inferences, of a single one often its rows. A part of a value is a part of these. */
static inline unsigned shape_lead(const struct shape *s)
{
    unsigned d = 0;
    while (d + 1 < s->rank && s->dims[d] == 1)
        d++;
    return d;
}
/* Does the array work on it? */
static inline bool layer_multiplies(const struct layer *l) { return l->kind == LAYER_MATRIX || l->kind == LAYER_PRODUCT; }
/* Cycles that so many bytes take. */
static inline uint64_t cycles_of_bytes(const struct weft_machine *m, uint64_t bytes, uint64_t bytes_per_second)
{
    struct weft_rate rate = weft_rate(bytes_per_second, m->clock_hz);
    return (uint64_t)((unsigned __int128)bytes * rate.cycles / rate.bytes);
}

/* refuse.c */
enum weft_status backend_refusals(struct graph *graph, struct weft_diag *diag); /* names all that has no form on the machine; changes nothing */
enum weft_status backend_check_finite(const struct backend *b);                 /* in formats of integers: no constant that is to be quantised holds NaN or infinities */
enum weft_status backend_check(const struct backend *b);                        /* the part of it that fuse.c does not find by itself */
/* outputs.c: in front of fuse.c */
enum weft_status backend_outputs(struct backend *b);
/* heads.c, pieces.c: in front of fuse.c */
bool heads_fill(const struct backend *b, const struct graph *graph); /* has the network scores that fill much of the buffer? */
enum weft_status backend_heads(struct backend *b); /* where by_heads */
enum weft_status backend_pieces(struct backend *b);
/* fuse.c */
enum weft_status backend_fuse(struct backend *b);
/* quantise.c */
enum weft_status backend_quantise(struct backend *b);
enum weft_status backend_calibrate(struct backend *b);
/* Scale and zero of a QUANTIZE or DEQUANTIZE layer; false: not constants, or not one for the whole tensor. */
bool quantise_parameters(const struct backend *b, const struct layer *layer, struct quantisation *out);
bool quantise_keeps_scale(const struct layer *layer); /* does it hand integers on? */
/* joined.c */
enum weft_status backend_joined(struct backend *b);   /* which operands take the scale of a concatenation */
int joined_source(const struct backend *b, int value); /* the value whose range makes the scale of this one */
bool joined_hands_on(const struct backend *b, const struct layer *layer, int operand); /* has the layer's result the operand's scale? */
bool normal_step(const struct backend *b, const struct layer *layer); /* normal.c: is its result a mean, x - mean, or a multiple of that, in an eight-bit network? */
struct quantisation normal_format(const struct backend *b, const struct layer *layer); /* of such a result */
bool normal_row(const struct backend *b, const struct layer *layer, struct quantisation *out); /* one number a row, which stays real there; false: it is none */
enum weft_format normal_constant(const struct backend *b, const struct layer *layer); /* of the constant operand of a binary layer */
bool backend_is_constant(const struct backend *b, int value); /* and there */
bool backend_value_is_real(const struct backend *b, int value); /* float in the network, so quantised by us */
float backend_scale(const struct backend *b, int value);
int32_t backend_zero(const struct backend *b, int value);
enum weft_format backend_format(const struct backend *b, int value);
/* chain.c: elementwise nodes from `value` to one result, which a table of 8 bits can hold; how many, 0: none */
int chain_find(const struct backend *b, int value, bool keep_first /* others may read `value` too */, int nodes[CHAIN_MAX]);
bool chain_is_row(const struct graph *graph, int value); /* one number a row, made of a reduction; no table takes it */
double chain_value(const struct backend *b, int from, const int *nodes, int count, double x);
/* resident.c: state in device memory */
const struct weft_resident *resident_input(const struct backend *b, int value); /* NULL: the value is none */
const struct weft_resident *resident_output(const struct backend *b, int value);
uint64_t resident_bytes(const struct backend *b);
uint64_t resident_address(const struct backend *b, const struct weft_resident *resident);
void resident_reads(struct backend *b, const struct weft_resident *resident, int value);
void resident_writes(struct backend *b, const struct weft_resident *resident, int value);
enum weft_status backend_residents(const struct backend *b);
/* lookup.c: embeddings, which the host looks up */
bool lookup_is(const struct backend *b, int node);
uint64_t lookup_limit(const struct backend *b, int input);
const struct lookup *lookup_of(const struct backend *b, int value); /* NULL: the value is computed */
enum weft_status backend_one_hot(struct backend *b);
enum weft_status backend_lookups(struct backend *b);
enum weft_status backend_tables(struct backend *b);
/* shares.c */
enum weft_status backend_shares(struct backend *b);
/* steps.c: what takes the machine several instructions becomes as many layers */
enum weft_status backend_steps(struct backend *b);
/* product.c: products of two computed values */
bool product_is(const struct backend *b, int node);
bool product_takes_transpose(const struct backend *b, int node); /* this Transpose is folded into the product that reads it */
enum weft_status product_describe(struct backend *b, struct layer *layer);
void product_take_result_transpose(struct backend *b, struct layer *layer, int node);
void product_map(struct backend *b, struct layer *layer);
uint64_t product_passes(const struct backend *b, const struct layer *layer);
void product_describe_mapping(char *out, size_t size, const struct layer *layer);
void emit_product(struct backend *b, struct layer *layer);
/* dots.c: small ones, on the vector unit */
enum weft_status backend_dots(struct backend *b);
void dots_temps(struct backend *b, struct layer *layer, int index);
void emit_dots(struct backend *b, struct layer *layer);
/* waves.c: between two tiles of a product, vector work that the other half of the batch owes; `done`: share of the product that is emitted.
 * True: the registers of the vector unit were written. */
bool waves_between(struct backend *b, double done);
/* depthwise.c: convolutions of one channel a group, on the array or on the vector unit */
bool depthwise_is(const struct layer *layer);
void backend_depthwise(struct backend *b);
enum weft_status depthwise_params(struct backend *b, struct layer *layer);
void depthwise_temps(struct backend *b, struct layer *layer, int index);
void emit_depthwise(struct backend *b, struct layer *layer);
/* planes.c: in front of each product at fp32 accuracy, layers that split its operand into bf16 planes */
enum weft_status backend_planes(struct backend *b);
int planes_pairs(const struct backend *b, const struct layer *layer); /* products of planes that make one product: 1, 3 or 6 */
/* defer.c */
enum weft_status backend_defer(struct backend *b);
/* layout.c */
enum weft_status backend_layout(struct backend *b);
bool layer_reads(const struct layer *layer, int value);
bool layer_is_conv(const struct backend *b, const struct layer *layer);
void layout_extents(struct geometry *g, const struct shape *shape, bool spatial);
/* buffers.c */
enum weft_status backend_buffers(struct backend *b);
const struct layer *backend_maker(const struct backend *b, int value); /* the layer whose result it is, or NULL */
const struct layer *backend_only_reader(const struct backend *b, int value); /* NULL: several layers read it, or none, or it is an output */
int64_t backend_piece_bytes(const struct backend *b); /* of what stands between a layer's own steps, about */
void layer_temps(struct backend *b, struct layer *layer, int index);
bool backend_grow(struct backend *b, void *array, size_t count, int *room, size_t size); /* graph_grow; b->out_of_memory where it fails */
int backend_add_buffer(struct backend *b, uint64_t bytes, int first, int last);
void geometry_finish(struct geometry *g);
int32_t geometry_least(enum weft_format format);
bool pool_pads(const struct backend *b, const struct layer *layer); /* does a window reach beyond the operand? Both sides have places */
/* ONNX dimension d of a value: stride in bytes; *offset: of element 0. */
void place_strides(const struct place *p, const struct shape *shape, int64_t strides[GRAPH_RANK_MAX]);
uint64_t place_origin(const struct backend *b, int value); /* UB address of element 0 */
/* allocate.c: a pure function: places buffers of given sizes and lifetimes without overlap into `limit` bytes; false: does not fit.
 * *peak: the highest byte used, also when it does not fit. */
bool allocate_buffers(struct buffer *buffers, int count, uint64_t limit, uint64_t align, uint64_t *peak);
/* params.c: biases, scales, tables and constant operands of a layer */
enum weft_status backend_params(struct backend *b, struct layer *layer);
double params_bias(struct backend *b, const struct layer *layer, int64_t channel); /* real bias of an output channel */
/* parts.c: `whole` did not fit, and says in too_big what it needs; or *out is its program, and halves of it found no room (lag_wanted) */
enum weft_status parts_instead(struct weft_program **out, const struct weft_network *network, const struct backend *whole);
enum weft_status parts_compile(struct weft_program **out, const struct weft_network *network, const struct backend *whole);
/* compile.c */
int64_t backend_batch(const struct graph *graph);
struct backend backend_like(const struct backend *other, const struct weft_compile_options *options, struct weft_diag *diag); /* for the same machine and format; no graph yet */
enum weft_status backend_attempt(struct weft_program **out, struct backend *b); /* all stages; too_big, and no word, where it does not fit */
void backend_free(struct backend *b);
int64_t ceil_div(int64_t a, int64_t b);

#endif
