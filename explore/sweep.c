/* sweep.c: threads, the ring of work, and rows into the store. See sweep.h. */
#include "sweep.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GRID_DESIGNS_MAX (UINT64_C(1) << 24)
#define RANDOM_LOOKS_MAX (UINT64_C(1) << 26) /* points that a random walk asks the constraints about */

/* --- workers ---------------------------------------------------------------------------------------------------------------------- */

static void *work(void *user)
{
    struct sweep *s = user;
    pthread_mutex_lock(&s->mutex);
    for (;;) {
        while (!s->waiting && !s->stop)
            pthread_cond_wait(&s->work_there, &s->mutex);
        if (s->stop)
            break;
        uint64_t point = s->ring[s->first];
        s->first = (s->first + 1) % RING;
        s->waiting--;
        s->flying++;
        pthread_mutex_unlock(&s->mutex);
        struct result result;
        enum weft_status status = point_run(&result, s->plan, &s->cases, point, s->options->version);
        pthread_mutex_lock(&s->mutex);
        if (status)
            s->failed = status;
        else
            s->results[s->result_count++] = result;
        pthread_cond_signal(&s->result_there);
    }
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

static size_t thread_count(const struct weft_sweep_options *options)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return options->jobs ? options->jobs : cores > 0 ? (size_t)cores : 1;
}

static enum weft_status start_threads(struct sweep *s)
{
    size_t count = thread_count(s->options);
    s->threads = calloc(count, sizeof *s->threads);
    s->results = malloc((RING + count) * sizeof *s->results);
    if (!s->threads || !s->results)
        return WEFT_NO_MEMORY;
    for (; s->thread_count < count; s->thread_count++)
        if (pthread_create(&s->threads[s->thread_count], NULL, work, s))
            return s->thread_count ? WEFT_OK : weft_error(s->diag, "a thread cannot be started");
    return WEFT_OK;
}

static void stop_threads(struct sweep *s)
{
    pthread_mutex_lock(&s->mutex);
    s->stop = true;
    pthread_cond_broadcast(&s->work_there);
    pthread_mutex_unlock(&s->mutex);
    for (size_t i = 0; i < s->thread_count; i++)
        pthread_join(s->threads[i], NULL);
    for (size_t i = 0; i < s->result_count; i++)
        result_free(&s->results[i]);
    free(s->threads);
    free(s->results);
}

/* --- the calling thread ------------------------------------------------------------------------------------------------------------- */

static void tell(const struct sweep *s)
{
    const struct weft_sweep_progress progress = {.done = s->summary.earlier + s->summary.run, .total = s->total, .run = s->summary.run};
    if (s->options->progress)
        s->options->progress(s->options->progress_user, &progress);
}

/* Everything that has come back, in one transaction. */
static enum weft_status write_results(struct sweep *s, struct result *results, size_t count)
{
    enum weft_status status = count ? store_do(&s->store, "BEGIN IMMEDIATE") : WEFT_OK;
    for (size_t i = 0; i < count; i++) {
        if (!status)
            status = store_add(&s->store, s->plan, &results[i], s->options->version);
        s->summary.run++;
        result_free(&results[i]);
    }
    if (!status && count)
        status = store_do(&s->store, "COMMIT");
    return status;
}

/* Waits for results (if nothing else is to be done), takes them all and writes them. */
static enum weft_status collect(struct sweep *s, struct result *taken, bool wait)
{
    pthread_mutex_lock(&s->mutex);
    while (wait && !s->result_count && !s->failed && (s->waiting || s->flying))
        pthread_cond_wait(&s->result_there, &s->mutex);
    size_t count = s->result_count;
    memcpy(taken, s->results, count * sizeof *taken);
    s->result_count = 0;
    s->flying -= count;
    enum weft_status failed = s->failed;
    pthread_mutex_unlock(&s->mutex);
    enum weft_status status = write_results(s, taken, count);
    if (count)
        tell(s);
    return failed ? failed : status;
}

static void give(struct sweep *s, uint64_t point)
{
    pthread_mutex_lock(&s->mutex);
    s->ring[(s->first + s->waiting++) % RING] = point;
    pthread_cond_signal(&s->work_there);
    pthread_mutex_unlock(&s->mutex);
}

static bool is_full(struct sweep *s)
{
    pthread_mutex_lock(&s->mutex);
    bool full = s->waiting + s->flying >= RING;
    pthread_mutex_unlock(&s->mutex);
    return full;
}

static bool is_idle(struct sweep *s)
{
    pthread_mutex_lock(&s->mutex);
    bool idle = !s->waiting && !s->flying;
    pthread_mutex_unlock(&s->mutex);
    return idle;
}

static enum weft_status is_done(struct sweep *s, uint64_t point, bool *done)
{
    struct weft_machine machine;
    char key[33], problem[256] = "";
    size_t which_case = point % plan_cases(s->plan);
    (void)plan_machine(s->plan, point / plan_cases(s->plan), &machine, problem); /* a machine that cannot be has a key too */
    point_key(key, s->plan, which_case, &machine, problem, s->options->version);
    enum weft_status status = store_has(&s->store, key, done);
    return !status && *done ? store_take(&s->store, key, point) : status;
}

/* Fills the ring from the source; *more: the source may have more. */
static enum weft_status refill(struct sweep *s, const struct source *source, bool *more)
{
    enum weft_status status = store_do(&s->store, "BEGIN IMMEDIATE"); /* points that are there become this plan's, all at once */
    for (unsigned looked = 0; *more && !status && looked < RING && !is_full(s); looked++) {
        uint64_t point;
        bool done = false;
        *more = source->next(source->user, &point);
        if (!*more)
            break;
        status = is_done(s, point, &done);
        if (done)
            s->summary.earlier++;
        else if (!status)
            give(s, point);
    }
    return status ? status : store_do(&s->store, "COMMIT");
}

enum weft_status sweep_points(struct sweep *s, const struct source *source)
{
    enum weft_status status = WEFT_OK;
    struct result *taken = malloc((RING + s->thread_count) * sizeof *taken);
    if (!taken)
        return WEFT_NO_MEMORY;
    for (bool more = true; !status && (more || !is_idle(s));) {
        status = refill(s, source, &more);
        if (!status)
            status = collect(s, taken, !more || is_full(s));
    }
    free(taken);
    return status;
}

/* --- the grid, and random points of it ------------------------------------------------------------------------------------------------ */

static uint64_t mix(uint64_t x)
{
    return search_random(&x);
}

/* Spread by a hash, so that no axis decides which shard a point is in. */
bool sweep_is_ours(const struct sweep *s, uint64_t point)
{
    const struct weft_shard *shard = &s->options->shard;
    return shard->count < 2 || mix(point) % shard->count == shard->index;
}

struct walk {
    const struct sweep *sweep;
    uint64_t at, taken, limit; /* limit: points, of all shards */
    bool shuffled;
};

/* A design whose ties fail stays: it becomes a row with the reason. */
static bool is_allowed(const struct weft_plan *plan, uint64_t design)
{
    struct weft_machine machine;
    char problem[256];
    return plan_machine(plan, design, &machine, problem) != WEFT_OK || plan_allows(plan, &machine);
}

static bool next_point(void *user, uint64_t *point)
{
    struct walk *w = user;
    const struct weft_plan *plan = w->sweep->plan;
    uint64_t points = weft_plan_points(plan);
    uint64_t looks = w->shuffled && points > RANDOM_LOOKS_MAX ? RANDOM_LOOKS_MAX : points;
    while (w->at < looks && w->taken < w->limit) {
        uint64_t i = w->at++;
        *point = w->shuffled ? search_shuffle(i, points, plan->search.seed) : i;
        if (!is_allowed(plan, *point / plan_cases(plan)))
            continue;
        w->taken++;
        if (sweep_is_ours(w->sweep, *point))
            return true;
    }
    return false;
}

static struct walk begin_walk(const struct sweep *s)
{
    bool random = s->plan->search.strategy == STRATEGY_RANDOM;
    return (struct walk){.sweep = s, .shuffled = random, .limit = random ? s->plan->search.points : UINT64_MAX};
}

static enum weft_status run_walk(struct sweep *s)
{
    struct walk w = begin_walk(s);
    uint64_t point;
    if (s->plan->search.strategy == STRATEGY_GRID && s->plan->designs > GRID_DESIGNS_MAX)
        return weft_error(s->diag, "%s: the axes span %llu machines, too many to try each; give it a search: strategy random or nsga2", s->plan->path,
                          (unsigned long long)s->plan->designs);
    while (next_point(&w, &point))
        s->total++;
    s->summary.points = s->total;
    enum weft_status status = store_note_shard(&s->store, s->plan, &s->options->shard, s->total, false);
    w = begin_walk(s);
    if (!status)
        status = sweep_points(s, &(struct source){next_point, &w});
    return status;
}

/* --- all of it --------------------------------------------------------------------------------------------------------------------------- */

static enum weft_status run_search(struct sweep *s)
{
    if (s->options->shard.count > 1)
        return weft_error(s->diag, "%s: strategies halving and nsga2 choose by what came of earlier points and cannot be split into shards", s->plan->path);
    s->total = s->plan->search.points;
    enum weft_status status = store_note_shard(&s->store, s->plan, &s->options->shard, s->total, false);
    return status ? status : search_run(s);
}

/* A plan of which nothing comes is a mistake in it. Of a shard that says nothing: the others may have all that can run. */
static enum weft_status judge(const struct sweep *s)
{
    const struct weft_sweep_summary *m = &s->summary;
    if (m->good || s->options->shard.count > 1)
        return WEFT_OK;
    if (!m->points)
        return weft_error(s->diag, "%s: there is nothing to run: the search found no machine that meets the constraints", s->plan->path);
    return weft_error(s->diag, "%s: none of its %llu points can be compiled or run; %llu of them say: %s", s->plan->path, (unsigned long long)m->bad,
                      (unsigned long long)m->reason_count, m->reason);
}

static enum weft_status run_strategy(struct sweep *s)
{
    enum strategy strategy = s->plan->search.strategy;
    enum weft_status status = store_note_plan(&s->store, s->plan, s->options->version);
    if (!status)
        status = strategy == STRATEGY_GRID || strategy == STRATEGY_RANDOM ? run_walk(s) : run_search(s);
    if (!status)
        status = store_note_shard(&s->store, s->plan, &s->options->shard, s->summary.points, true);
    if (!status)
        status = store_count(&s->store, &s->summary);
    return status ? status : judge(s);
}

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum weft_status weft_sweep_run(struct weft_sweep_summary *out, const struct weft_plan *plan, const struct weft_sweep_options *options,
                                struct weft_diag *diag)
{
    struct sweep *s = calloc(1, sizeof *s);
    if (!s)
        return WEFT_NO_MEMORY;
    double begin = seconds_now();
    *s = (struct sweep){.plan = plan, .options = options, .diag = diag};
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->work_there, NULL);
    pthread_cond_init(&s->result_there, NULL);
    enum weft_status status = plan_check_constraints(plan, diag);
    if (!status)
        status = cases_load(&s->cases, plan, diag);
    if (!status)
        status = store_open(&s->store, options->store, STORE_SHARED, diag);
    if (!status)
        status = start_threads(s);
    if (!status)
        status = run_strategy(s);
    stop_threads(s);
    store_close(&s->store);
    cases_free(&s->cases);
    *out = s->summary;
    out->seconds = seconds_now() - begin;
    pthread_cond_destroy(&s->result_there);
    pthread_cond_destroy(&s->work_there);
    pthread_mutex_destroy(&s->mutex);
    free(s);
    return status;
}
