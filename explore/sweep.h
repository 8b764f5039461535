/* sweep.h: a run of a plan: threads that take points, one that writes what comes back. Private to explore/.
 *
 *     calling thread:  source -> (in the store already? then done) -> work ring  ...  results -> one transaction -> store
 *     workers:                                         work ring -> point_run -> results
 *
 * What is in flight is what stands in the ring or in the list of results; nothing else is lost by a kill.
 */
#ifndef WEFT_EXPLORE_SWEEP_H
#define WEFT_EXPLORE_SWEEP_H

#include <pthread.h>
#include "store.h"

enum { RING = 1024 };

struct sweep {
    const struct weft_plan *plan;
    const struct weft_sweep_options *options;
    struct weft_diag *diag;
    struct cases cases;
    struct store store;
    struct weft_sweep_summary summary;
    uint64_t total; /* for progress */

    pthread_t *threads;
    size_t thread_count;
    pthread_mutex_t mutex; /* of all below */
    pthread_cond_t work_there, result_there;
    uint64_t ring[RING];
    size_t first, waiting, flying; /* flying: in the hands of workers or in the results */
    struct result *results;        /* room for RING and every worker */
    size_t result_count;
    bool stop;
    enum weft_status failed;
};

/* The next point to be run; false: there is none. */
struct source {
    bool (*next)(void *user, uint64_t *point);
    void *user;
};
/* Runs all that a source gives and the store does not have; they stand in the store when it returns. */
enum weft_status sweep_points(struct sweep *sweep, const struct source *source);
bool sweep_is_ours(const struct sweep *sweep, uint64_t point); /* this shard's? */

/* search.c: chooses points by what came of others. */
enum weft_status search_run(struct sweep *sweep);
/* Numbers of a generator with a period of 2^64 (splitmix64). */
uint64_t search_random(uint64_t *state);
/* Place i of a permutation of 0..n-1 that the seed picks. */
uint64_t search_shuffle(uint64_t i, uint64_t n, uint64_t seed);

#endif
