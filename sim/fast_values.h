/* fast_values.h: what each instruction computes, a whole instruction in one call, in program order. Private to the fast engine.
 *
 *     fast_values.c   bytes from memory to memory; the table from opcode to function
 *     fast_matrix.c   weight tiles and products
 *     fast_vector.c   the vector unit
 */
#ifndef WEFT_FAST_VALUES_H
#define WEFT_FAST_VALUES_H

#include "engine.h"
#include "fast_gemm.h"
#include "fast_rows.h"

/* A part of a tile: beside its rows, its columns are zero. */
struct tile_part { uint16_t column, columns, row, rows; };

struct weight_tile {
    const uint8_t *weights; /* row-major, k x n: in DRAM, or in `own` */
    uint8_t *own;           /* room for a tile, or NULL */
    size_t own_bytes;
    uint64_t dram, bytes;   /* where it lies in DRAM, if it does: then `weights` != own */
    uint16_t k, n;
    enum weft_format format;
    bool examined;          /* the parts are known */
    struct tile_part *parts; /* in order of columns, which they cover; rows may be 0 */
    size_t part_count, part_room;
};

struct fast_vector; /* scratch of the vector unit */

struct fast_values {
    struct weft_sim *sim;
    struct weight_tile *fifo; /* ring of fifo_tiles */
    uint64_t oldest, waiting;
    struct weight_tile active;
    struct gemm *gemm;
    struct fast_rows rows; /* of the product under way */
    uint8_t *gathered;
    size_t gathered_bytes;
    struct fast_vector *vector;
};

enum weft_status fast_values_create(struct fast_values **out, struct weft_sim *sim);
void fast_values_free(struct fast_values *values);
enum weft_status fast_values_execute(struct fast_values *values, const struct issue *issue, struct weft_diag *diag);

/* fast_matrix.c */
enum weft_status fast_read_weights(struct fast_values *values, const struct weft_instr *instr);
enum weft_status fast_push_weights(struct fast_values *values, const struct weft_instr *instr);
enum weft_status fast_product(struct fast_values *values, const struct weft_instr *instr);
/* Tiles that wait or work and lie in these DRAM bytes get a copy: the bytes are about to change. */
enum weft_status fast_tiles_keep(struct fast_values *values, uint64_t dram, uint64_t bytes);
/* Finds the parts of a tile. */
enum { TILE_PART_COLUMNS = 16 };
enum weft_status fast_tile_examine(struct weight_tile *tile);
void fast_tile_free(struct weight_tile *tile);

/* fast_vector.c */
enum weft_status fast_vector_create(struct fast_vector **out);
void fast_vector_free(struct fast_vector *vector);
enum weft_status fast_vector_execute(struct fast_values *values, const struct issue *issue);

#endif
