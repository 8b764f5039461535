/* store.h: the SQLite store of a sweep. Private to explore/. docs/sweep.md describes the tables. */
#ifndef WEFT_EXPLORE_STORE_H
#define WEFT_EXPLORE_STORE_H

#include <sqlite3.h>
#include "point.h"

enum { STORE_VERSION = 2 }; /* of the tables: PRAGMA user_version */

struct store {
    sqlite3 *db;
    const char *path; /* borrowed */
    sqlite3_stmt *insert, *has, *member;
    char plan[33]; /* hash of the plan that store_note_plan noted: rows become members of it */
    struct weft_diag *diag;
};

/* Opens or makes the store. Shared: other processes read and write it, and what is committed outlives this one. Alone: it is thrown away unless it becomes
 * whole, and SQLite puts no file beside it. */
enum store_use { STORE_SHARED, STORE_ALONE };
enum weft_status store_open(struct store *out, const char *path, enum store_use use, struct weft_diag *diag);
/* For questions; the file must be a store. Makes the view `asked`: the points of the plan that was run last, as that plan numbers them. Says so where
 * the store has others. */
enum weft_status store_open_results(struct store *out, const char *path, struct weft_diag *diag);
void store_close(struct store *store);
enum weft_status store_say(const struct store *store, const char *doing); /* SQLite's own message */
enum weft_status store_do(const struct store *store, const char *sql);

/* Of the plan that was noted: a point that is over; a point that is there already (then it is the plan's too). */
enum weft_status store_add(struct store *store, const struct weft_plan *plan, const struct result *result, const char *version);
enum weft_status store_take(struct store *store, const char *key, uint64_t point);
enum weft_status store_has(struct store *store, const char *key, bool *out);
/* Metrics of a point that is there: NAN where the row has none or a reason. */
enum weft_status store_metrics(struct store *store, const char *key, const struct objective *objectives, size_t count, double *out);

/* Of the plan's points that are there: how many ran, how many did not, and the most common reason. */
enum weft_status store_count(const struct store *store, struct weft_sweep_summary *out);

/* Notes the plan as the one that was run last, and that this shard of it has begun (finished: is whole). */
enum weft_status store_note_plan(struct store *store, const struct weft_plan *plan, const char *version);
enum weft_status store_note_shard(struct store *store, const struct weft_plan *plan, const struct weft_shard *shard, uint64_t points, bool finished);

#endif
