/* operators.c: the table of ONNX operators. */
#include <stdlib.h>
#include <string.h>

#include "lower.h"

static const struct onnx_op table[] = {
#define ONNX_OP(NAME, first, function, core, low, high, outputs, attributes, remark, machine)                                              \
    {#NAME, first, function, core, low, high, outputs, attributes, remark, machine},
#include "onnx_ops.def"
};

static const struct weft_operator operators[] = {
#define ONNX_OP(NAME, first, function, core, low, high, outputs, attributes, remark, machine) {#NAME, first, IMPORT_OPSET_LAST, remark},
#include "onnx_ops.def"
};

static int compare(const void *name, const void *op)
{
    return strcmp(name, ((const struct onnx_op *)op)->name);
}

const struct onnx_op *onnx_op_find(const char *name)
{
    return bsearch(name, table, sizeof table / sizeof table[0], sizeof table[0], compare); /* the table stands in strcmp's order: tested */
}

const struct weft_operator *weft_operators(size_t *count)
{
    *count = sizeof operators / sizeof operators[0];
    return operators;
}
