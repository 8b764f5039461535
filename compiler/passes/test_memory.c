/* test_memory.c: every allocation of a pass made to fail once: the pass says that there is no memory, and leaves a graph that can be freed. Under the
 * address sanitizer malloc is not ours, so there is nothing to see. */
#include "test_passes.h"

static long left = -1; /* allocations that still succeed; below 0: all of them */

#ifndef __SANITIZE_ADDRESS__

#define SEEN __attribute__((visibility("default"))) /* by the C library too, whose strdup allocates */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);

/* The one that fails is the last that is counted. */
static bool fails(void)
{
    return left >= 0 && left-- == 0;
}

SEEN void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

SEEN void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

SEEN void *realloc(void *block, size_t size)
{
    return fails() ? NULL : __libc_realloc(block, size);
}

#endif

/* Runs the pass on a new graph with its allocation number `n` failing. False: it has no more than so many. */
static bool survives(struct graph *(*build)(void), enum weft_status (*pass)(struct graph *, struct weft_diag *), long n)
{
    struct weft_diag silent = {0};
    struct graph *graph = build();
    left = n;
    enum weft_status status = pass(graph, &silent);
    bool failed = left < 0;
    left = -1;
    graph_free(graph);
    if (failed)
        assert_int_equal(status, WEFT_NO_MEMORY);
    return failed;
}

static void every_allocation(struct graph *(*build)(void), enum weft_status (*pass)(struct graph *, struct weft_diag *), long least)
{
    long n = 0;
#ifdef __SANITIZE_ADDRESS__
    least = 0;
#endif
    while (survives(build, pass, n))
        n++;
    if (n < least)
        fail_msg("only %ld allocations were made to fail", n);
}

static struct graph *stacked_product(void)
{
    struct graph *graph = new_graph();
    int x = input(graph, "x", ELEMENT_F32, SHAPE(2, 2, 3)), w = filled(graph, "w", SHAPE(2, 3, 4), 1);
    int y = node(graph, CORE_MATMUL, "y", SHAPE(2, 2, 4), 2, (int[]){x, w});
    output(graph, result(graph, y));
    return graph;
}

static void stack(void **state)
{
    every_allocation(stacked_product, pass_stack, 20);
}

static struct graph *scaled_gemm(void)
{
    struct graph *graph = new_graph();
    int x = input(graph, "x", ELEMENT_F32, SHAPE(3, 2)), c = filled(graph, "c", SHAPE(2), 1);
    int gemm = node(graph, CORE_GEMM, "gemm", SHAPE(3, 2), 2, (int[]){x, filled(graph, "w", SHAPE(2, 2), 2)});
    graph->nodes[gemm].at = (struct attributes){.alpha = 1, .beta = 1};
    for (int i = 0; i < 2; i++) { /* the first goes into the gemm; what else reads it keeps the second a product and a sum */
        int from = i ? x : result(graph, gemm), bn = node(graph, CORE_BATCHNORM, i ? "alone" : "into", SHAPE(3, 2), 5, (int[]){from, c, c, c, c});
        output(graph, result(graph, bn));
    }
    return graph;
}

static void batchnorm(void **state)
{
    every_allocation(scaled_gemm, pass_batchnorm, 20);
}

static enum weft_status turn_round(struct graph *graph, struct weft_diag *diag)
{
    return graph_move(graph, (const int[]){1, GRAPH_NONE, GRAPH_NONE});
}

static struct graph *three_nodes(void)
{
    struct graph *graph = new_graph();
    int x = input(graph, "x", ELEMENT_F32, SHAPE(2));
    for (int i = 0; i < 3; i++)
        output(graph, result(graph, node(graph, CORE_RELU, i == 0 ? "a" : i == 1 ? "b" : "c", SHAPE(2), 1, &x)));
    return graph;
}

static void moved(void **state)
{
    every_allocation(three_nodes, turn_round, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(stack), cmocka_unit_test(batchnorm), cmocka_unit_test(moved)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
