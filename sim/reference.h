/* reference.h: the sequential interpreter's own. Values only, written from docs/isa.md, one function an instruction. */
#ifndef WEFT_SIM_REFERENCE_H
#define WEFT_SIM_REFERENCE_H

#include "engine.h"

struct tile {
    uint32_t k, n;
    enum weft_format format;
    uint8_t *bytes; /* row-major, packed: weight (row, column) is number row x n + column; owned */
};

struct reference {
    struct weft_sim *sim;
    uint8_t *ub, *acc, *host, *dram; /* of sim->memory */
    struct tile *fifo;               /* ring of machine.fifo_tiles */
    uint32_t oldest, waiting;
    struct tile active;
    uint8_t *row;                    /* the results of one vector row, before it is written */
};

typedef enum weft_status reference_meaning(struct reference *r, const struct weft_instr *instr);

/* reference.c */
reference_meaning *reference_meaning_of(enum weft_opcode op); /* NULL: none */
float reference_read_acc_float(const struct reference *r, uint64_t row, uint64_t lane);
int32_t reference_read_acc(const struct reference *r, uint64_t row, uint64_t lane);
void reference_write_acc_float(struct reference *r, uint64_t row, uint64_t lane, float value);
void reference_write_acc(struct reference *r, uint64_t row, uint64_t lane, int32_t value);

/* reference_matrix.c */
reference_meaning reference_read_weights, reference_push_weights, reference_matmul, reference_convolve;

/* reference_vector.c */
reference_meaning reference_activate, reference_add, reference_sub, reference_mul, reference_div, reference_max, reference_min;
reference_meaning reference_copy, reference_fill, reference_pool, reference_reduce;

#endif
