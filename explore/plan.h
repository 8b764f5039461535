/* plan.h: a plan in memory, and the points that it spans. Private to explore/.
 *
 * A *design* is one choice of a value on every axis; its machine is the base with those values and what is tied to them. A *point* is a
 * design with a network and a batch: point = design x cases + case, case = network x batches + batch. Numbers count with the last axis fastest.
 */
#ifndef WEFT_EXPLORE_PLAN_H
#define WEFT_EXPLORE_PLAN_H

#include "expr.h"
#include "weft_compiler.h"
#include "weft_explore.h"
#include "weft_report.h"

struct tie {
    size_t field; /* of weft_machine_fields */
    struct expr value;
    char *text;
};

struct axis {
    size_t field;
    uint64_t *values;
    size_t count;
    struct tie *ties;
    size_t tie_count;
};

struct constraint {
    struct expr expr;
    char *text;
};

enum strategy { STRATEGY_GRID, STRATEGY_RANDOM, STRATEGY_HALVING, STRATEGY_NSGA2 };
enum { OBJECTIVES_MAX = 8, PLAN_KEEP_MAX = 128 };

struct objective {
    size_t metric; /* of metrics_table */
    bool more;     /* is better */
};

struct search {
    enum strategy strategy;
    uint64_t seed, points; /* points: the budget */
    struct objective objectives[OBJECTIVES_MAX];
    size_t objective_count;
};

struct plan_network {
    char *name; /* as the plan has it */
    char *path;
    char hash[33]; /* of the file's bytes */
};

struct weft_plan {
    char *path, *text; /* text: the file's */
    char *name;
    char *base_name;
    struct weft_machine base;
    struct plan_network *networks;
    size_t network_count;
    int64_t *batches;
    size_t batch_count;
    struct axis *axes;
    size_t axis_count;
    struct constraint *constraints;
    size_t constraint_count;
    struct weft_dim *dims; /* names owned */
    size_t dim_count;
    const char *format; /* of the compiler's table; NULL: its default */
    bool keep_all, *keep; /* by metrics_table */
    struct search search;
    struct weft_technology technology; /* for energy and area */
    bool has_technology;
    uint64_t designs;
};

size_t plan_cases(const struct weft_plan *plan);
/* Index of a value on each axis. */
void plan_digits(const struct weft_plan *plan, uint64_t design, uint64_t *digits);
uint64_t plan_design(const struct weft_plan *plan, const uint64_t *digits);
/* The machine of a design. WEFT_ERROR: a tied field cannot have its value; `problem` says why. */
enum weft_status plan_machine(const struct weft_plan *plan, uint64_t design, struct weft_machine *out, char problem[256]);
/* Do the constraints hold? */
bool plan_allows(const struct weft_plan *plan, const struct weft_machine *machine);
/* An error where they hold for no machine; a plan of more machines than can be asked passes. */
enum weft_status plan_check_constraints(const struct weft_plan *plan, struct weft_diag *diag);
/* Names of expressions over a machine. */
extern const struct expr_names plan_names;
int plan_field(const char *name); /* -1: none */
uint64_t machine_value(const struct weft_machine *machine, size_t field);
void machine_give(struct weft_machine *machine, size_t field, uint64_t value);

/* Of every value of the technology; "" where there is none. */
void plan_technology_hash(char out[33], const struct weft_plan *plan);

/* 128 bits of FNV-1a in hexadecimal. */
struct hash {
    unsigned __int128 state;
};
void hash_begin(struct hash *hash);
void hash_add(struct hash *hash, const void *bytes, size_t count);
void hash_text(const struct hash *hash, char out[33]);

#endif
