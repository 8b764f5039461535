/* spill.h: what is done when the values of one inference do not fit the unified buffer. Private to compiler/backend/.
 *
 *   classes.c    values that share a buffer, and where they are used
 *   spill.c      decides which values leave the buffer between two uses, and which layers run band by band
 *   ways.c       how a layer runs in bands: along which dimension, in how many, and what is streamed
 *   sequence.c   writes the layers down again with the transfers between them, and gives every value a buffer while it is there
 *   held.c       constants while values come and go
 *   bands.c      how a layer may be cut, and what of each operand a band needs
 *   channels.c   layers in bands of their channels, with the numbers of each
 *   product_bands.c   a product of two computed values in bands
 *   transfer.c   homes outside the buffer, and the instructions that move bytes between both
 *
 * A value that leaves has a home, in device memory where programs may write it, else at the host: an input's home is where the host put it,
 * an output's is where the host expects it. The home holds the bytes as they stand in the buffer, halos included, from the first element on.
 * Values that share a buffer (a reshape and what it is made of) share a home: they are of one class. */
#ifndef WEFT_COMPILER_SPILL_H
#define WEFT_COMPILER_SPILL_H

#include "backend.h"

enum home_kind { HOME_SCRATCH, HOME_INPUT, HOME_OUTPUT };
struct home { enum home_kind kind; unsigned index; /* of the input or output */ };

/* A layer (a row of the report) makes or reads a class. */
struct use {
    int class, row, previous, next;    /* uses of the class; or -1 */
    bool away;                         /* the class is not in the buffer between the previous use and this one */
    bool streams;                      /* and is not there as a whole at this one either */
};

struct class {
    int value;                         /* that all others share the buffer of */
    uint64_t bytes;
    int first, last;                   /* uses */
    bool pinned, input, is_output;     /* pinned: never leaves */
    struct home home;
    uint64_t scratch;                  /* offset of a home of our own */
    int stored_at, loaded_at;          /* layers of the sequence, of the first and last transfer; or -1 */
    /* while the sequence is written */
    int buffer, version;               /* where it is; -1: not in the buffer */
    bool stored;
};

/* How a row's layer runs: in so many bands of one dimension of its result. */
struct plan { int64_t bands; int cut; uint32_t without; /* the dimension, and those that were tried in vain */ bool single; /* no second set of band buffers */ bool early; /* what comes back for it comes one layer ahead */ };

/* A constant operand of several rows stays in the buffer while there is room. */
struct held { int buffer, first; /* where it is now, and was first; -1: nowhere */ bool again; /* each row brings it */ };

struct spill {
    struct backend *b;
    struct layer *rows; int row_count;
    int values;                        /* of the graph before; b->wide has their places */
    int *class_of;
    struct class *classes; int class_count;
    struct use *uses; int use_count, use_room;
    int *row_uses;                     /* first use of each row; one more for the end */
    struct plan *plans;
    int *now, *now_version;            /* by value: the id under which it is in the buffer */
    int *made, made_count, made_room, made_used; /* values of ours, used again by the next sequence */
    int layer_room;
    int *constants;                    /* buffer of each row's constants */
    struct held *held;                 /* by block */
    uint64_t scratch_bytes; bool in_dram;
    bool committed;                    /* the layers have descriptions of their own */
    const uint64_t *input_host, *output_host; int64_t part; uint64_t scratch_base; /* while instructions are emitted */
};

/* --- bands.c ------------------------------------------------------------------------------------------------------------------ */

enum { BAND_NONE = -2, BAND_WHOLE = -1 };
struct band { int64_t first, count, above, below; };
int bands_choose(const struct spill *s, const struct layer *layer, uint32_t without /* bit d: not dimension d */); /* the result's dimension that is cut, or BAND_NONE */
int bands_dimension(const struct spill *s, const struct layer *layer, int value, int cut); /* that of an operand; BAND_WHOLE: all of it is needed */
struct band bands_of(const struct spill *s, const struct layer *layer, int value, int cut, int64_t start, int64_t size,
                     bool beside /* the result, as a residual does, not under its window */);
/* The place of a band: in a buffer of its own, or within the value's. `transfer` is what brings or takes a band of its own. */
struct place bands_place(const struct spill *s, int value, int dimension, const struct band *band, bool within, struct shape *shape, struct transfer *transfer);
int64_t bands_size(const struct spill *s, const struct layer *layer, int cut, int64_t bands); /* elements of each */
bool bands_lie_within(const struct spill *s, int value, int dimension);
uint64_t bands_block(const struct spill *s, const struct layer *layer, int cut); /* bytes of its constant operand that go with each step of the cut; 0: it is there as a whole, or none */
void bands_adjust(const struct spill *s, struct layer *copy, const struct layer *row, int cut, int64_t start, int64_t size); /* its padding */

/* --- ways.c ------------------------------------------------------------------------------------------------------------------- */

bool ways_cut(struct spill *s, int row); /* in bands, or in more than there are; false: that does not help */
uint64_t ways_narrowest(struct spill *s, int row); /* bytes that its narrowest bands need; 0: it does not run in bands */
uint64_t spill_rounded(const struct spill *s, uint64_t bytes); /* spill.c: to whole lines of the buffer */

/* --- channels.c --------------------------------------------------------------------------------------------------------------- */

bool channels_are(const struct spill *s, const struct layer *layer, int cut); /* is that dimension its channels, and has it numbers for each? */
bool channels_may(const struct spill *s, const struct layer *layer); /* can it be cut so? */
int64_t channels_size(const struct spill *s, const struct layer *layer, int64_t channels, int64_t bands); /* of a band */
uint64_t channels_bytes(const struct layer *row, int64_t count); /* constants of a band */
void channels_bring(struct spill *s, int row, int64_t first, int64_t count, int buffer); /* them, one behind the other */
uint64_t channels_address(const struct backend *b, const struct layer *layer, uint64_t offset); /* where one stands */
void channels_take(struct backend *b, struct layer *layer); /* of the whole product's tiles, those of this band */

/* --- product_bands.c ---------------------------------------------------------------------------------------------------------- */

int product_bands_dimension(const struct spill *s, const struct layer *layer, int value, int cut); /* as bands_dimension */
struct product *product_bands_own(const struct product *whole, int cut, int64_t count); /* that of a band, which the caller frees; NULL: no memory */

/* --- sequence.c --------------------------------------------------------------------------------------------------------------- */

enum weft_status sequence_make(struct spill *s); /* b->layers and b->buffers for the plans as they stand */
int sequence_push(struct spill *s, const struct layer *layer, int row); /* behind the layers that there are; its index */
struct use *sequence_use(const struct spill *s, int row, int class); /* NULL: the row does not use it */

/* --- held.c ------------------------------------------------------------------------------------------------------------------- */

void held_push(struct spill *s, int row, uint64_t first, uint64_t end, int buffer); /* brings that part of the constants */
void held_load(struct spill *s, int row);                          /* the row's own, and its operand where that is not there already and is not cut */
int held_buffer(const struct spill *s, const struct layer *layer); /* of its operand; -1: it is not there, or there is none */
void held_leave(struct spill *s, int row);                         /* what the row read stays for the next one, unless room is needed */

/* --- classes.c --------------------------------------------------------------------------------------------------------------- */

enum weft_status spill_create(struct spill **out, struct backend *b); /* takes b->layers */
bool spill_has(const struct spill *s, int value); /* of the network's own, and not constant */

/* --- spill.c, classes.c, transfer.c -------------------------------------------------------------------------------------------------------- */

enum weft_status backend_spill(struct backend *b); /* in the place of one address for each buffer: the layers again, and addresses */
enum weft_status spill_tiles(struct backend *b, struct layer *layer); /* bands of one layer share their tiles */
void spill_note_rows(struct backend *b);
void spill_free(struct backend *b);
void spill_describe(char *out, size_t size, const struct backend *b, int row);
uint64_t spill_constant_address(const struct backend *b, uint64_t offset);
int spill_row(const struct backend *b, int layer);
const struct layer *spill_rows(const struct backend *b, int *count); /* what the report lists */
void transfer_homes(struct spill *s); /* where each scratch home lies */
uint64_t spill_transfer_cycles(const struct backend *b); /* an estimate */
uint64_t transfer_scratch(struct backend *b, uint64_t host_bytes); /* gives them memory; the new end of the host's */
void emit_transfer(struct backend *b, const struct layer *layer);
void emit_layer_constants(struct backend *b, const struct layer *layer);

#endif
