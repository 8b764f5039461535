/* pareto.c: fronts and crowding. See pareto.h. */
#include "pareto.h"

#include <math.h>
#include <stdlib.h>

bool pareto_beats(const double *a, const double *b, size_t m)
{
    bool better = false;
    for (size_t i = 0; i < m; i++) {
        if (a[i] > b[i])
            return false;
        better |= a[i] < b[i];
    }
    return better;
}

struct row {
    const double *values;
    size_t index, m, front;
    double lonely;
};

/* Whoever beats a row stands before it. */
static int by_values(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    for (size_t i = 0; i < a->m; i++)
        if (a->values[i] != b->values[i])
            return a->values[i] < b->values[i] ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static int by_merit(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    if (a->front != b->front)
        return a->front < b->front ? -1 : 1;
    if (a->lonely != b->lonely)
        return a->lonely > b->lonely ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static struct row *sorted_rows(const double *values, size_t n, size_t m)
{
    struct row *rows = malloc((n + 1) * sizeof *rows);
    for (size_t i = 0; rows && i < n; i++)
        rows[i] = (struct row){.values = values + i * m, .index = i, .m = m};
    if (rows)
        qsort(rows, n, sizeof *rows, by_values);
    return rows;
}

static bool all_finite(const double *values, size_t m)
{
    for (size_t i = 0; i < m; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

bool pareto_front(bool *front, const double *values, size_t n, size_t m)
{
    struct row *rows = sorted_rows(values, n, m);
    const double **best = malloc((n + 1) * sizeof *best);
    size_t count = 0;
    for (size_t i = 0; rows && best && i < n; i++) {
        bool beaten = !all_finite(rows[i].values, m);
        for (size_t k = count; !beaten && k-- > 0;)
            beaten = pareto_beats(best[k], rows[i].values, m);
        front[rows[i].index] = !beaten;
        if (!beaten)
            best[count++] = rows[i].values;
    }
    bool done = rows && best;
    free(rows);
    free(best);
    return done;
}

/* A row's front is one behind the last front with a row that beats it; all of those stand before it. */
static void number_fronts(struct row *rows, size_t n, size_t m)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (rows[k].front >= rows[i].front && pareto_beats(rows[k].values, rows[i].values, m))
                rows[i].front = rows[k].front + 1;
}

struct at {
    struct row *row;
    double value;
};

static int by_at(const void *left, const void *right)
{
    const struct at *a = left, *b = right;
    if (a->value != b->value)
        return a->value < b->value ? -1 : 1;
    return a->row->index < b->row->index ? -1 : a->row->index > b->row->index;
}

/* Distance between a row's neighbours, summed over the objectives; the ends are as lonely as can be. */
static void measure(struct at *at, size_t count, size_t m)
{
    for (size_t i = 0; i < m; i++) {
        for (size_t k = 0; k < count; k++)
            at[k].value = at[k].row->values[i];
        qsort(at, count, sizeof *at, by_at);
        double span = at[count - 1].value - at[0].value;
        at[0].row->lonely = at[count - 1].row->lonely = INFINITY;
        for (size_t k = 1; k + 1 < count && span > 0 && isfinite(span); k++)
            at[k].row->lonely += (at[k + 1].value - at[k - 1].value) / span;
    }
}

static bool measure_fronts(struct row *rows, size_t n, size_t m)
{
    struct at *at = malloc((n + 1) * sizeof *at);
    size_t last = 0;
    for (size_t i = 0; i < n; i++)
        last = rows[i].front > last ? rows[i].front : last;
    for (size_t front = 0; at && front <= last; front++) {
        size_t count = 0;
        for (size_t i = 0; i < n; i++)
            if (rows[i].front == front)
                at[count++].row = &rows[i];
        if (count)
            measure(at, count, m);
    }
    free(at);
    return at != NULL;
}

bool pareto_order(size_t *order, const double *values, size_t n, size_t m)
{
    struct row *rows = sorted_rows(values, n, m);
    if (!rows)
        return false;
    number_fronts(rows, n, m);
    bool done = measure_fronts(rows, n, m);
    qsort(rows, n, sizeof *rows, by_merit);
    for (size_t i = 0; i < n; i++)
        order[i] = rows[i].index;
    free(rows);
    return done;
}
