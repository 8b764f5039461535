/* mapping.h: how products lie on the array, and their weights in tiles. Private to compiler/backend/. */
#ifndef WEFT_COMPILER_MAPPING_H
#define WEFT_COMPILER_MAPPING_H

#include "backend.h"

/* mapping.c */
enum weft_status backend_map(struct backend *b);
uint64_t backend_vector_width(const struct backend *b); /* numbers that the vector unit takes in a cycle */
uint64_t backend_cells(const struct backend *b); /* of all arrays */
uint64_t mapping_split_price(const struct backend *b, const struct layer *layer, int64_t parts); /* as l->mapping, with the rows in equal parts */
uint64_t mapping_bands_price(const struct backend *b, const struct layer *layer, int64_t bands); /* cycles of a matrix layer that fetches its weights for each */
void mapping_take_channels(struct backend *b, struct layer *l, int64_t channels); /* its tile_ids begin with theirs */
void mapping_split(struct backend *b, struct layer *layer, int64_t parts);
uint64_t mapping_cost(const struct mapping *map); /* cycles that it takes of whatever bounds it */
void mapping_note(const struct backend *b, struct layer *layer); /* the bound that follows from its mapping */
uint64_t mapping_price(struct backend *b, struct layer *layer); /* cycles of the best mapping, before buffers have halos */
bool mapping_tile_is_empty(const struct matrix *m, int64_t kt, int64_t nt, const struct weft_machine *machine); /* whatever the weights are */
uint64_t mapping_weight_bytes(const struct matrix *m); /* of the network's own, without those in tiles of zeros */
void mapping_drop_tiles(const struct backend *b, struct layer *layer, int64_t zero_tiles); /* prices what is left */
/* lines.c */
struct weft_pattern lines_source(const struct matrix *m, const struct mapping *map, const struct geometry *x, uint64_t origin, int64_t slice); /* rows that enter the array */
double lines_price(const struct backend *b, const struct layer *layer, const struct mapping *map);
/* tiles.c */
enum weft_status backend_weights(struct backend *b, struct layer *layer);
enum weft_status backend_tiles(struct backend *b, struct layer *layer);
enum weft_status tiles_grow(struct backend *b, uint64_t bytes); /* room behind b->weights */
int64_t tiles_source_index(const struct matrix *m, int64_t depth, int64_t o, int64_t k); /* of weight (output channel, position) in the network's tensor */
/* share.c: weights that several layers read */
struct matrix *share_lender(const struct backend *b, const struct matrix *m, bool scaled);
void share_weights(struct matrix *m, struct matrix *lender);
bool share_tiles(struct backend *b, struct layer *layer);
/* prune.c: weights without their weakest blocks; `out`: a copy, the caller's */
enum weft_status prune_floats(float **out, struct backend *b, const struct matrix *m, const float *w);
enum weft_status prune_integers(struct backend *b, struct matrix *m);

#endif
