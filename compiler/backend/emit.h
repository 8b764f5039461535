/* emit.h: instructions of the program being made. Private to compiler/backend/. */
#ifndef WEFT_COMPILER_EMIT_H
#define WEFT_COMPILER_EMIT_H

#include "backend.h"

/* writes.c: around the columns of tiles of a product whose result is an output */
void writes_begin(struct backend *b, const struct layer *layer);
void writes_before(struct backend *b, int64_t first, int64_t rows); /* in front of the activation of these rows */
void writes_behind(struct backend *b, int64_t first, int64_t rows); /* behind the activation of their last column */
void writes_column(struct backend *b, int64_t nt, int64_t first, int64_t rows); /* all rows are activated; it leaves in front of the next */
void writes_end(struct backend *b); /* what still waits */
/* constants.c */
uint64_t backend_constant(struct backend *b, const void *bytes, uint64_t count, uint64_t align); /* offset */
uint64_t emit_constant_address(const struct backend *b, uint64_t offset); /* in the unified buffer */
enum weft_status constants_to_dram(struct backend *b, uint64_t own);
uint64_t constants_home(const struct backend *b, uint64_t offset); /* in DRAM or of the host */
/* emitter.c */
struct weft_instr *emit(struct backend *b, enum weft_opcode op);
void emit_set(struct backend *b, uint32_t reg, uint32_t value0, uint32_t value1);
void emit_set_float(struct backend *b, uint32_t reg, float value0, int32_t value1);
void emit_pattern(struct backend *b, unsigned p, const struct weft_pattern *pattern);
enum { TAKE_PUSHED = -1 /* a tile that the program pushes by itself */ };
void emit_take(struct backend *b, int tile);
uint64_t emit_claim_rows(struct backend *b, int64_t rows); /* accumulator rows, in a ring */
struct weft_pattern pattern_blank(uint64_t base);
enum { /* by the name of their first half */
#define WEFT_VECTOR_REG(number, name, first, second, KIND0, KIND1, reset0, reset1, meaning) REG_##first = number,
#include "registers.def"
};
/* emit_*.c: the patterns p3 to p5 belong to the vector layers, p0 to p2 and p8 and up to the products, so that vector work can stand between their tiles */
void emit_layer(struct backend *b, struct layer *layer);
void emit_matrix(struct backend *b, struct layer *layer);
void emit_pool(struct backend *b, struct layer *layer, int64_t lines_ready /* of the input, over all images */);
void emit_binary(struct backend *b, struct layer *layer);
void emit_unary(struct backend *b, struct layer *layer);
void emit_softmax(struct backend *b, struct layer *layer);
void softmax_temporaries(uint64_t bytes[2], const struct backend *b, const struct layer *layer);
void emit_reduce(struct backend *b, struct layer *layer); /* of at most REDUCE_RUNS runs of dimensions */
unsigned reduce_runs(const struct shape *shape, uint32_t mask);
void emit_lrn(struct backend *b, struct layer *layer);
void emit_move(struct backend *b, struct layer *layer);
void emit_halo(struct backend *b, int value);
void emit_halo_before(struct backend *b, int value); /* only what lies before the first element */
/* reads.c */
void reads_add(struct backend *b, const struct host_read *read);
void reads_for(struct backend *b, int value, uint64_t end); /* those that bytes of `value` below UB address `end` need */
void emit_result(struct backend *b, const struct layer *layer, float scale); /* v.out, v.clamp, v.alpha, v.table */
enum weft_function layer_function(const struct backend *b, const struct layer *layer);
float layer_domain(const struct backend *b, const struct layer *layer); /* real size of one step of what the function sees */
enum weft_function machine_function(enum core_op op); /* of reals; none: the machine needs more than one instruction */
void emit_nd(struct backend *b, unsigned rank, const int64_t *dims, uint64_t source, const int64_t *source_strides, enum weft_format from,
             uint64_t target, const int64_t *target_strides, enum weft_format to, bool raw);

#endif
