/* lag.c: whether a batch goes in two halves (waves.c), and how far apart, by a model of both units: the array takes the products in the order in which they
 * are emitted, each when the vector work that its half owes is done; the vector unit takes that work in the order of the products. */
#include "waves.h"

enum { LAG_MOST = 10 /* segments: about a layer of a transformer */, WORTH = 33 /* one part in so many of the run must be gained */ };

struct units { double array, vector, ready[2]; /* when each is free; when what a half owes is done */ };

static double later(double a, double b)
{
    return a > b ? a : b;
}

static void work(struct units *u, int half, double product, double vector)
{
    u->array = later(u->array, u->ready[half]) + product;
    u->vector = later(u->vector, u->array) + vector;
    u->ready[half] = u->vector;
}

static void whole(struct units *u, const struct lag_segment *s)
{
    u->ready[0] = later(u->ready[0], u->ready[1]);
    work(u, 0, s->product, s->vector);
    u->ready[1] = u->ready[0];
}

/* Segments that come in halves, the second `lag` behind the first. */
static void apart(struct units *u, const struct lag_segment *s, int count, int lag)
{
    for (int t = 0; t < count + lag; t++) {
        if (t < count)
            work(u, 0, s[t].halves / 2, s[t].vector / 2);
        if (t >= lag)
            work(u, 1, s[t - lag].halves / 2, s[t - lag].vector / 2);
    }
}

/* When the output has left: one half's while the other half is at work; of what runs in one, from the end of its last product on, since what stands behind
 * that goes by rows (tail.c). */
static double sent(const struct units *u, const struct lag_segment *last, int lag, double output)
{
    double end = later(u->array, u->vector), first = u->ready[0], second = u->ready[1];
    if (!lag)
        return later(end, end - (last->vector > 0 ? last->vector : last->product) + output);
    return later(later(first + output / 2, second) + output / 2, end);
}

/* Of the whole run; lag 0: in one. */
static double cycles(const struct lag_segment *s, int count, int lag, struct lag_links links)
{
    struct units u = {.ready = {lag ? links.input / 2 : links.input, links.input}};
    for (int i = 0, end; i < count; i = end) {
        end = i + 1;
        while (lag && s[i].splits && end < count && s[end].splits)
            end++;
        if (lag && s[i].splits)
            apart(&u, &s[i], end - i, lag);
        else
            whole(&u, &s[i]);
    }
    return sent(&u, &s[count - 1], lag, links.output);
}

/* Of halves that are worth it; of links that take long, the further apart the better. */
int lag_choose(const struct lag_segment *segments, int count, struct lag_links links)
{
    int best = 1;
    for (int lag = 2; lag <= LAG_MOST; lag++)
        if (cycles(segments, count, lag, links) < cycles(segments, count, best, links))
            best = lag;
    return count && cycles(segments, count, best, links) < cycles(segments, count, 0, links) * (1 - 1.0 / WORTH) ? best : 0;
}

double lag_waits(const struct lag_segment *segments, int count, int lag, struct lag_links links)
{
    return count ? cycles(segments, count, lag, links) - cycles(segments, count, lag, (struct lag_links){0, 0}) : 0;
}
