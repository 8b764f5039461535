/* fifo.h: the depth of the weight FIFO in order of time. Private to traces/.
 *
 * Fetches and the ends of shifts are each told in order, but not merged: a product may be told before a later fetch that started
 * earlier. A step is certain once the other side has passed it. A slot is refetched only after it was given back, so at most `tiles` steps
 * of a side wait for the other, which bounds memory.
 */
#ifndef WEFT_TRACES_FIFO_H
#define WEFT_TRACES_FIFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fifo_queue {
    uint64_t *times;
    size_t head, count, room;
};
struct fifo {
    struct fifo_queue taken, given; /* cycles at which a slot was taken, given back */
    uint64_t depth;
    void (*step)(void *user, uint64_t cycle, uint64_t depth);
    void *user;
};

bool fifo_take(struct fifo *fifo, uint64_t cycle); /* false: no memory */
bool fifo_give(struct fifo *fifo, uint64_t cycle);
void fifo_flush(struct fifo *fifo);
void fifo_free(struct fifo *fifo);

#endif
