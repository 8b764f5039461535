/* lower_attention.c: Attention and RotaryEmbedding, in products, softmax and moves.
 *
 * Values stand as [batch, heads, tokens, size]. Heads of keys and values that several heads of queries share are repeated, each beside
 * itself.
 */
#include <math.h>

#include "element.h"
#include "lower_build.h"

enum { QUERY, KEY, VALUE, MASK, PAST_KEY, PAST_VALUE, FILLED }; /* inputs */

struct attention {
    int q, k, v;           /* keys and values with their past */
    int mask;              /* added to the scores; GRAPH_NONE: none */
    int64_t length, total; /* of queries, of keys */
    double scale, cap;
    bool flat; /* heads stand beside each other in three dimensions */
};

/* [batch, tokens, heads x size] to [batch, heads, tokens, size]. */
static int heads_apart(struct lower *l, int x, int64_t heads)
{
    struct shape s = build_shape(l, x);
    return build_swap(l, build_reshape(l, x, 4, (int64_t[]){s.dims[0], s.dims[1], heads, s.dims[2] / heads}), 1, 2);
}

static int heads_together(struct lower *l, int x)
{
    struct shape s = build_shape(l, x);
    return build_reshape(l, build_swap(l, x, 1, 2), 3, (int64_t[]){s.dims[0], s.dims[2], s.dims[1] * s.dims[3]});
}

static bool check_heads(struct lower *l, unsigned input, const char *attribute, int64_t *heads)
{
    struct shape x = lower_shape(l, input);
    if (x.rank != lower_shape(l, QUERY).rank || x.rank < 3 || x.rank > 4)
        return lower_refuse(l, "input %u has %u dimensions; query, key and value must have 3 or 4, all as many", input + 1, x.rank);
    *heads = lower_int(l, attribute, x.rank == 4 ? x.dims[1] : 0);
    if (l->failed)
        return false;
    if (x.rank == 4)
        return *heads == x.dims[1] || lower_refuse(l, "%s is %lld and input %u has %lld heads", attribute, (long long)*heads, input + 1,
                                                   (long long)x.dims[1]);
    return (*heads >= 1 && x.dims[2] % *heads == 0) ||
           lower_refuse(l, "%s is %lld; it must be given and divide the %lld numbers of input %u", attribute, (long long)*heads,
                        (long long)x.dims[2], input + 1);
}

static bool check_fit(struct lower *l, const struct attention *a)
{
    struct shape q = build_shape(l, a->q), k = build_shape(l, a->k), v = build_shape(l, a->v);
    char text[3][160];
    bool fits = k.rank == 4 && v.rank == 4 && q.dims[0] == k.dims[0] && k.dims[0] == v.dims[0] && k.dims[1] == v.dims[1] &&
                k.dims[2] == v.dims[2] && q.dims[3] == k.dims[3] && k.dims[1] && q.dims[1] % k.dims[1] == 0;
    return fits || lower_refuse(l, "query %s, key %s and value %s do not fit: one batch, heads of queries a multiple of the others', keys and "
                                   "values as many, queries and keys of one size",
                                shape_text(&q, text[0]), shape_text(&k, text[1]), shape_text(&v, text[2]));
}

/* What is given of the past stands in front. */
static bool with_past(struct lower *l, int *x, unsigned input)
{
    struct shape now = build_shape(l, *x), past = lower_shape(l, input);
    char text[160];
    bool fits = past.rank == 4 && past.dims[0] == now.dims[0] && past.dims[1] == now.dims[1] && past.dims[3] == now.dims[3];
    if (!fits)
        return lower_refuse(l, "input %u is %s; beside its tokens it must be as what it continues", input + 1, shape_text(&past, text));
    *x = shape_count(&past) ? build_concat(l, (int[]){l->in[input], *x}, 2, 2) : *x;
    return *x != LOWER_POISON;
}

static bool read_operands(struct lower *l, struct attention *a)
{
    int64_t heads, key_heads, value_heads;
    for (unsigned i = QUERY; i <= VALUE; i++)
        if (!lower_want_float(l, i) || !lower_same_type(l, l->in[QUERY], l->in[i]))
            return false;
    if (!check_heads(l, QUERY, "q_num_heads", &heads) || !check_heads(l, KEY, "kv_num_heads", &key_heads) ||
        !check_heads(l, VALUE, "kv_num_heads", &value_heads))
        return false;
    a->flat = lower_shape(l, QUERY).rank == 3;
    a->q = a->flat ? heads_apart(l, l->in[QUERY], heads) : l->in[QUERY];
    a->k = a->flat ? heads_apart(l, l->in[KEY], key_heads) : l->in[KEY];
    a->v = a->flat ? heads_apart(l, l->in[VALUE], value_heads) : l->in[VALUE];
    if (lower_given(l, PAST_KEY) != lower_given(l, PAST_VALUE))
        return lower_refuse(l, "past_key or past_value is given alone; both or none are right");
    if (a->q < 0 || a->k < 0 || a->v < 0 ||
        (lower_given(l, PAST_KEY) && (!with_past(l, &a->k, PAST_KEY) || !with_past(l, &a->v, PAST_VALUE))) || !check_fit(l, a))
        return false;
    a->length = build_shape(l, a->q).dims[2];
    a->total = build_shape(l, a->k).dims[2];
    return true;
}

/* --- what is added to the scores ------------------------------------------------------------------------------------------------- */

static int add_mask(struct lower *l, int all, int one)
{
    return all == GRAPH_NONE ? one : build_binary(l, CORE_ADD, all, one);
}

/* 0 where the condition holds, minus infinity elsewhere. */
static int mask_of(struct lower *l, const struct attention *a, int condition)
{
    enum element element = build_element(l, a->q);
    return build_where(l, condition, lower_scalar(l, element, 0), lower_scalar(l, element, -INFINITY));
}

/* Keys that a mask does not reach take no part. */
static int given_mask(struct lower *l, const struct attention *a)
{
    struct shape shape = lower_shape(l, MASK);
    int64_t none[GRAPH_RANK_MAX] = {0}, behind[GRAPH_RANK_MAX] = {0};
    bool choice = lower_value(l, MASK)->element == ELEMENT_BOOL;
    if (shape.rank && shape.dims[shape.rank - 1] > 1 && shape.dims[shape.rank - 1] < a->total)
        behind[shape.rank - 1] = a->total - shape.dims[shape.rank - 1];
    int mask = build_pad(l, l->in[MASK], none, behind, choice ? 0 : -INFINITY);
    return choice ? mask_of(l, a, mask) : mask;
}

/* Query i sees the past and the keys up to its own. */
static int causal_mask(struct lower *l, const struct attention *a, int64_t past)
{
    return mask_of(l, a, build_triangle(l, a->length, a->total, past, false));
}

/* Of each sequence of the batch the first keys count, so many as are given. */
static int filled_mask(struct lower *l, const struct attention *a)
{
    struct shape shape = lower_shape(l, FILLED);
    int places = build_count_up(l, ELEMENT_S64, a->total);
    return mask_of(l, a, build_binary(l, CORE_LESS, places, build_reshape(l, l->in[FILLED], 4, (int64_t[]){shape_count(&shape), 1, 1, 1})));
}

static bool check_mask(struct lower *l, struct attention *a)
{
    struct shape mask = build_shape(l, a->mask), scores = {4, {0}}, both;
    char text[160], wanted[160];
    if (a->mask == LOWER_POISON)
        return false;
    scores.dims[0] = build_shape(l, a->q).dims[0];
    scores.dims[1] = build_shape(l, a->q).dims[1];
    scores.dims[2] = a->length;
    scores.dims[3] = a->total;
    return (shape_broadcast(&both, &mask, &scores) && shape_equal(&both, &scores)) ||
           lower_refuse(l, "the mask is %s and does not broadcast to %s", shape_text(&mask, text), shape_text(&scores, wanted));
}

/* ONNX has let the cap come behind the mask, and later before it. */
static bool read_mask(struct lower *l, struct attention *a)
{
    bool causal = lower_int(l, "is_causal", 0) != 0, filled = lower_given(l, FILLED);
    a->mask = GRAPH_NONE;
    if (l->failed)
        return false;
    if (causal && filled)
        return lower_refuse(l, "is_causal 1 with nonpad_kv_seqlen; one of them is supported");
    if (a->cap > 0 && (causal || filled || lower_given(l, MASK)))
        return lower_refuse(l, "softcap with a mask; ONNX's versions differ in which comes first, and only one of them is supported");
    if (lower_given(l, MASK))
        a->mask = given_mask(l, a);
    if (causal)
        a->mask = add_mask(l, a->mask, causal_mask(l, a, lower_given(l, PAST_KEY) ? lower_shape(l, PAST_KEY).dims[2] : 0));
    if (filled)
        a->mask = add_mask(l, a->mask, filled_mask(l, a));
    return a->mask == GRAPH_NONE || check_mask(l, a);
}

/* --- the whole ------------------------------------------------------------------------------------------------------------------- */

static bool read_numbers(struct lower *l, struct attention *a)
{
    int64_t precision = lower_int(l, "softmax_precision", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
    enum element element;
    a->scale = (double)lower_float(l, "scale", 0);
    a->cap = (double)lower_float(l, "softcap", 0);
    if (l->failed)
        return false;
    if (!lower_has(l, "scale"))
        a->scale = 1 / sqrt((double)build_shape(l, a->q).dims[3]);
    bool fine = precision > 0 && precision <= INT32_MAX && element_from_onnx(&element, (int32_t)precision) && element_is_float(element) &&
                element != ELEMENT_F64;
    return fine || lower_refuse(l, "softmax_precision %s; float and what is less exact are supported", onnx_type_name((int32_t)precision));
}

static bool scores_output(struct lower *l, int scores, int masked, int shares)
{
    int64_t mode = lower_int(l, "qk_matmul_output_mode", 0);
    bool asked = l->proto->n_output > 3 && *l->proto->output[3];
    if (l->failed)
        return false;
    l->out[3] = mode == 0 ? scores : mode == 2 ? masked : shares;
    return !asked || mode == 0 || mode == 2 || mode == 3 ||
           lower_refuse(l, "qk_matmul_output_mode %lld; 0, 2 and 3 are supported (ONNX's versions differ in what 1 is)", (long long)mode);
}

static int wide(struct lower *l, int x)
{
    return build_cast(l, x, ELEMENT_F32);
}

/* Products and shares are computed in fp32, as a softmax of half floats should be. */
bool lower_attention(struct lower *l, const struct onnx_op *op)
{
    struct attention a;
    if (!read_operands(l, &a) || !read_numbers(l, &a) || !read_mask(l, &a))
        return false;
    enum element element = build_element(l, a.q);
    int64_t share = build_shape(l, a.q).dims[1] / build_shape(l, a.k).dims[1];
    int keys = build_repeat(l, wide(l, a.k), 1, share), values = build_repeat(l, wide(l, a.v), 1, share);
    int scores = build_with(l, CORE_MUL, build_matmul(l, wide(l, a.q), build_swap(l, keys, 2, 3)), a.scale), masked = scores;
    if (a.cap > 0)
        masked = build_with(l, CORE_MUL, build_unary(l, CORE_TANH, build_with(l, CORE_DIV, scores, a.cap)), a.cap);
    if (a.mask != GRAPH_NONE)
        masked = build_binary(l, CORE_ADD, masked, wide(l, a.mask));
    int shares = build_softmax(l, masked, 3), y = build_cast(l, build_matmul(l, shares, values), element);
    if (!scores_output(l, build_cast(l, scores, element), build_cast(l, masked, element), build_cast(l, shares, element)))
        return false;
    l->out[1] = a.k;
    l->out[2] = a.v;
    bool fine = lower_done(l, a.flat ? heads_together(l, y) : y);
    l->out_count = 4;
    return fine;
}

/* --- RotaryEmbedding --------------------------------------------------------------------------------------------------------------- */

enum { COSINES = 1, SINES, POSITIONS };

struct rotation {
    int64_t heads, turned; /* so many numbers of a head are turned */
    bool flat, woven;      /* woven: the pairs stand side by side; else half a head apart */
};

static bool read_rotation(struct lower *l, struct rotation *r)
{
    struct shape x = lower_shape(l, 0);
    r->flat = x.rank == 3;
    r->heads = r->flat ? lower_int(l, "num_heads", 0) : x.rank == 4 ? x.dims[1] : 0;
    r->woven = lower_int(l, "interleaved", 0) != 0;
    r->turned = lower_int(l, "rotary_embedding_dim", 0);
    if (l->failed || !lower_want_float(l, 0))
        return false;
    if (x.rank < 3 || x.rank > 4 || r->heads < 1 || (r->flat && x.dims[2] % r->heads))
        return lower_refuse(l, "the input has %u dimensions and num_heads is %lld; 4 dimensions, or 3 of which num_heads divides the last, are right",
                            x.rank, (long long)r->heads);
    int64_t size = r->flat ? x.dims[2] / r->heads : x.dims[3];
    r->turned = r->turned ? r->turned : size;
    return (r->turned > 0 && r->turned <= size && r->turned % 2 == 0) ||
           lower_refuse(l, "rotary_embedding_dim %lld; it must be even and at most the %lld of a head", (long long)r->turned, (long long)size);
}

/* Of a table that is not known, only rows at known positions can be taken. */
static bool check_positions(struct lower *l, unsigned input)
{
    enum element type = lower_value(l, POSITIONS)->element;
    struct shape table = lower_shape(l, input);
    char text[160];
    if (type != ELEMENT_S64 && type != ELEMENT_S32)
        return lower_refuse(l, "position_ids are %s; they must be int64", element_name(type));
    if (table.rank != 2)
        return lower_refuse(l, "input %u is %s; with position_ids it must have two dimensions", input + 1, shape_text(&table, text));
    return value_is_constant(lower_value(l, input)) || lower_parameter(l, POSITIONS);
}

/* The table's rows at the positions, [batch, 1, tokens, half] as the heads stand. */
static int angles(struct lower *l, const struct rotation *r, unsigned input)
{
    int table = l->in[input];
    if (lower_given(l, POSITIONS) && !check_positions(l, input))
        return LOWER_POISON;
    if (lower_given(l, POSITIONS))
        table = build_gather(l, table, 0, l->in[POSITIONS]);
    struct shape s = build_shape(l, table);
    char text[160];
    if (table >= 0 && (s.rank != 3 || s.dims[2] != r->turned / 2)) {
        lower_refuse(l, "input %u gives %s; [batch, tokens, %lld] is right", input + 1, shape_text(&s, text), (long long)r->turned / 2);
        return LOWER_POISON;
    }
    return build_reshape(l, table, 4, (int64_t[]){s.dims[0], 1, s.dims[1], s.dims[2]});
}

/* Both halves of the pairs in the places where they stood. */
static int weave(struct lower *l, const struct rotation *r, int first, int second)
{
    struct shape s = build_shape(l, first);
    if (!r->woven)
        return build_concat(l, (int[]){first, second}, 2, 3);
    const int64_t apart[] = {s.dims[0], s.dims[1], s.dims[2], s.dims[3], 1};
    int pairs = build_concat(l, (int[]){build_reshape(l, first, 5, apart), build_reshape(l, second, 5, apart)}, 2, 4);
    return build_reshape(l, pairs, 4, (int64_t[]){s.dims[0], s.dims[1], s.dims[2], r->turned});
}

static int rotate(struct lower *l, const struct rotation *r, int x, int cosines, int sines)
{
    int64_t half = r->turned / 2, size = build_shape(l, x).dims[3];
    int a = r->woven ? build_slice(l, x, 3, 0, r->turned, 2) : build_slice(l, x, 3, 0, half, 1);
    int b = r->woven ? build_slice(l, x, 3, 1, r->turned, 2) : build_slice(l, x, 3, half, r->turned, 1);
    int first = build_binary(l, CORE_SUB, build_binary(l, CORE_MUL, cosines, a), build_binary(l, CORE_MUL, sines, b));
    int second = build_binary(l, CORE_ADD, build_binary(l, CORE_MUL, sines, a), build_binary(l, CORE_MUL, cosines, b));
    int turned = weave(l, r, first, second);
    return r->turned == size ? turned : build_concat(l, (int[]){turned, build_slice(l, x, 3, r->turned, size, 1)}, 2, 3);
}

bool lower_rotary_embedding(struct lower *l, const struct onnx_op *op)
{
    struct rotation r;
    if (!read_rotation(l, &r))
        return false;
    int cosines = angles(l, &r, COSINES), sines = angles(l, &r, SINES), x = r.flat ? heads_apart(l, l->in[0], r.heads) : l->in[0];
    if (x < 0 || cosines < 0 || sines < 0)
        return false;
    int y = rotate(l, &r, x, cosines, sines);
    return lower_done(l, r.flat ? heads_together(l, y) : y);
}
