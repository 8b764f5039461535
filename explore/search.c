/* search.c: strategies that choose points by what came of others: successive halving and NSGA-II.
 *
 * Both see results through the store only and take chances from the plan's seed, so a run that was killed makes the same choices again, finds
 * what it had in the store, and goes on. What is judged is a design: the geometric mean of an objective over its networks and batches. */
#include "pareto.h"
#include "sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

uint64_t search_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Four rounds of a Feistel network over the next even number of bits, walked until the place lies below n. */
uint64_t search_shuffle(uint64_t i, uint64_t n, uint64_t seed)
{
    unsigned half = 1;
    while (half < 31 && (UINT64_C(1) << 2 * half) < n)
        half++;
    uint64_t mask = (UINT64_C(1) << half) - 1;
    do {
        uint64_t left = i >> half, right = i & mask;
        for (uint64_t round = 0; round < 4; round++) {
            uint64_t state = seed * 4 + round + right * UINT64_C(0xd1342543de82ef95), old = right;
            right = left ^ (search_random(&state) & mask);
            left = old;
        }
        i = left << half | right;
    } while (i >= n);
    return i;
}

static uint64_t below(uint64_t *state, uint64_t n)
{
    return (uint64_t)((unsigned __int128)search_random(state) * n >> 64);
}

/* --- designs and what came of them ---------------------------------------------------------------------------------------------------- */

struct pool {
    struct sweep *sweep;
    uint64_t random;
    uint64_t *tried; /* set of designs, open addressing: design + 1, or 0 */
    size_t tried_room, tried_count;
    uint64_t spent;  /* points */
};

static bool try_once(struct pool *p, uint64_t design) /* false: it was tried before, or may not be */
{
    struct weft_machine machine;
    char problem[256];
    uint64_t state = design;
    if (plan_machine(p->sweep->plan, design, &machine, problem) || !plan_allows(p->sweep->plan, &machine))
        return false;
    size_t at = search_random(&state) & (p->tried_room - 1);
    for (; p->tried[at]; at = (at + 1) & (p->tried_room - 1))
        if (p->tried[at] == design + 1)
            return false;
    p->tried[at] = design + 1;
    p->tried_count++;
    return true;
}

static enum weft_status make_pool(struct pool *p, struct sweep *sweep, uint64_t designs)
{
    *p = (struct pool){.sweep = sweep, .random = sweep->plan->search.seed, .tried_room = 64};
    while (p->tried_room < 2 * designs)
        p->tried_room *= 2;
    p->tried = calloc(p->tried_room, sizeof *p->tried);
    return p->tried ? WEFT_OK : WEFT_NO_MEMORY;
}

struct list {
    const uint64_t *designs;
    size_t count, at;
    size_t first_case, cases, all_cases;
};

static bool next_of_list(void *user, uint64_t *point)
{
    struct list *l = user;
    if (l->at == l->count * l->cases)
        return false;
    *point = l->designs[l->at / l->cases] * l->all_cases + l->first_case + l->at % l->cases;
    l->at++;
    return true;
}

/* One design's objectives over its first `cases` cases; INFINITY where one has none. */
static enum weft_status judge(struct pool *p, uint64_t design, size_t cases, double *out)
{
    const struct weft_plan *plan = p->sweep->plan;
    const struct search *search = &plan->search;
    struct weft_machine machine;
    char problem[256] = "", key[33];
    enum weft_status status = WEFT_OK;
    for (size_t i = 0; i < search->objective_count; i++)
        out[i] = 0;
    (void)plan_machine(plan, design, &machine, problem);
    for (size_t c = 0; c < cases && !status; c++) {
        double values[OBJECTIVES_MAX];
        point_key(key, plan, c, &machine, problem, p->sweep->options->version);
        status = store_metrics(&p->sweep->store, key, search->objectives, search->objective_count, values);
        for (size_t i = 0; i < search->objective_count && !status; i++)
            out[i] += (search->objectives[i].more ? -1 : 1) * log(values[i]) / (double)cases;
    }
    for (size_t i = 0; i < search->objective_count; i++)
        out[i] = isnan(out[i]) ? INFINITY : out[i]; /* a logarithm orders as its number does, and shrinks the distances of large ones */
    return status;
}

/* Runs cases first..first+count-1 of the designs and judges them by all cases up to there. */
static enum weft_status run_designs(struct pool *p, const uint64_t *designs, size_t count, size_t first_case, size_t cases, double *values)
{
    struct list list = {.designs = designs, .count = count, .first_case = first_case, .cases = cases, .all_cases = plan_cases(p->sweep->plan)};
    enum weft_status status = sweep_points(p->sweep, &(struct source){next_of_list, &list});
    p->spent += count * cases;
    for (size_t i = 0; i < count && !status; i++)
        status = judge(p, designs[i], first_case + cases, values + i * p->sweep->plan->search.objective_count);
    return status;
}

enum { TRIES = 2000 };

/* A design not tried yet, anywhere; false: none was found. */
static bool anywhere(struct pool *p, uint64_t *out)
{
    for (int i = 0; i < TRIES; i++) {
        *out = below(&p->random, p->sweep->plan->designs);
        if (try_once(p, *out))
            return true;
    }
    return false;
}

/* --- successive halving ------------------------------------------------------------------------------------------------------------------ */

/* The first case for all, the second for the better half, the third for the better quarter, ...; so many that the budget is spent. */
static size_t halving_width(const struct weft_plan *plan)
{
    double shares = 0;
    for (size_t c = 0; c < plan_cases(plan); c++)
        shares += ldexp(1, -(int)(c < 60 ? c : 60));
    double width = floor((double)plan->search.points / shares);
    return width < 1 ? 1 : width > (double)plan->designs ? (size_t)plan->designs : (size_t)width;
}

static enum weft_status halve(struct pool *p, uint64_t *designs, size_t count, double *values, size_t *order)
{
    const struct weft_plan *plan = p->sweep->plan;
    enum weft_status status = WEFT_OK;
    uint64_t *kept = malloc((count + 1) * sizeof *kept);
    if (!kept)
        return WEFT_NO_MEMORY;
    for (size_t c = 0; c < plan_cases(plan) && count && !status && p->spent < plan->search.points; c++) {
        count = count < plan->search.points - p->spent ? count : (size_t)(plan->search.points - p->spent);
        status = run_designs(p, designs, count, c, 1, values);
        if (!status && !pareto_order(order, values, count, plan->search.objective_count))
            status = WEFT_NO_MEMORY;
        for (size_t i = 0; i < count && !status; i++)
            kept[i] = designs[order[i]];
        count = (count + 1) / 2;
        memcpy(designs, kept, count * sizeof *kept);
    }
    free(kept);
    return status;
}

/* --- NSGA-II --------------------------------------------------------------------------------------------------------------------------------- */

/* A child of two parents: each axis from one of them, and then some steps, short ones more often. */
static uint64_t child(struct pool *p, uint64_t mother, uint64_t father)
{
    const struct weft_plan *plan = p->sweep->plan;
    uint64_t a[PLAN_KEEP_MAX], b[PLAN_KEEP_MAX];
    plan_digits(plan, mother, a);
    plan_digits(plan, father, b);
    for (size_t i = 0; i < plan->axis_count; i++) {
        uint64_t count = plan->axes[i].count;
        if (below(&p->random, 2))
            a[i] = b[i];
        if (below(&p->random, plan->axis_count) || count == 1)
            continue;
        uint64_t reach = 1 + below(&p->random, 1 + below(&p->random, count - 1));
        a[i] = below(&p->random, 2) ? (a[i] + reach < count ? a[i] + reach : count - 1) : (a[i] > reach ? a[i] - reach : 0);
    }
    return plan_design(plan, a);
}

/* The better of two chosen by chance; those before stand better. */
static size_t tournament(struct pool *p, size_t count)
{
    size_t a = below(&p->random, count), b = below(&p->random, count);
    return a < b ? a : b;
}

static bool breed(struct pool *p, const uint64_t *parents, size_t count, uint64_t *out)
{
    for (int i = 0; count && i < TRIES; i++) {
        *out = child(p, parents[tournament(p, count)], parents[tournament(p, count)]);
        if (try_once(p, *out))
            return true;
    }
    return anywhere(p, out);
}

/* The best `most` of the population come first. */
static enum weft_status sort_designs(uint64_t *designs, double *values, size_t *order, size_t count, size_t m)
{
    uint64_t *d = malloc((count + 1) * sizeof *d);
    double *v = malloc((count * m + 1) * sizeof *v);
    enum weft_status status = d && v && pareto_order(order, values, count, m) ? WEFT_OK : WEFT_NO_MEMORY;
    for (size_t i = 0; i < count && !status; i++) {
        d[i] = designs[order[i]];
        memcpy(v + i * m, values + order[i] * m, m * sizeof *v);
    }
    if (!status) {
        memcpy(designs, d, count * sizeof *d);
        memcpy(values, v, count * m * sizeof *v);
    }
    free(d);
    free(v);
    return status;
}

/* Designs that a generation makes and keeps: a tenth of the budget. */
static size_t generation(uint64_t designs)
{
    uint64_t size = designs / 10;
    return size < 8 ? 8 : size > 100 ? 100 : (size_t)size;
}

static enum weft_status evolve(struct pool *p, uint64_t *designs, double *values, size_t *order, size_t size)
{
    const struct weft_plan *plan = p->sweep->plan;
    size_t cases = plan_cases(plan), m = plan->search.objective_count, count = 0;
    enum weft_status status = WEFT_OK;
    while (!status && p->spent + cases <= plan->search.points) {
        uint64_t room = (plan->search.points - p->spent) / cases;
        size_t made = 0, wanted = room < size ? (size_t)room : size;
        while (made < wanted && (count ? breed(p, designs, count, &designs[count + made]) : anywhere(p, &designs[made])) )
            made++;
        if (!made)
            break; /* everything there is has been tried */
        status = run_designs(p, designs + count, made, 0, cases, values + count * m);
        if (!status)
            status = sort_designs(designs, values, order, count + made, m);
        count = count + made < size ? count + made : size;
    }
    return status;
}

enum weft_status search_run(struct sweep *sweep)
{
    const struct weft_plan *plan = sweep->plan;
    bool halving = plan->search.strategy == STRATEGY_HALVING;
    uint64_t budget = halving ? halving_width(plan) : plan->search.points / plan_cases(plan);
    budget = budget < plan->designs ? budget : plan->designs;
    size_t size = halving ? (size_t)budget : generation(budget), room = 2 * size + 1, count = 0;
    struct pool pool;
    uint64_t *designs = malloc(room * sizeof *designs);
    double *values = malloc(room * OBJECTIVES_MAX * sizeof *values);
    size_t *order = malloc(room * sizeof *order);
    enum weft_status status = make_pool(&pool, sweep, budget + size);
    if (!designs || !values || !order)
        status = WEFT_NO_MEMORY;
    while (!status && halving && count < size && anywhere(&pool, &designs[count]))
        count++;
    if (!status)
        status = halving ? halve(&pool, designs, count, values, order) : evolve(&pool, designs, values, order, size);
    sweep->summary.points = pool.spent;
    free(pool.tried);
    free(designs);
    free(values);
    free(order);
    return status;
}
