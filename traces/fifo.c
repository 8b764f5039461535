/* fifo.c: takings and givings back of the FIFO's slots, merged in order of time. */
#include "fifo.h"

#include <stdlib.h>

static bool push(struct fifo_queue *queue, uint64_t cycle)
{
    if (queue->count == queue->room) {
        size_t room = queue->room ? 2 * queue->room : 16;
        uint64_t *times = malloc(room * sizeof *times);
        if (!times)
            return false;
        for (size_t i = 0; i < queue->count; i++)
            times[i] = queue->times[(queue->head + i) % queue->room];
        free(queue->times);
        *queue = (struct fifo_queue){times, 0, queue->count, room};
    }
    queue->times[(queue->head + queue->count++) % queue->room] = cycle;
    return true;
}

static uint64_t first(const struct fifo_queue *queue)
{
    return queue->count ? queue->times[queue->head] : UINT64_MAX;
}

static void pop(struct fifo *fifo, struct fifo_queue *queue, int change)
{
    uint64_t cycle = first(queue);
    queue->head = (queue->head + 1) % queue->room;
    queue->count--;
    fifo->depth += (uint64_t)change;
    fifo->step(fifo->user, cycle, fifo->depth);
}

/* A slot given back in a cycle may be taken in the same one: giving goes first, but never below an empty FIFO. */
static void pop_first(struct fifo *fifo)
{
    bool give = fifo->given.count && fifo->depth && first(&fifo->given) <= first(&fifo->taken);
    if (give || !fifo->taken.count)
        pop(fifo, &fifo->given, -1);
    else
        pop(fifo, &fifo->taken, 1);
}

static void settle(struct fifo *fifo)
{
    while (fifo->taken.count && fifo->given.count)
        pop_first(fifo);
}

bool fifo_take(struct fifo *fifo, uint64_t cycle)
{
    bool done = push(&fifo->taken, cycle);
    settle(fifo);
    return done;
}

bool fifo_give(struct fifo *fifo, uint64_t cycle)
{
    bool done = push(&fifo->given, cycle);
    settle(fifo);
    return done;
}

void fifo_flush(struct fifo *fifo)
{
    while (fifo->taken.count || (fifo->given.count && fifo->depth))
        pop_first(fifo);
}

void fifo_free(struct fifo *fifo)
{
    free(fifo->taken.times);
    free(fifo->given.times);
}
