/* expr.h: the expressions of plans and of --where. Private to explore/.
 *
 *     array.rows * array.columns <= 64Ki && (network == "resnet50" || batch > 1)
 *
 * Numbers (with k M G Ki Mi Gi), true, false, "text", names, + - * / %, == != < <= > >=, ! && || (also not, and, or), min(a, b), max(a, b),
 * floor(a), ceil(a), parentheses. Arithmetic is in double precision. An unknown value (NULL in a store) makes unknown what is made
 * of it, and an unknown condition does not hold.
 */
#ifndef WEFT_EXPLORE_EXPR_H
#define WEFT_EXPLORE_EXPR_H

#include <stdbool.h>
#include <stddef.h>

enum expr_kind { EXPR_UNKNOWN, EXPR_NUMBER, EXPR_TEXT };
struct expr_value {
    enum expr_kind kind;
    double number;
    const char *text; /* borrowed */
};

struct expr_node;
struct expr {
    struct expr_node *nodes;
    size_t count, room;
    size_t root;
};

/* What names mean: an index for expr_evaluate's lookup, or -1 and then `problem` may be filled. */
struct expr_names {
    int (*find)(const void *user, const char *name, char problem[256]);
    const void *user;
};

/* False: `problem` says what is wrong (all zero: out of memory). Free with expr_free in both cases. */
bool expr_parse(struct expr *out, const char *text, const struct expr_names *names, char problem[256]);
void expr_free(struct expr *expr);
struct expr_value expr_evaluate(const struct expr *expr, struct expr_value (*lookup)(const void *user, int name), const void *user);
bool expr_holds(const struct expr *expr, struct expr_value (*lookup)(const void *user, int name), const void *user);
/* "64Ki" -> 65536. */
bool expr_number(double *out, const char *text);

#endif
