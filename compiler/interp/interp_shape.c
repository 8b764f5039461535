/* interp_shape.c: operators that move elements and change none, for every element type. */
#include "interp_kernels.h"
#include "element.h"

#include <string.h>

enum weft_status interp_reshape(const struct call *call)
{
    memcpy(call->out[0]->bytes, call->in[0]->bytes, tensor_bytes(call->out[0]));
    return WEFT_OK;
}

/* Element (i0, i1, ...) of a box of shape `box` comes from source + i . from and goes to destination + i . to. */
static void copy_box(const struct shape *box, const char *source, const int64_t *from, char *destination, const int64_t *to, unsigned size)
{
    struct walk walk;
    walk_start_strided(&walk, box, (const int64_t *const[]){from, to}, 2);
    walk_copy(&walk, source, destination, size);
}

enum weft_status interp_transpose(const struct call *call)
{
    const struct tensor *x = call->in[0], *y = call->out[0];
    int64_t own[GRAPH_RANK_MAX], from[GRAPH_RANK_MAX], to[GRAPH_RANK_MAX];
    shape_strides(own, &x->shape);
    shape_strides(to, &y->shape);
    for (unsigned d = 0; d < y->shape.rank; d++)
        from[d] = own[call->node->at.perm[d]];
    copy_box(&y->shape, x->bytes, from, y->bytes, to, element_bytes(x->element));
    return WEFT_OK;
}

enum weft_status interp_slice(const struct call *call)
{
    const struct tensor *x = call->in[0], *y = call->out[0];
    int64_t from[GRAPH_RANK_MAX], to[GRAPH_RANK_MAX], first = 0;
    if (!shape_count(&y->shape))
        return WEFT_OK;
    shape_strides(from, &x->shape);
    shape_strides(to, &y->shape);
    for (unsigned d = 0; d < y->shape.rank; d++) {
        first += call->node->at.begins[d] * from[d];
        from[d] *= call->node->at.steps[d];
    }
    copy_box(&y->shape, (const char *)x->bytes + first * element_bytes(x->element), from, y->bytes, to, element_bytes(x->element));
    return WEFT_OK;
}

enum weft_status interp_expand(const struct call *call)
{
    const struct tensor *x = call->in[0], *y = call->out[0];
    struct walk walk;
    walk_start(&walk, &y->shape, (const struct shape *const[]){&x->shape, &y->shape}, 2);
    walk_copy(&walk, x->bytes, y->bytes, element_bytes(x->element));
    return WEFT_OK;
}

enum weft_status interp_concat(const struct call *call)
{
    struct tensor *y = call->out[0];
    unsigned size = element_bytes(y->element), axis = (unsigned)call->node->at.axis;
    int64_t to[GRAPH_RANK_MAX], from[GRAPH_RANK_MAX], at = 0;
    shape_strides(to, &y->shape);
    for (unsigned k = 0; k < call->in_count; k++) {
        const struct tensor *x = call->in[k];
        shape_strides(from, &x->shape);
        if (shape_count(&x->shape))
            copy_box(&x->shape, x->bytes, from, (char *)y->bytes + at * to[axis] * size, to, size);
        at += x->shape.dims[axis];
    }
    return WEFT_OK;
}

static void fill(struct tensor *t, double value)
{
    int64_t count = shape_count(&t->shape);
    unsigned size = element_bytes(t->element);
    for (int64_t i = 0; i < count && i < 1; i++)
        element_store(t->bytes, t->element, 0, value);
    for (int64_t i = 1; i < count; i++)
        memcpy((char *)t->bytes + i * size, t->bytes, size);
}

/* Negative amounts crop: the box that is copied is what of the input lies inside the output. */
enum weft_status interp_pad(const struct call *call)
{
    const struct tensor *x = call->in[0];
    struct tensor *y = call->out[0];
    const struct attributes *at = &call->node->at;
    struct shape box = {.rank = x->shape.rank};
    int64_t from[GRAPH_RANK_MAX], to[GRAPH_RANK_MAX], source = 0, destination = 0;
    shape_strides(from, &x->shape);
    shape_strides(to, &y->shape);
    for (unsigned d = 0; d < box.rank; d++) {
        int64_t crop_low = at->begins[d] < 0 ? -at->begins[d] : 0, crop_high = at->ends[d] < 0 ? -at->ends[d] : 0;
        box.dims[d] = x->shape.dims[d] - crop_low - crop_high;
        if (box.dims[d] < 0)
            box.dims[d] = 0;
        source += crop_low * from[d];
        destination += (at->begins[d] > 0 ? at->begins[d] : 0) * to[d];
    }
    fill(y, at->alpha);
    unsigned size = element_bytes(x->element);
    if (shape_count(&box))
        copy_box(&box, (const char *)x->bytes + source * size, from, (char *)y->bytes + destination * size, to, size);
    return WEFT_OK;
}

enum weft_status interp_gather(const struct call *call)
{
    const struct tensor *x = call->in[0], *indices = call->in[1];
    char *y = call->out[0]->bytes;
    int64_t axis = call->node->at.axis, length = x->shape.dims[axis], outer = 1, inner = element_bytes(x->element),
            count = shape_count(&indices->shape);
    for (int64_t d = 0; d < axis; d++)
        outer *= x->shape.dims[d];
    for (int64_t d = axis + 1; d < x->shape.rank; d++)
        inner *= x->shape.dims[d];
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < count; i++, y += inner) {
            int64_t index = (int64_t)interp_load_integer(indices->bytes, indices->element, i);
            if (index < 0)
                index += length;
            if (index < 0 || index >= length)
                return weft_error(call->diag, "node %s (%s): index %lld lies outside the %lld entries of axis %lld", call->node->name,
                                  call->node->onnx_type, (long long)interp_load_integer(indices->bytes, indices->element, i),
                                  (long long)length, (long long)axis);
            memcpy(y, (const char *)x->bytes + (o * length + index) * inner, (size_t)inner);
        }
    return WEFT_OK;
}
