/* product.h: products of two computed values: product.c describes and prices them, emit_product.c emits them. Private to compiler/backend/. */
#ifndef WEFT_COMPILER_PRODUCT_H
#define WEFT_COMPILER_PRODUCT_H

#include "backend.h"

/* An operand as the product sees it: its dimensions, and which of the stored value's each of them is. */
struct operand { unsigned rank, from[GRAPH_RANK_MAX]; int64_t dims[GRAPH_RANK_MAX]; };

struct tiling {
    int64_t k_tiles, n_tiles, chunks, chunk_rows;
    int64_t abreast;      /* sums of several tiles that arrays work on side by side */
    bool by_columns;      /* tiles are pushed column by column */
    int64_t tiles;        /* all batches and planes */
    uint64_t product_cycles /* over all arrays */, push_cycles, drain_cycles;
};

struct product {
    struct operand a, b;  /* of layer x and other */
    struct shape shape;   /* of the result, before a Transpose behind it */
    unsigned to[GRAPH_RANK_MAX]; /* dimension of y that each dimension of the result is */
    int64_t m, n, k, batches;
    float factor;         /* a scalar that multiplies the result */
    bool swapped;         /* the first operand is the weights, and the second's columns stream: the result comes transposed */
    struct tiling tiling;
};

/* Strides in bytes of an operand (or of what lies like it, such as its planes) over the result's dimensions. */
void product_strides(const struct backend *b, const struct product *p, const struct operand *o, int value, int64_t out[GRAPH_RANK_MAX]);

#endif
