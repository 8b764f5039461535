/* lost_sums.c: accumulator rows from product to activation, in program order. */
#include "lost_sums.h"

#include <stdbool.h>
#include <stdlib.h>

static bool is_product(const struct weft_instr *i)
{
    return i->op == WEFT_OP_CONVOLVE || i->op == WEFT_OP_MATMUL;
}

size_t lost_sums(const struct weft_program *program)
{
    size_t lost = 0;
    bool *waits = calloc(program->machine.acc_rows + 1, sizeof *waits); /* for its activation */
    for (size_t k = 0; k < program->instructions; k++) {
        struct weft_instr i;
        if (!weft_decode(&i, program->text + k * WEFT_WORD_BYTES) || (!is_product(&i) && i.op != WEFT_OP_ACTIVATE))
            continue;
        for (uint64_t row = i.acc; row < (uint64_t)i.acc + i.rows && row < program->machine.acc_rows; row++) {
            lost += is_product(&i) && !i.accumulate && waits[row];
            waits[row] = is_product(&i);
        }
    }
    for (uint64_t row = 0; row < program->machine.acc_rows; row++)
        lost += waits[row];
    free(waits);
    return lost;
}
