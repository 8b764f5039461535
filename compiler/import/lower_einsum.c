/* lower_einsum.c: Einsum as products of matrices: operands are put in order, multiplied two at a time, and the result is put in order.
 *
 * A label of a product is one of four: in both operands and later (a stack of matrices), in both and never again (summed in the
 * product), in the left or in the right one alone. Labels of one operand that nobody needs are summed before. The dimensions of
 * an ellipsis are labels too, counted from the last.
 */
#include <ctype.h>
#include <string.h>

#include "lower_build.h"

enum { LABELS = 256, ELLIPSIS = 128 }; /* labels from ELLIPSIS on: dimension so many from the last of the ellipsis */

struct term {
    int value;
    unsigned rank;
    unsigned char labels[GRAPH_RANK_MAX];
};

struct labels { /* a set, in an order */
    unsigned count;
    unsigned char list[GRAPH_RANK_MAX];
};

/* --- the equation ---------------------------------------------------------------------------------------------------------------- */

/* One operand's letters, up to a comma, an arrow or the end. `rank` dimensions; ELLIPSIS takes those that no letter names. */
static bool read_term(struct lower *l, const char **text, unsigned rank, struct term *out)
{
    unsigned letters = 0;
    bool dots = false;
    for (const char *at = *text; *at && *at != ',' && *at != '-'; at++)
        letters += isalpha((unsigned char)*at) != 0;
    out->rank = 0;
    for (; **text && **text != ',' && **text != '-'; ++*text) {
        if (**text == ' ')
            continue;
        if (!dots && !strncmp(*text, "...", 3) && letters <= rank && out->rank + rank - letters <= GRAPH_RANK_MAX) {
            dots = true;
            *text += 2;
            for (unsigned left = rank - letters; left-- > 0;)
                out->labels[out->rank++] = (unsigned char)(ELLIPSIS + left);
        } else if (isalpha((unsigned char)**text) && out->rank < GRAPH_RANK_MAX) {
            out->labels[out->rank++] = (unsigned char)**text;
        } else {
            return lower_refuse(l, "the equation cannot be read at '%.20s'", *text);
        }
    }
    return true;
}

static bool read_operands(struct lower *l, const char **text, struct term *terms, unsigned *widest)
{
    *widest = 0;
    for (unsigned i = 0; i < l->in_count; i++) {
        unsigned rank = lower_shape(l, i).rank, letters = 0;
        terms[i].value = l->in[i];
        if (i && *(*text)++ != ',')
            return lower_refuse(l, "the equation has %u operands and the node %u inputs", i, l->in_count);
        if (!read_term(l, text, rank, &terms[i]))
            return false;
        if (terms[i].rank != rank)
            return lower_refuse(l, "operand %u of the equation has %u dimensions and the input %u", i + 1, terms[i].rank, rank);
        for (unsigned k = 0; k < rank; k++)
            letters += terms[i].labels[k] < ELLIPSIS;
        *widest = rank - letters > *widest ? rank - letters : *widest;
    }
    return true;
}

/* Without an arrow: the ellipsis, then every letter that stands once, in the alphabet's order. */
static bool implied_result(struct lower *l, const struct term *terms, unsigned widest, struct term *out)
{
    unsigned seen[LABELS] = {0};
    out->rank = 0;
    for (unsigned i = 0; i < l->in_count; i++)
        for (unsigned k = 0; k < terms[i].rank; k++)
            seen[terms[i].labels[k]]++;
    for (unsigned left = widest; left-- > 0;)
        out->labels[out->rank++] = (unsigned char)(ELLIPSIS + left);
    for (unsigned c = 0; c < ELLIPSIS; c++)
        if (seen[c] == 1) {
            if (out->rank == GRAPH_RANK_MAX)
                return lower_refuse(l, "the result has more than %d dimensions", GRAPH_RANK_MAX);
            out->labels[out->rank++] = (unsigned char)c;
        }
    return true;
}

static bool read_result(struct lower *l, const char *text, const struct term *terms, unsigned widest, struct term *out)
{
    unsigned letters = 0;
    bool dots = strstr(text, "...");
    if (!*text)
        return implied_result(l, terms, widest, out);
    if (strncmp(text, "->", 2))
        return lower_refuse(l, "the equation has more operands than the node inputs, or cannot be read at '%.20s'", text);
    text += 2;
    for (const char *at = text; *at; at++)
        letters += isalpha((unsigned char)*at) != 0;
    return read_term(l, &text, letters + (dots ? widest : 0), out) &&
           (!*text || lower_refuse(l, "the equation cannot be read at '%.20s'", text));
}

/* --- terms ----------------------------------------------------------------------------------------------------------------------- */

static int find(const struct term *t, unsigned label)
{
    for (unsigned i = 0; i < t->rank; i++)
        if (t->labels[i] == label)
            return (int)i;
    return -1;
}

static void drop(struct term *t, unsigned axis)
{
    t->rank--;
    memmove(t->labels + axis, t->labels + axis + 1, t->rank - axis);
}

/* A label that stands twice is a diagonal: both dimensions go last, become one, of which every n + 1st element stays. */
static bool take_diagonals(struct lower *l, struct term *t)
{
    for (unsigned b = t->rank; b-- > 1;) {
        int a = find(t, t->labels[b]);
        if (a == (int)b || a < 0)
            continue;
        struct shape shape = build_shape(l, t->value);
        int64_t n = shape.dims[b], perm[GRAPH_RANK_MAX];
        unsigned char labels[GRAPH_RANK_MAX];
        unsigned r = 0;
        if (shape.dims[a] != n)
            return lower_refuse(l, "label %c names dimensions of %lld and %lld in one operand", t->labels[b], (long long)shape.dims[a], (long long)n);
        for (unsigned i = 0; i < t->rank; i++)
            if (i != b && (int)i != a)
                labels[r] = t->labels[i], perm[r++] = i;
        labels[r] = t->labels[b];
        perm[r] = a;
        perm[r + 1] = b;
        t->value = build_transpose(l, t->value, perm);
        shape = build_shape(l, t->value);
        shape.rank--;
        shape.dims[shape.rank - 1] = n * n;
        t->value = build_slice(l, lower_reshape(l, t->value, &shape), shape.rank - 1, 0, n * n, n + 1);
        memcpy(t->labels, labels, sizeof labels);
        b = --t->rank;
    }
    return true;
}

/* Sums what neither `other` nor the rest needs. */
static void sum_unneeded(struct lower *l, struct term *t, const struct term *other, const bool *needed)
{
    bool axes[GRAPH_RANK_MAX] = {0};
    for (unsigned i = 0; i < t->rank; i++)
        axes[i] = !needed[t->labels[i]] && (!other || find(other, t->labels[i]) < 0);
    t->value = build_reduce(l, CORE_REDUCE_SUM, t->value, axes, false);
    for (unsigned i = t->rank; i-- > 0;)
        if (axes[i])
            drop(t, i);
}

/* The dimensions of the labels, in this order, with missing ones as 1. */
static void arrange(struct lower *l, struct term *t, const struct labels *order)
{
    struct shape shape = build_shape(l, t->value), wide = {.rank = order->count};
    int64_t perm[GRAPH_RANK_MAX];
    unsigned r = 0;
    for (unsigned i = 0; i < order->count; i++) {
        int at = find(t, order->list[i]);
        wide.dims[i] = at < 0 ? 1 : shape.dims[at];
        if (at >= 0)
            perm[r++] = at;
    }
    if (t->value >= 0)
        t->value = lower_reshape(l, build_transpose(l, t->value, perm), &wide);
    t->rank = order->count;
    memcpy(t->labels, order->list, order->count);
}

/* --- products -------------------------------------------------------------------------------------------------------------------- */

struct plan {
    struct labels stack, summed, left, right;
    int64_t sizes[LABELS];
};

static void append(struct labels *set, unsigned label)
{
    set->list[set->count++] = (unsigned char)label;
}

/* Sizes of 1 go with any size in the same label, as ONNX broadcasts the ellipsis. */
static bool make_plan(struct lower *l, const struct term *a, const struct term *b, const bool *needed, struct plan *plan)
{
    struct shape as = build_shape(l, a->value), bs = build_shape(l, b->value);
    *plan = (struct plan){0};
    for (unsigned i = 0; i < a->rank; i++) {
        unsigned label = a->labels[i];
        int at = find(b, label);
        int64_t other = at < 0 ? 1 : bs.dims[at], own = as.dims[i];
        plan->sizes[label] = own == 1 ? other : own;
        if (at >= 0 && own != other && own != 1 && other != 1)
            return lower_refuse(l, "a label names dimensions of %lld and %lld", (long long)own, (long long)other);
        append(at < 0 ? &plan->left : needed[label] ? &plan->stack : &plan->summed, label);
    }
    for (unsigned i = 0; i < b->rank; i++)
        if (find(a, b->labels[i]) < 0) {
            plan->sizes[b->labels[i]] = bs.dims[i];
            append(&plan->right, b->labels[i]);
        }
    return plan->stack.count + plan->left.count + plan->right.count <= GRAPH_RANK_MAX ||
           lower_refuse(l, "a product in it has more than %d dimensions", GRAPH_RANK_MAX);
}

static struct labels join(const struct labels *a, const struct labels *b, const struct labels *c)
{
    struct labels out = *a;
    memcpy(out.list + out.count, b->list, b->count);
    out.count += b->count;
    if (c) {
        memcpy(out.list + out.count, c->list, c->count);
        out.count += c->count;
    }
    return out;
}

static int64_t count_of(const struct plan *plan, const struct labels *set)
{
    int64_t count = 1;
    for (unsigned i = 0; i < set->count; i++)
        count *= plan->sizes[set->list[i]];
    return count;
}

/* The operand as [stack..., rows, columns]; where both have a summed label, a size of 1 is expanded first. */
static int as_matrices(struct lower *l, struct term *t, const struct plan *plan, const struct labels *rows, const struct labels *columns)
{
    struct labels order = join(&plan->stack, rows, columns);
    struct shape shape = {.rank = plan->stack.count + 2}, full;
    arrange(l, t, &order);
    full = build_shape(l, t->value);
    for (unsigned i = 0; i < full.rank; i++)
        if (i >= plan->stack.count)
            full.dims[i] = plan->sizes[order.list[i]];
        else
            shape.dims[i] = full.dims[i];
    shape.dims[plan->stack.count] = count_of(plan, rows);
    shape.dims[plan->stack.count + 1] = count_of(plan, columns);
    return t->value < 0 ? t->value : lower_reshape(l, build_expand(l, t->value, &full), &shape);
}

/* Nothing is summed: element by element. */
static void multiply_elements(struct lower *l, struct term *a, struct term *b, const struct labels *order)
{
    arrange(l, a, order);
    arrange(l, b, order);
    a->value = build_binary(l, CORE_MUL, a->value, b->value);
}

static bool multiply(struct lower *l, struct term *a, struct term *b, const bool *needed)
{
    struct plan plan;
    sum_unneeded(l, a, b, needed);
    sum_unneeded(l, b, a, needed);
    if (a->value < 0 || b->value < 0 || !make_plan(l, a, b, needed, &plan))
        return false;
    struct labels order = join(&plan.stack, &plan.left, &plan.right);
    if (!plan.summed.count) {
        multiply_elements(l, a, b, &order);
        return a->value >= 0;
    }
    bool turned = build_leads_to_constant(l, a->value) && !build_leads_to_constant(l, b->value); /* the constant stands second */
    struct term *first = turned ? b : a, *second = turned ? a : b;
    struct labels *rows = turned ? &plan.right : &plan.left, *columns = turned ? &plan.left : &plan.right;
    if (plan.stack.count + 2 > GRAPH_RANK_MAX || plan.stack.count + plan.summed.count + rows->count > GRAPH_RANK_MAX ||
        plan.stack.count + plan.summed.count + columns->count > GRAPH_RANK_MAX)
        return lower_refuse(l, "a product in it has more than %d dimensions", GRAPH_RANK_MAX);
    int x = as_matrices(l, first, &plan, rows, &plan.summed), y = as_matrices(l, second, &plan, &plan.summed, columns);
    int product = build_matmul(l, x, y);
    struct shape shape = {.rank = order.count};
    struct labels made = join(&plan.stack, rows, columns);
    for (unsigned i = 0; i < made.count; i++)
        shape.dims[i] = plan.sizes[made.list[i]];
    *a = (struct term){lower_reshape(l, product, &shape), made.count, {0}};
    memcpy(a->labels, made.list, made.count);
    return a->value >= 0;
}

/* --- the node -------------------------------------------------------------------------------------------------------------------- */

static void mark_needed(const struct term *terms, unsigned first, unsigned count, const struct term *result, bool needed[LABELS])
{
    memset(needed, 0, LABELS * sizeof *needed);
    for (unsigned k = 0; k < result->rank; k++)
        needed[result->labels[k]] = true;
    for (unsigned i = first; i < count; i++)
        for (unsigned k = 0; k < terms[i].rank; k++)
            needed[terms[i].labels[k]] = true;
}

static bool finish(struct lower *l, struct term *t, const struct term *result)
{
    bool needed[LABELS];
    struct labels order = {.count = result->rank};
    mark_needed(NULL, 0, 0, result, needed);
    sum_unneeded(l, t, NULL, needed);
    memcpy(order.list, result->labels, result->rank);
    for (unsigned i = 0; i < result->rank; i++) {
        if (find(t, result->labels[i]) < 0)
            return lower_refuse(l, "the result has a label that no operand has");
        if (find(result, result->labels[i]) != (int)i)
            return lower_refuse(l, "the result names label %c twice", result->labels[i]);
    }
    arrange(l, t, &order);
    return lower_done(l, t->value);
}

bool lower_einsum(struct lower *l, const struct onnx_op *op)
{
    const Onnx__AttributeProto *attribute = lower_attribute(l, "equation");
    struct term terms[NODE_INPUTS_MAX], result;
    bool needed[LABELS];
    char equation[256];
    unsigned widest;
    if (l->failed || !attribute || !attribute->s.data || attribute->s.len >= sizeof equation)
        return l->failed ? false : lower_refuse(l, "the equation is missing, or longer than 255 letters");
    memcpy(equation, attribute->s.data, attribute->s.len);
    equation[attribute->s.len] = 0;
    const char *text = equation;
    if (!read_operands(l, &text, terms, &widest) || !read_result(l, text, terms, widest, &result))
        return false;
    for (unsigned i = 0; i < l->in_count; i++)
        if (!lower_same_type(l, l->in[0], l->in[i]) || !take_diagonals(l, &terms[i]))
            return false;
    for (unsigned i = 1; i < l->in_count; i++) {
        mark_needed(terms, i + 1, l->in_count, &result, needed);
        if (!multiply(l, &terms[0], &terms[i], needed))
            return false;
    }
    return finish(l, &terms[0], &result);
}
