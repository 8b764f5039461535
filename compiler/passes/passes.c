/* passes.c: the table of passes and the loop that runs them. */
#include "passes.h"
#include "weft_compiler.h"

#include <string.h>

/* `import` is no pass: it names the graph as the front end gives it. */
#define PASSES(ROW) \
    ROW(import, NULL, "the graph as it was read") \
    ROW(fold, pass_fold, "nodes whose inputs are all constants become constants") \
    ROW(identity, pass_identity, "nodes that change nothing go") \
    ROW(qdq, pass_qdq, "dequantize, multiply, quantize become the integer operator") \
    ROW(batchnorm, pass_batchnorm, "batch normalisation into weights and bias, or mul and add") \
    ROW(activation, pass_activation, "silu, gelu, sigmoid and rsqrt written in several nodes become one") \
    ROW(squares, pass_squares, "sums and means of squares become one reduction") \
    ROW(pad, pass_pad, "padding into the convolution or pool behind it") \
    ROW(zeros, pass_zeros, "zero points that are computed become part of the product") \
    ROW(stack, pass_stack, "a product with a stack of matrices into one product each") \
    ROW(hoist, pass_hoist, "sums right behind the later of their operands")

const struct pass pass_table[] = {
#define ROW(name, run, meaning) {#name, run, meaning},
    PASSES(ROW)
#undef ROW
    {NULL, NULL, NULL},
};

static const char *const names[] = {
#define ROW(name, run, meaning) #name,
    PASSES(ROW)
#undef ROW
};

#define ROW(name, run, meaning) " " #name
#define ALL_NAMES PASSES(ROW)

const char *const *weft_pass_names(size_t *count) {
    *count = sizeof names / sizeof names[0];
    return names;
}

static enum weft_status check_name(const char *name, struct weft_diag *diag) {
    size_t count;
    weft_pass_names(&count);
    for (size_t i = 0; name && i < count; i++)
        if (!strcmp(names[i], name)) return WEFT_OK;
    if (!name) return WEFT_OK;
    const char *nearest = weft_nearest(name, names, count);
    return weft_error(diag, "--dump-after %s: no such pass%s%s; right are:" ALL_NAMES, name, nearest ? ", did you mean " : "", nearest ? nearest : "");
}

static enum weft_status run_pass(const struct pass *pass, struct graph *graph, struct weft_diag *diag) {
    enum weft_status status = pass->run ? pass->run(graph, diag) : WEFT_OK;
    if (status) return status;
    if (pass->run) graph_sweep(graph);
    return graph_verify(graph, diag);
}

enum weft_status passes_run(struct graph *graph, const char *dump_after, void *dump_file, struct weft_diag *diag) {
    enum weft_status status = check_name(dump_after, diag);
    for (const struct pass *pass = pass_table; !status && pass->name; pass++) {
        status = run_pass(pass, graph, diag);
        if (!status && dump_after && !strcmp(dump_after, pass->name)) status = graph_dump(graph, dump_file);
    }
    return status;
}
